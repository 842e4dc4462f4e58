"""Checking the audit log: are the chains whole, and if not, where does the first break lie?"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Row, and_, func, select
from sqlalchemy.orm import aliased

from datastore.audit import (
    COVERED,
    ERASED,
    ERASURES,
    NO_SEAL,
    AuditKind,
    AuditLogEntry,
    digest,
    mac_of,
    seal_of,
)
from datastore.bookkeeping import AuditChain
from datastore.database import Database
from datastore.reading import among, columns, records
from datastore.sealing import Keyring

BATCH = 1000
MOST_ERASURES = 10_000
"""How many entries about erasures are looked at for one batch of entries."""
UNTOLD_ERASURE = "its details were erased, and no entry tells by whom"
HEADLESS = "the chain's head is gone: whether entries are missing at the end cannot be told"
UNREADABLE = (LookupError, TypeError, ValueError)
"""What reading a value raises that does not fit its column: SQLite stores it all the same."""


@dataclass(frozen=True, slots=True)
class Checked:
    """How far the chain of an organisation was checked: so many entries of `total`. Entry `entries + 1` has the
    problem, if there is one; or the chain itself, if it `is_headless`."""

    organisation_id: int
    entries: int
    total: int
    problem: str = ""
    is_headless: bool = False


@dataclass(frozen=True, slots=True)
class Ends:
    """Where a chain ends by its head, if it has one, and by the last of its entries, if there are any."""

    organisation_id: int
    last_number: int | None
    head_number: int | None
    head_seal: str | None

    @property
    def total(self) -> int:
        return (self.last_number or 0) if self.head_number is None else self.head_number


async def verify(database: Database) -> AsyncIterator[Checked]:
    """Check every chain up to the end that it has now, in batches. First comes one result for each organisation, with
    nothing checked; what comes last for it is its result.

    It reads only, and mutations may go on meanwhile. See `datastore.audit` for what no check of the database can tell.
    """
    chains = await _ends(database)
    for ends in chains:
        yield Checked(ends.organisation_id, 0, ends.total)
    for ends in chains:
        async for checked in _verify_chain(database, ends):
            yield checked


async def _ends(database: Database) -> list[Ends]:
    """The ends of all chains, read by one statement: between two, an entry could be added."""
    last = select(AuditLogEntry.organisation_id, func.max(AuditLogEntry.number).label("number"))
    entries = last.group_by(AuditLogEntry.organisation_id).subquery()
    every = select(AuditChain.organisation_id).union(select(entries.c.organisation_id)).subquery()
    key = every.c.organisation_id
    statement = (
        select(key, entries.c.number, AuditChain.number, AuditChain.mac)
        .outerjoin_from(every, entries, entries.c.organisation_id == key)
        .outerjoin(AuditChain, AuditChain.organisation_id == key)
        .order_by(key)
    )
    return [Ends(*tuple(row)) for row in await database.fetch(statement)]


async def _verify_chain(database: Database, ends: Ends) -> AsyncIterator[Checked]:
    seal, last_id = NO_SEAL, 0
    checked, size = Checked(ends.organisation_id, 0, ends.total), BATCH
    while not checked.problem and checked.entries < ends.total:
        try:
            found = await _entries(database, ends, checked.entries, size)
        except UNREADABLE:
            if size == 1:
                checked = replace(checked, problem="it cannot be read")
                yield checked
            size = 1  # one by one, up to the entry that cannot be read
            continue
        if not found:
            checked = replace(checked, problem="it is missing")
        told = await _told_erasures(database, found)
        for entry in found:
            was_told = told.get(entry.customer_id, 0) > entry.id
            if problem := problem_of(entry, checked.entries + 1, last_id, seal, database.keys, was_told):
                checked = replace(checked, problem=problem)
                break
            seal, last_id = seal_of(database.keys.keys[entry.key_id], entry.mac), entry.id
            checked = replace(checked, entries=entry.number)
        yield checked
    if not checked.problem:
        if ends.head_number is None:
            yield replace(checked, problem=HEADLESS, is_headless=True)
        elif ends.head_seal != seal:
            yield replace(checked, problem="it is missing, or the chain's head was changed")
        elif ends.last_number is not None and ends.last_number > ends.total:
            yield replace(checked, problem="the chain's head does not tell of it")


async def _entries(database: Database, ends: Ends, after: int, size: int) -> list[AuditLogEntry]:
    """The next entries of a chain after a number. Raises what is `UNREADABLE`."""
    wanted = select(AuditLogEntry.__table__).where(
        AuditLogEntry.organisation_id == ends.organisation_id, AuditLogEntry.number <= ends.total
    )
    if after:  # else also those with numbers before the first one, which nobody should have
        wanted = wanted.where(AuditLogEntry.number > after)
    found: Sequence[Row[Any]] = await database.fetch(wanted.order_by(AuditLogEntry.number).limit(size))
    return records(AuditLogEntry, found)


async def _told_erasures(database: Database, entries: Sequence[AuditLogEntry]) -> dict[int | None, int]:
    """The customers of whose entries details are erased -> the id of the last entry, of any chain, that says so.

    Whether that entry is as it was written, its MAC tells with the entry before it in its chain. What else was done to
    its chain is found where that is checked. One statement; none where nothing is erased.
    """
    wanted = {each.customer_id for each in entries if each.details == ERASED and each.customer_id is not None}
    if not wanted:
        return {}
    before: Any = aliased(AuditLogEntry)
    previous = and_(before.organisation_id == AuditLogEntry.organisation_id, before.number == AuditLogEntry.number - 1)
    statement = (
        select(*columns(AuditLogEntry), before.mac, before.key_id)
        .outerjoin(before, previous)
        .where(
            among(AuditLogEntry.customer_id, sorted(wanted)),
            AuditLogEntry.kind == AuditKind.CHANGE,
            AuditLogEntry.operation.in_(ERASURES),
        )
        .order_by(AuditLogEntry.id.desc())
        .limit(MOST_ERASURES)
    )
    told: dict[int | None, int] = {}
    try:
        found: Sequence[Any] = await database.fetch(statement)
    except UNREADABLE:
        return told
    for entry, row in zip(records(AuditLogEntry, found), found, strict=True):
        if entry.customer_id not in told and _tells_of_erasure(entry, row[-2], row[-1], database.keys):
            told[entry.customer_id] = entry.id
    return told


def _tells_of_erasure(entry: AuditLogEntry, mac: str | None, key_id: str | None, keys: Keyring) -> bool:
    """Whether an entry, after one with this MAC under this key, is genuine and says that its customer was erased."""
    key, key_before = keys.keys.get(entry.key_id), keys.keys.get(key_id or "")
    try:
        if key is None or (mac is not None and key_before is None) or (mac is None and entry.number != 1):
            return False
        seal = seal_of(key_before, mac) if key_before and mac is not None else NO_SEAL
        is_genuine = entry.mac == mac_of(key, seal, {name: getattr(entry, name) for name in COVERED})
        return (
            is_genuine
            and entry.details_digest == digest(entry.details)
            and entry.customer_id in entry.details.get("erased", ())
        )
    except (*UNREADABLE, AttributeError):
        return False


def problem_of(
    entry: AuditLogEntry, number: int, last_id: int, seal: str, keys: Keyring, was_told: bool = False
) -> str:
    """What is wrong with an entry at this place of the chain, after one with this id and seal, in words; the empty text
    if nothing is. Erased details are right where it `was_told`, by a later entry, that the customer was erased."""
    if entry.number != number:
        return "it is missing" if entry.number > number else f"entry {entry.number} stands before it"
    key = keys.keys.get(entry.key_id)
    if key is None:
        return "its key is not configured"
    try:
        if entry.mac != mac_of(key, seal, {name: getattr(entry, name) for name in COVERED}):
            return "it was changed"
        if entry.details == ERASED:
            if not was_told:
                return UNTOLD_ERASURE
        elif entry.details_digest != digest(entry.details):
            return "its details were changed"
    except UNREADABLE:
        return "it cannot be read"
    return "" if entry.id > last_id else "its place in the list was changed"
