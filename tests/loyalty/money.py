"""What the tests of money and of the ledger share: documents, the least inputs, and what is stored."""

from typing import Any

from sqlalchemy import select

from datastore.database import Database
from datastore.loyalty.contract import Contract
from datastore.loyalty.ledger import LedgerLine
from datastore.viewer import Viewer
from tests.customer.mutations import Values, document, done
from tests.execute import VIEWER, execute
from tests.factories.loyalty import a_contract, a_points_program

TRANSACTION = """
    amount currency timestamp rrn email posId externalTransactionId internalTransactionId
    reverses { internalTransactionId } reversedBy { internalTransactionId }
"""
RESULT = f"transaction {{ {TRANSACTION} }} contract {{ uuid currentTotal {{ amount currency calculatedAt }} }}"
DEPOSIT = document("depositToContract", RESULT)
WITHDRAW = document("withdrawFromContract", RESULT)
REVERSE = document("reverseTransaction", RESULT)
IDEMPOTENT_DEPOSIT = document("depositToContract", RESULT, " @idempotent(key: $key)", ", $key: String!")
PROOF = """query($uuid: ID!) {
    ledgerProof(contractUuid: $uuid) { contractUuid head count sum firstBrokenLine isBalanced isIntact }
}"""


def given(contract: Contract, amount: str = "100.00", **values: Any) -> Values:
    """The least input of a deposit or a withdrawal."""
    return {"contractUuid": contract.uuid, "amount": amount, "currency": "NOK", **values}


async def a_gift_card(database: Database, *amounts: str, **values: Any) -> Contract:
    """A contract of points with deposits, and with withdrawals for amounts below zero."""
    contract = await a_contract(database, await a_points_program(database), **values)
    for amount in amounts:
        text = WITHDRAW if amount.startswith("-") else DEPOSIT
        await done(database, text, given(contract, amount.removeprefix("-")))
    return contract


async def proof(database: Database, contract: Contract, viewer: Viewer = VIEWER) -> Any:
    """The proof of its ledger; None if there is no such contract."""
    return (await execute(database, PROOF, viewer, uuid=contract.uuid))["ledgerProof"]


async def state(database: Database, contract: Contract) -> tuple[str | None, list[int | None]]:
    """The total of a contract, and the amounts in its ledger."""
    text = "query($uuid: ID!) { ledgerProof(contractUuid: $uuid) { sum isIntact isBalanced } }"
    found = (await execute(database, text, uuid=contract.uuid))["ledgerProof"]
    assert (found["isIntact"], found["isBalanced"]) == (True, True)
    lines = select(LedgerLine.amount).where(LedgerLine.contract_id == contract.id).order_by(LedgerLine.number)
    return found["sum"], [amount for (amount,) in await database.fetch(lines)]
