"""What the documents are asked of: the demo data, and rows whose values are as nasty as the database takes them."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from itertools import cycle
from typing import Any

import sqlalchemy as sa
from sqlalchemy import select

from datastore import customer as stored
from datastore.audit import Reveal, record_reveals
from datastore.base import Base, KeyText, UtcDateTime
from datastore.database import Database
from datastore.demo.load import load
from datastore.demo.personnel import beside
from datastore.employee import codes, personnel, rights
from datastore.reading import columns
from datastore.viewer import GRANTABLE, TenantKind, Viewer
from resolvers.employee.granting import granting
from resolvers.oslo import today
from schema.node import written
from tests.execution.documents import Name, Pools
from tests.execution.loyalty import loyalty_pools, nasty_contracts
from tests.factories.customer import inserted, some_customers

CUSTOMERS = 300
EMPLOYEES = 150
NASTY = 12
TEXTS = (
    'say "hello"',
    "back\\slash \\n \\u0041 \\",
    "\u0001\u0002\u0003",
    "\u00010\u0003[1]\u0002",
    "\u000e\u000f\u001f\u007f\u0080",
    "a\nb\tc\rd\be\f",
    "🙂👩‍👩‍👧 \U0001f1f3\U0001f1f4",
    "e\u0301a\u030a ǅ ﬁ",
    "\u2028\u2029\ufeff\ufffd\uffff",
    "</script><!--",
    "",
    "NULL",
    "%s %(a)s %%",
    ":name ::text",
    "$1 $$ $x$",
    "{0} {{}} ${a}",
    "'; DROP TABLE customer; --",
    "]}],[{",
    " ",
    "null",
    "a" * 100,
    "ø" * 100,
    "'''",
    '"',
)
"""Texts that a part of the way could take for its own."""
DAYS = (date(1, 1, 1), date(1, 1, 2), date(999, 12, 31), date(9999, 12, 30), date(9999, 12, 31), date(1900, 2, 28))
TIMES = (
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(1, 1, 1, 0, 0, 0, 1000, tzinfo=UTC),
    datetime(999, 1, 1, 1, 1, 1, 999_000, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC),
    datetime(2024, 2, 29, 12, 0, 0, 10_000, tzinfo=UTC),
)
NUMBERS = (2**53 + 1, 2**63 - 1, -(2**63), 0, -1, 2**31)


async def fill(database: Database) -> Pools:
    """Store demo data and nasty rows. Answers what exists then."""
    await load(database, CUSTOMERS, 1, lambda _: None, beside(CUSTOMERS, granting, EMPLOYEES))
    await nasty(database)
    await nasty_personnel(database)
    await nasty_contracts(database, Values())
    await revealed(database)
    return await pools(database)


async def nasty(database: Database) -> None:
    """Customers whose texts, days, times and numbers are the nastiest ones, with everything a customer can have."""
    values = Values()
    given = [
        {
            **values.of(stored.Customer, skip={"parent_id", "merged_into_id"}),
            "customer_number": number,
            "uuid": f"{place:032d}",
        }
        for place, number in enumerate((2**63 - 1, 2**53 + 1, -5, 0, *range(2_000_000_000, 2_000_000_000 + NASTY - 4)))
    ]
    for place, each in enumerate(given):
        each |= {"organisation_id": 1, "customer_ref": f"{TEXTS[place]}{place}"[:40], "email_key": f"nasty{place}"}
        each |= {
            "status": stored.CustomerStatus.ACTIVE,
            "profile_type": stored.ProfileType.STANDARD,
            "version": place or 2**31 - 1,
        }
    made = await some_customers(database, *given)
    for place, customer in enumerate(made):
        below: list[type[Base]] = [
            stored.PostalAddress,
            stored.Ecard,
            stored.CustomerConsent,
            stored.CustomerAccount,
            stored.PersonnelTicketBearer,
            stored.TravellerInfo,
            stored.Note,
        ]
        for row in below:
            for copy in range(2):
                own = {**values.of(row), "customer_id": customer.id}
                if row is stored.Note:
                    own["text"] = database.keys.seal(values.text(100), stored.Note.text)
                if row is stored.PersonnelTicketBearer:
                    own["bearer_customer_id"] = made[place - 1].id
                if row is stored.CustomerAccount:
                    own |= {"customer_account_id": f"{place} {copy}", "is_default": False}
                if row is stored.CustomerConsent:
                    own["consent_code"] = f"{place} {copy} {values.text(40)}"
                if row is stored.Ecard:
                    number = f"99{place:02d}00000{copy}"
                    own |= {
                        "ecard_number": number,
                        "ecard_number_16digits": f"16160{number}0",
                        "ecard_operator": "16160",
                    }
                made_row: Any = (await inserted(database, row, own))[0]
                if row is stored.CustomerConsent:
                    answers = [
                        {
                            **values.of(stored.CustomerConsentAnswer),
                            "customer_id": customer.id,
                            "consent_id": made_row.id,
                        }
                        for _ in range(3)
                    ]
                    await inserted(database, stored.CustomerConsentAnswer, *answers)
        preference = {
            **values.of(stored.Preference),
            "organisation_id": 1,
            "preference_code": f"{place} {values.text(40)}",
        }
        (chosen,) = await inserted(database, stored.Preference, preference)
        choice = {**values.of(stored.CustomerPreference), "customer_id": customer.id, "preference_id": chosen.id}
        await inserted(database, stored.CustomerPreference, choice)
    async with database.write() as session:
        ids = [each.id for each in made]
        # A chain of merged ones and a circle; parents, one of them its own; a deleted one; a temporary one.
        for one, into in ((8, 7), (7, 6), (6, 0), (10, 11), (11, 10)):
            await session.execute(
                sa.update(stored.Customer)
                .where(stored.Customer.id == ids[one])
                .values(merged_into_id=ids[into], status=stored.CustomerStatus.PASSIVE)
            )
        for one, parent in ((1, 0), (2, 1), (3, 3), (0, 5)):
            await session.execute(
                sa.update(stored.Customer).where(stored.Customer.id == ids[one]).values(parent_id=ids[parent])
            )
        await session.execute(
            sa.update(stored.Customer)
            .where(stored.Customer.id == ids[9])
            .values(status=stored.CustomerStatus.DELETED, email_key=None)
        )
        await session.execute(
            sa.update(stored.Customer)
            .where(stored.Customer.id == ids[4])
            .values(profile_type=stored.ProfileType.TEMPORARY)
        )


async def nasty_personnel(database: Database) -> None:
    """Two companies with two employees each, with a family and one of everything; the first one is the customer whose
    number is the greatest one."""
    values, year = Values(), today().year
    kind: Any = (await database.fetch(select(codes.TicketType.id).limit(1)))[0].id
    code: Any = (await database.fetch(select(codes.EmploymentType.code).limit(1)))[0].code
    relation: Any = (await database.fetch(select(codes.FamilyRelation.code).limit(1)))[0].code
    product: Any = (await database.fetch(select(codes.Product.id).limit(1)))[0].id

    async def one(row: type[Any], **more: Any) -> Any:
        given = {**values.of(row), **more}
        for name in {"ssn", "note"}.intersection(row.__table__.columns.keys()):
            if row.__table__.columns[name].info:
                given[name] = database.keys.seal(values.text(100), getattr(row, name))
        return (await inserted(database, row, given))[0]

    for place in range(4):
        if place % 2 == 0:
            company = await one(personnel.Company, organisation_id=1 + place // 2, is_deleted=False)
        employed = {"company_id": company.id, "employment_type_id": code, "employee_no": f"{place} {values.text(30)}"}
        imported = await one(personnel.ImportedEmployee, **employed)
        number = 2**63 - 1 if place == 0 else None
        more = {"id": imported.id, "is_deleted": place == 3, "customer_number": number}
        employee = await one(personnel.Employee, **employed, **more, preferred_product_id=product)
        of = {"employee_id": employee.id}
        member = await one(personnel.FamilyMember, **of, relation_code=relation, customer_number=number)
        await one(personnel.EmployeeYearlyFee, **of, year=year)
        await one(personnel.EmployeeDisabilityProof, **of, year=year + 1)
        await one(personnel.EmployeeCategory, **of, year=year, product_id=product)
        await one(personnel.FamilyMemberLowIncome, family_member_id=member.id, year=year)
        for family_member_id in (None, member.id):
            of_holder = {**of, "family_member_id": family_member_id}
            code_ = f"{place} {family_member_id} {values.text(30)}"
            holder = await one(rights.TicketRightsHolder, **of_holder, ticket_holder_code=code_)
            order = await one(rights.ManualOrder, **of_holder, ticket_type_id=kind)
            right = {**of_holder, "ticket_type_id": kind, "ticket_holder_id": holder.id, "manual_order_id": order.id}
            await one(rights.TicketRight, **right, valid_from=date(1, 1, 1), valid_until=date(9999, 12, 31))
        run = {"company_id": company.id, "started_at": TIMES[0], "finished_at": TIMES[1]}
        await one(rights.EmployeeImport, **run, errors=[{"line": 1, "column": TEXTS[place], "code": "SSN_INVALID"}])
        await one(rights.TaxSavingReport, company_id=company.id, finished=TIMES[place])


class Values:
    """Nasty values, each kind in turn."""

    def __init__(self) -> None:
        self._texts = cycle(TEXTS)
        self._days, self._times, self._numbers = cycle(DAYS), cycle(TIMES), cycle(NUMBERS)
        self._bits = cycle((True, False, False))
        self._nulls = cycle((False, False, False, False, False, True, False))

    def text(self, length: int | None) -> str:
        return next(self._texts)[: length or 100]

    def of(self, row: type[Base], skip: frozenset[str] | set[str] = frozenset()) -> dict[str, Any]:
        """A value for each column of a row that is not made by the database, a key of another row, or derived."""
        made = {}
        for column in columns(row):
            info = {"sort_key_of", "is_derived", "is_secret", "sealed"} & column.info.keys()
            if column.primary_key or column.foreign_keys or info or column.name in skip:
                continue
            made[column.name] = None if column.nullable and next(self._nulls) else self._one(column)
        return made

    def _one(self, column: sa.Column[Any]) -> Any:
        kind: Any = column.type
        if isinstance(kind, sa.Enum):
            return next(iter(kind.enum_class or ()))
        if isinstance(kind, UtcDateTime):
            return next(self._times)
        if isinstance(kind, sa.Date):
            return next(self._days)
        if isinstance(kind, sa.Boolean):
            return next(self._bits)
        if isinstance(kind, sa.JSON):
            return [self.text(100) for _ in range(3)] if next(self._bits) else []
        if isinstance(kind, sa.BigInteger):
            return next(self._numbers)
        if isinstance(kind, sa.Integer):
            return 2**31 - 1
        if isinstance(kind, sa.String | KeyText):
            return self.text(kind.length)
        raise AssertionError(f"no nasty value for {column}")


async def revealed(database: Database) -> None:
    """Entries of the audit log: some looks at sensitive values of the first customers."""
    ids = [row.id for row in await database.fetch(select(stored.Customer.id).order_by(stored.Customer.id).limit(5))]
    viewer = Viewer(1, TenantKind.PARTNER, GRANTABLE, subject='a "subject"', client_id="c\u0001", issuer="https://i")
    for place in range(6):
        seen = {id_: Reveal(f"Look{place}", {"Note.text", "Other.field"}) for id_ in ids[: place + 1]}
        await record_reveals(database, viewer, 'client"', f"id-{place}", f'because "{TEXTS[place]}"', seen)


async def pools(database: Database) -> Pools:
    """What exists in the database, by the names of arguments."""
    customers = list(await database.fetch(select(stored.Customer.__table__).order_by(stored.Customer.id)))
    shown = [*customers[:6], *customers[6:-NASTY:12], *customers[-NASTY:]]
    for wanted in ("merged_into_id", "parent_id"):
        shown += [each for each in customers if getattr(each, wanted)][:4]
    shown += [each for each in customers if each.status is stored.CustomerStatus.DELETED][:3]
    shown += [each for each in customers if each.profile_type is stored.ProfileType.TEMPORARY][:3]
    cards = list(await database.fetch(select(stored.Ecard.__table__).order_by(stored.Ecard.id).limit(6)))
    tickets = list(await database.fetch(select(stored.PersonnelTicketBearer.__table__).limit(3)))
    travellers = list(await database.fetch(select(stored.TravellerInfo.__table__).limit(40)))
    addresses = list(await database.fetch(select(stored.PostalAddress.__table__).limit(3)))
    numbers = [each.customer_number for each in shown]
    emails = [each.email for each in shown if each.email and "@" in each.email]
    references = [each.customer_ref for each in shown]

    def some(values: Iterator[Any] | list[Any]) -> list[Any]:
        return list(dict.fromkeys(each for each in values if each))[:6]

    people, contracts = await personnel_pools(database), await loyalty_pools(database)
    contract_uuids = contracts.pop("uuids")
    nodes = [
        *people.pop("nodes"),
        *contracts.pop("nodes"),
        *(written("Customer", number) for number in numbers),
        written("Customer", 7),
    ]
    values: dict[str, list[Any]] = {
        **people,
        **contracts,
        "customerNumber": [*numbers, 7],
        "customerNumbers": [*numbers, 7],
        "customerReferences": [*references, "unknown"],
        "customerRef": [*references, "unknown"],
        "uuid": [*contract_uuids, *(each.uuid for each in shown), "0" * 32, "not a uuid", "a" * 32],
        "ecardNumber": [
            *(each.ecard_number for each in cards),
            *(each.ecard_number_16digits for each in cards),
            "0000000000",
            "12",
        ],
        "ecardOperator": ["16160", "16161", "x"],
        "username": [*emails[:6], "nobody@example.no"],
        "organisationId": [1, 2, 1, 99],
        "id": [*nodes, "Tm90ZTox", "!", "1", "2"],
        "ids": nodes,
        "firstName": ["a", "K", "Kari", "zz", "$1"],
        "surname": ["N", "a", "Ø", "aa", "%"],
        "email": [*emails[:4], "none@example.no"],
        "countryCode": ["+47", "+46", "47"],
        "telephoneNumberNoCountryCode": some([each.telephone_number_no_country_code for each in shown]),
        "telephoneNumber": some([each.telephone_number for each in shown]),
        "landlineNumber": some([each.landline_number for each in shown]),
        "dateOfBirth": some([str(each.date_of_birth) for each in shown if each.date_of_birth]),
        "vippsId": some([each.vipps_id for each in customers]),
        "invoiceOrganisationId": some([each.invoice_organisation_id for each in customers]),
        "postalAddress": some([(each.address_line1 or "")[:4] for each in addresses]),
        "postCode": some([each.post_code for each in addresses]),
        "ticketRightOwner": some([each.ticket_right_owner for each in tickets]),
        "ticketRightBearer": some([each.ticket_right_bearer for each in tickets]),
        "preferenceId": ["1", "2", "x"],
        "orderId": [*some([each.order_id for each in travellers if each.order_id]), *TEXTS[:4], "unknown"],
        "pticketCustomerNumber": [*tickets_of(customers), *numbers, 7],
        "isActive": [True, False],
        "operation": ["Look1", "Look5", "none"],
        "subject": ['a "subject"', "nobody"],
        "correlationId": ["id-1", "id-9"],
        "first": [3, 1, 2, 5, 20, 0],
        "last": [3, 1, 2, 5, 20, -1],
    }
    return Pools(values)


async def personnel_pools(database: Database) -> dict[str, list[Any]]:
    """What exists of personnel, by the names of arguments; and under `nodes` ids of nodes."""

    async def of(row: type[Any], name: str, count: int) -> list[Any]:
        """The first and the last values of a column."""
        column, key = row.__table__.columns[name], row.__table__.columns["id"]
        found = [
            getattr(each, name)
            for order in (key, key.desc())
            for each in await database.fetch(select(column).order_by(order).limit(count))
        ]
        return [each for each in dict.fromkeys(found) if each is not None]

    companies = await of(personnel.Company, "id", 4)
    employees, members = await of(personnel.Employee, "id", 8), await of(personnel.FamilyMember, "id", 8)
    given = await of(rights.TicketRight, "id", 6)
    keys = {"Company": companies, "Employee": employees, "FamilyMember": members, "TicketRight": given}
    return {
        "companyId": [*companies, 7_000_000],
        "employeeId": [*employees, 7_000_000],
        "familyMemberId": [*members, 7_000_000],
        "ticketHolderId": await of(rights.TicketRightsHolder, "id", 6),
        "employeeNo": await of(personnel.Employee, "employee_no", 4),
        "employmentTypeId": await of(codes.EmploymentType, "code", 4),
        "name": ["a", "B", "Nord", *TEXTS[:3]],
        "code": await of(codes.PostalPlace, "code", 4),
        "country": ["NOR", "SWE", "nor", "x"],
        "validAt": [f"{today().year}-06-01", "2026-01-01", "0001-01-01"],
        "at": [f"{today().year}-06-01", "2026-01-01"],
        "hiredFrom": ["2010-01-01", "0001-01-01"],
        "hiredBefore": ["2010-01-01", "9999-12-31"],
        "issuedFrom": ["2026-01-01", "0001-01-01"],
        "issuedBefore": ["2026-06-01", "9999-12-31"],
        "year": [2025, 2026, 2026, 9999],
        "month": [*range(1, 13), 13],
        "nodes": [written(name, key) for name, each in keys.items() for key in each],
    }


def tickets_of(customers: list[Any]) -> list[int]:
    """Numbers of some personnel-ticket profiles."""
    return [each.customer_number for each in customers if each.profile_type is stored.ProfileType.PERSONNEL_TICKET][:8]


ORDERS: tuple[Mapping[str, Any], ...] = (
    {},
    {"orderBy": {"field": Name("SURNAME")}},
    {"orderBy": {"field": Name("EMAIL"), "direction": Name("DESC")}},
    {"orderBy": {"field": Name("DATE_OF_BIRTH"), "direction": Name("ASC")}},
    {"orderBy": {"field": Name("DATE_OF_BIRTH"), "direction": Name("DESC")}},
    {"filter": {"includeDeleted": True, "includeTemporary": True}, "orderBy": {"field": Name("FIRST_NAME")}},
    {"filter": {"surname": "a"}, "orderBy": {"field": Name("ORGANISATION_ID"), "direction": Name("DESC")}},
)
"""Lists of customers, whose cursors are asked for beforehand."""
EMPLOYEE_ORDERS: tuple[Mapping[str, Any], ...] = (
    {},
    {"orderBy": {"field": Name("EMPLOYEE_NO"), "direction": Name("DESC")}},
    {"orderBy": {"field": Name("HIRE_START_DATE")}, "filter": {"includeDeleted": True}},
)
"""The same of employees."""
