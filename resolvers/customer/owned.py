"""What belongs to a customer, by the id that a caller gives."""

import re
from typing import Any

from sqlalchemy.orm import InstrumentedAttribute

from datastore import customer as stored
from datastore.writing import Write
from resolvers.errors import ErrorCode, refuse

KEY = re.compile("[0-9]{1,18}")


def key_in(given_id: str) -> int | None:
    """The key that an id stands for; None for a text that is no id."""
    return int(given_id) if KEY.fullmatch(given_id) else None


async def owned(
    write: Write,
    customer: stored.Customer,
    column: InstrumentedAttribute[Any],
    given_id: str,
    code: ErrorCode,
    field: str,
) -> Any:
    """The customer's row whose `column` has this id, locked for change. Raises `Refused`, `code` at `field`, for the
    row of another customer too."""
    key = key_in(given_id)
    found = None if key is None else await write.get(column, key, customer_id=customer.id)
    if found is None:
        raise refuse(code, field, rejected=[given_id])
    return found
