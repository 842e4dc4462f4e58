"""How rows are read: only what the viewer may see, as plain records instead of entities."""

from collections import namedtuple
from collections.abc import Callable, Collection, Iterable
from functools import cache
from typing import Any, TypeVar, cast

import orjson
from sqlalchemy import ARRAY, Column, ColumnElement, Row, Select, any_, func, inspect, literal, select
from sqlalchemy.orm import InstrumentedAttribute

from datastore.base import Base
from datastore.viewer import Viewer

R = TypeVar("R", bound=Base)


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


def among(column: ColumnElement[Any] | InstrumentedAttribute[Any], keys: Collection[Any], dialect: str) -> Any:
    """`column IN keys`, with all keys in one parameter: the statement's text, and so its plan, does not depend on
    how many there are."""
    if dialect == "postgresql":
        return column == any_(literal(list(keys), ARRAY(column.type)))
    return column.in_(select(func.json_each(json_array(keys)).table_valued("value").c.value))


def json_array(keys: Collection[Any]) -> str:
    """The keys as a JSON text, for SQLite's json_each."""
    return orjson.dumps(list(keys)).decode()


def key_of(row: type[Base]) -> ColumnElement[Any]:
    """The primary key column of a row class."""
    (key,) = inspect(row).primary_key
    return key


def snapshot(entity: R) -> R:
    """A record of an entity as it is now, which outlives its transaction."""
    return cast(R, record_class(type(entity))(getattr(entity, column.name) for column in columns(type(entity))))
