"""Companies, those whom they employ, and their families."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    Date,
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
    and_,
    literal,
    or_,
    select,
    true,
)
from sqlalchemy.orm import Mapped, aliased, declared_attr, mapped_column

from datastore.base import Base, BigKey, KeyText, broad, sort_key_of
from datastore.customer import Changes, Versioned
from datastore.employee.codes import Deletable
from datastore.reading import among
from datastore.sealing import SEALED
from datastore.viewer import Viewer

SENSITIVE = {"is_sensitive": True}
"""Marks columns whose values the audit log hides (rule E23)."""


class Company(Deletable, Versioned, Changes, Base):
    """A railway company. Its key is the source's companyId and another number than that of its organisation (E02)."""

    __tablename__ = "company"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    organisation_id: Mapped[int] = mapped_column(BigInteger, index=True)
    name: Mapped[str] = mapped_column(String(100))
    name_key: Mapped[str] = sort_key_of("name", 100)
    postal_code: Mapped[str | None] = mapped_column(KeyText(10))
    address_line: Mapped[str | None] = mapped_column(String(100))
    allow_e_tickets: Mapped[bool] = mapped_column(default=False)
    allow_local_employees: Mapped[bool] = mapped_column(default=False)
    report_separator: Mapped[str] = mapped_column(String(1), default=",")
    employee_no_prefix: Mapped[str | None] = mapped_column(KeyText(10))

    __table_args__ = (Index("ix_company_name_key_id", "name_key", "id"),)

    @classmethod
    def visible_to(cls, viewer: Viewer) -> ColumnElement[bool]:
        """Internal callers see all companies; clients those of their organisation, and of these only the one that
        their token is bound to, if it is bound (E23); users those that employ them."""
        if viewer.is_internal:
            return true()
        if viewer.is_user:
            mine = aliased(Employee)
            employs = select(mine.id).where(mine.company_id == cls.id, mine.visible_to(viewer))
            return employs.correlate_except(mine).exists()
        given: Any = viewer.company_id
        bound = given if isinstance(given, BindParameter) else literal(given, BigInteger())
        return and_(broad(cls.organisation_id == viewer.organisation_id), or_(bound.is_(None), cls.id == bound))


class OfCompany:
    """Mixin: rows of a company, seen by whoever sees the company, but for users."""

    @declared_attr
    def company_id(cls) -> Mapped[int]:  # noqa: N805
        return mapped_column(ForeignKey("company.id"), index=True)

    @classmethod
    def of_visible_company(cls, viewer: Viewer) -> ColumnElement[bool]:
        """Raises ValueError for a user, who sees persons, not companies."""
        if viewer.is_user:
            raise ValueError("a user sees no company as a whole")
        if viewer.is_internal:
            return true()
        company = aliased(Company)
        seen = select(company.id).where(company.id == cls.company_id, company.visible_to(viewer))
        return seen.correlate_except(company).exists()


class Employment(OfCompany, Deletable, Versioned):
    """Mixin: what the personnel department says of a person and the employment (rules E03 to E13)."""

    first_name: Mapped[str] = mapped_column(String(100))
    surname: Mapped[str] = mapped_column(String(100))
    employee_no: Mapped[str] = mapped_column(KeyText(50))
    date_of_birth: Mapped[date] = mapped_column(Date)
    ssn: Mapped[str | None] = mapped_column(Text, info={SEALED: True})
    postal_code: Mapped[str | None] = mapped_column(KeyText(10))
    address_line: Mapped[str | None] = mapped_column(String(100))
    employment_percentage: Mapped[int]
    employment_percentage_date: Mapped[date | None] = mapped_column(Date)
    paid_percentage: Mapped[int]
    hire_start_date: Mapped[date] = mapped_column(Date)
    hire_end_date: Mapped[date | None] = mapped_column(Date)
    leave_from_date: Mapped[date | None] = mapped_column(Date)
    abstain_from_ticket: Mapped[bool] = mapped_column(default=False)
    disability_grade: Mapped[int] = mapped_column(default=0, info=SENSITIVE)
    disability_from_date: Mapped[date | None] = mapped_column(Date, info=SENSITIVE)
    note: Mapped[str | None] = mapped_column(Text, info={SEALED: True})
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(100))
    last_update: Mapped[datetime]
    source_last_update: Mapped[str] = mapped_column(String(100))

    @declared_attr
    def employment_type_id(cls) -> Mapped[str]:  # noqa: N805
        return mapped_column(ForeignKey("employment_type.code"), index=True)

    @declared_attr
    def pay_type(cls) -> Mapped[str | None]:  # noqa: N805
        return mapped_column(ForeignKey("pay_type.code"), index=True)

    @declared_attr
    def hire_end_cause(cls) -> Mapped[str | None]:  # noqa: N805
        return mapped_column(ForeignKey("employment_end_cause.code"), index=True)

    @declared_attr
    def preferred_product_id(cls) -> Mapped[int | None]:  # noqa: N805
        return mapped_column(ForeignKey("personnel_ticket_product.id"), index=True)


class ImportedEmployee(Employment, Base):
    """An employee as the personnel department sent it (rule E01). The number is without the company's prefix."""

    __tablename__ = "imported_employee"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)

    @declared_attr.directive
    def __table_args__(cls) -> Any:  # noqa: N805
        return (
            UniqueConstraint("company_id", "employee_no"),
            Index("ix_imported_employee_employee_no", "employee_no"),
            Index("ix_imported_employee_of_company", "company_id", "id"),
        )

    @classmethod
    def visible_to(cls, viewer: Viewer) -> ColumnElement[bool]:
        """What was imported is for the personnel department; users see the employee that was made of it."""
        if viewer.is_user:
            return among(cls.id, viewer.employee_ids)
        return cls.of_visible_company(viewer)


