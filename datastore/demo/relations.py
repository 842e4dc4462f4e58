"""What belongs to a customer of the demo data: addresses, e-cards, consents, preferences, accounts, notes, travels."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

from datastore.customer import AddressType, ProfileType
from datastore.demo.draw import Draw
from datastore.demo.names import name_key
from datastore.demo.numbers import ecard, ecard_number_16digits
from datastore.demo.places import ABROAD, POST_CODES, STOP_PLACES, STREETS

Row = dict[str, Any]
"""One row: the value of every column, as an entity would hold it."""

FIRST_DAY = datetime(2016, 3, 1, tzinfo=UTC)
"""No customer of the demo data is older."""
OLDEST_CARD = datetime(2012, 1, 1, tzinfo=UTC)
EMPLOYEES = ("crm.solveig", "crm.anders", "crm.nora", "kundesenter.oslo", "kundesenter.bodo", "billettluke.bergen")

CONSENTS = ("MARKETING_EMAIL", "MARKETING_SMS", "NEWSLETTER", "PERSONALISATION", "TRAVEL_HISTORY", "SURVEYS")
LEGACY_CONSENTS = ("NEWSLETTER", "MARKETING_EMAIL", "THIRD_PARTY", "PROFILING")

NOTES = (
    "Ringte om refusjon for innstilt tog. Saken er sendt videre.",
    "Kunden ønsker å bli kontaktet på e-post, ikke på telefon.",
    "Har fått nytt reisekort etter tap.",
    "Reiser med rullestol, trenger rampe ved avgang.",
    "Klage på forsinkelse er besvart. Reisegaranti utbetalt.",
    "Har meldt flytting, adressen er oppdatert.",
    "Spurte om rabatt for honnør. Fikk forklart vilkårene.",
    "Glemte bagasjen på toget. Henvist til hittegods.",
    "Kunden er lærer og bestiller jevnlig grupperabatt for skoleklasser.",
    "To profiler på samme person. Vurder sammenslåing.",
    "Fikk hjelp til å logge inn i appen.",
    "Ønsker kvittering med organisasjonsnummer.",
)
ECARD_NAMES = ("Reisekort", "Mitt kort", "Jobbkort", "Barnas kort", "Reserve")
ACCOUNT_ALIASES = ("Privat", "Jobb", "Familie", "Hytta", None)


class CataloguePreference(NamedTuple):
    """A preference that every organisation offers, and what customers answer; `{}` stands for a membership number."""

    code: str
    type: str
    description: str
    values: tuple[str, ...]
    is_active: bool = True


PREFERENCES = (
    CataloguePreference("SEAT", "TRAVEL", "Vindu eller midtgang", ("WINDOW", "AISLE")),
    CataloguePreference("QUIET_ZONE", "TRAVEL", "Plass i stillesone", ("true", "false")),
    CataloguePreference("WHEELCHAIR", "ACCESSIBILITY", "Plass til rullestol", ("true",)),
    CataloguePreference("DISCOUNT_CARD", "MEMBERSHIP", "Nummer på rabattkort", ("{}",)),
    CataloguePreference("NEWSLETTER_CHANNEL", "COMMUNICATION", "Kanal for nyhetsbrev", ("EMAIL", "SMS", "APP")),
    CataloguePreference("ALERTS", "COMMUNICATION", "Varsel om forsinkelse", ("SMS", "APP", "NONE")),
    CataloguePreference("BICYCLE", "TRAVEL", "Reiser ofte med sykkel", ("true",)),
    CataloguePreference("PAPER_TIMETABLE", "COMMUNICATION", "Rutehefte på papir (utgått)", ("true",), is_active=False),
)
CHOOSABLE_PREFERENCES = tuple(preference for preference in PREFERENCES if preference.is_active)


@dataclass(frozen=True, slots=True)
class Earlier:
    """An earlier customer."""

    index: int
    id: int


@dataclass(slots=True)
class Profile:
    """The customer that the rows of this module belong to."""

    seed: int
    index: int
    id: int
    number: int
    organisation_id: int
    profile_type: ProfileType
    created_at: datetime
    changed_at: datetime
    row: Row = field(default_factory=dict)
    """The customer's own row."""
    earlier: Earlier | None = None
    """An earlier active customer of the same organisation, if there is one."""


