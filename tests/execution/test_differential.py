"""Both executions give the same answer to the same document, byte for byte: documents are generated from the schema.

`make differential` compares 20,000 documents with a new seed; `KUNDEPORT_DIFFERENTIAL=N` any number, and
`KUNDEPORT_DIFFERENTIAL_SEED` one of the seeds that it prints.
"""

import asyncio
import json
import os
import random
import sys
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from copy import copy
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed
from hypothesis import settings as how
from hypothesis import strategies as st
from hypothesis.errors import FlakyFailure
from strawberry.types.base import StrawberryObjectDefinition
from strawberry.utils.str_converters import to_camel_case

from datastore.database import Database
from gateway.documents import ParsedDocument
from schema.relations import Below, Yearly
from schema.root import schema
from schema.view import DECLARED
from tests.conftest import DIALECTS, KEYS
from tests.execution.asking import ASKERS, Answer, Asked, Asker, both, pages
from tests.execution.documents import Document, Pools, documents
from tests.execution.world import fill

IN_ALL = int(os.environ.get("KUNDEPORT_DIFFERENTIAL", "300"))
IS_LONG = "KUNDEPORT_DIFFERENTIAL" in os.environ
SEED = int(os.environ.get("KUNDEPORT_DIFFERENTIAL_SEED", random.randrange(10**9))) if IS_LONG else 4
MOST_FIELDS = 60 if IS_LONG else 25
"""About how many fields a document has at most."""
AT_ONCE = 250
"""Documents of one Hypothesis run: it remembers all that it made."""
PLANNED_PERCENT = 60
ORDINARY = {"Query.errorMessages", "Query.nodes", "Customer.ecard", "Customer.preference", "AuditLogEntry.changes"}
"""Fields that need the ordinary execution: an operation with one of them compares it with itself."""
ORDINARY |= {
    f"{name}.{to_camel_case(field.python_name)}"
    for name, kind in schema._schema.type_map.items()
    if isinstance(definition := kind.extensions.get("strawberry-definition"), StrawberryObjectDefinition)
    for field in definition.fields
    if isinstance(field.metadata.get(DECLARED), Below | Yearly)
}
ORDINARY |= {"Query.explainEligibility", "Query.ledgerProof", "Query.validateContractConsumption"}
SECONDS_BETWEEN_TOLD = 5


@dataclass
class Comparison:
    """The two gateways over one filled database, and what was found."""

    dialect: str
    standard: Asked
    planned: Asked
    pools: Mapping[str, Pools]
    compared: int = 0
    were_planned: int = 0
    statuses: dict[int, int] = field(default_factory=dict)

    async def compare(self, name: str, document: Document) -> None:
        asker = ASKERS[name]
        ordinary = await self.standard.ask(document, asker.headers)
        # Somebody else asks first: the plan is theirs.
        known = self.standard.endpoint._documents.get(document.text)
        if known:
            self.planned.endpoint._documents.keep(without_plans(known))
            await self.planned.ask(document, asker.neighbours_headers)
        before, failures = self.planned.planned, len(self.planned.failures)
        answer = await self.planned.ask(document, asker.headers)
        self.compared += 1
        self.were_planned += self.planned.planned > before
        self.statuses[ordinary.status] = self.statuses.get(ordinary.status, 0) + 1
        was_planned = self.planned.planned > before
        if ordinary != answer and (was_planned or not await self.is_chance(document, asker, answer)):
            raise AssertionError(self.told("The answers differ.", name, document, ordinary, answer))
        if len(self.planned.failures) > failures and b'"errors":' not in ordinary.body:
            message = f"The plan failed, and there is no error in the answer: {self.planned.failures[-1]!r}"
            raise AssertionError(self.told(message, name, document, ordinary, answer))

    async def is_chance(self, document: Document, asker: Asker, answer: Answer) -> bool:
        """Whether the ordinary execution, which gave this answer, only ran in another order: what runs side by side
        lists its errors as they happen, and of several that make one value null only the first."""
        if b'"errors":' not in answer.body:
            return False
        for _ in range(100):
            if sorted_errors(await self.standard.ask(document, asker.headers)) == sorted_errors(answer):
                return True
        return False

    def told(self, message: str, name: str, document: Document, ordinary: Answer, planned: Answer) -> str:
        """What is needed to ask again."""
        lines = [message, f"database:  {self.dialect}", f"asked by:  {name}", f"document:  {document.text}"]
        lines += [f"variables: {json.dumps(document.variables)}", f"operation: {document.operation_name}"]
        pairs = enumerate(zip(ordinary.body, planned.body, strict=False))
        place = next((at for at, (one, other) in pairs if one != other), min(len(ordinary.body), len(planned.body)))
        part = slice(max(place - 200, 0), place + 200)
        lines += [f"{each}: {answer.status} {answer.body[part]!r}" for each, answer in self.each(ordinary, planned)]
        if ordinary.reveals != planned.reveals:
            lines += [f"{each} reveals: {answer.reveals}" for each, answer in self.each(ordinary, planned)]
        return "\n".join(lines)

    @staticmethod
    def each(ordinary: Answer, planned: Answer) -> list[tuple[str, Answer]]:
        return [("standard", ordinary), ("planned", planned)]

    def __str__(self) -> str:
        statuses = ", ".join(f"{status}: {count}" for status, count in sorted(self.statuses.items()))
        share = 100 * self.were_planned / max(self.compared, 1)
        return f"{self.dialect}: {self.compared} documents, {share:.1f} % planned; statuses {statuses}"


