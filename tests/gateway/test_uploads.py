"""The upload of a CSV of employees over HTTP: who may, what is refused, and that nothing of a bad one is left."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from datastore.database import Database
from datastore.employee.personnel import Company
from datastore.employee.rights import EmployeeImport, UploadChunk
from datastore.viewer import GRANTABLE, Permission, TenantKind
from gateway import uploads
from gateway.identity.demo import Role
from resolvers.employee.uploads import Upload
from tests.employee.importing import a_row, csv_of, left_of_uploads
from tests.factories.customer import a_customer
from tests.factories.employee import a_company, the_codes
from tests.gateway.client import authorization, gateway_client, settings

PATH = "/uploads/employees"
CSV = csv_of([a_row(number) for number in range(3)]).encode()
STRANGER = Role("Somebody else.", TenantKind.PARTNER, 2, GRANTABLE, "stranger", "stranger")
PARTNER = Role("A personnel department.", TenantKind.PARTNER, 1, GRANTABLE, "hr", "hr")
TYPE = {"Content-Type": "text/csv"}


@pytest.fixture
async def company(database: Database) -> Company:
    """A company of organisation 1."""
    await the_codes(database)
    return await a_company(database)


@pytest.fixture
async def client(url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A personnel department's client of a gateway that does no work by itself."""
    async with gateway_client(settings(url, background_seconds=0), PARTNER, {**TYPE, "ET-Client-Name": "hr-app"}) as it:
        yield it


def refusal(response: httpx.Response) -> tuple[int, str, str]:
    """Status, code and message of a refusal, which looks as those of /graphql do."""
    (error,) = response.json()["errors"]
    assert error["extensions"]["status"] == response.status_code
    assert error["extensions"]["correlationId"] == response.headers["x-correlation-id"]
    assert response.headers["content-type"] == "application/json; charset=utf-8"
    return response.status_code, error["extensions"]["errorCode"], error["message"]


async def post(client: httpx.AsyncClient, company: Company, content: Any = CSV, **more: Any) -> httpx.Response:
    return await client.post(PATH, params={"companyId": company.id}, content=content, **more)


async def test_an_upload_answers_its_id_and_is_stored_in_sealed_parts(
    client: httpx.AsyncClient, database: Database, company: Company
) -> None:
    rows = csv_of([a_row(number) for number in range(1200)])
    response = await post(client, company, rows)
    (run,) = await database.fetch(select(EmployeeImport.__table__))
    assert (response.status_code, response.json()) == (200, {"uploadId": str(run.id)})
    assert (run.rows_total, run.started_at, run.company_id, run.started_by) == (1200, None, company.id, "hr-app")
    assert len(run.content_hash) == 64
    chunks = await database.fetch(select(UploadChunk.__table__).order_by(UploadChunk.number))
    assert [chunk.number for chunk in chunks] == [0, 1, 2]
    assert "Nordmann" not in str(chunks)
    assert "Nordmann" in database.keys.open(chunks[2].content, UploadChunk.content)
    for name, value in (("cache-control", "no-store"), ("x-content-type-options", "nosniff")):
        assert response.headers[name] == value


async def test_what_was_uploaded_is_imported_by_the_gateway_itself(
    url: str, database: Database, company: Company
) -> None:
    mutation = (
        "mutation($input: ImportEmployeesInput!) { importEmployees(input: $input)"
        " { employeeImport { id } userErrors { code } } }"
    )
    look = "query($id: ID!) { employeeImport(id: $id) { progress inserted failed finishedAt } }"
    async with gateway_client(settings(url, background_seconds=0.02), PARTNER) as client:
        key = (await post(client, company, headers=TYPE)).json()["uploadId"]
        given = {"companyId": company.id, "uploadId": key}
        begun = await client.post("/graphql", json={"query": mutation, "variables": {"input": given}})
        assert begun.json()["data"]["importEmployees"] == {"employeeImport": {"id": key}, "userErrors": []}
        async with asyncio.timeout(30):
            while True:
                asked = await client.post("/graphql", json={"query": look, "variables": {"id": key}})
                shown = asked.json()["data"]["employeeImport"]
                if shown["finishedAt"]:
                    break
                await asyncio.sleep(0.02)  # the gateway works in this loop, too
    assert (shown["progress"], shown["inserted"], shown["failed"]) == (100, 3, 0)


