"""Listening to every statement of this process, whichever gateway sends it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine

from gateway.reads import Reads

NOT_HEARD = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "PRAGMA")


@contextmanager
def heard() -> Iterator[list[str]]:
    """A list that grows with the text of every statement run inside the block; transactions and PRAGMA left out."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if not statement.lstrip().upper().startswith(NOT_HEARD):
            seen.append(statement)

    fetch = Reads.fetch

    async def note_planned(self: Reads, sql: str, arguments: Sequence[Any]) -> Sequence[Any]:
        seen.append(sql)
        return await fetch(self, sql, arguments)

    event.listen(Engine, "before_cursor_execute", note)
    Reads.fetch = note_planned  # type: ignore[method-assign]
    try:
        yield seen
    finally:
        Reads.fetch = fetch  # type: ignore[method-assign]
        event.remove(Engine, "before_cursor_execute", note)
