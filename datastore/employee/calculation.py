"""Statements by which ticket rights are calculated and stored, for many employees at once."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, bindparam, case, delete, insert, not_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from datastore.audit import Act, AuditKind, append
from datastore.changes import stop_noting
from datastore.employee.codes import TicketType
from datastore.employee.personnel import Company, Employee, FamilyMember
from datastore.employee.rights import SimpleRule, SimpleRuleVersion, TicketRight, was_told
from datastore.reading import Fetch, among, columns, records, visible, within
from datastore.viewer import Viewer
from datastore.writing import Write

TABLE: Any = TicketRight.__table__
LOCK = "ticket rights"


@dataclass(slots=True)
class Changes:
    """What is to become of rights: keys of those to take away; new ends, and of some new rules, of others; new ones."""

    deleted: list[int] = field(default_factory=list)
    ended: list[dict[str, Any]] = field(default_factory=list)
    updated: list[dict[str, Any]] = field(default_factory=list)
    inserted: list[dict[str, Any]] = field(default_factory=list)

    def delete(self, right_id: int) -> None:
        self.deleted.append(right_id)

    def end(self, right_id: int, until: date) -> None:
        self.ended.append({"key": right_id, "until": until})

    def update(self, right_id: int, until: date, rule_id: int, rule_version: int) -> None:
        self.updated.append({"key": right_id, "until": until, "rule": rule_id, "at_version": rule_version})


async def lock_rights(write: Write, *company_ids: int) -> None:
    """Be alone in changing the ticket rights of companies' employees, until the end of the transaction. Whoever stores
    rights calls this before reading those that there are; whoever moves an employee from one company to another, for
    both of them, before the row of the employee is locked."""
    for company_id in sorted(company_ids):
        await write.lock(LOCK, company_id)


async def try_lock_rights(write: Write, company_id: int) -> bool:
    """`lock_rights` for a company, unless somebody else is changing its rights."""
    return await write.try_lock(LOCK, company_id)


async def lock_rights_of(write: Write, employee_id: int) -> Employee | None:
    """`lock_rights` for the company of an employee, who cannot move to another one from here on. The employee, if the
    viewer may see it; else nothing is locked."""
    fetch, locked = within(write.session), None
    while employee := await visible_employee(fetch, write.viewer, employee_id):
        if employee.company_id == locked:
            break
        locked = employee.company_id
        await lock_rights(write, locked)
    return employee


async def visible_company(fetch: Fetch, viewer: Viewer, company_id: int) -> Company | None:
    """The company, if the viewer may see it."""
    found = records(Company, await fetch(visible(Company, viewer).where(Company.id == company_id)))
    return found[0] if found else None


async def visible_employee(fetch: Fetch, viewer: Viewer, employee_id: int) -> Employee | None:
    """The employee, if the viewer may see it."""
    found = records(Employee, await fetch(visible(Employee, viewer).where(Employee.id == employee_id)))
    return found[0] if found else None


async def visible_member(fetch: Fetch, viewer: Viewer, family_member_id: int) -> FamilyMember | None:
    """The family member, if the viewer may see it."""
    found = records(FamilyMember, await fetch(visible(FamilyMember, viewer).where(FamilyMember.id == family_member_id)))
    return found[0] if found else None


def of_company(company_id: int) -> ColumnElement[bool]:
    """The condition on a company's employees."""
    return Employee.company_id == company_id


def is_employee(employee_id: int) -> ColumnElement[bool]:
    return Employee.id == employee_id


async def rules_in_use(fetch: Fetch) -> Sequence[SimpleRule]:
    """The active rules of ticket types that are not deleted, the oldest first."""
    is_in_use = SimpleRule.is_active & TicketType.is_deleted.is_(False)
    statement = select(*columns(SimpleRule)).join(TicketType, TicketType.id == SimpleRule.ticket_type_id)
    return records(SimpleRule, await fetch(statement.where(is_in_use).order_by(SimpleRule.id)))


