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

import orjson
import strawberry
from graphql import DocumentNode, GraphQLError, OperationDefinitionNode, OperationType
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocketClose
from strawberry.types.execution import ExecutionResult, PreExecutionError

from datastore.viewer import Viewer
from gateway.bill import Bill
from gateway.documents import GIVEN, Documents, Given, GivenDocument, ParsedDocument, operation_of, parse_document
from gateway.errors import error_entries, error_entry, refusal_entry, unexpected_entry
from gateway.limits import Limits
from gateway.rate import Caller, Rate, anonymous, identified
from gateway.request import (
    GRAPHQL_JSON,
    JSON,
    GraphQLRequest,
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

    def may_introspect(self, viewer: Viewer, /) -> bool:
        """Whether errors may tell the caller names of the schema that look like a wrong one."""


class Admitted(NamedTuple):
    """An operation that is to be run. `is_known` tells that its document is known to be valid."""

    parsed: ParsedDocument
    operation: OperationDefinitionNode
    is_known: bool


class PlannedAnswer(Protocol):
    """What a plan answered: the JSON of `data`, and what it cost."""

    @property
    def data(self) -> bytes: ...

    @property
    def points(self) -> int: ...


Planned = Callable[[ParsedDocument, OperationDefinitionNode, dict[str, Any], Any], Awaitable[PlannedAnswer | None]]


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
    - A body over 16 kB, and a document that is refused, cost by their size; the caller must have these points before
      they are parsed.
    - With `trusted`, these are the only documents that are run.
    - `planned` runs a query whose document is known to be valid, or answers None: then it is run in the ordinary way,
      which also finds out what is wrong where something is.
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
        planned: Planned | None = None,
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
        self.planned = planned
        if GivenDocument not in schema.extensions:
            schema.extensions = (*schema.extensions, GivenDocument)
        self._documents = Documents()
        self._prices = price_list(schema._schema)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one HTTP request; a websocket is closed, so no subscription protocol is on."""
        if scope["type"] == "websocket":
            await WebSocketClose()(scope, receive, send)
            return
        response = await self.answer(GraphQLRequest(scope, receive))
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
            bill = Bill(self.rate, self.caller(request, viewer))
            parameters = await self._read(request, bill)
            return await self._answer(request, viewer, bill, parameters, media_type)
        except RequestRefused as refused:
            entry = error_entry(refused.code, refused.message, http_status=refused.status)
            return respond_error([entry], refused.status, media_type or JSON, refused.headers)
        except Refused as refused:
            entry = refusal_entry(refused)
        except Exception as error:  # noqa: BLE001
            entry = unexpected_entry(error)
        return respond_error([entry], entry["extensions"]["status"], media_type or JSON)

    def caller(self, request: Request, viewer: Viewer) -> Caller:
        """Who pays for a request. Raises RequestRefused (403) for one that does not name itself where it has to."""
        client = identified(request.headers)
        if self.client_name_required and client is None:
            message = ErrorCode.CLIENT_NAME_REQUIRED.value.long_english
            raise RequestRefused(403, ErrorCode.CLIENT_NAME_REQUIRED, message)
        if viewer.is_signed_in:
            return Caller(f"{viewer.issuer}|{viewer.subject}", client)
        return Caller(f"anonymous|{anonymous(request.client.host if request.client else '')}", client)

    async def _read(self, request: Request, bill: Bill) -> Parameters:
        """The parameters of the request. Raises RequestRefused or Refused, for which the caller has then paid."""
        try:
            if request.method == "GET":
                return parameters_of(url_parameters(request.scope["query_string"]))
            body = await read_body(request, self.limits.body_bytes, self.client_timeout)
            await bill.pay_body(len(body))
            return parameters_of(read_json(body, "The body"))
        except (RequestRefused, Refused):
            await bill.pay_toll()
            raise

    async def _answer(
        self, request: Request, viewer: Viewer, bill: Bill, parameters: Parameters, media_type: str
    ) -> Response:
        context = self.make_context(request, viewer)
        try:
            parsed, operation, is_known = await self._admit(request, viewer, bill, parameters)
        except GraphQLError as error:
            return respond_errors(error_entries([error], has_run=False), media_type)
        except Refused as refused:
            return respond_errors([refusal_entry(refused)], media_type)
        try:
            async with asyncio.timeout(self.execution_timeout):
                if self.planned and is_known and operation.operation is OperationType.QUERY:
                    answer = await self.planned(parsed, operation, parameters.variables or {}, context)
                    if answer is not None:
                        await context.finish()
                        if not self.trusted:
                            self._documents.keep(parsed)  # it is in use, and its plans may have grown
                        cost = await bill.settle(answer.points)
                        body: dict[str, Any] = {"data": orjson.Fragment(answer.data), "extensions": {"cost": cost}}
                        return self._respond(request, parameters, context, body, media_type)
                    context = self.make_context(request, viewer)
                result = await self._execute(parsed, is_known, parameters, context)
                await context.finish()
        except TimeoutError:
            message = f"The operation took longer than {self.execution_timeout:g} seconds and was stopped."
            raise RequestRefused(503, ErrorCode.UNAVAILABLE, message) from None
        errors = result.errors or []
        has_run, suggests = not isinstance(result, PreExecutionError), self.guard.may_introspect(viewer)
        entries = error_entries(errors, has_run=has_run, suggests=suggests)
        if result.data is None and not any(error.path for error in errors):
            await bill.settle_refused()
            return respond_errors(entries, media_type)
        parsed.is_valid = True
        plan = parsed.plan(self._prices, operation)
        if not self.trusted:
            self._documents.keep(parsed)
        cost = await bill.settle(None if result.data is None else spent(plan, result.data))
        body = {"data": result.data}
        if entries:
            body["errors"] = entries
        body["extensions"] = {**(result.extensions or {}), "cost": cost}
        return self._respond(request, parameters, context, body, media_type)

    async def _execute(
        self, parsed: ParsedDocument, is_known: bool, parameters: Parameters, context: OperationContext
    ) -> ExecutionResult:
        """What Strawberry answers. Without plans it does all of it each time, as what plans are compared with."""
        again = is_known and self.planned is None
        before = GIVEN.set(Given(None if again else parsed.document, parsed.is_valid and not again))
        try:
            return await self.schema.execute(
                parsed.text,
                variable_values=parameters.variables,
                context_value=context,
                operation_name=parameters.operation_name,
                operation_extensions=parameters.extensions,
            )
        finally:
            GIVEN.reset(before)

    def _respond(
        self,
        request: Request,
        parameters: Parameters,
        context: OperationContext,
        body: dict[str, Any],
        media_type: str,
    ) -> Response:
        """The response to an operation that has run."""
        entries = body.get("errors")
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
            parsed = known = self._find(parameters)
            if parsed is None:
                text = parameters.query or ""
                # A longer one is not even parsed.
                await bill.pay_toll(len(text) if len(text) <= self.limits.document_length else 0)
                parsed = parse_document(text, self.limits)
            operation = operation_of(parsed.document, parameters.operation_name)
            if operation.operation is OperationType.SUBSCRIPTION:
                raise GraphQLError("Subscriptions are not served.")
            if operation.operation is OperationType.MUTATION and request.method == "GET":
                message = "A mutation must be sent as a POST request."
                raise RequestRefused(405, ErrorCode.REQUEST_MALFORMED, message, Allow="POST")
            variables = parameters.variables or {}
            check_values(variables, self.limits)
            cost = parsed.cost(self._prices, operation, variables, self.limits)
            self.guard.check(parsed.document, operation, variables, viewer)
        except (GraphQLError, Refused, RequestRefused):
            await bill.pay_toll()
            raise
        await bill.reserve(cost.requested)
        return Admitted(parsed, operation, known is not None)

    def _find(self, parameters: Parameters) -> ParsedDocument | None:
        """The document of a request if it is known already. Raises RequestRefused if it is not one to be run."""
        if self.trusted:
            return self.trusted.find(parameters)
        if parameters.document_id is not None:
            raise RequestRefused(404, ErrorCode.DOCUMENT_UNKNOWN, "No documents are registered with this gateway.")
        return self._documents.get(parameters.query or "")
