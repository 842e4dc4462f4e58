"""The schema: the roots of all domains, put together."""

from functools import partial

import strawberry
from strawberry.extensions import AddValidationRules
from strawberry.schema.config import StrawberryConfig

from resolvers.scalars import SCALARS
from schema.audit import AuditQueries
from schema.customer import CustomerMutations, CustomerQueries
from schema.errors import ErrorQueries
from schema.mutation import IDEMPOTENT, IdempotentMutationsOnly
from schema.node import NodeQueries
from schema.viewer import ViewerQueries


@strawberry.type(description="Everything that can be read.")
class Query(CustomerQueries, ErrorQueries, NodeQueries, AuditQueries, ViewerQueries):
    pass


@strawberry.type(description="Everything that can be done.")
class Mutation(CustomerMutations):
    pass


schema = strawberry.Schema(
    query=Query,
    mutation=Mutation,
    config=StrawberryConfig(scalar_map=SCALARS),
    extensions=[partial(AddValidationRules, [IdempotentMutationsOnly])],
)
schema._schema.directives = (*schema._schema.directives, IDEMPOTENT)
