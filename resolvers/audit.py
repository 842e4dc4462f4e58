"""Reading the audit log: by internal callers, and by the persons whom it is about."""

from datetime import datetime
from typing import Any

import strawberry

from datastore.audit import AuditKind, AuditLogEntry
from datastore.customer import Customer
from datastore.keyset import Order, Page, page
from datastore.reading import visible
from resolvers.context import Context
from resolvers.paging import paged, window
from resolvers.scalars import Long

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


async def audit_log(
    context: Context,
    filter: AuditLogFilterInput | None = None,
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
) -> Page[AuditLogEntry]:
    """A page of the audit log, the newest entries first. Raises `Refused`: PAGE_SIZE_INVALID, CURSOR_INVALID."""
    row, given = AuditLogEntry, filter or AuditLogFilterInput()
    statement = visible(row, context.viewer)
    for name in ("organisation_id", "kind", "operation", "subject", "correlation_id"):
        if (value := getattr(given, name)) is not None:
            statement = statement.where(getattr(row, name) == value)
    if given.customer_number is not None:
        number = Customer.customer_number == given.customer_number
        customer = visible(Customer, context.viewer).with_only_columns(Customer.id).where(number)
        statement = statement.where(row.customer_id == customer.scalar_subquery())
    if given.logged_from is not None:
        statement = statement.where(row.logged_at >= given.logged_from)
    if given.logged_before is not None:
        statement = statement.where(row.logged_at < given.logged_before)
    asked = {name: str(value) for name, value in vars(given).items()}
    return await newest_first(context, statement, ["auditLog", asked], first, after, last, before)


async def data_access_log(
    context: Context,
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
) -> Page[AuditLogEntry]:
    """A page of who was shown sensitive data of the person who asks; empty for clients, who are nobody.

    Raises `Refused`: PAGE_SIZE_INVALID, CURSOR_INVALID.
    """
    own = AuditLogEntry.customer_id.in_(sorted(context.viewer.customer_ids))
    statement = visible(AuditLogEntry, context.viewer).where(own, AuditLogEntry.kind == AuditKind.REVEAL)
    query = ["dataAccessLog", sorted(context.viewer.customer_ids)]
    return await newest_first(context, statement, query, first, after, last, before)


async def newest_first(
    context: Context,
    statement: Any,
    query: Any,
    first: int | None,
    after: str | None,
    last: int | None,
    before: str | None,
) -> Page[AuditLogEntry]:
    part = window(first, after, last, before)
    wanted = page(context.database, AuditLogEntry, statement, NEWEST_FIRST, part, query)
    return await paged(wanted, "before" if part.first is None else "after")
