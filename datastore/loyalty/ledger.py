"""The ledger: how points, money and coupons move, and the proof that nobody changed the record of it (rules L14, L18).

Balances move only by `move_amount` and `move_coupons`: one guarded statement and one ledger line in the transaction of
the act. Lines are never changed; each has a keyed hash, its MAC, that covers it and the seal of the line before. The
seal is a keyed hash of the MAC; only that of the last line is stored, in the head. So without the key a line cannot be
changed, put in or moved, nor can the last ones be left out: the seal that the head would need is nowhere.
`datastore.loyalty.proof` checks it. Whoever moves anything has locked the contract first (`Write.get`), so that the
lines of a contract have one order.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from hashlib import sha256
from typing import Any

import orjson
from sqlalchemy import BigInteger, ForeignKey, String, UniqueConstraint, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, mapped_column

from datastore.base import Base, BigKey, KeyText, letters, rfc3339
from datastore.loyalty.contract import OfContract
from datastore.sealing import Key
from datastore.writing import Write

FIRST = "0" * 64
"""What stands for the seal before the first line."""
UNCHECKED = {"synchronize_session": False}


class LedgerKind(Enum):
    """Why a balance moved."""

    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"
    REVERSAL = "reversal"
    USE = "use"
    CANCELLATION = "cancellation"
    RESERVATION = "reservation"
    RELEASE = "release"


class TotalAmount(OfContract, Base):
    """What a contract of points has, in the smallest unit of its one currency, which the first deposit fixes (L18)."""

    __tablename__ = "total_amount"

    contract_id: Mapped[int] = mapped_column(ForeignKey("contract.id"), primary_key=True, autoincrement=False)
    amount: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3))
    calculated_at: Mapped[datetime]


class CouponYear(OfContract, Base):
    """How many coupons of a contract are left in a Norwegian calendar year, from `starts_at` to before `ends_at`; those
    that are held are taken. A year without a row has all of them left (rule L14)."""

    __tablename__ = "coupon_year"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    contract_id: Mapped[int] = mapped_column(ForeignKey("contract.id"))
    year: Mapped[int]
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    coupons_limit: Mapped[int]
    remaining: Mapped[int]

    __table_args__ = (UniqueConstraint("contract_id", "year"),)


class Transaction(OfContract, Base):
    """A deposit (positive) or withdrawal (negative) of a contract, in the smallest unit (rule L18). `reverses_id` is
    the one that it takes back, wholly or in part; each is taken back once at most."""

    __tablename__ = "contract_transaction"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    contract_id: Mapped[int] = mapped_column(ForeignKey("contract.id"), index=True)
    amount: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3))
    timestamp: Mapped[datetime]
    rrn: Mapped[str | None] = mapped_column(KeyText(60))
    email: Mapped[str | None] = mapped_column(String(80), info={"is_sensitive": True})
    pos_id: Mapped[str | None] = mapped_column(KeyText(60))
    external_transaction_id: Mapped[str | None] = mapped_column(KeyText(100), index=True)
    internal_transaction_id: Mapped[str] = mapped_column(KeyText(36), unique=True)
    reverses_id: Mapped[int | None] = mapped_column(ForeignKey("contract_transaction.id"), unique=True)
    created_by: Mapped[str] = mapped_column(String(100))


class LedgerHead(OfContract, Base):
    """How many lines the ledger of a contract has, and the seal of the last one."""

    __tablename__ = "ledger_head"

    contract_id: Mapped[int] = mapped_column(ForeignKey("contract.id"), primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(BigInteger)
    mac: Mapped[str] = mapped_column(String(64))


class LedgerLine(OfContract, Base):
    """One movement: of an amount in a currency, or of coupons in a year (negative: taken). `reference` names what moved
    it, such as `transaction <uuid>`. `mac` covers all of it and the seal of the line before, under the key `key_id`."""

    __tablename__ = "ledger_line"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    contract_id: Mapped[int] = mapped_column(ForeignKey("contract.id"))
    number: Mapped[int] = mapped_column(BigInteger)
    kind: Mapped[LedgerKind] = mapped_column(letters(LedgerKind, "ledger_kind"))
    amount: Mapped[int | None] = mapped_column(BigInteger)
    currency: Mapped[str | None] = mapped_column(String(3))
    coupons: Mapped[int | None]
    coupon_year: Mapped[int | None]
    reference: Mapped[str] = mapped_column(String(200))
    booked_at: Mapped[datetime]
    booked_by: Mapped[str] = mapped_column(String(100))
    key_id: Mapped[str] = mapped_column(String(40))
    mac: Mapped[str] = mapped_column(String(64))

    __table_args__ = (UniqueConstraint("contract_id", "number"),)


async def move_amount(
    write: Write, contract_id: int, kind: LedgerKind, amount: int, currency: str, reference: str
) -> bool:
    """Move the total of a contract by an amount; False, and nothing is done, where it would fall below zero, would no
    longer fit 64 bits, or has another currency. The contract is locked, and has a total (`open_total`)."""
    total: Any = TotalAmount.__table__
    moved = update(total).where(
        total.c.contract_id == contract_id,
        total.c.currency == currency,
        total.c.amount >= max(-amount, 0),
        total.c.amount <= MOST - max(amount, 0),
    )
    done: Any = await write.session.execute(
        moved.values(amount=total.c.amount + amount, calculated_at=write.now), execution_options=UNCHECKED
    )
    if not done.rowcount:
        return False
    await _append(write, contract_id, kind, reference, amount=amount, currency=currency)
    return True


def reference_of(internal_transaction_id: Any) -> Any:
    """What the line of a transaction has as its reference."""
    return "transaction " + internal_transaction_id


MOST = 10**15
"""More than any contract has, in the smallest unit: exact in JSON, and far from the end of 64 bits."""


async def open_total(write: Write, contract_id: int, currency: str) -> None:
    """Give a contract a total of nothing in a currency, if it has none."""
    new = _insert(write, TotalAmount).values(
        contract_id=contract_id, amount=0, currency=currency, calculated_at=write.now
    )
    await write.session.execute(new.on_conflict_do_nothing())


async def move_coupons(
    write: Write,
    contract_id: int,
    limit: int,
    kind: LedgerKind,
    coupons: int,
    year: "YearBounds",
    reference: str,
) -> bool:
    """Give back (positive) or take (negative) coupons of a contract in a year; False, and nothing is done, where fewer
    than none or more than `limit` would be left. The contract is locked, and its holds that are over are settled."""
    if not await _has_moved_coupons(write, contract_id, year.year, coupons):
        # The first time in a year there is nothing to move yet.
        new = _insert(write, CouponYear).values(
            contract_id=contract_id,
            year=year.year,
            starts_at=year.starts_at,
            ends_at=year.ends_at,
            coupons_limit=limit,
            remaining=limit,
        )
        made: Any = await write.session.execute(new.on_conflict_do_nothing())
        if not made.rowcount or not await _has_moved_coupons(write, contract_id, year.year, coupons):
            return False
    await _append(write, contract_id, kind, reference, coupons=coupons, coupon_year=year.year)
    return True


async def _has_moved_coupons(write: Write, contract_id: int, year: int, coupons: int) -> bool:
    left: Any = CouponYear.__table__
    moved = update(left).where(
        left.c.contract_id == contract_id,
        left.c.year == year,
        left.c.remaining + coupons >= 0,
        left.c.remaining + coupons <= left.c.coupons_limit,
    )
    done: Any = await write.session.execute(
        moved.values(remaining=left.c.remaining + coupons), execution_options=UNCHECKED
    )
    return bool(done.rowcount)


@dataclass(frozen=True, slots=True)
class YearBounds:
    """A Norwegian calendar year: from when to before when, in UTC."""

    year: int
    starts_at: datetime
    ends_at: datetime


async def _append(write: Write, contract_id: int, kind: LedgerKind, reference: str, **moved: Any) -> None:
    """Raises CannotOpen without a key."""
    head: Any = LedgerHead.__table__
    wanted = select(head.c.number, head.c.mac).where(head.c.contract_id == contract_id)
    found = (await write.session.execute(wanted)).one_or_none()
    number, before = (0, FIRST) if found is None else (found.number, found.mac)
    key = write.keys.newest
    line: dict[str, Any] = {
        "contract_id": contract_id,
        "number": number + 1,
        "kind": kind,
        "amount": None,
        "currency": None,
        "coupons": None,
        "coupon_year": None,
        "reference": reference,
        "booked_at": write.now,
        "booked_by": write.client_name[:100],
        "key_id": key.key_id,
        **moved,
    }
    line["mac"] = mac_of(key, before, line)
    await write.session.execute(insert(LedgerLine), [line])
    newest = {"number": number + 1, "mac": seal_of(key, line["mac"])}
    made = _insert(write, LedgerHead).values(contract_id=contract_id, **newest)
    await write.session.execute(made.on_conflict_do_update(index_elements=["contract_id"], set_=newest))


def _insert(write: Write, row: type[Base]) -> Any:
    dialect = sqlite if write.session.get_bind().dialect.name == "sqlite" else postgresql
    return dialect.insert(row)


COVERED = tuple(column.name for column in LedgerLine.__table__.columns if column.name not in ("id", "mac"))
"""What the MAC of a line covers, besides the seal before it."""


def mac_of(key: Key, before: str, line: Mapping[str, Any]) -> str:
    """The MAC of a line after the one with the seal `before`."""
    covered = [_plain(line[name]) for name in COVERED]
    return hmac.new(key.audit, orjson.dumps(["ledger", before, *covered]), sha256).hexdigest()


def seal_of(key: Key, mac: str) -> str:
    """The seal of the line with this MAC, which is made with the line's key."""
    return hmac.new(key.audit, orjson.dumps(["ledger seal", mac]), sha256).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return rfc3339(value)
    return value.value if isinstance(value, Enum) else value


# What is moved back


async def transaction(write: Write, internal_id: str) -> Transaction | None:
    """A transaction that the viewer may see, not locked: it never changes."""
    wanted = select(Transaction).where(Transaction.visible_to(write.viewer))
    return (await write.session.scalars(wanted.where(Transaction.internal_transaction_id == internal_id))).one_or_none()


async def currency_of(write: Write, contract_id: int) -> str | None:
    """The currency that the first deposit has fixed; None before it."""
    found: str | None = await write.session.scalar(
        select(TotalAmount.currency).where(TotalAmount.contract_id == contract_id)
    )
    return found
