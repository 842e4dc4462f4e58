"""What is shown of loyalty programs, contracts and what hangs on them, value by value."""

from datetime import timedelta
from typing import Any

import pytest

from datastore.base import rfc3339
from datastore.database import Database
from datastore.loyalty import usage
from datastore.loyalty.contract import Contract, PolicyKey
from datastore.viewer import Viewer
from schema.node import written
from tests.execute import VIEWER, execute
from tests.factories.customer import a_customer
from tests.factories.loyalty import (
    CLIENT,
    DAY,
    a_consumer,
    a_contract,
    a_coupon_program,
    a_description,
    a_points_program,
    a_program,
    an_order_line,
    now,
)
from tests.loyalty.rows import (
    a_policy,
    a_reservation,
    a_saving,
    a_total,
    a_transaction,
)

SECOND = timedelta(seconds=1)


async def of_contract(database: Database, contract: Contract, selected: str, viewer: Viewer = VIEWER) -> Any:
    document = f"query ($uuid: ID!) {{ contract(by: {{uuid: $uuid}}) {{ {selected} }} }}"
    return (await execute(database, document, viewer, uuid=contract.uuid))["contract"]


async def of_program(database: Database, key: int, selected: str, viewer: Viewer = VIEWER) -> Any:
    document = f"query ($id: Long!) {{ loyaltyProgram(loyaltyProgramId: $id) {{ {selected} }} }}"
    return (await execute(database, document, viewer, id=key))["loyaltyProgram"]


@pytest.mark.rule("L06")
@pytest.mark.rule("L07")
async def test_a_program_shows_its_values_its_coupons_and_its_names(database: Database) -> None:
    day = await a_program(database)
    program = await a_coupon_program(
        database,
        loyalty_program_code="Sommer",
        code_key="sommer",
        config_loyalty_program_id=day.id,
        config_default_start_time="04:00:00",
    )
    nob = await a_description(database, program)
    await a_description(database, program, language_code="ENG", display_name=None)
    found = await of_program(
        database,
        program.id,
        """id loyaltyProgramId versionNumber versions { versionNumber } status loyaltyProgramType organisationId
        productId productVersion startDate endDate internalDescription loyaltyProgramCode usageValidityPeriod
        defaultCouponsLimit couponConfig { defaultQuantity loyaltyProgramId loyaltyProgram { loyaltyProgramType }
            defaultStartTime usageValidityPeriod }
        descriptions { languageCode displayName description version createdAt createdBy lastChangedAt lastChangedBy }
        createdAt createdBy""",
    )
    names = found.pop("descriptions")
    assert found == {
        "id": written("LoyaltyProgram", program.id),
        "loyaltyProgramId": program.id,
        "versionNumber": 1,
        "versions": [{"versionNumber": 1}],
        "status": "CURRENT",
        "loyaltyProgramType": "COUPONS",
        "organisationId": 1,
        "productId": program.product_id,
        "productVersion": "ENT:Version:V1",
        "startDate": rfc3339(program.start_date),
        "endDate": rfc3339(program.end_date),
        "internalDescription": "A program of tests.",
        "loyaltyProgramCode": "Sommer",
        "usageValidityPeriod": None,
        "defaultCouponsLimit": 10,
        "couponConfig": {
            "defaultQuantity": 10,
            "loyaltyProgramId": day.id,
            "loyaltyProgram": {"loyaltyProgramType": "TIMED"},
            "defaultStartTime": "04:00:00",
            "usageValidityPeriod": "P1D",
        },
        "createdAt": rfc3339(program.created_at),
        "createdBy": CLIENT,
    }
    assert [each["languageCode"] for each in names] == ["ENG", "NOB"]
    assert names[1] == {
        "languageCode": "NOB",
        "displayName": "Klippekort",
        "description": "Ti reiser.",
        "version": 1,
        "createdAt": rfc3339(nob.created_at),
        "createdBy": CLIENT,
        "lastChangedAt": rfc3339(nob.last_changed_at),
        "lastChangedBy": CLIENT,
    }
    timed = await of_program(
        database, day.id, "couponConfig { defaultQuantity } defaultCouponsLimit descriptions { text: description }"
    )
    assert timed == {"couponConfig": None, "defaultCouponsLimit": None, "descriptions": []}


