"""Work that goes on beside requests: in turn, again after failures, and ended with the process."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
import structlog
from sqlalchemy.exc import OperationalError

from datastore.database import Database
from gateway import background
from gateway.background import ATTEMPTS, Worker, working
from tests.gateway.client import gateway_client, settings


class Count:
    """A job with so many batches for each key. `fails` are the exceptions of the first tries."""

    def __init__(
        self, done: list[Any], keys: dict[int, int], name: str = "count", fails: Sequence[Exception] = ()
    ) -> None:
        self.done, self.left, self.name, self.fails = done, keys, name, list(fails)
        self.cleaned = 0

    async def waiting(self, _database: Database) -> list[int]:
        return [key for key, batches in self.left.items() if batches]

    async def batch(self, _database: Database, key: int) -> bool:
        if self.fails:
            raise self.fails.pop(0)
        self.left[key] -= 1
        self.done.append((self.name, key))
        return True

    async def give_up(self, _database: Database, key: int) -> None:
        self.left[key] = 0
        self.done.append((self.name, key, "given up"))

    async def clean(self, _database: Database) -> None:
        self.cleaned += 1


async def until(condition: Any) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0)


async def test_batches_are_done_in_turn_so_that_a_long_job_holds_up_no_other(database: Database) -> None:
    done: list[Any] = []
    jobs = [Count(done, {1: 3, 2: 1}, "a"), Count(done, {7: 2}, "b")]
    async with working(database, jobs, 0.01):
        await until(lambda: len(done) == 6)
    assert done == [("a", 1), ("a", 2), ("b", 7), ("a", 1), ("b", 7), ("a", 1)]


async def test_what_comes_later_is_found(database: Database) -> None:
    done: list[Any] = []
    job = Count(done, {})
    async with working(database, [job], 0.01):
        await until(lambda: job.cleaned)
        job.left[5] = 2
        await until(lambda: len(done) == 2)
    assert job.cleaned == 1


async def test_a_batch_that_fails_is_tried_again(database: Database) -> None:
    done: list[Any] = []
    job = Count(done, {1: 2}, fails=[RuntimeError("broken")] * (ATTEMPTS - 1))
    with structlog.testing.capture_logs() as lines:
        async with working(database, [job], 0.001):
            await until(lambda: len(done) == 2)
    assert done == [("count", 1)] * 2
    assert [line["event"] for line in lines] == ["batch_failed"] * (ATTEMPTS - 1)


async def test_a_job_that_keeps_failing_is_given_up_and_the_others_go_on(database: Database) -> None:
    done: list[Any] = []
    jobs = [Count(done, {1: 1}, "bad", [RuntimeError("broken")] * ATTEMPTS), Count(done, {1: 10}, "good")]
    with structlog.testing.capture_logs():
        async with working(database, jobs, 0.001):
            await until(lambda: len(done) == 11)
    assert ("bad", 1, "given up") in done
    assert done.count(("good", 1)) == 10


async def test_a_database_that_does_not_answer_is_waited_for(database: Database) -> None:
    done: list[Any] = []
    away = OperationalError("SELECT", {}, Exception("a secret"))
    job = Count(done, {1: 1}, fails=[away] * (2 * ATTEMPTS))
    with structlog.testing.capture_logs() as lines:
        async with working(database, [job], 0.001):
            await until(lambda: done)
    assert done == [("count", 1)]
    assert lines == [
        {"event": "background_waits_for_database", "log_level": "warning", "error": "OperationalError"}
    ] * (2 * ATTEMPTS)


async def test_a_look_that_fails_is_logged_and_the_next_one_tries_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[Any] = []
    job, waiting = Count(done, {1: 1}), [RuntimeError("broken")]

    async def fails_at_first(_database: Database) -> list[int]:
        if waiting:
            raise waiting.pop()
        return [1] if not done else []

    monkeypatch.setattr(job, "waiting", fails_at_first)
    with structlog.testing.capture_logs() as lines:
        async with working(database, [job], 0.001):
            await until(lambda: done)
    assert [line["event"] for line in lines] == ["background_failed"]


async def test_it_ends_after_the_batch_that_it_is_at(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[Any] = []
    job, begun, go_on = Count(done, {1: 5, 2: 5}), asyncio.Event(), asyncio.Event()
    batch = job.batch

    async def slow(*given: Any) -> bool:
        begun.set()
        await go_on.wait()
        return await batch(*given)

    monkeypatch.setattr(job, "batch", slow)
    async with working(database, [job], 0.01):
        await begun.wait()
        asyncio.get_running_loop().call_later(0.01, go_on.set)
    assert done == [("count", 1)]


async def test_a_batch_that_does_not_end_is_given_up(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    job, begun = Count([], {1: 1}), asyncio.Event()

    async def never(*_: object) -> bool:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(job, "batch", never)
    monkeypatch.setattr(background, "LAST_BATCH", 0.01)
    async with asyncio.timeout(20), working(database, [job], 0.01):
        await begun.wait()


async def test_a_gateway_leaves_the_work_to_others_where_it_is_told_to(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(Worker, "work", never)
    async with gateway_client(settings(url, background_seconds=0)) as client:
        assert (await client.get("/health/ready")).status_code == 200
