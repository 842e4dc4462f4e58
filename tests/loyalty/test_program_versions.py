"""publishLoyaltyProgramVersion (rules L02, L04 to L06)."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from datastore.audit import AuditLogEntry
from datastore.base import rfc3339
from datastore.changes import Unnoted, note_changes
from datastore.database import Database
from datastore.loyalty.contract import Contract
from datastore.loyalty.program import CouponConfig, LoyaltyProgram, LoyaltyProgramType
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
from tests.factories.loyalty import (
    DAY,
    YEAR,
    a_contract,
    a_coupon_program,
    a_points_program,
    a_program,
    now,
)
from tests.loyalty.test_programs import CONFIG, rows

FIELDS = f"""
    loyaltyProgramId versionNumber versions {{ versionNumber status }} status productId productVersion startDate endDate
    internalDescription loyaltyProgramCode usageValidityPeriod couponConfig {{ {CONFIG} }}
"""
PUBLISH = document("publishLoyaltyProgramVersion", f"loyaltyProgram {{ {FIELDS} }}")
MILLISECOND = timedelta(milliseconds=1)


async def ends(database: Database) -> list[Any]:
    """When the contracts end, by key."""
    return [each.ends_at for each in await rows(database, Contract)]


@pytest.mark.rule("L02")
async def test_what_is_absent_stays_and_the_version_takes_over_now(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = now()
    freeze(monkeypatch, moment)
    first = await a_program(database, usage_validity_period="P30D", loyalty_program_code="Vår", code_key="vår")
    made = await done(database, PUBLISH, {"loyaltyProgramId": first.id})
    assert made == {
        "loyaltyProgramId": first.id,
        "versionNumber": 2,
        "versions": [{"versionNumber": 1, "status": "DEPRECATED"}, {"versionNumber": 2, "status": "CURRENT"}],
        "status": "CURRENT",
        "productId": first.product_id,
        "productVersion": "ENT:Version:V1",
        "startDate": rfc3339(moment),
        "endDate": rfc3339(first.end_date),
        "internalDescription": "A program of tests.",
        "loyaltyProgramCode": "Vår",
        "usageValidityPeriod": "P30D",
        "couponConfig": None,
    }
    before, after = await rows(database, LoyaltyProgram)
    assert (before.superseded_at, before.version, after.superseded_at) == (moment, 2, None)
    same = ("loyalty_program_type", "organisation_id", "code_key")
    assert all(getattr(before, name) == getattr(after, name) for name in same)


@pytest.mark.rule("L02")
async def test_a_version_that_starts_later_is_a_draft_until_then(database: Database) -> None:
    first = await a_program(database)
    given = {"internalDescription": "New.", "productVersion": "ENT:Version:V2", "usageValidityPeriod": "PT1H"}
    start = rfc3339(now() + DAY)
    made = await done(database, PUBLISH, {"loyaltyProgramId": first.id, "startDate": start, **given})
    assert (made["status"], made["startDate"], {name: made[name] for name in given}) == ("DRAFT", start, given)
    assert [each["status"] for each in made["versions"]] == ["CURRENT", "DRAFT"]


@pytest.mark.rule("L05")
async def test_null_takes_the_limit_away(database: Database) -> None:
    first = await a_points_program(database, usage_validity_period="P30D")
    made = await done(database, PUBLISH, {"loyaltyProgramId": first.id, "usageValidityPeriod": None})
    assert made["usageValidityPeriod"] is None


@pytest.mark.rule("L06")
async def test_a_coupon_configuration_stays_or_is_given_whole(database: Database) -> None:
    first = await a_coupon_program(database, config_default_start_time="04:00:00")
    (config,) = await rows(database, CouponConfig)
    shown = {"loyaltyProgramId": config.loyalty_program_id, "defaultQuantity": 10}
    made = await done(database, PUBLISH, {"loyaltyProgramId": first.id})
    assert made["couponConfig"] == {**shown, "defaultStartTime": "04:00:00", "usageValidityPeriod": "P1D"}
    shown["defaultQuantity"] = 12
    made = await done(database, PUBLISH, {"loyaltyProgramId": first.id, "couponConfig": shown})
    assert made["couponConfig"] == {**shown, "defaultStartTime": None, "usageValidityPeriod": None}
    assert [each.default_quantity for each in await rows(database, CouponConfig)] == [10, 10, 12]


# The end


@pytest.mark.rule("L04")
@pytest.mark.rule("L12")
async def test_all_contracts_end_with_the_program_or_before(database: Database) -> None:
    program, other = await a_program(database), await a_program(database)
    moment = now()
    own = [None, moment + DAY, moment + 3 * YEAR, moment + 20 * YEAR]
    for each in own:
        await a_contract(database, program, expiration_date=each)
    await a_contract(database, other)
    given = {"loyaltyProgramId": program.id}
    for end in (moment + YEAR, moment + 30 * YEAR):
        await done(database, PUBLISH, {**given, "endDate": rfc3339(end)})
        assert await ends(database) == [*(min(each or end, end) for each in own), other.end_date]
    found = await rows(database, Contract)
    assert {(each.version, each.last_changed_at == each.created_at) for each in found} == {(1, True)}


@pytest.mark.rule("L04")
async def test_the_end_of_a_version_that_has_not_started_counts_at_once(database: Database) -> None:
    program = await a_program(database)
    await a_contract(database, program)
    start, end = now() + DAY, now() + 2 * DAY
    given = {"loyaltyProgramId": program.id, "startDate": rfc3339(start), "endDate": rfc3339(end)}
    await done(database, PUBLISH, given)
    assert await ends(database) == [end]


async def test_the_log_tells_of_both_versions_and_not_of_every_contract(database: Database) -> None:
    program = await a_coupon_program(database)
    await a_contract(database, program)
    await done(database, PUBLISH, {"loyaltyProgramId": program.id, "endDate": rfc3339(now() + YEAR)})
    (entry,) = await rows(database, AuditLogEntry)
    told = sorted((each["object"], each["action"]) for each in entry.details["changes"])
    assert told == [("CouponConfig", "CREATE"), ("LoyaltyProgram", "CREATE"), ("LoyaltyProgram", "UPDATE")]


async def test_a_statement_may_move_what_follows_from_other_columns_and_nothing_else(database: Database) -> None:
    table: Any = Contract.__table__
    async with database.write() as session:
        note_changes(session.sync_session)
        await session.execute(update(table).values(ends_at=now()))
        for more in ({"expiration_date": now()}, {"ends_at": now(), "external_ref": "x"}):
            with pytest.raises(Unnoted):
                await session.execute(update(table).values(**more))
        with pytest.raises(Unnoted):
            await session.execute(update(table), [{"ends_at": now()}])


# What is refused


@pytest.mark.rule("L02")
async def test_a_version_starts_after_the_one_before_not_in_the_past_and_before_the_end(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = now()
    freeze(monkeypatch, moment)
    program = await a_program(database, end_date=moment + YEAR)
    draft = await a_program(database, start_date=moment + DAY, end_date=moment + YEAR)
    over = await a_program(database, end_date=moment)
    later = rfc3339(moment + 2 * YEAR)
    for one, start in (
        (program, moment - MILLISECOND),
        (program, moment + YEAR + MILLISECOND),
        (draft, moment + DAY),
        (draft, moment),
        (over, moment),
    ):
        given = {"loyaltyProgramId": one.id, "startDate": rfc3339(start), "endDate": later}
        error = ("VERSION_START_INVALID", "startDate", [rfc3339(start)])
        assert await refused(database, PUBLISH, given) == [error]
    given = {"loyaltyProgramId": draft.id}
    assert await refused(database, PUBLISH, given) == [("VERSION_START_INVALID", "startDate", [])]
    for one, start in ((program, moment), (draft, moment + DAY + MILLISECOND)):
        await done(database, PUBLISH, {"loyaltyProgramId": one.id, "startDate": rfc3339(start)})
    last = {"loyaltyProgramId": program.id, "startDate": rfc3339(moment + YEAR), "endDate": later}
    assert (await done(database, PUBLISH, last))["versionNumber"] == 3


@pytest.mark.rule("L05")
@pytest.mark.rule("L06")
@pytest.mark.rule("F08")
@pytest.mark.rule("F09")
async def test_every_wrong_field_is_told(database: Database) -> None:
    timed, of_coupons = await a_program(database), await a_coupon_program(database)
    config = {"defaultQuantity": 1, "loyaltyProgramId": timed.id}
    start = rfc3339(now() + DAY)
    at, period = "couponConfig", "usageValidityPeriod"
    wrong: list[tuple[LoyaltyProgram, Values, tuple[str, str, list[str]]]] = [
        (timed, {"endDate": start, "startDate": start}, ("DATES_REVERSED", "endDate", [start])),
        (timed, {"productVersion": "V2"}, ("NETEX_ID_INVALID", "productVersion", ["V2"])),
        (timed, {"internalDescription": " "}, ("REQUIRED", "internalDescription", [])),
        (timed, {period: "P1M"}, ("DURATION_INVALID", period, ["P1M"])),
        (timed, {at: config}, ("COUPON_CONFIG_NOT_ALLOWED", at, [])),
        (of_coupons, {period: "P1D"}, ("DURATION_NOT_ALLOWED", period, ["P1D"])),
        (
            of_coupons,
            {at: {**config, "loyaltyProgramId": of_coupons.id}},
            ("LOYALTY_PROGRAM_TYPE_NOT_ALLOWED", f"{at}.loyaltyProgramId", [str(of_coupons.id)]),
        ),
        (of_coupons, {at: {**config, "defaultQuantity": 0}}, ("COUPONS_INVALID", f"{at}.defaultQuantity", ["0"])),
        *((timed, {"internalDescription": text}, (code, "internalDescription", [])) for text, code in HOSTILE),
    ]
    async with unchanged(database):
        for program, given, error in wrong:
            assert await errors_of(database, PUBLISH, {"loyaltyProgramId": program.id, **given}) == [error], given


@pytest.mark.rule("L01")
@pytest.mark.rule("L03")
async def test_what_belongs_to_the_program_cannot_be_published(database: Database) -> None:
    program = await a_program(database)
    for name, value in (("productId", "ENT:Product:x"), ("loyaltyProgramType", "POINTS"), ("loyaltyProgramCode", "x")):
        assert name in await not_executed(database, PUBLISH, {"loyaltyProgramId": program.id, name: value})


@pytest.mark.rule("L01")
async def test_an_old_program_that_nobody_has_classified_can_be_ended(database: Database) -> None:
    program = await a_program(database, LoyaltyProgramType.UNMAPPED)
    end = rfc3339(now() + DAY)
    assert (await done(database, PUBLISH, {"loyaltyProgramId": program.id, "endDate": end}))["endDate"] == end


@pytest.mark.rule("T04")
async def test_foreign_programs_and_keys_of_versions_are_as_good_as_none(database: Database) -> None:
    program = await a_program(database)
    await done(database, PUBLISH, {"loyaltyProgramId": program.id})
    version = (await rows(database, LoyaltyProgram))[-1].id
    for key, viewer in ((program.id, FOREIGNER), (version, INTERNAL), (999_999, INTERNAL)):
        errors = await refused(database, PUBLISH, {"loyaltyProgramId": key, "expectedVersion": 7}, viewer)
        assert errors == [("LOYALTY_PROGRAM_NOT_FOUND", "loyaltyProgramId", [str(key)])]
    assert (await done(database, PUBLISH, {"loyaltyProgramId": program.id}, INTERNAL))["versionNumber"] == 3


# Two at once


async def test_another_newest_version_than_expected_is_a_conflict_that_shows_it(database: Database) -> None:
    program = await a_program(database)
    given = {"loyaltyProgramId": program.id, "expectedVersion": 1}
    await done(database, PUBLISH, given)
    payload, errors = await answered(database, PUBLISH, given)
    assert errors == [("VERSION_CONFLICT", "expectedVersion", ["1"])]
    assert payload["loyaltyProgram"]["versionNumber"] == 2
    assert len(await rows(database, LoyaltyProgram)) == 2


@pytest.mark.rule("L02")
@pytest.mark.parametrize("expects", [True, False])
async def test_of_two_who_publish_at_once_one_wins(database: Database, expects: bool) -> None:
    program = await a_program(database)
    given: Values = {"loyaltyProgramId": program.id, "startDate": rfc3339(now() + DAY)}
    given |= {"expectedVersion": 1} if expects else {}
    made = await asyncio.gather(*(answered(database, PUBLISH, given) for _ in range(3)))
    errors = [error[0] for _, found in made for error in found]
    assert errors == ["VERSION_CONFLICT" if expects else "VERSION_START_INVALID"] * 2
    found = await rows(database, LoyaltyProgram)
    assert [each.version_number for each in found] == [1, 2]
    assert [each.superseded_at for each in found] == [found[1].start_date, None]


@pytest.mark.rule("L04")
async def test_contracts_that_are_made_while_a_version_is_published_end_with_it(database: Database) -> None:
    program, end = await a_program(database), rfc3339(now() + YEAR)
    given = {"loyaltyProgramId": program.id}
    create = document("createContract", "contract { uuid }")
    publish = done(database, PUBLISH, {**given, "endDate": end})
    await asyncio.gather(*(done(database, create, given) for _ in range(4)), publish, done(database, create, given))
    assert [rfc3339(each) for each in await ends(database)] == [end] * 5


async def test_a_repeat_with_an_idempotency_key_publishes_once(database: Database) -> None:
    program = await a_program(database)
    once = document(
        "publishLoyaltyProgramVersion", "loyaltyProgram { versionNumber }", ' @idempotent(key: "publish-1")'
    )
    for _ in range(2):
        assert await done(database, once, {"loyaltyProgramId": program.id}) == {"versionNumber": 2}
    assert len(await rows(database, LoyaltyProgram)) == 2
