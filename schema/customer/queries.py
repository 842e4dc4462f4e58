"""Looking customers up and searching them."""

import strawberry

from datastore.viewer import Permission
from resolvers.customer import reads
from schema.connection import PAGING, Connection
from schema.customer.types import Customer
from schema.permission import Callers
from schema.view import query


@strawberry.type
class CustomerQueries:
    customer: Customer | None = query(
        reads.customer,
        needs=Permission.CUSTOMER_READ,
        description=(
            "The customer with this key, or null. A merged profile answers the one it was merged into, except by user "
            "name; a deleted customer found by uuid answers without personal data."
        ),
        arguments={
            "by": "The key.",
            "include_deleted": "Whether a deleted customer is answered, with all that is stored.",
        },
    )
    customers_by_key: list[Customer] = query(
        reads.customers_by_key,
        needs=Permission.CUSTOMER_READ,
        callers=Callers.CLIENTS,
        description="The customers of the caller's organisation with these keys; unknown ones are left out.",
        arguments={
            "customer_numbers": "Customer numbers, at most 1000. Where there are any, references are ignored.",
            "customer_references": "Customer references, at most 1000.",
        },
    )
    customers: Connection[Customer] = query(
        reads.customers,
        needs=Permission.CUSTOMER_SEARCH,
        callers=Callers.CLIENTS,
        description="The customers of one organisation that fit the filter; merged profiles are left out.",
        arguments={"filter": "What must hold.", "order_by": "How to sort; by customer number if absent.", **PAGING},
    )
