"""One contract, used by many at once through several gateways, some of which are killed meanwhile (rules L14, L33)."""

import asyncio
import random
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from datastore.audit_check import verify
from datastore.base import rfc3339
from datastore.customer import Customer
from datastore.database import Database
from datastore.loyalty.contract import Contract
from datastore.loyalty.ledger import CouponYear
from datastore.loyalty.program import LoyaltyProgram
from datastore.loyalty.proof import prove
from datastore.loyalty.usage import OrderLineEvent
from datastore.viewer import GRANTABLE, TenantKind
from gateway.identity.demo import Role
from tests.conftest import KEYS
from tests.customer.mutations import Values, document
from tests.factories.customer import a_customer
from tests.factories.loyalty import a_contract, a_coupon_program, now
from tests.gateway.client import authorization, environment
from tests.gateway.conftest import serving

pytestmark = pytest.mark.timeout(300)  # each test starts gateways

SELLER = Role("A ticket office.", TenantKind.PARTNER, 1, GRANTABLE, "seller", "seller")
CONSUME = document(
    "consumeContract", "orderLineEvent { orderId couponsUsed }", " @idempotent(key: $key)", ", $key: String!"
)
DONE, REFUSED = "done", "TOO_FEW_COUPONS"


def on_database(url: str, act: Callable[[Database], Awaitable[Any]]) -> Any:
    """What an act on the database answers."""

    async def work() -> Any:
        database = Database(url, keys=KEYS)
        try:
            return await act(database)
        finally:
            await database.close()

    return asyncio.run(work())


def a_use(url: str, coupons: int) -> tuple[int, Values]:
    """The key of a new contract with so many coupons, and the input that uses one of them, but for the order."""

    async def act(database: Database) -> tuple[Contract, LoyaltyProgram, Customer]:
        kari = await a_customer(database)
        program = await a_coupon_program(database)
        return await a_contract(database, program, kari, coupons_limit=coupons), program, kari

    contract, program, kari = on_database(url, act)
    given = {
        "contractUuid": contract.uuid,
        "customerNumber": kari.customer_number,
        "firstTravelDate": rfc3339(now() + timedelta(minutes=10)),
        "entitlementProductId": program.product_id,
        "orderLineId": "1",
        "price": "10.00",
    }
    return contract.id, given


@contextmanager
def gateways(url: str, number: int) -> Iterator[list[tuple[serving, str]]]:
    """So many gateways over a database, each with its address."""
    started = [serving(environment(url)) for _ in range(number)]
    with ExitStack() as stack:
        yield [(each, stack.enter_context(each)) for each in started]


async def use(client: httpx.AsyncClient, addresses: Sequence[str], given: Values, number: int) -> str:
    """How the use with this number ends. Where a gateway does not answer, another is asked the same again."""
    body = {"query": CONSUME, "variables": {"input": {**given, "orderId": f"order-{number}"}, "key": f"use-{number}"}}
    for attempt in range(100):
        try:
            answer = await client.post(f"{addresses[(number + attempt) % len(addresses)]}/graphql", json=body)
        except httpx.TransportError:
            await asyncio.sleep(0.01)
            continue
        payload = answer.json()["data"]["consumeContract"]
        codes = [each["code"] for each in payload["userErrors"]]
        assert codes in ([], [REFUSED])
        if not codes:
            assert payload["orderLineEvent"] == {"orderId": f"order-{number}", "couponsUsed": 1}
        return codes[0] if codes else DONE
    pytest.fail("no gateway answers")


async def all_uses(addresses: Sequence[str], given: Values, uses: int, tell: Callable[[], None]) -> list[str]:
    """How all uses end, asked for at the same time; each that has ended is told."""

    async def one(number: int) -> str:
        found = await use(client, addresses, given, number)
        tell()
        return found

    limits = httpx.Limits(max_connections=uses)
    async with httpx.AsyncClient(headers=authorization(SELLER), timeout=120, limits=limits) as client:
        return await asyncio.gather(*(one(number) for number in range(uses)))


def is_as_told(url: str, contract_id: int, outcomes: Sequence[str], coupons: int) -> None:
    """What is stored is what was answered: each use that was done once, no other, and a ledger that says the same."""
    assert Counter(outcomes) == {DONE: coupons, REFUSED: len(outcomes) - coupons}

    async def act(database: Database) -> None:
        events = await database.fetch(select(OrderLineEvent.__table__).order_by(OrderLineEvent.id))
        done = [f"order-{number}" for number, outcome in enumerate(outcomes) if outcome == DONE]
        assert sorted(each.order_id for each in events) == sorted(done)
        made = [each.uuid for each in await database.fetch(select(Contract.uuid).where(Contract.parent.is_not(None)))]
        assert sorted(made) == sorted(each.sub_contract for each in events)
        left = await database.fetch(select(CouponYear.remaining))
        assert [each.remaining for each in left] == [0]
        proof = await prove(database, contract_id)
        assert (proof.count, proof.first_broken_line, proof.is_balanced) == (coupons, None, True)
        assert {each.problem async for each in verify(database)} == {""}

    on_database(url, act)


@pytest.mark.rule("L14")
@pytest.mark.rule("L15")
def test_of_two_hundred_uses_of_ten_coupons_ten_are_done(url: str) -> None:
    contract_id, given = a_use(url, 10)
    with gateways(url, 2) as both:
        addresses = [address for _, address in both]
        outcomes = asyncio.run(all_uses(addresses, given, 200, lambda: None))
    is_as_told(url, contract_id, outcomes, 10)


@pytest.mark.rule("L33")
def test_no_use_that_was_acknowledged_is_lost_or_counted_twice_when_gateways_are_killed(url: str) -> None:
    contract_id, given = a_use(url, 40)
    moments = {random.randint(2, 15): 0, random.randint(20, 35): 1}
    ended = 0
    with gateways(url, 3) as three:

        def tell() -> None:
            nonlocal ended
            ended += 1
            if ended in moments:
                three[moments[ended]][0].process.send_signal(signal.SIGKILL)

        outcomes = asyncio.run(all_uses([address for _, address in three], given, 100, tell))
        assert [each.process.wait(timeout=30) for each, _ in three[:2]] == [-signal.SIGKILL] * 2, moments
    is_as_told(url, contract_id, outcomes, 40)
