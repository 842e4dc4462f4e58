"""Finding companies, employees and families, their ticket rights, and the code lists (rules E14, E34, E37, E52)."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from sqlalchemy import Select
from strawberry.utils.str_converters import to_camel_case

from datastore.base import Base
from datastore.employee import codes, personnel, rights
from datastore.employee.reads import (
    ACTIVE_ORDER,
    ActiveTicketRightsHolder,
    active_holders,
    fip_orders,
    found_by,
    has_state,
    order,
)
from datastore.employee.rights import SyncState
from datastore.keyset import Order, Window
from datastore.reading import among, visible
from datastore.text import sort_key
from datastore.viewer import Viewer
from resolvers import formats
from resolvers.customer.inputs import SortDirection
from resolvers.customer.reads import needed
from resolvers.employee.filters import (
    CompanyFilterInput,
    EmployeeFilterInput,
    EmployeeOrder,
    FamilyMemberFilterInput,
    ImportedEmployeeFilterInput,
    ManualOrderFilterInput,
    TicketRightFilterInput,
    TicketRightsHolderFilterInput,
)
from resolvers.errors import ErrorCode, refuse
from resolvers.given import Format, Problems
from resolvers.oslo import today
from resolvers.paging import window
from resolvers.scalars import Long
from resolvers.wanted import Reading, WantedPage, WantedRow, wanted_by

LONGEST_CRITERION = 100
SYSTEMS = {"ticket_sync_state": "ticket", "customer_sync_state": "customer"}
"""Criterion -> the system that the state is about, as the columns name it."""


def trimmed(text: str) -> str:
    return formats.clean(text, LONGEST_CRITERION)


def searched(text: str) -> str:
    return sort_key(trimmed(text))


TEXTS: Mapping[str, Format] = {
    "name": needed(searched),
    "surname": needed(searched),
    "employee_no": needed(trimmed),
    "employment_type_id": needed(trimmed),
    "code": needed(trimmed),
    "country": needed(formats.alpha3),
}
"""Criterion that is a text -> its format."""


def listed(row: type[Base], name: str, given: object, sorted_by: Order, part: Window) -> WantedPage:
    """The page of a list: what a filter finds, without deleted rows unless it has `include_deleted`.

    Raises `Refused`: REQUIRED for a text of which nothing is left, and what `formats` refuses.
    """
    criteria = {name: value for name, value in vars(given).items() if value is not None} if given else {}
    include_deleted = bool(criteria.pop("include_deleted", False))
    states: dict[str, SyncState] = {name: criteria.pop(name) for name in SYSTEMS if name in criteria}
    problems, path = Problems(), [] if isinstance(given, Given) else ["filter"]
    for each, form in TEXTS.items():
        if each in criteria:
            with problems.at(*path, to_camel_case(each)):
                criteria[each] = form(criteria[each])
    problems.raise_any()

    def statement(viewer: Viewer, values: Mapping[str, Any]) -> Select[Any]:
        more = [has_state(SYSTEMS[each], state) for each, state in states.items()]
        return found_by(row, viewer, values, *more, include_deleted=include_deleted)

    told = [*((each, state.name) for each, state in states.items()), include_deleted]
    return WantedPage(
        row=row,
        shape=(*criteria, *map(str, told)),
        values=criteria,
        statement=statement,
        order=sorted_by,
        window=part,
        query=[name, criteria, told],
    )


@Reading
def company(viewer: Viewer, company_id: Long) -> WantedRow:
    """The company with this id, deleted or not, or None."""
    return wanted_by(personnel.Company.id, company_id)


@Reading
def employee(viewer: Viewer, employee_id: Long) -> WantedRow:
    """The employee with this id, deleted or not, or None."""
    return wanted_by(personnel.Employee.id, employee_id)


@Reading
def family_member(viewer: Viewer, family_member_id: Long) -> WantedRow:
    """The family member with this id, deleted or not, or None."""
    return wanted_by(personnel.FamilyMember.id, family_member_id)


@Reading
def own_employee(viewer: Viewer) -> WantedRow | None:
    """The employment of the user who asks, the newest of several; None for clients and for users without one."""
    return own(personnel.Employee, viewer, "employee_ids")


@Reading
def own_family_member(viewer: Viewer) -> WantedRow | None:
    """The user who asks as a member of an employee's family; None for clients and for users who are none."""
    return own(personnel.FamilyMember, viewer, "family_member_ids")


