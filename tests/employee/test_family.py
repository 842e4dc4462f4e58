"""createFamilyMember and updateFamilyMember (rules E01, E07 and E14)."""

import json
from typing import Any

import pytest

from datastore.changes import HIDDEN
from datastore.database import Database
from datastore.employee import codes, personnel
from datastore.employee.rights import TicketRightsHolder
from datastore.viewer import GRANTABLE, Viewer
from tests.customer.mutations import (
    HOSTILE,
    NOW,
    answered,
    document,
    done,
    errors_of,
    events,
    freeze,
    not_executed,
    refused,
    unchanged,
)
from tests.employee.personnel import USER, audited, rows
from tests.execute import FOREIGNER
from tests.factories.customer import MOMENT
from tests.factories.employee import a_code, a_company, a_family_member, an_employee, the_codes

FIELDS = """
    familyMemberId employeeId relationCode relation { code } firstName surname dateOfBirth ssn note abstainFromTicket
    isDeleted version ticketHolderCode customerNumber createdBy updatedBy
"""
CREATE = document("createFamilyMember", f"familyMember {{ {FIELDS} }}")
UPDATE = document("updateFamilyMember", f"familyMember {{ {FIELDS} }}")
SPOUSE = {"relationCode": "SPOUSE", "firstName": "Kari", "surname": "Nordmann"}
MORE = {"dateOfBirth": "1986-10-15", "ssn": "95088", "note": "Ring\netter kl. 18.", "abstainFromTicket": True}


@pytest.fixture(autouse=True)
def in_2026(monkeypatch: pytest.MonkeyPatch) -> None:
    freeze(monkeypatch)


def new(employee: Any, **values: Any) -> dict[str, Any]:
    return {"employeeId": employee.id, **SPOUSE, **values}


def change(member: Any, **values: Any) -> dict[str, Any]:
    return {"familyMemberId": member.id, **values}


@pytest.mark.rule("E01")
@pytest.mark.rule("E21")
async def test_a_family_member_is_added_with_a_code_of_its_own(database: Database) -> None:
    await the_codes(database)
    ola = await an_employee(database, await a_company(database))
    made = await done(database, CREATE, new(ola))
    empty = {**dict.fromkeys(["dateOfBirth", "ssn", "note", "customerNumber"]), "abstainFromTicket": False}
    by = {"createdBy": "graphql", "updatedBy": "graphql", "version": 1, "isDeleted": False, "employeeId": ola.id}
    drawn = {"familyMemberId": made["familyMemberId"], "ticketHolderCode": made["ticketHolderCode"]}
    assert made == {**SPOUSE, **empty, **by, **drawn, "relation": {"code": "SPOUSE"}}
    second = await done(database, CREATE, new(ola, **MORE))
    drawn = {"familyMemberId": second["familyMemberId"], "ticketHolderCode": second["ticketHolderCode"]}
    assert second == {**SPOUSE, **empty, **by, **drawn, **MORE, "relation": {"code": "SPOUSE"}}
    holders = [(each.employee_id, each.family_member_id) for each in await rows(database, TicketRightsHolder)]
    assert holders == [(ola.id, None), (ola.id, made["familyMemberId"]), (ola.id, second["familyMemberId"])]
    assert len(made["ticketHolderCode"]) == 17 != made["ticketHolderCode"] != second["ticketHolderCode"]
    assert await events(database) == []


@pytest.mark.rule("E07")
@pytest.mark.rule("E14")
async def test_what_is_absent_stays_and_null_clears(database: Database) -> None:
    await the_codes(database)
    ola = await an_employee(database, await a_company(database))
    kari = await a_family_member(database, ola, note="Gammelt")
    first = await done(database, UPDATE, change(kari))
    want = {**SPOUSE, "note": "Gammelt", "ssn": "95088", "createdBy": "hr", "updatedBy": "graphql", "version": 2}
    assert {name: first[name] for name in want} == want
    names = {"firstName": "Lise", "surname": "Ås", "relationCode": "CHILD"}
    given = change(kari, **names, **MORE, isDeleted=True, expectedVersion=2)
    second = await done(database, UPDATE, given)
    want = {**names, **MORE, "isDeleted": True, "version": 3, "ticketHolderCode": first["ticketHolderCode"]}
    assert {name: second[name] for name in want} == want
    cleared = dict.fromkeys(["dateOfBirth", "ssn", "note"])
    third = await done(database, UPDATE, change(kari, **cleared, isDeleted=False))
    assert {name: third[name] for name in cleared} == cleared
    assert third["isDeleted"] is False
    (row,) = await rows(database, personnel.FamilyMember)
    assert (row.created_at, row.updated_at) == (MOMENT, NOW)


