"""changePassword, setPassword and generatePassword (rules C104, C105), and that no password is kept anywhere (C17)."""

import asyncio
import json
import os
import threading
from datetime import date, timedelta
from io import StringIO
from typing import Any

import httpx
import pytest
from argon2 import PasswordHasher

from datastore.customer import ProfileType
from datastore.database import Database
from datastore.policy import Policy
from datastore.viewer import GRANTABLE, TenantKind, Viewer
from gateway import log
from gateway.identity.demo import Role
from resolvers.customer import passwords
from resolvers.customer.passwords import UNAMBIGUOUS, dummy_hash, verify
from schema.permission import permission_table
from schema.root import schema
from tests.customer.mutations import (
    CREATE,
    KARI,
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
    CHANGE,
    EMAIL,
    GENERATE,
    INVALID,
    KNOWN,
    LOCKED,
    PASSWORD,
    SET,
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
from tests.factories.customer import a_customer
from tests.gateway.client import gateway_client, settings

pytestmark = pytest.mark.usefixtures("cheap")

NEW = "en ny 1"
GENERATE_KEYED = document("generatePassword", "customer { customerNumber } generatedPassword", ' @idempotent(key: "a")')
CHANGE_KEYED = document("changePassword", "customer { customerNumber version }", ' @idempotent(key: "a")')
TOO_LONG, CONTROL, EMPTY = "x" * 201, "a\x00b", ""
IMPOSSIBLE = {TOO_LONG: "TEXT_TOO_LONG", CONTROL: "TEXT_INVALID", EMPTY: "REQUIRED", "\ud800": "TEXT_INVALID"}
CODES = {
    "passive": "CUSTOMER_NOT_ACTIVE",
    "personnel": "PROFILE_TYPE_NOT_ALLOWED",
    "temporary": "PROFILE_TYPE_NOT_ALLOWED",
    "deleted": "CUSTOMER_DELETED",
    "merged": "CUSTOMER_MERGED",
}
"""Kind of profile that cannot sign in -> why it gets no password."""


async def signs_in(database: Database, password: str) -> bool:
    _, errors = await answered(database, VERIFY, {"email": EMAIL, "password": password})
    return errors == []


def changing(customer: Any, old: str = PASSWORD, new: str = NEW) -> Values:
    return {"customerNumber": customer.customer_number, "oldPassword": old, "newPassword": new}


def setting(customer: Any, new: str = NEW) -> Values:
    return {"customerNumber": customer.customer_number, "newPassword": new}


# What they do


@pytest.mark.rule("C105")
@pytest.mark.rule("C104")
@pytest.mark.rule("V01")
async def test_the_new_password_takes_the_place_of_the_old_one(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    freeze_sign_in(monkeypatch)
    kari = await a_user(database)
    known = PASSWORD
    texts = (CHANGE, changing(kari)), (SET, setting(kari, "enda en")), (GENERATE, {"email": EMAIL.upper()})
    for version, (text, given) in enumerate(texts, start=2):
        payload, errors = await answered(database, text, given)
        assert errors == []
        customer = payload["customer"]
        assert customer["customerNumber"] == kari.customer_number
        assert (customer["version"], customer["changedBy"], customer["changedByChannel"]) == (
            version,
            "graphql",
            "graphql",
        )
        new = payload.get("generatedPassword") or given["newPassword"]
        assert (await signs_in(database, known), await signs_in(database, new)) == (False, True)
        known = new
        assert await events(database) == [("UPDATE", kari.customer_number, 1, NOW, "")] * (version - 1)
    row = await stored(database, kari.customer_number)
    assert (row.version, row.changed_at) == (4, NOW)


@pytest.mark.rule("C104")
async def test_a_generated_password_can_be_read_aloud_and_is_never_the_same(database: Database) -> None:
    await a_user(database)
    made = [(await answered(database, GENERATE, {"email": EMAIL}))[0]["generatedPassword"] for _ in range(20)]
    assert len(set(made)) == 20
    assert {len(each) for each in made} == {20}
    assert set("".join(made)) <= set(UNAMBIGUOUS)
    assert not set(UNAMBIGUOUS) & set("0O1lI")


async def test_a_generated_password_is_answered_once_and_stored_nowhere(database: Database) -> None:
    await a_user(database)
    first, _ = await answered(database, GENERATE_KEYED, {"email": EMAIL})
    before = await everything(database)
    assert first["generatedPassword"] not in str(before)
    again = await answered(database, GENERATE_KEYED, {"email": EMAIL})
    assert again == ({**first, "generatedPassword": None}, [])
    assert await everything(database) == before
    assert await signs_in(database, first["generatedPassword"])


async def test_a_change_that_is_repeated_under_its_key_is_answered_again(database: Database) -> None:
    """The first answer may have been lost, and by now the old password is wrong."""
    kari = await a_user(database)
    assert await answered(database, CHANGE_KEYED, changing(kari, "wrong")) == (
        {"customer": None},
        [("CREDENTIALS_INVALID", "oldPassword", [])],
    )
    first = await answered(database, CHANGE_KEYED, changing(kari))
    assert await answered(database, CHANGE_KEYED, changing(kari)) == first
    assert len(await events(database)) == 1


# Who must not


@pytest.mark.rule("C105")
@pytest.mark.rule("C103")
async def test_a_wrong_old_password_counts_as_a_failed_sign_in(database: Database) -> None:
    database.policy = Policy(sign_in_failures=4)
    kari = await a_user(database)
    wrong: list[Error] = [("CREDENTIALS_INVALID", "oldPassword", [])]
    for _ in range(2):
        assert await answered(database, CHANGE, changing(kari, "wrong")) == ({"customer": None}, wrong)
        assert (await answered(database, VERIFY, WRONG))[1] == INVALID
    assert await refused(database, CHANGE, changing(kari)) == [("SIGN_IN_LOCKED", "oldPassword", [])]
    assert await refused(database, VERIFY, KNOWN) == LOCKED
    assert await failures(database) == [4]
    assert (await stored(database, kari.customer_number)).password_hash == kari.password_hash
    assert await events(database) == []


async def test_a_change_ends_a_row_of_failures_and_so_does_a_password_from_others(database: Database) -> None:
    database.policy = Policy(sign_in_failures=2)
    kari = await a_user(database)
    await answered(database, VERIFY, WRONG)
    await done(database, CHANGE, changing(kari))
    assert await failures(database) == []
    for text, given in ((SET, setting(kari)), (GENERATE, {"email": EMAIL})):
        for _ in range(2):
            await answered(database, VERIFY, WRONG)
        assert await refused(database, VERIFY, KNOWN) == LOCKED
        payload, _ = await answered(database, text, given)
        assert await signs_in(database, payload.get("generatedPassword", NEW))


async def test_a_customer_without_email_or_password_is_counted_apart(database: Database) -> None:
    mine, other = await a_user(database, email=None), await a_customer(database)
    assert (await answered(database, CHANGE, changing(other)))[1] == [("CREDENTIALS_INVALID", "oldPassword", [])]
    assert (await answered(database, CHANGE, changing(mine, "wrong")))[1] != []
    assert await failures(database) == [1, 1]
    assert (await done(database, CHANGE, changing(mine)))["version"] == 2
    assert await failures(database) == [1]


@pytest.mark.rule("C10")
@pytest.mark.rule("T04")
async def test_only_active_standard_profiles_of_ones_own_have_passwords(database: Database, hashed: list[str]) -> None:
    kari = await a_user(database)
    profiles = await those_who_cannot_sign_in(database)
    cases = [(profiles[why], code, VIEWER) for why, code in CODES.items()]
    for customer, code, viewer in [*cases, (kari, "CUSTOMER_NOT_FOUND", FOREIGNER)]:
        error = (code, "customerNumber", [str(customer.customer_number)])
        assert await refused(database, SET, setting(customer), viewer) == [error]
        hashed.clear()
        assert await refused(database, CHANGE, changing(customer), viewer) == [error]
        assert hashed == []
    for why in ("passive", "personnel", "merged"):
        email = f"{why}@example.no"
        assert await refused(database, GENERATE, {"email": email}) == [(CODES[why], "email", [email])]
    for email in ("temporary@example.no", "deleted@example.no", "nobody@example.no"):
        assert await refused(database, GENERATE, {"email": email}) == [("CUSTOMER_NOT_FOUND", "email", [email])]
    unknown = {"customerNumber": 1, "newPassword": NEW}
    assert await refused(database, SET, unknown) == [("CUSTOMER_NOT_FOUND", "customerNumber", ["1"])]
    assert await refused(database, CHANGE, {**unknown, "oldPassword": "x"}) == [
        ("CUSTOMER_NOT_FOUND", "customerNumber", ["1"])
    ]


@pytest.mark.rule("C104")
@pytest.mark.rule("T04")
async def test_only_internal_callers_generate_for_another_organisation(database: Database) -> None:
    kari = await a_user(database)
    given = {"email": EMAIL, "organisationId": 1}
    error = ("ORGANISATION_NOT_ALLOWED", "organisationId", ["1"])
    assert await refused(database, GENERATE, given, FOREIGNER) == [error]
    for viewer in (FOREIGNER, INTERNAL):
        error = ("CUSTOMER_NOT_FOUND", "email", [EMAIL])
        assert await refused(database, GENERATE, {"email": EMAIL}, viewer) == [error]
    assert (await done(database, GENERATE, given, INTERNAL))["customerNumber"] == kari.customer_number


@pytest.mark.rule("T05")
async def test_a_user_changes_no_password_but_her_own(database: Database) -> None:
    kari, ola = await a_user(database), await a_user(database, email="ola@example.no")
    user = Viewer(
        1,
        TenantKind.TRAVELLER,
        GRANTABLE,
        customer_number=kari.customer_number,
        customer_ids=frozenset({kari.id}),
    )
    error = ("CUSTOMER_NOT_FOUND", "customerNumber", [str(ola.customer_number)])
    assert await refused(database, CHANGE, changing(ola), user) == [error]
    assert (await done(database, CHANGE, changing(kari), user))["customerNumber"] == kari.customer_number


@pytest.mark.rule("C17")
@pytest.mark.rule("H4")
async def test_an_impossible_input_is_refused_before_anything_is_hashed(database: Database, hashed: list[str]) -> None:
    kari = await a_user(database)
    for password, code in IMPOSSIBLE.items():
        assert await refused(database, SET, setting(kari, password)) == [(code, "newPassword", [])]
        assert await refused(database, CHANGE, changing(kari, new=password)) == [(code, "newPassword", [])]
        assert await refused(database, CHANGE, changing(kari, password)) == [(code, "oldPassword", [])]
        assert await refused(database, CREATE, {**KARI, "password": password}) == [(code, "password", [])]
    both: list[Error] = [("TEXT_TOO_LONG", "oldPassword", []), ("REQUIRED", "newPassword", [])]
    assert await refused(database, CHANGE, changing(kari, TOO_LONG, EMPTY)) == both
    assert await refused(database, CHANGE, changing(kari, NEW, NEW)) == [("VALUE_INVALID", "newPassword", [])]
    for email in ("kari", "", "kari@example", "a\x00@example.no", "\ud800@example.no", "x" * 100_000):
        ((code, path, _),) = await refused(database, GENERATE, {"email": email})
        assert (code, path) == ("EMAIL_INVALID", "email")
    assert hashed == []


# How they are hashed


async def test_a_stored_hash_is_argon2id_and_a_missing_one_takes_the_same_work() -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(passwords, "HASHER", PasswordHasher())
        made = await passwords.hash_of(PASSWORD)
        assert made.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
        assert made.rpartition("$")[0].rpartition("$")[0] == dummy_hash().rpartition("$")[0].rpartition("$")[0]
        assert not passwords.is_outdated(dummy_hash())
        assert len(made) == len(dummy_hash()) <= 200
        assert [await verify(made, each) for each in (PASSWORD, PASSWORD.upper())] == [True, False]
        assert not await verify(None, PASSWORD)


async def test_nobody_waits_for_a_hash_and_no_more_are_made_than_there_are_cores(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other changes, of the same customer too, are done while as many passwords as can be are being hashed."""
    go_on, waiting = threading.Event(), threading.Semaphore(0)
    most = [0, 0]
    counting = threading.Lock()

    class Slow(PasswordHasher):
        def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
            with counting:
                most[0] += 1
                most[1] = max(most)
            waiting.release()
            go_on.wait()
            with counting:
                most[0] -= 1
            return super().hash(password, salt=salt)

    monkeypatch.setattr(passwords, "HASHER", Slow(time_cost=1, memory_cost=8, parallelism=1))
    kari = await a_user(database)
    cores = os.cpu_count() or 1
    acts = [asyncio.create_task(done(database, SET, setting(kari, f"{NEW}{n}"))) for n in range(2 * cores + 1)]
    try:
        for _ in range(cores):
            await asyncio.to_thread(waiting.acquire)
        assert (await done(database, UPDATE, new_values(kari, firstName="Ny")))["version"] == 2
        assert not any(act.done() for act in acts)
    finally:
        go_on.set()
    await asyncio.gather(*acts)
    assert most == [0, cores]


# Where no password is


SECRETS: dict[str, Values] = {
    "createCustomer": {**KARI, "email": "ny@example.no", "password": "planted-create"},
    "verifyCredentials": {"email": EMAIL, "password": "planted-verify"},
    "changePassword": {"oldPassword": "planted-change-old", "newPassword": "planted-change-new"},
    "setPassword": {"newPassword": "planted-set"},
    "convertTemporaryCustomer": {**KARI, "changedBy": "ola", "changedByChannel": "crm", "password": "planted-convert"},
}
HIDDEN_IN = {
    "plain": "{}",
    "too long": "{}" * 30,
    "with a control character": "{}\x07",
    "with a lone surrogate": "{}\ud800",
}


def planted(given: Values, form: str) -> Values:
    return {name: form.format(*[value] * 30) if "assword" in name else value for name, value in given.items()}


@pytest.mark.rule("C17")
@pytest.mark.rule("T09")
async def test_a_password_is_in_no_table_no_answer_and_no_log(url: str, database: Database) -> None:
    inputs: Any = {
        name: schema._schema.type_map[f"{name[0].upper()}{name[1:]}Input"]
        for name in permission_table(schema._schema).fields["Mutation"]
    }
    with_password = sorted(name for name in inputs if any("assword" in each for each in inputs[name].fields))
    assert set(with_password) <= SECRETS.keys(), "a mutation takes a password that is not planted here"
    lines = StringIO()
    role = Role("", TenantKind.PARTNER, 1, GRANTABLE, "somebody", "a-client")
    kari = await a_user(database, "planted-verify")
    temporary = await a_customer(database, profile_type=ProfileType.TEMPORARY, expiration_date=date(2099, 12, 31))
    async with gateway_client(settings(url, log_level="DEBUG"), role) as client:
        log.configure(json=True, level="DEBUG", stream=lines)
        for name in with_password:
            for form in HIDDEN_IN.values():
                number = (temporary if name == "convertTemporaryCustomer" else kari).customer_number
                given = {"customerNumber": number, **planted(SECRETS[name], form)}
                given = {each: value for each, value in given.items() if each in inputs[name].fields}
                for key in ("", f' @idempotent(key: "{name}")'):
                    answer = await sent(client, document(name, "customer { customerNumber }", key), given)
                    assert "planted" not in answer
        assert "planted" not in await sent(client, SET, {"customerNumber": "planted", "newPassword": ["planted"]})
    tables = str(await everything(database))
    assert "planted" not in tables
    assert "planted" not in lines.getvalue()
    assert lines.getvalue().count("request") >= 8 * len(with_password)
    assert tables.count("argon2id") == 1 + len({"createCustomer", "convertTemporaryCustomer"}.intersection(inputs))
    assert "argon2id" not in lines.getvalue()
    log_of_changes = str((await everything(database))["audit_log"])
    assert "(hidden)" in log_of_changes
    assert "argon2" not in log_of_changes


async def sent(client: httpx.AsyncClient, text: str, given: Values) -> str:
    body = json.dumps({"query": text, "variables": {"input": given}})  # escapes what httpx could not send
    response = await client.post("/graphql", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code in (200, 400)
    return response.text


def test_the_pause_and_the_number_of_failures_are_the_operators() -> None:
    policy = settings("sqlite+aiosqlite://", sign_in_failures=3, sign_in_pause_minutes=0.5).policy
    assert (policy.sign_in_failures, policy.sign_in_pause) == (3, timedelta(seconds=30))
