"""Global ids, and fetching any object again by its own."""

import asyncio
import base64
import re
from collections.abc import Callable
from typing import Annotated, Any, NamedTuple, TypeVar

import strawberry

from datastore.viewer import Permission, Viewer
from resolvers.context import Context
from resolvers.errors import ErrorCode, refuse
from resolvers.wanted import Reading, WantedRow, wanted_by
from schema.cost import ListSize
from schema.permission import Need, need_of_view, needs
from schema.view import Column, Info, computed, query

V = TypeVar("V")
GlobalIds = Annotated[list[strawberry.ID], strawberry.argument(description="Global ids of the objects.")]

MOST_NODES = 1000
NUMBER = re.compile(r"-?[0-9]{1,19}", re.ASCII)


class NodeType(NamedTuple):
    """A type of nodes: the column whose value, with the type's name, is the global id, and what reading it needs."""

    column: Column
    need: Need | None


NODES: dict[str, NodeType] = {}
"""Type name -> what is known of its nodes."""


@strawberry.interface(
    description="An object that can be fetched again by its id.", directives=[needs(Permission.SIGNED_IN)]
)
class Node:
    id: strawberry.ID = computed(
        lambda row: global_id(row), description="Global id: opaque, and unique in the whole graph."
    )


def node_by(column: Column) -> Callable[[type[V]], type[V]]:
    """Make a view a node whose raw key is `column`."""

    def decorate(cls: type[V]) -> type[V]:
        NODES[cls.__name__] = NodeType(column, need_of_view(cls))
        return cls

    return decorate


def global_id(row: object) -> strawberry.ID:
    """The global id of a row; rows, their records and their views share one name."""
    name = type(row).__name__
    return written(name, getattr(row, NODES[name].column.key))


def written(name: str, key: object) -> strawberry.ID:
    return strawberry.ID(base64.urlsafe_b64encode(f"{name}:{key}".encode()).decode().rstrip("="))


def read_global_id(given: str) -> tuple[NodeType, Any]:
    """The type and key of a global id, in exactly the form it is given out in: an object has one id, whoever
    compares or caches it. Raises `Refused`: GLOBAL_ID_INVALID."""
    try:
        if len(given) > 200:
            raise ValueError
        text = base64.b64decode(given + "=" * (-len(given) % 4), altchars=b"-_", validate=True).decode()
        name, _, raw = text.partition(":")
        node_type = NODES[name]
        key: Any = raw
        if node_type.column.type.python_type is int:
            if not NUMBER.fullmatch(raw) or not -(2**63) <= int(raw) < 2**63:
                raise ValueError
            key = int(raw)
        if "\0" in raw or written(name, key) != given:
            raise ValueError
        return node_type, key
    except (ValueError, KeyError):
        raise refuse(ErrorCode.GLOBAL_ID_INVALID, "id", rejected=[given]) from None


@Reading
def node(viewer: Viewer, id: strawberry.ID) -> WantedRow | None:
    """The object with this global id, or None; None, too, for one of a type that the viewer may not read.

    Raises `Refused`: GLOBAL_ID_INVALID.
    """
    node_type, key = read_global_id(id)
    return wanted_by(node_type.column, key) if may_read(viewer, node_type) else None


def may_read(viewer: Viewer, node_type: NodeType) -> bool:
    return node_type.need is not None and node_type.need.is_met_by(viewer)


async def load(context: Context, node_type: NodeType, key: Any) -> Any:
    """The object, or None: an unknown one, and one of a type that the caller may not read."""
    if not may_read(context.viewer, node_type):
        return None
    return await context.load.one(node_type.column).load(key)


@strawberry.type
class NodeQueries:
    node: Node | None = query(
        node,
        needs=Permission.SIGNED_IN,
        description="The object with this global id, or null. A merged customer leads to its survivor.",
        arguments={"id": "Global id of the object."},
    )

    @strawberry.field(
        description="The objects with these global ids, at most 1000, null for each unknown one.",
        directives=[needs(Permission.SIGNED_IN), ListSize(slicing_arguments=["ids"])],
    )
    async def nodes(self, info: Info, ids: GlobalIds) -> list[Node | None]:
        if len(ids) > MOST_NODES:
            raise refuse(ErrorCode.TOO_MANY_KEYS, "ids", rejected=[len(ids)])
        wanted = [read_global_id(each) for each in ids]
        found: list[Node | None] = await asyncio.gather(*(load(info.context, *each) for each in wanted))
        return found
