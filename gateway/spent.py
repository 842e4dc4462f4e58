"""What an executed operation has cost: counted from the objects in its answer, by the prices of their fields.

A field costs its weight for every object it has answered, lists their real lengths; a field that is absent, because of
`@skip` or `@include`, and one that is null cost nothing. Fields that GraphQL merged are in the answer once and count
once. Where an object may be of several types, the fields of all fragments count that are in the answer; of two prices
for one name, the higher.
"""

from typing import Any, Final, NamedTuple, TypeAlias

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
)

from schema.cost import Price, PriceList

UNKNOWN: Final = Price()

Selected: TypeAlias = list[tuple[SelectionSetNode, str | None]]
"""Selection sets that are merged, each with the name of the type it is on."""


class Item(NamedTuple):
    """What one key of an object costs."""

    key: str
    weight: int
    below: "tuple[Item, ...] | None"
    """What its objects cost besides; None for a scalar or an enum, whose lists cost as much as one value."""


Plan: TypeAlias = tuple[Item, ...]
"""What the objects of one place of an operation cost: the keys that cost nothing are left out."""


def plan_of(prices: PriceList, document: DocumentNode, operation: OperationDefinitionNode) -> Plan:
    """How to count what the operation has cost. It must be valid: fragments that spread themselves are not looked for.

    Takes time linear in the fields of the operation, its fragments expanded.
    """
    fragments = {each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)}
    return _plan(prices, fragments, [(operation.selection_set, prices.roots.get(operation.operation))])


def size_of_plan(plan: Plan) -> int:
    """How many keys the plan has, at all levels."""
    return sum(1 + size_of_plan(item.below or ()) for item in plan)


def spent(plan: Plan, data: dict[str, Any]) -> int:
    """The points that the operation with this plan has cost, from the `data` of its answer."""
    return _spent(plan, [data])


def _spent(plan: Plan, objects: list[Any]) -> int:
    total = 0
    for key, weight, below in plan:
        values = [value for each in objects if (value := each.get(key)) is not None]
        if below is not None:
            # All values of a field are lists, or none is.
            while values and isinstance(values[0], list):
                values = [item for value in values for item in value if item is not None]
            if below and values:
                total += _spent(below, values)
        total += weight * len(values)
    return total


def _plan(prices: PriceList, fragments: dict[str, FragmentDefinitionNode], selected: Selected) -> Plan:
    weights: dict[str, int] = {}
    below: dict[str, Selected] = {}
    spread: set[str] = set()
    waiting = list(selected)
    for selection_set, parent in waiting:
        for selection in selection_set.selections:
            if isinstance(selection, FieldNode):
                key = (selection.alias or selection.name).value
                price = prices.fields.get(parent or "", {}).get(selection.name.value, UNKNOWN)
                weights[key] = max(weights.get(key, 0), price.weight)
                if selection.selection_set:
                    below.setdefault(key, []).append((selection.selection_set, price.returns))
            elif isinstance(selection, InlineFragmentNode):
                condition = selection.type_condition
                waiting.append((selection.selection_set, condition.name.value if condition else parent))
            elif isinstance(selection, FragmentSpreadNode) and selection.name.value not in spread:
                spread.add(selection.name.value)
                fragment = fragments[selection.name.value]
                waiting.append((fragment.selection_set, fragment.type_condition.name.value))
    items = (
        Item(key, weight, _plan(prices, fragments, below[key]) if key in below else None)
        for key, weight in weights.items()
    )
    return tuple(item for item in items if item.weight or item.below)
