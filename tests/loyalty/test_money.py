"""depositToContract and withdrawFromContract (rules L12, L17, L18 and L19)."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from datastore.audit import AuditLogEntry
from datastore.database import Database
from datastore.loyalty.contract import ContractStatus
from datastore.loyalty.ledger import LedgerLine, TotalAmount
from datastore.loyalty.program import LoyaltyProgramType
from tests.customer.mutations import HOSTILE, answered, done, errors_of, events, refused, unchanged
from tests.execute import FOREIGNER, INTERNAL, VIEWER
from tests.factories.loyalty import a_contract, a_coupon_program, a_points_program, a_program, now
from tests.loyalty.money import DEPOSIT, IDEMPOTENT_DEPOSIT, WITHDRAW, a_gift_card, given, proof, state

BOTH = pytest.mark.parametrize("text", [DEPOSIT, WITHDRAW], ids=["deposit", "withdraw"])
MOMENT = timedelta(seconds=1)


@pytest.mark.rule("L18")
async def test_a_deposit_is_a_transaction_and_a_line_of_the_ledger(database: Database) -> None:
    contract = await a_gift_card(database)
    more = {"rrn": " 17 ", "email": "ola@example.no", "posId": "kiosk 3", "externalTransactionId": "x-1"}
    payload, errors = await answered(database, DEPOSIT, given(contract, "123.34", **more))
    assert errors == []
    made = payload["transaction"]
    assert made == {
        "amount": "123.34",
        "currency": "NOK",
        "timestamp": made["timestamp"],
        "rrn": "17",
        "email": "ola@example.no",
        "posId": "kiosk 3",
        "externalTransactionId": "x-1",
        "internalTransactionId": made["internalTransactionId"],
        "reverses": None,
        "reversedBy": None,
    }
    assert payload["contract"] == {
        "uuid": contract.uuid,
        "currentTotal": {"amount": "123.34", "currency": "NOK", "calculatedAt": made["timestamp"]},
    }
    (line,) = await database.fetch(select(LedgerLine.__table__))
    moved = (line.contract_id, line.number, line.kind.value, line.amount, line.currency, line.coupons, line.coupon_year)
    assert moved == (contract.id, 1, "deposit", 12334, "NOK", None, None)
    assert line.reference == f"transaction {made['internalTransactionId']}"
    (entry,) = await database.fetch(select(AuditLogEntry.operation, AuditLogEntry.details))
    assert entry.operation == "depositToContract"
    assert entry.details["changes"] == []  # the ledger tells
    assert await events(database) == []


@pytest.mark.rule("L18")
async def test_the_total_is_the_sum_of_the_transactions(database: Database) -> None:
    contract = await a_gift_card(database, "100.00", "0.01", "-30.00")
    withdrawn = (await answered(database, WITHDRAW, given(contract, "70.01")))[0]
    assert withdrawn["transaction"]["amount"] == "-70.01"
    assert withdrawn["contract"]["currentTotal"]["amount"] == "0.00"
    assert await state(database, contract) == ("0.00", [10000, 1, -3000, -7001])
    assert (await database.fetch(select(TotalAmount.amount)))[0].amount == 0


@pytest.mark.rule("L18")
async def test_more_than_the_total_cannot_be_withdrawn(database: Database) -> None:
    contract = await a_gift_card(database)
    assert await refused(database, WITHDRAW, given(contract, "0.01")) == [("TOTAL_TOO_LOW", "amount", ["0.01"])]
    await done(database, DEPOSIT, given(contract, "100.00"))
    assert await refused(database, WITHDRAW, given(contract, "100.01")) == [("TOTAL_TOO_LOW", "amount", ["100.01"])]
    await done(database, WITHDRAW, given(contract, "100.00"))
    assert await refused(database, WITHDRAW, given(contract, "0.01")) == [("TOTAL_TOO_LOW", "amount", ["0.01"])]


@pytest.mark.rule("L18")
@pytest.mark.rule("L19")
async def test_a_contract_has_room_for_so_much(database: Database) -> None:
    contract = await a_gift_card(database, "9999999999999.99")
    assert await refused(database, DEPOSIT, given(contract, "0.02")) == [("TOTAL_TOO_HIGH", "amount", ["0.02"])]
    await done(database, DEPOSIT, given(contract, "0.01"))
    assert await refused(database, DEPOSIT, given(contract, "0.01")) == [("TOTAL_TOO_HIGH", "amount", ["0.01"])]
    assert (await state(database, contract))[0] == "10000000000000.00"


@pytest.mark.rule("L18")
async def test_the_first_deposit_fixes_the_currency(database: Database) -> None:
    contract = await a_gift_card(database, "1.00")
    wrong = [("CURRENCY_MISMATCH", "currency", ["SEK"])]
    assert await refused(database, DEPOSIT, given(contract, "1.00", currency="SEK")) == wrong
    assert await refused(database, WITHDRAW, given(contract, "1.00", currency="SEK")) == wrong
    await done(database, WITHDRAW, given(contract, "1.00"))
    assert await refused(database, DEPOSIT, given(contract, "1.00", currency="SEK")) == wrong
    other = await a_gift_card(database)
    await done(database, DEPOSIT, given(other, "1.00", currency="PTS"))


@BOTH
@pytest.mark.rule("L19")
async def test_what_is_wrong_is_named(database: Database, text: str) -> None:
    contract = await a_gift_card(database, "100.00")
    async with unchanged(database):
        for amount, quoted in (("0.00", "0.00"), (".00", "0.00"), ("-1.00", "-1.00")):
            assert await errors_of(database, text, given(contract, amount)) == [("AMOUNT_INVALID", "amount", [quoted])]
        for currency in ("NO", "nok", "NOKK", "NØK", "", "NO\x00"):
            (error,) = await errors_of(database, text, given(contract, currency=currency))
            assert error[:2] == ("CURRENCY_INVALID", "currency")
        for hostile, code in HOSTILE:
            names = ("rrn", "posId", "externalTransactionId")
            found = await errors_of(database, text, given(contract, **dict.fromkeys(names, hostile)))
            assert sorted((code, path) for code, path, _ in found) == sorted((code, name) for name in names)
            (error,) = await errors_of(database, text, given(contract, email=hostile))
            assert error[:2] in {("EMAIL_INVALID", "email"), (code, "email")}
        many = await errors_of(database, text, given(contract, "0.00", currency="kr", email="ola", rrn="1" * 61))
        assert {(code, path) for code, path, _ in many} == {
            ("AMOUNT_INVALID", "amount"),
            ("CURRENCY_INVALID", "currency"),
            ("EMAIL_INVALID", "email"),
            ("TEXT_TOO_LONG", "rrn"),
        }


@pytest.mark.rule("L19")
async def test_only_text_with_two_decimals_is_an_amount(database: Database) -> None:
    contract = await a_gift_card(database)
    bad: tuple[Any, ...] = (
        1,
        1.5,
        "1",
        "1.5",
        "1.234",
        "1,00",
        " 1.00",
        "+1.00",
        "1e2",
        "NaN",
        "٣.00",
        "99999999999999.00",
        True,
        [],
    )
    async with unchanged(database):
        for amount in bad:
            found = await errors_of(database, DEPOSIT, {**given(contract), "amount": amount})
            assert found == [("AMOUNT_INVALID", "amount", [str(amount)])]
        (long,) = await errors_of(database, DEPOSIT, given(contract, "1" * 100_000))
        assert long == ("AMOUNT_INVALID", "amount", ["1" * 40])


@BOTH
@pytest.mark.rule("L12")
async def test_the_contract_has_to_be_usable_now(database: Database, text: str) -> None:
    program = await a_points_program(database)
    ended = await a_points_program(database, end_date=now() - MOMENT)
    for code, contract in (
        ("CONTRACT_EXPIRED", await a_contract(database, program, expiration_date=now() - MOMENT)),
        ("CONTRACT_EXPIRED", await a_contract(database, program, status=ContractStatus.EXPIRED)),
        ("CONTRACT_EXPIRED", await a_contract(database, ended)),
        ("CONTRACT_NOT_YET_CONSUMABLE", await a_contract(database, program, consumable_from=now() + 60 * MOMENT)),
        ("CONTRACT_NOT_VALID", await a_contract(database, program, status=ContractStatus.REFUNDED)),
        ("CONTRACT_NOT_VALID", await a_contract(database, program, status=ContractStatus.CANCELLED)),
        ("CONTRACT_NOT_VALID", await a_contract(database, program, status=ContractStatus.MISUSED)),
    ):
        assert await refused(database, text, given(contract)) == [(code, "contractUuid", [contract.uuid])]


@BOTH
@pytest.mark.rule("L17")
async def test_only_contracts_of_points_have_transactions(database: Database, text: str) -> None:
    for program in (
        await a_program(database),
        await a_coupon_program(database),
        await a_program(database, LoyaltyProgramType.UNMAPPED),
    ):
        contract = await a_contract(database, program)
        wrong = [("NOT_A_POINTS_CONTRACT", "contractUuid", [contract.uuid])]
        assert await refused(database, text, given(contract)) == wrong


@BOTH
@pytest.mark.rule("T04")
async def test_a_foreign_contract_is_like_an_unknown_one(database: Database, text: str) -> None:
    contract = await a_gift_card(database, "100.00")
    assert await refused(database, text, given(contract), FOREIGNER) == [
        ("CONTRACT_NOT_FOUND", "contractUuid", [contract.uuid])
    ]
    async with unchanged(database):
        for unknown in ("1", "", "a\x00b", "a\ud800b", "x" * 100_000, contract.uuid.upper() + " "):
            (error,) = await errors_of(database, text, {**given(contract), "contractUuid": unknown})
            assert error[:2] == ("CONTRACT_NOT_FOUND", "contractUuid")
    assert (await answered(database, text, given(contract), INTERNAL))[1] == []


async def test_a_repeat_with_the_same_key_pays_in_once(database: Database) -> None:
    contract = await a_gift_card(database)
    answers = await asyncio.gather(
        *(answered(database, IDEMPOTENT_DEPOSIT, given(contract, "7.00"), key="k") for _ in range(5))
    )
    assert [errors for _, errors in answers] == [[]] * 5
    assert len({payload["transaction"]["internalTransactionId"] for payload, _ in answers}) == 1
    assert await state(database, contract) == ("7.00", [700])


@pytest.mark.rule("L18")
async def test_many_at_once_neither_lose_anything_nor_overdraw(database: Database) -> None:
    contract, other = await a_gift_card(database, "50.00"), await a_gift_card(database)

    async def act(number: int) -> str:
        text, amount = (DEPOSIT, "1.00") if number % 4 == 0 else (WITHDRAW, "10.00")
        _, errors = await answered(database, text, given(contract, amount))
        return errors[0][0] if errors else text

    outcomes = await asyncio.gather(
        *map(act, range(40)), *(done(database, DEPOSIT, given(other, "0.01")) for _ in range(10))
    )
    found = Counter(each for each in outcomes if isinstance(each, str))
    assert found[DEPOSIT] == 10
    assert found[WITHDRAW] + found["TOTAL_TOO_LOW"] == 30
    assert found[WITHDRAW] in (5, 6)
    total, amounts = await state(database, contract)
    assert total == f"{50 + 10 - 10 * found[WITHDRAW]}.00"
    running = [sum(each or 0 for each in amounts[: place + 1]) for place in range(len(amounts))]
    assert min(running) >= 0
    assert (await state(database, other))[0] == "0.10"


async def test_two_first_deposits_at_once_have_one_currency(database: Database) -> None:
    contract = await a_gift_card(database)
    currencies = ["NOK", "SEK"] * 5
    answers = await asyncio.gather(
        *(answered(database, DEPOSIT, given(contract, "1.00", currency=each)) for each in currencies)
    )
    outcomes = Counter(errors[0][0] if errors else "done" for _, errors in answers)
    assert outcomes == {"done": 5, "CURRENCY_MISMATCH": 5}
    assert (await state(database, contract))[0] == "5.00"


async def test_the_email_of_the_seller_is_for_those_who_read_the_ledger(database: Database) -> None:
    contract = await a_gift_card(database)
    viewer: Any = VIEWER
    await done(database, DEPOSIT, given(contract, email="ola@example.no"), viewer)
    found: dict[str, Any] = await proof(database, contract)
    assert (found["contractUuid"], found["count"], found["sum"]) == (contract.uuid, 1, "100.00")
