"""The customers of the demo data: made up, believable, and the same for the same seed on every database and machine.

Customer `index` of a seed depends on the seed and the index alone (and on the names of the pinned mimesis), so a longer
run begins with a shorter one, and the size of the batches makes no difference. Nothing depends on the clock: see
`draw.REFERENCE_DAY`.

The first three customers are `datastore.demo.showcase`. After them, of 1,000 customers about 700 belong to organisation
1, 200 to 2 and 100 to 3; 900 are standard profiles, 60 personnel ticket profiles and 40 temporary ones; 943 are active,
37 passive (30 of them merged, some in chains of two or three) and 20 deleted.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import Enum, auto
from functools import lru_cache
from hashlib import blake2b
from uuid import UUID

from datastore.customer import CustomerStatus, ProfileType
from datastore.demo import relations, showcase
from datastore.demo.draw import REFERENCE_DAY, Draw
from datastore.demo.names import NAMES_ABROAD, full_name, in_address, name_key
from datastore.demo.numbers import CUSTOMERS_PER_SEED, SHOWCASE, customer_number, organisation_number
from datastore.demo.relations import FIRST_DAY, PREFERENCES, Earlier, Profile, Row
from datastore.text import email_key

ORGANISATIONS = (1, 1, 1, 1, 1, 1, 1, 2, 2, 3)
"""One of ten, each as likely as the others."""

DOMAINS = ("example.no", "example.no", "example.no", "example.com", "example.org")
OLDEST, YOUNGEST = date(1931, 1, 1), date(2012, 12, 31)
NATIONALITIES = tuple(NAMES_ABROAD)
LANGUAGES = {
    "NOR": (*("NOB",) * 16, "NNO", "NNO", "SME", "ENG"),
    "SWE": ("SWE", "NOB"),
    "DNK": ("DAN", "NOB"),
    "POL": ("POL", "ENG", "NOB"),
}
LEGACY_LANGUAGES = {"ENG": "EN", "SWE": "SV", "DAN": "DA", "POL": "EN"}

_AS_WRITTEN = str.maketrans({" ": ".", "'": None, "’": None})

TABLES = (
    "customer",
    "postal_address",
    "ecard",
    "customer_consent",
    "customer_consent_answer",
    "customer_preference",
    "customer_account",
    "note",
    "personnel_ticket_bearer",
    "traveller_info",
)
"""The tables that batches have rows of, those that others refer to first."""

PREFERENCE_KEYS: Mapping[tuple[int, str], int] = {
    pair: key
    for key, pair in enumerate(
        [(organisation, preference.code) for organisation in sorted(set(ORGANISATIONS)) for preference in PREFERENCES],
        start=1,
    )
}
"""Keys of the preferences in a database without any other: by organisation and code."""


class Role(Enum):
    """What kind of customer one is."""

    STANDARD = auto()
    PERSONNEL = auto()
    TEMPORARY = auto()
    CONNECTED = auto()
    """A temporary profile with a standard one as its parent."""
    DELETED = auto()
    PASSIVE = auto()
    MERGED = auto()
    """Merged into an active profile."""
    MERGED_TWICE = auto()
    """Merged into a MERGED one."""
    MERGED_THRICE = auto()


_ROLES = (
    (Role.STANDARD, 855),
    (Role.PERSONNEL, 48),
    (Role.TEMPORARY, 27),
    (Role.CONNECTED, 13),
    (Role.DELETED, 20),
    (Role.PASSIVE, 7),
    (Role.MERGED, 23),
    (Role.MERGED_TWICE, 5),
    (Role.MERGED_THRICE, 2),
)
_LOTS = tuple(role for role, share in _ROLES for _ in range(share))
_LEADS_TO = {
    Role.CONNECTED: Role.STANDARD,
    Role.MERGED: Role.STANDARD,
    Role.MERGED_TWICE: Role.MERGED,
    Role.MERGED_THRICE: Role.MERGED_TWICE,
}
_STATUS = {
    Role.DELETED: CustomerStatus.DELETED,
    Role.PASSIVE: CustomerStatus.PASSIVE,
    Role.MERGED: CustomerStatus.PASSIVE,
    Role.MERGED_TWICE: CustomerStatus.PASSIVE,
    Role.MERGED_THRICE: CustomerStatus.PASSIVE,
}
_BEFORE_DELETION = (*(CustomerStatus.ACTIVE,) * 6, CustomerStatus.PASSIVE)
_MERGED = (Role.MERGED, Role.MERGED_TWICE, Role.MERGED_THRICE)


@dataclass(frozen=True, slots=True)
class Batch:
    """Some customers with all that belongs to them."""

    customers: int
    rows: dict[str, list[Row]]
    """Rows by table, with the tables of TABLES in that order. All rows of a table have the same columns: all of its."""


def customers(
    count: int,
    seed: int,
    *,
    batch_size: int = 1000,
    highest_keys: Mapping[str, int] | None = None,
    preference_keys: Mapping[tuple[int, str], int] = PREFERENCE_KEYS,
) -> Iterator[Batch]:
    """Customers 0 to `count` - 1 of a seed, in batches.

    Keys count on from `highest_keys`, the highest key of each table that is in the database already; `preference_keys`
    has the key of each preference of the catalogue by organisation and code.
    """
    if count > CUSTOMERS_PER_SEED:
        raise ValueError(f"a seed has at most {CUSTOMERS_PER_SEED:,} customers")
    highest = {table: (highest_keys or {}).get(table, 0) for table in TABLES}
    before_first = highest["customer"]
    for start in range(0, count, batch_size):
        batch = Batch(min(batch_size, count - start), {table: [] for table in TABLES})
        for index in range(start, start + batch.customers):
            for table, rows in _customer(seed, index, before_first, preference_keys).items():
                number(rows, highest, table)
                batch.rows[table] += rows
                if table == "customer_consent":
                    answers = relations.customer_consent_answers(rows)
                    number(answers, highest, "customer_consent_answer")
                    batch.rows["customer_consent_answer"] += answers
        yield batch


def customer_row(seed: int, index: int) -> Row:
    """A customer's own row in a database without others, made for itself alone."""
    row: Row = _customer(seed, index, 0, PREFERENCE_KEYS)["customer"][0]
    return row


