"""Imports of many employees, as shown."""

from datetime import datetime

import strawberry

from datastore.employee import personnel
from datastore.employee import rights as stored
from datastore.viewer import Permission
from resolvers.employee import bulk
from resolvers.errors import ErrorCode
from resolvers.scalars import Long
from schema.connection import PAGING, Connection
from schema.employee.personnel import Company
from schema.mutation import Payload, mutation, payload
from schema.permission import Callers, needs
from schema.view import computed, one, query, view_of

WRITE = Permission.EMPLOYEE_WRITE
COUNTS = "in a dry run, of those who would be."


@strawberry.type(description="What is wrong with a row of an import.", directives=[needs(WRITE)])
class EmployeeImportError:
    line: int = strawberry.field(
        description="Line of the CSV on which the row begins, or place in the list; both count from 1 on."
    )
    column: str | None = strawberry.field(description="Name of the column; null if it is about the whole row.")
    code: ErrorCode = strawberry.field(description="What is wrong, for programs.")
    message: str = strawberry.field(description="What is wrong, for people, in English.")


@view_of(stored.EmployeeImport, needs=WRITE)
class EmployeeImport:
    """An import of many employees, which goes on in the background."""

    id: strawberry.ID = strawberry.field(description="Id of the import.")
    company_id: Long = strawberry.field(description="Id of the company that employs them.")
    company: Company | None = one(personnel.Company.id, via="company_id", description="The company.")
    is_dry_run: bool = strawberry.field(description="Indicates whether it only tells what would be done.")
    progress: int = computed(
        bulk.progress,
        reads=("finished_at", "error", "rows_done", "rows_total"),
        description="How far it is in percent from 0 to 100.",
    )
    rows_total: int | None = strawberry.field(description="How many employees were sent.")
    rows_done: int = strawberry.field(description="How many of them were looked at.")
    inserted: int = strawberry.field(description=f"How many new employees there are; {COUNTS}")
    updated: int = strawberry.field(description=f"How many employees have changed; {COUNTS}")
    unchanged: int = strawberry.field(description="How many employees were already as they were sent.")
    failed: int = strawberry.field(description="How many employees were left out because something is wrong with them.")
    errors: list[EmployeeImportError] = computed(
        bulk.row_errors, reads=("errors",), description="What is wrong with them: the first 1,000 problems."
    )
    started_at: datetime | None = strawberry.field(description="When it began.")
    started_by: str = strawberry.field(description="The client that began it.")
    finished_at: datetime | None = strawberry.field(description="When it ended; null before that.")
    error: str | None = strawberry.field(
        description="Why it ended before all were looked at; else null. What was imported before that stays."
    )


@payload("What importEmployees answers.")
class ImportEmployeesPayload(Payload):
    employee_import: EmployeeImport | None = strawberry.field(description="The import, which has begun.")


@strawberry.type
class EmployeeImportMutations:
    import_employees: ImportEmployeesPayload = mutation(
        bulk.import_employees,
        needs=WRITE,
        callers=Callers.CLIENTS,
        description=(
            "Begins to import many employees of a company: new ones, and those whose number there is already. It goes "
            "on in the background; employeeImport tells how far it is. One import of a company runs at a time."
        ),
    )


@strawberry.type
class EmployeeImportQueries:
    employee_import: EmployeeImport | None = query(
        bulk.employee_import,
        needs=WRITE,
        callers=Callers.CLIENTS,
        description="The import with this id, or null.",
        arguments={"id": "Id of the import."},
    )
    employee_imports: Connection[EmployeeImport] = query(
        bulk.employee_imports,
        needs=WRITE,
        callers=Callers.CLIENTS,
        description="The imports of a company, the newest first.",
        arguments={"company_id": "Id of the company.", **PAGING},
    )
