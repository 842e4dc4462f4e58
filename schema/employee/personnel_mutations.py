"""Importing and changing employees, their families, and companies."""

import strawberry

from datastore.viewer import Permission
from resolvers.employee import companies, importing, personnel
from schema.employee.personnel import (
    Company,
    EmployeeCategory,
    EmployeeDisabilityProof,
    EmployeeYearlyFee,
    FamilyMember,
    FamilyMemberLowIncome,
    ImportedEmployee,
)
from schema.mutation import Payload, mutation, payload
from schema.permission import Callers

EMPLOYEE_WRITE = Permission.EMPLOYEE_WRITE
COMPANY_WRITE = Permission.COMPANY_WRITE


@payload("What importEmployee answers.")
class ImportEmployeePayload(Payload):
    imported_employee: ImportedEmployee | None = strawberry.field(description="What was imported, with the employee.")


@payload("What patchImportedEmployee answers.")
class PatchImportedEmployeePayload(Payload):
    imported_employee: ImportedEmployee | None = strawberry.field(description="What is known of the employee now.")


@payload("What createCompany answers.")
class CreateCompanyPayload(Payload):
    company: Company | None = strawberry.field(description="The company as created.")


@payload("What updateCompany answers.")
class UpdateCompanyPayload(Payload):
    company: Company | None = strawberry.field(description="The company as it is now.")


@payload("What createFamilyMember answers.")
class CreateFamilyMemberPayload(Payload):
    family_member: FamilyMember | None = strawberry.field(description="The family member as created.")


@payload("What updateFamilyMember answers.")
class UpdateFamilyMemberPayload(Payload):
    family_member: FamilyMember | None = strawberry.field(description="The family member as it is now.")


@payload("What setEmployeeYearlyFee answers.")
class SetEmployeeYearlyFeePayload(Payload):
    yearly_fee: EmployeeYearlyFee | None = strawberry.field(description="What is registered of the fee.")


@payload("What setEmployeeDisabilityProof answers.")
class SetEmployeeDisabilityProofPayload(Payload):
    disability_proof: EmployeeDisabilityProof | None = strawberry.field(description="What is registered of the proof.")


@payload("What setFamilyMemberLowIncome answers.")
class SetFamilyMemberLowIncomePayload(Payload):
    low_income: FamilyMemberLowIncome | None = strawberry.field(description="What is registered of the income.")


@payload("What setEmployeeCategory answers.")
class SetEmployeeCategoryPayload(Payload):
    category: EmployeeCategory | None = strawberry.field(description="The product of the year.")


@strawberry.type
class PersonnelMutations:
    import_employee: ImportEmployeePayload = mutation(
        importing.import_employee,
        needs=EMPLOYEE_WRITE,
        callers=Callers.CLIENTS,
        description="Adds an employee, or with an id says all of one anew: what is absent is empty then.",
    )
    patch_imported_employee: PatchImportedEmployeePayload = mutation(
        importing.patch_imported_employee,
        needs=EMPLOYEE_WRITE,
        callers=Callers.CLIENTS,
        description="Changes an employee: what is absent stays, null clears.",
    )
    create_company: CreateCompanyPayload = mutation(
        companies.create_company,
        needs=COMPANY_WRITE,
        callers=Callers.CLIENTS,
        description="Adds a company to an organisation.",
    )
    update_company: UpdateCompanyPayload = mutation(
        companies.update_company,
        needs=COMPANY_WRITE,
        callers=Callers.CLIENTS,
        description="Changes a company; with another prefix its employees get other numbers.",
    )
    create_family_member: CreateFamilyMemberPayload = mutation(
        personnel.create_family_member,
        needs=EMPLOYEE_WRITE,
        callers=Callers.CLIENTS,
        description="Adds a member to an employee's family.",
    )
    update_family_member: UpdateFamilyMemberPayload = mutation(
        personnel.update_family_member,
        needs=EMPLOYEE_WRITE,
        callers=Callers.CLIENTS,
        description="Changes a family member, or marks it for deletion.",
    )
    set_employee_yearly_fee: SetEmployeeYearlyFeePayload = mutation(
        personnel.set_employee_yearly_fee,
        needs=EMPLOYEE_WRITE,
        callers=Callers.CLIENTS,
        description="Registers whether an employee has paid the fee of this year or the next one.",
    )
    set_employee_disability_proof: SetEmployeeDisabilityProofPayload = mutation(
        personnel.set_employee_disability_proof,
        needs=EMPLOYEE_WRITE,
        callers=Callers.CLIENTS,
        description="Registers whether an employee has proved a disability for this year or the next one.",
    )
    set_family_member_low_income: SetFamilyMemberLowIncomePayload = mutation(
        personnel.set_family_member_low_income,
        needs=EMPLOYEE_WRITE,
        callers=Callers.CLIENTS,
        description="Registers whether a family member has a low income in this year or the next one.",
    )
    set_employee_category: SetEmployeeCategoryPayload = mutation(
        personnel.set_employee_category,
        needs=EMPLOYEE_WRITE,
        callers=Callers.CLIENTS,
        description="Gives an employee a personnel ticket product for this year or the next one.",
    )
