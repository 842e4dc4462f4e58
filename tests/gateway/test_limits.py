"""What an operation may ask for: exact costs, what is refused with which code, and that counting is linear."""

from collections.abc import AsyncIterator
from dataclasses import fields, replace
from typing import Any

import httpx
import pytest
from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLObjectType,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    get_introspection_query,
    parse,
)
from hypothesis import HealthCheck, given
from hypothesis import settings as how
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.routing import Route

from datastore.database import Database
from gateway.documents import (
    KEPT_LENGTH,
    LENGTH_OF_KEY,
    LONGEST_KEPT,
    Documents,
    ParsedDocument,
    operation_of,
    parse_document,
)
from gateway.limits import Cost, Limits, measure
from gateway.settings import Settings
from resolvers.context import Context
from resolvers.errors import ErrorCode, Refused
from schema.cost import Price, price_list
from schema.root import schema
from tests.execute import VIEWER
from tests.gateway.doubles import endpoint
from tests.test_operations import OPERATIONS, body_of

PRICES = price_list(schema._schema)
LIMITS = Limits()
BOUNDLESS = Limits(**{each.name: 10**30 for each in fields(Limits)})
CUSTOMER = "customer(by: {customerNumber: 1})"


def cost_of(text: str, limits: Limits = LIMITS, name: str | None = None, **variables: Any) -> Cost:
    document = parse(text)
    return measure(PRICES, document, operation_of(document, name), variables, limits)


def nested_fragments(levels: int, spread: int = 2) -> str:
    """Fragments that each spread the next one several times: the fields multiply with every level."""
    fragments = [f"fragment F{n} on Query {{ {f'...F{n + 1} ' * spread} }}" for n in range(levels)]
    return " ".join(["{ ...F0 }", *fragments, f"fragment F{levels} on Query {{ __typename }}"])


COSTS: dict[str, tuple[str, dict[str, Any], int]] = {
    "one object": (f"{{ {CUSTOMER} {{ surname }} }}", {}, 1),
    "its parent": (f"{{ {CUSTOMER} {{ parent {{ surname }} }} }}", {}, 2),
    "a list": (f"{{ {CUSTOMER} {{ ecards {{ id }} }} }}", {}, 1 + 10),
    "an object for each of a list": (f"{{ {CUSTOMER} {{ ecards {{ customer {{ surname }} }} }} }}", {}, 1 + 10 * 2),
    "a list in a list": (f"{{ {CUSTOMER} {{ ecards {{ customer {{ notes {{ id }} }} }} }} }}", {}, 1 + 10 * (2 + 10)),
    "a list of scalars": (f"{{ {CUSTOMER} {{ relatedCustomerNumbers }} }}", {}, 2),
    "a page": ("{ customers { nodes { surname } } }", {}, 1 + 50),
    "a page by its edges": ("{ customers { edges { cursor node { surname } } } }", {}, 1 + 50),
    "a page of 7": ("{ customers(first: 7) { nodes { surname } } }", {}, 1 + 7),
    "the last 7": ("{ customers(last: 7) { nodes { surname } } }", {}, 1 + 7),
    "what a page is made of": ("{ customers(first: 7) { pageInfo { endCursor } totalItems totalPages } }", {}, 2 + 20),
    "lists on a page": ("{ customers(first: 7) { nodes { notes { id } ecards { id } } } }", {}, 1 + 7 * (1 + 10 + 10)),
    "a page above the largest": ("{ customers(first: 2000000000) { nodes { surname } } }", {}, 1 + 1000),
    "a number of 5000 digits": (f"{{ customers(first: {'9' * 5000}) {{ nodes {{ surname }} }} }}", {}, 1 + 1000),
    "a page of less than none": ("{ customers(first: -7) { nodes { surname } } }", {}, 1),
    "null for a size": ("{ customers(first: null) { nodes { surname } } }", {}, 1 + 50),
    "a variable": ("query ($n: Int) { customers(first: $n) { nodes { surname } } }", {"n": 7}, 1 + 7),
    "a whole number with a point": ("query ($n: Int) { customers(first: $n) { nodes { surname } } }", {"n": 7.0}, 8),
    "a variable that is null": ("query ($n: Int = 7) { customers(first: $n) { nodes { surname } } }", {"n": None}, 51),
    "a variable's default": ("query ($n: Int = 7) { customers(first: $n) { nodes { surname } } }", {}, 1 + 7),
    "a variable that is absent": ("query ($n: Int) { customers(first: $n) { nodes { surname } } }", {}, 1 + 50),
    "a variable of the wrong type": ("query ($n: Int) { customers(first: $n) { nodes { surname } } }", {"n": "x"}, 2),
    "keys": ("{ customersByKey(customerNumbers: [1, 2, 3]) { surname } }", {}, 3),
    "the longer list of keys": (
        'query ($n: [Long!]) { customersByKey(customerNumbers: $n, customerReferences: ["a"]) { surname } }',
        {"n": [1, 2]},
        2,
    ),
    "one key alone": ("query ($i: [ID!]!) { nodes(ids: $i) { id } }", {"i": "x"}, 1),
    "no keys": ("{ nodes(ids: []) { id } }", {}, 0),
    "types that exclude each other": (
        "{ node(id: 1) { ... on Customer { parent { id } } ... on Node { id } ... { id } } }",
        {},
        2,
    ),
    "a fragment within pages of two sizes": (
        """{ a: customers(first: 2) { ...F } b: customers(first: 3) { ...F } }
        fragment F on CustomerConnection { nodes { parent { id } } }""",
        {},
        2 + 2 * (2 + 3),
    ),
    "what is left out": (f"{{ {CUSTOMER} @skip(if: true) {{ ecards {{ id }} }} }}", {}, 1 + 10),
    "a mutation": ("mutation { updateCustomer(input: {}) { customer { notes { id } } userErrors { code } } }", {}, 21),
    "unknown fields": ("{ nonsense { more { of(it: 1) } } }", {}, 0),
    "unknown types and fragments": (f"{{ {CUSTOMER} {{ ... on Nonsense {{ parent {{ id }} }} ...Missing }} }}", {}, 1),
    "no such root": ("subscription { ticks { id } }", {}, 0),
    "introspection": (get_introspection_query(), {}, 100),
    "introspection of a type": ('{ __type(name: "Customer") { fields { name args { name } } } }', {}, 10),
}


