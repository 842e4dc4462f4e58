"""Creating, changing, deleting and restoring customers (rules C01 to C58)."""

import asyncio
import secrets
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from argon2 import PasswordHasher

from datastore import customer as stored
from datastore.bookkeeping import EventType
from datastore.customer import CustomerStatus, ProfileType
from datastore.reading import snapshot
from datastore.text import email_key
from datastore.writing import Write
from resolvers import formats
from resolvers.carry_out import TAKEN
from resolvers.customer.addresses import save_addresses
from resolvers.customer.changing import changeable, changed
from resolvers.customer.inputs import (
    CreateCustomerInput,
    DeactivateCustomerInput,
    RestoreCustomerInput,
    UpdateCustomerInput,
)
from resolvers.errors import ErrorCode, refuse
from resolvers.given import Format, Problems, checked

OSLO = ZoneInfo("Europe/Oslo")
HASHER = PasswordHasher()
LONGEST_PASSWORD = 200

FORMATS: Mapping[str, Format] = {
    "email": formats.email,
    "nationality": formats.alpha3,
    "language_preference_iso6393": formats.language,
    "telephone_number": formats.legacy_phone,
    "landline_number": formats.landline,
}
"""Attribute of a customer -> its format, where it has one beyond its length."""

NEVER_EMPTY = {"first_name": "firstName", "surname": "surname"}
"""Null in old and temporary profiles only: whoever creates or updates a customer gives them (rules C03, C30)."""

TAKEN["uq_customer_organisation_id_email_key"] = (ErrorCode.EMAIL_TAKEN, "email")
TAKEN["uq_customer_organisation_id_customer_ref"] = (ErrorCode.CUSTOMER_REF_TAKEN, "customer_ref")


async def create_customer(write: Write, given: CreateCustomerInput) -> stored.Customer:
    """A new customer with its addresses (C01 to C17, C20 to C22); posts CREATE.

    Raises `Refused`: ORGANISATION_NOT_ALLOWED, EMAIL_TAKEN, CUSTOMER_REF_TAKEN, REQUIRED, DATE_INVALID and what the
    formats refuse.
    """
    if given.organisation_id != write.viewer.organisation_id and not write.viewer.is_internal:
        raise refuse(ErrorCode.ORGANISATION_NOT_ALLOWED, "organisationId", rejected=[given.organisation_id])
    values = checked(given, stored.Customer, FORMATS)
    problems = Problems()
    must_have(problems, values)
    possible_dates(problems, values, write.now)
    phone_values(problems, values, None)
    if given.profile_type is ProfileType.TEMPORARY and given.expiration_date is None:
        with problems.at("expirationDate"):
            raise refuse(ErrorCode.REQUIRED)
    password = given.password
    if password is not None and not 1 <= len(password) <= LONGEST_PASSWORD:
        with problems.at("password"):
            raise refuse(ErrorCode.TEXT_TOO_LONG if password else ErrorCode.REQUIRED)
    problems.raise_any()

    number = await free_customer_number(write)
    values.setdefault("customer_ref", str(number))
    if "email" in values:
        values["email_key"] = email_key(values["email"])
    customer = stored.Customer(
        **values,
        uuid=formats.new_uuid32(),
        customer_number=number,
        created_at=write.now,
        changed_at=write.now,
        changed_by=values["created_by"],
        changed_by_channel=values["created_by_channel"],
    )
    await be_unique(write, customer, "email", "customer_ref")
    if password is not None:
        customer.password_hash = await asyncio.to_thread(HASHER.hash, password)
    write.session.add(customer)
    await write.session.flush()
    await save_addresses(write, customer, given.postal_addresses or [], is_new=True)
    write.customer_changed(customer, EventType.CREATE)
    return customer


async def update_customer(write: Write, given: UpdateCustomerInput) -> stored.Customer:
    """The customer with the given changes (C30 to C35); posts UPDATE.

    A field that is absent stays, null clears it (A04). Raises `Refused`: what `changeable` and `checked` refuse,
    EMAIL_TAKEN, CUSTOMER_DELETED where a deleted one is not taken back by `status`, DATE_INVALID, REQUIRED,
    POSTAL_ADDRESS_NOT_FOUND, TOO_MANY_POSTAL_ADDRESSES.
    """
    customer = await changeable(write, given.customer_number, given.expected_version, deleted_too=True)
    values = checked(given, stored.Customer, FORMATS, skip={"customer_number", "customer_account_id", "status"})
    problems = Problems()
    must_have(problems, values)
    possible_dates(problems, values, write.now, customer)
    phone_values(problems, values, customer)
    problems.raise_any()

    status = given.status.value if given.status else customer.status
    if status is not CustomerStatus.DELETED and customer.status is CustomerStatus.DELETED:
        take_back(customer, status)
    elif status is CustomerStatus.DELETED and customer.status is CustomerStatus.DELETED:
        raise refuse(ErrorCode.CUSTOMER_DELETED, "customerNumber", current=snapshot(customer))
    if "email" in values and values["email"] != customer.email:
        values.setdefault("email_verified_at", None)
    if "telephone_number" in values and values["telephone_number"] != customer.telephone_number:
        values.setdefault("telephone_number_verified_at", None)
    for name, value in values.items():
        setattr(customer, name, value)
    if customer.email is not None:
        customer.email_key = email_key(customer.email)
    else:
        customer.email_key = None
    if status is CustomerStatus.DELETED:
        if customer.expiration_date is None:
            raise refuse(ErrorCode.REQUIRED, "expirationDate")
        mark_deleted(customer, customer.expiration_date)
    customer.status = status
    await be_unique(write, customer, "email")
    await save_addresses(write, customer, given.postal_addresses or [])
    return changed(write, customer)


