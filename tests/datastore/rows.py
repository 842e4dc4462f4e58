"""Rows made from a table's columns alone, so that tests reach every table, those of later revisions too."""

from collections.abc import Set
from datetime import UTC, date, datetime
from enum import Enum
from typing import Any

from sqlalchemy import JSON, Column, Table, TypeDecorator

MOMENT = datetime(2026, 1, 31, 12, 30, 15, 250_000, UTC)
DAY = date(2026, 1, 31)


def values(table: Table, number: int, *, full: Set[str] = frozenset(), flag: bool = False) -> dict[str, Any]:
    """Row `number` of a table: its key and what it refers to have the same number, other values differ by it.

    Nullable columns stay null unless they are named in `full`. Every boolean is `flag`.
    """
    return {
        column.name: value(column, number, flag)
        for column in table.columns
        if not column.nullable or column.name in full
    }


def value(column: Column[Any], number: int, flag: bool = False) -> Any:
    """A value that the column takes; of texts, numbers and bytes a different one for each number."""
    for reference in column.foreign_keys:
        return value(reference.column, number, flag)
    if isinstance(column.type, JSON):
        return [number]
    decorated = column.type.impl_instance if isinstance(column.type, TypeDecorator) else column.type
    kind = decorated.python_type
    if issubclass(kind, Enum):
        return next(iter(kind))
    if kind is str:
        return f"{number}{column.name}"[: getattr(column.type, "length", None)]
    simple: dict[type, Any] = {bool: flag, int: number, bytes: b"%d" % number, datetime: MOMENT, date: DAY}
    return simple[kind]
