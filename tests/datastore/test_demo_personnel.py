"""The employees of the demo data: the same for a seed, believable, within the rules, and alike on both databases."""

import re
from collections import Counter
from collections.abc import Iterable
from datetime import date
from functools import cache
from itertools import pairwise, product
from typing import Any

import pytest
from sqlalchemy import func, select

from datastore.base import Base
from datastore.database import Database
from datastore.demo import people, personnel_codes
from datastore.demo.draw import REFERENCE, REFERENCE_DAY
from datastore.demo.load import load
from datastore.demo.personnel import LARGEST, beside, company_of, employees_of
from datastore.demo.personnel_codes import CODES, COMPANIES, FIRST_COMPANY, RULES, SECTION, Codes, rule_values
from datastore.demo.personnel_rows import TABLES, YEARS
from datastore.demo.relations import Row
from datastore.employee.codes import EmploymentType, FipTicketType, TicketType, TravelType
from datastore.employee.personnel import Company, FamilyMember
from datastore.employee.rights import SimpleRule
from datastore.sealing import SEALED
from datastore.text import stored_key
from resolvers import formats
from resolvers.employee.eligibility import Conditions, whole_years
from resolvers.employee.granting import granting
from resolvers.employee.rules import contradictions
from tests.conftest import KEYS
from tests.datastore.test_demo import ROW_CLASSES, entities, ignore

Tables = dict[str, list[Row]]
MANY, CUSTOMERS = 3000, 2000
PENSIONERS = {"PENSJONIST", "AFP", "UFØR"}
OTHER_TABLES = {*(row.__tablename__ for row, _ in CODES), "personnel_ticket_product", "postal_place", "station"}


@cache
def codes() -> Codes:
    """The keys of a database with nothing else, without a database."""
    keys = {row: {each["code"]: key for key, each in enumerate(values, 1)} for row, values in CODES}
    products = {each["name"]: key for key, each in enumerate(personnel_codes.PRODUCTS, 1)}
    rules = [
        SimpleRule(id=key, version=1, **rule_values(rule, keys[TicketType], products))
        for key, rule in enumerate(RULES, 1)
        if rule.is_active
    ]
    pensioners = [each["code"] for each in dict(CODES)[EmploymentType] if each.get("is_pensioner")]
    assert set(pensioners) == PENSIONERS
    companies = range(FIRST_COMPANY, FIRST_COMPANY + len(COMPANIES))
    return Codes(
        keys[TicketType], keys[TravelType], keys[FipTicketType], products, companies, rules, frozenset(pensioners)
    )


def made(count: int, seed: int = 1, customers: int = CUSTOMERS, **more: Any) -> Tables:
    return tables(employees_of(count, customers, seed, codes(), granting, **more))


def tables(batches: Iterable[people.Batch]) -> Tables:
    found: Tables = {name: [] for name in TABLES}
    for batch in batches:
        for name, rows in batch.rows.items():
            found[name] += rows
    return found


@cache
def demo() -> Tables:
    """The employees beside the customers of `kundeport demo`. Not to be changed."""
    return made(MANY)


def by_key(name: str) -> dict[int, Row]:
    return {row["id"]: row for row in demo()[name]}


async def counts(database: Database) -> dict[str, int]:
    names = (*TABLES, *OTHER_TABLES, "company", "simple_rule", "simple_rule_version")
    async with database.write() as session:
        return {name: await session.scalar(select(func.count()).select_from(ROW_CLASSES[name])) or 0 for name in names}


# The generator


def test_the_same_seed_gives_the_same_employees_whatever_the_size_of_the_batches() -> None:
    assert made(150, 7) == made(150, 7, batch_size=11)


def test_a_longer_run_begins_with_the_shorter_one() -> None:
    for name, rows in made(100).items():
        assert demo()[name][: len(rows)] == rows, name


def test_another_seed_gives_other_employees() -> None:
    first, second = (made(60, seed)["ticket_rights_holder"] for seed in (1, 2))
    assert not {row["ticket_holder_code"] for row in first} & {row["ticket_holder_code"] for row in second}


def test_keys_count_on_from_those_in_the_database() -> None:
    moved = made(20, highest_keys={"imported_employee": 700, "employee": 9, "family_member": 50})
    assert [row["id"] for row in moved["imported_employee"]] == list(range(701, 721))
    assert [row["id"] for row in moved["employee"]] == list(range(701, 721))
    assert {row["employee_id"] for row in moved["ticket_right"]} <= set(range(701, 721))
    assert moved["family_member"][0]["id"] == 51


def test_rows_have_every_column_of_their_table() -> None:
    for name, rows in demo().items():
        columns = {column.name for column in Base.metadata.tables[name].columns}
        assert rows, name
        assert all(set(row) == columns for row in rows), name