@pytest.mark.rule("L02")
async def test_versions_have_their_own_values_and_status(database: Database) -> None:
    moment = now()
    first = await a_program(database, start_date=moment - DAY, superseded_at=moment - SECOND)
    row = {**first._asdict(), "usage_validity_period": "P1D"}  # type: ignore[attr-defined]
    row.pop("id")
    for number, start, end in ((2, moment - SECOND, moment + DAY), (3, moment + DAY, None)):
        await a_program(database, **{**row, "version_number": number, "start_date": start, "superseded_at": end})
    found = await of_program(
        database, first.id, "id versionNumber status versions { id versionNumber status usageValidityPeriod }"
    )
    id_ = written("LoyaltyProgram", first.id)
    assert found == {
        "id": id_,
        "versionNumber": 2,
        "status": "CURRENT",
        "versions": [
            {"id": id_, "versionNumber": 1, "status": "DEPRECATED", "usageValidityPeriod": None},
            {"id": id_, "versionNumber": 2, "status": "CURRENT", "usageValidityPeriod": "P1D"},
            {"id": id_, "versionNumber": 3, "status": "DRAFT", "usageValidityPeriod": "P1D"},
        ],
    }


@pytest.mark.rule("L11")
@pytest.mark.rule("L20")
@pytest.mark.rule("L21")
async def test_a_contract_shows_its_values_consumers_and_policies(database: Database) -> None:
    kari, ola = await a_customer(database, customer_ref="kari"), await a_customer(database)
    end = now() + DAY
    program = await a_coupon_program(database)
    parent = await a_contract(
        database,
        program,
        kari,
        expiration_date=end,
        acceptance_date=end - DAY,
        external_ref="M 1",
        coupons_limit=7,
        ticket_order_id="ORDER1",
        version=4,
    )
    child = await a_contract(database, await a_program(database), kari, parent=parent.uuid)
    other = await a_consumer(database, parent, ola, is_blocked=True)
    policies = [await a_policy(database, parent, key) for key in (PolicyKey.EMAIL, PolicyKey.DATE_OF_BIRTH)]
    found = await of_contract(
        database,
        parent,
        """id uuid organisationId status loyaltyProgram { loyaltyProgramId } consumableFrom expirationDate
        acceptanceDate externalRef parent parentContract { uuid } subContracts { uuid parent parentContract { uuid } }
        contractConsumers { customerNumber customerRef customerOrganisationId customer { customerNumber }
            isContractHolder isBlocked createdAt createdBy lastChangedAt lastChangedBy }
        policies { id key } couponsLimit remainingCoupons couponYears { year } currentTotal { amount }
        transactions { amount } orderLineEvents { orderId } reservations { uuid } passengerCategory ticketOrderId
        version createdAt createdBy lastChangedAt lastChangedBy""",
    )
    consumers = found.pop("contractConsumers")
    assert found == {
        "id": written("Contract", parent.uuid),
        "uuid": parent.uuid,
        "organisationId": 1,
        "status": "VALID",
        "loyaltyProgram": {"loyaltyProgramId": program.id},
        "consumableFrom": rfc3339(parent.consumable_from),
        "expirationDate": rfc3339(end),
        "acceptanceDate": rfc3339(end - DAY),
        "externalRef": "M 1",
        "parent": None,
        "parentContract": None,
        "subContracts": [{"uuid": child.uuid, "parent": parent.uuid, "parentContract": {"uuid": parent.uuid}}],
        "policies": [
            {"id": str(policies[0].id), "key": "EMAIL"},
            {"id": str(policies[1].id), "key": "DATE_OF_BIRTH"},
        ],
        "couponsLimit": 7,
        "remainingCoupons": 7,
        "couponYears": [],
        "currentTotal": None,
        "transactions": [],
        "orderLineEvents": [],
        "reservations": [],
        "passengerCategory": "ADULT",
        "ticketOrderId": "ORDER1",
        "version": 4,
        "createdAt": rfc3339(parent.created_at),
        "createdBy": CLIENT,
        "lastChangedAt": rfc3339(parent.last_changed_at),
        "lastChangedBy": CLIENT,
    }
    assert consumers[0]["isContractHolder"] is True
    assert consumers[0]["customerRef"] == "kari"
    assert consumers[1] == {
        "customerNumber": ola.customer_number,
        "customerRef": ola.customer_ref,
        "customerOrganisationId": 1,
        "customer": {"customerNumber": ola.customer_number},
        "isContractHolder": False,
        "isBlocked": True,
        "createdAt": rfc3339(other.created_at),
        "createdBy": CLIENT,
        "lastChangedAt": rfc3339(other.last_changed_at),
        "lastChangedBy": CLIENT,
    }


