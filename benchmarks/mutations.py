"""Times mutations over HTTP, against real server processes, on SQLite and on PostgreSQL.

Run it with `make bench`, or `python -m benchmarks.mutations --help`.
"""

import asyncio
import itertools
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import orjson

from benchmarks.client import Client, WrongAnswer, excerpt, graphql_request
from benchmarks.floor import DOCUMENTS
from benchmarks.http import DATABASES, describe_machine, percentile, say
from benchmarks.report import RESULTS
from benchmarks.servers import NoServer, Server, fill, token

FIRST_CUSTOMER = 1_000_000_001
BY = {"changedBy": "bench", "changedByChannel": "crm"}
ADDRESS = {
    "typeOfAddress": "PRIVATE",
    "postCode": "0155",
    "town": "Oslo",
    "countryCode": "NOR",
    "addressLine1": "Gata 1",
}
Inputs = Callable[[int], dict[str, Any]]


def new_customer(number: int) -> dict[str, Any]:
    names = {"organisationId": 1, "firstName": "Kari", "surname": f"Nordmann {number}"}
    by = {"createdBy": "bench", "createdByChannel": "crm"}
    return names | by | {"email": f"bench{number}@example.com", "postalAddresses": [ADDRESS]}


def new_surname(number: int) -> dict[str, Any]:
    return {"customerNumber": FIRST_CUSTOMER, "firstName": "Kari", "surname": f"Nordmann {number}", **BY}


BENCHMARKS: dict[str, tuple[str, Inputs]] = {
    "createCustomer, with an address": ("create-customer", new_customer),
    "updateCustomer, one customer": ("update-customer", new_surname),
}
"""What the table shows -> the document, and the input of its n-th request."""


@dataclass(frozen=True)
class Measurement:
    """A row of the table."""

    database: str
    mutation: str
    clients: int
    done: int
    per_second: float
    cpu_ms: float
    p50_ms: float
    p99_ms: float


def requests(document: str, inputs: Inputs) -> Iterator[bytes]:
    """Requests without end, each with an input of its own."""
    text, bearer = (DOCUMENTS / f"{document}.graphql").read_text("utf-8"), token()
    start = time.time_ns() // 1000
    return (graphql_request(text, {"input": inputs(start + number)}, bearer) for number in itertools.count())


async def carry_out(client: Client, given: Iterator[bytes], until: float) -> list[float]:
    """The seconds of each mutation. Raises WrongAnswer unless each was done."""
    seconds = []
    while time.perf_counter() < until:
        request = next(given)
        begin = time.perf_counter()
        status, body = await client.send(request)
        seconds.append(time.perf_counter() - begin)
        answer = orjson.loads(body)
        if status != 200 or "errors" in answer or any(each["userErrors"] for each in answer["data"].values()):
            raise WrongAnswer(f"{status}: {excerpt(body)}")
    return seconds


async def measure(server: Server, database: str, mutation: str, clients: int, seconds: float) -> Measurement:
    given = requests(*BENCHMARKS[mutation])
    connections = [await Client.connect(server.port) for _ in range(clients)]
    try:
        await asyncio.gather(*(carry_out(each, given, time.perf_counter() + 0.5) for each in connections))
        cpu, begin = server.cpu_seconds(), time.perf_counter()
        of_clients = await asyncio.gather(*(carry_out(each, given, begin + seconds) for each in connections))
        elapsed, cpu = time.perf_counter() - begin, server.cpu_seconds() - cpu
    finally:
        for each in connections:
            each.close()
    took = sorted(one for of_client in of_clients for one in of_client)
    return Measurement(
        database,
        mutation,
        clients,
        done=len(took),
        per_second=round(len(took) / elapsed, 1),
        cpu_ms=round(cpu / len(took) * 1000, 2),
        p50_ms=round(percentile(took, 50) * 1000, 2),
        p99_ms=round(percentile(took, 99) * 1000, 2),
    )


def table(rows: list[Measurement], machine: dict[str, str]) -> str:
    names = list(asdict(rows[0]))
    lines = [" | ".join(str(value) for value in asdict(row).values()) for row in rows]
    head = ", ".join(f"{name} {value}" for name, value in machine.items())
    cells = [" | ".join(names), " | ".join("---" for _ in names), *lines]
    return "\n".join(["# Mutations", "", head, "", *(f"| {line} |" for line in cells)]) + "\n"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--customers", default=2_000, show_default=True, type=click.IntRange(1), help="Demo customers to load.")
@click.option(
    "--seconds", default=3.0, show_default=True, type=click.FloatRange(0.1), help="How long a row is measured."
)
def main(customers: int, seconds: float) -> None:
    """Time mutations on SQLite and on PostgreSQL, with 1 and 16 clients, and print a table.

    Every mutation is a transaction with its event and its audit entry, flushed to the disk before it is answered. All
    callers are of one organisation, whose audit entries are one chain: they take turns.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    rows: list[Measurement] = []
    machine = describe_machine()
    try:
        with tempfile.TemporaryDirectory(prefix="kundeport-bench-", ignore_cleanup_errors=True) as folder:
            for database, made in DATABASES.items():
                own = Path(folder) / database.lower()
                own.mkdir()
                with made(own) as url:
                    say(f"{database}: loading {customers:,} demo customers")
                    fill(url, customers)
                    with Server("planned", url, Path(folder) / "server.log") as server:
                        for mutation, clients in itertools.product(BENCHMARKS, (1, 16)):
                            say(f"{database}: {mutation}, clients: {clients}")
                            rows.append(asyncio.run(measure(server, database, mutation, clients, seconds)))
    except (NoServer, WrongAnswer) as failed:
        raise click.ClickException(str(failed)) from failed
    text = table(rows, machine)
    (RESULTS.parent / "mutations.md").write_text(text, "utf-8")
    print(text)


if __name__ == "__main__":
    main()
