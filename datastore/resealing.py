"""Sealing anew what an older key sealed: then only the audit log still needs that key.

It can be stopped and started again at any time, and run while the gateway serves: a value that somebody else has
changed meanwhile is left as it is.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Column, ColumnElement, Row, Table, and_, func, select, tuple_, update
from sqlalchemy.exc import DBAPIError

from datastore.database import Database
from datastore.migrate import METADATA
from datastore.sealing import SEALED, SEARCH_HASH_OF, CannotOpen

BATCH = 200
ATTEMPTS = 5
TRANSIENT = {"40001", "40P01"}
"""PostgreSQL: serialization failure, deadlock. The batch is rolled back whole and may be tried again."""


@dataclass(frozen=True, slots=True)
class Resealed:
    """What became of the values of a column that the newest key has not sealed."""

    column: str
    found: int
    """How many there were at the beginning."""
    sealed: int = 0
    """How many were sealed anew, with their search hashes."""
    closed: int = 0
    """How many cannot be opened: their key is missing, or they were changed after they were sealed."""
    left: int = 0
    """How many were left alone, because somebody else changed them meanwhile."""


async def reseal(database: Database) -> AsyncIterator[Resealed]:
    """Seal every value anew that is not sealed with the newest key, in batches. First comes one result for each sealed
    column, with nothing done; what comes last for it is its result. Raises CannotOpen without a key."""
    work = []
    for column in sealed_columns():
        old = is_old(column, database.keys.newest.key_id)
        ((found,),) = await database.fetch(select(func.count()).select_from(column.table).where(old))
        work.append((column, old, Resealed(column_name(column), found)))
    for *_, done in work:
        yield done
    for column, old, done in work:
        key = list(table_of(column).primary_key.columns)
        last: Sequence[Any] | None = None
        while rows := await database.fetch(_batch(column, key, old, last)):
            last = rows[-1][:-1]
            sealed, closed = await _reseal_batch(database, column, key, rows)
            left = len(rows) - sealed - closed
            done = replace(done, sealed=done.sealed + sealed, closed=done.closed + closed, left=done.left + left)
            yield done


def sealed_columns() -> list[Column[Any]]:
    """All columns of all rows that are sealed."""
    return [column for table in METADATA.sorted_tables for column in table.columns if column.info.get(SEALED)]


def column_name(column: Column[Any]) -> str:
    return f"{column.table.name}.{column.name}"


def table_of(column: Column[Any]) -> Table:
    assert isinstance(column.table, Table)
    return column.table


def is_old(column: Column[Any], newest: str) -> ColumnElement[bool]:
    """The condition on values that another key than the newest has sealed. Not LIKE, to which `k1` and `K1` can be the
    same."""
    prefix = f"{newest}."
    return and_(column.is_not(None), func.substr(column, 1, len(prefix)) != prefix)


def _batch(column: Column[Any], key: list[Column[Any]], old: ColumnElement[bool], last: Sequence[Any] | None) -> Any:
    statement = select(*key, column).where(old).order_by(*key).limit(BATCH)
    return statement if last is None else statement.where(tuple_(*key) > tuple_(*last))


async def _reseal_batch(
    database: Database, column: Column[Any], key: list[Column[Any]], rows: Sequence[Row[Any]]
) -> tuple[int, int]:
    """How many of the rows, which are keys and sealed values, were sealed anew, and how many cannot be opened."""
    table, wanted = table_of(column), []
    for row in rows:
        values: Sequence[Any] = row[:-1]
        text = row[-1]
        try:
            new = resealed(database, column, text)
        except CannotOpen:
            continue
        here = and_(*(each == value for each, value in zip(key, values, strict=True)), column == text)
        wanted.append(update(table).where(here).values(new))
    for attempt in range(1, ATTEMPTS + 1):
        try:
            async with database.write() as session:
                results: list[Any] = [await session.execute(statement) for statement in wanted]
            return sum(result.rowcount for result in results), len(rows) - len(wanted)
        except DBAPIError as error:
            if attempt == ATTEMPTS or getattr(error.orig, "sqlstate", None) not in TRANSIENT:
                raise
    raise AssertionError("unreachable")


def resealed(database: Database, column: Column[Any], sealed: str) -> Mapping[str, str]:
    """The value sealed with the newest key, and its search hashes, by the names of their columns. Raises CannotOpen."""
    text = database.keys.open(sealed, column)
    hashes = [each for each in column.table.columns if each.info.get(SEARCH_HASH_OF) == column.name]
    return {
        column.name: database.keys.seal(text, column),
        **{each.name: database.keys.search_hash(text, column) for each in hashes},
    }
