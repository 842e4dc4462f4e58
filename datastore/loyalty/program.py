"""Loyalty programs: what contracts are made of, in versions (rules L01 to L07)."""

from datetime import datetime
from enum import Enum
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    ForeignKey,
    Index,
    Select,
    String,
    Text,
    UniqueConstraint,
    and_,
    literal_column,
    or_,
    select,
    true,
)
from sqlalchemy.orm import Mapped, aliased, mapped_column

from datastore.base import Base, BigKey, KeyText, broad, letters, present
from datastore.customer import Versioned
from datastore.viewer import Viewer

NETEX_ID = 133
"""Longest NeTEx id: three letters, two names of up to 64 characters, two colons (rule F08)."""


class LoyaltyProgramType(Enum):
    """Rule L01."""

    COUPONS = "COUPONS"
    TIMED = "TIMED"
    POINTS = "POINTS"
    UNMAPPED = "UNMAPPED"


class LoyaltyProgram(Versioned, Base):
    """One version of a loyalty program. It is in force from its start until the next one starts (rule L02).

    `loyalty_program_id` is the key of the program's first version: all versions have it, and all refer to the program
    by it. Organisation, product, type and code are those of the program, the same in all versions; a product and a code
    belong to one program (rule L03). `superseded_at` is when the next version starts, null in the newest one.
    """

    __tablename__ = "loyalty_program"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    loyalty_program_id: Mapped[int] = mapped_column(BigInteger)
    version_number: Mapped[int]
    organisation_id: Mapped[int] = mapped_column(BigInteger)
    product_id: Mapped[str] = mapped_column(KeyText(NETEX_ID))
    product_version: Mapped[str] = mapped_column(KeyText(NETEX_ID))
    loyalty_program_type: Mapped[LoyaltyProgramType] = mapped_column(letters(LoyaltyProgramType, "program_type"))
    loyalty_program_code: Mapped[str | None] = mapped_column(String(60))
    code_key: Mapped[str | None] = mapped_column(KeyText(120), info={"is_derived": True})
    """The code as it is looked up: in one case, see `datastore.text.email_key`."""
    internal_description: Mapped[str] = mapped_column(String(500))
    start_date: Mapped[datetime]
    end_date: Mapped[datetime]
    superseded_at: Mapped[datetime | None]
    usage_validity_period: Mapped[str | None] = mapped_column(String(60))
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(100))

    __table_args__ = (
        UniqueConstraint("loyalty_program_id", "version_number"),
        Index(
            "uq_loyalty_program_product_id",
            "product_id",
            unique=True,
            sqlite_where=literal_column("version_number = 1"),
            postgresql_where=literal_column("version_number = 1"),
        ),
        Index(
            "uq_loyalty_program_organisation_id_code_key",
            "organisation_id",
            "code_key",
            unique=True,
            sqlite_where=literal_column("version_number = 1"),
            postgresql_where=literal_column("version_number = 1"),
        ),
        Index("ix_loyalty_program_organisation_id", "organisation_id", "loyalty_program_id"),
    )

    @classmethod
    def visible_to(cls, viewer: Viewer) -> ColumnElement[bool]:
        """Internal callers see all programs, everybody else those of the own organisation."""
        return true() if viewer.is_internal else broad(cls.organisation_id == viewer.organisation_id)

    @classmethod
    def in_force(cls, moment: Any = None) -> ColumnElement[bool]:
        """The condition on the one version of each program that counts at a moment, by default the present one: the
        last that has started, or the first if none has."""
        moment = present() if moment is None else moment
        has_started = or_(cls.version_number == 1, cls.start_date <= moment)
        return and_(has_started, or_(cls.superseded_at.is_(None), cls.superseded_at > moment))

    @classmethod
    def reached(cls, viewer: Viewer, key: Any, condition: ColumnElement[bool]) -> Select[Any]:
        """An edge by the program's id leads to the version in force, one by the key of a version to that version."""
        found = select(*cls.__table__.columns, key).where(cls.visible_to(viewer), condition)
        return found.where(cls.in_force()) if key.key == cls.loyalty_program_id.key else found


class OfProgram:
    """Mixin: rows that are seen by whoever sees the program or version in the column `__owner__`."""

    @classmethod
    def visible_to(cls, viewer: Viewer) -> ColumnElement[bool]:
        owner = aliased(LoyaltyProgram)
        column = getattr(cls, cls.__owner__)  # type: ignore[attr-defined]
        seen = select(owner.id).where(owner.id == column, owner.visible_to(viewer))
        return seen.correlate_except(owner).exists()


class CouponConfig(OfProgram, Base):
    """What a version of a program of coupons says of them (rule L06)."""

    __tablename__ = "coupon_config"
    __owner__ = "version_id"

    version_id: Mapped[int] = mapped_column(ForeignKey("loyalty_program.id"), primary_key=True, autoincrement=False)
    default_quantity: Mapped[int]
    loyalty_program_id: Mapped[int] = mapped_column(ForeignKey("loyalty_program.id"), index=True)
    default_start_time: Mapped[str | None] = mapped_column(String(8))
    """A time of day in Norway, as HH:MM:SS."""
    usage_validity_period: Mapped[str | None] = mapped_column(String(60))


class LoyaltyProgramDescription(OfProgram, Versioned, Base):
    """What a program is called in a language (rule L07); of all its versions."""

    __tablename__ = "loyalty_program_description"
    __owner__ = "loyalty_program_id"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    loyalty_program_id: Mapped[int] = mapped_column(ForeignKey("loyalty_program.id"), index=True)
    language_code: Mapped[str] = mapped_column(String(3))
    display_name: Mapped[str | None] = mapped_column(String(100))
    description: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(100))
    last_changed_at: Mapped[datetime]
    last_changed_by: Mapped[str] = mapped_column(String(100))

    __table_args__ = (UniqueConstraint("loyalty_program_id", "language_code"),)