@pytest.mark.parametrize("content_type", ["text/csv; charset=utf-8", 'Text/CSV; charset="UTF-8"; header=present'])
async def test_the_type_may_have_parameters(client: httpx.AsyncClient, company: Company, content_type: str) -> None:
    assert (await post(client, company, headers={"Content-Type": content_type})).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/json"},
        {"Content-Type": "text/plain"},
        {"Content-Type": "text/csv; charset=iso-8859-1"},
        {**TYPE, "Content-Encoding": "gzip"},
    ],
)
async def test_another_type_is_refused(
    client: httpx.AsyncClient, database: Database, company: Company, headers: dict[str, str]
) -> None:
    """So a web page cannot make a browser upload something without asking first."""
    response = await post(client, company, headers=headers)
    assert refusal(response)[:2] == (415, "REQUEST_MALFORMED")
    assert await left_of_uploads(database) == (0, 0)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_only_a_post_uploads(client: httpx.AsyncClient, company: Company, method: str) -> None:
    response = await client.request(method, PATH, params={"companyId": company.id})
    assert refusal(response) == (405, "REQUEST_MALFORMED", "Use POST.")
    assert response.headers["allow"] == "POST"


async def test_a_caller_needs_a_token_the_permission_and_to_be_a_client(
    client: httpx.AsyncClient, database: Database, company: Company
) -> None:
    customer = await a_customer(database)
    without = Role("Reads.", TenantKind.PARTNER, 1, GRANTABLE - {Permission.EMPLOYEE_WRITE}, "hr", "hr")
    user = Role("A user.", TenantKind.TRAVELLER, 1, GRANTABLE, "kari", "app", customer.customer_number)
    message = "An upload needs employee:write and a client, not a user."
    for role in (without, user):
        assert refusal(await post(client, company, headers=authorization(role))) == (403, "FORBIDDEN", message)
    del client.headers["Authorization"]
    assert refusal(await post(client, company)) == (401, "SIGN_IN_REQUIRED", message)
    bad = await post(client, company, headers={"Authorization": "Bearer x"})
    assert refusal(bad)[:2] == (401, "TOKEN_INVALID")
    assert bad.headers["www-authenticate"].startswith("Bearer")
    assert await left_of_uploads(database) == (0, 0)


@pytest.mark.rule("T04")
async def test_a_foreign_company_is_as_an_unknown_one(
    client: httpx.AsyncClient, database: Database, company: Company
) -> None:
    unknown = await client.post(PATH, params={"companyId": 999}, content=CSV)
    foreign = await post(client, company, headers=authorization(STRANGER))
    assert refusal(unknown) == refusal(foreign)
    assert refusal(unknown)[:2] == (404, "COMPANY_NOT_FOUND")
    assert await left_of_uploads(database) == (0, 0)


@pytest.mark.parametrize("query", ["", "?companyId=", "?companyId=x", "?companyId=1&companyId=1", "?companyId=1e400"])
async def test_one_company_must_be_named(client: httpx.AsyncClient, company: Company, query: str) -> None:
    response = await client.post(f"{PATH}{query}", content=CSV)
    assert response.status_code == 400


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "CSV_INVALID"),
        (b"\xff\xfe", "CSV_INVALID"),
        (CSV.splitlines()[0], "CSV_INVALID"),
        (CSV.replace(b"surname", b"lastName"), "CSV_INVALID"),
        (CSV + "\u00e6".encode("latin-1"), "CSV_INVALID"),
        (CSV.replace(b",ssn", b"").replace(b",95088", b""), "COLUMN_MISSING"),
    ],
)
async def test_what_is_no_csv_of_employees_is_refused_and_leaves_nothing(
    client: httpx.AsyncClient, database: Database, company: Company, content: bytes, code: str
) -> None:
    response = await post(client, company, content)
    assert refusal(response)[:2] == (400, code)
    assert "Nordmann" not in response.text
    assert await left_of_uploads(database) == (0, 0)


async def test_a_body_over_the_limit_is_refused_told_before_or_not(
    url: str, database: Database, company: Company
) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield CSV.splitlines()[0] + b"\n"
        for _ in range(40):
            yield (b"\n".join(CSV.splitlines()[1:]) + b"\n") * 10

    async with gateway_client(settings(url, max_upload_bytes=20_000, background_seconds=0), PARTNER, TYPE) as client:
        for content in (CSV + b"x" * 20_000, pieces()):
            response = await post(client, company, content)
            assert refusal(response)[:2] == (413, "REQUEST_TOO_LARGE")
        assert await left_of_uploads(database) == (0, 0)
        assert (await post(client, company)).status_code == 200


async def test_a_client_that_sends_too_slowly_is_sent_away(
    url: str, database: Database, company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "LEAST_SPEED", 10**9)

    async def slow() -> AsyncIterator[bytes]:
        yield CSV
        await asyncio.sleep(60)

    async with gateway_client(settings(url, client_timeout=0.1, background_seconds=0), PARTNER, TYPE) as client:
        response = await post(client, company, slow())
    assert refusal(response)[:2] == (408, "REQUEST_MALFORMED")
    assert response.headers["connection"] == "close"
    assert await left_of_uploads(database) == (0, 0)


