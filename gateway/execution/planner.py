"""From a document to a plan: what is selected below each root field, as one SQL expression that makes JSON text.

A plan is made once for an operation, the values of its `@skip` and `@include` conditions, and the kind of its viewer.
It is made of the declarations that the schema is made of (`one`, `many`, `computed` ...), and reads only what is
selected.
What it cannot do raises `Unplannable`: the whole operation is then run in the ordinary way.
"""

from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from functools import partial
from operator import attrgetter
from types import SimpleNamespace
from typing import Any, NamedTuple

import orjson
from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLEnumType,
    GraphQLField,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    OperationDefinitionNode,
    get_named_type,
    get_nullable_type,
    is_abstract_type,
    is_list_type,
    is_non_null_type,
)
from graphql.execution.collect_fields import FieldDetails, FragmentDetails, collect_fields, collect_subfields
from graphql.execution.values import VariableValues
from sqlalchemy import JSON, Column, ColumnElement, Enum, UnaryExpression, case, literal_column, select
from strawberry.schema.schema_converter import GraphQLCoreConverter

from datastore.base import Base
from datastore.loaders import LIST_CAP, owned_through
from datastore.reading import columns, key_of, record_class, visible
from datastore.viewer import Viewer
from gateway.arguments import Arguments
from gateway.execution import json_text
from gateway.execution.json_text import Unplannable, joined, or_else, text_of, value_of, words
from gateway.execution.plan import Hole, Plan, Root, Shape, Whole
from resolvers.wanted import Reading
from schema.cost import PriceList
from schema.node import NODES
from schema.relations import OneOf
from schema.view import DECLARED, ROWS, Computed, Many, One, Selected, Sensitive

FIRST_WEIGHT = 0x0E
MOST_WEIGHTS = 0x20 - FIRST_WEIGHT
COUNTS = frozenset({"totalItems", "totalPages"})
OF_A_PAGE = COUNTS | {"nodes"}
"""Fields that `run.Found` has the values of, though they are computed."""

Nodes = list[FieldDetails]


class Field(NamedTuple):
    """A selected field, and what is declared of it. A plain one has the value of the attribute of its name."""

    name: str
    nodes: Nodes
    graphql_field: GraphQLField
    definition: Any
    declared: Any
    type_: Any
    weight: int
    is_plain: bool
    is_list: bool
    may_be_null: bool


