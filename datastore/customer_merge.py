"""Merges of profiles (rule C93): what moves, and how it was before, so that a merge can be undone."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

from sqlalchemy import JSON, ColumnElement, ForeignKey, Select, String, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, aliased, mapped_column

from datastore.base import Base, BigKey, rfc3339
from datastore.changes import customer_of
from datastore.customer import Customer, OwnedByCustomer
from datastore.on_merge import STAYS, OnMerge, Rules, on_merge
from datastore.reading import Fetch, among, key_of, visible, within
from datastore.viewer import Viewer

Entry = dict[str, Any]
"""`{"table": ..., "key": ..., "values": {column: value before}, "version": version after}`."""


class CustomerMerge(OwnedByCustomer, Base):
    """A profile was merged into another one, its `customer` (rule C93).

    `before` has what the merge changed, as it was: `[{"table": ..., "key": ..., "values": {column: value}, "version":
    the row's version after it}]`. Nothing in it is personal: keys, marks, versions, times and who changed a row. That
    `email_old` is in the merged profile's values says that its email went there.
    """

    __tablename__ = "customer_merge"
    __on_merge__ = on_merge(customer_id=STAYS, merged_id=STAYS)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    merged_id: Mapped[int] = mapped_column(ForeignKey("customer.id"), index=True)
    merged_at: Mapped[datetime]
    merged_by: Mapped[str] = mapped_column(String(100))
    merged_by_channel: Mapped[str] = mapped_column(String(100))
    undone_at: Mapped[datetime | None]
    before: Mapped[Any] = mapped_column(JSON)


class Undeclared(Exception):
    """A row class does not say what a merge does with rows that refer to a customer: some would be forgotten."""


class CannotPutBack(Exception):
    """A row cannot go back to the profile it came from, which has another one in its place by now."""


@dataclass(slots=True)
class Part:
    """What a merge does with the rows of one class: those that move, each with its new values, and the keys of those
    that stay because the survivor has such a row itself."""

    row: type[Base]
    moving: list[tuple[Any, dict[str, Any]]] = field(default_factory=list)
    clashes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Taken:
    """The keys of the rows that one customer has, and whether one of them is the `only_one`."""

    keys: frozenset[tuple[Any, ...]] = frozenset()
    only_one: bool = False


def rules_of(rows: Collection[type[Base]]) -> list[tuple[type[Base], Rules]]:
    """The row classes that refer to customers, with their rules; those that follow others after these.

    Raises `Undeclared`.
    """
    found = []
    for row in rows:
        keys = {each.parent.name for each in row.__table__.foreign_keys if each.column is Customer.__table__.c.id}
        rules: Rules = getattr(row, "__on_merge__", {})
        if keys != set(rules):
            raise Undeclared(f"{row.__name__}.__on_merge__ must say what a merge does by each of {sorted(keys)}")
        if keys:
            found.append((row, rules))
    return sorted(found, key=lambda each: (any(rule.follows for rule in each[1].values()), each[0].__tablename__))


def referring() -> list[tuple[type[Base], Rules]]:
    """All row classes that refer to customers, as `rules_of` has them."""
    return rules_of([mapper.class_ for mapper in Base.registry.mappers])


async def lock_for_merge(session: AsyncSession, viewer: Viewer, number: int, merged_number: int) -> dict[int, Customer]:
    """The customers with these numbers that the viewer may see, by number. They and whoever is connected to the second
    are locked in one go, by ascending id: two who lock the same customers never wait for each other."""
    merged = aliased(Customer)
    parent = select(merged.id).where(merged.customer_number == merged_number, merged.visible_to(viewer))
    named = Customer.visible_to(viewer) & Customer.customer_number.in_([number, merged_number])
    found = await locked(session, named | (Customer.parent_id == parent.scalar_subquery()))
    return {each.customer_number: each for each in found if each.customer_number in (number, merged_number)}


async def locked(session: AsyncSession, condition: ColumnElement[bool]) -> Sequence[Customer]:
    """The customers, as they are once nobody else changes them, locked by ascending id."""
    statement = select(Customer).where(condition).order_by(Customer.id).with_for_update()
    found: Sequence[Customer] = (await session.scalars(statement, execution_options={"populate_existing": True})).all()
    return found


def by_numbers(viewer: Viewer, numbers: Collection[int]) -> Select[Any]:
    """Select the customers with these numbers."""
    return visible(Customer, viewer).where(among(Customer.customer_number, numbers))


def key_by_number(viewer: Viewer, number: int) -> Select[Any]:
    """Select the key of the customer with this number."""
    return select(Customer.id).where(Customer.visible_to(viewer), Customer.customer_number == number)


async def parts(fetch: Fetch, survivor_id: int, merged_id: int, *, as_entities: bool = False) -> list[Part]:
    """What merging the second customer into the first one does, by row class; `fetch` runs a statement.

    The rows are locked entities, or records of the columns that matter. One statement for each class, and one more
    where rows can clash.
    """
    found = []
    staying: dict[str, dict[Any, str]] = {}
    for row, rules in referring():
        moving = {name: rule for name, rule in rules.items() if rule.moves}
        if not moving:
            continue
        part, table, key = Part(row), row.__table__.c, key_of(row)
        taken = {name: await taken_by(fetch, row, name, rule, survivor_id) for name, rule in moving.items()}
        is_meant = or_(*(table[name] == merged_id for name in moving))
        if row is Customer:
            is_meant &= key != survivor_id  # a survivor that is connected to what it survives: not to itself
        if as_entities:
            entities = select(row).where(is_meant).order_by(key).with_for_update()
            rows = [each for (each,) in await fetch(entities)]
        else:
            names = {str(key.key), *moving, *(name for rule in moving.values() for name in needed(rule))}
            rows = [*await fetch(select(*(table[name] for name in sorted(names))).where(is_meant).order_by(key))]
        stays = staying[row.__tablename__] = {}
        for each in rows:
            values: dict[str, Any] = {}
            for name, rule in moving.items():
                if getattr(each, name) != merged_id:
                    continue
                clash = clash_of(each, row, rule, taken[name], staying)
                if clash is not None:
                    stays[each.id] = clash
                    part.clashes.append(clash)
                    continue
                values[name] = survivor_id
                if rule.only_one and taken[name].only_one and getattr(each, rule.only_one):
                    values[rule.only_one] = False
            if values:
                part.moving.append((each, values))
        found.append(part)
    return found


def needed(rule: OnMerge) -> list[str]:
    """The columns that decide whether a row moves."""
    return [*rule.key, *filter(None, (rule.only_one, rule.follows))]


def clash_of(
    row: Any, of: type[Base], rule: OnMerge, taken: Taken, staying: Mapping[str, Mapping[Any, str]]
) -> str | None:
    """The key, as a text, for which a row cannot move; None if it can."""
    if rule.key and key_values(row, rule) in taken.keys:
        return str(getattr(row, rule.key[-1]))
    if rule.follows:
        return staying[followed(of, rule)].get(getattr(row, rule.follows))
    return None


def key_values(row: Any, rule: OnMerge) -> tuple[Any, ...]:
    return tuple(getattr(row, name) for name in rule.key)


def followed(row: type[Base], rule: OnMerge) -> str:
    """The name of the table whose rows those of the class follow."""
    (key,) = row.__table__.c[str(rule.follows)].foreign_keys
    return key.column.table.name


async def taken_by(fetch: Fetch, row: type[Base], name: str, rule: OnMerge, customer_id: int) -> Taken:
    """What the customer's own rows of a class stand in the way of."""
    names = [*rule.key, *filter(None, [rule.only_one])]
    if not names:
        return Taken()
    table = row.__table__.c
    own = await fetch(select(*(table[each] for each in names)).where(table[name] == customer_id))
    only_one = rule.only_one is not None and any(getattr(each, rule.only_one) for each in own)
    return Taken(frozenset(key_values(each, rule) for each in own), only_one)


