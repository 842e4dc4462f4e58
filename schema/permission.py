"""Who may see or do what: declared beside every type and field, printed in the SDL, and read back as a table.

A type's declaration holds for its fields that have none of their own. What declares nothing is denied to everybody.
"""

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

import strawberry
from graphql import GraphQLField, GraphQLInterfaceType, GraphQLNamedType, GraphQLObjectType, GraphQLSchema
from strawberry.schema_directive import Location
from strawberry.types.base import get_object_definition

from datastore.viewer import Permission, Viewer
from schema.cost import declared


@strawberry.enum(description="Which callers a field is for.")
class Callers(Enum):
    EVERYONE = strawberry.enum_value("EVERYONE", description="Clients and users.")
    CLIENTS = strawberry.enum_value("CLIENTS", description="Clients that ask for themselves, not for a user.")
    USERS = strawberry.enum_value("USERS", description="Users who are logged in.")
    INTERNAL = strawberry.enum_value("INTERNAL", description="Clients of internal tenants.")

    def include(self, viewer: Viewer) -> bool:
        """Whether the viewer is one of them (rule T01)."""
        if self is Callers.INTERNAL:
            return viewer.is_internal
        return self is Callers.EVERYONE or (self is Callers.USERS) == viewer.is_user

    def in_words(self) -> str:
        """Who the caller must be, for "needs ..."."""
        return {
            Callers.EVERYONE: "a caller who has signed in",
            Callers.CLIENTS: "a client, not a user",
            Callers.USERS: "a user who is logged in",
            Callers.INTERNAL: "a client of an internal tenant",
        }[self]


@strawberry.schema_directive(
    locations=[Location.OBJECT, Location.INTERFACE, Location.FIELD_DEFINITION],
    name="permission",
    description=(
        "The permission that a caller needs for the field, or for the fields of the type that have none of their own: "
        "`public` is for everybody, `signed-in` for everybody with a token."
    ),
)
class PermissionDirective:
    needs: str
    callers: Callers | None = strawberry.UNSET


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION],
    name="sensitive",
    description=(
        "The value is null, and the field named in `extensions.masked`, unless the caller has the permission and the "
        "request tells why it is read in the header X-Access-Reason. Each reveal is logged, and the person concerned "
        "can read the log."
    ),
)
class SensitiveDirective:
    reveal: str


def needs(permission: Permission, callers: Callers = Callers.EVERYONE) -> PermissionDirective:
    """The declaration, for `directives=[...]` of a type or a field."""
    return PermissionDirective(
        needs=permission.value, callers=strawberry.UNSET if callers is Callers.EVERYONE else callers
    )


class Need(NamedTuple):
    """What one field needs."""

    permission: Permission
    callers: Callers

    def is_met_by(self, viewer: Viewer) -> bool:
        return viewer.holds(self.permission) and self.callers.include(viewer)

    def in_words(self) -> str:
        """What the caller must have and be, for "needs ..."."""
        if self.permission in (Permission.PUBLIC, Permission.SIGNED_IN):
            return self.callers.in_words()
        permission = self.permission.value
        return permission if self.callers is Callers.EVERYONE else f"{permission} and {self.callers.in_words()}"

    def __str__(self) -> str:
        return self.permission.value + ("" if self.callers is Callers.EVERYONE else f" {self.callers.value}")


@dataclass(frozen=True, slots=True)
class PermissionTable:
    """What every field of a schema needs: `fields[type name][field name]`; None is granted to nobody."""

    fields: dict[str, dict[str, Need | None]]

    def lines(self) -> list[str]:
        """`Customer.email<tab>contact:read`, sorted: the snapshot `schema/permissions.tsv`."""
        return sorted(
            f"{type_name}.{name}\t{need or 'NOBODY'}"
            for type_name, fields in self.fields.items()
            for name, need in fields.items()
        )


def permission_table(schema: GraphQLSchema) -> PermissionTable:
    """The permissions declared in a schema, types of introspection left out."""
    return PermissionTable(
        {
            name: {field_name: need_of(field) or need_of(type_) for field_name, field in type_.fields.items()}
            for name, type_ in schema.type_map.items()
            if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType) and not name.startswith("__")
        }
    )


def need_of(definition: GraphQLField | GraphQLNamedType) -> Need | None:
    """What a type or a field of the schema declares for itself, if it does."""
    return _need(declared(definition, PermissionDirective))


def need_of_view(view: type) -> Need | None:
    """What the class of a type declares for it."""
    directives = get_object_definition(view, strict=True).directives or ()
    return _need(next((each for each in directives if isinstance(each, PermissionDirective)), None))


def _need(directive: PermissionDirective | None) -> Need | None:
    return None if directive is None else Need(Permission(directive.needs), directive.callers or Callers.EVERYONE)
