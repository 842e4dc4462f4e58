"""Importing many employees: what becomes of a list and of a CSV, row by row."""

from typing import Any

import pytest
from sqlalchemy import select

from datastore.database import Database
from datastore.employee.codes import EmploymentType
from datastore.employee.personnel import Company, ImportedEmployee
from datastore.employee.rights import EmployeeImport, TicketRightsHolder
from tests.customer.mutations import HOSTILE, document, done, everything, refused
from tests.employee.importing import (
    IMPORT,
    a_row,
    contents,
    counts,
    csv_of,
    errors,
    imported,
    left_of_uploads,
    stored_employees,
    uploaded,
)
from tests.factories.employee import a_code, a_company, the_codes


@pytest.fixture
async def company(database: Database) -> Company:
    """Company 1, with the codes of the builders."""
    await the_codes(database)
    return await a_company(database)


# What is stored


@pytest.mark.rule("E01")
@pytest.mark.rule("E06")
@pytest.mark.rule("E09")
async def test_a_new_employee_is_stored_with_what_it_was_made_of_and_a_holder(
    database: Database, company: Company
) -> None:
    more = {"payType": "MONTHLY", "hireEndDate": "2026-06-30", "hireEndCause": "QUIT", "leaveFromDate": "2025-01-01"}
    full = a_row(7, **more, employmentPercentage=80, paidPercentage=70, abstainFromTicket=True, disabilityGrade=50)
    full |= {"disabilityFromDate": "2024-02-29", "employmentPercentageDate": "2023-01-01", "isDeleted": True}
    run = await imported(database, company, employees=[full, a_row(8, employmentPercentage=60)])
    assert counts(run) == (2, 0, 0, 0)
    assert (run["rowsTotal"], run["rowsDone"], run["progress"], run["errors"], run["error"]) == (2, 2, 100, [], None)
    seven, eight = (await stored_employees(database)).values()
    told = ("employment_percentage", "paid_percentage", "abstain_from_ticket", "disability_grade", "is_deleted")
    assert [seven[name] for name in told] == [80, 70, True, 50, True]
    assert [eight[name] for name in told] == [60, 60, False, 0, False]
    names = ("pay_type", "hire_end_cause", "hire_end_date", "leave_from_date", "disability_from_date")
    assert [str(seven[name]) for name in names] == ["MONTHLY", "QUIT", "2026-06-30", "2025-01-01", "2024-02-29"]
    assert (seven["ssn"], seven["version"], seven["created_by"], seven["source_last_update"]) == (
        "95088",
        1,
        "graphql",
        "graphql",
    )
    sources = await database.fetch(select(ImportedEmployee.__table__).order_by(ImportedEmployee.id))
    assert [(row.id, row.employee_no, row.surname) for row in sources] == [
        (row["id"], number, "Nordmann") for row, number in ((seven, "7"), (eight, "8"))
    ]
    assert all(database.keys.open(row.ssn, ImportedEmployee.ssn) == "95088" for row in sources)
    holders = await database.fetch(select(TicketRightsHolder.__table__).order_by(TicketRightsHolder.id))
    assert [(row.employee_id, row.family_member_id) for row in holders] == [(seven["id"], None), (eight["id"], None)]
    assert len({row.ticket_holder_code for row in holders}) == 2


async def test_an_import_of_many_is_one_by_one_what_import_employee_does(database: Database, company: Company) -> None:
    """Whatever way an employee comes, the same is stored, and the same is refused."""
    given = a_row(7, surname="  Ås ", payType="MONTHLY", disabilityGrade=20, disabilityFromDate="2020-01-01")
    other = await a_company(database)
    one = document("importEmployee", "importedEmployee { id }")
    await done(database, one, {**given, "companyId": other.id})
    await imported(database, company, employees=[given])
    found = await contents(database)
    assert len(found["employee"]) == 2
    for rows in found.values():
        first, second = ({name: value for name, value in row.items() if name != "company_id"} for row in rows)
        assert first == second


