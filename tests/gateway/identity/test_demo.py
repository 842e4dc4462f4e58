"""The demo issuer: its key, its roles, its routes, its command."""

import asyncio
import re
import sqlite3
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import orjson
import pytest
from click.testing import CliRunner
from joserfc.jwk import OKPKey
from sqlalchemy import insert
from starlette.applications import Starlette

from datastore.bookkeeping import GatewaySecret
from datastore.database import Database
from datastore.viewer import GRANTABLE, Mode, Permission, TenantKind
from gateway.cli import main
from gateway.identity.demo import ROLES, NoDemoKey, demo_issuers, demo_key, demo_routes, token_for
from gateway.identity.identity import Identity
from gateway.identity.tokens import Tokens
from resolvers.errors import Refused
from tests.factories.customer import a_customer
from tests.gateway.identity.tokens import Clock, bearer

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
KEY = OKPKey.generate_key("Ed25519", auto_kid=True)


def reader(key: OKPKey = KEY, now: datetime | None = None) -> Tokens:
    return Tokens(demo_issuers(key), now=Clock((now or datetime.now(UTC)).timestamp()))


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = Starlette(routes=demo_routes(KEY))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://demo") as client:
        yield client


async def test_the_key_is_made_once_and_then_kept(database: Database) -> None:
    with pytest.raises(NoDemoKey, match="serve --demo"):
        await demo_key(database, create=False)
    made = await demo_key(database, create=True)
    for create in (True, False):
        again = await demo_key(database, create=create)
        assert (again.as_dict(private=True), again.kid) == (made.as_dict(private=True), made.kid)
    await reader(made).read(token_for("crm", again, datetime.now(UTC)))


async def test_processes_that_start_at_once_share_one_key(database: Database, url: str) -> None:
    others = [Database(url) for _ in range(5)]
    keys = await asyncio.gather(*(demo_key(each, create=True) for each in [database, *others]))
    assert len({key.kid for key in keys}) == 1
    for each in others:
        await each.close()


async def test_a_process_that_was_slower_takes_the_key_of_the_other(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = KEY.as_dict(private=True)
    fetch = database.fetch

    async def fetch_then_lose(*given: object) -> object:
        monkeypatch.setattr(database, "fetch", fetch)
        found = await fetch(*given)  # type: ignore[arg-type]
        async with database.write() as session:
            await session.execute(insert(GatewaySecret).values(name="demo-issuer", value=orjson.dumps(theirs)))
        return found

    monkeypatch.setattr(database, "fetch", fetch_then_lose)
    assert (await demo_key(database, create=True)).kid == KEY.kid


async def test_every_database_has_a_key_of_its_own(tmp_path: Path) -> None:
    assert OKPKey.generate_key("Ed25519", auto_kid=True).kid != KEY.kid
    with pytest.raises(Refused):
        await reader(OKPKey.generate_key("Ed25519", auto_kid=True)).read(token_for("admin", KEY, datetime.now(UTC)))


def test_the_trusted_key_sets_hold_no_private_key() -> None:
    for issuer in demo_issuers(KEY):
        assert issuer.jwks is not None
        assert set(issuer.jwks["keys"][0]) == {"kty", "crv", "x", "kid", "use", "alg"}


@pytest.mark.rule("T03")
@pytest.mark.parametrize("role", ROLES)
async def test_every_role_becomes_the_caller_it_describes(role: str) -> None:
    viewer = await reader().read(token_for(role, KEY, datetime.now(UTC)))
    wanted = ROLES[role]
    assert (viewer.kind, viewer.organisation_id) == (wanted.tenant, wanted.organisation_id)
    assert viewer.permissions == wanted.permissions <= GRANTABLE
    assert (viewer.subject, viewer.client_id) == (wanted.subject, wanted.client_id)
    assert viewer.customer_number == wanted.customer_number
    assert viewer.employee_id == wanted.employee_id
    assert viewer.mode is (Mode.USER if role in ("customer", "employee") else Mode.CLIENT)
    assert re.fullmatch(r"[A-Z][^.]*\.", wanted.description)


def test_only_the_admin_is_internal_and_may_do_everything() -> None:
    assert [name for name, role in ROLES.items() if role.tenant is TenantKind.INTERNAL] == ["admin"]
    assert [name for name, role in ROLES.items() if role.permissions == GRANTABLE] == ["admin"]
    reads = {Permission.CUSTOMER_READ, Permission.JOURNEY_READ, Permission.CONTRACT_READ}
    assert ROLES["conductor"].permissions == {*reads, Permission.CONTRACT_CONSUME}
    assert {Permission.EMPLOYEE_WRITE, Permission.SSN_REVEAL} < ROLES["hr"].permissions
    assert not {Permission.CUSTOMER_READ, Permission.PERSONNEL_CODE_WRITE} & ROLES["hr"].permissions


async def test_the_customer_is_the_first_of_the_demo_data(database: Database) -> None:
    kari = await a_customer(database)
    viewer = await Identity(reader(), database).viewer(bearer(token_for("customer", KEY, datetime.now(UTC))))
    assert viewer.customer_number == 1_000_000_001
    assert viewer.customer_ids == {kari.id}


@pytest.mark.rule("T02")
async def test_tokens_are_valid_for_24_hours() -> None:
    token = token_for("crm", KEY, NOW)
    day = timedelta(hours=24)
    assert await reader(now=NOW + day - timedelta(seconds=1)).read(token)
    with pytest.raises(Refused):
        await reader(now=NOW + day + timedelta(seconds=31)).read(token)


async def test_the_route_lists_the_roles(client: httpx.AsyncClient) -> None:
    answer = await client.get("/demo/roles")
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert [role["name"] for role in answer.json()["roles"]] == list(ROLES)
    assert all(role.keys() == {"name", "description"} for role in answer.json()["roles"])


async def test_the_route_gives_a_token_of_a_role(client: httpx.AsyncClient) -> None:
    answer = await client.post("/demo/token", json={"role": "crm"})
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert answer.json().keys() == {"token", "expiresAt"}
    assert (await reader().read(answer.json()["token"])).client_id == "demo-crm"
    left = datetime.fromisoformat(answer.json()["expiresAt"]) - datetime.now(UTC)
    assert timedelta(hours=23, minutes=59) < left <= timedelta(hours=24)


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b'{"role": "king"}', "application/json", 404),
        (b'{"role": ["crm"]}', "application/json", 400),
        (b'{"role": null}', "application/json", 400),
        (b"{}", "application/json", 400),
        (b'["crm"]', "application/json", 400),
        (b'"crm"', "application/json", 400),
        (b"{", "application/json", 400),
        (b"", "application/json", 400),
        (b"\xff", "application/json", 400),
        (b'{"role": "crm"}', "text/plain", 415),
        (b'{"role": "crm"}', "application/x-www-form-urlencoded", 415),
        (b'{"role": "crm"}', "", 415),
        (b'{"role": "crm", "x": "' + b"x" * 1000 + b'"}', "application/json", 413),
    ],
)
async def test_bad_requests_get_no_token(
    client: httpx.AsyncClient, body: bytes, content_type: str, status: int
) -> None:
    answer = await client.post("/demo/token", content=body, headers={"content-type": content_type})
    assert (answer.status_code, answer.headers["cache-control"]) == (status, "no-store")
    assert answer.json().keys() == {"errors"}


