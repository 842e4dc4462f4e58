"""No statement about personnel reads a whole table, on either database: as `test_plans`, on its tables."""

import uuid
from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import product
from typing import Any

import pytest
from strawberry import ID, Some

from datastore.employee import bulk as bulk_statements
from datastore.employee import codes, personnel, rights
from datastore.employee import reads as statements
from datastore.employee.codes import TicketRightType
from datastore.employee.facts import HolderKind
from datastore.employee.rights import SyncState
from datastore.viewer import Viewer
from resolvers.carry_out import carry_out
from resolvers.customer.inputs import SortDirection
from resolvers.employee import (
    bulk,
    calculation,
    companies,
    filters,
    importing,
    orders,
    reads,
    reports,
    rules,
    uploads,
)
from resolvers.employee import codes as lists
from resolvers.employee import personnel as families
from resolvers.employee.batches import ImportJob
from resolvers.employee.inputs import ImportEmployeeInput, PatchImportedEmployeeInput
from resolvers.employee.reports import ReportJob
from resolvers.scalars import Long
from resolvers.wanted import Reading
from tests.datastore.test_plans import (
    CODE_LISTS,
    COMPANIES,
    INTERNAL,
    MOST_ROWS,
    TODAY,
    USER,
    VIEWER,
    VIEWERS,
    Watch,
    carried_out,
    filled,
    made,
    watch,
)

__all__ = ["filled", "watch"]

COMPANY = 102
"""Its employees are those whose keys end in 02."""
BOUND = replace(VIEWER, company_id=COMPANY)
UNBOUND = [pytest.param(VIEWER, id="partner"), pytest.param(INTERNAL, id="internal")]
CLIENTS = [
    pytest.param(VIEWER, id="partner"),
    pytest.param(INTERNAL, id="internal"),
    pytest.param(BOUND, id="of one company"),
]
ORDERED = 102
"""An employee with a right and an order of the employee's own, and a family."""

FILTERS: Mapping[type[Any], Mapping[str, Any]] = {
    filters.CompanyFilterInput: {"name": "selskap 0102"},
    filters.EmployeeFilterInput: {
        "company_id": Long(COMPANY),
        "employee_no": "102employee_no",
        "surname": "etternavn 0102",
        "employment_type_id": "3code",
        "hired_from": date(2000, 1, 1) + timedelta(days=3990),
        "hired_before": date(2000, 1, 1) + timedelta(days=10),
    },
    filters.ImportedEmployeeFilterInput: {"company_id": Long(COMPANY), "employee_no": "102employee_no"},
    filters.FamilyMemberFilterInput: {"employee_id": Long(ORDERED)},
    filters.TicketRightsHolderFilterInput: {"company_id": Long(COMPANY), "employee_id": Long(ORDERED)},
    filters.TicketRightFilterInput: {
        "company_id": Long(COMPANY),
        "ticket_holder_id": Long(ORDERED),
        "employee_id": Long(ORDERED),
        "family_member_id": Long(103),
        "valid_at": date(TODAY.year, 6, 1),
        "ticket_sync_state": SyncState.FAILED,
        "customer_sync_state": SyncState.FAILED,
    },
    filters.ManualOrderFilterInput: {
        "company_id": Long(COMPANY),
        "employee_id": Long(ORDERED),
        "family_member_id": Long(103),
        "issued_from": date(2016, 1, 1) + timedelta(days=3990),
        "issued_before": date(2016, 1, 1) + timedelta(days=10),
    },
}
"""Filter -> criterion -> a value that few rows have, but for those in `BROAD`."""
WALKED = {"employment_type_id", "hired_from", "hired_before", "issued_from", "issued_before"}
"""Criteria whose rows SQLite finds by walking the list in its order, or by sorting what it has found: it knows
nothing of how many rows meet a criterion."""
NOT_COVERED = {BOUND}
"""Callers whose lists without `companyId` are found by walking over the rows of others, too: family members, holders,
rights and orders do not have the company's id themselves. Such lists, and criteria other than the company, are left out
for them."""
BROAD = {"valid_at", "ticket_sync_state", "customer_sync_state"}
"""Criteria that a large part of the rows can meet: pages must be cheap, and the count reads what it counts."""
LISTS: Mapping[str, tuple[Reading, type[Any] | None, str]] = {
    "companies": (reads.companies, filters.CompanyFilterInput, "company"),
    "employees": (reads.employees, filters.EmployeeFilterInput, "employee"),
    "importedEmployees": (reads.imported_employees, filters.ImportedEmployeeFilterInput, "imported_employee"),
    "familyMembers": (reads.family_members, filters.FamilyMemberFilterInput, "family_member"),
    "ticketRights": (reads.ticket_rights, filters.TicketRightFilterInput, "ticket_right"),
    "ticketRightsHolders": (reads.ticket_rights_holders, filters.TicketRightsHolderFilterInput, "ticket_rights_holder"),
    "manualOrders": (reads.manual_orders, filters.ManualOrderFilterInput, "manual_order"),
    "postalPlaces": (reads.postal_places, None, "postal_place"),
    "stations": (reads.stations, None, "station"),
}
OF_CODES = [
    *(reads.pay_types, reads.employment_types, reads.employment_end_causes, reads.family_relations),
    *(reads.travel_types, reads.fip_ticket_types, reads.ticket_types, reads.products, rules.ticket_rules),
]


