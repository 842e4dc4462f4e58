"""The rows of the customer domain, with the nouns of the source system."""

from datetime import date, datetime
from enum import Enum
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    ColumnElement,
    Date,
    ForeignKey,
    Index,
    Select,
    String,
    Text,
    UniqueConstraint,
    and_,
    func,
    literal_column,
    select,
    true,
)
from sqlalchemy.orm import Mapped, aliased, declared_attr, mapped_column

from datastore.base import Base, BigKey, KeyText, broad, letters, sort_key_of
from datastore.on_merge import MOVES, STAYS, OnMerge, on_merge
from datastore.reading import among
from datastore.sealing import SEALED
from datastore.text import LAST
from datastore.viewer import Viewer


class CustomerStatus(Enum):
    """Rule C09. The letter is what the source systems send and what is stored."""

    ACTIVE = "A"
    PASSIVE = "P"
    DELETED = "D"


class ProfileType(Enum):
    """Rule C09."""

    STANDARD = "S"
    PERSONNEL_TICKET = "P"
    TEMPORARY = "T"


class AddressType(Enum):
    """Rule C09."""

    PRIVATE = "P"
    INVOICE = "I"
    SHADOW = "S"


class Changes:
    """Mixin: when a row came and when it last changed (aware times, UTC)."""

    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]


class Versioned:
    """Mixin: a number that grows with every change, so that two who change a row at once notice."""

    version: Mapped[int] = mapped_column(default=1)

    @declared_attr.directive
    def __mapper_args__(cls) -> dict[str, Any]:  # noqa: N805
        return {"version_id_col": cls.__table__.c.version}  # type: ignore[attr-defined]


class Customer(Versioned, Changes, Base):
    """A customer profile of one organisation (rule C01)."""

    __tablename__ = "customer"
    __on_merge__ = on_merge(merged_into_id=STAYS, parent_id=MOVES)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    uuid: Mapped[str] = mapped_column(KeyText(32), unique=True)
    customer_number: Mapped[int] = mapped_column(BigInteger, unique=True)
    organisation_id: Mapped[int] = mapped_column(BigInteger)
    customer_ref: Mapped[str] = mapped_column(KeyText(40))
    status: Mapped[CustomerStatus] = mapped_column(letters(CustomerStatus, "status"), default=CustomerStatus.ACTIVE)
    status_before_deletion: Mapped[CustomerStatus | None] = mapped_column(
        letters(CustomerStatus, "status_before_deletion")
    )
    profile_type: Mapped[ProfileType] = mapped_column(
        letters(ProfileType, "profile_type"), default=ProfileType.STANDARD
    )
    merged_into_id: Mapped[int | None] = mapped_column(ForeignKey("customer.id"))
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("customer.id"))

    surname: Mapped[str | None] = mapped_column(String(100))
    surname_key: Mapped[str] = sort_key_of("surname", 100)
    first_name: Mapped[str | None] = mapped_column(String(100))
    first_name_key: Mapped[str] = sort_key_of("first_name", 100)
    date_of_birth: Mapped[date | None] = mapped_column(Date, index=True)
    date_of_death: Mapped[date | None] = mapped_column(Date)
    nationality: Mapped[str | None] = mapped_column(String(3))
    language_preference_iso6393: Mapped[str | None] = mapped_column(String(3), default="NOB")
    language_preference: Mapped[str | None] = mapped_column(String(10), default="NO")

    email: Mapped[str | None] = mapped_column(String(80))
    email_key: Mapped[str | None] = mapped_column(KeyText(160), index=True, info={"is_derived": True})
    email_old: Mapped[str | None] = mapped_column(String(80))
    email_verified_at: Mapped[datetime | None]
    country_code: Mapped[str | None] = mapped_column(String(4))
    telephone_number_no_country_code: Mapped[str | None] = mapped_column(String(15))
    telephone_number: Mapped[str | None] = mapped_column(String(20), index=True)
    telephone_number_verified_at: Mapped[datetime | None]
    landline_number: Mapped[str | None] = mapped_column(String(20), index=True)

    vipps_id: Mapped[str | None] = mapped_column(String(100), index=True)
    invoice_organisation_id: Mapped[str | None] = mapped_column(String(9), index=True)
    customer_account_id: Mapped[str | None] = mapped_column(String(60))
    password_hash: Mapped[str | None] = mapped_column(String(200), info={"is_secret": True})
    last_sign_in_at: Mapped[datetime | None]
    last_sign_in_from: Mapped[str | None] = mapped_column(String(100))
    expiration_date: Mapped[date | None] = mapped_column(Date, index=True)

    created_by: Mapped[str] = mapped_column(String(100))
    created_by_channel: Mapped[str] = mapped_column(String(100))
    changed_by: Mapped[str] = mapped_column(String(100))
    changed_by_channel: Mapped[str] = mapped_column(String(100))

    @classmethod
    def visible_to(cls, viewer: Viewer) -> ColumnElement[bool]:
        """Internal callers see all customers, clients those of their organisation (T04), users themselves (T05)."""
        if viewer.is_user:
            # `+ 0` keeps databases from walking through the organisation to find these few.
            return and_(cls.organisation_id + 0 == viewer.organisation_id, among(cls.id, viewer.customer_ids))
        return true() if viewer.is_internal else broad(cls.organisation_id == viewer.organisation_id)

    @classmethod
    def reached(cls, viewer: Viewer, key: Any, condition: ColumnElement[bool]) -> Select[Any]:
        """An edge leads to the profile that a merged one became, and to no deleted one (rules C40 and G3)."""
        return survivors(viewer, key, condition).where(cls.status != CustomerStatus.DELETED)


