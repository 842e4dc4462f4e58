"""Ordering tickets by hand, and telling what has become of ticket rights in other systems."""

import strawberry

from datastore.viewer import Permission
from resolvers.employee import orders
from schema.employee.rights import ManualOrder, TicketRight
from schema.mutation import Payload, mutation, payload
from schema.permission import Callers
from schema.view import describe


@payload("What createManualOrder answers.")
class CreateManualOrderPayload(Payload):
    manual_order: ManualOrder | None = strawberry.field(description="The order as created.")


@payload("What deleteManualOrder answers.")
class DeleteManualOrderPayload(Payload):
    manual_order: ManualOrder | None = strawberry.field(description="The order, marked as deleted.")


@payload("What setTicketRightSyncStatus answers.")
class SetTicketRightSyncStatusPayload(Payload):
    ticket_right: TicketRight | None = strawberry.field(description="The ticket right as it is now.")


describe(
    orders.SyncSystem,
    "The systems that ticket rights are sent to.",
    TICKET="The ticketing system.",
    CUSTOMER="The customer system.",
)


@strawberry.type
class OrderMutations:
    create_manual_order: CreateManualOrderPayload = mutation(
        orders.create_manual_order,
        needs=Permission.TICKET_RIGHT_WRITE,
        callers=Callers.CLIENTS,
        description="Orders a ticket for an employee or a family member; makes ticket rights if its type does.",
    )
    delete_manual_order: DeleteManualOrderPayload = mutation(
        orders.delete_manual_order,
        needs=Permission.TICKET_RIGHT_WRITE,
        callers=Callers.CLIENTS,
        description="Marks an order as deleted and ends its ticket rights today.",
    )
    set_ticket_right_sync_status: SetTicketRightSyncStatusPayload = mutation(
        orders.set_ticket_right_sync_status,
        needs=Permission.TICKET_RIGHT_WRITE,
        callers=Callers.CLIENTS,
        description="Tells how far a ticket right is on its way to another system.",
    )
