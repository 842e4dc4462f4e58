"""From a document to a plan: what is selected below each root field, as one SQL expression that makes JSON text.

A plan is made once for an operation, the values of its `@skip` and `@include` conditions, and the kind of its viewer.
It is made of the declarations that the schema is made of (`one`, `many`, `computed` ...), and reads only what is
selected.
What it cannot do raises `Unplannable`: the whole operation is then run in the ordinary way.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from graphql import (
    FieldNode,
    GraphQLEnumType,
    GraphQLField,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    OperationDefinitionNode,
    SelectionSetNode,
    get_named_type,
    get_nullable_type,
    is_abstract_type,
    is_list_type,
    is_non_null_type,
)
from sqlalchemy import JSON, BigInteger, Column, ColumnElement, Enum, bindparam, literal_column, select
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.enum import StrawberryEnumDefinition

from datastore.base import Base
from datastore.loaders import LIST_CAP, owned_through
from datastore.reading import columns, key_of, visible
from datastore.viewer import Viewer
from gateway.documents import ParsedDocument
from gateway.execution.computed import Hole, as_it_is, definition_of, part_of, scalar, shape_of
from gateway.execution.json_text import (
    Unplannable,
    hole,
    joined,
    listed,
    or_broken,
    or_null,
    reader_of,
    value_of,
    words,
)
from gateway.execution.plan import PagePlan, Plan, Root, Whole
from gateway.execution.selection import Selection
from resolvers.wanted import Reading
from schema.cost import PriceList
from schema.node import NODES
from schema.view import DECLARED, ROWS, Computed, Many, One, Selected, Sensitive

FIRST_WEIGHT = 0x0E
MOST_WEIGHTS = 0x20 - FIRST_WEIGHT


def viewer_of_plan(viewer: Viewer) -> Viewer:
    """A viewer of the same kind, with parameters in place of what its statements compare with."""
    own: Any = bindparam("viewer_organisation_id", type_=BigInteger())
    ids: Any = bindparam("viewer_customer_ids")
    return replace(viewer, organisation_id=own, customer_ids=ids)


class Planner:
    """Plans one operation."""

    def __init__(
        self,
        schema: GraphQLSchema,
        prices: PriceList,
        parsed: ParsedDocument,
        operation: OperationDefinitionNode,
        variables: Mapping[str, Any],
        viewer: Viewer,
    ) -> None:
        self.given = (schema, prices, parsed, operation, variables, viewer)
        self.schema = schema
        self.prices = prices.fields
        self.operation = operation
        self.selection = Selection(schema, parsed.document, variables)
        self.viewer = viewer_of_plan(viewer)
        self.holes: list[Hole] = []
        self.weights: list[int] = []
        self.aliases = 0

    def plan(self) -> Plan:
        """Raises Unplannable."""
        root = self.schema.query_type
        assert root, "a schema has queries"
        selected = self.selection.of(root, [self.operation.selection_set])
        roots = [self.root(root, key, nodes) for key, nodes in selected.items()]
        return Plan(roots, self.holes, self.weights, self.viewer, lambda: Planner(*self.given).plan())

    def root(self, parent: GraphQLObjectType, key: str, nodes: list[FieldNode]) -> Root | Whole | tuple[str, str]:
        name = nodes[0].name.value
        if name == "__typename":
            return key, parent.name
        if name not in parent.fields:
            raise Unplannable(name)
        graphql_field = parent.fields[name]
        definition = definition_of(graphql_field)
        declared = definition.metadata.get(DECLARED)
        type_ = get_named_type(graphql_field.type)
        below = [node.selection_set for node in nodes if node.selection_set]
        weight = self.prices[parent.name][name].weight
        if isinstance(declared, Reading):
            return self.reading(Root(key, declared, graphql_field, definition, nodes[0], weight), type_, below)
        if not callable(declared) or graphql_field.args or not isinstance(type_, GraphQLObjectType):
            raise Unplannable(name)
        return Whole(
            key,
            declared,
            weight,
            [self.part(type_, key, nodes) for key, nodes in self.selection.of(type_, below).items()],
        )

    def reading(self, root: Root, type_: Any, below: list[SelectionSetNode]) -> Root:
        if is_abstract_type(type_):
            for possible in self.schema.get_possible_types(type_):
                self.aliases = 0
                root.texts[ROWS[possible.name]] = [self.object(possible, below, "r0", root.weight)]
        elif type_.name in ROWS:
            root.texts[ROWS[type_.name]] = [self.object(type_, below, "r0", root.weight)]
        else:
            root.page = self.page(root, type_, below)
        return root

    def part(self, parent: GraphQLObjectType, key: str, nodes: list[FieldNode]) -> tuple[str, Any] | Root:
        """A field of a value that is no row: `(key, function of the run and the value)`, or what is read."""
        name = nodes[0].name.value
        if name == "__typename":
            return key, lambda _run, _value: parent.name
        graphql_field = parent.fields[name]
        definition = definition_of(graphql_field)
        declared = definition.metadata.get(DECLARED)
        type_ = get_named_type(graphql_field.type)
        weight = self.prices[parent.name][name].weight
        if isinstance(declared, Reading):
            below = [node.selection_set for node in nodes if node.selection_set]
            return self.reading(Root(key, declared, graphql_field, definition, nodes[0], weight), type_, below)
        if not isinstance(type_, GraphQLScalarType | GraphQLEnumType):
            raise Unplannable(name)
        shaped = scalar(type_, is_list_type(get_nullable_type(graphql_field.type)), weight)
        if isinstance(declared, Computed):
            return key, lambda run, value: shaped(run, declared.of(value))
        if declared is None and definition.base_resolver is None:
            return key, lambda run, value: shaped(run, getattr(value, definition.python_name))
        raise Unplannable(name)

    def page(self, root: Root, type_: Any, below: list[SelectionSetNode]) -> PagePlan:
        """The parts of a connection. Each selection of nodes has a text of its own."""
        page = PagePlan([], {}, {}, {}, {"": type_.name}, {})
        for key, nodes in self.selection.of(type_, below).items():
            name = nodes[0].name.value
            page.parts.append((key, name))
            if name == "__typename":
                continue
            page.weights[name] = self.prices[type_.name][name].weight
            sets = [node.selection_set for node in nodes if node.selection_set]
            part = get_named_type(type_.fields[name].type)
            if name == "nodes":
                page.texts[key] = self.text_of_nodes(root, part, sets, page.weights[name])
            elif name in ("pageInfo", "edges"):
                page.type_names[key] = part.name
                inner = self.selection.of(part, sets)
                parts = [(each, found[0].name.value) for each, found in inner.items()]
                (page.info if name == "pageInfo" else page.edges)[key] = parts
                for each, found in inner.items():
                    if found[0].name.value == "node":
                        weight = self.prices[part.name]["node"].weight
                        below_it = [node.selection_set for node in found if node.selection_set]
                        node_type = get_named_type(part.fields["node"].type)
                        page.texts[f"{key}.{each}"] = self.text_of_nodes(root, node_type, below_it, weight)
            elif name not in ("totalItems", "totalPages"):
                raise Unplannable(name)
        return page

    def text_of_nodes(self, root: Root, type_: Any, sets: list[SelectionSetNode], weight: int) -> int:
        """The place of a new text of the nodes."""
        if type_.name not in ROWS:
            raise Unplannable("nodes that are no rows")
        texts = root.texts.setdefault(ROWS[type_.name], [])
        texts.append(self.object(type_, sets, "r0", weight))
        return len(texts) - 1

    def object(self, type_: Any, sets: list[SelectionSetNode], alias: str, weight: int) -> ColumnElement[str]:
        """The JSON text of the rows of an alias, as objects of a type."""
        parts: list[ColumnElement[str] | str] = [f"{self.mark(weight)}{{"]
        for place, (key, nodes) in enumerate(self.selection.of(type_, sets).items()):
            parts.append(f'{"," if place else ""}"{key}":')
            parts.append(self.field(type_, nodes, alias))
        parts.append("}")
        return or_broken(joined(*merged(parts)))

    def mark(self, weight: int) -> str:
        """The mark that stands in the text for so many points."""
        if not weight:
            return ""
        if weight not in self.weights:
            if len(self.weights) == MOST_WEIGHTS:
                raise Unplannable("too many weights")
            self.weights.append(weight)
        return chr(FIRST_WEIGHT + self.weights.index(weight))

    def field(self, type_: Any, nodes: list[FieldNode], alias: str) -> Any:
        """The JSON text of one field."""
        name = nodes[0].name.value
        if name == "__typename":
            return f'"{type_.name}"'
        graphql_field = type_.fields[name]
        definition = definition_of(graphql_field)
        declared: Any = definition.metadata.get(DECLARED)
        row = ROWS[type_.name]
        sets = [node.selection_set for node in nodes if node.selection_set]
        weight = self.prices[type_.name][name].weight
        if declared is None and definition.base_resolver is None:
            return self.column(graphql_field, row, row.__table__.columns[definition.python_name], alias)
        if isinstance(declared, One):
            return self.one(graphql_field, declared, row, sets, alias, weight)
        if isinstance(declared, Many):
            return self.many(graphql_field, declared, row, sets, alias, weight)
        if isinstance(declared, Selected):
            return self.selected(graphql_field, declared, row, sets, alias, weight)
        if isinstance(declared, Computed):
            reads = (NODES[type_.name].column.key,) if name == "id" else declared.reads
            return self.hole(
                row,
                reads,
                alias,
                lambda _, record: declared.of(record),
                shape_of(self.selection, graphql_field, sets, weight),
            )
        if isinstance(declared, Sensitive):
            info = SimpleNamespace(parent_type=type_, field_name=name, operation=self.operation)

            def reveal(run: Any, record: Any) -> Any:
                sealed = getattr(record, declared.sealed.key)
                return run.context.reveal(info, declared.reveal, declared.sealed, sealed, record.customer_id)

            return self.hole(row, (declared.sealed.key, "customer_id"), alias, reveal, as_it_is)
        raise Unplannable(f"{type_.name}.{name}")

    def column(self, graphql_field: GraphQLField, row: type[Base], column: Column[Any], alias: str) -> Any:
        type_ = get_named_type(graphql_field.type)
        if isinstance(column.type, JSON):
            shape = scalar(type_, is_list_type(get_nullable_type(graphql_field.type)), 0)
            return self.hole(row, (column.name,), alias, lambda _, record: getattr(record, column.name), shape)
        names = {}
        if isinstance(type_, GraphQLEnumType) and isinstance(column.type, Enum):
            names = {member: name for name, member in members_of(type_)}
        if column.nullable and is_non_null_type(graphql_field.type):
            raise Unplannable(f"{column} may be null")
        return value_of(column, at(alias, column), type_.name, names)

    def one(
        self, graphql_field: GraphQLField, declared: One, row: type[Base], sets: Any, alias: str, weight: int
    ) -> ColumnElement[str]:
        if is_non_null_type(graphql_field.type):
            raise Unplannable("may be null")
        target: Any = declared.column.class_
        start = at(alias, row.__table__.columns[declared.via])
        inner = self.next_alias()
        reached = target.reached(self.viewer, declared.column, declared.column == start).subquery(inner)
        text = self.object(get_named_type(graphql_field.type), sets, inner, weight)
        return or_null(select(text).select_from(reached).limit(1).scalar_subquery())

    def many(
        self, graphql_field: GraphQLField, declared: Many, row: type[Base], sets: Any, alias: str, weight: int
    ) -> ColumnElement[str]:
        target: Any = declared.column.class_
        start = at(alias, row.__table__.columns[declared.via])
        statement = select(target.__table__) if owned_through(declared.column) else visible(target, self.viewer)
        conditions = [declared.column == start, *([] if declared.where is None else [declared.where])]
        key: Any = key_of(target)
        inner = self.next_alias()
        rows = statement.where(*conditions).order_by(key).limit(LIST_CAP).subquery(inner)
        text = self.object(get_named_type(graphql_field.type), sets, inner, weight)
        return select(listed(text, at(inner, key))).select_from(rows).scalar_subquery()

    def selected(
        self, graphql_field: GraphQLField, declared: Selected, row: type[Base], sets: Any, alias: str, weight: int
    ) -> ColumnElement[str]:
        start = at(alias, row.__table__.columns[declared.via])
        inner = self.next_alias()
        rows = declared.selection(self.viewer, lambda column: column == start)
        order = [each.label(f"sort{place}") for place, each in enumerate(rows._order_by_clauses)]
        found = rows.add_columns(*order).subquery(inner)
        type_ = get_named_type(graphql_field.type)
        text: Any
        if declared.shows is None:
            text = self.object(type_, sets, inner, weight)
        else:
            column: Any = declared.row.__table__.columns[declared.shows]
            text = value_of(column, at(inner, column), type_.name, {})
        if declared.is_list:
            place: Any = literal_column(f"{inner}.sort0", order[0].type)
            texts: Any = select(listed(text, place)).select_from(found).scalar_subquery()
        else:
            texts = or_null(select(text).select_from(found).limit(1).scalar_subquery())
        return texts if declared.shows is None else joined(words(self.mark(weight)), texts)

    def hole(self, row: type[Base], reads: tuple[str, ...] | None, alias: str, value: Any, shape: Any) -> Any:
        """A hole, to be filled with what Python makes of the columns `reads` of a row, or of all of them."""
        names = tuple(column.name for column in columns(row)) if reads is None else reads
        found: list[Any] = [row.__table__.columns[name] for name in names]
        self.holes.append(Hole(part_of(row, names), [reader_of(column) for column in found], value, shape))
        return hole(len(self.holes) - 1, [(column, at(alias, column)) for column in found])

    def next_alias(self) -> str:
        self.aliases += 1
        return f"r{self.aliases}"


def at(alias: str, column: Any) -> ColumnElement[Any]:
    """A column of an alias, by name: it does not draw the alias's rows into a statement below it."""
    return literal_column(f"{alias}.{column.name}", column.type)


def merged(parts: list[Any]) -> Iterator[ColumnElement[str]]:
    """The parts with neighbouring words as one."""
    waiting = ""
    for part in parts:
        if isinstance(part, str):
            waiting += part
            continue
        if waiting:
            yield words(waiting)
        waiting = ""
        yield part
    if waiting:
        yield words(waiting)


def members_of(type_: GraphQLEnumType) -> Iterator[tuple[str, Any]]:
    """Name and stored member of each value of an enum."""
    definition: StrawberryEnumDefinition = type_.extensions[GraphQLCoreConverter.DEFINITION_BACKREF]
    for value in definition.values:
        yield value.name, definition.wrapped_cls[value.name]
