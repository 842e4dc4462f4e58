"""Who the caller is."""

from datastore.customer import Customer, CustomerStatus
from datastore.reading import visible
from datastore.viewer import Viewer
from resolvers.context import Context
from resolvers.customer.reads import one


async def viewer(context: Context) -> Viewer:
    """The caller itself."""
    return context.viewer


async def own_customer(context: Context) -> Customer | None:
    """The profile of the user who asks; None for clients and for users without one."""
    number = context.viewer.customer_number
    if not context.viewer.is_user or number is None:
        return None
    mine = visible(Customer, context.viewer).where(
        Customer.customer_number == number, Customer.status != CustomerStatus.DELETED
    )
    return await one(context, mine)