class Employee(Employment, Base):
    """An employee, made from an imported one and with its key. The number begins with the company's prefix (E11)."""

    __tablename__ = "employee"

    id: Mapped[int] = mapped_column(BigKey, ForeignKey("imported_employee.id"), primary_key=True, autoincrement=False)
    surname_key: Mapped[str] = sort_key_of("surname", 100)
    customer_number: Mapped[int | None] = mapped_column(BigInteger, index=True)

    @declared_attr.directive
    def __table_args__(cls) -> Any:  # noqa: N805
        return (
            UniqueConstraint("company_id", "employee_no"),
            Index("ix_employee_by_surname", "company_id", "surname_key", "id"),
            Index("ix_employee_by_hire_start_date", "company_id", "hire_start_date", "id"),
            # For those of several companies, in order and by number.
            Index("ix_employee_surname_key_id", "surname_key", "id"),
            Index("ix_employee_employee_no_id", "employee_no", "id"),
            Index("ix_employee_hire_start_date_id", "hire_start_date", "id"),
        )

    @classmethod
    def visible_to(cls, viewer: Viewer) -> ColumnElement[bool]:
        """Clients see the employees of the companies that they see (E23), users themselves."""
        return among(cls.id, viewer.employee_ids) if viewer.is_user else cls.of_visible_company(viewer)


class OwnedByEmployee:
    """Mixin: rows of one employee, seen by whoever sees the employee."""

    __owner__ = "employee_id"

    @declared_attr
    def employee_id(cls) -> Mapped[int]:  # noqa: N805
        return mapped_column(ForeignKey("employee.id"), index=True)

    @classmethod
    def visible_to(cls, viewer: Viewer) -> ColumnElement[bool]:
        owner = aliased(Employee)
        seen = select(owner.id).where(owner.id == cls.employee_id, owner.visible_to(viewer))
        return seen.correlate_except(owner).exists()


class EmployeeYearlyFee(OwnedByEmployee, Versioned, Base):
    """Whether an employee has paid the fee of a year (rule E15)."""

    __tablename__ = "employee_yearly_fee"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    year: Mapped[int]
    is_paid: Mapped[bool]

    __table_args__ = (UniqueConstraint("employee_id", "year"),)


class EmployeeDisabilityProof(OwnedByEmployee, Versioned, Base):
    """Whether an employee has shown a proof of disability for a year (rule E15)."""

    __tablename__ = "employee_disability_proof"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    year: Mapped[int]
    is_registered: Mapped[bool] = mapped_column(info=SENSITIVE)

    __table_args__ = (UniqueConstraint("employee_id", "year"),)


class EmployeeCategory(OwnedByEmployee, Versioned, Base):
    """The personnel ticket product of an employee in a year (rule E17)."""

    __tablename__ = "employee_category"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    year: Mapped[int]
    product_id: Mapped[int] = mapped_column(ForeignKey("personnel_ticket_product.id"), index=True)

    __table_args__ = (UniqueConstraint("employee_id", "year"),)


class FamilyMember(Deletable, Versioned, Base):
    """A member of an employee's family (rule E01)."""

    __tablename__ = "family_member"
    __owner__ = "employee_id"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    employee_id: Mapped[int] = mapped_column(ForeignKey("employee.id"), index=True)
    relation_code: Mapped[str] = mapped_column(ForeignKey("family_relation.code"), index=True)
    first_name: Mapped[str] = mapped_column(String(100))
    surname: Mapped[str] = mapped_column(String(100))
    date_of_birth: Mapped[date | None] = mapped_column(Date)
    ssn: Mapped[str | None] = mapped_column(Text, info={SEALED: True})
    abstain_from_ticket: Mapped[bool] = mapped_column(default=False)
    note: Mapped[str | None] = mapped_column(Text, info={SEALED: True})
    customer_number: Mapped[int | None] = mapped_column(BigInteger, index=True)
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(100))
    updated_at: Mapped[datetime]
    updated_by: Mapped[str] = mapped_column(String(100))

    @classmethod
    def visible_to(cls, viewer: Viewer) -> ColumnElement[bool]:
        """Clients see the families of the employees that they see; an employee the own family, a family member none
        but the own row."""
        if viewer.is_user:
            return or_(among(cls.id, viewer.family_member_ids), among(cls.employee_id, viewer.employee_ids))
        owner = aliased(Employee)
        seen = select(owner.id).where(owner.id == cls.employee_id, owner.visible_to(viewer))
        return seen.correlate_except(owner).exists()


class FamilyMemberLowIncome(Versioned, Base):
    """Whether a low income is registered for a family member in a year (rule E16)."""

    __tablename__ = "family_member_low_income"
    __owner__ = "family_member_id"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    family_member_id: Mapped[int] = mapped_column(ForeignKey("family_member.id"), index=True)
    year: Mapped[int]
    is_registered: Mapped[bool] = mapped_column(info=SENSITIVE)

    __table_args__ = (UniqueConstraint("family_member_id", "year"),)

    @classmethod
    def visible_to(cls, viewer: Viewer) -> ColumnElement[bool]:
        member = aliased(FamilyMember)
        seen = select(member.id).where(member.id == cls.family_member_id, member.visible_to(viewer))
        return seen.correlate_except(member).exists()
