"""Starting and stopping: the health answers, and draining before the end."""

import asyncio
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import structlog
import uvicorn
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

READY_CHECK_SECONDS = 2.0
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
NOT_CACHED = {"Cache-Control": "no-store"}

logger = structlog.stdlib.get_logger(__name__)

# One per process, like the signal that sets it: the server and the application need not know each other.
_draining = threading.Event()


def is_draining() -> bool:
    """Whether this process has been told to stop and only finishes what it has."""
    return _draining.is_set()


def health_routes(database_answers: Callable[[], Awaitable[bool]]) -> list[Route]:
    """The routes `/health/live` (always 200) and `/health/ready` (200 or 503, with the reason).

    `database_answers` says whether the database does; an exception or a wait of 2 seconds counts as no.
    """

    async def live(_request: Request) -> Response:
        return JSONResponse({"status": "live"}, headers=NOT_CACHED)

    async def ready(_request: Request) -> Response:
        if is_draining():
            return JSONResponse({"status": "draining"}, 503, headers=NOT_CACHED)
        try:
            async with asyncio.timeout(READY_CHECK_SECONDS):
                answers = await database_answers()
        except Exception:
            logger.exception("ready_check_failed")
            answers = False
        return JSONResponse(
            {"status": "ready" if answers else "no database"}, 200 if answers else 503, headers=NOT_CACHED
        )

    return [Route("/health/live", live), Route("/health/ready", ready)]


@contextmanager
def draining_on_stop(drain_seconds: float) -> Iterator[None]:
    """For the application's lifespan: told to stop, the process goes on serving for `drain_seconds` while
    `/health/ready` answers 503; that is the time a load balancer needs to look elsewhere.

    Then uvicorn closes its listeners, finishes the requests in flight and ends with exit code 0. A second signal ends
    the process at once, by that signal. It is done here and not around the server, so that it holds in every worker
    and however the application is run.
    """
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in STOP_SIGNALS}

    def stop(number: int, frame: FrameType | None) -> None:
        if is_draining():
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        _draining.set()
        handler = before[signal.Signals(number)]
        loop.call_soon_threadsafe(loop.call_later, drain_seconds, let_end, handler, number, frame)

    handled = [number for number, handler in before.items() if callable(handler)]
    for number in handled:
        signal.signal(number, stop)
    yield
    for number in handled:
        signal.signal(number, before[number])


def let_end(handler: Any, number: int, frame: FrameType | None) -> None:
    """What the signal was to do. Uvicorn's own handler would make the process die by the signal after a clean end."""
    server = getattr(handler, "__self__", None)
    if isinstance(server, uvicorn.Server):
        server.should_exit = True
    else:
        handler(number, frame)


def serve_until_stopped(config: uvicorn.Config) -> None:
    """Serve in as many processes as configured, until a signal ends it. Raises SystemExit if the start fails."""
    if config.workers == 1:
        server = uvicorn.Server(config)
        server.run()
        if not server.started:
            sys.exit(STARTUP_FAILURE)
    else:
        supervisor = Multiprocess(config, sockets=[config.bind_socket()])
        supervisor.run()
        if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
            sys.exit(STARTUP_FAILURE)
