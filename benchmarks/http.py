"""Times GraphQL documents over HTTP, against a real gateway process, on SQLite and on PostgreSQL.

Run it with `make bench`, or `python -m benchmarks.http --help`. To time another document, add it to `BENCHMARKS`.
"""

import asyncio
import math
import platform
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import orjson
import psutil

from benchmarks.client import Client, WrongAnswer, data_of, graphql_request
from benchmarks.servers import ROOT, Gateway, NoGateway, fill, postgresql, postgresql_database, sqlite_database, token

DOCUMENTS = Path(__file__).parent / "documents"
RESULTS = Path(__file__).parent / "results" / "http.json"
WARM_UP_SECONDS = 1.0
STALLED_SECONDS = 60.0
MEMORY_LOOKS_EVERY_SECONDS = 0.05


@dataclass(frozen=True)
class Benchmark:
    """One thing to time: a document of `documents/`, with its variables, under the name that the table shows."""

    name: str
    document: str
    variables: dict[str, object]

    @property
    def request(self) -> bytes:
        return graphql_request((DOCUMENTS / f"{self.document}.graphql").read_text("utf-8"), self.variables, token())


BENCHMARKS = [
    Benchmark("one customer, all relations", "customer", {"customerNumber": 1_000_000_001}),
    Benchmark("50 customers, addresses and e-cards", "customers-with-addresses-and-ecards", {"first": 50}),
    Benchmark("500 customers, addresses", "customers-with-addresses", {"first": 500}),
]

DATABASES: dict[str, Callable[[Path], AbstractContextManager[str]]] = {
    "SQLite": sqlite_database,
    "PostgreSQL": postgresql_database,
}


@dataclass(frozen=True)
class Measurement:
    """A row of the table."""

    database: str
    benchmark: str
    clients: int
    requests: int
    cpu_ms_per_request: float
    requests_per_second: float
    p50_ms: float
    p99_ms: float
    response_bytes: int
    peak_rss_mb: float


