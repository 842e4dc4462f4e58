"""What is left of contracts when their people are erased (rules C15, C58 and L20)."""

import asyncio

import pytest

from datastore.customer import Customer
from datastore.database import Database
from datastore.loyalty.contract import Contract, ContractConsumer
from datastore.loyalty.usage import ContractReservation, OrderLineEvent
from tests.customer.mutations import answered, document, done, everything, refused
from tests.execute import execute
from tests.factories.customer import a_customer
from tests.factories.loyalty import a_consumer, a_contract, a_points_program, a_program
from tests.loyalty.consumption import (
    CAPTURE,
    CONSUME,
    RELEASE,
    RESERVE,
    a_coupon_contract,
    a_line,
    a_use,
    adds_up,
    codes,
    left,
    made,
    rows_of,
)
from tests.loyalty.contracts import CLAIM, CODE, CREATE, REFUSED, claim, failures, logged, outcomes
from tests.loyalty.money import DEPOSIT, a_gift_card, given

EXPORT = document("exportCustomer", "document")
ERASE = document("eraseCustomer", "receipt { customerNumber }")


async def erase(database: Database, customer: Customer) -> None:
    await done(database, ERASE, {"customerNumber": customer.customer_number})


@pytest.mark.rule("C58")
@pytest.mark.rule("L41")
async def test_the_code_of_a_contract_is_not_in_the_audit_log_and_is_gone_with_its_holder(database: Database) -> None:
    """What is made before anybody claims it is in the log as nobody's, and would stay there."""
    kari, program = await a_customer(database), await a_program(database)
    await done(database, CREATE, {"loyaltyProgramId": program.id, "externalRef": CODE})
    await claim(database, kari)
    assert CODE not in str([each.details for each in await logged(database)])
    await erase(database, kari)
    assert CODE not in str(await everything(database))


@pytest.mark.rule("C58")
@pytest.mark.rule("L41")
async def test_the_count_of_failed_claims_is_gone_with_the_customer(database: Database) -> None:
    kari, ola = await a_customer(database), await a_customer(database)
    for customer in (kari, ola, ola):
        assert await claim(database, customer) == REFUSED
    await erase(database, kari)
    assert await failures(database) == [2]


async def test_a_claim_under_a_key_keeps_no_number_of_whoever_has_claimed(database: Database) -> None:
    kari = await a_customer(database)
    await a_contract(database, await a_program(database), external_ref=CODE)
    keyed = CLAIM.replace("(input: $input)", '(input: $input) @idempotent(key: "c1")')
    uuid = await claim(database, kari, text=keyed)
    assert str(kari.customer_number) not in str((await everything(database))["idempotency"])
    assert await claim(database, kari, text=keyed) == uuid


@pytest.mark.rule("L14")
@pytest.mark.rule("L20")
async def test_what_an_erased_holder_has_reserved_is_not_used_any_more_and_can_be_given_back(
    database: Database,
) -> None:
    program, contract, kari = await a_coupon_contract(database)
    use = a_use(program, contract, kari, coupons=3)
    hold = (await made(database, RESERVE, use))["reservation"]["uuid"]
    await made(database, CONSUME, {**use, **a_line("ORDER-0")})
    await erase(database, kari)
    ((code, _),) = codes(await refused(database, CAPTURE, {"reservationUuid": hold, **a_line()}))
    assert code == "NOT_A_CONSUMER"
    assert codes(await refused(database, CONSUME, {**use, **a_line()})) == [("NOT_A_CONSUMER", "customerNumber")]
    assert list((await left(database, contract)).values()) == [4]
    await made(database, RELEASE, {"reservationUuid": hold})
    assert list((await left(database, contract)).values()) == [7]
    assert await adds_up(database, contract)


@pytest.mark.rule("L18")
async def test_the_document_about_a_holder_has_the_money_and_coupons_of_its_contracts_and_no_seller(
    database: Database,
) -> None:
    program, contract, kari = await a_coupon_contract(database)
    line = a_line(originalPrice="150.00")
    await made(database, CONSUME, {**a_use(program, contract, kari), **line})
    card = await a_contract(database, await a_points_program(database), kari)
    await done(database, DEPOSIT, given(card, "12.34", email="seller@example.no"))
    await a_gift_card(database, "5.00")
    told = (await execute(database, EXPORT, input={"customerNumber": kari.customer_number}))["exportCustomer"][
        "document"
    ]
    shown = {
        name: [(each["amount"], each["currency"]) for each in told[name]] for name in ("transactions", "totalAmounts")
    }
    assert shown == {"transactions": [(1234, "NOK")], "totalAmounts": [(1234, "NOK")]}
    assert [each["remaining"] for each in told["couponYears"]] == [9]
    assert [each["taxSaving"] for each in told["taxDistributions"]] == [5000]
    assert [each["orderId"] for each in told["orderLineEvents"]] == ["ORDER-1"]
    assert "seller@example.no" not in str(told)


@pytest.mark.rule("C58")
@pytest.mark.rule("L14")
async def test_what_is_used_while_its_holder_is_erased_is_of_nobody_and_adds_up(database: Database) -> None:
    program, contract, kari = await a_coupon_contract(database, external_ref=CODE)
    friend = await a_customer(database)
    await a_consumer(database, contract, friend)
    acts = []
    for n in range(8):
        for customer in (kari, friend):
            use = a_use(program, contract, customer)
            acts += [
                answered(database, CONSUME, {**use, **a_line(f"ORDER-{customer.id}-{n}")}),
                answered(database, RESERVE, use),
            ]
    at_once = [*acts[:8], answered(database, ERASE, {"customerNumber": kari.customer_number}), *acts[8:]]
    answers = await asyncio.gather(*at_once)
    assert set(outcomes(answers)) <= {"done", "NOT_A_CONSUMER", "TOO_FEW_COUPONS"}
    assert await adds_up(database, contract)
    found = await everything(database)
    people = [each.customer_id for each in await rows_of(database, ContractConsumer)]
    assert set(people) == {friend.id}
    for row in (OrderLineEvent, ContractReservation):
        assert {each.customer_id for each in await rows_of(database, row)} <= {None, friend.id}
    assert {each.holder_id for each in await rows_of(database, Contract) if each.parent is None} == {None}
    assert len(found["customer"]) == 1
