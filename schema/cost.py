"""What fields cost: declared beside them, printed in the SDL, and read back as a price list.

The directives are those of IBM's GraphQL Cost Directives (https://ibm.github.io/graphql-specs/cost-spec.html), with a
whole number as weight. Ordinary relations, connections and mutations declare theirs by themselves (`schema.view`).
"""

from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import strawberry
from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    OperationType,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
    is_list_type,
)
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.schema_directive import Location

D = TypeVar("D")

ASSUMED_SIZE = 10
"""How long a list is taken to be that declares nothing."""


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION],
    name="cost",
    description=(
        "What the field costs in points, for each object that it answers. Without it: 1 for objects, 0 for scalars "
        "and enums."
    ),
)
class FieldCost:
    weight: int


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION],
    name="listSize",
    description=(
        "How long the list is that the field answers, or the lists that `sizedFields` of its object answer: as long as "
        "the largest of `slicingArguments` says, be it a number or a list of keys, else `assumedSize`. "
        f"Without it: {ASSUMED_SIZE}."
    ),
)
class ListSize:
    assumed_size: int | None = strawberry.UNSET
    slicing_arguments: list[str] | None = strawberry.UNSET
    sized_fields: list[str] | None = strawberry.UNSET


class Price(NamedTuple):
    """What one field costs: `weight` and the cost of what is selected below, `size` times."""

    weight: int = 0
    size: int = 1
    returns: str | None = None
    """Name of the type below; None for a scalar or an enum."""
    slicing: frozenset[str] = frozenset()
    """The arguments that give the size instead."""
    is_page: bool = False
    """Whether the size is that of the lists in the object, not the number of objects."""
    is_of_page: bool = False
    """Whether the field is such a list: its size is that of the page it is in."""


INTROSPECTION = {"__schema": Price(100, returns="__Schema"), "__type": Price(10, returns="__Type")}
"""What introspection costs: everything below these fields is free."""


@dataclass(frozen=True, slots=True)
class PriceList:
    """What every field of a schema costs: `fields[type name][field name]`, and the names of the root types."""

    fields: dict[str, dict[str, Price]]
    roots: dict[OperationType, str]


def price_list(schema: GraphQLSchema) -> PriceList:
    """The prices declared in a schema; fields that declare none have the defaults that the directives describe."""
    types = {
        name: type_.fields
        for name, type_ in schema.type_map.items()
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType)
    }
    of_pages = {
        (get_named_type(field.type).name, sized)
        for fields in types.values()
        for field in fields.values()
        if (size := declared(field, ListSize))
        for sized in size.sized_fields or ()
    }
    prices = {
        name: {
            field_name: price(field, is_free=name.startswith("__"), is_of_page=(name, field_name) in of_pages)
            for field_name, field in fields.items()
        }
        for name, fields in types.items()
    }
    roots = {kind: root.name for kind in OperationType if (root := schema.get_root_type(kind))}
    prices[roots[OperationType.QUERY]] |= INTROSPECTION
    return PriceList(prices, roots)


def price(field: GraphQLField, *, is_free: bool, is_of_page: bool) -> Price:
    """The price of one field, by what it declares."""
    cost, size = declared(field, FieldCost), declared(field, ListSize)
    type_ = get_named_type(field.type)
    is_leaf = is_leaf_type(type_)
    default = 0 if is_free or is_leaf else 1
    has_size = not is_free and not is_leaf and (size is not None or is_list_type(get_nullable_type(field.type)))
    return Price(
        weight=cost.weight if cost else default,
        size=((size and size.assumed_size) or ASSUMED_SIZE) if has_size else 1,
        returns=None if is_leaf else type_.name,
        slicing=frozenset((size and size.slicing_arguments) or ()),
        is_page=bool(size and size.sized_fields),
        is_of_page=is_of_page,
    )


def declared(field: GraphQLField | GraphQLNamedType, kind: type[D]) -> D | None:
    """The directive of a kind on a field or a type, if it has one."""
    definition: Any = field.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    return next((each for each in getattr(definition, "directives", ()) if isinstance(each, kind)), None)
