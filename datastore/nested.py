"""Pages of lists that hang on parents: one statement answers those of all parents of a level."""

from collections.abc import Callable, Sequence
from typing import Any

from aiodataloader import DataLoader
from sqlalchemy import Select, func, select
from sqlalchemy.orm import InstrumentedAttribute

from datastore.database import Database
from datastore.keyset import Cursors, Edge, Order, Page, Window, cursor_key, cut, page_info, page_statement
from datastore.reading import among, columns, records


async def pages(
    database: Database,
    column: InstrumentedAttribute[Any],
    statement: Select[Any],
    keys: Sequence[Any],
    order: Order,
    window: Window,
    query: Any,
    count: DataLoader[Any, int],
) -> dict[Any, Page[Any]]:
    """For each key the page of the rows of `statement`, a select of the columns of a row, whose `column` has it.

    A cursor marks a place in the order, whoever the parent is. `count` tells how many rows a key has. Raises
    `InvalidCursor`.
    """
    row: Any = column.class_
    cursors = Cursors(await cursor_key(database), query, order)
    backwards = window.first is None
    given = window.before if backwards else window.after
    after = None if given is None else cursors.open(given)
    if len(keys) == 1:
        statement = page_statement(statement.where(column == keys[0]), order, backwards, after, window.size + 1)
    else:
        statement = _first_of_each(statement.where(among(column, keys)), column, order, backwards, after, window)
    rows = await database.fetch(statement)

    width, place = len(columns(row)), list(columns(row)).index(column.property.columns[0])
    found: dict[Any, list[Any]] = {key: [] for key in keys}
    for values in rows:
        found[values[place]].append(values)
    answered: dict[Any, Page[Any]] = {}
    for key, below in found.items():
        shown, more = cut(below, window)
        sorts = slice(width, width + len(order.by))
        edges = [
            Edge(cursors.make(values[sorts]), record) for values, record in zip(shown, records(row, shown), strict=True)
        ]
        info = page_info(window, more, edges[0].cursor if edges else None, edges[-1].cursor if edges else None)
        answered[key] = Page(edges, info, window.size, _counting(count, key))
    return answered


def _first_of_each(
    statement: Select[Any], column: Any, order: Order, backwards: bool, after: Sequence[Any] | None, window: Window
) -> Select[Any]:
    """The first rows of each value of `column`, in the order of a page and one more than it has."""
    ordered = page_statement(statement, order, backwards, after, None)
    numbered = ordered.add_columns(
        func.row_number().over(partition_by=column, order_by=ordered._order_by_clauses).label("place")
    )
    each = numbered.order_by(None).subquery("each")
    return select(each).where(each.c.place <= window.size + 1).order_by(each.c[column.key], each.c.place)


def _counting(count: DataLoader[Any, int], key: Any) -> Callable[[], Any]:
    return lambda: count.load(key)
