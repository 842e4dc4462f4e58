"""Trusted documents: which ones run, under which names, what a browser may keep, and how they are collected."""

import json
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
import strawberry
from click.testing import CliRunner, Result
from starlette.applications import Starlette
from starlette.routing import Route

from datastore.viewer import ANONYMOUS, Viewer
from gateway.cli import main
from gateway.limits import Limits
from gateway.rate import Rate
from gateway.request import GRAPHQL_JSON, JSON
from gateway.trusted import BadDocument, read_trusted
from resolvers.errors import ErrorCode, refuse
from tests.gateway.doubles import LetAllIn, PlainContext, endpoint

HELLO = "query Hello($name: String!) { hello(name: $name) }\n"
BROKEN = "{ hello broken }"
CHANGE = "mutation { change }"
DOCUMENTS = (HELLO, BROKEN, CHANGE)
BUDGET = 1000
OPERATIONS = Path(__file__).parents[2] / "operations"


@strawberry.type
class Query:
    @strawberry.field
    def hello(self, name: str = "world") -> str:
        return f"hello {name}"

    @strawberry.field
    def broken(self) -> str | None:
        raise RuntimeError("secret detail")


@strawberry.type
class Mutation:
    @strawberry.mutation
    def change(self) -> str:
        return "changed"


SCHEMA = strawberry.Schema(Query, Mutation)


