"""Relations that say more than `one` and `many` of `schema.view`: to one of several types, of years, in pages."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import strawberry

from datastore.keyset import Order
from datastore.viewer import Permission
from resolvers.oslo import today
from resolvers.paging import PAGE_SIZE, paged, window
from schema.cost import FieldCost, ListSize
from schema.permission import needs as needing
from schema.view import DECLARED, Column, Info, One, declared_by

Row = strawberry.Parent[Any]


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
    """A page of the rows whose `column` has the value of the parent's attribute `via`, in an order; those with
    `is_deleted` are left out unless they are asked for."""

    column: Column
    via: str
    order: Order

    async def __call__(self, root: strawberry.Parent[Any], info: Info, *, include_deleted: bool, **where: Any) -> Any:
        part = window(**where)
        kept = None if include_deleted else self.column.class_.is_deleted.is_(False)
        found = info.context.load.pages(self.column, self.order, part, kept).load(getattr(root, self.via))
        return await paged(found, "before" if part.first is None else "after")


def below(column: Column, *, order: Order, description: str, arguments: Mapping[str, str], via: str = "id") -> Any:
    """A connection under a parent: `employees: Connection[Employee] = below(stored.Employee.company_id, ...)`. The
    pages of all parents of one level share a statement. `arguments` has the description of each argument."""
    declared = Below(column, via, order)

    async def resolve(root: strawberry.Parent[Any], info: Info, **given: Any) -> Any:
        return await declared(root, info, **given)

    kinds: dict[str, Any] = {
        "root": Row,
        "info": Info,
        "include_deleted": bool,
        "first": int | None,
        "after": str | None,
        "last": int | None,
        "before": str | None,
    }
    defaults = {"root": inspect.Parameter.empty, "info": inspect.Parameter.empty, "include_deleted": False}
    parameters = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=defaults.get(name),
            annotation=described(kind, arguments[name]) if name in arguments else kind,
        )
        for name, kind in kinds.items()
    ]
    resolve.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    size = ListSize(assumed_size=PAGE_SIZE, slicing_arguments=["first", "last"], sized_fields=["edges", "nodes"])
    return strawberry.field(resolver=resolve, description=description, directives=[size], metadata={DECLARED: declared})


def described(kind: Any, words: str) -> Any:
    """The annotation of an argument of this type."""
    return Annotated[kind, strawberry.argument(description=words)]


def _needs(needed: Permission | None) -> list[object]:
    return [] if needed is None else [needing(needed)]
