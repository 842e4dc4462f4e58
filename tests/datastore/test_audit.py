"""The audit log is a chain: whoever has the database but not the keys cannot change it unnoticed."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncSession

from datastore import audit, audit_check
from datastore import database as connecting
from datastore.audit import COVERED, Act, AuditKind, AuditLogEntry, Reveal, append, record_reveals
from datastore.audit_check import HEADLESS, Checked, verify
from datastore.bookkeeping import AuditChain
from datastore.database import Database
from datastore.sealing import CannotOpen, Keyring
from datastore.viewer import TenantKind, Viewer
from tests.conftest import KEYS
from tests.factories.customer import MOMENT
from tests.statements import statements

LOG, CHAIN = AuditLogEntry, AuditChain
VIEWER = Viewer(1, TenantKind.PARTNER, subject="ola", client_id="crm", issuer="https://issuer.example")
OTHER = Viewer(2, TenantKind.INTERNAL, subject="per", client_id="crm", issuer="https://issuer.example")
TWO_KEYS = Keyring({"test": b"k" * 32, "older": b"o" * 32})
ENTRIES = 6


def acts(*names: str) -> list[Act]:
    return [Act(AuditKind.REVEAL, name, 7, {"reason": "æøå 😀", "fields": ["Note.text"]}) for name in names]


async def add(database: Database, viewer: Viewer, *names: str) -> None:
    """Add entries, in one transaction."""
    async with database.write() as session:
        await append(session, database.keys, viewer, "CRM", "correlation-1", MOMENT, acts(*names))


async def entries(database: Database, organisation: int = 1) -> list[Any]:
    mine = LOG.organisation_id == organisation
    return list(await database.fetch(select(LOG.__table__).where(mine).order_by(LOG.number)))


async def verified(database: Database) -> dict[int, Checked]:
    return {each.organisation_id: each async for each in verify(database)}


@pytest.fixture
async def log(database: Database) -> Database:
    """Organisation 1 has six entries, from three transactions, organisation 2 has three; both keys are known."""
    database.keys = TWO_KEYS
    for viewer, names in ((VIEWER, "ab"), (OTHER, "kl"), (VIEWER, "cde"), (VIEWER, "f"), (OTHER, "m")):
        await add(database, viewer, *names)
    return database


# A whole chain


async def test_a_whole_log_is_unbroken(log: Database) -> None:
    assert await verified(log) == {1: Checked(1, ENTRIES, ENTRIES), 2: Checked(2, 3, 3)}


async def test_an_empty_log_is_unbroken(database: Database) -> None:
    assert await verified(database) == {}


async def test_entries_tell_who_with_what_and_when(log: Database) -> None:
    first, *_ = await entries(log)
    told = {name: getattr(first, name) for name in COVERED if name != "details_digest"}
    assert told == {
        "organisation_id": 1,
        "number": 1,
        "kind": AuditKind.REVEAL,
        "operation": "a",
        "logged_at": MOMENT,
        "tenant_kind": TenantKind.PARTNER,
        "issuer": "https://issuer.example",
        "subject": "ola",
        "client_id": "crm",
        "client_name": "CRM",
        "correlation_id": "correlation-1",
        "customer_id": 7,
        "key_id": "test",
    }
    assert {name: value for name, value in first.details.items() if name != "salt"} == acts("a")[0].details


async def test_equal_details_have_different_digests(log: Database) -> None:
    found = await entries(log)
    assert len({each.details_digest for each in found}) == len({each.details["salt"] for each in found}) == ENTRIES


async def test_a_chain_goes_on_after_a_restart_and_a_change_of_keys(log: Database) -> None:
    url = log.engine.url.render_as_string(hide_password=False)
    restarted = Database(url, keys=Keyring({"newer": b"n" * 32, "test": b"k" * 32}))
    await add(restarted, VIEWER, "g", "h")
    assert [each.key_id for each in await entries(restarted)] == ["test"] * 6 + ["newer"] * 2
    assert await verified(restarted) == {1: Checked(1, 8, 8), 2: Checked(2, 3, 3)}
    await restarted.close()


async def test_without_the_key_of_an_entry_it_cannot_be_checked(log: Database) -> None:
    log.keys = Keyring({"newer": b"n" * 32})
    assert (await verified(log))[1] == Checked(1, 0, ENTRIES, "its key is not configured")


async def test_a_log_is_checked_in_batches(log: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_check, "BATCH", 4)
    with statements(log) as seen:
        steps = [(each.organisation_id, each.entries, each.total) async for each in verify(log)]
    assert steps == [(1, 0, 6), (2, 0, 3), (1, 4, 6), (1, 6, 6), (2, 3, 3)]
    assert len(seen) == 4


async def test_entries_that_come_while_it_is_checked_do_not_break_it(
    log: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_check, "BATCH", 1)
    last = {}
    async for each in verify(log):
        last[each.organisation_id] = each
        await add(log, VIEWER, "more")
        await add(log, OTHER, "more")
    assert last == {1: Checked(1, ENTRIES, ENTRIES), 2: Checked(2, 3, 3)}


async def test_appending_takes_three_statements_however_much(log: Database) -> None:
    for count in (1, 500):
        with statements(log) as seen:
            await add(log, VIEWER, *map(str, range(count)))
        assert len(seen) == 3, seen
    with statements(log) as seen:
        await add(log, Viewer(3), "first")
    assert len(seen) == 5, seen


async def test_long_client_names_are_cut(log: Database) -> None:
    async with log.write() as session:
        await append(session, log.keys, VIEWER, "x" * 300, "", MOMENT, acts("a"))
    assert (await entries(log))[-1].client_name == "x" * 100
    assert not (await verified(log))[1].problem


# Manipulations, by somebody who can write to the database

Manipulate = Callable[[AsyncSession], Awaitable[Any]]
CHANGED = {
    "kind": AuditKind.CHANGE,
    "operation": "another",
    "logged_at": MOMENT + timedelta(milliseconds=1),
    "tenant_kind": TenantKind.PERSON,
    "issuer": "another",
    "subject": "another",
    "client_id": "another",
    "client_name": "another",
    "correlation_id": "another",
    "customer_id": None,
    "details_digest": "0" * 64,
    "key_id": "older",
    "mac": "0" * 64,
}


def entry(number: int, organisation: int = 1) -> Any:
    return (LOG.organisation_id == organisation) & (LOG.number == number)


def changing(number: int, /, **values: Any) -> Manipulate:
    return lambda session: session.execute(update(LOG).where(entry(number)).values(values))


def deleting(*numbers: int) -> Manipulate:
    return lambda session: session.execute(
        delete(LOG)
        .where(LOG.organisation_id == 1, LOG.number.in_(numbers))
        .execution_options(synchronize_session=False)
    )


def head(**values: Any) -> Manipulate:
    return lambda session: session.execute(update(CHAIN).where(CHAIN.organisation_id == 1).values(values))


def one_after_another(*each: Manipulate) -> Manipulate:
    async def act(session: AsyncSession) -> None:
        for one in each:
            await one(session)

    return act


async def values_of(session: AsyncSession, number: int, organisation: int = 1) -> dict[str, Any]:
    found = (await session.execute(select(LOG.__table__).where(entry(number, organisation)))).one()
    return {name: value for name, value in found._mapping.items() if name != "id"}


def copying(number: int, /, **values: Any) -> Manipulate:
    async def act(session: AsyncSession) -> None:
        await session.execute(insert(LOG).values({**await values_of(session, number), **values}))

    return act


async def cutting_off_with_the_last_mac(session: AsyncSession) -> None:
    await deleting(5, 6)(session)
    await head(number=4, mac=(await values_of(session, 4))["mac"])(session)


async def cutting_off_with_the_old_seal(session: AsyncSession) -> None:
    await deleting(6)(session)
    await head(number=5)(session)


async def forging_with_the_digest(session: AsyncSession) -> None:
    details = {"salt": "", "reason": "forged", "fields": []}
    await changing(3, details=details, details_digest=audit.digest(details))(session)


async def shifting_to_make_room(session: AsyncSession) -> None:
    for number in (6, 5, 4):
        await changing(number, number=number + 1)(session)
    await copying(3, number=4)(session)
    await head(number=7)(session)


async def replacing_by_the_other_chain(session: AsyncSession) -> None:
    for number in (1, 2, 3):
        values = await values_of(session, number, organisation=2)
        await deleting(number)(session)
        await session.execute(insert(LOG).values({**values, "organisation_id": 1}))


async def exchanging_ids(session: AsyncSession) -> None:
    ids = [(await session.execute(select(LOG.id).where(entry(number)))).scalar_one() for number in (2, 3)]
    await changing(2, id=-1)(session)
    await changing(3, id=ids[0])(session)
    await changing(2, id=ids[1])(session)


GONE = "it is missing"
CHANGED_ONE = "it was changed"
UNTOLD = "the chain's head does not tell of it"
MISSING_OR_HEAD = "it is missing, or the chain's head was changed"
MANIPULATIONS: dict[str, tuple[Manipulate, dict[int, tuple[int, str]]]] = {
    **{f"{name} changed": (changing(3, **{name: new}), {1: (3, CHANGED_ONE)}) for name, new in CHANGED.items()},
    "first entry changed": (changing(1, subject="x"), {1: (1, CHANGED_ONE)}),
    "last entry changed": (changing(6, subject="x"), {1: (6, CHANGED_ONE)}),
    "two changed": (one_after_another(changing(5, subject="x"), changing(2, subject="x")), {1: (2, CHANGED_ONE)}),
    "details changed": (changing(3, details={"reason": "another"}), {1: (3, "its details were changed")}),
    "details emptied": (changing(3, details={}), {1: (3, "its details were changed")}),
    "details nulled": (changing(3, details=None), {1: (3, "its details were changed")}),
    "details and digest changed": (forging_with_the_digest, {1: (3, CHANGED_ONE)}),
    "key unknown": (changing(3, key_id="unknown"), {1: (3, "its key is not configured")}),
    "place in the list changed": (exchanging_ids, {1: (3, "its place in the list was changed")}),
    "first deleted": (deleting(1), {1: (1, GONE)}),
    "middle deleted": (deleting(3), {1: (3, GONE)}),
    "last deleted": (deleting(6), {1: (6, GONE)}),
    "last ones deleted": (deleting(5, 6), {1: (5, GONE)}),
    "all deleted": (deleting(*range(1, 7)), {1: (1, GONE)}),
    "last ones deleted, head taken back to the MAC": (cutting_off_with_the_last_mac, {1: (5, MISSING_OR_HEAD)}),
    "last ones deleted, head's number taken back": (cutting_off_with_the_old_seal, {1: (6, MISSING_OR_HEAD)}),
    "deleted and the gap closed": (
        one_after_another(deleting(3), *(changing(n, number=n - 1) for n in (4, 5, 6)), head(number=5)),
        {1: (3, CHANGED_ONE)},
    ),
    "copy put in": (shifting_to_make_room, {1: (4, CHANGED_ONE)}),
    "copy put after the last": (copying(6, number=7), {1: (7, UNTOLD)}),
    "copy put after the last, head moved on": (
        one_after_another(copying(6, number=7), head(number=7)),
        {1: (7, CHANGED_ONE)},
    ),
    "copy put before the first": (copying(1, number=0), {1: (1, "entry 0 stands before it")}),
    "swapped": (
        one_after_another(changing(2, number=-1), changing(3, number=2), changing(-1, number=3)),
        {1: (2, CHANGED_ONE)},
    ),
    "moved to another chain": (changing(6, organisation_id=2, number=4), {1: (6, GONE), 2: (4, UNTOLD)}),
    "moved to no chain": (
        changing(6, organisation_id=3, number=1),
        {1: (6, GONE), 3: (1, CHANGED_ONE)},
    ),
    "replaced by another chain": (replacing_by_the_other_chain, {1: (1, CHANGED_ONE)}),
    "head's number raised": (head(number=7), {1: (7, GONE)}),
    "head's number lowered": (head(number=5), {1: (6, MISSING_OR_HEAD)}),
    "head's number zero": (head(number=0), {1: (1, MISSING_OR_HEAD)}),
    "head reset": (head(number=0, mac=audit.NO_SEAL), {1: (1, UNTOLD)}),
    "head's seal changed": (head(mac="0" * 64), {1: (7, MISSING_OR_HEAD)}),
    "head deleted": (
        lambda session: session.execute(delete(CHAIN).where(CHAIN.organisation_id == 1)),
        {1: (7, HEADLESS)},
    ),
}


def test_a_change_of_every_covered_column_is_tried() -> None:
    assert {*CHANGED, "number", "organisation_id"} == {*COVERED, "mac"}


@pytest.mark.parametrize("name", MANIPULATIONS)
async def test_the_first_broken_entry_is_named(log: Database, name: str) -> None:
    manipulate, expected = MANIPULATIONS[name]
    async with log.write() as session:
        await manipulate(session)
    found = await verified(log)
    broken = {each.organisation_id: (each.entries + 1, each.problem) for each in found.values() if each.problem}
    assert broken == expected
    assert found[2].entries == 3


@pytest.mark.parametrize("what", ["details = 'no JSON'", "kind = 'X'", "logged_at = 'once'", "mac = x'00'", "mac = 5"])
async def test_an_entry_that_cannot_be_read_is_broken(log: Database, what: str) -> None:
    """SQLite stores anything anywhere."""
    if log.dialect != "sqlite":
        pytest.skip("PostgreSQL stores what fits the column")
    async with log.engine.connect() as connection:
        await connection.exec_driver_sql("PRAGMA ignore_check_constraints = on")
        await connection.exec_driver_sql(f"UPDATE audit_log SET {what} WHERE organisation_id = 1 AND number = 4")
        await connection.commit()
        await connection.invalidate()
    found = await verified(log)
    assert (found[1].entries, found[1].problem in ("it cannot be read", "it was changed")) == (3, True)
    assert found[2] == Checked(2, 3, 3)


async def test_a_chain_that_is_gone_as_a_whole_is_not_noticed(log: Database) -> None:
    """The numbers of earlier checks, kept elsewhere, tell."""
    async with log.write() as session:
        await session.execute(delete(LOG).where(LOG.organisation_id == 1).execution_options(synchronize_session=False))
        await session.execute(delete(CHAIN).where(CHAIN.organisation_id == 1))
    assert await verified(log) == {2: Checked(2, 3, 3)}


async def test_an_earlier_state_put_back_is_not_noticed(log: Database) -> None:
    """The numbers of earlier checks, kept elsewhere, tell."""
    ((seal,),) = await log.fetch(select(CHAIN.mac).where(CHAIN.organisation_id == 1))
    await add(log, VIEWER, "secret")
    async with log.write() as session:
        await one_after_another(deleting(7), head(number=6, mac=seal))(session)
    assert (await verified(log))[1] == Checked(1, 6, 6)


async def test_after_its_head_is_gone_a_chain_takes_no_entries(log: Database) -> None:
    async with log.write() as session:
        await session.execute(delete(CHAIN).where(CHAIN.organisation_id == 1))
    with pytest.raises(Exception, match="audit_log"):
        await add(log, VIEWER, "g")
    assert len(await entries(log)) == ENTRIES


# At the same time


async def test_chains_that_many_add_to_at_once_stay_whole(database: Database) -> None:
    url = database.engine.url.render_as_string(hide_password=False)
    processes = [database, *(Database(url, pool_size=3, keys=KEYS) for _ in range(3))]
    viewers = (VIEWER, OTHER)
    await asyncio.gather(
        *(add(process, viewer, f"{n}a", f"{n}b") for n in range(10) for process in processes for viewer in viewers)
    )
    assert await verified(database) == {1: Checked(1, 80, 80), 2: Checked(2, 80, 80)}
    names = [each.operation for each in await entries(database)]
    assert [name[:-1] for name in names[::2]] == [name[:-1] for name in names[1::2]]
    for process in processes[1:]:
        await process.close()


async def test_a_lock_that_is_not_let_go_fails_the_reveal(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if not url.startswith("sqlite"):
        pytest.skip("PostgreSQL locks rows")
    monkeypatch.setattr(connecting, "BUSY_MILLISECONDS", 50)
    holder, waiting = Database(url, keys=KEYS), Database(url, keys=KEYS)
    async with holder.write() as session:
        await session.execute(select(1))
        with pytest.raises(OperationalError, match="locked"):
            await record_reveals(waiting, VIEWER, "", "", "because", {7: Reveal("", {"Note.text"})})
    assert await verified(holder) == {}
    await record_reveals(waiting, VIEWER, "", "", "because", {7: Reveal("", {"Note.text"})})
    assert await verified(holder) == {1: Checked(1, 1, 1)}
    await holder.close()
    await waiting.close()


async def test_without_a_key_nothing_is_logged(database: Database) -> None:
    database.keys = Keyring()
    with pytest.raises(CannotOpen, match="KUNDEPORT_ENCRYPTION_KEYS"):
        await add(database, VIEWER, "a")
    assert await database.fetch(text("SELECT 1 FROM audit_chain")) == []
