"""Both executions answer the same about personnel, for each kind of caller."""

from dataclasses import replace
from datetime import date

import pytest

from datastore.customer import ProfileType
from datastore.database import Database
from datastore.employee import codes
from datastore.viewer import GRANTABLE, TenantKind
from gateway.identity.demo import Role
from tests.employee.test_visibility import Household, a_household
from tests.execution.asking import Asked, both, data_of, headers_of, same
from tests.factories.customer import a_customer, a_merged_customer
from tests.factories.employee import (
    a_code,
    a_company,
    a_manual_order,
    a_postal_place,
    a_ticket_type,
    the_codes,
)

HR = Role("", TenantKind.PARTNER, 1, GRANTABLE, "hr", "hr")
FOREIGN = replace(HR, organisation_id=2, subject="foreign")
INTERNAL = replace(HR, tenant=TenantKind.INTERNAL, subject="admin")
LISTS = """{ companies { totalItems nodes { id companyId name postalPlace { place } } }
    employees { nodes { id employeeNo surname ssn note ticketHolderCode postalPlace { place } company { name }
        employmentType { code } payTypeDetails { code } customer { customerNumber } disabilityGrade isOnWaitPay
        categories { year } ticketRights { validFrom ticketType { code ticketRightType } ticketSyncStatus { state }
            ticketRightsHolder { ticketHolderCode } customerSyncStatus { errorMessage } ticketCreated }
        familyMembers { firstName ssn relation { code } customer { customerNumber } } } }
    familyMembers { nodes { employee { employeeNo } } }
    importedEmployees(filter: {employeeNo: "E1"}) { nodes { ssn employee { employeeNo } postalData { code } } }
    ticketRights(filter: {ticketSyncState: NOT_READY, validAt: "2026-05-01"}) { totalItems nodes {
        ticketHolder { __typename ... on Employee { employeeNo company { name } }
            ... on FamilyMember { firstName relation { code } } } } }
    manualOrders { nodes { ticketNo stationPairs { id } fipTicketType { code } } }
    payTypes { nodes { code description } } postalPlaces(code: "0155") { nodes { place } } }"""
ACTIVE = """query ($company: Long!) { activeTicketRightsHolders(companyId: $company, at: "2026-06-01") { totalItems
    nodes { type firstName employeeId employee { employeeNo } ticketRightType grantedAt city hireEndDate
        isEmployee } } }"""
FIP = """query ($company: Long!) { fipMonthlyTicketReport(companyId: $company, year: 2025, month: 12) { totalItems
    nodes { companyDetails { name } employee { employeeNo } ticketNo validUntil fipTicketType { code } } } }"""
UNPLANNED = """{ employees { nodes { yearlyFees { isPaid } isFeePaid
    company { employees(first: 1) { nodes { employeeNo } } } } } }"""
OWN = """{ viewer { companyId employee { employeeId company { name } customer { customerNumber } }
    familyMember { familyMemberId } } familyMembers { nodes { familyMemberId } }
    ticketRights { nodes { ticketrightId employee { employeeNo } } } }"""
CUSTOMERS = """query ($numbers: [Long!]!) { customersByKey(customerNumbers: $numbers) {
    employee { employeeNo } familyMember { firstName } } }"""


async def a_world(database: Database) -> list[Household]:
    """Households of two companies of organisation 1 and of one of organisation 2; the first one has profiles."""
    await the_codes(database)
    await a_postal_place(database)
    numbers = []
    for organisation in (1, 1, 2):
        customer = await a_customer(database, organisation_id=organisation, profile_type=ProfileType.PERSONNEL_TICKET)
        numbers.append((await a_merged_customer(database, customer, organisation_id=organisation)).customer_number)
    found = [
        await a_household(database, await a_company(database, organisation_id=organisation), customer_number=number)
        for organisation, number in zip((1, 1, 2), numbers, strict=True)
    ]
    fip = await a_code(database, codes.FipTicketType, "COUPON")
    kind = await a_ticket_type(database, "FIP", ticket_right_type=None)
    for each in found:
        await a_manual_order(
            database, each.employee, kind, fip_ticket_type_id=fip.id, issue_date=date(2025, 12, 1), ticket_no="T1"
        )
    return found


async def both_answer(gateways: tuple[Asked, Asked], world: list[Household], role: Role) -> None:
    headers = headers_of(role, "a reason")
    company = {"company": world[0].company.id}
    for document, variables in (
        (LISTS, {}),
        (ACTIVE, company),
        (FIP, company),
        (CUSTOMERS, {"numbers": [each.employee.customer_number for each in world]}),
    ):
        await same(gateways, document, variables, headers)
    await same(gateways, UNPLANNED, headers=headers, is_planned=False)


@pytest.mark.rule("E23")
@pytest.mark.rule("T04")
@pytest.mark.rule("T05")
async def test_plans_of_one_caller_serve_others_without_a_look_at_their_rows(database: Database, url: str) -> None:
    world = await a_world(database)
    async with both(url) as gateways:
        for role in (HR, INTERNAL, FOREIGN):
            await both_answer(gateways, world, role)
        for each in (*world, None):
            bound = replace(HR, company_id=each.company.id if each else 99, subject=f"bound {each and each.company.id}")
            answer = await same(gateways, "{ companies { nodes { companyId } } }", headers=headers_of(bound))
            await same(gateways, ACTIVE, {"company": world[0].company.id}, headers_of(bound))
            seen = [node["companyId"] for node in data_of(answer)["companies"]["nodes"]]
            assert seen == ([each.company.id] if each in world[:2] and each else [])
        for household in world:
            user = replace(
                HR,
                tenant=TenantKind.TRAVELLER,
                organisation_id=household.company.organisation_id,
                customer_number=household.employee.customer_number,
                subject=f"user {household.employee.id}",
            )
            answer = await same(gateways, OWN, headers=headers_of(user, "a reason"))
            viewer = data_of(answer)["viewer"]
            assert viewer["employee"]["employeeId"] == household.employee.id
            assert viewer["familyMember"] == {"familyMemberId": household.member.id}