def own(row: type[personnel.Employee | personnel.FamilyMember], viewer: Viewer, ids: str) -> WantedRow | None:
    if not viewer.is_user:
        return None

    def statement(viewer: Viewer, values: Mapping[str, Any]) -> Select[Any]:
        mine = among(row.id, getattr(viewer, ids))
        return visible(row, viewer).where(mine, row.is_deleted.is_(False)).order_by(row.id.desc())

    return WantedRow(row=row, shape=ids, statement=statement)


BY_NAME = order(personnel.Company, "name_key", "id")


@Reading
def companies(
    viewer: Viewer,
    filter: CompanyFilterInput | None = None,
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
) -> WantedPage:
    """A page of companies, by name. Raises `Refused`: as `window` and `listed` do."""
    return listed(personnel.Company, "companies", filter, BY_NAME, window(first, after, last, before))


@Reading
def employees(
    viewer: Viewer,
    filter: EmployeeFilterInput | None = None,
    order_by: EmployeeOrder | None = None,
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
) -> WantedPage:
    """A page of employees, by surname unless they are sorted otherwise. Raises `Refused`: as `window` and `listed`
    do."""
    field = "surname_key" if order_by is None else str(order_by.field.value)
    descending = order_by is not None and order_by.direction is SortDirection.DESC
    sorted_by = order(personnel.Employee, field, "id", descending=descending)
    return listed(personnel.Employee, "employees", filter, sorted_by, window(first, after, last, before))


@Reading
def imported_employees(
    viewer: Viewer,
    filter: ImportedEmployeeFilterInput | None = None,
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
) -> WantedPage:
    """A page of imported employees, the oldest first. Raises `Refused`: as `window` and `listed` do."""
    row, part = personnel.ImportedEmployee, window(first, after, last, before)
    return listed(row, "importedEmployees", filter, order(row, "id"), part)


@Reading
def family_members(
    viewer: Viewer,
    filter: FamilyMemberFilterInput | None = None,
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
) -> WantedPage:
    """A page of family members, the oldest rows first. Raises `Refused`: as `window` does."""
    row, part = personnel.FamilyMember, window(first, after, last, before)
    return listed(row, "familyMembers", filter, order(row, "id"), part)


@Reading
def ticket_rights_holders(
    viewer: Viewer,
    filter: TicketRightsHolderFilterInput | None = None,
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
) -> WantedPage:
    """A page of the holders of ticket rights. Raises `Refused`: as `window` does."""
    row, part = rights.TicketRightsHolder, window(first, after, last, before)
    return listed(row, "ticketRightsHolders", filter, order(row, "id"), part)


@Reading
def ticket_rights(
    viewer: Viewer,
    filter: TicketRightFilterInput | None = None,
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
) -> WantedPage:
    """A page of ticket rights, the oldest rows first. Raises `Refused`: as `window` does."""
    row, part = rights.TicketRight, window(first, after, last, before)
    return listed(row, "ticketRights", filter, order(row, "id"), part)


@Reading
def manual_orders(
    viewer: Viewer,
    filter: ManualOrderFilterInput | None = None,
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
) -> WantedPage:
    """A page of manual orders, the oldest rows first. Raises `Refused`: as `window` does."""
    row, part = rights.ManualOrder, window(first, after, last, before)
    return listed(row, "manualOrders", filter, order(row, "id"), part)


