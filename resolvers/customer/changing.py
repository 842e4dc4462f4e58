"""What every change of a customer begins and ends with."""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy.orm.attributes import flag_modified

from datastore import customer as stored
from datastore.base import Base
from datastore.customer import CustomerStatus
from datastore.reading import snapshot
from datastore.writing import Write
from resolvers.errors import ErrorCode, refuse
from resolvers.given import given_fields

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
        raise refuse(ErrorCode.CUSTOMER_DELETED, "customerNumber", rejected=[number])
    return found


def same_version(
    entity: stored.Customer | stored.PostalAddress, expected_version: int | None, shown: Base | None = None
) -> None:
    """Raises `Refused`, VERSION_CONFLICT where another version is stored than expected, with the current state of what
    the payload shows: of the entity itself, or of `shown`."""
    if expected_version is not None and expected_version != entity.version:
        current = snapshot(entity if shown is None else shown)
        raise refuse(ErrorCode.VERSION_CONFLICT, "expectedVersion", rejected=[expected_version], current=current)


def changed(write: Write, customer: stored.Customer, values: Mapping[str, Any]) -> stored.Customer:
    """Give the customer these values, note who changed it and when (C11), and post UPDATE (C32).

    Where `values` lacks changed_by and changed_by_channel, it was the client, through this gateway.
    """
    by = {"changed_by": write.client_name or CHANNEL, "changed_by_channel": CHANNEL}
    assign(write, customer, {**by, **values})
    write.customer_changed(customer)
    return customer


def assign(write: Write, entity: stored.Customer | stored.PostalAddress, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        setattr(entity, name, value)
    entity.changed_at = write.now
    flag_modified(entity, "changed_at")  # a new version even where every value is what it was


def not_for_users(write: Write, given: object, names: Collection[str], *path: str) -> None:
    """Raises `Refused`, FORBIDDEN, where a user gives one of these fields of an input at `path`: nobody verifies their
    own address."""
    if write.viewer.is_user:
        for attribute, name, _ in given_fields(given):
            if attribute in names:
                raise refuse(ErrorCode.FORBIDDEN, *path, name)
