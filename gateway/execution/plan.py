"""What a plan is made of."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement

from datastore.base import Base
from resolvers.wanted import Reading

Shape = Callable[[Any, Any], Any]
"""Of a run and what Python found: what is answered, as JSON can hold it. It counts the points in the run."""


@dataclass(frozen=True, slots=True)
class Hole:
    """What Python makes: `shape` of a record that `make` makes of the values that `readers` read, if there are any."""

    make: Callable[[Any], Any]
    readers: Sequence[Any]
    shape: Shape

    def fill(self, run: Any, raw: Sequence[Any]) -> Any:
        """The JSON value that belongs into the hole."""
        if self.readers:
            readable = zip(raw, self.readers, strict=True)
            raw = [value if value is None or read is None else read(value) for value, read in readable]
        return self.shape(run, self.make(raw))


@dataclass(slots=True, eq=False)
class Root:
    """A field that is read: its keyword arguments, of the variables, and the JSON texts of each row, by row class.

    A connection has the texts of its nodes, and `page` with what is selected of itself.
    """

    reading: Reading
    arguments: Callable[[Mapping[str, Any]], dict[str, Any]]
    weight: int
    texts: dict[type[Base], list[ColumnElement[str]]] = field(default_factory=dict)
    page: Mapping[str, Shape] = field(default_factory=dict)
    has_rows: bool = True
    has_count: bool = False
    compiled: dict[Any, Any] = field(default_factory=dict)
    """The statements that were made so far, by the shape of what was wanted."""


@dataclass(slots=True)
class Whole:
    """A root field whose value is no row, such as the viewer: its parts are values of it, or are read."""

    resolve: Callable[[Any], Any]
    weight: int
    parts: Mapping[str, Shape | Root]


@dataclass(slots=True)
class Plan:
    """A planned operation; a root field that is a text has that value. `weights` has the points of each mark.

    Expressions are large, so they are dropped: `again` makes the same plan anew for a statement of another shape.
    """

    roots: Mapping[str, Root | Whole | str]
    readings: Sequence[Root]
    """All that is read, in the order of the document."""
    holes: Sequence[Hole]
    weights: Sequence[int]
    again: "Callable[[], Plan]"
