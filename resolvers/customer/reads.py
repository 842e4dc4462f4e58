"""Look-ups and searches of customers (rules C40 to C49)."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement
from strawberry.utils.str_converters import to_camel_case

from datastore import customer as stored
from datastore.customer import CustomerStatus
from datastore.customer_reads import CustomerSearch, customer_order, search_statement
from datastore.keyset import Page, page
from datastore.loaders import Loaders
from datastore.reading import among, columns, record_class, records, visible
from datastore.text import email_key, sort_key
from datastore.viewer import Permission, Viewer
from resolvers import formats
from resolvers.context import Context
from resolvers.customer.inputs import (
    CustomerFilterInput,
    CustomerLookup,
    CustomerOrder,
    CustomerOrderField,
    SortDirection,
)
from resolvers.errors import ErrorCode, refuse
from resolvers.given import Format, Problems
from resolvers.paging import paged, window
from resolvers.scalars import Long

MOST_KEYS = 1000
LONGEST_CRITERION = 100
CONTACT_CRITERIA = (
    "email",
    "country_code",
    "telephone_number_no_country_code",
    "telephone_number",
    "landline_number",
    "date_of_birth",
    "vipps_id",
    "postal_address",
    "post_code",
)
CONTACT_SORTS = (CustomerOrderField.EMAIL, CustomerOrderField.DATE_OF_BIRTH)
TOLD_OF_THE_DELETED = frozenset(
    {"customer_number", "uuid", "organisation_id", "profile_type", "status", "version", "created_at", "changed_at"}
)
"""All that a look-up by uuid tells of a deleted customer (rule C42): no personal data, and no id to load more by."""


async def customer(context: Context, by: CustomerLookup, include_deleted: bool = False) -> stored.Customer | None:
    """The customer that the key leads to, or None.

    A merged profile leads to the one it was merged into (C40), except by username (C44). A deleted one is answered
    only with `include_deleted` (C43); by uuid without it, stripped of all personal data (C42).
    Raises `Refused`: ECARD_NUMBER_INVALID, UUID_INVALID.
    """
    if by.username:
        may_search_by(context.viewer, "by", "username")
        return await by_username(context, by.username.value.organisation_id, by.username.value.username)
    row = stored.Customer
    found = await one(context, stored.survivors(context.viewer, row.id, condition_of(context, by)))
    if found is None or found.status is not CustomerStatus.DELETED or include_deleted:
        return found
    return stripped(found) if by.uuid else None


def condition_of(context: Context, by: CustomerLookup) -> ColumnElement[bool]:
    """The condition on customers that a look-up key stands for."""
    row = stored.Customer
    if by.customer_number:
        return row.customer_number == by.customer_number.value
    if by.uuid:
        return row.uuid == formats.uuid32(by.uuid.value)
    if by.ecard_number:
        number = formats.ecard_number(by.ecard_number.value)
        return row.id.in_(stored.current_owner(number, context.viewer, datetime.now(UTC)))
    assert by.customer_ref, "GraphQL lets exactly one key of a oneOf input through"
    reference = by.customer_ref.value
    organisation = own_or(reference.organisation_id, context)
    return (row.organisation_id == organisation) & (row.customer_ref == reference.customer_ref)


def own_or(organisation_id: int | None, context: Context) -> int:
    """The organisation that was named, else the caller's own."""
    return context.viewer.organisation_id if organisation_id is None else organisation_id


async def by_username(context: Context, organisation_id: int, username: str) -> stored.Customer | None:
    """The standard or personnel-ticket profile with this email in the organisation, whatever its status (C44, A02)."""
    row = stored.Customer
    mine = visible(row, context.viewer).where(
        row.organisation_id == organisation_id,
        row.email_key == email_key(username),
        row.profile_type != stored.ProfileType.TEMPORARY,
        row.status != CustomerStatus.DELETED,
    )
    return await one(context, mine)


async def one(context: Context, statement: Any) -> stored.Customer | None:
    found = records(stored.Customer, await context.database.fetch(statement.limit(1)))
    return found[0] if found else None


def stripped(record: stored.Customer) -> stored.Customer:
    """The record with everything null but what is told of a deleted customer."""
    names = [column.name for column in columns(stored.Customer)]
    told = (getattr(record, name) if name in TOLD_OF_THE_DELETED else None for name in names)
    found: stored.Customer = record_class(stored.Customer)(told)
    return found


async def customers_by_key(
    context: Context, customer_numbers: list[Long] | None = None, customer_references: list[str] | None = None
) -> Sequence[stored.Customer]:
    """The customers of the caller's organisation with these numbers, or, if there are none, these references (C46).

    In the order of the keys, each once; unknown and foreign ones are left out (C47), deleted ones too, and a merged
    one is answered as its survivor. Raises `Refused`: TOO_MANY_KEYS above 1000.
    """
    row = stored.Customer
    column = row.customer_number if customer_numbers else row.customer_ref
    name = "customerNumbers" if customer_numbers else "customerReferences"
    keys: list[Any] = list(customer_numbers or customer_references or [])
    if len(keys) > MOST_KEYS:
        raise refuse(ErrorCode.TOO_MANY_KEYS, name, rejected=[len(keys)])
    if not keys:
        return []
    mine = row.organisation_id == context.viewer.organisation_id
    condition = among(column, keys, context.database.dialect) & mine
    found = await context.database.fetch(row.reached(context.viewer, column, condition))
    by_key = {values[-1]: record for values, record in zip(found, records(row, found), strict=True)}
    answered = {by_key[key].customer_number: by_key[key] for key in keys if key in by_key}
    return list(answered.values())


