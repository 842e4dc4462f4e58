"""Reading an HTTP request: what GraphQL over HTTP asks of it, before anything is known of its document."""

import asyncio
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import orjson
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import Scope

from resolvers.errors import ErrorCode

GRAPHQL_JSON = "application/graphql-response+json"
JSON = "application/json"
# A browser sends none of these across sites without asking first (a preflight), so a forged GET lacks them.
PREFLIGHT_HEADERS = ("ET-Client-Name", "Authorization", "X-Requested-With", "GraphQL-Require-Preflight")
ADD_PREFLIGHT_HEADER = (
    "A GET request needs one of the headers ET-Client-Name, Authorization, X-Requested-With and"
    " GraphQL-Require-Preflight, with any value, so that no other web page can make a browser send it. An address typed"
    " into a browser lacks them: use GraphiQL, send a POST, or try curl -H 'ET-Client-Name: <company>-<application>'"
    " '<this address>'."
)
MOST_URL_PARAMETERS = 20
# Each list and each object costs the parser memory and time. Other limits let in a third as many.
MOST_BRACKETS = 20_000
HEADERS = "kundeport.headers"
"""Where a scope has the headers that `headers_of` answers."""
LONGEST_KEPT = 200
"""Of Accept headers: what longer ones ask for is worked out each time."""


class RequestRefused(Exception):
    """The HTTP request cannot be served: its HTTP status, error code, message and further headers."""

    def __init__(self, status: int, code: ErrorCode, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, headers


class RequestHeaders(Headers):
    """The headers of a request, each found without a walk through the others."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(scope=scope)
        self._by_name: dict[str, list[str]] = {}
        for name, value in self.raw:
            self._by_name.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1"))

    def get(self, key: str, default: Any = None) -> Any:
        found = self._by_name.get(key.lower())
        return found[0] if found else default

    def getlist(self, key: str) -> list[str]:
        return self._by_name.get(key.lower(), [])


def headers_of(scope: Scope) -> Headers:
    """The headers of a request, sorted once for all who look at them."""
    found: Headers | None = scope.get(HEADERS)
    if found is None:
        found = scope[HEADERS] = RequestHeaders(scope)
    return found


class GraphQLRequest(Request):
    """A request with `headers_of` its scope."""

    @property
    def headers(self) -> Headers:
        return headers_of(self.scope)


class Parameters(NamedTuple):
    """A well-formed GraphQL-over-HTTP request: it has a `query`, or the `document_id` of a document, or both."""

    query: str | None
    document_id: str | None
    operation_name: str | None
    variables: dict[str, Any] | None
    extensions: dict[str, Any] | None


def negotiate(accept: list[str]) -> str | None:
    """The media type to answer with, of the values of a request's Accept headers; None when none is acceptable."""
    text = ",".join(accept)
    return _preferred(text) if len(text) <= LONGEST_KEPT else _preferred.__wrapped__(text)


@lru_cache(maxsize=100)
def _preferred(accept: str) -> str | None:
    qualities: dict[str, float] = {}
    for item in accept.split(","):
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


def _media_type(text: str) -> tuple[str, Mapping[str, str]]:
    name, *settings = (part.strip().lower() for part in text.split(";"))
    return name, dict(setting.partition("=")[::2] for setting in settings)


def _is_utf8(settings: Mapping[str, str]) -> bool:
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


def check_content(headers: Headers, wanted: str = JSON) -> None:
    """Raises RequestRefused (415) unless the body is declared as plain JSON, or another wanted type, in UTF-8.

    A page of another site cannot make a browser send this type without a preflight, so a forged POST ends here.
    """
    given = headers.get("content-type", "")
    name, settings = (given, {}) if given == wanted else _media_type(given)
    if name != wanted or not _is_utf8(settings):
        raise RequestRefused(
            415, ErrorCode.REQUEST_MALFORMED, f"The Content-Type must be {wanted}, in UTF-8.", **{"Accept-Post": wanted}
        )
    if headers.get("content-encoding", "identity").lower() != "identity":
        message = "A compressed body is not accepted."
        raise RequestRefused(415, ErrorCode.REQUEST_MALFORMED, message, **{"Accept-Encoding": "identity"})


async def read_body(request: Request, most: int, seconds: float) -> bytes:
    """The body of a request. Raises RequestRefused: 413 as soon as it is known to be over `most` bytes, 408 if it is
    not there after so many seconds."""
    too_large = f"The body may have at most {most} bytes."
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared[:20]) > most:
        raise RequestRefused(413, ErrorCode.REQUEST_TOO_LARGE, too_large)
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            while (part := await request.receive())["type"] == "http.request":
                body += part.get("body", b"")
                if len(body) > most:
                    raise RequestRefused(413, ErrorCode.REQUEST_TOO_LARGE, too_large)
                if not part.get("more_body", False):
                    return bytes(body)
    except TimeoutError:
        message = f"The body did not arrive within {seconds:g} seconds."
        # The rest of it may still come: it must not be taken for the next request.
        raise RequestRefused(408, ErrorCode.REQUEST_MALFORMED, message, Connection="close") from None
    raise RequestRefused(400, ErrorCode.REQUEST_MALFORMED, "The body ended too early.")


def read_json(text: bytes | str, what: str) -> Any:
    """The value of a JSON text. Raises RequestRefused (400), naming `what`, and never quoting the text; 413 for one
    with so many lists and objects that reading it would take long.

    Whole numbers beyond 64 bits come as floats; `check_values` refuses them.
    """
    raw = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    if raw.count(b"[") + raw.count(b"{") > MOST_BRACKETS:
        raise RequestRefused(413, ErrorCode.REQUEST_TOO_LARGE, f"{what} has too many lists and objects.")
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
    return given | {name: given.get(name) or None for name in ("operationName", "documentId")}


def parameters_of(given: Any) -> Parameters:
    """The parameters in a JSON value; unknown ones are ignored. Raises RequestRefused (400) for wrong types."""
    if isinstance(given, list):
        raise RequestRefused(400, ErrorCode.REQUEST_MALFORMED, "Batches are not served: send one operation a request.")
    if not isinstance(given, dict):
        raise RequestRefused(400, ErrorCode.REQUEST_MALFORMED, "The body must be a JSON object.")
    query, document_id, name = given.get("query"), given.get("documentId"), given.get("operationName")
    variables, extensions = given.get("variables"), given.get("extensions")
    if not isinstance(query, str) and (query is not None or document_id is None):
        raise RequestRefused(400, ErrorCode.REQUEST_MALFORMED, "The parameter query must be given, as a string.")
    for field, text in (("documentId", document_id), ("operationName", name)):
        if not isinstance(text, str | None):
            raise RequestRefused(400, ErrorCode.REQUEST_MALFORMED, f"The parameter {field} must be a string.")
    for field, value in (("variables", variables), ("extensions", extensions)):
        if not isinstance(value, dict | None):
            raise RequestRefused(400, ErrorCode.REQUEST_MALFORMED, f"The parameter {field} must be an object.")
    return Parameters(query, document_id, name, variables, extensions)
