"""The pattern of mutations: one business act, one input, one payload with the result or the reasons for a refusal.

@payload(description="What createNote answers.")
class CreateNotePayload(Payload):
    note: Note | None = strawberry.field(description="The note as created.")

@strawberry.type
class NoteMutations:
    create_note: CreateNotePayload = mutation(
        resolve.create_note, needs=Permission.NOTE_WRITE, description="Adds a note to a customer."
    )
"""

import inspect
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Annotated, Any, TypeVar, cast

import strawberry
from graphql import (
    DirectiveLocation,
    DirectiveNode,
    GraphQLArgument,
    GraphQLDirective,
    GraphQLError,
    GraphQLNonNull,
    GraphQLString,
    ValidationRule,
    get_directive_values,
)
from graphql.execution.values import VariableValues
from strawberry.types.base import get_object_definition

from datastore.viewer import Permission
from resolvers import errors
from resolvers.carry_out import Act, carry_out
from schema import permission
from schema.cost import FieldCost
from schema.permission import Callers
from schema.view import Info, computed

P = TypeVar("P")

WRITING = 10
"""What a mutation costs on top of what its payload does."""
IDEMPOTENT = GraphQLDirective(
    name="idempotent",
    description=(
        "Carries a mutation out at most once for the key: a repeat with the same input answers the first result, read "
        "again; the same key with another input is refused. Keys are kept for seven days."
    ),
    locations=[DirectiveLocation.FIELD],
    args={
        "key": GraphQLArgument(
            GraphQLNonNull(GraphQLString), description="Chosen by the client, such as a UUID; at most 100 characters."
        )
    },
)


class IdempotentMutationsOnly(ValidationRule):
    """Only a mutation can be carried out at most once: elsewhere the directive would promise what nobody keeps."""

    def enter_directive(self, node: DirectiveNode, *_: Any) -> None:
        """Called for each directive of a document."""
        is_on_mutation = self.context.get_parent_type() is self.context.schema.mutation_type
        if node.name.value == IDEMPOTENT.name and not is_on_mutation:
            self.context.report_error(GraphQLError("Directive '@idempotent' may only be used on mutations.", node))


def payload(description: str) -> Callable[[type[P]], type[P]]:
    """Make a class the type of a payload. Whoever may do the mutation may see its payload; the objects in it need their
    own permissions."""
    return strawberry.type(description=description, directives=[permission.needs(Permission.PUBLIC)])


@payload("One reason why a mutation was refused.")
class UserError:
    code: errors.ErrorCode = strawberry.field(description="What is wrong, for programs.")

    message: str = computed(
        lambda error: error.message or error.code.value.long_english,
        description="What is wrong, for people, in English; `errorMessages` has Norwegian too.",
    )
    field: list[str] = computed(
        lambda error: list(error.path),
        description="Path of the input field it is about, from the fields of `input` on.",
    )
    rejected_values: list[str] = strawberry.field(description="The values that were refused; never passwords.")


@payload("What all payloads have.")
class Payload:
    """What all payloads have; a payload adds nullable fields with the result."""

    user_errors: list[UserError] = strawberry.field(
        description="Why nothing was done; empty if it was. After a version conflict the object is as it is now.",
        directives=[FieldCost(weight=0)],
    )


def mutation(
    act: Act, *, needs: Permission, description: str, callers: Callers = Callers.EVERYONE, cost: int = WRITING
) -> Any:
    """A mutation field carried out by a function `(write, input)` of `resolvers`, in one transaction.

    What the function returns becomes the payload's one own field; a mapping becomes several. The payload's type is
    the annotation of the field.
    """
    given_type = list(inspect.signature(act).parameters.values())[-1].annotation

    async def resolve(info: Info, input: Any) -> Any:
        raw = info._raw_info
        # Strawberry hands over the coerced values alone, where graphql-core and its annotation have more.
        variables = VariableValues(sources={}, coerced=cast(dict[str, Any], raw.variable_values))
        directive = get_directive_values(IDEMPOTENT, raw.field_nodes[0], variables)
        key = directive["key"] if directive else None
        outcome = await carry_out(info.context, raw.field_name, act, input, key)
        own = [name for name in payload_fields(info) if name != "user_errors"]
        value = outcome.value if isinstance(outcome.value, Mapping) else dict.fromkeys(own[:1], outcome.value)
        return SimpleNamespace(user_errors=outcome.user_errors, **{name: value.get(name) for name in own})

    resolve.__annotations__["input"] = Annotated[given_type, strawberry.argument(description="What is to be done.")]
    directives = [permission.needs(needs, callers), FieldCost(weight=cost)]
    return strawberry.mutation(resolver=resolve, description=description, directives=directives)


def payload_fields(info: Info) -> list[str]:
    return [field.python_name for field in get_object_definition(info.return_type, strict=True).fields]
