"""Whatever is done with contracts, in whatever order: balances, coupons, statuses and the ledger are what a plain model
says, and what is refused is refused for the model's reason.

`make contracts` tries 10,000 operations on each database, others each time; `KUNDEPORT_CONTRACTS=N` any number. What
fails tells what was done before.
"""

import asyncio
import os
import sys
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from datastore.database import Database
from tests.conftest import KEYS
from tests.factories.customer import some_customers
from tests.loyalty.clock import Clock
from tests.loyalty.drawing import BASE, OPERATIONS, PEOPLE
from tests.loyalty.side_by_side import Side, offered

IN_ALL = int(os.environ.get("KUNDEPORT_CONTRACTS", "200"))
IS_LONG = "KUNDEPORT_CONTRACTS" in os.environ
AT_ONCE = 50
"""Operations that are done before everything begins anew."""
KINDS = [kind for kind, (weight, _) in OPERATIONS.items() for _ in range(weight)]
"""Those that matter more, more often."""
AS_THEY_COME = settings(
    max_examples=-(-IN_ALL // AT_ONCE),
    stateful_step_count=AT_ONCE,
    deadline=None,
    derandomize=not IS_LONG,
    database=None,
    phases=[Phase.generate],  # to make a failure smaller takes minutes, and its history tells enough
    suppress_health_check=list(HealthCheck),
)


class Contracts(RuleBasedStateMachine):
    """Some people, contracts of all types, and what is done with them. Arguments are drawn evenly: Hypothesis would
    prefer the plainest ones, and most operations would be refused."""

    side: Side
    run: Callable[[Any], Any]

    @initialize()
    def begin(self) -> None:
        self.run(self.side.begin())

    @rule(kind=st.sampled_from(KINDS), draw=st.randoms(use_true_random=True, note_method_calls=False))
    def operate(self, kind: str, draw: Random) -> None:
        self.run(self.side.do(kind, *OPERATIONS[kind][1](draw)))

    def teardown(self) -> None:
        self.run(self.side.compare_all())


@pytest.mark.timeout(0 if IS_LONG else 300)
@pytest.mark.rule("L10")
@pytest.mark.rule("L12")
@pytest.mark.rule("L14")
@pytest.mark.rule("L15")
@pytest.mark.rule("L16")
@pytest.mark.rule("L17")
@pytest.mark.rule("L18")
@pytest.mark.rule("L33")
def test_whatever_is_done_the_model_says_the_same(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with asyncio.Runner() as runner:
        database = Database(url, keys=KEYS)
        try:
            side = runner.run(a_side(database, monkeypatch))
            machine = type("Machine", (Contracts,), {"side": side, "run": staticmethod(runner.run)})
            run_state_machine_as_test(machine, settings=AS_THEY_COME)
            while IS_LONG and side.done.total() < IN_ALL:
                run_state_machine_as_test(machine, settings=AS_THEY_COME)
        finally:
            runner.run(database.close())
    assert side.done.total() > IN_ALL // 2
    if IS_LONG:
        lines = [f"{number:7} {name}" for name, number in sorted(side.done.items())]
        sys.stderr.write("\n".join([f"{side.done.total()} operations", *lines]) + "\n")


async def a_side(database: Database, monkeypatch: pytest.MonkeyPatch) -> Side:
    clock = Clock(BASE)
    await clock.rule(database, monkeypatch)
    people = dict(zip(PEOPLE, await some_customers(database, {}, {}, {}), strict=True))
    return Side(database, clock, await offered(database), people)
