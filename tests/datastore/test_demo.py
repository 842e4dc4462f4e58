"""The demo data: the same for a seed, believable, within the rules, and written alike to both databases."""

from collections import Counter
from collections.abc import Iterable
from functools import cache
from itertools import product
from typing import Any

import pytest
from sqlalchemy import func, select, text

from datastore.base import Base
from datastore.customer import Customer, CustomerStatus, Preference, ProfileType
from datastore.database import Database
from datastore.demo import loyalty_programs, loyalty_rows, numbers, people
from datastore.demo.draw import REFERENCE
from datastore.demo.load import AlreadyLoaded, load
from datastore.demo.places import POST_CODES
from datastore.demo.relations import Row
from datastore.sealing import SEALED, CannotOpen, Keyring
from datastore.text import email_key, stored_key
from resolvers import formats
from tests.conftest import KEYS

Tables = dict[str, list[Row]]
ROW_CLASSES = {mapper.local_table.description: mapper.class_ for mapper in Base.registry.mappers}
CATALOGUES = ("preference", *loyalty_programs.TABLES)
LOADED = (*CATALOGUES, *people.TABLES, *loyalty_rows.TABLES)
MANY = 4000


def tables(batches: Iterable[people.Batch]) -> Tables:
    found: Tables = {name: [] for name in people.TABLES}
    for batch in batches:
        for name, rows in batch.rows.items():
            found[name] += rows
    return found


@cache
def demo() -> Tables:
    """Enough customers of the default seed for every kind to be among them. Not to be changed."""
    return tables(people.customers(MANY, 1))


def active_addressees() -> list[Row]:
    """The customers whose email must be unique (rules C05 and A01)."""
    return [
        row
        for row in demo()["customer"]
        if row["profile_type"] is not ProfileType.TEMPORARY and row["status"] is not CustomerStatus.DELETED
    ]


def ignore(customers: int) -> None:
    """No progress is shown."""


async def entities(database: Database, name: str) -> list[Any]:
    async with database.write() as session:
        row_class = ROW_CLASSES[name]
        return list(await session.scalars(select(row_class).order_by(row_class.id)))


async def row_counts(database: Database) -> dict[str, int]:
    async with database.write() as session:
        return {name: await session.scalar(select(func.count()).select_from(ROW_CLASSES[name])) or 0 for name in LOADED}


# The generator


def test_the_same_seed_gives_the_same_customers() -> None:
    assert tables(people.customers(300, 7)) == tables(people.customers(300, 7))


def test_another_seed_gives_other_customers() -> None:
    first, second = (tables(people.customers(100, seed))["customer"] for seed in (1, 2))
    for column in ("uuid", "customer_number", "customer_ref"):
        assert not {row[column] for row in first} & {row[column] for row in second}


def test_the_size_of_the_batches_makes_no_difference() -> None:
    assert tables(people.customers(300, 1, batch_size=7)) == tables(people.customers(300, 1, batch_size=1000))


def test_a_longer_run_begins_with_the_shorter_one() -> None:
    for name, rows in tables(people.customers(250, 1)).items():
        assert demo()[name][: len(rows)] == rows


def test_every_batch_says_how_many_customers_it_has() -> None:
    sizes = [(batch.customers, len(batch.rows["customer"])) for batch in people.customers(25, 1, batch_size=10)]
    assert sizes == [(10, 10), (10, 10), (5, 5)]


def test_keys_count_on_from_those_in_the_database() -> None:
    moved = tables(people.customers(50, 1, highest_keys={"customer": 1000, "ecard": 5000}))
    assert [row["id"] for row in moved["customer"]] == list(range(1001, 1051))
    assert moved["ecard"][0]["id"] == 5001
    assert {row["customer_id"] for row in moved["ecard"]} <= set(range(1001, 1051))
    leads = {row[column] for row in moved["customer"] for column in ("merged_into_id", "parent_id")} - {None}
    assert leads
    assert leads <= set(range(1001, 1051))


def test_more_customers_than_a_seed_has_are_refused() -> None:
    with pytest.raises(ValueError, match="2,500,000"):
        next(people.customers(2_500_001, 1))


