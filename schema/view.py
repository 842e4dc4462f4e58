"""The pattern of the graph: what a view shows of a row, and the relations between rows.

    @view_of(stored.PostalAddress)
    class PostalAddress:
        \"\"\"A postal address of a customer.\"\"\"

        town: str | None = strawberry.field(description="Post town.")
        customer: "Customer | None" = one(stored.Customer.id, via="customer_id", description="Whose address it is.")

The annotations are the contract. A field without a resolver reads the attribute of the row with its name; a name that
the row lacks fails when the module is imported. Resolvers return rows, never instances of views.
"""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, TypeVar

import strawberry
from sqlalchemy import ColumnElement
from sqlalchemy.orm import InstrumentedAttribute
from strawberry.types.base import get_object_definition
from strawberry.types.enum import StrawberryEnumDefinition

from datastore.base import Base
from datastore.loaders import Loaders
from datastore.reading import is_row
from resolvers.context import Context

V = TypeVar("V")
Column = InstrumentedAttribute[Any]
Info = strawberry.Info[Context, None]
DECLARED = "declared"
"""Under this name a field's metadata has its declaration, for whoever plans rather than resolves."""


class UnknownAttribute(TypeError):
    """A view shows a field that its row does not have and that no resolver computes."""


def view_of(row: type[Base]) -> Callable[[type[V]], type[V]]:
    """Make a class the view of a row class. Raises `UnknownAttribute` when the module is imported."""

    def decorate(cls: type[V]) -> type[V]:
        cls.is_type_of = staticmethod(lambda value, _: is_row(value, row))  # type: ignore[attr-defined]
        view = strawberry.type(cls, description=inspect.getdoc(cls))
        for field in get_object_definition(view, strict=True).fields:
            if field.base_resolver is None and not hasattr(row, field.python_name):
                raise UnknownAttribute(f"{cls.__name__}.{field.python_name}: {row.__name__} has no such attribute")
        return view

    return decorate


@dataclass(frozen=True, slots=True)
class One:
    """A relation to one row: the one whose `column` has the value of the parent's attribute `via`."""

    column: Column
    via: str

    def __call__(self, root: strawberry.Parent[Any], info: Info) -> Any:
        key = getattr(root, self.via)
        return None if key is None else info.context.load.one(self.column).load(key)


@dataclass(frozen=True, slots=True)
class Many:
    """A relation to the rows whose `column` has the value of the parent's attribute `via`, and that meet `where`."""

    column: Column
    via: str
    where: ColumnElement[bool] | None

    def __call__(self, root: strawberry.Parent[Any], info: Info) -> Any:
        key = getattr(root, self.via)
        return [] if key is None else info.context.load.many(self.column, self.where).load(key)


def one(column: Column, *, via: str, description: str, deprecated: str | None = None) -> Any:
    """A field that leads to one row, or null: `customer: "Customer | None" = one(stored.Customer.id, via=...)`."""
    return _declared(One(column, via), description, deprecated)


def many(
    column: Column,
    *,
    description: str,
    via: str = "id",
    where: ColumnElement[bool] | None = None,
    deprecated: str | None = None,
) -> Any:
    """A field that lists rows by their foreign key: `notes: list[Note] = many(stored.Note.customer_id, ...)`."""
    return _declared(Many(column, via, where), description, deprecated)


@dataclass(frozen=True, slots=True)
class Computed:
    """A field that is a function of its row."""

    of: Callable[[Any], Any]

    def __call__(self, root: strawberry.Parent[Any], info: Info) -> Any:
        return self.of(root)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A field that is a function of its row and of what a loader finds for it, in one batch with all other rows."""

    of: Callable[[Loaders, Any], Awaitable[Any]]

    def __call__(self, root: strawberry.Parent[Any], info: Info) -> Any:
        return self.of(info.context.load, root)


def computed(of: Callable[[Any], Any], *, description: str, deprecated: str | None = None) -> Any:
    """A field worked out from the row: `username: str | None = computed(reads.username, ...)`."""
    return _declared(Computed(of), description, deprecated)


def loaded(of: Callable[[Loaders, Any], Awaitable[Any]], *, description: str, deprecated: str | None = None) -> Any:
    """A field that a hand-written loader answers: `related: list[Long] = loaded(related_numbers, ...)`."""
    return _declared(Loaded(of), description, deprecated)


def _declared(declared: One | Many | Computed | Loaded, description: str, deprecated: str | None) -> Any:
    def resolve(root: strawberry.Parent[Any], info: Info) -> Any:
        return declared(root, info)

    return strawberry.field(
        resolver=resolve, description=description, deprecation_reason=deprecated, metadata={DECLARED: declared}
    )


def query(resolve: Callable[..., Any], *, description: str, arguments: Mapping[str, str] | None = None) -> Any:
    """A root field answered by a function of `resolvers`: its parameters after `context` become the arguments.

    `arguments` has the description of each; the field's own annotation is its type.
    """
    signature = inspect.signature(resolve)
    described = [
        parameter.replace(
            annotation=Annotated[parameter.annotation, strawberry.argument(description=(arguments or {})[name])]
        )
        for name, parameter in list(signature.parameters.items())[1:]
    ]
    info = inspect.Parameter("info", inspect.Parameter.KEYWORD_ONLY, annotation=Info)

    async def resolver(info: Info, **given: Any) -> Any:
        return await resolve(info.context, **given)

    keywords = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in described]
    resolver.__signature__ = inspect.Signature([info, *keywords])  # type: ignore[attr-defined]
    return strawberry.field(resolver=resolver, description=description)


def describe(enum: type[Enum], description: str, **values: str) -> None:
    """Make an enum of `datastore` or `resolvers` one of the graph, with the words for it and for each of its values."""
    strawberry.enum(enum, description=description)
    definition: StrawberryEnumDefinition = enum.__strawberry_definition__  # type: ignore[attr-defined]
    for value in definition.values:
        value.description = values[value.name]