def number(rows: list[Row], highest: dict[str, int], table: str) -> None:
    """Give the rows the keys after the highest one of their table."""
    for key, row in enumerate(rows, start=highest[table] + 1):
        row["id"] = key
    highest[table] += len(rows)


def _customer(
    seed: int, index: int, before_first: int, preference_keys: Mapping[tuple[int, str], int]
) -> dict[str, list[Row]]:
    """The rows of one customer by table, without the keys of what belongs to it."""
    if index in SHOWCASE:
        return showcase.rows(seed, index, before_first, preference_keys)
    draw = Draw(f"{seed}:{index}")
    organisation_id, role = traits(seed, index)
    created_at = draw.moment(FIRST_DAY)
    profile = Profile(
        seed=seed,
        index=index,
        id=before_first + 1 + index,
        number=customer_number(seed, index),
        organisation_id=organisation_id,
        profile_type=_profile_type(draw, role),
        created_at=created_at,
        changed_at=draw.moment(created_at) if draw.chance(0.7) else created_at,
    )
    found = earlier(seed, index, organisation_id, _LEADS_TO.get(role, Role.STANDARD))
    target = None if found is None else Earlier(found, before_first + 1 + found)
    if role in _LEADS_TO:
        profile.row = _customer_row(draw, profile, role, target.id if target else None)
    else:
        profile.earlier = target
        profile.row = _customer_row(draw, profile, role, None)
    accounts = relations.customer_accounts(draw, profile)
    profile.row["customer_account_id"] = next(
        (row["customer_account_id"] for row in accounts if row["is_default"]), None
    )
    return {
        "customer": [profile.row],
        "postal_address": relations.postal_addresses(draw, profile),
        "ecard": relations.ecards(draw, profile),
        "customer_consent": relations.customer_consents(draw, profile),
        "customer_preference": relations.customer_preferences(draw, profile, preference_keys),
        "customer_account": accounts,
        "note": relations.notes(draw, profile),
        "personnel_ticket_bearer": relations.personnel_ticket_bearers(draw, profile),
        "traveller_info": relations.traveller_infos(draw, profile),
    }


