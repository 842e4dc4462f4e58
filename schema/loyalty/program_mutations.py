"""Making loyalty programs, and saying what they are called."""

import strawberry

from datastore.viewer import Permission
from resolvers.loyalty import programs
from schema.loyalty.programs import LoyaltyProgram, LoyaltyProgramDescription
from schema.mutation import Payload, mutation, payload
from schema.permission import Callers


@payload("What createLoyaltyProgram answers.")
class CreateLoyaltyProgramPayload(Payload):
    loyalty_program: LoyaltyProgram | None = strawberry.field(description="The program as created.")


@payload("What publishLoyaltyProgramVersion answers.")
class PublishLoyaltyProgramVersionPayload(Payload):
    loyalty_program: LoyaltyProgram | None = strawberry.field(
        description="The version as published; where another one is the newest than expected, that one."
    )


@payload("What setLoyaltyProgramDescription answers.")
class SetLoyaltyProgramDescriptionPayload(Payload):
    loyalty_program_description: LoyaltyProgramDescription | None = strawberry.field(
        description="What the program is called as it is now."
    )


@strawberry.type
class LoyaltyProgramMutations:
    create_loyalty_program: CreateLoyaltyProgramPayload = mutation(
        programs.create_loyalty_program,
        needs=Permission.LOYALTY_PROGRAM_WRITE,
        callers=Callers.CLIENTS,
        description="Creates a loyalty program.",
    )
    publish_loyalty_program_version: PublishLoyaltyProgramVersionPayload = mutation(
        programs.publish_loyalty_program_version,
        needs=Permission.LOYALTY_PROGRAM_WRITE,
        callers=Callers.CLIENTS,
        description="Publishes a new version of a loyalty program, and lets its contracts end when that says.",
    )
    set_loyalty_program_description: SetLoyaltyProgramDescriptionPayload = mutation(
        programs.set_loyalty_program_description,
        needs=Permission.LOYALTY_PROGRAM_WRITE,
        callers=Callers.CLIENTS,
        description="Says what a loyalty program is called in a language, for all its versions.",
    )
