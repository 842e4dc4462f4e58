"""Imports and reports in gateways that are killed half-way, and what an import of many takes.

`KUNDEPORT_LONG=50000` makes the long one import so many employees.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import psutil
import pytest
from sqlalchemy import func, insert, select

from datastore.audit_check import verify
from datastore.database import Database
from datastore.employee.personnel import Employee
from datastore.employee.rights import EmployeeImport, TaxSaving, TaxSavingReport
from datastore.viewer import GRANTABLE, TenantKind
from gateway.identity.demo import Role
from resolvers.employee.reports import BATCH
from tests.conftest import KEYS
from tests.employee.importing import IMPORT, a_row, contents, csv_of, left_of_uploads
from tests.employee.test_reports import START
from tests.factories.employee import a_company, some_employees, the_codes
from tests.gateway.client import authorization, environment
from tests.gateway.conftest import serving

pytestmark = pytest.mark.timeout(300)  # each test starts gateways

HR = Role("A personnel department.", TenantKind.PARTNER, 1, GRANTABLE, "hr", "hr")
ROWS = int(os.environ.get("KUNDEPORT_LONG", "3000"))


def on_database(url: str, act: Callable[[Database], Awaitable[Any]]) -> Any:
    """What an act on the database answers."""

    async def work() -> Any:
        database = Database(url, keys=KEYS)
        try:
            return await act(database)
        finally:
            await database.close()

    return asyncio.run(work())


def settings(url: str) -> dict[str, str]:
    """Those of a gateway that looks often for what there is to do."""
    return {**environment(url), "KUNDEPORT_BACKGROUND_SECONDS": "0.05"}


async def companies(database: Database) -> list[int]:
    """Two companies."""
    await the_codes(database)
    return [(await a_company(database)).id for _ in range(2)]


def rows_of(number: int) -> str:
    """A CSV in which every hundredth row is bad."""
    bad = {7: {"ssn": "bad"}, 42: {"dateOfBirth": "soon"}, 77: {"employmentTypeId": "NONE"}}
    rows = [a_row(each, **bad.get(each % 100, {})) for each in range(number - 1)]
    return csv_of([*rows, a_row(3)], ";")


def graphql(base_url: str, text: str, given: dict[str, Any]) -> Any:
    """The first field of the payload."""
    answer = httpx.post(
        f"{base_url}/graphql",
        json={"query": text, "variables": {"input": given}},
        headers=authorization(HR),
        timeout=60,
    )
    (payload,) = answer.json()["data"].values()
    assert payload.pop("userErrors") == []
    return next(iter(payload.values()))


def begin(base_url: str, company_id: int, text: str) -> int:
    """The key of an import of a CSV that has begun."""
    headers = {**authorization(HR), "Content-Type": "text/csv"}
    url = f"{base_url}/uploads/employees?companyId={company_id}"
    uploaded = httpx.post(url, content=text.encode(), headers=headers, timeout=120)
    assert uploaded.status_code == 200, uploaded.text
    given = {"companyId": company_id, "uploadId": uploaded.json()["uploadId"]}
    return int(graphql(base_url, IMPORT, given)["id"])


def row_of(url: str, row: Any, key: int, is_enough: Callable[[Any], bool], process: serving | None = None) -> Any:
    """A row once it is as it is waited for; if there is a process, it is killed at that moment."""

    async def act(database: Database) -> Any:
        async with asyncio.timeout(250):
            while True:
                found = (await database.fetch(select(row.__table__).where(row.id == key)))[0]
                if is_enough(found):
                    break
                await asyncio.sleep(0.002 if process else 0.02)
        if process:
            process.process.send_signal(signal.SIGKILL)
            process.process.wait(timeout=30)
        return found

    return on_database(url, act)


def run_of(url: str, key: int, is_enough: Callable[[Any], bool] = bool, process: serving | None = None) -> Any:
    """An import, once it is as it is waited for."""
    return row_of(url, EmployeeImport, key, is_enough, process)


def has_begun(row: Any) -> bool:
    return bool(row.rows_done)


def test_an_import_whose_gateway_is_killed_goes_on_in_the_next_one_without_anybody_twice(url: str) -> None:
    first, second = on_database(url, companies)
    text = rows_of(1500)
    process = serving(settings(url))
    with process as base_url:
        undisturbed = begin(base_url, first, text)
        run_of(url, undisturbed, lambda run: run.finished_at is not None)
        key = begin(base_url, second, text)
        run_of(url, key, has_begun, process)
    half = run_of(url, key)
    assert 0 < half.rows_done < 1500
    assert half.finished_at is None
    with serving(settings(url)):
        run_of(url, key, lambda run: run.finished_at is not None)

    names = ("rows_total", "rows_done", "inserted", "updated", "unchanged", "failed", "errors", "error", "chunks_done")
    one, other = run_of(url, undisturbed), run_of(url, key)
    assert [getattr(other, name) for name in names] == [getattr(one, name) for name in names]
    assert (one.inserted, one.failed, one.rows_done) == (1454, 46, 1500)

    async def act(database: Database) -> None:
        found = await contents(database)
        for rows in (found["imported_employee"], found["employee"]):
            parts = [
                sorted(({**row, "company_id": 0} for row in rows if row["company_id"] == each), key=str)
                for each in (first, second)
            ]
            assert len(parts[0]) == 1454
            assert parts[0] == parts[1]
        assert len(found["ticket_rights_holder"]) == 2 * 1454
        assert (await left_of_uploads(database))[1] == 0
        assert {each.problem async for each in verify(database)} == {""}

    on_database(url, act)


@pytest.mark.rule("E51")
def test_a_report_whose_gateway_is_killed_goes_on_in_the_next_one_without_a_line_twice(url: str) -> None:
    number = 2 * BATCH + 500

    async def savings(database: Database) -> int:
        await the_codes(database)
        company = await a_company(database)
        employees = await some_employees(database, company, *[{}] * number)
        rows = [{"employee_id": each.id, "year": 2026, "month": 6, "amount": each.id} for each in employees]
        async with database.write() as session:
            await session.execute(insert(TaxSaving), rows)
        return company.id

    company_id = on_database(url, savings)
    process = serving(settings(url))
    with process as base_url:
        key = int(graphql(base_url, START, {"companyId": company_id, "year": 2026, "month": 6})["id"])
        half = row_of(url, TaxSavingReport, key, has_begun, process)
    assert 0 < half.progress <= 100
    with serving(settings(url)):
        whole = row_of(url, TaxSavingReport, key, lambda found: found.finished is not None)
    assert (whole.progress, whole.error, whole.rows_done) == (100, None, number)
    lines = whole.csv.splitlines()
    assert len(lines) == len(set(lines)) == number + 1


def test_what_an_import_takes_does_not_grow_with_its_rows(url: str) -> None:
    """Memory of the process, and the time in which others are answered."""
    first, second = on_database(url, companies)
    process = serving(settings(url))
    peaks = []
    with process as base_url:
        memory = psutil.Process(process.process.pid)
        for company_id, number in ((first, 1_000), (second, ROWS)):
            key, peak = begin(base_url, company_id, rows_of(number)), 0
            slowest = 0.0
            while (run := run_of(url, key)).finished_at is None:
                peak = max(peak, memory.memory_info().rss)
                begun = time.monotonic()
                assert httpx.get(f"{base_url}/health/ready").status_code == 200
                slowest = max(slowest, time.monotonic() - begun)
                time.sleep(0.02)
            peaks.append(max(peak, memory.memory_info().rss))
            assert (run.rows_done, run.failed) == (number, number * 3 // 100 + 1)
            sys.stderr.write(f"{number} rows: {peaks[-1] >> 20} MiB, slowest answer {slowest:.3f} s\n")
    assert peaks[1] < 1.3 * peaks[0]

    async def count(database: Database) -> int:
        return int((await database.fetch(select(func.count()).select_from(Employee)))[0][0])

    assert on_database(url, count) == 969 + ROWS - (ROWS * 3 // 100 + 1)
