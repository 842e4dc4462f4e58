"""Who has a right to which ticket type on which day, and why: pure functions of facts and rules (rules E07, E22, E30 to
E33).

A rule gives its ticket type to whoever meets all its conditions. For every rule holds, besides: whoever has opted out
or is deleted has no right (E07, E22), nor has anybody before the employee is hired, nor after the employee has left,
unless as a pensioner. The day of leaving is the last day of the employment. A family has rights only as long as the
employee may have some; the employee's own opting out is no matter of the family's. What a rule asks of the employment,
the product, the fee and the disability, it asks of the employee for the family, too; age is the holder's own.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date, timedelta
from enum import Enum
from typing import Any

from datastore.employee.facts import Holder, HolderKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What a rule asks for; all of it is to be met. An empty list asks for nothing, but for the kinds of holders: with
    none of them, nobody meets the rule."""

    holder_kinds: tuple[HolderKind, ...] = ()
    employment_types: tuple[str, ...] = ()
    min_employment_percentage: int | None = None
    product_id: int | None = None
    yearly_fee_paid: bool = False
    disability_proof_registered: bool = False
    min_disability_grade: int | None = None
    low_income_registered: bool = False
    family_relations: tuple[str, ...] = ()
    min_age: int | None = None
    max_age: int | None = None
    includes_leave: bool = False

    def stored(self) -> dict[str, Any]:
        """The conditions as JSON-like values."""
        values: dict[str, Any] = {each.name: getattr(self, each.name) for each in fields(self)}
        values["holder_kinds"] = [kind.name for kind in self.holder_kinds]
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    @classmethod
    def of(cls, stored: object) -> "Conditions":
        """The conditions that were stored. What cannot be read is met by nobody."""
        if not isinstance(stored, Mapping):
            return cls()
        values = {each.name: stored[each.name] for each in fields(cls) if each.name in stored}
        kinds = (HolderKind[name] for name in values.pop("holder_kinds", ()))
        lists = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
        return cls(holder_kinds=tuple(kinds), **{**values, **lists})


NOTHING = Conditions()
"""What is checked where no rule is meant."""


class TicketRightCondition(Enum):
    """One thing that a right depends on. The value tells what is meant, for people."""

    NOT_DELETED = "The holder is not deleted."
    NOT_ABSTAINING = "The holder has not opted out of personnel tickets."
    EMPLOYEE_NOT_DELETED = "The employee whose family it is is not deleted."
    EMPLOYEE_NOT_ABSTAINING = "The employee whose family it is has not opted out of personnel tickets."
    HIRED = "The employment has begun."
    NOT_LEFT = "The employment has not ended, or the employee is a pensioner."
    NOT_ON_LEAVE = "The employee is not on leave."
    HOLDER_KIND = "The holder is of a kind that the rule is for."
    EMPLOYMENT_TYPE = "The employee is employed in a way that the rule is for."
    EMPLOYMENT_PERCENTAGE = "The employee works as much as the rule asks for."
    PRODUCT = "The employee has the product for the year."
    YEARLY_FEE = "The employee has paid the fee of the year."
    DISABILITY_PROOF = "A proof of the employee's disability is registered for the year."
    DISABILITY_GRADE = "The employee is disabled as much as the rule asks for."
    LOW_INCOME = "A low income of the family member is registered for the year."
    FAMILY_RELATION = "The family member is related in a way that the rule is for."
    MIN_AGE = "The holder is old enough."
    MAX_AGE = "The holder is not too old."


SENSITIVE = frozenset(
    {TicketRightCondition.DISABILITY_PROOF, TicketRightCondition.DISABILITY_GRADE, TicketRightCondition.LOW_INCOME}
)
"""What tells of health or income (rule E23)."""
OF_THE_HOLDER = frozenset(
    {
        *(
            TicketRightCondition.NOT_DELETED,
            TicketRightCondition.NOT_ABSTAINING,
            TicketRightCondition.HOLDER_KIND,
            TicketRightCondition.LOW_INCOME,
        ),
        *(TicketRightCondition.FAMILY_RELATION, TicketRightCondition.MIN_AGE, TicketRightCondition.MAX_AGE),
    }
)
"""What is asked of the holder; all else is asked of the employee, whose matter it is."""

