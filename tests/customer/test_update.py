"""updateCustomer (rules C30 to C35, A04)."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from datastore.customer import CustomerStatus, ProfileType
from datastore.database import Database
from resolvers.context import Context
from resolvers.customer import writes
from schema.root import schema
from tests.customer.mutations import (
    HOME,
    HOSTILE,
    NOW,
    UPDATE,
    Error,
    Values,
    answered,
    done,
    events,
    everything,
    freeze,
    new_values,
    not_executed,
    refused,
    stored,
)
from tests.execute import FOREIGNER, INTERNAL, VIEWER
from tests.factories.customer import MOMENT, a_customer, a_deleted_customer, a_merged_customer, an_address

SEEN = datetime(2026, 2, 1, 8, 0, tzinfo=UTC)
STORED = {
    "email": "kari@example.no",
    "email_verified_at": SEEN,
    "country_code": "+47",
    "telephone_number_no_country_code": "91234567",
    "telephone_number": "+4791234567",
    "telephone_number_verified_at": SEEN,
    "landline_number": "22222222",
    "date_of_birth": date(1984, 2, 29),
    "nationality": "NOR",
    "language_preference_iso6393": "NNO",
    "language_preference": "NN",
    "expiration_date": date(2099, 12, 31),
    "vipps_id": "vipps-1",
}
"""A value in every column that updateCustomer may clear."""
SHOWN = {
    "email": "kari@example.no",
    "emailVerifiedAt": "2026-02-01T08:00:00.000Z",
    "countryCode": "+47",
    "telephoneNumberNoCountryCode": "91234567",
    "telephoneNumber": "+4791234567",
    "telephoneNumberVerifiedAt": "2026-02-01T08:00:00.000Z",
    "landlineNumber": "22222222",
    "dateOfBirth": {"year": 1984, "month": 2, "day": 29},
    "nationality": "NOR",
    "languagePreferenceISO6393": "NNO",
    "languagePreference": "NN",
    "expirationDate": "2099-12-31",
    "vippsId": "vipps-1",
}
"""The same, as answered."""


def part(of: Values, *names: str) -> Values:
    return {name: of[name] for name in names}


# Absent, null, given


@pytest.mark.rule("A04")
@pytest.mark.rule("C30")
async def test_an_absent_field_stays_and_the_needed_ones_are_set(database: Database) -> None:
    kari = await a_customer(database, **STORED)
    before = await stored(database, kari.customer_number)
    now = await done(database, UPDATE, new_values(kari, firstName=" A\u030ase ", surname="Ørn"))
    assert part(now, *SHOWN) == SHOWN
    assert part(now, "firstName", "surname", "version") == {"firstName": "Åse", "surname": "Ørn", "version": 2}
    after = await stored(database, kari.customer_number)
    changed = {name for name, value in after._asdict().items() if value != before._asdict()[name]}
    assert changed == {"version", "first_name", "first_name_key", "surname", "surname_key", "changed_at", "changed_by"}
    assert (after.first_name_key, after.surname_key) == ("}se", "|rn")


@pytest.mark.rule("A04")
async def test_null_clears_each_field(database: Database) -> None:
    kari = await a_customer(database, **STORED)
    alone = {"emailVerifiedAt", "telephoneNumberVerifiedAt", "landlineNumber", "dateOfBirth", "nationality"}
    alone |= {"languagePreferenceISO6393", "languagePreference", "expirationDate", "vippsId"}
    pair = ["countryCode", "telephoneNumberNoCountryCode", "telephoneNumber"]
    empty: list[str] = []
    for cleared in (*([name] for name in sorted(alone)), ["email"], pair):
        now = await done(database, UPDATE, new_values(kari, **dict.fromkeys(cleared)))
        empty += cleared
        assert {name for name in SHOWN if now[name] is None} == set(empty)
    assert set(empty) == set(SHOWN)
    row = await stored(database, kari.customer_number)
    assert {getattr(row, name) for name in (*STORED, "email_key")} == {None}


@pytest.mark.rule("A04")
async def test_a_blank_text_clears_too(database: Database) -> None:
    kari = await a_customer(database, **STORED)
    now = await done(database, UPDATE, new_values(kari, email=" ", landlineNumber="", nationality="\t", vippsId=""))
    assert part(now, "email", "landlineNumber", "nationality", "vippsId") == dict.fromkeys(
        ["email", "landlineNumber", "nationality", "vippsId"]
    )


@pytest.mark.rule("A04")
async def test_every_field_takes_a_new_value(database: Database) -> None:
    kari = await a_customer(database)
    given = {**SHOWN, "dateOfBirth": "1984-02-29", "nationality": " nor", "languagePreferenceISO6393": "nno"}
    now = await done(database, UPDATE, new_values(kari, **given, status="PASSIVE"))
    assert part(now, *SHOWN) == SHOWN
    assert part(now, "status", "username", "version") == {"status": "PASSIVE", "username": None, "version": 2}
    assert (await stored(database, kari.customer_number)).email_key == "kari@example.no"


@pytest.mark.rule("C30")
async def test_a_needed_field_may_be_neither_blank_nor_null_nor_absent(database: Database) -> None:
    given = new_values(await a_customer(database))
    names = ("firstName", "surname", "changedBy", "changedByChannel")
    blank = await refused(database, UPDATE, {**given, **dict.fromkeys(names, "\n ")})
    assert blank == [("REQUIRED", name, []) for name in names]
    for name in (*names, "customerNumber"):
        assert name in await not_executed(database, UPDATE, {**given, name: None})
        assert name in await not_executed(database, UPDATE, {key: given[key] for key in given if key != name})
    await not_executed(database, UPDATE, {**given, "status": None})


@pytest.mark.rule("C34")
async def test_keys_and_profile_type_cannot_be_sent(database: Database) -> None:
    given = new_values(await a_customer(database))
    for name, value in {"organisationId": 2, "uuid": "x", "customerRef": "x", "profileType": "STANDARD"}.items():
        assert name in await not_executed(database, UPDATE, {**given, name: value})


@pytest.mark.rule("C33")
async def test_a_customer_account_is_accepted_and_ignored(database: Database) -> None:
    kari = await a_customer(database, customer_account_id="abt-1")
    for account in ("abt-2", None, "x" * 1000):
        now = await done(database, UPDATE, new_values(kari, customerAccountId=account))
        assert now["customerAccountId"] == "abt-1"


# Formats


@pytest.mark.rule("C12")
@pytest.mark.rule("H5")
async def test_no_text_can_do_harm(database: Database) -> None:
    given = new_values(await a_customer(database, **STORED))
    for text, code in HOSTILE:
        for field in ("firstName", "changedBy", "changedByChannel", "email", "nationality", "vippsId"):
            assert await refused(database, UPDATE, {**given, field: text}) == [(code, field, [])]


@pytest.mark.rule("C14")
async def test_all_problems_are_told_at_once(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    freeze(monkeypatch)
    kari = await a_customer(database, date_of_death=date(2020, 1, 1))
    wrong = {
        "surname": "",
        "email": "kari",
        "telephoneNumber": "x",
        "nationality": "NO",
        "languagePreferenceISO6393": "NO",
        "dateOfBirth": "2020-01-02",
        "expirationDate": "2026-06-30",
        "changedBy": "x" * 101,
        "postalAddresses": [{**HOME, "postCode": "1"}],
    }
    assert sorted(await refused(database, UPDATE, new_values(kari, **wrong))) == sorted(
        [
            ("REQUIRED", "surname", []),
            ("EMAIL_INVALID", "email", ["kari"]),
            ("PHONE_NUMBER_INVALID", "telephoneNumber", ["x"]),
            ("COUNTRY_CODE_INVALID", "nationality", ["NO"]),
            ("LANGUAGE_INVALID", "languagePreferenceISO6393", ["NO"]),
            ("DATE_INVALID", "dateOfBirth", ["2020-01-02"]),
            ("DATE_INVALID", "expirationDate", ["2026-06-30"]),
            ("TEXT_TOO_LONG", "changedBy", []),
            ("POST_CODE_INVALID", "postalAddresses.0.postCode", ["1"]),
        ]
    )
    await done(database, UPDATE, new_values(kari, dateOfBirth="2020-01-01"))


@pytest.mark.rule("C20")
@pytest.mark.rule("C21")
async def test_the_old_telephone_number_follows_the_pair(database: Database) -> None:
    names = ("countryCode", "telephoneNumberNoCountryCode", "telephoneNumber", "telephoneNumberVerifiedAt")
    kari = await a_customer(database, **STORED)

    async def after(**given: Any) -> tuple[Any, ...]:
        now = await done(database, UPDATE, new_values(kari, **given))
        return tuple(now[name] for name in names)

    seen = SHOWN["telephoneNumberVerifiedAt"]
    assert await after(telephoneNumber="+4791234567") == ("+47", "91234567", "+4791234567", seen)
    assert await after(countryCode="+47") == ("+47", "91234567", "+4791234567", seen)
    assert await after(telephoneNumberNoCountryCode="41234567") == ("+47", "41234567", "+4741234567", None)
    assert await after(countryCode="+45", telephoneNumberVerifiedAt=seen) == ("+45", "41234567", "+4541234567", seen)
    assert await after(telephoneNumber="02000") == (None, None, "02000", None)
    assert await after(countryCode=None, telephoneNumberNoCountryCode=None) == (None, None, "02000", None)
    both = {"countryCode": "+47", "telephoneNumberNoCountryCode": "91234567"}
    assert await after(**both, telephoneNumber="02000") == ("+47", "91234567", "+4791234567", None)
    assert await after(**dict.fromkeys(both)) == (None, None, None, None)
    await after(**both)
    assert await after(telephoneNumber=None) == (None, None, None, None)


@pytest.mark.rule("C20")
@pytest.mark.rule("C22")
async def test_half_a_telephone_number_is_refused(database: Database) -> None:
    whole, none = await a_customer(database, **STORED), await a_customer(database)
    for customer, given, error in (
        (whole, {"countryCode": None}, ("PHONE_NUMBER_INVALID", "countryCode", [])),
        (whole, {"telephoneNumberNoCountryCode": None}, ("PHONE_NUMBER_INVALID", "telephoneNumberNoCountryCode", [])),
        (none, {"countryCode": "+47"}, ("PHONE_NUMBER_INVALID", "telephoneNumberNoCountryCode", [])),
        (none, {"telephoneNumberNoCountryCode": "91234567"}, ("PHONE_NUMBER_INVALID", "countryCode", [])),
        (whole, {"countryCode": "47"}, ("PHONE_NUMBER_INVALID", "telephoneNumberNoCountryCode", ["47", "91234567"])),
    ):
        assert await refused(database, UPDATE, new_values(customer, **given)) == [error]


# Email


@pytest.mark.rule("C34")
async def test_an_email_of_another_customer_is_taken_but_not_ones_own(database: Database) -> None:
    await a_customer(database, email="ola@example.no")
    await a_customer(database, email="per@example.no", organisation_id=2)
    await a_customer(database, email="temporary@example.no", profile_type=ProfileType.TEMPORARY)
    await a_deleted_customer(database, email_old="deleted@example.no")
    kari = await a_customer(database, **STORED)
    for email in ("ola@example.no", " OLA@example.no"):
        assert await refused(database, UPDATE, new_values(kari, email=email)) == [("EMAIL_TAKEN", "email", [email])]
    for email in ("KARI@example.no", "per@example.no", "temporary@example.no", "deleted@example.no"):
        assert (await done(database, UPDATE, new_values(kari, email=email)))["email"] == email


async def test_whether_an_email_is_taken_is_told_only_for_a_change_that_is_otherwise_carried_out(
    database: Database,
) -> None:
    """Else it could be tried for any number of emails, and none of the tries would leave a trace."""
    await a_customer(database, email="ola@example.no")
    kari = await a_customer(database, **STORED)
    for email in ("ola@example.no", "free@example.no"):
        given = new_values(kari, email=email, postalAddresses=[{**HOME, "id": "999999"}])
        assert await refused(database, UPDATE, given) == [
            ("POSTAL_ADDRESS_NOT_FOUND", "postalAddresses.0.id", ["999999"])
        ]


@pytest.mark.rule("A01")
async def test_a_temporary_customer_may_get_an_email_that_is_taken(database: Database) -> None:
    await a_customer(database, email="ola@example.no")
    kari = await a_customer(database, profile_type=ProfileType.TEMPORARY)
    assert (await done(database, UPDATE, new_values(kari, email="ola@example.no")))["email"] == "ola@example.no"


async def test_a_new_email_is_not_verified_unless_that_is_said(database: Database) -> None:
    kari = await a_customer(database, **STORED)

    async def verified(**given: Any) -> Any:
        return (await done(database, UPDATE, new_values(kari, **given)))["emailVerifiedAt"]

    assert await verified(email="kari@example.no") == SHOWN["emailVerifiedAt"]
    assert await verified(email="new@example.no") is None
    moment = "2026-03-01T08:00:00.000Z"
    assert await verified(email="newer@example.no", emailVerifiedAt=moment) == moment
    assert await verified(email=None) is None


# Versions, traces, events


@pytest.mark.rule("C11")
@pytest.mark.rule("C32")
@pytest.mark.rule("V02")
async def test_an_update_says_who_and_when_and_posts_one_event(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    freeze(monkeypatch)
    kari = await a_customer(database)
    context = Context(database, VIEWER, correlation_id="corr-1", client_name="shop")
    given = new_values(kari, postalAddresses=[HOME, HOME])
    await schema.execute(UPDATE, variable_values={"input": given}, context_value=context)
    assert await events(database) == [("UPDATE", kari.customer_number, 1, NOW, "corr-1")]
    row = await stored(database, kari.customer_number)
    assert (row.changed_by, row.changed_by_channel, row.changed_at) == ("per", "web", NOW)
    assert (row.created_by, row.created_by_channel, row.created_at) == ("web", "web", MOMENT)


async def test_the_version_grows_by_exactly_one(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    freeze(monkeypatch)  # within one millisecond, with nothing else changed
    kari = await a_customer(database)
    home = await an_address(database, kari)
    for version, addresses in enumerate([[], [], [HOME], [{**HOME, "id": str(home.id)}, HOME, HOME]], start=2):
        given = new_values(kari, expectedVersion=version - 1, postalAddresses=addresses)
        assert (await done(database, UPDATE, given))["version"] == version
    assert len(await events(database)) == 4


async def test_another_version_is_a_conflict_and_shows_the_current_values(database: Database) -> None:
    kari = await a_customer(database, **STORED, version=3)
    before = await everything(database)
    for version in (2, 4, 0, -1, 2**31 - 1):
        given = new_values(kari, expectedVersion=version, email="new@example.no", surname="Ny")
        payload, errors = await answered(database, UPDATE, given)
        assert errors == [("VERSION_CONFLICT", "expectedVersion", [str(version)])]
        assert part(payload["customer"], *SHOWN, "version", "surname") == {**SHOWN, "version": 3, "surname": "Nordmann"}
    assert await everything(database) == before
    assert (await done(database, UPDATE, new_values(kari, expectedVersion=3)))["version"] == 4


async def test_an_update_that_fails_half_way_leaves_nothing(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise RuntimeError("power cut")

    kari = await a_customer(database)
    monkeypatch.setattr(writes, "save_addresses", fail)
    assert await not_executed(database, UPDATE, new_values(kari, email="kari@example.no")) == "power cut"


# Which customer


@pytest.mark.rule("C01")
@pytest.mark.rule("T04")
async def test_only_customers_of_ones_own_organisation_are_found(database: Database) -> None:
    kari = await a_customer(database)
    number = str(kari.customer_number)
    unknown = ("CUSTOMER_NOT_FOUND", "customerNumber", [number])
    assert await refused(database, UPDATE, new_values(kari), FOREIGNER) == [unknown]
    for other in (0, -1, 2**63 - 1):
        given = {**new_values(kari), "customerNumber": other}
        assert await refused(database, UPDATE, given) == [("CUSTOMER_NOT_FOUND", "customerNumber", [str(other)])]
    assert "Long" in await not_executed(database, UPDATE, {**new_values(kari), "customerNumber": 2**63})
    assert (await done(database, UPDATE, new_values(kari), INTERNAL))["version"] == 2


@pytest.mark.rule("C40")
async def test_a_merged_customer_is_not_changed(database: Database) -> None:
    gone = await a_merged_customer(database, await a_customer(database))
    error = ("CUSTOMER_MERGED", "customerNumber", [str(gone.customer_number)])
    assert await refused(database, UPDATE, new_values(gone, expectedVersion=7)) == [error]


@pytest.mark.rule("C35")
async def test_a_deleted_customer_is_not_changed(database: Database) -> None:
    gone = await a_deleted_customer(database)
    error = ("CUSTOMER_DELETED", "customerNumber", [str(gone.customer_number)])
    assert await refused(database, UPDATE, new_values(gone)) == [error]
    assert await refused(database, UPDATE, new_values(gone, status="DELETED", expirationDate="2099-01-01")) == [error]


# Status


@pytest.mark.rule("C35")
@pytest.mark.rule("C50")
@pytest.mark.rule("C51")
@pytest.mark.rule("C52")
async def test_status_deleted_acts_as_deactivate(database: Database) -> None:
    kari = await a_customer(database, email="kari@example.no", status=CustomerStatus.PASSIVE)
    given = new_values(kari, status="DELETED", email="new@example.no")
    assert await refused(database, UPDATE, given) == [("REQUIRED", "expirationDate", [])]
    now = await done(database, UPDATE, {**given, "expirationDate": "2099-01-01"})
    assert part(now, "status", "email", "emailOld", "username", "expirationDate", "version") == {
        "status": "DELETED",
        "email": None,
        "emailOld": "new@example.no",
        "username": None,
        "expirationDate": "2099-01-01",
        "version": 2,
    }
    row = await stored(database, kari.customer_number)
    assert (row.email_key, row.status_before_deletion) == (None, CustomerStatus.PASSIVE)


@pytest.mark.rule("C35")
async def test_status_deleted_takes_the_stored_expiration_date(database: Database) -> None:
    kari = await a_customer(database, expiration_date=date(2099, 12, 31))
    assert (await done(database, UPDATE, new_values(kari, status="DELETED")))["expirationDate"] == "2099-12-31"
    ola = await a_customer(database, expiration_date=date(2099, 12, 31))
    given = new_values(ola, status="DELETED", expirationDate=None)
    assert await refused(database, UPDATE, given) == [("REQUIRED", "expirationDate", [])]


@pytest.mark.rule("C35")
@pytest.mark.rule("C57")
@pytest.mark.parametrize("status", ["ACTIVE", "PASSIVE"])
async def test_another_status_acts_as_restore(database: Database, status: str) -> None:
    gone = await a_deleted_customer(database, email_old="kari@example.no")
    now = await done(database, UPDATE, new_values(gone, status=status))
    username = "kari@example.no" if status == "ACTIVE" else None
    assert part(now, "status", "email", "emailOld", "username", "expirationDate", "version") == {
        "status": status,
        "email": "kari@example.no",
        "emailOld": None,
        "username": username,
        "expirationDate": None,
        "version": 2,
    }
    row = await stored(database, gone.customer_number)
    assert (row.email_key, row.status_before_deletion) == ("kari@example.no", None)


@pytest.mark.rule("C35")
@pytest.mark.rule("C56")
async def test_a_customer_whose_email_was_taken_comes_back_with_another(database: Database) -> None:
    gone = await a_deleted_customer(database, email_old="kari@example.no", email_verified_at=SEEN)
    await a_customer(database, email="KARI@example.no")
    given = new_values(gone, status="ACTIVE")
    assert await refused(database, UPDATE, given) == [("EMAIL_TAKEN", "", [])]
    now = await done(database, UPDATE, {**given, "email": "new@example.no", "expirationDate": "2099-01-01"})
    assert part(now, "email", "emailOld", "emailVerifiedAt", "expirationDate") == {
        "email": "new@example.no",
        "emailOld": None,
        "emailVerifiedAt": None,
        "expirationDate": "2099-01-01",
    }


# Addresses


@pytest.mark.rule("C31")
async def test_addresses_are_changed_by_id_added_without_and_kept_if_not_named(database: Database) -> None:
    kari = await a_customer(database)
    kept, cleared, moved = [await an_address(database, kari, address_line2="c/o Ola", verified_at=SEEN) for _ in "123"]
    sweden = {"typeOfAddress": "INVOICE", "postCode": "11122", "town": "Stockholm", "countryCode": "SWE"}
    given = [
        {**HOME, "addressLine1": "Ny gate 2"},
        {**HOME, "id": str(cleared.id), "addressLine1": None, "verifiedAt": None},
        {**sweden, "id": str(moved.id), "countryCode": "swe"},
    ]
    before = (await everything(database))["postal_address"][0]
    now = await done(database, UPDATE, new_values(kari, postalAddresses=given))
    home = {**HOME, "addressLine1": "Storgata 1", "addressLine2": "c/o Ola", "verifiedAt": SHOWN["emailVerifiedAt"]}
    new = {"addressLine1": "Ny gate 2", "addressLine2": None, "verifiedAt": None, "version": 1}
    assert [{**address, "id": int(address["id"])} for address in now["postalAddresses"]] == [
        {**home, "id": kept.id, "version": 1},
        {**home, "id": cleared.id, "version": 2, "addressLine1": None, "verifiedAt": None},
        {**home, "id": moved.id, "version": 2, **sweden},
        {**HOME, "id": moved.id + 1, **new},
    ]
    assert (await everything(database))["postal_address"][0] == before


@pytest.mark.rule("C31")
async def test_unknown_addresses_are_all_named_and_nothing_is_changed(database: Database) -> None:
    kari, ola = await a_customer(database), await a_customer(database)
    mine, his = await an_address(database, kari), await an_address(database, ola)
    ids = [str(mine.id), str(his.id), "0", "-1", "x", "", " 1", "1.0", "१", "9" * 18, "9" * 19, "9" * 10_000]
    given = [{**HOME, "id": each, "town": "Bergen"} for each in [*ids, "\ud800"]]
    assert await refused(database, UPDATE, new_values(kari, postalAddresses=[HOME, *given])) == [
        *(("POSTAL_ADDRESS_NOT_FOUND", f"postalAddresses.{n}.id", [ids[n - 1][:200]]) for n in range(2, 13)),
        ("POSTAL_ADDRESS_NOT_FOUND", "postalAddresses.13.id", []),
    ]


@pytest.mark.rule("C31")
async def test_a_customer_gets_no_51st_address(database: Database) -> None:
    kari = await a_customer(database)
    home = await an_address(database, kari)
    known = {**HOME, "id": str(home.id)}
    error: Error = ("TOO_MANY_POSTAL_ADDRESSES", "postalAddresses", [])
    assert await refused(database, UPDATE, new_values(kari, postalAddresses=[known, *[HOME] * 50])) == [error]
    now = await done(database, UPDATE, new_values(kari, postalAddresses=[known, *[HOME] * 49]))
    assert len(now["postalAddresses"]) == 50
    assert await refused(database, UPDATE, new_values(kari, postalAddresses=[HOME])) == [error]
    await done(database, UPDATE, new_values(kari, postalAddresses=[known]))
