"""Erasure: nothing personal is left of the person, and nothing of anybody else is gone (rules C15 and C58)."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Boolean, Date, Enum, String, Table

from datastore import customer as rows
from datastore.audit_check import verify
from datastore.base import Base, UtcDateTime
from datastore.customer_merge import CustomerMerge
from datastore.database import Database
from datastore.erasure import LEFT_ALONE, REFERENCES, RULES, ErasureAction, overwrite_log
from datastore.loyalty.contract import Contract, ContractConsumer
from datastore.migrate import METADATA
from datastore.sealing import SEALED
from datastore.text import email_key
from datastore.viewer import Viewer
from resolvers.context import Context
from schema.root import schema
from tests.customer.mutations import (
    CREATE_ADDRESS,
    HOME,
    UPDATE,
    answered,
    document,
    done,
    everything,
    new_values,
)
from tests.execute import VIEWER
from tests.factories.customer import (
    a_choice,
    a_consent,
    a_customer,
    a_note,
    a_personnel_ticket,
    a_preference,
    a_traveller_info,
    an_account,
    an_address,
    an_ecard,
    inserted,
    next_number,
)
from tests.factories.loyalty import a_contract, a_coupon_program, an_order_line

ERASE = document("eraseCustomer", "receipt { customerNumber }")
VERIFY = document("verifyCredentials", "customer { customerNumber }")
OWNED = [
    rule.row
    for rule in RULES
    if rule.action is ErasureAction.DELETED and rule.row.__tablename__ not in ("customer", "sign_in_failure")
]


async def erased(database: Database, customer: rows.Customer, viewer: Viewer = VIEWER) -> Any:
    return await done(database, ERASE, {"customerNumber": customer.customer_number}, viewer)


async def problems(database: Database) -> set[str]:
    """What `audit verify` finds."""
    return {each.problem async for each in verify(database)}


# What is to be erased is declared


def named_customers(table: Table) -> list[str]:
    """The columns by which rows of a table can be somebody's."""
    known = {METADATA.tables["customer"].c.id}
    return [
        column.name
        for column in table.columns
        if column.name.endswith(("customer_id", "customer_number"))
        or any(key.column in known or key.column.table.name in declared() for key in column.foreign_keys)
    ]


def declared() -> dict[str, tuple[str, ...]]:
    return {rule.row.__tablename__: tuple(rule.via) for rule in RULES}


def test_every_table_that_can_be_about_a_person_says_what_becomes_of_it() -> None:
    undeclared = [
        name
        for name, table in METADATA.tables.items()
        if named_customers(table) and name not in declared() and name not in LEFT_ALONE
    ]
    assert undeclared == [], "declare them in datastore/erasure.py"
    assert set(LEFT_ALONE) <= set(METADATA.tables)


def test_every_foreign_key_to_a_customer_is_followed_or_cleared() -> None:
    """A row that is kept cannot have one: the customer is gone."""
    keys = {
        f"{table.name}.{column.name}"
        for table in METADATA.tables.values()
        for column in table.columns
        if any(key.column.table.name == "customer" for key in column.foreign_keys)
    }
    followed = {
        f"{rule.row.__tablename__}.{name}"
        for rule in RULES
        for name in rule.via
        if rule.action is ErasureAction.DELETED or (name in rule.values and rule.values[name] is None)
    }
    assert keys - followed == set(REFERENCES)


# Nothing is left


def planted(row: type[Base], numbers: Iterator[int], **given: Any) -> dict[str, Any]:
    """A value of its own in every column of a row that can hold something personal: texts have an Ø, those that are
    long enough also `xyzzy`, times and days are of the year 1907."""
    values: dict[str, Any] = {}
    for column in row.__table__.columns:
        n = next(numbers)
        kind = getattr(column.type, "impl_instance", column.type)
        if column.name in given or column.primary_key or column.foreign_keys or column.name.endswith("_key"):
            continue
        if isinstance(column.type, UtcDateTime):
            values[column.name] = datetime(1907, 1, 1, tzinfo=UTC) + timedelta(hours=n)
        elif isinstance(kind, Enum):
            values[column.name] = next(iter(kind.enum_class or ()))
        elif isinstance(kind, String):
            length = kind.length or 100
            values[column.name] = f"Ø{n:04}xyzzy" if length >= 10 else f"Ø{n:02x}"[:length]
        elif isinstance(kind, Date):
            values[column.name] = date(1907, 1, 1) + timedelta(days=n)
        elif isinstance(kind, Boolean):
            values[column.name] = True
    return {**values, **given}


async def a_planted_person(database: Database, numbers: Iterator[int], **given: Any) -> rows.Customer:
    """Somebody with planted values, and a row of everything that can be owned."""
    email = f"Ø{next(numbers)}xyzzy@example.no"
    whole = {
        "organisation_id": 1,
        "customer_number": next_number(database),
        "email": email,
        "email_key": email_key(email),
        **given,
    }
    password = {"password_hash": "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQxMjM$" + "xyzzy" * 8 + "xyw"}
    (person,) = await inserted(database, rows.Customer, planted(rows.Customer, numbers, **whole, **password))
    preference = await a_preference(database, preference_code=f"P{person.id}")
    consent: Any = None
    owned = sorted(OWNED, key=lambda row: row is rows.CustomerConsentAnswer)
    contract = await a_contract_in_use(database, person, numbers)
    for row in owned:
        values: dict[str, Any] = {"customer_id": person.id}
        if row is ContractConsumer:
            values["contract_id"] = contract.id
        if row is rows.CustomerConsentAnswer:
            values["consent_id"] = consent.id
        if row is rows.CustomerPreference:
            values["preference_id"] = preference.id
        if row is rows.PersonnelTicketBearer:
            values["bearer_customer_id"] = person.id
        if row is rows.TravellerInfo:
            values |= {"legs": ["Ø1xyzzy"], "organisation_id": 1}
        if row is CustomerMerge:
            values |= {"merged_id": person.id, "before": ["Ø2xyzzy"]}
        for column in row.__table__.columns:
            if column.info.get(SEALED):
                values[column.name] = database.keys.seal("Øsealed xyzzy", getattr(row, column.name))
        (made,) = await inserted(database, row, planted(row, numbers, **values))
        consent = made if row is rows.CustomerConsent else consent
    return person


