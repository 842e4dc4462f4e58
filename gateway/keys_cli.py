"""The commands `kundeport key` and `kundeport reseal`."""

import sys
from datetime import UTC, datetime

import click

from datastore.resealing import Resealed, reseal
from datastore.sealing import new_key
from gateway.app import at_newest_revision
from gateway.command import database_or_exit, run, settings_or_exit
from gateway.settings import Settings

ADVICE = (
    "The first key: set KUNDEPORT_ENCRYPTION_KEYS to it.\n"
    "A further one: add it behind the old one and restart every process; move it to the front and restart again; then "
    "run: kundeport reseal"
)


@click.command(name="key")
@click.option("--id", "key_id", help="Id of the key, of letters, digits, - and _; by default it has today's date.")
def key_command(key_id: str | None) -> None:
    """Print a new key for KUNDEPORT_ENCRYPTION_KEYS."""
    try:
        key = new_key(f"k{datetime.now(UTC):%Y%m%d}" if key_id is None else key_id)
    except ValueError:
        raise click.UsageError("--id: 1 to 30 letters, digits, - and _") from None
    click.echo(key)
    click.echo(ADVICE, err=True)


@click.command(name="reseal")
def reseal_command() -> None:
    """Seal every sealed value anew that is not sealed with the newest key.

    It can be stopped and run again, also while the gateway serves. Exits 1 if any value cannot be opened. Keep the
    older keys all the same: `audit verify` needs them.
    """
    settings = settings_or_exit()
    database_or_exit(settings, "KUNDEPORT_DATABASE_URL must name the gateway's")
    results: dict[str, Resealed] = {}
    run(settings, reseal_all(settings, results))
    for result in results.values():
        click.echo(line_of(result))
    if any(result.closed for result in results.values()):
        sys.exit(1)


async def reseal_all(settings: Settings, results: dict[str, Resealed]) -> None:
    """Fill `results` by column, with a progress bar. Raises `NotMigrated`, and `CannotOpen` without a key."""
    database = settings.database()
    try:
        await at_newest_revision(database)
        with click.progressbar(length=0, label="Sealed values", file=sys.stderr) as bar:
            async for result in reseal(database):
                before = results.get(result.column)
                if before is None:
                    bar.length = (bar.length or 0) + result.found
                results[result.column] = result
                bar.update(passed(result) - (passed(before) if before else 0))
    finally:
        await database.close()


def passed(result: Resealed) -> int:
    return result.sealed + result.closed + result.left


def line_of(result: Resealed) -> str:
    parts = [f"{result.sealed:,} sealed anew"]
    if result.closed:
        parts.append(f"{result.closed:,} cannot be opened: their key is missing, or they were changed")
    if result.left:
        parts.append(f"{result.left:,} left, because they were changed meanwhile")
    return f"{result.column}: {', '.join(parts)}"
