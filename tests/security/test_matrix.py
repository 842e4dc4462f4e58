"""Every role asks for every field of the graph: a gateway must do exactly what the snapshot of the permissions says."""

import pytest
from graphql import GraphQLObjectType

from tests.security.filled import TO_ERASE, TO_MERGE
from tests.security.matrix import (
    COMPANY_ID,
    CUSTOMER_NUMBER,
    GRAPH,
    ROLES,
    RULE_ID,
    WAYS,
    Matrix,
    denied,
    document,
    snapshot,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

NEEDS = snapshot()
DONE = (
    f"""mutation {{ mergeCustomers(input: {{customerNumber: {CUSTOMER_NUMBER}, pticketCustomerNumber: {TO_MERGE}}}) {{
      __typename moved {{ __typename object moves }}
    }} }}""",
    f"""mutation {{ eraseCustomer(input: {{customerNumber: {TO_ERASE}}}) {{
      __typename receipt {{
        __typename customerNumber erasedAt entries {{ __typename object action rows legalGround }}
      }}
    }} }}""",
    f"""mutation {{ calculateTicketRights(input: {{companyId: {COMPANY_ID}, dryRun: true}}) {{
      __typename calculation {{ __typename inserted effect {{ __typename gains {{ __typename validFrom }} }} }}
    }} }}""",
    f"""mutation {{ updateTicketRule(input: {{
      ruleId: "{RULE_ID}", isActive: false, dryRun: true, companyId: {COMPANY_ID}
    }}) {{ __typename effect {{ __typename losses {{ __typename validFrom }} }} }} }}""",
)
"""What only a mutation that is carried out answers."""
ALONE = {"anonymous", "nothing"}
"""Roles that ask for each field alone: all others ask for several of one type together. To them everything that is not
public, or not for whoever is signed in, is denied."""


def allowed_to(name: str) -> list[str]:
    """The fields that a role may go all the way to. A refusal of the others comes before any database is asked, so
    roles with a single permission ask for those on SQLite alone."""
    return [each for each in NEEDS if not denied(each, NEEDS, ROLES[name])]


@pytest.mark.rule("T01")
@pytest.mark.rule("T02")
@pytest.mark.parametrize("name", sorted(ROLES))
async def test_a_role_gets_what_it_may_have_and_nothing_else(matrix: Matrix, shared_url: str, name: str) -> None:
    """What is denied, on the whole way to a field, is named and nothing runs; everything else runs."""
    never_reaches_it = shared_url.startswith("postgresql") and name.startswith("only ")
    coordinates = allowed_to(name) if never_reaches_it else NEEDS
    assert await matrix.differences(name, NEEDS, coordinates, alone=name in ALONE) == []


async def test_every_type_was_answered_with_an_object(matrix: Matrix) -> None:
    """Or the matrix would say that a field is allowed whose resolver never ran."""
    for name in ("admin", "everything, a user"):
        assert await matrix.differences(name, NEEDS, allowed_to(name)) == []
    for mutation in DONE:
        assert await matrix.has_run("admin", mutation) == ""
    objects = {name for name in WAYS if isinstance(GRAPH[name], GraphQLObjectType)}
    assert objects - matrix.answered - {"Query", "Mutation"} == set()
    assert matrix.answered <= GRAPH.keys()


async def test_every_field_is_denied_to_some_role_or_public(matrix: Matrix) -> None:
    """Or the matrix could not tell that its need had gone."""
    open_to_all = [each for each in NEEDS if not any(denied(each, NEEDS, caller) for caller in ROLES.values())]
    assert {NEEDS[each] for each in open_to_all} <= {"public"}


@pytest.mark.rule("T01")
@pytest.mark.parametrize(
    ("name", "coordinate"),
    [
        ("everything, a partner", "Mutation.createPersonnelCode"),
        ("everything, a partner", "Mutation.createProduct"),
        ("everything, a partner", "Mutation.createTicketRule"),
        ("everything, a partner", "Mutation.createTicketType"),
        ("everything, a partner", "Mutation.savePostalPlace"),
        ("everything, a partner", "Mutation.saveStation"),
        ("everything, a partner", "Mutation.updatePersonnelCode"),
        ("everything, a partner", "Mutation.updateProduct"),
        ("everything, a partner", "Mutation.updateTicketRule"),
        ("everything, a partner", "Mutation.updateTicketType"),
        ("everything, a partner", "Query.auditLog"),
        ("everything, a user", "Mutation.calculateTicketRights"),
        ("everything, a user", "Mutation.captureReservation"),
        ("everything, a user", "Mutation.connectCustomer"),
        ("everything, a user", "Mutation.consumeContract"),
        ("everything, a user", "Mutation.convertTemporaryCustomer"),
        ("everything, a user", "Mutation.createCompany"),
        ("everything, a user", "Mutation.createContract"),
        ("everything, a user", "Mutation.createCustomer"),
        ("everything, a user", "Mutation.createCustomerAccount"),
        ("everything, a user", "Mutation.createFamilyMember"),
        ("everything, a user", "Mutation.createLoyaltyProgram"),
        ("everything, a user", "Mutation.createManualOrder"),
        ("everything, a user", "Mutation.createNote"),
        ("everything, a user", "Mutation.createPersonnelCode"),
        ("everything, a user", "Mutation.createPreference"),
        ("everything, a user", "Mutation.createProduct"),
        ("everything, a user", "Mutation.createTemporaryCustomer"),
        ("everything, a user", "Mutation.createTicketRule"),
        ("everything, a user", "Mutation.createTicketType"),
        ("everything, a user", "Mutation.deleteManualOrder"),
        ("everything, a user", "Mutation.deleteNote"),
        ("everything, a user", "Mutation.depositToContract"),
        ("everything, a user", "Mutation.eraseCustomer"),
        ("everything, a user", "Mutation.exportCustomer"),
        ("everything, a user", "Mutation.generatePassword"),
        ("everything, a user", "Mutation.importEmployee"),
        ("everything, a user", "Mutation.importEmployees"),
        ("everything, a user", "Mutation.mergeCustomers"),
        ("everything, a user", "Mutation.patchImportedEmployee"),
        ("everything, a user", "Mutation.publishLoyaltyProgramVersion"),
        ("everything, a user", "Mutation.registerOrderLineEvent"),
        ("everything, a user", "Mutation.releaseReservation"),
        ("everything, a user", "Mutation.reserveContractConsumption"),
        ("everything, a user", "Mutation.restoreCustomer"),
        ("everything, a user", "Mutation.reverseTransaction"),
        ("everything, a user", "Mutation.savePostalPlace"),
        ("everything, a user", "Mutation.saveStation"),
        ("everything, a user", "Mutation.setContractStatus"),
        ("everything, a user", "Mutation.setEmployeeCategory"),
        ("everything, a user", "Mutation.setEmployeeDisabilityProof"),
        ("everything, a user", "Mutation.setEmployeeYearlyFee"),
        ("everything, a user", "Mutation.setFamilyMemberLowIncome"),
        ("everything, a user", "Mutation.setLoyaltyProgramDescription"),
        ("everything, a user", "Mutation.setPassword"),
        ("everything, a user", "Mutation.setTicketRightSyncStatus"),
        ("everything, a user", "Mutation.startTaxSavingReport"),
        ("everything, a user", "Mutation.unmergeCustomers"),
        ("everything, a user", "Mutation.updateCompany"),
        ("everything, a user", "Mutation.updateFamilyMember"),
        ("everything, a user", "Mutation.updateNote"),
        ("everything, a user", "Mutation.updatePersonnelCode"),
        ("everything, a user", "Mutation.updatePreference"),
        ("everything, a user", "Mutation.updateProduct"),
        ("everything, a user", "Mutation.updateTemporaryCustomer"),
        ("everything, a user", "Mutation.updateTicketRule"),
        ("everything, a user", "Mutation.updateTicketType"),
        ("everything, a user", "Mutation.verifyCredentials"),
        ("everything, a user", "Mutation.withdrawFromContract"),
        ("everything, a user", "Query.activeTicketRightsHolders"),
        ("everything, a user", "Query.auditLog"),
        ("everything, a user", "Query.companies"),
        ("everything, a user", "Query.customers"),
        ("everything, a user", "Query.customersByKey"),
        ("everything, a user", "Query.employeeImport"),
        ("everything, a user", "Query.employeeImports"),
        ("everything, a user", "Query.employees"),
        ("everything, a user", "Query.fipMonthlyTicketReport"),
        ("everything, a user", "Query.importedEmployees"),
        ("everything, a user", "Query.ledgerProof"),
        ("everything, a user", "Query.loyaltyPrograms"),
        ("everything, a user", "Query.manualOrders"),
        ("everything, a user", "Query.mergeCustomersPreview"),
        ("everything, a user", "Query.taxSavingReport"),
        ("everything, a user", "Query.ticketRightsHolders"),
        ("everything, a user", "Query.ticketRules"),
    ],
)
async def test_a_permission_does_not_help_a_caller_of_the_wrong_mode(
    matrix: Matrix, name: str, coordinate: str
) -> None:
    """Written by hand, so that the generated matrix is not alone in saying so."""
    assert await matrix.is_denied(name, document([coordinate]), [coordinate]) == ""
