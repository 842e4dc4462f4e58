"""Statements over personnel that have a thought of their own: customers of employees, active holders, the searches."""

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Select, String, and_, case, func, or_, select
from sqlalchemy.orm import aliased

from datastore.base import Base
from datastore.customer import Customer, CustomerStatus, PostalAddress, ProfileType
from datastore.customer_reads import starts_with
from datastore.employee.codes import (
    Deletable,
    EmploymentType,
    PostalPlace,
    Product,
    Station,
    TicketRightType,
    TicketType,
)
from datastore.employee.personnel import Company, Employee, FamilyMember, ImportedEmployee
from datastore.employee.rights import ManualOrder, OfHolder, SyncState, TicketRight, TicketRightsHolder
from datastore.keyset import Order
from datastore.loaders import Condition, Selection
from datastore.reading import among, columns, visible
from datastore.viewer import Viewer

NORWAY = "NOR"


# Edges


def place_of(viewer: Viewer, is_wanted: Condition) -> Select[Any]:
    """Select `(columns of a postal place ..., key)` for the Norwegian post codes that are wanted."""
    key = PostalPlace.code.label("key")
    return (
        visible(PostalPlace, viewer).add_columns(key).where(PostalPlace.country == NORWAY, is_wanted(PostalPlace.code))
    )


def place_of_address(viewer: Viewer, is_wanted: Condition) -> Select[Any]:
    """Select `(columns of a postal place ..., key)` for the postal addresses whose key is wanted."""
    here = and_(PostalAddress.post_code == PostalPlace.code, PostalAddress.country_code == PostalPlace.country)
    found = visible(PostalPlace, viewer).add_columns(PostalAddress.id.label("key")).join(PostalAddress, here)
    return found.where(is_wanted(PostalAddress.id))


def customer_of(row: type[Employee | FamilyMember]) -> Selection:
    """The customers of employees or family members, by customer number: a merged one leads to its survivor (C40), a
    deleted one nowhere. Whoever sees the person may read a personnel-ticket profile of whatever organisation, and
    profiles of other types as ever (G3)."""

    def selection(viewer: Viewer, is_wanted: Condition) -> Select[Any]:
        """Select `(columns of a customer ..., key)`."""
        readable = or_(Customer.profile_type == ProfileType.PERSONNEL_TICKET, Customer.visible_to(viewer))
        key = row.customer_number.label("key")
        start = select(key, Customer.id.label("id"), Customer.merged_into_id.label("next"))
        start = start.join(Customer, Customer.customer_number == row.customer_number)
        start = start.where(is_wanted(row.customer_number), row.visible_to(viewer), readable)
        chain = start.cte("chain", recursive=True, nesting=True)
        target = aliased(Customer)
        # UNION, not UNION ALL: a row that was met before ends the walk, so a circle cannot run for ever.
        chain = chain.union(
            select(chain.c.key, target.id, target.merged_into_id).join(chain, target.id == chain.c.next)
        )
        return (
            select(*Customer.__table__.columns, chain.c.key)
            .join(chain, Customer.id == chain.c.id)
            .where(chain.c.next.is_(None), readable, Customer.status != CustomerStatus.DELETED)
        )

    return selection


def person_of(row: type[Employee | FamilyMember]) -> Selection:
    """The employees or family members that customers are, by the customer's key: by the number of the profile or of
    one that was merged into it. Deleted ones are left out; the newest comes first."""

    def selection(viewer: Viewer, is_wanted: Condition) -> Select[Any]:
        """Select `(columns of a person ..., key)`."""
        start = select(Customer.id.label("root"), Customer.id.label("id"), Customer.customer_number.label("number"))
        tree = start.where(is_wanted(Customer.id)).cte("tree", recursive=True, nesting=True)
        merged = aliased(Customer)
        tree = tree.union(
            select(tree.c.root, merged.id, merged.customer_number).join(tree, merged.merged_into_id == tree.c.id)
        )
        return (
            visible(row, viewer)
            .add_columns(tree.c.root)
            .join(tree, row.customer_number == tree.c.number)
            .where(row.is_deleted.is_(False))
            # Not by the key itself: SQLite would walk all persons by it.
            .order_by(-row.id)
        )

    return selection


def holder_of_employee(viewer: Viewer, is_wanted: Condition) -> Select[Any]:
    """Select `(columns of a holder ..., key)`: the employees whose key is wanted, as holders of ticket rights."""
    row = TicketRightsHolder
    found = visible(row, viewer).add_columns(row.employee_id.label("key"))
    return found.where(row.family_member_id.is_(None), is_wanted(row.employee_id))


def holder_of_family_member(viewer: Viewer, is_wanted: Condition) -> Select[Any]:
    """Select `(columns of a holder ..., key)`: the family members whose key is wanted, as holders of ticket rights."""
    row = TicketRightsHolder
    found = visible(row, viewer).add_columns(row.family_member_id.label("key"))
    return found.where(is_wanted(row.family_member_id))


