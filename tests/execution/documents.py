"""Documents that are valid by construction, with variables, drawn from the schema: a new field takes part by itself.

Everything that decides what a document is goes through `Choose`, so Hypothesis can shrink a document that fails.
"""

import json
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, TypeVar

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    Undefined,
    get_named_type,
    is_composite_type,
    is_leaf_type,
)
from hypothesis import strategies as st
from strawberry.schema.schema_converter import GraphQLCoreConverter

T = TypeVar("T")
Choose = Callable[[int], int]
"""`choose(n)` is a number from 0 to n - 1; 0 is the simplest choice."""
Chosen = tuple[str, Mapping[str, Any]]
"""Arguments that belong together: the name of a root field or a field, and values by argument name."""

DEEPEST = 5
PAGE_SIZES = (3, 1, 2, 5, 7, 20)
WRONG_PAGE_SIZES = (0, -1, 1001, 2**31 - 1)
BROKEN: Mapping[str, Sequence[Any]] = {
    "Long": (0, -1, 2**63 - 1, -(2**63), 2**53 + 1, 7_000_000_000),
    "Int": (*PAGE_SIZES, *WRONG_PAGE_SIZES),
    "Float": (0.5,),
    "Boolean": (True, False),
    "String": ("", " ", "a", "ø", "%s", "$1", ":name", "'; --", '"', "\\", "{}", "\u2028", "🙂", "x" * 300, "\t\n"),
    "ID": ("", "1", "Q3VzdG9tZXI6MQ", "Q3VzdG9tZXI6MQ==", "not an id", "Tm90ZTox", "x" * 300),
    "Date": ("1990-05-17", "0001-01-01", "9999-12-31"),
    "DateTime": (
        "2020-01-01T00:00:00Z",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999Z",
        "2026-01-31T12:00:00+01:00",
    ),
}
"""Scalar -> values that the scalar reads, some of which a resolver refuses."""
UNREADABLE: Mapping[str, Sequence[Any]] = {
    "Long": ("many", 1.5, True, 2**63),
    "Int": ("1", 2**31, 1.5),
    "Boolean": ("true", 1),
    "Date": ("2026-02-30", "today"),
    "DateTime": ("2026-01-31T12:00:00", "now"),
    "String": (7, ["a"]),
    "ID": (True, 1.5),
}
"""Scalar -> values that it does not read."""


class Name(str):
    """A value of an enum."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable in place of a value."""

    name: str


@dataclass(frozen=True, slots=True)
class Pools:
    """What exists: values by the name of an argument or an input field, and arguments that belong together, such as a
    list's filter, its order, and a cursor of it."""

    values: Mapping[str, Sequence[Any]]
    together: Sequence[Chosen] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """A request: document, variables, and the operation to be run if there are several."""

    text: str
    variables: Mapping[str, Any] = field(default_factory=dict)
    operation_name: str | None = None

    def body(self) -> bytes:
        given: dict[str, Any] = {"query": self.text, "variables": self.variables}
        if self.operation_name is not None:
            given["operationName"] = self.operation_name
        return json.dumps(given).encode()


@dataclass(slots=True)
class Fragment:
    """A named fragment, and the variables in it and in what it spreads."""

    name: str
    on: str
    text: str
    used: set[str]


@dataclass(slots=True)
class Declared:
    """A variable as it is declared, and its value; `Undefined` where none is given."""

    declaration: str
    value: Any


