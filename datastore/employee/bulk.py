"""Statements of the import of many employees: uploads in parts, and batches that are stored whole or not at all."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, bindparam, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from datastore.audit import Act, AuditKind, append
from datastore.database import Database
from datastore.employee.personnel import Company, Employee, ImportedEmployee
from datastore.employee.rights import EmployeeImport, TicketRightsHolder, UploadChunk
from datastore.reading import among, columns, records, visible
from datastore.viewer import TenantKind, Viewer
from datastore.writing import Write

RUNS: Any = EmployeeImport.__table__
CHUNKS: Any = UploadChunk.__table__
IMPORTED: Any = ImportedEmployee.__table__
EMPLOYEES: Any = Employee.__table__
HOLDERS: Any = TicketRightsHolder.__table__

UPLOAD = func.coalesce(RUNS.c.upload_id, RUNS.c.id)
"""Where the chunks of an import are."""
LOCK = "employee import"
KEPT = timedelta(days=1)
"""How long an upload can be imported."""
GRACE = timedelta(hours=1)
"""How much later it is removed: nobody begins with it then."""
MOST_AT_ONCE = 10


# Uploads


async def begin(database: Database, company_id: int, by: str, now: datetime) -> int:
    """The key of a new upload, which cannot be imported before `complete`."""
    values = {
        "company_id": company_id,
        "content_hash": "",
        "is_dry_run": False,
        "uploaded_at": now,
        "started_by": by,
        "errors": [],
    }
    async with database.write() as session:
        return int((await session.execute(insert(RUNS).values(values).returning(RUNS.c.id))).scalar_one())


async def add_chunk(database: Database, import_id: int, number: int, content: str) -> None:
    """Keep a part of an upload, sealed. Raises CannotOpen without a key."""
    sealed = database.keys.seal(content, UploadChunk.content)
    async with database.write() as session:
        await session.execute(insert(CHUNKS).values(import_id=import_id, number=number, content=sealed))


async def complete(database: Database, import_id: int, rows: int, content_hash: str) -> None:
    """Note that an upload is there as a whole."""
    async with database.write() as session:
        whole = update(RUNS).where(RUNS.c.id == import_id)
        await session.execute(whole.values(rows_total=rows, content_hash=content_hash))


async def remove(database: Database, import_id: int) -> None:
    """Leave nothing of an upload."""
    async with database.write() as session:
        await session.execute(delete(CHUNKS).where(CHUNKS.c.import_id == import_id))
        await session.execute(delete(RUNS).where(RUNS.c.id == import_id))


async def remove_old(database: Database, now: datetime) -> None:
    """Remove uploads that nobody can import any more, half ones too, and what is left of those that were imported."""
    is_old = RUNS.c.uploaded_at < now - KEPT - GRACE
    old = select(RUNS.c.id).where(is_old)
    at_work = select(UPLOAD).where(RUNS.c.started_at.is_not(None), RUNS.c.finished_at.is_(None))
    async with database.write() as session:
        await session.execute(delete(CHUNKS).where(CHUNKS.c.import_id.in_(old), CHUNKS.c.import_id.not_in(at_work)))
        await session.execute(delete(RUNS).where(is_old, RUNS.c.started_at.is_(None)))


# Starting


async def is_running(write: Write, company_id: int) -> bool:
    """Whether an import of the company has begun and has not ended. No other one begins until the transaction ends."""
    await write.lock(LOCK, company_id)
    running = EmployeeImport.started_at.is_not(None), EmployeeImport.finished_at.is_(None)
    return await write.exists(EmployeeImport, *running, company_id=company_id)


async def is_there(write: Write, upload_id: int) -> bool:
    """Whether what was uploaded is still there as a whole: an import removes the first chunk first."""
    return await write.exists(UploadChunk, import_id=upload_id, number=0)


def started(viewer: Viewer, company_id: Any) -> Select[Any]:
    """Select the imports of a company that were started."""
    ours = EmployeeImport.company_id == company_id
    return visible(EmployeeImport, viewer).where(ours, EmployeeImport.started_at.is_not(None))


def started_one(viewer: Viewer, import_id: Any) -> Select[Any]:
    """Select an import, if it was started."""
    this = EmployeeImport.id == import_id
    return visible(EmployeeImport, viewer).where(this, EmployeeImport.started_at.is_not(None))


# Importing


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be imported next: the run as it is, its company, and the rows."""

    run: EmployeeImport
    company: Company
    content: str


@dataclass(frozen=True, slots=True)
class Change:
    """An employee as it is to be: the number with the company's prefix, the values, and what was stored before."""

    number: str
    values: Mapping[str, Any]
    before: Any = None


@dataclass(slots=True)
class Batch:
    """What a batch comes to: new employees, changed ones, how many stay as they are, and what is wrong with how many of
    the rows."""

    rows: int = 0
    unchanged: int = 0
    failed: int = 0
    inserted: list[Change] = field(default_factory=list)
    updated: list[Change] = field(default_factory=list)
    errors: list[Mapping[str, Any]] = field(default_factory=list)


async def waiting(database: Database) -> Sequence[int]:
    """The keys of the imports that have begun and have not ended, the oldest first."""
    # In these words the partial index is used.
    unended = RUNS.c.finished_at.is_(None) & RUNS.c.started_at.is_not(None)
    found = await database.fetch(select(RUNS.c.id).where(unended).order_by(RUNS.c.id).limit(MOST_AT_ONCE))
    return [row.id for row in found]


