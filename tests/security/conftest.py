"""Databases and gateways that all tests of one module share."""

import asyncio
import shutil
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from datastore.database import Database
from tests.conftest import DIALECTS, KEYS, database_url, execute
from tests.gateway.client import gateway_client, settings
from tests.security.filled import fill
from tests.security.matrix import Matrix, document

QUIET: Mapping[str, Any] = {"log_level": "ERROR", "expire_seconds": 0, "background_seconds": 0}
"""Settings of a gateway that does nothing but answer: the statements that are heard are those of requests."""


ON_SQLITE = pytest.mark.parametrize("shared_url", ["sqlite"], indirect=True, scope="module")
"""For what the gateway decides before it asks a database: another one would be asked the same, which is nothing."""


@contextmanager
def migrated_database(
    dialect: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """URL of an empty, migrated database that is there until the end of the block."""
    if dialect == "sqlite":
        file: Path = tmp_path_factory.mktemp("shared") / "kundeport.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), file)
        yield f"sqlite+aiosqlite:///{file}"
        return
    server: str = request.getfixturevalue("postgres_url")
    template: str = request.getfixturevalue("postgres_template")
    name = f"kundeport_{uuid.uuid4().hex}"
    asyncio.run(execute(server, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY"))
    yield database_url(server, name)
    asyncio.run(execute(server, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture(scope="module", params=DIALECTS)
def shared_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a migrated database that is empty when the first test of the module begins."""
    with migrated_database(request.param, request, tmp_path_factory) as url:
        yield url


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def matrix(shared_url: str) -> AsyncIterator[Matrix]:
    """The matrix over a gateway, whose database has a customer with one of everything, and a change in the log."""
    database = Database(shared_url, keys=KEYS)
    await fill(database)
    await database.close()
    async with gateway_client(settings(shared_url, **QUIET, max_root_fields=100)) as client:
        made = Matrix(client)
        assert await made.has_run("admin", document(["Mutation.createCustomer"])) == ""
        yield made
