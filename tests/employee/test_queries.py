"""Finding employees and what hangs on them: filters, orders, pages, active holders and the FIP report."""

from datetime import date
from typing import Any

import pytest

from datastore.database import Database
from datastore.employee import codes
from datastore.employee.codes import TicketRightType
from resolvers.employee import reads
from tests.execute import FOREIGNER, execute, refusal
from tests.factories.customer import MOMENT
from tests.factories.employee import (
    a_code,
    a_company,
    a_family_member,
    a_manual_order,
    a_postal_place,
    a_product,
    a_ticket_right,
    a_ticket_type,
    an_employee,
    some_employees,
    the_codes,
)

EMPLOYEES = """query ($filter: EmployeeFilterInput, $orderBy: EmployeeOrder, $first: Int, $after: String) {
    employees(filter: $filter, orderBy: $orderBy, first: $first, after: $after) {
    totalItems nodes { employeeNo } pageInfo { endCursor } } }"""
ACTIVE = """query ($company: Long!, $at: Date) { activeTicketRightsHolders(companyId: $company, at: $at) { totalItems
    nodes { type isEmployee firstName surname employeeId employee { employeeNo } companyId company { name }
    ticketRightType grantedAt postalCode city addressLine hireEndDate ticketHolder { __typename } } } }"""
FIP = """query ($company: Long!, $year: Int!, $month: Int!) { fipMonthlyTicketReport(
    companyId: $company, year: $year, month: $month) { totalItems nodes { employeeNo employee { surname } company
    companyDetails { name } ticketNo issueDate validFrom validUntil travelType { code } fipTicketType { code } } } }"""


async def numbers(database: Database, **given: Any) -> list[str]:
    """The numbers of the employees that a query finds."""
    found = (await execute(database, EMPLOYEES, **given))["employees"]
    return [node["employeeNo"] for node in found["nodes"]]


class TestEmployees:
    async def test_all_criteria_that_are_given_must_hold(self, database: Database) -> None:
        await the_codes(database)
        one, two = await a_company(database), await a_company(database)
        await some_employees(
            database,
            one,
            {"surname": "Ås", "hire_start_date": date(2021, 5, 1)},
            {"surname": "Aune", "hire_start_date": date(2021, 5, 2)},
            {"surname": "Berg", "employment_type_id": "PENSIONER"},
        )
        await an_employee(database, two)
        for criteria, expected in [
            ({}, ["E2", "E3", "E4", "E1"]),
            ({"companyId": one.id}, ["E2", "E3", "E1"]),
            ({"surname": "å"}, ["E1"]),
            ({"surname": "a"}, ["E2"]),
            ({"employeeNo": "E3"}, ["E3"]),
            ({"employeeNo": "e3"}, []),
            ({"employmentTypeId": "PENSIONER"}, ["E3"]),
            ({"hiredFrom": "2021-05-01", "hiredBefore": "2021-05-02"}, ["E1"]),
            ({"companyId": two.id, "surname": "Ås"}, []),
            ({"surname": "%"}, None),
        ]:
            if expected is None:
                assert (await refusal(database, EMPLOYEES, filter=criteria)).name == "REQUIRED"
            else:
                assert await numbers(database, filter=criteria) == expected, criteria

    async def test_they_are_sorted_and_paged(self, database: Database) -> None:
        await the_codes(database)
        days = [date(2021, 1, 1), date(2020, 1, 1), date(2021, 1, 1)]
        rows = [{"surname": name, "hire_start_date": day} for name, day in zip("cab", days, strict=True)]
        await some_employees(database, await a_company(database), *rows)
        for field, expected in [
            ("SURNAME", ["E2", "E3", "E1"]),
            ("EMPLOYEE_NO", ["E1", "E2", "E3"]),
            ("HIRE_START_DATE", ["E2", "E1", "E3"]),
        ]:
            assert await numbers(database, orderBy={"field": field}) == expected
            given: dict[str, Any] = {"orderBy": {"field": field, "direction": "DESC"}, "first": 2}
            page = (await execute(database, EMPLOYEES, **given))["employees"]
            assert [node["employeeNo"] for node in page["nodes"]] == expected[:0:-1]
            assert page["totalItems"] == 3
            assert await numbers(database, **given, after=page["pageInfo"]["endCursor"]) == expected[:1]
            ascending = {"orderBy": {"field": field}, "after": page["pageInfo"]["endCursor"]}
            assert (await refusal(database, EMPLOYEES, **ascending)).name == "CURSOR_INVALID"