def hash_of(text: str) -> str:
    return sha256(text.encode()).hexdigest()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with trusted documents."""
    made = tmp_path / "trusted"
    made.mkdir()
    for text in DOCUMENTS:
        (made / f"{hash_of(text)}.graphql").write_text(text)
    return made


def make_client(folder: Path | None, **settings: Any) -> httpx.AsyncClient:
    trusted = folder and read_trusted(folder, SCHEMA, Limits())
    served = endpoint(SCHEMA, trusted=trusted, rate=Rate(BUDGET, 0.001, 100), **settings)
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(Starlette(routes=[Route("/graphql", served)])),
        base_url="http://gateway",
        headers={"Accept": GRAPHQL_JSON, "ET-Client-Name": "a-b"},
    )


@pytest.fixture
async def client(folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with make_client(folder) as client:
        yield client


def code_of(response: httpx.Response) -> str:
    return str(response.json()["errors"][0]["extensions"]["errorCode"])


async def get(client: httpx.AsyncClient, document_id: str, name: str = "Kari", **headers: str) -> httpx.Response:
    return await client.get(
        "/graphql",
        params={"documentId": document_id, "variables": json.dumps({"name": name})},
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )


VARIABLES = {"variables": {"name": "Kari"}}


@pytest.mark.parametrize(
    "body",
    [
        {"documentId": f"sha256:{hash_of(HELLO)}"},
        {"documentId": hash_of(HELLO)},
        {"documentId": f"SHA256:{hash_of(HELLO).upper()}"},
        {"documentId": hash_of(HELLO), "query": None},
        {"documentId": hash_of(HELLO), "query": HELLO},
        {"documentId": None, "query": HELLO},
        {"query": HELLO},
        {"documentId": hash_of(HELLO), "operationName": "Hello"},
    ],
)
async def test_a_trusted_document_runs_by_its_id_and_by_its_text(
    client: httpx.AsyncClient, body: dict[str, Any]
) -> None:
    response = await client.post("/graphql", json=body | VARIABLES)
    assert (response.status_code, response.json()["data"]) == (200, {"hello": "hello Kari"})
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("accept", [JSON, GRAPHQL_JSON])
@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"documentId": hash_of("other")}, 404, "DOCUMENT_UNKNOWN"),
        ({"documentId": f"md5:{hash_of(HELLO)}"}, 404, "DOCUMENT_UNKNOWN"),
        ({"documentId": "Hello"}, 404, "DOCUMENT_UNKNOWN"),
        ({"documentId": ""}, 404, "DOCUMENT_UNKNOWN"),
        ({"documentId": "ı" * 64}, 404, "DOCUMENT_UNKNOWN"),
        ({"query": "{ hello }"}, 403, "DOCUMENT_NOT_TRUSTED"),
        ({"query": HELLO + " "}, 403, "DOCUMENT_NOT_TRUSTED"),
        ({"query": "{"}, 403, "DOCUMENT_NOT_TRUSTED"),
        ({"query": ""}, 403, "DOCUMENT_NOT_TRUSTED"),
        ({"query": "{ __schema { types { name } } }"}, 403, "DOCUMENT_NOT_TRUSTED"),
        ({"query": BROKEN, "documentId": hash_of(HELLO)}, 400, "REQUEST_MALFORMED"),
        ({"query": HELLO, "documentId": "Hello"}, 400, "REQUEST_MALFORMED"),
        ({}, 400, "REQUEST_MALFORMED"),
    ],
)
async def test_no_other_document_runs(
    client: httpx.AsyncClient, body: dict[str, Any], status: int, code: str, accept: str
) -> None:
    response = await client.post("/graphql", json=body | VARIABLES, headers={"Accept": accept})
    assert (response.status_code, code_of(response)) == (status, code)
    assert set(response.json()) == {"errors"}


@pytest.mark.parametrize("accept", [JSON, GRAPHQL_JSON])
async def test_a_gateway_without_trusted_documents_knows_no_ids(accept: str) -> None:
    async with make_client(None) as client:
        response = await client.post("/graphql", json={"documentId": hash_of(HELLO)}, headers={"Accept": accept})
        assert (response.status_code, code_of(response)) == (404, "DOCUMENT_UNKNOWN")
        assert response.json()["errors"][0]["message"] == "No documents are registered with this gateway."


async def test_a_trusted_document_is_paid_for_guarded_and_checked_like_any_other(folder: Path) -> None:
    class Guard(LetAllIn):
        def check(self, _document: object, _operation: object, variables: dict[str, Any], viewer: Viewer) -> None:  # type: ignore[override]
            assert viewer is ANONYMOUS
            if variables.get("name") == "Ola":
                raise refuse(ErrorCode.FORBIDDEN)

    async with make_client(folder, guard=Guard()) as client:
        first = await get(client, hash_of(HELLO))
        assert first.json()["extensions"]["cost"] == {
            "requested": 1,
            "actual": 1,
            "budget": BUDGET,
            "remaining": BUDGET - 1,
        }
        refused = await get(client, hash_of(HELLO), "Ola")
        assert (refused.status_code, code_of(refused)) == (403, "FORBIDDEN")
        too_long = await get(client, hash_of(HELLO), "x" * 10_001)
        assert (too_long.status_code, code_of(too_long)) == (400, "REQUEST_TOO_LARGE")
        last = await get(client, hash_of(HELLO))
        assert last.json()["extensions"]["cost"]["remaining"] == BUDGET - 1 - 10 - 10 - 1


async def test_a_get_by_id_may_be_kept_and_is_304_while_the_data_is_the_same(client: httpx.AsyncClient) -> None:
    first = await get(client, f"sha256:{hash_of(HELLO)}")
    tag = first.headers["ETag"]
    assert first.status_code == 200
    assert tag == f'W/"{hash_of(json.dumps(first.json()["data"], separators=(",", ":")))}"'
    headers = {
        "Cache-Control": "private, no-cache",
        "Vary": "Authorization, Accept, ET-Client-Name, X-Access-Reason",
        "ETag": tag,
    }
    assert {name: first.headers[name] for name in headers} == headers
    again = await get(client, hash_of(HELLO), If_None_Match=tag)
    assert (again.status_code, again.content) == (304, b"")
    assert {name: again.headers[name] for name in headers} == headers
    assert "Content-Type" not in again.headers
    other = await get(client, hash_of(HELLO), "Ola", If_None_Match=tag)
    assert (other.status_code, other.json()["data"]) == (200, {"hello": "hello Ola"})
    assert other.headers["ETag"] != tag
    # Each of the three was paid for, the one without a body too.
    assert other.json()["extensions"]["cost"]["remaining"] == BUDGET - 3


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ("*", 304),
        ("{tag}", 304),
        ("{strong}", 304),
        ('"a", W/"b" ,{tag}', 304),
        ('W/"a"', 200),
        ("nonsense", 200),
        ("", 200),
        ("{tag}x", 200),
    ],
)
async def test_a_tag_is_looked_for_in_the_whole_list(client: httpx.AsyncClient, asked: str, status: int) -> None:
    tag = (await get(client, hash_of(HELLO))).headers["ETag"]
    asked = asked.replace("{tag}", tag).replace("{strong}", tag.removeprefix("W/"))
    assert (await get(client, hash_of(HELLO), If_None_Match=asked)).status_code == status


@pytest.mark.parametrize("accept", [JSON, GRAPHQL_JSON])
async def test_an_answer_with_errors_is_not_kept(client: httpx.AsyncClient, accept: str) -> None:
    for headers in ({}, {"If_None_Match": "*"}):
        response = await get(client, hash_of(BROKEN), Accept=accept, **headers)
        assert response.status_code == (294 if accept == GRAPHQL_JSON else 200)
        assert response.headers["Cache-Control"] == "no-store"
        assert "ETag" not in response.headers
    refused = await client.get("/graphql", params={"documentId": hash_of(HELLO)}, headers={"If-None-Match": "*"})
    assert (refused.status_code, refused.headers["Cache-Control"]) == (400, "no-store")


async def test_a_get_of_a_text_is_not_kept(client: httpx.AsyncClient) -> None:
    response = await client.get("/graphql", params={"query": HELLO, "variables": '{"name": "Kari"}'})
    assert (response.status_code, response.headers["Cache-Control"]) == (200, "no-store")
    assert "ETag" not in response.headers


async def test_a_trusted_mutation_is_not_run_by_get(client: httpx.AsyncClient) -> None:
    response = await get(client, hash_of(CHANGE))
    assert (response.status_code, response.headers["Allow"]) == (405, "POST")
    response = await client.post("/graphql", json={"documentId": hash_of(CHANGE)})
    assert response.json()["data"] == {"change": "changed"}


async def test_an_empty_document_id_of_a_get_counts_as_left_out(client: httpx.AsyncClient) -> None:
    response = await client.get("/graphql", params={"documentId": "", "query": HELLO, "variables": '{"name": "Kari"}'})
    assert response.status_code == 200


async def test_masked_fields_are_named_in_an_answer_that_may_be_kept(folder: Path) -> None:
    async with make_client(folder, make_context=lambda *_: PlainContext({"Note.text"})) as client:
        response = await get(client, hash_of(HELLO))
    assert response.json()["extensions"]["masked"] == ["Note.text"]


BAD: dict[str, tuple[str | bytes, str]] = {
    "does not parse": ("{\n  hello(", ":2: Syntax Error: Expected Name, found <EOF>."),
    "does not fit": ("{\n  hello\n  goodbye\n}", ":3: Cannot query field 'goodbye' on type 'Query'."),
    "is too deep": ("{a" * 16 + "}" * 16, ": The document has 16 levels of fields; at most 15 are allowed."),
    "is too large": ("{ hello }" + " " * 100_000, ": The document has 100009 characters; at most 100000 are allowed."),
    "is far too large": ("{ hello }" + " " * 400_000, ": the file has more than 100000 characters"),
    "is no text": (b"\xff\xfe", ": the file is not UTF-8"),
    "is empty": ("", ":1: Syntax Error: Unexpected <EOF>."),
    "has no operation": ("fragment F on Query { hello }", ": the document has no operation"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_document_stops_the_start_and_is_named(name: str, folder: Path) -> None:
    text, words = BAD[name]
    file = folder / "bad.graphql"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(BadDocument) as bad:
        read_trusted(folder, SCHEMA, Limits())
    assert str(bad.value) == f"{file}{words}"


def test_a_document_that_was_changed_after_it_was_named_stops_the_start(folder: Path) -> None:
    file = folder / f"{hash_of(HELLO)}.graphql"
    file.write_text("{ hello }")
    with pytest.raises(BadDocument) as bad:
        read_trusted(folder, SCHEMA, Limits())
    now = hash_of("{ hello }")
    assert str(bad.value) == f"{file}: the file has been changed since it was named; its hash is {now}"


def test_a_folder_without_documents_stops_the_start(tmp_path: Path) -> None:
    for folder, words in (
        (tmp_path / "none", "there is no such folder of documents"),
        (tmp_path, "the folder has no file *.graphql"),
    ):
        with pytest.raises(BadDocument) as bad:
            read_trusted(folder, SCHEMA, Limits())
        assert str(bad.value) == f"{folder}: {words}"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["documents", *map(str, arguments)])


def test_the_examples_are_collected_under_their_hashes(tmp_path: Path) -> None:
    target = tmp_path / "trusted" / "documents"
    result = run("--from", OPERATIONS, "--to", target, "--json")
    assert result.exit_code == 0, result.output
    manifest = {each["file"]: each for each in json.loads(result.output)}
    files = sorted(OPERATIONS.rglob("*.graphql"))
    assert list(manifest) == [file.relative_to(OPERATIONS).as_posix() for file in files]
    for file in files:
        key = hash_of(file.read_text())
        assert manifest[file.name]["documentId"] == f"sha256:{key}"
        assert (target / f"{key}.graphql").read_bytes() == file.read_bytes()
    assert manifest["customer.graphql"]["operationNames"] == ["Customer"]
    assert len(list(target.iterdir())) == len({hash_of(file.read_text()) for file in files})


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder with two documents, one of them in a folder below."""
    made = tmp_path / "source"
    (made / "more").mkdir(parents=True)
    (made / "a.graphql").write_text("query A { __typename } query B { __typename }")
    (made / "more" / "b.graphql").write_text("{ __typename }")
    return made


