"""claimPersonnelTicket: who gets a contract by its code (rules L20, L21, L40 and L41)."""

import asyncio
from datetime import date
from time import perf_counter
from typing import Any

import pytest
from sqlalchemy import select

from datastore.customer import CustomerStatus
from datastore.database import Database
from datastore.employee.rights import TicketRightsHolder
from datastore.loyalty.contract import ContractConsumer, ContractStatus
from datastore.policy import Policy
from tests.customer.merging import MERGE, a_ticket_profile, numbers
from tests.customer.mutations import HOSTILE, answered, document, done, events, everything
from tests.execute import INTERNAL, VIEWER
from tests.factories.customer import a_customer, a_deleted_customer, a_merged_customer, inserted, some_customers
from tests.factories.employee import a_company, an_employee, the_codes
from tests.factories.loyalty import CLIENT, DAY, a_consumer, a_contract, a_program, now
from tests.loyalty.contracts import (
    CLAIM,
    CODE,
    CREATE,
    LOCKED,
    REFUSED,
    SHOWN,
    claim,
    consumers,
    failures,
    logged,
    stored,
    user,
)
from tests.statements import statements


async def without_failures(database: Database) -> dict[str, Any]:
    return {table: rows for table, rows in (await everything(database)).items() if table != "sign_in_failure"}


# Whose a contract becomes


@pytest.mark.rule("L40")
@pytest.mark.rule("L20")
@pytest.mark.parametrize("by_user", [False, True])
async def test_whoever_claims_a_contract_without_a_holder_becomes_its_holder(database: Database, by_user: bool) -> None:
    kari = await a_customer(database)
    contract = await a_contract(database, await a_program(database), external_ref=CODE)
    given = {"customerNumber": kari.customer_number, "externalReference": f" {CODE} "}
    payload, errors = await answered(database, CLAIM, given, user(kari) if by_user else VIEWER)
    assert errors == []
    (consumer,) = payload["contract"].pop("contractConsumers")
    assert payload == {
        "success": True,
        "customerNumber": kari.customer_number,
        "customer": {"customerNumber": kari.customer_number},
        "contract": {"uuid": contract.uuid},
    }
    assert (consumer["customerNumber"], consumer["isContractHolder"]) == (kari.customer_number, True)
    row = await stored(database, contract.uuid)
    assert (row.holder_id, row.version) == (kari.id, 2)
    assert {each.operation for each in await logged(database)} == {"claimPersonnelTicket"}
    assert await failures(database) == []
    assert await events(database) == []


@pytest.mark.rule("L40")
async def test_whoever_claims_what_has_a_holder_becomes_a_further_consumer(database: Database) -> None:
    kari, ola = await a_customer(database), await a_customer(database)
    contract = await a_contract(database, await a_program(database), kari, external_ref=CODE)
    assert await claim(database, ola) == contract.uuid
    assert await consumers(database, contract) == [(kari.id, True, False), (ola.id, False, False)]
    assert (await stored(database, contract.uuid)).holder_id == kari.id


@pytest.mark.rule("L20")
async def test_a_consumer_of_a_contract_without_a_holder_becomes_its_holder(database: Database) -> None:
    kari, ola = await a_customer(database), await a_customer(database)
    contract = await a_contract(database, await a_program(database), external_ref=CODE)
    for each in (kari, ola):
        await a_consumer(database, contract, each)
    assert await claim(database, ola) == contract.uuid
    assert await consumers(database, contract) == [(kari.id, False, False), (ola.id, True, False)]


@pytest.mark.rule("L40")
async def test_claiming_again_changes_nothing(database: Database) -> None:
    kari = await a_customer(database)
    contract = await a_contract(database, await a_program(database), external_ref=CODE)
    assert await claim(database, kari) == contract.uuid
    before = await everything(database)
    assert await claim(database, kari) == contract.uuid
    after = await everything(database)
    assert {table for table, rows in after.items() if rows != before[table]} == {"audit_log", "audit_chain"}
    assert (await logged(database))[-1].details["changes"] == []


