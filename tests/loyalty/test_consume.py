"""Using a contract and booking its order line at once."""

from datetime import timedelta
from typing import Any

import pytest

from datastore.audit import AuditLogEntry
from datastore.bookkeeping import OutboxEvent
from datastore.customer import CustomerStatus
from datastore.database import Database
from datastore.loyalty.contract import ContractStatus
from datastore.loyalty.program import LoyaltyProgramType
from datastore.loyalty.usage import OrderLineEvent, TaxDistribution
from datastore.viewer import Permission
from schema.permission import Callers, Need, permission_table
from schema.root import schema
from tests.customer.mutations import HOSTILE, answered, errors_of, refused, unchanged
from tests.execute import FOREIGNER, INTERNAL
from tests.factories.customer import a_customer, a_merged_customer
from tests.factories.loyalty import a_consumer, a_contract, a_coupon_program, a_program, now
from tests.loyalty.consumption import (
    CONSUME,
    DAY,
    a_coupon_contract,
    a_line,
    a_use,
    adds_up,
    left,
    made,
    moves,
    nothing_booked,
    rows_of,
    soon,
    text,
)

ONE_MORE = "ENT:EntitlementProduct:another"


@pytest.mark.rule("L14")
@pytest.mark.rule("L31")
@pytest.mark.rule("L32")
async def test_a_use_takes_coupons_and_books_the_order_line(database: Database) -> None:
    program, contract, customer = await a_coupon_contract(database)
    when = soon()
    extra = {"originalPrice": "150.00", "orderLineText": "Single ticket", "codespace": "NSB", "coupons": 2}
    given = {**a_use(program, contract, customer), **a_line(**extra)}
    payload = await made(database, CONSUME, given)
    event = payload["orderLineEvent"]
    assert event.pop("timestamp")
    assert event.pop("taxDistributions")
    assert event == {
        "orderId": "ORDER-1",
        "orderLineId": "1",
        "orderLineVersion": "1",
        "organisationId": 1,
        "eventType": "PURCHASE",
        "isCancelled": False,
        "isPurchased": False,
        "price": "100.00",
        "originalPrice": "150.00",
        "travelDate": given["firstTravelDate"],
        "lastTravelDate": given["firstTravelDate"],
        "couponsUsed": 2,
        "codespace": "NSB",
        "orderLineText": "Single ticket",
        "manualTransactionComment": None,
        "effectiveCancellationDate": None,
        "cancels": None,
    }
    assert payload["contract"] == {"uuid": contract.uuid, "remainingCoupons": 8}
    assert payload["subContract"]["parent"] == contract.uuid
    assert await moves(database, contract) == [("use", -2, when.year)]
    assert await left(database, contract) == {when.year: 8}
    assert await adds_up(database, contract)
    assert await rows_of(database, OutboxEvent) == []


@pytest.mark.rule("L33")
@pytest.mark.rule("L54")
async def test_the_same_order_line_again_answers_the_first_booking(database: Database) -> None:
    program, contract, customer = await a_coupon_contract(database)
    given = {**a_use(program, contract, customer), **a_line()}
    first = await made(database, CONSUME, given)
    async with nothing_booked(database):
        again = await made(database, CONSUME, {**given, "orderLineVersion": "1", "coupons": 1, "price": "100.00"})
    assert again == first


@pytest.mark.rule("L33")
@pytest.mark.parametrize(
    "other",
    [
        {"price": "100.01"},
        {"originalPrice": "150.00"},
        {"coupons": 2},
        {"orderLineText": "Another"},
        {"codespace": "NSB"},
        {"lastTravelDate": text(soon() + DAY)},
    ],
    ids=lambda other: next(iter(other)),
)
async def test_a_known_order_line_with_other_values_is_refused(database: Database, other: dict[str, Any]) -> None:
    program, contract, customer = await a_coupon_contract(database)
    given = {**a_use(program, contract, customer, firstTravelDate=text(soon())), **a_line()}
    await made(database, CONSUME, given)
    errors = await refused(database, CONSUME, {**given, **other})
    assert errors == [("ORDER_LINE_CONFLICT", "orderId", ["ORDER-1"])]


