"""What the two databases are made to have in common: transactions, errors, column types."""

import asyncio
import logging
import sqlite3
import time
import traceback
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError

from datastore import customer as stored
from datastore.base import Base
from datastore.database import BUSY_MILLISECONDS, Database, violated_constraint
from datastore.text import LAST
from datastore.viewer import Viewer
from datastore.writing import Write
from tests.datastore.rows import MOMENT, values

SECRET = "kari.hemmelig@example.com"
TABLES = Base.metadata.tables
CUSTOMER = TABLES["customer"]
PREFERENCE = TABLES["preference"]
VIEWER = Viewer(1)


async def add(database: Database, table: sa.Table, *rows: dict[str, Any]) -> None:
    async with database.engine.begin() as connection:
        await connection.execute(table.insert(), list(rows))


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
async def test_sqlite_is_set_up_on_every_connection(database: Database) -> None:
    wanted = {"journal_mode": "wal", "foreign_keys": 1, "busy_timeout": BUSY_MILLISECONDS, "synchronous": 2}
    for pragma, setting in wanted.items():
        found = await database.fetch(sa.text(f"PRAGMA {pragma}"))
        async with database.write() as session:
            written = (await session.execute(sa.text(f"PRAGMA {pragma}"))).scalar_one()
        assert (found[0][0], written) == (setting, setting)


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
async def test_a_write_keeps_other_processes_from_writing_from_its_first_look(database: Database) -> None:
    with closing(sqlite3.connect(database.engine.url.database or "", timeout=0, isolation_level=None)) as other:
        async with database.write() as session:
            await session.execute(sa.select(CUSTOMER.c.id))
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                other.execute("BEGIN IMMEDIATE")
            assert other.execute("SELECT count(*) FROM customer").fetchone() == (0,), "readers go on"
        other.execute("BEGIN IMMEDIATE")
        other.execute("ROLLBACK")


async def test_no_update_is_lost(database: Database, url: str) -> None:
    """Two processes that each read, add one and write, all at once."""
    await add(database, CUSTOMER, values(CUSTOMER, 1, full={"surname"}) | {"organisation_id": 1, "surname": "0"})
    other = Database(url)

    async def add_one(through: Database) -> None:
        async with through.write() as session:
            write = Write(session, VIEWER, MOMENT, "", "")
            customer = await write.get(stored.Customer.customer_number, 1)
            await asyncio.sleep(0)
            customer.surname = str(int(customer.surname) + 1)

    try:
        await asyncio.gather(*(add_one(through) for through in [database, other] * 10))
    finally:
        await other.close()
    found = await database.fetch(sa.select(CUSTOMER.c.surname, CUSTOMER.c.version))
    assert [tuple(row) for row in found] == [("20", 21)]


async def test_an_error_rolls_the_whole_write_back(database: Database) -> None:
    async def write() -> None:
        async with database.write() as session:
            await session.execute(CUSTOMER.insert(), values(CUSTOMER, 1))
            raise LookupError

    with pytest.raises(LookupError):
        await write()
    assert await database.fetch(sa.select(CUSTOMER.c.id)) == []
    async with database.write() as session:
        await session.execute(CUSTOMER.insert(), values(CUSTOMER, 1))
    assert len(await database.fetch(sa.select(CUSTOMER.c.id))) == 1


def connections(database: Database) -> int:
    """How many connections are out of the pools."""
    pools: list[Any] = [database.engine.pool, database.reads.pool]
    return sum(pool.checkedout() for pool in pools)


async def test_a_fetch_gives_its_connection_back(database: Database) -> None:
    for _ in range(2):
        await asyncio.gather(*(database.fetch(sa.select(CUSTOMER.c.id)) for _ in range(30)))
        assert connections(database) == 0
    with pytest.raises(DBAPIError):
        await database.fetch(sa.text("SELECT * FROM nowhere"))
    assert connections(database) == 0


SLOW = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000000) SELECT max(i) FROM n",
    "postgresql": "SELECT pg_sleep(1)",
}


async def test_a_cancelled_fetch_gives_its_connection_back(database: Database) -> None:
    task = asyncio.create_task(database.fetch(sa.text(SLOW[database.dialect])))
    await started(database, task)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert connections(database) == 0
    assert await database.fetch(sa.select(CUSTOMER.c.id)) == []