async def ticket_types(fetch: Fetch) -> Sequence[TicketType]:
    """The ticket types that are not deleted, the oldest first."""
    statement = select(*columns(TicketType)).where(TicketType.is_deleted.is_(False)).order_by(TicketType.id)
    return records(TicketType, await fetch(statement))


async def rights_from(fetch: Fetch, employees: Collection[int], day: date) -> Mapping[int, Mapping[int, list[Any]]]:
    """Holder -> ticket type -> the rights that end after a day, the earliest first, of employees and families."""
    names = ("id", "ticket_holder_id", "ticket_type_id", "rule_id", "valid_from", "valid_until")
    statement = select(*(TABLE.c[name] for name in names)).where(
        among(TicketRight.employee_id, employees),
        TicketRight.valid_until > day,
        TicketRight.valid_until > TicketRight.valid_from,
    )
    found: dict[int, dict[int, list[Any]]] = {}
    for right in await fetch(statement.order_by(TicketRight.ticket_holder_id, TicketRight.valid_from)):
        found.setdefault(right.ticket_holder_id, {}).setdefault(right.ticket_type_id, []).append(right)
    return found


async def store(session: AsyncSession, changes: Changes, now: datetime) -> None:
    """Delete, end, change and insert rights: at most five statements. What has changed of a right that had been sent to
    another system is to be sent again (rule E34); one that was, or is about to be, is not deleted but withdrawn.
    None of it is noted for the audit log: see `tell`."""
    connection = await session.connection()
    ends: dict[str, Any] = {
        "valid_until": bindparam("until"),
        "calculation_timestamp": now,
        "version": TABLE.c.version + 1,
    }
    for sync in ("ticket", "customer"):
        ready, sent = TABLE.c[f"{sync}_is_ready_to_sync"], TABLE.c[f"{sync}_sync_timestamp"]
        ends |= {ready.name: case((sent.is_not(None), True), else_=ready), sent.name: None}
    rules: dict[str, Any] = {"rule_id": bindparam("rule"), "rule_version": bindparam("at_version")}
    right = update(TABLE).where(TABLE.c.id == bindparam("key"))
    if changes.deleted:
        gone = among(TABLE.c.id, changes.deleted)
        await connection.execute(
            update(TABLE).where(gone, was_told()).values({**ends, "valid_until": TABLE.c.valid_from})
        )
        await connection.execute(delete(TABLE).where(gone, not_(was_told())))
    if changes.ended:
        await connection.execute(right.values(ends), changes.ended)
    if changes.updated:
        await connection.execute(right.values({**ends, **rules}), changes.updated)
    if changes.inserted:
        await connection.execute(insert(TABLE), changes.inserted)


async def tell(write: Write, operation: str, details: Mapping[str, Any]) -> None:
    """The one entry in the audit log of what `store` has done. Call it last."""
    stop_noting(write.session.sync_session)
    act = Act(AuditKind.CHANGE, operation, None, {"changes": [], **details})
    client = (write.client_name, write.correlation_id)
    await append(write.session, write.keys, write.viewer, *client, write.now, [act])


async def known_codes(fetch: Fetch, row: Any, codes: Collection[str], *more: Any) -> Sequence[Any]:
    """`(code, *more)` of those codes that are in a code list and not deleted there."""
    return await fetch(select(row.code, *more).where(among(row.code, codes), row.is_deleted.is_(False)))


def version_of(rule: SimpleRule, changed_at: datetime, changed_by: str) -> SimpleRuleVersion:
    """A rule as it is now, to be kept."""
    return SimpleRuleVersion(
        rule_id=rule.id,
        version=rule.version,
        name=rule.name,
        ticket_type_id=rule.ticket_type_id,
        conditions=rule.conditions,
        is_active=rule.is_active,
        changed_at=changed_at,
        changed_by=changed_by,
    )
