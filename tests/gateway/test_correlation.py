"""Correlation ids and the access log."""

import io
import json
import logging
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import structlog
from sqlalchemy.exc import OperationalError
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from gateway import log
from gateway.correlation import CorrelationMiddleware, access_reason, correlation_id, logged_path
from resolvers.errors import ErrorCode, Refused

SECRET = "hunter2"


async def show(_request: Request) -> Response:
    structlog.get_logger("test").info("inside")
    logging.getLogger("some.library").warning("library says %s", "hello")
    return PlainTextResponse(correlation_id(), 418)


async def crash(_request: Request) -> Response:
    raise OperationalError(f"SELECT '{SECRET}'", {"password": SECRET}, Exception(SECRET))


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level = root.handlers, root.level
    stream = io.StringIO()
    log.configure(json=True, stream=stream)
    yield stream
    root.handlers = before
    root.setLevel(level)


async def send(path: str, **headers: str | bytes) -> httpx.Response:
    app = CorrelationMiddleware(Starlette(routes=[Route("/show{rest:path}", show), Route("/crash", crash)]))
    transport = httpx.ASGITransport(app, raise_app_exceptions=True)
    as_bytes = [
        (name.replace("_", "-").encode(), value if isinstance(value, bytes) else value.encode())
        for name, value in headers.items()
    ]
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        return await client.get(path, headers=as_bytes)


def records(lines: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines.getvalue().splitlines()]


@pytest.mark.parametrize("given", ["a", "A.b_c:d-9", "x" * 64])
async def test_a_proper_correlation_id_is_kept_and_echoed(given: str) -> None:
    response = await send("/show", X_Correlation_Id=given)
    assert response.headers["X-Correlation-Id"] == response.text == given


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", "a\nb", "a;b", "æ".encode(), "x" * 100_000, "abc\n"])
async def test_another_correlation_id_is_replaced(given: str | bytes) -> None:
    response = await send("/show", X_Correlation_Id=given)
    assert re.fullmatch(r"[0-9a-f]{32}", response.headers["X-Correlation-Id"])
    assert response.text == response.headers["X-Correlation-Id"]


async def test_each_request_without_an_id_gets_one_of_its_own() -> None:
    assert (await send("/show")).text != (await send("/show")).text


async def test_there_is_no_id_outside_of_a_request() -> None:
    await send("/show")
    assert correlation_id() == ""


async def test_the_id_is_in_every_log_line_of_its_request(lines: io.StringIO) -> None:
    await send("/show", X_Correlation_Id="abc")
    logged = records(lines)
    assert [line["event"] for line in logged] == ["inside", "library says hello", "request"]
    assert {line["correlation_id"] for line in logged} == {"abc"}


async def test_the_access_line_tells_the_request_without_its_query_string(lines: io.StringIO) -> None:
    await send(f"/show?query={SECRET}", ET_Client_Name="firma-app")
    line = records(lines)[-1]
    assert (line["event"], line["method"], line["path"], line["status"]) == ("request", "GET", "/show", 418)
    assert line["client"] == "firma-app"
    assert line["milliseconds"] >= 0
    assert SECRET not in lines.getvalue()


async def test_a_path_that_is_not_found_is_not_logged(lines: io.StringIO) -> None:
    await send(f"/customers/{SECRET}")
    assert records(lines)[-1]["path"] == "?"
    assert SECRET not in lines.getvalue()


def test_a_path_cannot_forge_a_log_line_and_is_cut() -> None:
    assert logged_path("/show\nforged\x1b[31m", 200) == "/show?forged?[31m"
    assert logged_path("/show" + "x" * 1000, 200) == "/show" + "x" * 195


@pytest.mark.parametrize(
    ("given", "logged"),
    [
        ("Kari Nordmann-app_1.0", "Kari Nordmann-app_1.0"),
        ("blåbær-app".encode(), "blåbær-app"),
        ("blåbær-app".encode("latin-1"), "blåbær-app"),
        ("a\x1b[31m{b}", "a31mb"),
        ("x" * 500, "x" * 100),
        ("{}", None),
        ("", None),
    ],
)
async def test_the_client_name_is_cut_and_cleaned(lines: io.StringIO, given: str | bytes, logged: str | None) -> None:
    await send("/show", ET_Client_Name=given)
    assert records(lines)[-1]["client"] == logged


async def test_an_unhandled_exception_is_a_bare_500_and_logged_without_database_values(lines: io.StringIO) -> None:
    response = await send("/crash", X_Correlation_Id="abc")
    assert (response.status_code, response.headers["X-Correlation-Id"]) == (500, "abc")
    assert SECRET not in response.text
    failed, access = records(lines)
    assert (failed["event"], access["status"]) == ("request_failed", 500)
    assert "sqlalchemy.exc.OperationalError" in failed["exception"]
    assert SECRET not in lines.getvalue()


async def test_uvicorns_own_access_log_is_silent(lines: io.StringIO) -> None:
    logging.getLogger("uvicorn.access").info('"GET /graphql?query=secret"')
    logging.getLogger("uvicorn.error").info("Started")
    assert [line["event"] for line in records(lines)] == ["Started"]


def test_the_console_form_is_readable() -> None:
    root = logging.getLogger()
    before, level = root.handlers, root.level
    stream = io.StringIO()
    try:
        log.configure(json=False, level="warning", stream=stream)
        structlog.get_logger("test").info("hidden")
        structlog.get_logger("test").warning("shown", number=1)
    finally:
        root.handlers = before
        root.setLevel(level)
    assert "hidden" not in stream.getvalue()
    assert "shown" in stream.getvalue()


@pytest.mark.parametrize("reason", ["a17", "a 1 7", "klage fra Åse", "æøå", "x" * 200])
def test_a_reason_for_access_is_taken_as_it_is(reason: str) -> None:
    assert access_reason(Headers({"X-Access-Reason": reason})) == reason
    assert access_reason(Headers()) == ""


@pytest.mark.parametrize("reason", ["", "   ", "...", "a-1", "- - - - ab", "x" * 201, "abc\x1b[31m"])
def test_what_tells_no_reason_for_access_is_refused(reason: str) -> None:
    with pytest.raises(Refused) as refused:
        access_reason(Headers({"X-Access-Reason": reason}))
    assert [error.code for error in refused.value.errors] == [ErrorCode.ACCESS_REASON_INVALID]
