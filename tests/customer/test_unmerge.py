"""unmergeCustomers: a merge is undone (rules C40, C93)."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from datastore import customer as rows
from datastore.audit import AuditLogEntry
from datastore.customer import Customer, CustomerStatus, ProfileType
from datastore.customer_merge import CustomerMerge
from datastore.database import Database
from datastore.viewer import Viewer
from tests.customer.merging import (
    MERGE,
    UNMERGE,
    UNMERGE_RESULT,
    a_ticket_profile,
    answer_of,
    compared,
    numbers,
    owners,
    with_everything,
)
from tests.customer.mutations import (
    HOSTILE,
    NOW,
    UPDATE,
    Error,
    answered,
    document,
    done,
    events,
    everything,
    freeze,
    new_values,
    refused,
    stored,
)
from tests.execute import FOREIGNER, INTERNAL, VIEWER
from tests.factories.customer import (
    a_choice,
    a_consent,
    a_customer,
    a_merged_customer,
    a_note,
    a_personnel_ticket,
    a_preference,
    account_of,
    an_account,
    an_ecard,
    choice_of,
    consent_of,
    inserted,
)

WINDOW = timedelta(days=30)
MILLISECOND = timedelta(milliseconds=1)


async def merged(database: Database, into: Customer, of: Customer) -> None:
    await done(database, MERGE, numbers(into, of))


async def unmerged(database: Database, of: Customer, **values: Any) -> Any:
    return await done(database, UNMERGE, {"customerNumber": of.customer_number, **values})


async def not_unmerged(database: Database, of: Customer, viewer: Viewer = VIEWER) -> list[Error]:
    return await refused(database, UNMERGE, {"customerNumber": of.customer_number}, viewer)


def error(code: str, of: Customer) -> list[Error]:
    return [(code, "customerNumber", [str(of.customer_number)])]


async def changed_by_others(database: Database, row: Any, key: int, **values: Any) -> None:
    """Change a stored row past the gateway."""
    async with database.write() as session:
        await session.execute(update(row.__table__).where(row.__table__.c.id == key).values(**values))


# What nobody has changed


@pytest.mark.rule("C93")
@pytest.mark.rule("V01")
async def test_both_people_are_what_they_were(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    seat, meal = [await a_preference(database, preference_code=code) for code in ("SEAT", "MEAL")]
    kari, other = await a_customer(database), await a_customer(database)
    ticket = await a_ticket_profile(database, email="kari@example.no", version=7, changed_by="per")
    connected = await a_customer(database, profile_type=ProfileType.TEMPORARY, parent_id=ticket.id, version=3)
    await a_merged_customer(database, ticket)
    await with_everything(database, kari, [seat], cards=["0700000001"], consents=["SMS"], accounts=["A1", "A2"])
    await with_everything(
        database, ticket, [seat, meal], cards=["0700000002"], consents=["SMS", "NEWS"], accounts=["B1", "A2"]
    )
    await a_personnel_ticket(database, other, bearer_customer_id=ticket.id)
    before = await compared(database)
    for _ in range(2):  # a merge that was undone can be made again
        await merged(database, kari, ticket)
        assert await compared(database) != before
        freeze(monkeypatch)
        payload, errors = await answered(database, UNMERGE, {"customerNumber": ticket.customer_number})
        monkeypatch.undo()
        assert errors == []
        assert payload["customer"]["customerNumber"] == ticket.customer_number
        assert (payload["customer"]["email"], payload["customer"]["status"]) == ("kari@example.no", "ACTIVE")
        assert payload["survivingCustomer"]["customerNumber"] == kari.customer_number
        assert await compared(database) == before
    posted = [(kind, number) for kind, number, *_ in (await events(database))[-4:]]
    # The one who was connected has another parent, and the one whose ticket the profile bears another bearer.
    assert posted == [("UPDATE", each.customer_number) for each in (kari, ticket, other, connected)]
    merges = await database.fetch(select(CustomerMerge.__table__).order_by(CustomerMerge.id))
    assert [each.undone_at for each in merges] == [NOW, NOW]


# What was changed since


async def test_what_was_changed_since_keeps_its_new_values_and_gets_another_version(database: Database) -> None:
    kari, ticket = await a_customer(database), await a_ticket_profile(database)
    named, gone = await an_ecard(database, ticket), await an_ecard(database, ticket, "0700000002")
    still = await an_ecard(database, ticket, "0700000003", version=5)
    await merged(database, kari, ticket)
    await changed_by_others(database, rows.Ecard, named.id, ecard_name="Blue", version=3)
    async with database.write() as session:
        await session.execute(delete(rows.Ecard).where(rows.Ecard.id == gone.id))
    await an_ecard(database, kari, "0700000004")
    await done(database, UPDATE, new_values(kari, landlineNumber="22222222"))
    await unmerged(database, ticket)
    cards = (await everything(database))["ecard"]
    names = [column.name for column in rows.Ecard.__table__.columns]
    shown = [dict(zip(names, card, strict=True)) for card in cards]
    assert [(card["id"], card["customer_id"], card["ecard_name"], card["version"]) for card in shown] == [
        (named.id, ticket.id, "Blue", 4),
        (still.id, ticket.id, None, 5),
        (gone.id + 2, kari.id, None, 1),
    ]
    row = await stored(database, kari.customer_number)
    assert (row.landline_number, row.version) == ("22222222", 2)


async def test_what_came_since_stays_even_with_the_key_of_what_is_gone(database: Database) -> None:
    """SQLite gives the key of the last row again once that is deleted."""
    seat = await a_preference(database)
    kari, ticket = await a_customer(database), await a_ticket_profile(database)
    note = await a_note(database, ticket)
    await a_choice(database, ticket, seat)
    await merged(database, kari, ticket)
    number = {"customerNumber": kari.customer_number}
    await done(database, document("deleteNote", "deletedNoteId"), {**number, "noteId": str(note.id)})
    await done(database, document("createNote", "note { id }"), {**number, "text": "New.", "createdBy": "ola"})
    replace, chosen = document("replaceCustomerPreferences", "customer { version }"), {"preferenceId": str(seat.id)}
    await done(database, replace, {**number, "preferences": [chosen]})
    await unmerged(database, ticket)
    assert await owners(database, rows.Note) == [kari.id]
    assert await owners(database, rows.CustomerPreference) == [kari.id]


async def test_what_has_gone_on_to_somebody_else_stays_there(database: Database) -> None:
    kari, ticket, other = await a_customer(database), await a_ticket_profile(database), await a_customer(database)
    card = await an_ecard(database, ticket)
    bearer = await a_personnel_ticket(database, ticket)
    child = await a_customer(database, parent_id=ticket.id)
    await merged(database, kari, ticket)
    await changed_by_others(database, rows.Ecard, card.id, customer_id=other.id, version=3)
    await changed_by_others(database, rows.PersonnelTicketBearer, bearer.id, bearer_customer_id=other.id)
    await changed_by_others(database, Customer, child.id, parent_id=other.id)
    await unmerged(database, ticket)
    assert (await owners(database, rows.Ecard), await owners(database, rows.Ecard, "version")) == ([other.id], [3])
    assert await owners(database, rows.PersonnelTicketBearer) == [ticket.id]
    assert await owners(database, rows.PersonnelTicketBearer, "bearer_customer_id") == [other.id]
    assert (await stored(database, child.customer_number)).parent_id == other.id


async def test_answers_stay_with_their_consent_even_if_they_came_later(database: Database) -> None:
    kari, ticket = await a_customer(database), await a_ticket_profile(database)
    hers, theirs = await a_consent(database, kari, consent_code="SMS"), await a_consent(database, ticket)
    await inserted(database, rows.CustomerConsentAnswer, answer_of(ticket, theirs))
    await merged(database, kari, ticket)
    later = [answer_of(kari, theirs), answer_of(kari, hers)]
    await inserted(database, rows.CustomerConsentAnswer, *later)
    await unmerged(database, ticket)
    assert await owners(database, rows.CustomerConsentAnswer) == [ticket.id, ticket.id, kari.id]
    assert await owners(database, rows.CustomerConsent) == [kari.id, ticket.id]


async def test_a_profile_that_was_changed_since_gets_another_version_and_who_undid_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    kari, ticket = await a_customer(database), await a_ticket_profile(database, email="kari@example.no")
    await merged(database, kari, ticket)
    await changed_by_others(database, Customer, ticket.id, first_name="Ny", version=3)
    (merge,) = await database.fetch(select(CustomerMerge.__table__))
    freeze(monkeypatch, merge.merged_at)
    made = await unmerged(database, ticket, changedBy="ola", changedByChannel="crm")
    assert (made["version"], made["changedBy"], made["changedByChannel"]) == (4, "ola", "crm")
    row = await stored(database, ticket.customer_number)
    assert (row.first_name, row.email, row.email_key, row.email_old) == (
        "Ny",
        "kari@example.no",
        "kari@example.no",
        None,
    )
    assert (row.status, row.merged_into_id, row.changed_at) == (CustomerStatus.ACTIVE, None, merge.merged_at)


async def test_a_mark_that_a_row_has_lost_comes_back(database: Database) -> None:
    kari, ticket = await a_customer(database), await a_ticket_profile(database)
    await an_account(database, kari, is_default=True)
    account = await an_account(database, ticket, customer_account_id="B1", is_default=True)
    await merged(database, kari, ticket)
    await changed_by_others(database, rows.CustomerAccount, account.id, alias="Work", version=3)
    await unmerged(database, ticket)
    assert await owners(database, rows.CustomerAccount, "is_default") == [True, True]
    assert await owners(database, rows.CustomerAccount, "version") == [1, 4]


async def test_two_merges_into_one_profile_are_undone_in_any_order(database: Database) -> None:
    kari, one, two = await a_customer(database), await a_ticket_profile(database), await a_ticket_profile(database)
    await an_account(database, one, is_default=True)
    await an_account(database, two, is_default=True, customer_account_id="B1")
    before = await compared(database)
    for order in ((one, two), (two, one)):
        await merged(database, kari, one)
        await merged(database, kari, two)
        for each in order:
            await unmerged(database, each)
        assert await compared(database) == before


async def test_of_two_merges_that_were_not_undone_the_later_one_is(database: Database) -> None:
    """The first one was taken back past the gateway."""
    kari, ticket, other = await a_customer(database), await a_ticket_profile(database), await a_customer(database)
    await merged(database, kari, ticket)
    back = {"status": CustomerStatus.ACTIVE, "merged_into_id": None}
    await changed_by_others(database, Customer, ticket.id, **back)
    before = await compared(database)
    await merged(database, other, ticket)
    await unmerged(database, ticket)
    assert await compared(database) == before


# Refusals


async def test_a_merge_is_undone_within_the_time_for_it(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    kari, ticket = await a_customer(database), await a_ticket_profile(database)
    before = await compared(database)
    freeze(monkeypatch)
    await merged(database, kari, ticket)
    freeze(monkeypatch, NOW + WINDOW + MILLISECOND)
    assert await not_unmerged(database, ticket) == error("MERGE_TOO_OLD", ticket)
    freeze(monkeypatch, NOW + WINDOW)
    await unmerged(database, ticket)
    assert await compared(database) == before


async def test_what_is_not_merged_or_not_anymore_cannot_be_undone(database: Database) -> None:
    kari, ticket = await a_customer(database), await a_ticket_profile(database)
    imported = await a_merged_customer(database, kari)
    for each in (kari, ticket, imported):
        assert await not_unmerged(database, each) == error("MERGE_NOT_FOUND", each)
    await merged(database, kari, ticket)
    await unmerged(database, ticket)
    assert await not_unmerged(database, ticket) == error("MERGE_NOT_FOUND", ticket)


@pytest.mark.rule("T04")
async def test_foreign_merges_are_unknown(database: Database) -> None:
    kari, ticket = await a_customer(database), await a_ticket_profile(database)
    await merged(database, kari, ticket)
    assert await not_unmerged(database, ticket, FOREIGNER) == error("CUSTOMER_NOT_FOUND", ticket)
    unknown = ("CUSTOMER_NOT_FOUND", "customerNumber", ["9999999999"])
    assert await refused(database, UNMERGE, {"customerNumber": 9_999_999_999}) == [unknown]
    await done(database, UNMERGE, {"customerNumber": ticket.customer_number}, INTERNAL)


@pytest.mark.rule("C05")
async def test_an_email_that_is_taken_by_now_stands_in_the_way(database: Database) -> None:
    kari, ticket = await a_customer(database), await a_ticket_profile(database, email="kari@example.no")
    await an_ecard(database, ticket)
    await merged(database, kari, ticket)
    await done(database, UPDATE, new_values(kari, email="KARI@example.no"))
    assert await not_unmerged(database, ticket) == [("EMAIL_TAKEN", "", [])]
    await done(database, UPDATE, new_values(kari, email=None))
    assert (await unmerged(database, ticket))["email"] == "kari@example.no"


async def test_a_survivor_that_was_merged_since_stands_in_the_way(database: Database) -> None:
    kari, ticket, other = await a_customer(database), await a_ticket_profile(database), await a_customer(database)
    await merged(database, kari, ticket)
    await changed_by_others(database, Customer, kari.id, merged_into_id=other.id, status=CustomerStatus.PASSIVE)
    assert await not_unmerged(database, ticket) == error("MERGE_NOT_LAST", ticket)


@pytest.mark.parametrize(
    "values",
    [
        {"status": CustomerStatus.DELETED},
        {"status": CustomerStatus.ACTIVE},
        {"email_old": None},
        {"email": "new@example.no"},
        {"merged_into_id": None},
    ],
    ids=str,
)
async def test_a_profile_that_is_not_as_the_merge_left_it_stands_in_the_way(
    database: Database, values: Mapping[str, Any]
) -> None:
    kari, ticket = await a_customer(database), await a_ticket_profile(database, email="kari@example.no")
    await merged(database, kari, ticket)
    await changed_by_others(database, Customer, ticket.id, **values)
    assert await not_unmerged(database, ticket) == error("CUSTOMER_CHANGED_SINCE", ticket)


async def test_a_row_that_has_another_in_its_place_stands_in_the_way(database: Database) -> None:
    preference = await a_preference(database)
    for row in (rows.CustomerConsent, rows.CustomerPreference, rows.CustomerAccount):
        kari, ticket = await a_customer(database), await a_ticket_profile(database)
        own: Any = {
            rows.CustomerConsent: lambda: consent_of(ticket),  # noqa: B023
            rows.CustomerPreference: lambda: choice_of(ticket, preference),  # noqa: B023
            rows.CustomerAccount: lambda: account_of(ticket, is_default=True),  # noqa: B023
        }[row]
        await inserted(database, row, own())
        await merged(database, kari, ticket)
        same = own()
        await inserted(database, row, {**same, "customer_account_id": "B1"} if "is_default" in same else same)
        assert await not_unmerged(database, ticket) == error("CUSTOMER_CHANGED_SINCE", ticket)


@pytest.mark.rule("A10")
async def test_who_undoes_it_is_a_text_of_bounded_length(database: Database) -> None:
    kari, ticket = await a_customer(database), await a_ticket_profile(database)
    await merged(database, kari, ticket)
    number = {"customerNumber": ticket.customer_number}
    for field in ("changedBy", "changedByChannel"):
        for value, code in [*HOSTILE, ("x" * 101, "TEXT_TOO_LONG"), (" ", "REQUIRED")]:
            assert await refused(database, UNMERGE, {**number, field: value}) == [(code, field, [])]


async def test_a_repeat_with_the_same_key_answers_the_first_result(database: Database) -> None:
    keyed = document("unmergeCustomers", UNMERGE_RESULT, ' @idempotent(key: "key-1")')
    kari, ticket = await a_customer(database), await a_ticket_profile(database)
    await merged(database, kari, ticket)
    number = {"customerNumber": ticket.customer_number}
    first = await answered(database, keyed, number)
    before = await everything(database)
    assert await answered(database, keyed, number) == first
    assert await everything(database) == before


async def test_the_audit_log_tells_of_both_people_what_moved_and_that_it_moved_back(database: Database) -> None:
    kari, ticket = await a_customer(database), await a_ticket_profile(database)
    card = await an_ecard(database, ticket)
    await merged(database, kari, ticket)
    await unmerged(database, ticket)
    entries = await database.fetch(select(AuditLogEntry.__table__).order_by(AuditLogEntry.id))
    told: dict[tuple[str, int], Any] = {}
    for entry in entries:
        cards = [each for each in entry.details["changes"] if each["object"] == "Ecard"]
        told[entry.operation, entry.customer_id] = cards
    there, back = (
        {"name": "customer_id", "before": str(one.id), "after": str(two.id)}
        for one, two in ((ticket, kari), (kari, ticket))
    )
    change = {"object": "Ecard", "id": str(card.id), "action": "UPDATE"}
    for customer in (kari, ticket):
        assert told["mergeCustomers", customer.id] == [{**change, "fields": [there]}]
        assert told["unmergeCustomers", customer.id] == [{**change, "fields": [back]}]