def test_there_are_three_employees_to_two_customers_but_no_more_than_railways_have() -> None:
    assert [beside(customers, granting).employees for customers in (1, 2_000, 1_000_000)] == [1, 3_000, LARGEST]
    assert beside(2_000, granting, 0).employees == 0


@pytest.mark.rule("E02")
def test_one_company_is_large_and_no_company_has_the_number_of_an_organisation() -> None:
    sizes = Counter(row["company_id"] for row in demo()["employee"])
    assert sizes[FIRST_COMPANY] > 2_000
    assert min(sizes.values()) > 30
    assert not set(sizes) & {company.organisation_id for company in COMPANIES}
    assert {company.organisation_id for company in COMPANIES} == {1, 2, 3}


def test_employees_are_of_every_kind() -> None:
    rows = demo()["employee"]
    assert {row["employment_type_id"] for row in rows} == {each["code"] for each in dict(CODES)[EmploymentType]}
    assert sum(row["employment_type_id"] in PENSIONERS for row in rows) / MANY == pytest.approx(0.11, abs=0.02)
    for name in ("is_deleted", "abstain_from_ticket", "leave_from_date", "hire_end_date", "disability_grade", "note"):
        assert 10 < sum(bool(row[name]) for row in rows) < MANY / 3, name
    assert any(row["hire_start_date"] > REFERENCE_DAY for row in rows)


@pytest.mark.rule("E05", "F02")
def test_people_have_synthetic_identity_numbers() -> None:
    for row in (*demo()["employee"], *demo()["family_member"]):
        born = row["date_of_birth"]
        assert (row["ssn"] is None) == (born is None)
        if born is not None:
            assert re.fullmatch("[0-9]{5}", row["ssn"])
            assert formats.fodselsnummer_is_valid(f"{born:%d}{born.month + 80}{born:%y}{row['ssn']}")


@pytest.mark.rule("E08", "E09", "E10")
def test_employments_pass_the_rules_of_the_gateway() -> None:
    known = {row.__tablename__: {each["code"] for each in values} for row, values in CODES}
    for row in demo()["employee"]:
        assert whole_years(row["date_of_birth"], row["hire_start_date"]) >= 18
        assert (row["hire_end_cause"] is None) == (row["hire_end_date"] is None)
        assert row["hire_end_date"] is None or row["hire_end_date"] >= row["hire_start_date"]
        assert row["hire_end_cause"] in {None, *known["employment_end_cause"]}
        assert row["pay_type"] in known["pay_type"]
        assert row["employment_type_id"] in known["employment_type"]
        assert 0 <= row["employment_percentage"] == row["paid_percentage"] <= 100
        assert (row["disability_grade"] > 0) == (row["disability_from_date"] is not None)
        assert row["created_at"] <= row["last_update"] <= REFERENCE
        assert row["surname_key"] == stored_key(row["surname"])
        for name in (row["first_name"], row["surname"]):
            assert formats.clean(name, 100) == name


@pytest.mark.rule("E01", "E11", "E12")
def test_employees_are_made_of_imported_ones_and_have_the_prefix_of_the_company() -> None:
    imported = by_key("imported_employee")
    prefixes = {company: COMPANIES[place].prefix or "" for place, company in enumerate(codes().companies)}
    assert set(prefixes.values()) == {"", "FX-"}
    own = {"employee_no", "customer_number", "surname_key", "note"}
    for row in demo()["employee"]:
        source = imported[row["id"]]
        assert source["note"] is None
        assert row["employee_no"] == prefixes[row["company_id"]] + source["employee_no"]
        assert {name: value for name, value in row.items() if name not in own} == {
            name: value for name, value in source.items() if name not in own
        }
    numbers = [(row["company_id"], row["employee_no"]) for row in demo()["employee"]]
    assert len(set(numbers)) == len(numbers)


@pytest.mark.rule("E21")
def test_everybody_is_one_holder_with_a_code_of_three_parts() -> None:
    holders = demo()["ticket_rights_holder"]
    persons = [(row["employee_id"], row["family_member_id"]) for row in holders]
    family = [(row["employee_id"], row["id"]) for row in demo()["family_member"]]
    assert Counter(persons) == Counter([*((row["id"], None) for row in demo()["employee"]), *family])
    found = [row["ticket_holder_code"] for row in holders]
    assert len(set(found)) == len(found)
    assert all(re.fullmatch(r"[A-Z2-9]{5}(-[A-Z2-9]{5}){2}", code) for code in found)


@pytest.mark.rule("E15", "E16", "E17")
def test_what_is_registered_for_years_is_so_once_a_year() -> None:
    for name, owner in (
        ("employee_yearly_fee", "employee_id"),
        ("employee_disability_proof", "employee_id"),
        ("employee_category", "employee_id"),
        ("family_member_low_income", "family_member_id"),
    ):
        found = Counter((row[owner], row["year"]) for row in demo()[name])
        assert set(found.values()) == {1}
        assert {year for _, year in found} == set(YEARS)


