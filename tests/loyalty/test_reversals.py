"""reverseTransaction (rule L18)."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from datastore.database import Database
from datastore.loyalty.contract import Contract, ContractStatus
from tests.customer.mutations import answered, done, errors_of, refused, unchanged
from tests.execute import FOREIGNER, execute
from tests.factories.loyalty import now
from tests.loyalty.money import DEPOSIT, REVERSE, WITHDRAW, a_gift_card, given, state


async def moved(database: Database, contract: Contract, text: str, amount: str) -> str:
    """The id of a new transaction."""
    made = await done(database, text, given(contract, amount))
    return str(made["internalTransactionId"])


def back(key: str, **values: Any) -> dict[str, Any]:
    return {"internalTransactionId": key, **values}


@pytest.mark.rule("L18")
async def test_a_deposit_is_taken_back(database: Database) -> None:
    contract = await a_gift_card(database, "5.00")
    key = await moved(database, contract, DEPOSIT, "100.00")
    more = {"rrn": "2", "email": "kari@example.no", "posId": "web", "externalTransactionId": "x-2"}
    payload, errors = await answered(database, REVERSE, back(key, **more))
    assert errors == []
    made = payload["transaction"]
    assert made == {
        **more,
        "amount": "-100.00",
        "currency": "NOK",
        "timestamp": made["timestamp"],
        "internalTransactionId": made["internalTransactionId"],
        "reverses": {"internalTransactionId": key},
        "reversedBy": None,
    }
    assert made["internalTransactionId"] != key
    assert payload["contract"]["currentTotal"]["amount"] == "5.00"
    assert await state(database, contract) == ("5.00", [500, 10000, -10000])


@pytest.mark.rule("L18")
async def test_a_withdrawal_is_taken_back_in_part(database: Database) -> None:
    contract = await a_gift_card(database, "100.00")
    key = await moved(database, contract, WITHDRAW, "60.00")
    made = await done(database, REVERSE, back(key, amount="20.00"))
    assert made["amount"] == "20.00"
    assert await state(database, contract) == ("60.00", [10000, -6000, 2000])


@pytest.mark.rule("L18")
async def test_what_cannot_be_taken_back_is_refused(database: Database) -> None:
    contract = await a_gift_card(database)
    deposit = await moved(database, contract, DEPOSIT, "100.00")
    withdrawal = await moved(database, contract, WITHDRAW, "60.00")
    assert await refused(database, REVERSE, back(deposit)) == [("TOTAL_TOO_LOW", "amount", ["100.00"])]
    assert await refused(database, REVERSE, back(deposit, amount="40.01")) == [("TOTAL_TOO_LOW", "amount", ["40.01"])]
    async with unchanged(database):
        for amount in ("0.00", "-1.00"):
            assert await errors_of(database, REVERSE, back(deposit, amount=amount)) == [
                ("AMOUNT_INVALID", "amount", [amount])
            ]
        for key, amount in ((deposit, "100.01"), (withdrawal, "60.01")):
            assert await errors_of(database, REVERSE, back(key, amount=amount)) == [
                ("REVERSAL_TOO_LARGE", "amount", [amount])
            ]
    reversal = (await done(database, REVERSE, back(deposit, amount="40.00")))["internalTransactionId"]
    for more in ({"amount": "40.00"}, {"amount": "60.00"}, {}):
        given_back = back(deposit, **more)
        assert await refused(database, REVERSE, given_back) == [
            ("ALREADY_REVERSED", "internalTransactionId", [deposit])
        ]
    assert await refused(database, REVERSE, back(reversal)) == [
        ("REVERSAL_NOT_ALLOWED", "internalTransactionId", [reversal])
    ]


@pytest.mark.rule("L18")
async def test_taking_back_a_withdrawal_cannot_give_more_than_there_is_room_for(database: Database) -> None:
    contract = await a_gift_card(database, "1.00")
    key = await moved(database, contract, WITHDRAW, "1.00")
    await done(database, DEPOSIT, given(contract, "9999999999999.99"))
    assert await refused(database, REVERSE, back(key)) == [("TOTAL_TOO_HIGH", "amount", ["1.00"])]
    assert (await done(database, REVERSE, back(key, amount="0.01")))["amount"] == "0.01"


@pytest.mark.rule("T04")
async def test_a_foreign_transaction_is_like_an_unknown_one(database: Database) -> None:
    contract = await a_gift_card(database)
    key = await moved(database, contract, DEPOSIT, "100.00")
    unknown = [("TRANSACTION_NOT_FOUND", "internalTransactionId", [key])]
    assert await refused(database, REVERSE, back(key), FOREIGNER) == unknown
    assert await refused(database, REVERSE, back(key, amount="0.00", email="x"), FOREIGNER) == unknown
    async with unchanged(database):
        for each in ("1", "", "a\x00b", "a\ud800b", "x" * 100_000, contract.uuid):
            (error,) = await errors_of(database, REVERSE, back(each))
            assert error[:2] == ("TRANSACTION_NOT_FOUND", "internalTransactionId")


@pytest.mark.parametrize("status", [*ContractStatus, None], ids=str)
async def test_the_books_can_be_put_right_whatever_has_become_of_the_contract(
    database: Database, status: ContractStatus | None
) -> None:
    contract = await a_gift_card(database)
    key = await moved(database, contract, DEPOSIT, "100.00")
    values = {"ends_at": now() - timedelta(days=1)} if status is None else {"status": status}
    async with database.write() as session:
        await session.execute(update(Contract.__table__).values(**values))  # type: ignore[arg-type]
    await done(database, REVERSE, back(key))
    assert await state(database, contract) == ("0.00", [10000, -10000])


@pytest.mark.rule("L18")
async def test_of_many_reversals_at_once_one_is_done(database: Database) -> None:
    contract = await a_gift_card(database, "1000.00")
    key = await moved(database, contract, DEPOSIT, "100.00")
    other = await moved(database, contract, WITHDRAW, "50.00")
    answers = await asyncio.gather(
        *(answered(database, REVERSE, back(each)) for each in [key, other] * 10),
        *(answered(database, DEPOSIT, given(contract, "1.00")) for _ in range(5)),
    )
    outcomes = Counter(errors[0][0] if errors else "done" for _, errors in answers)
    assert outcomes == {"done": 7, "ALREADY_REVERSED": 18}
    assert (await state(database, contract))[0] == "1005.00"


async def test_what_was_taken_back_is_shown_at_both(database: Database) -> None:
    contract = await a_gift_card(database)
    key = await moved(database, contract, DEPOSIT, "100.00")
    made = await done(database, REVERSE, back(key, amount="1.00"))
    text = f"""mutation($input: DepositToContractInput!) {{ depositToContract(input: $input) {{
        contract {{ transactions {{ internalTransactionId {"reversedBy { internalTransactionId }"} }} }} }} }}"""
    payload = (await execute(database, text, input=given(contract, "2.00")))["depositToContract"]
    shown = {each["internalTransactionId"]: each["reversedBy"] for each in payload["contract"]["transactions"]}
    assert shown[key] == {"internalTransactionId": made["internalTransactionId"]}
    assert [*shown.values()].count(None) == 2