class Writer:
    """Writes one document."""

    def __init__(
        self,
        schema: GraphQLSchema,
        pools: Pools,
        may_ask: Callable[[str, str], bool],
        choose: Choose,
        seldom: Set[str] = frozenset(),
        most_fields: int = 60,
    ) -> None:
        self.schema = schema
        self.pools = pools
        self.may_ask = may_ask
        self.seldom = seldom
        self.choose = choose
        self.left = most_fields
        self.variables: dict[str, Declared] = {}
        self.used: set[str] = set()
        self.fragments: list[Fragment] = []
        self.heads: dict[str, list[tuple[str, GraphQLField]]] = {}
        self.swapped: dict[str, dict[str, str]] = {}
        self.conditions: list[str] = []
        self.is_rude = self.one_in(6)
        """Whether the document may have values that are refused, and fields that are denied."""
        self.asks_all = self.one_in(8)
        """Whether the document may have the fields that are asked for seldom."""

    def one_in(self, n: int) -> bool:
        return self.choose(n) == n - 1

    def pick(self, given: Sequence[T]) -> T:
        return given[self.choose(len(given))]

    def document(self) -> Document:
        query = self.schema.query_type
        assert query
        operations = []
        names = ["One", "Two", "Three"][: self.pick((1, 1, 1, 1, 2, 3))]
        for name in names:
            self.used = set()
            text = self.selection(query, 1)
            declared = ", ".join(self.variables[each].declaration for each in sorted(self.used))
            is_named = len(names) > 1 or self.one_in(3)
            head = (
                f"query {name if is_named else ''}{f'({declared})' if declared else ''} "
                if is_named or declared
                else ""
            )
            operations.append((head + text, set(self.used)))
        run = self.choose(len(names))
        fragments = [f"fragment {each.name} on {each.on} {each.text}" for each in self.fragments]
        values = {each: self.variables[each].value for each in sorted(operations[run][1])}
        if self.one_in(20):
            values["superfluous"] = 1
        return Document(
            " ".join([text for text, _ in operations] + fragments),
            {each: value for each, value in values.items() if value is not Undefined},
            names[run] if len(names) > 1 or (self.one_in(8) and operations[run][0].startswith("query One")) else None,
        )

    # Selections

    def selection(self, type_: Any, depth: int) -> str:
        """A selection set on a type: the fields that lead on first come rarer the deeper it is."""
        parts = [self.part(type_, depth) for _ in range(1 + self.choose(4 if depth == 1 else 6))]
        return "{ " + " ".join(parts) + " }"

    def part(self, type_: Any, depth: int) -> str:
        kind = self.choose(12)
        if kind in (9, 10) and depth < DEEPEST + 2 and self.left > 0:
            return self.inline(type_, depth)
        if kind == 11 and depth < DEEPEST + 2 and self.left > 0:
            return self.spread(type_, depth)
        return self.field(type_, depth)

    def narrowed(self, type_: Any) -> Any:
        """A type that a fragment within `type_` may be on."""
        found: list[Any] = [type_]
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType):
            found += type_.interfaces
        if isinstance(type_, GraphQLInterfaceType | GraphQLUnionType):
            found += self.schema.get_possible_types(type_)
        if isinstance(type_, GraphQLObjectType):
            found += [
                each
                for each in self.schema.type_map.values()
                if isinstance(each, GraphQLUnionType) and type_ in each.types
            ]
        return self.pick(found)

    def inline(self, type_: Any, depth: int) -> str:
        on = None if self.one_in(3) else self.narrowed(type_)
        inner = self.selection(on or type_, depth + 1)
        return f"... {f'on {on.name} ' if on else ''}{self.directives()}{inner}"

    def spread(self, type_: Any, depth: int) -> str:
        on = self.narrowed(type_)
        known = [each for each in self.fragments if each.on == on.name]
        if known and self.choose(2):
            fragment = self.pick(known)
        else:
            outer, self.used = self.used, set()
            text = self.selection(on, depth + 1)
            # What its fields spread has come before it: no fragment can spread itself.
            fragment = Fragment(f"F{len(self.fragments)}", on.name, text, self.used)
            self.fragments.append(fragment)
            self.used = outer
        self.used |= fragment.used
        return f"...{fragment.name} {self.directives()}"

    def directives(self) -> str:
        if self.choose(6) < 5:
            return ""
        names = self.pick((("include",), ("skip",), ("skip", "include")))
        return "".join(f"@{name}(if: {self.condition()}) " for name in names)

    def condition(self) -> str:
        kind = self.choose(4)
        if kind < 2:
            return "true" if kind else "false"
        if self.conditions and self.choose(2):
            name = self.pick(self.conditions)
        else:
            name = f"c{len(self.conditions)}"
            self.conditions.append(name)
            value: Any = bool(self.choose(2))
            if self.one_in(3):
                default = self.pick(("true", "false"))
                given = self.pick((value, Undefined, None)) if self.is_rude else self.pick((value, Undefined))
                self.variables[name] = Declared(f"${name}: Boolean = {default}", given)
            else:
                self.variables[name] = Declared(f"${name}: Boolean!", value)
        self.used.add(name)
        return f"${name}"

    def field(self, type_: Any, depth: int) -> str:
        fields = {} if isinstance(type_, GraphQLUnionType) else type_.fields
        allowed = [
            name
            for name, each in fields.items()
            if (self.asks_all or f"{type_.name}.{name}" not in self.seldom)
            and (self.may_ask(type_.name, name) or (self.is_rude and self.one_in(40)))
            and (is_leaf_type(get_named_type(each.type)) or (depth < DEEPEST + 1 and self.left > 0))
        ]
        leading = [name for name in allowed if is_composite_type(get_named_type(fields[name].type))]
        if not allowed or self.one_in(12):
            return self.directed(self.pick(("__typename", "t: __typename", "u: __typename")))
        self.left -= 1
        name = self.pick(leading if leading and self.choose(3) == 2 else allowed)
        graphql_field = fields[name]
        inner = get_named_type(graphql_field.type)
        head = self.head(type_, name, graphql_field)
        return self.directed(head) + (f" {self.selection(inner, depth + 1)}" if is_composite_type(inner) else "")

    def directed(self, head: str) -> str:
        directives = self.directives().strip()
        return f"{head} {directives}" if directives else head

    def head(self, type_: Any, name: str, graphql_field: GraphQLField) -> str:
        """Response key, field and arguments. One key is one field with the same arguments wherever it is selected, so
        that all of a document can be merged."""
        if not graphql_field.args:
            return self.pick((self.key(type_, name), self.key(type_, name), f"{name}A: {name}", f"{name}B: {name}"))
        heads = self.heads.setdefault(f"{type_.name}.{name}", [])
        if heads and self.choose(2):
            head, _ = self.pick(heads)
            self.used |= {each for each in self.variables if f"${each}" in tokens(head)}
            return head
        key = name if not heads else f"{name}{len(heads)}"
        head = (key if key == name else f"{key}: {name}") + self.arguments(name, graphql_field)
        heads.append((head, graphql_field))
        return head

    def key(self, type_: Any, name: str) -> str:
        """The field under its own name, or, in some documents, under that of another one."""
        if type_.name not in self.swapped:
            made: dict[str, str] = {}
            if self.one_in(6) and isinstance(type_, GraphQLObjectType) and not type_.interfaces:
                leaves = [
                    each for each, f in type_.fields.items() if is_leaf_type(get_named_type(f.type)) and not f.args
                ]
                if len(leaves) > 1:
                    one, other = self.pick(leaves), self.pick(leaves)
                    made = {one: f"{other}: {one}", other: f"{one}: {other}"} if one != other else {}
            self.swapped[type_.name] = made
        return self.swapped[type_.name].get(name, name)

    # Arguments

    def arguments(self, name: str, graphql_field: GraphQLField) -> str:
        # Fields of one name need not have the same arguments: a list of the root, and one below a parent.
        together = [
            values for of, values in self.pools.together if of == name and values.keys() <= graphql_field.args.keys()
        ]
        if together and self.choose(3):
            values = dict(self.pick(together))
        else:
            values = {
                each: self.value(argument.type, each, 0)
                for each, argument in graphql_field.args.items()
                if is_required(argument) or self.choose(3) == 2
            }
            self.sensible_page(graphql_field, values)
        given = [
            f"{each}: {self.written(graphql_field.args[each], value)}"
            for each, value in values.items()
            if value is not Undefined
        ]
        return f"({', '.join(given)})" if given else ""

    def sensible_page(self, graphql_field: GraphQLField, values: dict[str, Any]) -> None:
        """Most pages are asked for as they may be."""
        if not {"first", "last"} <= graphql_field.args.keys() or (self.is_rude and self.one_in(2)):
            return
        for each in ("first", "last", "after", "before"):
            values.pop(each, None)
        values[self.pick(("first", "last"))] = self.pick(PAGE_SIZES)

    def value(self, type_: Any, name: str, depth: int) -> Any:
        """A value of an input type that its scalars read."""
        if isinstance(type_, GraphQLNonNull):
            return self.value(type_.of_type, name, depth)
        if self.one_in(12) and not depth:
            return None
        if isinstance(type_, GraphQLList):
            known = self.pools.values.get(name, ())
            return [
                self.pick(known) if known and self.choose(5) else self.value(type_.of_type, f"{name} item", depth + 1)
                for _ in range(self.choose(6))
            ]
        if isinstance(type_, GraphQLEnumType):
            return Name(self.pick(list(type_.values)))
        if isinstance(type_, GraphQLInputObjectType):
            return self.object(type_, depth)
        known = self.pools.values.get(name, ())
        if known and self.choose(8):
            return self.pick(known)
        if self.is_rude and self.one_in(8) and type_.name in UNREADABLE:
            return self.pick(UNREADABLE[type_.name])
        return self.pick(BROKEN[type_.name])

    def object(self, type_: GraphQLInputObjectType, depth: int) -> dict[str, Any]:
        if is_one_of(type_):
            name = self.pick(list(type_.fields))
            value = self.value(type_.fields[name].type, name, depth + 1)
            return {name: value}
        return {
            name: self.value(each.type, name, depth + 1)
            for name, each in type_.fields.items()
            if is_required(each) or self.one_in(5)
        }

    def written(self, argument: GraphQLArgument, value: Any) -> str:
        """The value of an argument: as a literal, as a variable, or as a literal with variables in it."""
        kind = self.choose(3)
        is_fine = reads(argument.type, value)
        if kind == 0 and is_fine:
            return literal(value)
        if kind == 1 and isinstance(value, dict) and is_fine:
            inner = get_named_type(argument.type)
            assert isinstance(inner, GraphQLInputObjectType)
            parts = {}
            for name, each in value.items():
                into: Any = inner.fields[name].type
                if is_one_of(inner) and not isinstance(into, GraphQLNonNull):
                    into = GraphQLNonNull(into)
                parts[name] = Variable(self.variable(into, each, has_default=False)) if self.choose(2) else each
            return literal(parts)
        return f"${self.variable(argument.type, value, has_default=argument.default_value is not Undefined)}"

    def variable(self, type_: Any, value: Any, *, has_default: bool) -> str:
        name = f"v{len(self.variables)}"
        declaration, given = f"${name}: {type_}", value
        if isinstance(type_, GraphQLNonNull) and reads(type_, value):
            kind = self.choose(6)
            if kind == 4 and value is not None:
                declaration, given = f"${name}: {type_.of_type} = {literal(value)}", Undefined
            elif kind == 5 and has_default:
                declaration = f"${name}: {type_.of_type}"
                given = self.pick((value, Undefined, None)) if self.is_rude else self.pick((value, Undefined))
        elif reads(type_, value):
            kind = self.choose(8)
            if kind == 5:
                declaration, given = f"{declaration} = {literal(value)}", Undefined
            elif kind == 6:
                declaration = f"{declaration} = {literal(value)}"
                given = None
            elif kind == 7:
                given = Undefined
        self.variables[name] = Declared(declaration, given)
        self.used.add(name)
        return name


