"""Rows as JSON text, made by the database: the expressions that a plan is put together from, on both databases.

The text is exactly what the ordinary execution answers. What only Python can make is left as a hole: a mark, the values
that it needs as a JSON array, and another mark; JSON text has no control characters, so marks cannot be mistaken.
"""

from collections.abc import Sequence
from datetime import date, datetime
from enum import Enum
from typing import Any

import orjson
from sqlalchemy import JSON, BigInteger, Boolean, Column, ColumnElement, Date, Integer, String, literal_column
from sqlalchemy import Enum as SqlEnum
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from datastore.base import KeyText, UtcDateTime

HOLE, HOLE_END = "\x01", "\x02"
SEPARATOR = "\x03"
BROKEN = "\x04"
"""Stands for the text of a row that came out as null, which no row should."""
QUOTED = "'\"' || $ || '\"'"
DAY_FORM = r'"\""YYYY-MM-DD"\""'
TIME_FORM = r'"\""YYYY-MM-DD"T"HH24:MI:SS.MS"Z\""'
"""How PostgreSQL writes a time as `datastore.base.rfc3339` does, in quotes."""


ENDS_OF_TIME = ("0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z")
ENDS_OF_DAYS = ("0001-01-01", "9999-12-31")


class Unplannable(Exception):
    """Something that only the ordinary execution can do."""


class Text(FunctionElement[str]):
    """Base of the expressions here: they are made of others and are text."""

    inherit_cache = True
    type = String()


class joined(Text):  # noqa: N801
    """Texts, one after the other."""


@compiles(joined)
def compile_joined(element: joined, compiler: SQLCompiler, **options: Any) -> str:
    return "(" + " || ".join(compiler.process(each, **options) for each in element.clauses) + ")"


class listed(Text):  # noqa: N801
    """The texts of all rows as a JSON array, `[]` for none. On SQLite the rows must come in order."""

    def __init__(self, text: ColumnElement[str], order: ColumnElement[Any]) -> None:
        super().__init__(text, order)


@compiles(listed)
def compile_listed(element: listed, compiler: SQLCompiler, **options: Any) -> str:
    text, order = (compiler.process(each, **options) for each in element.clauses)
    return f"coalesce('[' || string_agg({text}, ',' ORDER BY {order}) || ']', '[]')"


@compiles(listed, "sqlite")
def compile_listed_on_sqlite(element: listed, compiler: SQLCompiler, **options: Any) -> str:
    text, _ = (compiler.process(each, **options) for each in element.clauses)
    return f"coalesce('[' || group_concat({text}, ',') || ']', '[]')"


class or_null(Text):  # noqa: N801
    """A text, or the JSON null where there is none."""


@compiles(or_null)
def compile_or_null(element: or_null, compiler: SQLCompiler, **options: Any) -> str:
    return f"coalesce({compiler.process(element.clauses, **options)}, 'null')"


class or_broken(Text):  # noqa: N801
    """A text, or the mark for a row that is broken."""


@compiles(or_broken)
def compile_or_broken(element: or_broken, compiler: SQLCompiler, **options: Any) -> str:
    return f"coalesce({compiler.process(element.clauses, **options)}, '{BROKEN}')"


class quoted(Text):  # noqa: N801
    """A text as a JSON string; null is SQL's."""


@compiles(quoted)
def compile_quoted(element: quoted, compiler: SQLCompiler, **options: Any) -> str:
    return f"to_json({compiler.process(element.clauses, **options)})::text"


@compiles(quoted, "sqlite")
def compile_quoted_on_sqlite(element: quoted, compiler: SQLCompiler, **options: Any) -> str:
    value = compiler.process(element.clauses, **options)
    return f"CASE WHEN {value} IS NOT NULL THEN json_quote({value}) END"


class in_form(Text):  # noqa: N801
    """A value as JSON text, by a template for PostgreSQL and one for SQLite; null is SQL's."""

    inherit_cache = False

    def __init__(self, value: ColumnElement[Any], postgresql: str, sqlite: str) -> None:
        super().__init__(value)
        self.templates = {"postgresql": postgresql, "sqlite": sqlite}


