"""Pages of long lists: each page starts where the last one ended, at a key, never at an offset.

A cursor holds the sort values of one row. It is sealed together with the query it belongs to (field, filter, order,
organisation), so it tells nothing, and one that was changed, or that comes from another query, is refused.
"""

import asyncio
import base64
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from typing import Any, Generic, TypeVar

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import ColumnElement, Date, Select, func, literal, select, tuple_
from sqlalchemy.types import TypeEngine

from datastore.base import Base, UtcDateTime
from datastore.bookkeeping import GatewaySecret
from datastore.database import Database
from datastore.reading import columns, records

R = TypeVar("R", bound=Base)
V = TypeVar("V")


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
    names: Sequence[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(map(str, self.by)))


async def page(
    database: Database, row: type[R], statement: Select[Any], order: Order, window: Window, query: Any
) -> Page[R]:
    """One page of `statement`, a select of the columns of `row`.

    `query` is anything JSON can hold that identifies the query; a cursor is good for exactly that query and order.
    Raises `InvalidCursor`.
    """
    cursors = Cursors(await cursor_key(database), query, order)
    backwards = window.first is None
    given = window.before if backwards else window.after
    after = None if given is None else cursors.open(given)
    wanted = page_statement(statement, order, backwards, after, window.size + 1)

    found = list(await database.fetch(wanted))
    width = len(columns(row))
    shown, more = cut(found, window)
    edges = [
        Edge(cursors.make(values[width:]), record) for values, record in zip(shown, records(row, shown), strict=True)
    ]
    info = page_info(window, more, edges[0].cursor if edges else None, edges[-1].cursor if edges else None)

    async def count() -> int:
        (row_count,) = await database.fetch(count_statement(statement))
        return int(row_count[0])

    return Page(edges, info, window.size, count)


def page_statement(
    statement: Select[Any], order: Order, backwards: bool, after: Sequence[Any] | None, limit: Any
) -> Select[Any]:
    """The rows of a page, its sort values after the columns: those beyond the place `after`, `limit` at most. They come
    in the order of the list, or backwards."""
    descending = order.descending != backwards
    wanted = statement.add_columns(*(by.label(f"sort{place}") for place, by in enumerate(order.by)))
    if after is not None:
        here, there = tuple_(*order.by), tuple_(*after, types=[by.type for by in order.by])
        wanted = wanted.where(here < there if descending else here > there)
    return wanted.order_by(*(by.desc() if descending else by.asc() for by in order.by)).limit(limit)


def count_statement(statement: Select[Any]) -> Select[Any]:
    """How many rows a list has."""
    return select(func.count()).select_from(statement.order_by(None).subquery())


def cut(found: Sequence[V], window: Window) -> tuple[Sequence[V], bool]:
    """The rows of a page in the order of the list, of one row more than it has, and whether there was that one."""
    shown = found[: window.size]
    return shown if window.first is not None else shown[::-1], len(found) > window.size


def page_info(window: Window, more: bool, start_cursor: str | None, end_cursor: str | None) -> PageInfo:
    backwards = window.first is None
    given = window.before if backwards else window.after
    return PageInfo(
        has_next_page=given is not None if backwards else more,
        has_previous_page=more if backwards else given is not None,
        start_cursor=start_cursor,
        end_cursor=end_cursor,
    )


class Cursors:
    """Makes and opens the cursors of one query. They are encrypted: sort values may be what the caller may not read."""

    def __init__(self, key: bytes, query: Any, order: Order) -> None:
        self._query = orjson.dumps([query, order.names, order.descending], default=str)
        self._cipher = cipher(key)
        self._order = order

    def make(self, values: Sequence[Any]) -> str:
        """The cursor of the row with these sort values; always the same for the same query."""
        sealed = self._cipher.encrypt(orjson.dumps(list(values)), [self._query])
        return base64.urlsafe_b64encode(sealed).decode().rstrip("=")

    def open(self, cursor: str) -> list[Any]:
        """The sort values in a cursor of the same query. Raises `InvalidCursor`."""
        try:
            sealed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
            values: list[Any] = orjson.loads(self._cipher.decrypt(sealed, [self._query]))
        except (ValueError, InvalidTag):
            raise InvalidCursor from None
        if self.make(values) != cursor:
            raise InvalidCursor  # base64 has more than one way to write some bytes
        return [_read(by.type, value) for by, value in zip(self._order.by, values, strict=True)]


@cache
def cipher(key: bytes) -> AESSIV:
    """AES-SIV: without a nonce, so that equal places have equal cursors."""
    return AESSIV(HKDF(SHA256(), 64, salt=None, info=b"kundeport cursor").derive(key))


def _read(kind: TypeEngine[Any], value: Any) -> Any:
    """A sort value of a type, from JSON."""
    if isinstance(kind, UtcDateTime):
        return datetime.fromisoformat(value)
    return _day(date.fromisoformat(value)) if isinstance(kind, Date) else value


def _day(day: date) -> Any:
    """The day as a value to compare with. The last one is written into the statement, because asyncpg takes it, as a
    parameter, for `infinity`."""
    return literal(day, Date(), literal_execute=True) if day == date.max else day


async def cursor_key(database: Database) -> bytes:
    """The database's own signing key, made by its first migration."""
    if database.cursor_key is None:
        found = await database.fetch(select(GatewaySecret.value).where(GatewaySecret.name == "cursor"))
        database.cursor_key = bytes(found[0][0])
    return database.cursor_key
