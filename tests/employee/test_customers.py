"""The edges between customers and personnel, and to postal places."""

import pytest

from datastore.customer import ProfileType
from datastore.database import Database
from tests.employee.test_views import of_employee, of_member
from tests.execute import execute
from tests.factories.customer import (
    a_customer,
    a_deleted_customer,
    a_merged_customer,
    an_address,
)
from tests.factories.employee import (
    a_company,
    a_family_member,
    a_postal_place,
    an_employee,
    the_codes,
)


class TestCustomers:
    CUSTOMER = "customerNumber customer { customerNumber }"

    @pytest.mark.rule("E20")
    @pytest.mark.rule("G3")
    async def test_the_personnel_ticket_profile_is_read_though_it_is_of_another_organisation(
        self, database: Database
    ) -> None:
        await the_codes(database)
        theirs = await a_customer(database, organisation_id=7, profile_type=ProfileType.PERSONNEL_TICKET)
        other = await a_customer(database, organisation_id=7)
        company = await a_company(database)
        found = []
        for number in (theirs.customer_number, other.customer_number, None):
            ola = await an_employee(database, company, customer_number=number)
            kari = await a_family_member(database, ola, customer_number=number)
            found.append((await of_employee(database, self.CUSTOMER, ola.id))["customer"])
            found.append((await of_member(database, self.CUSTOMER, kari.id))["customer"])
        shown = {"customerNumber": theirs.customer_number}
        assert found == [shown, shown, None, None, None, None]

    @pytest.mark.rule("C40")
    async def test_a_merged_profile_leads_to_its_survivor_and_a_deleted_one_to_none(self, database: Database) -> None:
        await the_codes(database)
        survivor = await a_customer(database)
        merged = await a_merged_customer(database, survivor, profile_type=ProfileType.PERSONNEL_TICKET)
        deleted = await a_deleted_customer(database, profile_type=ProfileType.PERSONNEL_TICKET)
        foreign = await a_customer(database, organisation_id=7)
        lost = await a_merged_customer(database, foreign, profile_type=ProfileType.PERSONNEL_TICKET, organisation_id=7)
        company = await a_company(database)
        found = []
        for each in (merged, deleted, lost):
            ola = await an_employee(database, company, customer_number=each.customer_number)
            found.append((await of_employee(database, self.CUSTOMER, ola.id))["customer"])
        assert found == [{"customerNumber": survivor.customer_number}, None, None]

    @pytest.mark.rule("G2")
    async def test_a_customer_leads_back_to_the_employee_and_family_member_by_merged_numbers_too(
        self, database: Database
    ) -> None:
        await the_codes(database)
        survivor, nobody = await a_customer(database), await a_customer(database)
        merged = await a_merged_customer(database, survivor)
        company = await a_company(database)
        await an_employee(database, company, customer_number=survivor.customer_number)
        ola = await an_employee(database, company, customer_number=merged.customer_number)
        await an_employee(database, company, customer_number=merged.customer_number, is_deleted=True)
        kari = await a_family_member(database, ola, customer_number=survivor.customer_number)
        document = """query ($numbers: [Long!]!) { customersByKey(customerNumbers: $numbers) {
            employee { employeeId } familyMember { familyMemberId } } }"""
        numbers = [survivor.customer_number, nobody.customer_number]
        found = await execute(database, document, numbers=numbers)
        assert found["customersByKey"] == [
            {"employee": {"employeeId": ola.id}, "familyMember": {"familyMemberId": kari.id}},
            {"employee": None, "familyMember": None},
        ]

    @pytest.mark.rule("E45")
    async def test_a_norwegian_address_leads_to_its_postal_place_and_a_foreign_one_does_not(
        self, database: Database
    ) -> None:
        await a_postal_place(database)
        kari = await a_customer(database)
        await an_address(database, kari)
        await an_address(database, kari, country_code="SWE")
        document = (
            "query ($n: Long!) { customer(by: {customerNumber: $n}) { postalAddresses { postalPlace { place } } } }"
        )
        found = await execute(database, document, n=kari.customer_number)
        assert found["customer"]["postalAddresses"] == [{"postalPlace": {"place": "Oslo"}}, {"postalPlace": None}]
