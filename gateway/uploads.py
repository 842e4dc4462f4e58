"""The upload of a CSV of employees: `POST /uploads/employees?companyId=...`, which answers `{"uploadId": "..."}`.

It is taken in as it comes, and stored sealed, in parts; `importEmployees` imports it. Refusals have the form that those
of `/graphql` have.
"""

import asyncio
from collections.abc import AsyncIterator, Callable

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from datastore.viewer import Permission, Viewer
from gateway.bill import Bill
from gateway.errors import error_entry, refusal_entry, unexpected_entry
from gateway.http import GraphQLEndpoint
from gateway.request import JSON, RequestRefused, check_content
from gateway.response import respond, respond_error
from resolvers.context import Context
from resolvers.employee.uploads import Upload
from resolvers.errors import ErrorCode, Refused, refuse
from resolvers.scalars import read_long
from schema.permission import Callers, Need

PATH = "/uploads/employees"
CSV = "text/csv"
NEED = Need(Permission.EMPLOYEE_WRITE, Callers.CLIENTS)
LEAST_SPEED = 50_000
"""Bytes a second: a client that sends more slowly, after the time for a request, is sent away."""
BYTES_A_BILL = 1_000_000
"""Of a body whose size is not told before: how much is paid for at a time."""


class EmployeeUploads:
    """The ASGI application that takes uploads in. Callers are identified, named and charged as by the endpoint of
    `/graphql`; they need the permission and are clients, not users.

    A body over `most_bytes` is answered 413, one that comes too slowly 408. Whatever goes wrong, nothing of the upload
    is left.
    """

    def __init__(
        self,
        endpoint: GraphQLEndpoint,
        make_context: Callable[[Request, Viewer], Context],
        *,
        most_bytes: int,
        client_timeout: float,
    ) -> None:
        self.endpoint = endpoint
        self.make_context = make_context
        self.most_bytes = most_bytes
        self.client_timeout = client_timeout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one HTTP request."""
        response = await self.answer(Request(scope, receive))
        await response(scope, receive, send)

    async def answer(self, request: Request) -> Response:
        """The response to one HTTP request; no exception but a cancellation leaves it."""
        try:
            if request.method != "POST":
                raise RequestRefused(405, ErrorCode.REQUEST_MALFORMED, "Use POST.", Allow="POST")
            check_content(request.headers, CSV)
            viewer = await self.endpoint.identify(request.headers.getlist("authorization"))
            bill = Bill(self.endpoint.rate, self.endpoint.caller(request, viewer))
            await bill.pay_toll()
            if not NEED.is_met_by(viewer):
                code = ErrorCode.FORBIDDEN if viewer.is_signed_in else ErrorCode.SIGN_IN_REQUIRED
                raise refuse(code, message=f"An upload needs {NEED.in_words()}.")
            import_id = await self._take(request, viewer, bill)
            return respond({"uploadId": str(import_id)}, 200, JSON)
        except RequestRefused as refused:
            entry = error_entry(refused.code, refused.message, http_status=refused.status)
            return respond_error([entry], refused.status, JSON, refused.headers)
        except ClientDisconnect:
            entry = error_entry(ErrorCode.REQUEST_MALFORMED, "The body ended too early.")
        except Refused as refused:
            entry = refusal_entry(refused)
        except Exception as error:  # noqa: BLE001
            entry = unexpected_entry(error)
        return respond_error([entry], entry["extensions"]["status"], JSON)

    async def _take(self, request: Request, viewer: Viewer, bill: Bill) -> int:
        """The key of the upload. Raises RequestRefused or Refused."""
        given = request.query_params.getlist("companyId")
        if len(given) != 1:
            raise RequestRefused(400, ErrorCode.REQUEST_MALFORMED, "The URL needs one companyId.")
        context = self.make_context(request, viewer)
        declared = declared_size(request)
        self._check_size(declared)
        upload = await Upload.begin(context, read_long(given[0]))
        try:
            await bill.pay_body(declared)
            unpaid, received = 0, 0
            async for piece in self._pieces(request):
                received += len(piece)
                self._check_size(received)
                unpaid += len(piece) if received > declared else 0
                if unpaid >= BYTES_A_BILL:
                    await bill.pay_body(unpaid)
                    unpaid = 0
                await upload.add(piece)
            await bill.pay_body(unpaid)
            await upload.end()
        except BaseException:
            await asyncio.shield(upload.abandon())
            raise
        return upload.import_id

    async def _pieces(self, request: Request) -> AsyncIterator[bytes]:
        """The body as it comes. Raises RequestRefused (408)."""
        clock = asyncio.get_running_loop().time
        begun, received = clock(), 0
        stream = request.stream()
        while True:
            try:
                async with asyncio.timeout_at(begun + self.client_timeout + received / LEAST_SPEED):
                    piece = await anext(stream, None)
            except TimeoutError:
                message = f"The body came too slowly: it needs {LEAST_SPEED:,} bytes a second."
                # The rest of it may still come: it must not be taken for the next request.
                raise RequestRefused(408, ErrorCode.REQUEST_MALFORMED, message, Connection="close") from None
            if piece is None:
                return
            received += len(piece)
            yield piece

    def _check_size(self, size: int) -> None:
        """Raises RequestRefused (413)."""
        if size > self.most_bytes:
            message = f"The body may have at most {self.most_bytes} bytes."
            raise RequestRefused(413, ErrorCode.REQUEST_TOO_LARGE, message)


def declared_size(request: Request) -> int:
    """How many bytes the body will have; 0 if that is not told."""
    declared = request.headers.get("content-length", "0")
    return int(declared[:20]) if declared.isdecimal() else 0