@pytest.mark.rule("L33")
async def test_an_order_line_is_known_on_another_contract_of_the_organisation_too(database: Database) -> None:
    program, contract, customer = await a_coupon_contract(database)
    other = await a_contract(database, program, customer)
    await made(database, CONSUME, {**a_use(program, contract, customer), **a_line()})
    errors = await refused(database, CONSUME, {**a_use(program, other, customer), **a_line()})
    assert errors == [("ORDER_LINE_CONFLICT", "orderId", ["ORDER-1"])]
    await made(database, CONSUME, {**a_use(program, other, customer), **a_line(orderLineVersion="2")})
    assert await left(database, other) == {soon().year: 9}


@pytest.mark.rule("L15")
async def test_when_all_coupons_are_used_the_contract_is_blocked_until_the_next_year(database: Database) -> None:
    program, contract, customer = await a_coupon_contract(database, coupons=2)
    await made(database, CONSUME, {**a_use(program, contract, customer, coupons=2), **a_line()})
    errors = await refused(database, CONSUME, {**a_use(program, contract, customer), **a_line("ORDER-2")})
    assert errors == [("TOO_FEW_COUPONS", "coupons", ["1"])]
    year = soon().year + 1
    travel = {"firstTravelDate": f"{year}-06-01T12:00:00Z"}
    payload = await made(database, CONSUME, {**a_use(program, contract, customer, **travel), **a_line("ORDER-2")})
    assert payload["contract"]["remainingCoupons"] == 0
    assert await left(database, contract) == {year - 1: 0, year: 1}


@pytest.mark.rule("L14")
async def test_a_trip_over_new_year_counts_in_the_year_it_begins_by_the_norwegian_calendar(database: Database) -> None:
    program, contract, customer = await a_coupon_contract(database)
    year = soon().year + 1
    dates = {"firstTravelDate": f"{year}-12-31T22:59:59.999Z", "lastTravelDate": f"{year + 1}-01-02T12:00:00Z"}
    await made(database, CONSUME, {**a_use(program, contract, customer, **dates), **a_line()})
    assert await left(database, contract) == {year: 9}
    dates = {"firstTravelDate": f"{year}-12-31T23:00:00Z"}
    await made(database, CONSUME, {**a_use(program, contract, customer, **dates), **a_line("ORDER-2")})
    assert await left(database, contract) == {year: 9, year + 1: 9}


@pytest.mark.rule("L13")
@pytest.mark.rule("L17")
async def test_a_contract_that_counts_no_coupons_takes_none(database: Database) -> None:
    program = await a_program(database, LoyaltyProgramType.TIMED)
    customer = await a_customer(database)
    contract = await a_contract(database, program, customer)
    payload = await made(database, CONSUME, {**a_use(program, contract, customer, coupons=5), **a_line()})
    assert payload["orderLineEvent"]["couponsUsed"] is None
    assert payload["contract"]["remainingCoupons"] is None
    assert payload["subContract"] is None
    assert await moves(database, contract) == []


@pytest.mark.rule("L51")
@pytest.mark.rule("T04")
async def test_unknown_foreign_and_impossible_contracts_answer_alike(database: Database) -> None:
    program, contract, customer = await a_coupon_contract(database)
    foreign_program = await a_coupon_program(database, organisation_id=2)
    foreign = await a_contract(database, foreign_program)
    given = {**a_use(program, contract, customer), **a_line()}
    for wanted in (foreign.uuid, "00000000-0000-0000-0000-000000000000", "'; --", "x" * 100, ""):
        errors = await refused(database, CONSUME, {**given, "contractUuid": wanted})
        assert errors == [("CONTRACT_NOT_FOUND", "contractUuid", [wanted])]
    assert (await refused(database, CONSUME, given, FOREIGNER))[0][0] == "CONTRACT_NOT_FOUND"
    payload, errors = await answered(database, CONSUME, given, INTERNAL)
    assert errors == []
    assert payload["orderLineEvent"]["organisationId"] == 1