def postal_addresses(draw: Draw, profile: Profile) -> list[Row]:
    """One to three addresses, the private one first (rules C80 to C82); a temporary profile may have none."""
    if profile.profile_type is ProfileType.TEMPORARY:
        kinds = (AddressType.PRIVATE,) * draw.how_many(0.6, 0.4)
    else:
        others = (AddressType.INVOICE, AddressType.SHADOW, AddressType.PRIVATE)
        kinds = (AddressType.PRIVATE, *(draw.pick(others) for _ in range(draw.how_many(0.35, 0.4))))
    return [_postal_address(draw, profile, kind) for kind in kinds]


def _postal_address(draw: Draw, profile: Profile, kind: AddressType) -> Row:
    house = 1 + draw.below(120)
    if draw.chance(0.03):
        country_code, post_code, town, line = draw.pick(ABROAD)
        line1: str | None = line.format(house)
    else:
        country_code = "NOR"
        post_code, town = draw.pick(POST_CODES)
        line1 = f"{draw.pick(STREETS)} {house}{draw.pick('ABCD') if draw.chance(0.12) else ''}"
    if kind is AddressType.SHADOW and draw.chance(0.1):
        line1 = None
    elif kind is AddressType.INVOICE and draw.chance(0.2):
        line1 = f"Postboks {house}"
    return {
        "version": 1,
        "customer_id": profile.id,
        "type_of_address": kind,
        "address_line1": line1,
        "address_line1_key": name_key(line1),
        "address_line2": f"c/o {profile.row['surname'] or 'Resepsjonen'}" if draw.chance(0.05) else None,
        "post_code": post_code,
        "town": town,
        "country_code": country_code,
        "verified_at": draw.moment(profile.created_at) if draw.chance(0.4) else None,
        "created_at": profile.created_at,
        "changed_at": profile.changed_at,
    }


def ecards(draw: Draw, profile: Profile) -> list[Row]:
    """One to three ownerships of e-cards of one's own, some ended (rules C70 to C77), and perhaps an old one.

    A card has one open ownership at most (C76): the old one is of a card that is another customer's now, and ended
    before anybody's own card was handed out.
    """
    is_temporary = profile.profile_type is ProfileType.TEMPORARY
    own = draw.how_many(0.5, 0.5) if is_temporary else 1 + draw.how_many(0.45, 0.35)
    found = []
    for card in range(own):
        start = draw.moment(profile.created_at)
        end = draw.moment(start) if draw.chance(0.1 if card == 0 else 0.55) else None
        found.append(_ecard(draw, profile, ecard(profile.seed, profile.index, card), start, end))
    if profile.earlier is not None and draw.chance(0.04):
        start = draw.moment(OLDEST_CARD, FIRST_DAY)
        found.append(
            _ecard(draw, profile, ecard(profile.seed, profile.earlier.index, 0), start, draw.moment(start, FIRST_DAY))
        )
    return found


def _ecard(draw: Draw, profile: Profile, card: tuple[str, str], start: datetime, end: datetime | None) -> Row:
    operator, number = card
    booked = start.date() - timedelta(days=4 + draw.below(10)) if draw.chance(0.7) else None
    return {
        "version": 1,
        "customer_id": profile.id,
        "ecard_number": number,
        "ecard_operator": operator,
        "ecard_number_16digits": ecard_number_16digits(operator, number),
        "ecard_name": draw.pick(ECARD_NAMES) if draw.chance(0.3) else None,
        "booking_date": booked,
        "shipping_date": booked + timedelta(days=1 + draw.below(3)) if booked else None,
        "start_of_ownership": start,
        "end_of_ownership": end,
        "expiration_date": date(start.year + 8, start.month, 1) if draw.chance(0.6) else None,
        "created_at": max(start, profile.created_at),
        "changed_at": max(end or start, profile.created_at),
    }


def customer_consents(draw: Draw, profile: Profile) -> list[Row]:
    """Two to four consents and one or two legacy ones; a temporary profile has given none."""
    if profile.profile_type is ProfileType.TEMPORARY:
        return []
    chosen = [(False, code) for code in draw.several(CONSENTS, 2 + draw.how_many(0.2, 0.4))]
    chosen += [(True, code) for code in draw.several(LEGACY_CONSENTS, 1 + draw.how_many(0.4))]
    return [
        {
            "customer_id": profile.id,
            "is_legacy": is_legacy,
            "consent_code": code,
            "consent_choice": draw.chance(0.6),
            "created_at": profile.created_at,
            "changed_at": profile.changed_at,
        }
        for is_legacy, code in chosen
    ]


