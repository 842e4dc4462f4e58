"""How rows are read: only what the viewer may see, as plain records instead of entities."""

from collections import namedtuple
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from functools import cache
from typing import Any, TypeVar, cast

import orjson
from sqlalchemy import (
    ARRAY,
    BindParameter,
    Boolean,
    Column,
    ColumnElement,
    Dialect,
    Row,
    Select,
    String,
    bindparam,
    inspect,
    literal,
    select,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine

from datastore.base import Base
from datastore.viewer import Viewer

R = TypeVar("R", bound=Base)
Fetch = Callable[[Any], Awaitable[Sequence[Any]]]
"""Runs a statement and answers all its rows: `Database.fetch`, or `within` a transaction."""


def within(session: AsyncSession) -> Fetch:
    """How to read within a transaction."""

    async def fetch(statement: Any) -> Sequence[Any]:
        found: Sequence[Any] = (await session.execute(statement)).all()
        return found

    return fetch


def visible(row: type[R], viewer: Viewer) -> Select[Any]:
    """Select the columns of the rows that the viewer may see. Every read starts here."""
    return select(*columns(row)).where(row.visible_to(viewer))


@cache
def columns(row: type[Base]) -> tuple[Column[Any], ...]:
    """The columns of a row class, in the order of its record."""
    return tuple(cast(Iterable[Column[Any]], row.__table__.columns))


@cache
def record_class(row: type[Base]) -> Callable[[Iterable[Any]], Any]:
    """The class of records of a row: a named tuple with the same attributes.

    A mapped entity tracks changes, which a read never needs and which costs several times the row itself.
    """
    record: Any = namedtuple(row.__name__, [column.name for column in columns(row)])  # type: ignore[misc]
    make: Callable[[Iterable[Any]], Any] = record._make
    return make


def records(row: type[R], result: Iterable[Row[Any]]) -> list[R]:
    """Records of `row` from result rows that begin with its columns. Typed as the row: both have its attributes."""
    make, width = record_class(row), len(columns(row))
    return [cast(R, make(values[:width])) for values in result]


def is_row(value: object, row: type[Base]) -> bool:
    """Whether a value is a record or an entity of the row class."""
    return type(value) is getattr(record_class(row), "__self__", None) or isinstance(value, row)


class KeyList(TypeDecorator[Any]):
    """Many keys as one parameter: an array, or on SQLite a JSON text for json_each."""

    impl = String
    cache_ok = True

    def __init__(self, of: TypeEngine[Any]) -> None:
        super().__init__()
        self.of = of

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(ARRAY(self.of) if dialect.name == "postgresql" else String())

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        keys = list(value)
        return keys if dialect.name == "postgresql" else orjson.dumps(keys).decode()


class among(FunctionElement[bool]):  # noqa: N801
    """`column IN keys`, with all keys in one parameter: the statement's text, and so its plan, does not depend on
    how many there are. `keys` is a collection, or a parameter that will hold one."""

    inherit_cache = True
    type = Boolean()

    def __init__(self, column: Any, keys: Collection[Any] | BindParameter[Any]) -> None:
        of = KeyList(column.type)
        given = bindparam(keys.key, type_=of) if isinstance(keys, BindParameter) else literal(keys, of)
        super().__init__(column, given)

    def self_group(self, against: Any = None) -> "among":
        return self  # not `... = 1`, by which SQLite would not look at the index


@compiles(among)
def equals_any(element: among, compiler: SQLCompiler, **options: Any) -> str:
    column, keys = (compiler.process(each, **options) for each in element.clauses)
    return f"{column} = ANY ({keys})"


@compiles(among, "sqlite")
def is_among_json(element: among, compiler: SQLCompiler, **options: Any) -> str:
    column, keys = (compiler.process(each, **options) for each in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({keys}))"  # noqa: S608


def key_of(row: type[Base]) -> ColumnElement[Any]:
    """The primary key column of a row class."""
    (key,) = inspect(row).primary_key
    return key


def snapshot(entity: R) -> R:
    """A record of an entity as it is now, which outlives its transaction."""
    return cast(R, record_class(type(entity))(getattr(entity, column.name) for column in columns(type(entity))))
