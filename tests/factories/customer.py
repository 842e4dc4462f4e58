"""Builders of stored customers and what hangs on them.

Each inserts one row and returns it as a record; a keyword sets a column to another value than the docstring says.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from itertools import count, groupby
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from sqlalchemy import insert

from datastore import customer as stored
from datastore.base import Base
from datastore.database import Database
from datastore.demo.numbers import ecard_number_16digits
from datastore.reading import columns, records
from datastore.text import email_key

R = TypeVar("R", bound=Base)
Values = Mapping[str, Any]

ORGANISATION = 1
MOMENT = datetime(2026, 1, 31, 12, 0, 0, 123_000, tzinfo=UTC)
CHANGES = {"created_at": MOMENT, "changed_at": MOMENT}

_counters: WeakKeyDictionary[Database, Iterator[int]] = WeakKeyDictionary()


async def inserted(database: Database, row: type[R], *each: Values) -> list[R]:
    """The rows with these values, as records in the same order; one statement for neighbours with the same columns."""
    found: list[R] = []
    async with database.write() as session:
        for _, alike in groupby(each, key=sorted):
            statement = insert(row.__table__).returning(*columns(row), sort_by_parameter_order=True)  # type: ignore[arg-type]
            found += records(row, (await session.execute(statement, [dict(values) for values in alike])).all())
    return found


async def a_customer(database: Database, **values: Any) -> stored.Customer:
    """Kari Nordmann is an active standard customer of organisation 1, stored at MOMENT by `web` through `web`.

    She has no email, no telephone, no dates and no parent. The customers of one database are numbered 1000000001,
    1000000002 ...; the uuid is the number with zeros before it, the reference is the number.
    """
    return (await some_customers(database, values))[0]


async def some_customers(database: Database, *each: Values) -> list[stored.Customer]:
    """One customer for each set of values, in order; the rest is as `a_customer` says."""
    return await inserted(database, stored.Customer, *[_customer(database, values) for values in each])


def _customer(database: Database, values: Values) -> Values:
    number = values.get("customer_number") or next_number(database)
    email = values.get("email")
    by = {"created_by": "web", "created_by_channel": "web", "changed_by": "web", "changed_by_channel": "web"}
    return {
        "uuid": f"{number:032d}",
        "customer_number": number,
        "organisation_id": ORGANISATION,
        "customer_ref": str(number),
        "first_name": "Kari",
        "surname": "Nordmann",
        "email_key": None if email is None else email_key(email),
        **by,
        **CHANGES,
        **values,
    }


def next_number(database: Database) -> int:
    """The next customer number that the builders give out in this database."""
    return next(_counters.setdefault(database, count(1_000_000_001)))


async def a_merged_customer(database: Database, into: stored.Customer, **values: Any) -> stored.Customer:
    """Kari Nordmann, as `a_customer` has her, is passive: merged into the given customer, of whatever organisation."""
    merged = {"status": stored.CustomerStatus.PASSIVE, "merged_into_id": into.id}
    return await a_customer(database, **{**merged, **values})


async def a_deleted_customer(database: Database, **values: Any) -> stored.Customer:
    """Kari Nordmann, as `a_customer` has her, is deleted: active before, once kari@example.no, to be erased at the end
    of 2099."""
    deleted = {
        "status": stored.CustomerStatus.DELETED,
        "status_before_deletion": stored.CustomerStatus.ACTIVE,
        "email_old": "kari@example.no",
        "expiration_date": date(2099, 12, 31),
    }
    return await a_customer(database, **{**deleted, **values})


async def an_address(database: Database, customer: stored.Customer, **values: Any) -> stored.PostalAddress:
    """The customer's private address is Storgata 1, 0155 Oslo, in Norway; it has no second line and is not verified."""
    return (await inserted(database, stored.PostalAddress, address_of(customer, **values)))[0]


def address_of(customer: stored.Customer, **values: Any) -> Values:
    """The columns of `an_address`, for `inserted`."""
    home = {"address_line1": "Storgata 1", "post_code": "0155", "town": "Oslo", "country_code": "NOR"}
    return {"customer_id": customer.id, "type_of_address": stored.AddressType.PRIVATE, **home, **CHANGES, **values}


