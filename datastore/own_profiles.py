"""The profiles that are one person's own, and who the person is as an employee or as a member of a family."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, bindparam, literal_column, null, select, union_all
from sqlalchemy.orm import aliased

from datastore.customer import Customer, CustomerStatus
from datastore.database import Database
from datastore.employee.personnel import Company, Employee, FamilyMember


@dataclass(frozen=True, slots=True)
class OwnProfiles:
    """The number of the profile that a customer has now, and the keys of it and of all that were merged into it; the
    keys of the person's employments, and of those as a member of a family."""

    customer_number: int
    customer_ids: frozenset[int]
    employee_ids: frozenset[int] = frozenset()
    family_member_ids: frozenset[int] = frozenset()


PROFILE, EMPLOYEE, FAMILY_MEMBER = "C", "E", "F"


def _chain() -> Any:
    """Select what `_profiles` does, each with the kind PROFILE; and as EMPLOYEE and FAMILY_MEMBER, with a key alone,
    the persons to whom one of these profiles belongs by its number, and the employment `employee`."""
    found = _profiles().cte("found")
    profiles = select(literal_column(f"'{PROFILE}'").label("kind"), *found.c)
    numbers = select(found.c.customer_number)
    employees = _keys(EMPLOYEE, Employee).where(Employee.customer_number.in_(numbers))
    members = _keys(FAMILY_MEMBER, FamilyMember).where(FamilyMember.customer_number.in_(numbers))
    return union_all(profiles, employees, members, _named())


def _keys(kind: str, row: type[Employee | FamilyMember]) -> Select[Any]:
    """Select the keys of persons who are not deleted, with a null for each of the other columns of profiles."""
    others: list[ColumnElement[Any]] = [null() for _ in range(4)]
    return select(literal_column(f"'{kind}'").label("kind"), row.id, *others).where(row.is_deleted.is_(False))


def _named() -> Select[Any]:
    """Select the employment `employee` of `organisation`: an issuer speaks for no other organisation's employees."""
    here = Employee.id == bindparam("employee", type_=BigInteger())
    mine = Company.organisation_id == bindparam("organisation")
    return _keys(EMPLOYEE, Employee).join(Company, Company.id == Employee.company_id).where(here, mine)


def _profiles() -> Any:
    """Select the profile `number` of `organisation`, all that follow it, whatever organisation they are of, and all of
    the organisation that were merged into the last of them, directly or through others."""
    wanted = (
        Customer.id,
        Customer.merged_into_id,
        Customer.organisation_id,
        Customer.customer_number,
        Customer.status,
    )
    start = select(*wanted).where(
        Customer.customer_number == bindparam("number"), Customer.organisation_id == bindparam("organisation")
    )
    chain = start.cte("chain", recursive=True)
    target = aliased(Customer)
    following = select(*(getattr(target, column.key) for column in wanted))
    # UNION, not UNION ALL: a row that was met before ends the walk, so a circle cannot run for ever.
    chain = chain.union(following.join(chain, target.id == chain.c.merged_into_id))
    last = select(*chain.c).where(chain.c.merged_into_id.is_(None)).cte("merged", recursive=True)
    other = aliased(Customer)
    others = select(*(getattr(other, column.key) for column in wanted)).where(
        other.organisation_id == bindparam("organisation")
    )
    merged = last.union(others.join(last, other.merged_into_id == last.c.id))
    return select(chain).union(select(merged))


CHAIN, NAMED = _chain(), _named()
"""Made once: every request of a user runs one of them, and making it takes longer than running it."""


async def own_profiles(
    database: Database, organisation_id: int, customer_number: int, employee_id: int | None = None
) -> OwnProfiles | None:
    """The profile that this one was merged into at the end (rule C40), or itself, and all that were merged into that;
    with the employments and family memberships that are connected to one of them, of whatever company (rule G3), and
    the employment with the key `employee_id`, if it is of a company of the organisation. Deleted ones are left out.

    None if the organisation has no such profile, if the last one is deleted, or if there is no way to it: because
    profiles are merged in a circle, or into one of another organisation.
    """
    values = {"number": customer_number, "organisation": organisation_id, "employee": employee_id}
    rows = await database.fetch(CHAIN, values)
    found = [row for row in rows if row.kind == PROFILE]
    last = [row for row in found if row.merged_into_id is None]
    if not last or last[0].status is CustomerStatus.DELETED:
        return None
    if any(row.organisation_id != organisation_id for row in found):
        return None
    keys = {kind: frozenset(row.id for row in rows if row.kind == kind) for kind in (PROFILE, EMPLOYEE, FAMILY_MEMBER)}
    return OwnProfiles(last[0].customer_number, keys[PROFILE], keys[EMPLOYEE], keys[FAMILY_MEMBER])


async def own_employments(database: Database, organisation_id: int, employee_id: int) -> frozenset[int]:
    """The key of this employment, if it is of a company of the organisation and not deleted."""
    found = await database.fetch(NAMED, {"organisation": organisation_id, "employee": employee_id})
    return frozenset(row.id for row in found)
