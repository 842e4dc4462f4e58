"""Which tokens are accepted, and as whom."""

import base64
import hmac
import json
import time
from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

import pytest
import structlog
from joserfc.jws import JWSRegistry

from datastore.viewer import GRANTABLE, Mode, Permission, TenantKind
from gateway.identity.tokens import LONGEST_TOKEN, Tokens
from resolvers.errors import ErrorCode, Refused
from tests.gateway.identity.tokens import KINDS, AnIssuer, Clock, a_key, encoded, jwks

NOW = int(time.time())
SKEW = 30
SELF = AnIssuer()
OTHER = AnIssuer("https://other.example", key=a_key(key_id="key-2"))
USERS = AnIssuer("https://users.example", TenantKind.TRAVELLER)
RSA = AnIssuer("https://rsa.example", algorithm="RS256", algorithms=["RS256", "ES256"])


@pytest.fixture(autouse=True)
def issued_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long ago this file was read."""
    monkeypatch.setattr("tests.gateway.identity.tokens.time.time", lambda: NOW)


def tokens(*issuers: AnIssuer, **options: Any) -> Tokens:
    trusted = [each.issuer for each in issuers or (SELF, OTHER, USERS, RSA)]
    return Tokens(trusted, **{"clock_skew": SKEW, "now": Clock(NOW), **options})


async def assert_refused(token: str, reader: Tokens | None = None) -> None:
    with pytest.raises(Refused) as refused:
        await (reader or tokens()).read(token)
    (error,) = refused.value.errors
    assert (error.code, error.message, error.path, error.rejected_values) == (ErrorCode.TOKEN_INVALID, "", (), ())
    assert str(refused.value) == "TOKEN_INVALID"
    assert refused.value.__cause__ is None


def hmac_signed(secret: bytes, issuer: AnIssuer, algorithm: str = "HS256") -> str:
    claims = issuer.token().split(".")[1]
    text = f"{encoded({'alg': algorithm, 'kid': issuer.key.kid})}.{claims}"
    digest = hmac.digest(secret, text.encode(), f"sha{algorithm[2:]}")
    return f"{text}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"


def unsigned(algorithm: str) -> str:
    claims = SELF.token().split(".")[1]
    return f"{encoded({'alg': algorithm})}.{claims}."


def changed(part: int) -> str:
    parts = SELF.token().split(".")
    parts[part] = SELF.token(sub="somebody else", header={"typ": "at+jwt"}).split(".")[part]
    return ".".join(parts)


def public_pem() -> bytes:
    return RSA.key.as_pem(private=False)


def public_json() -> bytes:
    return json.dumps(RSA.key.as_dict(private=False)).encode()


BAD: dict[str, Callable[[], str]] = {
    "expired": lambda: SELF.token(exp=NOW - SKEW),
    "expired long ago": lambda: SELF.token(exp=0),
    "not yet valid": lambda: SELF.token(nbf=NOW + SKEW + 1),
    "issued in the future": lambda: SELF.token(iat=NOW + SKEW + 1),
    "without exp": lambda: SELF.token(exp=None),
    "exp is a string": lambda: SELF.token(exp=str(NOW + 60)),
    "exp is true": lambda: SELF.token(exp=True),
    "exp is infinite": lambda: SELF.token(exp=float("inf")),
    "exp is beyond all numbers": lambda: SELF.token(exp=10**400),
    "nbf is a string": lambda: SELF.token(nbf="now"),
    "iat is a list": lambda: SELF.token(iat=[NOW]),
    "wrong audience": lambda: SELF.token(aud="somebody-else"),
    "longer audience": lambda: SELF.token(aud="kundeport-test"),
    "list without our audience": lambda: SELF.token(aud=["a", "b", ["kundeport"]]),
    "empty list of audiences": lambda: SELF.token(aud=[]),
    "without audience": lambda: SELF.token(aud=None),
    "audience is an object": lambda: SELF.token(aud={"kundeport": 1}),
    "unknown issuer": lambda: SELF.token(iss="https://evil.example"),
    "issuer with a slash more": lambda: SELF.token(iss="https://issuer.example/"),
    "without issuer": lambda: SELF.token(iss=None),
    "issuer is a list": lambda: SELF.token(iss=["https://issuer.example"]),
    "key of another trusted issuer": lambda: SELF.token(key=OTHER.key),
    "key of another trusted issuer under our key's id": lambda: SELF.token(key=OTHER.key, header={"kid": "key-1"}),
    "issuer of another key": lambda: OTHER.token(iss=SELF.issuer.issuer),
    "alg none": lambda: unsigned("none"),
    "alg None": lambda: unsigned("None"),
    "alg nOnE": lambda: unsigned("nOnE"),
    "alg none with a signature": lambda: unsigned("none") + "c2lnbmF0dXJl",
    "HS256 with the public key's PEM": lambda: hmac_signed(public_pem(), RSA),
    "HS256 with the public key's JSON": lambda: hmac_signed(public_json(), RSA),
    "HS512 with the public key's PEM": lambda: hmac_signed(public_pem(), RSA, "HS512"),
    "without alg": lambda: SELF.token(header={"alg": "ES256"}).replace(
        encoded({"alg": "ES256", "typ": "JWT", "kid": "key-1"}), encoded({"kid": "key-1"})
    ),
    "an algorithm that is not the issuer's": lambda: SELF.token(key=a_key("ES384"), header={"alg": "ES384"}),
    "ES256 by a key for RS256": lambda: RSA.token(key=SELF.key, header={"alg": "ES256", "kid": RSA.key.kid}),
    "RS256 by a key for ES256": lambda: SELF.token(key=RSA.key, header={"alg": "RS256"}),
    "unknown kid": lambda: SELF.token(header={"kid": "key-9"}),
    "kid with a path": lambda: SELF.token(header={"kid": "../../etc/passwd"}),
    "kid with a URL": lambda: SELF.token(header={"kid": "https://evil.example/jwks.json"}),
    "kid with a NUL": lambda: SELF.token(header={"kid": "key-1\0"}),
    "long kid": lambda: SELF.token(header={"kid": "k" * 201}),
    "empty kid": lambda: SELF.token(header={"kid": ""}),
    "kid is a number": lambda: SELF.token(header={"kid": 1}),
    "crit": lambda: SELF.token(header={"crit": ["exp"]}),
    "crit with unencoded payload": lambda: SELF.token(header={"crit": ["b64"], "b64": False}),
    "empty crit": lambda: SELF.token(header={"crit": []}),
    "key in the header": lambda: SELF.token(
        key=OTHER.key, header={"kid": "x", "jwk": OTHER.key.as_dict(private=False), "jku": "https://evil.example"}
    ),
    "header of another token": lambda: changed(0),
    "claims of another token": lambda: changed(1),
    "signature of another token": lambda: changed(2),
    "without signature": lambda: SELF.token().rpartition(".")[0] + ".",
    "cut": lambda: SELF.token()[:-3],
    "100 kB": lambda: SELF.token(padding="x" * 100_000),
    "a little too long": lambda: "x" * (LONGEST_TOKEN + 1),
    "garbage": lambda: "garbage",
    "dots": lambda: "..",
    "five parts": lambda: SELF.token() + ".a.b",
    "a newline at the end": lambda: SELF.token() + "\n",
    "not ASCII": lambda: SELF.token() + "å",
    "claims are a list": lambda: f"{encoded({'alg': 'ES256'})}.W10.c2ln",
    "claims are no JSON": lambda: f"{encoded({'alg': 'ES256'})}.e30x.c2ln",
    "deep JSON": lambda: f"{encoded({'alg': 'ES256'})}.{'W1tb' * 1500}.c2ln",
    "part of an impossible length": lambda: f"{encoded({'alg': 'ES256'})}x.e30.c",
    "without organisation": lambda: SELF.token(organisation_id=None),
    "organisation is true": lambda: SELF.token(organisation_id=True),
    "organisation is 1.0": lambda: SELF.token(organisation_id=1.0),
    "organisation is 0": lambda: SELF.token(organisation_id=0),
    "organisation below 0": lambda: SELF.token(organisation_id=-1),
    "organisation of more than 64 bits": lambda: SELF.token(organisation_id=2**63),
    "organisation in more than 64 bits of digits": lambda: SELF.token(organisation_id="9" * 19),
    "organisation in many digits": lambda: SELF.token(organisation_id="1" * 5000),
    "organisation in Arabic digits": lambda: SELF.token(organisation_id="١"),
    "organisation with a sign": lambda: SELF.token(organisation_id="+1"),
    "empty organisation": lambda: SELF.token(organisation_id=""),
    "list of organisations": lambda: SELF.token(organisation_id=[1]),
    "user without a number": lambda: USERS.token(),
    "user whose number is no number": lambda: USERS.token(customer_number="kari"),
    "client whose number is no number": lambda: SELF.token(customer_number=True),
    "employee id is true": lambda: USERS.token(employee_id=True),
    "long employee id": lambda: USERS.token(employee_id="E" * 201),
    "without sub": lambda: SELF.token(sub=None),
    "empty sub": lambda: SELF.token(sub=""),
    "long sub": lambda: SELF.token(sub="s" * 201),
    "sub with a line break": lambda: SELF.token(sub="a\nb"),
    "sub is a number": lambda: SELF.token(sub=1),
    "sub with half a character": lambda: SELF.token(sub="\ud800"),
    "client id is a list": lambda: SELF.token(azp=["a"]),
    "permissions are a number": lambda: SELF.token(permissions=1),
    "too many permissions": lambda: SELF.token(permissions=["a"] * 501),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
async def test_every_bad_token_is_refused_with_the_same_words(bad: Callable[[], str]) -> None:
    await assert_refused(bad())


async def test_a_token_changed_in_any_character_is_refused() -> None:
    reader = tokens()
    token = SELF.token()
    await reader.read(token)
    header, claims, signature = token.split(".")
    for place in range(len(token)):
        if token[place] == "." or place == len(header) + len(claims) + len(signature) + 1:  # the last: spare bits
            continue
        other = "A" if token[place] != "A" else "B"
        await assert_refused(token[:place] + other + token[place + 1 :], reader)


@pytest.mark.parametrize("algorithm", KINDS)
@pytest.mark.parametrize("signature", ["AA", "A" * 86, "A" * 128, "_" * 86, "_" * 176, "_" * 342], ids=len)
async def test_a_made_up_signature_is_refused(algorithm: str, signature: str) -> None:
    issuer = ISSUERS[algorithm]
    header, claims, _ = issuer.token().split(".")
    await assert_refused(f"{header}.{claims}.{signature}", tokens(issuer))


ISSUERS = {algorithm: AnIssuer(algorithm=algorithm) for algorithm in KINDS}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("algorithm", KINDS)
async def test_tokens_by_every_algorithm_are_accepted(algorithm: str) -> None:
    issuer = ISSUERS[algorithm]
    assert (await tokens(issuer).read(issuer.token())).subject == "somebody"


@pytest.mark.parametrize("declared", ["Ed25519", "EdDSA"])
@pytest.mark.parametrize("algorithm", ["Ed25519", "EdDSA"])
async def test_the_old_name_of_ed25519_is_as_good_as_the_new_one(algorithm: str, declared: str) -> None:
    issuer = ISSUERS["Ed25519"]
    keys = {"keys": [issuer.key.as_dict(private=False, alg=declared)]}
    both = AnIssuer(algorithm=algorithm, key=issuer.key, jwks=keys)
    assert (await tokens(both).read(both.token())).subject == "somebody"


@pytest.mark.rule("T01")
@pytest.mark.rule("T03")
@pytest.mark.parametrize(
    ("tenant", "mode"),
    [
        (TenantKind.INTERNAL, Mode.CLIENT),
        (TenantKind.PARTNER, Mode.CLIENT),
        (TenantKind.TRAVELLER, Mode.USER),
        (TenantKind.PERSON, Mode.USER),
    ],
)
async def test_the_issuer_says_which_kind_of_tenant_a_token_is_of(tenant: TenantKind, mode: Mode) -> None:
    issuer = AnIssuer(tenant=tenant)
    viewer = await tokens(issuer).read(issuer.token(organisation_id=7, customer_number=1_000_000_001, azp="app"))
    assert (viewer.kind, viewer.mode, viewer.organisation_id) == (tenant, mode, 7)
    assert (viewer.subject, viewer.client_id, viewer.issuer) == ("somebody", "app", "https://issuer.example")
    assert viewer.customer_number == (1_000_000_001 if mode is Mode.USER else None)
    assert viewer.is_signed_in
    assert viewer.customer_ids == frozenset()


@pytest.mark.rule("T03")
async def test_numbers_may_be_strings_of_digits() -> None:
    viewer = await tokens().read(USERS.token(organisation_id="1", customer_number=str(2**63 - 1)))
    assert (viewer.organisation_id, viewer.customer_number) == (1, 2**63 - 1)


async def test_an_employee_needs_no_customer_number() -> None:
    viewer = await tokens().read(USERS.token(employee_id="E1"))
    assert (viewer.employee_id, viewer.customer_number) == ("E1", None)
    assert (await tokens().read(USERS.token(employee_id=17))).employee_id == "17"


@pytest.mark.parametrize(
    ("claim", "permissions"),
    [
        (None, set()),
        ([], set()),
        ("", set()),
        ("customer:read", {Permission.CUSTOMER_READ}),
        ("customer:read note:read", {Permission.CUSTOMER_READ, Permission.NOTE_READ}),
        (["customer:read", "customer:fly", 1, None, ["note:read"]], {Permission.CUSTOMER_READ}),
        (["CUSTOMER_READ", "Customer:Read"], set()),
        (["public", "signed-in"], set()),
        ([permission.value for permission in GRANTABLE], GRANTABLE),
    ],
)
async def test_permissions_are_a_list_or_words_and_unknown_ones_are_ignored(
    claim: Any, permissions: set[Permission]
) -> None:
    assert (await tokens().read(SELF.token(permissions=claim))).permissions == permissions


async def test_the_client_is_named_by_azp_else_by_client_id_else_by_nothing() -> None:
    reader = tokens()
    assert (await reader.read(SELF.token(azp="a", client_id="b"))).client_id == "a"
    assert (await reader.read(SELF.token(client_id="b"))).client_id == "b"
    assert (await reader.read(SELF.token())).client_id == ""


async def test_claims_can_have_other_names() -> None:
    issuer = AnIssuer(claims={"organisation_id": "org", "permissions": "scope", "client_id": "cid"})
    viewer = await tokens(issuer).read(issuer.token(organisation_id=None, org=5, scope="customer:read", cid="c"))
    assert (viewer.organisation_id, viewer.client_id) == (5, "c")
    assert viewer.permissions == {Permission.CUSTOMER_READ}


async def test_nothing_of_a_national_identity_number_is_kept() -> None:
    claims: dict[str, Any] = dict.fromkeys(["ssn", "https://entur.io/ssn", "socialSecurityNumber"], "01010112345")
    viewer = await tokens().read(SELF.token(**claims))
    assert "01010112345" not in repr(viewer)


async def test_the_audience_may_stand_among_others() -> None:
    assert await tokens().read(SELF.token(aud=["other", "kundeport"]))


@pytest.mark.parametrize(
    "claims",
    [{"exp": NOW - SKEW + 1}, {"nbf": NOW + SKEW}, {"iat": NOW + SKEW}, {"exp": NOW + 0.5}, {"iat": None}, {"nbf": 0}],
    ids=lambda given: ",".join(sorted(given)),
)
async def test_clocks_may_differ_a_little(claims: dict[str, Any]) -> None:
    assert await tokens().read(SELF.token(**claims))


async def test_a_token_without_kid_needs_the_only_key_that_fits() -> None:
    first, second, rsa = a_key(key_id="a"), a_key(key_id="b"), RSA.key
    only = AnIssuer(key=first, jwks=jwks(first, rsa))
    assert await tokens(only).read(only.token(header={"kid": None}))
    two = AnIssuer(key=first, jwks=jwks(first, second))
    await assert_refused(two.token(header={"kid": None}), tokens(two))


async def test_a_key_without_kid_is_not_found_by_one() -> None:
    issuer = AnIssuer(key=a_key(key_id=None))
    assert await tokens(issuer).read(issuer.token())
    await assert_refused(issuer.token(header={"kid": "x"}), tokens(issuer))


async def test_a_remembered_token_ends_when_it_expires() -> None:
    now = Clock(NOW)
    reader = tokens(now=now)
    token = SELF.token(exp=NOW + 100)
    assert await reader.read(token) is await reader.read(token)
    now.now = NOW + 100 + SKEW - 1
    assert await reader.read(token)
    now.now += 1
    await assert_refused(token, reader)
    assert len(reader._remembered) == 0


async def test_a_signature_is_checked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    algorithm = JWSRegistry.algorithms["ES256"]
    verify = Mock(wraps=algorithm.verify)
    monkeypatch.setattr(algorithm, "verify", verify)
    reader, token = tokens(), SELF.token()
    for _ in range(5):
        await reader.read(token)
    assert verify.call_count == 1


async def test_the_oldest_of_too_many_remembered_tokens_is_forgotten() -> None:
    reader = tokens(most_remembered=3)
    used = SELF.token(sub="used")
    for number in range(10):
        await reader.read(used)
        await reader.read(SELF.token(sub=f"nr {number}"))
    assert len(reader._remembered) == 3
    assert await reader.read(used) is (await reader.read(used))
    assert {each.viewer.subject for each in reader._remembered.values()} == {"used", "nr 8", "nr 9"}


async def test_refused_tokens_are_not_remembered() -> None:
    reader = tokens()
    await assert_refused(SELF.token(exp=0), reader)
    assert len(reader._remembered) == 0


async def test_the_reason_is_logged_without_the_token() -> None:
    token = SELF.token(sub="secret-subject", exp=0)
    with structlog.testing.capture_logs() as lines:
        await assert_refused(token)
    assert lines == [{"event": "token_refused", "reason": "expired", "log_level": "info"}]


async def test_an_issuer_speaks_for_its_organisations_only() -> None:
    limited = AnIssuer("https://limited.example", organisations=[1, 3])
    reader = tokens(limited, OTHER)
    for organisation_id in (1, 3):
        assert (await reader.read(limited.token(organisation_id=organisation_id))).organisation_id == organisation_id
    with structlog.testing.capture_logs() as lines:
        await assert_refused(limited.token(organisation_id=2), reader)
    assert [line["reason"] for line in lines] == ["organisation-of-others"]
    assert (await reader.read(OTHER.token(organisation_id=2))).organisation_id == 2


@pytest.mark.parametrize("organisations", [[], [0], ["x"], 1])
def test_organisations_of_an_issuer_must_be_numbers(organisations: Any) -> None:
    with pytest.raises(ValueError, match="organisations"):
        AnIssuer(organisations=organisations)


def test_an_issuer_cannot_be_trusted_twice() -> None:
    with pytest.raises(ValueError, match="given twice"):
        tokens(SELF, AnIssuer(tenant=TenantKind.INTERNAL))
