"""The migrations: they make exactly the tables that the rows declare, they go both ways and they keep the data."""

import asyncio
import re
import sys
import warnings
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from datastore import migrate
from datastore.customer import Note
from datastore.database import Database
from datastore.keyset import cursor_key
from datastore.sealing import SEALED, CannotOpen, Keyring
from tests.conftest import KEYS
from tests.datastore.rows import value, values

TABLES = migrate.METADATA.tables
REVISIONS = [
    script.revision for script in ScriptDirectory.from_config(migrate.configuration()).walk_revisions("base", "heads")
][::-1]
REWRITTEN: dict[str, set[str]] = {"0002": {"note"}}
"""Revision -> the tables whose rows it changes on purpose, each with a test of its own below. Rows of all others must
come through untouched."""
SEALED_BY = {
    "note": "0002",
    **dict.fromkeys(("imported_employee", "employee", "family_member"), "0005"),
    "upload_chunk": "0006",
}
"""Table with a sealed column -> the revision that sealed it. Before, its texts are stored as they are."""

LONGEST_NAME = 63
"""PostgreSQL cuts longer names."""

POSTGRES_CATALOGUE = """
SELECT 'column', c.relname || '.' || a.attname,
       format_type(a.atttypid, a.atttypmod) || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END
       || coalesce(' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), '') || coalesce(' COLLATE ' || l.collname, '')
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
  LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
  LEFT JOIN pg_collation l ON l.oid = a.attcollation
 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
UNION ALL
SELECT 'constraint', conrelid::regclass || '.' || conname, pg_get_constraintdef(oid)
  FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype <> 'n'
UNION ALL
SELECT 'index', tablename || '.' || indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
"""
"""Kind, name and definition of everything in the database, as PostgreSQL itself prints it. The NOT NULL constraints
that newer versions keep by name are part of the columns."""

Catalogue = dict[tuple[str, str], str]


async def catalogue(database: Database) -> Catalogue:
    """(kind, table.name) -> definition, of all tables but Alembic's own."""
    if database.dialect == "postgresql":
        found: list[Any] = list(await database.fetch(sa.text(POSTGRES_CATALOGUE)))
    else:
        master = "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"
        rows: list[Any] = list(await database.fetch(sa.text(master)))
        found = [
            part
            for kind, name, table, sql in rows
            for part in ([("index", f"{table}.{name}", sql)] if kind == "index" else table_parts(name, sql))
        ]
    return {
        (kind, name): " ".join(definition.split())
        for kind, name, definition in found
        if name.partition(".")[0] not in {"alembic_version", '"alembic_version"'}
    }


def table_parts(table: str, sql: str) -> list[tuple[str, str, str]]:
    """The columns and constraints of a CREATE TABLE as SQLite keeps it; an unnamed constraint has the name ''."""
    body = sql[sql.index("(") + 1 : sql.rindex(")")]
    parts, depth, last = [], 0, 0
    for position, character in enumerate(body + ","):
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            parts.append(body[last:position].strip())
            last = position + 1
    found = []
    for part in parts:
        first, _, rest = part.partition(" ")
        if first == "CONSTRAINT":
            name, _, definition = rest.partition(" ")
            found.append(("constraint", f"{table}.{name.strip(chr(34))}", definition))
        elif first in {"PRIMARY", "FOREIGN", "UNIQUE", "CHECK"}:
            found.append(("constraint", f"{table}.", part))
        else:
            found.append(("column", f"{table}.{first.strip(chr(34))}", rest))
    return found


def left_over(connection: sa.Connection) -> tuple[list[Any], list[str]]:
    """What autogenerate would still change, and what it says it did not look at."""
    options = {"compare_type": True, "render_as_batch": True}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        differences = compare_metadata(MigrationContext.configure(connection, opts=options), migrate.METADATA)
    return differences, [str(warning.message) for warning in caught]