async def customers(
    context: Context,
    filter: CustomerFilterInput | None = None,
    order_by: CustomerOrder | None = None,
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
) -> Page[stored.Customer]:
    """A page of the customers of one organisation that fit the filter (C48, C49).

    Raises `Refused`: ORGANISATION_NOT_ALLOWED, PAGE_SIZE_INVALID, CURSOR_INVALID and what `formats` refuses.
    """
    part = window(first, after, last, before)
    search = search_of(context, filter or CustomerFilterInput())
    order = customer_order()
    if order_by:
        if order_by.field in CONTACT_SORTS:
            may_search_by(context.viewer, "orderBy", "field")
        order = customer_order(str(order_by.field.value), order_by.direction is SortDirection.DESC)
    statement = search_statement(context.viewer, search)
    wanted = page(context.database, stored.Customer, statement, order, part, ["customers", search])
    return await paged(wanted, "before" if part.first is None else "after")


def search_of(context: Context, given: CustomerFilterInput) -> CustomerSearch:
    """The filter in stored form. Half a telephone number is ignored, a whole one wins over the old field (C48)."""
    organisation = own_or(given.organisation_id, context)
    if organisation != context.viewer.organisation_id and not context.viewer.is_internal:
        raise refuse(ErrorCode.ORGANISATION_NOT_ALLOWED, "filter", "organisationId", rejected=[organisation])
    problems = Problems()
    for name in CONTACT_CRITERIA:
        if getattr(given, name) is not None:
            may_search_by(context.viewer, "filter", to_camel_case(name))

    def read(name: str, form: Format, text: str | None) -> Any:
        if text is not None:
            with problems.at("filter", name):
                return form(text)
        return None

    code, number = None, None
    if given.country_code and given.telephone_number_no_country_code:
        with problems.at("filter", "telephoneNumberNoCountryCode"):
            code, number = formats.phone(given.country_code, given.telephone_number_no_country_code)

    search = CustomerSearch(
        organisation_id=organisation,
        first_name_key=read("firstName", needed(sort_key), given.first_name),
        surname_key=read("surname", needed(sort_key), given.surname),
        email_key=read("email", needed(email_key), given.email),
        country_code=code,
        telephone_number_no_country_code=number,
        telephone_number=None if number else read("telephoneNumber", formats.legacy_phone, given.telephone_number),
        landline_number=read("landlineNumber", formats.landline, given.landline_number),
        date_of_birth=given.date_of_birth,
        vipps_id=read("vippsId", needed(trimmed), given.vipps_id),
        invoice_organisation_id=read("invoiceOrganisationId", needed(trimmed), given.invoice_organisation_id),
        postal_address_key=read("postalAddress", needed(sort_key), given.postal_address),
        post_code=read("postCode", needed(trimmed), given.post_code),
        ticket_right_owner=read("ticketRightOwner", needed(trimmed), given.ticket_right_owner),
        ticket_right_bearer=read("ticketRightBearer", needed(trimmed), given.ticket_right_bearer),
        include_temporary=bool(given.include_temporary),
        include_deleted=bool(given.include_deleted),
    )
    problems.raise_any()
    return search


def may_search_by(viewer: Viewer, *path: str) -> None:
    """Raises `Refused`, FORBIDDEN, for whoever may not read contact data: what finds or sorts by it tells it."""
    if not viewer.holds(Permission.CONTACT_READ):
        raise refuse(ErrorCode.FORBIDDEN, *path)


def trimmed(text: str) -> str:
    return formats.clean(text, LONGEST_CRITERION)


def needed(form: Format) -> Format:
    """The format, refusing a text of which nothing is left to search by (REQUIRED): it would find everybody."""

    def read(text: str) -> str:
        key = form(text)
        if not key:
            raise refuse(ErrorCode.REQUIRED, rejected=[text])
        return key

    return read


def username(customer: stored.Customer) -> str | None:
    """The name to sign in with: the email of active standard profiles, null for all others (C10)."""
    is_user = customer.profile_type is stored.ProfileType.STANDARD and customer.status is CustomerStatus.ACTIVE
    return customer.email if is_user else None


async def ecard(load: Loaders, customer: stored.Customer, operator: str, number: str) -> stored.Ecard | None:
    """The customer's latest ownership of the card: a card that was given up can be taken again."""
    owned = [] if customer.id is None else await load.many(stored.Ecard.customer_id).load(customer.id)
    fitting = (each for each in reversed(owned) if (each.ecard_operator, each.ecard_number) == (operator, number))
    return next(fitting, None)


async def preference(load: Loaders, customer: stored.Customer, preference_id: str) -> stored.CustomerPreference | None:
    """The customer's choice for a preference."""
    chosen = [] if customer.id is None else await load.many(stored.CustomerPreference.customer_id).load(customer.id)
    return next((each for each in chosen if str(each.preference_id) == preference_id), None)
