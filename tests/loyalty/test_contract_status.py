"""acceptContract and setContractStatus (rules L10 and L20)."""

from datetime import timedelta
from typing import Any

import pytest

from datastore.database import Database
from datastore.loyalty.contract import ContractStatus
from tests.customer.mutations import (
    answered,
    done,
    events,
    freeze,
    refused,
)
from tests.execute import FOREIGNER
from tests.factories.customer import a_customer
from tests.factories.loyalty import (
    DAY,
    a_consumer,
    a_contract,
    a_program,
    now,
)
from tests.loyalty.contracts import (
    ACCEPT,
    NOWHERE,
    SET_STATUS,
    UNNAMED,
    at,
    user,
)

# Accepting contracts


async def accepted(database: Database, contract: Any, viewer: Any, **given: Any) -> Any:
    return await done(database, ACCEPT, {"contractUuid": contract.uuid, **given}, viewer)


@pytest.mark.rule("L20")
async def test_a_contract_is_accepted_once_by_its_holder(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    moment = now()
    freeze(monkeypatch, moment)
    kari, old, ola = await a_customer(database), await a_customer(database), await a_customer(database)
    contract = await a_contract(database, await a_program(database), kari)
    await a_consumer(database, contract, ola)
    given = {"contractUuid": contract.uuid}
    future = {**given, "acceptanceDate": at(moment + timedelta(seconds=1))}
    errors = await refused(database, ACCEPT, future, user(kari))
    assert [each[:2] for each in errors] == [("VALUE_INVALID", "acceptanceDate")]
    error = ("NOT_THE_CONTRACT_HOLDER", "contractUuid", [contract.uuid])
    assert await refused(database, ACCEPT, given, user(ola)) == [error]
    error = ("CONTRACT_NOT_FOUND", "contractUuid", [contract.uuid])
    assert await refused(database, ACCEPT, given, user(await a_customer(database))) == [error]
    shown = await accepted(database, contract, user(old, kari))
    assert shown == {"acceptanceDate": at(moment), "version": 2, "lastChangedBy": UNNAMED}
    error = ("CONTRACT_ALREADY_ACCEPTED", "contractUuid", [contract.uuid])
    assert await refused(database, ACCEPT, given) == [error]
    assert await events(database) == []


async def test_clients_tell_when_a_contract_was_accepted(database: Database) -> None:
    kari, program = await a_customer(database), await a_program(database)
    for moment in (now() - DAY, now() + DAY):
        contract = await a_contract(database, program, kari)
        given = {"contractUuid": contract.uuid, "acceptanceDate": at(moment)}
        assert (await done(database, ACCEPT, given))["acceptanceDate"] == at(moment)
    contract = await a_contract(database, program, kari)
    given = {"contractUuid": contract.uuid, "acceptanceDate": "9999-12-31T23:59:59Z"}
    assert [each[0] for each in await refused(database, ACCEPT, given)] == ["VALUE_INVALID"]


@pytest.mark.rule("L10")
async def test_what_cannot_be_used_any_more_is_not_accepted(database: Database) -> None:
    kari, program = await a_customer(database), await a_program(database)
    over = await a_contract(database, program, kari, expiration_date=now() - DAY)
    bad = await a_contract(database, program, kari, status=ContractStatus.MISUSED)
    for contract, code in ((over, "CONTRACT_EXPIRED"), (bad, "CONTRACT_NOT_VALID")):
        error = (code, "contractUuid", [contract.uuid])
        assert await refused(database, ACCEPT, {"contractUuid": contract.uuid}) == [error]


@pytest.mark.rule("T04")
@pytest.mark.rule("H5")
async def test_foreign_contracts_answer_as_unknown_ones(database: Database) -> None:
    theirs = await a_contract(database, await a_program(database), await a_customer(database))
    for text, more in ((ACCEPT, {}), (SET_STATUS, {"status": "CANCELLED"})):
        for uuid in (theirs.uuid, NOWHERE, "", "x" * 100_000, "a\x00b", "a\ud800b"):
            (error,) = await refused(database, text, {"contractUuid": uuid, **more}, FOREIGNER)
            assert error[:2] == ("CONTRACT_NOT_FOUND", "contractUuid")


# What becomes of contracts


@pytest.mark.rule("L10")
@pytest.mark.parametrize("status", ["REFUNDED", "CANCELLED", "MISUSED"])
async def test_a_contract_is_refunded_cancelled_or_misused_for_ever(database: Database, status: str) -> None:
    program, kari = await a_program(database), await a_customer(database)
    contracts = [
        await a_contract(database, program, kari),
        await a_contract(database, program, kari, expiration_date=now() - DAY),
        await a_contract(database, program, kari, expiration_date=now() - DAY, status=ContractStatus.EXPIRED),
    ]
    for contract in contracts:
        given = {"contractUuid": contract.uuid, "status": status, "expectedVersion": 1}
        assert await done(database, SET_STATUS, given) == {"status": status, "version": 2, "lastChangedBy": UNNAMED}
        for again in ("REFUNDED", "CANCELLED", "MISUSED"):
            error = ("CONTRACT_STATUS_FINAL", "status", [again])
            assert await refused(database, SET_STATUS, {"contractUuid": contract.uuid, "status": again}) == [error]


@pytest.mark.rule("L10")
async def test_nobody_makes_a_contract_valid_or_expired(database: Database) -> None:
    contract = await a_contract(database, await a_program(database))
    for status in ("VALID", "EXPIRED"):
        given = {"contractUuid": contract.uuid, "status": status}
        assert await refused(database, SET_STATUS, given) == [("VALUE_INVALID", "status", [status])]


async def test_a_status_is_not_set_of_a_contract_that_has_changed_meanwhile(database: Database) -> None:
    contract = await a_contract(database, await a_program(database), version=2)
    given = {"contractUuid": contract.uuid, "status": "CANCELLED", "expectedVersion": 1}
    payload, errors = await answered(database, SET_STATUS, given)
    assert errors == [("VERSION_CONFLICT", "expectedVersion", ["1"])]
    assert payload["contract"]["version"] == 2