async def move(
    session: AsyncSession, found: Sequence[Part], merged: Customer, values: Mapping[str, Any]
) -> list[Entry]:
    """Carry out what `parts` found, give the merged profile its `values`, and answer all as it was before. Each row has
    a version more afterwards, if it has versions; rows that move keep their `changed_at`."""
    changes = [change for part in found for change in part.moving]
    entries = [before(row, new) for row, new in changes]
    kept = before(merged, {name: value for name, value in values.items() if not name.startswith("email")})
    if "email_old" in values:
        kept["values"]["email_old"] = None
    for row, new in [*changes, (merged, values)]:
        for name, value in new.items():
            setattr(row, name, value)
    await session.flush()
    for row, entry in zip([*(row for row, _ in changes), merged], [*entries, kept], strict=True):
        entry["version"] = getattr(row, "version", None)
    return [kept, *entries]


async def others(session: AsyncSession, rows: Iterable[Any], merge: CustomerMerge) -> Sequence[Customer]:
    """The customers, but for those who were merged, that the rows are or belong to: their profiles look different
    afterwards, too."""
    keys = {key for row in rows if (key := customer_of(row)) is not None}
    theirs = among(Customer.id, sorted(keys - {merge.customer_id, merge.merged_id}))
    found: Sequence[Customer] = (await session.scalars(select(Customer).where(theirs).order_by(Customer.id))).all()
    return found


