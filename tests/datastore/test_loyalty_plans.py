"""No statement about contracts reads all contracts of an organisation, on either database: as `test_plans`, with many
contracts of one organisation."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from strawberry import ID, Some

from datastore.base import Base
from datastore.customer import Customer
from datastore.database import Database
from datastore.loyalty import contract as contracts
from datastore.loyalty import ledger, program, usage
from datastore.loyalty import reads as statements
from datastore.text import stored_key
from datastore.viewer import GRANTABLE, TenantKind, Viewer
from resolvers.customer.inputs import CustomerRefInput
from resolvers.loyalty import reads
from resolvers.loyalty.reads import ContractByInput, ContractFilterInput, LoyaltyProgramFilterInput
from resolvers.paging import window
from resolvers.scalars import Long
from tests.conftest import DIALECTS, KEYS, database_url
from tests.datastore.copies import copied
from tests.datastore.rows import values
from tests.datastore.test_plans import MOST_STEPS, Watch

CONTRACTS = 6000
PROGRAMS, CUSTOMERS = 60, 3000
WHO = 102
"""A customer with the contracts 102 and 3102, and a consumer of the contracts 103 and 3103 of another one."""
NOW = datetime.now(UTC)
DAY = timedelta(days=1)
VIEWER = Viewer(1, permissions=GRANTABLE)
INTERNAL = Viewer(99, TenantKind.INTERNAL, GRANTABLE)
USER = Viewer(1, TenantKind.TRAVELLER, GRANTABLE, customer_number=WHO, customer_ids=frozenset({WHO, 7}))
VIEWERS = [pytest.param(each, id=each.kind.value) for each in (VIEWER, INTERNAL, USER)]
LISTS = [pytest.param(each, id=each.kind.value) for each in (VIEWER, INTERNAL)]


def customer(row: int) -> dict[str, Any]:
    nobody = dict.fromkeys(("merged_into_id", "parent_id", "email", "email_key", "expiration_date"))
    key = {"id": row, "uuid": f"{row:032}", "customer_number": row, "customer_ref": f"ref{row}", "organisation_id": 1}
    keys = {"surname_key": stored_key(f"Etternavn {row}"), "first_name_key": stored_key("Kari")}
    return {**nobody, **key, **keys, "merged_into_id": row - 1 if row % 50 == 1 and row > 1 else None}


def a_program(row: int) -> dict[str, Any]:
    version = {"loyalty_program_id": row, "version_number": 1, "superseded_at": None, "organisation_id": 1}
    product = {"product_id": f"ENT:Product:{row}", "loyalty_program_code": None, "code_key": None}
    return {"id": row, **version, **product, "start_date": NOW - DAY, "end_date": NOW + 100 * DAY}


def contract(row: int) -> dict[str, Any]:
    when = {"consumable_from": NOW - DAY - row * timedelta(minutes=1), "ends_at": NOW + 10 * DAY}
    ends = {"expiration_date": NOW + row * timedelta(minutes=1) if row % 2 else None}
    of = {"loyalty_program_id": (row % PROGRAMS) + 1, "holder_id": (row - 1) % CUSTOMERS + 1, "organisation_id": 1}
    return {
        "id": row,
        "uuid": f"{row:036}",
        "parent": None,
        "external_ref": f"ref{row}",
        "coupons_limit": 10,
        **of,
        **when,
        **ends,
    }


def consumer(row: int) -> dict[str, Any]:
    """Each contract has its holder, and every other one the customer before it."""
    if row <= CONTRACTS:
        return {
            "contract_id": row,
            "customer_id": (row - 1) % CUSTOMERS + 1,
            "is_contract_holder": True,
            "is_blocked": False,
        }
    of = (row - CONTRACTS) * 2 + 1
    return {
        "contract_id": of,
        "customer_id": (of - 2) % CUSTOMERS + 1,
        "is_contract_holder": False,
        "is_blocked": False,
    }


ROWS: dict[type[Base], tuple[int, Any]] = {
    Customer: (CUSTOMERS, customer),
    program.LoyaltyProgram: (PROGRAMS, a_program),
    contracts.Contract: (CONTRACTS, contract),
    contracts.ContractConsumer: (CONTRACTS * 3 // 2 - 1, consumer),
    ledger.CouponYear: (
        CUSTOMERS,
        lambda row: {
            "contract_id": row,
            "year": NOW.year,
            "starts_at": NOW - 400 * DAY,
            "ends_at": NOW + 400 * DAY,
            "remaining": 3,
        },
    ),
    ledger.Transaction: (CUSTOMERS, lambda row: {"contract_id": row, "reverses_id": None}),
    usage.ContractReservation: (
        CUSTOMERS,
        lambda row: {"contract_id": row, "customer_id": row, "order_line_event_id": None, "coupon_year": NOW.year},
    ),
}
"""Row class -> how many rows there are, and what is different in each."""


async def fill(url: str) -> None:
    database = Database(url, keys=KEYS)
    async with database.engine.begin() as connection:
        for row, (size, different) in ROWS.items():
            table: Any = row.__table__
            await connection.execute(
                table.insert(), [{**values(table, each), **different(each)} for each in range(1, size + 1)]
            )
        if database.dialect == "postgresql":
            await connection.execute(sa.text("ANALYZE"))
    await database.close()


@pytest.fixture(scope="module", params=DIALECTS)
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a database with many contracts. Nobody runs ANALYZE on SQLite, PostgreSQL does it by itself."""
    if request.param == "sqlite":
        file = tmp_path_factory.mktemp("loyalty") / "kundeport.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), file)
        asyncio.run(fill(f"sqlite+aiosqlite:///{file}"))
        yield f"sqlite+aiosqlite:///{file}"
        return
    server: str = request.getfixturevalue("postgres_url")
    with copied(server, request.getfixturevalue("postgres_template")) as name:
        asyncio.run(fill(database_url(server, name)))
        yield database_url(server, name)