OF_THE_FAMILY = frozenset({TicketRightCondition.EMPLOYEE_NOT_DELETED, TicketRightCondition.EMPLOYEE_NOT_ABSTAINING})
"""What is asked of the employee for the family alone: for the employee it is asked of the holder."""

Met = Callable[[Conditions, Holder, date], bool]
Fact = Callable[[Conditions, Holder, date], str]


@dataclass(frozen=True, slots=True)
class Check:
    """How a condition is checked where a rule `asks` for it, and the fact that it is checked against, in words."""

    condition: TicketRightCondition
    asks: Callable[[Conditions], object]
    is_met: Met
    fact: Fact


def whole_years(born: date, day: date) -> int:
    """The age on a day; negative before the birth. Whoever is born on 29 February gets older on 1 March in other
    years."""
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def _age(holder: Holder, day: date) -> int:
    return -1 if holder.person.born is None else whole_years(holder.person.born, day)


def _grade(holder: Holder, day: date) -> int:
    employee = holder.employee
    is_disabled = employee.disabled_from is not None and employee.disabled_from <= day
    return employee.disability_grade if is_disabled else 0


def _yes(is_so: bool) -> str:
    return "Yes." if is_so else "No."


def _since(day: date | None) -> str:
    return "No date." if day is None else f"From {day}."


def _product(holder: Holder, day: date) -> int | None:
    return (holder.employee.products or {}).get(day.year)


FOR_EVERYBODY = (
    Check(
        TicketRightCondition.NOT_DELETED,
        lambda _: True,
        lambda _, holder, day: not holder.person.is_deleted,
        lambda _, holder, day: "Deleted." if holder.person.is_deleted else "Not deleted.",
    ),
    Check(
        TicketRightCondition.NOT_ABSTAINING,
        lambda _: True,
        lambda _, holder, day: not holder.person.abstains,
        lambda _, holder, day: "Opted out." if holder.person.abstains else "Not opted out.",
    ),
    Check(
        TicketRightCondition.EMPLOYEE_NOT_DELETED,
        lambda _: True,
        lambda _, holder, day: not holder.employee.is_deleted,
        lambda _, holder, day: "Deleted." if holder.employee.is_deleted else "Not deleted.",
    ),
    Check(
        TicketRightCondition.EMPLOYEE_NOT_ABSTAINING,
        lambda _: True,
        lambda _, holder, day: not holder.employee.abstains,
        lambda _, holder, day: "Opted out." if holder.employee.abstains else "Not opted out.",
    ),
    Check(
        TicketRightCondition.HIRED,
        lambda _: True,
        lambda _, holder, day: holder.employee.hired <= day,
        lambda _, holder, day: _since(holder.employee.hired),
    ),
    Check(
        TicketRightCondition.NOT_LEFT,
        lambda _: True,
        lambda _, holder, day: (
            holder.employee.left is None or day <= holder.employee.left or holder.employee.is_pensioner
        ),
        lambda _, holder, day: (
            ("Pensioner. " if holder.employee.is_pensioner else "")
            + (f"Until {holder.employee.left}." if holder.employee.left else "No end date.")
        ),
    ),
)
"""What every rule asks for."""

