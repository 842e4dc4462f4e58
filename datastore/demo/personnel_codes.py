"""What the personnel of the demo data stand on: code lists, rules about ticket rights, and the companies."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from datastore.demo.draw import REFERENCE
from datastore.demo.numbers import DEFAULT_SEED
from datastore.demo.places import POST_CODES, STOP_PLACES
from datastore.demo.relations import Row
from datastore.employee.calculation import rules_in_use, version_of
from datastore.employee.codes import (
    EmploymentEndCause,
    EmploymentType,
    FamilyRelation,
    FipTicketType,
    PayType,
    PostalPlace,
    Product,
    Station,
    TicketRightType,
    TicketType,
    TravelType,
)
from datastore.employee.personnel import Company
from datastore.employee.rights import SimpleRule
from datastore.reading import within

CREATED = datetime(2015, 1, 1, tzinfo=UTC)
CHANGES = {"created_at": CREATED, "changed_at": CREATED}
AUTHOR = "jbd.regelverk"

NORWAY, NORDIC = "Personalbillett Norge", "Personalbillett Norden"
PRIVATE, NORDIC_PRIVATE, FAMILY, WORK, SECTION, FIP = (
    *("NO-PRIVAT-SØLV", "NORDEN-PRIVAT-SØLV", "NO-PRIVAT-BRONSE", "NO-TJENESTE", "NO-STREKNING", "FIP"),
)

CODES: Sequence[tuple[Any, Sequence[Row]]] = (
    (
        PayType,
        (
            {"code": "MÅNED", "description": "Månedslønn"},
            {"code": "TIME", "description": "Timelønn"},
            {"code": "PENSJON", "description": "Pensjon"},
            {"code": "UKE", "description": "Ukelønn (utgått)", "is_deleted": True},
        ),
    ),
    (
        EmploymentType,
        (
            {"code": "FAST", "description": "Fast ansatt"},
            {"code": "MIDLERTIDIG", "description": "Midlertidig ansatt"},
            {"code": "VIKAR", "description": "Vikar"},
            {"code": "LÆRLING", "description": "Lærling"},
            {"code": "PENSJONIST", "description": "Alderspensjonist", "is_pensioner": True},
            {"code": "AFP", "description": "Avtalefestet pensjon", "is_pensioner": True},
            {"code": "UFØR", "description": "Uførepensjonist", "is_pensioner": True},
        ),
    ),
    (
        EmploymentEndCause,
        (
            {"code": "OPPSIGELSE", "description": "Sa opp selv"},
            {"code": "PENSJON", "description": "Gikk av med pensjon"},
            {"code": "AVTALESLUTT", "description": "Midlertidig avtale løp ut"},
            {"code": "OVERFØRT", "description": "Overført til et annet selskap"},
            {"code": "DØD", "description": "Død"},
        ),
    ),
    (
        FamilyRelation,
        (
            {"code": "EKTEFELLE", "description": "Ektefelle eller registrert partner"},
            {"code": "SAMBOER", "description": "Samboer"},
            {"code": "BARN", "description": "Barn eller adoptivbarn"},
            {"code": "FOSTERBARN", "description": "Fosterbarn"},
        ),
    ),
    (
        TravelType,
        (
            {"code": "PRIVAT", "description": "Privatreise"},
            {"code": "TJENESTE", "description": "Tjenestereise"},
        ),
    ),
    (
        FipTicketType,
        (
            {"code": "FIP-KUPONG", "description": "Kupong med fire felter"},
            {"code": "FIP-50", "description": "Billett til halv pris"},
            {"code": "FIP-GLOBAL", "description": "Billett til globalpris, bundet til ett tog"},
        ),
    ),
    (
        TicketType,
        (
            {
                "code": PRIVATE,
                "description": "Privatreise i Norge, ansatte og pensjonister",
                "country_code": "NOR",
                "ticket_right_type": TicketRightType.SILVER,
            },
            {
                "code": NORDIC_PRIVATE,
                "description": "Privatreise i Norden, ansatte og pensjonister",
                "ticket_right_type": TicketRightType.SILVER,
            },
            {
                "code": FAMILY,
                "description": "Privatreise i Norge, familie og vikarer",
                "country_code": "NOR",
                "ticket_right_type": TicketRightType.BRONZE,
            },
            {"code": WORK, "description": "Tjenestereise og reise til arbeid i Norge", "country_code": "NOR"},
            {
                "code": SECTION,
                "description": "Mellom to stasjoner i Norge, bestilles for hånd",
                "country_code": "NOR",
                "can_have_station_pairs": True,
                "generates_ticket_rights": True,
            },
            {"code": FIP, "description": "Internasjonal rabatt, bestilles for hånd"},
        ),
    ),
)
"""Row class -> its codes."""
PRODUCTS: Sequence[Row] = (
    {"name": NORWAY, "valid_from": date(2015, 1, 1)},
    {"name": NORDIC, "valid_from": date(2020, 1, 1)},
    {"name": "Fribillett (utgått)", "valid_from": date(2015, 1, 1), "valid_until": date(2021, 1, 1)},
)
STATION_NAMES = (
    *("Oslo S", "Lillestrøm", "Gardermoen", "Hamar", "Lillehammer", "Dombås", "Åndalsnes", "Trondheim S", "Steinkjer"),
    *("Mo i Rana", "Bodø", "Røros", "Drammen", "Kongsberg", "Kristiansand", "Egersund", "Stavanger", "Geilo", "Voss"),
    *("Bergen", "Moss", "Fredrikstad", "Halden", "Gjøvik", "Ås"),
)
STATIONS: Sequence[Row] = tuple(
    {"id": place, "name": name} for place, name in zip(STOP_PLACES, STATION_NAMES, strict=False)
)

ASKED: Mapping[str, Any] = {
    "holder_kinds": ["EMPLOYEE"],
    "employment_types": [],
    "min_employment_percentage": None,
    "product_id": None,
    "yearly_fee_paid": True,
    "disability_proof_registered": False,
    "min_disability_grade": None,
    "low_income_registered": False,
    "family_relations": [],
    "min_age": None,
    "max_age": None,
    "includes_leave": False,
}
"""What a rule asks for that says nothing else: all that conditions can have."""


class DemoRule(NamedTuple):
    """A rule of the demo data. `asked` is what its conditions differ in from `ASKED`; the product is named."""

    name: str
    ticket_type: str
    asked: Mapping[str, Any]
    product: str | None = None
    is_active: bool = True


LASTING, SHORT = ["FAST", "MIDLERTIDIG", "LÆRLING"], ["VIKAR"]
RULES = (
    DemoRule("Ansatte, privatreise", PRIVATE, {"employment_types": LASTING, "min_employment_percentage": 20}, NORWAY),
    DemoRule("Ansatte, privatreise i Norden", NORDIC_PRIVATE, {"employment_types": LASTING}, NORDIC),
    DemoRule("Vikarer, privatreise", FAMILY, {"employment_types": SHORT, "min_employment_percentage": 50}),
    DemoRule("Ansatte, tjenestereise", WORK, {"yearly_fee_paid": False}),
    DemoRule("Pensjonister, privatreise", PRIVATE, {"holder_kinds": ["PENSIONER"], "includes_leave": True}, NORWAY),
    DemoRule(
        "Pensjonister, privatreise i Norden",
        NORDIC_PRIVATE,
        {"holder_kinds": ["PENSIONER"], "includes_leave": True},
        NORDIC,
    ),
    DemoRule(
        "Ansatte med uførhet i permisjon, privatreise",
        PRIVATE,
        {"disability_proof_registered": True, "min_disability_grade": 50, "includes_leave": True},
        NORWAY,
    ),
    DemoRule(
        "Ektefelle og samboer, privatreise",
        FAMILY,
        {"holder_kinds": ["FAMILY_MEMBER"], "family_relations": ["EKTEFELLE", "SAMBOER"]},
    ),
    DemoRule(
        "Barn, privatreise",
        FAMILY,
        {"holder_kinds": ["FAMILY_MEMBER"], "family_relations": ["BARN", "FOSTERBARN"], "max_age": 17},
    ),
    DemoRule(
        "Ungdom med lav inntekt, privatreise",
        FAMILY,
        {
            "holder_kinds": ["FAMILY_MEMBER"],
            "family_relations": ["BARN", "FOSTERBARN"],
            "min_age": 18,
            "max_age": 25,
            "low_income_registered": True,
        },
    ),
    DemoRule("Ansatte, privatreise (til 2020)", PRIVATE, {"min_employment_percentage": 50}, is_active=False),
)


class DemoCompany(NamedTuple):
    """A company of the demo data: of 100 employees, `share` are its. `is_deleted` goes with a company that was closed:
    whoever worked there has left."""

    name: str
    organisation_id: int
    share: int
    prefix: str | None = None
    separator: str = ","
    allow_e_tickets: bool = False
    allow_local_employees: bool = False
    post_code: str = "0155"
    address_line: str = "Jernbanetorget 1"
    is_deleted: bool = False


COMPANIES = (
    DemoCompany("Nordbanen Persontog AS", 1, 72, allow_e_tickets=True),
    DemoCompany("Fjordekspressen AS", 1, 8, "FX-", ";", post_code="5015", address_line="Strømgaten 4"),
    DemoCompany("Sørvestbanen AS", 2, 12, None, ";", True, True, "4006", "Jernbaneveien 3"),
    DemoCompany("Østskinner Vedlikehold AS", 3, 6, allow_local_employees=True, post_code="2317"),
    DemoCompany("Gamle Kystbanen AS", 1, 2, post_code="3015", address_line="Strømsø torg 7", is_deleted=True),
)
FIRST_COMPANY = 101
"""The least key of a company here: other numbers than those of the organisations."""


@dataclass(frozen=True, slots=True)
class Codes:
    """The keys that rows refer to: of ticket types and the kinds of FIP tickets by code, of products by name, of
    companies in the order of `COMPANIES`; the rules in use, and which employment types are pensioners'."""

    ticket_types: Mapping[str, int]
    travel_types: Mapping[str, int]
    fip_ticket_types: Mapping[str, int]
    products: Mapping[str, int]
    companies: Sequence[int]
    rules: Sequence[SimpleRule]
    pensioners: Collection[str]


