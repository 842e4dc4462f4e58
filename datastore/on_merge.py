"""What a merge of two profiles does with rows that refer to the merged one, said by each row class:

    __on_merge__ = on_merge(customer_id=OnMerge(moves=True, key=("preference_id",)))

Every foreign key to a customer has its entry; `datastore.customer_merge` refuses to work where one is missing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class OnMerge:
    """What happens to rows by one foreign key: they move to the survivor, or stay with the merged profile.

    A row that has the same values in the columns `key` as one of the survivor's clashes with it and stays, too. Where
    the survivor already has a row that is its `only_one`, what moves loses this mark. Rows with `follows`, a foreign
    key to rows that may clash, stay where those stay.
    """

    moves: bool
    key: tuple[str, ...] = ()
    only_one: str | None = None
    follows: str | None = None


MOVES, STAYS = OnMerge(moves=True), OnMerge(moves=False)
Rules = Mapping[str, OnMerge]
"""Foreign key to a customer -> what a merge does by it."""


def on_merge(**by_column: OnMerge) -> Rules:
    return MappingProxyType(by_column)
