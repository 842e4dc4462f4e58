"""What the tests of the use of contracts share: documents, inputs, and what is stored."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select

from datastore.customer import Customer
from datastore.database import Database
from datastore.loyalty.contract import Contract
from datastore.loyalty.ledger import CouponYear, LedgerLine
from datastore.loyalty.program import LoyaltyProgram
from datastore.loyalty.proof import prove
from tests.customer.mutations import Error, Values, answered, document, everything
from tests.factories.customer import a_customer
from tests.factories.loyalty import a_contract, a_coupon_program

EVENT = """
    orderId orderLineId orderLineVersion organisationId eventType isCancelled isPurchased price originalPrice travelDate
    lastTravelDate couponsUsed codespace orderLineText manualTransactionComment effectiveCancellationDate timestamp
    taxDistributions { taxYear taxMonth taxSaving isUnknown } cancels { orderId orderLineVersion }
"""
SUB = """
    uuid parent status consumableFrom expirationDate couponsLimit contractConsumers { isContractHolder customerNumber }
"""
CONTRACT = "uuid remainingCoupons"
RESERVATION = "uuid status coupons travelDate lastTravelDate expiresAt orderLineEvent { orderId }"
CONSUME = document("consumeContract", f"orderLineEvent {{ {EVENT} }} contract {{ {CONTRACT} }} subContract {{ {SUB} }}")
REGISTER = document(
    "registerOrderLineEvent", f"orderLineEvent {{ {EVENT} }} contract {{ {CONTRACT} }} subContract {{ {SUB} }}"
)
RESERVE = document("reserveContractConsumption", f"reservation {{ {RESERVATION} }} contract {{ {CONTRACT} }}")
CAPTURE = document(
    "captureReservation",
    f"reservation {{ {RESERVATION} }} orderLineEvent {{ {EVENT} }} contract {{ {CONTRACT} }} subContract {{ {SUB} }}",
)
RELEASE = document("releaseReservation", f"reservation {{ {RESERVATION} }} contract {{ {CONTRACT} }}")
VALIDATE = """query($consumptions: [ContractConsumptionInput!]) {
    validateContractConsumption(consumptions: $consumptions) {
        code reason isValid outcome results { contractUuid code reason isValid outcome }
    }
}"""

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def soon(**more: float) -> datetime:
    """A moment in the same Norwegian year as the present: in an hour, or an hour ago on New Year's Eve."""
    now = datetime.now(UTC).replace(microsecond=0)
    later = now + timedelta(hours=1)
    return later if (later + DAY).year == now.year else now - timedelta(hours=1)


def text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def a_coupon_contract(
    database: Database, coupons: Any = 10, **values: Any
) -> tuple[LoyaltyProgram, Contract, Customer]:
    """A contract of coupons with its holder, and its program."""
    program = await a_coupon_program(database)
    customer = await a_customer(database)
    contract = await a_contract(database, program, customer, coupons_limit=coupons, **values)
    return program, contract, customer


def a_use(program: LoyaltyProgram, contract: Contract, customer: Customer, **values: Any) -> Values:
    """The least that a validation or a reservation takes."""
    return {
        "contractUuid": contract.uuid,
        "customerNumber": customer.customer_number,
        "firstTravelDate": text(soon()),
        "entitlementProductId": program.product_id,
        **values,
    }


def a_line(order_id: Any = "ORDER-1", **values: Any) -> Values:
    """The least that an order line has."""
    return {"orderId": order_id, "orderLineId": "1", "price": "100.00", **values}


def an_event(contract: Contract, order_id: Any = "ORDER-1", **values: Any) -> Values:
    """The least that the event of a purchase has."""
    return {
        "eventType": "PURCHASE",
        "contractUuid": contract.uuid,
        "orderId": order_id,
        "orderLineId": "1",
        "price": "100.00",
        **values,
    }


def a_cancellation(contract: Contract, order_id: Any = "ORDER-1", **values: Any) -> Values:
    """The least that the event of a cancellation has."""
    given = {"eventType": "CANCELLATION", "contractUuid": contract.uuid, "orderId": order_id, "orderLineId": "1"}
    return {**given, **values}


async def made(database: Database, what: str, given: Values, **more: Any) -> Any:
    """The payload of a mutation that must not be refused, without its errors."""
    payload, errors = await answered(database, what, given, **more)
    assert errors == []
    return payload


async def moves(database: Database, contract: Contract) -> list[tuple[str, int | None, int | None]]:
    """Kind, coupons and year of the ledger's lines."""
    table: Any = LedgerLine.__table__
    rows = await database.fetch(select(table).where(table.c.contract_id == contract.id).order_by(table.c.number))
    return [(row.kind.value, row.coupons, row.coupon_year) for row in rows]


async def left(database: Database, contract: Contract) -> dict[int, int]:
    """What is stored as left, by year."""
    table: Any = CouponYear.__table__
    rows = await database.fetch(select(table).where(table.c.contract_id == contract.id))
    return {row.year: row.remaining for row in rows}


async def adds_up(database: Database, contract: Contract) -> bool:
    """Whether the ledger is whole and comes to what is left."""
    proof = await prove(database, contract.id)
    return proof.is_balanced and proof.first_broken_line is None


async def rows_of(database: Database, row: Any) -> list[Any]:
    """All rows of a class, in the order of their keys."""
    return list(await database.fetch(select(row.__table__).order_by(row.id)))


def codes(errors: list[Error]) -> list[tuple[str, str]]:
    """Codes and paths of errors."""
    return [(code, path) for code, path, _ in errors]


@asynccontextmanager
async def nothing_booked(database: Database) -> AsyncIterator[None]:
    """A block that changes nothing but the audit log, which tells that somebody was there."""
    before = await everything(database)
    yield
    after = await everything(database)
    assert {name for name, rows in after.items() if rows != before[name]} <= {"audit_log", "audit_chain"}
