"""What customers choose of the preferences that their organisation offers (rules C60 to C64)."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from sqlalchemy import select

from datastore.customer import CustomerPreference, Preference
from datastore.database import Database
from datastore.viewer import GRANTABLE, TenantKind, Viewer
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
from tests.execute import FOREIGNER, INTERNAL, VIEWER
from tests.factories.customer import (
    MOMENT,
    a_choice,
    a_customer,
    a_deleted_customer,
    a_merged_customer,
    a_preference,
)
from tests.statements import statements

CHOSEN = "preferenceId version preferenceValue"
REPLACE = document("replaceCustomerPreferences", f"customer {{ customerNumber preferences {{ {CHOSEN} }} }}")
CREATE = document(
    "createCustomerPreference", f"customerPreference {{ {CHOSEN} preference {{ preferenceCode }} customer {{ uuid }} }}"
)
UPDATE = document("updateCustomerPreference", f"customerPreference {{ {CHOSEN} }}")
DELETE = document(
    "deleteCustomerPreference", f"customer {{ customerNumber preferences {{ {CHOSEN} }} }} deletedPreferenceId"
)


async def some_offers(database: Database, *codes: str, **values: Any) -> list[Preference]:
    return [await a_preference(database, preference_code=code, **values) for code in codes]


async def choices(database: Database) -> list[Any]:
    return list(await database.fetch(select(CustomerPreference.__table__).order_by(CustomerPreference.id)))


@pytest.mark.rule("C60")
async def test_a_list_takes_the_place_of_all_that_was_chosen(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    freeze(monkeypatch)
    kari, ola = await a_customer(database), await a_customer(database)
    a, b, c = await some_offers(database, "A", "B", "C")
    for customer in (kari, ola):
        await a_choice(database, customer, a)
        await a_choice(database, customer, b, version=3)
    number = {"customerNumber": kari.customer_number}
    new = [{"preferenceId": str(c.id), "preferenceValue": " x "}, {"preferenceId": str(b.id)}]
    replaced = await done(database, REPLACE, {**number, "preferences": new})
    assert replaced == {
        **number,
        "preferences": [
            {"preferenceId": str(b.id), "version": 4, "preferenceValue": None},
            {"preferenceId": str(c.id), "version": 1, "preferenceValue": "x"},
        ],
    }
    stored = [(row.customer_id, row.preference_id, row.created_at, row.changed_at) for row in await choices(database)]
    assert sorted(stored) == [
        *((kari.id, each.id, NOW, NOW) for each in (b, c)),
        *((ola.id, each.id, MOMENT, MOMENT) for each in (a, b)),
    ]
    assert await events(database) == [("UPDATE", kari.customer_number, 1, NOW, "")]
    assert await done(database, REPLACE, {**number, "preferences": []}) == {**number, "preferences": []}
    assert len(await choices(database)) == 2
    assert len(await events(database)) == 2


@pytest.mark.rule("C60")
@pytest.mark.rule("C64")
async def test_a_list_with_anything_wrong_changes_nothing(database: Database) -> None:
    kari = await a_customer(database)
    a, b = await some_offers(database, "A", "B")
    (old,) = await some_offers(database, "OLD", is_active=False)
    (foreign,) = await some_offers(database, "A", organisation_id=2)
    await a_choice(database, kari, a)
    await a_choice(database, kari, old)

    def given(*ids: object, **more: Any) -> dict[str, Any]:
        listed = [{"preferenceId": str(each), **more} for each in ids]
        return {"customerNumber": kari.customer_number, "preferences": listed}

    at = "preferences.1.preferenceId"
    async with unchanged(database):
        for wrong, code in (
            (old.id, "PREFERENCE_INACTIVE"),
            (foreign.id, "PREFERENCE_NOT_FOUND"),
            (a.id, "PREFERENCE_REPEATED"),
        ):
            for viewer in (VIEWER, INTERNAL):
                assert await errors_of(database, REPLACE, given(a.id, wrong, b.id), viewer) == [
                    (code, at, [str(wrong)])
                ]
    assert await refused(database, REPLACE, given(a.id, f"0{a.id}")) == [("PREFERENCE_REPEATED", at, [f"0{a.id}"])]
    async with unchanged(database):
        for wrong_id in ("0", "-1", "x", "", "9" * 19):
            error = ("PREFERENCE_NOT_FOUND", at, [wrong_id])
            assert await errors_of(database, REPLACE, given(a.id, wrong_id)) == [error]
    both = await refused(database, REPLACE, given("x", preferenceValue="y" * 256))
    assert sorted(both) == [
        ("PREFERENCE_NOT_FOUND", "preferences.0.preferenceId", ["x"]),
        ("TEXT_TOO_LONG", "preferences.0.preferenceValue", []),
    ]
    async with unchanged(database):
        for value, code in HOSTILE:
            error = (code, "preferences.0.preferenceValue", [])
            assert await errors_of(database, REPLACE, given(b.id, preferenceValue=value)) == [error]
    assert await refused(database, REPLACE, given(*range(101))) == [("TOO_MANY_PREFERENCES", "preferences", [])]
    assert "preferences" in await not_executed(database, REPLACE, {**given(), "preferences": None})


@pytest.mark.rule("C60")
async def test_the_statements_that_read_for_a_replacement_do_not_grow(database: Database) -> None:
    kari = await a_customer(database)
    offers = await some_offers(database, *(f"P{n:02}" for n in range(40)))

    async def replaced(part: list[Preference], value: str) -> int:
        listed = [{"preferenceId": str(each.id), "preferenceValue": value} for each in part]
        with statements(database) as seen:
            await done(database, REPLACE, {"customerNumber": kari.customer_number, "preferences": listed})
        return len([each for each in seen if each.startswith("SELECT")])

    await replaced(offers[:1], "the first entry of the audit log takes more")
    assert await replaced(offers[:2], "a") == await replaced(offers[2:], "b") == await replaced(offers, "c")


@pytest.mark.rule("C61")
@pytest.mark.rule("C64")
async def test_a_preference_is_chosen_once(database: Database) -> None:
    kari = await a_customer(database)
    (a, b), (old,) = await some_offers(database, "A", "B"), await some_offers(database, "OLD", is_active=False)
    (foreign,) = await some_offers(database, "C", organisation_id=2)
    number = {"customerNumber": kari.customer_number}
    made = await done(database, CREATE, {**number, "preferenceId": str(a.id), "preferenceValue": "12 34"})
    assert made == {
        "preferenceId": str(a.id),
        "version": 1,
        "preferenceValue": "12 34",
        "preference": {"preferenceCode": "A"},
        "customer": {"uuid": kari.uuid},
    }
    assert len(await events(database)) == 1
    async with unchanged(database):
        for wrong, code in (
            (str(a.id), "PREFERENCE_ALREADY_CHOSEN"),
            (str(old.id), "PREFERENCE_INACTIVE"),
            (str(foreign.id), "PREFERENCE_NOT_FOUND"),
            ("999", "PREFERENCE_NOT_FOUND"),
            ("x", "PREFERENCE_NOT_FOUND"),
        ):
            for viewer in (VIEWER, INTERNAL):
                error = (code, "preferenceId", [wrong])
                assert await errors_of(database, CREATE, {**number, "preferenceId": wrong}, viewer) == [error]
    answers = await asyncio.gather(
        *(answered(database, CREATE, {**number, "preferenceId": str(b.id)}) for _ in range(5))
    )
    assert Counter(errors[0][0] if errors else "done" for _, errors in answers) == {
        "done": 1,
        "PREFERENCE_ALREADY_CHOSEN": 4,
    }


@pytest.mark.rule("C62")
@pytest.mark.rule("C64")
async def test_only_what_was_chosen_gets_another_value(database: Database) -> None:
    kari, ola = await a_customer(database), await a_customer(database)
    a, b = await some_offers(database, "A", "B")
    (old,) = await some_offers(database, "OLD", is_active=False)
    await a_choice(database, kari, a)
    await a_choice(database, kari, old)
    await a_choice(database, ola, b)
    given = {"customerNumber": kari.customer_number, "preferenceId": str(a.id)}
    shown = {"preferenceId": str(a.id), "preferenceValue": "window"}
    assert await done(database, UPDATE, given) == {**shown, "version": 2}
    new = {**given, "preferenceValue": "aisle", "expectedVersion": 2, "bodyPreferenceId": str(a.id)}
    assert await done(database, UPDATE, new) == {**shown, "version": 3, "preferenceValue": "aisle"}
    assert await done(database, UPDATE, {**given, "preferenceValue": None}) == {
        **shown,
        "version": 4,
        "preferenceValue": None,
    }
    assert len(await events(database)) == 3
    async with unchanged(database):
        for wrong in (str(b.id), "999", "x"):
            error = ("PREFERENCE_NOT_CHOSEN", "preferenceId", [wrong])
            assert await errors_of(database, UPDATE, {**given, "preferenceId": wrong}) == [error]
    async with unchanged(database):
        for body in (str(b.id), "x", ""):
            error = ("PREFERENCE_ID_MISMATCH", "bodyPreferenceId", [body])
            assert await errors_of(database, UPDATE, {**given, "bodyPreferenceId": body}) == [error]
    errors = await refused(database, UPDATE, {**given, "preferenceValue": "x" * 256, "bodyPreferenceId": "x"})
    assert errors == [("PREFERENCE_ID_MISMATCH", "bodyPreferenceId", ["x"]), ("TEXT_TOO_LONG", "preferenceValue", [])]
    inactive = ("PREFERENCE_INACTIVE", "preferenceId", [str(old.id)])
    assert await refused(database, UPDATE, {**given, "preferenceId": str(old.id)}) == [inactive]


@pytest.mark.rule("C63")
async def test_a_deleted_choice_is_gone_even_of_what_is_out_of_use(database: Database) -> None:
    kari, ola = await a_customer(database), await a_customer(database)
    (old,) = await some_offers(database, "OLD", is_active=False)
    await a_choice(database, kari, old)
    his = await a_choice(database, ola, old)
    given = {"customerNumber": kari.customer_number, "preferenceId": str(old.id)}
    payload, errors = await answered(database, DELETE, given)
    assert errors == []
    gone = {"customerNumber": kari.customer_number, "preferences": []}
    assert payload == {"customer": gone, "deletedPreferenceId": str(old.id)}
    assert [row.id for row in await choices(database)] == [his.id]
    assert len(await events(database)) == 1
    assert await refused(database, DELETE, given) == [("PREFERENCE_NOT_CHOSEN", "preferenceId", [str(old.id)])]


async def test_another_version_of_a_choice_is_a_conflict(database: Database) -> None:
    kari, offer = await a_customer(database), await a_preference(database)
    await a_choice(database, kari, offer, version=3)
    given = {"customerNumber": kari.customer_number, "preferenceId": str(offer.id), "expectedVersion": 2}
    shown = {"preferenceId": str(offer.id), "version": 3, "preferenceValue": "window"}
    conflict = [("VERSION_CONFLICT", "expectedVersion", ["2"])]
    update = await answered(database, UPDATE, {**given, "preferenceValue": "aisle"})
    assert update == ({"customerPreference": shown}, conflict)
    customer = {"customerNumber": kari.customer_number, "preferences": [shown]}
    delete = await answered(database, DELETE, given)
    assert delete == ({"customer": customer, "deletedPreferenceId": None}, conflict)
    await done(database, DELETE, {**given, "expectedVersion": 3})


@pytest.mark.rule("T04")
@pytest.mark.rule("T05")
async def test_whose_preferences_may_be_chosen(database: Database) -> None:
    kari, deleted = await a_customer(database), await a_deleted_customer(database)
    merged, (offer,) = await a_merged_customer(database, kari), await some_offers(database, "A")
    user = Viewer(1, TenantKind.TRAVELLER, GRANTABLE, customer_ids=frozenset({kari.id}))
    other = Viewer(1, TenantKind.TRAVELLER, GRANTABLE, customer_ids=frozenset({deleted.id}))
    async with unchanged(database):
        for customer, code, viewer in (
            (kari, "CUSTOMER_NOT_FOUND", FOREIGNER),
            (kari, "CUSTOMER_NOT_FOUND", other),
            (merged, "CUSTOMER_MERGED", VIEWER),
            (deleted, "CUSTOMER_DELETED", VIEWER),
        ):
            number = {"customerNumber": customer.customer_number}
            error = (code, "customerNumber", [str(customer.customer_number)])
            assert await errors_of(
                database, REPLACE, {**number, "preferences": [{"preferenceId": "x"}] * 200}, viewer
            ) == [error]
            for text in (CREATE, UPDATE, DELETE):
                for each in (str(offer.id), "x"):
                    assert await errors_of(database, text, {**number, "preferenceId": each}, viewer) == [error]
    for viewer in (user, INTERNAL):
        one = {"customerNumber": kari.customer_number, "preferenceId": str(offer.id)}
        await done(database, CREATE, {**one, "preferenceValue": "x"}, viewer)
        await done(database, UPDATE, {**one, "preferenceValue": "y"}, viewer)
        await done(database, DELETE, one, viewer)
        given = {"customerNumber": kari.customer_number, "preferences": [{"preferenceId": str(offer.id)}]}
        await done(database, REPLACE, given, viewer)
        await done(database, REPLACE, {**given, "preferences": []}, viewer)
