"""What a caller may use: buckets of cost points that fill up again, and the names by which callers tell themselves.

Buckets are kept in this process, or in Redis (`gateway.shared_rate`) where processes share them.
"""

import hmac
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network, ip_address
from math import ceil, floor
from typing import Final, NamedTuple

from starlette.datastructures import Headers

from gateway.correlation import LONGEST_CLIENT_NAME, decoded
from gateway.shared_rate import LONGEST_WAIT, TOLERANCE, Bucket, Change, SharedBuckets

CLIENTS_WORTH: Final = 4
"""How many buckets' worth all clients of a principal get together. A name in ET-Client-Name is claimed, not proved: a
principal who makes up names gets no more than this, while one with a few honest applications is not held up."""
MOST_BUCKETS: Final = 100_000
MOST_REMEMBERED: Final = 10_000
"""Callers whose keys are not hashed anew each time."""
SLOTS: Final = 64
MICROSECONDS: Final = 1_000_000

# Words of letters, digits, dots and underscores, joined by hyphens; by single spaces only before the last hyphen, for
# that is where a personal name can be. Each character can be matched in one way, so this takes linear time.
WORD = "[A-Za-z0-9æøåÆØÅ._]++"
CLIENT_NAME = re.compile(f"{WORD}(?:[ -]{WORD})*-{WORD}")


def well_formed(client_name: str | None) -> bool:
    """Whether this is `<company>-<application>` or `<personal name>-<application>`, of at most 100 characters.

    Lower case without spaces is the newer form; upper case, and spaces in a personal name, are accepted as well.
    """
    return (
        client_name is not None
        and len(client_name) <= LONGEST_CLIENT_NAME
        and CLIENT_NAME.fullmatch(client_name) is not None
    )


def identified(headers: Headers) -> str | None:
    """The name in ET-Client-Name if it is well-formed as it was sent; None without one, or with two.

    Unlike `gateway.correlation.client_name`, which makes any name fit for the log, this changes nothing.
    """
    given = headers.getlist("ET-Client-Name")
    if len(given) != 1 or len(given[0]) > 2 * LONGEST_CLIENT_NAME:
        return None
    return _identified(given[0])


@lru_cache(maxsize=1_000)
def _identified(given: str) -> str | None:
    name = decoded(given)
    return name if well_formed(name) else None


