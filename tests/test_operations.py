"""The example documents: each runs without an error, and answers the same bytes on both databases."""

import asyncio
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import orjson
import pytest
from graphql import OperationDefinitionNode, OperationType, parse
from pydantic import SecretStr

from datastore.database import Database
from datastore.demo.load import load
from datastore.demo.personnel import beside
from datastore.sealing import Keyring, new_key
from datastore.viewer import GRANTABLE, TenantKind
from gateway.settings import Settings
from resolvers.employee.granting import granting
from resolvers.oslo import today
from tests.conftest import database_url, execute
from tests.gateway.client import gateway_client
from tests.gateway.identity.tokens import AnIssuer

pytestmark = pytest.mark.xdist_group("operations")

FOLDER = Path(__file__).parents[1] / "operations"
CUSTOMERS = 300
OPERATIONS = [
    (file, definition.name.value, definition.operation)
    for file in sorted(FOLDER.glob("*.graphql"))
    for definition in parse(file.read_text()).definitions
    if isinstance(definition, OperationDefinitionNode) and definition.name
]
# What reads comes first: the answers then do not depend on what the others change. The log of all that comes last.
OPERATIONS.sort(
    key=lambda each: (each[1] == "AuditLog", each[2] is not OperationType.QUERY, each[1] == "RestoreCustomer")
)
NAMES = [name for _, name, _ in OPERATIONS]

ENCRYPTION_KEYS = new_key("operations")
PARTNER = AnIssuer("https://partners.example")
INTERNAL = AnIssuer("https://internal.example", TenantKind.INTERNAL)
OTHERS = {
    "AuditLog": INTERNAL,
    "TicketRuleDryRun": INTERNAL,
    **dict.fromkeys(("CreatePersonnelCode", "UpdatePersonnelCode", "CreateTicketType", "UpdateTicketType"), INTERNAL),
    **dict.fromkeys(("CreateProduct", "UpdateProduct", "SavePostalPlace", "SaveStation"), INTERNAL),
    "Viewer": AnIssuer("https://travellers.example", TenantKind.TRAVELLER),
}
"""Operation -> who signs in to it; to all others a partner."""
OF_THIS_YEAR = ("YearlyFee", "DisabilityProof", "LowIncome", "EmployeeCategory")
"""Operations that are about a year, which has to be this one or the next one."""
NOW = datetime.now(UTC).isoformat()
TIME = re.compile(rb'"(\d{4}-\d\d-\d\dT[0-9:.]{12}Z)"')
CURSOR = re.compile(rb'"endCursor":"[^"]+"')
HEX = rb"[0-9a-f]"
DRAWN = re.compile(
    rb'"generatedPassword":"[A-Za-z0-9]+"|%b{8}-(?!0000-4000-8000)%b{4}-4%b{3}-[89ab]%b{3}-%b{12}' % ((HEX,) * 5)
)
"""What is another one each time: passwords, and uuids but for those of the first contracts of the demo data."""
MORE = {"AuditLog": {"variables": {"filter": {"customerNumber": 1_000_000_001}, "first": 200}}}
"""What is asked differently: the other operations leave more entries than the example shows."""

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
    database = Database(url, keys=Keyring.parse(ENCRYPTION_KEYS))
    await load(database, CUSTOMERS, 1, lambda _: None, beside(CUSTOMERS, granting))
    await database.close()
    settings = Settings(
        database_url=url,
        secret_key=SecretStr("the same for both"),
        encryption_keys=SecretStr(ENCRYPTION_KEYS),
        issuers=[each.issuer for each in dict.fromkeys((PARTNER, *OTHERS.values()))],
        rate_points=1_000_000_000,
        background_seconds=0,
        expire_seconds=0,
        rate_points_per_second=1e-9,  # or what is left would depend on the time that it took
    )
    async with gateway_client(settings) as client:
        return {
            name: await client.post("/graphql", json=body_of(file, name) | MORE.get(name, {}), headers=headers_of(name))
            for file, name, _ in OPERATIONS
        }


def headers_of(name: str) -> dict[str, str]:
    """Who asks, with which client, and why it wants to see what is sensitive."""
    token = OTHERS.get(name, PARTNER).token(permissions=GRANTABLE, customer_number=1_000_000_001)
    return {"Authorization": f"Bearer {token}", "ET-Client-Name": "kundeport-tests", "X-Access-Reason": "a test"}


def body_of(file: Path, name: str) -> dict[str, object]:
    variables = file.with_suffix(".variables.json")
    given = orjson.loads(variables.read_bytes()) if variables.exists() else {}
    if name in OF_THIS_YEAR:
        given = {of: {**values, "year": today().year} for of, values in given.items()}
    return {"query": file.read_text(), "operationName": name, "variables": given}


@pytest.mark.parametrize("name", NAMES)
def test_an_example_answers_the_same_bytes_on_both_databases(
    name: str, on_sqlite: Answers, on_postgresql: Answers
) -> None:
    answered = on_sqlite[name]
    assert answered.status_code == 200
    if name == "AuditLog":  # its cursors have the time in them
        assert CURSOR.sub(b"", timeless(answered.content)) == CURSOR.sub(b"", timeless(on_postgresql[name].content))
    else:
        assert timeless(answered.content) == timeless(on_postgresql[name].content)
    body = answered.json()
    assert "errors" not in body
    for result in body["data"].values():
        assert result
        if isinstance(result, dict):
            assert result.get("userErrors", []) == []


def timeless(content: bytes) -> bytes:
    """An answer without the times that are later than the start of the test, and without what was drawn."""
    return TIME.sub(lambda found: b'"now"' if found[1].decode() > NOW else found[0], DRAWN.sub(b"", content))


def test_the_audit_log_tells_what_the_other_operations_did(on_sqlite: Answers) -> None:
    nodes = on_sqlite["AuditLog"].json()["data"]["auditLog"]["nodes"]
    assert {"Notes", "updateCustomer"} <= {node["operation"] for node in nodes}
    assert {node["reason"] for node in nodes if node["kind"] == "REVEAL"} == {"a test"}


def test_a_user_can_read_who_was_shown_the_notes_about_her(on_sqlite: Answers) -> None:
    viewer = on_sqlite["Viewer"].json()["data"]["viewer"]
    looks = viewer["dataAccessLog"]["nodes"]
    told = {(look["clientName"], look["reason"], *look["fields"]) for look in looks}
    assert told == {("kundeport-tests", "a test", "Note.text")}


def test_every_operation_has_a_name_of_its_own_and_a_description() -> None:
    assert len(set(NAMES)) == len(NAMES)
    for file, _, _ in OPERATIONS:
        assert file.read_text().startswith("# "), f"{file.name} does not begin with a comment that says what it is for"
