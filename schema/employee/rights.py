"""Ticket rights, their holders and rules, and the orders made by hand, as shown."""

from datetime import date, datetime
from typing import Annotated

import strawberry

from datastore.employee import codes as stored_codes
from datastore.employee import personnel
from datastore.employee import reads as statements
from datastore.employee import rights as stored
from datastore.viewer import Permission
from resolvers.employee import shown
from resolvers.employee.eligibility import Conditions
from resolvers.employee.shown import HolderType
from resolvers.scalars import Long
from schema.employee.codes import (
    CHANGED_AT,
    CREATED_AT,
    IS_DELETED,
    VERSION,
    FipTicketType,
    Station,
    TicketType,
    TravelType,
)
from schema.employee.personnel import Company, Employee, FamilyMember, unused
from schema.employee.rules import RuleConditions, SimpleRuleVersion
from schema.node import Node, node_by
from schema.permission import needs
from schema.relations import one_of
from schema.view import computed, describe, many, one, selected, view_of

RIGHT_READ = Permission.TICKET_RIGHT_READ
TicketHolder = Annotated[
    Employee | FamilyMember, strawberry.union("TicketHolder", description="Who holds a ticket right.")
]
HOLDER = (
    (personnel.FamilyMember.id, "family_member_id"),
    (personnel.Employee.id, "employee_id"),
)
"""The family member, if the row is about one, else the employee."""
NEXT_VERSION = "The source is about to give it up: use ticketSyncStatus."


@view_of(stored.SimpleRule, needs=RIGHT_READ)
class SimpleRule:
    """A rule by which somebody is given a ticket type."""

    id: strawberry.ID = strawberry.field(description="Id of the rule.")
    name: str = strawberry.field(description="Name of the rule.")
    ticket_type: TicketType | None = one(
        stored_codes.TicketType.id, via="ticket_type_id", description="What the rule gives."
    )
    conditions: RuleConditions = computed(
        lambda rule: Conditions.of(rule.conditions), reads=("conditions",), description="What the rule asks for."
    )
    versions: list[SimpleRuleVersion] = many(
        stored.SimpleRuleVersion.rule_id, size=3, description="The rule as it is and was, the oldest first."
    )
    is_active: bool = strawberry.field(description="Indicates whether the rule is in use.")
    version: int = strawberry.field(description=VERSION)
    created_at: datetime = strawberry.field(description=CREATED_AT)
    changed_at: datetime = strawberry.field(description=CHANGED_AT)


@view_of(stored.StationPair, needs=RIGHT_READ)
class StationPair:
    """Two stations between which a manual order is good."""

    id: strawberry.ID = strawberry.field(description="Id of the pair.")
    from_station: Station | None = one(
        stored_codes.Station.id, via="from_station_id", description="One of the stations."
    )
    to_station: Station | None = one(stored_codes.Station.id, via="to_station_id", description="The other station.")


@view_of(stored.ManualOrder, needs=RIGHT_READ)
class ManualOrder:
    """A ticket ordered by hand."""

    id: strawberry.ID = strawberry.field(description="Id of the order.")
    from_date: date = strawberry.field(description="First day on which the ticket right is there.")
    to_date: date = strawberry.field(description="Last day on which the ticket right is there.")
    issue_date: date = strawberry.field(description="When it was first issued.")
    ticket_no: str | None = strawberry.field(description="Number of the ticket.")
    ticket_type: TicketType | None = one(
        stored_codes.TicketType.id, via="ticket_type_id", description="What is ordered."
    )
    travel_type: TravelType | None = one(
        stored_codes.TravelType.id, via="travel_type_id", description="What a FIP ticket is used for."
    )
    fip_ticket_type: FipTicketType | None = one(
        stored_codes.FipTicketType.id, via="fip_ticket_type_id", description="Kind of a FIP ticket; null for others."
    )
    station_pairs: list[StationPair] = many(
        stored.StationPair.manual_order_id, size=2, description="The stations between which it is good; else empty."
    )
    employee_id: Long = strawberry.field(description="Id of the employee who is responsible.")
    employee: Employee | None = one(
        personnel.Employee.id, via="employee_id", description="The employee who is responsible."
    )
    ticket_holder: TicketHolder | None = one_of(*HOLDER, description="Who the ticket is for.")
    ticket_rights: list["TicketRight"] = many(
        stored.TicketRight.manual_order_id, size=1, description="The ticket rights that it made, past ones too."
    )
    is_deleted: bool = strawberry.field(description=IS_DELETED)
    version: int = strawberry.field(description=VERSION)
    created_at: datetime = strawberry.field(description=CREATED_AT)
    changed_at: datetime = strawberry.field(description=CHANGED_AT)


