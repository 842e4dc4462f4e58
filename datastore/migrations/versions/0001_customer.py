"""The customer domain"""

import secrets

import sqlalchemy as sa
from alembic import op

from datastore.base import KeyText, UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "customer",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("uuid", KeyText(length=32), nullable=False),
        sa.Column("customer_number", sa.BigInteger(), nullable=False),
        sa.Column("organisation_id", sa.BigInteger(), nullable=False),
        sa.Column("customer_ref", KeyText(length=40), nullable=False),
        sa.Column(
            "status", sa.Enum("A", "P", "D", name="status", native_enum=False, create_constraint=True), nullable=False
        ),
        sa.Column(
            "status_before_deletion",
            sa.Enum("A", "P", "D", name="status_before_deletion", native_enum=False, create_constraint=True),
            nullable=True,
        ),
        sa.Column(
            "profile_type",
            sa.Enum("S", "P", "T", name="profile_type", native_enum=False, create_constraint=True),
            nullable=False,
        ),
        sa.Column("merged_into_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("parent_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("surname", sa.String(length=100), nullable=True),
        sa.Column("surname_key", KeyText(length=200), nullable=False),
        sa.Column("first_name", sa.String(length=100), nullable=True),
        sa.Column("first_name_key", KeyText(length=200), nullable=False),
        sa.Column("date_of_birth", sa.Date(), nullable=True),
        sa.Column("date_of_death", sa.Date(), nullable=True),
        sa.Column("nationality", sa.String(length=3), nullable=True),
        sa.Column("language_preference_iso6393", sa.String(length=3), nullable=True),
        sa.Column("language_preference", sa.String(length=10), nullable=True),
        sa.Column("email", sa.String(length=80), nullable=True),
        sa.Column("email_key", KeyText(length=160), nullable=True),
        sa.Column("email_old", sa.String(length=80), nullable=True),
        sa.Column("email_verified_at", UtcDateTime(), nullable=True),
        sa.Column("country_code", sa.String(length=4), nullable=True),
        sa.Column("telephone_number_no_country_code", sa.String(length=15), nullable=True),
        sa.Column("telephone_number", sa.String(length=20), nullable=True),
        sa.Column("telephone_number_verified_at", UtcDateTime(), nullable=True),
        sa.Column("landline_number", sa.String(length=20), nullable=True),
        sa.Column("vipps_id", sa.String(length=100), nullable=True),
        sa.Column("invoice_organisation_id", sa.String(length=9), nullable=True),
        sa.Column("customer_account_id", sa.String(length=60), nullable=True),
        sa.Column("password_hash", sa.String(length=200), nullable=True),
        sa.Column("last_sign_in_at", UtcDateTime(), nullable=True),
        sa.Column("last_sign_in_from", sa.String(length=100), nullable=True),
        sa.Column("expiration_date", sa.Date(), nullable=True),
        sa.Column("created_by", sa.String(length=100), nullable=False),
        sa.Column("created_by_channel", sa.String(length=100), nullable=False),
        sa.Column("changed_by", sa.String(length=100), nullable=False),
        sa.Column("changed_by_channel", sa.String(length=100), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["merged_into_id"], ["customer.id"], name=op.f("fk_customer_merged_into_id")),
        sa.ForeignKeyConstraint(["parent_id"], ["customer.id"], name=op.f("fk_customer_parent_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer")),
        sa.UniqueConstraint("customer_number", name=op.f("uq_customer_customer_number")),
        sa.UniqueConstraint("uuid", name=op.f("uq_customer_uuid")),
    )
    with op.batch_alter_table("customer", schema=None) as batch_op:
        batch_op.create_index(
            "ix_customer_by_first_name", ["organisation_id", "first_name_key", "customer_number"], unique=False
        )
        batch_op.create_index(
            "ix_customer_by_surname", ["organisation_id", "surname_key", "customer_number"], unique=False
        )
        batch_op.create_index(
            "ix_customer_by_telephone", ["telephone_number_no_country_code", "country_code"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_customer_date_of_birth"), ["date_of_birth"], unique=False)
        batch_op.create_index(batch_op.f("ix_customer_email_key"), ["email_key"], unique=False)
        batch_op.create_index(batch_op.f("ix_customer_expiration_date"), ["expiration_date"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_customer_invoice_organisation_id"), ["invoice_organisation_id"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_customer_landline_number"), ["landline_number"], unique=False)
        batch_op.create_index(
            "ix_customer_merged_into_id",
            ["merged_into_id"],
            unique=False,
            sqlite_where=sa.text("merged_into_id IS NOT NULL"),
            postgresql_where=sa.text("merged_into_id IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_customer_organisation_id_customer_number", ["organisation_id", "customer_number"], unique=False
        )
        batch_op.create_index(
            "ix_customer_parent_id",
            ["parent_id"],
            unique=False,
            sqlite_where=sa.text("parent_id IS NOT NULL"),
            postgresql_where=sa.text("parent_id IS NOT NULL"),
        )
        batch_op.create_index(batch_op.f("ix_customer_telephone_number"), ["telephone_number"], unique=False)
        batch_op.create_index(batch_op.f("ix_customer_vipps_id"), ["vipps_id"], unique=False)
        batch_op.create_index(
            "uq_customer_organisation_id_customer_ref", ["organisation_id", "customer_ref"], unique=True
        )
        batch_op.create_index(
            "uq_customer_organisation_id_email_key",
            ["email_key", "organisation_id"],
            unique=True,
            sqlite_where=sa.text("profile_type <> 'T' AND status <> 'D'"),
            postgresql_where=sa.text("profile_type <> 'T' AND status <> 'D'"),
        )

    op.create_table(
        "gateway_secret",
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_gateway_secret")),
    )
    op.create_table(
        "idempotency",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("organisation_id", sa.BigInteger(), nullable=False),
        sa.Column("key", KeyText(length=100), nullable=False),
        sa.Column("input_hash", sa.String(length=64), nullable=False),
        sa.Column("result", sa.JSON(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_idempotency")),
        sa.UniqueConstraint("organisation_id", "key", name=op.f("uq_idempotency_organisation_id_key")),
    )
    with op.batch_alter_table("idempotency", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_idempotency_created_at"), ["created_at"], unique=False)

    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("queue", sa.String(length=60), nullable=False),
        sa.Column(
            "type", sa.Enum("CREATE", "UPDATE", name="type", native_enum=False, create_constraint=True), nullable=False
        ),
        sa.Column("customer_number", sa.BigInteger(), nullable=False),
        sa.Column("organisation_id", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("correlation_id", sa.String(length=64), nullable=False),
        sa.Column("published_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
    )
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.create_index(
            "ix_outbox_unpublished",
            ["id"],
            unique=False,
            sqlite_where=sa.text("published_at IS NULL"),
            postgresql_where=sa.text("published_at IS NULL"),
        )

    op.create_table(
        "preference",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("organisation_id", sa.BigInteger(), nullable=False),
        sa.Column("preference_code", KeyText(length=60), nullable=False),
        sa.Column("preference_type", sa.String(length=60), nullable=False),
        sa.Column("preference_description", sa.String(length=255), nullable=True),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_preference")),
        sa.UniqueConstraint(
            "organisation_id", "preference_code", name=op.f("uq_preference_organisation_id_preference_code")
        ),
    )
    op.create_table(
        "customer_account",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("customer_account_id", KeyText(length=60), nullable=False),
        sa.Column("alias", sa.String(length=100), nullable=True),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=100), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=True),
        sa.Column("changed_by", sa.String(length=100), nullable=True),
        sa.Column("customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_customer_account_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer_account")),
        sa.UniqueConstraint(
            "customer_id", "customer_account_id", name=op.f("uq_customer_account_customer_id_customer_account_id")
        ),
    )
    with op.batch_alter_table("customer_account", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_customer_account_customer_id"), ["customer_id"], unique=False)
        batch_op.create_index(
            "uq_customer_account_customer_id_default",
            ["customer_id"],
            unique=True,
            sqlite_where=sa.text("is_default"),
            postgresql_where=sa.text("is_default"),
        )

    op.create_table(
        "customer_consent",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("is_legacy", sa.Boolean(), nullable=False),
        sa.Column("consent_code", sa.String(length=60), nullable=False),
        sa.Column("consent_choice", sa.Boolean(), nullable=False),
        sa.Column("customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_customer_consent_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer_consent")),
        sa.UniqueConstraint(
            "customer_id",
            "is_legacy",
            "consent_code",
            name=op.f("uq_customer_consent_customer_id_is_legacy_consent_code"),
        ),
    )
    with op.batch_alter_table("customer_consent", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_customer_consent_customer_id"), ["customer_id"], unique=False)

    op.create_table(
        "customer_preference",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("preference_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("preference_value", sa.String(length=255), nullable=True),
        sa.Column("customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_customer_preference_customer_id")),
        sa.ForeignKeyConstraint(
            ["preference_id"], ["preference.id"], name=op.f("fk_customer_preference_preference_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer_preference")),
        sa.UniqueConstraint(
            "customer_id", "preference_id", name=op.f("uq_customer_preference_customer_id_preference_id")
        ),
    )
    with op.batch_alter_table("customer_preference", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_customer_preference_customer_id"), ["customer_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_customer_preference_preference_id"), ["preference_id"], unique=False)

    op.create_table(
        "ecard",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("ecard_number", KeyText(length=10), nullable=False),
        sa.Column("ecard_operator", KeyText(length=10), nullable=False),
        sa.Column("ecard_number_16digits", KeyText(length=16), nullable=False),
        sa.Column("ecard_name", sa.String(length=100), nullable=True),
        sa.Column("booking_date", sa.Date(), nullable=True),
        sa.Column("shipping_date", sa.Date(), nullable=True),
        sa.Column("start_of_ownership", UtcDateTime(), nullable=False),
        sa.Column("end_of_ownership", UtcDateTime(), nullable=True),
        sa.Column("expiration_date", sa.Date(), nullable=True),
        sa.Column("customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_ecard_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ecard")),
    )
    with op.batch_alter_table("ecard", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_ecard_customer_id"), ["customer_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_ecard_ecard_number_16digits"), ["ecard_number_16digits"], unique=False)
        batch_op.create_index("ix_ecard_ecard_number_ecard_operator", ["ecard_number", "ecard_operator"], unique=False)
        batch_op.create_index(
            "uq_ecard_ecard_operator_ecard_number",
            ["ecard_operator", "ecard_number"],
            unique=True,
            sqlite_where=sa.text("end_of_ownership IS NULL"),
            postgresql_where=sa.text("end_of_ownership IS NULL"),
        )

    op.create_table(
        "note",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("created_by", sa.String(length=100), nullable=False),
        sa.Column("changed_by", sa.String(length=100), nullable=False),
        sa.Column("customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("length(text) <= 10000", name=op.f("ck_note_text_length")),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_note_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_note")),
    )
    with op.batch_alter_table("note", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_note_customer_id"), ["customer_id"], unique=False)

    op.create_table(
        "personnel_ticket_bearer",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("bearer_customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("ticket_right_owner", KeyText(length=60), nullable=True),
        sa.Column("ticket_right_bearer", KeyText(length=60), nullable=True),
        sa.Column("is_self_served_retrieval", sa.Boolean(), nullable=False),
        sa.Column("customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["bearer_customer_id"], ["customer.id"], name=op.f("fk_personnel_ticket_bearer_bearer_customer_id")
        ),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_personnel_ticket_bearer_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_personnel_ticket_bearer")),
    )
    with op.batch_alter_table("personnel_ticket_bearer", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_personnel_ticket_bearer_bearer_customer_id"), ["bearer_customer_id"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_personnel_ticket_bearer_customer_id"), ["customer_id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_personnel_ticket_bearer_ticket_right_bearer"), ["ticket_right_bearer"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_personnel_ticket_bearer_ticket_right_owner"), ["ticket_right_owner"], unique=False
        )

    op.create_table(
        "postal_address",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column(
            "type_of_address",
            sa.Enum("P", "I", "S", name="type_of_address", native_enum=False, create_constraint=True),
            nullable=False,
        ),
        sa.Column("address_line1", sa.String(length=100), nullable=True),
        sa.Column("address_line1_key", KeyText(length=200), nullable=False),
        sa.Column("address_line2", sa.String(length=100), nullable=True),
        sa.Column("post_code", sa.String(length=10), nullable=False),
        sa.Column("town", sa.String(length=100), nullable=True),
        sa.Column("country_code", sa.String(length=3), nullable=False),
        sa.Column("verified_at", UtcDateTime(), nullable=True),
        sa.Column("customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_postal_address_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_postal_address")),
    )
    with op.batch_alter_table("postal_address", schema=None) as batch_op:
        batch_op.create_index("ix_postal_address_address_line1_key", ["address_line1_key"], unique=False)
        batch_op.create_index(batch_op.f("ix_postal_address_customer_id"), ["customer_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_postal_address_post_code"), ["post_code"], unique=False)

    op.create_table(
        "traveller_info",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("order_id", KeyText(length=60), nullable=False),
        sa.Column("organisation_id", sa.BigInteger(), nullable=False),
        sa.Column("legs", sa.JSON(), nullable=False),
        sa.Column("customer_ref", KeyText(length=40), nullable=True),
        sa.Column("first_name", sa.String(length=100), nullable=True),
        sa.Column("surname", sa.String(length=100), nullable=True),
        sa.Column("email", sa.String(length=80), nullable=True),
        sa.Column("telephone_number", sa.String(length=20), nullable=True),
        sa.Column("from_stop_place_ref", sa.String(length=100), nullable=True),
        sa.Column("to_stop_place_ref", sa.String(length=100), nullable=True),
        sa.Column("language_preference", sa.String(length=10), nullable=True),
        sa.Column("customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_traveller_info_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_traveller_info")),
    )
    with op.batch_alter_table("traveller_info", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_traveller_info_customer_id"), ["customer_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_traveller_info_order_id"), ["order_id"], unique=False)

    for name, column, last in (("email", "email_key", "\U0010ffff"), ("date_of_birth", "date_of_birth", "9999-12-31")):
        key = sa.text(f"coalesce({column}, '{last}')")
        op.create_index(f"ix_customer_by_{name}", "customer", ["organisation_id", key, "customer_number"])
    secret = sa.table("gateway_secret", sa.column("name", sa.String), sa.column("value", sa.LargeBinary))
    op.bulk_insert(secret, [{"name": "cursor", "value": secrets.token_bytes(32)}])


def downgrade() -> None:
    for table in (
        "traveller_info",
        "postal_address",
        "personnel_ticket_bearer",
        "note",
        "ecard",
        "customer_preference",
        "customer_consent",
        "customer_account",
        "preference",
        "outbox",
        "idempotency",
        "gateway_secret",
        "customer",
    ):
        op.drop_table(table)
