"""An employee of a company who has one of everything, with a member of the family who has, too."""

from datetime import date
from typing import Any

from datastore.database import Database
from datastore.employee import codes, personnel, rights
from tests.factories.customer import MOMENT, inserted
from tests.factories.employee import (
    a_code,
    a_company,
    a_family_member,
    a_manual_order,
    a_postal_place,
    a_product,
    a_rule,
    a_station,
    a_ticket_right,
    a_ticket_type,
    an_employee,
    the_codes,
)
from tests.security.matrix import COMPANY_ID, CUSTOMER_NUMBER, EMPLOYEE_ID, IMPORT_ID, MEMBER_ID, REPORT_ID, RULE_ID

ALL_KINDS = {"holder_kinds": ["EMPLOYEE", "FAMILY_MEMBER"]}


async def fill_household(database: Database) -> None:
    """Store the code lists, and the household whom the documents of the matrix name, in organisation 1. Employee and
    family member are the customer CUSTOMER_NUMBER."""
    await the_codes(database)
    await a_postal_place(database)
    product = await a_product(database)
    travel, fip = [await a_code(database, row, "ONE") for row in (codes.TravelType, codes.FipTicketType)]
    company = await a_company(database, id=COMPANY_ID)
    same: dict[str, Any] = {"customer_number": CUSTOMER_NUMBER}
    more = {"preferred_product_id": product.id, "hire_end_date": date(2099, 1, 1), "hire_end_cause": "QUIT"}
    ola = await an_employee(database, company, id=EMPLOYEE_ID, note="A note.", **same, **more)
    kari = await a_family_member(database, ola, id=MEMBER_ID, note="A note.", **same)
    employee, member = {"employee_id": ola.id}, {"family_member_id": kari.id}
    yearly: list[tuple[Any, dict[str, Any]]] = [
        (personnel.EmployeeYearlyFee, {**employee, "is_paid": True}),
        (personnel.EmployeeDisabilityProof, {**employee, "is_registered": True}),
        (personnel.EmployeeCategory, {**employee, "product_id": product.id}),
        (personnel.FamilyMemberLowIncome, {**member, "is_registered": True}),
        (rights.TaxSaving, {**employee, "month": 1, "amount": 12_345}),
    ]
    for row, values in yearly:
        await inserted(database, row, {"year": 2026, **values})

    kind = await a_ticket_type(database, generates_ticket_rights=True, can_have_station_pairs=True)
    conditions = {**ALL_KINDS, "product_id": product.id}
    rule = await a_rule(database, kind, id=RULE_ID, conditions=ALL_KINDS)
    await a_rule(database, await a_ticket_type(database, "SE2"), name="In Sweden", conditions=ALL_KINDS)
    await a_rule(database, kind, name="With a product", conditions=conditions)
    past = {"name": "A", "ticket_type_id": kind.id, "conditions": conditions, "is_active": True}
    changed = {"changed_at": MOMENT, "changed_by": "admin"}
    await inserted(database, rights.SimpleRuleVersion, {"rule_id": rule.id, "version": 1, **past, **changed})
    stations = [await a_station(database, f"NSR:StopPlace:{number}") for number in (1, 2)]
    for holder in (ola, kari):
        of_fip = {"fip_ticket_type_id": fip.id, "travel_type_id": travel.id, "ticket_no": "T-1"}
        order = await a_manual_order(database, holder, kind, **of_fip)
        pair = {"from_station_id": stations[0].id, "to_station_id": stations[1].id}
        await inserted(database, rights.StationPair, {"manual_order_id": order.id, **pair})
        given = {"rule_id": rule.id, "rule_version": 1, "manual_order_id": order.id}
        await a_ticket_right(database, holder, kind, **given)
    await inserted(
        database,
        rights.EmployeeImport,
        {
            "id": IMPORT_ID,
            "company_id": company.id,
            "content_hash": "",
            "is_dry_run": False,
            "uploaded_at": MOMENT,
            "started_at": MOMENT,
            "started_by": "hr",
            "finished_at": MOMENT,
            "rows_total": 1,
            "rows_done": 1,
            "failed": 1,
            "errors": [{"line": 1, "column": "ssn", "code": "SSN_INVALID"}],
        },
    )
    report = {"id": REPORT_ID, "company_id": company.id, "year": 2026, "month": 1, "started": MOMENT}
    done = {"finished": MOMENT, "progress": 100, "csv": "", "started_by": "hr"}
    await inserted(database, rights.TaxSavingReport, {**report, **done})
