"""Copies of PostgreSQL databases."""

import asyncio
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from tests.conftest import execute


@contextmanager
def copied(server: str, template: str) -> Iterator[str]:
    """Name of a copy of a database, which is there until the end of the block."""
    name = f"kundeport_copy_{uuid.uuid4().hex}"
    asyncio.run(execute(server, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY"))
    yield name
    asyncio.run(execute(server, f"DROP DATABASE {name} WITH (FORCE)"))
