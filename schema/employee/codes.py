"""The code lists of the personnel tickets, as shown."""

from datetime import date, datetime

import strawberry

from datastore.employee import codes as stored
from datastore.viewer import Permission
from schema.view import describe, view_of

CREATED_AT = "When it was created."
CHANGED_AT = "When it was last changed."
VERSION = "Grows with every change; for expectedVersion."
IS_DELETED = "Indicates whether it is marked as deleted."
FOR_EVERYBODY = Permission.SIGNED_IN


@view_of(stored.PayType, needs=FOR_EVERYBODY)
class PayType:
    """How an employee is paid."""

    id: strawberry.ID = strawberry.field(description="Id of the pay type.")
    code: str = strawberry.field(description="Code of the pay type.")
    description: str | None = strawberry.field(description="What the code means.")
    is_deleted: bool = strawberry.field(description=IS_DELETED)
    version: int = strawberry.field(description=VERSION)
    created_at: datetime = strawberry.field(description=CREATED_AT)
    changed_at: datetime = strawberry.field(description=CHANGED_AT)


@view_of(stored.EmploymentType, needs=FOR_EVERYBODY)
class EmploymentType:
    """How an employee is employed, such as in full, in part or for a time."""

    id: strawberry.ID = strawberry.field(description="Id of the employment type.")
    code: str = strawberry.field(description="Code of the employment type.")
    description: str | None = strawberry.field(description="What the code means.")
    is_pensioner: bool = strawberry.field(description="Indicates whether it is that of pensioners.")
    is_deleted: bool = strawberry.field(description=IS_DELETED)
    version: int = strawberry.field(description=VERSION)
    created_at: datetime = strawberry.field(description=CREATED_AT)
    changed_at: datetime = strawberry.field(description=CHANGED_AT)


@view_of(stored.EmploymentEndCause, needs=FOR_EVERYBODY)
class EmploymentEndCause:
    """Why an employee left."""

    id: strawberry.ID = strawberry.field(description="Id of the cause.")
    code: str = strawberry.field(description="Code of the cause.")
    description: str | None = strawberry.field(description="What the code means.")
    is_deleted: bool = strawberry.field(description=IS_DELETED)
    version: int = strawberry.field(description=VERSION)
    created_at: datetime = strawberry.field(description=CREATED_AT)
    changed_at: datetime = strawberry.field(description=CHANGED_AT)


@view_of(stored.FamilyRelation, needs=FOR_EVERYBODY)
class FamilyRelation:
    """What a family member is to an employee."""

    id: strawberry.ID = strawberry.field(description="Id of the relation.")
    code: str = strawberry.field(description="Code of the relation.")
    description: str | None = strawberry.field(description="What the code means.")
    is_deleted: bool = strawberry.field(description=IS_DELETED)
    version: int = strawberry.field(description=VERSION)
    created_at: datetime = strawberry.field(description=CREATED_AT)
    changed_at: datetime = strawberry.field(description=CHANGED_AT)


@view_of(stored.TravelType, needs=FOR_EVERYBODY)
class TravelType:
    """What a FIP ticket is used for."""

    id: strawberry.ID = strawberry.field(description="Id of the travel type.")
    code: str = strawberry.field(description="Code of the travel type.")
    description: str | None = strawberry.field(description="What the code means.")
    is_deleted: bool = strawberry.field(description=IS_DELETED)
    version: int = strawberry.field(description=VERSION)
    created_at: datetime = strawberry.field(description=CREATED_AT)
    changed_at: datetime = strawberry.field(description=CHANGED_AT)


@view_of(stored.FipTicketType, needs=FOR_EVERYBODY)
class FipTicketType:
    """Kind of a FIP ticket: an international ticket of railway staff."""

    id: strawberry.ID = strawberry.field(description="Id of the FIP ticket type.")
    code: str = strawberry.field(description="Code of the FIP ticket type.")
    description: str | None = strawberry.field(description="What the code means.")
    is_deleted: bool = strawberry.field(description=IS_DELETED)
    version: int = strawberry.field(description=VERSION)
    created_at: datetime = strawberry.field(description=CREATED_AT)
    changed_at: datetime = strawberry.field(description=CHANGED_AT)


@view_of(stored.TicketType, needs=FOR_EVERYBODY)
class TicketType:
    """What a ticket right is good for: the country and the train class."""

    id: strawberry.ID = strawberry.field(description="Id of the ticket type.")
    code: str = strawberry.field(description="Code of the ticket type.")
    description: str | None = strawberry.field(description="What the code means.")
    country_code: str | None = strawberry.field(description="Country in which it is valid.")
    can_have_station_pairs: bool = strawberry.field(
        description="Indicates whether a manual order of it can have station pairs."
    )
    generates_ticket_rights: bool = strawberry.field(
        description="Indicates whether a manual order of it makes ticket rights."
    )
    ticket_right_type: stored.TicketRightType | None = strawberry.field(
        description="Whether a right to it is a silver or a bronze one, if it is one of them."
    )
    is_deleted: bool = strawberry.field(description=IS_DELETED)
    version: int = strawberry.field(description=VERSION)
    created_at: datetime = strawberry.field(description=CREATED_AT)
    changed_at: datetime = strawberry.field(description=CHANGED_AT)


@view_of(stored.Product, needs=FOR_EVERYBODY)
class Product:
    """A personnel ticket product."""

    id: strawberry.ID = strawberry.field(description="Id of the product.")
    name: str = strawberry.field(description="Name of the product.")
    valid_from: date = strawberry.field(description="First day on which it is valid.")
    valid_until: date | None = strawberry.field(description="Day on which it stops being valid; null if it is open.")
    version: int = strawberry.field(description=VERSION)
    created_at: datetime = strawberry.field(description=CREATED_AT)
    changed_at: datetime = strawberry.field(description=CHANGED_AT)


@view_of(stored.PostalPlace, needs=FOR_EVERYBODY)
class PostalPlace:
    """A post code and its place."""

    id: strawberry.ID = strawberry.field(description="Id of the postal place.")
    code: str = strawberry.field(description="Post code.")
    place: str = strawberry.field(description="Post town.")
    country: str = strawberry.field(description="Country, ISO 3166-1 alpha-3.")
    is_deleted: bool = strawberry.field(description=IS_DELETED)
    version: int = strawberry.field(description=VERSION)
    created_at: datetime = strawberry.field(description=CREATED_AT)
    changed_at: datetime = strawberry.field(description=CHANGED_AT)


@view_of(stored.Station, needs=FOR_EVERYBODY)
class Station:
    """A station."""

    id: strawberry.ID = strawberry.field(description="Id of the station, a NeTEx id.")
    name: str = strawberry.field(description="Name of the station.")
    version: int = strawberry.field(description=VERSION)
    created_at: datetime = strawberry.field(description=CREATED_AT)
    changed_at: datetime = strawberry.field(description=CHANGED_AT)


describe(
    stored.TicketRightType,
    "Whether a ticket right is a silver or a bronze one.",
    BRONZE="A bronze one: bronse in the source.",
    SILVER="A silver one: sølv in the source.",
)
