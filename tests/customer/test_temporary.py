"""createTemporaryCustomer, updateTemporaryCustomer and convertTemporaryCustomer (rules C14, C101 and C102)."""

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from sqlalchemy import select

from datastore.audit import AuditLogEntry
from datastore.customer import Customer, CustomerStatus, ProfileType
from datastore.database import Database
from datastore.viewer import GRANTABLE, Permission
from resolvers.customer import passwords
from tests.customer import mutations
from tests.customer.mutations import (
    CUSTOMER_FIELDS,
    DEACTIVATE,
    HOSTILE,
    NOW,
    RESTORE,
    Error,
    Values,
    answered,
    document,
    done,
    events,
    everything,
    freeze,
    new_values,
    refused,
    stored,
)
from tests.execute import FOREIGNER, INTERNAL, VIEWER
from tests.factories.customer import a_customer, a_deleted_customer, a_merged_customer

CREATE = document("createTemporaryCustomer", f"customer {{ {CUSTOMER_FIELDS} }}")
UPDATE = document("updateTemporaryCustomer", f"customer {{ {CUSTOMER_FIELDS} }}")
CONVERT = document("convertTemporaryCustomer", f"customer {{ {CUSTOMER_FIELDS} }}")

LEAST = {"createdBy": "ola", "createdByChannel": "crm", "expirationDate": "2099-12-31"}
BY = {"changedBy": "per", "changedByChannel": "web"}
EMPTY = dict.fromkeys(
    [
        *("firstName", "surname", "username", "email", "emailOld", "emailVerifiedAt", "countryCode"),
        *("telephoneNumberNoCountryCode", "telephoneNumber", "telephoneNumberVerifiedAt", "landlineNumber"),
        *("dateOfBirth", "nationality", "vippsId", "customerAccountId"),
    ]
)
PERSON = {
    "firstName": "Åse",
    "surname": "Ærlig",
    "email": "Kari@Example.no",
    "countryCode": "+47",
    "telephoneNumberNoCountryCode": "90000000",
    "landlineNumber": "22222222",
    "dateOfBirth": "1984-02-29",
}
SHOWN = {**PERSON, "telephoneNumber": "+4790000000", "dateOfBirth": {"year": 1984, "month": 2, "day": 29}}
SECRET = "abcD123-unique"


async def a_temporary(database: Database, **values: Any) -> Customer:
    """Kari Nordmann is a temporary customer until the end of 2099."""
    return await a_customer(
        database, **{"profile_type": ProfileType.TEMPORARY, "expiration_date": date(2099, 12, 31), **values}
    )


def update_of(customer: Customer, **values: Any) -> Values:
    return {"customerNumber": customer.customer_number, **BY, "expirationDate": "2099-06-30", **values}


def conversion_of(customer: Customer, **values: Any) -> Values:
    names = {"firstName": "Kari", "surname": "Nordmann"}
    return {"customerNumber": customer.customer_number, **BY, **names, **values}


# createTemporaryCustomer


