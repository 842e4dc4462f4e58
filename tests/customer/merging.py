"""What the tests of merging share: documents, people with everything, and what is stored of them."""

from typing import Any

from datastore.customer import (
    Customer,
    CustomerAccount,
    CustomerConsent,
    CustomerConsentAnswer,
    CustomerPreference,
    Ecard,
    Preference,
    ProfileType,
)
from datastore.database import Database
from tests.customer.mutations import Values, document, everything
from tests.factories.customer import (
    MOMENT,
    a_customer,
    a_note,
    a_personnel_ticket,
    a_traveller_info,
    account_of,
    an_address,
    choice_of,
    consent_of,
    ecard_of,
    inserted,
)

PROFILE = "customerNumber status version email emailOld username changedBy changedByChannel relatedCustomerNumbers"
MERGE_RESULT = f"customer {{ {PROFILE} }} mergedCustomer {{ {PROFILE} }} moved {{ object moves }}"
MERGE = document("mergeCustomers", MERGE_RESULT)
UNMERGE_RESULT = f"customer {{ {PROFILE} }} survivingCustomer {{ {PROFILE} }}"
UNMERGE = document("unmergeCustomers", UNMERGE_RESULT)
PREVIEW = """query($into: Long!, $merged: Long!) {
    mergeCustomersPreview(customerNumber: $into, pticketCustomerNumber: $merged) { object moves clashes clashingKeys }
}"""
NOT_COMPARED = {"customer_merge", "outbox", "idempotency", "audit_log", "audit_chain", "gateway_secret"}


async def a_ticket_profile(database: Database, **values: Any) -> Customer:
    """Kari Nordmann, as `a_customer` has her, is a personnel-ticket profile."""
    return await a_customer(database, **{"profile_type": ProfileType.PERSONNEL_TICKET, **values})


async def with_everything(
    database: Database,
    customer: Customer,
    preferences: list[Preference],
    *,
    cards: list[str],
    consents: list[str],
    accounts: list[str],
) -> None:
    """Give a customer two notes, an address, a ticket, a journey, these e-cards, these preferences, these consents,
    each new and legacy and answered once, and these accounts, the first one as default."""
    await inserted(database, Ecard, *(ecard_of(customer, number) for number in cards))
    await inserted(database, CustomerPreference, *(choice_of(customer, each) for each in preferences))
    kinds = [(code, is_legacy) for code in consents for is_legacy in (False, True)]
    given = [consent_of(customer, consent_code=code, is_legacy=is_legacy) for code, is_legacy in kinds]
    for consent in await inserted(database, CustomerConsent, *given):
        await inserted(database, CustomerConsentAnswer, answer_of(customer, consent))
    each = (account_of(customer, customer_account_id=name, is_default=not n) for n, name in enumerate(accounts))
    await inserted(database, CustomerAccount, *each)
    for _ in range(2):
        await a_note(database, customer)
    await an_address(database, customer)
    await a_personnel_ticket(database, customer)
    await a_traveller_info(database, customer)


def answer_of(customer: Customer, consent: CustomerConsent, **values: Any) -> Values:
    """The customer said yes to the consent at MOMENT, as `web` through `web`."""
    by = {"answered_at": MOMENT, "answered_by": "web", "answered_by_channel": "web"}
    return {"customer_id": customer.id, "consent_id": consent.id, "consent_choice": True, **by, **values}


def numbers(into: Customer, merged: Customer, **values: Any) -> Values:
    """An input of mergeCustomers."""
    return {"customerNumber": into.customer_number, "pticketCustomerNumber": merged.customer_number, **values}


async def compared(database: Database) -> dict[str, Any]:
    """Every row of every table but those that tell of merges and other acts."""
    return {name: rows for name, rows in (await everything(database)).items() if name not in NOT_COMPARED}


async def owners(database: Database, row: Any, column: str = "customer_id") -> list[int | None]:
    """Whose the rows of a class are, by ascending key."""
    place = [each.name for each in row.__table__.columns].index(column)
    return [values[place] for values in (await everything(database))[row.__tablename__]]
