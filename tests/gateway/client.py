"""The gateway inside the test process, started and stopped as a server would."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from starlette.applications import Starlette

from gateway.app import create_app
from gateway.settings import Settings


@asynccontextmanager
async def gateway_client(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a gateway with these settings. Logging is afterwards as it was."""
    handlers = logging.getLogger().handlers
    app = create_app(settings)
    inner = starlette_of(app)
    try:
        async with (
            inner.router.lifespan_context(inner),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client,
        ):
            yield client
    finally:
        logging.getLogger().handlers = handlers


def starlette_of(app: object) -> Starlette:
    inner = getattr(app, "app", None)
    assert isinstance(inner, Starlette)
    return inner
