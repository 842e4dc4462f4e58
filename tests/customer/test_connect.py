"""connectCustomer (rules C90 to C92, A07 and A11)."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from datastore.customer import CustomerStatus, ProfileType
from datastore.database import Database
from resolvers.context import Context
from schema.root import schema
from tests.customer.mutations import (
    HOSTILE,
    NOW,
    Values,
    answered,
    document,
    done,
    events,
    everything,
    freeze,
    refused,
    stored,
)
from tests.execute import FOREIGNER, INTERNAL, VIEWER, execute
from tests.factories.customer import a_customer, a_deleted_customer, a_merged_customer, some_customers
from tests.statements import statements

RESULT = """
    customer { customerNumber version changedBy changedByChannel changedAt } changedAt relatedCustomerNumbers
    relatedCustomers { customerNumber parent { customerNumber } }
"""
CONNECT = document("connectCustomer", RESULT)
KEYED = document("connectCustomer", RESULT, ' @idempotent(key: "key-1")')
STANDS_FOR = "query($n: Long!) { customer(by: { customerNumber: $n }) { customer { customerNumber } } }"
TEMPORARY, STANDARD, PERSONNEL = ProfileType.TEMPORARY, ProfileType.STANDARD, ProfileType.PERSONNEL_TICKET


def connected(target: Any, source: Any, **values: Any) -> Values:
    numbers = {"customerNumber": target.customer_number, "customerNumberToConnect": source.customer_number}
    return {**numbers, "changedBy": "per", "changedByChannel": "crm", **values}


@pytest.mark.rule("C90")
@pytest.mark.rule("C92")
@pytest.mark.rule("A07")
async def test_a_profile_is_connected_and_the_list_has_each_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    freeze(monkeypatch)
    kari = await a_customer(database)
    merged = await a_merged_customer(database, kari)
    temporary, standard = [await a_customer(database, profile_type=kind) for kind in (TEMPORARY, STANDARD)]
    context = Context(database, VIEWER, correlation_id="corr-1")
    given = connected(kari, temporary)
    result = await schema.execute(CONNECT, variable_values={"input": given}, context_value=context)
    assert result.data
    payload = result.data["connectCustomer"]
    number, by, now = kari.customer_number, {"changedBy": "per", "changedByChannel": "crm"}, "2026-06-30T22:30:00.123Z"
    parents: list[Values] = [{"parent": None}, {"parent": {"customerNumber": number}}]
    related = [each.customer_number for each in (merged, temporary)]
    assert payload == {
        "customer": {"customerNumber": number, "version": 2, **by, "changedAt": now},
        "changedAt": now,
        "relatedCustomerNumbers": related,
        "relatedCustomers": [{"customerNumber": n, **parent} for n, parent in zip(related, parents, strict=True)],
        "userErrors": [],
    }
    expected = [("UPDATE", each.customer_number, 1, NOW, "corr-1") for each in (temporary, kari)]
    assert await events(database) == expected
    row = await stored(database, temporary.customer_number)
    assert (row.parent_id, row.version, row.changed_by, row.changed_by_channel) == (kari.id, 2, "per", "crm")
    assert (row.changed_at, row.profile_type, row.status) == (NOW, TEMPORARY, CustomerStatus.ACTIVE)
    payload, errors = await answered(database, CONNECT, connected(kari, standard))
    assert errors == []
    assert payload["relatedCustomerNumbers"] == [*related, standard.customer_number]


@pytest.mark.rule("C91")
@pytest.mark.rule("A11")
async def test_exactly_one_of_the_two_numbers_is_given(database: Database) -> None:
    kari, ola = await a_customer(database), await a_customer(database, profile_type=TEMPORARY)
    number, other = kari.customer_number, ola.customer_number
    assert await refused(database, CONNECT, {"customerNumber": number}) == [
        ("EXACTLY_ONE_NEEDED", "customerNumberToConnect", [])
    ]
    both = connected(kari, ola, temporaryCustomerNumber=other)
    error = ("EXACTLY_ONE_NEEDED", "customerNumberToConnect", [str(other), str(other)])
    assert await refused(database, CONNECT, both) == [error]
    older = {"customerNumber": number, "temporaryCustomerNumber": other, "customerNumberToConnect": None}
    error = ("SAME_CUSTOMER", "temporaryCustomerNumber", [str(number)])
    assert await refused(database, CONNECT, {**older, "temporaryCustomerNumber": number}) == [error]
    made = await done(database, CONNECT, older)
    assert (made["changedBy"], made["changedByChannel"]) == ("graphql", "graphql")


@pytest.mark.rule("C90")
async def test_only_temporary_and_standard_profiles_are_connected_and_to_standard_ones_only(database: Database) -> None:
    kinds = {kind: [await a_customer(database, profile_type=kind) for _ in range(2)] for kind in ProfileType}
    wrong = "PROFILE_TYPE_NOT_ALLOWED"
    for target_kind, (target, _) in kinds.items():
        for source_kind, (_, source) in kinds.items():
            errors = []
            if target_kind is not STANDARD:
                errors.append((wrong, "customerNumber", [str(target.customer_number)]))
            if source_kind is PERSONNEL:
                errors.append((wrong, "customerNumberToConnect", [str(source.customer_number)]))
            if errors:
                assert await refused(database, CONNECT, connected(target, source)) == errors
            else:
                await done(database, CONNECT, connected(target, source))


@pytest.mark.rule("C90")
async def test_both_profiles_are_active(database: Database) -> None:
    kari, passive = await a_customer(database), await a_customer(database, status=CustomerStatus.PASSIVE)
    deleted, merged = await a_deleted_customer(database), await a_merged_customer(database, kari)
    for other, code in (
        (passive, "CUSTOMER_NOT_ACTIVE"),
        (deleted, "CUSTOMER_DELETED"),
        (merged, "CUSTOMER_MERGED"),
    ):
        rejected = [str(other.customer_number)]
        error = (code, "customerNumberToConnect", rejected)
        assert await refused(database, CONNECT, connected(kari, other)) == [error]
        assert await refused(database, CONNECT, connected(other, kari)) == [(code, "customerNumber", rejected)]


@pytest.mark.rule("C90")
async def test_a_profile_is_not_connected_to_itself(database: Database) -> None:
    kari = await a_customer(database)
    error = ("SAME_CUSTOMER", "customerNumberToConnect", [str(kari.customer_number)])
    for viewer in (VIEWER, FOREIGNER):
        assert await refused(database, CONNECT, connected(kari, kari), viewer) == [error]


@pytest.mark.rule("C92")
@pytest.mark.rule("T04")
async def test_foreign_profiles_are_unknown_and_those_of_two_organisations_stay_apart(database: Database) -> None:
    kari, ola = await a_customer(database), await a_customer(database)
    foreign = await a_customer(database, organisation_id=2)
    unknown = "CUSTOMER_NOT_FOUND"
    for source, number in ((foreign, foreign.customer_number), ({}, 1)):
        given = connected(kari, source or kari, customerNumberToConnect=number)
        assert await refused(database, CONNECT, given) == [(unknown, "customerNumberToConnect", [str(number)])]
    error = (unknown, "customerNumber", [str(kari.customer_number)])
    assert await refused(database, CONNECT, connected(kari, foreign), FOREIGNER) == [error]
    assert await refused(database, CONNECT, connected(kari, ola), FOREIGNER) == [error]
    error = ("OTHER_ORGANISATION", "customerNumberToConnect", [str(foreign.customer_number)])
    assert await refused(database, CONNECT, connected(kari, foreign), INTERNAL) == [error]
    await done(database, CONNECT, connected(kari, ola), INTERNAL)


async def test_a_connected_profile_is_not_connected_again(database: Database) -> None:
    kari, ola = await a_customer(database), await a_customer(database)
    temporary = await a_customer(database, profile_type=TEMPORARY, parent_id=kari.id)
    error = ("ALREADY_CONNECTED", "customerNumberToConnect", [str(temporary.customer_number)])
    for target in (kari, ola):
        assert await refused(database, CONNECT, connected(target, temporary)) == [error]


async def test_profiles_are_not_connected_in_a_circle(database: Database) -> None:
    first = await a_customer(database)
    second = await a_customer(database, parent_id=first.id)
    merged = await a_merged_customer(database, second)
    third = await a_customer(database, parent_id=merged.id)
    error = ("ALREADY_CONNECTED", "customerNumberToConnect", [str(first.customer_number)])
    for target in (second, third):
        assert await refused(database, CONNECT, connected(target, first)) == [error]
    await done(database, CONNECT, connected(third, await a_customer(database)))


async def test_another_version_is_a_conflict_and_shows_the_list_as_it_is(database: Database) -> None:
    kari, ola = await a_customer(database, version=3), await a_customer(database)
    before = await everything(database)
    payload, errors = await answered(database, CONNECT, connected(kari, ola, expectedVersion=2))
    assert errors == [("VERSION_CONFLICT", "expectedVersion", ["2"])]
    assert (payload["customer"]["version"], payload["changedAt"]) == (3, "2026-01-31T12:00:00.123Z")
    assert payload["relatedCustomerNumbers"] == payload["relatedCustomers"] == []
    assert await everything(database) == before
    assert (await done(database, CONNECT, connected(kari, ola, expectedVersion=3)))["version"] == 4


async def test_a_repeat_with_the_same_key_connects_once(database: Database) -> None:
    kari, ola = await a_customer(database), await a_customer(database)
    first = await answered(database, KEYED, connected(kari, ola))
    assert first[1] == []
    assert await answered(database, KEYED, connected(kari, ola)) == first
    assert len(await events(database)) == 2


@pytest.mark.rule("H5")
async def test_who_and_where_are_texts_that_can_be_stored(database: Database) -> None:
    kari, ola = await a_customer(database), await a_customer(database)
    for text, code in HOSTILE:
        given = connected(kari, ola, changedBy=text, changedByChannel=text)
        assert await refused(database, CONNECT, given) == [(code, "changedBy", []), (code, "changedByChannel", [])]


@pytest.mark.rule("C40")
async def test_a_profile_stands_for_itself_and_a_merged_one_for_nothing_else(database: Database) -> None:
    kari = await a_customer(database)
    merged = await a_merged_customer(database, kari)
    for each in (kari, merged):
        found = await execute(database, STANDS_FOR, n=each.customer_number)
        assert found == {"customer": {"customer": {"customerNumber": kari.customer_number}}}
    batch = "query { customersByKey(customerNumbers: [%s]) { customer { customerNumber } } }"
    numbers = ", ".join(str(each.customer_number) for each in await some_customers(database, *[{}] * 9))
    with statements(database) as few:
        await execute(database, batch % numbers[:10])
    with statements(database) as many:
        await execute(database, batch % numbers)
    assert len(many) == len(few) == 2


# At the same time


async def test_one_of_many_gets_the_profile(database: Database) -> None:
    temporary, *targets = await some_customers(database, {"profile_type": TEMPORARY}, *[{}] * 10)
    answers = await asyncio.gather(*(answered(database, CONNECT, connected(each, temporary)) for each in targets))
    codes = Counter(errors[0][0] if errors else "done" for _, errors in answers)
    assert codes == {"done": 1, "ALREADY_CONNECTED": 9}
    assert len(await events(database)) == 2


async def test_a_circle_is_not_closed_by_many_at_once(database: Database) -> None:
    profiles = await some_customers(database, *[{}] * 6)
    pairs = zip(profiles, [*profiles[1:], profiles[0]], strict=True)
    answers = await asyncio.gather(*(answered(database, CONNECT, connected(*pair)) for pair in pairs))
    codes = Counter(errors[0][0] if errors else "done" for _, errors in answers)
    assert codes == {"done": 5, "ALREADY_CONNECTED": 1}