async def comparison(dialect: str, url: str, opened: AsyncExitStack) -> Comparison:
    database = Database(url, keys=KEYS)
    known = await fill(database)
    await database.close()
    standard, planned = await opened.enter_async_context(both(url))
    pools = {name: Pools(known.values, await pages(standard, asker)) for name, asker in ASKERS.items()}
    return Comparison(dialect, standard, planned, pools)


# graphql-core leaves what it has not begun to await where an error makes the parent null.
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
@pytest.mark.timeout(0 if IS_LONG else 120)
def test_both_executions_answer_generated_documents_the_same(dialect: str, url: str) -> None:
    wanted = IN_ALL // len(DIALECTS)
    found: list[str] = []
    with asyncio.Runner() as runner:
        opened = AsyncExitStack()
        comparing = runner.run(comparison(dialect, url, opened))
        try:
            tell(f"{dialect}: {wanted} documents from seed {SEED}")
            for start in range(0, wanted, AT_ONCE):
                try:
                    compare_some(comparing, runner, SEED + start, min(AT_ONCE, wanted - start))
                except (AssertionError, FlakyFailure) as difference:
                    found.append("\n".join(map(str, [difference, *getattr(difference, "exceptions", [])])))
                    tell(f"seed {SEED + start}: {difference}")
        finally:
            runner.run(opened.aclose())
    tell(f"{comparing}; differences: {len(found)}")
    assert not found, "\n\n".join(found)
    assert comparing.were_planned * 100 >= comparing.compared * PLANNED_PERCENT, str(comparing)


def compare_some(comparing: Comparison, runner: asyncio.Runner, from_seed: int, count: int) -> None:
    """Raises AssertionError with the smallest document found of those with a difference."""
    told = time.monotonic()

    def of(name: str) -> st.SearchStrategy[tuple[str, Document]]:
        made = documents(schema._schema, comparing.pools[name], ASKERS[name].may_ask, ORDINARY, MOST_FIELDS)
        return st.tuples(st.just(name), made)

    @seed(from_seed)
    @how(
        max_examples=count,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(asked=st.sampled_from(list(ASKERS)).flatmap(of))
    def compare(asked: Any) -> None:
        nonlocal told
        runner.run(comparing.compare(*asked))
        if time.monotonic() > told + SECONDS_BETWEEN_TOLD:
            told = time.monotonic()
            tell(str(comparing))

    compare()


def sorted_errors(answer: Answer) -> Any:
    """The answer with its errors sorted."""
    body = json.loads(answer.body)
    body["errors"] = sorted(body.get("errors", ()), key=json.dumps)
    return answer.status, json.dumps(body), answer.reveals


def without_plans(known: ParsedDocument) -> ParsedDocument:
    copied = copy(known)
    copied.plans = {}
    return copied


def tell(line: str) -> None:
    if IS_LONG:
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()
