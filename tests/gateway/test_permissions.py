"""The words in which an operation is refused. Who is refused what is tested in `tests/security`."""

from dataclasses import replace

import pytest
from graphql import OperationDefinitionNode, parse

from datastore.viewer import ANONYMOUS, Permission, TenantKind, Viewer
from gateway.permissions import Guard, Introspection
from resolvers.errors import Refused
from schema.permission import Callers, Need
from schema.root import schema

CLIENT = Viewer(1, TenantKind.PARTNER)


def refusals(text: str, viewer: Viewer, introspection: Introspection = "signed-in") -> dict[str, str]:
    """Field -> the words in which it is refused."""
    document = parse(text)
    (operation,) = document.definitions
    assert isinstance(operation, OperationDefinitionNode)
    with pytest.raises(Refused) as refused:
        Guard(schema._schema, introspection).check(document, operation, None, viewer)
    return {".".join(error.path): error.message for error in refused.value.errors}


def test_introspection_is_refused_in_words_of_its_own() -> None:
    text = '{ __schema { types { name } } __type(name: "Customer") { name } }'
    off = "Introspection is switched off here."
    assert refusals(text, CLIENT, "nobody") == {"Query.__schema": off, "Query.__type": off}
    signed_out = "Introspection needs a caller who has signed in."
    assert refusals(text, ANONYMOUS) == {"Query.__schema": signed_out, "Query.__type": signed_out}


def test_a_field_is_refused_with_the_permission_and_the_callers_it_is_for() -> None:
    by_number = "{ customer(by: { customerNumber: 1 }) { __typename } }"
    assert refusals(by_number, CLIENT) == {"Query.customer": "Query.customer needs customer:read."}
    log = "Query.auditLog needs audit:read and a client of an internal tenant."
    assert refusals("{ auditLog { __typename } }", CLIENT)["Query.auditLog"] == log
    user = replace(CLIENT, kind=TenantKind.TRAVELLER)
    listed = "Query.customers needs customer:search and a client, not a user."
    assert refusals("{ customers { __typename } }", user)["Query.customers"] == listed


@pytest.mark.parametrize(
    ("permission", "callers", "words"),
    [
        (Permission.SIGNED_IN, Callers.EVERYONE, "a caller who has signed in"),
        (Permission.SIGNED_IN, Callers.USERS, "a user who is logged in"),
        (Permission.CONTACT_READ, Callers.EVERYONE, "contact:read"),
        (Permission.CONTACT_READ, Callers.USERS, "contact:read and a user who is logged in"),
    ],
)
def test_every_need_has_words(permission: Permission, callers: Callers, words: str) -> None:
    assert Need(permission, callers).in_words() == words
