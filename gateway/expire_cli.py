"""The command `kundeport expire`."""

import asyncio
import sys
from datetime import UTC, datetime

import click

from datastore.erasure import BATCH, Expired, count_due, expire_batch, overwrite_log
from datastore.loyalty.expiry import Ended, count_ended
from gateway.app import at_newest_revision
from gateway.command import database_or_exit, run, settings_or_exit
from gateway.expiry import CONTRACTS, end_contracts
from gateway.settings import Settings
from resolvers.oslo import today


@click.command(name="expire")
@click.option("--dry-run", is_flag=True, help="Only tell how many people are to be erased.")
@click.option(
    "--batch", default=BATCH, show_default=True, type=click.IntRange(1, 1000), help="People in one transaction."
)
def expire_command(dry_run: bool, batch: int) -> None:
    """Erase everybody whose expiration date has come, with all that is stored about them, for good.

    A person is due from the beginning of that day in Norway. Contracts that have ended are marked as expired then, and
    coupons that were held for too long are given back. The command can be stopped and run again, run several times at
    once, and run while the gateway serves.
    """
    settings = settings_or_exit()
    database_or_exit(settings, "KUNDEPORT_DATABASE_URL must name the gateway's")
    lines: list[str] = []
    run(settings, expire_all(settings, dry_run, batch, lines))
    for line in lines:
        click.echo(line)


async def expire_all(settings: Settings, dry_run: bool, batch: int, lines: list[str]) -> None:
    """Fill `lines` with what was done, with a progress bar. Raises `NotMigrated`, and `CannotOpen` without a key."""
    database = settings.database()
    try:
        await at_newest_revision(database)
        to_erase = await count_due(database, today(datetime.now(UTC)))
        if dry_run:
            lines.append(f"To be erased: {counted(to_erase, 'person', 'people')}.")
            if to_end := await count_ended(database, datetime.now(UTC)):
                lines.append(f"To be ended: {told(to_end)}.")
            return
        erased = Expired()
        with click.progressbar(length=to_erase, label="People to erase", file=sys.stderr) as bar:
            while True:
                now = datetime.now(UTC)
                done = await expire_batch(database, today(now), now, batch)
                if not done.people:
                    break
                erased += done
                bar.update(done.people)
        if erased.people:
            await overwrite_log(database)
        parts = (counted(erased.profiles, "profile", "profiles"), counted(erased.rows, "row", "rows"))
        lines.append(f"Erased: {counted(erased.people, 'person', 'people')} ({', '.join(parts)}).")
        if ended := await end_contracts(database, asyncio.Event(), CONTRACTS):
            lines.append(f"Ended: {told(ended)}.")
    finally:
        await database.close()


def told(ended: Ended) -> str:
    contracts = counted(ended.contracts, "contract", "contracts")
    return f"{contracts}, {counted(ended.reservations, 'reservation', 'reservations')}"


def counted(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"