@lru_cache(maxsize=8192)
def traits(seed: int, index: int) -> tuple[int, Role]:
    """Organisation and role of a customer, found without making the customer."""
    lot = int.from_bytes(blake2b(b"%d:%d" % (seed, index), digest_size=8).digest(), "little")
    return ORGANISATIONS[lot % 10], _LOTS[(lot >> 16) % 1000]


def earlier(seed: int, index: int, organisation_id: int, role: Role) -> int | None:
    """The nearest customer before `index` of that organisation and role; None if there is none after the showcase.

    A merged one counts only if its own chain ends at an active profile.
    """
    next_role = _LEADS_TO.get(role)
    for before in range(index - 1, SHOWCASE.stop - 1, -1):
        if traits(seed, before) == (organisation_id, role) and (
            next_role is None or earlier(seed, before, organisation_id, next_role) is not None
        ):
            return before
    return None


def _profile_type(draw: Draw, role: Role) -> ProfileType:
    if role in (Role.TEMPORARY, Role.CONNECTED):
        return ProfileType.TEMPORARY
    share = {Role.STANDARD: 0.0, Role.PERSONNEL: 1.0, Role.DELETED: 0.05, Role.PASSIVE: 0.05}.get(role, 0.4)
    return ProfileType.PERSONNEL_TICKET if draw.chance(share) else ProfileType.STANDARD


def _customer_row(draw: Draw, profile: Profile, role: Role, leads_to: int | None) -> Row:
    is_temporary = profile.profile_type is ProfileType.TEMPORARY
    has_name = not (is_temporary and draw.chance(0.4))
    nationality = draw.pick(NATIONALITIES) if draw.chance(0.07) else "NOR"
    first_name, surname = full_name(draw, nationality) if has_name else (None, None)
    language = draw.pick(LANGUAGES.get(nationality, ("ENG", "ENG", "NOB")))
    email = _email(draw, profile, role, first_name, surname)
    is_deleted = role is Role.DELETED
    current_email = None if is_deleted else email
    country_code, number = _telephone(draw, 0.6 if is_temporary else 0.88)
    created_by, created_by_channel = _author(draw)
    changed_by, changed_by_channel = _author(draw)
    is_untouched = profile.changed_at == profile.created_at
    signs_in = role is Role.STANDARD and email is not None and draw.chance(0.7)
    return {
        "id": profile.id,
        "version": 1 if is_untouched else 2 + draw.below(4),
        "uuid": draw.letters(32),
        "customer_number": profile.number,
        "organisation_id": profile.organisation_id,
        "customer_ref": f"MEDLEM-{profile.number}" if draw.chance(0.04) else str(profile.number),
        "status": _STATUS.get(role, CustomerStatus.ACTIVE),
        "status_before_deletion": draw.pick(_BEFORE_DELETION) if is_deleted else None,
        "profile_type": profile.profile_type,
        "merged_into_id": leads_to if role in _MERGED else None,
        "parent_id": leads_to if role is Role.CONNECTED else None,
        "surname": surname,
        "surname_key": name_key(surname),
        "first_name": first_name,
        "first_name_key": name_key(first_name),
        "date_of_birth": draw.day(OLDEST, YOUNGEST) if draw.chance(0.4 if is_temporary else 0.92) else None,
        "date_of_death": _died(draw, profile) if role is Role.PASSIVE else None,
        "nationality": nationality if has_name else None,
        "language_preference_iso6393": language,
        "language_preference": LEGACY_LANGUAGES.get(language, "NO"),
        "email": current_email,
        "email_key": None if current_email is None else email_key(current_email),
        "email_old": email if is_deleted else None,
        "email_verified_at": draw.moment(profile.created_at) if current_email and draw.chance(0.7) else None,
        "country_code": country_code,
        "telephone_number_no_country_code": number,
        "telephone_number": f"{country_code}{number}" if number else None,
        "telephone_number_verified_at": draw.moment(profile.created_at) if number and draw.chance(0.5) else None,
        "landline_number": f"20{draw.digits(6)}" if draw.chance(0.06) else None,
        "vipps_id": str(UUID(int=draw.getrandbits(128), version=4)) if signs_in and draw.chance(0.45) else None,
        "invoice_organisation_id": organisation_number(draw.below(10**7)) if draw.chance(0.01) else None,
        "customer_account_id": None,
        "password_hash": None,
        "last_sign_in_at": draw.moment(profile.created_at) if signs_in else None,
        "last_sign_in_from": draw.pick(("web", "app")) if signs_in else None,
        "expiration_date": _expires(draw, profile, role),
        "created_by": created_by,
        "created_by_channel": created_by_channel,
        "changed_by": created_by if is_untouched else changed_by,
        "changed_by_channel": created_by_channel if is_untouched else changed_by_channel,
        "created_at": profile.created_at,
        "changed_at": profile.changed_at,
    }