async def test_autogenerate_finds_nothing_left(database: Database) -> None:
    async with database.engine.connect() as connection:
        differences, skipped = await connection.run_sync(left_over)
    assert differences == []
    by_hand = {
        str(index.name)
        for table in TABLES.values()
        for index in table.indexes
        if not all(isinstance(expression, sa.Column) for expression in index.expressions)
    }
    unseen = [text for text in skipped if not any(name in text for name in by_hand)]
    assert unseen == [], "neither autogenerate nor the next test compares these"


async def test_the_migrations_make_what_the_rows_declare_to_the_letter(database: Database) -> None:
    """Autogenerate looks neither at check constraints nor at collations, partial indexes and indexed expressions."""
    migrated = await catalogue(database)
    await migrate.downgrade(database, "base")
    assert await catalogue(database) == {}
    async with database.engine.begin() as connection:
        await connection.run_sync(migrate.METADATA.create_all)
    declared = await catalogue(database)
    assert {kind for kind, _ in declared} == {"column", "constraint", "index"}
    assert migrated == declared


async def test_every_constraint_and_index_has_a_name_by_the_convention(database: Database) -> None:
    found = [name.split(".") for kind, name in await catalogue(database) if kind != "column"]
    declared = {(table.name, str(each.name)) for table in TABLES.values() for each in table.constraints}
    declared |= {(table.name, str(index.name)) for table in TABLES.values() for index in table.indexes}
    assert {(table, name) for table, name in found} == declared
    strange = [
        name
        for table, name in found
        if not re.fullmatch(rf"(pk|fk|uq|ix|ck)_{table}(_\w+)?", name) or len(name) > LONGEST_NAME
    ]
    assert strange == []


@pytest.mark.parametrize("table", TABLES.values(), ids=str)
def test_an_index_is_called_uq_where_it_is_unique_and_ix_where_it_is_not(table: sa.Table) -> None:
    for index in table.indexes:
        assert str(index.name).startswith("uq_" if index.unique else "ix_")


async def fill(database: Database) -> None:
    """Give every table that is empty a row with a value in every column, sealed where the revision has it so."""
    current = await migrate.current_revision(database)

    def insert(connection: sa.Connection) -> None:
        inspector = sa.inspect(connection)
        for name, _ in inspector.get_sorted_table_and_fkc_names():
            if name in {None, "alembic_version"}:
                continue
            columns = columns_of(inspector, str(name))
            target = sa.table(str(name), *columns)
            if connection.scalar(sa.select(sa.func.count()).select_from(target)) == 0:
                row = {column.name: value(declared_column(str(name), column), 1) for column in columns}
                if name in SEALED_BY and REVISIONS.index(str(current)) >= REVISIONS.index(SEALED_BY[name]):
                    row |= {each.name: KEYS.seal(row[each.name], each) for each in sealed_columns(TABLES[name])}
                connection.execute(target.insert().values(row))

    async with database.engine.begin() as connection:
        await connection.run_sync(insert)


def sealed_columns(table: sa.Table) -> list[sa.Column[Any]]:
    return [column for column in table.columns if column.info.get(SEALED)]


def columns_of(inspector: sa.Inspector, table: str) -> list[sa.Column[Any]]:
    """The columns that a table has now, with the types that the rows declare as far as they still have them."""
    found = (sa.Column(each["name"], each["type"]) for each in inspector.get_columns(table))
    return [sa.Column(column.name, declared_column(table, column).type) for column in found]


def declared_column(table: str, column: sa.Column[Any]) -> sa.Column[Any]:
    declared = TABLES[table].columns.get(column.name) if table in TABLES else None
    return column if declared is None else declared


async def contents(database: Database) -> dict[str, list[dict[str, Any]]]:
    """All rows of all tables but Alembic's own."""

    def read(connection: sa.Connection) -> dict[str, list[dict[str, Any]]]:
        inspector = sa.inspect(connection)
        found = {}
        for name in inspector.get_table_names():
            columns = columns_of(inspector, name)
            rows = connection.execute(sa.select(*columns).select_from(sa.table(name)))
            found[name] = sorted((dict(row) for row in rows.mappings()), key=repr)
        del found["alembic_version"]
        return found

    async with database.engine.connect() as connection:
        return await connection.run_sync(read)


