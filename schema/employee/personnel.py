"""Companies, those whom they employ, and their families, as shown."""

from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from datastore.customer import Customer as StoredCustomer
from datastore.employee import personnel as stored
from datastore.employee import reads as statements
from datastore.employee.codes import EmploymentEndCause as StoredEndCause
from datastore.employee.codes import EmploymentType as StoredEmploymentType
from datastore.employee.codes import FamilyRelation as StoredRelation
from datastore.employee.codes import PayType as StoredPayType
from datastore.employee.codes import PostalPlace as StoredPlace
from datastore.employee.codes import Product as StoredProduct
from datastore.employee.rights import TicketRight as StoredRight
from datastore.employee.rights import TicketRightsHolder as StoredHolder
from datastore.viewer import Permission
from resolvers.scalars import Long
from schema.connection import PAGING, Connection
from schema.customer.types import Customer
from schema.employee.codes import (
    CREATED_AT,
    IS_DELETED,
    VERSION,
    EmploymentEndCause,
    EmploymentType,
    FamilyRelation,
    PayType,
    PostalPlace,
    Product,
)
from schema.node import Node, node_by
from schema.relations import below, unless_deleted, yearly
from schema.view import computed, many, one, selected, sensitive, shown, view_of

if TYPE_CHECKING:
    from schema.employee.rights import TicketRight

SENSITIVE = Permission.EMPLOYEE_SENSITIVE_READ
NOT_USED = "Not used."
NOT_KEPT = "Not kept: nothing tells of the change."
YEAR = "The year."
YEARLY_VERSION = "Grows with every change, for expectedVersion; 0 where nothing is registered."
INCLUDE_DELETED = "Whether those that are marked as deleted are answered, too."


def unused(flag: bool | None = None) -> Any:
    """A field that the source has given up: null, or false."""
    return computed(lambda row: flag, reads=("id",), description="Not used any more.", deprecated=NOT_USED)


@node_by(stored.Company.id)
@view_of(stored.Company, needs=Permission.EMPLOYEE_READ)
class Company(Node):
    """A railway company that employs people."""

    company_id: Long = computed(lambda company: company.id, reads=("id",), description="Id of the company.")
    organisation_id: Long = strawberry.field(description="Organisation of the company; another number than its id.")
    name: str = strawberry.field(description="Name of the company.")
    postal_code: str | None = strawberry.field(description="Post code of the company's address, in Norway.")
    postal_place: PostalPlace | None = selected(
        statements.place_of,
        row=StoredPlace,
        via="postal_code",
        is_list=False,
        description="The postal place of the post code.",
    )
    address_line: str | None = strawberry.field(description="Line of the company's address.")
    allow_e_tickets: bool = strawberry.field(description="Indicates whether its employees can have e-tickets.")
    allow_local_employees: bool = strawberry.field(description="Indicates whether it can have local employees.")
    report_separator: str = strawberry.field(description="What separates the columns of its reports: a comma or ;.")
    employee_no_prefix: str | None = strawberry.field(description="What its employee numbers begin with.")
    is_deleted: bool = strawberry.field(description=IS_DELETED)
    deleted: bool = computed(
        lambda company: company.is_deleted,
        reads=("is_deleted",),
        description=IS_DELETED,
        deprecated="Use isDeleted.",
    )
    version: int = strawberry.field(description=VERSION)
    created_at: datetime = strawberry.field(description=CREATED_AT)
    changed_at: datetime = strawberry.field(description="When it was last changed.")
    employees: Connection["Employee"] = below(
        stored.Employee.company_id,
        order=statements.order(stored.Employee, "surname_key", "id"),
        where=unless_deleted(stored.Employee),
        description="The employees, by surname.",
        arguments={"include_deleted": INCLUDE_DELETED, **PAGING},
    )


@view_of(stored.EmployeeYearlyFee, needs=Permission.EMPLOYEE_READ)
class EmployeeYearlyFee:
    """Whether an employee has paid the fee of a year."""

    year: int = strawberry.field(description=YEAR)
    is_paid: bool = strawberry.field(description="Indicates whether the fee has been paid.")
    version: int = strawberry.field(description=YEARLY_VERSION)


@view_of(stored.EmployeeDisabilityProof, needs=SENSITIVE)
class EmployeeDisabilityProof:
    """Whether an employee has shown a proof of disability for a year."""

    year: int = strawberry.field(description=YEAR)
    is_registered: bool = strawberry.field(description="Indicates whether a proof has been registered.")
    version: int = strawberry.field(description=YEARLY_VERSION)


