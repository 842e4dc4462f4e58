"""Purchases and cancellations that other systems tell of."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from datastore.customer import Customer, CustomerStatus
from datastore.database import Database
from datastore.loyalty.contract import Contract, ContractStatus
from datastore.loyalty.program import LoyaltyProgramType
from datastore.loyalty.usage import OrderLineEvent
from tests.customer.mutations import HOSTILE, errors_of, freeze, refused, unchanged
from tests.execute import FOREIGNER
from tests.factories.customer import a_customer
from tests.factories.loyalty import a_consumer, a_contract, a_program, now
from tests.loyalty.consumption import (
    CAPTURE,
    CONSUME,
    DAY,
    HOUR,
    REGISTER,
    RESERVE,
    a_cancellation,
    a_coupon_contract,
    a_line,
    a_use,
    adds_up,
    an_event,
    codes,
    left,
    made,
    moves,
    nothing_booked,
    rows_of,
    soon,
    text,
)


@pytest.mark.rule("V03")
@pytest.mark.rule("L30")
@pytest.mark.rule("L32")
async def test_a_purchase_is_one_coupon_and_now_unless_it_says_otherwise(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, contract, _ = await a_coupon_contract(database)
    moment = now()
    freeze(monkeypatch, moment)
    payload = await made(database, REGISTER, an_event(contract))
    assert payload["orderLineEvent"] == {
        "orderId": "ORDER-1",
        "orderLineId": "1",
        "orderLineVersion": "1",
        "organisationId": 1,
        "eventType": "PURCHASE",
        "isCancelled": False,
        "isPurchased": False,
        "price": "100.00",
        "originalPrice": None,
        "travelDate": text(moment),
        "lastTravelDate": text(moment),
        "couponsUsed": 1,
        "codespace": None,
        "orderLineText": None,
        "manualTransactionComment": None,
        "effectiveCancellationDate": None,
        "timestamp": text(moment),
        "taxDistributions": [],
        "cancels": None,
    }
    assert payload["subContract"]["parent"] == contract.uuid
    assert await adds_up(database, contract)
    assert sum(coupons or 0 for _, coupons, _ in await moves(database, contract)) == -1


@pytest.mark.rule("L30")
@pytest.mark.rule("L34")
async def test_a_purchase_has_all_that_is_told(database: Database) -> None:
    _, contract, customer = await a_coupon_contract(database)
    more = {
        "customerNumber": customer.customer_number,
        "orderLineVersion": "V7",
        "originalPrice": "250.00",
        "travelDate": text(soon()),
        "lastTravelDate": text(soon() + HOUR),
        "couponsUsed": 3,
        "codespace": "NSB",
        "orderLineText": "Single ticket",
        "manualTransactionComment": "Told by telephone.",
    }
    given = an_event(contract, **more)
    event = (await made(database, REGISTER, given))["orderLineEvent"]
    del more["customerNumber"]
    assert {name: event[name] for name in more} == more
    (row,) = await rows_of(database, OrderLineEvent)
    assert (row.customer_id, row.coupon_year) == (customer.id, soon().year)


@pytest.mark.rule("L33")
async def test_a_repeat_changes_nothing_and_answers_the_first_time(database: Database) -> None:
    _, contract, _ = await a_coupon_contract(database)
    given = an_event(contract)
    first = await made(database, REGISTER, given)
    async with nothing_booked(database):
        assert await made(database, REGISTER, given) == first
        assert await made(database, REGISTER, {**given, "couponsUsed": 1, "orderLineVersion": "1"}) == first
        when = first["orderLineEvent"]["travelDate"]
        assert await made(database, REGISTER, {**given, "travelDate": when, "lastTravelDate": when}) == first
    for other in ({"price": "1.00"}, {"couponsUsed": 2}, {"travelDate": text(now() - DAY)}, {"isPurchased": True}):
        errors = await refused(database, REGISTER, {**given, **other})
        assert errors == [("ORDER_LINE_CONFLICT", "orderId", ["ORDER-1"])]


@pytest.mark.rule("L30")
async def test_the_purchase_of_the_contract_itself_uses_nothing_and_may_come_before_or_after_it(
    database: Database,
) -> None:
    later = {"consumable_from": now() + DAY, "status": ContractStatus.REFUNDED}
    _, contract, customer = await a_coupon_contract(database, **later)
    given = an_event(contract, isPurchased=True, customerNumber=customer.customer_number)
    payload = await made(database, REGISTER, given)
    event = payload["orderLineEvent"]
    assert (event["isPurchased"], event["couponsUsed"], payload["subContract"]) == (True, 0, None)
    assert await moves(database, contract) == []
    cancelled = (await made(database, REGISTER, a_cancellation(contract)))["orderLineEvent"]
    assert (cancelled["isPurchased"], cancelled["price"]) == (True, "-100.00")
    assert await moves(database, contract) == []
    foreign = await a_customer(database, organisation_id=2)
    for number in (foreign.customer_number, 1):
        event = {**given, "orderId": "ORDER-2", "customerNumber": number}
        errors = await refused(database, REGISTER, event)
        assert errors == [("CUSTOMER_NOT_FOUND", "customerNumber", [str(number)])]


@pytest.mark.rule("L17")
async def test_coupons_are_ignored_where_the_contract_counts_none(database: Database) -> None:
    program = await a_program(database, LoyaltyProgramType.TIMED)
    contract = await a_contract(database, program)
    event = (await made(database, REGISTER, an_event(contract, couponsUsed=4)))["orderLineEvent"]
    assert event["couponsUsed"] is None
    event = (await made(database, REGISTER, a_cancellation(contract, couponsUsed=3)))["orderLineEvent"]
    assert event["couponsUsed"] is None
    assert await moves(database, contract) == []


@pytest.mark.rule("L12")
async def test_a_late_purchase_counts_by_its_travel_date(database: Database) -> None:
    ended = {"expiration_date": now() - HOUR, "status": ContractStatus.EXPIRED}
    _, contract, _ = await a_coupon_contract(database, **ended)
    assert await made(database, REGISTER, an_event(contract, travelDate=text(now() - 2 * HOUR)))
    for travel in ({}, {"travelDate": text(now() - HOUR + timedelta(minutes=5))}):
        errors = await refused(database, REGISTER, an_event(contract, "ORDER-2", **travel))
        assert errors == [("CONTRACT_EXPIRED", "contractUuid", [contract.uuid])]
    before = {"travelDate": text(now() - 3 * DAY)}
    errors = await refused(database, REGISTER, an_event(contract, "ORDER-2", **before))
    assert errors == [("CONTRACT_NOT_YET_CONSUMABLE", "contractUuid", [contract.uuid])]


@pytest.mark.rule("L10")
@pytest.mark.parametrize("status", [ContractStatus.REFUNDED, ContractStatus.CANCELLED, ContractStatus.MISUSED])
async def test_a_contract_that_was_blocked_takes_no_purchase_and_gives_back_what_was_taken(
    database: Database, status: ContractStatus
) -> None:
    _, contract, _ = await a_coupon_contract(database)
    await made(database, REGISTER, an_event(contract))
    await store(database, Contract, contract.id, status=status)
    errors = await refused(database, REGISTER, an_event(contract, "ORDER-2"))
    assert errors == [("CONTRACT_NOT_VALID", "contractUuid", [contract.uuid])]
    assert await made(database, REGISTER, a_cancellation(contract))
    assert set((await left(database, contract)).values()) == {10}


@pytest.mark.rule("L12")
async def test_who_was_told_expired_by_hand_takes_no_late_purchase(database: Database) -> None:
    _, contract, _ = await a_coupon_contract(database, status=ContractStatus.EXPIRED)
    errors = await refused(database, REGISTER, an_event(contract, travelDate=text(now() - HOUR)))
    assert errors == [("CONTRACT_EXPIRED", "contractUuid", [contract.uuid])]


@pytest.mark.rule("L15")
@pytest.mark.rule("L20")
async def test_a_purchase_needs_coupons_and_a_consumer(database: Database) -> None:
    _, contract, _ = await a_coupon_contract(database, coupons=2)
    stranger, blocked, foreign = [await a_customer(database, **each) for each in ({}, {}, {"organisation_id": 2})]
    await a_consumer(database, contract, blocked, is_blocked=True)
    errors = await refused(database, REGISTER, an_event(contract, couponsUsed=3))
    assert errors == [("TOO_FEW_COUPONS", "couponsUsed", ["3"])]
    for customer, code in (
        (stranger, "NOT_A_CONSUMER"),
        (foreign, "NOT_A_CONSUMER"),
        (blocked, "CONSUMER_BLOCKED"),
    ):
        number = customer.customer_number
        errors = await refused(database, REGISTER, an_event(contract, customerNumber=number))
        assert errors == [(code, "customerNumber", [str(number)])]


# Cancellations


@pytest.mark.rule("L14")
@pytest.mark.rule("L30")
@pytest.mark.rule("L31")
async def test_a_cancellation_gives_back_what_its_purchase_took(database: Database) -> None:
    _, contract, customer = await a_coupon_contract(database)
    year = soon().year + 1
    travel = {"travelDate": f"{year}-05-01T10:00:00Z", "lastTravelDate": f"{year}-05-02T10:00:00Z"}
    number = {"customerNumber": customer.customer_number}
    given = an_event(contract, couponsUsed=3, originalPrice="150.00", orderLineText="Trip", **travel, **number)
    await made(database, REGISTER, given)
    effective = {"effectiveCancellationDate": "2030-01-01T00:00:00Z", "manualTransactionComment": "By telephone."}
    payload = await made(database, REGISTER, a_cancellation(contract, **effective))
    event = payload["orderLineEvent"]
    expected = {
        "eventType": "CANCELLATION",
        "isCancelled": True,
        "price": "-100.00",
        "originalPrice": "-150.00",
        "travelDate": f"{year}-05-01T10:00:00.000Z",
        "lastTravelDate": f"{year}-05-02T10:00:00.000Z",
        "couponsUsed": 3,
        "orderLineText": "Trip",
        "manualTransactionComment": "By telephone.",
        "effectiveCancellationDate": "2030-01-01T00:00:00.000Z",
        "cancels": {"orderId": "ORDER-1", "orderLineVersion": "1"},
    }
    assert {name: event[name] for name in expected} == expected
    assert payload["subContract"]["status"] == "CANCELLED"
    purchase, cancellation = await rows_of(database, OrderLineEvent)
    assert (purchase.is_cancelled, cancellation.cancels_id) == (True, purchase.id)
    assert cancellation.customer_id == customer.id
    assert await moves(database, contract) == [("use", -3, year), ("cancellation", 3, year)]
    assert await left(database, contract) == {year: 10}
    assert await adds_up(database, contract)


@pytest.mark.rule("L33")
async def test_a_second_cancellation_is_a_repeat_or_refused(database: Database) -> None:
    _, contract, _ = await a_coupon_contract(database)
    await made(database, REGISTER, an_event(contract))
    first = await made(database, REGISTER, a_cancellation(contract))
    async with nothing_booked(database):
        assert await made(database, REGISTER, a_cancellation(contract)) == first
        assert await made(database, REGISTER, a_cancellation(contract, orderLineVersion="1", price="-100.00")) == first
    errors = await refused(database, REGISTER, a_cancellation(contract, price="-50.00"))
    assert errors == [("ALREADY_CANCELLED", "orderId", ["ORDER-1"])]
    assert await adds_up(database, contract)


@pytest.mark.rule("L33")
async def test_a_purchase_that_was_cancelled_is_known_and_not_used_again(database: Database) -> None:
    program, contract, customer = await a_coupon_contract(database)
    use = {**a_use(program, contract, customer, firstTravelDate=text(soon())), **a_line()}
    await made(database, CONSUME, use)
    await made(database, REGISTER, a_cancellation(contract))
    errors = await refused(database, CONSUME, use)
    assert errors == [("ALREADY_CANCELLED", "orderId", ["ORDER-1"])]
    given = an_event(contract, customerNumber=customer.customer_number, travelDate=use["firstTravelDate"])
    assert (await made(database, REGISTER, given))["orderLineEvent"]["isCancelled"] is True


@pytest.mark.rule("L33")
async def test_the_newest_version_is_cancelled_unless_another_one_is_named(database: Database) -> None:
    _, contract, _ = await a_coupon_contract(database)
    for version in ("1", "2", "3"):
        await made(database, REGISTER, an_event(contract, orderLineVersion=version))

    async def cancel(**values: Any) -> str:
        event = (await made(database, REGISTER, a_cancellation(contract, **values)))["orderLineEvent"]
        return str(event["orderLineVersion"])

    assert await cancel() == "3"
    async with nothing_booked(database):
        assert await cancel() == "3"  # told again: no older version is cancelled by it
    assert await cancel(orderLineVersion="1") == "1"
    assert await cancel(price="-20.00") == "2"
    errors = await refused(database, REGISTER, a_cancellation(contract, price="-20.01"))
    assert [code for code, _, _ in errors] == ["ALREADY_CANCELLED"]
    assert set((await left(database, contract)).values()) == {10}
    assert await adds_up(database, contract)


@pytest.mark.rule("L33")
@pytest.mark.rule("T04")
async def test_a_cancellation_needs_its_purchase_on_that_contract(database: Database) -> None:
    program, contract, customer = await a_coupon_contract(database)
    other = await a_contract(database, program, customer)
    await made(database, REGISTER, an_event(contract))
    for given in (
        a_cancellation(other),
        a_cancellation(contract, "ORDER-2"),
        a_cancellation(contract, orderLineId="2"),
        a_cancellation(contract, orderLineVersion="2"),
    ):
        errors = await refused(database, REGISTER, given)
        assert errors == [("PURCHASE_NOT_FOUND", "orderId", [given["orderId"]])]
    errors = await refused(database, REGISTER, a_cancellation(contract), FOREIGNER)
    assert errors == [("CONTRACT_NOT_FOUND", "contractUuid", [contract.uuid])]


@pytest.mark.rule("L33")
async def test_what_a_cancellation_says_of_its_purchase_must_be_so(database: Database) -> None:
    _, contract, customer = await a_coupon_contract(database)
    other = await a_customer(database)
    number = customer.customer_number
    when = text(soon())
    await made(database, REGISTER, an_event(contract, travelDate=when, couponsUsed=2, customerNumber=number))
    wrong = {"travelDate": text(soon() + HOUR), "lastTravelDate": text(soon() + 2 * HOUR), "couponsUsed": 1}
    given = a_cancellation(contract, **wrong, customerNumber=other.customer_number)
    errors = await refused(database, REGISTER, given)
    assert sorted(codes(errors)) == [
        ("ORDER_LINE_CONFLICT", name) for name in ("couponsUsed", "customerNumber", "lastTravelDate", "travelDate")
    ]
    right = {"travelDate": when, "lastTravelDate": when, "couponsUsed": 2, "customerNumber": number}
    assert await made(database, REGISTER, a_cancellation(contract, **right))


async def test_what_a_deleted_customer_bought_can_be_cancelled(database: Database) -> None:
    _, contract, customer = await a_coupon_contract(database)
    number = {"customerNumber": customer.customer_number}
    await made(database, REGISTER, an_event(contract, **number))
    await store(database, Customer, customer.id, status=CustomerStatus.DELETED)
    assert await made(database, REGISTER, a_cancellation(contract, **number))


@pytest.mark.rule("L14")
async def test_what_was_captured_is_given_back_by_its_cancellation(database: Database) -> None:
    program, contract, customer = await a_coupon_contract(database)
    reservation = (await made(database, RESERVE, a_use(program, contract, customer, coupons=4)))["reservation"]
    capture = {"reservationUuid": reservation["uuid"], **a_line()}
    await made(database, CAPTURE, capture)
    await store(database, Contract, contract.id, status=ContractStatus.EXPIRED)
    await made(database, REGISTER, a_cancellation(contract))
    year = soon().year
    assert await moves(database, contract) == [("reservation", -4, year), ("cancellation", 4, year)]
    assert await adds_up(database, contract)
    errors = await refused(database, CAPTURE, capture)
    assert errors == [("ALREADY_CANCELLED", "orderId", ["ORDER-1"])]


# What is refused


@pytest.mark.rule("L31")
@pytest.mark.rule("L32")
@pytest.mark.rule("L34")
async def test_fields_that_do_not_fit_the_event_are_refused(database: Database) -> None:
    _, contract, _ = await a_coupon_contract(database)
    await made(database, REGISTER, an_event(contract, "ORDER-2"))
    effective = {"effectiveCancellationDate": "2030-01-01T00:00:00Z"}
    signs = {"price": "-0.01", "originalPrice": "-0.01"}
    async with unchanged(database):
        for given, expected in (
            ({**an_event(contract), **effective}, [("FIELD_NOT_ALLOWED", "effectiveCancellationDate")]),
            ({**an_event(contract), **signs}, [("VALUE_INVALID", "originalPrice"), ("VALUE_INVALID", "price")]),
            ({**an_event(contract), "price": None}, [("REQUIRED", "price")]),
            (a_cancellation(contract, "ORDER-2", price="0.01"), [("VALUE_INVALID", "price")]),
            (a_cancellation(contract, "ORDER-2", originalPrice="1.00"), [("VALUE_INVALID", "originalPrice")]),
            (an_event(contract, couponsUsed=0), [("COUPONS_INVALID", "couponsUsed")]),
            (an_event(contract, couponsUsed=10_001), [("COUPONS_INVALID", "couponsUsed")]),
            (an_event(contract, lastTravelDate=text(now() - DAY)), [("DATES_REVERSED", "lastTravelDate")]),
            (an_event(contract, travelDate="0001-01-01T00:00:00Z"), [("VALUE_INVALID", "travelDate")]),
            (
                a_cancellation(contract, "ORDER-2", effectiveCancellationDate="9999-12-31T23:59:59Z"),
                [("VALUE_INVALID", "effectiveCancellationDate")],
            ),
        ):
            assert sorted(codes(await errors_of(database, REGISTER, given))) == expected


@pytest.mark.rule("H5")
async def test_hostile_texts_are_refused(database: Database) -> None:
    _, contract, _ = await a_coupon_contract(database)
    names = ("orderId", "orderLineId", "orderLineVersion", "orderLineText", "codespace", "manualTransactionComment")
    async with unchanged(database):
        for hostile, code in HOSTILE:
            for given in (an_event(contract), a_cancellation(contract)):
                errors = await errors_of(database, REGISTER, {**given, **dict.fromkeys(names, hostile)})
                assert sorted(codes(errors)) == sorted((code, name) for name in names)
            errors = await errors_of(database, REGISTER, {**an_event(contract), "contractUuid": hostile})
            assert codes(errors) == [("CONTRACT_NOT_FOUND", "contractUuid")]


async def store(database: Database, row: Any, key: int, **values: Any) -> None:
    """Give the row with this key these values."""
    table = row.__table__
    async with database.write() as session:
        await session.execute(update(table).where(table.c.id == key).values(**values))
