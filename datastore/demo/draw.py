"""Drawing by lot, the same on every machine and in every Python: everything comes from `random()` and `getrandbits`."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import TypeVar

T = TypeVar("T")

REFERENCE_DAY = date(2026, 1, 1)
"""The demo data's today: nothing in it depends on the clock."""
REFERENCE = datetime(2026, 1, 1, tzinfo=UTC)

ALPHANUMERIC = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_LETTER_OF_BYTE = bytes(ord(ALPHANUMERIC[byte % len(ALPHANUMERIC)]) for byte in range(256))


class Draw(Random):
    """The lots of one customer. Two draws made with the same text give the same lots."""

    def below(self, bound: int) -> int:
        """A whole number from 0 up to, and without, `bound`."""
        return int(self.random() * bound)

    def pick(self, choices: Sequence[T]) -> T:
        """One of `choices`, each as likely as the others."""
        return choices[int(self.random() * len(choices))]

    def chance(self, probability: float) -> bool:
        """True with that probability."""
        return self.random() < probability

    def several(self, choices: Sequence[T], count: int) -> list[T]:
        """`count` of `choices`, no two the same. There must be that many."""
        chosen: list[T] = []
        while len(chosen) < count:
            choice = self.pick(choices)
            if choice not in chosen:
                chosen.append(choice)
        return chosen

    def how_many(self, *probabilities: float) -> int:
        """0, 1, 2 ... with those probabilities; the number after the last one takes what is left."""
        lot = self.random()
        for number, probability in enumerate(probabilities):
            lot -= probability
            if lot < 0:
                return number
        return len(probabilities)

    def digits(self, count: int) -> str:
        """A text of `count` digits."""
        return f"{int(self.random() * 10**count):0{count}d}"

    def letters(self, count: int) -> str:
        """A text of `count` letters and digits."""
        return self.getrandbits(8 * count).to_bytes(count, "little").translate(_LETTER_OF_BYTE).decode()

    def day(self, first: date, last: date) -> date:
        """A day from `first` to `last`."""
        low = first.toordinal()
        return date.fromordinal(low + int(self.random() * (last.toordinal() - low + 1)))

    def moment(self, first: datetime, last: datetime = REFERENCE) -> datetime:
        """A time from `first` to `last`, in whole milliseconds; `first` itself if `last` is not later."""
        seconds = (last - first).total_seconds()
        if seconds <= 0:
            return first
        milliseconds = int(self.random() * seconds * 1000)
        return first + timedelta(milliseconds=milliseconds)
