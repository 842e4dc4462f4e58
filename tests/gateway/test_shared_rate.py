"""Buckets of cost points in a real Redis, and what happens while it is gone."""

import asyncio
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from gateway import shared_rate
from gateway.rate import CLIENTS_WORTH, Caller, Rate, Taken
from gateway.shared_rate import TIMEOUT
from tests.gateway.test_rate import KARI, OLA, STEPS, UNNAMED, Clock, Model, compare, named

SERVER = shutil.which("redis-server")
pytestmark = pytest.mark.skipif(SERVER is None, reason="there is no redis-server on the PATH")


class RedisServer:
    """A Redis without a disk, on a Unix socket in a folder of its own."""

    def __init__(self, folder: str, *options: str) -> None:
        self.folder, self.options = folder, options
        self.socket = str(Path(folder) / "redis.sock")
        self.url = f"unix://{self.socket}"
        self.start()

    def start(self) -> None:
        assert SERVER
        where = ["--port", "0", "--unixsocket", self.socket, "--dir", self.folder]
        command = [SERVER, *where, "--save", "", "--appendonly", "no", *self.options]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                self.ask("PING")
            except OSError:
                time.sleep(0.01)
            else:
                return
        pytest.fail("redis-server did not start")

    def ask(self, command: str) -> str:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5)
            connection.connect(self.socket)
            connection.sendall(f"{command}\r\n".encode())
            return connection.recv(100_000).decode()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="session")
def redis() -> Iterator[RedisServer]:
    """A server for all tests that let it live."""
    with tempfile.TemporaryDirectory(prefix="kundeport-redis-") as folder:
        server = RedisServer(folder)
        yield server
        server.kill()


@pytest.fixture
def mortal_redis() -> Iterator[RedisServer]:
    """A server for one test."""
    with tempfile.TemporaryDirectory(prefix="kundeport-redis-") as folder:
        server = RedisServer(folder)
        yield server
        server.kill()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module", autouse=True)
