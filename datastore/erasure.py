"""Erasing a person: the customer profile, all that were merged into it, and everything that the gateway keeps of them.

Every table says here what becomes of its rows, and on which legal ground: `tests/customer/test_erasure.py` fails for a
table that does not. A domain whose law wants rows kept declares them as pseudonymised or kept.
"""

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Table,
    and_,
    delete,
    event,
    func,
    insert,
    not_,
    or_,
    select,
    update,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased, object_session

from datastore import customer as stored
from datastore.attempts import claimant_hash
from datastore.audit import ERASED, ERASURES, Act, AuditKind, AuditLogEntry, append
from datastore.base import Base
from datastore.bookkeeping import EventType, OutboxEvent, SignInFailure
from datastore.customer import Customer
from datastore.customer_merge import CustomerMerge
from datastore.database import Database
from datastore.keyset import cursor_key
from datastore.loyalty.contract import Contract, ContractConsumer
from datastore.loyalty.usage import ContractReservation, OrderLineEvent
from datastore.reading import among
from datastore.sealing import Keyring
from datastore.sign_in import name_hash
from datastore.text import email_key
from datastore.viewer import TenantKind, Viewer
from datastore.writing import CUSTOMER_QUEUE

NO_LONGER_NEEDED = "GDPR art. 17(1)"
ACCOUNTABILITY = "GDPR art. 5(2)"
BOOKKEEPING = "GDPR art. 17(3)(b), Norwegian Bookkeeping Act § 13"
MUTATION, EXPIRY = ERASURES
BATCH = 100
ATTEMPTS = 5
TRANSIENT = {"40001", "40P01"}
"""PostgreSQL: serialization failure, deadlock. The batch is rolled back whole and may be tried again."""


class ErasureAction(Enum):
    """What becomes of the rows of a table when the person they belong to is erased."""

    DELETED = "deleted"
    PSEUDONYMISED = "pseudonymised"
    KEPT = "kept"


@dataclass(frozen=True, slots=True)
class Rule:
    """What becomes of the rows of a class, and on which legal ground. Theirs are those with the key of a profile in one
    of the columns `via`; pseudonymised ones get `values`, which must take away whatever tells who it was."""

    row: type[Base]
    action: ErasureAction = ErasureAction.DELETED
    legal_ground: str = NO_LONGER_NEEDED
    via: Sequence[str] = ("customer_id",)
    values: Mapping[str, Any] = field(default_factory=dict)


RULES = (
    Rule(stored.PostalAddress),
    Rule(stored.Ecard),
    Rule(stored.CustomerConsentAnswer),
    Rule(stored.CustomerConsent),
    Rule(stored.CustomerPreference),
    Rule(stored.CustomerAccount),
    Rule(stored.Note),
    Rule(stored.PersonnelTicketBearer),
    Rule(stored.TravellerInfo),
    Rule(ContractConsumer),
    Rule(ContractReservation, ErasureAction.PSEUDONYMISED, BOOKKEEPING, values={"customer_id": None}),
    Rule(
        OrderLineEvent,
        ErasureAction.PSEUDONYMISED,
        BOOKKEEPING,
        values={"customer_id": None, "employee_id": None, "manual_transaction_comment": None},
    ),
    Rule(
        Contract,
        ErasureAction.PSEUDONYMISED,
        BOOKKEEPING,
        via=("holder_id",),
        values={"holder_id": None, "external_ref": None},
    ),
    Rule(CustomerMerge, via=("customer_id", "merged_id")),
    Rule(Customer, via=("id",)),
    Rule(SignInFailure, via=("name_hash",)),
    Rule(AuditLogEntry, ErasureAction.PSEUDONYMISED, ACCOUNTABILITY, values={"details": ERASED}),
)
"""In the order in which they are carried out: what refers to a row before the row."""

REFERENCES: Mapping[str, str] = {
    "customer.parent_id": "id",
    "customer.merged_into_id": "id",
    "personnel_ticket_bearer.bearer_customer_id": "customer_id",
}
"""Columns by which rows of others refer to the person, and become null -> the column that has those others' key."""

