"""The role matrix: what every role may ask for, worked out from the snapshot `schema/permissions.tsv` alone, and
whether a gateway agrees."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLUnionType,
    get_named_type,
    is_required_argument,
    is_required_input_field,
)

from datastore.viewer import GRANTABLE, Permission, TenantKind
from gateway.identity.demo import ROLES as DEMO_ROLES
from gateway.identity.demo import Role
from schema.node import written
from schema.root import schema
from tests.gateway.client import authorization
from tests.security.heard import heard

SNAPSHOT = Path(__file__).parents[2] / "schema" / "permissions.tsv"
CUSTOMER_NUMBER = 1_000_000_001
PTICKET_NUMBER = 1_000_000_002
"""Of a personnel-ticket profile that can be merged into the customer's."""
ORDER_ID = "ORDER-1"
COMPANY_ID, EMPLOYEE_ID, MEMBER_ID, IMPORT_ID, REPORT_ID, RULE_ID, PROGRAM_ID = range(101, 108)
CONTRACT_UUID = "00000000-0000-4000-8000-000000000001"
MOST_NAMED = 20
"""How many coordinates a refusal names, and so how many may be denied in one document."""
GRAPH = schema._schema.type_map


def role(name: str, tenant: TenantKind, permissions: Iterable[Permission], number: int | None = None) -> Role:
    """A caller of organisation 1."""
    return Role(name, tenant, 1, frozenset(permissions), f"{name}@test", f"{name}-client", number)


ROLES: Mapping[str, Role | None] = {
    **DEMO_ROLES,
    "anonymous": None,
    "everything, a user": role("everything-user", TenantKind.TRAVELLER, GRANTABLE, CUSTOMER_NUMBER),
    "everything, a partner": role("everything-partner", TenantKind.PARTNER, GRANTABLE),
    "nothing": role("nothing", TenantKind.PARTNER, ()),
    "nothing, a user": role("nothing-user", TenantKind.TRAVELLER, (), CUSTOMER_NUMBER),
    **{
        f"only {each.value}": role(each.name, TenantKind.INTERNAL, [each])
        for each in sorted(GRANTABLE, key=lambda each: each.value)
    },
}
"""None is a caller without a token."""


def snapshot() -> dict[str, str]:
    """Coordinate -> what it needs, in the words of the snapshot."""
    return dict(line.split("\t") for line in SNAPSHOT.read_text().splitlines())


def allows(need: str, caller: Role | None) -> bool:
    """Whether the words of the snapshot let a caller in."""
    permission, _, callers = need.partition(" ")
    is_user = caller is None or caller.tenant in (TenantKind.TRAVELLER, TenantKind.PERSON)
    is_internal = caller is not None and caller.tenant is TenantKind.INTERNAL
    if not {"": True, "CLIENTS": not is_user, "USERS": is_user, "INTERNAL": is_internal}[callers]:
        return False
    if permission == "public":
        return True
    if caller is None or permission == "NOBODY":
        return False
    return permission == "signed-in" or permission in {each.value for each in caller.permissions}


class Step(NamedTuple):
    """One field on the way from a root."""

    type_name: str
    field: str

    def __str__(self) -> str:
        return f"{self.type_name}.{self.field}"

    def text(self, below: str = "", alias: str = "", directive: str = "") -> str:
        """The field as it stands in a document, with arguments, and `below` if it has fields of its own."""
        definition = fields_of(self.type_name)[self.field]
        given = [
            f"{name}: {literal(argument, name, self.field)}"
            for name, argument in definition.args.items()
            if is_required_argument(argument) or f"{self.field}.{name}" in KNOWN
        ]
        arguments = f"({', '.join(given)})" if given else ""
        selection = f" {{ {below or '__typename'} }}" if leads_on(self) else ""
        return f"{alias and alias + ': '}{self.field}{arguments}{directive and ' ' + directive}{selection}"


def fields_of(type_name: str) -> dict[str, Any]:
    """The fields of an object type or interface."""
    type_ = GRAPH[type_name]
    assert isinstance(type_, GraphQLObjectType | GraphQLInterfaceType)
    fields: dict[str, Any] = type_.fields
    return fields


def leads_on(step: Step) -> bool:
    """Whether a field answers objects."""
    below = get_named_type(fields_of(step.type_name)[step.field].type)
    return isinstance(below, GraphQLObjectType | GraphQLInterfaceType | GraphQLUnionType)


