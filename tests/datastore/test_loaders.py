"""The loaders: one statement for any number of keys, and never a row that the viewer may not see."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from datastore import customer as stored
from datastore.database import Database
from datastore.loaders import LIST_CAP, Loaders, meaning, owned_through
from datastore.viewer import TenantKind, Viewer
from tests.datastore.rows import values

OURS, THEIRS = Viewer(1), Viewer(2)
EVERYBODY = Viewer(3, TenantKind.INTERNAL)
MANY = 5000

Count = Callable[[], int]


@pytest.fixture
def statements(database: Database) -> Count:
    """How many statements were sent since the fixture was made."""
    sent: list[str] = []
    for engine in (database.engine, database.reads):
        sa.event.listen(engine.sync_engine, "before_cursor_execute", lambda *given: sent.append(given[2]))
    return lambda: len(sent)


@pytest.fixture(autouse=True)
async def rows(database: Database) -> None:
    """Customers 1 to 4 of organisation 1 and 5 to 8 of organisation 2; each has two notes, 4 and 8 have none. Each
    bears the personnel ticket of customer 1 and the next one's; each has chosen preference 1 (theirs) and 2 (ours)."""
    customer = stored.Customer.__table__
    made: dict[sa.FromClause, list[dict[str, Any]]] = {
        customer: [values(table(customer), n) | {"organisation_id": 1 if n <= 4 else 2} for n in range(1, 9)],
        stored.Preference.__table__: [
            values(table(stored.Preference.__table__), n) | {"organisation_id": 3 - n} for n in (1, 2)
        ],
        stored.Note.__table__: [
            values(table(stored.Note.__table__), n) | {"customer_id": owner}
            for n, owner in enumerate([1, 1, 2, 2, 3, 3, 5, 5, 6, 6, 7, 7], 1)
        ],
        stored.PersonnelTicketBearer.__table__: [
            values(table(stored.PersonnelTicketBearer.__table__), n) | {"bearer_customer_id": 1} for n in range(1, 9)
        ],
        stored.CustomerPreference.__table__: [
            values(table(stored.CustomerPreference.__table__), n) | {"preference_id": 1} for n in range(1, 9)
        ],
        stored.CustomerConsent.__table__: [
            values(table(stored.CustomerConsent.__table__), n) | {"customer_id": 1, "consent_code": code}
            for n, code in enumerate("ABC", 1)
        ],
    }
    async with database.engine.begin() as connection:
        for target, lines in made.items():
            await connection.execute(sa.insert(table(target)), lines)


def table(of: sa.FromClause) -> sa.Table:
    assert isinstance(of, sa.Table)
    return of


@pytest.mark.parametrize("number", [1, 2, MANY])
async def test_one_statement_for_any_number_of_keys(database: Database, statements: Count, number: int) -> None:
    load = Loaders(database, OURS)
    keys = list(range(1, number + 1))
    for before, loader in enumerate(
        [
            load.one(stored.Customer.id),
            load.many(stored.Note.customer_id),
            load.many(stored.PersonnelTicketBearer.bearer_customer_id),
            load.count(stored.Note.customer_id),
        ]
    ):
        assert len(await loader.load_many(keys)) == number
        assert statements() == before + 1


async def test_text_keys_are_batched_too(database: Database, statements: Count) -> None:
    keys = ["1uuid", "2uuid", *(f"æ'\"\\{n}" for n in range(MANY))]
    found = await Loaders(database, OURS).one(stored.Customer.uuid).load_many(keys)
    assert [record and record.id for record in found] == [1, 2, *[None] * MANY]
    assert statements() == 1


async def test_what_was_loaded_is_not_asked_for_again(database: Database, statements: Count) -> None:
    load = Loaders(database, OURS)
    first = await load.one(stored.Customer.id).load(1)
    assert await load.one(stored.Customer.id).load(1) is first
    assert statements() == 1


async def test_missing_and_repeated_keys(database: Database) -> None:
    load = Loaders(database, OURS)
    one = await load.one(stored.Customer.id).load_many([2, 99, 1, 2])
    assert [record and record.id for record in one] == [2, None, 1, 2]
    many = await load.many(stored.Note.customer_id).load_many([2, 99, 4, 1, 2])
    assert [[note.id for note in notes] for notes in many] == [[3, 4], [], [], [1, 2], [3, 4]]
    assert await load.count(stored.Note.customer_id).load_many([2, 99, 4, 1, 2]) == [2, 0, 0, 2, 2]


async def test_missing_lists_are_not_shared(database: Database) -> None:
    first, second = await Loaders(database, OURS).many(stored.Note.customer_id).load_many([98, 99])
    assert first is not second


