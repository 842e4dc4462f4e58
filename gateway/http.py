"""GraphQL over HTTP: from an HTTP request to a checked operation, and from its result to bytes.

Follows the GraphQL-over-HTTP specification (https://http-spec.graphql.org, edition of September 2026). Choices:
- data with errors is 294 Partial Success as `application/graphql-response+json` and 200 as `application/json`;
- a request or document error is 400 (the edition prefers 422 for some, its audit suite asks for 400), and as
  `application/json` 200 once the request is well-formed;
- no Accept header means `application/graphql-response+json`; a client that names neither type gets `application/json`.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import orjson
import strawberry
import structlog
from graphql import GraphQLError, OperationType
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocketClose
from strawberry.types.execution import PreExecutionError

from gateway.documents import Documents, operation_of
from gateway.errors import error_entries, error_entry, refusal_entry
from gateway.limits import Cost, Limits, measure
from gateway.values import check_values
from resolvers.errors import Category, ErrorCode, Refused
from schema.cost import price_list

GRAPHQL_JSON = "application/graphql-response+json"
JSON = "application/json"
PARTIAL_SUCCESS = 294
HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
# A browser sends none of these across sites without asking first (a preflight), so a forged GET lacks them.
PREFLIGHT_HEADERS = ("ET-Client-Name", "X-Requested-With", "GraphQL-Require-Preflight")
ADD_PREFLIGHT_HEADER = (
    "A GET request needs one of the headers ET-Client-Name, X-Requested-With and GraphQL-Require-Preflight, with any"
    " value, so that no other web page can make a browser send it. An address typed into a browser lacks them: use"
    " GraphiQL, send a POST, or try curl -H 'ET-Client-Name: <company>-<application>' '<this address>'."
)
MOST_URL_PARAMETERS = 20

logger = structlog.stdlib.get_logger(__name__)


class RequestRefused(Exception):
    """The HTTP request cannot be served: its HTTP status, error code, message and further headers."""

    def __init__(self, status: int, code: ErrorCode, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, headers


@dataclass(frozen=True, slots=True)
class Parameters:
    """A well-formed GraphQL-over-HTTP request."""

    query: str
    operation_name: str | None
    variables: dict[str, Any] | None
    extensions: dict[str, Any] | None


class GraphQLEndpoint:
    """The ASGI application that serves a schema: `Route("/graphql", GraphQLEndpoint(schema, make_context))`.

    `make_context` makes the context of each operation; a `Refused` from it is answered with its category's status.
    A body over the limit is answered 413; what else is over the `limits` is refused before anything runs. An operation
    over `execution_timeout` seconds is cancelled and answered 503.
    """

    def __init__(
        self,
        schema: strawberry.Schema,
        make_context: Callable[[Request], object],
        *,
        limits: Limits | None = None,
        execution_timeout: float = 30,
    ) -> None:
        self.schema = schema
        self.make_context = make_context
        self.limits = limits or Limits()
        self.execution_timeout = execution_timeout
        self._documents = Documents(self.limits)
        self._prices = price_list(schema._schema)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one HTTP request; a websocket is closed, so no subscription protocol is on."""
        if scope["type"] == "websocket":
            await WebSocketClose()(scope, receive, send)
            return
        response = await self.answer(Request(scope, receive))
        await response(scope, receive, send)

    async def answer(self, request: Request) -> Response:
        """The response to one HTTP request; no exception but a cancellation leaves it."""
        media_type: str | None = JSON
        try:
            media_type = negotiate(request.headers.getlist("accept"))
            if request.method not in ("GET", "POST"):
                raise RequestRefused(405, ErrorCode.REQUEST_MALFORMED, "Use GET or POST.", Allow="GET, POST")
            if media_type is None:
                raise RequestRefused(406, ErrorCode.REQUEST_MALFORMED, f"The answer can be {GRAPHQL_JSON} or {JSON}.")
            parameters = await self._read(request)
            return await self._execute(request, parameters, media_type)
        except RequestRefused as refused:
            entry = error_entry(refused.code, refused.message, http_status=refused.status)
            return respond({"errors": [entry]}, refused.status, media_type or JSON, refused.headers)
        except Refused as refused:
            entry = refusal_entry(refused)
            return respond({"errors": [entry]}, entry["extensions"]["status"], media_type or JSON)
        except Exception:
            logger.exception("endpoint_failed")
            return respond({"errors": [error_entry(ErrorCode.INTERNAL, "Internal error")]}, 500, media_type or JSON)

    async def _read(self, request: Request) -> Parameters:
        if request.method == "GET":
            check_not_forged(request.headers)
            return parameters_of(url_parameters(request.scope["query_string"]))
        check_content(request.headers)
        return parameters_of(read_json(await read_body(request, self.limits.body_bytes), "The body"))

    async def _execute(self, request: Request, parameters: Parameters, media_type: str) -> Response:
        try:
            operation_type, cost = self._examine(parameters)
        except GraphQLError as error:
            return respond_errors(error_entries([error], has_run=False), media_type)
        except Refused as refused:
            return respond_errors([refusal_entry(refused)], media_type)
        if operation_type is OperationType.MUTATION and request.method == "GET":
            raise RequestRefused(
                405, ErrorCode.REQUEST_MALFORMED, "A mutation must be sent as a POST request.", Allow="POST"
            )
        context = self.make_context(request)
        try:
            async with asyncio.timeout(self.execution_timeout):
                result = await self.schema.execute(
                    parameters.query,
                    variable_values=parameters.variables,
                    context_value=context,
                    operation_name=parameters.operation_name,
                    operation_extensions=parameters.extensions,
                )
        except TimeoutError:
            message = f"The operation took longer than {self.execution_timeout:g} seconds and was stopped."
            raise RequestRefused(503, ErrorCode.UNAVAILABLE, message) from None
        errors = result.errors or []
        has_run = not isinstance(result, PreExecutionError)
        entries = error_entries(errors, has_run=has_run)
        if result.data is None and not any(error.path for error in errors):
            return respond_errors(entries, media_type)
        body: dict[str, Any] = {"data": result.data}
        if entries:
            body["errors"] = entries
        body["extensions"] = {
            **(result.extensions or {}),
            "cost": {"requested": cost.requested, "budget": self.limits.cost},
        }
        return respond(body, PARTIAL_SUCCESS if entries and media_type == GRAPHQL_JSON else 200, media_type)

    def _examine(self, parameters: Parameters) -> tuple[OperationType, Cost]:
        """The type of the operation to run, and what it asks for. Raises GraphQLError, or Refused for what is over the
        limits and for a text or number that is not let in."""
        document = self._documents.read(parameters.query)
        operation = operation_of(document, parameters.operation_name)
        if operation.operation is OperationType.SUBSCRIPTION:
            raise GraphQLError("Subscriptions are not served.")
        check_values(parameters.variables, self.limits)
        cost = measure(self._prices, document, operation, parameters.variables or {}, self.limits)
        self._documents.keep(parameters.query, document)
        return operation.operation, cost


