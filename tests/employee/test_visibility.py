"""Who sees which companies, employees and families: personnel departments, users, and nobody else (E23, T04, T05)."""

from dataclasses import dataclass, replace
from typing import Any

import pytest

from datastore.customer import ProfileType
from datastore.database import Database
from datastore.employee import personnel, rights
from datastore.own_profiles import OwnProfiles, own_employments, own_profiles
from datastore.viewer import GRANTABLE, TenantKind, Viewer
from gateway.identity.identity import Identity
from gateway.identity.tokens import Tokens
from schema.node import written
from tests.execute import FOREIGNER, INTERNAL, VIEWER, execute
from tests.factories.customer import a_customer, a_merged_customer
from tests.factories.employee import (
    a_company,
    a_family_member,
    a_manual_order,
    a_ticket_right,
    a_ticket_type,
    an_employee,
    the_codes,
)
from tests.gateway.identity.tokens import CLAIMS, AnIssuer, bearer

pytestmark = [pytest.mark.rule("E23"), pytest.mark.rule("T04")]

PARTNER = AnIssuer("https://partner.example")
TRAVELLER = AnIssuer("https://traveller.example", TenantKind.TRAVELLER)
LISTS = """{ companies { nodes { companyId } } employees { nodes { employeeId } }
    importedEmployees { nodes { id } } ticketRightsHolders { totalItems } manualOrders { totalItems } }"""
OWN = """{ familyMembers { nodes { familyMemberId } } ticketRights { nodes { ticketrightId employee { employeeId }
    ticketHolder { __typename } } } viewer { employee { employeeId company { companyId employees {
    nodes { employeeId } } } } familyMember { familyMemberId employee { employeeId } } } }"""
BY_ID = """query ($company: Long!, $employee: Long!, $member: Long!, $ids: [ID!]!) {
    company(companyId: $company) { companyId } employee(employeeId: $employee) { employeeId }
    familyMember(familyMemberId: $member) { familyMemberId } nodes(ids: $ids) { __typename } }"""


@dataclass
class Household:
    """An employee of a company, with a spouse, a ticket right for each, and a manual order."""

    company: personnel.Company
    employee: personnel.Employee
    member: personnel.FamilyMember
    rights: list[rights.TicketRight]

    @property
    def user(self) -> Viewer:
        """The employee as a user."""
        return Viewer(1, TenantKind.PERSON, GRANTABLE, employee_ids=frozenset({self.employee.id}))

    @property
    def spouse(self) -> Viewer:
        return Viewer(1, TenantKind.TRAVELLER, GRANTABLE, family_member_ids=frozenset({self.member.id}))

    def keys(self) -> dict[str, Any]:
        raw: dict[str, Any] = {"Company": self.company, "Employee": self.employee, "FamilyMember": self.member}
        ids = [*((name, row.id) for name, row in raw.items()), ("TicketRight", self.rights[0].id)]
        return {
            "company": self.company.id,
            "employee": self.employee.id,
            "member": self.member.id,
            "ids": [written(*each) for each in ids],
        }


async def a_household(database: Database, company: personnel.Company, **values: Any) -> Household:
    employee = await an_employee(database, company, **values)
    member = await a_family_member(database, employee, **values)
    kind = await a_ticket_type(database, f"T{employee.id}")
    both = [await a_ticket_right(database, each, kind) for each in (employee, member)]
    await a_manual_order(database, member, kind)
    return Household(company, employee, member, both)


@pytest.fixture
async def households(database: Database) -> list[Household]:
    """Two of companies of organisation 1, and one of organisation 2."""
    await the_codes(database)
    return [await a_household(database, await a_company(database, organisation_id=each)) for each in (1, 1, 2)]


async def seen_in_lists(database: Database, viewer: Viewer) -> Any:
    """The companies and employees in the lists, which must fit the imported employees and the counts."""
    found = await execute(database, LISTS, viewer)
    companies = [each["companyId"] for each in found["companies"]["nodes"]]
    employees = [each["employeeId"] for each in found["employees"]["nodes"]]
    assert [int(each["id"]) for each in found["importedEmployees"]["nodes"]] == employees
    assert found["ticketRightsHolders"]["totalItems"] == 2 * len(employees)
    assert found["manualOrders"]["totalItems"] == len(employees)
    return companies, employees


