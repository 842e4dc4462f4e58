"""Statements over the ownerships of e-cards."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, or_, select

from datastore.customer import Ecard
from datastore.writing import Write


@dataclass(frozen=True, slots=True)
class Card:
    """What identifies an e-card (rule C70)."""

    operator: str
    number: str

    @property
    def is_mine(self) -> ColumnElement[bool]:
        """The condition on the ownerships of this card."""
        return and_(Ecard.ecard_operator == self.operator, Ecard.ecard_number == self.number)


@dataclass(frozen=True, slots=True)
class Ownership:
    """Keys of an ownership and of the customer whose it is."""

    id: int
    customer_id: int


def is_current(now: datetime) -> ColumnElement[bool]:
    """The condition on ownerships that have not ended yet."""
    return or_(Ecard.end_of_ownership.is_(None), Ecard.end_of_ownership > now)


async def ownership_of(write: Write, card: Card) -> Ownership | None:
    """The ownership of the card that counts: the current one, else the latest, of those that the viewer may see.

    It is read, not locked: lock its customer and look again.
    """
    current = is_current(write.now)
    statement = (
        select(Ecard.id, Ecard.customer_id)
        .where(card.is_mine, Ecard.visible_to(write.viewer))
        .order_by(current.desc(), Ecard.start_of_ownership.desc(), Ecard.id.desc())
        .limit(1)
    )
    found = (await write.session.execute(statement)).one_or_none()
    return None if found is None else Ownership(*found)


async def has_current_owner(write: Write, card: Card, besides: int | None = None) -> bool:
    """Whether the card has an owner now, whoever that is, by another ownership than the one with the key `besides`."""
    current = is_current(write.now)
    return await write.exists(Ecard, card.is_mine, current, Ecard.id != (besides or 0))
