"""Households of employees in each stock, and what callers ask about those of others."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any

from datastore.customer import Customer
from datastore.database import Database
from datastore.employee import codes, personnel, rights
from datastore.text import sort_key
from resolvers.oslo import today
from schema.node import written
from tests.factories.customer import CHANGES, MOMENT
from tests.factories.employee import a_code, a_product, a_station, a_ticket_type, the_codes
from tests.security.organisations import Stock, World, nowhere
from tests.security.questions import Question, asked

CLIENT = "test-asker"
"""What is noted as the source of what a caller imports."""
YEAR_START, YEAR_END = date(2026, 1, 1), date(2027, 1, 1)
CODES = {"employment_type_id": "FULL", "pay_type": "MONTHLY", "hire_end_cause": None}


@dataclass(slots=True)
class Lists:
    """Keys in code lists, which everybody may read."""

    ticket_type: int
    product: int
    travel_type: int
    fip_ticket_type: int
    stations: tuple[str, str]


@dataclass(slots=True)
class Household:
    """An employee and a member of the family, with one of everything; all marks in it, those of the company apart."""

    number: int
    organisation_id: int
    company: personnel.Company
    employee: personnel.Employee
    member: personnel.FamilyMember
    lists: Lists
    marks: set[str] = field(default_factory=set)
    company_marks: set[str] = field(default_factory=set)
    holders: dict[str, rights.TicketRightsHolder] = field(default_factory=dict)
    given: dict[str, rights.TicketRight] = field(default_factory=dict)
    orders: dict[str, rights.ManualOrder] = field(default_factory=dict)
    runs: dict[str, rights.EmployeeImport] = field(default_factory=dict)
    report: rights.TaxSavingReport | None = None
    member_marks: set[str] = field(default_factory=set)
    """Of `marks` those of the family member alone."""


async def code_lists(database: Database) -> Lists:
    """The codes that all households use."""
    await the_codes(database)
    kind = await a_ticket_type(database, generates_ticket_rights=True, can_have_station_pairs=True)
    travel = await a_code(database, codes.TravelType, "ONE")
    fip = await a_code(database, codes.FipTicketType, "ONE")
    product = await a_product(database)
    stations = [(await a_station(database, f"NSR:StopPlace:{number}")).id for number in (1, 2)]
    return Lists(kind.id, product.id, travel.id, fip.id, (stations[0], stations[1]))


async def household(
    database: Database,
    made: Stock,
    lists: Lists,
    number: int,
    customers: Mapping[str, Customer],
    company: personnel.Company | None = None,
) -> Household:
    """Store a household of a company, a new one if none is given. Keys of 10 digits begin with `number`. `customers`
    are those that the employee and the member are."""
    kept, made.marks = made.marks, set()
    key = number * 1_000_000_000 + 1
    if company is None:
        name = made.mark()
        company = await made.store(
            database, personnel.Company, id=key, organisation_id=made.organisation_id, name=name,
            name_key=sort_key(name), postal_code="0155", report_separator=",", employee_no_prefix=None, **CHANGES,
        )  # fmt: skip
    company_marks, made.marks = made.marks, set()
    assert company

    def sealed(row: Any) -> dict[str, str]:
        return {name: database.keys.seal(made.mark(), getattr(row, name)) for name in ("ssn", "note")}

    surname = made.mark()
    employment: dict[str, Any] = {
        "id": key, "company_id": company.id, "date_of_birth": date(1960 + number, 2, 1), **CODES, "surname": surname,
        "employment_percentage": 100, "paid_percentage": 100, "hire_start_date": date(2020, 1, 1),
        "created_at": MOMENT, "last_update": MOMENT, "postal_code": "0155",
        "disability_grade": 50, "disability_from_date": date(2020, 1, 1), "created_by": made.mark(),
    }  # fmt: skip
    imported = await made.store(
        database, personnel.ImportedEmployee, **employment, **sealed(personnel.ImportedEmployee)
    )
    of_customer = {name: customers[name].customer_number if name in customers else None for name in ("ola", "kari")}
    employee = await made.store(
        database, personnel.Employee, **employment, **sealed(personnel.Employee), employee_no=imported.employee_no,
        surname_key=sort_key(surname), customer_number=of_customer["ola"],
    )  # fmt: skip
    own = made.marks
    made.marks = set()
    member = await made.store(
        database, personnel.FamilyMember, id=key, employee_id=key, relation_code="SPOUSE",
        date_of_birth=date(1960 + number, 2, 2), customer_number=of_customer["kari"],
        created_at=MOMENT, updated_at=MOMENT, **sealed(personnel.FamilyMember),
    )  # fmt: skip
    of_member, made.marks = made.marks, set()
    found = Household(number, made.organisation_id, company, employee, member, lists)
    for row, values in (
        (personnel.EmployeeYearlyFee, {"is_paid": True}),
        (personnel.EmployeeDisabilityProof, {"is_registered": True}),
        (personnel.EmployeeCategory, {"product_id": lists.product}),
        (rights.TaxSaving, {"month": 1, "amount": 1}),
    ):
        await made.store(database, row, employee_id=key, year=2026, **values)
    await made.store(database, personnel.FamilyMemberLowIncome, family_member_id=key, year=2026, is_registered=True)
    for place, who in enumerate(("ola", "kari")):
        of: dict[str, Any] = {"employee_id": key, "family_member_id": key if who == "kari" else None, "id": key + place}
        kind = {"ticket_type_id": lists.ticket_type}
        holder = found.holders[who] = await made.store(database, rights.TicketRightsHolder, **of)
        order = found.orders[who] = await made.store(
            database, rights.ManualOrder, **of, **kind, from_date=YEAR_START, to_date=date(2026, 12, 31),
            issue_date=date(2026, 1, 1), travel_type_id=lists.travel_type, fip_ticket_type_id=lists.fip_ticket_type,
            **CHANGES,
        )  # fmt: skip
        await made.store(
            database, rights.StationPair, id=key + place, manual_order_id=order.id, from_station_id=lists.stations[0],
            to_station_id=lists.stations[1],
        )  # fmt: skip
        found.given[who] = await made.store(
            database, rights.TicketRight, **of, **kind, ticket_holder_id=holder.id, manual_order_id=order.id,
            valid_from=YEAR_START, valid_until=YEAR_END, calculation_timestamp=MOMENT,
        )  # fmt: skip
        if who == "ola":
            own |= made.marks
        else:
            of_member |= made.marks
        made.marks = set()
    for place, (name, started) in enumerate((("started", MOMENT), ("uploaded", None))):
        run = found.runs[name] = await made.store(
            database, rights.EmployeeImport, id=key + place, company_id=company.id, is_dry_run=False,
            uploaded_at=datetime.now(UTC) if started is None else MOMENT, started_at=started, finished_at=started,
            rows_total=1, rows_done=1, error=None, errors=[{"line": 1, "column": made.mark(), "code": "SSN_INVALID"}],
        )  # fmt: skip
        chunk = database.keys.seal(made.mark(), rights.UploadChunk.content)
        await made.store(database, rights.UploadChunk, import_id=run.id, number=0, content=chunk)
    found.report = await made.store(
        database, rights.TaxSavingReport, id=key, company_id=company.id, year=2026, month=1, separator=",",
        started=MOMENT, finished=MOMENT, progress=100, error=None,
    )  # fmt: skip
    company_marks |= made.marks
    found.marks, found.member_marks, found.company_marks = own | of_member, of_member, company_marks
    made.marks = kept
    return found


OWN, FOREIGN, NEIGHBOUR, COLLEAGUE, ASTRAY = 1, 2, 3, 4, 5
"""Numbers of households: of the stocks of these numbers, of another employee of the own company, and of an employee of
the foreign company whose customer number is that of a customer of the own organisation."""


async def fill_households(database: Database, world: World) -> None:
    """Store the code lists and all households."""
    lists = await code_lists(database)
    for made in (world.own, world.foreign, world.neighbour):
        customers = {"ola": made.customers["active"], "kari": made.customers["connected"]}
        world.households[made.number] = await household(database, made, lists, made.number, customers)
    company = world.households[OWN].company
    world.households[COLLEAGUE] = await household(database, world.own, lists, COLLEAGUE, {}, company)
    company, own = world.households[FOREIGN].company, world.own.customers
    mixed = {"ola": own["passive"], "kari": own["pticket"]}
    world.households[ASTRAY] = await household(database, world.foreign, lists, ASTRAY, mixed, company)


EMPLOYEE = "employeeId employeeNo firstName surname ssn note companyId customerNumber ticketHolderCode"
MEMBER = "familyMemberId firstName surname ssn note customerNumber ticketHolderCode"
RIGHT = "ticketrightId note ticketRightsHolder { ticketHolderCode }"
ORDER = "id ticketNo employee { employeeNo } ticketHolder { __typename }"
COMPANY = "companyId organisationId name"
PERSONS = f"__typename ... on Employee {{ {EMPLOYEE} }} ... on FamilyMember {{ familyMemberId }}"
RUN = "id startedBy rowsTotal progress company { name } errors { column }"
REPORT = "id csv progress company { name }"
PAGE = "totalItems totalPages pageInfo { startCursor endCursor hasNextPage hasPreviousPage }"


def by_id(name: str, argument: str, kind: str, selection: str) -> str:
    """A query of one thing by its key, which is the variable `key`."""
    return f"query ($key: {kind}!) {{ {name}({argument}: $key) {{ {selection} }} }}"


COMPANY_BY_ID = by_id("company", "companyId", "Long", f"{COMPANY} employees {{ totalItems nodes {{ {EMPLOYEE} }} }}")
EMPLOYEE_BY_ID = by_id(
    "employee", "employeeId", "Long", f"{EMPLOYEE} familyMembers {{ {MEMBER} }} yearlyFees {{ year }}"
)
MEMBER_BY_ID = by_id("familyMember", "familyMemberId", "Long", f"{MEMBER} employee {{ {EMPLOYEE} }}")
RUN_BY_ID = by_id("employeeImport", "id", "ID", RUN)
REPORT_BY_ID = by_id("taxSavingReport", "id", "ID", REPORT)
EXPLAINED = "ticketType { code } isGranted rule { name } reasons { condition isMet fact } nextChangeOn"
EXPLAIN_EMPLOYEE = by_id("explainEligibility", "employeeId", "Long", EXPLAINED)
EXPLAIN_MEMBER = by_id("explainEligibility", "familyMemberId", "Long", EXPLAINED)
ACTIVE = "type firstName surname employeeId company { name } ticketHolder { __typename }"
OF_COMPANY = (
    f"""query ($key: Long!) {{ activeTicketRightsHolders(companyId: $key, at: "2026-06-01") {{
      {PAGE} nodes {{ {ACTIVE} }} }} }}""",
    f"""query ($key: Long!) {{ fipMonthlyTicketReport(companyId: $key, year: 2026, month: 1) {{
      {PAGE} nodes {{ company employeeNo ticketNo companyDetails {{ name }} employee {{ employeeNo }} }} }} }}""",
    f"query ($key: Long!) {{ employeeImports(companyId: $key) {{ {PAGE} nodes {{ {RUN} }} }} }}",
)
OF_NODES = f"""__typename ... on Company {{ {COMPANY} }} ... on FamilyMember {{ familyMemberId }}
  ... on TicketRight {{ ticketrightId }} ... on Employee {{ employeeId }}"""
NODE = f"query ($id: ID!) {{ node(id: $id) {{ {OF_NODES} }} }}"
NODES = f"query ($ids: [ID!]!) {{ nodes(ids: $ids) {{ {OF_NODES} }} }}"
LISTS = {
    "companies": ("CompanyFilterInput", COMPANY),
    "employees": ("EmployeeFilterInput", EMPLOYEE),
    "importedEmployees": ("ImportedEmployeeFilterInput", "id employeeNo ssn note company { name }"),
    "familyMembers": ("FamilyMemberFilterInput", MEMBER),
    "ticketRights": ("TicketRightFilterInput", RIGHT),
    "ticketRightsHolders": ("TicketRightsHolderFilterInput", f"ticketHolderCode ticketHolder {{ {PERSONS} }}"),
    "manualOrders": ("ManualOrderFilterInput", ORDER),
}
"""List -> the type of its filter, and what is asked of each row."""


def listed(name: str, /, **criteria: Any) -> Question:
    """A list with a filter, deleted ones included where that can be."""
    kind, selection = LISTS[name]
    document = f"""query ($filter: {kind}) {{ {name}(filter: $filter, first: 100) {{
      {PAGE} nodes {{ {selection} }} edges {{ cursor }} }} }}"""
    return Question(document, {"filter": criteria})


def of_households(own: Household, other: Household, *, is_user: bool) -> Iterator[Question]:
    """Questions about the household of others, by each key and each criterion; by clients also mutations."""
    if other.company.id != own.company.id:
        yield from of_company(own, other)
    yield from of_keys(own, other)
    yield from of_filters(other)
    if not is_user:
        yield from of_mutations(own, other)


def of_company(own: Household, other: Household) -> Iterator[Question]:
    """Questions by the id of a company, and by those of what is the company's own."""
    yield Question(COMPANY_BY_ID, {"key": other.company.id})
    for document in OF_COMPANY:
        yield Question(document, {"key": other.company.id})
    for run in other.runs.values():
        yield Question(RUN_BY_ID, {"key": str(run.id)})
    assert other.report
    yield Question(REPORT_BY_ID, {"key": str(other.report.id)})
    yield from of_node("Company", other.company.id, own.company.id)
    yield listed("companies", name=other.company.name)
    for name in ("employees", "importedEmployees", "ticketRights", "manualOrders", "ticketRightsHolders"):
        yield listed(name, companyId=other.company.id)


