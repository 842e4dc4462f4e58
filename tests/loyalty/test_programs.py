"""createLoyaltyProgram and setLoyaltyProgramDescription (rules L01 to L07, F08 and F09)."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select

from datastore.audit import AuditLogEntry
from datastore.base import rfc3339
from datastore.database import Database
from datastore.loyalty.program import LoyaltyProgram, LoyaltyProgramDescription
from tests.customer.mutations import (
    HOSTILE,
    Values,
    answered,
    document,
    done,
    errors_of,
    freeze,
    not_executed,
    refused,
    unchanged,
)
from tests.execute import FOREIGNER, INTERNAL
from tests.factories.loyalty import DAY, a_description, a_points_program, a_program, now

CONFIG = "defaultQuantity loyaltyProgramId defaultStartTime usageValidityPeriod"
FIELDS = f"""
    loyaltyProgramId versionNumber versions {{ versionNumber }} status loyaltyProgramType organisationId productId
    productVersion startDate endDate internalDescription loyaltyProgramCode usageValidityPeriod
    couponConfig {{ {CONFIG} }} defaultCouponsLimit createdAt createdBy
"""
CREATE = document("createLoyaltyProgram", f"loyaltyProgram {{ {FIELDS} }}")
DESCRIBED = "languageCode displayName description version createdAt createdBy lastChangedAt lastChangedBy"
DESCRIBE = document("setLoyaltyProgramDescription", f"loyaltyProgramDescription {{ {DESCRIBED} }}")
END = "2040-01-01T00:00:00.000Z"
LEAST = {
    "loyaltyProgramType": "TIMED",
    "productId": "ENT:EntitlementProduct:levelA1",
    "productVersion": "NSB:Version:V1",
    "internalDescription": "For the whole country.",
    "endDate": END,
}
"""The least that createLoyaltyProgram takes."""


async def rows(database: Database, row: Any) -> list[Any]:
    """All rows of a class, by key."""
    return list(await database.fetch(select(row.__table__).order_by(*row.__table__.primary_key)))


async def coupons(database: Database, **config: Any) -> Values:
    """The least that it takes for a program of coupons."""
    if "loyaltyProgramId" not in config:
        config["loyaltyProgramId"] = (await a_program(database)).id
    return {**LEAST, "loyaltyProgramType": "COUPONS", "couponConfig": {"defaultQuantity": 10, **config}}


# Creating


@pytest.mark.rule("L01")
@pytest.mark.rule("L02")
@pytest.mark.rule("L03")
async def test_a_timed_program_starts_now_and_is_unlimited(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    moment = now()
    freeze(monkeypatch, moment)
    made = await done(database, CREATE, LEAST)
    (row,) = await rows(database, LoyaltyProgram)
    assert row.id == row.loyalty_program_id
    assert made == {
        "loyaltyProgramId": row.id,
        "versionNumber": 1,
        "versions": [{"versionNumber": 1}],
        "status": "CURRENT",
        "loyaltyProgramType": "TIMED",
        "organisationId": 1,
        "productId": "ENT:EntitlementProduct:levelA1",
        "productVersion": "NSB:Version:V1",
        "startDate": rfc3339(moment),
        "endDate": END,
        "internalDescription": "For the whole country.",
        "loyaltyProgramCode": None,
        "usageValidityPeriod": None,
        "couponConfig": None,
        "defaultCouponsLimit": None,
        "createdAt": rfc3339(moment),
        "createdBy": row.created_by,
    }


@pytest.mark.rule("L02")
async def test_a_program_that_starts_later_is_a_draft(database: Database) -> None:
    start = rfc3339(now() + DAY)
    made = await done(database, CREATE, {**LEAST, "startDate": start})
    assert (made["status"], made["startDate"]) == ("DRAFT", start)


@pytest.mark.rule("L02")
async def test_a_program_that_is_over_is_deprecated(database: Database) -> None:
    dates = {"startDate": "2020-01-01T00:00:00Z", "endDate": "2021-01-01T00:00:00Z"}
    assert (await done(database, CREATE, {**LEAST, **dates}))["status"] == "DEPRECATED"


@pytest.mark.rule("L06")
@pytest.mark.rule("L07")
async def test_a_program_of_coupons_has_its_configuration(database: Database) -> None:
    day = await a_program(database)
    given = {"loyaltyProgramId": day.id, "defaultStartTime": "04:30", "usageValidityPeriod": "P1DT2H"}
    made = await done(database, CREATE, {**await coupons(database, **given), "loyaltyProgramCode": " Sommer26 "})
    assert made["couponConfig"] == {
        "defaultQuantity": 10,
        "loyaltyProgramId": day.id,
        "defaultStartTime": "04:30:00",
        "usageValidityPeriod": "P1DT2H",
    }
    assert (made["defaultCouponsLimit"], made["loyaltyProgramCode"]) == (10, "Sommer26")
    assert (await rows(database, LoyaltyProgram))[-1].code_key == "sommer26"


@pytest.mark.rule("L06")
async def test_of_a_configuration_only_quantity_and_program_are_needed(database: Database) -> None:
    day = await a_program(database)
    made = await done(database, CREATE, await coupons(database, loyaltyProgramId=day.id, defaultQuantity=10_000))
    config = {"loyaltyProgramId": day.id, "defaultStartTime": None, "usageValidityPeriod": None}
    assert made["couponConfig"] == {"defaultQuantity": 10_000, **config}
    for missing in ("defaultQuantity", "loyaltyProgramId"):
        config = {name: 1 for name in ("defaultQuantity", "loyaltyProgramId") if name != missing}
        assert missing in await not_executed(database, CREATE, {**LEAST, "couponConfig": config})


@pytest.mark.rule("L05")
@pytest.mark.rule("F09")
@pytest.mark.parametrize("kind", ["TIMED", "POINTS"])
@pytest.mark.parametrize("period", ["P1D", "P3DT12H30M5S", "PT90M"])
async def test_timed_and_points_programs_may_have_a_period(database: Database, kind: str, period: str) -> None:
    made = await done(database, CREATE, {**LEAST, "loyaltyProgramType": kind, "usageValidityPeriod": period})
    assert made["usageValidityPeriod"] == period


@pytest.mark.rule("L01")
async def test_an_unmapped_program_cannot_be_made(database: Database) -> None:
    errors = await refused(database, CREATE, {**LEAST, "loyaltyProgramType": "UNMAPPED"})
    assert errors == [("LOYALTY_PROGRAM_TYPE_NOT_ALLOWED", "loyaltyProgramType", ["UNMAPPED"])]


@pytest.mark.rule("L05")
@pytest.mark.rule("L06")
@pytest.mark.rule("F08")
@pytest.mark.rule("F09")
async def test_every_wrong_field_is_told(database: Database) -> None:
    day, points = await a_program(database), await a_points_program(database)
    foreign = await a_program(database, organisation_id=2)
    config = {"defaultQuantity": 1, "loyaltyProgramId": day.id}
    of_coupons = {"loyaltyProgramType": "COUPONS"}
    at, period = "couponConfig", "usageValidityPeriod"
    wrong: list[tuple[Values, tuple[str, str, list[str]]]] = [
        (of_coupons, ("COUPON_CONFIG_REQUIRED", at, [])),
        ({at: config}, ("COUPON_CONFIG_NOT_ALLOWED", at, [])),
        ({at: config, "loyaltyProgramType": "POINTS"}, ("COUPON_CONFIG_NOT_ALLOWED", at, [])),
        ({**of_coupons, at: config, period: "P1D"}, ("DURATION_NOT_ALLOWED", period, ["P1D"])),
        *(({period: each}, ("DURATION_INVALID", period, [each])) for each in ("P1M", "P1W", "P1Y", "P", "PT", "P0D")),
        ({"productId": "levelA1"}, ("NETEX_ID_INVALID", "productId", ["levelA1"])),
        ({"productId": " "}, ("REQUIRED", "productId", [])),
        ({"productVersion": "V1"}, ("NETEX_ID_INVALID", "productVersion", ["V1"])),
        ({"internalDescription": ""}, ("REQUIRED", "internalDescription", [])),
        ({"startDate": END}, ("DATES_REVERSED", "endDate", [END])),
        ({"startDate": "1850-01-01T00:00:00Z"}, ("VALUE_INVALID", "startDate", ["1850-01-01T00:00:00.000Z"])),
        ({"endDate": "9999-12-31T23:59:59Z"}, ("VALUE_INVALID", "endDate", ["9999-12-31T23:59:59.000Z"])),
        ({"loyaltyProgramCode": "ﬃ" * 60}, ("TEXT_TOO_LONG", "loyaltyProgramCode", [])),
        *(({"internalDescription": text}, (code, "internalDescription", [])) for text, code in HOSTILE),
        *(({"loyaltyProgramCode": text}, (code, "loyaltyProgramCode", [])) for text, code in HOSTILE),
        *(
            ({**of_coupons, at: {**config, name: value}}, (code, f"{at}.{name}", [str(value)]))
            for name, value, code in (
                ("defaultQuantity", 0, "COUPONS_INVALID"),
                ("defaultQuantity", 10_001, "COUPONS_INVALID"),
                ("loyaltyProgramId", 999_999, "LOYALTY_PROGRAM_NOT_FOUND"),
                ("loyaltyProgramId", foreign.id, "LOYALTY_PROGRAM_NOT_FOUND"),
                ("loyaltyProgramId", points.id, "LOYALTY_PROGRAM_TYPE_NOT_ALLOWED"),
                ("defaultStartTime", "24:00", "TIME_OF_DAY_INVALID"),
                (period, "P1M", "DURATION_INVALID"),
            )
        ),
    ]
    async with unchanged(database):
        for given, error in wrong:
            assert await errors_of(database, CREATE, {**LEAST, **given}) == [error], given


async def test_all_that_is_wrong_is_told_at_once(database: Database) -> None:
    config = {"defaultQuantity": 0, "loyaltyProgramId": 999}
    given = {**LEAST, "loyaltyProgramType": "COUPONS", "productId": "x", "startDate": END, "couponConfig": config}
    codes = ["NETEX_ID_INVALID", "DATES_REVERSED", "COUPONS_INVALID", "LOYALTY_PROGRAM_NOT_FOUND"]
    assert [code for code, *_ in await refused(database, CREATE, given)] == codes


@pytest.mark.rule("L03")
async def test_a_product_belongs_to_one_program_of_all_organisations(database: Database) -> None:
    await a_program(database, organisation_id=2, product_id=LEAST["productId"])
    errors = await refused(database, CREATE, LEAST)
    assert errors == [("PRODUCT_TAKEN", "productId", [LEAST["productId"]])]


@pytest.mark.rule("L07")
async def test_a_code_belongs_to_one_program_of_an_organisation_in_any_case(database: Database) -> None:
    await a_program(database, loyalty_program_code="STRASSE", code_key="strasse")
    given = {**LEAST, "loyaltyProgramCode": "Straße"}
    errors = await refused(database, CREATE, given)
    assert errors == [("LOYALTY_PROGRAM_CODE_TAKEN", "loyaltyProgramCode", ["Straße"])]
    made = await done(database, CREATE, given, FOREIGNER)
    assert (made["organisationId"], made["loyaltyProgramCode"]) == (2, "Straße")


@pytest.mark.rule("L03")
async def test_of_two_who_create_with_one_product_at_once_one_wins(database: Database) -> None:
    made = await asyncio.gather(*(answered(database, CREATE, LEAST) for _ in range(2)))
    errors = [errors for _, errors in made if errors]
    assert errors == [[("PRODUCT_TAKEN", "productId", [LEAST["productId"]])]]
    assert len(await rows(database, LoyaltyProgram)) == 1


@pytest.mark.rule("L07")
async def test_of_two_who_create_with_one_code_at_once_one_wins(database: Database) -> None:
    given = [
        {**LEAST, "productId": f"ENT:Product:{number}", "loyaltyProgramCode": code}
        for number, code in enumerate(("vår", "VÅR"))
    ]
    made = await asyncio.gather(*(answered(database, CREATE, each) for each in given))
    assert [error[:2] for _, errors in made for error in errors] == [
        ("LOYALTY_PROGRAM_CODE_TAKEN", "loyaltyProgramCode")
    ]


# Whose it is


@pytest.mark.rule("T04")
async def test_only_internal_callers_create_for_another_organisation(database: Database) -> None:
    given = {**LEAST, "organisationId": 2}
    assert await refused(database, CREATE, given) == [("ORGANISATION_NOT_ALLOWED", "organisationId", ["2"])]
    assert (await done(database, CREATE, given, INTERNAL))["organisationId"] == 2


@pytest.mark.rule("L06")
async def test_an_internal_caller_cannot_join_programs_of_two_organisations(database: Database) -> None:
    given = {**await coupons(database), "organisationId": 2}
    (error,) = await refused(database, CREATE, given, INTERNAL)
    assert error[:2] == ("LOYALTY_PROGRAM_NOT_FOUND", "couponConfig.loyaltyProgramId")


async def test_the_audit_log_tells_of_a_new_program(database: Database) -> None:
    await done(database, CREATE, await coupons(database))
    (entry,) = await rows(database, AuditLogEntry)
    changes = {each["object"]: each for each in entry.details["changes"]}
    assert set(changes) == {"LoyaltyProgram", "CouponConfig"}
    fields = {each["name"]: each["after"] for each in changes["LoyaltyProgram"]["fields"]}
    assert (entry.operation, changes["LoyaltyProgram"]["action"]) == ("createLoyaltyProgram", "CREATE")
    assert fields["loyalty_program_id"] == changes["LoyaltyProgram"]["id"]


# What it is called


@pytest.mark.rule("L07")
async def test_a_description_is_made_once_for_a_language_and_then_overwritten(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, moment = await a_program(database), datetime(2026, 6, 30, 22, 30, tzinfo=UTC)
    freeze(monkeypatch, moment)
    given = {"loyaltyProgramId": program.id, "languageCode": "nob", "description": "Ti turer.\r\nI et år."}
    made = await done(database, DESCRIBE, {**given, "displayName": " Klippekort ", "expectedVersion": 0})
    assert (made["languageCode"], made["displayName"], made["description"]) == (
        "NOB",
        "Klippekort",
        "Ti turer.\nI et år.",
    )
    assert (made["version"], made["createdAt"]) == (1, rfc3339(moment))
    freeze(monkeypatch, moment + DAY)
    made = await done(database, DESCRIBE, {**given, "description": "Ti.", "expectedVersion": 1})
    assert (made["displayName"], made["description"], made["version"]) == (None, "Ti.", 2)
    assert (made["createdAt"], made["lastChangedAt"]) == (rfc3339(moment), rfc3339(moment + DAY))
    await done(database, DESCRIBE, {**given, "languageCode": "ENG"})
    found = await rows(database, LoyaltyProgramDescription)
    assert [each.language_code for each in found] == ["NOB", "ENG"]


@pytest.mark.rule("L07")
async def test_a_wrong_description_is_refused(database: Database) -> None:
    program = await a_program(database)
    later = await a_program(database, loyalty_program_id=program.id, version_number=2)
    await a_description(database, program)
    least = {"loyaltyProgramId": program.id, "languageCode": "NOB", "description": "x"}
    wrong: list[tuple[Values, tuple[str, str, list[str]]]] = [
        ({"languageCode": "NO"}, ("LANGUAGE_INVALID", "languageCode", ["NO"])),
        ({"languageCode": "QQQ"}, ("LANGUAGE_INVALID", "languageCode", ["QQQ"])),
        ({"description": " \n "}, ("REQUIRED", "description", [])),
        ({"expectedVersion": 2}, ("VERSION_CONFLICT", "expectedVersion", ["2"])),
        ({"expectedVersion": 0}, ("VERSION_CONFLICT", "expectedVersion", ["0"])),
        ({"expectedVersion": 1, "languageCode": "ENG"}, ("VERSION_CONFLICT", "expectedVersion", ["1"])),
        ({"loyaltyProgramId": later.id}, ("LOYALTY_PROGRAM_NOT_FOUND", "loyaltyProgramId", [str(later.id)])),
        *(({"displayName": text}, (code, "displayName", [])) for text, code in HOSTILE),
        *(({"description": text}, (code, "description", [])) for text, code in HOSTILE),
    ]
    async with unchanged(database):
        for given, error in wrong:
            _, errors = await answered(database, DESCRIBE, {**least, **given})
            assert errors == [error], given


@pytest.mark.rule("T04")
async def test_a_foreign_program_is_as_good_as_none(database: Database) -> None:
    program = await a_program(database)
    given = {"loyaltyProgramId": program.id, "languageCode": "NOB", "description": "x"}
    errors = await refused(database, DESCRIBE, given, FOREIGNER)
    assert errors == [("LOYALTY_PROGRAM_NOT_FOUND", "loyaltyProgramId", [str(program.id)])]
    assert (await done(database, DESCRIBE, given, INTERNAL))["description"] == "x"


@pytest.mark.rule("L07")
async def test_two_who_describe_at_once_make_one_description(database: Database) -> None:
    program = await a_program(database)
    given = {"loyaltyProgramId": program.id, "languageCode": "NOB"}
    texts = ["a", "b", "c"]
    made = await asyncio.gather(*(done(database, DESCRIBE, {**given, "description": text}) for text in texts))
    assert sorted(each["version"] for each in made) == [1, 2, 3]
    assert len(await rows(database, LoyaltyProgramDescription)) == 1