def survivors(viewer: Viewer, key: Any, condition: ColumnElement[bool]) -> Select[Any]:
    """Select `(columns of a customer ..., key)`: for each customer that meets `condition`, the one it was merged into
    at the end of the chain, or itself (rule C40). The viewer may see both ends of the chain.

    Profiles merged in a circle have no survivor and are not answered.
    """
    start = select(key.label("key"), Customer.id.label("id"), Customer.merged_into_id.label("next"))
    chain = start.where(condition, Customer.visible_to(viewer)).cte("chain", recursive=True, nesting=True)
    target = aliased(Customer)
    # UNION, not UNION ALL: a row that was met before ends the walk, so a circle cannot run for ever.
    chain = chain.union(select(chain.c.key, target.id, target.merged_into_id).join(chain, target.id == chain.c.next))
    return (
        select(*Customer.__table__.columns, chain.c.key)
        .join(chain, Customer.id == chain.c.id)
        .where(chain.c.next.is_(None), Customer.visible_to(viewer))
    )


EMAIL_SORT = func.coalesce(Customer.__table__.c.email_key, literal_column(f"'{LAST}'"), type_=KeyText())
"""Sorts by email, a missing one after all others; the literal is the greatest text there is."""
BIRTH_SORT = func.coalesce(Customer.__table__.c.date_of_birth, literal_column("'9999-12-31'"), type_=Date())
"""Sorts by birth date, a missing one after all others."""


def _customer_indexes(customer: Any) -> None:
    organisation, number = customer.organisation_id, customer.customer_number
    Index("uq_customer_organisation_id_customer_ref", organisation, customer.customer_ref, unique=True)
    Index(
        # Rules C05 and A01: temporary profiles may share the email of the person's own profile.
        # The email comes first, or SQLite would walk the organisation here rather than in the order of a sort.
        "uq_customer_organisation_id_email_key",
        customer.email_key,
        organisation,
        unique=True,
        sqlite_where=literal_column("profile_type <> 'T' AND status <> 'D'"),
        postgresql_where=literal_column("profile_type <> 'T' AND status <> 'D'"),
    )
    Index("ix_customer_organisation_id_customer_number", organisation, number)
    Index("ix_customer_by_surname", organisation, customer.surname_key, number)
    Index("ix_customer_by_first_name", organisation, customer.first_name_key, number)
    Index("ix_customer_by_email", organisation, EMAIL_SORT, number)
    Index("ix_customer_by_date_of_birth", organisation, BIRTH_SORT, number)
    for column in (customer.merged_into_id, customer.parent_id):
        # Few rows have them. An index with the others, too, would look like a way to find those without.
        given: Any = literal_column(f"{column.name} IS NOT NULL")
        Index(f"ix_customer_{column.name}", column, sqlite_where=given, postgresql_where=given)
    Index("ix_customer_by_telephone", customer.telephone_number_no_country_code, customer.country_code)


