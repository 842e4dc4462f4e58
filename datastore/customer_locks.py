"""Locks on several customers at once."""

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import aliased

from datastore.customer import Customer
from datastore.reading import among
from datastore.writing import Write


async def lock_customers(write: Write, numbers: Collection[int], keys: Collection[int] = ()) -> None:
    """Lock the customers with these numbers or keys, as far as the viewer may see them, until the transaction ends.

    They are locked by ascending key: two acts that need the same ones then wait for each other in the same order.
    """
    named, known = aliased(Customer), aliased(Customer)
    # Not the two conditions with OR: SQLite would walk through the organisation for the second one.
    by_number = select(named.id).where(among(named.customer_number, numbers))
    wanted = Customer.id.in_(by_number.union_all(select(known.id).where(among(known.id, keys))))
    statement = select(Customer).where(Customer.visible_to(write.viewer), wanted).order_by(Customer.id)
    (await write.session.scalars(statement.with_for_update())).all()
