"""How often codes may be guessed, and by whom (rule L41)."""

import asyncio
from datetime import timedelta

import pytest

from datastore.database import Database
from datastore.policy import Policy
from datastore.viewer import GRANTABLE, Viewer
from resolvers.loyalty.claims import CLIENT_TRIES
from tests.customer.mutations import NOW, everything, freeze
from tests.execute import FOREIGNER, VIEWER
from tests.factories.customer import a_customer, some_customers
from tests.factories.loyalty import YEAR, a_contract, a_program
from tests.loyalty.contracts import CODE, LOCKED, REFUSED, claim, failures, user
from tests.statements import statements


def guesses(count: int) -> list[str]:
    return [f"NSB-guess-{n}" for n in range(count)]


@pytest.mark.rule("L41")
async def test_who_guesses_too_often_is_locked_from_the_last_failure_on(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.policy = Policy(claim_failures=3, claim_pause=timedelta(minutes=5))
    kari, ola = await a_customer(database), await a_customer(database)
    program = await a_program(database, start_date=NOW - YEAR, end_date=NOW + 10 * YEAR)
    contract = await a_contract(database, program, external_ref=CODE)
    for minute, code in enumerate(guesses(3)):
        freeze(monkeypatch, NOW + timedelta(minutes=minute))
        assert await claim(database, kari, code) == REFUSED
    before = await everything(database)
    for moment in (NOW + timedelta(minutes=2), NOW + timedelta(minutes=7, milliseconds=-1)):
        freeze(monkeypatch, moment)
        for code in (CODE, "NSB-guess-9"):
            with statements(database) as seen:
                assert await claim(database, kari, code) == LOCKED
            assert not any("FROM contract" in each for each in seen)
    assert await everything(database) == before
    assert await claim(database, ola, "NSB-guess-9") == REFUSED
    freeze(monkeypatch, NOW + timedelta(minutes=7))
    assert await claim(database, kari) == contract.uuid


@pytest.mark.rule("L41")
async def test_a_claim_ends_a_row_of_failures_but_one_that_changes_nothing_does_not(database: Database) -> None:
    database.policy = Policy(claim_failures=3)
    kari, program = await a_customer(database), await a_program(database)
    contracts = [await a_contract(database, program, external_ref=f"NSB-code-{n}") for n in range(2)]
    for n, contract in enumerate(contracts):
        assert [await claim(database, kari, code) for code in guesses(2)] == [REFUSED] * 2
        assert await claim(database, kari, f"NSB-code-{n}") == contract.uuid
        assert await failures(database) == []
    answers = [
        await claim(database, kari, code) for code in ("NSB-a-1", "NSB-code-0", "NSB-a-2", "NSB-code-1", "NSB-a-3")
    ]
    assert answers == [REFUSED, contracts[0].uuid, REFUSED, contracts[1].uuid, REFUSED]
    assert await claim(database, kari, "NSB-code-0") == LOCKED


@pytest.mark.rule("L41")
async def test_callers_are_counted_apart_from_customers(database: Database) -> None:
    database.policy = Policy(claim_failures=2)
    kari, ola = await a_customer(database), await a_customer(database)
    contract = await a_contract(database, await a_program(database), external_ref=CODE)
    somebody = {"subject": "somebody", "issuer": "https://travellers.example"}
    for code in guesses(2):
        assert await claim(database, kari, code, user(kari, **somebody)) == REFUSED
    assert await claim(database, ola, viewer=user(ola, **somebody)) == LOCKED
    assert await claim(database, kari, viewer=user(kari)) == LOCKED
    assert await claim(database, ola, viewer=user(ola, **{**somebody, "issuer": "other"})) == contract.uuid


@pytest.mark.rule("L41")
async def test_a_client_may_fail_more_often_as_it_asks_for_many(database: Database) -> None:
    database.policy = Policy(claim_failures=1)
    customers = await some_customers(database, *[{}] * (CLIENT_TRIES + 1))
    await a_contract(database, await a_program(database), external_ref=CODE)
    app = Viewer(1, permissions=GRANTABLE, client_id="app")
    for customer in customers[:-1]:
        assert await claim(database, customer, "NSB-guess-1", app) == REFUSED
    assert await claim(database, customers[-1], viewer=app) == LOCKED
    assert await claim(database, 5, viewer=app) == LOCKED


async def test_nothing_is_kept_of_what_was_typed(database: Database) -> None:
    kari = await a_customer(database)
    await claim(database, kari, "NSB-guess-1", user(kari))
    await claim(database, kari, "NSB-guess-1", FOREIGNER)
    found = await everything(database)
    assert "guess" not in str(found)
    assert {len(row[0]) for row in found["sign_in_failure"]} == {64}
    assert found["audit_log"] == []


@pytest.mark.rule("L41")
@pytest.mark.parametrize("by_user", [False, True])
async def test_of_many_guesses_at_once_no_more_are_looked_at_than_are_allowed(
    database: Database, by_user: bool
) -> None:
    kari = await a_customer(database)
    viewer = user(kari) if by_user else VIEWER
    await a_contract(database, await a_program(database), external_ref=CODE)
    with statements(database) as seen:
        answers = await asyncio.gather(*(claim(database, kari, code, viewer) for code in guesses(30)))
    assert (answers.count(REFUSED), answers.count(LOCKED)) == (5, 25)
    assert sum("FROM contract \n" in each or "FROM contract\n" in each for each in seen) == 5
    assert await claim(database, kari, viewer=viewer) == LOCKED


async def test_rows_of_failures_are_few(database: Database) -> None:
    """One for a customer, one for a caller, however often they fail."""
    kari = await a_customer(database)
    for code in guesses(4):
        await claim(database, kari, code, user(kari))
    assert await failures(database) == [4, 4]
