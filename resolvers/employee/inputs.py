"""What the personnel department sends of an employee, as inputs of mutations (rules E03 to E13)."""

from datetime import date

import strawberry
from strawberry import ID, Maybe

from resolvers.customer.inputs import EXPECTED_VERSION
from resolvers.scalars import Long

SENT = "Not stored: accepted, and ignored."
UNUSED = "Not used, and not stored."
COMPANY = "Id of the company that employs the person."
NUMBER = "Employee number in the company, with or without the company's prefix. At most 50 characters with it."
SSN = "Last 5 digits of the Norwegian identity number or D-number."
FIRST_NAME = "First name. At most 100 characters."
SURNAME = "Surname. At most 100 characters."
POSTAL_CODE = "Post code of the address: 4 digits."
ADDRESS_LINE = "Line of the address. At most 100 characters."
BORN = "Date of birth."
TYPE = "Code of the employment type. LOCAL (or LOKAL) needs a company that allows local employees."
PERCENTAGE = "Employment percentage, from 0 to 100."
PERCENTAGE_DATE = "Day of the registered employment percentage."
PAID = "Pay level, from 0 to 100; by default the employment percentage."
PAY_TYPE = "Code of the pay type."
HIRED = "When the person was hired."
LEFT = "When the person left: not before hireStartDate."
CAUSE = "Code of the cause of leaving; needs hireEndDate."
LEAVE = "When a leave begins."
ABSTAINS = "Whether the person has opted out: true means no tickets."
GRADE = "Degree of disability, from 0 to 100; more than 0 needs disabilityFromDate."
DISABLED = "When the disability was granted."
DELETED = "Whether the person is marked for deletion."


@strawberry.input(description="What the personnel department sends of an employee.")
class EmployeeFields:
    employee_no: str = strawberry.field(description=NUMBER)
    ssn: str = strawberry.field(description=SSN)
    first_name: str = strawberry.field(description=FIRST_NAME)
    surname: str = strawberry.field(description=SURNAME)
    postal_code: str = strawberry.field(description=POSTAL_CODE)
    address_line: str = strawberry.field(description=ADDRESS_LINE)
    date_of_birth: date = strawberry.field(description=BORN)
    employment_type_id: str = strawberry.field(description=TYPE)
    employment_percentage: int = strawberry.field(description=PERCENTAGE)
    hire_start_date: date = strawberry.field(description=HIRED)
    is_deleted: bool = strawberry.field(default=False, description=DELETED)
    employment_percentage_date: date | None = strawberry.field(default=None, description=PERCENTAGE_DATE)
    paid_percentage: int | None = strawberry.field(default=None, description=PAID)
    pay_type: str | None = strawberry.field(default=None, description=PAY_TYPE)
    hire_end_date: date | None = strawberry.field(default=None, description=LEFT)
    hire_end_cause: str | None = strawberry.field(default=None, description=CAUSE)
    leave_from_date: date | None = strawberry.field(default=None, description=LEAVE)
    abstain_from_ticket: bool | None = strawberry.field(default=False, description=ABSTAINS)
    disability_grade: int | None = strawberry.field(default=0, description=GRADE)
    disability_from_date: date | None = strawberry.field(default=None, description=DISABLED)

    note: str | None = strawberry.field(default=None, description=SENT, deprecation_reason=UNUSED)
    is_on_wait_pay: bool | None = strawberry.field(default=None, description=SENT, deprecation_reason=UNUSED)
    wait_pay_date: date | None = strawberry.field(default=None, description=SENT, deprecation_reason=UNUSED)
    work_place_id: str | None = strawberry.field(default=None, description=SENT, deprecation_reason=UNUSED)
    job_description: str | None = strawberry.field(default=None, description=SENT, deprecation_reason=UNUSED)
    paid_percentage_date: date | None = strawberry.field(default=None, description=SENT, deprecation_reason=UNUSED)
    send_ticket_to_private_address: bool | None = strawberry.field(
        default=None, description=SENT, deprecation_reason=UNUSED
    )
    is_fee_paid: bool | None = strawberry.field(
        default=None, description=SENT, deprecation_reason="Use setEmployeeYearlyFee."
    )
    preferred_product_id: Long | None = strawberry.field(
        default=None, description=SENT, deprecation_reason="Use setEmployeeCategory, or patchImportedEmployee."
    )
    disability_proof_registered: bool | None = strawberry.field(
        default=None, description=SENT, deprecation_reason="Use setEmployeeDisabilityProof."
    )
    disability_proof_registered_date: date | None = strawberry.field(
        default=None, description=SENT, deprecation_reason="Use setEmployeeDisabilityProof."
    )


@strawberry.input(description="All that is to be known of an employee; what is absent is empty then.")
class ImportEmployeeInput(EmployeeFields):
    company_id: Long = strawberry.field(description=COMPANY)
    id: ID | None = strawberry.field(
        default=None, description="Id of the employee who is to be as this says; a new one without it."
    )
    expected_version: int | None = strawberry.field(default=None, description=EXPECTED_VERSION)


@strawberry.input(
    description="Changes to an employee. A field that is absent stays; null clears it, or sets it to its default."
)
class PatchImportedEmployeeInput:
    id: ID = strawberry.field(description="Id of the employee.")
    expected_version: int | None = strawberry.field(default=None, description=EXPECTED_VERSION)
    company_id: Long = strawberry.field(description=f"{COMPANY} It can be another one of the same organisation.")
    is_deleted: bool = strawberry.field(description=DELETED)
    employee_no: str = strawberry.field(description=NUMBER)
    employment_type_id: str = strawberry.field(description=TYPE)
    employment_percentage: int = strawberry.field(description=PERCENTAGE)
    ssn: Maybe[str | None] = strawberry.field(description=SSN)
    first_name: Maybe[str | None] = strawberry.field(description=FIRST_NAME)
    surname: Maybe[str | None] = strawberry.field(description=SURNAME)
    postal_code: Maybe[str | None] = strawberry.field(description=POSTAL_CODE)
    address_line: Maybe[str | None] = strawberry.field(description=ADDRESS_LINE)
    date_of_birth: Maybe[date | None] = strawberry.field(description=BORN)
    employment_percentage_date: Maybe[date | None] = strawberry.field(description=PERCENTAGE_DATE)
    paid_percentage: Maybe[int | None] = strawberry.field(description=PAID)
    pay_type: Maybe[str | None] = strawberry.field(description=PAY_TYPE)
    hire_start_date: Maybe[date | None] = strawberry.field(description=HIRED)
    hire_end_date: Maybe[date | None] = strawberry.field(description=LEFT)
    hire_end_cause: Maybe[str | None] = strawberry.field(description=CAUSE)
    leave_from_date: Maybe[date | None] = strawberry.field(description=LEAVE)
    abstain_from_ticket: Maybe[bool | None] = strawberry.field(description=ABSTAINS)
    disability_grade: Maybe[int | None] = strawberry.field(description=GRADE)
    disability_from_date: Maybe[date | None] = strawberry.field(description=DISABLED)
    preferred_product_id: Maybe[Long | None] = strawberry.field(
        description="Id of the personnel ticket product that the employee prefers: one that has not ended."
    )
