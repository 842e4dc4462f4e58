"""Whether a caller may run an operation: decided from the document and the permission table, before anything runs.

Every field that the operation asks for is looked up, fragments once for each type that they select from, so it takes
time linear in the document. A field that `@skip` or `@include` leaves out with the given variables is not asked for.
"""

import weakref
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from graphql import (
    BooleanValueNode,
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_named_type,
)

from datastore.viewer import Permission, Viewer
from resolvers.errors import ErrorCode, Refused, UserError
from schema.permission import Callers, Need, permission_table

Introspection = Literal["everyone", "signed-in", "nobody"]
Asked = dict[Need | None, list[str]]
"""Need -> the coordinates with it that an operation asks for, in the order of the document."""

INTROSPECTION = frozenset({"__schema", "__type"})
WHO_MAY_INTROSPECT: Mapping[Introspection, Need | None] = {
    "everyone": Need(Permission.PUBLIC, Callers.EVERYONE),
    "signed-in": Need(Permission.SIGNED_IN, Callers.EVERYONE),
    "nobody": None,
}


class Guard:
    """Checks operations on a schema. `needs[type name][field name]` is the permission table."""

    def __init__(self, schema: GraphQLSchema, introspection: Introspection = "signed-in") -> None:
        self.needs = permission_table(schema).fields
        self.introspection = WHO_MAY_INTROSPECT[introspection]
        self._roots = {operation: root.name for operation, root in roots(schema)}
        self._returns = {
            name: {field_name: get_named_type(field.type).name for field_name, field in type_.fields.items()}
            for name, type_ in schema.type_map.items()
            if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType)
        }
        self._within = {
            name: {each.name for each in narrower(schema, type_)}
            for name, type_ in schema.type_map.items()
            if isinstance(type_, GraphQLInterfaceType | GraphQLUnionType)
        }
        self._known: dict[int, Asked] = {}

    def check(
        self,
        document: DocumentNode,
        operation: OperationDefinitionNode,
        variables: Mapping[str, Any] | None,
        viewer: Viewer,
    ) -> None:
        """Raises Refused if the operation asks for anything that the viewer may not see or do, naming each field:
        FORBIDDEN, or SIGN_IN_REQUIRED for a caller without a token. The document need not be valid."""
        denied = [
            UserError(
                ErrorCode.FORBIDDEN if viewer.is_signed_in else ErrorCode.SIGN_IN_REQUIRED,
                (coordinate,),
                message=refusal_of(coordinate, need),
            )
            for need, coordinates in self.asked(document, operation, variables or {}).items()
            if need is None or not need.is_met_by(viewer)
            for coordinate in coordinates
        ]
        if denied:
            raise Refused(*denied)

    def asked(self, document: DocumentNode, operation: OperationDefinitionNode, variables: Mapping[str, Any]) -> Asked:
        """What the operation asks for. It is kept with the document where it does not depend on variables."""
        known = self._known.get(id(operation))
        if known is not None:
            return known
        walk = Walk(self, document, operation, variables)
        if not walk.depends_on_variables:
            self._known[id(operation)] = walk.asked
            weakref.finalize(operation, self._known.pop, id(operation), None)
        return walk.asked

    def root(self, operation: OperationDefinitionNode) -> str | None:
        """The name of the type that the operation starts from."""
        return self._roots.get(operation.operation.value)

    def need(self, parent: str | None, name: str) -> tuple[bool, Need | None]:
        """Whether a type has a field, and what it needs."""
        if name in INTROSPECTION and parent == self._roots["query"]:
            return True, self.introspection
        fields = self.needs.get(parent or "", {})
        return name in fields, fields.get(name)

    def may_introspect(self, viewer: Viewer) -> bool:
        """Whether the viewer may ask for the schema, and so be told names that are in it."""
        return self.introspection is not None and self.introspection.is_met_by(viewer)

    def returned(self, parent: str | None, name: str) -> str | None:
        """The name of the type that a field leads to."""
        return self._returns.get(parent or "", {}).get(name)

    def selected(self, parent: str | None, condition: str | None) -> str | None:
        """The name of the type that a fragment selects from within `parent`. On one of its interfaces it selects from
        `parent` itself, whose fields can need more than the interface's."""
        return parent if condition is None or parent in self._within.get(condition, ()) else condition


