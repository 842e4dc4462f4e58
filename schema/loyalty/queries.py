"""Finding loyalty programs, contracts and entitlements."""

import strawberry

from datastore.viewer import Permission
from resolvers.customer.inputs import CUSTOMER_NUMBER
from resolvers.loyalty import reads
from schema.connection import PAGING, Connection
from schema.loyalty.contracts import Contract, Entitlement
from schema.loyalty.programs import LoyaltyProgram
from schema.permission import Callers
from schema.view import query

FILTER = {"filter": "What must hold.", **PAGING}


@strawberry.type
class LoyaltyQueries:
    loyalty_program: LoyaltyProgram | None = query(
        reads.loyalty_program,
        needs=Permission.CONTRACT_READ,
        description="The loyalty program with this id, as the version in force says, or null.",
        arguments={"loyalty_program_id": "Id of the loyalty program."},
    )
    loyalty_programs: Connection[LoyaltyProgram] = query(
        reads.loyalty_programs,
        needs=Permission.CONTRACT_READ,
        callers=Callers.CLIENTS,
        description="The loyalty programs that fit the filter, by id, each as the version in force says.",
        arguments=FILTER,
    )
    contract: Contract | None = query(
        reads.contract,
        needs=Permission.CONTRACT_READ,
        description="The contract with this key, or null.",
        arguments={"by": "The key."},
    )
    contracts: Connection[Contract] = query(
        reads.contracts,
        needs=Permission.CONTRACT_READ,
        description=(
            "The contracts that fit the filter, the oldest first; for users those whose consumer they are. What is "
            "selected of them is answered, so no argument says whether consumers and order lines are included."
        ),
        arguments=FILTER,
    )
    entitlements: Connection[Entitlement] = query(
        reads.entitlements,
        needs=Permission.CONTRACT_READ,
        description=(
            "What a customer may use at a moment: a row for each of the customer's contracts that can be used then. "
            "There are none for an unknown customer."
        ),
        arguments={"customer_number": CUSTOMER_NUMBER, **reads.OF_ENTITLEMENTS, **PAGING},
    )