LEFT_ALONE: Mapping[str, str] = {
    "preference": "The catalogue of an organisation.",
    "outbox": "Tells who changed, by number, not what.",
    "idempotency": "Keyed hashes and keys of rows, for seven days.",
    "employee": "An employment is no part of the customer's profile; its number leads to nobody then.",
    "family_member": "As with employees.",
    "contract_policy": "Keyed hashes of what whoever claims a contract must be like; they name nobody.",
    **dict.fromkeys(
        ("total_amount", "coupon_year", "contract_transaction", "ledger_head", "ledger_line", "tax_distribution"),
        f"Amounts and coupons of a contract that names nobody any more: {BOOKKEEPING}.",
    ),
}
"""Tables that name customers, and that an erasure leaves alone -> why."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What is known of a profile before it is erased, as far as the erasure needs it."""

    id: int
    customer_number: int
    organisation_id: int
    names: Sequence[str | int]


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erasure did: the profiles that are gone, how many rows of each table its rule met, and the rows of others
    that referred to them, as `(table, key, column, key of the other, number, organisation)`."""

    profiles: Sequence[Profile]
    rows: Mapping[str, int]
    detached: Sequence[tuple[Table, int, str, int, int, int]]


async def locked_people(session: AsyncSession, condition: ColumnElement[bool]) -> list[Profile]:
    """The profiles that meet a condition, and those of the same organisation that were merged into one of them,
    directly or through others, in the order of their keys. They are locked until the end of the transaction."""
    start = select(Customer.id, Customer.organisation_id).where(condition).cte("person", recursive=True)
    merged = aliased(Customer)
    # `+ 0` keeps databases from walking through the organisation to find these few.
    same = and_(merged.merged_into_id == start.c.id, merged.organisation_id + 0 == start.c.organisation_id)
    # UNION, not UNION ALL: a row that was met before ends the walk, so a circle cannot run for ever.
    person = start.union(select(merged.id, merged.organisation_id).join(start, same))
    columns = (Customer.id, Customer.customer_number, Customer.organisation_id, Customer.email_key, Customer.email_old)
    statement = select(*columns).where(Customer.id.in_(select(person.c.id))).order_by(Customer.id)
    # Twice: whom somebody merged in while the first waited for its locks, the second finds, and nobody can any more.
    found: Sequence[Any] = ()
    for _ in range(2):
        found = (await session.execute(statement.with_for_update(of=Customer))).all()
    return [
        Profile(
            row.id,
            row.customer_number,
            row.organisation_id,
            names_of(row.customer_number, row.email_key, row.email_old),
        )
        for row in found
    ]


def names_of(number: int, email: str | None, old: str | None) -> list[str | int]:
    """What somebody may have tried to sign in with, as it is hashed."""
    return [number, *([] if email is None else [email]), *([] if old is None else [email_key(old)])]


async def erase(session: AsyncSession, secret: bytes, profiles: Sequence[Profile], now: datetime) -> Erased:
    """Erase the people who have these profiles, all of which `locked_people` has locked. As many statements for one row
    as for many. `tell` has to follow, in the same transaction; the session must not note changes.

    `secret` is what names are hashed with where failed sign-ins are counted: the `cursor_key` of the database.
    """
    ids = [profile.id for profile in profiles]
    names = [name_hash(secret, each.organisation_id, name) for each in profiles for name in each.names]
    names += [claimant_hash(secret, each.organisation_id, each.customer_number) for each in profiles]
    detached = [row for name in REFERENCES for row in await _detach(session, name, ids, now)]
    rows = {rule.row.__tablename__: await _carry_out(session, rule, ids, names) for rule in RULES}
    return Erased(profiles, rows, detached)


async def _detach(session: AsyncSession, name: str, ids: Collection[int], now: datetime) -> list[Any]:
    """Take the keys out of a column of others' rows, which get a new version if they have one."""
    table_name, column_name = name.split(".")
    table = Base.metadata.tables[table_name]
    owner, (key,) = table.c[REFERENCES[name]], table.primary_key.columns
    values: dict[str, Any] = {column_name: None}
    if "version" in table.c:
        values["version"] = table.c.version + 1
    if "changed_at" in table.c:
        values["changed_at"] = now
    others = and_(among(table.c[column_name], ids), not_(among(owner, ids)))
    changed = (await session.execute(update(table).where(others).values(values).returning(key, owner))).all()
    if not changed:
        return []
    wanted = select(Customer.id, Customer.customer_number, Customer.organisation_id)
    found = await session.execute(wanted.where(among(Customer.id, [row[1] for row in changed])))
    numbers = {row.id: (row.customer_number, row.organisation_id) for row in found}
    return [(table, key, column_name, owner, *numbers[owner]) for key, owner in sorted(map(tuple, changed))]


