"""What every stored row is built on: the declarative base, the column types, the sort-key columns."""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum
from typing import Any, ClassVar

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    DateTime,
    Dialect,
    Integer,
    MetaData,
    Select,
    String,
    event,
    select,
    true,
)
from sqlalchemy import Enum as SqlEnum
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase, Mapped, Mapper, mapped_column
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine

from datastore.text import stored_key
from datastore.viewer import Viewer

NAMES = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
}

BigKey = BigInteger().with_variant(Integer, "sqlite")
"""Type of primary keys: SQLite only counts up a column of type INTEGER."""


class KeyText(TypeDecorator[str]):
    """Text that is compared byte by byte on every database, so that order and equality are the same on all of them."""

    impl = String
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        length = self.impl_instance.length if isinstance(self.impl_instance, String) else None
        return dialect.type_descriptor(String(length, collation="C" if dialect.name == "postgresql" else None))


class UtcDateTime(TypeDecorator[datetime]):
    """An aware time in UTC with milliseconds. SQLite keeps it as RFC 3339 text, which sorts as time does."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(String(24) if dialect.name == "sqlite" else DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone cannot be stored")
        value = milliseconds(value)
        return rfc3339(value) if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if isinstance(value, str):
            return datetime.fromisoformat(value)
        moment: datetime = value
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)  # asyncpg: the first of all


def milliseconds(value: datetime) -> datetime:
    """The same moment in UTC, cut to milliseconds: what a stored time keeps."""
    value = value.astimezone(UTC)
    return value.replace(microsecond=value.microsecond // 1000 * 1000)


def rfc3339(value: datetime) -> str:
    """`2026-01-31T12:00:00.000Z`: the one text form of times, in answers and in SQLite."""
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def letters(enum: type[Enum], name: str) -> SqlEnum:
    """Column type that stores an enum by its value (the letter of the source systems), checked by the database."""
    return SqlEnum(
        enum,
        name=name,
        native_enum=False,
        create_constraint=True,
        values_callable=lambda members: [member.value for member in members],
    )


def sort_key_of(source: str, length: int) -> Mapped[str]:
    """A column with the Norwegian sort key of the text column `source`, kept up to date on every insert and change.

    It is never null (a missing text has the greatest key), so row comparisons in page statements need no NULL case.
    """

    def on_insert(context: DefaultExecutionContext) -> str:
        parameters: Mapping[str, Any] = context.get_current_parameters()  # type: ignore[no-untyped-call]
        return stored_key(parameters.get(source))

    return mapped_column(KeyText(2 * length), default=on_insert, info={"sort_key_of": source})


class broad(FunctionElement[bool]):  # noqa: N801
    """A condition that leaves many rows, such as the organisation: good to walk along, bad to find a few rows by.

    PostgreSQL knows by counting. SQLite does not count: it takes every `=` with an index to leave ten rows and would
    rather walk through a whole organisation than look a key up, so it is told.
    """

    inherit_cache = True
    type = Boolean()

    def self_group(self, against: Any = None) -> "broad":
        return self  # not `... = 1`, by which SQLite would not look at the index


@compiles(broad)
def as_it_is(element: broad, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.clause_expr, **options)


@compiles(broad, "sqlite")
def with_likelihood(element: broad, compiler: SQLCompiler, **options: Any) -> str:
    return f"likelihood({compiler.process(element.clauses, **options)}, 0.05)"


class present(FunctionElement[datetime]):  # noqa: N801
    """The moment at which a statement runs, by the database's clock, so that a statement that is compiled once is right
    at every second."""

    inherit_cache = True
    type = UtcDateTime()


@compiles(present)
def transaction_time(element: present, compiler: SQLCompiler, **options: Any) -> str:
    return "now()"


@compiles(present, "sqlite")
def time_as_stored(element: present, compiler: SQLCompiler, **options: Any) -> str:
    return "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"


class Base(DeclarativeBase):
    """A stored row. Every class says whose it is: `visible_to` is the only place where tenant rules live."""

    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map: ClassVar[dict[Any, Any]] = {datetime: UtcDateTime()}

    @classmethod
    def visible_to(cls, viewer: Viewer) -> ColumnElement[bool]:
        """The condition on rows of this class that the viewer may see. Raises where a class has not said (deny)."""
        raise NotImplementedError(f"{cls.__name__} does not say who may see its rows")

    @classmethod
    def reached(cls, viewer: Viewer, key: Any, condition: ColumnElement[bool]) -> Select[Any]:
        """Select `(columns of this row ..., key)`: what an edge that leads to `condition` answers, with the key that
        leads there. Classes override it where an edge leads on to another row."""
        return select(*cls.__table__.columns, key).where(cls.visible_to(viewer), condition)


class ForEverybody:
    """Mixin for rows without an owner that every caller may read, such as code lists."""

    @classmethod
    def visible_to(cls, viewer: Viewer) -> ColumnElement[bool]:
        return true()


@event.listens_for(Base, "before_update", propagate=True)
def refresh_sort_keys(mapper: Mapper[Any], connection: Any, row: Any) -> None:
    """Sort keys follow their text when an entity changes; `sort_key_of` covers inserts."""
    for column in mapper.columns:
        if source := column.info.get("sort_key_of"):
            setattr(row, column.key, stored_key(getattr(row, source)))
