"""Three stocks of the same kinds of data: of the caller, of another organisation, of a neighbour in the own one.

Every text that is long enough is a mark of its stock, found nowhere else. Keys of 10 digits begin with the number of
their stock. What begins with 7, or has `zq7` in it, exists nowhere.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any

import sqlalchemy as sa

from datastore import customer as stored
from datastore.audit import Reveal, record_reveals
from datastore.base import Base, KeyText, rfc3339
from datastore.customer import CustomerStatus, ProfileType
from datastore.customer_merge import CustomerMerge
from datastore.database import Database
from datastore.demo.numbers import ecard_number_16digits
from datastore.reading import columns
from datastore.text import email_key
from datastore.viewer import GRANTABLE, Viewer
from tests.customer.passwords import CHEAP
from tests.factories.customer import CHANGES, MOMENT, inserted

OPERATOR = "16160"
OWN_CARD = "5500000001"
UNUSED_CARD = "5500000009"
OWN_ORDER, SHARED_ORDER = "order-of-ours", "order-of-all"
PASSWORD = "the right password"
"""Of every customer who is active."""
PASSWORD_HASH = CHEAP.hash(PASSWORD)
SHORTEST_MARK = 8
DIGITS = {"telephone_number", "telephone_number_no_country_code", "landline_number", "ecard_number"}
KINDS = ("active", "connected", "deleted", "merged", "passive", "pticket", "temporary")


@dataclass(slots=True)
class Stock:
    """The customers of one stock by kind, and all marks in it."""

    number: int
    organisation_id: int
    customers: dict[str, stored.Customer] = field(default_factory=dict)
    addresses: dict[str, stored.PostalAddress] = field(default_factory=dict)
    cards: dict[str, stored.Ecard] = field(default_factory=dict)
    tickets: dict[str, stored.PersonnelTicketBearer] = field(default_factory=dict)
    consents: dict[str, stored.CustomerConsent] = field(default_factory=dict)
    accounts: dict[str, stored.CustomerAccount] = field(default_factory=dict)
    notes: dict[str, stored.Note] = field(default_factory=dict)
    travellers: dict[str, stored.TravellerInfo] = field(default_factory=dict)
    marks: set[str] = field(default_factory=set)
    offered: set[str] = field(default_factory=set)
    """Marks of the preference, which are no secret in its organisation."""
    preference: stored.Preference | None = None
    _counted: Any = field(default_factory=count)

    def mark(self, *, digits: bool = False) -> str:
        """A new mark: a text, or 10 digits."""
        number = next(self._counted)
        made = f"{self.number}8{number:08d}" if digits else f"zq{self.number}{number:05d}"
        self.marks.add(made)
        return made

    def uuid(self) -> str:
        """A new mark that is a UUID."""
        made = f"{self.number:08x}-5ec2-4000-8000-{next(self._counted):012x}"
        self.marks.add(made)
        return made

    def marked(self, row: type[Base], given: Mapping[str, Any]) -> dict[str, Any]:
        """The given values, and a mark in every other text column that has room for one."""
        values = dict(given)
        for column in columns(row):
            type_: Any = column.type
            is_text = isinstance(type_, sa.String | KeyText) and not isinstance(type_, sa.Enum)
            is_made = {"sort_key_of", "is_derived", "is_secret", "sealed"} & column.info.keys()
            has_room = is_text and (type_.length or SHORTEST_MARK) >= SHORTEST_MARK
            if has_room and not is_made and column.name not in values:
                mark = self.mark(digits=column.name in DIGITS)
                values[column.name] = mark.ljust(32, "x") if column.name == "uuid" else mark
        return values

    async def store(self, database: Database, row: type[Any], **given: Any) -> Any:
        """A new row with marks."""
        return (await inserted(database, row, self.marked(row, given)))[0]


async def stock(database: Database, number: int, organisation_id: int, preference: stored.Preference | None) -> Stock:
    """Store a customer of every kind, with what hangs on it. A preference of the organisation is made if none is
    given."""
    made = Stock(number, organisation_id)
    made.preference = preference or await made.store(
        database,
        stored.Preference,
        id=number * 1_000_000_000 + 900,
        organisation_id=organisation_id,
        preference_type="TRAVEL",
        **CHANGES,
    )
    made.offered, made.marks = made.marks, set()
    for place, kind in enumerate(KINDS):
        email = f"{made.mark()}@example.no"
        name = made.mark()
        values: dict[str, Any] = {
            "id": number * 10_000 + place,
            "customer_number": number * 1_000_000_000 + place,
            "organisation_id": organisation_id,
            "first_name": name,
            "email": None if kind == "deleted" else email,
            "email_key": None if kind == "deleted" else email_key(email),
            "email_old": email if kind == "deleted" else None,
            "country_code": "+49",
            "date_of_birth": date(1900 + number, 2, 1 + place),
            "password_hash": PASSWORD_HASH,
            **CHANGES,
            **OF_KIND[kind](number * 10_000),
        }
        owner = await made.store(database, stored.Customer, **values)
        made.marks |= {str(owner.customer_number), email}
        made.customers[kind] = owner
        await belongings(database, made, kind, owner)
    await merged(database, made)
    return made


async def merged(database: Database, made: Stock) -> None:
    """How the merged profile became that, as far as undoing it needs it."""
    owner, into = made.customers["merged"], made.customers["active"]
    names = ("changed_by", "changed_by_channel", "merged_into_id")
    values = {"status": "A", "changed_at": rfc3339(MOMENT), "version": 1, **dict.fromkeys(names)}
    before = [{"table": "customer", "key": owner.id, "values": values, "version": owner.version}]
    await made.store(
        database, CustomerMerge, customer_id=into.id, merged_id=owner.id, merged_at=datetime.now(UTC), before=before
    )


OF_KIND: dict[str, Any] = {
    "active": lambda _: {},
    "connected": lambda first: {"parent_id": first},
    "deleted": lambda _: {
        "status": CustomerStatus.DELETED,
        "status_before_deletion": CustomerStatus.ACTIVE,
        "expiration_date": date(2099, 12, 31),
    },
    "merged": lambda first: {"status": CustomerStatus.PASSIVE, "merged_into_id": first},
    "passive": lambda _: {"status": CustomerStatus.PASSIVE},
    "pticket": lambda _: {"profile_type": ProfileType.PERSONNEL_TICKET},
    "temporary": lambda _: {"profile_type": ProfileType.TEMPORARY, "expiration_date": date(2099, 12, 31)},
}


async def belongings(database: Database, made: Stock, kind: str, owner: stored.Customer) -> None:
    """One of everything that hangs on a customer."""
    of = {"customer_id": owner.id}
    made.addresses[kind] = await made.store(
        database, stored.PostalAddress, id=owner.customer_number, type_of_address=stored.AddressType.PRIVATE,
        country_code="NOR", **of, **CHANGES,
    )  # fmt: skip
    card = made.mark(digits=True)
    made.cards[kind] = await made.store(
        database, stored.Ecard, id=owner.customer_number, ecard_operator=OPERATOR, ecard_number=card,
        start_of_ownership=MOMENT, ecard_number_16digits=ecard_number_16digits(OPERATOR, card), **of, **CHANGES,
    )  # fmt: skip
    for is_legacy in (True, False):
        consent = await made.store(
            database, stored.CustomerConsent, is_legacy=is_legacy, consent_choice=True, **of, **CHANGES
        )
    made.consents[kind] = consent
    await made.store(
        database, stored.CustomerConsentAnswer, consent_id=consent.id, consent_choice=True, answered_at=MOMENT, **of
    )
    assert made.preference
    await made.store(database, stored.CustomerPreference, preference_id=made.preference.id, **of, **CHANGES)
    made.accounts[kind] = await made.store(
        database, stored.CustomerAccount, id=owner.customer_number, created_at=MOMENT, **of
    )
    text = database.keys.seal(made.mark(), stored.Note.text)
    made.notes[kind] = await made.store(database, stored.Note, id=owner.customer_number, text=text, **of, **CHANGES)
    made.tickets[kind] = await made.store(
        database, stored.PersonnelTicketBearer, bearer_customer_id=owner.id, **of, **CHANGES
    )
    made.travellers[kind] = await made.store(
        database, stored.TravellerInfo, organisation_id=made.organisation_id, legs=[made.mark()], **of
    )


@dataclass(frozen=True, slots=True)
class World:
    """The caller's own stock, and those of others."""

    own: Stock
    foreign: Stock
    neighbour: Stock
    households: dict[int, Any] = field(default_factory=dict)
    """What `personnel.fill_households` stores, by number."""
    contracts: dict[int, Any] = field(default_factory=dict)
    """What `loyalty.fill_contracts` stores, by number."""
    kept: dict[type[Base], list[int]] = field(default_factory=dict)
    """The keys of each row class of those."""