AMOUNTS = {0: "0.00", -5: "-0.05", 5: "0.05", -12_34: "-12.34", 34_000_00: "34000.00", 10**15: "10000000000000.00"}


@pytest.mark.rule("L18")
@pytest.mark.rule("L19")
async def test_money_is_shown_to_the_last_unit(database: Database) -> None:
    contract = await a_contract(database, await a_points_program(database))
    for amount in AMOUNTS:
        await a_transaction(database, contract, amount)
    total = await a_total(database, contract, 10**15)
    values = {"rrn": "R1", "email": "seller@example.com", "pos_id": "P1", "external_transaction_id": "X1"}
    first = await a_transaction(database, contract, 100_00, **values)
    back = await a_transaction(database, contract, -100_00, reverses_id=first.id)
    transaction = """amount currency timestamp rrn email posId externalTransactionId internalTransactionId
        reverses { internalTransactionId } reversedBy { internalTransactionId amount }"""
    found = await of_contract(
        database, contract, f"currentTotal {{ amount currency calculatedAt }} transactions {{ {transaction} }}"
    )
    assert found["currentTotal"] == {
        "amount": "10000000000000.00",
        "currency": "NOK",
        "calculatedAt": rfc3339(total.calculated_at),
    }
    assert [each["amount"] for each in found["transactions"][: len(AMOUNTS)]] == list(AMOUNTS.values())
    assert found["transactions"][-2:] == [
        {
            "amount": "100.00",
            "currency": "NOK",
            "timestamp": rfc3339(first.timestamp),
            "rrn": "R1",
            "email": "seller@example.com",
            "posId": "P1",
            "externalTransactionId": "X1",
            "internalTransactionId": first.internal_transaction_id,
            "reverses": None,
            "reversedBy": {"internalTransactionId": back.internal_transaction_id, "amount": "-100.00"},
        },
        {
            "amount": "-100.00",
            "currency": "NOK",
            "timestamp": rfc3339(back.timestamp),
            "rrn": None,
            "email": None,
            "posId": None,
            "externalTransactionId": None,
            "internalTransactionId": back.internal_transaction_id,
            "reverses": {"internalTransactionId": first.internal_transaction_id},
            "reversedBy": None,
        },
    ]


