"""createCompany and updateCompany (rules E02, E11, E14 and E53)."""

import asyncio
from typing import Any

import pytest

from datastore.audit_check import verify
from datastore.database import Database
from datastore.employee import personnel
from datastore.viewer import GRANTABLE, Viewer
from tests.customer.mutations import (
    HOSTILE,
    NOW,
    answered,
    document,
    done,
    errors_of,
    events,
    everything,
    freeze,
    refused,
    unchanged,
)
from tests.employee.personnel import IMPORT, USER, audited, numbers, rows, sent
from tests.execute import FOREIGNER, INTERNAL, VIEWER
from tests.factories.customer import MOMENT
from tests.factories.employee import a_company, some_employees, the_codes
from tests.statements import statements

FIELDS = """
    companyId organisationId name postalCode addressLine allowETickets allowLocalEmployees reportSeparator
    employeeNoPrefix isDeleted deleted version
"""
CREATE = document("createCompany", f"company {{ {FIELDS} }}")
UPDATE = document("updateCompany", f"company {{ {FIELDS} }}")
BOUND = Viewer(1, permissions=GRANTABLE, company_id=1)


def change(company: Any, **values: Any) -> dict[str, Any]:
    return {"companyId": company.id, **values}


@pytest.fixture(autouse=True)
def in_2026(monkeypatch: pytest.MonkeyPatch) -> None:
    freeze(monkeypatch)


@pytest.mark.rule("E02")
@pytest.mark.rule("E50")
async def test_a_company_is_created_in_the_callers_organisation(database: Database) -> None:
    made = await done(database, CREATE, {"name": " Nordtog "})
    least = {
        "organisationId": 1,
        "name": "Nordtog",
        "postalCode": None,
        "addressLine": None,
        "allowETickets": False,
        "allowLocalEmployees": False,
        "reportSeparator": ",",
        "employeeNoPrefix": None,
        "isDeleted": False,
        "deleted": False,
        "version": 1,
    }
    assert made == {**least, "companyId": made["companyId"]}
    more = {"postalCode": "0155", "addressLine": "Storgata 1", "allowETickets": True, "allowLocalEmployees": True}
    more |= {"reportSeparator": ";", "employeeNoPrefix": "T-", "name": "Sørtog"}
    made = await done(database, CREATE, {**more, "organisationId": 2}, INTERNAL)
    assert made == {**least, **more, "organisationId": 2, "companyId": made["companyId"]}
    assert [(row.created_at, row.changed_at) for row in await rows(database, personnel.Company)] == [(NOW, NOW)] * 2
    assert await events(database) == []


@pytest.mark.rule("T04")
@pytest.mark.rule("E23")
async def test_only_internal_callers_name_an_organisation_and_bound_ones_create_nothing(database: Database) -> None:
    error = ("ORGANISATION_NOT_ALLOWED", "organisationId", ["2"])
    assert await refused(database, CREATE, {"name": "Nordtog", "organisationId": 2}) == [error]
    assert await refused(database, CREATE, {"name": "Nordtog"}, BOUND) == [("FORBIDDEN", "", [])]


@pytest.mark.rule("E14")
async def test_what_is_absent_stays_and_null_clears(database: Database) -> None:
    company = await a_company(database)
    more = {"name": "Nytog", "allowETickets": True, "allowLocalEmployees": True, "reportSeparator": ";"}
    made = await done(database, UPDATE, change(company, **more, employeeNoPrefix="T", isDeleted=True))
    stays = {"postalCode": "0155", "addressLine": "Storgata 1", "organisationId": 1, "companyId": company.id}
    assert made == {**stays, **more, "employeeNoPrefix": "T", "isDeleted": True, "deleted": True, "version": 2}
    cleared = dict.fromkeys(["postalCode", "addressLine", "employeeNoPrefix"])
    made = await done(database, UPDATE, change(company, **cleared, isDeleted=False, expectedVersion=2), BOUND)
    assert made == {**stays, **more, **cleared, "isDeleted": False, "deleted": False, "version": 3}
    (row,) = await rows(database, personnel.Company)
    assert (row.created_at, row.changed_at) == (MOMENT, NOW)


async def test_what_is_wrong_is_named(database: Database) -> None:
    company = await a_company(database)
    async with unchanged(database):
        for wrong, error in (
            ({"name": " "}, ("REQUIRED", "name", [])),
            ({"name": "x" * 101}, ("TEXT_TOO_LONG", "name", [])),
            ({"postalCode": "15"}, ("POST_CODE_INVALID", "postalCode", ["15"])),
            ({"reportSeparator": "|"}, ("VALUE_INVALID", "reportSeparator", ["|"])),
            ({"reportSeparator": ""}, ("REQUIRED", "reportSeparator", [])),
            ({"employeeNoPrefix": "x" * 11}, ("TEXT_TOO_LONG", "employeeNoPrefix", [])),
        ):
            assert await errors_of(database, CREATE, {"name": "Nordtog", **wrong}) == [error]
            assert await errors_of(database, UPDATE, change(company, **wrong)) == [error]
        for field in ("name", "addressLine", "employeeNoPrefix"):
            for value, code in HOSTILE:
                assert await errors_of(database, UPDATE, change(company, **{field: value})) == [(code, field, [])]
        for field in ("name", "reportSeparator", "isDeleted", "allowETickets"):
            assert await errors_of(database, UPDATE, change(company, **{field: None})) == [("REQUIRED", field, [])]
        unknown = ("COMPANY_NOT_FOUND", "companyId", [str(company.id)])
        for stranger in (FOREIGNER, USER, Viewer(1, permissions=GRANTABLE, company_id=company.id + 1)):
            assert await errors_of(database, UPDATE, change(company, name="x"), stranger) == [unknown]
        payload, errors = await answered(database, UPDATE, change(company, expectedVersion=2))
        assert errors == [("VERSION_CONFLICT", "expectedVersion", ["2"])]
        assert payload["company"]["version"] == 1