_customer_indexes(Customer.__table__.c)


class OwnedByCustomer:
    """Mixin: rows that belong to one customer and are seen by whoever sees that customer.

    `__owner__` names the owning column: rows loaded through it come from a customer the viewer has already been
    given, so the loader need not ask for the owner's organisation again.
    """

    __owner__ = "customer_id"

    @declared_attr
    def customer_id(cls) -> Mapped[int]:  # noqa: N805
        return mapped_column(ForeignKey("customer.id"), index=True)

    @classmethod
    def visible_to(cls, viewer: Viewer) -> ColumnElement[bool]:
        owner = aliased(Customer)
        seen = select(owner.id).where(owner.id == cls.customer_id, owner.visible_to(viewer))
        return seen.correlate_except(owner).exists()  # IN would list all customers of the organisation on SQLite


class PostalAddress(OwnedByCustomer, Versioned, Changes, Base):
    """A postal address of a customer (rules C80 to C82)."""

    __tablename__ = "postal_address"
    __on_merge__ = on_merge(customer_id=STAYS)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    type_of_address: Mapped[AddressType] = mapped_column(letters(AddressType, "type_of_address"))
    address_line1: Mapped[str | None] = mapped_column(String(100))
    address_line1_key: Mapped[str] = sort_key_of("address_line1", 100)
    address_line2: Mapped[str | None] = mapped_column(String(100))
    post_code: Mapped[str] = mapped_column(String(10), index=True)
    town: Mapped[str | None] = mapped_column(String(100))
    country_code: Mapped[str] = mapped_column(String(3))
    verified_at: Mapped[datetime | None]

    __table_args__ = (Index("ix_postal_address_address_line1_key", "address_line1_key"),)


class Ecard(OwnedByCustomer, Versioned, Changes, Base):
    """A customer's ownership of a travel card. At most one ownership of a card is open (rule C76)."""

    __tablename__ = "ecard"
    __on_merge__ = on_merge(customer_id=MOVES)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    ecard_number: Mapped[str] = mapped_column(KeyText(10))
    ecard_operator: Mapped[str] = mapped_column(KeyText(10))
    ecard_number_16digits: Mapped[str] = mapped_column(KeyText(16), index=True)
    ecard_name: Mapped[str | None] = mapped_column(String(100))
    booking_date: Mapped[date | None] = mapped_column(Date)
    shipping_date: Mapped[date | None] = mapped_column(Date)
    start_of_ownership: Mapped[datetime]
    end_of_ownership: Mapped[datetime | None]
    expiration_date: Mapped[date | None] = mapped_column(Date)

    __table_args__ = (
        Index("ix_ecard_ecard_number_ecard_operator", "ecard_number", "ecard_operator"),
        Index(
            "uq_ecard_ecard_operator_ecard_number",
            "ecard_operator",
            "ecard_number",
            unique=True,
            sqlite_where=literal_column("end_of_ownership IS NULL"),
            postgresql_where=literal_column("end_of_ownership IS NULL"),
        ),
    )


class CustomerConsent(OwnedByCustomer, Changes, Base):
    """A customer's answer to a consent; `is_legacy` marks those of the older consent system (read only)."""

    __tablename__ = "customer_consent"
    __on_merge__ = on_merge(customer_id=OnMerge(moves=True, key=("is_legacy", "consent_code")))

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    is_legacy: Mapped[bool] = mapped_column(Boolean, default=False)
    consent_code: Mapped[str] = mapped_column(String(60))
    consent_choice: Mapped[bool]

    __table_args__ = (UniqueConstraint("customer_id", "is_legacy", "consent_code"),)


class CustomerConsentAnswer(OwnedByCustomer, Base):
    """One answer that a customer gave to a consent. Answers are never changed: the last one is the consent's choice."""

    __tablename__ = "customer_consent_answer"
    __on_merge__ = on_merge(customer_id=OnMerge(moves=True, follows="consent_id"))

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    consent_id: Mapped[int] = mapped_column(ForeignKey("customer_consent.id"), index=True)
    consent_choice: Mapped[bool]
    answered_at: Mapped[datetime]
    answered_by: Mapped[str] = mapped_column(String(100))
    answered_by_channel: Mapped[str] = mapped_column(String(100))


