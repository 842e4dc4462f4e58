"""What every resolver is given: who asks, with which client, and the database to answer from."""

from dataclasses import dataclass, field

from datastore.database import Database
from datastore.loaders import Loaders
from datastore.viewer import Viewer


@dataclass(slots=True)
class Context:
    """One request. Its loaders remember what they read, so they never outlive it."""

    database: Database
    viewer: Viewer
    correlation_id: str = ""
    client_name: str = ""
    load: Loaders = field(init=False)

    def __post_init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Drop what was read so far: after a mutation it may be old."""
        self.load = Loaders(self.database, self.viewer)
