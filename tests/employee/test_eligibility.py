"""Who has a right to which ticket type on which day (rules E07, E22, E30 to E33), against a second implementation."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from random import Random
from typing import Any

import pytest

from datastore.employee.calculation import Changes
from datastore.employee.facts import EmployeeFacts, Holder, HolderKind, MemberFacts
from resolvers.employee import eligibility
from resolvers.employee.eligibility import Conditions, Rule, TicketRightCondition
from resolvers.employee.settling import Calculation, settle
from tests.employee import households, plain_eligibility
from tests.employee.households import BORDERS, DATES, RULES, TICKETS, YEAR, Raw
from tests.factories.customer import MOMENT

DAY = timedelta(days=1)
KARI = EmployeeFacts(
    id=1,
    employment_type="FAST",
    is_pensioner=False,
    percentage=100,
    born=date(1985, 7, 9),
    hired=date(2001, 5, 1),
    left=None,
    leave_from=None,
    abstains=False,
    is_deleted=False,
    disability_grade=0,
    disabled_from=None,
    holder_id=1,
)
CHILD = MemberFacts(id=2, relation="BARN", born=date(2010, 7, 2), abstains=False, is_deleted=False, holder_id=2)
EVERYBODY = Conditions(holder_kinds=tuple(HolderKind))
FREE = Rule(1, 1, 1, EVERYBODY)
YOUNG = Rule(2, 1, 2, replace(EVERYBODY, min_age=16, max_age=17))


def people() -> Iterator[tuple[Raw, Raw | None, Holder]]:
    """The generated persons: the household and the member of the family in plain form, and as the code has them."""
    for raw in households.households():
        for member, holder in zip((None, *raw["family"]), households.facts(raw).holders, strict=True):
            yield raw, member, holder


def borders_of(raw: Raw, member: Raw | None) -> set[date]:
    """The days in and around the year on which something may change for a person, and those beside them."""
    born = (member or raw)["born"]
    ages = (0, 16, 17, 18, 19, 67, 68) if born else ()
    month_and_day = (3, 1) if born and born.month == 2 else (born.month, born.day) if born else ()
    birthdays = {date(born.year + age, *month_and_day) for age in ages}
    dates = {each for name in ("hired", "left", "leave_from", "disabled_from") if (each := raw[name])} | birthdays
    beside = {each + n * DAY for each in (*dates, *DATES, date(YEAR + 1, 1, 1)) for n in (-1, 0, 1, 2)}
    return {each for each in beside if date(YEAR - 1, 12, 1) <= each <= date(YEAR + 1, 12, 31)}


def test_both_implementations_agree_on_and_beside_every_border() -> None:
    rules = households.rules()
    compared = 0
    for raw, member, holder in people():
        for day in borders_of(raw, member):
            given = {each: rule.id for each, rule in eligibility.granted(holder, day, rules).items()}
            plain = {each: plain_eligibility.rule_that_gives(raw, member, day, RULES, each) for each in TICKETS}
            assert given == {each: rule for each, rule in plain.items() if rule is not None}, (raw, member, day)
            compared += 1
    assert compared > 200 * len(DATES)


@pytest.mark.rule("E30")
@pytest.mark.rule("E31")
@pytest.mark.parametrize("year", [YEAR, YEAR + 1])
def test_the_rights_of_a_year_are_those_of_its_days_one_by_one(year: int) -> None:
    rules = households.rules()
    birthdays = eligibility.ages(rules)
    for raw, member, holder in people():
        spans = eligibility.spans(holder, year, rules, birthdays)
        found = tuple((each.ticket_type_id, each.rule.id, each.start, each.end) for each in spans)
        assert found == households.expected(raw["id"], member["id"] if member else None, year), (raw, member)


def test_the_generated_people_meet_and_miss_every_condition_and_rule() -> None:
    """Else agreeing would tell little."""
    rules = households.rules()
    seen: set[Any] = set()
    for _, _, holder in list(people())[::3]:
        for day in BORDERS:
            seen |= {(reason.condition, reason.is_met) for reason in eligibility.reasons(holder, day, rules)}
            given = eligibility.granted(holder, day, rules).values()
            seen |= {rule.id for rule in given}
            seen.add(holder.kind)
    assert seen >= {(each, is_met) for each in TicketRightCondition for is_met in (True, False)}
    assert seen >= {rule.id for rule in rules} | set(HolderKind)


def test_the_next_change_is_the_first_day_with_another_answer() -> None:
    rules = households.rules()
    last = date(YEAR + 3, 1, 2)
    for raw, member, holder in list(people())[::9]:
        for ticket in TICKETS:
            own = [rule for rule in rules if rule.ticket_type_id == ticket]
            for day in (DATES[1], DATES[3]):
                now = plain_eligibility.rule_that_gives(raw, member, day, RULES, ticket)
                days = (day + n * DAY for n in range(1, (last - day).days))
                rule_on = partial(plain_eligibility.rule_that_gives, raw, member, rules=RULES, ticket_type=ticket)
                changes = (each for each in days if rule_on(each) != now)
                found = eligibility.next_change(holder, day, own)
                assert (found if found is None or found < last else None) == next(changes, None), (raw, member, day)


# One thing at a time


def given(holder: Holder, day: date, *rules: Rule) -> set[int]:
    return set(eligibility.granted(holder, day, rules or (FREE,)))


@pytest.mark.rule("E07")
def test_who_has_opted_out_has_no_right_and_the_family_neither() -> None:
    kari = replace(KARI, abstains=True)
    assert given(Holder(kari), DATES[1]) == set()
    assert given(Holder(kari, CHILD), DATES[1]) == set()
    assert given(Holder(KARI, CHILD), DATES[1]) == {1}
    assert given(Holder(KARI, replace(CHILD, abstains=True)), DATES[1]) == set()


@pytest.mark.rule("E22")
def test_who_leaves_has_rights_up_to_the_last_day_and_so_has_the_family() -> None:
    kari = replace(KARI, left=date(2026, 6, 30))
    for holder in (Holder(kari), Holder(kari, CHILD)):
        assert [given(holder, date(2026, 6, 30) + n * DAY) for n in (-1, 0, 1)] == [{1}, {1}, set()]
    pensioner = replace(kari, is_pensioner=True)
    for holder in (Holder(pensioner), Holder(pensioner, CHILD)):
        assert given(holder, date(2026, 7, 1)) == {1}


@pytest.mark.rule("E22")
def test_who_is_deleted_has_no_right_not_even_a_pensioner_and_neither_has_the_family() -> None:
    for kari in (replace(KARI, is_deleted=True), replace(KARI, is_deleted=True, is_pensioner=True)):
        assert given(Holder(kari), DATES[1]) == given(Holder(kari, CHILD), DATES[1]) == set()
    assert given(Holder(KARI, replace(CHILD, is_deleted=True)), DATES[1]) == set()


def test_rights_begin_with_the_employment_and_pause_with_leave() -> None:
    hired = replace(KARI, hired=date(2026, 3, 1))
    assert [given(Holder(hired), date(2026, 3, 1) + n * DAY) for n in (-1, 0)] == [set(), {1}]
    away = replace(KARI, leave_from=date(2026, 3, 1))
    also = Rule(2, 1, 2, replace(EVERYBODY, includes_leave=True))
    assert [given(Holder(away), date(2026, 3, 1) + n * DAY, FREE, also) for n in (-1, 0)] == [{1, 2}, {2}]


def test_a_holder_gets_older_on_the_birthday() -> None:
    days = [date(2026, 7, 1), date(2026, 7, 2), date(2028, 7, 1), date(2028, 7, 2)]
    assert [given(Holder(KARI, CHILD), day, YOUNG) for day in days] == [set(), {2}, {2}, set()]
    leap = replace(CHILD, born=date(2008, 2, 29))
    days = [date(2024, 2, 28), date(2024, 2, 29), date(2026, 2, 28), date(2026, 3, 1)]
    assert [given(Holder(KARI, leap), day, YOUNG) for day in days] == [set(), {2}, {2}, set()]
    assert given(Holder(KARI, replace(CHILD, born=None)), days[1], YOUNG) == set()


@pytest.mark.rule("E32")
def test_an_employee_has_two_rights_and_the_others_one() -> None:
    rules = (FREE, Rule(2, 1, 2, Conditions(holder_kinds=(HolderKind.EMPLOYEE,))))
    assert given(Holder(KARI), DATES[1], *rules) == {1, 2}
    assert given(Holder(replace(KARI, is_pensioner=True)), DATES[1], *rules) == {1}
    assert given(Holder(KARI, CHILD), DATES[1], *rules) == {1}


def test_of_several_rules_that_give_the_same_the_oldest_one_does() -> None:
    until_17 = Rule(1, 1, 1, replace(EVERYBODY, max_age=15))
    spans = eligibility.spans(Holder(KARI, CHILD), YEAR, (until_17, Rule(2, 3, 1, EVERYBODY)), (0, 16))
    assert [(each.rule.id, each.start, each.end) for each in spans] == [
        (1, date(2026, 1, 1), date(2026, 7, 2)),
        (2, date(2026, 7, 2), date(2027, 1, 1)),
    ]


def test_facts_at_the_ends_of_the_calendar_are_no_error() -> None:
    kari = replace(KARI, left=date.max, leave_from=date.max, born=date.min, products={9999: 1})
    assert eligibility.next_change(Holder(kari), DATES[0], [YOUNG, FREE]) == date.max
    assert len(eligibility.spans(Holder(kari), YEAR, [FREE], eligibility.ages([YOUNG]))) == 1


@pytest.mark.parametrize("stored", [None, [7], {}, "x"])
def test_conditions_that_cannot_be_read_are_met_by_nobody(stored: object) -> None:
    assert given(Holder(KARI), DATES[1], Rule(1, 1, 1, Conditions.of(stored))) == set()


def test_conditions_are_what_they_were_after_storing() -> None:
    for raw in RULES:
        conditions = Conditions.of(raw["conditions"])
        assert Conditions.of(conditions.stored()) == conditions


# What becomes of stored rights


class Stored:
    """The rights of one holder, as a table."""

    def __init__(self, *rights: dict[str, Any]) -> None:
        self.rights = [RightRow(n, **right) for n, right in enumerate(rights, start=1)]

    def calculate(self, holder: Holder, rules: list[Rule], at: date) -> Calculation:
        """Settle and carry out what that asks for."""
        later: dict[int, list[Any]] = {}
        for right in sorted(self.rights, key=lambda each: each.valid_from):
            if right.valid_until > at:
                later.setdefault(right.ticket_type_id, []).append(right)
        done, changes = Calculation(), Changes()
        settle(done, changes, holder, later, rules, eligibility.ages(rules), at, MOMENT)
        by_key = {right.id: right for right in self.rights}
        for each in [*changes.ended, *changes.updated]:
            right = by_key[each["key"]]
            right.valid_until, right.rule_id = each["until"], each.get("rule", right.rule_id)
        self.rights = [right for right in self.rights if right.id not in changes.deleted]
        key = max(by_key, default=0)
        names = ("ticket_type_id", "rule_id", "valid_from", "valid_until")
        for n, row in enumerate(changes.inserted, start=key + 1):
            self.rights.append(RightRow(n, **{name: row[name] for name in names}))
        return done

    def spans(self) -> list[tuple[int, int | None, date, date]]:
        ordered = sorted(self.rights, key=lambda each: (each.ticket_type_id, each.valid_from))
        return [(each.ticket_type_id, each.rule_id, each.valid_from, each.valid_until) for each in ordered]


class RightRow:
    def __init__(self, key: int, ticket_type_id: int, rule_id: int | None, valid_from: date, valid_until: date) -> None:
        self.id, self.ticket_type_id, self.rule_id = key, ticket_type_id, rule_id
        self.valid_from, self.valid_until = valid_from, valid_until

    def days(self) -> list[date]:
        return days_between(self.valid_from, self.valid_until)


@pytest.mark.rule("E07")
@pytest.mark.rule("E22")
@pytest.mark.rule("E31")
def test_whatever_happens_rights_never_overlap_or_cross_a_year_and_the_past_stays() -> None:
    """Each person's facts become those of another one between two calculations, some with an order made by hand."""
    rules = households.rules()
    draw = Random(11)
    everybody = [holder for _, _, holder in people()]
    for _ in range(150):
        by_hand = {
            "ticket_type_id": 1,
            "rule_id": None,
            "valid_from": date(2026, 5, 1),
            "valid_until": date(2026, 8, 1),
        }
        table = Stored(*([by_hand] if draw.random() < 0.3 else []))
        for at in sorted(draw.sample([*BORDERS[1:-1], date(2026, 4, 1), date(2026, 9, 9), date(2026, 11, 1)], 6)):
            now = draw.choice(everybody)
            past = days_of(table, None, at)
            table.calculate(now, rules, at)
            assert days_of(table, None, at) == past
            again = table.calculate(now, rules, at)
            assert (again.inserted, again.changed, again.ended) == (0, 0, 0)
            assert (again.effect.gains, again.effect.losses) == ([], [])
            for first, second in zip(table.spans(), table.spans()[1:], strict=False):
                assert first[0] != second[0] or first[3] <= second[2]
            for ticket, rule, start, end in table.spans():
                assert start < end <= date(start.year + 1, 1, 1)
                assert rule is None or ticket in TICKETS
            wanted = {
                (span.ticket_type_id, day)
                for span in eligibility.spans(now, at.year, rules, eligibility.ages(rules))
                for day in days_between(max(span.start, at), span.end)
            }
            hand = {(1, day) for right in table.rights if right.rule_id is None for day in right.days() if day >= at}
            has = {(ticket, day) for ticket, _, day in days_of(table, at, date(at.year + 1, 1, 1))}
            assert has == wanted | {each for each in hand if each[1].year == at.year}


