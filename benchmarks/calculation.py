"""Times calculating the ticket rights of a whole company, on SQLite and on PostgreSQL.

Run it with `make bench`, or `python -m benchmarks.calculation --help`.
"""

import asyncio
import signal
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import orjson

from benchmarks.client import Client, WrongAnswer, excerpt, graphql_request
from benchmarks.http import DATABASES, describe_machine, say
from benchmarks.report import RESULTS
from benchmarks.servers import INTERNAL_ISSUER, LARGEST_SHARE, NoServer, Server, fill, token
from datastore.demo.personnel_codes import FIRST_COMPANY

RULE = "Ansatte, tjenestereise"
"""A rule by which nearly every employee has a right."""
COMPANY = "query Company($companyId: Long!) { company(companyId: $companyId) { employees(first: 1) { totalItems } } }"
RULES = "query Rules { ticketRules(first: 100) { nodes { id name } } }"
CALCULATE = """mutation Calculate($input: CalculateTicketRightsInput!) { calculateTicketRights(input: $input) {
    calculation { inserted kept changed ended effect { holdersGaining holdersLosing } } userErrors { code } } }"""
CHANGE = """mutation Change($input: UpdateTicketRuleInput!) {
    updateTicketRule(input: $input) { rule { version } userErrors { code } } }"""


@dataclass(frozen=True)
class Measurement:
    """A row of the table: one calculation."""

    database: str
    calculation: str
    employees: int
    inserted: int
    kept: int
    changed: int
    ended: int
    seconds: float
    cpu_seconds: float


async def send(client: Client, document: str, variables: dict[str, Any]) -> Any:
    """What the one root field of a document answers. Raises WrongAnswer if it is refused."""
    status, body = await client.send(graphql_request(document, variables, token(INTERNAL_ISSUER)))
    answer = orjson.loads(body)
    if status != 200 or "errors" in answer or any(each.get("userErrors") for each in answer["data"].values()):
        raise WrongAnswer(f"{status}: {excerpt(body)}")
    return next(iter(answer["data"].values()))


async def measure(server: Server, database: str) -> list[Measurement]:
    """A calculation that changes nothing, the same as a dry run, one that ends a right of nearly everybody, and one
    that gives it again."""
    client = await Client.connect(server.port)
    try:
        company = await send(client, COMPANY, {"companyId": FIRST_COMPANY})
        employees = company["employees"]["totalItems"]
        rules = (await send(client, RULES, {}))["nodes"]
        rule = next(each["id"] for each in rules if each["name"] == RULE)
        rows = []
        for name, is_active, is_dry_run in steps():
            say(f"{database}: {name}")
            if is_active is not None:
                await send(client, CHANGE, {"input": {"ruleId": rule, "isActive": is_active}})
            given = {"companyId": FIRST_COMPANY, "dryRun": is_dry_run}
            cpu, begin = server.cpu_seconds(), time.perf_counter()
            done = (await send(client, CALCULATE, {"input": given}))["calculation"]
            seconds, cpu = time.perf_counter() - begin, server.cpu_seconds() - cpu
            counts = {each: done[each] for each in ("inserted", "kept", "changed", "ended")}
            rows.append(
                Measurement(database, name, employees, **counts, seconds=round(seconds, 2), cpu_seconds=round(cpu, 2))
            )
        return rows
    finally:
        client.close()


def steps() -> Iterator[tuple[str, bool | None, bool]]:
    """What the table shows; whether the rule is to be in use, or None; whether nothing is stored."""
    yield "nothing to change", None, False
    yield "dry run", None, True
    yield "a rule was taken out of use", False, False
    yield "a rule was put in use", True, False


def table(rows: list[Measurement], machine: dict[str, str]) -> str:
    names = list(asdict(rows[0]))
    lines = [" | ".join(str(value) for value in asdict(row).values()) for row in rows]
    head = ", ".join(f"{name} {value}" for name, value in machine.items())
    cells = [" | ".join(names), " | ".join("---" for _ in names), *lines]
    return (
        "\n".join(["# Calculating a company's ticket rights", "", head, "", *(f"| {line} |" for line in cells)]) + "\n"
    )


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--employees", default=10_000, show_default=True, type=click.IntRange(1), help="The company has a few more."
)
def main(employees: int) -> None:
    """Time calculateTicketRights for a company with one client, over HTTP, and print a table.

    `seconds` is what the client waits; `cpu_seconds` the CPU time of the gateway alone, without that of a PostgreSQL
    server. All of it is one transaction, with one entry in the audit log.
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
                    everybody = round(1.02 * employees / LARGEST_SHARE)
                    say(f"{database}: loading {everybody:,} demo employees")
                    fill(url, 10, everybody)
                    with Server("planned", url, Path(folder) / "server.log") as server:
                        rows += asyncio.run(measure(server, database))
    except (NoServer, WrongAnswer) as failed:
        raise click.ClickException(str(failed)) from failed
    text = table(rows, machine)
    (RESULTS.parent / "calculation.md").write_text(text, "utf-8")
    print(text)


if __name__ == "__main__":
    main()
