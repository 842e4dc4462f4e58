"""What is saved by using contracts, for the tax on it (rule L35)."""

from calendar import monthrange
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from datastore.customer import Customer
from datastore.employee.rights import TaxSaving
from datastore.loyalty import consuming as statements
from datastore.loyalty.usage import OrderLineEvent, TaxDistribution
from datastore.writing import Write
from resolvers.oslo import today

KNOWN_SINCE = date(2021, 5, 1)
"""What a period ticket that begins before this day saves is unknown."""


@dataclass(frozen=True, slots=True)
class Saved:
    """What is saved in a month, in the smallest unit; None if it is unknown."""

    year: int
    month: int
    saving: int | None


def spread(event: Any) -> list[Saved]:
    """What an order line saves, by Norwegian month. A trip of one day counts in its month. Of a longer one each month
    has as much as it has of the days; together it is exactly the saving. Nothing without an original price."""
    if event.original_price is None:
        return []
    saving = event.original_price - event.price
    first, last = today(event.travel_date), today(event.last_travel_date)
    if last <= first:
        return [Saved(first.year, first.month, saving)]
    is_unknown = first < KNOWN_SINCE
    total, before, found = (last - first).days + 1, 0, []
    for year, month, days in _months(first, last):
        # Each month ends at a rounded sum: the rest of a division is in no month twice, and in none is it lost.
        share = saving * (before + days) // total - saving * before // total
        found.append(Saved(year, month, None if is_unknown else share))
        before += days
    return found


def _months(first: date, last: date) -> Iterator[tuple[int, int, int]]:
    """Year, month and the number of days from `first` to `last` in it."""
    day = first
    while day <= last:
        end = min(last, day.replace(day=monthrange(day.year, day.month)[1]))
        yield day.year, day.month, (end - day).days + 1
        day = end + timedelta(days=1)


async def distribute(write: Write, event: OrderLineEvent, customer: Customer | None) -> None:
    """Store what a purchase saves by month, and add it to what its customer saves as an employee, if it is one. The
    event has its key."""
    saved = spread(event)
    if saved and customer is not None:
        event.employee_id = await statements.employment_of(write, customer)
    await _store(write, event, saved)


async def take_back(write: Write, event: OrderLineEvent, purchase: OrderLineEvent) -> None:
    """Store that what a purchase saved is not saved after its cancellation, by the same months and of the same
    employee."""
    event.employee_id = purchase.employee_id
    saved = [
        Saved(each.tax_year, each.tax_month, None if each.tax_saving is None else -each.tax_saving)
        for each in await statements.distributions(write, purchase.id)
    ]
    await _store(write, event, saved)


async def _store(write: Write, event: OrderLineEvent, saved: Sequence[Saved]) -> None:
    write.session.add_all(
        TaxDistribution(
            order_line_event_id=event.id,
            tax_year=each.year,
            tax_month=each.month,
            tax_saving=each.saving,
            is_unknown=each.saving is None,
        )
        for each in saved
    )
    await write.session.flush()
    if event.employee_id is None or not saved:
        return
    stored = await statements.savings(write, event.employee_id, [(each.year, each.month) for each in saved])
    for each in saved:
        found = stored.get((each.year, each.month))
        if found is None:
            write.session.add(
                TaxSaving(employee_id=event.employee_id, year=each.year, month=each.month, amount=each.saving)
            )
        else:
            is_unknown = found.amount is None or each.saving is None
            found.amount = None if is_unknown else (found.amount or 0) + (each.saving or 0)
    await write.session.flush()
