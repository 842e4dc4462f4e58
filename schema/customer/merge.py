"""Merging profiles, and undoing it."""

import strawberry

from datastore.viewer import Permission
from resolvers.customer import merge
from schema.customer.types import Customer
from schema.mutation import Payload, mutation, payload
from schema.permission import Callers, needs
from schema.view import computed, query

MERGE = [needs(Permission.CUSTOMER_MERGE, Callers.CLIENTS)]
KIND = "Kind of object, such as Ecard; Customer stands for the profiles that are connected to the merged one."


@strawberry.type(description="How many objects of one kind a merge has moved.", directives=MERGE)
class MovedObjects:
    object: str = computed(lambda moved: moved["object"], description=KIND)
    moves: int = computed(lambda moved: moved["moves"], description="How many have moved.")


@strawberry.type(description="What a merge would do with the objects of one kind.", directives=MERGE)
class MergePreviewObjects:
    object: str = computed(lambda part: part["object"], description=KIND)
    moves: int = computed(lambda part: part["moves"], description="How many would move.")
    clashes: int = computed(
        lambda part: len(part["clashes"]),
        description="How many would stay with the merged profile, because the other one has such an object itself.",
    )
    clashing_keys: list[str] = computed(
        lambda part: part["clashes"],
        description="For each clash the consent code, the id of the preference or the id of the account.",
    )


@payload("What mergeCustomers answers.")
class MergeCustomersPayload(Payload):
    customer: Customer | None = strawberry.field(description="The profile that stays.")
    merged_customer: Customer | None = strawberry.field(description="The profile that was merged, as it is now.")
    moved: list[MovedObjects] | None = strawberry.field(description="What has moved; kinds without any left out.")


@payload("What unmergeCustomers answers.")
class UnmergeCustomersPayload(Payload):
    customer: Customer | None = strawberry.field(description="The profile that had been merged, as it is again.")
    surviving_customer: Customer | None = strawberry.field(description="The profile that it had been merged into.")


@strawberry.type
class MergeMutations:
    merge_customers: MergeCustomersPayload = mutation(
        merge.merge_customers,
        needs=Permission.CUSTOMER_MERGE,
        callers=Callers.CLIENTS,
        description=(
            "Merges a personnel-ticket profile into a standard profile: what hangs on it moves, it becomes passive, "
            "its number leads to the other one; posts UPDATE of both."
        ),
    )
    unmerge_customers: UnmergeCustomersPayload = mutation(
        merge.unmerge_customers,
        needs=Permission.CUSTOMER_MERGE,
        callers=Callers.CLIENTS,
        description="Undoes a recent merge: what nobody has changed since is as it was before; posts UPDATE of both.",
    )


@strawberry.type
class MergeQueries:
    merge_customers_preview: list[MergePreviewObjects] = query(
        merge.merge_customers_preview,
        needs=Permission.CUSTOMER_MERGE,
        callers=Callers.CLIENTS,
        description="What mergeCustomers would do, or would be refused for; nothing is changed.",
        arguments={
            "customer_number": "Number of the standard profile, which stays.",
            "pticket_customer_number": "Number of the personnel-ticket profile, which would become passive.",
        },
    )