async def test_companies_are_found_by_the_beginning_of_their_name(database: Database) -> None:
    for name in ("Vy", "Ålesund", "Flytoget", "Vygruppen"):
        await a_company(database, name=name)
    document = "query ($name: String) { companies(filter: {name: $name}) { nodes { name } } }"
    found = [(await execute(database, document, name=each))["companies"]["nodes"] for each in (None, "vY")]
    assert [[node["name"] for node in nodes] for nodes in found] == [
        ["Flytoget", "Vy", "Vygruppen", "Ålesund"],
        ["Vy", "Vygruppen"],
    ]


@pytest.mark.rule("E30")
async def test_ticket_rights_and_orders_are_found_by_company_person_and_day(database: Database) -> None:
    await the_codes(database)
    kind = await a_ticket_type(database)
    company, other = await a_company(database), await a_company(database)
    ola, per = await an_employee(database, company), await an_employee(database, other)
    kari = await a_family_member(database, ola)
    one, two, three = [await a_ticket_right(database, each, kind) for each in (ola, kari, per)]
    four = await a_ticket_right(database, ola, kind, valid_from=date(2027, 1, 1), valid_until=date(2027, 3, 1))
    await a_manual_order(database, kari, kind)
    await a_manual_order(database, per, kind, is_deleted=True)
    rights = """query ($filter: TicketRightFilterInput) { ticketRights(filter: $filter) { nodes { ticketrightId } } }"""
    for criteria, expected in [
        ({"companyId": company.id}, [one, two, four]),
        ({"employeeId": ola.id}, [one, two, four]),
        ({"familyMemberId": kari.id}, [two]),
        ({"ticketHolderId": one.ticket_holder_id}, [one, four]),
        ({"validAt": "2026-12-31"}, [one, two, three]),
        ({"validAt": "2027-01-01"}, [four]),
        ({"validAt": "2027-03-01"}, []),
    ]:
        nodes = (await execute(database, rights, filter=criteria))["ticketRights"]["nodes"]
        assert [node["ticketrightId"] for node in nodes] == [each.id for each in expected], criteria
    orders = "query ($filter: ManualOrderFilterInput) { manualOrders(filter: $filter) { totalItems } }"
    for order, count in [
        ({}, 1),
        ({"includeDeleted": True}, 2),
        ({"companyId": company.id}, 1),
        ({"companyId": other.id}, 0),
        ({"employeeId": ola.id, "familyMemberId": kari.id}, 1),
        ({"issuedFrom": "2026-01-01"}, 0),
        ({"issuedBefore": "2026-01-01"}, 1),
    ]:
        assert (await execute(database, orders, filter=order))["manualOrders"] == {"totalItems": count}, order
    holders = "query ($filter: TicketRightsHolderFilterInput) { ticketRightsHolders(filter: $filter) { totalItems } }"
    for holder, count in [({}, 3), ({"companyId": company.id}, 2), ({"employeeId": per.id}, 1)]:
        assert (await execute(database, holders, filter=holder))["ticketRightsHolders"]["totalItems"] == count


@pytest.mark.rule("E37")
@pytest.mark.rule("A17")
async def test_each_holder_with_a_right_at_the_day_is_told_once_with_the_highest_one(database: Database) -> None:
    await the_codes(database)
    await a_postal_place(database)
    bronze = await a_ticket_type(database)
    silver = await a_ticket_type(database, "NO1", ticket_right_type=TicketRightType.SILVER)
    neither = await a_ticket_type(database, "FIP", ticket_right_type=None)
    company = await a_company(database)
    ended = {"employment_type_id": "PENSIONER", "hire_end_date": date(2024, 6, 30)}
    ola, per, _ = await some_employees(database, company, {}, {**ended, "first_name": "Per"}, {})
    kari = await a_family_member(database, ola)
    for kind in (bronze, silver):
        await a_ticket_right(database, ola, kind)
    await a_ticket_right(database, per, neither)
    await a_ticket_right(database, kari, bronze)
    await a_ticket_right(database, kari, silver, valid_until=date(2026, 2, 1))
    found = (await execute(database, ACTIVE, company=company.id, at="2026-02-01"))["activeTicketRightsHolders"]
    shared = {
        "surname": "Nordmann",
        "companyId": company.id,
        "company": {"name": "Togselskapet"},
        "grantedAt": "2026-01-31T12:00:00.123Z",
        "postalCode": "0155",
        "city": "Oslo",
        "addressLine": "Storgata 1",
        "hireEndDate": None,
    }
    employee = {"isEmployee": True, "ticketHolder": {"__typename": "Employee"}}
    assert found["nodes"] == [
        {
            **shared,
            **employee,
            "type": "ANSATT",
            "firstName": "Ola",
            "employeeId": "E1",
            "employee": {"employeeNo": "E1"},
            "ticketRightType": "SILVER",
        },
        {
            **shared,
            "type": "FAMILIE",
            "isEmployee": False,
            "ticketHolder": {"__typename": "FamilyMember"},
            "firstName": "Kari",
            "employeeId": "E1",
            "employee": {"employeeNo": "E1"},
            "ticketRightType": "BRONZE",
        },
        {
            **shared,
            **employee,
            "type": "PENSJONIST",
            "firstName": "Per",
            "employeeId": "E2",
            "employee": {"employeeNo": "E2"},
            "ticketRightType": None,
            "hireEndDate": "2024-06-30",
        },
    ]
    assert found["totalItems"] == 3
    kinds = []
    for day in ("2025-12-31", "2026-01-31", "2027-01-01"):
        nodes = (await execute(database, ACTIVE, company=company.id, at=day))["activeTicketRightsHolders"]["nodes"]
        kinds.append([node["ticketRightType"] for node in nodes])
    assert kinds == [[], ["SILVER", "SILVER", None], []]
    assert MOMENT.year == 2026