def of_keys(own: Household, other: Household) -> Iterator[Question]:
    """Questions by ids, also those of nodes."""
    yield from of_people(own, other)
    yield Question(MEMBER_BY_ID, {"key": other.member.id})
    yield Question(EXPLAIN_MEMBER, {"key": other.member.id})
    yield from of_node("FamilyMember", other.member.id, own.member.id)
    yield from of_node("TicketRight", other.given["kari"].id, own.given["kari"].id)


def of_people(own: Household, other: Household) -> Iterator[Question]:
    """Questions by the ids of an employee and of what is the employee's own."""
    yield Question(EMPLOYEE_BY_ID, {"key": other.employee.id})
    yield Question(EXPLAIN_EMPLOYEE, {"key": other.employee.id})
    yield from of_node("Employee", other.employee.id, own.employee.id)
    yield from of_node("TicketRight", other.given["ola"].id, own.given["kari"].id)


def of_member(own: Household) -> Iterator[Question]:
    """What a member of the family is told of the own row and rights: nothing of the employee may be in it."""
    yield Question(MEMBER_BY_ID, {"key": own.member.id}, {})
    yield Question(EXPLAIN_MEMBER, {"key": own.member.id}, {})
    rights_of = f"{{ ticketRights {{ nodes {{ {RIGHT} employee {{ employeeNo }} ticketHolder {{ {PERSONS} }} }} }} }}"
    yield Question(rights_of, {}, {})
    yield Question(NODE, {"id": written("TicketRight", own.given["kari"].id)}, {})


