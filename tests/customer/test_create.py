"""createCustomer (rules C01 to C17 and C20 to C22)."""

import re
import secrets
from typing import Any

import pytest
from argon2 import PasswordHasher
from graphql import GraphQLObjectType, GraphQLString, get_named_type

from datastore.customer import CustomerStatus, ProfileType
from datastore.database import Database
from datastore.viewer import Viewer
from resolvers.context import Context
from resolvers.customer import writes
from schema.root import schema
from tests.customer.mutations import (
    CREATE,
    HOME,
    HOSTILE,
    KARI,
    NOW,
    Values,
    done,
    events,
    everything,
    freeze,
    not_executed,
    refused,
    stored,
)
from tests.execute import FOREIGNER, INTERNAL, VIEWER
from tests.factories.customer import a_customer, a_deleted_customer

EMPTY = dict.fromkeys(
    [
        "username",
        "email",
        "emailOld",
        "emailVerifiedAt",
        "countryCode",
        "telephoneNumberNoCountryCode",
        "telephoneNumber",
        "telephoneNumberVerifiedAt",
        "landlineNumber",
        "dateOfBirth",
        "nationality",
        "vippsId",
        "customerAccountId",
        "expirationDate",
    ]
)
TEXTS = [
    name
    for name, field in schema._schema.type_map["CreateCustomerInput"].fields.items()  # type: ignore[attr-defined]
    if get_named_type(field.type) is GraphQLString
]


@pytest.mark.rule("C03")
@pytest.mark.rule("C04")
@pytest.mark.rule("C07")
@pytest.mark.rule("C08")
@pytest.mark.rule("C11")
async def test_a_new_customer_gets_every_default(database: Database) -> None:
    made = await done(database, CREATE, KARI)
    number = made["customerNumber"]
    assert 1_000_000_000 <= number <= 9_999_999_999
    assert re.fullmatch("[A-Za-z0-9]{32}", made["uuid"])
    assert made == {
        **EMPTY,
        **KARI,
        "customerNumber": number,
        "uuid": made["uuid"],
        "customerRef": str(number),
        "status": "ACTIVE",
        "profileType": "STANDARD",
        "version": 1,
        "languagePreferenceISO6393": "NOB",
        "languagePreference": "NO",
        "changedBy": "ola",
        "changedByChannel": "crm",
        "postalAddresses": [],
    }
    row = await stored(database, number)
    assert row.created_at == row.changed_at
    assert (row.password_hash, row.email_key, row.merged_into_id, row.parent_id) == (None, None, None, None)
    assert (row.surname_key, row.first_name_key) == ("nordmann", "kari")


async def test_a_new_customer_has_everything_that_was_given(database: Database) -> None:
    given = {
        **KARI,
        "firstName": "A\u030ase ",
        "surname": " Ærlig",
        "profileType": "PERSONNEL_TICKET",
        "customerRef": " ref-1 ",
        "email": " Kari@Example.NO ",
        "countryCode": "+46",
        "telephoneNumberNoCountryCode": "0701234567",
        "telephoneNumber": "22 22 22 22",
        "telephoneNumberVerifiedAt": "2026-01-31T13:00:00.5+01:00",
        "landlineNumber": "02 000",
        "dateOfBirth": "1984-02-29",
        "nationality": "swe",
        "languagePreferenceISO6393": "sme",
        "languagePreference": "SE",
        "expirationDate": "2099-12-31",
        "vippsId": "vipps-1",
        "customerAccountId": "abt-1",
        "postalAddresses": [HOME, {**HOME, "typeOfAddress": "INVOICE", "addressLine2": "c/o Ola", "id": "7"}],
    }
    made = await done(database, CREATE, given)
    homes = made.pop("postalAddresses")
    assert made == {
        **KARI,
        "customerNumber": made["customerNumber"],
        "uuid": made["uuid"],
        "firstName": "Åse",
        "surname": "Ærlig",
        "customerRef": "ref-1",
        "status": "ACTIVE",
        "profileType": "PERSONNEL_TICKET",
        "version": 1,
        "username": None,
        "email": "Kari@Example.NO",
        "emailOld": None,
        "emailVerifiedAt": None,
        "countryCode": "+46",
        "telephoneNumberNoCountryCode": "701234567",
        "telephoneNumber": "+46701234567",
        "telephoneNumberVerifiedAt": "2026-01-31T12:00:00.500Z",
        "landlineNumber": "02000",
        "dateOfBirth": {"year": 1984, "month": 2, "day": 29},
        "nationality": "SWE",
        "languagePreferenceISO6393": "SME",
        "languagePreference": "SE",
        "vippsId": "vipps-1",
        "customerAccountId": "abt-1",
        "expirationDate": "2099-12-31",
        "changedBy": "ola",
        "changedByChannel": "crm",
    }
    plain = {**HOME, "version": 1, "addressLine1": None, "addressLine2": None, "verifiedAt": None}
    assert [{**home, "id": None} for home in homes] == [
        {**plain, "id": None},
        {**plain, "id": None, "typeOfAddress": "INVOICE", "addressLine2": "c/o Ola"},
    ]
    assert (await stored(database, made["customerNumber"])).email_key == "kari@example.no"


