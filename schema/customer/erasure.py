"""Erasing and exporting what is stored about a person."""

from datetime import datetime

import strawberry

from datastore.erasure import ErasureAction
from datastore.viewer import Permission
from resolvers.customer import erasure
from resolvers.scalars import Json, Long
from schema.mutation import Payload, mutation, payload
from schema.permission import Callers
from schema.view import computed, describe


@payload("What was done with the rows of one kind.")
class ErasureEntry:
    object: str = computed(lambda entry: entry["object"], description="Kind of the rows, such as PostalAddress.")
    action: ErasureAction = computed(
        lambda entry: ErasureAction[entry["action"]], description="What was done with them."
    )
    rows: int = computed(lambda entry: entry["rows"], description="How many there were.")
    legal_ground: str = computed(lambda entry: entry["legal_ground"], description="The law that it was done by.")


@payload("What an erasure has done.")
class ErasureReceipt:
    customer_number: Long = computed(
        lambda receipt: receipt["customer_number"], description="Number of the customer that was erased."
    )
    erased_at: datetime = computed(
        lambda receipt: datetime.fromisoformat(receipt["erased_at"]), description="When it was erased."
    )
    entries: list[ErasureEntry] = computed(
        lambda receipt: receipt["entries"], description="What was done with each kind of rows."
    )


@payload("What eraseCustomer answers.")
class EraseCustomerPayload(Payload):
    receipt: ErasureReceipt | None = strawberry.field(description="What was done, in numbers.")


@payload("What exportCustomer answers.")
class ExportCustomerPayload(Payload):
    document: Json | None = strawberry.field(
        description="All that is stored about the person: the profiles, and a list for each kind of what is theirs."
    )


describe(
    ErasureAction,
    "What becomes of rows when the person they belong to is erased.",
    DELETED="They are gone.",
    PSEUDONYMISED="They stay, without anything that tells who it was.",
    KEPT="They stay as they are, because a law wants it.",
)


@strawberry.type
class ErasureMutations:
    erase_customer: EraseCustomerPayload = mutation(
        erasure.erase_customer,
        needs=Permission.CUSTOMER_ERASE,
        callers=Callers.CLIENTS,
        description="Erases a person for good, with all profiles merged into this one; posts UPDATE.",
    )
    export_customer: ExportCustomerPayload = mutation(
        erasure.export_customer,
        needs=Permission.CUSTOMER_EXPORT,
        callers=Callers.CLIENTS,
        description="Hands over all that is stored about a person; needs a reason in X-Access-Reason, and is logged.",
    )


@strawberry.type
class ErasureQueries:
    pass
