"""ledgerProof: whatever is changed in the ledger, or beside it, is found."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import Row, delete, func, insert, select, text, update

from datastore.database import Database
from datastore.loyalty import proof as proving
from datastore.loyalty.contract import Contract
from datastore.loyalty.ledger import (
    FIRST,
    CouponYear,
    LedgerHead,
    LedgerKind,
    LedgerLine,
    TotalAmount,
    Transaction,
    mac_of,
    seal_of,
)
from datastore.sealing import Keyring
from tests.conftest import KEYS
from tests.customer.mutations import done, everything
from tests.execute import FOREIGNER, INTERNAL, VIEWER, execute
from tests.factories.loyalty import a_contract, a_coupon_program, a_points_program, now
from tests.loyalty.money import DEPOSIT, PROOF, WITHDRAW, a_gift_card, given, proof
from tests.loyalty.test_ledger import OF_2027, move

Change = Callable[[Any, Contract], Awaitable[None]]
LINES: Any = LedgerLine.__table__
HEADS: Any = LedgerHead.__table__
TOTALS: Any = TotalAmount.__table__
YEARS: Any = CouponYear.__table__
TRANSACTIONS: Any = Transaction.__table__


async def a_ledger(database: Database) -> Contract:
    """Five lines: 100, -10, 5, 5, -1."""
    return await a_gift_card(database, "100.00", "-10.00", "5.00", "5.00", "-1.00")


async def a_coupon_ledger(database: Database) -> Contract:
    """Four lines, of two years."""
    contract = await a_contract(database, await a_coupon_program(database))
    for coupons, year in ((-3, None), (1, None), (-4, OF_2027), (-1, None)):
        assert await move(database, contract, coupons, *([year] if year else []))
    return contract


async def found(database: Database, contract: Contract) -> tuple[int | None, bool]:
    """The first broken line, and whether the ledger is balanced, as the gateway says."""
    answered = await proof(database, contract)
    assert answered["isIntact"] is (answered["firstBrokenLine"] is None)
    return answered["firstBrokenLine"], answered["isBalanced"]


async def run(database: Database, *statements: Any) -> None:
    async with database.write() as session:
        for statement in statements:
            await session.execute(statement)


def line(contract: Contract, number: int) -> Any:
    return (LINES.c.contract_id == contract.id) & (LINES.c.number == number)


async def row(database: Database, contract: Contract, number: int) -> dict[str, Any]:
    (values,) = await database.fetch(select(LINES).where(line(contract, number)))
    return dict(values._mapping)


async def test_a_whole_ledger_is_proved(database: Database) -> None:
    contract = await a_ledger(database)
    head_row = (await database.fetch(select(HEADS)))[0]
    number, head = head_row.number, head_row.mac
    assert (await proof(database, contract)) == {
        "contractUuid": contract.uuid,
        "head": head,
        "count": number,
        "sum": "99.00",
        "firstBrokenLine": None,
        "isBalanced": True,
        "isIntact": True,
    }
    assert number == 5
    assert await proof(database, contract, INTERNAL) == await proof(database, contract)
    assert await found(database, await a_coupon_ledger(database)) == (None, True)
    empty = await a_contract(database, await a_points_program(database))
    answered = await proof(database, empty)
    assert (answered["head"], answered["count"], answered["sum"]) == (FIRST, 0, "0.00")
    assert await found(database, empty) == (None, True)


@pytest.mark.rule("T04")
async def test_a_foreign_contract_is_like_an_unknown_one(database: Database) -> None:
    contract = await a_ledger(database)
    assert await proof(database, contract, FOREIGNER) is None
    for unknown in ("1", "", "a\x00b", "a\ud800b", "x" * 100_000):
        assert (await execute(database, PROOF, uuid=unknown))["ledgerProof"] is None


@asynccontextmanager
async def restored(database: Database, *tables: Any) -> AsyncIterator[None]:
    """A block after which these tables are as before."""
    before = [[dict(each._mapping) for each in await database.fetch(select(table))] for table in tables]
    yield
    for table, rows in zip(tables, before, strict=True):
        await run(database, delete(table), *([insert(table).values(rows)] if rows else []))


@pytest.mark.parametrize("number", [1, 3, 5])
async def test_a_changed_line_is_found(database: Database, number: int) -> None:
    contract = await a_ledger(database)
    changes: dict[str, list[Any]] = {
        "amount": [1, None],
        "currency": ["SEK"],
        "coupons": [1],
        "coupon_year": [2026],
        "kind": [LedgerKind.REVERSAL],
        "reference": ["transaction 1"],
        "booked_at": [now()],
        "booked_by": ["somebody"],
        "key_id": ["other"],
        "mac": ["0" * 64, "ø"],
        "number": [17, -17],
    }
    for column, values in changes.items():
        for value in values:
            async with restored(database, LINES):
                await run(database, update(LINES).where(line(contract, number)).values({column: value}))
                # A line that has moved is missing where it was; if to the front, all others have moved.
                assert (await found(database, contract))[0] == (1 if value == -17 else number), (column, value)
    assert await found(database, contract) == (None, True)


async def test_a_line_of_coupons_that_was_changed_is_found(database: Database) -> None:
    for column, value in (("coupons", -2), ("coupons", None), ("coupon_year", 2027)):
        contract = await a_coupon_ledger(database)
        await run(database, update(LINES).where(line(contract, 2)).values({column: value}))
        assert await found(database, contract) == (2, False)


@pytest.mark.parametrize("number", [1, 3, 5])
async def test_a_missing_line_is_found(database: Database, number: int) -> None:
    contract = await a_ledger(database)
    await run(database, delete(LINES).where(line(contract, number)))
    assert await found(database, contract) == (number, False)


async def test_a_ledger_that_is_gone_is_found(database: Database) -> None:
    contract, other = await a_ledger(database), await a_coupon_ledger(database)
    await run(database, delete(LINES))
    assert await found(database, contract) == (1, False)
    await run(database, delete(HEADS))
    assert await found(database, contract) == (None, False)
    assert await found(database, other) == (None, False)
    await run(database, delete(TOTALS))
    assert await found(database, contract) == (None, False)  # by its transactions


async def test_the_last_lines_cannot_be_taken_back(database: Database) -> None:
    contract = await a_gift_card(database, "100.00")
    before = (await database.fetch(select(HEADS)))[0]
    await done(database, WITHDRAW, given(contract, "60.00"))
    after = (await database.fetch(select(HEADS)))[0]
    total = update(TOTALS).values(amount=10000)
    mac = (await row(database, contract, 1))["mac"]
    await run(
        database, delete(LINES).where(line(contract, 2)), delete(Transaction).where(Transaction.amount < 0), total
    )
    for head, broken in ((after.mac, 1), (mac, 1), (FIRST, 1), (mac_of(KEYS.newest, FIRST, _nothing()), 1)):
        await run(database, update(HEADS).values(number=1, mac=head))
        assert await found(database, contract) == (broken, True)
    # Only with what the head was: who keeps it elsewhere sees that it is an old one.
    await run(database, update(HEADS).values(number=1, mac=before.mac))
    assert await found(database, contract) == (None, True)


def _nothing() -> dict[str, Any]:
    return dict.fromkeys(column.name for column in LINES.columns)


async def test_a_line_that_was_put_in_is_found(database: Database) -> None:
    contract, other = await a_ledger(database), await a_gift_card(database, "1.00")
    copied = {name: value for name, value in (await row(database, contract, 3)).items() if name != "id"}
    await run(database, insert(LINES).values({**copied, "number": 6}))
    assert await found(database, contract) == (6, False)
    await run(database, update(HEADS).where(HEADS.c.contract_id == contract.id).values(number=6))
    assert await found(database, contract) == (6, False)
    await run(database, delete(LINES).where(line(contract, 6)), insert(LINES).values({**copied, "number": 0}))
    assert await found(database, contract) == (1, False)
    await run(database, insert(LINES).values({**copied, "contract_id": other.id, "number": 2}))
    assert await found(database, other) == (2, False)
    # Where none is missing, but one is there again in place of what came after.
    third = await a_ledger(database)
    again = {**(await row(database, third, 3)), "number": 4, "id": -1}
    await run(database, delete(LINES).where(line(third, 4)), insert(LINES).values(again))
    assert await found(database, third) == (4, False)


async def test_lines_in_another_order_are_found(database: Database) -> None:
    contract = await a_ledger(database)
    for number, other in ((3, -1), (4, 3), (-1, 4)):
        await run(database, update(LINES).where(line(contract, number)).values(number=other))
    assert await found(database, contract) == (3, True)


async def test_a_line_of_another_contract_is_found(database: Database) -> None:
    contract, other = await a_gift_card(database, "1.00"), await a_gift_card(database, "1.00")
    taken = {**(await row(database, other, 1)), "contract_id": contract.id, "id": -1}
    await run(database, delete(LINES).where(line(contract, 1)), insert(LINES).values(taken))
    assert await found(database, contract) == (1, False)


async def test_a_changed_head_is_found(database: Database) -> None:
    contract = await a_ledger(database)
    changes: list[tuple[dict[str, Any], int]] = [
        ({"mac": "0" * 64}, 5),
        ({"number": 6}, 6),
        ({"number": 4}, 5),
        ({"number": 0}, 1),
    ]
    for values, broken in changes:
        async with restored(database, HEADS):
            await run(database, update(HEADS).values(values))
            assert await found(database, contract) == (broken, True)
    await run(database, delete(HEADS))
    assert await found(database, contract) == (1, True)


async def test_a_changed_total_is_found(database: Database) -> None:
    contract = await a_ledger(database)
    for change in (
        update(TOTALS).values(amount=TOTALS.c.amount + 1),
        update(TOTALS).values(currency="SEK"),
        delete(TOTALS),
        update(TRANSACTIONS).values(amount=TRANSACTIONS.c.amount + 1),
        delete(TRANSACTIONS).where(TRANSACTIONS.c.amount == 10000),
    ):
        async with restored(database, TOTALS, TRANSACTIONS):
            await run(database, change)
            assert await found(database, contract) == (None, False)


async def test_transactions_that_are_not_as_their_lines_say_are_found(database: Database) -> None:
    """Also where they still come to the same sum."""
    contract = await a_gift_card(database, "100.00", "5.00", "-5.00")
    first, second, third = (row.id for row in await database.fetch(select(TRANSACTIONS).order_by(TRANSACTIONS.c.id)))
    more = update(TRANSACTIONS).values(amount=TRANSACTIONS.c.amount + 100)
    less = update(TRANSACTIONS).values(amount=TRANSACTIONS.c.amount - 100)
    of = TRANSACTIONS.c.id
    changes: list[list[Any]] = [
        [more.where(of == first), less.where(of == second)],
        [delete(TRANSACTIONS).where(of.in_([second, third]))],
        [update(TRANSACTIONS).where(of == second).values(currency="SEK")],
        [update(TRANSACTIONS).where(of == second).values(internal_transaction_id="1")],
    ]
    for statements in changes:
        async with restored(database, TRANSACTIONS):
            await run(database, *statements)
            assert await found(database, contract) == (None, False)
    assert await found(database, contract) == (None, True)


@pytest.mark.rule("L14")
async def test_changed_coupons_are_found(database: Database) -> None:
    contract = await a_coupon_ledger(database)
    of_2026, of_2027 = YEARS.c.year == 2026, YEARS.c.year == 2027
    for change in (
        update(YEARS).where(of_2026).values(remaining=YEARS.c.remaining + 1),
        update(YEARS).where(of_2027).values(remaining=YEARS.c.remaining - 1),
        update(YEARS).where(of_2026).values(coupons_limit=YEARS.c.coupons_limit + 1),
        update(YEARS).values(coupons_limit=20, remaining=YEARS.c.remaining + 10),
        update(YEARS).where(of_2026).values(year=2028),
        delete(YEARS).where(of_2027),
        delete(YEARS),
    ):
        async with restored(database, YEARS):
            await run(database, change)
            assert await found(database, contract) == (None, False)


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
async def test_a_value_that_does_not_fit_its_column_is_found(database: Database) -> None:
    contract = await a_ledger(database)
    changes: dict[str, list[Any]] = {
        "booked_at": ["soon"],
        "kind": ["gift"],
        "amount": ["lots", 1.5],
        "number": ["four"],
        "mac": [b"\xff"],
    }
    for column, values in changes.items():
        for value in values:
            async with restored(database, LINES):
                async with database.write() as session:
                    await session.execute(text("PRAGMA ignore_check_constraints=ON"))
                    statement = f"UPDATE ledger_line SET {column} = :value WHERE contract_id = :contract AND number = 4"
                    await session.execute(text(statement), {"value": value, "contract": contract.id})
                    await session.execute(text("PRAGMA ignore_check_constraints=OFF"))
                assert (await found(database, contract))[0] == 4, (column, value)


async def test_a_ledger_goes_on_under_a_new_key(database: Database, url: str) -> None:
    contract = await a_gift_card(database, "1.00", "2.00")
    both = Keyring({"new": b"n" * 32, "test": b"k" * 32})
    for keys, expected in ((both, (None, True)), (KEYS, (3, True)), (Keyring({"new": b"n" * 32}), (1, True))):
        opened = Database(url, keys=keys)
        if keys is both:
            await done(opened, DEPOSIT, given(contract, "4.00"))
        assert await found(opened, contract) == expected
        await opened.close()
    used = await database.fetch(select(LINES.c.key_id).order_by(LINES.c.number))
    assert [each.key_id for each in used] == ["test", "test", "new"]


async def test_a_long_ledger_is_read_in_batches(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    contract = await a_ledger(database)
    for size in (1, 2, 3, 5, 6):
        monkeypatch.setattr(proving, "BATCH", size)
        answered = await proof(database, contract)
        assert (answered["count"], answered["sum"], answered["isIntact"], answered["isBalanced"]) == (
            5,
            "99.00",
            True,
            True,
        )


async def test_the_proof_is_of_one_moment_whatever_is_written_meanwhile(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    contract = await a_ledger(database)
    monkeypatch.setattr(proving, "BATCH", 2)
    snapshot = database.snapshot
    written = 0

    @asynccontextmanager
    async def disturbed() -> AsyncIterator[Callable[[Any], Awaitable[Sequence[Row[Any]]]]]:
        async with snapshot() as fetch:

            async def after(statement: Any) -> Sequence[Row[Any]]:
                nonlocal written
                answer = await fetch(statement)
                await done(database, DEPOSIT, given(contract, "1.00"))
                written += 1
                return answer

            yield after

    monkeypatch.setattr(database, "snapshot", disturbed)
    answered = await proving.prove(database, contract.id)
    assert written > 3
    assert (answered.count, answered.sum, answered.first_broken_line, answered.is_balanced) == (5, 9900, None, True)
    monkeypatch.undo()
    assert (await proof(database, contract))["count"] == 5 + written


async def test_a_ledger_is_whole_at_every_moment_of_being_written(database: Database) -> None:
    contract = await a_gift_card(database, "1000.00")

    async def write(number: int) -> None:
        await done(database, DEPOSIT if number % 2 else WITHDRAW, given(contract, f"{number}.00"))

    async def check() -> tuple[int | None, bool]:
        return await found(database, contract)

    answers = await asyncio.gather(*(act for n in range(1, 21) for act in (write(n), check())))
    assert {each for each in answers if each is not None} == {(None, True)}


async def test_proving_writes_nothing(database: Database) -> None:
    contract = await a_ledger(database)
    before = await everything(database)
    await proof(database, contract, VIEWER)
    assert await everything(database) == before
    counted = await database.fetch(select(func.count()).select_from(LINES))
    assert counted[0][0] == 5


async def test_a_seal_is_no_mac(database: Database) -> None:
    assert seal_of(KEYS.newest, FIRST) != FIRST
    assert seal_of(KEYS.newest, "a") != seal_of(Keyring({"x": b"x" * 32}).newest, "a")
