"""Running plans: one prepared statement for each root field, its text put into the answer as it came."""

import asyncio
import sqlite3
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from operator import attrgetter
from typing import Any, NamedTuple

import orjson
import structlog
from graphql import GraphQLError, GraphQLSchema, OperationDefinitionNode
from sqlalchemy import BigInteger, ColumnElement, Integer, Select, String, bindparam, literal_column, select

from datastore import keyset
from datastore.database import Database
from datastore.keyset import Cursors, InvalidCursor, PageInfo, Window
from datastore.viewer import TenantKind, Viewer
from gateway.arguments import Arguments, NoValue, variables_of
from gateway.documents import ParsedDocument
from gateway.execution.json_text import BROKEN, HOLE, HOLE_END, Unplannable, as_bytes
from gateway.execution.plan import Plan, Root, Whole
from gateway.execution.planner import FIRST_WEIGHT, MOST_WEIGHTS, Planner
from gateway.reads import Reads
from resolvers.context import Context
from resolvers.errors import Refused
from resolvers.wanted import Wanted, WantedByKey, WantedPage, WantedRow
from schema.cost import PriceList

logger = structlog.stdlib.get_logger(__name__)

MOST_SHAPES = 30
"""Most statements kept for one root field of one plan."""
MOST_PLANS = 20
"""Most plans kept for one document."""
BYTES_OF_A_CHARACTER = 20
"""A statement takes as much as a document of so many times fewer characters."""


class Answer(NamedTuple):
    """What a plan answered: the JSON of `data`, and the points of the objects in it."""

    data: bytes
    points: int


@dataclass(frozen=True, slots=True)
class Prepared:
    """A statement as the database takes it, with the name, fixed value and encoder of each of its parameters."""

    sql: str
    parameters: Sequence[tuple[str, Any, Callable[[Any], Any] | None]]
    readers: Sequence[Any] = ()
    """What makes of the values after the texts what SQLAlchemy would; None where they are that already."""

    def arguments(self, values: Mapping[str, Any]) -> list[Any]:
        """The values in the order of the parameters."""
        return [
            values.get(name, fixed) if encode is None else encode(values.get(name, fixed))
            for name, fixed, encode in self.parameters
        ]

    def sort_values(self, row: Sequence[Any]) -> list[Any]:
        """The values after the texts of a row."""
        values = row[len(row) - len(self.readers) :]
        return [read(value) if read else value for read, value in zip(self.readers, values, strict=True)]


OF_VIEWER: Any = {
    "organisation_id": bindparam("viewer_organisation_id", type_=BigInteger()),
    "company_id": bindparam("viewer_company_id", type_=BigInteger()),
    **{name: bindparam(f"viewer_{name}") for name in ("customer_ids", "employee_ids", "family_member_ids")},
}
VIEWERS = {kind: Viewer(kind=kind, **OF_VIEWER) for kind in TenantKind}
"""A viewer of each kind who is nobody in particular: with parameters in place of what statements compare with."""
VIEWER_VALUES = [(each.key, attrgetter(name)) for name, each in OF_VIEWER.items()]
"""The names of these parameters, and what a viewer has for them."""
MARKS = [b"%c" % mark for mark in range(FIRST_WEIGHT, FIRST_WEIGHT + MOST_WEIGHTS)]
TOO_DEEP = Prepared("", ())
"""Stands for a statement that SQLite cannot read."""


