"""Generated employees with their families, and the rules that the tests apply to them: always the same ones, with all
kinds of facts, and many that change in 2026 or at its ends."""

from collections.abc import Mapping
from datetime import date
from functools import cache
from random import Random
from typing import Any

from datastore.database import Database
from datastore.employee import codes, personnel, rights
from datastore.employee.facts import EmployeeFacts, MemberFacts
from resolvers.employee.eligibility import Conditions, Rule
from tests.employee import plain_eligibility
from tests.factories.customer import MOMENT, inserted

Raw = dict[str, Any]

YEAR = 2026
DATES = (date(2026, 1, 1), date(2026, 3, 1), date(2026, 7, 1), date(2026, 12, 31), date(2027, 1, 1))
BORDERS = (
    *(date(2025, 12, 31), date(2026, 1, 1), date(2026, 1, 2), date(2026, 2, 28), date(2026, 3, 1), date(2026, 6, 30)),
    *(date(2026, 7, 1), date(2026, 12, 31), date(2027, 1, 1), date(2027, 5, 17)),
)
BIRTHS = (
    *(date(1959, 3, 1), date(1985, 7, 9), date(1960, 1, 1), date(1999, 12, 31)),
    *(date(2008, 2, 29), date(2008, 7, 1), date(2009, 12, 31), date(2010, 2, 28), date(2010, 1, 1), date(2010, 7, 2)),
    *(date(2026, 6, 30), date(2027, 2, 1)),
)
TYPES = ("FAST", "DELTID", "PENSJONIST")
RELATIONS = ("SAMBOER", "BARN")
TICKETS = {1: "PRIVAT", 2: "TJENESTE", 3: "HONNØR", 4: "UNGDOM"}
PRODUCTS = {1: "Norge", 2: "Norden"}
COMPANY, OTHER_COMPANY = 51, 52

RULES: tuple[Raw, ...] = tuple(
    {"id": number, "name": f"Rule {number}", "ticket_type_id": ticket, "is_active": True, "conditions": asked}
    for number, (ticket, asked) in enumerate(
        (
            # E32: everybody travels privately, those who work there on duty, too.
            (1, {"holder_kinds": ["EMPLOYEE"], "yearly_fee_paid": True, "min_employment_percentage": 50}),
            (1, {"holder_kinds": ["EMPLOYEE"], "product_id": 2}),
            (1, {"holder_kinds": ["PENSIONER"], "includes_leave": True}),
            (1, {"holder_kinds": ["FAMILY_MEMBER"], "family_relations": ["SAMBOER"], "yearly_fee_paid": True}),
            (1, {"holder_kinds": ["FAMILY_MEMBER"], "family_relations": ["BARN"], "max_age": 17}),
            (2, {"holder_kinds": ["EMPLOYEE"], "employment_types": ["FAST"]}),
            (2, {"holder_kinds": ["EMPLOYEE"], "employment_types": ["DELTID"], "includes_leave": True}),
            (3, {"holder_kinds": ["EMPLOYEE", "PENSIONER", "FAMILY_MEMBER"], "min_age": 67}),
            (3, {"holder_kinds": ["EMPLOYEE", "PENSIONER"], "min_disability_grade": 50}),
            (3, {"holder_kinds": ["FAMILY_MEMBER"], "disability_proof_registered": True, "product_id": 1}),
            (4, {"holder_kinds": ["FAMILY_MEMBER"], "min_age": 16, "max_age": 17, "low_income_registered": True}),
            (4, {"holder_kinds": ["FAMILY_MEMBER", "EMPLOYEE"], "min_age": 18, "max_age": 18}),
        ),
        start=1,
    )
)

