"""Making contracts, sharing and claiming them, and what becomes of them."""

import strawberry

from datastore.viewer import Permission
from resolvers.loyalty import claims, consumers, contracts
from resolvers.scalars import Long
from schema.customer.types import Customer
from schema.loyalty.contracts import Contract, ContractConsumer
from schema.mutation import Payload, mutation, payload
from schema.permission import Callers
from schema.view import computed

AS_IT_IS = "The contract as it is now."


@payload("What createContract answers.")
class CreateContractPayload(Payload):
    contract: Contract | None = strawberry.field(description="The contract as created.")


@payload("What acceptContract answers.")
class AcceptContractPayload(Payload):
    contract: Contract | None = strawberry.field(description=AS_IT_IS)


@payload("What setContractStatus answers.")
class SetContractStatusPayload(Payload):
    contract: Contract | None = strawberry.field(description=AS_IT_IS)


@payload("What addContractConsumer answers.")
class AddContractConsumerPayload(Payload):
    contract_consumer: ContractConsumer | None = strawberry.field(description="The customer as a consumer.")
    contract: Contract | None = strawberry.field(description=AS_IT_IS)


@payload("What blockContractConsumer answers.")
class BlockContractConsumerPayload(Payload):
    contract_consumer: ContractConsumer | None = strawberry.field(description="The consumer, blocked.")
    contract: Contract | None = strawberry.field(description=AS_IT_IS)


@payload("What unblockContractConsumer answers.")
class UnblockContractConsumerPayload(Payload):
    contract_consumer: ContractConsumer | None = strawberry.field(description="The consumer, not blocked any more.")
    contract: Contract | None = strawberry.field(description=AS_IT_IS)


@payload("What claimPersonnelTicket answers.")
class ClaimPersonnelTicketPayload(Payload):
    success: bool = computed(
        lambda claimed: not claimed.user_errors, description="Indicates whether the customer has the contract now."
    )
    customer_number: Long | None = computed(
        lambda claimed: claimed.customer.customer_number if claimed.customer else None,
        description="Number of the customer who has claimed it.",
    )
    customer: Customer | None = strawberry.field(description="The customer who has claimed it.")
    contract: Contract | None = strawberry.field(description="The contract that was claimed.")


@payload("What activateLoyaltyProgram answers.")
class ActivateLoyaltyProgramPayload(Payload):
    contract: Contract | None = strawberry.field(description="The contract of the program that the customer has now.")
    customer: Customer | None = strawberry.field(description="The customer.")


@strawberry.type
class ContractMutations:
    create_contract: CreateContractPayload = mutation(
        contracts.create_contract,
        needs=Permission.CONTRACT_WRITE,
        callers=Callers.CLIENTS,
        description="Makes a contract of a loyalty program, for a customer or to be claimed.",
    )
    accept_contract: AcceptContractPayload = mutation(
        contracts.accept_contract,
        needs=Permission.CONTRACT_CLAIM,
        description="Notes that the customer has accepted a contract; users accept what they hold.",
    )
    set_contract_status: SetContractStatusPayload = mutation(
        contracts.set_contract_status,
        needs=Permission.CONTRACT_WRITE,
        callers=Callers.CLIENTS,
        description="Notes that a contract was refunded, cancelled or misused; it stays so.",
    )
    add_contract_consumer: AddContractConsumerPayload = mutation(
        consumers.add_contract_consumer,
        needs=Permission.CONTRACT_SHARE,
        description="Lets a customer use a contract; users share what they hold with those who belong to them.",
    )
    block_contract_consumer: BlockContractConsumerPayload = mutation(
        consumers.block_contract_consumer,
        needs=Permission.CONTRACT_SHARE,
        description="Keeps a consumer from using a contract.",
    )
    unblock_contract_consumer: UnblockContractConsumerPayload = mutation(
        consumers.unblock_contract_consumer,
        needs=Permission.CONTRACT_SHARE,
        description="Lets a blocked consumer use a contract again.",
    )
    claim_personnel_ticket: ClaimPersonnelTicketPayload = mutation(
        claims.claim_personnel_ticket,
        needs=Permission.CONTRACT_CLAIM,
        description="Makes a customer a consumer of the personnel ticket with a code; users claim for themselves.",
    )
    activate_loyalty_program: ActivateLoyaltyProgramPayload = mutation(
        claims.activate_loyalty_program,
        needs=Permission.CONTRACT_CLAIM,
        description="Gives a customer a contract of the loyalty program with a code; users activate for themselves.",
    )
