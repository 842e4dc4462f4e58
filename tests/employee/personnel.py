"""What the tests of personnel mutations share: documents, the least inputs, and what is stored."""

from typing import Any

from sqlalchemy import select

from datastore.audit import AuditLogEntry
from datastore.database import Database
from datastore.employee import personnel
from datastore.employee.personnel import Company
from datastore.viewer import GRANTABLE, TenantKind, Viewer
from tests.customer.mutations import Values, document

EMPLOYMENT = """
    companyId employeeNo firstName surname dateOfBirth ssn postalCode addressLine employmentTypeId employmentPercentage
    employmentPercentageDate paidPercentage payType hireStartDate hireEndDate hireEndCause leaveFromDate
    abstainFromTicket disabilityGrade isDeleted createdBy sourceLastUpdate version
"""
IMPORTED = f"""
    {EMPLOYMENT} id note disabilityFromDate preferredProductId
    employee {{ {EMPLOYMENT} employeeId ticketHolderCode customerNumber }}
"""
IMPORT = document("importEmployee", f"importedEmployee {{ {IMPORTED} }}")
PATCH = document("patchImportedEmployee", f"importedEmployee {{ {IMPORTED} }}")
USER = Viewer(1, TenantKind.TRAVELLER, GRANTABLE)

ALL: Values = {
    "employeeNo": "17",
    "ssn": "95088",
    "firstName": "Ola",
    "surname": "Nordmann",
    "postalCode": "0155",
    "addressLine": "Storgata 1",
    "dateOfBirth": "1986-10-15",
    "employmentTypeId": "FULL",
    "employmentPercentage": 80,
    "hireStartDate": "2020-01-01",
}
"""The least that importEmployee takes, but for the company."""
EMPTY: Values = {
    **dict.fromkeys(["employmentPercentageDate", "payType", "hireEndDate", "hireEndCause", "leaveFromDate"]),
    "abstainFromTicket": False,
    "disabilityGrade": 0,
    "isDeleted": False,
}
"""What is answered of what an import leaves out."""


def sent(company: Company, **values: Any) -> Values:
    """An input of importEmployee."""
    return {"companyId": company.id, **ALL, **values}


def patch(company: Company, key: object, **values: Any) -> Values:
    """The least input of patchImportedEmployee, about somebody as `sent` has it."""
    needed = ("employeeNo", "employmentTypeId", "employmentPercentage")
    kept = {name: ALL[name] for name in needed}
    return {"id": str(key), "companyId": company.id, "isDeleted": False, **kept, **values}


async def rows(database: Database, row: Any) -> list[Any]:
    """All stored rows of a class, by key."""
    table = row.__table__
    return list(await database.fetch(select(table).order_by(*table.primary_key)))


async def numbers(database: Database) -> list[tuple[str, str, int]]:
    """The number of each imported employee, and the number and version of the employee."""
    employees = await rows(database, personnel.Employee)
    imported = await rows(database, personnel.ImportedEmployee)
    return [(i.employee_no, e.employee_no, e.version) for i, e in zip(imported, employees, strict=True)]


async def audited(database: Database) -> list[tuple[str, Any]]:
    """Operation and details of all entries in the audit log, the oldest first."""
    entries = await database.fetch(select(AuditLogEntry.__table__).order_by(AuditLogEntry.id))
    return [(entry.operation, {k: v for k, v in entry.details.items() if k != "salt"}) for entry in entries]
