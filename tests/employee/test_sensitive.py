"""Sensitive values of personnel: masked, or shown to whoever may see them and says why."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from sqlalchemy import select

from datastore.audit import AuditLogEntry, record_changes
from datastore.changes import noted_changes
from datastore.database import Database
from datastore.employee import personnel
from datastore.viewer import GRANTABLE, Permission, TenantKind, Viewer
from resolvers.context import Context
from schema.root import schema
from tests.factories.employee import (
    SSN,
    a_company,
    a_family_member,
    an_employee,
    the_codes,
)

READER = Viewer(1, TenantKind.PARTNER, GRANTABLE, subject="hr", client_id="hr", issuer="https://issuer")


async def asked(context: Context, document: str, **variables: Any) -> Any:
    result = await schema.execute(document, variable_values=variables, context_value=context)
    assert not result.errors, result.errors
    await context.finish()
    return result.data


@pytest.mark.rule("E23")
class TestSensitive:
    DOCUMENT = """query Reveal($key: Long!) { employee(employeeId: $key) { ssn note familyMembers { ssn note } }
        importedEmployees { nodes { ssn note } } }"""

    async def test_ssn_and_notes_are_shown_with_a_reason_and_each_look_is_logged(self, database: Database) -> None:
        await the_codes(database)
        ola = await an_employee(database, await a_company(database), note="Leave.")
        kari = await a_family_member(database, ola, note="Student.", ssn=None)
        context = Context(database, READER, "correlation-1", "HR", "case 17")
        found = await asked(context, self.DOCUMENT, key=ola.id)
        shown = {"ssn": SSN, "note": "Leave."}
        assert found["employee"] == {**shown, "familyMembers": [{"ssn": None, "note": "Student."}]}
        assert found["importedEmployees"]["nodes"] == [shown]
        logged = await database.fetch(select(AuditLogEntry.__table__).order_by(AuditLogEntry.id))
        told = [(row.customer_id, row.operation, row.details["person"], row.details["fields"]) for row in logged]
        assert told == [
            (None, "Reveal", f"Employee {ola.id}", ["Employee.note", "Employee.ssn"]),
            (None, "Reveal", f"FamilyMember {kari.id}", ["FamilyMember.note"]),
            (None, "Reveal", f"ImportedEmployee {ola.id}", ["ImportedEmployee.note", "ImportedEmployee.ssn"]),
        ]
        document = "{ auditLog { nodes { person reason customerNumber } } }"
        internal = replace(READER, kind=TenantKind.INTERNAL)
        first = (await asked(Context(database, internal), document))["auditLog"]["nodes"][-1]
        assert first == {"person": f"Employee {ola.id}", "reason": "case 17", "customerNumber": None}

    @pytest.mark.parametrize(
        ("left_out", "reason", "shown"),
        [
            (Permission.SSN_REVEAL, "case 17", {"ssn": None, "note": "Leave."}),
            (Permission.EMPLOYEE_SENSITIVE_READ, "case 17", {"ssn": SSN, "note": None}),
            (None, "", {"ssn": None, "note": None}),
        ],
        ids=["without ssn", "without notes", "without a reason"],
    )
    async def test_what_may_not_be_seen_is_masked(
        self, database: Database, left_out: Permission | None, reason: str, shown: Any
    ) -> None:
        await the_codes(database)
        ola = await an_employee(database, await a_company(database), note="Leave.")
        viewer = replace(READER, permissions=GRANTABLE - {left_out})
        context = Context(database, viewer, reason=reason)
        document = "query ($key: Long!) { employee(employeeId: $key) { ssn note } }"
        assert (await asked(context, document, key=ola.id))["employee"] == shown
        assert context.masked == {f"Employee.{name}" for name, value in shown.items() if value is None}

    async def test_the_audit_log_hides_disability_income_notes_and_ssn(self, database: Database) -> None:
        await the_codes(database)
        ola = await an_employee(database, await a_company(database))
        kari = await a_family_member(database, ola)
        async with database.write() as session:
            record_changes(session)
            stored = await session.get_one(personnel.Employee, ola.id)
            stored.disability_grade, stored.disability_from_date, stored.surname = 40, date(2024, 5, 1), "Berg"
            stored.note = database.keys.seal("Leave.", personnel.Employee.note)
            year = {"year": 2026, "is_registered": True}
            session.add(personnel.EmployeeDisabilityProof(employee_id=ola.id, **year))
            session.add(personnel.FamilyMemberLowIncome(family_member_id=kari.id, **year))
            await session.flush()
            changes = noted_changes(session.sync_session)[None]
        told = {
            (each["object"], field["name"]): (field["before"], field["after"])
            for each in changes
            for field in each["fields"]
        }
        hidden = "(hidden)"
        assert told == {
            ("Employee", "surname"): ("Nordmann", "Berg"),
            ("Employee", "disability_grade"): (hidden, hidden),
            ("Employee", "disability_from_date"): (None, hidden),
            ("Employee", "note"): (None, hidden),
            ("EmployeeDisabilityProof", "employee_id"): (None, str(ola.id)),
            ("EmployeeDisabilityProof", "year"): (None, "2026"),
            ("EmployeeDisabilityProof", "is_registered"): (None, hidden),
            ("FamilyMemberLowIncome", "family_member_id"): (None, str(kari.id)),
            ("FamilyMemberLowIncome", "year"): (None, "2026"),
            ("FamilyMemberLowIncome", "is_registered"): (None, hidden),
        }
