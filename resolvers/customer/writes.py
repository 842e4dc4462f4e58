"""Creating, changing, deleting and restoring customers (rules C01 to C58)."""

import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from datastore import customer as stored
from datastore.bookkeeping import EventType
from datastore.customer import CustomerStatus, ProfileType
from datastore.text import email_key
from datastore.viewer import Permission
from datastore.writing import Write
from resolvers import formats
from resolvers.carry_out import TAKEN, prepared_by
from resolvers.customer.addresses import VERIFIED, checked_addresses, save_addresses
from resolvers.customer.changing import changeable, changed, not_for_users
from resolvers.customer.inputs import (
    CreateCustomerInput,
    DeactivateCustomerInput,
    RestoreCustomerInput,
    UpdateCustomerInput,
)
from resolvers.customer.passwords import given_password_hashed, possible_password
from resolvers.errors import ErrorCode, refuse
from resolvers.given import Format, Problems, checked, field_error
from resolvers.oslo import today

NOT_FOR_USERS = {"status", "expiration_date", "email_verified_at", "telephone_number_verified_at"}
"""What users do not change of themselves: `deactivateCustomer` is how they leave."""

PHONE_PAIR = {"country_code", "telephone_number_no_country_code"}

FORMATS: Mapping[str, Format] = {
    "email": formats.email,
    "nationality": formats.alpha3,
    "language_preference_iso6393": formats.language,
    "telephone_number": formats.legacy_phone,
    "landline_number": formats.landline,
}
"""Attribute of a customer -> its format, where it has one beyond its length."""

NEEDED = {"first_name", "surname"}
"""Null in old and temporary profiles only: whoever creates or updates a customer gives them (rules C03, C30)."""

TAKEN["uq_customer_organisation_id_email_key"] = (ErrorCode.EMAIL_TAKEN, "email")
TAKEN["uq_customer_organisation_id_customer_ref"] = (ErrorCode.CUSTOMER_REF_TAKEN, "customer_ref")


@prepared_by(given_password_hashed)
async def create_customer(write: Write, given: CreateCustomerInput) -> stored.Customer:
    """A new customer with its addresses (C01 to C17, C20 to C22); posts CREATE.

    Raises `Refused`: ORGANISATION_NOT_ALLOWED, EMAIL_TAKEN, CUSTOMER_REF_TAKEN, REQUIRED, DATE_INVALID,
    TOO_MANY_POSTAL_ADDRESSES and what the formats refuse.
    """
    if given.organisation_id != write.viewer.organisation_id and not write.viewer.is_internal:
        raise refuse(ErrorCode.ORGANISATION_NOT_ALLOWED, "organisationId", rejected=[given.organisation_id])
    problems = Problems()
    values = checked(problems, given, stored.Customer, FORMATS, needed=NEEDED)
    possible_dates(problems, values, write.now)
    whole_telephone_number(problems, values)
    if given.profile_type is ProfileType.TEMPORARY and given.expiration_date is None:
        problems.add(ErrorCode.REQUIRED, "expirationDate")
    if given.password is not None:
        with problems.at("password"):
            possible_password(given.password)
    addresses = checked_addresses(problems, given.postal_addresses)
    problems.raise_any()

    number = await free_customer_number(write, given.organisation_id)
    customer = new_customer(write, number, values)
    await be_unique(write, given, customer)
    customer.password_hash = write.prepared
    write.session.add(customer)
    await write.session.flush()
    await save_addresses(write, customer, [(None, values) for _, values in addresses])  # an id is ignored (C31)
    write.customer_changed(customer, EventType.CREATE)
    return customer


