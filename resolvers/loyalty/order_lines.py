"""Order lines that other systems tell of (rules V03 and L30 to L35)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import strawberry
from strawberry import ID

from datastore.base import milliseconds
from datastore.loyalty import consuming as statements
from datastore.loyalty.consuming import InUse
from datastore.loyalty.ledger import LedgerKind
from datastore.loyalty.usage import OrderLineEvent, OrderLineEventType
from datastore.writing import Write
from resolvers.errors import ErrorCode, Refused, refuse
from resolvers.given import Problems, field_error
from resolvers.loyalty.consuming import (
    CODESPACE,
    FIRST_VERSION,
    ORDER_LINE_TEXT,
    answer,
    book,
    in_use,
    is_same,
    known_purchase,
    line_of,
    reference,
    refuse_for,
    take_coupons,
    travel,
)
from resolvers.loyalty.holds import give_back, settle_holds
from resolvers.loyalty.sub_contracts import cancel_sub_contract
from resolvers.loyalty.tax import take_back
from resolvers.loyalty.validation import (
    CONTRACT_UUID,
    MOST_COUPONS,
    ORDER_ID,
    ORDER_LINE_ID,
    YEARS,
    obstacle,
    possible_travel,
)
from resolvers.scalars import Amount, Long

PURCHASE, CANCELLATION = OrderLineEventType.PURCHASE, OrderLineEventType.CANCELLATION
OF_PURCHASE = "Of a cancellation it is that of the purchase, and need not be given."
NEW_WITH_CANCELLATION = frozenset(
    {"price", "original_price", "order_line_text", "codespace", "manual_transaction_comment"}
)


@strawberry.input(description="What another system tells of an order line: its purchase, or its cancellation.")
class RegisterOrderLineEventInput:
    event_type: OrderLineEventType = strawberry.field(description="What happened.")
    contract_uuid: ID = strawberry.field(description=CONTRACT_UUID)
    customer_number: Long | None = strawberry.field(
        default=None, description=f"Number of the customer who used the contract, if it is known. {OF_PURCHASE}"
    )
    order_id: str = strawberry.field(description=ORDER_ID)
    order_line_id: str = strawberry.field(description=ORDER_LINE_ID)
    order_line_version: str | None = strawberry.field(
        default=None,
        description=(
            f"Version of the order line. At most 60 characters; by default {FIRST_VERSION}, and of a cancellation the "
            "newest one that was bought and not cancelled."
        ),
    )
    is_purchased: bool = strawberry.field(
        default=False,
        description=f"Whether the contract itself, or a consumer of it, was bought: that uses nothing. {OF_PURCHASE}",
    )
    price: Amount | None = strawberry.field(
        default=None,
        description="What was paid, zero or more; of a cancellation zero or less, by default what was paid.",
    )
    original_price: Amount | None = strawberry.field(
        default=None,
        description=(
            "What it costs without the traveller's discount; without it nothing is told of tax. Of a cancellation zero "
            "or less, by default that of the purchase."
        ),
    )
    travel_date: datetime | None = strawberry.field(
        default=None, description=f"When the travel begins; by default now. {OF_PURCHASE}"
    )
    last_travel_date: datetime | None = strawberry.field(
        default=None,
        description=(
            f"When the travel ends, at most three years after it begins; by default when it begins. {OF_PURCHASE}"
        ),
    )
    coupons_used: int | None = strawberry.field(
        default=None,
        description=(
            f"How many coupons were used, 1 to {MOST_COUPONS:,}, by default 1; without effect on a contract that does "
            f"not count them. {OF_PURCHASE}"
        ),
    )
    codespace: str | None = strawberry.field(default=None, description=CODESPACE)
    order_line_text: str | None = strawberry.field(default=None, description=ORDER_LINE_TEXT)
    manual_transaction_comment: str | None = strawberry.field(
        default=None,
        description="Why the line was added by hand; only for such lines. At most 500 characters.",
    )
    effective_cancellation_date: datetime | None = strawberry.field(
        default=None, description="When a cancellation takes effect; only for those."
    )


async def register_order_line_event(write: Write, given: RegisterOrderLineEventInput) -> Mapping[str, Any]:
    """The event, the contract, and the contract that the use has made, if any (L16). An event that is known is
    answered and changes nothing (L33).

    A purchase takes the coupons of its line. It counts by its travel date: that the contract has expired since does not
    matter. The purchase of the contract itself takes none, makes no contract, and is known whatever the contract is
    like. A cancellation gives back what its purchase took, in the same year, whatever the contract is like, cancels the
    contract that the use had made, and takes back what was saved. Raises `Refused`: CONTRACT_NOT_FOUND (foreign ones
    too, T04), REQUIRED, TEXT_TOO_LONG, TEXT_INVALID, VALUE_INVALID for amounts with the wrong sign and travels
    centuries away or of more than three years, COUPONS_INVALID, DATES_REVERSED; of a purchase FIELD_NOT_ALLOWED for
    effectiveCancellationDate, ORDER_LINE_CONFLICT for one that is known with other values, NOT_A_CONSUMER (for unknown
    customers too), CUSTOMER_NOT_FOUND where it is of the contract itself, CONSUMER_BLOCKED, CONTRACT_NOT_VALID,
    CONTRACT_NOT_YET_CONSUMABLE, CONTRACT_EXPIRED, TOO_FEW_COUPONS; of a cancellation PURCHASE_NOT_FOUND,
    ALREADY_CANCELLED with other values, ORDER_LINE_CONFLICT for values that are not those of the purchase.
    """
    problems = Problems()
    is_purchase = given.event_type is PURCHASE
    line = _line(problems, given, is_purchase)
    problems.raise_any()
    found = await in_use(write, given.contract_uuid, given.customer_number)
    return await (_purchase if is_purchase else _cancellation)(write, given, found, line)


def _line(problems: Problems, given: RegisterOrderLineEventInput, is_purchase: bool) -> dict[str, Any]:
    """What the input says of the line, by column."""
    coupons = given.coupons_used
    if coupons is not None and not 1 <= coupons <= MOST_COUPONS:
        problems.add(ErrorCode.COUPONS_INVALID, "couponsUsed", rejected=[coupons])
    effective = given.effective_cancellation_date
    if effective is not None:
        if is_purchase:
            problems.add(ErrorCode.FIELD_NOT_ALLOWED, "effectiveCancellationDate", rejected=[effective])
        elif effective.year not in YEARS:
            problems.add(ErrorCode.VALUE_INVALID, "effectiveCancellationDate", rejected=[effective])
    possible_travel(problems, "travelDate", given.travel_date, given.last_travel_date)
    if is_purchase and given.price is None:
        problems.add(ErrorCode.REQUIRED, "price")
    line = line_of(problems, given, sign=1 if is_purchase else -1)
    if is_purchase:
        line["order_line_version"] = line["order_line_version"] or FIRST_VERSION
    return line


async def _purchase(
    write: Write, given: RegisterOrderLineEventInput, found: InUse, line: dict[str, Any]
) -> Mapping[str, Any]:
    """See `register_order_line_event`."""
    contract, customer = found.contract, found.customer
    coupons = None
    if contract.coupons_limit is not None:
        coupons = 0 if given.is_purchased else given.coupons_used or 1
    values = {
        **line,
        "customer_id": customer.id if customer else None,
        "coupons_used": coupons,
        "is_purchased": given.is_purchased,
        **_travel(given, write.now),
    }
    # A repeat that leaves out the date means the moment of the first time.
    if known := await known_purchase(write, contract, values, lambda first: _travel(given, first.timestamp)):
        return await answer(write, contract, known)
    problems = Problems()
    possible_travel(problems, "travelDate", values["travel_date"], given.last_travel_date)
    problems.raise_any()
    if not given.is_purchased:
        is_blocked = False if given.customer_number is None else found.is_blocked
        travel_date = values["travel_date"]
        refuse_for(given, obstacle(contract, found.program, is_blocked, travel_date, write.now, is_late=True))
    elif given.customer_number is not None and (
        customer is None or customer.organisation_id != contract.organisation_id
    ):
        raise Refused(field_error(ErrorCode.CUSTOMER_NOT_FOUND, given, "customer_number"))
    await take_coupons(write, contract, LedgerKind.USE, given, values)
    return await book(write, found, values, since=values["travel_date"])


def _travel(given: RegisterOrderLineEventInput, now: datetime) -> dict[str, Any]:
    return travel(given.travel_date or now, given.last_travel_date)


async def _cancellation(
    write: Write, given: RegisterOrderLineEventInput, found: InUse, line: dict[str, Any]
) -> Mapping[str, Any]:
    """See `register_order_line_event`."""
    contract = found.contract
    purchase, earlier = await _to_cancel(write, given, found, line)
    _fits(given, found, purchase)
    values = _values_of_cancellation(given, line, purchase)
    if earlier is not None:
        if not is_same(earlier, values):
            raise refuse(ErrorCode.ALREADY_CANCELLED, "orderId", rejected=[purchase.order_id])
        return await answer(write, contract, earlier)
    event = OrderLineEvent(
        **values,
        contract_id=contract.id,
        customer_id=purchase.customer_id,
        organisation_id=purchase.organisation_id,
        order_id=purchase.order_id,
        order_line_id=purchase.order_line_id,
        order_line_version=purchase.order_line_version,
        event_type=CANCELLATION,
        is_cancelled=True,
        is_purchased=purchase.is_purchased,
        cancels_id=purchase.id,
        timestamp=write.now,
        travel_date=purchase.travel_date,
        last_travel_date=purchase.last_travel_date,
        coupons_used=purchase.coupons_used,
        coupon_year=purchase.coupon_year,
        sub_contract=purchase.sub_contract,
    )
    purchase.is_cancelled = True
    if purchase.coupons_used:
        await settle_holds(write, contract)
        told = reference(purchase.order_id, purchase.order_line_id, purchase.order_line_version)
        kind = LedgerKind.CANCELLATION
        await give_back(write, contract, kind, purchase.coupons_used, purchase.travel_date, told)
    made = await cancel_sub_contract(write, purchase.sub_contract) if purchase.sub_contract else None
    write.session.add(event)
    await write.session.flush()
    await take_back(write, event, purchase)
    return {"order_line_event": event, "contract": contract, "sub_contract": made}


async def _to_cancel(
    write: Write, given: RegisterOrderLineEventInput, found: InUse, line: Mapping[str, Any]
) -> tuple[OrderLineEvent, OrderLineEvent | None]:
    """The purchase that a cancellation is of, and how it was cancelled, if it was. Where no version is named and the
    newest one was cancelled in the same way, this is a repeat, and an older one stays bought.

    Raises `Refused`: PURCHASE_NOT_FOUND.
    """
    row, version = OrderLineEvent, line["order_line_version"]
    named = [] if version is None else [row.order_line_version == version]
    on_contract = row.contract_id == found.contract.id
    events = await statements.order_lines(
        write, found.contract.organisation_id, line["order_id"], line["order_line_id"], on_contract, *named
    )
    bought = [each for each in events if each.event_type is PURCHASE]
    cancelled = {each.cancels_id: each for each in events if each.event_type is CANCELLATION}
    if not bought:
        raise refuse(ErrorCode.PURCHASE_NOT_FOUND, "orderId", rejected=[line["order_id"]])
    newest = bought[0]
    if newest.id in cancelled and not is_same(cancelled[newest.id], _values_of_cancellation(given, line, newest)):
        newest = next((each for each in bought if each.id not in cancelled), newest)
    return newest, cancelled.get(newest.id)


def _values_of_cancellation(
    given: RegisterOrderLineEventInput, line: Mapping[str, Any], purchase: OrderLineEvent
) -> dict[str, Any]:
    """What is the cancellation's own, by column: what is not given is that of the purchase, prices with their sign
    turned."""
    values = {name: line[name] for name in NEW_WITH_CANCELLATION}
    if values["price"] is None:
        values["price"] = -purchase.price
    if values["original_price"] is None and purchase.original_price is not None:
        values["original_price"] = -purchase.original_price
    for name in ("order_line_text", "codespace"):
        values[name] = values[name] if values[name] is not None else getattr(purchase, name)
    effective = given.effective_cancellation_date
    values["effective_cancellation_date"] = None if effective is None else milliseconds(effective)
    return values


def _fits(given: RegisterOrderLineEventInput, found: InUse, purchase: OrderLineEvent) -> None:
    """Raises `Refused`: ORDER_LINE_CONFLICT for what is given and is not as it was bought. Of customers that are
    deleted, unknown or foreign nothing is said: what was bought must be cancelled all the same."""
    problems = Problems()
    others = {
        "customer_number": found.customer is not None and found.customer.id != purchase.customer_id,
        "travel_date": given.travel_date is not None and milliseconds(given.travel_date) != purchase.travel_date,
        "last_travel_date": given.last_travel_date is not None
        and milliseconds(given.last_travel_date) != purchase.last_travel_date,
        "coupons_used": given.coupons_used is not None
        and purchase.coupons_used is not None
        and given.coupons_used != purchase.coupons_used,
    }
    for attribute, is_other in others.items():
        if is_other:
            problems.errors.append(field_error(ErrorCode.ORDER_LINE_CONFLICT, given, attribute))
    problems.raise_any()