PARTNER: Raw = {
    "id": 1,
    "relation": "SAMBOER",
    "born": date(1984, 1, 1),
    "abstains": False,
    "is_deleted": False,
    "low_income": [],
}
KARI: Raw = {
    "id": 1,
    "employment_type": "FAST",
    "percentage": 100,
    "born": date(1985, 7, 9),
    "hired": date(2001, 5, 1),
    "left": None,
    "leave_from": None,
    "abstains": False,
    "is_deleted": False,
    "disability_grade": 0,
    "disabled_from": None,
    "products": {},
    "paid_fees": [2026],
    "disability_proofs": [],
    "family": [PARTNER],
}
"""She has rights to PRIVAT, by rule 1, and TJENESTE, by rule 6; her partner to PRIVAT, by rule 4."""


@cache
def households(number: int = 200, seed: int = 7) -> tuple[Raw, ...]:
    """So many employees, with keys from 1 on, each with up to three family members."""
    draw = Random(seed)
    members = iter(range(1, 10 * number))
    return tuple(household(draw, key, members) for key in range(1, number + 1))


def household(draw: Random, key: int, members: Any) -> Raw:
    maybe = (None, None, *BORDERS)
    grade = draw.choice((0, 0, 49, 50, 100))
    return {
        "id": key,
        "employment_type": draw.choice(TYPES),
        "percentage": draw.choice((0, 49, 50, 100)),
        "born": draw.choice(BIRTHS[:7]),
        "hired": draw.choice((date(2001, 5, 1), date(2001, 5, 1), *BORDERS)),
        "left": draw.choice(maybe),
        "leave_from": draw.choice((None, *maybe)),
        "abstains": draw.random() < 0.1,
        "is_deleted": draw.random() < 0.1,
        "disability_grade": grade,
        "disabled_from": draw.choice(BORDERS) if grade else None,
        "products": {year: draw.choice((1, 2)) for year in (2026, 2027) if draw.random() < 0.6},
        "paid_fees": years(draw),
        "disability_proofs": years(draw),
        "family": [
            {
                "id": next(members),
                "relation": draw.choice(RELATIONS),
                "born": draw.choice((None, *BIRTHS)),
                "abstains": draw.random() < 0.1,
                "is_deleted": draw.random() < 0.1,
                "low_income": years(draw),
            }
            for _ in range(draw.randint(0, 3))
        ],
    }


def years(draw: Random) -> list[int]:
    return [year for year in (2025, 2026, 2027) if draw.random() < 0.6]


def facts(raw: Mapping[str, Any]) -> EmployeeFacts:
    """A household as the code under test takes it. A holder's key is that of the row that `store` makes."""
    values: Raw = {**raw, "is_pensioner": raw["employment_type"] == "PENSJONIST", "holder_id": employee_holder(raw)}
    values |= {name: frozenset(raw[name]) for name in ("paid_fees", "disability_proofs")}
    values["family"] = [
        MemberFacts(**{**each, "low_income": frozenset(each["low_income"]), "holder_id": member_holder(each)})
        for each in raw["family"]
    ]
    return EmployeeFacts(**values)


def employee_holder(raw: Mapping[str, Any]) -> int:
    return 10_000 + int(raw["id"])


def member_holder(raw: Mapping[str, Any]) -> int:
    return 20_000 + int(raw["id"])


def rules() -> list[Rule]:
    return [Rule(raw["id"], 1, raw["ticket_type_id"], Conditions.of(raw["conditions"])) for raw in RULES]


@cache
def expected(key: int, member: int | None, year: int) -> tuple[tuple[int, int, date, date], ...]:
    """What the plain implementation gives a person of `households()` in a year."""
    raw = households()[key - 1]
    person = None if member is None else next(each for each in raw["family"] if each["id"] == member)
    return tuple(plain_eligibility.rights_of_year(raw, person, year, RULES, [*TICKETS]))