@pytest.mark.rule("L20")
@pytest.mark.rule("L51")
@pytest.mark.rule("T04")
async def test_only_consumers_who_are_not_blocked_use_a_contract(database: Database) -> None:
    program, contract, holder = await a_coupon_contract(database)
    blocked, stranger, foreign = [await a_customer(database, **each) for each in ({}, {}, {"organisation_id": 2})]
    deleted = await a_customer(database, status=CustomerStatus.DELETED)
    await a_consumer(database, contract, blocked, is_blocked=True)
    await a_consumer(database, contract, deleted)
    for customer in (stranger, foreign, deleted):
        errors = await refused(database, CONSUME, {**a_use(program, contract, customer), **a_line()})
        assert errors == [("NOT_A_CONSUMER", "customerNumber", [str(customer.customer_number)])]
    errors = await refused(database, CONSUME, {**a_use(program, contract, holder, customerNumber=1), **a_line()})
    assert errors == [("NOT_A_CONSUMER", "customerNumber", ["1"])]
    errors = await refused(database, CONSUME, {**a_use(program, contract, blocked), **a_line()})
    assert errors == [("CONSUMER_BLOCKED", "customerNumber", [str(blocked.customer_number)])]


@pytest.mark.rule("C40")
async def test_the_number_of_a_merged_profile_means_what_it_became(database: Database) -> None:
    program, contract, holder = await a_coupon_contract(database)
    merged = await a_merged_customer(database, holder)
    given = {**a_use(program, contract, holder), **a_line()}
    first = await made(database, CONSUME, {**given, "customerNumber": merged.customer_number})
    (event,) = await rows_of(database, OrderLineEvent)
    assert event.customer_id == holder.id
    assert await made(database, CONSUME, given) == first


@pytest.mark.rule("L10")
@pytest.mark.rule("L12")
@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"status": ContractStatus.REFUNDED}, "CONTRACT_NOT_VALID"),
        ({"status": ContractStatus.CANCELLED}, "CONTRACT_NOT_VALID"),
        ({"status": ContractStatus.MISUSED}, "CONTRACT_NOT_VALID"),
        ({"status": ContractStatus.EXPIRED}, "CONTRACT_EXPIRED"),
        ({"consumable_from": now() + DAY}, "CONTRACT_NOT_YET_CONSUMABLE"),
        ({"expiration_date": now() - timedelta(seconds=1)}, "CONTRACT_EXPIRED"),
    ],
    ids=["refunded", "cancelled", "misused", "expired", "too early", "too late"],
)
async def test_a_contract_that_is_not_consumable_is_not_used(
    database: Database, values: dict[str, Any], code: str
) -> None:
    program, contract, customer = await a_coupon_contract(database, **values)
    errors = await refused(database, CONSUME, {**a_use(program, contract, customer), **a_line()})
    assert errors == [(code, "contractUuid", [contract.uuid])]


@pytest.mark.rule("L04")
@pytest.mark.rule("L12")
async def test_the_travel_date_counts_to_the_millisecond_and_the_end_is_outside(database: Database) -> None:
    start, end = now() - 3 * DAY, now() + 3 * DAY
    program = await a_coupon_program(database, end_date=end)
    customer = await a_customer(database)
    contract = await a_contract(database, program, customer, consumable_from=start)
    tick = timedelta(milliseconds=1)
    for travel, code in (
        (start - tick, "CONTRACT_NOT_YET_CONSUMABLE"),
        (end, "CONTRACT_EXPIRED"),
    ):
        given = {**a_use(program, contract, customer, firstTravelDate=text(travel)), **a_line()}
        assert (await refused(database, CONSUME, given))[0][0] == code
    for place, travel in enumerate((start, end - tick)):
        given = {**a_use(program, contract, customer, firstTravelDate=text(travel)), **a_line(f"ORDER-{place}")}
        assert await made(database, CONSUME, given)


@pytest.mark.rule("L53")
async def test_product_and_version_must_be_those_in_force(database: Database) -> None:
    program, contract, customer = await a_coupon_contract(database)
    given = {**a_use(program, contract, customer), **a_line()}
    errors = await refused(database, CONSUME, {**given, "entitlementProductId": ONE_MORE})
    assert errors == [("PRODUCT_MISMATCH", "entitlementProductId", [ONE_MORE])]
    version = {"entitlementProductVersion": "ENT:Version:V2"}
    errors = await refused(database, CONSUME, {**given, **version})
    assert errors == [("PRODUCT_VERSION_MISMATCH", "entitlementProductVersion", ["ENT:Version:V2"])]
    assert await made(database, CONSUME, {**given, "entitlementProductVersion": "ENT:Version:V1"})


