"""The gateway inside the test process, started and stopped as a server would, and callers with tokens."""

import base64
import json
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.routing import Route

from datastore.viewer import TenantKind
from gateway.app import create_app
from gateway.http import GraphQLEndpoint
from gateway.identity.demo import ROLES, Role
from gateway.settings import Settings
from tests.gateway.identity.tokens import CLAIMS, AnIssuer

ISSUERS = {kind: AnIssuer(f"https://{kind.value}.example", kind) for kind in sorted(TenantKind, key=lambda k: k.value)}
"""The issuer of each kind of tenant, trusted by every gateway with `settings`."""
ENCRYPTION_KEYS = f"test:{base64.b64encode(b'k' * 32).decode()}"
"""As `tests.conftest.KEYS`: what the builders seal, the gateway opens."""
PLENTY = 10**9


def settings(url: str, **more: Any) -> Settings:
    """The settings of a gateway on this database that trusts `ISSUERS`, never runs a caller out of points, and does
    nothing but answer."""
    given: dict[str, Any] = {
        "database_url": url,
        "issuers": [each.issuer for each in ISSUERS.values()],
        "encryption_keys": ENCRYPTION_KEYS,
        "rate_points": PLENTY,
        "rate_points_per_second": PLENTY,
        "background_seconds": 0,
        "expire_seconds": 0,
    }
    return Settings(**(given | more))


def environment(url: str) -> dict[str, str]:
    """The settings of `settings(url)` as environment variables, for a process."""
    issuers = [each.issuer.model_dump(mode="json", exclude_none=True) for each in ISSUERS.values()]
    return {
        "KUNDEPORT_DATABASE_URL": url,
        "KUNDEPORT_ISSUERS": json.dumps(issuers),
        "KUNDEPORT_ENCRYPTION_KEYS": ENCRYPTION_KEYS,
        "KUNDEPORT_RATE_POINTS": str(PLENTY),
        "KUNDEPORT_RATE_POINTS_PER_SECOND": str(PLENTY),
    }


def authorization(role: str | Role, **claims: Any) -> dict[str, str]:
    """The headers of a caller: one of the demo issuer's roles, or any other; a keyword sets a claim."""
    wanted = ROLES[role] if isinstance(role, str) else role
    given: dict[str, Any] = {
        "organisation_id": wanted.organisation_id,
        "customer_number": wanted.customer_number,
        "employee_id": wanted.employee_id,
        CLAIMS.company_id: wanted.company_id,
        "permissions": sorted(permission.value for permission in wanted.permissions),
        "sub": wanted.subject,
        "azp": wanted.client_id,
    }
    return {"Authorization": f"Bearer {ISSUERS[wanted.tenant].token(**(given | claims))}"}


@asynccontextmanager
async def gateway_client(
    settings: Settings, role: str | Role | None = None, headers: Mapping[str, str] | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a gateway with these settings, signed in as the role, if one is given. Logging is afterwards as it
    was."""
    handlers = logging.getLogger().handlers
    app = create_app(settings)
    inner = starlette_of(app)
    sent = {**(authorization(role) if role else {}), **(headers or {})}
    try:
        async with (
            inner.router.lifespan_context(inner),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway", headers=sent) as client,
        ):
            yield client
    finally:
        logging.getLogger().handlers = handlers


def starlette_of(app: object) -> Starlette:
    """The application inside of the middleware."""
    while not isinstance(app, Starlette):
        app = getattr(app, "app")  # noqa: B009
    return app


def endpoint_of(client: httpx.AsyncClient) -> GraphQLEndpoint:
    """The endpoint that answers a client of `gateway_client`."""
    transport = client._transport
    assert isinstance(transport, httpx.ASGITransport)
    routes = starlette_of(transport.app).router.routes
    (endpoint,) = (route.endpoint for route in routes if isinstance(route, Route) and route.path == "/graphql")
    assert isinstance(endpoint, GraphQLEndpoint)
    return endpoint
