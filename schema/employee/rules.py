"""What the rules about ticket rights ask for, and what they were, as shown."""

from datetime import datetime

import strawberry

from datastore.employee import codes as stored_codes
from datastore.employee import rights as stored
from datastore.employee.facts import HolderKind
from datastore.viewer import Permission
from resolvers.employee.eligibility import Conditions
from schema.employee.codes import Product, TicketType
from schema.permission import needs
from schema.view import computed, describe, one, view_of

RIGHT_READ = Permission.TICKET_RIGHT_READ


@strawberry.type(
    description="What a rule asks for; all of it is to be met. An empty list and null ask for nothing.",
    directives=[needs(RIGHT_READ)],
)
class RuleConditions:
    holder_kinds: list[HolderKind] = strawberry.field(description="The holders that the rule is for.")
    employment_types: list[str] = strawberry.field(
        description="The employee is employed in one of these ways: codes of employment types."
    )
    min_employment_percentage: int | None = strawberry.field(
        description="The employee works at least so much, in percent."
    )
    product_id: strawberry.ID | None = strawberry.field(description="The employee has this product for the year.")
    product: Product | None = one(stored_codes.Product.id, via="product_id", description="That product.")
    yearly_fee_paid: bool = strawberry.field(
        description="Indicates whether the employee must have paid the fee of the year."
    )
    disability_proof_registered: bool = strawberry.field(
        description="Indicates whether a proof of the employee's disability must be registered for the year."
    )
    min_disability_grade: int | None = strawberry.field(
        description="The employee is disabled at least so much, in percent, from the date given for it."
    )
    low_income_registered: bool = strawberry.field(
        description="Indicates whether a low income of the family member must be registered for the year."
    )
    family_relations: list[str] = strawberry.field(
        description="The family member is one of these: codes of family relations."
    )
    min_age: int | None = strawberry.field(description="The holder is at least so old, in whole years.")
    max_age: int | None = strawberry.field(description="The holder is at most so old, in whole years.")
    includes_leave: bool = strawberry.field(
        description="Indicates whether the rule holds while the employee is on leave, too."
    )


@view_of(stored.SimpleRuleVersion, needs=RIGHT_READ)
class SimpleRuleVersion:
    """A rule as it was from a change on."""

    version: int = strawberry.field(description="Which version of the rule it is, from 1 on.")
    name: str = strawberry.field(description="Name of the rule.")
    ticket_type: TicketType | None = one(
        stored_codes.TicketType.id, via="ticket_type_id", description="What the rule gave."
    )
    conditions: RuleConditions = computed(
        lambda version: Conditions.of(version.conditions), reads=("conditions",), description="What it asked for."
    )
    is_active: bool = strawberry.field(description="Indicates whether the rule was in use.")
    changed_at: datetime = strawberry.field(description="When it became so.")
    changed_by: str = strawberry.field(description="The client with which it was made so.")


describe(
    HolderKind,
    "The kinds of holders of ticket rights.",
    EMPLOYEE="An employee who is no pensioner.",
    PENSIONER="An employee whose employment type is one of pensioners.",
    FAMILY_MEMBER="A member of an employee's family.",
)