async def store_codes(database: Database) -> None:
    """The codes, ticket types, products, rules and two companies, of organisations 1 and 2."""
    changes = {"created_at": MOMENT, "changed_at": MOMENT}
    types = [{"code": code, "is_pensioner": code == "PENSJONIST", **changes} for code in TYPES]
    await inserted(database, codes.EmploymentType, *types)
    await inserted(database, codes.FamilyRelation, *({"code": code, **changes} for code in RELATIONS))
    # Keys are given out from 1 on: rows that are inserted later must get other ones.
    await inserted(database, codes.TicketType, *({"code": code, **changes} for code in TICKETS.values()))
    product = {"valid_from": date(2020, 1, 1), **changes}
    await inserted(database, codes.Product, *({"name": name, **product} for name in PRODUCTS.values()))
    values = ({name: value for name, value in rule.items() if name != "id"} for rule in RULES)
    await inserted(database, rights.SimpleRule, *({**rule, **changes} for rule in values))
    companies = ((COMPANY, 1), (OTHER_COMPANY, 2))
    await inserted(
        database,
        personnel.Company,
        *({"id": key, "organisation_id": of, "name": f"Company {key}", **changes} for key, of in companies),
    )


async def store(database: Database, *each: Raw, company: int = COMPANY) -> None:
    """The households, as employees of a company, with their families, and a row as holder of rights for each person."""
    employees = [employee_values(raw, company) for raw in each]
    imported = [{name: value for name, value in raw.items() if name != "customer_number"} for raw in employees]
    await inserted(database, personnel.ImportedEmployee, *imported)
    await inserted(database, personnel.Employee, *employees)
    members = [(raw, member) for raw in each for member in raw["family"]]
    await inserted(database, personnel.FamilyMember, *(member_values(raw, member) for raw, member in members))
    holders = [{"id": employee_holder(raw), "employee_id": raw["id"], "family_member_id": None} for raw in each]
    holders += [
        {"id": member_holder(member), "employee_id": raw["id"], "family_member_id": member["id"]}
        for raw, member in members
    ]
    coded = ({**holder, "ticket_holder_code": f"code-{holder['id']}"} for holder in holders)
    await inserted(database, rights.TicketRightsHolder, *coded)
    for row, name, flag in (
        (personnel.EmployeeYearlyFee, "paid_fees", "is_paid"),
        (personnel.EmployeeDisabilityProof, "disability_proofs", "is_registered"),
    ):
        values = [
            {"employee_id": raw["id"], "year": year, flag: year in raw[name]} for raw in each for year in (2026, 2027)
        ]
        await inserted(database, row, *values)
    chosen = [
        {"employee_id": raw["id"], "year": year, "product_id": product}
        for raw in each
        for year, product in raw["products"].items()
    ]
    await inserted(database, personnel.EmployeeCategory, *chosen)
    incomes = [
        {"family_member_id": member["id"], "year": year, "is_registered": True}
        for _, member in members
        for year in member["low_income"]
    ]
    await inserted(database, personnel.FamilyMemberLowIncome, *incomes)


def employee_values(raw: Raw, company: int) -> Raw:
    return {
        "id": raw["id"],
        "company_id": company,
        "first_name": "Kari",
        "surname": f"Nordmann {raw['id']}",
        "employee_no": str(raw["id"]),
        "date_of_birth": raw["born"],
        "employment_type_id": raw["employment_type"],
        "employment_percentage": raw["percentage"],
        "paid_percentage": raw["percentage"],
        "hire_start_date": raw["hired"],
        "hire_end_date": raw["left"],
        "leave_from_date": raw["leave_from"],
        "abstain_from_ticket": raw["abstains"],
        "is_deleted": raw["is_deleted"],
        "disability_grade": raw["disability_grade"],
        "disability_from_date": raw["disabled_from"],
        "created_at": MOMENT,
        "created_by": "hr",
        "last_update": MOMENT,
        "source_last_update": "hr",
    }


def member_values(raw: Raw, member: Raw) -> Raw:
    return {
        "id": member["id"],
        "employee_id": raw["id"],
        "relation_code": member["relation"],
        "first_name": "Ola",
        "surname": "Nordmann",
        "date_of_birth": member["born"],
        "abstain_from_ticket": member["abstains"],
        "is_deleted": member["is_deleted"],
        "created_at": MOMENT,
        "created_by": "hr",
        "updated_at": MOMENT,
        "updated_by": "hr",
    }
