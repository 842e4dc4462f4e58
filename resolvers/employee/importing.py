"""What the personnel department sends of an employee, and the employee that is made of it (rules E01 to E13 and E53).

An import says all of an employee: what is absent is empty, or what it is by default. A patch says what has changed.
"""

import re
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy.orm.attributes import flag_modified
from strawberry.utils.str_converters import to_camel_case

from datastore.employee import changing as statements
from datastore.employee import codes
from datastore.employee import personnel as stored
from datastore.employee.calculation import lock_rights
from datastore.employee.rights import TicketRightsHolder
from datastore.reading import Fetch, within
from datastore.sealing import Keyring
from datastore.writing import Write
from resolvers import formats
from resolvers.carry_out import TAKEN
from resolvers.customer.changing import CHANNEL, same_version
from resolvers.customer.owned import key_in
from resolvers.employee.inputs import ImportEmployeeInput, PatchImportedEmployeeInput
from resolvers.errors import ErrorCode, refuse
from resolvers.given import Format, Problems, checked
from resolvers.oslo import today

SSN_LENGTH = 40
"""Of a text longer than this nobody looks at the digits."""
NUMBER_LENGTH = 50
LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Of the codes of holders: none that could be taken for another one."""
LOCAL = frozenset({"LOCAL", "LOKAL"})
"""The codes, in capitals, of the employment types of local employees (rule E53)."""

FORMATS: Mapping[str, Format] = {"postal_code": lambda text: formats.post_code("NOR", text)}
NEEDED = {"postal_code", "address_line"}
NOT_STORED = {"id", "company_id", "ssn", "note", "preferred_product_id"}
EMPTY: Mapping[str, Any] = {
    "pay_type": None,
    "hire_end_date": None,
    "hire_end_cause": None,
    "leave_from_date": None,
    "paid_percentage": None,
    "disability_grade": 0,
    "disability_from_date": None,
    "abstain_from_ticket": False,
    "employment_percentage_date": None,
    "is_deleted": False,
}
"""What an employee has of that which an import does not say (rule E06)."""
PERCENTAGES = ("employment_percentage", "paid_percentage", "disability_grade")

TAKEN["uq_imported_employee_company_id_employee_no"] = (ErrorCode.EMPLOYEE_NO_TAKEN, "employee_no")
TAKEN["uq_employee_company_id_employee_no"] = (ErrorCode.EMPLOYEE_NO_TAKEN, "employee_no")


@dataclass(frozen=True, slots=True)
class Codes:
    """What the checks of an employee need to know: the codes in use, the company's prefix (E11), whether it allows
    local employees (E53), and the day."""

    employment_types: Collection[str]
    pay_types: Collection[str]
    end_causes: Collection[str]
    prefix: str | None
    allows_local: bool
    today: date


async def codes_for(fetch: Fetch, company: stored.Company, now: datetime) -> Codes:
    """What the checks of a company's employees need. Three statements."""
    return Codes(
        await statements.codes_in_use(fetch, codes.EmploymentType),
        await statements.codes_in_use(fetch, codes.PayType),
        await statements.codes_in_use(fetch, codes.EmploymentEndCause),
        company.employee_no_prefix,
        company.allow_local_employees,
        today(now),
    )


async def import_employee(write: Write, given: ImportEmployeeInput) -> stored.ImportedEmployee:
    """The imported employee, new or as the input says (E03 to E12), and with it the employee and, if that is new, the
    holder of ticket rights.

    Raises `Refused`: COMPANY_NOT_FOUND, EMPLOYEE_NOT_FOUND (foreign ones too, T04), VERSION_CONFLICT, COMPANY_DELETED
    for somebody who is new to the company, what `checked_employee` finds, EMPLOYEE_NO_TAKEN.
    """
    company = await company_in(write, given.company_id)
    imported = None if given.id is None else await imported_in(write, given.id, company)
    if imported is not None:
        same_version(imported, given.expected_version)
    takes_more(company, imported)
    known = await codes_for(within(write.session), company, write.now)
    problems = Problems()
    values = checked_employee(problems, given, known)
    problems.raise_any()
    return await save(write, company, known, values, imported)


