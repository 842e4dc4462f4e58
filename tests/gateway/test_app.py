"""The application as a whole: its pages, its headers, its start and its end."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from sqlalchemy.exc import OperationalError
from uvicorn.config import STARTUP_FAILURE

from datastore.database import Database
from gateway import app as gateway_app
from gateway.app import NotMigrated
from tests.gateway.client import authorization, environment, gateway_client, settings
from tests.gateway.conftest import ROOT, serving

HELLO = {"query": "{ errorMessages { errorCode } }"}


async def test_the_gateway_answers_graphql_and_echoes_the_correlation_id(url: str) -> None:
    async with gateway_client(settings(url), "admin") as client:
        response = await client.post("/graphql", json=HELLO, headers={"X-Correlation-Id": "abc-123"})
        assert response.status_code == 200
        assert response.headers["X-Correlation-Id"] == "abc-123"
        assert response.json()["data"]["errorMessages"][0] == {"errorCode": "REQUEST_MALFORMED"}


async def test_an_unexpected_failure_is_masked_and_carries_the_correlation_id(
    url: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    async def fail(*_: object) -> None:
        raise RuntimeError("the secret of the house")

    monkeypatch.setattr(Database, "fetch", fail)
    async with gateway_client(settings(url, log_format="json"), "admin") as client:
        query = {"query": "{ customer(by: { customerNumber: 1 }) { surname } }"}
        response = await client.post("/graphql", json=query, headers={"X-Correlation-Id": "id-9"})
    (error,) = response.json()["errors"]
    assert error["message"] == "Internal error"
    assert error["path"] == ["customer"]
    extensions = error["extensions"]
    assert (extensions["code"], extensions["errorCode"], extensions["status"]) == ("INTERNAL", "INTERNAL", 500)
    assert extensions["correlationId"] == "id-9"
    assert "secret" not in response.text
    assert '"correlation_id":"id-9"' in capfd.readouterr().err


async def test_a_page_that_is_not_built_says_how_to_build_it(
    url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(gateway_app, "STATIC", tmp_path)
    async with gateway_client(settings(url), "admin") as client:
        response = await client.get("/")
    assert response.status_code == 404
    assert "make explorer" in response.text


async def test_unknown_paths_are_not_found(url: str) -> None:
    async with gateway_client(settings(url), "admin") as client:
        assert (await client.get("/static/../app.py")).status_code == 404
        assert (await client.get("/graphiql")).status_code == 404


async def test_a_database_that_is_not_migrated_is_refused_with_the_command_to_run(tmp_path: Path) -> None:
    with pytest.raises(NotMigrated, match="Run: kundeport migrate"):
        async with gateway_client(settings(f"sqlite+aiosqlite:///{tmp_path}/empty.db")):
            pytest.fail("the gateway started")


def test_the_demo_serves_its_showcase_customer(live_server: str, live_headers: dict[str, str]) -> None:
    query = {"query": "{ customer(by: { customerNumber: 1000000001 }) { firstName surname } }"}
    response = httpx.post(f"{live_server}/graphql", json=query, headers=live_headers)
    assert response.json()["data"] == {"customer": {"firstName": "Kari", "surname": "Nordmann"}}


def test_assets_are_cached_forever_and_the_page_never(live_server: str) -> None:
    page = httpx.get(live_server)
    assert page.headers["Cache-Control"] == "no-cache"
    asset = page.text.partition('src="')[2].partition('"')[0]
    assert asset.startswith("/static/assets/")
    response = httpx.get(live_server + asset)
    assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert response.headers["Content-Security-Policy"] == page.headers["Content-Security-Policy"]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_server_without_demo_sets_up_a_new_file_and_ends_cleanly(tmp_path: Path, workers: str) -> None:
    server = serving(environment(f"sqlite+aiosqlite:///{tmp_path}/new.db"), "--workers", workers)
    with server as base_url:
        query = {"query": "{ customers { totalItems } }"}
        answer = httpx.post(f"{base_url}/graphql", json=query, headers=authorization("crm"))
        assert answer.json()["data"] == {"customers": {"totalItems": 0}}
        server.process.send_signal(signal.SIGTERM)
        output = server.output()
    assert server.process.returncode == 0, output


async def test_not_even_the_finest_log_has_a_value_of_a_statement(url: str, capfd: pytest.CaptureFixture[str]) -> None:
    async with gateway_client(settings(url, log_level="DEBUG", log_format="json"), "admin") as client:
        query = {"query": '{ customers(filter: { email: "kari.hemmelig@example.no" }) { totalItems } }'}
        assert (await client.post("/graphql", json=query)).json()["data"] == {"customers": {"totalItems": 0}}
        assert (await client.get("/customers/kari.hemmelig@example.no")).status_code == 404
    log = capfd.readouterr().err
    assert '"event":"request"' in log
    assert "hemmelig" not in log


SERVE_TWO = """
import uvicorn
from gateway.lifecycle import serve_until_stopped
serve_until_stopped(uvicorn.Config("gateway.app:create_app", factory=True, port=0, workers=2, log_config=None))
"""


def test_workers_that_cannot_start_end_the_server_with_an_error(tmp_path: Path) -> None:
    given = os.environ | environment(f"sqlite+aiosqlite:///{tmp_path}/not-migrated.db")
    command = [sys.executable, "-c", SERVE_TWO]
    ended = subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, timeout=60, check=False)
    assert "NotMigrated" in ended.stderr
    assert ended.returncode == STARTUP_FAILURE


async def test_a_database_that_is_locked_is_answered_as_unavailable(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> None:
        raise OperationalError("SELECT", None, Exception("database is locked"))

    monkeypatch.setattr(Database, "fetch", fail)
    async with gateway_client(settings(url), "admin") as client:
        query = {"query": "{ customer(by: { customerNumber: 1 }) { surname } }"}
        (error,) = (await client.post("/graphql", json=query)).json()["errors"]
    assert (error["extensions"]["errorCode"], error["extensions"]["status"]) == ("UNAVAILABLE", 503)
