"""Many who use the same contract at the same time: nothing is used twice, nothing is lost."""

import asyncio
from collections import Counter
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from datastore.base import milliseconds
from datastore.database import Database
from datastore.employee.rights import TaxSaving
from datastore.loyalty.contract import Contract, ContractConsumer
from datastore.loyalty.usage import ContractReservation, OrderLineEvent
from resolvers import carry_out
from tests.customer.merging import MERGE, a_ticket_profile, numbers
from tests.customer.mutations import Error, answered, document, freeze
from tests.factories.customer import a_customer
from tests.factories.employee import a_company, an_employee, the_codes
from tests.factories.loyalty import a_consumer, a_contract, a_coupon_program, a_program, now
from tests.loyalty.consumption import (
    CAPTURE,
    CONSUME,
    HOUR,
    REGISTER,
    RELEASE,
    RESERVE,
    a_cancellation,
    a_coupon_contract,
    a_line,
    a_use,
    adds_up,
    an_event,
    left,
    made,
    moves,
    rows_of,
    soon,
    text,
)

MANY = 40
Answer = tuple[Any, list[Error]]


async def outcomes(*acts: Awaitable[Answer]) -> Counter[str]:
    """How often the acts, all at the same time, ended with each code, or were done."""
    answers = await asyncio.gather(*acts)
    return Counter(errors[0][0] if errors else "done" for _, errors in answers)


@pytest.mark.rule("L14")
@pytest.mark.rule("L15")
async def test_ten_coupons_are_used_by_exactly_ten_of_forty(database: Database) -> None:
    program, contract, customer = await a_coupon_contract(database)
    use = a_use(program, contract, customer)
    found = await outcomes(*(answered(database, CONSUME, {**use, **a_line(f"ORDER-{n}")}) for n in range(MANY)))
    assert found == {"done": 10, "TOO_FEW_COUPONS": MANY - 10}
    year = soon().year
    assert await left(database, contract) == {year: 0}
    assert await moves(database, contract) == [("use", -1, year)] * 10
    assert await adds_up(database, contract)
    assert len(await rows_of(database, OrderLineEvent)) == 10
    assert len(await rows_of(database, Contract)) == 1 + 10


