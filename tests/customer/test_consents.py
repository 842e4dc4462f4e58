"""setCustomerConsent: the customer's answer, and all answers before."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import select

from datastore.customer import CustomerConsent, CustomerConsentAnswer
from datastore.database import Database
from datastore.viewer import GRANTABLE, TenantKind, Viewer
from resolvers.context import Context
from schema.root import schema
from tests.customer.mutations import (
    HOSTILE,
    NOW,
    answered,
    document,
    done,
    errors_of,
    events,
    freeze,
    not_executed,
    refused,
    unchanged,
)
from tests.execute import FOREIGNER, INTERNAL, VIEWER, execute
from tests.factories.customer import (
    MOMENT,
    a_consent,
    a_customer,
    a_deleted_customer,
    a_merged_customer,
    consent_of,
    inserted,
)

HISTORY = "history { consentChoice answeredAt answeredBy answeredByChannel }"
SET = document("setCustomerConsent", f"customerConsent {{ consentCode consentChoice {HISTORY} }}")
CONSENT = f"{{ consentCode consentChoice {HISTORY} }}"
CONSENTS = f"""query($number: Long!) {{
    customer(by: {{ customerNumber: $number }}) {{ consents {CONSENT} customerConsents {CONSENT} }}
}}"""
SHOWN_NOW = "2026-06-30T22:30:00.123Z"


def answer(customer: Any, choice: bool = True, **values: Any) -> dict[str, Any]:
    """An answer to the consent NEWSLETTER."""
    consent = {"consentCode": "NEWSLETTER", "consentChoice": choice}
    return {"customerNumber": customer.customer_number, **consent, **values}


async def rows(database: Database, row: Any) -> list[Any]:
    return list(await database.fetch(select(row.__table__).order_by(row.id)))


@pytest.mark.rule("C11")
async def test_each_answer_is_kept_and_the_last_one_holds(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    freeze(monkeypatch)
    kari = await a_customer(database)
    yes = {"consentChoice": True, "answeredAt": SHOWN_NOW, "answeredBy": "graphql", "answeredByChannel": "graphql"}
    made = await done(database, SET, answer(kari, consentCode=" NEWSLETTER "))
    assert made == {"consentCode": "NEWSLETTER", "consentChoice": True, "history": [yes]}
    no = {**yes, "consentChoice": False, "answeredBy": "ola", "answeredByChannel": "crm"}
    by = {"changedBy": " ola ", "changedByChannel": "crm"}
    assert await done(database, SET, answer(kari, False, **by)) == {
        "consentCode": "NEWSLETTER",
        "consentChoice": False,
        "history": [yes, no],
    }
    assert (await done(database, SET, answer(kari, False, **by)))["history"] == [yes, no, no]
    assert (await done(database, SET, answer(kari, consentCode="newsletter")))["history"] == [yes]
    assert await events(database) == [("UPDATE", kari.customer_number, 1, NOW, "")] * 4


async def test_the_client_answers_where_nobody_is_named(database: Database) -> None:
    kari = await a_customer(database)
    context = Context(database, VIEWER, client_name="Vy-app")
    result = await schema.execute(SET, variable_values={"input": answer(kari)}, context_value=context)
    assert not result.errors
    (row,) = await rows(database, CustomerConsentAnswer)
    assert (row.answered_by, row.answered_by_channel) == ("Vy-app", "graphql")


async def test_an_older_answer_without_history_gets_one(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    freeze(monkeypatch)
    kari = await a_customer(database)
    consent = await a_consent(database, kari)
    made = await done(database, SET, answer(kari, False))
    assert (made["consentChoice"], len(made["history"])) == (False, 1)
    (row,) = await rows(database, CustomerConsent)
    assert (row.id, row.consent_choice, row.created_at, row.changed_at) == (consent.id, False, MOMENT, NOW)


@pytest.mark.rule("C107")
async def test_answers_of_the_older_system_stay_as_they_are(database: Database) -> None:
    kari = await a_customer(database)
    legacy = await a_consent(database, kari, is_legacy=True)
    made = await done(database, SET, answer(kari, False))
    assert (made["consentChoice"], len(made["history"])) == (False, 1)
    old, new = await rows(database, CustomerConsent)
    assert (old, new.is_legacy) == (legacy, False)
    found = (await execute(database, CONSENTS, number=kari.customer_number))["customer"]
    assert found["consents"] == [made]
    shown = {"consentCode": "NEWSLETTER", "consentChoice": True, "history": []}
    assert found["customerConsents"] == [shown]


async def test_parallel_first_answers_are_one_consent_with_all_answers(database: Database) -> None:
    kari = await a_customer(database)
    await asyncio.gather(*(done(database, SET, answer(kari, bool(n % 2))) for n in range(6)))
    (consent,) = await rows(database, CustomerConsent)
    answers = await rows(database, CustomerConsentAnswer)
    assert [each.consent_id for each in answers] == [consent.id] * 6
    assert sorted(each.consent_choice for each in answers) == [False] * 3 + [True] * 3
    assert consent.consent_choice == answers[-1].consent_choice
    assert len(await events(database)) == 6


async def test_a_customer_answers_no_101st_consent(database: Database) -> None:
    kari = await a_customer(database)
    await inserted(database, CustomerConsent, *(consent_of(kari, consent_code=f"C{n}") for n in range(99)))
    await a_consent(database, kari, is_legacy=True)
    await done(database, SET, answer(kari))
    assert await refused(database, SET, answer(kari, consentCode="MORE")) == [("TOO_MANY_CONSENTS", "", [])]
    await done(database, SET, answer(kari, False))


async def test_a_wrong_answer_is_refused(database: Database) -> None:
    kari = await a_customer(database)
    bounds = {"consentCode": 60, "changedBy": 100, "changedByChannel": 100}
    async with unchanged(database):
        for field, longest in bounds.items():
            for value, code in (*HOSTILE, (" ", "REQUIRED"), ("x" * (longest + 1), "TEXT_TOO_LONG")):
                assert await errors_of(database, SET, {**answer(kari), field: value}) == [(code, field, [])]
    errors = await refused(database, SET, answer(kari, consentCode="", changedBy=""))
    assert errors == [("REQUIRED", "consentCode", []), ("REQUIRED", "changedBy", [])]
    for field in ("consentCode", "consentChoice", "customerNumber"):
        assert field in await not_executed(database, SET, {**answer(kari), field: None})
    await done(database, SET, {**answer(kari), **{field: "x" * longest for field, longest in bounds.items()}})


@pytest.mark.rule("T04")
@pytest.mark.rule("T05")
async def test_whose_consents_may_be_answered(database: Database) -> None:
    kari, deleted = await a_customer(database), await a_deleted_customer(database)
    merged = await a_merged_customer(database, kari)
    user = Viewer(1, TenantKind.TRAVELLER, GRANTABLE, customer_ids=frozenset({kari.id}))
    other = Viewer(1, TenantKind.TRAVELLER, GRANTABLE, customer_ids=frozenset({deleted.id}))
    async with unchanged(database):
        for customer, code, viewer in (
            (kari, "CUSTOMER_NOT_FOUND", FOREIGNER),
            (kari, "CUSTOMER_NOT_FOUND", other),
            (merged, "CUSTOMER_MERGED", VIEWER),
            (deleted, "CUSTOMER_DELETED", VIEWER),
        ):
            error = (code, "customerNumber", [str(customer.customer_number)])
            for consent in ("NEWSLETTER", ""):
                assert await errors_of(database, SET, answer(customer, consentCode=consent), viewer) == [error]
    for viewer in (user, INTERNAL):
        await done(database, SET, answer(kari), viewer)


async def test_a_repeat_with_the_same_key_is_one_answer(database: Database) -> None:
    kari = await a_customer(database)
    keyed = document("setCustomerConsent", "customerConsent { consentChoice }", ' @idempotent(key: "k")')
    for _ in range(2):
        assert await done(database, keyed, answer(kari)) == {"consentChoice": True}
    assert (await answered(database, keyed, answer(kari, False)))[1] == [("IDEMPOTENCY_KEY_REUSED", "", [])]
    assert len(await rows(database, CustomerConsentAnswer)) == 1
