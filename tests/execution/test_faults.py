"""What goes wrong in the middle, and what is shared: cancelled requests, slow statements, broken values, full caches,
and plans that serve several viewers."""

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import permutations
from typing import Any

import psutil
import pytest
import sqlalchemy as sa
from strawberry.schema.schema_converter import GraphQLCoreConverter

from datastore import customer as stored
from datastore.database import Database
from datastore.viewer import GRANTABLE, Permission, TenantKind
from gateway.documents import Documents
from gateway.execution import run
from gateway.identity.demo import Role
from schema.node import written
from schema.root import schema
from schema.view import DECLARED
from tests.execution.asking import (
    INTERNAL,
    OTHER_INTERNAL,
    OTHER_PARTNER,
    PARTNER,
    Answer,
    Asked,
    a_role,
    both,
    data_of,
    errors_of,
    headers_of,
    same,
)
from tests.execution.documents import Document
from tests.factories.customer import a_customer, a_merged_customer, a_note, an_address, an_ecard, some_customers

Both = tuple[Asked, Asked]
SLOW = {
    "postgresql": "SELECT '{}' FROM pg_sleep(30)",
    "sqlite": "WITH RECURSIVE numbers(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM numbers WHERE x < 500000000)"
    " SELECT count(*) FROM numbers",
}
"""Statements that take longer than any test."""
MOST_STALLED = 1.0
"""Seconds for which the event loop may do nothing else."""
MOST_GROWTH = 40_000_000
"""Bytes by which the process may grow; tracemalloc would tell exactly, but takes minutes."""


@pytest.fixture
async def gateways(url: str) -> AsyncIterator[Both]:
    async with both(url) as made:
        yield made


def headers(role: Role = PARTNER) -> list[tuple[bytes, bytes]]:
    return headers_of(role, "a reason")


def of(customer: stored.Customer, fields: str = "uuid") -> str:
    return f"customer(by: {{customerNumber: {customer.customer_number}}}) {{ {fields} }}"


# Slow and cancelled


@contextmanager
def slow(gateway: Asked, database: Database) -> Iterator[None]:
    """Every planned statement takes long."""
    fetch = gateway.reads.fetch

    async def slowly(_sql: str, _arguments: Any) -> Any:
        return await fetch(SLOW[database.dialect], [])

    gateway.reads.fetch = slowly
    try:
        yield
    finally:
        gateway.reads.fetch = fetch


@asynccontextmanager
async def watched() -> AsyncIterator[list[float]]:
    """The longest time that the event loop did not come back, once the block is left."""
    worst = [0.0]

    async def tick() -> None:
        last = time.perf_counter()
        while True:
            await asyncio.sleep(0.005)
            now = time.perf_counter()
            worst[0] = max(worst[0], now - last)
            last = now

    ticking = asyncio.create_task(tick())
    await asyncio.sleep(0.02)
    try:
        yield worst
    finally:
        await asyncio.sleep(0.02)
        ticking.cancel()


async def active(database: Database) -> int:
    """How many of the slow statements PostgreSQL is running."""
    counted = sa.text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active'"
        " AND pid <> pg_backend_pid() AND query LIKE '%pg_sleep%'"
    )
    async with database.engine.connect() as connection:
        return int(await connection.scalar(counted) or 0)


async def until_active(database: Database, wanted: int) -> None:
    if database.dialect == "sqlite":
        await asyncio.sleep(0.3 if wanted else 0)
        return
    for _ in range(250):
        if await active(database) == wanted:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"{await active(database)} statements are active, and not {wanted}")


