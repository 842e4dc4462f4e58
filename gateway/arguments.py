"""Input values of an operation: what graphql-core and Strawberry make of them, with all of it worked out beforehand
that the document alone tells."""

from collections.abc import Callable, Mapping
from dataclasses import MISSING
from typing import Any

from graphql import (
    FieldNode,
    GraphQLArgument,
    GraphQLError,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLSchema,
    ListValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    Undefined,
    ValueNode,
    VariableNode,
    get_nullable_type,
    is_non_null_type,
)
from graphql.execution.get_variable_signature import get_variable_signature
from graphql.execution.values import VariableValues
from graphql.utilities.coerce_input_value import coerce_default_value, coerce_input_literal, coerce_input_value
from strawberry.schema.config import StrawberryConfig
from strawberry.types.arguments import _is_leaf_type
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

Values = Mapping[str, Any]
Read = Callable[[Values], Any]
Convert = Callable[[Any], Any]


class NoValue(Exception):
    """A value that is refused, or that only the ordinary execution can read."""


def variables_of(schema: GraphQLSchema, operation: OperationDefinitionNode) -> Read:
    """A function from the given variables of an operation to the coerced ones. It raises NoValue for bad ones."""
    known = []
    for definition in operation.variable_definitions or ():
        signature = get_variable_signature(schema, definition)
        if isinstance(signature, GraphQLError):
            raise NoValue(signature.message)
        known.append((signature.name, signature.type, coerce_default_value(signature)))

    def read(given: Values) -> Values:
        coerced = {}
        for name, type_, default in known:
            value = given.get(name, Undefined)
            if value is not Undefined or (default is Undefined and is_non_null_type(type_)):
                coerced[name] = valid(coerce_input_value(value, type_))
            elif default is not Undefined:
                coerced[name] = default
        return coerced

    return read


class Arguments:
    """Reads the arguments of fields as Strawberry gives them to their functions."""

    def __init__(self, scalars: Mapping[object, Any], config: StrawberryConfig) -> None:
        self._scalars = scalars
        self._config = config

    def of(self, graphql_field: GraphQLField, definition: Any, node: FieldNode) -> Read:
        """A function from coerced variables to the keyword arguments of a field. Raises NoValue, as the function does,
        for what the ordinary execution refuses, and for a type that is not known here."""
        nodes = {each.name.value: each.value for each in node.arguments or ()}
        constant: dict[str, Any] = {}
        varying: list[tuple[str, Read, Convert]] = []
        for each in definition.arguments:
            name = self._config.name_converter.from_argument(each)
            read, convert = value_of(nodes.get(name), graphql_field.args[name]), self._of(each.type)
            if has_variables(nodes.get(name)):
                varying.append((each.python_name, read, convert))
            elif (value := read({})) is not Undefined:
                constant[each.python_name] = convert(value)

        def arguments(variables: Values) -> dict[str, Any]:
            found = constant.copy()
            for name, read, convert in varying:
                value = read(variables)
                if value is not Undefined:
                    found[name] = convert(value)
            return found

        return arguments

    def _of(self, type_: Any) -> Convert:
        """From a coerced value to what Strawberry makes of it."""
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
        raise NoValue(f"an argument of type {type_}")

    def _input(self, cls: Any) -> Convert:
        definition = get_object_definition(cls, strict=True)
        if definition.from_input is not None:
            raise NoValue(f"an argument of type {cls}")
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


def value_of(node: ValueNode | None, declared: GraphQLArgument | GraphQLInputField) -> Read:
    """A function from coerced variables to the coerced value of an argument or a field of an input; Undefined where it
    is left out. It raises NoValue for a bad value, as this does."""
    type_, default = declared.type, coerce_default_value(declared)
    input_type = get_nullable_type(type_)
    if isinstance(node, VariableNode):
        name, is_needed = node.name.value, is_non_null_type(type_)

        def read(variables: Values) -> Any:
            value = variables.get(name, default)
            if is_needed and (value is None or value is Undefined):
                raise NoValue("null, or nothing")
            return value

        return read
    if node is None or not has_variables(node):
        constant = default if node is None else valid(coerce_input_literal(node, type_))
        return lambda _: constant
    if not isinstance(node, ObjectValueNode) or not isinstance(input_type, GraphQLInputObjectType):
        return lambda variables: valid(coerce_input_literal(node, type_, VariableValues({}, dict(variables))))
    nodes = {each.name.value: each.value for each in node.fields}
    fields = [(name, value_of(nodes.get(name), field)) for name, field in input_type.fields.items()]
    is_one_of = input_type.is_one_of

    def read_object(variables: Values) -> Any:
        found = {name: value for name, read in fields if (value := read(variables)) is not Undefined}
        if is_one_of and (len(found) != 1 or None in found.values()):
            raise NoValue("not exactly one")
        return found

    return read_object


def has_variables(node: ValueNode | None) -> bool:
    """Whether a value, at any depth, has a variable in it."""
    if isinstance(node, ListValueNode):
        return any(map(has_variables, node.values))
    if isinstance(node, ObjectValueNode):
        return any(has_variables(each.value) for each in node.fields)
    return isinstance(node, VariableNode)


def valid(value: Any) -> Any:
    """The value. Raises NoValue if there is none."""
    if value is Undefined:
        raise NoValue("a bad value")
    return value


def has_default(field: Any) -> bool:
    """Whether an input field has a default of its own."""
    return field.default_value is not MISSING or field.default_factory is not MISSING


def as_it_is(value: Any) -> Any:
    return value


def not_null(value: Any) -> Any:
    if value is None:
        raise NoValue("null for a field that may only be left out")
    return value