@pytest.mark.rule("E19")
async def test_without_a_day_the_active_holders_are_those_of_today_in_norway(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await the_codes(database)
    company = await a_company(database)
    await a_ticket_right(database, await an_employee(database, company), await a_ticket_type(database))
    for day, count in ((date(2026, 12, 31), 1), (date(2027, 1, 1), 0)):
        monkeypatch.setattr(reads, "today", lambda day=day: day)
        found = (await execute(database, ACTIVE, company=company.id))["activeTicketRightsHolders"]
        assert found["totalItems"] == len(found["nodes"]) == count
    for viewer, key in ((FOREIGNER, company.id), (FOREIGNER, 99)):
        found = await execute(database, ACTIVE, viewer, company=key, at="2026-06-01")
        assert found["activeTicketRightsHolders"] == {"totalItems": 0, "nodes": []}


@pytest.mark.rule("E52")
@pytest.mark.rule("A18")
async def test_the_fip_report_tells_the_fip_tickets_that_were_issued_in_the_month(database: Database) -> None:
    await the_codes(database)
    await a_product(database)
    kind = await a_ticket_type(database)
    fip = await a_code(database, codes.FipTicketType, "COUPON")
    travel = await a_code(database, codes.TravelType, "PRIVATE")
    company, other = await a_company(database), await a_company(database)
    ola, per = await an_employee(database, company), await an_employee(database, other)
    ticket = {"fip_ticket_type_id": fip.id, "travel_type_id": travel.id}
    for number, day in enumerate([date(2025, 11, 30), date(2025, 12, 31), date(2025, 12, 1), date(2026, 1, 1)]):
        await a_manual_order(database, ola, kind, issue_date=day, ticket_no=f"T{number}", **ticket)
    await a_manual_order(database, ola, kind)
    await a_manual_order(database, ola, kind, is_deleted=True, **ticket)
    await a_manual_order(database, per, kind, **ticket)
    given: dict[str, Any] = {"company": company.id, "year": 2025, "month": 12}
    found = (await execute(database, FIP, **given))["fipMonthlyTicketReport"]
    shared = {
        "employeeNo": "E1",
        "employee": {"surname": "Nordmann"},
        "company": company.id,
        "companyDetails": {"name": "Togselskapet"},
        "validFrom": "2026-01-01",
        "validUntil": "2026-01-31",
        "travelType": {"code": "PRIVATE"},
        "fipTicketType": {"code": "COUPON"},
    }
    assert found == {
        "totalItems": 2,
        "nodes": [
            {**shared, "ticketNo": "T2", "issueDate": "2025-12-01"},
            {**shared, "ticketNo": "T1", "issueDate": "2025-12-31"},
        ],
    }
    nothing = {"totalItems": 0, "nodes": []}
    assert (await execute(database, FIP, FOREIGNER, **given))["fipMonthlyTicketReport"] == nothing
    assert (await execute(database, FIP, **{**given, "company": 99}))["fipMonthlyTicketReport"] == nothing
    for wrong in ({"month": 0}, {"month": 13}, {"year": 0}, {"year": 10_000}):
        assert (await refusal(database, FIP, **{**given, **wrong})).name == "DATE_INVALID"
