"""Statements about the preferences that an organisation offers, and what a customer has chosen of them."""

from collections.abc import Collection, Mapping

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from datastore.customer import Customer, CustomerPreference, Preference
from datastore.reading import among


async def offers(session: AsyncSession, organisation_id: int, keys: Collection[int]) -> Mapping[int, bool]:
    """Key -> whether the preference is active, of those keys that are preferences of the organisation."""
    mine = Preference.organisation_id == organisation_id
    found = await session.execute(select(Preference.id, Preference.is_active).where(mine, among(Preference.id, keys)))
    return {row.id: row.is_active for row in found}


async def choices(session: AsyncSession, customer: Customer) -> Mapping[int, CustomerPreference]:
    """Key of a preference -> the customer's choice, of a customer that the caller has locked."""
    found = await session.scalars(select(CustomerPreference).where(CustomerPreference.customer_id == customer.id))
    return {choice.preference_id: choice for choice in found}
