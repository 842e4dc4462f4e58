"""The audit log: who changed or was shown what, when, with which client and why.

The entries of an organisation's callers are a chain. Each entry has a MAC, made with a key that is not in the database,
that covers the entry and the seal of the one before it. The seal is a MAC of the entry's MAC; only that of the last
entry is stored, in the chain's head. So without the key an entry cannot be changed, put in or moved, nor can the last
ones be left out: the seal that the head would need is nowhere. `details` has all that is personal; the MAC covers a
salted digest of it.

What the chain cannot tell: that the database was taken back to an earlier state, entries and head together, or that a
chain is gone as a whole with its head. For that, the numbers that `kundeport audit verify` prints have to be kept
elsewhere. Nor does it stop whoever has a key, an old one included.
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import Any

import orjson
from sqlalchemy import (
    JSON,
    BigInteger,
    ColumnElement,
    Index,
    String,
    UniqueConstraint,
    and_,
    false,
    insert,
    select,
    true,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from datastore.base import Base, BigKey, letters, milliseconds
from datastore.bookkeeping import AuditChain
from datastore.changes import is_noting, note_changes, noted_changes, plain
from datastore.database import Database
from datastore.reading import among
from datastore.sealing import Key, Keyring
from datastore.viewer import TenantKind, Viewer

NO_SEAL = "0" * 64
"""What stands for the seal before the first entry."""
LONGEST_CLIENT_NAME = 100


ERASED: Mapping[str, Any] = {"is_erased": True}
"""What stands in place of the details of an entry about a person who was erased."""
ERASURES = ("eraseCustomer", "kundeport expire")
"""The operations whose entries say, under `erased`, the keys of which customers were erased."""
FILTERED = ("organisation_id", "customer_id", "kind", "operation", "subject", "correlation_id")
"""What entries are looked for by, the newest first."""


class AuditKind(Enum):
    """What an entry is about."""

    CHANGE = "C"
    REVEAL = "R"


class AuditLogEntry(Base):
    """One act of one caller, as far as it concerned one customer (or none)."""

    __tablename__ = "audit_log"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    organisation_id: Mapped[int] = mapped_column(BigInteger)
    number: Mapped[int] = mapped_column(BigInteger)
    kind: Mapped[AuditKind] = mapped_column(letters(AuditKind, "kind"))
    operation: Mapped[str] = mapped_column(String(100))
    logged_at: Mapped[datetime]
    tenant_kind: Mapped[TenantKind] = mapped_column(letters(TenantKind, "tenant_kind"))
    issuer: Mapped[str] = mapped_column(String(500))
    subject: Mapped[str] = mapped_column(String(200))
    client_id: Mapped[str] = mapped_column(String(200))
    client_name: Mapped[str] = mapped_column(String(100))
    correlation_id: Mapped[str] = mapped_column(String(64))
    customer_id: Mapped[int | None] = mapped_column(BigInteger)
    details: Mapped[Any] = mapped_column(JSON)
    details_digest: Mapped[str] = mapped_column(String(64))
    key_id: Mapped[str] = mapped_column(String(30))
    mac: Mapped[str] = mapped_column(String(64))

    __table_args__ = (
        UniqueConstraint("organisation_id", "number"),
        *(Index(f"ix_audit_log_{name}", name, "logged_at", "id") for name in FILTERED),
        Index("ix_audit_log_logged_at", "logged_at", "id"),
    )

    @classmethod
    def visible_to(cls, viewer: Viewer) -> ColumnElement[bool]:
        """Internal callers see all entries, a user those that tell of a look at the user's own data."""
        if viewer.is_internal:
            return true()
        if not viewer.is_user:
            return false()
        return and_(cls.kind == AuditKind.REVEAL, among(cls.customer_id, viewer.customer_ids))


@dataclass(slots=True)
class Reveal:
    """What one operation was shown of one person: the operation's name, and the fields, as `Note.text`."""

    operation: str
    coordinates: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Act:
    """What an entry tells, but for its place in the chain."""

    kind: AuditKind
    operation: str
    customer_id: int | None
    details: Mapping[str, Any]


