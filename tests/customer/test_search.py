"""The search for customers: its criteria, and the order of its answers."""

from datetime import date
from typing import Any

import pytest
from sqlalchemy import func, select

from datastore import customer as stored
from datastore.customer import CustomerStatus, ProfileType
from datastore.customer_reads import SORTS
from datastore.database import Database
from datastore.viewer import Viewer
from resolvers.errors import ErrorCode
from tests.execute import FOREIGNER, INTERNAL, VIEWER, execute, refusal
from tests.factories.customer import (
    a_customer,
    a_deleted_customer,
    a_merged_customer,
    a_personnel_ticket,
    an_address,
    some_customers,
)

SEARCH = """
query ($filter: CustomerFilterInput, $orderBy: CustomerOrder) {
  customers(filter: $filter, orderBy: $orderBy) { nodes { customerNumber } }
}
"""

SURNAMES = """
query ($filter: CustomerFilterInput) {
  customers(filter: $filter, orderBy: {field: SURNAME}) { nodes { surname } }
}
"""

WITH_ADDRESSES = """
query { customers { nodes { postalAddresses { addressLine1 } personnelTicketBearers { ticketRightOwner } } } }
"""

PHONE = {"country_code": "+47", "telephone_number_no_country_code": "91234567", "telephone_number": "+4791234567"}

NAMES_IN_NORWEGIAN_ORDER = [
    "Abel",
    "berg",
    "Berg",
    "BERG",
    "Bergan",
    "de Vries",
    "Dea",
    "Łukasz",
    "Myhre",
    "Müller",
    "O’Neil",
    "ONeil",
    "Zahl",
    "Ærø",
    "Ødegård",
    "Øst",
    "Östberg",
    "Aas",
    "Ås",
    "Aase",
    "Åsen",
]
"""Stored in this order; equal ones stay in the order of their customer numbers."""

FOUND_BY_PREFIX = {
    "berg": ["berg", "Berg", "BERG", "Bergan"],
    "BERGAN": ["Bergan"],
    "ø": ["Ødegård", "Øst", "Östberg"],
    "Ö": ["Ødegård", "Øst", "Östberg"],
    "ØDEGÅRD": ["Ødegård"],
    "o\u0308st": ["Øst", "Östberg"],
    "æ": ["Ærø"],
    "Å": ["Aas", "Ås", "Aase", "Åsen"],
    "aa": ["Aas", "Ås", "Aase", "Åsen"],
    "a\u030as": ["Aas", "Ås", "Aase", "Åsen"],
    "AASE": ["Aase", "Åsen"],
    "A": ["Abel"],
    "o": ["O’Neil", "ONeil"],
    "o'n": ["O’Neil", "ONeil"],
    "mull": [],
    "myll": ["Müller"],
    "de": ["de Vries", "Dea"],
    "de v": ["de Vries"],
    "  Zahl  ": ["Zahl"],
    "z": ["Zahl"],
    "zz": [],
    "x" * 1000: [],
}
"""What is typed -> the names it finds."""


async def found(
    database: Database, viewer: Viewer = VIEWER, order_by: dict[str, str] | None = None, **criteria: Any
) -> list[int]:
    """The numbers of the customers that the search answers."""
    data = await execute(database, SEARCH, viewer, filter=criteria, orderBy=order_by)
    return [int(each["customerNumber"]) for each in data["customers"]["nodes"]]


async def surnames(database: Database, **criteria: Any) -> list[str | None]:
    data = await execute(database, SURNAMES, filter=criteria)
    return [each["surname"] for each in data["customers"]["nodes"]]


