"""Two gateways over one database, one for each execution, asked in the same process without a client in between."""

import json
import re
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

import httpx

import resolvers.context
from datastore.viewer import GRANTABLE, TenantKind, Viewer
from gateway.execution import run
from gateway.http import GraphQLEndpoint
from gateway.identity.demo import Role
from schema.permission import permission_table
from schema.root import schema
from tests.execution.documents import Chosen, Document, literal
from tests.execution.world import EMPLOYEE_ORDERS, ORDERS
from tests.gateway.client import authorization, endpoint_of, gateway_client, settings

CHANGING = re.compile(rb'("(?:correlationId|timestamp)":)"[^"]*"|("remaining":)\d+')
ROOMY: Mapping[str, Any] = {
    "max_cost": 10**8,
    "max_aliases": 500,
    "max_directives": 500,
    "log_level": "ERROR",
    "rate_points": 10**12,
    "rate_points_per_second": 10**12,
}


class Answer(NamedTuple):
    """What a gateway answered and would have written into the audit log."""

    status: int
    body: bytes
    reveals: Any


@dataclass(slots=True)
class Asked:
    """A gateway that is asked directly, and what was noticed while it was."""

    app: Any
    endpoint: GraphQLEndpoint
    planned: int = 0
    """How many of the answers were planned."""
    failures: list[BaseException] = field(default_factory=list)
    reads: Any = None

    async def ask(self, document: Document, headers: Sequence[tuple[bytes, bytes]]) -> Answer:
        REVEALED.clear()
        status, body = await post(self.app, document.body(), headers)
        return Answer(status, CHANGING.sub(rb"\1\2null", body), list(REVEALED))


REVEALED: list[Any] = []


async def remember(
    _database: Any, viewer: Any, client: str, _correlation_id: str, reason: str, seen: Mapping[int, Any]
) -> None:
    """In place of writing the audit log, which would make the next answer another one."""
    people = {id_: (each.operation, sorted(each.coordinates)) for id_, each in sorted(seen.items(), key=str)}
    REVEALED.append((viewer, client, reason, people))


async def post(app: Any, body: bytes, headers: Sequence[tuple[bytes, bytes]]) -> tuple[int, bytes]:
    """Status and body of the answer of an ASGI application."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/graphql",
        "raw_path": b"/graphql",
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", b"gateway"), (b"content-type", b"application/json"), *headers],
        "client": ("127.0.0.1", 1),
        "server": ("gateway", 80),
        "state": {},
    }
    sent: list[dict[str, Any]] = []
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        return waiting.pop() if waiting else {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent[0]["status"], b"".join(each.get("body", b"") for each in sent[1:])


@asynccontextmanager
async def both(url: str, **more: Any) -> AsyncIterator[tuple[Asked, Asked]]:
    """The gateways with the standard and with the planned execution."""
    given = {**ROOMY, **more}
    contexts: Any = resolvers.context
    recorded = contexts.record_reveals
    logger = run.logger
    contexts.record_reveals = remember
    async with (
        gateway_client(settings(url, **given, execution="standard")) as standard,
        gateway_client(settings(url, **given, execution="planned")) as planned,
    ):
        made = asked_of(standard), asked_of(planned)
        ordinary = made[1].endpoint.planned
        assert ordinary

        async def counted(*arguments: Any) -> Any:
            answer = await ordinary(*arguments)
            made[1].planned += answer is not None
            return answer

        made[1].endpoint.planned = counted
        made[1].reads = ordinary.__self__.reads  # type: ignore[attr-defined]
        run.logger = Failures(made[1].failures)  # type: ignore[assignment]
        try:
            yield made
        finally:
            contexts.record_reveals = recorded
            run.logger = logger


async def same(
    gateways: tuple[Asked, Asked],
    text: str,
    variables: Mapping[str, Any] | None = None,
    headers: Sequence[tuple[bytes, bytes]] | None = None,
    *,
    is_planned: bool = True,
) -> Answer:
    """The answer that both executions give, which must be the same one, to a document that is new and to one that is
    known. It must be planned where `is_planned`, and no plan may have failed in an unforeseen way without an error in
    the answer."""
    standard, planned = gateways
    document = Document(text, variables or {})
    headers = headers_of(PARTNER, "a reason") if headers is None else headers
    answer = await standard.ask(document, headers)
    first = await planned.ask(document, headers)
    assert first == answer, f"{answer}\n{first}"
    before, failures = planned.planned, len(planned.failures)
    for _ in range(2):
        first = await planned.ask(document, headers)
    assert first == answer, f"{answer}\n{first}"
    if is_planned:
        assert planned.planned == before + 2, f"not planned: {text}"
    if b'"errors":' not in answer.body:
        assert planned.failures[failures:] == []
    return answer


def data_of(answer: Answer) -> Any:
    return json.loads(answer.body)["data"]


def errors_of(answer: Answer) -> Any:
    return json.loads(answer.body).get("errors")


class Failures:
    """In place of the executor's logger: keeps the exceptions."""

    def __init__(self, found: list[BaseException]) -> None:
        self.found = found

    def exception(self, _event: str, **_more: Any) -> None:
        error = sys.exc_info()[1]
        assert error
        self.found.append(error)


