"""The command `kundeport`."""

import asyncio
import os
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import click
import uvicorn
from graphql import GraphQLError, build_schema, find_breaking_changes
from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from datastore import migrate
from datastore.customer import Customer
from datastore.database import Database
from datastore.demo.load import AlreadyLoaded, load
from gateway.app import NotMigrated, at_newest_revision
from gateway.lifecycle import serve_until_stopped
from gateway.settings import DEMO_DATABASE_URL, Settings
from schema.root import schema as graph

DEMO_CUSTOMERS = 2_000


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="kundeport")
def main() -> None:
    """Kundeport: a GraphQL gateway over customers, employees and loyalty.

    Settings come from KUNDEPORT_* environment variables; the README lists them.
    """


@main.command()
@click.option("--demo", is_flag=True, help="Serve demo data, kept in a database file of its own.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535), help="Port to listen on.")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 256), help="Number of processes.")
def serve(demo: bool, host: str, port: int, workers: int) -> None:
    """Serve the gateway: /graphql, GraphiQL at /, /health/live and /health/ready."""
    if demo:
        os.environ.setdefault("KUNDEPORT_DATABASE_URL", DEMO_DATABASE_URL)
    settings = settings_or_exit()
    is_to_be_made = demo or is_new_file(settings.database_url)
    run(settings, prepare(settings, DEMO_CUSTOMERS if demo else 0) if is_to_be_made else check(settings))
    shown_host = "localhost" if host in ("127.0.0.1", "0.0.0.0", "::") else host  # noqa: S104
    click.echo(
        f"Starting Kundeport: GraphiQL at http://{shown_host}:{port}/  API at http://{shown_host}:{port}/graphql"
    )
    config = uvicorn.Config(
        "gateway.app:create_worker",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        loop="uvloop" if sys.platform != "win32" else "auto",
        http="httptools",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=None,
    )
    serve_until_stopped(config)


@main.command()
@click.option("--customers", default=DEMO_CUSTOMERS, show_default=True, type=click.IntRange(1), help="How many to add.")
@click.option("--seed", default=1, show_default=True, type=int, help="The same seed makes the same customers.")
def demo(customers: int, seed: int) -> None:
    """Fill the configured database with demo data."""
    settings = settings_or_exit()
    run(settings, fill(settings, customers, seed))


@main.command(name="migrate")
def migrate_command() -> None:
    """Bring the configured database to the newest revision."""
    settings = settings_or_exit()
    run(settings, prepare(settings, 0))
    click.echo(f"The database is at revision {migrate.newest_revision()}.")


@main.command(name="schema")
@click.option(
    "--check", "old", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="An earlier schema.graphql."
)
def schema_command(old: Path | None) -> None:
    """Print the schema; or report what breaks clients of an earlier one, and exit 1 if anything does."""
    if old is None:
        click.echo(graph.as_str())
        return
    try:
        before = build_schema(old.read_text("utf-8"), assume_valid=True)
    except (GraphQLError, ValueError) as error:
        raise click.ClickException(f"{old} is not a GraphQL schema: {error}") from None
    now = build_schema(graph.as_str(), assume_valid=True)
    breaking = find_breaking_changes(before, now)
    for change in breaking:
        click.echo(f"{change.type.name}: {change.description}")
    if breaking:
        sys.exit(1)
    click.echo("No breaking changes.")


def settings_or_exit() -> Settings:
    """The settings; a wrong one ends the command with the name of its variable and what is wrong, not its value."""
    try:
        return Settings()
    except ValidationError as error:
        wrong = (f"KUNDEPORT_{'_'.join(map(str, each['loc'])).upper()}: {each['msg']}" for each in error.errors())
        raise click.UsageError("\n".join(wrong)) from None


def run(settings: Settings, work: Coroutine[Any, Any, None]) -> None:
    """Run work on the database; if that does not answer, end the command with a line that says which and why."""
    file = Path(make_url(settings.database_url).database or "")
    if settings.database_url.startswith("sqlite") and not file.parent.is_dir():
        work.close()
        raise click.ClickException(f"{settings.database_url}: there is no folder {file.parent}")
    try:
        asyncio.run(work)
    except (SQLAlchemyError, OSError, NotMigrated) as error:
        url = make_url(settings.database_url).render_as_string(hide_password=True)
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise click.ClickException(f"{url}: {reason}") from None


async def check(settings: Settings) -> None:
    """Raises `NotMigrated` unless the database is at the newest revision."""
    database = Database(settings.database_url)
    try:
        await at_newest_revision(database)
    finally:
        await database.close()


async def prepare(settings: Settings, demo_customers: int) -> None:
    """Bring the database to the newest revision, and fill an empty one with so many demo customers."""
    database = Database(settings.database_url)
    try:
        await migrate.upgrade(database)
        is_empty = not await database.fetch(select(Customer.id).limit(1))
    finally:
        await database.close()
    if demo_customers and is_empty:
        await fill(settings, demo_customers, seed=1)


async def fill(settings: Settings, customers: int, seed: int) -> None:
    database = Database(settings.database_url)
    try:
        await migrate.upgrade(database)
        with click.progressbar(length=customers, label="Demo customers", file=sys.stderr) as bar:
            rows = await load(database, customers, seed, bar.update)
    except AlreadyLoaded as loaded:
        raise click.ClickException(str(loaded)) from None
    finally:
        await database.close()
    click.echo(f"{sum(rows.values()):,} rows: " + ", ".join(f"{name} {count:,}" for name, count in rows.items()))


def is_new_file(database_url: str) -> bool:
    """Whether the URL names an SQLite file that is not there yet: it can be set up without asking."""
    url = make_url(database_url)
    return url.get_backend_name() == "sqlite" and not Path(url.database or "").exists()


if __name__ == "__main__":
    main()