async def test_a_personnel_department_sees_the_companies_of_its_organisation(
    database: Database, households: list[Household]
) -> None:
    one, two, foreign = ((each.company.id, each.employee.id) for each in households)
    bound = replace(VIEWER, company_id=one[0])
    assert await seen_in_lists(database, VIEWER) == ([one[0], two[0]], [one[1], two[1]])
    assert await seen_in_lists(database, bound) == ([one[0]], [one[1]])
    assert await seen_in_lists(database, FOREIGNER) == ([foreign[0]], [foreign[1]])
    assert await seen_in_lists(database, replace(FOREIGNER, company_id=one[0])) == ([], [])
    assert await seen_in_lists(database, INTERNAL) == tuple(map(list, zip(one, two, foreign, strict=True)))


async def test_foreign_ids_answer_like_unknown_ones(database: Database, households: list[Household]) -> None:
    one, two, _ = households
    nothing = {"company": None, "employee": None, "familyMember": None, "nodes": [None] * 4}
    mine = await execute(database, BY_ID, **one.keys())
    assert [each and each["__typename"] for each in mine["nodes"]] == [
        "Company",
        "Employee",
        "FamilyMember",
        "TicketRight",
    ]
    assert mine["employee"] == {"employeeId": one.employee.id}
    unknown = {"company": 99, "employee": 99, "member": 99}
    ids = [written(name, 99) for name in ("Company", "Employee", "FamilyMember", "TicketRight")]
    for viewer in (FOREIGNER, replace(VIEWER, company_id=two.company.id)):
        assert await execute(database, BY_ID, viewer, **one.keys()) == nothing
        assert await execute(database, BY_ID, viewer, **unknown, ids=ids) == nothing


@pytest.mark.rule("T05")
async def test_an_employee_sees_the_own_household_and_company_and_no_colleagues(
    database: Database, households: list[Household]
) -> None:
    one, two, _ = households
    await an_employee(database, one.company)
    found = await execute(database, OWN, one.user)
    me = {"employeeId": one.employee.id}
    types = ("Employee", "FamilyMember")
    assert found == {
        "familyMembers": {"nodes": [{"familyMemberId": one.member.id}]},
        "ticketRights": {
            "nodes": [
                {"ticketrightId": right.id, "employee": me, "ticketHolder": {"__typename": name}}
                for right, name in zip(one.rights, types, strict=True)
            ]
        },
        "viewer": {
            "employee": {**me, "company": {"companyId": one.company.id, "employees": {"nodes": [me]}}},
            "familyMember": None,
        },
    }
    assert (await execute(database, BY_ID, one.user, **two.keys()))["employee"] is None
    mine = await execute(database, BY_ID, one.user, **one.keys())
    assert None not in [*mine.values(), *mine["nodes"]]


@pytest.mark.rule("T05")
async def test_a_family_member_sees_itself_and_not_the_employee(
    database: Database, households: list[Household]
) -> None:
    one, _, _ = households
    found = await execute(database, OWN, one.spouse)
    right = {"ticketrightId": one.rights[1].id, "employee": None, "ticketHolder": {"__typename": "FamilyMember"}}
    assert found == {
        "familyMembers": {"nodes": [{"familyMemberId": one.member.id}]},
        "ticketRights": {"nodes": [right]},
        "viewer": {"employee": None, "familyMember": {"familyMemberId": one.member.id, "employee": None}},
    }
    mine = await execute(database, BY_ID, one.spouse, **one.keys())
    assert (mine["company"], mine["employee"]) == (None, None)
    assert mine["familyMember"] == {"familyMemberId": one.member.id}


async def test_clients_and_users_who_are_no_employees_have_no_household(
    database: Database, households: list[Household]
) -> None:
    document = "{ viewer { companyId employee { employeeId } familyMember { familyMemberId } } }"
    nobody = {"companyId": None, "employee": None, "familyMember": None}
    assert await execute(database, document) == {"viewer": nobody}
    assert await execute(database, document, Viewer(1, TenantKind.PERSON, GRANTABLE)) == {"viewer": nobody}


