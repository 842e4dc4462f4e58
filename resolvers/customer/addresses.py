"""Postal addresses of a customer (rules C31 and C80 to C82)."""

from collections.abc import Mapping, Sequence
from typing import Any

from datastore import customer as stored
from datastore.writing import Write
from resolvers import formats
from resolvers.customer.changing import changeable, same_version
from resolvers.customer.inputs import (
    CreatePostalAddressInput,
    DeletePostalAddressInput,
    PostalAddressInput,
    UpdatePostalAddressInput,
)
from resolvers.errors import ErrorCode, refuse
from resolvers.given import Format, Problems, checked

MOST_ADDRESSES = 50
LARGEST_ID = 2**63 - 1
FORMATS: Mapping[str, Format] = {"country_code": formats.alpha3}


async def create_postal_address(write: Write, given: CreatePostalAddressInput) -> stored.PostalAddress:
    """A new address of a customer; posts UPDATE.

    Raises `Refused`: what `changeable` and the formats refuse, TOO_MANY_POSTAL_ADDRESSES.
    """
    customer = await changeable(write, given.customer_number)
    await room_for(write, customer, 1)
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
    change(write, address, address_values(given))
    write.customer_changed(customer)
    return address


async def delete_postal_address(write: Write, given: DeletePostalAddressInput) -> Mapping[str, Any]:
    """The customer, without the address; posts UPDATE.

    Raises `Refused`: what `changeable` refuses, POSTAL_ADDRESS_NOT_FOUND, VERSION_CONFLICT.
    """
    customer = await changeable(write, given.customer_number)
    address = await address_of(write, customer, given.postal_address_id, "postalAddressId")
    same_version(address, given.expected_version)
    await write.session.delete(address)
    write.customer_changed(customer)
    return {"customer": customer, "deleted_postal_address_id": str(address.id)}


async def save_addresses(
    write: Write, customer: stored.Customer, given: Sequence[PostalAddressInput], *, is_new: bool = False
) -> None:
    """Update the addresses that have an id, add the others, leave the rest alone (C31). Every address of a customer
    that `is_new` is new, whatever its id.

    Raises `Refused` with the problems of all of them, below `postalAddresses` and their position.
    """
    problems = Problems()
    for position, one in enumerate(given):
        with problems.at("postalAddresses", str(position)):
            values = address_values(one)
            if one.id is None or is_new:
                new_address(write, customer, values)
            else:
                change(write, await address_of(write, customer, one.id, "id"), values)
    if given:
        with problems.at("postalAddresses"):
            await room_for(write, customer, 0)
    problems.raise_any()


def address_values(given: object) -> dict[str, Any]:
    """The given values of an address input, checked: C81 looks at post code and country together."""
    values = checked(given, stored.PostalAddress, FORMATS, skip={"id", "customer_number"})
    problems = Problems()
    if values["town"] is None:  # rule A10: old rows may lack it
        with problems.at("town"):
            raise refuse(ErrorCode.REQUIRED)
    with problems.at("postCode"):
        values["post_code"] = formats.post_code(values["country_code"], values["post_code"])
    problems.raise_any()
    return values


def new_address(write: Write, customer: stored.Customer, values: Mapping[str, Any]) -> stored.PostalAddress:
    address = stored.PostalAddress(**values, customer_id=customer.id, created_at=write.now, changed_at=write.now)
    write.session.add(address)
    return address


def change(write: Write, address: stored.PostalAddress, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        setattr(address, name, value)
    address.changed_at = write.now


async def address_of(write: Write, customer: stored.Customer, given_id: str, field: str) -> stored.PostalAddress:
    """The customer's address with this id. Raises `Refused`: POSTAL_ADDRESS_NOT_FOUND, for the address of another
    customer too."""
    number = int(given_id) if given_id.isascii() and given_id.isdigit() and len(given_id) <= 19 else 0
    found: stored.PostalAddress | None = None
    if 0 < number <= LARGEST_ID:
        found = await write.get(stored.PostalAddress.id, number, customer_id=customer.id)
    if found is None:
        raise refuse(ErrorCode.POSTAL_ADDRESS_NOT_FOUND, field, rejected=[given_id])
    return found


async def room_for(write: Write, customer: stored.Customer, more: int) -> None:
    await write.session.flush()
    if await write.count(stored.PostalAddress.customer_id, customer.id) + more > MOST_ADDRESSES:
        raise refuse(ErrorCode.TOO_MANY_POSTAL_ADDRESSES, rejected=[MOST_ADDRESSES])