async def test_a_cancelled_request_stops_its_statements_and_gives_its_connections_back(
    database: Database, url: str
) -> None:
    kari = await a_customer(database)
    document = Document(f"{{ one: {of(kari)} two: {of(kari, 'version')} }}")
    async with both(url, database_pool_size=2) as gateways:
        planned = gateways[1]
        ordinary = await same(gateways, document.text)
        async with watched() as stalled:
            for _ in range(4):  # more often than there are connections
                with slow(planned, database):
                    asking = asyncio.create_task(planned.ask(document, headers()))
                    await until_active(database, 2)
                    asking.cancel()
                    async with asyncio.timeout(5):
                        with pytest.raises(asyncio.CancelledError):
                            await asking
                await until_active(database, 0)
                before = planned.planned
                async with asyncio.timeout(5):
                    assert await asyncio.gather(*[planned.ask(document, headers()) for _ in range(5)]) == [ordinary] * 5
                assert planned.planned == before + 5
        assert stalled[0] < MOST_STALLED


async def test_a_planned_statement_is_stopped_at_the_time_limit(database: Database, url: str) -> None:
    kari = await a_customer(database)
    document = Document(f"{{ {of(kari)} }}")
    async with both(url, database_pool_size=1, execution_timeout=0.4) as gateways:
        planned = gateways[1]
        ordinary = await same(gateways, document.text)
        for _ in range(3):
            async with watched() as stalled:
                with slow(planned, database):
                    started = time.perf_counter()
                    answer = await planned.ask(document, headers())
                    took = time.perf_counter() - started
            assert answer.status == 503
            assert errors_of(answer)[0]["extensions"]["errorCode"] == "UNAVAILABLE"
            assert took < 2
            assert stalled[0] < MOST_STALLED
            await until_active(database, 0)
            assert await planned.ask(document, headers()) == ordinary


