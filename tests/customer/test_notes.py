"""createNote, updateNote and deleteNote: sealed, and quoted nowhere."""

import asyncio
import logging
from typing import Any

import pytest
from sqlalchemy import select

from datastore.audit import AuditLogEntry
from datastore.changes import HIDDEN
from datastore.customer import Note
from datastore.database import Database
from datastore.sealing import Keyring
from datastore.viewer import GRANTABLE, Permission, Viewer
from resolvers.context import Context
from schema.root import schema
from tests.conftest import KEYS
from tests.customer.mutations import (
    NOW,
    Error,
    answered,
    document,
    done,
    errors_of,
    events,
    everything,
    freeze,
    not_executed,
    refused,
    unchanged,
)
from tests.execute import FOREIGNER, INTERNAL, VIEWER
from tests.factories.customer import (
    CHANGES,
    MOMENT,
    a_customer,
    a_deleted_customer,
    a_merged_customer,
    a_note,
    inserted,
)

FIELDS = "id version text createdBy createdAt changedBy changedAt"
CREATE = document("createNote", f"note {{ {FIELDS} }}")
UPDATE = document("updateNote", f"note {{ {FIELDS} }}")
DELETE = document("deleteNote", "customer { customerNumber notes { id version } } deletedNoteId")
CREATE_KEYED = document("createNote", "note { id text }", ' @idempotent(key: "k")')
SECRET = "Hemmelig: ring etter kl. 18."
SHOWN_NOW, SHOWN_MOMENT = "2026-06-30T22:30:00.123Z", "2026-01-31T12:00:00.123Z"


def new(customer: Any, text: str = SECRET, **values: Any) -> dict[str, Any]:
    return {"customerNumber": customer.customer_number, "text": text, "createdBy": "ola", **values}


def of(customer: Any, note: Any, **values: Any) -> dict[str, Any]:
    return {"customerNumber": customer.customer_number, "noteId": str(note.id), **values}


async def notes(database: Database) -> list[Any]:
    return list(await database.fetch(select(Note.__table__).order_by(Note.id)))