@pytest.mark.rule("E11")
async def test_another_prefix_numbers_all_employees_anew_and_once(database: Database) -> None:
    await the_codes(database)
    company, other = await a_company(database), await a_company(database)
    await some_employees(database, company, *({"employee_no": number} for number in ("2", "T7", "20")))
    await some_employees(database, other, {"employee_no": "2"})
    await done(database, UPDATE, change(company, employeeNoPrefix="T"))
    want = [("2", "T2", 2), ("T7", "T7", 1), ("20", "T20", 2), ("2", "2", 1)]
    assert await numbers(database) == want
    await done(database, UPDATE, change(company, employeeNoPrefix="T"))
    assert await numbers(database) == want
    await done(database, UPDATE, change(company, employeeNoPrefix=None))
    assert await numbers(database) == [("2", "2", 3), ("T7", "T7", 1), ("20", "20", 3), ("2", "2", 1)]
    made = await done(database, IMPORT, sent(company, employeeNo="T7", id="2"))
    assert made["employee"]["employeeNo"] == "T7"
    assert {each.problem async for each in verify(database)} == {""}
    operations = await audited(database)
    assert [(name, told.get("renumbered")) for name, told in operations[:3]] == [
        ("updateCompany", {"company_id": company.id, "employees": 2}),
        ("updateCompany", None),
        ("updateCompany", None),
    ]
    employee = (await rows(database, personnel.Employee))[0]
    assert (employee.last_update, employee.source_last_update) == (NOW, "graphql")


@pytest.mark.rule("E11")
async def test_numbers_that_swap_do_not_meet_on_the_way(database: Database) -> None:
    await the_codes(database)
    company = await a_company(database)
    await some_employees(database, company, *({"employee_no": number} for number in ("2", "12", "112", "20")))
    errors = await refused(database, UPDATE, change(company, employeeNoPrefix="1"))
    assert errors == [("EMPLOYEE_NO_TAKEN", "employeeNoPrefix", ["1"])]  # 2 would be 12
    await done(database, UPDATE, change(company, employeeNoPrefix="20"))
    assert [number for _, number, _ in await numbers(database)] == ["202", "2012", "20112", "20"]
    await done(database, UPDATE, change(company, employeeNoPrefix="2"))
    assert [number for _, number, _ in await numbers(database)] == ["2", "212", "2112", "20"]
    await done(database, UPDATE, change(company, employeeNoPrefix=None))
    await some_employees(database, company, {"employee_no": "c"}, {"employee_no": "bc"})
    for prefix, want in (("a", ["ac", "abc"]), ("ab", ["abc", "abbc"]), ("a", ["ac", "abc"])):
        await done(database, UPDATE, change(company, employeeNoPrefix=prefix))
        assert [number for _, number, _ in await numbers(database)][4:] == want
    long = "x" * 49
    await some_employees(database, company, {"employee_no": long})
    errors = await refused(database, UPDATE, change(company, employeeNoPrefix="yz"))
    assert errors == [("TEXT_TOO_LONG", "employeeNoPrefix", ["yz"])]


@pytest.mark.rule("E11")
async def test_numbering_takes_as_many_statements_for_many_as_for_few(database: Database) -> None:
    await the_codes(database)
    company = await a_company(database)
    await some_employees(database, company, {})
    await done(database, UPDATE, change(company, employeeNoPrefix="A"))
    with statements(database) as few:
        await done(database, UPDATE, change(company, employeeNoPrefix="B"))
    await some_employees(database, company, *({} for _ in range(200)))
    with statements(database) as many:
        await done(database, UPDATE, change(company, employeeNoPrefix="C"))
    assert len(many) == len(few)
    assert {number[0] for _, number, _ in await numbers(database)} == {"C"}


@pytest.mark.rule("E11")
async def test_an_import_and_another_prefix_at_once_leave_no_number_behind(database: Database) -> None:
    await the_codes(database)
    company = await a_company(database)
    imports = (done(database, IMPORT, sent(company, employeeNo=str(n)), VIEWER) for n in range(6))
    await asyncio.gather(done(database, UPDATE, change(company, employeeNoPrefix="T")), *imports)
    found = await numbers(database)
    assert sorted(own for own, _, _ in found) == list("012345")
    assert all(number == f"T{own}" for own, number, _ in found)
    assert (await everything(database))["outbox"] == []