async def patch_imported_employee(write: Write, given: PatchImportedEmployeeInput) -> stored.ImportedEmployee:
    """The imported employee with the given changes, and the employee with the same ones (E13).

    Raises `Refused`: COMPANY_NOT_FOUND, EMPLOYEE_NOT_FOUND (foreign ones too, T04), VERSION_CONFLICT, COMPANY_DELETED
    for a company that is to be the new one, what `consistent` and the formats refuse, PRODUCT_NOT_FOUND for a product
    that is unknown or has ended, EMPLOYEE_NO_TAKEN.
    """
    company = await company_in(write, given.company_id)
    imported = await imported_in(write, given.id, company)
    same_version(imported, given.expected_version)
    takes_more(company, imported)
    known = await codes_for(within(write.session), company, write.now)
    problems = Problems()
    of_null = {name for name, value in EMPTY.items() if value is not None} | {"paid_percentage"}
    cleared = {name: EMPTY[name] for name in of_null if (more := getattr(given, name)) and _is_null(more)}
    values = checked(problems, given, stored.ImportedEmployee, FORMATS, skip={*NOT_STORED, *cleared}) | cleared
    if given.ssn:
        with problems.at("ssn"):
            values["ssn"] = None if given.ssn.value is None else ssn(given.ssn.value)
    if given.preferred_product_id:
        product_id = values["preferred_product_id"] = given.preferred_product_id.value
        lasts = statements.is_valid_between(known.today, date.max)
        if product_id is not None and not await write.exists(codes.Product, lasts, id=product_id):
            problems.add(ErrorCode.PRODUCT_NOT_FOUND, "preferredProductId", rejected=[product_id])
    in_use(problems, values, known)
    before = {name: getattr(imported, name) for name in (*EMPTY, "hire_start_date", "date_of_birth")}
    values = consistent(problems, {**before, **values}, known)
    problems.raise_any()
    return await save(write, company, known, values, imported)


def checked_employee(problems: Problems, given: Any, known: Codes) -> dict[str, Any]:
    """All that an import says of an employee, by column, what it leaves out included: the number without the company's
    prefix, the ssn not yet sealed. What is wrong goes to `problems`, never with the ssn: REQUIRED, TEXT_TOO_LONG,
    TEXT_INVALID, POST_CODE_INVALID, SSN_INVALID, CODE_UNKNOWN, and what `consistent` finds. No statements."""
    skip = {*NOT_STORED, "version"}
    values = {**EMPTY, **checked(problems, given, stored.ImportedEmployee, FORMATS, needed=NEEDED, skip=skip)}
    with problems.at("ssn"):
        values["ssn"] = ssn(given.ssn)
    in_use(problems, values, known)
    return consistent(problems, values, known)


def ssn(text: str) -> str:
    """The last part of an identity number, trimmed (E05); whether it fits a date of birth is not looked at (F05).
    Raises `Refused` without the text: REQUIRED, SSN_INVALID."""
    digits = text.strip() if len(text) <= SSN_LENGTH else "too long"
    if not digits:
        raise refuse(ErrorCode.REQUIRED)
    if not re.fullmatch("[0-9]{5}", digits):
        raise refuse(ErrorCode.SSN_INVALID)
    return digits


def in_use(problems: Problems, values: Mapping[str, Any], known: Codes) -> None:
    """Rule E10: CODE_UNKNOWN for codes that are not in their list, or deleted there."""
    for name, those in (
        ("employment_type_id", known.employment_types),
        ("pay_type", known.pay_types),
        ("hire_end_cause", known.end_causes),
    ):
        code = values.get(name)
        if code is not None and code not in those:
            problems.add(ErrorCode.CODE_UNKNOWN, to_camel_case(name), rejected=[code])


def consistent(problems: Problems, values: dict[str, Any], known: Codes) -> dict[str, Any]:
    """All values of an employee, with those that follow from others (E09, E11). What does not fit goes to `problems`:
    PERCENTAGE_INVALID, DATES_REVERSED, DATE_INVALID for a birth in the future, REQUIRED where one value needs another
    (E08, E10), LOCAL_EMPLOYEES_NOT_ALLOWED unless it is deleted (E53), TEXT_TOO_LONG for a number with its prefix."""
    if values["paid_percentage"] is None:
        values["paid_percentage"] = values.get("employment_percentage")
    for name in PERCENTAGES:
        if values.get(name) is not None and not 0 <= values[name] <= 100:
            shown = [] if name == "disability_grade" else [values[name]]
            problems.add(ErrorCode.PERCENTAGE_INVALID, to_camel_case(name), rejected=shown)
    hired, left = values.get("hire_start_date"), values["hire_end_date"]
    if hired is not None and left is not None and left < hired:
        problems.add(ErrorCode.DATES_REVERSED, "hireEndDate", rejected=[left])
    if left is None and values["hire_end_cause"] is not None:
        problems.add(ErrorCode.REQUIRED, "hireEndDate")
    if values["disability_grade"] and values["disability_from_date"] is None:
        problems.add(ErrorCode.REQUIRED, "disabilityFromDate")
    born = values.get("date_of_birth")
    if born is not None and born > known.today:
        problems.add(ErrorCode.DATE_INVALID, "dateOfBirth", rejected=[born])
    kind = values.get("employment_type_id")
    if kind is not None and kind.upper() in LOCAL and not known.allows_local and not values["is_deleted"]:
        problems.add(ErrorCode.LOCAL_EMPLOYEES_NOT_ALLOWED, "employmentTypeId", rejected=[kind])
    if number := values.get("employee_no"):
        values["employee_no"] = own_number(known.prefix, number)
        if len(prefixed(known.prefix, number)) > NUMBER_LENGTH:
            problems.add(ErrorCode.TEXT_TOO_LONG, "employeeNo")
    return values


