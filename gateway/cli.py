"""The command `kundeport`."""

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import click
import uvicorn
from graphql import GraphQLError, build_schema, find_breaking_changes
from sqlalchemy import select

from datastore import migrate
from datastore.customer import Customer
from datastore.demo.load import AlreadyLoaded, load
from datastore.demo.personnel import LARGEST, beside
from gateway.app import at_newest_revision
from gateway.audit_cli import audit
from gateway.command import database_or_exit, demo_settings_or_exit, is_new_file, run, settings_or_exit
from gateway.expire_cli import expire_command
from gateway.identity.demo import ROLES, NoDemoKey, demo_key, token_for
from gateway.keys_cli import key_command, reseal_command
from gateway.lifecycle import serve_until_stopped
from gateway.settings import DEMO_DATABASE_URL, Settings
from gateway.transport import client_protocol
from gateway.trusted import BadDocument, collect, read_trusted
from resolvers.employee.granting import granting
from schema.permission import permission_table
from schema.root import schema as graph

DEMO_CUSTOMERS = 2_000
LOOPBACK = ("127.0.0.1", "localhost", "::1")


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
        os.environ["KUNDEPORT_DEMO"] = "true"  # the worker processes read it
        os.environ.setdefault("KUNDEPORT_DATABASE_URL", DEMO_DATABASE_URL)
    settings = settings_or_exit()
    if settings.demo and not demo:
        raise click.UsageError("KUNDEPORT_DEMO lets anybody in as anybody, and is set by `serve --demo` only: unset it")
    if demo and settings.issuers:
        raise click.UsageError("KUNDEPORT_ISSUERS is set: what has real issuers is no demo, where anybody may sign in")
    try:
        settings.check_can_serve()
        if settings.trusted_documents:
            read_trusted(settings.trusted_documents, graph, settings.limits)
    except ValueError as missing:
        raise click.UsageError(str(missing)) from None
    except BadDocument as bad:
        raise click.ClickException(str(bad)) from None
    if demo and host not in LOOPBACK:
        click.echo(f"Warning: --demo on {host}: anybody who reaches it can sign in as anybody.", err=True)
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
        http=client_protocol(settings.client_timeout),
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=None,
    )
    serve_until_stopped(config)


@main.command()
@click.option("--customers", default=DEMO_CUSTOMERS, show_default=True, type=click.IntRange(1), help="How many to add.")
@click.option(
    "--employees",
    type=click.IntRange(0),
    help=f"How many employees to add.  [default: three to two customers, at most {LARGEST:,}]",
)
@click.option("--seed", default=1, show_default=True, type=int, help="The same seed makes the same data.")
def demo(customers: int, employees: int | None, seed: int) -> None:
    """Fill the configured database with demo data."""
    settings = settings_or_exit()
    run(settings, fill(settings, customers, seed, employees))


@main.command(name="migrate")
def migrate_command() -> None:
    """Bring the configured database to the newest revision."""
    settings = settings_or_exit()
    run(settings, prepare(settings, 0))
    click.echo(f"The database is at revision {migrate.newest_revision()}.")


@main.command(name="token")
@click.option("--as", "role", required=True, type=click.Choice(list(ROLES)), help="Whom to sign in as.")
def token_command(role: str) -> None:
    """Print a token of the demo, valid for 24 hours; made with the key of `serve --demo`'s database."""
    settings = demo_settings_or_exit()
    database_or_exit(settings, "start `kundeport serve --demo` first")
    run(settings, print_token(settings, role))


@main.command(name="schema")
@click.option(
    "--check", "old", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="An earlier schema.graphql."
)
@click.option("--permissions", is_flag=True, help="Print what each field needs instead.")
def schema_command(old: Path | None, permissions: bool) -> None:
    """Print the schema; or report what breaks clients of an earlier one, and exit 1 if anything does."""
    if permissions:
        click.echo("\n".join(permission_table(graph._schema).lines()))
        return
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


@main.command(name="documents")
@click.option("--from", "source", default="operations", show_default=True, type=click.Path(path_type=Path))
@click.option("--to", "target", default="trusted-documents", show_default=True, type=click.Path(path_type=Path))
@click.option("--prune", is_flag=True, help="Remove the documents from TO that FROM no longer has.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def documents_command(source: Path, target: Path, prune: bool, as_json: bool) -> None:
    """Collect the documents *.graphql below the folder FROM as trusted documents in the folder TO.

    Prints the documentId, file and operation names of each.
    """
    try:
        found = collect(source, target, graph, settings_or_exit().limits, prune=prune)
    except (BadDocument, OSError) as error:
        raise click.ClickException(str(error)) from None
    if as_json:
        manifest = [
            {"documentId": each.document_id, "file": each.file, "operationNames": each.operations} for each in found
        ]
        click.echo(json.dumps(manifest, indent=2, ensure_ascii=False))
        return
    width = max(len(each.file) for each in found)
    for each in found:
        click.echo(f"{each.document_id}  {each.file:{width}}  {', '.join(each.operations)}")


for command in (audit, expire_command, key_command, reseal_command):
    main.add_command(command)


async def check(settings: Settings) -> None:
    """Raises `NotMigrated` unless the database is at the newest revision."""
    database = settings.database()
    try:
        await at_newest_revision(database)
    finally:
        await database.close()


async def prepare(settings: Settings, demo_customers: int) -> None:
    """Bring the database to the newest revision, and fill an empty one with so many demo customers."""
    database = settings.database()
    try:
        await migrate.upgrade(database)
        is_empty = not await database.fetch(select(Customer.id).limit(1))
    finally:
        await database.close()
    if demo_customers and is_empty:
        await fill(settings, demo_customers, seed=1)


async def print_token(settings: Settings, role: str) -> None:
    """Raises `NotMigrated`."""
    database = settings.database()
    try:
        await at_newest_revision(database)
        click.echo(token_for(role, await demo_key(database, create=False), datetime.now(UTC)))
    except NoDemoKey as error:
        raise click.ClickException(str(error)) from None
    finally:
        await database.close()


async def fill(settings: Settings, customers: int, seed: int, employees: int | None = None) -> None:
    database = settings.database()
    personnel = beside(customers, granting, employees)
    try:
        await migrate.upgrade(database)
        with click.progressbar(length=customers + personnel.employees, label="Demo data", file=sys.stderr) as bar:
            rows = await load(database, customers, seed, bar.update, personnel)
    except AlreadyLoaded as loaded:
        raise click.ClickException(str(loaded)) from None
    finally:
        await database.close()
    click.echo(f"{sum(rows.values()):,} rows: " + ", ".join(f"{name} {count:,}" for name, count in rows.items()))


if __name__ == "__main__":
    main()
