"""Connecting profiles."""

from datetime import datetime
from typing import Any, cast

import strawberry

from datastore.viewer import Permission
from resolvers.customer import connect
from resolvers.scalars import Long
from schema.cost import FieldCost
from schema.customer.types import Customer
from schema.mutation import Payload, mutation, payload
from schema.permission import Callers, needs
from schema.view import Info, computed


@payload("What connectCustomer answers.")
class ConnectCustomerPayload(Payload):
    customer: Customer | None = strawberry.field(description="The permanent profile as it is now.")
    changed_at: datetime | None = computed(
        lambda answered: getattr(answered.customer, "changed_at", None),
        description="When the list of connected profiles was last changed.",
        needs=Permission.CUSTOMER_READ,
    )

    @strawberry.field(
        description="Numbers of the profiles merged into or connected to the permanent one.",
        directives=[needs(Permission.CUSTOMER_READ), FieldCost(weight=1)],
    )
    @staticmethod
    async def related_customer_numbers(root: strawberry.Parent[Any], info: Info) -> list[Long] | None:
        return cast("list[Long] | None", await connect.related_numbers(info.context.load, root.customer))

    @strawberry.field(description="The profiles merged into or connected to the permanent one, by customer number.")
    @staticmethod
    async def related_customers(root: strawberry.Parent[Any], info: Info) -> list[Customer] | None:
        return cast("list[Customer] | None", await connect.related_to(info.context.load, root.customer))


@strawberry.type
class ConnectMutations:
    connect_customer: ConnectCustomerPayload = mutation(
        connect.connect_customer,
        needs=Permission.CUSTOMER_UPDATE,
        callers=Callers.CLIENTS,
        description="Connects a temporary or standard profile to a permanent one; posts UPDATE for both.",
    )
