"""Documents as they come in: their size is checked before they are parsed, and the latest good ones are kept."""

from collections import OrderedDict
from collections.abc import Iterator

from graphql import DocumentNode, GraphQLError, GraphQLSyntaxError, OperationDefinitionNode, TokenKind, parse
from graphql.validation.rules import overlapping_fields_can_be_merged

from gateway.limits import Limits, check
from gateway.spent import Plan, plan_of, size_of_plan
from gateway.values import IN_DOCUMENT, check_text
from resolvers.errors import ErrorCode, refuse
from schema.cost import PriceList

# A parsed document takes about 50 times its length; the densest ones 300 times.
KEPT_LENGTH = 200_000
LONGEST_KEPT = 20_000
# A key of a plan takes as much as so many characters of a parsed document.
LENGTH_OF_KEY = 4
# What validation may spend on comparing fields that could be merged. Real documents need some hundreds; the default
# lets a document of 500 fields take a second.
overlapping_fields_can_be_merged.MAX_COMPLEXITY_BUDGET = 10_000
# How graphql-core's parser says that it stopped.
TOO_DEEP = "Syntax Error: Document is nested too deeply."
TOO_MANY_TOKENS = "Syntax Error: Document contains more than"


class ParsedDocument:
    """A document, as text and parsed, with the plans to count what its operations have cost."""

    __slots__ = ("_plans", "document", "size", "text")

    def __init__(self, text: str, document: DocumentNode) -> None:
        self.text = text
        self.document = document
        self.size = len(text)
        """What it takes to keep this, in characters."""
        self._plans: dict[str, Plan] = {}

    def plan(self, prices: PriceList, operation: OperationDefinitionNode) -> Plan:
        """The plan of an operation of this document, which must be valid; remembered with the document."""
        name = operation.name.value if operation.name else ""
        plan = self._plans.get(name)
        if plan is None:
            plan = self._plans[name] = plan_of(prices, self.document, operation)
            self.size += LENGTH_OF_KEY * size_of_plan(plan)
        return plan


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