CHECKS = (
    Check(
        TicketRightCondition.NOT_ON_LEAVE,
        lambda asked: not asked.includes_leave,
        lambda _, holder, day: holder.employee.leave_from is None or day < holder.employee.leave_from,
        lambda _, holder, day: f"Leave: {_since(holder.employee.leave_from).lower()}",
    ),
    Check(
        TicketRightCondition.HOLDER_KIND,
        lambda _: True,
        lambda asked, holder, day: holder.kind in asked.holder_kinds,
        lambda _, holder, day: f"{holder.kind.name}.",
    ),
    Check(
        TicketRightCondition.EMPLOYMENT_TYPE,
        lambda asked: asked.employment_types,
        lambda asked, holder, day: holder.employee.employment_type in asked.employment_types,
        lambda _, holder, day: f"{holder.employee.employment_type}.",
    ),
    Check(
        TicketRightCondition.EMPLOYMENT_PERCENTAGE,
        lambda asked: asked.min_employment_percentage is not None,
        lambda asked, holder, day: holder.employee.percentage >= (asked.min_employment_percentage or 0),
        lambda asked, holder, day: f"{holder.employee.percentage} of at least {asked.min_employment_percentage}.",
    ),
    Check(
        TicketRightCondition.PRODUCT,
        lambda asked: asked.product_id is not None,
        lambda asked, holder, day: _product(holder, day) == asked.product_id,
        lambda _, holder, day: f"Product in {day.year}: {_product(holder, day) or 'none'}.",
    ),
    Check(
        TicketRightCondition.YEARLY_FEE,
        lambda asked: asked.yearly_fee_paid,
        lambda _, holder, day: day.year in holder.employee.paid_fees,
        lambda _, holder, day: f"Paid for {day.year}: {_yes(day.year in holder.employee.paid_fees).lower()}",
    ),
    Check(
        TicketRightCondition.DISABILITY_PROOF,
        lambda asked: asked.disability_proof_registered,
        lambda _, holder, day: day.year in holder.employee.disability_proofs,
        lambda _, holder, day: (
            f"Registered for {day.year}: {_yes(day.year in holder.employee.disability_proofs).lower()}"
        ),
    ),
    Check(
        TicketRightCondition.DISABILITY_GRADE,
        lambda asked: asked.min_disability_grade is not None,
        lambda asked, holder, day: _grade(holder, day) >= (asked.min_disability_grade or 0),
        lambda asked, holder, day: f"{_grade(holder, day)} of at least {asked.min_disability_grade}.",
    ),
    Check(
        TicketRightCondition.LOW_INCOME,
        lambda asked: asked.low_income_registered,
        lambda _, holder, day: holder.member is not None and day.year in holder.member.low_income,
        lambda _, holder, day: (
            f"Registered for {day.year}: {_yes(holder.member is not None and day.year in holder.member.low_income)}"
        ),
    ),
    Check(
        TicketRightCondition.FAMILY_RELATION,
        lambda asked: asked.family_relations,
        lambda asked, holder, day: holder.member is not None and holder.member.relation in asked.family_relations,
        lambda _, holder, day: f"{holder.member.relation if holder.member else 'No family member'}.",
    ),
    Check(
        TicketRightCondition.MIN_AGE,
        lambda asked: asked.min_age is not None,
        lambda asked, holder, day: _age(holder, day) >= (asked.min_age or 0),
        lambda asked, holder, day: f"{_years(holder, day)} of at least {asked.min_age}.",
    ),
    Check(
        TicketRightCondition.MAX_AGE,
        lambda asked: asked.max_age is not None,
        lambda asked, holder, day: 0 <= _age(holder, day) <= (asked.max_age or 0),
        lambda asked, holder, day: f"{_years(holder, day)} of at most {asked.max_age}.",
    ),
)
"""What a rule may ask for besides."""