async def add_codes(session: AsyncSession, seed: int) -> tuple[Codes, dict[str, int]]:
    """Add the companies of a seed, and what is missing of the code lists and rules; what is there stays as it is.
    Answers the keys, and how many rows were written by table."""
    written: dict[str, int] = {}
    keys: dict[Any, dict[Any, Any]] = {}
    for row, values in CODES:
        keys[row] = await _added(session, row, values, ("code",), written)
    products = await _added(session, Product, PRODUCTS, ("name",), written)
    places = [{"code": code, "place": town, "country": "NOR"} for code, town in POST_CODES]
    await _added(session, PostalPlace, places, ("code", "country"), written)
    await _added(session, Station, STATIONS, ("id",), written)
    ticket_types = keys[TicketType]
    rules = [rule_values(rule, ticket_types, products) for rule in RULES]
    before = set(await session.scalars(select(SimpleRule.name)))
    await _added(session, SimpleRule, rules, ("name",), written)
    new = [rule for rule in await session.scalars(select(SimpleRule)) if rule.name not in before]
    session.add_all(version_of(rule, CREATED, AUTHOR) for rule in new)
    written["simple_rule_version"] = len(new)
    highest = await session.scalar(select(func.max(Company.id))) or 0
    first = max(FIRST_COMPANY, highest + 1)
    session.add_all(_company(company, key, seed) for key, company in enumerate(COMPANIES, first))
    written["company"] = len(COMPANIES)
    await session.flush()
    found = Codes(
        ticket_types,
        keys[TravelType],
        keys[FipTicketType],
        products,
        range(first, first + len(COMPANIES)),
        await rules_in_use(within(session)),
        set(await session.scalars(select(EmploymentType.code).where(EmploymentType.is_pensioner))),
    )
    session.expunge_all()
    return found, written


