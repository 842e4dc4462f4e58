"""What the tests of imports share: documents, rows, and doing the work that a gateway does in the background."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select

from datastore.database import Database
from datastore.employee.personnel import Company, Employee, ImportedEmployee
from datastore.employee.rights import EmployeeImport, TicketRightsHolder, UploadChunk
from resolvers.context import Context
from resolvers.employee.batches import ImportJob
from resolvers.employee.uploads import Upload
from tests.customer.mutations import Values, document, done
from tests.execute import VIEWER, execute

FIELDS = """
    id isDryRun progress rowsTotal rowsDone inserted updated unchanged failed
    errors { line column code message } finishedAt error
"""
IMPORT = document("importEmployees", f"employeeImport {{ {FIELDS} }}")
LOOK = f"query($id: ID!) {{ employeeImport(id: $id) {{ {FIELDS} }} }}"

ROW: Values = {
    "employeeNo": "1001",
    "ssn": "95088",
    "firstName": "Ola",
    "surname": "Nordmann",
    "postalCode": "0155",
    "addressLine": "Storgata 1",
    "dateOfBirth": "1986-10-15",
    "employmentTypeId": "FULL",
    "employmentPercentage": 100,
    "hireStartDate": "2020-01-01",
    "isDeleted": False,
}
"""The least that a row has."""
TABLES = {row.__tablename__: row for row in (ImportedEmployee, Employee, TicketRightsHolder)}


def a_row(number: int | str, **values: Any) -> Values:
    return {**ROW, "employeeNo": str(number), **values}


def csv_of(rows: Sequence[Mapping[str, object]], separator: str = ",", line_end: str = "\r\n") -> str:
    """A CSV with the columns of the first row; nothing in it needs quotes."""
    words = {True: "true", False: "false", None: ""}
    lines = [
        list(rows[0]),
        *([str(words.get(v, v) if isinstance(v, bool | None) else v) for v in row.values()] for row in rows),
    ]
    return "".join(separator.join(line) + line_end for line in lines)


async def uploaded(database: Database, company: Company, text: str | bytes, piece: int = 1_000_000) -> str:
    """The id of an upload of a CSV that comes in pieces of so many bytes."""
    upload = await Upload.begin(Context(database, VIEWER, client_name="hr"), company.id)
    raw = text if isinstance(text, bytes) else text.encode()
    for start in range(0, len(raw), piece):
        await upload.add(raw[start : start + piece])
    await upload.end()
    return str(upload.import_id)


async def worked(database: Database, most: int = 1_000) -> int:
    """How many batches there were to do, all done now, or at most so many."""
    job, batches = ImportJob(), 0
    while batches < most and (keys := await job.waiting(database)):
        for key in keys:
            assert await job.batch(database, key)
            batches += 1
    return batches


async def imported(database: Database, company: Company, **given: Any) -> Values:
    """What an import of these employees, or of this upload, came to."""
    run = await done(database, IMPORT, {"companyId": company.id, **given})
    await worked(database)
    return await looked(database, run["id"])


async def looked(database: Database, import_id: str) -> Values:
    """An import as it is shown."""
    shown: Values = (await execute(database, LOOK, id=import_id))["employeeImport"]
    return shown


def counts(run: Values) -> tuple[int, int, int, int]:
    """How many were inserted, updated, unchanged and failed."""
    return run["inserted"], run["updated"], run["unchanged"], run["failed"]


def errors(run: Values) -> list[tuple[int, str | None, str]]:
    return [(each["line"], each["column"], each["code"]) for each in run["errors"]]


async def stored_employees(database: Database) -> dict[str, Any]:
    """All employees by their number, with the ssn in clear."""
    found = await database.fetch(select(Employee.__table__).order_by(Employee.id))
    return {row.employee_no: {**row._mapping, "ssn": database.keys.open(row.ssn, Employee.ssn)} for row in found}


async def contents(database: Database) -> dict[str, list[dict[str, Any]]]:
    """The employees, what they were made of and their holders, by what does not differ between two imports of the same:
    without keys, times, random codes and seals."""
    left_out = {"id", "employee_id", "ticket_holder_code", "created_at", "last_update"}
    found: dict[str, list[dict[str, Any]]] = {}
    for name, row in TABLES.items():
        here: Any = row
        rows = await database.fetch(select(here.__table__).order_by(here.id))
        found[name] = [
            {
                column: database.keys.open(value, here.ssn) if column == "ssn" else value
                for column, value in each._mapping.items()
                if column not in left_out
            }
            for each in rows
        ]
    return found


async def left_of_uploads(database: Database) -> tuple[int, int]:
    """How many imports and how many chunks there are."""
    rows = [await database.fetch(select(each.id)) for each in (EmployeeImport, UploadChunk)]
    return len(rows[0]), len(rows[1])
