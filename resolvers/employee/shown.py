"""What is worked out of ticket rights and their holders (rules E34 and E37)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from typing import Any

from datastore.employee import rights
from datastore.employee.reads import ActiveTicketRightsHolder
from datastore.employee.rights import SyncState


class HolderType(Enum):
    """What a holder of ticket rights is (rule E37), in the words of the source."""

    ANSATT = "Ansatt"
    PENSJONIST = "Pensjonist"
    FAMILIE = "Familie"


@dataclass(frozen=True, slots=True)
class SyncStatus:
    """How far a ticket right is on its way to a system (rule E34)."""

    error_message: str | None
    is_ready_to_sync: bool
    sync_timestamp: datetime | None

    @property
    def state(self) -> SyncState:
        if self.error_message is not None:
            return SyncState.FAILED
        if self.sync_timestamp is not None:
            return SyncState.SYNCED
        return SyncState.READY if self.is_ready_to_sync else SyncState.NOT_READY


def sync_columns(system: str) -> tuple[str, str, str]:
    """The columns of a ticket right with its status in a system: `ticket` or `customer`."""
    return f"{system}_error_message", f"{system}_is_ready_to_sync", f"{system}_sync_timestamp"


def sync_status(system: str) -> Callable[[rights.TicketRight], SyncStatus]:
    return lambda right: SyncStatus(*(getattr(right, name) for name in sync_columns(system)))


def holder_type(holder: ActiveTicketRightsHolder) -> HolderType:
    """Rule E37."""
    here: Any = holder
    if here.family_member_id is not None:
        return HolderType.FAMILIE
    return HolderType.PENSJONIST if here.is_pensioner else HolderType.ANSATT


def pensioners_end(holder: ActiveTicketRightsHolder) -> date | None:
    """The last day of hire, for pensioners only (rule E37)."""
    here: Any = holder
    return here.hire_end_date if holder_type(holder) is HolderType.PENSJONIST else None
