"""What is saved by using contracts, by month."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st
from sqlalchemy import update

from datastore.customer import Customer
from datastore.database import Database
from datastore.employee.personnel import Employee
from datastore.employee.rights import TaxSaving
from datastore.loyalty.contract import Contract
from datastore.loyalty.usage import OrderLineEvent
from resolvers.loyalty.tax import spread
from resolvers.oslo import today
from tests.factories.customer import a_merged_customer
from tests.factories.employee import a_company, an_employee, the_codes
from tests.loyalty.consumption import (
    CONSUME,
    REGISTER,
    a_cancellation,
    a_coupon_contract,
    a_line,
    a_use,
    an_event,
    made,
    nothing_booked,
    rows_of,
)

Distribution = list[tuple[int, int, int | None]]
EARLIEST, LATEST = (datetime(year, 6, 1) for year in (2021, 2030))  # noqa: DTZ001
"""Without a zone, as what draws times wants them."""


def saved(first: str, last: str | None = None, original: int | None = 150_00, price: int = 100_00) -> Distribution:
    """Year, month and saving of each month."""
    dates = {"travel_date": datetime.fromisoformat(first), "last_travel_date": datetime.fromisoformat(last or first)}
    found = spread(SimpleNamespace(price=price, original_price=original, **dates))
    return [(each.year, each.month, each.saving) for each in found]


@pytest.mark.rule("L35")
@pytest.mark.rule("L31")
def test_a_trip_of_a_day_is_saved_in_its_norwegian_month() -> None:
    assert saved("2026-06-10T12:00:00Z") == [(2026, 6, 50_00)]
    assert saved("2026-06-30T22:00:00Z") == [(2026, 7, 50_00)]
    assert saved("2025-12-31T23:00:00Z", "2026-01-01T20:00:00Z") == [(2026, 1, 50_00)]
    assert saved("2026-06-10T12:00:00Z", price=150_00) == [(2026, 6, 0)]
    assert saved("2026-06-10T12:00:00Z", original=50_00) == [(2026, 6, -50_00)]


@pytest.mark.rule("L35")
def test_a_period_ticket_is_spread_over_its_months_by_days() -> None:
    # 10 days of April, 20 of May.
    assert saved("2026-04-21T08:00:00Z", "2026-05-20T08:00:00Z", 300_00, 0) == [(2026, 4, 100_00), (2026, 5, 200_00)]
    # 7 days by thirds: nothing is lost, nothing is twice.
    assert saved("2026-04-30T08:00:00Z", "2026-05-02T08:00:00Z", 100, 0) == [(2026, 4, 33), (2026, 5, 67)]
    assert saved("2025-12-31T08:00:00Z", "2026-01-01T08:00:00Z", 101, 0) == [(2025, 12, 50), (2026, 1, 51)]
    # The night before a month begins by UTC is of that month in Norway.
    assert saved("2026-05-31T22:30:00Z", "2026-06-29T08:00:00Z") == [(2026, 6, 50_00)]


@pytest.mark.rule("L35")
def test_period_tickets_before_may_2021_are_unknown_and_trips_are_not() -> None:
    assert saved("2021-04-30T08:00:00Z", "2021-05-29T08:00:00Z") == [(2021, 4, None), (2021, 5, None)]
    assert saved("2021-04-30T22:00:00Z", "2021-05-29T08:00:00Z") == [(2021, 5, 50_00)]
    assert saved("2021-04-30T08:00:00Z") == [(2021, 4, 50_00)]


@pytest.mark.rule("L35")
def test_without_an_original_price_nothing_is_known_to_be_saved() -> None:
    assert saved("2026-06-10T12:00:00Z", original=None) == []
    assert saved("2021-04-30T08:00:00Z", "2021-05-29T08:00:00Z", original=None) == []


@pytest.mark.rule("L35")
@drawn(
    st.datetimes(EARLIEST, LATEST, timezones=st.just(UTC)),
    st.timedeltas(timedelta(0), timedelta(days=1000)),
    st.integers(-(10**12), 10**12),
)
def test_the_months_add_up_to_the_saving_and_none_is_left_out(first: datetime, length: Any, saving: int) -> None:
    last = first + length
    found = saved(first.isoformat(), last.isoformat(), saving, 0)
    assert sum(amount or 0 for _, _, amount in found) == saving
    months = [12 * year + month for year, month, _ in found]
    assert months == list(range(months[0], months[-1] + 1))
    assert (months[0], months[-1]) == tuple(12 * day.year + day.month for day in (today(first), today(last)))
    assert all((amount or 0) * saving >= 0 for _, _, amount in found)


def shown(event: Any) -> list[tuple[int, int, str | None, bool]]:
    found = [(e["taxYear"], e["taxMonth"], e["taxSaving"], e["isUnknown"]) for e in event["taxDistributions"]]
    return sorted(found)


PERIOD = {"travelDate": "2026-04-21T08:00:00Z", "lastTravelDate": "2026-05-20T08:00:00Z"}
SAVING = {"price": "0.00", "originalPrice": "300.00"}


async def a_contract_since_2020(database: Database, **customer: Any) -> tuple[Contract, Customer]:
    _, contract, holder = await a_coupon_contract(
        database, consumable_from=datetime(2020, 1, 1, tzinfo=UTC), coupons=1000
    )
    return contract, holder


async def savings(database: Database) -> list[tuple[int, int, int, int | None]]:
    return sorted((row.employee_id, row.year, row.month, row.amount) for row in await rows_of(database, TaxSaving))


@pytest.mark.rule("L35")
async def test_an_order_line_tells_what_it_saves_and_its_cancellation_takes_it_back(database: Database) -> None:
    contract, _ = await a_contract_since_2020(database)
    event = (await made(database, REGISTER, an_event(contract, **PERIOD, **SAVING)))["orderLineEvent"]
    assert shown(event) == [(2026, 4, "100.00", False), (2026, 5, "200.00", False)]
    event = (await made(database, REGISTER, a_cancellation(contract, price="-10.00")))["orderLineEvent"]
    assert shown(event) == [(2026, 4, "-100.00", False), (2026, 5, "-200.00", False)]
    assert await savings(database) == []


@pytest.mark.rule("L35")
async def test_it_counts_for_the_customer_as_an_employee(database: Database) -> None:
    await the_codes(database)
    contract, holder = await a_contract_since_2020(database)
    company = await a_company(database)
    await an_employee(database, company, customer_number=holder.customer_number, is_deleted=True)
    of_old = await an_employee(database, company, customer_number=holder.customer_number)
    employee = await an_employee(database, company, customer_number=holder.customer_number)
    foreign = await a_company(database, organisation_id=2)
    await an_employee(database, foreign, customer_number=holder.customer_number)
    number = {"customerNumber": holder.customer_number}
    await made(database, REGISTER, an_event(contract, **PERIOD, **SAVING, **number))
    assert await savings(database) == [(employee.id, 2026, 4, 100_00), (employee.id, 2026, 5, 200_00)]
    trip = {"travelDate": "2026-05-01T10:00:00Z", "originalPrice": "150.00"}
    second = an_event(contract, "ORDER-2", **trip, **number)
    await made(database, REGISTER, second)
    async with nothing_booked(database):
        await made(database, REGISTER, second)
    assert await savings(database) == [(employee.id, 2026, 4, 100_00), (employee.id, 2026, 5, 250_00)]
    await made(database, REGISTER, an_event(contract, "ORDER-3", **trip))  # of nobody that is known
    await made(database, REGISTER, a_cancellation(contract))
    assert await savings(database) == [(employee.id, 2026, 4, 0), (employee.id, 2026, 5, 50_00)]
    assert of_old.id != employee.id


@pytest.mark.rule("L35")
async def test_it_is_taken_back_from_the_employee_who_has_left_since(database: Database) -> None:
    await the_codes(database)
    contract, holder = await a_contract_since_2020(database)
    company = await a_company(database)
    employee = await an_employee(database, company, customer_number=holder.customer_number)
    number = {"customerNumber": holder.customer_number}
    await made(database, REGISTER, an_event(contract, **PERIOD, **SAVING, **number))
    row: Any = Employee.__table__
    async with database.write() as session:
        await session.execute(update(row).where(row.c.id == employee.id).values(is_deleted=True, customer_number=None))
    await made(database, REGISTER, a_cancellation(contract))
    assert await savings(database) == [(employee.id, 2026, 4, 0), (employee.id, 2026, 5, 0)]
    assert {row.employee_id for row in await rows_of(database, OrderLineEvent)} == {employee.id}


@pytest.mark.rule("C40")
@pytest.mark.rule("L35")
async def test_the_employee_may_have_the_number_of_a_merged_profile(database: Database) -> None:
    await the_codes(database)
    contract, holder = await a_contract_since_2020(database)
    merged = await a_merged_customer(database, holder)
    employee = await an_employee(database, await a_company(database), customer_number=merged.customer_number)
    number = {"customerNumber": holder.customer_number}
    await made(database, REGISTER, an_event(contract, **PERIOD, **SAVING, **number))
    assert [each[0] for each in await savings(database)] == [employee.id, employee.id]


@pytest.mark.rule("L35")
async def test_once_a_month_is_unknown_it_stays_so(database: Database) -> None:
    await the_codes(database)
    contract, holder = await a_contract_since_2020(database)
    employee = await an_employee(database, await a_company(database), customer_number=holder.customer_number)
    number = {"customerNumber": holder.customer_number}
    trip = {"travelDate": "2021-04-01T10:00:00Z", "originalPrice": "150.00"}
    await made(database, REGISTER, an_event(contract, "ORDER-1", **trip, **number))
    assert await savings(database) == [(employee.id, 2021, 4, 50_00)]
    old = {"travelDate": "2021-04-30T10:00:00Z", "lastTravelDate": "2021-05-10T10:00:00Z"}
    event = (await made(database, REGISTER, an_event(contract, "ORDER-2", **old, **SAVING, **number)))["orderLineEvent"]
    assert shown(event) == [(2021, 4, None, True), (2021, 5, None, True)]
    assert await savings(database) == [(employee.id, 2021, 4, None), (employee.id, 2021, 5, None)]
    await made(database, REGISTER, an_event(contract, "ORDER-3", **trip, **number))
    event = (await made(database, REGISTER, a_cancellation(contract, "ORDER-2")))["orderLineEvent"]
    assert shown(event) == [(2021, 4, None, True), (2021, 5, None, True)]
    assert await savings(database) == [(employee.id, 2021, 4, None), (employee.id, 2021, 5, None)]


@pytest.mark.rule("L35")
async def test_what_is_consumed_counts_too(database: Database) -> None:
    await the_codes(database)
    program, contract, customer = await a_coupon_contract(database)
    employee = await an_employee(database, await a_company(database), customer_number=customer.customer_number)
    use = a_use(program, contract, customer)
    await made(database, CONSUME, {**use, **a_line(originalPrice="150.00")})
    day = today(datetime.fromisoformat(use["firstTravelDate"]))
    assert await savings(database) == [(employee.id, day.year, day.month, 50_00)]
