"""The ASGI application: routes, headers and the database behind them."""

import gc
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import text
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from datastore import migrate
from datastore.database import Database
from datastore.viewer import Viewer
from gateway import log, uploads
from gateway.background import working
from gateway.correlation import CorrelationMiddleware, access_reason, client_name, correlation_id
from gateway.execution.run import Executor
from gateway.expiry import expiring
from gateway.http import GraphQLEndpoint
from gateway.identity.demo import demo_issuers, demo_key, demo_routes
from gateway.identity.identity import Identity
from gateway.identity.tokens import Tokens
from gateway.lifecycle import draining_on_stop, health_routes
from gateway.permissions import Guard
from gateway.rate import Rate
from gateway.settings import Settings
from gateway.transport import SecurityHeaders, allowing_origins
from gateway.trusted import read_trusted
from resolvers import formats
from resolvers.context import Context
from resolvers.employee.batches import ImportJob
from resolvers.employee.reports import ReportJob
from schema.cost import price_list
from schema.root import schema

STATIC = Path(__file__).parent / "static"
EXPLORER_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "font-src 'self'; connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}
ASK_EVERY_TIME = {"Cache-Control": "no-cache"}
GRAPHQL = "/graphql"
NOT_BUILT = "GraphiQL has not been built. Run: make explorer\nThe API is at /graphql.\n"


class NotMigrated(Exception):
    """The database is at another revision than this version of the gateway needs."""


class Shortcut:
    """ASGI middleware that hands HTTP requests for `/graphql` to their endpoint, which answers every exception itself,
    without asking the routes and what is around them."""

    def __init__(self, endpoint: ASGIApp, app: ASGIApp) -> None:
        self.endpoint, self.app = endpoint, app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one ASGI connection."""
        is_graphql = scope["type"] == "http" and scope["path"] == GRAPHQL and not scope.get("root_path")
        await (self.endpoint if is_graphql else self.app)(scope, receive, send)


class ExplorerFiles(StaticFiles):
    """The built GraphiQL. Files under `assets/` carry a hash of their content in their names."""

    def file_response(self, *args: object, **options: object) -> Response:
        response = super().file_response(*args, **options)  # type: ignore[arg-type]
        response.headers.update(EXPLORER_HEADERS)
        return response

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update(FOREVER if path.startswith("assets/") else ASK_EVERY_TIME)
        return response


def create_app(settings: Settings | None = None) -> ASGIApp:
    """The gateway as an ASGI application; settings come from the environment if not given.

    Raises ValueError where a setting is missing that it cannot do without. Its start fails with `NotMigrated` unless
    the database is at the newest revision.
    """
    settings = settings or Settings()
    settings.check_can_serve()
    log.configure(json=writes_json(settings), level=settings.log_level)
    database = settings.database()
    rate = Rate(
        settings.rate_points,
        settings.rate_points_per_second,
        settings.rate_unidentified_percent,
        settings.redis_url.get_secret_value() if settings.redis_url else None,
        secret=settings.shared_secret,
    )
    known: list[Identity] = []

    async def identify(authorization: list[str]) -> Viewer:
        return await known[0].viewer(authorization)

    def make_context(request: Request, viewer: Viewer) -> Context:
        name, reason = client_name(request.headers) or "", access_reason(request.headers)
        return Context(database, viewer, correlation_id(), name, reason)

    async def database_answers() -> bool:
        return bool(await database.fetch(text("SELECT 1")))

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        issuers = list(settings.issuers)
        try:
            await at_newest_revision(database)
            if settings.demo:
                key = await demo_key(database, create=True)
                issuers += demo_issuers(key)
                app.router.routes.extend(demo_routes(key))
            tokens = Tokens(issuers, clock_skew=settings.clock_skew)
            known.append(Identity(tokens, database))
            formats.language("NOB")  # reads its table now, not in the first request that needs it
            try:
                async with (
                    expiring(database, settings.expire_seconds),
                    working(database, [ImportJob(), ReportJob()], settings.background_seconds),
                ):
                    with draining_on_stop(settings.drain_seconds):
                        yield
            finally:
                await tokens.close()
        finally:
            if executor:
                await executor.reads.close()
            await rate.close()
            await database.close()

    executor = Executor(schema, price_list(schema._schema), database) if settings.execution == "planned" else None
    endpoint = GraphQLEndpoint(
        schema,
        make_context,
        identify=identify,
        guard=Guard(schema._schema, settings.introspection or ("everyone" if settings.demo else "signed-in")),
        rate=rate,
        limits=settings.limits,
        execution_timeout=settings.execution_timeout,
        client_timeout=settings.client_timeout,
        planned=executor.run if executor else None,
        client_name_required=settings.client_name_required,
        trusted=read_trusted(settings.trusted_documents, schema, settings.limits)
        if settings.trusted_documents
        else None,
    )
    graphql = allowing_origins(endpoint, settings.cors_origins)
    employees = uploads.EmployeeUploads(
        endpoint, make_context, most_bytes=settings.max_upload_bytes, client_timeout=settings.client_timeout
    )
    routes = [
        Route("/", explorer_page),
        Mount("/static", ExplorerFiles(directory=STATIC, check_dir=False)),
        Route(GRAPHQL, graphql),
        Route(uploads.PATH, allowing_origins(employees, settings.cors_origins)),
        *health_routes(database_answers),
    ]
    app = Starlette(routes=routes, lifespan=lifespan)
    # Starlette's `middleware=` would be inside of its own answer to an unhandled exception.
    return CorrelationMiddleware(SecurityHeaders(Shortcut(graphql, app)))


def create_worker() -> ASGIApp:
    """The application for a process that does nothing else.

    What is there by now stays for good. Frozen, it is left out of garbage collections, which otherwise are what makes
    one request in a hundred several times slower than the others.
    """
    app = create_app()
    gc.collect()
    gc.freeze()
    return app


async def explorer_page(_request: Request) -> Response:
    """GraphiQL."""
    page = STATIC / "index.html"
    if not page.exists():
        return PlainTextResponse(NOT_BUILT, 404)
    return FileResponse(page, headers=EXPLORER_HEADERS | ASK_EVERY_TIME)


async def at_newest_revision(database: Database) -> None:
    """Raises `NotMigrated`, saying what to run, unless the database is at the newest revision."""
    current, newest = await migrate.current_revision(database), migrate.newest_revision()
    if current != newest:
        raise NotMigrated(
            f"The database is at revision {current or 'none'}, this version needs {newest}. Run: kundeport migrate"
        )


def writes_json(settings: Settings) -> bool:
    """Whether logs are JSON: as set, else unless standard error is a terminal."""
    return settings.log_format == "json" if settings.log_format else not sys.stderr.isatty()