def customer_consent_answers(consents: list[Row]) -> list[Row]:
    """The one answer that each consent was given, but for legacy ones, whose answers nobody knows."""
    return [
        {
            "customer_id": consent["customer_id"],
            "consent_id": consent["id"],
            "consent_choice": consent["consent_choice"],
            "answered_at": consent["changed_at"],
            "answered_by": "web",
            "answered_by_channel": "web",
        }
        for consent in consents
        if not consent["is_legacy"]
    ]


def customer_preferences(draw: Draw, profile: Profile, keys: Mapping[tuple[int, str], int]) -> list[Row]:
    """One to three chosen preferences; `keys` has the key of every organisation's preferences by their code."""
    if profile.profile_type is ProfileType.TEMPORARY and draw.chance(0.8):
        return []
    return [
        {
            "version": 1,
            "customer_id": profile.id,
            "preference_id": keys[profile.organisation_id, preference.code],
            "preference_value": draw.pick(preference.values).format(draw.digits(8)),
            "created_at": profile.created_at,
            "changed_at": profile.changed_at,
        }
        for preference in draw.several(CHOOSABLE_PREFERENCES, 1 + draw.how_many(0.25, 0.35))
    ]


def customer_accounts(draw: Draw, profile: Profile) -> list[Row]:
    """None to two accounts, at most one of them the default one (rule C100)."""
    if profile.profile_type is ProfileType.TEMPORARY:
        return []
    default = draw.below(3)
    return [
        {
            "version": 1,
            "customer_id": profile.id,
            "customer_account_id": f"ABT-{draw.letters(12).upper()}",
            "alias": draw.pick(ACCOUNT_ALIASES),
            "is_default": number == default,
            "created_at": profile.created_at,
            "created_by": "app",
            "changed_at": changed_at,
            "changed_by": None if changed_at is None else "app",
        }
        for number in range(draw.how_many(0.25, 0.4))
        for changed_at in (profile.changed_at if draw.chance(0.3) else None,)
    ]


def notes(draw: Draw, profile: Profile) -> list[Row]:
    """None to two notes."""
    found = []
    for _ in range(draw.how_many(0.3, 0.4)):
        written, author = draw.moment(profile.created_at), draw.pick(EMPLOYEES)
        is_changed = draw.chance(0.15)
        found.append(
            {
                "version": 1,
                "customer_id": profile.id,
                "text": draw.pick(NOTES),
                "created_by": author,
                "changed_by": draw.pick(EMPLOYEES) if is_changed else author,
                "created_at": written,
                "changed_at": draw.moment(written) if is_changed else written,
            }
        )
    return found


def personnel_ticket_bearers(draw: Draw, profile: Profile) -> list[Row]:
    """The personnel ticket of whoever has one: every personnel profile, and some whose family works for a railway."""
    is_personnel = profile.profile_type is ProfileType.PERSONNEL_TICKET
    if profile.profile_type is ProfileType.TEMPORARY or not (is_personnel or draw.chance(0.25)):
        return []
    is_family = not is_personnel and profile.earlier is not None and draw.chance(0.3)
    return [
        {
            "customer_id": profile.id,
            "bearer_customer_id": profile.earlier.id if profile.earlier is not None and is_family else profile.id,
            "ticket_right_owner": f"JBD-{draw.digits(6)}",
            "ticket_right_bearer": f"{'FAM' if is_family else 'EMP'}-{draw.digits(7)}",
            "is_self_served_retrieval": draw.chance(0.5),
            "created_at": profile.created_at,
            "changed_at": profile.changed_at,
        }
    ]


def traveller_infos(draw: Draw, profile: Profile) -> list[Row]:
    """None to two journeys on which the customer, or somebody they booked for, travels (rule C106)."""
    found = []
    row = profile.row
    for _ in range(draw.how_many(0.2, 0.4)):
        order_id = draw.letters(8).upper()
        from_stop, to_stop = draw.several(STOP_PLACES, 2)
        found.append(
            {
                "customer_id": profile.id,
                "order_id": order_id,
                "organisation_id": profile.organisation_id,
                "legs": [f"{order_id}-{leg}" for leg in range(1, 2 + draw.how_many(0.6, 0.3))],
                "customer_ref": row["customer_ref"],
                "first_name": row["first_name"],
                "surname": row["surname"],
                "email": row["email"],
                "telephone_number": row["telephone_number"],
                "from_stop_place_ref": from_stop,
                "to_stop_place_ref": to_stop,
                "language_preference": row["language_preference_iso6393"],
            }
        )
    return found
