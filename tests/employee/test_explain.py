"""explainEligibility: whether the rules give somebody a ticket type, and why (rules E22, E23 and E32)."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from datastore.database import Database
from datastore.employee.rights import SimpleRule
from datastore.viewer import GRANTABLE, Permission, TenantKind, Viewer
from resolvers import oslo
from resolvers.errors import ErrorCode
from tests.employee.households import KARI, OTHER_COMPANY, RULES, Raw, store, store_codes
from tests.execute import FOREIGNER, INTERNAL, VIEWER, execute, refusal
from tests.factories.customer import MOMENT, inserted
from tests.statements import statements

REASON = "condition isMet fact rule { id name }"
PERIOD = "validFrom validUntil rule { id }"
EXPLAIN = f"""query($employee: Long, $member: Long, $at: Date) {{
    explainEligibility(employeeId: $employee, familyMemberId: $member, at: $at) {{
        ticketType {{ code }} isGranted nextChangeOn rule {{ id version conditions {{ holderKinds }} }}
        periods {{ {PERIOD} }} reasons {{ {REASON} }}
    }}
}}"""
JULY = "2026-07-01"
KARI_HERSELF = Viewer(1, TenantKind.TRAVELLER, GRANTABLE, employee_ids=frozenset({1}))
HER_PARTNER = Viewer(1, TenantKind.TRAVELLER, GRANTABLE, family_member_ids=frozenset({1}))
ANOTHER_EMPLOYEE = Viewer(1, TenantKind.TRAVELLER, GRANTABLE, employee_ids=frozenset({2}))
BOUND = Viewer(1, permissions=GRANTABLE, company_id=OTHER_COMPANY)


async def explained(database: Database, viewer: Viewer = VIEWER, **whom: Any) -> dict[str, Any]:
    """Code of a ticket type -> what is said of it."""
    found = (await execute(database, EXPLAIN, viewer, **{"at": JULY, **whom}))["explainEligibility"]
    return {each.pop("ticketType")["code"]: each for each in found}


def said(told: dict[str, Any], rule: str | None) -> dict[str, tuple[bool | None, str | None]]:
    """Condition -> whether it is met and the fact, of what a rule, or every rule, asks for."""
    own = (each for each in told["reasons"] if (each["rule"] and each["rule"]["id"]) == rule)
    return {each["condition"]: (each["isMet"], each["fact"]) for each in own}


async def test_what_is_granted_has_the_reasons_of_its_rule(database: Database) -> None:
    await store_codes(database)
    await store(database, {**KARI, "left": date(2026, 8, 31)})
    private = (await explained(database, employee=1))["PRIVAT"]
    assert (private["isGranted"], private["nextChangeOn"]) == (True, "2026-09-01")
    assert private["periods"] == [{"validFrom": "2026-01-01", "validUntil": "2026-09-01", "rule": {"id": "1"}}]
    assert private["rule"] == {"id": "1", "version": 1, "conditions": {"holderKinds": ["EMPLOYEE"]}}
    assert said(private, None) == {
        "NOT_DELETED": (True, "Not deleted."),
        "NOT_ABSTAINING": (True, "Not opted out."),
        "HIRED": (True, "From 2001-05-01."),
        "NOT_LEFT": (True, "Until 2026-08-31."),
    }
    assert said(private, "1") == {
        "NOT_ON_LEAVE": (True, "Leave: no date."),
        "HOLDER_KIND": (True, "EMPLOYEE."),
        "EMPLOYMENT_PERCENTAGE": (True, "100 of at least 50."),
        "YEARLY_FEE": (True, "Paid for 2026: yes."),
    }
    assert {each["rule"] and each["rule"]["id"] for each in private["reasons"]} == {None, "1"}


async def test_what_is_denied_has_the_reasons_of_all_rules_that_could_give_it(database: Database) -> None:
    await store_codes(database)
    await store(database, {**KARI, "paid_fees": [2027], "products": {2026: 1}})
    told = await explained(database, employee=1)
    private = told["PRIVAT"]
    assert (private["isGranted"], private["rule"], private["nextChangeOn"]) == (False, None, "2027-01-01")
    assert {each["rule"]["id"] for each in private["reasons"] if each["rule"]} == {"1", "2", "3", "4", "5"}
    assert said(private, "1")["YEARLY_FEE"] == (False, "Paid for 2026: no.")
    assert said(private, "2")["PRODUCT"] == (False, "Product in 2026: 1.")
    assert said(private, "3")["HOLDER_KIND"] == (False, "EMPLOYEE.")
    assert said(private, "4")["FAMILY_RELATION"] == (False, "No family member.")
    assert told["TJENESTE"]["isGranted"] is True


@pytest.mark.rule("E22")
async def test_a_familys_rights_are_explained_by_the_employees_facts(database: Database) -> None:
    await store_codes(database)
    await store(database, {**KARI, "is_deleted": True})
    private = (await explained(database, member=1))["PRIVAT"]
    assert private["isGranted"] is False
    assert said(private, None)["EMPLOYEE_NOT_DELETED"] == (False, "Deleted.")
    assert said(private, None)["NOT_DELETED"] == (True, "Not deleted.")
    assert said(private, "5")["MAX_AGE"] == (False, "42 years of at most 17.")


@pytest.mark.rule("E19")
async def test_the_day_is_today_in_norway_unless_it_is_given(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> "Clock":
            return cls(2026, 12, 31, 23, 30, tzinfo=UTC)

    monkeypatch.setattr(oslo, "datetime", Clock)
    await store_codes(database)
    await store(database, KARI)
    private = (await explained(database, employee=1, at=None))["PRIVAT"]
    assert said(private, "1")["YEARLY_FEE"] == (False, "Paid for 2027: no.")


@pytest.mark.rule("E23")
async def test_health_and_income_are_told_to_those_who_may_see_them(database: Database) -> None:
    await store_codes(database)
    await store(database, {**KARI, "disability_grade": 50, "disabled_from": date(2026, 1, 1)})
    told = await explained(database, employee=1)
    assert said(told["HONNØR"], "9")["DISABILITY_GRADE"] == (True, "50 of at least 50.")
    less = Viewer(1, permissions=GRANTABLE - {Permission.EMPLOYEE_SENSITIVE_READ})
    told = await explained(database, less, employee=1)
    assert said(told["HONNØR"], "9")["DISABILITY_GRADE"] == (None, None)
    hidden = {each["condition"] for told in told.values() for each in told["reasons"] if each["isMet"] is None}
    assert hidden == {"DISABILITY_GRADE", "LOW_INCOME"}


@pytest.mark.rule("E23")
async def test_users_see_themselves_and_an_employee_the_own_family(database: Database) -> None:
    await store_codes(database)
    await store(database, KARI)
    assert (await explained(database, KARI_HERSELF, employee=1))["PRIVAT"]["isGranted"] is True
    assert said((await explained(database, KARI_HERSELF, member=1))["PRIVAT"], None)["HIRED"][1] == "From 2001-05-01."
    private = (await explained(database, HER_PARTNER, member=1))["PRIVAT"]
    assert private["isGranted"] is True
    assert said(private, None)["HIRED"] == (True, None)  # when Kari was hired is her matter
    assert said(private, "4")["YEARLY_FEE"] == (True, None)
    assert said(private, "4")["FAMILY_RELATION"] == (True, "SAMBOER.")


@pytest.mark.rule("E23")
async def test_a_family_member_is_not_told_of_the_employees_health(database: Database) -> None:
    await store_codes(database)
    await store(database, {**KARI, "disability_proofs": [2026]})
    proof = said((await explained(database, KARI_HERSELF, member=1))["HONNØR"], "10")["DISABILITY_PROOF"]
    assert proof == (True, "Registered for 2026: yes.")
    partner = await explained(database, HER_PARTNER, member=1)
    assert said(partner["HONNØR"], "10")["DISABILITY_PROOF"] == (None, None)
    assert said(partner["UNGDOM"], "11")["LOW_INCOME"][0] is False  # the partner's own matter


@pytest.mark.rule("T04")
async def test_foreign_people_are_answered_like_unknown_ones(database: Database) -> None:
    await store_codes(database)
    await store(database, KARI)
    for viewer in (FOREIGNER, BOUND, ANOTHER_EMPLOYEE):
        for key in (1, 999):
            assert await refusal(database, EXPLAIN, viewer, employee=key) is ErrorCode.EMPLOYEE_NOT_FOUND
            assert await refusal(database, EXPLAIN, viewer, member=key) is ErrorCode.FAMILY_MEMBER_NOT_FOUND
    assert await refusal(database, EXPLAIN, HER_PARTNER, employee=1) is ErrorCode.EMPLOYEE_NOT_FOUND
    assert await explained(database, INTERNAL, member=1)


async def test_one_person_and_a_day_of_our_times_are_needed(database: Database) -> None:
    assert await refusal(database, EXPLAIN) is ErrorCode.EXACTLY_ONE_NEEDED
    assert await refusal(database, EXPLAIN, employee=1, member=1) is ErrorCode.EXACTLY_ONE_NEEDED
    for day in ("1899-12-31", "9999-12-31"):
        assert await refusal(database, EXPLAIN, employee=1, at=day) is ErrorCode.VALUE_INVALID


async def test_explaining_takes_the_same_statements_whatever_there_is(database: Database) -> None:
    await store_codes(database)
    family: list[Raw] = [{**KARI["family"][0], "id": n} for n in range(1, 40)]
    await store(database, KARI, {**KARI, "id": 2, "family": [{**each, "id": each["id"] + 1} for each in family]})
    with statements(database) as few:
        await execute(database, EXPLAIN, employee=1, at=JULY)
    changes = {"created_at": MOMENT, "changed_at": MOMENT}
    more = ({**RULES[0], "id": n, "name": f"More {n}", **changes} for n in range(100, 140))
    await inserted(database, SimpleRule, *more)
    with statements(database) as many:
        await execute(database, EXPLAIN, employee=2, at=JULY)
    assert len(few) == len(many) <= 10
