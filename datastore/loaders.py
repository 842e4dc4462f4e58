"""Batching: however many objects ask for a relation, one statement answers them all.

`Loaders` lives as long as one request and reads with that request's viewer.
"""

from asyncio import Future, shield
from collections.abc import Awaitable, Callable, Hashable, Iterable, Iterator
from typing import Any, TypeVar

from aiodataloader import DataLoader
from sqlalchemy import Boolean, ColumnElement, Select, func, select
from sqlalchemy.orm import InstrumentedAttribute

from datastore.base import Base
from datastore.database import Database
from datastore.keyset import Order, Page, Window
from datastore.nested import pages
from datastore.reading import among, columns, key_of, record_class, records, visible
from datastore.viewer import Viewer

V = TypeVar("V")
Column = InstrumentedAttribute[Any]
Condition = Callable[[Any], ColumnElement[bool]]
Selection = Callable[[Viewer, Condition], Select[Any]]
"""`selection(viewer, is_wanted)` selects `(columns of a row ..., key)`, in order, for the keys that are wanted."""
Batch = Callable[[list[Any]], Awaitable[dict[Any, V]]]

LIST_CAP = 1000
"""Most rows that an owned list answers; the write side keeps lists far below it."""


class Loader(DataLoader[Any, Any]):
    """A loader of which several may await one key: when one of them is cancelled, as graphql-core does with the
    siblings of a field that fails, the others still get the value."""

    def load(self, key: Any) -> Future[Any]:
        return shield(super().load(key))


class Loaders:
    """The loaders of one request, made on first use and kept by column (and by condition, where there is one)."""

    def __init__(self, database: Database, viewer: Viewer) -> None:
        self.database = database
        self.viewer = viewer
        self._made: dict[Hashable, DataLoader[Any, Any]] = {}

    def one(self, column: Column) -> DataLoader[Any, Any]:
        """Key -> the visible row that an edge to this value of `column` (a unique one) leads to, or None."""

        async def batch(keys: list[Any]) -> dict[Any, Any]:
            row: Any = column.class_
            found = await self.database.fetch(row.reached(self.viewer, column, among(column, keys)))
            return {values[-1]: record for values, record in zip(found, records(row, found), strict=True)}

        return self.batched(("one", column), batch, lambda: None)

    def many(self, column: Column, where: ColumnElement[bool] | None = None) -> DataLoader[Any, list[Any]]:
        """Key -> the rows whose `column` has that value, in the order of their primary key; [] if there are none."""

        async def batch(keys: list[Any]) -> dict[Any, list[Any]]:
            row: Any = column.class_
            conditions = [among(column, keys), *([] if where is None else [where])]
            statement = select(row.__table__) if owned_through(column) else visible(row, self.viewer)
            found = records(row, await self.database.fetch(statement.where(*conditions).order_by(column, key_of(row))))
            lists: dict[Any, list[Any]] = {}
            for record in found:
                siblings = lists.setdefault(getattr(record, column.key), [])
                if len(siblings) < LIST_CAP:
                    siblings.append(record)
            return lists

        return self.batched(("many", column, None if where is None else meaning(where)), batch, list)

    def selected(self, row: type[Base], selection: Selection) -> DataLoader[Any, list[Any]]:
        """Key -> the rows that a selection has for it, in its order; [] if there are none."""

        async def batch(keys: list[Any]) -> dict[Any, list[Any]]:
            found = await self.database.fetch(selection(self.viewer, lambda column: among(column, keys)))
            lists: dict[Any, list[Any]] = {}
            for values, record in zip(found, records(row, found), strict=True):
                lists.setdefault(values[-1], []).append(record)
            return lists

        return self.batched(("selected", selection), batch, list)

    def years(self, column: Column, years: tuple[int, ...]) -> DataLoader[Any, list[Any]]:
        """Key -> a row for each of the years, in their order, of those whose `column` has that value. Where there is
        none the record says so: version 0, and false."""
        row: Any = column.class_

        async def batch(keys: list[Any]) -> dict[Any, list[Any]]:
            start = select(row.__table__) if owned_through(column) else visible(row, self.viewer)
            found = records(row, await self.database.fetch(start.where(among(column, keys), row.year.in_(years))))
            by_place = {(getattr(record, column.key), record.year): record for record in found}
            wanted = ((key, year) for key in keys for year in years)
            lists: dict[Any, list[Any]] = {}
            for key, year in wanted:
                lists.setdefault(key, []).append(by_place.get((key, year)) or nothing(row, column, key, year))
            return lists

        return self.batched(("years", column, years), batch, list)

    def pages(
        self,
        row: type[Base],
        of: Column | Selection,
        order: Order,
        window: Window,
        where: ColumnElement[bool] | None = None,
    ) -> DataLoader[Any, Page[Any]]:
        """Key -> a page of the visible rows that have that value in a column, or that a selection has for it, and that
        meet `where`. Raises `InvalidCursor`."""
        selection = selection_of(of)
        key = None if where is None else meaning(where)

        async def batch(keys: list[Any]) -> dict[Any, Page[Any]]:
            def wanted(is_wanted: Condition) -> Select[Any]:
                found = selection(self.viewer, is_wanted)
                return found if where is None else found.where(where)

            query = ["below", name_of(of), None if where is None else [str(where), values_in(where)]]
            return await pages(self.database, row, wanted, keys, order, window, query, self.count(of, where))

        def missing() -> Page[Any]:
            raise LookupError("every key has a page")

        return self.batched(("pages", of, order.names, order.descending, window, key), batch, missing)

    def count(self, of: Column | Selection, where: ColumnElement[bool] | None = None) -> DataLoader[Any, int]:
        """Key -> how many visible rows have that value in a column, or does a selection have for it, that meet
        `where`."""
        conditions = [] if where is None else [where]

        async def batch(keys: list[Any]) -> dict[Any, int]:
            found = selection_of(of)(self.viewer, lambda column: among(column, keys)).where(*conditions)
            key: Any = list(found.selected_columns)[-1]
            counted = found.with_only_columns(key, func.count(), maintain_column_froms=True).group_by(key)
            return dict(pairs(await self.database.fetch(counted)))

        return self.batched(("count", of, None if where is None else meaning(where)), batch, lambda: 0)

    def batched(self, name: Hashable, batch: Batch[V], missing: Callable[[], V]) -> DataLoader[Any, V]:
        """The loader called `name`: `batch` turns keys into a mapping, `missing` makes the value of the others."""
        if name not in self._made:

            async def load(keys: list[Any]) -> list[V]:
                found = await batch(keys)
                return [found[key] if key in found else missing() for key in keys]

            self._made[name] = Loader(load)
        return self._made[name]


