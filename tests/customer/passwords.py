"""What the tests of signing in and of passwords share."""

from typing import Any

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select

from datastore import customer as stored
from datastore.bookkeeping import SignInFailure
from datastore.customer import CustomerStatus, ProfileType
from datastore.database import Database
from resolvers.customer import passwords, sign_in
from tests.customer.mutations import NOW, Error, Values, document, freeze
from tests.factories.customer import a_customer, a_deleted_customer, a_merged_customer

SHOWN = "customer { customerNumber version changedBy changedByChannel lastSignInAt lastSignInFrom }"
VERIFY = document("verifyCredentials", SHOWN)
CHANGE = document("changePassword", SHOWN)
SET = document("setPassword", SHOWN)
GENERATE = document("generatePassword", f"{SHOWN} generatedPassword")

EMAIL, PASSWORD = "kari@example.no", "abcD123 ø"
KNOWN = {"email": EMAIL, "password": PASSWORD}
WRONG = {"email": EMAIL, "password": "abcD123"}
INVALID: list[Error] = [("CREDENTIALS_INVALID", "", [])]
LOCKED: list[Error] = [("SIGN_IN_LOCKED", "", [])]
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords are hashed as always, with the least of work."""
    monkeypatch.setattr(passwords, "HASHER", CHEAP)


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch, cheap: None) -> list[str]:
    """What is hashed or verified from now on, in order."""
    seen: list[str] = []

    def noted(password: str) -> str:
        seen.append(password)
        return CHEAP.hash(password)

    def verified(stored_hash: str, password: str) -> bool:
        seen.append(password)
        return actually(stored_hash, password)

    actually = passwords._verify
    monkeypatch.setattr(passwords, "_verify", verified)
    monkeypatch.setattr(passwords, "hash_of", lambda password: passwords._hashing(noted, password))
    monkeypatch.setattr(sign_in, "hash_of", lambda password: passwords._hashing(noted, password))
    return seen


def freeze_sign_in(monkeypatch: pytest.MonkeyPatch, moment: Any = NOW) -> None:
    """Let everything happen at the moment, what comes before the transaction too."""
    freeze(monkeypatch, moment)
    monkeypatch.setattr(sign_in, "milliseconds", lambda _: moment)


async def a_user(database: Database, password: str = PASSWORD, **values: Any) -> stored.Customer:
    """Kari Nordmann, as `a_customer` has her, signs in as kari@example.no with `PASSWORD`."""
    return await a_customer(database, **{"email": EMAIL, "password_hash": CHEAP.hash(password), **values})


async def those_who_cannot_sign_in(database: Database) -> dict[str, stored.Customer]:
    """Profiles of organisation 1 that have `PASSWORD`; the key is why they cannot sign in, and begins their email."""
    secret: Values = {"password_hash": CHEAP.hash(PASSWORD)}
    survivor = await a_customer(database)
    made: dict[str, Values] = {
        "passive": {"status": CustomerStatus.PASSIVE},
        "personnel": {"profile_type": ProfileType.PERSONNEL_TICKET},
        "temporary": {"profile_type": ProfileType.TEMPORARY},
    }
    found = {
        why: await a_customer(database, email=f"{why}@example.no", **secret, **values) for why, values in made.items()
    }
    found["deleted"] = await a_deleted_customer(database, email_old="deleted@example.no", **secret)
    found["merged"] = await a_merged_customer(database, survivor, email="merged@example.no", **secret)
    return found


async def failures(database: Database) -> list[int]:
    """How often the names that have failed have failed, the least first."""
    return sorted(row[0] for row in await database.fetch(select(SignInFailure.failures)))