def test_rows_have_every_column_of_their_table() -> None:
    for name, rows in demo().items():
        columns = {column.name for column in Base.metadata.tables[name].columns}
        assert all(set(row) == columns for row in rows), name


def test_a_customer_has_about_eighteen_rows() -> None:
    assert 16 < sum(map(len, demo().values())) / MANY < 19


def test_kinds_of_customers_come_in_believable_shares() -> None:
    customers = demo()["customer"]
    shares = {key: count / MANY for key, count in Counter(row["status"] for row in customers).items()}
    assert shares[CustomerStatus.ACTIVE] == pytest.approx(0.943, abs=0.02)
    assert shares[CustomerStatus.DELETED] == pytest.approx(0.02, abs=0.01)
    shares = {key: count / MANY for key, count in Counter(row["profile_type"] for row in customers).items()}
    assert shares[ProfileType.STANDARD] == pytest.approx(0.9, abs=0.02)
    assert shares[ProfileType.TEMPORARY] == pytest.approx(0.04, abs=0.015)
    shares = {key: count / MANY for key, count in Counter(row["organisation_id"] for row in customers).items()}
    assert shares[1] == pytest.approx(0.7, abs=0.03)
    assert set(shares) == {1, 2, 3}


# The rules


@pytest.mark.rule("C40")
def test_merged_profiles_end_at_an_active_one_of_the_organisation_in_one_to_three_steps() -> None:
    by_key = {row["id"]: row for row in demo()["customer"]}
    lengths: Counter[int] = Counter()
    for row in by_key.values():
        steps, target = 0, row
        while target["merged_into_id"] is not None:
            assert target["status"] is CustomerStatus.PASSIVE
            assert target["merged_into_id"] < target["id"], "a circle would need a step ahead"
            target, steps = by_key[target["merged_into_id"]], steps + 1
        if steps:
            lengths[steps] += 1
            assert target["status"] is CustomerStatus.ACTIVE
            assert target["profile_type"] is ProfileType.STANDARD
            assert target["organisation_id"] == row["organisation_id"]
    assert set(lengths) == {1, 2, 3}


@pytest.mark.rule("C90")
def test_connected_profiles_are_temporary_and_have_an_active_standard_parent_in_the_organisation() -> None:
    by_key = {row["id"]: row for row in demo()["customer"]}
    connected = [row for row in by_key.values() if row["parent_id"] is not None]
    assert len(connected) > MANY / 200
    for row in connected:
        parent = by_key[row["parent_id"]]
        assert row["profile_type"] is ProfileType.TEMPORARY
        assert (parent["profile_type"], parent["status"]) == (ProfileType.STANDARD, CustomerStatus.ACTIVE)
        assert parent["organisation_id"] == row["organisation_id"]


@pytest.mark.rule("C05")
def test_emails_are_unique_where_they_must_be() -> None:
    emails = [(row["organisation_id"], row["email_key"]) for row in active_addressees() if row["email_key"]]
    assert len(emails) == len(set(emails)) > MANY * 0.8


@pytest.mark.rule("A01")
def test_temporary_profiles_may_share_an_email() -> None:
    emails = Counter(row["email"] for row in demo()["customer"] if row["profile_type"] is ProfileType.TEMPORARY)
    assert emails["turgruppe@example.no"] > 1


@pytest.mark.rule("C51")
def test_deleted_customers_have_only_an_old_email_and_are_to_be_erased_in_2027() -> None:
    deleted = [row for row in demo()["customer"] if row["status"] is CustomerStatus.DELETED]
    assert any(row["email_old"] for row in deleted)
    for row in deleted:
        assert row["email"] is row["email_key"] is None
        assert row["status_before_deletion"] in (CustomerStatus.ACTIVE, CustomerStatus.PASSIVE)
        assert row["expiration_date"].year == 2027


@pytest.mark.rule("C101")
def test_temporary_customers_expire_and_some_have_no_name() -> None:
    temporary = [row for row in demo()["customer"] if row["profile_type"] is ProfileType.TEMPORARY]
    assert all(row["expiration_date"] > REFERENCE.date() for row in temporary)
    assert {row["surname"] is None for row in temporary} == {True, False}


