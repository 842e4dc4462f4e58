"""The demo data of the employee domain, as callers meet them: what README and the examples tell is so."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from joserfc.jwk import OKPKey

from datastore.database import Database
from datastore.demo.load import load
from datastore.demo.personnel import beside
from datastore.demo.personnel_codes import COMPANIES, FIRST_COMPANY
from datastore.viewer import Viewer
from gateway.identity.demo import demo_issuers, token_for
from gateway.identity.identity import Identity
from gateway.identity.tokens import Tokens
from resolvers.employee.granting import granting
from schema import relations
from tests.customer.mutations import done, freeze
from tests.execute import INTERNAL, execute
from tests.gateway.identity.tokens import bearer

NOW = datetime(2026, 7, 1, 10, tzinfo=UTC)
CALCULATE = """mutation ($input: CalculateTicketRightsInput!) { calculateTicketRights(input: $input) {
    calculation { inserted kept changed ended effect { holdersGaining holdersLosing } } userErrors { code field
    rejectedValues } } }"""
RIGHTS = "ticketRights { validFrom validUntil ticketType { code } }"
HOUSEHOLD = f"""query {{ employee(employeeId: 1) {{
    employeeNo firstName surname customerNumber ticketHolderCode company {{ companyId name }}
    employmentType {{ description isPensioner }} yearlyFees {{ year isPaid }} categories {{ year product {{ name }} }}
    customer {{ customerNumber email }} {RIGHTS}
    familyMembers {{ familyMemberId firstName relation {{ description }} lowIncomes {{ year isRegistered }} {RIGHTS} }}
}} }}"""
Days = list[tuple[str, str, str]]


@pytest.fixture
async def demo(database: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    """A database with a small demo, in the middle of 2026."""
    await load(database, 40, 1, lambda _: None, beside(40, granting, 150))
    freeze(monkeypatch, NOW)
    monkeypatch.setattr(relations, "today", lambda: date(2026, 7, 1))
    return database


def days(holder: Any) -> Days:
    found = holder.pop("ticketRights")
    return sorted((each["ticketType"]["code"], each["validFrom"], each["validUntil"]) for each in found)


def whole_years(code: str, *years: int) -> Days:
    return [(code, f"{year}-01-01", f"{year + 1}-01-01") for year in years]


@pytest.mark.rule("E01", "E15", "E17", "E20", "E32", "G1")
async def test_the_first_employee_has_her_rights_her_family_and_her_customer_profile(demo: Database) -> None:
    kari = (await execute(demo, HOUSEHOLD))["employee"]
    family = kari.pop("familyMembers")
    assert days(kari) == [
        *whole_years("NO-PRIVAT-SØLV", 2025, 2026, 2027),
        *whole_years("NO-TJENESTE", 2025, 2026, 2027),
    ]
    assert kari == {
        "employeeNo": "10001",
        "firstName": "Kari",
        "surname": "Nordmann",
        "customerNumber": 1_000_000_002,
        "ticketHolderCode": "KARI2-NRDMN-DEMA2",
        "company": {"companyId": 101, "name": "Nordbanen Persontog AS"},
        "employmentType": {"description": "Fast ansatt", "isPensioner": False},
        "yearlyFees": [{"year": 2026, "isPaid": True}, {"year": 2027, "isPaid": True}],
        "categories": [{"year": year, "product": {"name": "Personalbillett Norge"}} for year in (2025, 2026, 2027)],
        "customer": {"customerNumber": 1_000_000_001, "email": "kari.nordmann@example.no"},
    }
    bronze, low = "NO-PRIVAT-BRONSE", [{"year": 2026, "isRegistered": True}, {"year": 2027, "isRegistered": False}]
    not_low = [{**each, "isRegistered": False} for each in low]
    section = ("NO-STREKNING", "2026-06-15", "2026-07-15")
    told = [
        (each["familyMemberId"], each["firstName"], each["relation"]["description"], each["lowIncomes"], days(each))
        for each in family
    ]
    every_year = whole_years(bronze, 2025, 2026, 2027)
    assert told == [
        (1, "Ola", "Ektefelle eller registrert partner", not_low, [*every_year, section]),
        (2, "Nora", "Barn eller adoptivbarn", not_low, every_year),
        (3, "Jonas", "Barn eller adoptivbarn", low, whole_years(bronze, 2026)),
    ]


@pytest.mark.rule("E22", "E31")
async def test_calculating_the_rights_of_the_demo_changes_nothing(demo: Database) -> None:
    kept = 0
    for company, each in enumerate(COMPANIES, FIRST_COMPANY):
        if each.is_deleted:
            continue
        for day in ("2026-01-01", "2026-07-01", "2027-01-01"):
            found = await done(demo, CALCULATE, {"companyId": company, "at": day}, INTERNAL)
            kept += found.pop("kept")
            effect = {"holdersGaining": 0, "holdersLosing": 0}
            assert found == {"inserted": 0, "changed": 0, "ended": 0, "effect": effect}, (company, day)
    assert kept > 1_000


@pytest.mark.rule("E16", "E32")
async def test_why_a_grown_up_child_travels_in_one_year_alone_is_explained(demo: Database) -> None:
    document = """query ($at: Date!) { explainEligibility(familyMemberId: 3, at: $at) {
        ticketType { code } isGranted rule { name } nextChangeOn } }"""
    for day, is_granted, rule, next_change in (
        ("2026-06-01", True, {"name": "Ungdom med lav inntekt, privatreise"}, "2027-01-01"),
        ("2027-06-01", False, None, None),
    ):
        (found,) = (await execute(demo, document, at=day)).values()
        (bronze,) = [each for each in found if each["ticketType"]["code"] == "NO-PRIVAT-BRONSE"]
        assert (bronze["isGranted"], bronze["rule"], bronze["nextChangeOn"]) == (is_granted, rule, next_change)


@pytest.mark.rule("T05", "E23")
async def test_the_employee_of_the_demo_sees_herself_and_her_family_and_nobody_else(demo: Database) -> None:
    key = OKPKey.generate_key("Ed25519", auto_kid=True)
    given = bearer(token_for("employee", key, datetime.now(UTC)))
    viewer: Viewer = await Identity(Tokens(demo_issuers(key)), demo).viewer(given)
    assert viewer.employee_ids == {1}
    assert not viewer.family_member_ids
    document = """query { mine: employee(employeeId: 1) { firstName ticketHolderCode familyMembers { firstName } }
        another: employee(employeeId: 2) { firstName } company(companyId: 101) { name }
        ticketRights(first: 100) { nodes { employeeId } } }"""
    answered = await execute(demo, document, viewer)
    assert {each["employeeId"] for each in answered.pop("ticketRights")["nodes"]} == {1}
    assert answered == {
        "mine": {
            "firstName": "Kari",
            "ticketHolderCode": "KARI2-NRDMN-DEMA2",
            "familyMembers": [{"firstName": "Ola"}, {"firstName": "Nora"}, {"firstName": "Jonas"}],
        },
        "another": None,
        "company": {"name": "Nordbanen Persontog AS"},
    }


@pytest.mark.rule("E36", "E52")
async def test_reports_on_the_demo_have_rows(demo: Database) -> None:
    document = """query { activeTicketRightsHolders(companyId: 101, at: "2026-07-01", first: 5) {
        totalItems nodes { firstName type ticketRightType } }
        fipMonthlyTicketReport(companyId: 101, year: 2025, month: 12, first: 50) {
        nodes { employeeNo ticketNo fipTicketType { code } } } }"""
    answered = await execute(demo, document)
    holders = answered["activeTicketRightsHolders"]
    assert holders["totalItems"] > 100
    assert [(each["firstName"], each["type"], each["ticketRightType"]) for each in holders["nodes"][:2]] == [
        ("Kari", "ANSATT", "SILVER"),
        ("Ola", "FAMILIE", "BRONZE"),
    ]
    (kari, *_) = [row for row in answered["fipMonthlyTicketReport"]["nodes"] if row["employeeNo"] == "10001"]
    assert kari["ticketNo"].startswith("FIP")