@pytest.mark.rule("C48")
class TestCriteria:
    async def test_street_and_post_code_must_be_of_one_address(self, database: Database) -> None:
        kari, per = await a_customer(database), await a_customer(database)
        await an_address(database, kari, address_line1="Storgata 1", post_code="5003")
        await an_address(database, per, address_line1="Storgata 1", post_code="0155")
        await an_address(database, per, address_line1="Kaigaten 2", post_code="5003")

        assert await found(database, postalAddress="Storgata", postCode="5003") == [kari.customer_number]
        assert await found(database, postCode="5003") == [kari.customer_number, per.customer_number]

    @pytest.mark.parametrize(
        ("criteria", "fitting", "other"),
        [
            ({"firstName": "per"}, {"first_name": "Per Olav"}, {"first_name": "Olav Per"}),
            ({"surname": "HANS"}, {"surname": "Hansen"}, {"surname": "Johansen"}),
            ({"email": " Per@Example.NO "}, {"email": "per@example.no"}, {"email": "per@example.no.com"}),
            ({"email": "PÅL@example.no"}, {"email": "pål@example.no"}, {"email": "pal@example.no"}),
            (
                {"countryCode": "+47", "telephoneNumberNoCountryCode": "91234567"},
                PHONE,
                {**PHONE, "country_code": "+46"},
            ),
            ({"telephoneNumber": "+47 912 34 567"}, PHONE, {"telephone_number": "91234567"}),
            ({"landlineNumber": "22 33 44 55"}, {"landline_number": "22334455"}, {"landline_number": "22334456"}),
            ({"dateOfBirth": "1980-02-29"}, {"date_of_birth": date(1980, 2, 29)}, {"date_of_birth": date(1980, 3, 1)}),
            ({"vippsId": "v-1"}, {"vipps_id": "v-1"}, {"vipps_id": "V-1"}),
            (
                {"invoiceOrganisationId": "312345678"},
                {"invoice_organisation_id": "312345678"},
                {"invoice_organisation_id": "312345679"},
            ),
        ],
        ids=lambda value: ",".join(value) if isinstance(value, dict) else None,
    )
    async def test_criterion_finds_who_fits_and_nobody_else(
        self, database: Database, criteria: dict[str, Any], fitting: dict[str, Any], other: dict[str, Any]
    ) -> None:
        _, kari, _ = await some_customers(database, {}, fitting, other)

        assert await found(database, **criteria) == [kari.customer_number]

    @pytest.mark.parametrize(
        ("criteria", "fitting", "other"),
        [
            ({"postalAddress": "kirke"}, {"address_line1": "Kirkegata 2"}, {"address_line1": "Nykirkegata 2"}),
            ({"postCode": "0155"}, {"post_code": "0155"}, {"post_code": "1550"}),
        ],
    )
    async def test_one_of_the_addresses_has_to_fit(
        self, database: Database, criteria: dict[str, Any], fitting: dict[str, Any], other: dict[str, Any]
    ) -> None:
        kari, per, _ = await some_customers(database, {}, {}, {})
        await an_address(database, kari, **other)
        await an_address(database, kari, **fitting)
        await an_address(database, kari, **fitting)
        await an_address(database, per, **other)

        assert await found(database, **criteria) == [kari.customer_number]

    @pytest.mark.rule("A09")
    @pytest.mark.parametrize(
        ("criterion", "column"),
        [("ticketRightOwner", "ticket_right_owner"), ("ticketRightBearer", "ticket_right_bearer")],
    )
    async def test_one_of_the_personnel_tickets_has_to_fit(
        self, database: Database, criterion: str, column: str
    ) -> None:
        kari, per, _ = await some_customers(database, {}, {}, {})
        await a_personnel_ticket(database, kari, **{column: "other"})
        await a_personnel_ticket(database, kari, **{column: "X-7"})
        await a_personnel_ticket(database, per, **{column: "x-7"})

        assert await found(database, VIEWER, None, **{criterion: "X-7"}) == [kari.customer_number]

    async def test_all_criteria_must_hold(self, database: Database) -> None:
        born = date(1980, 1, 1)
        hansen = {"first_name": "Kari", "surname": "Hansen"}
        kari, younger, per, _ = await some_customers(
            database,
            {**hansen, "date_of_birth": born},
            {**hansen, "date_of_birth": date(2000, 1, 1)},
            {**hansen, "first_name": "Per", "date_of_birth": born},
            {**hansen, "surname": "Olsen", "date_of_birth": born},
        )
        await an_address(database, kari, post_code="5003")
        await an_address(database, per, post_code="5003")
        named: dict[str, Any] = {"firstName": "kari", "surname": "hansen"}

        assert await found(database, **named) == [kari.customer_number, younger.customer_number]
        assert await found(database, **named, dateOfBirth="1980-01-01") == [kari.customer_number]
        assert await found(database, surname="hansen", postCode="5003") == [kari.customer_number, per.customer_number]
        assert await found(database, **named, postCode="5003") == [kari.customer_number]
        assert await found(database, **named, postCode="5003", dateOfBirth="2000-01-01") == []

    async def test_without_criteria_all_of_the_organisation_are_found(self, database: Database) -> None:
        mine, _ = await some_customers(database, {}, {"organisation_id": 2})

        data = await execute(database, SEARCH)

        assert data == {"customers": {"nodes": [{"customerNumber": mine.customer_number}]}}

    @pytest.mark.parametrize("half", [{"countryCode": "+47"}, {"telephoneNumberNoCountryCode": "91234567"}])
    async def test_half_a_telephone_number_is_ignored(self, database: Database, half: dict[str, Any]) -> None:
        kari, per = await some_customers(database, PHONE, {"telephone_number": "+4722334455"})

        assert await found(database, **half) == [kari.customer_number, per.customer_number]
        assert await found(database, **half, telephoneNumber="+4722334455") == [per.customer_number]

    @pytest.mark.parametrize("old", ["+4722334455", "no number"])
    async def test_old_telephone_number_is_ignored_if_the_new_pair_is_set(self, database: Database, old: str) -> None:
        kari, _ = await some_customers(database, PHONE, {"telephone_number": "+4722334455"})

        pair: dict[str, Any] = {"countryCode": "+47", "telephoneNumberNoCountryCode": "91234567"}
        assert await found(database, **pair, telephoneNumber=old) == [kari.customer_number]

    async def test_malformed_criterion_is_refused(self, database: Database) -> None:
        pair = ("countryCode", "telephoneNumberNoCountryCode")
        for criteria, code in (
            (dict(zip(pair, ("+47", "9123-4567"), strict=True)), ErrorCode.PHONE_NUMBER_INVALID),
            (dict(zip(pair, ("47", "91234567"), strict=True)), ErrorCode.PHONE_NUMBER_INVALID),
            ({"telephoneNumber": "call me"}, ErrorCode.PHONE_NUMBER_INVALID),
            ({"landlineNumber": ""}, ErrorCode.PHONE_NUMBER_INVALID),
            ({"dateOfBirth": "31.01.1980"}, ErrorCode.VALUE_INVALID),
            ({"dateOfBirth": "1981-02-29"}, ErrorCode.VALUE_INVALID),
            ({"organisationId": 2**63}, ErrorCode.VALUE_INVALID),
            ({"includeTemporary": "yes"}, ErrorCode.VALUE_INVALID),
            ({"shoeSize": 43}, ErrorCode.VALUE_INVALID),
        ):
            assert await refusal(database, SEARCH, filter=criteria) is code, criteria

    async def test_text_without_letter_or_digit_is_refused_as_it_would_find_everybody(self, database: Database) -> None:
        for name in ("firstName", "surname", "postalAddress"):
            for blank in ("", "  ", "-", ".,;!?", "'", "%", "\N{ZERO WIDTH SPACE}"):
                assert await refusal(database, SEARCH, filter={name: blank}) is ErrorCode.REQUIRED, (name, blank)

    async def test_blank_text_is_no_criterion(self, database: Database) -> None:
        for name in ("email", "vippsId", "invoiceOrganisationId", "postCode", "ticketRightOwner", "ticketRightBearer"):
            for blank in ("", "  "):
                assert await refusal(database, SEARCH, filter={name: blank}) is ErrorCode.REQUIRED, (name, blank)

    async def test_a_text_to_search_by_is_trimmed(self, database: Database) -> None:
        kari = await a_customer(database, email="kari@example.no")
        await an_address(database, kari, post_code="5003")

        assert await found(database, postCode=" 5003 ", email=" Kari@example.no ") == [kari.customer_number]

    async def test_missing_value_is_not_found_by_the_value_that_it_sorts_as(self, database: Database) -> None:
        await a_customer(database, email=None, date_of_birth=None)

        assert await found(database, email="\U0010ffff") == []
        assert await found(database, dateOfBirth="9999-12-31") == []

    async def test_no_character_is_a_wildcard(self, database: Database) -> None:
        await a_customer(database, vipps_id="Nordmann", email="kari@example.no")

        for pattern in ("%", "_", "Nord%", "N_rdmann", "Nordmann' OR '1'='1", "Nordmann\\", "*"):
            assert await found(database, vippsId=pattern) == [], pattern
        assert await found(database, surname="N_rd") == []
        assert await found(database, email="%@example.no") == []

    async def test_addresses_and_personnel_tickets_come_with_the_customers(self, database: Database) -> None:
        kari = await a_customer(database)
        await an_address(database, kari)
        await a_personnel_ticket(database, kari)

        data = await execute(database, WITH_ADDRESSES)

        ticket, address = {"ticketRightOwner": "E1"}, {"addressLine1": "Storgata 1"}
        assert data["customers"]["nodes"] == [{"postalAddresses": [address], "personnelTicketBearers": [ticket]}]


