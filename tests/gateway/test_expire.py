"""Erasing those whose day has come: `kundeport expire`, and the gateway by itself while it serves (rules C15, C101)."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from click.testing import CliRunner, Result
from sqlalchemy import select, text

from datastore import erasure
from datastore.audit import AuditLogEntry
from datastore.audit_check import verify
from datastore.customer import CustomerStatus, ProfileType
from datastore.database import Database
from datastore.erasure import Expired, erase, expire_batch
from datastore.sealing import CannotOpen, Keyring
from gateway import expiry
from gateway.cli import main
from resolvers.oslo import today
from tests.conftest import KEYS
from tests.customer.mutations import document, done, events, everything
from tests.factories.customer import a_customer, a_merged_customer, a_note, an_address, some_customers
from tests.gateway.client import environment, gateway_client, settings
from tests.gateway.conftest import serving

TODAY = date(2026, 7, 1)
NOW = datetime(2026, 6, 30, 22, 30, tzinfo=UTC)
"""In Norway it is the first of July."""
ERASE = document("eraseCustomer", "receipt { erasedAt }")
PAST = {"expiration_date": date(2026, 1, 1)}


async def numbers(database: Database) -> list[int]:
    return [row[0] for row in await database.fetch(text("SELECT customer_number FROM customer ORDER BY id"))]


async def expired(database: Database, batch: int = 100, **options: Any) -> Expired:
    return await expire_batch(database, TODAY, NOW, batch, **options)


def on_database(url: str, act: Callable[[Database], Awaitable[Any]]) -> Any:
    """What an act on the database answers."""

    async def work() -> Any:
        database = Database(url, keys=KEYS)
        try:
            return await act(database)
        finally:
            await database.close()

    return asyncio.run(work())


# Who is due


@pytest.mark.rule("C15")
async def test_a_person_is_due_from_the_beginning_of_the_day_in_norway(database: Database) -> None:
    assert today(NOW) == TODAY
    assert today(NOW - timedelta(hours=1)) == TODAY - timedelta(days=1)
    days = [TODAY - timedelta(days=1), TODAY, TODAY + timedelta(days=1), None]
    customers = [await a_customer(database, expiration_date=day) for day in days]
    assert await expired(database) == Expired(2, 2, 2)
    assert await numbers(database) == [each.customer_number for each in customers[2:]]
    assert await expired(database) == Expired()


@pytest.mark.rule("C101")
@pytest.mark.rule("C15")
async def test_people_of_every_type_and_status_are_erased(database: Database) -> None:
    for profile in ProfileType:
        for status in CustomerStatus:
            await a_customer(database, profile_type=profile, status=status, **PAST)
    assert (await expired(database)).people == 9
    assert await numbers(database) == []


@pytest.mark.rule("C40")
async def test_a_merged_profile_goes_with_its_survivor_and_not_before(database: Database) -> None:
    kari, ola = await a_customer(database, **PAST), await a_customer(database)
    merged = await a_merged_customer(database, kari)
    await a_merged_customer(database, merged)
    early = await a_merged_customer(database, ola, **PAST)
    assert await expired(database) == Expired(1, 3, 3)
    assert await numbers(database) == [ola.customer_number, early.customer_number]


async def test_each_erasure_is_in_the_chain_of_the_customers_organisation_and_posted(database: Database) -> None:
    theirs = [await a_customer(database, organisation_id=organisation, **PAST) for organisation in (2, 1, 2)]
    for each in theirs:
        await an_address(database, each)
    assert await expired(database) == Expired(3, 3, 6)
    entries = await database.fetch(select(AuditLogEntry.__table__).order_by(AuditLogEntry.customer_id))
    told = [(each.organisation_id, each.customer_id, each.subject, each.operation) for each in entries]
    assert told == [(each.organisation_id, each.id, "kundeport expire", "kundeport expire") for each in theirs]
    assert sorted(event[:4] for event in await events(database)) == sorted(
        ("UPDATE", each.customer_number, each.organisation_id, NOW) for each in theirs
    )
    assert {each.problem async for each in verify(database)} == {""}


async def test_a_batch_takes_no_more_people_and_the_next_goes_on(database: Database) -> None:
    await some_customers(database, *[PAST] * 5)
    assert [(await expired(database, 2)).people for _ in range(4)] == [2, 2, 1, 0]


async def test_without_a_key_nobody_is_erased(database: Database) -> None:
    await a_customer(database, **PAST)
    database.keys = Keyring()
    with pytest.raises(CannotOpen, match="KUNDEPORT_ENCRYPTION_KEYS"):
        await expired(database)
    assert len(await numbers(database)) == 1


async def test_what_fails_half_way_is_not_done(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    kari = await a_customer(database, **PAST)
    await a_note(database, kari)
    before = await everything(database)

    async def fail(*_: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(erasure, "tell", fail)
        with pytest.raises(RuntimeError, match="killed"):
            await expired(database)
    after = await everything(database)
    assert {**after, "gateway_secret": []} == {**before, "gateway_secret": []}
    assert (await expired(database)).people == 1


async def test_somebody_who_cannot_be_erased_keeps_nobody_else_from_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck, *_ = await some_customers(database, *[PAST] * 5)

    async def fails_for_one(session: Any, secret: bytes, profiles: Any, now: datetime) -> Any:
        if stuck.id in [each.id for each in profiles]:
            raise RuntimeError("something refers to her")
        return await erase(session, secret, profiles, now)

    monkeypatch.setattr(erasure, "erase", fails_for_one)
    assert [(await expired(database, 3)).people for _ in range(2)] == [2, 2]
    with pytest.raises(RuntimeError, match="something refers to her"):
        await expired(database, 3)
    assert await numbers(database) == [stuck.customer_number]


async def test_several_at_once_erase_each_person_once(url: str, database: Database) -> None:
    await some_customers(database, *[PAST] * 60)
    others = [database, Database(url, keys=KEYS), Database(url, keys=KEYS)]
    erased = Expired()
    while await numbers(database):
        for each in await asyncio.gather(*(expired(other, 5) for other in others)):
            erased += each
    assert erased == Expired(60, 60, 60)
    logged = await database.fetch(select(AuditLogEntry.customer_id))
    assert len(logged) == len({row[0] for row in logged}) == 60
    assert {each.problem async for each in verify(database)} == {""}
    for other in others[1:]:
        await other.close()


async def test_one_that_works_alone_does_nothing_while_another_does(url: str, database: Database) -> None:
    if database.dialect == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    await some_customers(database, *[PAST] * 2)
    other = Database(url, keys=KEYS)
    await expired(other, 1)  # connects
    async with other.write() as session:
        await erasure._expire(session, other, b"", TODAY, NOW, 0, True)
        assert await expired(database, alone=True) == Expired()
    assert (await expired(database, alone=True)).people == 1
    await other.close()


# kundeport expire


@pytest.fixture
def commands(url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in environment(url).items():
        monkeypatch.setenv(name, value)
    return url


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["expire", *arguments])


def test_the_command_erases_and_says_how_many(commands: str) -> None:
    async def people(database: Database) -> None:
        kari, *_ = await some_customers(database, *[PAST] * 3, {"first_name": "Stays"})
        await a_merged_customer(database, kari)
        await an_address(database, kari)

    on_database(commands, people)
    result = run("--dry-run")
    assert (result.exit_code, result.stdout) == (0, "To be erased: 3 people.\n")
    result = run("--batch", "2")
    assert (result.exit_code, result.stdout) == (0, "Erased: 3 people (4 profiles, 5 rows).\n")
    assert "People to erase" in result.stderr
    result = run()
    assert (result.exit_code, result.stdout) == (0, "Erased: 0 people (0 profiles, 0 rows).\n")
    assert len(on_database(commands, numbers)) == 1


@pytest.mark.parametrize("batch", ["0", "1001", "many"])
def test_a_batch_that_is_none_is_refused(commands: str, batch: str) -> None:
    assert run("--batch", batch).exit_code == 2


def test_the_command_without_a_key_or_a_database_says_what_is_missing(
    commands: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("KUNDEPORT_ENCRYPTION_KEYS", "")
    result = run()
    assert (result.exit_code, result.stdout) == (1, "")
    assert "KUNDEPORT_ENCRYPTION_KEYS" in result.stderr
    monkeypatch.setenv("KUNDEPORT_DATABASE_URL", f"sqlite+aiosqlite:///{tmp_path}/none.db")
    result = run()
    assert result.exit_code == 1
    assert "there is no database" in result.stderr


# While the gateway serves


def test_a_gateway_erases_by_itself(url: str) -> None:
    async def people(database: Database) -> None:
        await some_customers(database, PAST, {})

    on_database(url, people)
    process = serving({**environment(url), "KUNDEPORT_EXPIRE_SECONDS": "1"})
    with process:
        deadline = time.monotonic() + 30
        while len(left := on_database(url, numbers)) > 1 and time.monotonic() < deadline:
            time.sleep(0.1)
        process.process.terminate()
        output = process.output()
    assert len(left) == 1
    assert re.search(r'"people":1,"profiles":1,"rows":1,"event":"expired"', output), output
    assert "Nordmann" not in output
    assert "Traceback" not in output


async def test_a_gateway_does_not_erase_where_it_is_turned_off(
    url: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(expiry, "_erase_now_and_then", never)
    async with gateway_client(settings(url, expire_seconds=0)) as client:
        assert (await client.get("/health/ready")).status_code == 200


async def test_a_look_that_fails_is_logged_and_the_next_one_tries_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await a_customer(database, **PAST)
    looks = 0
    done = asyncio.Event()

    async def fails_at_first(*given: Any) -> Expired:
        nonlocal looks
        looks += 1
        if looks == 1:
            raise RuntimeError("the database is away")
        try:
            return await expire_now(*given)
        finally:
            done.set()

    expire_now = expiry.expire
    monkeypatch.setattr(expiry, "expire", fails_at_first)
    with structlog.testing.capture_logs() as lines:
        async with expiry.expiring(database, 0.01), asyncio.timeout(20):
            await done.wait()
    assert [line["event"] for line in lines][:2] == ["expiry_failed", "expired"]
    assert await numbers(database) == []


def test_a_look_cuts_the_log_of_what_requests_have_erased(url: str) -> None:
    if "sqlite" not in url:
        pytest.skip("PostgreSQL overwrites when it vacuums")
    log = Path(f"{url.removeprefix('sqlite+aiosqlite:///')}-wal")

    async def erase_and_look(database: Database) -> tuple[int, Expired, int]:
        kari = await a_customer(database)
        await done(database, ERASE, {"customerNumber": kari.customer_number})
        return await look(size), await expiry.expire(database, asyncio.Event()), await look(size)

    def size() -> int:
        return log.stat().st_size

    look = asyncio.to_thread
    before, erased, after = on_database(url, erase_and_look)
    assert (before > 0, erased, after) == (True, Expired(), 0)


async def test_it_ends_after_the_batch_that_it_is_at(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    await some_customers(database, *[PAST] * 3)
    monkeypatch.setattr(expiry, "BATCH", 1)
    begun = asyncio.Event()

    async def one(*given: Any, **options: Any) -> Expired:
        begun.set()
        return await expire_batch(*given, **options)

    monkeypatch.setattr(expiry, "expire_batch", one)
    monkeypatch.setattr(expiry, "PAUSE", 3600)
    async with expiry.expiring(database, 0.01), asyncio.timeout(20):
        await begun.wait()
    assert len(await numbers(database)) == 2


async def test_a_batch_that_does_not_end_is_given_up(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = asyncio.Event()

    async def never(*_: object) -> Expired:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(expiry, "expire", never)
    monkeypatch.setattr(expiry, "LAST_BATCH", 0.01)
    async with asyncio.timeout(20), expiry.expiring(database, 0.01):
        await begun.wait()
