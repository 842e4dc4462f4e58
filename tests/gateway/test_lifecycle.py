"""Health answers and draining, the latter with a real server process."""

import asyncio
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from gateway import lifecycle
from gateway.lifecycle import health_routes

ROOT = Path(__file__).parents[2]
SERVER = """
import asyncio, sys
import strawberry, uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from gateway import log
from tests.gateway.doubles import endpoint
from contextlib import asynccontextmanager
from gateway.lifecycle import draining_on_stop, health_routes, serve_until_stopped

@strawberry.type
class Query:
    hello: str = "hello"

async def slow(request):
    await asyncio.sleep(float(request.query_params["seconds"]))
    return PlainTextResponse("done")

async def database_answers():
    return True

log.configure(json=True)
graphql = endpoint(strawberry.Schema(Query))
@asynccontextmanager
async def lifespan(app):
    with draining_on_stop(float(sys.argv[2])):
        yield

routes = [Route("/graphql", graphql), Route("/slow", slow), *health_routes(database_answers)]
app = Starlette(routes=routes, lifespan=lifespan)
config = uvicorn.Config(app, port=int(sys.argv[1]), log_config=None, access_log=False)
serve_until_stopped(config)
"""


@pytest.fixture
def draining(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    event = threading.Event()
    monkeypatch.setattr(lifecycle, "_draining", event)
    return event


async def ask(path: str, answers: bool | Exception = True) -> tuple[int, object]:
    async def database_answers() -> bool:
        if isinstance(answers, Exception):
            raise answers
        return answers

    transport = httpx.ASGITransport(Starlette(routes=health_routes(database_answers)))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        response = await client.get(path)
    assert response.headers["Cache-Control"] == "no-store"
    return response.status_code, response.json()


async def test_ready_is_200_while_the_database_answers(draining: threading.Event) -> None:
    assert await ask("/health/ready") == (200, {"status": "ready"})


@pytest.mark.parametrize("answers", [False, RuntimeError("no")])
async def test_ready_is_503_without_the_database(draining: threading.Event, answers: bool | Exception) -> None:
    assert await ask("/health/ready", answers) == (503, {"status": "no database"})


async def test_ready_is_503_when_the_database_does_not_answer_in_time(
    draining: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifecycle, "READY_CHECK_SECONDS", 0.01)

    async def never() -> bool:
        await asyncio.sleep(60)
        return True

    transport = httpx.ASGITransport(Starlette(routes=health_routes(never)))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        assert (await client.get("/health/ready")).status_code == 503


async def test_draining_turns_ready_but_not_live_off(draining: threading.Event) -> None:
    draining.set()
    assert await ask("/health/ready") == (503, {"status": "draining"})
    assert await ask("/health/live") == (200, {"status": "live"})


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number: int = free.getsockname()[1]
        return number


@pytest.fixture
def server(port: int, request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[bytes]]:
    """A server process that drains for the seconds in the test's parameter."""
    process = subprocess.Popen([sys.executable, "-c", SERVER, str(port), str(request.param)], cwd=ROOT)
    try:
        wait_for(port, 200)
        yield process
    finally:
        process.kill()
        process.wait()


def wait_for(port: int, status: int) -> None:
    """Returns when `/health/ready` answers with the status."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/health/ready").status_code == status:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    pytest.fail(f"/health/ready never answered {status}")


def call_slow(port: int, seconds: float, answers: list[httpx.Response | Exception]) -> threading.Thread:
    def call() -> None:
        try:
            answers.append(httpx.get(f"http://127.0.0.1:{port}/slow?seconds={seconds}", timeout=30))
        except httpx.TransportError as error:
            answers.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    time.sleep(0.3)
    return thread


@pytest.mark.parametrize("server", [1.5], indirect=True)
def test_a_stopped_server_is_not_ready_but_serves_until_it_has_drained(
    server: subprocess.Popen[bytes], port: int
) -> None:
    answers: list[httpx.Response | Exception] = []
    thread = call_slow(port, 3, answers)
    server.send_signal(signal.SIGTERM)
    wait_for(port, 503)
    assert httpx.get(f"http://127.0.0.1:{port}/slow?seconds=0").text == "done"
    assert httpx.get(f"http://127.0.0.1:{port}/health/live").status_code == 200
    thread.join()
    (answer,) = answers
    assert isinstance(answer, httpx.Response)
    assert (answer.status_code, answer.text) == (200, "done")
    assert server.wait(timeout=30) == 0


@pytest.mark.parametrize("server", [0], indirect=True)
def test_without_a_draining_time_requests_in_flight_still_finish(server: subprocess.Popen[bytes], port: int) -> None:
    answers: list[httpx.Response | Exception] = []
    thread = call_slow(port, 1, answers)
    server.send_signal(signal.SIGINT)
    thread.join()
    (answer,) = answers
    assert isinstance(answer, httpx.Response)
    assert server.wait(timeout=30) == 0


@pytest.mark.parametrize("server", [60], indirect=True)
def test_a_second_signal_ends_the_server_at_once(server: subprocess.Popen[bytes], port: int) -> None:
    answers: list[httpx.Response | Exception] = []
    thread = call_slow(port, 60, answers)
    server.send_signal(signal.SIGTERM)
    wait_for(port, 503)
    server.send_signal(signal.SIGTERM)
    assert server.wait(timeout=30) == -signal.SIGTERM
    thread.join()
    assert isinstance(answers[0], httpx.TransportError)


@pytest.mark.parametrize("server", [0], indirect=True)
def test_a_websocket_upgrade_is_refused_by_the_running_server(server: subprocess.Popen[bytes], port: int) -> None:
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Protocol": "graphql-ws",
    }
    assert httpx.get(f"http://127.0.0.1:{port}/graphql", headers=headers).status_code == 403