@pytest.mark.rule("L15")
async def test_uses_of_many_kinds_and_sizes_never_take_more_than_there_is(database: Database) -> None:
    program, contract, customer = await a_coupon_contract(database)
    other = await a_customer(database)
    await a_consumer(database, contract, other)
    acts = []
    for n in range(MANY // 4):
        line = a_line(f"ORDER-{n}")
        acts += [
            answered(database, CONSUME, {**a_use(program, contract, customer, coupons=3), **line}),
            answered(database, CONSUME, {**a_use(program, contract, other, coupons=2), **a_line(f"OTHER-{n}")}),
            answered(database, RESERVE, a_use(program, contract, other, coupons=2)),
            answered(database, REGISTER, an_event(contract, f"EVENT-{n}", couponsUsed=1, travelDate=text(soon()))),
        ]
    found = await outcomes(*acts)
    assert set(found) == {"done", "TOO_FEW_COUPONS"}
    taken = -sum(coupons or 0 for _, coupons, _ in await moves(database, contract))
    booked = sum(each.coupons_used for each in await rows_of(database, OrderLineEvent))
    held = sum(each.coupons for each in await rows_of(database, ContractReservation))
    assert taken == booked + held == 10
    assert await left(database, contract) == {soon().year: 0}
    assert await adds_up(database, contract)


@pytest.mark.rule("L33")
async def test_one_order_line_many_times_is_booked_once_and_all_are_answered(database: Database) -> None:
    program, contract, customer = await a_coupon_contract(database)
    given = {**a_use(program, contract, customer), **a_line()}
    answers = await asyncio.gather(*(answered(database, CONSUME, given) for _ in range(10)))
    assert all(errors == [] for _, errors in answers)
    assert len({payload["subContract"]["uuid"] for payload, _ in answers}) == 1
    assert len(await rows_of(database, OrderLineEvent)) == 1
    assert await left(database, contract) == {soon().year: 9}
    assert await adds_up(database, contract)


@pytest.mark.rule("L33")
async def test_one_order_line_on_two_contracts_is_booked_on_one(database: Database) -> None:
    program, contract, customer = await a_coupon_contract(database)
    contracts = [contract, await a_contract(database, program, customer)]
    users = [customer, await a_customer(database)]
    for each in contracts:
        await a_consumer(database, each, users[1])
    found = await outcomes(
        *(
            answered(database, CONSUME, {**a_use(program, contracts[n % 2], users[n % 2]), **a_line()})
            for n in range(10)
        )
    )
    assert found == {"done": 5, "ORDER_LINE_CONFLICT": 5}
    assert len(await rows_of(database, OrderLineEvent)) == 1
    taken = [sum(coupons or 0 for _, coupons, _ in await moves(database, each)) for each in contracts]
    assert sorted(taken) == [-1, 0]


async def test_what_is_captured_and_released_at_once_is_one_of_both(database: Database) -> None:
    program, contract, customer = await a_coupon_contract(database)
    year = soon().year
    for round_ in range(5):
        payload = await made(database, RESERVE, a_use(program, contract, customer, coupons=2))
        given = {"reservationUuid": payload["reservation"]["uuid"]}
        before = (await left(database, contract))[year]
        found = await outcomes(
            *(answered(database, RELEASE, given) for _ in range(3)),
            *(answered(database, CAPTURE, {**given, **a_line(f"ORDER-{round_}-{n}")}) for n in range(3)),
        )
        assert found == {"done": 1, "RESERVATION_SETTLED": 5}
        hold = (await rows_of(database, ContractReservation))[-1]
        after = (await left(database, contract))[year]
        assert after - before == (0 if hold.order_line_event_id else 2)
    assert await adds_up(database, contract)
    captured = [each for each in await rows_of(database, ContractReservation) if each.order_line_event_id]
    assert len(captured) == len(await rows_of(database, OrderLineEvent))


async def test_one_capture_many_times_is_booked_once(database: Database) -> None:
    program, contract, customer = await a_coupon_contract(database)
    payload = await made(database, RESERVE, a_use(program, contract, customer))
    given = {"reservationUuid": payload["reservation"]["uuid"], **a_line()}
    assert await outcomes(*(answered(database, CAPTURE, given) for _ in range(10))) == {"done": 10}
    assert len(await rows_of(database, OrderLineEvent)) == 1
    assert await left(database, contract) == {soon().year: 9}


async def test_two_reservations_are_not_captured_by_one_order_line(database: Database) -> None:
    program, contract, customer = await a_coupon_contract(database)
    use = a_use(program, contract, customer)
    holds = [(await made(database, RESERVE, use))["reservation"]["uuid"] for _ in range(2)]
    found = await outcomes(
        *(answered(database, CAPTURE, {"reservationUuid": each, **a_line()}) for each in holds),
    )
    assert found == {"done": 1, "ORDER_LINE_CONFLICT": 1}
    assert len(await rows_of(database, OrderLineEvent)) == 1


@pytest.mark.rule("L14")
async def test_what_is_over_is_given_back_once_by_all_who_come_then(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, contract, customer = await a_coupon_contract(database)
    use = a_use(program, contract, customer)
    with monkeypatch.context() as patch:
        freeze(patch, now() - HOUR)
        hold = (await made(database, RESERVE, {**use, "coupons": 10}))["reservation"]
    given = {"reservationUuid": hold["uuid"]}
    found = await outcomes(
        *(answered(database, CONSUME, {**use, **a_line(f"ORDER-{n}")}) for n in range(15)),
        *(answered(database, CAPTURE, {**given, **a_line("LATE")}) for _ in range(3)),
        *(answered(database, RELEASE, given) for _ in range(3)),
    )
    assert found == {"done": 10, "TOO_FEW_COUPONS": 5, "RESERVATION_EXPIRED": 6}
    kinds = Counter(kind for kind, _, _ in await moves(database, contract))
    assert kinds == {"reservation": 1, "release": 1, "use": 10}
    assert await adds_up(database, contract)


@pytest.mark.rule("L14")
async def test_at_the_end_of_a_reservation_either_its_capture_or_the_others_have_the_coupons(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of the acts come a moment before the end, half of them a moment after it."""
    program, contract, customer = await a_coupon_contract(database, coupons=2)
    use = a_use(program, contract, customer, coupons=2)
    moment = now()
    freeze(monkeypatch, moment - HOUR)
    hold = await made(database, RESERVE, {**use, "expiresAt": text(moment)})
    given = {"reservationUuid": hold["reservation"]["uuid"]}
    tick = timedelta(milliseconds=1)
    moments = iter([moment - tick, moment] * 10)
    monkeypatch.setattr(carry_out, "milliseconds", lambda _: next(moments))
    found = await outcomes(
        *(answered(database, CONSUME, {**use, **a_line(f"ORDER-{n}")}) for n in range(6)),
        *(answered(database, CAPTURE, {**given, **a_line("CAPTURED")}) for _ in range(6)),
    )
    monkeypatch.setattr(carry_out, "milliseconds", milliseconds)
    (event,) = await rows_of(database, OrderLineEvent)
    assert event.coupons_used == 2
    assert await left(database, contract) == {soon().year: 0}
    assert await adds_up(database, contract)
    is_captured = event.order_id == "CAPTURED"
    assert found["done"] == (6 if is_captured else 1)


@pytest.mark.rule("L33")
async def test_many_cancellations_at_once_give_back_once(database: Database) -> None:
    _, contract, _ = await a_coupon_contract(database)
    await made(database, REGISTER, an_event(contract, couponsUsed=4, travelDate=text(soon())))
    same = [answered(database, REGISTER, a_cancellation(contract)) for _ in range(8)]
    others = [answered(database, REGISTER, a_cancellation(contract, price=f"-{n}.00")) for n in range(1, 5)]
    found = await outcomes(*same, *others)
    assert found in ({"done": 8, "ALREADY_CANCELLED": 4}, {"done": 1, "ALREADY_CANCELLED": 11})
    assert len(await rows_of(database, OrderLineEvent)) == 2
    year = soon().year
    assert await moves(database, contract) == [("use", -4, year), ("cancellation", 4, year)]
    assert await adds_up(database, contract)


@pytest.mark.rule("L33")
async def test_a_purchase_and_its_cancellation_at_once_end_in_order(database: Database) -> None:
    _, contract, _ = await a_coupon_contract(database)
    purchase = an_event(contract, travelDate=text(soon()))
    found = await outcomes(
        *(answered(database, REGISTER, purchase) for _ in range(5)),
        *(answered(database, REGISTER, a_cancellation(contract)) for _ in range(5)),
    )
    assert set(found) <= {"done", "PURCHASE_NOT_FOUND"}
    events = await rows_of(database, OrderLineEvent)
    assert len(events) in (1, 2)
    assert await left(database, contract) == {soon().year: 9 if len(events) == 1 else 10}
    assert await adds_up(database, contract)


@pytest.mark.rule("L35")
async def test_what_an_employee_saves_by_many_contracts_at_once_adds_up(database: Database) -> None:
    await the_codes(database)
    program, contract, customer = await a_coupon_contract(database)
    employee = await an_employee(database, await a_company(database), customer_number=customer.customer_number)
    number = {"customerNumber": customer.customer_number, "originalPrice": "150.00"}
    contracts = [contract, *[await a_contract(database, program, customer) for _ in range(7)]]
    when = {"travelDate": text(soon()), "lastTravelDate": text(soon())}
    acts = [
        answered(database, REGISTER, an_event(each, f"ORDER-{place}-{n}", **number, **when))
        for place, each in enumerate(contracts)
        for n in range(3)
    ]
    assert await outcomes(*acts) == {"done": 24}
    (saving,) = await rows_of(database, TaxSaving)
    assert (saving.employee_id, saving.amount) == (employee.id, 24 * 50_00)
    assert datetime.now(UTC).year in (saving.year, saving.year + 1)


@pytest.mark.rule("L35")
async def test_what_is_taken_back_from_an_employee_by_many_contracts_at_once_adds_up(database: Database) -> None:
    """Each contract has a holder of its own, so that nothing but the savings is locked by all."""
    await the_codes(database)
    program, _, customer = await a_coupon_contract(database)
    await an_employee(database, await a_company(database), customer_number=customer.customer_number)
    number = {"customerNumber": customer.customer_number, "originalPrice": "150.00"}
    when = {"travelDate": text(soon()), "lastTravelDate": text(soon())}
    contracts = []
    for place in range(8):
        contract = await a_contract(database, program, await a_customer(database))
        await a_consumer(database, contract, customer)
        await made(database, REGISTER, an_event(contract, f"ORDER-{place}", **number, **when))
        contracts.append(contract)
    (saving,) = await rows_of(database, TaxSaving)
    assert saving.amount == 8 * 50_00
    acts = [answered(database, REGISTER, a_cancellation(each, f"ORDER-{n}")) for n, each in enumerate(contracts)]
    assert await outcomes(*acts) == {"done": 8}
    (saving,) = await rows_of(database, TaxSaving)
    assert saving.amount == 0


@pytest.mark.rule("C93")
@pytest.mark.rule("L33")
async def test_what_is_used_while_profiles_are_merged_is_all_of_the_survivor(database: Database) -> None:
    program = await a_coupon_program(database)
    ticket, kari = await a_ticket_profile(database), await a_customer(database)
    contract = await a_contract(database, program, ticket)
    use = a_use(program, contract, ticket)
    uses = [answered(database, CONSUME, {**use, **a_line(f"ORDER-{n}")}) for n in range(8)]
    merge = answered(database, MERGE, numbers(kari, ticket))
    assert await outcomes(*uses[:4], merge, *uses[4:]) == {"done": 9}
    assert {each.customer_id for each in await rows_of(database, OrderLineEvent)} == {kari.id}
    assert {each.holder_id for each in await rows_of(database, Contract)} == {kari.id}
    assert {each.customer_id for each in await rows_of(database, ContractConsumer)} == {kari.id}
    assert await left(database, contract) == {soon().year: 2}
    assert await adds_up(database, contract)


@pytest.mark.rule("L04")
@pytest.mark.rule("L16")
async def test_what_is_made_while_its_program_is_ended_ends_with_it(database: Database) -> None:
    """Whoever publishes a version moves the ends of all contracts, of those that are being made too."""
    day = await a_program(database)
    program = await a_coupon_program(database, config_loyalty_program_id=day.id, config_usage_validity_period=None)
    customer = await a_customer(database)
    contract = await a_contract(database, program, customer)
    end = text(now() + 24 * HOUR)
    publish = document("publishLoyaltyProgramVersion", "loyaltyProgram { endDate }")
    use = a_use(program, contract, customer)
    uses = [answered(database, CONSUME, {**use, **a_line(f"ORDER-{n}")}) for n in range(8)]
    ending = answered(database, publish, {"loyaltyProgramId": str(day.id), "endDate": end})
    assert await outcomes(*uses[:4], ending, *uses[4:]) == {"done": 9}
    ends = {text(each.ends_at) for each in await rows_of(database, Contract) if each.parent}
    assert ends == {end}
