"""Erasing and exporting what is stored about a person (rules C15, C50 and C58)."""

from collections.abc import Mapping
from typing import Any

import strawberry

from datastore import customer as stored
from datastore.audit import Act, AuditKind, append
from datastore.base import rfc3339
from datastore.changes import stop_noting
from datastore.erasure import MUTATION, RULES, Erased, erase, locked_people, tell
from datastore.export import document_of, sealed_fields
from datastore.keyset import cursor_key
from datastore.writing import Write
from resolvers.carry_out import Outcome, prepared_by
from resolvers.context import Context
from resolvers.customer.changing import changeable
from resolvers.customer.inputs import BY_WHOM, CHANNEL, CUSTOMER_NUMBER, EXPECTED_VERSION
from resolvers.errors import ErrorCode, refuse
from resolvers.given import Problems, checked
from resolvers.scalars import Long

EXPORT = "exportCustomer"


@strawberry.input(description="A person to erase.")
class EraseCustomerInput:
    customer_number: Long = strawberry.field(
        description="Number of the customer; profiles that were merged into this one are erased with it."
    )
    changed_by: str | None = strawberry.field(default=None, description=f"{BY_WHOM} By default the client's name.")
    changed_by_channel: str | None = strawberry.field(default=None, description=f"{CHANNEL} By default graphql.")
    expected_version: int | None = strawberry.field(default=None, description=EXPECTED_VERSION)


@strawberry.input(description="A person whose data is to be handed over.")
class ExportCustomerInput:
    customer_number: Long = strawberry.field(description=CUSTOMER_NUMBER)


async def the_secret(context: Context, _: object) -> bytes:
    """What names are hashed with."""
    return await cursor_key(context.database)


async def the_reason(context: Context, _: object) -> str:
    return context.reason


@prepared_by(the_secret)
async def erase_customer(write: Write, given: EraseCustomerInput) -> Mapping[str, Any]:
    """The receipt of an erasure: the customer and all that were merged into it, of whatever status, are gone with all
    that belongs to them (C50), and answer as unknown from now on (C58); posts UPDATE for each of them, and for others
    that referred to them.

    Raises `Refused`: CUSTOMER_NOT_FOUND, CUSTOMER_MERGED, VERSION_CONFLICT (without the current state: there is no
    customer in the payload), what `checked` refuses.
    """
    profiles = await locked_people(write.session, _is(write, given.customer_number))
    customer = await changeable(write, given.customer_number, deleted_too=True)
    if given.expected_version not in (None, customer.version):
        raise refuse(ErrorCode.VERSION_CONFLICT, "expectedVersion", rejected=[given.expected_version])
    problems = Problems()
    by = checked(problems, given, stored.Customer, {}, skip={"customer_number"})
    problems.raise_any()
    stop_noting(write.session.sync_session)  # what it would note is what has to go
    erased = await erase(write.session, write.prepared, profiles, write.now)
    client = (write.client_name, write.correlation_id)
    await tell(write.session, write.keys, erased, lambda _: write.viewer, client, write.now, MUTATION, by)
    return {"receipt": receipt_of(customer.customer_number, erased, write)}


def receipt_of(number: int, erased: Erased, write: Write) -> Mapping[str, Any]:
    """What was done, in numbers: it may be kept."""
    entries = [
        {
            "object": rule.row.__name__,
            "action": rule.action.name,
            "rows": erased.rows[rule.row.__tablename__],
            "legal_ground": rule.legal_ground,
        }
        for rule in RULES
    ]
    return {"customer_number": number, "erased_at": rfc3339(write.now), "entries": entries}


@prepared_by(the_reason)
async def export_customer(write: Write, given: ExportCustomerInput) -> Outcome:
    """A document with all that is stored about the person, sealed values opened. The log tells of it, as of any look at
    sensitive values; the document itself is kept nowhere: a repeat under an idempotency key is another export.

    Raises `Refused`: ACCESS_REASON_INVALID without a reason, CUSTOMER_NOT_FOUND, CUSTOMER_MERGED.
    """
    if not (reason := write.prepared):
        raise refuse(ErrorCode.ACCESS_REASON_INVALID)
    profiles = await locked_people(write.session, _is(write, given.customer_number))
    customer = await changeable(write, given.customer_number, deleted_too=True)
    document = await document_of(write.session, write.keys, profiles, write.now)
    stop_noting(write.session.sync_session)  # there is nothing to note; the entry below tells
    fields = [EXPORT, *sealed_fields(document)]
    look = Act(AuditKind.REVEAL, EXPORT, customer.id, {"reason": reason, "fields": fields})
    client = (write.client_name, write.correlation_id)
    await append(write.session, write.keys, write.viewer, *client, write.now, [look])
    return Outcome({"document": {"customerNumber": customer.customer_number, **document}})


def _is(write: Write, number: int) -> Any:
    """The condition on the customer with this number, if the viewer may see it."""
    return (stored.Customer.customer_number == number) & stored.Customer.visible_to(write.viewer)
