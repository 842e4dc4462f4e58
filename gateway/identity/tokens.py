"""Access tokens (JSON Web Tokens, RFC 7519, checked as RFC 8725 advises)."""

import asyncio
import base64
import hashlib
import math
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
import structlog

from datastore.viewer import Viewer
from gateway.identity.claims import Unfit, viewer_of
from gateway.identity.issuer import Issuer
from gateway.identity.keys import PATIENCE_SECONDS, KeySet, http_client
from gateway.identity.public_key import LONGEST_KEY_ID, PublicKey
from resolvers.errors import ErrorCode, refuse

LONGEST_TOKEN = 8 * 1024
COMPACT = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")
MOST_REMEMBERED = 10_000

logger = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Verified:
    """A token whose signature has been checked: whose it is, until when (Unix time), and by which key."""

    viewer: Viewer
    expires_at: float
    keys: KeySet
    key: PublicKey


class Tokens:
    """Reads the tokens of the trusted issuers.

    A token that was verified is remembered for as long as it holds and its key stays in its issuer's set, because
    checking a signature costs many times the rest. `clock_skew` is by how many seconds the clocks of the issuers may
    differ. `now` is Unix time, `clock` any time that never goes back. Raises ValueError if an issuer is given twice, or
    with a key set that cannot be used.
    """

    def __init__(
        self,
        issuers: Sequence[Issuer],
        *,
        clock_skew: float = 30,
        transport: httpx.AsyncBaseTransport | None = None,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
        patience: float = PATIENCE_SECONDS,
        most_remembered: int = MOST_REMEMBERED,
    ) -> None:
        if len({issuer.issuer for issuer in issuers}) != len(issuers):
            raise ValueError("an issuer is given twice")
        has_urls = any(issuer.jwks_url is not None for issuer in issuers)
        self._client = http_client(transport) if has_urls else None
        self._key_sets = {
            issuer.issuer: KeySet(issuer, self._client, clock=clock, patience=patience) for issuer in issuers
        }
        self._clock_skew = clock_skew
        self._now = now
        self._most_remembered = most_remembered
        self._remembered: OrderedDict[bytes, Verified] = OrderedDict()

    async def read(self, token: str) -> Viewer:
        """The caller whom a token speaks of; the profile keys of a user are left to be found.

        Raises Refused (TOKEN_INVALID), always with the same words: the reason would help only who forges tokens.
        """
        try:
            return await self._read(token)
        except Unfit as reason:
            logger.info("token_refused", reason=str(reason))
            raise refuse(ErrorCode.TOKEN_INVALID) from None

    async def close(self) -> None:
        """Stops fetching keys."""
        await asyncio.gather(*(keys.close() for keys in self._key_sets.values()))
        if self._client is not None:
            await self._client.aclose()

    async def _read(self, token: str) -> Viewer:
        if len(token) > LONGEST_TOKEN or not token.isascii():
            raise Unfit("length")
        digest = hashlib.sha256(token.encode()).digest()
        known = self._remembered.get(digest)
        if known is None or not known.keys.holds(known.key):
            self._remembered.pop(digest, None)
            known = await self._verified(token)
        elif self._now() - self._clock_skew >= known.expires_at:
            del self._remembered[digest]
            raise Unfit("expired")
        self._remembered[digest] = known
        self._remembered.move_to_end(digest)
        if len(self._remembered) > self._most_remembered:
            self._remembered.popitem(last=False)
        return known.viewer

    async def _verified(self, token: str) -> Verified:
        parts = COMPACT.fullmatch(token)
        if parts is None:
            raise Unfit("form")
        header, claims = _object(parts[1]), _object(parts[2])
        keys = self._keys_of(claims.get("iss"))
        algorithm, key_id = header.get("alg"), header.get("kid")
        if not isinstance(algorithm, str) or algorithm not in keys.issuer.algorithms:
            raise Unfit("algorithm")
        if "crit" in header:
            raise Unfit("crit")
        if key_id is not None and not _can_be_key_id(key_id):
            raise Unfit("kid")
        # Cheaper than a signature, or than a fetch of keys, and the answer does not tell which of them failed.
        expires_at = self._check_times(claims)
        _check_audience(claims.get("aud"), keys.issuer.audience)
        message, signature = token[: parts.end(2)].encode(), _decoded(parts[3])
        for key in await keys.matching(key_id, algorithm):
            if key.has_signed(algorithm, message, signature):
                return Verified(viewer_of(keys.issuer, claims), expires_at, keys, key)
        raise Unfit("signature")

    def _keys_of(self, name: object) -> KeySet:
        """The keys of the issuer that the token, not yet verified, names: it must be signed by one of them."""
        keys = self._key_sets.get(name) if isinstance(name, str) else None
        if keys is None:
            raise Unfit("issuer")
        return keys

    def _check_times(self, claims: dict[str, Any]) -> float:
        """The time at which the token expires. Raises Unfit unless it holds now, as far as the clocks agree."""
        expires_at, not_before, issued_at = (_time(claims, name) for name in ("exp", "nbf", "iat"))
        now = self._now()
        if expires_at is None or now - self._clock_skew >= expires_at:
            raise Unfit("expired")
        if any(moment is not None and now + self._clock_skew < moment for moment in (not_before, issued_at)):
            raise Unfit("not-yet-valid")
        return expires_at


def _decoded(part: str) -> bytes:
    """Raises Unfit."""
    try:
        return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_")
    except ValueError:
        raise Unfit("base64") from None


def _object(part: str) -> dict[str, Any]:
    """The JSON object in a part of a token. Raises Unfit."""
    try:
        value = orjson.loads(_decoded(part))
    except orjson.JSONDecodeError:
        raise Unfit("json") from None
    if not isinstance(value, dict):
        raise Unfit("json")
    return value


def _can_be_key_id(value: object) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST_KEY_ID and value.isprintable()


def _check_audience(given: object, audience: str) -> None:
    """Raises Unfit unless the token is for this audience, alone or among others."""
    if audience not in (given if isinstance(given, list) else [given]):
        raise Unfit("audience")


def _time(claims: dict[str, Any], name: str) -> float | None:
    """A time in seconds since 1970; None where there is no such claim. Raises Unfit."""
    value = claims.get(name)
    if value is not None and (type(value) not in (int, float) or not math.isfinite(value)):
        raise Unfit("time")
    return value
