"""The connection to SQLite or PostgreSQL: one engine, short reads, whole transactions for writes."""

import asyncio
import re
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from sqlalchemy import (
    Connection,
    ExceptionContext,
    Executable,
    PrimaryKeyConstraint,
    Row,
    UniqueConstraint,
    event,
    make_url,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from datastore.base import Base
from datastore.policy import Policy
from datastore.sealing import Keyring

WRITES, SNAPSHOT = "kundeport_writes", "kundeport_snapshot"
DEFAULT_POLICY = Policy()
BUSY_MILLISECONDS = 15_000
UNIQUE_VIOLATION = "23505"
QUOTED_VALUES = re.compile(r"(argument \$\d+): .*|\n(DETAIL|HINT): .*", re.DOTALL)
"""Where a driver's error text quotes what was to be stored."""


class Database:
    """One database, given by a SQLAlchemy URL (`sqlite+aiosqlite:///file.db` or `postgresql+asyncpg://...`).

    Statement parameters never appear in logs or in error texts. `cursor_key` signs page cursors; it is read from the
    database at the first page, so that all processes over one database accept each other's cursors. `keys` seal what is
    sensitive; without any, nothing can be sealed, opened or changed. `policy` has what its operator decided.
    """

    def __init__(
        self, url: str, pool_size: int = 10, keys: Keyring | None = None, policy: Policy = DEFAULT_POLICY
    ) -> None:
        self.dialect = make_url(url).get_backend_name()
        self.cursor_key: bytes | None = None
        self.keys = keys or Keyring()
        self.policy = policy
        self.engine = create_async_engine(url, **self._options(pool_size))
        self.writes = self.engine.execution_options(**{WRITES: True})
        # Reads have connections of their own: they are never in a transaction, so there is nothing to begin, to end or
        # to reset when one is given back, which would cost more than most statements.
        self.reads = create_async_engine(
            url, isolation_level="AUTOCOMMIT", pool_reset_on_return=None, **self._options(pool_size)
        )
        # SQLite has one writer at a time. Waiting here keeps the worker threads free; other processes wait in SQLite.
        self._one_writer = asyncio.Lock() if self.dialect == "sqlite" else None
        for engine in (self.engine.sync_engine, self.reads.sync_engine):
            event.listen(engine, "handle_error", hide_values)
            if self.dialect == "sqlite":
                event.listen(engine, "connect", set_up_sqlite_connection)
                event.listen(engine, "begin", begin_sqlite_transaction)

    def _options(self, pool_size: int) -> dict[str, Any]:
        factory = {"factory": SqliteConnection} if self.dialect == "sqlite" else {}
        return {"hide_parameters": True, "pool_size": pool_size, "max_overflow": 0, "connect_args": factory}

    async def fetch(self, statement: Executable, parameters: Any = None) -> Sequence[Row[Any]]:
        """All rows of one statement, read outside of any transaction on a connection held only that long."""
        async with self.reads.connect() as connection:
            return (await connection.execute(statement, parameters)).all()

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Callable[[Executable], Awaitable[Sequence[Row[Any]]]]]:
        """A block whose reads, all by the function it is given, are of one state, whatever others write meanwhile."""
        level = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        async with self.engine.connect() as connection:
            await connection.execution_options(**{SNAPSHOT: True}, **(level if self.dialect == "postgresql" else {}))

            async def fetch(statement: Executable) -> Sequence[Row[Any]]:
                return (await connection.execute(statement)).all()

            async with connection.begin():
                yield fetch

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """One transaction: committed at the end of the block, rolled back if it raises.

        On SQLite it begins IMMEDIATE: with the default, deferred begin two writers read the same state and one
        update is lost.
        """
        async with AsyncExitStack() as stack:
            if self._one_writer:
                await stack.enter_async_context(self._one_writer)
            session = await stack.enter_async_context(AsyncSession(self.writes, expire_on_commit=False))
            async with session.begin():
                yield session

    async def close(self) -> None:
        await self.engine.dispose()
        await self.reads.dispose()


class SqliteConnection(sqlite3.Connection):
    """Gives its locks back when it is closed. Without this, after a cancelled statement, it keeps them for as long as
    anything, such as a stored traceback, still knows the statement."""

    def close(self) -> None:
        try:
            self.rollback()
        finally:
            super().close()


def set_up_sqlite_connection(connection: Any, record: object) -> None:
    """WAL lets readers go on while one writes; FULL makes a commit survive a power cut, not only a crash."""
    connection.isolation_level = None  # SQLAlchemy's begin event below says how a transaction starts
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={BUSY_MILLISECONDS}",
        "cache_size=-65536",
        "temp_store=MEMORY",
        "secure_delete=ON",  # what is deleted is overwritten
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def begin_sqlite_transaction(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get(WRITES):
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    elif options.get(SNAPSHOT):
        connection.exec_driver_sql("BEGIN")


def hide_values(context: ExceptionContext) -> None:
    """PostgreSQL quotes values, even the whole row, in the details of an error: `Key (email_key)=(...) already exists`.
    Error texts end up in logs, so they are cut there."""
    errors: list[Any] = [context.sqlalchemy_exception, context.original_exception, context.original_exception.__cause__]
    for error in errors:
        if error is not None and error.args and isinstance(error.args[0], str):
            error.args = (QUOTED_VALUES.sub(r"\1", error.args[0]), *error.args[1:])
        if isinstance(getattr(error, "detail", None), str):
            error.detail = None


def violated_constraint(error: IntegrityError) -> str | None:
    """The name of the unique constraint or index that a statement ran into, the same on both databases; else None."""
    cause = getattr(error.orig, "__cause__", None) or error.orig
    if getattr(cause, "sqlstate", None) == UNIQUE_VIOLATION:
        name: str | None = getattr(cause, "constraint_name", None)
        return name
    _, found, columns = str(error.orig).partition("UNIQUE constraint failed: ")
    if not found:
        return None
    wanted = [column.strip() for column in columns.split(",")]
    table = Base.metadata.tables.get(wanted[0].partition(".")[0])
    uniques: list[Any] = []
    if table is not None:
        uniques += (one for one in table.constraints if isinstance(one, UniqueConstraint | PrimaryKeyConstraint))
        uniques += (index for index in table.indexes if index.unique)
    for unique in uniques:
        if [f"{column.table.name}.{column.name}" for column in unique.columns] == wanted:
            return str(unique.name)
    return None
