"""Which day it is: that of Europe/Oslo (rule E19)."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

OSLO = ZoneInfo("Europe/Oslo")


def today(now: datetime | None = None) -> date:
    """The day at this moment, by default now."""
    return (now or datetime.now(UTC)).astimezone(OSLO).date()


def later(moment: datetime, days: int, rest: timedelta) -> datetime:
    """The moment so many days of the Norwegian calendar later, at the same time of day there, and then some time. In
    UTC; a time of day that the clock leaves out in spring is the one an hour later."""
    if days:  # without them the sum would be in the first of the two hours when the clock is put back
        moment = moment.astimezone(OSLO) + timedelta(days=days)
    return moment.astimezone(UTC) + rest