async def _added(
    session: AsyncSession, row: Any, each: Sequence[Row], unique: Sequence[str], written: dict[str, int]
) -> dict[Any, Any]:
    """The keys of all rows by what is unique about them, after adding those that are missing."""
    columns = [getattr(row, name) for name in unique]
    present = {tuple(found) for found in await session.execute(select(*columns))}
    missing = [row(**CHANGES, **values) for values in each if tuple(values[name] for name in unique) not in present]
    session.add_all(missing)
    await session.flush()
    written[row.__tablename__] = len(missing)
    return {found[0]: found[-1] for found in await session.execute(select(*columns, row.id).order_by(row.id.desc()))}


def rule_values(rule: DemoRule, ticket_types: Mapping[str, int], products: Mapping[str, int]) -> Row:
    """What is stored of a rule, with the keys of ticket types by code and of products by name."""
    conditions = {**ASKED, **rule.asked}
    if rule.product is not None:
        conditions["product_id"] = products[rule.product]
    return {
        "name": rule.name,
        "ticket_type_id": ticket_types[rule.ticket_type],
        "conditions": conditions,
        "is_active": rule.is_active,
    }


def _company(company: DemoCompany, key: int, seed: int) -> Company:
    name = company.name if seed == DEFAULT_SEED else f"{company.name.removesuffix(' AS')} {seed} AS"
    return Company(
        id=key,
        organisation_id=company.organisation_id,
        name=name,
        postal_code=company.post_code,
        address_line=company.address_line,
        allow_e_tickets=company.allow_e_tickets,
        allow_local_employees=company.allow_local_employees,
        report_separator=company.separator,
        employee_no_prefix=company.prefix,
        is_deleted=company.is_deleted,
        created_at=CREATED,
        changed_at=REFERENCE if company.is_deleted else CREATED,
    )
