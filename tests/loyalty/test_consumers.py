"""addContractConsumer, blockContractConsumer and unblockContractConsumer (rule L20)."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from datastore.customer import CustomerStatus
from datastore.database import Database
from datastore.loyalty.contract import ContractConsumer, ContractStatus
from tests.customer.mutations import HOSTILE, answered, done, errors_of, events, freeze, refused, unchanged
from tests.execute import FOREIGNER, INTERNAL
from tests.factories.customer import a_customer, a_deleted_customer, a_merged_customer, inserted, some_customers
from tests.factories.employee import a_company, a_family_member, an_employee, the_codes
from tests.factories.loyalty import CLIENT, DAY, a_consumer, a_contract, a_program, now
from tests.loyalty.contracts import (
    ADD,
    BLOCK,
    NOWHERE,
    UNBLOCK,
    UNNAMED,
    consumers,
    logged,
    outcomes,
    stored,
    user,
)
from tests.statements import statements

ALL = [ADD, BLOCK, UNBLOCK]


def about(contract: Any, customer: Any = None, **named: Any) -> dict[str, Any]:
    number = {"customerNumber": customer.customer_number} if customer else {}
    return {"contractUuid": contract.uuid, **number, **named}


@pytest.mark.rule("L20")
async def test_a_customer_is_added_blocked_and_unblocked(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    moment = now()
    freeze(monkeypatch, moment)
    kari, ola = await a_customer(database), await a_customer(database)
    contract = await a_contract(database, await a_program(database), kari)
    for version, (text, is_blocked) in enumerate(((ADD, False), (BLOCK, True), (UNBLOCK, False)), start=2):
        payload, errors = await answered(database, text, about(contract, ola))
        assert errors == []
        assert payload == {
            "contractConsumer": {
                "customerNumber": ola.customer_number,
                "isContractHolder": False,
                "isBlocked": is_blocked,
                "lastChangedBy": UNNAMED,
            },
            "contract": {"uuid": contract.uuid, "version": version, "lastChangedBy": UNNAMED},
        }
        assert await consumers(database, contract) == [(kari.id, True, False), (ola.id, False, is_blocked)]
    assert (await stored(database, contract.uuid)).last_changed_at == moment
    assert await events(database) == []
    operations = ["addContractConsumer", "blockContractConsumer", "unblockContractConsumer"]
    assert [each.operation for each in await logged(database) if each.customer_id == ola.id] == operations


@pytest.mark.rule("L20")
async def test_consumers_are_told_apart_by_reference_too_and_mergers_are_followed(database: Database) -> None:
    program, kari, passive = (
        await a_program(database),
        await a_customer(database),
        await a_customer(database, status=CustomerStatus.PASSIVE, customer_ref="ref-1"),
    )
    merged = await a_merged_customer(database, passive)
    for named in ({"customerRef": "ref-1"}, {"customerNumber": merged.customer_number}):
        contract = await a_contract(database, program, kari)
        for text in ALL:
            assert (await done(database, text, about(contract, **named)))["customerNumber"] == passive.customer_number
        assert await consumers(database, contract) == [(kari.id, True, False), (passive.id, False, False)]


@pytest.mark.rule("L20")
async def test_what_is_so_already_is_refused(database: Database) -> None:
    kari, ola, per, nils = await some_customers(database, {}, {}, {}, {})
    contract = await a_contract(database, await a_program(database), kari)
    await a_consumer(database, contract, ola)
    await a_consumer(database, contract, per, is_blocked=True)
    async with unchanged(database):
        for text, customer, code in (
            (ADD, ola, "ALREADY_A_CONSUMER"),
            (ADD, per, "ALREADY_A_CONSUMER"),
            (ADD, kari, "CONTRACT_HOLDER_NEEDED"),
            (BLOCK, kari, "CONTRACT_HOLDER_NEEDED"),
            (BLOCK, per, "CONSUMER_BLOCKED"),
            (BLOCK, nils, "NOT_A_CONSUMER"),
            (UNBLOCK, ola, "CONSUMER_NOT_BLOCKED"),
            (UNBLOCK, kari, "CONSUMER_NOT_BLOCKED"),
            (UNBLOCK, nils, "NOT_A_CONSUMER"),
        ):
            number = str(customer.customer_number)
            assert await errors_of(database, text, about(contract, customer)) == [(code, "customerNumber", [number])]


@pytest.mark.rule("T04")
async def test_foreign_and_deleted_customers_answer_as_unknown_ones(database: Database) -> None:
    kari, gone = await a_customer(database), await a_deleted_customer(database)
    foreign = await a_customer(database, organisation_id=2, customer_ref="theirs")
    contract = await a_contract(database, await a_program(database), kari)
    async with unchanged(database):
        for viewer in (None, INTERNAL):
            more = (viewer,) if viewer else ()
            for text, code in ((ADD, "CUSTOMER_NOT_FOUND"), (BLOCK, "NOT_A_CONSUMER"), (UNBLOCK, "NOT_A_CONSUMER")):
                for number in (gone.customer_number, foreign.customer_number, 5):
                    given = about(contract, customerNumber=number)
                    assert await errors_of(database, text, given, *more) == [(code, "customerNumber", [str(number)])]
                given = about(contract, customerRef="theirs")
                assert await errors_of(database, text, given, *more) == [(code, "customerRef", ["theirs"])]


@pytest.mark.rule("T04")
@pytest.mark.rule("H5")
async def test_foreign_contracts_answer_as_unknown_ones_whoever_is_named(database: Database) -> None:
    kari, ola = await a_customer(database), await a_customer(database, organisation_id=2)
    contract = await a_contract(database, await a_program(database), kari)
    async with unchanged(database):
        for text in ALL:
            for uuid in (contract.uuid, NOWHERE, "", "x" * 100_000, "a\x00b"):
                for customer in (kari, ola):
                    given = {"contractUuid": uuid, "customerNumber": customer.customer_number}
                    (error,) = await errors_of(database, text, given, FOREIGNER)
                    assert error[:2] == ("CONTRACT_NOT_FOUND", "contractUuid")
            for value, code in HOSTILE:
                (error,) = await errors_of(database, text, about(contract, customerRef=value))
                assert error[:2] == (code, "customerRef")
            for given in (about(contract), about(contract, kari, customerRef="1")):
                (error,) = await errors_of(database, text, given)
                assert error[:2] == ("EXACTLY_ONE_NEEDED", "customerNumber")


@pytest.mark.rule("L10")
async def test_nobody_is_added_to_what_cannot_be_used_any_more(database: Database) -> None:
    kari, ola, program = await a_customer(database), await a_customer(database), await a_program(database)
    over = await a_contract(database, program, kari, expiration_date=now() - DAY)
    bad = await a_contract(database, program, kari, status=ContractStatus.CANCELLED)
    for contract, code in ((over, "CONTRACT_EXPIRED"), (bad, "CONTRACT_NOT_VALID")):
        error = (code, "contractUuid", [contract.uuid])
        assert await refused(database, ADD, about(contract, ola)) == [error]
        await a_consumer(database, contract, ola)
        assert (await done(database, BLOCK, about(contract, ola)))["isBlocked"]


@pytest.mark.rule("L20")
async def test_a_contract_that_nobody_has_claimed_can_have_consumers(database: Database) -> None:
    kari, contract = await a_customer(database), await a_contract(database, await a_program(database))
    assert not (await done(database, ADD, about(contract, kari)))["isContractHolder"]
    assert (await stored(database, contract.uuid)).holder_id is None


# Users


async def relatives(database: Database, kari: Any) -> list[Any]:
    """A profile that is connected to Kari's, and two of her family, one of whom has two profiles."""
    await the_codes(database)
    employee = await an_employee(database, await a_company(database), customer_number=kari.customer_number)
    connected, child, partner = await some_customers(database, {"parent_id": kari.id}, {}, {})
    merged = await a_merged_customer(database, partner)
    for number in (child.customer_number, merged.customer_number):
        await a_family_member(database, employee, customer_number=number)
    return [employee, connected, child, partner]