@pytest.mark.rule("E20", "G3")
def test_some_employees_are_customers_with_a_personnel_ticket() -> None:
    customers = {row["customer_number"]: row for row in tables_of_customers()}
    organisations = {key: COMPANIES[place].organisation_id for place, key in enumerate(codes().companies)}
    linked = [row for row in demo()["employee"] if row["customer_number"] is not None]
    assert len({row["customer_number"] for row in linked}) == len(linked) > 50
    for row in linked[1:]:
        customer = customers[row["customer_number"]]
        assert customer["profile_type"].name == "PERSONNEL_TICKET"
        assert (row["first_name"], row["surname"]) == (customer["first_name"], customer["surname"])
        assert customer["date_of_birth"] in (None, row["date_of_birth"])
        assert organisations[row["company_id"]] == customer["organisation_id"]
    assert linked[0]["customer_number"] == 1_000_000_002
    assert not [row for row in made(40, customers=0)["employee"][1:] if row["customer_number"]]


def tables_of_customers() -> list[Row]:
    return [row for batch in people.customers(CUSTOMERS, 1) for row in batch.rows["customer"]]


# Rights


@pytest.mark.rule("E30", "E31")
def test_rights_are_within_a_calendar_year_and_do_not_overlap() -> None:
    found: dict[tuple[int, int], list[Row]] = {}
    for row in demo()["ticket_right"]:
        assert row["valid_from"] < row["valid_until"] <= date(row["valid_from"].year + 1, 1, 1)
        found.setdefault((row["ticket_holder_id"], row["ticket_type_id"]), []).append(row)
    assert {row["valid_from"].year for row in demo()["ticket_right"]} == set(YEARS)
    for rows in found.values():
        ordered = sorted(rows, key=lambda row: row["valid_from"])
        assert all(one["valid_until"] <= other["valid_from"] for one, other in pairwise(ordered))


@pytest.mark.rule("E07", "E22")
def test_who_opted_out_is_deleted_or_left_has_no_right() -> None:
    people_, family = by_key("employee"), by_key("family_member")
    for right in demo()["ticket_right"]:
        employee, member = people_[right["employee_id"]], family.get(right["family_member_id"])
        person = member or employee
        assert {person["is_deleted"], person["abstain_from_ticket"], employee["is_deleted"]} == {False}
        if employee["hire_end_date"] and employee["employment_type_id"] not in PENSIONERS:
            assert right["valid_from"] <= employee["hire_end_date"]


@pytest.mark.rule("E32")
def test_employees_have_two_rights_at_most_pensioners_and_families_one() -> None:
    day, most = date(2026, 3, 1), {"employee": 0, "pensioner": 0, "family": 0}
    people_ = by_key("employee")
    by_rules = [row for row in demo()["ticket_right"] if row["rule_id"] is not None]
    valid = [row for row in by_rules if row["valid_from"] <= day < row["valid_until"]]
    for (_, member, employee), count in Counter(
        (row["ticket_holder_id"], row["family_member_id"], row["employee_id"]) for row in valid
    ).items():
        is_pensioner = people_[employee]["employment_type_id"] in PENSIONERS
        kind = "family" if member else "pensioner" if is_pensioner else "employee"
        most[kind] = max(most[kind], count)
    assert most == {"employee": 2, "pensioner": 1, "family": 1}
    assert {row["rule_id"] for row in by_rules} == {rule.id for rule in codes().rules}


@pytest.mark.rule("E33")
def test_the_holder_of_a_right_is_the_employee_or_one_of_the_family() -> None:
    holders = by_key("ticket_rights_holder")
    for row in demo()["ticket_right"]:
        holder = holders[row["ticket_holder_id"]]
        assert all(holder[name] == row[name] for name in ("employee_id", "family_member_id"))


@pytest.mark.rule("E34")
def test_rights_are_in_every_state_of_being_sent() -> None:
    states = Counter(
        (row["ticket_error_message"] is not None, row["ticket_sync_timestamp"] is not None)
        for row in demo()["ticket_right"]
    )
    assert set(states) == {(False, False), (True, False), (False, True)}
    assert all(row["ticket_is_ready_to_sync"] or not row["ticket_sync_timestamp"] for row in demo()["ticket_right"])