def _email(draw: Draw, profile: Profile, role: Role, first_name: str | None, surname: str | None) -> str | None:
    """An email nobody else has, for the customer number is in it; only travellers may share one (rule A01)."""
    is_temporary = profile.profile_type is ProfileType.TEMPORARY
    if not draw.chance(0.5 if is_temporary else 0.4 if role in _MERGED else 0.94):
        return None
    lot = draw.random()
    if is_temporary and lot < 0.1:
        return "turgruppe@example.no"
    domain = draw.pick(DOMAINS)
    if not surname or not first_name:
        return f"reisende.{profile.number}@{domain}"
    if lot < 0.02:
        return f"{first_name}.{surname}.{profile.number}@{domain}".translate(_AS_WRITTEN).lower()
    address = f"{in_address(first_name)}.{in_address(surname)}.{profile.number}"
    return f"{address.title() if lot < 0.05 else address}@{domain}"


def _telephone(draw: Draw, probability: float) -> tuple[str, str] | tuple[None, None]:
    """Country code and number, of a series in which nobody has one: in Norway not opened, abroad kept for films."""
    if not draw.chance(probability):
        return None, None
    lot = draw.random()
    if lot < 0.02:
        return "+46", f"7017406{5 + draw.below(95):02d}"
    if lot < 0.03:
        return "+44", f"7700900{draw.digits(3)}"
    return "+47", f"{draw.pick(('42', '43', '44', '49'))}{draw.digits(6)}"


def _author(draw: Draw) -> tuple[str, str]:
    """Who writes, and through which channel (rule C11)."""
    lot = draw.random()
    if lot < 0.4:
        return "web", "web"
    return ("app", "app") if lot < 0.8 else (draw.pick(relations.EMPLOYEES), "crm")


def _expires(draw: Draw, profile: Profile, role: Role) -> date | None:
    """The day on which the profile is to be erased (rule C15): only deleted and temporary ones have one."""
    if role is Role.DELETED:
        return draw.day(date(2027, 1, 1), date(2027, 12, 31))
    if profile.profile_type is ProfileType.TEMPORARY:
        return draw.day(date(2026, 2, 1), date(2027, 12, 31))
    return None


def _died(draw: Draw, profile: Profile) -> date | None:
    return draw.day(profile.created_at.date(), REFERENCE_DAY) if draw.chance(0.4) else None
