"""Reports of tax savings, which are made in the background (rules E50 and E51)."""

import asyncio
import csv
import io
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from datastore.database import Database
from datastore.employee import reports as statements_of
from datastore.employee.personnel import Company, Employee
from datastore.employee.rights import TaxSaving, TaxSavingReport
from datastore.viewer import GRANTABLE, Viewer
from resolvers.employee import reports
from resolvers.employee.reports import ReportJob
from tests.conftest import KEYS
from tests.customer.mutations import Values, answered, document, done, freeze, refused
from tests.execute import FOREIGNER, INTERNAL, VIEWER, execute
from tests.factories.employee import a_company, some_employees, the_codes
from tests.statements import statements

FIELDS = "id companyId year month started progress finished error csv company { name }"
START = document("startTaxSavingReport", f"taxSavingReport {{ {FIELDS} }}")
LOOK = f"query($id: ID!) {{ taxSavingReport(id: $id) {{ {FIELDS} }} }}"
JUNE = {"year": 2026, "month": 6}
HEAD = ["employeeNo", "name", "year", "month", "taxSaving", "isUnknown"]


@pytest.fixture(autouse=True)
def it_is_july_2026(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first of it, in Norway; in UTC it is still June."""
    freeze(monkeypatch)


@pytest.fixture
async def company(database: Database) -> Company:
    """A company with the codes of the builders."""
    await the_codes(database)
    return await a_company(database)


async def savings(database: Database, company: Company, *amounts: int | None, **values: Any) -> list[Employee]:
    """A new employee with a saving in June 2026 for each amount; a keyword sets a column of the employees, or another
    month."""
    month = {name: values.pop(name, JUNE[name]) for name in JUNE}
    employees = await some_employees(database, company, *[values for _ in amounts])
    rows = [
        {"employee_id": each.id, **month, "amount": amount} for each, amount in zip(employees, amounts, strict=True)
    ]
    async with database.write() as session:
        await session.execute(insert(TaxSaving), rows)
    return employees


async def looked(database: Database, key: str, viewer: Viewer = VIEWER) -> Any:
    return (await execute(database, LOOK, viewer, id=key))["taxSavingReport"]


async def made(database: Database, company: Company, **month: int) -> Values:
    """The report of a month, June 2026 unless another one is given, made whole."""
    key = (await done(database, START, {"companyId": company.id, **JUNE, **month}))["id"]
    while await ReportJob().batch(database, int(key)):
        pass
    found: Values = await looked(database, key)
    return found


def lines(report: Values, separator: str = ",") -> list[list[str]]:
    return list(csv.reader(io.StringIO(report["csv"], newline=""), delimiter=separator))


@pytest.mark.rule("E50")
async def test_a_report_has_the_savings_of_a_companys_month(database: Database, company: Company) -> None:
    await savings(database, company, 12345, None, 0)
    await savings(database, company, 7, month=5)
    await savings(database, company, 8, year=2025)
    await savings(database, await a_company(database), 9)
    report = await made(database, company)
    assert lines(report) == [
        HEAD,
        ["E1", "Ola Nordmann", "2026", "6", "123.45", "false"],
        ["E2", "Ola Nordmann", "2026", "6", "", "true"],
        ["E3", "Ola Nordmann", "2026", "6", "0.00", "false"],
    ]
    assert (report["year"], report["month"], report["company"]["name"]) == (2026, 6, "Togselskapet")
    assert (report["progress"], report["error"]) == (100, None)


@pytest.mark.rule("E50")
async def test_cells_are_quoted_with_the_companys_separator_and_never_formulas(database: Database) -> None:
    await the_codes(database)
    company = await a_company(database, report_separator=";")
    await savings(database, company, 1, employee_no='=cmd|"x"', first_name="@SUM(1;2)", surname='"Kari"')
    report = await made(database, company)
    assert report["csv"].splitlines()[1] == '"\'=cmd|""x""";"\'@SUM(1;2) ""Kari""";"2026";"6";"0.01";"false"'
    assert lines(report, ";")[0] == HEAD


async def test_a_report_keeps_the_separator_that_it_began_with(
    database: Database, company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "BATCH", 1)
    await savings(database, company, 1, 2)
    key = (await done(database, START, {"companyId": company.id, **JUNE}))["id"]
    await ReportJob().batch(database, int(key))
    async with database.write() as session:
        await session.execute(update(Company).values(report_separator=";"))
    while await ReportJob().batch(database, int(key)):
        pass
    assert [len(line) for line in lines(await looked(database, key))] == [6, 6, 6]


@pytest.mark.rule("E51")
async def test_progress_never_falls_and_the_text_comes_at_the_end(
    database: Database, company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "BATCH", 2)
    await savings(database, company, *range(5))
    key = (await done(database, START, {"companyId": company.id, **JUNE}))["id"]
    seen = [await looked(database, key)]
    assert (seen[0]["progress"], seen[0]["finished"], seen[0]["csv"]) == (0, None, None)
    while await ReportJob().batch(database, int(key)):
        seen.append(await looked(database, key))
        if len(seen) == 2:
            await savings(database, company, *range(10))  # more than were counted
    progress = [each["progress"] for each in seen]
    assert progress == sorted(progress)
    assert progress[:4] == [0, 40, 80, 99]
    assert [each["finished"] is None for each in seen] == [True] * (len(seen) - 1) + [False]
    assert [each["csv"] is None for each in seen] == [each["finished"] is None for each in seen]
    assert (progress[-1], len(lines(seen[-1]))) == (100, 16)


@pytest.mark.rule("E51")
async def test_a_report_without_savings_has_only_the_names_of_the_columns(database: Database, company: Company) -> None:
    report = await made(database, company)
    assert (lines(report), report["progress"]) == ([HEAD], 100)


@pytest.mark.rule("E51")
async def test_a_report_that_cannot_be_made_has_an_error_and_is_not_finished(
    database: Database, company: Company
) -> None:
    await savings(database, company, 1)
    key = (await done(database, START, {"companyId": company.id, **JUNE}))["id"]
    await ReportJob().give_up(database, int(key))
    report = await looked(database, key)
    assert report["error"]
    assert (report["finished"], report["csv"], report["progress"]) == (None, None, 0)
    assert await ReportJob().waiting(database) == []
    assert not await ReportJob().batch(database, int(key))
    done_key = (await made(database, company))["id"]
    await ReportJob().give_up(database, int(done_key))
    assert (await looked(database, done_key))["error"] is None


async def test_a_batch_that_is_undone_is_made_again_without_a_line_twice(
    database: Database, company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "BATCH", 2)
    await savings(database, company, *range(5))
    undisturbed = (await made(database, company))["csv"]
    key = (await done(database, START, {"companyId": company.id, **JUNE}))["id"]
    await ReportJob().batch(database, int(key))
    extend = statements_of.extend

    async def fail(*given: Any, **values: Any) -> None:
        await extend(*given, **values)
        raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(statements_of, "extend", fail)
        with pytest.raises(RuntimeError, match="killed"):
            await ReportJob().batch(database, int(key))
    while await ReportJob().batch(database, int(key)):
        pass
    assert (await looked(database, key))["csv"] == undisturbed


async def test_two_workers_make_a_report_once(
    url: str, database: Database, company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "BATCH", 3)
    await savings(database, company, *range(30))
    key = (await done(database, START, {"companyId": company.id, **JUNE}))["id"]
    other = Database(url, keys=KEYS)

    async def work(each: Database) -> None:
        for _ in range(20):
            await ReportJob().batch(each, int(key))

    await asyncio.gather(work(database), work(other))
    assert [line[4] for line in lines(await looked(database, key))[1:]] == [f"0.{each:02}" for each in range(30)]
    await other.close()


async def test_a_batch_takes_three_statements(database: Database, company: Company) -> None:
    await savings(database, company, *range(40))
    key = (await done(database, START, {"companyId": company.id, **JUNE}))["id"]
    with statements(database) as texts:
        assert await ReportJob().batch(database, int(key))
    assert len(texts) == 4  # the first counts, too


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"month": 0}, "month"),
        ({"month": 13}, "month"),
        ({"month": 8}, "month"),
        ({"year": 2027, "month": 1}, "year"),
        ({"year": 1899}, "year"),
        ({"year": -1}, "year"),
    ],
)
async def test_a_month_must_be_one_that_has_begun_in_norway(
    database: Database, company: Company, given: Values, path: str
) -> None:
    values = {"companyId": company.id, **JUNE, **given}
    assert await refused(database, START, values) == [("MONTH_INVALID", path, [str(given[path])])]
    assert (await made(database, company, month=7))["month"] == 7


