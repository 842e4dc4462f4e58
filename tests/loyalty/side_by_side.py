"""The gateway beside a plain model of it: whatever is done is done with both, and compared."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from datastore.base import rfc3339
from datastore.customer import Customer
from datastore.database import Database
from datastore.loyalty import expiry
from resolvers.loyalty.holds import settle_holds
from resolvers.scalars import written_amount
from tests.customer.mutations import answered, document
from tests.execute import execute
from tests.factories.loyalty import a_coupon_program, a_points_program, a_program
from tests.loyalty.clock import Clock
from tests.loyalty.drawing import BASE, DAY, FIRST, HOLDER, HOUR, LATEST, PEOPLE
from tests.loyalty.money import DEPOSIT, REVERSE, WITHDRAW
from tests.loyalty.plain_contracts import Codes, Contract, Hold, Move, Program, World

CREATE = document("createContract", "contract { uuid }")
ADD = document("addContractConsumer", "contract { uuid }")
BLOCK = document("blockContractConsumer", "contract { uuid }")
UNBLOCK = document("unblockContractConsumer", "contract { uuid }")
STATUS = document("setContractStatus", "contract { uuid }")
CONSUME = document("consumeContract", "orderLineEvent { orderId } subContract { uuid }")
REGISTER = document("registerOrderLineEvent", "orderLineEvent { orderId } subContract { uuid }")
RESERVE = document("reserveContractConsumption", "reservation { uuid }")
CAPTURE = document("captureReservation", "reservation { uuid } orderLineEvent { orderId } subContract { uuid }")
RELEASE = document("releaseReservation", "reservation { uuid }")
VALIDATE = """query($of: [ContractConsumptionInput!]!) {
    validateContractConsumption(consumptions: $of) { code results { outcome } }
}"""
SHOW = """query($uuid: ID!) {
    contract(by: {uuid: $uuid}) {
        status consumableFrom couponsLimit remainingCoupons parent currentTotal { amount currency }
        transactions { amount currency reverses { internalTransactionId } internalTransactionId }
        orderLineEvents { orderId eventType couponsUsed isCancelled price subContract { uuid } }
        reservations { uuid status coupons }
        contractConsumers { customerNumber isBlocked isContractHolder }
    }
    ledgerProof(contractUuid: $uuid) { sum isIntact isBalanced }
}"""
OUTCOMES = {"CONTRACT_NOT_YET_CONSUMABLE": "NOT_YET_CONSUMABLE", "CONTRACT_EXPIRED": "EXPIRED", "": "OK"}
"""What a validation calls what a mutation refuses."""


class Side:
    """The gateway beside its model. `name` tells the order lines of an example from those of others."""

    def __init__(
        self, database: Database, clock: Clock, programs: Sequence[tuple[Program, Any]], people: Mapping[str, Customer]
    ) -> None:
        self.database, self.clock, self.programs = database, clock, programs
        self.numbers = {name: customer.customer_number for name, customer in people.items()}
        self.done: Counter[str] = Counter()
        self.name = 0

    async def begin(self) -> None:
        self.name += 1
        self.world = World(BASE)
        self.keys: dict[int, str] = {}
        self.holds: list[tuple[Contract, Hold]] = []
        self.moves: list[tuple[Contract, Move]] = []
        self.history: list[tuple[Any, ...]] = []
        await self.clock.set(BASE)
        for operation in FIRST:
            await self.do(*operation)

    async def do(self, kind: str, *drawn: Any) -> None:
        """Do it on both sides and compare."""
        self.history.append((kind, *drawn))
        try:
            outcome = await getattr(self, kind)(*drawn)
        except AssertionError as failed:
            failed.add_note(f"after {self.history}")
            raise
        self.done[f"{kind} {outcome or 'done'}"] += 1

    async def same(self, text: str, given: Mapping[str, Any], expected: Codes, contract: Contract | None) -> Any:
        """The payload of a mutation, which must be refused for the expected reasons, or done if there are none."""
        payload, errors = await answered(self.database, text, dict(given))
        assert {code for code, *_ in errors} == expected, (given, errors, expected)
        sold = self.world.sold
        if not expected and sold is not None and id(sold) not in self.keys:
            self.keys[id(sold)] = payload["subContract"]["uuid"]
        if contract is not None and id(contract) in self.keys:
            await self.compare(contract)
        return payload

    def contract(self, drawn: int) -> Contract:
        return self.world.contracts[drawn % len(self.world.contracts)]

    def of(self, contract: Contract, **more: Any) -> dict[str, Any]:
        return {"contractUuid": self.keys[id(contract)], **more}

    def order(self, drawn: str) -> str:
        return f"{self.name}-{drawn}"

    def who(self, contract: Contract, drawn: str) -> str:
        return contract.holder or PEOPLE[0] if drawn == HOLDER else drawn

    # Operations, by name

    async def again(self, drawn: int) -> str:
        """One that was done before, as a client does that has not heard the answer."""
        kind, *what = self.history[drawn % len(self.history)]
        return "" if kind == "again" else f"{kind}: {await getattr(self, kind)(*what)}"

    async def time(self, minutes: int) -> str:
        self.world.now = min(self.world.now + timedelta(minutes=minutes), LATEST)
        await self.clock.set(self.world.now)
        return ""

    async def tidy(self) -> str:
        """The pass in the background, which stores what time has done."""
        now = self.world.now
        await expiry.expire_contracts(self.database, now)
        for key in await expiry.holding(self.database, now):
            await expiry.give_back_held(self.database, now, key, settle_holds)
        await self.compare_all()
        return ""

    async def create(
        self, drawn: int, holder: str | None, starts: int | None, expires: int | None, limit: int | None
    ) -> str:
        program, stored = self.programs[drawn]
        now = self.world.now
        begin, end = (None if hours is None else now + hours * HOUR for hours in (starts, expires))
        codes = self.world.create(program, holder, begin, end, limit)
        given = {
            "loyaltyProgramId": stored.loyalty_program_id,
            "customerNumber": self.numbers[holder] if holder else None,
            "consumableFrom": begin and rfc3339(begin),
            "expirationDate": end and rfc3339(end),
            "couponsLimit": limit,
        }
        payload = await self.same(CREATE, given, codes, None)
        if not codes:
            made = self.world.contracts[-1]
            self.keys[id(made)] = payload["contract"]["uuid"]
            await self.compare(made)
        return told(codes)

    async def add(self, drawn: int, who: str) -> str:
        contract = self.contract(drawn)
        codes = self.world.add_consumer(contract, who)
        await self.same(ADD, self.of(contract, customerNumber=self.numbers[who]), codes, contract)
        return told(codes)

    async def block(self, drawn: int, who: str) -> str:
        contract = self.contract(drawn)
        codes = self.world.block(contract, who, is_blocked=True)
        await self.same(BLOCK, self.of(contract, customerNumber=self.numbers[who]), codes, contract)
        return told(codes)

    async def unblock(self, drawn: int, who: str) -> str:
        contract = self.contract(drawn)
        codes = self.world.block(contract, who, is_blocked=False)
        await self.same(UNBLOCK, self.of(contract, customerNumber=self.numbers[who]), codes, contract)
        return told(codes)

    async def status(self, drawn: int, status: str) -> str:
        contract = self.contract(drawn)
        codes = self.world.set_status(contract, status)
        await self.same(STATUS, self.of(contract, status=status), codes, contract)
        return told(codes)

    def use(self, contract: Contract, who: str, travel: datetime, coupons: int) -> dict[str, Any]:
        stored = next(stored for program, stored in self.programs if program is contract.program)
        return self.of(
            contract,
            customerNumber=self.numbers[who],
            firstTravelDate=rfc3339(travel),
            entitlementProductId=stored.product_id,
            coupons=coupons,
        )

    def line(self, order: str, price: int | None) -> dict[str, Any]:
        paid = {} if price is None else {"price": written_amount(price)}
        return {"orderId": self.order(order), "orderLineId": "1", **paid}

    async def consume(self, drawn: int, who: str, travel: timedelta, coupons: int, order: str, price: int) -> str:
        contract = self.contract(drawn)
        who = self.who(contract, who)
        given = {**self.use(contract, who, BASE + travel, coupons), **self.line(order, price)}
        codes = self.world.consume(contract, who, BASE + travel, coupons, order, price)
        await self.same(CONSUME, given, codes, contract)
        return told(codes)

    async def validate(self, drawn: int, who: str, travel: timedelta, coupons: int, order: str | None) -> str:
        contract = self.contract(drawn)
        who = self.who(contract, who)
        given = self.use(contract, who, BASE + travel, coupons)
        if order is not None:
            given["orderLineReference"] = self.line(order, None)
        outcome = self.world.validate(contract, who, BASE + travel, coupons, order)
        found = (await execute(self.database, VALIDATE, of=[given]))["validateContractConsumption"]
        assert [each["outcome"] for each in found["results"]] == [OUTCOMES.get(outcome, outcome)]
        assert (found["code"] == 3101) is (outcome == "")
        return outcome

    async def register(
        self,
        drawn: int,
        who: str | None,
        travel: timedelta | None,
        coupons: int,
        order: str,
        price: int,
        is_purchased: bool,
    ) -> str:
        contract = self.contract(drawn)
        who = who and self.who(contract, who)
        at = None if travel is None else BASE + travel
        more = {
            "eventType": "PURCHASE",
            "isPurchased": is_purchased,
            "couponsUsed": coupons,
            "travelDate": at and rfc3339(at),
            "customerNumber": self.numbers[who] if who else None,
        }
        codes = self.world.register(contract, who, at, coupons, order, price, is_purchased=is_purchased)
        await self.same(REGISTER, self.of(contract, **more, **self.line(order, price)), codes, contract)
        return told(codes)

    async def cancel(self, drawn: int, order: str, price: int | None) -> str:
        contract = self.contract(drawn)
        bought = [(each, line) for each in self.world.contracts for line in each.lines]
        if bought and drawn % 5:  # else it would seldom be there
            contract, order = bought[drawn % len(bought)][0], bought[drawn % len(bought)][1].order
        codes = self.world.cancel(contract, order, price)
        given = self.of(contract, eventType="CANCELLATION", **self.line(order, None if price is None else -price))
        await self.same(REGISTER, given, codes, contract)
        return told(codes)

    async def reserve(self, drawn: int, who: str, travel: timedelta, coupons: int, minutes: int) -> str:
        contract = self.contract(drawn)
        who = self.who(contract, who)
        until = self.world.now + timedelta(minutes=minutes)
        given = {**self.use(contract, who, BASE + travel, coupons), "expiresAt": rfc3339(until)}
        codes = self.world.reserve(contract, who, BASE + travel, coupons, until)
        payload = await self.same(RESERVE, given, codes, None)
        if not codes:
            self.holds.append((contract, contract.holds[-1]))
            self.keys[id(contract.holds[-1])] = payload["reservation"]["uuid"]
        await self.compare(contract)
        return told(codes)

    async def capture(self, drawn: int, order: str, price: int) -> str:
        if not self.holds:
            return "of none"
        contract, hold = self.holds[-1 - drawn % len(self.holds)]
        given = {"reservationUuid": self.keys[id(hold)], **self.line(order, price)}
        codes = self.world.capture(contract, hold, order, price)
        await self.same(CAPTURE, given, codes, contract)
        return told(codes)

    async def release(self, drawn: int) -> str:
        if not self.holds:
            return "of none"
        contract, hold = self.holds[-1 - drawn % len(self.holds)]
        codes = self.world.release(hold)
        await self.same(RELEASE, {"reservationUuid": self.keys[id(hold)]}, codes, contract)
        return told(codes)

    async def deposit(self, drawn: int, amount: int, currency: str) -> str:
        return await self.pay(DEPOSIT, drawn, amount, amount, currency)

    async def withdraw(self, drawn: int, amount: int, currency: str) -> str:
        return await self.pay(WITHDRAW, drawn, amount, -amount, currency)

    async def pay(self, text: str, drawn: int, amount: int, moved: int, currency: str) -> str:
        points = [each for each in self.world.contracts if each.program.kind == "POINTS"]
        contract = points[drawn % len(points)] if drawn < 8 else self.contract(drawn)
        codes = self.world.move(contract, moved, currency)
        given = self.of(contract, amount=written_amount(amount), currency=currency)
        payload = await self.same(text, given, codes, contract)
        self.remember(codes, contract, payload)
        return told(codes)

    async def reverse(self, drawn: int, amount: int | None) -> str:
        if not self.moves:
            return "of none"
        contract, move = self.moves[drawn % len(self.moves)]
        codes = self.world.reverse(contract, move, amount)
        given = {"internalTransactionId": self.keys[id(move)]}
        if amount is not None:
            given["amount"] = written_amount(amount)
        payload = await self.same(REVERSE, given, codes, contract)
        self.remember(codes, contract, payload)
        return told(codes)

    def remember(self, codes: Codes, contract: Contract, payload: Any) -> None:
        if not codes:
            self.moves.append((contract, contract.moves[-1]))
            self.keys[id(contract.moves[-1])] = payload["transaction"]["internalTransactionId"]

    # What is compared

    async def compare_all(self) -> None:
        for contract in self.world.contracts:
            await self.compare(contract)

    async def compare(self, contract: Contract) -> None:
        """The contract, with its ledger, is what the model says."""
        found = await execute(self.database, SHOW, uuid=self.keys[id(contract)])
        seen, expected = self.seen(found["contract"]), self.expected(contract)
        assert seen == expected, {name: (seen[name], expected[name]) for name in seen if seen[name] != expected[name]}
        assert found["ledgerProof"] == {"sum": written_amount(contract.total), "isIntact": True, "isBalanced": True}

    def seen(self, found: Any) -> dict[str, Any]:
        lists = {
            "transactions": [(each["amount"], each["currency"]) for each in found["transactions"]],
            "orderLineEvents": sorted(
                (
                    *(each[name] for name in ("orderId", "eventType", "couponsUsed", "isCancelled", "price")),
                    (each["subContract"] or {"uuid": None})["uuid"],
                )
                for each in found["orderLineEvents"]
            ),
            "reservations": [(each["status"], each["coupons"]) for each in found["reservations"]],
            "contractConsumers": {
                each["customerNumber"]: (each["isBlocked"], each["isContractHolder"])
                for each in found["contractConsumers"]
            },
        }
        return {**found, **lists}

    def expected(self, contract: Contract) -> dict[str, Any]:
        now = self.world.now
        events: list[tuple[Any, ...]] = []
        for line in contract.lines:
            made = self.keys.get(id(line.made))
            name, is_cancelled = self.order(line.order), line.cancelled_for is not None
            events.append((name, "PURCHASE", line.coupons, is_cancelled, written_amount(line.price), made))
            if line.cancelled_for is not None:
                price = written_amount(-line.cancelled_for)
                events.append((name, "CANCELLATION", line.coupons, True, price, made))
        total = None
        if contract.moves:
            total = {"amount": written_amount(contract.total), "currency": contract.moves[0].currency}
        return {
            "status": contract.status(now),
            "consumableFrom": rfc3339(contract.starts),
            "couponsLimit": contract.limit,
            "remainingCoupons": contract.left((now + HOUR).year, now),
            "parent": self.keys.get(id(contract.parent)),
            "currentTotal": total,
            "transactions": [(written_amount(each.amount), each.currency) for each in contract.moves],
            "orderLineEvents": sorted(events),
            "reservations": [(each.shown(now), each.coupons) for each in contract.holds],
            "contractConsumers": {
                self.numbers[who]: (is_blocked, who == contract.holder)
                for who, is_blocked in contract.is_blocked.items()
            },
        }


def told(codes: Codes) -> str:
    return " ".join(sorted(codes))


async def offered(database: Database) -> list[tuple[Program, Any]]:
    """Programs of all types, as the model has them and as they are stored."""
    long, soon = BASE + 3650 * DAY, BASE + 3 * DAY
    start: dict[str, Any] = {"start_date": BASE - 365 * DAY}
    day = await a_program(database, end_date=long, **start)
    weeks = await a_program(database, end_date=long, usage_validity_period="P10D", **start)
    of_day, of_weeks = Program("TIMED", long), Program("TIMED", long, lasts=10 * DAY)
    sold = {"config_loyalty_program_id": day.id, "config_usage_validity_period": "P1D"}
    at_four: dict[str, Any] = {"config_loyalty_program_id": weeks.id, "config_usage_validity_period": None}
    at_four["config_default_start_time"] = "04:00:00"
    return [
        (
            Program("COUPONS", long, coupons=4, sells=of_day, sold_for=DAY),
            await a_coupon_program(database, 4, end_date=long, **start, **sold),
        ),
        (
            Program("COUPONS", long, coupons=5, sells=of_weeks, sold_at=4),
            await a_coupon_program(database, 5, end_date=long, **start, **at_four),
        ),
        (Program("POINTS", long), await a_points_program(database, end_date=long, **start)),
        (of_weeks, weeks),
        (Program("POINTS", soon), await a_points_program(database, end_date=soon, **start)),
        (
            Program("COUPONS", soon, coupons=4, sells=of_day, sold_for=DAY),
            await a_coupon_program(database, 4, end_date=soon, **start, **sold),
        ),
        (of_day, day),
    ]
