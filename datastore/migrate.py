"""Bringing a database to a revision. One set of migrations serves SQLite and PostgreSQL."""

from collections.abc import Callable
from importlib import resources
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, func, select

import datastore.audit
import datastore.bookkeeping
import datastore.customer
import datastore.customer_merge
import datastore.employee.codes
import datastore.employee.personnel
import datastore.employee.rights
import datastore.loyalty.contract
import datastore.loyalty.ledger
import datastore.loyalty.program
import datastore.loyalty.usage  # noqa: F401
from datastore.base import Base
from datastore.database import WRITES, Database
from datastore.sealing import Keyring

LOCK = 0x6B756E6465
"""Key of the advisory lock under which PostgreSQL is migrated: any number, the same in every process."""

METADATA = Base.metadata
"""The tables of all rows: every module with rows is imported above."""


def configuration(connection: Connection | None = None, keys: Keyring | None = None) -> Config:
    """Alembic's configuration, without an ini file. `keys` are for migrations that seal."""
    config = Config()
    config.set_main_option("script_location", str(resources.files("datastore") / "migrations"))
    config.attributes["connection"] = connection
    config.attributes["keys"] = keys
    return config


def newest_revision() -> str:
    """The revision that this version of the gateway needs."""
    head = ScriptDirectory.from_config(configuration()).get_current_head()
    assert head is not None, "the package has no migrations"
    return head


async def current_revision(database: Database) -> str | None:
    """The revision the database is at; None if it was never migrated."""

    def read(connection: Connection) -> str | None:
        return MigrationContext.configure(connection).get_current_revision()

    async with database.engine.connect() as connection:
        return await connection.run_sync(read)


async def upgrade(database: Database, revision: str = "head") -> None:
    """Bring the database to `revision`: wholly or, if anything fails, not at all. Does nothing if it is there."""
    await run(database, lambda config: command.upgrade(config, revision))


async def downgrade(database: Database, revision: str) -> None:
    """Take the database back to `revision` (`base`: to nothing)."""
    await run(database, lambda config: command.downgrade(config, revision))


async def run(database: Database, act: Callable[[Config], Any]) -> None:
    """Run `act` in one transaction; other processes that migrate the same database wait until it is over.

    SQLite changes most things about a table by copying and dropping it, which foreign keys would forbid or, worse,
    follow. They are off meanwhile and checked at the end.
    """
    is_sqlite = database.dialect == "sqlite"
    async with database.engine.connect() as connection:
        if is_sqlite:
            await connection.exec_driver_sql("PRAGMA foreign_keys=OFF")  # without effect inside of a transaction
            await connection.rollback()
        await connection.execution_options(**{WRITES: True})
        try:
            async with connection.begin():
                if not is_sqlite:
                    await connection.execute(select(func.pg_advisory_xact_lock(LOCK)))
                await connection.run_sync(lambda sync: act(configuration(sync, database.keys)))
                if is_sqlite and (broken := (await connection.exec_driver_sql("PRAGMA foreign_key_check")).all()):
                    raise RuntimeError(f"the migration breaks foreign keys: {sorted({row[0] for row in broken})}")
        finally:
            await connection.invalidate()  # with its pragma