async def fill(database: Database) -> World:
    """Store all three stocks, and what bad data there could be between them."""
    own = await stock(database, 1, 1, None)
    foreign = await stock(database, 2, 2, None)
    neighbour = await stock(database, 3, 1, own.preference)
    mine, number = own.customers["active"], 90
    for other in (foreign, neighbour):
        theirs = other.customers["active"]
        number += 10
        # Merged across: mine into theirs, theirs into mine, and mine into mine through theirs.
        base = {"organisation_id": 1, "status": CustomerStatus.PASSIVE, **CHANGES}
        through = own.number * 1_000_000_000 + number
        over = {**base, "id": 10_000 + number, "customer_number": through, "merged_into_id": theirs.id}
        own.customers[f"merged into {other.number}"] = await own.store(database, stored.Customer, **over)
        there = other.number * 1_000_000_000 + number
        if other is foreign:  # one of the own organisation that was merged into the caller's profile is the caller's
            back = {**base, "organisation_id": other.organisation_id, "merged_into_id": mine.id}
            key = other.number * 10_000 + number
            await other.store(database, stored.Customer, **back, id=key, customer_number=there)
            other.marks.add(str(there))
        # Connected across, both ways.
        child = {"organisation_id": 1, "parent_id": theirs.id, **CHANGES, "customer_number": through + 1}
        own.customers[f"connected to {other.number}"] = await own.store(
            database, stored.Customer, **child, id=10_000 + number + 1
        )
        child = {**child, "organisation_id": other.organisation_id, "parent_id": mine.id, "customer_number": there + 1}
        await other.store(database, stored.Customer, **child, id=other.number * 10_000 + number + 1)
        other.marks.add(str(there + 1))
        await own.store(
            database, stored.PersonnelTicketBearer, customer_id=mine.id, bearer_customer_id=theirs.id, **CHANGES
        )
        await other.store(
            database, stored.Ecard, customer_id=theirs.id, ecard_operator=f"2000{other.number}",
            ecard_number=shared_card(other), start_of_ownership=MOMENT + timedelta(days=other.number), **CHANGES,
            ecard_number_16digits=ecard_number_16digits(f"2000{other.number}", shared_card(other)),
        )  # fmt: skip
    assert foreign.preference
    await own.store(
        database, stored.CustomerPreference, customer_id=mine.id, preference_id=foreign.preference.id, **CHANGES
    )
    on_orders = [(each, order) for order in (OWN_ORDER, SHARED_ORDER) for each in (own, neighbour)]
    for travels, order in (*on_orders, (foreign, SHARED_ORDER)):
        await travels.store(
            database, stored.TravellerInfo, customer_id=travels.customers["active"].id, order_id=order,
            organisation_id=travels.organisation_id, legs=[travels.mark()],
        )  # fmt: skip
    for card in (OWN_CARD, shared_card(foreign), shared_card(neighbour)):
        await own.store(
            database, stored.Ecard, customer_id=mine.id, ecard_operator=OPERATOR, ecard_number=card,
            start_of_ownership=MOMENT, ecard_number_16digits=ecard_number_16digits(OPERATOR, card), **CHANGES,
        )  # fmt: skip
    for looker, looked_at in ((1, own), (1, neighbour), (2, foreign)):
        seen = {looked_at.customers[kind].id: Reveal(looked_at.mark(), {"Note.text"}) for kind in KINDS}
        viewer = Viewer(looker, permissions=GRANTABLE, subject=looked_at.mark(), client_id=looked_at.mark())
        await record_reveals(database, viewer, looked_at.mark(), looked_at.mark(), looked_at.mark(), seen)
    return World(own, foreign, neighbour)


def shared_card(other: Stock) -> str:
    """Number of a card of the caller and, with another operator, of others, who have had it for less long."""
    return f"550000000{other.number}"


TEN_DIGITS = re.compile(r"\b[1-9](\d{9})\b")
MARK = re.compile(r"zq\d(\d{5})")
UUID = re.compile(r"\b0000000\d(-5ec2-4000-8000-)")
DAY = re.compile(r"\b19(\d\d-\d\d-\d\d)\b")
CARD = re.compile(rf"\b{OPERATOR}(\d{{10}})\d\b")


def nowhere(value: Any) -> Any:
    """The same value, just as long, of something that exists nowhere."""
    if isinstance(value, Mapping):
        return {name: nowhere(each) for name, each in value.items()}
    if isinstance(value, list):
        return [nowhere(each) for each in value]
    if isinstance(value, bool) or value is None:
        return value
    text = str(value)
    if card := CARD.fullmatch(text):
        text = ecard_number_16digits(OPERATOR, str(nowhere(card[1])))
    text = UUID.sub(r"00000007\1", text)
    text = DAY.sub(r"18\1", MARK.sub(r"zq7\1", TEN_DIGITS.sub(r"7\1", text)))
    return type(value)(text)