@Reading
def active_ticket_rights_holders(
    viewer: Viewer,
    company_id: Long,
    at: date | None = None,
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
) -> WantedPage:
    """A page of a company's holders of ticket rights at a day, by default today in Norway (E19, E37); empty for an
    unknown company. Raises `Refused`: as `window` does."""
    part = window(first, after, last, before)
    values = {"company": company_id, "day": at or today()}
    return WantedPage(
        row=ActiveTicketRightsHolder,
        values=values,
        statement=lambda viewer, values: active_holders(viewer, values["company"], values["day"]),
        order=ACTIVE_ORDER,
        window=part,
        query=["activeTicketRightsHolders", company_id, at],
    )


@Reading
def fip_monthly_ticket_report(
    viewer: Viewer,
    company_id: Long,
    year: int,
    month: int,
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
) -> WantedPage:
    """A page of the FIP tickets that a company's employees were issued in a month (E52), by the day of issue; empty for
    an unknown company. Raises `Refused`: DATE_INVALID, and as `window` does."""
    part = window(first, after, last, before)
    if not 1 <= month <= 12 or not 1900 <= year <= 9000:
        name, value = ("year", year) if 1 <= month <= 12 else ("month", month)
        raise refuse(ErrorCode.DATE_INVALID, name, rejected=[value])
    end = date(year + month // 12, month % 12 + 1, 1)
    return WantedPage(
        row=rights.ManualOrder,
        values={"company": company_id, "from": date(year, month, 1), "end": end},
        statement=lambda viewer, values: fip_orders(viewer, values["company"], values["from"], values["end"]),
        order=order(rights.ManualOrder, "issue_date", "id"),
        window=part,
        query=["fipMonthlyTicketReport", company_id, year, month],
    )


# Code lists


def code_list(row: type[Base], name: str, *sorted_by: str) -> Reading:
    """A page of a code list that everybody may read."""

    def ask(
        viewer: Viewer,
        include_deleted: bool = False,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> WantedPage:
        given = Given(include_deleted=include_deleted)
        return listed(row, name, given, order(row, *sorted_by), window(first, after, last, before))

    return Reading(ask)


class Given:
    """Criteria that came as arguments rather than as a filter."""

    def __init__(self, **criteria: Any) -> None:
        vars(self).update(criteria)


pay_types = code_list(codes.PayType, "payTypes", "code")
employment_types = code_list(codes.EmploymentType, "employmentTypes", "code")
employment_end_causes = code_list(codes.EmploymentEndCause, "employmentEndCauses", "code")
family_relations = code_list(codes.FamilyRelation, "familyRelations", "code")
travel_types = code_list(codes.TravelType, "travelTypes", "code")
fip_ticket_types = code_list(codes.FipTicketType, "fipTicketTypes", "code")
ticket_types = code_list(codes.TicketType, "ticketTypes", "code")


@Reading
def products(
    viewer: Viewer,
    valid_at: date | None = None,
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
) -> WantedPage:
    """A page of personnel ticket products. Raises `Refused`: as `window` does."""
    part = window(first, after, last, before)
    return listed(codes.Product, "products", Given(valid_at=valid_at), order(codes.Product, "id"), part)


@Reading
def postal_places(
    viewer: Viewer,
    code: str | None = None,
    country: str | None = None,
    include_deleted: bool = False,
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
) -> WantedPage:
    """A page of postal places, by post code. Raises `Refused`: as `window` and `listed` do."""
    part = window(first, after, last, before)
    given = Given(code=code, country=country, include_deleted=include_deleted)
    return listed(codes.PostalPlace, "postalPlaces", given, order(codes.PostalPlace, "code", "id"), part)


@Reading
def stations(
    viewer: Viewer,
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
) -> WantedPage:
    """A page of stations, by their NeTEx id. Raises `Refused`: as `window` does."""
    return listed(codes.Station, "stations", None, order(codes.Station, "id"), window(first, after, last, before))
