"""Global ids: every object of a node type can be fetched again by its own."""

import base64
from typing import Any

import pytest

from datastore.database import Database
from datastore.viewer import Viewer
from resolvers.errors import ErrorCode
from tests.execute import FOREIGNER, INTERNAL, VIEWER, execute, refusal
from tests.factories.customer import a_customer, a_deleted_customer, a_merged_customer, some_customers
from tests.statements import statements

IDS = "query { customers(filter: {includeTemporary: true}) { nodes { id customerNumber } } }"

NODE = """
query ($id: ID!) {
  node(id: $id) { __typename id ... on Customer { customerNumber } }
}
"""

NODES = """
query ($ids: [ID!]!) {
  nodes(ids: $ids) { __typename id ... on Customer { customerNumber } }
}
"""

LARGEST_NUMBER = 2**63 - 1


def global_id(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def of_customer(number: int) -> str:
    return global_id(f"Customer:{number}")


async def node(database: Database, number: int, viewer: Viewer = VIEWER) -> int | None:
    """The number of the customer that the global id of a number leads to."""
    found = (await execute(database, NODE, viewer, id=of_customer(number)))["node"]
    return found and int(found["customerNumber"])


async def nodes(database: Database, *numbers: int) -> list[int | None]:
    found = (await execute(database, NODES, ids=[of_customer(number) for number in numbers]))["nodes"]
    return [each and each["customerNumber"] for each in found]


async def test_every_id_leads_back_to_its_customer(database: Database) -> None:
    await some_customers(database, {"customer_number": LARGEST_NUMBER}, {"customer_number": -1}, {})

    listed = (await execute(database, IDS))["customers"]["nodes"]

    assert [each["id"] for each in listed] == [
        "Q3VzdG9tZXI6LTE",
        "Q3VzdG9tZXI6MTAwMDAwMDAwMQ",
        "Q3VzdG9tZXI6OTIyMzM3MjAzNjg1NDc3NTgwNw",
    ]
    for each in listed:
        assert await execute(database, NODE, id=each["id"]) == {"node": {"__typename": "Customer", **each}}


@pytest.mark.rule("C40")
@pytest.mark.rule("G3")
async def test_id_of_a_merged_customer_leads_to_the_survivor_with_its_own_id(database: Database) -> None:
    survivor = await a_customer(database)
    merged = await a_merged_customer(database, await a_merged_customer(database, survivor))

    found = (await execute(database, NODE, id=of_customer(merged.customer_number)))["node"]

    assert found["customerNumber"] == survivor.customer_number
    assert found["id"] == of_customer(survivor.customer_number)


@pytest.mark.rule("G3")
async def test_id_of_an_unknown_deleted_or_foreign_customer_answers_null(database: Database) -> None:
    deleted = await a_deleted_customer(database)
    foreign = await a_customer(database, organisation_id=2)

    assert await node(database, 999) is None
    assert await node(database, -(2**63)) is None
    assert await node(database, deleted.customer_number) is None
    assert await node(database, foreign.customer_number) is None
    assert await node(database, foreign.customer_number, FOREIGNER) == foreign.customer_number
    assert await node(database, foreign.customer_number, INTERNAL) == foreign.customer_number


async def test_malformed_id_is_refused(database: Database) -> None:
    kari = await a_customer(database, customer_number=7)
    texts = [
        "", "7", "Customer", "Customer:", "Customer:x", "Customer:7:7", "Customer:7.0", "Customer: 7", "Customer:7\0",
        "Customer:٧", "Customer:+7", "Customer:07", "Customer:-0", "customer:7", "Ecard:7", "Query:1", "object:1",
        f"Customer:{2**63}", f"Customer:{-(2**63) - 1}", "Customer:" + "7" * 100_000,
    ]  # fmt: skip
    right = of_customer(kari.customer_number)
    raw = ["7", "!", "ø", "\0", "\ud800", "=", " " + right, right + "\n", right + "=", right[:-1], right + "A"]
    not_utf8 = base64.urlsafe_b64encode(b"Customer:\xff").decode()

    for given in [*map(global_id, texts), *raw, not_utf8]:
        code = await refusal(database, NODE, id=given)
        assert code is ErrorCode.GLOBAL_ID_INVALID, given[:80]
    assert await node(database, 7) == 7


async def test_nodes_come_in_the_order_of_their_ids_with_null_for_each_unknown_one(database: Database) -> None:
    kari, per, gone = await some_customers(database, {}, {}, {"organisation_id": 2})
    merged = await a_merged_customer(database, kari)
    a, b = kari.customer_number, per.customer_number

    with statements(database) as seen:
        found = await nodes(database, b, 999, a, b, gone.customer_number, merged.customer_number)

    assert found == [b, None, a, b, None, a]
    assert len(seen) == 1


async def test_no_ids_answer_no_nodes(database: Database) -> None:
    with statements(database) as seen:
        assert await nodes(database) == []
    assert seen == []


async def test_thousand_ids_take_one_statement_and_one_more_is_refused(database: Database) -> None:
    kari = await a_customer(database, customer_number=1000)
    ids = [of_customer(number) for number in range(1, 1002)]

    with statements(database) as seen:
        found: list[Any] = (await execute(database, NODES, ids=ids[:1000]))["nodes"]

    assert [each for each in found if each] == [found[999]]
    assert found[999]["customerNumber"] == kari.customer_number
    assert len(seen) == 1
    assert await refusal(database, NODES, ids=ids) is ErrorCode.TOO_MANY_KEYS


async def test_one_malformed_id_among_others_is_refused(database: Database) -> None:
    kari = await a_customer(database)

    code = await refusal(database, NODES, ids=[of_customer(kari.customer_number), "x"])

    assert code is ErrorCode.GLOBAL_ID_INVALID
