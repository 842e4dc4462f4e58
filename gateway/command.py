"""What the commands share: reading the settings, and running work on the database."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from datastore.sealing import CannotOpen
from gateway.app import NotMigrated
from gateway.settings import Settings


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
    except CannotOpen as error:
        raise click.ClickException(str(error)) from None
    except (SQLAlchemyError, OSError, NotMigrated) as error:
        url = make_url(settings.database_url).render_as_string(hide_password=True)
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise click.ClickException(f"{url}: {reason}") from None