class Walk:
    """One walk through an operation, which finds what it asks for."""

    def __init__(
        self,
        guard: Guard,
        document: DocumentNode,
        operation: OperationDefinitionNode,
        variables: Mapping[str, Any],
    ) -> None:
        self.guard = guard
        self.asked: Asked = {}
        self.depends_on_variables = False
        self._seen: set[tuple[str | None, str]] = set()
        self._spread: set[tuple[str | None, str]] = set()
        self._fragments = {
            each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)
        }
        self._variables = defaults(operation) | dict(variables)
        self._select(operation.selection_set, guard.root(operation))

    def _select(self, selections: SelectionSetNode, parent: str | None) -> None:
        for selection in selections.selections:
            if selection.directives and self._is_left_out(selection):
                continue
            if isinstance(selection, FieldNode):
                self._ask(parent, selection.name.value)
                # What is below a field of introspection is about the schema alone.
                if selection.selection_set and selection.name.value not in INTROSPECTION:
                    self._select(selection.selection_set, self.guard.returned(parent, selection.name.value))
            elif isinstance(selection, InlineFragmentNode):
                condition = selection.type_condition
                on = condition.name.value if condition else None
                self._select(selection.selection_set, self.guard.selected(parent, on))
            elif isinstance(selection, FragmentSpreadNode):
                self._enter(parent, selection.name.value)

    def _enter(self, parent: str | None, name: str) -> None:
        fragment = self._fragments.get(name)
        if fragment is None:
            return
        selected = self.guard.selected(parent, fragment.type_condition.name.value)
        if (selected, name) not in self._spread:
            self._spread.add((selected, name))
            self._select(fragment.selection_set, selected)

    def _ask(self, parent: str | None, name: str) -> None:
        if (parent, name) in self._seen:
            return
        self._seen.add((parent, name))
        exists, need = self.guard.need(parent, name)
        if exists:
            self.asked.setdefault(need, []).append(f"{parent}.{name}")

    def _is_left_out(self, selection: SelectionNode) -> bool:
        return any(self._says(directive) == (directive.name.value == "skip") for directive in conditions(selection))

    def _says(self, directive: DirectiveNode) -> bool | None:
        """The value of the condition; None where it is no Boolean, which validation or execution will refuse."""
        value: ValueNode | None = next((each.value for each in directive.arguments or ()), None)
        if isinstance(value, VariableNode):
            self.depends_on_variables = True
            given = self._variables.get(value.name.value)
            return given if isinstance(given, bool) else None
        return value.value if isinstance(value, BooleanValueNode) else None


def refusal_of(coordinate: str, need: Need | None) -> str:
    """Why a field is refused, in a sentence."""
    is_introspection = coordinate.partition(".")[2] in INTROSPECTION
    if need is None:
        return "Introspection is switched off here." if is_introspection else f"{coordinate} needs what nobody has."
    return f"{'Introspection' if is_introspection else coordinate} needs {need.in_words()}."


def narrower(schema: GraphQLSchema, type_: GraphQLInterfaceType | GraphQLUnionType) -> Iterator[GraphQLNamedType]:
    """The types whose objects are all of this one, too."""
    yield from schema.get_possible_types(type_)
    if isinstance(type_, GraphQLInterfaceType):
        yield from schema.get_implementations(type_).interfaces


def roots(schema: GraphQLSchema) -> Iterator[tuple[str, GraphQLObjectType]]:
    """The kinds of operations that a schema has, with the types that they start from."""
    kinds = (
        ("query", schema.query_type),
        ("mutation", schema.mutation_type),
        ("subscription", schema.subscription_type),
    )
    return ((kind, root) for kind, root in kinds if root)


def defaults(operation: OperationDefinitionNode) -> dict[str, Any]:
    """The default values of an operation's Boolean variables."""
    return {
        each.variable.name.value: each.default_value.value
        for each in operation.variable_definitions or ()
        if isinstance(each.default_value, BooleanValueNode)
    }


def conditions(selection: SelectionNode) -> Iterator[DirectiveNode]:
    return (each for each in selection.directives or () if each.name.value in ("skip", "include"))
