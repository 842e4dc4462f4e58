"""Statements of the reports of tax savings, which are made in batches (rules E50 and E51)."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from datastore.database import Database
from datastore.employee.personnel import Employee
from datastore.employee.rights import TaxSaving, TaxSavingReport
from datastore.reading import columns
from datastore.writing import Write

REPORTS: Any = TaxSavingReport.__table__
LOCK = "tax saving report"
MOST_AT_ONCE = 10


async def is_being_made(write: Write, company_id: int, year: int, month: int) -> bool:
    """Whether the report of a company's month is being made. Nobody else begins one until the transaction ends."""
    await write.lock(LOCK, company_id, year, month)
    unended = TaxSavingReport.finished.is_(None), TaxSavingReport.error.is_(None)
    return await write.exists(TaxSavingReport, *unended, company_id=company_id, year=year, month=month)


async def waiting(database: Database) -> Sequence[int]:
    """The keys of the reports that are being made, the oldest first."""
    # In these words the partial index is used.
    unended = REPORTS.c.finished.is_(None) & REPORTS.c.error.is_(None)
    found = await database.fetch(select(REPORTS.c.id).where(unended).order_by(REPORTS.c.id).limit(MOST_AT_ONCE))
    return [row.id for row in found]


async def locked(session: AsyncSession, report_id: int) -> TaxSavingReport | None:
    """The report without its text, locked until the end of the transaction; None if it has ended or another process is
    at it."""
    parts = [column for column in columns(TaxSavingReport) if column.name != "csv"]
    unended = (REPORTS.c.id == report_id) & REPORTS.c.finished.is_(None) & REPORTS.c.error.is_(None)
    found = await session.execute(select(*parts).where(unended).with_for_update(skip_locked=True))
    return found.one_or_none()  # type: ignore[return-value]


async def count(session: AsyncSession, report: TaxSavingReport) -> int:
    """How many rows the report will have."""
    counted = select(func.count()).select_from(TaxSaving).join(Employee, Employee.id == TaxSaving.employee_id)
    return await session.scalar(counted.where(_in(report))) or 0


async def savings(session: AsyncSession, report: TaxSavingReport, limit: int) -> Sequence[Any]:
    """The next rows: key, number and names of the employee, and the amount."""
    parts = (Employee.id, Employee.employee_no, Employee.first_name, Employee.surname, TaxSaving.amount)
    statement = select(*parts).join(TaxSaving, Employee.id == TaxSaving.employee_id)
    wanted = statement.where(_in(report), Employee.id > report.last_employee_id).order_by(Employee.id).limit(limit)
    return (await session.execute(wanted)).all()


async def extend(session: AsyncSession, report_id: int, text: str, **values: Any) -> None:
    """Add to the text of a report, and set other columns."""
    longer = func.coalesce(REPORTS.c.csv, "").concat(text)
    await session.execute(update(REPORTS).where(REPORTS.c.id == report_id).values(csv=longer, **values))


async def give_up(database: Database, report_id: int, error: str) -> None:
    """Note that a report cannot be made."""
    async with database.write() as session:
        unended = (REPORTS.c.id == report_id) & REPORTS.c.finished.is_(None)
        await session.execute(update(REPORTS).where(unended).values(error=error, csv=None))


def _in(report: TaxSavingReport) -> ColumnElement[bool]:
    """The condition on the savings of a report."""
    return (
        (Employee.company_id == report.company_id) & (TaxSaving.year == report.year) & (TaxSaving.month == report.month)
    )
