"""Who may use a contract besides its holder (rule L20)."""

from collections.abc import Mapping, Sequence
from typing import Any

import strawberry
from strawberry import ID

from datastore.customer import Customer
from datastore.loyalty import people as statements
from datastore.loyalty.contract import Contract, ContractConsumer
from datastore.writing import Write
from resolvers.customer.inputs import CUSTOMER_NUMBER
from resolvers.errors import ErrorCode, refuse
from resolvers.given import Problems
from resolvers.loyalty.contracts import (
    CONTRACT,
    CUSTOMER_REF,
    UUID,
    client,
    contract_in,
    for_its_holder,
    named_customer,
    new_consumer,
    still_good,
    touched,
)
from resolvers.scalars import Long

MOST_CONSUMERS = 100


@strawberry.input(description="A contract, and a customer.")
class ConsumerFields:
    contract_uuid: ID = strawberry.field(description=CONTRACT)
    customer_number: Long | None = strawberry.field(default=None, description=CUSTOMER_NUMBER)
    customer_ref: str | None = strawberry.field(default=None, description=CUSTOMER_REF)


@strawberry.input(
    description="A customer who may use a contract from now on. Users name profiles connected to their own, and family."
)
class AddContractConsumerInput(ConsumerFields):
    pass


@strawberry.input(description="A consumer who may not use a contract from now on.")
class BlockContractConsumerInput(ConsumerFields):
    pass


@strawberry.input(description="A blocked consumer who may use a contract again.")
class UnblockContractConsumerInput(ConsumerFields):
    pass


async def add_contract_consumer(write: Write, given: AddContractConsumerInput) -> Mapping[str, Any]:
    """The contract, and the customer as a consumer of it.

    Users may name only who belongs to them: profiles that are connected to their own, and the families of their
    employments. All others answer as if they did not exist, so that nobody finds out by this which numbers there are,
    and nobody is given what they did not ask for.

    Raises `Refused`: CONTRACT_NOT_FOUND (foreign ones too, T04), NOT_THE_CONTRACT_HOLDER for users, CONTRACT_NOT_VALID,
    CONTRACT_EXPIRED, EXACTLY_ONE_NEEDED, CUSTOMER_NOT_FOUND for deleted ones and those of other organisations too,
    CONTRACT_HOLDER_NEEDED for the holder, ALREADY_A_CONSUMER for one that is blocked too, TOO_MANY_CONSUMERS.
    """
    contract, customer, field = await _named(write, given)
    still_good(write, contract)
    if customer is None:
        raise refuse(ErrorCode.CUSTOMER_NOT_FOUND, field, rejected=_said(given))
    if customer.id == contract.holder_id:
        raise refuse(ErrorCode.CONTRACT_HOLDER_NEEDED, field, rejected=_said(given))
    if await statements.consumer(write, contract.id, customer.id):
        raise refuse(ErrorCode.ALREADY_A_CONSUMER, field, rejected=_said(given))
    if await write.count(ContractConsumer.contract_id, contract.id) >= MOST_CONSUMERS:
        raise refuse(ErrorCode.TOO_MANY_CONSUMERS)
    made = new_consumer(write, contract, customer)
    return await _answered(write, contract, made)


async def block_contract_consumer(write: Write, given: BlockContractConsumerInput) -> Mapping[str, Any]:
    """The contract, and the consumer, who may not use it any more.

    Raises `Refused`: CONTRACT_NOT_FOUND (foreign ones too, T04), NOT_THE_CONTRACT_HOLDER for users, EXACTLY_ONE_NEEDED,
    NOT_A_CONSUMER for customers that do not exist too, CONTRACT_HOLDER_NEEDED for the holder, CONSUMER_BLOCKED.
    """
    contract, rows, field = await _consumer(write, given)
    if any(each.is_contract_holder or each.customer_id == contract.holder_id for each in rows):
        raise refuse(ErrorCode.CONTRACT_HOLDER_NEEDED, field, rejected=_said(given))
    if any(each.is_blocked for each in rows):
        raise refuse(ErrorCode.CONSUMER_BLOCKED, field, rejected=_said(given))
    return await _changed(write, contract, rows, is_blocked=True)


async def unblock_contract_consumer(write: Write, given: UnblockContractConsumerInput) -> Mapping[str, Any]:
    """The contract, and the consumer, who may use it again.

    Raises `Refused`: CONTRACT_NOT_FOUND (foreign ones too, T04), NOT_THE_CONTRACT_HOLDER for users, EXACTLY_ONE_NEEDED,
    NOT_A_CONSUMER for customers that do not exist too, CONSUMER_NOT_BLOCKED.
    """
    contract, rows, field = await _consumer(write, given)
    if not any(each.is_blocked for each in rows):
        raise refuse(ErrorCode.CONSUMER_NOT_BLOCKED, field, rejected=_said(given))
    return await _changed(write, contract, rows, is_blocked=False)


async def _named(write: Write, given: ConsumerFields) -> tuple[Contract, Customer | None, str]:
    """The contract, locked after the customer, whom the organisation of the contract has or has not; and the field that
    names the customer. Raises `Refused`: CONTRACT_NOT_FOUND, NOT_THE_CONTRACT_HOLDER, EXACTLY_ONE_NEEDED,
    TEXT_TOO_LONG, TEXT_INVALID."""
    problems = Problems()
    customer, organisation_id, allowed = None, None, None
    if UUID.fullmatch(given.contract_uuid):
        organisation_id = await statements.organisation_of(write, given.contract_uuid)
    if organisation_id is not None:
        if write.viewer.is_user:
            allowed = await statements.belonging(write, given.contract_uuid)
        customer = await named_customer(write, problems, organisation_id, given, allowed)
    contract = await contract_in(write, given.contract_uuid)
    for_its_holder(write, contract)
    problems.errors = [each for each in problems.errors if each.code is not ErrorCode.CUSTOMER_NOT_FOUND]
    problems.raise_any()
    return contract, customer, "customerNumber" if given.customer_number is not None else "customerRef"


async def _consumer(write: Write, given: ConsumerFields) -> tuple[Contract, list[ContractConsumer], str]:
    """As `_named`, with the rows of the customer as a consumer. Raises `Refused`: NOT_A_CONSUMER too."""
    contract, customer, field = await _named(write, given)
    rows = await statements.consumer(write, contract.id, customer.id if customer else 0)
    if not rows:
        raise refuse(ErrorCode.NOT_A_CONSUMER, field, rejected=_said(given))
    return contract, rows, field


async def _changed(
    write: Write, contract: Contract, rows: Sequence[ContractConsumer], *, is_blocked: bool
) -> Mapping[str, Any]:
    """One person is blocked or not, by whichever of its profiles."""
    for consumer in rows:
        consumer.is_blocked = is_blocked
        consumer.last_changed_at, consumer.last_changed_by = write.now, client(write)
    return await _answered(write, contract, rows[0])


async def _answered(write: Write, contract: Contract, consumer: ContractConsumer) -> Mapping[str, Any]:
    touched(write, contract)
    await write.session.flush()
    return {"contract": contract, "contract_consumer": consumer}


def _said(given: ConsumerFields) -> list[object]:
    """How the caller named the customer."""
    return [each for each in (given.customer_number, given.customer_ref) if each is not None]