def test_the_table_names_document_file_and_operations(source: Path, tmp_path: Path) -> None:
    result = run("--from", source, "--to", tmp_path / "target")
    keys = [hash_of(file.read_text()) for file in (source / "a.graphql", source / "more/b.graphql")]
    assert [line.rstrip() for line in result.output.splitlines()] == [
        f"sha256:{keys[0]}  a.graphql       A, B",
        f"sha256:{keys[1]}  more/b.graphql",
    ]


def test_only_missing_documents_are_written_and_none_removed_unless_asked(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    assert run("--from", source, "--to", target).exit_code == 0
    (target / "README.graphql").write_text("{ __typename }")
    kept = target / f"{hash_of('{ __typename }')}.graphql"
    written = kept.stat().st_mtime_ns
    gone = target / f"{hash_of((source / 'a.graphql').read_text())}.graphql"
    (source / "a.graphql").unlink()
    assert run("--from", source, "--to", target).exit_code == 0
    assert gone.exists()
    assert run("--from", source, "--to", target, "--prune").exit_code == 0
    assert sorted(file.name for file in target.iterdir()) == sorted([kept.name, "README.graphql"])
    assert kept.stat().st_mtime_ns == written


def test_the_target_may_be_below_the_source(source: Path) -> None:
    target = source / "trusted"
    for _ in range(2):
        result = run("--from", source, "--to", target, "--prune", "--json")
        assert [each["file"] for each in json.loads(result.output)] == ["a.graphql", "more/b.graphql"]
    assert len(list(target.iterdir())) == 2


def test_a_bad_document_is_named_with_its_line_and_nothing_is_written(source: Path, tmp_path: Path) -> None:
    bad = source / "more" / "c.graphql"
    bad.write_text("{\n  customer(by: {}) { surname }\n  nonsense\n}")
    result = run("--from", source, "--to", tmp_path / "target", "--prune")
    assert result.exit_code == 1
    assert f"{bad}:3: Cannot query field 'nonsense' on type 'Query'." in result.output
    assert not (tmp_path / "target").exists()


def test_a_document_that_breaks_a_rule_of_the_graph_is_named(source: Path, tmp_path: Path) -> None:
    bad = source / "c.graphql"
    bad.write_text('{\n __typename @idempotent(key: "x") }')
    result = run("--from", source, "--to", tmp_path / "target")
    assert (result.exit_code, f"{bad}:2: Directive '@idempotent'" in result.output) == (1, True)


@pytest.mark.parametrize("name", ["none", "."])
def test_a_source_without_documents_is_an_error(tmp_path: Path, name: str) -> None:
    result = run("--from", tmp_path / name, "--to", tmp_path / "target")
    assert result.exit_code == 1
    assert "Traceback" not in result.output
