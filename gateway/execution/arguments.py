"""From the coerced arguments of a field to what its function takes: what Strawberry does, worked out once per field."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING
from typing import Any

from strawberry.schema.config import StrawberryConfig
from strawberry.types.arguments import StrawberryArgument, _is_leaf_type
from strawberry.types.base import (
    StrawberryList,
    StrawberryMaybe,
    StrawberryOptional,
    get_object_definition,
    has_object_definition,
)
from strawberry.types.enum import has_enum_definition
from strawberry.types.lazy_type import LazyType
from strawberry.types.maybe import Some
from strawberry.types.unset import UNSET

from gateway.execution.json_text import Unplannable

Convert = Callable[[Any], Any]


class Arguments:
    """Turns coerced arguments, by GraphQL name, into keyword arguments.

    Raises Unplannable for a type that it does not know.
    """

    def __init__(
        self, arguments: Sequence[StrawberryArgument], scalars: Mapping[object, Any], config: StrawberryConfig
    ) -> None:
        self._scalars = scalars
        self._config = config
        self._converters = [
            (config.name_converter.from_argument(each), each.python_name, self._of(each.type)) for each in arguments
        ]

    def read(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Raises Unplannable for null where the ordinary execution refuses it."""
        return {python: convert(given[name]) for name, python, convert in self._converters if name in given}

    def _of(self, type_: Any) -> Convert:
        if isinstance(type_, StrawberryMaybe):
            inner, is_nullable = self._of(type_.of_type), isinstance(type_.of_type, StrawberryOptional)
            return lambda value: Some(inner(value if is_nullable else not_null(value)))
        if isinstance(type_, StrawberryOptional):
            return self._of(type_.of_type)
        if isinstance(type_, StrawberryList):
            item = self._of(type_.of_type)
            return lambda value: None if value is None else [item(each) for each in value]
        if isinstance(type_, LazyType):
            return self._of(type_.resolve_type())
        if _is_leaf_type(type_, self._scalars) or has_enum_definition(type_):
            return as_it_is
        if has_object_definition(type_):
            return self._input(type_)
        raise Unplannable(f"an argument of type {type_}")

    def _input(self, cls: Any) -> Convert:
        definition = get_object_definition(cls, strict=True)
        if definition.from_input is not None:
            raise Unplannable(f"an argument of type {cls}")
        fields = [
            (
                self._config.name_converter.from_field(each),
                each.python_name,
                self._of(each.resolve_type(type_definition=definition)),
            )
            for each in definition.fields
        ]
        absent = {each.python_name: None for each in definition.fields if not has_default(each)}

        def convert(value: Any) -> Any:
            if value is None or value is UNSET:
                return value
            given = {python: into(value[name]) for name, python, into in fields if name in value}
            return cls(**(absent | given))

        return convert


def has_default(field: Any) -> bool:
    """Whether an input field has a default of its own."""
    return field.default_value is not MISSING or field.default_factory is not MISSING


def as_it_is(value: Any) -> Any:
    return value


def not_null(value: Any) -> Any:
    if value is None:
        raise Unplannable("null for a field that may only be left out")
    return value
