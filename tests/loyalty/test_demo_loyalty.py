"""The loyalty programs and contracts of the demo data: the same for a seed, within the rules, with whole ledgers."""

from collections import Counter
from functools import cache
from typing import Any

import pytest
from sqlalchemy import func, select

from datastore.base import Base
from datastore.customer import Customer, CustomerStatus
from datastore.database import Database
from datastore.demo import loyalty, loyalty_programs, loyalty_rows, loyalty_showcase, people
from datastore.demo.draw import REFERENCE
from datastore.demo.load import load
from datastore.demo.loyalty_programs import CARD, END, PROGRAMS, WINTER
from datastore.demo.relations import Row
from datastore.loyalty.contract import Contract, ContractConsumer, ContractStatus, Policy
from datastore.loyalty.ledger import LedgerLine, TotalAmount
from datastore.loyalty.program import CouponConfig, LoyaltyProgram, LoyaltyProgramDescription, LoyaltyProgramType
from datastore.loyalty.proof import prove
from datastore.loyalty.usage import OrderLineEvent, OrderLineEventType
from datastore.sealing import CannotOpen, Keyring
from datastore.viewer import GRANTABLE, Viewer
from resolvers import formats
from resolvers.loyalty.consuming import reference
from resolvers.loyalty.policies import fits
from resolvers.loyalty.sub_contracts import end_of, start_of
from resolvers.loyalty.tax import spread
from tests.conftest import KEYS
from tests.execute import execute

Tables = dict[str, list[Row]]
MANY = 4000
NAMES = {
    (organisation, program.name): key
    for key, (organisation, program) in enumerate(
        ((organisation, program) for organisation, some in PROGRAMS.items() for program in some), start=101
    )
}


def made(count: int, seed: int = 1, batch: int = 1000) -> Tables:
    """The rows of the contracts of so many customers."""
    making = loyalty_rows.Making(dict.fromkeys(loyalty_rows.COUNTED, 0), KEYS)
    found: Tables = {table: [] for table in loyalty_rows.TABLES}
    for start in range(0, count, batch):
        rows = loyalty.contracts_of(range(start, min(start + batch, count)), seed, 0, NAMES, making).rows
        assert tuple(rows) == loyalty_rows.TABLES
        for table, some in rows.items():
            found[table] += some
    return found


@cache
def demo() -> Tables:
    """Enough for every kind to be among them. Not to be changed."""
    return made(MANY)


@cache
def contracts() -> dict[int, Row]:
    return {row["id"]: row for row in demo()["contract"]}


@cache
def customers() -> list[Row]:
    return [row for batch in people.customers(MANY, 1) for row in batch.rows["customer"]]


def ignore(customers: int) -> None:
    """No progress is shown."""


async def rows(database: Database, row: Any) -> list[Any]:
    return list(await database.fetch(select(row.__table__).order_by(*row.__table__.primary_key)))


# The generator


def test_the_same_seed_gives_the_same_and_the_batches_make_no_difference() -> None:
    assert made(200, 7) == made(200, 7, batch=9)


def test_another_seed_gives_other_contracts() -> None:
    first, second = ({row["uuid"] for row in made(200, seed)["contract"]} for seed in (1, 2))
    assert not first & second


def test_a_longer_run_begins_with_the_shorter_one() -> None:
    for table, some in made(200).items():
        assert demo()[table][: len(some)] == some


def test_every_row_has_all_columns() -> None:
    for table, some in demo().items():
        columns = {column.name for column in Base.metadata.tables[table].columns}
        assert some, table
        assert all(set(row) == columns for row in some), table


def test_about_a_third_of_all_customers_hold_a_contract() -> None:
    holders = {row["holder_id"] for row in contracts().values()}
    assert 0.3 < len(holders) / MANY < 0.4


@pytest.mark.rule("L10")
@pytest.mark.rule("L12")
def test_contracts_have_every_status_and_have_expired_when_they_ended() -> None:
    assert {row["status"] for row in contracts().values()} == set(ContractStatus)
    for row in contracts().values():
        if row["status"] in (ContractStatus.VALID, ContractStatus.EXPIRED):
            assert (row["status"] is ContractStatus.EXPIRED) == (row["ends_at"] <= REFERENCE), row
        assert row["ends_at"] == min(row["expiration_date"] or END, row["ends_at"])
        assert row["consumable_from"] < row["ends_at"]
        assert row["created_at"] <= row["last_changed_at"] <= REFERENCE


