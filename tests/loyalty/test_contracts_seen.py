"""Contracts as they are at the very second, and as whoever asks may see them."""

from datetime import timedelta
from typing import Any

import pytest

from datastore.database import Database
from datastore.loyalty import usage
from datastore.loyalty.contract import Contract, ContractStatus
from datastore.viewer import Viewer
from resolvers.loyalty.holds import year_of
from schema.node import written
from tests.execute import FOREIGNER, INTERNAL, VIEWER, execute
from tests.factories.customer import a_customer, a_deleted_customer, a_merged_customer, inserted
from tests.factories.loyalty import (
    DAY,
    a_consumer,
    a_contract,
    a_coupon_program,
    a_program,
    an_order_line,
    now,
)
from tests.loyalty.rows import (
    a_coupon_year,
    a_reservation,
    a_saving,
    a_user,
)
from tests.statements import statements

SECOND = timedelta(seconds=1)


async def of_contract(database: Database, contract: Contract, selected: str, viewer: Viewer = VIEWER) -> Any:
    document = f"query ($uuid: ID!) {{ contract(by: {{uuid: $uuid}}) {{ {selected} }} }}"
    return (await execute(database, document, viewer, uuid=contract.uuid))["contract"]


@pytest.mark.rule("L14")
async def test_remaining_coupons_are_those_of_this_year_without_holds_that_are_over(database: Database) -> None:
    program = await a_coupon_program(database)
    this = year_of(now()).year

    async def left(contract: Contract) -> Any:
        found = await of_contract(database, contract, "couponsLimit remainingCoupons couponYears { year remaining }")
        return found["remainingCoupons"], [(each["year"], each["remaining"]) for each in found["couponYears"]]

    unused, used, earlier, held, unlimited = [
        await a_contract(database, program, coupons_limit=limit) for limit in (10, 10, 10, 10, None)
    ]
    await a_coupon_year(database, used, 0)
    await a_coupon_year(database, earlier, 2, this - 1)
    await a_coupon_year(database, earlier, 9, this + 1)
    await a_coupon_year(database, held, 4)
    await a_coupon_year(database, held, 5, this - 1)
    over = {"expires_at": now() - SECOND}
    await a_reservation(database, held, 1)
    await a_reservation(database, held, 2, **over)
    await a_reservation(database, held, 1, **over)
    await a_reservation(database, held, 3, **over, coupon_year=this - 1)
    await a_reservation(database, held, 1, **over, status=usage.ReservationStatus.EXPIRED)
    await a_reservation(database, used, 1, **over, status=usage.ReservationStatus.RELEASED)
    assert await left(unused) == (10, [])
    assert await left(used) == (0, [(this, 0)])
    assert await left(earlier) == (10, [(this - 1, 2), (this + 1, 9)])
    assert await left(held) == (7, [(this - 1, 8), (this, 7)])
    assert await left(unlimited) == (None, [])


@pytest.mark.rule("L14")
async def test_remaining_coupons_of_500_contracts_are_one_statement(database: Database) -> None:
    program = await a_coupon_program(database)
    contract = await a_contract(database, program)
    row = contract._asdict()  # type: ignore[attr-defined]
    row.pop("id")
    made = await inserted(database, Contract, *[{**row, "uuid": f"{number:036}"} for number in range(499)])
    await a_coupon_year(database, made[-1], 3)
    document = "{ contracts(first: 500) { nodes { uuid remainingCoupons } } }"
    await execute(database, "{ contracts { nodes { uuid } } }")
    with statements(database) as seen:
        nodes = (await execute(database, document))["contracts"]["nodes"]
    assert len(seen) == 2
    assert [each["remainingCoupons"] for each in nodes] == [10] * 499 + [3]


@pytest.mark.rule("L04")
@pytest.mark.rule("L10")
@pytest.mark.rule("L12")
async def test_a_contract_is_expired_at_the_very_second_before_anything_has_marked_it(database: Database) -> None:
    program = await a_program(database)
    ended = await a_program(database, end_date=now() - SECOND)
    over: Any = {"expiration_date": now() - SECOND}
    for contract, expected in [
        (await a_contract(database, program, **over), "EXPIRED"),
        (await a_contract(database, program, expiration_date=now() + DAY), "VALID"),
        (await a_contract(database, ended), "EXPIRED"),
        (await a_contract(database, program, status=ContractStatus.MISUSED, **over), "MISUSED"),
        (await a_contract(database, program, status=ContractStatus.REFUNDED), "REFUNDED"),
        (await a_contract(database, program, status=ContractStatus.CANCELLED), "CANCELLED"),
        (await a_contract(database, program, status=ContractStatus.EXPIRED), "EXPIRED"),
    ]:
        assert await of_contract(database, contract, "status") == {"status": expected}


