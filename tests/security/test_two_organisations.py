"""Nobody finds out anything about the customers of others: not what is stored of them, nor that they exist."""

import base64
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import delete, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from datastore import customer as stored
from datastore.audit import AuditLogEntry
from datastore.base import Base
from datastore.bookkeeping import IdempotencyRecord, SignInFailure
from datastore.customer_merge import CustomerMerge
from datastore.database import Database
from datastore.employee import codes, personnel, rights
from datastore.loyalty import contract, ledger, program, usage
from datastore.own_profiles import OwnProfiles
from datastore.viewer import Permission, TenantKind
from gateway.documents import Documents
from gateway.identity import identity
from gateway.identity.demo import Role
from tests.conftest import KEYS
from tests.gateway.client import authorization, endpoint_of, gateway_client, settings
from tests.security.conftest import QUIET, migrated_database
from tests.security.contract_questions import CONTRACTS_WHOLE, ENTITLED, PROOF, find_of_contracts
from tests.security.leaks import (
    EMPLOYEE,
    LOOKUP_ALL,
    PARTNER,
    Asker,
    find,
    find_of_households,
    find_of_relative,
    user,
)
from tests.security.loyalty import NEIGHBOUR, fill_contracts, remove_contracts
from tests.security.organisations import KINDS, Stock, World, fill
from tests.security.personnel import (
    CLIENT,
    EMPLOYEE_BY_ID,
    MEMBER_BY_ID,
    OWN,
    fill_households,
    of_households,
)
from tests.security.questions import mutation

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(300),
]

REACHED_THROUGH_ITS_OWNER = "listed by its owner's key alone, whose own visibility decides"
CANNOT_LEAK: dict[type[Base], str] = {
    AuditLogEntry: "auditLog is for internal callers alone; dataAccessLog names the keys of the user's own profiles",
    stored.CustomerAccount: REACHED_THROUGH_ITS_OWNER,
    CustomerMerge: "found by the key of a profile, whose own visibility decides; no field of the graph shows it",
    stored.CustomerConsent: REACHED_THROUGH_ITS_OWNER,
    stored.CustomerConsentAnswer: REACHED_THROUGH_ITS_OWNER,
    stored.CustomerPreference: REACHED_THROUGH_ITS_OWNER,
    stored.Note: REACHED_THROUGH_ITS_OWNER,
    stored.PersonnelTicketBearer: f"{REACHED_THROUGH_ITS_OWNER}; as a criterion it finds customers, who have their own",
    stored.PostalAddress: f"{REACHED_THROUGH_ITS_OWNER}; mutations look it up by its key and its owner's together",
}
"""Row class -> why its own `visible_to` is not what keeps it from others today."""
OF_EVERYBODY = "a list that everybody may read"
MORE_CANNOT_LEAK: dict[type[Base], str] = {
    personnel.EmployeeCategory: REACHED_THROUGH_ITS_OWNER,
    personnel.EmployeeDisabilityProof: REACHED_THROUGH_ITS_OWNER,
    personnel.EmployeeYearlyFee: REACHED_THROUGH_ITS_OWNER,
    personnel.FamilyMemberLowIncome: REACHED_THROUGH_ITS_OWNER,
    rights.SimpleRule: OF_EVERYBODY,
    rights.SimpleRuleVersion: OF_EVERYBODY,
    rights.StationPair: REACHED_THROUGH_ITS_OWNER,
    rights.TaxSaving: "no field of the graph shows it; reports are of a company, whose own visibility decides",
    rights.UploadChunk: "no field of the graph shows it; an import looks its parts up by its own key",
    **dict.fromkeys(
        (
            codes.EmploymentEndCause,
            codes.EmploymentType,
            codes.FamilyRelation,
            codes.FipTicketType,
            codes.PayType,
            codes.PostalPlace,
            codes.Product,
            codes.Station,
            codes.TicketType,
            codes.TravelType,
        ),
        OF_EVERYBODY,
    ),
}
OF_ITS_CONTRACT = "listed by the key of its contract alone, whose own visibility decides"
CONTRACTS_CANNOT_LEAK: dict[type[Base], str] = {
    program.CouponConfig: "found by the key of a version of a program, whose own visibility decides",
    usage.TaxDistribution: "listed by the key of its order line alone, whose own visibility decides",
    **dict.fromkeys(
        (contract.Policy, ledger.CouponYear, ledger.LedgerHead, ledger.LedgerLine, ledger.TotalAmount),
        OF_ITS_CONTRACT,
    ),
}
CANNOT_LEAK |= MORE_CANNOT_LEAK | CONTRACTS_CANNOT_LEAK
LEAKS = (
    stored.Customer,
    stored.Ecard,
    stored.Preference,
    stored.TravellerInfo,
    personnel.Company,
    personnel.Employee,
    personnel.FamilyMember,
    personnel.ImportedEmployee,
    rights.EmployeeImport,
    rights.ManualOrder,
    rights.TaxSavingReport,
    rights.TicketRight,
    rights.TicketRightsHolder,
)
OF_CONTRACTS = (
    contract.Contract,
    ledger.Transaction,
    program.LoyaltyProgram,
    program.LoyaltyProgramDescription,
    usage.ContractReservation,
    usage.OrderLineEvent,
)
"""What would leak of programs and contracts to clients of another organisation."""
OF_CONSUMERS = (contract.Contract, contract.ContractConsumer, usage.ContractReservation, usage.OrderLineEvent)
"""What would leak of contracts to users who share them, or none."""
ONLY_THE_GATEWAYS = {"outbox", "idempotency", "audit_chain", "gateway_secret", "sign_in_failure"}
"""Tables that no field of the graph reads."""

