"""importEmployee (rules E01 to E12 and E53)."""

import asyncio
import json
from typing import Any

import pytest
from sqlalchemy import update

from datastore.changes import HIDDEN
from datastore.database import Database
from datastore.employee import codes, personnel
from datastore.employee.rights import TicketRightsHolder
from datastore.viewer import GRANTABLE, Viewer
from resolvers.context import Context
from resolvers.employee.importing import new_holder_code
from schema.root import schema
from tests.customer.mutations import (
    HOSTILE,
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
from tests.employee.personnel import ALL, EMPTY, IMPORT, USER, audited, numbers, rows, sent
from tests.execute import FOREIGNER, INTERNAL, VIEWER
from tests.factories.employee import a_code, a_company, an_employee, the_codes

KEYED = document("importEmployee", "importedEmployee { id version }", ' @idempotent(key: "k")')
FULL = {
    "employmentPercentageDate": "2026-01-01",
    "paidPercentage": 70,
    "payType": "MONTHLY",
    "hireEndDate": "2026-12-31",
    "hireEndCause": "QUIT",
    "leaveFromDate": "2026-08-01",
    "abstainFromTicket": True,
    "disabilityGrade": 40,
    "disabilityFromDate": "2025-01-01",
}
IGNORED = {
    "note": "Hemmelig.",
    "isOnWaitPay": True,
    "waitPayDate": "2026-01-01",
    "workPlaceId": "OSL",
    "jobDescription": "Fører",
    "paidPercentageDate": "2026-01-01",
    "sendTicketToPrivateAddress": True,
    "isFeePaid": True,
    "preferredProductId": 99,
    "disabilityProofRegistered": True,
    "disabilityProofRegisteredDate": "2026-01-01",
}


@pytest.fixture(autouse=True)
def in_2026(monkeypatch: pytest.MonkeyPatch) -> None:
    freeze(monkeypatch)


@pytest.mark.rule("E01")
@pytest.mark.rule("E03")
@pytest.mark.rule("E06")
@pytest.mark.rule("E09")
@pytest.mark.rule("E11")
@pytest.mark.rule("E21")
async def test_a_new_employee_is_what_was_sent_with_the_companys_prefix(database: Database) -> None:
    await the_codes(database)
    company = await a_company(database, employee_no_prefix="T-")
    made = await done(database, IMPORT, sent(company, addressLine=" Storgata 1 ", ssn=" 95088"))
    employee = made.pop("employee")
    code = employee.pop("ticketHolderCode")
    by = {"createdBy": "graphql", "sourceLastUpdate": "graphql", "version": 1, "companyId": company.id}
    common = {**ALL, **EMPTY, **by, "paidPercentage": 80, "ssn": "95088"}
    own = {"id": made["id"], "note": None, "disabilityFromDate": None, "preferredProductId": None}
    assert made == {**common, **own}
    own = {"employeeNo": "T-17", "employeeId": int(made["id"]), "customerNumber": None}
    assert employee == {**common, **own}
    (holder,) = await rows(database, TicketRightsHolder)
    found = (holder.employee_id, holder.family_member_id, holder.ticket_holder_code)
    assert found == (int(made["id"]), None, code)
    assert await events(database) == []


@pytest.mark.rule("E10")
@pytest.mark.rule("E08")
@pytest.mark.rule("E12")
async def test_all_fields_are_stored_but_for_those_that_are_not_used(database: Database) -> None:
    await the_codes(database)
    company = await a_company(database)
    made = await done(database, IMPORT, sent(company, **FULL, **IGNORED))
    assert {name: made[name] for name in FULL} == FULL
    assert (made["note"], made["preferredProductId"]) == (None, None)
    employee = made["employee"]
    assert {name: employee[name] for name in FULL if name in employee} == {
        name: value for name, value in FULL.items() if name != "disabilityFromDate"
    }
    for row in (*await rows(database, personnel.Employee), *await rows(database, personnel.ImportedEmployee)):
        assert (row.note, row.preferred_product_id) == (None, None)
    assert await rows(database, personnel.EmployeeYearlyFee) == []


@pytest.mark.rule("E04")
async def test_an_import_with_an_id_says_all_of_the_employee_anew(database: Database) -> None:
    await the_codes(database)
    company = await a_company(database)
    first = await done(database, IMPORT, sent(company, **FULL))
    sealed = [row.ssn for row in await rows(database, personnel.Employee)]
    again = {"id": first["id"], "employeeNo": "18", "isDeleted": True, "expectedVersion": 1}
    second = await done(database, IMPORT, sent(company, **again))
    employee = second.pop("employee")
    code = employee.pop("ticketHolderCode")
    assert code == first["employee"]["ticketHolderCode"]
    want = {**ALL, **EMPTY, "employeeNo": "18", "isDeleted": True, "paidPercentage": 80, "version": 2}
    assert {name: second[name] for name in want} == want
    assert {name: employee[name] for name in want} == want
    assert second["disabilityFromDate"] is None
    assert [row.ssn for row in await rows(database, personnel.Employee)] == sealed  # sealed anew only if another
    assert len(await rows(database, TicketRightsHolder)) == 1
    third = await done(database, IMPORT, sent(company, id=first["id"], ssn="00001"))
    assert (third["version"], third["ssn"], third["employee"]["ssn"]) == (3, "00001", "00001")


@pytest.mark.rule("E04")
async def test_the_same_import_again_is_a_new_version_of_the_same_employee(database: Database) -> None:
    await the_codes(database)
    company = await a_company(database)
    made = await done(database, IMPORT, sent(company))
    again = await done(database, IMPORT, sent(company, id=made["id"]))
    assert (again["version"], again["employee"]["version"]) == (2, 2)
    assert {**again, "version": 1, "employee": None} == {**made, "employee": None}


@pytest.mark.rule("E03")
@pytest.mark.rule("E05")
@pytest.mark.rule("E08")
@pytest.mark.rule("E10")
@pytest.mark.rule("F06")
async def test_what_is_wrong_is_named(database: Database) -> None:
    await the_codes(database)
    await a_code(database, codes.PayType, "OLD", is_deleted=True)
    company = await a_company(database, employee_no_prefix="T-")
    invalid, pct = "SSN_INVALID", "PERCENTAGE_INVALID"
    async with unchanged(database):
        for wrong, errors in (
            ({"ssn": "9508"}, [(invalid, "ssn", [])]),
            ({"ssn": "950888"}, [(invalid, "ssn", [])]),
            ({"ssn": "٩٥٠٨٨"}, [(invalid, "ssn", [])]),
            ({"ssn": "1" * 100_000}, [(invalid, "ssn", [])]),
            ({"ssn": "9508\x00"}, [(invalid, "ssn", [])]),
            ({"ssn": " "}, [("REQUIRED", "ssn", [])]),
            ({"postalCode": "155"}, [("POST_CODE_INVALID", "postalCode", ["155"])]),
            ({"employmentTypeId": "HALF"}, [("CODE_UNKNOWN", "employmentTypeId", ["HALF"])]),
            ({"payType": "OLD"}, [("CODE_UNKNOWN", "payType", ["OLD"])]),
            ({"hireEndCause": "X", "hireEndDate": "2026-01-01"}, [("CODE_UNKNOWN", "hireEndCause", ["X"])]),
            ({"hireEndDate": "2019-12-31"}, [("DATES_REVERSED", "hireEndDate", ["2019-12-31"])]),
            ({"hireEndCause": "QUIT"}, [("REQUIRED", "hireEndDate", [])]),
            ({"disabilityGrade": 1}, [("REQUIRED", "disabilityFromDate", [])]),
            ({"disabilityGrade": 101, "disabilityFromDate": "2020-01-01"}, [(pct, "disabilityGrade", [])]),
            ({"employmentPercentage": 101, "paidPercentage": 50}, [(pct, "employmentPercentage", ["101"])]),
            ({"paidPercentage": -1}, [(pct, "paidPercentage", ["-1"])]),
            ({"dateOfBirth": "2026-07-02"}, [("DATE_INVALID", "dateOfBirth", ["2026-07-02"])]),
            ({"employeeNo": "1" * 49}, [("TEXT_TOO_LONG", "employeeNo", [])]),
            ({"ssn": "x", "payType": "OLD"}, [("CODE_UNKNOWN", "payType", ["OLD"]), (invalid, "ssn", [])]),
        ):
            assert sorted(await errors_of(database, IMPORT, sent(company, **wrong))) == errors
        for field in ("firstName", "surname", "employeeNo", "addressLine", "postalCode", "employmentTypeId"):
            assert await errors_of(database, IMPORT, sent(company, **{field: " "})) == [("REQUIRED", field, [])]
            for value, code in HOSTILE:
                (error,) = await errors_of(database, IMPORT, sent(company, **{field: value}))
                assert error in ((code, field, []), ("POST_CODE_INVALID", field, []), ("TEXT_TOO_LONG", field, []))
    for field in ALL:
        assert field in await not_executed(database, IMPORT, sent(company, **{field: None}))


@pytest.mark.rule("E04")
@pytest.mark.rule("T04")
@pytest.mark.rule("E23")
async def test_foreign_companies_and_employees_are_unknown(database: Database) -> None:
    await the_codes(database)
    company, other = await a_company(database), await a_company(database, organisation_id=2)
    second = await a_company(database)
    ola = await an_employee(database, company)
    bound = Viewer(1, permissions=GRANTABLE, company_id=second.id)
    async with unchanged(database):
        unknown = [("COMPANY_NOT_FOUND", "companyId", ["999"])]
        assert await errors_of(database, IMPORT, sent(company, companyId=999)) == unknown
        unknown = [("COMPANY_NOT_FOUND", "companyId", [str(company.id)])]
        assert await errors_of(database, IMPORT, sent(company, id=str(ola.id)), FOREIGNER) == unknown
        assert await errors_of(database, IMPORT, sent(company), bound) == unknown
        unknown = [("EMPLOYEE_NOT_FOUND", "id", [str(ola.id)])]
        assert await errors_of(database, IMPORT, sent(other, id=str(ola.id)), FOREIGNER) == unknown
        assert await errors_of(database, IMPORT, sent(second, id=str(ola.id)), bound) == unknown
        # An internal caller sees both, and still moves nobody to another organisation.
        assert await errors_of(database, IMPORT, sent(other, id=str(ola.id)), INTERNAL) == unknown
        for key in ("999", "x", "9" * 30):
            error = ("EMPLOYEE_NOT_FOUND", "id", [key])
            assert await errors_of(database, IMPORT, sent(company, id=key)) == [error]
        given = sent(company, id=str(ola.id), expectedVersion=7)
        payload, errors = await answered(database, IMPORT, given)
        assert errors == [("VERSION_CONFLICT", "expectedVersion", ["7"])]
        assert payload["importedEmployee"]["version"] == 1
    moved = await done(database, IMPORT, sent(second, id=str(ola.id)))
    assert (moved["companyId"], moved["employee"]["companyId"]) == (second.id, second.id)


@pytest.mark.rule("E04")
@pytest.mark.rule("E11")
async def test_a_number_is_given_once_in_a_company_with_or_without_prefix(database: Database) -> None:
    await the_codes(database)
    company, second = await a_company(database, employee_no_prefix="T-"), await a_company(database)
    await done(database, IMPORT, sent(company))
    for number in ("17", "T-17"):
        errors = await refused(database, IMPORT, sent(company, employeeNo=number))
        assert errors == [("EMPLOYEE_NO_TAKEN", "employeeNo", ["17"])]
    await done(database, IMPORT, sent(second))
    made = await done(database, IMPORT, sent(company, employeeNo="T-18"))
    assert (made["employeeNo"], made["employee"]["employeeNo"]) == ("18", "T-18")
    made = await done(database, IMPORT, sent(company, employeeNo="T-"))
    assert (made["employeeNo"], made["employee"]["employeeNo"]) == ("T-", "T-")
    assert await numbers(database) == [("17", "T-17", 1), ("17", "17", 1), ("18", "T-18", 1), ("T-", "T-", 1)]


@pytest.mark.rule("E04")
@pytest.mark.rule("E11")
async def test_numbers_that_begin_with_the_prefix_twice_are_numbers_of_their_own(database: Database) -> None:
    await the_codes(database)
    company = await a_company(database, employee_no_prefix="1")
    for number in ("2", "112", "111", "11"):
        await done(database, IMPORT, sent(company, employeeNo=number))
    found = [("2", "12", 1), ("112", "112", 1), ("111", "111", 1), ("11", "11", 1)]
    assert await numbers(database) == found
    for number, of in (("12", "2"), ("1", None)):
        errors = await refused(database, IMPORT, sent(company, employeeNo=number)) if of else []
        assert errors == ([("EMPLOYEE_NO_TAKEN", "employeeNo", [of])] if of else [])


@pytest.mark.rule("E04")
async def test_one_of_many_imports_of_one_number_wins(database: Database) -> None:
    await the_codes(database)
    company = await a_company(database)
    answers = await asyncio.gather(*(answered(database, IMPORT, sent(company)) for _ in range(8)))
    errors = sorted(each for _, found in answers for each in found)
    assert errors == [("EMPLOYEE_NO_TAKEN", "employeeNo", ["17"])] * 7
    assert len(await rows(database, personnel.Employee)) == 1


@pytest.mark.rule("E14")
async def test_nobody_is_added_to_a_deleted_company(database: Database) -> None:
    await the_codes(database)
    company, gone = await a_company(database), await a_company(database)
    ola, kari = await an_employee(database, company), await an_employee(database, gone)
    async with database.write() as session:
        table: Any = personnel.Company.__table__
        await session.execute(update(table).where(table.c.id == gone.id).values(is_deleted=True))
    error = ("COMPANY_DELETED", "companyId", [str(gone.id)])
    assert await refused(database, IMPORT, sent(gone)) == [error]
    assert await refused(database, IMPORT, sent(gone, id=str(ola.id))) == [error]
    assert (await done(database, IMPORT, sent(gone, id=str(kari.id), isDeleted=True)))["isDeleted"] is True


@pytest.mark.rule("E53")
async def test_local_employees_are_for_companies_that_allow_them(database: Database) -> None:
    await the_codes(database)
    await a_code(database, codes.EmploymentType, "LOKAL", is_pensioner=False)
    company, allowing = await a_company(database), await a_company(database, allow_local_employees=True)
    error = ("LOCAL_EMPLOYEES_NOT_ALLOWED", "employmentTypeId", ["LOKAL"])
    assert await refused(database, IMPORT, sent(company, employmentTypeId="LOKAL")) == [error]
    made = await done(database, IMPORT, sent(allowing, employmentTypeId="LOKAL"))
    assert made["employmentTypeId"] == "LOKAL"


async def test_a_user_cannot_import(database: Database) -> None:
    await the_codes(database)
    company = await a_company(database)
    before = await everything(database)
    assert await refused(database, IMPORT, sent(company), USER) == [
        ("COMPANY_NOT_FOUND", "companyId", [str(company.id)])
    ]
    assert await everything(database) == before


@pytest.mark.rule("E23")
async def test_an_ssn_is_neither_logged_nor_hashed_in_the_open(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    await the_codes(database)
    company = await a_company(database)
    given = sent(company, ssn="73019", disabilityGrade=40, disabilityFromDate="2025-04-03")
    context = Context(database, VIEWER)
    for _ in range(2):
        result = await schema.execute(KEYED, variable_values={"input": given}, context_value=context)
        assert result.data is not None
        assert result.data["importEmployee"]["importedEmployee"]["version"] == 1
    other = {**given, "ssn": "73020"}
    result = await schema.execute(KEYED, variable_values={"input": other}, context_value=context)
    assert result.data is not None
    assert result.data["importEmployee"]["userErrors"][0]["code"] == "IDEMPOTENCY_KEY_REUSED"
    stored = {name: each for name, each in (await everything(database)).items() if name != "imported_employee"}
    told = json.dumps(await audited(database))
    assert "73019" not in str(stored) + told + "".join(capsys.readouterr())
    assert "2025-04-03" not in told
    fields = {
        field["name"]: field["after"] for change in json.loads(told)[0][1]["changes"] for field in change["fields"]
    }
    hidden = {name for name, value in fields.items() if value == HIDDEN}
    assert {"ssn", "disability_grade", "disability_from_date"} <= hidden


@pytest.mark.rule("E21")
def test_codes_of_holders_cannot_be_guessed() -> None:
    found = {new_holder_code() for _ in range(1000)}
    assert len(found) == 1000
    for code in found:
        parts = code.split("-")
        assert [len(part) for part in parts] == [5, 5, 5]
        assert set("".join(parts)) <= set("ABCDEFGHJKLMNPQRSTUVWXYZ23456789")
