"""The gateway's own rows: events on their way out, idempotency records, heads of audit chains, failed sign-ins,
secrets."""

from datetime import datetime
from enum import Enum
from typing import Any

from sqlalchemy import JSON, BigInteger, Index, LargeBinary, String, UniqueConstraint, literal_column
from sqlalchemy.orm import Mapped, mapped_column

from datastore.base import Base, BigKey, KeyText, letters


class EventType(Enum):
    """Rule V01."""

    CREATE = "CREATE"
    UPDATE = "UPDATE"


class OutboxEvent(Base):
    """An event that has happened and is still to be put on its queue (rules V01 and V02).

    It is written in the transaction of the change and holds no personal data: who changed, not what.
    Per customer the order of `id` is the order of the changes.
    """

    __tablename__ = "outbox"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    queue: Mapped[str] = mapped_column(String(60))
    type: Mapped[EventType] = mapped_column(letters(EventType, "type"))
    customer_number: Mapped[int] = mapped_column(BigInteger)
    organisation_id: Mapped[int] = mapped_column(BigInteger)
    changed_at: Mapped[datetime]
    correlation_id: Mapped[str] = mapped_column(String(64))
    published_at: Mapped[datetime | None]

    __table_args__ = (
        Index(
            "ix_outbox_unpublished",
            "id",
            sqlite_where=literal_column("published_at IS NULL"),
            postgresql_where=literal_column("published_at IS NULL"),
        ),
    )


class IdempotencyRecord(Base):
    """A mutation that was carried out under a key: a repeat is answered from it and not carried out again.

    `input_hash` is a keyed hash of the mutation's name and input; `result` names the changed objects by table and
    key and holds no personal data.
    """

    __tablename__ = "idempotency"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    organisation_id: Mapped[int] = mapped_column(BigInteger)
    key: Mapped[str] = mapped_column(KeyText(100))
    input_hash: Mapped[str] = mapped_column(String(64))
    result: Mapped[Any] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(index=True)

    __table_args__ = (UniqueConstraint("organisation_id", "key"),)


class AuditChain(Base):
    """The head of an organisation's audit chain: how many entries it has, and the seal of the last one."""

    __tablename__ = "audit_chain"

    organisation_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(BigInteger)
    mac: Mapped[str] = mapped_column(String(64))


class SignInFailure(Base):
    """How often in a row signing in has failed with a user name, whether anybody has it or not (rule C103), or claiming
    by a code, for a customer or a caller (rule L41).

    `name_hash` is a keyed hash of what failed and of the name.
    """

    __tablename__ = "sign_in_failure"

    name_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    failures: Mapped[int]
    last_failed_at: Mapped[datetime] = mapped_column(index=True)


class GatewaySecret(Base):
    """A random key made with the database, so that all processes over it share it without any setting."""

    __tablename__ = "gateway_secret"

    name: Mapped[str] = mapped_column(String(60), primary_key=True)
    value: Mapped[bytes] = mapped_column(LargeBinary)
