"""The schema: the roots of all domains, put together."""

from functools import partial

import strawberry
from strawberry.extensions import AddValidationRules
from strawberry.schema.config import StrawberryConfig

from resolvers.scalars import SCALARS
from schema.audit import AuditQueries
from schema.customer.accounts import AccountMutations
from schema.customer.connect import ConnectMutations
from schema.customer.consents import ConsentMutations
from schema.customer.ecards import EcardMutations
from schema.customer.erasure import ErasureMutations, ErasureQueries
from schema.customer.merge import MergeMutations, MergeQueries
from schema.customer.mutations import CustomerMutations
from schema.customer.notes import NoteMutations
from schema.customer.preferences import PreferenceMutations, PreferenceQueries
from schema.customer.queries import CustomerQueries
from schema.customer.sign_in import SignInMutations
from schema.customer.temporary import TemporaryCustomerMutations
from schema.customer.travellers import TravellerQueries
from schema.employee.bulk import EmployeeImportMutations, EmployeeImportQueries
from schema.employee.calculation import TicketRuleMutations, TicketRuleQueries
from schema.employee.code_mutations import PersonnelCodeMutations
from schema.employee.order_mutations import OrderMutations
from schema.employee.personnel_mutations import PersonnelMutations
from schema.employee.queries import EmployeeQueries, PersonnelCodeQueries
from schema.employee.reports import ReportMutations, ReportQueries
from schema.errors import ErrorQueries
from schema.loyalty.consumption import ConsumptionMutations, ConsumptionQueries
from schema.loyalty.contract_mutations import ContractMutations
from schema.loyalty.money import LedgerQueries, MoneyMutations
from schema.loyalty.program_mutations import LoyaltyProgramMutations
from schema.loyalty.queries import LoyaltyQueries
from schema.mutation import IDEMPOTENT, IdempotentMutationsOnly
from schema.node import NodeQueries
from schema.viewer import ViewerQueries


@strawberry.type(description="Everything that can be read.")
class Query(
    CustomerQueries,
    PreferenceQueries,
    MergeQueries,
    ErasureQueries,
    TravellerQueries,
    EmployeeQueries,
    PersonnelCodeQueries,
    TicketRuleQueries,
    EmployeeImportQueries,
    ReportQueries,
    LoyaltyQueries,
    ConsumptionQueries,
    LedgerQueries,
    ErrorQueries,
    NodeQueries,
    AuditQueries,
    ViewerQueries,
):
    pass


@strawberry.type(description="Everything that can be done.")
class Mutation(
    CustomerMutations,
    TemporaryCustomerMutations,
    ConnectMutations,
    MergeMutations,
    PreferenceMutations,
    EcardMutations,
    ConsentMutations,
    NoteMutations,
    AccountMutations,
    SignInMutations,
    ErasureMutations,
    PersonnelMutations,
    PersonnelCodeMutations,
    OrderMutations,
    TicketRuleMutations,
    EmployeeImportMutations,
    ReportMutations,
    LoyaltyProgramMutations,
    ContractMutations,
    ConsumptionMutations,
    MoneyMutations,
):
    pass


schema = strawberry.Schema(
    query=Query,
    mutation=Mutation,
    config=StrawberryConfig(scalar_map=SCALARS),
    extensions=[partial(AddValidationRules, [IdempotentMutationsOnly])],
)
schema._schema.directives = (*schema._schema.directives, IDEMPOTENT)
