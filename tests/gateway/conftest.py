"""A real gateway process with demo data, for tests that need one."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def live_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Base URL of `kundeport serve --demo` on a database of its own."""
    folder = tmp_path_factory.mktemp("live")
    with serving({"KUNDEPORT_DATABASE_URL": f"sqlite+aiosqlite:///{folder}/demo.db"}, "--demo") as base_url:
        yield base_url


@pytest.fixture(scope="session")
def live_headers(live_server: str) -> dict[str, str]:
    """Headers that let a request to `live_server` in, as the role that GraphiQL begins with."""
    token = httpx.post(f"{live_server}/demo/token", json={"role": "crm"}).raise_for_status().json()["token"]
    return {"Authorization": f"Bearer {token}"}


class serving:  # noqa: N801
    """`kundeport serve` as a process, from the first ready answer to the end of the block."""

    def __init__(self, environment: dict[str, str], *options: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        command = [sys.executable, "-m", "gateway.cli", "serve", "--port", str(self.port), *options]
        settings = {"KUNDEPORT_LOG_FORMAT": "json", **environment}
        # A file, not a pipe: nobody reads it while the gateway runs, and a full pipe would stop it.
        self._output = tempfile.TemporaryFile()  # noqa: SIM115
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=os.environ | settings, stdout=self._output, stderr=subprocess.STDOUT
        )

    def __enter__(self) -> str:
        base_url = f"http://127.0.0.1:{self.port}"
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if httpx.get(f"{base_url}/health/ready").status_code == 200:
                    return base_url
            except httpx.TransportError:
                time.sleep(0.05)
        self.process.kill()
        pytest.fail(f"the gateway did not become ready:\n{self.output()}")

    def output(self) -> str:
        """What the process has written, once it has ended."""
        self.process.wait(timeout=30)
        self._output.seek(0)
        return self._output.read().decode()

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=30)
        self._output.close()
