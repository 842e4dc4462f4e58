"""eraseCustomer: who can be erased, by whom, and what is told of it (rules C50 and C58)."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import select, text, update

from datastore import audit, erasure
from datastore import customer as rows
from datastore.audit import AuditLogEntry
from datastore.audit_check import UNTOLD_ERASURE, verify
from datastore.database import Database
from datastore.erasure import RULES, ErasureAction
from datastore.viewer import Viewer
from tests.customer.mutations import (
    CREATE,
    HOSTILE,
    KARI,
    NOW,
    UPDATE,
    answered,
    document,
    done,
    events,
    everything,
    freeze,
    new_values,
    refused,
)
from tests.execute import FOREIGNER, INTERNAL, VIEWER, execute
from tests.factories.customer import (
    a_customer,
    a_deleted_customer,
    a_merged_customer,
    a_note,
    a_personnel_ticket,
    a_traveller_info,
    an_address,
    an_ecard,
)
from tests.statements import statements

ENTRIES = "entries { object action rows legalGround }"
ERASE = document("eraseCustomer", f"receipt {{ customerNumber erasedAt {ENTRIES} }}")
ERASE_KEYED = document("eraseCustomer", f"receipt {{ customerNumber erasedAt {ENTRIES} }}", ' @idempotent(key: "e1")')


async def erased(database: Database, customer: rows.Customer, viewer: Viewer = VIEWER) -> Any:
    return await done(database, ERASE, {"customerNumber": customer.customer_number}, viewer)


async def problems(database: Database) -> set[str]:
    """What `audit verify` finds."""
    return {each.problem async for each in verify(database)}


# The receipt


async def test_the_receipt_tells_in_numbers_what_was_done(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    freeze(monkeypatch)
    kari = await a_customer(database)
    merged = await a_merged_customer(database, kari)
    for each in (kari, merged, merged):
        await an_address(database, each)
    await a_note(database, kari)
    await done(database, UPDATE, new_values(kari))
    receipt = await erased(database, kari)
    assert (receipt["customerNumber"], receipt["erasedAt"]) == (kari.customer_number, "2026-06-30T22:30:00.123Z")
    assert [each["object"] for each in receipt["entries"]] == [rule.row.__name__ for rule in RULES]
    met = {each["object"]: (each["action"], each["rows"], each["legalGround"]) for each in receipt["entries"]}
    assert {name: each for name, each in met.items() if each[1]} == {
        "PostalAddress": ("DELETED", 3, "GDPR art. 17(1)"),
        "Note": ("DELETED", 1, "GDPR art. 17(1)"),
        "Customer": ("DELETED", 2, "GDPR art. 17(1)"),
        "AuditLogEntry": ("PSEUDONYMISED", 1, "GDPR art. 5(2)"),
    }
    assert [event[:4] for event in await events(database)][1:] == [
        ("UPDATE", kari.customer_number, 1, NOW),
        ("UPDATE", merged.customer_number, 1, NOW),
    ]


async def test_a_repeat_under_the_same_key_answers_the_same_receipt(database: Database) -> None:
    kari = await a_customer(database)
    first = await done(database, ERASE_KEYED, {"customerNumber": kari.customer_number})
    before = await everything(database)
    assert await done(database, ERASE_KEYED, {"customerNumber": kari.customer_number}) == first
    assert await everything(database) == before


async def test_an_erasure_takes_as_many_statements_for_many_rows(database: Database) -> None:
    counts = []
    await erased(database, await a_customer(database))  # the first one begins a chain
    for many in (1, 30):
        kari = await a_customer(database)
        for _ in range(many):
            merged = await a_merged_customer(database, kari)
            await an_address(database, merged)
            await a_customer(database, parent_id=merged.id)
        with statements(database) as seen:
            await erased(database, kari)
        counts.append(len(seen))
    assert counts[0] == counts[1] <= 35


@pytest.mark.parametrize("action", ErasureAction)
async def test_a_rule_can_delete_pseudonymise_or_keep(
    database: Database, monkeypatch: pytest.MonkeyPatch, action: ErasureAction
) -> None:
    kari = await a_customer(database)
    await a_traveller_info(database, kari, surname="Nordmann")
    await a_traveller_info(database, await a_customer(database), surname="Other")
    rule = erasure.Rule(rows.TravellerInfo, action, "Bookkeeping Act § 13", values={"surname": None})
    async with database.write() as session:
        met = await erasure._carry_out(session, rule, [kari.id], [])
    assert met == 1
    left = [row.surname for row in await database.fetch(select(rows.TravellerInfo.surname).order_by("id"))]
    kept: dict[ErasureAction, list[str | None]] = {
        ErasureAction.DELETED: [],
        ErasureAction.PSEUDONYMISED: [None],
        ErasureAction.KEPT: ["Nordmann"],
    }
    assert left == [*kept[action], "Other"]


# Whom, and who may


@pytest.mark.rule("C58")
async def test_an_erased_customer_answers_as_one_that_has_never_been(database: Database) -> None:
    kari = await a_customer(database)
    await erased(database, kari)
    number = kari.customer_number
    error = ("CUSTOMER_NOT_FOUND", "customerNumber", [str(number)])
    assert await refused(database, ERASE, {"customerNumber": number}) == [error]
    assert await refused(database, UPDATE, new_values(kari)) == [error]
    look = "query($n: Long!) { customer(by: { customerNumber: $n }, includeDeleted: true) { surname } }"
    assert await execute(database, look, n=number) == {"customer": None}


@pytest.mark.rule("C50")
async def test_customers_of_every_status_and_type_can_be_erased(database: Database) -> None:
    for values in ({"status": rows.CustomerStatus.PASSIVE}, {"profile_type": rows.ProfileType.TEMPORARY}, {}):
        await erased(database, await a_customer(database, **values))
    await erased(database, await a_deleted_customer(database))
    assert (await everything(database))["customer"] == []


@pytest.mark.rule("T04")
async def test_foreign_merged_and_changed_customers_are_not_erased(database: Database) -> None:
    kari = await a_customer(database)
    merged = await a_merged_customer(database, kari)
    given = {"customerNumber": kari.customer_number}
    error = ("CUSTOMER_NOT_FOUND", "customerNumber", [str(kari.customer_number)])
    assert await refused(database, ERASE, {**given, "expectedVersion": 7}, FOREIGNER) == [error]
    number = merged.customer_number
    error = ("CUSTOMER_MERGED", "customerNumber", [str(number)])
    assert await refused(database, ERASE, {"customerNumber": number}) == [error]
    assert await refused(database, ERASE, {**given, "expectedVersion": 2}) == [
        ("VERSION_CONFLICT", "expectedVersion", ["2"])
    ]
    for value, code in HOSTILE:
        assert await refused(database, ERASE, {**given, "changedBy": value}) == [(code, "changedBy", [])]
    await done(database, ERASE, {**given, "expectedVersion": 1, "changedBy": "ola"})


async def test_a_profile_of_another_organisation_that_was_merged_in_is_let_go(database: Database) -> None:
    """It is not the caller's to erase."""
    kari = await a_customer(database)
    other = await a_merged_customer(database, kari, organisation_id=2)
    await erased(database, kari)
    (row,) = await database.fetch(select(rows.Customer.id, rows.Customer.merged_into_id, rows.Customer.version))
    assert tuple(row) == (other.id, None, 2)


