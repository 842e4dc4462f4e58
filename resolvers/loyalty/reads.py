"""Finding loyalty programs, contracts and entitlements (rules L02, L42 and L56)."""

from datetime import datetime
from typing import Any

import strawberry
from sqlalchemy import ColumnElement
from strawberry import Maybe
from strawberry.utils.str_converters import to_camel_case

from datastore.loyalty import reads as statements
from datastore.loyalty.contract import Contract
from datastore.loyalty.program import LoyaltyProgram, LoyaltyProgramType
from datastore.viewer import Viewer
from resolvers.customer.inputs import CustomerRefInput
from resolvers.customer.reads import needed, own_or, trimmed
from resolvers.errors import ErrorCode, refuse
from resolvers.given import Problems
from resolvers.paging import window
from resolvers.scalars import Long
from resolvers.wanted import Reading, WantedPage, WantedRow, wanted_by

ORGANISATION = "The organisation is this one; only internal callers may name another one than their own."
OF_ENTITLEMENTS = {
    "travel_date": "The moment of travel; now if absent.",
    "exclude_sub_contracts": "Whether contracts that the use of another one has created are left out.",
}
"""Descriptions of the arguments of lists of entitlements."""
TEXTS = {name: needed(trimmed) for name in ("uuid", "product_id", "external_ref")}
"""Criterion that is a text -> its format."""


@strawberry.input(description="Criteria for loyalty programs; all that are given must hold.")
class LoyaltyProgramFilterInput:
    loyalty_program_id: Long | None = strawberry.field(default=None, description="The program has this id.")
    organisation_id: Long | None = strawberry.field(default=None, description=ORGANISATION)
    loyalty_program_type: LoyaltyProgramType | None = strawberry.field(
        default=None, description="The program is of this type."
    )
    product_id: str | None = strawberry.field(default=None, description="The product has this NeTEx id.")


@strawberry.input(one_of=True, description="The one key to look a contract up by.")
class ContractByInput:
    uuid: Maybe[strawberry.ID] = strawberry.field(description="Unique id of the contract.")


@strawberry.input(description="Criteria for contracts; all that are given must hold.")
class ContractFilterInput:
    uuid: strawberry.ID | None = strawberry.field(default=None, description="The contract has this unique id.")
    customer_number: Long | None = strawberry.field(
        default=None,
        description="The customer with this number, or the one it was merged into, is a consumer of the contract.",
    )
    customer_ref: CustomerRefInput | None = strawberry.field(
        default=None, description="The customer with this reference is a consumer of the contract."
    )
    contract_holder: bool | None = strawberry.field(
        default=False,
        description="Whether only contracts are answered that the customer of customerNumber or customerRef holds; "
        "users need neither, and mean themselves.",
    )
    loyalty_program_id: Long | None = strawberry.field(
        default=None, description="The contract is of the loyalty program with this id."
    )
    consumable_after: datetime | None = strawberry.field(
        default=None, description="It becomes consumable at this moment or later."
    )
    consumable_before: datetime | None = strawberry.field(
        default=None, description="It becomes consumable before this moment."
    )
    expiration_date_after: datetime | None = strawberry.field(
        default=None, description="Its expirationDate is this moment or later; no contract without one fits."
    )
    expiration_date_before: datetime | None = strawberry.field(
        default=None, description="Its expirationDate is before this moment; no contract without one fits."
    )
    external_ref: str | None = strawberry.field(default=None, description="The external reference is this one.")
    organisation_id: Long | None = strawberry.field(default=None, description=ORGANISATION)


def criteria_of(viewer: Viewer, given: object) -> dict[str, Any]:
    """What a filter says, in stored form. Raises `Refused`: ORGANISATION_NOT_ALLOWED, REQUIRED for a text of which
    nothing is left, and what `formats` refuses."""
    criteria = {name: value for name, value in vars(given).items() if value is not None} if given else {}
    organisation = own_or(criteria.get("organisation_id"), viewer)
    if organisation != viewer.organisation_id and not viewer.is_internal:
        raise refuse(ErrorCode.ORGANISATION_NOT_ALLOWED, "filter", "organisationId", rejected=[organisation])
    problems = Problems()
    for name in TEXTS.keys() & criteria.keys():
        with problems.at("filter", to_camel_case(name)):
            criteria[name] = TEXTS[name](criteria[name])
    problems.raise_any()
    return criteria


