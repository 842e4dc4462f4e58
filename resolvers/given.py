"""From an input object to values that may be stored: what was given, cleaned, checked, with every problem named."""

from collections.abc import Callable, Iterator, Mapping, Set
from enum import Enum
from typing import Any

import strawberry
from sqlalchemy import String
from strawberry.types.base import get_object_definition
from strawberry.utils.str_converters import to_camel_case

from datastore.base import Base
from resolvers import formats
from resolvers.errors import ErrorCode, Refused, UserError, refuse

Format = Callable[[str], str]
NOTHING: Set[str] = frozenset()


def given_fields(given: object) -> Iterator[tuple[str, str, Any]]:
    """`(attribute, GraphQL name, value)` of every field of an input object that the caller gave.

    A `Maybe` field tells absent from null; any other optional field that is null counts as absent.
    """
    for field in get_object_definition(given, strict=True).fields:
        value = getattr(given, field.python_name)
        if isinstance(value, strawberry.Some):
            yield field.python_name, graphql_name(field), value.value
        elif value is not None and value is not strawberry.UNSET:
            yield field.python_name, graphql_name(field), value


def plain(given: object) -> Any:
    """An input value as JSON-like values, with exactly what was given: equal inputs are equal."""
    if isinstance(given, list):
        return [plain(each) for each in given]
    if get_object_definition(given) is None:
        return given.name if isinstance(given, Enum) else given
    return {name: plain(value) for name, _, value in given_fields(given)}


def graphql_name(field: Any) -> str:
    name: str = field.graphql_name or to_camel_case(field.python_name)
    return name


def checked(
    given: object, row: type[Base], formats_of: Mapping[str, Format], *, skip: Set[str] = NOTHING
) -> dict[str, Any]:
    """The given values for columns of `row`, by attribute, in their stored form.

    Texts are normalised, bounded by the length of their column and put through their format. A blank text is null.
    Raises `Refused` with one error for each bad field; null or blank for a column that needs a value is one.
    """
    values: dict[str, Any] = {}
    problems = Problems()
    for attribute, name, value in given_fields(given):
        column = row.__table__.columns.get(attribute)
        if column is not None and attribute not in skip:
            with problems.at(name):
                values[attribute] = stored_form(value, column, formats_of.get(attribute))
    problems.raise_any()
    return values


def stored_form(value: Any, column: Any, form: Format | None) -> Any:
    if isinstance(value, str) and isinstance(column.type, String):
        value = formats.clean(value, column.type.length or 255) or None
        if value is not None and form is not None:
            value = form(value)
    if value is None and not column.nullable:
        raise refuse(ErrorCode.REQUIRED)
    return value


class Problems:
    """Collects refusals, so that a caller learns of all problems at once."""

    def __init__(self) -> None:
        self.errors: list[UserError] = []

    def at(self, *path: str) -> "_Part":
        """A block whose refusals are collected under `path` instead of ending the act."""
        return _Part(self, path)

    def raise_any(self) -> None:
        """Raise `Refused` with everything collected, if anything was."""
        if self.errors:
            raise Refused(*self.errors)


class _Part:
    def __init__(self, problems: Problems, path: tuple[str, ...]) -> None:
        self.problems, self.path = problems, path

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: object, trace: object) -> bool:
        if not isinstance(error, Refused):
            return False
        self.problems.errors += [part.at(*self.path) for part in error.errors]
        return True
