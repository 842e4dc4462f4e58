"""What rules give, for whoever stores rights in bulk: the same as `calculateTicketRights` finds."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from datastore.employee.calculation import Changes
from datastore.employee.facts import EmployeeFacts
from datastore.employee.rights import SimpleRule
from resolvers.employee import eligibility
from resolvers.employee.calculation import rule_of
from resolvers.employee.settling import Calculation, settle

Grant = Callable[[EmployeeFacts, int], Sequence[dict[str, Any]]]


def granting(rules: Sequence[SimpleRule]) -> Grant:
    """A function that answers the rights of an employee and the family in a calendar year, as values of columns:
    calculated at the beginning of that year, where there are none yet."""
    applied = [rule_of(rule) for rule in rules]
    birthdays = eligibility.ages(applied)
    none: Mapping[int, Sequence[Any]] = {}

    def grant(employee: EmployeeFacts, year: int) -> Sequence[dict[str, Any]]:
        changes, first = Changes(), date(year, 1, 1)
        now = datetime(year - 1, 12, 15, 3, tzinfo=UTC)
        for holder in employee.holders:
            settle(Calculation(), changes, holder, none, applied, birthdays, first, now)
        return changes.inserted

    return grant
