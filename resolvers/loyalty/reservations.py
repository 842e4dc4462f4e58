"""Holding a use of a contract while an order is paid (rules L14, L15 and L55).

The coupons of a reservation are taken at once, by a line RESERVATION of the ledger. A capture moves none: that line is
the use. A release, and the end of the time, give them back by a line RELEASE. So at every moment the lines add up to
what is used and held.
"""

import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import strawberry
from strawberry import ID

from datastore.base import milliseconds
from datastore.loyalty import consuming as statements
from datastore.loyalty.consuming import InUse
from datastore.loyalty.ledger import LedgerKind
from datastore.loyalty.usage import ContractReservation, OrderLineEvent, ReservationStatus
from datastore.writing import Write
from resolvers.errors import ErrorCode, Refused, refuse
from resolvers.given import Problems
from resolvers.loyalty.consuming import (
    CODESPACE,
    FIRST_VERSION,
    ORDER_LINE_TEXT,
    ORDER_LINE_VERSION,
    ORIGINAL_PRICE,
    PRICE,
    answer,
    book,
    in_use,
    is_same,
    known_purchase,
    line_of,
    refuse_for,
    take_coupons,
    travel,
)
from resolvers.loyalty.holds import settle
from resolvers.loyalty.shown import reservation_status
from resolvers.loyalty.validation import (
    CONTRACT_UUID,
    COUPONS,
    FIRST_TRAVEL_DATE,
    LAST_TRAVEL_DATE,
    ORDER_ID,
    ORDER_LINE_ID,
    PRODUCT,
    PRODUCT_VERSION,
    UUID,
    WHO,
    obstacle,
    possible,
)
from resolvers.scalars import Amount, Long

LONGEST = timedelta(hours=24)
LONGEST_CLIENT_NAME = 100
RESERVATION = "Id of the reservation."
EXPIRES_AT = "When the reservation is over unless it is captured before: in the next 24 hours, by default in a while."


@strawberry.input(description="A use of a contract to be held for a while.")
class ReserveContractConsumptionInput:
    contract_uuid: ID = strawberry.field(description=CONTRACT_UUID)
    customer_number: Long = strawberry.field(description=WHO)
    first_travel_date: datetime = strawberry.field(description=FIRST_TRAVEL_DATE)
    last_travel_date: datetime | None = strawberry.field(default=None, description=LAST_TRAVEL_DATE)
    entitlement_product_id: ID = strawberry.field(description=PRODUCT)
    entitlement_product_version: ID | None = strawberry.field(default=None, description=PRODUCT_VERSION)
    coupons: int = strawberry.field(default=1, description=COUPONS)
    expires_at: datetime | None = strawberry.field(default=None, description=EXPIRES_AT)


@strawberry.input(description="The order line that is bought by what was reserved.")
class CaptureReservationInput:
    reservation_uuid: ID = strawberry.field(description=RESERVATION)
    order_id: str = strawberry.field(description=ORDER_ID)
    order_line_id: str = strawberry.field(description=ORDER_LINE_ID)
    order_line_version: str = strawberry.field(default=FIRST_VERSION, description=ORDER_LINE_VERSION)
    price: Amount = strawberry.field(description=PRICE)
    original_price: Amount | None = strawberry.field(default=None, description=ORIGINAL_PRICE)
    order_line_text: str | None = strawberry.field(default=None, description=ORDER_LINE_TEXT)
    codespace: str | None = strawberry.field(default=None, description=CODESPACE)


@strawberry.input(description="A reservation to be given back.")
class ReleaseReservationInput:
    reservation_uuid: ID = strawberry.field(description=RESERVATION)


async def reserve_contract_consumption(write: Write, given: ReserveContractConsumptionInput) -> Mapping[str, Any]:
    """The reservation, and the contract whose coupons it has taken.

    Raises `Refused`: what `validate_contract_consumption` does of the same fields, VALUE_INVALID unless it is over in
    the next 24 hours; CONTRACT_NOT_FOUND (foreign ones too, T04), NOT_A_CONSUMER (for unknown customers too),
    CONSUMER_BLOCKED, CONTRACT_NOT_VALID, CONTRACT_NOT_YET_CONSUMABLE, CONTRACT_EXPIRED, PRODUCT_MISMATCH,
    PRODUCT_VERSION_MISMATCH, TOO_FEW_COUPONS.
    """
    problems = Problems()
    try:
        possible(given)
    except Refused as refused:
        problems.errors += refused.errors
    expires_at = write.now + write.policy.reservation if given.expires_at is None else milliseconds(given.expires_at)
    if not write.now < expires_at <= write.now + LONGEST:
        problems.add(ErrorCode.VALUE_INVALID, "expiresAt", rejected=[given.expires_at])
    problems.raise_any()
    found = await in_use(write, given.contract_uuid, given.customer_number)
    contract = found.contract
    dates = travel(given.first_travel_date, given.last_travel_date)
    travel_date, is_blocked = dates["travel_date"], found.is_blocked
    refuse_for(given, obstacle(contract, found.program, is_blocked, travel_date, write.now, given))
    coupons = None if contract.coupons_limit is None else given.coupons
    made = ContractReservation(
        **dates,
        uuid=str(uuid.uuid4()),
        contract_id=contract.id,
        customer_id=found.customer.id if found.customer else None,
        status=ReservationStatus.HELD,
        coupons=coupons,
        expires_at=expires_at,
        created_at=write.now,
        created_by=write.client_name[:LONGEST_CLIENT_NAME],
    )
    await take_coupons(write, contract, LedgerKind.RESERVATION, given, {**dates, "coupons_used": coupons}, made.uuid)
    write.session.add(made)
    await write.session.flush()
    return {"reservation": made, "contract": contract}