async def test_a_cancelled_write_is_rolled_back_and_lets_others_write(database: Database) -> None:
    async def write() -> None:
        async with database.write() as session:
            await session.execute(CUSTOMER.insert(), values(CUSTOMER, 1))
            await session.execute(sa.text(SLOW[database.dialect]))

    task = asyncio.create_task(write())
    await started(database, task)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert connections(database) == 0
    async with database.write() as session:
        await session.execute(CUSTOMER.insert(), values(CUSTOMER, 1))
    assert len(await database.fetch(sa.select(CUSTOMER.c.id))) == 1


async def started(database: Database, task: asyncio.Task[Any]) -> None:
    """Wait until the task has the slow statement with the database."""
    sent = asyncio.Event()

    def note(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if statement == SLOW[database.dialect]:
            sent.set()

    for engine in (database.engine, database.reads):
        sa.event.listen(engine.sync_engine, "before_cursor_execute", note)
    await asyncio.wait_for(sent.wait(), 10)
    await asyncio.sleep(0.05)
    assert not task.done()


def customers_with(**types: Any) -> sa.TableClause:
    """The table of customers with other types of columns, which take what the declared ones refuse."""
    return sa.table("customer", *(sa.column(each.name, types.get(each.name, each.type)) for each in CUSTOMER.columns))


def bad_statements() -> dict[str, Callable[[Database], Any]]:
    """Statements that fail on either or both databases and hold the secret."""
    row = values(CUSTOMER, 2) | {"email_key": SECRET, "email": SECRET}
    return {
        "unique": lambda _: CUSTOMER.insert().values(
            row | {"email_key": SECRET, "customer_number": 1, "surname": SECRET}
        ),
        "unique with the secret in the key": lambda _: CUSTOMER.insert().values(row),
        "check": lambda _: (
            customers_with(status=sa.String()).insert().values(row | {"customer_number": 9, "status": "X"})
        ),
        "not null": lambda _: CUSTOMER.insert().values(row | {"uuid": None, "customer_number": 9}),
        "foreign key": lambda _: CUSTOMER.insert().values(row | {"parent_id": 4711, "email_key": None}),
        "too long": lambda _: CUSTOMER.insert().values(row | {"customer_number": 9, "email": SECRET * 10}),
        "no such table": lambda _: sa.text("SELECT * FROM nowhere WHERE email = :email").bindparams(email=SECRET),
        "type": lambda _: CUSTOMER.insert().values(row | {"customer_number": SECRET}),
        "surrogate": lambda _: CUSTOMER.select().where(CUSTOMER.c.email == f"{SECRET}\ud800"),
        "nul": lambda _: CUSTOMER.select().where(CUSTOMER.c.email == f"{SECRET}\x00"),
        "naive time": lambda _: CUSTOMER.insert().values(row | {"created_at": datetime(2026, 1, 1)}),  # noqa: DTZ001
        "many": lambda _: TABLES["note"].insert().values([{"text": SECRET, "id": 1}, {"text": SECRET, "id": 1}]),
    }


@pytest.mark.parametrize("kind", bad_statements())
async def test_no_error_and_no_log_tells_a_parameter(
    database: Database, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    await add(database, CUSTOMER, values(CUSTOMER, 1, full={"email_key"}) | {"email_key": SECRET, "organisation_id": 2})
    caplog.clear()
    for logger in ("sqlalchemy.engine", "sqlalchemy.pool", "aiosqlite", "asyncpg", "asyncio"):
        caplog.set_level(logging.INFO, logger)
    statement = bad_statements()[kind](database)
    told = ""
    for run in (database.fetch(statement), in_session(database, statement)):
        try:
            await run
        except (StatementError, UnicodeError) as error:
            told += "".join(traceback.format_exception(error))
    assert told or database.dialect == "sqlite", "the statement was to fail"
    assert SECRET not in told
    assert "hemmelig" not in caplog.text
    assert "sqlalchemy.engine" in {record.name.removesuffix(".Engine") for record in caplog.records}


async def in_session(database: Database, statement: Any) -> None:
    async with database.write() as session:
        await session.execute(statement)


UNIQUES = {
    str(unique.name): unique
    for table in TABLES.values()
    for unique in [*table.constraints, *table.indexes]
    if isinstance(unique, sa.UniqueConstraint | sa.PrimaryKeyConstraint)
    or (isinstance(unique, sa.Index) and unique.unique)
}


FITTING: dict[str, dict[str, Any]] = {
    "uq_loyalty_program_organisation_id_code_key": {"version_number": 1},
    "uq_loyalty_program_product_id": {"version_number": 1},
    "uq_ticket_right_ticket_holder_id_ticket_type_id_valid_from": {"valid_until": date(2999, 1, 1)},
}
"""Values of rows for which a constraint holds, where it holds for some rows only and a flag does not decide it."""


@pytest.mark.parametrize("name", sorted(UNIQUES))
async def test_a_violated_unique_constraint_has_its_name_on_both_databases(database: Database, name: str) -> None:
    """Two rows that differ in all but the columns of the constraint. Where it holds for some rows only, a flag decides
    which, and one of its two values fits."""
    columns = {column.name for column in UNIQUES[name].columns}
    (table,) = {column.table for column in UNIQUES[name].columns}
    assert isinstance(table, sa.Table)
    found = None
    for flag in (False, True):
        rows = [values(table, number, full=columns, flag=flag) for number in (1, 2)]
        rows[1] |= {column: rows[0][column] for column in columns}
        rows = [row | FITTING.get(name, {}) for row in rows]
        try:
            async with database.write() as session:
                for above in ancestors(table):
                    await session.execute(above.insert(), [values(above, number) for number in (1, 2)])
                await session.execute(table.insert(), rows[0])
                await session.execute(table.insert(), rows[1])
                await session.rollback()
        except IntegrityError as error:
            found = found or violated_constraint(error)
    assert found == name


def ancestors(table: sa.Table) -> list[sa.Table]:
    """The tables that rows of a table refer to, at any depth, from the top."""
    above: set[sa.Table] = set()
    found = {table}
    while found:
        found = {key.column.table for each in found for key in each.foreign_keys} - above - {table}
        above |= found
    return [each for each in Base.metadata.sorted_tables if each in above]


async def test_other_violations_have_no_name_on_either_database(database: Database) -> None:
    note = TABLES["note"]
    await add(database, CUSTOMER, values(CUSTOMER, 1))
    wrong: list[tuple[Any, dict[str, Any]]] = [
        (note, values(note, 1) | {"customer_id": 99}),
        (note, values(note, 1) | {"text": None}),
        (customers_with(status=sa.String()), values(CUSTOMER, 2) | {"status": "X"}),
    ]
    for table, row in wrong:
        with pytest.raises(IntegrityError) as caught:
            await add(database, table, row)
        assert violated_constraint(caught.value) is None


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (datetime(2026, 1, 31, 12, 30, 15, 250_000, UTC), "2026-01-31T12:30:15.250000+00:00"),
        (datetime(2026, 1, 31, 12, 30, 15, 999_999, UTC), "2026-01-31T12:30:15.999000+00:00"),
        (datetime(2026, 1, 31, 0, 30, tzinfo=timezone(timedelta(hours=2))), "2026-01-30T22:30:00+00:00"),
        (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00+00:00"),
        (datetime(9999, 12, 31, 23, 59, 59, 999_000, UTC), "9999-12-31T23:59:59.999000+00:00"),
    ],
)
async def test_times_come_back_in_utc_with_milliseconds(database: Database, given: datetime, kept: str) -> None:
    await add(database, PREFERENCE, values(PREFERENCE, 1) | {"created_at": given})
    ((found,),) = await database.fetch(sa.select(PREFERENCE.c.created_at).where(PREFERENCE.c.created_at == given))
    assert found.isoformat() == kept
    assert found.tzinfo is UTC


async def test_times_sort_as_time_does(database: Database) -> None:
    moments = [datetime(year, 6, 1, 12, 0, second, tzinfo=UTC) for year in (999, 1999, 2026) for second in (0, 5, 59)]
    moments += [moment + timedelta(milliseconds=1) for moment in moments]
    rows = [values(PREFERENCE, number) | {"created_at": moment} for number, moment in enumerate(moments, 1)]
    await add(database, PREFERENCE, *rows)
    created_at = PREFERENCE.c.created_at
    found = await database.fetch(sa.select(created_at).order_by(created_at))
    assert [row[0] for row in found] == sorted(moments)
    later = await database.fetch(sa.select(created_at).where(created_at > moments[4]))
    assert {row[0] for row in later} == {moment for moment in moments if moment > moments[4]}


async def test_a_time_without_a_zone_is_refused(database: Database) -> None:
    with pytest.raises(StatementError, match="without a zone"):
        await add(database, PREFERENCE, values(PREFERENCE, 1) | {"created_at": datetime(2026, 1, 1)})  # noqa: DTZ001
    assert await database.fetch(sa.select(PREFERENCE.c.id)) == []


AWKWARD = [
    *(
        "",
        " ",
        "  ",
        "a",
        "A",
        "aa",
        "a b",
        "ab",
        "a-b",
        "a_b",
        "Z",
        "z",
        "~",
        "{",
        "|",
        "}",
        "0",
        "10",
        "9",
        "\t",
        "\x7f",
    ),
    *("æ", "ø", "å", "Å", "a\u030a", "ä", "ö", "é", "e\u0301", "ß", "ss", "\u0130", "i", "\u0131", "ﬁ", "fi", "ÿ"),
    *("\u00a0", "\u200b", "\u0800", "\u4e2d", "\ud7ff", "\ue000", "\ufffd", "\uffff", "\U00010000", "😀", "\U0010ffff"),
    *("%", "_", "\\", "'", '"', "a'b", "a\\b", "\u202eabc", "\u05d0", "\u0627"),
]


async def test_texts_of_keys_have_one_order_and_one_equality_on_both_databases(database: Database) -> None:
    """That of their code points: `surname < 'b'` must mean the same everywhere."""
    code = PREFERENCE.c.preference_code
    rows = [values(PREFERENCE, n) | {"organisation_id": 1, "preference_code": t} for n, t in enumerate(AWKWARD, 1)]
    await add(database, PREFERENCE, *rows)
    assert [row[0] for row in await database.fetch(sa.select(code).order_by(code))] == sorted(AWKWARD)
    for text in AWKWARD:
        equal = await database.fetch(sa.select(code).where(code == text))
        below = await database.fetch(sa.select(sa.func.count()).select_from(PREFERENCE).where(code < text))
        assert ([row[0] for row in equal], below[0][0]) == ([text], sorted(AWKWARD).index(text))


async def test_sort_keys_follow_their_text(database: Database) -> None:
    async def keys() -> list[tuple[Any, ...]]:
        found = await database.fetch(sa.select(CUSTOMER.c.surname_key, CUSTOMER.c.first_name_key).order_by("id"))
        return [tuple(row) for row in found]

    named: list[dict[str, Any]] = [{"surname": "Ås", "first_name": "Bjørn"}, {"surname": None, "first_name": "Aa"}]
    rows = [values(CUSTOMER, number) | name for number, name in enumerate(named, 1)]
    for row in rows:
        del row["surname_key"], row["first_name_key"]
    await add(database, CUSTOMER, *rows)
    assert await keys() == [("}s", "bj|rn"), (LAST, "}")]
    async with database.write() as session:
        first = await session.get_one(stored.Customer, 1)
        first.surname, first.first_name = "Ødegård", None
        second = await session.get_one(stored.Customer, 2)
        second.date_of_birth = date(2000, 1, 1)
    assert await keys() == [("|deg}rd", LAST), (LAST, "}")]


async def test_enums_are_stored_by_their_letter_and_checked_by_the_database(database: Database) -> None:
    row = values(CUSTOMER, 1) | {"status": stored.CustomerStatus.PASSIVE}
    await add(database, CUSTOMER, row)
    letters = await database.fetch(sa.text("SELECT status, profile_type, status_before_deletion FROM customer"))
    assert [tuple(row) for row in letters] == [("P", "S", None)]
    read = await database.fetch(sa.select(CUSTOMER.c.status, CUSTOMER.c.profile_type))
    assert [tuple(row) for row in read] == [(stored.CustomerStatus.PASSIVE, stored.ProfileType.STANDARD)]
    with pytest.raises(IntegrityError):
        async with database.engine.begin() as connection:
            await connection.execute(sa.text("UPDATE customer SET status = 'X'"))


async def test_a_full_pool_makes_callers_wait(url: str) -> None:
    """More calls than connections are answered one after the other, none is refused."""
    database = Database(url, pool_size=1)
    begun = time.monotonic()
    answers = await asyncio.gather(*(database.fetch(sa.text("SELECT 1")) for _ in range(50)))
    assert len(answers) == 50
    assert time.monotonic() - begun < 30
    await database.close()