class TestHidden:
    @pytest.mark.rule("C49")
    async def test_temporary_profiles_are_hidden_unless_asked_for(self, database: Database) -> None:
        kari, staff, temporary = [
            row.customer_number
            for row in await some_customers(
                database, {}, {"profile_type": ProfileType.PERSONNEL_TICKET}, {"profile_type": ProfileType.TEMPORARY}
            )
        ]

        assert await found(database) == [kari, staff]
        assert await found(database, includeTemporary=False) == [kari, staff]
        assert await found(database, includeTemporary=True) == [kari, staff, temporary]

    @pytest.mark.rule("C43")
    async def test_deleted_customers_are_hidden_unless_asked_for(self, database: Database) -> None:
        passive = await a_customer(database, status=CustomerStatus.PASSIVE)
        deleted = await a_deleted_customer(database)

        assert await found(database) == [passive.customer_number]
        assert await found(database, includeDeleted=True) == [passive.customer_number, deleted.customer_number]

    @pytest.mark.rule("C40")
    async def test_merged_profiles_are_left_out(self, database: Database) -> None:
        survivor = await a_customer(database)
        await a_merged_customer(database, survivor, surname="Hansen")

        assert await found(database, includeDeleted=True, includeTemporary=True) == [survivor.customer_number]
        assert await found(database, surname="Hansen") == []


