"""The settings of one trusted token issuer."""

from typing import Annotated, Any, Literal

import httpx
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from datastore.viewer import TenantKind

Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA"]
"""Signatures with a public key only: with a shared secret, whoever can check a token can also make one."""

ON_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")


class Claims(BaseModel):
    """The names of the claims of an issuer's tokens (rule T03). The defaults are those of Entur's issuers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    organisation_id: str = "https://entur.io/organisationID"
    customer_number: str = "https://entur.io/customerNumber"
    employee_id: str = "https://entur.io/employeeId"
    company_id: str = "https://entur.io/companyId"
    permissions: str = "permissions"
    client_id: str = "azp"


class Issuer(BaseModel):
    """One entry of `KUNDEPORT_ISSUERS`. All its tokens are of one tenant kind, and so of one mode (rules T01, T03)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    issuer: str = Field(min_length=1, max_length=500)
    audience: str = Field(min_length=1, max_length=500)
    tenant: TenantKind
    jwks_url: str | None = Field(default=None, pattern="^https?://[^/]")
    jwks: dict[str, Any] | None = None
    """The key set itself, where it is not to be fetched."""
    algorithms: tuple[Algorithm, ...] = Field(default=("RS256",), min_length=1)
    claims: Claims = Claims()
    organisations: tuple[Annotated[int, Field(ge=1)], ...] | None = Field(default=None, min_length=1)
    """The organisations that its tokens may name; any, if not given."""

    @field_validator("jwks_url")
    @classmethod
    def is_url(cls, url: str | None) -> str | None:
        """Raises ValueError, without the URL, which may hold a secret."""
        scheme = host = ""
        try:
            parts = httpx.URL(url or "")
            scheme, host = parts.scheme, parts.host
        except httpx.InvalidURL:
            pass
        # httpx takes a host with forbidden characters, and escapes them.
        if url is not None and (not host or "%" in host):
            raise ValueError("this is not a URL with a host")
        # Whoever can answer for the issuer on the way would sign in as anybody.
        if url is not None and scheme != "https" and host not in ON_THIS_MACHINE:
            raise ValueError("the URL must begin with https://, unless it is on this machine")
        return url

    @model_validator(mode="after")
    def has_one_source_of_keys(self) -> "Issuer":
        """Raises ValueError."""
        if (self.jwks_url is None) == (self.jwks is None):
            raise ValueError("give either jwks_url or jwks")
        return self
