"""The first three customers of the demo data: fixed, so that README, examples and tests can name them.

With the default seed, 1, they are

- customer 1000000001, Kari Nordmann, organisation 1: an active standard profile with everything a customer can have.
  Email `kari.nordmann@example.no`, customer reference `1000000001`, e-card 1616006912504173 (and an ended ownership of
  1616006933634710), two addresses, consents old and new, three preferences, two accounts, a note, a personnel ticket
  bearer and two journeys;
- customer 1000000002: her personnel ticket profile, passive, merged into 1000000001;
- customer 1000000003: a temporary profile without names or email, connected to 1000000001 as its parent.

No other customer of the demo data is merged into, connected to or bears a ticket for one of them. With another seed
they have that seed's numbers, uuids and e-cards, and the number in the email, and are the same otherwise.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from datastore.customer import AddressType, CustomerStatus, ProfileType
from datastore.demo.draw import Draw
from datastore.demo.numbers import DEFAULT_SEED, customer_number, ecard, ecard_number_16digits
from datastore.demo.relations import Row
from datastore.text import email_key, stored_key

ECARDS = (("16160", "0691250417"), ("16160", "0693363471"))

CREATED = datetime(2019, 5, 17, 8, 30, tzinfo=UTC)
CHANGED = datetime(2025, 11, 3, 14, 15, 30, 250_000, tzinfo=UTC)


def rows(
    seed: int, index: int, before_first: int, preference_keys: Mapping[tuple[int, str], int]
) -> dict[str, list[Row]]:
    """The rows of customer `index` (0 to 2) by table, without the keys of what belongs to it.

    `before_first` is the key before that of customer 0; `preference_keys` as for `people.customers`.
    """
    kari, key = before_first + 1, before_first + 1 + index
    number = customer_number(seed, index)
    uuid = Draw(f"{seed}:{index}").letters(32)
    if index == 1:
        return {"customer": [_merged(key, number, uuid, kari)], "personnel_ticket_bearer": [_bearer(key)]}
    if index == 2:
        return {"customer": [_connected(key, number, uuid, kari)]}
    email = "kari.nordmann@example.no" if seed == DEFAULT_SEED else f"kari.nordmann.{number}@example.no"
    cards = ECARDS if seed == DEFAULT_SEED else (ecard(seed, 0, 0), ecard(seed, 0, 1))
    return {
        "customer": [_kari(key, number, uuid, email)],
        "postal_address": [
            _address(key, AddressType.PRIVATE, "Storgata 1", "c/o Nordmann", "0155", "OSLO", CHANGED),
            _address(key, AddressType.INVOICE, "Åsveien 12 B", None, "7020", "TRONDHEIM", None),
        ],
        "ecard": [
            _ecard(key, cards[0], "Kortet mitt", datetime(2022, 8, 15, 6, 0, tzinfo=UTC), None),
            _ecard(key, cards[1], None, CREATED, datetime(2022, 8, 15, 5, 59, 59, tzinfo=UTC)),
        ],
        "customer_consent": [
            _consent(key, is_legacy, code, choice)
            for is_legacy, code, choice in (
                (False, "MARKETING_EMAIL", True),
                (False, "NEWSLETTER", True),
                (False, "PERSONALISATION", False),
                (False, "TRAVEL_HISTORY", True),
                (True, "NEWSLETTER", True),
                (True, "PROFILING", False),
            )
        ],
        "customer_preference": [
            _preference(key, preference_keys[1, code], value)
            for code, value in (("SEAT", "WINDOW"), ("QUIET_ZONE", "true"), ("DISCOUNT_CARD", "10042017"))
        ],
        "customer_account": [
            _account(key, "ABT-KARI00000001", "Privat", True),
            _account(key, "ABT-KARI00000002", "Jobb", False),
        ],
        "note": [
            {
                "version": 1,
                "customer_id": key,
                "text": "Ringte om refusjon for innstilt tog. Saken er sendt videre.",
                "created_by": "crm.solveig",
                "changed_by": "crm.anders",
                "created_at": datetime(2024, 2, 29, 9, 5, tzinfo=UTC),
                "changed_at": datetime(2024, 3, 1, 12, 0, tzinfo=UTC),
            }
        ],
        "personnel_ticket_bearer": [_bearer(key)],
        "traveller_info": [
            _journey(key, number, email, "KARI0001", ["KARI0001-1", "KARI0001-2"], "59872", "4029"),
            _journey(key, number, email, "KARI0002", ["KARI0002-1"], "4029", "59872"),
        ],
    }


def _customer(key: int, number: int, uuid: str, **values: Any) -> Row:
    row: Row = {
        "id": key,
        "version": 1,
        "uuid": uuid,
        "customer_number": number,
        "organisation_id": 1,
        "customer_ref": str(number),
        "status": CustomerStatus.ACTIVE,
        "status_before_deletion": None,
        "profile_type": ProfileType.STANDARD,
        "merged_into_id": None,
        "parent_id": None,
        "surname": None,
        "surname_key": stored_key(values.get("surname")),
        "first_name": None,
        "first_name_key": stored_key(values.get("first_name")),
        "date_of_birth": None,
        "date_of_death": None,
        "nationality": None,
        "language_preference_iso6393": "NOB",
        "language_preference": "NO",
        "email": None,
        "email_key": email_key(values["email"]) if "email" in values else None,
        "email_old": None,
        "email_verified_at": None,
        "country_code": None,
        "telephone_number_no_country_code": None,
        "telephone_number": None,
        "telephone_number_verified_at": None,
        "landline_number": None,
        "vipps_id": None,
        "invoice_organisation_id": None,
        "customer_account_id": None,
        "password_hash": None,
        "last_sign_in_at": None,
        "last_sign_in_from": None,
        "expiration_date": None,
        "created_by": "web",
        "created_by_channel": "web",
        "changed_by": "crm.solveig",
        "changed_by_channel": "crm",
        "created_at": CREATED,
        "changed_at": CHANGED,
    }
    return row | values


def _kari(key: int, number: int, uuid: str, email: str) -> Row:
    return _customer(
        key,
        number,
        uuid,
        version=4,
        surname="Nordmann",
        first_name="Kari",
        date_of_birth=date(1986, 10, 15),
        nationality="NOR",
        email=email,
        email_verified_at=CREATED,
        country_code="+47",
        telephone_number_no_country_code="42000001",
        telephone_number="+4742000001",
        telephone_number_verified_at=CREATED,
        landline_number="20000001",
        vipps_id="6f1c0a52-7d3e-4b8a-9c11-0a1b2c3d4e5f",
        invoice_organisation_id="300000002",
        customer_account_id="ABT-KARI00000001",
        last_sign_in_at=datetime(2025, 12, 24, 15, 0, tzinfo=UTC),
        last_sign_in_from="app",
    )


def _merged(key: int, number: int, uuid: str, kari: int) -> Row:
    return _customer(
        key,
        number,
        uuid,
        version=2,
        status=CustomerStatus.PASSIVE,
        profile_type=ProfileType.PERSONNEL_TICKET,
        merged_into_id=kari,
        surname="Nordmann",
        first_name="Kari",
        date_of_birth=date(1986, 10, 15),
    )


def _connected(key: int, number: int, uuid: str, kari: int) -> Row:
    return _customer(
        key,
        number,
        uuid,
        version=2,
        profile_type=ProfileType.TEMPORARY,
        parent_id=kari,
        expiration_date=date(2027, 6, 30),
    )


def _address(
    key: int, kind: AddressType, line1: str, line2: str | None, post_code: str, town: str, verified_at: datetime | None
) -> Row:
    return {
        "version": 1,
        "customer_id": key,
        "type_of_address": kind,
        "address_line1": line1,
        "address_line1_key": stored_key(line1),
        "address_line2": line2,
        "post_code": post_code,
        "town": town,
        "country_code": "NOR",
        "verified_at": verified_at,
        "created_at": CREATED,
        "changed_at": CHANGED,
    }


def _ecard(key: int, card: tuple[str, str], name: str | None, start: datetime, end: datetime | None) -> Row:
    operator, number = card
    return {
        "version": 1,
        "customer_id": key,
        "ecard_number": number,
        "ecard_operator": operator,
        "ecard_number_16digits": ecard_number_16digits(operator, number),
        "ecard_name": name,
        "booking_date": date(start.year, start.month, 1),
        "shipping_date": date(start.year, start.month, 3),
        "start_of_ownership": start,
        "end_of_ownership": end,
        "expiration_date": date(start.year + 8, start.month, 1),
        "created_at": start,
        "changed_at": end or start,
    }


def _consent(key: int, is_legacy: bool, code: str, choice: bool) -> Row:
    return {
        "customer_id": key,
        "is_legacy": is_legacy,
        "consent_code": code,
        "consent_choice": choice,
        "created_at": CREATED,
        "changed_at": CHANGED,
    }


def _preference(key: int, preference: int, value: str) -> Row:
    return {
        "version": 1,
        "customer_id": key,
        "preference_id": preference,
        "preference_value": value,
        "created_at": CREATED,
        "changed_at": CHANGED,
    }


def _account(key: int, account: str, alias: str, is_default: bool) -> Row:
    return {
        "version": 1,
        "customer_id": key,
        "customer_account_id": account,
        "alias": alias,
        "is_default": is_default,
        "created_at": CREATED,
        "created_by": "app",
        "changed_at": None,
        "changed_by": None,
    }


def _bearer(key: int) -> Row:
    return {
        "customer_id": key,
        "bearer_customer_id": key,
        "ticket_right_owner": "JBD-000001",
        "ticket_right_bearer": "EMP-0000001",
        "is_self_served_retrieval": True,
        "created_at": CREATED,
        "changed_at": CHANGED,
    }


def _journey(key: int, number: int, email: str, order: str, legs: list[str], from_stop: str, to_stop: str) -> Row:
    return {
        "customer_id": key,
        "order_id": order,
        "organisation_id": 1,
        "legs": legs,
        "customer_ref": str(number),
        "first_name": "Kari",
        "surname": "Nordmann",
        "email": email,
        "telephone_number": "+4742000001",
        "from_stop_place_ref": f"NSR:StopPlace:{from_stop}",
        "to_stop_place_ref": f"NSR:StopPlace:{to_stop}",
        "language_preference": "NOB",
    }