async def test_a_token_cannot_be_had_by_get(client: httpx.AsyncClient) -> None:
    assert (await client.get("/demo/token", params={"role": "admin"})).status_code == 405


class TestCommand:
    @pytest.fixture
    def command(self, url: str, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
        monkeypatch.setenv("KUNDEPORT_DATABASE_URL", url)
        return CliRunner()

    def test_it_prints_a_token_alone(self, command: CliRunner, url: str) -> None:
        async def make() -> OKPKey:
            database = Database(url)
            try:
                return await demo_key(database, create=True)
            finally:
                await database.close()

        key = asyncio.run(make())
        result = command.invoke(main, ["token", "--as", "partner"])
        assert (result.exit_code, result.stderr) == (0, "")
        assert re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+\n", result.stdout)
        viewer = asyncio.run(reader(key).read(result.stdout.strip()))
        assert (viewer.organisation_id, viewer.client_id) == (2, "demo-partner")

    def test_it_says_what_to_do_where_the_demo_was_never_served(self, command: CliRunner) -> None:
        result = command.invoke(main, ["token", "--as", "crm"])
        assert (result.exit_code, result.stdout) == (1, "")
        assert "start `kundeport serve --demo`" in result.stderr

    def test_it_refuses_an_unknown_role_and_names_the_others(self, command: CliRunner) -> None:
        result = command.invoke(main, ["token", "--as", "king"])
        assert (result.exit_code, result.stdout) == (2, "")
        assert all(f"'{role}'" in result.stderr for role in ROLES)
        assert command.invoke(main, ["token"]).exit_code == 2


def test_the_command_makes_no_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUNDEPORT_DATABASE_URL", f"sqlite+aiosqlite:///{tmp_path}/none.db")
    result = CliRunner().invoke(main, ["token", "--as", "crm"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert "start `kundeport serve --demo` first" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_command_names_a_database_that_is_not_migrated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with sqlite3.connect(tmp_path / "older.db") as older:
        older.execute("CREATE TABLE something_else (id INTEGER)")
    older.close()
    monkeypatch.setenv("KUNDEPORT_DATABASE_URL", f"sqlite+aiosqlite:///{tmp_path}/older.db")
    result = CliRunner().invoke(main, ["token", "--as", "crm"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert "kundeport migrate" in result.stderr
