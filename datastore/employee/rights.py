"""Ticket rights: who holds which ticket type from when until when, by which rule or order."""

from datetime import date, datetime
from enum import Enum
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    ColumnElement,
    Date,
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
    literal_column,
    or_,
    select,
)
from sqlalchemy.orm import Mapped, aliased, mapped_column

from datastore.base import Base, BigKey, ForEverybody, KeyText
from datastore.customer import Changes, Versioned
from datastore.employee.codes import Deletable
from datastore.employee.personnel import Employee, OfCompany
from datastore.reading import among
from datastore.sealing import SEALED
from datastore.viewer import Viewer


class SimpleRule(ForEverybody, Versioned, Changes, Base):
    """A rule by which somebody is given a ticket type. `conditions` are all to be met, in the form of
    `resolvers.employee.eligibility.Conditions`."""

    __tablename__ = "simple_rule"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    ticket_type_id: Mapped[int] = mapped_column(ForeignKey("ticket_type.id"), index=True)
    conditions: Mapped[Any] = mapped_column(JSON)
    is_active: Mapped[bool] = mapped_column(default=True)


class SimpleRuleVersion(ForEverybody, Base):
    """A rule as it was from a change on."""

    __tablename__ = "simple_rule_version"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    rule_id: Mapped[int] = mapped_column(ForeignKey("simple_rule.id"), index=True)
    version: Mapped[int]
    name: Mapped[str] = mapped_column(String(100))
    ticket_type_id: Mapped[int] = mapped_column(ForeignKey("ticket_type.id"), index=True)
    conditions: Mapped[Any] = mapped_column(JSON)
    is_active: Mapped[bool]
    changed_at: Mapped[datetime]
    changed_by: Mapped[str] = mapped_column(String(100))

    __table_args__ = (UniqueConstraint("rule_id", "version"),)


class OfHolder:
    """Mixin: rows about an employee (`family_member_id` is null) or a member of the employee's family."""

    employee_id: Mapped[int] = mapped_column(ForeignKey("employee.id"), index=True)
    family_member_id: Mapped[int | None] = mapped_column(ForeignKey("family_member.id"), index=True)

    @classmethod
    def visible_to(cls, viewer: Viewer) -> ColumnElement[bool]:
        """Whoever sees the employee, and the family member itself."""
        if viewer.is_user:
            own = among(cls.family_member_id, viewer.family_member_ids)
            return or_(among(cls.employee_id, viewer.employee_ids), own)
        owner = aliased(Employee)
        seen = select(owner.id).where(owner.id == cls.employee_id, owner.visible_to(viewer))
        return seen.correlate_except(owner).exists()


class TicketRightsHolder(OfHolder, Base):
    """An employee or a family member as a holder of ticket rights. There is one for each of them. The code is what a
    customer claims the rights with (rule E21)."""

    __tablename__ = "ticket_rights_holder"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    ticket_holder_code: Mapped[str] = mapped_column(KeyText(64), unique=True)

    __table_args__ = (UniqueConstraint("employee_id", "family_member_id"),)


class SyncState(Enum):
    """How far a ticket right is on its way to another system (rule E34)."""

    NOT_READY = "not-ready"
    READY = "ready"
    SYNCED = "synced"
    FAILED = "failed"


class ManualOrder(OfHolder, Deletable, Versioned, Changes, Base):
    """A ticket ordered by hand, from its first day to its last (rules E40 to E43)."""

    __tablename__ = "manual_order"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    ticket_type_id: Mapped[int] = mapped_column(ForeignKey("ticket_type.id"), index=True)
    from_date: Mapped[date] = mapped_column(Date)
    to_date: Mapped[date] = mapped_column(Date)
    issue_date: Mapped[date] = mapped_column(Date, index=True)
    ticket_no: Mapped[str | None] = mapped_column(KeyText(40))
    travel_type_id: Mapped[int | None] = mapped_column(ForeignKey("travel_type.id"), index=True)
    fip_ticket_type_id: Mapped[int | None] = mapped_column(ForeignKey("fip_ticket_type.id"), index=True)


