"""What a mutation writes with: one transaction, the rows the viewer may change, the events it causes."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from datastore.base import Base
from datastore.bookkeeping import EventType, IdempotencyRecord, OutboxEvent
from datastore.customer import Customer
from datastore.database import DEFAULT_POLICY
from datastore.policy import Policy
from datastore.reading import key_of
from datastore.sealing import Keyring
from datastore.viewer import Viewer

R = TypeVar("R", bound=Base)

CUSTOMER_QUEUE = "customer-changed"
IDEMPOTENCY_KEPT = timedelta(days=7)


@dataclass(slots=True)
class Write:
    """One business act in its transaction. `now` is its moment (aware, UTC): every row it touches carries it.
    `prepared` is what was made for it before the transaction began, `keys` seal what is sensitive."""

    session: AsyncSession
    viewer: Viewer
    now: datetime
    client_name: str
    correlation_id: str
    policy: Policy = DEFAULT_POLICY
    prepared: Any = None
    keys: Keyring = field(default_factory=Keyring)

    async def lock(self, *names: object) -> None:
        """Wait until no other transaction holds this lock, and hold it to the end: for what is to be unique and has no
        row to lock. On SQLite a transaction that writes is alone anyway."""
        if self.session.get_bind().dialect.name == "postgresql":
            await self.session.execute(select(func.pg_advisory_xact_lock(_lock_key(names))))

    async def try_lock(self, *names: object) -> bool:
        """`lock`, if nobody else holds it; else nothing, and False. Whoever cannot wait need not keep a connection."""
        if self.session.get_bind().dialect.name != "postgresql":
            return True
        return bool(await self.session.scalar(select(func.pg_try_advisory_xact_lock(_lock_key(names)))))

    async def get(self, column: InstrumentedAttribute[Any], value: object, **also: object) -> Any:
        """The entity whose `column` (and further columns, by name) has this value, locked against other writers
        until the end of the transaction; None if there is none that the viewer may see."""
        row = column.class_
        statement = select(row).where(row.visible_to(self.viewer), column == value).filter_by(**also)
        return (await self.session.scalars(statement.with_for_update())).one_or_none()

    async def exists(self, row: type[Base], *conditions: ColumnElement[bool], **columns: object) -> bool:
        """Whether any row fits, visible to the viewer or not (unique keys are everybody's)."""
        found = select(row).where(*conditions).filter_by(**columns)
        return bool(await self.session.scalar(select(found.exists())))

    async def count(self, column: InstrumentedAttribute[Any], value: object, **also: object) -> int:
        """How many rows have this value (and further columns, by name, theirs)."""
        counted = select(func.count()).select_from(column.class_).where(column == value).filter_by(**also)
        return await self.session.scalar(counted) or 0

    def customer_changed(self, customer: Customer, event: EventType = EventType.UPDATE) -> None:
        """Put an event about the customer in the outbox (rules C16, C32, V01, V02)."""
        self.session.add(
            OutboxEvent(
                queue=CUSTOMER_QUEUE,
                type=event,
                customer_number=customer.customer_number,
                organisation_id=customer.organisation_id,
                changed_at=self.now,
                correlation_id=self.correlation_id,
            )
        )


class KeyReused(Exception):
    """The idempotency key was used for another input."""


@dataclass(frozen=True, slots=True)
class Idempotent:
    """One use of an idempotency key. The key is the caller's own: others cannot meet it."""

    key: str
    input_hash: str

    @classmethod
    def of(cls, key: str, mutation: str, given: Mapping[str, Any], viewer: Viewer, secret: bytes) -> "Idempotent":
        """`given` is the mutation's input as JSON-like values. Only keyed hashes are kept: of the input, and of the
        caller with the key."""
        # json escapes lone surrogates.
        caller, act = (
            json.dumps(text, sort_keys=True, default=str)
            for text in ([viewer.issuer, viewer.subject, viewer.customer_number, key], [mutation, given])
        )
        return cls(_hash(secret, caller), _hash(secret, act))

    async def record(self, write: Write) -> IdempotencyRecord:
        """The record of the key's first use; if this is the first, a new one without result. Raises `KeyReused`.

        A new one goes to the database before anything else, so that a second use at the same time waits there.
        """
        forgotten = IdempotencyRecord.created_at < write.now - IDEMPOTENCY_KEPT
        await write.session.execute(delete(IdempotencyRecord).where(forgotten))
        mine = {"organisation_id": write.viewer.organisation_id, "key": self.key}
        record = await write.session.scalar(select(IdempotencyRecord).filter_by(**mine))
        if record is None:
            record = IdempotencyRecord(**mine, input_hash=self.input_hash, result={}, created_at=write.now)
            write.session.add(record)
            await write.session.flush()
        elif not hmac.compare_digest(record.input_hash, self.input_hash):
            raise KeyReused
        return record


def _lock_key(names: tuple[object, ...]) -> int:
    return int.from_bytes(hashlib.sha256(repr(names).encode()).digest()[:8], signed=True)


def _hash(secret: bytes, text: str) -> str:
    return hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()


async def remember(write: Write, record: IdempotencyRecord, answered: Mapping[str, Any]) -> None:
    """Keep what a first use answered: rows by table and key, other values as they are, but for `Once`."""
    await write.session.flush()
    record.result = {name: _reference(value) for name, value in answered.items()}


async def remembered(write: Write, record: IdempotencyRecord) -> dict[str, Any]:
    """What the first use answered, read again as it is now; rows that are gone by now are None."""
    return {name: await _revive(write, value, record.created_at) for name, value in record.result.items()}


class Once(str):
    """A text that is answered once and kept nowhere, such as a new password: to a repeat it is null."""

    __slots__ = ()


def _reference(value: Any) -> Any:
    if isinstance(value, Once):
        return None
    if isinstance(value, Base):
        return {"table": value.__tablename__, "key": getattr(value, str(key_of(type(value)).key))}
    return value


async def _revive(write: Write, value: Any, answered_at: datetime) -> Any:
    if not isinstance(value, dict) or value.keys() != {"table", "key"}:
        return value
    row = next(mapper.class_ for mapper in Base.registry.mappers if mapper.class_.__tablename__ == value["table"])
    found = await write.session.scalar(select(row).where(row.visible_to(write.viewer), key_of(row) == value["key"]))
    # SQLite gives the key of the last row again once that is deleted: what is younger than the answer is another row.
    created_at: datetime | None = getattr(found, "created_at", None)
    return None if created_at is not None and created_at > answered_at else found