def of_node(name: str, key: int, own: int) -> Iterator[Question]:
    """Questions by the id of a node, alone and beside one of the caller's own."""
    theirs, nobodys, mine = (written(name, each) for each in (key, nowhere(key), own))
    yield Question(NODE, {"id": theirs}, {"id": nobodys})
    yield Question(NODES, {"ids": [theirs, mine]}, {"ids": [nobodys, mine]})


def of_filters(other: Household) -> Iterator[Question]:
    """Lists by every criterion that names something."""
    employee, member = other.employee.id, other.member.id
    yield listed("employees", surname=other.employee.surname)
    for name in ("employees", "importedEmployees"):
        yield listed(name, employeeNo=other.employee.employee_no)
    yield listed("familyMembers", employeeId=employee)
    for name in ("ticketRights", "manualOrders", "ticketRightsHolders"):
        yield listed(name, employeeId=employee)
        if name != "ticketRightsHolders":
            yield listed(name, familyMemberId=member)
    for holder in other.holders.values():
        yield listed("ticketRights", ticketHolderId=holder.id)


def own_lists() -> Iterator[Question]:
    """Lists without a filter, and what users are told of themselves: nothing of others may be in them."""
    for name in LISTS:
        yield replace(listed(name), instead={})
    yield replace(listed("employees", includeDeleted=True), instead={})
    for field_ in ("SURNAME", "EMPLOYEE_NO", "HIRE_START_DATE"):
        document = f"{{ employees(orderBy: {{field: {field_}, direction: DESC}}) {{ {PAGE} nodes {{ {EMPLOYEE} }} }} }}"
        yield Question(document, {}, {})


