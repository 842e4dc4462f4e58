"""Documents as they come in: their size is checked before they are parsed, they are validated until enough is wrong,
and the latest good ones are kept."""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from typing import Any, NamedTuple

from graphql import (
    ArgumentNode,
    ASTValidationRule,
    DirectiveNode,
    DocumentNode,
    GraphQLError,
    GraphQLNamedType,
    GraphQLSchema,
    GraphQLSyntaxError,
    NonNullTypeNode,
    ObjectValueNode,
    OperationDefinitionNode,
    TokenKind,
    VariableNode,
    Visitor,
    get_named_type,
    parse,
    validate,
    visit,
)
from graphql.validation.rules import overlapping_fields_can_be_merged
from strawberry.extensions import SchemaExtension
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from gateway.errors import MOST_ERRORS
from gateway.limits import Cost, Limits, check, measure, size_of
from gateway.spent import Plan, plan_of, size_of_plan
from gateway.values import IN_DOCUMENT, check_text
from resolvers.errors import ErrorCode, refuse
from resolvers.paging import LARGEST_PAGE
from schema.cost import PriceList

# A parsed document takes about 50 times its length; the densest ones 300 times.
KEPT_LENGTH = 200_000
LONGEST_KEPT = 20_000
# A key of a plan takes as much as so many characters of a parsed document.
LENGTH_OF_KEY = 4
MOST_COSTS = 100
# What validation may spend on comparing fields that could be merged. Real documents need some hundreds; the default
# lets a document of 500 fields take a second.
overlapping_fields_can_be_merged.MAX_COMPLEXITY_BUDGET = 10_000
# How graphql-core's parser says that it stopped.
TOO_DEEP = "Syntax Error: Document is nested too deeply."
TOO_MANY_TOKENS = "Syntax Error: Document contains more than"


class ParsedDocument:
    """A document, as text and parsed, with the plans to count what its operations have cost."""

    __slots__ = (
        "_conditions",
        "_costs",
        "_plans",
        "_sizes",
        "document",
        "is_valid",
        "plans",
        "size",
        "text",
        "variables",
    )

    def __init__(self, text: str, document: DocumentNode) -> None:
        self.text = text
        self.document = document
        self.size = len(text)
        """What it takes to keep this, in characters."""
        self.is_valid = False
        """Whether it has been validated: one that is not valid never runs, and so never gets here again."""
        self._plans: dict[str, Plan] = {}
        self.plans: dict[Any, Any] = {}
        """What the planned execution keeps with the document."""
        self.variables: dict[str, Any] = {}
        """What reads the variables of each of its operations."""
        self._conditions: tuple[str, ...] | None = None
        self._costs: dict[tuple[Any, ...], Cost] = {}
        self._sizes: tuple[str, ...] | None = None

    def cost(
        self, prices: PriceList, operation: OperationDefinitionNode, variables: Mapping[str, Any], limits: Limits
    ) -> Cost:
        """What an operation may cost, as `measure` finds it: once for each combination of the sizes in the variables.
        Raises Refused as it does."""
        if self._sizes is None:
            self._sizes = tuple(sorted(size_names(self.document, prices)))
        told = ((name in variables, size_of(variables.get(name))) for name in self._sizes)
        # Null and absent differ: a variable that is absent has its default.
        sizes = ((given, None if size is None else min(size, LARGEST_PAGE)) for given, size in told)
        key = (operation.name.value if operation.name else "", *sizes)
        found = self._costs.get(key)
        if found is None:
            found = measure(prices, self.document, operation, variables, limits)
            if len(self._costs) >= MOST_COSTS:
                self._costs.clear()
            self._costs[key] = found
        return found

    def condition_names(self) -> tuple[str, ...]:
        """The variables that `@skip` and `@include` look at, anywhere in the document."""
        if self._conditions is None:
            self._conditions = tuple(sorted(condition_names(self.document)))
        return self._conditions

    def plan(self, prices: PriceList, operation: OperationDefinitionNode) -> Plan:
        """The plan of an operation of this document, which must be valid; remembered with the document."""
        name = operation.name.value if operation.name else ""
        plan = self._plans.get(name)
        if plan is None:
            plan = self._plans[name] = plan_of(prices, self.document, operation)
            self.size += LENGTH_OF_KEY * size_of_plan(plan)
        return plan


def size_names(document: DocumentNode, prices: PriceList) -> set[str]:
    """The variables of a document that tell how long a list is."""
    slicing = {name for fields in prices.fields.values() for price in fields.values() for name in price.slicing}
    found: set[str] = set()

    class Finder(Visitor):
        def enter_argument(self, node: ArgumentNode, *_: Any) -> None:
            if node.name.value in slicing and isinstance(node.value, VariableNode):
                found.add(node.value.name.value)

    visit(document, Finder())
    return found


def condition_names(document: DocumentNode) -> set[str]:
    """The variables that a document's `@skip` and `@include` look at."""
    found: set[str] = set()

    class Finder(Visitor):
        def enter_directive(self, node: DirectiveNode, *_: Any) -> None:
            if node.name.value in ("skip", "include"):
                found.update(
                    each.value.name.value for each in node.arguments or () if isinstance(each.value, VariableNode)
                )

    visit(document, Finder())
    return found