@view_of(stored.EmployeeCategory, needs=Permission.EMPLOYEE_READ)
class EmployeeCategory:
    """The personnel ticket product of an employee in a year."""

    year: int = strawberry.field(description=YEAR)
    product: Product | None = one(StoredProduct.id, via="product_id", description="The personnel ticket product.")
    version: int = strawberry.field(description=VERSION)


@view_of(stored.FamilyMemberLowIncome, needs=SENSITIVE)
class FamilyMemberLowIncome:
    """Whether a low income is registered for a family member in a year."""

    year: int = strawberry.field(description=YEAR)
    is_registered: bool = strawberry.field(description="Indicates whether a low income is registered.")
    version: int = strawberry.field(description=YEARLY_VERSION)


@view_of(stored.ImportedEmployee, needs=Permission.EMPLOYEE_READ)
class ImportedEmployee:
    """An employee as the personnel department sent it; the employee is made of it, with the same id."""

    id: strawberry.ID = strawberry.field(description="Id of the imported employee.")
    company_id: Long = strawberry.field(description="Id of the company that employs the person.")
    company: Company | None = one(stored.Company.id, via="company_id", description="The company that employs them.")
    employee_no: str = strawberry.field(description="Employee number, without the company's prefix.")
    employee: "Employee | None" = one(stored.Employee.id, via="id", description="The employee that was made of it.")
    first_name: str = strawberry.field(description="First name.")
    surname: str = strawberry.field(description="Surname.")
    date_of_birth: date = strawberry.field(description="Date of birth.")
    ssn: str | None = sensitive(
        stored.ImportedEmployee.ssn, reveal=Permission.SSN_REVEAL, description="Last 5 digits of the identity number."
    )
    note: str | None = sensitive(stored.ImportedEmployee.note, reveal=SENSITIVE, description="Any other information.")
    postal_code: str | None = strawberry.field(description="Post code of the address, in Norway.")
    postal_data: PostalPlace | None = selected(
        statements.place_of,
        row=StoredPlace,
        via="postal_code",
        is_list=False,
        description="The postal place of the post code.",
    )
    address_line: str | None = strawberry.field(description="Line of the address.")
    employment_type_id: str = strawberry.field(description="Code of the employment type.")
    employment_type: EmploymentType | None = one(
        StoredEmploymentType.code, via="employment_type_id", description="The employment type."
    )
    employment_percentage: int = strawberry.field(description="Employment percentage.")
    employment_percentage_date: date | None = strawberry.field(description="Day of that percentage.")
    paid_percentage: int = strawberry.field(description="Pay level; typically the employment percentage.")
    pay_type: str | None = strawberry.field(description="Code of the pay type.")
    pay_type_details: PayType | None = one(StoredPayType.code, via="pay_type", description="The pay type.")
    hire_start_date: date = strawberry.field(description="When the person was hired.")
    hire_end_date: date | None = strawberry.field(description="When the person left.")
    hire_end_cause: str | None = strawberry.field(description="Code of the cause of leaving.")
    employment_end_cause: EmploymentEndCause | None = one(
        StoredEndCause.code, via="hire_end_cause", description="The cause of leaving."
    )
    leave_from_date: date | None = strawberry.field(description="When a leave begins.")
    abstain_from_ticket: bool = strawberry.field(description="Indicates whether the person has opted out of tickets.")
    disability_grade: int = shown("Degree of disability.", needs=SENSITIVE)
    disability_from_date: date | None = shown("When the disability was granted.", needs=SENSITIVE)
    is_deleted: bool = strawberry.field(description=IS_DELETED)
    version: int = strawberry.field(description=VERSION)
    created_at: datetime = strawberry.field(description=CREATED_AT)
    created_by: str = strawberry.field(description="Where it came from first.")
    last_update: datetime = strawberry.field(description="When it was last updated.")
    source_last_update: str = strawberry.field(description="Where the last update came from.")

    preferred_product_id: Long | None = shown("Id of the preferred product.", deprecated="Use categories.")
    preferred_product: Product | None = one(
        StoredProduct.id, via="preferred_product_id", description="The preferred product."
    )
    is_fee_paid: bool = yearly(
        stored.EmployeeYearlyFee.employee_id,
        shows="is_paid",
        description="Indicates whether the fee of this year has been paid.",
        deprecated="Use yearlyFees of the employee.",
    )
    disability_proof_registered: bool = yearly(
        stored.EmployeeDisabilityProof.employee_id,
        shows="is_registered",
        needs=SENSITIVE,
        description="Indicates whether a proof of disability has been registered this year.",
        deprecated="Use disabilityProofs of the employee.",
    )
    is_on_wait_pay: bool = unused(False)
    wait_pay_date: date | None = unused()
    work_place_id: str | None = unused()
    job_description: str | None = unused()
    paid_percentage_date: date | None = unused()
    send_ticket_to_private_address: bool = unused(False)
    disability_proof_registered_date: date | None = unused()