async def a_contract_in_use(database: Database, holder: rows.Customer, numbers: Iterator[int]) -> Contract:
    """A contract with planted values where it tells of its holder, and a use of it."""
    program = await a_coupon_program(database)
    contract = await a_contract(database, program, external_ref=f"Ø{next(numbers)}xyzzy", holder_id=holder.id)
    comment = f"Ø{next(numbers)}xyzzy"
    await an_order_line(database, contract, customer_id=holder.id, manual_transaction_comment=comment)
    return contract


async def everything_of_ola(database: Database) -> rows.Customer:
    ola = await a_customer(database, email="ola@example.no", date_of_birth=date(1980, 1, 2))
    await an_address(database, ola)
    await an_ecard(database, ola)
    await a_consent(database, ola)
    await a_choice(database, ola, await a_preference(database))
    await an_account(database, ola)
    await a_note(database, ola)
    await a_personnel_ticket(database, ola)
    await a_traveller_info(database, ola)
    contract = await a_contract(database, await a_coupon_program(database), ola, external_ref="1234")
    await an_order_line(database, contract, customer_id=ola.id, manual_transaction_comment="By telephone.")
    return ola


def lives_on(everything: dict[str, list[Any]], gone: set[int]) -> dict[str, list[Any]]:
    """The rows of all tables about customers that belong to somebody else than those with these keys."""
    found = {}
    for table in METADATA.tables.values():
        if table.name in declared() and table.name not in ("audit_log", "sign_in_failure"):
            place = [column.name for column in table.columns].index(declared()[table.name][0])
            found[table.name] = [row for row in everything[table.name] if row[place] not in {*gone, None}]
    return found


async def a_life_in_the_gateway(database: Database, numbers: Iterator[int]) -> tuple[rows.Customer, rows.Customer]:
    """Somebody with a merged profile, whom mutations have changed, whose note was read, who has signed in wrongly."""
    person = await a_planted_person(database, numbers)
    merged = await a_planted_person(database, numbers, merged_into_id=person.id)
    for n in range(2):
        new = {"email": f"ø{n}xyzzy@example.no", "vippsId": f"Ø{n}xyzzy", "firstName": f"Ø{n}xyzzy"}
        keyed = UPDATE.replace("(input: $input)", f'(input: $input) @idempotent(key: "u{n}")')
        await done(database, keyed, new_values(person, surname="Østby xyzzy", changedBy="Øla xyzzy", **new))
    await done(database, CREATE_ADDRESS, {"customerNumber": person.customer_number, **HOME, "town": "Ørsta xyzzy"})
    context = Context(database, VIEWER, reason="Øxyzzy called")
    notes = "query($n: Long!) { customer(by: { customerNumber: $n }) { notes { text } } }"
    seen = await schema.execute(notes, variable_values={"n": person.customer_number}, context_value=context)
    assert "Øsealed xyzzy" in str(seen.data)
    await context.finish()
    _, errors = await answered(database, VERIFY, {"email": "ø1xyzzy@example.no", "password": "Øxyzzy"})
    assert errors[0][0] == "CREDENTIALS_INVALID"
    return person, merged


@pytest.mark.rule("C15")
@pytest.mark.rule("C58")
async def test_nothing_of_the_person_is_left_anywhere_and_all_of_the_others(
    database: Database, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    person, merged = await a_life_in_the_gateway(database, iter(range(10_000)))
    await everything_of_ola(database)
    before = await everything(database)
    whole = str(before)
    assert (whole.count("xyzzy") > 100, whole.count("1907") > 20, len(before["sign_in_failure"])) == (True, True, 1)
    await erased(database, person)
    after = await everything(database)
    found = str(after) + caplog.text + "".join(capfd.readouterr())
    assert [each for each in ("xyzzy", "ø", "1907-", "1907, ") if each in found.lower()] == []
    assert lives_on(after, set()) == lives_on(before, {person.id, merged.id})
    assert lives_on(after, set())["note"] != []
    assert after["sign_in_failure"] == []
    assert await problems(database) == {""}


async def test_on_sqlite_the_bytes_are_overwritten(url: str, database: Database) -> None:
    if database.dialect != "sqlite":
        pytest.skip("PostgreSQL overwrites when it vacuums")
    file = Path(url.removeprefix("sqlite+aiosqlite:///"))
    person, _ = await a_life_in_the_gateway(database, iter(range(10_000)))

    def stored() -> bytes:
        return b"".join(each.read_bytes() for each in file.parent.glob("kundeport.db*"))

    await overwrite_log(database)
    assert b"xyzzy" in stored()
    await erased(database, person)
    await overwrite_log(database)
    assert [each for each in (b"xyzzy", "Ø".encode(), b"1907-") if each in stored()] == []
