"""Rules about ticket rights: making them, calculating with them, and explaining what they give."""

from datetime import date

import strawberry

from datastore.employee import rights as stored
from datastore.viewer import Permission
from resolvers.employee import calculation, rules
from resolvers.employee.eligibility import TicketRightCondition
from resolvers.scalars import Long
from schema.connection import PAGING, Connection
from schema.cost import ListSize
from schema.employee.codes import TicketType
from schema.employee.rights import SimpleRule, TicketRight
from schema.mutation import Payload, mutation, payload
from schema.permission import Callers, needs
from schema.view import computed, describe, many, query

RIGHT_READ = [needs(Permission.TICKET_RIGHT_READ)]
EXPLAINING = 10
"""What it costs to explain one person's rights: a few statements, whatever they say."""


CALCULATING = 500
"""What it costs to calculate, for a company with thousands of employees."""


@payload("Days of a ticket type that somebody gains or loses.")
class TicketRightChange:
    employee_id: Long = computed(lambda change: change["employee_id"], description="Id of the employee.")
    family_member_id: Long | None = computed(
        lambda change: change["family_member_id"], description="Id of the family member; null for the employee."
    )
    ticket_type_id: strawberry.ID = computed(
        lambda change: strawberry.ID(str(change["ticket_type_id"])), description="Id of the ticket type."
    )
    valid_from: date = computed(lambda change: date.fromisoformat(change["valid_from"]), description="The first day.")
    valid_until: date = computed(
        lambda change: date.fromisoformat(change["valid_until"]), description="The day after the last one."
    )


@payload("Who gains and who loses ticket rights.")
class TicketRightEffect:
    holders_gaining: int = computed(lambda effect: effect["holders_gaining"], description="How many gain some days.")
    holders_losing: int = computed(lambda effect: effect["holders_losing"], description="How many lose some days.")
    gains: list[TicketRightChange] = computed(
        lambda effect: effect["gains"], description="What is gained, by the first 100 holders of those who gain."
    )
    losses: list[TicketRightChange] = computed(
        lambda effect: effect["losses"], description="What is lost, by the first 100 holders of those who lose."
    )


@payload("What a calculation has done with ticket rights, or would do.")
class TicketRightsCalculation:
    inserted: int = computed(lambda done: done["inserted"], description="How many are new.")
    kept: int = computed(lambda done: done["kept"], description="How many are as they were.")
    changed: int = computed(
        lambda done: done["changed"], description="How many go on, to another day or by another rule."
    )
    ended: int = computed(
        lambda done: done["ended"], description="How many end on the day of the calculation, or do not begin any more."
    )
    effect: TicketRightEffect = computed(lambda done: done["effect"], description="Who gains and who loses by it.")


@payload("What calculateTicketRights answers.")
class CalculateTicketRightsPayload(Payload):
    calculation: TicketRightsCalculation | None = strawberry.field(description="What was done.")
    employee_id: Long | None = strawberry.field(description="The employee whose rights they are; null for a company.")
    ticket_rights: list[TicketRight] | None = many(
        stored.TicketRight.employee_id,
        via="employee_id",
        description="The rights of the employee and the family as they are now; empty for a company.",
    )


@payload("What createTicketRule answers.")
class CreateTicketRulePayload(Payload):
    rule: SimpleRule | None = strawberry.field(description="The rule as created; null after a dry run.")
    effect: TicketRightEffect | None = strawberry.field(description="What it would do; null but after a dry run.")


@payload("What updateTicketRule answers.")
class UpdateTicketRulePayload(Payload):
    rule: SimpleRule | None = strawberry.field(description="The rule as it is now; null after a dry run.")
    effect: TicketRightEffect | None = strawberry.field(
        description="What the changes would do; null but after a dry run."
    )


@strawberry.type(description="Whether a condition of a ticket right is met.", directives=RIGHT_READ)
class EligibilityReason:
    condition: TicketRightCondition = strawberry.field(description="The condition.")
    is_met: bool | None = strawberry.field(
        description="Indicates whether it is met; null where that tells of health or income, for who may not see it."
    )
    fact: str | None = strawberry.field(
        description="The fact that says so; null for whoever may not see it.",
        directives=[needs(Permission.EMPLOYEE_READ)],
    )
    rule: SimpleRule | None = strawberry.field(description="The rule that asks for it; null if every rule does.")


@strawberry.type(description="Days on which a rule gives somebody a ticket type.", directives=RIGHT_READ)
class EligibilityPeriod:
    valid_from: date = strawberry.field(description="The first day.")
    valid_until: date = strawberry.field(description="The day after the last one.")
    rule: SimpleRule = strawberry.field(description="The rule that gives it.")


@strawberry.type(description="Whether somebody is given a ticket type on a day, and why.", directives=RIGHT_READ)
class Eligibility:
    ticket_type: TicketType = strawberry.field(description="The ticket type.")
    is_granted: bool = strawberry.field(description="Indicates whether it is given.")
    rule: SimpleRule | None = strawberry.field(description="The rule that gives it; null if none does.")
    reasons: list[EligibilityReason] = strawberry.field(
        description="What the rule asks for that gives it; if none does, what all rules ask for that could."
    )
    next_change_on: date | None = strawberry.field(
        description="The next day on which the answer is another one, as far as is known now; null if there is none."
    )
    periods: list[EligibilityPeriod] = strawberry.field(
        description="When it is given in the calendar year of the day, by the facts of now."
    )


describe(
    TicketRightCondition, "What a ticket right depends on.", **{each.name: each.value for each in TicketRightCondition}
)


@strawberry.type
class TicketRuleMutations:
    create_ticket_rule: CreateTicketRulePayload = mutation(
        rules.create_ticket_rule,
        needs=Permission.TICKET_RULE_WRITE,
        callers=Callers.INTERNAL,
        description="Adds a rule about ticket rights; it takes effect where they are calculated next.",
    )
    update_ticket_rule: UpdateTicketRulePayload = mutation(
        rules.update_ticket_rule,
        needs=Permission.TICKET_RULE_WRITE,
        callers=Callers.INTERNAL,
        description="Makes a new version of a rule about ticket rights, or takes it out of use.",
    )
    calculate_ticket_rights: CalculateTicketRightsPayload = mutation(
        calculation.calculate_ticket_rights,
        cost=CALCULATING,
        needs=Permission.TICKET_RIGHT_WRITE,
        callers=Callers.CLIENTS,
        description="Gives and takes ticket rights by the rules, for an employee with the family or for a company.",
    )


@strawberry.type
class TicketRuleQueries:
    ticket_rules: Connection[SimpleRule] = query(
        rules.ticket_rules,
        needs=Permission.TICKET_RIGHT_READ,
        callers=Callers.CLIENTS,
        description="The rules about ticket rights, the oldest first.",
        arguments={"is_active": "Only those in use, or only those that are not; all if absent.", **PAGING},
    )
    explain_eligibility: list[Eligibility] = query(
        calculation.explain_eligibility,
        needs=Permission.TICKET_RIGHT_READ,
        cost=EXPLAINING,
        size=ListSize(assumed_size=10),
        description=(
            "For each ticket type whether the rules give it to a person, and why. Tells nothing of manual orders."
        ),
        arguments={
            "employee_id": "The employee. Either this or familyMemberId is given.",
            "family_member_id": "The family member.",
            "at": "The day; by default today.",
        },
    )
