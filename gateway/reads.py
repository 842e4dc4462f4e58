"""Connections for planned reads: the drivers themselves, without anything in between."""

import asyncio
import sqlite3
import time
from collections.abc import Sequence
from typing import Any

import asyncpg

from datastore.database import BUSY_MILLISECONDS, Database

STATEMENTS = 200
"""Most statements that a connection keeps prepared."""
SHORT_SECONDS = 0.02
"""How long a statement may keep other requests waiting: a hop to a thread and back takes longer than most of them."""
INSTRUCTIONS = 10_000
"""After so many of SQLite's instructions the time is looked at."""


class Reads:
    """Runs single statements outside of any transaction. A cancelled one is stopped in the database."""

    def __init__(self, database: Database) -> None:
        url = database.reads.url
        self._file = url.database or ""
        self._dsn = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._is_sqlite = database.dialect == "sqlite"
        size: int = database.reads.sync_engine.pool.size()  # type: ignore[attr-defined]
        self._free = asyncio.Semaphore(size)
        self._idle: list[asyncpg.Connection[Any]] = []
        self._short: sqlite3.Connection | None = None
        self._deadline = 0.0
        self._long: list[sqlite3.Connection] = []

    async def fetch(self, sql: str, arguments: Sequence[Any]) -> Sequence[Any]:
        """All rows of a statement."""
        if self._is_sqlite:
            return await self._on_sqlite(sql, arguments)
        async with self._free:
            # The one that was used last: it has most statements prepared.
            connection = self._idle.pop() if self._idle else None
            if connection is None or connection.is_closed():
                connection = await self._open_postgresql()
            try:
                found: Sequence[Any] = await connection.fetch(sql, *arguments)
                return found
            finally:
                # A cancelled statement is still being stopped: the next one waits for that.
                if not connection.is_closed():
                    self._idle.append(connection)

    async def close(self) -> None:
        for connection in self._idle:
            await connection.close()
        for file in (*self._long, *([self._short] if self._short else [])):
            file.close()

    async def _open_postgresql(self) -> "asyncpg.Connection[Any]":
        return await asyncpg.connect(
            self._dsn,
            statement_cache_size=STATEMENTS,
            max_cached_statement_lifetime=0,
            max_cacheable_statement_size=0,
            server_settings={"jit": "off"},
        )

    async def _on_sqlite(self, sql: str, arguments: Sequence[Any]) -> Sequence[Any]:
        """At once, if it is short; else from the start again, in a thread."""
        if self._short is None:
            self._short = self._open_sqlite()
            self._short.set_progress_handler(lambda: time.perf_counter() > self._deadline, INSTRUCTIONS)
        self._deadline = time.perf_counter() + SHORT_SECONDS
        try:
            return self._short.execute(sql, arguments).fetchall()
        except sqlite3.OperationalError as error:
            if str(error) != "interrupted":
                raise
        async with self._free:
            connection = self._long.pop() if self._long else self._open_sqlite()
            running = asyncio.ensure_future(asyncio.to_thread(fetch_all, connection, sql, arguments))
            try:
                return await asyncio.shield(running)
            except asyncio.CancelledError:
                connection.interrupt()
                await asyncio.wait([running])
                raise
            finally:
                self._long.append(connection)

    def _open_sqlite(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._file, isolation_level=None, check_same_thread=False)
        for pragma in (f"busy_timeout={BUSY_MILLISECONDS}", "query_only=ON", "cache_size=-65536", "temp_store=MEMORY"):
            connection.execute(f"PRAGMA {pragma}")
        return connection


def fetch_all(connection: sqlite3.Connection, sql: str, arguments: Sequence[Any]) -> Sequence[Any]:
    return connection.execute(sql, arguments).fetchall()
