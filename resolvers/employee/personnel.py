"""Families of employees, and what is registered for a year: fees, proofs, low incomes, products (rules E01, E07 and
E15 to E19)."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import strawberry
from sqlalchemy.orm.attributes import flag_modified
from strawberry import ID, Maybe

from datastore.employee import changing as statements
from datastore.employee import codes
from datastore.employee import personnel as stored
from datastore.employee.rights import TicketRightsHolder
from datastore.reading import snapshot, within
from datastore.writing import Write
from resolvers import formats
from resolvers.customer.changing import same_version
from resolvers.customer.inputs import EXPECTED_VERSION
from resolvers.customer.owned import key_in
from resolvers.employee.importing import by_whom, new_holder_code, sealed, ssn
from resolvers.errors import ErrorCode, refuse
from resolvers.given import Problems, checked
from resolvers.oslo import today
from resolvers.scalars import Long

LONGEST_NOTE = 10_000

EMPLOYEE = "Id of the employee."
MEMBER = "Id of the family member."
RELATION = "Code of the relation to the employee."
FIRST_NAME = "First name. At most 100 characters."
SURNAME = "Surname. At most 100 characters."
BORN = "Date of birth."
SSN = "Last 5 digits of the Norwegian identity number or D-number."
ABSTAINS = "Whether the person has opted out: true means no tickets."
NOTE = "Any other information: at most 10,000 characters, line breaks and tabs allowed."
YEAR = "The year: this one or the next one, in Norway."
YEARLY_VERSION = f"{EXPECTED_VERSION} It is 0 where nothing is registered for the year."


@strawberry.input(description="A new member of an employee's family.")
class CreateFamilyMemberInput:
    employee_id: Long = strawberry.field(description=EMPLOYEE)
    relation_code: str = strawberry.field(description=RELATION)
    first_name: str = strawberry.field(description=FIRST_NAME)
    surname: str = strawberry.field(description=SURNAME)
    date_of_birth: date | None = strawberry.field(default=None, description=BORN)
    ssn: str | None = strawberry.field(default=None, description=SSN)
    abstain_from_ticket: bool | None = strawberry.field(default=False, description=ABSTAINS)
    note: str | None = strawberry.field(default=None, description=NOTE)


@strawberry.input(description="Changes to a family member. A field that is absent stays; null clears it.")
class UpdateFamilyMemberInput:
    family_member_id: Long = strawberry.field(description=MEMBER)
    expected_version: int | None = strawberry.field(default=None, description=EXPECTED_VERSION)
    relation_code: Maybe[str | None] = strawberry.field(description=RELATION)
    first_name: Maybe[str | None] = strawberry.field(description=FIRST_NAME)
    surname: Maybe[str | None] = strawberry.field(description=SURNAME)
    date_of_birth: Maybe[date | None] = strawberry.field(description=BORN)
    ssn: Maybe[str | None] = strawberry.field(description=SSN)
    abstain_from_ticket: Maybe[bool | None] = strawberry.field(description=ABSTAINS)
    note: Maybe[str | None] = strawberry.field(description=NOTE)
    is_deleted: Maybe[bool | None] = strawberry.field(description="Whether the person is marked for deletion.")


@strawberry.input(description="Whether an employee has paid the fee of a year.")
class SetEmployeeYearlyFeeInput:
    employee_id: Long = strawberry.field(description=EMPLOYEE)
    year: int = strawberry.field(description=YEAR)
    is_paid: bool = strawberry.field(description="Whether it has been paid.")
    expected_version: int | None = strawberry.field(default=None, description=YEARLY_VERSION)


@strawberry.input(description="Whether a proof of an employee's disability is registered for a year.")
class SetEmployeeDisabilityProofInput:
    employee_id: Long = strawberry.field(description=EMPLOYEE)
    year: int = strawberry.field(description=YEAR)
    is_registered: bool = strawberry.field(description="Whether it is registered.")
    expected_version: int | None = strawberry.field(default=None, description=YEARLY_VERSION)


@strawberry.input(description="Whether a low income of a family member is registered for a year.")
class SetFamilyMemberLowIncomeInput:
    family_member_id: Long = strawberry.field(description=MEMBER)
    year: int = strawberry.field(description=YEAR)
    is_registered: bool = strawberry.field(description="Whether it is registered.")
    expected_version: int | None = strawberry.field(default=None, description=YEARLY_VERSION)


@strawberry.input(description="The personnel ticket product of an employee in a year.")
class SetEmployeeCategoryInput:
    employee_id: Long = strawberry.field(description=EMPLOYEE)
    year: int = strawberry.field(description=YEAR)
    product_id: ID = strawberry.field(description="Id of a product that is valid on some day of the year.")
    expected_version: int | None = strawberry.field(default=None, description=YEARLY_VERSION)


# The family


async def create_family_member(write: Write, given: CreateFamilyMemberInput) -> stored.FamilyMember:
    """A new member of an employee's family, and a holder of ticket rights (E01).

    Raises `Refused`: EMPLOYEE_NOT_FOUND (foreign ones too, T04), EMPLOYEE_DELETED, CODE_UNKNOWN, SSN_INVALID,
    DATE_INVALID for a birth in the future, and what the formats refuse.
    """
    employee = await employee_in(write, given.employee_id)
    values = await _member_values(write, given)
    by = by_whom(write)
    made = stored.FamilyMember(
        **{**values, "employee_id": employee.id},
        created_at=write.now,
        created_by=by,
        updated_at=write.now,
        updated_by=by,
    )
    write.session.add(made)
    await write.session.flush()
    write.session.add(
        TicketRightsHolder(employee_id=employee.id, family_member_id=made.id, ticket_holder_code=new_holder_code())
    )
    return made


async def update_family_member(write: Write, given: UpdateFamilyMemberInput) -> stored.FamilyMember:
    """The family member with the given changes (E14).

    Raises `Refused`: FAMILY_MEMBER_NOT_FOUND (foreign ones too, T04), VERSION_CONFLICT, CODE_UNKNOWN, SSN_INVALID,
    DATE_INVALID for a birth in the future, and what the formats refuse.
    """
    member = await member_in(write, given.family_member_id)
    same_version(member, given.expected_version)
    values = await _member_values(write, given)
    for name, value in {**values, "updated_at": write.now, "updated_by": by_whom(write)}.items():
        setattr(member, name, value)
    flag_modified(member, "updated_at")
    return member


async def _member_values(write: Write, given: CreateFamilyMemberInput | UpdateFamilyMemberInput) -> dict[str, Any]:
    """The given values, those that are sealed sealed. Raises `Refused`, never with the ssn or the note."""
    problems = Problems()
    skip = {"employee_id", "ssn", "note", "version"}
    values = checked(problems, given, stored.FamilyMember, {}, skip=skip)
    for name, read in (("ssn", ssn), ("note", _note)):
        wanted: Any = getattr(given, name)
        text = wanted.value if isinstance(wanted, strawberry.Some) else wanted
        if text is not None:
            with problems.at(name):
                values[name] = read(text)
        elif wanted is not None:
            values[name] = None
    code = values.get("relation_code")
    if code is not None and code not in await statements.codes_in_use(within(write.session), codes.FamilyRelation):
        problems.add(ErrorCode.CODE_UNKNOWN, "relationCode", rejected=[code])
    born = values.get("date_of_birth")
    if born is not None and born > today(write.now):
        problems.add(ErrorCode.DATE_INVALID, "dateOfBirth", rejected=[born])
    problems.raise_any()
    if values.get("note") is not None:
        values["note"] = write.keys.seal(values["note"], stored.FamilyMember.note)
    return sealed(write.keys, stored.FamilyMember, values)


def _note(text: str) -> str | None:
    return formats.clean_lines(text, LONGEST_NOTE) or None


# What is registered for a year


async def set_employee_yearly_fee(write: Write, given: SetEmployeeYearlyFeeInput) -> stored.EmployeeYearlyFee:
    """What is registered of the fee of a year (E15). Raises `Refused`: EMPLOYEE_NOT_FOUND (foreign ones too, T04),
    EMPLOYEE_DELETED, YEAR_NOT_ALLOWED, VERSION_CONFLICT."""
    employee = await employee_in(write, given.employee_id)
    key = stored.EmployeeYearlyFee.employee_id, employee.id
    found: stored.EmployeeYearlyFee = await _registered(write, *key, given, {"is_paid": given.is_paid})
    return found


async def set_employee_disability_proof(
    write: Write, given: SetEmployeeDisabilityProofInput
) -> stored.EmployeeDisabilityProof:
    """What is registered of a proof of disability for a year (E15). Raises `Refused`: EMPLOYEE_NOT_FOUND (foreign ones
    too, T04), EMPLOYEE_DELETED, YEAR_NOT_ALLOWED, VERSION_CONFLICT."""
    employee = await employee_in(write, given.employee_id)
    key = stored.EmployeeDisabilityProof.employee_id, employee.id
    values = {"is_registered": given.is_registered}
    found: stored.EmployeeDisabilityProof = await _registered(write, *key, given, values)
    return found


async def set_family_member_low_income(
    write: Write, given: SetFamilyMemberLowIncomeInput
) -> stored.FamilyMemberLowIncome:
    """What is registered of a low income for a year (E16). Raises `Refused`: FAMILY_MEMBER_NOT_FOUND (foreign and
    deleted ones too, T04), YEAR_NOT_ALLOWED, VERSION_CONFLICT."""
    member = await member_in(write, given.family_member_id)
    if member.is_deleted:
        raise refuse(ErrorCode.FAMILY_MEMBER_NOT_FOUND, "familyMemberId", rejected=[given.family_member_id])
    key = stored.FamilyMemberLowIncome.family_member_id, member.id
    values = {"is_registered": given.is_registered}
    found: stored.FamilyMemberLowIncome = await _registered(write, *key, given, values)
    return found


async def set_employee_category(write: Write, given: SetEmployeeCategoryInput) -> stored.EmployeeCategory:
    """The product of a year (E17). Raises `Refused`: EMPLOYEE_NOT_FOUND (foreign ones too, T04), EMPLOYEE_DELETED,
    YEAR_NOT_ALLOWED, PRODUCT_NOT_FOUND for one that is not valid in the year (E46), VERSION_CONFLICT."""
    employee = await employee_in(write, given.employee_id)
    possible_year(write, given.year)
    product_id = key_in(given.product_id)
    valid = statements.is_valid_between(date(given.year, 1, 1), date(given.year + 1, 1, 1))
    if product_id is None or not await write.exists(codes.Product, valid, id=product_id):
        raise refuse(ErrorCode.PRODUCT_NOT_FOUND, "productId", rejected=[given.product_id])
    key = stored.EmployeeCategory.employee_id, employee.id
    found: stored.EmployeeCategory = await _registered(write, *key, given, {"product_id": product_id})
    return found


async def _registered(write: Write, owner: Any, owner_id: int, given: Any, values: Mapping[str, Any]) -> Any:
    """The one row of an owner, who is locked, and a year, with these values. Raises `Refused`: YEAR_NOT_ALLOWED,
    VERSION_CONFLICT."""
    possible_year(write, given.year)
    row = await write.get(owner, owner_id, year=given.year)
    version = 0 if row is None else row.version
    if given.expected_version not in (None, version):
        current = None if row is None else snapshot(row)
        rejected = [given.expected_version]
        raise refuse(ErrorCode.VERSION_CONFLICT, "expectedVersion", rejected=rejected, current=current)
    if row is None:
        row = owner.class_(**{owner.key: owner_id}, year=given.year)
        write.session.add(row)
    for name, value in values.items():
        setattr(row, name, value)
        flag_modified(row, name)
    await write.session.flush()
    return row


def possible_year(write: Write, year: int) -> None:
    """Raises `Refused`: YEAR_NOT_ALLOWED for another year than this one and the next one in Norway (E15 to E19)."""
    if year - today(write.now).year not in (0, 1):
        raise refuse(ErrorCode.YEAR_NOT_ALLOWED, "year", rejected=[year])


async def employee_in(write: Write, employee_id: int, *, deleted_too: bool = False) -> stored.Employee:
    """The employee, locked. Raises `Refused`: EMPLOYEE_NOT_FOUND, for a foreign one too, and EMPLOYEE_DELETED unless
    `deleted_too`."""
    employee: stored.Employee | None = await write.get(stored.Employee.id, employee_id)
    if employee is None:
        raise refuse(ErrorCode.EMPLOYEE_NOT_FOUND, "employeeId", rejected=[employee_id])
    if employee.is_deleted and not deleted_too:
        raise refuse(ErrorCode.EMPLOYEE_DELETED, "employeeId", rejected=[employee_id])
    return employee


async def member_in(write: Write, family_member_id: int) -> stored.FamilyMember:
    """The family member, locked. Raises `Refused`: FAMILY_MEMBER_NOT_FOUND, for a foreign one too."""
    member: stored.FamilyMember | None = await write.get(stored.FamilyMember.id, family_member_id)
    if member is None:
        raise refuse(ErrorCode.FAMILY_MEMBER_NOT_FOUND, "familyMemberId", rejected=[family_member_id])
    return member
