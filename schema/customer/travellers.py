"""Who travels on an order."""

import strawberry

from datastore.viewer import Permission
from resolvers.customer import travellers
from schema.connection import PAGING, Connection
from schema.customer.types import TravellerInfo
from schema.view import query


@strawberry.type
class TravellerQueries:
    traveller_infos: Connection[TravellerInfo] = query(
        travellers.traveller_infos,
        needs=Permission.JOURNEY_READ,
        description="The travellers on an order and the legs of each, of those customers that the caller may see.",
        arguments={"order_id": "Id of the order.", **PAGING},
    )
