"""Holding a use of a contract while an order is paid."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from datastore.database import Database
from datastore.loyalty.contract import Contract, ContractConsumer, ContractStatus
from datastore.loyalty.program import LoyaltyProgramType
from datastore.loyalty.usage import ContractReservation, OrderLineEvent, ReservationStatus
from tests.customer.mutations import HOSTILE, Values, errors_of, freeze, refused, unchanged
from tests.execute import FOREIGNER
from tests.factories.customer import a_customer
from tests.factories.loyalty import a_contract, a_program, now
from tests.loyalty.consumption import (
    CAPTURE,
    CONSUME,
    DAY,
    HOUR,
    RELEASE,
    RESERVE,
    a_coupon_contract,
    a_line,
    a_use,
    adds_up,
    codes,
    left,
    made,
    moves,
    nothing_booked,
    rows_of,
    soon,
    text,
)


async def reserved(database: Database, program: Any, contract: Contract, customer: Any, **values: Any) -> Values:
    """The start of an input about a new reservation."""
    payload = await made(database, RESERVE, a_use(program, contract, customer, **values))
    return {"reservationUuid": payload["reservation"]["uuid"]}


async def reserved_before(
    database: Database, monkeypatch: pytest.MonkeyPatch, program: Any, contract: Contract, customer: Any, **values: Any
) -> Values:
    """The same of one that is over since three quarters of an hour."""
    with monkeypatch.context() as patch:
        freeze(patch, now() - HOUR)
        return await reserved(database, program, contract, customer, **values)


async def store(database: Database, row: Any, **values: Any) -> None:
    """Give all rows of a class these values."""
    async with database.write() as session:
        await session.execute(update(row.__table__).values(**values))


@pytest.mark.rule("L14")
async def test_a_reservation_takes_coupons_and_its_capture_takes_none(database: Database) -> None:
    program, contract, customer = await a_coupon_contract(database)
    year = soon().year
    payload = await made(database, RESERVE, a_use(program, contract, customer, coupons=3))
    reservation = payload["reservation"]
    assert (reservation["status"], reservation["coupons"], reservation["orderLineEvent"]) == ("HELD", 3, None)
    assert payload["contract"]["remainingCoupons"] == 7
    assert await moves(database, contract) == [("reservation", -3, year)]
    line = a_line(originalPrice="150.00")
    payload = await made(database, CAPTURE, {"reservationUuid": reservation["uuid"], **line})
    assert payload["reservation"]["status"] == "CAPTURED"
    assert payload["reservation"]["orderLineEvent"] == {"orderId": "ORDER-1"}
    event = payload["orderLineEvent"]
    assert (event["couponsUsed"], event["price"], event["travelDate"]) == (3, "100.00", reservation["travelDate"])
    assert event["taxDistributions"][0]["taxSaving"] == "50.00"
    assert payload["subContract"]["parent"] == contract.uuid
    assert await moves(database, contract) == [("reservation", -3, year)]
    assert await left(database, contract) == {year: 7}
    assert await adds_up(database, contract)


@pytest.mark.rule("L14")
async def test_a_release_gives_the_coupons_back(database: Database) -> None:
    program, contract, customer = await a_coupon_contract(database)
    year = soon().year
    given = await reserved(database, program, contract, customer, coupons=3)
    payload = await made(database, RELEASE, given)
    assert payload["reservation"]["status"] == "RELEASED"
    assert payload["contract"]["remainingCoupons"] == 10
    assert await moves(database, contract) == [("reservation", -3, year), ("release", 3, year)]
    assert await adds_up(database, contract)
    assert codes(await refused(database, RELEASE, given)) == [("RESERVATION_SETTLED", "reservationUuid")]
    errors = await refused(database, CAPTURE, {**given, **a_line()})
    assert codes(errors) == [("RESERVATION_SETTLED", "reservationUuid")]


@pytest.mark.rule("L33")
async def test_the_same_capture_again_answers_the_first_one(database: Database) -> None:
    program, contract, customer = await a_coupon_contract(database)
    given = {**await reserved(database, program, contract, customer), **a_line()}
    first = await made(database, CAPTURE, given)
    async with nothing_booked(database):
        assert await made(database, CAPTURE, given) == first
    for other in ({"price": "1.00"}, {"orderId": "ORDER-2"}):
        errors = await refused(database, CAPTURE, {**given, **other})
        assert codes(errors) == [("RESERVATION_SETTLED", "reservationUuid")]
    reservation = {"reservationUuid": given["reservationUuid"]}
    assert codes(await refused(database, RELEASE, reservation)) == [("RESERVATION_SETTLED", "reservationUuid")]
    # Whoever consumes the order line that was captured has bought it already.
    again = await made(
        database,
        CONSUME,
        {**a_use(program, contract, customer, firstTravelDate=first["orderLineEvent"]["travelDate"]), **a_line()},
    )
    assert again["orderLineEvent"] == first["orderLineEvent"]


@pytest.mark.rule("L33")
async def test_an_order_line_that_is_booked_cannot_be_captured_by_another_reservation(database: Database) -> None:
    program, contract, customer = await a_coupon_contract(database)
    when = {"firstTravelDate": text(soon())}
    given = await reserved(database, program, contract, customer, **when)
    await made(database, CONSUME, {**a_use(program, contract, customer, **when), **a_line()})
    errors = await refused(database, CAPTURE, {**given, **a_line()})
    assert errors == [("ORDER_LINE_CONFLICT", "orderId", ["ORDER-1"])]
    assert await made(database, CAPTURE, {**given, **a_line("ORDER-2")})


@pytest.mark.rule("L15")
async def test_what_is_held_cannot_be_used_by_others(database: Database) -> None:
    program, contract, customer = await a_coupon_contract(database, coupons=2)
    given = await reserved(database, program, contract, customer, coupons=2)
    use = {**a_use(program, contract, customer), **a_line()}
    assert codes(await refused(database, CONSUME, use)) == [("TOO_FEW_COUPONS", "coupons")]
    assert codes(await refused(database, RESERVE, a_use(program, contract, customer))) == [
        ("TOO_FEW_COUPONS", "coupons")
    ]
    await made(database, RELEASE, given)
    assert await made(database, CONSUME, use)


@pytest.mark.rule("L14")
async def test_what_is_over_is_refused_and_given_back_by_the_next_who_uses_the_contract(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, contract, customer = await a_coupon_contract(database, coupons=2)
    year = soon().year
    given = await reserved_before(database, monkeypatch, program, contract, customer, coupons=2)
    assert await left(database, contract) == {year: 0}
    for what, values in ((RELEASE, given), (CAPTURE, {**given, **a_line()})):
        assert codes(await refused(database, what, values)) == [("RESERVATION_EXPIRED", "reservationUuid")]
    await made(database, CONSUME, {**a_use(program, contract, customer, coupons=2), **a_line()})
    assert await moves(database, contract) == [("reservation", -2, year), ("release", 2, year), ("use", -2, year)]
    (hold,) = await rows_of(database, ContractReservation)
    assert (hold.status, hold.settled_at is None) == (ReservationStatus.EXPIRED, False)
    assert await adds_up(database, contract)
    for what, values in ((RELEASE, given), (CAPTURE, {**given, **a_line("ORDER-2")})):
        assert codes(await refused(database, what, values)) == [("RESERVATION_EXPIRED", "reservationUuid")]


@pytest.mark.rule("L14")
async def test_each_year_gets_its_own_coupons_back(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    program, contract, customer = await a_coupon_contract(database)
    year = soon().year
    for coupons, when in ((2, f"{year + 1}-01-01T00:00:00Z"), (3, f"{year + 2}-06-01T00:00:00Z")):
        values = {"coupons": coupons, "firstTravelDate": when}
        await reserved_before(database, monkeypatch, program, contract, customer, **values)
    await reserved(database, program, contract, customer, coupons=4)
    assert await left(database, contract) == {year: 6, year + 1: 10, year + 2: 10}
    assert await adds_up(database, contract)


async def test_it_lasts_as_long_as_is_asked_for_or_as_the_policy_says(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, contract, customer = await a_coupon_contract(database)
    moment = now()
    freeze(monkeypatch, moment)
    use = a_use(program, contract, customer)
    payload = await made(database, RESERVE, use)
    assert payload["reservation"]["expiresAt"] == text(moment + timedelta(minutes=15))
    longest = text(moment + 24 * HOUR)
    payload = await made(database, RESERVE, {**use, "expiresAt": longest})
    assert payload["reservation"]["expiresAt"] == longest
    for wrong in (moment, moment - HOUR, moment + 24 * HOUR + timedelta(milliseconds=1)):
        errors = await refused(database, RESERVE, {**use, "expiresAt": text(wrong)})
        assert codes(errors) == [("VALUE_INVALID", "expiresAt")]


@pytest.mark.parametrize(
    ("row", "values", "expected"),
    [
        (Contract, {"status": ContractStatus.CANCELLED}, "CONTRACT_NOT_VALID"),
        (Contract, {"consumable_from": now() + 2 * DAY}, "CONTRACT_NOT_YET_CONSUMABLE"),
        (Contract, {"ends_at": now() - DAY}, "CONTRACT_EXPIRED"),
        (ContractConsumer, {"is_blocked": True}, "CONSUMER_BLOCKED"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
@pytest.mark.rule("L10")
@pytest.mark.rule("L20")
async def test_what_came_in_the_way_since_refuses_a_capture_and_lets_it_be_released(
    database: Database, row: Any, values: dict[str, Any], expected: str
) -> None:
    program, contract, customer = await a_coupon_contract(database)
    given = await reserved(database, program, contract, customer)
    await store(database, row, **values)
    errors = await refused(database, CAPTURE, {**given, **a_line()})
    assert [code for code, _, _ in errors] == [expected]
    payload = await made(database, RELEASE, given)
    assert payload["reservation"]["status"] == "RELEASED"
    assert await left(database, contract) == {soon().year: 10}


@pytest.mark.rule("L12")
async def test_what_was_held_in_time_is_captured_although_the_contract_has_ended_since(database: Database) -> None:
    program, contract, customer = await a_coupon_contract(database)
    given = await reserved(database, program, contract, customer, firstTravelDate=text(now() - HOUR))
    ended = {"ends_at": now() - timedelta(minutes=1), "status": ContractStatus.EXPIRED}
    await store(database, Contract, **ended)
    payload = await made(database, CAPTURE, {**given, **a_line()})
    assert payload["orderLineEvent"]["couponsUsed"] == 1


@pytest.mark.rule("L17")
async def test_a_contract_that_counts_no_coupons_holds_none(database: Database) -> None:
    program = await a_program(database, LoyaltyProgramType.TIMED)
    customer = await a_customer(database)
    contract = await a_contract(database, program, customer)
    payload = await made(database, RESERVE, a_use(program, contract, customer, coupons=5))
    assert payload["reservation"]["coupons"] is None
    given = {"reservationUuid": payload["reservation"]["uuid"]}
    assert (await made(database, CAPTURE, {**given, **a_line()}))["orderLineEvent"]["couponsUsed"] is None
    assert await moves(database, contract) == []


@pytest.mark.rule("T04")
async def test_foreign_and_unknown_reservations_answer_alike(database: Database) -> None:
    program, contract, customer = await a_coupon_contract(database)
    given = await reserved(database, program, contract, customer)
    wanted = given["reservationUuid"]
    for what, line in ((RELEASE, {}), (CAPTURE, a_line())):
        errors = await refused(database, what, {**given, **line}, FOREIGNER)
        assert errors == [("RESERVATION_NOT_FOUND", "reservationUuid", [wanted])]
        errors = await refused(database, what, {"reservationUuid": "nothing", **line})
        assert errors == [("RESERVATION_NOT_FOUND", "reservationUuid", ["nothing"])]
    use = a_use(program, contract, customer)
    assert (await refused(database, RESERVE, use, FOREIGNER))[0][0] == "CONTRACT_NOT_FOUND"


@pytest.mark.rule("H5")
async def test_hostile_texts_are_refused(database: Database) -> None:
    program, contract, customer = await a_coupon_contract(database)
    given = await reserved(database, program, contract, customer)
    async with unchanged(database):
        for hostile, code in HOSTILE:
            for what in (RELEASE, CAPTURE):
                line = a_line() if what is CAPTURE else {}
                errors = await errors_of(database, what, {**line, "reservationUuid": hostile})
                assert codes(errors) == [("RESERVATION_NOT_FOUND", "reservationUuid")]
            for name in ("orderId", "orderLineId", "orderLineVersion", "orderLineText", "codespace"):
                errors = await errors_of(database, CAPTURE, {**given, **a_line(), name: hostile})
                assert codes(errors) == [(code, name)]
    assert await rows_of(database, OrderLineEvent) == []
