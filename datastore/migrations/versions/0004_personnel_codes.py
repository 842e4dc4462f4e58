"""Code lists of the personnel ticket system"""

import sqlalchemy as sa
from alembic import op

from datastore.base import KeyText, UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

BIG_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "employment_end_cause",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("code", KeyText(length=60), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=True),
        sa.Column("is_deleted", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_employment_end_cause")),
        sa.UniqueConstraint("code", name=op.f("uq_employment_end_cause_code")),
    )
    op.create_table(
        "employment_type",
        sa.Column("is_pensioner", sa.Boolean(), nullable=False),
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("code", KeyText(length=60), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=True),
        sa.Column("is_deleted", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_employment_type")),
        sa.UniqueConstraint("code", name=op.f("uq_employment_type_code")),
    )
    op.create_table(
        "family_relation",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("code", KeyText(length=60), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=True),
        sa.Column("is_deleted", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_family_relation")),
        sa.UniqueConstraint("code", name=op.f("uq_family_relation_code")),
    )
    op.create_table(
        "fip_ticket_type",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("code", KeyText(length=60), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=True),
        sa.Column("is_deleted", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fip_ticket_type")),
        sa.UniqueConstraint("code", name=op.f("uq_fip_ticket_type_code")),
    )
    op.create_table(
        "pay_type",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("code", KeyText(length=60), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=True),
        sa.Column("is_deleted", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pay_type")),
        sa.UniqueConstraint("code", name=op.f("uq_pay_type_code")),
    )
    op.create_table(
        "personnel_ticket_product",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_personnel_ticket_product")),
    )
    op.create_table(
        "postal_place",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("code", KeyText(length=10), nullable=False),
        sa.Column("place", sa.String(length=100), nullable=False),
        sa.Column("country", sa.String(length=3), nullable=False),
        sa.Column("is_deleted", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_postal_place")),
        sa.UniqueConstraint("code", "country", name=op.f("uq_postal_place_code_country")),
    )
    op.create_index("ix_postal_place_code_id", "postal_place", ["code", "id"])
    op.create_table(
        "station",
        sa.Column("id", KeyText(length=135), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_station")),
    )
    op.create_table(
        "ticket_type",
        sa.Column("country_code", sa.String(length=3), nullable=True),
        sa.Column("can_have_station_pairs", sa.Boolean(), nullable=False),
        sa.Column("generates_ticket_rights", sa.Boolean(), nullable=False),
        sa.Column(
            "ticket_right_type",
            sa.Enum("bronse", "sølv", name="ticket_right_type", native_enum=False, create_constraint=True),
            nullable=True,
        ),
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("code", KeyText(length=60), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=True),
        sa.Column("is_deleted", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ticket_type")),
        sa.UniqueConstraint("code", name=op.f("uq_ticket_type_code")),
    )
    op.create_table(
        "travel_type",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("code", KeyText(length=60), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=True),
        sa.Column("is_deleted", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_travel_type")),
        sa.UniqueConstraint("code", name=op.f("uq_travel_type_code")),
    )


def downgrade() -> None:
    op.drop_table("travel_type")
    op.drop_table("ticket_type")
    op.drop_table("station")
    op.drop_table("postal_place")
    op.drop_table("personnel_ticket_product")
    op.drop_table("pay_type")
    op.drop_table("fip_ticket_type")
    op.drop_table("family_relation")
    op.drop_table("employment_type")
    op.drop_table("employment_end_cause")
