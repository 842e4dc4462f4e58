"""What a plan is made of."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from graphql import FieldNode, GraphQLField
from sqlalchemy import ColumnElement

from datastore.base import Base
from datastore.viewer import Viewer
from gateway.execution.computed import Hole
from resolvers.wanted import Reading


@dataclass(slots=True, eq=False)
class Root:
    """A field that is read: how its arguments become what is wanted, and the JSON text of each row, by row class.

    A connection has the texts of its nodes, and `page` with the parts of itself that are selected.
    """

    key: str
    reading: Reading
    graphql_field: GraphQLField
    definition: Any
    node: FieldNode
    weight: int
    texts: dict[type[Base], list[ColumnElement[str]]] = field(default_factory=dict)
    page: "PagePlan | None" = None
    compiled: dict[Any, Any] = field(default_factory=dict)
    """The statements that were made so far, by the shape of what was wanted."""
    arguments: Any = None


@dataclass(slots=True)
class Whole:
    """A root field whose value is no row, such as the viewer: its parts are values of it, or are read."""

    key: str
    resolve: Callable[[Any], Any]
    weight: int
    parts: list["tuple[str, Any] | Root"]


@dataclass(slots=True)
class PagePlan:
    """What is selected of a connection: (response key, part), and of its edges and its page info likewise."""

    parts: list[tuple[str, str]]
    edges: dict[str, list[tuple[str, str]]]
    info: dict[str, list[tuple[str, str]]]
    weights: dict[str, int]
    type_names: dict[str, str]
    texts: dict[str, int]
    """Response key of `nodes`, or of `edges` and `node` with a dot between -> the place of its text."""


@dataclass(slots=True)
class Plan:
    """A planned operation. `weights` has the points of each mark in the text.

    Expressions are large, so they are dropped: `again` makes the same plan anew for a statement of another shape.
    """

    roots: list[Root | Whole | tuple[str, str]]
    holes: list[Hole]
    weights: list[int]
    viewer: Viewer
    again: Callable[[], "Plan"]

    def readings(self) -> list[Root]:
        """All that is read, in the order of the document."""
        found: list[Root] = []
        for root in self.roots:
            if isinstance(root, Root):
                found.append(root)
            elif isinstance(root, Whole):
                found += [part for part in root.parts if isinstance(part, Root)]
        return found

    def forget_texts(self) -> "Plan":
        for root in self.readings():
            root.texts = {}
        return self
