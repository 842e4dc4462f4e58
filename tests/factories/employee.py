"""Builders of stored personnel: code lists, companies, employees with families, ticket rights.

Each inserts one row, or one with what it is never without, and returns it as a record; a keyword sets a column to
another value than the docstring says.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any

from datastore.database import Database
from datastore.employee import codes, personnel, rights
from datastore.text import stored_key
from tests.factories.customer import CHANGES, MOMENT, ORGANISATION, Values, inserted

YEAR_START, YEAR_END = date(2026, 1, 1), date(2027, 1, 1)
SSN = "95088"
"""With a birth on 15 October 1986 a valid identity number."""


async def a_code(database: Database, row: Any, code: str, **values: Any) -> Any:
    """A code of a list: `a_code(database, codes.PayType, "MONTHLY")`. It means "What it means." and is not deleted."""
    return (await inserted(database, row, {"code": code, "description": "What it means.", **CHANGES, **values}))[0]


async def the_codes(database: Database) -> None:
    """The codes that the other builders use: employment types FULL and PENSIONER, pay type MONTHLY, end cause QUIT,
    relations SPOUSE and CHILD."""
    full = {"code": "FULL", "description": "Full time.", "is_pensioner": False, **CHANGES}
    await inserted(database, codes.EmploymentType, full, {**full, "code": "PENSIONER", "is_pensioner": True})
    await a_code(database, codes.PayType, "MONTHLY")
    await a_code(database, codes.EmploymentEndCause, "QUIT")
    await a_code(database, codes.FamilyRelation, "SPOUSE")
    await a_code(database, codes.FamilyRelation, "CHILD")


async def a_ticket_type(database: Database, code: str = "NO2", **values: Any) -> codes.TicketType:
    """Ticket type NO2: the second class in Norway, bronze; made by no order, and without station pairs."""
    given = {"country_code": "NOR", "ticket_right_type": codes.TicketRightType.BRONZE, **values}
    found: codes.TicketType = await a_code(database, codes.TicketType, code, **given)
    return found


async def a_product(database: Database, **values: Any) -> codes.Product:
    """Product "Personnel ticket", valid from 2020 on."""
    product = {"name": "Personnel ticket", "valid_from": date(2020, 1, 1), **CHANGES, **values}
    return (await inserted(database, codes.Product, product))[0]


async def a_postal_place(database: Database, code: str = "0155", **values: Any) -> codes.PostalPlace:
    """0155 Oslo, in Norway."""
    place = {"code": code, "place": "Oslo", "country": "NOR", **CHANGES, **values}
    return (await inserted(database, codes.PostalPlace, place))[0]


async def a_station(database: Database, id: str = "NSR:StopPlace:1", **values: Any) -> codes.Station:
    """Station Oslo S."""
    return (await inserted(database, codes.Station, {"id": id, "name": "Oslo S", **CHANGES, **values}))[0]


async def a_company(database: Database, **values: Any) -> personnel.Company:
    """Company "Togselskapet" of organisation 1, at Storgata 1, 0155 Oslo: no prefix, no e-tickets, no local
    employees."""
    company = {
        "organisation_id": ORGANISATION,
        "name": "Togselskapet",
        "postal_code": "0155",
        "address_line": "Storgata 1",
    }
    return (await inserted(database, personnel.Company, {**company, **CHANGES, **values}))[0]


async def an_employee(database: Database, company: personnel.Company, **values: Any) -> personnel.Employee:
    """As `some_employees` has them."""
    return (await some_employees(database, company, values))[0]


async def some_employees(database: Database, company: personnel.Company, *each: Values) -> list[personnel.Employee]:
    """One employee for each set of values, with the imported one that it was made of and its ticket rights holder.

    Ola Nordmann is in full employment at the company since 2020 and is paid by the month. He was born on 15 October
    1986, with ssn SSN, and lives at Storgata 1, 0155 Oslo. He has not opted out, has no disability, no note and no
    customer number. Employee numbers count from E1 on, the codes of the holders from `aaaa-bbbb-1` on. Needs
    `the_codes`.
    """
    before = len(await database.fetch(personnel.Employee.__table__.select().with_only_columns(personnel.Employee.id)))
    given = [_employment(company, place, values) for place, values in enumerate(each, before + 1)]
    own = {"surname_key", "customer_number"}
    source = [{name: value for name, value in values.items() if name not in own} for values in given]
    row: Any = personnel.ImportedEmployee
    imported = await inserted(database, row, *[_sealed(database, row, values) for values in source])
    row = personnel.Employee
    made = [{**_sealed(database, row, values), "id": same.id} for values, same in zip(given, imported, strict=True)]
    employees = await inserted(database, personnel.Employee, *made)
    holders = [_holder(row.id, None) for row in employees]
    await inserted(database, rights.TicketRightsHolder, *holders)
    return employees


def _employment(company: personnel.Company, place: int, values: Values) -> dict[str, Any]:
    employment = {
        "company_id": company.id,
        "employee_no": f"E{place}",
        "first_name": "Ola",
        "surname": "Nordmann",
        "date_of_birth": date(1986, 10, 15),
        "ssn": SSN,
        "postal_code": "0155",
        "address_line": "Storgata 1",
        "employment_type_id": "FULL",
        "employment_percentage": 100,
        "paid_percentage": 100,
        "pay_type": "MONTHLY",
        "hire_start_date": date(2020, 1, 1),
        "created_at": MOMENT,
        "created_by": "hr",
        "last_update": MOMENT,
        "source_last_update": "hr",
        "note": None,
        **values,
    }
    return {"surname_key": stored_key(employment["surname"]), **employment}


def _holder(employee_id: int, family_member_id: int | None) -> dict[str, Any]:
    code = f"aaaa-bbbb-{employee_id}" if family_member_id is None else f"aaaa-cccc-{family_member_id}"
    return {"employee_id": employee_id, "family_member_id": family_member_id, "ticket_holder_code": code}


async def a_family_member(database: Database, employee: personnel.Employee, **values: Any) -> personnel.FamilyMember:
    """As `some_family_members` has them."""
    return (await some_family_members(database, (employee, values)))[0]


async def some_family_members(
    database: Database, *each: tuple[personnel.Employee, Values]
) -> list[personnel.FamilyMember]:
    """One member of an employee's family for each set of values, with its ticket rights holder.

    Kari Nordmann is the employee's spouse, born on 15 October 1986, with ssn SSN. She has not opted out, and has no
    note and no customer number. The codes of the holders count from `aaaa-cccc-1` on. Needs `the_codes`.
    """
    members = await inserted(database, personnel.FamilyMember, *[_member(database, *given) for given in each])
    await inserted(database, rights.TicketRightsHolder, *[_holder(row.employee_id, row.id) for row in members])
    return members


def _member(database: Database, employee: personnel.Employee, values: Values) -> Values:
    member = {
        "employee_id": employee.id,
        "relation_code": "SPOUSE",
        "first_name": "Kari",
        "surname": "Nordmann",
        "date_of_birth": date(1986, 10, 15),
        "ssn": SSN,
        "note": None,
        "created_at": MOMENT,
        "created_by": "hr",
        "updated_at": MOMENT,
        "updated_by": "hr",
        **values,
    }
    return _sealed(database, personnel.FamilyMember, member)


def _sealed(database: Database, row: Any, values: Values) -> Values:
    sealed = {
        name: database.keys.seal(values[name], getattr(row, name))
        for name in ("ssn", "note")
        if values[name] is not None
    }
    return {**values, **sealed}


async def holder_of(
    database: Database, holder: personnel.Employee | personnel.FamilyMember
) -> rights.TicketRightsHolder:
    """The ticket rights holder that an employee or a family member is."""
    return (await holders_of(database, [holder]))[0]


async def holders_of(
    database: Database, holders: Sequence[personnel.Employee | personnel.FamilyMember]
) -> list[rights.TicketRightsHolder]:
    """The ticket rights holders that these are, in their order."""
    found: list[Any] = list(await database.fetch(rights.TicketRightsHolder.__table__.select()))
    by_person = {(row.employee_id, row.family_member_id): row for row in found}
    return [by_person[_person(each)] for each in holders]


def _person(holder: Any) -> tuple[int, int | None]:
    return (holder.employee_id, holder.id) if hasattr(holder, "relation_code") else (holder.id, None)


async def a_ticket_right(
    database: Database,
    holder: personnel.Employee | personnel.FamilyMember,
    ticket_type: codes.TicketType,
    **values: Any,
) -> rights.TicketRight:
    """The holder has a right to the ticket type in 2026, worked out at MOMENT by no rule: neither ready for another
    system nor sent, and without a note."""
    return (await some_ticket_rights(database, (holder, ticket_type, values)))[0]


async def some_ticket_rights(
    database: Database, *each: tuple[Any, codes.TicketType, Values]
) -> list[rights.TicketRight]:
    """One right for each holder (an employee or a family member), ticket type and set of values; the rest is as
    `a_ticket_right` says."""
    holders = await holders_of(database, [holder for holder, _, _ in each])
    given = [
        {
            "employee_id": stored.employee_id,
            "family_member_id": stored.family_member_id,
            "ticket_holder_id": stored.id,
            "ticket_type_id": ticket_type.id,
            "valid_from": YEAR_START,
            "valid_until": YEAR_END,
            "calculation_timestamp": MOMENT,
            **values,
        }
        for stored, (_, ticket_type, values) in zip(holders, each, strict=True)
    ]
    return await inserted(database, rights.TicketRight, *given)


async def a_manual_order(
    database: Database,
    holder: personnel.Employee | personnel.FamilyMember,
    ticket_type: codes.TicketType,
    **values: Any,
) -> rights.ManualOrder:
    """The holder was given the ticket type for January 2026, on the last day of 2025, by an order without a ticket
    number, and not of a FIP ticket."""
    employee_id, family_member_id = _person(holder)
    order = {
        "employee_id": employee_id,
        "family_member_id": family_member_id,
        "ticket_type_id": ticket_type.id,
        "from_date": date(2026, 1, 1),
        "to_date": date(2026, 1, 31),
        "issue_date": date(2025, 12, 31),
    }
    return (await inserted(database, rights.ManualOrder, {**order, **CHANGES, **values}))[0]


async def a_rule(database: Database, ticket_type: codes.TicketType, **values: Any) -> rights.SimpleRule:
    """The active rule "Employees" gives the ticket type without conditions."""
    rule = {"name": "Employees", "ticket_type_id": ticket_type.id, "conditions": {}, **CHANGES, **values}
    return (await inserted(database, rights.SimpleRule, rule))[0]
