"""Calculating ticket rights: what the rules give whom is stored, or only told (rules E07, E22 and E30 to E35)."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import strawberry
from sqlalchemy import ColumnElement
from sqlalchemy.ext.asyncio import AsyncSession

from datastore.employee import calculation as stored
from datastore.employee.codes import TicketType
from datastore.employee.facts import EmployeeFacts, Holder, facts_of
from datastore.employee.personnel import Employee
from datastore.employee.rights import SimpleRule
from datastore.reading import Fetch, within
from datastore.viewer import Permission, Viewer
from datastore.writing import Write
from resolvers.context import Context
from resolvers.customer.inputs import EXPECTED_VERSION
from resolvers.employee import eligibility
from resolvers.employee.eligibility import Conditions, Rule, TicketRightCondition
from resolvers.employee.settling import Calculation, Effect, settle
from resolvers.errors import ErrorCode, refuse
from resolvers.oslo import today
from resolvers.scalars import Long

CHUNK = 250
YEARS = range(1900, 3000)
OPERATION = "calculateTicketRights"


@strawberry.input(
    description="Whose ticket rights to calculate: those of one employee with the family, or of a company."
)
class CalculateTicketRightsInput:
    employee_id: Long | None = strawberry.field(
        default=None, description="The employee, whose family is included. Either this or companyId is given."
    )
    company_id: Long | None = strawberry.field(default=None, description="The company, all of whose employees it is.")
    at: date | None = strawberry.field(
        default=None,
        description=(
            "The day from which on rights are given and taken, up to the end of its year: in the current or the next "
            "year, by default today. What was before it stays as it is."
        ),
    )
    dry_run: bool | None = strawberry.field(default=False, description="Tell what would be done, and store nothing.")
    expected_version: int | None = strawberry.field(
        default=None, description=f"{EXPECTED_VERSION} It is that of the employee, or of the company."
    )


async def calculate_ticket_rights(write: Write, given: CalculateTicketRightsInput) -> Mapping[str, Any]:
    """How many rights were inserted, kept, changed and ended, who gains and loses by it, and the employee's key.

    Rights from manual orders stay, and where there is one, no other is given. Repeated, it changes nothing. Raises
    `Refused`: EXACTLY_ONE_NEEDED (an employee or a company), EMPLOYEE_NOT_FOUND, COMPANY_NOT_FOUND (foreign ones too,
    T04), COMPANY_DELETED, VERSION_CONFLICT, YEAR_NOT_ALLOWED, CALCULATION_RUNNING while the rights of the
    company are being changed.
    """
    at = calculable(given.at, write.now)
    condition = await _whose(write, given)
    done = await calculate(write.session, condition, at, write.now, dry_run=bool(given.dry_run))
    if not given.dry_run:
        whose = {"employee_id": given.employee_id, "company_id": given.company_id}
        await stored.tell(write, OPERATION, {"calculation": {**whose, "at": str(at), **done.counts()}})
    return {"calculation": {**done.counts(), "effect": done.effect.told()}, "employee_id": given.employee_id}


async def calculate(
    session: AsyncSession, condition: ColumnElement[bool], at: date, now: datetime, *, dry_run: bool = False
) -> Calculation:
    """Give the employees that meet a condition, and their families, what the rules give them from a day to the end of
    its year. Nobody else may change their rights meanwhile. Nothing is noted for the audit log."""
    fetch = within(session)
    rules = [rule_of(rule) for rule in await stored.rules_in_use(fetch)]
    birthdays = eligibility.ages(rules)
    done = Calculation()
    async for employees in in_chunks(fetch, condition, at.year):
        rights = await stored.rights_from(fetch, [each.id for each in employees], at)
        changes = stored.Changes()
        for holder in (each for employee in employees for each in employee.holders):
            of_holder = rights.get(holder.person.holder_id or 0, {})
            settle(done, changes, holder, of_holder, rules, birthdays, at, now)
        if not dry_run:
            await stored.store(session, changes, now)
    return done


async def _whose(write: Write, given: CalculateTicketRightsInput) -> ColumnElement[bool]:
    """The condition on the employees, whose rights nobody else changes from here on. Raises `Refused`."""
    fetch = within(write.session)
    if (given.employee_id is None) == (given.company_id is None):
        raise refuse(ErrorCode.EXACTLY_ONE_NEEDED, "employeeId")
    name = "companyId" if given.employee_id is None else "employeeId"
    company_id: int | None = given.company_id
    employee: Employee | None = None
    if given.employee_id is not None:
        employee = await stored.lock_rights_of(write, given.employee_id)
        if employee is None:
            raise refuse(ErrorCode.EMPLOYEE_NOT_FOUND, name, rejected=[given.employee_id])
        company_id = employee.company_id
    assert company_id is not None
    company = await stored.visible_company(fetch, write.viewer, company_id)
    if company is None:
        raise refuse(ErrorCode.COMPANY_NOT_FOUND, name, rejected=[company_id])
    if company.is_deleted:
        raise refuse(ErrorCode.COMPANY_DELETED, name, rejected=[given.employee_id or company_id])
    if employee is None and not given.dry_run and not await stored.try_lock_rights(write, company_id):
        raise refuse(ErrorCode.CALCULATION_RUNNING, name, rejected=[company_id])
    versioned = employee or company
    if given.expected_version not in (None, versioned.version):
        raise refuse(ErrorCode.VERSION_CONFLICT, "expectedVersion", rejected=[given.expected_version])
    if given.employee_id is not None:
        return stored.is_employee(given.employee_id)
    return stored.of_company(company_id)


def calculable(at: date | None, now: datetime) -> date:
    """The day to calculate from. Raises `Refused`: YEAR_NOT_ALLOWED, as nothing is known of other years (E15, E19)."""
    this_day = today(now)
    if at is not None and at.year - this_day.year not in (0, 1):
        raise refuse(ErrorCode.YEAR_NOT_ALLOWED, "at", rejected=[at])
    return at or this_day


async def in_chunks(fetch: Fetch, condition: ColumnElement[bool], since: int) -> AsyncIterator[Sequence[EmployeeFacts]]:
    """The facts of the employees that meet a condition, so many at a time."""
    after = 0
    while employees := await facts_of(fetch, condition, since, after=after, limit=CHUNK):
        yield employees
        if len(employees) < CHUNK:
            break
        after = employees[-1].id


async def effect_of(
    fetch: Fetch, company_id: int, at: date, before: Sequence[Rule], after: Sequence[Rule]
) -> Mapping[str, Any]:
    """Who of a company would gain and lose from a day to the end of its year if the rules were others, in JSON-like
    values. What is stored plays no part in it."""
    effect = Effect()
    both = eligibility.ages([*before, *after])
    async for employees in in_chunks(fetch, stored.of_company(company_id), at.year):
        for holder in (each for employee in employees for each in employee.holders):
            had, has = (
                [each for each in eligibility.spans(holder, at.year, rules, both) if each.end > at]
                for rules in (before, after)
            )
            for ticket_type_id in sorted({each.ticket_type_id for each in (*had, *has)}):
                days = (
                    [(max(each.start, at), each.end) for each in spans if each.ticket_type_id == ticket_type_id]
                    for spans in (had, has)
                )
                effect.add(holder, ticket_type_id, *days)
    return effect.told()


def rule_of(rule: SimpleRule) -> Rule:
    """A stored rule as it is applied."""
    return Rule(rule.id, rule.version, rule.ticket_type_id, Conditions.of(rule.conditions))


@dataclass(frozen=True, slots=True)
class ShownReason:
    """A reason as the viewer may see it: None where it may not. What every rule asks for has no rule."""

    condition: TicketRightCondition
    is_met: bool | None
    fact: str | None
    rule: SimpleRule | None


@dataclass(frozen=True, slots=True)
class Period:
    """From a day to before another one, within a calendar year, by a rule."""

    valid_from: date
    valid_until: date
    rule: SimpleRule


@dataclass(frozen=True, slots=True)
class Eligibility:
    """Whether somebody has a right to a ticket type on a day, by which rule, why, when that changes next, and when in
    the year of the day there is such a right."""

    ticket_type: TicketType
    is_granted: bool
    rule: SimpleRule | None
    reasons: Sequence[ShownReason]
    next_change_on: date | None
    periods: Sequence[Period]


async def explain_eligibility(
    context: Context, employee_id: Long | None = None, family_member_id: Long | None = None, at: date | None = None
) -> Sequence[Eligibility]:
    """For each ticket type whether the person would be given a right by the rules and facts of now, and why.

    What is granted has the reasons of the rule that gives it, what is not those of all rules that could. Raises
    `Refused`: EXACTLY_ONE_NEEDED (an employee or a family member), EMPLOYEE_NOT_FOUND, FAMILY_MEMBER_NOT_FOUND (foreign
    ones too, T04), VALUE_INVALID for a day centuries away.
    """
    day = at or today()
    if day.year not in YEARS:
        raise refuse(ErrorCode.VALUE_INVALID, "at", rejected=[day])
    fetch: Fetch = context.database.fetch
    holder = await _holder(fetch, context.viewer, employee_id, family_member_id, day.year)
    stored_rules = {rule.id: rule for rule in await stored.rules_in_use(fetch)}
    found = []
    for ticket_type in await stored.ticket_types(fetch):
        rules = [rule_of(rule) for rule in stored_rules.values() if rule.ticket_type_id == ticket_type.id]
        by = eligibility.granted(holder, day, rules).get(ticket_type.id)
        spans = eligibility.spans(holder, day.year, rules, eligibility.ages(rules))
        found.append(
            Eligibility(
                ticket_type,
                by is not None,
                stored_rules[by.id] if by else None,
                [
                    _shown(context.viewer, holder, reason, stored_rules)
                    for reason in eligibility.reasons(holder, day, [by] if by else rules)
                ],
                eligibility.next_change(holder, day, rules),
                [Period(span.start, span.end, stored_rules[span.rule.id]) for span in spans],
            )
        )
    return found


async def _holder(
    fetch: Fetch, viewer: Viewer, employee_id: int | None, family_member_id: int | None, since: int
) -> Holder:
    """The person, with the facts of a year and later ones. Raises `Refused`."""
    if (employee_id is None) == (family_member_id is None):
        raise refuse(ErrorCode.EXACTLY_ONE_NEEDED, "employeeId")
    if employee_id is not None and not await stored.visible_employee(fetch, viewer, employee_id):
        raise refuse(ErrorCode.EMPLOYEE_NOT_FOUND, "employeeId", rejected=[employee_id])
    if family_member_id is not None:
        member = await stored.visible_member(fetch, viewer, family_member_id)
        if member is None:
            raise refuse(ErrorCode.FAMILY_MEMBER_NOT_FOUND, "familyMemberId", rejected=[family_member_id])
        employee_id = member.employee_id
    assert employee_id is not None
    (employee,) = await facts_of(fetch, stored.is_employee(employee_id), since)
    if family_member_id is None:
        return Holder(employee)
    return next(each for each in employee.holders if each.member and each.member.id == family_member_id)


def _shown(viewer: Viewer, holder: Holder, reason: eligibility.Reason, rules: Mapping[int, SimpleRule]) -> ShownReason:
    """A reason without what the viewer may not see: what tells of health or income (E23), and what is the matter of an
    employee whom a user does not see."""
    is_met: bool | None = reason.is_met
    fact: str | None = reason.fact
    if reason.condition in eligibility.SENSITIVE and not viewer.holds(Permission.EMPLOYEE_SENSITIVE_READ):
        is_met = fact = None
    is_of_another = reason.condition not in eligibility.OF_THE_HOLDER
    if viewer.is_user and is_of_another and holder.employee.id not in viewer.employee_ids:
        fact = None
        is_met = None if reason.condition in eligibility.SENSITIVE else is_met
    return ShownReason(reason.condition, is_met, fact, rules[reason.rule.id] if reason.rule else None)
