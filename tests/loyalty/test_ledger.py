"""The ledger: what moves a balance leaves a line, and nothing else moves one (rules L14, L18)."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select

from datastore.database import Database
from datastore.loyalty import ledger
from datastore.loyalty.contract import Contract
from datastore.loyalty.ledger import FIRST, CouponYear, LedgerHead, LedgerKind, LedgerLine, YearBounds, mac_of, seal_of
from datastore.loyalty.proof import prove
from datastore.sealing import CannotOpen, Keyring
from datastore.writing import Write
from tests.conftest import KEYS
from tests.execute import VIEWER
from tests.factories.loyalty import a_contract, a_coupon_program, a_points_program, now

OF_2026 = YearBounds(2026, datetime(2025, 12, 31, 23, tzinfo=UTC), datetime(2026, 12, 31, 23, tzinfo=UTC))
OF_2027 = YearBounds(2027, datetime(2026, 12, 31, 23, tzinfo=UTC), datetime(2027, 12, 31, 23, tzinfo=UTC))


def writing(session: Any, keys: Keyring = KEYS) -> Write:
    return Write(session, VIEWER, now(), "tests", "correlation", keys=keys)


async def a_coupon_contract(database: Database) -> Contract:
    return await a_contract(database, await a_coupon_program(database))


async def move(database: Database, contract: Contract, coupons: int, year: YearBounds = OF_2026) -> bool:
    """Move coupons of a contract that has 10, as an act does."""
    async with database.write() as session:
        write = writing(session)
        await write.get(Contract.id, contract.id)
        kind = LedgerKind.USE if coupons < 0 else LedgerKind.CANCELLATION
        return await ledger.move_coupons(write, contract.id, 10, kind, coupons, year, "order line 1")


async def lines(database: Database) -> list[Any]:
    return list(await database.fetch(select(LedgerLine.__table__).order_by(LedgerLine.contract_id, LedgerLine.number)))


async def left(database: Database) -> dict[int, int]:
    return {each.year: each.remaining for each in await database.fetch(select(CouponYear.__table__))}


@pytest.mark.rule("L14")
async def test_coupons_are_never_fewer_than_none_nor_more_than_there_are(database: Database) -> None:
    contract = await a_coupon_contract(database)
    done = [await move(database, contract, each) for each in (-11, 1, -10, -1, 3, 8, 7, 1, -10)]
    assert done == [False, False, True, False, True, False, True, False, True]
    assert [(each.coupons, each.coupon_year) for each in await lines(database)] == [
        (-10, 2026),
        (3, 2026),
        (7, 2026),
        (-10, 2026),
    ]
    assert await left(database) == {2026: 0}


@pytest.mark.rule("L14")
async def test_each_year_has_its_coupons(database: Database) -> None:
    contract = await a_coupon_contract(database)
    assert await move(database, contract, -10)
    assert await move(database, contract, -4, OF_2027)
    assert not await move(database, contract, 5, OF_2027)
    assert await left(database) == {2026: 0, 2027: 6}
    (of_2026, of_2027) = await database.fetch(select(CouponYear.__table__).order_by(CouponYear.year))
    assert (of_2026.starts_at, of_2026.ends_at, of_2026.coupons_limit) == (OF_2026.starts_at, OF_2026.ends_at, 10)
    assert (of_2027.starts_at, of_2027.ends_at, of_2027.coupons_limit) == (OF_2027.starts_at, OF_2027.ends_at, 10)


async def test_each_line_covers_the_one_before(database: Database) -> None:
    contract, other = await a_coupon_contract(database), await a_coupon_contract(database)
    for each in (contract, other, contract, other, contract):
        assert await move(database, each, -1)
    found = await lines(database)
    assert [(each.contract_id, each.number) for each in found] == [
        *((contract.id, number) for number in (1, 2, 3)),
        *((other.id, number) for number in (1, 2)),
    ]
    seal = FIRST
    for line in found[:3]:
        key = KEYS.keys[line.key_id]
        assert line.mac == mac_of(key, seal, line._mapping)
        seal = seal_of(key, line.mac)
    heads = await database.fetch(select(LedgerHead.__table__).order_by(LedgerHead.contract_id))
    assert (heads[0].number, heads[0].mac) == (3, seal)
    assert seal not in {line.mac for line in found}
    first = found[0]
    assert (first.kind, first.reference, first.booked_by, first.key_id) == (
        LedgerKind.USE,
        "order line 1",
        "tests",
        "test",
    )


async def test_coupons_that_are_taken_at_once_are_taken_once(database: Database) -> None:
    contract = await a_coupon_contract(database)
    done = await asyncio.gather(*(move(database, contract, -1) for _ in range(25)))
    assert sum(done) == 10
    assert await left(database) == {2026: 0}
    proof = await prove(database, contract.id)
    assert (proof.count, proof.first_broken_line, proof.is_balanced) == (10, None, True)


async def test_without_a_key_nothing_moves(database: Database) -> None:
    contract = await a_contract(database, await a_points_program(database))
    async with database.write() as session:
        await ledger.open_total(writing(session), contract.id, "NOK")
    async with database.write() as session:
        write = writing(session, Keyring())
        with pytest.raises(CannotOpen):
            await ledger.move_amount(write, contract.id, LedgerKind.DEPOSIT, 1, "NOK", "transaction 1")
        await session.rollback()
    proof = await prove(database, contract.id)
    assert (proof.head, proof.count, proof.sum, proof.first_broken_line, proof.is_balanced) == (FIRST, 0, 0, None, True)
