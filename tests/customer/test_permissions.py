"""What depends on more than the fields of a document: criteria, sorts and changes that only some callers may use."""

from dataclasses import replace
from typing import Any

import pytest

from datastore.database import Database
from datastore.viewer import GRANTABLE, Permission, TenantKind, Viewer
from resolvers.customer.inputs import CustomerFilterInput
from resolvers.customer.reads import CONTACT_CRITERIA
from resolvers.errors import ErrorCode
from tests.execute import VIEWER, execute, refusal
from tests.factories.customer import a_customer, an_address

WITHOUT_CONTACT = replace(VIEWER, permissions=GRANTABLE - {Permission.CONTACT_READ})
WITHOUT_DELETE = replace(VIEWER, permissions=GRANTABLE - {Permission.CUSTOMER_DELETE})
SEARCH = """query($filter: CustomerFilterInput, $by: CustomerOrder) {
    customers(filter: $filter, orderBy: $by) { totalItems }
}"""
UPDATE = "mutation($input: UpdateCustomerInput!) { updateCustomer(input: $input) { userErrors { code field } } }"
CREATE_ADDRESS = """mutation($input: CreatePostalAddressInput!) {
    createPostalAddress(input: $input) { userErrors { code field } }
}"""
STATE = """query($number: Long!) { customer(by: { customerNumber: $number }, includeDeleted: true) {
    version status emailVerifiedAt telephoneNumberVerifiedAt expirationDate postalAddresses { verifiedAt version }
} }"""
VALUES: dict[str, Any] = {
    "country_code": ("countryCode", "+47"),
    "date_of_birth": ("dateOfBirth", "1990-01-01"),
    "email": ("email", "kari@example.no"),
    "landline_number": ("landlineNumber", "22000000"),
    "post_code": ("postCode", "0150"),
    "postal_address": ("postalAddress", "Storgata"),
    "telephone_number": ("telephoneNumber", "+4790000000"),
    "telephone_number_no_country_code": ("telephoneNumberNoCountryCode", "90000000"),
    "vipps_id": ("vippsId", "vipps"),
}


def test_every_contact_criterion_is_one_of_the_filter() -> None:
    assert set(CONTACT_CRITERIA) == set(VALUES)
    assert set(CONTACT_CRITERIA) <= set(CustomerFilterInput.__annotations__)


@pytest.mark.parametrize("criterion", sorted(VALUES))
async def test_contact_data_is_no_criterion_for_whoever_may_not_read_it(database: Database, criterion: str) -> None:
    name, value = VALUES[criterion]
    assert await refusal(database, SEARCH, WITHOUT_CONTACT, filter={name: value}) is ErrorCode.FORBIDDEN
    assert await execute(database, SEARCH, filter={name: value}) == {"customers": {"totalItems": 0}}


@pytest.mark.parametrize("field", ["DATE_OF_BIRTH", "EMAIL"])
async def test_contact_data_is_no_order_for_whoever_may_not_read_it(database: Database, field: str) -> None:
    assert await refusal(database, SEARCH, WITHOUT_CONTACT, by={"field": field}) is ErrorCode.FORBIDDEN
    assert await execute(database, SEARCH, WITHOUT_CONTACT, by={"field": "SURNAME"}) == {"customers": {"totalItems": 0}}


async def test_a_username_is_no_key_for_whoever_may_not_read_emails(database: Database) -> None:
    document = """{ customer(by: { username: { organisationId: 1, username: "kari@example.no" } }) { surname } }"""
    assert await refusal(database, document, WITHOUT_CONTACT) is ErrorCode.FORBIDDEN


@pytest.mark.rule("T05")
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("emailVerifiedAt", "2026-01-01T00:00:00Z"),
        ("expirationDate", "2099-01-01"),
        ("status", "PASSIVE"),
        ("telephoneNumberVerifiedAt", "2026-01-01T00:00:00Z"),
    ],
)
async def test_a_user_verifies_and_retires_nobody(database: Database, field: str, value: str) -> None:
    kari = await a_customer(database)
    user = Viewer(
        1,
        TenantKind.TRAVELLER,
        GRANTABLE,
        customer_number=kari.customer_number,
        customer_ids=frozenset({kari.id}),
    )
    before = await execute(database, STATE, number=kari.customer_number)
    given = {
        "customerNumber": kari.customer_number,
        "firstName": "Kari",
        "surname": "Nordmann",
        "changedBy": "app",
        "changedByChannel": "app",
        field: value,
    }
    answered = await execute(database, UPDATE, user, input=given)
    assert answered["updateCustomer"]["userErrors"] == [{"code": "FORBIDDEN", "field": [field]}]
    assert await execute(database, STATE, number=kari.customer_number) == before
    assert (await execute(database, UPDATE, input=given))["updateCustomer"]["userErrors"] == []


@pytest.mark.rule("T05")
async def test_a_user_verifies_no_address(database: Database) -> None:
    kari = await a_customer(database)
    await an_address(database, kari)
    user = replace(
        Viewer(1, TenantKind.TRAVELLER, GRANTABLE),
        customer_number=kari.customer_number,
        customer_ids=frozenset({kari.id}),
    )
    place = {"typeOfAddress": "PRIVATE", "postCode": "0150", "town": "Oslo", "countryCode": "NOR"}
    verified = place | {"verifiedAt": "2026-01-01T00:00:00Z"}
    before = await execute(database, STATE, number=kari.customer_number)
    answered = await execute(database, CREATE_ADDRESS, user, input={"customerNumber": kari.customer_number, **verified})
    assert answered["createPostalAddress"]["userErrors"] == [{"code": "FORBIDDEN", "field": ["verifiedAt"]}]
    given = {"customerNumber": kari.customer_number, "firstName": "Kari", "surname": "N", "postalAddresses": [verified]}
    by = {"changedBy": "app", "changedByChannel": "app"}
    answered = await execute(database, UPDATE, user, input=given | by)
    assert answered["updateCustomer"]["userErrors"] == [
        {"code": "FORBIDDEN", "field": ["postalAddresses", "0", "verifiedAt"]}
    ]
    assert await execute(database, STATE, number=kari.customer_number) == before


async def test_a_status_deletes_only_for_whoever_may_delete(database: Database) -> None:
    kari = await a_customer(database)
    before = await execute(database, STATE, number=kari.customer_number)
    given = {
        "customerNumber": kari.customer_number,
        "firstName": "Kari",
        "surname": "Nordmann",
        "changedBy": "web",
        "changedByChannel": "web",
        "status": "DELETED",
        "expirationDate": "2099-01-01",
    }
    answered = await execute(database, UPDATE, WITHOUT_DELETE, input=given)
    assert answered["updateCustomer"]["userErrors"] == [{"code": "FORBIDDEN", "field": ["status"]}]
    assert await execute(database, STATE, number=kari.customer_number) == before
    assert (await execute(database, UPDATE, input=given))["updateCustomer"]["userErrors"] == []
