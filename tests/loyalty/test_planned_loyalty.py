"""Both executions answer the same about contracts, for each kind of caller; what can be planned is one statement."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from datastore.customer import Customer
from datastore.database import Database
from datastore.loyalty.contract import Contract
from datastore.loyalty.program import LoyaltyProgram
from gateway.identity.demo import Role
from schema.node import written
from tests.execute import execute
from tests.execution.asking import INTERNAL, OTHER_PARTNER, PARTNER, Asked, a_role, both, data_of, headers_of, same
from tests.factories.customer import a_customer, a_deleted_customer, a_merged_customer, inserted
from tests.factories.loyalty import (
    DAY,
    a_consumer,
    a_contract,
    a_coupon_program,
    a_description,
    a_points_program,
    a_program,
    an_order_line,
    now,
)
from tests.loyalty.rows import a_coupon_year, a_policy, a_reservation, a_saving, a_total, a_transaction
from tests.statements import statements

CONTRACTS = """query ($filter: ContractFilterInput) { contracts(filter: $filter) { totalItems nodes { id uuid status
    organisationId consumableFrom expirationDate acceptanceDate externalRef parent couponsLimit remainingCoupons
    passengerCategory ticketOrderId version createdBy lastChangedAt
    loyaltyProgram { id loyaltyProgramId versionNumber status productId internalDescription loyaltyProgramCode
        usageValidityPeriod defaultCouponsLimit couponConfig { defaultQuantity usageValidityPeriod
            loyaltyProgram { loyaltyProgramType } }
        descriptions { languageCode displayName description } versions { versionNumber startDate } }
    parentContract { uuid } subContracts { uuid status }
    contractConsumers { customerNumber customerRef customerOrganisationId customer { customerNumber surname }
        isContractHolder isBlocked createdAt }
    policies { id key } couponYears { year couponsLimit remaining }
    currentTotal { amount currency calculatedAt }
    transactions { amount currency timestamp rrn email posId internalTransactionId
        reverses { amount } reversedBy { amount } }
    orderLineEvents { orderId eventType price originalPrice couponsUsed cancels { orderId } subContract { uuid }
        taxDistributions { taxYear taxMonth taxSaving isUnknown } }
    reservations { uuid status coupons expiresAt orderLineEvent { orderId } } } } }"""
ENTITLEMENTS = """query ($number: Long!, $at: DateTime, $without: Boolean = false) {
    entitlements(customerNumber: $number, travelDate: $at, excludeSubContracts: $without) { totalItems nodes {
    productId productVersion displayName { text description languageCode } contractUUID contractParent
    contractExternalRef contractValidFrom contractValidTo contractOwner { customerNumber } contract { status }
    contractOwnerCustomerNumber contractOwnerDisplayName contractOwnerDateOfBirth passengerCategory isSeniorCitizen
    couponsLimit remainingCoupons ticketOrderId parentContract { uuid } } } }"""
PROGRAMS = """{ loyaltyPrograms(filter: {loyaltyProgramType: COUPONS}) { totalItems nodes { loyaltyProgramId status
    couponConfig { defaultStartTime } } } }"""
ONE = """query ($uuid: ID!, $id: Long!, $node: ID!) { contract(by: {uuid: $uuid}) { uuid status }
    loyaltyProgram(loyaltyProgramId: $id) { versionNumber status } node(id: $node) { id } }"""
EDGES = """query ($numbers: [Long!]!) { customersByKey(customerNumbers: $numbers) {
    contracts { nodes { uuid } totalItems } entitlements(excludeSubContracts: true) { nodes { contractUUID } } } }"""
MANY = """{ contracts(first: 100) { nodes { uuid remainingCoupons contractConsumers { customerNumber isBlocked }
    transactions { amount } } } }"""


class World:
    """Customers and contracts of organisations 1 and 2, with everything that hangs on contracts."""

    def __init__(self, customers: list[Customer], contracts: list[Contract], program: LoyaltyProgram) -> None:
        self.customers = customers
        self.contracts = contracts
        self.program = program


async def a_world(database: Database) -> World:
    kari, ola = await a_customer(database, first_name=None), await a_customer(database, surname='O"la\n')
    merged, gone = await a_merged_customer(database, ola), await a_deleted_customer(database)
    program = await a_coupon_program(database, config_default_start_time="04:00:00", usage_validity_period="PT90M")
    await a_description(database, program, display_name='«Ti "klipp»')
    await a_description(database, program, language_code="ENG", display_name=None)
    one = await a_contract(database, program, kari, external_ref="M 1", expiration_date=now() + DAY)
    await a_consumer(database, one, ola, is_blocked=True)
    await a_consumer(database, one, merged)
    two = await a_contract(database, await a_program(database), kari, parent=one.uuid)
    points = await a_contract(database, await a_points_program(database), gone, expiration_date=now() - DAY)
    foreign = await a_contract(
        database,
        await a_points_program(database, organisation_id=2),
        await a_customer(database, organisation_id=2),
    )
    await a_policy(database, one)
    await a_coupon_year(database, one, 4)
    await a_coupon_year(database, one, 0, now().year - 1)
    for customer in (kari, ola, merged):
        line = await an_order_line(database, one, customer_id=customer.id, sub_contract=two.uuid)
        await a_saving(database, line, tax_saving=None, is_unknown=True)
        for expires_at in (now() + DAY, now() - DAY):
            values: Any = {"customer_id": customer.id, "expires_at": expires_at, "order_line_event_id": line.id}
            await a_reservation(database, one, **values)
    for contract in (points, foreign):
        for amount in (0, 5, -5, 100, -1_00, 12_34, -99_999_99, 10**15, -(10**15), 2**53 + 1, 2**63 - 1, -(2**63)):
            await a_transaction(database, contract, amount)
        first = await a_transaction(database, contract, email="seller@example.com")
        await a_transaction(database, contract, -1, reverses_id=first.id)
    await a_total(database, points, 10**15)
    await a_total(database, foreign, 5, "PTS")
    return World([kari, ola, merged, gone], [one, two, points, foreign], program)


def users(world: World) -> list[Role]:
    """Kari and Ola, as the issuer of travellers knows them."""
    return [a_role(PARTNER.tenant.TRAVELLER, 1, each.customer_number, str(each.id)) for each in world.customers[:2]]


@pytest.mark.rule("L19")
@pytest.mark.rule("T04")
@pytest.mark.rule("T05")
async def test_both_executions_answer_the_same_to_every_caller(database: Database, url: str) -> None:
    world = await a_world(database)
    one, *_, foreign = world.contracts
    async with both(url) as gateways:
        for role in (PARTNER, INTERNAL, OTHER_PARTNER, *users(world)):
            headers = headers_of(role, "a reason")
            found = data_of(await same(gateways, CONTRACTS, {}, headers))["contracts"]["nodes"]
            seen = [each["uuid"] for each in found]
            assert (one.uuid in seen, foreign.uuid in seen) == {
                PARTNER: (True, False),
                INTERNAL: (True, True),
                OTHER_PARTNER: (False, True),
            }.get(role, (True, False))
            for criteria in (
                {"uuid": one.uuid},
                {"customerNumber": world.customers[2].customer_number},
                {"customerRef": {"customerRef": world.customers[0].customer_ref, "organisationId": 1}},
                {"customerNumber": world.customers[0].customer_number, "contractHolder": True},
                {"consumableAfter": "2020-01-01T00:00:00Z", "expirationDateBefore": "2090-01-01T00:00:00Z"},
                {"loyaltyProgramId": world.program.id, "externalRef": "M 1"},
            ):
                await same(gateways, CONTRACTS, {"filter": criteria}, headers)
            for customer in world.customers:
                number = {"number": customer.customer_number}
                for more in ({}, {"without": True}, {"at": "2030-01-01T00:00:00Z"}):
                    await same(gateways, ENTITLEMENTS, {**number, **more}, headers)
            node = written("Contract", one.uuid)
            await same(gateways, ONE, {"uuid": one.uuid, "id": world.program.id, "node": node}, headers)
            if role in (PARTNER, INTERNAL, OTHER_PARTNER):
                await same(gateways, PROGRAMS, {}, headers)
                numbers = [each.customer_number for each in world.customers]
                await same(gateways, EDGES, {"numbers": numbers}, headers, is_planned=False)


@contextmanager
def counted(gateway: Asked) -> Iterator[list[str]]:
    """The statements that a gateway sends, planned ones too, inside the block."""
    seen: list[str] = []
    reads: Any = gateway.reads
    fetch = type(reads).fetch

    async def noted(self: Any, sql: str, arguments: Any) -> Any:
        seen.append(sql)
        return await fetch(self, sql, arguments)

    reads_type: Any = type(reads)
    reads_type.fetch = noted
    try:
        yield seen
    finally:
        reads_type.fetch = fetch


async def test_fifty_contracts_with_all_that_hangs_on_them_are_one_planned_statement(
    database: Database, url: str
) -> None:
    program = await a_coupon_program(database)
    kari = await a_customer(database)
    counts = []
    async with both(url) as gateways:
        await same(gateways, MANY)
        for size in (1, 49):
            for _ in range(size):
                contract = await a_contract(database, program, kari)
                await a_transaction(database, contract)
            with counted(gateways[1]) as planned:
                answer = await same(gateways, MANY)
            counts.append(len(planned))
        assert len(data_of(answer)["contracts"]["nodes"]) == 50
    # Three answers, of which the first one is of a document that is not known yet.
    assert counts == [3, 3]


async def test_the_ordinary_execution_takes_as_many_statements_for_fifty_as_for_one(database: Database) -> None:
    program = await a_coupon_program(database)
    kari = await a_customer(database)
    counts = []
    for size in (1, 1, 48):
        contract = await a_contract(database, program, kari)
        rows = contract._asdict()  # type: ignore[attr-defined]
        rows.pop("id")
        made = [contract]
        if size > 1:
            made += await inserted(database, Contract, *[{**rows, "uuid": f"{each:036}"} for each in range(size - 1)])
            for each in made[1:]:
                await a_consumer(database, each, kari, is_contract_holder=True)
        for each in made:
            await a_transaction(database, each)
        with statements(database) as seen:
            found = await execute(database, MANY)
        counts.append(len(seen))
    assert len(found["contracts"]["nodes"]) == 50
    assert counts[1] == counts[2] == 5
