"""Claiming a contract by a code, and activating a loyalty program by its word (rules L07, L21, L40 and L41).

Codes can be guessed, so failures are counted, for the customer and for the caller: whoever has failed too often must
wait, and is answered before anything is looked up. All failures answer CLAIM_REFUSED after the same statements, so
neither the answer nor its cost tells whether there is such a code, whose it is, or what did not fit. A failure has no
entry in the audit log, but it is counted, although the mutation is refused: the acts answer `_failed`.

What changes nothing, such as a second claim by a consumer, ends no row of failures: or whoever has one code could use
it to guess others for ever.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import strawberry

from datastore import attempts
from datastore.attempts import Limit
from datastore.changes import stop_noting
from datastore.customer import Customer
from datastore.keyset import cursor_key
from datastore.loyalty import people as statements
from datastore.loyalty.contract import Contract, ContractConsumer, ContractStatus
from datastore.loyalty.ends import end_of_program
from datastore.loyalty.program import LoyaltyProgram, LoyaltyProgramType
from datastore.text import email_key
from datastore.writing import Write
from resolvers import formats
from resolvers.carry_out import Outcome, prepared_by
from resolvers.context import Context
from resolvers.customer.inputs import CUSTOMER_NUMBER
from resolvers.errors import ErrorCode, UserError, refuse
from resolvers.given import Problems
from resolvers.loyalty.consumers import MOST_CONSUMERS
from resolvers.loyalty.contracts import client, is_current, new_consumer, new_contract, touched
from resolvers.loyalty.policies import fits
from resolvers.scalars import Long

CLIENT_TRIES = 20
"""How many times as often as a user a client may fail in a row: it asks for many customers, and one who mistypes must
not lock out all others."""
LONGEST_CODE, LONGEST_REFERENCE = 60, 100
NOBODY = 0
"""The key of no customer."""

Names = Mapping[str, Limit]
"""The hashes that an attempt is counted under, each with its limit."""


@strawberry.input(description="A personnel ticket that a customer claims.")
class ClaimPersonnelTicketInput:
    customer_number: Long = strawberry.field(description=f"{CUSTOMER_NUMBER} Users name their own.")
    external_reference: str = strawberry.field(description="Code of the personnel ticket, of the form text-text-text.")


@strawberry.input(description="A loyalty program that a customer activates.")
class ActivateLoyaltyProgramInput:
    customer_number: Long = strawberry.field(description=f"{CUSTOMER_NUMBER} Users name their own.")
    loyalty_program_code: str = strawberry.field(description="Word of the program, in any case. At most 60 characters.")
    external_ref: str | None = strawberry.field(
        default=None,
        description="External reference of a contract of the program, which is claimed; without it there is a new one.",
    )


async def secret(context: Context, given: object) -> bytes:
    """For `prepared_by`: the key that names are hashed with."""
    return await cursor_key(context.database)


@prepared_by(secret)
async def claim_personnel_ticket(write: Write, given: ClaimPersonnelTicketInput) -> Mapping[str, Any] | Outcome:
    """The customer with the contract that has the code as its external reference: as its holder if it had none, else as
    a further consumer (L40). To a customer who is a consumer already the same is answered again.

    The outcome's error is CLAIM_REFUSED, the same for an unknown code, a contract that cannot be used any more, a
    consumer who is blocked, policies that do not fit (L21), a contract with no place left, and a customer whom the
    caller may not see, of another organisation, or deleted; it is counted (L41). Raises `Refused`: CLAIM_CODE_INVALID,
    CLAIM_LOCKED after too many failures in a row, whatever the code.
    """
    problems = Problems()
    code = ""
    with problems.at("externalReference"):
        code = formats.claim_code(given.external_reference)
    problems.raise_any()
    customer, names = await _claimant(write, given.customer_number)
    organisation_id = customer.organisation_id if customer else write.viewer.organisation_id
    found = await statements.with_reference(write, organisation_id, code)
    contract = await _claimed(write, names, customer, found)
    if contract is None or customer is None:
        return await _failed(write, names, "externalReference")
    return {"customer": customer, "contract": contract}


@prepared_by(secret)
async def activate_loyalty_program(write: Write, given: ActivateLoyaltyProgramInput) -> Mapping[str, Any] | Outcome:
    """The customer with a contract of the current program of its organisation that has the code: a new one, or the one
    with the external reference that nobody has claimed (L07).

    The outcome's error is CLAIM_REFUSED, as in `claim_personnel_ticket`, and for programs that are not current, too; a
    new contract is refused, too, to whoever has misused one of the program. It is counted with the failures there.
    Raises `Refused`: CLAIM_LOCKED, REQUIRED, TEXT_TOO_LONG, TEXT_INVALID, ALREADY_ACTIVATED for a customer who holds a
    contract of the program that can still be used, CONTRACT_ALREADY_CLAIMED for one who holds the very contract that is
    named.
    """
    code, reference = _typed(given)
    customer, names = await _claimant(write, given.customer_number)
    organisation_id = customer.organisation_id if customer else write.viewer.organisation_id
    version = await statements.version_by_code(write, organisation_id, email_key(code))
    end = await end_of_program(write, version.loyalty_program_id) if version else write.now
    if version and not _can_be_activated(write, version, end):
        version = None
    if reference is not None:
        program_id = version.loyalty_program_id if version else NOBODY
        found = await statements.with_reference(write, organisation_id, reference, program_id)
        if customer and any(each.holder_id == customer.id for each in found):
            raise refuse(ErrorCode.CONTRACT_ALREADY_CLAIMED)
        contract = await _claimed(write, names, customer, [each for each in found if each.holder_id is None])
    elif version and customer and await _may_activate(write, version, customer):
        contract = await new_contract(write, version, end, customer, {"consumable_from": write.now})
        await _succeeded(write, names)
    else:
        contract = None
    if contract is None or customer is None:
        return await _failed(write, names, "loyaltyProgramCode")
    return {"contract": contract, "customer": customer}


# Who claims, and how often


async def _claimant(write: Write, number: int) -> tuple[Customer | None, Names]:
    """The customer whom the caller may claim for, locked, and the names that the attempt is counted under, locked too.

    What a user tries for somebody else is counted for the user alone: nobody can lock another one out. Raises
    `Refused`: CLAIM_LOCKED.
    """
    viewer, policy = write.viewer, write.policy
    customer = await statements.customer(write, viewer, statements.by_number(number))
    limit = Limit(policy.claim_failures, policy.claim_pause)
    names = {}
    counted = viewer.customer_number if viewer.is_user else number
    if customer is not None:
        counted = customer.customer_number
    if counted is not None:
        organisation_id = customer.organisation_id if customer else viewer.organisation_id
        names[attempts.claimant_hash(write.prepared, organisation_id, counted)] = limit
    if viewer.subject or viewer.client_id:
        caller = (viewer.issuer, viewer.subject, "" if viewer.subject else viewer.client_id)
        names[attempts.name_hash(write.prepared, "claim by", viewer.organisation_id, *caller)] = (
            limit if viewer.is_user else Limit(CLIENT_TRIES * limit.failures, limit.pause)
        )
    for name in sorted(names):
        if not await attempts.may_try(write, name, names[name]):
            raise refuse(ErrorCode.CLAIM_LOCKED)
    return customer, names


async def _succeeded(write: Write, names: Names) -> None:
    for name in sorted(names):
        await attempts.forget_failures(write, name)


async def _failed(write: Write, names: Names, field: str) -> Outcome:
    """A refusal that is counted."""
    stop_noting(write.session.sync_session)
    for name in sorted(names):
        await attempts.count_failure(write, name, names[name])
    return Outcome(None, [UserError(ErrorCode.CLAIM_REFUSED, (field,))])


def _typed(given: ActivateLoyaltyProgramInput) -> tuple[str, str | None]:
    """The word and the external reference in stored form. Raises `Refused`, without them: REQUIRED, TEXT_TOO_LONG,
    TEXT_INVALID."""
    problems = Problems()
    code, reference = "", None
    with problems.at("loyaltyProgramCode"):
        code = formats.clean(given.loyalty_program_code, LONGEST_CODE)
        if not code:
            raise refuse(ErrorCode.REQUIRED)
    if given.external_ref is not None:
        with problems.at("externalRef"):
            reference = formats.clean(given.external_ref, LONGEST_REFERENCE)
            if not reference:
                raise refuse(ErrorCode.REQUIRED)
    problems.raise_any()
    return code, reference


# What is claimed


async def _claimed(write: Write, names: Names, customer: Customer | None, found: Sequence[Contract]) -> Contract | None:
    """The contract among these, locked ones, that the customer has now; None if there is none to have."""
    keys = [each.id for each in found]
    as_consumer = await statements.as_consumer(write, keys, customer.id if customer else NOBODY)
    policies = await statements.policies(write, keys)
    if customer is None:
        return None
    possible: list[tuple[int, Contract]] = []
    for contract in found:
        mine = as_consumer.get(contract.id, [])
        if any(each.is_blocked for each in mine):
            continue
        if mine and contract.holder_id is not None:
            return contract
        if fits(write.keys, contract.uuid, policies[contract.id], customer):
            possible.append((contract.holder_id is not None, contract))
    for _, contract in sorted(possible, key=lambda each: each[0]):
        if await _given(write, contract, customer, next(iter(as_consumer.get(contract.id, [])), None)):
            await _succeeded(write, names)
            return contract
    return None


async def _given(write: Write, contract: Contract, customer: Customer, mine: ContractConsumer | None) -> bool:
    """Make the customer a consumer of a contract, and its holder if it has none; False if it has no place left."""
    is_holder = contract.holder_id is None
    if mine is None:
        if await write.count(ContractConsumer.contract_id, contract.id) >= MOST_CONSUMERS:
            return False
        new_consumer(write, contract, customer, is_contract_holder=is_holder)
    else:
        mine.is_contract_holder = is_holder
        mine.last_changed_at, mine.last_changed_by = write.now, client(write)
    touched(write, contract, {"holder_id": customer.id} if is_holder else None)
    await write.session.flush()
    return True


def _can_be_activated(write: Write, version: LoyaltyProgram, end: datetime) -> bool:
    return is_current(write, version, end) and version.loyalty_program_type is not LoyaltyProgramType.UNMAPPED


async def _may_activate(write: Write, version: LoyaltyProgram, customer: Customer) -> bool:
    """False for whoever has misused a contract of the program: it would only be replaced. Raises `Refused`:
    ALREADY_ACTIVATED."""
    own = {"holder_id": customer.id, "loyalty_program_id": version.loyalty_program_id}
    if await write.exists(Contract, Contract.ends_at > write.now, status=ContractStatus.VALID, **own):
        raise refuse(ErrorCode.ALREADY_ACTIVATED)
    return not await write.exists(Contract, status=ContractStatus.MISUSED, **own)
