"""Who sends a request: from its Authorization header to the caller."""

import re
from dataclasses import replace

from datastore.database import Database
from datastore.own_profiles import own_employments, own_profiles
from datastore.viewer import ANONYMOUS, Viewer
from gateway.identity.claims import GREATEST_NUMBER
from gateway.identity.tokens import Tokens
from resolvers.errors import ErrorCode, refuse

BEARER = re.compile(r"(?i:bearer) +([A-Za-z0-9._~+/-]+=*)")
"""RFC 6750, section 2.1."""
KEY = re.compile(r"[1-9][0-9]{0,18}")


class Identity:
    """Tells callers by their access tokens."""

    def __init__(self, tokens: Tokens, database: Database) -> None:
        self._tokens = tokens
        self._database = database

    async def viewer(self, authorization: list[str]) -> Viewer:
        """The caller, given the values of all Authorization headers of a request; nobody where there is none.

        The profiles of a user (rule T05) are looked up each time, with the user's employments and family: one who was
        deleted a moment ago is not let in. A claim `employee_id` that is a number is the key of an employment.
        Raises Refused (TOKEN_INVALID), always with the same words.
        """
        if not authorization:
            return ANONYMOUS
        bearer = BEARER.fullmatch(authorization[0]) if len(authorization) == 1 else None
        if bearer is None:
            raise refuse(ErrorCode.TOKEN_INVALID)
        viewer = await self._tokens.read(bearer[1])
        if not viewer.is_user:
            return viewer
        organisation_id, employee_id = viewer.organisation_id, employee_key(viewer.employee_id)
        if viewer.customer_number is None:
            if employee_id is None:
                return viewer
            return replace(viewer, employee_ids=await own_employments(self._database, organisation_id, employee_id))
        own = await own_profiles(self._database, organisation_id, viewer.customer_number, employee_id)
        if own is None:
            raise refuse(ErrorCode.TOKEN_INVALID)
        return replace(
            viewer,
            customer_number=own.customer_number,
            customer_ids=own.customer_ids,
            employee_ids=own.employee_ids,
            family_member_ids=own.family_member_ids,
        )


def employee_key(employee_id: str | None) -> int | None:
    """The key that an employee id is, if it is one."""
    if employee_id is None or not KEY.fullmatch(employee_id) or int(employee_id) > GREATEST_NUMBER:
        return None
    return int(employee_id)
