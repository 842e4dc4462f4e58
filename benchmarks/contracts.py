"""Times contracts over HTTP, on SQLite and on PostgreSQL: reading fifty with all that hangs on them, and using them.

Run it with `make bench`, or `python -m benchmarks.contracts --help`.
"""

import asyncio
import itertools
import os
import signal
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import click
import httpx
from sqlalchemy import Engine, event

from benchmarks.client import Client, WrongAnswer, data_of, excerpt, graphql_request
from benchmarks.floor import DOCUMENTS
from benchmarks.http import DATABASES, describe_machine, percentile, say
from benchmarks.mutations import FIRST_CUSTOMER, carry_out
from benchmarks.report import RESULTS, table
from benchmarks.servers import NoServer, Server, fill, settings, token
from gateway.app import create_app
from gateway.reads import Reads
from gateway.settings import Settings

CONTRACTS = 1_000
COUPONS = 10_000
"""Of each contract: more than a run uses."""
EXECUTIONS = ("standard", "planned")
ENDS, TRAVEL = "2090-01-01T00:00:00Z", "2080-06-01T08:00:00Z"
PRODUCT = "ENT:EntitlementProduct:benchmarks"

PROGRAM = """mutation Program($input: CreateLoyaltyProgramInput!) {
    createLoyaltyProgram(input: $input) { loyaltyProgram { loyaltyProgramId } userErrors { code field } } }"""
CONTRACT = """mutation Contract($input: CreateContractInput!) {
    createContract(input: $input) { contract { uuid } userErrors { code field } } }"""


@dataclass(frozen=True)
class Reading:
    """A row of the table about reading."""

    database: str
    execution: str
    statements: int
    cpu_ms: float
    per_second: float
    p50_ms: float


@dataclass(frozen=True)
class Using:
    """A row of the table about uses."""

    database: str
    contracts: str
    clients: int
    done: int
    per_second: float
    cpu_ms: float
    p50_ms: float
    p99_ms: float


def document(name: str) -> str:
    return (DOCUMENTS / f"{name}.graphql").read_text("utf-8")


# What is used


async def prepare(server: Server) -> list[str]:
    """The uuids of contracts with coupons that were made for the benchmark, all of one holder."""
    client, bearer = await Client.connect(server.port), token()

    async def made(text: str, given: dict[str, Any]) -> Any:
        (payload,) = data_of(*await client.send(graphql_request(text, {"input": given}, bearer))).values()
        if payload["userErrors"]:  # type: ignore[index]
            raise WrongAnswer(str(payload))
        return next(iter(payload.values()))  # type: ignore[attr-defined]

    known = {"productVersion": "ENT:Version:V1", "internalDescription": "For benchmarks.", "endDate": ENDS}
    day = {"loyaltyProgramType": "TIMED", "productId": f"{PRODUCT}.day", "usageValidityPeriod": "P1D", **known}
    sold = (await made(PROGRAM, day))["loyaltyProgramId"]
    config = {"defaultQuantity": COUPONS, "loyaltyProgramId": sold}
    card = {"loyaltyProgramType": "COUPONS", "productId": PRODUCT, "couponConfig": config, **known}
    given = {"loyaltyProgramId": (await made(PROGRAM, card))["loyaltyProgramId"], "customerNumber": FIRST_CUSTOMER}
    uuids = [(await made(CONTRACT, given))["uuid"] for _ in range(CONTRACTS)]
    client.close()
    return uuids


def uses(uuids: Sequence[str]) -> Iterator[bytes]:
    """Uses of these contracts in turn, without end, each with an order of its own."""
    text, bearer, start = document("consume-contract"), token(), time.time_ns() // 1000
    for number, uuid in enumerate(itertools.cycle(uuids)):
        given = {
            "contractUuid": uuid,
            "customerNumber": FIRST_CUSTOMER,
            "firstTravelDate": TRAVEL,
            "entitlementProductId": PRODUCT,
            "orderId": f"bench-{start + number}",
            "orderLineId": "1",
            "price": "0.00",
        }
        yield graphql_request(text, {"input": given}, bearer)


async def measure_uses(server: Server, database: str, uuids: Sequence[str], clients: int, seconds: float) -> Using:
    given = uses(uuids)
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
    return Using(
        database,
        "one" if len(uuids) == 1 else f"{len(uuids):,} in turn",
        clients,
        done=len(took),
        per_second=round(len(took) / elapsed, 1),
        cpu_ms=round(cpu / len(took) * 1000, 2),
        p50_ms=round(percentile(took, 50) * 1000, 2),
        p99_ms=round(percentile(took, 99) * 1000, 2),
    )


# What is read