@Reading
def loyalty_program(viewer: Viewer, loyalty_program_id: Long) -> WantedRow:
    """The version in force of the program with this id, or None."""
    return wanted_by(LoyaltyProgram.loyalty_program_id, loyalty_program_id)


@Reading
def loyalty_programs(
    viewer: Viewer,
    filter: LoyaltyProgramFilterInput | None = None,
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
) -> WantedPage:
    """A page of programs, by their id, each as the version in force says (L02). Raises `Refused`: as `window` and
    `criteria_of` do."""
    part = window(first, after, last, before)
    criteria = criteria_of(viewer, filter)
    return WantedPage(
        row=LoyaltyProgram,
        shape=tuple(criteria),
        values=criteria,
        statement=statements.programs,
        order=statements.BY_PROGRAM,
        window=part,
        query=["loyaltyPrograms", criteria],
    )


@Reading
def contract(viewer: Viewer, by: ContractByInput) -> WantedRow:
    """The contract with this key, or None."""
    assert by.uuid, "GraphQL lets exactly one key of a oneOf input through"
    return wanted_by(Contract.uuid, by.uuid.value)


@Reading
def contracts(
    viewer: Viewer,
    filter: ContractFilterInput | None = None,
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
) -> WantedPage:
    """A page of contracts, the oldest first (L56).

    A merged customer counts as its survivor; one that the viewer may not see, and a deleted one, has none. Raises
    `Refused`: REQUIRED for contractHolder without a customer, unless a user asks; as `window` and `criteria_of` do.
    """
    part = window(first, after, last, before)
    criteria = criteria_of(viewer, filter)
    is_held = bool(criteria.pop("contract_holder", False))
    reference = criteria.pop("customer_ref", None)
    if reference is not None:
        criteria["customer_ref"] = reference.customer_ref
        criteria["customer_organisation"] = own_or(reference.organisation_id, viewer)
    if is_held and not viewer.is_user and not criteria.keys() & {"customer_number", "customer_ref"}:
        raise refuse(ErrorCode.REQUIRED, "filter", "customerNumber")
    return WantedPage(
        row=Contract,
        shape=(*criteria, is_held),
        values=criteria,
        statement=lambda viewer, values: statements.contracts(viewer, values, is_held),
        order=statements.BY_CONTRACT,
        window=part,
        query=["contracts", criteria, is_held],
    )


@Reading
def entitlements(
    viewer: Viewer,
    customer_number: Long,
    travel_date: datetime | None = None,
    exclude_sub_contracts: bool = False,
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
) -> WantedPage:
    """A page of the contracts that a customer may use at a moment, by default now (L42), the oldest first. None for a
    customer that the viewer may not see, as for an unknown one. Raises `Refused`: as `window` does."""
    part = window(first, after, last, before)
    values = {"customer_number": customer_number, **({"travel_date": travel_date} if travel_date else {})}
    return WantedPage(
        row=Contract,
        shape=(*values, exclude_sub_contracts),
        values=values,
        statement=lambda viewer, values: statements.entitlements(viewer, values, not exclude_sub_contracts),
        order=statements.BY_CONTRACT,
        window=part,
        query=["entitlements", values, exclude_sub_contracts],
    )


def usable(travel_date: datetime | None = None, exclude_sub_contracts: bool = False) -> ColumnElement[bool]:
    """The condition on a customer's contracts that can be used at a moment, by default now (L42)."""
    can_be_used = statements.usable_at(travel_date)
    return can_be_used & Contract.parent.is_(None) if exclude_sub_contracts else can_be_used
