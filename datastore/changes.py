"""What a transaction comes to: the rows that it has created, changed and deleted, with their values before and after.

Several changes of one row are one: a value that was set and set back has not changed, a row that was created and then
deleted has never been. Noted is what goes through the ORM, so in a session that notes, no other statement may change
rows.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Any, Final

import orjson
from sqlalchemy import ClauseElement, Column, Table, Update, UpdateBase, event, inspect, select
from sqlalchemy.orm import Mapper, ORMExecuteState, Session, SessionTransaction, UOWTransaction

from datastore import bookkeeping
from datastore.base import Base, rfc3339
from datastore.customer import Customer, OwnedByCustomer
from datastore.sealing import SEALED, SEARCH_HASH_OF

HIDDEN: Final = "(hidden)"
"""What stands in the log for a sensitive value."""
NOTED = "noted changes"
DERIVED = ("sort_key_of", "is_derived", SEARCH_HASH_OF)
SENSITIVE = ("is_secret", "is_sensitive", SEALED)


class Unnoted(Exception):
    """A statement would change rows past the ORM, or to what only the database knows, and so past the audit log."""


@dataclass(slots=True)
class NotedRow:
    """A row with the values that were noted, by the names of their columns. What it had `before` is kept from the
    first change, what it has `after` from the last one."""

    table: type[Base]
    key: tuple[Any, ...]
    existed: bool
    exists: bool = True
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)
    customers: set[int | None] = field(default_factory=set)

    def keep(self, before: Mapping[str, Any]) -> None:
        """Remember the values before, but for those that are known from an earlier change."""
        self.before = {**before, **self.before}

    def fields(self, customer_id: int | None) -> list[dict[str, Any]]:
        """The values that are not what they were, in the order of the columns; sensitive ones hidden.

        Of a row that went from one customer to another, each is told its own values: what the log keeps about one of
        them must have nothing of the other, or it would outlive the other's erasure.
        """
        found = []
        owners = self.before.get("customer_id", customer_id), self.after.get("customer_id", customer_id)
        for name, column in noted_columns(self.table).items():
            before = self.before.get(name) if self.existed else None
            after = self.after.get(name) if self.exists else None
            if before != after:
                is_hidden = any(column.info.get(each) for each in SENSITIVE)
                hidden = [is_hidden or (name != "customer_id" and owner != customer_id) for owner in owners]
                shown = [
                    HIDDEN if hide and value is not None else plain(value)
                    for hide, value in zip(hidden, (before, after), strict=True)
                ]
                found.append({"name": name, "before": shown[0], "after": shown[1]})
        return found


def note_changes(session: Session) -> None:
    """Note from now on what the session sends to the database; changes past the ORM raise `Unnoted`."""
    session.info[NOTED] = {}


def stop_noting(session: Session) -> None:
    """Forget what was noted, and note no more: for an erasure, whose values must be kept nowhere."""
    session.info.pop(NOTED, None)


def is_noting(session: Session) -> bool:
    return NOTED in session.info


def noted_changes(session: Session) -> dict[int | None, list[dict[str, Any]]]:
    """The changes of the rows of each customer, and under None of those that are of no customer's, in plain form."""
    found: dict[int | None, list[dict[str, Any]]] = {}
    noted: Iterable[NotedRow] = session.info[NOTED].values()
    for row in noted:
        action = "UPDATE" if row.existed and row.exists else "DELETE" if row.existed else "CREATE"
        key = ",".join(map(str, row.key))
        for customer_id in sorted(row.customers, key=lambda each: (each is not None, each)):
            if fields := row.fields(customer_id):
                change = {"object": row.table.__name__, "id": key, "action": action, "fields": fields}
                found.setdefault(customer_id, []).append(change)
    return found


@event.listens_for(Session, "before_flush")
def _read_unknown(session: Session, *_: Any) -> None:
    """Read, from the database, what would be overwritten or deleted unseen, because the attribute was not loaded."""
    if NOTED not in session.info:
        return
    for row in _in_order([*session.dirty, *session.deleted]):
        state: Any = inspect(row)
        changed = _old_values(row, is_deleted=row in session.deleted)
        for name in changed:
            if hasattr(state.dict.get(name), "__clause_element__") or isinstance(state.dict.get(name), ClauseElement):
                raise Unnoted(f"{name} was set to an SQL expression, whose value the audit log could not tell")
        unknown = [name for name, before in changed.items() if not before]
        if unknown:
            here = zip(state.mapper.primary_key, state.identity, strict=True)
            columns = [state.mapper.columns[name] for name in unknown]
            found = session.connection().execute(select(*columns).where(*(column == value for column, value in here)))
            for values in found:  # of a row that is gone there are none: the flush itself will fail
                _noted(session, row).keep(dict(zip(unknown, values, strict=True)))


