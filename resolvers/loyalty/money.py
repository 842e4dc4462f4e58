"""Deposits into contracts of points or money, withdrawals, and taking either back (rules L17 to L19)."""

import uuid
from collections.abc import Mapping
from typing import Any

import strawberry
from strawberry import ID

from datastore.loyalty import ledger
from datastore.loyalty.contract import Contract, ContractStatus
from datastore.loyalty.ledger import MOST, LedgerKind, Transaction
from datastore.loyalty.program import LoyaltyProgram, LoyaltyProgramType
from datastore.writing import Write
from resolvers import formats
from resolvers.errors import ErrorCode, refuse
from resolvers.given import Problems, checked
from resolvers.loyalty.contracts import FINAL, UUID, client, contract_in
from resolvers.loyalty.shown import contract_status
from resolvers.scalars import Amount, written_amount

CONTRACT_UUID = "Unique id of the contract."
AMOUNT = "The amount, above zero."
CURRENCY = "Currency: three capital letters, of ISO 4217 or of a program's own points."
RRN = "External retrieval reference number of the payment. At most 60 characters."
EMAIL = "Email of the seller."
POS_ID = "Point of sale. At most 60 characters."
EXTERNAL_TRANSACTION_ID = "Id of the transaction elsewhere. At most 100 characters."
APART = {"amount", "currency", "internal_transaction_id"}
"""Fields of the inputs that are no columns of the new transaction as they are."""


@strawberry.input(description="What the seller tells of a deposit.")
class DepositToContractInput:
    contract_uuid: ID = strawberry.field(description=CONTRACT_UUID)
    amount: Amount = strawberry.field(description=AMOUNT)
    currency: str = strawberry.field(description=f"{CURRENCY} The first deposit fixes that of the contract.")
    rrn: str | None = strawberry.field(default=None, description=RRN)
    email: str | None = strawberry.field(default=None, description=EMAIL)
    pos_id: str | None = strawberry.field(default=None, description=POS_ID)
    external_transaction_id: str | None = strawberry.field(default=None, description=EXTERNAL_TRANSACTION_ID)


@strawberry.input(description="What the seller tells of a withdrawal.")
class WithdrawFromContractInput:
    contract_uuid: ID = strawberry.field(description=CONTRACT_UUID)
    amount: Amount = strawberry.field(description=AMOUNT)
    currency: str = strawberry.field(description=f"{CURRENCY} It has to be that of the contract.")
    rrn: str | None = strawberry.field(default=None, description=RRN)
    email: str | None = strawberry.field(default=None, description=EMAIL)
    pos_id: str | None = strawberry.field(default=None, description=POS_ID)
    external_transaction_id: str | None = strawberry.field(default=None, description=EXTERNAL_TRANSACTION_ID)


@strawberry.input(description="A deposit or withdrawal that is to be taken back.")
class ReverseTransactionInput:
    internal_transaction_id: ID = strawberry.field(description="Id of the transaction here.")
    amount: Amount | None = strawberry.field(
        default=None, description="How much of it, above zero; without it, all. It can be done once, whole or in part."
    )
    rrn: str | None = strawberry.field(default=None, description=RRN)
    email: str | None = strawberry.field(default=None, description=EMAIL)
    pos_id: str | None = strawberry.field(default=None, description=POS_ID)
    external_transaction_id: str | None = strawberry.field(default=None, description=EXTERNAL_TRANSACTION_ID)


async def deposit_to_contract(write: Write, given: DepositToContractInput) -> Mapping[str, Any]:
    """The transaction and the contract. The first deposit fixes the currency (L18).

    Raises `Refused`: CONTRACT_NOT_FOUND (foreign ones too, T04), NOT_A_POINTS_CONTRACT (L17), CONTRACT_NOT_VALID,
    CONTRACT_NOT_YET_CONSUMABLE, CONTRACT_EXPIRED (L12), AMOUNT_INVALID for zero and less (L19), CURRENCY_INVALID,
    EMAIL_INVALID, TEXT_TOO_LONG, TEXT_INVALID; CURRENCY_MISMATCH, TOTAL_TOO_HIGH where the contract would have more
    than `ledger.MOST`.
    """
    contract, values = await _usable(write, given)
    await ledger.open_total(write, contract.id, values["currency"])
    return await _booked(write, contract, LedgerKind.DEPOSIT, given.amount, values)


async def withdraw_from_contract(write: Write, given: WithdrawFromContractInput) -> Mapping[str, Any]:
    """The transaction, whose amount is negative, and the contract (L18).

    Raises `Refused` as `deposit_to_contract`, but TOTAL_TOO_LOW where the contract has less, or nothing yet.
    """
    contract, values = await _usable(write, given)
    return await _booked(write, contract, LedgerKind.WITHDRAWAL, -given.amount, values)