async def update_customer(write: Write, given: UpdateCustomerInput) -> stored.Customer:
    """The customer with the given changes (C30 to C35); posts UPDATE.

    A field that is absent stays, null clears it (A04). Raises `Refused`: FORBIDDEN where `status` deletes or takes back
    and the caller may not delete, or where a user gives one of `NOT_FOR_USERS`; what `changeable` and the formats
    refuse, EMAIL_TAKEN, CUSTOMER_DELETED where a deleted one is not taken back by `status`, DATE_INVALID, REQUIRED,
    also for the day of erasure of a deleted or temporary profile that is cleared,
    POSTAL_ADDRESS_NOT_FOUND, TOO_MANY_POSTAL_ADDRESSES.
    """
    not_for_users(write, given, NOT_FOR_USERS)
    for place, address in enumerate(given.postal_addresses or []):
        not_for_users(write, address, VERIFIED, "postalAddresses", str(place))
    takes_back = given.status is not None and given.status.value is not CustomerStatus.DELETED
    customer = await changeable(write, given.customer_number, given.expected_version, deleted_too=takes_back)
    status = given.status.value if given.status else customer.status
    deletes = (status is CustomerStatus.DELETED) != (customer.status is CustomerStatus.DELETED)
    if deletes and not write.viewer.holds(Permission.CUSTOMER_DELETE):
        raise refuse(ErrorCode.FORBIDDEN, "status", rejected=[status.name])
    problems = Problems()
    skip = {"customer_number", "customer_account_id", "status"}  # the account is not stored any more (C33)
    values = checked(problems, given, stored.Customer, FORMATS, needed=NEEDED, skip=skip)
    possible_dates(problems, values, write.now, customer)
    whole_telephone_number(problems, values, customer)
    if status is CustomerStatus.DELETED and values.get("expiration_date", customer.expiration_date) is None:
        problems.add(ErrorCode.REQUIRED, "expirationDate")
    elif customer.profile_type is ProfileType.TEMPORARY and values.get("expiration_date", write.now) is None:
        # Or it would be kept for ever (C101).
        problems.add(ErrorCode.REQUIRED, "expirationDate")
    addresses = checked_addresses(problems, given.postal_addresses)
    problems.raise_any()

    if customer.status is CustomerStatus.DELETED:
        take_back(customer)
    for name in ("email", "telephone_number"):
        if name in values and values[name] != getattr(customer, name):
            values.setdefault(f"{name}_verified_at", None)
    changed(write, customer, values)
    set_email(customer, customer.email)
    if status is CustomerStatus.DELETED:
        mark_deleted(customer)
    else:
        customer.status = status
    # Last of all: whoever tries whether an email is taken must give a change that is otherwise carried out.
    with write.session.no_autoflush:
        await save_addresses(write, customer, addresses)
    await be_unique(write, given, customer)
    return customer


async def deactivate_customer(write: Write, given: DeactivateCustomerInput) -> stored.Customer:
    """The customer, marked as deleted (C50 to C53); posts UPDATE.

    Its email is free for others at once; it can be restored until `expiration_date`, the day of erasure.
    Raises `Refused`: what `changeable` refuses, DATE_INVALID for a day that has passed.
    """
    customer = await changeable(write, given.customer_number, given.expected_version)
    problems = Problems()
    values = checked(problems, given, stored.Customer, {}, skip={"customer_number"})
    possible_dates(problems, values, write.now)
    problems.raise_any()
    mark_deleted(customer)
    return changed(write, customer, values)


async def restore_customer(write: Write, given: RestoreCustomerInput) -> stored.Customer:
    """The deleted customer with the status and email it had before (C55 to C58); posts UPDATE.

    Raises `Refused`: what `changeable` refuses, CUSTOMER_NOT_DELETED, EMAIL_TAKEN where another customer of the
    organisation has the email by now.
    """
    customer = await changeable(write, given.customer_number, given.expected_version, deleted_too=True)
    if customer.status is not CustomerStatus.DELETED:
        raise refuse(ErrorCode.CUSTOMER_NOT_DELETED, "customerNumber", rejected=[given.customer_number])
    problems = Problems()
    values = checked(problems, given, stored.Customer, {}, skip={"customer_number"})
    problems.raise_any()
    take_back(customer)
    await be_unique(write, given, customer)
    return changed(write, customer, values)


def mark_deleted(customer: stored.Customer) -> None:
    """Rules C50 to C52."""
    customer.status_before_deletion, customer.status = customer.status, CustomerStatus.DELETED
    customer.email_old = customer.email
    set_email(customer, None)


def take_back(customer: stored.Customer) -> None:
    """Rules C55 and C57. A temporary profile keeps its day of erasure: without one it would be kept for ever (C101)."""
    customer.status = customer.status_before_deletion or CustomerStatus.ACTIVE
    customer.status_before_deletion = None
    if customer.profile_type is not ProfileType.TEMPORARY:
        customer.expiration_date = None
    set_email(customer, customer.email_old)
    customer.email_old = None