@pytest.mark.rule("E04")
async def test_what_is_imported_again_is_unchanged_and_what_differs_is_updated(
    database: Database, company: Company
) -> None:
    text = csv_of([a_row(number) for number in range(1200)])
    assert counts(await imported(database, company, uploadId=await uploaded(database, company, text))) == (
        1200,
        0,
        0,
        0,
    )
    before = await everything(database)
    again = await imported(database, company, uploadId=await uploaded(database, company, text))
    assert counts(again) == (0, 0, 1200, 0)
    after = await everything(database)
    told = {"employee_import", "audit_log", "audit_chain"}
    assert {name for name in before if before[name] != after[name]} == told
    changes = {3: {"surname": "Åsen"}, 4: {"ssn": "00001"}, 5: {"payType": "MONTHLY"}}
    rows = [a_row(number, **{"payType": None, **changes.get(number, {})}) for number in range(1200)]
    changed = await imported(database, company, uploadId=await uploaded(database, company, csv_of(rows)))
    assert counts(changed) == (0, 3, 1197, 0)
    stored = await stored_employees(database)
    assert [
        (stored[str(n)]["version"], stored[str(n)]["surname"], stored[str(n)]["ssn"], stored[str(n)]["pay_type"])
        for n in (2, 3, 4, 5)
    ] == [
        (1, "Nordmann", "95088", None),
        (2, "Åsen", "95088", None),
        (2, "Nordmann", "00001", None),
        (2, "Nordmann", "95088", "MONTHLY"),
    ]
    found = await contents(database)
    assert [row["surname_key"] for row in found["employee"] if row["surname"] == "Åsen"] != [
        found["employee"][0]["surname_key"]
    ]
    sources = [{**row, "employee_no": ""} for row in found["imported_employee"]]
    made = [
        {name: value for name, value in row.items() if name not in ("surname_key", "customer_number")}
        for row in found["employee"]
    ]
    assert sources == [{**row, "employee_no": ""} for row in made]


async def test_what_a_file_does_not_say_is_empty_then(database: Database, company: Company) -> None:
    await imported(database, company, employees=[a_row(1, payType="MONTHLY", leaveFromDate="2025-01-01")])
    assert counts(await imported(database, company, employees=[a_row(1)])) == (0, 1, 0, 0)
    (stored,) = (await stored_employees(database)).values()
    assert (stored["pay_type"], stored["leave_from_date"]) == (None, None)


@pytest.mark.rule("E11")
async def test_the_companys_prefix_is_put_before_a_number_once(database: Database) -> None:
    await the_codes(database)
    company = await a_company(database, employee_no_prefix="NT")
    run = await imported(database, company, employees=[a_row("1"), a_row("NT2"), a_row("NT1"), a_row("2")])
    assert counts(run) == (2, 0, 0, 2)
    assert errors(run) == [(3, "employeeNo", "EMPLOYEE_NO_TAKEN"), (4, "employeeNo", "EMPLOYEE_NO_TAKEN")]
    assert list(await stored_employees(database)) == ["NT1", "NT2"]
    assert [row["employee_no"] for row in (await contents(database))["imported_employee"]] == ["1", "2"]
    assert counts(await imported(database, company, employees=[a_row("NT1"), a_row("2")])) == (0, 0, 2, 0)


@pytest.mark.rule("E11")
async def test_a_number_that_begins_with_the_prefix_twice_is_somebody_else(database: Database) -> None:
    await the_codes(database)
    company = await a_company(database, employee_no_prefix="1")
    first = a_row("11", firstName="Ola")
    assert counts(await imported(database, company, employees=[first])) == (1, 0, 0, 0)
    assert counts(await imported(database, company, employees=[a_row("111", firstName="Kari")])) == (1, 0, 0, 0)
    assert counts(await imported(database, company, employees=[a_row("111", firstName="Kari"), first])) == (0, 0, 2, 0)
    names = {number: each["first_name"] for number, each in (await stored_employees(database)).items()}
    assert names == {"11": "Ola", "111": "Kari"}


async def test_the_same_number_twice_is_an_error_of_the_later_row_also_far_away(
    database: Database, company: Company
) -> None:
    rows = [a_row(number) for number in [*range(1100), 5]]
    for dry_run in (True, False):
        key = await uploaded(database, company, csv_of(rows))
        run = await imported(database, company, uploadId=key, dryRun=dry_run)
        assert counts(run) == (1100, 0, 0, 1)
        assert errors(run) == [(1102, "employeeNo", "EMPLOYEE_NO_TAKEN")]


async def test_companies_have_numbers_of_their_own(database: Database, company: Company) -> None:
    other = await a_company(database)
    for each in (company, other):
        assert counts(await imported(database, each, employees=[a_row(1)])) == (1, 0, 0, 0)


# What is wrong with a row

BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"ssn": "1234"}, "ssn", "SSN_INVALID"),
    ({"ssn": ""}, "ssn", "REQUIRED"),
    ({"ssn": "١٢٣٤٥"}, "ssn", "SSN_INVALID"),
    ({"surname": " "}, "surname", "REQUIRED"),
    ({"firstName": "x" * 101}, "firstName", "TEXT_TOO_LONG"),
    ({"employeeNo": "x" * 51}, "employeeNo", "TEXT_TOO_LONG"),
    ({"employeeNo": ""}, "employeeNo", "REQUIRED"),
    ({"postalCode": "155"}, "postalCode", "POST_CODE_INVALID"),
    ({"employmentTypeId": "NONE"}, "employmentTypeId", "CODE_UNKNOWN"),
    ({"payType": "NONE"}, "payType", "CODE_UNKNOWN"),
    ({"employmentPercentage": 101, "paidPercentage": 100}, "employmentPercentage", "PERCENTAGE_INVALID"),
    ({"hireEndDate": "2019-12-31"}, "hireEndDate", "DATES_REVERSED"),
    ({"hireEndCause": "QUIT"}, "hireEndDate", "REQUIRED"),
    ({"disabilityGrade": 1}, "disabilityFromDate", "REQUIRED"),
    ({"dateOfBirth": "2999-01-01"}, "dateOfBirth", "DATE_INVALID"),
]
BAD_CELLS: list[tuple[dict[str, Any], str, str]] = [
    ({"dateOfBirth": ""}, "dateOfBirth", "REQUIRED"),
    ({"dateOfBirth": "15.10.1986"}, "dateOfBirth", "VALUE_INVALID"),
    ({"dateOfBirth": "2025-02-29"}, "dateOfBirth", "VALUE_INVALID"),
    ({"hireStartDate": "x" * 5000}, "hireStartDate", "VALUE_INVALID"),
    ({"employmentPercentage": "50.5"}, "employmentPercentage", "VALUE_INVALID"),
    ({"employmentPercentage": "٥"}, "employmentPercentage", "VALUE_INVALID"),
    ({"employmentPercentage": "9" * 50}, "employmentPercentage", "VALUE_INVALID"),
    ({"isDeleted": "yes"}, "isDeleted", "VALUE_INVALID"),
    ({"companyId": "999"}, "companyId", "COMPANY_NOT_FOUND"),
    ({"id": "1"}, "id", "VALUE_INVALID"),
    ({"surname": "a\x00b"}, "surname", "TEXT_INVALID"),
]


@pytest.mark.rule("E05")
@pytest.mark.rule("E08")
@pytest.mark.rule("E10")
async def test_a_bad_row_of_a_list_is_left_out_and_the_others_are_imported(
    database: Database, company: Company
) -> None:
    bad = [a_row(100 + place, **values) for place, (values, _, _) in enumerate(BAD)]
    run = await imported(database, company, employees=[a_row(1), *bad, a_row(2)])
    assert counts(run) == (2, 0, 0, len(BAD))
    assert errors(run) == [(place, column, code) for place, (_, column, code) in enumerate(BAD, 2)]
    assert list(await stored_employees(database)) == ["1", "2"]


async def test_a_bad_cell_of_a_csv_is_told_by_line_and_column(database: Database, company: Company) -> None:
    columns = {"id": "", "companyId": company.id, **a_row(1)}
    rows = [{**columns, "employeeNo": str(place), **values} for place, (values, _, _) in enumerate(BAD_CELLS)]
    key = await uploaded(database, company, csv_of([columns | {"employeeNo": "ok"}, *rows]))
    run = await imported(database, company, uploadId=key)
    assert counts(run) == (1, 0, 0, len(BAD_CELLS))
    assert errors(run) == [(place, column, code) for place, (_, column, code) in enumerate(BAD_CELLS, 3)]


async def test_all_problems_of_a_row_are_told_each_column_once(database: Database, company: Company) -> None:
    bad = {"ssn": "", "hireEndDate": "soon", "hireEndCause": "QUIT", "payType": "NONE"}
    key = await uploaded(database, company, csv_of([a_row(1, **bad)]))
    run = await imported(database, company, uploadId=key)
    assert sorted(errors(run)) == [
        (2, "hireEndDate", "VALUE_INVALID"),
        (2, "payType", "CODE_UNKNOWN"),
        (2, "ssn", "REQUIRED"),
    ]
    assert run["failed"] == 1


