"""Mutations at the same time: no update is lost, no key is given twice."""

import asyncio
from collections import Counter
from collections.abc import Sequence

import pytest

from datastore.customer import CustomerStatus, PostalAddress
from datastore.database import Database
from tests.customer.mutations import (
    CREATE,
    CREATE_ADDRESS,
    DEACTIVATE,
    DELETE_ADDRESS,
    HOME,
    KARI,
    RESTORE,
    UPDATE,
    Error,
    answered,
    done,
    events,
    everything,
    new_values,
    stored,
)
from tests.factories.customer import a_customer, a_deleted_customer, address_of, an_address, inserted

MANY = 20


def outcomes(answers: Sequence[tuple[object, list[Error]]]) -> Counter[str]:
    """How often the mutations ended with each code, or were done."""
    return Counter(errors[0][0] if errors else "done" for _, errors in answers)


@pytest.mark.rule("C05")
@pytest.mark.rule("C16")
async def test_one_of_many_creates_with_one_email_wins(database: Database) -> None:
    emails = [("kari" if n % 2 else "KARI") + "@example.no" for n in range(MANY)]
    answers = await asyncio.gather(*(answered(database, CREATE, {**KARI, "email": email}) for email in emails))
    assert outcomes(answers) == {"done": 1, "EMAIL_TAKEN": MANY - 1}
    for email, (_, errors) in zip(emails, answers, strict=True):
        assert errors in ([], [("EMAIL_TAKEN", "email", [email])])
    after = await everything(database)
    assert (len(after["customer"]), len(after["outbox"])) == (1, 1)


@pytest.mark.rule("C04")
async def test_one_of_many_creates_with_one_reference_wins(database: Database) -> None:
    given = {**KARI, "customerRef": "ref-1"}
    answers = await asyncio.gather(*(answered(database, CREATE, given) for _ in range(MANY)))
    assert outcomes(answers) == {"done": 1, "CUSTOMER_REF_TAKEN": MANY - 1}
    taken = ("CUSTOMER_REF_TAKEN", "customerRef", ["ref-1"])
    assert all(errors in ([], [taken]) for _, errors in answers)


@pytest.mark.rule("C02")
async def test_creates_without_a_common_key_all_succeed(database: Database) -> None:
    given = [{**KARI, "email": f"kari{n}@example.no", "postalAddresses": [HOME]} for n in range(MANY)]
    made = await asyncio.gather(*(done(database, CREATE, each) for each in given))
    assert len({each["customerNumber"] for each in made}) == len({each["uuid"] for each in made}) == MANY
    assert sorted(number for _, number, *_ in await events(database)) == sorted(each["customerNumber"] for each in made)


async def test_updates_without_an_expected_version_are_all_done(database: Database) -> None:
    kari = await a_customer(database)
    names = [f"Kari {n}" for n in range(30)]
    made = await asyncio.gather(*(done(database, UPDATE, new_values(kari, firstName=name)) for name in names))
    assert sorted(each["version"] for each in made) == list(range(2, 32))
    row = await stored(database, kari.customer_number)
    assert (row.version, row.first_name) == (31, next(each["firstName"] for each in made if each["version"] == 31))
    assert len(await events(database)) == 30


async def test_one_of_many_updates_of_one_version_wins(database: Database) -> None:
    kari = await a_customer(database)
    given = [new_values(kari, firstName=f"Kari {n}", expectedVersion=1) for n in range(MANY)]
    answers = await asyncio.gather(*(answered(database, UPDATE, each) for each in given))
    assert outcomes(answers) == {"done": 1, "VERSION_CONFLICT": MANY - 1}
    assert {(payload["customer"]["version"], payload["customer"]["firstName"]) for payload, _ in answers} == {
        (2, (await stored(database, kari.customer_number)).first_name)
    }
    assert len(await events(database)) == 1


async def test_customers_who_want_each_others_email_do_not_both_get_it(database: Database) -> None:
    customers = [await a_customer(database) for _ in range(MANY)]
    given = [new_values(customer, email="kari@example.no") for customer in customers]
    answers = await asyncio.gather(*(answered(database, UPDATE, each) for each in given))
    assert outcomes(answers) == {"done": 1, "EMAIL_TAKEN": MANY - 1}


@pytest.mark.rule("C56")
async def test_a_restore_and_a_create_do_not_both_get_the_email(database: Database) -> None:
    gone = await a_deleted_customer(database, email_old="kari@example.no")
    answers = await asyncio.gather(
        answered(database, RESTORE, {"customerNumber": gone.customer_number}),
        answered(database, CREATE, {**KARI, "email": "kari@example.no"}),
    )
    assert outcomes(answers) == {"done": 1, "EMAIL_TAKEN": 1}


@pytest.mark.rule("C53")
async def test_a_customer_is_deactivated_once(database: Database) -> None:
    kari = await a_customer(database, email="kari@example.no", status=CustomerStatus.PASSIVE)
    given = {"customerNumber": kari.customer_number, "expirationDate": "2099-12-31"}
    answers = await asyncio.gather(*(answered(database, DEACTIVATE, given) for _ in range(MANY)))
    assert outcomes(answers) == {"done": 1, "CUSTOMER_DELETED": MANY - 1}
    row = await stored(database, kari.customer_number)
    assert (row.email_old, row.status_before_deletion) == ("kari@example.no", CustomerStatus.PASSIVE)


@pytest.mark.rule("C31")
async def test_the_last_places_for_addresses_are_given_once(database: Database) -> None:
    kari = await a_customer(database)
    await inserted(database, PostalAddress, *[address_of(kari)] * 45)
    one = (CREATE_ADDRESS, {"customerNumber": kari.customer_number, **HOME})
    two = (UPDATE, new_values(kari, postalAddresses=[HOME, HOME]))
    await asyncio.gather(*(answered(database, *act) for act in [one, two] * 5))
    assert len((await everything(database))["postal_address"]) in (49, 50)
    await asyncio.gather(*(answered(database, *one) for _ in range(3)))
    assert len((await everything(database))["postal_address"]) == 50


async def test_an_address_is_deleted_once(database: Database) -> None:
    kari = await a_customer(database)
    home = await an_address(database, kari)
    given = {"customerNumber": kari.customer_number, "postalAddressId": str(home.id)}
    answers = await asyncio.gather(*(answered(database, DELETE_ADDRESS, given) for _ in range(5)))
    assert outcomes(answers) == {"done": 1, "POSTAL_ADDRESS_NOT_FOUND": 4}
    assert len(await events(database)) == 1
