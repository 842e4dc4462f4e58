"""The commands `kundeport audit ...`."""

import sys

import click

from datastore.audit_check import Checked, verify
from datastore.sealing import CannotOpen
from gateway.app import at_newest_revision
from gateway.command import database_or_exit, demo_settings_or_exit, run, settings_or_exit
from gateway.settings import Settings


@click.group()
def audit() -> None:
    """Commands about the audit log."""


@audit.command(name="verify")
@click.option("--demo", is_flag=True, help="Check the log of `serve --demo`: its database, its keys.")
def verify_command(demo: bool) -> None:
    """Check that the audit log is whole; name the first broken entry of each organisation, and exit 1 if there is any.

    That a whole chain is gone, or that the database was taken back to an earlier state, shows only in the numbers that
    this prints: keep them where nobody can change them.
    """
    settings = demo_settings_or_exit() if demo else settings_or_exit()
    database_or_exit(
        settings, "start `kundeport serve --demo` first" if demo else "KUNDEPORT_DATABASE_URL must name the gateway's"
    )
    results: dict[int, Checked] = {}
    run(settings, check_chains(settings, results))
    for result in results.values():
        click.echo(line_of(result))
    if not results:
        click.echo("The audit log is empty.")
    if any(result.problem for result in results.values()):
        sys.exit(1)


async def check_chains(settings: Settings, results: dict[int, Checked]) -> None:
    """Fill `results` by organisation, with a progress bar. Raises `NotMigrated`, and `CannotOpen` without a key."""
    database = settings.database()
    try:
        await at_newest_revision(database)
        if not database.keys.keys:
            raise CannotOpen("there is no key to verify with; set KUNDEPORT_ENCRYPTION_KEYS")
        with click.progressbar(length=0, label="Audit log", file=sys.stderr) as bar:
            async for checked in verify(database):
                before = results.get(checked.organisation_id)
                if before is None:
                    bar.length = (bar.length or 0) + checked.total
                results[checked.organisation_id] = checked
                bar.update(checked.entries - (before.entries if before else 0))
    finally:
        await database.close()


def line_of(result: Checked) -> str:
    start = f"organisation {result.organisation_id}"
    if result.problem and result.is_headless:
        return f"{start}: {result.entries:,} entries, unbroken, but {result.problem}"
    if result.problem:
        return f"{start}: entry {result.entries + 1:,} is broken: {result.problem}"
    return f"{start}: {result.entries:,} entries, unbroken"
