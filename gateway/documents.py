"""Documents as they come in: their size is checked before they are parsed, and the latest good ones are kept."""

from collections import OrderedDict
from collections.abc import Iterator

from graphql import DocumentNode, GraphQLError, GraphQLSyntaxError, OperationDefinitionNode, TokenKind, parse
from graphql.validation.rules import overlapping_fields_can_be_merged

from gateway.limits import Limits, check
from gateway.values import IN_DOCUMENT, check_text
from resolvers.errors import ErrorCode, refuse

# A parsed document takes about 50 times its length; the densest ones 300 times.
KEPT_LENGTH = 200_000
LONGEST_KEPT = 20_000
# What validation may spend on comparing fields that could be merged. Real documents need some hundreds; the default
# lets a document of 500 fields take a second.
overlapping_fields_can_be_merged.MAX_COMPLEXITY_BUDGET = 10_000
# How graphql-core's parser says that it stopped.
TOO_DEEP = "Syntax Error: Document is nested too deeply."
TOO_MANY_TOKENS = "Syntax Error: Document contains more than"


class Documents:
    """Parses documents and keeps the latest ones, as long as they have at most `KEPT_LENGTH` characters together."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._kept: OrderedDict[str, DocumentNode] = OrderedDict()
        self._length = 0

    def read(self, text: str) -> DocumentNode:
        """The parsed document. Raises GraphQLError if it does not parse, and Refused: DOCUMENT_TOO_LARGE,
        DOCUMENT_TOO_DEEP, or for a text in it."""
        known = self._kept.get(text)
        return self._parse(text) if known is None else known

    def keep(self, text: str, document: DocumentNode) -> None:
        """Keep a document that was found to be within the limits; the ones that were not used for longest go."""
        if len(text) > LONGEST_KEPT:
            return
        if text not in self._kept:
            self._length += len(text)
        self._kept[text] = document
        self._kept.move_to_end(text)
        while self._length > KEPT_LENGTH:
            self._length -= len(self._kept.popitem(last=False)[0])

    def _parse(self, text: str) -> DocumentNode:
        check("characters", len(text), self.limits.document_length)
        try:
            document = parse(text, max_tokens=self.limits.tokens)
        except GraphQLSyntaxError as error:
            if error.message.startswith(TOO_DEEP):
                raise refuse(ErrorCode.DOCUMENT_TOO_DEEP) from None
            if error.message.startswith(TOO_MANY_TOKENS):
                message = f"The document has more tokens than the {self.limits.tokens} that are allowed."
                raise refuse(ErrorCode.DOCUMENT_TOO_LARGE, message=message) from None
            raise
        for literal in literals_of(document):
            check_text(literal, self.limits.text_length, IN_DOCUMENT)
        return document


def literals_of(document: DocumentNode) -> Iterator[str]:
    """The texts written in a document, in its order."""
    token = document.loc.start_token if document.loc else None
    while token is not None:
        if token.kind in (TokenKind.STRING, TokenKind.BLOCK_STRING):
            yield token.value or ""
        token = token.next


def operation_of(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    """The operation of a document that is to be run: the one of the name, or its only one. Raises GraphQLError."""
    operations = [each for each in document.definitions if isinstance(each, OperationDefinitionNode)]
    if name is None and len(operations) != 1:
        raise GraphQLError("The document must have one operation, or operationName must name one of them.")
    for operation in operations:
        if name is None or (operation.name and operation.name.value == name):
            return operation
    raise GraphQLError("The document has no operation of the name in operationName.")
