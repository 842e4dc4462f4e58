"""createPreference, updatePreference and the query of what an organisation offers (rule C64)."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import select

from datastore.audit import AuditLogEntry
from datastore.customer import Preference
from datastore.database import Database
from datastore.viewer import GRANTABLE, TenantKind, Viewer
from resolvers.errors import ErrorCode
from tests.customer.mutations import (
    HOSTILE,
    NOW,
    Error,
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
from tests.execute import FOREIGNER, INTERNAL, VIEWER, execute, refusal
from tests.factories.customer import (
    CHANGES,
    a_preference,
    inserted,
)

OFFERED = "id version preferenceCode preferenceType preferenceDescription isActive"
CREATE_OFFER = document("createPreference", f"preference {{ {OFFERED} }}")
UPDATE_OFFER = document("updatePreference", f"preference {{ {OFFERED} }}")
OFFERS = """query($organisationId: Long, $isActive: Boolean, $first: Int, $after: String, $last: Int, $before: String) {
  preferences(
    organisationId: $organisationId, isActive: $isActive, first: $first, after: $after, last: $last, before: $before
  ) { nodes { preferenceCode } totalItems pageInfo { hasNextPage hasPreviousPage startCursor endCursor } }
}"""
SEAT = {"preferenceCode": "SEAT", "preferenceType": "TRAVEL"}
"""The least that createPreference takes."""


async def codes(database: Database, viewer: Viewer = VIEWER, **variables: Any) -> list[str]:
    page = (await execute(database, OFFERS, viewer, **variables))["preferences"]
    return [node["preferenceCode"] for node in page["nodes"]]


async def some_offers(database: Database, *codes: str, **values: Any) -> list[Preference]:
    return [await a_preference(database, preference_code=code, **values) for code in codes]


@pytest.mark.rule("C64")
async def test_an_organisation_offers_a_preference_and_changes_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    freeze(monkeypatch)
    made = await done(database, CREATE_OFFER, {**SEAT, "preferenceCode": " SEAT "})
    least = {**SEAT, "id": made["id"], "version": 1, "preferenceDescription": None, "isActive": True}
    assert made == least
    more = {"preferenceCode": "SEAT_2", "preferenceType": "Å", "preferenceDescription": "Vindu", "isActive": False}
    known = {"preferenceId": made["id"], "expectedVersion": 1}
    assert await done(database, UPDATE_OFFER, {**known, **more}) == {**least, **more, "version": 2}
    cleared = {"preferenceId": made["id"], "preferenceDescription": None, "isActive": True}
    after = {**least, **more, "version": 3, "preferenceDescription": None, "isActive": True}
    assert await done(database, UPDATE_OFFER, cleared) == after
    (row,) = await database.fetch(select(Preference.__table__))
    assert (row.organisation_id, row.created_at, row.changed_at) == (1, NOW, NOW)
    assert await events(database) == []
    logged = await database.fetch(select(AuditLogEntry.operation, AuditLogEntry.customer_id))
    acts = ["createPreference", "updatePreference", "updatePreference"]
    assert sorted(tuple(entry) for entry in logged) == [(act, None) for act in acts]


@pytest.mark.rule("C64")
async def test_a_wrong_preference_is_refused(database: Database) -> None:
    offer = await a_preference(database, preference_code="QUIET")
    async with unchanged(database):
        for text, given in ((CREATE_OFFER, SEAT), (UPDATE_OFFER, {"preferenceId": str(offer.id)})):
            for field in ("preferenceCode", "preferenceType"):
                assert await errors_of(database, text, {**given, field: " "}) == [("REQUIRED", field, [])]
                assert await errors_of(database, text, {**given, field: "x" * 61}) == [("TEXT_TOO_LONG", field, [])]
            wrong = {"preferenceCode": "", "preferenceDescription": "x" * 256}
            errors: list[Error] = [("REQUIRED", "preferenceCode", []), ("TEXT_TOO_LONG", "preferenceDescription", [])]
            assert sorted(await errors_of(database, text, {**given, **wrong})) == errors
            for field in ("preferenceCode", "preferenceType", "preferenceDescription"):
                for value, code in HOSTILE:
                    assert await errors_of(database, text, {**given, field: value}) == [(code, field, [])]
    async with unchanged(database):
        for field in ("preferenceCode", "preferenceType", "isActive"):
            assert await errors_of(database, UPDATE_OFFER, {**given, field: None}) == [("REQUIRED", field, [])]
    for field in ("preferenceCode", "preferenceType"):
        assert field in await not_executed(database, CREATE_OFFER, {**SEAT, field: None})
    await done(database, CREATE_OFFER, {"preferenceCode": "x" * 60, "preferenceType": "x" * 60})


@pytest.mark.rule("C64")
async def test_a_code_is_unique_in_its_organisation(database: Database) -> None:
    seat, quiet = await some_offers(database, "SEAT", "QUIET")
    await a_preference(database, organisation_id=2, preference_code="BIKE")
    taken = [("PREFERENCE_CODE_TAKEN", "preferenceCode", ["SEAT"])]
    assert await refused(database, CREATE_OFFER, SEAT) == taken
    assert await refused(database, UPDATE_OFFER, {"preferenceId": str(quiet.id), "preferenceCode": "SEAT"}) == taken
    await done(database, UPDATE_OFFER, {"preferenceId": str(seat.id), "preferenceCode": "SEAT"})
    await done(database, CREATE_OFFER, {**SEAT, "preferenceCode": "BIKE"})


@pytest.mark.rule("C64")
async def test_one_of_many_preferences_with_one_code_wins(database: Database) -> None:
    (quiet,) = await some_offers(database, "QUIET")
    acts = [(CREATE_OFFER, SEAT)] * 5 + [(UPDATE_OFFER, {"preferenceId": str(quiet.id), "preferenceCode": "SEAT"})] * 5
    answers = await asyncio.gather(*(answered(database, *act) for act in acts))
    won = {text for (text, _), (_, errors) in zip(acts, answers, strict=True) if not errors}
    assert len(won) == 1
    assert all(errors in ([], [("PREFERENCE_CODE_TAKEN", "preferenceCode", ["SEAT"])]) for _, errors in answers)
    assert (await codes(database)).count("SEAT") == 1


@pytest.mark.rule("C64")
async def test_an_organisation_offers_no_101st_preference(database: Database) -> None:
    offered = {"organisation_id": 1, "preference_type": "TRAVEL", **CHANGES}
    await inserted(database, Preference, *[{**offered, "preference_code": f"P{n}"} for n in range(99)])
    answers = await asyncio.gather(
        *(answered(database, CREATE_OFFER, {**SEAT, "preferenceCode": f"Q{n}"}) for n in range(4))
    )
    assert sorted(errors for _, errors in answers) == [[], *[[("TOO_MANY_PREFERENCES", "", [])]] * 3]
    await done(database, CREATE_OFFER, SEAT, FOREIGNER)


@pytest.mark.rule("T04")
@pytest.mark.rule("C64")
async def test_only_internal_callers_offer_for_another_organisation(database: Database) -> None:
    offer = await a_preference(database)
    other = {**SEAT, "organisationId": 1}
    assert await refused(database, CREATE_OFFER, other, FOREIGNER) == [
        ("ORGANISATION_NOT_ALLOWED", "organisationId", ["1"])
    ]
    async with unchanged(database):
        for wrong in (str(offer.id), "0", "-1", "x", "", "१", "9" * 19):
            error = ("PREFERENCE_NOT_FOUND", "preferenceId", [wrong])
            given = {"preferenceId": wrong, "isActive": False, "expectedVersion": 7}
            assert await errors_of(database, UPDATE_OFFER, given, FOREIGNER) == [error]
    await done(database, UPDATE_OFFER, {"preferenceId": str(offer.id), "isActive": False}, INTERNAL)
    made = await done(database, CREATE_OFFER, {**other, "preferenceCode": "BIKE"}, INTERNAL)
    assert made["preferenceCode"] in await codes(database)
    await done(database, CREATE_OFFER, SEAT, INTERNAL)
    assert await codes(database, INTERNAL) == ["SEAT"]


async def test_another_version_of_a_preference_is_a_conflict(database: Database) -> None:
    offer = await a_preference(database, version=3)
    given = {"preferenceId": str(offer.id), "isActive": False, "expectedVersion": 2}
    payload, errors = await answered(database, UPDATE_OFFER, given)
    assert errors == [("VERSION_CONFLICT", "expectedVersion", ["2"])]
    assert (payload["preference"]["version"], payload["preference"]["isActive"]) == (3, True)
    assert (await done(database, UPDATE_OFFER, {**given, "expectedVersion": 3}))["version"] == 4


@pytest.mark.rule("C64")
async def test_the_catalogue_is_read_by_code_in_pages(database: Database) -> None:
    await some_offers(database, "C", "a", "B")
    await some_offers(database, "D", is_active=False)
    await some_offers(database, "E", organisation_id=2)
    assert await codes(database) == ["B", "C", "D", "a"]
    assert await codes(database, isActive=True) == ["B", "C", "a"]
    assert await codes(database, isActive=False) == ["D"]
    user = Viewer(1, TenantKind.TRAVELLER, GRANTABLE)
    assert await codes(database, user) == ["B", "C", "D", "a"]
    assert await codes(database, INTERNAL) == []
    assert await codes(database, INTERNAL, organisationId=2) == ["E"]
    assert await codes(database, FOREIGNER, organisationId=2) == ["E"]
    for viewer in (VIEWER, user):
        assert await refusal(database, OFFERS, viewer, organisationId=2) is ErrorCode.ORGANISATION_NOT_ALLOWED
    assert await refusal(database, OFFERS, first=1001) is ErrorCode.PAGE_SIZE_INVALID

    page = (await execute(database, OFFERS, first=3))["preferences"]
    assert (page["totalItems"], page["pageInfo"]["hasNextPage"]) == (4, True)
    cursor = page["pageInfo"]["endCursor"]
    assert await codes(database, first=3, after=cursor) == ["a"]
    assert await codes(database, last=2, before=cursor) == ["B", "C"]
    assert await refusal(database, OFFERS, after=cursor, isActive=True) is ErrorCode.CURSOR_INVALID
    assert await refusal(database, OFFERS, INTERNAL, after=cursor, organisationId=2) is ErrorCode.CURSOR_INVALID
