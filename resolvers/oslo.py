"""Which day it is: that of Europe/Oslo (rule E19)."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

OSLO = ZoneInfo("Europe/Oslo")


def today(now: datetime | None = None) -> date:
    """The day at this moment, by default now."""
    return (now or datetime.now(UTC)).astimezone(OSLO).date()
