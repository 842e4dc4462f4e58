"""setEmployeeYearlyFee, setEmployeeDisabilityProof, setFamilyMemberLowIncome, setEmployeeCategory (E15 to E19)."""

import asyncio
import json
from datetime import UTC, date, datetime
from typing import Any

import pytest

from datastore.changes import HIDDEN
from datastore.database import Database
from datastore.employee import personnel
from tests.customer.mutations import answered, document, done, errors_of, events, freeze, unchanged
from tests.employee.personnel import USER, audited, rows
from tests.execute import FOREIGNER
from tests.factories.employee import a_company, a_family_member, a_product, an_employee, the_codes

FEE = document("setEmployeeYearlyFee", "yearlyFee { year isPaid version }")
PROOF = document("setEmployeeDisabilityProof", "disabilityProof { year isRegistered version }")
INCOME = document("setFamilyMemberLowIncome", "lowIncome { year isRegistered version }")
CATEGORY = document("setEmployeeCategory", "category { year product { id } version }")


@pytest.fixture(autouse=True)
def in_2026(monkeypatch: pytest.MonkeyPatch) -> None:
    freeze(monkeypatch)


async def the_acts(database: Database) -> list[tuple[str, dict[str, Any], str, str]]:
    """Each document with an input that lacks the year, the field with a flag, and the field that names the person."""
    await the_codes(database)
    ola = await an_employee(database, await a_company(database))
    kari = await a_family_member(database, ola)
    product = await a_product(database)
    return [
        (FEE, {"employeeId": ola.id}, "isPaid", "employeeId"),
        (PROOF, {"employeeId": ola.id}, "isRegistered", "employeeId"),
        (INCOME, {"familyMemberId": kari.id}, "isRegistered", "familyMemberId"),
        (CATEGORY, {"employeeId": ola.id, "productId": str(product.id)}, "", "employeeId"),
    ]


@pytest.mark.rule("E15")
@pytest.mark.rule("E16")
@pytest.mark.rule("E17")
async def test_a_year_has_one_row_that_is_set_again(database: Database) -> None:
    for text, given, flag, _ in await the_acts(database):
        value = {"product": {"id": given["productId"]}} if not flag else {flag: True}
        sent: dict[str, Any] = {} if not flag else value
        for year in (2026, 2027):
            made = await done(database, text, {**given, **sent, "year": year, "expectedVersion": 0})
            assert made == {"year": year, **value, "version": 1}
            if flag:
                value, sent = {flag: False}, {flag: False}
            made = await done(database, text, {**given, **sent, "year": year, "expectedVersion": 1})
            assert made == {"year": year, **value, "version": 2}
            made = await done(database, text, {**given, **sent, "year": year})
            assert made["version"] == 3
    for row in (personnel.EmployeeYearlyFee, personnel.EmployeeDisabilityProof, personnel.FamilyMemberLowIncome):
        assert [each.year for each in await rows(database, row)] == [2026, 2027]
    assert await events(database) == []


@pytest.mark.rule("E15")
@pytest.mark.rule("E19")
async def test_only_this_year_and_the_next_one_in_norway_are_set(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    acts = await the_acts(database)
    async with unchanged(database):
        for text, given, flag, _ in acts:
            sent = {**given, **({flag: True} if flag else {})}
            for year in (2025, 2028, 0, -1, 2**31 - 1):
                errors = await errors_of(database, text, {**sent, "year": year})
                assert errors == [("YEAR_NOT_ALLOWED", "year", [str(year)])]
    freeze(monkeypatch, datetime(2026, 12, 31, 23, 30, tzinfo=UTC))  # in Norway it is 2027
    for text, given, flag, _ in acts:
        sent = {**given, **({flag: True} if flag else {})}
        assert (await done(database, text, {**sent, "year": 2028}))["year"] == 2028
        assert await errors_of(database, text, {**sent, "year": 2026}) == [("YEAR_NOT_ALLOWED", "year", ["2026"])]


@pytest.mark.rule("E17")
@pytest.mark.rule("E46")
async def test_a_product_has_to_be_valid_in_the_year(database: Database) -> None:
    *_, (text, given, _, _) = await the_acts(database)
    ends = await a_product(database, valid_until=date(2027, 1, 1))
    begins = await a_product(database, valid_from=date(2027, 12, 31))
    for product, year, is_possible in ((ends, 2026, True), (ends, 2027, False), (begins, 2026, False)):
        sent = {**given, "productId": str(product.id), "year": year}
        _, errors = await answered(database, text, sent)
        assert errors == ([] if is_possible else [("PRODUCT_NOT_FOUND", "productId", [str(product.id)])])
    made = await done(database, text, {**given, "productId": str(begins.id), "year": 2027})
    assert made["product"] == {"id": str(begins.id)}
    for unknown in ("999", "x"):
        errors = await errors_of(database, text, {**given, "productId": unknown, "year": 2026})
        assert errors == [("PRODUCT_NOT_FOUND", "productId", [unknown])]


@pytest.mark.rule("T04")
async def test_foreign_and_deleted_persons_are_refused(database: Database) -> None:
    acts = await the_acts(database)
    company = await a_company(database)
    gone = await an_employee(database, company, is_deleted=True)
    lost = await a_family_member(database, gone, is_deleted=True)
    async with unchanged(database):
        for text, given, flag, person in acts:
            sent = {**given, **({flag: True} if flag else {}), "year": 2026}
            code = "EMPLOYEE_NOT_FOUND" if person == "employeeId" else "FAMILY_MEMBER_NOT_FOUND"
            for stranger in (FOREIGNER, USER):
                wrong = {**sent, "year": 1, "expectedVersion": 9}
                assert await errors_of(database, text, wrong, stranger) == [(code, person, [str(sent[person])])]
            deleted = {**sent, person: gone.id if person == "employeeId" else lost.id}
            (error,) = await errors_of(database, text, deleted)
            assert error[0] == ("EMPLOYEE_DELETED" if person == "employeeId" else code)
            errors = await errors_of(database, text, {**sent, "expectedVersion": 1})
            assert errors == [("VERSION_CONFLICT", "expectedVersion", ["1"])]


@pytest.mark.rule("E15")
async def test_of_many_at_once_there_is_one_row(database: Database) -> None:
    (text, given, flag, _), *_ = await the_acts(database)
    sent = {**given, flag: True, "year": 2026}
    made = await asyncio.gather(*(done(database, text, sent) for _ in range(8)))
    assert sorted(each["version"] for each in made) == list(range(1, 9))
    assert len(await rows(database, personnel.EmployeeYearlyFee)) == 1
    first = {**sent, "year": 2027, "expectedVersion": 0}
    answers = await asyncio.gather(*(answered(database, text, first) for _ in range(8)))
    assert sorted(len(errors) for _, errors in answers) == [0] + [1] * 7


@pytest.mark.rule("E23")
async def test_health_and_income_are_hidden_in_the_log(database: Database) -> None:
    for text, given, flag, _ in (await the_acts(database))[1:3]:
        await done(database, text, {**given, flag: True, "year": 2026})
    for _, told in await audited(database):
        fields = {f["name"]: f["after"] for each in told["changes"] for f in each["fields"]}
        assert fields["is_registered"] == HIDDEN, json.dumps(told)
