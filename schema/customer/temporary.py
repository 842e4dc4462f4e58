"""Temporary profiles."""

import strawberry

from datastore.viewer import Permission
from resolvers.customer import temporary
from schema.customer.types import Customer
from schema.mutation import Payload, mutation, payload
from schema.permission import Callers


@payload("What createTemporaryCustomer answers.")
class CreateTemporaryCustomerPayload(Payload):
    customer: Customer | None = strawberry.field(description="The temporary customer as created.")


@payload("What updateTemporaryCustomer answers.")
class UpdateTemporaryCustomerPayload(Payload):
    customer: Customer | None = strawberry.field(description="The temporary customer as it is now.")


@payload("What convertTemporaryCustomer answers.")
class ConvertTemporaryCustomerPayload(Payload):
    customer: Customer | None = strawberry.field(description="The permanent customer that it has become.")


@strawberry.type
class TemporaryCustomerMutations:
    create_temporary_customer: CreateTemporaryCustomerPayload = mutation(
        temporary.create_temporary_customer,
        needs=Permission.CUSTOMER_CREATE,
        callers=Callers.CLIENTS,
        description="Creates a customer who is erased on the expiration date; posts CREATE.",
    )
    update_temporary_customer: UpdateTemporaryCustomerPayload = mutation(
        temporary.update_temporary_customer,
        needs=Permission.CUSTOMER_UPDATE,
        callers=Callers.CLIENTS,
        description="Overwrites all that is known of a temporary customer; posts UPDATE.",
    )
    convert_temporary_customer: ConvertTemporaryCustomerPayload = mutation(
        temporary.convert_temporary_customer,
        needs=Permission.CUSTOMER_UPDATE,
        callers=Callers.CLIENTS,
        description="Makes a temporary customer a permanent one, who is not erased; posts UPDATE.",
    )
