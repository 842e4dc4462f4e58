"""The proof of a contract's ledger, as asked for."""

from dataclasses import asdict
from types import SimpleNamespace

from strawberry import ID

from datastore.loyalty.contract import Contract
from datastore.loyalty.proof import prove
from resolvers.context import Context
from resolvers.loyalty.contracts import UUID
from resolvers.wanted import wanted_by


async def ledger_proof(context: Context, contract_uuid: ID) -> SimpleNamespace | None:
    """What the ledger of a contract comes to; None for an unknown or foreign contract (T04)."""
    if not UUID.fullmatch(contract_uuid):
        return None
    contract = await wanted_by(Contract.uuid, contract_uuid).read(context)
    if contract is None:
        return None
    return SimpleNamespace(contract_uuid=contract.uuid, **asdict(await prove(context.database, contract.id)))
