"""Importing many employees at once: starting it, and looking how far it is. `batches` does it."""

from collections.abc import Sequence
from dataclasses import dataclass

import strawberry
from strawberry import ID

from datastore.employee import bulk as stored
from datastore.employee import personnel
from datastore.employee.calculation import tell
from datastore.employee.reads import order
from datastore.employee.rights import EmployeeImport, UploadChunk
from datastore.viewer import Viewer
from datastore.writing import Write
from resolvers.customer.owned import key_in
from resolvers.employee.importing import by_whom, company_in
from resolvers.employee.uploads import ImportEmployeeRow, chunks_of
from resolvers.errors import ErrorCode, refuse
from resolvers.paging import window
from resolvers.scalars import Long
from resolvers.wanted import Reading, WantedPage, WantedRow

OPERATION = "importEmployees"
MOST_IN_A_LIST = 1_000


@strawberry.input(description="Employees to import: either a list of them, or a CSV that was uploaded.")
class ImportEmployeesInput:
    company_id: Long = strawberry.field(description="Id of the company that employs them.")
    employees: list[ImportEmployeeRow] | None = strawberry.field(
        default=None, description="The employees: at most 1,000. Either this or uploadId is given."
    )
    upload_id: ID | None = strawberry.field(
        default=None,
        description=(
            "What the upload of a CSV to /uploads/employees answered; good for one import within a day, after any "
            "number of dry runs."
        ),
    )
    dry_run: bool | None = strawberry.field(default=False, description="Tell what would be done, and store nobody.")


async def import_employees(write: Write, given: ImportEmployeesInput) -> EmployeeImport:
    """The import, which goes on in the background.

    Raises `Refused`: EXACTLY_ONE_NEEDED (a list or an upload), REQUIRED for an empty list, TOO_MANY_ROWS,
    COMPANY_NOT_FOUND (a foreign one too, T04), COMPANY_DELETED, IMPORT_NOT_FOUND for an upload that is unknown, too
    old, of another company or has been imported, IMPORT_RUNNING.
    """
    employees, upload_id = given.employees, given.upload_id
    if (employees is None) == (upload_id is None):
        raise refuse(ErrorCode.EXACTLY_ONE_NEEDED, "employees")
    if employees is not None and not 0 < len(employees) <= MOST_IN_A_LIST:
        if not employees:
            raise refuse(ErrorCode.REQUIRED, "employees")
        message = f"A list takes at most {MOST_IN_A_LIST:,} employees. Upload a CSV to import more."
        raise refuse(ErrorCode.TOO_MANY_ROWS, "employees", message=message)
    company = await company_in(write, given.company_id)
    if company.is_deleted:
        raise refuse(ErrorCode.COMPANY_DELETED, "companyId", rejected=[company.id])
    upload = None if upload_id is None else await upload_of(write, company, upload_id)
    if await stored.is_running(write, company.id):
        raise refuse(ErrorCode.IMPORT_RUNNING, "companyId", rejected=[company.id])
    if upload is None or upload.started_at is not None:
        run = new_run(write, company, upload)
        await write.session.flush()
    else:
        run = upload
    if employees is not None:
        run.rows_total = len(employees)
        for number, content in enumerate(chunks_of(employees, company.employee_no_prefix)):
            chunk = UploadChunk(import_id=run.id, number=number)
            chunk.content = write.keys.seal(content, UploadChunk.content)
            write.session.add(chunk)
    run.started_at, run.started_by, run.is_dry_run = write.now, by_whom(write), bool(given.dry_run)
    await write.session.flush()
    told = {"id": run.id, "company_id": company.id, "rows": run.rows_total, "is_dry_run": run.is_dry_run}
    await tell(write, OPERATION, {"import": told})
    return run


def new_run(write: Write, company: personnel.Company, upload: EmployeeImport | None) -> EmployeeImport:
    """A new import: of a list, or of an upload that was tried before."""
    run = EmployeeImport(
        company_id=company.id,
        upload_id=upload.id if upload else None,
        content_hash=upload.content_hash if upload else "",
        uploaded_at=upload.uploaded_at if upload else write.now,
        rows_total=upload.rows_total if upload else 0,
        started_by=by_whom(write),
        is_dry_run=False,
        errors=[],
    )
    write.session.add(run)
    return run


async def upload_of(write: Write, company: personnel.Company, given_id: str) -> EmployeeImport:
    """The upload with this id, locked: one that waits, or was only tried. Raises `Refused`: IMPORT_NOT_FOUND."""
    key = key_in(given_id)
    found: EmployeeImport | None = None
    if key is not None:
        found = await write.get(EmployeeImport.id, key, company_id=company.id)
    if found is not None:
        is_whole = found.rows_total is not None and found.uploaded_at > write.now - stored.KEPT
        is_free = found.started_at is None or found.is_dry_run
        if is_whole and is_free and await stored.is_there(write, found.id):
            return found
    raise refuse(ErrorCode.IMPORT_NOT_FOUND, "uploadId", rejected=[given_id])


# Reading


@dataclass(frozen=True, slots=True)
class RowError:
    """What is wrong with a row, without its values."""

    line: int
    column: str | None
    code: ErrorCode

    @property
    def message(self) -> str:
        return self.code.value.long_english


def row_errors(run: EmployeeImport) -> Sequence[RowError]:
    """What is wrong with the first bad rows."""
    return [RowError(each["line"], each["column"], ErrorCode[each["code"]]) for each in run.errors]


def progress(run: EmployeeImport) -> int:
    """How much is done, in percent: 100 when it is finished, and not before."""
    if run.finished_at is not None and run.error is None:
        return 100
    return min(99, 100 * run.rows_done // max(run.rows_total or 0, 1))


@Reading
def employee_import(viewer: Viewer, id: ID) -> WantedRow | None:
    """The import with this id, or None; None for an upload that was not started, too."""
    key = key_in(id)
    if key is None:
        return None
    return WantedRow(
        row=EmployeeImport,
        shape="employeeImport",
        values={"key": key},
        statement=lambda viewer, values: stored.started_one(viewer, values["key"]),
    )


@Reading
def employee_imports(
    viewer: Viewer,
    company_id: Long,
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
) -> WantedPage:
    """A page of a company's imports, the newest first; empty for an unknown company. Raises `Refused`: as `window`
    does."""
    return WantedPage(
        row=EmployeeImport,
        shape="employeeImports",
        values={"company": company_id},
        statement=lambda viewer, values: stored.started(viewer, values["company"]),
        order=order(EmployeeImport, "id", descending=True),
        window=window(first, after, last, before),
        query=["employeeImports", company_id],
    )
