"""Times GraphQL documents over HTTP, against real server processes, on SQLite and on PostgreSQL.

Run it with `make bench`, or `python -m benchmarks.http --help`. To time another document, add it to `BENCHMARKS`.
"""

import asyncio
import itertools
import math
import platform
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import orjson
import psutil

from benchmarks import report
from benchmarks.client import Client, WrongAnswer, data_of, graphql_request
from benchmarks.floor import DOCUMENTS, SHAPES
from benchmarks.report import COLD, GROWTH, WARM, Measurement, Run
from benchmarks.servers import (
    FLOOR,
    ROOT,
    NoServer,
    Server,
    fill,
    postgresql,
    postgresql_database,
    sqlite_database,
    token,
)
from datastore.demo.personnel_codes import FIRST_COMPANY

WARM_UP_SECONDS = 0.5
STALLED_SECONDS = 60.0
MEMORY_LOOKS_EVERY_SECONDS = 0.05
GROWTH_SIZES = (1, 10, 100, 1000)
GROWTH_SECONDS = 1.0
EXECUTIONS = ("standard", "planned", FLOOR)


@dataclass(frozen=True)
class Benchmark:
    """One thing to time: a document of `documents/`, with its variables, under the name that the tables show.

    `part` is the part of the report that it is for. With `is_cold`, every request has a text of its own.
    """

    name: str
    document: str
    variables: dict[str, object]
    part: str = WARM
    is_cold: bool = False

    def requests(self) -> Iterator[bytes]:
        """The requests to send, without end."""
        text, bearer = (DOCUMENTS / f"{self.document}.graphql").read_text("utf-8"), token()
        if not self.is_cold:
            return itertools.repeat(graphql_request(text, self.variables, bearer))
        texts = (OPERATION_NAME.sub(rf"\g<0>{number}", text, count=1) for number in itertools.count())
        return (graphql_request(each, self.variables, bearer) for each in texts)

    @property
    def has_floor(self) -> bool:
        return self.document in SHAPES


OPERATION_NAME = re.compile(r"^query \w+", re.MULTILINE)
ONE_CUSTOMER: dict[str, object] = {"customerNumber": 1_000_000_001}
OF_COMPANY: dict[str, object] = {"companyId": FIRST_COMPANY, "first": 200}
BENCHMARKS = [
    Benchmark("one customer, 6 relations", "customer-with-six-relations", ONE_CUSTOMER),
    Benchmark("50 customers, 2 relations", "customers-with-addresses-and-ecards", {"first": 50}),
    Benchmark("500 customers, 1 relation", "customers-with-addresses", {"first": 500}),
    Benchmark("one customer, all relations", "customer", ONE_CUSTOMER),
    Benchmark("a company, 200 employees, families, rights", "company-walk", OF_COMPANY),
    Benchmark("200 employees, families, rights", "employees-with-rights", OF_COMPANY),
]
FURTHER = [
    *(Benchmark(f"{size}", "customers-with-addresses", {"first": size}, GROWTH) for size in GROWTH_SIZES),
    Benchmark("warm", "customer-with-six-relations", ONE_CUSTOMER, COLD),
    Benchmark("cold", "customer-with-six-relations", ONE_CUSTOMER, COLD, is_cold=True),
]
"""How the time grows with the number of customers, and with a new text each time."""

PACKAGES = {
    "SQLAlchemy": "sqlalchemy",
    "Strawberry": "strawberry-graphql",
    "graphql-core": "graphql-core",
    "asyncpg": "asyncpg",
    "Starlette": "starlette",
    "uvicorn": "uvicorn",
    "orjson": "orjson",
}
"""Whose versions the report tells: name -> package."""

DATABASES: dict[str, Callable[[Path], AbstractContextManager[str]]] = {
    "SQLite": sqlite_database,
    "PostgreSQL": postgresql_database,
}


