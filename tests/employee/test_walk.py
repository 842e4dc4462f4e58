"""From companies to employees, families and ticket rights: in as many statements for 200 employees as for one."""

from typing import Any

import pytest

from datastore.database import Database
from datastore.employee import personnel
from tests.execute import execute, refusal
from tests.factories.employee import (
    a_company,
    a_ticket_type,
    some_employees,
    some_family_members,
    some_ticket_rights,
    the_codes,
)
from tests.statements import statements

WALK = """query ($company: Long!, $first: Int!) { company(companyId: $company) { name employees(first: $first) {
    totalItems nodes { employeeNo ticketHolderCode yearlyFees { isPaid } disabilityProofs { isRegistered }
    postalPlace { place } customer { customerNumber }
    ticketRights { ticketType { code } }
    familyMembers { firstName lowIncomes { isRegistered } ticketRights { ticketType { code }
    ticketHolder { ... on FamilyMember { firstName } ... on Employee { firstName } } } } } } } }"""
STATEMENTS_OF_WALK = 16
"""Company, page, count; of employees holder, fees, proofs, place, (no) customers, rights, family; of these incomes,
rights and holder; the ticket types, once for each depth at most; the key of the cursors, once."""
PAGE = """query ($after: String, $before: String, $first: Int, $last: Int) { companies { nodes { name
    employees(first: $first, after: $after, last: $last, before: $before) { totalItems totalPages
    nodes { surname } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } } }"""


async def a_staff(database: Database, number: int) -> personnel.Company:
    """A company with so many employees, each with a spouse, and with a ticket right for both."""
    await the_codes(database)
    kind = await a_ticket_type(database)
    company = await a_company(database)
    employees = await some_employees(database, company, *[{} for _ in range(number)])
    family = await some_family_members(database, *[(each, {}) for each in employees])
    await some_ticket_rights(database, *[(each, kind, {}) for each in [*employees, *family]])
    return company


async def test_the_walk_takes_as_many_statements_for_200_employees_as_for_one(database: Database) -> None:
    company = await a_staff(database, 200)
    taken = []
    for first in (1, 200):
        with statements(database) as seen:
            found = (await execute(database, WALK, company=company.id, first=first))["company"]["employees"]
        assert (found["totalItems"], len(found["nodes"])) == (200, first)
        spouse = found["nodes"][-1]["familyMembers"][0]
        assert spouse["ticketRights"] == [{"ticketType": {"code": "NO2"}, "ticketHolder": {"firstName": "Kari"}}]
        taken.append(len(seen))
    assert taken[1] <= taken[0] <= STATEMENTS_OF_WALK


async def pages(database: Database, **window: Any) -> list[Any]:
    return [each["employees"] for each in (await execute(database, PAGE, **window))["companies"]["nodes"]]


async def test_each_company_has_its_own_page_in_one_statement_for_all(database: Database) -> None:
    await the_codes(database)
    for name, surnames in (("A", "abcde"), ("B", "c"), ("C", "")):
        company = await a_company(database, name=name)
        await some_employees(database, company, *[{"surname": each} for each in reversed(surnames)])

    def names(found: list[Any]) -> list[str]:
        return ["".join(node["surname"] for node in page["nodes"]) for page in found]

    first = await pages(database, first=2)
    assert names(first) == ["ab", "c", ""]
    assert [(page["totalItems"], page["totalPages"]) for page in first] == [(5, 3), (1, 1), (0, 0)]
    assert [page["pageInfo"]["hasNextPage"] for page in first] == [True, False, False]
    assert first[2]["pageInfo"]["endCursor"] is None
    after = await pages(database, first=2, after=first[0]["pageInfo"]["endCursor"])
    assert names(after) == ["cd", "c", ""]
    last = await pages(database, last=2)
    assert names(last) == ["de", "c", ""]
    before = await pages(database, last=2, before=last[0]["pageInfo"]["startCursor"])
    assert names(before) == ["bc", "c", ""]
    assert [page["pageInfo"]["hasPreviousPage"] for page in before] == [True, False, False]
    await pages(database, first=2)

    with statements(database) as seen:
        await pages(database, first=2)
    assert len(seen) == 3  # companies, employees, counts


@pytest.mark.parametrize(
    ("window", "code"),
    [({"first": 0}, "PAGE_SIZE_INVALID"), ({"first": 1001}, "PAGE_SIZE_INVALID"), ({"after": "x"}, "CURSOR_INVALID")],
    ids=str,
)
async def test_a_window_that_is_none_is_refused(database: Database, window: dict[str, Any], code: str) -> None:
    await a_company(database)
    assert (await refusal(database, PAGE, **window)).name == code