@pytest.mark.rule("C40")
async def test_the_survivor_stands_for_a_merged_holder_and_nobody_for_a_deleted_one(database: Database) -> None:
    kari = await a_customer(database)
    old, gone = await a_merged_customer(database, kari), await a_deleted_customer(database)
    selected = """contractConsumers { customerNumber customerRef customerOrganisationId customer { customerNumber }
        isContractHolder }"""
    program = await a_program(database)
    merged, deleted = await a_contract(database, program, old), await a_contract(database, program, gone)
    assert (await of_contract(database, merged, selected))["contractConsumers"] == [
        {
            "customerNumber": kari.customer_number,
            "customerRef": kari.customer_ref,
            "customerOrganisationId": 1,
            "customer": {"customerNumber": kari.customer_number},
            "isContractHolder": True,
        }
    ]
    names = ("customerNumber", "customerRef", "customerOrganisationId", "customer")
    assert (await of_contract(database, deleted, selected))["contractConsumers"] == [
        {**dict.fromkeys(names), "isContractHolder": True}
    ]


@pytest.mark.rule("T04")
@pytest.mark.rule("T05")
async def test_users_see_what_is_about_themselves_alone_of_a_contract_they_share(database: Database) -> None:
    kari, ola = await a_customer(database), await a_customer(database)
    old = await a_merged_customer(database, ola)
    contract = await a_contract(database, await a_coupon_program(database), kari)
    await a_consumer(database, contract, ola)
    for each in (kari, ola, old):
        line = await an_order_line(database, contract, customer_id=each.id)
        await a_saving(database, line)
        await a_reservation(database, contract, customer_id=each.id, order_line_event_id=line.id)
    await a_reservation(database, contract, customer_id=None)
    selected = """contractConsumers { customerNumber } orderLineEvents { orderId taxDistributions { taxYear } }
        reservations { uuid orderLineEvent { orderId } } remainingCoupons"""
    numbers = [kari.customer_number, ola.customer_number]
    for viewer, people, lines, reservations in (
        (VIEWER, numbers, 3, 4),
        (INTERNAL, numbers, 3, 4),
        (a_user(kari), numbers[:1], 1, 1),
        (a_user(ola, old), numbers[1:], 2, 2),
    ):
        found = await of_contract(database, contract, selected, viewer)
        assert [each["customerNumber"] for each in found["contractConsumers"]] == people
        assert [len(each["taxDistributions"]) for each in found["orderLineEvents"]] == [1] * lines
        assert len(found["reservations"]) == reservations
        assert found["remainingCoupons"] == 10
    assert await of_contract(database, contract, selected, FOREIGNER) is None
    assert await of_contract(database, contract, selected, a_user(await a_customer(database))) is None


@pytest.mark.rule("T04")
async def test_an_internal_caller_sees_contracts_of_all_organisations(database: Database) -> None:
    made = [await a_contract(database, await a_program(database, organisation_id=each)) for each in (1, 2)]
    document = "{ contracts { nodes { uuid organisationId loyaltyProgram { organisationId } } } }"
    for viewer, seen in ((INTERNAL, made), (VIEWER, made[:1]), (FOREIGNER, made[1:])):
        nodes = (await execute(database, document, viewer))["contracts"]["nodes"]
        each = [(node["uuid"], node["organisationId"], node["loyaltyProgram"]["organisationId"]) for node in nodes]
        assert each == [(one.uuid, one.organisation_id, one.organisation_id) for one in seen]


async def test_nodes_lead_to_contracts_and_programs(database: Database) -> None:
    contract = await a_contract(database, await a_program(database))
    ids = [written("Contract", contract.uuid), written("LoyaltyProgram", contract.loyalty_program_id)]
    ids += [written("Contract", "unknown"), written("LoyaltyProgram", 0)]
    document = """query ($ids: [ID!]!, $id: ID!) { node(id: $id) { id ... on Contract { uuid } } nodes(ids: $ids) {
        id ... on Contract { uuid } ... on LoyaltyProgram { loyaltyProgramId } } }"""
    assert await execute(database, document, ids=ids, id=ids[0]) == {
        "node": {"id": ids[0], "uuid": contract.uuid},
        "nodes": [
            {"id": ids[0], "uuid": contract.uuid},
            {"id": ids[1], "loyaltyProgramId": contract.loyalty_program_id},
            None,
            None,
        ],
    }
