"""Relay connections: pages of lists that can grow, answered from a `datastore.keyset.Page`."""

from typing import Generic, TypeVar

import strawberry

from datastore.keyset import Page
from datastore.viewer import Permission
from schema.cost import FieldCost
from schema.permission import needs
from schema.view import computed

N = TypeVar("N")

PAGING = {
    "first": "How many to answer from the beginning, or after `after`; 50 if neither first nor last is given.",
    "after": "Answer what comes after this cursor.",
    "last": "How many to answer from the end, or before `before`.",
    "before": "Answer what comes before this cursor.",
}
"""Descriptions of the arguments that every connection has."""
COUNTING = 10
"""What it costs to count a list that can be long."""


@strawberry.type(description="Where a page stands in its list.", directives=[needs(Permission.PUBLIC)])
class PageInfo:
    has_next_page: bool = strawberry.field(description="Indicates whether more follow.")
    has_previous_page: bool = strawberry.field(
        description="Indicates whether there are some before; with `after`, that it was given."
    )
    start_cursor: str | None = strawberry.field(description="Cursor of the first edge.")
    end_cursor: str | None = strawberry.field(description="Cursor of the last edge.")


@strawberry.type(description="One entry of a page.", directives=[needs(Permission.PUBLIC)])
class Edge(Generic[N]):
    cursor: str = strawberry.field(description="Opaque mark of this place, good for the same query only.")
    node: N = strawberry.field(description="The entry itself.", directives=[FieldCost(weight=0)])


@strawberry.type(description="A page of a list.", directives=[needs(Permission.PUBLIC)])
class Connection(Generic[N]):
    edges: list[Edge[N]] = strawberry.field(description="The entries with their cursors.")
    page_info: PageInfo = strawberry.field(description="Where the page stands.")

    nodes: list[N] = computed(lambda page: [edge.node for edge in page.edges], description="The entries alone.")
    total_items: int = computed(
        Page.total_items, description="Number of entries on all pages; counted only when asked for.", cost=COUNTING
    )
    total_pages: int = computed(Page.total_pages, description="Number of pages of this size.", cost=COUNTING)