@strawberry.type(description="How far a ticket right is on its way to another system.", directives=[needs(RIGHT_READ)])
class SyncStatus:
    state: stored.SyncState = strawberry.field(description="How far it is, told by the others.")
    error_message: str | None = strawberry.field(description="Why it could not be sent; null if that did not happen.")
    is_ready_to_sync: bool = strawberry.field(description="Indicates whether it is ready to be sent.")
    sync_timestamp: datetime | None = strawberry.field(description="When it was sent.")


@view_of(stored.TicketRightsHolder, needs=RIGHT_READ)
class TicketRightsHolder:
    """An employee or a family member as a holder of ticket rights."""

    id: strawberry.ID = strawberry.field(description="Id of the holder.")
    ticket_holder_code: str = strawberry.field(description="The code that ticket rights are claimed with.")
    ticket_holder: TicketHolder | None = one_of(*HOLDER, description="Who holds the rights.")
    ticket_rights: list["TicketRight"] = many(
        stored.TicketRight.ticket_holder_id, size=4, description="The ticket rights, past ones too."
    )
    first_name: str | None = unused()
    surname: str | None = unused()
    address_line: str | None = unused()
    postal_code: str | None = unused()
    postal_place: str | None = unused()
    country_code: str | None = unused()
    date_of_birth: date | None = unused()


@node_by(stored.TicketRight.id)
@view_of(stored.TicketRight, needs=RIGHT_READ)
class TicketRight(Node):
    """A right to a ticket type for a time."""

    ticketright_id: Long = computed(lambda right: right.id, reads=("id",), description="Id of the ticket right.")
    valid_from: date = strawberry.field(description="First day on which it is valid.")
    valid_until: date = strawberry.field(
        description="Day on which it stops being valid; that of validFrom if it was withdrawn before it began."
    )
    ticket_type: TicketType | None = one(
        stored_codes.TicketType.id, via="ticket_type_id", description="The country and the train class."
    )
    employee_id: Long = strawberry.field(description="Id of the employee who is responsible.")
    employee: Employee | None = one(
        personnel.Employee.id, via="employee_id", description="The employee who is responsible."
    )
    ticket_holder_id: Long = strawberry.field(description="Id of the holder; see ticketRightsHolder.")
    ticket_holder: TicketHolder | None = one_of(*HOLDER, description="Who holds the right.")
    ticket_rights_holder: TicketRightsHolder | None = one(
        stored.TicketRightsHolder.id, via="ticket_holder_id", description="The holder, with the code."
    )
    ticket_right_rule: SimpleRule | None = one(
        stored.SimpleRule.id, via="rule_id", description="The rule by which it was given; null if it was ordered."
    )
    rule_version: int | None = strawberry.field(description="Version of that rule.")
    manual_order: ManualOrder | None = one(
        stored.ManualOrder.id, via="manual_order_id", description="The order that it comes from; else null."
    )
    calculation_timestamp: datetime = strawberry.field(description="When it was worked out.")
    note: str | None = strawberry.field(description="Any other information.")
    ticket_sync_status: SyncStatus = computed(
        shown.sync_status("ticket"),
        reads=shown.sync_columns("ticket"),
        description="How far it is on its way to the ticketing system.",
    )
    customer_sync_status: SyncStatus = computed(
        shown.sync_status("customer"),
        reads=shown.sync_columns("customer"),
        description="How far it is on its way to the customer system.",
    )
    version: int = strawberry.field(description=VERSION)
    error_message: str | None = computed(
        lambda right: right.ticket_error_message,
        reads=("ticket_error_message",),
        description="Why it could not be sent to the ticketing system.",
        deprecated=NEXT_VERSION,
    )
    can_send_ticket: bool = computed(
        lambda right: right.ticket_is_ready_to_sync,
        reads=("ticket_is_ready_to_sync",),
        description="Indicates whether it is ready to be sent to the ticketing system.",
        deprecated=NEXT_VERSION,
    )
    ticket_created: bool = computed(
        lambda right: right.ticket_sync_timestamp is not None,
        reads=("ticket_sync_timestamp",),
        description="Indicates whether it was sent to the ticketing system.",
        deprecated=NEXT_VERSION,
    )