async def an_ecard(
    database: Database, customer: stored.Customer, ecard_number: str = "0700000001", **values: Any
) -> stored.Ecard:
    """The customer has owned card 0700000001 of operator 16160 since MOMENT and still does; the number of 16 digits
    is the right one for operator and number."""
    return (await inserted(database, stored.Ecard, ecard_of(customer, ecard_number, **values)))[0]


def ecard_of(customer: stored.Customer, ecard_number: str, **values: Any) -> Values:
    """The columns of `an_ecard`, for `inserted`."""
    operator = values.get("ecard_operator", "16160")
    return {
        "customer_id": customer.id,
        "ecard_number": ecard_number,
        "ecard_operator": operator,
        "ecard_number_16digits": ecard_number_16digits(operator, ecard_number),
        "start_of_ownership": MOMENT,
        **CHANGES,
        **values,
    }


async def a_consent(database: Database, customer: stored.Customer, **values: Any) -> stored.CustomerConsent:
    """The customer said yes to the consent NEWSLETTER, of today's consent system, not the older one."""
    return (await inserted(database, stored.CustomerConsent, consent_of(customer, **values)))[0]


def consent_of(customer: stored.Customer, **values: Any) -> Values:
    """The columns of `a_consent`, for `inserted`."""
    answer = {"is_legacy": False, "consent_code": "NEWSLETTER", "consent_choice": True}
    return {"customer_id": customer.id, **answer, **CHANGES, **values}


async def a_preference(database: Database, **values: Any) -> stored.Preference:
    """Organisation 1 lets its customers choose the active preference SEAT of type TRAVEL, which has no description."""
    offered = {"organisation_id": ORGANISATION, "preference_code": "SEAT", "preference_type": "TRAVEL"}
    return (await inserted(database, stored.Preference, {**offered, **CHANGES, **values}))[0]


async def a_choice(
    database: Database, customer: stored.Customer, preference: stored.Preference, **values: Any
) -> stored.CustomerPreference:
    """The customer has chosen the preference, with the value `window`."""
    return (await inserted(database, stored.CustomerPreference, choice_of(customer, preference, **values)))[0]


def choice_of(customer: stored.Customer, preference: stored.Preference, **values: Any) -> Values:
    """The columns of `a_choice`, for `inserted`."""
    chosen = {"preference_id": preference.id, "preference_value": "window"}
    return {"customer_id": customer.id, **chosen, **CHANGES, **values}


async def an_account(database: Database, customer: stored.Customer, **values: Any) -> stored.CustomerAccount:
    """The customer has the account ABT-1, created by `web` at MOMENT: not the default one, without an alias, never
    changed."""
    return (await inserted(database, stored.CustomerAccount, account_of(customer, **values)))[0]


def account_of(customer: stored.Customer, **values: Any) -> Values:
    """The columns of `an_account`, for `inserted`."""
    account = {"customer_account_id": "ABT-1", "created_at": MOMENT, "created_by": "web"}
    return {"customer_id": customer.id, **account, **values}


async def a_note(database: Database, customer: stored.Customer, **values: Any) -> stored.Note:
    """Employee `ola` noted about the customer: "Called about a refund."."""
    note = {"text": "Called about a refund.", "created_by": "ola", "changed_by": "ola", **values}
    sealed = {"text": database.keys.seal(note["text"], stored.Note.text)}
    row = {"customer_id": customer.id, **CHANGES, **note, **sealed}
    return (await inserted(database, stored.Note, row))[0]


async def a_personnel_ticket(
    database: Database, customer: stored.Customer, **values: Any
) -> stored.PersonnelTicketBearer:
    """The customer has a personnel ticket by the right of employee E1 and bears it alone, as bearer B1."""
    ticket = {"bearer_customer_id": customer.id, "ticket_right_owner": "E1", "ticket_right_bearer": "B1"}
    row = {"customer_id": customer.id, **ticket, "is_self_served_retrieval": True, **CHANGES, **values}
    return (await inserted(database, stored.PersonnelTicketBearer, row))[0]


async def a_traveller_info(database: Database, customer: stored.Customer, **values: Any) -> stored.TravellerInfo:
    """The customer travels on legs 1 and 2 of order ORDER-1, in the customer's organisation; the rest is unknown."""
    order = {"order_id": "ORDER-1", "organisation_id": customer.organisation_id, "legs": ["1", "2"]}
    return (await inserted(database, stored.TravellerInfo, {"customer_id": customer.id, **order, **values}))[0]