async def four_pages(watch: Watch, reading: Reading, along: str, *, in_order: bool = True, **given: Any) -> list[Any]:
    """The rows of the first page, the next one, the last and the one before it; all must come in order,
    unless the list is short."""
    rows: list[Any] = []
    page: Any = None
    for part in ("first", "after", "last", "before"):
        size = "first" if part in ("first", "after") else "last"
        end = {"after": "end_cursor", "before": "start_cursor"}.get(part)
        more = {} if end is None else {part: getattr(page.page_info, end)}
        async with watch.judged(in_order=in_order, along=along):
            page = await reading(watch.context, **given, **{size: 10}, **more)
        rows += [edge.node for edge in page.edges]
    return rows


@pytest.mark.parametrize("viewer", UNBOUND)
@pytest.mark.parametrize("name", LISTS)
async def test_list(watch: Watch, name: str, viewer: Viewer) -> None:
    """Pages come out of an index in order, whatever the caller may see."""
    watch.asks(viewer)
    reading, _, along = LISTS[name]
    is_short = name == "companies" and viewer is VIEWER
    assert await four_pages(watch, reading, along, in_order=not is_short)


@pytest.mark.parametrize("viewer", [USER])
@pytest.mark.parametrize("name", ["familyMembers", "ticketRights"])
async def test_list_of_a_user(watch: Watch, name: str, viewer: Viewer) -> None:
    watch.asks(viewer)
    async with watch.judged(along=LISTS[name][2]):
        page = await LISTS[name][0](watch.context, first=10)
        assert await page.total_items() == len(page.edges) == 4


@pytest.mark.parametrize("viewer", CLIENTS)
@pytest.mark.parametrize("direction", SortDirection)
@pytest.mark.parametrize("sort", filters.EmployeeOrderField)
async def test_sort(watch: Watch, sort: Any, direction: SortDirection, viewer: Viewer) -> None:
    watch.asks(viewer)
    order = filters.EmployeeOrder(field=sort, direction=direction)
    of_company = filters.EmployeeFilterInput(company_id=Long(COMPANY))
    more: Any = {"order_by": order, "along": "employee"}
    assert await four_pages(watch, reads.employees, filter=of_company, in_order=False, **more)
    if viewer not in NOT_COVERED:
        assert await four_pages(watch, reads.employees, **more)


CRITERIA = [
    pytest.param(name, field.name, id=f"{name}-{field.name}")
    for name, (_, kind, _) in LISTS.items()
    if kind
    for field in fields(kind)
    if field.name != "include_deleted"
]


@pytest.mark.parametrize("viewer", CLIENTS)
@pytest.mark.parametrize(("name", "criterion"), CRITERIA)
async def test_criterion(watch: Watch, name: str, criterion: str, viewer: Viewer) -> None:
    """A page and, of what few rows meet, the count."""
    watch.asks(viewer)
    reading, kind, along = LISTS[name]
    assert kind
    given = kind(**{criterion: FILTERS[kind][criterion]})
    if viewer in NOT_COVERED and criterion != "company_id":
        return
    is_sqlite = watch.database.dialect == "sqlite"
    # PostgreSQL walks over the keys until the page is full, where rows do not have the company's id themselves.
    is_walked = criterion == "company_id" and not is_sqlite and name.startswith(("ticketRights", "manual"))
    async with watch.judged(along=along, times=6 if is_walked or (criterion in WALKED and is_sqlite) else 1):
        page = await reading(watch.context, filter=given, first=10)
    if criterion not in BROAD | WALKED:
        async with watch.judged(along=along):
            assert len(page.edges) <= await page.total_items() < MOST_ROWS
    if "sync_state" not in criterion:
        assert page.edges