@pytest.mark.rule("L20")
@pytest.mark.rule("T05")
async def test_users_share_what_they_hold_with_those_who_belong_to_them(database: Database) -> None:
    kari = await a_customer(database)
    employee, *theirs = await relatives(database, kari)
    viewer = user(kari, employee_ids=frozenset({employee.id}))
    contract = await a_contract(database, await a_program(database), kari)
    for each in theirs:
        for text, is_blocked in ((ADD, False), (BLOCK, True), (UNBLOCK, False)):
            shown = await done(database, text, about(contract, each), viewer)
            assert (shown["customerNumber"], shown["isBlocked"]) == (None, is_blocked)
    assert [key for key, *_ in await consumers(database, contract)] == [kari.id, *(each.id for each in theirs)]


@pytest.mark.rule("L20")
@pytest.mark.rule("T05")
async def test_users_do_not_find_out_which_customers_there_are(database: Database) -> None:
    kari = await a_customer(database)
    employee, *theirs = await relatives(database, kari)
    await a_family_member(database, employee, customer_number=(await a_customer(database)).customer_number)
    stranger, gone = await a_customer(database), await a_deleted_customer(database)
    foreign = await a_customer(database, organisation_id=2)
    used = await a_customer(database)
    contract = await a_contract(database, await a_program(database), kari)
    await a_consumer(database, contract, used, is_blocked=True)
    viewer = user(kari, employee_ids=frozenset())
    seen: Counter[tuple[str, ...]] = Counter()
    async with unchanged(database):
        for text, code in ((ADD, "CUSTOMER_NOT_FOUND"), (BLOCK, "NOT_A_CONSUMER"), (UNBLOCK, "NOT_A_CONSUMER")):
            for number in (*(each.customer_number for each in (stranger, gone, foreign, theirs[1])), 5):
                with statements(database) as asked:
                    errors = await errors_of(database, text, about(contract, customerNumber=number), viewer)
                assert errors == [(code, "customerNumber", [str(number)])]
                seen[tuple(asked)] += 1
        error = ("ALREADY_A_CONSUMER", "customerNumber", [str(used.customer_number)])
        assert await errors_of(database, ADD, about(contract, used), viewer) == [error]
    assert sorted(seen.values()) == [5, 10]  # the same statements, whether there is such a customer or not


