"""Storing what time has done to contracts and to what is held of them: the gateway by itself, and `kundeport expire`
(rules L04, L10 and L12)."""

import asyncio
import re
import time
import uuid
from datetime import datetime, timedelta
from typing import Any

import pytest
import structlog
from click.testing import CliRunner
from sqlalchemy import select, text, update

from datastore.audit import AuditLogEntry
from datastore.base import milliseconds
from datastore.database import Database
from datastore.loyalty import expiry as expired_rows
from datastore.loyalty.contract import Contract, ContractStatus
from datastore.loyalty.expiry import Ended, count_ended, expire_contracts, give_back_held, holding
from datastore.loyalty.ledger import CouponYear, LedgerKind, LedgerLine, move_coupons
from datastore.loyalty.proof import prove
from datastore.loyalty.usage import ContractReservation, ReservationStatus
from datastore.writing import Write
from gateway import expiry
from gateway.cli import main
from resolvers.loyalty.holds import settle_holds, year_of
from tests.conftest import KEYS
from tests.execute import VIEWER
from tests.factories.customer import a_customer, inserted
from tests.factories.loyalty import CLIENT, DAY, a_contract, a_coupon_program, a_program, now
from tests.gateway.client import environment
from tests.gateway.conftest import serving

SECOND = timedelta(seconds=1)


async def contracts(database: Database) -> list[Any]:
    return list(await database.fetch(select(Contract.__table__).order_by(Contract.id)))


async def ended(database: Database) -> Ended:
    return await expiry.end_contracts(database, asyncio.Event(), 2)


async def a_hold(database: Database, contract: Any, coupons: int = 2, **values: Any) -> Any:
    """Coupons that are held, taken out of the balance, since an hour and until a minute ago."""
    moment = now()
    given = {
        "uuid": str(uuid.uuid4()),
        "contract_id": contract.id,
        "customer_id": contract.holder_id,
        "status": ReservationStatus.HELD,
        "coupons": coupons,
        "coupon_year": year_of(moment).year,
        "travel_date": moment,
        "last_travel_date": moment,
        "expires_at": moment - timedelta(minutes=1),
        "created_at": moment - timedelta(hours=1),
        "created_by": CLIENT,
        "settled_at": None,
        "order_line_event_id": None,
        **values,
    }
    async with database.write() as session:
        write = Write(session, VIEWER, moment, CLIENT, "", keys=database.keys)
        year, kind = year_of(given["travel_date"]), LedgerKind.RESERVATION
        assert await move_coupons(write, contract.id, contract.coupons_limit, kind, -coupons, year, given["uuid"])
    (made,) = await inserted(database, ContractReservation, given)
    return made


async def a_coupon_contract(database: Database, **values: Any) -> Contract:
    return await a_contract(database, await a_coupon_program(database), await a_customer(database), **values)


async def left(database: Database) -> list[tuple[int, int]]:
    """Contract and remaining coupons of all years."""
    wanted = select(CouponYear.contract_id, CouponYear.remaining).order_by(CouponYear.contract_id)
    return [tuple(row) for row in await database.fetch(wanted)]


# Contracts


@pytest.mark.rule("L10")
@pytest.mark.rule("L12")
async def test_a_valid_contract_is_marked_at_the_very_moment_it_ends(database: Database) -> None:
    program, moment = await a_program(database), now()
    ends = [moment - SECOND, moment, moment + timedelta(milliseconds=1)]
    for end in ends:
        await a_contract(database, program, expiration_date=end)
    assert await count_ended(database, moment) == Ended(contracts=2)
    assert await expire_contracts(database, moment) == 2
    found = await contracts(database)
    assert [each.status.name for each in found] == ["EXPIRED", "EXPIRED", "VALID"]
    assert [each.version for each in found] == [2, 2, 1]
    assert [(each.last_changed_at, each.last_changed_by) for each in found[:2]] == [(moment, "kundeport expire")] * 2
    assert found[2].last_changed_by == CLIENT
    assert await expire_contracts(database, moment) == 0


@pytest.mark.rule("L04")
async def test_a_contract_is_marked_when_its_program_has_ended(database: Database) -> None:
    over = await a_program(database, end_date=now() - SECOND)
    await a_contract(database, over, expiration_date=now() + DAY)
    assert await ended(database) == Ended(contracts=1)


@pytest.mark.rule("L10")
async def test_contracts_that_are_not_valid_stay_as_they_are(database: Database) -> None:
    program = await a_program(database)
    for status in set(ContractStatus) - {ContractStatus.VALID}:
        await a_contract(database, program, status=status, expiration_date=now() - DAY)
    before = await contracts(database)
    assert await ended(database) == Ended()
    assert await contracts(database) == before


async def test_what_is_to_be_done_is_found_by_its_index(database: Database) -> None:
    if database.dialect == "postgresql":
        pytest.skip("PostgreSQL reads small tables whole")
    wanted = {
        "ix_contract_due": select(Contract.id).where(expired_rows._has_ended(now())).order_by(Contract.ends_at),
        "ix_contract_reservation_held": select(ContractReservation.contract_id).where(expired_rows._is_over(now())),
    }
    for index, statement in wanted.items():
        text_of = str(statement.compile(database.engine.sync_engine, compile_kwargs={"literal_binds": True}))
        plan = await database.fetch(text(f"EXPLAIN QUERY PLAN {text_of}"))
        assert any(f"INDEX {index}" in str(row) for row in plan), plan
        assert " = '" in str(statement)  # no parameter, or the index would not fit