def _years(holder: Holder, day: date) -> str:
    return "Unknown age" if holder.person.born is None else f"{_age(holder, day)} years"


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as it is applied."""

    id: int
    version: int
    ticket_type_id: int
    conditions: Conditions
    checks: Sequence[Check] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "checks", tuple(each for each in CHECKS if each.asks(self.conditions)))

    def is_met(self, holder: Holder, day: date) -> bool:
        """Whether the holder meets what this rule asks for, besides what every rule does."""
        return all(check.is_met(self.conditions, holder, day) for check in self.checks)


@dataclass(frozen=True, slots=True)
class Span:
    """A right of a holder by a rule, from a day to before another one (rule E30)."""

    ticket_type_id: int
    rule: Rule
    start: date
    end: date


@dataclass(frozen=True, slots=True)
class Reason:
    """Whether a condition is met, and the fact that says so. What every rule asks for has no rule."""

    condition: TicketRightCondition
    is_met: bool
    fact: str
    rule: Rule | None = None


def is_entitled(holder: Holder, day: date) -> bool:
    """Whether any rule could give the holder anything on a day."""
    return all(check.is_met(NOTHING, holder, day) for check in FOR_EVERYBODY)


def granted(holder: Holder, day: date, rules: Iterable[Rule]) -> dict[int, Rule]:
    """Ticket type -> the rule that gives the holder a right to it on a day: of several, the first one."""
    found: dict[int, Rule] = {}
    if is_entitled(holder, day):
        for rule in rules:
            if rule.ticket_type_id not in found and rule.is_met(holder, day):
                found[rule.ticket_type_id] = rule
    return found


def ages(rules: Iterable[Rule]) -> Collection[int]:
    """The ages at which somebody begins to meet a rule, or ceases to."""
    found = {rule.conditions.min_age for rule in rules} | {
        None if rule.conditions.max_age is None else rule.conditions.max_age + 1 for rule in rules
    }
    # Whoever is not born yet has no age, and so meets neither bound.
    return {0, *(age for age in found if age is not None)} if found != {None} else ()


def turns(holder: Holder, birthdays: Collection[int]) -> set[date]:
    """The days on which the holder may begin to meet a rule, or cease to; `birthdays` are the `ages` of the rules."""
    employee, member = holder.employee, holder.member
    found = {employee.hired}
    if employee.left and employee.left < date.max:
        found.add(employee.left + timedelta(days=1))
    found |= {day for day in (employee.leave_from, employee.disabled_from) if day}
    if holder.person.born:
        found |= {day for age in birthdays if (day := birthday(holder.person.born, age))}
    years = {*(employee.products or ()), *employee.paid_fees, *employee.disability_proofs}
    years |= member.low_income if member else set()
    return found | {date(each, 1, 1) for year in years for each in (year, year + 1) if each <= date.max.year}


def birthday(born: date, age: int) -> date | None:
    """The first day on which somebody has this age; None beyond the calendar."""
    try:
        return born.replace(year=born.year + age)
    except ValueError:
        return date(born.year + age, 3, 1) if born.year + age <= date.max.year else None


def spans(holder: Holder, year: int, rules: Sequence[Rule], birthdays: Collection[int]) -> list[Span]:
    """The rights of a holder in a calendar year, by ticket type and day: none overlap (rules E30, E31)."""
    first, end = date(year, 1, 1), date(year + 1, 1, 1)
    days = sorted({first, *(day for day in turns(holder, birthdays) if first < day < end)})
    found: list[Span] = []
    running: dict[int, tuple[Rule, date]] = {}
    for day in [*days, end]:
        now = granted(holder, day, rules) if day < end else {}
        for ticket_type_id, (rule, start) in list(running.items()):
            if now.get(ticket_type_id) is not rule:
                found.append(Span(ticket_type_id, rule, start, day))
                del running[ticket_type_id]
        for ticket_type_id, rule in now.items():
            running.setdefault(ticket_type_id, (rule, day))
    return sorted(found, key=lambda each: (each.ticket_type_id, each.start))


def reasons(holder: Holder, day: date, rules: Iterable[Rule]) -> list[Reason]:
    """Why the holder does or does not meet these rules on a day: what every rule asks for, then what each does."""
    found = [
        Reason(check.condition, check.is_met(NOTHING, holder, day), check.fact(NOTHING, holder, day))
        for check in FOR_EVERYBODY
        if holder.member or check.condition not in OF_THE_FAMILY
    ]
    for rule in rules:
        asked = rule.conditions
        found += [
            Reason(check.condition, check.is_met(asked, holder, day), check.fact(asked, holder, day), rule)
            for check in rule.checks
        ]
    return found


def next_change(holder: Holder, day: date, rules: Sequence[Rule]) -> date | None:
    """The next day on which these rules, all of one ticket type, answer something else; None if they never do."""
    now = next(iter(granted(holder, day, rules).values()), None)
    later = sorted(each for each in turns(holder, ages(rules)) if each > day)
    changes = (each for each in later if next(iter(granted(holder, each, rules).values()), None) is not now)
    return next(changes, None)
