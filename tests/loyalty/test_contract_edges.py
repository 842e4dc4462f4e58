"""The connections that lead to contracts: of customers and of loyalty programs."""

from typing import Any

import pytest

from datastore.database import Database
from tests.execute import FOREIGNER, INTERNAL, VIEWER, execute, refusal
from tests.factories.customer import a_customer, a_deleted_customer, a_merged_customer, some_customers
from tests.factories.loyalty import a_consumer, a_contract, a_program
from tests.loyalty.rows import a_user
from tests.statements import statements

OF_CUSTOMERS = """query ($numbers: [Long!]!, $first: Int, $after: String, $last: Int, $before: String) {
    customersByKey(customerNumbers: $numbers) { customerNumber
    contracts(first: $first, after: $after, last: $last, before: $before) { totalItems totalPages nodes { uuid }
        pageInfo { startCursor endCursor hasNextPage } }
    entitlements(first: 2) { nodes { contractUUID } totalItems } } }"""
OF_CUSTOMER = "query ($number: Long!) { customer(by: {customerNumber: $number}) { contracts { nodes { uuid } } } }"
OF_DELETED = """query ($number: Long!, $uuid: String!) {
    all: customer(by: {customerNumber: $number}, includeDeleted: true) { contracts { nodes { uuid } }
        entitlements { totalItems } }
    stripped: customer(by: {uuid: $uuid}) { contracts { nodes { uuid } totalItems totalPages
        pageInfo { hasNextPage } } entitlements { totalItems } } }"""
OF_PROGRAMS = """query ($first: Int, $after: String) { loyaltyPrograms { nodes { loyaltyProgramId
    contracts(first: $first, after: $after) { totalItems nodes { uuid } pageInfo { endCursor } } } } }"""


async def contracts_of(database: Database, *customers: Any, **given: Any) -> list[list[str]]:
    numbers = [each.customer_number for each in customers]
    found = (await execute(database, OF_CUSTOMERS, numbers=numbers, **given))["customersByKey"]
    assert [each["customerNumber"] for each in found] == numbers
    return [[node["uuid"] for node in each["contracts"]["nodes"]] for each in found]


async def test_a_customer_leads_to_all_contracts_whose_consumer_it_is(database: Database) -> None:
    kari, ola, nobody = await some_customers(database, {}, {}, {})
    program = await a_program(database)
    made = [await a_contract(database, program, kari) for _ in range(3)]
    await a_consumer(database, made[1], ola, is_blocked=True)
    await a_consumer(database, made[2], ola)
    one, two, three = (each.uuid for each in made)
    customers = (kari, ola, nobody)
    assert await contracts_of(database, *customers) == [[one, two, three], [two, three], []]
    assert await contracts_of(database, *customers, first=2) == [[one, two], [two, three], []]
    assert await contracts_of(database, *customers, last=2) == [[two, three], [two, three], []]
    numbers: Any = {"numbers": [each.customer_number for each in customers]}
    found = (await execute(database, OF_CUSTOMERS, **numbers, first=2))["customersByKey"]
    pages = [each["contracts"] for each in found]
    assert [each["totalItems"] for each in pages] == [3, 2, 0]
    assert [each["totalPages"] for each in pages] == [2, 1, 0]
    assert [each["pageInfo"]["hasNextPage"] for each in pages] == [True, False, False]
    assert [each["entitlements"]["totalItems"] for each in found] == [3, 1, 0]
    assert [len(each["entitlements"]["nodes"]) for each in found] == [2, 1, 0]
    after = pages[0]["pageInfo"]["endCursor"]
    assert await contracts_of(database, *customers, first=2, after=after) == [[three], [three], []]
    assert await contracts_of(database, kari, first=2, after=after) == [[three]]
    assert await contracts_of(database, kari, last=1, before=after) == [[one]]
    wrong = {**numbers, "after": after + "x"}
    assert (await refusal(database, OF_CUSTOMERS, **wrong)).name == "CURSOR_INVALID"


