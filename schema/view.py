"""The pattern of the graph: what a view shows of a row, and the relations between rows.

    @view_of(stored.PostalAddress, needs=Permission.CONTACT_READ)
    class PostalAddress:
        \"\"\"A postal address of a customer.\"\"\"

        town: str | None = strawberry.field(description="Post town.")
        customer: "Customer | None" = one(stored.Customer.id, via="customer_id", description="Whose address it is.")

The annotations are the contract. A field without a resolver reads the attribute of the row with its name; a name that
the row lacks fails when the module is imported. Resolvers return rows, never instances of views.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, TypeVar, get_args, get_origin

import strawberry
from sqlalchemy import ColumnElement
from sqlalchemy.orm import InstrumentedAttribute
from strawberry.types.base import get_object_definition
from strawberry.types.enum import StrawberryEnumDefinition
from strawberry.utils.str_converters import to_camel_case

from datastore.base import Base
from datastore.loaders import Selection
from datastore.reading import columns, is_row
from datastore.viewer import Permission
from resolvers.context import Context
from resolvers.paging import PAGE_SIZE
from schema import permission
from schema.cost import ASSUMED_SIZE, FieldCost, ListSize
from schema.permission import Callers, SensitiveDirective

V = TypeVar("V")
Column = InstrumentedAttribute[Any]
Info = strawberry.Info[Context, None]
DECLARED = "declared"
"""Under this name a field's metadata has its declaration, for whoever plans rather than resolves."""
ROWS: dict[str, type[Base]] = {}
"""Type name -> the row class that it is the view of."""


class UnknownAttribute(TypeError):
    """A view shows an attribute that its row does not have and that no resolver computes, or relates by one."""


def view_of(row: type[Base], *, needs: Permission, callers: Callers = Callers.EVERYONE) -> Callable[[type[V]], type[V]]:
    """Make a class the view of a row class, for callers with a permission; a field can need another one instead.

    Raises `UnknownAttribute` when the module is imported.
    """

    stored = {column.name for column in columns(row)}

    def decorate(cls: type[V]) -> type[V]:
        ROWS[cls.__name__] = row
        cls.is_type_of = staticmethod(lambda value, _: is_row(value, row))  # type: ignore[attr-defined]
        view = strawberry.type(cls, description=inspect.getdoc(cls), directives=[permission.needs(needs, callers)])
        for field in get_object_definition(view, strict=True).fields:
            read = (field.python_name,) if field.base_resolver is None else starts(field.metadata.get(DECLARED))
            for lacking in set(read) - stored:
                raise UnknownAttribute(f"{cls.__name__}.{field.python_name}: {row.__name__} has no attribute {lacking}")
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


def starts(declared: object) -> tuple[str, ...]:
    """The attributes of the parent's row that a relation starts from; none for anything but a relation."""
    ways = getattr(declared, "ways", (declared,))
    return tuple(way.via for way in ways if hasattr(way, "via"))


def shown(description: str, *, needs: Permission | None = None, deprecated: str | None = None) -> Any:
    """A field that shows the attribute of its name. Without `needs` it needs what its type does."""
    return strawberry.field(description=description, deprecation_reason=deprecated, directives=_needs(needs))


def one(
    column: Column, *, via: str, description: str, deprecated: str | None = None, needs: Permission | None = None
) -> Any:
    """A field that leads to one row, or null: `customer: "Customer | None" = one(stored.Customer.id, via=...)`."""
    return declared_by(One(column, via), description, deprecated, *_needs(needs))


def many(
    column: Column,
    *,
    description: str,
    via: str = "id",
    where: ColumnElement[bool] | None = None,
    deprecated: str | None = None,
    size: int = ASSUMED_SIZE,
    needs: Permission | None = None,
) -> Any:
    """A field that lists rows by their foreign key: `notes: list[Note] = many(stored.Note.customer_id, ...)`.

    `size` is how many there are with most parents, for the cost.
    """
    return declared_by(Many(column, via, where), description, deprecated, ListSize(assumed_size=size), *_needs(needs))


@dataclass(frozen=True, slots=True)
class Computed:
    """A field that is a function of its row, of which it reads the attributes `reads`, or any if that is None."""

    of: Callable[[Any], Any]
    reads: tuple[str, ...] | None = None

    def __call__(self, root: strawberry.Parent[Any], info: Info) -> Any:
        return self.of(root)


@dataclass(frozen=True, slots=True)
class Selected:
    """Rows that a statement of its own finds for the parent's attribute `via`: all of them, or the first one; of each
    the attribute `shows`, or itself."""

    row: type[Base]
    selection: Selection
    via: str
    is_list: bool
    shows: str | None

    async def __call__(self, root: strawberry.Parent[Any], info: Info) -> Any:
        key = getattr(root, self.via)
        rows = [] if key is None else await info.context.load.selected(self.row, self.selection).load(key)
        found = [row if self.shows is None else getattr(row, self.shows) for row in rows]
        return found if self.is_list else next(iter(found), None)


