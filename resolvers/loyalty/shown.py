"""What views of the loyalty domain work out of a row and the present moment."""

from datetime import UTC, datetime
from enum import Enum
from typing import Any

from datastore.loyalty.contract import ContractStatus, PassengerCategory
from datastore.loyalty.usage import ReservationStatus


class LoyaltyProgramStatus(Enum):
    """Rule L02."""

    DRAFT = "DRAFT"
    CURRENT = "CURRENT"
    DEPRECATED = "DEPRECATED"


def program_status(version: Any, now: datetime | None = None) -> LoyaltyProgramStatus:
    """Of a version: DRAFT before its start, DEPRECATED once the next one has started or the program has ended (L02)."""
    now = now or datetime.now(UTC)
    if now < version.start_date:
        return LoyaltyProgramStatus.DRAFT
    is_over = now >= version.end_date or (version.superseded_at is not None and now >= version.superseded_at)
    return LoyaltyProgramStatus.DEPRECATED if is_over else LoyaltyProgramStatus.CURRENT


def contract_status(contract: Any, now: datetime | None = None) -> ContractStatus:
    """The stored status, but EXPIRED at the very second at which a valid contract or its program ends (L04, L12)."""
    is_over = contract.status is ContractStatus.VALID and (now or datetime.now(UTC)) >= contract.ends_at
    return ContractStatus.EXPIRED if is_over else contract.status


def reservation_status(reservation: Any, now: datetime | None = None) -> ReservationStatus:
    """The stored status, but EXPIRED at the very second at which what is held is over."""
    is_over = reservation.status is ReservationStatus.HELD and (now or datetime.now(UTC)) >= reservation.expires_at
    return ReservationStatus.EXPIRED if is_over else reservation.status


def is_senior(contract: Any) -> bool:
    """Rule L43."""
    return contract.passenger_category is PassengerCategory.SENIOR
