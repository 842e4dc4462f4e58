"""How the keys of an issuer are fetched, renewed and rolled."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import orjson
import pytest
import structlog

from datastore.viewer import Viewer
from gateway.identity.issuer import Issuer
from gateway.identity.keys import MOST_BYTES, SECONDS_BETWEEN_FETCHES, STALE_SECONDS, KeySet, http_client
from gateway.identity.public_key import MOST_KEYS, public_keys
from gateway.identity.tokens import Tokens
from resolvers.errors import Refused
from tests.gateway.identity.tokens import AnIssuer, Clock, a_key, encoded, jwks

SECRET_URL = "https://user:password@issuer.example/keys?code=secret"
FIRST, SECOND, RSA = a_key(key_id="first"), a_key(key_id="second"), a_key("RS256", key_id="rsa")
ISSUER = AnIssuer(key=FIRST, jwks_url=SECRET_URL)


class Remote:
    """An issuer's server. It serves `document`, fails while `fails` is set, and answers when `answers` is set."""

    def __init__(self, *keys: Any) -> None:
        self.document: Any = jwks(*keys)
        self.fails: Exception | None = None
        self.status = 200
        self.headers: dict[str, str] = {}
        self.requests: list[httpx.Request] = []
        self.answers = asyncio.Event()
        self.answers.set()

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        await self.answers.wait()
        if self.fails:
            raise self.fails
        return httpx.Response(self.status, headers=self.headers, content=orjson.dumps(self.document))


class Reader:
    """Tokens of `ISSUER`, whose keys are at `remote`."""

    def __init__(self, *keys: Any, patience: float = 1) -> None:
        self.remote = Remote(*keys)
        self.clock = Clock(1000)
        transport = httpx.MockTransport(self.remote)
        self.tokens = Tokens([ISSUER.issuer], transport=transport, clock=self.clock, patience=patience)

    async def read(self, key: Any, **claims: Any) -> Viewer:
        return await self.tokens.read(ISSUER.token(key=key, **claims))

    async def accepts(self, key: Any, **claims: Any) -> bool:
        try:
            return bool(await self.read(key, **claims))
        except Refused:
            return False

    @property
    def fetches(self) -> int:
        return len(self.remote.requests)


@asynccontextmanager
async def reading(*keys: Any, **options: Any) -> AsyncIterator[Reader]:
    reader = Reader(*keys, **options)
    try:
        yield reader
    finally:
        await reader.tokens.close()


async def until(condition: Callable[[], bool]) -> None:
    """Lets other tasks run until the condition holds."""
    for _ in range(200):
        if condition():
            return
        await asyncio.sleep(0)
    pytest.fail("it never came to that")


async def background() -> None:
    """Lets whatever was started in the background get on as far as it can."""
    for _ in range(50):
        await asyncio.sleep(0)


async def test_keys_are_fetched_with_the_first_token_and_then_known() -> None:
    async with reading(FIRST) as reader:
        assert reader.fetches == 0
        for number in range(5):
            assert await reader.accepts(FIRST, sub=f"nr {number}")
        assert reader.fetches == 1
        assert "gzip" not in reader.remote.requests[0].headers["accept-encoding"]


async def test_a_new_key_is_picked_up_and_the_old_one_goes_on_being_accepted() -> None:
    async with reading(FIRST) as reader:
        assert await reader.accepts(FIRST)
        reader.remote.document = jwks(FIRST, SECOND)
        reader.clock.now += SECONDS_BETWEEN_FETCHES
        assert await reader.accepts(SECOND)
        assert await reader.accepts(FIRST)
        assert reader.fetches == 2


async def test_a_key_that_left_the_set_is_refused_even_for_a_token_that_was_accepted() -> None:
    async with reading(FIRST, SECOND) as reader:
        token = ISSUER.token(key=FIRST)
        assert await reader.tokens.read(token)
        reader.remote.document = jwks(SECOND)
        reader.clock.now += STALE_SECONDS
        assert await reader.tokens.read(token), "known keys are used while the set is renewed"
        await background()
        assert reader.fetches == 2
        with pytest.raises(Refused):
            await reader.tokens.read(token)
        assert await reader.accepts(SECOND)


