"""Maintaining the code lists of personnel tickets, for callers of internal tenants."""

from datetime import datetime

import strawberry

from datastore.viewer import Permission
from resolvers.employee import codes
from resolvers.employee.codes import PersonnelCodeList
from schema.employee.codes import CHANGED_AT, CREATED_AT, IS_DELETED, VERSION, PostalPlace, Product, Station, TicketType
from schema.mutation import Payload, mutation, payload
from schema.permission import Callers, needs
from schema.view import computed, describe

CODE_WRITE = Permission.PERSONNEL_CODE_WRITE


@strawberry.type(description="A code of any of the lists.", directives=[needs(Permission.SIGNED_IN)])
class PersonnelCode:
    list: PersonnelCodeList = computed(
        lambda row: PersonnelCodeList(type(row).__name__), description="The list that it is in."
    )
    id: strawberry.ID = computed(lambda row: strawberry.ID(str(row.id)), description="Id in that list.")
    code: str = strawberry.field(description="The code.")
    description: str | None = strawberry.field(description="What the code means.")
    is_pensioner: bool | None = computed(
        lambda row: getattr(row, "is_pensioner", None),
        description="Indicates whether it is the employment type of pensioners; null in other lists.",
    )
    is_deleted: bool = strawberry.field(description=IS_DELETED)
    version: int = strawberry.field(description=VERSION)
    created_at: datetime = strawberry.field(description=CREATED_AT)
    changed_at: datetime = strawberry.field(description=CHANGED_AT)


@payload("What createPersonnelCode answers.")
class CreatePersonnelCodePayload(Payload):
    personnel_code: PersonnelCode | None = strawberry.field(description="The code as created.")


@payload("What updatePersonnelCode answers.")
class UpdatePersonnelCodePayload(Payload):
    personnel_code: PersonnelCode | None = strawberry.field(description="The code as it is now.")


@payload("What createTicketType answers.")
class CreateTicketTypePayload(Payload):
    ticket_type: TicketType | None = strawberry.field(description="The ticket type as created.")


@payload("What updateTicketType answers.")
class UpdateTicketTypePayload(Payload):
    ticket_type: TicketType | None = strawberry.field(description="The ticket type as it is now.")


@payload("What createProduct answers.")
class CreateProductPayload(Payload):
    product: Product | None = strawberry.field(description="The product as created.")


@payload("What updateProduct answers.")
class UpdateProductPayload(Payload):
    product: Product | None = strawberry.field(description="The product as it is now.")


@payload("What savePostalPlace answers.")
class SavePostalPlacePayload(Payload):
    postal_place: PostalPlace | None = strawberry.field(description="The postal place as it is now.")


@payload("What saveStation answers.")
class SaveStationPayload(Payload):
    station: Station | None = strawberry.field(description="The station as it is now.")


describe(
    PersonnelCodeList,
    "The lists of codes that are a code and what it means.",
    PAY_TYPE="How an employee is paid.",
    EMPLOYMENT_TYPE="How an employee is employed.",
    EMPLOYMENT_END_CAUSE="Why an employee left.",
    FAMILY_RELATION="What a family member is to an employee.",
    TRAVEL_TYPE="What a FIP ticket is used for.",
    FIP_TICKET_TYPE="Kind of a FIP ticket.",
)


@strawberry.type
class PersonnelCodeMutations:
    create_personnel_code: CreatePersonnelCodePayload = mutation(
        codes.create_personnel_code,
        needs=CODE_WRITE,
        callers=Callers.INTERNAL,
        description="Adds a code to a list, for all organisations.",
    )
    update_personnel_code: UpdatePersonnelCodePayload = mutation(
        codes.update_personnel_code,
        needs=CODE_WRITE,
        callers=Callers.INTERNAL,
        description="Changes what a code means, or takes it out of use or back.",
    )
    create_ticket_type: CreateTicketTypePayload = mutation(
        codes.create_ticket_type,
        needs=CODE_WRITE,
        callers=Callers.INTERNAL,
        description="Adds a ticket type, for all organisations.",
    )
    update_ticket_type: UpdateTicketTypePayload = mutation(
        codes.update_ticket_type,
        needs=CODE_WRITE,
        callers=Callers.INTERNAL,
        description="Changes a ticket type, or takes it out of use or back.",
    )
    create_product: CreateProductPayload = mutation(
        codes.create_product,
        needs=CODE_WRITE,
        callers=Callers.INTERNAL,
        description="Adds a personnel ticket product, for all organisations.",
    )
    update_product: UpdateProductPayload = mutation(
        codes.update_product,
        needs=CODE_WRITE,
        callers=Callers.INTERNAL,
        description="Changes a personnel ticket product, such as when it ends.",
    )
    save_postal_place: SavePostalPlacePayload = mutation(
        codes.save_postal_place,
        needs=CODE_WRITE,
        callers=Callers.INTERNAL,
        description="Adds a post code with its place, or changes its place.",
    )
    save_station: SaveStationPayload = mutation(
        codes.save_station,
        needs=CODE_WRITE,
        callers=Callers.INTERNAL,
        description="Adds a station, or changes its name.",
    )
