"""Loyalty programs, as shown."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from datastore.loyalty import program as stored
from datastore.loyalty import reads as statements
from datastore.loyalty.contract import Contract as StoredContract
from datastore.viewer import Permission
from resolvers.loyalty import shown
from resolvers.scalars import Duration, Long
from schema.connection import PAGING, Connection
from schema.node import Node, node_by
from schema.relations import below
from schema.view import computed, describe, many, one, selected, view_of
from schema.view import shown as field

if TYPE_CHECKING:
    from schema.loyalty.contracts import Contract

USAGE_VALIDITY_PERIOD = "How long a contract can be used from when it can be used at all; null if there is no limit."


@view_of(stored.LoyaltyProgramDescription, needs=Permission.CONTRACT_READ)
class LoyaltyProgramDescription:
    """What a loyalty program is called, and what it is, in one language."""

    language_code: str = strawberry.field(description="Language, ISO 639-3.")
    display_name: str | None = strawberry.field(description="Name of the program for people.")
    description: str = strawberry.field(description="What the program is.")
    version: int = strawberry.field(description="Grows with every change; for expectedVersion.")
    created_at: datetime = strawberry.field(description="When it was created.")
    created_by: str = strawberry.field(description="Which client created it.")
    last_changed_at: datetime = strawberry.field(description="When it was last changed.")
    last_changed_by: str = strawberry.field(description="Which client changed it last.")


@view_of(stored.LoyaltyProgramDescription, needs=Permission.CONTRACT_READ)
class LocalizedText:
    """A text in one language."""

    text: str | None = computed(
        lambda description: description.display_name, reads=("display_name",), description="The text."
    )
    description: str | None = strawberry.field(description="What it stands for, at more length.")
    language_code: str | None = strawberry.field(description="Language, ISO 639-3.")


@view_of(stored.CouponConfig, needs=Permission.CONTRACT_READ)
class CouponConfig:
    """What a loyalty program of coupons says of them."""

    default_quantity: int = strawberry.field(
        description="Coupons that a contract has in a calendar year, unless the contract says otherwise."
    )
    loyalty_program_id: Long = strawberry.field(
        description="Id of the program of the contract that the use of a coupon creates."
    )
    loyalty_program: "LoyaltyProgram | None" = one(
        stored.LoyaltyProgram.loyalty_program_id,
        via="loyalty_program_id",
        description="The program of the contract that the use of a coupon creates.",
    )
    default_start_time: str | None = strawberry.field(
        description="Time of day in Norway, HH:MM:SS, at which such a contract starts on the day of travel."
    )
    usage_validity_period: Duration | None = strawberry.field(
        description="How long such a contract lasts; if absent, as its own program says."
    )


@node_by(stored.LoyaltyProgram.loyalty_program_id)
@view_of(stored.LoyaltyProgram, needs=Permission.CONTRACT_READ)
class LoyaltyProgram(Node):
    """A loyalty program, as one of its versions says; where no version is named, as the one in force."""

    loyalty_program_id: Long = strawberry.field(description="Id of the program, the same in all versions.")
    version_number: int = strawberry.field(description="Number of this version, from 1 on.")
    versions: list["LoyaltyProgram"] = many(
        stored.LoyaltyProgram.loyalty_program_id,
        via="loyalty_program_id",
        description="All versions of the program, the first one first.",
    )
    status: shown.LoyaltyProgramStatus = computed(
        shown.program_status, reads=("start_date", "end_date", "superseded_at"), description="Status of this version."
    )
    loyalty_program_type: stored.LoyaltyProgramType = strawberry.field(description="Type of the program.")
    organisation_id: Long = strawberry.field(description="The organisation that owns the program.")
    product_id: str = strawberry.field(description="NeTEx id of the product that belongs to the program.")
    product_version: str = strawberry.field(description="NeTEx version of the product.")
    start_date: datetime = strawberry.field(description="When this version comes into force.")
    end_date: datetime = strawberry.field(description="When the program ends, and all its contracts with it.")
    internal_description: str = field(
        "What the program is, for those who work with it.", needs=Permission.LOYALTY_PROGRAM_READ
    )
    loyalty_program_code: str | None = field(
        "Word by which customers activate the program for themselves.", needs=Permission.LOYALTY_PROGRAM_READ
    )
    usage_validity_period: Duration | None = strawberry.field(description=USAGE_VALIDITY_PERIOD)
    coupon_config: CouponConfig | None = one(
        stored.CouponConfig.version_id, via="id", description="What is said of coupons; for programs of coupons only."
    )
    default_coupons_limit: int | None = selected(
        statements.coupon_config,
        row=stored.CouponConfig,
        via="id",
        is_list=False,
        shows="default_quantity",
        deprecated="Use couponConfig.",
        description="Coupons that a contract has in a calendar year.",
    )
    descriptions: list[LoyaltyProgramDescription] = selected(
        statements.names_of_program,
        row=stored.LoyaltyProgramDescription,
        via="loyalty_program_id",
        description="What the program is called, one for each language.",
    )
    contracts: Connection[Annotated["Contract", strawberry.lazy("schema.loyalty.contracts")]] = below(
        StoredContract.loyalty_program_id,
        via="loyalty_program_id",
        order=statements.BY_CONTRACT,
        description="The contracts of the program, the oldest first.",
        arguments=PAGING,
    )
    created_at: datetime = strawberry.field(description="When this version was created.")
    created_by: str = strawberry.field(description="Which client created this version.")


describe(
    stored.LoyaltyProgramType,
    "Type of a loyalty program.",
    COUPONS="Its contracts can be used so many times in a calendar year.",
    TIMED="Its contracts can be used for some time.",
    POINTS="Its contracts keep an amount that is earned and spent; gift cards too.",
    UNMAPPED="An old program that nobody has classified; no new ones can be made.",
)
describe(
    shown.LoyaltyProgramStatus,
    "Status of a version of a loyalty program.",
    DRAFT="It has not come into force.",
    CURRENT="It is in force.",
    DEPRECATED="A later version is in force, or the program has ended.",
)
