"""activateLoyaltyProgram: a customer gets a contract by the word of a program (rules L07, L21 and L41)."""

import asyncio
from datetime import date, timedelta
from time import perf_counter
from typing import Any

import pytest

from datastore.customer import CustomerStatus
from datastore.database import Database
from datastore.loyalty.contract import ContractStatus
from datastore.loyalty.program import LoyaltyProgramType
from datastore.policy import Policy
from datastore.text import email_key
from datastore.viewer import Viewer
from tests.customer.mutations import HOSTILE, Error, answered, done, events, everything, freeze
from tests.execute import FOREIGNER, INTERNAL, VIEWER
from tests.factories.customer import a_customer, a_deleted_customer, a_merged_customer, some_customers
from tests.factories.loyalty import DAY, a_contract, a_coupon_program, a_program, now
from tests.loyalty.contracts import ACTIVATE, CLAIM, CREATE, at, consumers, failures, outcomes, stored, user

WORD = "Sommer Ø"
REFUSED: list[Error] = [("CLAIM_REFUSED", "loyaltyProgramCode", [])]
LOCKED: list[Error] = [("CLAIM_LOCKED", "", [])]
AGAIN: list[Error] = [("ALREADY_ACTIVATED", "", [])]


def coded(code: str = WORD, **values: Any) -> dict[str, Any]:
    """The columns of a program with a code."""
    return {"loyalty_program_code": code, "code_key": email_key(code), **values}


async def activate(
    database: Database, customer: Any, code: str = WORD, reference: str | None = None, viewer: Viewer = VIEWER
) -> Any:
    """The contract that was activated, or the errors; then nothing is shown."""
    number = getattr(customer, "customer_number", customer)
    given = {"customerNumber": number, "loyaltyProgramCode": code, "externalRef": reference}
    payload, errors = await answered(database, ACTIVATE, given, viewer)
    if errors:
        assert payload == {"contract": None, "customer": None}
        return errors
    return payload["contract"]


async def without_failures(database: Database) -> dict[str, Any]:
    return {table: rows for table, rows in (await everything(database)).items() if table != "sign_in_failure"}


@pytest.mark.rule("L07")
@pytest.mark.rule("L05")
@pytest.mark.rule("L43")
@pytest.mark.parametrize("by_user", [False, True])
async def test_the_word_of_a_program_gives_a_customer_a_contract(
    database: Database, monkeypatch: pytest.MonkeyPatch, by_user: bool
) -> None:
    moment = now()
    freeze(monkeypatch, moment)
    kari = await a_customer(database, date_of_birth=date(1930, 1, 1))
    program = await a_program(database, **coded(), usage_validity_period="PT5H")
    shown = await activate(database, kari, " sommer ø ", viewer=user(kari) if by_user else VIEWER)
    assert (shown["loyaltyProgram"]["loyaltyProgramId"], shown["passengerCategory"]) == (program.id, "SENIOR")
    assert (shown["consumableFrom"], shown["expirationDate"]) == (at(moment), at(moment + timedelta(hours=5)))
    row = await stored(database, shown["uuid"])
    assert (row.holder_id, row.organisation_id, row.version) == (kari.id, 1, 1)
    assert await consumers(database, row) == [(kari.id, True, False)]
    assert await failures(database) == []
    assert await events(database) == []


@pytest.mark.rule("L13")
async def test_a_program_of_coupons_gives_its_coupons(database: Database) -> None:
    await a_coupon_program(database, 4, **coded())
    assert (await activate(database, await a_customer(database)))["couponsLimit"] == 4


@pytest.mark.rule("L07")
async def test_a_program_is_activated_once_while_its_contract_can_be_used(database: Database) -> None:
    kari, program = await a_customer(database), await a_program(database, **coded())
    await a_contract(database, program, kari, status=ContractStatus.REFUNDED)
    await a_contract(database, program, kari, expiration_date=now() - DAY)
    shown = await activate(database, kari)
    before = await everything(database)
    assert await activate(database, kari) == AGAIN
    assert await everything(database) == before
    assert await activate(database, await a_customer(database)) != AGAIN
    text = "mutation($input: SetContractStatusInput!) { setContractStatus(input: $input) { contract { uuid } userErrors"
    cancelled = {"contractUuid": shown["uuid"], "status": "CANCELLED"}
    await done(database, text + " { code field rejectedValues } } }", cancelled)
    assert (await activate(database, kari))["uuid"] != shown["uuid"]