def meaning(condition: ColumnElement[bool]) -> Hashable:
    """A key that two conditions have in common only if they say the same, values included. Never compiles them."""
    key = condition._generate_cache_key()
    return condition if key is None else (key.key, tuple(repr(bound.effective_value) for bound in key.bindparams))


def values_in(condition: ColumnElement[bool]) -> list[str]:
    """The values that a condition compares with."""
    key = condition._generate_cache_key()
    return [] if key is None else [repr(bound.effective_value) for bound in key.bindparams]


def selection_of(of: Column | Selection) -> Selection:
    """The rows by the value of a column, as a selection; or a selection itself."""
    if not isinstance(of, InstrumentedAttribute):
        return of
    row: Any = of.class_
    column, key = of, of.label("parent_key")
    return lambda viewer, is_wanted: visible(row, viewer).add_columns(key).where(is_wanted(column))


def name_of(of: Column | Selection) -> str:
    return str(of) if isinstance(of, InstrumentedAttribute) else getattr(of, "__qualname__", repr(of))


def nothing(row: type[Base], column: Column, key: Any, year: int) -> Any:
    """The record of a year for which nothing is registered (rule E18)."""
    given = {column.key: key, "year": year, "version": 0}
    empty = ((each.name, False if isinstance(each.type, Boolean) else None) for each in columns(row))
    return record_class(row)(given.get(name, otherwise) for name, otherwise in empty)


def owned_through(column: Column) -> bool:
    """Whether `column` leads from a row to its owner, who is then already known to be visible."""
    return getattr(column.class_, "__owner__", None) == column.key


def pairs(rows: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
    """Rows of two columns as pairs."""
    return ((row[0], row[1]) for row in rows)
