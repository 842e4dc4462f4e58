"""Using contracts: the use and its order line are booked together (rules L14 to L16, L31 to L33, L35 and L53)."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import strawberry
from strawberry import ID

from datastore.base import milliseconds
from datastore.loyalty import consuming as statements
from datastore.loyalty.consuming import InUse
from datastore.loyalty.contract import Contract
from datastore.loyalty.ledger import LedgerKind, move_coupons
from datastore.loyalty.usage import OrderLineEvent, OrderLineEventType
from datastore.writing import Write
from resolvers.errors import ErrorCode, Refused, refuse
from resolvers.given import Problems, checked, field_error
from resolvers.loyalty.holds import settle_holds, year_of
from resolvers.loyalty.sub_contracts import make_sub_contract
from resolvers.loyalty.tax import distribute
from resolvers.loyalty.validation import (
    CONTRACT_UUID,
    COUPONS,
    FIRST_TRAVEL_DATE,
    LAST_TRAVEL_DATE,
    ORDER_ID,
    ORDER_LINE_ID,
    PRODUCT,
    PRODUCT_VERSION,
    REFUSALS,
    UUID,
    WHO,
    ConsumptionOutcome,
    obstacle,
    possible,
)
from resolvers.scalars import Amount, Long, written_amount

FIRST_VERSION = "1"
ORDER_LINE_VERSION = f"Version of the order line. At most 60 characters; by default {FIRST_VERSION}."
PRICE = "What is paid, zero or more."
ORIGINAL_PRICE = "What it costs without the traveller's discount; without it nothing is told of tax."
ORDER_LINE_TEXT = "Name of what is bought. At most 255 characters."
CODESPACE = "Codespace. At most 20 characters."
AMOUNTS = ("price", "original_price")
KEY = ("order_id", "order_line_id", "order_line_version")
LINE = (*AMOUNTS, *KEY, "order_line_text", "codespace", "manual_transaction_comment")


@strawberry.input(description="A use of a contract, with the order line that is bought by it.")
class ConsumeContractInput:
    contract_uuid: ID = strawberry.field(description=CONTRACT_UUID)
    customer_number: Long = strawberry.field(description=WHO)
    first_travel_date: datetime = strawberry.field(description=FIRST_TRAVEL_DATE)
    last_travel_date: datetime | None = strawberry.field(default=None, description=LAST_TRAVEL_DATE)
    entitlement_product_id: ID = strawberry.field(description=PRODUCT)
    entitlement_product_version: ID | None = strawberry.field(default=None, description=PRODUCT_VERSION)
    coupons: int = strawberry.field(default=1, description=COUPONS)
    order_id: str = strawberry.field(description=ORDER_ID)
    order_line_id: str = strawberry.field(description=ORDER_LINE_ID)
    order_line_version: str = strawberry.field(default=FIRST_VERSION, description=ORDER_LINE_VERSION)
    price: Amount = strawberry.field(description=PRICE)
    original_price: Amount | None = strawberry.field(default=None, description=ORIGINAL_PRICE)
    order_line_text: str | None = strawberry.field(default=None, description=ORDER_LINE_TEXT)
    codespace: str | None = strawberry.field(default=None, description=CODESPACE)


async def consume_contract(write: Write, given: ConsumeContractInput) -> Mapping[str, Any]:
    """The order line, the contract, and the contract that the use has made, if any (L16). A repeat answers the first
    booking and books nothing (L33, L54).

    Raises `Refused`: what `validate_contract_consumption` does of the same fields, VALUE_INVALID for prices below zero,
    REQUIRED, TEXT_TOO_LONG, TEXT_INVALID; CONTRACT_NOT_FOUND (foreign ones too, T04); ORDER_LINE_CONFLICT for an order
    line that is known with other values, ALREADY_CANCELLED for one that was cancelled; NOT_A_CONSUMER (for unknown
    customers too), CONSUMER_BLOCKED, CONTRACT_NOT_VALID, CONTRACT_NOT_YET_CONSUMABLE, CONTRACT_EXPIRED,
    PRODUCT_MISMATCH, PRODUCT_VERSION_MISMATCH, TOO_FEW_COUPONS.
    """
    problems = Problems()
    try:
        possible(given)
    except Refused as refused:
        problems.errors += refused.errors
    line = line_of(problems, given)
    problems.raise_any()
    found = await in_use(write, given.contract_uuid, given.customer_number)
    values = {
        **line,
        "customer_id": found.customer.id if found.customer else None,
        "coupons_used": None if found.contract.coupons_limit is None else given.coupons,
        "is_purchased": False,
        **travel(given.first_travel_date, given.last_travel_date),
    }
    if known := await known_purchase(write, found.contract, values):
        if known.is_cancelled:
            raise refuse(ErrorCode.ALREADY_CANCELLED, "orderId", rejected=[known.order_id])
        return await answer(write, found.contract, known)
    travel_date, is_blocked = values["travel_date"], found.is_blocked
    refuse_for(given, obstacle(found.contract, found.program, is_blocked, travel_date, write.now, given))
    await take_coupons(write, found.contract, LedgerKind.USE, given, values)
    return await book(write, found, values, since=write.now)


# What all who book order lines need


async def in_use(write: Write, contract_uuid: str, customer_number: int | None) -> InUse:
    """The contract and who uses it, locked. Raises `Refused`: CONTRACT_NOT_FOUND, for foreign ones too (T04)."""
    is_possible = UUID.fullmatch(contract_uuid)
    found = await statements.lock_for_use(write, contract_uuid, customer_number) if is_possible else None
    if found is None:
        raise refuse(ErrorCode.CONTRACT_NOT_FOUND, "contractUuid", rejected=[contract_uuid])
    return found


def line_of(problems: Problems, given: object, sign: int = 1) -> dict[str, Any]:
    """What the input says of an order line, by column; what it leaves out is null. Amounts have the sign, or are 0."""
    skip = {column.name for column in OrderLineEvent.__table__.columns} - {*LINE}
    values = checked(problems, given, OrderLineEvent, {}, skip=skip)
    for name in AMOUNTS:
        if (values.get(name) or 0) * sign < 0:
            error = field_error(ErrorCode.VALUE_INVALID, given, name)
            problems.add(error.code, *error.path, rejected=[written_amount(values[name])])
    return {**dict.fromkeys(LINE), **values}


def travel(first: datetime, last: datetime | None) -> dict[str, Any]:
    """The dates of a travel and the year in which its coupons count, by column (L14, L32)."""
    first = milliseconds(first)
    return {
        "travel_date": first,
        "last_travel_date": first if last is None else milliseconds(last),
        "coupon_year": year_of(first).year,
    }


def reference(order_id: str, order_line_id: str, order_line_version: str) -> str:
    """What a ledger line says of an order line."""
    return f"{order_id}/{order_line_id}/{order_line_version}"


def refuse_for(given: object, outcome: ConsumptionOutcome | None) -> None:
    """Raises `Refused` for whatever stands in the way of a use."""
    if outcome is not None:
        code, attribute = REFUSALS[outcome]
        raise Refused(field_error(code, given, attribute if hasattr(given, attribute) else f"{attribute}_used"))


def nothing(event: OrderLineEvent) -> Mapping[str, Any]:
    return {}


async def known_purchase(
    write: Write,
    contract: Contract,
    values: Mapping[str, Any],
    at_first: Callable[[OrderLineEvent], Mapping[str, Any]] = nothing,
) -> OrderLineEvent | None:
    """The purchase of the order line, if it is booked already; None if it is new (L33). `at_first` has the values that
    depend on when it was.

    Raises `Refused`: ORDER_LINE_CONFLICT where it was booked with other values, or on another contract.
    """
    known = await statements.order_lines(
        write,
        contract.organisation_id,
        values["order_id"],
        values["order_line_id"],
        OrderLineEvent.order_line_version == values["order_line_version"],
        OrderLineEvent.event_type == OrderLineEventType.PURCHASE,
    )
    if not known:
        return None
    if known[0].contract_id != contract.id or not is_same(known[0], {**values, **at_first(known[0])}):
        raise refuse(ErrorCode.ORDER_LINE_CONFLICT, "orderId", rejected=[values["order_id"]])
    return known[0]


def is_same(event: OrderLineEvent, values: Mapping[str, Any]) -> bool:
    """Whether an order line was booked with these values."""
    return all(getattr(event, name) == value for name, value in values.items())


async def take_coupons(
    write: Write,
    contract: Contract,
    kind: LedgerKind,
    given: object,
    values: Mapping[str, Any],
    reservation: str | None = None,
) -> None:
    """Take the coupons of a use, if the contract counts them. The ledger line is of this kind and tells the order line,
    or the reservation. Raises `Refused`: TOO_FEW_COUPONS."""
    coupons = values["coupons_used"]
    if contract.coupons_limit is None or not coupons:
        return
    await settle_holds(write, contract)
    year = year_of(values["travel_date"])
    told = reservation or reference(*(values[name] for name in KEY))
    if not await move_coupons(write, contract.id, contract.coupons_limit, kind, -coupons, year, told):
        refuse_for(given, ConsumptionOutcome.TOO_FEW_COUPONS)


async def book(write: Write, found: InUse, values: Mapping[str, Any], *, since: datetime) -> Mapping[str, Any]:
    """Book a purchase whose coupons are taken: its order line, the contract that it makes, which does not start before
    `since` unless the program says when, and what it saves. Answers as `answer`."""
    event = OrderLineEvent(
        **values,
        contract_id=found.contract.id,
        organisation_id=found.contract.organisation_id,
        event_type=OrderLineEventType.PURCHASE,
        is_cancelled=False,
        timestamp=write.now,
    )
    made: Contract | None = None
    if not event.is_purchased:
        made = await make_sub_contract(write, found.contract, found.program, found.customer, event.travel_date, since)
    event.sub_contract = made.uuid if made else None
    write.session.add(event)
    await write.session.flush()
    await distribute(write, event, found.customer)
    return {"order_line_event": event, "contract": found.contract, "sub_contract": made}


async def answer(write: Write, contract: Contract, event: OrderLineEvent) -> Mapping[str, Any]:
    """What a mutation answers about an order line: it, its contract, and the contract that it has made."""
    made = event.sub_contract
    sub_contract = await write.get(Contract.uuid, made) if made else None
    return {"order_line_event": event, "contract": contract, "sub_contract": sub_contract}
