"""Running documents as the gateway does, below HTTP."""

from typing import Any

from datastore.database import Database
from datastore.viewer import GRANTABLE, TenantKind, Viewer
from gateway.errors import error_entries
from resolvers.context import Context
from resolvers.errors import ErrorCode
from schema.root import schema

VIEWER = Viewer(1, permissions=GRANTABLE)
"""A caller of organisation 1, where the builders put their rows, who may do everything."""
FOREIGNER = Viewer(2, permissions=GRANTABLE)
INTERNAL = Viewer(99, TenantKind.INTERNAL, GRANTABLE)
REASON = "a test"


def context(database: Database, viewer: Viewer) -> Context:
    """The context of a request whose caller gives a reason for seeing sensitive values."""
    return Context(database, viewer, reason=REASON)


async def execute(database: Database, document: str, viewer: Viewer = VIEWER, **variables: Any) -> dict[str, Any]:
    """The data that the document answers, which must have no errors."""
    result = await schema.execute(document, variable_values=variables, context_value=context(database, viewer))
    assert not result.errors, [(error.message, error.original_error) for error in result.errors]
    assert result.data is not None
    return result.data


async def refusal(database: Database, document: str, viewer: Viewer = VIEWER, **variables: Any) -> ErrorCode:
    """The one error code that a client sees when the document is refused, with no data at all."""
    result = await schema.execute(document, variable_values=variables, context_value=context(database, viewer))
    assert result.errors, f"not refused: {result.data}"
    assert all(value is None for value in (result.data or {}).values())
    (entry,) = error_entries(result.errors, has_run=True)
    return ErrorCode[entry["extensions"]["errorCode"]]