async def test_another_key_under_the_same_id_ends_the_tokens_of_the_old_one() -> None:
    async with reading(FIRST) as reader:
        token = ISSUER.token(key=FIRST)
        assert await reader.tokens.read(token)
        successor = a_key(key_id="first")
        reader.remote.document = jwks(successor)
        reader.clock.now += STALE_SECONDS
        assert await reader.tokens.read(token)
        await background()
        with pytest.raises(Refused):
            await reader.tokens.read(token)
        assert await reader.accepts(successor)


async def test_a_set_is_renewed_only_when_it_is_old() -> None:
    async with reading(FIRST) as reader:
        assert await reader.accepts(FIRST)
        reader.clock.now += STALE_SECONDS - 1
        assert await reader.accepts(FIRST)
        await background()
        assert reader.fetches == 1
        reader.clock.now += 1
        for _ in range(3):
            assert await reader.accepts(FIRST)
        await background()
        assert reader.fetches == 2


async def test_a_dead_issuer_does_not_keep_known_keys_waiting() -> None:
    async with reading(FIRST) as reader:
        assert await reader.accepts(FIRST)
        reader.remote.fails = httpx.ConnectError("no route")
        for _ in range(20):
            reader.clock.now += STALE_SECONDS
            async with asyncio.timeout(0.5):
                assert await reader.accepts(FIRST, sub="another")
            await background()
        assert reader.fetches == 21


async def test_a_slow_issuer_does_not_keep_known_keys_waiting() -> None:
    async with reading(FIRST, patience=60) as reader:
        assert await reader.accepts(FIRST)
        reader.remote.answers.clear()
        reader.clock.now += STALE_SECONDS
        unknown = asyncio.create_task(reader.accepts(SECOND))
        await until(lambda: reader.fetches == 2)
        async with asyncio.timeout(0.5):
            assert await reader.accepts(FIRST, sub="another")
        assert not unknown.done()
        reader.remote.document = jwks(FIRST, SECOND)
        reader.remote.answers.set()
        assert await unknown


async def test_whoever_waits_for_an_unknown_key_waits_only_so_long() -> None:
    async with reading(FIRST, patience=0.005) as reader:
        reader.remote.answers.clear()
        assert not await reader.accepts(FIRST)
        reader.remote.answers.set()
        await background()
        assert await reader.accepts(FIRST)
        assert reader.fetches == 1


async def test_all_who_wait_share_one_fetch_and_one_who_leaves_does_not_end_it() -> None:
    async with reading(FIRST, patience=60) as reader:
        reader.remote.answers.clear()
        waiting = [asyncio.create_task(reader.accepts(FIRST, sub=f"nr {number}")) for number in range(50)]
        await until(lambda: reader.fetches == 1)
        waiting.pop(0).cancel()
        await background()
        reader.remote.answers.set()
        assert all(await asyncio.gather(*waiting))
        assert reader.fetches == 1


async def test_a_flood_of_unknown_keys_fetches_once_in_ten_seconds() -> None:
    async with reading(FIRST) as reader:
        assert await reader.accepts(FIRST)
        for number in range(240):
            reader.clock.now += 0.125
            assert not await reader.accepts(FIRST, header={"kid": f"kid {number}"})
        assert reader.fetches == 1 + 3
        assert await reader.accepts(FIRST)


async def test_after_failures_the_next_fetch_comes_later_and_later() -> None:
    async with reading(FIRST) as reader:
        reader.remote.status = 500
        tried_at = []
        for second in range(1200):
            fetches = reader.fetches
            assert not await reader.accepts(FIRST)
            if reader.fetches > fetches:
                tried_at.append(second)
            reader.clock.now += 1
        assert tried_at == [0, 1, 3, 7, 15, 31, 63, 127, 255, 511, 811, 1111]
        reader.remote.status = 200
        reader.clock.now += 300
        assert await reader.accepts(FIRST)
        reader.remote.status = 500
        reader.clock.now += SECONDS_BETWEEN_FETCHES
        assert not await reader.accepts(SECOND)
        reader.clock.now += 1
        assert not await reader.accepts(SECOND)
        assert reader.fetches == len(tried_at) + 3