@node_by(stored.Employee.id)
@view_of(stored.Employee, needs=Permission.EMPLOYEE_READ)
class Employee(Node):
    """Somebody whom a company employs, or has employed."""

    employee_id: Long = computed(lambda employee: employee.id, reads=("id",), description="Id of the employee.")
    company_id: Long = strawberry.field(description="Id of the company.")
    company: Company | None = one(stored.Company.id, via="company_id", description="The company that employs them.")
    employee_no: str = strawberry.field(description="Employee number, with the company's prefix.")
    first_name: str = strawberry.field(description="First name.")
    surname: str = strawberry.field(description="Surname.")
    date_of_birth: date = strawberry.field(description="Date of birth.")
    ssn: str | None = sensitive(
        stored.Employee.ssn, reveal=Permission.SSN_REVEAL, description="Last 5 digits of the identity number."
    )
    note: str | None = sensitive(stored.Employee.note, reveal=SENSITIVE, description="Any other information.")
    postal_code: str | None = strawberry.field(description="Post code of the address, in Norway.")
    postal_place: PostalPlace | None = selected(
        statements.place_of,
        row=StoredPlace,
        via="postal_code",
        is_list=False,
        description="The postal place of the post code.",
    )
    address_line: str | None = strawberry.field(description="Line of the address.")
    customer_number: Long | None = strawberry.field(
        description="Number of the customer profile that is connected to the ticket rights; null until it is."
    )
    customer: Customer | None = selected(
        statements.customer_of(stored.Employee),
        row=StoredCustomer,
        via="customer_number",
        is_list=False,
        needs=Permission.CUSTOMER_READ,
        description=(
            "The customer profile; the surviving one after a merge. A personnel-ticket profile is answered whatever "
            "organisation it is of."
        ),
    )
    ticket_holder_code: str | None = selected(
        statements.holder_of_employee,
        row=StoredHolder,
        is_list=False,
        shows="ticket_holder_code",
        needs=Permission.TICKET_RIGHT_READ,
        description="The code that ticket rights are claimed with.",
    )
    employment_type_id: str = strawberry.field(description="Code of the employment type.")
    employment_type: EmploymentType | None = one(
        StoredEmploymentType.code, via="employment_type_id", description="The employment type."
    )
    employment_percentage: int = strawberry.field(description="Employment percentage.")
    employment_percentage_date: date | None = strawberry.field(description="Day of that percentage.")
    paid_percentage: int = strawberry.field(description="Pay level; typically the employment percentage.")
    pay_type: str | None = strawberry.field(description="Code of the pay type.")
    pay_type_details: PayType | None = one(StoredPayType.code, via="pay_type", description="The pay type.")
    hire_start_date: date = strawberry.field(description="When the employee was hired.")
    hire_end_date: date | None = strawberry.field(description="When the employee left.")
    hire_end_cause: str | None = strawberry.field(description="Code of the cause of leaving.")
    employment_end_cause: EmploymentEndCause | None = one(
        StoredEndCause.code, via="hire_end_cause", description="The cause of leaving."
    )
    leave_from_date: date | None = strawberry.field(description="When a leave begins.")
    abstain_from_ticket: bool = strawberry.field(description="Indicates whether the employee has opted out of tickets.")
    disability_grade: int = shown("Degree of disability.", needs=SENSITIVE)
    is_deleted: bool = strawberry.field(description=IS_DELETED)
    version: int = strawberry.field(description=VERSION)
    created_at: datetime = strawberry.field(description=CREATED_AT)
    created_by: str = strawberry.field(description="Where it came from first.")
    last_update: datetime = strawberry.field(description="When it was last updated.")
    source_last_update: str = strawberry.field(description="Where the last update came from.")

    preferred_product: Product | None = one(
        StoredProduct.id, via="preferred_product_id", description="The preferred personnel ticket product."
    )
    categories: list[EmployeeCategory] = many(
        stored.EmployeeCategory.employee_id, description="The personnel ticket products by year.", size=2
    )
    yearly_fees: list[EmployeeYearlyFee] = yearly(
        stored.EmployeeYearlyFee.employee_id, description="The fees of this year and the next one."
    )
    disability_proofs: list[EmployeeDisabilityProof] = yearly(
        stored.EmployeeDisabilityProof.employee_id,
        needs=SENSITIVE,
        description="The proofs of disability of this year and the next one.",
    )
    family_members: list["FamilyMember"] = many(
        stored.FamilyMember.employee_id,
        where=stored.FamilyMember.is_deleted.is_(False),
        size=3,
        description="The family, without members that are marked as deleted.",
    )
    ticket_rights: list[Annotated["TicketRight", strawberry.lazy("schema.employee.rights")]] = many(
        StoredRight.employee_id,
        where=StoredRight.family_member_id.is_(None),
        needs=Permission.TICKET_RIGHT_READ,
        size=4,
        description="The employee's own ticket rights, past ones too.",
    )

    is_fee_paid: bool = yearly(
        stored.EmployeeYearlyFee.employee_id,
        shows="is_paid",
        description="Indicates whether the fee of this year has been paid.",
        deprecated="Use yearlyFees.",
    )
    disability_proof_registered: bool = yearly(
        stored.EmployeeDisabilityProof.employee_id,
        shows="is_registered",
        needs=SENSITIVE,
        description="Indicates whether a proof of disability has been registered this year.",
        deprecated="Use disabilityProofs.",
    )
    paid_percentage_date: date | None = computed(
        lambda employee: None, reads=("id",), description="When paidPercentage last changed.", deprecated=NOT_KEPT
    )
    is_on_wait_pay: bool = unused(False)
    wait_pay_date: date | None = unused()
    job_description: str | None = unused()
    disability_from_date: date | None = unused()
    send_ticket_to_private_address: bool = unused(False)
    disability_proof_registered_date: date | None = unused()


