"""Loyalty programs and contracts"""

import sqlalchemy as sa
from alembic import op

from datastore.base import KeyText, UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

BIG_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "loyalty_program",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("loyalty_program_id", sa.BigInteger(), nullable=False),
        sa.Column("version_number", sa.Integer(), nullable=False),
        sa.Column("organisation_id", sa.BigInteger(), nullable=False),
        sa.Column("product_id", KeyText(length=133), nullable=False),
        sa.Column("product_version", KeyText(length=133), nullable=False),
        sa.Column(
            "loyalty_program_type",
            sa.Enum(
                "COUPONS", "TIMED", "POINTS", "UNMAPPED", name="program_type", native_enum=False, create_constraint=True
            ),
            nullable=False,
        ),
        sa.Column("loyalty_program_code", sa.String(length=60), nullable=True),
        sa.Column("code_key", KeyText(length=120), nullable=True),
        sa.Column("internal_description", sa.String(length=500), nullable=False),
        sa.Column("start_date", UtcDateTime(), nullable=False),
        sa.Column("end_date", UtcDateTime(), nullable=False),
        sa.Column("superseded_at", UtcDateTime(), nullable=True),
        sa.Column("usage_validity_period", sa.String(length=60), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=100), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_loyalty_program")),
        sa.UniqueConstraint(
            "loyalty_program_id", "version_number", name=op.f("uq_loyalty_program_loyalty_program_id_version_number")
        ),
    )
    op.create_index("ix_loyalty_program_organisation_id", "loyalty_program", ["organisation_id", "loyalty_program_id"])
    op.create_index(
        "uq_loyalty_program_organisation_id_code_key",
        "loyalty_program",
        ["organisation_id", "code_key"],
        unique=True,
        sqlite_where=sa.text("version_number = 1"),
        postgresql_where=sa.text("version_number = 1"),
    )
    op.create_index(
        "uq_loyalty_program_product_id",
        "loyalty_program",
        ["product_id"],
        unique=True,
        sqlite_where=sa.text("version_number = 1"),
        postgresql_where=sa.text("version_number = 1"),
    )
    op.create_table(
        "contract",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("uuid", KeyText(length=36), nullable=False),
        sa.Column("organisation_id", sa.BigInteger(), nullable=False),
        sa.Column("loyalty_program_id", BIG_KEY, nullable=False),
        sa.Column("holder_id", BIG_KEY, nullable=True),
        sa.Column("parent", KeyText(length=36), nullable=True),
        sa.Column(
            "status",
            sa.Enum(
                "valid",
                "expired",
                "refunded",
                "cancelled",
                "misused",
                name="contract_status",
                native_enum=False,
                create_constraint=True,
            ),
            nullable=False,
        ),
        sa.Column("consumable_from", UtcDateTime(), nullable=False),
        sa.Column("expiration_date", UtcDateTime(), nullable=True),
        sa.Column("ends_at", UtcDateTime(), nullable=False),
        sa.Column("acceptance_date", UtcDateTime(), nullable=True),
        sa.Column("external_ref", KeyText(length=100), nullable=True),
        sa.Column("coupons_limit", sa.Integer(), nullable=True),
        sa.Column(
            "passenger_category",
            sa.Enum(
                "ADULT",
                "CHILD",
                "STUDENT",
                "SENIOR",
                name="passenger_category",
                native_enum=False,
                create_constraint=True,
            ),
            nullable=False,
        ),
        sa.Column("ticket_order_id", KeyText(length=60), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=100), nullable=False),
        sa.Column("last_changed_at", UtcDateTime(), nullable=False),
        sa.Column("last_changed_by", sa.String(length=100), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["holder_id"], ["customer.id"], name=op.f("fk_contract_holder_id")),
        sa.ForeignKeyConstraint(
            ["loyalty_program_id"], ["loyalty_program.id"], name=op.f("fk_contract_loyalty_program_id")
        ),
        sa.ForeignKeyConstraint(["parent"], ["contract.uuid"], name=op.f("fk_contract_parent")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contract")),
        sa.UniqueConstraint("uuid", name=op.f("uq_contract_uuid")),
    )
    op.create_index("ix_contract_by_consumable_from", "contract", ["organisation_id", "consumable_from"])
    op.create_index(
        "ix_contract_by_expiration_date",
        "contract",
        ["organisation_id", "expiration_date"],
        sqlite_where=sa.text("expiration_date IS NOT NULL"),
        postgresql_where=sa.text("expiration_date IS NOT NULL"),
    )
    op.create_index(
        "ix_contract_due",
        "contract",
        ["ends_at"],
        sqlite_where=sa.text("status = 'valid'"),
        postgresql_where=sa.text("status = 'valid'"),
    )
    op.create_index("ix_contract_external_ref", "contract", ["external_ref", "organisation_id"])
    op.create_index(op.f("ix_contract_holder_id"), "contract", ["holder_id"])
    op.create_index("ix_contract_loyalty_program_id", "contract", ["loyalty_program_id", "id"])
    op.create_index("ix_contract_organisation_id", "contract", ["organisation_id", "id"])
    op.create_index(op.f("ix_contract_parent"), "contract", ["parent"])
    op.create_table(
        "coupon_config",
        sa.Column("version_id", BIG_KEY, autoincrement=False, nullable=False),
        sa.Column("default_quantity", sa.Integer(), nullable=False),
        sa.Column("loyalty_program_id", BIG_KEY, nullable=False),
        sa.Column("default_start_time", sa.String(length=8), nullable=True),
        sa.Column("usage_validity_period", sa.String(length=60), nullable=True),
        sa.ForeignKeyConstraint(
            ["loyalty_program_id"], ["loyalty_program.id"], name=op.f("fk_coupon_config_loyalty_program_id")
        ),
        sa.ForeignKeyConstraint(["version_id"], ["loyalty_program.id"], name=op.f("fk_coupon_config_version_id")),
        sa.PrimaryKeyConstraint("version_id", name=op.f("pk_coupon_config")),
    )
    op.create_index(op.f("ix_coupon_config_loyalty_program_id"), "coupon_config", ["loyalty_program_id"])
    op.create_table(
        "loyalty_program_description",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("loyalty_program_id", BIG_KEY, nullable=False),
        sa.Column("language_code", sa.String(length=3), nullable=False),
        sa.Column("display_name", sa.String(length=100), nullable=True),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=100), nullable=False),
        sa.Column("last_changed_at", UtcDateTime(), nullable=False),
        sa.Column("last_changed_by", sa.String(length=100), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["loyalty_program_id"],
            ["loyalty_program.id"],
            name=op.f("fk_loyalty_program_description_loyalty_program_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_loyalty_program_description")),
        sa.UniqueConstraint(
            "loyalty_program_id",
            "language_code",
            name=op.f("uq_loyalty_program_description_loyalty_program_id_language_code"),
        ),
    )
    op.create_index(
        op.f("ix_loyalty_program_description_loyalty_program_id"), "loyalty_program_description", ["loyalty_program_id"]
    )
    op.create_table(
        "contract_consumer",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("contract_id", BIG_KEY, nullable=False),
        sa.Column("customer_id", BIG_KEY, nullable=False),
        sa.Column("is_contract_holder", sa.Boolean(), nullable=False),
        sa.Column("is_blocked", sa.Boolean(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=100), nullable=False),
        sa.Column("last_changed_at", UtcDateTime(), nullable=False),
        sa.Column("last_changed_by", sa.String(length=100), nullable=False),
        sa.ForeignKeyConstraint(["contract_id"], ["contract.id"], name=op.f("fk_contract_consumer_contract_id")),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_contract_consumer_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contract_consumer")),
        sa.UniqueConstraint("contract_id", "customer_id", name=op.f("uq_contract_consumer_contract_id_customer_id")),
    )
    op.create_index(op.f("ix_contract_consumer_contract_id"), "contract_consumer", ["contract_id"])
    op.create_index(op.f("ix_contract_consumer_customer_id"), "contract_consumer", ["customer_id"])
    op.create_index(
        "uq_contract_consumer_contract_id_holder",
        "contract_consumer",
        ["contract_id"],
        unique=True,
        sqlite_where=sa.text("is_contract_holder"),
        postgresql_where=sa.text("is_contract_holder"),
    )
    op.create_table(
        "contract_policy",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("contract_id", BIG_KEY, nullable=False),
        sa.Column(
            "key",
            sa.Enum(
                "customer_ref",
                "email_key",
                "date_of_birth",
                "surname",
                "first_name",
                "telephone_number_no_country_code",
                "nationality",
                name="policy_key",
                native_enum=False,
                create_constraint=True,
            ),
            nullable=False,
        ),
        sa.Column("value_hash", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["contract_id"], ["contract.id"], name=op.f("fk_contract_policy_contract_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contract_policy")),
        sa.UniqueConstraint("contract_id", "key", name=op.f("uq_contract_policy_contract_id_key")),
    )
    op.create_index(op.f("ix_contract_policy_contract_id"), "contract_policy", ["contract_id"])


def downgrade() -> None:
    op.drop_table("contract_policy")
    op.drop_table("contract_consumer")
    op.drop_table("loyalty_program_description")
    op.drop_table("coupon_config")
    op.drop_table("contract")
    op.drop_table("loyalty_program")
