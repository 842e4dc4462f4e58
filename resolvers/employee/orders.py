"""Tickets ordered by hand, and what other systems tell of ticket rights (rules E20, E22, E30 to E34, E40 to E44 and
E53)."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from enum import Enum
from typing import Any

import strawberry
from sqlalchemy.orm.attributes import flag_modified
from strawberry import ID, Maybe

from datastore.customer import Customer, CustomerStatus, ProfileType
from datastore.employee import calculation, codes, personnel
from datastore.employee import changing as statements
from datastore.employee import rights as stored
from datastore.reading import within
from datastore.writing import Write
from resolvers import formats
from resolvers.customer.changing import assign, same_version
from resolvers.customer.inputs import EXPECTED_VERSION
from resolvers.customer.owned import key_in
from resolvers.employee.codes import NETEX_ID
from resolvers.employee.importing import new_holder_code
from resolvers.employee.personnel import employee_in
from resolvers.errors import ErrorCode, refuse
from resolvers.given import Problems, checked
from resolvers.oslo import today
from resolvers.scalars import Long

YEARS = range(1900, 3000)
MOST_YEARS = 5
MOST_PAIRS = 50
LONGEST_MESSAGE = 500
DAY = timedelta(days=1)
LOOKED_UP = {"ticket_type_id", "travel_type_id", "fip_ticket_type_id"}

HOLDER = "Id of the employee's family member whom the ticket is for; it is for the employee without it."
LAST = f"Last day of the ticket: not before fromDate, and at most {MOST_YEARS} calendar years on."


class SyncSystem(Enum):
    """The systems that ticket rights are sent to; the value begins the names of their columns."""

    TICKET = "ticket"
    CUSTOMER = "customer"


@strawberry.input(description="Two stations between which an order is good.")
class StationPairInput:
    from_station_id: ID = strawberry.field(description="NeTEx id of one of them.")
    to_station_id: ID = strawberry.field(description="NeTEx id of the other one.")


@strawberry.input(description="A ticket to be ordered by hand.")
class CreateManualOrderInput:
    employee_id: Long = strawberry.field(description="Id of the employee who is responsible.")
    family_member_id: Long | None = strawberry.field(default=None, description=HOLDER)
    ticket_type_id: ID = strawberry.field(description="Id of the ticket type.")
    from_date: date = strawberry.field(description="First day of the ticket.")
    to_date: date = strawberry.field(description=LAST)
    station_pairs: list[StationPairInput] | None = strawberry.field(
        default=None, description=f"Where it is good, if the ticket type can have that. At most {MOST_PAIRS}."
    )
    issue_date: date | None = strawberry.field(default=None, description="When it was issued; by default today.")
    ticket_no: str | None = strawberry.field(default=None, description="Number of the ticket. At most 40 characters.")
    travel_type_id: ID | None = strawberry.field(default=None, description="Id of the travel type of a FIP ticket.")
    fip_ticket_type_id: ID | None = strawberry.field(default=None, description="Id of the kind of a FIP ticket.")


@strawberry.input(description="An order to delete.")
class DeleteManualOrderInput:
    manual_order_id: ID = strawberry.field(description="Id of the order.")
    expected_version: int | None = strawberry.field(default=None, description=EXPECTED_VERSION)


@strawberry.input(description="How far a ticket right is on its way to another system. A field that is absent stays.")
class SetTicketRightSyncStatusInput:
    ticketright_id: Long = strawberry.field(description="Id of the ticket right.")
    system: SyncSystem = strawberry.field(description="The system.")
    expected_version: int | None = strawberry.field(default=None, description=EXPECTED_VERSION)
    is_ready_to_sync: Maybe[bool] = strawberry.field(
        description="Whether it is ready to be sent; to the ticketing system if the company allows e-tickets."
    )
    sync_timestamp: Maybe[datetime | None] = strawberry.field(description="When it was sent; null if it was not.")
    error_message: Maybe[str | None] = strawberry.field(
        description="Why it could not be sent; null if that is over. At most 500 characters."
    )
    customer_number: Maybe[Long | None] = strawberry.field(
        description="Number of the personnel-ticket profile that the customer system has made of the holder."
    )


async def create_manual_order(write: Write, given: CreateManualOrderInput) -> stored.ManualOrder:
    """The order, with its station pairs and, where its ticket type generates ticket rights, the rights from its first
    day to its last one: one in each calendar year (E30, E31, E40 to E44).

    Raises `Refused`: EMPLOYEE_NOT_FOUND, FAMILY_MEMBER_NOT_FOUND (foreign ones too, T04), HOLDER_NOT_FAMILY (E33),
    HOLDER_HAS_LEFT for deleted ones and where it goes on after the employee, no pensioner, has left (E22),
    HOLDER_ABSTAINS (E07), TICKET_TYPE_NOT_FOUND, CODE_UNKNOWN, DATES_REVERSED, VALUE_INVALID for days centuries away,
    too many years or pairs, STATION_PAIRS_NOT_ALLOWED, STATIONS_EQUAL, STATION_NOT_FOUND, TICKET_RIGHT_OVERLAPS.
    """
    fetch = within(write.session)
    await calculation.lock_rights_of(write, given.employee_id)  # a calculation locks this, then the employees
    employee = await employee_in(write, given.employee_id, deleted_too=True)
    member = await _member(write, given, employee)
    problems = Problems()
    values = checked(problems, given, stored.ManualOrder, {}, skip=LOOKED_UP)
    ticket_type = await _ticket_type(write, problems, given.ticket_type_id)
    for name, field, row in (
        ("travel_type_id", "travelTypeId", codes.TravelType),
        ("fip_ticket_type_id", "fipTicketTypeId", codes.FipTicketType),
    ):
        if (given_id := getattr(given, name)) is not None:
            values[name] = key_in(given_id)
            if values[name] is None or not await statements.is_code(fetch, row, values[name]):
                problems.add(ErrorCode.CODE_UNKNOWN, field, rejected=[given_id])
    _possible_days(problems, given)
    await _entitled(write, problems, given, employee, member)
    pairs = await _pairs(write, problems, given.station_pairs or [], ticket_type)
    problems.raise_any()
    assert ticket_type is not None

    order = stored.ManualOrder(
        **{"issue_date": today(write.now), **values, "ticket_type_id": ticket_type.id},
        created_at=write.now,
        changed_at=write.now,
    )
    write.session.add(order)
    holder = await _holder(write, employee.id, member.id if member else None)
    await write.session.flush()
    write.session.add_all(
        stored.StationPair(manual_order_id=order.id, from_station_id=start, to_station_id=end) for start, end in pairs
    )
    if ticket_type.generates_ticket_rights:
        await _give(write, order, holder)
    await write.session.flush()
    return order


async def delete_manual_order(write: Write, given: DeleteManualOrderInput) -> stored.ManualOrder:
    """The order, marked as deleted (E14). Its rights end today; those that have not begun are gone, or are withdrawn if
    another system knows of them: they end on their first day (E34).

    Raises `Refused`: MANUAL_ORDER_NOT_FOUND (foreign and deleted ones too, T04), VERSION_CONFLICT.
    """
    key = key_in(given.manual_order_id)
    order: stored.ManualOrder | None = None if key is None else await write.get(stored.ManualOrder.id, key)
    if order is None or order.is_deleted:
        raise refuse(ErrorCode.MANUAL_ORDER_NOT_FOUND, "manualOrderId", rejected=[given.manual_order_id])
    same_version(order, given.expected_version)
    assign(write, order, {"is_deleted": True})
    this_day = today(write.now)
    for right in await statements.rights_of_order(write.session, order.id):
        if right.valid_from >= this_day and not _was_told(right):
            await write.session.delete(right)
        elif right.valid_until > max(this_day, right.valid_from):
            right.valid_until = max(this_day, right.valid_from)
            for system in SyncSystem:
                _send_again(right, system.value)
    await write.session.flush()
    return order


async def set_ticket_right_sync_status(write: Write, given: SetTicketRightSyncStatusInput) -> stored.TicketRight:
    """The ticket right with what is given of one system (E34); the customer number becomes that of its holder (E20).

    Raises `Refused`: TICKET_RIGHT_NOT_FOUND (foreign ones too, T04), VERSION_CONFLICT, E_TICKETS_NOT_ALLOWED where the
    company's tickets are not to be sent to the ticketing system (E53), TEXT_TOO_LONG, TEXT_INVALID; of the customer
    number VALUE_INVALID with another system, CUSTOMER_NOT_FOUND for one that the caller may not read or that is deleted
    or merged, PROFILE_TYPE_NOT_ALLOWED for any but a personnel-ticket profile.
    """
    right: stored.TicketRight | None = await write.get(stored.TicketRight.id, given.ticketright_id)
    if right is None:
        raise refuse(ErrorCode.TICKET_RIGHT_NOT_FOUND, "ticketrightId", rejected=[given.ticketright_id])
    same_version(right, given.expected_version)
    problems = Problems()
    values: dict[str, Any] = {}
    if given.is_ready_to_sync:
        values["is_ready_to_sync"] = given.is_ready_to_sync.value
        if given.system is SyncSystem.TICKET and values["is_ready_to_sync"]:
            with problems.at("isReadyToSync"):
                await _allows_e_tickets(write, right)
    if given.sync_timestamp:
        values["sync_timestamp"] = given.sync_timestamp.value
    if given.error_message:
        text = given.error_message.value
        with problems.at("errorMessage"):
            values["error_message"] = formats.clean_lines(text, LONGEST_MESSAGE) or None if text is not None else None
    if given.customer_number:
        with problems.at("customerNumber"):
            await _possible_customer(write, given.system, given.customer_number.value)
    problems.raise_any()
    for name, value in values.items():
        setattr(right, f"{given.system.value}_{name}", value)
    flag_modified(right, "valid_until")
    if given.customer_number:
        await _connect(write, right, given.customer_number.value)
    await write.session.flush()
    return right


# What an order needs


async def _member(
    write: Write, given: CreateManualOrderInput, employee: personnel.Employee
) -> personnel.FamilyMember | None:
    """The family member whom an order is for. Raises `Refused`: FAMILY_MEMBER_NOT_FOUND, HOLDER_NOT_FAMILY."""
    if given.family_member_id is None:
        return None
    member: personnel.FamilyMember | None = await write.get(personnel.FamilyMember.id, given.family_member_id)
    if member is None:
        raise refuse(ErrorCode.FAMILY_MEMBER_NOT_FOUND, "familyMemberId", rejected=[given.family_member_id])
    if member.employee_id != employee.id:
        raise refuse(ErrorCode.HOLDER_NOT_FAMILY, "familyMemberId", rejected=[given.family_member_id])
    return member


async def _ticket_type(write: Write, problems: Problems, given_id: str) -> codes.TicketType | None:
    key = key_in(given_id)
    # Not locked: it would wait for everybody who stores rights to it, of whatever company.
    found: codes.TicketType | None = None if key is None else await write.session.get(codes.TicketType, key)
    if found is None or found.is_deleted:
        problems.add(ErrorCode.TICKET_TYPE_NOT_FOUND, "ticketTypeId", rejected=[given_id])
        return None
    return found


def _possible_days(problems: Problems, given: CreateManualOrderInput) -> None:
    start, end = given.from_date, given.to_date
    for name, day in (("fromDate", start), ("toDate", end), ("issueDate", given.issue_date)):
        if day is not None and day.year not in YEARS:
            problems.add(ErrorCode.VALUE_INVALID, name, rejected=[day])
    if end < start:
        problems.add(ErrorCode.DATES_REVERSED, "toDate", rejected=[end])
    elif end.year - start.year >= MOST_YEARS:
        problems.add(ErrorCode.VALUE_INVALID, "toDate", rejected=[end])


async def _entitled(
    write: Write,
    problems: Problems,
    given: CreateManualOrderInput,
    employee: personnel.Employee,
    member: personnel.FamilyMember | None,
) -> None:
    """Rules E07 and E22. The last day of an employment is one of it."""
    left = employee.hire_end_date
    has_left = left is not None and left < given.to_date
    if has_left:
        kind = employee.employment_type_id
        has_left = not await write.exists(codes.EmploymentType, code=kind, is_pensioner=True)
    if employee.is_deleted or has_left:
        problems.add(ErrorCode.HOLDER_HAS_LEFT, "employeeId", rejected=[employee.id])
    if member is not None and member.is_deleted:
        problems.add(ErrorCode.HOLDER_HAS_LEFT, "familyMemberId", rejected=[member.id])
    if employee.abstain_from_ticket:
        problems.add(ErrorCode.HOLDER_ABSTAINS, "employeeId")
    elif member is not None and member.abstain_from_ticket:
        problems.add(ErrorCode.HOLDER_ABSTAINS, "familyMemberId")


async def _pairs(
    write: Write, problems: Problems, given: Sequence[StationPairInput], ticket_type: codes.TicketType | None
) -> Sequence[tuple[str, str]]:
    """The pairs of stations (E41, E44)."""
    if given and ticket_type is not None and not ticket_type.can_have_station_pairs:
        problems.add(ErrorCode.STATION_PAIRS_NOT_ALLOWED, "stationPairs")
        return []
    if len(given) > MOST_PAIRS:
        problems.add(ErrorCode.VALUE_INVALID, "stationPairs", rejected=[len(given)])
        return []
    pairs = [(str(each.from_station_id), str(each.to_station_id)) for each in given]
    wanted = {each for pair in pairs for each in pair if NETEX_ID.fullmatch(each)}
    known = await statements.known_stations(within(write.session), wanted) if wanted else frozenset()
    for position, pair in enumerate(pairs):
        with problems.at("stationPairs", str(position)):
            for name, station in zip(("fromStationId", "toStationId"), pair, strict=True):
                if station not in known:
                    problems.add(ErrorCode.STATION_NOT_FOUND, "stationPairs", str(position), name, rejected=[station])
            if pair[0] == pair[1]:
                raise refuse(ErrorCode.STATIONS_EQUAL, "toStationId", rejected=[pair[1]])
    return pairs


async def _holder(write: Write, employee_id: int, family_member_id: int | None) -> stored.TicketRightsHolder:
    """The row that stands for a holder; there is one for everybody, but for who came in another way."""
    row = stored.TicketRightsHolder
    found: stored.TicketRightsHolder | None = await write.get(
        row.employee_id, employee_id, family_member_id=family_member_id
    )
    if found is None:
        found = row(employee_id=employee_id, family_member_id=family_member_id, ticket_holder_code=new_holder_code())
        write.session.add(found)
    return found


async def _give(write: Write, order: stored.ManualOrder, holder: stored.TicketRightsHolder) -> None:
    """The rights of an order: until before the day after its last one, and never across a new year (E30, E31, E43).
    Raises `Refused`: TICKET_RIGHT_OVERLAPS."""
    end = order.to_date + DAY
    taken = statements.overlaps(order.ticket_type_id, order.from_date, end)
    if await write.exists(stored.TicketRight, taken, ticket_holder_id=holder.id):
        raise refuse(ErrorCode.TICKET_RIGHT_OVERLAPS, "fromDate", rejected=[order.from_date])
    for year in range(order.from_date.year, order.to_date.year + 1):
        write.session.add(
            stored.TicketRight(
                employee_id=order.employee_id,
                family_member_id=order.family_member_id,
                ticket_holder_id=holder.id,
                ticket_type_id=order.ticket_type_id,
                manual_order_id=order.id,
                valid_from=max(order.from_date, date(year, 1, 1)),
                valid_until=min(end, date(year + 1, 1, 1)),
                calculation_timestamp=write.now,
            )
        )


# What other systems tell


def _was_told(right: stored.TicketRight) -> bool:
    """Whether another system knows of the right, or may know of it: `datastore.employee.rights.was_told` of a row."""
    states = ("is_ready_to_sync", "sync_timestamp", "error_message")
    return any(getattr(right, f"{system.value}_{state}") for system in SyncSystem for state in states)


def _send_again(right: stored.TicketRight, system: str) -> None:
    """What has changed of a right that had been sent is to be sent again (E34)."""
    if getattr(right, f"{system}_sync_timestamp") is not None:
        setattr(right, f"{system}_is_ready_to_sync", True)
        setattr(right, f"{system}_sync_timestamp", None)


async def _allows_e_tickets(write: Write, right: stored.TicketRight) -> None:
    """Raises `Refused`: E_TICKETS_NOT_ALLOWED."""
    employee = await calculation.visible_employee(within(write.session), write.viewer, right.employee_id)
    if employee is None or not await write.exists(personnel.Company, id=employee.company_id, allow_e_tickets=True):
        raise refuse(ErrorCode.E_TICKETS_NOT_ALLOWED, rejected=[True])


async def _possible_customer(write: Write, system: SyncSystem, number: int | None) -> None:
    """Whoever sees the holder may read its personnel-ticket profile, so nobody may name one that they could not read
    without that. Raises `Refused`."""
    if system is not SyncSystem.CUSTOMER:
        raise refuse(ErrorCode.VALUE_INVALID, rejected=[number])
    if number is None:
        return
    seen = Customer.visible_to(write.viewer)
    living = (seen, Customer.status != CustomerStatus.DELETED, Customer.merged_into_id.is_(None))
    if not await write.exists(Customer, *living, customer_number=number):
        raise refuse(ErrorCode.CUSTOMER_NOT_FOUND, rejected=[number])
    if not await write.exists(Customer, *living, customer_number=number, profile_type=ProfileType.PERSONNEL_TICKET):
        raise refuse(ErrorCode.PROFILE_TYPE_NOT_ALLOWED, rejected=[number])


async def _connect(write: Write, right: stored.TicketRight, number: int | None) -> None:
    """Give the holder of a right a customer number (E20)."""
    if right.family_member_id is None:
        employee = await write.get(personnel.Employee.id, right.employee_id)
        employee.customer_number = number
    else:
        member = await write.get(personnel.FamilyMember.id, right.family_member_id)
        member.customer_number = number