async def _carry_out(session: AsyncSession, rule: Rule, ids: Collection[int], names: Collection[str]) -> int:
    """How many rows the rule met."""
    table: Any = rule.row.__table__
    theirs = or_(*(among(table.c[name], names if name == "name_hash" else ids) for name in rule.via))
    if rule.action is ErasureAction.KEPT:
        return await session.scalar(select(func.count()).select_from(table).where(theirs)) or 0
    change: Any = delete(table) if rule.action is ErasureAction.DELETED else update(table).values(rule.values)
    result: Any = await session.execute(change.where(theirs))
    return int(result.rowcount)


async def tell(
    session: AsyncSession,
    keys: Keyring,
    erased: Erased,
    viewer_of: Callable[[int], Viewer],
    by: tuple[str, str],
    now: datetime,
    operation: str,
    more: Mapping[str, Any],
) -> None:
    """Post an UPDATE about each profile that is gone or whose reference is (V01), and write the audit entries: one for
    each of them, none with a value. `viewer_of` gives who acts for an organisation, `by` is the client's name and the
    correlation id, `more` goes into the details.

    Call it last, as `datastore.audit.append`. Raises CannotOpen without a key.
    """
    ids = [profile.id for profile in erased.profiles]
    about = {profile.id: (profile.customer_number, profile.organisation_id) for profile in erased.profiles}
    acts: dict[int, list[Act]] = {}
    for profile in erased.profiles:
        gone = {"object": Customer.__name__, "id": str(profile.id), "action": "DELETE", "fields": []}
        details = {"changes": [gone], "erased": ids, **more}
        acts.setdefault(profile.organisation_id, []).append(Act(AuditKind.CHANGE, operation, profile.id, details))
    for table, key, column, owner, number, organisation in erased.detached:
        about[owner] = (number, organisation)
        row = next(mapper.class_ for mapper in Base.registry.mappers if mapper.local_table is table)
        fields = [{"name": column, "before": None, "after": None}]
        change = {"object": row.__name__, "id": str(key), "action": "UPDATE", "fields": fields}
        acts.setdefault(organisation, []).append(Act(AuditKind.CHANGE, operation, owner, {"changes": [change]}))
    event_of = {"queue": CUSTOMER_QUEUE, "type": EventType.UPDATE, "changed_at": now, "correlation_id": by[1]}
    events = [
        {**event_of, "customer_number": number, "organisation_id": organisation}
        for number, organisation in about.values()
    ]
    await session.execute(insert(OutboxEvent.__table__), events)  # type: ignore[arg-type]
    viewers: dict[int, tuple[Viewer, list[Act]]] = {}
    for organisation, some in sorted(acts.items()):
        viewer = viewer_of(organisation)
        viewers.setdefault(viewer.organisation_id, (viewer, []))[1].extend(some)
    for _, (viewer, some) in sorted(viewers.items()):  # in this order, or two who erase could wait for each other
        await append(session, keys, viewer, *by, now, some)


# Those whose day has come


@dataclass(frozen=True, slots=True)
class Expired:
    """How many people were erased, with how many profiles and rows; profiles count as rows."""

    people: int = 0
    profiles: int = 0
    rows: int = 0

    def __add__(self, other: "Expired") -> "Expired":
        return Expired(self.people + other.people, self.profiles + other.profiles, self.rows + other.rows)


def due(today: date) -> ColumnElement[bool]:
    """The condition on profiles whose day of erasure (rule C15) has come. A merged one goes with its survivor."""
    return and_(Customer.expiration_date <= today, Customer.merged_into_id.is_(None))


async def count_due(database: Database, today: date) -> int:
    """How many people are to be erased."""
    return int((await database.fetch(select(func.count()).select_from(Customer).where(due(today))))[0][0])


