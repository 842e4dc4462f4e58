"""What a customer may use at a moment (rules L42, L12 and L43), by number and below the customer."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest

from datastore.base import rfc3339
from datastore.customer import CustomerStatus
from datastore.database import Database
from datastore.loyalty.contract import ContractStatus, PassengerCategory
from datastore.viewer import Permission, Viewer
from schema.permission import Callers, Need, permission_table
from schema.root import schema
from tests.execute import FOREIGNER, INTERNAL, VIEWER, execute, refusal
from tests.factories.customer import a_customer, a_deleted_customer, a_merged_customer
from tests.factories.loyalty import DAY, a_consumer, a_contract, a_coupon_program, a_description, a_program, now
from tests.loyalty.rows import a_coupon_year, a_user
from tests.statements import statements

MILLISECOND = timedelta(milliseconds=1)
GIVEN = "$number: Long!, $at: DateTime, $without: Boolean = false, $first: Int, $after: String"
ARGUMENTS = "travelDate: $at, excludeSubContracts: $without, first: $first, after: $after"
PAGE = "totalItems nodes { contractUUID } pageInfo { endCursor }"
ENTITLEMENTS = f"query ({GIVEN}) {{ entitlements(customerNumber: $number, {ARGUMENTS}) {{ {PAGE} }} }}"
OF_CUSTOMER = f"""query ({GIVEN}) {{ customer(by: {{customerNumber: $number}}) {{
    entitlements({ARGUMENTS}) {{ {PAGE} }} }} }}"""
ONE = """query ($number: Long!) { entitlements(customerNumber: $number) { nodes {
    productId productVersion displayName { text description languageCode } contractUUID contract { uuid }
    contractParent parentContract { uuid } contractExternalRef contractValidFrom contractValidTo
    contractOwner { customerNumber } contractOwnerCustomerNumber contractOwnerDisplayName contractOwnerDateOfBirth
    passengerCategory isSeniorCitizen couponsLimit remainingCoupons ticketOrderId } } }"""


async def entitled(
    database: Database, customer: Any, at: datetime | None = None, viewer: Viewer = VIEWER, **given: Any
) -> list[str]:
    """The contracts that are found by the number and, where the caller sees the customer, below it."""
    variables = {"number": customer.customer_number, "at": at and rfc3339(at), **given}
    found = (await execute(database, ENTITLEMENTS, viewer, **variables))["entitlements"]
    below = (await execute(database, OF_CUSTOMER, viewer, **variables))["customer"]
    assert found["totalItems"] == len(found["nodes"])
    if below is None:
        assert found["nodes"] == []
    else:
        assert (below["entitlements"]["nodes"], below["entitlements"]["totalItems"]) == (
            found["nodes"],
            found["totalItems"],
        )
    return [each["contractUUID"] for each in found["nodes"]]


@pytest.mark.rule("L42")
@pytest.mark.rule("L43")
@pytest.mark.rule("L44")
async def test_an_entitlement_tells_the_product_the_holder_and_the_contract(database: Database) -> None:
    kari = await a_customer(database, date_of_birth=date(1950, 5, 1))
    coupons = await a_coupon_program(database)
    await a_description(database, coupons)
    await a_description(database, coupons, language_code="ENG", display_name=None, description="Ten trips.")
    parent = await a_contract(database, coupons, kari, external_ref="M 1")
    await a_coupon_year(database, parent, 3)
    end = now() + DAY
    child = await a_contract(
        database,
        await a_program(database, product_version="ENT:Version:V2"),
        kari,
        parent=parent.uuid,
        expiration_date=end,
        passenger_category=PassengerCategory.SENIOR,
        ticket_order_id="ORDER1",
    )
    first, second = (await execute(database, ONE, number=kari.customer_number))["entitlements"]["nodes"]
    owner = {
        "contractOwner": {"customerNumber": kari.customer_number},
        "contractOwnerCustomerNumber": kari.customer_number,
        "contractOwnerDisplayName": "Kari Nordmann",
        "contractOwnerDateOfBirth": "1950-05-01",
    }
    assert first == {
        **owner,
        "productId": coupons.product_id,
        "productVersion": "ENT:Version:V1",
        "displayName": [
            {"text": None, "description": "Ten trips.", "languageCode": "ENG"},
            {"text": "Klippekort", "description": "Ti reiser.", "languageCode": "NOB"},
        ],
        "contractUUID": parent.uuid,
        "contract": {"uuid": parent.uuid},
        "contractParent": None,
        "parentContract": None,
        "contractExternalRef": "M 1",
        "contractValidFrom": rfc3339(parent.consumable_from),
        "contractValidTo": rfc3339(coupons.end_date),
        "passengerCategory": "ADULT",
        "isSeniorCitizen": False,
        "couponsLimit": 10,
        "remainingCoupons": 3,
        "ticketOrderId": None,
    }
    assert second["productVersion"] == "ENT:Version:V2"
    assert second["displayName"] == []
    assert (second["contractParent"], second["parentContract"]) == (parent.uuid, {"uuid": parent.uuid})
    assert (second["contractValidTo"], second["ticketOrderId"]) == (rfc3339(end), "ORDER1")
    assert (second["passengerCategory"], second["isSeniorCitizen"]) == ("SENIOR", True)
    assert (second["couponsLimit"], second["remainingCoupons"]) == (None, None)
    assert second["contractUUID"] == child.uuid


@pytest.mark.rule("L42")
async def test_a_holder_may_lack_one_name_or_both(database: Database) -> None:
    program = await a_program(database)
    for names, told in (((" Kari ", None), "Kari"), ((None, "Nordmann"), "Nordmann"), ((None, None), None)):
        kari = await a_customer(database, first_name=names[0], surname=names[1])
        await a_contract(database, program, kari)
        (found,) = (await execute(database, ONE, number=kari.customer_number))["entitlements"]["nodes"]
        assert found["contractOwnerDisplayName"] == told


@pytest.mark.rule("L12")
@pytest.mark.rule("L42")
async def test_only_contracts_that_can_be_used_at_the_moment_are_told(database: Database) -> None:
    kari = await a_customer(database)
    program = await a_program(database)
    start, end = now() + DAY, now() + 2 * DAY
    later = (await a_contract(database, program, kari, consumable_from=start, expiration_date=end)).uuid
    always = (await a_contract(database, program, kari)).uuid
    for status in ContractStatus:
        if status is not ContractStatus.VALID:
            await a_contract(database, program, kari, status=status)
    ended = await a_program(database, end_date=now() - timedelta(seconds=1))
    await a_contract(database, ended, kari)
    await a_contract(database, program, kari, expiration_date=now() - timedelta(seconds=1))
    for moment, expected in [
        (None, [always]),
        (start - MILLISECOND, [always]),
        (start, [later, always]),
        (end - MILLISECOND, [later, always]),
        (end, [always]),
        # Whatever is over now was no longer valid when somebody asked, though it was on that day.
        (now() - timedelta(hours=1), [always]),
        (now() - 2 * DAY, []),
        (program.end_date, []),
    ]:
        assert await entitled(database, kari, moment) == expected, moment


@pytest.mark.rule("L20")
@pytest.mark.rule("L42")
async def test_blocked_consumers_have_none_and_sub_contracts_can_be_left_out(database: Database) -> None:
    kari, ola = await a_customer(database), await a_customer(database)
    parent = await a_contract(database, await a_coupon_program(database), kari)
    child = await a_contract(database, await a_program(database), kari, parent=parent.uuid)
    await a_consumer(database, parent, ola)
    await a_consumer(database, child, ola, is_blocked=True)
    assert await entitled(database, kari) == [parent.uuid, child.uuid]
    assert await entitled(database, kari, without=True) == [parent.uuid]
    assert await entitled(database, ola) == [parent.uuid]
    page = (await execute(database, ENTITLEMENTS, number=kari.customer_number, first=1))["entitlements"]
    after = {"number": kari.customer_number, "after": page["pageInfo"]["endCursor"]}
    page = (await execute(database, ENTITLEMENTS, first=1, **after))["entitlements"]
    assert [each["contractUUID"] for each in page["nodes"]] == [child.uuid]
    assert (await refusal(database, ENTITLEMENTS, **{**after, "without": True})).name == "CURSOR_INVALID"
    assert (await refusal(database, ENTITLEMENTS, **{**after, "at": rfc3339(now())})).name == "CURSOR_INVALID"


@pytest.mark.rule("C40")
@pytest.mark.rule("L42")
async def test_a_merged_number_means_its_survivor_with_what_has_stayed_behind(database: Database) -> None:
    kari = await a_customer(database)
    old = await a_merged_customer(database, kari)
    program = await a_program(database)
    both = await a_contract(database, program, kari)
    await a_consumer(database, both, old)
    left = await a_contract(database, program, old)
    blocked = await a_contract(database, program, kari)
    await a_consumer(database, blocked, old, is_blocked=True)
    for each in (kari, old):
        assert await entitled(database, each) == [both.uuid, left.uuid]


@pytest.mark.rule("T04")
@pytest.mark.rule("T05")
@pytest.mark.rule("L41")
async def test_a_foreign_customer_has_none_like_an_unknown_one(database: Database) -> None:
    kari, ola = await a_customer(database), await a_customer(database, status=CustomerStatus.PASSIVE)
    gone = await a_deleted_customer(database)
    program = await a_program(database)
    shared = await a_contract(database, program, ola)
    await a_consumer(database, shared, kari)
    await a_contract(database, program, gone)
    for viewer in (VIEWER, INTERNAL):
        assert await entitled(database, kari, viewer=viewer) == [shared.uuid]
        assert await entitled(database, ola, viewer=viewer) == [shared.uuid]
        assert await entitled(database, gone, viewer=viewer) == []
    assert await entitled(database, kari, viewer=FOREIGNER) == []
    assert await entitled(database, kari, viewer=a_user(kari)) == [shared.uuid]
    assert await entitled(database, ola, viewer=a_user(kari)) == []
    (found,) = (await execute(database, ONE, a_user(kari), number=kari.customer_number))["entitlements"]["nodes"]
    hidden = ("contractOwner", "contractOwnerCustomerNumber", "contractOwnerDisplayName", "contractOwnerDateOfBirth")
    assert [found[name] for name in hidden] == [None] * 4
    assert found["contract"] == {"uuid": shared.uuid}


async def test_many_entitlements_take_as_many_statements_as_one(database: Database) -> None:
    program = await a_coupon_program(database)
    counts = []
    for size in (1, 20):
        kari = await a_customer(database)
        for _ in range(size):
            await a_contract(database, program, kari)
        with statements(database) as seen:
            found = await execute(database, ONE, number=kari.customer_number)
        assert len(found["entitlements"]["nodes"]) == size
        counts.append(len(seen))
    assert counts[0] >= counts[1]


def test_the_name_of_a_holder_is_told_to_those_who_may_read_customers_only() -> None:
    needed = permission_table(schema._schema).fields["Entitlement"]
    for name in ("contractOwner", "contractOwnerDisplayName"):
        assert needed[name] == Need(Permission.CUSTOMER_READ, Callers.EVERYONE)
