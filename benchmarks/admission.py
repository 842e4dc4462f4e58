"""Times what is decided before and after an operation runs: who asks, whether they may, what it may and did cost."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from benchmarks.floor import DOCUMENTS
from benchmarks.http import BENCHMARKS
from benchmarks.report import RESULTS, WARM
from benchmarks.servers import settings, token
from datastore.database import Database
from gateway.bill import Bill
from gateway.documents import operation_of, parse_document
from gateway.identity.identity import Identity
from gateway.identity.issuer import Issuer
from gateway.identity.tokens import Tokens
from gateway.limits import Limits, measure
from gateway.permissions import Guard
from gateway.rate import Caller, Rate
from gateway.spent import plan_of, spent
from schema.cost import price_list
from schema.root import schema

ROUNDS = 2_000
WIDTHS = (9, 11, 6, 7, 6, 6)
Step = Callable[[], Any]


async def microseconds(step: Callable[[], Awaitable[Any]]) -> float:
    """CPU microseconds of one call, the mean of many."""
    begin = time.process_time()
    for _ in range(ROUNDS):
        await step()
    return (time.process_time() - begin) / ROUNDS * 1e6


def awaited(step: Step) -> Callable[[], Awaitable[Any]]:
    async def run() -> Any:
        return step()

    return run


def answer_of(data: Any, size: int) -> Any:
    """An answer like those of the benchmarks: pages of `size` customers, each list with two entries."""
    if isinstance(data, tuple):
        return {item.key: 1 if item.below is None else [answer_of(item.below, 2)] * size for item in data}
    return data


async def main() -> None:
    """Prints a table: the steps of each document of `benchmarks.http`, and their share of what a request took when that
    was last run. Where a plan answers, it has counted what was spent: that step is left out of its share."""
    issuers = [Issuer(**each) for each in json.loads(settings("")["KUNDEPORT_ISSUERS"])]
    database = Database("sqlite+aiosqlite:///never-opened.db")
    identity = Identity(Tokens(issuers), database)
    headers = [f"Bearer {token()}"]
    viewer = await identity.viewer(headers)
    guard, prices, limits, rate = Guard(schema._schema), price_list(schema._schema), Limits(), Rate(10**9, 10**9, 100)
    took = {
        (row["benchmark"], row["execution"]): row["cpu_ms_per_request"] * 1000
        for row in orjson.loads(RESULTS.read_bytes())["rows"]
        if (row["part"], row["database"], row["clients"]) == (WARM, "PostgreSQL", 1)
    }
    print("Microseconds of CPU per request, and their share of the whole (PostgreSQL, 1 client)")
    titles = zip(("identity", "permissions", "cost", "points", "spent", "sum"), WIDTHS, strict=True)
    print(f"{'document':38} {' '.join(title.rjust(width) for title, width in titles)} standard planned")
    for benchmark in BENCHMARKS:
        parsed = parse_document((DOCUMENTS / f"{benchmark.document}.graphql").read_text("utf-8"), limits)
        operation = operation_of(parsed.document, None)
        plan = plan_of(prices, parsed.document, operation)
        answer = answer_of(plan, int(str(benchmark.variables.get("first", 1))))

        async def points() -> None:
            bill = Bill(rate, Caller("issuer|subject", "kundeport-bench"))
            await bill.reserve(1000)
            await bill.settle(100)

        steps = [
            await microseconds(lambda: identity.viewer(headers)),
            await microseconds(
                awaited(lambda: guard.check(parsed.document, operation, benchmark.variables, viewer))  # noqa: B023
            ),
            await microseconds(
                awaited(lambda: measure(prices, parsed.document, operation, benchmark.variables, limits))  # noqa: B023
            ),
            await microseconds(points),
            await microseconds(awaited(lambda: spent(plan, answer))),  # noqa: B023
        ]
        shares = [
            f"{sum(counted) / whole:8.1%}" if (whole := took.get((benchmark.name, execution))) else "       ?"
            for execution, counted in (("standard", steps), ("planned", steps[:-1]))
        ]
        columns = " ".join(f"{step:>{width}.0f}" for step, width in zip([*steps, sum(steps)], WIDTHS, strict=True))
        print(f"{benchmark.name:38} {columns} {' '.join(shares)}")
    await rate.close()
    await database.close()


if __name__ == "__main__":
    asyncio.run(main())
