"""What the commands share: reading the settings, and running work on the database."""

import asyncio
import re
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError
from pydantic_settings import SettingsError
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from datastore.sealing import CannotOpen
from gateway.app import NotMigrated
from gateway.settings import DEMO_DATABASE_URL, Settings


def settings_or_exit() -> Settings:
    """The settings; a wrong one ends the command with the name of its variable and what is wrong, not its value."""
    try:
        return Settings()
    except SettingsError as error:
        # Only lists are read as JSON, and the error has no more than a message to tell by which of them it is.
        field = re.search(r'field "(\w+)"', str(error))
        raise click.UsageError(f"KUNDEPORT_{field[1].upper() if field else '*'}: must be a JSON list") from None
    except ValidationError as error:
        places = [each["loc"] for each in error.errors()]
        # What holds a wrong part is wrong as well, in words that mislead: "at least 1 item, not 0" of a list of one.
        wrong = (
            told(variable(each["loc"]), each["msg"].removeprefix("Value error, "))
            for each in error.errors()
            if not any(place != each["loc"] and place[: len(each["loc"])] == each["loc"] for place in places)
        )
        raise click.UsageError("\n".join(wrong)) from None


def demo_settings_or_exit() -> Settings:
    """As `settings_or_exit`, but those of `serve --demo`: with its database, unless another is set, and its keys."""
    settings = settings_or_exit()
    is_set = "database_url" in settings.model_fields_set
    return settings.model_copy(
        update={"demo": True, "database_url": settings.database_url if is_set else DEMO_DATABASE_URL}
    )


def database_or_exit(settings: Settings, advice: str) -> None:
    """Ends the command, with advice, if the database is an SQLite file that is not there: reading would make it."""
    if is_new_file(settings.database_url):
        raise click.ClickException(f"{settings.database_url}: there is no database; {advice}")


def is_new_file(database_url: str) -> bool:
    """Whether the URL names an SQLite file that is not there yet, or is empty: it can be set up without asking."""
    url = make_url(database_url)
    file = Path(url.database or "")
    return url.get_backend_name() == "sqlite" and (not file.exists() or file.stat().st_size == 0)


def told(variable: str, problem: str) -> str:
    """A line about a wrong setting; the problem may begin with a place in its value."""
    return f"{variable}{'' if problem.startswith('[') else ': '}{problem}"


def variable(place: tuple[int | str, ...]) -> str:
    """The variable of a setting, and the place in its value: `KUNDEPORT_ISSUERS[0].audience`."""
    name, *within = place
    parts = (f"[{each}]" if isinstance(each, int) else f".{each}" for each in within)
    return f"KUNDEPORT_{name}".upper() + "".join(parts)


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
