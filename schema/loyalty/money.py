"""Deposits and withdrawals, and the proof of the ledger."""

import strawberry

from datastore.viewer import Permission
from resolvers.loyalty import money, proof
from resolvers.scalars import Amount
from schema.loyalty.contracts import Contract, Transaction
from schema.mutation import Payload, mutation, payload
from schema.permission import Callers, needs
from schema.view import computed, query

LEDGER = [needs(Permission.LEDGER_READ, Callers.CLIENTS)]
PROVING = 100
CONTRACT = "The contract as it is now."


@strawberry.type(
    description="What the ledger of a contract comes to: the record of how its coupons and its total moved.",
    directives=LEDGER,
)
class LedgerProof:
    contract_uuid: strawberry.ID = strawberry.field(description="Unique id of the contract.")
    head: str = strawberry.field(description="Seal of the last line. Who keeps it can tell later what was added since.")
    count: int = strawberry.field(description="How many lines it has.")
    sum: Amount = strawberry.field(description="Sum of the amounts of all lines: what the contract should have.")
    first_broken_line: int | None = strawberry.field(
        description="Number of the first line that is missing, was put in or was changed; null if there is none."
    )
    is_balanced: bool = strawberry.field(
        description="Whether the lines add up to what the contract has, to its coupons and to its transactions."
    )
    is_intact: bool = computed(
        lambda found: found.first_broken_line is None,
        description="Whether every line is as it was written, and none is missing.",
    )


@payload("What depositToContract answers.")
class DepositToContractPayload(Payload):
    transaction: Transaction | None = strawberry.field(description="The deposit.")
    contract: Contract | None = strawberry.field(description=CONTRACT)


@payload("What withdrawFromContract answers.")
class WithdrawFromContractPayload(Payload):
    transaction: Transaction | None = strawberry.field(description="The withdrawal.")
    contract: Contract | None = strawberry.field(description=CONTRACT)


@payload("What reverseTransaction answers.")
class ReverseTransactionPayload(Payload):
    transaction: Transaction | None = strawberry.field(description="The transaction that takes the other one back.")
    contract: Contract | None = strawberry.field(description=CONTRACT)


@strawberry.type
class LedgerQueries:
    ledger_proof: LedgerProof | None = query(
        proof.ledger_proof,
        needs=Permission.LEDGER_READ,
        callers=Callers.CLIENTS,
        cost=PROVING,
        description="Checks the whole ledger of a contract; null for an unknown contract.",
        arguments={"contract_uuid": "Unique id of the contract."},
    )


@strawberry.type
class MoneyMutations:
    deposit_to_contract: DepositToContractPayload = mutation(
        money.deposit_to_contract,
        needs=Permission.CONTRACT_MONEY_WRITE,
        callers=Callers.CLIENTS,
        description="Pays points or money into a contract.",
    )
    withdraw_from_contract: WithdrawFromContractPayload = mutation(
        money.withdraw_from_contract,
        needs=Permission.CONTRACT_MONEY_WRITE,
        callers=Callers.CLIENTS,
        description="Takes points or money from a contract that has enough of it.",
    )
    reverse_transaction: ReverseTransactionPayload = mutation(
        money.reverse_transaction,
        needs=Permission.CONTRACT_MONEY_WRITE,
        callers=Callers.CLIENTS,
        description="Takes a deposit or a withdrawal back, once, wholly or in part.",
    )
