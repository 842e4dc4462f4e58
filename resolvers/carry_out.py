"""How a mutation runs: in one transaction, once per idempotency key, with every refusal turned into data."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy.exc import DBAPIError, IntegrityError

from datastore.audit import append_changes, record_changes
from datastore.base import milliseconds
from datastore.database import violated_constraint
from datastore.keyset import cursor_key
from datastore.writing import Idempotent, KeyReused, Write, remember, remembered
from resolvers.context import Context
from resolvers.errors import ErrorCode, Refused, UserError
from resolvers.given import field_error, malformed, plain

Act = Callable[[Write, Any], Awaitable[Any]]
Prepare = Callable[[Context, Any], Awaitable[Any]]
A = TypeVar("A", bound=Act)

ATTEMPTS = 5
IDEMPOTENCY_KEY = re.compile(r"[A-Za-z0-9_.:-]{1,100}", re.ASCII)
TRANSIENT = {"40001", "40P01"}
"""PostgreSQL: serialization failure, deadlock. The transaction is rolled back whole and may be tried again."""

PREPARES: dict[Act, Prepare] = {}
TAKEN: dict[str | None, tuple[ErrorCode, str]] = {}
"""Unique constraint -> what to answer when two writers meet at it: the code and the attribute of the input. At any
other one the transaction is tried again: it will find what the other writer stored."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a mutation came to: either `value`, or the errors (then `value` is the current state, if it matters)."""

    value: Any
    user_errors: Sequence[UserError] = ()


class Outdated(Exception):
    """What was prepared for an act does not fit what it found: to be prepared and tried again."""


def prepared_by(prepare: Prepare) -> Callable[[A], A]:
    """What an act needs that takes long and is no matter of its transaction, such as the hash of a password:
    `prepare(context, input)` runs before it begins, and its value is `write.prepared`. It may raise
    `Refused`, too."""

    def decorate(act: A) -> A:
        PREPARES[act] = prepare
        return act

    return decorate


async def carry_out(context: Context, name: str, act: Act, given: Any, key: str | None = None) -> Outcome:
    """Run `act` for the mutation called `name` with its input object, once for each idempotency key.

    Refusals come back as the outcome's errors and nothing is written; anything else that fails is raised and nothing
    is written either. An act that has to keep something of a refusal, such as that it happened, answers the outcome
    itself.
    """
    if key is not None and not IDEMPOTENCY_KEY.fullmatch(key):
        return Outcome(None, [UserError(ErrorCode.IDEMPOTENCY_KEY_INVALID)])
    if errors := list(malformed(given)):
        return Outcome(None, errors)
    try:
        prepared = await PREPARES[act](context, given) if act in PREPARES else None
    except Refused as refused:
        return Outcome(None, refused.errors)
    use = None
    if key is not None:
        use = Idempotent.of(
            key, name, plain(given, context.database.keys), context.viewer, await cursor_key(context.database)
        )
    for attempt in range(1, ATTEMPTS + 1):
        try:
            value = await _transaction(context, name, act, given, use, prepared)
            return value if isinstance(value, Outcome) else Outcome(value)
        except Refused as refused:
            return Outcome(refused.current, refused.errors)
        except Outdated:
            if attempt == ATTEMPTS:
                raise
            prepared = await PREPARES[act](context, given)
        except KeyReused:
            return Outcome(None, [UserError(ErrorCode.IDEMPOTENCY_KEY_REUSED)])
        except DBAPIError as error:
            unique = violated_constraint(error) if isinstance(error, IntegrityError) else None
            if unique in TAKEN:
                return Outcome(None, [field_error(TAKEN[unique][0], given, TAKEN[unique][1])])
            if attempt == ATTEMPTS or not (unique or getattr(error.orig, "sqlstate", None) in TRANSIENT):
                raise
        finally:
            context.forget()
    raise AssertionError("unreachable")


async def _transaction(context: Context, name: str, act: Act, given: Any, use: Idempotent | None, prepared: Any) -> Any:
    async with context.database.write() as session:
        now = milliseconds(datetime.now(UTC))
        by = (context.client_name, context.correlation_id)
        write = Write(session, context.viewer, now, *by, context.database.policy, prepared, context.database.keys)
        record = await use.record(write) if use else None
        if record and record.result:
            earlier = await remembered(write, record)
            return earlier.get("", earlier)
        record_changes(session)
        value = await act(write, given)
        if record and not isinstance(value, Outcome):
            await remember(write, record, value if isinstance(value, Mapping) else {"": value})
        await append_changes(session, context.database.keys, context.viewer, *by, now, name)
        return value
