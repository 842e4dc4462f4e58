"""Who is asked for how many points over HTTP, who is refused, and that a refusal runs nothing."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
import strawberry
from graphql import DocumentNode, FieldNode, OperationDefinitionNode
from sqlalchemy.exc import OperationalError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route

from datastore.viewer import ANONYMOUS, Viewer
from gateway import http
from gateway.bill import BYTES_A_POINT, CHARACTERS_A_POINT, FREE_BYTES, TOLL
from gateway.rate import Rate
from gateway.request import GRAPHQL_JSON, JSON
from resolvers.errors import ErrorCode, Refused, UserError, refuse
from tests.gateway.doubles import PlainContext, endpoint

BUDGET = 200
PER_SECOND = 5
UNNAMED = 20
NAMED = {"ET-Client-Name": "firma-app"}
RUN: list[str] = []
"""The names of the fields that were resolved."""


@strawberry.type
class Thing:
    name: str = "x"

    @strawberry.field
    def parts(self) -> list["Thing"]:
        return [Thing()]


@strawberry.type
class Query:
    @strawberry.field
    def things(self, number: int = 3) -> list[Thing]:
        RUN.append("things")
        return [Thing() for _ in range(number)]

    @strawberry.field
    def thing(self) -> Thing | None:
        RUN.append("thing")
        return None

    @strawberry.field
    def denied(self) -> Thing | None:
        RUN.append("denied")
        return Thing()

    @strawberry.field
    def broken(self) -> Thing:
        raise RuntimeError("secret detail")

    @strawberry.field
    async def slow(self) -> list[Thing]:
        await asyncio.sleep(60)
        return []


SCHEMA = strawberry.Schema(Query)


class Guard:
    """Lets nobody see `denied`."""

    def check(
        self, _document: DocumentNode, operation: OperationDefinitionNode, _variables: dict[str, Any], viewer: Viewer
    ) -> None:
        names = [each.name.value for each in operation.selection_set.selections if isinstance(each, FieldNode)]
        denied = [UserError(ErrorCode.FORBIDDEN, (f"Query.{name}",)) for name in names if name == "denied"]
        if denied and not viewer.is_signed_in:
            raise refuse(ErrorCode.SIGN_IN_REQUIRED)
        if denied:
            raise Refused(*denied)

    def may_introspect(self, _viewer: Viewer) -> bool:
        return True


async def identify(authorization: list[str]) -> Viewer:
    """The caller whose name is the token."""
    if not authorization:
        return ANONYMOUS
    name = authorization[0].removeprefix("Bearer ")
    if name == "bad":
        raise refuse(ErrorCode.TOKEN_INVALID)
    return Viewer(1, subject=name, issuer="https://issuer")


class Context(PlainContext):
    """What `X-Test` says happens when the operation has run."""

    def __init__(self, request: Request) -> None:
        self.request = request
        super().__init__({"Note.text", "Note.author"} if request.headers.get("X-Test") == "mask" else set())

    async def finish(self) -> None:
        if self.request.headers.get("X-Test") == "break":
            raise RuntimeError("secret detail")
        if self.request.headers.get("X-Test") == "lose":
            raise OperationalError("INSERT", (), Exception("secret detail"))
        if self.request.headers.get("X-Test") == "hang":
            await asyncio.sleep(60)


class Clock:
    """Microseconds that go on only when told."""

    def __init__(self) -> None:
        self.now = 10**12

    def __call__(self) -> int:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += int(seconds * 1_000_000)


@pytest.fixture(autouse=True)
def nothing_has_run() -> Iterator[None]:
    RUN.clear()
    yield
    RUN.clear()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def make_client(clock: Clock, **settings: Any) -> httpx.AsyncClient:
    served = endpoint(
        SCHEMA,
        make_context=lambda request, _viewer: Context(request),
        identify=identify,
        guard=Guard(),
        rate=Rate(BUDGET, PER_SECOND, UNNAMED * 100 // BUDGET, clock=clock),
        **settings,
    )
    app = Starlette(routes=[Route("/graphql", served)])
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway", headers=NAMED)


@pytest.fixture
async def client(clock: Clock) -> AsyncIterator[httpx.AsyncClient]:
    async with make_client(clock) as client:
        yield client


async def post(
    client: httpx.AsyncClient, query: str, who: str | None = "kari", accept: str = GRAPHQL_JSON, **headers: str
) -> httpx.Response:
    given = {"Accept": accept} | {name.replace("_", "-"): value for name, value in headers.items()}
    if who:
        given["Authorization"] = f"Bearer {who}"
    return await client.post("/graphql", json={"query": query}, headers=given)


def cost_of(response: httpx.Response) -> dict[str, int]:
    cost: dict[str, int] = response.json()["extensions"]["cost"]
    return cost


def code_of(response: httpx.Response) -> str:
    return str(response.json()["errors"][0]["extensions"]["errorCode"])


def message_of(response: httpx.Response) -> str:
    return str(response.json()["errors"][0]["message"])


async def left(client: httpx.AsyncClient, who: str | None = "kari", **headers: str) -> int:
    """The points of a caller, before this request takes one."""
    return cost_of(await post(client, "{ __typename }", who, **headers))["remaining"] + 1


async def spend(client: httpx.AsyncClient, points: int, who: str | None = "kari") -> None:
    """Make a caller spend points, which is more than the toll."""
    response = await post(client, " ".join(["{", *(f"a{n}: slow {{ name }}" for n in range(points // 10)), "}"]), who)
    assert response.status_code == 503


async def test_an_answer_says_what_was_requested_spent_and_is_left(client: httpx.AsyncClient) -> None:
    response = await post(client, "{ things { parts { name } } }")
    assert cost_of(response) == {"requested": 110, "actual": 6, "budget": BUDGET, "remaining": BUDGET - 6}
    response = await post(client, "{ things(number: 1) { name } }")
    assert cost_of(response) == {"requested": 10, "actual": 1, "budget": BUDGET, "remaining": BUDGET - 7}


@pytest.mark.parametrize("query", ["{ __typename }", "{ thing { name } }"])
async def test_an_operation_costs_a_point_at_least(client: httpx.AsyncClient, query: str) -> None:
    for number in (1, 2):
        assert cost_of(await post(client, query)) == {
            "requested": 1,
            "actual": 1,
            "budget": BUDGET,
            "remaining": BUDGET - number,
        }


async def test_no_operation_costs_more_than_it_requested(client: httpx.AsyncClient) -> None:
    response = await post(client, "{ things(number: 25) { name } }")
    assert cost_of(response) == {"requested": 10, "actual": 10, "budget": BUDGET, "remaining": BUDGET - 10}


async def test_an_answer_without_data_costs_what_was_requested(client: httpx.AsyncClient) -> None:
    """Nothing in it tells how much was done before it failed."""
    response = await post(client, "{ things { parts { name } } broken { name } }")
    assert response.json()["data"] is None
    assert cost_of(response) == {"requested": 111, "actual": 111, "budget": BUDGET, "remaining": BUDGET - 111}


async def test_an_operation_that_is_stopped_costs_what_it_requested(clock: Clock) -> None:
    async with make_client(clock, execution_timeout=0.01) as client:
        await spend(client, 30)
        assert await left(client) == BUDGET - 30


@pytest.mark.parametrize(
    "query",
    [
        "{",
        "{ nonsense }",
        "{ denied { name } }",
        "{ a { b" + " c" * 500,
        "{" + "thing{name}" * 21 + "}",
        "{ thing { " + "x " * 500 + "} }",
    ],
)
async def test_a_document_that_is_refused_costs_the_toll_and_its_length(client: httpx.AsyncClient, query: str) -> None:
    cost = TOLL + len(query) // CHARACTERS_A_POINT
    for number in (1, 2):
        assert (await post(client, query)).status_code in (400, 403)
        assert await left(client) == BUDGET - number * cost - number + 1
    assert RUN == []


async def test_a_document_that_nobody_has_the_points_for_is_not_parsed(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "parse_document", lambda *_: pytest.fail("parsed"))
    response = await post(client, "{" + "x " * 3000 + "}")
    assert (response.status_code, code_of(response)) == (400, "COST_TOO_HIGH")


async def test_the_length_of_a_document_that_runs_is_given_back(client: httpx.AsyncClient) -> None:
    assert cost_of(await post(client, "{ __typename }" + " " * 3000)) == {
        "requested": 1,
        "actual": 1,
        "budget": BUDGET,
        "remaining": BUDGET - 1,
    }


# What it costs to read a body


async def post_body(client: httpx.AsyncClient, body: bytes) -> httpx.Response:
    headers = {"Content-Type": JSON, "Authorization": "Bearer kari"}
    return await client.post("/graphql", content=body, headers=headers)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"query": 1}', b'{"query": "{a}", "variables": []}'])
async def test_a_request_that_is_not_well_formed_costs_the_toll(client: httpx.AsyncClient, body: bytes) -> None:
    assert (await post_body(client, body)).status_code == 400
    assert await left(client) == BUDGET - TOLL
    assert (await client.get("/graphql?query=1&query=2", headers={"Authorization": "Bearer kari"})).status_code == 400
    assert await left(client) == BUDGET - 2 * TOLL - 1


async def test_a_large_body_costs_its_size_whatever_comes_of_it(client: httpx.AsyncClient) -> None:
    body = b'{"query": "{ __typename }"}'
    assert cost_of(await post_body(client, body.ljust(FREE_BYTES)))["remaining"] == BUDGET - 1
    remaining = BUDGET - 2 - 50_000 // BYTES_A_POINT
    assert cost_of(await post_body(client, body.ljust(50_000)))["remaining"] == remaining
    assert (await post_body(client, b"".ljust(50_000))).status_code == 400
    assert await left(client) == remaining - 50_000 // BYTES_A_POINT - TOLL


async def test_a_caller_without_points_cannot_make_the_gateway_read_a_large_body(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with make_client(clock, execution_timeout=0.01) as client:
        await spend(client, 180)
        monkeypatch.setattr(http, "read_json", lambda *_: pytest.fail("read"))
        for _ in range(3):
            response = await post_body(client, b"[" * 100_000)
            assert (response.status_code, code_of(response)) == (429, "RATE_LIMITED")
            assert message_of(response) == "100 points are needed, and 20 are left. Try again in 16 seconds."
        assert (await post_body(client, b"[" * 1_000_000)).status_code == 400  # more than anybody can have


@pytest.mark.parametrize("accept", [JSON, GRAPHQL_JSON])
async def test_a_caller_without_points_gets_429_before_anything_runs(clock: Clock, accept: str) -> None:
    async with make_client(clock, execution_timeout=0.01) as client:
        await spend(client, 180)
        response = await post(client, "{ things { parts { name } } }", accept=accept)
        assert (response.status_code, code_of(response)) == (429, "RATE_LIMITED")
        assert response.json()["errors"][0]["extensions"]["code"] == "RATE_LIMITED"
        assert response.headers["Retry-After"] == "18"
        assert message_of(response) == "110 points are needed, and 20 are left. Try again in 18 seconds."
        assert RUN == []


async def test_a_caller_who_waits_as_long_as_told_is_served(clock: Clock) -> None:
    async with make_client(clock, execution_timeout=0.01) as client:
        assert (await post(client, "{ things { parts { name } } }")).status_code == 200
        clock.wait(60)
        await spend(client, 190)
        refused = await post(client, "{ things { parts { name } } }")
        clock.wait(int(refused.headers["Retry-After"]))
        assert (await post(client, "{ things { parts { name } } }")).status_code == 200


async def test_callers_without_points_do_not_hold_up_the_others(clock: Clock) -> None:
    async with make_client(clock, execution_timeout=0.01) as client:
        await spend(client, 200)
        assert (await post(client, "{ thing { name } }")).status_code == 429
        assert await left(client, "ola") == BUDGET
        assert await left(client, "kari", ET_Client_Name="firma-other") == BUDGET
        assert await left(client, None) == BUDGET


@pytest.mark.parametrize("accept", [JSON, GRAPHQL_JSON])
async def test_a_caller_without_points_cannot_make_the_gateway_parse(
    clock: Clock, accept: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with make_client(clock, execution_timeout=0.01) as client:
        await spend(client, 200)
        monkeypatch.setattr(http, "parse_document", lambda *_: pytest.fail("parsed"))
        for query in ("{", "{ nonsense }", "{ denied { name } }", "{ things { name } }"):
            response = await post(client, query, accept=accept)
            assert (response.status_code, code_of(response)) == (429, "RATE_LIMITED")


async def test_refusing_the_points_for_a_new_document_costs_the_toll_too(clock: Clock) -> None:
    async with make_client(clock, execution_timeout=0.01) as client:
        await spend(client, 150)
        query = "{ things { parts { name } } }"
        assert (await post(client, query)).status_code == 429
        assert await left(client) == BUDGET - 150 - TOLL - len(query) // CHARACTERS_A_POINT


async def test_who_has_too_few_points_for_the_toll_keeps_them(clock: Clock) -> None:
    """Nothing was done for it; if it cost something, waiting as long as told would never help."""
    async with make_client(clock, execution_timeout=0.01) as client:
        await spend(client, 190)
        for _ in range(2):
            assert (await post(client, "{ things { parts { name } } }")).headers["Retry-After"] == "1"
        assert await left(client) == 10


async def test_an_operation_may_request_all_that_a_caller_can_have(client: httpx.AsyncClient) -> None:
    query = "{ a: things { parts { name } } b: things { name } c: things { name } d: things { name }"
    query += " e: things { name } f: things { name } g: things { name } h: things { name } i: things { name }"
    query += " j: things { name } }"
    response = await post(client, query)
    assert cost_of(response) == {"requested": 200, "actual": 6 + 9 * 3, "budget": BUDGET, "remaining": BUDGET - 33}


async def test_more_than_a_caller_can_ever_have_is_refused_with_a_way_out(client: httpx.AsyncClient) -> None:
    query = "{ a: things { parts { name } } }"
    response = await post(client, query, ET_Client_Name="nohyphen")
    assert (response.status_code, code_of(response)) == (400, "COST_TOO_HIGH")
    assert message_of(response) == (
        "The operation may cost 110 points; you can never have more than 20. Name the client in the header"
        " ET-Client-Name, as <company>-<application>, to have more."
    )
    query = "{ a: things { parts { name } } b: things { parts { name } } }"
    response = await post(client, query)
    assert (response.status_code, code_of(response)) == (400, "COST_TOO_HIGH")
    assert message_of(response) == "The operation may cost 220 points; you can never have more than 200."
    assert RUN == []
    assert await left(client) == BUDGET - TOLL - len(query) // CHARACTERS_A_POINT


async def test_a_caller_without_a_name_has_a_smaller_budget(client: httpx.AsyncClient) -> None:
    response = await post(client, "{ thing { name } }", ET_Client_Name="nohyphen")
    assert cost_of(response) == {"requested": 1, "actual": 1, "budget": UNNAMED, "remaining": UNNAMED - 1}


async def test_anonymous_callers_are_told_apart_by_address(clock: Clock) -> None:
    async with make_client(clock) as client:
        app = client._transport.app  # type: ignore[attr-defined]
        assert await left(client, None) == BUDGET
        assert await left(client, None) == BUDGET - 1
        other = httpx.ASGITransport(app, client=("10.0.0.9", 1))
        async with httpx.AsyncClient(transport=other, base_url="http://gateway", headers=NAMED) as from_elsewhere:
            assert await left(from_elsewhere, None) == BUDGET


@pytest.mark.parametrize("accept", [JSON, GRAPHQL_JSON])
async def test_a_bad_token_gets_401_and_its_body_is_not_read(client: httpx.AsyncClient, accept: str) -> None:
    read = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal read
        read += 1
        yield b"{}"

    response = await client.post(
        "/graphql",
        content=body(),
        headers={"Accept": accept, "Content-Type": JSON, "Authorization": "Bearer bad"},
    )
    assert (response.status_code, code_of(response)) == (401, "TOKEN_INVALID")
    assert response.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    assert response.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    assert read == 0


@pytest.mark.parametrize("accept", [JSON, GRAPHQL_JSON])
async def test_an_anonymous_caller_of_what_needs_a_sign_in_gets_401(client: httpx.AsyncClient, accept: str) -> None:
    response = await post(client, "{ denied { name } }", None, accept)
    assert (response.status_code, code_of(response)) == (401, "SIGN_IN_REQUIRED")
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert "data" not in response.json()
    assert RUN == []


@pytest.mark.parametrize("accept", [JSON, GRAPHQL_JSON])
async def test_a_caller_without_the_permission_gets_403_and_nothing_runs(
    client: httpx.AsyncClient, accept: str
) -> None:
    response = await post(client, "{ things { name } denied { name } }", accept=accept)
    assert (response.status_code, code_of(response)) == (403, "FORBIDDEN")
    assert "WWW-Authenticate" not in response.headers
    assert set(response.json()) == {"errors"}
    assert RUN == []
    assert (await post(client, "{ things { name } }")).status_code == 200


@pytest.mark.parametrize("accept", [JSON, GRAPHQL_JSON])
async def test_the_name_of_the_client_can_be_required(clock: Clock, accept: str) -> None:
    async with make_client(clock, client_name_required=True) as client:
        response = await post(client, "{ thing { name } }", accept=accept, ET_Client_Name="nohyphen")
        assert (response.status_code, code_of(response)) == (403, "CLIENT_NAME_REQUIRED")
        assert RUN == []
        assert (await post(client, "{ thing { name } }", accept=accept)).status_code == 200
        client.headers.pop("ET-Client-Name")
        assert (await post(client, "{ thing { name } }", accept=accept)).status_code == 403


async def test_masked_fields_are_named_in_order(client: httpx.AsyncClient) -> None:
    response = await post(client, "{ thing { name } }", X_Test="mask")
    assert response.json()["extensions"]["masked"] == ["Note.author", "Note.text"]
    assert "masked" not in (await post(client, "{ thing { name } }")).json()["extensions"]


@pytest.mark.parametrize(
    ("what", "status", "code"), [("break", 500, "INTERNAL"), ("lose", 503, "UNAVAILABLE"), ("hang", 503, "UNAVAILABLE")]
)
@pytest.mark.parametrize("accept", [JSON, GRAPHQL_JSON])
async def test_nothing_is_answered_when_the_context_cannot_finish(
    clock: Clock, what: str, status: int, code: str, accept: str
) -> None:
    async with make_client(clock, execution_timeout=0.05) as client:
        response = await post(client, "{ things { name } }", accept=accept, X_Test=what)
    assert RUN == ["things"]
    assert (response.status_code, code_of(response)) == (status, code)
    assert set(response.json()) == {"errors"}
    assert "secret" not in response.text