@dataclass(frozen=True, slots=True)
class Sensitive:
    """A sealed value of the row, opened for whoever may see it and says why. It is about the customer of `person`, or
    about the row itself if that is its key."""

    sealed: Column
    reveal: Permission
    person: str

    @property
    def reads(self) -> tuple[str, ...]:
        """The attributes of the row that it reads."""
        return (self.sealed.key, self.person)

    def __call__(self, root: strawberry.Parent[Any], info: Info) -> Any:
        return self.open(info.context, info._raw_info, root)

    def open(self, context: Context, info: Any, row: Any) -> str | None:
        """The value of a record, or None. `info` tells the field and the operation."""
        key = getattr(row, self.person)
        subject = key if self.person == "customer_id" else f"{type(row).__name__} {key}"
        return context.reveal(info, self.reveal, self.sealed, getattr(row, self.sealed.key), subject)


def sensitive(sealed: Column, *, reveal: Permission, description: str) -> Any:
    """A nullable field with the value of a sealed column: null unless the caller has the permission `reveal` and gives
    a reason."""
    person = "customer_id" if hasattr(sealed.class_, "customer_id") else "id"
    return declared_by(Sensitive(sealed, reveal, person), description, None, SensitiveDirective(reveal=reveal.value))


def computed(
    of: Callable[[Any], Any],
    *,
    description: str,
    deprecated: str | None = None,
    cost: int | None = None,
    needs: Permission | None = None,
    reads: tuple[str, ...] | None = None,
) -> Any:
    """A field worked out from the row: `username: str | None = computed(reads.username, ...)`.

    `reads` names the attributes that it reads, so that others need not be fetched.
    """
    return declared_by(Computed(of, reads), description, deprecated, *_costs(cost), *_needs(needs))


def selected(
    selection: Selection,
    *,
    row: type[Base],
    description: str,
    via: str = "id",
    is_list: bool = True,
    shows: str | None = None,
    deprecated: str | None = None,
    needs: Permission | None = None,
) -> Any:
    """A field that a statement of its own answers: `related: list["Customer"] = selected(related, row=...)`."""
    cost = _costs(None if shows is None else 1)
    return declared_by(Selected(row, selection, via, is_list, shows), description, deprecated, *cost, *_needs(needs))


def named(name: str, field: Any) -> Any:
    """The field, under a name that is not the camel case of its attribute's."""
    field.graphql_name = name
    return field


def declared_by(
    declared: Callable[[Any, Info], Any],
    description: str,
    deprecated: str | None,
    *directives: object,
) -> Any:
    def resolve(root: strawberry.Parent[Any], info: Info) -> Any:
        return declared(root, info)

    return strawberry.field(
        resolver=resolve,
        description=description,
        deprecation_reason=deprecated,
        directives=directives,
        metadata={DECLARED: declared},
    )


def _costs(cost: int | None) -> list[object]:
    return [] if cost is None else [FieldCost(weight=cost)]


def _needs(needed: Permission | None) -> list[object]:
    return [] if needed is None else [permission.needs(needed)]


def query(
    resolve: Callable[..., Any],
    *,
    needs: Permission,
    description: str,
    callers: Callers = Callers.EVERYONE,
    arguments: Mapping[str, str] | None = None,
    cost: int | None = None,
    size: ListSize | None = None,
) -> Any:
    """A root field answered by a function of `resolvers`: its parameters after `context` become the arguments.

    `arguments` has the description of each; the field's own annotation is its type. `cost` and `size` are declared
    only where `schema.cost`'s defaults and `_size` are wrong.
    """
    signature = inspect.signature(resolve)
    size = size or _size(signature)
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
    directives = [permission.needs(needs, callers), *_costs(cost), *([size] if size else [])]
    return strawberry.field(
        resolver=resolver, description=description, directives=directives, metadata={DECLARED: resolve}
    )


def _size(signature: inspect.Signature) -> ListSize | None:
    """The size that arguments tell: a connection is as long as its page, a look-up as its lists of keys."""
    parameters = signature.parameters
    if "first" in parameters:
        return ListSize(assumed_size=PAGE_SIZE, slicing_arguments=["first", "last"], sized_fields=["edges", "nodes"])
    lists = [
        to_camel_case(name)
        for name, parameter in parameters.items()
        if any(get_origin(each) is list for each in (parameter.annotation, *get_args(parameter.annotation)))
    ]
    return ListSize(slicing_arguments=lists) if lists else None


def describe(enum: type[Enum], description: str, **values: str) -> None:
    """Make an enum of `datastore` or `resolvers` one of the graph, with the words for it and for each of its values."""
    if "__strawberry_definition__" not in vars(enum):
        strawberry.enum(enum)
    # Inputs that were read before this have kept the definition: it gets its words, it is not replaced.
    definition: StrawberryEnumDefinition = enum.__strawberry_definition__  # type: ignore[attr-defined]
    definition.description = description
    for value in definition.values:
        value.description = values[value.name]