@compiles(in_form)
def compile_in_form(element: in_form, compiler: SQLCompiler, **options: Any) -> str:
    value = compiler.process(element.clauses, **options)
    return element.templates[compiler.dialect.name].replace("$", value)


def words(text: str) -> ColumnElement[str]:
    """A text of the plan's own, which has no quotes but JSON's."""
    return literal_column("'" + text.replace("'", "''") + "'", String())


def value_of(column: Column[Any], value: ColumnElement[Any], scalar: str, names: dict[Any, str]) -> ColumnElement[str]:
    """A column's value as the JSON text of a GraphQL scalar or enum (`names` has its members). Raises Unplannable."""
    text = text_of(column, value, scalar, names)
    return or_null(text) if column.nullable else text


def text_of(column: Column[Any], value: ColumnElement[Any], scalar: str, names: dict[Any, str]) -> ColumnElement[str]:
    kind = column.type
    if isinstance(kind, SqlEnum):
        cases = " ".join(f"WHEN '{stored.value}' THEN '\"{name}\"'" for stored, name in names.items())
        return in_form(value, f"CASE $ {cases} END", f"CASE $ {cases} END")
    if isinstance(kind, UtcDateTime) and scalar == "DateTime":
        return in_form(
            value, finite(f"to_char($ AT TIME ZONE 'UTC', '{TIME_FORM}')", *ENDS_OF_TIME), "'\"' || $ || '\"'"
        )
    if isinstance(kind, Date) and scalar == "Date":
        return in_form(value, finite(f"to_char($, '{DAY_FORM}')", *ENDS_OF_DAYS), QUOTED)
    if isinstance(kind, Boolean) and scalar == "Boolean":
        return in_form(value, "$::text", "CASE $ WHEN 1 THEN 'true' WHEN 0 THEN 'false' END")
    if isinstance(kind, Integer | BigInteger) and scalar in ("Long", "Int"):
        return in_form(value, "$::text", "CAST($ AS TEXT)")
    if isinstance(kind, Integer | BigInteger) and scalar == "ID":
        return in_form(value, "'\"' || $::text || '\"'", "'\"' || $ || '\"'")
    if not isinstance(kind, String | KeyText) or scalar not in ("String", "ID"):
        raise Unplannable(f"{column} as {scalar}")
    return quoted(value)


def finite(template: str, first: str, last: str) -> str:
    """The template, with words for infinity: asyncpg stores and reads the first and the last day as that."""
    return f"CASE $ WHEN '-infinity' THEN '\"{first}\"' WHEN 'infinity' THEN '\"{last}\"' ELSE {template} END"


def raw_of(column: Column[Any], value: ColumnElement[Any]) -> ColumnElement[str]:
    """A column's stored value as JSON text, for a hole."""
    kind = column.type
    if isinstance(kind, JSON):
        return or_null(in_form(value, "$::text", "$"))
    if isinstance(kind, Boolean | Integer | BigInteger):
        return or_null(in_form(value, "$::text", "CAST($ AS TEXT)"))
    if isinstance(kind, UtcDateTime):
        return value_of(column, value, "DateTime", {})
    if isinstance(kind, Date):
        return value_of(column, value, "Date", {})
    return or_null(quoted(value))


def reader_of(column: Column[Any]) -> Any:
    """A function that makes of a value from a hole what the row has; None where it is the same."""
    kind = column.type
    if isinstance(kind, UtcDateTime):
        return datetime.fromisoformat
    if isinstance(kind, Date):
        return date.fromisoformat
    if isinstance(kind, Boolean):
        return bool
    if isinstance(kind, SqlEnum) and kind.enum_class is not None:
        by_value: dict[Any, Enum] = {member.value: member for member in kind.enum_class}
        return by_value.__getitem__
    return None


def hole(number: int, columns: Sequence[tuple[Column[Any], ColumnElement[Any]]]) -> ColumnElement[str]:
    """A hole with the values of columns."""
    parts: list[ColumnElement[str]] = [words(f"{HOLE}{number}{SEPARATOR}[")]
    for position, (column, value) in enumerate(columns):
        if position:
            parts.append(words(","))
        parts.append(raw_of(column, value))
    return joined(*parts, words(f"]{HOLE_END}"))


def dumps(value: Any) -> bytes:
    return orjson.dumps(value)