async def capture_reservation(write: Write, given: CaptureReservationInput) -> Mapping[str, Any]:
    """The reservation, the order line that is bought by it, the contract, and the contract that the use has made, if
    any (L16). No coupons are moved. A repeat answers the first capture and books nothing (L33).

    The present does not count, if the travel date fits: what was held in time can be used although the contract has
    expired since. Where anything else has come in the way, the reservation stays held, to be released or to end.
    Raises `Refused`: RESERVATION_NOT_FOUND (foreign ones too, T04), RESERVATION_EXPIRED, RESERVATION_SETTLED,
    VALUE_INVALID for prices below zero, REQUIRED, TEXT_TOO_LONG, TEXT_INVALID; ORDER_LINE_CONFLICT for an order line
    that is known, ALREADY_CANCELLED where the first capture was cancelled; NOT_A_CONSUMER, CONSUMER_BLOCKED,
    CONTRACT_NOT_VALID, CONTRACT_NOT_YET_CONSUMABLE, CONTRACT_EXPIRED.
    """
    problems = Problems()
    line = line_of(problems, given)
    problems.raise_any()
    found, hold = await _reserved(write, given.reservation_uuid)
    values = {
        **line,
        "customer_id": hold.customer_id,
        "coupons_used": hold.coupons,
        "is_purchased": False,
        "travel_date": hold.travel_date,
        "last_travel_date": hold.last_travel_date,
        "coupon_year": hold.coupon_year,
    }
    if hold.order_line_event_id is not None:
        first = await write.session.get_one(OrderLineEvent, hold.order_line_event_id)
        if not is_same(first, values):
            raise refuse(ErrorCode.RESERVATION_SETTLED, "reservationUuid", rejected=[hold.uuid])
        if first.is_cancelled:
            raise refuse(ErrorCode.ALREADY_CANCELLED, "orderId", rejected=[first.order_id])
        return {"reservation": hold, **await answer(write, found.contract, first)}
    _still_held(write, hold)
    if await known_purchase(write, found.contract, values):
        raise refuse(ErrorCode.ORDER_LINE_CONFLICT, "orderId", rejected=[line["order_id"]])
    outcome = obstacle(found.contract, found.program, found.is_blocked, hold.travel_date, write.now, is_late=True)
    refuse_for(given, outcome)
    await settle(write, found.contract, hold, ReservationStatus.CAPTURED)
    booked = await book(write, found, values, since=write.now)
    hold.order_line_event_id = booked["order_line_event"].id
    await write.session.flush()
    return {"reservation": hold, **booked}


async def release_reservation(write: Write, given: ReleaseReservationInput) -> Mapping[str, Any]:
    """The reservation, and the contract that has its coupons again, of whatever status it is.

    Raises `Refused`: RESERVATION_NOT_FOUND (foreign ones too, T04), RESERVATION_EXPIRED, RESERVATION_SETTLED.
    """
    found, hold = await _reserved(write, given.reservation_uuid)
    _still_held(write, hold)
    await settle(write, found.contract, hold, ReservationStatus.RELEASED)
    await write.session.flush()
    return {"reservation": hold, "contract": found.contract}


async def _reserved(write: Write, reservation_uuid: str) -> tuple[InUse, ContractReservation]:
    """A reservation, locked with its contract and with whoever it is for. Raises `Refused`: RESERVATION_NOT_FOUND."""
    is_possible = UUID.fullmatch(reservation_uuid)
    seen = await statements.use_of_reservation(write, reservation_uuid) if is_possible else None
    if seen is None:
        raise refuse(ErrorCode.RESERVATION_NOT_FOUND, "reservationUuid", rejected=[reservation_uuid])
    found = await in_use(write, *seen)
    hold: ContractReservation = await write.get(ContractReservation.uuid, reservation_uuid)
    return found, hold


def _still_held(write: Write, hold: ContractReservation) -> None:
    """Raises `Refused`: RESERVATION_EXPIRED, RESERVATION_SETTLED."""
    status = reservation_status(hold, write.now)
    if status is ReservationStatus.HELD:
        return
    is_over = status is ReservationStatus.EXPIRED
    code = ErrorCode.RESERVATION_EXPIRED if is_over else ErrorCode.RESERVATION_SETTLED
    raise refuse(code, "reservationUuid", rejected=[hold.uuid])