@pytest.mark.rule("L10")
async def test_whoever_has_misused_a_contract_of_the_program_gets_no_other_one(database: Database) -> None:
    kari, program = await a_customer(database), await a_program(database, **coded())
    await a_contract(database, program, kari, status=ContractStatus.MISUSED, expiration_date=now() - DAY)
    assert await activate(database, kari, viewer=user(kari)) == REFUSED
    assert await failures(database) == [1, 1]
    await activate(database, await a_customer(database))


@pytest.mark.rule("C40")
async def test_a_merged_profile_activates_for_the_one_it_became(database: Database) -> None:
    kari = await a_customer(database, status=CustomerStatus.PASSIVE)
    merged = await a_merged_customer(database, kari)
    await a_program(database, **coded())
    shown = await activate(database, merged, viewer=user(kari, merged))
    assert (await stored(database, shown["uuid"])).holder_id == kari.id
    assert await activate(database, kari) == AGAIN


@pytest.mark.rule("T04")
async def test_a_word_is_looked_up_in_the_organisation_of_the_customer(database: Database) -> None:
    kari, ola = await a_customer(database), await a_customer(database, organisation_id=2)
    mine, theirs = await a_program(database, **coded()), await a_program(database, **coded(organisation_id=2))
    for viewer, customer, program in ((VIEWER, kari, mine), (INTERNAL, ola, theirs)):
        shown = await activate(database, customer, viewer=viewer)
        assert shown["loyaltyProgram"]["loyaltyProgramId"] == program.id


# With an external reference


@pytest.mark.rule("L07")
@pytest.mark.rule("L21")
async def test_the_contract_with_the_reference_is_claimed_if_nobody_has_it(database: Database) -> None:
    kari, ola = await a_customer(database, surname="Hansen"), await a_customer(database)
    program = await a_program(database, **coded())
    given = {
        "loyaltyProgramId": program.id,
        "externalRef": "M 17",
        "policies": [{"key": "SURNAME", "value": "hansen"}],
    }
    made = await done(database, CREATE, given)
    assert await activate(database, ola, reference="M 17") == REFUSED
    shown = await activate(database, kari, reference=" M 17 ")
    assert (shown["uuid"], shown["version"]) == (made["uuid"], 2)
    assert await consumers(database, await stored(database, made["uuid"])) == [(kari.id, True, False)]
    assert await activate(database, kari, reference="M 17") == [("CONTRACT_ALREADY_CLAIMED", "", [])]
    for each in (ola, await a_customer(database, surname="Hansen")):
        assert await activate(database, each, reference="M 17") == REFUSED


@pytest.mark.rule("L07")
async def test_a_reference_counts_within_the_program_only(database: Database) -> None:
    kari = await a_customer(database)
    await a_program(database, **coded())
    other = await a_program(database, **coded("Winter"))
    contract = await a_contract(database, other, external_ref="M-17")
    assert await activate(database, kari, reference="M-17") == REFUSED
    assert await activate(database, kari, reference="M-18") == REFUSED
    assert (await activate(database, kari, "WINTER", "M-17"))["uuid"] == contract.uuid


# What cannot be activated


