"""What hangs on a customer, what it costs in statements, and where edges lead."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from datastore import customer as stored
from datastore.customer import AddressType, ProfileType
from datastore.database import Database
from datastore.loaders import LIST_CAP, Loaders
from datastore.viewer import Viewer
from tests.execute import INTERNAL, VIEWER, execute
from tests.factories.customer import (
    ORGANISATION,
    a_choice,
    a_consent,
    a_customer,
    a_deleted_customer,
    a_merged_customer,
    a_note,
    a_personnel_ticket,
    a_preference,
    a_traveller_info,
    account_of,
    address_of,
    an_account,
    an_address,
    an_ecard,
    choice_of,
    consent_of,
    ecard_of,
    inserted,
    some_customers,
)
from tests.statements import statements

LISTS = """
query {
  customers {
    nodes {
      customerNumber
      postalAddresses { addressLine1 }
      ecards { ecardNumber }
      customerConsents { consentCode }
      consents { consentCode }
      preferences { preferenceValue preference { preferenceCode } }
      customerAccounts { customerAccountId customerNumber }
      notes { text }
      personnelTicketBearers { ticketRightOwner }
      travellerInfos { orderId customerNumber }
      relatedCustomerNumbers
    }
  }
}
"""

EDGES = """
query ($number: Long!) {
  customer(by: {customerNumber: $number}) {
    parent { customerNumber }
    personnelTicketBearers { bearerCustomer { customerNumber } }
  }
}
"""

OWNERS = """
query ($by: CustomerLookup!) {
  customer(by: $by) {
    postalAddresses { customer { customerNumber } }
    ecards { customer { customerNumber } }
    customerConsents { customer { customerNumber } }
    consents { customer { customerNumber } }
    preferences { customer { customerNumber } }
    customerAccounts { customer { customerNumber } customerNumber }
    notes { customer { customerNumber } }
    travellerInfos { customer { customerNumber } customerNumber }
  }
}
"""

PICKED = """
query ($number: Long!, $operator: String!, $card: String!, $preference: ID!) {
  customer(by: {customerNumber: $number}) {
    ecard(ecardOperator: $operator, ecardNumber: $card) { ecardName }
    preference(preferenceId: $preference) { preferenceValue }
  }
}
"""

PAGE = """
query {
  customers(first: 50) {
    nodes {
      customerNumber
      postalAddresses { town }
      ecards { ecardNumber }
      consents { consentCode }
      preferences { preferenceValue preference { preferenceCode } }
      customerAccounts { customerAccountId }
    }
  }
}
"""
STATEMENTS_OF_PAGE = 1 + 5 + 1
"""The page, one for each of five lists, and one for the preferences that were chosen."""

EVERYTHING = """
query {
  customers(first: 500, filter: {includeTemporary: true}) {
    totalItems totalPages
    nodes {
      id username dateOfBirth { year }
      parent { customerNumber }
      relatedCustomerNumbers relatedCustomers { customerNumber }
      postalAddresses { customer { customerNumber } }
      ecards { customer { customerNumber } }
      ecard(ecardOperator: "16160", ecardNumber: "0700000001") { id }
      customerConsents { consentCode }
      consents { consentCode }
      preferences { preference { preferenceCode } }
      preference(preferenceId: "1") { preferenceValue }
      customerAccounts { customerNumber }
      notes { text }
      personnelTicketBearers { bearerCustomer { customerNumber } }
      travellerInfos { orderId }
    }
  }
}
"""
STATEMENTS_OF_EVERYTHING = 1 + 1 + 9 + 1 + 1 + 1 + 1
"""The page, the count, nine lists, the related customers, the preferences that were chosen, the customers at the end
of edges (all of them parents, so read at once), and the numbers of owners."""

LATER = datetime(2026, 5, 17, tzinfo=UTC)


async def ends(database: Database, document: str, viewer: Viewer = VIEWER, **variables: Any) -> dict[str, Any]:
    customer: dict[str, Any] = (await execute(database, document, viewer, **variables))["customer"]
    return customer


async def reached(database: Database, customer: stored.Customer, viewer: Viewer = VIEWER) -> tuple[int | None, ...]:
    """The numbers of the customers that the edges `parent` and `bearerCustomer` of a customer lead to."""
    found = await ends(database, EDGES, viewer, number=customer.customer_number)
    bearers = [each["bearerCustomer"] for each in found["personnelTicketBearers"]]
    return tuple(end and end["customerNumber"] for end in [found["parent"], *bearers])


async def linked_to(database: Database, target: stored.Customer) -> stored.Customer:
    """A customer whose parent and whose only ticket bearer is the target."""
    customer = await a_customer(database, parent_id=target.id)
    await a_personnel_ticket(database, customer, bearer_customer_id=target.id)
    return customer


async def families(database: Database, number: int) -> None:
    """As many customers with two rows in each list of `PAGE`, each with a parent of its own among them."""
    customers = await some_customers(database, *[{"email": f"{place}@example.no"} for place in range(number)])
    offered = [await a_preference(database, preference_code=code) for code in ("SEAT", "MEAL")]
    two = [(customer, which) for customer in customers for which in (0, 1)]
    await inserted(database, stored.PostalAddress, *[address_of(each) for each, _ in two])
    cards = [ecard_of(each, f"{700_000_000 + 2 * place + which:010d}") for place, (each, which) in enumerate(two)]
    await inserted(database, stored.Ecard, *cards)
    await inserted(database, stored.CustomerConsent, *[consent_of(each, is_legacy=bool(old)) for each, old in two])
    await inserted(database, stored.CustomerPreference, *[choice_of(each, offered[which]) for each, which in two])
    accounts = [account_of(each, customer_account_id=f"ABT-{which}") for each, which in two]
    await inserted(database, stored.CustomerAccount, *accounts)
    for customer in (customers[0], customers[-1]):
        await a_note(database, customer)
        await a_personnel_ticket(database, customer)
        await a_traveller_info(database, customer)
    async with database.write() as session:
        row = stored.Customer
        await session.execute(update(row).values(parent_id=row.id).execution_options(synchronize_session=False))


class TestLists:
    async def test_every_list_has_the_rows_of_its_customer_in_the_order_they_were_stored(
        self, database: Database
    ) -> None:
        kari, per, _ = await some_customers(database, {}, {}, {})
        seat = await a_preference(database)
        meal = await a_preference(database, preference_code="MEAL")
        for place, customer in enumerate([kari, per, kari]):
            await an_address(database, customer, address_line1=f"Storgata {9 - place}")
            await an_ecard(database, customer, f"070000000{9 - place}")
            await a_consent(database, customer, consent_code=f"OLD-{9 - place}", is_legacy=True)
            await a_consent(database, customer, consent_code=f"NEW-{9 - place}")
            await a_choice(database, customer, [meal, seat, seat][place], preference_value=f"value {place}")
            await an_account(database, customer, customer_account_id=f"ABT-{9 - place}")
            await a_note(database, customer, text=f"note {9 - place}")
            await a_personnel_ticket(database, customer, ticket_right_owner=f"E{9 - place}")
            await a_traveller_info(database, customer, order_id=f"ORDER-{9 - place}")

        data = await execute(database, LISTS)

        def lists(number: int, *places: int) -> dict[str, Any]:
            chosen = {0: "MEAL", 1: "SEAT", 2: "SEAT"}
            return {
                "customerNumber": number,
                "postalAddresses": [{"addressLine1": f"Storgata {9 - place}"} for place in places],
                "ecards": [{"ecardNumber": f"070000000{9 - place}"} for place in places],
                "customerConsents": [{"consentCode": f"OLD-{9 - place}"} for place in places],
                "consents": [{"consentCode": f"NEW-{9 - place}"} for place in places],
                "preferences": [
                    {"preferenceValue": f"value {place}", "preference": {"preferenceCode": chosen[place]}}
                    for place in places
                ],
                "customerAccounts": [
                    {"customerAccountId": f"ABT-{9 - place}", "customerNumber": number} for place in places
                ],
                "notes": [{"text": f"note {9 - place}"} for place in places],
                "personnelTicketBearers": [{"ticketRightOwner": f"E{9 - place}"} for place in places],
                "travellerInfos": [{"orderId": f"ORDER-{9 - place}", "customerNumber": number} for place in places],
                "relatedCustomerNumbers": [],
            }

        assert data["customers"]["nodes"] == [
            lists(1_000_000_001, 0, 2),
            lists(1_000_000_002, 1),
            lists(1_000_000_003),
        ]

    async def test_list_is_cut_at_its_cap(self, database: Database) -> None:
        kari = await a_customer(database)
        line = [f"Storgata {place}" for place in range(LIST_CAP + 1)]
        await inserted(database, stored.PostalAddress, *[address_of(kari, address_line1=text) for text in line])

        data = await execute(database, LISTS)

        assert [each["addressLine1"] for each in data["customers"]["nodes"][0]["postalAddresses"]] == line[:-1]

    async def test_lists_with_conditions_that_differ_in_a_value_only_are_kept_apart(self, database: Database) -> None:
        kari = await a_customer(database)
        home = await an_address(database, kari)
        invoice = await an_address(database, kari, type_of_address=AddressType.INVOICE)
        load, row = Loaders(database, VIEWER), stored.PostalAddress

        homes = await load.many(row.customer_id, row.type_of_address == AddressType.PRIVATE).load(kari.id)
        invoices = await load.many(row.customer_id, row.type_of_address == AddressType.INVOICE).load(kari.id)

        assert ([each.id for each in homes], [each.id for each in invoices]) == ([home.id], [invoice.id])

    async def test_one_card_or_preference_can_be_picked(self, database: Database) -> None:
        kari, per = await some_customers(database, {}, {})
        seat = await a_preference(database)
        await a_choice(database, kari, seat)
        await an_ecard(database, kari, ecard_name="first", end_of_ownership=LATER)
        await an_ecard(database, kari, ecard_name="again", start_of_ownership=LATER)
        await an_ecard(database, kari, ecard_name="of another operator", ecard_operator="16161")
        pick: dict[str, Any] = {"operator": "16160", "card": "0700000001", "preference": str(seat.id)}

        found = await ends(database, PICKED, number=kari.customer_number, **pick)
        others = await ends(database, PICKED, number=per.customer_number, **pick)
        unknown = await ends(
            database, PICKED, number=kari.customer_number, operator="16160", card="0700000002", preference="x"
        )

        assert found == {"ecard": {"ecardName": "again"}, "preference": {"preferenceValue": "window"}}
        assert others == unknown == {"ecard": None, "preference": None}


@pytest.mark.rule("G3")
class TestEdges:
    async def test_edge_leads_to_its_customer(self, database: Database) -> None:
        target = await a_customer(database, profile_type=ProfileType.TEMPORARY)

        assert await reached(database, await linked_to(database, target)) == (target.customer_number,) * 2

    async def test_missing_edge_is_null(self, database: Database) -> None:
        kari = await a_customer(database)
        await a_personnel_ticket(database, kari, bearer_customer_id=None)

        assert await reached(database, kari) == (None, None)

    @pytest.mark.rule("C40")
    async def test_edge_to_a_merged_customer_leads_to_the_survivor(self, database: Database) -> None:
        survivor = await a_customer(database)
        merged = await a_merged_customer(database, await a_merged_customer(database, survivor))

        assert await reached(database, await linked_to(database, merged)) == (survivor.customer_number,) * 2

    async def test_edge_to_a_deleted_customer_is_null(self, database: Database) -> None:
        deleted = await a_deleted_customer(database)
        merged = await a_merged_customer(database, deleted)

        assert await reached(database, await linked_to(database, deleted)) == (None, None)
        assert await reached(database, await linked_to(database, merged)) == (None, None)

    @pytest.mark.rule("T04")
    async def test_edge_to_a_foreign_customer_is_null_but_for_internal_callers(self, database: Database) -> None:
        foreign = await a_customer(database, organisation_id=2)
        customer = await linked_to(database, foreign)

        assert await reached(database, customer) == (None, None)
        assert await reached(database, customer, INTERNAL) == (foreign.customer_number,) * 2

    async def test_edge_into_a_circle_of_merges_is_null(self, database: Database) -> None:
        one = await a_customer(database)
        other = await a_merged_customer(database, one)
        async with database.write() as session:
            row = stored.Customer
            await session.execute(update(row).where(row.id == one.id).values(merged_into_id=other.id))

        assert await reached(database, await linked_to(database, one)) == (None, None)

    async def test_preference_of_another_organisation_is_null_but_for_internal_callers(
        self, database: Database
    ) -> None:
        kari = await a_customer(database)
        await a_choice(database, kari, await a_preference(database, organisation_id=2))
        document = """query { customers(filter: {organisationId: 1}) {
            nodes { preferences { preference { preferenceCode } } } } }"""

        mine = await execute(database, document)
        internal = await execute(database, document, INTERNAL)

        assert mine["customers"]["nodes"] == [{"preferences": [{"preference": None}]}]
        assert internal["customers"]["nodes"] == [{"preferences": [{"preference": {"preferenceCode": "SEAT"}}]}]

    async def test_edge_back_to_the_owner_leads_to_the_survivor_and_the_owners_number_stays(
        self, database: Database
    ) -> None:
        survivor = await a_customer(database)
        merged = await a_merged_customer(database, survivor, email="kari@example.no")
        await an_address(database, merged)
        await an_ecard(database, merged)
        await a_consent(database, merged, is_legacy=True)
        await a_consent(database, merged)
        await a_choice(database, merged, await a_preference(database))
        await an_account(database, merged)
        await a_note(database, merged)
        await a_traveller_info(database, merged)

        by = {"username": {"organisationId": ORGANISATION, "username": "kari@example.no"}}
        found = await ends(database, OWNERS, by=by)

        owner = {"customer": {"customerNumber": survivor.customer_number}}
        numbered = {**owner, "customerNumber": merged.customer_number}
        assert found == {
            "postalAddresses": [owner],
            "ecards": [owner],
            "customerConsents": [owner],
            "consents": [owner],
            "preferences": [owner],
            "customerAccounts": [numbered],
            "notes": [owner],
            "travellerInfos": [numbered],
        }


class TestStatements:
    @pytest.mark.parametrize("number", [1, 500])
    async def test_page_with_relations_takes_one_statement_per_relation_whatever_the_number_of_rows(
        self, database: Database, number: int
    ) -> None:
        await families(database, number)

        with statements(database) as first:
            answered = await execute(database, PAGE)
        with statements(database) as again:
            await execute(database, PAGE)

        nodes = answered["customers"]["nodes"]
        assert len(nodes) == min(number, 50)
        assert [len(nodes[-1][name]) for name in ("postalAddresses", "ecards", "consents", "preferences")] == [
            2,
            2,
            1,
            2,
        ]
        assert nodes[-1]["preferences"][1]["preference"] == {"preferenceCode": "MEAL"}
        assert len(again) == STATEMENTS_OF_PAGE, again
        assert len(first) == STATEMENTS_OF_PAGE + 1  # the key of the cursors, once in a process

    @pytest.mark.parametrize("number", [1, 500])
    async def test_all_relations_at_once_take_as_many_statements_for_500_customers_as_for_one(
        self, database: Database, number: int
    ) -> None:
        await families(database, number)
        await execute(database, PAGE)

        with statements(database) as seen:
            answered = await execute(database, EVERYTHING)

        assert answered["customers"]["totalItems"] == len(answered["customers"]["nodes"]) == number
        assert len(seen) == STATEMENTS_OF_EVERYTHING, seen

    async def test_two_fields_that_need_the_same_take_a_statement_each_at_most(self, database: Database) -> None:
        await families(database, 50)
        await execute(database, PAGE)
        lists = "customerAccounts { customerNumber } travellerInfos { customerNumber }"

        with statements(database) as seen:
            await execute(database, f"query {{ customers {{ nodes {{ {lists} }} }} }}")

        # One of the lists may be there, and ask for the numbers of its owners, before the other.
        assert len(seen) in (1 + 2 + 1, 1 + 2 + 2), seen

    async def test_keys_do_not_change_the_text_of_a_statement(self, database: Database) -> None:
        await families(database, 3)
        document = "query ($size: Int!) { customers(first: $size) { nodes { postalAddresses { town } } } }"
        await execute(database, PAGE)

        with statements(database) as of_one:
            await execute(database, document, size=1)
        with statements(database) as of_three:
            await execute(database, document, size=3)

        assert of_one == of_three
        assert len(of_one) == 2

    async def test_same_customer_met_twice_is_read_once(self, database: Database) -> None:
        parent = await a_customer(database, customer_number=1)
        await some_customers(database, *[{"parent_id": parent.id}] * 3)
        await execute(database, PAGE)
        document = "query { customers { nodes { parent { parent { surname } surname } } } }"

        with statements(database) as seen:
            await execute(database, document)

        assert len(seen) == 2


async def test_ended_ownerships_are_listed_too(database: Database) -> None:
    kari = await a_customer(database)
    await an_ecard(database, kari, end_of_ownership=LATER - timedelta(days=365))

    data = await execute(database, LISTS)

    assert data["customers"]["nodes"][0]["ecards"] == [{"ecardNumber": "0700000001"}]