def days_between(start: date, end: date) -> list[date]:
    return [start + n * DAY for n in range((end - start).days)]


def days_of(table: Stored, start: date | None, end: date) -> list[tuple[int, int | None, date]]:
    """`(ticket type, rule, day)` of every day from one to before another one, each as often as there are rights."""
    return [
        (ticket, rule, day)
        for ticket, rule, valid_from, valid_until in table.spans()
        for day in days_between(max(valid_from, start or valid_from), min(valid_until, end))
    ]


def a_right(start: date, end: date, rule: int | None = 1) -> dict[str, Any]:
    return {"ticket_type_id": 1, "rule_id": rule, "valid_from": start, "valid_until": end}


JANUARY, JULY, NEW_YEAR = date(2026, 1, 1), date(2026, 7, 1), date(2027, 1, 1)


@pytest.mark.rule("E31")
def test_a_right_that_holds_no_more_ends_on_the_day_and_one_that_has_not_begun_goes() -> None:
    gone = Holder(replace(KARI, is_deleted=True))
    table = Stored(a_right(JANUARY, NEW_YEAR), a_right(NEW_YEAR, date(2028, 1, 1)))
    done = table.calculate(gone, [FREE], JULY)
    assert table.spans() == [(1, 1, JANUARY, JULY)]
    assert (done.inserted, done.kept, done.changed, done.ended) == (0, 0, 0, 2)
    assert len(done.effect.losing) == 1
    assert [(each["valid_from"], each["valid_until"]) for each in done.effect.losses] == [
        ("2026-07-01", "2027-01-01"),
        ("2027-01-01", "2028-01-01"),
    ]