def test_customers_pass_the_rules_of_the_gateway() -> None:
    for row in demo()["customer"]:
        assert formats.uuid32(row["uuid"])
        assert 1_000_000_000 <= row["customer_number"] <= 9_999_999_999
        assert formats.language(row["language_preference_iso6393"]) == row["language_preference_iso6393"]
        for name in (row["surname"], row["first_name"]):
            assert name is None or formats.clean(name, 100) == name
        if row["nationality"]:
            assert formats.alpha3(row["nationality"]) == row["nationality"]
        if email := row["email"] or row["email_old"]:
            assert formats.email(email) == email
            assert email.rpartition("@")[2] in ("example.no", "example.com", "example.org")
        if row["country_code"]:
            pair = (row["country_code"], row["telephone_number_no_country_code"])
            assert formats.phone(*pair) == pair
            assert row["telephone_number"] == "".join(pair)
        if row["invoice_organisation_id"]:
            assert formats.organisation_number(row["invoice_organisation_id"])
        assert row["password_hash"] is None


def test_sort_keys_are_those_of_their_text() -> None:
    for row in demo()["customer"]:
        assert row["surname_key"] == stored_key(row["surname"])
        assert row["first_name_key"] == stored_key(row["first_name"])
        assert row["email_key"] == (email_key(row["email"]) if row["email"] else None)
    for row in demo()["postal_address"]:
        assert row["address_line1_key"] == stored_key(row["address_line1"])


def test_names_have_norwegian_letters_old_spellings_particles_and_double_names() -> None:
    surnames = {row["surname"] for row in demo()["customer"] if row["surname"]}
    first_names = {row["first_name"] for row in demo()["customer"] if row["first_name"]}
    for part in ("æ", "ø", "å", "Aa", "von der ", "-"):
        assert any(part in name for name in surnames), part
    assert any(" " in name for name in first_names)
    assert len(surnames) > 300
    assert len(first_names) > 500


def test_times_are_in_order_and_before_the_reference_day() -> None:
    for name, rows in demo().items():
        for row in rows:
            if "created_at" in row:
                assert row["created_at"] <= (row["changed_at"] or REFERENCE) <= REFERENCE, (name, row)
    for row in demo()["customer"]:
        assert row["date_of_birth"] is None or row["date_of_birth"] < row["created_at"].date()
        assert row["date_of_death"] is None or row["date_of_death"] >= row["created_at"].date()
        for column in ("last_sign_in_at", "email_verified_at", "telephone_number_verified_at"):
            assert row[column] is None or row["created_at"] <= row[column] <= REFERENCE


@pytest.mark.rule("C81")
def test_norwegian_addresses_have_a_real_post_code_and_some_are_abroad() -> None:
    countries = Counter(row["country_code"] for row in demo()["postal_address"])
    assert set(countries) == {"NOR", "SWE", "DNK", "DEU"}
    towns = dict(POST_CODES)
    for row in demo()["postal_address"]:
        assert formats.post_code(row["country_code"], row["post_code"]) == row["post_code"]
        if row["country_code"] == "NOR":
            assert row["town"] == towns[row["post_code"]]


def test_post_codes_have_one_town_each() -> None:
    assert len(POST_CODES) == len(dict(POST_CODES)) >= 150
    assert all(len(code) == 4 and town == town.upper() for code, town in POST_CODES)


@pytest.mark.rule("C72")
def test_ecards_have_a_valid_check_digit() -> None:
    for row in demo()["ecard"]:
        operator, number, whole = (
            row["ecard_operator"],
            formats.ecard_number(row["ecard_number"]),
            row["ecard_number_16digits"],
        )
        assert len(operator) == 5
        assert whole[:-1] == operator + number
        assert formats.luhn_is_valid(whole)


@pytest.mark.rule("C76")
def test_a_card_has_one_owner_at_a_time() -> None:
    ownerships: dict[str, list[Row]] = {}
    for row in demo()["ecard"]:
        ownerships.setdefault(row["ecard_number_16digits"], []).append(row)
    assert any(len(rows) > 1 for rows in ownerships.values())
    assert any(row["end_of_ownership"] for row in demo()["ecard"])
    for rows in ownerships.values():
        own = [row for row in rows if row["end_of_ownership"] is None]
        assert len(own) <= 1
        for row in own:
            assert all(row["start_of_ownership"] >= other["end_of_ownership"] for other in rows if other is not row)


