"""Statements over customers that have a thought of their own: merged profiles, related numbers, the search."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

from aiodataloader import DataLoader
from sqlalchemy import ColumnElement, Select, select, union
from sqlalchemy.orm import aliased

from datastore.base import broad
from datastore.customer import (
    BIRTH_SORT,
    EMAIL_SORT,
    Customer,
    CustomerStatus,
    OwnedByCustomer,
    PersonnelTicketBearer,
    PostalAddress,
    ProfileType,
)
from datastore.keyset import Order
from datastore.loaders import Loaders, pairs
from datastore.reading import among, records, visible
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


def customer_order(field: str = "customer_number", descending: bool = False) -> Order:
    """The order of a customer list: by one of `SORTS`, then by customer number, which makes it total (rule C49)."""
    number = SORTS["customer_number"]
    return Order([SORTS[field], number] if field != "customer_number" else [number], descending)


def starts_with(key: Any, prefix: str) -> ColumnElement[bool]:
    """Condition on a sort-key column that an index answers as one range."""
    low, high = prefix_bounds(prefix)
    condition: ColumnElement[bool] = (key >= low) & (key < high)
    return condition


def with_address(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    return Customer.id.in_(select(PostalAddress.customer_id).where(condition))


def with_ticket(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    return Customer.id.in_(select(PersonnelTicketBearer.customer_id).where(condition))


CRITERIA: dict[str, Callable[[Any], Any]] = {
    "first_name_key": lambda key: starts_with(Customer.first_name_key, key),
    "surname_key": lambda key: starts_with(Customer.surname_key, key),
    "email_key": lambda key: Customer.email_key == key,
    "country_code": lambda code: Customer.country_code == code,
    "telephone_number_no_country_code": lambda number: Customer.telephone_number_no_country_code == number,
    "telephone_number": lambda number: Customer.telephone_number == number,
    "landline_number": lambda number: Customer.landline_number == number,
    "date_of_birth": lambda day: Customer.date_of_birth == day,
    "vipps_id": lambda vipps_id: Customer.vipps_id == vipps_id,
    "invoice_organisation_id": lambda number: Customer.invoice_organisation_id == number,
    "postal_address_key": lambda key: with_address(starts_with(PostalAddress.address_line1_key, key)),
    "post_code": lambda code: with_address(PostalAddress.post_code == code),
    "ticket_right_owner": lambda owner: with_ticket(PersonnelTicketBearer.ticket_right_owner == owner),
    "ticket_right_bearer": lambda bearer: with_ticket(PersonnelTicketBearer.ticket_right_bearer == bearer),
}
"""Criterion -> the condition that its value stands for."""


def search_statement(viewer: Viewer, search: CustomerSearch) -> Select[Any]:
    """Select the customers of one organisation that fit the search. Merged profiles are left out: their survivor
    stands for them."""
    conditions = [broad(Customer.organisation_id == search.organisation_id), Customer.merged_into_id.is_(None)]
    given = ((condition, getattr(search, name)) for name, condition in CRITERIA.items())
    conditions += [condition(value) for condition, value in given if value is not None]
    if not search.include_temporary:
        conditions.append(Customer.profile_type != ProfileType.TEMPORARY)
    if not search.include_deleted:
        conditions.append(Customer.status != CustomerStatus.DELETED)
    return visible(Customer, viewer).where(*conditions)


async def related_customers(load: Loaders, customer: Customer) -> list[Customer]:
    """The profiles merged into a customer, directly or through others, and those connected to it (rules C41, A07),
    by ascending customer number. One statement for all customers asked for together."""

    async def batch(ids: list[Any]) -> dict[Any, list[Customer]]:
        start = select(Customer.id.label("root"), Customer.id.label("id"))
        tree = start.where(among(Customer.id, ids, load.database.dialect)).cte("tree", recursive=True)
        merged = aliased(Customer)
        tree = tree.union(select(tree.c.root, merged.id).join(tree, merged.merged_into_id == tree.c.id))
        seen = visible(Customer, load.viewer).add_columns(tree.c.root).where(Customer.id != tree.c.root)
        found = await load.database.fetch(
            union(seen.join(tree, Customer.id == tree.c.id), seen.join(tree, Customer.parent_id == tree.c.id))
        )
        related: dict[Any, list[Customer]] = {}
        for values, record in sorted(
            zip(found, records(Customer, found), strict=True), key=lambda pair: pair[1].customer_number
        ):
            related.setdefault(values[-1], []).append(record)
        return related

    loader: DataLoader[int, list[Customer]] = load.batched("related customers", batch, list)
    return [] if customer.id is None else await loader.load(customer.id)


async def related_customer_numbers(load: Loaders, customer: Customer) -> list[int]:
    """The numbers of `related_customers`."""
    return [related.customer_number for related in await related_customers(load, customer)]


async def number_of_owner(load: Loaders, owned: OwnedByCustomer) -> int | None:
    """The number of the customer that a row belongs to, whatever its state."""

    async def batch(ids: list[Any]) -> dict[Any, int | None]:
        statement = select(Customer.id, Customer.customer_number).where(
            Customer.visible_to(load.viewer), among(Customer.id, ids, load.database.dialect)
        )
        return dict(pairs(await load.database.fetch(statement)))

    loader: DataLoader[int, int | None] = load.batched("number of owner", batch, lambda: None)
    return await loader.load(owned.customer_id)
