"""Who the caller is."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Select

from datastore.customer import Customer, CustomerStatus
from datastore.reading import visible
from datastore.viewer import Viewer
from resolvers.context import Context
from resolvers.wanted import Reading, WantedRow


async def viewer(context: Context) -> Viewer:
    """The caller itself."""
    return context.viewer


@Reading
def own_customer(viewer: Viewer) -> WantedRow | None:
    """The profile of the user who asks; None for clients and for users without one."""
    if not viewer.is_user or viewer.customer_number is None:
        return None

    def statement(viewer: Viewer, values: Mapping[str, Any]) -> Select[Any]:
        return visible(Customer, viewer).where(
            Customer.customer_number == values["number"], Customer.status != CustomerStatus.DELETED
        )

    return WantedRow(row=Customer, values={"number": viewer.customer_number}, statement=statement)
