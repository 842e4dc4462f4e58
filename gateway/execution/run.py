"""Running plans: one prepared statement for each root field, its text put into the answer as it came."""

import asyncio
import re
import sqlite3
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import orjson
import structlog
from graphql import GraphQLSchema, OperationDefinitionNode
from graphql.execution.values import get_argument_values, get_variable_values
from sqlalchemy import ColumnElement, Integer, Select, String, bindparam, literal_column, select

from datastore.database import Database
from datastore.keyset import Cursors, InvalidCursor, count_statement, cursor_key, cut, page_info, page_statement
from datastore.viewer import TenantKind, Viewer
from gateway.documents import ParsedDocument
from gateway.execution.arguments import Arguments
from gateway.execution.json_text import BROKEN, HOLE, HOLE_END, SEPARATOR, Unplannable
from gateway.execution.plan import PagePlan, Plan, Root, Whole
from gateway.execution.planner import FIRST_WEIGHT, Planner
from gateway.execution.reads import Reads
from resolvers.context import Context
from resolvers.errors import Refused
from resolvers.wanted import Wanted, WantedByKey, WantedPage, WantedRow
from schema.cost import PriceList

logger = structlog.stdlib.get_logger(__name__)

HOLES = re.compile(f"{HOLE}([0-9]+){SEPARATOR}([^{HOLE_END}]*){HOLE_END}")
MOST_SHAPES = 30
"""Most statements kept for one root field of one plan."""
MOST_PLANS = 20
"""Most plans kept for one document."""
BYTES_OF_A_CHARACTER = 20
"""A statement takes as much as a document of so many times fewer characters."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a plan answered: the JSON of `data`, and the points of the objects in it."""

    data: bytes
    points: int


@dataclass(frozen=True, slots=True)
class Prepared:
    """A statement as the database takes it, and the names of its parameters with their fixed values and encoders."""

    sql: str
    names: Sequence[str]
    fixed: Mapping[str, Any]
    encoders: Mapping[str, Any]
    readers: Sequence[Any] = ()
    """What makes of the values after the text what SQLAlchemy would; None where they are that already."""

    def arguments(self, values: Mapping[str, Any]) -> list[Any]:
        """The values in the order of the parameters."""
        found = []
        for name in self.names:
            value = values[name] if name in values else self.fixed[name]
            encode = self.encoders.get(name)
            found.append(value if encode is None else encode(value))
        return found


ANONYMOUS_OF = {kind: Viewer(0, kind) for kind in TenantKind}
"""A viewer of each kind who is nobody in particular."""
TOO_DEEP = Prepared("", (), {}, {})
"""Stands for a statement that SQLite cannot read."""


async def together(parts: Iterable[Coroutine[Any, Any, str]]) -> list[str]:
    """What all of them answer. If one fails, none is left running."""
    tasks = [asyncio.ensure_future(part) for part in parts]
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


def read_all(readers: Sequence[Any], values: Sequence[Any]) -> list[Any]:
    return [read(value) if read else value for value, read in zip(values, readers, strict=True)]


