"""Full databases, which take seconds to make, so the modules with tests of plans copy them."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import database_url
from tests.datastore.copies import copied


@pytest.fixture(scope="session")
def filled_file(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A full SQLite file. Nobody runs ANALYZE on SQLite."""
    from tests.datastore.test_plans import fill

    file = tmp_path_factory.mktemp("plans") / "filled.db"
    shutil.copy(sqlite_template, file)
    asyncio.run(fill(f"sqlite+aiosqlite:///{file}"))
    return file


@pytest.fixture(scope="session")
def filled_template(postgres_url: str, postgres_template: str) -> Iterator[str]:
    """Name of a full PostgreSQL database. PostgreSQL runs ANALYZE by itself."""
    from tests.datastore.test_plans import fill

    with copied(postgres_url, postgres_template) as name:
        asyncio.run(fill(database_url(postgres_url, name)))
        yield name
