"""The buckets of `gateway.rate` in Redis, so that processes and machines share them, and what to do while it is gone.

A bucket is a hash: the points `missing` from it at the time `at`, in microseconds by the clock of Redis. It expires
when it is full again, because a full bucket and an absent one are the same. One script changes the buckets of a caller,
all or none; their keys have the same hash tag, so that they lie together on a Redis Cluster.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import structlog
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

TIMEOUT: Final = 0.25
MOST_CONNECTIONS: Final = 16
# Longer than any command takes, so that the last failure of an outage does not look like the first of the next.
FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 30.0
TOLERANCE: Final = 1e-7
"""Points that rounding may cost: a caller who waits as long as told must not miss a bucket by the last bit."""
LONGEST_WAIT: Final = 1e9
"""Seconds to which waits are cut, so that a refill of next to nothing does not end in infinity."""

# The arguments: the points (to give back if below zero), the tolerance, the longest wait and the time (empty for that
# of the server); then capacity and refill for each key. Numbers are answered and kept as texts: Redis would cut a
# number to a whole one, and Lua would write only 14 digits. A bucket outlives its refill by a second, because the
# clock by which keys expire is coarser.
SCRIPT: Final = """
local points, tolerance, longest = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local now = tonumber(ARGV[4])
if not now then
    local time = redis.call('TIME')
    now = tonumber(time[1]) * 1000000 + tonumber(time[2])
end
local granted, missing = 1, {}
for i, key in ipairs(KEYS) do
    local capacity, per_second = tonumber(ARGV[3 + 2 * i]), tonumber(ARGV[4 + 2 * i])
    local kept = redis.call('HMGET', key, 'missing', 'at')
    local was, at = tonumber(kept[1] or '0'), tonumber(kept[2] or '0')
    missing[i] = math.max(0, was - math.max(0, now - at) * per_second / 1000000)
    if points > 0 and missing[i] + points > capacity + tolerance then granted = 0 end
end
local answer = {granted}
for i, key in ipairs(KEYS) do
    if granted == 1 then
        missing[i] = math.max(0, missing[i] + points)
        if missing[i] > 0 then
            local wait = math.min(missing[i] / tonumber(ARGV[4 + 2 * i]), longest)
            redis.call('HSET', key, 'missing', string.format('%.17g', missing[i]), 'at', string.format('%.0f', now))
            redis.call('PEXPIRE', key, string.format('%.0f', math.ceil(wait * 1000) + 1000))
        else
            redis.call('DEL', key)
        end
    end
    answer[i + 1] = string.format('%.17g', missing[i])
end
return answer
"""

logger = structlog.stdlib.get_logger(__name__)


class Bucket(NamedTuple):
    """A bucket: its key, which tells nobody whose it is, the most points it holds, and what it gets back a second."""

    key: str
    capacity: int
    per_second: float


class Change(NamedTuple):
    """Whether points could be taken, and what is then missing from the caller's bucket and the principal's."""

    granted: bool
    missing: tuple[float, float]


class SharedBuckets:
    """The buckets in the Redis of a URL. Raises ValueError, without the URL, which may hold a password, if it is none.

    A Redis that fails or is slow is left alone for a second, then tried by one request; the pause doubles up to half a
    minute while that fails. `clock` tells seconds for the pauses; `redis_clock` stands in for the clock of Redis, in
    microseconds.
    """

    def __init__(self, url: str, clock: Callable[[], float], redis_clock: Callable[[], int] | None = None) -> None:
        try:
            # A command is never sent twice: when its answer is lost, the points may have been taken already. RESP2
            # without the driver's name needs no further round trips for a new connection.
            pool = BlockingConnectionPool.from_url(
                url,
                max_connections=MOST_CONNECTIONS,
                timeout=TIMEOUT,
                socket_timeout=TIMEOUT,
                socket_connect_timeout=TIMEOUT,
                retry=Retry(NoBackoff(), 0),
                protocol=2,
                driver_info=None,
            )
        except (ValueError, TypeError):
            message = "KUNDEPORT_REDIS_URL must be redis://..., rediss://... or unix://..., special characters as %XX"
            raise ValueError(message) from None
        self._redis = Redis.from_pool(pool)
        self._script = self._redis.register_script(SCRIPT)
        self._clock = clock
        self._redis_clock = redis_clock
        self._pause = 0.0
        self._next_try = 0.0
        self._is_probing = False

    async def change(self, buckets: tuple[Bucket, Bucket], points: int) -> Change | None:
        """Takes the points from both buckets or from none, or gives them back if below zero. None: Redis is gone; the
        points may have been taken all the same. No exception but a cancellation leaves it."""
        is_probe = self._pause > 0
        if is_probe and (self._is_probing or self._clock() < self._next_try):
            return None
        self._is_probing = is_probe
        try:
            # A new connection waits for several answers; together they may not take long either.
            async with asyncio.timeout(2 * TIMEOUT):
                change = _read(await self._script(*self._arguments(buckets, points)))
        except Exception as error:  # noqa: BLE001 - no failure of Redis, its driver or the event loop fails a request
            self._failed(error, is_probe=is_probe)
            return None
        finally:
            if is_probe:
                self._is_probing = False
        if is_probe:
            self._pause = 0.0
            logger.info("shared_rate_back")
        return change

    async def close(self) -> None:
        """Closes the connections."""
        await self._redis.aclose()

    def _arguments(self, buckets: tuple[Bucket, Bucket], points: int) -> tuple[list[str], list[str]]:
        now = str(self._redis_clock()) if self._redis_clock else ""
        sizes = [repr(size) for bucket in buckets for size in (bucket.capacity, bucket.per_second)]
        return [bucket.key for bucket in buckets], [str(points), repr(TOLERANCE), repr(LONGEST_WAIT), now, *sizes]

    def _failed(self, error: Exception, *, is_probe: bool) -> None:
        if is_probe:
            self._pause = min(2 * self._pause, LONGEST_PAUSE)
        elif self._pause:
            # One of several that were under way when Redis went; the first has told it.
            return
        else:
            self._pause = FIRST_PAUSE
            # The message may quote the URL; the type says enough. The driver hides that of a wrong password in another.
            logger.warning("shared_rate_lost", error=type(error.__cause__ or error).__name__)
        self._next_try = self._clock() + self._pause


def _read(answer: Any) -> Change:
    """The change in an answer of the script. Raises TypeError or ValueError for anything else."""
    granted, own, whole = answer
    return Change(bool(granted), (float(own), float(whole)))
