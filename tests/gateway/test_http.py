"""The HTTP side of /graphql: what is accepted, what is refused and with which status and media type."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import httpx
import orjson
import pytest
import strawberry
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import Message
from strawberry import scalars

from datastore.viewer import Viewer
from gateway.documents import LONGEST_KEPT
from gateway.limits import Limits
from gateway.request import GRAPHQL_JSON, JSON, headers_of, negotiate
from resolvers.errors import ErrorCode, refuse
from tests.gateway.doubles import PlainContext, endpoint

CONTEXT = "X-Test-Context"


@strawberry.input
class Address:
    street: str
    lines: list[str] | None = None


@strawberry.type
class Query:
    @strawberry.field
    def hello(self, name: str = "world") -> str:
        return f"hello {name}"

    @strawberry.field
    def double(self, number: int) -> int:
        return 2 * number

    @strawberry.field
    def echo_id(self, value: strawberry.ID) -> str:
        return value

    @strawberry.field
    def street(self, address: Address) -> str:
        return address.street

    @strawberry.field
    def broken(self) -> str | None:
        raise RuntimeError("secret detail")

    @strawberry.field
    def broken_for_all(self) -> str:
        raise RuntimeError("secret detail")

    @strawberry.field
    def too_big(self) -> scalars.JSON:
        return scalars.JSON(2**70)

    @strawberry.field
    async def slow(self) -> str:
        await asyncio.sleep(60)
        return "late"


@strawberry.type
class Mutation:
    @strawberry.mutation
    def remember(self, text: str) -> str:
        return text


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def ticks(self) -> AsyncIterator[int]:
        yield 1


SCHEMA = strawberry.Schema(Query, Mutation, Subscription)


def make_context(request: Request, _viewer: Viewer) -> PlainContext:
    if request.headers.get(CONTEXT) == "refuse":
        raise refuse(ErrorCode.FORBIDDEN)
    if request.headers.get(CONTEXT) == "break":
        raise RuntimeError("secret detail")
    return PlainContext()


def make_client(**settings: Any) -> httpx.AsyncClient:
    app = Starlette(routes=[Route("/graphql", endpoint(SCHEMA, make_context=make_context, **settings))])
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway")


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with make_client() as client:
        yield client


async def post(
    client: httpx.AsyncClient, body: object, accept: str | None = GRAPHQL_JSON, **headers: str
) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = client.build_request(
        "POST",
        "/graphql",
        content=content,
        headers={"Content-Type": JSON} | {k.replace("_", "-"): v for k, v in headers.items()},
    )
    request.headers.pop("Accept")
    if accept is not None:
        request.headers["Accept"] = accept
    return await client.send(request)


async def get(client: httpx.AsyncClient, query_string: str, **headers: str) -> httpx.Response:
    return await client.get(
        f"/graphql?{query_string}", headers={"Accept": GRAPHQL_JSON, "ET-Client-Name": "a-b"} | headers
    )


def code_of(response: httpx.Response) -> str:
    return str(response.json()["errors"][0]["extensions"]["errorCode"])


def message_of(response: httpx.Response) -> str:
    return str(response.json()["errors"][0]["message"])


TYPENAME = {"query": "{ __typename }"}
WITH_VARIABLE = {"query": "query ($name: String!) { __type(name: $name) { name } }", "variables": {"name": "sometype"}}
NOT_MAPS: list[object] = ["text", 0, False, ["array"]]
NOT_TEXTS: list[object] = [{"obj": "ect"}, 0, False, ["array"]]

# (ids of the graphql-http audit suite, body, Accept, status, media type answered). The suite is older than the
# specification in two points, where the specification is followed: requests that are not well-formed are 400 as
# application/json too (3715 9FE* FB9* F05* 368* D477 F5AF say 200), and no Accept means the GraphQL type (80D8).
CONFORMANCE: list[tuple[str, object, str | None, int, str]] = [
    ("22EB 34A2", TYPENAME, GRAPHQL_JSON, 200, GRAPHQL_JSON),
    ("4655 13EE", TYPENAME, JSON, 200, JSON),
    ("47DE", TYPENAME, "*/*", 200, JSON),
    ("80D8 82A3 78D5 2C94 03D4", TYPENAME, None, 200, GRAPHQL_JSON),
    ("7267", b"", None, 400, GRAPHQL_JSON),
    ("7267", b"", JSON, 400, JSON),
    ("6610 3E36 17C5 34D6", {"notquery": "{ __typename }"}, GRAPHQL_JSON, 400, GRAPHQL_JSON),
    ("3715 F5AF", {"notquery": "{ __typename }"}, JSON, 400, JSON),
    *[("4F5*", {"query": query}, GRAPHQL_JSON, 400, GRAPHQL_JSON) for query in NOT_TEXTS],
    *[("9FE*", {"query": query}, JSON, 400, JSON) for query in NOT_TEXTS],
    *[("E3E*", TYPENAME | {"operationName": name}, GRAPHQL_JSON, 400, GRAPHQL_JSON) for name in NOT_TEXTS],
    *[("FB9*", TYPENAME | {"operationName": name}, JSON, 400, JSON) for name in NOT_TEXTS],
    ("8161", {"query": "query Query { __typename }", "operationName": "Query"}, GRAPHQL_JSON, 200, GRAPHQL_JSON),
    ("B8B3", {"query": "query Query { __typename }", "operationName": "Query"}, JSON, 200, JSON),
    *[
        ("94B*", TYPENAME | {n: None}, GRAPHQL_JSON, 200, GRAPHQL_JSON)
        for n in ("variables", "operationName", "extensions")
    ],
    *[("022*", TYPENAME | {n: None}, JSON, 200, JSON) for n in ("variables", "operationName", "extensions")],
    *[("69B*", TYPENAME | {"variables": value}, GRAPHQL_JSON, 400, GRAPHQL_JSON) for value in NOT_MAPS],
    *[("F05*", TYPENAME | {"variables": value}, JSON, 400, JSON) for value in NOT_MAPS],
    ("2EA1", WITH_VARIABLE, GRAPHQL_JSON, 200, GRAPHQL_JSON),
    ("28B9", WITH_VARIABLE, JSON, 200, JSON),
    *[("904*", TYPENAME | {"extensions": value}, GRAPHQL_JSON, 400, GRAPHQL_JSON) for value in NOT_MAPS],
    *[("368*", TYPENAME | {"extensions": value}, JSON, 400, JSON) for value in NOT_MAPS],
    ("428F", TYPENAME | {"extensions": {"some": "value"}}, GRAPHQL_JSON, 200, GRAPHQL_JSON),
    ("1B7A", TYPENAME | {"extensions": {"some": "value"}}, JSON, 200, JSON),
    ("60AA 2163", b'{ "not a JSON', GRAPHQL_JSON, 400, GRAPHQL_JSON),
    ("D477", b'{ "not a JSON', JSON, 400, JSON),
    ("572B", {"query": "{"}, JSON, 200, JSON),
    ("865D 556A D586", {"query": "{"}, GRAPHQL_JSON, 400, GRAPHQL_JSON),
    ("FDE2", {"query": "{ 8f31403dfe404bccbb0e835f2629c6a7 }"}, JSON, 200, JSON),
    ("51FE 74FF 5E5B", {"query": "{ unknownField }"}, GRAPHQL_JSON, 400, GRAPHQL_JSON),
    # Points of the specification that the suite has no audit for.
    ("operation cannot be determined", TYPENAME | {"operationName": "Other"}, GRAPHQL_JSON, 400, GRAPHQL_JSON),
    ("operation cannot be determined", TYPENAME | {"operationName": "Other"}, JSON, 200, JSON),
    (
        "operation cannot be determined",
        {"query": "query A { hello } query B { hello }"},
        GRAPHQL_JSON,
        400,
        GRAPHQL_JSON,
    ),
    ("operation cannot be determined", {"query": "fragment A on Query { hello }"}, GRAPHQL_JSON, 400, GRAPHQL_JSON),
    ("variable coercion", {"query": "query ($n: Int!) { double(number: $n) }"}, GRAPHQL_JSON, 400, GRAPHQL_JSON),
    ("variable coercion", {"query": "query ($n: Int!) { double(number: $n) }"}, JSON, 200, JSON),
    ("EE52 partial success", {"query": "{ hello broken }"}, GRAPHQL_JSON, 294, GRAPHQL_JSON),
    ("EE52 partial success", {"query": "{ hello broken }"}, JSON, 200, JSON),
    ("data is null", {"query": "{ brokenForAll }"}, GRAPHQL_JSON, 294, GRAPHQL_JSON),
    ("data is null", {"query": "{ brokenForAll }"}, JSON, 200, JSON),
    ("subscription", {"query": "subscription { ticks }"}, GRAPHQL_JSON, 400, GRAPHQL_JSON),
    ("unknown property", TYPENAME | {"other": 1}, GRAPHQL_JSON, 200, GRAPHQL_JSON),
]


@pytest.mark.parametrize(("ids", "body", "accept", "status", "media_type"), CONFORMANCE)
async def test_a_request_gets_the_status_and_media_type_of_the_specification(
    client: httpx.AsyncClient, ids: str, body: object, accept: str | None, status: int, media_type: str
) -> None:
    response = await post(client, body, accept)
    assert (response.status_code, response.headers["Content-Type"]) == (status, f"{media_type}; charset=utf-8")
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    answer = json.loads(response.content.decode())
    if status == 400 or body == {"query": "{"}:
        assert "data" not in answer
        assert answer["errors"]
    elif "errors" not in answer:
        assert "data" in answer


async def test_partial_data_comes_with_its_errors(client: httpx.AsyncClient) -> None:
    answer = (await post(client, {"query": "{ hello broken }"})).json()
    assert answer["data"] == {"hello": "hello world", "broken": None}
    assert [error["path"] for error in answer["errors"]] == [["broken"]]


async def test_null_data_is_in_the_answer_when_the_operation_has_run(client: httpx.AsyncClient) -> None:
    answer = (await post(client, {"query": "{ brokenForAll }"})).json()
    assert answer["data"] is None
    assert code_of(await post(client, {"query": "{ brokenForAll }"})) == "INTERNAL"


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ([], GRAPHQL_JSON),
        ([""], GRAPHQL_JSON),
        ([JSON], JSON),
        ([GRAPHQL_JSON], GRAPHQL_JSON),
        (["*/*"], JSON),
        (["application/*"], JSON),
        (["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"], JSON),
        ([f"{GRAPHQL_JSON}, {JSON};q=0.9"], GRAPHQL_JSON),
        ([f"{JSON}, {GRAPHQL_JSON}"], GRAPHQL_JSON),
        ([f"{JSON}, {GRAPHQL_JSON};q=0.5"], JSON),
        ([JSON, GRAPHQL_JSON], GRAPHQL_JSON),
        ([f"{GRAPHQL_JSON};q=0, */*"], JSON),
        ([f"{JSON};q=0, */*;q=0.1"], GRAPHQL_JSON),
        ([f"{GRAPHQL_JSON}; charset=utf-8"], GRAPHQL_JSON),
        ([f'{GRAPHQL_JSON};charset="UTF-8"'], GRAPHQL_JSON),
        ([f"{GRAPHQL_JSON}; charset=iso-8859-1, {JSON}"], JSON),
        ([f"{JSON};q=nonsense"], None),
        ([f"{JSON};q=nan"], None),
        (["text/html"], None),
        (["*/*;q=0"], None),
        (["application/graphql+json"], None),
    ],
)
def test_the_media_type_is_the_one_the_client_likes_best(accept: list[str], chosen: str | None) -> None:
    assert negotiate(accept) == chosen


async def test_a_client_that_takes_neither_media_type_gets_406(client: httpx.AsyncClient) -> None:
    response = await post(client, TYPENAME, "text/html")
    assert (response.status_code, code_of(response)) == (406, "REQUEST_MALFORMED")
    assert response.headers["Content-Type"] == "application/json; charset=utf-8"


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "QUERY"])
async def test_other_methods_than_get_and_post_get_405(client: httpx.AsyncClient, method: str) -> None:
    response = await client.request(method, "/graphql", headers={"ET-Client-Name": "a-b"})
    assert (response.status_code, response.headers["Allow"]) == (405, "GET, POST")


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/plain; a=application/json",
        "application/json, text/plain",
        "application/json; charset=iso-8859-1",
        "application/json; charset=utf-16",
        "application/graphql",
        "",
    ],
)
async def test_a_post_of_another_content_type_gets_415(client: httpx.AsyncClient, content_type: str) -> None:
    response = await post(client, TYPENAME, Content_Type=content_type)
    assert (response.status_code, code_of(response)) == (415, "REQUEST_MALFORMED")


async def test_a_post_without_a_content_type_gets_415(client: httpx.AsyncClient) -> None:  # 9ABE
    assert (await client.post("/graphql", content=b"{}")).status_code == 415


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", 'Application/JSON;charset="UTF-8"'])
async def test_json_in_utf_8_may_say_so(client: httpx.AsyncClient, content_type: str) -> None:  # BF61
    assert (await post(client, TYPENAME, Content_Type=content_type)).status_code == 200


async def test_a_compressed_body_gets_415(client: httpx.AsyncClient) -> None:
    response = await post(client, gzip.compress(json.dumps(TYPENAME).encode()), Content_Encoding="gzip")
    assert (response.status_code, response.headers["Accept-Encoding"]) == (415, "identity")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"null",
        b"1",
        b'"x"',
        b"[]",
        b"\xff\xfe",
        b'{"query": "\xff"}',
        b"[" * 10_000,
        b"[" * 10_000 + b"]" * 10_000,
        b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
        b'{"query": "{hello}", "variables": {"a": ' + b"9" * 5000 + b"}}",
        b'{"query": "{hello}", "variables": {"a": NaN}}',
        b'{"query": "{hello}", "variables": {"a": Infinity}}',
        b'\xef\xbb\xbf{"query": "{hello}"}',
        b'{"query": "{hello}", "variables": {"a": "\\ud800"}}',
        b'{"query": "{hello}", "variables": {"\\udc00": 1}}',
        b'{"query": "{hello}", "variables": {"a": "\xed\xa0\x80"}}',
        b'{"query": "{hello}", "variables": []}',
        b'{"query": "{hello}", "operationName": 1}',
        b'{"query": "{hello}", "extensions": "x"}',
        b'{"query": "{hello}"} {}',
        b"{'query': '{hello}'}",
        b'{"query": null}',
        b'{"query": null, "documentId": 1}',
        b'{"query": 1, "documentId": "a"}',
        b'{"query": "{hello}", "documentId": {}}',
        gzip.compress(b"{}", mtime=0),
        "{}".encode("utf-16"),
    ],
)
@pytest.mark.parametrize("accept", [JSON, GRAPHQL_JSON])
async def test_a_malformed_body_gets_400_and_no_data(client: httpx.AsyncClient, body: bytes, accept: str) -> None:
    response = await post(client, body, accept)
    assert response.status_code == 400
    assert set(response.json()) == {"errors"}
    assert response.json()["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


@pytest.mark.parametrize("body", [b"[" + b"[]," * 340_000 + b"[]]", b"[" * 100_000, b'{"a":' * 100_000, b"{}" * 20_001])
async def test_a_body_of_too_many_lists_and_objects_gets_413_before_it_is_parsed(
    client: httpx.AsyncClient, body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(orjson, "loads", lambda _: pytest.fail("parsed"))
        response = await client.post("/graphql", content=body, headers={"Content-Type": JSON})
    assert (response.status_code, code_of(response)) == (413, "REQUEST_TOO_LARGE")
    assert message_of(response) == "The body has too many lists and objects."


async def test_a_lone_surrogate_is_called_an_invalid_text(client: httpx.AsyncClient) -> None:
    assert code_of(await post(client, b'{"query": "{hello}", "variables": {"a": "\\ud800"}}')) == "TEXT_INVALID"


async def test_the_last_of_duplicate_keys_counts(client: httpx.AsyncClient) -> None:
    response = await post(client, b'{"query": "{", "query": "{ hello }"}')
    assert response.json()["data"] == {"hello": "hello world"}


async def test_variables_nested_a_thousand_deep_are_answered(client: httpx.AsyncClient) -> None:
    body = b'{"query": "query ($a: Address!) { street(address: $a) }", "variables": {"a": ' + b"[" * 1000 + b"]" * 1000
    response = await post(client, body + b"}}")
    assert (response.status_code, code_of(response)) == (400, "VALUE_INVALID")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{a" * 1400 + "}" * 1400, "DOCUMENT_TOO_DEEP"),
        ("{ a(x: " + "[" * 1400 + "]" * 1400 + ") }", "DOCUMENT_TOO_DEEP"),
        ("{" + "a " * 20_000 + "}", "DOCUMENT_TOO_LARGE"),
        ("{ a }" + " " * 100_000, "DOCUMENT_TOO_LARGE"),
    ],
)
async def test_a_huge_document_is_refused(client: httpx.AsyncClient, query: str, code: str) -> None:
    response = await post(client, {"query": query})
    assert (response.status_code, code_of(response)) == (400, code)


async def test_a_document_too_long_for_the_cache_is_served(client: httpx.AsyncClient) -> None:
    response = await post(client, {"query": "{ hello }" + " " * LONGEST_KEPT})
    assert response.json()["data"] == {"hello": "hello world"}


async def test_a_list_is_refused_as_a_batch(client: httpx.AsyncClient) -> None:
    response = await post(client, [TYPENAME, TYPENAME])
    assert response.status_code == 400
    assert message_of(response) == "Batches are not served: send one operation a request."


@pytest.mark.parametrize(
    "number", ["9223372036854775808", "18446744073709551616", "-9223372036854775809", "1e30", "1" * 100]
)
async def test_a_number_beyond_64_bits_is_refused_with_its_place(client: httpx.AsyncClient, number: str) -> None:
    body = b'{"query": "query ($i: [ID!]) { hello }", "variables": {"i": [1, ' + number.encode() + b"]}}"
    response = await post(client, body)
    assert (response.status_code, code_of(response)) == (400, "VALUE_INVALID")
    assert message_of(response) == "The number in variables.i.1 is out of range: it needs more than 64 bits."


async def test_a_number_beyond_32_bits_names_its_variable(client: httpx.AsyncClient) -> None:
    body = {"query": "query ($n: Int!) { double(number: $n) }", "variables": {"n": 2**40}}
    response = await post(client, body)
    assert code_of(response) == "VALUE_INVALID"
    assert (
        message_of(response) == "Variable '$n' has invalid value: Int cannot represent non 32-bit signed integer value."
    )


async def test_a_body_over_the_limit_gets_413_by_its_declared_length() -> None:
    async with make_client(limits=Limits(body_bytes=100)) as client:
        response = await post(client, {"query": "{ hello }" + " " * 100})
        assert (response.status_code, code_of(response)) == (413, "REQUEST_TOO_LARGE")


async def test_a_body_over_the_limit_gets_413_while_it_streams_in() -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 10_000:
            sent += 60
            yield b" " * 60

    async with make_client(limits=Limits(body_bytes=100)) as client:
        response = await client.post("/graphql", content=endless(), headers={"Content-Type": JSON})
    assert response.status_code == 413


async def test_a_body_at_the_limit_is_served() -> None:
    body = json.dumps(TYPENAME).encode()
    async with make_client(limits=Limits(body_bytes=len(body))) as client:
        assert (await post(client, body)).status_code == 200
        assert (await post(client, body, Content_Length="abc")).status_code == 200


async def test_a_client_that_goes_away_while_sending_breaks_nothing() -> None:
    events: list[Message] = [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]
    sent: list[Message] = []

    async def receive() -> Message:
        return events.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/graphql",
        "query_string": b"",
        "headers": [(b"content-type", JSON.encode())],
    }
    await endpoint(SCHEMA)(scope, receive, send)
    assert sent[0]["status"] == 400


async def test_a_body_that_does_not_arrive_in_time_gets_408_and_the_connection_is_closed() -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        await asyncio.sleep(10)
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/graphql",
        "query_string": b"",
        "headers": [(b"content-type", JSON.encode())],
    }
    await endpoint(SCHEMA, client_timeout=0.01)(scope, receive, send)
    assert sent[0]["status"] == 408
    assert (b"connection", b"close") in sent[0]["headers"]
    (error,) = json.loads(sent[1]["body"])["errors"]
    assert (error["extensions"]["errorCode"], error["extensions"]["status"]) == ("REQUEST_MALFORMED", 408)


@pytest.mark.parametrize("header", ["ET-Client-Name", "Authorization", "X-Requested-With", "GraphQL-Require-Preflight"])
async def test_a_get_with_a_header_that_browsers_preflight_is_served(client: httpx.AsyncClient, header: str) -> None:
    response = await client.get(
        "/graphql", params={"query": "{ hello }"}, headers={header: "x", "Accept": GRAPHQL_JSON}
    )
    assert (response.status_code, response.json()["data"]) == (200, {"hello": "hello world"})


@pytest.mark.parametrize(
    "headers", [{}, {"Accept": GRAPHQL_JSON}, {"ET-Client-Name": ""}, {"Content-Type": "text/plain"}]
)
async def test_a_get_that_another_site_could_forge_gets_403_and_help(
    client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    response = await client.get("/graphql", params={"query": "{ hello }"}, headers=headers)
    assert (response.status_code, code_of(response)) == (403, "FORBIDDEN")
    assert "ET-Client-Name" in message_of(response)


async def test_a_get_takes_variables_and_extensions_as_json(client: httpx.AsyncClient) -> None:  # D6D5 6A70
    query = quote("query Q($name: String!) { hello(name: $name) }")
    variables = quote('{"name": "Kari"}')
    response = await get(client, f"query={query}&variables={variables}&operationName=Q&extensions=%7B%7D")
    assert response.json()["data"] == {"hello": "hello Kari"}


async def test_empty_parameters_of_a_get_count_as_left_out(client: httpx.AsyncClient) -> None:
    response = await get(client, "query=%7Bhello%7D&operationName=&variables=&extensions=")
    assert response.status_code == 200


async def test_the_operation_name_null_in_a_get_is_a_name(client: httpx.AsyncClient) -> None:
    assert (await get(client, f"query={quote('query null { hello }')}&operationName=null")).status_code == 200
    assert (await get(client, "query=%7Bhello%7D&operationName=null")).status_code == 400


async def test_a_mutation_by_get_gets_405(client: httpx.AsyncClient) -> None:  # 9C48
    document = quote('query Q { hello } mutation M { remember(text: "x") }')
    response = await get(client, f"query={document}&operationName=M")
    assert (response.status_code, response.headers["Allow"]) == (405, "POST")
    assert (await get(client, f"query={document}&operationName=Q")).status_code == 200


async def test_a_mutation_by_post_is_run(client: httpx.AsyncClient) -> None:
    response = await post(client, {"query": 'mutation { remember(text: "x") }'})
    assert response.json()["data"] == {"remember": "x"}


@pytest.mark.parametrize(
    "query_string",
    [
        "",
        "variables=%7B%7D",
        "query=%7Bhello%7D&variables=nonsense",
        "query=%7Bhello%7D&variables=[]",
        "query=%7Bhello%7D&variables=1",
        "query=%7Bhello%7D&extensions=%22x%22",
        "query=%7Bhello%7D&query=%7Bhello%7D",
        "query=%ff",
        "query=%ED%A0%80",
        "query=%7Bhello%7D" + "&a=1" * 100,
    ],
)
async def test_a_malformed_get_gets_400(client: httpx.AsyncClient, query_string: str) -> None:
    assert (await get(client, query_string)).status_code == 400


@pytest.mark.parametrize(
    ("variables", "code", "place"),
    [
        ({"a": "x\0y"}, "TEXT_INVALID", "variables.a"),
        ({"a": {"b": [1, {"c": "\0"}]}}, "TEXT_INVALID", "variables.a.b.1.c"),
        ({"a": {"b\0": 1}}, "TEXT_INVALID", "variables.a"),
        ({"a": ["x" * 10_001]}, "REQUEST_TOO_LARGE", "variables.a.0"),
        ({"a": {"x" * 10_001: 1}}, "REQUEST_TOO_LARGE", "variables.a"),
    ],
)
async def test_a_text_that_cannot_be_stored_is_refused_with_its_place(
    client: httpx.AsyncClient, variables: object, code: str, place: str
) -> None:
    response = await post(client, {"query": "{ hello }", "variables": variables})
    assert (response.status_code, code_of(response)) == (400, code)
    assert f"A text in {place} " in message_of(response)
    assert (await post(client, {"query": "{ hello }", "variables": variables}, JSON)).status_code == 200


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ('{ hello(name: "a\\u0000b") }', "TEXT_INVALID"),
        ('{ hello(name: """a\0b""") }', "TEXT_INVALID"),
        ('{ hello(name: "a\0b") }', "TEXT_INVALID"),
        ('{ street(address: {street: "\\u0000"}) }', "TEXT_INVALID"),
        ('query ($a: String = "\\u0000") { hello(name: $a) }', "TEXT_INVALID"),
        ('{ hello @skip(if: "\\u0000") }', "TEXT_INVALID"),
        ('{ hello(name: "\\ud800") }', "DOCUMENT_INVALID"),
        ('{ hello(name: "' + "x" * 10_001 + '") }', "REQUEST_TOO_LARGE"),
        ('{ hello(name: """' + "x" * 10_001 + '""") }', "REQUEST_TOO_LARGE"),
    ],
)
async def test_a_text_written_in_the_document_is_checked_too(client: httpx.AsyncClient, query: str, code: str) -> None:
    for _ in range(2):
        response = await post(client, {"query": query})
        assert (response.status_code, code_of(response)) == (400, code)


async def test_a_text_of_the_longest_allowed_length_is_served(client: httpx.AsyncClient) -> None:
    body = {"query": "query ($n: String!) { hello(name: $n) }", "variables": {"n": "æ" * 10_000}}
    assert (await post(client, body)).json()["data"] == {"hello": "hello " + "æ" * 10_000}


@pytest.mark.parametrize("accept", [JSON, GRAPHQL_JSON])
async def test_an_operation_that_takes_too_long_gets_503(accept: str) -> None:
    async with make_client(execution_timeout=0.01) as client:
        response = await post(client, {"query": "{ slow }"}, accept)
    assert (response.status_code, code_of(response)) == (503, "UNAVAILABLE")
    assert message_of(response) == "The operation took longer than 0.01 seconds and was stopped."


@pytest.mark.parametrize("accept", [JSON, GRAPHQL_JSON])
async def test_a_caller_refused_by_the_context_gets_its_status(client: httpx.AsyncClient, accept: str) -> None:
    response = await post(client, TYPENAME, accept, X_Test_Context="refuse")
    assert (response.status_code, code_of(response)) == (403, "FORBIDDEN")


@pytest.mark.parametrize("accept", [JSON, GRAPHQL_JSON])
async def test_a_context_that_breaks_gets_a_masked_500(client: httpx.AsyncClient, accept: str) -> None:
    response = await post(client, TYPENAME, accept, X_Test_Context="break")
    assert (response.status_code, message_of(response)) == (500, "Internal error")
    assert "secret" not in response.text


@pytest.mark.parametrize("accept", [JSON, GRAPHQL_JSON])
async def test_data_that_is_not_json_gets_a_masked_500(client: httpx.AsyncClient, accept: str) -> None:
    response = await post(client, {"query": "{ tooBig }"}, accept)
    assert (response.status_code, response.json().keys(), code_of(response)) == (500, {"errors"}, "INTERNAL")


async def test_a_websocket_is_refused() -> None:
    served = endpoint(SCHEMA)
    for app in (served, Starlette(routes=[Route("/graphql", served)])):
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "websocket.connect"}

        async def send(message: Message, sent: list[Message] = sent) -> None:
            sent.append(message)

        scope = {
            "type": "websocket",
            "path": "/graphql",
            "headers": [],
            "query_string": b"",
            "subprotocols": ["graphql-ws"],
        }
        await app(scope, receive, send)
        assert [message["type"] for message in sent] == ["websocket.close"]


def test_headers_are_found_in_any_letters_and_the_first_of_several_is_the_one() -> None:
    scope = {"headers": [(b"accept", b"a"), (b"accept", b"b"), (b"et-client-name", "entur-bjørn".encode())]}
    headers, plain = headers_of(scope), Headers(scope=scope)
    for name in ("Accept", "accept", "ET-Client-Name", "X-Correlation-Id"):
        assert headers.get(name) == plain.get(name)
        assert headers.get(name, "") == plain.get(name, "")
        assert headers.getlist(name) == plain.getlist(name)
    assert headers_of(scope) is headers