class StationPair(Base):
    """Two different stations between which a manual order is good (rules E41 and E44)."""

    __tablename__ = "station_pair"
    __owner__ = "manual_order_id"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    manual_order_id: Mapped[int] = mapped_column(ForeignKey("manual_order.id"), index=True)
    from_station_id: Mapped[str] = mapped_column(ForeignKey("station.id"), index=True)
    to_station_id: Mapped[str] = mapped_column(ForeignKey("station.id"), index=True)

    @classmethod
    def visible_to(cls, viewer: Viewer) -> ColumnElement[bool]:
        order = aliased(ManualOrder)
        seen = select(order.id).where(order.id == cls.manual_order_id, order.visible_to(viewer))
        return seen.correlate_except(order).exists()


def was_told() -> ColumnElement[bool]:
    """The condition on rights that another system knows of, or may know of."""
    right = TicketRight.__table__.c
    return or_(
        *(
            or_(right[f"{name}_is_ready_to_sync"], right[f"{name}_sync_timestamp"].is_not(None), error.is_not(None))
            for name, error in ((name, right[f"{name}_error_message"]) for name in ("ticket", "customer"))
        )
    )


READY = "{system}_is_ready_to_sync AND {system}_sync_timestamp IS NULL AND {system}_error_message IS NULL"
"""What the systems ask for all the time: few rights, in an index of their own."""


def _few(name: str, condition: str) -> Index:
    """An index of the few rows that meet a condition."""
    where: Any = literal_column(condition)
    return Index(name, "id", sqlite_where=where, postgresql_where=where)


class TicketRight(OfHolder, Versioned, Base):
    """A right to a ticket type from a day to before another one, within one calendar year (rules E30 to E35).

    One that ends on its first day was withdrawn before it began: other systems know of it, and are told so."""

    __tablename__ = "ticket_right"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    ticket_holder_id: Mapped[int] = mapped_column(ForeignKey("ticket_rights_holder.id"), index=True)
    ticket_type_id: Mapped[int] = mapped_column(ForeignKey("ticket_type.id"), index=True)
    rule_id: Mapped[int | None] = mapped_column(ForeignKey("simple_rule.id"), index=True)
    rule_version: Mapped[int | None]
    manual_order_id: Mapped[int | None] = mapped_column(ForeignKey("manual_order.id"), index=True)
    valid_from: Mapped[date] = mapped_column(Date)
    valid_until: Mapped[date] = mapped_column(Date)
    calculation_timestamp: Mapped[datetime]
    note: Mapped[str | None] = mapped_column(String(255))
    ticket_error_message: Mapped[str | None] = mapped_column(String(500))
    ticket_is_ready_to_sync: Mapped[bool] = mapped_column(default=False)
    ticket_sync_timestamp: Mapped[datetime | None]
    customer_error_message: Mapped[str | None] = mapped_column(String(500))
    customer_is_ready_to_sync: Mapped[bool] = mapped_column(default=False)
    customer_sync_timestamp: Mapped[datetime | None]

    __table_args__ = (
        Index("ix_ticket_right_valid", "employee_id", "valid_from", "valid_until"),
        # For an employee's own rights: else SQLite takes all that are nobody's in a family.
        Index("ix_ticket_right_of_person", "employee_id", "family_member_id"),
        Index(
            "uq_ticket_right_ticket_holder_id_ticket_type_id_valid_from",
            "ticket_holder_id",
            "ticket_type_id",
            "valid_from",
            unique=True,
            sqlite_where=literal_column("valid_until > valid_from"),
            postgresql_where=literal_column("valid_until > valid_from"),
        ),
        *(
            _few(f"ix_ticket_right_{system}_{state}", condition.format(system=system))
            for system in ("ticket", "customer")
            for state, condition in (("failed", "{system}_error_message IS NOT NULL"), ("ready", READY))
        ),
    )


def unended(table: str, condition: Any) -> Index:
    """An index of the few rows whose work has begun and has not ended, which is asked for all the time."""
    return Index(f"ix_{table}_unended", "id", sqlite_where=condition, postgresql_where=condition)