@dataclass(slots=True)
class Planner:
    """Plans one operation, for viewers of a kind and the values of its conditions."""

    schema: GraphQLSchema
    prices: PriceList
    arguments: Arguments
    document: DocumentNode
    operation: OperationDefinitionNode
    conditions: Mapping[str, Any]
    viewer: Viewer
    readings: list[Root] = dataclass_field(init=False, default_factory=list)
    holes: list[Hole] = dataclass_field(init=False, default_factory=list)
    weights: list[int] = dataclass_field(init=False, default_factory=list)
    aliases: int = dataclass_field(init=False, default=0)
    fragments: dict[str, FragmentDetails] = dataclass_field(init=False)
    variables: VariableValues = dataclass_field(init=False)

    def __post_init__(self) -> None:
        definitions = (each for each in self.document.definitions if isinstance(each, FragmentDefinitionNode))
        self.fragments = {each.name.value: FragmentDetails(each) for each in definitions}
        self.variables = VariableValues({}, dict(self.conditions))

    def plan(self) -> Plan:
        """Raises Unplannable, GraphQLError for a condition without a value, and NoValue for bad arguments."""
        root = self.schema.query_type
        assert root, "a schema has queries"
        selected = collect_fields(self.schema, self.fragments, self.variables, root, self.operation).grouped_field_set
        roots = {key: self.root(root, nodes) for key, nodes in selected.items()}
        return Plan(roots, self.readings, self.holes, self.weights, lambda: replace(self).plan())

    # What is selected

    def below(self, type_: GraphQLObjectType, nodes: Nodes) -> Mapping[str, Nodes]:
        """What fields select of an object type, by response key."""
        given = self.schema, self.fragments, self.variables, self.operation
        return collect_subfields(*given, type_, nodes).grouped_field_set

    def field(self, parent: GraphQLObjectType, nodes: Nodes) -> Field:
        name = nodes[0].node.name.value
        if name not in parent.fields:
            raise Unplannable(name)
        graphql_field = parent.fields[name]
        definition = graphql_field.extensions[GraphQLCoreConverter.DEFINITION_BACKREF]
        declared = definition.metadata.get(DECLARED)
        return Field(
            name,
            nodes,
            graphql_field,
            definition,
            declared,
            get_named_type(graphql_field.type),
            self.prices.fields[parent.name][name].weight,
            is_plain=declared is None and definition.base_resolver is None,
            is_list=is_list_type(get_nullable_type(graphql_field.type)),
            may_be_null=not is_non_null_type(graphql_field.type),
        )

    # Root fields

    def root(self, parent: GraphQLObjectType, nodes: Nodes) -> Root | Whole | str:
        """The plan of a root field."""
        if is_typename(nodes):
            return parent.name
        field = self.field(parent, nodes)
        if isinstance(field.declared, Reading):
            return self.reading(field)
        if not callable(field.declared) or field.graphql_field.args or not isinstance(field.type_, GraphQLObjectType):
            raise Unplannable(field.name)
        parts = {key: self.part(field.type_, below) for key, below in self.below(field.type_, nodes).items()}
        return Whole(field.declared, field.weight, parts)

    def part(self, parent: GraphQLObjectType, nodes: Nodes) -> Shape | Root:
        field = None if is_typename(nodes) else self.field(parent, nodes)
        return self.reading(field) if field and isinstance(field.declared, Reading) else self.value(parent, nodes)

    def reading(self, field: Field) -> Root:
        arguments = self.arguments.of(field.graphql_field, field.definition, field.nodes[0].node)
        root = Root(field.declared, arguments, field.weight)
        self.readings.append(root)
        type_ = field.type_
        for possible in self.schema.get_possible_types(type_) if is_abstract_type(type_) else [type_]:
            if possible.name in ROWS:
                root.texts[ROWS[possible.name]] = [self.object(possible, field.nodes, "r0", field.weight)]
        if not root.texts:
            selected = self.below(type_, field.nodes)
            names = {nodes[0].node.name.value for nodes in selected.values()}
            root.has_rows, root.has_count = bool(names - COUNTS - {"__typename"}), bool(names & COUNTS)
            root.page = {key: self.value(type_, nodes, root) for key, nodes in selected.items()}
        return root

    # Values that Python has

    def value(self, parent: GraphQLObjectType, nodes: Nodes, root: Root | None = None) -> Shape:
        """The shape of a field of an object that is no row, but may be a part of the page `root`."""
        if is_typename(nodes):
            return lambda _run, _value: parent.name
        field = self.field(parent, nodes)
        shape = self.shape(field, root)
        if field.is_plain or (root and field.name in OF_A_PAGE):
            get: Callable[[Any], Any] = attrgetter(field.definition.python_name)
        elif isinstance(field.declared, Computed):
            get = field.declared.of
        else:
            raise Unplannable(field.name)
        return lambda run, value: shape(run, get(value))

    def shape(self, field: Field, root: Root | None = None) -> Shape:
        """The shape of the values of a field. In a page, those of a type with rows are rows of texts."""
        type_, weight, is_list, may_be_null = field.type_, field.weight, field.is_list, field.may_be_null
        is_leaf = isinstance(type_, GraphQLScalarType | GraphQLEnumType)
        one: Shape
        if is_leaf and not is_list and not weight:
            return partial(as_leaf, type_.serialize, may_be_null)
        if is_leaf:
            one = partial(as_leaf, type_.serialize, False)
        elif root and type_.name in ROWS:
            texts = root.texts.setdefault(ROWS[type_.name], [])
            one, weight = partial(as_text, len(texts)), 0
            texts.append(self.object(type_, field.nodes, "r0", field.weight))
        elif isinstance(type_, GraphQLObjectType) and type_.name not in ROWS:
            parts = {key: self.value(type_, nodes, root) for key, nodes in self.below(type_, field.nodes).items()}
            one = partial(as_object, parts)
        else:
            raise Unplannable(field.name)

        def shaped(run: Any, value: Any) -> Any:
            if value is None and may_be_null:
                return None
            if value is None or (is_leaf and is_list and None in value):
                raise Unplannable("null")
            run.points += weight * len(value) if is_list and not is_leaf else weight
            return [one(run, each) for each in value] if is_list else one(run, value)

        return shaped

    # Texts that the database makes

    def object(self, type_: Any, nodes: Nodes, alias: str, weight: int) -> ColumnElement[str]:
        """The JSON text of the rows of an alias, as objects of a type."""
        texts: list[ColumnElement[str]] = []
        written = f"{self.mark(weight)}{{"
        for place, (key, below) in enumerate(self.below(type_, nodes).items()):
            written += f'{"," if place else ""}"{key}":'
            text = self.text(type_, below, alias)
            if isinstance(text, str):
                written += text
            else:
                texts += [words(written), text]
                written = ""
        return or_else(joined(*texts, words(f"{written}}}")), json_text.BROKEN)

    def mark(self, weight: int) -> str:
        """The mark that stands in the text for so many points."""
        if not weight:
            return ""
        if weight not in self.weights:
            if len(self.weights) == MOST_WEIGHTS:
                raise Unplannable("too many weights")
            self.weights.append(weight)
        return chr(FIRST_WEIGHT + self.weights.index(weight))

    def text(self, type_: Any, nodes: Nodes, alias: str) -> ColumnElement[str] | str:
        """The JSON text of one field of a row."""
        if is_typename(nodes):
            return f'"{type_.name}"'
        field, row = self.field(type_, nodes), ROWS[type_.name]
        declared = field.declared
        if field.is_plain:
            return self.column(field, row, row.__table__.columns[field.definition.python_name], alias)
        if isinstance(declared, One | Many | Selected):
            return self.relation(field, declared, at(alias, row.__table__.columns[declared.via]))
        if isinstance(declared, OneOf):
            return self.one_of(field, declared, row, alias)
        if isinstance(declared, Computed):
            reads = (NODES[type_.name].column.key,) if field.name == "id" else declared.reads
            shape = self.shape(field)
            return self.hole(row, reads, alias, lambda run, record: shape(run, declared.of(record)))
        if isinstance(declared, Sensitive):
            info = SimpleNamespace(parent_type=type_, field_name=field.name, operation=self.operation)
            return self.hole(row, declared.reads, alias, lambda run, record: declared.open(run.context, info, record))
        raise Unplannable(f"{type_.name}.{field.name}")

    def column(self, field: Field, row: type[Base], column: Column[Any], alias: str) -> ColumnElement[str]:
        type_ = field.type_
        if isinstance(column.type, JSON):
            shape = self.shape(field)
            return self.hole(row, (column.name,), alias, lambda run, record: shape(run, record[0]))
        names = {}
        if isinstance(type_, GraphQLEnumType) and isinstance(column.type, Enum):
            definition: Any = type_.extensions[GraphQLCoreConverter.DEFINITION_BACKREF]
            names = {definition.wrapped_cls[value.name]: value.name for value in definition.values}
        if column.nullable and not field.may_be_null:
            raise Unplannable(f"{column} may be null")
        return value_of(column, at(alias, column), type_.name, names)

    def one_of(self, field: Field, declared: OneOf, row: type[Base], alias: str) -> ColumnElement[str]:
        """The JSON text of the row that the first way leads to whose start is not null."""
        types = {ROWS[possible.name]: possible for possible in self.schema.get_possible_types(field.type_)}
        texts = []
        for way in declared.ways:
            start = at(alias, row.__table__.columns[way.via])
            target: Any = way.column.class_
            of_way = field._replace(type_=types[target])
            texts.append((start.is_not(None), self.relation(of_way, way, start)))
        return case(*texts, else_="null")

    def relation(self, field: Field, declared: One | Many | Selected, start: ColumnElement[Any]) -> ColumnElement[str]:
        """The JSON text of the rows that a relation leads to from the value `start`: a list, or the first one."""
        self.aliases += 1
        inner = f"r{self.aliases}"
        order: Any = None
        shown: Any = None
        if isinstance(declared, Selected):
            found = declared.selection(self.viewer, lambda column: column == start)
            is_list = declared.is_list
            if is_list:
                (by, *_) = found._order_by_clauses
                if isinstance(by, UnaryExpression):
                    raise Unplannable("a list from the last to the first")
                found, order = found.add_columns(by.label("sort0")), literal_column(f"{inner}.sort0", by.type)
            shown = None if declared.shows is None else declared.row.__table__.columns[declared.shows]
        else:
            target: Any = declared.column.class_
            condition, is_list = declared.column == start, isinstance(declared, Many)
            if isinstance(declared, One):
                found = target.reached(self.viewer, declared.column, condition)
            else:
                key: Any = key_of(target)
                seen = select(target.__table__) if owned_through(declared.column) else visible(target, self.viewer)
                conditions = [condition] if declared.where is None else [condition, declared.where]
                found, order = seen.where(*conditions).order_by(key).limit(LIST_CAP), at(inner, key)
        if not is_list and not field.may_be_null:
            raise Unplannable("may be null")
        if shown is None:
            text = self.object(field.type_, field.nodes, inner, field.weight)
        elif is_list:
            text = value_of(shown, at(inner, shown), field.type_.name, {})
        else:
            # What is null costs nothing: it has no mark.
            value = text_of(shown, at(inner, shown), field.type_.name, {})
            text = or_else(joined(words(self.mark(field.weight)), value), "null")
        rows = found.subquery(inner)
        if is_list:
            texts: Any = select(json_text.listed(text, order)).select_from(rows).scalar_subquery()
            return texts if shown is None else joined(words(self.mark(field.weight)), texts)
        return or_else(select(text).select_from(rows).limit(1).scalar_subquery(), "null")

    def hole(self, row: type[Base], reads: Sequence[str] | None, alias: str, shape: Shape) -> ColumnElement[str]:
        """A hole, to be filled with what Python makes of the columns `reads` of a row, or of all of them."""
        names = [column.name for column in columns(row)] if reads is None else reads
        found: list[Any] = [row.__table__.columns[name] for name in names]
        part: Any = namedtuple(row.__name__, names)  # type: ignore[misc]
        make = record_class(row) if reads is None else part._make
        readers = [json_text.reader_of(column) for column in found]
        self.holes.append(Hole(make, readers if any(readers) else (), shape))
        return json_text.hole(len(self.holes) - 1, [(column, at(alias, column)) for column in found])


def at(alias: str, column: Any) -> ColumnElement[Any]:
    """A column of an alias, by name: it does not draw the alias's rows into a statement below it."""
    return literal_column(f"{alias}.{column.name}", column.type)


def is_typename(nodes: Nodes) -> bool:
    return nodes[0].node.name.value == "__typename"


def as_leaf(serialize: Callable[[Any], Any], may_be_null: bool, _run: Any, value: Any) -> Any:
    if value is None and not may_be_null:
        raise Unplannable("null")
    return None if value is None else serialize(value)


def as_text(place: int, _run: Any, row: Any) -> Any:
    return orjson.Fragment(row[place])


def as_object(parts: Mapping[str, Shape], run: Any, value: Any) -> Any:
    return {key: part(run, value) for key, part in parts.items()}
