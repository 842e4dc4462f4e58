"""verifyCredentials: who signs in, what a failure tells, and when a user name is locked (rules C103, C10)."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select

from datastore.audit import AuditLogEntry
from datastore.bookkeeping import SignInFailure
from datastore.customer import Customer
from datastore.database import Database
from datastore.policy import Policy
from resolvers.customer import passwords, sign_in
from schema.permission import permission_table
from schema.root import schema
from tests.customer.mutations import (
    HOSTILE,
    NOW,
    UPDATE,
    Error,
    Values,
    answered,
    document,
    done,
    events,
    everything,
    new_values,
    refused,
    stored,
)
from tests.customer.passwords import (
    CHEAP,
    EMAIL,
    INVALID,
    KNOWN,
    LOCKED,
    PASSWORD,
    SHOWN,
    VERIFY,
    WRONG,
    a_user,
    failures,
    freeze_sign_in,
    those_who_cannot_sign_in,
)
from tests.customer.passwords import cheap as cheap
from tests.customer.passwords import hashed as hashed
from tests.execute import FOREIGNER, INTERNAL, VIEWER
from tests.factories.customer import MOMENT
from tests.statements import statements

pytestmark = pytest.mark.usefixtures("cheap")

VERIFY_KEYED = document("verifyCredentials", SHOWN, ' @idempotent(key: "key-1")')
MANY = 20


async def attempt(database: Database, given: Values = KNOWN, viewer: Any = VIEWER, text: str = VERIFY) -> list[Error]:
    """The errors of one attempt to sign in; where there are some, nothing is shown."""
    payload, errors = await answered(database, text, given, viewer)
    assert (payload["customer"] is None) == bool(errors)
    return errors


async def without_failures(database: Database) -> dict[str, Any]:
    return {table: rows for table, rows in (await everything(database)).items() if table != "sign_in_failure"}


# Who signs in


@pytest.mark.rule("C103")
async def test_a_sign_in_notes_the_moment_and_the_place(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    freeze_sign_in(monkeypatch)
    kari = await a_user(database)
    shown = await done(database, VERIFY, {**KNOWN, "lastSignInFrom": " app "})
    assert shown == {
        "customerNumber": kari.customer_number,
        "version": 1,
        "changedBy": "web",
        "changedByChannel": "web",
        "lastSignInAt": "2026-06-30T22:30:00.123Z",
        "lastSignInFrom": "app",
    }
    (entry,) = await database.fetch(select(AuditLogEntry.operation, AuditLogEntry.customer_id, AuditLogEntry.details))
    assert (entry.operation, entry.customer_id) == ("verifyCredentials", kari.id)
    assert [field["name"] for change in entry.details["changes"] for field in change["fields"]] == [
        "last_sign_in_at",
        "last_sign_in_from",
    ]
    assert (await done(database, VERIFY, KNOWN))["lastSignInFrom"] is None


async def test_a_sign_in_is_no_change_of_the_profile(database: Database) -> None:
    """Who is editing it at the time is not refused, and no other system hears of it."""
    kari = await a_user(database)
    await done(database, VERIFY, KNOWN)
    row = await stored(database, kari.customer_number)
    assert (row.version, row.changed_at, row.changed_by) == (1, MOMENT, "web")
    assert await events(database) == []
    assert (await done(database, UPDATE, new_values(kari, expectedVersion=1)))["version"] == 2
    assert (await done(database, VERIFY, KNOWN))["version"] == 2


@pytest.mark.rule("C103")
@pytest.mark.rule("A02")
async def test_the_user_name_is_the_email_whatever_its_case(database: Database) -> None:
    kari = await a_user(database, email="Åse@Example.no")
    for email in ("Åse@Example.no", " åse@example.NO ", "A\u030ase@example.no"):
        assert (await done(database, VERIFY, {**KNOWN, "email": email}))["customerNumber"] == kari.customer_number


@pytest.mark.rule("C103")
@pytest.mark.rule("T04")
async def test_only_internal_callers_sign_in_to_another_organisation(database: Database) -> None:
    mine, theirs = await a_user(database), await a_user(database, organisation_id=2, password="another")
    another = {"email": EMAIL, "password": "another"}
    shown = await done(database, VERIFY, {**another, "organisationId": 2}, INTERNAL)
    assert shown["customerNumber"] == theirs.customer_number
    assert (await done(database, VERIFY, another, FOREIGNER))["customerNumber"] == theirs.customer_number
    assert (await done(database, VERIFY, {**KNOWN, "organisationId": 1}))["customerNumber"] == mine.customer_number
    for viewer in (VIEWER, FOREIGNER):
        given = {**another, "organisationId": 3 - viewer.organisation_id}
        error = ("ORGANISATION_NOT_ALLOWED", "organisationId", [str(3 - viewer.organisation_id)])
        assert await refused(database, VERIFY, given, viewer) == [error]
    assert await attempt(database, another) == INVALID
    assert await attempt(database, KNOWN, INTERNAL) == INVALID


def test_it_is_for_clients_that_may_verify_only() -> None:
    needs = permission_table(schema._schema).fields["Mutation"]
    assert {name: str(needs[name]) for name in needs if "assword" in name or "redential" in name} == {
        "verifyCredentials": "credentials:verify CLIENTS",
        "changePassword": "customer:update",
        "setPassword": "password:write CLIENTS",
        "generatePassword": "password:write CLIENTS",
    }


# What a failure tells


@pytest.mark.rule("C10")
@pytest.mark.rule("C52")
@pytest.mark.rule("C103")
@pytest.mark.rule("T04")
async def test_all_failures_are_answered_alike_after_the_same_work(database: Database, hashed: list[str]) -> None:
    await a_user(database)
    await a_user(database, email="nothing@example.no", password_hash=None)
    await a_user(database, email="broken@example.no", password_hash="no hash")
    await a_user(database, email="foreign@example.no", organisation_id=2)
    profiles = await those_who_cannot_sign_in(database)
    others = ["nobody", "nothing", "broken", "foreign", *profiles]
    emails = [EMAIL, *(f"{other}@example.no" for other in others), "x" * 80, "@", "Kari Nordmann"]
    await attempt(database, {**WRONG, "email": "first@example.no"})  # reads the key of the database
    before = await without_failures(database)
    work = []
    for email in emails:
        hashed.clear()
        with statements(database) as seen:
            assert await attempt(database, {"email": email, "password": PASSWORD + "!"}) == INVALID, email
        work.append((len(hashed), seen))
        if email != EMAIL:
            assert await attempt(database, {"email": email, "password": PASSWORD}) == INVALID, email
    assert all(each == work[0] for each in work)
    assert work[0][0] == 1
    assert await without_failures(database) == before


@pytest.mark.rule("C17")
async def test_an_impossible_input_is_refused_before_anything_is_hashed(database: Database, hashed: list[str]) -> None:
    await a_user(database)
    for value, code in HOSTILE:
        for field in ("email", "password", "lastSignInFrom"):
            assert await refused(database, VERIFY, {**KNOWN, field: value}) == [(code, field, [])]
    assert await refused(database, VERIFY, {**KNOWN, "password": ""}) == [("REQUIRED", "password", [])]
    assert await refused(database, VERIFY, {**KNOWN, "email": " "}) == [("REQUIRED", "email", [])]
    assert await refused(database, VERIFY, {**KNOWN, "email": "x" * 81}) == [("TEXT_TOO_LONG", "email", [])]
    assert await refused(database, VERIFY, {**KNOWN, "organisationId": 2}) != []
    assert hashed == []


@pytest.mark.rule("C17")
async def test_an_outdated_hash_is_made_anew_by_the_next_sign_in(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    kari = await a_user(database)
    monkeypatch.setattr(passwords, "HASHER", PasswordHasher(time_cost=2, memory_cost=8, parallelism=1))
    assert await attempt(database, WRONG) == INVALID
    assert (await stored(database, kari.customer_number)).password_hash == kari.password_hash
    assert Counter(map(str, await asyncio.gather(*(attempt(database) for _ in range(5))))) == {"[]": 5}
    row = await stored(database, kari.customer_number)
    assert "$m=8,t=2,p=1$" in row.password_hash
    assert row.version == 1
    assert await attempt(database) == []
    assert (await stored(database, kari.customer_number)).password_hash == row.password_hash


async def test_every_attempt_is_verified_even_under_one_idempotency_key(database: Database) -> None:
    await a_user(database)
    for given, errors in ((KNOWN, []), (WRONG, INVALID), (KNOWN, [])):
        assert await attempt(database, given, text=VERIFY_KEYED) == errors


# What happens between the verification and the transaction


async def test_a_password_that_is_replaced_meanwhile_does_not_sign_in(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    kari = await a_user(database)
    actually = passwords.verify

    async def late(stored_hash: str | None, password: str) -> bool:
        found = await actually(stored_hash, password)
        async with database.write() as session:
            (await session.get_one(Customer, kari.id)).password_hash = CHEAP.hash("another")
        return found

    monkeypatch.setattr(sign_in, "verify", late)
    assert await attempt(database) == INVALID
    assert (await stored(database, kari.customer_number)).last_sign_in_at is None


async def test_a_name_that_is_locked_meanwhile_does_not_sign_in(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.policy = Policy(sign_in_failures=1)
    await a_user(database)
    actually = passwords.verify

    async def late(stored_hash: str | None, password: str) -> bool:
        monkeypatch.setattr(sign_in, "verify", actually)
        assert await attempt(database, WRONG) == INVALID
        return await actually(stored_hash, password)

    monkeypatch.setattr(sign_in, "verify", late)
    assert await attempt(database) == LOCKED


# Locked names


@pytest.mark.rule("C103")
@pytest.mark.parametrize("email", [EMAIL, "nobody@example.no"])
async def test_a_name_that_fails_too_often_is_locked_from_its_last_failure_on(
    database: Database, monkeypatch: pytest.MonkeyPatch, hashed: list[str], email: str
) -> None:
    database.policy = Policy(sign_in_failures=3, sign_in_pause=timedelta(minutes=5))
    await a_user(database)
    for minute in range(3):
        freeze_sign_in(monkeypatch, NOW + timedelta(minutes=minute))
        assert await attempt(database, {**WRONG, "email": email}) == INVALID
    hashed.clear()
    for moment in (NOW + timedelta(minutes=2), NOW + timedelta(minutes=7, milliseconds=-1)):
        freeze_sign_in(monkeypatch, moment)
        for given in (WRONG, KNOWN):
            assert await refused(database, VERIFY, {**given, "email": email.upper()}) == LOCKED
    assert hashed == []
    assert await attempt(database, {**WRONG, "email": "other@example.no"}) == INVALID
    freeze_sign_in(monkeypatch, NOW + timedelta(minutes=7))
    assert await attempt(database, {**KNOWN, "email": email}) == ([] if email == EMAIL else INVALID)


async def test_a_wait_that_ends_before_the_transaction_is_no_wait(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.policy = Policy(sign_in_failures=1, sign_in_pause=timedelta(minutes=5))
    await a_user(database)
    freeze_sign_in(monkeypatch)
    assert await attempt(database, WRONG) == INVALID
    freeze_sign_in(monkeypatch, NOW + timedelta(minutes=5))
    clock = iter([NOW, NOW + timedelta(minutes=5)])
    monkeypatch.setattr(sign_in, "milliseconds", lambda _: next(clock))
    assert await attempt(database) == []


@pytest.mark.rule("C103")
async def test_a_sign_in_ends_a_row_of_failures(database: Database) -> None:
    database.policy = Policy(sign_in_failures=3)
    await a_user(database)
    for _ in range(3):
        assert [await attempt(database, given) for given in (WRONG, WRONG, KNOWN)] == [INVALID, INVALID, []]
        assert await failures(database) == []


async def test_failures_from_before_the_pause_do_not_count_and_are_removed(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    pause = database.policy.sign_in_pause
    for n in range(3):
        freeze_sign_in(monkeypatch, NOW + timedelta(milliseconds=n))
        await attempt(database, {**WRONG, "email": f"{n}@example.no"})
        await attempt(database, {**WRONG, "email": f"{n}@example.no"})
    freeze_sign_in(monkeypatch, NOW + pause)
    await attempt(database, {**WRONG, "email": "1@example.no"})
    assert await failures(database) == [2, 3]
    freeze_sign_in(monkeypatch, NOW + 2 * pause)
    await attempt(database, {**WRONG, "email": "1@example.no"})
    assert await failures(database) == [1]


async def test_names_are_counted_by_organisation_and_kept_as_keyed_hashes(database: Database) -> None:
    await attempt(database, WRONG)
    await attempt(database, WRONG, FOREIGNER)
    await attempt(database, {**WRONG, "organisationId": 2}, INTERNAL)
    await attempt(database, WRONG, INTERNAL)
    rows = await database.fetch(select(SignInFailure.name_hash, SignInFailure.failures))
    assert sorted(row.failures for row in rows) == [1, 1, 2]
    assert {len(row.name_hash) for row in rows} == {64}
    assert "kari" not in str(await everything(database))


@pytest.mark.parametrize(("allowed", "counted"), [(8, 8), (100, MANY)])
async def test_of_many_attempts_at_once_no_more_are_answered_than_are_allowed(
    database: Database, allowed: int, counted: int
) -> None:
    database.policy = Policy(sign_in_failures=allowed)
    await a_user(database)
    for email in (EMAIL, "nobody@example.no"):
        given = [{"email": email, "password": f"guess {n}"} for n in range(MANY)]
        outcomes = Counter([str(each) for each in await asyncio.gather(*(attempt(database, each) for each in given))])
        expected = {str(INVALID): counted, str(LOCKED): MANY - counted}
        assert outcomes == {outcome: count for outcome, count in expected.items() if count}
        if allowed == counted:
            assert await attempt(database, {**KNOWN, "email": email}) == LOCKED
    assert await failures(database) == [counted, counted]


async def test_many_sign_ins_at_once_all_succeed_beside_other_changes(database: Database) -> None:
    kari = await a_user(database)
    acts = [attempt(database) for _ in range(10)]
    changes = [done(database, UPDATE, new_values(kari, firstName=f"Kari {n}")) for n in range(5)]
    answers = await asyncio.gather(*acts, *changes)
    assert answers[:10] == [[]] * 10
    assert sorted(each["version"] for each in answers[10:]) == [2, 3, 4, 5, 6]
    assert (await stored(database, kari.customer_number)).version == 6