def is_one_of(type_: GraphQLInputObjectType) -> bool:
    """Whether exactly one field is to be given: Strawberry checks that itself, and does not tell graphql-core."""
    definition = type_.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    return type_.is_one_of or bool(getattr(definition, "is_one_of", False))


def is_required(given: Any) -> bool:
    return isinstance(given.type, GraphQLNonNull) and given.default_value is Undefined


def reads(type_: Any, value: Any) -> bool:
    """Whether a value may stand in a document for the type: validation would refuse it otherwise."""
    if isinstance(type_, GraphQLNonNull):
        return value is not None and reads(type_.of_type, value)
    if value is None:
        return True
    if isinstance(type_, GraphQLList):
        return isinstance(value, list) and all(reads(type_.of_type, each) for each in value)
    if isinstance(type_, GraphQLInputObjectType):
        return isinstance(value, dict) and all(
            reads(type_.fields[name].type, each) and (each is not None or not is_one_of(type_))
            for name, each in value.items()
        )
    if isinstance(type_, GraphQLEnumType):
        return isinstance(value, Name)
    try:
        type_.parse_value(value)
    except Exception:  # noqa: BLE001
        return False
    return True


def literal(value: Any) -> str:
    """A value as it is written in a document."""
    if isinstance(value, Variable):
        return f"${value.name}"
    if isinstance(value, Name):
        return str(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {literal(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(literal, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def tokens(text: str) -> set[str]:
    return set(text.replace(",", " ").replace(")", " ").replace("}", " ").replace("]", " ").split())


def documents(
    schema: GraphQLSchema,
    pools: Pools,
    may_ask: Callable[[str, str], bool],
    seldom: Set[str] = frozenset(),
    most_fields: int = 60,
) -> st.SearchStrategy[Document]:
    """Documents of a schema, of about so many fields at most, which ask for the fields that may be asked for, and now
    and then for others. Fields in `seldom`, as `Type.field`, are in few documents."""

    @st.composite
    def made(draw: st.DrawFn) -> Document:
        def choose(n: int) -> int:
            return draw(NUMBERS[n]) if n < len(NUMBERS) else draw(st.integers(0, n - 1))

        return Writer(schema, pools, may_ask, choose, seldom, most_fields).document()

    return made()


NUMBERS = [st.integers(0, max(n - 1, 0)) for n in range(400)]
