"""However a field is hidden in a document, it is denied; what is not asked for is not."""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from graphql import GraphQLInterfaceType, GraphQLObjectType

from datastore.viewer import GRANTABLE, TenantKind
from gateway.identity.demo import Role
from tests.security.conftest import ON_SQLITE
from tests.security.matrix import GRAPH, ROLES, Matrix, Step, denied, operation, role, snapshot, step_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

NEEDS = snapshot()


class Hidden(NamedTuple):
    """How fields stand in a document: in the selection, in fragments, in the head of the operation, elsewhere."""

    selection: str
    definitions: str = ""
    head: str = ""
    variables: dict[str, Any] | None = None


class Fields(NamedTuple):
    """Fields of one type that are to be hidden."""

    steps: tuple[Step, ...]

    @property
    def on(self) -> str:
        """The type."""
        return self.steps[0].type_name

    def text(self, directive: str = "") -> str:
        """The fields, each with this directive."""
        return " ".join(step.text(directive=directive) for step in self.steps)

    def aliased(self) -> str:
        """The fields under other names; the first one twice, and once under the name of a field that is public."""
        first = self.steps[0].text(alias="errorMessages")
        return " ".join([first, *(step.text(alias=f"x{place}") for place, step in enumerate(self.steps))])


Form = Callable[[Fields], Hidden]


def on_interface(fields: Fields) -> Hidden:
    """Within a fragment on each interface of the type, and in it on the type again."""
    type_ = GRAPH[fields.on]
    interfaces = type_.interfaces if isinstance(type_, GraphQLObjectType) else ()
    around = f"... on {fields.on} {{ {fields.text()} }}"
    for interface in interfaces:
        around = f"... on {interface.name} {{ {around} }}"
    return Hidden(around)


def of_interface(fields: Fields) -> Hidden:
    """Those that an interface of the type has too, asked for as fields of the interface."""
    type_ = GRAPH[fields.on]
    interfaces = type_.interfaces if isinstance(type_, GraphQLObjectType) else ()
    text, definitions = "", ""
    for step in fields.steps:
        found: list[GraphQLInterfaceType] = [each for each in interfaces if step.field in each.fields]
        if found:
            text += f" ...Of{step.field} ... on {found[0].name} {{ {step.text()} }}"
            definitions += f" fragment Of{step.field} on {found[0].name} {{ ... {{ {step.text()} }} }}"
        else:
            text += f" {step.text()}"
    return Hidden(text, definitions)


def chain(fields: Fields) -> Hidden:
    """Five fragments deep."""
    links = [f"fragment F{n} on {fields.on} {{ ... {{ ...F{n + 1} }} }}" for n in range(4)]
    return Hidden("...F0", " ".join([*links, f"fragment F4 on {fields.on} {{ {fields.text()} }}"]))


def condition(name: str, value: object, *, type_: str = "Boolean!", default: str = "") -> Form:
    """Left out or not by a directive with a variable, which is given this value."""

    def form(fields: Fields) -> Hidden:
        head = f"($if: {type_}{default and ' = ' + default})"
        return Hidden(fields.text(f"@{name}(if: $if)"), head=head, variables={} if value is None else {"if": value})

    return form


def around(directive: str, variables: dict[str, Any] | None = None) -> Form:
    """On the inline fragment around the fields."""
    head = "($if: Boolean!)" if "$" in directive else ""
    return lambda fields: Hidden(f"... {directive} {{ {fields.text()} }}", head=head, variables=variables)


def spread(directives: str) -> Form:
    """In a named fragment, spread once with each of the directives (`-` is none)."""
    spreads = " ".join("...F" + ("" if each == "-" else f" {each}") for each in directives.split(";"))
    return lambda fields: Hidden(spreads, f"fragment F on {fields.on} {{ {fields.text()} }}")


def chosen(fields: Fields) -> Hidden:
    """In the operation that is chosen of two."""
    return Hidden(fields.text(), "query Harmless { __typename }", head="Chosen")


DENIED: dict[str, Form] = {
    "alias": lambda fields: Hidden(fields.aliased()),
    "both left out and not": lambda fields: Hidden(f"{fields.text('@include(if: false)')} {fields.text()}"),
    "chosen operation": chosen,
    "default that lets in": condition("include", None, default="true"),
    "default that leaves out, overruled": condition("include", True, default="false", type_="Boolean"),
    "fragment chain": chain,
    "fragment on the interface": on_interface,
    "fragment that is spread twice": spread("@include(if: false);-"),
    "fragment that is spread under a condition": spread("@include(if: true)"),
    "include and skip that both let in": lambda fields: Hidden(fields.text("@include(if: true) @skip(if: false)")),
    "include by literal": lambda fields: Hidden(fields.text("@include(if: true)")),
    "include by variable": condition("include", True),
    "inline fragment": lambda fields: Hidden(f"... on {fields.on} {{ {fields.text()} }}"),
    "inline fragment under a condition": around("@include(if: $if)", {"if": True}),
    "inline fragment without a type": lambda fields: Hidden(f"... {{ ... {{ {fields.text()} }} }}"),
    "named fragment": spread("-"),
    "no Boolean: 0 to include": condition("include", 0),
    "no Boolean: a list to skip": condition("skip", [True]),
    "no Boolean: a text to include": condition("include", "false"),
    "no Boolean: a text to skip": condition("skip", "true"),
    "no Boolean: an object to include": condition("include", {"if": False}),
    "no Boolean: nothing to include": condition("include", None),
    "no Boolean: number 1 to skip": condition("skip", 1),
    "no Boolean: another type of variable": condition("skip", "true", type_="String!"),
    "skip by literal": lambda fields: Hidden(fields.text("@skip(if: false)")),
    "skip by variable": condition("skip", False),
    "the interface's own field": of_interface,
    "two directives of the same name": lambda fields: Hidden(fields.text("@skip(if: false) @skip(if: false)")),
}
"""Form -> how it hides fields that the operation asks for."""