@pytest.mark.rule("L20")
@pytest.mark.rule("T04")
def test_holders_and_consumers_are_customers_of_the_organisation_who_are_not_deleted() -> None:
    holders, pairs = Counter[int](), []
    for row in demo()["contract_consumer"]:
        contract, customer = contracts()[row["contract_id"]], customers()[row["customer_id"] - 1]
        assert customer["id"] == row["customer_id"]
        assert customer["organisation_id"] == contract["organisation_id"]
        assert (customer["status"], customer["merged_into_id"]) == (CustomerStatus.ACTIVE, None)
        assert row["is_contract_holder"] == (contract["holder_id"] == customer["id"])
        holders[contract["id"]] += row["is_contract_holder"]
        pairs.append((contract["id"], customer["id"]))
    assert len(pairs) == len(set(pairs))
    assert {key: holders[key] for key in contracts()} == {
        key: int(row["holder_id"] is not None) for key, row in contracts().items()
    }
    assert {row["is_blocked"] for row in demo()["contract_consumer"]} == {True, False}
    assert any(row["holder_id"] is None for row in contracts().values())


@pytest.mark.rule("L16")
def test_a_use_makes_a_contract_of_the_day() -> None:
    by_uuid = {row["uuid"]: row for row in contracts().values()}
    for event in demo()["order_line_event"]:
        contract = contracts()[event["contract_id"]]
        assert contract["created_at"] <= event["timestamp"] <= REFERENCE
        if event["is_purchased"]:
            assert (event["coupons_used"], event["sub_contract"]) == (None, None)
            continue
        sub = by_uuid[event["sub_contract"]]
        assert sub["parent"] == contract["uuid"]
        start = start_of(event["travel_date"], event["timestamp"], loyalty_programs.START_TIME)
        assert (sub["consumable_from"], sub["expiration_date"]) == (start, end_of(start, "P1D"))
        assert (sub["status"] is ContractStatus.CANCELLED) == event["is_cancelled"]
        assert event["timestamp"] <= event["travel_date"] < contract["ends_at"]


@pytest.mark.rule("L33")
@pytest.mark.rule("L35")
def test_order_lines_are_unique_and_save_what_they_say() -> None:
    events = demo()["order_line_event"]
    keys = [(each["organisation_id"], each["order_id"], each["event_type"]) for each in events]
    assert len(keys) == len(set(keys))
    assert {each["event_type"] for each in events} == set(OrderLineEventType)
    saved = {row["order_line_event_id"]: row for row in demo()["tax_distribution"]}
    for event in events:
        (*expected,) = spread(OrderLineEvent(**event))
        row = saved.get(event["id"])
        told = [] if row is None else [(row["tax_year"], row["tax_month"], row["tax_saving"])]
        assert told == [(each.year, each.month, each.saving) for each in expected]


@pytest.mark.rule("L14")
@pytest.mark.rule("L17")
@pytest.mark.rule("L18")
def test_what_moved_is_within_the_rules() -> None:
    references = {
        reference(row["order_id"], row["order_line_id"], row["order_line_version"])
        for row in demo()["order_line_event"]
    }
    before: dict[int, Row] = {}
    for line in demo()["ledger_line"]:
        last = before.get(line["contract_id"])
        assert line["number"] == (last["number"] + 1 if last else 1)
        assert last is None or last["booked_at"] <= line["booked_at"] <= REFERENCE
        assert line["coupons"] is None or line["reference"] in references
        before[line["contract_id"]] = line
    cards = {NAMES[organisation, CARD.name] for organisation in (1, 2)}
    for row in demo()["coupon_year"]:
        assert 0 <= row["remaining"] <= row["coupons_limit"] == 10
        assert contracts()[row["contract_id"]]["loyalty_program_id"] in cards
    assert all(row["amount"] >= 0 for row in demo()["total_amount"])
    assert {row["currency"] for row in demo()["total_amount"]} == {"NOK", "PTS"}


# In a database


@pytest.mark.rule("L01")
@pytest.mark.rule("L02")
@pytest.mark.rule("L03")
@pytest.mark.rule("L06")
@pytest.mark.rule("L07")
async def test_programs_are_made_once_whatever_the_seed(database: Database) -> None:
    counted = await load(database, 5, 1, ignore)
    found = await rows(database, LoyaltyProgram)
    assert counted["loyalty_program"] == len(found)
    assert (await load(database, 5, 2, ignore))["loyalty_program"] == 0
    assert await rows(database, LoyaltyProgram) == found
    first = [row for row in found if row.version_number == 1]
    assert all(row.id == row.loyalty_program_id for row in first)
    assert len({row.product_id for row in first}) == len(first) == sum(map(len, PROGRAMS.values()))
    assert {row.loyalty_program_type for row in found} == set(LoyaltyProgramType) - {LoyaltyProgramType.UNMAPPED}
    for row in found:
        assert (formats.netex_id(row.product_id), formats.netex_id(row.product_version)) == (
            row.product_id,
            row.product_version,
        )
        if row.usage_validity_period is not None:
            formats.duration(row.usage_validity_period)
    types = {row.id: row.loyalty_program_type.name for row in found}
    configs = await rows(database, CouponConfig)
    assert [types[each.version_id] for each in configs] == ["COUPONS"] * 4
    assert [types[each.loyalty_program_id] for each in configs] == ["TIMED"] * 4
    names = Counter(row.loyalty_program_id for row in await rows(database, LoyaltyProgramDescription))
    assert names == {row.id: 3 for row in first}


