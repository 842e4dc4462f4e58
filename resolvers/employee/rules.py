"""Rules about ticket rights, kept as data: who is given which ticket type. They hold for all organisations."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

import strawberry
from sqlalchemy import Select
from strawberry import ID, Maybe

from datastore.employee import calculation as stored
from datastore.employee.codes import EmploymentType, FamilyRelation, Product, TicketType
from datastore.employee.facts import HolderKind
from datastore.employee.rights import SimpleRule
from datastore.keyset import Order
from datastore.reading import visible, within
from datastore.viewer import Viewer
from datastore.writing import Write
from resolvers import formats
from resolvers.carry_out import TAKEN
from resolvers.customer.changing import CHANNEL, assign, same_version
from resolvers.customer.inputs import EXPECTED_VERSION
from resolvers.customer.owned import key_in
from resolvers.employee.calculation import calculable, effect_of, rule_of
from resolvers.employee.eligibility import Conditions, Rule
from resolvers.errors import ErrorCode, refuse
from resolvers.given import Problems, checked
from resolvers.paging import window
from resolvers.scalars import Long
from resolvers.wanted import Reading, WantedPage

MOST_CODES = 100
LONGEST_CODE = 60
OLDEST = 150
BY_ID = Order([SimpleRule.__table__.c.id])
NEXT = 1 << 62
"""The key of a rule that is not stored: it comes after all others."""

NAME = "Name of the rule, which no other has. At most 100 characters."
TICKET_TYPE = "The ticket type that whoever meets the conditions has a right to."
ACTIVE = "Whether the rule is applied."
DRY_RUN = "Tell who of the company would gain and lose, and store nothing."
COMPANY = "The company to try the rule on; needed with dryRun."
AT = "The day to try the rule from, up to the end of its year: in the current or the next year, by default today."

TAKEN["uq_simple_rule_name"] = (ErrorCode.RULE_NAME_TAKEN, "name")


@strawberry.input(description="What a rule asks for; all of it is to be met.")
class RuleConditionsInput:
    holder_kinds: list[HolderKind] = strawberry.field(
        description="The holders that the rule is for, at least one kind."
    )
    employment_types: list[str] | None = strawberry.field(
        default=None, description="The employee is employed in one of these ways: codes, at most 100; any if absent."
    )
    min_employment_percentage: int | None = strawberry.field(
        default=None, description="The employee works at least so much, in percent."
    )
    product_id: ID | None = strawberry.field(default=None, description="The employee has this product for the year.")
    yearly_fee_paid: bool | None = strawberry.field(
        default=False, description="Whether the employee must have paid the fee of the year."
    )
    disability_proof_registered: bool | None = strawberry.field(
        default=False, description="Whether a proof of the employee's disability must be registered for the year."
    )
    min_disability_grade: int | None = strawberry.field(
        default=None, description="The employee is disabled at least so much, in percent, from the date given for it."
    )
    low_income_registered: bool | None = strawberry.field(
        default=False, description="Whether a low income of the family member must be registered for the year."
    )
    family_relations: list[str] | None = strawberry.field(
        default=None, description="The family member is one of these: codes, at most 100; any if absent."
    )
    min_age: int | None = strawberry.field(default=None, description="The holder is at least so old, in whole years.")
    max_age: int | None = strawberry.field(default=None, description="The holder is at most so old, in whole years.")
    includes_leave: bool | None = strawberry.field(
        default=False, description="Whether the rule holds while the employee is on leave, too."
    )


@strawberry.input(description="A new rule.")
class CreateTicketRuleInput:
    name: str = strawberry.field(description=NAME)
    ticket_type_id: ID = strawberry.field(description=TICKET_TYPE)
    conditions: RuleConditionsInput = strawberry.field(description="What it asks for.")
    is_active: bool | None = strawberry.field(default=True, description=ACTIVE)
    dry_run: bool | None = strawberry.field(default=False, description=DRY_RUN)
    company_id: Long | None = strawberry.field(default=None, description=COMPANY)
    at: date | None = strawberry.field(default=None, description=AT)


@strawberry.input(description="Changes to a rule. A field that is absent stays.")
class UpdateTicketRuleInput:
    rule_id: ID = strawberry.field(description="The rule to change.")
    expected_version: int | None = strawberry.field(default=None, description=EXPECTED_VERSION)
    name: Maybe[str] = strawberry.field(description=NAME)
    ticket_type_id: Maybe[ID] = strawberry.field(description=TICKET_TYPE)
    conditions: Maybe[RuleConditionsInput] = strawberry.field(
        description="What it asks for, in place of all that it asked for."
    )
    is_active: Maybe[bool] = strawberry.field(description=ACTIVE)
    dry_run: bool | None = strawberry.field(default=False, description=DRY_RUN)
    company_id: Long | None = strawberry.field(default=None, description=COMPANY)
    at: date | None = strawberry.field(default=None, description=AT)


async def create_ticket_rule(write: Write, given: CreateTicketRuleInput) -> Mapping[str, Any]:
    """The new rule, with its first version; with `dry_run` only its effect. Rights change when they are calculated.

    Raises `Refused`: RULE_NAME_TAKEN, TICKET_TYPE_NOT_FOUND, what `_conditions` and, with `dry_run`, `_effect` refuse.
    """
    problems = Problems()
    values = await _values(write, problems, given, given.ticket_type_id, given.conditions)
    problems.raise_any()
    if given.dry_run:
        new = Rule(NEXT, 1, values["ticket_type_id"], Conditions.of(values["conditions"]))
        return {"effect": await _effect(write, given, None, new if given.is_active is not False else None)}
    rule = SimpleRule(**values, created_at=write.now, changed_at=write.now)
    return {"rule": await _kept(write, rule)}


async def update_ticket_rule(write: Write, given: UpdateTicketRuleInput) -> Mapping[str, Any]:
    """The rule with the given changes, and the version that it is now, beside those that it was; with `dry_run` only
    the effect of the changes. Rights change when they are calculated.

    Raises `Refused`: RULE_NOT_FOUND, VERSION_CONFLICT, RULE_NAME_TAKEN, TICKET_TYPE_NOT_FOUND, what `_conditions` and,
    with `dry_run`, `_effect` refuse.
    """
    key = key_in(given.rule_id)
    rule: SimpleRule | None = None if key is None else await write.get(SimpleRule.id, key)
    if rule is None:
        raise refuse(ErrorCode.RULE_NOT_FOUND, "ruleId", rejected=[given.rule_id])
    same_version(rule, given.expected_version)
    problems = Problems()
    ticket_type_id = given.ticket_type_id.value if given.ticket_type_id else None
    conditions = given.conditions.value if given.conditions else None
    values = await _values(write, problems, given, ticket_type_id, conditions, rule.id)
    problems.raise_any()
    if given.dry_run:
        changed = Rule(
            rule.id,
            rule.version + 1,
            values.get("ticket_type_id", rule.ticket_type_id),
            Conditions.of(values.get("conditions", rule.conditions)),
        )
        is_active = values.get("is_active", rule.is_active)
        return {"effect": await _effect(write, given, rule.id, changed if is_active else None)}
    assign(write, rule, values)
    return {"rule": await _kept(write, rule)}


@Reading
def ticket_rules(
    viewer: Viewer,
    is_active: bool | None = None,
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
) -> WantedPage:
    """A page of the rules, the oldest first. Raises `Refused`: PAGE_SIZE_INVALID, CURSOR_INVALID."""

    def statement(viewer: Viewer, values: Mapping[str, Any]) -> Select[Any]:
        rules = visible(SimpleRule, viewer)
        return rules if is_active is None else rules.where(SimpleRule.is_active == values["is_active"])

    return WantedPage(
        row=SimpleRule,
        shape=is_active is None,
        values={} if is_active is None else {"is_active": is_active},
        statement=statement,
        order=BY_ID,
        window=window(first, after, last, before),
        query=["ticketRules", is_active],
    )


async def _values(
    write: Write,
    problems: Problems,
    given: object,
    ticket_type_id: str | None,
    conditions: RuleConditionsInput | None,
    rule_id: int | None = None,
) -> dict[str, Any]:
    """What is given of a rule, in stored form; what is wrong goes to `problems`."""
    values = checked(problems, given, SimpleRule, {}, skip={"ticket_type_id", "conditions", "version"})
    is_another = SimpleRule.id != (rule_id or 0)
    if values.get("name") and await write.exists(SimpleRule, is_another, name=values["name"]):
        problems.add(ErrorCode.RULE_NAME_TAKEN, "name", rejected=[values["name"]])
    if ticket_type_id is not None:
        with problems.at("ticketTypeId"):
            values["ticket_type_id"] = key_in(ticket_type_id)
            if not await write.exists(TicketType, id=values["ticket_type_id"] or 0, is_deleted=False):
                raise refuse(ErrorCode.TICKET_TYPE_NOT_FOUND, rejected=[ticket_type_id])
    if conditions is not None:
        with problems.at("conditions"):
            values["conditions"] = (await _conditions(write, conditions)).stored()
    return values


async def _conditions(write: Write, given: RuleConditionsInput) -> Conditions:
    """What a rule is to ask for.

    Raises `Refused` with all problems: REQUIRED for an empty list, VALUE_INVALID for a long one or an impossible age,
    PERCENTAGE_INVALID, CODE_UNKNOWN, PRODUCT_NOT_FOUND, TEXT_TOO_LONG, TEXT_INVALID; if there are none,
    RULE_CONTRADICTS_ITSELF where nobody could meet them.
    """
    problems = Problems()
    for name, number in (
        ("minEmploymentPercentage", given.min_employment_percentage),
        ("minDisabilityGrade", given.min_disability_grade),
    ):
        if number is not None and not 0 <= number <= 100:
            problems.add(ErrorCode.PERCENTAGE_INVALID, name, rejected=[number])
    for name, number in (("minAge", given.min_age), ("maxAge", given.max_age)):
        if number is not None and not 0 <= number <= OLDEST:
            problems.add(ErrorCode.VALUE_INVALID, name, rejected=[number])
    if not given.holder_kinds:
        problems.add(ErrorCode.REQUIRED, "holderKinds")
    product_id = None
    if given.product_id is not None:
        product_id = key_in(given.product_id)
        if product_id is None or not await write.exists(Product, id=product_id):
            problems.add(ErrorCode.PRODUCT_NOT_FOUND, "productId", rejected=[given.product_id])
    types = await _known(write, problems, "employmentTypes", EmploymentType, given.employment_types)
    relations = await _known(write, problems, "familyRelations", FamilyRelation, given.family_relations)
    problems.raise_any()
    conditions = Conditions(
        holder_kinds=tuple(kind for kind in HolderKind if kind in given.holder_kinds),
        employment_types=tuple(types),
        min_employment_percentage=given.min_employment_percentage,
        product_id=product_id,
        yearly_fee_paid=bool(given.yearly_fee_paid),
        disability_proof_registered=bool(given.disability_proof_registered),
        min_disability_grade=given.min_disability_grade,
        low_income_registered=bool(given.low_income_registered),
        family_relations=tuple(relations),
        min_age=given.min_age,
        max_age=given.max_age,
        includes_leave=bool(given.includes_leave),
    )
    for field in contradictions(conditions, types.values()):
        problems.add(ErrorCode.RULE_CONTRADICTS_ITSELF, field)
    problems.raise_any()
    return conditions


def contradictions(conditions: Conditions, are_pensioners: Iterable[bool]) -> Sequence[str]:
    """The fields by which nobody can meet the conditions; `are_pensioners` tells of each employment type in them
    whether it is one of pensioners."""
    found = []
    kinds, types = set(conditions.holder_kinds), set(are_pensioners)
    if types == {True} and kinds == {HolderKind.EMPLOYEE}:
        found.append("employmentTypes")
    if types == {False} and kinds == {HolderKind.PENSIONER}:
        found.append("employmentTypes")
    if HolderKind.FAMILY_MEMBER not in kinds:
        found += ["familyRelations"] if conditions.family_relations else []
        found += ["lowIncomeRegistered"] if conditions.low_income_registered else []
    low, high = conditions.min_age, conditions.max_age
    if low is not None and high is not None and low > high:
        found.append("minAge")
    return found


async def _known(
    write: Write, problems: Problems, field: str, row: Any, codes: Sequence[str] | None
) -> Mapping[str, bool]:
    """The codes of a list, in order, each once, with whether it is one of pensioners; bad ones go to `problems`."""
    if codes is None:
        return {}
    if not codes:
        problems.add(ErrorCode.REQUIRED, field)
    if len(codes) > MOST_CODES:
        problems.add(ErrorCode.VALUE_INVALID, field, rejected=[len(codes)])
        return {}
    cleaned: dict[str, str] = {}
    for position, code in enumerate(codes):
        with problems.at(field, str(position)):
            cleaned.setdefault(formats.clean(code, LONGEST_CODE), str(position))
    more = [row.is_pensioner] if row is EmploymentType else []
    known = {each.code: bool(more and each[1]) for each in await stored.known_codes(_fetch(write), row, cleaned, *more)}
    for code, place in cleaned.items():
        if code not in known:
            problems.add(ErrorCode.CODE_UNKNOWN, field, place, rejected=[code])
    return {code: known[code] for code in cleaned if code in known}


def _fetch(write: Write) -> Any:
    return within(write.session)


async def _kept(write: Write, rule: SimpleRule) -> SimpleRule:
    """The rule as stored, with what it is now among its versions."""
    write.session.add(rule)
    await write.session.flush()
    write.session.add(stored.version_of(rule, write.now, (write.client_name or CHANNEL)[:100]))
    return rule


async def _effect(
    write: Write,
    given: CreateTicketRuleInput | UpdateTicketRuleInput,
    replaced: int | None,
    by: Rule | None,
) -> Mapping[str, Any]:
    """Who of a company would gain and lose if a rule were replaced by another one; None stands for none.

    Raises `Refused`: REQUIRED without a company, COMPANY_NOT_FOUND, YEAR_NOT_ALLOWED.
    """
    at = calculable(given.at, write.now)
    fetch = _fetch(write)
    if given.company_id is None:
        raise refuse(ErrorCode.REQUIRED, "companyId")
    if not await stored.visible_company(fetch, write.viewer, given.company_id):
        raise refuse(ErrorCode.COMPANY_NOT_FOUND, "companyId", rejected=[given.company_id])
    rules = [rule_of(rule) for rule in await stored.rules_in_use(fetch)]
    others = [rule for rule in rules if rule.id != replaced]
    after = sorted([*others, *([by] if by else [])], key=lambda rule: rule.id)
    return await effect_of(fetch, given.company_id, at, rules, after)
