"""What rules about ticket rights are about: employees and their families, as plain facts, many in a few statements."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Any

from sqlalchemy import ColumnElement, and_, select

from datastore.employee.codes import EmploymentType
from datastore.employee.personnel import (
    Employee,
    EmployeeCategory,
    EmployeeDisabilityProof,
    EmployeeYearlyFee,
    FamilyMember,
    FamilyMemberLowIncome,
)
from datastore.employee.rights import TicketRightsHolder
from datastore.reading import Fetch, among

Years = frozenset[int]
NO_YEARS: Years = frozenset()


class HolderKind(Enum):
    """The kinds of holders of ticket rights (rule E37). The words are the source's."""

    EMPLOYEE = "Ansatt"
    PENSIONER = "Pensjonist"
    FAMILY_MEMBER = "Familie"


@dataclass(frozen=True, slots=True)
class MemberFacts:
    """A member of an employee's family. `low_income` has the years for which a low income is registered."""

    id: int
    relation: str
    born: date | None
    abstains: bool
    is_deleted: bool
    holder_id: int | None = None
    low_income: Years = NO_YEARS


@dataclass(frozen=True, slots=True)
class EmployeeFacts:
    """An employee with the family. `products` has the product of each year; `paid_fees` and `disability_proofs` have
    the years for which there is one."""

    id: int
    employment_type: str
    is_pensioner: bool
    percentage: int
    born: date
    hired: date
    left: date | None
    leave_from: date | None
    abstains: bool
    is_deleted: bool
    disability_grade: int
    disabled_from: date | None
    holder_id: int | None = None
    products: Mapping[int, int] | None = None
    paid_fees: Years = NO_YEARS
    disability_proofs: Years = NO_YEARS
    family: Sequence[MemberFacts] = ()

    @property
    def holders(self) -> "Sequence[Holder]":
        """The employee, then the family."""
        return [Holder(self), *(Holder(self, member) for member in self.family)]


@dataclass(frozen=True, slots=True)
class Holder:
    """Somebody who may hold ticket rights: an employee, or the member of the employee's family."""

    employee: EmployeeFacts
    member: MemberFacts | None = None

    @property
    def kind(self) -> HolderKind:
        if self.member:
            return HolderKind.FAMILY_MEMBER
        return HolderKind.PENSIONER if self.employee.is_pensioner else HolderKind.EMPLOYEE

    @property
    def person(self) -> EmployeeFacts | MemberFacts:
        return self.member or self.employee


async def facts_of(
    fetch: Fetch, condition: ColumnElement[bool], since: int, *, after: int = 0, limit: int | None = None
) -> Sequence[EmployeeFacts]:
    """The facts of the employees that meet a condition, deleted ones and deleted family members included, in the order
    of their keys from beyond `after` on; what is registered for years, from the year `since` on. Six statements."""
    holder = and_(TicketRightsHolder.employee_id == Employee.id, TicketRightsHolder.family_member_id.is_(None))
    statement = (
        select(
            Employee.id,
            Employee.employment_type_id.label("employment_type"),
            EmploymentType.is_pensioner,
            Employee.employment_percentage.label("percentage"),
            Employee.date_of_birth.label("born"),
            Employee.hire_start_date.label("hired"),
            Employee.hire_end_date.label("left"),
            Employee.leave_from_date.label("leave_from"),
            Employee.abstain_from_ticket.label("abstains"),
            Employee.is_deleted,
            Employee.disability_grade,
            Employee.disability_from_date.label("disabled_from"),
            TicketRightsHolder.id.label("holder_id"),
        )
        .join(EmploymentType, EmploymentType.code == Employee.employment_type_id)
        .outerjoin(TicketRightsHolder, holder)
        .where(condition, Employee.id > after)
        .order_by(Employee.id)
        .limit(limit)
    )
    employees = await fetch(statement)
    if not employees:
        return []
    keys = [row.id for row in employees]
    families = await _families(fetch, keys, since)
    products: dict[int, dict[int, int]] = {}
    of_year = EmployeeCategory.employee_id, EmployeeCategory.year, EmployeeCategory.product_id
    wanted = select(*of_year).where(among(EmployeeCategory.employee_id, keys), EmployeeCategory.year >= since)
    for employee_id, year, product_id in await fetch(wanted):
        products.setdefault(employee_id, {})[year] = product_id
    fees = await _years(fetch, EmployeeYearlyFee, EmployeeYearlyFee.is_paid, "employee_id", keys, since)
    registered = EmployeeDisabilityProof.is_registered
    proofs = await _years(fetch, EmployeeDisabilityProof, registered, "employee_id", keys, since)
    return [
        EmployeeFacts(
            **row._mapping,
            products=products.get(row.id, {}),
            paid_fees=fees.get(row.id, NO_YEARS),
            disability_proofs=proofs.get(row.id, NO_YEARS),
            family=families.get(row.id, ()),
        )
        for row in employees
    ]


async def _families(fetch: Fetch, keys: Collection[int], since: int) -> Mapping[int, Sequence[MemberFacts]]:
    """Key of an employee -> the family, in the order of their keys."""
    statement = (
        select(
            FamilyMember.id,
            FamilyMember.relation_code.label("relation"),
            FamilyMember.date_of_birth.label("born"),
            FamilyMember.abstain_from_ticket.label("abstains"),
            FamilyMember.is_deleted,
            TicketRightsHolder.id.label("holder_id"),
            FamilyMember.employee_id,
        )
        .outerjoin(TicketRightsHolder, TicketRightsHolder.family_member_id == FamilyMember.id)
        .where(among(FamilyMember.employee_id, keys))
        .order_by(FamilyMember.id)
    )
    members = await fetch(statement)
    member_keys = [row.id for row in members]
    registered = FamilyMemberLowIncome.is_registered
    incomes = await _years(fetch, FamilyMemberLowIncome, registered, "family_member_id", member_keys, since)
    families: dict[int, list[MemberFacts]] = {}
    for row in members:
        values = {**row._mapping}
        siblings = families.setdefault(values.pop("employee_id"), [])
        siblings.append(MemberFacts(**values, low_income=incomes.get(row.id, NO_YEARS)))
    return families


async def _years(
    fetch: Fetch, row: Any, is_so: Any, owner: str, keys: Collection[int], since: int
) -> Mapping[int, Years]:
    """Key of an owner -> the years for which something is so."""
    column = getattr(row, owner)
    statement = select(column, row.year).where(among(column, keys), row.year >= since, is_so)
    years: dict[int, set[int]] = {}
    for key, year in await fetch(statement):
        years.setdefault(key, set()).add(year)
    return {key: frozenset(each) for key, each in years.items()}
