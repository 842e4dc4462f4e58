"""Whatever two people have: after a merge and its undo they are what they were (rule C93)."""

from collections.abc import Mapping
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from datastore import customer as rows
from datastore.customer import Customer, ProfileType
from datastore.database import Database
from tests.customer.merging import MERGE, UNMERGE, answer_of, compared, numbers
from tests.customer.mutations import done
from tests.factories.customer import (
    CHANGES,
    a_preference,
    account_of,
    choice_of,
    consent_of,
    ecard_of,
    inserted,
    some_customers,
)

CARDS, CODES = st.integers(0, 3), st.lists(st.sampled_from(["A", "B", "C"]), unique=True)
PERSON = st.fixed_dictionaries(
    {
        "cards": CARDS,
        "notes": st.integers(0, 2),
        "consents": st.lists(st.tuples(st.sampled_from(["A", "B", "C"]), st.booleans()), unique=True),
        "answers": st.integers(0, 2),
        "preferences": CODES,
        "accounts": CODES,
        "default": st.booleans(),
        "tickets": st.lists(st.booleans(), max_size=3),
        "connected": st.integers(0, 2),
        "version": st.integers(1, 9),
        "email": st.booleans(),
    }
)
EMAILS = count(1)
FEW = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.rule("C93")
@FEW
@given(people=st.tuples(PERSON, PERSON))
async def test_whatever_two_people_have_is_as_it_was(
    database: Database, people: tuple[Mapping[str, Any], Mapping[str, Any]]
) -> None:
    offered = {code: await a_preference(database, preference_code=code) for code in ("A", "B", "C")}
    kinds = (ProfileType.STANDARD, ProfileType.PERSONNEL_TICKET)
    own = [
        {"profile_type": kind, "version": each["version"], "email": f"K{next(EMAILS)}@a.no" if each["email"] else None}
        for kind, each in zip(kinds, people, strict=True)
    ]
    kari, ticket = await some_customers(database, *own)
    for customer, person in zip((kari, ticket), people, strict=True):
        await with_these(database, customer, person, offered, kari)
    before = await compared(database)
    await done(database, MERGE, numbers(kari, ticket))
    assert await compared(database) != before
    await done(database, UNMERGE, {"customerNumber": ticket.customer_number})
    assert await compared(database) == before
    async with database.write() as session:
        await session.execute(delete(rows.CustomerPreference))
        await session.execute(delete(rows.Preference))


async def with_these(
    database: Database,
    customer: Customer,
    drawn: Mapping[str, Any],
    offered: Mapping[str, rows.Preference],
    kari: Customer,
) -> None:
    """Give the customer what was drawn."""
    number = customer.customer_number
    cards = [ecard_of(customer, str(number + n * 10**9)) for n in range(drawn["cards"])]
    await inserted(database, rows.Ecard, *cards)
    chosen = [choice_of(customer, offered[code], version=n + 1) for n, code in enumerate(drawn["preferences"])]
    await inserted(database, rows.CustomerPreference, *chosen)
    kinds = [consent_of(customer, consent_code=code, is_legacy=is_legacy) for code, is_legacy in drawn["consents"]]
    consents = await inserted(database, rows.CustomerConsent, *kinds)
    answers = [answer_of(customer, consent) for consent in consents for _ in range(drawn["answers"])]
    await inserted(database, rows.CustomerConsentAnswer, *answers)
    own = [
        account_of(customer, customer_account_id=name, is_default=drawn["default"] and n == 0)
        for n, name in enumerate(drawn["accounts"])
    ]
    await inserted(database, rows.CustomerAccount, *own)
    note = {"customer_id": customer.id, "text": "sealed", "created_by": "ola", "changed_by": "ola", **CHANGES}
    await inserted(database, rows.Note, *[note] * drawn["notes"])
    bearers = [customer.id if is_own else kari.id for is_own in drawn["tickets"]]
    tickets = [{"customer_id": customer.id, "bearer_customer_id": bearer, **CHANGES} for bearer in bearers]
    await inserted(database, rows.PersonnelTicketBearer, *tickets)
    await some_customers(database, *[{"parent_id": customer.id}] * drawn["connected"])
