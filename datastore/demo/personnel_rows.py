"""How the rows of an employee of the demo data are made, with the family, what is registered for years, and rights."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy.sql.schema import ScalarElementColumnDefault

from datastore.base import Base
from datastore.demo.draw import REFERENCE, REFERENCE_DAY, Draw
from datastore.demo.names import name_key
from datastore.demo.personnel_codes import FIP, SECTION, Codes
from datastore.demo.relations import Row
from datastore.employee.facts import EmployeeFacts, MemberFacts
from datastore.employee.rights import SimpleRule

YEARS = (2025, 2026, 2027)
"""The years for which fees, products and the like are registered, and rights are given."""
FIRST_NUMBER = 10_001
TAXED = ((2025, 10), (2025, 11), (2025, 12))
"""The months of which tax savings are known."""

TABLES = (
    "imported_employee",
    "employee",
    "family_member",
    "ticket_rights_holder",
    "employee_yearly_fee",
    "employee_disability_proof",
    "employee_category",
    "family_member_low_income",
    "manual_order",
    "station_pair",
    "ticket_right",
    "tax_saving",
)
"""The tables that batches have rows of, those that others refer to first."""

Grant = Callable[[EmployeeFacts, int], Sequence[Row]]
"""The rights of an employee and the family in a year: what `ticket_right` has of them when they are calculated."""
Granting = Callable[[Sequence[SimpleRule]], Grant]
"""Rules -> what they give."""

SOURCE = "hr.import"
CODE_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
FIP_KINDS = ("FIP-KUPONG", "FIP-50", "FIP-GLOBAL")
ERRORS = ("Billettsystemet svarte ikke.", "Ukjent billettype i billettsystemet.")

_FIRST_WEIGHTS, _SECOND_WEIGHTS = (3, 7, 6, 1, 8, 9, 4, 5, 2), (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)


@dataclass(slots=True)
class Making:
    """Rows being made: each has the key after the highest one of its table, and every column of it."""

    highest: dict[str, int]
    rows: dict[str, list[Row]] = field(default_factory=dict)

    def add(self, table: str, values: Row) -> int:
        """Add a row, with what a new one has where nothing is said. Answers its key."""
        row = {**_blank(table), **values}
        if "id" not in values:
            self.highest[table] += 1
            row["id"] = self.highest[table]
        self.rows[table].append(row)
        key: int = row["id"]
        return key


@lru_cache
def _blank(table: str) -> Mapping[str, Any]:
    """What the columns of a table have by default, null where they have none."""
    found: dict[str, Any] = {}
    for column in Base.metadata.tables[table].columns:
        found[column.name] = column.default.arg if isinstance(column.default, ScalarElementColumnDefault) else None
    return {**found, "version": 1} if "version" in found else found


def moment_of(day: date) -> datetime:
    return datetime.combine(day, REFERENCE.timetz())


def ssn(draw: Draw, born: date) -> str:
    """The last five digits of a synthetic identity number (rule F02: month + 80), with valid check digits (F01)."""
    head = f"{born.day:02d}{born.month + 80:02d}{born.year % 100:02d}"
    first, start = 0 if born.year < 2000 else 500, draw.below(500)
    for step in range(500):
        digits = f"{head}{first + (start + step) % 500:03d}"
        one = _check_digit(digits, _FIRST_WEIGHTS)
        two = _check_digit(f"{digits}{one}", _SECOND_WEIGHTS)
        if one < 10 and two < 10:
            return f"{digits[6:]}{one}{two}"
    raise AssertionError("no identity number without a check digit of 10")


def _check_digit(digits: str, weights: Sequence[int]) -> int:
    return -sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False)) % 11


def holder_row(draw: Draw, employee: int, family_member: int | None = None, code: str | None = None) -> Row:
    """A person as a holder of rights, with a code that cannot be guessed (rule E21)."""
    letters = "".join(draw.pick(CODE_LETTERS) for _ in range(15))
    made = "-".join(letters[start : start + 5] for start in (0, 5, 10))
    return {"employee_id": employee, "family_member_id": family_member, "ticket_holder_code": code or made}


def add_employee(making: Making, employment: Row, prefix: str | None, customer_number: int | None) -> int:
    """Add the imported employee and the one made of it, with the prefix (rule E11). Answers their key."""
    key = making.add("imported_employee", {**employment, "note": None})
    made = {
        "id": key,
        "employee_no": f"{prefix or ''}{employment['employee_no']}",
        "surname_key": name_key(employment["surname"]),
        "customer_number": customer_number,
    }
    return making.add("employee", {**employment, **made})


def add_years(
    making: Making,
    codes: Codes,
    employee: int,
    paid: Mapping[int, bool],
    proofs: Mapping[int, bool],
    products: Mapping[int, str],
) -> dict[str, Any]:
    """Add what is registered of an employee for years. Answers it as facts."""
    for table, name, values in (
        ("employee_yearly_fee", "is_paid", paid),
        ("employee_disability_proof", "is_registered", proofs),
        ("employee_category", "product_id", {year: codes.products[name] for year, name in products.items()}),
    ):
        for year, value in values.items():
            making.add(table, {"employee_id": employee, "year": year, name: value})
    return {
        "products": {year: codes.products[name] for year, name in products.items()},
        "paid_fees": frozenset(year for year, is_so in paid.items() if is_so),
        "disability_proofs": frozenset(year for year, is_so in proofs.items() if is_so),
    }


def add_member(
    making: Making, draw: Draw, member: Row, incomes: Mapping[int, bool], code: str | None = None
) -> MemberFacts:
    """Add a member of a family. Answers it as facts."""
    key = making.add("family_member", member)
    holder = making.add("ticket_rights_holder", holder_row(draw, member["employee_id"], key, code))
    for year, is_low in incomes.items():
        making.add("family_member_low_income", {"family_member_id": key, "year": year, "is_registered": is_low})
    return MemberFacts(
        id=key,
        relation=member["relation_code"],
        born=member["date_of_birth"],
        abstains=member["abstain_from_ticket"],
        is_deleted=member["is_deleted"],
        holder_id=holder,
        low_income=frozenset(year for year, is_low in incomes.items() if is_low),
    )


def add_rights(making: Making, draw: Draw, facts: EmployeeFacts, grant: Grant, is_customer: bool) -> None:
    """Add the rights that the rules give an employee and the family, those of this year and before mostly sent on to
    other systems (rule E34)."""
    for year in YEARS:
        for right in grant(facts, year):
            making.add("ticket_right", {**right, **_sent(draw, year, is_customer)})


def _sent(draw: Draw, year: int, is_customer: bool) -> Row:
    lot, moment = draw.random(), draw.moment(datetime(2025, 12, 20, tzinfo=REFERENCE.tzinfo))
    if year > REFERENCE_DAY.year:
        return {"ticket_is_ready_to_sync": lot < 0.5}
    status: Row = {"ticket_is_ready_to_sync": lot < 0.97, "customer_is_ready_to_sync": is_customer}
    if lot < 0.9:
        status["ticket_sync_timestamp"] = moment
    elif lot < 0.94:
        status["ticket_error_message"] = draw.pick(ERRORS)
    if is_customer and lot < 0.95:
        status["customer_sync_timestamp"] = moment
    return status


def _order(facts: EmployeeFacts, member: int | None, issued: date, first: date, last: date) -> Row:
    moment = moment_of(issued)
    return {
        "employee_id": facts.id,
        "family_member_id": member,
        "from_date": first,
        "to_date": last,
        "issue_date": issued,
        "created_at": moment,
        "changed_at": moment,
    }


def add_fip_order(making: Making, codes: Codes, draw: Draw, facts: EmployeeFacts, issued: date) -> None:
    """Add the order of a ticket for abroad, which gives no right here (rule E42)."""
    fip = {
        "ticket_type_id": codes.ticket_types[FIP],
        "ticket_no": f"FIP{draw.digits(7)}",
        "travel_type_id": codes.travel_types[draw.pick(("PRIVAT", "PRIVAT", "PRIVAT", "TJENESTE"))],
        "fip_ticket_type_id": codes.fip_ticket_types[draw.pick(FIP_KINDS)],
    }
    making.add("manual_order", {**_order(facts, None, issued, issued, issued + timedelta(days=89)), **fip})


def add_section_order(
    making: Making,
    codes: Codes,
    facts: EmployeeFacts,
    member: MemberFacts | None,
    issued: date,
    first: date,
    stations: Sequence[str],
) -> None:
    """Add the order of a ticket between two stations for 30 days, and the right that it gives (E41 to E43)."""
    person = member or facts
    key = member.id if member else None
    ordered = _order(facts, key, issued, first, first + timedelta(days=29))
    order = making.add("manual_order", {**ordered, "ticket_type_id": codes.ticket_types[SECTION]})
    pair = {"from_station_id": stations[0], "to_station_id": stations[1]}
    making.add("station_pair", {"manual_order_id": order, **pair})
    right = {
        "employee_id": facts.id,
        "family_member_id": key,
        "ticket_holder_id": person.holder_id,
        "ticket_type_id": codes.ticket_types[SECTION],
        "manual_order_id": order,
        "valid_from": first,
        "valid_until": first + timedelta(days=30),
        "calculation_timestamp": moment_of(issued),
    }
    making.add("ticket_right", {**right, "ticket_is_ready_to_sync": True})
