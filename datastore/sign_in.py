"""Signing in: whose password is asked for, and how often in a row a user name has failed (rule C103)."""

import hashlib
import hmac
import json
from datetime import datetime
from typing import Any

from sqlalchemy import Select, delete, select

from datastore.base import broad
from datastore.bookkeeping import SignInFailure
from datastore.customer import Customer, CustomerStatus, ProfileType
from datastore.database import Database
from datastore.policy import Policy
from datastore.reading import records, visible
from datastore.viewer import Viewer
from datastore.writing import Write

MOST_FORGOTTEN = 100
"""How many old rows one attempt removes, in passing."""


def name_hash(secret: bytes, organisation_id: int, name: str | int) -> str:
    """The keyed hash under which failures are counted. `name` is the customer number, which nobody can change to be
    counted anew; of a name that nobody signs in with, it is its `email_key`."""
    text = json.dumps(["sign in", organisation_id, name])  # json escapes lone surrogates
    return hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()


def user_of(viewer: Viewer, organisation_id: int, email_key: str) -> Select[Any]:
    """Select the entity whose user name this is: an active standard profile (rules C10, C103)."""
    return select(Customer).where(
        Customer.visible_to(viewer),
        Customer.email_key == email_key,
        broad(Customer.organisation_id == organisation_id),
        Customer.profile_type == ProfileType.STANDARD,
        Customer.status == CustomerStatus.ACTIVE,
        Customer.merged_into_id.is_(None),
    )


async def password_of_user(
    database: Database, viewer: Viewer, organisation_id: int, email_key: str
) -> tuple[int | str, str | None]:
    """The number of the one with this user name and the stored hash of the password, None if there is none; of a name
    that nobody has, the name and None."""
    columns = (Customer.customer_number, Customer.password_hash)
    found = await database.fetch(user_of(viewer, organisation_id, email_key).with_only_columns(*columns))
    return next(((row.customer_number, row.password_hash) for row in found), (email_key, None))


async def customer_by_number(database: Database, viewer: Viewer, number: int) -> Customer | None:
    """A record of the customer with this number that the viewer may see, read outside of a transaction."""
    found = await database.fetch(visible(Customer, viewer).where(Customer.customer_number == number))
    return next(iter(records(Customer, found)), None)


async def user(write: Write, organisation_id: int, email_key: str) -> Customer | None:
    """The one with this user name, locked until the end of the transaction."""
    found = user_of(write.viewer, organisation_id, email_key).with_for_update()
    return (await write.session.scalars(found)).one_or_none()


async def owner_of_email(write: Write, organisation_id: int, email_key: str) -> Customer | None:
    """The standard or personnel-ticket profile that has this email (A01), locked until the end of the transaction;
    temporary ones only borrow theirs."""
    found = select(Customer).where(
        Customer.visible_to(write.viewer),
        Customer.email_key == email_key,
        broad(Customer.organisation_id == organisation_id),
        Customer.profile_type != ProfileType.TEMPORARY,
        Customer.status != CustomerStatus.DELETED,
    )
    return (await write.session.scalars(found.with_for_update())).one_or_none()


async def signed_in(write: Write, customer: Customer, place: str | None, new_hash: str | None) -> None:
    """Note that a customer has signed in, now, at a place, and keep the new hash of the same password, if there is one.

    The version stays: whoever is editing the profile meanwhile is not in anybody's way.
    """
    version = customer.version
    customer.last_sign_in_at, customer.last_sign_in_from = write.now, place
    if new_hash is not None:
        customer.password_hash = new_hash
    await write.session.flush()
    customer.version = version  # a version that is set by hand is what the next flush stores
    await write.session.flush()


def is_locked(failures: int, last_failed_at: datetime, policy: Policy, now: datetime) -> bool:
    """Whether a name that has failed so often must wait."""
    return failures >= policy.sign_in_failures and last_failed_at > now - policy.sign_in_pause


async def must_wait(database: Database, name: str, now: datetime) -> bool:
    """Whether the name with this hash is locked, as far as can be told outside of a transaction."""
    statement = select(SignInFailure.failures, SignInFailure.last_failed_at).where(SignInFailure.name_hash == name)
    found = await database.fetch(statement)
    return any(is_locked(row.failures, row.last_failed_at, database.policy, now) for row in found)


async def may_try(write: Write, name: str) -> bool:
    """Whether the name with this hash may try. To the end of the transaction nobody else can find that out, so no
    more attempts are answered than are allowed. Lock the row of the customer first."""
    await write.lock("sign in", name)
    failure = await write.session.get(SignInFailure, name, with_for_update=True)
    return failure is None or not is_locked(failure.failures, failure.last_failed_at, write.policy, write.now)


async def count_failure(write: Write, name: str) -> None:
    """One more attempt has failed, after `may_try` in the same transaction. Failures from before the pause do not
    count any more; some of them are removed."""
    expired = SignInFailure.last_failed_at <= write.now - write.policy.sign_in_pause
    old = select(SignInFailure.name_hash).where(expired, SignInFailure.name_hash != name)
    failure = await write.session.get(SignInFailure, name)
    if failure is None:
        failure = SignInFailure(name_hash=name, failures=0, last_failed_at=write.now)
        write.session.add(failure)
    in_a_row = failure.last_failed_at > write.now - write.policy.sign_in_pause
    failure.failures = failure.failures + 1 if in_a_row else 1
    failure.last_failed_at = write.now
    await write.session.flush()
    some = old.order_by(SignInFailure.last_failed_at).limit(MOST_FORGOTTEN).with_for_update(skip_locked=True)
    await write.session.execute(
        delete(SignInFailure).where(SignInFailure.name_hash.in_(some)),
        execution_options={"synchronize_session": False},
    )


async def forget_failures(write: Write, name: str) -> None:
    """The name may try again as if it had never failed. Lock the row of the customer first."""
    await write.lock("sign in", name)
    await write.session.execute(
        delete(SignInFailure).where(SignInFailure.name_hash == name),
        execution_options={"synchronize_session": False},
    )
