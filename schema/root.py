"""The schema: the roots of all domains, put together."""

import strawberry
from strawberry.schema.config import StrawberryConfig

from resolvers.scalars import SCALARS
from schema.customer import CustomerMutations, CustomerQueries
from schema.errors import ErrorQueries
from schema.mutation import IDEMPOTENT
from schema.node import NodeQueries


@strawberry.type(description="Everything that can be read.")
class Query(CustomerQueries, ErrorQueries, NodeQueries):
    pass


@strawberry.type(description="Everything that can be done.")
class Mutation(CustomerMutations):
    pass


schema = strawberry.Schema(
    query=Query,
    mutation=Mutation,
    config=StrawberryConfig(scalar_map=SCALARS),
)
schema._schema.directives = (*schema._schema.directives, IDEMPOTENT)
