"""Every role asks for every field of the graph: a gateway must do exactly what the snapshot of the permissions says."""

import pytest
from graphql import GraphQLObjectType

from tests.security.filled import TO_ERASE, TO_MERGE
from tests.security.matrix import CUSTOMER_NUMBER, GRAPH, ROLES, WAYS, Matrix, denied, document, snapshot

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("matrix")]

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
)
"""What only a mutation that is carried out answers."""


@pytest.mark.rule("T01")
@pytest.mark.rule("T02")
@pytest.mark.parametrize("name", sorted(ROLES))
async def test_a_role_gets_what_it_may_have_and_nothing_else(matrix: Matrix, name: str) -> None:
    """What is denied, on the whole way to a field, is named and nothing runs; everything else runs."""
    assert await matrix.differences(name, NEEDS, NEEDS) == []


async def test_every_type_was_answered_with_an_object(matrix: Matrix) -> None:
    """Or the matrix would say that a field is allowed whose resolver never ran."""
    for name in ("admin", "everything, a user"):
        assert await matrix.differences(name, NEEDS, NEEDS) == []
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
        ("everything, a partner", "Query.auditLog"),
        ("everything, a user", "Mutation.connectCustomer"),
        ("everything, a user", "Mutation.convertTemporaryCustomer"),
        ("everything, a user", "Mutation.createCustomer"),
        ("everything, a user", "Mutation.createCustomerAccount"),
        ("everything, a user", "Mutation.createNote"),
        ("everything, a user", "Mutation.createPreference"),
        ("everything, a user", "Mutation.createTemporaryCustomer"),
        ("everything, a user", "Mutation.deleteNote"),
        ("everything, a user", "Mutation.eraseCustomer"),
        ("everything, a user", "Mutation.exportCustomer"),
        ("everything, a user", "Mutation.generatePassword"),
        ("everything, a user", "Mutation.mergeCustomers"),
        ("everything, a user", "Mutation.restoreCustomer"),
        ("everything, a user", "Mutation.setPassword"),
        ("everything, a user", "Mutation.unmergeCustomers"),
        ("everything, a user", "Mutation.updateNote"),
        ("everything, a user", "Mutation.updatePreference"),
        ("everything, a user", "Mutation.updateTemporaryCustomer"),
        ("everything, a user", "Mutation.verifyCredentials"),
        ("everything, a user", "Query.auditLog"),
        ("everything, a user", "Query.customers"),
        ("everything, a user", "Query.customersByKey"),
        ("everything, a user", "Query.mergeCustomersPreview"),
    ],
)
async def test_a_permission_does_not_help_a_caller_of_the_wrong_mode(
    matrix: Matrix, name: str, coordinate: str
) -> None:
    """Written by hand, so that the generated matrix is not alone in saying so."""
    assert await matrix.is_denied(name, document([coordinate]), [coordinate]) == ""