def client_counts(_context: click.Context, _parameter: click.Parameter, given: str) -> list[int]:
    try:
        counts = [int(count) for count in given.split(",")]
    except ValueError:
        counts = [0]
    if min(counts) < 1:
        raise click.BadParameter("whole numbers from 1, separated by commas, like 1,16")
    return counts


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--customers", default=5_000, show_default=True, type=click.IntRange(1), help="Demo customers to load.")
@click.option(
    "--seconds", default=2.0, show_default=True, type=click.FloatRange(0.1), help="How long each row is measured."
)
@click.option(
    "--clients",
    default="1,16",
    show_default=True,
    callback=client_counts,
    metavar="N,N...",
    help="Numbers of concurrent clients; each makes a row.",
)
@click.option(
    "--database",
    "databases",
    multiple=True,
    type=click.Choice(list(DATABASES), case_sensitive=False),
    help="Only this database; can be repeated.",
)
@click.option(
    "--execution",
    "executions",
    multiple=True,
    type=click.Choice(EXECUTIONS),
    help="Only this execution; can be repeated.",
)
@click.option(
    "--document",
    "documents",
    multiple=True,
    type=click.Choice([benchmark.document for benchmark in BENCHMARKS]),
    help="Only this document, and neither growth nor cold; can be repeated.",
)
def main(
    customers: int,
    seconds: float,
    clients: list[int],
    databases: tuple[str, ...],
    executions: tuple[str, ...],
    documents: tuple[str, ...],
) -> None:
    """Time GraphQL documents over HTTP, on SQLite and on PostgreSQL, and print tables.

    For each database, a temporary one is filled with demo customers. For each document and execution, a server is
    started over it with one worker, warmed up, and measured at each number of clients; a client sends its next request
    when it has the answer to the last one, and checks that each answer is 200, without errors and the same as the
    first. The data must be the same in all executions.

    \b
    execution       standard and planned are what KUNDEPORT_EXECUTION can be; floor is
                    benchmarks/floor.py, the least that Python needs for such an answer
    CPU ms/request  CPU time of the server, user and system, by request; not that of a
                    PostgreSQL server. The steadiest number: compare this one first.
    requests/s      answered requests in a second, by all clients together
    p50, p99 ms     what half and 99 of 100 requests took at most, as seen by the client
    answer bytes    size of the answer's body
    peak RSS MB     most physical memory of the server during the row, in 1,000,000 bytes

    The tables go to standard output, the progress to standard error; the same numbers go to
    benchmarks/results/http.json, and those of a run with nothing left out to http.md and, as a plot, to http.png beside
    it. PostgreSQL is one of its own, started for the run, unless KUNDEPORT_TEST_POSTGRES_URL names a server on which
    databases can be created. Other KUNDEPORT_* settings reach the gateway. Client and server need a core each, and
    nothing else should run: the tables are headed by the load of the machine before the run.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends like Ctrl-C: whatever was started is stopped
    options = {"customers": customers, "seconds": seconds, "clients": clients}
    run = Run(datetime.now(UTC).isoformat(timespec="seconds"), describe_machine(), options)
    benchmarks = [benchmark for benchmark in BENCHMARKS if not documents or benchmark.document in documents]
    chosen = executions or EXECUTIONS
    try:
        with tempfile.TemporaryDirectory(prefix="kundeport-bench-", ignore_cleanup_errors=True) as folder:
            for database in databases or DATABASES:
                own_folder = Path(folder) / database.lower()
                own_folder.mkdir()
                with DATABASES[database](own_folder) as url:
                    run.machine[database] = sqlite3.sqlite_version if database == "SQLite" else postgresql_version(url)
                    say(f"{database}: loading {customers:,} demo customers")
                    fill(url, customers)
                    bench = Bench(database, url, Path(folder) / "server.log", seconds)
                    # A server of its own for each document: none pays for what another one left.
                    for benchmark, execution in itertools.product(benchmarks, chosen):
                        if execution != FLOOR or benchmark.has_floor:
                            run.rows.extend(bench.measure(execution, [benchmark], clients))
                    bench.seconds = min(seconds, GROWTH_SECONDS)
                    for execution in chosen if not documents else ():
                        further = [each for each in FURTHER if each.has_floor and not each.is_cold]
                        run.rows.extend(bench.measure(execution, further if execution == FLOOR else FURTHER, [1]))
    except (NoServer, WrongAnswer, subprocess.CalledProcessError) as failed:
        raise click.ClickException(str(failed)) from failed
    print(report.write(run, is_whole=not (databases or executions or documents)))


@dataclass
class Bench:
    """Measures servers over one database. `data` has what was answered first to each benchmark."""

    database: str
    url: str
    log: Path
    seconds: float
    data: dict[str, bytes] = field(default_factory=dict)

    def measure(self, execution: str, benchmarks: Sequence[Benchmark], clients: Sequence[int]) -> Iterator[Measurement]:
        """The rows of documents, measured on one server."""
        with Server(execution, self.url, self.log) as server:
            for benchmark, count in itertools.product(benchmarks, clients):
                title = f"{self.database}, {execution}, {benchmark.part}: {benchmark.name}"
                say(f"{title}, clients: {count}")
                try:
                    yield asyncio.run(self.measure_once(server, execution, benchmark, count))
                except (WrongAnswer, OSError, EOFError, psutil.Error) as failed:
                    ended = server.process.poll()
                    reason = str(failed) if ended is None else f"the server ended with exit code {ended}"
                    reason = f"{title}: {reason or 'no answer in time'}"
                    raise WrongAnswer(f"{reason}\n{server.output()}") from failed

    async def measure_once(self, server: Server, execution: str, benchmark: Benchmark, clients: int) -> Measurement:
        requests = benchmark.requests()
        connections = [await Client.connect(server.port) for _ in range(clients)]
        try:
            async with asyncio.timeout(STALLED_SECONDS + WARM_UP_SECONDS + self.seconds):
                status, body = await connections[0].send(next(requests))
                data = data_of(status, body)
                self.compare(benchmark, data)
                await send_all(connections, requests, body, WARM_UP_SECONDS)
                peak = asyncio.create_task(peak_memory(server, self.seconds))
                cpu_before, begin = server.cpu_seconds(), time.perf_counter()
                latencies = sorted(await send_all(connections, requests, body, self.seconds))
                elapsed, cpu = time.perf_counter() - begin, server.cpu_seconds() - cpu_before
                return Measurement(
                    part=benchmark.part,
                    database=self.database,
                    execution=execution,
                    benchmark=full_name(benchmark, data),
                    clients=clients,
                    requests=len(latencies),
                    cpu_ms_per_request=round(cpu / len(latencies) * 1000, 3),
                    requests_per_second=round(len(latencies) / elapsed, 2),
                    p50_ms=round(percentile(latencies, 50) * 1000, 3),
                    p99_ms=round(percentile(latencies, 99) * 1000, 3),
                    response_bytes=len(body),
                    peak_rss_mb=round(await peak / 1e6, 1),
                )
        finally:
            for connection in connections:
                connection.close()

    def compare(self, benchmark: Benchmark, data: dict[str, object]) -> None:
        """Raises WrongAnswer if the data is not what another execution answered."""
        text = orjson.dumps(data)
        first = self.data.setdefault(benchmark.name, text)
        if text == first:
            return
        place = next((at for at, (one, other) in enumerate(zip(text, first, strict=False)) if one != other), 0)
        parts = [each[max(0, place - 200) : place + 200].decode(errors="replace") for each in (first, text)]
        raise WrongAnswer(f"Not the data of another execution, ...{parts[0]}..., but ...{parts[1]}...")


async def send_all(
    connections: list[Client], requests: Iterator[bytes], expected: bytes, seconds: float
) -> list[float]:
    """The seconds of each request that the clients sent, side by side, in that time."""
    until = time.perf_counter() + seconds
    latencies = await asyncio.gather(*(client.repeat(requests, expected, until) for client in connections))
    return [one for of_client in latencies for one in of_client]


async def peak_memory(server: Server, seconds: float) -> int:
    until, peak = time.perf_counter() + seconds, 0
    while time.perf_counter() < until:
        peak = max(peak, server.memory())
        await asyncio.sleep(MEMORY_LOOKS_EVERY_SECONDS)
    return peak


def full_name(benchmark: Benchmark, data: dict[str, Any]) -> str:
    """The name, saying so if a page is not full: in a small database there are fewer customers than it asks for."""
    wanted = benchmark.variables.get("first")
    found = [len(one["nodes"]) for one in data.values() if "nodes" in one]
    return benchmark.name if not found or found == [wanted] else f"{benchmark.name} ({found[0]} found)"


def percentile(ordered: Sequence[float], percent: int) -> float:
    """The smallest value that so many percent of the values do not exceed."""
    return ordered[math.ceil(len(ordered) * percent / 100) - 1]


def describe_machine() -> dict[str, str]:
    return {
        "CPU": cpu_model(),
        "cores": str(psutil.cpu_count()),
        "load": f"{psutil.getloadavg()[0]:.2f}",
        "commit": commit(),
        "Python": platform.python_version(),
        **{name: version(package) for name, package in PACKAGES.items()},
    }


def cpu_model() -> str:
    listed = Path("/proc/cpuinfo")
    lines = listed.read_text("utf-8").splitlines() if listed.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def commit() -> str:
    """The commit that is measured, with `-dirty` if files differ from it."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        return subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def postgresql_version(url: str) -> str:
    return str(postgresql(url, "SHOW server_version"))


def say(progress: str) -> None:
    print(progress, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