@pytest.mark.rule("E41", "E42", "E43", "E44")
def test_orders_by_hand_give_rights_and_have_stations_where_their_type_says_so() -> None:
    section, orders = codes().ticket_types[SECTION], by_key("manual_order")
    pairs = {row["manual_order_id"]: row for row in demo()["station_pair"]}
    rights = {row["manual_order_id"]: row for row in demo()["ticket_right"] if row["manual_order_id"]}
    sections = {key for key, row in orders.items() if row["ticket_type_id"] == section}
    assert set(pairs) == set(rights) == sections
    assert 0 < len(sections) < len(orders)
    for key, row in orders.items():
        assert row["issue_date"] <= row["from_date"] <= row["to_date"]
        assert (row["fip_ticket_type_id"] is None) == (key in sections)
        if key in sections:
            right = rights[key]
            assert (right["valid_from"], (right["valid_until"] - row["to_date"]).days) == (row["from_date"], 1)
            assert pairs[key]["from_station_id"] != pairs[key]["to_station_id"]


def test_rules_are_as_the_gateway_stores_them_and_can_be_met() -> None:
    for rule in codes().rules:
        conditions = Conditions.of(rule.conditions)
        assert conditions.stored() == rule.conditions
        assert contradictions(conditions, [code in PENSIONERS for code in conditions.employment_types]) == []


def test_every_company_gets_some_employees_of_its_organisation() -> None:
    for organisation in (1, 2, 3):
        places = {company_of(1, index, organisation) for index in range(500)}
        assert places == {place for place, each in enumerate(COMPANIES) if each.organisation_id == organisation}


# Loading


async def test_loaded_rows_read_back_as_they_were_made(database: Database) -> None:
    told: list[int] = []
    written = await load(database, 60, 1, told.append, beside(60, granting))
    assert told == [60, 90]
    found_counts = await counts(database)
    assert {name: written[name] for name in found_counts} == found_counts
    for name, rows in made(90, customers=60).items():
        found = await entities(database, name)
        sealed = [column.name for column in Base.metadata.tables[name].columns if column.info.get(SEALED)]
        read = [{column: getattr(entity, column) for column in rows[0]} for entity in found]
        for row, column in product(read, sealed):
            if row[column] is not None:
                assert row[column] not in {made[column] for made in rows}
                row[column] = KEYS.open(row[column], Base.metadata.tables[name].c[column])
        assert read == rows, name


async def test_a_second_seed_adds_companies_and_no_codes(database: Database) -> None:
    first = await load(database, 10, 1, ignore, beside(10, granting))
    second = await load(database, 10, 2, ignore, beside(10, granting))
    assert {name: second[name] for name in (*OTHER_TABLES, "simple_rule", "simple_rule_version")} == dict.fromkeys(
        (*OTHER_TABLES, "simple_rule", "simple_rule_version"), 0
    )
    assert (first["simple_rule"], first["simple_rule_version"]) == (len(RULES), len(RULES))
    companies = await entities(database, "company")
    assert [row.id for row in companies] == list(range(FIRST_COMPANY, FIRST_COMPANY + 10))
    assert [companies[place].name for place in (0, 5)] == ["Nordbanen Persontog AS", "Nordbanen Persontog 2 AS"]
    assert [row.id for row in await entities(database, "employee")] == list(range(1, 31))


async def test_codes_that_are_there_already_are_kept(database: Database) -> None:
    changes = {"created_at": REFERENCE, "changed_at": REFERENCE}
    async with database.write() as session:
        session.add(TicketType(code=SECTION, description="Own", is_deleted=True, **changes))
    assert (await load(database, 3, 1, ignore, beside(3, granting)))["ticket_type"] == 5
    kept = [row.description for row in await entities(database, "ticket_type") if row.code == SECTION]
    assert kept == ["Own"]


async def test_an_interrupted_load_leaves_nothing_behind(database: Database) -> None:
    def interrupt(done: int) -> None:
        if done == 7:
            raise KeyError("interrupted")

    with pytest.raises(KeyError):
        await load(database, 5, 1, interrupt, beside(5, granting))
    assert set((await counts(database)).values()) == {0}


async def test_rows_can_be_added_after_loading(database: Database) -> None:
    await load(database, 4, 1, ignore, beside(4, granting))
    changes = {"created_at": REFERENCE, "changed_at": REFERENCE}
    by = {"created_at": REFERENCE, "created_by": "test", "updated_at": REFERENCE, "updated_by": "test"}
    async with database.write() as session:
        company = Company(organisation_id=1, name="Ny", **changes)
        member = FamilyMember(employee_id=1, relation_code="BARN", first_name="Ny", surname="Ny", **by)
        session.add_all((company, member))
        await session.flush()
        assert company.id >= FIRST_COMPANY + len(COMPANIES)
        assert member.id > 3


async def test_without_employees_there_are_the_companies_and_codes_alone(database: Database) -> None:
    written = await load(database, 3, 1, ignore, beside(3, granting, 0))
    assert written["company"] == len(COMPANIES)
    assert not any(written.get(name) for name in TABLES)
