"""The command line, as people and scripts use it."""

import asyncio
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import func, select

from datastore.customer import Customer
from datastore.database import Database
from gateway.cli import main
from schema.root import schema
from tests.gateway.client import environment
from tests.gateway.identity.tokens import a_key, jwks


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Run":
    for name, value in environment(f"sqlite+aiosqlite:///{tmp_path}/cli.db").items():
        monkeypatch.setenv(name, value)
    return Run()


class Run:
    def __call__(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, arguments)


async def number_of_customers(url: str) -> int:
    database = Database(url)
    found = await database.fetch(select(func.count()).select_from(Customer))
    await database.close()
    return int(found[0][0])


def test_help_names_every_command(run: Run) -> None:
    result = run("--help")
    assert result.exit_code == 0
    for command in ("serve", "demo", "migrate", "token", "schema", "documents", "audit", "key", "reseal"):
        assert f"\n  {command}" in result.output


def test_migrate_can_be_repeated(run: Run) -> None:
    for _ in range(2):
        result = run("migrate")
        assert (result.exit_code, result.output) == (0, "The database is at revision 0008.\n")


def test_demo_fills_the_database_once_per_seed(run: Run, tmp_path: Path) -> None:
    assert run("demo", "--customers", "20").exit_code == 0
    again = run("demo", "--customers", "20")
    assert again.exit_code == 1
    assert "Another seed adds other customers" in again.output
    assert run("demo", "--customers", "10", "--seed", "2").exit_code == 0
    assert asyncio.run(number_of_customers(f"sqlite+aiosqlite:///{tmp_path}/cli.db")) == 30


def test_demo_adds_three_employees_to_two_customers_or_as_many_as_are_asked_for(run: Run) -> None:
    for seed, more, employees in (("1", [], 30), ("2", ["--employees", "7"], 7), ("3", ["--employees", "0"], 0)):
        result = run("demo", "--customers", "20", "--seed", seed, *more)
        assert result.exit_code == 0
        assert (f" employee {employees}," in result.output) == (employees > 0)
    assert run("demo", "--employees", "-1").exit_code == 2


@pytest.mark.parametrize("customers", ["0", "-1", "many"])
def test_demo_refuses_a_number_that_is_none(run: Run, customers: str) -> None:
    assert run("demo", "--customers", customers).exit_code == 2


def test_schema_prints_the_schema(run: Run) -> None:
    assert run("schema").output == schema.as_str() + "\n"


def test_schema_check_accepts_the_present_schema(run: Run, tmp_path: Path) -> None:
    old = tmp_path / "old.graphql"
    old.write_text(schema.as_str())
    result = run("schema", "--check", str(old))
    assert (result.exit_code, result.output) == (0, "No breaking changes.\n")


def test_schema_check_names_what_breaks_clients(run: Run, tmp_path: Path) -> None:
    old = tmp_path / "old.graphql"
    old.write_text(schema.as_str().replace("  day: Int!", "  day: Int!\n  week: Int!"))
    result = run("schema", "--check", str(old))
    assert result.exit_code == 1
    assert "FIELD_REMOVED" in result.output
    assert "LocalDate.week" in result.output


