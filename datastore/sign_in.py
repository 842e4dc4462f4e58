"""Signing in: whose password is asked for, and how often in a row a user name has failed (rule C103)."""

from datetime import datetime
from typing import Any

from sqlalchemy import Select, select

from datastore import attempts
from datastore.attempts import Limit
from datastore.base import broad
from datastore.customer import Customer, CustomerStatus, ProfileType
from datastore.database import Database
from datastore.policy import Policy
from datastore.reading import records, visible
from datastore.viewer import Viewer
from datastore.writing import Write


def name_hash(secret: bytes, organisation_id: int, name: str | int) -> str:
    """The keyed hash under which failures are counted. `name` is the customer number, which nobody can change to be
    counted anew; of a name that nobody signs in with, it is its `email_key`."""
    return attempts.name_hash(secret, "sign in", organisation_id, name)


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


def limit_of(policy: Policy) -> Limit:
    """How often in a row signing in may fail."""
    return Limit(policy.sign_in_failures, policy.sign_in_pause)


async def must_wait(database: Database, name: str, now: datetime) -> bool:
    """Whether the name with this hash is locked, as far as can be told outside of a transaction."""
    return await attempts.must_wait(database, name, limit_of(database.policy), now)


async def may_try(write: Write, name: str) -> bool:
    """Whether the name with this hash may try, as `attempts.may_try` says."""
    return await attempts.may_try(write, name, limit_of(write.policy))


async def count_failure(write: Write, name: str) -> None:
    """One more attempt has failed, after `may_try` in the same transaction."""
    await attempts.count_failure(write, name, limit_of(write.policy))


async def forget_failures(write: Write, name: str) -> None:
    """The name may try again as if it had never failed. Lock the row of the customer first."""
    await attempts.forget_failures(write, name)
