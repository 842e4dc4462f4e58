"""Accounts for account based ticketing."""

import strawberry

from datastore.viewer import Permission
from resolvers.customer import accounts
from schema.customer.types import CustomerAccount
from schema.mutation import Payload, mutation, payload
from schema.permission import Callers


@payload("What createCustomerAccount answers.")
class CreateCustomerAccountPayload(Payload):
    customer_account: CustomerAccount | None = strawberry.field(description="The account as created.")


@payload("What updateCustomerAccount answers.")
class UpdateCustomerAccountPayload(Payload):
    customer_account: CustomerAccount | None = strawberry.field(description="The account as it is now.")


@strawberry.type
class AccountMutations:
    create_customer_account: CreateCustomerAccountPayload = mutation(
        accounts.create_customer_account,
        needs=Permission.CUSTOMER_UPDATE,
        callers=Callers.CLIENTS,  # a user could claim an account of somebody else
        description="Adds an account to a customer; posts UPDATE.",
    )
    update_customer_account: UpdateCustomerAccountPayload = mutation(
        accounts.update_customer_account,
        needs=Permission.CUSTOMER_UPDATE,
        description="Changes the alias of an account, or which one is the default; posts UPDATE.",
    )
