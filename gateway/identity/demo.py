"""The demo issuer: with `serve --demo` only, whoever reaches the gateway may take a token of any role."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import orjson
from joserfc import jwt
from joserfc.jwk import OKPKey
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from datastore.base import rfc3339
from datastore.bookkeeping import GatewaySecret
from datastore.database import Database, violated_constraint
from datastore.viewer import GRANTABLE, Permission, TenantKind
from gateway.errors import error_entry
from gateway.identity.issuer import Claims, Issuer
from gateway.request import JSON, RequestRefused, check_content, read_body, read_json
from gateway.response import respond, respond_error
from resolvers.errors import ErrorCode

SECRET = "demo-issuer"  # noqa: S105 - the name of a row
ALGORITHM: Literal["Ed25519"] = "Ed25519"
AUDIENCE = "kundeport-demo"
VALID_FOR = timedelta(hours=24)
"""Rule T02."""
MOST_BODY_BYTES = 1_000
BODY_SECONDS = 15
TENANTS = (TenantKind.INTERNAL, TenantKind.PARTNER, TenantKind.TRAVELLER)
CLAIMS = Claims()


class NoDemoKey(Exception):
    """The database has no key of the demo issuer: it was never served with `--demo`."""


@dataclass(frozen=True, slots=True)
class Role:
    """Someone to sign in as in the demo: a bundle of permissions, and the claims that go with it."""

    description: str
    tenant: TenantKind
    organisation_id: int
    permissions: frozenset[Permission]
    subject: str
    client_id: str
    customer_number: int | None = None
    employee_id: str | None = None
    company_id: int | None = None


ROLES: Mapping[str, Role] = {
    "admin": Role(
        "Internal operations: may do everything, in every organisation.",
        TenantKind.INTERNAL,
        1,
        GRANTABLE,
        subject="admin@clients",
        client_id="demo-admin",
    ),
    "crm": Role(
        "Customer service of organisation 1: finds, reads, changes and merges its customers, with notes and contracts.",
        TenantKind.PARTNER,
        1,
        frozenset(
            {
                Permission.CUSTOMER_READ,
                Permission.CUSTOMER_SEARCH,
                Permission.CUSTOMER_CREATE,
                Permission.CUSTOMER_UPDATE,
                Permission.CUSTOMER_DELETE,
                Permission.CUSTOMER_MERGE,
                Permission.CUSTOMER_EXPORT,
                Permission.CONTACT_READ,
                Permission.JOURNEY_READ,
                Permission.NOTE_READ,
                Permission.NOTE_REVEAL,
                Permission.NOTE_WRITE,
                Permission.PASSWORD_WRITE,
                Permission.CONTRACT_READ,
                Permission.CONTRACT_WRITE,
                Permission.CONTRACT_CLAIM,
                Permission.LEDGER_READ,
            }
        ),
        subject="crm@clients",
        client_id="demo-crm",
    ),
    "hr": Role(
        "Personnel department of organisation 1: its companies' employees, families and ticket rights; no customers.",
        TenantKind.PARTNER,
        1,
        frozenset(
            {
                Permission.EMPLOYEE_READ,
                Permission.EMPLOYEE_SENSITIVE_READ,
                Permission.EMPLOYEE_WRITE,
                Permission.SSN_REVEAL,
                Permission.COMPANY_WRITE,
                Permission.TICKET_RIGHT_READ,
                Permission.TICKET_RIGHT_WRITE,
                Permission.REPORT_READ,
            }
        ),
        subject="hr@clients",
        client_id="demo-hr",
    ),
    "conductor": Role(
        "Conductor's device of organisation 1: looks customers and journeys up, and checks and uses contracts.",
        TenantKind.PARTNER,
        1,
        frozenset(
            {
                Permission.CUSTOMER_READ,
                Permission.JOURNEY_READ,
                Permission.CONTRACT_READ,
                Permission.CONTRACT_CONSUME,
            }
        ),
        subject="conductor@clients",
        client_id="demo-conductor",
    ),
    "customer": Role(
        "Customer 1000000001 of organisation 1: reads, changes and deletes her own profile, and shares her contracts.",
        TenantKind.TRAVELLER,
        1,
        frozenset(
            {
                Permission.CUSTOMER_READ,
                Permission.CUSTOMER_UPDATE,
                Permission.CUSTOMER_DELETE,
                Permission.CONTACT_READ,
                Permission.JOURNEY_READ,
                Permission.CONTRACT_READ,
                Permission.CONTRACT_CLAIM,
                Permission.CONTRACT_SHARE,
            }
        ),
        subject="kari.nordmann",
        client_id="demo-app",
        customer_number=1_000_000_001,
    ),
    "employee": Role(
        "Employee 1 of company 101, who is customer 1000000001: reads her own employment, family and ticket rights.",
        TenantKind.TRAVELLER,
        1,
        frozenset(
            {
                Permission.CUSTOMER_READ,
                Permission.EMPLOYEE_READ,
                Permission.TICKET_RIGHT_READ,
                Permission.CONTRACT_READ,
                Permission.CONTRACT_CLAIM,
                Permission.CONTRACT_SHARE,
            }
        ),
        subject="kari.nordmann",
        client_id="demo-employee-app",
        customer_number=1_000_000_001,
        employee_id="1",
    ),
    "loyalty": Role(
        "Loyalty manager of organisation 1: its programs and contracts, the money on them, and the ledger.",
        TenantKind.PARTNER,
        1,
        frozenset(
            {
                Permission.CUSTOMER_READ,
                Permission.LOYALTY_PROGRAM_READ,
                Permission.LOYALTY_PROGRAM_WRITE,
                Permission.CONTRACT_READ,
                Permission.CONTRACT_WRITE,
                Permission.CONTRACT_CLAIM,
                Permission.CONTRACT_SHARE,
                Permission.CONTRACT_CONSUME,
                Permission.CONTRACT_MONEY_WRITE,
                Permission.LEDGER_READ,
            }
        ),
        subject="loyalty@clients",
        client_id="demo-loyalty",
    ),
    "partner": Role(
        "A partner's system in organisation 2: reads, creates and changes that organisation's customers and contracts.",
        TenantKind.PARTNER,
        2,
        frozenset(
            {
                Permission.CUSTOMER_READ,
                Permission.CUSTOMER_CREATE,
                Permission.CUSTOMER_UPDATE,
                Permission.CONTACT_READ,
                Permission.CREDENTIALS_VERIFY,
                Permission.CONTRACT_READ,
                Permission.CONTRACT_WRITE,
                Permission.CONTRACT_CLAIM,
                Permission.CONTRACT_CONSUME,
            }
        ),
        subject="partner@clients",
        client_id="demo-partner",
    ),
}


async def demo_key(database: Database, *, create: bool) -> OKPKey:
    """The private key of the demo issuer, kept in the database so that all processes over it share it.

    `create` makes it if it is not there yet; else that raises NoDemoKey.
    """
    secret = select(GatewaySecret.value).where(GatewaySecret.name == SECRET)
    found = await database.fetch(secret)
    if not found and create:
        made = orjson.dumps(OKPKey.generate_key(ALGORITHM).as_dict(private=True))
        try:
            async with database.write() as session:
                await session.execute(insert(GatewaySecret).values(name=SECRET, value=made))
        except IntegrityError as error:
            # Another process that starts at the same time was faster.
            if violated_constraint(error) != "pk_gateway_secret":
                raise
        found = await database.fetch(secret)
    if not found:
        raise NoDemoKey("the database has no key of the demo issuer: start `kundeport serve --demo` on it first")
    key = OKPKey.import_key(orjson.loads(bytes(found[0][0])))
    key.ensure_kid()
    return key


def demo_issuers(key: OKPKey) -> list[Issuer]:
    """What to trust in the demo: an issuer for each kind of tenant, all with the same key."""
    jwks = {"keys": [key.as_dict(private=False, use="sig", alg=ALGORITHM)]}
    return [
        Issuer(issuer=issuer_name(tenant), audience=AUDIENCE, tenant=tenant, jwks=jwks, algorithms=(ALGORITHM,))
        for tenant in TENANTS
    ]


def issuer_name(tenant: TenantKind) -> str:
    return f"kundeport-demo/{tenant.value}"


def token_for(role: str, key: OKPKey, now: datetime) -> str:
    """A token of this role, valid for 24 hours. Raises KeyError for a role that is none."""
    wanted = ROLES[role]
    claims: dict[str, Any] = {
        "iss": issuer_name(wanted.tenant),
        "aud": AUDIENCE,
        "sub": wanted.subject,
        "iat": int(now.timestamp()),
        "exp": int((now + VALID_FOR).timestamp()),
        CLAIMS.client_id: wanted.client_id,
        CLAIMS.organisation_id: wanted.organisation_id,
        CLAIMS.customer_number: wanted.customer_number,
        CLAIMS.employee_id: wanted.employee_id,
        CLAIMS.company_id: wanted.company_id,
        CLAIMS.permissions: sorted(permission.value for permission in wanted.permissions),
    }
    given = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode({"alg": ALGORITHM, "kid": key.kid}, given, key, algorithms=[ALGORITHM])


def demo_routes(key: OKPKey) -> list[Route]:
    """The routes by which GraphiQL signs in: `GET /demo/roles`, and `POST /demo/token` with `{"role": "crm"}`.

    They answer `{"roles": [{"name", "description"}]}` and `{"token", "expiresAt"}`, or `{"errors": [...]}`.
    """

    async def roles(_request: Request) -> Response:
        found = [{"name": name, "description": role.description} for name, role in ROLES.items()]
        return respond({"roles": found}, 200, JSON)

    async def token(request: Request) -> Response:
        now = datetime.now(UTC)
        try:
            # JSON alone: another web page cannot make a browser send it without asking first.
            check_content(request.headers)
            given = read_json(await read_body(request, MOST_BODY_BYTES, BODY_SECONDS), "The body")
            role = given.get("role") if isinstance(given, dict) else None
            if not isinstance(role, str):
                raise RequestRefused(400, ErrorCode.REQUEST_MALFORMED, "The body must be an object with a role.")
            if role not in ROLES:
                raise RequestRefused(404, ErrorCode.VALUE_INVALID, "There is no such role.")
        except RequestRefused as refused:
            entry = error_entry(refused.code, refused.message, http_status=refused.status)
            return respond_error([entry], refused.status, JSON, refused.headers)
        expires_at = rfc3339((now + VALID_FOR).replace(microsecond=0))
        return respond({"token": token_for(role, key, now), "expiresAt": expires_at}, 200, JSON)

    return [Route("/demo/roles", roles, methods=["GET"]), Route("/demo/token", token, methods=["POST"])]