async def test_a_note_is_written_and_changed(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    freeze(monkeypatch)
    kari = await a_customer(database)
    made = await done(database, CREATE, new(kari, f" {SECRET}\n"))
    by = {"createdBy": "ola", "createdAt": SHOWN_NOW, "changedBy": "ola", "changedAt": SHOWN_NOW}
    assert made == {"id": made["id"], "version": 1, "text": SECRET, **by}
    note = await a_note(database, kari)
    given = of(kari, note, text="Ny", changedBy="per", expectedVersion=1)
    by = {"createdBy": "ola", "createdAt": SHOWN_MOMENT, "changedBy": "per", "changedAt": SHOWN_NOW}
    assert await done(database, UPDATE, given) == {"id": str(note.id), "version": 2, "text": "Ny", **by}
    assert await events(database) == [("UPDATE", kari.customer_number, 1, NOW, "")] * 2
    assert [KEYS.open(row.text, Note.text) for row in await notes(database)] == [SECRET, "Ny"]
    assert [(row.created_at, row.changed_at) for row in await notes(database)] == [(NOW, NOW), (MOMENT, NOW)]


async def test_a_deleted_note_is_gone_and_the_others_stay(database: Database) -> None:
    kari, ola = await a_customer(database), await a_customer(database)
    one, two, his = await a_note(database, kari), await a_note(database, kari), await a_note(database, ola)
    payload, errors = await answered(database, DELETE, of(kari, one))
    assert errors == []
    left = {"customerNumber": kari.customer_number, "notes": [{"id": str(two.id), "version": 1}]}
    assert payload == {"customer": left, "deletedNoteId": str(one.id)}
    assert [row.id for row in await notes(database)] == [two.id, his.id]
    assert len(await events(database)) == 1
    error = ("NOTE_NOT_FOUND", "noteId", [str(one.id)])
    assert await refused(database, DELETE, of(kari, one)) == [error]


async def test_a_text_has_lines(database: Database) -> None:
    kari = await a_customer(database)
    for given, stored in (
        ("a\nb\tc", "a\nb\tc"),
        ("a\r\nb\rc\n\nd", "a\nb\nc\n\nd"),
        ("\n\t a \r\n", "a"),
        ("e\u0301", "é"),
        ("Ł 👩‍👩‍👧 א", "Ł 👩‍👩‍👧 א"),
        ("x" * 10_000, "x" * 10_000),
        ("x" * 9_998 + "\r\nx", "x" * 9_998 + "\nx"),
        (" " * 50_000 + "x", "x"),
    ):
        assert (await done(database, CREATE, new(kari, given)))["text"] == stored


async def test_a_wrong_text_is_refused_and_not_quoted(database: Database) -> None:
    kari = await a_customer(database)
    note = await a_note(database, kari)
    async with unchanged(database):
        for text, given, by in (
            (CREATE, new(kari), "createdBy"),
            (UPDATE, of(kari, note, text=SECRET, changedBy="per"), "changedBy"),
        ):
            for value, code in (
                ("", "REQUIRED"),
                (" \r\n\t", "REQUIRED"),
                ("x" * 10_001, "TEXT_TOO_LONG"),
                ("e\u0301" * 10_001, "TEXT_TOO_LONG"),
                ("x" * 1_000_000, "TEXT_TOO_LONG"),
                *(
                    (f"a{character}b", "TEXT_INVALID")
                    for character in "\x00\x07\x0b\x0c\x1b\x1f\x7f\x85\x9f\ud800\udfff"
                ),
            ):
                assert await errors_of(database, text, {**given, "text": value}) == [(code, "text", [])]
            for value, code in ((" ", "REQUIRED"), ("x" * 101, "TEXT_TOO_LONG"), ("a\nb", "TEXT_INVALID")):
                assert await errors_of(database, text, {**given, by: value}) == [(code, by, [])]
            both: list[Error] = [("REQUIRED", by, []), ("TEXT_INVALID", "text", [])]
            assert sorted(await errors_of(database, text, {**given, "text": f"{SECRET}\0", by: ""})) == both
            for field in ("text", by, "customerNumber"):
                assert field in await not_executed(database, text, {**given, field: None})


async def test_what_was_written_stands_nowhere_in_clear(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    kari = await a_customer(database)
    await a_note(database, kari, text="before")
    made = await done(database, CREATE_KEYED, new(kari))
    given = {"customerNumber": kari.customer_number, "noteId": made["id"]}
    await done(database, UPDATE, {**given, "text": f"{SECRET} Ny.", "changedBy": "per"})
    await done(database, DELETE, given)
    assert "Hemmelig" not in str(await everything(database))
    assert "Hemmelig" not in caplog.text
    entries = await database.fetch(select(AuditLogEntry.__table__).order_by(AuditLogEntry.id))
    assert [(entry.operation, entry.customer_id) for entry in entries] == [
        (name, kari.id) for name in ("createNote", "updateNote", "deleteNote")
    ]
    seen = [
        {field["name"]: (field["before"], field["after"]) for field in change["fields"]}["text"]
        for entry in entries
        for change in entry.details["changes"]
    ]
    assert seen == [(None, HIDDEN), (HIDDEN, HIDDEN), (HIDDEN, None)]


async def test_a_key_is_good_for_one_text_of_which_only_a_fingerprint_is_kept(database: Database) -> None:
    kari = await a_customer(database)
    first = await done(database, CREATE_KEYED, new(kari))
    assert await done(database, CREATE_KEYED, new(kari)) == first
    async with unchanged(database):
        for other in ("Another text.", "\ud800"):
            errors = await errors_of(database, CREATE_KEYED, new(kari, other))
            assert errors == [("IDEMPOTENCY_KEY_REUSED", "", [])]
    database.keys = Keyring({"new": b"n" * 32, "test": b"k" * 32})
    assert await done(database, CREATE_KEYED, new(kari)) == first
    database.keys = Keyring({"test": b"x" * 32})
    errors = await refused(database, document("createNote", "note { id }", ' @idempotent(key: "k")'), new(kari))
    assert errors == [("IDEMPOTENCY_KEY_REUSED", "", [])]


async def test_whoever_writes_a_note_does_not_thereby_see_it(database: Database) -> None:
    kari = await a_customer(database)
    blind = Viewer(1, permissions=GRANTABLE - {Permission.NOTE_REVEAL})
    for viewer, reason, shown in ((blind, "a test", None), (VIEWER, "", None), (VIEWER, "a test", SECRET)):
        context = Context(database, viewer, reason=reason)
        result = await schema.execute(CREATE, variable_values={"input": new(kari)}, context_value=context)
        assert not result.errors
        assert result.data is not None
        assert result.data["createNote"]["note"]["text"] == shown
        assert context.masked == (set() if shown else {"Note.text"})


async def test_another_version_is_a_conflict_and_shows_the_current_values(database: Database) -> None:
    kari = await a_customer(database)
    note = await a_note(database, kari, version=3)
    conflict = [("VERSION_CONFLICT", "expectedVersion", ["2"])]
    update = of(kari, note, text=SECRET, changedBy="per", expectedVersion=2)
    payload, errors = await answered(database, UPDATE, update)
    assert errors == conflict
    assert (payload["note"]["version"], payload["note"]["text"]) == (3, "Called about a refund.")
    payload, errors = await answered(database, DELETE, of(kari, note, expectedVersion=2))
    assert errors == conflict
    shown = {"customerNumber": kari.customer_number, "notes": [{"id": str(note.id), "version": 3}]}
    assert payload == {"customer": shown, "deletedNoteId": None}
    assert len(await notes(database)) == 1
    await done(database, UPDATE, {**update, "expectedVersion": 3})
    await done(database, DELETE, of(kari, note, expectedVersion=4))


async def test_of_parallel_changes_of_one_version_one_is_done(database: Database) -> None:
    kari = await a_customer(database)
    note = await a_note(database, kari)
    given = [of(kari, note, text=f"{n}", changedBy="per", expectedVersion=1) for n in range(5)]
    answers = await asyncio.gather(*(answered(database, UPDATE, each) for each in given))
    assert sorted(errors for _, errors in answers) == [[], *[[("VERSION_CONFLICT", "expectedVersion", ["1"])]] * 4]
    assert len({payload["note"]["text"] for payload, _ in answers}) == 1


async def test_there_is_no_501st_note_about_a_customer(database: Database) -> None:
    kari = await a_customer(database)
    sealed = {"customer_id": kari.id, "text": KEYS.seal("x", Note.text), "created_by": "ola", "changed_by": "ola"}
    await inserted(database, Note, *[{**sealed, **CHANGES}] * 499)
    made = await done(database, CREATE, new(kari))
    assert await refused(database, CREATE, new(kari)) == [("TOO_MANY_NOTES", "", [])]
    await done(database, UPDATE, {**of(kari, (await notes(database))[0]), "text": "x", "changedBy": "per"})
    await done(database, DELETE, {"customerNumber": kari.customer_number, "noteId": made["id"]})
    await done(database, CREATE, new(kari))


@pytest.mark.rule("T04")
async def test_about_whom_notes_may_be_written(database: Database) -> None:
    kari, ola = await a_customer(database), await a_customer(database)
    deleted, merged = await a_deleted_customer(database), await a_merged_customer(database, kari)
    mine, his = await a_note(database, kari), await a_note(database, ola)
    async with unchanged(database):
        for customer, code, viewer in (
            (kari, "CUSTOMER_NOT_FOUND", FOREIGNER),
            (merged, "CUSTOMER_MERGED", VIEWER),
            (deleted, "CUSTOMER_DELETED", VIEWER),
        ):
            error = (code, "customerNumber", [str(customer.customer_number)])
            for text in (SECRET, "", "\0"):
                assert await errors_of(database, CREATE, new(customer, text), viewer) == [error]
                for note in (mine, his):
                    known = of(customer, note, expectedVersion=9)
                    assert await errors_of(database, UPDATE, {**known, "text": text, "changedBy": ""}, viewer) == [
                        error
                    ]
                    assert await errors_of(database, DELETE, known, viewer) == [error]
    async with unchanged(database):
        for wrong in (str(his.id), "0", "-1", "x", "", "१", "9" * 19):
            known = {"customerNumber": kari.customer_number, "noteId": wrong, "expectedVersion": 9}
            error = ("NOTE_NOT_FOUND", "noteId", [wrong])
            for viewer in (VIEWER, INTERNAL):
                assert await errors_of(database, UPDATE, {**known, "text": SECRET, "changedBy": "per"}, viewer) == [
                    error
                ]
                assert await errors_of(database, DELETE, known, viewer) == [error]
    await done(database, UPDATE, of(kari, mine, text=SECRET, changedBy="per"), INTERNAL)
    await done(database, DELETE, of(kari, mine), INTERNAL)


async def test_a_repeat_is_not_answered_with_a_later_note_that_has_the_same_key(database: Database) -> None:
    """SQLite gives the key of the last row again once that is deleted."""
    kari, ola = await a_customer(database), await a_customer(database)
    made = await done(database, CREATE_KEYED, new(kari))
    await done(database, DELETE, {"customerNumber": kari.customer_number, "noteId": made["id"]})
    await done(database, CREATE, new(ola))
    assert await answered(database, CREATE_KEYED, new(kari)) == ({"note": None}, [])