@dataclass(frozen=True, slots=True)
class Found:
    """A page, with the attributes that are shown of one; its nodes are rows of texts."""

    nodes: Sequence[Any]
    more: bool
    window: Window
    total_items: int
    cursor: Callable[[Any], str]

    @property
    def edges(self) -> "list[FoundEdge]":
        return [FoundEdge(row, self.cursor) for row in self.nodes]

    @property
    def page_info(self) -> PageInfo:
        ends = [self.cursor(self.nodes[place]) if self.nodes else None for place in (0, -1)]
        return keyset.page_info(self.window, self.more, *ends)

    @property
    def total_pages(self) -> int:
        return -(-self.total_items // self.window.size)


@dataclass(frozen=True, slots=True)
class FoundEdge:
    """An edge of a page."""

    node: Any
    cursor_of: Callable[[Any], str]

    @property
    def cursor(self) -> str:
        return self.cursor_of(self.node)


@dataclass(slots=True)
class Run:
    """One execution of a plan."""

    executor: "Executor"
    parsed: ParsedDocument
    plan: Plan
    context: Context
    variables: Mapping[str, Any]
    points: int = 0

    async def answer(self) -> Answer:
        """Raises Unplannable where only the ordinary execution can tell what is to be answered."""
        roots = self.plan.roots
        if len(roots) == 1:
            found = [await self.root(root) for root in roots.values()]
        else:
            found = await together(map(self.root, roots.values()))
        data = orjson.dumps(dict(zip(roots, found, strict=True)))
        if BROKEN.encode() in data:
            raise Unplannable("a row without a text")
        if HOLE.encode() in data:
            data = self.filled(data)
        for mark, weight in zip(MARKS, self.plan.weights, strict=False):
            if count := data.count(mark):
                self.points += weight * count
                data = data.replace(mark, b"")
        return Answer(data, self.points)

    def filled(self, data: bytes) -> bytes:
        """The texts with their holes filled."""
        first, *found = data.split(HOLE.encode())
        raw, texts = zip(*(each.split(HOLE_END.encode()) for each in found), strict=True)
        values = orjson.loads(b"[" + b",".join(raw) + b"]")
        holes, parts = self.plan.holes, [first]
        for (number, *given), text in zip(values, texts, strict=True):
            parts += [orjson.dumps(holes[number].fill(self, given)), text]
        return b"".join(parts)

    async def root(self, root: Root | Whole | str) -> Any:
        """The value of a root field, or of a part of one that is read."""
        if isinstance(root, Root):
            wanted = root.reading.ask(self.context.viewer, **root.arguments(self.variables))
            return None if wanted is None else await self.read(root, wanted)
        if isinstance(root, str):
            return root
        value = await root.resolve(self.context)
        self.points += root.weight
        return {
            key: await self.root(part) if isinstance(part, Root) else part(self, value)
            for key, part in root.parts.items()
        }

    async def read(self, root: Root, wanted: Wanted) -> Any:
        if isinstance(wanted, WantedPage):
            return await self.page(root, wanted)
        if isinstance(wanted, WantedRow):
            rows, _ = await self.rows(root, wanted, wanted.settled_by)
            if rows and wanted.settled_by and rows[0][1] in wanted.unsettled_values:
                raise Unplannable("what is answered is not what is stored")
            return orjson.Fragment(rows[0][0]) if rows else None
        assert isinstance(wanted, WantedByKey)
        rows, _ = await self.rows(root, wanted)
        by_key = {key: (identity, text) for text, key, identity in rows}
        found = dict(by_key[key] for key in wanted.keys if key in by_key)
        return [orjson.Fragment(text) for text in found.values()]

    async def page(self, root: Root, wanted: WantedPage) -> Any:
        """A connection."""
        order, window = wanted.order, wanted.window
        secret = await keyset.cursor_key(self.context.database)
        cursors = cache(lambda: Cursors(secret, wanted.query, order))
        backwards = window.first is None
        given = window.before if backwards else window.after
        after = [] if given is None else cursors().open(given)
        if any(isinstance(value, ColumnElement) for value in after):
            raise Unplannable("a cursor with a value that is no parameter")
        rows: Sequence[Any] = []
        more, total = False, 0
        prepared = TOO_DEEP
        if root.has_rows:
            places = {f"after{place}": value for place, value in enumerate(after)}
            shape = (order.names, order.descending, backwards, len(after))
            found, prepared = await self.rows(root, wanted, shape, limit=window.size + 1, **places)
            rows, more = keyset.cut(found, window)
        if root.has_count:
            ((total,),), _ = await self.rows(root, wanted, "count")
        page = Found(rows, more, window, total, lambda row: cursors().make(prepared.sort_values(row)))
        self.points += root.weight
        return {key: part(self, page) for key, part in root.page.items()}

    async def rows(self, root: Root, wanted: Wanted, shape: Any = (), **more: Any) -> tuple[Sequence[Any], Prepared]:
        """The rows of a statement, and the statement: it is made once for each shape."""
        shape = (wanted.row, wanted.shape, shape)
        prepared = root.compiled.get(shape)
        if prepared is None:
            prepared = self.prepare(root, wanted, more)
            if len(root.compiled) >= MOST_SHAPES:
                root.compiled.clear()
            root.compiled[shape] = prepared
            self.parsed.size += len(prepared.sql) // BYTES_OF_A_CHARACTER
        if prepared is TOO_DEEP:
            raise Unplannable("too deep for SQLite")
        of_viewer = {name: value(self.context.viewer) for name, value in VIEWER_VALUES}
        values = {**of_viewer, **wanted.values, **more}
        try:
            return await self.executor.reads.fetch(prepared.sql, prepared.arguments(values)), prepared
        except sqlite3.OperationalError as error:
            if "parser stack overflow" not in str(error):
                raise
            # The next one need not find out again.
            root.compiled[shape] = TOO_DEEP
            raise Unplannable("too deep for SQLite") from None

    def prepare(self, root: Root, wanted: Wanted, more: Mapping[str, Any]) -> Prepared:
        """The statement of a root field for one shape of what is wanted."""
        again = self.plan.again()
        found = again.readings[self.plan.readings.index(root)].texts.get(wanted.row, ())
        texts: list[Any] = [as_bytes(text) for text in found]
        values = {name: parameter(name, value) for name, value in wanted.values.items()}
        statement = wanted.statement(VIEWERS[self.context.viewer.kind], values)
        compiled = self.executor.compiled
        if isinstance(wanted, WantedPage):
            if "limit" not in more:
                return compiled(keyset.count_statement(statement))
            by, backwards = wanted.order.by, wanted.window.first is None
            after = [bindparam(f"after{place}", type_=each.type) for place, each in enumerate(by)]
            limit: Any = bindparam("limit", type_=Integer())
            base = keyset.page_statement(statement, wanted.order, backwards, after if "after0" in more else None, limit)
            sorts = [literal_column(f"r0.sort{place}", each.type) for place, each in enumerate(by)]
            order = [each.desc() if wanted.order.descending != backwards else each.asc() for each in sorts]
            rows: Any = select(*texts, *sorts).select_from(base.subquery("r0"))
            return compiled(rows.order_by(*order), sorts)
        if isinstance(wanted, WantedRow):
            statement = statement.limit(1)
            texts += [literal_column(f"r0.{wanted.settled_by}")] if wanted.settled_by else []
        if isinstance(wanted, WantedByKey):
            key = list(statement.selected_columns)[-1]
            statement = statement.add_columns(key.label("wanted_key"))
            texts += [literal_column("r0.wanted_key"), literal_column(f"r0.{wanted.identity}")]
        return compiled(select(*texts).select_from(statement.subquery("r0")))


class Executor:
    """Plans and runs the queries of a schema on one database."""

    def __init__(self, schema: Any, prices: PriceList, database: Database) -> None:
        self.schema: GraphQLSchema = schema._schema
        self.prices = prices
        self.arguments = Arguments(schema.schema_converter.scalar_registry, schema.config)
        self.dialect = database.engine.dialect
        self.reads = Reads(database)

    async def run(
        self, parsed: ParsedDocument, operation: OperationDefinitionNode, given: Mapping[str, Any], context: Context
    ) -> Answer | None:
        """The answer to a query of a document that is known to be valid. None where only the ordinary execution knows
        the answer: what cannot be planned, and whatever has an error in it."""
        name = operation.name.value if operation.name else ""
        try:
            read = parsed.variables.get(name)
            if read is None:
                read = parsed.variables[name] = variables_of(self.schema, operation)
            variables = read(given)
            plan = self.plan(parsed, operation, variables, context.viewer)
            return await Run(self, parsed, plan, context, variables).answer()
        except (Unplannable, NoValue, Refused, InvalidCursor):
            return None
        except Exception:
            # The ordinary execution will find the same, and tell it in the right place; if not, this is a bug.
            logger.exception("plan_failed")
            return None

    def plan(self, parsed: ParsedDocument, operation: OperationDefinitionNode, variables: Any, viewer: Viewer) -> Plan:
        """The plan for a document, operation, kind of viewer and conditions. Raises Unplannable."""
        conditions = {each: variables.get(each) for each in parsed.condition_names()}
        key = (operation.name.value if operation.name else "", viewer.kind, *conditions.values())
        plan = parsed.plans.get(key)
        if plan is None:
            if len(parsed.plans) >= MOST_PLANS:
                parsed.plans.clear()
            try:
                # No more of the request than that: the plan outlives it.
                about = (parsed.document, operation, conditions, VIEWERS[viewer.kind])
                plan = Planner(self.schema, self.prices, self.arguments, *about).plan()
                for root in plan.readings:
                    root.texts = {}
            except (Unplannable, NoValue, GraphQLError) as reason:
                plan = Unplannable(str(reason))
            parsed.plans[key] = plan
        if isinstance(plan, Unplannable):
            raise plan
        return plan

    def compiled(self, statement: Select[Any], sorts: Sequence[ColumnElement[Any]] = ()) -> Prepared:
        """The statement for the driver; `sorts` are its last columns."""
        compiled: Any = statement.compile(dialect=self.dialect)
        fixed, encoders = compiled.params, compiled._bind_processors
        parameters = [(name, fixed[name], encoders.get(name)) for name in compiled.positiontup]
        readers = [each.type.dialect_impl(self.dialect).result_processor(self.dialect, None) for each in sorts]
        return Prepared(str(compiled), parameters, readers)


async def together(parts: Iterable[Coroutine[Any, Any, Any]]) -> list[Any]:
    """What all of them answer. If one fails, none is left running."""
    tasks = [asyncio.ensure_future(part) for part in parts]
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


def parameter(name: str, value: Any) -> Any:
    """A parameter in place of a value. What it is compared with gives it its type; a text may be put together first."""
    return bindparam(name, type_=String() if isinstance(value, str) else None)
