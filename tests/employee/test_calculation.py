"""calculateTicketRights (rules E07, E22 and E30 to E35)."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from datastore.audit import AuditLogEntry
from datastore.database import Database
from datastore.employee import calculation as stored
from datastore.employee.codes import TicketType
from datastore.employee.personnel import Company, Employee
from datastore.employee.rights import ManualOrder, SimpleRule, TicketRight
from datastore.viewer import GRANTABLE, Viewer
from datastore.writing import Write
from resolvers.employee import calculation
from tests.customer.mutations import answered, document, done, everything, freeze, refused
from tests.employee.households import (
    COMPANY,
    DATES,
    KARI,
    OTHER_COMPANY,
    TICKETS,
    Raw,
    employee_holder,
    expected,
    households,
    member_holder,
    store,
    store_codes,
)
from tests.execute import FOREIGNER, INTERNAL, VIEWER, execute
from tests.factories.customer import MOMENT, inserted
from tests.statements import statements

CHANGE = "employeeId familyMemberId ticketTypeId validFrom validUntil"
EFFECT = f"effect {{ holdersGaining holdersLosing gains {{ {CHANGE} }} losses {{ {CHANGE} }} }}"
RIGHT = "validFrom validUntil ticketHolderId ticketType { code } ticketRightRule { id } ruleVersion"
CALCULATE = document(
    "calculateTicketRights",
    f"calculation {{ inserted kept changed ended {EFFECT} }} employeeId ticketRights {{ {RIGHT} }}",
)
ACTIVE = "type isEmployee hireEndDate"
COUNT = document("calculateTicketRights", "calculation { inserted kept changed ended }")
JANUARY, JULY, NEW_YEAR = date(2026, 1, 1), date(2026, 7, 1), date(2027, 1, 1)
BOUND = Viewer(1, permissions=GRANTABLE, company_id=OTHER_COMPANY)


@pytest.fixture(autouse=True)
def in_2026(monkeypatch: pytest.MonkeyPatch) -> None:
    """In Norway it is the first of July."""
    freeze(monkeypatch, datetime(2026, 6, 30, 22, 30, tzinfo=UTC))


async def stored_rights(database: Database) -> list[tuple[int, int, int | None, date, date]]:
    """Holder, ticket type, rule and days of all rights."""
    table: Any = TicketRight.__table__
    rows = await database.fetch(select(table).order_by(table.c.ticket_holder_id, table.c.ticket_type_id, table.c.id))
    return [(r.ticket_holder_id, r.ticket_type_id, r.rule_id, r.valid_from, r.valid_until) for r in rows]


async def changed(database: Database, row: Any, key: int, **values: Any) -> None:
    """Give one row other values."""
    async with database.write() as session:
        await session.execute(update(row.__table__).where(row.__table__.c.id == key).values(**values))


async def all_but_the_log(database: Database) -> dict[str, Any]:
    rows = await everything(database)
    return {name: each for name, each in rows.items() if name not in ("audit_log", "audit_chain")}


def wanted(raws: Sequence[Raw], at: date) -> list[tuple[int, int, int, date, date]]:
    """What the plain implementation gives from a day to the end of its year."""
    people = [(raw, None, employee_holder(raw)) for raw in raws]
    people += [(raw, member["id"], member_holder(member)) for raw in raws for member in raw["family"]]
    return sorted(
        (holder, ticket, rule, max(start, at), end)
        for raw, member, holder in people
        for ticket, rule, start, end in expected(raw["id"], member, at.year)
        if end > at
    )


@pytest.mark.rule("E30")
@pytest.mark.rule("E31")
@pytest.mark.rule("E33")
async def test_a_companys_rights_are_those_of_the_plain_implementation(database: Database) -> None:
    await store_codes(database)
    await store(database, *households())
    table: Any = TicketRight.__table__
    for at in DATES:
        async with database.write() as session:
            await session.execute(delete(table))
        result = await done(database, COUNT, {"companyId": COMPANY, "at": str(at)})
        found = await stored_rights(database)
        assert sorted(found) == wanted(households(), at)
        assert result == {"inserted": len(found), "kept": 0, "changed": 0, "ended": 0}
        before = await all_but_the_log(database)
        again = await done(database, COUNT, {"companyId": COMPANY, "at": str(at)})
        assert again == {"inserted": 0, "kept": len(found), "changed": 0, "ended": 0}
        assert await all_but_the_log(database) == before
    for row in await database.fetch(select(table)):
        if row.family_member_id is not None:
            assert row.family_member_id in {member["id"] for member in households()[row.employee_id - 1]["family"]}
        assert (row.manual_order_id, row.version) == (None, 1)


async def test_chunks_of_employees_make_no_difference(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    await store_codes(database)
    few = households()[:30]
    await store(database, *few)
    monkeypatch.setattr(calculation, "CHUNK", 7)
    await done(database, COUNT, {"companyId": COMPANY})
    assert sorted(await stored_rights(database)) == wanted(few, JULY)


async def test_a_calculation_takes_as_many_statements_for_many_employees_as_for_few(database: Database) -> None:
    await store_codes(database)
    await store(database, *households()[:3])
    await done(database, COUNT, {"companyId": COMPANY, "at": str(JANUARY)})
    with statements(database) as few:
        await done(database, COUNT, {"companyId": COMPANY})
    await store(database, *households()[3:])
    with statements(database) as many:
        await done(database, COUNT, {"companyId": COMPANY})
    assert len(many) <= len(few) + 1  # the insert, which the few did not need
    assert len(many) < 20


@pytest.mark.rule("E32")
@pytest.mark.rule("E33")
async def test_an_employee_gets_rights_with_the_family(database: Database) -> None:
    await store_codes(database)
    await store(database, KARI, {**KARI, "id": 2, "family": []})
    payload, errors = await answered(database, CALCULATE, {"employeeId": 1})
    assert errors == []
    right = {"validFrom": "2026-07-01", "validUntil": "2027-01-01", "ruleVersion": 1}
    kari, ola = employee_holder(KARI), member_holder(KARI["family"][0])
    own = [(kari, "PRIVAT", "1"), (kari, "TJENESTE", "6"), (ola, "PRIVAT", "4")]
    assert sorted(payload.pop("ticketRights"), key=str) == sorted(
        (
            {**right, "ticketHolderId": holder, "ticketType": {"code": code}, "ticketRightRule": {"id": rule}}
            for holder, code, rule in own
        ),
        key=str,
    )
    days = {"validFrom": "2026-07-01", "validUntil": "2027-01-01", "employeeId": 1}
    gains = [
        {**days, "familyMemberId": member, "ticketTypeId": ticket}
        for member, ticket in ((None, "1"), (None, "2"), (1, "1"))
    ]
    effect = {"holdersGaining": 2, "holdersLosing": 0, "gains": gains, "losses": []}
    counts = {"inserted": 3, "kept": 0, "changed": 0, "ended": 0}
    assert payload == {"calculation": {**counts, "effect": effect}, "employeeId": 1}
    assert {holder for holder, *_ in await stored_rights(database)} == {kari, ola}


@pytest.mark.rule("E22")
@pytest.mark.rule("E31")
@pytest.mark.rule("E34")
async def test_rights_of_whoever_leaves_end_and_are_sent_again_if_they_had_been_sent(database: Database) -> None:
    await store_codes(database)
    await store(database, KARI)
    for at in (JANUARY, NEW_YEAR):
        await done(database, COUNT, {"employeeId": 1, "at": str(at)})
    table: Any = TicketRight.__table__
    first = (await database.fetch(select(table).order_by(table.c.id)))[0]
    await changed(database, TicketRight, first.id, ticket_sync_timestamp=MOMENT)
    await changed(database, Employee, 1, hire_end_date=date(2026, 6, 30))
    result = await done(database, COUNT, {"employeeId": 1})
    assert result == {"inserted": 0, "kept": 0, "changed": 0, "ended": 4}  # no fee for 2027, so TJENESTE alone
    rows = await database.fetch(select(table).order_by(table.c.id))
    assert [(row.valid_from, row.valid_until, row.version) for row in rows] == [(JANUARY, JULY, 2)] * 3
    syncs = [(row.ticket_is_ready_to_sync, row.ticket_sync_timestamp, row.customer_is_ready_to_sync) for row in rows]
    assert syncs == [(True, None, False), (False, None, False), (False, None, False)]


@pytest.mark.rule("E22")
@pytest.mark.rule("E34")
async def test_rights_that_others_know_of_are_withdrawn_before_they_begin_and_given_anew(database: Database) -> None:
    await store_codes(database)
    await store(database, KARI)
    await done(database, COUNT, {"employeeId": 1})
    table: Any = TicketRight.__table__
    first, *others = await database.fetch(select(table).order_by(table.c.id))
    await changed(database, TicketRight, first.id, ticket_sync_timestamp=MOMENT)
    await changed(database, Employee, 1, hire_end_date=date(2026, 6, 30))
    ended = await done(database, COUNT, {"employeeId": 1, "at": "2026-07-01"})
    assert (ended["inserted"], ended["ended"]) == (0, 1 + len(others))
    (left,) = await database.fetch(select(table))
    assert (left.id, left.valid_from, left.valid_until, left.version) == (first.id, JULY, JULY, 2)
    assert (left.ticket_is_ready_to_sync, left.ticket_sync_timestamp) == (True, None)
    nothing = {"inserted": 0, "kept": 0, "changed": 0, "ended": 0}
    assert await done(database, COUNT, {"employeeId": 1, "at": "2026-07-01"}) == nothing
    await changed(database, Employee, 1, hire_end_date=None)
    assert await done(database, COUNT, {"employeeId": 1}) == {**nothing, "inserted": 1 + len(others)}
    assert [
        (row.valid_from, row.valid_until) for row in await database.fetch(select(table).where(table.c.id == left.id))
    ] == [(JULY, JULY)]


async def test_an_end_moved_by_a_new_fact_keeps_the_right(database: Database) -> None:
    await store_codes(database)
    await store(database, KARI)
    await done(database, COUNT, {"employeeId": 1})
    before = {row.id for row in await database.fetch(select(TicketRight.__table__))}
    for left, end in ((date(2026, 8, 31), date(2026, 9, 1)), (None, NEW_YEAR)):
        await changed(database, Employee, 1, hire_end_date=left)
        assert await done(database, COUNT, {"employeeId": 1}) == {"inserted": 0, "kept": 0, "changed": 3, "ended": 0}
        assert {row[4] for row in await stored_rights(database)} == {end}
    assert {row.id for row in await database.fetch(select(TicketRight.__table__))} == before


@pytest.mark.rule("E07")
async def test_a_dry_run_tells_who_would_lose_and_stores_nothing(database: Database) -> None:
    await store_codes(database)
    await store(database, KARI)
    await done(database, COUNT, {"companyId": COMPANY})
    await changed(database, Employee, 1, abstain_from_ticket=True)
    before = await all_but_the_log(database)
    payload, errors = await answered(database, CALCULATE, {"companyId": COMPANY, "dryRun": True})
    assert errors == []
    assert await all_but_the_log(database) == before
    effect = payload["calculation"].pop("effect")
    assert payload["calculation"] == {"inserted": 0, "kept": 0, "changed": 0, "ended": 3}
    assert (effect["holdersGaining"], effect["holdersLosing"], effect["gains"]) == (0, 2, [])
    days = {"employeeId": 1, "familyMemberId": None, "validFrom": "2026-07-01", "validUntil": "2027-01-01"}
    *own, of_the_family = effect["losses"]
    assert own == [{**days, "ticketTypeId": "1"}, {**days, "ticketTypeId": "2"}]
    assert of_the_family["familyMemberId"] is not None


async def test_a_dry_run_shows_a_hundred_holders_and_counts_all(database: Database) -> None:
    await store_codes(database)
    await store(database, *({**KARI, "id": n, "family": []} for n in range(1, 121)))
    payload, _ = await answered(database, CALCULATE, {"companyId": COMPANY, "dryRun": True})
    effect = payload["calculation"]["effect"]
    assert (effect["holdersGaining"], len({each["employeeId"] for each in effect["gains"]})) == (120, 100)


async def test_rights_ordered_by_hand_are_not_touched(database: Database) -> None:
    await store_codes(database)
    await store(database, KARI)
    days = {"from_date": date(2026, 8, 1), "to_date": date(2026, 8, 31), "issue_date": JULY}
    changes = {"created_at": MOMENT, "changed_at": MOMENT}
    await inserted(database, ManualOrder, {"id": 5, "employee_id": 1, "ticket_type_id": 1, **days, **changes})
    holder = employee_holder(KARI)
    of_order = {"ticket_holder_id": holder, "ticket_type_id": 1, "manual_order_id": 5, "calculation_timestamp": MOMENT}
    by_hand = {"employee_id": 1, "valid_from": date(2026, 8, 1), "valid_until": date(2026, 9, 1), **of_order}
    (before,) = await inserted(database, TicketRight, by_hand)
    for is_deleted in (False, True):
        await changed(database, Employee, 1, is_deleted=is_deleted)
        await done(database, COUNT, {"employeeId": 1})
        table: Any = TicketRight.__table__
        assert [tuple(row) for row in await database.fetch(select(table).where(table.c.id == before.id))] == [
            tuple(before)  # type: ignore[arg-type]
        ]
        found = [each[2:] for each in await stored_rights(database) if each[:2] == (holder, 1)]
        parts = [(1, JULY, date(2026, 8, 1)), (1, date(2026, 9, 1), NEW_YEAR)]
        assert sorted(found, key=lambda each: each[1]) == [
            *([] if is_deleted else parts[:1]),
            (None, date(2026, 8, 1), date(2026, 9, 1)),
            *([] if is_deleted else parts[1:]),
        ]


async def test_rules_out_of_use_and_deleted_ticket_types_give_nothing(database: Database) -> None:
    await store_codes(database)
    await store(database, KARI)
    await done(database, COUNT, {"employeeId": 1, "at": str(JANUARY)})
    await changed(database, SimpleRule, 6, is_active=False)
    assert await done(database, COUNT, {"employeeId": 1}) == {"inserted": 0, "kept": 2, "changed": 0, "ended": 1}
    await changed(database, TicketType, 1, is_deleted=True)
    assert await done(database, COUNT, {"employeeId": 1}) == {"inserted": 0, "kept": 0, "changed": 0, "ended": 2}
    assert [each[3:] for each in await stored_rights(database)] == [(JANUARY, JULY)] * 3


async def done_at_last(database: Database, act: dict[str, Any]) -> Any:
    """What the calculation came to, once no other one of the company is in its way."""
    while True:
        payload, errors = await answered(database, COUNT, act)
        if not errors:
            return next(iter(payload.values()))
        assert [code for code, *_ in errors] == ["CALCULATION_RUNNING"]


async def test_a_company_is_calculated_by_one_at_a_time_and_the_others_do_not_wait(database: Database) -> None:
    await store_codes(database)
    await store(database, KARI)
    if database.dialect == "sqlite":
        pytest.skip("SQLite has one writer at a time anyway")
    async with database.write() as session:
        await Write(session, VIEWER, MOMENT, "", "").lock(stored.LOCK, COMPANY)
        errors = await refused(database, COUNT, {"companyId": COMPANY})
        assert errors == [("CALCULATION_RUNNING", "companyId", [str(COMPANY)])]
        dry = await done(database, COUNT, {"companyId": COMPANY, "dryRun": True})
    assert await done(database, COUNT, {"companyId": COMPANY}) == dry


async def test_calculations_at_the_same_time_give_each_right_once(database: Database) -> None:
    await store_codes(database)
    few = households()[:40]
    await store(database, *few)
    acts = [{"companyId": COMPANY}, *({"employeeId": raw["id"]} for raw in few[:6]), {"companyId": COMPANY}]
    results = await asyncio.gather(*(done_at_last(database, act) for act in acts))
    found = await stored_rights(database)
    assert sorted(found) == wanted(few, JULY)
    assert sum(each["inserted"] for each in results) == len(found)


@pytest.mark.rule("E31")
async def test_calculations_from_different_days_at_the_same_time_leave_no_overlap(database: Database) -> None:
    """No constraint would stop them: the rights of each begin on another day."""
    await store_codes(database)
    await store(database, *({**KARI, "id": n, "family": []} for n in range(1, 31)))
    acts = [{"companyId": COMPANY, "at": str(at)} for at in (JANUARY, JULY, date(2026, 3, 1), date(2026, 12, 31))]
    # Opening connections takes longer than calculating: without these they would come one after another.
    await asyncio.gather(*(done(database, COUNT, {**act, "dryRun": True}) for act in acts))
    await asyncio.gather(*(done_at_last(database, act) for act in acts))
    found = await stored_rights(database)
    assert {each[3:] for each in found} == {(JANUARY, NEW_YEAR)}
    assert len(found) == len({each[:2] for each in found}) == 60


@pytest.mark.rule("E31")
async def test_an_employee_who_moves_while_the_company_is_calculated_has_no_day_twice(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store_codes(database)
    await store(database, {**KARI, "family": []})
    await changed(database, Company, OTHER_COMPANY, organisation_id=1)
    rights_from = stored.rights_from
    patched = {"id": "1", "companyId": OTHER_COMPANY, "isDeleted": False, "employeeNo": "1"}
    patched |= {"employmentTypeId": "FAST", "employmentPercentage": 100}
    meanwhile: list[asyncio.Task[Any]] = []

    async def move() -> None:
        await done(database, document("patchImportedEmployee", "importedEmployee { id }"), patched)
        await done(database, COUNT, {"companyId": OTHER_COMPANY, "at": "2026-08-01"})

    async def slow(*given: Any) -> Any:
        found = await rights_from(*given)
        if not meanwhile:
            meanwhile.append(asyncio.create_task(move()))
            await asyncio.wait(meanwhile, timeout=0.5)
        return found

    monkeypatch.setattr(stored, "rights_from", slow)
    await done(database, COUNT, {"companyId": COMPANY})
    await asyncio.gather(*meanwhile)
    assert [each[3:] for each in await stored_rights(database)] == [(JULY, NEW_YEAR)] * 2


async def test_one_entry_in_the_log_tells_how_many(database: Database) -> None:
    await store_codes(database)
    await store(database, KARI)
    await done(database, COUNT, {"companyId": COMPANY})
    (entry,) = await database.fetch(select(AuditLogEntry.__table__))
    assert (entry.operation, entry.customer_id, entry.details["changes"]) == ("calculateTicketRights", None, [])
    counts = {"inserted": 3, "kept": 0, "changed": 0, "ended": 0}
    whose = {"employee_id": None, "company_id": COMPANY, "at": "2026-07-01"}
    assert entry.details["calculation"] == {**whose, **counts}


async def test_a_repeat_with_the_same_key_answers_the_first_result(database: Database) -> None:
    await store_codes(database)
    await store(database, KARI)
    shown = "calculation { inserted kept } ticketRights { validFrom }"
    text = document("calculateTicketRights", shown, '@idempotent(key: "k")')
    first = await answered(database, text, {"employeeId": 1})
    assert first[0]["calculation"] == {"inserted": 3, "kept": 0}
    assert await answered(database, text, {"employeeId": 1}) == first


@pytest.mark.rule("T04")
@pytest.mark.rule("E23")
async def test_only_ones_own_companies_and_employees_are_calculated(database: Database) -> None:
    await store_codes(database)
    await store(database, KARI)
    for name, key, code in (("employeeId", 1, "EMPLOYEE_NOT_FOUND"), ("companyId", COMPANY, "COMPANY_NOT_FOUND")):
        for viewer, wrong in ((FOREIGNER, key), (BOUND, key), (VIEWER, 999), (INTERNAL, -1), (VIEWER, 2**62)):
            assert await refused(database, COUNT, {name: wrong}, viewer) == [(code, name, [str(wrong)])]
            given = {name: wrong, "expectedVersion": 99, "dryRun": True}
            assert await refused(database, COUNT, given, viewer) == [(code, name, [str(wrong)])]
    assert (await done(database, COUNT, {"employeeId": 1}, INTERNAL))["inserted"] == 3


async def test_what_cannot_be_calculated_is_refused(database: Database) -> None:
    await store_codes(database)
    await store(database, KARI)
    for given in ({}, {"employeeId": 1, "companyId": COMPANY}):
        assert await refused(database, COUNT, given) == [("EXACTLY_ONE_NEEDED", "employeeId", [])]
    for year in ("2025-12-31", "2028-01-01", "9999-12-31"):
        error = ("YEAR_NOT_ALLOWED", "at", [year])
        assert await refused(database, COUNT, {"companyId": COMPANY, "at": year}) == [error]
    for given in ({"employeeId": 1}, {"companyId": COMPANY}):
        error = ("VERSION_CONFLICT", "expectedVersion", ["2"])
        assert await refused(database, COUNT, {**given, "expectedVersion": 2}) == [error]
        await done(database, COUNT, {**given, "expectedVersion": 1})
    await changed(database, Company, COMPANY, is_deleted=True)
    assert await refused(database, COUNT, {"employeeId": 1}) == [("COMPANY_DELETED", "employeeId", ["1"])]
    assert await refused(database, COUNT, {"companyId": COMPANY}) == [("COMPANY_DELETED", "companyId", [str(COMPANY)])]


@pytest.mark.rule("E35")
@pytest.mark.rule("E37")
async def test_new_rights_are_unsent_and_their_holders_are_active(database: Database) -> None:
    await store_codes(database)
    pensioner = {**KARI, "id": 2, "employment_type": "PENSJONIST", "left": date(2020, 1, 1), "family": []}
    await store(database, KARI, pensioner)
    await done(database, COUNT, {"companyId": COMPANY})
    text = f'{{ activeTicketRightsHolders(companyId: {COMPANY}, at: "2026-07-01") {{ nodes {{ {ACTIVE} }} }} }}'
    found = (await execute(database, text))["activeTicketRightsHolders"]["nodes"]
    assert sorted((each["type"], each["isEmployee"], each["hireEndDate"]) for each in found) == [
        ("ANSATT", True, None),
        ("FAMILIE", False, None),
        ("PENSJONIST", True, "2020-01-01"),
    ]
    text = "{ ticketRights { nodes { canSendTicket ticketCreated errorMessage ticketSyncStatus { state } } } }"
    unsent = {"canSendTicket": False, "ticketCreated": False, "errorMessage": None}
    nodes = (await execute(database, text))["ticketRights"]["nodes"]
    assert nodes == [{**unsent, "ticketSyncStatus": {"state": "NOT_READY"}}] * 4
    assert len(TICKETS) == 4