@node_by(stored.FamilyMember.id)
@view_of(stored.FamilyMember, needs=Permission.EMPLOYEE_READ)
class FamilyMember(Node):
    """A member of an employee's family."""

    family_member_id: Long = computed(lambda member: member.id, reads=("id",), description="Id of the family member.")
    employee_id: Long = strawberry.field(description="Id of the employee.")
    employee: Employee | None = one(stored.Employee.id, via="employee_id", description="The employee.")
    relation_code: str = strawberry.field(description="Code of the relation to the employee.")
    relation: FamilyRelation | None = one(
        StoredRelation.code, via="relation_code", description="The relation to the employee."
    )
    first_name: str = strawberry.field(description="First name.")
    surname: str = strawberry.field(description="Surname.")
    date_of_birth: date | None = strawberry.field(description="Date of birth.")
    ssn: str | None = sensitive(
        stored.FamilyMember.ssn, reveal=Permission.SSN_REVEAL, description="Last 5 digits of the identity number."
    )
    note: str | None = sensitive(stored.FamilyMember.note, reveal=SENSITIVE, description="Any other information.")
    customer_number: Long | None = strawberry.field(
        description="Number of the customer profile that is connected to the ticket rights; null until it is."
    )
    customer: Customer | None = selected(
        statements.customer_of(stored.FamilyMember),
        row=StoredCustomer,
        via="customer_number",
        is_list=False,
        needs=Permission.CUSTOMER_READ,
        description=(
            "The customer profile; the surviving one after a merge. A personnel-ticket profile is answered whatever "
            "organisation it is of."
        ),
    )
    ticket_holder_code: str | None = selected(
        statements.holder_of_family_member,
        row=StoredHolder,
        is_list=False,
        shows="ticket_holder_code",
        needs=Permission.TICKET_RIGHT_READ,
        description="The code that ticket rights are claimed with.",
    )
    abstain_from_ticket: bool = strawberry.field(description="Indicates whether the person has opted out of tickets.")
    low_incomes: list[FamilyMemberLowIncome] = yearly(
        stored.FamilyMemberLowIncome.family_member_id,
        needs=SENSITIVE,
        description="The registrations of a low income of this year and the next one.",
    )
    ticket_rights: list[Annotated["TicketRight", strawberry.lazy("schema.employee.rights")]] = many(
        StoredRight.family_member_id,
        needs=Permission.TICKET_RIGHT_READ,
        size=2,
        description="The family member's ticket rights, past ones too.",
    )
    is_deleted: bool = strawberry.field(description=IS_DELETED)
    version: int = strawberry.field(description=VERSION)
    created_at: datetime = strawberry.field(description=CREATED_AT)
    created_by: str = strawberry.field(description="Who created it.")
    updated_at: datetime = strawberry.field(description="When it was last updated.")
    updated_by: str = strawberry.field(description="Who last updated it.")
