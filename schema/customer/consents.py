"""Answers to consents."""

import strawberry

from datastore.viewer import Permission
from resolvers.customer import consents
from schema.customer.types import CustomerConsent
from schema.mutation import Payload, mutation, payload


@payload("What setCustomerConsent answers.")
class SetCustomerConsentPayload(Payload):
    customer_consent: CustomerConsent | None = strawberry.field(description="The consent as it is now.")


@strawberry.type
class ConsentMutations:
    set_customer_consent: SetCustomerConsentPayload = mutation(
        consents.set_customer_consent,
        needs=Permission.CUSTOMER_UPDATE,
        description="Stores what a customer answers to a consent, and keeps the answers before; posts UPDATE.",
    )