COLUMNS: dict[str, Callable[[Measurement], str]] = {
    "database": lambda row: row.database,
    "document": lambda row: row.benchmark,
    "clients": lambda row: f"{row.clients}",
    "CPU ms/request": lambda row: f"{row.cpu_ms_per_request:.2f}",
    "requests/s": lambda row: f"{row.requests_per_second:,.1f}",
    "p50 ms": lambda row: f"{row.p50_ms:.1f}",
    "p99 ms": lambda row: f"{row.p99_ms:.1f}",
    "answer bytes": lambda row: f"{row.response_bytes:,}",
    "peak RSS MB": lambda row: f"{row.peak_rss_mb:.0f}",
}
TEXT_COLUMNS = 2


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
    "--seconds", default=5.0, show_default=True, type=click.FloatRange(0.1), help="How long each row is measured."
)
@click.option(
    "--clients",
    default="1,16",
    show_default=True,
    callback=client_counts,
    metavar="N,N...",
    help="Numbers of concurrent clients; each makes a row.",
)
def main(customers: int, seconds: float, clients: list[int]) -> None:
    """Time GraphQL documents over HTTP, on SQLite and on PostgreSQL, and print a table.

    For each database, a temporary one is filled with demo customers. For each document, `kundeport serve` is started
    over it with one worker, warmed up, and measured at each number of clients; a client sends its next request when it
    has the answer to the last one, and checks that each answer is 200, without errors and the same as the first.

    \b
    CPU ms/request  CPU time of the gateway, user and system, by request; not that of a
                    PostgreSQL server. The steadiest number: compare this one first.
    requests/s      answered requests in a second, by all clients together
    p50, p99 ms     what half and 99 of 100 requests took at most, as seen by the client
    answer bytes    size of the answer's body
    peak RSS MB     most physical memory of the gateway during the row, in 1,000,000 bytes

    The table goes to standard output, the progress to standard error; the same numbers go to
    benchmarks/results/http.json. PostgreSQL is one of its own, started for the run, unless KUNDEPORT_TEST_POSTGRES_URL
    names a server on which databases can be created. Other KUNDEPORT_* settings reach the gateway. Client and gateway
    need a core each, and nothing else should run: the first line has the load of the machine before the run.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends like Ctrl-C: whatever was started is stopped
    machine = describe_machine()
    rows: list[Measurement] = []
    try:
        with tempfile.TemporaryDirectory(prefix="kundeport-bench-", ignore_cleanup_errors=True) as folder:
            for database, create in DATABASES.items():
                own_folder = Path(folder) / database.lower()
                own_folder.mkdir()
                with create(own_folder) as url:
                    machine[database] = sqlite3.sqlite_version if database == "SQLite" else postgresql_version(url)
                    say(f"{database}: loading {customers:,} demo customers")
                    fill(url, customers)
                    for benchmark in BENCHMARKS:
                        rows.extend(measure(database, url, benchmark, clients, seconds, Path(folder) / "gateway.log"))
    except (NoGateway, WrongAnswer, subprocess.CalledProcessError) as failed:
        raise click.ClickException(str(failed)) from failed
    report(rows, machine, {"customers": customers, "seconds": seconds, "clients": clients})


def measure(
    database: str, url: str, benchmark: Benchmark, clients: Sequence[int], seconds: float, log: Path
) -> Iterator[Measurement]:
    """The rows of one document, measured on a gateway of its own: no document pays for what another one left."""
    with Gateway(url, log) as gateway:
        for count in clients:
            say(f"{database}: {benchmark.name}, clients: {count}")
            try:
                yield asyncio.run(measure_once(database, gateway, benchmark, count, seconds))
            except (WrongAnswer, OSError, EOFError, psutil.Error) as failed:
                ended = gateway.process.poll()
                reason = str(failed) if ended is None else f"the gateway ended with exit code {ended}"
                reason = f"{database}, {benchmark.name}: {reason or 'no answer in time'}"
                raise WrongAnswer(f"{reason}\n{gateway.output()}") from failed


async def measure_once(
    database: str, gateway: Gateway, benchmark: Benchmark, clients: int, seconds: float
) -> Measurement:
    request = benchmark.request
    connections = [await Client.connect(gateway.port) for _ in range(clients)]
    try:
        async with asyncio.timeout(STALLED_SECONDS + WARM_UP_SECONDS + seconds):
            status, body = await connections[0].send(request)
            name = full_name(benchmark, data_of(status, body))
            await send_all(connections, request, body, WARM_UP_SECONDS)
            peak = asyncio.create_task(peak_memory(gateway, seconds))
            cpu_before, begin = gateway.cpu_seconds(), time.perf_counter()
            latencies = sorted(await send_all(connections, request, body, seconds))
            elapsed, cpu = time.perf_counter() - begin, gateway.cpu_seconds() - cpu_before
            return Measurement(
                database=database,
                benchmark=name,
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


async def send_all(connections: list[Client], request: bytes, expected: bytes, seconds: float) -> list[float]:
    """The seconds of each request that the clients sent, side by side, in that time."""
    until = time.perf_counter() + seconds
    latencies = await asyncio.gather(*(client.repeat(request, expected, until) for client in connections))
    return [one for of_client in latencies for one in of_client]


async def peak_memory(gateway: Gateway, seconds: float) -> int:
    until, peak = time.perf_counter() + seconds, 0
    while time.perf_counter() < until:
        peak = max(peak, gateway.memory())
        await asyncio.sleep(MEMORY_LOOKS_EVERY_SECONDS)
    return peak


def full_name(benchmark: Benchmark, data: dict[str, Any]) -> str:
    """The name, saying so if a page is not full: in a small database there are fewer customers than it asks for."""
    wanted = benchmark.variables.get("first")
    found = [len(field["nodes"]) for field in data.values() if "nodes" in field]
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
        "SQLAlchemy": version("sqlalchemy"),
        "Strawberry": version("strawberry-graphql"),
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


def report(rows: list[Measurement], machine: dict[str, str], options: dict[str, Any]) -> None:
    print(", ".join(f"{name} {value}" for name, value in machine.items()))
    print(", ".join(f"{name} {written(value)}" for name, value in options.items()))
    print()
    print(table(rows))
    measured_at = datetime.now(UTC).isoformat(timespec="seconds")
    results = {
        "measured_at": measured_at,
        "machine": machine,
        "options": options,
        "rows": [asdict(row) for row in rows],
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_bytes(orjson.dumps(results, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def written(value: Any) -> str:
    return "/".join(map(str, value)) if isinstance(value, list) else f"{value:,g}"


def table(rows: list[Measurement]) -> str:
    """Aligned columns: text to the left, numbers to the right."""
    lines = [list(COLUMNS), *([cell(row) for cell in COLUMNS.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "  ".join(
            text.ljust(width) if place < TEXT_COLUMNS else text.rjust(width)
            for place, (text, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )


def say(progress: str) -> None:
    print(progress, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