@pytest.mark.rule("L40")
@pytest.mark.rule("E21")
async def test_a_personnel_ticket_is_claimed_by_the_code_of_its_holder(database: Database) -> None:
    await the_codes(database)
    employee = await an_employee(database, await a_company(database))
    holder = TicketRightsHolder
    wanted = select(holder.ticket_holder_code).where(holder.employee_id == employee.id)
    ((code,),) = await database.fetch(wanted)
    kari, program = await a_customer(database), await a_program(database)
    made = await done(database, CREATE, {"loyaltyProgramId": program.id, "externalRef": code})
    assert await claim(database, kari, code) == made["uuid"]


@pytest.mark.rule("C40")
@pytest.mark.rule("L40")
async def test_a_merged_profile_claims_for_the_one_it_became(database: Database) -> None:
    kari = await a_customer(database, status=CustomerStatus.PASSIVE)
    merged = await a_merged_customer(database, kari)
    contract = await a_contract(database, await a_program(database), external_ref=CODE)
    for viewer in (VIEWER, user(kari, merged)):
        assert await claim(database, merged, viewer=viewer) == contract.uuid
    assert await consumers(database, contract) == [(kari.id, True, False)]


@pytest.mark.rule("T04")
async def test_internal_callers_claim_for_the_customers_of_any_organisation(database: Database) -> None:
    theirs, mine = await a_program(database, organisation_id=2), await a_program(database)
    ola = await a_customer(database, organisation_id=2)
    await a_contract(database, mine, external_ref=CODE)
    contract = await a_contract(database, theirs, external_ref=CODE)
    assert await claim(database, ola, viewer=INTERNAL) == contract.uuid


@pytest.mark.rule("L40")
async def test_of_contracts_with_one_code_a_usable_one_is_claimed_own_and_unclaimed_ones_first(
    database: Database,
) -> None:
    kari, ola, per = await some_customers(database, {}, {}, {})
    program = await a_program(database)
    first, second = [await a_contract(database, program, external_ref=CODE) for _ in range(2)]
    held = await a_contract(database, program, kari, external_ref=CODE)
    await a_contract(database, program, external_ref=CODE, expiration_date=now() - DAY)
    soon = await a_contract(database, program, external_ref=CODE, consumable_from=now() + DAY)
    assert await claim(database, kari) == held.uuid
    for customer, contract in ((ola, soon), (per, second), (ola, soon)):
        assert await claim(database, customer) == contract.uuid
    third, fourth = await some_customers(database, {}, {})
    assert await claim(database, third) == first.uuid
    assert await claim(database, fourth) == soon.uuid


@pytest.mark.rule("L40")
async def test_a_claim_under_a_key_is_answered_again(database: Database) -> None:
    kari = await a_customer(database)
    await a_contract(database, await a_program(database), external_ref=CODE)
    keyed = document("claimPersonnelTicket", f"success customerNumber {SHOWN}", ' @idempotent(key: "key-1")')
    given = {"customerNumber": kari.customer_number, "externalReference": CODE}
    first, again = [await answered(database, keyed, given, user(kari)) for _ in range(2)]
    assert first == again
    assert first[1] == []


# What cannot be claimed