@pytest.mark.parametrize("reading", OF_CODES, ids=lambda reading: reading.ask.__qualname__)
async def test_code_list(watch: Watch, reading: Reading) -> None:
    async with watch.judged():
        page = await reading(watch.context, first=10)
        assert await page.total_items() >= len(page.edges) == 10


async def test_postal_places(watch: Watch) -> None:
    for given, along in (({"code": "0102"}, ""), ({"country": "NOR"}, "postal_place")):
        async with watch.judged(along=along):
            page = await reads.postal_places(watch.context, **given, first=10)
        assert page.edges


@pytest.mark.parametrize("viewer", VIEWERS)
async def test_look_ups(watch: Watch, viewer: Viewer) -> None:
    watch.asks(viewer)
    for reading, key in (
        (reads.company, COMPANY),
        (reads.employee, 102),
        (reads.family_member, 103),
        (bulk.employee_import, ID("102")),
        (reports.tax_saving_report, ID("102")),
    ):
        if viewer is USER and reading in (bulk.employee_import, reports.tax_saving_report):
            continue
        async with watch.judged():
            assert await reading(watch.context, key) is not None
    if viewer is USER:
        for reading in (reads.own_employee, reads.own_family_member):
            async with watch.judged():
                assert await reading(watch.context) is not None


@pytest.mark.parametrize("viewer", CLIENTS)
async def test_reports_of_a_company(watch: Watch, viewer: Viewer) -> None:
    watch.asks(viewer)
    day = date(TODAY.year, 6, 1)
    async with watch.judged(times=2):  # several rows for each of some dozens of employees
        page = await reads.active_ticket_rights_holders(watch.context, Long(COMPANY), day, first=10)
        assert await page.total_items() >= len(page.edges) == 10
    issued = date(2016, 1, 1) + timedelta(days=102)
    async with watch.judged():
        page = await reads.fip_monthly_ticket_report(watch.context, Long(COMPANY), issued.year, issued.month, first=10)
        await page.total_items()
    async with watch.judged():
        page = await bulk.employee_imports(watch.context, Long(COMPANY), first=10)
        assert await page.total_items() == len(page.edges)


@pytest.mark.parametrize("viewer", VIEWERS)
async def test_explaining(watch: Watch, viewer: Viewer) -> None:
    watch.asks(viewer)
    whose: Any
    for whose in ({"employee_id": Long(102)}, {"family_member_id": Long(103)}):
        async with watch.judged():
            assert await calculation.explain_eligibility(watch.context, **whose)


def an_import(**more: Any) -> dict[str, Any]:
    """What is said of a new employee."""
    return {
        "employee_no": uuid.uuid4().hex,
        "ssn": "12345",
        "first_name": "Kari",
        "surname": "Nordmann",
        "postal_code": "0155",
        "address_line": "Storgata 1",
        "date_of_birth": date(1980, 1, 1),
        "employment_type_id": "3code",
        "employment_percentage": 100,
        "hire_start_date": date(2020, 1, 1),
        **more,
    }


@pytest.mark.parametrize("viewer", CLIENTS)
async def test_writes_of_employees_and_families(watch: Watch, viewer: Viewer) -> None:
    watch.asks(viewer)
    write = partial(carried_out, watch)
    mine: Any = {"company_id": Long(COMPANY)}
    imported = await write(importing.import_employee, made(ImportEmployeeInput, **an_import(), **mine))
    again: Any = {**mine, "id": ID(str(imported.id))}
    await write(importing.import_employee, made(ImportEmployeeInput, **an_import(), **again))
    patch = {"employee_no": uuid.uuid4().hex, "employment_type_id": "4code", "employment_percentage": 50}
    patched = made(PatchImportedEmployeeInput, **patch, **again, is_deleted=False, preferred_product_id=Some(Long(3)))
    await write(importing.patch_imported_employee, patched)
    key: Any = {"employee_id": Long(imported.id)}
    names: Any = {"relation_code": "3code", "first_name": "A", "surname": "B"}
    member = await write(families.create_family_member, families.CreateFamilyMemberInput(**key, **names))
    of_member: Any = {"family_member_id": Long(member.id)}
    changes = made(families.UpdateFamilyMemberInput, **of_member, relation_code=Some("4code"))
    await write(families.update_family_member, changes)
    for _ in range(2):
        year: Any = {"year": TODAY.year}
        fee = families.SetEmployeeYearlyFeeInput(**key, **year, is_paid=True)
        await write(families.set_employee_yearly_fee, fee)
        proof = families.SetEmployeeDisabilityProofInput(**key, **year, is_registered=True)
        await write(families.set_employee_disability_proof, proof)
        category = families.SetEmployeeCategoryInput(**key, **year, product_id=ID("3"))
        await write(families.set_employee_category, category)
        income = families.SetFamilyMemberLowIncomeInput(**of_member, **year, is_registered=True)
        await write(families.set_family_member_low_income, income)