async def test_an_ordinary_statement_is_stopped_at_the_time_limit(
    database: Database, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kari = await a_customer(database)
    document = Document(f"{{ {of(kari)} }}")
    fetch = Database.fetch
    # A thread cannot be stopped from outside: it is to end soon after.
    statement = sa.text(SLOW[database.dialect].replace("500000000", "12000000"))

    async def slowly(self: Database, _statement: Any, _parameters: Any = None) -> Any:
        return await fetch(self, statement)

    async with both(url, database_pool_size=1, execution_timeout=0.4) as gateways:
        standard = gateways[0]
        ordinary = await standard.ask(document, headers())
        with monkeypatch.context() as patched:
            patched.setattr(Database, "fetch", slowly)
            answer = await standard.ask(document, headers())
        assert answer.status == 503
        assert errors_of(answer)[0]["extensions"]["errorCode"] == "UNAVAILABLE"
        await until_active(database, 0)
        async with asyncio.timeout(30):  # the thread goes on for a while, and takes time from the next statement
            while (answer := await standard.ask(document, headers())).status == 503:
                pass
        assert answer == ordinary


async def test_a_statement_that_takes_longer_than_a_moment_is_answered_on_sqlite(
    database: Database, gateways: Both
) -> None:
    if database.dialect != "sqlite":
        pytest.skip("PostgreSQL runs no statement in the gateway's process")
    reads = gateways[1].reads
    sql = SLOW["sqlite"].replace("500000000", "2000000")
    async with watched() as stalled:
        found = await asyncio.gather(*[reads.fetch(sql, []) for _ in range(3)])
    assert found == [[(2_000_000,)]] * 3
    assert stalled[0] < MOST_STALLED


# Broken values


@contextmanager
def failing(name: str, broken: stored.Customer) -> Iterator[None]:
    """The computed field of `Customer` fails for this customer."""
    types: Any = schema._schema.type_map
    declared = types["Customer"].fields[name].extensions[GraphQLCoreConverter.DEFINITION_BACKREF].metadata[DECLARED]
    of, reads = declared.of, declared.reads

    def fail(row: Any) -> Any:
        if row.customer_number == broken.customer_number:
            raise ValueError("broken")
        return of(row)

    object.__setattr__(declared, "of", fail)
    object.__setattr__(declared, "reads", None)
    try:
        yield
    finally:
        object.__setattr__(declared, "of", of)
        object.__setattr__(declared, "reads", reads)


async def test_a_failing_computed_field_is_null_and_an_error_at_its_path(database: Database, gateways: Both) -> None:
    one, two, three = await some_customers(database, *[{"email": f"{place}@example.no"} for place in range(3)])
    child = await a_customer(database, parent_id=two.id)
    numbers = [each.customer_number for each in (one, two, three)]
    # One root field each: in which order the errors of several come is chance.
    for fields, path in (
        (f"list: customersByKey(customerNumbers: {numbers}) {{ uuid username surname }}", ["list", 1, "username"]),
        (of(child, "parent { u: username version } username"), ["customer", "parent", "u"]),
        ("customers { nodes { username } }", ["customers", "nodes", 1, "username"]),
    ):
        text = f"{{ {fields} }}"
        before = await same(gateways, text)
        assert errors_of(before) is None
        with failing("username", two):
            answer = await same(gateways, text, is_planned=False)
        assert [each["path"] for each in errors_of(answer)] == [path]
        assert await same(gateways, text) == before


@pytest.mark.parametrize(
    ("wanted", "path"),
    [
        ("{{ v: viewer {{ mode }} list: customersByKey(customerNumbers: [{}, {}]) {{ uuid id }} }}", ["list", 1, "id"]),
        (
            (
                "{{ viewer {{ mode }} a: customer(by: {{customerNumber: {}}}) {{ id }}"
                " b: customer(by: {{customerNumber: {}}}) {{ id version }} }}"
            ),
            ["b", "id"],
        ),
    ],
)
async def test_a_failing_field_that_is_never_null_takes_what_it_is_in_with_it(
    database: Database, gateways: Both, wanted: str, path: list[Any]
) -> None:
    one, two = await some_customers(database, {}, {})
    text = wanted.format(one.customer_number, two.customer_number)
    await same(gateways, text)
    with failing("id", two):
        answer = await same(gateways, text, is_planned=False)
    assert [each["path"] for each in errors_of(answer)] == [path]
    found = data_of(answer)
    assert found is None if path[0] == "list" else (found["a"] and found["b"] is None and found["viewer"])


async def test_a_note_that_cannot_be_opened_is_null_and_an_error_at_its_path(
    database: Database, gateways: Both
) -> None:
    mother = await a_customer(database)
    kari = await a_customer(database, parent_id=mother.id)
    for text in ("One.", "Two.", "Three."):
        note = await a_note(database, kari, text=text)
        if text == "Two.":
            broken = note
    await a_note(database, mother, text="Four.")
    document = f"query Opened {{ {of(kari, 'uuid notes { id text createdBy } parent { notes { text } } surname')} }}"
    await same(gateways, document)
    async with database.write() as session:
        sealed = "other.AAAA" + "A" * 60
        await session.execute(sa.update(stored.Note).where(stored.Note.id == broken.id).values(text=sealed))
    answer = await same(gateways, document, is_planned=False)
    assert [each["path"] for each in errors_of(answer)] == [["customer", "notes", 1, "text"]]
    assert [each["text"] for each in data_of(answer)["customer"]["notes"]] == ["One.", None, "Three."]
    ((_, _, _, people),) = answer.reveals
    assert list(people.values()) == [("Opened", ["Note.text"])] * 2


# Caches


KEPT_LENGTH = 30_000
"""Instead of what a gateway keeps, so that no thousand documents are needed to fill it."""


def check_bounds(gateway: Asked) -> None:
    """No cache has more in it than it may."""
    kept = gateway.endpoint._documents
    assert kept._length <= KEPT_LENGTH
    assert kept._length == sum(size for _, size in kept._kept.values())
    for parsed, counted in kept._kept.values():
        assert counted == parsed.size, "its plans have grown since it was counted"
        assert len(parsed.plans) <= run.MOST_PLANS
        for plan in parsed.plans.values():
            for root in getattr(plan, "readings", ()):
                assert len(root.compiled) <= run.MOST_SHAPES


async def test_a_document_that_only_plans_run_stays_while_unused_ones_go(
    gateways: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its use counts although graphql-core never sees it again."""
    _, planned = gateways
    monkeypatch.setattr("gateway.documents.KEPT_LENGTH", 2_000)
    planned.endpoint._documents = Documents()
    used = Document("query Used { viewer { subject } }")
    await planned.ask(used, headers())
    kept = planned.endpoint._documents
    first = kept.get(used.text)
    assert first is not None
    for place in range(60):
        await planned.ask(Document(f"query Q{place} {{ viewer {{ mode subject }} }}"), headers())
        await planned.ask(used, headers())
        assert kept.get(used.text) is first, "it was dropped, and read again"
    assert kept.get("query Q0 { viewer { mode subject } }") is None


BODY = "uuid ecards { id customer { uuid } } notes { text }"
CRITERIA = ("firstName", "surname", "postalAddress", "ticketRightOwner", "ticketRightBearer", "invoiceOrganisationId")


def flood(kari: stored.Customer, kind: str) -> Iterator[Document]:
    if kind == "documents":
        for place in range(120):
            yield Document(f"query Q{place} {{ {of(kari, BODY)} }}")
    elif kind == "conditions":
        names = "abcdef"
        declared = ", ".join(f"${each}: Boolean!" for each in names)
        fields = " ".join(f"v{each}: version @skip(if: ${each})" for each in names)
        for place in range(64):
            values = {each: bool(place >> bit & 1) for bit, each in enumerate(names)}
            yield Document(f"query ({declared}) {{ {of(kari, f'{BODY} {fields}')} }}", values)
    else:
        text = f"query ($f: CustomerFilterInput) {{ customers(filter: $f, first: 1) {{ nodes {{ {BODY} }} }} }}"
        for place in range(64):
            yield Document(text, {"f": {each: "x" for bit, each in enumerate(CRITERIA) if place >> bit & 1}})


@pytest.mark.parametrize("kind", ["documents", "conditions", "shapes"])
async def test_plans_do_not_fill_the_memory(
    database: Database, gateways: Both, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr("gateway.documents.KEPT_LENGTH", KEPT_LENGTH)
    kari = await a_customer(database)
    planned = gateways[1]
    await same(gateways, f"{{ {of(kari, BODY)} }}")
    before = planned.planned
    asked = 0
    gc.collect()
    memory = psutil.Process().memory_info().rss
    for document in flood(kari, kind):
        for _ in range(2 if kind == "documents" else 1):
            assert (await planned.ask(document, headers())).status == 200
        asked += 1
        if not asked % 50:
            check_bounds(planned)
    gc.collect()
    grown = psutil.Process().memory_info().rss - memory
    check_bounds(planned)
    assert kind != "documents" or len(planned.endpoint._documents._kept) < asked, "they have not filled it"
    assert planned.planned - before >= asked - 1
    assert grown < MOST_GROWTH, f"{grown / 1e6:.0f} MB"


# Several viewers


async def test_a_plan_made_for_one_viewer_tells_another_nothing(database: Database, gateways: Both) -> None:
    """In five orders of them, so that others make the plans."""
    mother, kari, ola = await some_customers(database, {}, {"email": "kari@example.no"}, {"first_name": "Ola"})
    per = await a_customer(database, organisation_id=2, first_name="Per", parent_id=kari.id)
    liv = await a_customer(database, first_name="Liv", parent_id=per.id)
    old = await a_merged_customer(database, kari, organisation_id=2)
    for place, each in enumerate((mother, kari, ola, per, liv)):
        await an_ecard(database, each, f"070000000{place}")
        await an_address(database, each)
        await a_note(database, each)
    everybody = [mother, kari, ola, per, liv, old]
    numbers = [each.customer_number for each in everybody]
    fields = (
        "uuid organisationId firstName parent { uuid firstName parent { uuid } } relatedCustomers { uuid }"
        " relatedCustomerNumbers ecards { ecardNumber customer { uuid } } postalAddresses { town } notes { text }"
    )
    by_number = f"query ($n: Long!) {{ customer(by: {{customerNumber: $n}}) {{ {fields} }} }}"
    by_card = f"query ($c: String!) {{ customer(by: {{ecardNumber: $c}}) {{ {fields} }} }}"
    node = f"query ($id: ID!) {{ node(id: $id) {{ ... on Customer {{ {fields} }} }} }}"
    documents = [
        *[Document(by_number, {"n": number}) for number in numbers],
        *[Document(by_card, {"c": f"070000000{place}"}) for place in range(5)],
        *[Document(node, {"id": written("Customer", number)}) for number in numbers[1:4]],
        Document(f"{{ customersByKey(customerNumbers: {numbers}) {{ {fields} }} }}"),
        Document("{ customers(first: 3) { totalItems nodes { uuid organisationId } pageInfo { endCursor } } }"),
        Document(f"{{ viewer {{ organisationId subject customerNumber permissions customer {{ {fields} }} }} }}"),
        Document(f"{{ a: viewer {{ mode }} {of(kari)} b: {of(per)} }}"),
    ]
    askers = [
        PARTNER,
        OTHER_PARTNER,
        INTERNAL,
        OTHER_INTERNAL,
        a_role(TenantKind.TRAVELLER, 1, kari.customer_number),
        a_role(TenantKind.TRAVELLER, 2, per.customer_number, "per"),
    ]
    standard, planned = gateways
    ordinary: list[dict[Role, Answer]] = []
    for document in documents:
        ordinary.append({asker: await standard.ask(document, headers(asker)) for asker in askers})
        assert len({answer.body for answer in ordinary[-1].values()}) > 1, "what all see alike shows nothing"
    for order in list(permutations(askers))[::151]:
        planned.endpoint._documents = Documents()
        before = planned.planned
        for document, answers in zip(documents, ordinary, strict=True):
            for asker in (*order, *order):
                assert await planned.ask(document, headers(asker)) == answers[asker], (document, asker)
        assert planned.planned - before > len(documents) * len(order)
    assert planned.failures == []


async def test_the_permissions_are_asked_before_the_plan(database: Database, gateways: Both) -> None:
    kari = await a_customer(database, email="kari@example.no")
    await an_address(database, kari)
    standard, planned = gateways
    kept = a_role(TenantKind.PARTNER)
    bare = Role("", TenantKind.PARTNER, 1, frozenset({Permission.CUSTOMER_READ}), "bare", "a-client")
    unread = Role("", TenantKind.PARTNER, 1, GRANTABLE - {Permission.NOTE_READ}, "unread", "a-client")
    traveller = a_role(TenantKind.TRAVELLER, 1, kari.customer_number)
    for text, may, may_not in (
        (f"{{ {of(kari, 'email')} }}", kept, bare),
        (f"{{ {of(kari, 'postalAddresses { town }')} }}", kept, bare),
        (f"{{ {of(kari, 'uuid ecards { customer { notes { id } } }')} }}", kept, unread),
        (f"{{ customersByKey(customerNumbers: [{kari.customer_number}]) {{ uuid }} }}", kept, traveller),
        ("{ customers { nodes { uuid } } }", kept, bare),
        ("{ auditLog { nodes { number } } }", INTERNAL, kept),
    ):
        await same(gateways, text, headers=headers(may))
        before = planned.planned
        answer = await same(gateways, text, headers=headers(may_not), is_planned=False)
        assert answer.status == 403
        assert planned.planned == before, "nothing is read for a caller that is refused"
        await same(gateways, text, headers=headers(may))
    document = Document(f"{{ {of(kari)} }}")
    await same(gateways, document.text)
    assert (await planned.ask(document, [])) == (await standard.ask(document, []))
    assert (await planned.ask(document, [])).status == 401