KNOWN: Mapping[str, str] = {
    "activeTicketRightsHolders.at": '"2026-06-01"',
    "activeTicketRightsHolders.companyId": str(COMPANY_ID),
    "company.companyId": str(COMPANY_ID),
    "ContractByInput.uuid": f'"{CONTRACT_UUID}"',
    "employee.employeeId": str(EMPLOYEE_ID),
    "employeeImport.id": f'"{IMPORT_ID}"',
    "employeeImports.companyId": str(COMPANY_ID),
    "entitlements.customerNumber": str(CUSTOMER_NUMBER),
    "explainEligibility.employeeId": str(EMPLOYEE_ID),
    "familyMember.familyMemberId": str(MEMBER_ID),
    "fipMonthlyTicketReport.companyId": str(COMPANY_ID),
    "fipMonthlyTicketReport.month": "12",
    "fipMonthlyTicketReport.year": "2025",
    "ledgerProof.contractUuid": f'"{CONTRACT_UUID}"',
    "loyaltyProgram.loyaltyProgramId": str(PROGRAM_ID),
    "taxSavingReport.id": f'"{REPORT_ID}"',
    "ContractConsumptionInput.entitlementProductId": '"ENT:EntitlementProduct:A"',
    "CustomerLookup.customerNumber": str(CUSTOMER_NUMBER),
    "mergeCustomersPreview.customerNumber": str(CUSTOMER_NUMBER),
    "mergeCustomersPreview.pticketCustomerNumber": str(PTICKET_NUMBER),
    "organisationId": "1",
    "orderId": f'"{ORDER_ID}"',
    "countryCode": '"NOR"',
    "postCode": '"0155"',
    "ecardNumber": '"0700000001"',
    "ecardOperator": '"16160"',
    "id": f'"{written("Customer", CUSTOMER_NUMBER)}"',
    "ids": f'"{written("Customer", CUSTOMER_NUMBER)}"',
    "validateContractConsumption.consumptions": "",
}
"""Values that are good for a field or an argument of that name; those of an argument are given even if they need not
be."""
OF_SCALAR: Mapping[str, str] = {
    "Amount": '"9.00"',
    "Boolean": "true",
    "Date": '"2099-12-31"',
    "DateTime": '"2026-01-31T12:00:00Z"',
    "Duration": '"P9D"',
    "Float": "9",
    "ID": '"9"',
    "Int": "9",
    "Long": "9",
}
"""Values for all others; of any further scalar it is the text x. Mutations name customer 9, whom nobody has: they run,
and change nothing that another request needs."""


def literal(given: GraphQLArgument | GraphQLInputField, name: str, owner: str) -> str:
    """A value for an argument or an input field."""
    type_ = given.type.of_type if isinstance(given.type, GraphQLNonNull) else given.type
    named: Any = get_named_type(type_)
    if isinstance(named, GraphQLInputObjectType):
        wanted = [field for field, each in named.fields.items() if is_required_input_field(each)]
        wanted = wanted or list(named.fields)[:1]
        text = ", ".join(f"{field}: {literal(named.fields[field], field, named.name)}" for field in wanted)
        text = f"{{{text}}}"
    elif isinstance(named, GraphQLEnumType):
        text = next(iter(named.values))
    else:
        text = KNOWN.get(f"{owner}.{name}") or KNOWN.get(name) or OF_SCALAR.get(named.name, '"x"')
    return f"[{text}]" if isinstance(type_, GraphQLList) else text


def ways() -> dict[str, tuple[Step, ...]]:
    """Type -> the shortest way to it from a root."""
    found: dict[str, tuple[Step, ...]] = {"Query": (), "Mutation": ()}
    waiting = deque(found)
    while waiting:
        name = waiting.popleft()
        for field, definition in fields_of(name).items():
            below = get_named_type(definition.type)
            if isinstance(below, GraphQLObjectType | GraphQLInterfaceType) and below.name not in found:
                found[below.name] = (*found[name], Step(name, field))
                waiting.append(below.name)
    return found


WAYS = ways()


def step_of(coordinate: str) -> Step:
    return Step(*coordinate.split("."))


def wholly(coordinate: str) -> tuple[Step, ...]:
    """The way from a root to a field, itself included."""
    step = step_of(coordinate)
    return (*WAYS[step.type_name], step)


def operation(type_name: str, selection: str, head: str = "") -> str:
    """An operation that reaches a type and selects this from it. `head` is its name and variables."""
    way = WAYS[type_name]
    for step in reversed(way):
        selection = step.text(selection)
    root = way[0].type_name if way else type_name
    return f"{root.lower()} {head} {{ {selection} }}"


def document(coordinates: Iterable[str]) -> str:
    """A document that asks for fields of one type."""
    steps = [step_of(each) for each in coordinates]
    return operation(steps[0].type_name, " ".join(["__typename", *(each.text() for each in steps)]))