@pytest.mark.rule("C77")
def test_cards_are_booked_then_sent_then_owned() -> None:
    for row in demo()["ecard"]:
        if row["booking_date"]:
            assert row["booking_date"] <= row["shipping_date"] <= row["start_of_ownership"].date()
        assert row["end_of_ownership"] is None or row["end_of_ownership"] >= row["start_of_ownership"]


def test_customer_and_card_numbers_of_many_customers_and_seeds_never_meet() -> None:
    pairs = [(seed, index) for seed in (0, 1, 2, 999) for index in (*range(2000), *range(2_499_000, 2_500_000))]
    assert len({numbers.customer_number(*pair) for pair in pairs}) == len(pairs)
    assert len({numbers.ecard(*pair, card)[1] for pair in pairs for card in range(3)}) == 3 * len(pairs)


def test_the_shuffle_of_numbers_can_be_undone() -> None:
    def undone(number: int) -> int:
        for factor in (0x0D1B54A33, 0x1C69B3F75):
            number ^= number >> 17
            number = number * pow(factor, -1, 1 << 33) % (1 << 33)
        return number

    for number in (0, 1, 2, 17, 2**20, 7_499_999_999, 2**33 - 1):
        assert undone(numbers.scrambled(number)) == number


def test_organisation_numbers_are_synthetic_and_valid() -> None:
    for draw in range(3000):
        assert formats.organisation_number(numbers.organisation_number(draw)).startswith("3")


@pytest.mark.rule("C100")
def test_a_customer_has_at_most_one_default_account() -> None:
    defaults = Counter(row["customer_id"] for row in demo()["customer_account"] if row["is_default"])
    assert max(defaults.values()) == 1
    default = {
        row["customer_id"]: row["customer_account_id"] for row in demo()["customer_account"] if row["is_default"]
    }
    assert all(row["customer_account_id"] == default.get(row["id"]) for row in demo()["customer"])


@pytest.mark.rule("F08")
def test_journeys_have_netex_stops_and_legs() -> None:
    for row in demo()["traveller_info"]:
        assert row["legs"]
        assert row["from_stop_place_ref"] != row["to_stop_place_ref"]
        assert row["from_stop_place_ref"].startswith("NSR:StopPlace:")


# The showcase


def test_the_showcase_customer_has_everything() -> None:
    kari, merged, connected = demo()["customer"][:3]
    assert (kari["customer_number"], kari["first_name"], kari["surname"]) == (1000000001, "Kari", "Nordmann")
    assert (kari["organisation_id"], kari["email"]) == (1, "kari.nordmann@example.no")
    assert formats.organisation_number(kari["invoice_organisation_id"])
    assert (merged["customer_number"], merged["merged_into_id"]) == (1000000002, kari["id"])
    assert (connected["customer_number"], connected["parent_id"]) == (1000000003, kari["id"])
    for name in people.TABLES[1:]:
        assert any(row["customer_id"] == kari["id"] for row in demo()[name]), name
    cards = {row["ecard_number_16digits"] for row in demo()["ecard"] if row["customer_id"] == kari["id"]}
    assert cards == {"1616006912504173", "1616006933634710"}


def test_nobody_else_leads_to_the_showcase() -> None:
    for row in demo()["customer"][3:]:
        assert row["merged_into_id"] is None or row["merged_into_id"] > 3
        assert row["parent_id"] is None or row["parent_id"] > 3
    assert all(row["bearer_customer_id"] > 3 for row in demo()["personnel_ticket_bearer"] if row["customer_id"] > 3)


# Loading


async def test_loaded_rows_read_back_as_they_were_made(database: Database) -> None:
    await load(database, 300, 1, ignore)
    made = tables(people.customers(300, 1))
    for name, rows in made.items():
        found = await entities(database, name)
        sealed = [column.name for column in Base.metadata.tables[name].columns if column.info.get(SEALED)]
        read = [{column: getattr(entity, column) for column in rows[0]} for entity in found]
        for row, column in product(read, sealed):
            assert row[column] not in {made[column] for made in rows}
            row[column] = KEYS.open(row[column], Base.metadata.tables[name].c[column])
        assert read == rows, name


