"""The commands about keys and the audit log, as people and scripts use them."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import delete, select, update

from datastore.audit import Act, AuditKind, AuditLogEntry, append
from datastore.bookkeeping import AuditChain
from datastore.customer import Note
from datastore.database import Database
from datastore.resealing import column_name, sealed_columns
from datastore.sealing import Keyring, new_key
from datastore.viewer import Viewer
from gateway.cli import main
from tests.factories.customer import MOMENT, a_customer, a_note

OLD, NEW = new_key("old"), new_key("new")


@pytest.fixture(autouse=True)
def environment(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUNDEPORT_DATABASE_URL", url)
    monkeypatch.setenv("KUNDEPORT_ENCRYPTION_KEYS", OLD)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def on_database(url: str, act: Callable[[Database], Awaitable[Any]], keys: str = OLD) -> Any:
    """What an act on the database answers."""

    async def work() -> Any:
        database = Database(url, keys=Keyring.parse(keys))
        try:
            return await act(database)
        finally:
            await database.close()

    return asyncio.run(work())


async def entries(database: Database) -> None:
    """Organisation 1 has 1,234 entries, organisation 22 has two."""
    for organisation, count in ((1, 1_234), (22, 2)):
        acts = [Act(AuditKind.CHANGE, "test", None, {"changes": []})] * count
        async with database.write() as session:
            await append(session, database.keys, Viewer(organisation), "", "", MOMENT, acts)


def manipulating(statement: Any) -> Callable[[Database], Awaitable[None]]:
    async def act(database: Database) -> None:
        async with database.write() as session:
            await session.execute(statement.execution_options(synchronize_session=False))

    return act


# kundeport audit verify


def test_a_whole_log_is_told_in_a_line_for_each_organisation(url: str) -> None:
    on_database(url, entries)
    result = run("audit", "verify")
    lines = ["organisation 1: 1,234 entries, unbroken", "organisation 22: 2 entries, unbroken"]
    assert (result.exit_code, result.stdout.splitlines()) == (0, lines)
    assert "Audit log" in result.stderr


def test_an_empty_log_is_told(url: str) -> None:
    result = run("audit", "verify")
    assert (result.exit_code, result.stdout) == (0, "The audit log is empty.\n")


def test_the_first_broken_entry_is_named_and_the_others_are_checked(url: str) -> None:
    on_database(url, entries)
    for number in (1_017, 1_100):
        wrong = update(AuditLogEntry).where(AuditLogEntry.organisation_id == 1, AuditLogEntry.number == number)
        on_database(url, manipulating(wrong.values(details={})))
    result = run("audit", "verify")
    assert (result.exit_code, result.stdout.splitlines()) == (
        1,
        [
            "organisation 1: entry 1,017 is broken: its details were changed",
            "organisation 22: 2 entries, unbroken",
        ],
    )


def test_a_chain_without_its_head_is_broken(url: str) -> None:
    on_database(url, entries)
    on_database(url, manipulating(delete(AuditChain).where(AuditChain.organisation_id == 22)))
    result = run("audit", "verify")
    headless = "the chain's head is gone: whether entries are missing at the end cannot be told"
    assert result.exit_code == 1
    assert f"organisation 22: 2 entries, unbroken, but {headless}" in result.stdout.splitlines()


def test_another_key_than_that_of_the_entries_is_told(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    on_database(url, entries)
    monkeypatch.setenv("KUNDEPORT_ENCRYPTION_KEYS", NEW)
    result = run("audit", "verify")
    assert result.exit_code == 1
    assert "organisation 1: entry 1 is broken: its key is not configured" in result.stdout


@pytest.mark.parametrize("command", [("audit", "verify"), ("reseal",)], ids=" ".join)
def test_a_command_without_keys_says_what_is_missing(
    url: str, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.delenv("KUNDEPORT_ENCRYPTION_KEYS")
    result = run(*command)
    assert result.exit_code == 1
    wanted = "verify" if "verify" in command else "seal"
    assert f"no key to {wanted} with; set KUNDEPORT_ENCRYPTION_KEYS" in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize("command", [("audit", "verify"), ("reseal",)], ids=" ".join)
def test_a_command_on_an_older_database_says_what_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    with sqlite3.connect(tmp_path / "older.db") as older:
        older.execute("CREATE TABLE something_else (id INTEGER)")
    older.close()
    monkeypatch.setenv("KUNDEPORT_DATABASE_URL", f"sqlite+aiosqlite:///{tmp_path}/older.db")
    result = run(*command)
    assert result.exit_code == 1
    assert "Run: kundeport migrate" in result.stderr


@pytest.mark.parametrize(
    "command", [("audit", "verify"), ("audit", "verify", "--demo"), ("reseal",), ("token", "--as", "crm")], ids=" ".join
)
def test_a_command_without_a_database_does_not_make_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.setenv("KUNDEPORT_DATABASE_URL", f"sqlite+aiosqlite:///{tmp_path}/new.db")
    result = run(*command)
    assert result.exit_code == 1
    assert "there is no database" in result.stderr
    assert not (tmp_path / "new.db").exists()


@pytest.mark.parametrize("is_named", [True, False])
def test_the_log_of_the_demo_is_verified_with_the_keys_of_the_demo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_named: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KUNDEPORT_ENCRYPTION_KEYS")
    demo = "sqlite+aiosqlite:///kundeport-demo.db"
    monkeypatch.setenv("KUNDEPORT_DATABASE_URL", demo)
    assert run("migrate").exit_code == 0

    async def work() -> None:
        database = Database(demo, keys=Keyring.for_demo())
        await entries(database)
        await database.close()

    asyncio.run(work())
    if not is_named:
        monkeypatch.delenv("KUNDEPORT_DATABASE_URL")
    result = run("audit", "verify", "--demo")
    assert (result.exit_code, len(result.stdout.splitlines())) == (0, 2)
    assert "organisation 22: 2 entries, unbroken" in result.stdout


def test_wrong_keys_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUNDEPORT_ENCRYPTION_KEYS", f"{OLD},{OLD}x")
    result = run("audit", "verify")
    assert result.exit_code == 2
    assert "KUNDEPORT_ENCRYPTION_KEYS" in result.output
    assert OLD.partition(":")[2] not in result.output


# kundeport key


def test_a_key_is_printed_alone_with_advice_beside_it() -> None:
    today = datetime.now(UTC)
    result = run("key")
    assert result.exit_code == 0
    (key_id,) = Keyring.parse(result.stdout.rstrip("\n")).keys
    assert key_id in {f"k{day:%Y%m%d}" for day in (today, datetime.now(UTC))}
    assert "KUNDEPORT_ENCRYPTION_KEYS" in result.stderr
    assert "behind the old one" in result.stderr
    assert result.stderr.count("\n") == 2
    assert run("key").stdout != result.stdout


def test_a_key_can_be_given_its_id() -> None:
    assert list(Keyring.parse(run("key", "--id", "second_1").stdout.strip()).keys) == ["second_1"]
    for wrong in ("", "a b", "a:b", "x" * 31):
        result = run("key", "--id", wrong)
        assert (result.exit_code, result.stdout) == (2, "")
        assert "--id" in result.stderr


# kundeport reseal


async def notes(database: Database) -> None:
    kari = await a_customer(database)
    for n in range(3):
        await a_note(database, kari, text=f"note {n}")


async def texts(database: Database) -> list[str]:
    found = await database.fetch(select(Note.text).order_by(Note.id))
    return [database.keys.open(text, Note.text) for (text,) in found]


def told(of_notes: str) -> list[str]:
    """A line for each sealed column, of which only that of notes has values."""
    names = [column_name(column) for column in sealed_columns()]
    return [f"{name}: {of_notes if name == 'note.text' else '0 sealed anew'}" for name in names]


def test_values_are_sealed_with_the_newest_key(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    on_database(url, notes)
    monkeypatch.setenv("KUNDEPORT_ENCRYPTION_KEYS", f"{NEW},{OLD}")
    for count in (3, 0):
        result = run("reseal")
        assert (result.exit_code, result.stdout.splitlines()) == (0, told(f"{count} sealed anew"))
    assert "Sealed values" in result.stderr
    assert on_database(url, texts, NEW) == ["note 0", "note 1", "note 2"]


def test_values_that_cannot_be_opened_are_counted(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    on_database(url, notes)
    monkeypatch.setenv("KUNDEPORT_ENCRYPTION_KEYS", NEW)
    result = run("reseal")
    assert result.exit_code == 1
    closed = "0 sealed anew, 3 cannot be opened: their key is missing, or they were changed"
    assert result.stdout.splitlines() == told(closed)
    assert on_database(url, texts) == ["note 0", "note 1", "note 2"]


def test_help_names_the_commands() -> None:
    shown = run("--help").output
    for command in ("audit", "key", "reseal"):
        assert f"\n  {command}" in shown
