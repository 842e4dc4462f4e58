"""Who sends a request: from its Authorization header to the caller."""

import re
from dataclasses import replace

from datastore.database import Database
from datastore.own_profiles import own_profiles
from datastore.viewer import ANONYMOUS, Viewer
from gateway.identity.tokens import Tokens
from resolvers.errors import ErrorCode, refuse

BEARER = re.compile(r"(?i:bearer) +([A-Za-z0-9._~+/-]+=*)")
"""RFC 6750, section 2.1."""


class Identity:
    """Tells callers by their access tokens."""

    def __init__(self, tokens: Tokens, database: Database) -> None:
        self._tokens = tokens
        self._database = database

    async def viewer(self, authorization: list[str]) -> Viewer:
        """The caller, given the values of all Authorization headers of a request; nobody where there is none.

        The profiles of a user (rule T05) are looked up each time: one who was deleted a moment ago is not let in.
        Raises Refused (TOKEN_INVALID), always with the same words.
        """
        if not authorization:
            return ANONYMOUS
        bearer = BEARER.fullmatch(authorization[0]) if len(authorization) == 1 else None
        if bearer is None:
            raise refuse(ErrorCode.TOKEN_INVALID)
        viewer = await self._tokens.read(bearer[1])
        if viewer.customer_number is None:
            return viewer
        own = await own_profiles(self._database, viewer.organisation_id, viewer.customer_number)
        if own is None:
            raise refuse(ErrorCode.TOKEN_INVALID)
        return replace(viewer, customer_number=own.customer_number, customer_ids=own.customer_ids)
