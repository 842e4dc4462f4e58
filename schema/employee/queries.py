"""Finding companies, employees and families, their ticket rights, and the code lists."""

import strawberry

from datastore.viewer import Permission
from resolvers.employee import reads
from schema.connection import PAGING, Connection
from schema.employee.codes import (
    EmploymentEndCause,
    EmploymentType,
    FamilyRelation,
    FipTicketType,
    PayType,
    PostalPlace,
    Product,
    Station,
    TicketType,
    TravelType,
)
from schema.employee.personnel import INCLUDE_DELETED, Company, Employee, FamilyMember, ImportedEmployee
from schema.employee.rights import (
    ActiveTicketRightsHolder,
    FipMonthlyTicketReport,
    ManualOrder,
    TicketRight,
    TicketRightsHolder,
)
from schema.permission import Callers
from schema.view import query

FILTER = {"filter": "What must hold.", **PAGING}
LIST = {"include_deleted": INCLUDE_DELETED, **PAGING}


@strawberry.type
class EmployeeQueries:
    company: Company | None = query(
        reads.company,
        needs=Permission.EMPLOYEE_READ,
        description="The company with this id, or null.",
        arguments={"company_id": "Id of the company."},
    )
    companies: Connection[Company] = query(
        reads.companies,
        needs=Permission.EMPLOYEE_READ,
        callers=Callers.CLIENTS,
        description="The companies that the caller may see, by name.",
        arguments=FILTER,
    )
    employee: Employee | None = query(
        reads.employee,
        needs=Permission.EMPLOYEE_READ,
        description="The employee with this id, or null; users find themselves.",
        arguments={"employee_id": "Id of the employee."},
    )
    employees: Connection[Employee] = query(
        reads.employees,
        needs=Permission.EMPLOYEE_READ,
        callers=Callers.CLIENTS,
        description="The employees that fit the filter.",
        arguments={"order_by": "How to sort; by surname if absent.", **FILTER},
    )
    imported_employees: Connection[ImportedEmployee] = query(
        reads.imported_employees,
        needs=Permission.EMPLOYEE_READ,
        callers=Callers.CLIENTS,
        description="The imported employees that fit the filter.",
        arguments=FILTER,
    )
    family_member: FamilyMember | None = query(
        reads.family_member,
        needs=Permission.EMPLOYEE_READ,
        description="The family member with this id, or null; users find the own family.",
        arguments={"family_member_id": "Id of the family member."},
    )
    family_members: Connection[FamilyMember] = query(
        reads.family_members,
        needs=Permission.EMPLOYEE_READ,
        description="The family members that fit the filter; for users those of the own family.",
        arguments=FILTER,
    )
    ticket_rights: Connection[TicketRight] = query(
        reads.ticket_rights,
        needs=Permission.TICKET_RIGHT_READ,
        description="The ticket rights that fit the filter; for users their own and, as employees, the family's.",
        arguments=FILTER,
    )
    ticket_rights_holders: Connection[TicketRightsHolder] = query(
        reads.ticket_rights_holders,
        needs=Permission.TICKET_RIGHT_READ,
        callers=Callers.CLIENTS,
        description="The holders of ticket rights that fit the filter.",
        arguments=FILTER,
    )
    active_ticket_rights_holders: Connection[ActiveTicketRightsHolder] = query(
        reads.active_ticket_rights_holders,
        needs=Permission.TICKET_RIGHT_READ,
        callers=Callers.CLIENTS,
        description="The holders of a company who have a ticket right at a day, each once, by employee number.",
        arguments={"company_id": "Id of the company.", "at": "The day; today in Norway if absent.", **PAGING},
    )
    manual_orders: Connection[ManualOrder] = query(
        reads.manual_orders,
        needs=Permission.TICKET_RIGHT_READ,
        callers=Callers.CLIENTS,
        description="The manual orders that fit the filter.",
        arguments=FILTER,
    )
    fip_monthly_ticket_report: Connection[FipMonthlyTicketReport] = query(
        reads.fip_monthly_ticket_report,
        needs=Permission.REPORT_READ,
        callers=Callers.CLIENTS,
        description="The FIP tickets that a company's employees were issued in a month, by the day of issue.",
        arguments={
            "company_id": "Id of the company.",
            "year": "The year.",
            "month": "The month, 1 to 12.",
            **PAGING,
        },
    )


@strawberry.type
class PersonnelCodeQueries:
    ticket_types: Connection[TicketType] = query(
        reads.ticket_types,
        needs=Permission.SIGNED_IN,
        description="The ticket types, by code.",
        arguments=LIST,
    )
    pay_types: Connection[PayType] = query(
        reads.pay_types,
        needs=Permission.SIGNED_IN,
        description="The pay types, by code.",
        arguments=LIST,
    )
    employment_types: Connection[EmploymentType] = query(
        reads.employment_types,
        needs=Permission.SIGNED_IN,
        description="The employment types, by code.",
        arguments=LIST,
    )
    employment_end_causes: Connection[EmploymentEndCause] = query(
        reads.employment_end_causes,
        needs=Permission.SIGNED_IN,
        description="The causes of leaving, by code.",
        arguments=LIST,
    )
    family_relations: Connection[FamilyRelation] = query(
        reads.family_relations,
        needs=Permission.SIGNED_IN,
        description="The relations of family members, by code.",
        arguments=LIST,
    )
    travel_types: Connection[TravelType] = query(
        reads.travel_types,
        needs=Permission.SIGNED_IN,
        description="The travel types of FIP tickets, by code.",
        arguments=LIST,
    )
    fip_ticket_types: Connection[FipTicketType] = query(
        reads.fip_ticket_types,
        needs=Permission.SIGNED_IN,
        description="The kinds of FIP tickets, by code.",
        arguments=LIST,
    )
    products: Connection[Product] = query(
        reads.products,
        needs=Permission.SIGNED_IN,
        description="The personnel ticket products.",
        arguments={"valid_at": "Only those that are valid on this day.", **PAGING},
    )
    postal_places: Connection[PostalPlace] = query(
        reads.postal_places,
        needs=Permission.SIGNED_IN,
        description="The postal places, by post code.",
        arguments={"code": "Only those with this post code.", "country": "Only those of this country.", **LIST},
    )
    stations: Connection[Station] = query(
        reads.stations,
        needs=Permission.SIGNED_IN,
        description="The stations, by id.",
        arguments=PAGING,
    )
