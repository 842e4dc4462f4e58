"""A token issuer for tests, with a real key."""

import base64
import json
import time
from collections.abc import Mapping
from typing import Any

from joserfc import jws
from joserfc.jwk import ECKey, JWKRegistry, OKPKey, RSAKey

from datastore.viewer import Permission, TenantKind
from gateway.identity.issuer import Claims, Issuer

AsymmetricKey = RSAKey | ECKey | OKPKey
AUDIENCE = "kundeport"
CLAIMS = Claims()
KINDS: Mapping[str, tuple[str, str | int]] = {
    **dict.fromkeys(["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"], ("RSA", 2048)),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    **dict.fromkeys(["Ed25519", "EdDSA"], ("OKP", "Ed25519")),
}


def a_key(algorithm: str = "ES256", key_id: str | None = "key-1") -> AsymmetricKey:
    """A new private key for the algorithm."""
    key = JWKRegistry.generate_key(*KINDS[algorithm], {"kid": key_id} if key_id is not None else None)
    assert isinstance(key, AsymmetricKey)
    return key


def jwks(*keys: AsymmetricKey) -> dict[str, Any]:
    """The key set with the public halves."""
    return {"keys": [key.as_dict(private=False) for key in keys]}


class AnIssuer:
    """`https://issuer.example` speaks for partners and signs for the audience `kundeport` with one ES256 key, `key-1`.

    `issuer` is the entry in the settings, with the key set in it; a keyword sets another value of it.
    """

    def __init__(
        self,
        name: str = "https://issuer.example",
        tenant: TenantKind = TenantKind.PARTNER,
        *,
        algorithm: str = "ES256",
        key: AsymmetricKey | None = None,
        **settings: Any,
    ) -> None:
        self.algorithm = algorithm
        self.key = key or a_key(algorithm)
        source = {} if "jwks_url" in settings else {"jwks": jwks(self.key)}
        given = {"audience": AUDIENCE, "tenant": tenant, "algorithms": [algorithm], **source, **settings}
        self.issuer = Issuer.model_validate({"issuer": name, **given})

    def token(
        self,
        *,
        organisation_id: Any = 1,
        customer_number: Any = None,
        employee_id: Any = None,
        permissions: Any = None,
        key: AsymmetricKey | None = None,
        header: Mapping[str, Any] | None = None,
        **claims: Any,
    ) -> str:
        """A token for `somebody` of organisation 1 without permissions, issued now, valid for an hour.

        A keyword sets a claim to another value or, with None, leaves it out; `header` does so for the header.
        `permissions` may be members of Permission. `key` signs instead of the issuer's own.
        """
        now = int(time.time())
        if isinstance(permissions, list | set | frozenset | tuple):
            permissions = [each.value if isinstance(each, Permission) else each for each in permissions]
        all_claims = {
            "iss": self.issuer.issuer,
            "aud": self.issuer.audience,
            "sub": "somebody",
            "iat": now,
            "exp": now + 3600,
            CLAIMS.organisation_id: organisation_id,
            CLAIMS.customer_number: customer_number,
            CLAIMS.employee_id: employee_id,
            CLAIMS.permissions: permissions,
            **claims,
        }
        signer = key or self.key
        all_headers = {"alg": self.algorithm, "typ": "JWT", "kid": signer.kid, **(header or {})}
        return signed(all_headers, all_claims, signer)


def signed(header: Mapping[str, Any], claims: Mapping[str, Any], key: Any) -> str:
    """A token with this header, whatever is in it, signed by its algorithm; members that are None are left out."""
    text = f"{encoded(header)}.{encoded(claims)}"
    signature = jws.JWSRegistry.algorithms[header["alg"]].sign(text.encode(), key)
    return f"{text}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def encoded(value: Mapping[str, Any]) -> str:
    text = json.dumps({name: each for name, each in value.items() if each is not None})
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def bearer(token: str) -> list[str]:
    """The Authorization headers of a request with this token."""
    return [f"Bearer {token}"]


class Clock:
    """A time that stands still until it is moved on."""

    def __init__(self, now: float = 0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now