def employee_by_key(viewer: Viewer, is_wanted: Condition) -> Select[Any]:
    """Select `(columns of an employee ..., key)` for the employees whose key is wanted."""
    return visible(Employee, viewer).add_columns(Employee.id.label("key")).where(is_wanted(Employee.id))


def company_of_employee(viewer: Viewer, is_wanted: Condition) -> Select[Any]:
    """Select `(columns of a company ..., key)` for the employees whose key is wanted."""
    found = visible(Company, viewer).add_columns(Employee.id.label("key"))
    return found.join(Employee, Employee.company_id == Company.id).where(is_wanted(Employee.id))


# Active holders


def _active_rights() -> Any:
    """Select the ticket rights, each with its holder and what a report says of a holder."""
    employee, member, right = Employee.__table__.c, FamilyMember.__table__.c, TicketRight.__table__.c
    kind, ticket, place = EmploymentType.__table__.c, TicketType.__table__.c, PostalPlace.__table__.c
    joined = (
        TicketRight.__table__.join(Employee.__table__, right.employee_id == employee.id)
        .join(EmploymentType.__table__, kind.code == employee.employment_type_id)
        .join(TicketType.__table__, ticket.id == right.ticket_type_id)
        .outerjoin(FamilyMember.__table__, member.id == right.family_member_id)
        .outerjoin(PostalPlace.__table__, and_(place.code == employee.postal_code, place.country == NORWAY))
    )
    return (
        select(
            right.ticket_holder_id.label("id"),
            right.id.label("ticket_right_id"),
            right.employee_id,
            right.family_member_id,
            employee.company_id,
            employee.employee_no,
            func.coalesce(member.first_name, employee.first_name, type_=String(100)).label("first_name"),
            func.coalesce(member.surname, employee.surname, type_=String(100)).label("surname"),
            employee.postal_code,
            place.place.label("city"),
            employee.address_line,
            employee.hire_end_date,
            kind.is_pensioner,
            ticket.ticket_right_type,
            right.valid_from,
            right.valid_until,
            right.calculation_timestamp,
        )
        .select_from(joined)
        .subquery("active_ticket_rights_holder")
    )


class ActiveTicketRightsHolder(Base):
    """A holder with a ticket right, not stored: each row is about one right. Its key is that of the holder."""

    __abstract__ = True
    __table__ = _active_rights()

    @classmethod
    def visible_to(cls, viewer: Viewer) -> ColumnElement[bool]:
        """Whoever sees the employee, and the family member itself."""
        here = cls.__table__.c
        if viewer.is_user:
            own = among(here.family_member_id, viewer.family_member_ids)
            return or_(among(here.employee_id, viewer.employee_ids), own)
        owner = aliased(Employee)
        seen = select(owner.id).where(owner.id == here.employee_id, owner.visible_to(viewer))
        return seen.correlate_except(owner).exists()


def active_holders(viewer: Viewer, company_id: Any, day: Any) -> Select[Any]:
    """Select the holders of a company who have a ticket right at a day, each once: with a right to a silver ticket type
    before one to a bronze one, and that before others, the oldest of them (rule E37)."""
    here = ActiveTicketRightsHolder.__table__.c
    right, ticket = aliased(TicketRight), aliased(TicketType)
    best = (
        select(right.id)
        .join(ticket, ticket.id == right.ticket_type_id)
        .where(right.ticket_holder_id == here.id, right.valid_from <= day, right.valid_until > day)
        .order_by(_rank(ticket.ticket_right_type), right.id)
        .limit(1)
        .correlate(ActiveTicketRightsHolder.__table__)
        .scalar_subquery()
    )
    return _seen(ActiveTicketRightsHolder, viewer, company_id).where(
        here.company_id == company_id, here.valid_from <= day, here.valid_until > day, here.ticket_right_id == best
    )


def _seen(row: type[Base], viewer: Viewer, company_id: Any) -> Select[Any]:
    """Select the visible ones among the rows of a company, which the caller has to ask for. Whoever is no user sees
    them if the company is seen: it is looked at once, instead of the employee of each row, for which PostgreSQL would
    read all employees."""
    if viewer.is_user:
        return visible(row, viewer)
    company = aliased(Company)
    is_seen = select(company.id).where(company.id == company_id, company.visible_to(viewer))
    return select(*columns(row)).where(is_seen.correlate(None).exists())


def _rank(kind: Any) -> ColumnElement[int]:
    return case((kind == TicketRightType.SILVER, 0), (kind == TicketRightType.BRONZE, 1), else_=2)


ACTIVE_ORDER = Order([ActiveTicketRightsHolder.__table__.c.employee_no, ActiveTicketRightsHolder.__table__.c.id])
"""By employee number, the employee before the family."""