class Documents:
    """The latest documents, as long as they and their plans have at most `KEPT_LENGTH` characters together."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[ParsedDocument, int]] = OrderedDict()
        self._length = 0

    def get(self, text: str) -> ParsedDocument | None:
        """The document with this text, if it is still kept."""
        known = self._kept.get(text)
        return known[0] if known else None

    def keep(self, parsed: ParsedDocument) -> None:
        """Keep a document that is valid and within the limits; the ones that were not used for longest go."""
        if len(parsed.text) > LONGEST_KEPT:
            return
        if before := self._kept.pop(parsed.text, None):
            self._length -= before[1]
        self._kept[parsed.text] = (parsed, parsed.size)
        self._length += parsed.size
        while self._length > KEPT_LENGTH:
            self._length -= self._kept.popitem(last=False)[1][1]


def parse_document(text: str, limits: Limits) -> ParsedDocument:
    """The parsed document. Raises GraphQLError if it does not parse, and Refused: DOCUMENT_TOO_LARGE,
    DOCUMENT_TOO_DEEP, or for a text in it."""
    check("characters", len(text), limits.document_length)
    try:
        document = parse(text, max_tokens=limits.tokens)
    except GraphQLSyntaxError as error:
        if error.message.startswith(TOO_DEEP):
            raise refuse(ErrorCode.DOCUMENT_TOO_DEEP) from None
        if error.message.startswith(TOO_MANY_TOKENS):
            message = f"The document has more tokens than the {limits.tokens} that are allowed."
            raise refuse(ErrorCode.DOCUMENT_TOO_LARGE, message=message) from None
        raise
    for literal in literals_of(document):
        check_text(literal, limits.text_length, IN_DOCUMENT)
    return ParsedDocument(text, document)


class Given(NamedTuple):
    """What the gateway knows of a document that it gives to Strawberry to run."""

    document: DocumentNode | None
    """None to have its text parsed again."""
    is_valid: bool


GIVEN: ContextVar[Given | None] = ContextVar("given", default=None)


class GivenDocument(SchemaExtension):
    """Has Strawberry run what is in `GIVEN`, if there is anything, without parsing and validating it once more."""

    def on_parse(self) -> None:  # type: ignore[override]
        """Takes the parsed document."""
        given = GIVEN.get()
        if given and given.document:
            self.execution_context.graphql_document = given.document

    def on_validate(self) -> None:  # type: ignore[override]
        """Validates instead of Strawberry, which would go on to a hundred errors, or not at all."""
        given, context = GIVEN.get(), self.execution_context
        if given and context.graphql_document:
            context.pre_execution_errors = (
                []
                if given.is_valid
                else validation_errors(context.schema._schema, context.graphql_document, context.validation_rules)
            )


class OneOfRule(OneOfInputValidationRule):
    """Strawberry's rule, which looks a variable up among those of the operation above it in the document: a fragment is
    also spread in others, where it ends in a KeyError, and can stand above all of them."""

    def validate_one_of(self, node: ObjectValueNode, type: GraphQLNamedType) -> None:
        """Reports any but one key, and null. A variable is looked at with the operations that use it."""
        if len(node.fields) != 1 or not isinstance(node.fields[0].value, VariableNode):
            super().validate_one_of(node, type)

    def leave_operation_definition(self, node: OperationDefinitionNode, *_: Any) -> None:
        """Reports each variable that may be null, once for each place that it stands in."""
        may_be_null = {
            each.variable.name.value
            for each in node.variable_definitions or ()
            if not isinstance(each.type, NonNullTypeNode)
        }
        for usage in self.context.get_recursive_variable_usages(node) if may_be_null else ():
            name, parent = usage.node.name.value, get_named_type(usage.parent_type)
            definition = parent.extensions.get("strawberry-definition") if parent else None
            if name in may_be_null and definition and definition.is_one_of:
                message = f"Variable '{name}' must be non-nullable to be used for OneOf Input Object '{parent}'."
                self.report_error(GraphQLError(message, usage.node))


def validation_errors(
    schema: GraphQLSchema, document: DocumentNode, rules: tuple[type[ASTValidationRule], ...]
) -> list[GraphQLError]:
    """What is wrong with a document by these rules and Strawberry's own; where there is more than `MOST_ERRORS`, one
    further error says so, and nothing more is looked at."""
    return validate(schema, document, (*rules, MaybeNullValidationRule, OneOfRule), max_errors=MOST_ERRORS)


def literals_of(document: DocumentNode) -> Iterator[str]:
    """The texts written in a document, in its order."""
    token = document.loc.start_token if document.loc else None
    while token is not None:
        if token.kind in (TokenKind.STRING, TokenKind.BLOCK_STRING):
            yield token.value or ""
        token = token.next


def operations_of(document: DocumentNode) -> list[OperationDefinitionNode]:
    """The operations of a document, in its order."""
    return [each for each in document.definitions if isinstance(each, OperationDefinitionNode)]


def operation_of(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    """The operation of a document that is to be run: the one of the name, or its only one. Raises GraphQLError."""
    operations = operations_of(document)
    if name is None and len(operations) != 1:
        raise GraphQLError("The document must have one operation, or operationName must name one of them.")
    for operation in operations:
        if name is None or (operation.name and operation.name.value == name):
            return operation
    raise GraphQLError("The document has no operation of the name in operationName.")