@pytest.mark.parametrize("viewer", [VIEWER, INTERNAL], ids=["partner", "internal"])
async def test_writes_of_companies(watch: Watch, viewer: Viewer) -> None:
    """With a prefix all employees of the company get other numbers."""
    watch.asks(viewer)
    write = partial(carried_out, watch)
    new = made(companies.CreateCompanyInput, name=uuid.uuid4().hex)
    company = await write(companies.create_company, new)
    await write(
        companies.update_company, made(companies.UpdateCompanyInput, company_id=Long(company.id), name=Some("A"))
    )
    for prefix in (uuid.uuid4().hex[:4], None):
        change = made(companies.UpdateCompanyInput, company_id=Long(COMPANIES[50]), employee_no_prefix=Some(prefix))
        await write(companies.update_company, change)


async def test_writes_of_code_lists(watch: Watch) -> None:
    watch.asks(INTERNAL)
    write = partial(carried_out, watch)
    for each in lists.PersonnelCodeList:
        code: Any = {"list": each, "code": uuid.uuid4().hex}
        await write(lists.create_personnel_code, lists.CreatePersonnelCodeInput(**code))
        await write(lists.update_personnel_code, made(lists.UpdatePersonnelCodeInput, **code, description=Some("A")))
    ticket_type = await write(lists.create_ticket_type, lists.CreateTicketTypeInput(code=uuid.uuid4().hex))
    key: Any = {"ticket_type_id": ID(str(ticket_type.id)), "ticket_right_type": Some(TicketRightType.SILVER)}
    await write(lists.update_ticket_type, made(lists.UpdateTicketTypeInput, **key))
    product_ = await write(lists.create_product, lists.CreateProductInput(name="A", valid_from=date(2026, 1, 1)))
    product_key = ID(str(product_.id))
    await write(lists.update_product, made(lists.UpdateProductInput, product_id=product_key, name=Some("B")))
    for _ in range(2):
        await write(lists.save_postal_place, lists.SavePostalPlaceInput(code="9990", place="A"))
        await write(lists.save_station, lists.SaveStationInput(id=ID("NSR:StopPlace:9990"), name="A"))


def some_rights(employee: int, **more: Any) -> Any:
    """An order for two stations in the next year."""
    days: Any = {"from_date": date(TODAY.year + 1, 1, 1), "to_date": date(TODAY.year + 1, 12, 31)}
    pairs = [orders.StationPairInput(from_station_id=ID("NSR:StopPlace:1"), to_station_id=ID("NSR:StopPlace:2"))]
    return orders.CreateManualOrderInput(
        employee_id=Long(employee), ticket_type_id=ID("3"), station_pairs=pairs, **days, **more
    )


@pytest.mark.parametrize(("viewer", "employee"), [(VIEWER, 302), (INTERNAL, 402), (BOUND, 502)])
async def test_writes_of_orders_and_rights(watch: Watch, viewer: Viewer, employee: int) -> None:
    watch.asks(viewer)
    write = partial(carried_out, watch)
    travel: Any = {"travel_type_id": ID("3"), "fip_ticket_type_id": ID("3")}
    order = await write(orders.create_manual_order, some_rights(employee, **travel))
    await write(orders.delete_manual_order, orders.DeleteManualOrderInput(manual_order_id=ID(str(order.id))))
    for system in orders.SyncSystem:
        synced = {"sync_timestamp": Some(datetime.now(UTC))}
        status = made(orders.SetTicketRightSyncStatusInput, ticketright_id=Long(employee), system=system, **synced)
        await write(orders.set_ticket_right_sync_status, status)


