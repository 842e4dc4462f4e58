"""A second implementation of contracts, written from the rules alone: lists in memory, sums where the gateway keeps
balances, and no database, ledger or lock.

It shares nothing with the first one. All its moments are of a Norwegian winter, in which the clock is an hour ahead of
UTC. Every act answers the codes by which it is refused, and changes nothing if there are any.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MOST = 10**15
FINAL = ("REFUNDED", "CANCELLED", "MISUSED")
Codes = set[str]
DONE: Codes = set()


def year_of(moment: datetime) -> int:
    return (moment + HOUR).year


@dataclass
class Program:
    """A loyalty program that is in force, until it ends."""

    kind: str
    ends: datetime
    lasts: timedelta | None = None
    coupons: int | None = None
    sells: "Program | None" = None
    """The program of what a use makes; it starts at the hour `sold_at` in Norway, and lasts `sold_for`."""
    sold_at: int | None = None
    sold_for: timedelta | None = None


@dataclass
class Line:
    """An order line by which a contract was used."""

    order: str
    told: tuple[Any, ...]
    coupons: int | None
    year: int
    at: datetime
    made: "Contract | None" = None
    price: int = 0
    cancelled_for: int | None = None


@dataclass
class Hold:
    """A use that is held."""

    customer: str
    coupons: int | None
    travel: datetime
    until: datetime
    status: str = "HELD"
    line: Line | None = None

    def shown(self, now: datetime) -> str:
        return "EXPIRED" if self.status == "HELD" and now >= self.until else self.status


@dataclass
class Move:
    """A deposit, above zero, or a withdrawal."""

    amount: int
    currency: str
    reverses: "Move | None" = None
    is_reversed: bool = False


@dataclass
class Contract:
    """A contract, with everything that has happened to it."""

    program: Program
    starts: datetime
    ends: datetime
    holder: str | None
    limit: int | None = None
    final: str | None = None
    parent: "Contract | None" = None
    is_blocked: dict[str, bool] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)
    holds: list[Hold] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)

    def status(self, now: datetime) -> str:
        return self.final or ("EXPIRED" if now >= self.ends else "VALID")

    def left(self, year: int, now: datetime) -> int | None:
        """L14: what was used in the year, by when the travel begins, and not cancelled, is gone; so is what is held."""
        if self.limit is None:
            return None
        used = sum(each.coupons or 0 for each in self.lines if each.year == year and each.cancelled_for is None)
        live = (each for each in self.holds if each.shown(now) == "HELD" and year_of(each.travel) == year)
        return self.limit - used - sum(each.coupons or 0 for each in live)

    @property
    def total(self) -> int:
        return sum(each.amount for each in self.moves)

    def obstacle(self, customer: str | None, moments: set[datetime]) -> Codes:
        """L12, L20, L51: why it cannot be used at these moments by somebody, or by nobody knows whom."""
        if customer is not None and customer not in self.is_blocked:
            return {"NOT_A_CONSUMER"}
        if customer is not None and self.is_blocked[customer]:
            return {"CONSUMER_BLOCKED"}
        if self.final:
            return {"CONTRACT_NOT_VALID"}
        if min(moments) < self.starts:
            return {"CONTRACT_NOT_YET_CONSUMABLE"}
        return {"CONTRACT_EXPIRED"} if max(moments) >= self.ends else DONE


@dataclass
class World:
    """All contracts of an organisation, and the present."""

    now: datetime
    contracts: list[Contract] = field(default_factory=list)
    sold: Contract | None = None
    """The contract that the last use has made."""

    # Making and sharing

    def create(
        self,
        program: Program,
        holder: str | None,
        starts: datetime | None,
        expires: datetime | None,
        limit: int | None,
    ) -> Codes:
        starts = starts or self.now
        codes = set()
        if expires is not None and expires <= starts:
            codes.add("DATES_REVERSED")
        if limit is not None and program.kind != "COUPONS":
            codes.add("COUPON_CONFIG_NOT_ALLOWED")
        if self.now >= program.ends or starts >= program.ends:
            codes.add("LOYALTY_PROGRAM_NOT_CURRENT")
        if codes:
            return codes
        if expires is None and program.lasts:
            expires = starts + program.lasts
        ends = min(expires, program.ends) if expires else program.ends
        made = Contract(program, starts, ends, holder, limit or program.coupons)
        if holder:
            made.is_blocked[holder] = False
        self.contracts.append(made)
        return DONE

    def add_consumer(self, contract: Contract, customer: str) -> Codes:
        if contract.final:
            return {"CONTRACT_NOT_VALID"}
        if self.now >= contract.ends:
            return {"CONTRACT_EXPIRED"}
        if customer == contract.holder:
            return {"CONTRACT_HOLDER_NEEDED"}
        if customer in contract.is_blocked:
            return {"ALREADY_A_CONSUMER"}
        contract.is_blocked[customer] = False
        return DONE

    def block(self, contract: Contract, customer: str, *, is_blocked: bool) -> Codes:
        if customer not in contract.is_blocked:
            return {"NOT_A_CONSUMER"}
        if is_blocked and customer == contract.holder:
            return {"CONTRACT_HOLDER_NEEDED"}
        if contract.is_blocked[customer] == is_blocked:
            return {"CONSUMER_BLOCKED" if is_blocked else "CONSUMER_NOT_BLOCKED"}
        contract.is_blocked[customer] = is_blocked
        return DONE

    def set_status(self, contract: Contract, status: str) -> Codes:
        if status not in FINAL:
            return {"VALUE_INVALID"}
        if contract.final:
            return {"CONTRACT_STATUS_FINAL"}
        contract.final = status
        return DONE

    # Using

    def known(self, order: str) -> tuple[Contract, Line] | None:
        """L33: an order line is known once."""
        return next(((each, line) for each in self.contracts for line in each.lines if line.order == order), None)

    def too_few(self, contract: Contract, travel: datetime, coupons: int) -> Codes:
        left = contract.left(year_of(travel), self.now)
        return {"TOO_FEW_COUPONS"} if left is not None and coupons > left else DONE

    def consume(
        self, contract: Contract, customer: str, travel: datetime, coupons: int, order: str, price: int
    ) -> Codes:
        told = (customer, travel, contract.limit and coupons, price, False)
        if known := self.known(order):
            if known[0] is not contract or known[1].told != told:
                return {"ORDER_LINE_CONFLICT"}
            return {"ALREADY_CANCELLED"} if known[1].cancelled_for is not None else DONE
        codes = contract.obstacle(customer, {travel, self.now}) or self.too_few(contract, travel, coupons)
        return codes or self.book(contract, told, order, max(travel, self.now))

    def book(self, contract: Contract, told: tuple[Any, ...], order: str, starts: datetime) -> Codes:
        customer, travel, coupons, price, is_purchased = told
        line = Line(order, told, coupons, year_of(travel), self.now, price=price)
        contract.lines.append(line)
        program = contract.program.sells
        self.sold = None
        if program and not is_purchased:  # L16
            if contract.program.sold_at is not None:
                there = travel + HOUR
                starts = there.replace(hour=contract.program.sold_at, minute=0, second=0, microsecond=0) - HOUR
            holder = contract.holder or customer
            ends = starts + (contract.program.sold_for or program.lasts or 10_000 * DAY)
            made = Contract(program, starts, min(ends, program.ends), holder, parent=contract)
            made.is_blocked = {each: False for each in (holder, customer) if each}
            self.contracts.append(made)
            line.made = self.sold = made
        return DONE

    def validate(self, contract: Contract, customer: str, travel: datetime, coupons: int, order: str | None) -> str:
        """Why the use is not possible; an empty text if it is (L50 to L55)."""
        if customer not in contract.is_blocked:
            return "NOT_A_CONSUMER"
        known = self.known(order) if order else None
        if known and known[0] is contract and known[1].cancelled_for is None:
            return ""
        codes = contract.obstacle(customer, {travel, self.now}) or self.too_few(contract, travel, coupons)
        return next(iter(codes), "")

    def register(
        self,
        contract: Contract,
        customer: str | None,
        travel: datetime | None,
        coupons: int,
        order: str,
        price: int,
        *,
        is_purchased: bool,
    ) -> Codes:
        known = self.known(order)
        counted = contract.limit and (0 if is_purchased else coupons)
        told = (customer, travel or (known[1].at if known else self.now), counted, price, is_purchased)
        if known:
            return DONE if known[0] is contract and known[1].told == told else {"ORDER_LINE_CONFLICT"}
        if not is_purchased:
            codes = contract.obstacle(customer, {told[1]}) or self.too_few(contract, told[1], coupons)
            if codes:
                return codes
        return self.book(contract, told, order, told[1])

    def cancel(self, contract: Contract, order: str, price: int | None) -> Codes:
        line = next((each for each in contract.lines if each.order == order), None)
        if line is None:
            return {"PURCHASE_NOT_FOUND"}
        paid_back = line.price if price is None else price
        if line.cancelled_for is not None:
            return DONE if line.cancelled_for == paid_back else {"ALREADY_CANCELLED"}
        line.cancelled_for = paid_back
        if line.made and not line.made.final:
            line.made.final = "CANCELLED"
        return DONE

    def reserve(self, contract: Contract, customer: str, travel: datetime, coupons: int, until: datetime) -> Codes:
        codes = contract.obstacle(customer, {travel, self.now}) or self.too_few(contract, travel, coupons)
        if not codes:
            contract.holds.append(Hold(customer, contract.limit and coupons, travel, until))
        return codes

    def capture(self, contract: Contract, hold: Hold, order: str, price: int) -> Codes:
        told = (hold.customer, hold.travel, hold.coupons, price, False)
        if hold.line:
            if (hold.line.order, hold.line.told) != (order, told):
                return {"RESERVATION_SETTLED"}
            return {"ALREADY_CANCELLED"} if hold.line.cancelled_for is not None else DONE
        if hold.shown(self.now) != "HELD":
            return {"RESERVATION_EXPIRED" if hold.shown(self.now) == "EXPIRED" else "RESERVATION_SETTLED"}
        if self.known(order):
            return {"ORDER_LINE_CONFLICT"}
        if codes := contract.obstacle(hold.customer, {hold.travel}):
            return codes
        hold.status = "CAPTURED"
        self.book(contract, told, order, max(hold.travel, self.now))
        hold.line = contract.lines[-1]
        return DONE

    def release(self, hold: Hold) -> Codes:
        if hold.shown(self.now) != "HELD":
            return {"RESERVATION_EXPIRED" if hold.shown(self.now) == "EXPIRED" else "RESERVATION_SETTLED"}
        hold.status = "RELEASED"
        return DONE

    # Money

    def move(self, contract: Contract, amount: int, currency: str) -> Codes:
        codes = {"AMOUNT_INVALID"} if amount == 0 else set()
        if contract.program.kind != "POINTS":
            codes.add("NOT_A_POINTS_CONTRACT")
        elif found := contract.obstacle(None, {self.now}):
            codes |= found
        if codes:
            return codes
        return self.moved(contract, Move(amount, currency))

    def moved(self, contract: Contract, move: Move) -> Codes:
        if contract.moves and contract.moves[0].currency != move.currency:
            return {"CURRENCY_MISMATCH"}
        if not 0 <= contract.total + move.amount <= MOST:
            return {"TOTAL_TOO_LOW" if move.amount < 0 else "TOTAL_TOO_HIGH"}
        contract.moves.append(move)
        return DONE

    def reverse(self, contract: Contract, move: Move, amount: int | None) -> Codes:
        codes = {"AMOUNT_INVALID"} if amount == 0 else set()
        amount = abs(move.amount) if amount is None else amount
        if move.reverses:
            codes.add("REVERSAL_NOT_ALLOWED")
        elif move.is_reversed:
            codes.add("ALREADY_REVERSED")
        if amount > abs(move.amount):
            codes.add("REVERSAL_TOO_LARGE")
        if codes:
            return codes
        codes = self.moved(contract, Move(-amount if move.amount > 0 else amount, move.currency, move))
        move.is_reversed = not codes
        return codes
