"""Versions of what people edit, answers to consents, merges, failed sign-ins"""

import sqlalchemy as sa
from alembic import op

from datastore.base import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

VERSIONED = ("ecard", "preference", "customer_preference", "customer_account", "note")
BIG_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    for table in VERSIONED:
        op.add_column(table, sa.Column("version", sa.Integer(), nullable=False, server_default="1"))
        with op.batch_alter_table(table, reflect_kwargs={"resolve_fks": False}) as batch:
            batch.alter_column("version", server_default=None)
    op.create_table(
        "customer_consent_answer",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("consent_id", BIG_KEY, nullable=False),
        sa.Column("consent_choice", sa.Boolean(), nullable=False),
        sa.Column("answered_at", UtcDateTime(), nullable=False),
        sa.Column("answered_by", sa.String(length=100), nullable=False),
        sa.Column("answered_by_channel", sa.String(length=100), nullable=False),
        sa.Column("customer_id", BIG_KEY, nullable=False),
        sa.ForeignKeyConstraint(["consent_id"], ["customer_consent.id"]),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"]),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer_consent_answer")),
    )
    op.create_index(op.f("ix_customer_consent_answer_consent_id"), "customer_consent_answer", ["consent_id"])
    op.create_index(op.f("ix_customer_consent_answer_customer_id"), "customer_consent_answer", ["customer_id"])
    op.create_table(
        "customer_merge",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("merged_id", BIG_KEY, nullable=False),
        sa.Column("merged_at", UtcDateTime(), nullable=False),
        sa.Column("merged_by", sa.String(length=100), nullable=False),
        sa.Column("merged_by_channel", sa.String(length=100), nullable=False),
        sa.Column("undone_at", UtcDateTime(), nullable=True),
        sa.Column("before", sa.JSON(), nullable=False),
        sa.Column("customer_id", BIG_KEY, nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"]),
        sa.ForeignKeyConstraint(["merged_id"], ["customer.id"]),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer_merge")),
    )
    op.create_index(op.f("ix_customer_merge_customer_id"), "customer_merge", ["customer_id"])
    op.create_index(op.f("ix_customer_merge_merged_id"), "customer_merge", ["merged_id"])
    op.create_table(
        "sign_in_failure",
        sa.Column("name_hash", sa.String(length=64), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_failed_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name_hash", name=op.f("pk_sign_in_failure")),
    )
    op.create_index(op.f("ix_sign_in_failure_last_failed_at"), "sign_in_failure", ["last_failed_at"])


def downgrade() -> None:
    op.drop_table("sign_in_failure")
    op.drop_table("customer_merge")
    op.drop_table("customer_consent_answer")
    for table in VERSIONED:
        with op.batch_alter_table(table, reflect_kwargs={"resolve_fks": False}) as batch:
            batch.drop_column("version")
