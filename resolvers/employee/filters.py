"""What callers send to find employees and what hangs on them: filters and orders."""

from datetime import date
from enum import Enum

import strawberry

from datastore.employee.rights import SyncState
from resolvers.customer.inputs import SortDirection
from resolvers.scalars import Long

COMPANY_ID = "The company is this one."
EMPLOYEE_ID = "The employee is this one."
FAMILY_MEMBER_ID = "The family member is this one."
INCLUDE_DELETED = "Whether those that are marked as deleted are answered, too."


@strawberry.input(description="Criteria for companies; all that are given must hold.")
class CompanyFilterInput:
    name: str | None = strawberry.field(default=None, description="The name begins with this text.")
    include_deleted: bool | None = strawberry.field(default=False, description=INCLUDE_DELETED)


@strawberry.input(description="Criteria for employees; all that are given must hold.")
class EmployeeFilterInput:
    company_id: Long | None = strawberry.field(default=None, description=COMPANY_ID)
    employee_no: str | None = strawberry.field(default=None, description="The employee number is this one.")
    surname: str | None = strawberry.field(default=None, description="The surname begins with this text.")
    employment_type_id: str | None = strawberry.field(default=None, description="The employment type has this code.")
    hired_from: date | None = strawberry.field(default=None, description="Hired on this day or later.")
    hired_before: date | None = strawberry.field(default=None, description="Hired before this day.")
    include_deleted: bool | None = strawberry.field(default=False, description=INCLUDE_DELETED)


@strawberry.enum(description="What employees can be sorted by.")
class EmployeeOrderField(Enum):
    SURNAME = strawberry.enum_value("surname_key", description="By surname, in Norwegian order.")
    EMPLOYEE_NO = strawberry.enum_value("employee_no", description="By employee number, character by character.")
    HIRE_START_DATE = strawberry.enum_value("hire_start_date", description="By the day of hire.")


@strawberry.input(description="How employees are sorted; equal ones by their id in the same direction.")
class EmployeeOrder:
    field: EmployeeOrderField = strawberry.field(description="What to sort by.")
    direction: SortDirection | None = strawberry.field(default=SortDirection.ASC, description="Direction of sorting.")


@strawberry.input(description="Criteria for imported employees; all that are given must hold.")
class ImportedEmployeeFilterInput:
    company_id: Long | None = strawberry.field(default=None, description=COMPANY_ID)
    employee_no: str | None = strawberry.field(
        default=None, description="The employee number, without the company's prefix, is this one."
    )
    include_deleted: bool | None = strawberry.field(default=False, description=INCLUDE_DELETED)


@strawberry.input(description="Criteria for family members; all that are given must hold.")
class FamilyMemberFilterInput:
    employee_id: Long | None = strawberry.field(default=None, description=EMPLOYEE_ID)
    include_deleted: bool | None = strawberry.field(default=False, description=INCLUDE_DELETED)


@strawberry.input(description="Criteria for holders of ticket rights; all that are given must hold.")
class TicketRightsHolderFilterInput:
    company_id: Long | None = strawberry.field(default=None, description=COMPANY_ID)
    employee_id: Long | None = strawberry.field(
        default=None, description="The employee is this one: as a holder, and the holders in the family."
    )


@strawberry.input(description="Criteria for ticket rights; all that are given must hold.")
class TicketRightFilterInput:
    company_id: Long | None = strawberry.field(default=None, description=COMPANY_ID)
    ticket_holder_id: Long | None = strawberry.field(default=None, description="The holder is this one.")
    employee_id: Long | None = strawberry.field(
        default=None, description="The employee is this one: the employee's own rights, and those of the family."
    )
    family_member_id: Long | None = strawberry.field(default=None, description=FAMILY_MEMBER_ID)
    valid_at: date | None = strawberry.field(default=None, description="Valid on this day.")
    ticket_sync_state: SyncState | None = strawberry.field(
        default=None, description="How far it is on its way to the ticketing system."
    )
    customer_sync_state: SyncState | None = strawberry.field(
        default=None, description="How far it is on its way to the customer system."
    )


@strawberry.input(description="Criteria for manual orders; all that are given must hold.")
class ManualOrderFilterInput:
    company_id: Long | None = strawberry.field(default=None, description=COMPANY_ID)
    employee_id: Long | None = strawberry.field(
        default=None, description="The employee is this one: orders for the employee, and for the family."
    )
    family_member_id: Long | None = strawberry.field(default=None, description=FAMILY_MEMBER_ID)
    issued_from: date | None = strawberry.field(default=None, description="Issued on this day or later.")
    issued_before: date | None = strawberry.field(default=None, description="Issued before this day.")
    include_deleted: bool | None = strawberry.field(default=False, description=INCLUDE_DELETED)