@pytest.mark.parametrize("name", COSTS)
def test_a_cost_is_exact(name: str) -> None:
    text, variables, expected = COSTS[name]
    assert cost_of(text, **variables).requested == expected


def test_all_that_is_counted() -> None:
    text = """
    query A @a { x: customer(by: {customerNumber: 1}) { ...F ...F @b surname } }
    query B { node(id: 1) { id } }
    fragment F on Customer @c { parent { y: surname @d ... @e { surname } } }
    """
    expected = Cost(requested=3, depth=3, root_fields=1, aliases=3, directives=8, fields=8, visits=10)
    assert cost_of(text, name="A") == expected


@pytest.mark.parametrize(("file", "name"), [each[:2] for each in OPERATIONS], ids=[name for _, name, _ in OPERATIONS])
def test_the_examples_are_far_below_the_limits(file: Any, name: str) -> None:
    body: Any = body_of(file, name)
    cost = cost_of(body["query"], name=name, **body["variables"])
    assert 0 < cost.requested <= LIMITS.cost / 10
    assert cost.fields <= LIMITS.fields / 10


def test_a_field_costs_what_is_declared_beside_it() -> None:
    fields = PRICES.fields
    assert fields["Customer"]["notes"] == Price(1, size=10, returns="Note")
    assert fields["Customer"]["surname"] == fields["Customer"]["relatedCustomerNumbers"]._replace(weight=0) == Price()
    assert fields["Mutation"]["updateCustomer"].weight == 10
    assert fields["CustomerConnection"]["nodes"].is_of_page


def test_every_list_of_objects_has_its_size_from_somewhere() -> None:
    """A list of keys among the arguments gives the size, and a page sizes all lists in it."""
    for type_ in schema._schema.type_map.values():
        if not isinstance(type_, GraphQLObjectType) or type_.name.startswith("__"):
            continue
        for name, field in type_.fields.items():
            price = PRICES.fields[type_.name][name]
            lists = {key for key, argument in field.args.items() if "[" in str(argument.type)}
            if price.returns:
                assert lists <= price.slicing, f"{type_.name}.{name}"
            if type_.name.endswith("Connection") and "[" in str(field.type):
                assert price.is_of_page, f"{type_.name}.{name}"


