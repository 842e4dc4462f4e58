"""The public keys of a token issuer, read from its JSON Web Key Set (RFC 7517)."""

from dataclasses import dataclass
from typing import Any, get_args

from joserfc.errors import JoseError
from joserfc.jwa import JWSAlgModel
from joserfc.jwk import ECKey, JWKRegistry, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from gateway.identity.issuer import Algorithm

MOST_KEYS = 100
LONGEST_KEY_ID = 200
PUBLIC_PARTS = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}
"""Type of key -> the parameters that make its public half. Symmetric keys ("oct") have none."""
RSA_BITS = range(2048, 8192 + 1)
LONGEST_PART = 8192 // 6 + 2
"""Characters of the largest parameter, an RSA modulus of 8192 bits."""

ALGORITHMS: dict[str, JWSAlgModel] = {
    # RFC 9864 gives the one curve that EdDSA is used with for tokens a name of its own.
    name: JWSRegistry.algorithms["Ed25519" if name == "EdDSA" else name]
    for name in get_args(Algorithm)
}


@dataclass(frozen=True, slots=True)
class PublicKey:
    """One key that checks signatures. `identity` is the same for the same key in a later key set, and for no other;
    `algorithms` are those it may be used with."""

    key_id: str | None
    algorithms: frozenset[str]
    identity: tuple[str | None, frozenset[str], str]
    key: RSAKey | ECKey | OKPKey

    def has_signed(self, algorithm: str, message: bytes, signature: bytes) -> bool:
        """Whether the signature is this key's, by this algorithm."""
        return algorithm in self.algorithms and ALGORITHMS[algorithm].verify(message, signature, self.key)


def public_keys(document: Any) -> tuple[PublicKey, ...]:
    """The keys of a key set that can check signatures; others in it, and private halves, are left out.

    Raises ValueError for what is not a key set, or one of more than 100 keys.
    """
    keys = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(keys, list):
        raise ValueError("this is not a JSON Web Key Set")
    if len(keys) > MOST_KEYS:
        raise ValueError(f"the key set has more than {MOST_KEYS} keys")
    read = (_public_key(given) for given in keys)
    return tuple(key for key in read if key is not None and key.algorithms)


def _public_key(given: Any) -> PublicKey | None:
    """The key, or None where it is not one that checks signatures."""
    if not isinstance(given, dict) or str(given.get("kty")) not in PUBLIC_PARTS or given.get("use", "sig") != "sig":
        return None
    key_id, operations, declared = given.get("kid"), given.get("key_ops", ["verify"]), given.get("alg")
    if not isinstance(key_id, str | None) or not isinstance(operations, list) or "verify" not in operations:
        return None
    parts: dict[str, Any] = {name: given.get(name) for name in ("kty", *PUBLIC_PARTS[given["kty"]])}
    if not all(isinstance(part, str) and len(part) <= LONGEST_PART for part in parts.values()):
        return None
    try:
        key = JWKRegistry.import_key(parts) if _is_large_enough(given) else None
        if not isinstance(key, RSAKey | ECKey | OKPKey):
            return None
        algorithms = frozenset(name for name, model in ALGORITHMS.items() if _fits(key, model, declared))
        return PublicKey(key_id, algorithms, (key_id, algorithms, key.thumbprint()), key)
    except (JoseError, ValueError, KeyError):  # KeyError: a curve that is not known
        return None


def _is_large_enough(given: dict[str, Any]) -> bool:
    """Whether an RSA key has 2048 to 8192 bits, by the length of its modulus in Base64; other types have one size."""
    return given["kty"] != "RSA" or len(given["n"].rstrip("=")) * 6 // 8 * 8 in RSA_BITS


def _fits(key: RSAKey | ECKey | OKPKey, model: JWSAlgModel, declared: object) -> bool:
    """Whether the algorithm is for keys of this type and curve, and the one that the key declares, if it does."""
    if declared is not None and ALGORITHMS.get(str(declared)) is not model:
        return False
    try:
        model.check_key(key)
    except JoseError:
        return False
    return True
