"""The key set of one token issuer: fetched, kept, renewed, and never waited for by those whose key is known."""

import asyncio
import time
from collections.abc import Callable

import httpx
import orjson
import structlog

from gateway.identity.issuer import Issuer
from gateway.identity.public_key import PublicKey, public_keys

STALE_SECONDS = 600.0
"""Age at which a key set is fetched anew."""
SECONDS_BETWEEN_FETCHES = 10.0
FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS = 1.0, 300.0
"""Wait after the first failure in a row; it doubles with each, up to the last."""
PATIENCE_SECONDS = 3.0
"""Longest that a request with an unknown key waits for a fetch."""
CONNECT_AND_READ_SECONDS = 3.0
WHOLE_FETCH_SECONDS = 15.0
MOST_BYTES = 256 * 1024

logger = structlog.stdlib.get_logger(__name__)


def http_client(transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    """The client that fetches key sets. It follows no redirect: those could lead to anywhere inside the network."""
    return httpx.AsyncClient(transport=transport, timeout=CONNECT_AND_READ_SECONDS, follow_redirects=False)


class KeySet:
    """The keys of one issuer: those in its settings, or those at its `jwks_url`, of which the newest set counts.

    A known key is answered at once, whatever the issuer does; a set of more than 10 minutes is renewed meanwhile.
    An unknown key starts a fetch that all who ask for one share, at most `patience` seconds each; after a success
    the next comes no sooner than 10 seconds later, after failures 1, 2, 4 ... 300 seconds.

    Raises ValueError if the settings hold no key that can check a signature.
    """

    def __init__(
        self,
        issuer: Issuer,
        client: httpx.AsyncClient | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self.issuer = issuer
        self._client = client
        self._clock = clock
        self._patience = patience
        self._keys: tuple[PublicKey, ...] = ()
        self._identities: frozenset[object] = frozenset()
        self._stale_at = self._next_fetch = clock()
        self._failures = 0
        self._fetching: asyncio.Task[None] | None = None
        self._is_closed = False
        if issuer.jwks is not None:
            self._replace(public_keys(issuer.jwks))
            if not self._keys:
                raise ValueError(f"the key set of {issuer.issuer} has no key that can check signatures")

    async def matching(self, key_id: str | None, algorithm: str) -> list[PublicKey]:
        """The keys with this id that fit the algorithm. Without an id: the only key that fits, if there is just one."""
        self._renew_if_stale()
        if not self._knows(key_id, algorithm):
            await self._wait_for_fetch()
        fit = [key for key in self._keys if algorithm in key.algorithms]
        if key_id is None:
            return fit if len(fit) == 1 else []
        return [key for key in fit if key.key_id == key_id]

    def holds(self, key: PublicKey) -> bool:
        """Whether the issuer still has this key, as far as is known."""
        self._renew_if_stale()
        return key.identity in self._identities

    async def close(self) -> None:
        """Stops a fetch that is under way; none is started any more."""
        self._is_closed = True
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.wait([self._fetching])

    def _knows(self, key_id: str | None, algorithm: str) -> bool:
        if key_id is None:
            return any(algorithm in key.algorithms for key in self._keys)
        return any(key.key_id == key_id for key in self._keys)

    def _replace(self, keys: tuple[PublicKey, ...]) -> None:
        self._keys = keys
        self._identities = frozenset(key.identity for key in keys)

    def _renew_if_stale(self) -> None:
        # Before the first set there is nothing to use meanwhile: whoever asks for a key fetches it.
        if self._keys and self._clock() >= self._stale_at:
            self._start_fetch()

    async def _wait_for_fetch(self) -> None:
        self._start_fetch()
        if self._fetching is not None:
            await asyncio.wait([self._fetching], timeout=self._patience)  # a caller who gives up does not cancel it

    def _start_fetch(self) -> None:
        """Unless there are no keys to fetch, they are being fetched, or it is too soon."""
        url, client = self.issuer.jwks_url, self._client
        if url is None or client is None or self._fetching or self._is_closed or self._clock() < self._next_fetch:
            return
        self._fetching = asyncio.create_task(self._fetch_and_replace(client, url))
        self._fetching.add_done_callback(self._forget_fetch)

    def _forget_fetch(self, _done: asyncio.Task[None]) -> None:
        self._fetching = None

    async def _fetch_and_replace(self, client: httpx.AsyncClient, url: str) -> None:
        try:
            async with asyncio.timeout(WHOLE_FETCH_SECONDS):
                keys = public_keys(orjson.loads(await fetch(client, url)))
        except Exception as error:  # noqa: BLE001 - whatever an issuer answers, the known keys go on being used
            wait = min(FIRST_RETRY_SECONDS * 2**self._failures, LAST_RETRY_SECONDS)
            self._failures = min(self._failures + 1, 30)
            self._next_fetch = self._clock() + wait
            # Its message may quote the URL, which may hold a secret.
            reason = str(error) if type(error) in (UnfitAnswer, ValueError) else type(error).__name__
            logger.warning("jwks_fetch_failed", jwks=shown(url), reason=reason, retry_after_seconds=wait)
        else:
            self._failures = 0
            self._next_fetch = self._clock() + SECONDS_BETWEEN_FETCHES
            self._stale_at = self._clock() + STALE_SECONDS
            self._replace(keys)
            logger.info("jwks_fetched", jwks=shown(url), keys=len(keys))


class UnfitAnswer(Exception):
    """An issuer answered with something that is not read; the message quotes nothing of it."""


async def fetch(client: httpx.AsyncClient, url: str) -> bytes:
    """The body at a URL. Raises UnfitAnswer unless it is a plain 200 of at most 256 kB, and httpx's errors."""
    # A compressed body could grow to a thousand times its size before it can be measured.
    headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
    async with client.stream("GET", url, headers=headers) as response:
        if response.status_code != httpx.codes.OK:
            raise UnfitAnswer(f"HTTP status {response.status_code}")
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise UnfitAnswer("compressed body")
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > MOST_BYTES:
                raise UnfitAnswer(f"more than {MOST_BYTES} bytes")
    return bytes(body)


def shown(url: str) -> str:
    """The URL without what may be secret in it: user, password, query."""
    parts = httpx.URL(url)
    return str(parts.copy_with(username=None, password=None, query=None, fragment=None))
