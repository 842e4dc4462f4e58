"""The contracts of the first demo customer: fixed, so that README, examples and tests can name them.

With the default seed, 1, customer 1000000001, Kari Nordmann, holds, as the last digits of `uuid_of` count them,

1. a card of ten coupons, which customer 1000000003 may use too: of 2025 six are left (one use was cancelled), of 2026
   eight;
2. a period ticket that lasts until 2039;
3. points: 620.00 PTS after two deposits, a withdrawal, and half of another one given back;
4. a gift card with 651.00 NOK;
5. a ticket of a program that has ended;
6. a card that was cancelled;

and may claim 7, a card that nobody holds yet, by its external reference, `KARI-2026-KORT`: its policy is her surname.
The contracts that coupons have made are 11 to 17. Where there are fewer than three customers, there are none of these.
With another seed they have that seed's uuids and reference.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from datastore.demo.loyalty_programs import CARD, DAY, END, GIFT_CARD, PERIOD, POINTS_PROGRAM, WINTER, ProgramKeys
from datastore.demo.loyalty_rows import ContractMaking, Making, at, day_of
from datastore.demo.numbers import DEFAULT_SEED, SEEDS, customer_number
from datastore.loyalty.contract import ContractStatus, PolicyKey
from datastore.loyalty.ledger import LedgerKind
from datastore.text import email_key

CLIENT = "app"
CREATED = datetime(2024, 1, 15, 9, 30, tzinfo=UTC)
REFERENCE_TO_CLAIM = "KARI-2026-KORT"
USES = (
    (datetime(2025, 2, 3, 6, 0, tzinfo=UTC), False),
    (datetime(2025, 5, 16, 5, 30, tzinfo=UTC), False),
    (datetime(2025, 9, 1, 5, 30, tzinfo=UTC), True),
    (datetime(2025, 10, 10, 14, 0, tzinfo=UTC), False),
    (datetime(2025, 11, 21, 7, 15, tzinfo=UTC), False),
    (datetime(2026, 1, 5, 6, 0, tzinfo=UTC), False),
    (datetime(2026, 1, 19, 6, 0, tzinfo=UTC), False),
)
"""Days of travel, and whether the use was cancelled."""


def uuid_of(seed: int, number: int) -> str:
    """The uuid of a contract of the showcase."""
    return f"{seed % SEEDS:08d}-0000-4000-8000-{number:012d}"


def external_ref(seed: int) -> str:
    """The reference by which the contract is claimed that nobody holds."""
    return REFERENCE_TO_CLAIM if seed == DEFAULT_SEED else f"{REFERENCE_TO_CLAIM}{seed % SEEDS}"


def add(making: Making, seed: int, before_first: int, programs: ProgramKeys) -> None:
    """Add the contracts. `before_first` is the key before that of customer 0."""
    kari, friend = before_first + 1, before_first + 3

    def contract(number: int, name: str, created_at: datetime = CREATED, **values: Any) -> ContractMaking:
        holder = values.pop("holder_id", kari)
        program = programs[1, name]
        return ContractMaking(making, uuid_of(seed, number), 1, program, holder, created_at, CLIENT, **values)

    card = contract(1, CARD.name, acceptance_date=CREATED, coupons_limit=10)
    card.consumer(friend)
    for place, (travel_date, is_cancelled) in enumerate(USES, start=1):
        booked_at = min(travel_date - timedelta(days=7), datetime(2025, 12, 20 + place, 12, tzinfo=UTC))
        user = friend if place == 4 else kari
        order, made = f"KARI{customer_number(seed, 0)}{place:02d}", uuid_of(seed, 10 + place)
        event, sub = card.use(order, user, booked_at, travel_date, programs[1, DAY.name], made)
        if is_cancelled:
            card.cancel(event, sub, booked_at + timedelta(days=1))
    card.finish()

    bought = datetime(2025, 6, 1, 4, tzinfo=UTC)
    period = contract(2, PERIOD.name, bought, expiration_date=at(day_of(END)) - timedelta(days=1))
    period.event(f"KARI{customer_number(seed, 0)}P", kari, bought, bought, is_purchased=True, price=89_000)
    period.finish()

    points = contract(3, POINTS_PROGRAM.name, acceptance_date=CREATED)
    moved = [
        (LedgerKind.DEPOSIT, 50_000),
        (LedgerKind.DEPOSIT, 25_000),
        (LedgerKind.WITHDRAWAL, -11_000),
        (LedgerKind.WITHDRAWAL, -4_000),
    ]
    for place, (kind, amount) in enumerate(moved, start=1):
        moment = CREATED + timedelta(days=60 * place)
        last = points.transaction(kind, moment, amount, "PTS", uuid_of(seed, 30 + place), pos_id="APP")
    back: dict[str, Any] = {"reverses_id": last["id"], "pos_id": "APP"}
    points.transaction(LedgerKind.REVERSAL, moment + timedelta(days=1), 2_000, "PTS", uuid_of(seed, 35), **back)
    points.finish()

    gift = contract(4, GIFT_CARD.name, datetime(2025, 12, 1, 10, tzinfo=UTC))
    for place, (kind, amount) in enumerate(((LedgerKind.DEPOSIT, 100_000), (LedgerKind.WITHDRAWAL, -34_900)), start=1):
        told = {"rrn": f"{place:012d}", "pos_id": "BUTIKK-OSLO-1", "email": "kasse@example.no"}
        moment = gift.row["created_at"] + timedelta(days=place)
        gift.transaction(kind, moment, amount, "NOK", uuid_of(seed, 40 + place), **told)
    gift.finish()

    contract(5, WINTER.name, WINTER.start + timedelta(days=20), program_end=WINTER.end).finish()
    cancelled: dict[str, Any] = {"status": ContractStatus.CANCELLED, "changed_at": CREATED + timedelta(days=2)}
    contract(6, CARD.name, coupons_limit=10, **cancelled).finish()
    unclaimed = contract(7, CARD.name, holder_id=None, coupons_limit=10, external_ref=external_ref(seed))
    unclaimed.policy(PolicyKey.SURNAME, email_key("Nordmann"))
    unclaimed.finish()