async def test_a_client_that_goes_away_leaves_nothing(
    client: httpx.AsyncClient, database: Database, company: Company
) -> None:
    messages = [{"type": "http.request", "body": CSV * 400, "more_body": True}, {"type": "http.disconnect"}]
    sent: list[Any] = []

    async def receive() -> Any:
        if len(messages) == 1:
            assert await left_of_uploads(database) == (1, 3)
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(name.lower().encode(), value.encode()) for name, value in client.headers.items()]
    query = f"companyId={company.id}".encode()
    scope = {"type": "http", "method": "POST", "path": PATH, "query_string": query, "headers": headers}
    transport = client._transport
    assert isinstance(transport, httpx.ASGITransport)
    await transport.app(
        {**scope, "client": ("127.0.0.1", 1), "server": ("gateway", 80), "scheme": "http"}, receive, send
    )
    assert sent[0]["status"] == 400
    assert await left_of_uploads(database) == (0, 0)


async def test_a_failure_while_it_is_stored_leaves_nothing(
    client: httpx.AsyncClient, database: Database, company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise RuntimeError("a secret")

    monkeypatch.setattr(Upload, "end", fail)
    assert refusal(await post(client, company)) == (500, "INTERNAL", "Internal error")
    assert await left_of_uploads(database) == (0, 0)


# Points


async def test_an_upload_costs_points_by_its_size_told_before_or_not(
    url: str, database: Database, company: Company
) -> None:
    head, *lines = CSV.decode().splitlines()
    text = "\n".join([head, *lines * 1000]).encode()  # 200 kB
    points = len(text) // 1000

    async def pieces() -> AsyncIterator[bytes]:
        yield text

    few = {"rate_points": 2 * points, "rate_points_per_second": 1e-9, "rate_unidentified_percent": 100}
    for content in (text, pieces()):
        async with gateway_client(settings(url, **few, background_seconds=0), PARTNER, TYPE) as client:
            assert (await post(client, company, content)).status_code == 200
            before = await left_of_uploads(database)
            refused = await post(client, company, text)
            assert refusal(refused)[:2] == (429, "RATE_LIMITED")
            assert int(refused.headers["retry-after"]) > 0
            assert await left_of_uploads(database) == before


async def test_an_upload_that_a_caller_could_never_pay_is_refused(
    url: str, database: Database, company: Company
) -> None:
    few = {"rate_points": 100, "rate_points_per_second": 1e-9, "rate_unidentified_percent": 100}
    async with gateway_client(settings(url, **few, background_seconds=0), PARTNER, TYPE) as client:
        assert refusal(await post(client, company, CSV * 1000))[:2] == (400, "COST_TOO_HIGH")
    assert await left_of_uploads(database) == (0, 0)


async def test_a_client_must_name_itself_where_that_is_asked(url: str, company: Company) -> None:
    asks = settings(url, client_name_required=True, background_seconds=0)
    async with gateway_client(asks, PARTNER, TYPE) as client:
        assert refusal(await post(client, company))[:2] == (403, "CLIENT_NAME_REQUIRED")
        assert (await post(client, company, headers={"ET-Client-Name": "hr-app"})).status_code == 200


async def test_web_pages_of_allowed_origins_may_upload(url: str, company: Company) -> None:
    origin = "https://hr.example"
    async with gateway_client(settings(url, cors_origins=[origin], background_seconds=0), PARTNER, TYPE) as client:
        response = await post(client, company, headers={"Origin": origin})
        assert response.headers["access-control-allow-origin"] == origin
        asked = await client.options(PATH, headers={"Origin": origin, "Access-Control-Request-Method": "POST"})
        assert asked.status_code == 200


async def test_two_uploads_at_once_do_not_mix(client: httpx.AsyncClient, database: Database, company: Company) -> None:
    texts = [csv_of([a_row(f"{name}{number}") for number in range(700)]) for name in "ab"]
    responses = await asyncio.gather(*(post(client, company, text) for text in texts))
    for name, response in zip("ab", responses, strict=True):
        key = int(response.json()["uploadId"])
        rows = await database.fetch(select(UploadChunk.content).where(UploadChunk.import_id == key))
        opened = [database.keys.open(row.content, UploadChunk.content) for row in rows]
        assert len(opened) == 2
        assert all(f'"{"ba"["ab".index(name)]}1"' not in text for text in opened)
