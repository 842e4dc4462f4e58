"""Slow, greedy and foreign clients, with real sockets on a real server."""

import asyncio
import pickle
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from gateway.request import RequestRefused, read_body
from gateway.transport import (
    MOST_HEAD_BYTES,
    MOST_HEADERS,
    MOST_PIPELINED,
    MOST_URL_BYTES,
    SecurityHeaders,
    allowing_origins,
    checked_origins,
    client_protocol,
)

TIMEOUT = 0.3
SOON = 3.0
"""Far longer than `TIMEOUT`, and far shorter than for ever: the machine may be busy."""
LARGE = 20_000_000
GOOD = "https://app.example.no"
OTHER = "https://other.example.no"
CLOSE = {"Connection": "close"}
GET = b"GET /hello HTTP/1.1\r\nHost: gateway\r\n\r\n"


class Api:
    """Answers with the status that the request's body asks for."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await Response(status_code=int(await Request(scope, receive).body() or b"405"))(scope, receive, send)


class Server:
    """The application below on a server of its own; what it holds on to can be counted."""

    def __init__(self, origins: list[str]) -> None:
        self.streams = 0
        self.trailers: list[str | None] = []
        routes = [
            Route("/hello", self.hello),
            Route("/echo", self.echo, methods=["POST"]),
            Route("/large", self.large),
            Route("/stream", self.stream),
            Route("/broken", self.broken),
            Route("/slow", self.slow),
            Route("/client", self.sender),
            Route("/unread", self.hello, methods=["POST"]),
            Route("/graphql", allowing_origins(Api(), origins)),
        ]
        app = Starlette(routes=routes)
        app.middleware_stack = SecurityHeaders(app.build_middleware_stack())
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        # A certificate store takes longer to read than all else here, so the client has none.
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", verify=False, headers=CLOSE)
        config = uvicorn.Config(
            app,
            loop="uvloop",
            http=client_protocol(TIMEOUT),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
        )
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, args=([self.socket],))

    async def hello(self, _request: Request) -> Response:
        return PlainTextResponse("hello")

    async def echo(self, request: Request) -> Response:
        try:
            body = await read_body(request, LARGE, TIMEOUT)
        except RequestRefused as refused:
            return PlainTextResponse(refused.message, refused.status, refused.headers)
        self.trailers.append(request.headers.get("X-Trailer"))
        return Response(body)

    async def large(self, _request: Request) -> Response:
        return Response(b"x" * LARGE)

    async def stream(self, _request: Request) -> Response:
        async def parts() -> AsyncIterator[bytes]:
            self.streams += 1
            try:
                for _ in range(LARGE // 100_000):
                    yield b"x" * 100_000
            finally:
                self.streams -= 1

        return StreamingResponse(parts())

    async def sender(self, request: Request) -> Response:
        return PlainTextResponse(request.client.host if request.client else "")

    async def broken(self, _request: Request) -> Response:
        raise RuntimeError("broken")

    async def slow(self, _request: Request) -> Response:
        await asyncio.sleep(3 * TIMEOUT)
        return PlainTextResponse("slow")

    def connections(self) -> int:
        return len(self.server.server_state.connections)

    def connect(self) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port))
        connection.settimeout(SOON)
        return connection


@contextmanager
def running(origins: list[str]) -> Iterator[Server]:
    server = Server(origins)
    server.thread.start()
    while not server.server.started:
        time.sleep(0.005)
    try:
        yield server
    finally:
        server.server.should_exit = True
        server.thread.join(timeout=20)
        server.socket.close()
        server.client.close()
        assert not server.thread.is_alive()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running([GOOD]) as started:
        yield started


@pytest.fixture(autouse=True)
def others_are_served_and_nothing_is_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """After each test with the server the next client is served at once, and soon no connection is left."""
    yield
    if "server" not in request.fixturenames:
        return
    server: Server = request.getfixturevalue("server")
    started = time.monotonic()
    assert server.client.get("/hello").text == "hello"
    assert time.monotonic() - started < 1
    wait_until(lambda: server.connections() == 0)


def wait_until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + SOON
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def everything(connection: socket.socket) -> bytes:
    """What comes until the server closes; fails when it does not soon."""
    came = bytearray()
    with suppress(ConnectionResetError):
        while part := connection.recv(1_000_000):
            came += part
    return bytes(came)


def answer(connection: socket.socket) -> bytes:
    """One answer with a body of `Content-Length`."""
    came = b""
    while b"\r\n\r\n" not in came:
        part = connection.recv(1)
        assert part, came
        came += part
    length = next(
        int(line.split(b":")[1]) for line in came.lower().split(b"\r\n") if line.startswith(b"content-length")
    )
    while length:
        part = connection.recv(length)
        assert part
        came, length = came + part, length - len(part)
    return came


def test_a_connection_on_which_nothing_comes_is_closed_without_an_answer(server: Server) -> None:
    started = time.monotonic()
    with closing(server.connect()) as connection:
        assert everything(connection) == b""
    assert time.monotonic() - started >= TIMEOUT * 0.9


@pytest.mark.parametrize("start", [b"G", b"GET / HTTP/1.1\r\nHost: gate", b"\r\n", b"POST /echo HTTP/1.1\r\nX: 1\r\n"])
def test_half_a_head_is_answered_408_and_closed(server: Server, start: bytes) -> None:
    with closing(server.connect()) as connection:
        connection.sendall(start)
        assert everything(connection).startswith(b"HTTP/1.1 408 Request Timeout\r\n")


def test_a_byte_every_now_and_then_gives_no_more_time(server: Server) -> None:
    started = time.monotonic()
    with closing(server.connect()) as connection:
        with suppress(OSError):
            for byte in b"GET /hello HTTP/1.1\r\nX-Slow: " + b"x" * 1000:
                connection.send(bytes([byte]))
                time.sleep(TIMEOUT / 10)
        everything(connection)
    assert time.monotonic() - started < SOON


def test_empty_lines_between_requests_keep_no_connection(server: Server) -> None:
    started = time.monotonic()
    with closing(server.connect()) as connection:
        connection.sendall(GET)
        assert answer(connection).endswith(b"hello")
        with suppress(OSError):
            for _ in range(100):
                connection.send(b"\r\n")
                time.sleep(TIMEOUT / 10)
    assert time.monotonic() - started < SOON


def test_many_slow_clients_do_not_delay_others(server: Server) -> None:
    """One after the other they would take minutes."""
    with ExitStack() as opened:
        slow = [opened.enter_context(closing(server.connect())) for _ in range(200)]
        for connection in slow:
            connection.send(b"GET / HTTP/1.1\r\n")
        started = time.monotonic()
        assert server.client.get("/hello").text == "hello"
        assert time.monotonic() - started < 10
        for connection in slow:
            assert b" 408 " in everything(connection)


@pytest.mark.parametrize(
    "endless",
    [
        b"GET /" + b"x" * 10_000,
        b"GET / HTTP/1.1\r\nX-Long: " + b"x" * 10_000,
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 2_000,
        b"POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n" + b"X: y\r\n" * 2_000,
        b"POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;e=" + b"x" * 10_000,
    ],
    ids=["url", "value", "headers", "trailers", "chunk extension"],
)
def test_a_head_without_an_end_is_cut_off_before_its_time_is_over(server: Server, endless: bytes) -> None:
    sent = 0
    with closing(server.connect()) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 10_000)
        with suppress(OSError):
            connection.send(endless)
            while sent < 100_000_000:
                sent += connection.send(endless[-6 * 1_000 :])
        everything(connection)
    assert sent < 20_000_000  # what the operating system holds is part of it


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /hello?" + b"x" * (MOST_URL_BYTES - 7) + b" HTTP/1.1\r\n\r\n", b"200"),
        (b"GET /hello?" + b"x" * (MOST_URL_BYTES - 6) + b" HTTP/1.1\r\n\r\n", b"414"),
        (b"GET /hello HTTP/1.1\r\nX: " + b"x" * (MOST_HEAD_BYTES - 100) + b"\r\n\r\n", b"200"),
        (b"GET /hello HTTP/1.1\r\nX: " + b"x" * MOST_HEAD_BYTES + b"\r\n\r\n", b"431"),
        (b"GET /hello HTTP/1.1\r\n" + b"X: y\r\n" * MOST_HEADERS + b"\r\n", b"200"),
        (b"GET /hello HTTP/1.1\r\n" + b"X: y\r\n" * (MOST_HEADERS + 1) + b"\r\n", b"431"),
        (b"GET /hello HTTP/1.1\r\nX y\r\n\r\n", b"400"),
    ],
)
def test_a_url_and_a_head_may_be_so_large_and_no_larger(server: Server, request_: bytes, status: bytes) -> None:
    with closing(server.connect()) as connection:
        connection.sendall(request_)
        connection.shutdown(socket.SHUT_WR)
        came = everything(connection)
    assert came.startswith(b"HTTP/1.1 " + status)
    assert b"x-content-type-options: nosniff\r\n" in came


def test_a_long_token_reaches_the_application(server: Server) -> None:
    """It is refused there, with a code."""
    with closing(server.connect()) as connection:
        connection.sendall(
            b"POST /graphql HTTP/1.1\r\nAuthorization: Bearer "
            + b"x" * 100_000
            + b"\r\nContent-Length: 3\r\nConnection: close\r\n\r\n401"
        )
        assert everything(connection).startswith(b"HTTP/1.1 401 ")


def test_a_body_with_its_head_in_one_piece_may_be_larger_than_a_head(server: Server) -> None:
    body = b"x" * 3 * MOST_HEAD_BYTES
    with closing(server.connect()) as connection:
        for _ in range(2):
            connection.sendall(b"POST /echo HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            assert answer(connection).endswith(body)


def test_a_slow_body_is_answered_408_and_closed(server: Server) -> None:
    with closing(server.connect()) as connection:
        connection.sendall(b"POST /echo HTTP/1.1\r\nContent-Length: 1000\r\n\r\n")
        with suppress(OSError):
            for _ in range(20):
                connection.send(b"x")
                time.sleep(TIMEOUT / 10)
        came = everything(connection)
    assert came.startswith(b"HTTP/1.1 408 ")
    assert b"connection: close\r\n" in came
    assert came.endswith(b"The body did not arrive within 0.3 seconds.")


def test_a_body_that_goes_on_after_the_answer_keeps_no_connection(server: Server) -> None:
    started = time.monotonic()
    with closing(server.connect()) as connection:
        connection.sendall(b"POST /unread HTTP/1.1\r\nContent-Length: 100000\r\n\r\n")
        assert answer(connection).endswith(b"hello")
        with suppress(OSError):
            for _ in range(100):
                connection.send(b"x")
                time.sleep(TIMEOUT / 10)
    assert time.monotonic() - started < SOON


def test_trailers_are_no_headers(server: Server) -> None:
    with closing(server.connect()) as connection:
        chunked = b"POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n"
        connection.sendall(chunked + b"0\r\nX-Trailer: yes\r\n\r\n")
        assert answer(connection).endswith(b"ab")
    assert server.trailers[-1] is None


@pytest.mark.parametrize("path", [b"/large", b"/stream"])
@pytest.mark.parametrize("connection_header", [b"", b"Connection: close\r\n"])
def test_a_client_that_does_not_take_a_large_answer_is_dropped(
    server: Server, path: bytes, connection_header: bytes
) -> None:
    with closing(server.connect()) as connection:
        connection.sendall(b"GET " + path + b" HTTP/1.1\r\n" + connection_header + b"\r\n")
        wait_until(lambda: server.connections() == 1)
        wait_until(lambda: server.connections() == 0)
        assert len(everything(connection)) < LARGE
    wait_until(lambda: server.streams == 0)


def test_a_client_that_asks_on_without_reading_is_dropped(server: Server) -> None:
    with closing(server.connect()) as connection:
        started = time.monotonic()
        with suppress(OSError):
            while time.monotonic() - started < SOON:
                connection.send(GET.replace(b"hello", b"large"))
                time.sleep(TIMEOUT / 30)
        assert time.monotonic() - started < SOON


def test_a_client_that_takes_a_large_answer_in_time_gets_it_whole(server: Server) -> None:
    for path in ("large", "stream", "large"):
        assert len(server.client.get(f"/{path}").content) == LARGE


def test_a_kept_connection_may_be_idle_longer_than_a_request_may_take(server: Server) -> None:
    with closing(server.connect()) as connection:
        for _ in range(2):
            connection.sendall(GET)
            assert answer(connection).endswith(b"hello")
            time.sleep(TIMEOUT * 1.5)


def test_an_operation_may_take_longer_than_a_client(server: Server) -> None:
    assert server.client.get("/slow").text == "slow"


def test_half_a_head_on_a_kept_connection_is_answered_408(server: Server) -> None:
    with closing(server.connect()) as connection:
        connection.sendall(GET)
        answer(connection)
        connection.sendall(GET[:10])
        assert everything(connection).startswith(b"HTTP/1.1 408 ")


def test_pipelined_requests_are_answered_in_order(server: Server) -> None:
    with closing(server.connect()) as connection:
        post = b"POST /echo HTTP/1.1\r\nContent-Length: 2\r\n\r\n%02d"
        connection.sendall(GET + b"".join(post % number for number in range(20)))
        assert answer(connection).endswith(b"hello")
        assert [answer(connection)[-2:] for _ in range(20)] == [b"%02d" % number for number in range(20)]


def test_half_a_head_behind_a_request_does_not_cost_that_its_answer(server: Server) -> None:
    with closing(server.connect()) as connection:
        connection.sendall(GET.replace(b"hello", b"slow") + GET[:10])
        assert answer(connection).endswith(b"slow")
        connection.sendall(GET[10:])
        assert answer(connection).endswith(b"hello")


def test_nothing_is_written_into_the_answer_to_an_earlier_request(server: Server) -> None:
    with closing(server.connect()) as connection:
        connection.sendall(GET.replace(b"hello", b"slow") + b"not HTTP\r\n\r\n")
        assert everything(connection) == b""


def test_only_so_many_requests_may_wait_on_a_connection(server: Server) -> None:
    with closing(server.connect()) as connection:
        with suppress(OSError):
            connection.sendall(GET.replace(b"hello", b"slow") + GET * (MOST_PIPELINED + 1))
        assert everything(connection) == b""


def test_a_stalled_reader_does_not_hold_up_the_end_of_the_server() -> None:
    with running([]) as server, closing(server.connect()) as connection:
        connection.sendall(b"GET /large HTTP/1.1\r\n\r\n")
        wait_until(lambda: server.connections() == 1)
        server.server.should_exit = True
        server.thread.join(timeout=SOON)
        assert not server.thread.is_alive()


@pytest.mark.parametrize("origin", [GOOD, OTHER, "null"])
@pytest.mark.parametrize("path", [b"/graphql", b"/hello"])
def test_no_websocket_handshake_is_accepted(server: Server, origin: str, path: bytes) -> None:
    handshake = (
        b"GET %s HTTP/1.1\r\nHost: gateway\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        b"Sec-WebSocket-Protocol: graphql-transport-ws\r\nOrigin: %s\r\n\r\n"
    )
    with closing(server.connect()) as connection:
        connection.sendall(handshake % (path, origin.encode()))
        came = everything(connection)
    assert came.startswith((b"HTTP/1.1 405 ", b"HTTP/1.1 200 "))
    assert b"upgrade" not in came.split(b"\r\n\r\n")[0].lower()
    assert b"connection: close\r\n" in came


def test_a_client_that_offers_another_protocol_is_answered_in_this_one(server: Server) -> None:
    """Some HTTP clients offer HTTP/2 with their first request."""
    offer = b"GET /hello HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n"
    with closing(server.connect()) as connection:
        connection.sendall(offer)
        came = everything(connection)
    assert came.startswith(b"HTTP/1.1 200 ")
    assert b"connection: close\r\n" in came
    assert came.endswith(b"hello")


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [("192.0.2.7", "192.0.2.7"), ("198.51.100.1, 192.0.2.7", "192.0.2.7"), ("", "127.0.0.1")],
)
def test_a_proxy_on_the_same_machine_tells_the_address_of_the_client(
    server: Server, forwarded: str, client: str
) -> None:
    assert server.client.get("/client", headers={"X-Forwarded-For": forwarded}).text == client


PREFLIGHT = {
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,content-type,et-client-name,x-access-reason,x-correlation-id",
}


def test_a_page_of_an_allowed_origin_may_ask(server: Server) -> None:
    response = server.client.options("/graphql", headers=PREFLIGHT | {"Origin": GOOD})
    assert response.status_code == 200
    assert response.headers["Access-Control-Allow-Origin"] == GOOD
    assert response.headers["Access-Control-Allow-Methods"] == "GET, POST"
    assert response.headers["Access-Control-Max-Age"] == "600"
    assert "Access-Control-Allow-Credentials" not in response.headers
    assert "Origin" in response.headers["Vary"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": OTHER},
        {"Origin": GOOD.upper()},
        {"Origin": f"{GOOD}.evil.example"},
        {"Origin": GOOD.replace("https", "http")},
        {"Origin": "null"},
        {"Origin": "*"},
    ],
    ids=lambda headers: headers["Origin"],
)
def test_a_page_of_another_origin_may_not(server: Server, headers: dict[str, str]) -> None:
    response = server.client.options("/graphql", headers=PREFLIGHT | headers)
    assert response.status_code == 400
    assert "Access-Control-Allow-Origin" not in response.headers
    asked = server.client.post("/graphql", content="200", headers=headers)
    assert "Access-Control-Allow-Origin" not in asked.headers
    assert asked.headers["Cross-Origin-Resource-Policy"] == "same-origin"


@pytest.mark.parametrize("asked", [{"Access-Control-Request-Method": "PUT"}, {"Access-Control-Request-Headers": "x-a"}])
def test_an_allowed_origin_may_not_use_other_methods_or_headers(server: Server, asked: dict[str, str]) -> None:
    response = server.client.options("/graphql", headers=PREFLIGHT | asked | {"Origin": GOOD})
    assert response.status_code == 400


@pytest.mark.parametrize("status", [200, 294, 400, 401, 408, 413, 429, 500, 503])
def test_a_page_of_an_allowed_origin_can_read_every_answer(server: Server, status: int) -> None:
    response = server.client.post("/graphql", content=str(status), headers={"Origin": GOOD})
    assert response.status_code == status
    assert response.headers["Access-Control-Allow-Origin"] == GOOD
    assert response.headers["Access-Control-Expose-Headers"] == "X-Correlation-Id, Retry-After, ETag"
    assert "Origin" in response.headers["Vary"]
    assert "Cross-Origin-Resource-Policy" not in response.headers


@pytest.mark.parametrize("path", ["/hello", "/nowhere"])
def test_only_the_api_may_be_called_from_elsewhere(server: Server, path: str) -> None:
    response = server.client.get(path, headers={"Origin": GOOD})
    assert not [each for each in response.headers if each.startswith("access-control-")]


def test_without_origins_there_is_no_word_of_them() -> None:
    with running([]) as server:
        answers = [
            server.client.options("/graphql", headers=PREFLIGHT | {"Origin": GOOD}),
            server.client.post("/graphql", content="200", headers={"Origin": GOOD}),
        ]
    assert [response.status_code for response in answers] == [405, 200]
    for response in answers:
        assert not [each for each in response.headers if each.startswith("access-control-")]
        assert "Vary" not in response.headers


@pytest.mark.parametrize("origin", [GOOD, "http://localhost:5173", "http://[::1]:80", "http://10.0.0.1:8000"])
def test_an_origin_as_browsers_send_it_is_a_setting(origin: str) -> None:
    # With `http`, 80 is the usual port, which browsers leave out.
    if origin.endswith(":80"):
        with pytest.raises(ValueError, match="is not an origin"):
            checked_origins([origin])
    else:
        assert checked_origins([GOOD, origin]) == [GOOD, origin]


@pytest.mark.parametrize(
    "origin",
    ["*", "", "null", "app.example.no", "https://*.example.no", f"{GOOD}/", f"{GOOD}:443", GOOD.upper(), f"{GOOD}\n"],
)
def test_anything_else_is_refused_as_a_setting(origin: str) -> None:
    with pytest.raises(ValueError, match=r"is not (accepted|an origin)"):
        checked_origins([GOOD, origin])


@pytest.mark.parametrize("path", ["/graphql", "/hello", "/nowhere", "/graphql/"])
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "HEAD"])
def test_every_answer_has_the_security_headers_once(server: Server, path: str, method: str) -> None:
    check_security_headers(server.client.request(method, path))


def check_security_headers(response: httpx.Response) -> None:
    assert response.headers.get_list("X-Content-Type-Options") == ["nosniff"]
    assert response.headers.get_list("Referrer-Policy") == ["no-referrer"]
    assert response.headers.get_list("Cross-Origin-Resource-Policy") == ["same-origin"]
    assert "Server" not in response.headers


def test_an_unhandled_exception_is_answered_with_the_security_headers(server: Server) -> None:
    response = server.client.get("/broken")
    assert response.status_code == 500
    check_security_headers(response)


@pytest.mark.parametrize("path", ["/graphql", "/", "/health/live", "/health/ready", "/nowhere", "/static/nothing"])
def test_the_gateway_gives_every_answer_the_security_headers(live_server: str, path: str) -> None:
    check_security_headers(httpx.get(f"{live_server}{path}"))


def test_the_protocol_can_be_handed_to_worker_processes() -> None:
    assert pickle.loads(pickle.dumps(client_protocol(1))).keywords == {"client_timeout": 1}