IMPORTED = {
    "firstName": "A", "surname": "B", "ssn": "12345", "postalCode": "0155", "addressLine": "A", "employeeNo": "N1",
    "dateOfBirth": "1980-01-01", "employmentTypeId": "FULL", "employmentPercentage": 100,
    "hireStartDate": "2020-01-01",
}  # fmt: skip
VERSIONS = (None, 1, 99)


def of_mutations(own: Household, other: Household) -> Iterator[Question]:
    """Mutations that name what is others', and with what is theirs on what is the caller's."""
    company, employee, member = (each.id for each in (other.company, other.employee, other.member))
    mine = {"companyId": own.company.id}
    names = {"firstName": "A", "surname": "B", "relationCode": "SPOUSE"}
    yield from of_imports(own, other)
    yield asked("createFamilyMember", {**names, "employeeId": employee})
    yield asked("startTaxSavingReport", {"companyId": company, "year": 2026, "month": 1})
    for version in VERSIONS:
        expected = {"expectedVersion": version}
        yield asked("updateCompany", {**expected, "companyId": company, "name": "A"})
        yield asked("updateCompany", {**expected, "companyId": company, "employeeNoPrefix": "A"})
        yield asked("updateFamilyMember", {**expected, "familyMemberId": member, "firstName": "A"})
        of_year = {**expected, "year": today().year}
        yield asked("setEmployeeYearlyFee", {**of_year, "employeeId": employee, "isPaid": True})
        yield asked("setEmployeeDisabilityProof", {**of_year, "employeeId": employee, "isRegistered": True})
        product = {"productId": str(own.lists.product)}
        yield asked("setEmployeeCategory", {**of_year, "employeeId": employee, **product})
        yield asked("setFamilyMemberLowIncome", {**of_year, "familyMemberId": member, "isRegistered": True})
        for whose in ({"employeeId": employee}, {"companyId": company}):
            for is_dry in (True, False):
                yield asked("calculateTicketRights", {**expected, **whose, "dryRun": is_dry})
        for who in ("ola", "kari"):
            yield asked("deleteManualOrder", {**expected, "manualOrderId": str(other.orders[who].id)})
            right = {**expected, "ticketrightId": other.given[who].id}
            for system in ("TICKET", "CUSTOMER"):
                yield asked("setTicketRightSyncStatus", {**right, "system": system, "errorMessage": "A"})
    days = {"fromDate": "2027-01-01", "toDate": "2027-12-31", "ticketTypeId": str(own.lists.ticket_type)}
    yield asked("createManualOrder", {**days, "employeeId": employee})
    yield asked("createManualOrder", {**days, "employeeId": employee, "familyMemberId": member})
    on_mine = {**days, "employeeId": own.employee.id, "familyMemberId": member}
    yield asked("createManualOrder", on_mine, familyMemberId=nowhere(member))
    on_theirs = {**days, "employeeId": employee, "familyMemberId": own.member.id}
    yield asked("createManualOrder", on_theirs, employeeId=nowhere(employee))
    if other.organisation_id != own.organisation_id:
        new = {"name": "leaks", "organisationId": other.organisation_id}
        document = asked("createCompany", new).document.replace("rejectedValues", "")
        yield Question(document, {"input": new}, {"input": {**new, "organisationId": 7}})
    yield asked("importEmployees", {**mine, "uploadId": str(other.runs["uploaded"].id), "dryRun": True},
                uploadId=nowhere(str(other.runs["uploaded"].id)))  # fmt: skip
    yield asked("importEmployees", {"companyId": company, "uploadId": str(other.runs["uploaded"].id)})
    yield asked("importEmployees", {"companyId": company, "employees": [IMPORTED], "dryRun": True})