class TestOrganisation:
    async def test_own_organisation_is_searched_unless_an_internal_caller_names_another(
        self, database: Database
    ) -> None:
        mine, theirs = [row.customer_number for row in await some_customers(database, {}, {"organisation_id": 2})]

        assert await found(database, VIEWER) == [mine]
        assert await found(database, VIEWER, organisationId=1) == [mine]
        assert await found(database, FOREIGNER) == [theirs]
        assert await found(database, INTERNAL) == []
        assert await found(database, INTERNAL, organisationId=1) == [mine]
        assert await found(database, INTERNAL, organisationId=2) == [theirs]

    @pytest.mark.rule("T04")
    async def test_other_callers_may_not_name_another_organisation(self, database: Database) -> None:
        for organisation in (2, 0, -1, 2**63 - 1):
            code = await refusal(database, SEARCH, filter={"organisationId": organisation})
            assert code is ErrorCode.ORGANISATION_NOT_ALLOWED, organisation


class TestNorwegianNames:
    async def test_names_are_sorted_as_in_norwegian(self, database: Database) -> None:
        await some_customers(database, *[{"surname": name} for name in NAMES_IN_NORWEGIAN_ORDER])

        assert await surnames(database) == NAMES_IN_NORWEGIAN_ORDER

    async def test_prefix_finds_names_whatever_their_case_and_spelling(self, database: Database) -> None:
        await some_customers(database, *[{"surname": name} for name in [*NAMES_IN_NORWEGIAN_ORDER, None]])

        assert {prefix: await surnames(database, surname=prefix) for prefix in FOUND_BY_PREFIX} == FOUND_BY_PREFIX

    @pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
    async def test_postgresql_compares_all_sorted_texts_byte_by_byte(self, database: Database) -> None:
        await a_customer(database)

        for name in ("first_name", "surname", "email"):
            (collation,) = await database.fetch(select(func.pg_collation_for(SORTS[name])))
            assert collation[0] == '"C"', name