async def deactivate_customer(write: Write, given: DeactivateCustomerInput) -> stored.Customer:
    """The customer, marked as deleted (C50 to C53); posts UPDATE.

    Its email is free for others at once; it can be restored until `expiration_date`, the day of erasure.
    Raises `Refused`: what `changeable` refuses, CUSTOMER_DELETED, DATE_INVALID for a day that has passed.
    """
    customer = await changeable(write, given.customer_number, given.expected_version, deleted_too=True)
    if customer.status is CustomerStatus.DELETED:
        raise refuse(ErrorCode.CUSTOMER_DELETED, "customerNumber", current=snapshot(customer))
    if given.expiration_date < today(write.now):
        raise refuse(ErrorCode.DATE_INVALID, "expirationDate", rejected=[given.expiration_date])
    mark_deleted(customer, given.expiration_date)
    return changed(write, customer, checked(given, stored.Customer, {}, skip={"customer_number", "expiration_date"}))


async def restore_customer(write: Write, given: RestoreCustomerInput) -> stored.Customer:
    """The deleted customer with the status and email it had before (C55 to C58); posts UPDATE.

    Raises `Refused`: what `changeable` refuses, CUSTOMER_NOT_DELETED, EMAIL_TAKEN where another customer of the
    organisation has the email by now.
    """
    customer = await changeable(write, given.customer_number, given.expected_version, deleted_too=True)
    if customer.status is not CustomerStatus.DELETED:
        raise refuse(ErrorCode.CUSTOMER_NOT_DELETED, "customerNumber", current=snapshot(customer))
    take_back(customer, customer.status_before_deletion or CustomerStatus.ACTIVE)
    await be_unique(write, customer, "email", path=())
    return changed(write, customer, checked(given, stored.Customer, {}, skip={"customer_number"}))


def mark_deleted(customer: stored.Customer, expiration_date: date) -> None:
    """Rules C50 to C52."""
    customer.status_before_deletion = customer.status
    customer.status = CustomerStatus.DELETED
    customer.expiration_date = expiration_date
    customer.email_old, customer.email, customer.email_key = customer.email, None, None


def take_back(customer: stored.Customer, status: CustomerStatus) -> None:
    """Rules C55 and C57."""
    customer.status, customer.status_before_deletion = status, None
    customer.email, customer.email_old = customer.email_old, None
    customer.email_key = None if customer.email is None else email_key(customer.email)
    customer.expiration_date = None


async def be_unique(write: Write, customer: stored.Customer, *names: str, path: tuple[str, ...] | None = None) -> None:
    """Rules C02, C04, C05, C06 and A01. The database's unique indexes have the last word (`TAKEN`)."""
    row = stored.Customer
    within = {"organisation_id": customer.organisation_id}
    problems = Problems()
    with write.session.no_autoflush:
        has_own_email = customer.email_key and customer.profile_type is not ProfileType.TEMPORARY
        others = (
            row.email_key == customer.email_key,
            row.profile_type != ProfileType.TEMPORARY,
            row.status != CustomerStatus.DELETED,
            row.id != (customer.id or 0),
        )
        if "email" in names and has_own_email and await write.exists(row, *others, **within):
            with problems.at(*(("email",) if path is None else path)):
                raise refuse(ErrorCode.EMAIL_TAKEN, rejected=[customer.email])
        if "customer_ref" in names and await write.exists(row, customer_ref=customer.customer_ref, **within):
            with problems.at("customerRef"):
                raise refuse(ErrorCode.CUSTOMER_REF_TAKEN, rejected=[customer.customer_ref])
    problems.raise_any()


async def free_customer_number(write: Write) -> int:
    """A number of ten digits that no customer has. It is drawn, not counted: numbers give away neither how many
    customers there are nor the number of the next one."""
    while True:
        number = secrets.randbelow(9_000_000_000) + 1_000_000_000
        if not await write.exists(stored.Customer, customer_number=number):
            return number


def must_have(problems: Problems, values: Mapping[str, Any]) -> None:
    for name, field in NEVER_EMPTY.items():
        if values[name] is None:
            with problems.at(field):
                raise refuse(ErrorCode.REQUIRED)


def today(now: datetime) -> date:
    return now.astimezone(OSLO).date()


def possible_dates(
    problems: Problems, values: Mapping[str, Any], now: datetime, customer: stored.Customer | None = None
) -> None:
    """Rules C14 and C53: no birth in the future or after a death, no erasure in the past."""
    born, expires = values.get("date_of_birth"), values.get("expiration_date")
    died = customer.date_of_death if customer else None
    if born is not None and (born > today(now) or (died is not None and died < born)):
        with problems.at("dateOfBirth"):
            raise refuse(ErrorCode.DATE_INVALID, rejected=[born])
    if expires is not None and expires < today(now):
        with problems.at("expirationDate"):
            raise refuse(ErrorCode.DATE_INVALID, rejected=[expires])


def phone_values(problems: Problems, values: dict[str, Any], customer: stored.Customer | None) -> None:
    """Check the telephone number as a whole (C20 to C22) and keep the deprecated field equal to the pair.

    The pair wins over the deprecated field. Half a pair is completed by the stored other half.
    """
    pair = ("country_code", "telephone_number_no_country_code")
    if not any(name in values for name in pair):
        return
    code, number = (values.get(name, getattr(customer, name, None)) for name in pair)
    if code is None and number is None:
        values.setdefault("telephone_number", None)
        return
    with problems.at("countryCode" if code is None else "telephoneNumberNoCountryCode"):
        if code is None or number is None:
            raise refuse(ErrorCode.PHONE_NUMBER_INVALID, rejected=[code or number])
        code, number = formats.phone(code, number)
    values.update(dict(zip(pair, (code, number), strict=True)))
    values["telephone_number"] = f"{code}{number}"
