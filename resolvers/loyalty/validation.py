"""Whether contracts can be used, and why not (rules L12, L14, L15 and L50 to L55)."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, NamedTuple

import strawberry
from strawberry import ID

from datastore.loyalty import consuming as statements
from datastore.loyalty.contract import ContractStatus
from resolvers import formats
from resolvers.context import Context
from resolvers.errors import ErrorCode, refuse
from resolvers.given import Problems
from resolvers.oslo import today
from resolvers.scalars import Long

MOST = 100
MOST_COUPONS = 10_000
YEARS = range(1900, 3000)
LONGEST_TRAVEL = timedelta(days=3 * 366)
LONGEST_ID = 60
UUID = re.compile(r"[0-9A-Za-z-]{1,36}")
"""What the uuid of a contract or a reservation may look like: anything else is unknown."""

CONTRACT_UUID = "Unique id of the contract."
WHO = "Number of the customer who uses the contract."
FIRST_TRAVEL_DATE = "When the travel begins; the coupons count in the Norwegian calendar year of it."
LAST_TRAVEL_DATE = "When the travel ends, at most three years after it begins; by default when it begins."
PRODUCT = "NeTEx id of the product that is used; it must be that of the contract."
PRODUCT_VERSION = "NeTEx id of the version of the product; if it is given, it must be that of the contract."
COUPONS = f"How many coupons are used, 1 to {MOST_COUPONS:,}; without effect on a contract that does not count them."
ORDER_ID = "Id of the order. At most 60 characters."
ORDER_LINE_ID = "Id of the order line. At most 60 characters."


class Reason(NamedTuple):
    """The code of an outcome, and what it means."""

    code: int
    text: str


class ConsumptionOutcome(Enum):
    """What a validation comes to. Codes are never used again for anything else; the first that applies counts."""

    OK = Reason(3101, "OK")
    CONTRACT_UNKNOWN = Reason(3102, "There is no such contract that the caller may see.")
    NOT_A_CONSUMER = Reason(3103, "The customer is not a consumer of the contract.")
    CONSUMER_BLOCKED = Reason(3104, "The customer is blocked from using the contract.")
    CONTRACT_NOT_VALID = Reason(3105, "The contract was refunded, cancelled or misused.")
    NOT_YET_CONSUMABLE = Reason(3106, "The contract cannot be used yet.")
    EXPIRED = Reason(3107, "The contract or its loyalty program has ended.")
    PRODUCT_MISMATCH = Reason(3108, "The product is not that of the contract.")
    PRODUCT_VERSION_MISMATCH = Reason(3109, "The version of the product is not that of the contract.")
    TOO_FEW_COUPONS = Reason(3110, "The contract has too few coupons left in the year of travel.")
    NOTHING_TO_CREATE = Reason(3111, "The loyalty program of the contract that a use creates has ended.")


REFUSALS: Mapping[ConsumptionOutcome, tuple[ErrorCode, str]] = {
    ConsumptionOutcome.CONTRACT_UNKNOWN: (ErrorCode.CONTRACT_NOT_FOUND, "contract_uuid"),
    ConsumptionOutcome.NOT_A_CONSUMER: (ErrorCode.NOT_A_CONSUMER, "customer_number"),
    ConsumptionOutcome.CONSUMER_BLOCKED: (ErrorCode.CONSUMER_BLOCKED, "customer_number"),
    ConsumptionOutcome.CONTRACT_NOT_VALID: (ErrorCode.CONTRACT_NOT_VALID, "contract_uuid"),
    ConsumptionOutcome.NOT_YET_CONSUMABLE: (ErrorCode.CONTRACT_NOT_YET_CONSUMABLE, "contract_uuid"),
    ConsumptionOutcome.EXPIRED: (ErrorCode.CONTRACT_EXPIRED, "contract_uuid"),
    ConsumptionOutcome.PRODUCT_MISMATCH: (ErrorCode.PRODUCT_MISMATCH, "entitlement_product_id"),
    ConsumptionOutcome.PRODUCT_VERSION_MISMATCH: (ErrorCode.PRODUCT_VERSION_MISMATCH, "entitlement_product_version"),
    ConsumptionOutcome.TOO_FEW_COUPONS: (ErrorCode.TOO_FEW_COUPONS, "coupons"),
    ConsumptionOutcome.NOTHING_TO_CREATE: (ErrorCode.LOYALTY_PROGRAM_NOT_CURRENT, "contract_uuid"),
}
"""What a mutation refuses for an outcome, and the attribute of its input that it is about."""

BLOCKING = frozenset({ContractStatus.REFUNDED, ContractStatus.CANCELLED, ContractStatus.MISUSED})


@strawberry.input(description="An order line. Without both ids it is that of nothing that is booked.")
class OrderLineReferenceInput:
    order_id: str | None = strawberry.field(default=None, description=ORDER_ID)
    order_line_id: str | None = strawberry.field(default=None, description=ORDER_LINE_ID)


@strawberry.input(description="A use of a contract.")
class ContractConsumptionInput:
    contract_uuid: ID = strawberry.field(description=CONTRACT_UUID)
    customer_number: Long = strawberry.field(description=WHO)
    first_travel_date: datetime = strawberry.field(description=FIRST_TRAVEL_DATE)
    entitlement_product_id: ID = strawberry.field(description=PRODUCT)
    coupons: int = strawberry.field(default=1, description=COUPONS)
    last_travel_date: datetime | None = strawberry.field(default=None, description=LAST_TRAVEL_DATE)
    order_line_reference: OrderLineReferenceInput | None = strawberry.field(
        default=None, description="The order line, if there is one yet: what is booked already is not counted again."
    )
    entitlement_product_version: ID | None = strawberry.field(default=None, description=PRODUCT_VERSION)


@dataclass(frozen=True, slots=True)
class Result:
    """What one consumption of a list comes to."""

    contract_uuid: str
    outcome: ConsumptionOutcome


@dataclass(frozen=True, slots=True)
class Validation:
    """What a list comes to: the outcome of the first one that is not valid, else OK."""

    outcome: ConsumptionOutcome
    results: Sequence[Result]


def obstacle(
    contract: Any,
    product: Any,
    is_blocked: bool | None,
    travel_date: datetime,
    now: datetime,
    given: Any = None,
    *,
    is_late: bool = False,
) -> ConsumptionOutcome | None:
    """Why a contract cannot be used for a travel, coupons apart; None if it can be (L12, L51, L53).

    `product` has the product in force, `is_blocked` is None for somebody who is no consumer, `given` names a product,
    if it is to be compared. The moment that counts is the travel date and the present, or if the act `is_late`, because
    it tells of what has been, the travel date alone.
    """
    outcome = ConsumptionOutcome
    moments = {travel_date} if is_late else {travel_date, now}
    # Who was told "expired" by hand, before the end, is not late: only time is forgiven.
    is_expired = contract.status is ContractStatus.EXPIRED and (not is_late or contract.ends_at > now)
    checks = (
        (outcome.NOT_A_CONSUMER, is_blocked is None),
        (outcome.CONSUMER_BLOCKED, is_blocked),
        (outcome.CONTRACT_NOT_VALID, contract.status in BLOCKING),
        (outcome.NOT_YET_CONSUMABLE, min(moments) < contract.consumable_from),
        (outcome.EXPIRED, is_expired or max(moments) >= contract.ends_at),
    )
    found = next((each for each, holds in checks if holds), None)
    if found or given is None:
        return found
    version = given.entitlement_product_version
    if given.entitlement_product_id != product.product_id:
        return outcome.PRODUCT_MISMATCH
    return outcome.PRODUCT_VERSION_MISMATCH if version not in (None, product.product_version) else None


async def validate_contract_consumption(
    context: Context, consumptions: list[ContractConsumptionInput] | None = None
) -> Validation:
    """What each consumption comes to, and the list; one without any is valid. Nothing is changed (L55).

    Coupons of several consumptions of one contract in one year add up (L54). An order line that is booked on the
    contract and not cancelled is valid, and its coupons are not counted again; neither are those of the very same
    consumption that the list has twice. What is held counts as used until it is over. Raises `Refused`:
    TOO_MANY_CONSUMPTIONS, and for each COUPONS_INVALID, DATES_REVERSED, VALUE_INVALID for travels centuries away or of
    more than three years, NETEX_ID_INVALID, TEXT_TOO_LONG, TEXT_INVALID, REQUIRED.
    """
    given = consumptions or []
    problems = Problems()
    if len(given) > MOST:
        raise refuse(ErrorCode.TOO_MANY_CONSUMPTIONS, "consumptions", rejected=[len(given)])
    for position, each in enumerate(given):
        with problems.at("consumptions", str(position)):
            possible(each)
    problems.raise_any()
    facts = await _facts(context, given)
    results: list[Result] = []
    taken: dict[tuple[int, int], int] = {}
    counted: set[tuple[Any, ...]] = set()
    now = facts.now
    for each in given:
        contract = facts.contracts.get(each.contract_uuid)
        if contract is None:
            results.append(Result(each.contract_uuid, ConsumptionOutcome.CONTRACT_UNKNOWN))
            continue
        is_blocked = facts.consumers.get((contract.id, each.customer_number))
        found: ConsumptionOutcome | None = ConsumptionOutcome.NOT_A_CONSUMER if is_blocked is None else None
        if found is None and not facts.is_booked(contract, each):
            found = obstacle(contract, contract, is_blocked, each.first_travel_date, now, each)
            if found is None and contract.sells_until and max(each.first_travel_date, now) >= contract.sells_until:
                found = ConsumptionOutcome.NOTHING_TO_CREATE
            if found is None and contract.coupons_limit is not None and (same := _same(each)) not in counted:
                year = contract.id, today(each.first_travel_date).year
                needed = taken.get(year, 0) + each.coupons
                if needed > facts.left.get(year, contract.coupons_limit):
                    found = ConsumptionOutcome.TOO_FEW_COUPONS
                else:
                    taken[year] = needed
                    counted |= {same} if line_of(each) else set()
        results.append(Result(each.contract_uuid, found or ConsumptionOutcome.OK))
    failed = (each.outcome for each in results if each.outcome is not ConsumptionOutcome.OK)
    return Validation(next(failed, ConsumptionOutcome.OK), results)


# What the input says


def possible(given: Any) -> None:
    """Raises `Refused` for a consumption that makes no sense, whatever the contract; see
    `validate_contract_consumption`."""
    problems = Problems()
    if not 1 <= given.coupons <= MOST_COUPONS:
        problems.add(ErrorCode.COUPONS_INVALID, "coupons", rejected=[given.coupons])
    possible_travel(problems, "firstTravelDate", given.first_travel_date, given.last_travel_date)
    for name, value in (
        ("entitlementProductId", given.entitlement_product_id),
        ("entitlementProductVersion", given.entitlement_product_version),
    ):
        if value is not None:
            with problems.at(name):
                formats.netex_id(value)
    reference = getattr(given, "order_line_reference", None)
    if reference is not None:
        for name, value in (("orderId", reference.order_id), ("orderLineId", reference.order_line_id)):
            with problems.at("orderLineReference", name):
                if value is not None and not formats.clean(value, LONGEST_ID):
                    raise refuse(ErrorCode.REQUIRED)
    problems.raise_any()


def possible_travel(problems: Problems, name: str, first: datetime | None, last: datetime | None) -> None:
    """Adds DATES_REVERSED and VALUE_INVALID to the problems. The field of the first date has this name."""
    for field, moment in ((name, first), ("lastTravelDate", last)):
        if moment is not None and moment.year not in YEARS:
            problems.add(ErrorCode.VALUE_INVALID, field, rejected=[moment])
            return
    if first is not None and last is not None:
        if last < first:
            problems.add(ErrorCode.DATES_REVERSED, "lastTravelDate", rejected=[last])
        elif last - first > LONGEST_TRAVEL:
            problems.add(ErrorCode.VALUE_INVALID, "lastTravelDate", rejected=[last])


def line_of(given: ContractConsumptionInput) -> tuple[str, str] | None:
    """The order line of a consumption, as it is stored."""
    reference = given.order_line_reference
    if reference is None or reference.order_id is None or reference.order_line_id is None:
        return None
    return formats.clean(reference.order_id, LONGEST_ID), formats.clean(reference.order_line_id, LONGEST_ID)


def _same(given: ContractConsumptionInput) -> tuple[Any, ...]:
    last = given.last_travel_date or given.first_travel_date
    return (given.contract_uuid, line_of(given), given.customer_number, given.first_travel_date, last, given.coupons)


# What the database says


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of the contracts of a list: by uuid; whether a consumer is blocked, by contract and number; what is
    left of each year in which anything was used; and the order lines that are booked."""

    now: datetime
    contracts: Mapping[str, Any]
    consumers: Mapping[tuple[int, int], bool]
    left: Mapping[tuple[int, int], int]
    booked: Collection[tuple[int, str, str]]

    def is_booked(self, contract: Any, given: ContractConsumptionInput) -> bool:
        """Whether the order line of a consumption is booked on its contract."""
        line = line_of(given)
        return line is not None and (contract.id, *line) in self.booked


