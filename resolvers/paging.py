"""Which part of a list the caller asked for."""

from collections.abc import Awaitable
from typing import Any, TypeVar

from datastore.keyset import InvalidCursor, Page, Window
from resolvers.errors import ErrorCode, refuse

PAGE_SIZE = 50
LARGEST_PAGE = 1000

T = TypeVar("T")


def window(first: int | None, after: str | None, last: int | None, before: str | None) -> Window:
    """The window of connection arguments; `PAGE_SIZE` rows if neither `first` nor `last` is given.

    Raises `Refused`: PAGE_SIZE_INVALID unless exactly one of first and last is from 1 to `LARGEST_PAGE`,
    CURSOR_INVALID for `after` with `last` or `before` with `first`.
    """
    if first is None and last is None:
        first = PAGE_SIZE
    size = last if first is None else first
    if (first is not None and last is not None) or size is None or not 1 <= size <= LARGEST_PAGE:
        name = "last" if first is None else "first"
        raise refuse(ErrorCode.PAGE_SIZE_INVALID, name, rejected=[size])
    if (before if last is None else after) is not None:
        raise refuse(ErrorCode.CURSOR_INVALID, "before" if last is None else "after")
    return Window(first, after, last, before)


async def paged(wanted: Awaitable[Page[Any]], argument: str = "after") -> Page[Any]:
    """The page, with a cursor of another query turned into the refusal CURSOR_INVALID."""
    try:
        return await wanted
    except InvalidCursor:
        raise refuse(ErrorCode.CURSOR_INVALID, argument) from None