async def test_every_ledger_is_whole(database: Database) -> None:
    counted = await load(database, 400, 1, ignore)
    keys = [row.id for row in await rows(database, Contract)]
    assert len(keys) == counted["contract"] > 150
    lines = 0
    for key in keys:
        proof = await prove(database, key)
        assert (proof.first_broken_line, proof.is_balanced) == (None, True)
        lines += proof.count
    assert lines == counted["ledger_line"] == len(await rows(database, LedgerLine)) > 100


async def test_loaded_rows_read_back_as_they_were_made(database: Database) -> None:
    await load(database, 300, 1, ignore)
    async with database.write() as session:
        programs, added = await loyalty_programs.add_programs(session)
    assert set(added.values()) == {0}
    making = loyalty_rows.Making(dict.fromkeys(loyalty_rows.COUNTED, 0), KEYS)
    for table, expected in loyalty.contracts_of(range(300), 1, 0, programs, making).rows.items():
        (row,) = (each.class_ for each in Base.registry.mappers if each.local_table.description == table)
        assert [dict(each._mapping) for each in await rows(database, row)] == expected, table


async def test_new_rows_come_after_those_of_the_demo(database: Database) -> None:
    await load(database, 50, 1, ignore)
    async with database.write() as session:
        known = {"created_at": REFERENCE, "created_by": "x", "last_changed_at": REFERENCE, "last_changed_by": "x"}
        program = await session.scalar(select(func.max(LoyaltyProgram.loyalty_program_id)))
        assert program is not None
        for place in range(3):
            uuid = f"00000000-0000-4000-9000-{place:012d}"
            made = {"consumable_from": REFERENCE, "ends_at": END, **known}
            session.add(Contract(uuid=uuid, organisation_id=1, loyalty_program_id=program, **made))
        await session.flush()


@pytest.mark.parametrize("customers", [1, 2])
async def test_a_showcase_that_is_not_complete_has_no_contracts(database: Database, customers: int) -> None:
    assert (await load(database, customers, 1, ignore))["contract"] == 0


async def test_without_a_key_nothing_is_loaded(database: Database) -> None:
    database.keys = Keyring()
    with pytest.raises(CannotOpen):
        await load(database, 5, 1, ignore)
    assert await rows(database, LoyaltyProgram) == []


# The showcase


async def test_kari_has_what_the_showcase_says(database: Database) -> None:
    await load(database, 3, 1, ignore)
    found = {row.uuid: row for row in await rows(database, Contract)}
    assert len(found) == 7 + len(loyalty_showcase.USES)
    own = [found[loyalty_showcase.uuid_of(1, number)] for number in range(1, 8)]
    assert [row.status.name for row in own] == [*["VALID"] * 4, "EXPIRED", "CANCELLED", "VALID"]
    assert [row.holder_id for row in own] == [*[own[0].holder_id] * 6, None]
    assert own[4].ends_at == WINTER.end
    text = """query($uuid: ID!) { contract(by: {uuid: $uuid}) {
        couponYears { year remaining } subContracts { uuid } contractConsumers { customerNumber isContractHolder }
    } }"""
    shown = (await execute(database, text, Viewer(1, permissions=GRANTABLE), uuid=own[0].uuid))["contract"]
    assert shown["couponYears"] == [{"year": 2025, "remaining": 6}, {"year": 2026, "remaining": 8}]
    assert len(shown["subContracts"]) == len(loyalty_showcase.USES)
    assert shown["contractConsumers"] == [
        {"customerNumber": 1_000_000_001, "isContractHolder": True},
        {"customerNumber": 1_000_000_003, "isContractHolder": False},
    ]
    totals = await rows(database, TotalAmount)
    assert [(row.amount, row.currency) for row in totals] == [(62_000, "PTS"), (65_100, "NOK")]
    assert len(await rows(database, ContractConsumer)) == 1 + 6 + len(loyalty_showcase.USES) + 1


@pytest.mark.rule("L21")
@pytest.mark.rule("L40")
async def test_kari_may_claim_the_contract_that_nobody_holds(database: Database) -> None:
    await load(database, 3, 1, ignore)
    (policy,) = await rows(database, Policy)
    contract = next(row for row in await rows(database, Contract) if row.id == policy.contract_id)
    assert contract.external_ref == formats.claim_code(loyalty_showcase.REFERENCE_TO_CLAIM)
    kari, *_ = await rows(database, Customer)
    assert fits(database.keys, contract.uuid, [policy], kari)
    assert loyalty_showcase.external_ref(2) == formats.claim_code(loyalty_showcase.external_ref(2)) != policy.key