@pytest.mark.rule("C49")
class TestOrder:
    ROWS = (
        {"customer_number": 5_000_000_001, "first_name": "Åse", "email": "b@example.no"},
        {"customer_number": 11, "first_name": "Anne", "surname": "Ås", "date_of_birth": date(1990, 1, 1)},
        {"customer_number": 12, "first_name": None, "surname": None, "email": "Ø@example.no"},
        {"customer_number": 13, "first_name": "anne", "surname": "Berg", "date_of_birth": date(1900, 12, 31)},
        {"customer_number": 14, "first_name": "Ole", "surname": "berg", "email": "A@example.no"},
        {"customer_number": -7, "first_name": "Ole", "surname": "Ærø", "date_of_birth": date(1990, 1, 1)},
    )
    ASCENDING = (
        ("CUSTOMER_NUMBER", [-7, 11, 12, 13, 14, 5_000_000_001]),
        ("FIRST_NAME", [11, 13, -7, 14, 5_000_000_001, 12]),
        ("SURNAME", [13, 14, 5_000_000_001, -7, 11, 12]),
        ("EMAIL", [14, 5_000_000_001, 12, -7, 11, 13]),
        ("DATE_OF_BIRTH", [13, -7, 11, 12, 14, 5_000_000_001]),
        ("ORGANISATION_ID", [-7, 11, 12, 13, 14, 5_000_000_001]),
    )

    @pytest.mark.parametrize(("field", "expected"), ASCENDING)
    async def test_customers_are_sorted_by_every_field_in_both_directions(
        self, database: Database, field: str, expected: list[int]
    ) -> None:
        await some_customers(database, *self.ROWS)

        assert await found(database, order_by={"field": field, "direction": "ASC"}) == expected
        assert await found(database, order_by={"field": field, "direction": "DESC"}) == expected[::-1]

    async def test_customer_number_and_ascending_are_the_defaults(self, database: Database) -> None:
        await some_customers(database, *self.ROWS)
        by_surname = await execute(database, SEARCH, orderBy={"field": "SURNAME"})

        assert await found(database) == self.ASCENDING[0][1]
        assert [each["customerNumber"] for each in by_surname["customers"]["nodes"]] == self.ASCENDING[2][1]

    async def test_unknown_sort_field_or_direction_without_field_is_refused(self, database: Database) -> None:
        for order in (
            {"field": "SHOE_SIZE"},
            {"field": "surname"},
            {"direction": "ASC"},
            {"field": None},
            {"field": "EMAIL", "direction": "UP"},
        ):
            assert await refusal(database, SEARCH, orderBy=order) is ErrorCode.VALUE_INVALID, order

    async def test_names_of_orders_are_those_the_rule_lists(self) -> None:
        assert list(SORTS) == ["customer_number", "first_name", "surname", "email", "date_of_birth", "organisation_id"]
        assert SORTS["customer_number"] is stored.Customer.__table__.c.customer_number
