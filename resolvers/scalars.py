"""The scalars of the graph and how their text is read. Dates and times are ISO 8601 (rule F10)."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, NewType

import strawberry
from strawberry.types.scalar import ScalarDefinition

from datastore.base import rfc3339
from resolvers.errors import ErrorCode, Refused, refuse

Long = NewType("Long", int)
Json = NewType("Json", object)
Amount = NewType("Amount", int)
"""An amount in the smallest unit of its currency: never a float, and no decimals to lose."""
Duration = NewType("Duration", str)

LONGEST = 40
DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
TIME = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)
AMOUNT = re.compile(r"-?[0-9]{0,13}\.[0-9]{2}")
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


@dataclass(frozen=True, slots=True)
class Malformed:
    """A value of an input that is none of its scalar: a mutation answers it among its `userErrors`."""

    code: ErrorCode
    given: str


def read_amount(value: Any) -> int | Malformed:
    """An amount as text with exactly two decimals (rule L19), in the smallest unit. JSON's numbers are not taken: they
    may have been rounded on their way. What is none is refused by the mutation it is sent to: AMOUNT_INVALID."""
    if isinstance(value, str) and len(value) <= LONGEST and AMOUNT.fullmatch(value):
        return int(value.replace(".", ""))
    return Malformed(ErrorCode.AMOUNT_INVALID, str(value)[:LONGEST])


def written_amount(amount: int) -> str:
    """The text of an amount in the smallest unit: -1234 is `-12.34`."""
    whole, cents = divmod(abs(amount), 100)
    return f"{'-' if amount < 0 else ''}{whole}.{cents:02}"


def read_duration(value: Any) -> str:
    """A duration as text, which `formats.duration` reads. Raises `Refused`: DURATION_INVALID."""
    if isinstance(value, str) and len(value) <= LONGEST:
        return value
    raise refuse(ErrorCode.DURATION_INVALID)


def as_it_is(value: Any) -> Any:
    return value


def _scalar(name: str, description: str, read: Any, write: Any, url: str | None = None) -> ScalarDefinition:
    return strawberry.scalar(
        name=name, description=description, parse_value=read, serialize=write, specified_by_url=url
    )


SCALARS: dict[object, ScalarDefinition] = {
    Json: _scalar("JSON", "Any JSON value: objects, lists, texts, numbers.", as_it_is, as_it_is),
    Long: _scalar("Long", "A whole number of 64 bits; read from a number or from its digits as text.", read_long, int),
    Amount: _scalar(
        "Amount",
        "An amount as text with exactly two decimals, such as 123.34 or -130.00; never a JSON number.",
        read_amount,
        written_amount,
    ),
    Duration: _scalar(
        "Duration",
        "An ISO 8601 duration of days, hours, minutes and seconds only, such as P3DT12H30M5S.",
        read_duration,
        as_it_is,
        "https://www.iso.org/iso-8601-date-and-time-format.html",
    ),
    date: _scalar("Date", "A day in the Gregorian calendar, as YYYY-MM-DD.", read_date, date.isoformat),
    datetime: _scalar(
        "DateTime",
        "A moment with its offset, as in 2026-01-31T12:00:00Z; always answered in UTC with milliseconds.",
        read_time,
        rfc3339,
    ),
}
"""Python type -> scalar, for the schema's configuration."""
