"""The correlation id of each request: taken from the caller or made here, logged, echoed and put in errors."""

import re
import time
from functools import lru_cache
from os import urandom

import structlog
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.log import CORRELATION_ID, log_request
from gateway.request import headers_of
from resolvers.errors import ErrorCode, refuse

HEADER = "X-Correlation-Id"
RAW_HEADER = HEADER.lower().encode()
LONGEST_ID = 64
ID_BYTES = 16
LONGEST_CLIENT_NAME = 100
LONGEST_PATH = 200
SHORTEST_REASON, LONGEST_REASON = 3, 200
ALLOWED_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
NOT_IN_CLIENT_NAME = re.compile(r"[^A-Za-z0-9æøåÆØÅ._ -]")
NOT_IN_PATH = re.compile(r"[^!-~æøåÆØÅ]")

logger = structlog.stdlib.get_logger(__name__)


def correlation_id() -> str:
    """The correlation id of the request being served; the empty text outside of any request."""
    return CORRELATION_ID.get()


def client_name(headers: Headers) -> str | None:
    """The name the caller gives itself in ET-Client-Name, cut and with other characters than those of names removed.

    Answers None when the header is missing or nothing of it is left.
    """
    return _as_name(headers.get("ET-Client-Name", "")[: 2 * LONGEST_CLIENT_NAME])


@lru_cache(maxsize=1_000)
def _as_name(given: str) -> str | None:
    name = decoded(given)
    return NOT_IN_CLIENT_NAME.sub("", name)[:LONGEST_CLIENT_NAME].strip() or None


def access_reason(headers: Headers) -> str:
    """Why the caller wants to see sensitive values, from X-Access-Reason; the empty text without the header.

    Raises Refused: ACCESS_REASON_INVALID, unless it is up to 200 printable characters, three of them letters or digits.
    """
    given = headers.getlist("X-Access-Reason")
    if not given:
        return ""
    reason = decoded(given[0][: 4 * LONGEST_REASON + 1]).strip()
    tells = sum(character.isalnum() for character in reason) >= SHORTEST_REASON  # "..." is no reason
    if len(given) > 1 or not tells or len(reason) > LONGEST_REASON or not reason.isprintable():
        raise refuse(ErrorCode.ACCESS_REASON_INVALID)
    return reason


def decoded(header: str) -> str:
    """The text of a header. Starlette reads headers as Latin-1, but clients send æ, ø and å as UTF-8 too."""
    raw = header.encode("latin-1", "replace")
    return raw.decode("utf-8") if _is_utf8(raw) else header


class CorrelationMiddleware:
    """ASGI middleware that gives each request its id and writes one access log line for it.

    Wrap it around the whole application: an exception that nothing else handled is logged here (see `gateway.log` for
    what is left out) and answered with a bare 500, so the server's own log never sees its message.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one ASGI connection; other kinds than HTTP requests pass through untouched."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = headers_of(scope)
        current = _accepted(headers.get(HEADER, "")) or urandom(ID_BYTES).hex()
        started = time.perf_counter()
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (RAW_HEADER, current.encode())]
            await send(message)

        token = CORRELATION_ID.set(current)
        try:
            try:
                await self.app(scope, receive, send_with_id)
            except Exception:
                logger.exception("request_failed")
                if not status:
                    await PlainTextResponse("Internal error", 500)(scope, receive, send_with_id)
            finally:
                log_request(
                    method=scope["method"],
                    path=logged_path(scope["path"], status),
                    status=status,
                    milliseconds=round((time.perf_counter() - started) * 1000, 1),
                    client=client_name(headers),
                )
        finally:
            CORRELATION_ID.reset(token)


def logged_path(path: str, status: int) -> str:
    """The path for the access log. One that is not found is left out: clients of other systems put keys into it."""
    return "?" if status == 404 else NOT_IN_PATH.sub("?", path[:LONGEST_PATH])


def _accepted(given: str) -> str | None:
    return given if len(given) <= LONGEST_ID and ALLOWED_ID.fullmatch(given) else None


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