async def measure_reading(server: Server, database: str, execution: str, statements: int, seconds: float) -> Reading:
    client = await Client.connect(server.port)
    try:
        request = graphql_request(document("contracts-with-all"), {}, token())
        status, body = await client.send(request)
        found: Any = data_of(status, body)["contracts"]
        if len(found["nodes"]) != 50:
            raise WrongAnswer(f"Not 50 contracts: {excerpt(body)}")
        await client.repeat(itertools.repeat(request), body, time.perf_counter() + 0.5)
        cpu, begin = server.cpu_seconds(), time.perf_counter()
        took = sorted(await client.repeat(itertools.repeat(request), body, begin + seconds))
        elapsed, cpu = time.perf_counter() - begin, server.cpu_seconds() - cpu
    finally:
        client.close()
    cpu_ms, per_second = cpu / len(took) * 1000, len(took) / elapsed
    p50 = percentile(took, 50) * 1000
    return Reading(database, execution, statements, round(cpu_ms, 2), round(per_second, 1), round(p50, 2))


async def statements_of(url: str, execution: str) -> int:
    """How many statements a gateway in this process sends for the document, its second time."""
    sent: list[str] = []

    def note(*given: Any) -> None:
        sent.append(given[2])

    async def fetch(reads: Reads, sql: str, arguments: Sequence[Any]) -> Sequence[Any]:
        sent.append(sql)
        return await fetch_planned(reads, sql, arguments)

    fetch_planned = Reads.fetch
    with patch.dict(os.environ, settings(url) | {"KUNDEPORT_EXECUTION": execution}):
        app: Any = create_app(Settings())
    inner = app
    while not hasattr(inner, "router"):
        inner = inner.app
    body = {"query": document("contracts-with-all")}
    headers = {"Authorization": f"Bearer {token()}", "ET-Client-Name": "kundeport-bench"}
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway", headers=headers)
    async with inner.router.lifespan_context(inner), client:
        await client.post("/graphql", json=body)
        event.listen(Engine, "before_cursor_execute", note)
        try:
            with patch.object(Reads, "fetch", fetch):
                answer = await client.post("/graphql", json=body)
        finally:
            event.remove(Engine, "before_cursor_execute", note)
    data_of(answer.status_code, answer.content)
    return sum("contract" in each for each in sent)


def report(readings: Sequence[Reading], using: Sequence[Using], machine: dict[str, str]) -> str:
    def lines(rows: Sequence[Reading | Using]) -> str:
        cells = [[str(value) for value in asdict(row).values()] for row in rows]
        return table(list(asdict(rows[0])), cells, 2)

    parts = [
        "# Contracts",
        ", ".join(f"{name} {value}" for name, value in machine.items()),
        "## Fifty contracts with their consumers, transactions and remaining coupons, 1 client",
        lines(readings),
        "## Uses, each with its order line, its ledger line, the contract that it makes, and its audit entry",
        lines(using),
    ]
    return "\n\n".join(parts) + "\n"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--customers", default=2_000, show_default=True, type=click.IntRange(50), help="Demo customers to load.")
@click.option(
    "--seconds", default=3.0, show_default=True, type=click.FloatRange(0.1), help="How long a row is measured."
)
def main(customers: int, seconds: float) -> None:
    """Time contracts on SQLite and on PostgreSQL and print tables.

    Fifty contracts are read in both executions, with 1 client; `statements` is how many the gateway sends about
    contracts. Uses are of one contract, which take turns, and of 1,000 contracts, with 1 and 16 clients; all callers
    are of one organisation, whose audit entries are one chain: there they take turns anyway.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    readings: list[Reading] = []
    using: list[Using] = []
    machine = describe_machine()
    try:
        with tempfile.TemporaryDirectory(prefix="kundeport-bench-", ignore_cleanup_errors=True) as folder:
            log = Path(folder) / "server.log"
            for database, made in DATABASES.items():
                own = Path(folder) / database.lower()
                own.mkdir()
                with made(own) as url:
                    say(f"{database}: loading {customers:,} demo customers")
                    fill(url, customers)
                    for execution in EXECUTIONS:
                        say(f"{database}: reading, {execution}")
                        sent = asyncio.run(statements_of(url, execution))
                        with Server(execution, url, log) as server:
                            readings.append(asyncio.run(measure_reading(server, database, execution, sent, seconds)))
                    with Server("planned", url, log) as server:
                        uuids = asyncio.run(prepare(server))
                        for of, clients in itertools.product((uuids[:1], uuids), (1, 16)):
                            say(f"{database}: uses of {len(of):,} contracts, clients: {clients}")
                            using.append(asyncio.run(measure_uses(server, database, of, clients, seconds)))
    except (NoServer, WrongAnswer) as failed:
        raise click.ClickException(str(failed)) from failed
    text = report(readings, using, machine)
    (RESULTS.parent / "contracts.md").write_text(text, "utf-8")
    print(text)


if __name__ == "__main__":
    main()
