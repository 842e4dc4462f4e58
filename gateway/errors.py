"""The form every failure has when it leaves the gateway: an entry of `errors` with a code and no secrets.

A resolver answers an expected failure with `raise refuse(...)`; any other exception is masked as INTERNAL and logged.
A custom scalar may raise `refuse(...)` too: what it says is shown. Other words about a rejected value are not, since
they may quote it.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import structlog
from graphql import GraphQLError
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from strawberry.exceptions import StrawberryInputCoercionError as InputCoercionError

from gateway.correlation import correlation_id
from resolvers.errors import ErrorCode, Refused, UserError

MOST_ERRORS = 20
LONGEST_MESSAGE = 500
# What graphql-core says of a document whose fields or fragments it would have to compare too often.
VALIDATION_ABORTED = "Validation aborted."

# The beginning of graphql-core's and Strawberry's sentences about a value, up to where they quote it.
REASON = re.compile(
    r"Expected a value of non-null type '[^']+' to be provided"
    r"|Expected value of non-null type '[^']+' not to be None"
    r"|Expected value of type '[^']+' (?:to be an object|to include required field '[^']+')"
    r"|Expected value of type '[^']+' not to include unknown field '\w{1,100}'"
    r"|Expected value of type '[^']+'"
    r"|Expected variable '\$\w+' provided to [^:]*(?:to provide a runtime value|not to be None)"
    r"|Within OneOf Input Object type '[^']+', exactly one field must be specified"
    r"|OneOf Input Object '[^']+' must specify exactly one key"
    r"|Value for member field '\w{1,100}' must be non-null"
    r"|(?:Int|Float|String|Boolean|ID) cannot represent [a-z0-9 -]*value"
    r"|Value cannot represent an? \w+"
    r"|Enum '[^']+' cannot represent [a-z-]+ value"
)
NOT_IN_ENUM = re.compile(r"does not exist in '(\w+)' enum\.")
ABOUT_VARIABLE = re.compile(r"(Variable '\$\w+' has invalid (?:default )?value(?: at [\w.\[\]]+)?): (.*)", re.DOTALL)
ABOUT_ARGUMENT = re.compile(r"(Argument '[^']+' has invalid (?:default )?value(?: at [\w.\[\]]+)?): (.*)", re.DOTALL)
ABOUT_ALL = re.compile(r"Variable values are nested too deeply|Too many errors processing variables")
# What a syntax error quotes of a literal: "Expected Name, found String 'secret'."
LITERAL = re.compile(r"\b(String|BlockString|Int|Float) ['\"].*", re.DOTALL)

# What graphql-core guesses after a sentence about an unknown name.
SUGGESTION = re.compile(r" Did you mean .*", re.DOTALL)

logger = structlog.stdlib.get_logger(__name__)


def error_entry(
    code: ErrorCode,
    message: str = "",
    *,
    http_status: int | None = None,
    locations: list[dict[str, int]] | None = None,
    path: list[str | int] | None = None,
    others: Sequence[UserError] = (),
) -> dict[str, Any]:
    """One entry of a response's `errors`.

    `message` defaults to the catalogue's sentence. `http_status` is for a refusal of the HTTP request itself; all
    other errors have the status of their category. `others` are the further reasons of one refusal.
    """
    status = HTTPStatus(http_status or code.category.value)
    extensions: dict[str, Any] = {
        "code": code.category.name,
        "status": status.value,
        "error": status.phrase,
        "errorCode": code.name,
        "correlationId": correlation_id(),
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }
    if others:
        extensions["errors"] = [
            {
                "field": ".".join(other.path),
                "defaultMessage": (other.message or other.code.value.long_english)[:LONGEST_MESSAGE],
                "rejectedValues": list(other.rejected_values),
            }
            for other in others[:MOST_ERRORS]
        ]
    entry: dict[str, Any] = {"message": (message or code.value.long_english)[:LONGEST_MESSAGE]}
    if locations:
        entry["locations"] = locations
    if path is not None:
        entry["path"] = path
    return entry | {"extensions": extensions}


def refusal_entry(
    refusal: Refused, *, locations: list[dict[str, int]] | None = None, path: list[str | int] | None = None
) -> dict[str, Any]:
    """The entry of a refusal: its first reason's code and words, the further reasons in `extensions.errors`."""
    if not refusal.errors:
        return error_entry(ErrorCode.INTERNAL, locations=locations, path=path)
    first, *others = refusal.errors
    return error_entry(first.code, first.message, locations=locations, path=path, others=others)