async def test_a_condition_has_a_loader_of_its_own(database: Database) -> None:
    """Two conditions whose texts are equal but for the bound value once shared one loader."""
    load, consent = Loaders(database, OURS), stored.CustomerConsent
    loaders = [load.many(consent.customer_id, consent.consent_code == code) for code in "ABC"]
    found = [await loader.load(1) for loader in loaders]
    assert [[each.consent_code for each in each_list] for each_list in found] == [["A"], ["B"], ["C"]]
    assert len(await load.many(consent.customer_id).load(1)) == 3


def test_conditions_that_say_the_same_share_a_loader() -> None:
    code = stored.CustomerConsent.consent_code
    assert meaning(code == "A") == meaning(code == "A")
    assert meaning(code.in_(["A", "B"])) == meaning(code.in_(["A", "B"]))
    different = [code == "A", code == "B", code != "A", code.in_(["A"]), code.in_(["B"]), code.is_(None)]
    assert len({meaning(condition) for condition in different}) == len(different)


async def test_one_answers_only_what_the_viewer_may_see(database: Database) -> None:
    for viewer, seen in ((OURS, [1, 4, None, None]), (THEIRS, [None, None, 5, 8]), (EVERYBODY, [1, 4, 5, 8])):
        load = Loaders(database, viewer)
        found = await load.one(stored.Customer.id).load_many([1, 4, 5, 8])
        assert [record and record.id for record in found] == seen
        notes = await load.one(stored.Note.id).load_many([1, 7])
        assert [note and note.id for note in notes] == [seen[0] and 1, seen[2] and 7]
        numbers = await load.one(stored.Customer.customer_number).load_many([1, 4, 5, 8])
        assert [record and record.id for record in numbers] == seen


async def test_one_answers_only_the_preferences_of_the_viewers_organisation(database: Database) -> None:
    found = await Loaders(database, OURS).one(stored.Preference.id).load_many([1, 2])
    assert [record and record.id for record in found] == [None, 2]


async def test_many_that_lead_elsewhere_answer_only_what_the_viewer_may_see(database: Database) -> None:
    """A ticket's bearer may be a customer of another organisation than its owner."""
    for column, key in (
        (stored.PersonnelTicketBearer.bearer_customer_id, 1),
        (stored.CustomerPreference.preference_id, 1),
    ):
        assert not owned_through(column)
        for viewer, seen in ((OURS, [1, 2, 3, 4]), (THEIRS, [5, 6, 7, 8]), (EVERYBODY, list(range(1, 9)))):
            load = Loaders(database, viewer)
            assert [row.customer_id for row in await load.many(column).load(key)] == seen
            assert await load.count(column).load(key) == len(seen)


async def test_count_counts_only_what_the_viewer_may_see(database: Database) -> None:
    assert await Loaders(database, OURS).count(stored.Note.customer_id).load_many([1, 5]) == [2, 0]
    assert await Loaders(database, THEIRS).count(stored.Note.customer_id).load_many([1, 5]) == [0, 2]
    assert await Loaders(database, EVERYBODY).count(stored.Note.customer_id).load_many([1, 5]) == [2, 2]


async def test_an_owned_list_ends_at_the_cap(database: Database) -> None:
    notes = table(stored.Note.__table__)
    async with database.engine.begin() as connection:
        lines = [values(notes, n) | {"customer_id": 4} for n in range(100, 100 + LIST_CAP + 5)]
        await connection.execute(notes.insert(), lines)
    found = await Loaders(database, OURS).many(stored.Note.customer_id).load_many([1, 4])
    assert [len(each) for each in found] == [2, LIST_CAP]
    assert [note.id for note in found[1]] == list(range(100, 100 + LIST_CAP))
    assert await Loaders(database, OURS).count(stored.Note.customer_id).load(4) == LIST_CAP + 5


async def test_a_batch_that_fails_fails_all_its_keys_and_only_them(database: Database) -> None:
    async def batch(keys: list[Any]) -> dict[Any, int]:
        raise LookupError(keys)

    load = Loaders(database, OURS)
    with pytest.raises(LookupError):
        await load.batched("fails", batch, int).load_many([1, 2])
    assert await load.one(stored.Customer.id).load(1) is not None


async def test_whoever_is_cancelled_takes_a_value_from_nobody_else(database: Database) -> None:
    loader = Loaders(database, OURS).one(stored.Customer.id)

    async def wait() -> Any:
        return await loader.load(1)

    cancelled, other = asyncio.create_task(wait()), asyncio.create_task(wait())
    await asyncio.sleep(0)
    cancelled.cancel()
    assert (await other).id == 1
    assert cancelled.cancelled()
