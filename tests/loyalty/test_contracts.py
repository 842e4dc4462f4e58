"""createContract, acceptContract and setContractStatus (rules L04, L10 to L13, L20, L21, L43 and L44)."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from datastore.database import Database
from datastore.loyalty.contract import PassengerCategory
from datastore.loyalty.program import LoyaltyProgramType
from resolvers.loyalty.contracts import category_of
from resolvers.oslo import later
from schema.permission import permission_table
from schema.root import schema
from tests.customer.mutations import (
    HOSTILE,
    Values,
    document,
    done,
    errors_of,
    events,
    everything,
    freeze,
    refused,
    unchanged,
)
from tests.execute import INTERNAL
from tests.factories.customer import a_customer, a_deleted_customer, a_merged_customer
from tests.factories.loyalty import (
    DAY,
    YEAR,
    a_coupon_program,
    a_points_program,
    a_program,
    now,
)
from tests.loyalty.contracts import (
    CREATE,
    UNNAMED,
    at,
    logged,
    stored,
)

NOON = datetime(2026, 3, 27, 11, 0, tzinfo=UTC)
"""Two days before the clock goes forward in Norway."""


async def created(database: Database, program: Any, **given: Any) -> Any:
    return await done(database, CREATE, {"loyaltyProgramId": program.loyalty_program_id, **given})


async def not_created(database: Database, program: Any, **given: Any) -> Any:
    return await errors_of(database, CREATE, {"loyaltyProgramId": program.loyalty_program_id, **given})


# Making contracts


@pytest.mark.rule("L11")
@pytest.mark.rule("L20")
@pytest.mark.rule("L44")
async def test_a_contract_is_made_with_its_holder_as_the_one_consumer(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = now()
    freeze(monkeypatch, moment)
    kari, program = await a_customer(database), await a_program(database)
    shown = await created(
        database, program, customerNumber=kari.customer_number, externalRef=" E-1 ", ticketOrderId="ORDER-1"
    )
    uuid = shown.pop("uuid")
    assert shown == {
        "status": "VALID",
        "version": 1,
        "organisationId": 1,
        "consumableFrom": at(moment),
        "expirationDate": None,
        "acceptanceDate": None,
        "externalRef": "E-1",
        "couponsLimit": None,
        "passengerCategory": "ADULT",
        "ticketOrderId": "ORDER-1",
        "createdBy": UNNAMED,
        "lastChangedBy": UNNAMED,
        "policies": [],
        "loyaltyProgram": {"loyaltyProgramId": program.id},
        "contractConsumers": [
            {
                "customerNumber": kari.customer_number,
                "customerRef": kari.customer_ref,
                "isContractHolder": True,
                "isBlocked": False,
                "createdBy": UNNAMED,
                "lastChangedBy": UNNAMED,
            }
        ],
    }
    row = await stored(database, uuid)
    assert (row.holder_id, row.ends_at, row.created_at) == (kari.id, program.end_date, moment)
    assert await events(database) == []


@pytest.mark.rule("L20")
async def test_a_contract_without_a_holder_has_no_consumer(database: Database) -> None:
    shown = await created(database, await a_program(database))
    assert shown["contractConsumers"] == []
    assert (await stored(database, shown["uuid"])).holder_id is None


@pytest.mark.rule("C40")
@pytest.mark.rule("L20")
async def test_the_holder_is_named_by_number_or_reference_and_may_have_been_merged(database: Database) -> None:
    program, kari = await a_program(database), await a_customer(database)
    merged = await a_merged_customer(database, kari, customer_ref="old-1")
    for named in ({"customerNumber": merged.customer_number}, {"customerRef": "old-1"}, {"customerRef": "1000000001"}):
        shown = await created(database, program, **named)
        assert (await stored(database, shown["uuid"])).holder_id == kari.id


@pytest.mark.rule("T04")
async def test_a_holder_who_is_deleted_foreign_or_unknown_is_not_found(database: Database) -> None:
    program, kari = await a_program(database), await a_customer(database)
    foreign = await a_customer(database, organisation_id=2, customer_ref="theirs")
    gone = await a_deleted_customer(database)
    async with unchanged(database):
        for number in (foreign.customer_number, gone.customer_number, 5):
            error = ("CUSTOMER_NOT_FOUND", "customerNumber", [str(number)])
            assert await not_created(database, program, customerNumber=number) == [error]
        error = ("CUSTOMER_NOT_FOUND", "customerRef", ["theirs"])
        assert await not_created(database, program, customerRef="theirs") == [error]
        both = {"customerNumber": kari.customer_number, "customerRef": kari.customer_ref}
        error = ("EXACTLY_ONE_NEEDED", "customerNumber", [str(kari.customer_number)])
        assert await not_created(database, program, **both) == [error]


@pytest.mark.rule("T04")
@pytest.mark.rule("L01")
@pytest.mark.rule("L02")
async def test_contracts_are_made_of_current_programs_of_the_organisation_only(database: Database) -> None:
    moment = now()
    draft = await a_program(database, start_date=moment + DAY)
    ended = await a_program(database, end_date=moment - DAY)
    old = await a_program(database, LoyaltyProgramType.UNMAPPED)
    foreign, mine = await a_program(database, organisation_id=2), await a_program(database)
    unknown = mine._replace(loyalty_program_id=99)  # type: ignore[attr-defined]
    async with unchanged(database):
        for program, code in (
            (draft, "LOYALTY_PROGRAM_NOT_CURRENT"),
            (ended, "LOYALTY_PROGRAM_NOT_CURRENT"),
            (old, "LOYALTY_PROGRAM_TYPE_NOT_ALLOWED"),
            (foreign, "LOYALTY_PROGRAM_NOT_FOUND"),
            (unknown, "LOYALTY_PROGRAM_NOT_FOUND"),
        ):
            error = (code, "loyaltyProgramId", [str(program.loyalty_program_id)])
            assert await not_created(database, program) == [error]
        late = mine.end_date
        error = ("LOYALTY_PROGRAM_NOT_CURRENT", "consumableFrom", [str(late)])
        assert await not_created(database, mine, consumableFrom=at(late)) == [error]
        error = ("ORGANISATION_NOT_ALLOWED", "organisationId", ["2"])
        assert await not_created(database, foreign, organisationId=2) == [error]


@pytest.mark.rule("T04")
async def test_internal_callers_make_contracts_for_other_organisations(database: Database) -> None:
    theirs, ola = await a_program(database, organisation_id=2), await a_customer(database, organisation_id=2)
    given = {"loyaltyProgramId": theirs.id, "customerNumber": ola.customer_number}
    for more in ({}, {"organisationId": 2}):
        shown = await done(database, CREATE, {**given, **more}, INTERNAL)
        assert shown["organisationId"] == 2
    error = ("LOYALTY_PROGRAM_NOT_FOUND", "loyaltyProgramId", [str(theirs.id)])
    assert await refused(database, CREATE, {**given, "organisationId": 1}, INTERNAL) == [error]


@pytest.mark.rule("L05")
@pytest.mark.rule("L12")
@pytest.mark.parametrize("kind", [LoyaltyProgramType.TIMED, LoyaltyProgramType.POINTS])
async def test_a_contract_expires_as_its_program_says_in_days_of_the_norwegian_calendar(
    database: Database, kind: LoyaltyProgramType
) -> None:
    program = await a_program(
        database,
        kind,
        usage_validity_period="P3DT2H",
        start_date=datetime(2020, 1, 1, tzinfo=UTC),
        end_date=datetime(2090, 1, 1, tzinfo=UTC),
    )
    shown = await created(database, program, consumableFrom=at(NOON))
    assert shown["expirationDate"] == "2026-03-30T12:00:00.000Z"  # an hour less than three days, and two hours more
    assert (await stored(database, shown["uuid"])).ends_at == datetime(2026, 3, 30, 12, tzinfo=UTC)
    said = await created(database, program, consumableFrom=at(NOON), expirationDate="2026-04-01T02:00:00+02:00")
    assert said["expirationDate"] == "2026-04-01T00:00:00.000Z"


def test_days_are_those_of_the_calendar_when_the_clock_changes() -> None:
    for before, days, after in (
        (datetime(2026, 3, 28, 11, tzinfo=UTC), 1, datetime(2026, 3, 29, 10, tzinfo=UTC)),
        (datetime(2026, 10, 24, 10, tzinfo=UTC), 1, datetime(2026, 10, 25, 11, tzinfo=UTC)),
        (datetime(2026, 3, 28, 1, 30, tzinfo=UTC), 1, datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),
        (datetime(2026, 10, 24, 0, 30, tzinfo=UTC), 1, datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        (datetime(2026, 3, 28, 11, tzinfo=UTC), 0, datetime(2026, 3, 28, 11, tzinfo=UTC)),
    ):
        assert later(before, days, timedelta(hours=1)) == after + timedelta(hours=1)
    for minutes in range(0, 180, 30):  # around the hour that there is twice
        moment = datetime(2026, 10, 25, 0, tzinfo=UTC) + timedelta(minutes=minutes)
        assert later(moment, 0, timedelta(minutes=30)) == moment + timedelta(minutes=30)


@pytest.mark.rule("L05")
@pytest.mark.rule("L13")
async def test_coupons_have_a_limit_and_no_expiration_of_their_own(database: Database) -> None:
    program = await a_coupon_program(database, 7)
    shown = await created(database, program)
    assert (shown["couponsLimit"], shown["expirationDate"]) == (7, None)
    assert (await created(database, program, couponsLimit=10_000))["couponsLimit"] == 10_000
    async with unchanged(database):
        for limit in (0, -1, 10_001, 2**31 - 1):
            error = ("COUPONS_INVALID", "couponsLimit", [str(limit)])
            assert await not_created(database, program, couponsLimit=limit) == [error]
    error = ("COUPON_CONFIG_NOT_ALLOWED", "couponsLimit", ["5"])
    assert await not_created(database, await a_program(database), couponsLimit=5) == [error]


@pytest.mark.rule("L13")
async def test_the_version_in_force_says_how_many_coupons_there_are(database: Database) -> None:
    moment = now()
    first = await a_coupon_program(database, 7, superseded_at=moment - DAY, start_date=moment - YEAR)
    later_versions: Values = {
        "loyalty_program_id": first.id,
        "product_id": first.product_id,
        "config_loyalty_program_id": (await a_program(database)).id,
    }
    await a_coupon_program(
        database, 8, version_number=2, start_date=moment - DAY, superseded_at=moment + DAY, **later_versions
    )
    end = moment + 2 * DAY
    await a_coupon_program(database, 9, version_number=3, start_date=moment + DAY, end_date=end, **later_versions)
    shown = await created(database, first)
    assert shown["couponsLimit"] == 8
    assert (await stored(database, shown["uuid"])).ends_at == end


@pytest.mark.rule("L04")
async def test_a_contract_ends_with_its_program_or_before(database: Database) -> None:
    moment = now()
    program = await a_points_program(database, end_date=moment + 10 * DAY)
    for expires, ends in ((None, moment + 10 * DAY), (moment + DAY, moment + DAY), (moment + YEAR, moment + 10 * DAY)):
        given = {} if expires is None else {"expirationDate": at(expires)}
        assert (await stored(database, (await created(database, program, **given))["uuid"])).ends_at == ends


@pytest.mark.rule("L11")
@pytest.mark.rule("H5")
async def test_impossible_values_are_refused(database: Database) -> None:
    program = await a_program(database)
    soon = now() + DAY
    async with unchanged(database):
        for expires in (soon, soon - DAY):
            given = {"consumableFrom": at(soon), "expirationDate": at(expires)}
            error = ("DATES_REVERSED", "expirationDate", [str(expires)])
            assert await not_created(database, program, **given) == [error]
        assert [each[:2] for each in await not_created(database, program, consumableFrom="0001-01-01T00:00:00Z")] == [
            ("VALUE_INVALID", "consumableFrom")
        ]
        assert [each[:2] for each in await not_created(database, program, expirationDate="9999-12-31T23:59:59Z")] == [
            ("VALUE_INVALID", "expirationDate")
        ]
        for value, code in HOSTILE:
            for field in ("externalRef", "ticketOrderId", "customerRef"):
                assert [each[:2] for each in await not_created(database, program, **{field: value})] == [(code, field)]
        for field, most in (("externalRef", 100), ("ticketOrderId", 60)):
            errors = await not_created(database, program, **{field: "x" * (most + 1)})
            assert [each[:2] for each in errors] == [("TEXT_TOO_LONG", field)]


@pytest.mark.rule("L43")
@pytest.mark.parametrize(
    ("born", "category"),
    [
        (date(2008, 7, 1), PassengerCategory.ADULT),
        (date(2008, 7, 2), PassengerCategory.CHILD),
        (date(2026, 7, 1), PassengerCategory.CHILD),
        (date(1959, 7, 1), PassengerCategory.SENIOR),
        (date(1959, 7, 2), PassengerCategory.ADULT),
        (date(2008, 2, 29), PassengerCategory.ADULT),
        (None, PassengerCategory.ADULT),
    ],
)
def test_the_kind_of_passenger_is_told_by_the_age(born: date | None, category: PassengerCategory) -> None:
    assert category_of(born, date(2026, 7, 1)) is category


@pytest.mark.rule("L43")
async def test_the_age_is_that_of_the_day_from_which_the_contract_can_be_used(database: Database) -> None:
    program = await a_program(database, start_date=datetime(2020, 1, 1, tzinfo=UTC))
    child = await a_customer(database, date_of_birth=date(2008, 7, 1))
    given = {"customerNumber": child.customer_number}
    before, at_once = "2026-06-30T21:59:59Z", "2026-06-30T22:00:00Z"
    assert (await created(database, program, **given, consumableFrom=before))["passengerCategory"] == "CHILD"
    assert (await created(database, program, **given, consumableFrom=at_once))["passengerCategory"] == "ADULT"
    said = await created(database, program, **given, consumableFrom=at_once, passengerCategory="STUDENT")
    assert said["passengerCategory"] == "STUDENT"


# Policies


@pytest.mark.rule("L21")
async def test_of_policies_only_the_keys_are_told(database: Database) -> None:
    secrets = {"EMAIL": "Kari@Example.no", "DATE_OF_BIRTH": "1990-12-31", "SURNAME": "Nordmannsen"}
    policies = [{"key": key, "value": value} for key, value in secrets.items()]
    shown = await created(database, await a_program(database), policies=policies)
    assert shown["policies"] == [{"key": key} for key in secrets]
    found = await everything(database)
    assert all(value.casefold() not in str(found).casefold() for value in secrets.values())
    assert {len(row[3]) for row in found["contract_policy"]} == {64}
    (entry,) = await logged(database)
    hidden = [
        field
        for change in entry.details["changes"]
        for field in change["fields"]
        if change["object"] == "Policy" and field["name"] == "value_hash"
    ]
    assert [(each["before"], each["after"]) for each in hidden] == [(None, "(hidden)")] * 3


@pytest.mark.rule("L21")
async def test_equal_values_of_two_contracts_have_different_hashes(database: Database) -> None:
    program = await a_program(database)
    for _ in range(2):
        await created(database, program, policies=[{"key": "SURNAME", "value": "Nordmann"}])
    found = (await everything(database))["contract_policy"]
    assert len({row[3] for row in found}) == 2


@pytest.mark.rule("L21")
@pytest.mark.rule("H5")
async def test_policies_are_refused_without_their_values(database: Database) -> None:
    program = await a_program(database)
    async with unchanged(database):
        for key, value, code in (
            ("EMAIL", "kari", "EMAIL_INVALID"),
            ("DATE_OF_BIRTH", "31.12.1990", "VALUE_INVALID"),
            ("DATE_OF_BIRTH", "1990-02-30", "VALUE_INVALID"),
            ("NATIONALITY", "Norge", "COUNTRY_CODE_INVALID"),
            ("TELEPHONE_NUMBER", "+4790000000", "PHONE_NUMBER_INVALID"),
            ("TELEPHONE_NUMBER", "9" * 16, "PHONE_NUMBER_INVALID"),
            ("SURNAME", " ", "REQUIRED"),
            ("TELEPHONE_NUMBER", " ", "REQUIRED"),
            ("CUSTOMER_REF", "x" * 41, "TEXT_TOO_LONG"),
        ):
            errors = await not_created(database, program, policies=[{"key": key, "value": value}])
            assert errors == [(code, "policies.0.value", [])]
        for value, _ in HOSTILE:
            for key in ("EMAIL", "SURNAME", "DATE_OF_BIRTH", "NATIONALITY", "TELEPHONE_NUMBER", "CUSTOMER_REF"):
                errors = await not_created(database, program, policies=[{"key": key, "value": value}])
                assert [each[1:] for each in errors] == [("policies.0.value", [])]
        twice = [{"key": "SURNAME", "value": "Nordmann"}] * 2
        error = ("POLICY_REPEATED", "policies.1.key", ["SURNAME"])
        assert await not_created(database, program, policies=twice) == [error]
        assert await not_created(database, program, policies=twice * 50) == [("POLICY_REPEATED", "policies", [])]


@pytest.mark.rule("L21")
async def test_a_repeat_under_a_key_knows_other_policies_though_it_keeps_none(database: Database) -> None:
    program = await a_program(database)
    text = document("createContract", "contract { uuid }", ' @idempotent(key: "key-1")')
    given = {"loyaltyProgramId": program.id, "policies": [{"key": "SURNAME", "value": "Nordmannsen"}]}
    assert await done(database, text, given) == await done(database, text, given)
    other = {**given, "policies": [{"key": "SURNAME", "value": "Hansen"}]}
    assert await refused(database, text, other) == [("IDEMPOTENCY_KEY_REUSED", "", [])]
    found = await everything(database)
    assert len(found["contract"]) == 1
    assert "nordmannsen" not in str(found).casefold()


def test_who_may_do_what_with_contracts() -> None:
    needs = permission_table(schema._schema).fields["Mutation"]
    names = ("createContract", "acceptContract", "setContractStatus", "claimPersonnelTicket", "activateLoyaltyProgram")
    assert {name: str(needs[name]) for name in names} == {
        "createContract": "contract:write CLIENTS",
        "acceptContract": "contract:claim",
        "setContractStatus": "contract:write CLIENTS",
        "claimPersonnelTicket": "contract:claim",
        "activateLoyaltyProgram": "contract:claim",
    }
    assert {str(needs[f"{verb}ContractConsumer"]) for verb in ("add", "block", "unblock")} == {"contract:share"}