class Run:
    """One execution of a plan."""

    def __init__(
        self, executor: "Executor", parsed: ParsedDocument, plan: Plan, context: Context, variables: Any
    ) -> None:
        self.executor = executor
        self.parsed = parsed
        self.plan = plan
        self.context = context
        self.variables = variables
        self.points = 0

    async def answer(self) -> Answer:
        """Raises Unplannable where only the ordinary execution can tell what is to be answered."""
        roots = self.plan.roots
        parts = [await self.root(roots[0])] if len(roots) == 1 else await together(map(self.root, roots))
        text = "{" + ",".join(parts) + "}"
        if BROKEN in text:
            raise Unplannable("a row without a text")
        for place, weight in enumerate(self.plan.weights):
            mark = chr(FIRST_WEIGHT + place)
            count = text.count(mark)
            if count:
                self.points += weight * count
                text = text.replace(mark, "")
        return Answer(text.encode(), self.points)

    async def root(self, root: Root | Whole | tuple[str, str]) -> str:
        """A root field with its key."""
        if isinstance(root, tuple):
            return f'"{root[0]}":"{root[1]}"'
        if isinstance(root, Whole):
            return await self.whole(root)
        wanted = self.wanted(root)
        if wanted is None:
            return f'"{root.key}":null'
        if isinstance(wanted, WantedPage):
            return f'"{root.key}":{await self.page(root, wanted)}'
        rows = await self.rows(root, wanted)
        if isinstance(wanted, WantedRow):
            return f'"{root.key}":{self.one(wanted, rows)}'
        assert isinstance(wanted, WantedByKey)
        by_key = {row[1]: row for row in rows}
        found = {by_key[key][2]: by_key[key][0] for key in wanted.keys if key in by_key}
        return f'"{root.key}":[{",".join(map(self.filled, found.values()))}]'

    async def whole(self, root: Whole) -> str:
        value = await root.resolve(self.context)
        self.points += root.weight
        parts = []
        for part in root.parts:
            if isinstance(part, Root):
                parts.append(await self.root(part))
            else:
                parts.append(f'"{part[0]}":{orjson.dumps(part[1](self, value)).decode()}')
        return f'"{root.key}":{{{",".join(parts)}}}'

    def wanted(self, root: Root) -> Wanted | None:
        executor = self.executor
        given: dict[str, Any] = {}
        if root.graphql_field.args:
            values = get_argument_values(root.graphql_field, root.node, self.variables)
            if root.arguments is None:
                root.arguments = Arguments(root.definition.arguments, executor.scalars, executor.config)
            given = root.arguments.read(values)
        return root.reading.ask(self.context.viewer, **given)

    def one(self, wanted: WantedRow, rows: Sequence[Any]) -> str:
        if not rows:
            return "null"
        if wanted.settled_by and rows[0][1] in wanted.unsettled_values:
            raise Unplannable("what is answered is not what is stored")
        return self.filled(rows[0][0])

    async def rows(self, root: Root, wanted: Wanted, **more: Any) -> Sequence[Any]:
        settled_by = wanted.settled_by if isinstance(wanted, WantedRow) else ""
        shape = (wanted.row, wanted.shape, settled_by, *more.pop("shape", ()))
        prepared = root.compiled.get(shape)
        if prepared is None:
            if len(root.compiled) >= MOST_SHAPES:
                root.compiled.clear()
            again = self.plan.again()
            anew = again.readings()[self.plan.readings().index(root)]
            prepared = root.compiled[shape] = self.executor.prepare(again.viewer, anew, wanted, more)
            self.parsed.size += len(prepared.sql) // BYTES_OF_A_CHARACTER
        if prepared is TOO_DEEP:
            raise Unplannable("too deep for SQLite")
        viewer = self.context.viewer
        values = {
            "viewer_organisation_id": viewer.organisation_id,
            "viewer_customer_ids": viewer.customer_ids,
            **wanted.values,
            **more,
        }
        try:
            rows = await self.executor.reads.fetch(prepared.sql, prepared.arguments(values))
        except sqlite3.OperationalError as error:
            if "parser stack overflow" not in str(error):
                raise
            # The next one need not find out again.
            root.compiled[shape] = TOO_DEEP
            raise Unplannable("too deep for SQLite") from None
        if any(prepared.readers):
            width = len(rows[0]) - len(prepared.readers) if rows else 0
            return [(*row[:width], *read_all(prepared.readers, row[width:])) for row in rows]
        return rows

    async def page(self, root: Root, wanted: WantedPage) -> str:
        """A connection."""
        plan = root.page
        assert plan, "it was planned as a page"
        order, window = wanted.order, wanted.window
        secret = await cursor_key(self.context.database)
        cursor_of = cache(lambda: Cursors(secret, wanted.query, order))
        backwards = window.first is None
        given = window.before if backwards else window.after
        after = [] if given is None else cursor_of().open(given)
        if any(isinstance(value, ColumnElement) for value in after):
            raise Unplannable("a cursor with a value that is no parameter")
        names = {name for _, name in plan.parts}
        rows: Sequence[Any] = []
        more = False
        if names & {"nodes", "edges", "pageInfo"}:
            places = {f"after{place}": value for place, value in enumerate(after)}
            shape = (order.names, order.descending, backwards, len(after))
            found = await self.rows(root, wanted, shape=shape, limit=window.size + 1, **places)
            rows, more = cut(found, window)
        cursors: dict[int, str] = {}
        width = len(plan.texts) or 1

        def cursor(place: int) -> str:
            if place not in cursors:
                cursors[place] = cursor_of().make(rows[place][width:])
            return cursors[place]

        def text(part: str, place: int) -> str:
            return self.filled(rows[place][plan.texts[part]])

        count = await self.count(root, wanted) if names & {"totalItems", "totalPages"} else 0
        parts = []
        self.points += root.weight
        for key, name in plan.parts:
            if name == "__typename":
                value = f'"{plan.type_names[""]}"'
            elif name == "nodes":
                value = f"[{','.join(text(key, place) for place in range(len(rows)))}]"
            elif name == "edges":
                self.points += plan.weights[name] * len(rows)
                value = f"[{','.join(self.edge(plan, key, place, text, cursor) for place in range(len(rows)))}]"
            elif name == "pageInfo":
                self.points += plan.weights[name]
                info = page_info(window, more, cursor(0) if rows else None, cursor(len(rows) - 1) if rows else None)
                value = orjson.dumps(self.info(plan, key, info)).decode()
            else:
                self.points += plan.weights[name]
                value = str(count if name == "totalItems" else -(-count // window.size))
            parts.append(f'"{key}":{value}')
        return f"{{{','.join(parts)}}}"

    def edge(self, plan: PagePlan, key: str, place: int, text: Any, cursor: Any) -> str:
        parts = []
        for each, name in plan.edges[key]:
            if name == "node":
                parts.append(f'"{each}":{text(f"{key}.{each}", place)}')
            else:
                value = cursor(place) if name == "cursor" else plan.type_names[key]
                parts.append(f'"{each}":"{value}"')
        return f"{{{','.join(parts)}}}"

    def info(self, plan: Any, key: str, info: Any) -> dict[str, Any]:
        values = {
            "__typename": plan.type_names[key],
            "hasNextPage": info.has_next_page,
            "hasPreviousPage": info.has_previous_page,
            "startCursor": info.start_cursor,
            "endCursor": info.end_cursor,
        }
        return {each: values[name] for each, name in plan.info[key]}

    async def count(self, root: Root, wanted: WantedPage) -> int:
        (row,) = await self.rows(root, wanted, shape=("count",))
        return int(row[0])

    def filled(self, text: str) -> str:
        """The text with its holes filled."""
        return HOLES.sub(self.fill, text) if HOLE in text else text

    def fill(self, found: re.Match[str]) -> str:
        hole = self.plan.holes[int(found[1])]
        return orjson.dumps(hole.fill(self, orjson.loads(found[2]))).decode()


class Executor:
    """Plans and runs the queries of a schema on one database."""

    def __init__(self, schema: Any, prices: PriceList, database: Database) -> None:
        self.schema: GraphQLSchema = schema._schema
        self.config = schema.config
        self.scalars = schema.schema_converter.scalar_registry
        self.prices = prices
        self.database = database
        self.reads = Reads(database)

    async def run(
        self, parsed: ParsedDocument, operation: OperationDefinitionNode, given: Mapping[str, Any], context: Context
    ) -> Answer | None:
        """The answer to a query of a document that is known to be valid. None where only the ordinary execution knows
        the answer: what cannot be planned, and whatever has an error in it."""
        try:
            variables = get_variable_values(self.schema, operation.variable_definitions or (), dict(given))
            if isinstance(variables, list):
                return None
            plan = self.plan(parsed, operation, variables, context.viewer)
            return await Run(self, parsed, plan, context, variables).answer()
        except (Unplannable, Refused, InvalidCursor):
            return None
        except Exception:
            # The ordinary execution will find the same, and tell it in the right place; if not, this is a bug.
            logger.exception("plan_failed")
            return None

    def plan(self, parsed: ParsedDocument, operation: OperationDefinitionNode, variables: Any, viewer: Viewer) -> Plan:
        """The plan for a document, operation, kind of viewer and conditions. Raises Unplannable."""
        conditions = {name: variables.coerced.get(name) for name in parsed.condition_names()}
        key = (operation.name.value if operation.name else "", viewer.kind, *conditions.values())
        plan = parsed.plans.get(key)
        if plan is None:
            if len(parsed.plans) >= MOST_PLANS:
                parsed.plans.clear()
            try:
                # No more of the request than that: the plan outlives it.
                given = (self.schema, self.prices, parsed, operation, conditions, ANONYMOUS_OF[viewer.kind])
                plan = Planner(*given).plan().forget_texts()
            except Unplannable as reason:
                plan = reason
            parsed.plans[key] = plan
        if isinstance(plan, Unplannable):
            raise plan
        return plan

    def prepare(self, viewer: Viewer, root: Root, wanted: Wanted, more: Mapping[str, Any]) -> Prepared:
        """The statement of a root field for one shape of what is wanted."""
        values = {name: parameter(name, value) for name, value in wanted.values.items()}
        statement = wanted.statement(viewer, values)
        extras: list[Any] = []
        if isinstance(wanted, WantedPage):
            if "limit" not in more:
                return self.compiled(count_statement(statement))
            by = wanted.order.by
            after = [bindparam(f"after{place}", type_=each.type) for place, each in enumerate(by)]
            backwards = wanted.window.first is None
            limit: Any = bindparam("limit", type_=Integer())
            statement = page_statement(statement, wanted.order, backwards, after if "after0" in more else None, limit)
            extras = [literal_column(f"r0.sort{place}", each.type) for place, each in enumerate(by)]
            descending = wanted.order.descending != backwards
            base = statement.subquery("r0")
            texts = root.texts.get(wanted.row) or [literal_column("''")]
            order = [each.desc() if descending else each.asc() for each in extras]
            chosen: Any = select(*texts, *extras)
            return self.compiled(chosen.select_from(base).order_by(*order), extras)
        if isinstance(wanted, WantedRow):
            statement = statement.limit(1)
            if wanted.settled_by:
                extras = [literal_column(f"r0.{wanted.settled_by}")]
        if isinstance(wanted, WantedByKey):
            key = list(statement.selected_columns)[-1]
            statement = statement.add_columns(key.label("wanted_key"))
            extras = [literal_column("r0.wanted_key"), literal_column(f"r0.{wanted.identity}")]
        wanted_columns: Any = select(*root.texts[wanted.row], *extras)
        return self.compiled(wanted_columns.select_from(statement.subquery("r0")))

    def compiled(self, statement: Select[Any], extras: Sequence[Any] = ()) -> Prepared:
        dialect = self.database.engine.dialect
        compiled: Any = statement.compile(dialect=dialect)
        readers = [each.type.dialect_impl(dialect).result_processor(dialect, None) for each in extras]
        return Prepared(str(compiled), compiled.positiontup, compiled.params, compiled._bind_processors, readers)


def parameter(name: str, value: Any) -> Any:
    """A parameter in place of a value. What it is compared with gives it its type; a text may be put together first."""
    return bindparam(name, type_=String() if isinstance(value, str) else None)
