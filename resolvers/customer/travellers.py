"""Who travels on an order (rule C106)."""

from datastore import customer as stored
from datastore.keyset import Order
from datastore.reading import visible
from datastore.viewer import Viewer
from resolvers import formats
from resolvers.errors import ErrorCode, refuse
from resolvers.given import Problems
from resolvers.paging import window
from resolvers.wanted import Reading, WantedPage

LONGEST_ORDER_ID = 60
ORDER = Order([stored.TravellerInfo.__table__.c.id])
"""As they were told: nothing else about travellers is unique."""


@Reading
def traveller_infos(
    viewer: Viewer,
    order_id: str,
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
) -> WantedPage:
    """A page of the travellers on an order, of those customers that the viewer may see; empty for an unknown order.

    Raises `Refused`: PAGE_SIZE_INVALID, CURSOR_INVALID, REQUIRED, TEXT_TOO_LONG, TEXT_INVALID.
    """
    part = window(first, after, last, before)
    row = stored.TravellerInfo
    problems = Problems()
    with problems.at("orderId"):
        order = formats.clean(order_id, LONGEST_ORDER_ID)
        if not order:
            raise refuse(ErrorCode.REQUIRED)
    problems.raise_any()
    return WantedPage(
        row=row,
        values={"order": order},
        statement=lambda viewer, values: visible(row, viewer).where(row.order_id == values["order"]),
        order=ORDER,
        window=part,
        query=["travellerInfos", order],
    )
