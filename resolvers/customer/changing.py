"""What every change of a customer begins and ends with."""

from collections.abc import Mapping
from typing import Any

from datastore import customer as stored
from datastore.customer import CustomerStatus
from datastore.reading import snapshot
from datastore.writing import Write
from resolvers.errors import ErrorCode, refuse

CHANNEL = "graphql"
"""The channel of a change whose input has no place to name one."""


async def changeable(
    write: Write, number: int, expected_version: int | None = None, *, deleted_too: bool = False
) -> stored.Customer:
    """The customer with this number, locked for change.

    Raises `Refused`: CUSTOMER_NOT_FOUND (foreign ones too, T04), CUSTOMER_MERGED, CUSTOMER_DELETED unless
    `deleted_too`, VERSION_CONFLICT with the current state.
    """
    found: stored.Customer | None = await write.get(stored.Customer.customer_number, number)
    if found is None:
        raise refuse(ErrorCode.CUSTOMER_NOT_FOUND, "customerNumber", rejected=[number])
    if found.merged_into_id is not None:
        raise refuse(ErrorCode.CUSTOMER_MERGED, "customerNumber", rejected=[number])
    same_version(found, expected_version)
    if found.status is CustomerStatus.DELETED and not deleted_too:
        raise refuse(ErrorCode.CUSTOMER_DELETED, "customerNumber", rejected=[number], current=snapshot(found))
    return found


def same_version(entity: stored.Customer | stored.PostalAddress, expected_version: int | None) -> None:
    """Raises `Refused`, VERSION_CONFLICT with the current state, where another version is stored than expected."""
    if expected_version is not None and expected_version != entity.version:
        rejected = [expected_version]
        raise refuse(ErrorCode.VERSION_CONFLICT, "expectedVersion", rejected=rejected, current=snapshot(entity))


def changed(write: Write, customer: stored.Customer, by: Mapping[str, Any] | None = None) -> stored.Customer:
    """Note who changed the customer and when (C11), and post UPDATE (C32).

    `by` may have changed_by and changed_by_channel, where an input can do without them; then it is the client that
    made the change, through this gateway.
    """
    if by is not None:
        customer.changed_by = by.get("changed_by") or write.client_name or CHANNEL
        customer.changed_by_channel = by.get("changed_by_channel") or CHANNEL
    customer.changed_at = write.now
    write.customer_changed(customer)
    return customer
