"""What the tests of contracts, their consumers and claims share."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select

from datastore.audit import AuditLogEntry
from datastore.base import rfc3339
from datastore.bookkeeping import SignInFailure
from datastore.customer import Customer
from datastore.database import Database
from datastore.loyalty.contract import Contract, ContractConsumer
from datastore.viewer import GRANTABLE, TenantKind, Viewer
from tests.customer.mutations import Error, answered, document
from tests.execute import VIEWER

CONSUMERS = "contractConsumers { customerNumber customerRef isContractHolder isBlocked createdBy lastChangedBy }"
SHOWN = f"""contract {{
    uuid status version organisationId consumableFrom expirationDate acceptanceDate externalRef couponsLimit
    passengerCategory ticketOrderId createdBy lastChangedBy policies {{ key }} loyaltyProgram {{ loyaltyProgramId }}
    {CONSUMERS}
}}"""
SHORT = "contract { uuid version lastChangedBy }"
CONSUMER = f"contractConsumer {{ customerNumber isContractHolder isBlocked lastChangedBy }} {SHORT}"

CREATE = document("createContract", SHOWN)
ACCEPT = document("acceptContract", "contract { acceptanceDate version lastChangedBy }")
SET_STATUS = document("setContractStatus", "contract { status version lastChangedBy }")
ADD = document("addContractConsumer", CONSUMER)
BLOCK = document("blockContractConsumer", CONSUMER)
UNBLOCK = document("unblockContractConsumer", CONSUMER)
CLAIM = document(
    "claimPersonnelTicket", f"success customerNumber customer {{ customerNumber }} contract {{ uuid {CONSUMERS} }}"
)
ACTIVATE = document("activateLoyaltyProgram", f"{SHOWN} customer {{ customerNumber }}")

NOWHERE = "00000000-0000-4000-8000-000000000000"
UNNAMED = "graphql"
"""Who changes something in a test, where no client says its name."""


def user(customer: Customer, *others: Customer, **values: Any) -> Viewer:
    """The traveller whose profile this is; the others were merged into it."""
    own = frozenset(each.id for each in (customer, *others))
    mine = {"customer_number": customer.customer_number, "customer_ids": own, "subject": f"user {customer.id}"}
    return Viewer(customer.organisation_id, TenantKind.TRAVELLER, GRANTABLE, **{**mine, **values})


async def stored(database: Database, uuid: str) -> Any:
    """The stored columns of a contract."""
    (row,) = await database.fetch(select(Contract.__table__).where(Contract.uuid == uuid))
    return row


async def consumers(database: Database, contract: Any) -> list[tuple[int, bool, bool]]:
    """Key of the customer, whether it is the holder, and whether it is blocked; of all consumers of a contract."""
    row = ContractConsumer
    wanted = select(row.customer_id, row.is_contract_holder, row.is_blocked).where(row.contract_id == contract.id)
    return [tuple(each) for each in await database.fetch(wanted.order_by(row.id))]


async def failures(database: Database) -> list[int]:
    """How often the names that have failed have failed, the least first."""
    return sorted(row[0] for row in await database.fetch(select(SignInFailure.failures)))


async def logged(database: Database) -> list[Any]:
    """Operation and details of all entries of the audit log, oldest first."""
    row = AuditLogEntry
    return list(await database.fetch(select(row.operation, row.customer_id, row.details).order_by(row.id)))


def outcomes(answers: Sequence[tuple[Any, list[Error]]]) -> Counter[str]:
    """How often mutations ended with each code, or were done."""
    return Counter(errors[0][0] if errors else "done" for _, errors in answers)


def at(moment: datetime) -> str:
    """A moment as it is answered."""
    return rfc3339(moment)


# Claiming

CODE = "NSB-1a2B-3c"
REFUSED: list[Error] = [("CLAIM_REFUSED", "externalReference", [])]
LOCKED: list[Error] = [("CLAIM_LOCKED", "", [])]
NOTHING = {"success": False, "customerNumber": None, "customer": None, "contract": None}


async def claim(database: Database, customer: Any, code: str = CODE, viewer: Viewer = VIEWER, text: str = CLAIM) -> Any:
    """The contract that a claim came to, or the errors; then nothing is shown."""
    given = {"customerNumber": getattr(customer, "customer_number", customer), "externalReference": code}
    payload, errors = await answered(database, text, given, viewer)
    if errors:
        assert payload == NOTHING
        return errors
    assert payload["success"] is True
    assert payload["customer"] == {"customerNumber": payload["customerNumber"]}
    return payload["contract"]["uuid"]