async def what_cannot_be_claimed(database: Database) -> list[tuple[Any, str]]:
    """Customers with a code that they cannot claim."""
    kari, ola, holder = await some_customers(database, {}, {}, {})
    program, moment = await a_program(database), now()
    ended = await a_program(database, end_date=moment - DAY)
    await a_contract(database, program, external_ref="NSB-expired-1", expiration_date=moment - DAY)
    await a_contract(database, ended, external_ref="NSB-ended-1")
    for status in ContractStatus:
        if status is not ContractStatus.VALID:
            await a_contract(database, program, external_ref=f"NSB-status-{status.value}", status=status)
    blocked = await a_contract(database, program, holder, external_ref="NSB-blocked-1")
    await a_consumer(database, blocked, kari, is_blocked=True)
    unclaimed = await a_contract(database, program, external_ref="NSB-blocked-2")
    await a_consumer(database, unclaimed, kari, is_blocked=True)
    await a_contract(database, await a_program(database, organisation_id=2), external_ref="NSB-foreign-1")
    foreign = await a_customer(database, organisation_id=2)
    strict = {"policies": [{"key": "SURNAME", "value": "Hansen"}], "externalRef": "NSB-strict-1"}
    await done(database, CREATE, {"loyaltyProgramId": program.id, **strict})
    full = await a_contract(database, program, holder, external_ref="NSB-full-1")
    by = {"created_at": moment, "created_by": CLIENT, "last_changed_at": moment, "last_changed_by": CLIENT}
    common = {"contract_id": full.id, "is_contract_holder": False, "is_blocked": False}
    others = await some_customers(database, *[{}] * 99)
    await inserted(database, ContractConsumer, *[{**common, **by, "customer_id": each.id} for each in others])
    await a_contract(database, program, external_ref=CODE)
    gone = await a_deleted_customer(database)
    codes = ["expired-1", "ended-1", "blocked-1", "blocked-2", "foreign-1", "strict-1", "full-1", "unknown-1"]
    codes += [f"status-{status.value}" for status in ContractStatus if status is not ContractStatus.VALID]
    return [
        (ola, "NSB-unknown-0"),
        *((kari, f"NSB-{code}") for code in codes),
        (foreign, CODE),
        (gone, CODE),
        (5, CODE),
    ]


@pytest.mark.rule("L41")
@pytest.mark.rule("L21")
@pytest.mark.rule("L10")
@pytest.mark.rule("L12")
@pytest.mark.rule("T04")
async def test_all_failures_are_answered_alike_and_counted(database: Database) -> None:
    database.policy = Policy(claim_failures=1000)
    cases = await what_cannot_be_claimed(database)
    assert await claim(database, *cases.pop(0)) == REFUSED  # reads the key of the database
    before, asked = await without_failures(database), {}
    for customer, code in cases:
        with statements(database) as seen:
            assert await claim(database, customer, code) == REFUSED, code
        asked[code, getattr(customer, "customer_number", customer)] = [each.partition(" ")[0] for each in seen]
    assert await without_failures(database) == before
    known = [each for (code, _), each in asked.items() if code not in (CODE, "NSB-full-1")]
    assert len({tuple(each[1:]) for each in known[1:]}) == 1  # after the first one the row of failures is there
    unknown = [each for (code, _), each in asked.items() if code == CODE]
    assert all(each == unknown[0] for each in unknown)
    assert await failures(database) == [1, 1, 1, 1, len(known) + 1]


@pytest.mark.rule("L41")
@pytest.mark.rule("T05")
async def test_users_claim_for_themselves_only_and_lock_nobody_else_out(database: Database) -> None:
    database.policy = Policy(claim_failures=3)
    kari, ola = await a_customer(database), await a_customer(database)
    contract = await a_contract(database, await a_program(database), external_ref=CODE)
    for number in (ola.customer_number, 5, ola.customer_number):
        assert await claim(database, number, viewer=user(kari)) == REFUSED
    for number in (ola.customer_number, 5, kari.customer_number):
        assert await claim(database, number, viewer=user(kari)) == LOCKED
    assert await claim(database, ola, viewer=user(ola)) == contract.uuid


@pytest.mark.rule("L40")
@pytest.mark.rule("H1")
@pytest.mark.rule("H5")
async def test_a_code_of_another_form_is_refused_at_once_and_not_counted(database: Database) -> None:
    kari = await a_customer(database)
    before = await everything(database)
    hostile = [value for value, _ in HOSTILE]
    for code in (
        *hostile,
        "",
        "a-b",
        "a-b-c-d",
        "a--c",
        "å-b-c",
        "x-" * 50_000,
        "a-" + "b" * 100_000,
        "a" * 65 + "-b-c",
    ):
        started = perf_counter()
        assert await claim(database, kari, code) == [("CLAIM_CODE_INVALID", "externalReference", [])]
        assert perf_counter() - started < 1
    assert await everything(database) == before


# Policies


