"""Contracts: the right of customers to use a loyalty program, and who they are (rules L10 to L21)."""

from datetime import datetime
from enum import Enum

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    ForeignKey,
    Index,
    String,
    UniqueConstraint,
    and_,
    literal_column,
    select,
    true,
)
from sqlalchemy.orm import Mapped, aliased, mapped_column

from datastore.base import Base, BigKey, KeyText, broad, letters
from datastore.customer import Versioned
from datastore.on_merge import MOVES, OnMerge, on_merge
from datastore.reading import among
from datastore.viewer import Viewer


class ContractStatus(Enum):
    """Rule L10. The value is what the source systems send and what is stored."""

    VALID = "valid"
    EXPIRED = "expired"
    REFUNDED = "refunded"
    CANCELLED = "cancelled"
    MISUSED = "misused"


class PassengerCategory(Enum):
    """Rule L43."""

    ADULT = "ADULT"
    CHILD = "CHILD"
    STUDENT = "STUDENT"
    SENIOR = "SENIOR"


class Contract(Versioned, Base):
    """A contract of a loyalty program. `holder_id` is the customer whose it is, null until somebody has claimed it.

    `ends_at` is the end that counts: of the contract or of its program, whichever comes first (rules L04 and L12). The
    stored status says EXPIRED only after a pass of `datastore.loyalty.expiry`; `ends_at` says it at once.
    `coupons_limit` is that of the program's version at creation, or another one (rule L13); null without coupons.
    """

    __tablename__ = "contract"
    __person__ = "holder_id"
    __on_merge__ = on_merge(holder_id=MOVES)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    uuid: Mapped[str] = mapped_column(KeyText(36), unique=True)
    organisation_id: Mapped[int] = mapped_column(BigInteger)
    loyalty_program_id: Mapped[int] = mapped_column(ForeignKey("loyalty_program.id"))
    holder_id: Mapped[int | None] = mapped_column(ForeignKey("customer.id"), index=True)
    parent: Mapped[str | None] = mapped_column(ForeignKey("contract.uuid"), index=True)
    status: Mapped[ContractStatus] = mapped_column(
        letters(ContractStatus, "contract_status"), default=ContractStatus.VALID
    )
    consumable_from: Mapped[datetime]
    expiration_date: Mapped[datetime | None]
    ends_at: Mapped[datetime] = mapped_column(info={"is_derived": True})
    acceptance_date: Mapped[datetime | None]
    external_ref: Mapped[str | None] = mapped_column(KeyText(100), info={"is_sensitive": True})
    coupons_limit: Mapped[int | None]
    passenger_category: Mapped[PassengerCategory] = mapped_column(
        letters(PassengerCategory, "passenger_category"), default=PassengerCategory.ADULT
    )
    ticket_order_id: Mapped[str | None] = mapped_column(KeyText(60))
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(100))
    last_changed_at: Mapped[datetime]
    last_changed_by: Mapped[str] = mapped_column(String(100))

    __table_args__ = (
        Index("ix_contract_organisation_id", "organisation_id", "id"),
        Index("ix_contract_loyalty_program_id", "loyalty_program_id", "id"),
        Index("ix_contract_by_consumable_from", "organisation_id", "consumable_from"),
        Index(
            "ix_contract_by_expiration_date",
            "organisation_id",
            "expiration_date",
            sqlite_where=literal_column("expiration_date IS NOT NULL"),
            postgresql_where=literal_column("expiration_date IS NOT NULL"),
        ),
        Index("ix_contract_external_ref", "external_ref", "organisation_id"),
        Index(
            "ix_contract_due",
            "ends_at",
            sqlite_where=literal_column("status = 'valid'"),
            postgresql_where=literal_column("status = 'valid'"),
        ),
    )

    @classmethod
    def visible_to(cls, viewer: Viewer) -> ColumnElement[bool]:
        """Internal callers see all contracts, clients those of their organisation (T04), users those whose consumer
        they are, blocked or not (T05)."""
        if viewer.is_user:
            used = aliased(ContractConsumer)
            # Not `exists`, and `+ 0`: databases would walk through the contracts of others to find these few.
            own = select(used.contract_id).where(among(used.customer_id, viewer.customer_ids)).correlate(None)
            return and_(cls.organisation_id + 0 == viewer.organisation_id, cls.id.in_(own))
        return true() if viewer.is_internal else broad(cls.organisation_id == viewer.organisation_id)


class OfContract:
    """Mixin: rows that belong to a contract and are seen by whoever sees it."""

    __owner__ = "contract_id"

    @classmethod
    def visible_to(cls, viewer: Viewer) -> ColumnElement[bool]:
        owner = aliased(Contract)
        seen = select(owner.id).where(owner.id == cls.contract_id, owner.visible_to(viewer))  # type: ignore[attr-defined]
        return seen.correlate_except(owner).exists()


class OfPerson:
    """Mixin: rows of a contract that tell what one of its consumers does: users see those about themselves alone, not
    those about whomever they share the contract with."""

    __person__ = "customer_id"

    @classmethod
    def visible_to(cls, viewer: Viewer) -> ColumnElement[bool]:
        owner = aliased(Contract)
        seen = select(owner.id).where(owner.id == cls.contract_id, owner.visible_to(viewer))  # type: ignore[attr-defined]
        is_seen = seen.correlate_except(owner).exists()
        if viewer.is_user:
            return and_(among(cls.customer_id, viewer.customer_ids), is_seen)  # type: ignore[attr-defined]
        return is_seen


class ContractConsumer(OfPerson, Base):
    """A customer who may use a contract (rule L20). One of them is its holder."""

    __tablename__ = "contract_consumer"
    __on_merge__ = on_merge(customer_id=OnMerge(moves=True, key=("contract_id",)))

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    contract_id: Mapped[int] = mapped_column(ForeignKey("contract.id"), index=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"), index=True)
    is_contract_holder: Mapped[bool] = mapped_column(default=False)
    is_blocked: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(100))
    last_changed_at: Mapped[datetime]
    last_changed_by: Mapped[str] = mapped_column(String(100))

    __table_args__ = (
        UniqueConstraint("contract_id", "customer_id"),
        Index(
            "uq_contract_consumer_contract_id_holder",
            "contract_id",
            unique=True,
            sqlite_where=literal_column("is_contract_holder"),
            postgresql_where=literal_column("is_contract_holder"),
        ),
    )


class PolicyKey(Enum):
    """What of a customer a policy is about; the value is the customer's attribute."""

    CUSTOMER_REF = "customer_ref"
    EMAIL = "email_key"
    DATE_OF_BIRTH = "date_of_birth"
    SURNAME = "surname"
    FIRST_NAME = "first_name"
    TELEPHONE_NUMBER = "telephone_number_no_country_code"
    NATIONALITY = "nationality"


class Policy(OfContract, Base):
    """What whoever claims a contract must be like (rule L21): by a keyed hash, so that it tells of nobody."""

    __tablename__ = "contract_policy"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    contract_id: Mapped[int] = mapped_column(ForeignKey("contract.id"), index=True)
    key: Mapped[PolicyKey] = mapped_column(letters(PolicyKey, "policy_key"))
    value_hash: Mapped[str] = mapped_column(String(64), info={"is_secret": True})

    __table_args__ = (UniqueConstraint("contract_id", "key"),)

    @staticmethod
    def hashed_text(contract_uuid: str, key: PolicyKey, value: str) -> str:
        """What `value_hash` is the search hash of: the value, good for this key of this contract alone."""
        return f"{contract_uuid}\n{key.value}\n{value}"
