"""Merging and undoing merges at the same time (rules C93 and C94)."""

import asyncio
from collections import Counter

import pytest

from datastore import customer as rows
from datastore.database import Database
from tests.customer.merging import MERGE, UNMERGE, a_ticket_profile, compared, numbers, owners
from tests.customer.mutations import UPDATE, answered, done, new_values, stored
from tests.factories.customer import a_customer, an_address, an_ecard, some_customers


@pytest.mark.rule("C94")
async def test_of_merges_into_different_profiles_one_wins(database: Database) -> None:
    ticket = await a_ticket_profile(database)
    await an_ecard(database, ticket)
    targets = [await a_customer(database) for _ in range(6)]
    answers = await asyncio.gather(*(answered(database, MERGE, numbers(into, ticket)) for into in targets))
    assert Counter(errors[0][0] if errors else "done" for _, errors in answers) == {"done": 1, "CUSTOMER_MERGED": 5}
    (winner,) = [into.id for into, (_, errors) in zip(targets, answers, strict=True) if not errors]
    assert await owners(database, rows.Ecard) == [winner]
    assert (await stored(database, ticket.customer_number)).merged_into_id == winner


async def test_a_merge_and_an_update_of_the_merged_profile_come_one_after_the_other(database: Database) -> None:
    for _ in range(5):
        kari, ticket = await a_customer(database), await a_ticket_profile(database)
        (_, merging), (_, updating) = await asyncio.gather(
            answered(database, MERGE, numbers(kari, ticket)),
            answered(database, UPDATE, new_values(ticket, firstName="Ny")),
        )
        assert merging == []
        row = await stored(database, ticket.customer_number)
        if updating:
            assert updating == [("CUSTOMER_MERGED", "customerNumber", [str(ticket.customer_number)])]
            assert (row.first_name, row.version) == ("Kari", 2)
        else:
            assert (row.first_name, row.version) == ("Ny", 3)
        assert row.merged_into_id == kari.id


async def test_merges_that_lock_the_same_profiles_do_not_wait_for_each_other(database: Database) -> None:
    """The survivor comes before or after the merged profile by key, and shares a connected one with others."""
    for _ in range(3):
        first, second = await a_ticket_profile(database), await a_customer(database)
        third = await a_ticket_profile(database)
        await some_customers(database, {"parent_id": first.id}, {"parent_id": third.id})
        pairs = [(second, first), (second, third)]
        answers = await asyncio.gather(*(answered(database, MERGE, numbers(*pair)) for pair in pairs * 3))
        outcomes = Counter(errors[0][0] if errors else "done" for _, errors in answers)
        assert outcomes == {"done": 2, "CUSTOMER_MERGED": 4}


async def test_a_merge_is_undone_once(database: Database) -> None:
    kari, ticket = await a_customer(database), await a_ticket_profile(database)
    await an_address(database, ticket)
    await an_ecard(database, ticket)
    before = await compared(database)
    await done(database, MERGE, numbers(kari, ticket))
    number = {"customerNumber": ticket.customer_number}
    answers = await asyncio.gather(*(answered(database, UNMERGE, number) for _ in range(6)))
    assert Counter(errors[0][0] if errors else "done" for _, errors in answers) == {"done": 1, "MERGE_NOT_FOUND": 5}
    assert await compared(database) == before


async def test_merging_and_undoing_at_once_leaves_one_of_the_two(database: Database) -> None:
    ticket, kari, other = await a_ticket_profile(database), await a_customer(database), await a_customer(database)
    await an_ecard(database, ticket)
    await done(database, MERGE, numbers(kari, ticket))
    number = {"customerNumber": ticket.customer_number}
    acts = [(UNMERGE, number), (MERGE, numbers(other, ticket)), (MERGE, numbers(kari, ticket))] * 3
    answers = await asyncio.gather(*(answered(database, *act) for act in acts))
    codes = {errors[0][0] for _, errors in answers if errors}
    assert codes <= {"MERGE_NOT_FOUND", "CUSTOMER_MERGED", "CUSTOMER_CHANGED_SINCE"}
    row = await stored(database, ticket.customer_number)
    assert await owners(database, rows.Ecard) == [row.merged_into_id or ticket.id]
