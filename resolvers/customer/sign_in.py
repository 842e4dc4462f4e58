"""Signing in and passwords (rules C103 to C105, C17).

What takes long, hashing and verifying, is done before the transaction begins (`prepared_by`); the transaction then
decides whether it counts. All ways in which signing in can fail take the same statements and the same one
verification, so neither the answer nor its cost tells whether a user name exists.

A sign-in is no edit: it posts no event, and the customer keeps its version, so whoever is editing the profile at the
time is not refused. A failed one is no change at all and has no entry in the audit log, but it is counted, although
the mutation is refused: the acts answer `failed` instead of raising.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import strawberry

from datastore import customer as stored
from datastore import sign_in
from datastore.base import milliseconds
from datastore.changes import stop_noting
from datastore.customer import CustomerStatus, ProfileType
from datastore.keyset import cursor_key
from datastore.text import email_key
from datastore.viewer import Viewer
from datastore.writing import Once, Write
from resolvers import formats
from resolvers.carry_out import Outcome, Outdated, prepared_by
from resolvers.context import Context
from resolvers.customer.changing import changeable, changed
from resolvers.customer.inputs import CUSTOMER_NUMBER
from resolvers.customer.passwords import (
    generated_password,
    hash_of,
    is_outdated,
    is_possible,
    new_password_hashed,
    possible_password,
    verify,
)
from resolvers.customer.reads import own_or
from resolvers.errors import ErrorCode, Refused, UserError, refuse
from resolvers.given import Problems, checked
from resolvers.scalars import Long

ORGANISATION = "Organisation of the customer; by default the caller's own. Only internal callers may name another."
NEW_PASSWORD = "The new password, at most 200 characters; never answered."  # noqa: S105


@strawberry.input(description="What a customer has typed to sign in.")
class VerifyCredentialsInput:
    email: str = strawberry.field(description="User name: the email that the customer signs in with.")
    password: str = strawberry.field(description="The password.")
    last_sign_in_from: str | None = strawberry.field(
        default=None,
        description="Where the customer signs in, typically web or app, at most 100 characters; null if absent.",
    )
    organisation_id: Long | None = strawberry.field(default=None, description=ORGANISATION)


@strawberry.input(description="A new password of a customer who knows the old one.")
class ChangePasswordInput:
    customer_number: Long = strawberry.field(description=CUSTOMER_NUMBER)
    old_password: str = strawberry.field(description="The password that is to be replaced.")
    new_password: str = strawberry.field(description=f"{NEW_PASSWORD} It must be another one.")


@strawberry.input(description="A new password of a customer.")
class SetPasswordInput:
    customer_number: Long = strawberry.field(description=CUSTOMER_NUMBER)
    new_password: str = strawberry.field(description=NEW_PASSWORD)


@strawberry.input(description="A customer who is to get a password made by the gateway.")
class GeneratePasswordInput:
    email: str = strawberry.field(description="User name: the email that the customer signs in with.")
    organisation_id: Long | None = strawberry.field(default=None, description=ORGANISATION)


@dataclass(frozen=True, slots=True)
class Attempt:
    """What was found out before the transaction about a password that was typed.

    `name` is the hash that failures are counted under. `matched` is the stored hash of the password, if that was the
    right one, and `new_hash` what is to be stored instead of it, if anything is. A name that had to wait was not
    verified.
    """

    name: str
    had_to_wait: bool = False
    matched: str | None = None
    new_hash: str | None = None


@dataclass(frozen=True, slots=True)
class Generated:
    password: str
    password_hash: str


async def attempted_sign_in(context: Context, given: VerifyCredentialsInput) -> Attempt | None:
    """For `prepared_by`: None for an input that the act refuses."""
    organisation_id = own_or(given.organisation_id, context.viewer)
    try:
        values = sign_in_values(given)
        own_unless_internal(context.viewer, given.organisation_id)
    except Refused:
        return None
    user = (organisation_id, email_key(values["email"]))
    known_as, stored_hash = await sign_in.password_of_user(context.database, context.viewer, *user)
    name = sign_in.name_hash(await cursor_key(context.database), organisation_id, known_as)
    if await sign_in.must_wait(context.database, name, milliseconds(datetime.now(UTC))):
        return Attempt(name, had_to_wait=True)
    if not await verify(stored_hash, given.password):
        return Attempt(name)
    assert stored_hash is not None, "nothing matches a missing password"
    return Attempt(name, False, stored_hash, await hash_of(given.password) if is_outdated(stored_hash) else None)


@prepared_by(attempted_sign_in)
async def verify_credentials(write: Write, given: VerifyCredentialsInput) -> Outcome:
    """The customer who has signed in, with the moment and the place noted (C103); no event.

    The outcome's error is CREDENTIALS_INVALID, the same for an unknown user name, a wrong password, a customer without
    a password and a profile that cannot sign in (C10); it counts against the user name. Raises `Refused`:
    SIGN_IN_LOCKED for a name that has failed too often, known or not, whatever the password;
    ORGANISATION_NOT_ALLOWED (T04); REQUIRED, TEXT_TOO_LONG, TEXT_INVALID. Under an idempotency key, too, every attempt
    is verified: an outcome is not remembered.
    """
    own_unless_internal(write.viewer, given.organisation_id)
    values = sign_in_values(given)
    attempt: Attempt = write.prepared
    customer: stored.Customer | None = None
    if attempt.matched is not None:
        organisation_id = own_or(given.organisation_id, write.viewer)
        customer = await sign_in.user(write, organisation_id, email_key(values["email"]))
        if customer is None or customer.password_hash != attempt.matched:
            raise Outdated
    if not await verified(write, attempt):
        return await failed(write, attempt, UserError(ErrorCode.CREDENTIALS_INVALID))
    assert customer is not None, "verified with somebody's password"
    await sign_in.forget_failures(write, attempt.name)
    await sign_in.signed_in(write, customer, values.get("last_sign_in_from"), attempt.new_hash)
    return Outcome({"customer": customer})


async def attempted_change(context: Context, given: ChangePasswordInput) -> Attempt | None:
    """For `prepared_by`: None for an input that the act refuses, and for a customer whose password it does not
    change."""
    if not (is_possible(given.old_password) and is_possible(given.new_password)):
        return None
    customer = await sign_in.customer_by_number(context.database, context.viewer, given.customer_number)
    if customer is None or given.old_password == given.new_password or signs_in_not(customer):
        return None
    name = name_of(await cursor_key(context.database), customer)
    if await sign_in.must_wait(context.database, name, milliseconds(datetime.now(UTC))):
        return Attempt(name, had_to_wait=True)
    if not await verify(customer.password_hash, given.old_password):
        return Attempt(name)
    return Attempt(name, False, customer.password_hash, await hash_of(given.new_password))


@prepared_by(attempted_change)
async def change_password(write: Write, given: ChangePasswordInput) -> stored.Customer | Outcome:
    """The customer, with the new password (C105); posts UPDATE.

    The outcome's error is CREDENTIALS_INVALID where the old password is another one, or there is none; it counts
    against the user name as a failed sign-in does. Raises `Refused`: what `changeable` refuses, SIGN_IN_LOCKED,
    PROFILE_TYPE_NOT_ALLOWED, CUSTOMER_NOT_ACTIVE, VALUE_INVALID where the new password is the old one; REQUIRED,
    TEXT_TOO_LONG, TEXT_INVALID.
    """
    problems = Problems()
    for name, password in (("oldPassword", given.old_password), ("newPassword", given.new_password)):
        with problems.at(name):
            possible_password(password)
    if not problems.errors and given.old_password == given.new_password:
        problems.add(ErrorCode.VALUE_INVALID, "newPassword")
    problems.raise_any()
    customer = await who_signs_in(write, given.customer_number)
    attempt: Attempt | None = write.prepared
    if attempt is None or (attempt.matched is not None and customer.password_hash != attempt.matched):
        raise Outdated
    if not await verified(write, attempt, "oldPassword"):
        return await failed(write, attempt, UserError(ErrorCode.CREDENTIALS_INVALID, ("oldPassword",)))
    await sign_in.forget_failures(write, attempt.name)
    return changed(write, customer, {"password_hash": attempt.new_hash})


async def set_password_prepared(context: Context, given: SetPasswordInput) -> tuple[str | None, bytes]:
    """For `prepared_by`: the hash of the new password, if it is possible, and the key that user names are hashed
    with."""
    return await new_password_hashed(context, given), await cursor_key(context.database)


@prepared_by(set_password_prepared)
async def set_password(write: Write, given: SetPasswordInput) -> stored.Customer:
    """The customer, with the new password, and free to sign in at once; posts UPDATE.

    Raises `Refused`: what `changeable` refuses, PROFILE_TYPE_NOT_ALLOWED, CUSTOMER_NOT_ACTIVE, REQUIRED, TEXT_TOO_LONG,
    TEXT_INVALID.
    """
    problems = Problems()
    with problems.at("newPassword"):
        possible_password(given.new_password)
    problems.raise_any()
    password_hash, secret = write.prepared
    customer = await who_signs_in(write, given.customer_number)
    await sign_in.forget_failures(write, name_of(secret, customer))
    return changed(write, customer, {"password_hash": password_hash})


async def password_generated(context: Context, given: GeneratePasswordInput) -> tuple[Generated | None, bytes]:
    """For `prepared_by`: a new password with its hash, unless the act refuses the input, and the key that user names
    are hashed with."""
    secret = await cursor_key(context.database)
    try:
        own_unless_internal(context.viewer, given.organisation_id)
        formats.email(given.email)
    except Refused:
        return None, secret
    password = generated_password()
    return Generated(password, await hash_of(password)), secret


@prepared_by(password_generated)
async def generate_password(write: Write, given: GeneratePasswordInput) -> Mapping[str, Any]:
    """The customer and its new password, which is answered this once and kept nowhere (C104); posts UPDATE.

    Raises `Refused`: ORGANISATION_NOT_ALLOWED (T04), EMAIL_INVALID, CUSTOMER_NOT_FOUND where nobody signs in with the
    email, CUSTOMER_MERGED, PROFILE_TYPE_NOT_ALLOWED, CUSTOMER_NOT_ACTIVE. To a repeat under an idempotency key the
    password is null.
    """
    own_unless_internal(write.viewer, given.organisation_id)
    problems = Problems()
    with problems.at("email"):
        key = email_key(formats.email(given.email))
    problems.raise_any()
    generated, secret = write.prepared
    organisation_id = own_or(given.organisation_id, write.viewer)
    customer = await sign_in.owner_of_email(write, organisation_id, key)
    if customer is None:
        raise refuse(ErrorCode.CUSTOMER_NOT_FOUND, "email", rejected=[given.email])
    if customer.merged_into_id is not None:
        raise refuse(ErrorCode.CUSTOMER_MERGED, "email", rejected=[given.email])
    if reason := signs_in_not(customer):
        raise refuse(reason, "email", rejected=[given.email])
    await sign_in.forget_failures(write, name_of(secret, customer))
    changed(write, customer, {"password_hash": generated.password_hash})
    return {"customer": customer, "generated_password": Once(generated.password)}


def sign_in_values(given: VerifyCredentialsInput) -> dict[str, Any]:
    """The given email and place in stored form. An email of another form than emails have is nobody's user name, and
    not refused. Raises `Refused`."""
    problems = Problems()
    values = checked(problems, given, stored.Customer, {}, needed={"email"}, skip={"organisation_id"})
    with problems.at("password"):
        possible_password(given.password)
    problems.raise_any()
    return values


def own_unless_internal(viewer: Viewer, organisation_id: int | None) -> None:
    """Raises `Refused`: ORGANISATION_NOT_ALLOWED."""
    if organisation_id is not None and organisation_id != viewer.organisation_id and not viewer.is_internal:
        raise refuse(ErrorCode.ORGANISATION_NOT_ALLOWED, "organisationId", rejected=[organisation_id])


async def who_signs_in(write: Write, number: int) -> stored.Customer:
    """The customer with this number, locked, who may have a password. Raises `Refused`: what `changeable` refuses,
    PROFILE_TYPE_NOT_ALLOWED, CUSTOMER_NOT_ACTIVE."""
    customer = await changeable(write, number)
    if reason := signs_in_not(customer):
        raise refuse(reason, "customerNumber", rejected=[number])
    return customer


def signs_in_not(customer: stored.Customer) -> ErrorCode | None:
    """Why a profile cannot sign in, if it cannot (rule C10)."""
    if customer.profile_type is not ProfileType.STANDARD:
        return ErrorCode.PROFILE_TYPE_NOT_ALLOWED
    return None if customer.status is CustomerStatus.ACTIVE else ErrorCode.CUSTOMER_NOT_ACTIVE


def name_of(secret: bytes, customer: stored.Customer) -> str:
    """The hash that failures of a customer are counted under."""
    return sign_in.name_hash(secret, customer.organisation_id, customer.customer_number)


async def verified(write: Write, attempt: Attempt, *path: str) -> bool:
    """Whether the attempt had the right password. Raises `Refused`, SIGN_IN_LOCKED, where its name has failed too
    often by now, and `Outdated` where it had to wait but need not any more."""
    if not await sign_in.may_try(write, attempt.name):
        raise refuse(ErrorCode.SIGN_IN_LOCKED, *path)
    if attempt.had_to_wait:
        raise Outdated
    return attempt.matched is not None


async def failed(write: Write, attempt: Attempt, error: UserError) -> Outcome:
    """A refusal that is counted."""
    stop_noting(write.session.sync_session)
    await sign_in.count_failure(write, attempt.name)
    return Outcome(None, [error])