def prefixed(prefix: str | None, number: str) -> str:
    """The number of an employee: with the company's prefix, once (E11)."""
    return number if not prefix or number.startswith(prefix) else prefix + number


def own_number(prefix: str | None, number: str) -> str:
    """The number of an imported employee: without the company's prefix, unless `prefixed` would then give another
    number than this one: where nothing would be left, or something that begins with the prefix, too."""
    own = number.removeprefix(prefix or "")
    return own if own and prefixed(prefix, own) == prefixed(prefix, number) else number


def sealed(keys: Keyring, row: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values as they are stored in a row class: the ssn sealed for its column."""
    if values.get("ssn") is None:
        return dict(values)
    return {**values, "ssn": keys.seal(values["ssn"], row.ssn)}


def new_holder_code() -> str:
    """A code for a holder of ticket rights (E21, L40): three groups of five out of 32 letters and digits, 75 random
    bits, so that guessing is hopeless."""
    return "-".join("".join(secrets.choice(LETTERS) for _ in range(5)) for _ in range(3))


async def company_in(write: Write, company_id: int, field: str = "companyId") -> stored.Company:
    """The company, locked: its employees get numbers one after the other. Raises `Refused`: COMPANY_NOT_FOUND, for a
    foreign one too."""
    company: stored.Company | None = await write.get(stored.Company.id, company_id)
    if company is None:
        raise refuse(ErrorCode.COMPANY_NOT_FOUND, field, rejected=[company_id])
    return company


async def imported_in(write: Write, given_id: str, company: stored.Company) -> stored.ImportedEmployee:
    """The imported employee with this id, of the company or another one of its organisation, locked. Raises `Refused`:
    EMPLOYEE_NOT_FOUND, for a foreign one too."""
    key = key_in(given_id)
    found: stored.ImportedEmployee | None = None
    if key is not None:
        found = await write.get(stored.ImportedEmployee.id, key)
    if found is not None and found.company_id != company.id:
        same = await write.exists(stored.Company, id=found.company_id, organisation_id=company.organisation_id)
        found = found if same else None
    if found is None:
        raise refuse(ErrorCode.EMPLOYEE_NOT_FOUND, "id", rejected=[given_id])
    return found


def takes_more(company: stored.Company, imported: stored.ImportedEmployee | None) -> None:
    """Raises `Refused`: COMPANY_DELETED where somebody would be added to a deleted company."""
    if company.is_deleted and (imported is None or imported.company_id != company.id):
        raise refuse(ErrorCode.COMPANY_DELETED, "companyId", rejected=[company.id])


async def save(
    write: Write,
    company: stored.Company,
    known: Codes,
    values: Mapping[str, Any],
    imported: stored.ImportedEmployee | None,
) -> stored.ImportedEmployee:
    """Store the values, as they were sent and with the prefix. Raises `Refused`: EMPLOYEE_NO_TAKEN."""
    number = values["employee_no"]
    mine = imported.id if imported else 0
    for row, wanted in ((stored.ImportedEmployee, number), (stored.Employee, prefixed(known.prefix, number))):
        here: Any = row
        if await write.exists(row, here.id != mine, company_id=company.id, employee_no=wanted):
            raise refuse(ErrorCode.EMPLOYEE_NO_TAKEN, "employeeNo", rejected=[number])
    if imported is not None and imported.company_id != company.id:
        await lock_rights(write, imported.company_id, company.id)
    employee: stored.Employee | None = await write.get(stored.Employee.id, mine) if imported else None
    by = by_whom(write)
    also = {"company_id": company.id, "last_update": write.now, "source_last_update": by}
    if imported is None:
        imported = stored.ImportedEmployee(created_at=write.now, created_by=by)
    _assign(write, imported, {**values, **also})
    write.session.add(imported)
    await write.session.flush()
    if employee is None:
        employee = stored.Employee(id=imported.id, created_at=write.now, created_by=by)
        write.session.add(TicketRightsHolder(employee_id=imported.id, ticket_holder_code=new_holder_code()))
    _assign(write, employee, {**values, **also, "employee_no": prefixed(known.prefix, number)})
    write.session.add(employee)
    await write.session.flush()
    return imported


def by_whom(write: Write) -> str:
    """What is noted as the source of a change: the client, or this gateway."""
    return (write.client_name or CHANNEL)[:100]


def _assign(write: Write, row: Any, values: Mapping[str, Any]) -> None:
    """Give a row these values; an ssn that is what it was stays as it is sealed."""
    before = row.ssn
    is_same = before is not None and values.get("ssn") == write.keys.open(before, type(row).ssn)
    for name, value in sealed(write.keys, type(row), values).items():
        if name != "ssn" or not is_same:
            setattr(row, name, value)
    flag_modified(row, "last_update")  # or an import of what is stored would leave the version as it is


def _is_null(given: Any) -> bool:
    return given.value is None
