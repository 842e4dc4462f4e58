"""Creating and changing companies (rules E02, E11 and E53)."""

from typing import Any

import strawberry
from strawberry import Maybe

from datastore.employee import changing as statements
from datastore.employee import personnel as stored
from datastore.writing import Write
from resolvers import formats
from resolvers.customer.changing import assign, same_version
from resolvers.customer.inputs import EXPECTED_VERSION
from resolvers.customer.preferences import own_organisation
from resolvers.employee.importing import NUMBER_LENGTH, by_whom, company_in
from resolvers.errors import ErrorCode, refuse
from resolvers.given import Problems, checked
from resolvers.scalars import Long

SEPARATORS = (",", ";")
UPDATE = "updateCompany"

NAME = "Name of the company. At most 100 characters."
POSTAL_CODE = "Post code of its address: 4 digits."
ADDRESS_LINE = "Line of its address. At most 100 characters."
E_TICKETS = "Whether its employees can have e-tickets."
LOCAL = "Whether it can have local employees."
SEPARATOR = "What separates the columns of its reports: a comma or a semicolon."
PREFIX = "What its employee numbers begin with. At most 10 characters."


@strawberry.input(description="A new company.")
class CreateCompanyInput:
    name: str = strawberry.field(description=NAME)
    organisation_id: Long | None = strawberry.field(
        default=None, description="Its organisation; by default, and unless the caller is internal, the caller's own."
    )
    postal_code: str | None = strawberry.field(default=None, description=POSTAL_CODE)
    address_line: str | None = strawberry.field(default=None, description=ADDRESS_LINE)
    allow_e_tickets: bool | None = strawberry.field(default=False, description=E_TICKETS)
    allow_local_employees: bool | None = strawberry.field(default=False, description=LOCAL)
    report_separator: str | None = strawberry.field(default=",", description=SEPARATOR)
    employee_no_prefix: str | None = strawberry.field(default=None, description=PREFIX)


@strawberry.input(description="Changes to a company. A field that is absent stays; null clears it where that can be.")
class UpdateCompanyInput:
    company_id: Long = strawberry.field(description="Id of the company.")
    expected_version: int | None = strawberry.field(default=None, description=EXPECTED_VERSION)
    name: Maybe[str | None] = strawberry.field(description=NAME)
    postal_code: Maybe[str | None] = strawberry.field(description=POSTAL_CODE)
    address_line: Maybe[str | None] = strawberry.field(description=ADDRESS_LINE)
    allow_e_tickets: Maybe[bool | None] = strawberry.field(description=E_TICKETS)
    allow_local_employees: Maybe[bool | None] = strawberry.field(description=f"{LOCAL} Those that it has already stay.")
    report_separator: Maybe[str | None] = strawberry.field(description=SEPARATOR)
    employee_no_prefix: Maybe[str | None] = strawberry.field(
        description=f"{PREFIX} With another one all its employees get other numbers."
    )
    is_deleted: Maybe[bool | None] = strawberry.field(
        description="Whether it is deleted: it stays readable, and nobody can be added to it."
    )


async def create_company(write: Write, given: CreateCompanyInput) -> stored.Company:
    """A new company of an organisation (E02).

    Raises `Refused`: FORBIDDEN for a client that is bound to a company, ORGANISATION_NOT_ALLOWED, VALUE_INVALID for
    another separator, and what the formats refuse.
    """
    if write.viewer.company_id is not None:
        raise refuse(ErrorCode.FORBIDDEN)
    organisation = own_organisation(write.viewer, given.organisation_id)
    values = company_values(given)
    made = stored.Company(**values, organisation_id=organisation, created_at=write.now, changed_at=write.now)
    write.session.add(made)
    return made


async def update_company(write: Write, given: UpdateCompanyInput) -> stored.Company:
    """The company with the given changes. With another prefix its employees have the numbers that follow from it (E11):
    made of the imported numbers, so that doing it again changes nothing.

    Raises `Refused`: COMPANY_NOT_FOUND (foreign ones too, T04), VERSION_CONFLICT, VALUE_INVALID for another separator,
    what the formats refuse; at the prefix EMPLOYEE_NO_TAKEN and TEXT_TOO_LONG where two employees would have one
    number, or somebody one of more than 50 characters.
    """
    company = await company_in(write, given.company_id)
    same_version(company, given.expected_version)
    values = company_values(given)
    prefix = values.get("employee_no_prefix", company.employee_no_prefix)
    is_another = prefix != company.employee_no_prefix
    if is_another:
        numbers = await statements.numbers_with(write.session, company.id, prefix)
        if numbers.longest > NUMBER_LENGTH:
            raise refuse(ErrorCode.TEXT_TOO_LONG, "employeeNoPrefix", rejected=[prefix])
        if numbers.different < numbers.total:
            raise refuse(ErrorCode.EMPLOYEE_NO_TAKEN, "employeeNoPrefix", rejected=[prefix])
    assign(write, company, values)
    await write.session.flush()
    if is_another:
        await statements.renumber(write, UPDATE, company, by_whom(write))
    return company


def company_values(given: object) -> dict[str, Any]:
    """The given values for a company. Raises `Refused`."""
    problems = Problems()
    norwegian = {"postal_code": lambda text: formats.post_code("NOR", text), "report_separator": separator}
    skip = {"organisation_id", "version"}
    values = checked(problems, given, stored.Company, norwegian, skip=skip)
    problems.raise_any()
    return values


def separator(text: str) -> str:
    """A separator of columns. Raises `Refused`: VALUE_INVALID."""
    if text not in SEPARATORS:
        raise refuse(ErrorCode.VALUE_INVALID, rejected=[text])
    return text
