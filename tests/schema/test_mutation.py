"""The pattern of mutations, as far as the document alone decides it."""

import pytest
from graphql import parse, validate

from schema.mutation import IdempotentMutationsOnly
from schema.root import schema

ONLY_ON_MUTATIONS = "Directive '@idempotent' may only be used on mutations."


@pytest.mark.parametrize(
    "document",
    [
        '{ errorMessages @idempotent(key: "a") { errorCode } }',
        '{ errorMessages { errorCode @idempotent(key: "a") } }',
        'mutation { restoreCustomer(input: { customerNumber: 1 }) { userErrors { code @idempotent(key: "a") } } }',
    ],
)
async def test_the_idempotent_directive_is_refused_where_it_would_do_nothing(document: str) -> None:
    result = await schema.execute(document)
    assert [error.message for error in result.errors or []] == [ONLY_ON_MUTATIONS]


@pytest.mark.parametrize(
    "document",
    [
        'mutation { restoreCustomer(input: { customerNumber: 1 }) @idempotent(key: "a") { userErrors { code } } }',
        """mutation { ...Restore }
        fragment Restore on Mutation {
          restoreCustomer(input: { customerNumber: 1 }) @idempotent(key: "a") { userErrors { code } }
        }""",
    ],
)
def test_the_idempotent_directive_is_accepted_on_mutations(document: str) -> None:
    assert validate(schema._schema, parse(document), [IdempotentMutationsOnly]) == []