@pytest.mark.rule("L52")
@pytest.mark.rule("H5")
async def test_all_problems_of_an_input_are_told_at_once(database: Database) -> None:
    program, contract, customer = await a_coupon_contract(database)
    given = a_use(program, contract, customer, coupons=0, entitlementProductId="nothing")
    given |= {"lastTravelDate": text(soon() - DAY), "entitlementProductVersion": "V1"}
    line = a_line(" ", price="-0.01", originalPrice="-1.00", orderLineId="x" * 61, codespace="y" * 21)
    errors = await refused(database, CONSUME, {**given, **line})
    assert sorted((code, path) for code, path, _ in errors) == [
        ("COUPONS_INVALID", "coupons"),
        ("DATES_REVERSED", "lastTravelDate"),
        ("NETEX_ID_INVALID", "entitlementProductId"),
        ("NETEX_ID_INVALID", "entitlementProductVersion"),
        ("REQUIRED", "orderId"),
        ("TEXT_TOO_LONG", "codespace"),
        ("TEXT_TOO_LONG", "orderLineId"),
        ("VALUE_INVALID", "originalPrice"),
        ("VALUE_INVALID", "price"),
    ]


@pytest.mark.rule("H5")
async def test_hostile_texts_numbers_and_dates_are_refused(database: Database) -> None:
    program, contract, customer = await a_coupon_contract(database)
    given = {**a_use(program, contract, customer), **a_line()}
    async with unchanged(database):
        for name in ("orderId", "orderLineId", "orderLineVersion", "orderLineText", "codespace"):
            for hostile, code in HOSTILE:
                assert (await errors_of(database, CONSUME, {**given, name: hostile}))[0][:2] == (code, name)
        for hostile, _ in HOSTILE:
            found = await errors_of(database, CONSUME, {**given, "entitlementProductId": hostile})
            assert found[0][:2] == ("NETEX_ID_INVALID", "entitlementProductId")
            found = await errors_of(database, CONSUME, {**given, "contractUuid": hostile})
            assert found[0][:2] == ("CONTRACT_NOT_FOUND", "contractUuid")
        for coupons in (0, -1, 10_001, 2**31 - 1, -(2**31)):
            found = await errors_of(database, CONSUME, {**given, "coupons": coupons})
            assert found == [("COUPONS_INVALID", "coupons", [str(coupons)])]
        for day in ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"):
            found = await errors_of(database, CONSUME, {**given, "firstTravelDate": day})
            assert found[0][:2] == ("VALUE_INVALID", "firstTravelDate")
        long = {"lastTravelDate": text(soon() + 4 * 366 * DAY)}
        assert (await errors_of(database, CONSUME, {**given, **long}))[0][:2] == ("VALUE_INVALID", "lastTravelDate")
        for amount in ("100", "1e3", "100.001", "NaN", "99999999999999.00", 100, 100.0):
            found = await errors_of(database, CONSUME, {**given, "price": amount})
            assert found == [("AMOUNT_INVALID", "price", [str(amount)])]


async def test_what_is_refused_takes_nothing_back_either(database: Database) -> None:
    program, contract, customer = await a_coupon_contract(database)
    await made(database, CONSUME, {**a_use(program, contract, customer, coupons=10), **a_line()})
    await refused(database, CONSUME, {**a_use(program, contract, customer, coupons=1), **a_line("ORDER-2")})
    assert await adds_up(database, contract)
    assert await rows_of(database, TaxDistribution) == []


@pytest.mark.rule("T01")
def test_users_use_contracts_by_those_who_sell_to_them_only() -> None:
    needed = permission_table(schema._schema).fields["Mutation"]
    acts = ("consumeContract", "reserveContractConsumption", "captureReservation", "releaseReservation")
    for act in (*acts, "registerOrderLineEvent"):
        assert needed[act] == Need(Permission.CONTRACT_CONSUME, Callers.CLIENTS)


async def test_the_audit_log_tells_whose_contract_was_used(database: Database) -> None:
    program, contract, customer = await a_coupon_contract(database)
    await made(database, CONSUME, {**a_use(program, contract, customer), **a_line(originalPrice="150.00")})
    entries = await rows_of(database, AuditLogEntry)
    told = {(each.customer_id, change["object"]) for each in entries for change in each.details["changes"]}
    assert told == {
        (customer.id, "Contract"),
        (customer.id, "ContractConsumer"),
        (customer.id, "OrderLineEvent"),
        (None, "TaxDistribution"),
    }
