"""A second implementation of who has which ticket right, written from the rules alone: day by day, without spans.

It shares nothing with the first one. People and rules are the plain mappings of `tests.employee.households`.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

Raw = Mapping[str, Any]
PENSIONERS = {"PENSJONIST"}


def rule_that_gives(employee: Raw, member: Raw | None, day: date, rules: Sequence[Raw], ticket_type: int) -> int | None:
    """The id of the first rule that gives a ticket type on a day; None if none does."""
    for rule in rules:
        if rule["ticket_type_id"] == ticket_type and rule["is_active"] and gives(employee, member, day, rule):
            return int(rule["id"])
    return None


def gives(employee: Raw, member: Raw | None, day: date, rule: Raw) -> bool:
    """Whether a rule gives an employee, or the member of the family, its ticket type on a day."""
    return may_have_any(employee, member, day) and meets(employee, member, day, rule["conditions"])


def may_have_any(employee: Raw, member: Raw | None, day: date) -> bool:
    # E07: who has opted out gets nothing, and the family neither.
    if employee["abstains"]:
        return False
    if member is not None and (member["abstains"] or member["is_deleted"]):
        return False
    # E22: who is deleted, or has left without being a pensioner, gets nothing, and the family neither.
    if employee["is_deleted"]:
        return False
    has_left = employee["left"] is not None and day > employee["left"]
    if has_left and employee["employment_type"] not in PENSIONERS:
        return False
    return bool(day >= employee["hired"])


def meets(employee: Raw, member: Raw | None, day: date, asked: Raw) -> bool:
    if member is not None:
        kind = "FAMILY_MEMBER"
    elif employee["employment_type"] in PENSIONERS:
        kind = "PENSIONER"
    else:
        kind = "EMPLOYEE"
    if kind not in asked["holder_kinds"]:
        return False
    is_on_leave = employee["leave_from"] is not None and day >= employee["leave_from"]
    if is_on_leave and not asked.get("includes_leave"):
        return False
    if asked.get("employment_types") and employee["employment_type"] not in asked["employment_types"]:
        return False
    if employee["percentage"] < (asked.get("min_employment_percentage") or 0):
        return False
    if asked.get("product_id") is not None and employee["products"].get(day.year) != asked["product_id"]:
        return False
    if asked.get("yearly_fee_paid") and day.year not in employee["paid_fees"]:
        return False
    if asked.get("disability_proof_registered") and day.year not in employee["disability_proofs"]:
        return False
    if asked.get("min_disability_grade") is not None:
        begun = employee["disabled_from"] is not None and employee["disabled_from"] <= day
        grade = employee["disability_grade"] if begun else 0
        if grade < asked["min_disability_grade"]:
            return False
    if asked.get("low_income_registered") and (member is None or day.year not in member["low_income"]):
        return False
    if asked.get("family_relations") and (member is None or member["relation"] not in asked["family_relations"]):
        return False
    born = (member or employee)["born"]
    age = None if born is None else age_on(born, day)
    if asked.get("min_age") is not None and (age is None or age < asked["min_age"]):
        return False
    return not (asked.get("max_age") is not None and (age is None or age > asked["max_age"]))


def age_on(born: date, day: date) -> int | None:
    """Whole years since the birth; None before it."""
    if day < born:
        return None
    if (born.month, born.day) == (2, 29):
        has_had_birthday = (day.month, day.day) >= (2, 29)
    else:
        has_had_birthday = day >= date(day.year, born.month, born.day)
    return day.year - born.year if has_had_birthday else day.year - born.year - 1


def days_of(year: int) -> list[date]:
    first = date(year, 1, 1)
    return [first + timedelta(days=n) for n in range((date(year + 1, 1, 1) - first).days)]


def rights_of_year(
    employee: Raw, member: Raw | None, year: int, rules: Sequence[Raw], ticket_types: Sequence[int]
) -> list[tuple[int, int, date, date]]:
    """`(ticket type, rule, first day, day after the last)` of the rights in a year: every run of days on which the same
    rule gives the same ticket type is one."""
    found = []
    for ticket_type in ticket_types:
        own = [rule for rule in rules if rule["ticket_type_id"] == ticket_type]
        since: date | None = None
        running: int | None = None
        for day in days_of(year):
            rule = rule_that_gives(employee, member, day, own, ticket_type)
            if rule != running:
                if running is not None and since is not None:
                    found.append((ticket_type, running, since, day))
                since, running = day, rule
        if running is not None and since is not None:
            found.append((ticket_type, running, since, date(year + 1, 1, 1)))
    return found