def before(row: Base, values: Mapping[str, Any]) -> Entry:
    """What the row has in place of these values, in JSON, and its version."""
    names = [*values, *(["version"] if hasattr(row, "version") else [])]
    key = getattr(row, str(key_of(type(row)).key))
    return {
        "table": row.__tablename__,
        "key": key,
        "values": {name: in_json(getattr(row, name)) for name in names},
    }


def in_json(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    return rfc3339(value) if isinstance(value, datetime) else value


async def last_merge(session: AsyncSession, viewer: Viewer, merged_id: int) -> CustomerMerge | None:
    """The merge of this profile that was not undone, as it is now."""
    statement = select(CustomerMerge).where(
        CustomerMerge.visible_to(viewer), CustomerMerge.merged_id == merged_id, CustomerMerge.undone_at.is_(None)
    )
    newest = statement.order_by(CustomerMerge.id.desc()).limit(1)
    found: CustomerMerge | None = await session.scalar(newest, execution_options={"populate_existing": True})
    return found


async def lock_for_undo(session: AsyncSession, merge: CustomerMerge) -> Sequence[Customer]:
    """All customers that the merge has changed, and the survivor, locked."""
    changed = {entry["key"] for entry in merge.before if entry["table"] == Customer.__tablename__}
    return await locked(session, among(Customer.id, sorted({merge.customer_id, merge.merged_id, *changed})))


def merged_entry(merge: CustomerMerge) -> Entry:
    """How the merged profile itself was before."""
    table = Customer.__tablename__
    found: Entry = next(each for each in merge.before if (each["table"], each["key"]) == (table, merge.merged_id))
    return found


async def put_back(session: AsyncSession, merge: CustomerMerge) -> list[Any]:
    """Give the rows that the merge moved back to the merged profile, and answer them; the profile is not touched.

    A row that nobody has changed since is as it was, its version included; one that was changed keeps its new values
    and gets a version more. One that has gone on to somebody else stays there; one that is gone stays gone. Rows that
    follow one that goes back go with it, even if they came later. Raises `CannotPutBack`.
    """

    fetch = within(session)
    returned: dict[str, list[int]] = {}
    rows: list[Any] = []
    own = merged_entry(merge)
    for row, rules in referring():
        table = row.__table__.c
        entries = {each["key"]: each for each in merge.before if each["table"] == row.__tablename__ and each != own}
        is_meant: ColumnElement[bool] = among(key_of(row), [*entries])
        newer: Entry = {"values": {}, "version": None}
        for name, rule in rules.items():
            if rule.follows:
                followers = among(table[rule.follows], returned.get(followed(row, rule), []))
                is_meant |= followers & (table[name] == merge.customer_id)
                newer["values"][name] = merge.merged_id
        if not entries and not newer["values"]:
            continue
        taken = {name: await taken_by(fetch, row, name, rule, merge.merged_id) for name, rule in rules.items()}
        back = returned[row.__tablename__] = []
        for (each,) in await fetch(select(row).where(is_meant).order_by(key_of(row)).with_for_update()):
            if is_another(each, merge):
                continue
            if restore(each, entries.get(each.id, newer), rules, taken, merge):
                back.append(each.id)
                rows.append(each)
    return rows


def is_another(row: Any, merge: CustomerMerge) -> bool:
    """Whether a row came after the merge: SQLite gives the key of the last row again once that is deleted. A choice of
    a preference that was replaced since counts as another one, too (rule C60)."""
    created_at: datetime | None = getattr(row, "created_at", None)
    return created_at is not None and created_at > merge.merged_at


def restore(row: Any, entry: Entry, rules: Rules, taken: Mapping[str, Taken], merge: CustomerMerge) -> bool:
    """Give a row its values before the merge where they are still those of the merge; whether there were such.

    Raises `CannotPutBack`.
    """
    values = entry["values"]
    still = [name for name in values if name in rules and getattr(row, name) == merge.customer_id]
    for name in still:
        rule, marks = rules[name], rules[name].only_one
        setattr(row, name, values[name])
        if marks and marks in values:
            setattr(row, marks, values[marks])
        is_second = bool(marks and getattr(row, marks) and taken[name].only_one)
        if is_second or (rule.key and key_values(row, rule) in taken[name].keys):
            raise CannotPutBack(type(row).__name__)
    if still and entry["version"] is not None and row.version == entry["version"]:
        row.version = values["version"]
    return bool(still)
