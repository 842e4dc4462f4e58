"""What a root field reads, said before it is read: so that either execution can read it in its own way.

A function that is wrapped in `Reading` answers a `Wanted`: a statement, and the values it is run with. All statements
of one `shape` are the same but for their values, so a statement made once, with parameters in place of the values and
of what the viewer has, serves for all of them.
"""

import inspect
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from typing import Any

from sqlalchemy import Select
from sqlalchemy.orm import InstrumentedAttribute

from datastore.base import Base
from datastore.keyset import Order, Page, Window, page
from datastore.reading import records
from datastore.viewer import Viewer
from resolvers.context import Context
from resolvers.paging import paged

Statement = Callable[[Viewer, Mapping[str, Any]], Select[Any]]


def as_found(record: Any) -> Any:
    return record


@cache
def as_stored(values: frozenset[Any]) -> frozenset[Any]:
    return frozenset(each.value if isinstance(each, Enum) else each for each in values)


@dataclass(slots=True, kw_only=True, eq=False)
class Wanted:
    """Rows of a class: `statement(viewer, values)` selects their columns first."""

    row: type[Base]
    statement: Statement
    values: Mapping[str, Any] = field(default_factory=dict)
    shape: Hashable = ()

    async def read(self, context: Context) -> Any:
        raise NotImplementedError


@dataclass(slots=True, kw_only=True, eq=False)
class WantedRow(Wanted):
    """One row or none. `answered` makes of a record what is answered. It leaves a record alone whose value of the
    column `settled_by` is not among `unsettled`."""

    answered: Callable[[Any], Any] = as_found
    settled_by: str = ""
    unsettled: frozenset[Any] = frozenset()

    @property
    def unsettled_values(self) -> frozenset[Any]:
        """The unsettled ones as they are stored."""
        return as_stored(self.unsettled)

    async def read(self, context: Context) -> Any:
        """The row, or None."""
        statement = self.statement(context.viewer, self.values).limit(1)
        found = records(self.row, await context.database.fetch(statement))
        return self.answered(found[0]) if found else None


@dataclass(slots=True, kw_only=True, eq=False)
class WantedByKey(Wanted):
    """The rows of many keys, in their order, each row once by its column `identity`. The statement selects the key
    after the columns; its value `keys` has them all."""

    keys: Sequence[Any]
    identity: str

    async def read(self, context: Context) -> Any:
        """The rows; unknown keys are left out."""
        if not self.keys:
            return []
        found = await context.database.fetch(self.statement(context.viewer, self.values))
        by_key = {values[-1]: record for values, record in zip(found, records(self.row, found), strict=True)}
        answered = {getattr(by_key[key], self.identity): by_key[key] for key in self.keys if key in by_key}
        return list(answered.values())


@dataclass(slots=True, kw_only=True, eq=False)
class WantedPage(Wanted):
    """A page of a list. `query` is what its cursors are good for."""

    order: Order
    window: Window
    query: Any

    async def read(self, context: Context) -> Page[Any]:
        """The page. Raises `Refused`: CURSOR_INVALID."""
        statement = self.statement(context.viewer, self.values)
        wanted = page(context.database, self.row, statement, self.order, self.window, self.query)
        return await paged(wanted, "before" if self.window.first is None else "after")


class Reading:
    """A root field that reads: `reads.customer(context, ...)` answers the rows, `.ask(viewer, ...)` what is wanted."""

    def __init__(self, ask: Callable[..., Wanted | None]) -> None:
        self.ask = ask
        self.__doc__ = ask.__doc__
        signature = inspect.signature(ask)
        context = inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=Context)
        self.__signature__ = signature.replace(parameters=[context, *list(signature.parameters.values())[1:]])

    async def __call__(self, context: Context, *given: Any, **named: Any) -> Any:
        wanted = self.ask(context.viewer, *given, **named)
        return None if wanted is None else await wanted.read(context)


def wanted_by(column: InstrumentedAttribute[Any], key: Any) -> WantedRow:
    """The row that an edge to this value of a unique column leads to."""
    row: Any = column.class_
    return WantedRow(
        row=row,
        shape=str(column),
        values={"key": key},
        statement=lambda viewer, values: row.reached(viewer, column, column == values["key"]),
    )
