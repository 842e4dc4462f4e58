"""Which texts and numbers are let in, in variables and in documents."""

import re
from typing import Any, TypeAlias

from gateway.limits import Limits
from resolvers.errors import ErrorCode, refuse

# Beyond it orjson makes a whole number a rounded float; the rounded -2**63 itself may be one of those.
NUMBERS_END = 2**63
NOT_TEXT = re.compile("[\0\ud800-\udfff]")

# A place in the variables, as a chain from the innermost key outwards: it costs the same at any depth.
Place: TypeAlias = "tuple[Place | None, str | int]"
IN_DOCUMENT: Place = (None, "the document")


def check_values(variables: dict[str, Any] | None, limits: Limits) -> None:
    """Raises Refused for a text, at any depth and keys too, that `check_text` refuses, for a number beyond 64 bits,
    and for more values or longer texts altogether than the limits allow.

    Goes through each value once, without recursion.
    """
    values_left, bytes_left = limits.variable_values, limits.variable_bytes
    waiting: list[tuple[Any, Place]] = [(variables or {}, (None, "variables"))]
    while waiting:
        value, place = waiting.pop()
        if isinstance(value, dict | list):
            values_left -= len(value)
            if values_left < 0:
                message = f"The variables have more than {limits.variable_values} values."
                raise refuse(ErrorCode.REQUEST_TOO_LARGE, message=message)
        if isinstance(value, str):
            bytes_left -= check_text(value, limits.text_length, place)
        elif isinstance(value, dict):
            for key, item in value.items():
                bytes_left -= check_text(key, limits.text_length, place)
                waiting.append((item, (place, key)))
        elif isinstance(value, list):
            waiting.extend((item, (place, number)) for number, item in enumerate(value))
        elif isinstance(value, int | float) and not -NUMBERS_END < value < NUMBERS_END:
            message = f"The number in {_written(place)} is out of range: it needs more than 64 bits."
            raise refuse(ErrorCode.VALUE_INVALID, message=message)
        if bytes_left < 0:
            message = f"The texts in the variables have more than {limits.variable_bytes} bytes."
            raise refuse(ErrorCode.REQUEST_TOO_LARGE, message=message)


def check_text(text: str, longest: int, place: Place) -> int:
    """The bytes of a text. Raises Refused, naming the place, if it is over `longest` characters, or has a NUL or a
    lone surrogate."""
    if len(text) > longest:
        message = f"A text in {_written(place)} has more than {longest} characters."
        raise refuse(ErrorCode.REQUEST_TOO_LARGE, message=message)
    if NOT_TEXT.search(text):
        raise refuse(ErrorCode.TEXT_INVALID, message=f"A text in {_written(place)} holds NUL or half a character.")
    return len(text.encode())


def _written(place: "Place | None") -> str:
    keys: list[str] = []
    while place is not None:
        place, key = place
        keys.append(str(key)[:100])
    return ".".join(reversed(keys))