@view_of(statements.ActiveTicketRightsHolder, needs=RIGHT_READ)
class ActiveTicketRightsHolder:
    """A holder who has a ticket right at a day: the highest one, if there are several."""

    type: HolderType = computed(
        shown.holder_type, reads=("family_member_id", "is_pensioner"), description="What the holder is."
    )
    is_employee: bool = computed(
        lambda holder: holder.family_member_id is None,
        reads=("family_member_id",),
        description="Indicates whether the holder is an employee, a pensioner included, and no family member.",
    )
    first_name: str = computed(
        lambda holder: holder.first_name, reads=("first_name",), description="First name of the holder."
    )
    surname: str = computed(lambda holder: holder.surname, reads=("surname",), description="Surname of the holder.")
    employee_id: str = computed(
        lambda holder: holder.employee_no,
        reads=("employee_no",),
        description="Employee number of the employee who is responsible.",
    )
    employee: Employee | None = one(
        personnel.Employee.id, via="employee_id", description="The employee who is responsible."
    )
    ticket_holder: TicketHolder | None = one_of(*HOLDER, description="The holder.")
    company_id: Long = strawberry.field(description="Id of the company.")
    company: Company | None = one(personnel.Company.id, via="company_id", description="The company.")
    ticket_right_type: stored_codes.TicketRightType | None = strawberry.field(
        description="Whether the right is a silver or a bronze one; null for other ticket types."
    )
    granted_at: datetime = computed(
        lambda holder: holder.calculation_timestamp,
        reads=("calculation_timestamp",),
        description="When the right was given.",
    )
    postal_code: str | None = strawberry.field(description="Post code of the employee's address.")
    city: str | None = strawberry.field(description="Post town of the employee's address.")
    address_line: str | None = strawberry.field(description="Line of the employee's address.")
    hire_end_date: date | None = computed(
        shown.pensioners_end,
        reads=("family_member_id", "is_pensioner", "hire_end_date"),
        description="When the employee left; for pensioners only.",
    )


@view_of(stored.ManualOrder, needs=Permission.REPORT_READ)
class FipMonthlyTicketReport:
    """One FIP ticket that was issued in a month."""

    company: Long = selected(
        statements.employee_by_key,
        row=personnel.Employee,
        via="employee_id",
        is_list=False,
        shows="company_id",
        description="Id of the company.",
    )
    company_details: Company | None = selected(
        statements.company_of_employee,
        row=personnel.Company,
        via="employee_id",
        is_list=False,
        description="The company.",
    )
    employee_no: str = selected(
        statements.employee_by_key,
        row=personnel.Employee,
        via="employee_id",
        is_list=False,
        shows="employee_no",
        description="Employee number.",
    )
    employee: Employee | None = one(personnel.Employee.id, via="employee_id", description="The employee.")
    ticket_no: str | None = strawberry.field(description="Number of the ticket.")
    issue_date: date = strawberry.field(description="When it was issued.")
    valid_from: date = computed(
        lambda order: order.from_date, reads=("from_date",), description="First day on which it is valid."
    )
    valid_until: date = computed(
        lambda order: order.to_date, reads=("to_date",), description="Last day on which it is valid."
    )
    travel_type: TravelType | None = one(
        stored_codes.TravelType.id, via="travel_type_id", description="What it is used for."
    )
    fip_ticket_type: FipTicketType | None = one(
        stored_codes.FipTicketType.id, via="fip_ticket_type_id", description="Kind of the ticket."
    )


describe(
    HolderType,
    "What a holder of ticket rights is.",
    ANSATT="An employee.",
    PENSJONIST="A pensioner.",
    FAMILIE="A member of an employee's family.",
)
describe(
    stored.SyncState,
    "How far a ticket right is on its way to another system.",
    NOT_READY="Not ready to be sent.",
    READY="Ready to be sent.",
    SYNCED="Sent.",
    FAILED="It could not be sent.",
)
