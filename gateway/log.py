"""Logging: one stream of structured lines for the gateway, the server and every library, without personal data."""

import logging
import sys
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, TextIO

import orjson
import structlog
from structlog.typing import EventDict, Processor

# Their messages hold statements, parameters and key values, which are personal data.
DATABASE_PACKAGES = frozenset({"sqlalchemy", "asyncpg", "sqlite3", "aiosqlite"})
LONGEST_CHAIN = 10
LONGEST_MESSAGE = 500

# At DEBUG the drivers print statements with their parameters. uvicorn.access prints query strings,
# strawberry.execution prints rejected variable values, httpx prints whole URLs.
SILENCED = {
    "uvicorn.access": logging.CRITICAL + 1,
    "strawberry.execution": logging.CRITICAL + 1,
    "httpx": logging.WARNING,
    "alembic": logging.WARNING,
    **dict.fromkeys(["sqlalchemy", "aiosqlite", "asyncpg", "asyncio"], logging.WARNING),
}


CORRELATION_ID: ContextVar[str] = ContextVar("correlation_id", default="")
"""The id of the request being served, which every line has; the empty text outside of any request."""
REQUESTS = "gateway.correlation"
"""The logger of the lines of requests."""
_REQUESTS = logging.getLogger(REQUESTS)
_requests_to: list[TextIO] = []
"""Where the lines of requests are written, if they are written as JSON; made by `configure`."""


def configure(*, json: bool, level: str = "INFO", stream: TextIO | None = None) -> None:
    """Routes structlog and the standard library's logging to `stream` (standard error when not given).

    `json` chooses one JSON object per line instead of coloured text; `level` is a logging level's name. May be called
    again. Start uvicorn with `log_config=None, access_log=False`, or it sets up handlers of its own.
    Raises ValueError for an unknown level.
    """
    shared: list[Processor] = [
        _with_correlation_id,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _exception_as_text,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    renderer = structlog.processors.JSONRenderer(serializer=_as_json) if json else structlog.dev.ConsoleRenderer()
    stream = stream or sys.stderr
    handler = logging.StreamHandler(stream)
    _requests_to[:] = [stream] if json and logging.getLevelName(level.upper()) <= logging.INFO else []
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True
    for name, lowest in SILENCED.items():
        logging.getLogger(name).setLevel(lowest)


def log_request(**values: Any) -> None:
    """Writes the line of one request. As JSON it is written at once: it is most of what is logged, and the way of other
    lines takes as long as all else that a short request needs."""
    if _requests_to:
        about = {"correlation_id": CORRELATION_ID.get(), "level": "info", "logger": REQUESTS}
        now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        _requests_to[0].write(_as_json(values | {"event": "request", **about, "timestamp": now}) + "\n")
        _requests_to[0].flush()
    elif _REQUESTS.isEnabledFor(logging.INFO):
        structlog.stdlib.get_logger(REQUESTS).info("request", **values)


def _with_correlation_id(_logger: Any, _method: str, event: EventDict) -> EventDict:
    current = CORRELATION_ID.get()
    return {**event, "correlation_id": current} if current else event


def _as_json(event: Any, **options: Any) -> str:
    return orjson.dumps(event, default=options.get("default", repr)).decode()


def stack_of(exception: BaseException) -> str:
    """The frames of an exception and of those that led to it, oldest first, each with its type and message.

    When one of them comes from a database package all the messages are left out, because the others may quote it.
    """
    chain: list[BaseException] = []
    step: BaseException | None = exception
    while step is not None and len(chain) < LONGEST_CHAIN:
        chain.append(step)
        step = step.__cause__ or (None if step.__suppress_context__ else step.__context__)
    is_hidden = any(_is_of_database(step) for step in chain)
    lines: list[str] = []
    for step in reversed(chain):
        name = f"{type(step).__module__}.{type(step).__qualname__}"
        lines += traceback.format_tb(step.__traceback__)
        lines.append(f"{name}\n" if is_hidden else f"{name}: {str(step)[:LONGEST_MESSAGE]}\n")
    return "".join(lines)


def _is_of_database(exception: BaseException) -> bool:
    return any(base.__module__.partition(".")[0] in DATABASE_PACKAGES for base in type(exception).__mro__)


def _exception_as_text(_logger: Any, _method: str, event: EventDict) -> EventDict:
    given: bool | BaseException | tuple[type, BaseException, TracebackType] | None = event.pop("exc_info", None)
    if given is True:
        exception = sys.exc_info()[1]
    elif isinstance(given, tuple):
        exception = given[1]
    else:
        exception = given or None
    if exception is not None:
        event["exception"] = stack_of(exception)
    return event
