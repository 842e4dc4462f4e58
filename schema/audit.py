"""The audit log, as shown."""

from datetime import datetime
from typing import Any

import strawberry

from datastore import audit as stored
from datastore import customer_reads
from datastore.customer import Customer as StoredCustomer
from datastore.viewer import Permission, TenantKind
from resolvers import audit as resolve
from resolvers.scalars import Long
from schema.connection import PAGING, Connection
from schema.customer.types import Customer
from schema.permission import Callers, needs
from schema.view import computed, describe, one, query, selected, view_of

AUDIT = [needs(Permission.AUDIT_READ, Callers.INTERNAL)]


@strawberry.type(description="What happened to one value.", directives=AUDIT)
class AuditedValue:
    name: str = computed(lambda value: value["name"], description="Name of the value, as it is stored.")
    before: str | None = computed(
        lambda value: written(value["before"]), description="The value before; (hidden) for a sensitive one."
    )
    after: str | None = computed(
        lambda value: written(value["after"]), description="The value after; (hidden) for a sensitive one."
    )


@strawberry.type(description="What happened to one object.", directives=AUDIT)
class AuditedChange:
    object: str = computed(lambda change: change["object"], description="Type of the object.")
    object_id: strawberry.ID = computed(lambda change: change["id"], description="Internal id of the object.")
    action: str = computed(lambda change: change["action"], description="CREATE, UPDATE or DELETE.")
    values: list[AuditedValue] = computed(lambda change: change["fields"], description="The values that changed.")


@view_of(stored.AuditLogEntry, needs=Permission.AUDIT_READ, callers=Callers.INTERNAL)
class AuditLogEntry:
    """One act of one caller, as far as it concerned one customer, or none."""

    organisation_id: Long = strawberry.field(description="Organisation of the caller, whose chain the entry is in.")
    number: Long = strawberry.field(description="Place in the chain of that organisation, from 1 on.")
    kind: stored.AuditKind = strawberry.field(description="What the entry is about.")
    operation: str = strawberry.field(description="Name of the mutation, or of the operation that was answered.")
    logged_at: datetime = strawberry.field(description="When it happened.")
    tenant_kind: TenantKind = strawberry.field(description="Kind of tenant that the caller is of.")
    issuer: str = strawberry.field(description="Who issued the caller's token.")
    subject: str = strawberry.field(description="Who the caller is, as the issuer names it.")
    client_id: str = strawberry.field(description="The client that the token was issued to.")
    client_name: str = strawberry.field(description="The client's name for itself, from ET-Client-Name.")
    correlation_id: str = strawberry.field(description="Correlation id of the request.")
    is_erased: bool = computed(
        lambda entry: entry.details == stored.ERASED,
        description="Whether the person was erased since, and with it what the entry told.",
    )
    reason: str | None = computed(
        lambda entry: entry.details.get("reason"), description="Why sensitive values were read, for a REVEAL."
    )
    fields: list[str] = computed(
        lambda entry: entry.details.get("fields", []), description="The sensitive fields that were read, for a REVEAL."
    )
    person: str | None = computed(
        lambda entry: entry.details.get("person"),
        description="The person of whom sensitive values were read, if that is no customer, such as Employee 17.",
    )
    changes: list[AuditedChange] = computed(
        lambda entry: entry.details.get("changes", []), description="What was changed, for a CHANGE."
    )
    customer: Customer | None = one(
        StoredCustomer.id, via="customer_id", description="The customer it is about; the surviving one after a merge."
    )
    customer_number: Long | None = selected(
        customer_reads.owner,
        row=StoredCustomer,
        via="customer_id",
        is_list=False,
        shows="customer_number",
        description="Number of the customer it is about, whatever became of it.",
    )


@view_of(stored.AuditLogEntry, needs=Permission.SIGNED_IN)
class DataAccess:
    """One look of somebody at sensitive data of the person who asks."""

    accessed_at: datetime = computed(lambda entry: entry.logged_at, description="When it was read.")
    organisation_id: Long = strawberry.field(description="Organisation that read it.")
    client_name: str = strawberry.field(description="The client that it was read with.")
    reason: str = computed(lambda entry: entry.details.get("reason", ""), description="Why it was read.")
    fields: list[str] = computed(lambda entry: entry.details.get("fields", []), description="What was read.")


def written(value: Any) -> str | None:
    """A logged value as a text: JSON has Booleans of its own."""
    return str(value).lower() if isinstance(value, bool) else value


describe(
    stored.AuditKind,
    "What an entry of the audit log is about.",
    CHANGE="A mutation changed something.",
    REVEAL="Sensitive values were shown.",
)


@strawberry.type
class AuditQueries:
    audit_log: Connection[AuditLogEntry] = query(
        resolve.audit_log,
        needs=Permission.AUDIT_READ,
        callers=Callers.INTERNAL,
        description="The audit log, the newest entries first.",
        arguments={"filter": "What must hold.", **PAGING},
    )
