"""Temporary profiles: made for one purchase, erased on their expiration date, or converted to permanent ones (rules
C14, C101 and C102)."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import strawberry

from datastore import customer as stored
from datastore.bookkeeping import EventType
from datastore.customer import ProfileType
from datastore.viewer import Permission
from datastore.writing import Write
from resolvers.carry_out import prepared_by
from resolvers.customer.changing import changeable, changed
from resolvers.customer.inputs import (
    ACCOUNTS_APART,
    BY_WHOM,
    CHANNEL,
    COUNTRY_CODE,
    CUSTOMER_NUMBER,
    EXPECTED_VERSION,
    NATIONAL_NUMBER,
    USE_PHONE_PAIR,
)
from resolvers.customer.passwords import given_password_hashed, possible_password
from resolvers.customer.writes import (
    FORMATS,
    NEEDED,
    be_unique,
    free_customer_number,
    new_customer,
    possible_dates,
    set_email,
    whole_telephone_number,
)
from resolvers.errors import ErrorCode, refuse
from resolvers.given import Problems, checked
from resolvers.scalars import Long

OVERWRITTEN = (
    "first_name",
    "surname",
    "email",
    "country_code",
    "telephone_number_no_country_code",
    "telephone_number",
    "landline_number",
    "date_of_birth",
)
"""What an update that lacks it makes null (A04)."""


@strawberry.input(description="What is known of a temporary customer.")
class TemporaryCustomerFields:
    expiration_date: date = strawberry.field(description="Day on which the personal data is to be erased.")
    first_name: str | None = strawberry.field(default=None, description="First and middle name.")
    surname: str | None = strawberry.field(default=None, description="Surname.")
    email: str | None = strawberry.field(
        default=None, description="Email for contact; it may be that of another profile, too."
    )
    country_code: str | None = strawberry.field(default=None, description=COUNTRY_CODE)
    telephone_number_no_country_code: str | None = strawberry.field(default=None, description=NATIONAL_NUMBER)
    telephone_number: str | None = strawberry.field(
        default=None, description="Telephone number.", deprecation_reason=USE_PHONE_PAIR
    )
    landline_number: str | None = strawberry.field(default=None, description="Landline telephone number.")
    date_of_birth: date | None = strawberry.field(default=None, description="Date of birth.")


@strawberry.input(description="A new temporary customer.")
class CreateTemporaryCustomerInput(TemporaryCustomerFields):
    created_by: str = strawberry.field(description=BY_WHOM)
    created_by_channel: str = strawberry.field(description=CHANNEL)
    organisation_id: Long | None = strawberry.field(
        default=None, description="Organisation of the customer; by default the caller's own."
    )
    customer_account_id: str | None = strawberry.field(
        default=None, description="Account for account based ticketing.", deprecation_reason=ACCOUNTS_APART
    )


@strawberry.input(description="All values of a temporary customer: what is absent becomes null.")
class UpdateTemporaryCustomerInput(TemporaryCustomerFields):
    customer_number: Long = strawberry.field(description=CUSTOMER_NUMBER)
    changed_by: str = strawberry.field(description=BY_WHOM)
    changed_by_channel: str = strawberry.field(description=CHANNEL)
    expected_version: int | None = strawberry.field(default=None, description=EXPECTED_VERSION)
    customer_account_id: str | None = strawberry.field(
        default=None,
        description="Accepted and ignored: it is no longer stored.",
        deprecation_reason=ACCOUNTS_APART,
    )


@strawberry.input(description="A temporary customer to become a permanent one. What is absent stays.")
class ConvertTemporaryCustomerInput:
    customer_number: Long = strawberry.field(description=CUSTOMER_NUMBER)
    first_name: str = strawberry.field(description="First and middle name.")
    surname: str = strawberry.field(description="Surname.")
    changed_by: str = strawberry.field(description=BY_WHOM)
    changed_by_channel: str = strawberry.field(description=CHANNEL)
    expected_version: int | None = strawberry.field(default=None, description=EXPECTED_VERSION)
    email: str | None = strawberry.field(
        default=None, description="Email for contact and sign-in, from now on unique in the organisation."
    )
    password: str | None = strawberry.field(
        default=None, description="Password for sign-in, never answered; to give one needs password:write."
    )
    customer_ref: str | None = strawberry.field(
        default=None,
        description="Reference, unique in the organisation; the customer number unless another was given before.",
    )
    organisation_id: Long | None = strawberry.field(
        default=None, description="Organisation of the customer, which stays; by default the caller's own."
    )


async def create_temporary_customer(write: Write, given: CreateTemporaryCustomerInput) -> stored.Customer:
    """A new temporary customer (C101); posts CREATE. Its email may be anybody's (A01).

    Raises `Refused`: ORGANISATION_NOT_ALLOWED, REQUIRED, DATE_INVALID and what the formats refuse.
    """
    organisation = may_name(write, given.organisation_id)
    problems = Problems()
    values = checked(problems, given, stored.Customer, FORMATS)
    possible_dates(problems, values, write.now)
    whole_telephone_number(problems, values)
    problems.raise_any()
    number = await free_customer_number(write, organisation)
    is_temporary = {"organisation_id": organisation, "profile_type": ProfileType.TEMPORARY}
    customer = new_customer(write, number, {**values, **is_temporary})
    write.session.add(customer)
    write.customer_changed(customer, EventType.CREATE)
    return customer


async def update_temporary_customer(write: Write, given: UpdateTemporaryCustomerInput) -> stored.Customer:
    """The temporary customer with exactly the given values (C101, A04); posts UPDATE.

    A telephone number or an email that changes is not verified any more. Raises `Refused`: what `changeable` and the
    formats refuse, PROFILE_TYPE_NOT_ALLOWED, REQUIRED, DATE_INVALID.
    """
    customer = await temporary_customer(write, given.customer_number, given.expected_version)
    problems = Problems()
    skip = {"customer_number", "customer_account_id"}
    values = dict.fromkeys(OVERWRITTEN) | checked(problems, given, stored.Customer, FORMATS, skip=skip)
    possible_dates(problems, values, write.now, customer)
    whole_telephone_number(problems, values)
    problems.raise_any()
    return contact_changed(write, customer, values)


@prepared_by(given_password_hashed)
async def convert_temporary_customer(write: Write, given: ConvertTemporaryCustomerInput) -> stored.Customer:
    """The temporary customer as a permanent, standard one (C102); posts UPDATE.

    It is not to be erased any more: its expiration date goes away. The email, given or stored, must be its own now
    (C05); the reference stays where none is given, and that is the customer number unless the profile was created with
    another (C04). The organisation cannot change. Raises `Refused`: FORBIDDEN for a password where the caller may not
    write passwords, ORGANISATION_NOT_ALLOWED, what `changeable` and the formats refuse, CUSTOMER_NOT_FOUND where it is
    of another organisation than given, PROFILE_TYPE_NOT_ALLOWED, REQUIRED, EMAIL_TAKEN, CUSTOMER_REF_TAKEN.
    """
    if given.password is not None and not write.viewer.holds(Permission.PASSWORD_WRITE):
        raise refuse(ErrorCode.FORBIDDEN, "password")
    may_name(write, given.organisation_id)
    customer = await temporary_customer(write, given.customer_number, given.expected_version, given.organisation_id)
    problems = Problems()
    skip = {"customer_number", "organisation_id"}
    values = checked(problems, given, stored.Customer, FORMATS, needed=NEEDED, skip=skip)
    if given.password is not None:
        with problems.at("password"):
            possible_password(given.password)
    problems.raise_any()
    values |= {"profile_type": ProfileType.STANDARD, "expiration_date": None}
    if given.password is not None:
        values["password_hash"] = write.prepared
    contact_changed(write, customer, values)
    await be_unique(write, given, customer)
    return customer


def may_name(write: Write, organisation_id: int | None) -> int:
    """The organisation that was named, else the caller's own. Raises `Refused`: ORGANISATION_NOT_ALLOWED."""
    own = write.viewer.organisation_id
    if organisation_id not in (None, own) and not write.viewer.is_internal:
        raise refuse(ErrorCode.ORGANISATION_NOT_ALLOWED, "organisationId", rejected=[organisation_id])
    return own if organisation_id is None else organisation_id


async def temporary_customer(
    write: Write, number: int, expected_version: int | None, organisation_id: int | None = None
) -> stored.Customer:
    """The temporary customer with this number, locked for change.

    Raises `Refused`: what `changeable` refuses, CUSTOMER_NOT_FOUND for one that is not of the organisation,
    PROFILE_TYPE_NOT_ALLOWED.
    """
    customer = await changeable(write, number, expected_version)
    if organisation_id not in (None, customer.organisation_id):
        raise refuse(ErrorCode.CUSTOMER_NOT_FOUND, "customerNumber", rejected=[number])
    if customer.profile_type is not ProfileType.TEMPORARY:
        raise refuse(ErrorCode.PROFILE_TYPE_NOT_ALLOWED, "customerNumber", rejected=[number])
    return customer


def contact_changed(write: Write, customer: stored.Customer, values: Mapping[str, Any]) -> stored.Customer:
    """`changed`, with an email or telephone number that is another one no longer verified."""
    unverified = {
        f"{name}_verified_at": None
        for name in ("email", "telephone_number")
        if name in values and values[name] != getattr(customer, name)
    }
    changed(write, customer, {**unverified, **values})
    set_email(customer, customer.email)
    return customer
