"""Postal addresses of a customer (rules C31 and C80 to C82)."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from datastore import customer as stored
from datastore.writing import Write
from resolvers import formats
from resolvers.customer.changing import assign, changeable, not_for_users, same_version
from resolvers.customer.inputs import (
    CreatePostalAddressInput,
    DeletePostalAddressInput,
    PostalAddressInput,
    UpdatePostalAddressInput,
)
from resolvers.errors import ErrorCode, refuse
from resolvers.given import Format, Problems, checked

MOST_ADDRESSES = 50
VERIFIED = {"verified_at"}
ADDRESS_ID = re.compile("[0-9]{1,18}")
FORMATS: Mapping[str, Format] = {"country_code": formats.alpha3}


async def create_postal_address(write: Write, given: CreatePostalAddressInput) -> stored.PostalAddress:
    """A new address of a customer; posts UPDATE.

    Raises `Refused`: what `changeable` and the formats refuse, TOO_MANY_POSTAL_ADDRESSES.
    """
    customer = await changeable(write, given.customer_number)
    await room_for(write, customer, 1)
    not_for_users(write, given, VERIFIED)
    address = new_address(write, customer, address_values(given))
    write.customer_changed(customer)
    return address


async def update_postal_address(write: Write, given: UpdatePostalAddressInput) -> stored.PostalAddress:
    """The address with the given changes; posts UPDATE.

    Raises `Refused`: what `changeable` and the formats refuse, POSTAL_ADDRESS_NOT_FOUND, VERSION_CONFLICT.
    """
    customer = await changeable(write, given.customer_number)
    address = await address_of(write, customer, given.postal_address_id, "postalAddressId")
    same_version(address, given.expected_version)
    not_for_users(write, given, VERIFIED)
    assign(write, address, address_values(given))
    write.customer_changed(customer)
    return address


async def delete_postal_address(write: Write, given: DeletePostalAddressInput) -> Mapping[str, Any]:
    """The customer, without the address; posts UPDATE.

    Raises `Refused`: what `changeable` refuses, POSTAL_ADDRESS_NOT_FOUND, VERSION_CONFLICT.
    """
    customer = await changeable(write, given.customer_number)
    address = await address_of(write, customer, given.postal_address_id, "postalAddressId")
    same_version(address, given.expected_version, shown=customer)
    await write.session.delete(address)
    write.customer_changed(customer)
    return {"customer": customer, "deleted_postal_address_id": str(address.id)}


def checked_addresses(
    problems: Problems, given: Sequence[PostalAddressInput] | None
) -> Sequence[tuple[str | None, dict[str, Any]]]:
    """`(id, values)` of the addresses in the input of a customer; what is wrong with any goes to `problems`, below
    `postalAddresses` and its position."""
    addresses: list[tuple[str | None, dict[str, Any]]] = []
    if len(given or []) > MOST_ADDRESSES:
        problems.add(ErrorCode.TOO_MANY_POSTAL_ADDRESSES, "postalAddresses")
        return addresses
    named: set[str] = set()
    for position, address in enumerate(given or []):
        with problems.at("postalAddresses", str(position)):
            if address.id is not None:
                if address.id in named:
                    raise refuse(ErrorCode.VALUE_INVALID, "id", rejected=[address.id])
                named.add(address.id)
            addresses.append((address.id, address_values(address)))
    return addresses


async def save_addresses(
    write: Write, customer: stored.Customer, addresses: Sequence[tuple[str | None, Mapping[str, Any]]]
) -> None:
    """Update the addresses that have an id, add the others, leave the rest alone (C31).

    Raises `Refused`: TOO_MANY_POSTAL_ADDRESSES, POSTAL_ADDRESS_NOT_FOUND for each unknown id.
    """
    problems = Problems()
    with problems.at("postalAddresses"):
        await room_for(write, customer, sum(given_id is None for given_id, _ in addresses))
    for position, (given_id, values) in enumerate(addresses):
        if given_id is None:
            new_address(write, customer, values)
        else:
            with problems.at("postalAddresses", str(position)):
                assign(write, await address_of(write, customer, given_id, "id"), values)
    problems.raise_any()


def address_values(given: object) -> dict[str, Any]:
    """The given values of an address input (C80); C81 looks at post code and country together. Raises `Refused`."""
    problems = Problems()
    values = checked(problems, given, stored.PostalAddress, FORMATS, needed={"town"}, skip={"id"})
    if "country_code" in values and "post_code" in values:
        with problems.at("postCode"):
            values["post_code"] = formats.post_code(values["country_code"], values["post_code"])
    problems.raise_any()
    return values


def new_address(write: Write, customer: stored.Customer, values: Mapping[str, Any]) -> stored.PostalAddress:
    address = stored.PostalAddress(**values, customer_id=customer.id, created_at=write.now, changed_at=write.now)
    write.session.add(address)
    return address


async def address_of(write: Write, customer: stored.Customer, given_id: str, field: str) -> stored.PostalAddress:
    """The customer's address with this id. Raises `Refused`: POSTAL_ADDRESS_NOT_FOUND, for the address of another
    customer too."""
    found: stored.PostalAddress | None = None
    if ADDRESS_ID.fullmatch(given_id):
        found = await write.get(stored.PostalAddress.id, int(given_id), customer_id=customer.id)
    if found is None:
        raise refuse(ErrorCode.POSTAL_ADDRESS_NOT_FOUND, field, rejected=[given_id])
    return found


async def room_for(write: Write, customer: stored.Customer, more: int) -> None:
    """Raises `Refused`: TOO_MANY_POSTAL_ADDRESSES."""
    if more and await write.count(stored.PostalAddress.customer_id, customer.id) + more > MOST_ADDRESSES:
        raise refuse(ErrorCode.TOO_MANY_POSTAL_ADDRESSES)
