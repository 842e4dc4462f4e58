"""Storing what time has done: contracts that have ended, and coupons that were held for too long (rules L04 and L12).

Nothing waits for it: whatever reads or uses a contract asks `ends_at`, and settles what is over first. It is no act of
anybody, so the audit log does not tell of it; of coupons that are given back, the ledger does. Any number of processes
may do it at once.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, func, literal_column, select, update

from datastore.database import Database
from datastore.erasure import EXPIRY, expiry_viewer
from datastore.loyalty.contract import Contract, ContractStatus
from datastore.loyalty.usage import ContractReservation, ReservationStatus
from datastore.reading import among
from datastore.writing import Write

BATCH = 500

Settle = Callable[[Write, Contract], Awaitable[int]]
"""Gives back what is held of a locked contract and is over; how many reservations that were."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How many contracts were marked as expired, and how many reservations were given back."""

    contracts: int = 0
    reservations: int = 0

    def __add__(self, other: "Ended") -> "Ended":
        return Ended(self.contracts + other.contracts, self.reservations + other.reservations)

    def __bool__(self) -> bool:
        return bool(self.contracts or self.reservations)


VALID: ColumnElement[Any] = literal_column(f"'{ContractStatus.VALID.value}'")
HELD: ColumnElement[Any] = literal_column(f"'{ReservationStatus.HELD.value}'")
"""As in the partial indexes, of which databases know at once that they fit: not as parameters."""


def _has_ended(now: datetime) -> ColumnElement[bool]:
    return and_(Contract.status == VALID, Contract.ends_at <= now)


def _is_over(now: datetime) -> ColumnElement[bool]:
    return and_(ContractReservation.status == HELD, ContractReservation.expires_at <= now)


async def count_ended(database: Database, now: datetime) -> Ended:
    """How many contracts and reservations there are to do."""
    contracts = await database.fetch(select(func.count()).select_from(Contract).where(_has_ended(now)))
    holds = await database.fetch(select(func.count()).select_from(ContractReservation).where(_is_over(now)))
    return Ended(contracts[0][0], holds[0][0])


async def expire_contracts(database: Database, now: datetime, batch: int = BATCH) -> int:
    """Mark up to so many contracts that have ended as expired, in one transaction; those that somebody else holds are
    left out. Answers how many it were."""
    table: Any = Contract.__table__
    ended = select(Contract.id).where(_has_ended(now)).order_by(Contract.ends_at, Contract.id).limit(batch)
    async with database.write() as session:
        keys = (await session.scalars(ended.with_for_update(skip_locked=True))).all()
        if keys:
            changed = {"status": ContractStatus.EXPIRED, "last_changed_at": now, "last_changed_by": EXPIRY}
            marked = update(table).where(among(table.c.id, keys)).values(version=table.c.version + 1, **changed)
            await session.execute(marked)
    return len(keys)


async def holding(database: Database, now: datetime, after: int = 0, batch: int = BATCH) -> Sequence[int]:
    """The keys of the first contracts, after one of them, of which something is held that is over."""
    held = ContractReservation.contract_id
    wanted = select(held).where(_is_over(now), held > after).distinct().order_by(held).limit(batch)
    return [row[0] for row in await database.fetch(wanted)]


async def give_back_held(database: Database, now: datetime, contract_id: int, settle: Settle) -> int:
    """Give back what is held of a contract and is over, in one transaction, unless somebody else holds the contract.
    Answers how many reservations it were. Raises CannotOpen without a key, and what `settle` raises."""
    wanted = select(Contract).where(Contract.id == contract_id).with_for_update(skip_locked=True)
    async with database.write() as session:
        contract = (await session.scalars(wanted)).one_or_none()
        if contract is None:
            return 0
        viewer = expiry_viewer(contract.organisation_id)
        return await settle(Write(session, viewer, now, EXPIRY, "", database.policy, None, database.keys), contract)
