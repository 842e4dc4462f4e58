"""Creating, changing, deleting and restoring customers and their addresses."""

import strawberry

from datastore.viewer import Permission
from resolvers.customer import addresses, writes
from schema.customer.types import Customer, PostalAddress
from schema.mutation import Payload, mutation, payload
from schema.permission import Callers


@payload("What createCustomer answers.")
class CreateCustomerPayload(Payload):
    customer: Customer | None = strawberry.field(description="The customer as created.")


@payload("What updateCustomer answers.")
class UpdateCustomerPayload(Payload):
    customer: Customer | None = strawberry.field(description="The customer as it is now.")


@payload("What deactivateCustomer answers.")
class DeactivateCustomerPayload(Payload):
    customer: Customer | None = strawberry.field(description="The customer as it is now.")


@payload("What restoreCustomer answers.")
class RestoreCustomerPayload(Payload):
    customer: Customer | None = strawberry.field(description="The customer as it is now.")


@payload("What createPostalAddress answers.")
class CreatePostalAddressPayload(Payload):
    postal_address: PostalAddress | None = strawberry.field(description="The address as created.")


@payload("What updatePostalAddress answers.")
class UpdatePostalAddressPayload(Payload):
    postal_address: PostalAddress | None = strawberry.field(description="The address as it is now.")


@payload("What deletePostalAddress answers.")
class DeletePostalAddressPayload(Payload):
    customer: Customer | None = strawberry.field(description="The customer it belonged to.")
    deleted_postal_address_id: strawberry.ID | None = strawberry.field(description="Id of the address that is gone.")


@strawberry.type
class CustomerMutations:
    create_customer: CreateCustomerPayload = mutation(
        writes.create_customer,
        needs=Permission.CUSTOMER_CREATE,
        callers=Callers.CLIENTS,
        description="Creates a customer, with addresses if given; posts CREATE.",
    )
    update_customer: UpdateCustomerPayload = mutation(
        writes.update_customer,
        needs=Permission.CUSTOMER_UPDATE,
        description="Changes a customer and the addresses named; posts UPDATE.",
    )
    deactivate_customer: DeactivateCustomerPayload = mutation(
        writes.deactivate_customer,
        needs=Permission.CUSTOMER_DELETE,
        description="Marks a customer as deleted until its erasure; frees the email; posts UPDATE.",
    )
    restore_customer: RestoreCustomerPayload = mutation(
        writes.restore_customer,
        needs=Permission.CUSTOMER_DELETE,
        callers=Callers.CLIENTS,
        description="Takes a deleted customer back, with its status and email; posts UPDATE.",
    )
    create_postal_address: CreatePostalAddressPayload = mutation(
        addresses.create_postal_address,
        needs=Permission.CUSTOMER_UPDATE,
        description="Adds an address to a customer; posts UPDATE.",
    )
    update_postal_address: UpdatePostalAddressPayload = mutation(
        addresses.update_postal_address,
        needs=Permission.CUSTOMER_UPDATE,
        description="Changes an address of a customer; posts UPDATE.",
    )
    delete_postal_address: DeletePostalAddressPayload = mutation(
        addresses.delete_postal_address,
        needs=Permission.CUSTOMER_UPDATE,
        description="Deletes an address of a customer; posts UPDATE.",
    )