@pytest.mark.rule("C10")
async def test_only_an_active_standard_customer_has_a_username(database: Database) -> None:
    made = await done(database, CREATE, {**KARI, "email": "Kari@example.no"})
    assert made["username"] == "Kari@example.no"


@pytest.mark.rule("C07")
async def test_a_blank_or_null_optional_field_counts_as_absent(database: Database) -> None:
    optional = {name: " " for name in TEXTS if name not in (*KARI, "customerRef", "password")}
    made = await done(database, CREATE, {**KARI, **optional})
    assert {name: made[name] for name in EMPTY} == EMPTY
    assert (made["languagePreferenceISO6393"], made["languagePreference"]) == ("NOB", "NO")
    made = await done(database, CREATE, {**KARI, **dict.fromkeys(optional), "customerRef": None, "password": None})
    assert made["customerRef"] == str(made["customerNumber"])
    assert made["languagePreferenceISO6393"] == "NOB"


# Who may, and what is told of it


@pytest.mark.rule("C01")
async def test_only_an_internal_caller_creates_in_another_organisation(database: Database) -> None:
    given = {**KARI, "organisationId": 2}
    assert await refused(database, CREATE, given) == [("ORGANISATION_NOT_ALLOWED", "organisationId", ["2"])]
    made = await done(database, CREATE, given, INTERNAL)
    assert made["organisationId"] == 2
    ((kind, number, organisation, *_),) = await events(database)
    assert (kind, number, organisation) == ("CREATE", made["customerNumber"], 2)


