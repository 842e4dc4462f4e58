"""What stands between a client's connection and the application: patience with slow clients, the size of a request's
head, the web pages that may call, and the headers that every answer has."""

import asyncio
import re
from asyncio import TimerHandle
from collections.abc import Sequence
from functools import partial
from typing import Any, cast

import structlog
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

MOST_URL_BYTES = 32 * 1024
MOST_HEAD_BYTES = 128 * 1024
MOST_HEADERS = 100
MOST_PIPELINED = 100
CORS_METHODS = ("GET", "POST")
CORS_REQUEST_HEADERS = (
    "Authorization",
    "Content-Type",
    "ET-Client-Name",
    "X-Correlation-Id",
    "X-Access-Reason",
    "GraphQL-Require-Preflight",
    "X-Requested-With",
    "If-None-Match",
)
CORS_RESPONSE_HEADERS = ("X-Correlation-Id", "Retry-After", "ETag")
CORS_MAX_AGE = 600
ORIGIN = re.compile(r"(https?)://(?:[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f:]+\])(?::([0-9]{1,5}))?")
DEFAULT_PORTS = {"http": "80", "https": "443"}
SECURITY_HEADERS = ((b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer"))
ONLY_THIS_ORIGIN = (b"cross-origin-resource-policy", b"same-origin")
ALLOWED_ORIGIN = b"access-control-allow-origin"

logger = structlog.stdlib.get_logger(__name__)


class HeadRefused(Exception):
    """A request's head is over a limit. Raised inside of the parser, which stops there."""


def client_protocol(client_timeout: float) -> type[asyncio.Protocol]:
    """What `uvicorn.Config(http=...)` takes to serve with `ClientProtocol`; it can be pickled, for worker processes."""
    return cast("type[asyncio.Protocol]", partial(ClientProtocol, client_timeout=client_timeout))


class ClientProtocol(HttpToolsProtocol):
    """Uvicorn's protocol, with limits to what a client can hold on to.

    - A request's head must have come `client_timeout` seconds after the connection was made or after the head's first
      byte: else 408, or nothing where nothing has come, and the connection is closed.
    - An answer must be taken in as many seconds, counted from when the connection cannot take all of it at once: else
      the rest is dropped with the connection.
    - A URL over `MOST_URL_BYTES` is answered 414, a head over `MOST_HEAD_BYTES` or `MOST_HEADERS` 431.

    The time for a body is the matter of `gateway.request`, since only the application can answer in its own form.
    Timers run only for what did not go through at once, so a usual request costs none.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        client_timeout: float,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._client_timeout = client_timeout
        self._expects_head = True
        self._ended_message = False
        self._chunk = 0
        self._received = 0  # since the last head or piece of a body that was complete
        self._refusal: tuple[int, str] | None = None
        self._sending: TimerHandle | None = None
        self._taking: TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_sending()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._stop_sending_timer()
        self._stop_taking_timer()

    def data_received(self, data: bytes) -> None:
        self._chunk = len(data)
        self._received += self._chunk
        self._ended_message = False
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._received > MOST_HEAD_BYTES:
            # A head without an end; or trailers and chunk extensions, which no body limit counts.
            self._refuse(431, "The request head is too large.")
        elif self._expects_head and not self._ended_message:
            self._await_sending()

    def on_headers_complete(self) -> None:
        self._check_head()
        self._expects_head = False
        self._received = 0
        self._stop_sending_timer()
        super().on_headers_complete()
        # The scope keeps the list it has. Trailers, which the parser reports like headers, must not get into it.
        self.headers = []

    def on_body(self, body: bytes) -> None:
        self._received = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._expects_head = self._ended_message = True
        self._received = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing():
            self._await_taking()
        elif not self._expects_head and self.cycle.response_complete:
            # Refused before its end, the body may go on; what comes now stops uvicorn's own timer for idle connections.
            self._await_sending()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._await_taking()

    def resume_writing(self) -> None:
        super().resume_writing()
        if not self.transport.is_closing():
            self._stop_taking_timer()

    def timeout_keep_alive_handler(self) -> None:
        self._close()

    def shutdown(self) -> None:
        super().shutdown()
        if self.transport.is_closing():
            self._await_taking()

    def send_400_response(self, msg: str) -> None:
        self._refuse(*(self._refusal or (400, msg)))

    def _unsupported_upgrade_warning(self) -> None:
        """An upgrade is answered like any other request. The parser reads nothing after it, so no more is waited for;
        uvicorn's warning tells to install what is left out on purpose."""
        if self.cycle is not None:
            self.cycle.keep_alive = False

    def _check_head(self) -> None:
        if len(self.url) > MOST_URL_BYTES:
            self._refusal = 414, "The URL is too long."
        elif len(self.headers) > MOST_HEADERS:
            self._refusal = 431, "The request has too many headers."
        elif max(self._received, self._chunk) > MOST_HEAD_BYTES and self._head_bytes() > MOST_HEAD_BYTES:
            self._refusal = 431, "The request head is too large."
        elif len(self.pipeline) >= MOST_PIPELINED:
            self._refusal = 400, "Too many requests wait on this connection."
        else:
            return
        raise HeadRefused

    def _head_bytes(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _refuse(self, status: int, message: str) -> None:
        """Answers the request that is being received, unless that would get into the answer to an earlier one."""
        earlier_is_open = self._expects_head and self._is_answering()
        if not earlier_is_open and not self.pipeline and (self._expects_head or not self._has_begun_answer()):
            body = message.encode("ascii")
            head = (b"content-type: text/plain; charset=utf-8", b"content-length: %d" % len(body), b"connection: close")
            defaults = [b"%s: %s" % header for header in self.server_state.default_headers]
            always = [b"%s: %s" % header for header in (*SECURITY_HEADERS, ONLY_THIS_ORIGIN)]
            self.transport.write(STATUS_LINE[status] + b"\r\n".join([*defaults, *head, *always, b"", body]))
        self._close()

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _has_begun_answer(self) -> bool:
        return self.cycle is not None and self.cycle.response_started

    def _close(self) -> None:
        self.transport.close()
        self._await_taking()

    def _await_sending(self) -> None:
        if self._sending is None:
            self._sending = self.loop.call_later(self._client_timeout, self._sent_too_slowly)

    def _stop_sending_timer(self) -> None:
        if self._sending is not None:
            self._sending.cancel()
            self._sending = None

    def _sent_too_slowly(self) -> None:
        self._sending = None
        if self.transport.is_closing():
            return
        if self._is_answering():
            # The earlier request has limits of its own, and its answer is not to be lost for the start of a next one.
            self._await_sending()
            return
        logger.info("client_too_slow", while_="sending", received=self._received)
        if self._expects_head and self._received:
            self._refuse(408, f"The request head did not come within {self._client_timeout:g} seconds.")
        else:
            self._close()

    def _await_taking(self) -> None:
        if self._taking is None:
            self._taking = self.loop.call_later(self._client_timeout, self._taken_too_slowly)

    def _stop_taking_timer(self) -> None:
        if self._taking is not None:
            self._taking.cancel()
            self._taking = None

    def _taken_too_slowly(self) -> None:
        self._taking = None
        logger.info("client_too_slow", while_="taking", left=self.transport.get_write_buffer_size())
        self.transport.abort()


class SecurityHeaders:
    """ASGI middleware that gives every answer the headers that keep browsers from using it otherwise than meant.

    A header that the application set is left as it is. An answer to a web page of an allowed origin is for that page.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one ASGI connection."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = message.get("headers", ())
                names = dict(given)  # ASGI has them in small letters
                headers = [header for header in SECURITY_HEADERS if header[0] not in names]
                if ALLOWED_ORIGIN not in names and ONLY_THIS_ORIGIN[0] not in names:
                    headers.append(ONLY_THIS_ORIGIN)
                message["headers"] = [*given, *headers]
            await send(message)

        await self.app(scope, receive, send_with_headers if scope["type"] == "http" else send)


def allowing_origins(app: ASGIApp, origins: Sequence[str]) -> ASGIApp:
    """The application, also for web pages of these origins; unchanged when there are none.

    Raises ValueError as `checked_origins` does. Browsers send no cookies: a page must have a token of its own.
    """
    if not origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=checked_origins(origins),
        allow_methods=CORS_METHODS,
        allow_headers=CORS_REQUEST_HEADERS,
        allow_credentials=False,
        expose_headers=CORS_RESPONSE_HEADERS,
        max_age=CORS_MAX_AGE,
    )


def checked_origins(origins: Sequence[str]) -> list[str]:
    """The origins as they came. Raises ValueError for one that no browser would send as it is written, which would
    silently never match, and for `*`: on a company's network any page on the web could then reach the gateway."""
    for origin in origins:
        if origin == "*":
            raise ValueError("`*` is not accepted: name each origin whose web pages may call the gateway")
        found = ORIGIN.fullmatch(origin)
        if not found or found[2] == DEFAULT_PORTS[found[1]]:
            raise ValueError(
                f"{origin!r} is not an origin as browsers send it: https://host or https://host:port in small letters,"
                " without a path, a slash at the end or the usual port"
            )
    return list(origins)