def set_email(customer: stored.Customer, email: str | None) -> None:
    customer.email = email
    customer.email_key = None if email is None else email_key(email)


async def be_unique(write: Write, given: object, customer: stored.Customer) -> None:
    """Rules C02, C04, C05, C06 and A01. The database's unique indexes have the last word (`TAKEN`)."""
    row = stored.Customer
    others = (row.organisation_id == customer.organisation_id, row.id != (customer.id or 0))
    owners = (*others, row.profile_type != ProfileType.TEMPORARY, row.status != CustomerStatus.DELETED)
    owns_email = customer.email_key is not None and customer.profile_type is not ProfileType.TEMPORARY
    problems = Problems()
    with write.session.no_autoflush:
        if owns_email and await write.exists(row, *owners, email_key=customer.email_key):
            problems.errors.append(field_error(ErrorCode.EMAIL_TAKEN, given, "email"))
        if await write.exists(row, *others, customer_ref=customer.customer_ref):
            problems.errors.append(field_error(ErrorCode.CUSTOMER_REF_TAKEN, given, "customer_ref"))
    problems.raise_any()


def new_customer(write: Write, number: int, values: Mapping[str, Any]) -> stored.Customer:
    """A customer with this number and these values, and with what every new one gets (C04, C08, C11)."""
    customer = stored.Customer(
        uuid=formats.new_uuid32(),
        customer_number=number,
        created_at=write.now,
        changed_at=write.now,
        changed_by=values["created_by"],
        changed_by_channel=values["created_by_channel"],
        **{"customer_ref": str(number), **values},
    )
    set_email(customer, customer.email)
    return customer


async def free_customer_number(write: Write, organisation_id: int) -> int:
    """A number of ten digits that no customer has, nor as its reference one of the organisation. It is drawn, not
    counted: numbers give away neither how many customers there are nor the number of the next one."""
    row = stored.Customer
    while True:
        number = secrets.randbelow(9_000_000_000) + 1_000_000_000
        is_reference = (row.organisation_id == organisation_id) & (row.customer_ref == str(number))
        if not await write.exists(row, (row.customer_number == number) | is_reference):
            return number


def possible_dates(
    problems: Problems, values: Mapping[str, Any], now: datetime, customer: stored.Customer | None = None
) -> None:
    """Rules C14 and C53: no birth in the future or after a death, no erasure in the past."""
    born, expires = values.get("date_of_birth"), values.get("expiration_date")
    died = customer.date_of_death if customer else None
    if born is not None and (born > today(now) or (died is not None and died < born)):
        problems.add(ErrorCode.DATE_INVALID, "dateOfBirth", rejected=[born])
    if expires is not None and expires < today(now):
        problems.add(ErrorCode.DATE_INVALID, "expirationDate", rejected=[expires])


def whole_telephone_number(problems: Problems, values: dict[str, Any], customer: stored.Customer | None = None) -> None:
    """Check the telephone number as a whole (C20 to C22) and keep the deprecated field equal to the pair.

    The pair wins over the deprecated field; half a pair is completed by the stored other half. Another number in the
    deprecated field alone takes the place of the pair.
    """
    if any({"countryCode", "telephoneNumberNoCountryCode"}.intersection(error.path) for error in problems.errors):
        return
    before = {name: getattr(customer, name, None) for name in ("telephone_number", *PHONE_PAIR)}
    after = before | values
    if PHONE_PAIR.isdisjoint(values):
        if after["telephone_number"] != before["telephone_number"]:
            values.update(dict.fromkeys(PHONE_PAIR))
        return
    code, number = after["country_code"], after["telephone_number_no_country_code"]
    if code is None and number is None:
        if before["country_code"] is not None:
            values.setdefault("telephone_number", None)
        return
    with problems.at("countryCode" if code is None else "telephoneNumberNoCountryCode"):
        if code is None or number is None:
            raise refuse(ErrorCode.PHONE_NUMBER_INVALID)
        code, number = formats.phone(code, number)
        values.update(country_code=code, telephone_number_no_country_code=number, telephone_number=code + number)