@pytest.mark.rule("L41")
@pytest.mark.rule("L02")
@pytest.mark.rule("T04")
async def test_all_failures_are_answered_alike_and_counted(database: Database) -> None:
    database.policy = Policy(claim_failures=1000)
    kari, gone = await a_customer(database), await a_deleted_customer(database)
    foreign, moment = await a_customer(database, organisation_id=2), now()
    program = await a_program(database, **coded())
    await a_program(database, **coded("draft", start_date=moment + DAY))
    await a_program(database, **coded("ended", end_date=moment - DAY))
    await a_program(database, LoyaltyProgramType.UNMAPPED, **coded("old"))
    await a_program(database, **coded("theirs", organisation_id=2))
    await a_contract(database, program, await a_customer(database), external_ref="taken")
    await a_contract(database, program, external_ref="over", expiration_date=moment - DAY)
    await a_contract(database, program, external_ref="bad", status=ContractStatus.MISUSED)
    before = await without_failures(database)
    tried = [
        *((kari, code, None) for code in ("draft", "ended", "old", "theirs", "unknown")),
        *((kari, WORD, reference) for reference in ("taken", "over", "bad", "unknown")),
        *((kari, code, "over") for code in ("draft", "unknown")),
        *((each, WORD, None) for each in (foreign, gone, 5)),
    ]
    for each in tried:
        assert await activate(database, *each) == REFUSED, each
    assert await without_failures(database) == before
    assert await failures(database) == [1, 1, 1, len(tried) - 3]
    assert await activate(database, kari, viewer=FOREIGNER) == REFUSED


@pytest.mark.rule("L41")
async def test_failures_are_counted_together_with_those_of_claims(database: Database) -> None:
    kari, ola = await a_customer(database), await a_customer(database)
    await a_program(database, **coded())
    for _ in range(3):
        assert await activate(database, kari, "winter", viewer=user(kari)) == REFUSED
    for _ in range(2):
        given = {"customerNumber": kari.customer_number, "externalReference": "a-b-c"}
        assert [each[0] for each in (await answered(database, CLAIM, given, user(kari)))[1]] == ["CLAIM_REFUSED"]
    assert await activate(database, kari) == LOCKED
    assert await activate(database, kari, reference="M-17") == LOCKED
    assert await activate(database, ola, "winter") == REFUSED
    assert await activate(database, ola) != REFUSED
    assert await failures(database) == [5, 5]


@pytest.mark.rule("H5")
async def test_hostile_words_are_refused_at_once_and_not_counted(database: Database) -> None:
    kari = await a_customer(database)
    before = await everything(database)
    for value, code in [*HOSTILE, ("", "REQUIRED"), (" " * 100_000, "REQUIRED"), ("a\u0301" * 50_000, "TEXT_TOO_LONG")]:
        started = perf_counter()
        assert await activate(database, kari, value) == [(code, "loyaltyProgramCode", [])]
        assert await activate(database, kari, WORD, value) == [(code, "externalRef", [])]
        assert perf_counter() - started < 1
    assert await activate(database, kari, "x" * 61) == [("TEXT_TOO_LONG", "loyaltyProgramCode", [])]
    assert await activate(database, kari, WORD, "x" * 101) == [("TEXT_TOO_LONG", "externalRef", [])]
    assert await everything(database) == before


# Many at once


@pytest.mark.rule("L07")
async def test_one_customer_activates_a_program_once(database: Database) -> None:
    kari = await a_customer(database)
    await a_program(database, **coded())
    given = {"customerNumber": kari.customer_number, "loyaltyProgramCode": WORD}
    answers = await asyncio.gather(*(answered(database, ACTIVATE, given) for _ in range(10)))
    assert outcomes(answers) == {"done": 1, "ALREADY_ACTIVATED": 9}


@pytest.mark.rule("L20")
async def test_of_many_who_name_one_reference_one_gets_it(database: Database) -> None:
    customers = await some_customers(database, *[{}] * 8)
    contract = await a_contract(database, await a_program(database, **coded()), external_ref="M-17")
    given = [
        {"loyaltyProgramCode": WORD, "externalRef": "M-17", "customerNumber": c.customer_number} for c in customers
    ]
    answers = await asyncio.gather(*(answered(database, ACTIVATE, each) for each in given))
    assert outcomes(answers) == {"done": 1, "CLAIM_REFUSED": 7}
    assert len(await consumers(database, contract)) == 1


@pytest.mark.rule("L41")
async def test_of_many_guesses_at_once_no_more_are_looked_at_than_are_allowed(database: Database) -> None:
    kari = await a_customer(database)
    await a_program(database, **coded())
    answers = await asyncio.gather(*(activate(database, kari, f"guess {n}", viewer=user(kari)) for n in range(30)))
    assert (answers.count(REFUSED), answers.count(LOCKED)) == (5, 25)
    assert await activate(database, kari) == LOCKED
