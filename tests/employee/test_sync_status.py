"""setTicketRightSyncStatus (rules E20, E34 and E53)."""

from typing import Any

import pytest

from datastore.customer import ProfileType
from datastore.database import Database
from datastore.employee import personnel
from datastore.employee.rights import TicketRight
from tests.customer.mutations import answered, document, done, errors_of, events, freeze, refused, unchanged
from tests.employee.personnel import USER, rows
from tests.execute import FOREIGNER, INTERNAL
from tests.factories.customer import a_customer, a_deleted_customer, a_merged_customer
from tests.factories.employee import (
    a_company,
    a_family_member,
    a_ticket_right,
    a_ticket_type,
    an_employee,
    the_codes,
)

STATUS = "{ state isReadyToSync syncTimestamp errorMessage }"
SET = document(
    "setTicketRightSyncStatus",
    f"""ticketRight {{ ticketrightId version ticketSyncStatus {STATUS} customerSyncStatus {STATUS}
        employee {{ customerNumber }} }}""",
)
SENT = "2026-06-30T20:00:00.000Z"
NOTHING = {"state": "NOT_READY", "isReadyToSync": False, "syncTimestamp": None, "errorMessage": None}


@pytest.fixture(autouse=True)
def in_2026(monkeypatch: pytest.MonkeyPatch) -> None:
    freeze(monkeypatch)


async def a_right(database: Database, **company: Any) -> TicketRight:
    await the_codes(database)
    ola = await an_employee(database, await a_company(database, **company))
    return await a_ticket_right(database, ola, await a_ticket_type(database))


def status(right: Any, system: str = "TICKET", **values: Any) -> dict[str, Any]:
    return {"ticketrightId": right.id, "system": system, **values}


@pytest.mark.rule("E34")
async def test_what_is_given_of_one_system_is_set_and_the_state_follows(database: Database) -> None:
    right = await a_right(database, allow_e_tickets=True)
    kept: dict[str, Any] = dict(NOTHING)
    steps: list[tuple[dict[str, Any], str]] = [
        ({}, "NOT_READY"),
        ({"isReadyToSync": True}, "READY"),
        ({"errorMessage": " Feil\nhos dem "}, "FAILED"),
        ({"errorMessage": None, "syncTimestamp": SENT}, "SYNCED"),
        ({"syncTimestamp": None}, "READY"),
        ({"isReadyToSync": False, "errorMessage": " "}, "NOT_READY"),
    ]
    for version, (given, state) in enumerate(steps, start=2):
        made = await done(database, SET, status(right, **given, expectedVersion=version - 1))
        kept |= {**given, "state": state}
        kept["errorMessage"] = (kept["errorMessage"] or "").strip() or None
        assert (made["version"], made["ticketSyncStatus"], made["customerSyncStatus"]) == (version, kept, NOTHING)
    made = await done(database, SET, status(right, "CUSTOMER", isReadyToSync=True, syncTimestamp=SENT))
    want = {"state": "SYNCED", "isReadyToSync": True, "syncTimestamp": SENT, "errorMessage": None}
    assert (made["ticketSyncStatus"], made["customerSyncStatus"]) == (kept, want)
    assert await events(database) == []


@pytest.mark.rule("E53")
async def test_nothing_goes_to_the_ticketing_system_unless_the_company_allows_e_tickets(database: Database) -> None:
    right = await a_right(database)
    error = ("E_TICKETS_NOT_ALLOWED", "isReadyToSync", ["True"])
    assert await refused(database, SET, status(right, isReadyToSync=True)) == [error]
    await done(database, SET, status(right, isReadyToSync=False))
    made = await done(database, SET, status(right, "CUSTOMER", isReadyToSync=True))
    assert made["customerSyncStatus"]["state"] == "READY"


@pytest.mark.rule("E20")
async def test_the_customer_system_tells_the_holders_customer_number(database: Database) -> None:
    right = await a_right(database)
    profile = await a_customer(database, profile_type=ProfileType.PERSONNEL_TICKET)
    given = {"customerNumber": profile.customer_number, "syncTimestamp": SENT}
    made = await done(database, SET, status(right, "CUSTOMER", **given))
    assert made["employee"] == {"customerNumber": profile.customer_number}
    (ola,) = await rows(database, personnel.Employee)
    kari = await a_family_member(database, ola)
    hers = await a_ticket_right(database, kari, await a_ticket_type(database, "NO1"))
    abroad = await a_customer(database, profile_type=ProfileType.PERSONNEL_TICKET, organisation_id=77)
    await done(database, SET, status(hers, "CUSTOMER", customerNumber=abroad.customer_number), INTERNAL)
    (member,) = await rows(database, personnel.FamilyMember)
    assert (member.customer_number, member.version) == (abroad.customer_number, 2)
    made = await done(database, SET, status(right, "CUSTOMER", customerNumber=None))
    assert made["employee"] == {"customerNumber": None}


@pytest.mark.rule("E20")
@pytest.mark.rule("G3")
async def test_nobody_connects_a_profile_that_they_may_not_read(database: Database) -> None:
    right = await a_right(database)
    personnel_ticket = ProfileType.PERSONNEL_TICKET
    abroad = await a_customer(database, profile_type=personnel_ticket, organisation_id=77)
    target = await a_customer(database)
    merged = await a_merged_customer(database, target, profile_type=personnel_ticket)
    gone = await a_deleted_customer(database, profile_type=personnel_ticket)
    mine = await a_customer(database, profile_type=personnel_ticket)
    async with unchanged(database):
        for number in (abroad.customer_number, merged.customer_number, gone.customer_number, 999):
            error = ("CUSTOMER_NOT_FOUND", "customerNumber", [str(number)])
            assert await errors_of(database, SET, status(right, "CUSTOMER", customerNumber=number)) == [error]
        error = ("PROFILE_TYPE_NOT_ALLOWED", "customerNumber", [str(target.customer_number)])
        given = status(right, "CUSTOMER", customerNumber=target.customer_number)
        assert await errors_of(database, SET, given) == [error]
        error = ("VALUE_INVALID", "customerNumber", [str(mine.customer_number)])
        assert await errors_of(database, SET, status(right, customerNumber=mine.customer_number)) == [error]


@pytest.mark.rule("T04")
async def test_what_is_wrong_is_named_and_foreign_rights_are_unknown(database: Database) -> None:
    right = await a_right(database, allow_e_tickets=True)
    async with unchanged(database):
        for wrong, error in (
            ({"errorMessage": "x" * 501}, ("TEXT_TOO_LONG", "errorMessage", [])),
            ({"errorMessage": "a\x00b"}, ("TEXT_INVALID", "errorMessage", [])),
            ({"ticketrightId": 999}, ("TICKET_RIGHT_NOT_FOUND", "ticketrightId", ["999"])),
        ):
            assert await errors_of(database, SET, status(right) | wrong) == [error]
        for stranger in (FOREIGNER, USER):
            error = ("TICKET_RIGHT_NOT_FOUND", "ticketrightId", [str(right.id)])
            given = status(right, expectedVersion=9, errorMessage="x" * 501)
            assert await errors_of(database, SET, given, stranger) == [error]
        payload, errors = await answered(database, SET, status(right, expectedVersion=2))
        assert errors == [("VERSION_CONFLICT", "expectedVersion", ["2"])]
        assert payload["ticketRight"]["version"] == 1