async def test_malformed_and_very_long_rows_are_errors_of_those_rows(database: Database, company: Company) -> None:
    first, good, bad, last = csv_of([a_row(1), a_row(2), a_row(3)]).splitlines()
    long = good.replace("Storgata 1", "x" * 100_000)
    key = await uploaded(database, company, "\n".join([first, good, long, f"{bad},more", "a,b", last]), 1000)
    run = await imported(database, company, uploadId=key)
    assert counts(run) == (2, 0, 0, 3)
    assert errors(run) == [(3, None, "TEXT_TOO_LONG"), (4, None, "CSV_INVALID"), (5, None, "CSV_INVALID")]


@pytest.mark.parametrize(("text", "code"), HOSTILE)
async def test_hostile_texts_of_a_list_are_refused_and_not_quoted(
    database: Database, company: Company, text: str, code: str
) -> None:
    run = await imported(database, company, employees=[a_row(1, surname=text), a_row(2)])
    column = None if len(text) > 10_000 else "surname"
    assert (counts(run), errors(run)) == ((1, 0, 0, 1), [(1, column, code)])
    assert text[:100] not in str(run)


@pytest.mark.rule("E23")
async def test_errors_never_have_values(database: Database, company: Company) -> None:
    secret = {"ssn": "123456", "note": "secret note", "surname": "Secretsen" * 20, "disabilityGrade": 666}
    run = await imported(database, company, employees=[a_row(1, **secret)])
    assert run["failed"] == 1
    stored = str(await database.fetch(select(EmployeeImport.__table__)))
    for value in ("123456", "secret", "Secretsen", "666"):
        assert value not in str(run)
        assert value not in stored


@pytest.mark.rule("E12")
async def test_columns_that_are_not_stored_are_accepted_and_ignored(database: Database, company: Company) -> None:
    unused = {"isOnWaitPay": True, "jobDescription": "driver", "workPlaceId": "1", "preferredProductId": 5, "note": "x"}
    assert counts(await imported(database, company, employees=[a_row(1, **unused)])) == (1, 0, 0, 0)
    key = await uploaded(database, company, csv_of([a_row(1, **unused, waitPayDate="whatever")]))
    assert counts(await imported(database, company, uploadId=key)) == (0, 0, 1, 0)
    (stored,) = (await stored_employees(database)).values()
    assert (stored["note"], stored["preferred_product_id"]) == (None, None)


@pytest.mark.rule("E53")
@pytest.mark.parametrize("allowed", [True, False])
async def test_local_employees_need_a_company_that_allows_them(database: Database, allowed: bool) -> None:
    await the_codes(database)
    await a_code(database, EmploymentType, "LOCAL", is_pensioner=False)
    company = await a_company(database, allow_local_employees=allowed)
    run = await imported(database, company, employees=[a_row(1, employmentTypeId="LOCAL")])
    assert errors(run) == ([] if allowed else [(1, "employmentTypeId", "LOCAL_EMPLOYEES_NOT_ALLOWED")])


async def test_no_more_than_a_thousand_errors_are_kept(database: Database, company: Company) -> None:
    rows = [a_row(number, ssn="bad") for number in range(1500)]
    run = await imported(database, company, uploadId=await uploaded(database, company, csv_of(rows)))
    assert (counts(run), len(run["errors"])) == ((0, 0, 0, 1500), 1000)


# A dry run


async def test_a_dry_run_tells_the_same_and_stores_nobody(database: Database, company: Company) -> None:
    await imported(database, company, employees=[a_row(1), a_row(2)])
    rows = [a_row(1), a_row(2, surname="Hansen"), a_row(3), a_row(4, ssn="x"), *(a_row(n) for n in range(10, 700))]
    key = await uploaded(database, company, csv_of(rows))
    before = await contents(database)
    tried = await imported(database, company, uploadId=key, dryRun=True)
    assert (tried["isDryRun"], counts(tried), tried["progress"]) == (True, (691, 1, 1, 1), 100)
    assert await contents(database) == before
    again = await imported(database, company, uploadId=key, dryRun=True)
    real = await imported(database, company, uploadId=key)
    for run in (again, real):
        assert (counts(run), errors(run)) == (counts(tried), errors(tried))
    assert len({tried["id"], again["id"], real["id"]}) == 3
    assert len(await stored_employees(database)) == 693
    assert (await left_of_uploads(database))[1] == 0
    assert await refused(database, IMPORT, {"companyId": company.id, "uploadId": key}) == [
        ("IMPORT_NOT_FOUND", "uploadId", [key])
    ]