def assert_survived(before: dict[str, list[dict[str, Any]]], after: dict[str, list[dict[str, Any]]], by: str) -> None:
    """Tables that are there on both sides of a revision have the same rows, in the columns they have on both."""
    for name in before.keys() & after.keys() - REWRITTEN.get(by, set()):
        common = before[name][0].keys() & after[name][0].keys() if before[name] and after[name] else frozenset()
        cut = [[{key: row[key] for key in common} for row in side[name]] for side in (before, after)]
        assert cut[0] == cut[1], f"revision {by} does not keep the rows of {name}"


async def test_every_revision_goes_back_and_forth_with_a_row_in_every_table(database: Database) -> None:
    await fill(database)
    full = await contents(database)
    assert full.keys() == TABLES.keys()
    assert all(full.values())

    at_head = await catalogue(database)
    for revision, below in zip(REVISIONS[::-1], [*REVISIONS[-2::-1], "base"], strict=True):
        before = await contents(database)
        await migrate.downgrade(database, below)
        assert_survived(before, await contents(database), by=revision)
    assert await migrate.current_revision(database) is None
    assert await contents(database) == {}

    for revision in REVISIONS:
        before = await contents(database)
        await migrate.upgrade(database, revision)
        assert_survived(before, await contents(database), by=revision)
        await fill(database)
    assert await migrate.current_revision(database) == migrate.newest_revision()
    assert await catalogue(database) == at_head
    assert all((await contents(database)).values())


def test_every_table_with_a_sealed_column_says_since_when() -> None:
    assert {name for name, table in TABLES.items() if sealed_columns(table)} == SEALED_BY.keys()


NOTES = {number: f"Nr. {number}: «Ønsker \U0001f68b»" for number in range(1, 2502)} | {
    2600: "",
    2700: "test.bm90IHNlYWxlZA==",
    10**12: "x" * 10_000,
}
"""Key -> text of notes, more than two batches of the migration, with gaps: also the empty, the longest and one that
looks as if it were sealed."""


NOTE = sa.table("note", *(sa.Column(each.name, each.type) for each in TABLES["note"].columns if each.name != "version"))
"""The table as all revisions have it."""


async def add_notes(database: Database) -> list[dict[str, Any]]:
    """The notes, at a revision that does not seal them, as they are stored, by key."""
    customer, since = TABLES["customer"], {"version"}
    rows = [values(TABLES["note"], key) | {"customer_id": 1, "text": text} for key, text in NOTES.items()]
    rows = [{name: value for name, value in row.items() if name not in since} for row in rows]
    async with database.engine.begin() as connection:
        await connection.execute(customer.insert(), values(customer, 1))
        await connection.execute(NOTE.insert(), rows)
    return await all_notes(database)


async def all_notes(database: Database) -> list[dict[str, Any]]:
    return [dict(row._mapping) for row in await database.fetch(sa.select(NOTE).order_by(NOTE.c.id))]


async def test_notes_are_sealed_on_the_way_up_and_opened_on_the_way_down(database: Database) -> None:
    await migrate.downgrade(database, "0001")
    plain = await add_notes(database)
    assert {row["id"]: row["text"] for row in plain} == NOTES

    await migrate.upgrade(database, "0002")
    sealed = await all_notes(database)
    assert len({row["text"] for row in sealed}) == len(NOTES)
    assert not any(text and text in row["text"] for row, text in zip(sealed, NOTES.values(), strict=True))
    assert [row | {"text": KEYS.open(row["text"], Note.text)} for row in sealed] == plain

    await migrate.downgrade(database, "0001")
    assert await all_notes(database) == plain


async def test_notes_that_an_older_key_sealed_are_opened_too(database: Database) -> None:
    await migrate.downgrade(database, "0001")
    plain = await add_notes(database)
    await migrate.upgrade(database, "0002")
    database.keys = Keyring({"newer": b"n" * 32, "test": b"k" * 32})
    await migrate.downgrade(database, "0001")
    assert await all_notes(database) == plain