@pytest.mark.rule("L30")
@pytest.mark.rule("L31")
@pytest.mark.rule("L34")
@pytest.mark.rule("L35")
async def test_order_lines_show_prices_cancellations_savings_and_what_was_made_of_them(database: Database) -> None:
    kari = await a_customer(database)
    contract = await a_contract(database, await a_coupon_program(database), kari)
    child = await a_contract(database, await a_program(database), kari, parent=contract.uuid)
    moment = now()
    bought = await an_order_line(
        database,
        contract,
        sub_contract=child.uuid,
        last_travel_date=moment + DAY,
        travel_date=moment,
        codespace="ENT",
        is_cancelled=True,
    )
    await a_saving(database, bought)
    await a_saving(database, bought, tax_month=2, tax_saving=None, is_unknown=True)
    kind = usage.OrderLineEventType.CANCELLATION
    back = {"event_type": kind, "is_cancelled": True, "cancels_id": bought.id, "price": -100_00, "coupons_used": 1}
    await an_order_line(
        database,
        contract,
        **back,
        original_price=None,
        order_line_text=None,
        order_id=bought.order_id,
        manual_transaction_comment="By hand.",
        effective_cancellation_date=moment,
    )
    found = await of_contract(
        database,
        contract,
        """orderLineEvents { orderId orderLineId orderLineVersion organisationId eventType isCancelled isPurchased
        timestamp price originalPrice travelDate lastTravelDate couponsUsed codespace orderLineText
        manualTransactionComment effectiveCancellationDate cancels { orderId eventType } subContract { uuid }
        taxDistributions { taxYear taxMonth taxSaving isUnknown } }""",
    )
    first, second = found["orderLineEvents"]
    assert first == {
        "orderId": bought.order_id,
        "orderLineId": "1",
        "orderLineVersion": "1",
        "organisationId": 1,
        "eventType": "PURCHASE",
        "isCancelled": True,
        "isPurchased": False,
        "timestamp": rfc3339(bought.timestamp),
        "price": "100.00",
        "originalPrice": "150.00",
        "travelDate": rfc3339(moment),
        "lastTravelDate": rfc3339(moment + DAY),
        "couponsUsed": 1,
        "codespace": "ENT",
        "orderLineText": "Single ticket",
        "manualTransactionComment": None,
        "effectiveCancellationDate": None,
        "cancels": None,
        "subContract": {"uuid": child.uuid},
        "taxDistributions": [
            {"taxYear": 2026, "taxMonth": 1, "taxSaving": "50.00", "isUnknown": False},
            {"taxYear": 2026, "taxMonth": 2, "taxSaving": None, "isUnknown": True},
        ],
    }
    changed: dict[str, Any] = {
        "price": "-100.00",
        "originalPrice": None,
        "orderLineText": None,
        "eventType": "CANCELLATION",
        "cancels": {"orderId": bought.order_id, "eventType": "PURCHASE"},
        "manualTransactionComment": "By hand.",
        "effectiveCancellationDate": rfc3339(moment),
        "subContract": None,
        "taxDistributions": [],
    }
    assert {name: second[name] for name in changed} == changed


async def test_a_reservation_shows_what_is_held_and_that_it_is_over_at_the_second(database: Database) -> None:
    kari = await a_customer(database)
    contract = await a_contract(database, await a_coupon_program(database), kari)
    held = await a_reservation(database, contract, 2)
    line = await an_order_line(database, contract)
    await a_reservation(database, contract, None, expires_at=now() - SECOND)
    captured: Any = {"status": usage.ReservationStatus.CAPTURED, "order_line_event_id": line.id}
    await a_reservation(database, contract, **captured, expires_at=now() - SECOND)
    selected = """uuid status coupons travelDate lastTravelDate expiresAt createdAt orderLineEvent { orderId }"""
    first, *others = (await of_contract(database, contract, f"reservations {{ {selected} }}"))["reservations"]
    assert first == {
        "uuid": held.uuid,
        "status": "HELD",
        "coupons": 2,
        "travelDate": rfc3339(held.travel_date),
        "lastTravelDate": rfc3339(held.travel_date),
        "expiresAt": rfc3339(held.expires_at),
        "createdAt": rfc3339(held.created_at),
        "orderLineEvent": None,
    }
    told = [(each["status"], each["coupons"], each["orderLineEvent"]) for each in others]
    assert told == [("EXPIRED", None, None), ("CAPTURED", 1, {"orderId": line.order_id})]