LEFT_OUT: dict[str, Form] = {
    "default that leaves out": condition("include", None, default="false"),
    "default that skips": condition("skip", None, default="true"),
    "include by literal": lambda fields: Hidden(fields.text("@include(if: false)")),
    "include by variable": condition("include", False),
    "include of an inline fragment": around("@include(if: $if)", {"if": False}),
    "include of a fragment": spread("@include(if: false);@skip(if: true)"),
    "skip and include": lambda fields: Hidden(fields.text("@skip(if: true) @include(if: true)")),
    "skip by literal": lambda fields: Hidden(fields.text("@skip(if: true)")),
    "skip by variable": condition("skip", True),
}
"""Form -> how fields can stand in a document that are not asked for."""

ALL_BUT: dict[str, Role | None] = {
    f"all but {each.value}": role(f"but-{each.name}", TenantKind.INTERNAL, GRANTABLE - {each})
    for each in sorted(GRANTABLE, key=lambda each: each.value)
}


CALLERS = {**ROLES, **ALL_BUT}
MOST_TOGETHER = 12
"""Fields of one type in a document: a refusal names no more than about 20 with those on the way."""


async def ask(matrix: Matrix, name: str, fields: Fields, hidden: Hidden, wanted: list[str]) -> str:
    """What is wrong with the answer to the document, where these coordinates are to be denied, or none."""
    text = f"{operation(fields.on, f'__typename {hidden.selection}', hidden.head)} {hidden.definitions}"
    more: dict[str, Any] = {"variables": hidden.variables}
    if hidden.head == "Chosen":
        more["operationName"] = "Chosen"
    problem = await (matrix.is_denied(name, text, wanted, **more) if wanted else matrix.has_run(name, text, **more))
    return problem and f"{name}: {text}: {problem}"


def deniable() -> dict[tuple[str, str, bool], list[str]]:
    """Every field that can be denied: by the role to which it is, its type, and whether the role may go all the way to
    the field; a role that may is taken where there is one."""
    found: dict[tuple[str, str, bool], list[str]] = {}
    for coordinate in NEEDS:
        roles = {name: denied(coordinate, NEEDS, caller) for name, caller in CALLERS.items()}
        last = [(name, True) for name, wanted in roles.items() if wanted == [coordinate]]
        others = [(name, False) for name, wanted in roles.items() if coordinate in wanted]
        for name, is_last in (last or others)[:1]:
            found.setdefault((name, step_of(coordinate).type_name, is_last), []).append(coordinate)
    return found


DENIABLE = deniable()


async def test_every_field_that_is_not_public_is_hidden_below() -> None:
    hidden = {coordinate for coordinates in DENIABLE.values() for coordinate in coordinates}
    assert {coordinate for coordinate, need in NEEDS.items() if need != "public"} == hidden


@ON_SQLITE
@pytest.mark.rule("T02")
@pytest.mark.parametrize("form", sorted(DENIED))
async def test_a_hidden_field_is_denied(matrix: Matrix, form: str) -> None:
    matrix.admit(ALL_BUT)
    problems = []
    for (name, _, _), coordinates in DENIABLE.items():
        for start in range(0, len(coordinates), MOST_TOGETHER):
            together = coordinates[start : start + MOST_TOGETHER]
            wanted = {each for one in together for each in denied(one, NEEDS, CALLERS[name])}
            fields = Fields(tuple(map(step_of, together)))
            problems.append(await ask(matrix, name, fields, DENIED[form](fields), sorted(wanted)))
    assert [problem for problem in problems if problem] == []


@pytest.mark.parametrize("form", sorted(LEFT_OUT))
async def test_a_field_that_is_left_out_is_not_denied(matrix: Matrix, form: str) -> None:
    matrix.admit(ALL_BUT)
    problems = []
    for (name, _, is_last), together in DENIABLE.items():
        if is_last:
            fields = Fields(tuple(map(step_of, together[:MOST_TOGETHER])))
            problems.append(await ask(matrix, name, fields, LEFT_OUT[form](fields), []))
    assert len(problems) > 5
    assert [problem for problem in problems if problem] == []


async def test_only_the_operation_that_is_run_counts(matrix: Matrix) -> None:
    text = "query Harmless { __typename } query Other { customers { nodes { email } } } mutation Third { __typename }"
    assert await matrix.has_run("anonymous", text, operationName="Harmless") == ""
    wanted = ["Query.customers", "Customer.email"]
    assert await matrix.is_denied("anonymous", text, wanted, operationName="Other") == ""


async def test_a_fragment_that_is_not_spread_is_a_mistake_and_not_denied(matrix: Matrix) -> None:
    response = await matrix.ask("nothing", "{ __typename } fragment F on Customer { email }")
    assert response.json()["errors"][0]["extensions"]["errorCode"] == "DOCUMENT_INVALID"
    assert "data" not in response.json()


async def test_a_known_document_is_checked_anew_for_each_caller_and_for_each_value(matrix: Matrix) -> None:
    """Documents that ran are kept, with what they ask for."""
    text = "query ($if: Boolean!) { customer(by: {customerNumber: 1000000001}) { uuid email @include(if: $if) } }"
    for _ in range(3):
        assert await matrix.has_run("crm", text, variables={"if": True}) == ""
        assert await matrix.has_run("conductor", text, variables={"if": False}) == ""
        assert await matrix.is_denied("conductor", text, ["Customer.email"], variables={"if": True}) == ""
        wanted = ["Query.customer", "Customer.uuid"]
        assert await matrix.is_denied("nothing", text, wanted, variables={"if": False}) == ""
