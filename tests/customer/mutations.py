"""What the tests of customer mutations share: documents, inputs, and what a refusal leaves behind."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest
from sqlalchemy import CompoundSelect, exists, literal, select, union_all

from datastore.base import Base
from datastore.bookkeeping import OutboxEvent
from datastore.customer import Customer
from datastore.database import Database
from datastore.viewer import Viewer
from resolvers import carry_out
from resolvers.context import Context
from schema.root import schema
from tests.execute import VIEWER, execute

Values = dict[str, Any]
Error = tuple[str, str, list[str]]
"""Code, path joined by dots, rejected values."""

ADDRESS_FIELDS = "id version typeOfAddress addressLine1 addressLine2 postCode town countryCode verifiedAt"
CUSTOMER_FIELDS = f"""
    customerNumber uuid customerRef organisationId status profileType version firstName surname username email emailOld
    emailVerifiedAt countryCode telephoneNumberNoCountryCode telephoneNumber telephoneNumberVerifiedAt landlineNumber
    dateOfBirth {{ year month day }} nationality languagePreferenceISO6393 languagePreference vippsId customerAccountId
    expirationDate createdBy createdByChannel changedBy changedByChannel postalAddresses {{ {ADDRESS_FIELDS} }}
"""


def document(field: str, result: str, directive: str = "", variable: str = "") -> str:
    """A mutation with its one input as the variable `input`."""
    given = f"{field[0].upper()}{field[1:]}Input!"
    errors = "userErrors { code field rejectedValues }"
    return f"mutation($input: {given}{variable}) {{ {field}(input: $input){directive} {{ {result} {errors} }} }}"


CREATE = document("createCustomer", f"customer {{ {CUSTOMER_FIELDS} }}")
UPDATE = document("updateCustomer", f"customer {{ {CUSTOMER_FIELDS} }}")
DEACTIVATE = document("deactivateCustomer", f"customer {{ {CUSTOMER_FIELDS} }}")
RESTORE = document("restoreCustomer", f"customer {{ {CUSTOMER_FIELDS} }}")
CREATE_ADDRESS = document("createPostalAddress", f"postalAddress {{ {ADDRESS_FIELDS} }}")
UPDATE_ADDRESS = document("updatePostalAddress", f"postalAddress {{ {ADDRESS_FIELDS} }}")
DELETE_ADDRESS = document(
    "deletePostalAddress",
    f"customer {{ customerNumber postalAddresses {{ {ADDRESS_FIELDS} }} }} deletedPostalAddressId",
)

KARI = {
    "organisationId": 1,
    "firstName": "Kari",
    "surname": "Nordmann",
    "createdBy": "ola",
    "createdByChannel": "crm",
}
"""The least that createCustomer takes."""
HOME = {"typeOfAddress": "PRIVATE", "postCode": "0155", "town": "Oslo", "countryCode": "NOR"}
"""The least that an address takes."""
NOW = datetime(2026, 6, 30, 22, 30, 0, 123_000, tzinfo=UTC)
"""In Norway it is the first of July."""

HOSTILE = [("a\x00b", "TEXT_INVALID"), ("a\ud800b", "TEXT_INVALID"), ("x" * 100_000, "TEXT_TOO_LONG")]


def new_values(customer: Customer, **values: Any) -> Values:
    """An input of updateCustomer with the least that it takes."""
    names = {"firstName": "Kari", "surname": "Nordmann"}
    by = {"changedBy": "per", "changedByChannel": "web"}
    return {"customerNumber": customer.customer_number, **names, **by, **values}


def freeze(monkeypatch: pytest.MonkeyPatch, moment: datetime = NOW) -> None:
    """Let every mutation happen at the moment."""
    monkeypatch.setattr(carry_out, "milliseconds", lambda _: moment)


async def answered(
    database: Database, text: str, given: Values, viewer: Viewer = VIEWER, **variables: Any
) -> tuple[Any, list[Error]]:
    """The payload without its errors, and the errors."""
    (payload,) = (await execute(database, text, viewer, input=given, **variables)).values()
    errors = [(e["code"], ".".join(e["field"]), e["rejectedValues"]) for e in payload.pop("userErrors")]
    return payload, errors


async def done(database: Database, text: str, given: Values, viewer: Viewer = VIEWER, **variables: Any) -> Any:
    """What the mutation made, which must not be refused: the payload's first field."""
    payload, errors = await answered(database, text, given, viewer, **variables)
    assert errors == []
    return next(iter(payload.values()))


async def refused(
    database: Database, text: str, given: Values, viewer: Viewer = VIEWER, **variables: Any
) -> list[Error]:
    """The errors of a mutation that must be refused, and that shows and changes nothing."""
    before = await everything(database)
    payload, errors = await answered(database, text, given, viewer, **variables)
    assert errors, f"not refused: {payload}"
    assert set(payload.values()) == {None}
    assert await everything(database) == before
    return errors


async def errors_of(database: Database, text: str, given: Values, viewer: Viewer = VIEWER) -> list[Error]:
    """As `refused`, for many within `unchanged`: it does not look at every table each time."""
    payload, errors = await answered(database, text, given, viewer)
    assert errors, f"not refused: {payload}"
    assert set(payload.values()) == {None}
    return errors


@asynccontextmanager
async def unchanged(database: Database) -> AsyncIterator[None]:
    """A block that changes nothing in the database."""
    before = await everything(database)
    yield
    assert await everything(database) == before


async def not_executed(database: Database, text: str, given: Values) -> str:
    """The message of the GraphQL error that an input leads to, which changes nothing."""
    before = await everything(database)
    result = await schema.execute(text, variable_values={"input": given}, context_value=Context(database, VIEWER))
    assert result.errors, f"executed: {result.data}"
    assert await everything(database) == before
    return result.errors[0].message


@cache
def filled_tables() -> CompoundSelect[Any]:
    """Select the names of the tables that have rows."""
    return union_all(*(select(literal(t.name)).where(exists(t.select())) for t in Base.metadata.sorted_tables))


async def everything(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table."""
    found: dict[str, list[tuple[Any, ...]]] = {table.name: [] for table in Base.metadata.sorted_tables}
    for (name,) in await database.fetch(filled_tables()):  # most tables are empty
        table = Base.metadata.tables[name]
        found[name] = [tuple(row) for row in await database.fetch(select(table).order_by(*table.primary_key))]
    return found


async def stored(database: Database, number: int) -> Any:
    """The stored columns of a customer."""
    (row,) = await database.fetch(select(Customer.__table__).where(Customer.customer_number == number))
    return row


async def events(database: Database) -> list[tuple[str, int, int, datetime, str]]:
    """Type, customer number, organisation, moment and correlation id of all events, oldest first."""
    rows = await database.fetch(select(OutboxEvent.__table__).order_by(OutboxEvent.id))
    assert all(row.queue == "customer-changed" and row.published_at is None for row in rows)
    return [(r.type.value, r.customer_number, r.organisation_id, r.changed_at, r.correlation_id) for r in rows]