# Searches


def _valid_at(row: Any, day: Any) -> ColumnElement[bool]:
    """Rules E30 and E46: from a day to before another one, if there is that."""
    return and_(row.valid_from <= day, or_(row.valid_until.is_(None), row.valid_until > day))


CRITERIA: Mapping[type[Base], Mapping[str, Callable[[Any], ColumnElement[bool]]]] = {
    Company: {"name": lambda key: starts_with(Company.name_key, key)},
    Employee: {
        "company_id": lambda key: Employee.company_id == key,
        "employee_no": lambda number: Employee.employee_no == number,
        "surname": lambda key: starts_with(Employee.surname_key, key),
        "employment_type_id": lambda code: Employee.employment_type_id == code,
        "hired_from": lambda day: Employee.hire_start_date >= day,
        "hired_before": lambda day: Employee.hire_start_date < day,
    },
    ImportedEmployee: {
        "company_id": lambda key: ImportedEmployee.company_id == key,
        "employee_no": lambda number: ImportedEmployee.employee_no == number,
    },
    FamilyMember: {"employee_id": lambda key: FamilyMember.employee_id == key},
    TicketRightsHolder: {
        "employee_id": lambda key: TicketRightsHolder.employee_id == key,
        "company_id": lambda key: _of_company(TicketRightsHolder, key),
    },
    TicketRight: {
        "ticket_holder_id": lambda key: TicketRight.ticket_holder_id == key,
        "employee_id": lambda key: TicketRight.employee_id == key,
        "family_member_id": lambda key: TicketRight.family_member_id == key,
        "company_id": lambda key: _of_company(TicketRight, key),
        "valid_at": lambda day: _valid_at(TicketRight, day),
    },
    ManualOrder: {
        "employee_id": lambda key: ManualOrder.employee_id == key,
        "family_member_id": lambda key: ManualOrder.family_member_id == key,
        "company_id": lambda key: _of_company(ManualOrder, key),
        "issued_from": lambda day: ManualOrder.issue_date >= day,
        "issued_before": lambda day: ManualOrder.issue_date < day,
    },
    Product: {"valid_at": lambda day: _valid_at(Product, day)},
    PostalPlace: {
        "code": lambda code: PostalPlace.code == code,
        "country": lambda code: PostalPlace.country == code,
    },
    Station: {},
}
"""Row class -> criterion -> the condition that a value of it stands for."""


def _of_company(row: Any, company_id: Any) -> ColumnElement[bool]:
    # Not `exists`: the employees of the company are found first, and what is theirs by the index of their keys.
    employs = select(Employee.id).where(Employee.company_id == company_id)
    found: ColumnElement[bool] = row.employee_id.in_(employs.correlate_except(Employee))
    return found


def has_state(system: str, state: SyncState) -> ColumnElement[bool]:
    """The condition on ticket rights that are in this state (rule E34) on their way to the system: `ticket` or
    `customer`."""
    columns = TicketRight.__table__.c
    error, synced = columns[f"{system}_error_message"], columns[f"{system}_sync_timestamp"]
    ready = columns[f"{system}_is_ready_to_sync"]
    conditions = {
        SyncState.FAILED: error.is_not(None),
        SyncState.SYNCED: and_(error.is_(None), synced.is_not(None)),
        SyncState.READY: and_(error.is_(None), synced.is_(None), ready.is_(True)),
        SyncState.NOT_READY: and_(error.is_(None), synced.is_(None), ready.is_(False)),
    }
    return conditions[state]


def found_by(
    row: type[Base], viewer: Viewer, values: Mapping[str, Any], *more: ColumnElement[bool], include_deleted: bool = True
) -> Select[Any]:
    """Select the visible rows that meet the criteria with these values, and `more`."""
    conditions = [CRITERIA.get(row, {})[name](value) for name, value in values.items()]
    if not include_deleted and issubclass(row, Deletable):
        conditions.append(row.is_deleted.is_(False))
    is_of_company = "company_id" in values and issubclass(row, OfHolder)
    found = _seen(row, viewer, values["company_id"]) if is_of_company else visible(row, viewer)
    return found.where(*conditions, *more)


def fip_orders(viewer: Viewer, company_id: Any, first_day: Any, end: Any) -> Select[Any]:
    """Select a company's manual orders of FIP tickets that were issued from a day to before another one (E52)."""
    values = {"company_id": company_id, "issued_from": first_day, "issued_before": end}
    return found_by(ManualOrder, viewer, values, ManualOrder.fip_ticket_type_id.is_not(None), include_deleted=False)


def order(row: type[Base], *names: str, descending: bool = False) -> Order:
    """The order of a list by columns of a row, the last one unique."""
    return Order([row.__table__.c[name] for name in names], descending)
