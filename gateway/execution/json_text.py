"""Rows as JSON text, made by the database: the expressions that a plan is put together from, on both databases.

The text is exactly what the ordinary execution answers. What only Python can make is left as a hole: a mark, a JSON
array of the hole's number and the values that it needs, and another mark; JSON text has no control characters, so marks
cannot be mistaken.
"""

from collections.abc import Sequence
from datetime import date, datetime
from enum import Enum
from typing import Any

from sqlalchemy import JSON, BigInteger, Boolean, Column, ColumnElement, Date, Integer, String, literal_column
from sqlalchemy import Enum as SqlEnum
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from datastore.base import KeyText, UtcDateTime

HOLE, HOLE_END = "\x01", "\x02"
BROKEN = "\x04"
"""Stands for the text of a row that came out as null, which no row should."""
QUOTED = "'\"' || {0} || '\"'"
DAY_FORM = r"""to_char({0}, '"\""YYYY-MM-DD"\""')"""
TIME_FORM = r"""to_char({0} AT TIME ZONE 'UTC', '"\""YYYY-MM-DD"T"HH24:MI:SS.MS"Z\""')"""
"""How PostgreSQL writes a time as `datastore.base.rfc3339` does, in quotes."""
AMOUNT_FORM = """'"' || trim(to_char({0} * 0.01, 'FM99999999999999990.00')) || '"'"""
SQLITE_AMOUNT_FORM = """CASE WHEN {0} IS NOT NULL THEN
printf('"%s%d.%02d"', iif({0} < 0, '-', ''), abs({0} / 100), abs({0} % 100)) END"""
"""How an amount in the smallest unit is written as `resolvers.scalars.written_amount` does, in quotes."""
ENDS_OF_TIME = ("0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z")
ENDS_OF_DAYS = ("0001-01-01", "9999-12-31")


class Unplannable(Exception):
    """Something that only the ordinary execution can do."""


class Form(FunctionElement[str]):
    """A text by a template for PostgreSQL, and another one for SQLite if it differs, with expressions in it."""

    inherit_cache = False
    type = String()

    def __init__(self, postgresql: str, *parts: ColumnElement[Any], sqlite: str | None = None) -> None:
        super().__init__(*parts)
        self.templates = {"postgresql": postgresql, "sqlite": postgresql if sqlite is None else sqlite}


@compiles(Form)
def compile_form(element: Form, compiler: SQLCompiler, **options: Any) -> str:
    parts = [compiler.process(each, **options) for each in element.clauses]
    return element.templates[compiler.dialect.name].format(*parts)


def joined(*parts: ColumnElement[str]) -> ColumnElement[str]:
    """Texts, one after the other."""
    return Form(f"({' || '.join('{}' for _ in parts)})", *parts)


def listed(text: ColumnElement[str], order: ColumnElement[Any]) -> ColumnElement[str]:
    """The texts of all rows as a JSON array, `[]` for none. On SQLite the rows must come in order."""
    listing = "coalesce('[' || {} || ']', '[]')"
    sorted_texts = listing.format("string_agg({0}, ',' ORDER BY {1})")
    return Form(sorted_texts, text, order, sqlite=listing.format("group_concat({0}, ',')"))


def or_else(text: ColumnElement[str], instead: str) -> ColumnElement[str]:
    """A text, or these words where it is null."""
    return Form(f"coalesce({{}}, '{instead}')", text)


def as_bytes(text: ColumnElement[str]) -> ColumnElement[str]:
    """A text as the bytes that are answered, so that they need not be read and written again."""
    return Form("convert_to({}, 'UTF8')", text, sqlite="CAST({} AS BLOB)")


def words(text: str) -> ColumnElement[str]:
    """A text of the plan's own, which has no quotes but JSON's."""
    return literal_column("'" + text.replace("'", "''") + "'", String())


def value_of(column: Column[Any], value: ColumnElement[Any], scalar: str, names: dict[Any, str]) -> ColumnElement[str]:
    """A column's value as the JSON text of a GraphQL scalar or enum (`names` has its members). Raises Unplannable."""
    text = text_of(column, value, scalar, names)
    return or_else(text, "null") if column.nullable else text


def text_of(column: Column[Any], value: ColumnElement[Any], scalar: str, names: dict[Any, str]) -> ColumnElement[str]:
    kind = column.type
    if isinstance(kind, SqlEnum):
        cases = " ".join(f"WHEN '{stored.value}' THEN '\"{name}\"'" for stored, name in names.items())
        return Form(f"CASE {{}} {cases} END", value)
    if isinstance(kind, UtcDateTime) and scalar == "DateTime":
        return Form(finite(TIME_FORM, *ENDS_OF_TIME), value, sqlite=QUOTED)
    if isinstance(kind, Date) and scalar == "Date":
        return Form(finite(DAY_FORM, *ENDS_OF_DAYS), value, sqlite=QUOTED)
    if isinstance(kind, Boolean) and scalar == "Boolean":
        return Form("{}::text", value, sqlite="CASE {} WHEN 1 THEN 'true' WHEN 0 THEN 'false' END")
    if isinstance(kind, Integer | BigInteger) and scalar in ("Long", "Int"):
        return Form("{}::text", value, sqlite="CAST({} AS TEXT)")
    if isinstance(kind, Integer | BigInteger) and scalar == "ID":
        return Form("'\"' || {}::text || '\"'", value, sqlite=QUOTED)
    if isinstance(kind, BigInteger) and scalar == "Amount":
        return Form(AMOUNT_FORM, value, sqlite=SQLITE_AMOUNT_FORM)
    if not isinstance(kind, String | KeyText) or scalar not in ("String", "ID", "Duration"):
        raise Unplannable(f"{column} as {scalar}")
    return quoted(value)


def quoted(value: ColumnElement[Any]) -> ColumnElement[str]:
    """A text as a JSON string; null is SQL's."""
    return Form("to_json({0})::text", value, sqlite="CASE WHEN {0} IS NOT NULL THEN json_quote({0}) END")


def finite(template: str, first: str, last: str) -> str:
    """The template, with words for infinity: asyncpg stores and reads the first and the last day as that."""
    return f"CASE {{0}} WHEN '-infinity' THEN '\"{first}\"' WHEN 'infinity' THEN '\"{last}\"' ELSE {template} END"


def hole(number: int, columns: Sequence[tuple[Column[Any], ColumnElement[Any]]]) -> ColumnElement[str]:
    """A hole with the stored values of columns, of which there is at least one; `reader_of` reads them."""
    parts: list[ColumnElement[str]] = []
    for column, value in columns:
        parts += [words("," if parts else f"{HOLE}[{number},"), raw_of(column, value)]
    return joined(*parts, words(f"]{HOLE_END}"))


def raw_of(column: Column[Any], value: ColumnElement[Any]) -> ColumnElement[str]:
    kind = column.type
    if isinstance(kind, UtcDateTime | Date):
        return value_of(column, value, "Date" if isinstance(kind, Date) else "DateTime", {})
    if isinstance(kind, JSON):
        text: ColumnElement[str] = Form("{}::text", value, sqlite="{}")
    elif isinstance(kind, Boolean | Integer | BigInteger):
        text = Form("{}::text", value, sqlite="CAST({} AS TEXT)")
    else:
        text = quoted(value)
    return or_else(text, "null")


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