@pytest.mark.parametrize("viewer", CLIENTS)
async def test_calculations(watch: Watch, viewer: Viewer) -> None:
    """Of an employee with the family, and of a company of some dozens of employees."""
    watch.asks(viewer)
    act = calculation.calculate_ticket_rights
    whose: Any
    for whose, is_dry in product(({"employee_id": Long(102)}, {"company_id": Long(COMPANY)}), (True, False)):
        given = calculation.CalculateTicketRightsInput(**whose, dry_run=is_dry)
        async with watch.judged(times=2):
            outcome = await calculate(watch, act, given)
        assert outcome


async def calculate(watch: Watch, act: Any, given: Any) -> Any:
    """What a mutation answers, which is not refused."""
    outcome = await carry_out(watch.context, act.__name__, act, given, key=uuid.uuid4().hex)
    assert outcome.user_errors == ()
    return outcome.value


async def test_rules(watch: Watch) -> None:
    watch.asks(INTERNAL)
    asks = rules.RuleConditionsInput(holder_kinds=[HolderKind.EMPLOYEE], employment_types=["3code"], product_id=ID("3"))
    given: Any = {"name": uuid.uuid4().hex, "ticket_type_id": ID("3"), "conditions": asks}
    for more in ({"dry_run": True, "company_id": Long(COMPANY)}, {}):
        async with watch.judged(times=2):
            made_ = await calculate(watch, rules.create_ticket_rule, made(rules.CreateTicketRuleInput, **given, **more))
    change: Any = {"rule_id": ID(str(made_.id if hasattr(made_, "id") else made_["rule"].id)), "is_active": Some(False)}
    for more in ({"dry_run": True, "company_id": Long(COMPANY)}, {}):
        async with watch.judged(times=2):
            await calculate(watch, rules.update_ticket_rule, made(rules.UpdateTicketRuleInput, **change, **more))


@pytest.mark.parametrize("viewer", CLIENTS)
async def test_imports_of_many(watch: Watch, viewer: Viewer) -> None:
    """Begun by a request, done in the background: new employees, then the same ones with other names."""
    watch.asks(viewer)
    job, number = ImportJob(), uuid.uuid4().hex
    for name in ("Kari", "Ola"):
        rows = [made(uploads.ImportEmployeeRow, **an_import(employee_no=number, first_name=name))]
        given = bulk.ImportEmployeesInput(company_id=Long(COMPANY), employees=rows)
        run = await carried_out(watch, bulk.import_employees, given)
        async with watch.judged():
            assert await job.waiting(watch.database) == [run.id]
        async with watch.judged():
            assert await job.batch(watch.database, run.id)
    async with watch.judged():
        await bulk_statements.remove_old(watch.database, datetime.now(UTC))
    upload = await bulk_statements.begin(watch.database, COMPANY, "hr", datetime.now(UTC))
    async with watch.judged():
        await bulk_statements.add_chunk(watch.database, upload, 0, "x")
        await bulk_statements.complete(watch.database, upload, 1, "x")
        await bulk_statements.remove(watch.database, upload)


@pytest.mark.parametrize("viewer", CLIENTS)
async def test_reports_in_the_background(watch: Watch, viewer: Viewer) -> None:
    watch.asks(viewer)
    job = ReportJob()
    given = reports.StartTaxSavingReportInput(company_id=Long(COMPANY), year=TODAY.year, month=1)
    report = await carried_out(watch, reports.start_tax_saving_report, given)
    async with watch.judged():
        assert await job.waiting(watch.database) == [report.id]
    async with watch.judged():
        assert await job.batch(watch.database, report.id)
    async with watch.judged():
        await job.give_up(watch.database, report.id)


def test_all_tables_of_personnel_are_looked_at() -> None:
    """Those that are read whole are lists of codes and rules, which do not grow with the employees."""
    assert {row.__tablename__ for row in (codes.TicketType, codes.PayType, rights.SimpleRule)} <= CODE_LISTS
    assert {personnel.Employee.__tablename__, rights.TicketRight.__tablename__} & CODE_LISTS == set()
    for kind, values in FILTERS.items():
        assert {field.name for field in fields(kind)} - {"include_deleted"} == values.keys()
    assert {row.__tablename__ for row in statements.CRITERIA} <= {
        "personnel_ticket_product",
        *(along for _, _, along in LISTS.values()),
    }
