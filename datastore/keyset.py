"""Pages of long lists: each page starts where the last one ended, at a key, never at an offset.

A cursor holds the sort values of one row. It is signed together with the query it belongs to (field, filter, order,
organisation), so a cursor that was changed, or that comes from another query, is refused.
"""

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Generic, TypeVar

import orjson
from sqlalchemy import ColumnElement, Date, Select, func, literal, select, tuple_

from datastore.base import Base
from datastore.bookkeeping import GatewaySecret
from datastore.database import Database
from datastore.reading import columns, records

R = TypeVar("R", bound=Base)
MAC_BYTES = 16


class InvalidCursor(ValueError):
    """The cursor is damaged, or belongs to another query."""


@dataclass(frozen=True, slots=True)
class Window:
    """Which part of a list is wanted. Either `first` (with `after`) or `last` (with `before`) is given."""

    first: int | None = None
    after: str | None = None
    last: int | None = None
    before: str | None = None

    @property
    def size(self) -> int:
        return self.first if self.first is not None else self.last or 0


@dataclass(frozen=True, slots=True)
class Edge(Generic[R]):
    """One row of a page and the cursor that leads on from it."""

    cursor: str
    node: R


@dataclass(frozen=True, slots=True)
class PageInfo:
    """Where a page stands in its list."""

    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None


@dataclass(frozen=True, slots=True)
class Page(Generic[R]):
    """A part of a list. `total_items` and `total_pages` cost a statement of their own, run when they are asked for."""

    edges: Sequence[Edge[R]]
    page_info: PageInfo
    size: int
    count: Callable[[], Awaitable[int]]
    _counted: list[asyncio.Future[int]] = field(default_factory=list)

    async def total_items(self) -> int:
        if not self._counted:  # both totals may be asked for at once
            self._counted.append(asyncio.ensure_future(self.count()))
        return await self._counted[0]

    async def total_pages(self) -> int:
        return -(-await self.total_items() // self.size)


@dataclass(frozen=True, slots=True)
class Order:
    """What a list is sorted by: sort values that are never null, the last one unique; all in one direction."""

    by: Sequence[ColumnElement[Any]]
    descending: bool = False


async def page(
    database: Database, row: type[R], statement: Select[Any], order: Order, window: Window, query: Any
) -> Page[R]:
    """One page of `statement`, a select of the columns of `row`.

    `query` is anything JSON can hold that identifies the query; a cursor is good for exactly that query and order.
    Raises `InvalidCursor`.
    """
    key = await cursor_key(database)
    context = orjson.dumps([query, [str(by) for by in order.by], order.descending], default=str)
    backwards = window.first is None
    descending = order.descending != backwards
    wanted = statement.add_columns(*order.by)
    given = window.before if backwards else window.after
    if given is not None:
        values = open_cursor(key, context, given, order)
        here, there = tuple_(*order.by), tuple_(*values)
        wanted = wanted.where(here < there if descending else here > there)
    wanted = wanted.order_by(*(by.desc() if descending else by.asc() for by in order.by)).limit(window.size + 1)

    found = list(await database.fetch(wanted))
    more = len(found) > window.size
    found = found[: window.size]
    if backwards:
        found.reverse()
    width = len(columns(row))
    edges = [
        Edge(sign_cursor(key, context, values[width:]), record)
        for values, record in zip(found, records(row, found), strict=True)
    ]
    info = PageInfo(
        has_next_page=given is not None if backwards else more,
        has_previous_page=more if backwards else given is not None,
        start_cursor=edges[0].cursor if edges else None,
        end_cursor=edges[-1].cursor if edges else None,
    )

    async def count() -> int:
        (row_count,) = await database.fetch(select(func.count()).select_from(statement.order_by(None).subquery()))
        return int(row_count[0])

    return Page(edges, info, window.size, count)


def sign_cursor(key: bytes, context: bytes, values: Sequence[Any]) -> str:
    return _signed(key, context, orjson.dumps(list(values)))


def open_cursor(key: bytes, context: bytes, cursor: str, order: Order) -> list[Any]:
    """The sort values in a cursor that `sign_cursor` made for the same query. Raises `InvalidCursor`."""
    try:
        payload = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)[MAC_BYTES:]
        if not hmac.compare_digest(cursor, _signed(key, context, payload)):
            raise InvalidCursor
        values: list[Any] = orjson.loads(payload)
    except ValueError:
        raise InvalidCursor from None
    return [
        _day(date.fromisoformat(value)) if isinstance(by.type, Date) else value
        for by, value in zip(order.by, values, strict=True)
    ]


def _day(day: date) -> Any:
    """The day as a value to compare with. The last one is written into the statement, because asyncpg takes it, as a
    parameter, for `infinity`."""
    return literal(day, Date(), literal_execute=True) if day == date.max else day


def _signed(key: bytes, context: bytes, payload: bytes) -> str:
    message = len(context).to_bytes(8, "big") + context + payload
    mac = hmac.new(key, message, hashlib.sha256).digest()[:MAC_BYTES]
    return base64.urlsafe_b64encode(mac + payload).decode().rstrip("=")


async def cursor_key(database: Database) -> bytes:
    """The database's own signing key, made by its first migration."""
    if database.cursor_key is None:
        found = await database.fetch(select(GatewaySecret.value).where(GatewaySecret.name == "cursor"))
        database.cursor_key = bytes(found[0][0])
    return database.cursor_key
