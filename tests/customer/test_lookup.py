"""One customer by a key, and many by a list of keys."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from datastore import customer as stored
from datastore.customer import CustomerStatus, ProfileType
from datastore.database import Database
from datastore.viewer import TenantKind, Viewer
from resolvers.errors import ErrorCode
from tests.execute import FOREIGNER, INTERNAL, VIEWER, execute, refusal
from tests.factories.customer import (
    a_choice,
    a_consent,
    a_customer,
    a_deleted_customer,
    a_merged_customer,
    a_note,
    a_personnel_ticket,
    a_preference,
    a_traveller_info,
    an_account,
    an_address,
    an_ecard,
    some_customers,
)
from tests.statements import statements

LOOKUP = """
query ($by: CustomerLookup!, $includeDeleted: Boolean! = false) {
  customer(by: $by, includeDeleted: $includeDeleted) { customerNumber }
}
"""

RELATED = """
query ($number: Long!) {
  customer(by: {customerNumber: $number}) { relatedCustomerNumbers relatedCustomers { customerNumber } }
}
"""

BY_KEY = """
query ($numbers: [Long!], $references: [String!]) {
  customersByKey(customerNumbers: $numbers, customerReferences: $references) { customerNumber }
}
"""

ALL_FIELDS = """
query ($by: CustomerLookup!, $includeDeleted: Boolean! = false) {
  customer(by: $by, includeDeleted: $includeDeleted) {
    id customerNumber uuid customerRef organisationId status profileType version
    firstName surname nationality languagePreferenceISO6393 languagePreference email emailOld emailVerifiedAt
    countryCode telephoneNumberNoCountryCode telephoneNumber telephoneNumberVerifiedAt landlineNumber vippsId
    customerAccountId lastSignInAt lastSignInFrom expirationDate
    createdAt createdBy createdByChannel changedAt changedBy changedByChannel
    parentId parent { customerNumber } customerId username
    dateOfBirth { year month day } dateOfDeath { year month day }
    relatedCustomerNumbers relatedCustomers { customerNumber }
    postalAddresses { id } ecards { id } customerConsents { consentCode } consents { consentCode }
    preferences { preferenceId } customerAccounts { id } notes { id } personnelTicketBearers { ticketRightOwner }
    travellerInfos { orderId }
    ecard(ecardOperator: "16160", ecardNumber: "0700000001") { id }
    preference(preferenceId: "1") { preferenceId }
  }
}
"""

UNKNOWN = 999
LARGEST_NUMBER = 2**63 - 1


async def look_up(database: Database, viewer: Viewer = VIEWER, include_deleted: bool = False, **by: Any) -> int | None:
    """The number of the customer that the key leads to."""
    data = await execute(database, LOOKUP, viewer, by=by, includeDeleted=include_deleted)
    return data["customer"] and int(data["customer"]["customerNumber"])


async def by_key(
    database: Database,
    numbers: list[int] | None = None,
    references: list[str] | None = None,
    viewer: Viewer = VIEWER,
) -> list[int]:
    """The numbers of the customers that the keys lead to."""
    data = await execute(database, BY_KEY, viewer, numbers=numbers, references=references)
    return [int(each["customerNumber"]) for each in data["customersByKey"]]


async def every_key(database: Database, customer: stored.Customer) -> list[dict[str, Any]]:
    """The look-ups of a customer that follow merges and hide the deleted: number, reference, e-card; uuid last."""
    card = await an_ecard(database, customer)
    return [
        {"customerNumber": customer.customer_number},
        {"customerRef": {"customerRef": customer.customer_ref}},
        {"customerRef": {"customerRef": customer.customer_ref, "organisationId": customer.organisation_id}},
        {"ecardNumber": card.ecard_number},
        {"ecardNumber": card.ecard_number_16digits},
        {"uuid": customer.uuid},
    ]


async def merge_in_circle(database: Database, *customers: stored.Customer) -> None:
    """Store each as merged into the next, and the last into the first."""
    async with database.write() as session:
        for customer, into in zip(customers, [*customers[1:], customers[0]], strict=True):
            row = stored.Customer
            await session.execute(update(row).where(row.id == customer.id).values(merged_into_id=into.id))


class TestKeys:
    async def test_every_key_finds_its_customer(self, database: Database) -> None:
        await a_customer(database, email="per@example.no")
        kari = await a_customer(database, email="Kari@Example.no")
        keys = await every_key(database, kari)

        found = [await look_up(database, **key) for key in keys]
        by_username = await look_up(database, username={"organisationId": 1, "username": " kari@example.NO "})

        assert found == [kari.customer_number] * 6
        assert by_username == kari.customer_number

    async def test_number_may_be_given_as_text_and_needs_64_bits(self, database: Database) -> None:
        kari = await a_customer(database, customer_number=LARGEST_NUMBER)

        assert await look_up(database, customerNumber=str(LARGEST_NUMBER)) == kari.customer_number
        assert await look_up(database, customerNumber=LARGEST_NUMBER) == kari.customer_number
        assert await look_up(database, customerNumber=-LARGEST_NUMBER - 1) is None

    async def test_unknown_key_answers_null(self, database: Database) -> None:
        await an_ecard(database, await a_customer(database))
        keys: list[dict[str, Any]] = [
            {"customerNumber": UNKNOWN},
            {"customerNumber": 0},
            {"customerRef": {"customerRef": "unknown"}},
            {"customerRef": {"customerRef": ""}},
            {"uuid": "x" * 32},
            {"ecardNumber": "0700000009"},
            {"ecardNumber": "1616007000000099"},
            {"username": {"organisationId": 1, "username": "unknown@example.no"}},
            {"username": {"organisationId": 1, "username": ""}},
        ]

        assert [await look_up(database, **key) for key in keys] == [None] * len(keys)

    async def test_uuid_and_reference_are_compared_with_their_case(self, database: Database) -> None:
        lower = await a_customer(database, uuid="a" * 32, customer_ref="ref-ø")
        upper = await a_customer(database, uuid="A" * 32, customer_ref="REF-Ø")

        assert await look_up(database, uuid="a" * 32) == lower.customer_number
        assert await look_up(database, uuid="A" * 32) == upper.customer_number
        assert await look_up(database, customerRef={"customerRef": "ref-ø"}) == lower.customer_number
        assert await look_up(database, customerRef={"customerRef": "REF-Ø"}) == upper.customer_number
        assert await look_up(database, customerRef={"customerRef": "Ref-ø"}) is None

    async def test_malformed_uuid_is_refused(self, database: Database) -> None:
        for uuid in ("", "x" * 31, "x" * 33, "-" * 32, "ø" * 32, "x" * 31 + "\0", "x" * 32 + "\n", "x" * 1_000_000):
            assert await refusal(database, LOOKUP, by={"uuid": uuid}) is ErrorCode.UUID_INVALID, uuid[:40]

    async def test_malformed_ecard_number_is_refused(self, database: Database) -> None:
        lengths = [number for number in range(20) if number not in (10, 16)]
        for number in [
            *("1" * length for length in lengths),
            "1234 67890",
            "١٢٣٤٥٦٧٨٩٠",
            "123456789\n",
            "1" * 1_000_000,
        ]:
            code = await refusal(database, LOOKUP, by={"ecardNumber": number})
            assert code is ErrorCode.ECARD_NUMBER_INVALID, number[:40]

    async def test_key_of_no_64_bits_or_no_key_or_two_keys_are_refused(self, database: Database) -> None:
        kari = (await a_customer(database)).customer_number
        for by in (
            {"customerNumber": 2**63},
            {"customerNumber": str(2**63)},
            {"customerNumber": -(2**63) - 1},
            {"customerNumber": 1.5},
            {"customerNumber": None},
            {"customerRef": {"customerRef": "R", "organisationId": 2**63}},
            {},
            {"customerNumber": kari, "uuid": "x" * 32},
        ):
            assert await refusal(database, LOOKUP, by=by) is ErrorCode.VALUE_INVALID, by

    async def test_one_lookup_takes_one_statement(self, database: Database) -> None:
        keys = await every_key(database, await a_customer(database, email="kari@example.no"))

        for key in [*keys, {"username": {"organisationId": 1, "username": "kari@example.no"}}]:
            with statements(database) as seen:
                await look_up(database, **key)
            assert len(seen) == 1, key


class TestEcards:
    async def test_ended_ownership_leads_nowhere(self, database: Database) -> None:
        gone = await a_customer(database)
        card = await an_ecard(database, gone, end_of_ownership=datetime.now(UTC) - timedelta(seconds=1))

        assert await look_up(database, ecardNumber=card.ecard_number) is None
        assert await look_up(database, ecardNumber=card.ecard_number_16digits) is None

    async def test_ownership_that_ends_later_still_counts(self, database: Database) -> None:
        kari = await a_customer(database)
        card = await an_ecard(database, kari, end_of_ownership=datetime.now(UTC) + timedelta(hours=1))

        assert await look_up(database, ecardNumber=card.ecard_number) == kari.customer_number

    async def test_card_that_changed_hands_leads_to_its_owner_of_now(self, database: Database) -> None:
        earlier, now, never = await some_customers(database, {}, {}, {})
        start = datetime(2024, 1, 1, tzinfo=UTC)
        await an_ecard(database, now, start_of_ownership=start + timedelta(days=9))
        await an_ecard(database, earlier, start_of_ownership=start, end_of_ownership=start + timedelta(days=9))
        await an_ecard(database, never, "0700000002")

        assert await look_up(database, ecardNumber="0700000001") == now.customer_number

    async def test_ten_digits_shared_by_operators_lead_to_the_latest_owner_and_sixteen_to_the_right_one(
        self, database: Database
    ) -> None:
        late, early = await some_customers(database, {}, {})
        day = datetime(2025, 5, 5, tzinfo=UTC)
        mine = await an_ecard(database, late, ecard_operator="16160", start_of_ownership=day)
        other = await an_ecard(database, early, ecard_operator="16161", start_of_ownership=day - timedelta(days=1))

        assert await look_up(database, ecardNumber=mine.ecard_number) == late.customer_number
        assert await look_up(database, ecardNumber=mine.ecard_number_16digits) == late.customer_number
        assert await look_up(database, ecardNumber=other.ecard_number_16digits) == early.customer_number


@pytest.mark.rule("C40")
class TestMerged:
    async def test_merged_profile_answers_the_survivor_by_every_key(self, database: Database) -> None:
        survivor = await a_customer(database)
        merged = await a_merged_customer(database, survivor)

        for key in await every_key(database, merged):
            assert await look_up(database, **key) == survivor.customer_number, key

    async def test_chain_of_three_merges_is_followed_to_its_end(self, database: Database) -> None:
        survivor = await a_customer(database)
        third = await a_merged_customer(database, survivor)
        second = await a_merged_customer(database, third)
        first = await a_merged_customer(database, second)

        for key in await every_key(database, first):
            assert await look_up(database, **key) == survivor.customer_number, key
        assert await look_up(database, customerNumber=second.customer_number) == survivor.customer_number
        assert await look_up(database, customerNumber=third.customer_number) == survivor.customer_number
        assert await look_up(database, customerNumber=survivor.customer_number) == survivor.customer_number

    @pytest.mark.parametrize("length", [1, 2, 3])
    async def test_circle_of_merges_answers_null(self, database: Database, length: int) -> None:
        circle = await some_customers(database, *[{}] * length)
        await merge_in_circle(database, *circle)
        outside = await a_merged_customer(database, circle[0])

        for key in [*await every_key(database, circle[0]), {"customerNumber": outside.customer_number}]:
            assert await look_up(database, **key) is None, key

    @pytest.mark.rule("A06")
    async def test_passive_profile_that_was_not_merged_is_answered_as_it_is(self, database: Database) -> None:
        passive = await a_customer(database, status=CustomerStatus.PASSIVE)

        for key in await every_key(database, passive):
            assert await look_up(database, **key) == passive.customer_number, key

    async def test_merge_into_a_deleted_profile_leads_to_it_only_if_deleted_ones_are_wanted(
        self, database: Database
    ) -> None:
        survivor = await a_deleted_customer(database)
        merged = await a_merged_customer(database, survivor)

        by_number: dict[str, Any] = {"customerNumber": merged.customer_number}
        assert await look_up(database, **by_number) is None
        assert await look_up(database, include_deleted=True, **by_number) == survivor.customer_number
        assert await look_up(database, uuid=merged.uuid) == survivor.customer_number

    async def test_merge_into_another_organisation_is_followed_by_internal_callers_only(
        self, database: Database
    ) -> None:
        survivor = await a_customer(database, organisation_id=2)
        merged = await a_merged_customer(database, survivor)

        by_number: dict[str, Any] = {"customerNumber": merged.customer_number}
        assert await look_up(database, VIEWER, **by_number) is None
        assert await look_up(database, FOREIGNER, **by_number) is None
        assert await look_up(database, INTERNAL, **by_number) == survivor.customer_number


@pytest.mark.rule("C41")
@pytest.mark.rule("A07")
class TestRelatedNumbers:
    async def related(self, database: Database, customer: stored.Customer, viewer: Viewer = VIEWER) -> list[int]:
        data = await execute(database, RELATED, viewer, number=customer.customer_number)
        numbers = [int(number) for number in data["customer"]["relatedCustomerNumbers"]]
        assert [int(each["customerNumber"]) for each in data["customer"]["relatedCustomers"]] == numbers
        return numbers

    async def test_customer_without_merges_has_none(self, database: Database) -> None:
        await a_customer(database)

        assert await self.related(database, await a_customer(database)) == []

    async def test_directly_and_indirectly_merged_and_connected_ones_are_listed_by_number(
        self, database: Database
    ) -> None:
        survivor = await a_customer(database, customer_number=50)
        middle = await a_merged_customer(database, survivor, customer_number=40)
        await a_merged_customer(database, middle, customer_number=70)
        await a_merged_customer(database, survivor, customer_number=60)
        temporary = {"profile_type": ProfileType.TEMPORARY}
        await a_customer(database, customer_number=30, parent_id=survivor.id, **temporary)
        await a_customer(database, customer_number=20, parent_id=middle.id, **temporary)
        await a_customer(database, customer_number=10)

        assert await self.related(database, survivor) == [20, 30, 40, 60, 70]

    async def test_profile_that_is_both_merged_and_connected_is_listed_once(self, database: Database) -> None:
        survivor = await a_customer(database)
        both = await a_merged_customer(database, survivor, parent_id=survivor.id)

        assert await self.related(database, survivor) == [both.customer_number]

    async def test_those_of_another_organisation_are_listed_for_internal_callers_only(self, database: Database) -> None:
        survivor = await a_customer(database)
        foreign = await a_merged_customer(database, survivor, organisation_id=2)

        assert await self.related(database, survivor) == []
        assert await self.related(database, survivor, INTERNAL) == [foreign.customer_number]


class TestDeleted:
    @pytest.mark.rule("C43")
    async def test_deleted_customer_is_found_only_with_include_deleted(self, database: Database) -> None:
        deleted = await a_deleted_customer(database)

        for key in (await every_key(database, deleted))[:-1]:
            assert await look_up(database, **key) is None, key
            assert await look_up(database, include_deleted=True, **key) == deleted.customer_number, key

    @pytest.mark.rule("C42")
    async def test_by_uuid_only_identity_and_status_of_a_deleted_customer_are_told(self, database: Database) -> None:
        parent = await a_customer(database)
        deleted = await a_deleted_customer(database, **every_column(), parent_id=parent.id)
        await hang_everything_on(database, deleted)

        data = await execute(database, ALL_FIELDS, by={"uuid": deleted.uuid})

        told = {name: value for name, value in data["customer"].items() if value not in (None, [])}
        assert told == {
            "id": "Q3VzdG9tZXI6MTAwMDAwMDAwMg",
            "customerNumber": 1_000_000_002,
            "uuid": "00000000000000000000001000000002",
            "organisationId": 1,
            "status": "DELETED",
            "profileType": "STANDARD",
            "version": 1,
            "createdAt": "2026-01-31T12:00:00.123Z",
            "changedAt": "2026-01-31T12:00:00.123Z",
        }
        nothing = {name for name, value in data["customer"].items() if value == []}
        assert nothing == {
            "relatedCustomerNumbers",
            "relatedCustomers",
            "postalAddresses",
            "ecards",
            "customerConsents",
            "consents",
            "preferences",
            "customerAccounts",
            "notes",
            "personnelTicketBearers",
            "travellerInfos",
        }

    @pytest.mark.rule("A05")
    async def test_by_uuid_with_include_deleted_all_that_is_stored_is_told(self, database: Database) -> None:
        parent = await a_customer(database)
        deleted = await a_deleted_customer(database, **every_column(), parent_id=parent.id)
        await hang_everything_on(database, deleted)

        data = await execute(database, ALL_FIELDS, by={"uuid": deleted.uuid}, includeDeleted=True)

        silent = {name for name, value in data["customer"].items() if value in (None, [])}
        assert silent == {"email", "username"}  # the email is free for others, only emailOld is left

    @pytest.mark.rule("C42")
    async def test_stripping_costs_no_statement_beyond_the_lookup(self, database: Database) -> None:
        deleted = await a_deleted_customer(database)

        with statements(database) as seen:
            await execute(database, ALL_FIELDS, by={"uuid": deleted.uuid})

        assert len(seen) == 1


def every_column() -> dict[str, Any]:
    """A value for every column of a customer that may be null, but for those of a merge and of the email."""
    at, day = datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC).date()
    names = "last_sign_in_from vipps_id customer_account_id password_hash telephone_number landline_number"
    return {
        **dict.fromkeys(names.split(), "123456789"),
        **dict.fromkeys(["email_verified_at", "telephone_number_verified_at", "last_sign_in_at"], at),
        **dict.fromkeys(["date_of_birth", "date_of_death"], day),
        "nationality": "NOR",
        "invoice_organisation_id": "312345678",
        "country_code": "+47",
        "telephone_number_no_country_code": "91234567",
    }


async def hang_everything_on(database: Database, customer: stored.Customer) -> None:
    """Give the customer one row in every relation."""
    await an_address(database, customer)
    await an_ecard(database, customer)
    await a_consent(database, customer)
    await a_consent(database, customer, is_legacy=True)
    await a_choice(database, customer, await a_preference(database))
    await an_account(database, customer)
    await a_note(database, customer)
    await a_personnel_ticket(database, customer)
    await a_traveller_info(database, customer)
    await a_merged_customer(database, customer)


@pytest.mark.rule("C44")
class TestUsername:
    NAME = "kari@example.no"

    async def found(self, database: Database, viewer: Viewer = VIEWER, organisation: int = 1) -> int | None:
        return await look_up(database, viewer, username={"organisationId": organisation, "username": self.NAME})

    @pytest.mark.rule("A02")
    @pytest.mark.parametrize(
        "values",
        [{}, {"status": CustomerStatus.PASSIVE}, {"profile_type": ProfileType.PERSONNEL_TICKET}],
        ids=["active", "passive", "personnel ticket"],
    )
    async def test_standard_and_personnel_ticket_profiles_of_any_status_are_found(
        self, database: Database, values: dict[str, Any]
    ) -> None:
        kari = await a_customer(database, email=self.NAME, **values)

        assert await self.found(database) == kari.customer_number

    async def test_merged_profile_is_answered_itself(self, database: Database) -> None:
        merged = await a_merged_customer(database, await a_customer(database), email=self.NAME)

        assert await self.found(database) == merged.customer_number

    @pytest.mark.rule("A01")
    async def test_temporary_profile_is_not_found(self, database: Database) -> None:
        await a_customer(database, email=self.NAME, profile_type=ProfileType.TEMPORARY)
        assert await self.found(database) is None

        kari = await a_customer(database, email=self.NAME)
        assert await self.found(database) == kari.customer_number

    async def test_deleted_profile_is_not_found_even_with_include_deleted(self, database: Database) -> None:
        await a_deleted_customer(database, email_old=self.NAME)
        key = {"organisationId": 1, "username": self.NAME}

        assert await self.found(database) is None
        assert await look_up(database, include_deleted=True, username=key) is None

    @pytest.mark.rule("C06")
    async def test_same_username_in_two_organisations_finds_the_one_asked_for(self, database: Database) -> None:
        mine = await a_customer(database, email=self.NAME)
        theirs = await a_customer(database, email=self.NAME, organisation_id=2)

        assert await self.found(database, VIEWER, 1) == mine.customer_number
        assert await self.found(database, VIEWER, 2) is None
        assert await self.found(database, INTERNAL, 2) == theirs.customer_number


class TestOrganisations:
    @pytest.mark.rule("C01")
    @pytest.mark.rule("C47")
    async def test_foreign_customer_answers_like_an_unknown_one(self, database: Database) -> None:
        theirs = await a_customer(database, organisation_id=2, email="kari@example.no")
        keys = [
            *await every_key(database, theirs),
            {"username": {"organisationId": 2, "username": "kari@example.no"}},
        ]

        for key in keys:
            assert await look_up(database, VIEWER, include_deleted=True, **key) is None, key
            assert await look_up(database, FOREIGNER, **key) == theirs.customer_number, key

    @pytest.mark.rule("C47")
    async def test_card_of_the_same_number_in_another_organisation_changes_nothing(self, database: Database) -> None:
        mine = await a_customer(database)
        theirs = await a_customer(database, organisation_id=2)
        late = datetime(2026, 6, 1, tzinfo=UTC)
        await an_ecard(database, mine, ecard_operator="16160")
        await an_ecard(database, theirs, ecard_operator="16161", start_of_ownership=late)

        assert await look_up(database, VIEWER, ecardNumber="0700000001") == mine.customer_number
        assert await look_up(database, FOREIGNER, ecardNumber="0700000001") == theirs.customer_number
        assert await look_up(database, INTERNAL, ecardNumber="0700000001") == theirs.customer_number

    @pytest.mark.rule("C45")
    async def test_reference_is_looked_up_in_the_callers_organisation_by_default(self, database: Database) -> None:
        mine = await a_customer(database, customer_ref="R-1")
        theirs = await a_customer(database, customer_ref="R-1", organisation_id=2)
        in_organisation_2 = {"customerRef": "R-1", "organisationId": 2}

        assert await look_up(database, VIEWER, customerRef={"customerRef": "R-1"}) == mine.customer_number
        assert await look_up(database, FOREIGNER, customerRef={"customerRef": "R-1"}) == theirs.customer_number
        assert await look_up(database, INTERNAL, customerRef={"customerRef": "R-1"}) is None
        assert await look_up(database, VIEWER, customerRef=in_organisation_2) is None
        assert await look_up(database, INTERNAL, customerRef=in_organisation_2) == theirs.customer_number

    async def test_organisation_zero_is_an_organisation_and_not_the_default(self, database: Database) -> None:
        await a_customer(database, customer_ref="R-1")

        assert await look_up(database, VIEWER, customerRef={"customerRef": "R-1", "organisationId": 0}) is None


class TestByKey:
    @pytest.mark.rule("C46")
    async def test_numbers_win_and_references_are_used_only_without_numbers(self, database: Database) -> None:
        one, two = await some_customers(database, {"customer_ref": "R-1"}, {"customer_ref": "R-2"})
        first, second = one.customer_number, two.customer_number

        assert await by_key(database, [first], ["R-2"]) == [first]
        assert await by_key(database, [UNKNOWN], ["R-2"]) == []
        assert await by_key(database, [], ["R-2"]) == [second]
        assert await by_key(database, None, ["R-2"]) == [second]

    @pytest.mark.rule("C46")
    @pytest.mark.parametrize("empty", [None, []])
    async def test_no_keys_answer_nothing_and_cost_nothing(self, database: Database, empty: list[Any] | None) -> None:
        await a_customer(database)

        with statements(database) as seen:
            assert await by_key(database, empty, empty) == []
        assert seen == []

    @pytest.mark.rule("C46")
    async def test_a_thousand_keys_are_looked_up_and_one_more_is_refused(self, database: Database) -> None:
        kari = await a_customer(database, customer_number=1000, customer_ref="1000")
        numbers = list(range(1, 1002))
        references = [str(number) for number in numbers]

        with statements(database) as seen:
            assert await by_key(database, numbers[:1000]) == [kari.customer_number]
            assert await by_key(database, None, references[:1000]) == [kari.customer_number]
        assert len(seen) == 2
        assert await refusal(database, BY_KEY, numbers=numbers) is ErrorCode.TOO_MANY_KEYS
        assert await refusal(database, BY_KEY, references=references) is ErrorCode.TOO_MANY_KEYS

    async def test_references_that_are_ignored_are_not_counted(self, database: Database) -> None:
        kari = await a_customer(database)

        assert await by_key(database, [kari.customer_number], ["R"] * 1001) == [kari.customer_number]

    async def test_answers_come_in_the_order_of_the_keys_and_each_once(self, database: Database) -> None:
        rows = await some_customers(database, *[{"customer_ref": f"R-{place}"} for place in range(4)])
        a, b, c, d = [row.customer_number for row in rows]

        assert await by_key(database, [c, a, c, UNKNOWN, d, b, a]) == [c, a, d, b]
        assert await by_key(database, None, ["R-2", "R-0", "R-2", "unknown", "R-3"]) == [c, a, d]

    @pytest.mark.rule("C40")
    async def test_merged_ones_are_answered_as_their_survivor_once(self, database: Database) -> None:
        survivor, other = await some_customers(database, {}, {})
        merged = await a_merged_customer(database, survivor)
        twice = await a_merged_customer(database, merged)
        keys = [row.customer_number for row in (twice, other, survivor, merged)]

        assert await by_key(database, keys) == [survivor.customer_number, other.customer_number]

    @pytest.mark.rule("C43")
    async def test_deleted_ones_are_left_out(self, database: Database) -> None:
        deleted = await a_deleted_customer(database)
        into_deleted = await a_merged_customer(database, deleted)

        assert await by_key(database, [deleted.customer_number, into_deleted.customer_number]) == []

    @pytest.mark.rule("C47")
    async def test_foreign_ones_are_left_out_for_internal_callers_too(self, database: Database) -> None:
        mine = await a_customer(database, customer_ref="R-1")
        theirs = await a_customer(database, customer_ref="R-1", organisation_id=2)
        numbers = [theirs.customer_number, mine.customer_number]

        assert await by_key(database, numbers) == [mine.customer_number]
        assert await by_key(database, None, ["R-1"]) == [mine.customer_number]
        assert await by_key(database, numbers, viewer=FOREIGNER) == [theirs.customer_number]
        assert await by_key(database, numbers, viewer=INTERNAL) == []
        assert await by_key(database, numbers, viewer=Viewer(2, TenantKind.INTERNAL)) == [theirs.customer_number]