async def expire_batch(
    database: Database, today: date, now: datetime, batch: int = BATCH, *, alone: bool = False
) -> Expired:
    """Erase up to so many people whose day has come, in one transaction; those whom somebody else holds are left out.

    Where that fails they are erased one by one, so that nobody who cannot be erased keeps the others from it; what the
    last one failed with is raised where nobody can. With `alone` it does nothing while another one that is `alone`
    works on the same database. Raises CannotOpen without a key.
    """
    database.keys.newest  # noqa: B018 - raises before anything is done
    secret = await cursor_key(database)
    try:
        return await _expire_whole(database, secret, today, now, batch, alone)
    except Exception as error:
        if batch == 1:
            raise
        erased, failure = Expired(), error
    first = select(Customer.id).where(due(today)).order_by(Customer.expiration_date, Customer.id).limit(batch)
    for (key,) in await database.fetch(first):
        try:
            erased += await _expire_whole(database, secret, today, now, 1, alone, key)
        except Exception as error:  # noqa: BLE001 - whatever it is, the next one may be erased
            failure = error
    if not erased.people:
        raise failure
    return erased


async def _expire_whole(
    database: Database, secret: bytes, today: date, now: datetime, batch: int, alone: bool, key: int | None = None
) -> Expired:
    """Erase up to so many people, or the one with this key, in one transaction that is tried again where others are in
    its way."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            async with database.write() as session:
                return await _expire(session, database, secret, today, now, batch, alone, key)
        except DBAPIError as error:
            if attempt == ATTEMPTS or getattr(error.orig, "sqlstate", None) not in TRANSIENT:
                raise
    raise AssertionError("unreachable")


async def _expire(
    session: AsyncSession,
    database: Database,
    secret: bytes,
    today: date,
    now: datetime,
    batch: int,
    alone: bool,
    key: int | None = None,
) -> Expired:
    if alone and database.dialect == "postgresql":
        name = int.from_bytes(hashlib.sha256(EXPIRY.encode()).digest()[:8], signed=True)
        if not await session.scalar(select(func.pg_try_advisory_xact_lock(name))):
            return Expired()
    # In the order of the index: in that of the keys, a database would walk through all customers to find these few.
    wanted = select(Customer.id).where(due(today)).order_by(Customer.expiration_date, Customer.id).limit(batch)
    if key is not None:
        wanted = wanted.where(Customer.id == key)
    ids = (await session.scalars(wanted.with_for_update(skip_locked=True))).all()
    if not ids:
        return Expired()
    profiles = await locked_people(session, among(Customer.id, ids))
    erased = await erase(session, secret, profiles, now)
    await tell(session, database.keys, erased, expiry_viewer, ("", ""), now, EXPIRY, {})
    return Expired(len(ids), len(profiles), sum(erased.rows.values()))


def expiry_viewer(organisation_id: int) -> Viewer:
    """Who acts when an expiration date has passed: the gateway itself."""
    return Viewer(organisation_id, TenantKind.INTERNAL, subject="kundeport expire")


async def overwrite_log(database: Database) -> None:
    """On SQLite, bring what was committed from the write-ahead log to the database, and cut the log, which still has
    the pages as they were before. Where a reader is in the way, the next one does it."""
    if database.dialect == "sqlite":
        async with database.engine.connect() as connection:
            autocommit = await connection.execution_options(isolation_level="AUTOCOMMIT")
            await autocommit.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")


@event.listens_for(Customer, "before_insert")
def never_use_a_key_again(mapper: Any, connection: Any, customer: Customer) -> None:
    """SQLite gives the key of the last row again once that is deleted. The log and idempotency records would then speak
    of the new customer as if it were the erased one."""
    if customer.id is None and connection.dialect.name == "sqlite":
        session = object_session(customer)
        new = [each.id or 0 for each in session.new if isinstance(each, Customer)] if session else []
        greatest = [select(func.max(each)).scalar_subquery() for each in (Customer.id, AuditLogEntry.customer_id)]
        customer.id = max(0, *new, *(each or 0 for each in connection.execute(select(*greatest)).one())) + 1
