"""What every resolver is given: who asks, with which client and why, and the database to answer from."""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.orm import InstrumentedAttribute

from datastore.audit import Reveal, record_reveals
from datastore.database import Database
from datastore.loaders import Loaders
from datastore.viewer import Permission, Viewer

LONGEST_NAME = 100


@dataclass(slots=True)
class Context:
    """One request. Its loaders remember what they read, so they never outlive it.

    `reason` is why the caller wants to see sensitive values; without one they stay masked. `masked` has the fields
    that did, as `Note.text`.
    """

    database: Database
    viewer: Viewer
    correlation_id: str = ""
    client_name: str = ""
    reason: str = ""
    masked: set[str] = field(default_factory=set)
    load: Loaders = field(init=False)
    _revealed: dict[int | str, Reveal] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Drop what was read so far: after a mutation it may be old."""
        self.load = Loaders(self.database, self.viewer)

    def reveal(
        self,
        info: Any,
        permission: Permission,
        column: InstrumentedAttribute[Any],
        sealed: str | None,
        subject: int | str,
    ) -> str | None:
        """The value sealed in a column of a row about somebody: the key of a customer, or a text such as `Employee 17`.
        None, and its field is `masked`, for a caller without the permission or without a reason. `finish` must be
        called before the value is answered. Raises CannotOpen."""
        coordinate = f"{info.parent_type.name}.{info.field_name}"
        if not self.reason or not self.viewer.holds(permission):
            self.masked.add(coordinate)
            return None
        if sealed is None:
            return None
        text = self.database.keys.open(sealed, column)
        revealed = self._revealed.get(subject)
        if revealed is None:
            name = info.operation.name
            revealed = self._revealed[subject] = Reveal(name.value[:LONGEST_NAME] if name else "")
        revealed.coordinates.add(coordinate)
        return text

    async def finish(self) -> None:
        """Write an audit line for each person of whom something was revealed. If it raises, nothing may be answered."""
        if self._revealed:
            await record_reveals(
                self.database, self.viewer, self.client_name, self.correlation_id, self.reason, self._revealed
            )
            self._revealed = {}
