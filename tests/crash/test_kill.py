"""A gateway that is killed while it writes: what it acknowledged is stored, whole; what is stored is whole, too."""

import signal
import subprocess
import sys
from pathlib import Path

from sqlalchemy import func, select, text

from datastore.audit import AuditLogEntry
from datastore.audit_check import verify
from datastore.bookkeeping import IdempotencyRecord, OutboxEvent
from datastore.customer import Customer, PostalAddress
from datastore.database import Database
from tests.conftest import KEYS
from tests.customer.mutations import CREATE, KARI, done

ROOT = Path(__file__).parents[2]
MOMENTS = (1, 4, 20)
"""After how many acknowledged mutations a writer is killed."""


def killed_writer(url: str, run: int, acknowledged: int) -> set[int]:
    """The customer numbers that a writer printed until it was killed, at the soonest after so many."""
    command = [sys.executable, "-m", "tests.crash.writer", url, f"run{run}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as writer:
        assert writer.stdout
        lines = [writer.stdout.readline() for _ in range(acknowledged)]
        writer.send_signal(signal.SIGKILL)
        lines += writer.stdout
    assert writer.returncode == -signal.SIGKILL
    return {int(line) for line in lines if line.endswith("\n")}


async def test_what_was_acknowledged_survives_kill_9_and_nothing_is_half_written(url: str) -> None:
    acknowledged: set[int] = set()
    for run, moment in enumerate(MOMENTS):
        acknowledged |= killed_writer(url, run, moment)
        database = Database(url, keys=KEYS)
        # Each statement sees one moment: on PostgreSQL the last transaction of a dead client may still end.
        row, events = Customer, OutboxEvent.customer_number
        counts = (
            select(func.count()).where(events == row.customer_number).scalar_subquery(),
            select(func.count()).where(PostalAddress.customer_id == row.id).scalar_subquery(),
        )
        whole = {tuple(values) for values in await database.fetch(select(row.customer_number, *counts))}
        assert acknowledged <= {number for number, *_ in whole}
        assert {(events, addresses) for _, events, addresses in whole} == {(1, 2)}
        assert await database.fetch(select(events).where(events.not_in(select(row.customer_number)))) == []
        keys, customers = (select(func.count()).select_from(t).scalar_subquery() for t in (IdempotencyRecord, row))
        assert [tuple(each) for each in await database.fetch(select(keys == customers))] == [(True,)]
        logged = select(func.count()).where(AuditLogEntry.customer_id == row.id).scalar_subquery()
        assert {tuple(each) for each in await database.fetch(select(logged).select_from(row))} == {(1,)}
        assert {checked.problem async for checked in verify(database)} == {""}
        if database.dialect == "sqlite":
            assert [tuple(row) for row in await database.fetch(text("PRAGMA integrity_check"))] == [("ok",)]
        await database.close()
    assert len(acknowledged) >= sum(MOMENTS)

    database = Database(url, keys=KEYS)
    assert (await done(database, CREATE, KARI))["customerNumber"] not in acknowledged
    await database.close()
