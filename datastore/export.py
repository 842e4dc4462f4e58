"""All that is stored about a person, as one JSON document."""

from collections.abc import Sequence
from datetime import date, datetime
from enum import Enum
from typing import Any

from sqlalchemy import Column, ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from datastore.audit import AuditKind, AuditLogEntry
from datastore.base import Base, rfc3339
from datastore.bookkeeping import SignInFailure
from datastore.customer import Customer, CustomerPreference, Preference
from datastore.erasure import RULES, Profile
from datastore.loyalty.contract import Contract
from datastore.loyalty.ledger import CouponYear, TotalAmount, Transaction
from datastore.loyalty.usage import OrderLineEvent, TaxDistribution
from datastore.reading import among
from datastore.sealing import SEALED, SEARCH_HASH_OF, Keyring

NOT_EXPORTED = ("is_secret", "is_derived", "sort_key_of", SEARCH_HASH_OF)
"""What the `info` of a column has under one of these names is no data of the person: hashes, and what is made from
other columns."""
BY_OTHERS = (AuditLogEntry, SignInFailure, Customer)
"""Rows that have a way of their own into the document, or none: a keyed hash tells nothing."""
EXPORTED = tuple(rule for rule in RULES if rule.row not in BY_OTHERS)
"""What belongs to a person is what an erasure meets, so that nothing can be forgotten in one of the two."""

HELD: tuple[tuple[type[Base], str, type[Base]], ...] = (
    (CouponYear, "contract_id", Contract),
    (TotalAmount, "contract_id", Contract),
    (Transaction, "contract_id", Contract),
    (TaxDistribution, "order_line_event_id", OrderLineEvent),
)
"""What an erasure leaves alone, because it names nobody once its owner does not: with the column by which it hangs on a
row that belongs to the person."""
OF_OTHERS = (Transaction.__table__.c.email,)
"""Columns about somebody else, such as a seller."""


async def document_of(session: AsyncSession, keys: Keyring, profiles: Sequence[Profile], now: datetime) -> Any:
    """The document about the person who has these profiles: `profiles`, a list of rows for each kind of them (as
    `postalAddresses`), `preferences` as the catalogue has them, and `dataAccessLog`, the looks at sensitive values.

    Sealed values are opened, times are RFC 3339 in UTC, enums are names. One statement for each list. Raises
    CannotOpen.
    """
    ids = [profile.id for profile in profiles]
    document: dict[str, Any] = {"exportedAt": rfc3339(now)}
    document["profiles"] = await _rows(session, keys, Customer, Customer.__table__.c.id, ids)
    for rule in EXPORTED:
        columns = rule.row.__table__.c
        document[list_name(rule.row)] = await _rows(session, keys, rule.row, columns[rule.via[0]], ids)
    for row, column, owner in HELD:
        owners = [each["id"] for each in document[list_name(owner)]]
        document[list_name(row)] = await _rows(session, keys, row, row.__table__.c[column], owners)
    chosen = [row["preferenceId"] for row in document[list_name(CustomerPreference)]]
    offered = among(Preference.organisation_id, {profile.organisation_id for profile in profiles})
    document["preferences"] = await _rows(session, keys, Preference, Preference.__table__.c.id, chosen, offered)
    document["dataAccessLog"] = await _looks(session, ids)
    return document


def list_name(row: type[Base]) -> str:
    """The name of the list of rows of a class: `postalAddresses` for `PostalAddress`."""
    name = row.__name__
    plural = f"{name}es" if name.endswith("s") else name if name.endswith("Info") else f"{name}s"
    return plural[0].lower() + plural[1:]


def sealed_fields(document: Any) -> list[str]:
    """The sensitive fields of which the document has a value, as `Note.text`."""
    return sorted(
        f"{rule.row.__name__}.{camel(column.name)}"
        for rule in EXPORTED
        for column in exported_columns(rule.row)
        if column.info.get(SEALED) and any(each[camel(column.name)] for each in document[list_name(rule.row)])
    )


async def _rows(
    session: AsyncSession,
    keys: Keyring,
    row: type[Base],
    column: ColumnElement[Any],
    wanted: Sequence[int],
    *also: ColumnElement[bool],
) -> list[dict[str, Any]]:
    columns = exported_columns(row)
    statement = select(*columns).where(among(column, wanted), *also).order_by(*row.__table__.primary_key)
    found = (await session.execute(statement)).all()
    names = [camel(each.name) for each in columns]
    return [
        {name: shown(value, each, keys) for name, each, value in zip(names, columns, values, strict=True)}
        for values in map(tuple, found)
    ]


async def _looks(session: AsyncSession, ids: Sequence[int]) -> list[dict[str, Any]]:
    entry = AuditLogEntry
    statement = (
        select(entry.logged_at, entry.organisation_id, entry.client_name, entry.operation, entry.details)
        .where(among(entry.customer_id, ids), entry.kind == AuditKind.REVEAL)
        .order_by(entry.logged_at, entry.id)
    )
    return [
        {
            "accessedAt": rfc3339(at),
            "organisationId": organisation,
            "clientName": client,
            "operation": operation,
            "reason": details.get("reason"),
            "fields": details.get("fields", []),
        }
        for at, organisation, client, operation, details in map(tuple, (await session.execute(statement)).all())
    ]


def exported_columns(row: type[Base]) -> list[Column[Any]]:
    columns: Any = row.__table__.columns
    own = (each for each in columns if not any(each is other for other in OF_OTHERS))
    return [each for each in own if not any(each.info.get(name) for name in NOT_EXPORTED)]


def shown(value: Any, column: Column[Any], keys: Keyring) -> Any:
    """A stored value as JSON has it. Raises CannotOpen."""
    if column.info.get(SEALED) and value is not None:
        return keys.open(value, column)
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, date):
        return value.isoformat()
    return value.name if isinstance(value, Enum) else value


def camel(name: str) -> str:
    """`postal_address` as `postalAddress`."""
    first, *others = name.split("_")
    return first + "".join(each.capitalize() for each in others)
