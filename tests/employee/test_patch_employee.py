"""patchImportedEmployee (rule E13)."""

import asyncio
from datetime import date

import pytest

from datastore.database import Database
from datastore.employee import codes
from tests.customer.mutations import answered, done, errors_of, freeze, not_executed, unchanged
from tests.employee.personnel import EMPTY, IMPORT, PATCH, USER, patch, sent
from tests.execute import FOREIGNER
from tests.factories.employee import a_code, a_company, a_product, the_codes

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
NAMES = {"firstName": "Kari", "surname": "Ås", "dateOfBirth": "1990-02-03", "hireStartDate": "2021-01-01"}
NAMES |= {"ssn": "12345", "postalCode": "5003", "addressLine": "Ny gate 2"}


@pytest.fixture(autouse=True)
def in_2026(monkeypatch: pytest.MonkeyPatch) -> None:
    freeze(monkeypatch)


@pytest.mark.rule("E13")
async def test_what_is_absent_stays_and_null_clears(database: Database) -> None:
    await the_codes(database)
    company = await a_company(database, employee_no_prefix="T-")
    product = await a_product(database)
    first = await done(database, IMPORT, sent(company, **FULL))
    key = first["id"]
    second = await done(database, PATCH, patch(company, key))
    assert {**second, "version": 1, "employee": None} == {**first, "employee": None}
    third = await done(database, PATCH, patch(company, key, **NAMES, preferredProductId=product.id))
    want = {**FULL, **NAMES, "preferredProductId": product.id, "version": 3}
    assert {name: third[name] for name in want} == want
    assert {name: third["employee"][name] for name in NAMES} == NAMES
    assert third["employee"]["employeeNo"] == "T-17"
    cleared = [*FULL, "ssn", "postalCode", "addressLine", "preferredProductId"]
    fourth = await done(database, PATCH, patch(company, key, **dict.fromkeys(cleared), employmentPercentage=60))
    kept = {name: value for name, value in NAMES.items() if name not in cleared}
    want = {**kept, **EMPTY, "paidPercentage": 60, "ssn": None, "postalCode": None, "addressLine": None, "version": 4}
    assert {name: fourth[name] for name in want} == want
    assert {name: fourth["employee"][name] for name in want} == want
    assert (fourth["preferredProductId"], fourth["disabilityFromDate"]) == (None, None)


@pytest.mark.rule("E13")
async def test_a_patch_is_checked_with_what_is_stored(database: Database) -> None:
    await the_codes(database)
    await a_code(database, codes.PayType, "OLD", is_deleted=True)
    ended = await a_product(database, valid_until=date(2026, 7, 1))
    company = await a_company(database)
    await done(database, IMPORT, sent(company, employeeNo="16"))
    ola = await done(database, IMPORT, sent(company, **FULL))
    async with unchanged(database):
        for wrong, errors in (
            ({"hireStartDate": "2027-01-01"}, [("DATES_REVERSED", "hireEndDate", ["2026-12-31"])]),
            ({"hireEndDate": None}, [("REQUIRED", "hireEndDate", [])]),
            ({"disabilityFromDate": None}, [("REQUIRED", "disabilityFromDate", [])]),
            ({"disabilityGrade": 101}, [("PERCENTAGE_INVALID", "disabilityGrade", [])]),
            ({"surname": None}, [("REQUIRED", "surname", [])]),
            ({"dateOfBirth": None}, [("REQUIRED", "dateOfBirth", [])]),
            ({"employeeNo": " "}, [("REQUIRED", "employeeNo", [])]),
            ({"employeeNo": "16"}, [("EMPLOYEE_NO_TAKEN", "employeeNo", ["16"])]),
            ({"ssn": "1234"}, [("SSN_INVALID", "ssn", [])]),
            ({"ssn": ""}, [("REQUIRED", "ssn", [])]),
            ({"payType": "OLD"}, [("CODE_UNKNOWN", "payType", ["OLD"])]),
            ({"postalCode": "12345"}, [("POST_CODE_INVALID", "postalCode", ["12345"])]),
            ({"preferredProductId": 999}, [("PRODUCT_NOT_FOUND", "preferredProductId", ["999"])]),
            ({"preferredProductId": ended.id}, [("PRODUCT_NOT_FOUND", "preferredProductId", [str(ended.id)])]),
            ({"expectedVersion": None, "id": "x"}, [("EMPLOYEE_NOT_FOUND", "id", ["x"])]),
        ):
            assert await errors_of(database, PATCH, patch(company, ola["id"]) | wrong) == errors
        unknown = [("COMPANY_NOT_FOUND", "companyId", [str(company.id)])]
        for stranger in (FOREIGNER, USER):
            assert await errors_of(database, PATCH, patch(company, ola["id"]), stranger) == unknown
        payload, errors = await answered(database, PATCH, patch(company, ola["id"], expectedVersion=2))
        assert errors == [("VERSION_CONFLICT", "expectedVersion", ["2"])]
        assert payload["importedEmployee"]["version"] == 1
    for field in ("id", "companyId", "isDeleted", "employeeNo", "employmentTypeId", "employmentPercentage"):
        assert field in await not_executed(database, PATCH, patch(company, ola["id"]) | {field: None})


@pytest.mark.rule("E13")
async def test_one_of_many_patches_of_one_version_wins(database: Database) -> None:
    await the_codes(database)
    company = await a_company(database)
    ola = await done(database, IMPORT, sent(company))
    given = [patch(company, ola["id"], firstName=f"Ola {n}", expectedVersion=1) for n in range(8)]
    answers = await asyncio.gather(*(answered(database, PATCH, each) for each in given))
    assert sorted(len(errors) for _, errors in answers) == [0] + [1] * 7
    names = {payload["importedEmployee"]["firstName"] for payload, _ in answers}
    assert len(names) == 1  # the others are told what the one made of it