@pytest.mark.parametrize(
    "document",
    [[], {}, {"keys": {}}, "keys", None, {"keys": [1] * (MOST_KEYS + 1)}, {"keys": [], "x": "x" * MOST_BYTES}],
    ids=["list", "empty", "keys object", "text", "null", "too many", "too large"],
)
async def test_what_is_no_key_set_leaves_the_known_keys(document: Any) -> None:
    async with reading(FIRST) as reader:
        assert await reader.accepts(FIRST)
        reader.remote.document = document
        reader.clock.now += STALE_SECONDS
        with structlog.testing.capture_logs() as lines:
            assert not await reader.accepts(SECOND)
        assert [line["event"] for line in lines if line["log_level"] == "warning"] == ["jwks_fetch_failed"]
        assert await reader.accepts(FIRST)


@pytest.mark.parametrize("status", [201, 204, 301, 302, 307, 304, 404, 500])
async def test_other_answers_than_200_are_failures_and_redirects_are_not_followed(status: int) -> None:
    async with reading(FIRST) as reader:
        reader.remote.status, reader.remote.headers = status, {"location": "https://elsewhere.example/keys"}
        assert not await reader.accepts(FIRST)
        assert [request.url.host for request in reader.remote.requests] == ["issuer.example"]


async def test_a_compressed_answer_is_not_unpacked() -> None:
    async with reading(FIRST) as reader:
        reader.remote.headers = {"content-encoding": "x-bomb"}
        assert not await reader.accepts(FIRST)


async def test_an_empty_set_withdraws_all_keys() -> None:
    async with reading(FIRST) as reader:
        assert await reader.accepts(FIRST)
        reader.remote.document = {"keys": []}
        reader.clock.now += STALE_SECONDS
        assert not await reader.accepts(SECOND)
        assert not await reader.accepts(FIRST)


async def test_failures_are_logged_without_what_is_secret_in_the_url() -> None:
    async with reading(FIRST) as reader:
        reader.remote.fails = httpx.ConnectError(f"cannot connect to {SECRET_URL}")
        with structlog.testing.capture_logs() as lines:
            assert not await reader.accepts(FIRST)
        (line,) = [line for line in lines if line["event"] == "jwks_fetch_failed"]
        assert line["jwks"] == "https://issuer.example/keys"
        assert line["reason"] == "ConnectError"
        assert "secret" not in str(lines)
        assert "password" not in str(lines)


async def test_keys_are_asked_for_at_the_given_url_only_whatever_the_token_says() -> None:
    async with reading(FIRST) as reader:
        header = {"kid": "../../etc/passwd", "jku": "https://evil.example", "x5u": "https://evil.example"}
        assert not await reader.accepts(FIRST, header=header)
        assert {str(request.url) for request in reader.remote.requests} == {SECRET_URL}


@pytest.mark.parametrize("header", [{"alg": "none"}, {"alg": "HS256"}, {"kid": "k" * 201}, {"crit": ["exp"]}])
@pytest.mark.parametrize("claims", [{}, {"exp": 0}, {"aud": "x"}])
async def test_a_token_that_is_bad_anyway_fetches_no_keys(header: dict[str, Any], claims: dict[str, Any]) -> None:
    async with reading(FIRST) as reader:
        _, rest = ISSUER.token(**claims).split(".", 1)
        with pytest.raises(Refused):
            await reader.tokens.read(f"{encoded({'alg': 'ES256', 'kid': 'first', **header})}.{rest}")
        assert reader.fetches == 0


async def test_a_known_key_of_another_kind_fetches_no_keys() -> None:
    async with reading(FIRST, RSA) as reader:
        assert await reader.accepts(FIRST)
        reader.clock.now += SECONDS_BETWEEN_FETCHES
        assert not await reader.accepts(FIRST, header={"kid": "rsa"})
        assert reader.fetches == 1


async def test_closing_ends_a_fetch_and_starts_none() -> None:
    reader = Reader(FIRST, patience=60)
    reader.remote.answers.clear()
    waiting = asyncio.create_task(reader.accepts(FIRST))
    await until(lambda: reader.fetches == 1)
    await reader.tokens.close()
    assert not await waiting
    assert not await reader.accepts(FIRST)
    assert reader.fetches == 1
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []


async def test_keys_are_fetched_from_a_real_server() -> None:
    requests: list[bytes] = []
    async with server(orjson.dumps(jwks(FIRST)), requests) as url:
        issuer = AnIssuer(key=FIRST, jwks_url=f"{url}/keys?tenant=1")
        reader = Tokens([issuer.issuer])
        assert (await reader.read(issuer.token())).subject == "somebody"
        assert requests == [b"GET /keys?tenant=1 HTTP/1.1"]
        await reader.close()