class TaxSavingReport(OfCompany, Base):
    """A report of the tax savings of a company's employees in a month, while it is made and when it is (rules E50 and
    E51). `progress` is in percent. The next batch begins after `last_employee_id`."""

    __tablename__ = "tax_saving_report"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    year: Mapped[int]
    month: Mapped[int]
    separator: Mapped[str] = mapped_column(String(1), default=",")
    started: Mapped[datetime]
    finished: Mapped[datetime | None]
    progress: Mapped[int] = mapped_column(default=0)
    rows_total: Mapped[int | None]
    rows_done: Mapped[int] = mapped_column(default=0)
    last_employee_id: Mapped[int] = mapped_column(BigInteger, default=0)
    error: Mapped[str | None] = mapped_column(String(255))
    csv: Mapped[str | None] = mapped_column(Text)
    started_by: Mapped[str] = mapped_column(String(100))

    __table_args__ = (unended("tax_saving_report", literal_column("finished IS NULL AND error IS NULL")),)

    @classmethod
    def visible_to(cls, viewer: Viewer) -> ColumnElement[bool]:
        return cls.of_visible_company(viewer)


class TaxSaving(Base):
    """What an employee saved by travelling with personnel tickets in a month, in øre; null if it is unknown (L35)."""

    __tablename__ = "tax_saving"
    __owner__ = "employee_id"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    employee_id: Mapped[int] = mapped_column(ForeignKey("employee.id"), index=True)
    year: Mapped[int]
    month: Mapped[int]
    amount: Mapped[int | None] = mapped_column(BigInteger)

    __table_args__ = (UniqueConstraint("employee_id", "year", "month"),)

    @classmethod
    def visible_to(cls, viewer: Viewer) -> ColumnElement[bool]:
        owner = aliased(Employee)
        seen = select(owner.id).where(owner.id == cls.employee_id, owner.visible_to(viewer))
        return seen.correlate_except(owner).exists()


class EmployeeImport(OfCompany, Base):
    """One run of importing employees: how far it is, and what it came to. Until it is started it is an upload, a whole
    one once `rows_total` is known. Its rows are in chunks, its own or those of the upload `upload_id`, of which
    `chunks_done` are imported. `errors` are those of the first bad rows: `[{"line": ..., "column": ..., "code": ...}]`,
    never with values."""

    __tablename__ = "employee_import"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    upload_id: Mapped[int | None] = mapped_column(ForeignKey("employee_import.id"), index=True)
    content_hash: Mapped[str] = mapped_column(String(64))
    is_dry_run: Mapped[bool]
    uploaded_at: Mapped[datetime] = mapped_column(index=True)
    started_at: Mapped[datetime | None]
    started_by: Mapped[str] = mapped_column(String(100))
    finished_at: Mapped[datetime | None]
    error: Mapped[str | None] = mapped_column(String(255))
    rows_total: Mapped[int | None]
    rows_done: Mapped[int] = mapped_column(default=0)
    chunks_done: Mapped[int] = mapped_column(default=0)
    inserted: Mapped[int] = mapped_column(default=0)
    updated: Mapped[int] = mapped_column(default=0)
    unchanged: Mapped[int] = mapped_column(default=0)
    failed: Mapped[int] = mapped_column(default=0)
    errors: Mapped[Any] = mapped_column(JSON)

    __table_args__ = (unended("employee_import", literal_column("finished_at IS NULL AND started_at IS NOT NULL")),)

    @classmethod
    def visible_to(cls, viewer: Viewer) -> ColumnElement[bool]:
        return cls.of_visible_company(viewer)


class UploadChunk(Base):
    """A part of an uploaded file, sealed. It is deleted when it has been imported, or after a day."""

    __tablename__ = "upload_chunk"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    import_id: Mapped[int] = mapped_column(ForeignKey("employee_import.id"), index=True)
    number: Mapped[int]
    content: Mapped[str] = mapped_column(Text, info={SEALED: True})

    __table_args__ = (UniqueConstraint("import_id", "number"),)

    @classmethod
    def visible_to(cls, viewer: Viewer) -> ColumnElement[bool]:
        run = aliased(EmployeeImport)
        seen = select(run.id).where(run.id == cls.import_id, run.visible_to(viewer))
        return seen.correlate_except(run).exists()
