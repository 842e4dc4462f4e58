"""Use of contracts, and their ledger"""

import sqlalchemy as sa
from alembic import op

from datastore.base import KeyText, UtcDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

BIG_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "contract_transaction",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("contract_id", BIG_KEY, nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("timestamp", UtcDateTime(), nullable=False),
        sa.Column("rrn", KeyText(length=60), nullable=True),
        sa.Column("email", sa.String(length=80), nullable=True),
        sa.Column("pos_id", KeyText(length=60), nullable=True),
        sa.Column("external_transaction_id", KeyText(length=100), nullable=True),
        sa.Column("internal_transaction_id", KeyText(length=36), nullable=False),
        sa.Column("reverses_id", BIG_KEY, nullable=True),
        sa.Column("created_by", sa.String(length=100), nullable=False),
        sa.ForeignKeyConstraint(["contract_id"], ["contract.id"], name=op.f("fk_contract_transaction_contract_id")),
        sa.ForeignKeyConstraint(
            ["reverses_id"], ["contract_transaction.id"], name=op.f("fk_contract_transaction_reverses_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contract_transaction")),
        sa.UniqueConstraint("internal_transaction_id", name=op.f("uq_contract_transaction_internal_transaction_id")),
        sa.UniqueConstraint("reverses_id", name=op.f("uq_contract_transaction_reverses_id")),
    )
    op.create_index(op.f("ix_contract_transaction_contract_id"), "contract_transaction", ["contract_id"])
    op.create_index(
        op.f("ix_contract_transaction_external_transaction_id"), "contract_transaction", ["external_transaction_id"]
    )
    op.create_table(
        "coupon_year",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("contract_id", BIG_KEY, nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("starts_at", UtcDateTime(), nullable=False),
        sa.Column("ends_at", UtcDateTime(), nullable=False),
        sa.Column("coupons_limit", sa.Integer(), nullable=False),
        sa.Column("remaining", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["contract_id"], ["contract.id"], name=op.f("fk_coupon_year_contract_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_coupon_year")),
        sa.UniqueConstraint("contract_id", "year", name=op.f("uq_coupon_year_contract_id_year")),
    )
    op.create_table(
        "ledger_head",
        sa.Column("contract_id", BIG_KEY, autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("mac", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["contract_id"], ["contract.id"], name=op.f("fk_ledger_head_contract_id")),
        sa.PrimaryKeyConstraint("contract_id", name=op.f("pk_ledger_head")),
    )
    op.create_table(
        "ledger_line",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("contract_id", BIG_KEY, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "deposit",
                "withdrawal",
                "reversal",
                "use",
                "cancellation",
                "reservation",
                "release",
                name="ledger_kind",
                native_enum=False,
                create_constraint=True,
            ),
            nullable=False,
        ),
        sa.Column("amount", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=True),
        sa.Column("coupons", sa.Integer(), nullable=True),
        sa.Column("coupon_year", sa.Integer(), nullable=True),
        sa.Column("reference", sa.String(length=200), nullable=False),
        sa.Column("booked_at", UtcDateTime(), nullable=False),
        sa.Column("booked_by", sa.String(length=100), nullable=False),
        sa.Column("key_id", sa.String(length=40), nullable=False),
        sa.Column("mac", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["contract_id"], ["contract.id"], name=op.f("fk_ledger_line_contract_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_line")),
        sa.UniqueConstraint("contract_id", "number", name=op.f("uq_ledger_line_contract_id_number")),
    )
    op.create_table(
        "order_line_event",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("contract_id", BIG_KEY, nullable=False),
        sa.Column("customer_id", BIG_KEY, nullable=True),
        sa.Column("employee_id", BIG_KEY, nullable=True),
        sa.Column("organisation_id", sa.BigInteger(), nullable=False),
        sa.Column("order_id", KeyText(length=60), nullable=False),
        sa.Column("order_line_id", KeyText(length=60), nullable=False),
        sa.Column("order_line_version", KeyText(length=60), nullable=False),
        sa.Column(
            "event_type",
            sa.Enum("PURCHASE", "CANCELLATION", name="event_type", native_enum=False, create_constraint=True),
            nullable=False,
        ),
        sa.Column("is_cancelled", sa.Boolean(), nullable=False),
        sa.Column("is_purchased", sa.Boolean(), nullable=False),
        sa.Column("cancels_id", BIG_KEY, nullable=True),
        sa.Column("timestamp", UtcDateTime(), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("original_price", sa.BigInteger(), nullable=True),
        sa.Column("travel_date", UtcDateTime(), nullable=False),
        sa.Column("last_travel_date", UtcDateTime(), nullable=False),
        sa.Column("coupons_used", sa.Integer(), nullable=True),
        sa.Column("coupon_year", sa.Integer(), nullable=False),
        sa.Column("codespace", sa.String(length=20), nullable=True),
        sa.Column("order_line_text", sa.String(length=255), nullable=True),
        sa.Column("manual_transaction_comment", sa.String(length=500), nullable=True),
        sa.Column("effective_cancellation_date", UtcDateTime(), nullable=True),
        sa.Column("sub_contract", KeyText(length=36), nullable=True),
        sa.ForeignKeyConstraint(["cancels_id"], ["order_line_event.id"], name=op.f("fk_order_line_event_cancels_id")),
        sa.ForeignKeyConstraint(["contract_id"], ["contract.id"], name=op.f("fk_order_line_event_contract_id")),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_order_line_event_customer_id")),
        sa.ForeignKeyConstraint(["employee_id"], ["employee.id"], name=op.f("fk_order_line_event_employee_id")),
        sa.ForeignKeyConstraint(["sub_contract"], ["contract.uuid"], name=op.f("fk_order_line_event_sub_contract")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order_line_event")),
        sa.UniqueConstraint("cancels_id", name=op.f("uq_order_line_event_cancels_id")),
        sa.UniqueConstraint(
            "organisation_id",
            "order_id",
            "order_line_id",
            "order_line_version",
            "event_type",
            name="uq_order_line_event_order_line",
        ),
    )
    op.create_index(op.f("ix_order_line_event_contract_id"), "order_line_event", ["contract_id"])
    op.create_index(op.f("ix_order_line_event_customer_id"), "order_line_event", ["customer_id"])
    op.create_index(op.f("ix_order_line_event_employee_id"), "order_line_event", ["employee_id"])
    op.create_index(op.f("ix_order_line_event_sub_contract"), "order_line_event", ["sub_contract"])
    op.create_table(
        "total_amount",
        sa.Column("contract_id", BIG_KEY, autoincrement=False, nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("calculated_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["contract_id"], ["contract.id"], name=op.f("fk_total_amount_contract_id")),
        sa.PrimaryKeyConstraint("contract_id", name=op.f("pk_total_amount")),
    )
    op.create_table(
        "contract_reservation",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("uuid", KeyText(length=36), nullable=False),
        sa.Column("contract_id", BIG_KEY, nullable=False),
        sa.Column("customer_id", BIG_KEY, nullable=True),
        sa.Column(
            "status",
            sa.Enum(
                "held",
                "captured",
                "released",
                "expired",
                name="reservation_status",
                native_enum=False,
                create_constraint=True,
            ),
            nullable=False,
        ),
        sa.Column("coupons", sa.Integer(), nullable=True),
        sa.Column("coupon_year", sa.Integer(), nullable=False),
        sa.Column("travel_date", UtcDateTime(), nullable=False),
        sa.Column("last_travel_date", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=100), nullable=False),
        sa.Column("settled_at", UtcDateTime(), nullable=True),
        sa.Column("order_line_event_id", BIG_KEY, nullable=True),
        sa.ForeignKeyConstraint(["contract_id"], ["contract.id"], name=op.f("fk_contract_reservation_contract_id")),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_contract_reservation_customer_id")),
        sa.ForeignKeyConstraint(
            ["order_line_event_id"], ["order_line_event.id"], name=op.f("fk_contract_reservation_order_line_event_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contract_reservation")),
        sa.UniqueConstraint("uuid", name=op.f("uq_contract_reservation_uuid")),
    )
    op.create_index(op.f("ix_contract_reservation_contract_id"), "contract_reservation", ["contract_id"])
    op.create_index(op.f("ix_contract_reservation_customer_id"), "contract_reservation", ["customer_id"])
    op.create_index(
        "ix_contract_reservation_held",
        "contract_reservation",
        ["contract_id", "expires_at"],
        sqlite_where=sa.text("status = 'held'"),
        postgresql_where=sa.text("status = 'held'"),
    )
    op.create_index(
        op.f("ix_contract_reservation_order_line_event_id"), "contract_reservation", ["order_line_event_id"]
    )
    op.create_table(
        "tax_distribution",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("order_line_event_id", BIG_KEY, nullable=False),
        sa.Column("tax_year", sa.Integer(), nullable=False),
        sa.Column("tax_month", sa.Integer(), nullable=False),
        sa.Column("tax_saving", sa.BigInteger(), nullable=True),
        sa.Column("is_unknown", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["order_line_event_id"], ["order_line_event.id"], name=op.f("fk_tax_distribution_order_line_event_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tax_distribution")),
    )
    op.create_index(op.f("ix_tax_distribution_order_line_event_id"), "tax_distribution", ["order_line_event_id"])


def downgrade() -> None:
    op.drop_table("tax_distribution")
    op.drop_table("contract_reservation")
    op.drop_table("total_amount")
    op.drop_table("order_line_event")
    op.drop_table("ledger_line")
    op.drop_table("ledger_head")
    op.drop_table("coupon_year")
    op.drop_table("contract_transaction")