@pytest.mark.rule("C16")
@pytest.mark.rule("V01")
@pytest.mark.rule("V02")
async def test_a_create_posts_one_event_without_personal_data(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    freeze(monkeypatch)
    context = Context(database, VIEWER, correlation_id="corr-1")
    given = {**KARI, "email": "kari@example.no", "postalAddresses": [HOME, HOME]}
    result = await schema.execute(CREATE, variable_values={"input": given}, context_value=context)
    number = (result.data or {})["createCustomer"]["customer"]["customerNumber"]
    assert await events(database) == [("CREATE", number, 1, NOW, "corr-1")]
    row = await stored(database, number)
    assert (row.created_at, row.changed_at) == (NOW, NOW)


@pytest.mark.rule("C17")
async def test_a_password_is_kept_as_its_hash_only(database: Database) -> None:
    made = await done(database, CREATE, {**KARI, "password": " abcD123 ø"})
    row = await stored(database, made["customerNumber"])
    assert row.password_hash.startswith("$argon2id$")
    assert PasswordHasher().verify(row.password_hash, " abcD123 ø")
    assert "abcD123" not in str([await everything(database), made])
    types = [t for t in schema._schema.type_map.values() if isinstance(t, GraphQLObjectType)]
    answers = [t for t in types if t is not schema._schema.mutation_type and t.name[:2] != "__"]
    shown = [f"{t.name}.{field}" for t in answers for field in t.fields if "password" in field.lower()]
    assert shown == ["GeneratePasswordPayload.generatedPassword"]


@pytest.mark.rule("C17")
async def test_a_refused_password_is_not_quoted(database: Database) -> None:
    wrong = {"": "REQUIRED", "hunter2" * 29: "TEXT_TOO_LONG", "hunter2\x00": "TEXT_INVALID", "\ud800": "TEXT_INVALID"}
    for password, code in wrong.items():
        assert await refused(database, CREATE, {**KARI, "password": password}) == [(code, "password", [])]


@pytest.mark.rule("C17")
async def test_a_password_is_not_quoted_when_another_field_is_wrong(database: Database) -> None:
    given = {**KARI, "email": "kari", "password": "hunter2"}
    assert await refused(database, CREATE, given) == [("EMAIL_INVALID", "email", ["kari"])]


# Unique keys


@pytest.mark.rule("C05")
async def test_an_email_is_unique_whatever_its_case(database: Database) -> None:
    await a_customer(database, email="Kari@example.no")
    for email in ("kari@example.no", " KARI@Example.no"):
        assert await refused(database, CREATE, {**KARI, "email": email}) == [("EMAIL_TAKEN", "email", [email])]


@pytest.mark.rule("C05")
async def test_norwegian_letters_of_an_email_have_no_case_either(database: Database) -> None:
    await a_customer(database, email="bjørn.åse@example.no")
    given = {**KARI, "email": "BJØRN.A\u030aSE@example.no"}
    assert [code for code, *_ in await refused(database, CREATE, given)] == ["EMAIL_TAKEN"]


@pytest.mark.rule("A01")
async def test_the_email_of_a_customer_who_is_not_deleted_is_taken(database: Database) -> None:
    for profile_type in (ProfileType.STANDARD, ProfileType.PERSONNEL_TICKET):
        for status in (CustomerStatus.ACTIVE, CustomerStatus.PASSIVE):
            email = f"{profile_type.name}.{status.name}@example.no".replace("_", "").lower()
            await a_customer(database, email=email, profile_type=profile_type, status=status)
            for kind in ("STANDARD", "PERSONNEL_TICKET"):
                given = {**KARI, "email": email, "profileType": kind}
                assert await refused(database, CREATE, given) == [("EMAIL_TAKEN", "email", [email])]


@pytest.mark.rule("A01")
@pytest.mark.rule("C101")
async def test_temporary_customers_share_emails_and_need_an_expiration_date(database: Database) -> None:
    temporary = {**KARI, "profileType": "TEMPORARY", "email": "kari@example.no", "expirationDate": "2099-01-01"}
    for _ in range(2):
        made = await done(database, CREATE, temporary)
        assert (made["profileType"], made["email"], made["username"]) == ("TEMPORARY", "kari@example.no", None)
    await done(database, CREATE, {**KARI, "email": "kari@example.no"})
    await done(database, CREATE, temporary)
    without = {name: value for name, value in temporary.items() if name != "expirationDate"}
    assert await refused(database, CREATE, without) == [("REQUIRED", "expirationDate", [])]


@pytest.mark.rule("C06")
async def test_email_and_reference_may_be_those_of_another_organisation(database: Database) -> None:
    await a_customer(database, email="kari@example.no", customer_ref="ref-1", organisation_id=2)
    made = await done(database, CREATE, {**KARI, "email": "kari@example.no", "customerRef": "ref-1"})
    assert (made["email"], made["customerRef"]) == ("kari@example.no", "ref-1")


@pytest.mark.rule("C51")
async def test_the_email_of_a_deleted_customer_is_free(database: Database) -> None:
    await a_deleted_customer(database, email_old="kari@example.no")
    await done(database, CREATE, {**KARI, "email": "kari@example.no"})


@pytest.mark.rule("C04")
async def test_a_reference_is_unique_within_an_organisation(database: Database) -> None:
    await a_customer(database, customer_ref="ref-1")
    given = {**KARI, "customerRef": " ref-1"}
    assert await refused(database, CREATE, given) == [("CUSTOMER_REF_TAKEN", "customerRef", [" ref-1"])]
    assert (await done(database, CREATE, {**KARI, "customerRef": "REF-1"}))["customerRef"] == "REF-1"


@pytest.mark.rule("C04")
@pytest.mark.rule("C05")
async def test_both_keys_can_be_taken_at_once(database: Database) -> None:
    await a_customer(database, customer_ref="ref-1")
    await a_customer(database, email="kari@example.no")
    given = {**KARI, "customerRef": "ref-1", "email": "kari@example.no"}
    assert await refused(database, CREATE, given) == [
        ("EMAIL_TAKEN", "email", ["kari@example.no"]),
        ("CUSTOMER_REF_TAKEN", "customerRef", ["ref-1"]),
    ]


@pytest.mark.rule("C02")
@pytest.mark.rule("C04")
async def test_a_number_that_is_taken_or_is_a_reference_is_drawn_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await a_customer(database, customer_number=1_000_000_001, customer_ref="other", organisation_id=2)
    await a_customer(database, customer_number=1_000_000_002, customer_ref="1000000003")
    await a_customer(database, customer_number=1_000_000_005, customer_ref="1000000004", organisation_id=2)
    drawn = iter([1, 2, 3, 4])
    monkeypatch.setattr(secrets, "randbelow", lambda _: next(drawn))
    monkeypatch.setattr(secrets, "choice", lambda letters: letters[0])
    made = await done(database, CREATE, KARI)
    assert (made["customerNumber"], made["customerRef"]) == (1_000_000_004, "1000000004")


# Formats


@pytest.mark.rule("C12")
async def test_a_text_may_be_as_long_as_its_field_and_no_longer(database: Database) -> None:
    longest = {
        "firstName": "x" * 100,
        "surname": "x" * 100,
        "createdBy": "x" * 100,
        "createdByChannel": "x" * 100,
        "customerRef": "x" * 40,
        "email": "x" * 75 + "@x.no",
        "password": "x" * 200,
        "telephoneNumber": "1" * 20,
        "landlineNumber": "1" * 20,
        "languagePreference": "x" * 10,
        "vippsId": "x" * 100,
        "customerAccountId": "x" * 60,
    }
    made = await done(database, CREATE, {**KARI, **longest})
    assert {name: made.get(name, longest[name]) for name in longest} == longest
    longer = {name: text[0] + text for name, text in longest.items()}
    errors = await refused(database, CREATE, {**KARI, **longer})
    assert sorted(errors) == sorted(("TEXT_TOO_LONG", name, []) for name in longest)


@pytest.mark.rule("C12")
@pytest.mark.rule("H5")
async def test_no_text_can_do_harm(database: Database) -> None:
    assert len(TEXTS) == 16
    for text, code in HOSTILE:
        for field in TEXTS:
            assert await refused(database, CREATE, {**KARI, field: text}) == [(code, field, [])]


@pytest.mark.rule("C13")
@pytest.mark.rule("C14")
@pytest.mark.rule("C20")
@pytest.mark.rule("C53")
@pytest.mark.rule("H4")
async def test_a_wrong_value_is_refused_and_quoted(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    freeze(monkeypatch)
    for field, value, code in (
        ("email", "kari@", "EMAIL_INVALID"),
        ("nationality", "XXX", "COUNTRY_CODE_INVALID"),
        ("nationality", "NO", "COUNTRY_CODE_INVALID"),
        ("languagePreferenceISO6393", "xxx", "LANGUAGE_INVALID"),
        ("languagePreferenceISO6393", "NO", "LANGUAGE_INVALID"),
        ("telephoneNumber", "22-22", "PHONE_NUMBER_INVALID"),
        ("landlineNumber", "call me", "PHONE_NUMBER_INVALID"),
        ("dateOfBirth", "2026-07-02", "DATE_INVALID"),
        ("expirationDate", "2026-06-30", "DATE_INVALID"),
    ):
        assert await refused(database, CREATE, {**KARI, field: value}) == [(code, field, [value])]


@pytest.mark.rule("C14")
async def test_today_is_a_day_of_birth_and_of_erasure(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    freeze(monkeypatch)
    made = await done(database, CREATE, {**KARI, "dateOfBirth": "2026-07-01", "expirationDate": "2026-07-01"})
    assert made["dateOfBirth"] == {"year": 2026, "month": 7, "day": 1}


@pytest.mark.rule("C03")
async def test_a_needed_field_may_be_neither_blank_nor_null_nor_absent(database: Database) -> None:
    blank = {**KARI, **dict.fromkeys(("firstName", "surname", "createdBy", "createdByChannel"), " \n")}
    assert await refused(database, CREATE, {**blank, "customerRef": ""}) == [
        ("REQUIRED", "firstName", []),
        ("REQUIRED", "surname", []),
        ("REQUIRED", "createdBy", []),
        ("REQUIRED", "createdByChannel", []),
        ("REQUIRED", "customerRef", []),
    ]
    for name in KARI:
        assert name in await not_executed(database, CREATE, {**KARI, name: None})
        assert name in await not_executed(database, CREATE, {key: KARI[key] for key in KARI if key != name})


async def test_a_number_over_64_bits_and_an_unknown_field_are_refused(database: Database) -> None:
    for wrong in ({"organisationId": 2**63}, {"organisationId": 1.5}, {"status": "ACTIVE"}, {"uuid": "x"}):
        assert next(iter(wrong)) in await not_executed(database, CREATE, {**KARI, **wrong})
    given = {**KARI, "organisationId": -(2**63)}
    assert [code for code, *_ in await refused(database, CREATE, given)] == ["ORGANISATION_NOT_ALLOWED"]


async def test_all_problems_are_told_at_once(database: Database) -> None:
    given = {
        **KARI,
        "firstName": " ",
        "profileType": "TEMPORARY",
        "email": "kari",
        "password": "",
        "countryCode": "47",
        "telephoneNumberNoCountryCode": "91234567",
        "landlineNumber": "x",
        "dateOfBirth": "2999-01-01",
        "postalAddresses": [
            HOME,
            {**HOME, "postCode": "155", "town": "", "countryCode": "NOR"},
            {**HOME, "countryCode": "NO", "addressLine1": "x" * 101},
        ],
    }
    assert sorted(await refused(database, CREATE, given)) == sorted(
        [
            ("REQUIRED", "firstName", []),
            ("EMAIL_INVALID", "email", ["kari"]),
            ("PHONE_NUMBER_INVALID", "telephoneNumberNoCountryCode", ["47", "91234567"]),
            ("PHONE_NUMBER_INVALID", "landlineNumber", ["x"]),
            ("DATE_INVALID", "dateOfBirth", ["2999-01-01"]),
            ("REQUIRED", "expirationDate", []),
            ("REQUIRED", "password", []),
            ("REQUIRED", "postalAddresses.1.town", []),
            ("POST_CODE_INVALID", "postalAddresses.1.postCode", ["155"]),
            ("COUNTRY_CODE_INVALID", "postalAddresses.2.countryCode", ["NO"]),
            ("TEXT_TOO_LONG", "postalAddresses.2.addressLine1", []),
        ]
    )


@pytest.mark.rule("C20")
@pytest.mark.rule("C21")
@pytest.mark.rule("C22")
async def test_a_telephone_number_is_a_pair_that_wins_over_the_old_field(database: Database) -> None:
    def numbers(*values: str | None) -> Values:
        return dict(zip(("countryCode", "telephoneNumberNoCountryCode", "telephoneNumber"), values, strict=True))

    for given, shown in (
        (numbers("+47", "91234567", None), numbers("+47", "91234567", "+4791234567")),
        (numbers("+47", "91234567", "22222222"), numbers("+47", "91234567", "+4791234567")),
        (numbers(None, None, "+47 22 22 22 22"), numbers(None, None, "+4722222222")),
    ):
        made = await done(database, CREATE, {**KARI, **given})
        assert {name: made[name] for name in shown} == shown
    for code, number, error in (
        ("47", "91234567", ("PHONE_NUMBER_INVALID", "telephoneNumberNoCountryCode", ["47", "91234567"])),
        ("+47", "9123456", ("PHONE_NUMBER_INVALID", "telephoneNumberNoCountryCode", ["+47", "9123456"])),
        ("+999", "9123456", ("PHONE_NUMBER_INVALID", "telephoneNumberNoCountryCode", ["+999", "9123456"])),
        ("+47", None, ("PHONE_NUMBER_INVALID", "telephoneNumberNoCountryCode", [])),
        (None, "91234567", ("PHONE_NUMBER_INVALID", "countryCode", [])),
        ("+1234", "91234567", ("TEXT_TOO_LONG", "countryCode", [])),
        ("+47", "9" * 16, ("TEXT_TOO_LONG", "telephoneNumberNoCountryCode", [])),
    ):
        assert await refused(database, CREATE, {**KARI, **numbers(code, number, None)}) == [error]


@pytest.mark.rule("C31")
async def test_a_new_customer_has_at_most_50_addresses(database: Database) -> None:
    made = await done(database, CREATE, {**KARI, "postalAddresses": [HOME] * 50})
    assert len(made["postalAddresses"]) == 50
    given = {**KARI, "postalAddresses": [{**HOME, "id": "1"}] * 51}
    assert await refused(database, CREATE, given) == [("TOO_MANY_POSTAL_ADDRESSES", "postalAddresses", [])]


@pytest.mark.rule("C16")
async def test_a_create_that_fails_half_way_leaves_nothing(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> None:
        raise RuntimeError("power cut")

    monkeypatch.setattr(writes, "save_addresses", fail)
    assert await not_executed(database, CREATE, {**KARI, "postalAddresses": [HOME]}) == "power cut"


@pytest.mark.rule("C01")
async def test_no_other_organisation_reads_the_new_customer(database: Database) -> None:
    made = await done(database, CREATE, KARI)
    look_up = "query($n: Long!) { customer(by: {customerNumber: $n}) { surname } }"

    async def surname(viewer: Viewer) -> Any:
        variables = {"n": made["customerNumber"]}
        return (await schema.execute(look_up, variable_values=variables, context_value=Context(database, viewer))).data

    assert await surname(VIEWER) == {"customer": {"surname": "Nordmann"}}
    assert await surname(FOREIGNER) == {"customer": None}