async def test_others_who_refer_to_the_person_lose_the_reference_and_are_told_of(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    freeze(monkeypatch)
    kari, ola = await a_customer(database), await a_customer(database)
    child = await a_customer(database, parent_id=kari.id)
    await a_personnel_ticket(database, ola, bearer_customer_id=kari.id)
    await erased(database, kari)
    found = await database.fetch(select(rows.Customer.__table__).order_by(rows.Customer.id))
    assert [(row.id, row.parent_id, row.version) for row in found] == [(ola.id, None, 1), (child.id, None, 2)]
    assert next(row.changed_at for row in found if row.id == child.id) == NOW
    assert (await database.fetch(select(rows.PersonnelTicketBearer.bearer_customer_id))) == [(None,)]
    numbers = {number for _, number, *_ in await events(database)}
    assert numbers == {kari.customer_number, ola.customer_number, child.customer_number}
    told = {
        row.customer_id: [(change["object"], change["action"], change["fields"]) for change in row.details["changes"]]
        for row in await database.fetch(select(AuditLogEntry.customer_id, AuditLogEntry.details))
    }
    assert told == {
        kari.id: [("Customer", "DELETE", [])],
        ola.id: [("PersonnelTicketBearer", "UPDATE", [cleared("bearer_customer_id")])],
        child.id: [("Customer", "UPDATE", [cleared("parent_id")])],
    }


def cleared(name: str) -> dict[str, Any]:
    return {"name": name, "before": None, "after": None}


async def test_of_many_who_erase_one_person_at_once_one_does(database: Database) -> None:
    kari = await a_customer(database)
    given = {"customerNumber": kari.customer_number}
    answers = await asyncio.gather(
        *(answered(database, ERASE, given) for _ in range(8)), answered(database, UPDATE, new_values(kari))
    )
    outcomes = sorted(errors[0][0] if errors else "done" for _, errors in answers[:8])
    assert outcomes == ["CUSTOMER_NOT_FOUND"] * 7 + ["done"]
    assert (await everything(database))["customer"] == []
    assert await problems(database) == {""}


async def test_the_key_of_an_erased_customer_is_not_used_again(database: Database) -> None:
    """Its entries in the log would tell of somebody else."""
    kari = await a_customer(database)
    await erased(database, kari)
    await done(database, CREATE, KARI)
    ((key,),) = await database.fetch(select(rows.Customer.id))
    assert key > kari.id


# The audit log

LOG = "{ auditLog { nodes { operation isErased reason fields changes { object action values { name } } } } }"


async def test_the_log_shows_that_details_are_gone_and_who_has_erased_them(database: Database) -> None:
    kari = await a_customer(database)
    await done(database, UPDATE, new_values(kari))
    await erased(database, kari, INTERNAL)
    erasing, changing = (await execute(database, LOG, INTERNAL))["auditLog"]["nodes"]
    assert (changing["operation"], changing["isErased"], changing["changes"]) == ("updateCustomer", True, [])
    assert (changing["reason"], changing["fields"]) == (None, [])
    change = {"object": "Customer", "action": "DELETE", "values": []}
    assert (erasing["operation"], erasing["isErased"], erasing["changes"]) == ("eraseCustomer", False, [change])
    assert await problems(database) == {""}


async def test_details_that_somebody_else_has_emptied_are_found(database: Database) -> None:
    kari, ola = await a_customer(database), await a_customer(database)
    await done(database, UPDATE, new_values(kari))
    await done(database, UPDATE, new_values(ola))
    await erased(database, ola, INTERNAL)
    assert await problems(database) == {""}
    blank = update(AuditLogEntry).values(details=dict(audit.ERASED))
    async with database.write() as session:
        await session.execute(blank.where(AuditLogEntry.customer_id == kari.id))
    assert UNTOLD_ERASURE in await problems(database)


@pytest.mark.parametrize("forged", ["copied", "changed", "emptied"])
async def test_an_entry_about_an_erasure_cannot_be_forged(database: Database, forged: str) -> None:
    kari, ola = await a_customer(database), await a_customer(database)
    await done(database, UPDATE, new_values(kari))
    await erased(database, ola, INTERNAL)
    log: Any = AuditLogEntry.__table__
    async with database.write() as session:
        await session.execute(update(log).where(log.c.customer_id == kari.id).values(details=dict(audit.ERASED)))
        erasing = (await session.execute(select(log).where(log.c.operation == "eraseCustomer"))).one()._asdict()
        if forged == "copied":
            copy = {**erasing, "id": erasing["id"] + 1, "number": erasing["number"] + 1, "customer_id": kari.id}
            details = {**erasing["details"], "erased": [kari.id]}
            await session.execute(log.insert().values(**{**copy, "details": details}))
        elif forged == "changed":
            details = {**erasing["details"], "erased": [kari.id]}
            await session.execute(
                update(log).where(log.c.id == erasing["id"]).values(customer_id=kari.id, details=details)
            )
        else:
            await session.execute(update(log).where(log.c.id == erasing["id"]).values(details=dict(audit.ERASED)))
    found = {each.organisation_id: (each.entries, each.problem) async for each in verify(database)}
    assert found[VIEWER.organisation_id] == (0, UNTOLD_ERASURE)


async def test_internal_callers_erase_those_of_any_organisation(database: Database) -> None:
    kari = await a_customer(database, organisation_id=2)
    await erased(database, kari, INTERNAL)
    (entry,) = await database.fetch(text("SELECT organisation_id, customer_id FROM audit_log"))
    assert tuple(entry) == (INTERNAL.organisation_id, kari.id)


@pytest.mark.parametrize("gone", [0, 1])
async def test_the_log_of_whoever_has_a_card_now_or_had_it_tells_nothing_of_the_other(
    database: Database, gone: int
) -> None:
    people = [await a_customer(database), await a_customer(database)]
    card = await an_ecard(database, people[0], ecard_name="name 0")
    key = {"ecardOperator": card.ecard_operator, "ecardNumber": card.ecard_number}
    given = {**key, "startOfOwnership": "2026-01-31T12:00:00Z", "ecardName": "name 1"}
    move = document("updateEcard", "ecard { version }")
    await done(database, move, {**given, "customerNumber": people[1].customer_number})
    await erased(database, people[gone])
    told = str([row.details for row in await database.fetch(select(AuditLogEntry.details))])
    assert [f"name {n}" in told for n in (0, 1)] == [gone == 1, gone == 0]
