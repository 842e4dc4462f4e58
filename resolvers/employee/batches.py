"""The batches in which many employees are imported (rules E01 to E11, E53).

Employees are found by company and number, so what is imported twice is unchanged the second time.
"""

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import Boolean, Date, Integer
from sqlalchemy.ext.asyncio import AsyncSession

from datastore.database import Database
from datastore.employee import bulk as stored
from datastore.employee import personnel
from datastore.sealing import Keyring
from datastore.text import stored_key
from resolvers.employee.bulk import OPERATION
from resolvers.employee.importing import (
    EMPTY,
    NOT_STORED,
    Codes,
    checked_employee,
    codes_for,
    new_holder_code,
    prefixed,
    sealed,
)
from resolvers.employee.uploads import FIELDS, NEEDED, ImportEmployeeRow
from resolvers.errors import ErrorCode, refuse
from resolvers.given import Problems
from resolvers.scalars import read_date

MOST_ERRORS = 1_000
AT_A_TIME = 50
"""Rows that are checked before other requests have their turn."""
LONGEST_CELL = 100
"""Of a cell that is not a text."""
WHOLE_NUMBER = re.compile("-?[0-9]{1,9}")
TRUTH: Mapping[str, bool] = {"true": True, "false": False}
COLUMNS = personnel.ImportedEmployee.__table__.columns
READ: Mapping[str, str] = {
    name: attribute
    for name, attribute in FIELDS.items()
    if attribute == "ssn" or (attribute in COLUMNS and attribute not in NOT_STORED)
}
"""Column of a CSV -> attribute, of those that are stored."""


class ImportJob:
    """The imports that have begun, for `gateway.background`."""

    name = OPERATION

    async def waiting(self, database: Database) -> Sequence[int]:
        """The keys of those that have not ended."""
        return await stored.waiting(database)

    async def batch(self, database: Database, key: int) -> bool:
        """Import the next rows. False where another process is at them, or the import has ended."""
        task = await stored.task_of(database, key)
        if task is None:
            return False
        known = await codes_for(database.fetch, task.company, datetime.now(UTC))
        batch, found = await read(task.content, task.company.id, known)
        async with database.write() as session:
            if not await stored.is_still(session, task):
                return False
            now = datetime.now(UTC)
            numbers = [prefixed(known.prefix, values["employee_no"]) for _, values in found]
            before = await stored.those_with(session, task.company.id, numbers)
            sort_out(database.keys, task, batch, zip(numbers, found, strict=True), before)
            if not task.run.is_dry_run:
                await store(session, database.keys, task, batch, now)
            await stored.advance(session, task, batch, MOST_ERRORS, now)
            if not task.run.is_dry_run and (batch.inserted or batch.updated):
                await stored.tell_batch(session, database, task, batch, now)
        return True

    async def give_up(self, database: Database, key: int) -> None:
        """Note that an import cannot go on."""
        await stored.give_up(database, key, ErrorCode.INTERNAL.value.long_english, datetime.now(UTC))

    async def clean(self, database: Database) -> None:
        """Remove uploads that are too old to be imported."""
        await stored.remove_old(database, datetime.now(UTC))


Found = tuple[int, dict[str, Any]]
"""A line and the values of its employee."""


async def read(content: str, company_id: int, known: Codes) -> tuple[stored.Batch, list[Found]]:
    """The rows of a chunk, checked: what is wrong with the bad ones, and the values of the good ones."""
    chunk = orjson.loads(content)
    columns, batch, found = chunk["columns"], stored.Batch(), []
    for place, (line, *row) in enumerate(chunk["rows"]):
        if place % AT_A_TIME == AT_A_TIME - 1:
            await asyncio.sleep(0)
        batch.rows += 1
        if len(row) == 2:
            fail(batch, line, {row[1]: row[0]})
            continue
        bad, values = values_of(dict(zip(columns, row[0], strict=True)), company_id, known)
        if bad:
            fail(batch, line, {name: code.name for name, code in bad.items()})
        else:
            found.append((line, values))
    return batch, found


