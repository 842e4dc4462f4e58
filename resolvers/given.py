"""From an input object to values that may be stored: what was given, cleaned, checked, with every problem named."""

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from enum import Enum
from typing import Any

import strawberry
from strawberry.types.base import get_object_definition
from strawberry.utils.str_converters import to_camel_case

from datastore.base import Base
from datastore.sealing import Keyring
from resolvers import formats
from resolvers.errors import ErrorCode, Refused, UserError, refuse
from resolvers.scalars import Malformed

Format = Callable[[str], str]
NOTHING: Set[str] = frozenset()
SECRET = frozenset({"password", "new_password", "old_password"})
"""Input fields that are never stored, answered or compared."""
SEALED_TEXTS = frozenset({"text", "ssn", "note", "value"})
"""Input fields, texts or null, that are stored sealed, or, of a policy, as a keyed hash: nothing that is stored may
help to guess them."""


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


def plain(given: object, keys: Keyring) -> Any:
    """An input value as JSON-like values, with exactly what was given: equal inputs are equal.

    Of a secret field it has only that it was given: a hash of the input is stored, and a password could be guessed
    from it much faster than from the password's own hash. Of a text that is stored sealed it has the fingerprint.
    """
    if isinstance(given, list):
        return [plain(each, keys) for each in given]
    if get_object_definition(given) is None:
        return given.name if isinstance(given, Enum) else given
    found = {name: name if name in SECRET else plain(value, keys) for name, _, value in given_fields(given)}
    texts = {name: text for name, text in found.items() if name in SEALED_TEXTS and text is not None}
    return found | {name: keys.fingerprint(text) for name, text in texts.items()}


def graphql_name(field: Any) -> str:
    name: str = field.graphql_name or to_camel_case(field.python_name)
    return name


def field_error(code: ErrorCode, given: object, attribute: str) -> UserError:
    """The error about one field of an input object; without path and value if the caller did not give it."""
    for found, name, value in given_fields(given):
        if found == attribute:
            return refuse(code, name, rejected=[value]).errors[0]
    return UserError(code)


def malformed(given: object, *path: str) -> Iterator[UserError]:
    """An error for each value of an input that is none of its scalar, wherever it stands in it."""
    if isinstance(given, Malformed):
        yield refuse(given.code, *path, rejected=[given.given]).errors[0]
    elif isinstance(given, list):
        for place, each in enumerate(given):
            yield from malformed(each, *path, str(place))
    elif get_object_definition(given) is not None:
        for _, name, value in given_fields(given):
            yield from malformed(value, *path, name)


class Problems:
    """Collects refusals, so that a caller learns of all problems at once."""

    def __init__(self) -> None:
        self.errors: list[UserError] = []

    def add(self, code: ErrorCode, *path: str, rejected: Sequence[object] = ()) -> None:
        self.errors += refuse(code, *path, rejected=rejected).errors

    @contextmanager
    def at(self, *path: str) -> Iterator[None]:
        """A block whose refusals are collected under `path` instead of ending the act."""
        try:
            yield
        except Refused as refused:
            self.errors += [error.at(*path) for error in refused.errors]

    def raise_any(self) -> None:
        """Raise `Refused` with everything collected, if anything was."""
        if self.errors:
            raise Refused(*self.errors)


def checked(
    problems: Problems,
    given: object,
    row: type[Base],
    formats_of: Mapping[str, Format],
    *,
    needed: Set[str] = NOTHING,
    skip: Set[str] = NOTHING,
) -> dict[str, Any]:
    """The given values for columns of `row`, by attribute, in their stored form; bad ones go to `problems` instead.

    Texts are normalised, bounded by the length of their column and put through their format. A blank text is null, and
    null is bad for a column that needs a value and for those in `needed`.
    """
    values: dict[str, Any] = {}
    for attribute, name, value in given_fields(given):
        column = row.__table__.columns.get(attribute)
        if column is None or attribute in skip:
            continue
        with problems.at(name):
            value = stored_form(value, column, formats_of.get(attribute))
            if value is None and (attribute in needed or not column.nullable):
                raise refuse(ErrorCode.REQUIRED)
            values[attribute] = value
    return values


def stored_form(value: Any, column: Any, form: Format | None) -> Any:
    if not isinstance(value, str):
        return value
    text = formats.clean(value, column.type.length)
    return form(text) if text and form else text or None
