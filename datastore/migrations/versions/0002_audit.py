"""The audit log; notes are sealed"""

from collections.abc import Callable

import sqlalchemy as sa
from alembic import op

from datastore.base import UtcDateTime
from datastore.customer import Note
from datastore.sealing import Keyring

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

BATCH = 1000
note = sa.table("note", sa.column("id", sa.BigInteger), sa.column("text", sa.Text))


def upgrade() -> None:
    op.create_table(
        "audit_chain",
        sa.Column("organisation_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("mac", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("organisation_id", name=op.f("pk_audit_chain")),
    )
    kind = sa.Enum("C", "R", name="kind", native_enum=False, create_constraint=True)
    kinds = ("internal", "partner", "traveller", "person")
    tenant_kind = sa.Enum(*kinds, name="tenant_kind", native_enum=False, create_constraint=True)
    op.create_table(
        "audit_log",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("organisation_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("kind", kind, nullable=False),
        sa.Column("operation", sa.String(length=100), nullable=False),
        sa.Column("logged_at", UtcDateTime(), nullable=False),
        sa.Column("tenant_kind", tenant_kind, nullable=False),
        sa.Column("issuer", sa.String(length=500), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("client_id", sa.String(length=200), nullable=False),
        sa.Column("client_name", sa.String(length=100), nullable=False),
        sa.Column("correlation_id", sa.String(length=64), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=True),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("details_digest", sa.String(length=64), nullable=False),
        sa.Column("key_id", sa.String(length=30), nullable=False),
        sa.Column("mac", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
        sa.UniqueConstraint("organisation_id", "number", name=op.f("uq_audit_log_organisation_id_number")),
    )
    for name in ("organisation_id", "customer_id", "kind", "operation", "subject", "correlation_id"):
        op.create_index(f"ix_audit_log_{name}", "audit_log", [name, "logged_at", "id"])
    op.create_index("ix_audit_log_logged_at", "audit_log", ["logged_at", "id"])
    with op.batch_alter_table("note", reflect_kwargs={"resolve_fks": False}) as batch:
        batch.drop_constraint(op.f("ck_note_text_length"), type_="check")
    keys = keyring()
    convert(lambda text: keys.seal(text, Note.text))


def downgrade() -> None:
    keys = keyring()
    convert(lambda text: keys.open(text, Note.text))
    with op.batch_alter_table("note", reflect_kwargs={"resolve_fks": False}) as batch:
        batch.create_check_constraint(op.f("ck_note_text_length"), "length(text) <= 10000")
    op.drop_table("audit_log")
    op.drop_table("audit_chain")


def keyring() -> Keyring:
    config = op.get_context().config
    return (config and config.attributes.get("keys")) or Keyring()


def convert(text_of: Callable[[str], str]) -> None:
    """Put every note's text through a function, in batches."""
    last = 0
    while rows := op.get_bind().execute(sa.select(note).where(note.c.id > last).order_by(note.c.id).limit(BATCH)).all():
        update = sa.update(note).where(note.c.id == sa.bindparam("key")).values(text=sa.bindparam("new"))
        op.get_bind().execute(update, [{"key": row.id, "new": text_of(row.text)} for row in rows])
        last = rows[-1].id