def of_imports(own: Household, other: Household) -> Iterator[Question]:
    """Imports and patches of one employee."""
    company, key = other.company.id, str(other.employee.id)
    mine, own_key = own.company.id, str(own.employee.id)
    of_them = {**IMPORTED, "employeeNo": other.employee.employee_no}
    yield asked("importEmployee", {**of_them, "companyId": company})
    if other.company.id != mine:  # two companies may use the same number
        number = nowhere(other.employee.employee_no)
        yield asked("importEmployee", {**of_them, "companyId": mine}, employeeNo=number)
    patch = {name: IMPORTED[name] for name in ("employeeNo", "employmentTypeId", "employmentPercentage")}
    for version in VERSIONS:
        expected = {"expectedVersion": version}
        for name, more in (
            ("importEmployee", {**IMPORTED, **expected}),
            ("patchImportedEmployee", {**patch, **expected, "isDeleted": False}),
        ):
            yield asked(name, {**more, "companyId": company, "id": key})
            yield asked(name, {**more, "companyId": mine, "id": key}, id=nowhere(key))
            yield asked(name, {**more, "companyId": company, "id": own_key}, companyId=nowhere(company))


def of_customers(own: Household, other: Stock) -> Iterator[Question]:
    """Customers of others as those of the caller's own employees."""
    for kind in ("active", "pticket", "merged", "deleted"):
        number = other.customers[kind].customer_number
        given = {"ticketrightId": own.given["ola"].id, "system": "CUSTOMER", "customerNumber": number}
        yield asked("setTicketRightSyncStatus", given, customerNumber=nowhere(number))