SWEEPS = (("planned", "sqlite"), ("planned", "postgresql"), ("standard", "sqlite"))
"""Execution and database. The standard execution sends PostgreSQL the statements that it sends SQLite, and those of
both executions are compared on both databases in tests/execution: a fourth sweep would ask nothing new. Nor would
mutations in the third: they have no plans, so all three run them in the same way."""
ON_ONE = pytest.mark.parametrize("sweep", SWEEPS[:1], indirect=True, ids="-".join, scope="module")
"""For a test of the questions themselves, which every sweep asks."""


class Gateway:
    """A gateway over a filled database."""

    def __init__(self, client: httpx.AsyncClient, database: Database, world: World, *, only_queries: bool) -> None:
        self.client, self.database, self.world, self.only_queries = client, database, world, only_queries

    async def leaks(self, caller: Role, others: list[Stock], *, only_first: bool = False) -> list[str]:
        """What the caller finds out about others, or the first such thing where only some of their customers are
        asked for; what it has changed itself is taken back."""
        found = []
        kinds = ("active",) if only_first else KINDS
        try:
            async for leak in find(self.client, self.world, caller, others, kinds, only_queries=self.only_queries):
                found.append(leak)
                if only_first:
                    break
        finally:
            await self.clean()
        return found

    async def found(
        self, find_of: Callable[..., AsyncIterator[str]], caller: Role, *others: list[Stock], only_first: bool = False
    ) -> list[str]:
        """All leaks that this finds, or the first one; what was changed meanwhile is taken back."""
        found = []
        try:
            async for leak in find_of(self.client, self.world, caller, *others, only_queries=self.only_queries):
                found.append(leak)
                if only_first:
                    break
        finally:
            await self.clean()
        return found

    async def clean(self) -> None:
        """Take back what callers have changed of their own."""
        async with self.database.write() as session:
            await session.execute(delete(stored.Customer).where(stored.Customer.created_by == "leaks"))
            await session.execute(delete(stored.CustomerAccount).where(stored.CustomerAccount.created_by == "leaks"))
            await session.execute(delete(stored.Preference).where(stored.Preference.preference_type == "leaks"))
            await session.execute(delete(SignInFailure))
            await remove_imported(session)
            await session.execute(delete(IdempotencyRecord))
        await remove_contracts(self.database, self.world)


async def remove_imported(session: AsyncSession) -> None:
    """Remove the employees whom callers have imported."""
    made = select(personnel.Employee.id).where(personnel.Employee.created_by == CLIENT)
    holders = delete(rights.TicketRightsHolder).where(rights.TicketRightsHolder.employee_id.in_(made))
    await session.execute(holders)
    for row in (personnel.Employee, personnel.ImportedEmployee):
        await session.execute(delete(row).where(row.created_by == CLIENT))


