"""The example documents: each runs without an error, and answers the same bytes on both databases."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import orjson
import pytest
from graphql import OperationDefinitionNode, OperationType, parse
from pydantic import SecretStr

from datastore.database import Database
from datastore.demo.load import load
from gateway.settings import Settings
from tests.conftest import database_url, execute
from tests.gateway.client import gateway_client

pytestmark = pytest.mark.xdist_group("operations")

FOLDER = Path(__file__).parents[1] / "operations"
CUSTOMERS = 300
OPERATIONS = [
    (file, definition.name.value, definition.operation)
    for file in sorted(FOLDER.glob("*.graphql"))
    for definition in parse(file.read_text()).definitions
    if isinstance(definition, OperationDefinitionNode) and definition.name
]
# What reads comes first: the answers then do not depend on what the others change.
OPERATIONS.sort(key=lambda each: (each[2] is not OperationType.QUERY, each[1] == "RestoreCustomer"))
NAMES = [name for _, name, _ in OPERATIONS]

Answers = dict[str, httpx.Response]


@pytest.fixture(scope="module")
def on_sqlite(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Answers:
    """The answers of all operations on SQLite."""
    file = tmp_path_factory.mktemp("operations") / "demo.db"
    shutil.copy(sqlite_template, file)
    return asyncio.run(answers(f"sqlite+aiosqlite:///{file}"))


@pytest.fixture(scope="module")
def on_postgresql(postgres_url: str, postgres_template: str) -> Iterator[Answers]:
    """The answers of all operations on PostgreSQL."""
    name = f"{postgres_template}_operations"
    asyncio.run(execute(postgres_url, f"CREATE DATABASE {name} TEMPLATE {postgres_template}"))
    yield asyncio.run(answers(database_url(postgres_url, name)))
    asyncio.run(execute(postgres_url, f"DROP DATABASE {name} WITH (FORCE)"))


async def answers(url: str) -> Answers:
    database = Database(url)
    await load(database, CUSTOMERS, 1, lambda _: None)
    await database.close()
    async with gateway_client(Settings(database_url=url, secret_key=SecretStr("the same for both"))) as client:
        return {name: await client.post("/graphql", json=body_of(file, name)) for file, name, _ in OPERATIONS}


def body_of(file: Path, name: str) -> dict[str, object]:
    variables = file.with_suffix(".variables.json")
    given = orjson.loads(variables.read_bytes()) if variables.exists() else {}
    return {"query": file.read_text(), "operationName": name, "variables": given}


@pytest.mark.parametrize("name", NAMES)
def test_an_example_answers_the_same_bytes_on_both_databases(
    name: str, on_sqlite: Answers, on_postgresql: Answers
) -> None:
    answered = on_sqlite[name]
    assert answered.status_code == 200
    assert answered.content == on_postgresql[name].content
    body = answered.json()
    assert "errors" not in body
    for result in body["data"].values():
        assert result
        if isinstance(result, dict):
            assert result.get("userErrors", []) == []


def test_every_operation_has_a_name_of_its_own_and_a_description() -> None:
    assert len(set(NAMES)) == len(NAMES)
    for file, _, _ in OPERATIONS:
        assert file.read_text().startswith("# "), f"{file.name} does not begin with a comment that says what it is for"
