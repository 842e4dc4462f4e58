"""An endpoint for schemas of the tests' own: everyone is let in, and nobody runs out of points."""

from typing import Any

import strawberry
from starlette.requests import Request

from datastore.viewer import ANONYMOUS, Viewer
from gateway.http import GraphQLEndpoint
from gateway.rate import Rate

POINTS = 10**9


class PlainContext:
    """The context of one operation; it masks and reveals nothing."""

    def __init__(self, masked: set[str] | None = None) -> None:
        self.masked = masked or set()

    async def finish(self) -> None:
        """Has nothing to write."""


class LetAllIn:
    """A guard that allows everything."""

    def check(self, *_: object) -> None:
        """Never raises."""

    def may_introspect(self, _viewer: Viewer) -> bool:
        """Everybody may."""
        return True


async def nobody(_authorization: list[str]) -> Viewer:
    """Every caller is anonymous."""
    return ANONYMOUS


async def no_plan(*_: object) -> None:
    """Plans are on, and there is none for any query."""


def plain_context(_request: Request, _viewer: Viewer) -> PlainContext:
    """The context of any request."""
    return PlainContext()


def endpoint(schema: strawberry.Schema, **settings: Any) -> GraphQLEndpoint:
    """The endpoint of a schema; what is not set lets everything through."""
    given: dict[str, Any] = {
        "make_context": plain_context,
        "identify": nobody,
        "guard": LetAllIn(),
        "rate": Rate(POINTS, POINTS, 100),
    }
    return GraphQLEndpoint(schema, **(given | settings))