@pytest.fixture
async def watch(filled: str) -> AsyncIterator[Watch]:
    database = Database(filled, keys=KEYS)
    yield Watch(database)
    await database.close()


async def four_pages(watch: Watch, reading: Any, along: str, **given: Any) -> None:
    """The first page, the next one, the last and the one before it come out of an index, in order."""
    page: Any = None
    for part in ("first", "after", "last", "before"):
        size = "first" if part in ("first", "after") else "last"
        end = {"after": "end_cursor", "before": "start_cursor"}.get(part)
        more = {} if end is None else {part: getattr(page.page_info, end)}
        async with watch.judged(in_order=True, along=along):
            page = await reading(watch.context, **given, **{size: 10}, **more)
        assert len(page.edges) == 10


@pytest.mark.parametrize("viewer", LISTS)
async def test_lists_come_in_order(watch: Watch, viewer: Viewer) -> None:
    watch.asks(viewer)
    await four_pages(watch, reads.contracts, "contract")
    await four_pages(watch, reads.contracts, "", filter=ContractFilterInput(loyalty_program_id=Long(5)))
    await four_pages(watch, reads.loyalty_programs, "loyalty_program")


MANY = 10**6
"""Customers of no contract."""
CRITERIA: dict[str, Any] = {
    "uuid": ID(f"{WHO:036}"),
    "customer_number": Long(WHO),
    "customer_ref": CustomerRefInput(customer_ref=f"ref{WHO}", organisation_id=Long(1)),
    "external_ref": f"ref{WHO}",
    "consumable_after": NOW - DAY - timedelta(minutes=20),
    "consumable_before": NOW - DAY - (CONTRACTS - 20) * timedelta(minutes=1),
    "expiration_date_after": NOW + (CONTRACTS - 20) * timedelta(minutes=1),
    "expiration_date_before": NOW + timedelta(minutes=20),
    "loyalty_program_id": Long(5),
}
"""Criterion -> a value that few contracts have."""


DATES = {name for name in CRITERIA if name.startswith(("consumable", "expiration"))}
"""Criteria whose rows SQLite finds by walking the organisation in the order of the page: it knows nothing of how many
meet them."""