async def _facts(context: Context, given: Iterable[ContractConsumptionInput]) -> Facts:
    """At most four statements, however long the list is."""
    fetch, viewer = context.database.fetch, context.viewer
    now = datetime.now(UTC)
    uuids = sorted({each.contract_uuid for each in given if UUID.fullmatch(each.contract_uuid)})
    contracts = {row.uuid: row for row in await fetch(statements.contracts_to_use(viewer, uuids))} if uuids else {}
    if not contracts:
        return Facts(now, {}, {}, {}, frozenset())
    ids = sorted(row.id for row in contracts.values())
    numbers = sorted({each.customer_number for each in given})
    years = sorted({today(each.first_travel_date).year for each in given})
    orders = sorted({line[0] for each in given if (line := line_of(each))})
    consumers = {
        (row.contract_id, row.number): row.is_blocked
        for row in await fetch(statements.consumers_by_number(viewer, ids, numbers))
    }
    left = {
        (row.contract_id, row.year): row.coupons for row in await fetch(statements.coupons_left_in(viewer, ids, years))
    }
    booked: frozenset[tuple[int, str, str]] = frozenset()
    if orders:
        organisations = sorted({row.organisation_id for row in contracts.values()})
        booked = frozenset(
            (row.contract_id, row.order_id, row.order_line_id)
            for row in await fetch(statements.purchases(viewer, organisations, ids, orders))
        )
    return Facts(now, contracts, consumers, left, booked)