@pytest.mark.rule("C40")
async def test_contracts_that_stayed_with_a_merged_profile_are_told_once(database: Database) -> None:
    kari = await a_customer(database)
    old = await a_merged_customer(database, kari)
    older = await a_merged_customer(database, old)
    program = await a_program(database)
    both, left = await a_contract(database, program, kari), await a_contract(database, program, older)
    await a_consumer(database, both, old)
    assert await contracts_of(database, kari) == [[both.uuid, left.uuid]]
    found = (await execute(database, OF_CUSTOMERS, numbers=[kari.customer_number]))["customersByKey"]
    assert found[0]["contracts"]["totalItems"] == 2


async def test_a_deleted_customer_keeps_contracts_but_tells_nothing_without_being_asked_for(database: Database) -> None:
    gone = await a_deleted_customer(database)
    contract = await a_contract(database, await a_program(database), gone)
    found = await execute(database, OF_DELETED, number=gone.customer_number, uuid=gone.uuid)
    assert found["all"] == {"contracts": {"nodes": [{"uuid": contract.uuid}]}, "entitlements": {"totalItems": 0}}
    assert found["stripped"] == {
        "contracts": {"nodes": [], "totalItems": 0, "totalPages": 0, "pageInfo": {"hasNextPage": False}},
        "entitlements": {"totalItems": 0},
    }


@pytest.mark.rule("T04")
@pytest.mark.rule("T05")
async def test_only_contracts_that_the_caller_sees_are_told(database: Database) -> None:
    kari, ola = await a_customer(database), await a_customer(database)
    program = await a_program(database)
    one, two = await a_contract(database, program, kari), await a_contract(database, program, ola)
    await a_consumer(database, two, kari)
    three = await a_contract(database, program, ola)
    foreign = await a_contract(database, await a_program(database, organisation_id=2))
    for viewer in (VIEWER, INTERNAL, a_user(kari)):
        found = (await execute(database, OF_CUSTOMER, viewer, number=kari.customer_number))["customer"]
        assert [each["uuid"] for each in found["contracts"]["nodes"]] == [one.uuid, two.uuid]
    assert (await execute(database, OF_CUSTOMER, FOREIGNER, number=kari.customer_number))["customer"] is None
    document = "query ($id: Long!) { loyaltyProgram(loyaltyProgramId: $id) { contracts { totalItems } } }"
    for viewer, key, count in (
        (VIEWER, program.id, 3),
        (a_user(kari), program.id, 2),
        (INTERNAL, foreign.loyalty_program_id, 1),
        (FOREIGNER, foreign.loyalty_program_id, 1),
    ):
        found = (await execute(database, document, viewer, id=key))["loyaltyProgram"]
        assert found == {"contracts": {"totalItems": count}}
    assert three.uuid not in {one.uuid, two.uuid}


async def test_programs_lead_to_their_contracts(database: Database) -> None:
    programs = [await a_program(database) for _ in range(3)]
    made = [[await a_contract(database, program) for _ in range(size)] for size, program in enumerate(programs)]
    found = (await execute(database, OF_PROGRAMS, first=1))["loyaltyPrograms"]["nodes"]
    assert [each["contracts"]["totalItems"] for each in found] == [0, 1, 2]
    pages = [[node["uuid"] for node in each["contracts"]["nodes"]] for each in found]
    assert pages == [[each.uuid for each in some[:1]] for some in made]
    after = found[2]["contracts"]["pageInfo"]["endCursor"]
    found = (await execute(database, OF_PROGRAMS, first=1, after=after))["loyaltyPrograms"]["nodes"]
    assert [[node["uuid"] for node in each["contracts"]["nodes"]] for each in found] == [[], [], [made[2][1].uuid]]


async def test_pages_below_many_parents_take_as_many_statements_as_below_two(database: Database) -> None:
    program = await a_program(database)
    counts = []
    for size in (2, 2, 30):  # the first one finds the key of cursors, too
        customers = await some_customers(database, *[{} for _ in range(size)])
        for customer in customers:
            await a_contract(database, program, customer)
        with statements(database) as seen:
            await contracts_of(database, *customers)
        counts.append(len(seen))
    assert counts[1] == counts[2] == 5