@pytest.mark.rule("T04")
async def test_foreign_companies_and_reports_are_as_unknown_ones(database: Database, company: Company) -> None:
    key = (await made(database, company))["id"]
    for viewer in (FOREIGNER, Viewer(1, permissions=GRANTABLE, company_id=company.id + 1)):
        assert await refused(database, START, {"companyId": company.id, **JUNE}, viewer) == [
            ("COMPANY_NOT_FOUND", "companyId", [str(company.id)])
        ]
        assert await looked(database, key, viewer) is None
    assert await refused(database, START, {"companyId": 999, **JUNE}) == [("COMPANY_NOT_FOUND", "companyId", ["999"])]
    for unknown in ("0", "x", "9" * 30):
        assert await looked(database, unknown) is None
    assert (await looked(database, key, INTERNAL))["id"] == key


async def test_a_month_is_reported_once_at_a_time(url: str, database: Database, company: Company) -> None:
    given = {"companyId": company.id, **JUNE}
    other = Database(url, keys=KEYS)
    both = await asyncio.gather(*(answered(each, START, given) for each in (database, other)))
    assert sorted(error for _, errors in both for error in errors) == [("REPORT_RUNNING", "month", ["6"])]
    await done(database, START, {**given, "month": 5})
    for key in await ReportJob().waiting(database):
        await ReportJob().batch(database, key)
    assert (await done(database, START, given))["progress"] == 0
    rows = await database.fetch(select(TaxSavingReport.id))
    assert len(rows) == 3
    await other.close()


async def test_when_it_was_made_is_told(database: Database, company: Company) -> None:
    report = await made(database, company)
    assert report["started"] == "2026-06-30T22:30:00.123Z"
    assert datetime.fromisoformat(report["finished"]) <= datetime.now(UTC)
