"""Writing the demo data into a database, in bulk: COPY on PostgreSQL, prepared inserts on SQLite."""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from sqlalchemy import Column, Dialect, Table, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from datastore.base import Base
from datastore.customer import Customer, Preference
from datastore.database import Database
from datastore.demo import loyalty, loyalty_programs, loyalty_rows, people, personnel_rows
from datastore.demo.draw import REFERENCE
from datastore.demo.numbers import customer_number
from datastore.demo.people import ORGANISATIONS, TABLES, Batch
from datastore.demo.personnel import Personnel, employees_of
from datastore.demo.personnel_codes import add_codes
from datastore.demo.relations import PREFERENCES, Row
from datastore.sealing import SEALED, Keyring

COUNTED = (*TABLES, *loyalty_rows.COUNTED)
"""The tables whose keys are counted here."""
LOCKED = (*TABLES, *loyalty_programs.TABLES, *loyalty_rows.TABLES)

Writer = Callable[[AsyncSession, Batch, Keyring], Awaitable[None]]


class AlreadyLoaded(Exception):
    """The database has customers of this seed (or of one with the same last three digits) already."""

    def __init__(self, seed: int) -> None:
        super().__init__(f"The demo data of seed {seed} is in the database already. Another seed adds other customers.")
        self.seed = seed


async def load(
    database: Database, customers: int, seed: int, progress: Callable[[int], None], employees: Personnel | None = None
) -> dict[str, int]:
    """Write the first `customers` demo customers of `seed`, with all that belongs to them and their contracts, into a
    migrated database; then the employees, with their companies and code lists, if there are to be some.

    Calls `progress` with the number of customers, or employees, written since the last call. Answers the number of rows
    written by table. It is one transaction: whatever happens, all are there afterwards or none; until then others can
    read but not write. What is in the database stays as it is. Raises AlreadyLoaded, and CannotOpen if the database has
    no keys: what is sensitive is sealed here.
    """
    rows: Counter[str] = Counter()
    async with database.write() as session:
        if database.dialect == "postgresql":
            await session.execute(text(f"LOCK TABLE {', '.join(LOCKED)} IN SHARE ROW EXCLUSIVE MODE"))
        numbers = [customer_number(seed, index) for index in range(min(customers, 1000))]
        if await session.scalar(select(Customer.id).where(Customer.customer_number.in_(numbers)).limit(1)):
            raise AlreadyLoaded(seed)
        preference_keys, rows["preference"] = await _catalogue(session)
        programs, made = await loyalty_programs.add_programs(session)
        rows.update(made)
        highest_keys = {table: await _highest_key(session, table) for table in COUNTED}
        making = loyalty_rows.Making({table: highest_keys[table] for table in loyalty_rows.COUNTED}, database.keys)
        write, done = _writer(database), 0
        for batch in people.customers(customers, seed, highest_keys=highest_keys, preference_keys=preference_keys):
            indexes = range(done, done + batch.customers)
            contracts = loyalty.contracts_of(indexes, seed, highest_keys["customer"], programs, making)
            for each in (batch, contracts):
                await write(session, each, database.keys)
                rows.update({table: len(written) for table, written in each.rows.items()})
            done = indexes.stop
            progress(batch.customers)
        if database.dialect == "postgresql":
            for table in COUNTED:
                await _move_sequence(session, table, highest_keys[table] + rows[table])
            await _move_sequence(session, "loyalty_program", await _highest_key(session, "loyalty_program"))
            # Not on SQLite: its statements are written to be planned well without statistics, and are not with them.
            await session.execute(text(f"ANALYZE preference, {', '.join(LOCKED)}"))
        if employees is not None:
            rows.update(await _load_personnel(database, session, employees, customers, seed, progress))
    if database.dialect == "sqlite":
        async with database.engine.connect() as connection:
            await connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return dict(rows)