def asked_of(client: httpx.AsyncClient) -> Asked:
    transport: Any = client._transport
    return Asked(transport.app, endpoint_of(client))


def headers_of(role: Role, reason: str = "") -> list[tuple[bytes, bytes]]:
    """The headers of a caller. Making a token takes longer than many an answer."""
    return headers_at(role, reason, int(time.time() / 60))


@cache
def headers_at(role: Role, reason: str, _minute: int) -> list[tuple[bytes, bytes]]:
    given = {**authorization(role), "ET-Client-Name": "a-test", **({"X-Access-Reason": reason} if reason else {})}
    return [(name.lower().encode(), value.encode()) for name, value in given.items()]


def a_role(
    tenant: TenantKind, organisation_id: int = 1, customer_number: int | None = None, subject: str = "someone"
) -> Role:
    """A caller with all permissions."""
    return Role("", tenant, organisation_id, GRANTABLE, subject, "a-client", customer_number)


@dataclass(frozen=True, slots=True)
class Asker:
    """Somebody who asks, why they want to see sensitive values, and somebody of the same kind who shares their plans
    but not their data."""

    role: Role
    reason: str
    neighbour: Role

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        return headers_of(self.role, self.reason)

    @property
    def neighbours_headers(self) -> list[tuple[bytes, bytes]]:
        return headers_of(self.neighbour, self.reason)

    def may_ask(self, type_name: str, field_name: str) -> bool:
        """Whether the permission table lets them ask for a field."""
        role = self.role
        viewer = Viewer(role.organisation_id, role.tenant, role.permissions, customer_number=role.customer_number)
        needs = PERMISSIONS.get(type_name, {}).get(field_name)
        return needs is not None and needs.is_met_by(viewer)


PERMISSIONS = permission_table(schema._schema).fields
PARTNER, OTHER_PARTNER = a_role(TenantKind.PARTNER), a_role(TenantKind.PARTNER, 2)
INTERNAL, OTHER_INTERNAL = a_role(TenantKind.INTERNAL, 99), a_role(TenantKind.INTERNAL, 1, subject="other")
KARI = a_role(TenantKind.TRAVELLER, 1, 1_000_000_001)
OLA = a_role(TenantKind.TRAVELLER, 1, 2**63 - 1, "ola")
"""A customer of `world.nasty`."""
ASKERS: Mapping[str, Asker] = {
    "partner": Asker(PARTNER, "complaint 17", OTHER_PARTNER),
    "partner without a reason": Asker(PARTNER, "", OTHER_PARTNER),
    "other partner": Asker(OTHER_PARTNER, "x y z", PARTNER),
    "internal": Asker(INTERNAL, "checks", OTHER_INTERNAL),
    "Kari": Asker(KARI, "my own", OLA),
    "Ola": Asker(OLA, "my own", KARI),
}


async def pages(gateway: Asked, asker: Asker) -> list[Chosen]:
    """Arguments of the lists that the asker may page through, with cursors of theirs."""
    found: list[Chosen] = []
    wanted = [
        ("customers", "{{ list: customers{} {{ edges {{ cursor }} }} }}", ORDERS),
        ("employees", "{{ list: employees{} {{ edges {{ cursor }} }} }}", EMPLOYEE_ORDERS),
        ("ticketRights", "{{ list: ticketRights{} {{ edges {{ cursor }} }} }}", ({},)),
        ("contracts", "{{ list: contracts{} {{ edges {{ cursor }} }} }}", ({},)),
        ("loyaltyPrograms", "{{ list: loyaltyPrograms{} {{ edges {{ cursor }} }} }}", ({},)),
        ("auditLog", "{{ list: auditLog{} {{ edges {{ cursor }} }} }}", ({}, {"filter": {"operation": "Look1"}})),
        ("dataAccessLog", "{{ list: viewer {{ list: dataAccessLog{} {{ edges {{ cursor }} }} }} }}", ({},)),
    ]
    for name, text, orders in wanted:
        for order in orders:
            given = ", ".join(f"{key}: {literal(value)}" for key, value in ({"first": 40} | dict(order)).items())
            answer = await gateway.ask(Document(text.format(f"({given})")), asker.headers)
            if answer.status != 200:
                continue
            list_ = json.loads(answer.body)["data"]["list"]
            cursors = [each["cursor"] for each in list_.get("list", list_)["edges"]]
            for cursor in [*cursors[:2], *cursors[len(cursors) // 2 :][:1], *cursors[-2:]]:
                found += [
                    (name, {**order, "first": 3, "after": cursor}),
                    (name, {**order, "last": 2, "before": cursor}),
                ]
    return found
