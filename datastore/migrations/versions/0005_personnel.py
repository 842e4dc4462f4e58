"""Companies, employees and families"""

import sqlalchemy as sa
from alembic import op

from datastore.base import KeyText, UtcDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

BIG_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "company",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("organisation_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("name_key", KeyText(length=200), nullable=False),
        sa.Column("postal_code", KeyText(length=10), nullable=True),
        sa.Column("address_line", sa.String(length=100), nullable=True),
        sa.Column("allow_e_tickets", sa.Boolean(), nullable=False),
        sa.Column("allow_local_employees", sa.Boolean(), nullable=False),
        sa.Column("report_separator", sa.String(length=1), nullable=False),
        sa.Column("employee_no_prefix", KeyText(length=10), nullable=True),
        sa.Column("is_deleted", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_company")),
    )
    op.create_index("ix_company_name_key_id", "company", ["name_key", "id"])
    op.create_index(op.f("ix_company_organisation_id"), "company", ["organisation_id"])
    op.create_table(
        "imported_employee",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("first_name", sa.String(length=100), nullable=False),
        sa.Column("surname", sa.String(length=100), nullable=False),
        sa.Column("employee_no", KeyText(length=50), nullable=False),
        sa.Column("date_of_birth", sa.Date(), nullable=False),
        sa.Column("ssn", sa.Text(), nullable=True),
        sa.Column("postal_code", KeyText(length=10), nullable=True),
        sa.Column("address_line", sa.String(length=100), nullable=True),
        sa.Column("employment_percentage", sa.Integer(), nullable=False),
        sa.Column("employment_percentage_date", sa.Date(), nullable=True),
        sa.Column("paid_percentage", sa.Integer(), nullable=False),
        sa.Column("hire_start_date", sa.Date(), nullable=False),
        sa.Column("hire_end_date", sa.Date(), nullable=True),
        sa.Column("leave_from_date", sa.Date(), nullable=True),
        sa.Column("abstain_from_ticket", sa.Boolean(), nullable=False),
        sa.Column("disability_grade", sa.Integer(), nullable=False),
        sa.Column("disability_from_date", sa.Date(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=100), nullable=False),
        sa.Column("last_update", UtcDateTime(), nullable=False),
        sa.Column("source_last_update", sa.String(length=100), nullable=False),
        sa.Column("employment_type_id", KeyText(length=60), nullable=False),
        sa.Column("pay_type", KeyText(length=60), nullable=True),
        sa.Column("hire_end_cause", KeyText(length=60), nullable=True),
        sa.Column("preferred_product_id", BIG_KEY, nullable=True),
        sa.Column("company_id", BIG_KEY, nullable=False),
        sa.Column("is_deleted", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name=op.f("fk_imported_employee_company_id")),
        sa.ForeignKeyConstraint(
            ["employment_type_id"], ["employment_type.code"], name=op.f("fk_imported_employee_employment_type_id")
        ),
        sa.ForeignKeyConstraint(
            ["hire_end_cause"], ["employment_end_cause.code"], name=op.f("fk_imported_employee_hire_end_cause")
        ),
        sa.ForeignKeyConstraint(["pay_type"], ["pay_type.code"], name=op.f("fk_imported_employee_pay_type")),
        sa.ForeignKeyConstraint(
            ["preferred_product_id"],
            ["personnel_ticket_product.id"],
            name=op.f("fk_imported_employee_preferred_product_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_imported_employee")),
        sa.UniqueConstraint("company_id", "employee_no", name=op.f("uq_imported_employee_company_id_employee_no")),
    )
    op.create_index(op.f("ix_imported_employee_company_id"), "imported_employee", ["company_id"])
    op.create_index("ix_imported_employee_of_company", "imported_employee", ["company_id", "id"])
    op.create_index("ix_imported_employee_employee_no", "imported_employee", ["employee_no"])
    op.create_index(op.f("ix_imported_employee_employment_type_id"), "imported_employee", ["employment_type_id"])
    op.create_index(op.f("ix_imported_employee_hire_end_cause"), "imported_employee", ["hire_end_cause"])
    op.create_index(op.f("ix_imported_employee_pay_type"), "imported_employee", ["pay_type"])
    op.create_index(op.f("ix_imported_employee_preferred_product_id"), "imported_employee", ["preferred_product_id"])
    op.create_table(
        "employee",
        sa.Column("id", BIG_KEY, autoincrement=False, nullable=False),
        sa.Column("surname_key", KeyText(length=200), nullable=False),
        sa.Column("customer_number", sa.BigInteger(), nullable=True),
        sa.Column("first_name", sa.String(length=100), nullable=False),
        sa.Column("surname", sa.String(length=100), nullable=False),
        sa.Column("employee_no", KeyText(length=50), nullable=False),
        sa.Column("date_of_birth", sa.Date(), nullable=False),
        sa.Column("ssn", sa.Text(), nullable=True),
        sa.Column("postal_code", KeyText(length=10), nullable=True),
        sa.Column("address_line", sa.String(length=100), nullable=True),
        sa.Column("employment_percentage", sa.Integer(), nullable=False),
        sa.Column("employment_percentage_date", sa.Date(), nullable=True),
        sa.Column("paid_percentage", sa.Integer(), nullable=False),
        sa.Column("hire_start_date", sa.Date(), nullable=False),
        sa.Column("hire_end_date", sa.Date(), nullable=True),
        sa.Column("leave_from_date", sa.Date(), nullable=True),
        sa.Column("abstain_from_ticket", sa.Boolean(), nullable=False),
        sa.Column("disability_grade", sa.Integer(), nullable=False),
        sa.Column("disability_from_date", sa.Date(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=100), nullable=False),
        sa.Column("last_update", UtcDateTime(), nullable=False),
        sa.Column("source_last_update", sa.String(length=100), nullable=False),
        sa.Column("employment_type_id", KeyText(length=60), nullable=False),
        sa.Column("pay_type", KeyText(length=60), nullable=True),
        sa.Column("hire_end_cause", KeyText(length=60), nullable=True),
        sa.Column("preferred_product_id", BIG_KEY, nullable=True),
        sa.Column("company_id", BIG_KEY, nullable=False),
        sa.Column("is_deleted", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name=op.f("fk_employee_company_id")),
        sa.ForeignKeyConstraint(
            ["employment_type_id"], ["employment_type.code"], name=op.f("fk_employee_employment_type_id")
        ),
        sa.ForeignKeyConstraint(
            ["hire_end_cause"], ["employment_end_cause.code"], name=op.f("fk_employee_hire_end_cause")
        ),
        sa.ForeignKeyConstraint(["id"], ["imported_employee.id"], name=op.f("fk_employee_id")),
        sa.ForeignKeyConstraint(["pay_type"], ["pay_type.code"], name=op.f("fk_employee_pay_type")),
        sa.ForeignKeyConstraint(
            ["preferred_product_id"], ["personnel_ticket_product.id"], name=op.f("fk_employee_preferred_product_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_employee")),
        sa.UniqueConstraint("company_id", "employee_no", name=op.f("uq_employee_company_id_employee_no")),
    )
    op.create_index("ix_employee_by_hire_start_date", "employee", ["company_id", "hire_start_date", "id"])
    for column in ("surname_key", "employee_no", "hire_start_date"):
        op.create_index(f"ix_employee_{column}_id", "employee", [column, "id"])
    op.create_index("ix_employee_by_surname", "employee", ["company_id", "surname_key", "id"])
    op.create_index(op.f("ix_employee_company_id"), "employee", ["company_id"])
    op.create_index(op.f("ix_employee_customer_number"), "employee", ["customer_number"])
    op.create_index(op.f("ix_employee_employment_type_id"), "employee", ["employment_type_id"])
    op.create_index(op.f("ix_employee_hire_end_cause"), "employee", ["hire_end_cause"])
    op.create_index(op.f("ix_employee_pay_type"), "employee", ["pay_type"])
    op.create_index(op.f("ix_employee_preferred_product_id"), "employee", ["preferred_product_id"])
    op.create_table(
        "employee_category",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("product_id", BIG_KEY, nullable=False),
        sa.Column("employee_id", BIG_KEY, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["employee_id"], ["employee.id"], name=op.f("fk_employee_category_employee_id")),
        sa.ForeignKeyConstraint(
            ["product_id"], ["personnel_ticket_product.id"], name=op.f("fk_employee_category_product_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_employee_category")),
        sa.UniqueConstraint("employee_id", "year", name=op.f("uq_employee_category_employee_id_year")),
    )
    op.create_index(op.f("ix_employee_category_employee_id"), "employee_category", ["employee_id"])
    op.create_index(op.f("ix_employee_category_product_id"), "employee_category", ["product_id"])
    op.create_table(
        "employee_disability_proof",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("is_registered", sa.Boolean(), nullable=False),
        sa.Column("employee_id", BIG_KEY, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["employee_id"], ["employee.id"], name=op.f("fk_employee_disability_proof_employee_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_employee_disability_proof")),
        sa.UniqueConstraint("employee_id", "year", name=op.f("uq_employee_disability_proof_employee_id_year")),
    )
    op.create_index(op.f("ix_employee_disability_proof_employee_id"), "employee_disability_proof", ["employee_id"])
    op.create_table(
        "employee_yearly_fee",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("is_paid", sa.Boolean(), nullable=False),
        sa.Column("employee_id", BIG_KEY, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["employee_id"], ["employee.id"], name=op.f("fk_employee_yearly_fee_employee_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_employee_yearly_fee")),
        sa.UniqueConstraint("employee_id", "year", name=op.f("uq_employee_yearly_fee_employee_id_year")),
    )
    op.create_index(op.f("ix_employee_yearly_fee_employee_id"), "employee_yearly_fee", ["employee_id"])
    op.create_table(
        "family_member",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("employee_id", BIG_KEY, nullable=False),
        sa.Column("relation_code", KeyText(length=60), nullable=False),
        sa.Column("first_name", sa.String(length=100), nullable=False),
        sa.Column("surname", sa.String(length=100), nullable=False),
        sa.Column("date_of_birth", sa.Date(), nullable=True),
        sa.Column("ssn", sa.Text(), nullable=True),
        sa.Column("abstain_from_ticket", sa.Boolean(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("customer_number", sa.BigInteger(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=100), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("updated_by", sa.String(length=100), nullable=False),
        sa.Column("is_deleted", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["employee_id"], ["employee.id"], name=op.f("fk_family_member_employee_id")),
        sa.ForeignKeyConstraint(
            ["relation_code"], ["family_relation.code"], name=op.f("fk_family_member_relation_code")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_family_member")),
    )
    op.create_index(op.f("ix_family_member_customer_number"), "family_member", ["customer_number"])
    op.create_index(op.f("ix_family_member_employee_id"), "family_member", ["employee_id"])
    op.create_index(op.f("ix_family_member_relation_code"), "family_member", ["relation_code"])
    op.create_table(
        "family_member_low_income",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("family_member_id", BIG_KEY, nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("is_registered", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["family_member_id"], ["family_member.id"], name=op.f("fk_family_member_low_income_family_member_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_family_member_low_income")),
        sa.UniqueConstraint("family_member_id", "year", name=op.f("uq_family_member_low_income_family_member_id_year")),
    )
    op.create_index(
        op.f("ix_family_member_low_income_family_member_id"), "family_member_low_income", ["family_member_id"]
    )


def downgrade() -> None:
    op.drop_table("family_member_low_income")
    op.drop_table("family_member")
    op.drop_table("employee_yearly_fee")
    op.drop_table("employee_disability_proof")
    op.drop_table("employee_category")
    op.drop_table("employee")
    op.drop_table("imported_employee")
    op.drop_table("company")
