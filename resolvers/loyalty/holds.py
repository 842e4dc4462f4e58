"""Coupons of a contract: their years, and giving back what was held and is over (rules L14 and L15)."""

from datetime import UTC, date, datetime, time

from datastore.loyalty import consuming as statements
from datastore.loyalty.contract import Contract
from datastore.loyalty.ledger import LedgerKind, YearBounds, move_coupons
from datastore.loyalty.usage import ContractReservation, ReservationStatus
from datastore.writing import Write
from resolvers.oslo import OSLO, today


class LedgerBroken(Exception):
    """More coupons would be given back than were taken: somebody changed the balances past the ledger."""


def year_of(moment: datetime) -> YearBounds:
    """The Norwegian calendar year that a moment is in (L14)."""
    year = today(moment).year
    return YearBounds(year, _new_year(year), _new_year(year + 1))


async def settle_holds(write: Write, contract: Contract) -> int:
    """Mark what was held of a contract and is over as expired and give its coupons back; answers how many there were.
    The contract is locked (`Write.get`)."""
    over = await statements.holds_that_are_over(write, contract.id)
    for hold in over:
        await settle(write, contract, hold, ReservationStatus.EXPIRED)
    await write.session.flush()
    return len(over)


async def settle(write: Write, contract: Contract, hold: ContractReservation, status: ReservationStatus) -> None:
    """End what was held, with this status; unless it was captured, its coupons are given back. Whoever calls it has
    locked the contract and knows that it is held."""
    hold.status, hold.settled_at = status, write.now
    if status is not ReservationStatus.CAPTURED and hold.coupons:
        await give_back(write, contract, LedgerKind.RELEASE, hold.coupons, hold.travel_date, hold.uuid)


async def give_back(
    write: Write, contract: Contract, kind: LedgerKind, coupons: int, travel_date: datetime, reference: str
) -> None:
    """Give coupons back that were taken in the year of travel. Raises `LedgerBroken`."""
    limit = contract.coupons_limit
    year = year_of(travel_date)
    if limit is None or not await move_coupons(write, contract.id, limit, kind, coupons, year, reference):
        raise LedgerBroken(contract.uuid)


def _new_year(year: int) -> datetime:
    return datetime.combine(date(year, 1, 1), time(), OSLO).astimezone(UTC)
