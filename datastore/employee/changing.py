"""Statements that changes of personnel start from, and the one that gives a whole company other employee numbers."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, String, and_, cast, distinct, func, literal, or_, select, update
from sqlalchemy import case as when
from sqlalchemy.ext.asyncio import AsyncSession

from datastore.audit import Act, AuditKind, append
from datastore.base import KeyText
from datastore.employee.codes import Code, Product, Station
from datastore.employee.personnel import Company, Employee, ImportedEmployee
from datastore.employee.rights import TicketRight
from datastore.reading import Fetch, among
from datastore.writing import Write

EMPLOYEES: Any = Employee.__table__
IMPORTED: Any = ImportedEmployee.__table__


async def codes_in_use(fetch: Fetch, row: Any) -> frozenset[str]:
    """The codes of a code list that are not deleted there."""
    return frozenset(found.code for found in await fetch(select(row.code).where(row.is_deleted.is_(False))))


async def is_code(fetch: Fetch, row: type[Code], key: int) -> bool:
    """Whether a code list has this key, of a code that is not deleted."""
    here: Any = row
    return bool(await fetch(select(here.id).where(here.id == key, here.is_deleted.is_(False))))


async def known_stations(fetch: Fetch, keys: Collection[str]) -> frozenset[str]:
    """Those of the keys that are stations."""
    return frozenset(found.id for found in await fetch(select(Station.id).where(among(Station.id, keys))))


def is_valid_between(start: Any, end: Any) -> ColumnElement[bool]:
    """The condition on products that are valid on some day from one day to before another one (rule E46)."""
    return and_(Product.valid_from < end, or_(Product.valid_until.is_(None), Product.valid_until > start))


async def rights_of_order(session: AsyncSession, order_id: int) -> Sequence[TicketRight]:
    """The ticket rights that a manual order made, locked for change, in the order of their keys."""
    statement = select(TicketRight).where(TicketRight.manual_order_id == order_id).order_by(TicketRight.id)
    return (await session.scalars(statement.with_for_update())).all()


def overlaps(ticket_type_id: int, start: Any, end: Any) -> ColumnElement[bool]:
    """The condition on ticket rights to a ticket type on some day from one day to before another one (rule E30)."""
    here = and_(TicketRight.ticket_type_id == ticket_type_id, TicketRight.valid_until > TicketRight.valid_from)
    return and_(here, TicketRight.valid_from < end, TicketRight.valid_until > start)


# Employee numbers


async def numbers_with(session: AsyncSession, company_id: int, prefix: str | None) -> Any:
    """What the employee numbers of a company would be with a prefix: how many, how many different ones, and how long
    the longest one is (0 if there is none)."""
    new = _number(prefix)
    counted = select(
        func.count().label("total"),
        func.count(distinct(new)).label("different"),
        func.coalesce(func.max(func.length(new)), 0).label("longest"),
    )
    return (await session.execute(counted.where(IMPORTED.c.company_id == company_id))).one()


async def renumber(write: Write, operation: str, company: Company, by: str) -> int:
    """Give the employees of a company the numbers that follow from its prefix and the imported ones; how many numbers
    have changed. Two statements, and an entry in the audit log that tells of them: they are past the ORM."""
    connection = await write.session.connection()
    new = select(_number(company.employee_no_prefix)).where(IMPORTED.c.id == EMPLOYEES.c.id).scalar_subquery()
    # In one step a number could become what another one still is. No number begins with a control character.
    apart = literal("\x01", KeyText(50)) + cast(EMPLOYEES.c.id, String(20))
    here = EMPLOYEES.c.company_id == company.id
    moved: datetime = write.now
    steps = (
        (here & (EMPLOYEES.c.employee_no != new), {"employee_no": apart}),
        (
            here & (func.substr(EMPLOYEES.c.employee_no, 1, 1) == "\x01"),
            {
                "employee_no": new,
                "version": EMPLOYEES.c.version + 1,
                "last_update": moved,
                "source_last_update": by,
            },
        ),
    )
    changed = 0
    for condition, values in steps:
        changed = (await connection.execute(update(EMPLOYEES).where(condition).values(values))).rowcount
    told = {"changes": [], "renumbered": {"company_id": company.id, "employees": changed}}
    client = (write.client_name, write.correlation_id)
    act = Act(AuditKind.CHANGE, operation, None, told)
    await append(write.session, write.keys, write.viewer, *client, write.now, [act])
    return changed


def _number(prefix: str | None) -> ColumnElement[Any]:
    """Rule E11 in SQL: as `resolvers.employee.importing.prefixed` has it."""
    own: ColumnElement[Any] = IMPORTED.c.employee_no
    if not prefix:
        return own
    begins = func.substr(own, 1, len(prefix)) == literal(prefix, KeyText(10))
    return when((begins, own), else_=literal(prefix, KeyText(10)) + own)
