"""Maintaining the code lists of personnel tickets, which hold for all organisations (rules E10, E40 and E44 to E46)."""

import re
from collections.abc import Mapping
from datetime import date
from enum import Enum
from typing import Any

import strawberry
from strawberry import ID, Maybe

from datastore.employee import codes as stored
from datastore.writing import Write
from resolvers import formats
from resolvers.carry_out import TAKEN
from resolvers.customer.changing import assign, same_version
from resolvers.customer.inputs import EXPECTED_VERSION
from resolvers.customer.owned import key_in
from resolvers.errors import ErrorCode, refuse
from resolvers.given import Format, Problems, checked

NETEX_ID = re.compile(r"[A-Z]{3}:[A-Za-z]{1,64}:[A-Za-z0-9_.\-]{1,64}", re.ASCII)

CODE = "The code, which no other in the list has. At most 60 characters."
MEANS = "What the code means. At most 255 characters."
PENSIONER = "Whether it is the employment type of pensioners; of no other list."
DELETED = "Whether it is deleted: it stays readable, and cannot be chosen any more."
COUNTRY = "Country in which it is valid. At most 3 characters."
STATIONS = "Whether a manual order of it can have station pairs."
GENERATES = "Whether a manual order of it makes ticket rights."
METAL = "Whether a right to it is a silver or a bronze one, if it is one of them."
SAVED_VERSION = f"{EXPECTED_VERSION} It is 0 for one that is not there yet."


class PersonnelCodeList(Enum):
    """The lists of codes that are a code and what it means; the value is the name of the row class."""

    PAY_TYPE = "PayType"
    EMPLOYMENT_TYPE = "EmploymentType"
    EMPLOYMENT_END_CAUSE = "EmploymentEndCause"
    FAMILY_RELATION = "FamilyRelation"
    TRAVEL_TYPE = "TravelType"
    FIP_TICKET_TYPE = "FipTicketType"


ROWS: Mapping[PersonnelCodeList, type[stored.Code]] = {each: getattr(stored, each.value) for each in PersonnelCodeList}
for row in (*ROWS.values(), stored.TicketType):
    TAKEN[f"uq_{row.__tablename__}_code"] = (ErrorCode.CODE_TAKEN, "code")  # type: ignore[attr-defined]


@strawberry.input(description="A new code of a list.")
class CreatePersonnelCodeInput:
    list: PersonnelCodeList = strawberry.field(description="The list.")
    code: str = strawberry.field(description=CODE)
    description: str | None = strawberry.field(default=None, description=MEANS)
    is_pensioner: bool | None = strawberry.field(default=None, description=PENSIONER)


@strawberry.input(description="Changes to a code of a list. A field that is absent stays; null clears the description.")
class UpdatePersonnelCodeInput:
    list: PersonnelCodeList = strawberry.field(description="The list.")
    code: str = strawberry.field(description="The code, which itself cannot be changed: others name it.")
    expected_version: int | None = strawberry.field(default=None, description=EXPECTED_VERSION)
    description: Maybe[str | None] = strawberry.field(description=MEANS)
    is_pensioner: Maybe[bool | None] = strawberry.field(description=PENSIONER)
    is_deleted: Maybe[bool | None] = strawberry.field(description=DELETED)


@strawberry.input(description="A new ticket type.")
class CreateTicketTypeInput:
    code: str = strawberry.field(description=CODE)
    description: str | None = strawberry.field(default=None, description=MEANS)
    country_code: str | None = strawberry.field(default=None, description=COUNTRY)
    can_have_station_pairs: bool | None = strawberry.field(default=False, description=STATIONS)
    generates_ticket_rights: bool | None = strawberry.field(default=False, description=GENERATES)
    ticket_right_type: stored.TicketRightType | None = strawberry.field(default=None, description=METAL)


@strawberry.input(description="Changes to a ticket type. A field that is absent stays; null clears it.")
class UpdateTicketTypeInput:
    ticket_type_id: ID = strawberry.field(description="Id of the ticket type.")
    expected_version: int | None = strawberry.field(default=None, description=EXPECTED_VERSION)
    code: Maybe[str | None] = strawberry.field(description=CODE)
    description: Maybe[str | None] = strawberry.field(description=MEANS)
    country_code: Maybe[str | None] = strawberry.field(description=COUNTRY)
    can_have_station_pairs: Maybe[bool | None] = strawberry.field(description=STATIONS)
    generates_ticket_rights: Maybe[bool | None] = strawberry.field(description=GENERATES)
    ticket_right_type: Maybe[stored.TicketRightType | None] = strawberry.field(description=METAL)
    is_deleted: Maybe[bool | None] = strawberry.field(description=DELETED)


