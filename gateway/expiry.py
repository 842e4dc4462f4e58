"""Erasing continuously those whose expiration date has come (rule C15), while the gateway serves."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import structlog

from datastore.database import Database
from datastore.erasure import Expired, expire_batch, overwrite_log
from gateway.background import in_background, is_set_within
from resolvers.oslo import today

FIRST_LOOK = 60.0
"""Seconds after the start of the process to the first look, where looks are further apart."""
BATCH = 10
"""How many people one transaction erases. Requests that write wait for it, on SQLite all of them."""
PAUSE = 0.05
"""Seconds between two transactions, for those requests."""
LAST_BATCH = 5.0
"""Seconds that a transaction may still take when the process ends."""

logger = structlog.stdlib.get_logger(__name__)


@asynccontextmanager
async def expiring(database: Database, seconds: float) -> AsyncIterator[None]:
    """For the application's lifespan: erase every so many seconds; never, if that is 0. Of several processes over one
    database one works at a time."""
    if not seconds:
        yield
        return
    async with in_background(lambda stop: _erase_now_and_then(database, seconds, stop), LAST_BATCH):
        yield


async def _erase_now_and_then(database: Database, seconds: float, stop: asyncio.Event) -> None:
    pause = min(seconds, FIRST_LOOK)
    while not await is_set_within(stop, pause):
        pause = seconds
        try:
            erased = await expire(database, stop)
        except Exception:
            logger.exception("expiry_failed")  # the next look tries again
            continue
        if erased.people:
            logger.info("expired", people=erased.people, profiles=erased.profiles, rows=erased.rows)


async def expire(database: Database, stop: asyncio.Event) -> Expired:
    """Erase, in small batches, everybody whose day has come; end early once `stop` is set. On SQLite it also cuts the
    log of what was erased by requests since the last look."""
    erased = Expired()
    while not stop.is_set():
        now = datetime.now(UTC)
        batch = await expire_batch(database, today(now), now, BATCH, alone=True)
        erased += batch
        if not batch.people:
            break
        await is_set_within(stop, PAUSE)
    await overwrite_log(database)
    return erased
