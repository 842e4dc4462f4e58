"""The employees of the demo data with their families and ticket rights: made up, believable, the same for a seed.

Employee `index` of a seed depends on the seed and the index alone, and on how many customers there are: some employees
are customers with a personnel ticket profile, and have their name. Rights are what the rules give (see `Granting`), in
`YEARS`. Nothing depends on the clock: see `draw.REFERENCE_DAY`.

The first employee is `datastore.demo.personnel_showcase`. Of 100 employees about 72 work for the first company of
`personnel_codes.COMPANIES`, and 11 are pensioners.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import blake2b
from typing import Any, NamedTuple

from datastore.demo import people, personnel_showcase
from datastore.demo.draw import REFERENCE, REFERENCE_DAY, Draw
from datastore.demo.names import COMMON_FIRST_NAMES, full_name
from datastore.demo.numbers import SHOWCASE
from datastore.demo.personnel_codes import COMPANIES, NORDIC, NORWAY, STATIONS, Codes, DemoCompany
from datastore.demo.personnel_rows import (
    FIRST_NUMBER,
    SOURCE,
    TABLES,
    TAXED,
    YEARS,
    Grant,
    Granting,
    Making,
    add_employee,
    add_fip_order,
    add_member,
    add_rights,
    add_section_order,
    add_years,
    holder_row,
    moment_of,
    ssn,
)
from datastore.demo.places import POST_CODES, STREETS
from datastore.demo.relations import FIRST_DAY, Row
from datastore.employee.facts import EmployeeFacts, MemberFacts

LARGEST = 30_000
"""So many employees at most go with customers, unless more are asked for: the railways have no more."""

NOTES = (
    "Lokfører, stasjonert i Trondheim.",
    "Ønsker brev fremfor e-post.",
    "Har hatt permisjon for studier.",
    "Hovedtillitsvalgt.",
)
SPOUSES = ("EKTEFELLE", "EKTEFELLE", "EKTEFELLE", "SAMBOER", "SAMBOER")
CHILDREN = (*("BARN",) * 12, "FOSTERBARN")
EMPLOYED = (*("FAST",) * 14, "MIDLERTIDIG", "MIDLERTIDIG", "VIKAR", "LÆRLING")
RETIRED = ("PENSJONIST", "PENSJONIST", "PENSJONIST", "AFP", "UFØR")
PERCENTAGES = (*(100,) * 10, 80, 80, 60, 50, 50, 40, 20, 10)


@dataclass(frozen=True, slots=True)
class Personnel:
    """How many employees to make, and how rights are found."""

    employees: int
    granting: Granting


def beside(customers: int, granting: Granting, employees: int | None = None) -> Personnel:
    """So many employees; by default three to two customers, but at most `LARGEST`."""
    return Personnel(min(max(1, customers * 3 // 2), LARGEST) if employees is None else employees, granting)


class Person(NamedTuple):
    """Who an employee is; `customer_number` is that of the customer, if there is one."""

    first_name: str
    surname: str
    born: date | None = None
    customer_number: int | None = None


def employees_of(
    count: int,
    customers: int,
    seed: int,
    codes: Codes,
    granting: Granting,
    *,
    batch_size: int = 1000,
    highest_keys: Mapping[str, int] | None = None,
) -> Iterator[people.Batch]:
    """Employees 0 to `count` - 1 of a seed with so many customers, in batches (whose `customers` are employees).

    Keys count on from `highest_keys`, the highest key of each table that is in the database already.
    """
    making = Making({table: (highest_keys or {}).get(table, 0) for table in TABLES})
    grant = granting(codes.rules)
    for start in range(0, count, batch_size):
        making.rows = {table: [] for table in TABLES}
        batch = people.Batch(min(batch_size, count - start), making.rows)
        for index in range(start, start + batch.customers):
            if index == 0:
                personnel_showcase.add(making, seed, codes, grant)
            else:
                Household(making, seed, index, customers, codes, grant).add()
        yield batch


def _lot(seed: int, index: int) -> int:
    return int.from_bytes(blake2b(b"%d:%d:employee" % (seed, index), digest_size=8).digest(), "little")


def company_of(seed: int, index: int, organisation_id: int | None = None) -> int:
    """Where in `COMPANIES` that of an employee stands; one of that organisation, if it is given."""
    among = [place for place, each in enumerate(COMPANIES) if organisation_id in (None, each.organisation_id)]
    lot = _lot(seed, index) % sum(COMPANIES[place].share for place in among)
    for place in among:
        lot -= COMPANIES[place].share
        if lot < 0:
            return place
    raise AssertionError("the lot is below the sum of the shares")


def customer_of(index: int, customers: int) -> int | None:
    """The index of the customer that an employee is, if that one has a personnel ticket: of three, two may be one."""
    customer, rest = divmod(index * 2, 3)
    is_first = rest != 2
    return customer if is_first and SHOWCASE.stop <= customer < customers else None


class Household:
    """Employee `index` of a seed with the family, being made. `draw` has the lots."""

    def __init__(self, making: Making, seed: int, index: int, customers: int, codes: Codes, grant: Grant) -> None:
        self.making, self.codes, self.grant = making, codes, grant
        self.seed, self.index = seed, index
        self.draw = Draw(f"{seed}:employee:{index}")
        self.person, organisation_id = self._person(customers)
        place = company_of(seed, index, organisation_id)
        self.company: DemoCompany = COMPANIES[place]
        self.company_id = codes.companies[place]

    def _person(self, customers: int) -> tuple[Person, int | None]:
        """Who it is; with the organisation of the customer, if it is one."""
        customer = customer_of(self.index, customers)
        if customer is not None and people.traits(self.seed, customer)[1] is people.Role.PERSONNEL:
            row = people.customer_row(self.seed, customer)
            born = row["date_of_birth"]
            if born is None or date(1940, 1, 1) <= born <= date(2003, 1, 1):
                person = Person(row["first_name"], row["surname"], born, row["customer_number"])
                return person, row["organisation_id"]
        return Person(*full_name(self.draw, "NOR")), None

    def add(self) -> None:
        """Add the rows of all."""
        draw = self.draw
        is_retired = draw.chance(0.11) if self.person.born is None else self.person.born.year < 1959
        is_retired = is_retired and not self.company.is_deleted
        born = self.person.born or (
            draw.day(date(1938, 1, 1), date(1960, 12, 31))
            if is_retired
            else draw.day(date(1960, 1, 1), date(2004, 12, 31))
        )
        employment = self._employment(born, is_retired)
        key = add_employee(self.making, employment, self.company.prefix, self.person.customer_number)
        holder = self.making.add("ticket_rights_holder", holder_row(draw, key))
        years = self._years(key, employment["disability_grade"])
        family = [*self._spouse(key, born), *self._children(key, born)]
        facts = EmployeeFacts(
            id=key,
            employment_type=employment["employment_type_id"],
            is_pensioner=employment["employment_type_id"] in self.codes.pensioners,
            percentage=employment["employment_percentage"],
            born=born,
            hired=employment["hire_start_date"],
            left=employment["hire_end_date"],
            leave_from=employment["leave_from_date"],
            abstains=employment["abstain_from_ticket"],
            is_deleted=employment["is_deleted"],
            disability_grade=employment["disability_grade"],
            disabled_from=employment["disability_from_date"],
            holder_id=holder,
            family=family,
            **years,
        )
        if not self.company.is_deleted:
            add_rights(self.making, draw, facts, self.grant, self.person.customer_number is not None)
        self._orders(facts)
        self._tax_savings(facts)

    def _employment(self, born: date, is_retired: bool) -> Row:
        """What the personnel department says."""
        draw = self.draw
        adult = date(born.year + 19, 1, 1)
        last = min(date(2012, 12, 31), born.replace(year=born.year + 55, day=1)) if is_retired else date(2026, 9, 30)
        hired = max(adult, draw.day(date(1985, 1, 1), last)) if not is_retired else draw.day(adult, last)
        left, cause = None, None
        if is_retired:
            left, cause = max(hired, draw.day(date(2013, 1, 1), date(2026, 6, 30))), "PENSJON"
        elif self.company.is_deleted:
            left, cause = max(hired, draw.day(date(2018, 1, 1), date(2019, 12, 31))), "OVERFØRT"
        elif draw.chance(0.06):
            left = max(hired, draw.day(date(2023, 1, 1), date(2026, 10, 31)))
            cause = draw.pick(("OPPSIGELSE", "OPPSIGELSE", "AVTALESLUTT", "OVERFØRT", "DØD"))
        kind = draw.pick(RETIRED if is_retired else EMPLOYED)
        percentage = 0 if is_retired else draw.pick(PERCENTAGES)
        is_disabled = draw.chance(0.03)
        created = min(draw.moment(max(FIRST_DAY, moment_of(hired))), REFERENCE)
        post_code, _town = draw.pick(POST_CODES)
        return {
            "company_id": self.company_id,
            "first_name": self.person.first_name,
            "surname": self.person.surname,
            "employee_no": str(FIRST_NUMBER + self.index),
            "date_of_birth": born,
            "ssn": ssn(draw, born),
            "postal_code": post_code,
            "address_line": f"{draw.pick(STREETS)} {1 + draw.below(120)}",
            "employment_type_id": kind,
            "employment_percentage": percentage,
            "employment_percentage_date": hired if draw.chance(0.5) else None,
            "paid_percentage": percentage,
            "pay_type": "PENSJON" if is_retired else "TIME" if kind == "VIKAR" else "MÅNED",
            "hire_start_date": hired,
            "hire_end_date": left,
            "hire_end_cause": cause,
            "leave_from_date": draw.day(date(2025, 6, 1), date(2026, 9, 30)) if draw.chance(0.03) else None,
            "abstain_from_ticket": draw.chance(0.03),
            "disability_grade": draw.pick((20, 40, 50, 60, 100)) if is_disabled else 0,
            "disability_from_date": draw.day(date(2015, 1, 1), date(2026, 6, 30)) if is_disabled else None,
            "note": draw.pick(NOTES) if draw.chance(0.05) else None,
            "is_deleted": draw.chance(0.015),
            "created_at": created,
            "created_by": SOURCE,
            "last_update": draw.moment(created),
            "source_last_update": SOURCE if draw.chance(0.8) else "hr.skjema",
        }

    def _years(self, employee: int, grade: int) -> dict[str, Any]:
        """What is registered of an employee for years."""
        draw = self.draw
        pays, goes_abroad = draw.chance(0.95), draw.chance(0.15)
        paid = {year: pays and draw.chance(0.98) for year in YEARS if draw.chance(0.99)}
        proofs = {year: draw.chance(0.8) for year in YEARS if grade >= 50 and draw.chance(0.9)}
        products = {year: NORDIC if goes_abroad else NORWAY for year in YEARS if draw.chance(0.99)}
        return add_years(self.making, self.codes, employee, paid, proofs, products)

    def _spouse(self, employee: int, born: date) -> list[MemberFacts]:
        draw = self.draw
        if not draw.chance(0.6):
            return []
        near = born + timedelta(days=draw.below(3650) - 1825)
        surname = self.person.surname if draw.chance(0.6) else full_name(draw, "NOR")[1]
        first_name = full_name(draw, "NOR")[0]
        member = {"relation_code": draw.pick(SPOUSES), "first_name": first_name, "surname": surname}
        return [self._member(employee, member, min(near, date(2007, 1, 1)))]

    def _children(self, employee: int, born: date) -> list[MemberFacts]:
        draw = self.draw
        found = []
        for _ in range(draw.how_many(0.4, 0.2, 0.25)):
            child = born.replace(year=born.year + 23 + draw.below(16), day=1 + draw.below(28))
            first_name = draw.pick(draw.pick(COMMON_FIRST_NAMES))
            if date(2000, 1, 1) <= child < REFERENCE_DAY:
                member = {"relation_code": draw.pick(CHILDREN), "first_name": first_name}
                found.append(self._member(employee, {**member, "surname": self.person.surname}, child))
        return found

    def _member(self, employee: int, values: Row, born: date) -> MemberFacts:
        draw = self.draw
        is_known = not draw.chance(0.02)
        created = draw.moment(max(FIRST_DAY, moment_of(born)))
        is_young = values["relation_code"] in CHILDREN and born.year <= REFERENCE_DAY.year - 17
        incomes = {year: draw.chance(0.9) for year in YEARS if is_young and draw.chance(0.5)}
        member = {
            **values,
            "employee_id": employee,
            "date_of_birth": born if is_known else None,
            "ssn": ssn(draw, born) if is_known else None,
            "abstain_from_ticket": draw.chance(0.03),
            "is_deleted": draw.chance(0.02),
            "created_at": created,
            "created_by": SOURCE,
            "updated_at": draw.moment(created),
            "updated_by": SOURCE,
        }
        return add_member(self.making, draw, member, incomes)

    def _orders(self, facts: EmployeeFacts) -> None:
        """None or one ticket ordered by hand: mostly for travelling abroad, else between two stations."""
        draw = self.draw
        if not draw.chance(0.06) or self.company.is_deleted or facts.left or facts.is_deleted or facts.abstains:
            return
        issued = draw.day(date(2025, 7, 1), date(2026, 1, 1))
        if draw.chance(0.7):
            add_fip_order(self.making, self.codes, draw, facts, issued)
            return
        start = draw.day(date(2026, 1, 2), date(2026, 6, 30))
        stations = draw.several(STATIONS, 2)
        add_section_order(self.making, self.codes, facts, None, issued, start, [place["id"] for place in stations])

    def _tax_savings(self, facts: EmployeeFacts) -> None:
        draw = self.draw
        if self.company.is_deleted or facts.is_deleted or facts.left or facts.hired > date(2025, 9, 1):
            return
        for year, month in TAXED:
            amount = None if draw.chance(0.02) else draw.below(150_000)
            self.making.add("tax_saving", {"employee_id": facts.id, "year": year, "month": month, "amount": amount})
