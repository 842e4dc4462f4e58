"""createTicketRule, updateTicketRule and ticketRules."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select

from datastore.audit import AuditLogEntry
from datastore.database import Database
from datastore.employee.codes import EmploymentType, TicketType
from datastore.employee.rights import SimpleRule, SimpleRuleVersion, TicketRight
from resolvers.employee.eligibility import Conditions
from tests.customer.mutations import HOSTILE, answered, document, done, freeze, not_executed, refused
from tests.employee.households import COMPANY, KARI, RULES, store, store_codes
from tests.execute import INTERNAL, execute
from tests.factories.customer import MOMENT, inserted

ASKED = """holderKinds employmentTypes minEmploymentPercentage productId product { name } yearlyFeePaid
    disabilityProofRegistered minDisabilityGrade lowIncomeRegistered familyRelations minAge maxAge includesLeave"""
RULE = f"id name isActive version ticketType {{ code }} conditions {{ {ASKED} }}"
CHANGE = "employeeId familyMemberId ticketTypeId validFrom validUntil"
EFFECT = f"effect {{ holdersGaining holdersLosing gains {{ {CHANGE} }} losses {{ {CHANGE} }} }}"
VERSION = "version isActive name ticketType { code } changedAt changedBy conditions { minAge }"
CREATE = document("createTicketRule", f"rule {{ {RULE} }} {EFFECT}")
UPDATE = document("updateTicketRule", f"rule {{ {RULE} }} {EFFECT}")
NEW = {"name": "Voksne barn", "ticketTypeId": "4", "conditions": {"holderKinds": ["FAMILY_MEMBER"]}}
NOTHING: dict[str, Any] = {
    "employmentTypes": [],
    "minEmploymentPercentage": None,
    "productId": None,
    "product": None,
    "yearlyFeePaid": False,
    "disabilityProofRegistered": False,
    "minDisabilityGrade": None,
    "lowIncomeRegistered": False,
    "familyRelations": [],
    "minAge": None,
    "maxAge": None,
    "includesLeave": False,
}
ALL = {
    "holderKinds": ["EMPLOYEE", "FAMILY_MEMBER"],
    "employmentTypes": ["FAST", "DELTID"],
    "minEmploymentPercentage": 50,
    "productId": "2",
    "yearlyFeePaid": True,
    "disabilityProofRegistered": True,
    "minDisabilityGrade": 100,
    "lowIncomeRegistered": True,
    "familyRelations": ["BARN"],
    "minAge": 0,
    "maxAge": 150,
    "includesLeave": True,
}


@pytest.fixture(autouse=True)
async def codes_in_2026(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    freeze(monkeypatch, datetime(2026, 6, 30, 22, 30, tzinfo=UTC))
    await store_codes(database)


async def versions(database: Database, rule_id: int) -> list[Any]:
    table: Any = SimpleRuleVersion.__table__
    return list(await database.fetch(select(table).where(table.c.rule_id == rule_id).order_by(table.c.id)))


async def test_a_rule_is_created_with_its_first_version(database: Database) -> None:
    made = await done(database, CREATE, {**NEW, "name": " Voksne barn "}, INTERNAL)
    shown = {"name": "Voksne barn", "isActive": True, "version": 1, "ticketType": {"code": "UNGDOM"}}
    assert made == {"id": made["id"], **shown, "conditions": {**NOTHING, "holderKinds": ["FAMILY_MEMBER"]}}
    (kept,) = await versions(database, int(made["id"]))
    assert (kept.version, kept.name, kept.ticket_type_id, kept.is_active) == (1, "Voksne barn", 4, True)
    assert (kept.changed_by, kept.changed_at) == ("graphql", datetime(2026, 6, 30, 22, 30, tzinfo=UTC))
    full = await done(database, CREATE, {**NEW, "name": "All", "conditions": ALL, "isActive": False}, INTERNAL)
    assert full["conditions"] == {**ALL, "product": {"name": "Norden"}}
    assert full["isActive"] is False


async def test_each_change_makes_a_version_and_keeps_what_is_absent(database: Database) -> None:
    rule = await done(database, CREATE, {**NEW, "conditions": ALL}, INTERNAL)
    changes: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"name": "Barn"}, {"name": "Barn"}),
        ({"isActive": False, "expectedVersion": 2}, {"isActive": False}),
        ({"ticketTypeId": "1"}, {"ticketType": {"code": "PRIVAT"}}),
        ({"conditions": {"holderKinds": ["PENSIONER"]}}, {"conditions": {**NOTHING, "holderKinds": ["PENSIONER"]}}),
        ({}, {}),
    ]
    for version, (given, shown) in enumerate(changes, start=2):
        rule = {**rule, **shown, "version": version}
        assert await done(database, UPDATE, {"ruleId": rule["id"], **given}, INTERNAL) == rule
    kept = await versions(database, int(rule["id"]))
    assert [row.version for row in kept] == [1, 2, 3, 4, 5, 6]
    assert [row.is_active for row in kept] == [True, True, False, False, False, False]
    assert Conditions.of(kept[0].conditions).stored() == kept[0].conditions
    assert len(await database.fetch(select(AuditLogEntry.__table__))) == 6


async def test_what_a_rule_cannot_be_is_refused_by_both_acts(database: Database) -> None:
    rule = await done(database, CREATE, NEW, INTERNAL)
    await inserted(
        database,
        EmploymentType,
        {"code": "GAMMEL", "is_deleted": True, "created_at": MOMENT, "changed_at": MOMENT},
    )
    async with database.write() as session:
        await session.execute(TicketType.__table__.update().where(TicketType.id == 3).values(is_deleted=True))  # type: ignore[attr-defined]
    employees, pensioners = {"holderKinds": ["EMPLOYEE"]}, {"holderKinds": ["PENSIONER"]}
    contradicts = "RULE_CONTRADICTS_ITSELF"
    wrong: list[tuple[dict[str, Any], list[tuple[str, str, list[str]]]]] = [
        ({"name": "Rule 1"}, [("RULE_NAME_TAKEN", "name", ["Rule 1"])]),
        ({"name": " "}, [("REQUIRED", "name", [])]),
        ({"ticketTypeId": "99"}, [("TICKET_TYPE_NOT_FOUND", "ticketTypeId", ["99"])]),
        ({"ticketTypeId": "x"}, [("TICKET_TYPE_NOT_FOUND", "ticketTypeId", ["x"])]),
        ({"ticketTypeId": "3"}, [("TICKET_TYPE_NOT_FOUND", "ticketTypeId", ["3"])]),
    ]
    for asked, code, field, rejected in (
        ({"holderKinds": []}, "REQUIRED", "holderKinds", []),
        ({**employees, "employmentTypes": []}, "REQUIRED", "employmentTypes", []),
        ({**employees, "employmentTypes": ["FAST", "X"]}, "CODE_UNKNOWN", "employmentTypes.1", ["X"]),
        ({**employees, "employmentTypes": ["GAMMEL"]}, "CODE_UNKNOWN", "employmentTypes.0", ["GAMMEL"]),
        ({**employees, "employmentTypes": ["A"] * 101}, "VALUE_INVALID", "employmentTypes", ["101"]),
        ({"holderKinds": ["FAMILY_MEMBER"], "familyRelations": [""]}, "CODE_UNKNOWN", "familyRelations.0", [""]),
        ({**employees, "productId": "9"}, "PRODUCT_NOT_FOUND", "productId", ["9"]),
        ({**employees, "productId": "-1"}, "PRODUCT_NOT_FOUND", "productId", ["-1"]),
        ({**employees, "minEmploymentPercentage": 101}, "PERCENTAGE_INVALID", "minEmploymentPercentage", ["101"]),
        ({**employees, "minDisabilityGrade": -1}, "PERCENTAGE_INVALID", "minDisabilityGrade", ["-1"]),
        ({**employees, "minAge": -1}, "VALUE_INVALID", "minAge", ["-1"]),
        ({**employees, "maxAge": 151}, "VALUE_INVALID", "maxAge", ["151"]),
        ({**employees, "minAge": 18, "maxAge": 17}, contradicts, "minAge", []),
        ({**employees, "familyRelations": ["BARN"]}, contradicts, "familyRelations", []),
        ({**pensioners, "lowIncomeRegistered": True}, contradicts, "lowIncomeRegistered", []),
        ({**employees, "employmentTypes": ["PENSJONIST"]}, contradicts, "employmentTypes", []),
        ({**pensioners, "employmentTypes": ["FAST"]}, contradicts, "employmentTypes", []),
    ):
        wrong.append(({"conditions": asked}, [(code, f"conditions.{field}", rejected)]))
    for text, given in ((CREATE, {**NEW, "name": "Another"}), (UPDATE, {"ruleId": rule["id"]})):
        for values, errors in wrong:
            assert await refused(database, text, {**given, **values}, INTERNAL) == errors, values
        for value, code in HOSTILE:
            assert await refused(database, text, {**given, "name": value}, INTERNAL) == [(code, "name", [])]
            asked = {**employees, "employmentTypes": [value]}
            errors = [(code, "conditions.employmentTypes.0", [])]
            assert await refused(database, text, {**given, "conditions": asked}, INTERNAL) == errors
        many = {"name": "", "ticketTypeId": "0", "conditions": {**employees, "minAge": 200, "productId": "0"}}
        codes = [code for code, _, _ in await refused(database, text, {**given, **many}, INTERNAL)]
        assert codes == ["REQUIRED", "TICKET_TYPE_NOT_FOUND", "VALUE_INVALID", "PRODUCT_NOT_FOUND"]
        for name in ("name", "ticketTypeId", "conditions"):
            assert "null" in (await not_executed(database, text, {**given, name: None})).replace("None", "null")


async def test_an_unknown_rule_and_another_version_are_refused(database: Database) -> None:
    for wrong in ("99", "x", "", "9" * 30):
        error = ("RULE_NOT_FOUND", "ruleId", [wrong])
        assert await refused(database, UPDATE, {"ruleId": wrong, "name": "X"}, INTERNAL) == [error]
    payload, errors = await answered(database, UPDATE, {"ruleId": "1", "expectedVersion": 2, "name": "X"}, INTERNAL)
    assert errors == [("VERSION_CONFLICT", "expectedVersion", ["2"])]
    assert (payload["rule"]["name"], payload["rule"]["version"]) == ("Rule 1", 1)


async def test_the_name_that_a_rule_has_it_may_keep(database: Database) -> None:
    assert (await done(database, UPDATE, {"ruleId": "1", "name": "Rule 1"}, INTERNAL))["version"] == 2


async def test_a_dry_run_tells_who_would_gain_and_lose_and_stores_nothing(database: Database) -> None:
    await store(database, KARI)
    days = {"employeeId": 1, "validFrom": "2026-07-01", "validUntil": "2027-01-01"}
    nothing = {"holdersGaining": 0, "holdersLosing": 0, "gains": [], "losses": []}
    trial = {"dryRun": True, "companyId": COMPANY}
    partner = {**days, "familyMemberId": 1, "ticketTypeId": "4"}
    kari = {**days, "familyMemberId": None, "ticketTypeId": "1"}
    for text, given, effect in (
        (CREATE, NEW, {**nothing, "holdersGaining": 1, "gains": [partner]}),
        (CREATE, {**NEW, "isActive": False}, nothing),
        (UPDATE, {"ruleId": "1", "isActive": False}, {**nothing, "holdersLosing": 1, "losses": [kari]}),
        (UPDATE, {"ruleId": "2", "isActive": False}, nothing),
        (
            UPDATE,
            {"ruleId": "1", "ticketTypeId": "3"},
            {
                "holdersGaining": 1,
                "holdersLosing": 1,
                "gains": [{**kari, "ticketTypeId": "3"}],
                "losses": [kari],
            },
        ),
    ):
        before = await database.fetch(select(SimpleRule.__table__).order_by(SimpleRule.id))
        payload, errors = await answered(database, text, {**given, **trial}, INTERNAL)
        assert (payload, errors) == ({"rule": None, "effect": effect}, []), given
        assert await database.fetch(select(SimpleRule.__table__).order_by(SimpleRule.id)) == before
        assert await database.fetch(select(SimpleRuleVersion.__table__)) == []
        assert await database.fetch(select(TicketRight.__table__)) == []
    later = await answered(database, CREATE, {**NEW, **trial, "at": "2027-03-01"}, INTERNAL)
    assert later[0]["effect"]["gains"] == [{**partner, "validFrom": "2027-03-01", "validUntil": "2028-01-01"}]


async def test_a_dry_run_needs_a_company_and_a_day_that_can_be_calculated(database: Database) -> None:
    wrong: list[tuple[dict[str, Any], tuple[str, str, list[str]]]] = [
        ({}, ("REQUIRED", "companyId", [])),
        ({"companyId": 999}, ("COMPANY_NOT_FOUND", "companyId", ["999"])),
        ({"companyId": COMPANY, "at": "2025-12-31"}, ("YEAR_NOT_ALLOWED", "at", ["2025-12-31"])),
    ]
    for given, error in wrong:
        assert await refused(database, CREATE, {**NEW, "dryRun": True, **given}, INTERNAL) == [error]
        assert await refused(database, UPDATE, {"ruleId": "1", "dryRun": True, **given}, INTERNAL) == [error]


async def test_rules_are_listed_with_what_they_were(database: Database) -> None:
    await done(database, UPDATE, {"ruleId": "2", "isActive": False}, INTERNAL)
    text = f"""query($active: Boolean) {{ ticketRules(isActive: $active, first: 1000) {{
        totalItems nodes {{ id versions {{ {VERSION} }} }}
    }} }}"""
    for is_active, ids in ((None, range(1, 13)), (True, [1, *range(3, 13)]), (False, [2])):
        found = (await execute(database, text, active=is_active))["ticketRules"]
        assert [int(each["id"]) for each in found["nodes"]] == list(ids)
        assert found["totalItems"] == len(found["nodes"])
    version = {"version": 2, "isActive": False, "name": "Rule 2", "ticketType": {"code": "PRIVAT"}}
    by = {"changedAt": "2026-06-30T22:30:00.000Z", "changedBy": "graphql", "conditions": {"minAge": None}}
    assert found["nodes"] == [{"id": "2", "versions": [{**version, **by}]}]
    assert len(RULES) == 12