REFUSED: dict[str, tuple[str, ErrorCode, str]] = {
    "deep": ("{a" * 16 + "}" * 16, ErrorCode.DOCUMENT_TOO_DEEP, "16 levels of fields; at most 15"),
    "deep in a fragment": (
        "{ ...F } fragment F on Query " + "{a" * 16 + "}" * 16,
        ErrorCode.DOCUMENT_TOO_DEEP,
        "16 levels of fields; at most 15",
    ),
    "deeper than the stack goes": (
        "{ ...F0 }" + "".join(f"fragment F{n} on Query {'{a' * 150} {{...F{n + 1}}} {'}' * 150}" for n in range(4)),
        ErrorCode.DOCUMENT_TOO_DEEP,
        "",
    ),
    "wide": (
        f"{{ {CUSTOMER} {{ ...F ...F }} }} fragment F on Customer {{ {'id ' * 1000} }}",
        ErrorCode.DOCUMENT_TOO_LARGE,
        "2001 fields, fragments expanded; at most 2000",
    ),
    "wide at the root": ("{" + "a " * 21 + "}", ErrorCode.DOCUMENT_TOO_LARGE, "21 fields at the root; at most 20"),
    "aliases": (
        f"{{ {CUSTOMER} {{ {' '.join(f'a{n}: id' for n in range(51))} }} }}",
        ErrorCode.DOCUMENT_TOO_LARGE,
        "51 aliases, fragments expanded; at most 50",
    ),
    "directives": ("{ a " + "@b " * 51 + "}", ErrorCode.DOCUMENT_TOO_LARGE, "51 directives, fragments expanded"),
    "fragments that multiply": (nested_fragments(30), ErrorCode.DOCUMENT_TOO_LARGE, "2048 fields, fragments expanded"),
    "26 levels of fragments": (nested_fragments(26), ErrorCode.DOCUMENT_TOO_LARGE, "2048 fields, fragments expanded"),
    "an operation that is not run": (
        "query A { __typename } query B " + nested_fragments(30),
        ErrorCode.DOCUMENT_TOO_LARGE,
        "2048 fields",
    ),
    "definitions": (
        " ".join(f"query Q{n} {{ a }}" for n in range(101)),
        ErrorCode.DOCUMENT_TOO_LARGE,
        "101 definitions; at most 100",
    ),
    "a page of lists": (
        "{ customers(first: 1000) { nodes { notes { id customer { notes { id } } } } } }",
        ErrorCode.COST_TOO_HIGH,
        "may cost 121001 points; at most 50000",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_over_a_limit_is_refused_with_what_was_asked_and_allowed(name: str) -> None:
    text, expected, words = REFUSED[name]
    document = parse(text)
    with pytest.raises(Refused) as refused:
        measure(PRICES, document, document.definitions[0], {}, LIMITS)  # type: ignore[arg-type]
    (error,) = refused.value.errors
    assert error.code is expected
    assert words in error.message


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("{" + "a " * 20 + "}", LIMITS),
        ("{a" * 15 + "}" * 15, LIMITS),
        ("{ a " + "@b " * 50 + "}", LIMITS),
        ("{ customers(first: 6) { nodes { id } } }", replace(LIMITS, cost=7)),
    ],
)
def test_what_is_at_a_limit_is_let_through(text: str, limits: Limits) -> None:
    assert cost_of(text, limits)


def test_fragments_that_multiply_are_looked_at_once() -> None:
    cost = cost_of(nested_fragments(30), BOUNDLESS)
    assert cost.fields == cost.root_fields == 2**30
    assert cost.visits == 1 + 30 * 2 + 1


@pytest.mark.parametrize(
    "text",
    [
        "{ ...F } fragment F on Query { ...F a }",
        "{ ...F } fragment F on Query { ...G a } fragment G on Query { ...F ...G b }",
        "{ ...F } fragment F on Query { a { ...F ...F } }",
    ],
)
def test_fragments_that_spread_themselves_are_looked_at_once(text: str) -> None:
    assert cost_of(text).visits <= 6


