"""When contracts end by their program: its end, kept in `Contract.ends_at` of every contract (rules L04 and L12)."""

from datetime import datetime
from typing import Any

from sqlalchemy import case, literal, select, update

from datastore.loyalty.contract import Contract
from datastore.loyalty.program import LoyaltyProgram
from datastore.writing import Write


async def end_of_program(write: Write, loyalty_program_id: int) -> datetime:
    """When a program ends: as its newest version says, whether that has started or not.

    Nobody publishes a version until the end of the transaction, so that a contract that is made with this end has the
    right one. The program must be there.
    """
    row = LoyaltyProgram
    if write.session.get_bind().dialect.name == "postgresql":
        # As the foreign key of a new contract does, but before the end is read.
        first = select(row.id).where(row.id == loyalty_program_id)
        await write.session.execute(first.with_for_update(read=True, key_share=True))
    newest = select(row.end_date).where(row.loyalty_program_id == loyalty_program_id, row.superseded_at.is_(None))
    end: datetime = (await write.session.scalars(newest)).one()
    return end


async def move_ends(write: Write, loyalty_program_id: int, end: datetime) -> None:
    """Let all contracts of a program end with it, or before if their own end is. The program's first version is
    locked."""
    table: Any = Contract.__table__
    own = table.c.expiration_date
    moved = update(table).where(table.c.loyalty_program_id == loyalty_program_id)
    await write.session.execute(
        moved.values(ends_at=case((own < end, own), else_=literal(end, own.type))),
        execution_options={"synchronize_session": False},
    )