@pytest.mark.rule("L21")
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("CUSTOMER_REF", " K-17 "),
        ("EMAIL", "KARI@example.NO"),
        ("DATE_OF_BIRTH", " 1990-12-31 "),
        ("SURNAME", "nordmann-ÅS"),
        ("FIRST_NAME", "A\u030ase"),
        ("TELEPHONE_NUMBER", "900 00 000"),
        ("NATIONALITY", "nor"),
    ],
)
async def test_a_policy_is_compared_in_the_form_in_which_it_is_stored(database: Database, key: str, value: str) -> None:
    mine: dict[str, Any] = {
        "customer_ref": "K-17",
        "email": "kari@example.no",
        "date_of_birth": date(1990, 12, 31),
        "surname": "Nordmann-Ås",
        "first_name": "Åse",
        "telephone_number_no_country_code": "90000000",
        "nationality": "NOR",
    }
    kari, ola = await a_customer(database, **mine), await a_customer(database, surname=None, first_name=None)
    program = await a_program(database)
    policies = [{"key": key, "value": value}, {"key": "NATIONALITY", "value": "NOR"}][: 1 + (key != "NATIONALITY")]
    given = {"loyaltyProgramId": program.id, "externalRef": CODE, "policies": policies}
    made = await done(database, CREATE, given)
    assert await claim(database, ola) == REFUSED
    assert await claim(database, kari) == made["uuid"]


@pytest.mark.rule("L21")
async def test_all_policies_must_fit_but_not_again(database: Database) -> None:
    kari = await a_customer(database, nationality="NOR", date_of_birth=date(1990, 1, 1))
    program = await a_program(database)
    for day, is_right in (("1990-01-02", False), ("1990-01-01", True)):
        policies = [{"key": "NATIONALITY", "value": "NOR"}, {"key": "DATE_OF_BIRTH", "value": day}]
        code = f"NSB-day-{day[-2:]}"
        given = {"loyaltyProgramId": program.id, "externalRef": code, "policies": policies}
        made = await done(database, CREATE, given)
        assert await claim(database, kari, code) == (made["uuid"] if is_right else REFUSED)
    text = document("updateCustomer", "customer { nationality }")
    names = {"firstName": "Kari", "surname": "Hansen", "changedBy": "web", "changedByChannel": "web"}
    await done(database, text, {"customerNumber": kari.customer_number, **names, "nationality": "SWE"})
    assert await claim(database, kari, "NSB-day-01") == made["uuid"]


# Many at once


@pytest.mark.rule("L20")
@pytest.mark.rule("L40")
async def test_of_many_who_claim_one_contract_one_becomes_its_holder(database: Database) -> None:
    customers = await some_customers(database, *[{}] * 10)
    contract = await a_contract(database, await a_program(database), external_ref=CODE)
    answers = await asyncio.gather(*(claim(database, each) for each in customers))
    assert answers == [contract.uuid] * 10
    found = await consumers(database, contract)
    assert sorted(key for key, *_ in found) == [each.id for each in customers]
    assert [key for key, is_holder, _ in found if is_holder] == [(await stored(database, contract.uuid)).holder_id]


@pytest.mark.rule("L40")
async def test_one_customer_claims_a_contract_once(database: Database) -> None:
    kari = await a_customer(database)
    contract = await a_contract(database, await a_program(database), external_ref=CODE)
    assert await asyncio.gather(*(claim(database, kari) for _ in range(10))) == [contract.uuid] * 10
    assert await consumers(database, contract) == [(kari.id, True, False)]
    assert (await stored(database, contract.uuid)).version == 2


async def test_a_claim_and_a_merge_of_the_claimant_come_one_after_the_other(database: Database) -> None:
    program = await a_program(database)
    for n in range(4):
        kari, ticket = await a_customer(database), await a_ticket_profile(database)
        contract = await a_contract(database, program, external_ref=f"NSB-merge-{n}")
        claimed, (_, errors) = await asyncio.gather(
            claim(database, ticket, f"NSB-merge-{n}"), answered(database, MERGE, numbers(kari, ticket))
        )
        assert (claimed, errors) == (contract.uuid, [])
        assert await consumers(database, contract) == [(kari.id, True, False)]
        assert (await stored(database, contract.uuid)).holder_id == kari.id
