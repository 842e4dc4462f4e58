"""Statements over customers that have a thought of their own: merged profiles, related numbers, the search."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, fields
from datetime import date, datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import aliased

from datastore.base import broad
from datastore.customer import (
    BIRTH_SORT,
    EMAIL_SORT,
    Customer,
    CustomerStatus,
    Ecard,
    OwnedByCustomer,
    PersonnelTicketBearer,
    PostalAddress,
    ProfileType,
)
from datastore.keyset import Order
from datastore.loaders import Condition
from datastore.reading import visible
from datastore.text import prefix_bounds
from datastore.viewer import Viewer

SORTS: dict[str, ColumnElement[Any]] = {
    "customer_number": Customer.__table__.c.customer_number,
    "first_name": Customer.__table__.c.first_name_key,
    "surname": Customer.__table__.c.surname_key,
    "email": EMAIL_SORT,
    "date_of_birth": BIRTH_SORT,
    "organisation_id": Customer.__table__.c.organisation_id,
}
"""What customers can be sorted by (rule C49): the name of the source, the indexed value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerSearch:
    """The criteria of a search, already in their stored form; all given ones must hold (rule C48)."""

    organisation_id: int
    first_name_key: str | None = None
    surname_key: str | None = None
    email_key: str | None = None
    country_code: str | None = None
    telephone_number_no_country_code: str | None = None
    telephone_number: str | None = None
    landline_number: str | None = None
    date_of_birth: date | None = None
    vipps_id: str | None = None
    invoice_organisation_id: str | None = None
    postal_address_key: str | None = None
    post_code: str | None = None
    ticket_right_owner: str | None = None
    ticket_right_bearer: str | None = None
    include_temporary: bool = False
    include_deleted: bool = False

    def shape_and_values(self) -> tuple[Hashable, dict[str, Any]]:
        """What decides the form of the search's statement, and the values in it by name."""
        given = {each.name: getattr(self, each.name) for each in fields(self)}
        values = {name: value for name, value in given.items() if value is not None and not isinstance(value, bool)}
        return (*values, self.include_temporary, self.include_deleted), values


@cache
def customer_order(field: str = "customer_number", descending: bool = False) -> Order:
    """The order of a customer list: by one of `SORTS`, then by customer number, which makes it total (rule C49)."""
    number = SORTS["customer_number"]
    return Order([SORTS[field], number] if field != "customer_number" else [number], descending)


def starts_with(key: Any, prefix: str) -> ColumnElement[bool]:
    """Condition on a sort-key column that an index answers as one range."""
    low, high = prefix_bounds(prefix)
    condition: ColumnElement[bool] = (key >= low) & (key < high)
    return condition


CRITERIA: dict[str, tuple[type[Customer | OwnedByCustomer], Callable[[Any], Any]]] = {
    "first_name_key": (Customer, lambda key: starts_with(Customer.first_name_key, key)),
    "surname_key": (Customer, lambda key: starts_with(Customer.surname_key, key)),
    "email_key": (Customer, lambda key: Customer.email_key == key),
    "country_code": (Customer, lambda code: Customer.country_code == code),
    "telephone_number_no_country_code": (Customer, lambda text: Customer.telephone_number_no_country_code == text),
    "telephone_number": (Customer, lambda text: Customer.telephone_number == text),
    "landline_number": (Customer, lambda text: Customer.landline_number == text),
    "date_of_birth": (Customer, lambda day: Customer.date_of_birth == day),
    "vipps_id": (Customer, lambda vipps_id: Customer.vipps_id == vipps_id),
    "invoice_organisation_id": (Customer, lambda text: Customer.invoice_organisation_id == text),
    "postal_address_key": (PostalAddress, lambda key: starts_with(PostalAddress.address_line1_key, key)),
    "post_code": (PostalAddress, lambda code: PostalAddress.post_code == code),
    "ticket_right_owner": (PersonnelTicketBearer, lambda text: PersonnelTicketBearer.ticket_right_owner == text),
    "ticket_right_bearer": (PersonnelTicketBearer, lambda text: PersonnelTicketBearer.ticket_right_bearer == text),
}
"""Criterion -> the row it is about, and the condition on it that a value stands for."""


def search_statement(viewer: Viewer, search: CustomerSearch) -> Select[Any]:
    """Select the customers of one organisation that fit the search. Merged profiles are left out: their survivor
    stands for them. Criteria about addresses must all hold for one address, and so for tickets."""
    conditions = [broad(Customer.organisation_id == search.organisation_id), Customer.merged_into_id.is_(None)]
    given: dict[Any, list[Any]] = {}
    for name, (row, condition) in CRITERIA.items():
        if (value := getattr(search, name)) is not None:
            given.setdefault(row, []).append(condition(value))
    conditions += given.pop(Customer, [])
    conditions += [Customer.id.in_(select(row.customer_id).where(*met)) for row, met in given.items()]
    if not search.include_temporary:
        conditions.append(Customer.profile_type != ProfileType.TEMPORARY)
    if not search.include_deleted:
        conditions.append(Customer.status != CustomerStatus.DELETED)
    return visible(Customer, viewer).where(*conditions)


def related_customers(viewer: Viewer, is_wanted: Condition) -> Select[Any]:
    """Select `(columns of a customer ..., key)`: the profiles merged into the customers whose key is wanted, directly
    or through others, and those connected to them (rules C41, A07), by ascending customer number."""
    start = select(Customer.id.label("root"), Customer.id.label("id")).where(is_wanted(Customer.id))
    tree = start.cte("tree", recursive=True, nesting=True)
    merged, connected = aliased(Customer), aliased(Customer)
    tree = tree.union(select(tree.c.root, merged.id).join(tree, merged.merged_into_id == tree.c.id))
    beside = select(tree.c.root, connected.id).join(tree, connected.parent_id == tree.c.id)
    found = select(tree.c.root, tree.c.id).union(beside).cte("found", nesting=True)
    return (
        visible(Customer, viewer)
        .add_columns(found.c.root)
        .join(found, Customer.id == found.c.id)
        .where(Customer.id != found.c.root)
        .add_cte(tree, nest_here=True)
        .order_by(Customer.customer_number)
    )


def owner(viewer: Viewer, is_wanted: Condition) -> Select[Any]:
    """Select `(columns of a customer ..., key)`: the customers whose key is wanted, whatever their state."""
    return visible(Customer, viewer).add_columns(Customer.id.label("root")).where(is_wanted(Customer.id))


def current_owner(column: Any, number: str, viewer: Viewer, now: datetime) -> Select[Any]:
    """Select the id of the customer who owns the e-card with this number, of 10 or 16 digits as `column` has it, at
    `now`; where operators share a number, the latest ownership that the viewer may see counts."""
    is_open = Ecard.end_of_ownership.is_(None) | (Ecard.end_of_ownership > now)
    latest = Ecard.start_of_ownership.desc(), Ecard.id.desc()
    return (
        select(Ecard.customer_id).where(column == number, is_open, Ecard.visible_to(viewer)).order_by(*latest).limit(1)
    )
