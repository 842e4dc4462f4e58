"""The first employee of the demo data: fixed, so that README, examples and tests can name her.

In a database with nothing else, she is employee 1, Kari Nordmann, of company 101, Nordbanen Persontog AS: number 10001,
in full employment since 2012, with the product for Norway, and the fee of every year paid. Her personnel ticket profile
is customer 1000000002, which is merged into 1000000001. Her holder code is `KARI2-NRDMN-DEMA2`. She has the rights
NO-PRIVAT-SØLV and NO-TJENESTE in each year, a FIP ticket that was issued in December 2025, and tax savings of the last
months of 2025. Her family:

- family member 1, Ola Nordmann, her husband: the right NO-PRIVAT-BRONSE in each year, and NO-STREKNING from 15 June to
  15 July 2026 between Oslo S and Lillehammer, ordered by hand;
- family member 2, Nora, born in 2013: the right NO-PRIVAT-BRONSE in each year;
- family member 3, Jonas, born in 2005: the same right in 2026 alone, the year for which his low income is registered.

With another seed she has that seed's numbers and codes, and is the same otherwise.
"""

from datetime import UTC, date, datetime

from datastore.demo.draw import Draw
from datastore.demo.numbers import DEFAULT_SEED, customer_number
from datastore.demo.personnel_codes import COMPANIES, NORWAY, STATIONS, Codes
from datastore.demo.personnel_rows import (
    FIRST_NUMBER,
    SOURCE,
    TAXED,
    YEARS,
    Grant,
    Making,
    add_employee,
    add_fip_order,
    add_member,
    add_rights,
    add_section_order,
    add_years,
    holder_row,
    ssn,
)
from datastore.demo.relations import Row
from datastore.employee.facts import EmployeeFacts

BORN, HIRED = date(1986, 10, 15), date(2012, 8, 15)
CODES = ("KARI2-NRDMN-DEMA2", "QLA22-NRDMN-DEMA2", "NQRA2-NRDMN-DEMA2", "JQNAS-NRDMN-DEMA2")
CREATED = datetime(2019, 5, 17, 8, 30, tzinfo=UTC)
CHANGED = datetime(2025, 11, 3, 14, 15, 30, 250_000, tzinfo=UTC)


def add(making: Making, seed: int, codes: Codes, grant: Grant) -> None:
    """Add Kari Nordmann, her family, and all that belongs to them."""
    draw = Draw(f"{seed}:employee:0")
    holder_codes = CODES if seed == DEFAULT_SEED else (None,) * len(CODES)
    employment = _employment(draw, codes.companies[0])
    key = add_employee(making, employment, COMPANIES[0].prefix, customer_number(seed, 1))
    holder = making.add("ticket_rights_holder", holder_row(draw, key, code=holder_codes[0]))
    years = add_years(making, codes, key, dict.fromkeys(YEARS, True), {}, dict.fromkeys(YEARS, NORWAY))
    family = [
        add_member(making, draw, _member(draw, key, *who), incomes, code)
        for who, incomes, code in zip(
            (
                ("EKTEFELLE", "Ola", date(1984, 3, 2)),
                ("BARN", "Nora", date(2013, 6, 21)),
                ("BARN", "Jonas", date(2005, 2, 11)),
            ),
            ({}, {}, {2026: True}),
            holder_codes[1:],
            strict=True,
        )
    ]
    facts = EmployeeFacts(
        id=key,
        employment_type="FAST",
        is_pensioner=False,
        percentage=100,
        born=BORN,
        hired=HIRED,
        left=None,
        leave_from=None,
        abstains=False,
        is_deleted=False,
        disability_grade=0,
        disabled_from=None,
        holder_id=holder,
        family=family,
        **years,
    )
    add_rights(making, draw, facts, grant, is_customer=True)
    add_fip_order(making, codes, draw, facts, date(2025, 12, 8))
    stations = [STATIONS[place]["id"] for place in (0, 4)]
    add_section_order(making, codes, facts, family[0], date(2025, 12, 30), date(2026, 6, 15), stations)
    for (year, month), amount in zip(TAXED, (48_900, 0, 129_950), strict=True):
        making.add("tax_saving", {"employee_id": key, "year": year, "month": month, "amount": amount})


def _employment(draw: Draw, company: int) -> Row:
    return {
        "company_id": company,
        "first_name": "Kari",
        "surname": "Nordmann",
        "employee_no": str(FIRST_NUMBER),
        "date_of_birth": BORN,
        "ssn": ssn(draw, BORN),
        "postal_code": "0155",
        "address_line": "Storgata 1",
        "employment_type_id": "FAST",
        "employment_percentage": 100,
        "employment_percentage_date": HIRED,
        "paid_percentage": 100,
        "pay_type": "MÅNED",
        "hire_start_date": HIRED,
        "hire_end_date": None,
        "hire_end_cause": None,
        "leave_from_date": None,
        "abstain_from_ticket": False,
        "disability_grade": 0,
        "disability_from_date": None,
        "note": "Konduktør, stasjonert i Oslo.",
        "is_deleted": False,
        "created_at": CREATED,
        "created_by": SOURCE,
        "last_update": CHANGED,
        "source_last_update": SOURCE,
    }


def _member(draw: Draw, employee: int, relation: str, first_name: str, born: date) -> Row:
    return {
        "employee_id": employee,
        "relation_code": relation,
        "first_name": first_name,
        "surname": "Nordmann",
        "date_of_birth": born,
        "ssn": ssn(draw, born),
        "abstain_from_ticket": False,
        "is_deleted": False,
        "created_at": CREATED,
        "created_by": SOURCE,
        "updated_at": CHANGED,
        "updated_by": SOURCE,
    }
