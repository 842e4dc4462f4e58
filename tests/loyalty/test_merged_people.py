"""What becomes of contracts when the profiles of their people are merged (rules C40 and L20)."""

from typing import Any

import pytest

from datastore.customer import Customer
from datastore.database import Database
from datastore.loyalty.contract import Contract
from datastore.loyalty.program import LoyaltyProgram
from tests.customer.merging import MERGE, UNMERGE, a_ticket_profile, numbers
from tests.customer.mutations import done, everything, refused
from tests.execute import execute
from tests.factories.customer import a_customer
from tests.factories.loyalty import a_consumer, a_contract, a_coupon_program, a_program
from tests.loyalty.consumption import (
    CAPTURE,
    CONSUME,
    REGISTER,
    RELEASE,
    RESERVE,
    VALIDATE,
    a_coupon_contract,
    a_line,
    a_use,
    adds_up,
    an_event,
    codes,
    made,
)
from tests.loyalty.contracts import BLOCK, CODE, REFUSED, UNBLOCK, claim, consumers, user

SHOWN = """query ($uuid: ID!) { contract(by: {uuid: $uuid}) {
    contractConsumers { customerNumber isContractHolder } } }"""


async def consumers_of(database: Database, uuid: str) -> list[tuple[int, bool]]:
    found = (await execute(database, SHOWN, uuid=uuid))["contract"]["contractConsumers"]
    return [(each["customerNumber"], each["isContractHolder"]) for each in found]


@pytest.mark.rule("C40")
@pytest.mark.rule("L20")
@pytest.mark.parametrize("is_consumer", [False, True])
async def test_whoever_a_holder_is_merged_into_holds_the_contract_and_gives_it_back_when_that_is_undone(
    database: Database, is_consumer: bool
) -> None:
    """Also where it was a consumer of the contract already, whose own row is in the way of the holder's."""
    ticket, kari = await a_ticket_profile(database), await a_customer(database)
    contract = await a_contract(database, await a_program(database), ticket)
    if is_consumer:
        await a_consumer(database, contract, kari)
    before = await everything(database)
    by = {"changedBy": "ola", "changedByChannel": "crm"}
    await done(database, MERGE, {**numbers(kari, ticket), **by})
    found = await consumers_of(database, contract.uuid)
    assert {number for number, _ in found} == {kari.customer_number}
    assert sorted(is_holder for _, is_holder in found) == ([False, True] if is_consumer else [True])
    await done(database, UNMERGE, {"customerNumber": ticket.customer_number, **by})
    after = await everything(database)
    assert [after[name] for name in ("contract_consumer",)] == [before[name] for name in ("contract_consumer",)]
    told = [(ticket.customer_number, True), *([(kari.customer_number, False)] if is_consumer else [])]
    assert await consumers_of(database, contract.uuid) == told


async def a_block_that_stays_with_a_merged_profile(
    database: Database, **values: Any
) -> tuple[LoyaltyProgram, Contract, Customer, Customer]:
    """Ola, into whom a blocked consumer was merged, is a consumer of the contract himself, and not blocked."""
    holder, ola = await a_customer(database), await a_customer(database)
    ticket = await a_ticket_profile(database, email=None, email_key=None)
    program = await a_coupon_program(database)
    contract = await a_contract(database, program, holder, **values)
    await a_consumer(database, contract, ticket, is_blocked=True)
    await a_consumer(database, contract, ola)
    await done(database, MERGE, {**numbers(ola, ticket), "changedBy": "ola", "changedByChannel": "crm"})
    return program, contract, holder, ola


@pytest.mark.rule("L20")
async def test_a_block_that_stays_with_a_merged_profile_is_lifted_and_set_for_the_person(database: Database) -> None:
    _, contract, holder, ola = await a_block_that_stays_with_a_merged_profile(database)
    named = {"contractUuid": contract.uuid, "customerNumber": ola.customer_number}
    assert codes(await refused(database, BLOCK, named, user(holder))) == [("CONSUMER_BLOCKED", "customerNumber")]
    await done(database, UNBLOCK, named, user(holder))
    assert [is_blocked for _, _, is_blocked in await consumers(database, contract)] == [False] * 3
    await done(database, BLOCK, named)
    assert [is_blocked for _, _, is_blocked in await consumers(database, contract)] == [False, True, True]


@pytest.mark.rule("L41")
async def test_a_block_that_stays_with_a_merged_profile_refuses_a_claim(database: Database) -> None:
    _, contract, holder, ola = await a_block_that_stays_with_a_merged_profile(database, external_ref=CODE)
    assert await claim(database, ola) == REFUSED
    assert await claim(database, holder) == contract.uuid


@pytest.mark.rule("L20")
@pytest.mark.rule("L51")
async def test_a_block_that_stays_with_a_merged_profile_refuses_every_use(database: Database) -> None:
    program, contract, holder, ola = await a_block_that_stays_with_a_merged_profile(database)
    for customer in (holder, ola):
        use = a_use(program, contract, customer)
        event = an_event(contract, f"EVENT-{customer.id}", customerNumber=customer.customer_number)
        for position, (text, given) in enumerate(
            [(CONSUME, {**use, **a_line(f"ORDER-{customer.id}")}), (RESERVE, use), (REGISTER, event)]
        ):
            if customer is ola:
                wanted = [("CONSUMER_BLOCKED", "customerNumber")]
                assert codes(await refused(database, text, given)) == wanted, position
            else:
                await made(database, text, given)
        validation = (await execute(database, VALIDATE, consumptions=[use]))["validateContractConsumption"]
        assert validation["outcome"] == ("CONSUMER_BLOCKED" if customer is ola else "OK")


@pytest.mark.rule("L20")
async def test_what_was_reserved_before_a_merge_is_not_captured_by_somebody_blocked(database: Database) -> None:
    ticket, ola = await a_ticket_profile(database, email=None, email_key=None), await a_customer(database)
    program, contract, _ = await a_coupon_contract(database)
    await a_consumer(database, contract, ticket, is_blocked=True)
    await a_consumer(database, contract, ola)
    hold = (await made(database, RESERVE, a_use(program, contract, ola)))["reservation"]["uuid"]
    await done(database, MERGE, {**numbers(ola, ticket), "changedBy": "ola", "changedByChannel": "crm"})
    ((code, _),) = codes(await refused(database, CAPTURE, {"reservationUuid": hold, **a_line()}))
    assert code == "CONSUMER_BLOCKED"
    await made(database, RELEASE, {"reservationUuid": hold})
    assert await adds_up(database, contract)