@strawberry.input(description="A new personnel ticket product.")
class CreateProductInput:
    name: str = strawberry.field(description="Name of the product. At most 100 characters.")
    valid_from: date = strawberry.field(description="First day on which it is valid.")
    valid_until: date | None = strawberry.field(
        default=None, description="Day on which it stops being valid, after validFrom; open if absent."
    )


@strawberry.input(description="Changes to a product. A field that is absent stays; null leaves validUntil open.")
class UpdateProductInput:
    product_id: ID = strawberry.field(description="Id of the product.")
    expected_version: int | None = strawberry.field(default=None, description=EXPECTED_VERSION)
    name: Maybe[str | None] = strawberry.field(description="Name of the product. At most 100 characters.")
    valid_from: Maybe[date | None] = strawberry.field(description="First day on which it is valid.")
    valid_until: Maybe[date | None] = strawberry.field(
        description="Day on which it stops being valid, after validFrom."
    )


@strawberry.input(description="A post code and its place: a new one, or what is to be known of one.")
class SavePostalPlaceInput:
    code: str = strawberry.field(description="Post code; exactly 4 digits in Norway.")
    country: str = strawberry.field(default="NOR", description="Country, ISO 3166-1 alpha-3.")
    place: str = strawberry.field(description="Post town. At most 100 characters.")
    is_deleted: bool = strawberry.field(default=False, description=DELETED)
    expected_version: int | None = strawberry.field(default=None, description=SAVED_VERSION)


@strawberry.input(description="A station: a new one, or what is to be known of one.")
class SaveStationInput:
    id: ID = strawberry.field(description="NeTEx id of the station, such as NSR:StopPlace:337.")
    name: str = strawberry.field(description="Name of the station. At most 100 characters.")
    expected_version: int | None = strawberry.field(default=None, description=SAVED_VERSION)


async def create_personnel_code(write: Write, given: CreatePersonnelCodeInput) -> stored.Code:
    """The new code of a list (E10). Raises `Refused`: CODE_TAKEN (by a deleted one too), VALUE_INVALID for
    `is_pensioner` of another list, and what the formats refuse."""
    made: stored.Code = await _created(write, ROWS[given.list], _code_values(given))
    return made


async def update_personnel_code(write: Write, given: UpdatePersonnelCodeInput) -> stored.Code:
    """The code with the given changes; what names it goes on doing so. Raises `Refused`: CODE_UNKNOWN,
    VERSION_CONFLICT, VALUE_INVALID for `is_pensioner` of another list, and what the formats refuse."""
    values = _code_values(given)
    here: Any = ROWS[given.list]
    found: Any = await write.get(here.code, values.pop("code"))
    if found is None:
        raise refuse(ErrorCode.CODE_UNKNOWN, "code", rejected=[given.code])
    same_version(found, given.expected_version)
    assign(write, found, values)
    code: stored.Code = found
    return code


def _code_values(given: CreatePersonnelCodeInput | UpdatePersonnelCodeInput) -> dict[str, Any]:
    problems = Problems()
    values = checked(problems, given, ROWS[given.list], {}, skip={"version"})  # type: ignore[arg-type]
    if given.is_pensioner is not None and given.list is not PersonnelCodeList.EMPLOYMENT_TYPE:
        problems.add(ErrorCode.VALUE_INVALID, "isPensioner")
    problems.raise_any()
    return values


async def create_ticket_type(write: Write, given: CreateTicketTypeInput) -> stored.TicketType:
    """The new ticket type (E40). Raises `Refused`: CODE_TAKEN (by a deleted one too), and what the formats refuse."""
    made: stored.TicketType = await _created(write, stored.TicketType, _values(given, stored.TicketType))
    return made


async def update_ticket_type(write: Write, given: UpdateTicketTypeInput) -> stored.TicketType:
    """The ticket type with the given changes; orders and rights that there are stay as they are (E40). Raises
    `Refused`: TICKET_TYPE_NOT_FOUND, VERSION_CONFLICT, CODE_TAKEN, and what the formats refuse."""
    key = key_in(given.ticket_type_id)
    found: stored.TicketType | None = None if key is None else await write.get(stored.TicketType.id, key)
    if found is None:
        raise refuse(ErrorCode.TICKET_TYPE_NOT_FOUND, "ticketTypeId", rejected=[given.ticket_type_id])
    same_version(found, given.expected_version)
    values = _values(given, stored.TicketType)
    await _unused(write, stored.TicketType, values, found.id)
    assign(write, found, values)
    return found


