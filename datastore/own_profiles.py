"""The profiles that are one person's own."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import CompoundSelect, bindparam, select
from sqlalchemy.orm import aliased

from datastore.customer import Customer, CustomerStatus
from datastore.database import Database


@dataclass(frozen=True, slots=True)
class OwnProfiles:
    """The number of the profile that a customer has now, and the keys of it and of all that were merged into it."""

    customer_number: int
    customer_ids: frozenset[int]


def _chain() -> CompoundSelect[Any]:
    """Select the profile `number` of `organisation`, all that follow it, whatever organisation they are of, and all of
    the organisation that were merged into the last of them, directly or through others."""
    wanted = (
        Customer.id,
        Customer.merged_into_id,
        Customer.organisation_id,
        Customer.customer_number,
        Customer.status,
    )
    start = select(*wanted).where(
        Customer.customer_number == bindparam("number"), Customer.organisation_id == bindparam("organisation")
    )
    chain = start.cte("chain", recursive=True)
    target = aliased(Customer)
    following = select(*(getattr(target, column.key) for column in wanted))
    # UNION, not UNION ALL: a row that was met before ends the walk, so a circle cannot run for ever.
    chain = chain.union(following.join(chain, target.id == chain.c.merged_into_id))
    last = select(*chain.c).where(chain.c.merged_into_id.is_(None)).cte("merged", recursive=True)
    other = aliased(Customer)
    others = select(*(getattr(other, column.key) for column in wanted)).where(
        other.organisation_id == bindparam("organisation")
    )
    merged = last.union(others.join(last, other.merged_into_id == last.c.id))
    return select(chain).union(select(merged))


CHAIN = _chain()
"""Made once: every request of a user runs it, and making it takes longer than running it."""


async def own_profiles(database: Database, organisation_id: int, customer_number: int) -> OwnProfiles | None:
    """The profile that this one was merged into at the end (rule C40), or itself, and all that were merged into that.

    None if the organisation has no such profile, if the last one is deleted, or if there is no way to it: because
    profiles are merged in a circle, or into one of another organisation.
    """
    found = await database.fetch(CHAIN, {"number": customer_number, "organisation": organisation_id})
    last = [row for row in found if row.merged_into_id is None]
    if not last or last[0].status is CustomerStatus.DELETED:
        return None
    if any(row.organisation_id != organisation_id for row in found):
        return None
    return OwnProfiles(last[0].customer_number, frozenset(row.id for row in found))