def error_entries(errors: Sequence[GraphQLError], *, has_run: bool, suggests: bool = False) -> list[dict[str, Any]]:
    """The entries of the errors of one operation, at most 20 of them; the unexpected ones are logged.

    `has_run` tells errors of the execution, variables included, from those of parsing and validation. `suggests` lets
    them tell names of the schema that look like a wrong one.
    """
    return [_entry(error, has_run, suggests) for error in errors[:MOST_ERRORS]]


def _entry(error: GraphQLError, has_run: bool, suggests: bool) -> dict[str, Any]:
    cause = _cause(error)
    locations = [{"line": place.line, "column": place.column} for place in error.locations or []]
    path = list(error.path) if error.path is not None else None
    if isinstance(cause, Refused):
        return refusal_entry(cause, locations=locations, path=path)
    if path is None and has_run:
        return error_entry(ErrorCode.VALUE_INVALID, _without_value(error.message), locations=locations)
    if error.message == VALIDATION_ABORTED:
        return error_entry(ErrorCode.DOCUMENT_TOO_LARGE)
    if path is None and (cause is None or REASON.match(error.message)):
        told = error.message if suggests else SUGGESTION.sub("", error.message)
        return error_entry(ErrorCode.DOCUMENT_INVALID, _without_literal(told), locations=locations)
    if path is None and isinstance(cause, RecursionError):
        return error_entry(ErrorCode.DOCUMENT_TOO_DEEP)
    if cause is None and (ABOUT_ARGUMENT.match(error.message) or isinstance(_innermost(error), InputCoercionError)):
        # Some arguments made from variables are checked only when their field runs.
        return error_entry(ErrorCode.VALUE_INVALID, _without_value(error.message), locations=locations, path=path)
    return unexpected_entry(cause or error, locations=locations, path=path)


def unexpected_entry(
    error: Exception, *, locations: list[dict[str, int]] | None = None, path: list[str | int] | None = None
) -> dict[str, Any]:
    """The entry of an exception that nobody expected, which is logged: UNAVAILABLE if the database does not answer,
    else INTERNAL, in no more words."""
    logger.error("unexpected_error", path=path, exc_info=error)
    if isinstance(error, OperationalError | InterfaceError | PoolTimeoutError | ConnectionError):
        return error_entry(ErrorCode.UNAVAILABLE, locations=locations, path=path)
    return error_entry(ErrorCode.INTERNAL, "Internal error", locations=locations, path=path)


def _cause(error: GraphQLError) -> Exception | None:
    """The exception that a resolver or a scalar raised, below the GraphQLErrors wrapped around it."""
    innermost = _innermost(error)
    return None if isinstance(innermost, GraphQLError) else innermost


def _innermost(error: GraphQLError) -> Exception:
    step: Exception = error
    while isinstance(step, GraphQLError) and step.original_error is not None:
        step = step.original_error
    return step


def _without_literal(message: str) -> str:
    """A sentence of the parser or of validation without the literal it quotes: a document may hold a secret too."""
    if unknown := NOT_IN_ENUM.search(message):
        return f"The value does not exist in '{unknown[1]}' enum."
    known = REASON.match(message)
    return f"{known[0]}." if known else LITERAL.sub(r"\1.", message)


def _without_value(message: str) -> str:
    """A sentence about a rejected value, without the value: its place and graphql-core's reason, if that is known."""
    if ", found null" in message:  # Strawberry's, which names the type by its repr and not the field
        return "A value may not be null; leave the field out instead."
    if not (sentence := ABOUT_VARIABLE.match(message) or ABOUT_ARGUMENT.match(message)):
        known = REASON.match(message) or ABOUT_ALL.match(message)
        return f"{known[0]}." if known else ""  # then the catalogue's sentence is used
    place, reason = sentence.groups()
    if unknown := NOT_IN_ENUM.search(reason):
        return f"{place}: The value does not exist in '{unknown[1]}' enum."
    known = REASON.match(reason)
    return f"{place}: {known[0]}." if known else f"{place}: The value is not of the right form."
