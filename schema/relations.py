"""Relations that say more than `one` and `many` of `schema.view`: to one of several types, of years, in pages."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import strawberry
from sqlalchemy import ColumnElement

from datastore.base import Base
from datastore.employee.codes import Deletable
from datastore.keyset import Order
from datastore.loaders import Selection
from datastore.nested import no_page
from datastore.viewer import Permission
from resolvers.oslo import today
from resolvers.paging import PAGE_SIZE, paged, window
from schema.cost import FieldCost, ListSize
from schema.permission import needs as needing
from schema.view import DECLARED, Column, Info, One, declared_by

Row = strawberry.Parent[Any]
Where = Callable[..., ColumnElement[bool] | None]


@dataclass(frozen=True, slots=True)
class OneOf:
    """A relation to one row of one of several classes: the first of `ways` whose attribute of the parent is not null
    leads there."""

    ways: tuple[One, ...]

    def __call__(self, root: strawberry.Parent[Any], info: Info) -> Any:
        way = next((way for way in self.ways if getattr(root, way.via) is not None), None)
        return None if way is None else way(root, info)


def one_of(*ways: tuple[Column, str], description: str, needs: Permission | None = None) -> Any:
    """A field that leads to one row of one of several classes, or null; each way is a column and a `via`:
    `holder: Holder | None = one_of((stored.FamilyMember.id, "family_member_id"), (stored.Employee.id, ...), ...)`."""
    return declared_by(OneOf(tuple(One(*way) for way in ways)), description, None, *_needs(needs))


@dataclass(frozen=True, slots=True)
class Yearly:
    """What is registered for the parent this year and the next one (rules E15 to E19), or with `shows` that attribute
    of this year's. Where nothing is registered, that is false."""

    column: Column
    via: str
    shows: str | None

    async def __call__(self, root: strawberry.Parent[Any], info: Info) -> Any:
        year = today().year
        found = await info.context.load.years(self.column, (year, year + 1)).load(getattr(root, self.via))
        return found if self.shows is None else getattr(found[0], self.shows)


def yearly(
    column: Column,
    *,
    description: str,
    via: str = "id",
    shows: str | None = None,
    deprecated: str | None = None,
    needs: Permission | None = None,
) -> Any:
    """A field that lists what is registered for this year and the next one, by the foreign key of the rows, or with
    `shows` one attribute for this year: `yearly_fees: list[EmployeeYearlyFee] = yearly(...)`."""
    size: object = ListSize(assumed_size=2) if shows is None else FieldCost(weight=1)
    return declared_by(Yearly(column, via, shows), description, deprecated, size, *_needs(needs))


@dataclass(frozen=True, slots=True)
class Below:
    """A page of the rows whose column has the value of the parent's attribute `via`, or that a selection has for it, in
    an order. `where` makes a condition on them of what is given besides the part that is wanted."""

    row: type[Base]
    of: Column | Selection
    via: str
    order: Order
    where: Where

    async def __call__(
        self,
        root: strawberry.Parent[Any],
        info: Info,
        *,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
        **given: Any,
    ) -> Any:
        part, key = window(first, after, last, before), getattr(root, self.via)
        if key is None:
            return no_page(part)
        found = info.context.load.pages(self.row, self.of, self.order, part, self.where(**given)).load(key)
        return await paged(found, "before" if part.first is None else "after")


def below(
    of: Column | Selection,
    *,
    order: Order,
    description: str,
    arguments: Mapping[str, str],
    via: str = "id",
    row: type[Base] | None = None,
    where: Where = lambda: None,
    needs: Permission | None = None,
) -> Any:
    """A connection under a parent: `employees: Connection[Employee] = below(stored.Employee.company_id, ...)`. The
    pages of all parents of one level share a statement.

    A selection needs its `row`. The parameters of `where` become arguments; `arguments` has the description of each.
    """
    shown: Any = row or getattr(of, "class_", None)
    declared = Below(shown, of, via, order, where)

    async def resolve(root: strawberry.Parent[Any], info: Info, **given: Any) -> Any:
        return await declared(root, info, **given)

    empty = inspect.Parameter.empty
    kinds: dict[str, tuple[Any, Any]] = {
        "root": (Row, empty),
        "info": (Info, empty),
        **{name: (each.annotation, each.default) for name, each in inspect.signature(where).parameters.items()},
        "first": (int | None, None),
        "after": (str | None, None),
        "last": (int | None, None),
        "before": (str | None, None),
    }
    parameters = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=default,
            annotation=described(kind, arguments[name]) if name in arguments else kind,
        )
        for name, (kind, default) in kinds.items()
    ]
    resolve.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    size = ListSize(assumed_size=PAGE_SIZE, slicing_arguments=["first", "last"], sized_fields=["edges", "nodes"])
    return strawberry.field(
        resolver=resolve, description=description, directives=[size, *_needs(needs)], metadata={DECLARED: declared}
    )


def unless_deleted(row: type[Deletable]) -> Where:
    """The condition that leaves out rows that are marked as deleted, unless they are asked for."""

    def where(include_deleted: bool = False) -> ColumnElement[bool] | None:
        return None if include_deleted else row.is_deleted.is_(False)

    return where


def described(kind: Any, words: str) -> Any:
    """The annotation of an argument of this type."""
    return Annotated[kind, strawberry.argument(description=words)]


def _needs(needed: Permission | None) -> list[object]:
    return [] if needed is None else [needing(needed)]