@pytest.mark.rule("E14")
async def test_deleted_ones_are_found_by_id_and_in_lists_that_ask_for_them(database: Database) -> None:
    await the_codes(database)
    company = await a_company(database, is_deleted=True)
    gone = await a_household(database, company, is_deleted=True)
    document = """query ($all: Boolean!, $employee: Long!) { companies(filter: {includeDeleted: $all}) { totalItems }
        employees(filter: {includeDeleted: $all}) { totalItems
            nodes { company { isDeleted } familyMembers { surname } } }
        importedEmployees(filter: {includeDeleted: $all}) { totalItems }
        familyMembers(filter: {employeeId: $employee, includeDeleted: $all}) { totalItems }
        employee(employeeId: $employee) { isDeleted company { employees(includeDeleted: $all) { totalItems } } } }"""
    kept, every = [await execute(database, document, all=each, employee=gone.employee.id) for each in (False, True)]
    names = ("companies", "employees", "importedEmployees", "familyMembers")
    assert [kept[name]["totalItems"] for name in names] == [0, 0, 0, 0]
    assert [every[name]["totalItems"] for name in names] == [1, 1, 1, 1]
    assert every["employees"]["nodes"] == [{"company": {"isDeleted": True}, "familyMembers": []}]
    below = [each["employee"]["company"]["employees"]["totalItems"] for each in (kept, every)]
    assert (kept["employee"]["isDeleted"], below) == (True, [0, 1])


class TestIdentity:
    @pytest.fixture
    def identity(self, database: Database) -> Identity:
        return Identity(Tokens([each.issuer for each in (PARTNER, TRAVELLER)]), database)

    @pytest.mark.rule("G3")
    async def test_own_profiles_lead_to_employments_and_family_of_any_company(self, database: Database) -> None:
        await the_codes(database)
        own = await a_customer(database, profile_type=ProfileType.PERSONNEL_TICKET)
        merged = await a_merged_customer(database, own)
        company = await a_company(database, organisation_id=5)
        one = await an_employee(database, company, customer_number=own.customer_number)
        other = await an_employee(database, company, customer_number=merged.customer_number)
        await an_employee(database, company, customer_number=own.customer_number, is_deleted=True)
        stranger = await an_employee(database, company)
        member = await a_family_member(database, stranger, customer_number=merged.customer_number)
        await a_family_member(database, stranger, customer_number=own.customer_number, is_deleted=True)
        found = await own_profiles(database, 1, merged.customer_number)
        ids = frozenset({own.id, merged.id}), frozenset({one.id, other.id}), frozenset({member.id})
        assert found == OwnProfiles(own.customer_number, *ids)

    async def test_an_employee_id_is_believed_for_companies_of_the_issuers_organisation_only(
        self, database: Database, identity: Identity
    ) -> None:
        await the_codes(database)
        mine = await an_employee(database, await a_company(database))
        foreign = await an_employee(database, await a_company(database, organisation_id=2))
        gone = await an_employee(database, await a_company(database), is_deleted=True)
        kari = await a_customer(database)
        for employee, seen in ((mine, {mine.id}), (foreign, set()), (gone, set())):
            assert await own_employments(database, 1, employee.id) == seen
            for number in (None, kari.customer_number):
                token = TRAVELLER.token(employee_id=str(employee.id), customer_number=number)
                assert (await identity.viewer(bearer(token))).employee_ids == seen

    async def test_a_client_is_bound_to_the_company_of_its_token_and_a_user_is_not(
        self, database: Database, identity: Identity
    ) -> None:
        claim: dict[str, Any] = {CLAIMS.company_id: 17}
        kari = await a_customer(database)
        client = await identity.viewer(bearer(PARTNER.token(**claim)))
        user = await identity.viewer(bearer(TRAVELLER.token(customer_number=kari.customer_number, **claim)))
        assert (client.company_id, user.company_id) == (17, None)
