"""Look-ups and searches of customers (rules C40 to C49)."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Select
from strawberry.utils.str_converters import to_camel_case

from datastore import customer as stored
from datastore import customer_reads
from datastore.customer import CustomerStatus
from datastore.customer_reads import CustomerSearch, customer_order, search_statement
from datastore.loaders import Loaders
from datastore.reading import among, columns, record_class, visible
from datastore.text import email_key, sort_key
from datastore.viewer import Permission, Viewer
from resolvers import formats
from resolvers.customer.inputs import (
    CustomerFilterInput,
    CustomerLookup,
    CustomerOrder,
    CustomerOrderField,
    SortDirection,
)
from resolvers.errors import ErrorCode, refuse
from resolvers.given import Format, Problems
from resolvers.paging import window
from resolvers.scalars import Long
from resolvers.wanted import Reading, WantedByKey, WantedPage, WantedRow

Condition = Callable[[Viewer, Mapping[str, Any]], ColumnElement[bool]]

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


@Reading
def customer(viewer: Viewer, by: CustomerLookup, include_deleted: bool = False) -> WantedRow:
    """The customer that the key leads to, or None.

    A merged profile leads to the one it was merged into (C40), except by username (C44). A deleted one is answered
    only with `include_deleted` (C43); by uuid without it, stripped of all personal data (C42).
    Raises `Refused`: ECARD_NUMBER_INVALID, UUID_INVALID.
    """
    if by.username:
        may_search_by(viewer, "by", "username")
        return by_username(viewer, by.username.value.organisation_id, by.username.value.username)
    shape, values = key_of(viewer, by)

    def statement(viewer: Viewer, values: Mapping[str, Any]) -> Select[Any]:
        return stored.survivors(viewer, stored.Customer.id, KEYS[shape](viewer, values))

    def answered(found: stored.Customer) -> stored.Customer | None:
        if found.status is not CustomerStatus.DELETED or include_deleted:
            return found
        return stripped(found) if by.uuid else None

    return WantedRow(
        row=stored.Customer,
        shape=shape,
        values=values,
        statement=statement,
        answered=answered,
        settled_by="" if include_deleted else "status",
        unsettled=frozenset({CustomerStatus.DELETED}),
    )


def key_of(viewer: Viewer, by: CustomerLookup) -> tuple[str, dict[str, Any]]:
    """The name in `KEYS` of a look-up key, and its values in stored form."""
    if by.customer_number:
        return "number", {"number": by.customer_number.value}
    if by.uuid:
        return "uuid", {"uuid": formats.uuid32(by.uuid.value)}
    if by.ecard_number:
        number = formats.ecard_number(by.ecard_number.value)
        return f"ecard {len(number)}", {"number": number, "now": datetime.now(UTC)}
    assert by.customer_ref, "GraphQL lets exactly one key of a oneOf input through"
    reference = by.customer_ref.value
    return "reference", {
        "organisation": own_or(reference.organisation_id, viewer),
        "reference": reference.customer_ref,
    }


def by_ecard(column: Any) -> Condition:
    """The condition on the customer who owns an e-card, found by this column."""
    return lambda viewer, values: stored.Customer.id.in_(
        customer_reads.current_owner(column, values["number"], viewer, values["now"])
    )


KEYS: Mapping[str, Condition] = {
    "number": lambda _, values: stored.Customer.customer_number == values["number"],
    "uuid": lambda _, values: stored.Customer.uuid == values["uuid"],
    "ecard 10": by_ecard(stored.Ecard.ecard_number),
    "ecard 16": by_ecard(stored.Ecard.ecard_number_16digits),
    "reference": lambda _, values: (
        (stored.Customer.organisation_id == values["organisation"])
        & (stored.Customer.customer_ref == values["reference"])
    ),
}
"""Kind of look-up key -> the condition on customers that its values stand for."""


def own_or(organisation_id: int | None, viewer: Viewer) -> int:
    """The organisation that was named, else the caller's own."""
    return viewer.organisation_id if organisation_id is None else organisation_id


def by_username(viewer: Viewer, organisation_id: int, username: str) -> WantedRow:
    """The standard or personnel-ticket profile with this email in the organisation, whatever its status (C44, A02)."""
    row = stored.Customer

    def statement(viewer: Viewer, values: Mapping[str, Any]) -> Select[Any]:
        return visible(row, viewer).where(
            row.organisation_id == values["organisation"],
            row.email_key == values["email"],
            row.profile_type != stored.ProfileType.TEMPORARY,
            row.status != CustomerStatus.DELETED,
        )

    values = {"organisation": organisation_id, "email": email_key(username)}
    return WantedRow(row=row, shape="username", values=values, statement=statement)


def stripped(record: stored.Customer) -> stored.Customer:
    """The record with everything null but what is told of a deleted customer."""
    names = [column.name for column in columns(stored.Customer)]
    told = (getattr(record, name) if name in TOLD_OF_THE_DELETED else None for name in names)
    found: stored.Customer = record_class(stored.Customer)(told)
    return found


@Reading
def customers_by_key(
    viewer: Viewer, customer_numbers: list[Long] | None = None, customer_references: list[str] | None = None
) -> WantedByKey:
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

    def statement(viewer: Viewer, values: Mapping[str, Any]) -> Select[Any]:
        mine = row.organisation_id == viewer.organisation_id
        return row.reached(viewer, column, among(column, values["keys"]) & mine)

    return WantedByKey(
        row=row, shape=name, values={"keys": keys}, statement=statement, keys=keys, identity="customer_number"
    )


@Reading
def customers(
    viewer: Viewer,
    filter: CustomerFilterInput | None = None,
    order_by: CustomerOrder | None = None,
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
) -> WantedPage:
    """A page of the customers of one organisation that fit the filter (C48, C49).

    Raises `Refused`: ORGANISATION_NOT_ALLOWED, PAGE_SIZE_INVALID, CURSOR_INVALID and what `formats` refuses.
    """
    part = window(first, after, last, before)
    search = search_of(viewer, filter or CustomerFilterInput())
    order = customer_order()
    if order_by:
        if order_by.field in CONTACT_SORTS:
            may_search_by(viewer, "orderBy", "field")
        order = customer_order(str(order_by.field.value), order_by.direction is SortDirection.DESC)
    shape, values = search.shape_and_values()
    return WantedPage(
        row=stored.Customer,
        shape=shape,
        values=values,
        statement=lambda viewer, values: search_statement(viewer, replace(search, **values)),
        order=order,
        window=part,
        query=["customers", search],
    )


def search_of(viewer: Viewer, given: CustomerFilterInput) -> CustomerSearch:
    """The filter in stored form. Half a telephone number is ignored, a whole one wins over the old field (C48)."""
    organisation = own_or(given.organisation_id, viewer)
    if organisation != viewer.organisation_id and not viewer.is_internal:
        raise refuse(ErrorCode.ORGANISATION_NOT_ALLOWED, "filter", "organisationId", rejected=[organisation])
    problems = Problems()
    for name in CONTACT_CRITERIA:
        if getattr(given, name) is not None:
            may_search_by(viewer, "filter", to_camel_case(name))

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
