"""What selection sets select of an object type: fragments put in, conditions looked at, equal keys together."""

from collections.abc import Mapping
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    SelectionNode,
    SelectionSetNode,
    VariableNode,
    is_abstract_type,
)

from gateway.execution.json_text import Unplannable

Fields = dict[str, list[FieldNode]]
"""Response key -> the field's nodes, in the order of the answer."""


class Selection:
    """The selections of one document, with the values of its conditions."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, variables: Mapping[str, Any]) -> None:
        self.schema = schema
        self.variables = variables
        self.fragments = {
            each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)
        }

    def of(self, type_: GraphQLObjectType, sets: list[SelectionSetNode]) -> Fields:
        """What selection sets select of an object type, fragments put in."""
        selected: Fields = {}
        spread: set[str] = set()
        for selections in sets:
            self._collect(type_, selections, selected, spread)
        return selected

    def _collect(
        self, type_: GraphQLObjectType, selections: SelectionSetNode, selected: Fields, spread: set[str]
    ) -> None:
        for node in selections.selections:
            if node.directives and self.is_left_out(node):
                continue
            if isinstance(node, FieldNode):
                selected.setdefault((node.alias or node.name).value, []).append(node)
            elif isinstance(node, InlineFragmentNode):
                if node.type_condition is None or self.applies(node.type_condition.name.value, type_):
                    self._collect(type_, node.selection_set, selected, spread)
            elif isinstance(node, FragmentSpreadNode) and node.name.value not in spread:
                spread.add(node.name.value)
                fragment = self.fragments[node.name.value]
                if self.applies(fragment.type_condition.name.value, type_):
                    self._collect(type_, fragment.selection_set, selected, spread)

    def applies(self, condition: str, type_: GraphQLObjectType) -> bool:
        """Whether a fragment on this type is about objects of `type_`."""
        on = self.schema.type_map[condition]
        return on is type_ or (is_abstract_type(on) and self.schema.is_sub_type(on, type_))

    def is_left_out(self, node: SelectionNode) -> bool:
        for directive in node.directives or ():
            if directive.name.value in ("skip", "include"):
                (argument,) = directive.arguments or ()
                value: Any = argument.value
                holds: Any = self.variables[value.name.value] if isinstance(value, VariableNode) else value.value
                if holds is None:
                    raise Unplannable("a condition without a value")
                if holds == (directive.name.value == "skip"):
                    return True
        return False
