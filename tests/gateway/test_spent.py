"""What an executed operation has cost, from the objects in its answer."""

import time
from typing import Any

import pytest
from graphql import get_introspection_query, parse

from gateway.documents import operation_of
from gateway.limits import Limits, measure
from gateway.spent import plan_of, size_of_plan, spent
from schema.cost import price_list
from schema.root import schema

PRICES = price_list(schema._schema)
CUSTOMER = "customer(by: {customerNumber: 1})"


def spent_by(text: str, data: dict[str, Any]) -> int:
    document = parse(text)
    return spent(plan_of(PRICES, document, operation_of(document, None)), data)


# Name -> (document, data, points). The prices are those of the graph, which `test_limits` holds.
SPENT: dict[str, tuple[str, dict[str, Any], int]] = {
    "one object": (f"{{ {CUSTOMER} {{ surname }} }}", {"customer": {"surname": "x"}}, 1),
    "an object that is not there": (f"{{ {CUSTOMER} {{ surname }} }}", {"customer": None}, 0),
    "its parent": (f"{{ {CUSTOMER} {{ parent {{ id }} }} }}", {"customer": {"parent": {"id": 1}}}, 2),
    "no parent": (f"{{ {CUSTOMER} {{ parent {{ id }} }} }}", {"customer": {"parent": None}}, 1),
    "a list as long as it is": (f"{{ {CUSTOMER} {{ ecards {{ id }} }} }}", {"customer": {"ecards": [{}, {}, {}]}}, 4),
    "a list longer than assumed": (f"{{ {CUSTOMER} {{ ecards {{ id }} }} }}", {"customer": {"ecards": [{}] * 25}}, 26),
    "an empty list": (f"{{ {CUSTOMER} {{ ecards {{ id }} }} }}", {"customer": {"ecards": []}}, 1),
    "lists in a list": (
        f"{{ {CUSTOMER} {{ ecards {{ customer {{ notes {{ id }} }} }} }} }}",
        {"customer": {"ecards": [{"customer": {"notes": [{}, {}]}}, {"customer": {"notes": []}}, {"customer": None}]}},
        1 + 3 + 2 + 2,
    ),
    "a list of scalars": (
        f"{{ {CUSTOMER} {{ relatedCustomerNumbers }} }}",
        {"customer": {"relatedCustomerNumbers": [1, 2, 3, 4]}},
        2,
    ),
    "a list with gaps": ("{ nodes(ids: [1, 2, 3]) { id } }", {"nodes": [{"id": 1}, None, {"id": 3}]}, 2),
    "a page by its nodes": ("{ customers { nodes { id } } }", {"customers": {"nodes": [{}] * 7}}, 1 + 7),
    "a page by its edges": (
        "{ customers { edges { cursor node { id notes { id } } } } }",
        {"customers": {"edges": [{"node": {"notes": [{}, {}]}}, {"node": {"notes": []}}]}},
        1 + 2 + 2,
    ),
    "what a page is made of": (
        "{ customers { pageInfo { endCursor } totalItems totalPages } }",
        {"customers": {"pageInfo": {"endCursor": None}, "totalItems": 0, "totalPages": 0}},
        1 + 1 + 20,
    ),
    "a field that is left out": (
        "query ($no: Boolean = false) { customers { totalItems @include(if: $no) nodes @skip(if: true) { id } } }",
        {"customers": {}},
        1,
    ),
    "aliases": (
        f"{{ a: {CUSTOMER} {{ n: notes {{ id }} m: notes {{ id }} }} b: {CUSTOMER} {{ id }} }}",
        {"a": {"n": [{}, {}], "m": [{}, {}]}, "b": None},
        1 + 4,
    ),
    "fields that are merged": (
        f"""{{ {CUSTOMER} {{ notes {{ id }} ...F }} {CUSTOMER} {{ notes {{ customer {{ id }} }} }} }}
        fragment F on Customer {{ notes {{ id }} ... on Customer {{ notes {{ id customer {{ id }} }} }} ...G }}
        fragment G on Customer {{ notes {{ id }} ecards {{ id }} }}""",
        {"customer": {"notes": [{"customer": {}}, {"customer": {}}], "ecards": [{}]}},
        1 + 2 * 2 + 1,
    ),
    "fragments on types of an interface": (
        "{ nodes(ids: []) { id ... on Customer { parent { id } notes { id } } ... on Note { customer { id } } } }",
        {"nodes": [{"id": 1, "parent": {}, "notes": [{}]}, {"id": 2, "customer": {}}, {"id": 3}]},
        3 + 2 + 1,
    ),
    "a mutation": (
        "mutation { updateCustomer(input: {}) { customer { notes { id } } userErrors { code } } }",
        {"updateCustomer": {"customer": {"notes": [{}]}, "userErrors": [{"code": "X"}]}},
        10 + 1 + 1,
    ),
    "introspection": (get_introspection_query(), {"__schema": {"types": [{"fields": [{}]}]}}, 100),
    "introspection of a type": ('{ __type(name: "X") { fields { name } } }', {"__type": {"fields": [{}, {}]}}, 10),
    "a type that is not there": ('{ __type(name: "X") { name } }', {"__type": None}, 0),
    "nothing that costs": ("{ __typename }", {"__typename": "Query"}, 0),
}


@pytest.mark.parametrize("name", SPENT)
def test_what_was_spent_is_exact(name: str) -> None:
    text, data, expected = SPENT[name]
    assert spent_by(text, data) == expected


def test_a_plan_has_only_what_costs() -> None:
    document = parse("{ customers { nodes { id surname notes { id text } } pageInfo { endCursor } } __typename }")
    plan = plan_of(PRICES, document, operation_of(document, None))
    assert size_of_plan(plan) == len(["customers", "nodes", "notes", "pageInfo"])


def test_a_full_page_costs_at_most_what_was_requested() -> None:
    text = "{ customers(first: 30) { totalItems nodes { notes { id customer { id } } ecards { id } } } }"
    document = parse(text)
    entry = {"notes": [{"customer": {}}] * 10, "ecards": [{}] * 10}
    data = {"customers": {"totalItems": 30, "nodes": [entry] * 30}}
    requested = measure(PRICES, document, operation_of(document, None), {}, Limits()).requested
    assert spent_by(text, data) == requested == 1 + 10 + 30 * (1 + 20 + 10)


def test_five_hundred_customers_with_their_addresses_are_counted_in_under_a_millisecond() -> None:
    document = parse("{ customers { nodes { id surname postalAddresses { id town } } } }")
    plan = plan_of(PRICES, document, operation_of(document, None))
    addresses = [{"id": 1, "town": "OSLO"}, {"id": 2, "town": "BERGEN"}]
    data = {"customers": {"nodes": [{"id": n, "surname": "x", "postalAddresses": addresses} for n in range(500)]}}
    seconds = []
    for _ in range(20):
        started = time.perf_counter()
        assert spent(plan, data) == 1 + 500 * 3
        seconds.append(time.perf_counter() - started)
    assert min(seconds) < 0.001