async def create_product(write: Write, given: CreateProductInput) -> stored.Product:
    """The new product (E46). Raises `Refused`: DATES_REVERSED, and what the formats refuse."""
    values = _values(given, stored.Product)
    _lasts(values)
    made: stored.Product = await _added(write, stored.Product, values)
    return made


async def update_product(write: Write, given: UpdateProductInput) -> stored.Product:
    """The product with the given changes; those who have it keep it (E46). Raises `Refused`: PRODUCT_NOT_FOUND,
    VERSION_CONFLICT, DATES_REVERSED, and what the formats refuse."""
    key = key_in(given.product_id)
    found: stored.Product | None = None if key is None else await write.get(stored.Product.id, key)
    if found is None:
        raise refuse(ErrorCode.PRODUCT_NOT_FOUND, "productId", rejected=[given.product_id])
    same_version(found, given.expected_version)
    values = _values(given, stored.Product)
    _lasts({"valid_from": found.valid_from, "valid_until": found.valid_until, **values})
    assign(write, found, values)
    return found


def _lasts(values: Mapping[str, Any]) -> None:
    if values.get("valid_until") is not None and values["valid_until"] <= values["valid_from"]:
        raise refuse(ErrorCode.DATES_REVERSED, "validUntil", rejected=[values["valid_until"]])


async def save_postal_place(write: Write, given: SavePostalPlaceInput) -> stored.PostalPlace:
    """The place of a post code in a country, new or as the input says (E45). Raises `Refused`: COUNTRY_CODE_INVALID,
    POST_CODE_INVALID, VERSION_CONFLICT, and what the formats refuse."""
    problems = Problems()
    values = checked(problems, given, stored.PostalPlace, {"country": formats.alpha3}, skip={"version"})
    if "country" in values and "code" in values:
        with problems.at("code"):
            values["code"] = formats.post_code(values["country"], values["code"])
    problems.raise_any()
    found = await write.get(stored.PostalPlace.code, values["code"], country=values["country"])
    saved: stored.PostalPlace = await _saved(write, stored.PostalPlace, found, given.expected_version, values)
    return saved


async def save_station(write: Write, given: SaveStationInput) -> stored.Station:
    """The station, new or as the input says (E44). Raises `Refused`: NETEX_ID_INVALID, VERSION_CONFLICT, and what the
    formats refuse."""
    values = _values(given, stored.Station, {"id": netex_id})
    found = await write.get(stored.Station.id, values["id"])
    saved: stored.Station = await _saved(write, stored.Station, found, given.expected_version, values)
    return saved


def netex_id(text: str) -> str:
    """A NeTEx id (F08). Raises `Refused`: NETEX_ID_INVALID."""
    if not NETEX_ID.fullmatch(text):
        raise refuse(ErrorCode.NETEX_ID_INVALID, rejected=[text])
    return text


def _values(given: object, row: Any, formats_of: Mapping[str, Format] | None = None) -> dict[str, Any]:
    """The given values for a row. Raises `Refused`."""
    problems = Problems()
    values = checked(problems, given, row, formats_of or {}, skip={"version"})
    problems.raise_any()
    return values


async def _created(write: Write, row: Any, values: Mapping[str, Any]) -> Any:
    await _unused(write, row, values)
    return await _added(write, row, values)


async def _unused(write: Write, row: Any, values: Mapping[str, Any], own: int = 0) -> None:
    """Raises `Refused`: CODE_TAKEN. The database's unique constraint has the last word (`TAKEN`)."""
    if "code" in values and await write.exists(row, row.id != own, code=values["code"]):
        raise refuse(ErrorCode.CODE_TAKEN, "code", rejected=[values["code"]])


async def _added(write: Write, row: Any, values: Mapping[str, Any]) -> Any:
    made = row(**values, created_at=write.now, changed_at=write.now)
    write.session.add(made)
    await write.session.flush()
    return made


async def _saved(write: Write, row: Any, found: Any, expected_version: int | None, values: Mapping[str, Any]) -> Any:
    """The row with these values, which is new if none was found. Two who save a new one at once: the second finds that
    of the first when its transaction is tried again. Raises `Refused`: VERSION_CONFLICT."""
    if found is not None:
        same_version(found, expected_version)
        assign(write, found, values)
        return found
    if expected_version:
        raise refuse(ErrorCode.VERSION_CONFLICT, "expectedVersion", rejected=[expected_version], current=found)
    return await _added(write, row, values)
