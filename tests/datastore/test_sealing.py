"""Sealing sensitive values, finding them by their hash, and sealing them anew after a change of keys."""

import asyncio
import base64
import logging
import traceback
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import BigInteger, Column, MetaData, String, Table, Text, insert, select, update

from datastore import resealing
from datastore.customer import Note
from datastore.database import Database
from datastore.resealing import Resealed, reseal, sealed_columns
from datastore.sealing import SEALED, SEARCH_HASH_OF, CannotOpen, Key, Keyring, SealedColumn, new_key, place
from tests.factories.customer import a_customer, a_note
from tests.statements import statements

OLD, NEW = b"o" * 32, b"n" * 32
KEYS = Keyring({"old": OLD})
TURNED = Keyring({"new": NEW, "old": OLD})
SECRET = "Hemmelig: ring Kari etter kl. 18."

people = Table(
    "test_person",
    MetaData(),
    Column("organisation_id", BigInteger, primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("ssn", Text, info={SEALED: True}),
    Column("ssn_hash", String(64), index=True, info={SEARCH_HASH_OF: "ssn"}),
    Column("nickname", Text, info={SEALED: True}),
    Column("town", Text),
)
SSN: SealedColumn = people.c.ssn


# One value


@pytest.mark.parametrize("text", ["", "a", SECRET, "x" * 10_000, "😀\u202eø\0\n" * 2_000])
def test_what_was_sealed_is_opened_again(text: str) -> None:
    sealed = KEYS.seal(text, Note.text)
    assert KEYS.open(sealed, Note.text) == text
    assert sealed.startswith("old.")
    assert sealed.isascii()


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_can_be_sealed(text: str) -> None:
    assert KEYS.open(KEYS.seal(text, Note.text), Note.text) == text


def test_half_a_character_is_refused_without_the_text() -> None:
    for act in (KEYS.seal, KEYS.search_hash):
        with pytest.raises(ValueError) as refused:
            act(f"{SECRET}\ud800", Note.text)
        assert type(refused.value) is ValueError
        assert refused.value.__context__ is None
        assert SECRET not in "".join(traceback.format_exception(refused.value))


def test_the_same_text_is_never_sealed_the_same() -> None:
    assert len({KEYS.seal("a", Note.text) for _ in range(100)}) == 100


def test_a_value_of_another_column_does_not_open() -> None:
    with pytest.raises(CannotOpen):
        KEYS.open(KEYS.seal(SECRET, people.c.nickname), people.c.ssn)


def test_an_attribute_and_its_column_are_one_place() -> None:
    (column,) = [each for each in sealed_columns() if each.table.name == "note"]
    assert place(Note.text) == place(column) == b"note.text"


def test_every_change_of_a_sealed_value_is_noticed() -> None:
    sealed = KEYS.seal(SECRET, Note.text)
    others = [sealed[:n] + ("A" if sealed[n] != "A" else "B") + sealed[n + 1 :] for n in range(len(sealed))]
    others += [sealed[:n] for n in range(len(sealed))]
    others += [f"{sealed}{more}" for more in ("A", "=", "!", "\n", "ø", sealed)] + [f"old.!{sealed[4:]}"]
    for other in others:
        with pytest.raises(CannotOpen) as refused:
            KEYS.open(other, Note.text)
        assert sealed[4:] not in str(refused.value)


def test_two_encodings_of_the_same_bytes_are_not_both_opened() -> None:
    """The last letter of base64 can have bits that nobody reads."""
    sealed = next(s for s in (KEYS.seal("a" * n, Note.text) for n in range(3)) if s.endswith("=="))
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    other = sealed[:-3] + alphabet[alphabet.index(sealed[-3]) + 1] + "=="
    assert base64.urlsafe_b64decode(other[4:]) == base64.urlsafe_b64decode(sealed[4:])
    with pytest.raises(CannotOpen):
        KEYS.open(other, Note.text)


@pytest.mark.parametrize("sealed", ["", ".", "old", "old.", "old.QQ==", "gone.QUJD", ".QUJD", "plain text", "old.ø"])
def test_what_is_no_sealed_value_does_not_open(sealed: str) -> None:
    with pytest.raises(CannotOpen, match=r"^a value of note\.text (is sealed with a key|was changed after)"):
        KEYS.open(sealed, Note.text)


def test_without_keys_nothing_is_sealed_opened_or_hashed() -> None:
    none = Keyring()
    for act in (none.seal, none.search_hash, none.search_hashes):
        with pytest.raises(CannotOpen, match="KUNDEPORT_ENCRYPTION_KEYS"):
            act(SECRET, Note.text)
    with pytest.raises(CannotOpen):
        none.open(KEYS.seal(SECRET, Note.text), Note.text)


# Keys


def test_new_values_have_the_newest_key_and_old_ones_still_open() -> None:
    old = KEYS.seal(SECRET, Note.text)
    assert TURNED.open(old, Note.text) == SECRET
    assert not TURNED.is_newest(old)
    assert TURNED.is_newest(TURNED.seal(SECRET, Note.text))
    with pytest.raises(CannotOpen, match="not configured"):
        KEYS.open(TURNED.seal(SECRET, Note.text), Note.text)


def test_a_key_of_the_same_id_with_other_bytes_opens_nothing() -> None:
    with pytest.raises(CannotOpen):
        Keyring({"old": NEW}).open(KEYS.seal(SECRET, Note.text), Note.text)


def test_each_purpose_has_a_key_of_its_own() -> None:
    key = Key("a", OLD)
    assert len({OLD, key.search, key.audit}) == 3


def test_keys_are_read_from_the_setting() -> None:
    keys = Keyring.parse(f" {new_key('new')} ,{new_key('old')},")
    assert list(keys.keys) == ["new", "old"]
    assert keys.newest.key_id == "new"
    assert Keyring.parse("").keys == {}


GOOD = base64.b64encode(OLD).decode()


@pytest.mark.parametrize(
    "text",
    [
        *(" ", ",", " , ", "old", "old:", f":{GOOD}", GOOD, f"old:{GOOD[:-4]}", f"old:{GOOD}AAAA", f"old:!{GOOD[1:]}"),
        *(f"old:{GOOD[:-1]}", f"o.d:{GOOD}", f"øl:{GOOD}", f"{'x' * 31}:{GOOD}", f"old :{GOOD}", f"old\n:{GOOD}"),
        *(f"old:{GOOD},old:{GOOD}", f"old:{GOOD};new:{GOOD}", f"old:{GOOD},new", f"old:ø{GOOD[1:]}", f"old: {GOOD}x"),
    ],
)
def test_bad_keys_are_refused_without_quoting_them(text: str) -> None:
    with pytest.raises(ValueError) as refused:
        Keyring.parse(text)
    shown = "".join(traceback.format_exception(refused.value)[-1:])
    assert GOOD[:8] not in shown
    assert GOOD[:8] not in repr(refused.value.__context__)


def test_keys_do_not_show_in_their_text() -> None:
    key = TURNED.newest
    assert key.search
    assert (repr(key), str(key)) == ("Key('new')",) * 2
    assert (repr(TURNED), f"{TURNED}") == ("Keyring('new', 'old')",) * 2


@pytest.mark.parametrize("key_id", ["", "a b", "a.b", "a:b", "a,b", "x" * 31, "ø"])
def test_a_new_key_has_a_possible_id(key_id: str) -> None:
    with pytest.raises(ValueError):
        new_key(key_id)


def test_new_keys_differ() -> None:
    assert len({new_key("a") for _ in range(100)}) == 100


# Finding


def test_the_same_text_has_the_same_hash_under_one_key_and_in_one_column() -> None:
    known = KEYS.search_hash("01019912345", SSN)
    assert known == KEYS.search_hash("01019912345", SSN)
    others = [
        KEYS.search_hash("01019912346", SSN),
        KEYS.search_hash("01019912345", people.c.nickname),
        TURNED.search_hash("01019912345", SSN),
    ]
    assert len({known, *others}) == 4
    assert len(known) == 64


def test_the_hashes_to_search_for_are_of_every_key_the_newest_first() -> None:
    assert TURNED.search_hashes("1", SSN) == [TURNED.search_hash("1", SSN), KEYS.search_hash("1", SSN)]


# Sealing anew


@pytest.fixture
def with_people(monkeypatch: pytest.MonkeyPatch) -> None:
    """Resealing finds the table of people, which the gateway does not have."""
    monkeypatch.setattr(resealing, "METADATA", people.metadata)


@pytest.fixture
async def stored(database: Database, with_people: None) -> Database:
    """The database has the table of people, with rows sealed by the old key, and now has the new key too."""
    async with database.engine.begin() as connection:
        await connection.run_sync(people.metadata.create_all)
    await some_people(database, range(1, 8))
    database.keys = TURNED
    return database


async def some_people(database: Database, numbers: range) -> None:
    async with database.write() as session:
        for n in numbers:
            row = {"organisation_id": n % 2, "number": n, "town": "Oslo"}
            sealed = {"ssn": KEYS.seal(f"ssn {n}", people.c.ssn), "ssn_hash": KEYS.search_hash(f"ssn {n}", SSN)}
            await session.execute(insert(people).values({**row, **(sealed if n != 3 else {})}))


async def outcome(database: Database) -> dict[str, Resealed]:
    return {each.column: each async for each in reseal(database)}


async def rows(database: Database) -> list[Any]:
    return list(await database.fetch(select(people).order_by(people.c.number)))


def test_sealed_columns_are_found() -> None:
    assert Note.__table__.c.text in sealed_columns()


async def test_values_and_their_hashes_are_sealed_anew(stored: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resealing, "BATCH", 2)
    assert await outcome(stored) == {
        "test_person.ssn": Resealed("test_person.ssn", found=6, sealed=6),
        "test_person.nickname": Resealed("test_person.nickname", found=0),
    }
    only_new = Keyring({"new": NEW})
    for row in await rows(stored):
        assert (row.town, row.nickname) == ("Oslo", None)
        if row.number == 3:
            assert (row.ssn, row.ssn_hash) == (None, None)
        else:
            assert only_new.open(row.ssn, SSN) == f"ssn {row.number}"
            assert row.ssn_hash == only_new.search_hash(f"ssn {row.number}", SSN)


async def test_a_second_time_nothing_is_left_to_do(stored: Database) -> None:
    await outcome(stored)
    before = await rows(stored)
    assert {each.found for each in (await outcome(stored)).values()} == {0}
    assert await rows(stored) == before


async def test_it_goes_on_where_it_was_interrupted(stored: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resealing, "BATCH", 2)
    steps = reseal(stored)
    async for each in steps:
        if each.sealed == 4:
            break
    await steps.aclose()  # type: ignore[attr-defined]
    assert sum(TURNED.is_newest(row.ssn or "") for row in await rows(stored)) == 4
    assert (await outcome(stored))["test_person.ssn"] == Resealed("test_person.ssn", found=2, sealed=2)


async def test_what_somebody_else_changed_meanwhile_is_left(stored: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = TURNED.seal("theirs", SSN)
    really = resealing._reseal_batch

    async def after_another(*given: Any) -> tuple[int, int]:
        async with stored.write() as session:
            await session.execute(update(people).where(people.c.number == 5).values(ssn=theirs, ssn_hash="theirs"))
        return await really(*given)

    monkeypatch.setattr(resealing, "_reseal_batch", after_another)
    assert (await outcome(stored))["test_person.ssn"] == Resealed("test_person.ssn", found=6, sealed=5, left=1)
    (row,) = [row for row in await rows(stored) if row.number == 5]
    assert (row.ssn, row.ssn_hash) == (theirs, "theirs")


async def test_what_cannot_be_opened_is_counted_and_left_as_it_is(stored: Database) -> None:
    broken = {1: "gone.QUJD", 2: "old.QUJD", 4: "plain"}
    async with stored.write() as session:
        for number, text in broken.items():
            await session.execute(update(people).where(people.c.number == number).values(ssn=text))
    assert (await outcome(stored))["test_person.ssn"] == Resealed("test_person.ssn", found=6, sealed=3, closed=3)
    assert {row.number: row.ssn for row in await rows(stored) if row.number in broken} == broken


async def test_ids_that_differ_in_case_are_different_keys(stored: Database) -> None:
    stored.keys = Keyring({"OLD": NEW, "old": OLD})
    assert (await outcome(stored))["test_person.ssn"].sealed == 6


async def test_two_at_the_same_time_seal_every_value_once(stored: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resealing, "BATCH", 3)
    await some_people(stored, range(10, 60))
    other = Database(stored.engine.url.render_as_string(hide_password=False), keys=TURNED)
    both = await asyncio.gather(outcome(stored), outcome(other))
    await other.close()
    assert sum(each["test_person.ssn"].sealed for each in both) == 56
    only_new = Keyring({"new": NEW})
    assert all(only_new.open(row.ssn, SSN) == f"ssn {row.number}" for row in await rows(stored) if row.ssn)


async def test_notes_are_sealed_anew_with_a_batch_a_transaction(database: Database) -> None:
    kari = await a_customer(database)
    notes = [await a_note(database, kari, text=f"note {n}") for n in range(5)]
    database.keys = Keyring({"new": NEW, "test": b"k" * 32})
    with statements(database) as seen:
        assert (await outcome(database))["note.text"] == Resealed("note.text", found=5, sealed=5)
    columns = len(sealed_columns())
    assert len(seen) == columns + columns + 5 + 1, seen
    texts = await database.fetch(select(Note.text).order_by(Note.id))
    assert [Keyring({"new": NEW}).open(text, Note.text) for (text,) in texts] == [f"note {n}" for n in range(5)]
    assert len(notes) == 5


async def test_without_a_key_nothing_is_sealed_anew(database: Database) -> None:
    database.keys = Keyring()
    with pytest.raises(CannotOpen, match="KUNDEPORT_ENCRYPTION_KEYS"):
        await outcome(database)


async def test_nothing_that_is_sealed_is_logged(stored: Database, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        await outcome(stored)
    assert "ssn 1" not in caplog.text
