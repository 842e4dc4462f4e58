"""The contracts of the demo data: made up, believable, the same for a seed.

What customer `index` of a seed has depends on the seed and the index alone. About a third of all customers hold a
contract: most of them a card of coupons, others period tickets, points or a gift card; one of five shares it with
somebody. Those of the first customer are `datastore.demo.loyalty_showcase`. Nothing depends on the clock: see
`draw.REFERENCE_DAY`. A few coupons are used for travels after that day, as people order ahead.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from datastore.demo import loyalty_showcase, people
from datastore.demo.draw import REFERENCE, Draw
from datastore.demo.loyalty_programs import CARD, DAY, GIFT_CARD, PERIOD, POINTS_PROGRAM, WINTER, ProgramKeys
from datastore.demo.loyalty_rows import ContractMaking, Making, at, day_of, drawn_uuid
from datastore.demo.numbers import SHOWCASE, customer_number
from datastore.demo.people import Role
from datastore.demo.relations import FIRST_DAY
from datastore.loyalty.contract import ContractStatus, PassengerCategory
from datastore.loyalty.ledger import LedgerKind

KINDS = {
    1: (*(CARD.name,) * 9, *(PERIOD.name,) * 5, *(POINTS_PROGRAM.name,) * 3, *(GIFT_CARD.name,) * 2, WINTER.name),
    2: (CARD.name, CARD.name, CARD.name, POINTS_PROGRAM.name, POINTS_PROGRAM.name),
    3: (PERIOD.name,),
}
"""Organisation -> names of programs, each as likely as the others."""
HOLDERS = (Role.STANDARD, Role.PERSONNEL)
OLDEST, LAST_TRAVEL = datetime(2023, 6, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)
CLIENTS = ("web", "app", "app", "demo-crm")
CATEGORIES = (
    *(PassengerCategory.ADULT,) * 14,
    *(PassengerCategory.STUDENT,) * 3,
    *(PassengerCategory.SENIOR,) * 2,
    PassengerCategory.CHILD,
)
ENDED = (
    *(ContractStatus.CANCELLED,) * 5,
    *(ContractStatus.REFUNDED,) * 3,
    ContractStatus.MISUSED,
)
COUPONS, PERIOD_PRICE = 10, 89_000
DAY_LONG = timedelta(days=1)
SALES_POINTS = ("BUTIKK-OSLO-1", "BUTIKK-BERGEN-1", "APP", "WEB")


def contracts_of(indexes: range, seed: int, before_first: int, programs: ProgramKeys, making: Making) -> people.Batch:
    """The contracts that these customers of a seed hold. `before_first` is the key before that of customer 0."""
    making.begin()
    for index in indexes:
        if index == SHOWCASE[-1]:  # when all are there whom it is about
            loyalty_showcase.add(making, seed, before_first, programs)
        elif index not in SHOWCASE:
            Holder(making, seed, index, before_first, programs).add()
    return people.Batch(len(indexes), making.rows)


class Holder:
    """Customer `index` of a seed with what it holds, being made."""

    def __init__(self, making: Making, seed: int, index: int, before_first: int, programs: ProgramKeys) -> None:
        self.making, self.seed, self.index, self.before_first = making, seed, index, before_first
        self.organisation_id, self.role = people.traits(seed, index)
        self.programs, self.orders = programs, 0

    def add(self) -> None:
        """Add its contracts, if it has any."""
        if self.role not in HOLDERS:
            return
        self.draw = Draw(f"{self.seed}:loyalty:{self.index}")
        if not self.draw.chance(0.4):
            return
        # Nobody holds a contract before being a customer.
        self.since = max(Draw(f"{self.seed}:{self.index}").moment(FIRST_DAY), OLDEST)
        for _ in range(2 if self.draw.chance(0.1) else 1):
            name = self.draw.pick(KINDS[self.organisation_id])
            if name == CARD.name:
                self._card()
            elif name == PERIOD.name:
                self._periods()
            elif name == WINTER.name:
                self._winter()
            else:
                self._account(name)

    def _contract(
        self, name: str, created_at: datetime, *, is_claimed: bool = True, **values: object
    ) -> ContractMaking:
        draw = self.draw
        accepted = created_at if is_claimed and draw.chance(0.6) else None
        return ContractMaking(
            self.making,
            drawn_uuid(draw),
            self.organisation_id,
            self.programs[self.organisation_id, name],
            self.before_first + 1 + self.index if is_claimed else None,
            created_at,
            draw.pick(CLIENTS),
            passenger_category=draw.pick(CATEGORIES),
            acceptance_date=accepted,
            external_ref=f"MEDLEM-{self._number()}-KORT" if not is_claimed or draw.chance(0.1) else None,
            **values,  # type: ignore[arg-type]
        )

    def _number(self) -> int:
        return customer_number(self.seed, self.index)

    def _order(self) -> str:
        self.orders += 1
        return f"D{self._number()}{self.orders:02d}"

    def _card(self) -> None:
        draw = self.draw
        created_at = draw.moment(self.since)
        expires = created_at + timedelta(days=3 * 365) if draw.chance(0.3) else None
        is_claimed = not draw.chance(0.03)
        ended = {"status": draw.pick(ENDED), "changed_at": REFERENCE} if draw.chance(0.05) else {}
        card = self._contract(
            CARD.name, created_at, is_claimed=is_claimed, expiration_date=expires, coupons_limit=COUPONS, **ended
        )
        if is_claimed:
            self._uses(card, [self.before_first + 1 + self.index, *self._sharers(card)])
        card.finish()

    def _sharers(self, card: ContractMaking) -> Iterator[int]:
        """Others of the organisation who may use a contract; one of ten was blocked since."""
        found: int | None = self.index
        for _ in range(self.draw.how_many(0.8, 0.15)):
            found = people.earlier(self.seed, found, self.organisation_id, Role.STANDARD) if found else None
            if found is not None:
                is_blocked = self.draw.chance(0.1)
                card.consumer(self.before_first + 1 + found, is_blocked=is_blocked)
                if not is_blocked:
                    yield self.before_first + 1 + found

    def _uses(self, card: ContractMaking, users: Sequence[int]) -> None:
        """Some day tickets, of which one of ten was cancelled before the day."""
        draw, row = self.draw, card.row
        first, last = row["created_at"], min(row["ends_at"] - DAY_LONG, LAST_TRAVEL)
        orders = sorted(draw.moment(first) for _ in range(draw.how_many(0.3, 0.2, 0.2, 0.1, 0.1, 0.05)))
        day_program = self.programs[self.organisation_id, DAY.name]
        for booked_at in orders:
            travel_date = min(booked_at + timedelta(hours=draw.below(24 * 40)), last)
            if booked_at > travel_date or not card.remaining(day_of(travel_date).year):
                continue
            use = (self._order(), draw.pick(users), booked_at, travel_date, day_program, drawn_uuid(draw))
            event, sub = card.use(*use)
            if draw.chance(0.1):
                # At once: the ledger is told in the order of time.
                card.cancel(event, sub, booked_at)

    def _periods(self) -> None:
        """Some period tickets, one after the other."""
        draw = self.draw
        created_at = draw.moment(self.since)
        for _ in range(1 + draw.how_many(0.5, 0.3)):
            if created_at >= REFERENCE:
                return
            expires = at(day_of(created_at)) + timedelta(days=30)
            ticket = self._contract(PERIOD.name, created_at, expiration_date=expires)
            holder = ticket.row["holder_id"]
            bought = {"is_purchased": True, "price": PERIOD_PRICE, "last_travel_date": expires}
            ticket.event(self._order(), holder, created_at, created_at, order_line_text="Periodebillett", **bought)
            ticket.finish()
            created_at = expires + timedelta(hours=draw.below(24 * 60))

    def _winter(self) -> None:
        """A ticket of the program that has ended, and all contracts with it."""
        created_at = self.draw.moment(max(self.since, WINTER.start), WINTER.end)
        if created_at < WINTER.end:
            self._contract(WINTER.name, created_at, program_end=WINTER.end).finish()

    def _account(self, name: str) -> None:
        """Points, or a gift card, with what came and went."""
        draw = self.draw
        account = self._contract(name, draw.moment(self.since))
        is_card = name == GIFT_CARD.name
        currency = "NOK" if is_card else "PTS"
        moments = sorted(draw.moment(account.row["created_at"]) for _ in range(draw.how_many(0.1, 0.3, 0.2, 0.2, 0.1)))
        for moment in moments:
            spends = account.total > 0 and (is_card or draw.chance(0.3))
            amount = -1 - draw.below(account.total) if spends else 100 * (50 + draw.below(950))
            kind = LedgerKind.WITHDRAWAL if spends else LedgerKind.DEPOSIT
            place = draw.pick(SALES_POINTS)
            told = {"pos_id": place, "rrn": draw.digits(12) if is_card else None}
            account.transaction(kind, moment, amount, currency, drawn_uuid(draw), **told)
        account.finish()
