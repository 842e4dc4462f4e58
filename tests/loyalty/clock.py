"""A clock that tests set: for acts, for what is worked out when something is shown, and for the database's own clock,
with which statements compare."""

from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import event, text

from datastore.base import rfc3339
from datastore.database import Database
from resolvers import carry_out
from resolvers.loyalty import shown, validation

POSTGRESQL = (
    "CREATE SCHEMA test_clock",
    "CREATE TABLE test_clock.present (moment timestamptz NOT NULL)",
    "INSERT INTO test_clock.present VALUES (pg_catalog.now())",
    """CREATE FUNCTION test_clock.now() RETURNS timestamptz LANGUAGE sql STABLE
    AS 'SELECT moment FROM test_clock.present'""",
)


class Clock:
    """The present of a database and of this process, until the test ends. `await clock.set(moment)` moves it."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment
        self._database: Database | None = None

    async def rule(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        """Take over."""
        clock = self

        class SetTime(datetime):
            @classmethod
            def now(cls, tz: Any = None) -> Any:
                return clock.moment.astimezone(tz)

        monkeypatch.setattr(carry_out, "milliseconds", lambda _: clock.moment)
        monkeypatch.setattr(shown, "datetime", SetTime)
        monkeypatch.setattr(validation, "datetime", SetTime)
        self._database = database
        if database.dialect == "postgresql":
            name = database.engine.url.database
            async with database.write() as session:
                for statement in (
                    *POSTGRESQL,
                    f'ALTER DATABASE "{name}" SET search_path = test_clock, pg_catalog, public',
                ):
                    await session.execute(text(statement))
        for engine in (database.engine, database.reads):
            if database.dialect == "sqlite":
                event.listen(engine.sync_engine, "connect", self._of_sqlite)
            await engine.dispose()  # what is connected already does not know
        await self.set(self.moment)

    async def set(self, moment: datetime) -> None:
        self.moment = moment
        if self._database and self._database.dialect == "postgresql":
            async with self._database.write() as session:
                await session.execute(text("UPDATE test_clock.present SET moment = :moment"), {"moment": moment})

    def _of_sqlite(self, connection: Any, record: object) -> None:
        connection.create_function("strftime", 2, lambda _form, _now: rfc3339(self.moment))