def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    monkeypatch.setenv("KUNDEPORT_LOG_LEVEL", "LOUD")
    result = run("migrate")
    assert result.exit_code == 2
    assert "KUNDEPORT_LOG_LEVEL" in result.output


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("foo", "this is not a database URL"),
        ("postgresql://u:hemmelig@localhost/k", "must begin with sqlite+aiosqlite:// or postgresql+asyncpg://"),
        ("postgresql+asyncpg://u:hemmelig@127.0.0.1:1/k", "Connect call failed"),
        ("sqlite+aiosqlite:////no/such/folder/k.db", "there is no folder /no/such/folder"),
    ],
)
@pytest.mark.parametrize("command", ["migrate", "serve", "demo"])
def test_a_database_that_does_not_answer_is_named_without_its_password(
    command: str, url: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment(url).items():
        monkeypatch.setenv(name, value)
    result = CliRunner().invoke(main, [command])
    assert result.exit_code in (1, 2)
    assert said in result.output
    assert "Traceback" not in result.output
    assert "hemmelig" not in result.output


def test_serve_refuses_an_older_database_with_the_command_to_run(tmp_path: Path, run: "Run") -> None:
    with sqlite3.connect(tmp_path / "cli.db") as older:
        older.execute("CREATE TABLE something_else (id INTEGER)")
    older.close()
    result = run("serve")
    assert result.exit_code == 1
    assert "Run: kundeport migrate" in result.output


def test_schema_check_says_that_a_file_is_no_schema(run: "Run", tmp_path: Path) -> None:
    old = tmp_path / "old.graphql"
    old.write_text("not a schema {")
    result = run("schema", "--check", str(old))
    assert result.exit_code == 1
    assert "is not a GraphQL schema" in result.output


@pytest.mark.parametrize("missing", ["KUNDEPORT_ENCRYPTION_KEYS", "KUNDEPORT_ISSUERS"])
def test_serve_without_an_issuer_or_a_key_says_which_setting_is_missing(
    missing: str, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(missing)
    result = run("serve")
    assert result.exit_code == 2
    assert missing in result.output
    assert not (tmp_path / "cli.db").exists()


def test_a_wrong_key_is_refused_without_showing_it(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUNDEPORT_ENCRYPTION_KEYS", "k1:hemmelig")
    result = run("migrate")
    assert result.exit_code == 2
    assert "KUNDEPORT_ENCRYPTION_KEYS" in result.output
    assert "hemmelig" not in result.output


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Any]:
    """What would have been served; nothing is. The demo keeps its database in a folder of the test."""
    configurations: list[Any] = []
    monkeypatch.setattr("gateway.cli.serve_until_stopped", configurations.append)
    monkeypatch.setattr("gateway.cli.DEMO_CUSTOMERS", 1)
    for name in ("KUNDEPORT_DEMO", "KUNDEPORT_ISSUERS", "KUNDEPORT_ENCRYPTION_KEYS"):
        monkeypatch.setenv(name, "")  # so that what `serve` sets is taken back
        monkeypatch.delenv(name)
    monkeypatch.setenv("KUNDEPORT_DATABASE_URL", f"sqlite+aiosqlite:///{tmp_path}/demo.db")
    return configurations


def test_the_demo_is_not_opened_by_a_variable_alone(
    served: list[Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KUNDEPORT_DEMO", "true")
    result = CliRunner().invoke(main, ["serve"])
    assert result.exit_code == 2
    assert "set by `serve --demo` only" in result.stderr
    assert served == []
    assert not (tmp_path / "demo.db").exists()


def test_the_demo_is_refused_where_there_are_real_issuers(
    served: list[Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KUNDEPORT_ISSUERS", environment("")["KUNDEPORT_ISSUERS"])
    result = CliRunner().invoke(main, ["serve", "--demo"])
    assert result.exit_code == 2
    assert "KUNDEPORT_ISSUERS is set" in result.stderr
    assert served == []
    assert not (tmp_path / "demo.db").exists()


@pytest.mark.parametrize(
    ("host", "warns"), [("127.0.0.1", False), ("localhost", False), ("::1", False), ("0.0.0.0", True), ("::", True)]
)
def test_the_demo_warns_where_others_can_reach_it(served: list[Any], host: str, warns: bool) -> None:
    result = CliRunner().invoke(main, ["serve", "--demo", "--host", host])
    assert (result.exit_code, len(served)) == (0, 1)
    assert ("anybody who reaches it can sign in as anybody" in result.stderr) == warns


def test_an_empty_file_is_set_up_as_a_new_one(
    served: list[Any], run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in environment(f"sqlite+aiosqlite:///{tmp_path}/cli.db").items():
        monkeypatch.setenv(name, value)
    (tmp_path / "cli.db").touch()
    result = run("serve")
    assert (result.exit_code, len(served)) == (0, 1)


ISSUER = {"issuer": "i", "audience": "a", "tenant": "partner", "jwks_url": "https://issuer.example/keys"}
NO_KEY = {"issuer": "i", "audience": "a", "tenant": "partner", "jwks": {"keys": []}}
WRONG_KEY = {"issuer": "i", "audience": "a", "tenant": "partner", "jwks": jwks(a_key("ES256"))}


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("ISSUERS", "x", "KUNDEPORT_ISSUERS: must be a JSON list"),
        ("ISSUERS", "", "KUNDEPORT_ISSUERS: must be a JSON list"),
        ("CORS_ORIGINS", "https://a.no", "KUNDEPORT_CORS_ORIGINS: must be a JSON list"),
        ("ISSUERS", [{**ISSUER, "audience": ""}], "KUNDEPORT_ISSUERS[0].audience: String should have at least"),
        ("ISSUERS", [ISSUER, {"issuer": "j"} | NO_KEY, 3], "KUNDEPORT_ISSUERS[2]: Input should be"),
        ("ISSUERS", [{**ISSUER, "algorithms": ["HS256"]}], "KUNDEPORT_ISSUERS[0].algorithms[0]: Input should be"),
        ("ISSUERS", [ISSUER, ISSUER], "KUNDEPORT_ISSUERS[1].issuer: this issuer is there twice"),
        ("ISSUERS", [NO_KEY], "KUNDEPORT_ISSUERS[0].jwks: there is no public key in it for RS256"),
        ("ISSUERS", [WRONG_KEY], "KUNDEPORT_ISSUERS[0].jwks: there is no public key in it for RS256"),
        ("ISSUERS", [NO_KEY | {"jwks": {}}], "KUNDEPORT_ISSUERS[0].jwks: this is not a JSON Web Key Set"),
        ("REDIS_URL", "u:hemmelig@localhost:6379", "KUNDEPORT_REDIS_URL: must be redis://..."),
        ("RATE_POINTS", "166", "KUNDEPORT_RATE_POINTS is too low"),
    ],
)
def test_a_wrong_setting_is_told_in_one_line_that_names_it(
    name: str, value: Any, said: str, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(f"KUNDEPORT_{name}", value if isinstance(value, str) else json.dumps(value))
    result = run("serve")
    assert result.exit_code == 2
    line = result.stderr.rstrip("\n").rpartition("\n")[2]
    assert line.startswith(f"Error: {said}")
    assert "hemmelig" not in result.output
    assert not (tmp_path / "cli.db").exists()


def test_the_least_points_that_let_everybody_in_are_accepted(
    served: list[Any], run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in environment(f"sqlite+aiosqlite:///{tmp_path}/cli.db").items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("KUNDEPORT_RATE_POINTS", "167")
    assert run("serve").exit_code == 0
