"""What a gateway does beside answering requests: work that was begun by a mutation and goes on in batches.

How far the work is stands in the database, in the same transaction as what each batch did. So nothing is lost or done
twice where a process is killed: the next look, of whatever process, goes on with the next batch.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Protocol

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from datastore.database import Database

Stop = asyncio.Event
CLEAN_SECONDS = 3600.0
"""Between two looks for what is too old to be kept."""
PAUSE = 0.01
"""Seconds between two batches, for requests that write."""
LAST_BATCH = 5.0
"""Seconds that a batch may still take when the process ends."""
ATTEMPTS = 5
"""How often in a row a batch may fail before its job is given up. A database that does not answer does not count."""
AWAY = (OperationalError, InterfaceError, PoolTimeoutError, ConnectionError)

logger = structlog.stdlib.get_logger(__name__)


class Job(Protocol):
    """A kind of work that is done in batches."""

    @property
    def name(self) -> str:
        """What it is called in the log."""

    async def waiting(self, database: Database, /) -> Sequence[int]:
        """The keys of what is to be worked on, the oldest first."""

    async def batch(self, database: Database, key: int, /) -> bool:
        """Do the next part, in one transaction. False where there was nothing to do, or another process is at it."""

    async def give_up(self, database: Database, key: int, /) -> None:
        """Note that this one cannot be done."""

    async def clean(self, database: Database, /) -> None:
        """Remove what is too old to be kept."""


@asynccontextmanager
async def in_background(work: Callable[[Stop], Awaitable[None]], last: float) -> AsyncIterator[None]:
    """For the application's lifespan: a task that runs beside it. At the end `stop` is set, by which it should end
    within `last` seconds; else it is cancelled."""
    stop = Stop()
    task = asyncio.ensure_future(work(stop))
    try:
        yield
    finally:
        stop.set()
        done, _ = await asyncio.wait([task], timeout=last)
        if not done:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def is_set_within(stop: Stop, seconds: float) -> bool:
    """Wait until the process is to end, but no longer than so many seconds; whether it is."""
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
    return stop.is_set()


@asynccontextmanager
async def working(database: Database, jobs: Sequence[Job], seconds: float) -> AsyncIterator[None]:
    """For the application's lifespan: do what there is to do, and look again after so many seconds; never, if that is
    0. Several processes over one database share the work."""
    if not seconds:
        yield
        return
    async with in_background(lambda stop: Worker(database, jobs).work(seconds, stop), LAST_BATCH):
        yield


class Worker:
    """Does the batches of all jobs, in turn, so that a long one does not hold up the others."""

    def __init__(self, database: Database, jobs: Sequence[Job]) -> None:
        self.database, self.jobs = database, jobs
        self._failures: Counter[tuple[str, int]] = Counter()

    async def work(self, seconds: float, stop: Stop) -> None:
        """Go on until the process is to end."""
        clock, cleaned = asyncio.get_running_loop().time, float("-inf")
        while not stop.is_set():
            has_cleaned = clock() - cleaned < CLEAN_SECONDS
            try:
                has_moved = await self.round(stop)
                if not has_moved and not has_cleaned:
                    await self.clean()
                    cleaned = clock()
            except AWAY as error:
                # The traceback is always the same, and the next look is soon.
                logger.warning("background_waits_for_database", error=type(error).__name__)
                has_moved = False
            except Exception:
                logger.exception("background_failed")
                has_moved = False
            await is_set_within(stop, PAUSE if has_moved else seconds)

    async def round(self, stop: Stop) -> bool:
        """One batch of each job that waits; whether any was done."""
        has_moved = False
        for job in self.jobs:
            for key in await job.waiting(self.database):
                if stop.is_set():
                    return False
                has_moved |= await self._batch(job, key)
        return has_moved

    async def clean(self) -> None:
        """Remove what is too old to be kept."""
        for job in self.jobs:
            await job.clean(self.database)

    async def _batch(self, job: Job, key: int) -> bool:
        try:
            has_moved = await job.batch(self.database, key)
        except AWAY:
            raise
        except Exception:
            self._failures[job.name, key] += 1
            logger.exception("batch_failed", job=job.name, key=key)
            if self._failures[job.name, key] >= ATTEMPTS:
                await job.give_up(self.database, key)
                del self._failures[job.name, key]
            return False
        self._failures.pop((job.name, key), None)
        return has_moved