def negotiate(accept: list[str]) -> str | None:
    """The media type to answer with, of the values of a request's Accept headers; None when none is acceptable."""
    qualities: dict[str, float] = {}
    for item in ",".join(accept).split(","):
        name, settings = _media_type(item)
        if name and _is_utf8(settings):
            qualities[name] = max(qualities.get(name, 0), _quality(settings.get("q", "1")))
    if not qualities:
        return GRAPHQL_JSON
    wildcard = qualities.get("application/*", qualities.get("*/*", 0))
    graphql_json, json = qualities.get(GRAPHQL_JSON, wildcard), qualities.get(JSON, wildcard)
    if not graphql_json and not json:
        return None
    if graphql_json == json:
        return GRAPHQL_JSON if GRAPHQL_JSON in qualities else JSON
    return GRAPHQL_JSON if graphql_json > json else JSON


def _media_type(text: str) -> tuple[str, dict[str, str]]:
    name, *settings = (part.strip().lower() for part in text.split(";"))
    return name, dict(setting.partition("=")[::2] for setting in settings)


def _is_utf8(settings: dict[str, str]) -> bool:
    return settings.get("charset", "utf-8").strip('"') in ("utf-8", "utf8")


def _quality(text: str) -> float:
    try:
        return min(max(float(text), 0), 1) if text != "nan" else 0
    except ValueError:
        return 0


def check_not_forged(headers: Headers) -> None:
    """Raises RequestRefused (403) for a GET that a page of another site could have made a browser send."""
    if not any(headers.get(name) for name in PREFLIGHT_HEADERS):
        raise RequestRefused(403, ErrorCode.FORBIDDEN, ADD_PREFLIGHT_HEADER)


