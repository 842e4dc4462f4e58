"""The scalars of the graph and how their text is read. Dates and times are ISO 8601 (rule F10)."""

import re
from datetime import UTC, date, datetime
from typing import Any, NewType

import strawberry
from strawberry.types.scalar import ScalarDefinition

from datastore.base import rfc3339
from resolvers.errors import ErrorCode, Refused, refuse

Long = NewType("Long", int)
Json = NewType("Json", object)

LONGEST = 40
DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
TIME = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)
WHOLE_NUMBER = re.compile(r"-?\d{1,19}", re.ASCII)


def wrong(message: str) -> Refused:
    return refuse(ErrorCode.VALUE_INVALID, message=message)


def read_long(value: Any) -> int:
    """A whole number of 64 bits with sign, given as a number or as text. Raises `Refused`: VALUE_INVALID."""
    if isinstance(value, str) and len(value) <= LONGEST and WHOLE_NUMBER.fullmatch(value):
        value = int(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not -(2**63) <= value < 2**63:
        raise wrong("Long is a whole number between -2^63 and 2^63 - 1.")
    return value


def read_date(value: Any) -> date:
    """A date as YYYY-MM-DD. Raises `Refused`: VALUE_INVALID."""
    if isinstance(value, str) and len(value) <= LONGEST and DATE.fullmatch(value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise wrong("Date is an ISO 8601 day, such as 2026-01-31.")


def read_time(value: Any) -> datetime:
    """A moment with its offset, turned to UTC. Raises `Refused`: VALUE_INVALID, where the offset is missing too."""
    if isinstance(value, str) and len(value) <= LONGEST and TIME.fullmatch(value):
        try:
            return datetime.fromisoformat(value.upper().replace(" ", "T")).astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    raise wrong("DateTime is an ISO 8601 moment with its offset, such as 2026-01-31T12:00:00Z.")


def as_it_is(value: Any) -> Any:
    return value


def _scalar(name: str, description: str, read: Any, write: Any, url: str | None = None) -> ScalarDefinition:
    return strawberry.scalar(
        name=name, description=description, parse_value=read, serialize=write, specified_by_url=url
    )


SCALARS: dict[object, ScalarDefinition] = {
    Json: _scalar("JSON", "Any JSON value: objects, lists, texts, numbers.", as_it_is, as_it_is),
    Long: _scalar("Long", "A whole number of 64 bits; read from a number or from its digits as text.", read_long, int),
    date: _scalar("Date", "A day in the Gregorian calendar, as YYYY-MM-DD.", read_date, date.isoformat),
    datetime: _scalar(
        "DateTime",
        "A moment with its offset, as in 2026-01-31T12:00:00Z; always answered in UTC with milliseconds.",
        read_time,
        rfc3339,
    ),
}
"""Python type -> scalar, for the schema's configuration."""