async def test_it_goes_on_in_batches_and_the_log_does_not_tell(database: Database) -> None:
    program = await a_program(database)
    for _ in range(5):
        await a_contract(database, program, await a_customer(database), expiration_date=now() - DAY)
    assert await ended(database) == Ended(contracts=5)
    assert {each.status for each in await contracts(database)} == {ContractStatus.EXPIRED}
    assert await database.fetch(select(AuditLogEntry.id)) == []


async def test_several_at_once_mark_each_contract_once(url: str, database: Database) -> None:
    program = await a_program(database)
    for _ in range(20):
        await a_contract(database, program, expiration_date=now() - DAY)
    other = Database(url, keys=KEYS)
    done = await asyncio.gather(*(ended(each) for each in (database, other, database)))
    assert sum(each.contracts for each in done) == 20
    assert {each.version for each in await contracts(database)} == {2}
    await other.close()


async def test_a_contract_that_somebody_holds_is_left_for_the_next_time(url: str, database: Database) -> None:
    if database.dialect == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    program = await a_program(database)
    held = await a_contract(database, program, expiration_date=now() - DAY)
    await a_contract(database, program, expiration_date=now() - DAY)
    other = Database(url, keys=KEYS)
    async with other.write() as session:
        await session.execute(select(Contract).where(Contract.id == held.id).with_for_update())
        assert await ended(database) == Ended(contracts=1)
    assert await ended(database) == Ended(contracts=1)
    await other.close()


# What is held


@pytest.mark.rule("L14")
async def test_coupons_that_were_held_for_too_long_are_given_back(database: Database) -> None:
    contract = await a_coupon_contract(database)
    over = await a_hold(database, contract)
    await a_hold(database, contract, 3, expires_at=now() + DAY)
    assert await left(database) == [(contract.id, 5)]
    assert await count_ended(database, now()) == Ended(reservations=1)
    assert await ended(database) == Ended(reservations=1)
    assert await left(database) == [(contract.id, 7)]
    found = await database.fetch(select(ContractReservation.__table__).order_by(ContractReservation.id))
    assert [each.status.name for each in found] == ["EXPIRED", "HELD"]
    assert found[0].settled_at is not None
    lines = await database.fetch(select(LedgerLine.__table__).order_by(LedgerLine.number))
    told = [(each.kind.name, each.coupons, each.booked_by) for each in lines]
    assert told[2:] == [("RELEASE", 2, "kundeport expire")]
    assert over.uuid in lines[2].reference
    proof = await prove(database, contract.id)
    assert (proof.count, proof.first_broken_line, proof.is_balanced) == (3, None, True)
    assert await ended(database) == Ended()


async def test_several_at_once_give_back_once(url: str, database: Database) -> None:
    made = [await a_coupon_contract(database) for _ in range(5)]
    for contract in made:
        await a_hold(database, contract)
        await a_hold(database, contract)
    other = Database(url, keys=KEYS)
    await asyncio.gather(*(ended(each) for each in (database, other, database)))
    await ended(database)
    assert await left(database) == [(each.id, 10) for each in made]
    assert all([(await prove(database, each.id)).is_balanced for each in made])
    await other.close()


async def test_one_contract_whose_coupons_cannot_be_given_back_keeps_no_other_from_it(database: Database) -> None:
    broken, whole = await a_coupon_contract(database), await a_coupon_contract(database)
    for contract in (broken, whole):
        await a_hold(database, contract)
    async with database.write() as session:
        row: Any = CouponYear.__table__
        await session.execute(update(row).where(row.c.contract_id == broken.id).values(remaining=10))
    with structlog.testing.capture_logs() as lines:
        assert await ended(database) == Ended(reservations=1)
    assert [(line["event"], line["contract"]) for line in lines] == [("giving_back_failed", broken.id)]
    assert await holding(database, now()) == [broken.id]
    assert await left(database) == [(broken.id, 10), (whole.id, 10)]


async def test_a_contract_that_is_gone_or_held_gives_nothing_back(database: Database) -> None:
    assert await give_back_held(database, now(), 999, settle_holds) == 0


# By itself, and by hand


def on_database(url: str, act: Any) -> Any:
    async def work() -> Any:
        database = Database(url, keys=KEYS)
        try:
            return await act(database)
        finally:
            await database.close()

    return asyncio.run(work())


async def two_that_are_over(database: Database) -> None:
    await a_contract(database, await a_program(database), expiration_date=now() - DAY)
    await a_hold(database, await a_coupon_contract(database))


def test_the_command_tells_and_does_it(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment(url).items():
        monkeypatch.setenv(name, value)
    on_database(url, two_that_are_over)
    run = CliRunner().invoke
    result = run(main, ["expire", "--dry-run"])
    assert result.stdout == "To be erased: 0 people.\nTo be ended: 1 contract, 1 reservation.\n"
    result = run(main, ["expire"])
    assert (result.exit_code, result.stdout.splitlines()[1:]) == (0, ["Ended: 1 contract, 1 reservation."])
    assert run(main, ["expire"]).stdout.splitlines() == ["Erased: 0 people (0 profiles, 0 rows)."]


def test_a_gateway_does_it_by_itself(url: str) -> None:
    on_database(url, two_that_are_over)

    async def to_do(database: Database) -> Ended:
        return await count_ended(database, milliseconds(datetime.now(tz=now().tzinfo)))

    process = serving({**environment(url), "KUNDEPORT_EXPIRE_SECONDS": "1"})
    with process:
        deadline = time.monotonic() + 30
        while (to_end := on_database(url, to_do)) and time.monotonic() < deadline:
            time.sleep(0.1)
        process.process.terminate()
        output = process.output()
    assert to_end == Ended()
    assert re.search(r'"event":"contracts_ended"', output), output
