"""Reading the audit log: by internal callers, and by the persons whom it is about."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import strawberry
from sqlalchemy import ColumnElement, Select

from datastore.audit import AuditKind, AuditLogEntry
from datastore.customer import Customer
from datastore.keyset import Order, Window
from datastore.reading import among, visible
from datastore.viewer import Viewer
from resolvers.paging import window
from resolvers.scalars import Long
from resolvers.wanted import Reading, Statement, WantedPage

NEWEST_FIRST = Order([AuditLogEntry.__table__.c.logged_at, AuditLogEntry.__table__.c.id], descending=True)


@strawberry.input(description="Criteria for entries of the audit log; all that are given must hold.")
class AuditLogFilterInput:
    organisation_id: Long | None = strawberry.field(default=None, description="Organisation of the caller.")
    customer_number: Long | None = strawberry.field(default=None, description="Number of the customer it is about.")
    kind: AuditKind | None = strawberry.field(default=None, description="What the entry is about.")
    operation: str | None = strawberry.field(default=None, description="Name of the mutation, or of the operation.")
    subject: str | None = strawberry.field(default=None, description="Who acted, as the token issuer names it.")
    correlation_id: str | None = strawberry.field(default=None, description="Correlation id of the request.")
    logged_from: datetime | None = strawberry.field(default=None, description="Logged at this time or later.")
    logged_before: datetime | None = strawberry.field(default=None, description="Logged before this time.")


@Reading
def audit_log(
    viewer: Viewer,
    filter: AuditLogFilterInput | None = None,
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
) -> WantedPage:
    """A page of the audit log, the newest entries first. Raises `Refused`: PAGE_SIZE_INVALID, CURSOR_INVALID."""
    given = {name: value for name, value in vars(filter or AuditLogFilterInput()).items() if value is not None}

    def statement(viewer: Viewer, values: Mapping[str, Any]) -> Select[Any]:
        return visible(AuditLogEntry, viewer).where(*(CRITERIA[name](viewer, values[name]) for name in given))

    return newest_first(statement, given, "auditLog", window(first, after, last, before))


@Reading
def data_access_log(
    viewer: Viewer,
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
) -> WantedPage:
    """A page of who was shown sensitive data of the person who asks; empty for clients, who are nobody.

    Raises `Refused`: PAGE_SIZE_INVALID, CURSOR_INVALID.
    """

    def statement(viewer: Viewer, values: Mapping[str, Any]) -> Select[Any]:
        own = among(AuditLogEntry.customer_id, viewer.customer_ids)
        return visible(AuditLogEntry, viewer).where(own, AuditLogEntry.kind == AuditKind.REVEAL)

    query = ["dataAccessLog", sorted(viewer.customer_ids)]
    return newest_first(statement, {}, query, window(first, after, last, before))


def newest_first(statement: Statement, values: Mapping[str, Any], name: Any, part: Window) -> WantedPage:
    return WantedPage(
        row=AuditLogEntry,
        shape=(str(name), *values) if isinstance(name, str) else "own",
        values=values,
        statement=statement,
        order=NEWEST_FIRST,
        window=part,
        query=[name, {each: str(value) for each, value in values.items()}],
    )


def about(viewer: Viewer, number: Any) -> ColumnElement[bool]:
    """Whether an entry is about the customer with this number."""
    customer = visible(Customer, viewer).with_only_columns(Customer.id).where(Customer.customer_number == number)
    return AuditLogEntry.customer_id == customer.scalar_subquery()


CRITERIA: Mapping[str, Callable[[Viewer, Any], ColumnElement[bool]]] = {
    "organisation_id": lambda _, value: AuditLogEntry.organisation_id == value,
    "customer_number": about,
    "kind": lambda _, value: AuditLogEntry.kind == value,
    "operation": lambda _, value: AuditLogEntry.operation == value,
    "subject": lambda _, value: AuditLogEntry.subject == value,
    "correlation_id": lambda _, value: AuditLogEntry.correlation_id == value,
    "logged_from": lambda _, value: AuditLogEntry.logged_at >= value,
    "logged_before": lambda _, value: AuditLogEntry.logged_at < value,
}
"""Field of the filter -> the condition on entries that its value stands for."""