@pytest.mark.rule("L20")
@pytest.mark.rule("T05")
async def test_only_the_holder_among_users_shares_a_contract(database: Database) -> None:
    kari, ola, per = await some_customers(database, {}, {}, {})
    contract = await a_contract(database, await a_program(database), kari)
    await a_consumer(database, contract, ola)
    async with unchanged(database):
        for text in ALL:
            for named in (kari, ola, per):
                error = ("NOT_THE_CONTRACT_HOLDER", "contractUuid", [contract.uuid])
                assert await errors_of(database, text, about(contract, named), user(ola)) == [error]
                error = ("CONTRACT_NOT_FOUND", "contractUuid", [contract.uuid])
                assert await errors_of(database, text, about(contract, named), user(per)) == [error]


# Many at once


@pytest.mark.rule("L20")
async def test_the_last_place_is_given_once(database: Database) -> None:
    kari, *others = await some_customers(database, *[{}] * 110)
    contract = await a_contract(database, await a_program(database), kari)
    moment = now()
    common = {"contract_id": contract.id, "is_contract_holder": False, "is_blocked": False}
    by = {"created_at": moment, "created_by": CLIENT, "last_changed_at": moment, "last_changed_by": CLIENT}
    await inserted(database, ContractConsumer, *[{**common, **by, "customer_id": each.id} for each in others[:97]])
    answers = await asyncio.gather(*(answered(database, ADD, about(contract, each)) for each in others[97:107]))
    assert outcomes(answers) == {"done": 2, "TOO_MANY_CONSUMERS": 8}
    assert len(await consumers(database, contract)) == 100


@pytest.mark.rule("L20")
async def test_a_customer_is_added_once(database: Database) -> None:
    kari, ola = await a_customer(database), await a_customer(database)
    contract = await a_contract(database, await a_program(database), kari)
    answers = await asyncio.gather(*(answered(database, ADD, about(contract, ola)) for _ in range(10)))
    assert outcomes(answers) == {"done": 1, "ALREADY_A_CONSUMER": 9}
    answers = await asyncio.gather(*(answered(database, BLOCK, about(contract, ola)) for _ in range(10)))
    assert outcomes(answers) == {"done": 1, "CONSUMER_BLOCKED": 9}
    assert (await stored(database, contract.uuid)).version == 3
