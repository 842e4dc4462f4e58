"""Writing an HTTP response: status, headers and bytes of an answer, and whether the caller has it already."""

from functools import cache
from hashlib import sha256
from typing import Any

import orjson
from starlette.datastructures import MutableHeaders
from starlette.responses import Response

from gateway.request import JSON
from resolvers.errors import Category, ErrorCode

HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
KEPT_BY_THE_CALLER = {
    "Cache-Control": "private, no-cache",
    "Vary": "Authorization, Accept, ET-Client-Name, X-Access-Reason",
}
"""Headers of an answer that its caller may keep, and has to ask about each time."""
CHALLENGES = {
    ErrorCode.TOKEN_INVALID.name: 'Bearer error="invalid_token"',
    ErrorCode.SIGN_IN_REQUIRED.name: "Bearer",
}
"""What the header WWW-Authenticate says (RFC 6750)."""
# Clients that ask for application/json trust no body of another status than 200, but they, their libraries and the
# proxies between have to see these ones: that a token is to be renewed, a call forbidden, or to be made later.
ALWAYS_SHOWN = {Category.UNAUTHENTICATED.value, Category.FORBIDDEN.value, Category.RATE_LIMITED.value}


def respond_errors(entries: list[dict[str, Any]], media_type: str) -> Response:
    """The response to a well-formed request that has no data: the status is that of its first error's category.

    As `application/json` a mistake in the operation is 200.
    """
    extensions = entries[0]["extensions"]
    status: int = extensions["status"]
    is_shown = status in ALWAYS_SHOWN or status >= Category.INTERNAL.value or media_type != JSON
    return respond_error(entries, status if is_shown else 200, media_type)


def respond_error(
    entries: list[dict[str, Any]], status: int, media_type: str, headers: dict[str, str] | None = None
) -> Response:
    """The response with these errors, this status, and a challenge to sign in if that is what the first one asks."""
    challenge = CHALLENGES.get(entries[0]["extensions"]["errorCode"])
    challenged = {"WWW-Authenticate": challenge} if challenge else {}
    return respond({"errors": entries}, status, media_type, challenged | (headers or {}))


def respond(body: dict[str, Any], status: int, media_type: str, headers: dict[str, str] | None = None) -> Response:
    """The HTTP response with this body. Raises TypeError for data that is not JSON (a scalar's mistake)."""
    response = Response(orjson.dumps(body), status)
    response.raw_headers += raw_headers(media_type)
    if headers:
        response.headers.update(headers)
    return response


@cache
def raw_headers(media_type: str) -> list[tuple[bytes, bytes]]:
    """The headers of an answer of a media type."""
    return MutableHeaders(HEADERS | {"Content-Type": f"{media_type}; charset=utf-8"}).raw


def respond_if_changed(body: dict[str, Any], media_type: str, if_none_match: list[str]) -> Response:
    """The response with an answer that has `data` and no errors: 304 without a body if the values of the headers
    If-None-Match have the tag of its data already.

    The tag is weak: the same data comes with another cost and correlation id each time.
    """
    data = orjson.dumps(body["data"])
    tag = f'W/"{sha256(data).hexdigest()}"'
    headers = KEPT_BY_THE_CALLER | {"ETag": tag}
    known = {each.strip().removeprefix("W/") for each in ",".join(if_none_match).split(",")}
    if known & {"*", tag.removeprefix("W/")}:
        return Response(status_code=304, headers=HEADERS | headers)
    return respond(body | {"data": orjson.Fragment(data)}, 200, media_type, headers)
