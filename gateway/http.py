"""GraphQL over HTTP: from an HTTP request to a checked operation, and from its result to an answer.

Follows the GraphQL-over-HTTP specification (https://http-spec.graphql.org, edition of September 2026). Choices:
- data with errors is 294 Partial Success as `application/graphql-response+json` and 200 as `application/json`;
- a request or document error is 400 (the edition prefers 422 for some, its audit suite asks for 400), and as
  `application/json` 200 once the request is well-formed; 401, 403 and 429 are shown as either type;
- no Accept header means `application/graphql-response+json`; a client that names neither type gets `application/json`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import Any, NamedTuple, Protocol

import strawberry
from graphql import DocumentNode, GraphQLError, OperationDefinitionNode, OperationType
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocketClose
from strawberry.types.execution import PreExecutionError

from datastore.viewer import Viewer
from gateway.bill import Bill
from gateway.documents import Documents, ParsedDocument, operation_of, parse_document
from gateway.errors import error_entries, error_entry, refusal_entry, unexpected_entry
from gateway.limits import Limits, measure
from gateway.rate import Caller, Rate, identified
from gateway.request import (
    GRAPHQL_JSON,
    JSON,
    Parameters,
    RequestRefused,
    check_content,
    check_not_forged,
    negotiate,
    parameters_of,
    read_body,
    read_json,
    url_parameters,
)
from gateway.response import respond, respond_error, respond_errors, respond_if_changed
from gateway.spent import spent
from gateway.trusted import Trusted
from gateway.values import check_values
from resolvers.errors import ErrorCode, Refused
from schema.cost import price_list

PARTIAL_SUCCESS = 294


class OperationContext(Protocol):
    """What the endpoint needs of the context of an operation."""

    @property
    def masked(self) -> Collection[str]:
        """The fields whose values the caller was not shown, as `Note.text`."""

    async def finish(self) -> None:
        """Called once the operation has run. If it raises, none of the data is answered."""


class Guard(Protocol):
    """Decides whether a caller may run an operation."""

    def check(
        self, document: DocumentNode, operation: OperationDefinitionNode, variables: dict[str, Any], viewer: Viewer, /
    ) -> None:
        """Raises Refused if not."""


class Admitted(NamedTuple):
    """An operation that is to be run."""

    parsed: ParsedDocument
    operation: OperationDefinitionNode


class GraphQLEndpoint:
    """The ASGI application that serves a schema: `Route("/graphql", GraphQLEndpoint(schema, make_context, ...))`.

    - `make_context` makes the context of each operation; a `Refused` from it is answered with its category's status.
    - `identify` tells who asks, from the values of the Authorization headers, and raises `Refused` for a bad token. It
      is asked before the body is read.
    - `guard.check` raises `Refused` for an operation that the caller may not run; it is asked before anything runs.
    - `rate` has the points of all callers. One whose points are used up is answered 429 before its document is parsed.
    - A body over the limit is answered 413, one that takes longer than `client_timeout` seconds 408; what else is over
      the `limits` is refused before anything runs. An operation over `execution_timeout` seconds is cancelled and
      answered 503.
    - With `client_name_required`, a caller that does not name itself in ET-Client-Name is answered 403.
    - With `trusted`, these are the only documents that are run.
    """

    def __init__(
        self,
        schema: strawberry.Schema,
        make_context: Callable[[Request, Viewer], OperationContext],
        *,
        identify: Callable[[list[str]], Awaitable[Viewer]],
        guard: Guard,
        rate: Rate,
        limits: Limits | None = None,
        execution_timeout: float = 30,
        client_timeout: float = 15,
        client_name_required: bool = False,
        trusted: Trusted | None = None,
    ) -> None:
        self.schema = schema
        self.make_context = make_context
        self.identify = identify
        self.guard = guard
        self.rate = rate
        self.limits = limits or Limits()
        self.execution_timeout = execution_timeout
        self.client_timeout = client_timeout
        self.client_name_required = client_name_required
        self.trusted = trusted
        self._documents = Documents()
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
            if request.method == "GET":
                check_not_forged(request.headers)
            else:
                check_content(request.headers)
            viewer = await self.identify(request.headers.getlist("authorization"))
            bill = Bill(self.rate, self._caller(request, viewer))
            parameters = await self._read(request)
            return await self._answer(request, viewer, bill, parameters, media_type)
        except RequestRefused as refused:
            entry = error_entry(refused.code, refused.message, http_status=refused.status)
            return respond_error([entry], refused.status, media_type or JSON, refused.headers)
        except Refused as refused:
            entry = refusal_entry(refused)
        except Exception as error:  # noqa: BLE001
            entry = unexpected_entry(error)
        return respond_error([entry], entry["extensions"]["status"], media_type or JSON)

    def _caller(self, request: Request, viewer: Viewer) -> Caller:
        client = identified(request.headers)
        if self.client_name_required and client is None:
            message = ErrorCode.CLIENT_NAME_REQUIRED.value.long_english
            raise RequestRefused(403, ErrorCode.CLIENT_NAME_REQUIRED, message)
        if viewer.is_signed_in:
            return Caller(f"{viewer.issuer}|{viewer.subject}", client)
        return Caller(f"anonymous|{request.client.host if request.client else ''}", client)

    async def _read(self, request: Request) -> Parameters:
        if request.method == "GET":
            return parameters_of(url_parameters(request.scope["query_string"]))
        body = await read_body(request, self.limits.body_bytes, self.client_timeout)
        return parameters_of(read_json(body, "The body"))

    async def _answer(
        self, request: Request, viewer: Viewer, bill: Bill, parameters: Parameters, media_type: str
    ) -> Response:
        context = self.make_context(request, viewer)
        try:
            parsed, operation = await self._admit(request, viewer, bill, parameters)
        except GraphQLError as error:
            return respond_errors(error_entries([error], has_run=False), media_type)
        except Refused as refused:
            return respond_errors([refusal_entry(refused)], media_type)
        try:
            async with asyncio.timeout(self.execution_timeout):
                result = await self.schema.execute(
                    parsed.text,
                    variable_values=parameters.variables,
                    context_value=context,
                    operation_name=parameters.operation_name,
                    operation_extensions=parameters.extensions,
                )
                await context.finish()
        except TimeoutError:
            message = f"The operation took longer than {self.execution_timeout:g} seconds and was stopped."
            raise RequestRefused(503, ErrorCode.UNAVAILABLE, message) from None
        errors = result.errors or []
        entries = error_entries(errors, has_run=not isinstance(result, PreExecutionError))
        if result.data is None and not any(error.path for error in errors):
            await bill.settle_refused()
            return respond_errors(entries, media_type)
        plan = parsed.plan(self._prices, operation)
        if not self.trusted:
            self._documents.keep(parsed)
        cost = await bill.settle(None if result.data is None else spent(plan, result.data))
        body: dict[str, Any] = {"data": result.data}
        if entries:
            body["errors"] = entries
        body["extensions"] = {**(result.extensions or {}), "cost": cost}
        if context.masked:
            body["extensions"]["masked"] = sorted(context.masked)
        if request.method == "GET" and self.trusted and parameters.document_id is not None and not entries:
            return respond_if_changed(body, media_type, request.headers.getlist("if-none-match"))
        return respond(body, PARTIAL_SUCCESS if entries and media_type == GRAPHQL_JSON else 200, media_type)

    async def _admit(self, request: Request, viewer: Viewer, bill: Bill, parameters: Parameters) -> Admitted:
        """The operation to run, paid for. Raises GraphQLError, Refused or RequestRefused.

        A document is parsed for the toll alone, so that one whose points are used up cannot make the gateway work; one
        that is known needs no parsing, and its caller is asked for points once.
        """
        try:
            parsed = self._find(parameters)
            if parsed is None:
                await bill.pay_toll()
                parsed = parse_document(parameters.query or "", self.limits)
            operation = operation_of(parsed.document, parameters.operation_name)
            if operation.operation is OperationType.SUBSCRIPTION:
                raise GraphQLError("Subscriptions are not served.")
            if operation.operation is OperationType.MUTATION and request.method == "GET":
                message = "A mutation must be sent as a POST request."
                raise RequestRefused(405, ErrorCode.REQUEST_MALFORMED, message, Allow="POST")
            variables = parameters.variables or {}
            check_values(variables, self.limits)
            cost = measure(self._prices, parsed.document, operation, variables, self.limits)
            self.guard.check(parsed.document, operation, variables, viewer)
        except (GraphQLError, Refused, RequestRefused):
            await bill.pay_toll()
            raise
        await bill.reserve(cost.requested)
        return Admitted(parsed, operation)

    def _find(self, parameters: Parameters) -> ParsedDocument | None:
        """The document of a request if it is known already. Raises RequestRefused if it is not one to be run."""
        if self.trusted:
            return self.trusted.find(parameters)
        if parameters.document_id is not None:
            raise RequestRefused(404, ErrorCode.DOCUMENT_UNKNOWN, "No documents are registered with this gateway.")
        return self._documents.get(parameters.query or "")