def check_content(headers: Headers) -> None:
    """Raises RequestRefused (415) unless the body is declared as plain JSON in UTF-8.

    A page of another site cannot make a browser send this type without a preflight, so a forged POST ends here.
    """
    name, settings = _media_type(headers.get("content-type", ""))
    if name != JSON or not _is_utf8(settings):
        raise RequestRefused(
            415, ErrorCode.REQUEST_MALFORMED, f"The Content-Type must be {JSON}, in UTF-8.", **{"Accept-Post": JSON}
        )
    if headers.get("content-encoding", "identity").lower() != "identity":
        message = "A compressed body is not accepted."
        raise RequestRefused(415, ErrorCode.REQUEST_MALFORMED, message, **{"Accept-Encoding": "identity"})


async def read_body(request: Request, most: int) -> bytes:
    """The body of a request. Raises RequestRefused: 413 as soon as it is known to be over `most` bytes."""
    too_large = RequestRefused(413, ErrorCode.REQUEST_TOO_LARGE, f"The body may have at most {most} bytes.")
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared[:20]) > most:
        raise too_large
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > most:
                raise too_large
    except ClientDisconnect:
        raise RequestRefused(400, ErrorCode.REQUEST_MALFORMED, "The body ended too early.") from None
    return bytes(body)


def read_json(text: bytes | str, what: str) -> Any:
    """The value of a JSON text. Raises RequestRefused (400), naming `what`, and never quoting the text.

    Whole numbers beyond 64 bits come as floats; `check_values` refuses them.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        is_surrogate = "surrogate in string" in error.msg
        code = ErrorCode.TEXT_INVALID if is_surrogate else ErrorCode.REQUEST_MALFORMED
        raise RequestRefused(400, code, f"{what} is not valid JSON: {error.msg}.") from None


def url_parameters(query_string: bytes) -> dict[str, Any]:
    """The parameters of a GET request, as the JSON object a POST would have. Raises RequestRefused (400)."""
    try:
        pairs = parse_qsl(
            query_string.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MOST_URL_PARAMETERS
        )
    except ValueError:
        raise RequestRefused(400, ErrorCode.REQUEST_MALFORMED, "The URL parameters cannot be read.") from None
    given: dict[str, Any] = dict(pairs)
    if len(given) != len(pairs):
        raise RequestRefused(400, ErrorCode.REQUEST_MALFORMED, "A URL parameter is given twice.")
    for name in ("variables", "extensions"):
        given[name] = read_json(given[name], f"The parameter {name}") if given.get(name) else None
    return given | {"operationName": given.get("operationName") or None}


def parameters_of(given: Any) -> Parameters:
    """The parameters in a JSON value; unknown ones are ignored. Raises RequestRefused (400) for wrong types."""
    if isinstance(given, list):
        raise RequestRefused(400, ErrorCode.REQUEST_MALFORMED, "Batches are not served: send one operation a request.")
    if not isinstance(given, dict):
        raise RequestRefused(400, ErrorCode.REQUEST_MALFORMED, "The body must be a JSON object.")
    query, name = given.get("query"), given.get("operationName")
    variables, extensions = given.get("variables"), given.get("extensions")
    if not isinstance(query, str):
        raise RequestRefused(400, ErrorCode.REQUEST_MALFORMED, "The parameter query must be given, as a string.")
    if not isinstance(name, str | None):
        raise RequestRefused(400, ErrorCode.REQUEST_MALFORMED, "The parameter operationName must be a string.")
    for field, value in (("variables", variables), ("extensions", extensions)):
        if not isinstance(value, dict | None):
            raise RequestRefused(400, ErrorCode.REQUEST_MALFORMED, f"The parameter {field} must be an object.")
    return Parameters(query, name, variables, extensions)


def respond_errors(entries: list[dict[str, Any]], media_type: str) -> Response:
    """The response to a well-formed request that has no data: the status is that of its first error's category.

    As `application/json` a mistake of the caller is 200, because such clients trust no body of another status.
    """
    status: int = entries[0]["extensions"]["status"]
    is_shown_as_200 = media_type == JSON and status < Category.INTERNAL.value
    return respond({"errors": entries}, 200 if is_shown_as_200 else status, media_type)


def respond(body: dict[str, Any], status: int, media_type: str, headers: dict[str, str] | None = None) -> Response:
    """The HTTP response with this body. Raises TypeError for data that is not JSON (a scalar's mistake)."""
    content_type = {"Content-Type": f"{media_type}; charset=utf-8"}
    return Response(orjson.dumps(body), status, HEADERS | content_type | (headers or {}))
