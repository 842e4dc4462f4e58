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
