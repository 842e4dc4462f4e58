"""What Python makes of a row's values: the holes that the database leaves in its text."""

from collections import namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLObjectType,
    GraphQLScalarType,
    SelectionSetNode,
    get_named_type,
    get_nullable_type,
    is_list_type,
)
from strawberry.schema.schema_converter import GraphQLCoreConverter

from datastore.base import Base
from datastore.reading import columns, record_class
from gateway.execution.json_text import Unplannable
from gateway.execution.selection import Selection


@dataclass(frozen=True, slots=True)
class Hole:
    """What Python makes: `value` of a record read from the values of `readers`, in the form of `shape`."""

    make: Callable[[Any], Any]
    readers: list[Any]
    value: Callable[[Any, Any], Any]
    shape: Callable[[Any, Any], Any]

    def fill(self, run: Any, raw: list[Any]) -> Any:
        """The JSON value that belongs into the hole."""
        given = [
            value if value is None or read is None else read(value)
            for value, read in zip(raw, self.readers, strict=True)
        ]
        return self.shape(run, self.value(run, self.make(given)))


def part_of(row: type[Base], names: tuple[str, ...]) -> Callable[[Any], Any]:
    """Makes a record with some of the columns of a row."""
    if len(names) == len(columns(row)):
        return record_class(row)
    part: Any = namedtuple(row.__name__, names)  # type: ignore[misc]
    make: Callable[[Any], Any] = part._make
    return make


def shape_of(selection: Selection, graphql_field: GraphQLField, sets: list[SelectionSetNode], weight: int) -> Any:
    """A function that brings what a computed field answers into the form of the answer, and counts its points."""
    type_ = get_named_type(graphql_field.type)
    is_list = is_list_type(get_nullable_type(graphql_field.type))
    if isinstance(type_, GraphQLScalarType | GraphQLEnumType):
        return scalar(type_, is_list, weight)
    if is_list or not isinstance(type_, GraphQLObjectType):
        raise Unplannable("computed objects that are a list, or of several types")
    fields: list[tuple[str, Any, Any]] = []
    for key, nodes in selection.of(type_, sets).items():
        if nodes[0].name.value == "__typename":
            fields.append((key, None, type_.name))
            continue
        below = type_.fields[nodes[0].name.value]
        definition, leaf = definition_of(below), get_named_type(below.type)
        if definition.base_resolver is not None or not isinstance(leaf, GraphQLScalarType):
            raise Unplannable("a computed object with more than scalars")
        fields.append((key, definition.python_name, leaf.serialize))

    def shaped(run: Any, value: Any) -> Any:
        if value is None:
            return None
        run.points += weight
        found = {}
        for key, name, serialize in fields:
            part = None if name is None else getattr(value, name)
            found[key] = serialize if name is None else None if part is None else serialize(part)
        return found

    return shaped


def scalar(type_: Any, is_list: bool, weight: int) -> Any:
    """A function that brings a computed scalar, or a list of scalars, into the form of the answer."""
    serialize = type_.serialize

    def shaped(run: Any, value: Any) -> Any:
        if value is None:
            return None
        run.points += weight
        if is_list and None in value:
            raise Unplannable("null in a list")
        return [serialize(each) for each in value] if is_list else serialize(value)

    return shaped


def as_it_is(_run: Any, value: Any) -> Any:
    return value


def definition_of(graphql_field: GraphQLField) -> Any:
    """Strawberry's definition of a field."""
    return graphql_field.extensions[GraphQLCoreConverter.DEFINITION_BACKREF]