async def reverse_transaction(write: Write, given: ReverseTransactionInput) -> Mapping[str, Any]:
    """The transaction that takes another one back, wholly or in part, and the contract. It puts the books right, so the
    contract may be of any status, and over.

    Raises `Refused`: TRANSACTION_NOT_FOUND (foreign ones too, T04), REVERSAL_NOT_ALLOWED for what is itself a reversal,
    ALREADY_REVERSED, AMOUNT_INVALID, REVERSAL_TOO_LARGE, EMAIL_INVALID, TEXT_TOO_LONG, TEXT_INVALID, TOTAL_TOO_LOW
    where what was deposited is spent (L18), TOTAL_TOO_HIGH.
    """
    wanted = given.internal_transaction_id
    original = await ledger.transaction(write, wanted) if UUID.fullmatch(wanted) else None
    if original is None:
        raise refuse(ErrorCode.TRANSACTION_NOT_FOUND, "internalTransactionId", rejected=[wanted])
    # Whoever moves a balance locks the contract first, and what is taken back never changes.
    contract: Contract = await write.get(Contract.id, original.contract_id)
    problems = Problems()
    values = _told(problems, given)
    if original.reverses_id is not None:
        problems.add(ErrorCode.REVERSAL_NOT_ALLOWED, "internalTransactionId", rejected=[wanted])
    elif await write.exists(Transaction, reverses_id=original.id):
        problems.add(ErrorCode.ALREADY_REVERSED, "internalTransactionId", rejected=[wanted])
    amount = abs(original.amount) if given.amount is None else given.amount
    if abs(original.amount) < amount <= MOST:
        problems.add(ErrorCode.REVERSAL_TOO_LARGE, "amount", rejected=[written_amount(amount)])
    problems.raise_any()
    values |= {"currency": original.currency, "reverses_id": original.id}
    return await _booked(write, contract, LedgerKind.REVERSAL, -amount if original.amount > 0 else amount, values)


async def _usable(
    write: Write, given: DepositToContractInput | WithdrawFromContractInput
) -> tuple[Contract, dict[str, Any]]:
    """The contract, locked, whose program is of points and which can be used now, and what is told of the transaction,
    by column."""
    contract = await contract_in(write, given.contract_uuid)
    problems = Problems()
    values = _told(problems, given)
    with problems.at("currency"):
        values["currency"] = formats.currency(given.currency)
    if code := await _obstacle(write, contract):
        problems.add(code, "contractUuid", rejected=[contract.uuid])
    problems.raise_any()
    return contract, values


async def _obstacle(write: Write, contract: Contract) -> ErrorCode | None:
    """Why nothing can be paid into or from a contract now (L12, L17)."""
    program: Any = await write.session.get(LoyaltyProgram, contract.loyalty_program_id)
    if program.loyalty_program_type is not LoyaltyProgramType.POINTS:
        return ErrorCode.NOT_A_POINTS_CONTRACT
    if contract.status in FINAL:
        return ErrorCode.CONTRACT_NOT_VALID
    if write.now < contract.consumable_from:
        return ErrorCode.CONTRACT_NOT_YET_CONSUMABLE
    is_over = contract_status(contract, write.now) is ContractStatus.EXPIRED
    return ErrorCode.CONTRACT_EXPIRED if is_over else None


def _told(
    problems: Problems, given: DepositToContractInput | WithdrawFromContractInput | ReverseTransactionInput
) -> dict[str, Any]:
    if given.amount is not None and not 0 < given.amount <= MOST:
        problems.add(ErrorCode.AMOUNT_INVALID, "amount", rejected=[written_amount(given.amount)])
    return checked(problems, given, Transaction, {"email": formats.email}, skip=APART)


async def _booked(
    write: Write, contract: Contract, kind: LedgerKind, amount: int, values: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Move the total of a contract, with the transaction and its line of the ledger."""
    made = Transaction(
        **values,
        contract_id=contract.id,
        amount=amount,
        timestamp=write.now,
        internal_transaction_id=str(uuid.uuid4()),
        created_by=client(write),
    )
    reference = ledger.reference_of(made.internal_transaction_id)
    if not await ledger.move_amount(write, contract.id, kind, amount, made.currency, reference):
        currency = await ledger.currency_of(write, contract.id)
        if currency not in (made.currency, None):
            raise refuse(ErrorCode.CURRENCY_MISMATCH, "currency", rejected=[made.currency])
        code = ErrorCode.TOTAL_TOO_LOW if amount < 0 else ErrorCode.TOTAL_TOO_HIGH
        raise refuse(code, "amount", rejected=[written_amount(abs(amount))])
    write.session.add(made)
    await write.session.flush()
    return {"transaction": made, "contract": contract}
