"""Statements over connected profiles."""

from sqlalchemy import select

from datastore.customer import Customer
from datastore.writing import Write


async def leads_to(write: Write, start_id: int, end_id: int) -> bool:
    """Whether the profile is the other one, or is connected to it or merged into it, directly or through others."""
    wanted = (Customer.id, Customer.parent_id, Customer.merged_into_id)
    chain = select(*wanted).where(Customer.id == start_id).cte("chain", recursive=True)
    # UNION, not UNION ALL: a row that was met before ends the walk, so a circle cannot run for ever.
    following = (Customer.id == chain.c.parent_id) | (Customer.id == chain.c.merged_into_id)
    chain = chain.union(select(*wanted).join(chain, following))
    return bool(await write.session.scalar(select(select(chain).where(chain.c.id == end_id).exists())))