def values_of(
    cells: Mapping[str, str], company_id: int, known: Codes
) -> tuple[Mapping[str | None, ErrorCode], dict[str, Any]]:
    """The first problem of each column, and the values of the employee that the cells are."""
    problems = Problems()
    typed: dict[str, Any] = {}
    for name, attribute in READ.items():
        with problems.at(name):
            typed[attribute] = typed_cell(cells.get(name, ""), attribute, name in NEEDED)
    with problems.at("companyId"):
        if cells.get("companyId", "").strip() not in ("", str(company_id)):
            raise refuse(ErrorCode.COMPANY_NOT_FOUND)
    with problems.at("id"):
        if cells.get("id", "").strip():
            raise refuse(ErrorCode.VALUE_INVALID)
    required = {attribute: None for name, attribute in FIELDS.items() if name in NEEDED}
    given = ImportEmployeeRow(**{**required, **typed})
    values = checked_employee(problems, given, known)
    first: dict[str | None, ErrorCode] = {}
    for error in problems.errors:
        first.setdefault(error.path[0] if error.path else None, error.code)
    return first, values


def typed_cell(cell: str, attribute: str, is_needed: bool) -> Any:
    """What a cell stands for: ISO 8601 days, digits, `true` and `false`. Raises `Refused`: VALUE_INVALID, and REQUIRED
    for an empty cell that a value is needed in; `checked_employee` looks at texts."""
    kind = COLUMNS[attribute].type
    if not isinstance(kind, Date | Integer | Boolean):
        return cell
    text = cell.strip() if len(cell) <= LONGEST_CELL else "too long"
    if not text:
        if is_needed and attribute not in EMPTY:
            raise refuse(ErrorCode.REQUIRED)
        return EMPTY.get(attribute)
    if isinstance(kind, Date):
        return read_date(text)
    if isinstance(kind, Boolean) and text.lower() in TRUTH:
        return TRUTH[text.lower()]
    if isinstance(kind, Integer) and WHOLE_NUMBER.fullmatch(text):
        return int(text)
    raise refuse(ErrorCode.VALUE_INVALID)


def fail(batch: stored.Batch, line: int, bad: Mapping[str | None, str]) -> None:
    batch.failed += 1
    batch.errors += [{"line": line, "column": column, "code": code} for column, code in bad.items()]


def sort_out(
    keys: Keyring,
    task: stored.Task,
    batch: stored.Batch,
    found: Iterable[tuple[str, Found]],
    before: Mapping[str, Any],
) -> None:
    """Tell new employees, changed ones and others apart, by their numbers."""
    seen = set()
    for number, (line, values) in found:
        row = before.get(number)
        if number in seen:  # the prefix has changed since the file was read
            fail(batch, line, {"employeeNo": ErrorCode.EMPLOYEE_NO_TAKEN.name})
        elif row is None and task.company.is_deleted:
            fail(batch, line, {None: ErrorCode.COMPANY_DELETED.name})
        elif row is None:
            batch.inserted.append(stored.Change(number, values))
        elif not is_same(keys, row, values):
            batch.updated.append(stored.Change(number, values, row))
        else:
            batch.unchanged += 1
        seen.add(number)


def is_same(keys: Keyring, row: Any, values: Mapping[str, Any]) -> bool:
    """Whether an imported employee has these values already."""
    others = all(getattr(row, name) == value for name, value in values.items() if name != "ssn")
    return others and has_ssn(keys, row, values["ssn"])


def has_ssn(keys: Keyring, row: Any, ssn: str) -> bool:
    return row.ssn is not None and keys.open(row.ssn, personnel.ImportedEmployee.ssn) == ssn


async def store(session: AsyncSession, keys: Keyring, task: stored.Task, batch: stored.Batch, now: datetime) -> None:
    """Store the new and the changed employees, in at most five statements."""
    by = task.run.started_by
    also = {"company_id": task.company.id, "last_update": now, "source_last_update": by}
    new = {"created_at": now, "created_by": by}
    imported, employees = [], []
    for change in (*batch.inserted, *batch.updated):
        values = {**change.values, **also, **({"key": change.before.id} if change.before else new)}
        full = {**values, "employee_no": change.number, "surname_key": stored_key(values["surname"])}
        if change.before and change.before.employee_ssn and has_ssn(keys, change.before, values["ssn"]):
            imported.append({**values, "ssn": change.before.ssn})
            employees.append({**full, "ssn": change.before.employee_ssn})
        else:
            imported.append(sealed(keys, personnel.ImportedEmployee, values))
            employees.append(sealed(keys, personnel.Employee, full))
    count = len(batch.inserted)
    codes = [new_holder_code() for _ in range(count)]
    await stored.insert_employees(session, imported[:count], employees[:count], codes)
    await stored.update_employees(session, imported[count:], employees[count:])