def patience() -> Iterator[None]:
    """On a busy machine a Redis that is well can be slow; only `hasty` tests must not wait for it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shared_rate, "TIMEOUT", 5)
        yield


@pytest.fixture
def hasty(patience: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_rate, "TIMEOUT", TIMEOUT)


@asynccontextmanager
async def rate_on(
    url: str,
    capacity: int = 100,
    per_second: float = 10,
    *,
    percent: int = 6,
    secret: bytes | None = None,
    clock: Clock | None = None,
    redis_clock: Clock | None = None,
) -> AsyncIterator[Rate]:
    """A `Rate` on a Redis, by default with keys that no other test has."""
    secret = secret or uuid.uuid4().bytes
    rate = Rate(capacity, per_second, percent, url, secret=secret, clock=clock or Clock(), redis_clock=redis_clock)
    try:
        yield rate
    finally:
        await rate.close()


async def test_two_processes_share_the_buckets(redis: RedisServer) -> None:
    async with (
        rate_on(redis.url, per_second=0.1, secret=b"two") as one,
        rate_on(redis.url, per_second=0.1, secret=b"two") as other,
    ):
        assert (await one.take(KARI, 70)).remaining == 30
        refused = await other.take(KARI, 100)
        assert (refused.granted, refused.budget, refused.remaining, refused.is_shared) == (False, 100, 30, True)
        assert refused.retry_after == 700
        taken = await other.take(KARI, 20)
        assert await one.give_back(taken, 20) == 30
        assert (await other.take(OLA, 0)).remaining == 100


async def test_parallel_takes_grant_what_there_is_and_no_more(redis: RedisServer) -> None:
    async with (
        rate_on(redis.url, 100, 1, secret=b"parallel") as one,
        rate_on(redis.url, 100, 1, secret=b"parallel") as other,
    ):
        taken = await asyncio.gather(*(one.take(KARI, 10) for _ in range(50)))
        assert sum(each.granted for each in taken) == 10
        taken = await asyncio.gather(*((one, other)[number % 2].take(OLA, 10) for number in range(50)))
        assert sum(each.granted for each in taken) == 10
        assert all(each.is_shared for each in taken)


async def test_made_up_names_do_not_multiply_the_points_of_a_principal(redis: RedisServer, clock: Clock) -> None:
    async with rate_on(redis.url, redis_clock=clock) as rate:
        granted = [(await rate.take(named(number), 10)).granted for number in range(1_000)]
    assert granted.count(True) == CLIENTS_WORTH * 10


async def test_a_caller_without_a_name_has_a_share(redis: RedisServer, clock: Clock) -> None:
    async with rate_on(redis.url, redis_clock=clock) as rate:
        taken = await rate.take(UNNAMED, 6)
        assert (taken.granted, taken.budget, taken.remaining) == (True, 6, 0)
        assert (await rate.take(UNNAMED, 6)).retry_after == 10
        assert (await rate.take(UNNAMED, 7)).never
        assert (await rate.take(KARI, 0)).remaining == 100


async def test_giving_back_never_fills_a_bucket_over_its_capacity(redis: RedisServer, clock: Clock) -> None:
    async with rate_on(redis.url, redis_clock=clock) as rate:
        taken = await rate.take(KARI, 50)
        clock.move(4)
        assert await rate.give_back(taken, 1_000) == 100
        assert (await rate.take(KARI, 100)).remaining == 0


async def test_retry_after_is_the_first_whole_second_at_which_the_points_are_there(
    redis: RedisServer, clock: Clock
) -> None:
    async with rate_on(redis.url, 1_000, 7, redis_clock=clock) as rate:
        await rate.take(KARI, 1_000)
        refused = await rate.take(KARI, 100)
        assert refused.retry_after == 15
        clock.move(14)
        assert not (await rate.take(KARI, 100)).granted
        clock.move(1)
        assert (await rate.take(KARI, 100)).granted


async def test_points_come_back_by_the_clock_of_redis(redis: RedisServer) -> None:
    async with rate_on(redis.url, 1_000, 2_500) as rate:
        assert (await rate.take(KARI, 1_000)).granted
        assert not (await rate.take(KARI, 1_000)).granted
        await asyncio.sleep(0.4)
        assert (await rate.take(KARI, 1_000)).granted


@given(steps=STEPS, capacity=st.integers(1, 100), per_second=st.integers(1, 50), percent=st.integers(1, 100))
@settings(max_examples=40, deadline=None)
def test_the_answers_are_those_of_a_plain_model(
    redis: RedisServer, steps: list[tuple[str, object, int]], capacity: int, per_second: int, percent: int
) -> None:
    async def check() -> None:
        clock = Clock()
        async with rate_on(redis.url, capacity, per_second, percent=percent, redis_clock=clock) as rate:
            await compare(rate, clock, Model(capacity, per_second, percent), steps)

    asyncio.run(check())


async def test_redis_holds_no_names_and_forgets_buckets_that_are_full(mortal_redis: RedisServer) -> None:
    async with rate_on(mortal_redis.url) as rate:
        caller = Caller("https://issuer|kari", "Kari Nordmann-app")
        taken = await rate.take(caller, 50)
        own, whole = (bucket.key for bucket in taken.buckets)
        keys = mortal_redis.ask("KEYS *")
        assert own in keys
        assert whole in keys
        assert "ari" not in keys
        assert own.partition("}")[0] == whole.partition("}")[0]
        # Each is full after 5 and 1.25 seconds.
        lives = [int(mortal_redis.ask(f"PTTL {key}")[1:]) for key in (own, whole)]
        assert 5_000 < lives[0] <= 6_000
        assert 1_250 < lives[1] <= 2_250
        await rate.give_back(taken, 50)
        assert mortal_redis.ask("DBSIZE") == ":0\r\n"


async def test_a_redis_that_forgot_the_script_is_told_again(redis: RedisServer) -> None:
    async with rate_on(redis.url) as rate:
        await rate.take(KARI, 10)
        redis.ask("SCRIPT FLUSH SYNC")
        assert (await rate.take(KARI, 10)).is_shared


async def test_without_redis_the_process_limits_alone_and_shares_again_when_it_is_back(
    mortal_redis: RedisServer, clock: Clock
) -> None:
    async with rate_on(mortal_redis.url, clock=clock, redis_clock=clock) as rate:
        shared = await rate.take(KARI, 100)
        assert shared.is_shared
        mortal_redis.kill()
        with capture_logs() as lines:
            taken = await asyncio.gather(*(rate.take(KARI, 10) for _ in range(50)))
            assert sum(each.granted for each in taken) == 10
            assert not any(each.is_shared for each in taken)
            # What Redis granted cannot be given to this process.
            assert await rate.give_back(shared, 100) == 0
            assert not (await rate.take(KARI, 10)).granted
            clock.move(1)
            assert (await rate.take(KARI, 10)).granted
            assert [line["event"] for line in lines] == ["shared_rate_lost"]
            assert lines[0]["log_level"] == "warning"

            mortal_redis.start()
            assert not (await rate.take(KARI, 10)).is_shared
            clock.move(2)
            assert (await rate.take(KARI, 10)).is_shared
            assert (await rate.take(KARI, 90)).remaining == 0
            # What this process granted alone goes back there: 20 came back in two seconds, and now 10.
            local = next(each for each in taken if each.granted)
            assert await rate.give_back(local, 10) == 30
            assert (await rate.take(KARI, 0)).remaining == 0
        assert [line["event"] for line in lines] == ["shared_rate_lost", "shared_rate_back"]
        assert lines[1]["log_level"] == "info"


async def test_a_redis_that_is_restarted_between_two_requests_is_not_missed(mortal_redis: RedisServer) -> None:
    async with rate_on(mortal_redis.url) as rate:
        assert (await rate.take(KARI, 10)).is_shared
        mortal_redis.kill()
        mortal_redis.start()
        await asyncio.sleep(0.01)
        with capture_logs() as lines:
            assert (await rate.take(KARI, 10)).is_shared
        assert lines == []


async def test_a_redis_that_hangs_holds_up_only_those_who_asked_it(
    hasty: None, mortal_redis: RedisServer, clock: Clock
) -> None:
    async with rate_on(mortal_redis.url, clock=clock) as rate:
        await rate.take(KARI, 10)
        mortal_redis.process.send_signal(signal.SIGSTOP)
        started = time.monotonic()
        taken = await asyncio.gather(*(rate.take(KARI, 10) for _ in range(50)))
        assert sum(each.granted for each in taken) == 10
        assert time.monotonic() - started < 8 * TIMEOUT
        started = time.monotonic()
        assert not (await rate.take(KARI, 10)).granted
        assert time.monotonic() - started < TIMEOUT
        # One request finds out whether it is back; the others do not wait for it.
        clock.move(1)
        started = time.monotonic()
        probe = asyncio.create_task(rate.take(KARI, 10))
        await asyncio.sleep(0)
        await asyncio.gather(*(rate.take(KARI, 10) for _ in range(50)))
        assert time.monotonic() - started < TIMEOUT
        assert not probe.done()
        await probe
        mortal_redis.process.send_signal(signal.SIGCONT)
        clock.move(2)
        assert (await rate.take(KARI, 10)).is_shared


async def test_the_pauses_double_up_to_half_a_minute(mortal_redis: RedisServer, clock: Clock) -> None:
    mortal_redis.kill()
    tries: list[int] = []
    async with rate_on(mortal_redis.url, clock=clock) as rate:
        assert rate._shared
        ask = rate._shared._script

        async def counted(*arguments: Any) -> Any:
            tries.append(second)
            return await ask(*arguments)

        rate._shared._script = counted  # type: ignore[assignment]
        for second in range(130):  # noqa: B007 - read by `counted`
            await rate.take(KARI, 1)
            clock.move(1)
    assert tries == [0, 1, 3, 7, 15, 31, 61, 91, 121]


async def test_a_probe_that_is_cancelled_leaves_the_next_to_another(
    hasty: None, mortal_redis: RedisServer, clock: Clock
) -> None:
    async with rate_on(mortal_redis.url, clock=clock) as rate:
        mortal_redis.process.send_signal(signal.SIGSTOP)
        await rate.take(KARI, 10)
        clock.move(1)
        probe = asyncio.create_task(rate.take(KARI, 10))
        await asyncio.sleep(0.01)
        probe.cancel()
        with pytest.raises(asyncio.CancelledError):
            await probe
        mortal_redis.process.send_signal(signal.SIGCONT)
        assert (await rate.take(KARI, 10)).is_shared


async def lone(url: str) -> tuple[list[Any], list[Taken]]:
    """The log lines and the answers of a `Rate` on a Redis that does not serve it."""
    with capture_logs() as lines:
        async with rate_on(url) as rate:
            taken = [await rate.take(KARI, 60) for _ in range(2)]
    return lines, taken


@pytest.mark.parametrize(
    "url", ["redis://:geheim@127.0.0.1:1/0", "redis://:geheim@nowhere.invalid/0", "unix:///geheim"]
)
async def test_a_redis_that_was_never_there_is_told_once_and_without_its_password(url: str) -> None:
    lines, taken = await lone(url)
    assert [(each.granted, each.is_shared) for each in taken] == [(True, False), (False, False)]
    assert [line["event"] for line in lines] == ["shared_rate_lost"]
    assert "geheim" not in repr(lines)


async def test_a_wrong_password_and_another_server_count_as_no_redis(redis: RedisServer) -> None:
    lines, taken = await lone(f"{redis.url}?password=geheim")
    assert [each.granted for each in taken] == [True, False]
    assert lines[0]["error"] == "AuthenticationError"

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await reader.read()
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        lines, taken = await lone(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    assert [each.granted for each in taken] == [True, False]
    assert [line["event"] for line in lines] == ["shared_rate_lost"]


async def test_a_key_that_somebody_else_uses_does_not_fail_a_request(redis: RedisServer) -> None:
    async with rate_on(redis.url, secret=b"used") as rate:
        taken = await rate.take(KARI, 10)
        for value in ("{key} x", "{key} missing x at y"):
            key = taken.buckets[0].key
            redis.ask(f"DEL {key}")
            redis.ask(f"{'HSET' if 'missing' in value else 'SET'} {value.format(key=key)}")
            async with rate_on(redis.url, secret=b"used") as other:
                assert (await other.take(KARI, 10)).granted
        redis.ask(f"DEL {key}")


@pytest.mark.parametrize(
    "url", ["http://:geheim@localhost", "geheim", "redis://:ge/heim@localhost:6379", "redis://[geheim"]
)
def test_what_is_no_url_of_a_redis_is_told_at_the_start_without_quoting_it(url: str) -> None:
    with pytest.raises(ValueError, match="KUNDEPORT_REDIS_URL must be") as told:
        Rate(100, 10, 6, url)
    assert "heim" not in str(told.value)
    assert told.value.__cause__ is None
    assert told.value.__suppress_context__


async def test_a_redis_with_a_password_on_a_port_is_used() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="kundeport-redis-") as folder:
        server = RedisServer(folder, "--port", str(port), "--bind", "127.0.0.1", "--requirepass", "ge/heim")
        try:
            async with rate_on(f"redis://:ge%2Fheim@127.0.0.1:{port}/3") as rate:
                assert (await rate.take(KARI, 10)).is_shared
        finally:
            server.kill()
