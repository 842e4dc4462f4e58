"""Attempts that may fail only so often in a row: signing in (rule C103), claiming by a code (rule L41)."""

import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select

from datastore.bookkeeping import SignInFailure
from datastore.database import Database
from datastore.writing import Write

MOST_FORGOTTEN = 100
"""How many old rows one attempt removes, in passing."""


@dataclass(frozen=True, slots=True)
class Limit:
    """After so many failures in a row a name must wait, so long from the last failure on."""

    failures: int
    pause: timedelta

    def is_reached(self, failures: int, last_failed_at: datetime, now: datetime) -> bool:
        """Whether a name that has failed so often must wait."""
        return failures >= self.failures and last_failed_at > now - self.pause


def name_hash(secret: bytes, attempt: str, *name: str | int) -> str:
    """The keyed hash under which failures of a name in a kind of attempt are counted."""
    text = json.dumps([attempt, *name])  # json escapes lone surrogates
    return hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()


def claimant_hash(secret: bytes, organisation_id: int, customer_number: int) -> str:
    """The hash under which what is claimed for a customer is counted."""
    return name_hash(secret, "claim", organisation_id, customer_number)


async def must_wait(database: Database, name: str, limit: Limit, now: datetime) -> bool:
    """Whether the name with this hash is locked, as far as can be told outside of a transaction."""
    statement = select(SignInFailure.failures, SignInFailure.last_failed_at).where(SignInFailure.name_hash == name)
    found = await database.fetch(statement)
    return any(limit.is_reached(row.failures, row.last_failed_at, now) for row in found)


async def may_try(write: Write, name: str, limit: Limit) -> bool:
    """Whether the name with this hash may try. To the end of the transaction nobody else can find that out, so no
    more attempts are answered than are allowed. Lock the row of the customer first; of several names, lock by
    ascending hash."""
    await write.lock("sign in", name)
    failure = await write.session.get(SignInFailure, name, with_for_update=True)
    return failure is None or not limit.is_reached(failure.failures, failure.last_failed_at, write.now)


async def count_failure(write: Write, name: str, limit: Limit) -> None:
    """One more attempt has failed, after `may_try` in the same transaction. Failures from before the pause do not
    count any more; some that count nowhere are removed."""
    longest = max(write.policy.sign_in_pause, write.policy.claim_pause)
    expired = SignInFailure.last_failed_at <= write.now - longest
    old = select(SignInFailure.name_hash).where(expired, SignInFailure.name_hash != name)
    failure = await write.session.get(SignInFailure, name)
    if failure is None:
        failure = SignInFailure(name_hash=name, failures=0, last_failed_at=write.now)
        write.session.add(failure)
    in_a_row = failure.last_failed_at > write.now - limit.pause
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
