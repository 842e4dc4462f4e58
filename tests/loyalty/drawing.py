"""What is done with contracts in tests that do whatever, drawn by chance."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

BASE = datetime(2026, 12, 31, 20, tzinfo=UTC)
"""Three hours before the new year in Norway."""
LATEST = BASE + timedelta(days=55)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NEW_YEAR = 3 * HOUR
BEFORE = NEW_YEAR - timedelta(milliseconds=1)
TRAVELS = (-2 * DAY, 0 * DAY, 2 * HOUR, 2 * HOUR, BEFORE, BEFORE, NEW_YEAR, NEW_YEAR, 30 * HOUR, 30 * HOUR, 10 * DAY)
"""When travels begin, from the beginning on."""
PEOPLE, HOLDER = ("kari", "ola", "per"), "the holder"
COUPONS, PRICE, AMOUNTS = (1, 1, 1, 2, 3, 5), (0, 1000), (0, 1, 999, 5000, 10**15 - 1)
CURRENCIES = ("NOK", "NOK", "NOK", "SEK")
STATUSES = ("REFUNDED", "CANCELLED", "MISUSED", "VALID")
MINUTES = (1, 15, 16, 60, 600, 1440, 10080)

Draw = Callable[[Random], tuple[Any, ...]]


def some(draw: Random) -> int:
    """Which contract: mostly one of the first ones, which have coupons."""
    return draw.randrange(2) if draw.random() < 0.7 else draw.randrange(100)


def who(draw: Random) -> str:
    """Who: mostly the holder."""
    return HOLDER if draw.random() < 0.6 else draw.choice(PEOPLE)


def order(draw: Random) -> str:
    return f"order-{draw.randrange(40)}"


OPERATIONS: Mapping[str, tuple[int, Draw]] = {
    "consume": (
        16,
        lambda draw: (
            some(draw),
            who(draw),
            draw.choice(TRAVELS),
            draw.choice(COUPONS),
            order(draw),
            draw.choice(PRICE),
        ),
    ),
    "reserve": (
        12,
        lambda draw: (
            some(draw),
            who(draw),
            draw.choice(TRAVELS),
            draw.choice(COUPONS),
            draw.choice((1, 15, 15, 600)),
        ),
    ),
    "validate": (
        6,
        lambda draw: (
            some(draw),
            who(draw),
            draw.choice(TRAVELS),
            draw.choice(COUPONS),
            draw.choice((None, order(draw))),
        ),
    ),
    "capture": (9, lambda draw: (draw.choice((0, 0, 0, 1, 2)), order(draw), draw.choice(PRICE))),
    "release": (8, lambda draw: (draw.choice((0, 0, 0, 1, 2)),)),
    "register": (
        10,
        lambda draw: (
            some(draw),
            draw.choice((None, who(draw), who(draw))),
            draw.choice((None, *TRAVELS)),
            draw.choice(COUPONS),
            order(draw),
            draw.choice(PRICE),
            draw.random() < 0.2,
        ),
    ),
    "again": (3, lambda draw: (draw.randrange(100),)),
    "cancel": (8, lambda draw: (draw.randrange(100), order(draw), draw.choice((None, None, 0, 1)))),
    "deposit": (7, lambda draw: (draw.randrange(10), draw.choice(AMOUNTS), draw.choice(CURRENCIES))),
    "withdraw": (7, lambda draw: (draw.randrange(10), draw.choice(AMOUNTS), draw.choice(CURRENCIES))),
    "reverse": (7, lambda draw: (draw.randrange(100), draw.choice((None, None, 0, 1, 500)))),
    "time": (8, lambda draw: (draw.choice(MINUTES),)),
    "tidy": (2, lambda draw: ()),
    "create": (
        4,
        lambda draw: (
            draw.randrange(6),
            draw.choice((None, *PEOPLE)),
            draw.choice((None, None, -1, 0, 24)),
            draw.choice((None, None, -2, 1, 100)),
            draw.choice((None, None, 1, 3)),
        ),
    ),
    "add": (3, lambda draw: (some(draw), draw.choice(PEOPLE))),
    "block": (3, lambda draw: (some(draw), draw.choice(PEOPLE))),
    "unblock": (3, lambda draw: (some(draw), draw.choice(PEOPLE))),
    "status": (1, lambda draw: (draw.randrange(100), draw.choice(STATUSES))),
}
"""Operation -> how often it is drawn, and what it is drawn with."""
FIRST = (
    ("create", 0, "kari", None, None, None),
    ("create", 1, "ola", None, None, None),
    ("create", 2, "kari", None, None, None),
    ("create", 3, "per", None, None, None),
    ("add", 0, "ola"),
)
"""What every example begins with."""