@pytest.mark.parametrize("keys", [Keyring(), Keyring({"test": b"w" * 32}), Keyring({"other": b"k" * 32})])
async def test_notes_stay_as_they_are_without_the_key(database: Database, keys: Keyring) -> None:
    await migrate.downgrade(database, "0001")
    plain = await add_notes(database)
    if not keys.keys:
        database.keys = keys
        with pytest.raises(CannotOpen, match="KUNDEPORT_ENCRYPTION_KEYS"):
            await migrate.upgrade(database)
        assert await migrate.current_revision(database) == "0001"
        assert await all_notes(database) == plain
        database.keys = KEYS

    await migrate.upgrade(database)
    sealed = await all_notes(database)
    database.keys = keys
    with pytest.raises(CannotOpen, match=r"note\.text"):
        await migrate.downgrade(database, "0001")
    assert await migrate.current_revision(database) == migrate.newest_revision()
    assert await all_notes(database) == sealed


async def test_a_database_without_notes_needs_no_key(database: Database) -> None:
    database.keys = Keyring()
    await migrate.downgrade(database, "0001")
    await migrate.upgrade(database)
    assert await migrate.current_revision(database) == migrate.newest_revision()


async def test_an_upgrade_of_the_newest_database_changes_nothing(database: Database) -> None:
    await fill(database)
    before = await contents(database)
    await migrate.upgrade(database)
    assert await contents(database) == before


async def test_a_migration_that_fails_leaves_the_database_as_it_was(database: Database) -> None:
    def fail(config: Config) -> None:
        command.downgrade(config, "base")
        raise LookupError("half way")

    await fill(database)
    before = await contents(database)
    with pytest.raises(LookupError, match="half way"):
        await migrate.run(database, fail)
    assert await contents(database) == before
    assert await migrate.current_revision(database) == migrate.newest_revision()


async def test_a_table_that_others_refer_to_can_be_copied_and_dropped(database: Database) -> None:
    """SQLite cannot alter most things: Alembic makes a new table, copies the rows and drops the old one."""

    def shorten(config: Config) -> None:
        operations = Operations(MigrationContext.configure(config.attributes["connection"]))
        with (
            warnings.catch_warnings(action="ignore", category=sa.exc.SAWarning),
            operations.batch_alter_table("customer", recreate="auto") as customer,
        ):
            customer.drop_column("last_sign_in_from")

    await fill(database)
    before = await contents(database)
    await migrate.run(database, shorten)
    after = await contents(database)
    for row in before["customer"]:
        del row["last_sign_in_from"]
    assert after == before
    if database.dialect == "sqlite":
        assert (await database.fetch(sa.text("PRAGMA foreign_keys")))[0][0] == 1


async def test_a_migration_that_orphans_rows_is_refused(database: Database) -> None:
    def orphan(config: Config) -> None:
        config.attributes["connection"].exec_driver_sql("DELETE FROM preference")

    await fill(database)
    before = await contents(database)
    with pytest.raises((RuntimeError, sa.exc.IntegrityError), match="customer_preference"):
        await migrate.run(database, orphan)
    assert await contents(database) == before


async def test_the_cursor_secret_is_made_once_and_is_the_databases_own(database: Database) -> None:
    first = await cursor_key(database)
    assert len(first) == 32
    await migrate.upgrade(database)
    database.cursor_key = None
    assert await cursor_key(database) == first

    await migrate.downgrade(database, "base")
    await migrate.upgrade(database)
    database.cursor_key = None
    assert await cursor_key(database) != first


async def test_processes_that_upgrade_one_database_at_once_do_not_meet(database: Database, url: str) -> None:
    await migrate.downgrade(database, "base")
    program = (
        "import asyncio, sys; from datastore import migrate; from datastore.database import Database; "
        "asyncio.run(migrate.upgrade(Database(sys.argv[1])))"
    )
    processes = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", program, url, stderr=asyncio.subprocess.PIPE)
        for _ in range(3)
    ]
    errors = [(await process.communicate())[1].decode() for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], errors
    assert await migrate.current_revision(database) == migrate.newest_revision()
    assert len(await database.fetch(sa.text("SELECT name FROM gateway_secret WHERE name = 'cursor'"))) == 1
