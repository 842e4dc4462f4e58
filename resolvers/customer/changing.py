"""What every change of a customer begins and ends with."""

from collections.abc import Collection, Mapping
from typing import Any, cast

from sqlalchemy.orm.attributes import flag_modified

from datastore import customer as stored
from datastore.base import Base
from datastore.customer import CustomerStatus, Versioned
from datastore.reading import snapshot
from datastore.writing import Write
from resolvers.errors import ErrorCode, refuse
from resolvers.given import given_fields

CHANNEL = "graphql"
"""The channel of a change whose input has no place to name one."""


async def changeable(
    write: Write,
    number: int,
    expected_version: int | None = None,
    *,
    deleted_too: bool = False,
    field: str = "customerNumber",
) -> stored.Customer:
    """The customer with this number, locked for change; `field` of the input has the number.

    Raises `Refused`: CUSTOMER_NOT_FOUND (foreign ones too, T04), CUSTOMER_MERGED, CUSTOMER_DELETED unless
    `deleted_too`, VERSION_CONFLICT with the current state.
    """
    found: stored.Customer | None = await write.get(stored.Customer.customer_number, number)
    if found is None:
        raise refuse(ErrorCode.CUSTOMER_NOT_FOUND, field, rejected=[number])
    if found.merged_into_id is not None:
        raise refuse(ErrorCode.CUSTOMER_MERGED, field, rejected=[number])
    same_version(found, expected_version)
    if found.status is CustomerStatus.DELETED and not deleted_too:
        raise refuse(ErrorCode.CUSTOMER_DELETED, field, rejected=[number])
    return found


def same_version(entity: Versioned, expected_version: int | None, shown: Base | None = None) -> None:
    """Raises `Refused`, VERSION_CONFLICT where another version is stored than expected, with the current state of what
    the payload shows: of the entity itself, or of `shown`."""
    if expected_version is not None and expected_version != entity.version:
        current = snapshot(cast(Base, entity) if shown is None else shown)
        raise refuse(ErrorCode.VERSION_CONFLICT, "expectedVersion", rejected=[expected_version], current=current)


def changed(write: Write, customer: stored.Customer, values: Mapping[str, Any]) -> stored.Customer:
    """Give the customer these values, note who changed it and when (C11), and post UPDATE (C32).

    Where `values` lacks changed_by and changed_by_channel, it was the client, through this gateway.
    """
    by = {"changed_by": write.client_name or CHANNEL, "changed_by_channel": CHANNEL}
    assign(write, customer, {**by, **values})
    write.customer_changed(customer)
    return customer


def assign(write: Write, entity: Any, values: Mapping[str, Any]) -> None:
    """Give a row that knows when it was changed these values, and a new version even where they are what they were."""
    for name, value in values.items():
        setattr(entity, name, value)
    entity.changed_at = write.now
    flag_modified(entity, "changed_at")


def not_for_users(write: Write, given: object, names: Collection[str], *path: str) -> None:
    """Raises `Refused`, FORBIDDEN, where a user gives one of these fields of an input at `path`: nobody verifies their
    own address."""
    if write.viewer.is_user:
        for attribute, name, _ in given_fields(given):
            if attribute in names:
                raise refuse(ErrorCode.FORBIDDEN, *path, name)