@pytest.mark.rule("C101")
@pytest.mark.rule("C04")
@pytest.mark.rule("V01")
async def test_a_temporary_customer_needs_little(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    freeze(monkeypatch)
    made = await done(database, CREATE, LEAST)
    number = made["customerNumber"]
    defaults = {"languagePreferenceISO6393": "NOB", "languagePreference": "NO", "postalAddresses": []}
    assert made == {
        **EMPTY,
        **LEAST,
        **defaults,
        "customerNumber": number,
        "uuid": made["uuid"],
        "customerRef": str(number),
        "organisationId": 1,
        "status": "ACTIVE",
        "profileType": "TEMPORARY",
        "version": 1,
        "changedBy": "ola",
        "changedByChannel": "crm",
    }
    assert await events(database) == [("CREATE", number, 1, NOW, "")]


@pytest.mark.rule("C101")
@pytest.mark.rule("C21")
@pytest.mark.rule("A01")
async def test_a_temporary_customer_has_everything_that_was_given(database: Database) -> None:
    await a_customer(database, email="kari@example.no")
    given = {**LEAST, **PERSON, "telephoneNumber": "22 22", "customerAccountId": "abt-1", "firstName": " A\u030ase"}
    made = await done(database, CREATE, given)
    assert {name: made[name] for name in SHOWN} == SHOWN
    assert (made["customerAccountId"], made["username"]) == ("abt-1", None)
    assert (await stored(database, made["customerNumber"])).email_key == "kari@example.no"
    made = await done(database, CREATE, {**LEAST, "telephoneNumber": "22 22"})
    assert (made["telephoneNumber"], made["countryCode"]) == ("2222", None)


@pytest.mark.rule("C101")
@pytest.mark.rule("T04")
async def test_only_an_internal_caller_creates_in_another_organisation(database: Database) -> None:
    given = {**LEAST, "organisationId": 2}
    assert await refused(database, CREATE, given) == [("ORGANISATION_NOT_ALLOWED", "organisationId", ["2"])]
    assert (await done(database, CREATE, given, FOREIGNER))["organisationId"] == 2
    assert (await done(database, CREATE, given, INTERNAL))["organisationId"] == 2
    assert (await done(database, CREATE, LEAST, INTERNAL))["organisationId"] == 99


@pytest.mark.rule("C14")
@pytest.mark.rule("C20")
@pytest.mark.rule("H4")
@pytest.mark.parametrize("text", [CREATE, UPDATE], ids=["create", "update"])
async def test_all_that_is_wrong_is_told_at_once(database: Database, text: str) -> None:
    kari = await a_temporary(database)
    least = LEAST if text == CREATE else update_of(kari)
    by = "createdBy" if text == CREATE else "changedBy"
    wrong = {"email": "kari", "dateOfBirth": "2199-01-01", "expirationDate": "2020-01-01", "countryCode": "+47"}
    assert sorted(await refused(database, text, {**least, **wrong, by: " ", "landlineNumber": "x"})) == [
        ("DATE_INVALID", "dateOfBirth", ["2199-01-01"]),
        ("DATE_INVALID", "expirationDate", ["2020-01-01"]),
        ("EMAIL_INVALID", "email", ["kari"]),
        ("PHONE_NUMBER_INVALID", "landlineNumber", ["x"]),
        ("PHONE_NUMBER_INVALID", "telephoneNumberNoCountryCode", []),
        ("REQUIRED", by, []),
    ]


@pytest.mark.rule("H5")
async def test_no_text_is_too_hostile_to_be_refused(database: Database) -> None:
    kari = await a_temporary(database)
    for text, code in HOSTILE:
        names = {"firstName": text, "surname": text}
        more = {**names, "customerRef": text, "password": text, "changedBy": text}

        def refusals(given: Values, code: str = code) -> list[Error]:
            return [(code, name, []) for name in sorted(given)]

        assert await refused(database, CREATE, {**LEAST, **names}) == refusals(names)
        assert await refused(database, UPDATE, update_of(kari, **names)) == refusals(names)
        assert sorted(await refused(database, CONVERT, conversion_of(kari, **more))) == refusals(more)


# updateTemporaryCustomer


@pytest.mark.rule("C101")
@pytest.mark.rule("A04")
async def test_an_update_overwrites_everything(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    freeze(monkeypatch)
    kari = await a_temporary(database, customer_account_id="abt-1", customer_ref="ref-1", nationality="NOR")
    number = kari.customer_number
    made = await done(database, UPDATE, update_of(kari, **PERSON, customerAccountId="abt-2"))
    kept = {"customerAccountId": "abt-1", "customerRef": "ref-1", "nationality": "NOR", "profileType": "TEMPORARY"}
    assert {name: made[name] for name in (*SHOWN, *kept)} == {**SHOWN, **kept}
    assert (made["version"], made["expirationDate"]) == (2, "2099-06-30")
    made = await done(database, UPDATE, update_of(kari))
    assert {name: made[name] for name in EMPTY if name not in kept} == {n: None for n in EMPTY if n not in kept}
    assert {name: made[name] for name in kept} == kept
    row = await stored(database, number)
    assert (row.version, row.email_key, row.changed_by, row.changed_by_channel) == (3, None, "per", "web")
    assert await events(database) == [("UPDATE", number, 1, NOW, "")] * 2


async def test_another_email_or_number_is_not_verified(database: Database) -> None:
    seen = datetime(2026, 2, 1, 8, tzinfo=UTC)
    verified = {"email_verified_at": seen, "telephone_number_verified_at": seen}
    kari = await a_temporary(database, email="kari@example.no", telephone_number="2222", **verified)
    same = update_of(kari, email="kari@example.no", telephoneNumber="22 22")
    made = await done(database, UPDATE, same)
    assert made["emailVerifiedAt"] == made["telephoneNumberVerifiedAt"] == "2026-02-01T08:00:00.000Z"
    made = await done(database, UPDATE, {**same, "email": "Kari@example.no", "telephoneNumber": "23"})
    assert (made["emailVerifiedAt"], made["telephoneNumberVerifiedAt"]) == (None, None)


# convertTemporaryCustomer


@pytest.mark.rule("C102")
@pytest.mark.rule("C04")
@pytest.mark.rule("C10")
async def test_a_converted_customer_is_permanent(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    freeze(monkeypatch)
    kari = await a_temporary(database, email="kari@example.no", landline_number="22222222", version=4)
    number = kari.customer_number
    made = await done(database, CONVERT, conversion_of(kari, firstName=" Åse "))
    assert made == {
        **EMPTY,
        **BY,
        "customerNumber": number,
        "uuid": kari.uuid,
        "customerRef": str(number),
        "organisationId": 1,
        "status": "ACTIVE",
        "profileType": "STANDARD",
        "version": 5,
        "firstName": "Åse",
        "surname": "Nordmann",
        "username": "kari@example.no",
        "email": "kari@example.no",
        "landlineNumber": "22222222",
        "languagePreferenceISO6393": "NOB",
        "languagePreference": "NO",
        "expirationDate": None,
        "createdBy": "web",
        "createdByChannel": "web",
        "postalAddresses": [],
    }
    assert (await stored(database, number)).password_hash is None
    assert await events(database) == [("UPDATE", number, 1, NOW, "")]


@pytest.mark.rule("C102")
@pytest.mark.rule("C17")
async def test_a_conversion_takes_an_email_a_reference_and_a_password(database: Database) -> None:
    seen = datetime(2026, 2, 1, 8, tzinfo=UTC)
    kari = await a_temporary(database, email="old@example.no", email_verified_at=seen)
    own = {"email": "Kari@example.no", "customerRef": "ref-1", "password": SECRET, "organisationId": 1}
    made = await done(database, CONVERT, conversion_of(kari, **own))
    assert (made["username"], made["emailVerifiedAt"], made["customerRef"]) == ("Kari@example.no", None, "ref-1")
    row = await stored(database, kari.customer_number)
    assert await passwords.verify(row.password_hash, SECRET)
    assert row.email_key == "kari@example.no"
    assert SECRET not in str(await everything(database))
    logged = await database.fetch(select(AuditLogEntry.__table__))
    assert row.password_hash not in str([entry.details for entry in logged])


@pytest.mark.rule("C102")
async def test_a_reference_given_before_stays(database: Database) -> None:
    kari = await a_temporary(database, customer_ref="ref-1")
    assert (await done(database, CONVERT, conversion_of(kari)))["customerRef"] == "ref-1"


@pytest.mark.rule("C102")
@pytest.mark.rule("C05")
@pytest.mark.rule("C06")
async def test_the_email_and_the_reference_must_be_its_own_now(database: Database) -> None:
    await a_customer(database, email="kari@example.no", customer_ref="ref-1")
    await a_customer(database, email="per@example.no", customer_ref="ref-2", organisation_id=2)
    await a_temporary(database, email="per@example.no")
    kari = await a_temporary(database, email="KARI@example.no")
    assert await refused(database, CONVERT, conversion_of(kari)) == [("EMAIL_TAKEN", "", [])]
    given = conversion_of(kari, email="Kari@Example.no", customerRef="ref-1")
    assert await refused(database, CONVERT, given) == [
        ("EMAIL_TAKEN", "email", ["Kari@Example.no"]),
        ("CUSTOMER_REF_TAKEN", "customerRef", ["ref-1"]),
    ]
    await done(database, CONVERT, conversion_of(kari, email="per@example.no", customerRef="ref-2"))


@pytest.mark.rule("C102")
async def test_a_permanent_customer_has_names_and_a_possible_password(database: Database) -> None:
    kari = await a_temporary(database)
    given = conversion_of(kari, firstName=" ", surname="", email="kari", password="")
    assert sorted(await refused(database, CONVERT, given)) == [
        ("EMAIL_INVALID", "email", ["kari"]),
        ("REQUIRED", "firstName", []),
        ("REQUIRED", "password", []),
        ("REQUIRED", "surname", []),
    ]


async def test_a_password_is_given_by_those_who_may_write_passwords_only(database: Database) -> None:
    kari = await a_temporary(database)
    viewer = replace(VIEWER, permissions=GRANTABLE - {Permission.PASSWORD_WRITE})
    for number in (kari.customer_number, 1):
        given = conversion_of(kari, customerNumber=number, password=SECRET)
        assert await refused(database, CONVERT, given, viewer) == [("FORBIDDEN", "password", [])]
    await done(database, CONVERT, conversion_of(kari), viewer)


@pytest.mark.rule("C102")
@pytest.mark.rule("C34")
@pytest.mark.rule("T04")
async def test_a_conversion_leaves_the_organisation_alone(database: Database) -> None:
    kari = await a_temporary(database)
    number = str(kari.customer_number)
    error = ("ORGANISATION_NOT_ALLOWED", "organisationId", ["2"])
    assert await refused(database, CONVERT, conversion_of(kari, organisationId=2)) == [error]
    error = ("CUSTOMER_NOT_FOUND", "customerNumber", [number])
    assert await refused(database, CONVERT, conversion_of(kari, organisationId=2), INTERNAL) == [error]
    assert await refused(database, CONVERT, conversion_of(kari, organisationId=2), FOREIGNER) == [error]
    assert (await done(database, CONVERT, conversion_of(kari, organisationId=1), INTERNAL))["organisationId"] == 1


# Whose


@pytest.mark.rule("C101")
@pytest.mark.rule("C102")
async def test_only_temporary_customers_are_updated_or_converted(database: Database) -> None:
    for kind in (ProfileType.STANDARD, ProfileType.PERSONNEL_TICKET):
        kari = await a_customer(database, profile_type=kind)
        error = ("PROFILE_TYPE_NOT_ALLOWED", "customerNumber", [str(kari.customer_number)])
        assert await refused(database, UPDATE, update_of(kari)) == [error]
        assert await refused(database, CONVERT, conversion_of(kari)) == [error]


@pytest.mark.rule("T04")
@pytest.mark.rule("C40")
async def test_unknown_foreign_merged_and_deleted_customers_stay(database: Database) -> None:
    temporary = {"profile_type": ProfileType.TEMPORARY}
    kari, deleted = await a_temporary(database), await a_deleted_customer(database, **temporary)
    merged = await a_merged_customer(database, kari, **temporary)
    for customer, code, viewer in (
        (kari, "CUSTOMER_NOT_FOUND", FOREIGNER),
        (merged, "CUSTOMER_MERGED", VIEWER),
        (deleted, "CUSTOMER_DELETED", VIEWER),
    ):
        error = (code, "customerNumber", [str(customer.customer_number)])
        assert await refused(database, UPDATE, update_of(customer), viewer) == [error]
        assert await refused(database, CONVERT, conversion_of(customer), viewer) == [error]
    passive = await a_temporary(database, status=CustomerStatus.PASSIVE)
    assert (await done(database, CONVERT, conversion_of(passive), INTERNAL))["status"] == "PASSIVE"


async def test_another_version_is_a_conflict_and_shows_the_customer(database: Database) -> None:
    kari = await a_temporary(database, version=3)
    before = await everything(database)
    for text, given in ((UPDATE, update_of(kari)), (CONVERT, conversion_of(kari))):
        payload, errors = await answered(database, text, {**given, "expectedVersion": 2})
        assert errors == [("VERSION_CONFLICT", "expectedVersion", ["2"])]
        assert (payload["customer"]["version"], payload["customer"]["profileType"]) == (3, "TEMPORARY")
    assert await everything(database) == before
    await done(database, UPDATE, update_of(kari, expectedVersion=3))
    await done(database, CONVERT, conversion_of(kari, expectedVersion=4))


@pytest.mark.rule("C102")
@pytest.mark.rule("C05")
async def test_one_of_many_with_one_email_is_converted(database: Database) -> None:
    customers = [await a_temporary(database, email="kari@example.no") for _ in range(6)]
    answers = await asyncio.gather(*(answered(database, CONVERT, conversion_of(each)) for each in customers))
    assert [errors for _, errors in answers if errors] == [[("EMAIL_TAKEN", "", [])]] * 5
    assert len(await events(database)) == 1


@pytest.mark.rule("C101")
async def test_a_temporary_customer_is_never_without_a_day_of_erasure(database: Database) -> None:
    """Whichever mutation is used: updateCustomer and restoreCustomer take profiles of every type."""
    someone = await a_temporary(database)
    number = {"customerNumber": someone.customer_number}
    cleared = await refused(database, mutations.UPDATE, new_values(someone, expirationDate=None))
    assert cleared == [("REQUIRED", "expirationDate", [])]
    await done(database, mutations.UPDATE, new_values(someone, expirationDate="2099-12-30"))
    await done(database, DEACTIVATE, {**number, "expirationDate": "2099-12-29"})
    assert (await done(database, RESTORE, number))["expirationDate"] == "2099-12-29"