@st.composite
def documents(draw: st.DrawFn) -> str:
    """Documents with fragments that spread any others, themselves too."""
    count = draw(st.integers(0, 12))
    spreads = st.integers(0, 12).map(lambda n: f"...F{n}")
    names = st.sampled_from(["id", "surname", "a: id @skip(if: false)", "nodes", "unknown"])

    def selection(below: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        heads = st.sampled_from(
            ["parent", "notes", "customers(first: 3)", "edges", "... on Customer", "...", "x: nodes"]
        )
        return st.builds("{} {{ {} }}".format, heads, st.lists(below, min_size=1, max_size=5).map(" ".join))

    selections = st.recursive(spreads | names, selection, max_leaves=8)
    bodies = [" ".join(draw(st.lists(selections, min_size=1, max_size=5))) for _ in range(count + 1)]
    types = ["Query", "Customer", "CustomerConnection"]
    fragments = [f"fragment F{n} on {draw(st.sampled_from(types))} {{ {body} }}" for n, body in enumerate(bodies[1:])]
    return " ".join([f"{{ {bodies[0]} }}", *fragments])


def selections_in(document: DocumentNode) -> int:
    waiting: list[Any] = list(document.definitions)
    found = -len(waiting)
    while waiting:
        node = waiting.pop()
        found += 1
        below = getattr(node, "selection_set", None)
        waiting.extend(below.selections if below else ())
    return found


@how(suppress_health_check=[HealthCheck.too_slow])
@given(documents())
def test_every_selection_is_looked_at_once(text: str) -> None:
    assert cost_of(text, BOUNDLESS).visits == selections_in(parse(text))


class TooLong(Exception):
    """A document that would be long without fragments, or that has a fragment that spreads itself."""


def without_spreads(document: DocumentNode, most: int = 2_000) -> OperationDefinitionNode:
    """The first operation with inline fragments instead of spreads. Raises TooLong."""
    fragments = {each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)}
    written = 0

    def expand(node: Any, inside: frozenset[str] = frozenset()) -> Any:
        nonlocal written
        written += 1
        if isinstance(node, FragmentSpreadNode):
            name = node.name.value
            if name in inside or written > most:
                raise TooLong
            if name not in fragments:
                return None
            node, inside = fragments[name], inside | {name}
            return InlineFragmentNode(type_condition=node.type_condition, selection_set=below(node, inside))
        if node.selection_set is None:
            return node
        return replace(node, selection_set=below(node, inside))

    def below(node: Any, inside: frozenset[str]) -> SelectionSetNode:
        selections = (expand(each, inside) for each in node.selection_set.selections)
        return SelectionSetNode(selections=tuple(each for each in selections if each))

    operation: OperationDefinitionNode = expand(document.definitions[0])
    return operation


@how(suppress_health_check=[HealthCheck.too_slow])
@given(documents())
def test_a_fragment_costs_what_it_would_cost_in_place(text: str) -> None:
    document = parse(text)
    try:
        operation = without_spreads(document)
    except TooLong:
        return
    expanded = measure(PRICES, DocumentNode(definitions=(operation,)), operation, {}, BOUNDLESS)
    assert replace(expanded, visits=0) == replace(cost_of(text, BOUNDLESS), visits=0)


def test_documents_are_kept_up_to_their_length_together() -> None:
    documents = Documents()

    def served(text: str) -> ParsedDocument:
        parsed = documents.get(text) or parse_document(text, LIMITS)
        parsed.plan(PRICES, operation_of(parsed.document, None))
        documents.keep(parsed)
        return parsed

    text = f"{{ {CUSTOMER} {{ notes {{ id }} }} }}"
    first, others = served(text), [f"{{ a{n} }}" + " " * 19_000 for n in range(100)]
    assert first.size == documents._length == len(text) + 2 * LENGTH_OF_KEY
    for other in others:
        assert served(text) is first
        served(other)
    assert documents._length == sum(size for _, size in documents._kept.values()) <= KEPT_LENGTH
    assert documents._length > KEPT_LENGTH - 20_000
    assert documents.get(others[-1])
    assert documents.get(others[0]) is None
    long = "{ b }" + " " * LONGEST_KEPT
    served(long)
    assert documents.get(long) is None


def test_each_plan_of_a_document_counts_for_its_size_once() -> None:
    documents = Documents()
    text = f"query A {{ {CUSTOMER} {{ id }} }} query B {{ {CUSTOMER} {{ id }} }}"
    parsed = parse_document(text, LIMITS)
    for name in ("A", "B", "A"):
        plan = parsed.plan(PRICES, operation_of(parsed.document, name))
        assert plan is parsed.plan(PRICES, operation_of(parsed.document, name))
        documents.keep(parsed)
    assert parsed.size == documents._length == len(text) + 2 * LENGTH_OF_KEY