async def append(
    session: AsyncSession,
    keys: Keyring,
    viewer: Viewer,
    client_name: str,
    correlation_id: str,
    now: datetime,
    acts: Iterable[Act],
) -> None:
    """Add an entry for each act to the chain of the viewer's organisation, in the session's transaction.

    Call it last: other transactions of the organisation's callers wait from here to the commit. It takes three
    statements, however many the acts, and two more for the first entries of an organisation. Raises CannotOpen without
    a key.
    """
    key = keys.newest
    number, seal = await _locked_head(session, viewer.organisation_id)
    rows: list[dict[str, Any]] = []
    for act in acts:
        number += 1
        details = {"salt": secrets.token_hex(16), **act.details}
        row: dict[str, Any] = {
            "organisation_id": viewer.organisation_id,
            "number": number,
            "kind": act.kind,
            "operation": act.operation,
            "logged_at": milliseconds(now),
            "tenant_kind": viewer.kind,
            "issuer": viewer.issuer,
            "subject": viewer.subject,
            "client_id": viewer.client_id,
            "client_name": client_name[:LONGEST_CLIENT_NAME],
            "correlation_id": correlation_id,
            "customer_id": act.customer_id,
            "details": details,
            "details_digest": digest(details),
            "key_id": key.key_id,
        }
        row["mac"] = mac_of(key, seal, row)
        seal = seal_of(key, row["mac"])
        rows.append(row)
    await session.execute(insert(AuditLogEntry), rows)
    head = update(AuditChain).where(AuditChain.organisation_id == viewer.organisation_id)
    not_in_memory = {"synchronize_session": False}
    await session.execute(head.values(number=number, mac=seal), execution_options=not_in_memory)


async def _locked_head(session: AsyncSession, organisation_id: int) -> tuple[int, str]:
    """The number of the last entry of an organisation's chain and its seal, locked until the end of the transaction;
    the chain is made if there is none."""
    wanted = select(AuditChain.number, AuditChain.mac).where(AuditChain.organisation_id == organisation_id)
    found = (await session.execute(wanted.with_for_update())).one_or_none()
    if found is None:
        new: Any = (sqlite if session.get_bind().dialect.name == "sqlite" else postgresql).insert(AuditChain)
        values = {"organisation_id": organisation_id, "number": 0, "mac": NO_SEAL}
        await session.execute(new.values(values).on_conflict_do_nothing())
        found = (await session.execute(wanted.with_for_update())).one()
    return found.number, found.mac


async def record_reveals(
    database: Database,
    viewer: Viewer,
    client_name: str,
    correlation_id: str,
    reason: str,
    revealed: Mapping[Any, Reveal],
) -> None:
    """Write an entry for each person of whom something was shown: by the key of a customer, or for others by a text
    such as `Employee 17`, which goes into the details. Raises if they cannot all be written; then none is."""
    acts = []
    for subject, reveal in sorted(revealed.items(), key=lambda each: (isinstance(each[0], str), each[0])):
        told = {"reason": reason, "fields": sorted(reveal.coordinates)}
        if isinstance(subject, str):
            acts.append(Act(AuditKind.REVEAL, reveal.operation, None, {**told, "person": subject}))
        else:
            acts.append(Act(AuditKind.REVEAL, reveal.operation, subject, told))
    async with database.write() as session:
        await append(session, database.keys, viewer, client_name, correlation_id, datetime.now(UTC), acts)


def record_changes(session: AsyncSession) -> None:
    """Note from now on every change that the session sends to the database, for `append_changes`. Rows can be changed
    through the ORM only: a statement that would change them past it raises `Unnoted`."""
    note_changes(session.sync_session)


async def append_changes(
    session: AsyncSession,
    keys: Keyring,
    viewer: Viewer,
    client_name: str,
    correlation_id: str,
    now: datetime,
    operation: str,
) -> None:
    """Add entries about the changes that were noted: one for each customer, one for those about none. An operation that
    has changed nothing has one entry, without changes; one that stopped noting has none. Raises CannotOpen without a
    key."""
    await session.flush()
    if not is_noting(session.sync_session):
        return
    by_customer = noted_changes(session.sync_session) or {None: []}
    acts = [
        Act(AuditKind.CHANGE, operation, customer_id, {"changes": changes})
        for customer_id, changes in by_customer.items()
    ]
    await append(session, keys, viewer, client_name, correlation_id, now, acts)


def digest(details: Any) -> str:
    """What the chain covers of the details. Its salt keeps them from being guessed from it."""
    return hashlib.sha256(canonical(details)).hexdigest()


def mac_of(key: Key, seal: str, row: Mapping[str, Any]) -> str:
    """The MAC of an entry after the one with this seal."""
    covered = [plain(row[name]) for name in COVERED]
    return hmac.new(key.audit, canonical([seal, *covered]), hashlib.sha256).hexdigest()


def seal_of(key: Key, mac: str) -> str:
    """The seal of the entry with this MAC, under the entry's own key."""
    return hmac.new(key.audit, b"seal " + mac.encode(), hashlib.sha256).hexdigest()


def canonical(value: Any) -> bytes:
    """The one text of a value of JSON. No MAC of an entry is one of a seal: this begins with a bracket."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


COVERED = tuple(
    column.name for column in AuditLogEntry.__table__.columns if column.name not in ("id", "details", "mac")
)
"""What the MAC covers. The place in the list, `id`, is checked against the order of the chain instead."""
