"""Ticket rights, rules, orders, reports and imports"""

import sqlalchemy as sa
from alembic import op

from datastore.base import KeyText, UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

BIG_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "employee_import",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("upload_id", BIG_KEY, nullable=True),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("is_dry_run", sa.Boolean(), nullable=False),
        sa.Column("uploaded_at", UtcDateTime(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=True),
        sa.Column("started_by", sa.String(length=100), nullable=False),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.Column("error", sa.String(length=255), nullable=True),
        sa.Column("rows_total", sa.Integer(), nullable=True),
        sa.Column("rows_done", sa.Integer(), nullable=False),
        sa.Column("chunks_done", sa.Integer(), nullable=False),
        sa.Column("inserted", sa.Integer(), nullable=False),
        sa.Column("updated", sa.Integer(), nullable=False),
        sa.Column("unchanged", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("errors", sa.JSON(), nullable=False),
        sa.Column("company_id", BIG_KEY, nullable=False),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name=op.f("fk_employee_import_company_id")),
        sa.ForeignKeyConstraint(["upload_id"], ["employee_import.id"], name=op.f("fk_employee_import_upload_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_employee_import")),
    )
    op.create_index(op.f("ix_employee_import_company_id"), "employee_import", ["company_id"])
    op.create_index(op.f("ix_employee_import_upload_id"), "employee_import", ["upload_id"])
    op.create_index(op.f("ix_employee_import_uploaded_at"), "employee_import", ["uploaded_at"])
    running = sa.text("finished_at IS NULL AND started_at IS NOT NULL")
    op.create_index(
        "ix_employee_import_unended", "employee_import", ["id"], sqlite_where=running, postgresql_where=running
    )
    op.create_table(
        "simple_rule",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("ticket_type_id", BIG_KEY, nullable=False),
        sa.Column("conditions", sa.JSON(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["ticket_type_id"], ["ticket_type.id"], name=op.f("fk_simple_rule_ticket_type_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_simple_rule")),
        sa.UniqueConstraint("name", name=op.f("uq_simple_rule_name")),
    )
    op.create_index(op.f("ix_simple_rule_ticket_type_id"), "simple_rule", ["ticket_type_id"])
    op.create_table(
        "tax_saving_report",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("month", sa.Integer(), nullable=False),
        sa.Column("separator", sa.String(length=1), nullable=False),
        sa.Column("started", UtcDateTime(), nullable=False),
        sa.Column("finished", UtcDateTime(), nullable=True),
        sa.Column("progress", sa.Integer(), nullable=False),
        sa.Column("rows_total", sa.Integer(), nullable=True),
        sa.Column("rows_done", sa.Integer(), nullable=False),
        sa.Column("last_employee_id", sa.BigInteger(), nullable=False),
        sa.Column("error", sa.String(length=255), nullable=True),
        sa.Column("csv", sa.Text(), nullable=True),
        sa.Column("started_by", sa.String(length=100), nullable=False),
        sa.Column("company_id", BIG_KEY, nullable=False),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name=op.f("fk_tax_saving_report_company_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tax_saving_report")),
    )
    op.create_index(op.f("ix_tax_saving_report_company_id"), "tax_saving_report", ["company_id"])
    being_made = sa.text("finished IS NULL AND error IS NULL")
    op.create_index(
        "ix_tax_saving_report_unended",
        "tax_saving_report",
        ["id"],
        sqlite_where=being_made,
        postgresql_where=being_made,
    )
    op.create_table(
        "simple_rule_version",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("rule_id", BIG_KEY, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("ticket_type_id", BIG_KEY, nullable=False),
        sa.Column("conditions", sa.JSON(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("changed_by", sa.String(length=100), nullable=False),
        sa.ForeignKeyConstraint(["rule_id"], ["simple_rule.id"], name=op.f("fk_simple_rule_version_rule_id")),
        sa.ForeignKeyConstraint(
            ["ticket_type_id"], ["ticket_type.id"], name=op.f("fk_simple_rule_version_ticket_type_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_simple_rule_version")),
        sa.UniqueConstraint("rule_id", "version", name=op.f("uq_simple_rule_version_rule_id_version")),
    )
    op.create_index(op.f("ix_simple_rule_version_rule_id"), "simple_rule_version", ["rule_id"])
    op.create_index(op.f("ix_simple_rule_version_ticket_type_id"), "simple_rule_version", ["ticket_type_id"])
    op.create_table(
        "upload_chunk",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("import_id", BIG_KEY, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["import_id"], ["employee_import.id"], name=op.f("fk_upload_chunk_import_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_upload_chunk")),
        sa.UniqueConstraint("import_id", "number", name=op.f("uq_upload_chunk_import_id_number")),
    )
    op.create_index(op.f("ix_upload_chunk_import_id"), "upload_chunk", ["import_id"])
    op.create_table(
        "tax_saving",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("employee_id", BIG_KEY, nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("month", sa.Integer(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["employee_id"], ["employee.id"], name=op.f("fk_tax_saving_employee_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tax_saving")),
        sa.UniqueConstraint("employee_id", "year", "month", name=op.f("uq_tax_saving_employee_id_year_month")),
    )
    op.create_index(op.f("ix_tax_saving_employee_id"), "tax_saving", ["employee_id"])
    op.create_table(
        "manual_order",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("ticket_type_id", BIG_KEY, nullable=False),
        sa.Column("from_date", sa.Date(), nullable=False),
        sa.Column("to_date", sa.Date(), nullable=False),
        sa.Column("issue_date", sa.Date(), nullable=False),
        sa.Column("ticket_no", KeyText(length=40), nullable=True),
        sa.Column("travel_type_id", BIG_KEY, nullable=True),
        sa.Column("fip_ticket_type_id", BIG_KEY, nullable=True),
        sa.Column("employee_id", BIG_KEY, nullable=False),
        sa.Column("family_member_id", BIG_KEY, nullable=True),
        sa.Column("is_deleted", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["employee_id"], ["employee.id"], name=op.f("fk_manual_order_employee_id")),
        sa.ForeignKeyConstraint(
            ["family_member_id"], ["family_member.id"], name=op.f("fk_manual_order_family_member_id")
        ),
        sa.ForeignKeyConstraint(
            ["fip_ticket_type_id"], ["fip_ticket_type.id"], name=op.f("fk_manual_order_fip_ticket_type_id")
        ),
        sa.ForeignKeyConstraint(["ticket_type_id"], ["ticket_type.id"], name=op.f("fk_manual_order_ticket_type_id")),
        sa.ForeignKeyConstraint(["travel_type_id"], ["travel_type.id"], name=op.f("fk_manual_order_travel_type_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_manual_order")),
    )
    op.create_index(op.f("ix_manual_order_employee_id"), "manual_order", ["employee_id"])
    op.create_index(op.f("ix_manual_order_family_member_id"), "manual_order", ["family_member_id"])
    op.create_index(op.f("ix_manual_order_fip_ticket_type_id"), "manual_order", ["fip_ticket_type_id"])
    op.create_index(op.f("ix_manual_order_issue_date"), "manual_order", ["issue_date"])
    op.create_index(op.f("ix_manual_order_ticket_type_id"), "manual_order", ["ticket_type_id"])
    op.create_index(op.f("ix_manual_order_travel_type_id"), "manual_order", ["travel_type_id"])
    op.create_table(
        "ticket_rights_holder",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("ticket_holder_code", KeyText(length=64), nullable=False),
        sa.Column("employee_id", BIG_KEY, nullable=False),
        sa.Column("family_member_id", BIG_KEY, nullable=True),
        sa.ForeignKeyConstraint(["employee_id"], ["employee.id"], name=op.f("fk_ticket_rights_holder_employee_id")),
        sa.ForeignKeyConstraint(
            ["family_member_id"], ["family_member.id"], name=op.f("fk_ticket_rights_holder_family_member_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ticket_rights_holder")),
        sa.UniqueConstraint(
            "employee_id", "family_member_id", name=op.f("uq_ticket_rights_holder_employee_id_family_member_id")
        ),
        sa.UniqueConstraint("ticket_holder_code", name=op.f("uq_ticket_rights_holder_ticket_holder_code")),
    )
    op.create_index(op.f("ix_ticket_rights_holder_employee_id"), "ticket_rights_holder", ["employee_id"])
    op.create_index(op.f("ix_ticket_rights_holder_family_member_id"), "ticket_rights_holder", ["family_member_id"])
    op.create_table(
        "station_pair",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("manual_order_id", BIG_KEY, nullable=False),
        sa.Column("from_station_id", KeyText(length=135), nullable=False),
        sa.Column("to_station_id", KeyText(length=135), nullable=False),
        sa.ForeignKeyConstraint(["from_station_id"], ["station.id"], name=op.f("fk_station_pair_from_station_id")),
        sa.ForeignKeyConstraint(["manual_order_id"], ["manual_order.id"], name=op.f("fk_station_pair_manual_order_id")),
        sa.ForeignKeyConstraint(["to_station_id"], ["station.id"], name=op.f("fk_station_pair_to_station_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_station_pair")),
    )
    op.create_index(op.f("ix_station_pair_from_station_id"), "station_pair", ["from_station_id"])
    op.create_index(op.f("ix_station_pair_manual_order_id"), "station_pair", ["manual_order_id"])
    op.create_index(op.f("ix_station_pair_to_station_id"), "station_pair", ["to_station_id"])
    op.create_table(
        "ticket_right",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("ticket_holder_id", BIG_KEY, nullable=False),
        sa.Column("ticket_type_id", BIG_KEY, nullable=False),
        sa.Column("rule_id", BIG_KEY, nullable=True),
        sa.Column("rule_version", sa.Integer(), nullable=True),
        sa.Column("manual_order_id", BIG_KEY, nullable=True),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=False),
        sa.Column("calculation_timestamp", UtcDateTime(), nullable=False),
        sa.Column("note", sa.String(length=255), nullable=True),
        sa.Column("ticket_error_message", sa.String(length=500), nullable=True),
        sa.Column("ticket_is_ready_to_sync", sa.Boolean(), nullable=False),
        sa.Column("ticket_sync_timestamp", UtcDateTime(), nullable=True),
        sa.Column("customer_error_message", sa.String(length=500), nullable=True),
        sa.Column("customer_is_ready_to_sync", sa.Boolean(), nullable=False),
        sa.Column("customer_sync_timestamp", UtcDateTime(), nullable=True),
        sa.Column("employee_id", BIG_KEY, nullable=False),
        sa.Column("family_member_id", BIG_KEY, nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["employee_id"], ["employee.id"], name=op.f("fk_ticket_right_employee_id")),
        sa.ForeignKeyConstraint(
            ["family_member_id"], ["family_member.id"], name=op.f("fk_ticket_right_family_member_id")
        ),
        sa.ForeignKeyConstraint(["manual_order_id"], ["manual_order.id"], name=op.f("fk_ticket_right_manual_order_id")),
        sa.ForeignKeyConstraint(["rule_id"], ["simple_rule.id"], name=op.f("fk_ticket_right_rule_id")),
        sa.ForeignKeyConstraint(
            ["ticket_holder_id"], ["ticket_rights_holder.id"], name=op.f("fk_ticket_right_ticket_holder_id")
        ),
        sa.ForeignKeyConstraint(["ticket_type_id"], ["ticket_type.id"], name=op.f("fk_ticket_right_ticket_type_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ticket_right")),
    )
    op.create_index(
        "uq_ticket_right_ticket_holder_id_ticket_type_id_valid_from",
        "ticket_right",
        ["ticket_holder_id", "ticket_type_id", "valid_from"],
        unique=True,
        sqlite_where=sa.text("valid_until > valid_from"),
        postgresql_where=sa.text("valid_until > valid_from"),
    )
    op.create_index(op.f("ix_ticket_right_employee_id"), "ticket_right", ["employee_id"])
    op.create_index(op.f("ix_ticket_right_family_member_id"), "ticket_right", ["family_member_id"])
    op.create_index(op.f("ix_ticket_right_manual_order_id"), "ticket_right", ["manual_order_id"])
    op.create_index(op.f("ix_ticket_right_rule_id"), "ticket_right", ["rule_id"])
    op.create_index(op.f("ix_ticket_right_ticket_holder_id"), "ticket_right", ["ticket_holder_id"])
    op.create_index(op.f("ix_ticket_right_ticket_type_id"), "ticket_right", ["ticket_type_id"])
    for system in ("ticket", "customer"):
        failed = sa.text(f"{system}_error_message IS NOT NULL")
        ready = sa.text(
            f"{system}_is_ready_to_sync AND {system}_sync_timestamp IS NULL AND {system}_error_message IS NULL"
        )
        for state, condition in (("failed", failed), ("ready", ready)):
            name = f"ix_ticket_right_{system}_{state}"
            op.create_index(name, "ticket_right", ["id"], sqlite_where=condition, postgresql_where=condition)
    op.create_index("ix_ticket_right_of_person", "ticket_right", ["employee_id", "family_member_id"])
    op.create_index("ix_ticket_right_valid", "ticket_right", ["employee_id", "valid_from", "valid_until"])


def downgrade() -> None:
    op.drop_table("ticket_right")
    op.drop_table("station_pair")
    op.drop_table("ticket_rights_holder")
    op.drop_table("manual_order")
    op.drop_table("tax_saving")
    op.drop_table("upload_chunk")
    op.drop_table("simple_rule_version")
    op.drop_table("tax_saving_report")
    op.drop_table("simple_rule")
    op.drop_table("employee_import")