async def test_an_endless_answer_of_a_real_server_is_given_up() -> None:
    async with server(b"x" * MOST_BYTES * 100, []) as url, http_client() as client:
        keys = KeySet(Issuer.model_validate({**ISSUER.issuer.model_dump(), "jwks_url": url}), client)
        with structlog.testing.capture_logs() as lines:
            assert await keys.matching("first", "ES256") == []
        assert [line["reason"] for line in lines] == [f"more than {MOST_BYTES} bytes"]
        await keys.close()


@asynccontextmanager
async def server(body: bytes, requests: list[bytes]) -> AsyncIterator[str]:
    """Base URL of an HTTP server that answers everything with the body."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        requests.append(head.splitlines()[0])
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body))
        try:
            for start in range(0, len(body), 65536):
                writer.write(body[start : start + 65536])
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    listener = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with listener:
        yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"


def key_with(**changes: Any) -> dict[str, Any]:
    return {**FIRST.as_dict(private=False), **changes}


@pytest.mark.parametrize(
    "unfit",
    [
        {"kty": "oct", "k": "c2VjcmV0", "kid": "first"},
        key_with(use="enc"),
        key_with(use=None),
        key_with(key_ops=["encrypt"]),
        key_with(key_ops="verify"),
        key_with(kid=1),
        key_with(alg="HS256"),
        key_with(alg="RS256"),
        key_with(alg=["ES256"]),
        key_with(crv="P-999"),
        key_with(crv="secp256k1"),
        key_with(x="AAAA"),
        key_with(x=1),
        key_with(x="A" * 3000),
        key_with(kty="RSA"),
        key_with(kty=["EC"]),
        {"kty": "OKP", "crv": "X25519", "x": "A" * 43},
        {"kty": "RSA", "n": "A" * 171, "e": "AQAB"},
        {"kty": "RSA", "n": "A" * 342, "e": "AA"},
        {"kty": "AKP"},
        {},
        None,
        "key",
    ],
)
@pytest.mark.filterwarnings("error")
def test_keys_that_cannot_check_signatures_are_left_out(unfit: Any) -> None:
    assert public_keys({"keys": [unfit]}) == ()
    assert [key.key_id for key in public_keys({"keys": [unfit, RSA.as_dict(private=False)]})] == ["rsa"]


def test_private_halves_are_left_out() -> None:
    (key,) = public_keys({"keys": [FIRST.as_dict(private=True)]})
    assert not key.key.is_private
    assert key.identity == public_keys(jwks(FIRST))[0].identity


def test_members_of_a_key_that_are_not_needed_are_not_looked_at() -> None:
    (key,) = public_keys({"keys": [key_with(use="sig", key_ops=["verify"], x5c=[1], anything={"a": 1})]})
    assert key.algorithms == {"ES256"}


@pytest.mark.parametrize("document", [{"keys": []}, {"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}, {}])
def test_settings_with_no_key_in_their_set_cannot_be_used(document: dict[str, Any]) -> None:
    issuer = Issuer.model_validate({"issuer": "i", "audience": "a", "tenant": "partner", "jwks": document})
    with pytest.raises(ValueError, match=r"(?i)key"):
        Tokens([issuer])


@pytest.mark.parametrize(
    "url",
    [
        *("ftp://issuer.example", "/keys", "https://", "http://[", "https:///keys"),
        *("http://issuer.example/keys", "http://127.0.0.1.example/keys", "http://localhost@issuer.example/"),
    ],
)
def test_settings_with_a_bad_url_are_refused_without_quoting_it(url: str) -> None:
    with pytest.raises(ValueError, match="jwks_url") as refused:
        Issuer.model_validate({"issuer": "i", "audience": "a", "tenant": "partner", "jwks_url": url})
    assert url not in refused.value.errors()[0]["msg"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8080", "[::1]:8080"])
def test_keys_on_this_machine_may_be_fetched_without_tls(host: str) -> None:
    url = f"http://{host}/keys"
    settings = {"issuer": "i", "audience": "a", "tenant": "partner", "jwks_url": url}
    assert Issuer.model_validate(settings).jwks_url == url
