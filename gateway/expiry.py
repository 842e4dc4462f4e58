"""Storing continuously what time has done, while the gateway serves: those whose expiration date has come are erased
(rule C15), contracts that have ended are marked, and coupons that were held for too long are given back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import structlog

from datastore.database import Database
from datastore.erasure import Expired, expire_batch, overwrite_log
from datastore.loyalty.expiry import Ended, expire_contracts, give_back_held, holding
from gateway.background import in_background, is_set_within
from resolvers.loyalty.holds import settle_holds
from resolvers.oslo import today

FIRST_LOOK = 60.0
"""Seconds after the start of the process to the first look, where looks are further apart."""
BATCH = 10
"""How many people one transaction erases. Requests that write wait for it, on SQLite all of them."""
CONTRACTS = 200
"""How many contracts one transaction marks as expired."""
PAUSE = 0.05
"""Seconds between two transactions, for those requests."""
LAST_BATCH = 5.0
"""Seconds that a transaction may still take when the process ends."""

logger = structlog.stdlib.get_logger(__name__)


@asynccontextmanager
async def expiring(database: Database, seconds: float) -> AsyncIterator[None]:
    """For the application's lifespan: do it every so many seconds; never, if that is 0. Of several processes over one
    database one erases at a time."""
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
            ended = await end_contracts(database, stop, CONTRACTS)
            if ended:
                logger.info("contracts_ended", contracts=ended.contracts, reservations=ended.reservations)
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


async def end_contracts(database: Database, stop: asyncio.Event, batch: int) -> Ended:
    """Mark, in batches, all contracts that have ended, and give back all coupons that were held for too long; end early
    once `stop` is set. What cannot be given back is logged, and keeps nothing else from it."""
    ended, moment, last = Ended(), datetime.now(UTC), 0
    while not stop.is_set() and (marked := await expire_contracts(database, moment, batch)):
        ended += Ended(contracts=marked)
        await is_set_within(stop, PAUSE)
    while not stop.is_set() and (keys := await holding(database, moment, last, batch)):
        for last in keys:
            if stop.is_set():
                break
            try:
                ended += Ended(reservations=await give_back_held(database, moment, last, settle_holds))
            except Exception:
                logger.exception("giving_back_failed", contract=last)
        await is_set_within(stop, PAUSE)
    return ended
