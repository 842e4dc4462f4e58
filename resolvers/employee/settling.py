"""What becomes of the rights that are stored, given those that there should be: pure functions of both."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from datastore.employee.calculation import Changes
from datastore.employee.facts import Holder
from resolvers.employee import eligibility
from resolvers.employee.eligibility import Rule, Span

MOST_SHOWN = 100

Days = tuple[date, date]
"""From a day to before another one."""


class NoHolder(LookupError):
    """Somebody who is to get a right has no row as a holder of rights, though one is made with every person."""


@dataclass(slots=True)
class Effect:
    """Who gains and who loses which days of which ticket type. All holders are counted, the first ones are shown."""

    gaining: set[int] = field(default_factory=set)
    losing: set[int] = field(default_factory=set)
    gains: list[Mapping[str, Any]] = field(default_factory=list)
    losses: list[Mapping[str, Any]] = field(default_factory=list)

    def add(self, holder: Holder, ticket_type_id: int, before: Iterable[Days], after: Iterable[Days]) -> None:
        """Note what a holder has of a ticket type before and after."""
        had, has = joined(before), joined(after)
        for holders, shown, days in (
            (self.gaining, self.gains, without(has, had)),
            (self.losing, self.losses, without(had, has)),
        ):
            if days:
                holders.add(holder_id(holder))
                if len(holders) <= MOST_SHOWN:
                    shown += [_shown(holder, ticket_type_id, each) for each in days]

    def told(self) -> dict[str, Any]:
        """The effect as JSON-like values."""
        return {
            "holders_gaining": len(self.gaining),
            "holders_losing": len(self.losing),
            "gains": self.gains,
            "losses": self.losses,
        }


@dataclass(slots=True)
class Calculation:
    """What a calculation does: how many rights come, stay as they are, get another end or rule, or end; who gains and
    who loses by it."""

    inserted: int = 0
    kept: int = 0
    changed: int = 0
    ended: int = 0
    effect: Effect = field(default_factory=Effect)

    def counts(self) -> dict[str, int]:
        return {"inserted": self.inserted, "kept": self.kept, "changed": self.changed, "ended": self.ended}


def settle(
    done: Calculation,
    changes: Changes,
    holder: Holder,
    rights: Mapping[int, Sequence[Any]],
    rules: Sequence[Rule],
    birthdays: Collection[int],
    at: date,
    now: datetime,
) -> None:
    """Make a holder's rights, by ticket type, what the rules give from the day `at` on: what is to be done goes to
    `changes`, what it comes to into `done`.

    Rights are given up to the end of the year. What was calculated for later years before is taken away where it does
    not hold any more; nothing is added there: who will have paid is not known yet. Rights without a rule were ordered
    by hand: they stay, and no other is given in their days. A right that its rule still gives stays as it is, whichever
    version of the rule it was given by.
    """
    years = {at.year, *(_year(right, at) for stored in rights.values() for right in stored)}
    for year in sorted(years):
        start = max(at, date(year, 1, 1))
        wanted: dict[int, list[Span]] = {}
        for span in eligibility.spans(holder, year, rules, birthdays):
            if span.end > start and (year == at.year or span.ticket_type_id in rights):
                wanted.setdefault(span.ticket_type_id, []).append(span)
        for ticket_type_id in sorted({*wanted, *rights}):
            stored = [right for right in rights.get(ticket_type_id, ()) if _year(right, at) == year]
            spans = wanted.get(ticket_type_id, ())
            _settle(done, changes, holder, ticket_type_id, stored, spans, start, now if year == at.year else None)


def _settle(
    done: Calculation,
    changes: Changes,
    holder: Holder,
    ticket_type_id: int,
    stored: Sequence[Any],
    wanted: Iterable[Span],
    start: date,
    now: datetime | None,
) -> None:
    """The rights of one ticket type in one year; new ones are added only with `now`, the moment that they carry."""
    by_hand = [(right.valid_from, right.valid_until) for right in stored if right.rule_id is None]
    pieces = {
        first: (end, span.rule)
        for span in wanted
        for first, end in without([(max(span.start, start), span.end)], by_hand)
    }
    before: list[Days] = []
    after: list[Days] = []
    for right in stored:
        if right.rule_id is None:
            continue
        has_begun = right.valid_from < start
        first = max(right.valid_from, start)
        before.append((first, right.valid_until))
        end, rule = pieces.get(first, (None, None))
        if end is None or rule is None or (has_begun and rule.id != right.rule_id):
            done.ended += 1
            if has_begun:
                changes.end(right.id, start)
            else:
                changes.delete(right.id)
            continue
        del pieces[first]
        after.append((first, end))
        if (end, rule.id) == (right.valid_until, right.rule_id):
            done.kept += 1
        else:
            done.changed += 1
            changes.update(right.id, end, rule.id, rule.version)
    if now is not None:
        for first, (end, rule) in pieces.items():
            done.inserted += 1
            after.append((first, end))
            changes.inserted.append(_row(holder, rule, first, end, now))
    if before != after:
        done.effect.add(holder, ticket_type_id, before, after)


def joined(days: Iterable[Days]) -> list[Days]:
    """The same days, in order, those that meet as one."""
    found: list[Days] = []
    for start, end in sorted(days):
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((start, end))
    return found


def without(days: Iterable[Days], taken: Iterable[Days]) -> list[Days]:
    """The days that are not taken."""
    left = list(days)
    for start, end in taken:
        parts = [part for first, last in left for part in ((first, min(last, start)), (max(first, end), last))]
        left = [part for part in parts if part[0] < part[1]]
    return left


def holder_id(holder: Holder) -> int:
    """The key of the holder's row as one. Raises `NoHolder`."""
    found = holder.person.holder_id
    if found is None:
        raise NoHolder(f"{type(holder.person).__name__} {holder.person.id} has no row in ticket_rights_holder")
    return found


def _year(right: Any, at: date) -> int:
    year: int = right.valid_from.year
    return max(year, at.year)


def _row(holder: Holder, rule: Rule, first: date, end: date, now: datetime) -> dict[str, Any]:
    return {
        "employee_id": holder.employee.id,
        "family_member_id": holder.member.id if holder.member else None,
        "ticket_holder_id": holder_id(holder),
        "ticket_type_id": rule.ticket_type_id,
        "rule_id": rule.id,
        "rule_version": rule.version,
        "valid_from": first,
        "valid_until": end,
        "calculation_timestamp": now,
    }


def _shown(holder: Holder, ticket_type_id: int, days: Days) -> dict[str, Any]:
    return {
        "employee_id": holder.employee.id,
        "family_member_id": holder.member.id if holder.member else None,
        "ticket_type_id": ticket_type_id,
        "valid_from": str(days[0]),
        "valid_until": str(days[1]),
    }
