"""Signing in and passwords."""

import strawberry

from datastore.viewer import Permission
from resolvers.customer import sign_in
from schema.customer.types import Customer
from schema.mutation import Payload, mutation, payload
from schema.permission import Callers

HASHING = 500
"""What making or verifying the hash of a password costs: it takes a core as long as hundreds of short queries."""


@payload("What verifyCredentials answers.")
class VerifyCredentialsPayload(Payload):
    customer: Customer | None = strawberry.field(description="The customer who has signed in.")


@payload("What changePassword answers.")
class ChangePasswordPayload(Payload):
    customer: Customer | None = strawberry.field(description="The customer as it is now.")


@payload("What setPassword answers.")
class SetPasswordPayload(Payload):
    customer: Customer | None = strawberry.field(description="The customer as it is now.")


@payload("What generatePassword answers.")
class GeneratePasswordPayload(Payload):
    customer: Customer | None = strawberry.field(description="The customer as it is now.")
    generated_password: str | None = strawberry.field(
        description="The new password, answered this once; null to a repeat under an idempotency key."
    )


@strawberry.type
class SignInMutations:
    verify_credentials: VerifyCredentialsPayload = mutation(
        sign_in.verify_credentials,
        cost=HASHING,
        needs=Permission.CREDENTIALS_VERIFY,
        callers=Callers.CLIENTS,
        description=(
            "Signs a customer in with user name and password; posts nothing. All failures are answered alike, and "
            "after too many in a row the name is locked for a while."
        ),
    )
    change_password: ChangePasswordPayload = mutation(
        sign_in.change_password,
        cost=HASHING,
        needs=Permission.CUSTOMER_UPDATE,
        description="Replaces a password by whoever knows it; a wrong one counts as a failed sign-in; posts UPDATE.",
    )
    set_password: SetPasswordPayload = mutation(
        sign_in.set_password,
        cost=HASHING,
        needs=Permission.PASSWORD_WRITE,
        callers=Callers.CLIENTS,
        description="Gives a customer a new password and ends a lock of its user name; posts UPDATE.",
    )
    generate_password: GeneratePasswordPayload = mutation(
        sign_in.generate_password,
        cost=HASHING,
        needs=Permission.PASSWORD_WRITE,
        callers=Callers.CLIENTS,
        description="Gives a customer a password made by the gateway, and answers it this once; posts UPDATE.",
    )
