"""Using contracts: validation, use, reservations, order lines."""

import strawberry

from datastore.viewer import Permission
from resolvers.loyalty import consuming, order_lines, reservations, validation
from schema.cost import ListSize
from schema.loyalty.contracts import Contract, ContractReservation, OrderLineEvent
from schema.mutation import Payload, mutation, payload
from schema.permission import Callers, needs
from schema.view import computed, describe, query

OUTCOME = validation.ConsumptionOutcome
CODE = "What it comes to, as a code: 3101 if it is valid, else one of those that ConsumptionOutcome tells."
REASON = "Why it is not valid, in a few words; OK if it is."
CONTRACT, SUB_CONTRACT = "The contract as it is now.", "The timed contract that the use has made, if it has."

describe(
    OUTCOME,
    "What the validation of a use comes to. The checks are made in this order; the first that fails counts.",
    OK="Code 3101: the contract can be used.",
    CONTRACT_UNKNOWN="Code 3102: there is no such contract that the caller may see.",
    NOT_A_CONSUMER="Code 3103: the customer is not a consumer of the contract.",
    CONSUMER_BLOCKED="Code 3104: the customer is blocked from using the contract.",
    CONTRACT_NOT_VALID="Code 3105: the contract was refunded, cancelled or misused.",
    NOT_YET_CONSUMABLE="Code 3106: the contract cannot be used yet.",
    EXPIRED="Code 3107: the contract or its loyalty program has ended.",
    PRODUCT_MISMATCH="Code 3108: the product is not that of the contract.",
    PRODUCT_VERSION_MISMATCH="Code 3109: the version of the product is not that of the contract.",
    TOO_FEW_COUPONS="Code 3110: the contract has too few coupons left in the year of travel.",
    NOTHING_TO_CREATE="Code 3111: the loyalty program of the contract that a use creates has ended.",
)


@strawberry.type(
    description="Whether one use of a list is possible.", directives=[needs(Permission.CONTRACT_READ, Callers.EVERYONE)]
)
class ContractConsumptionResult:
    contract_uuid: strawberry.ID = strawberry.field(description="The contract that was asked about.")
    outcome: OUTCOME = strawberry.field(description="What it comes to.")
    code: int = computed(lambda result: result.outcome.value.code, description=CODE)
    reason: str = computed(lambda result: result.outcome.value.text, description=REASON)
    is_valid: bool = computed(
        lambda result: result.outcome is OUTCOME.OK, description="Indicates whether the contract can be used."
    )


@strawberry.type(
    description="Whether all uses of a list are possible.",
    directives=[needs(Permission.CONTRACT_READ, Callers.EVERYONE)],
)
class ContractConsumptionValidation:
    code: int = computed(
        lambda found: found.outcome.value.code, description=f"{CODE} It is that of the first use that is not valid."
    )
    reason: str = computed(lambda found: found.outcome.value.text, description=REASON)
    is_valid: bool = computed(
        lambda found: found.outcome is OUTCOME.OK, description="Indicates whether all uses are valid."
    )
    outcome: OUTCOME = strawberry.field(description="What it comes to: the outcome of the first use that is not valid.")
    results: list[ContractConsumptionResult] = strawberry.field(description="What each use comes to, in their order.")


@strawberry.type
class ConsumptionQueries:
    validate_contract_consumption: ContractConsumptionValidation = query(
        validation.validate_contract_consumption,
        needs=Permission.CONTRACT_READ,
        description="Whether contracts can be used, at most 100 uses at a time. Nothing is used or held by it.",
        arguments={"consumptions": "The uses; coupons of one contract in one year add up."},
        size=ListSize(slicing_arguments=["consumptions"], sized_fields=["results"]),
    )


@payload("What consumeContract answers.")
class ConsumeContractPayload(Payload):
    order_line_event: OrderLineEvent | None = strawberry.field(description="The order line as booked.")
    contract: Contract | None = strawberry.field(description=CONTRACT)
    sub_contract: Contract | None = strawberry.field(description=SUB_CONTRACT)


@payload("What registerOrderLineEvent answers.")
class RegisterOrderLineEventPayload(Payload):
    order_line_event: OrderLineEvent | None = strawberry.field(description="The event as booked.")
    contract: Contract | None = strawberry.field(description=CONTRACT)
    sub_contract: Contract | None = strawberry.field(description=SUB_CONTRACT)


@payload("What reserveContractConsumption answers.")
class ReserveContractConsumptionPayload(Payload):
    reservation: ContractReservation | None = strawberry.field(description="The reservation.")
    contract: Contract | None = strawberry.field(description=CONTRACT)


@payload("What captureReservation answers.")
class CaptureReservationPayload(Payload):
    reservation: ContractReservation | None = strawberry.field(description="The reservation, captured.")
    order_line_event: OrderLineEvent | None = strawberry.field(description="The order line as booked.")
    contract: Contract | None = strawberry.field(description=CONTRACT)
    sub_contract: Contract | None = strawberry.field(description=SUB_CONTRACT)


@payload("What releaseReservation answers.")
class ReleaseReservationPayload(Payload):
    reservation: ContractReservation | None = strawberry.field(description="The reservation, released.")
    contract: Contract | None = strawberry.field(description=CONTRACT)


@strawberry.type
class ConsumptionMutations:
    consume_contract: ConsumeContractPayload = mutation(
        consuming.consume_contract,
        needs=Permission.CONTRACT_CONSUME,
        callers=Callers.CLIENTS,
        description=(
            "Uses a contract and books the order line, all at once: takes coupons, makes the timed contract, tells "
            "what is saved. The same order line again answers the first booking."
        ),
    )
    reserve_contract_consumption: ReserveContractConsumptionPayload = mutation(
        reservations.reserve_contract_consumption,
        needs=Permission.CONTRACT_CONSUME,
        callers=Callers.CLIENTS,
        description="Holds a use of a contract, and its coupons, until it is captured, released or over.",
    )
    capture_reservation: CaptureReservationPayload = mutation(
        reservations.capture_reservation,
        needs=Permission.CONTRACT_CONSUME,
        callers=Callers.CLIENTS,
        description="Makes the use of a contract that is held one that is booked, with its order line.",
    )
    release_reservation: ReleaseReservationPayload = mutation(
        reservations.release_reservation,
        needs=Permission.CONTRACT_CONSUME,
        callers=Callers.CLIENTS,
        description="Gives back the coupons that are held.",
    )
    register_order_line_event: RegisterOrderLineEventPayload = mutation(
        order_lines.register_order_line_event,
        needs=Permission.CONTRACT_CONSUME,
        callers=Callers.CLIENTS,
        description="Books the purchase or the cancellation of an order line that another system tells of.",
    )
