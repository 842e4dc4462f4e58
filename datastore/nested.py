"""Pages of lists that hang on parents: one statement answers those of all parents of a level."""

from collections.abc import Callable, Sequence
from typing import Any

from aiodataloader import DataLoader
from sqlalchemy import ColumnElement, Select, func, select

from datastore.database import Database
from datastore.keyset import Cursors, Edge, Order, Page, Window, cursor_key, cut, page_info, page_statement
from datastore.reading import among, columns, records


async def pages(
    database: Database,
    row: Any,
    selection: Callable[[Callable[[Any], ColumnElement[bool]]], Select[Any]],
    keys: Sequence[Any],
    order: Order,
    window: Window,
    query: Any,
    count: DataLoader[Any, int],
) -> dict[Any, Page[Any]]:
    """For each key the page of its rows: `selection(is_wanted)` selects `(columns of a row ..., key)` for the keys that
    are wanted.

    A cursor marks a place in the order, whoever the parent is. `count` tells how many rows a key has. Raises
    `InvalidCursor`.
    """
    cursors = Cursors(await cursor_key(database), query, order)
    backwards = window.first is None
    given = window.before if backwards else window.after
    after = None if given is None else cursors.open(given)
    if len(keys) == 1:
        statement = selection(lambda column: column == keys[0])
        statement = page_statement(statement, order, backwards, after, window.size + 1)
    else:
        statement = selection(lambda column: among(column, keys))
        statement = _first_of_each(statement, len(columns(row)), order, backwards, after, window)
    rows = await database.fetch(statement)

    width = len(columns(row))
    found: dict[Any, list[Any]] = {key: [] for key in keys}
    for values in rows:
        found[values[width]].append(values)
    answered: dict[Any, Page[Any]] = {}
    for key, below in found.items():
        shown, more = cut(below, window)
        sorts = slice(width + 1, width + 1 + len(order.by))
        edges = [
            Edge(cursors.make(values[sorts]), record) for values, record in zip(shown, records(row, shown), strict=True)
        ]
        info = page_info(window, more, edges[0].cursor if edges else None, edges[-1].cursor if edges else None)
        answered[key] = Page(edges, info, window.size, _counting(count, key))
    return answered


def _first_of_each(
    statement: Select[Any], width: int, order: Order, backwards: bool, after: Sequence[Any] | None, window: Window
) -> Select[Any]:
    """The first rows of each key, which stands after `width` columns, in the order of a page and one more than it
    has."""
    key: Any = list(statement.selected_columns)[width]
    key = getattr(key, "element", key)
    ordered = page_statement(statement, order, backwards, after, None)
    numbered = ordered.add_columns(
        func.row_number().over(partition_by=key, order_by=ordered._order_by_clauses).label("place")
    )
    each = numbered.order_by(None).subquery("each")
    return select(each).where(each.c.place <= window.size + 1).order_by(list(each.c)[width], each.c.place)


def no_page(window: Window) -> Page[Any]:
    """The page of a parent that has no key, and so no rows."""

    async def none() -> int:
        return 0

    return Page([], page_info(window, False, None, None), window.size, none)


def _counting(count: DataLoader[Any, int], key: Any) -> Callable[[], Any]:
    return lambda: count.load(key)
