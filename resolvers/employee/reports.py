"""Reports of the tax savings of a company's employees, made in the background (rules E50 and E51)."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import strawberry
from strawberry import ID

from datastore.database import Database
from datastore.employee import reports as stored
from datastore.employee.calculation import visible_company
from datastore.employee.rights import TaxSavingReport
from datastore.reading import visible, within
from datastore.viewer import Viewer
from datastore.writing import Write
from resolvers.customer.owned import key_in
from resolvers.employee.importing import by_whom
from resolvers.employee.spreadsheet import lines_of
from resolvers.errors import ErrorCode, refuse
from resolvers.oslo import today
from resolvers.scalars import Long
from resolvers.wanted import Reading, WantedRow

OPERATION = "startTaxSavingReport"
FIRST_YEAR = 1900
BATCH = 1_000
COLUMNS = ("employeeNo", "name", "year", "month", "taxSaving", "isUnknown")


@strawberry.input(description="The company and the month of a report.")
class StartTaxSavingReportInput:
    company_id: Long = strawberry.field(description="Id of the company.")
    year: int = strawberry.field(description="The year.")
    month: int = strawberry.field(description="The month, 1 to 12: one that has begun.")


async def start_tax_saving_report(write: Write, given: StartTaxSavingReportInput) -> TaxSavingReport:
    """The report, which is made in the background.

    Raises `Refused`: MONTH_INVALID for one that has not begun in Norway, COMPANY_NOT_FOUND (a foreign one too, T04),
    REPORT_RUNNING.
    """
    day = today(write.now)
    if not 1 <= given.month <= 12 or not (FIRST_YEAR, 1) <= (given.year, given.month) <= (day.year, day.month):
        name = "year" if 1 <= given.month <= 12 and given.year != day.year else "month"
        raise refuse(ErrorCode.MONTH_INVALID, name, rejected=[getattr(given, name)])
    company = await visible_company(within(write.session), write.viewer, given.company_id)
    if company is None:
        raise refuse(ErrorCode.COMPANY_NOT_FOUND, "companyId", rejected=[given.company_id])
    if await stored.is_being_made(write, company.id, given.year, given.month):
        raise refuse(ErrorCode.REPORT_RUNNING, "month", rejected=[given.month])
    report = TaxSavingReport(
        company_id=company.id,
        year=given.year,
        month=given.month,
        separator=company.report_separator,
        started=write.now,
        started_by=by_whom(write),
    )
    write.session.add(report)
    await write.session.flush()
    return report


@Reading
def tax_saving_report(viewer: Viewer, id: ID) -> WantedRow | None:
    """The report with this id, being made or made, or None."""
    key = key_in(id)
    if key is None:
        return None
    return WantedRow(
        row=TaxSavingReport,
        shape="taxSavingReport",
        values={"key": key},
        statement=lambda viewer, values: visible(TaxSavingReport, viewer).where(TaxSavingReport.id == values["key"]),
    )


def whole_csv(report: TaxSavingReport) -> str | None:
    """The text of a report once it is finished."""
    return None if report.finished is None else report.csv


class ReportJob:
    """The reports that are being made, for `gateway.background`."""

    name = OPERATION

    async def waiting(self, database: Database) -> Sequence[int]:
        """The keys of those that are being made."""
        return await stored.waiting(database)

    async def batch(self, database: Database, key: int) -> bool:
        """Write the next lines. False where another process is at it, or the report has ended."""
        async with database.write() as session:
            report = await stored.locked(session, key)
            if report is None:
                return False
            total, text = report.rows_total, ""
            if total is None:
                total, text = await stored.count(session, report), lines_of([COLUMNS], report.separator)
            found = await stored.savings(session, report, BATCH)
            text += lines_of([line_of(report, each) for each in found], report.separator)
            done = report.rows_done + len(found)
            is_last = len(found) < BATCH
            # Savings that come in meanwhile may make more lines than were counted.
            percent = 100 if is_last else max(report.progress, min(99, 100 * done // max(total, 1)))
            more = {"progress": percent, "rows_total": total, "rows_done": done}
            if found:
                more["last_employee_id"] = found[-1].id
            await stored.extend(session, key, text, finished=datetime.now(UTC) if is_last else None, **more)
        return True

    async def give_up(self, database: Database, key: int) -> None:
        """Note that a report cannot be made."""
        await stored.give_up(database, key, ErrorCode.INTERNAL.value.long_english)

    async def clean(self, database: Database) -> None:
        """Reports are kept."""


def line_of(report: TaxSavingReport, found: Any) -> Sequence[object]:
    """The cells of a line. The amount is in kroner with two decimals; an unknown one is empty."""
    name = f"{found.first_name} {found.surname}"
    unknown = found.amount is None
    amount = "" if unknown else f"{Decimal(found.amount).scaleb(-2):.2f}"
    return (found.employee_no, name, report.year, report.month, amount, "true" if unknown else "false")