def anonymous(host: str) -> str:
    """What callers without a token are told apart by, given the address they come from: the address, or for IPv6 the
    network of 64 bits, all of which one line or machine has. Empty, and so one for all, for what is no address."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(address, IPv6Address):
        return str(address.ipv4_mapped or IPv6Network((int(address), 64), strict=False))
    return str(address)


class Caller(NamedTuple):
    """Who pays for a request: the principal, and the well-formed name of the client, None for a missing or malformed
    one. Neither is logged or kept in clear."""

    principal: str
    client: str | None


class Taken(NamedTuple):
    """What came of taking points.

    `budget` is the most that the caller's bucket holds, `remaining` what can be taken now. If not granted, as many
    points will be there after `retry_after` whole seconds if nobody else takes any; if `never`, they are more than the
    budget. `points`, `buckets` and `is_shared` are for giving back.
    """

    granted: bool
    budget: int
    remaining: int
    retry_after: int
    never: bool
    points: int
    buckets: tuple[Bucket, Bucket]
    is_shared: bool


class Rate:
    """The buckets of all callers: `capacity` points each, refilled at `per_second`; `unidentified_percent` of both for
    a caller without a well-formed name. All clients of a principal together have `CLIENTS_WORTH` of the whole ones.

    With a `redis_url` the buckets are shared through that Redis; while it is gone, this process uses its own, which are
    as large. `secret` should be the same in all processes: it keeps addresses and names from being guessed from keys.
    `clock` tells microseconds and never goes back. Raises ValueError, without the URL, for one that is not of a Redis.
    """

    def __init__(
        self,
        capacity: int,
        per_second: float,
        unidentified_percent: int,
        redis_url: str | None = None,
        *,
        secret: bytes = b"",
        most_buckets: int = MOST_BUCKETS,
        clock: Callable[[], int] = lambda: time.monotonic_ns() // 1000,
        redis_clock: Callable[[], int] | None = None,
    ) -> None:
        self._secret = secret
        self._buckets_of = lru_cache(MOST_REMEMBERED)(self._find_buckets)
        self._identified = (capacity, per_second)
        self._unidentified = (max(1, capacity * unidentified_percent // 100), per_second * unidentified_percent / 100)
        self._whole = (CLIENTS_WORTH * capacity, CLIENTS_WORTH * per_second)
        self._local = LocalBuckets(most_buckets, capacity / per_second, clock)
        self._shared = SharedBuckets(redis_url, lambda: clock() / MICROSECONDS, redis_clock) if redis_url else None

    async def take(self, caller: Caller, points: int) -> Taken:
        """Takes the points from the caller's bucket and from its principal's, or from neither. A number below zero
        counts as zero. No exception but a cancellation leaves it: without Redis, the buckets of this process are used.
        """
        points = max(points, 0)
        buckets = self._buckets_of(caller)
        shared = await self._shared.change(buckets, points) if self._shared else None
        change = shared or self._local.change(buckets, points)
        budget = buckets[0].capacity
        never = not change.granted and points > budget
        return Taken(
            granted=change.granted,
            budget=budget,
            remaining=_remaining(buckets, change),
            retry_after=0 if change.granted or never else _wait(buckets, change, points),
            never=never,
            points=points if change.granted else 0,
            buckets=buckets,
            is_shared=shared is not None,
        )

    async def give_back(self, taken: Taken, points: int) -> int:
        """Puts unused points back where they were taken from, at most as many as were; answers what remains.

        Points taken from a Redis that is gone are lost, and the answer is what remained when they were taken. To be
        called once for each take; no exception but a cancellation leaves it.
        """
        points = min(points, taken.points)
        if points <= 0:
            return taken.remaining
        if not taken.is_shared:
            return _remaining(taken.buckets, self._local.change(taken.buckets, -points))
        change = await self._shared.change(taken.buckets, -points) if self._shared else None
        return _remaining(taken.buckets, change) if change else taken.remaining

    async def close(self) -> None:
        """Closes the connections to Redis."""
        if self._shared:
            await self._shared.close()

    def _find_buckets(self, caller: Caller) -> tuple[Bucket, Bucket]:
        # The name of a client may hold the name of a person, so it is hashed as well.
        whole = f"kundeport:rate:{{{self._hash(caller.principal)}}}"
        if caller.client is None:
            return Bucket(f"{whole}:unidentified", *self._unidentified), Bucket(f"{whole}:all", *self._whole)
        return (
            Bucket(f"{whole}:client:{self._hash(caller.client)}", *self._identified),
            Bucket(f"{whole}:all", *self._whole),
        )

    def _hash(self, text: str) -> str:
        return keyed_hash(self._secret, text)


def keyed_hash(secret: bytes, text: str) -> str:
    """A hash of 128 bits, from which the text cannot be guessed without the secret."""
    return hmac.digest(secret, text.encode("utf-8", "surrogatepass"), "sha256")[:16].hex()


class Kept(NamedTuple):
    """The points missing from a bucket at a time, in microseconds, and the slot of the time when it is full."""

    missing: float
    at: int
    slot: int


class LocalBuckets:
    """The buckets of this process, of which only those that are not full are kept, and at most `most`.

    To find the full ones, each is noted in the slot of time in which it becomes full; `longest` is how many seconds an
    empty one takes at most. Whenever one comes in, up to two that are full go out, so that what is kept shrinks to what
    is in use; where none is full and there are too many, the least recently used goes.
    """

    def __init__(self, most: int, longest: float, clock: Callable[[], int]) -> None:
        self._most = most
        self._clock = clock
        self._slot_length = max(1, int(min(longest, LONGEST_WAIT) * MICROSECONDS / SLOTS))
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._slots: dict[int, set[str]] = {}

    def __len__(self) -> int:
        """How many buckets are kept."""
        return len(self._kept)

    def change(self, buckets: tuple[Bucket, Bucket], points: int) -> Change:
        """Takes the points from both buckets or from none, or gives them back if below zero."""
        now = self._clock()
        own, whole = self._missing(buckets[0], now), self._missing(buckets[1], now)
        room = (buckets[0].capacity - own, buckets[1].capacity - whole)
        if points > 0 and points > min(room) + TOLERANCE:
            return Change(False, (own, whole))
        missing = (max(0.0, own + points), max(0.0, whole + points))
        for bucket, each in zip(buckets, missing, strict=True):
            self._keep(bucket, each, now)
        return Change(True, missing)

    def _missing(self, bucket: Bucket, now: int) -> float:
        kept = self._kept.get(bucket.key)
        if kept is None:
            return 0.0
        self._kept.move_to_end(bucket.key)
        return max(0.0, kept.missing - max(0, now - kept.at) * bucket.per_second / MICROSECONDS)

    def _keep(self, bucket: Bucket, missing: float, now: int) -> None:
        kept = self._kept.get(bucket.key)
        if missing <= 0:
            if kept:
                del self._kept[bucket.key]
                self._leave_slot(bucket.key, kept.slot)
            return
        full_at = now + int(min(missing / bucket.per_second, LONGEST_WAIT) * MICROSECONDS)
        slot = full_at // self._slot_length + 1
        if kept is None:
            self._make_room(now)
        elif kept.slot != slot:
            self._leave_slot(bucket.key, kept.slot)
        if kept is None or kept.slot != slot:
            self._slots.setdefault(slot, set()).add(bucket.key)
        self._kept[bucket.key] = Kept(missing, now, slot)

    def _make_room(self, now: int) -> None:
        for _ in range(2):
            slot = min(self._slots, default=None)
            if slot is None or slot * self._slot_length > now:
                break
            del self._kept[self._slots[slot].pop()]
            self._close_if_empty(slot)
        while len(self._kept) >= self._most:
            key, kept = self._kept.popitem(last=False)
            self._leave_slot(key, kept.slot)

    def _leave_slot(self, key: str, slot: int) -> None:
        self._slots[slot].discard(key)
        self._close_if_empty(slot)

    def _close_if_empty(self, slot: int) -> None:
        if not self._slots[slot]:
            del self._slots[slot]


def _remaining(buckets: tuple[Bucket, Bucket], change: Change) -> int:
    own, whole = buckets
    missing, missing_of_whole = change.missing
    return max(0, floor(min(own.capacity - missing, whole.capacity - missing_of_whole) + TOLERANCE))


def _wait(buckets: tuple[Bucket, Bucket], change: Change, points: int) -> int:
    """The whole seconds, at least one, until so many points will be in both buckets."""
    waits = [
        # Half of the tolerance is left to the rounding on the way there.
        (missing + points - bucket.capacity - TOLERANCE / 2) / bucket.per_second
        for bucket, missing in zip(buckets, change.missing, strict=True)
    ]
    return max(1, ceil(min(max(waits), LONGEST_WAIT)))