async def task_of(database: Database, import_id: int) -> Task | None:
    """What is to be imported next; None if the import has ended. Raises LookupError where an upload is gone, and
    CannotOpen."""
    parts = (*columns(EmployeeImport), *columns(Company), CHUNKS.c.content)
    found = await database.fetch(
        select(*parts)
        .select_from(RUNS)
        .join(Company, Company.id == RUNS.c.company_id)
        .outerjoin(CHUNKS, (CHUNKS.c.import_id == UPLOAD) & (CHUNKS.c.number == RUNS.c.chunks_done))
        .where(RUNS.c.id == import_id, RUNS.c.finished_at.is_(None))
    )
    if not found:
        return None
    (run,) = records(EmployeeImport, found)
    company = records(Company, [row[len(columns(EmployeeImport)) :] for row in found])[0]  # type: ignore[misc]
    sealed = found[0][-1]
    if sealed is None:
        raise LookupError("a part of the upload is gone")
    return Task(run, company, database.keys.open(sealed, UploadChunk.content))


async def is_still(session: AsyncSession, task: Task) -> bool:
    """Whether nobody else is at the task or has done it, and the company is as it was. Both are locked until the end of
    the transaction: the company first, as whoever begins an import does."""
    company = select(Company.version).where(Company.id == task.company.id)
    if await session.scalar(company.with_for_update()) != task.company.version:
        return False
    run = select(RUNS.c.id).where(
        RUNS.c.id == task.run.id, RUNS.c.chunks_done == task.run.chunks_done, RUNS.c.finished_at.is_(None)
    )
    return await session.scalar(run.with_for_update(skip_locked=True)) is not None


async def those_with(session: AsyncSession, company_id: int, numbers: Collection[str]) -> Mapping[str, Any]:
    """Employee number, with the prefix -> the columns of the imported employee, with the sealed ssn of the employee as
    `employee_ssn`. They are locked until the end of the transaction."""
    statement = (
        select(*columns(ImportedEmployee), EMPLOYEES.c.ssn.label("employee_ssn"), EMPLOYEES.c.employee_no.label("full"))
        .join(EMPLOYEES, EMPLOYEES.c.id == IMPORTED.c.id)
        .where(EMPLOYEES.c.company_id == company_id, among(EMPLOYEES.c.employee_no, numbers))
        .order_by(IMPORTED.c.id)
    )
    found = await session.execute(statement.with_for_update())
    return {row.full: row for row in found}


async def insert_employees(
    session: AsyncSession,
    imported: Sequence[Mapping[str, Any]],
    employees: Sequence[Mapping[str, Any]],
    codes: Sequence[str],
) -> None:
    """New employees with what they are made of and their holders of ticket rights, in three statements."""
    if not imported:
        return
    # The keys come in any order, so that one statement inserts all rows. Numbers of a company are unique.
    made = insert(IMPORTED).returning(IMPORTED.c.employee_no, IMPORTED.c.id)
    found = await session.execute(made, [dict(each) for each in imported])
    keys = {row.employee_no: row.id for row in found}
    ids = [keys[each["employee_no"]] for each in imported]
    await session.execute(insert(EMPLOYEES), [{**each, "id": key} for each, key in zip(employees, ids, strict=True)])
    holders = [{"employee_id": key, "ticket_holder_code": code} for key, code in zip(ids, codes, strict=True)]
    await session.execute(insert(HOLDERS), holders)


async def update_employees(
    session: AsyncSession, imported: Sequence[Mapping[str, Any]], employees: Sequence[Mapping[str, Any]]
) -> None:
    """Other values for employees and what they are made of, each with its key as `key`, in two statements."""
    connection = await session.connection()
    for table, rows in ((IMPORTED, imported), (EMPLOYEES, employees)):
        if rows:
            values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in rows[0] if name != "key"}
            values["version"] = table.c.version + 1
            named = [{"key" if name == "key" else f"new_{name}": value for name, value in row.items()} for row in rows]
            await connection.execute(update(table).where(table.c.id == bindparam("key")).values(values), named)


async def advance(session: AsyncSession, task: Task, batch: Batch, most_errors: int, now: datetime) -> None:
    """Note how far the import is, and remove what was uploaded of it, unless it was a trial."""
    run = task.run
    assert run.rows_total is not None
    done = run.rows_done + batch.rows
    await session.execute(
        update(RUNS)
        .where(RUNS.c.id == run.id)
        .values(
            rows_done=done,
            chunks_done=run.chunks_done + 1,
            inserted=run.inserted + len(batch.inserted),
            updated=run.updated + len(batch.updated),
            unchanged=run.unchanged + batch.unchanged,
            failed=run.failed + batch.failed,
            errors=[*run.errors, *batch.errors][:most_errors],
            finished_at=now if done >= run.rows_total else None,
        )
    )
    if not run.is_dry_run:
        ours = (CHUNKS.c.import_id == (run.upload_id or run.id)) & (CHUNKS.c.number == run.chunks_done)
        await session.execute(delete(CHUNKS).where(ours))


async def tell_batch(session: AsyncSession, database: Database, task: Task, batch: Batch, now: datetime) -> None:
    """The entry in the audit log of a batch, in numbers. Call it last."""
    counts = {"inserted": len(batch.inserted), "updated": len(batch.updated)}
    told = {"changes": [], "import": {"id": task.run.id, "company_id": task.company.id, **counts}}
    viewer = Viewer(task.company.organisation_id, TenantKind.INTERNAL, subject="kundeport import")
    act = Act(AuditKind.CHANGE, "importEmployees", None, told)
    await append(session, database.keys, viewer, "", "", now, [act])


async def give_up(database: Database, import_id: int, error: str, now: datetime) -> None:
    """End an import that cannot go on. What was imported stays."""
    async with database.write() as session:
        ended = update(RUNS).where(RUNS.c.id == import_id, RUNS.c.finished_at.is_(None))
        await session.execute(ended.values(finished_at=now, error=error))