class Preference(Versioned, Changes, Base):
    """A preference of an organisation's catalogue (rule C64). Seen by whoever sees a customer that has chosen it."""

    __tablename__ = "preference"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    organisation_id: Mapped[int] = mapped_column(BigInteger)
    preference_code: Mapped[str] = mapped_column(KeyText(60))
    preference_type: Mapped[str] = mapped_column(String(60))
    preference_description: Mapped[str | None] = mapped_column(String(255))
    is_active: Mapped[bool] = mapped_column(default=True)

    __table_args__ = (UniqueConstraint("organisation_id", "preference_code"),)

    @classmethod
    def visible_to(cls, viewer: Viewer) -> ColumnElement[bool]:
        return true() if viewer.is_internal else broad(cls.organisation_id == viewer.organisation_id)


class CustomerPreference(OwnedByCustomer, Versioned, Changes, Base):
    """A preference that a customer has chosen, with its value."""

    __tablename__ = "customer_preference"
    __on_merge__ = on_merge(customer_id=OnMerge(moves=True, key=("preference_id",)))

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    preference_id: Mapped[int] = mapped_column(ForeignKey("preference.id"), index=True)
    preference_value: Mapped[str | None] = mapped_column(String(255))

    __table_args__ = (UniqueConstraint("customer_id", "preference_id"),)


class CustomerAccount(OwnedByCustomer, Versioned, Base):
    """An account of a customer for account based ticketing (rule C100)."""

    __tablename__ = "customer_account"
    __on_merge__ = on_merge(customer_id=OnMerge(moves=True, key=("customer_account_id",), only_one="is_default"))

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    customer_account_id: Mapped[str] = mapped_column(KeyText(60))
    alias: Mapped[str | None] = mapped_column(String(100))
    is_default: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(100))
    changed_at: Mapped[datetime | None]
    changed_by: Mapped[str | None] = mapped_column(String(100))

    __table_args__ = (
        UniqueConstraint("customer_id", "customer_account_id"),
        Index(
            "uq_customer_account_customer_id_default",
            "customer_id",
            unique=True,
            sqlite_where=literal_column("is_default"),
            postgresql_where=literal_column("is_default"),
        ),
    )


class Note(OwnedByCustomer, Versioned, Changes, Base):
    """What an employee wrote about a customer."""

    __tablename__ = "note"
    __on_merge__ = on_merge(customer_id=MOVES)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    text: Mapped[str] = mapped_column(Text, info={SEALED: True})
    created_by: Mapped[str] = mapped_column(String(100))
    changed_by: Mapped[str] = mapped_column(String(100))


class PersonnelTicketBearer(OwnedByCustomer, Changes, Base):
    """A personnel ticket as the customer system last saw it (rules C107 and A08: not kept up to date)."""

    __tablename__ = "personnel_ticket_bearer"
    __on_merge__ = on_merge(customer_id=MOVES, bearer_customer_id=MOVES)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    bearer_customer_id: Mapped[int | None] = mapped_column(ForeignKey("customer.id"), index=True)
    ticket_right_owner: Mapped[str | None] = mapped_column(KeyText(60), index=True)
    ticket_right_bearer: Mapped[str | None] = mapped_column(KeyText(60), index=True)
    is_self_served_retrieval: Mapped[bool] = mapped_column(default=False)


class TravellerInfo(OwnedByCustomer, Base):
    """Who travels on an order, and on which of its legs (rule C106)."""

    __tablename__ = "traveller_info"
    __on_merge__ = on_merge(customer_id=MOVES)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    order_id: Mapped[str] = mapped_column(KeyText(60), index=True)
    organisation_id: Mapped[int] = mapped_column(BigInteger)
    legs: Mapped[list[str]] = mapped_column(JSON)
    customer_ref: Mapped[str | None] = mapped_column(KeyText(40))
    first_name: Mapped[str | None] = mapped_column(String(100))
    surname: Mapped[str | None] = mapped_column(String(100))
    email: Mapped[str | None] = mapped_column(String(80))
    telephone_number: Mapped[str | None] = mapped_column(String(20))
    from_stop_place_ref: Mapped[str | None] = mapped_column(String(100))
    to_stop_place_ref: Mapped[str | None] = mapped_column(String(100))
    language_preference: Mapped[str | None] = mapped_column(String(10))