@pytest.fixture
async def client(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    async with make_client(database) as client:
        yield client


def make_client(database: Database, limits: Limits = LIMITS) -> httpx.AsyncClient:
    """A client of the graph, for which every caller is let in."""
    served = endpoint(schema, make_context=lambda *_: Context(database, VIEWER), limits=limits)
    app = Starlette(routes=[Route("/graphql", served)])
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway")


@pytest.fixture
def dialect() -> str:
    """Refusals never reach a database: SQLite stands for both."""
    return "sqlite"


BY_IDS = "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }"
BAD_REQUESTS: dict[str, tuple[str, dict[str, Any], str]] = {
    **{name: (text, {}, code.name) for name, (text, code, _) in REFUSED.items() if "query" not in text},
    "deeper than the parser goes": ("{a" * 1400 + "}" * 1400, {}, "DOCUMENT_TOO_DEEP"),
    "a fragment that spreads itself": ("{ ...F } fragment F on Query { ...F __typename }", {}, "DOCUMENT_INVALID"),
    "objects to compare": (
        f"{{ {CUSTOMER} {{ {'parent { id } ' * 250} }} }}",
        {},
        "DOCUMENT_TOO_LARGE",
    ),
    "a fragment that spreads itself through others": (
        "{ ...F } fragment F on Query { ...G } fragment G on Query { __typename ...F }",
        {},
        "DOCUMENT_INVALID",
    ),
    "1 MB of spaces": ("{ __typename }" + " " * 1_000_000, {}, "DOCUMENT_TOO_LARGE"),
    "1 MB of text": ('{ node(id: "' + "x" * 1_000_000 + '") { id } }', {}, "DOCUMENT_TOO_LARGE"),
    "10,000 tokens": ("{" + "a " * 10_000 + "}", {}, "DOCUMENT_TOO_LARGE"),
    "10,000 values": (BY_IDS, {"ids": ["x"] * 10_000}, "REQUEST_TOO_LARGE"),
    "10,000 keys": (BY_IDS, {"ids": {str(n): n for n in range(10_000)}}, "REQUEST_TOO_LARGE"),
    "10,000 values in lists": (BY_IDS, {"ids": [[1]] * 5_000}, "REQUEST_TOO_LARGE"),
    "long texts": (BY_IDS, {"ids": ["å" * 9_000] * 20}, "REQUEST_TOO_LARGE"),
}


@pytest.mark.parametrize("name", BAD_REQUESTS)
async def test_a_bad_request_is_refused_and_the_next_one_served(name: str, client: httpx.AsyncClient) -> None:
    text, variables, code = BAD_REQUESTS[name]
    headers = {"Accept": "application/graphql-response+json"}
    refused = await client.post("/graphql", json={"query": text, "variables": variables}, headers=headers)
    assert refused.status_code == 400
    assert "data" not in refused.json()
    assert refused.json()["errors"][0]["extensions"]["errorCode"] == code
    served = await client.post("/graphql", json={"query": "{ customers(first: 7) { nodes { id } } }"})
    assert served.json()["data"] == {"customers": {"nodes": []}}
    cost = served.json()["extensions"]["cost"]
    assert (cost["requested"], cost["actual"]) == (8, 1)


async def test_introspection_is_served(client: httpx.AsyncClient) -> None:
    response = await client.post("/graphql", json={"query": get_introspection_query(input_value_deprecation=True)})
    assert "errors" not in response.json()
    assert response.json()["extensions"]["cost"]["requested"] == 100


async def test_the_limits_are_settings(database: Database) -> None:
    async with make_client(database, Settings(max_cost=5, max_depth=2).limits) as client:
        for text, code in (("{ customers { nodes { id } } }", "DOCUMENT_TOO_DEEP"), (BY_IDS, "COST_TOO_HIGH")):
            body = {"query": text, "variables": {"ids": ["x"] * 6}}
            response = await client.post("/graphql", json=body)
            assert response.json()["errors"][0]["extensions"]["errorCode"] == code


@pytest.mark.parametrize("order", [[{"n": None}, {}], [{}, {"n": None}]], ids=["null first", "absent first"])
def test_a_size_that_is_null_and_one_that_is_absent_are_not_taken_for_each_other(order: list[dict[str, Any]]) -> None:
    """Null leaves the page as long as any, an absent variable has its default."""
    text = "query($n: Int = 1000) { customers(first: $n) { nodes { postalAddresses { town } } } }"
    prices, parsed = price_list(schema._schema), parse_document(text, Limits())
    operation = operation_of(parsed.document, None)
    for variables in order:
        expected = 551 if variables else 11_001
        assert parsed.cost(prices, operation, variables, Limits()).requested == expected
