"""What a request may ask for, and what a document does ask for: counted before anything is validated or run.

Fragments are counted wherever they are spread, but each is looked at once, so that counting takes time linear in the
document even where its fragments multiply. Fields that GraphQL would merge, and fragments of types that exclude each
other, are added up; `@skip` and `@include` are taken to include. What is counted is thus never less than what runs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    NullValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
)

from resolvers.errors import ErrorCode, refuse
from resolvers.paging import LARGEST_PAGE
from schema.cost import ASSUMED_SIZE, Price, PriceList

UNKNOWN: Final = Price()
LONGEST_NUMBER = 19


@dataclass(frozen=True)
class Limits:
    """The most that one request may have of each; the descriptions of `gateway.settings` tell what they are."""

    body_bytes: int = 1_048_576
    document_length: int = 100_000
    tokens: int = 2_000
    text_length: int = 10_000
    variable_bytes: int = 262_144
    variable_values: int = 5_000
    definitions: int = 100
    depth: int = 15
    root_fields: int = 20
    aliases: int = 50
    directives: int = 50
    fields: int = 2_000
    cost: int = 50_000


@dataclass(frozen=True, slots=True)
class Cost:
    """What an operation asks for, its fragments expanded. `requested` is in points; `visits` is how many selections
    of the document were looked at to find out."""

    requested: int
    depth: int
    root_fields: int
    aliases: int
    directives: int
    fields: int
    visits: int


@dataclass(slots=True)
class Tally:
    """What a selection set asks for: `here` are the fields of its own level, `fields` those of all levels.

    `per_entry` is what each entry costs of the lists in it whose size the enclosing field tells.
    """

    here: int = 0
    fields: int = 0
    aliases: int = 0
    directives: int = 0
    depth: int = 0
    cost: int = 0
    per_entry: int = 0

    def include(self, other: "Tally") -> None:
        """Add what a fragment asks for that is spread at this level."""
        self.here += other.here
        self.fields += other.fields
        self.aliases += other.aliases
        self.directives += other.directives
        self.depth = max(self.depth, other.depth)
        self.cost += other.cost
        self.per_entry += other.per_entry


def measure(
    prices: PriceList,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    variables: Mapping[str, Any],
    limits: Limits,
) -> Cost:
    """What the operation asks for. The document need not be valid: what the schema does not know costs nothing.

    Raises Refused: DOCUMENT_TOO_DEEP, DOCUMENT_TOO_LARGE if any operation or fragment of the document is, since all
    of them are validated; COST_TOO_HIGH if the operation is.
    """
    check("definitions", len(document.definitions), limits.definitions)
    meter = Meter(prices, document, operation, variables, limits)
    try:
        for definition in document.definitions:
            if isinstance(definition, OperationDefinitionNode | FragmentDefinitionNode):
                meter.tally(definition)
    except RecursionError:
        raise refuse(ErrorCode.DOCUMENT_TOO_DEEP) from None
    found = meter.tally(operation)
    requested = found.cost + ASSUMED_SIZE * found.per_entry
    if requested > limits.cost:
        message = f"The operation may cost {requested} points; at most {limits.cost} are allowed."
        raise refuse(ErrorCode.COST_TOO_HIGH, message=message)
    return Cost(requested, found.depth, found.here, found.aliases, found.directives, found.fields, meter.visits)


class Meter:
    """Tallies the operations and fragments of one document, each once."""

    def __init__(
        self,
        prices: PriceList,
        document: DocumentNode,
        operation: OperationDefinitionNode,
        variables: Mapping[str, Any],
        limits: Limits,
    ) -> None:
        self.prices = prices
        self.variables = variables
        self.limits = limits
        self.defaults = {each.variable.name.value: each.default_value for each in operation.variable_definitions or ()}
        self.fragments = {
            each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)
        }
        self.known: dict[int, Tally] = {}
        self.visits = 0

    def tally(self, definition: OperationDefinitionNode | FragmentDefinitionNode) -> Tally:
        """What an operation or a fragment asks for. Raises Refused: DOCUMENT_TOO_DEEP, DOCUMENT_TOO_LARGE."""
        known = self.known.get(id(definition))
        if known is not None:
            return known
        self.known[id(definition)] = Tally()  # what a fragment adds that spreads itself, which is invalid
        found = Tally(directives=len(definition.directives or ()))
        if isinstance(definition, OperationDefinitionNode):
            self._add(found, definition.selection_set, self.prices.roots.get(definition.operation))
            check("fields at the root", found.here, self.limits.root_fields)
        else:
            self._add(found, definition.selection_set, definition.type_condition.name.value)
        self.known[id(definition)] = found
        check("levels of fields", found.depth, self.limits.depth, ErrorCode.DOCUMENT_TOO_DEEP)
        check("fields, fragments expanded", found.fields, self.limits.fields)
        check("aliases, fragments expanded", found.aliases, self.limits.aliases)
        check("directives, fragments expanded", found.directives, self.limits.directives)
        return found

    def _add(self, total: Tally, selections: SelectionSetNode, parent: str | None) -> None:
        """Add what is selected on the type of the name `parent`."""
        for selection in selections.selections:
            self.visits += 1
            if selection.directives:
                total.directives += len(selection.directives)
            if isinstance(selection, FieldNode):
                self._add_field(total, selection, parent)
            elif isinstance(selection, InlineFragmentNode):
                condition = selection.type_condition
                self._add(total, selection.selection_set, condition.name.value if condition else parent)
            elif isinstance(selection, FragmentSpreadNode) and (spread := self.fragments.get(selection.name.value)):
                total.include(self.tally(spread))

    def _add_field(self, total: Tally, field: FieldNode, parent: str | None) -> None:
        price = self.prices.fields.get(parent or "", {}).get(field.name.value, UNKNOWN)
        total.here += 1
        total.fields += 1
        total.aliases += field.alias is not None
        if field.selection_set is None:
            total.depth = max(total.depth, 1)
            total.cost += price.weight
            return
        below = Tally()
        self._add(below, field.selection_set, price.returns)
        total.fields += below.fields
        total.aliases += below.aliases
        total.directives += below.directives
        total.depth = max(total.depth, 1 + below.depth)
        size = self._size(price, field)
        if price.is_page:
            total.cost += price.weight + below.cost + size * below.per_entry
            return
        each = price.weight + below.cost + ASSUMED_SIZE * below.per_entry
        if price.is_of_page:
            total.per_entry += each
        else:
            total.cost += size * each

    def _size(self, price: Price, field: FieldNode) -> int:
        """How many entries a field answers: what the largest of its slicing arguments says, else as declared."""
        if not price.slicing:
            return price.size
        given = (self._told(each.value) for each in field.arguments or () if each.name.value in price.slicing)
        told = [size for size in given if size is not None]
        return min(max(told), LARGEST_PAGE) if told else price.size

    def _told(self, value: ValueNode | None) -> int | None:
        """The size that the value of an argument tells; None if it is null or absent."""
        if isinstance(value, VariableNode):
            name = value.name.value
            return size_of(self.variables[name]) if name in self.variables else self._told(self.defaults.get(name))
        if isinstance(value, ListValueNode):
            return len(value.values)
        if isinstance(value, IntValueNode):
            return max(int(value.value[:LONGEST_NUMBER]), 0)
        return None if value is None or isinstance(value, NullValueNode) else 1


def size_of(value: object) -> int | None:
    """The size that a variable tells: the length of a list, or a number. One value alone is coerced to a list of it."""
    if isinstance(value, list):
        return len(value)
    if isinstance(value, int | float):
        return max(int(value), 0)
    return None if value is None else 1


def check(what: str, asked: int, allowed: int, code: ErrorCode = ErrorCode.DOCUMENT_TOO_LARGE) -> None:
    """Raises Refused if more is asked for than is allowed."""
    if asked > allowed:
        raise refuse(code, message=f"The document has {asked} {what}; at most {allowed} are allowed.")