async def _load_personnel(
    database: Database,
    session: AsyncSession,
    wanted: Personnel,
    customers: int,
    seed: int,
    progress: Callable[[int], None],
) -> Counter[str]:
    """Write the employees of a seed, and what they stand on. Answers the number of rows written by table."""
    if database.dialect == "postgresql":
        locked = ("company", *personnel_rows.TABLES)
        await session.execute(text(f"LOCK TABLE {', '.join(locked)} IN SHARE ROW EXCLUSIVE MODE"))
    codes, added = await add_codes(session, seed)
    rows = Counter(added)
    highest_keys = {table: await _highest_key(session, table) for table in personnel_rows.TABLES}
    write = _writer(database)
    made = employees_of(wanted.employees, customers, seed, codes, wanted.granting, highest_keys=highest_keys)
    for batch in made:
        await write(session, batch, database.keys)
        rows.update({table: len(written) for table, written in batch.rows.items()})
        progress(batch.customers)
    if database.dialect == "postgresql":
        await _move_sequence(session, "company", codes.companies[-1])
        for table in personnel_rows.TABLES:
            if table != "employee":  # it has the keys of imported_employee
                await _move_sequence(session, table, highest_keys[table] + rows[table])
        await session.execute(text(f"ANALYZE {', '.join(added)}, {', '.join(personnel_rows.TABLES)}"))
    return rows


async def _catalogue(session: AsyncSession) -> tuple[dict[tuple[int, str], int], int]:
    """The keys of all preferences by organisation and code, after adding those that are missing; and how many were."""
    wanted = [(organisation, preference) for organisation in sorted(set(ORGANISATIONS)) for preference in PREFERENCES]
    statement = select(Preference.organisation_id, Preference.preference_code, Preference.id)
    present = {(organisation, code) for organisation, code, _ in await session.execute(statement)}
    missing = [
        Preference(
            organisation_id=organisation,
            preference_code=preference.code,
            preference_type=preference.type,
            preference_description=preference.description,
            is_active=preference.is_active,
            created_at=REFERENCE,
            changed_at=REFERENCE,
        )
        for organisation, preference in wanted
        if (organisation, preference.code) not in present
    ]
    session.add_all(missing)
    await session.flush()
    return {(organisation, code): key for organisation, code, key in await session.execute(statement)}, len(missing)


async def _highest_key(session: AsyncSession, table: str) -> int:
    """The highest key of a table; 0 in an empty one."""
    return await session.scalar(select(func.max(Base.metadata.tables[table].c.id))) or 0


async def _move_sequence(session: AsyncSession, table: str, key: int) -> None:
    """Let PostgreSQL give out keys after `key`: rows with keys of their own do not move its sequence. Never back."""
    sequence = func.pg_get_serial_sequence(table, "id")
    await session.execute(select(func.setval(sequence, func.greatest(func.nextval(sequence), key))))


def _writer(database: Database) -> Writer:
    """How a batch is written."""
    return _copy if database.dialect == "postgresql" else _insert


async def _copy(session: AsyncSession, batch: Batch, keys: Keyring) -> None:
    connection, dialect = await _driver(session)
    for name, rows in batch.rows.items():
        table = Base.metadata.tables[name]
        await connection.copy_records_to_table(
            name, records=_records(table, rows, dialect, keys), columns=[column.name for column in table.columns]
        )


async def _insert(session: AsyncSession, batch: Batch, keys: Keyring) -> None:
    connection, dialect = await _driver(session)
    for name, rows in batch.rows.items():
        table = Base.metadata.tables[name]
        await connection.executemany(str(table.insert().compile(dialect=dialect)), _records(table, rows, dialect, keys))


async def _driver(session: AsyncSession) -> tuple[Any, Dialect]:
    """The driver's connection under the session, inside its transaction."""
    connection = await session.connection()
    return (await connection.get_raw_connection()).driver_connection, connection.dialect


def _records(table: Table, rows: list[Row], dialect: Dialect, keys: Keyring) -> Iterable[tuple[Any, ...]]:
    """The rows in the order of the table's columns, as the driver takes them: encoded as SQLAlchemy would."""
    return zip(*(_values(column, rows, dialect, keys) for column in table.columns), strict=True)


def _values(column: Column[Any], rows: list[Row], dialect: Dialect, keys: Keyring) -> list[Any]:
    values = [row[column.name] for row in rows]
    if column.info.get(SEALED):
        values = [None if value is None else keys.seal(value, column) for value in values]
    encode = column.type.dialect_impl(dialect).bind_processor(dialect)
    return values if encode is None else [encode(value) for value in values]
