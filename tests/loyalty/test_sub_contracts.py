"""The timed contracts that the use of coupons makes."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from datastore.database import Database
from datastore.loyalty.contract import Contract, ContractStatus
from datastore.loyalty.program import LoyaltyProgram
from resolvers.loyalty.sub_contracts import end_of, start_of
from tests.customer.mutations import freeze
from tests.factories.customer import a_customer
from tests.factories.loyalty import a_consumer, a_contract, a_coupon_program, a_program, now
from tests.loyalty.consumption import (
    CONSUME,
    DAY,
    HOUR,
    REGISTER,
    a_cancellation,
    a_coupon_contract,
    a_line,
    a_use,
    an_event,
    made,
    rows_of,
    soon,
    text,
)


def at(moment: str) -> datetime:
    return datetime.fromisoformat(moment).astimezone(UTC)


@pytest.mark.rule("L16")
@pytest.mark.parametrize(
    ("travel", "start_time", "expected"),
    [
        ("2026-06-10T12:00:00Z", None, "2026-06-10T12:00:00Z"),
        ("2026-06-10T12:00:00Z", "04:00:00", "2026-06-10T02:00:00Z"),
        ("2026-01-10T12:00:00Z", "04:00:00", "2026-01-10T03:00:00Z"),
        # The Norwegian day of a travel in the evening by UTC is the next one.
        ("2026-06-10T22:30:00Z", "04:00:00", "2026-06-11T02:00:00Z"),
        # Clocks go from 02:00 to 03:00 on 29 March: 02:30 is left out.
        ("2026-03-29T10:00:00Z", "02:30:00", "2026-03-29T01:30:00Z"),
        # 02:30 comes twice on 25 October: the first one.
        ("2026-10-25T10:00:00Z", "02:30:00", "2026-10-25T00:30:00Z"),
    ],
)
def test_it_starts_at_the_travel_or_at_the_time_of_day_in_norway(
    travel: str, start_time: str | None, expected: str
) -> None:
    assert start_of(at(travel), at("2020-01-01T00:00:00Z"), start_time) == at(expected)


@pytest.mark.rule("L16")
def test_it_does_not_start_before_it_is_made_unless_the_program_says_when() -> None:
    assert start_of(at("2026-06-10T12:00:00Z"), at("2026-06-11T08:00:00Z"), None) == at("2026-06-11T08:00:00Z")
    assert start_of(at("2026-06-10T12:00:00Z"), at("2026-06-11T08:00:00Z"), "06:00:00") == at("2026-06-10T04:00:00Z")


@pytest.mark.rule("L16")
@pytest.mark.rule("F09")
@pytest.mark.parametrize(
    ("start", "period", "expected"),
    [
        ("2026-06-10T02:00:00Z", "P1D", "2026-06-11T02:00:00Z"),
        # A day over the change of clocks has 23 or 25 hours, 24 hours have 24.
        ("2026-03-28T11:00:00Z", "P1D", "2026-03-29T10:00:00Z"),
        ("2026-03-28T11:00:00Z", "PT24H", "2026-03-29T11:00:00Z"),
        ("2026-10-24T10:00:00Z", "P1D", "2026-10-25T11:00:00Z"),
        ("2026-10-24T10:00:00Z", "PT24H", "2026-10-25T10:00:00Z"),
        ("2026-10-24T10:00:00Z", "P3DT12H30M5S", "2026-10-27T23:30:05Z"),
        # It would end at a time that is left out, or comes twice.
        ("2026-03-28T01:30:00Z", "P1D", "2026-03-29T01:30:00Z"),
        ("2026-10-24T00:30:00Z", "P1D", "2026-10-25T00:30:00Z"),
        # Within the hour that comes twice, time goes on.
        ("2026-10-25T00:30:00Z", "PT1H", "2026-10-25T01:30:00Z"),
        ("2026-10-25T01:30:00Z", "P1D", "2026-10-26T01:30:00Z"),
    ],
)
def test_days_are_of_the_norwegian_calendar_and_the_rest_is_time(start: str, period: str, expected: str) -> None:
    assert end_of(at(start), period) == at(expected)


@pytest.mark.rule("L16")
def test_without_a_period_it_does_not_expire() -> None:
    assert end_of(at("2026-06-10T02:00:00Z"), None) is None


@pytest.mark.rule("L16")
async def test_the_use_of_a_coupon_makes_a_contract_below_it(database: Database) -> None:
    day = await a_program(database)
    program = await a_coupon_program(database, config_loyalty_program_id=day.id, config_usage_validity_period="PT2H")
    holder, other = [await a_customer(database) for _ in range(2)]
    contract = await a_contract(database, program, holder)
    await a_consumer(database, contract, other)
    travel = soon() + DAY
    given = {**a_use(program, contract, other, firstTravelDate=text(travel)), **a_line()}
    payload = await made(database, CONSUME, given)
    consumers = payload["subContract"].pop("contractConsumers")
    assert sorted((each["isContractHolder"], each["customerNumber"]) for each in consumers) == [
        (False, other.customer_number),
        (True, holder.customer_number),
    ]
    made_uuid = payload["subContract"].pop("uuid")
    assert payload["subContract"] == {
        "parent": contract.uuid,
        "status": "VALID",
        "consumableFrom": text(travel),
        "expirationDate": text(travel + 2 * HOUR),
        "couponsLimit": None,
    }
    _, row = await rows_of(database, Contract)
    assert (row.uuid, row.loyalty_program_id, row.holder_id) == (made_uuid, day.id, holder.id)
    assert (row.ends_at, row.organisation_id, row.version) == (travel + 2 * HOUR, 1, 1)


@pytest.mark.rule("L04")
@pytest.mark.rule("L16")
async def test_it_ends_with_its_program_and_takes_the_period_of_that_if_the_coupons_have_none(
    database: Database,
) -> None:
    end = now() + 3 * DAY
    for period, config, expires_after in (("PT1H", None, HOUR), ("PT1H", "PT2H", 2 * HOUR), (None, None, None)):
        day = await a_program(database, end_date=end, usage_validity_period=period)
        values: dict[str, Any] = {"config_loyalty_program_id": day.id, "config_usage_validity_period": config}
        program = await a_coupon_program(database, **values)
        customer = await a_customer(database)
        contract = await a_contract(database, program, customer)
        travel = end - timedelta(minutes=90)
        use = a_use(program, contract, customer, firstTravelDate=text(travel))
        await made(database, CONSUME, {**use, **a_line(contract.uuid)})
        row = (await rows_of(database, Contract))[-1]
        assert row.expiration_date == (travel + expires_after if expires_after else None)
        assert row.ends_at == (min(travel + expires_after, end) if expires_after else end)


@pytest.mark.rule("L16")
async def test_a_travel_in_the_past_is_used_from_now_on_and_one_that_is_told_later_is_not(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, contract, customer = await a_coupon_contract(database)
    moment = now()
    freeze(monkeypatch, moment)
    past = text(moment - 2 * HOUR)
    given = {**a_use(program, contract, customer, firstTravelDate=past), **a_line()}
    assert (await made(database, CONSUME, given))["subContract"]["consumableFrom"] == text(moment)
    payload = await made(database, REGISTER, an_event(contract, "ORDER-2", travelDate=past))
    assert payload["subContract"]["consumableFrom"] == past


@pytest.mark.rule("L16")
async def test_without_a_holder_it_is_of_whoever_uses_it_and_without_anybody_of_nobody(database: Database) -> None:
    program = await a_coupon_program(database)
    contract = await a_contract(database, program)
    customer = await a_customer(database)
    await a_consumer(database, contract, customer)
    payload = await made(database, CONSUME, {**a_use(program, contract, customer), **a_line()})
    mine = [{"isContractHolder": True, "customerNumber": customer.customer_number}]
    assert payload["subContract"]["contractConsumers"] == mine
    payload = await made(database, REGISTER, an_event(contract, "ORDER-2"))
    assert payload["subContract"]["contractConsumers"] == []


@pytest.mark.rule("L02")
@pytest.mark.rule("L16")
async def test_the_version_in_force_says_of_which_program_it_is(database: Database) -> None:
    program, contract, customer = await a_coupon_contract(database)
    day = await a_program(database)
    start = now() - HOUR
    async with database.write() as session:
        row: Any = LoyaltyProgram.__table__
        await session.execute(update(row).where(row.c.id == program.id).values(superseded_at=start))
    values: dict[str, Any] = {"loyalty_program_id": program.id, "version_number": 2, "product_id": program.product_id}
    await a_coupon_program(database, **values, start_date=start, config_loyalty_program_id=day.id)
    await made(database, CONSUME, {**a_use(program, contract, customer), **a_line()})
    assert (await rows_of(database, Contract))[-1].loyalty_program_id == day.id


@pytest.mark.rule("L16")
@pytest.mark.parametrize(
    ("before", "after"),
    [
        (ContractStatus.VALID, ContractStatus.CANCELLED),
        (ContractStatus.EXPIRED, ContractStatus.CANCELLED),
        (ContractStatus.REFUNDED, ContractStatus.REFUNDED),
        (ContractStatus.MISUSED, ContractStatus.MISUSED),
    ],
)
async def test_a_cancellation_cancels_what_the_use_had_made(
    database: Database, before: ContractStatus, after: ContractStatus
) -> None:
    program, contract, customer = await a_coupon_contract(database)
    payload = await made(database, CONSUME, {**a_use(program, contract, customer), **a_line()})
    uuid = payload["subContract"]["uuid"]
    row: Any = Contract.__table__
    async with database.write() as session:
        await session.execute(update(row).where(row.c.uuid == uuid).values(status=before))
    cancelled = await made(database, REGISTER, a_cancellation(contract))
    assert cancelled["subContract"]["status"] == after.name
    parent, sub = await rows_of(database, Contract)
    assert (parent.status, parent.version) == (ContractStatus.VALID, 1)
    assert (sub.status, sub.version) == (after, 1 if before is after else 2)