async def test_nothing_sensitive_is_loaded_without_a_key(database: Database) -> None:
    database.keys = Keyring()
    with pytest.raises(CannotOpen, match="KUNDEPORT_ENCRYPTION_KEYS"):
        await load(database, 300, 1, ignore)
    assert set((await row_counts(database)).values()) == {0}


async def test_loaded_values_are_stored_as_sqlalchemy_stores_them(database: Database) -> None:
    """Byte for byte: a row written through the entity and the same row written in bulk cannot be told apart."""
    await load(database, 40, 1, ignore)
    stored = "quote({})" if database.dialect == "sqlite" else "{}::text"
    for name in ("preference", *people.TABLES):
        columns = [column.name for column in Base.metadata.tables[name].columns]
        raw = text(f"SELECT {', '.join(stored.format(column) for column in columns)} FROM {name} ORDER BY id")
        before = await database.fetch(raw)
        async with database.write() as session:
            for entity in await session.scalars(select(ROW_CLASSES[name])):
                values = {column: getattr(entity, column) for column in columns if column != "id"}
                await session.execute(
                    Base.metadata.tables[name].update().values(values).where(ROW_CLASSES[name].id == entity.id)
                )
        assert await database.fetch(raw) == before, name


async def test_loading_answers_the_rows_written_and_tells_its_progress(database: Database) -> None:
    told: list[int] = []
    written = await load(database, 1300, 1, told.append)
    assert told == [1000, 300]
    assert written == await row_counts(database)
    assert written["preference"] == 24


async def test_a_second_seed_adds_customers(database: Database) -> None:
    await load(database, 60, 1, ignore)
    written = await load(database, 40, 2, ignore)
    counts = await row_counts(database)
    assert (written["customer"], counts["customer"]) == (40, 100)
    assert (written["preference"], counts["preference"]) == (0, 24)
    kari = [row for row in await entities(database, "customer") if row.surname == "Nordmann"]
    assert len(kari) == 4
    assert kari[3].merged_into_id == kari[2].id == 61


async def test_the_same_seed_cannot_be_loaded_twice(database: Database) -> None:
    await load(database, 20, 5, ignore)
    before = await row_counts(database)
    with pytest.raises(AlreadyLoaded, match="seed 5"):
        await load(database, 100, 5, ignore)
    assert await row_counts(database) == before


async def test_an_interrupted_load_leaves_nothing_behind(database: Database) -> None:
    def interrupt(customers: int) -> None:
        raise KeyError("interrupted")

    with pytest.raises(KeyError):
        await load(database, 50, 1, interrupt)
    assert set((await row_counts(database)).values()) == {0}
    await load(database, 50, 1, ignore)
    assert (await row_counts(database))["customer"] == 50


async def test_preferences_that_an_organisation_has_already_are_kept(database: Database) -> None:
    async with database.write() as session:
        session.add(
            Preference(
                organisation_id=1,
                preference_code="SEAT",
                preference_type="OWN",
                is_active=True,
                created_at=REFERENCE,
                changed_at=REFERENCE,
            )
        )
    assert (await load(database, 30, 1, ignore))["preference"] == 23
    seats = [row for row in await entities(database, "preference") if row.preference_code == "SEAT"]
    assert [row.preference_type for row in seats if row.organisation_id == 1] == ["OWN"]


async def test_rows_can_be_added_after_loading(database: Database) -> None:
    await load(database, 30, 1, ignore)
    async with database.write() as session:
        customer = Customer(
            uuid="x" * 32,
            customer_number=42,
            organisation_id=1,
            customer_ref="42",
            surname="Ny",
            **dict.fromkeys(("created_by", "created_by_channel", "changed_by", "changed_by_channel"), "test"),
            created_at=REFERENCE,
            changed_at=REFERENCE,
        )
        session.add(customer)
        await session.flush()
        assert customer.id > 30


async def test_no_customers_write_only_the_catalogues(database: Database) -> None:
    written = await load(database, 0, 1, ignore)
    assert {name for name, count in written.items() if count} == set(CATALOGUES)
    assert written["preference"] == 24
