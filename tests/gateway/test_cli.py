"""The command line, as people and scripts use it."""

import asyncio
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import func, select

from datastore.customer import Customer
from datastore.database import Database
from gateway.cli import main
from schema.root import schema
from tests.gateway.client import environment


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
        assert (result.exit_code, result.output) == (0, "The database is at revision 0002.\n")


def test_demo_fills_the_database_once_per_seed(run: Run, tmp_path: Path) -> None:
    assert run("demo", "--customers", "20").exit_code == 0
    again = run("demo", "--customers", "20")
    assert again.exit_code == 1
    assert "Another seed adds other customers" in again.output
    assert run("demo", "--customers", "10", "--seed", "2").exit_code == 0
    assert asyncio.run(number_of_customers(f"sqlite+aiosqlite:///{tmp_path}/cli.db")) == 30


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
    (tmp_path / "cli.db").touch()
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