def test_a_right_that_ends_sooner_or_later_stays_the_same_right() -> None:
    table = Stored(a_right(JANUARY, NEW_YEAR))
    for left, end in ((date(2026, 8, 31), date(2026, 9, 1)), (None, NEW_YEAR)):
        done = table.calculate(Holder(replace(KARI, left=left)), [FREE], JULY)
        assert table.spans() == [(1, 1, JANUARY, end)]
        assert (done.inserted, done.kept, done.changed, done.ended) == (0, 0, 1, 0)


def test_a_right_by_another_rule_is_another_right_once_it_has_begun() -> None:
    other = Rule(9, 1, 1, EVERYBODY)
    table = Stored(a_right(JANUARY, NEW_YEAR))
    done = table.calculate(Holder(KARI), [other], JULY)
    assert table.spans() == [(1, 1, JANUARY, JULY), (1, 9, JULY, NEW_YEAR)]
    assert (done.inserted, done.ended, done.effect.gains, done.effect.losses) == (1, 1, [], [])
    table = Stored(a_right(JULY, NEW_YEAR))
    done = table.calculate(Holder(KARI), [other], JULY)
    assert table.spans() == [(1, 9, JULY, NEW_YEAR)]
    assert (done.inserted, done.changed, done.ended) == (0, 1, 0)


def test_rights_ordered_by_hand_stay_and_no_other_is_given_in_their_days() -> None:
    table = Stored(a_right(date(2026, 8, 1), date(2026, 9, 1), rule=None))
    done = table.calculate(Holder(KARI), [FREE], JULY)
    assert done.inserted == 2
    assert {each[1:] for each in table.spans()} == {
        (1, JULY, date(2026, 8, 1)),
        (None, date(2026, 8, 1), date(2026, 9, 1)),
        (1, date(2026, 9, 1), NEW_YEAR),
    }