@pytest.mark.parametrize("viewer", VIEWERS)
@pytest.mark.parametrize("name", CRITERIA)
async def test_criterion_finds_few_contracts(watch: Watch, name: str, viewer: Viewer) -> None:
    watch.asks(viewer)
    of_organisation: Any = {"organisation_id": Long(1)} if viewer is INTERNAL else {}
    given = ContractFilterInput(**{name: CRITERIA[name], **of_organisation})
    is_walked = name in DATES and watch.database.dialect == "sqlite"
    async with watch.judged(times=30 if is_walked else 1):
        page = await reads.contracts(watch.context, filter=given, first=10)
    async with watch.judged():
        assert await page.total_items() >= len(page.edges)
    assert page.edges or viewer is USER


@pytest.mark.parametrize("viewer", VIEWERS)
async def test_contracts_of_a_customer(watch: Watch, viewer: Viewer) -> None:
    watch.asks(viewer)
    number: Any = {"customer_number": Long(WHO)}
    async with watch.judged():
        page = await reads.contracts(
            watch.context, filter=ContractFilterInput(**number, contract_holder=True), first=10
        )
        assert await page.total_items() == len(page.edges) == 2
    for more in ({}, {"travel_date": NOW + DAY, "exclude_sub_contracts": True}):
        async with watch.judged():
            page = await reads.entitlements(watch.context, **number, first=10, **more)
            assert await page.total_items() == len(page.edges) == 4
    unknown = ContractFilterInput(customer_number=Long(MANY))
    async with watch.judged():
        assert (await reads.contracts(watch.context, filter=unknown, first=10)).edges == []
    if viewer is USER:
        for given in (None, ContractFilterInput(contract_holder=True)):
            async with watch.judged():
                page = await reads.contracts(watch.context, filter=given, first=10)
                assert await page.total_items() == len(page.edges)


@pytest.mark.parametrize("viewer", VIEWERS)
async def test_look_ups(watch: Watch, viewer: Viewer) -> None:
    watch.asks(viewer)
    async with watch.judged():
        assert await reads.contract(watch.context, ContractByInput(uuid=Some(ID(f"{WHO:036}"))))
    async with watch.judged():
        assert await reads.loyalty_program(watch.context, Long(5))


@pytest.mark.parametrize("viewer", LISTS)
async def test_programs_are_found_by_each_criterion(watch: Watch, viewer: Viewer) -> None:
    watch.asks(viewer)
    for given in ({"loyalty_program_id": Long(5)}, {"product_id": "ENT:Product:5"}):
        async with watch.judged():
            page = await reads.loyalty_programs(watch.context, filter=LoyaltyProgramFilterInput(**given), first=10)
            assert await page.total_items() == len(page.edges) == 1


@pytest.mark.parametrize("viewer", VIEWERS)
async def test_what_hangs_on_many_parents(watch: Watch, viewer: Viewer) -> None:
    """Pages below customers and programs, and the coupons that are left."""
    watch.asks(viewer)
    load, part = watch.context.load, window(10, None, None, None)
    keys = list(range(100, 120))
    for selection in (statements.contracts_of, statements.entitled_to):
        for condition in (None, reads.usable()):
            async with watch.judged(times=4):
                loader = load.pages(contracts.Contract, selection, statements.BY_CONTRACT, part, condition)
                pages = await loader.load_many(keys)
            async with watch.judged(times=4):
                await asyncio.gather(*(page.total_items() for page in pages))
            assert any(page.edges for page in pages)
    of: Any = contracts.Contract.loyalty_program_id
    for some in ([5], [6, 7, 8]):  # of several programs all contracts are read
        async with watch.judged(times=8 if len(some) > 1 else 1):
            pages = await watch.context.load.pages(contracts.Contract, of, statements.BY_CONTRACT, part).load_many(some)
        assert viewer is USER or [len(page.edges) for page in pages] == [10] * len(some)
    for each in (statements.coupons_left, statements.coupon_years):
        async with watch.judged():
            assert any(await watch.context.load.selected(ledger.CouponYear, each).load_many(keys))


async def test_a_user_with_merged_profiles_is_found_by_them(watch: Watch) -> None:
    watch.asks(replace(USER, customer_ids=frozenset({WHO, 7, 103, 104, 5000})))
    async with watch.judged():
        page = await reads.contracts(watch.context, first=50)
        assert await page.total_items() == len(page.edges)


def test_a_scan_would_be_noticed() -> None:
    assert MOST_STEPS < CONTRACTS