@pytest.mark.rule("E05")
async def test_what_is_wrong_is_named(database: Database) -> None:
    await the_codes(database)
    await a_code(database, codes.FamilyRelation, "OLD", is_deleted=True)
    ola = await an_employee(database, await a_company(database))
    kari = await a_family_member(database, ola)
    async with unchanged(database):
        for text, given in ((CREATE, new(ola)), (UPDATE, change(kari))):
            for wrong, errors in (
                ({"relationCode": "OLD"}, [("CODE_UNKNOWN", "relationCode", ["OLD"])]),
                ({"relationCode": "AUNT"}, [("CODE_UNKNOWN", "relationCode", ["AUNT"])]),
                ({"ssn": "950"}, [("SSN_INVALID", "ssn", [])]),
                ({"ssn": " "}, [("REQUIRED", "ssn", [])]),
                ({"firstName": ""}, [("REQUIRED", "firstName", [])]),
                ({"dateOfBirth": "2026-07-02"}, [("DATE_INVALID", "dateOfBirth", ["2026-07-02"])]),
                ({"note": "x" * 10_001}, [("TEXT_TOO_LONG", "note", [])]),
                ({"note": "a\x00b"}, [("TEXT_INVALID", "note", [])]),
                ({"ssn": "1", "surname": " "}, [("REQUIRED", "surname", []), ("SSN_INVALID", "ssn", [])]),
            ):
                assert sorted(await errors_of(database, text, {**given, **wrong})) == errors
            for field in ("firstName", "surname"):
                for value, code in HOSTILE:
                    assert await errors_of(database, text, {**given, field: value}) == [(code, field, [])]
        for field in ("relationCode", "firstName", "surname", "isDeleted", "abstainFromTicket"):
            assert await errors_of(database, UPDATE, change(kari, **{field: None})) == [("REQUIRED", field, [])]
        payload, errors = await answered(database, UPDATE, change(kari, expectedVersion=2))
        assert errors == [("VERSION_CONFLICT", "expectedVersion", ["2"])]
        assert payload["familyMember"]["version"] == 1
    for field in ("relationCode", "firstName", "surname", "employeeId"):
        assert field in await not_executed(database, CREATE, new(ola) | {field: None})


@pytest.mark.rule("T04")
@pytest.mark.rule("E23")
async def test_foreign_families_are_unknown_and_a_deleted_employee_gets_none(database: Database) -> None:
    await the_codes(database)
    company = await a_company(database)
    ola, per = await an_employee(database, company), await an_employee(database, company, is_deleted=True)
    kari = await a_family_member(database, ola)
    bound = Viewer(1, permissions=GRANTABLE, company_id=company.id + 1)
    for stranger in (FOREIGNER, USER, bound):
        error = ("EMPLOYEE_NOT_FOUND", "employeeId", [str(ola.id)])
        assert await errors_of(database, CREATE, new(ola), stranger) == [error]
        error = ("FAMILY_MEMBER_NOT_FOUND", "familyMemberId", [str(kari.id)])
        assert await errors_of(database, UPDATE, change(kari, ssn="x", expectedVersion=9), stranger) == [error]
    assert await refused(database, CREATE, new(per)) == [("EMPLOYEE_DELETED", "employeeId", [str(per.id)])]
    error = ("EMPLOYEE_NOT_FOUND", "employeeId", ["999"])
    assert await refused(database, CREATE, {**new(ola), "employeeId": 999}) == [error]


@pytest.mark.rule("E23")
async def test_what_is_sealed_is_hidden_in_the_log(database: Database) -> None:
    await the_codes(database)
    ola = await an_employee(database, await a_company(database))
    await done(database, CREATE, new(ola, ssn="73019", note="Hemmelig."))
    ((_, told),) = await audited(database)
    fields = {f["name"]: f["after"] for each in told["changes"] for f in each["fields"]}
    assert (fields["ssn"], fields["note"]) == (HIDDEN, HIDDEN)
    assert "73019" not in json.dumps(told)
    (row,) = await rows(database, personnel.FamilyMember)
    assert "73019" not in row.ssn
    assert "Hemmelig" not in row.note