def denied(coordinate: str, needs: Mapping[str, str], caller: Role | None) -> list[str]:
    """What on the way to a field, and of itself, a caller may not ask for."""
    return [str(step) for step in wholly(coordinate) if not allows(needs[str(step)], caller)]


def in_documents(
    coordinates: Iterable[str], needs: Mapping[str, str], caller: Role | None, most: int
) -> Iterator[tuple[list[str], set[str]]]:
    """Fields of one type that may stand in one document, and what of it is denied: in each at most so many."""
    together: list[str] = []
    expected: set[str] = set()
    for coordinate in coordinates:
        wanted = denied(coordinate, needs, caller)
        if not wanted:
            yield [coordinate], set()
            continue
        if together and (most == 1 or len(expected | set(wanted)) > most):
            yield together, expected
            together, expected = [], set()
        together.append(coordinate)
        expected |= set(wanted)
    if together:
        yield together, expected


class Matrix:
    """Asks one gateway, counts the requests, and keeps the names of the types that were answered."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.requests = 0
        self.answered: set[str] = set()
        self._roles: dict[str, Role | None] = {}
        self._headers: dict[str, dict[str, str]] = {}
        self._at_least: dict[str, list[str]] = {}
        self.admit(ROLES)

    def admit(self, roles: Mapping[str, Role | None]) -> None:
        """Let further roles ask."""
        new = {name: caller for name, caller in roles.items() if name not in self._roles}
        self._roles |= new
        self._headers |= {name: authorization(caller) if caller else {} for name, caller in new.items()}

    async def ask(self, name: str, text: str, **more: Any) -> httpx.Response:
        """The answer to a document, asked by the role of this name."""
        self.requests += 1
        return await self.client.post("/graphql", json={"query": text, **more}, headers=self._headers[name])

    async def differences(
        self, name: str, needs: Mapping[str, str], coordinates: Iterable[str], *, alone: bool = False
    ) -> list[str]:
        """Where the gateway does not do for a role what the snapshot says. The fields of one type are asked for
        together: those that are allowed, and apart from them those that are denied or on a way that is, no more at
        once than a refusal names; or each of these alone."""
        caller, found = self._roles[name], []
        for _, of_type in groupby(coordinates, key=lambda each: each.partition(".")[0]):
            allowed: list[str] = []
            for fields, expected in in_documents(of_type, needs, caller, 1 if alone else MOST_NAMED):
                if not expected:
                    allowed += fields
                elif problem := await self.is_denied(name, document(fields), expected):
                    found.append(f"{name}, {' '.join(fields)}: {problem}")
            if allowed and (problem := await self.has_run(name, document(allowed))):
                found.append(f"{name}, {' '.join(allowed)}: {problem}")
        return found

    async def is_denied(self, name: str, text: str, expected: Iterable[str], **more: Any) -> str:
        """What is wrong with the refusal of a document: it has to name just these coordinates, without any data and
        without anything being done; the empty text if nothing is."""
        if name not in self._at_least:
            with heard() as identified:
                await self.ask(name, "{ __typename }")
            self._at_least[name] = list(identified)
        with heard() as seen:
            response = await self.ask(name, text, **more)
        body = response.json()
        if seen != self._at_least[name]:
            return f"statements ran: {seen}"
        is_anonymous = self._roles[name] is None
        status, code = (401, "UNAUTHENTICATED") if is_anonymous else (403, "FORBIDDEN")
        error = "SIGN_IN_REQUIRED" if is_anonymous else "FORBIDDEN"
        if response.status_code != status or "data" in body or len(body.get("errors", [])) != 1:
            return f"not refused: {response.status_code} {response.text[:300]}"
        (entry,) = body["errors"]
        if (entry["extensions"]["code"], entry["extensions"]["errorCode"]) != (code, error):
            return f"refused in another way: {response.text[:300]}"
        named = [entry["message"].partition(" needs ")[0]]
        named += [each["field"] for each in entry["extensions"].get("errors", [])]
        return "" if sorted(named) == sorted(set(expected)) else f"{sorted(named)} instead of {sorted(set(expected))}"

    async def has_run(self, name: str, text: str, **more: Any) -> str:
        """What is wrong with the answer to a document that is allowed; the empty text if nothing is."""
        response = await self.ask(name, text, **more)
        body = response.json()
        if response.status_code != 200 or "errors" in body or "data" not in body:
            return f"not run: {response.status_code} {response.text[:300]}"
        self.answered |= set(names_of_types(body["data"]))
        return ""


def names_of_types(data: Any) -> Iterator[str]:
    """Every `__typename` in an answer."""
    if isinstance(data, list):
        for each in data:
            yield from names_of_types(each)
    elif isinstance(data, dict):
        for key, each in data.items():
            if key == "__typename":
                yield each
            yield from names_of_types(each)