@event.listens_for(Session, "after_flush")
def _note(session: Session, _context: UOWTransaction) -> None:
    """Called with the rows as they were sent, while it is still known what they were before."""
    if NOTED not in session.info:
        return
    for row in _in_order(session.new):
        noted = _noted(session, row, existed=False)
        noted.exists = True
        noted.after = {name: getattr(row, name) for name in columns_of(row)}
        noted.customers.add(customer_of(row))
    for row in _in_order(session.dirty):
        if changed := _old_values(row):
            noted = _noted(session, row)
            noted.keep({name: before[0] for name, before in changed.items() if before})
            noted.after |= {name: getattr(row, name) for name in changed}
            person = person_column(row)
            noted.customers |= {customer_of(row), *([noted.before[person]] if person in changed else [])}
    for row in _in_order(session.deleted):
        noted = _noted(session, row)
        noted.exists = False
        noted.keep({name: before[0] for name, before in _old_values(row, is_deleted=True).items() if before})
        noted.customers.add(noted.before.get(person_column(row), customer_of(row)))


@event.listens_for(Session, "do_orm_execute")
def _refuse_unnoted(execution: ORMExecuteState) -> None:
    """Called with every statement but those of a flush."""
    statement = execution.statement
    if NOTED in execution.session.info and isinstance(statement, UpdateBase):
        table = str(getattr(statement.table, "name", ""))
        if table not in unnoted_tables() and not _sets_derived_only(statement):
            raise Unnoted(f"rows of {table} can be changed through the ORM only, or the audit log would not tell")


def _sets_derived_only(statement: UpdateBase) -> bool:
    """Whether it is an UPDATE of columns that are made from others, of which the log never tells."""
    if not isinstance(statement, Update) or not isinstance(statement.table, Table):
        return False
    derived = {column.name for column in statement.table.c if any(column.info.get(of) for of in DERIVED)}
    return bool(statement._values) and {getattr(each, "name", each) for each in statement._values or ()} <= derived


@event.listens_for(Session, "after_transaction_create")
def _refuse_savepoints(session: Session, transaction: SessionTransaction) -> None:
    """What was noted would stay when a part of the transaction is rolled back."""
    if transaction.nested and NOTED in session.info:
        raise Unnoted("a part of a transaction that is logged cannot be rolled back on its own")


def _in_order(rows: Iterable[Any]) -> list[Any]:
    """The noted ones of a set of rows, which has no order of its own, by table and key."""
    return sorted(filter(is_noted, rows), key=lambda row: (row.__tablename__, _key_of(row)))


def _key_of(row: Any) -> tuple[Any, ...]:
    return tuple(inspect(type(row)).primary_key_from_instance(row))


def _noted(session: Session, row: Any, existed: bool = True) -> NotedRow:
    """What is noted about a row so far; if it is nothing, a new note of one that `existed` before."""
    key = _key_of(row)
    noted: NotedRow = session.info[NOTED].setdefault((type(row), key), NotedRow(type(row), key, existed))
    return noted


def _old_values(row: Base, *, is_deleted: bool = False) -> dict[str, Sequence[Any]]:
    """The names of the columns that were assigned, or if the row is deleted of all, with the value before; with none
    where the attribute had not been loaded."""
    attributes = inspect(row).attrs
    found: dict[str, Sequence[Any]] = {}
    for name in columns_of(row):
        history = attributes[name].history
        if is_deleted:
            found[name] = history.deleted or history.unchanged
        elif history.added:
            found[name] = history.deleted
    return found


@cache
def noted_columns(row: type[Base]) -> Mapping[str, Column[Any]]:
    """The columns of a row whose values are noted: neither keys and versions nor what is made from other columns."""
    mapper: Mapper[Any] = inspect(row)
    return {
        name: column
        for name, column in mapper.columns.items()
        if not (column.primary_key or column is mapper.version_id_col or any(column.info.get(of) for of in DERIVED))
    }


def columns_of(row: Base) -> Mapping[str, Column[Any]]:
    return noted_columns(type(row))


@cache
def unnoted_tables() -> frozenset[str]:
    """The tables that the gateway keeps for itself, as they tell of changes, or that there were some; so does the
    ledger, whose lines are the record of what they move."""
    modules = {bookkeeping.__name__, "datastore.loyalty.ledger"}
    mappers = Base.registry.mappers
    own = {mapper.class_.__tablename__ for mapper in mappers if mapper.class_.__module__ in modules}
    return frozenset({"audit_log", *own})


def is_noted(row: Any) -> bool:
    return row.__tablename__ not in unnoted_tables()


def customer_of(row: object) -> int | None:
    """The key of the customer that a row is, or belongs to."""
    return getattr(row, person_column(row), None)


def person_column(row: object) -> str:
    """The attribute of a row that has the key of the customer that it is, or belongs to; an empty text for others."""
    if isinstance(row, OwnedByCustomer):
        return row.__owner__
    return "id" if isinstance(row, Customer) else getattr(row, "__person__", "")


def plain(value: Any) -> str | bool | None:
    """A stored value as a text, or as what JSON has. Raises TypeError for one that has neither form."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, int | Decimal | date):
        return str(value)
    return orjson.dumps(value).decode()
