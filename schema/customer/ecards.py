"""E-cards."""

import strawberry

from datastore.viewer import Permission
from resolvers.customer import ecards
from schema.customer.types import Ecard
from schema.mutation import Payload, mutation, payload


@payload("What addEcard answers.")
class AddEcardPayload(Payload):
    ecard: Ecard | None = strawberry.field(description="The card as the customer has it.")


@payload("What updateEcard answers.")
class UpdateEcardPayload(Payload):
    ecard: Ecard | None = strawberry.field(description="The card as it is now.")


@strawberry.type
class EcardMutations:
    add_ecard: AddEcardPayload = mutation(
        ecards.add_ecard,
        needs=Permission.CUSTOMER_UPDATE,
        description="Gives a customer a card that nobody owns; posts UPDATE.",
    )
    update_ecard: UpdateEcardPayload = mutation(
        ecards.update_ecard,
        needs=Permission.CUSTOMER_UPDATE,
        description=(
            "Overwrites what is known of a card's ownership and moves the card to the customer if it is another one's "
            "of the same organisation; posts UPDATE, after a move for both. Users have only cards of their own."
        ),
    )
