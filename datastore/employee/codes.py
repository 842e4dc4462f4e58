"""The code lists of the personnel ticket system. Everybody may read them; administrators maintain them."""

from datetime import date
from enum import Enum

from sqlalchemy import Date, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from datastore.base import Base, BigKey, ForEverybody, KeyText, letters
from datastore.customer import Changes, Versioned


class Deletable:
    """Mixin: rows that stay readable when they are deleted (rule E14)."""

    is_deleted: Mapped[bool] = mapped_column(default=False)


class Code(ForEverybody, Deletable, Versioned, Changes):
    """Mixin: a code and what it means."""

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    code: Mapped[str] = mapped_column(KeyText(60), unique=True)
    description: Mapped[str | None] = mapped_column(String(255))


class PayType(Code, Base):
    """How an employee is paid (rule E10)."""

    __tablename__ = "pay_type"


class EmploymentType(Code, Base):
    """How an employee is employed (rule E10). `is_pensioner` marks those who have left and still have rights (E22)."""

    __tablename__ = "employment_type"

    is_pensioner: Mapped[bool] = mapped_column(default=False)


class EmploymentEndCause(Code, Base):
    """Why an employee left (rule E10)."""

    __tablename__ = "employment_end_cause"


class FamilyRelation(Code, Base):
    """What a family member is to an employee."""

    __tablename__ = "family_relation"


class TravelType(Code, Base):
    """What a FIP ticket is used for."""

    __tablename__ = "travel_type"


class FipTicketType(Code, Base):
    """Kind of a FIP ticket."""

    __tablename__ = "fip_ticket_type"


class TicketRightType(Enum):
    """Rule E37. The word is the source's."""

    BRONZE = "bronse"
    SILVER = "sølv"


class TicketType(Code, Base):
    """What a ticket right is good for: the country and the train class (rules E40 to E42)."""

    __tablename__ = "ticket_type"

    country_code: Mapped[str | None] = mapped_column(String(3))
    can_have_station_pairs: Mapped[bool] = mapped_column(default=False)
    generates_ticket_rights: Mapped[bool] = mapped_column(default=False)
    ticket_right_type: Mapped[TicketRightType | None] = mapped_column(letters(TicketRightType, "ticket_right_type"))


class Product(ForEverybody, Versioned, Changes, Base):
    """A personnel ticket product, valid from a day to before another one, if that is given (rule E46)."""

    __tablename__ = "personnel_ticket_product"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    valid_from: Mapped[date] = mapped_column(Date)
    valid_until: Mapped[date | None] = mapped_column(Date)


class PostalPlace(ForEverybody, Deletable, Versioned, Changes, Base):
    """A post code and its place (rule E45)."""

    __tablename__ = "postal_place"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    code: Mapped[str] = mapped_column(KeyText(10))
    place: Mapped[str] = mapped_column(String(100))
    country: Mapped[str] = mapped_column(String(3), default="NOR")

    __table_args__ = (UniqueConstraint("code", "country"), Index("ix_postal_place_code_id", "code", "id"))


class Station(ForEverybody, Versioned, Changes, Base):
    """A station. Its id is a NeTEx id (rule E44)."""

    __tablename__ = "station"

    id: Mapped[str] = mapped_column(KeyText(135), primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