@pytest.fixture(scope="module", params=SWEEPS, ids="-".join)
def sweep(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The execution, and the URL of an empty database."""
    execution, dialect = request.param
    with migrated_database(dialect, request, tmp_path_factory) as url:
        yield execution, url


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(sweep: tuple[str, str]) -> AsyncIterator[Gateway]:
    """Its database has the caller's stock, one of another organisation, and one of a neighbour."""
    execution, url = sweep
    database = Database(url, keys=KEYS)
    world = await fill(database)
    await fill_households(database, world)
    await fill_contracts(database, world)
    limits = {"max_tokens": 10_000, "max_cost": 10**6, "claim_failures": 10**6}
    async with gateway_client(settings(url, **QUIET, execution=execution, **limits)) as client:
        yield Gateway(client, database, world, only_queries=execution == "standard")
    await database.close()


@pytest.mark.rule("C01")
@pytest.mark.rule("C06")
@pytest.mark.rule("C47")
@pytest.mark.rule("T04")
async def test_a_partner_finds_out_nothing_about_another_organisation(gateway: Gateway) -> None:
    assert await gateway.leaks(PARTNER, [gateway.world.foreign]) == []


@pytest.mark.rule("T04")
@pytest.mark.rule("T05")
async def test_a_user_finds_out_nothing_about_others(gateway: Gateway) -> None:
    others = [gateway.world.foreign, gateway.world.neighbour]
    assert await gateway.leaks(user(gateway.world.own), others) == []


@pytest.mark.rule("T05")
async def test_a_user_without_a_profile_finds_out_nothing_about_anybody(gateway: Gateway) -> None:
    world = gateway.world
    assert await gateway.leaks(EMPLOYEE, [world.neighbour, world.own], only_first=True) == []


@pytest.mark.rule("E23")
@pytest.mark.rule("T04")
async def test_a_client_of_one_company_finds_out_nothing_about_another_one(gateway: Gateway) -> None:
    """Neither of the same organisation nor of another one."""
    bound = replace(PARTNER, company_id=gateway.world.households[OWN].company.id)
    assert await gateway.found(find_of_households, bound) == []


@pytest.mark.rule("E23")
@pytest.mark.rule("T05")
async def test_a_family_member_finds_out_nothing_about_the_employee(gateway: Gateway) -> None:
    assert await gateway.found(find_of_relative, relative_of(gateway.world)) == []


@pytest.mark.rule("T04")
async def test_a_partner_finds_out_nothing_about_the_contracts_of_another_organisation(gateway: Gateway) -> None:
    assert await gateway.found(find_of_contracts, PARTNER, [gateway.world.foreign]) == []


@pytest.mark.rule("T05")
async def test_a_user_finds_out_nothing_about_the_contracts_of_others(gateway: Gateway) -> None:
    """Nor, of a contract that is shared, about its holder and the other consumers."""
    others = [gateway.world.foreign, gateway.world.neighbour]
    assert await gateway.found(find_of_contracts, user(gateway.world.own), others) == []


def relative_of(world: World) -> Role:
    """The member of the own family as a user."""
    return replaced(user(world.own), world.own.customers["connected"].customer_number)


async def test_questions_about_the_own_household_are_answered(gateway: Gateway) -> None:
    """Or nothing would leak because nothing is answered."""
    own = gateway.world.households[OWN]
    bound = replace(PARTNER, company_id=own.company.id)
    for caller in (PARTNER, bound, user(gateway.world.own)):
        asker = Asker(gateway.client, caller)
        employee = (await asker.data(EMPLOYEE_BY_ID, {"key": own.employee.id}))["employee"]
        assert {employee["employeeNo"], employee["ssn"], employee["note"], employee["ticketHolderCode"]} <= own.marks
        assert employee["familyMembers"][0]["note"] in own.marks
        answered = [await asker.ask(each.document, each.variables) for each in of_households(own, own, is_user=True)]
        shown = {mark for each in answered for mark in own.marks | own.company_marks if mark in each.text}
        assert own.holders["ola"].ticket_holder_code in shown
    relative = Asker(gateway.client, relative_of(gateway.world))
    member = (await relative.data(MEMBER_BY_ID, {"key": own.member.id}))["familyMember"]
    assert {member["firstName"], member["ssn"], member["ticketHolderCode"]} <= own.member_marks
    assert member["employee"] is None


async def test_questions_about_the_own_customers_are_answered(gateway: Gateway) -> None:
    """Or nothing would leak because nothing is answered."""
    own = gateway.world.own
    for caller in (PARTNER, user(own)):
        asker = Asker(gateway.client, caller)
        variables = {"by": {"customerNumber": own.customers["active"].customer_number}, "deleted": False}
        answered = (await asker.data(LOOKUP_ALL, variables))["customer"]
        assert answered["firstName"]
        assert answered["notes"][0]["text"] in own.marks
        assert {each["ecardNumber"] for each in answered["ecards"]} & own.marks
        assert answered["personnelTicketBearers"][0]["bearerCustomer"]["uuid"][:8] in own.marks


async def test_questions_about_the_own_contracts_are_answered(gateway: Gateway) -> None:
    """Or nothing would leak because nothing is answered."""
    own, others = gateway.world.contracts[OWN], gateway.world.contracts[NEIGHBOUR]
    number = gateway.world.own.customers["active"].customer_number
    for caller in (PARTNER, user(gateway.world.own)):
        asker = Asker(gateway.client, caller)
        found = {each["uuid"]: each for each in (await asker.data(CONTRACTS_WHOLE, {}))["contracts"]["nodes"]}
        whole = found[own.contracts["COUPONS"].uuid]
        assert own.lines["COUPONS"].order_id in {each["orderId"] for each in whole["orderLineEvents"]}
        assert own.reservations["COUPONS"].uuid in {each["uuid"] for each in whole["reservations"]}
        assert own.transactions["COUPONS 0"].rrn in {each["rrn"] for each in whole["transactions"]}
        assert len(whole["contractConsumers"]) == (4 if caller is PARTNER else 1)
        entitled = (await asker.data(ENTITLED, {"number": number}))["entitlements"]["nodes"]
        assert own.contracts["TIMED"].uuid in {each["contractUUID"] for each in entitled}
        (shared,) = [each for each in found.values() if each["uuid"] == others.contracts["shared"].uuid]
        assert len(shared["contractConsumers"]) == (3 if caller is PARTNER else 1)
    proof = (await Asker(gateway.client, PARTNER).data(PROOF, {"key": own.contracts["POINTS"].uuid}))["ledgerProof"]
    assert proof["count"] == 1


@pytest.mark.rule("T04")
async def test_an_internal_caller_may_name_another_organisation(gateway: Gateway) -> None:
    query = "{ customers(filter: {organisationId: 2}) { nodes { organisationId } } }"
    response = await gateway.client.post("/graphql", json={"query": query}, headers=authorization("admin"))
    found = response.json()["data"]["customers"]["nodes"]
    assert {each["organisationId"] for each in found} == {2}


@pytest.mark.rule("T05")
async def test_a_token_with_the_number_of_another_organisation_is_as_one_with_an_unknown_number(
    gateway: Gateway,
) -> None:
    own, foreign = user(gateway.world.own), gateway.world.foreign
    numbers = [7_000_000_000, *(foreign.customers[kind].customer_number for kind in ("active", "deleted", "merged"))]
    answers = {
        await Asker(gateway.client, replaced(own, number)).ask("{ viewer { subject } }", {}) for number in numbers
    }
    assert {answer.status for answer in answers} == {401}
    assert len(answers) == 1


def replaced(role: Role, number: int) -> Role:
    """The role with another customer number in its token."""
    return Role("", role.tenant, role.organisation_id, role.permissions, role.subject, role.client_id, number)


@pytest.mark.rule("T05")
async def test_a_repeat_after_a_change_of_profile_does_not_answer_the_old_profile(gateway: Gateway) -> None:
    """The subject of a token can stay the same while its customer number becomes another one."""
    own, other = user(gateway.world.own), user(gateway.world.neighbour)
    number = own.customer_number
    assert number
    assert other.customer_number
    names = {"firstName": "A", "surname": "B", "changedBy": "leaks", "changedByChannel": "leaks"}
    given = {"input": {**names, "customerNumber": number}}
    document = mutation("updateCustomer", "repeated").replace("status", "customerNumber")
    first = await Asker(gateway.client, own).data(document, given)
    assert first["updateCustomer"]["customer"]["customerNumber"] == number
    repeat = await Asker(gateway.client, replaced(own, other.customer_number)).data(document, given)
    assert repeat["updateCustomer"]["customer"] is None


@pytest.mark.parametrize("name", ["DATE_OF_BIRTH", "EMAIL"])
async def test_cursors_tell_nothing_that_the_caller_may_not_read(gateway: Gateway, name: str) -> None:
    """Emails and birth dates need contact:read; a caller without it may be refused the order, or gets no value."""
    permissions = frozenset({Permission.CUSTOMER_SEARCH, Permission.CUSTOMER_READ})
    caller = Role("", TenantKind.PARTNER, 1, permissions, "searcher", "a-client")
    page = "query ($by: CustomerOrder) { customers(first: 1, orderBy: $by) { edges { cursor } } }"
    response = await gateway.client.post(
        "/graphql", json={"query": page, "variables": {"by": {"field": name}}}, headers=authorization(caller)
    )
    for edge in ((response.json().get("data") or {}).get("customers") or {"edges": []})["edges"]:
        cursor = edge["cursor"]
        told = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        assert b"@example.no" not in told
        assert b"1901-02-0" not in told


def open_to_all(gateway: Gateway, monkeypatch: pytest.MonkeyPatch, row: type[Base]) -> None:
    """Make every row of a class visible to everybody. What was planned before has asked who may see it."""
    endpoint_of(gateway.client)._documents = Documents()
    monkeypatch.setattr(row, "visible_to", classmethod(lambda cls, viewer: true()))


@ON_ONE
@pytest.mark.parametrize("row", LEAKS, ids=lambda row: row.__name__)
async def test_a_row_class_that_is_open_to_all_is_found(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, row: type[Base]
) -> None:
    open_to_all(gateway, monkeypatch, row)
    assert await gateway.leaks(PARTNER, [gateway.world.foreign], only_first=True)


@ON_ONE
@pytest.mark.parametrize("row", OF_CONTRACTS, ids=lambda row: row.__name__)
async def test_contracts_that_are_open_to_all_clients_are_found(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, row: type[Base]
) -> None:
    open_to_all(gateway, monkeypatch, row)
    assert await gateway.found(find_of_contracts, PARTNER, [gateway.world.foreign], only_first=True)


@ON_ONE
@pytest.mark.parametrize("row", OF_CONSUMERS, ids=lambda row: row.__name__)
async def test_contracts_that_are_open_to_all_users_are_found(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, row: type[Base]
) -> None:
    open_to_all(gateway, monkeypatch, row)
    world = gateway.world
    assert await gateway.found(find_of_contracts, user(world.own), [world.neighbour], only_first=True)


@ON_ONE
async def test_row_classes_that_cannot_leak_by_themselves_do_not(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All open at once; one that does leak by now belongs to the others."""
    for row in CANNOT_LEAK:
        open_to_all(gateway, monkeypatch, row)
    world = gateway.world
    assert await gateway.leaks(PARTNER, [world.foreign], only_first=True) == []
    assert await gateway.leaks(user(world.own), [world.neighbour], only_first=True) == []
    for caller, other in ((PARTNER, world.foreign), (user(world.own), world.neighbour)):
        assert await gateway.found(find_of_contracts, caller, [other], only_first=True) == []


@ON_ONE
async def test_own_profiles_that_are_those_of_everybody_are_found(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def everybody(database: Database, organisation_id: int, customer_number: int, *_: Any) -> OwnProfiles:
        ids: Any = await database.fetch(select(stored.Customer.id))
        return OwnProfiles(customer_number, frozenset(row.id for row in ids))

    monkeypatch.setattr(identity, "own_profiles", everybody)
    assert await gateway.leaks(user(gateway.world.own), [gateway.world.neighbour], only_first=True)


async def test_every_row_class_is_opened_above() -> None:
    rows = {mapper.class_ for mapper in Base.registry.mappers}
    opened = {*CANNOT_LEAK, *LEAKS, *OF_CONTRACTS, *OF_CONSUMERS}
    assert {row.__tablename__ for row in rows - opened} == ONLY_THE_GATEWAYS
