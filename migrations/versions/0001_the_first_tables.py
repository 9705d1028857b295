"""the first tables

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op

from chalicelib.storage import tables

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:  # noqa: PLR0915 - one statement a table and index
    op.create_table(
        "account",
        sa.Column("id", tables.Id, nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("program_id", tables.Id, nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("owner_id", tables.Id, nullable=False),
        sa.Column("debits_pending", tables.Big, nullable=False),
        sa.Column("debits_posted", tables.Big, nullable=False),
        sa.Column("credits_pending", tables.Big, nullable=False),
        sa.Column("credits_posted", tables.Big, nullable=False),
        sa.Column("entry_no", tables.Big, nullable=False),
        sa.Column("hold_changes", tables.Big, nullable=False),
        sa.Column("overdrawn_minor", tables.Big, nullable=False),
        sa.Column("unearned_minor", tables.Big, nullable=False),
        sa.Column("created_at", tables.Microseconds(), nullable=False),
        sa.Column("changed_at", tables.Microseconds(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
        sa.UniqueConstraint("program_id", "kind", "owner_id", name=op.f("uq_account_program_id_kind_owner_id")),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("account", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_account_owner_id"), ["owner_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_account_partner_id_kind"), ["partner_id", "kind"], unique=False)

    op.create_table(
        "accrual_event",
        sa.Column("seq", tables.Big, autoincrement=True, nullable=False),
        sa.Column("id", tables.Id, nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("event_id", sa.String(length=100), nullable=False),
        sa.Column("content_hash", tables.Digest, nullable=False),
        sa.Column("program_id", tables.Id, nullable=False),
        sa.Column("member_id", tables.Id, nullable=False),
        sa.Column("account_id", tables.Id, nullable=False),
        sa.Column("event_type", sa.String(length=20), nullable=False),
        sa.Column("event_date", tables.Day, nullable=False),
        sa.Column("outcome", sa.String(length=12), nullable=False),
        sa.Column("points_minor", tables.Big, nullable=False),
        sa.Column("reversed_minor", tables.Big, server_default="0", nullable=False),
        sa.Column("generation", tables.Big, server_default="0", nullable=False),
        sa.Column("ruleset_version_id", tables.Id, nullable=False),
        sa.Column("facts", tables.JsonText, nullable=False),
        sa.Column("source_file_id", tables.Id, nullable=True),
        sa.Column("row_no", sa.Integer(), nullable=True),
        sa.Column("byte_offset", tables.Big, nullable=True),
        sa.Column("byte_length", sa.Integer(), nullable=True),
        sa.Column("actor", sa.String(length=60), nullable=False),
        sa.Column("correlation_id", sa.String(length=64), nullable=False),
        sa.Column("received_at", tables.Microseconds(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_accrual_event")),
        sa.UniqueConstraint("id", name=op.f("uq_accrual_event_id")),
        sa.UniqueConstraint(
            "partner_id", "event_id", "generation", name=op.f("uq_accrual_event_partner_id_event_id_generation")
        ),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("accrual_event", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_accrual_event_partner_id_seq"), ["partner_id", "seq"], unique=False)
        batch_op.create_index(
            "ix_accrual_event_period",
            ["account_id", "event_date", "event_type", "points_minor", "reversed_minor"],
            unique=False,
        )
        batch_op.create_index(
            batch_op.f("ix_accrual_event_program_id_event_date_ruleset_version_id"),
            ["program_id", "event_date", "ruleset_version_id"],
            unique=False,
        )
        batch_op.create_index(
            batch_op.f("ix_accrual_event_source_file_id_row_no"), ["source_file_id", "row_no"], unique=False
        )

    op.create_table(
        "adjustment",
        sa.Column("seq", tables.Big, autoincrement=True, nullable=False),
        sa.Column("id", tables.Id, nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("program_id", tables.Id, nullable=False),
        sa.Column("member_id", tables.Id, nullable=False),
        sa.Column("account_id", tables.Id, nullable=False),
        sa.Column("reference", sa.String(length=100), nullable=False),
        sa.Column("amount_minor", tables.Big, nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("transfer_id", tables.Id, nullable=True),
        sa.Column("author", sa.String(length=60), nullable=False),
        sa.Column("decided_by", sa.String(length=60), nullable=True),
        sa.Column("decision_comment", sa.String(length=500), nullable=True),
        sa.Column("correlation_id", sa.String(length=64), nullable=False),
        sa.Column("created_at", tables.Microseconds(), nullable=False),
        sa.Column("decided_at", tables.Microseconds(), nullable=True),
        sa.Column("reason_code", sa.String(length=40), nullable=False),
        sa.Column("comment", sa.String(length=500), nullable=True),
        sa.Column("generation", tables.Big, server_default="0", nullable=False),
        sa.Column("effective_date", tables.Day, nullable=True),
        sa.Column("requested_by", sa.String(length=60), nullable=True),
        sa.Column("approved_by", sa.String(length=60), nullable=True),
        sa.Column("source_file_id", tables.Id, nullable=True),
        sa.Column("row_no", sa.Integer(), nullable=True),
        sa.Column("byte_offset", tables.Big, nullable=True),
        sa.Column("byte_length", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_adjustment")),
        sa.UniqueConstraint("id", name=op.f("uq_adjustment_id")),
        sa.UniqueConstraint(
            "partner_id", "reference", "generation", name=op.f("uq_adjustment_partner_id_reference_generation")
        ),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("adjustment", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_adjustment_account_id"), ["account_id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_adjustment_source_file_id_row_no"), ["source_file_id", "row_no"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_adjustment_source_file_id_seq"), ["source_file_id", "seq"], unique=False)
        batch_op.create_index(batch_op.f("ix_adjustment_state_partner_id"), ["state", "partner_id"], unique=False)

    op.create_table(
        "allowance_plan",
        sa.Column("seq", tables.Big, autoincrement=True, nullable=False),
        sa.Column("id", tables.Id, nullable=False),
        sa.Column("program_id", tables.Id, nullable=False),
        sa.Column("plan_year", sa.Integer(), nullable=False),
        sa.Column("job_code", sa.String(length=64), nullable=False),
        sa.Column("grade", sa.String(length=64), nullable=False),
        sa.Column("version", tables.Big, nullable=False),
        sa.Column("content", tables.JsonText, nullable=False),
        sa.Column("content_hash", tables.Digest, nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("source_file_id", tables.Id, nullable=True),
        sa.Column("row_no", sa.Integer(), nullable=True),
        sa.Column("byte_offset", tables.Big, nullable=True),
        sa.Column("byte_length", sa.Integer(), nullable=True),
        sa.Column("actor", sa.String(length=60), nullable=False),
        sa.Column("correlation_id", sa.String(length=64), nullable=False),
        sa.Column("recorded_at", tables.Microseconds(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_allowance_plan")),
        sa.UniqueConstraint("id", name=op.f("uq_allowance_plan_id")),
        sa.UniqueConstraint(
            "program_id",
            "plan_year",
            "job_code",
            "grade",
            "version",
            name=op.f("uq_allowance_plan_program_id_plan_year_job_code_grade_version"),
        ),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("allowance_plan", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_allowance_plan_source_file_id_row_no"), ["source_file_id", "row_no"], unique=False
        )

    op.create_table(
        "annulment",
        sa.Column("seq", tables.Big, autoincrement=True, nullable=False),
        sa.Column("id", tables.Id, nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("program_id", tables.Id, nullable=False),
        sa.Column("account_id", tables.Id, nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("cause_id", tables.Id, nullable=False),
        sa.Column("transfer_id", tables.Id, nullable=True),
        sa.Column("amount_minor", tables.Big, nullable=False),
        sa.Column("recovered_minor", tables.Big, nullable=False),
        sa.Column("overdrawn_minor", tables.Big, nullable=False),
        sa.Column("lost_minor", tables.Big, nullable=False),
        sa.Column("expired_minor", tables.Big, nullable=False),
        sa.Column("policy", sa.String(length=12), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("business_date", tables.Day, nullable=False),
        sa.Column("source_file_id", tables.Id, nullable=True),
        sa.Column("actor", sa.String(length=60), nullable=False),
        sa.Column("correlation_id", sa.String(length=64), nullable=False),
        sa.Column("annulled_at", tables.Microseconds(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_annulment")),
        sa.UniqueConstraint("cause_id", name=op.f("uq_annulment_cause_id")),
        sa.UniqueConstraint("id", name=op.f("uq_annulment_id")),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("annulment", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_annulment_account_id"), ["account_id"], unique=False)

    op.create_table(
        "audit_event",
        sa.Column("seq", tables.Big, autoincrement=True, nullable=False),
        sa.Column("id", tables.Id, nullable=False),
        sa.Column("at", tables.Microseconds(), nullable=False),
        sa.Column("actor", sa.String(length=60), nullable=False),
        sa.Column("action", sa.String(length=60), nullable=False),
        sa.Column("subject", sa.String(length=100), nullable=False),
        sa.Column("partner_id", tables.Id, nullable=True),
        sa.Column("before", tables.JsonText, nullable=True),
        sa.Column("after", tables.JsonText, nullable=True),
        sa.Column("reason", sa.String(length=500), nullable=True),
        sa.Column("correlation_id", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit_event")),
        sa.UniqueConstraint("id", name=op.f("uq_audit_event_id")),
        info={"tenant": False},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("audit_event", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_audit_event_partner_id_seq"), ["partner_id", "seq"], unique=False)
        batch_op.create_index(batch_op.f("ix_audit_event_subject_seq"), ["subject", "seq"], unique=False)

    op.create_table(
        "backtest_member",
        sa.Column("backtest_id", tables.Id, nullable=False),
        sa.Column("account_id", tables.Id, nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("member_id", tables.Id, nullable=False),
        sa.Column("program_id", tables.Id, nullable=False),
        sa.Column("then_minor", tables.Big, nullable=False),
        sa.Column("now_minor", tables.Big, nullable=False),
        sa.Column("difference_minor", tables.Big, nullable=False),
        sa.Column("events", sa.Integer(), nullable=False),
        sa.Column("changed", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("backtest_id", "account_id", name=op.f("pk_backtest_member")),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("backtest_member", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_backtest_member_backtest_id_changed"), ["backtest_id", "changed"], unique=False
        )

    op.create_table(
        "backtest_record",
        sa.Column("backtest_id", tables.Id, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("account_id", tables.Id, nullable=False),
        sa.Column("member_id", tables.Id, nullable=False),
        sa.Column("program_id", tables.Id, nullable=False),
        sa.Column("event_id", sa.String(length=100), nullable=False),
        sa.Column("event_date", tables.Day, nullable=False),
        sa.Column("accrual_id", tables.Id, nullable=True),
        sa.Column("file_id", tables.Id, nullable=True),
        sa.Column("row_no", sa.Integer(), nullable=True),
        sa.Column("then_minor", tables.Big, nullable=False),
        sa.Column("now_minor", tables.Big, nullable=False),
        sa.Column("code", sa.String(length=60), nullable=True),
        sa.Column("field", sa.String(length=100), nullable=True),
        sa.Column("message", sa.String(length=500), nullable=True),
        sa.PrimaryKeyConstraint("backtest_id", "number", name=op.f("pk_backtest_record")),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    op.create_table(
        "backtest_row",
        sa.Column("backtest_id", tables.Id, nullable=False),
        sa.Column("account_id", tables.Id, nullable=False),
        sa.Column("file_id", tables.Id, nullable=False),
        sa.Column("row_no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("event_id", sa.String(length=100), nullable=False),
        sa.PrimaryKeyConstraint("backtest_id", "account_id", "file_id", "row_no", name=op.f("pk_backtest_row")),
        sa.UniqueConstraint("backtest_id", "event_id", name=op.f("uq_backtest_row_backtest_id_event_id")),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    op.create_table(
        "close_out",
        sa.Column("seq", tables.Big, autoincrement=True, nullable=False),
        sa.Column("id", tables.Id, nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("program_id", tables.Id, nullable=False),
        sa.Column("member_id", tables.Id, nullable=False),
        sa.Column("account_id", tables.Id, nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("last_day", tables.Day, nullable=False),
        sa.Column("accrual_event_id", tables.Id, nullable=True),
        sa.Column("due_minor", tables.Big, nullable=False),
        sa.Column("amount_minor", tables.Big, nullable=False),
        sa.Column("transfer_id", tables.Id, nullable=False),
        sa.Column("business_date", tables.Day, nullable=False),
        sa.Column("actor", sa.String(length=60), nullable=False),
        sa.Column("correlation_id", sa.String(length=64), nullable=False),
        sa.Column("closed_at", tables.Microseconds(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_close_out")),
        sa.UniqueConstraint("id", name=op.f("uq_close_out_id")),
        sa.UniqueConstraint("transfer_id", name=op.f("uq_close_out_transfer_id")),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("close_out", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_close_out_account_id"), ["account_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_close_out_partner_id_seq"), ["partner_id", "seq"], unique=False)

    op.create_table(
        "code_table",
        sa.Column("id", tables.Id, nullable=False),
        sa.Column("code", sa.String(length=100), nullable=False),
        sa.Column("partner_id", tables.Id, nullable=True),
        sa.Column("owner", sa.String(length=100), nullable=False),
        sa.Column("value_declaration", tables.JsonText, nullable=True),
        sa.Column("content_hash", tables.Digest, nullable=False),
        sa.Column("created_at", tables.Microseconds(), nullable=False),
        sa.Column("changed_at", tables.Microseconds(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_code_table")),
        sa.UniqueConstraint("code", name=op.f("uq_code_table_code")),
        info={"tenant": False},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    op.create_table(
        "code_table_miss",
        sa.Column("id", tables.Id, nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("table_code", sa.String(length=100), nullable=False),
        sa.Column("entry_code", sa.String(length=100), nullable=False),
        sa.Column("asked_on", tables.Day, nullable=False),
        sa.Column("treated", sa.String(length=8), nullable=False),
        sa.Column("records", sa.Integer(), nullable=False),
        sa.Column("file_id", tables.Id, nullable=True),
        sa.Column("row_no", sa.Integer(), nullable=True),
        sa.Column("accrual_id", tables.Id, nullable=True),
        sa.Column("recorded_at", tables.Microseconds(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_code_table_miss")),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("code_table_miss", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_code_table_miss_table_code_entry_code_asked_on"),
            ["table_code", "entry_code", "asked_on"],
            unique=False,
        )

    op.create_table(
        "configuration_plan",
        sa.Column("plan_hash", tables.Digest, nullable=False),
        sa.Column("partner_id", tables.Id, nullable=True),
        sa.Column("content", tables.JsonText, nullable=False),
        sa.Column("planned_by", sa.String(length=60), nullable=False),
        sa.Column("created_at", tables.Microseconds(), nullable=False),
        sa.PrimaryKeyConstraint("plan_hash", name=op.f("pk_configuration_plan")),
        info={"tenant": False},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    op.create_table(
        "customer",
        sa.Column("id", tables.Id, nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("member_id", tables.Id, nullable=True),
        sa.Column("created_at", tables.Microseconds(), nullable=False),
        sa.Column("changed_at", tables.Microseconds(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer")),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("customer", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_customer_member_id"), ["member_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_customer_partner_id_id"), ["partner_id", "id"], unique=False)

    op.create_table(
        "customer_identity",
        sa.Column("id", tables.Id, nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("customer_id", tables.Id, nullable=False),
        sa.Column("system", sa.String(length=20), nullable=False),
        sa.Column("external_id", sa.String(length=100), nullable=False),
        sa.Column("created_at", tables.Microseconds(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer_identity")),
        sa.UniqueConstraint("customer_id", "system", name=op.f("uq_customer_identity_customer_id_system")),
        sa.UniqueConstraint("system", "external_id", name=op.f("uq_customer_identity_system_external_id")),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    op.create_table(
        "customer_version",
        sa.Column("seq", tables.Big, autoincrement=True, nullable=False),
        sa.Column("id", tables.Id, nullable=False),
        sa.Column("source", sa.String(length=20), nullable=False),
        sa.Column("customer_no", sa.String(length=100), nullable=False),
        sa.Column("version", tables.Big, nullable=False),
        sa.Column("content", tables.JsonText, nullable=False),
        sa.Column("content_hash", tables.Digest, nullable=False),
        sa.Column("customer_id", tables.Id, nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("personal", tables.Blob, nullable=False),
        sa.Column("email_index", tables.Digest, nullable=False),
        sa.Column("last_name_index", tables.Digest, nullable=True),
        sa.Column("source_file_id", tables.Id, nullable=True),
        sa.Column("row_no", sa.Integer(), nullable=True),
        sa.Column("byte_offset", tables.Big, nullable=True),
        sa.Column("byte_length", sa.Integer(), nullable=True),
        sa.Column("actor", sa.String(length=60), nullable=False),
        sa.Column("correlation_id", sa.String(length=64), nullable=False),
        sa.Column("recorded_at", tables.Microseconds(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_customer_version")),
        sa.UniqueConstraint("id", name=op.f("uq_customer_version_id")),
        sa.UniqueConstraint(
            "source", "customer_no", "version", name=op.f("uq_customer_version_source_customer_no_version")
        ),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("customer_version", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_customer_version_customer_id"), ["customer_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_customer_version_email_index"), ["email_index"], unique=False)
        batch_op.create_index(batch_op.f("ix_customer_version_last_name_index"), ["last_name_index"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_customer_version_source_file_id_row_no"), ["source_file_id", "row_no"], unique=False
        )

    op.create_table(
        "delivery",
        sa.Column("seq", tables.Big, autoincrement=True, nullable=False),
        sa.Column("id", tables.Id, nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("target_id", tables.Id, nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("entity", sa.String(length=40), nullable=False),
        sa.Column("entity_key", sa.String(length=64), nullable=False),
        sa.Column("unclaimed", sa.Boolean(), nullable=True),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("payload", tables.JsonText, nullable=True),
        sa.Column("version", tables.Big, nullable=True),
        sa.Column("mapping_version_id", tables.Id, nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("next_at", tables.Microseconds(), nullable=False),
        sa.Column("lease_until", tables.Microseconds(), nullable=True),
        sa.Column("lease_id", tables.Id, nullable=True),
        sa.Column("last_code", sa.String(length=60), nullable=True),
        sa.Column("last_detail", sa.String(length=500), nullable=True),
        sa.Column("task_token", tables.JsonText, nullable=True),
        sa.Column("reported_at", tables.Microseconds(), nullable=True),
        sa.Column("created_at", tables.Microseconds(), nullable=False),
        sa.Column("changed_at", tables.Microseconds(), nullable=False),
        sa.Column("confirmed_at", tables.Microseconds(), nullable=True),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_delivery")),
        sa.UniqueConstraint("id", name=op.f("uq_delivery_id")),
        sa.UniqueConstraint(
            "target_id",
            "entity",
            "entity_key",
            "unclaimed",
            name=op.f("uq_delivery_target_id_entity_entity_key_unclaimed"),
        ),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_delivery_entity_key_version"), ["entity_key", "version"], unique=False)
        batch_op.create_index(batch_op.f("ix_delivery_partner_id_seq"), ["partner_id", "seq"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_delivery_target_id_entity_key_state_seq"),
            ["target_id", "entity_key", "state", "seq"],
            unique=False,
        )
        batch_op.create_index(
            batch_op.f("ix_delivery_target_id_state_next_at_seq"),
            ["target_id", "state", "next_at", "seq"],
            unique=False,
        )

    op.create_table(
        "delivery_attempt",
        sa.Column("seq", tables.Big, autoincrement=True, nullable=False),
        sa.Column("id", tables.Id, nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("delivery_id", tables.Id, nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("version", tables.Big, nullable=True),
        sa.Column("mapping_version_id", tables.Id, nullable=True),
        sa.Column("started_at", tables.Microseconds(), nullable=False),
        sa.Column("finished_at", tables.Microseconds(), nullable=True),
        sa.Column("outcome", sa.String(length=20), nullable=True),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("code", sa.String(length=60), nullable=True),
        sa.Column("detail", sa.String(length=500), nullable=True),
        sa.Column("request", tables.JsonText, nullable=True),
        sa.Column("response", tables.JsonText, nullable=True),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_delivery_attempt")),
        sa.UniqueConstraint("delivery_id", "attempt", name=op.f("uq_delivery_attempt_delivery_id_attempt")),
        sa.UniqueConstraint("id", name=op.f("uq_delivery_attempt_id")),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    op.create_table(
        "document",
        sa.Column("id", tables.Id, nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("scope", sa.String(length=100), nullable=False),
        sa.Column("number", sa.String(length=100), nullable=False),
        sa.Column("concerns_id", tables.Id, nullable=True),
        sa.Column("order_no", sa.String(length=100), nullable=True),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("newest_version_id", tables.Id, nullable=True),
        sa.Column("newest_revision", sa.Integer(), nullable=True),
        sa.Column("created_at", tables.Microseconds(), nullable=False),
        sa.Column("changed_at", tables.Microseconds(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_document")),
        sa.UniqueConstraint(
            "partner_id", "kind", "scope", "number", name=op.f("uq_document_partner_id_kind_scope_number")
        ),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("document", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_document_partner_id_kind_number"), ["partner_id", "kind", "number"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_document_partner_id_order_no"), ["partner_id", "order_no"], unique=False)
        batch_op.create_index(batch_op.f("ix_document_state_kind_id"), ["state", "kind", "id"], unique=False)

    op.create_table(
        "document_draft",
        sa.Column("document_id", tables.Id, nullable=False),
        sa.Column("revision", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("header", tables.JsonText, nullable=False),
        sa.Column("personal", tables.Blob, nullable=True),
        sa.Column("header_hash", tables.Digest, nullable=False),
        sa.Column("concerns_id", tables.Id, nullable=True),
        sa.Column("whole", sa.Boolean(), nullable=False),
        sa.Column("open_file_id", tables.Id, nullable=True),
        sa.Column("changed_at", tables.Microseconds(), nullable=False),
        sa.Column("employee_index", tables.Digest, nullable=True),
        sa.Column("contact_index", tables.Digest, nullable=True),
        sa.PrimaryKeyConstraint("document_id", "revision", name=op.f("pk_document_draft")),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("document_draft", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_document_draft_contact_index"), ["contact_index"], unique=False)
        batch_op.create_index(batch_op.f("ix_document_draft_employee_index"), ["employee_index"], unique=False)
        batch_op.create_index(batch_op.f("ix_document_draft_open_file_id"), ["open_file_id"], unique=False)

    op.create_table(
        "document_gap",
        sa.Column("file_id", tables.Id, nullable=False),
        sa.Column("row_no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("scope", sa.String(length=100), nullable=False),
        sa.Column("number", sa.String(length=100), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("line_no", sa.Integer(), nullable=True),
        sa.Column("filled_by", tables.Id, nullable=True),
        sa.PrimaryKeyConstraint("file_id", "row_no", name=op.f("pk_document_gap")),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("document_gap", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_document_gap_filled_by"), ["filled_by"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_document_gap_partner_id_kind_number"), ["partner_id", "kind", "number"], unique=False
        )

    op.create_table(
        "document_line",
        sa.Column("document_id", tables.Id, nullable=False),
        sa.Column("revision", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("line_no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("content", tables.JsonText, nullable=False),
        sa.Column("content_hash", tables.Digest, nullable=False),
        sa.Column("source_file_id", tables.Id, nullable=False),
        sa.Column("row_no", sa.Integer(), nullable=False),
        sa.Column("byte_offset", tables.Big, nullable=False),
        sa.Column("byte_length", sa.Integer(), nullable=False),
        sa.Column("actor", sa.String(length=60), nullable=False),
        sa.Column("correlation_id", sa.String(length=64), nullable=False),
        sa.Column("recorded_at", tables.Microseconds(), nullable=False),
        sa.PrimaryKeyConstraint("document_id", "revision", "line_no", name=op.f("pk_document_line")),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("document_line", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_document_line_source_file_id_row_no"), ["source_file_id", "row_no"], unique=False
        )

    op.create_table(
        "document_version",
        sa.Column("seq", tables.Big, autoincrement=True, nullable=False),
        sa.Column("id", tables.Id, nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("document_id", tables.Id, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("content", tables.JsonText, nullable=False),
        sa.Column("personal", tables.Blob, nullable=True),
        sa.Column("content_hash", tables.Digest, nullable=False),
        sa.Column("source_file_id", tables.Id, nullable=True),
        sa.Column("actor", sa.String(length=60), nullable=False),
        sa.Column("correlation_id", sa.String(length=64), nullable=False),
        sa.Column("recorded_at", tables.Microseconds(), nullable=False),
        sa.Column("employee_index", tables.Digest, nullable=True),
        sa.Column("contact_index", tables.Digest, nullable=True),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_document_version")),
        sa.UniqueConstraint("document_id", "revision", name=op.f("uq_document_version_document_id_revision")),
        sa.UniqueConstraint("id", name=op.f("uq_document_version_id")),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("document_version", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_document_version_contact_index"), ["contact_index"], unique=False)
        batch_op.create_index(batch_op.f("ix_document_version_employee_index"), ["employee_index"], unique=False)
        batch_op.create_index(batch_op.f("ix_document_version_source_file_id"), ["source_file_id"], unique=False)

    op.create_table(
        "export_file",
        sa.Column("id", tables.Id, nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("export", sa.String(length=40), nullable=False),
        sa.Column("receiver", sa.String(length=64), nullable=False),
        sa.Column("request_key", sa.String(length=100), nullable=False),
        sa.Column("parameters", tables.JsonText, nullable=False),
        sa.Column("layout_hash", tables.Digest, nullable=True),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("file_seq", tables.Big, nullable=True),
        sa.Column("object_key", sa.String(length=1024), nullable=True),
        sa.Column("as_of", tables.Microseconds(), nullable=True),
        sa.Column("rows", sa.Integer(), nullable=True),
        sa.Column("control_sum", tables.Big, nullable=True),
        sa.Column("size_bytes", tables.Big, nullable=True),
        sa.Column("sha256", tables.Digest, nullable=True),
        sa.Column("reason_code", sa.String(length=60), nullable=True),
        sa.Column("reason", sa.String(length=500), nullable=True),
        sa.Column("lease_until", tables.Microseconds(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_by", sa.String(length=60), nullable=False),
        sa.Column("correlation_id", sa.String(length=64), nullable=False),
        sa.Column("created_at", tables.Microseconds(), nullable=False),
        sa.Column("finished_at", tables.Microseconds(), nullable=True),
        sa.Column("changed_at", tables.Microseconds(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_export_file")),
        sa.UniqueConstraint("export", "receiver", "file_seq", name=op.f("uq_export_file_export_receiver_file_seq")),
        sa.UniqueConstraint(
            "export", "receiver", "request_key", name=op.f("uq_export_file_export_receiver_request_key")
        ),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("export_file", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_export_file_finished_at_lease_until"), ["finished_at", "lease_until"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_export_file_partner_id_id"), ["partner_id", "id"], unique=False)

    op.create_table(
        "export_mark",
        sa.Column("export", sa.String(length=40), nullable=False),
        sa.Column("receiver", sa.String(length=64), nullable=False),
        sa.Column("key", tables.Id, nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("version", tables.Big, nullable=False),
        sa.PrimaryKeyConstraint("export", "receiver", "key", name=op.f("pk_export_mark")),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    op.create_table(
        "export_stream",
        sa.Column("export", sa.String(length=40), nullable=False),
        sa.Column("receiver", sa.String(length=64), nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("last_seq", tables.Big, nullable=False),
        sa.Column("writing_id", tables.Id, nullable=True),
        sa.Column("changed_at", tables.Microseconds(), nullable=False),
        sa.PrimaryKeyConstraint("export", "receiver", name=op.f("pk_export_stream")),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    op.create_table(
        "file_alert",
        sa.Column("id", tables.Id, nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("layout_name", sa.String(length=64), nullable=False),
        sa.Column("due_at", tables.Microseconds(), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("file_id", tables.Id, nullable=True),
        sa.Column("detail", sa.String(length=500), nullable=False),
        sa.Column("raised_at", tables.Microseconds(), nullable=False),
        sa.Column("resolved_at", tables.Microseconds(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_file_alert")),
        sa.UniqueConstraint(
            "partner_id", "layout_name", "due_at", "kind", name=op.f("uq_file_alert_partner_id_layout_name_due_at_kind")
        ),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("file_alert", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_file_alert_partner_id_resolved_at_raised_at"),
            ["partner_id", "resolved_at", "raised_at"],
            unique=False,
        )
        batch_op.create_index(
            batch_op.f("ix_file_alert_resolved_at_raised_at"), ["resolved_at", "raised_at"], unique=False
        )

    op.create_table(
        "file_rollback",
        sa.Column("id", tables.Id, nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("file_id", tables.Id, nullable=False),
        sa.Column("run_no", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("stage", sa.String(length=12), nullable=False),
        sa.Column("slice_no", sa.Integer(), nullable=False),
        sa.Column("checkpoint", tables.Big, nullable=False),
        sa.Column("lease_until", tables.Microseconds(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("undone", sa.Integer(), nullable=False),
        sa.Column("left_over", sa.Integer(), nullable=False),
        sa.Column("points", tables.JsonText, nullable=False),
        sa.Column("actor", sa.String(length=60), nullable=False),
        sa.Column("correlation_id", sa.String(length=64), nullable=False),
        sa.Column("requested_at", tables.Microseconds(), nullable=False),
        sa.Column("changed_at", tables.Microseconds(), nullable=False),
        sa.Column("finished_at", tables.Microseconds(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_file_rollback")),
        sa.UniqueConstraint("file_id", "run_no", name=op.f("uq_file_rollback_file_id_run_no")),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("file_rollback", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_file_rollback_finished_at_lease_until"), ["finished_at", "lease_until"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_file_rollback_partner_id_finished_at"), ["partner_id", "finished_at"], unique=False
        )

    op.create_table(
        "file_rollback_left",
        sa.Column("rollback_id", tables.Id, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("subject_id", tables.Id, nullable=False),
        sa.Column("entry_code", sa.String(length=100), nullable=True),
        sa.Column("row_no", sa.Integer(), nullable=True),
        sa.Column("code", sa.String(length=60), nullable=False),
        sa.Column("program_id", tables.Id, nullable=True),
        sa.Column("amount_minor", tables.Big, nullable=False),
        sa.PrimaryKeyConstraint("rollback_id", "number", name=op.f("pk_file_rollback_left")),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    op.create_table(
        "file_row",
        sa.Column("file_id", tables.Id, nullable=False),
        sa.Column("row_no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("row_to", sa.Integer(), nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("outcome", sa.String(length=12), nullable=False),
        sa.Column("code", sa.String(length=60), nullable=True),
        sa.Column("column_name", sa.String(length=100), nullable=True),
        sa.Column("message", sa.String(length=500), nullable=True),
        sa.Column("fixable", sa.Boolean(), nullable=False),
        sa.Column("byte_offset", tables.Big, nullable=False),
        sa.Column("byte_length", sa.Integer(), nullable=False),
        sa.Column("control_minor", tables.Big, nullable=False),
        sa.Column("control_readable", sa.Boolean(), nullable=False),
        sa.Column("raw", tables.Blob, nullable=True),
        sa.Column("fixes", sa.Integer(), nullable=False),
        sa.Column("fixes_tried", sa.Integer(), nullable=False),
        sa.Column("control_fixed_minor", tables.Big, nullable=True),
        sa.Column("rule_version_id", tables.Id, nullable=True),
        sa.Column("unmapped_table", sa.String(length=100), nullable=True),
        sa.Column("unmapped_code", sa.String(length=100), nullable=True),
        sa.Column("unmapped_on", tables.Day, nullable=True),
        sa.Column("retried_for", tables.Id, nullable=True),
        sa.Column("recorded_at", tables.Microseconds(), nullable=False),
        sa.Column("resolved_at", tables.Microseconds(), nullable=True),
        sa.PrimaryKeyConstraint("file_id", "row_no", name=op.f("pk_file_row")),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("file_row", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_file_row_partner_id_code_resolved_at_file_id_row_no"),
            ["partner_id", "code", "resolved_at", "file_id", "row_no"],
            unique=False,
        )
        batch_op.create_index(
            "ix_file_row_unmapped",
            ["unmapped_table", "unmapped_code", "unmapped_on", "partner_id", "recorded_at", "file_id", "row_no"],
            unique=False,
        )

    op.create_table(
        "file_row_fix",
        sa.Column("file_id", tables.Id, nullable=False),
        sa.Column("row_no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("fix_no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("source", sa.String(length=8), nullable=False),
        sa.Column("source_file_id", tables.Id, nullable=True),
        sa.Column("source_row_no", sa.Integer(), nullable=True),
        sa.Column("cells", tables.Blob, nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=True),
        sa.Column("actor", sa.String(length=60), nullable=False),
        sa.Column("correlation_id", sa.String(length=64), nullable=False),
        sa.Column("fixed_at", tables.Microseconds(), nullable=False),
        sa.PrimaryKeyConstraint("file_id", "row_no", "fix_no", name=op.f("pk_file_row_fix")),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("file_row_fix", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_file_row_fix_source_file_id_source_row_no"),
            ["source_file_id", "source_row_no"],
            unique=False,
        )

    op.create_table(
        "file_trial",
        sa.Column("id", tables.Id, nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("file_id", tables.Id, nullable=True),
        sa.Column("layout_name", sa.String(length=64), nullable=False),
        sa.Column("layout_version_id", tables.Id, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("object_key", sa.String(length=1024), nullable=True),
        sa.Column("size_bytes", tables.Big, nullable=False),
        sa.Column("rules", sa.String(length=8), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("parts", sa.Integer(), nullable=True),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("figures", tables.JsonText, nullable=False),
        sa.Column("reason_code", sa.String(length=60), nullable=True),
        sa.Column("reason", sa.String(length=500), nullable=True),
        sa.Column("lease_until", tables.Microseconds(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("actor", sa.String(length=60), nullable=False),
        sa.Column("correlation_id", sa.String(length=64), nullable=False),
        sa.Column("requested_at", tables.Microseconds(), nullable=False),
        sa.Column("changed_at", tables.Microseconds(), nullable=False),
        sa.Column("finished_at", tables.Microseconds(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_file_trial")),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("file_trial", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_file_trial_partner_id_id"), ["partner_id", "id"], unique=False)
        batch_op.create_index(batch_op.f("ix_file_trial_state_lease_until"), ["state", "lease_until"], unique=False)

    op.create_table(
        "grant_progress",
        sa.Column("program_id", tables.Id, nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("through", tables.Day, nullable=True),
        sa.Column("business_date", tables.Day, nullable=True),
        sa.Column("after", sa.String(length=64), nullable=False),
        sa.Column("changed_at", tables.Microseconds(), nullable=False),
        sa.PrimaryKeyConstraint("program_id", name=op.f("pk_grant_progress")),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    op.create_table(
        "heartbeat",
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("at", tables.Microseconds(), nullable=False),
        sa.Column("ok", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_heartbeat")),
        info={"tenant": False},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    op.create_table(
        "hold",
        sa.Column("id", tables.Id, nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("program_id", tables.Id, nullable=False),
        sa.Column("account_id", tables.Id, nullable=False),
        sa.Column("reference", sa.String(length=100), nullable=False),
        sa.Column("order_no", sa.String(length=100), nullable=True),
        sa.Column("amount_minor", tables.Big, nullable=False),
        sa.Column("captured_minor", tables.Big, nullable=False),
        sa.Column("released_minor", tables.Big, nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("ttl_s", sa.Integer(), nullable=True),
        sa.Column("expires_at", tables.Microseconds(), nullable=True),
        sa.Column("sweep_at", tables.Microseconds(), nullable=True),
        sa.Column("actor", sa.String(length=60), nullable=False),
        sa.Column("correlation_id", sa.String(length=64), nullable=False),
        sa.Column("created_at", tables.Microseconds(), nullable=False),
        sa.Column("changed_at", tables.Microseconds(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hold")),
        sa.UniqueConstraint("program_id", "reference", name=op.f("uq_hold_program_id_reference")),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("hold", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_hold_account_id"), ["account_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_hold_sweep_at"), ["sweep_at"], unique=False)

    op.create_table(
        "hold_lot",
        sa.Column("hold_id", tables.Id, nullable=False),
        sa.Column("lot_id", tables.Id, nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("amount_minor", tables.Big, nullable=False),
        sa.Column("captured_minor", tables.Big, nullable=False),
        sa.Column("released_minor", tables.Big, nullable=False),
        sa.PrimaryKeyConstraint("hold_id", "lot_id", name=op.f("pk_hold_lot")),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("hold_lot", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_hold_lot_lot_id"), ["lot_id"], unique=False)

    op.create_table(
        "idempotency_record",
        sa.Column("principal_id", tables.Id, nullable=False),
        sa.Column("idempotency_key", sa.String(length=100), nullable=False),
        sa.Column("route", sa.String(length=100), nullable=False),
        sa.Column("request_hash", tables.Digest, nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("body", tables.Blob, nullable=True),
        sa.Column("created_at", tables.Microseconds(), nullable=False),
        sa.PrimaryKeyConstraint("principal_id", "idempotency_key", name=op.f("pk_idempotency_record")),
        info={"tenant": False},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("idempotency_record", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_idempotency_record_created_at"), ["created_at"], unique=False)

    op.create_table(
        "inbound_file",
        sa.Column("id", tables.Id, nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("arrival_key", tables.Digest, nullable=False),
        sa.Column("bucket", sa.String(length=100), nullable=False),
        sa.Column("object_key", sa.String(length=1024), nullable=False),
        sa.Column("key_hash", tables.Digest, nullable=False),
        sa.Column("arrival_no", sa.Integer(), nullable=False),
        sa.Column("etag", sa.String(length=100), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("layout_name", sa.String(length=64), nullable=False),
        sa.Column("layout_version_id", tables.Id, nullable=True),
        sa.Column("entity", sa.String(length=20), nullable=True),
        sa.Column("rank", sa.Integer(), nullable=True),
        sa.Column("size_bytes", tables.Big, nullable=False),
        sa.Column("sha256", tables.Digest, nullable=True),
        sa.Column("compressed", sa.Boolean(), nullable=False),
        sa.Column("header", tables.JsonText, nullable=True),
        sa.Column("warnings", tables.JsonText, nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason_code", sa.String(length=60), nullable=True),
        sa.Column("reason", sa.String(length=500), nullable=True),
        sa.Column("duplicate_of", tables.Id, nullable=True),
        sa.Column("lease_until", tables.Microseconds(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("slice_no", sa.Integer(), nullable=False),
        sa.Column("next_row", sa.Integer(), nullable=False),
        sa.Column("next_offset", tables.Big, nullable=False),
        sa.Column("rows_total", sa.Integer(), nullable=True),
        sa.Column("rows_accepted", sa.Integer(), nullable=False),
        sa.Column("rows_rejected", sa.Integer(), nullable=False),
        sa.Column("rows_duplicate", sa.Integer(), nullable=False),
        sa.Column("rows_ignored", sa.Integer(), nullable=False),
        sa.Column("control_in", tables.Big, nullable=False),
        sa.Column("control_accepted", tables.Big, nullable=False),
        sa.Column("control_rejected", tables.Big, nullable=False),
        sa.Column("control_duplicate", tables.Big, nullable=False),
        sa.Column("control_ignored", tables.Big, nullable=False),
        sa.Column("control_unreadable", sa.Integer(), nullable=False),
        sa.Column("control_source", sa.String(length=8), nullable=True),
        sa.Column("sidecar_key", sa.String(length=1024), nullable=True),
        sa.Column("sidecar_etag", sa.String(length=100), nullable=True),
        sa.Column("snapshot_date", tables.Day, nullable=True),
        sa.Column("rows_absent", sa.Integer(), nullable=False),
        sa.Column("rows_unnamed", sa.Integer(), nullable=False),
        sa.Column("receipt_revision", sa.Integer(), nullable=False),
        sa.Column("receipt_written", sa.Integer(), nullable=False),
        sa.Column("correlation_id", sa.String(length=64), nullable=False),
        sa.Column("arrived_at", tables.Microseconds(), nullable=False),
        sa.Column("started_at", tables.Microseconds(), nullable=True),
        sa.Column("finished_at", tables.Microseconds(), nullable=True),
        sa.Column("changed_at", tables.Microseconds(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbound_file")),
        sa.UniqueConstraint("arrival_key", name=op.f("uq_inbound_file_arrival_key")),
        sa.UniqueConstraint("key_hash", "arrival_no", name=op.f("uq_inbound_file_key_hash_arrival_no")),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("inbound_file", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_inbound_file_finished_at_lease_until"), ["finished_at", "lease_until"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_inbound_file_partner_id_finished_at"), ["partner_id", "finished_at"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_inbound_file_partner_id_layout_name_sha256"),
            ["partner_id", "layout_name", "sha256"],
            unique=False,
        )
        batch_op.create_index(batch_op.f("ix_inbound_file_partner_id_name"), ["partner_id", "name"], unique=False)

    op.create_table(
        "increase_request",
        sa.Column("seq", tables.Big, autoincrement=True, nullable=False),
        sa.Column("id", tables.Id, nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("program_id", tables.Id, nullable=False),
        sa.Column("member_id", tables.Id, nullable=False),
        sa.Column("account_id", tables.Id, nullable=False),
        sa.Column("reference", sa.String(length=100), nullable=False),
        sa.Column("amount_minor", tables.Big, nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("transfer_id", tables.Id, nullable=True),
        sa.Column("author", sa.String(length=60), nullable=False),
        sa.Column("decided_by", sa.String(length=60), nullable=True),
        sa.Column("decision_comment", sa.String(length=500), nullable=True),
        sa.Column("correlation_id", sa.String(length=64), nullable=False),
        sa.Column("created_at", tables.Microseconds(), nullable=False),
        sa.Column("decided_at", tables.Microseconds(), nullable=True),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("decided_on", tables.Day, nullable=True),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_increase_request")),
        sa.UniqueConstraint("id", name=op.f("uq_increase_request_id")),
        sa.UniqueConstraint("partner_id", "reference", name=op.f("uq_increase_request_partner_id_reference")),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("increase_request", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_increase_request_account_id"), ["account_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_increase_request_partner_id_seq"), ["partner_id", "seq"], unique=False)
        batch_op.create_index(batch_op.f("ix_increase_request_state_partner_id"), ["state", "partner_id"], unique=False)

    op.create_table(
        "ledger_checkpoint",
        sa.Column("number", tables.Big, autoincrement=False, nullable=False),
        sa.Column("stream", sa.String(length=40), nullable=False),
        sa.Column("late_of", tables.Big, nullable=True),
        sa.Column("after_key", tables.Id, nullable=False),
        sa.Column("until_key", tables.Id, nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("content_hash", tables.Digest, nullable=False),
        sa.Column("previous_hash", tables.Digest, nullable=False),
        sa.Column("chain_hash", tables.Digest, nullable=False),
        sa.Column("key_no", sa.Integer(), nullable=False),
        sa.Column("signature", tables.Digest, nullable=False),
        sa.Column("made_at", tables.Microseconds(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_ledger_checkpoint")),
        info={"tenant": False},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("ledger_checkpoint", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_ledger_checkpoint_late_of"), ["late_of"], unique=False)
        batch_op.create_index(batch_op.f("ix_ledger_checkpoint_stream_number"), ["stream", "number"], unique=False)

    op.create_table(
        "loss_recovery",
        sa.Column("seq", tables.Big, autoincrement=True, nullable=False),
        sa.Column("id", tables.Id, nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("program_id", tables.Id, nullable=False),
        sa.Column("account_id", tables.Id, nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("of_id", tables.Id, nullable=False),
        sa.Column("because_id", tables.Id, nullable=False),
        sa.Column("transfer_id", tables.Id, nullable=False),
        sa.Column("amount_minor", tables.Big, nullable=False),
        sa.Column("business_date", tables.Day, nullable=False),
        sa.Column("actor", sa.String(length=60), nullable=False),
        sa.Column("correlation_id", sa.String(length=64), nullable=False),
        sa.Column("recovered_at", tables.Microseconds(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_loss_recovery")),
        sa.UniqueConstraint("id", name=op.f("uq_loss_recovery_id")),
        sa.UniqueConstraint("transfer_id", name=op.f("uq_loss_recovery_transfer_id")),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("loss_recovery", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_loss_recovery_account_id"), ["account_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_loss_recovery_of_id"), ["of_id"], unique=False)

    op.create_table(
        "lot",
        sa.Column("id", tables.Id, nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("account_id", tables.Id, nullable=False),
        sa.Column("expires_on", tables.Day, nullable=False),
        sa.Column("amount_minor", tables.Big, nullable=False),
        sa.Column("remaining_minor", tables.Big, nullable=False),
        sa.Column("held_minor", tables.Big, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lot")),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("lot", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_lot_account_id_expires_on_id"), ["account_id", "expires_on", "id"], unique=False
        )

    op.create_table(
        "lot_use",
        sa.Column("transfer_id", tables.Id, nullable=False),
        sa.Column("lot_id", tables.Id, nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("amount_minor", tables.Big, nullable=False),
        sa.PrimaryKeyConstraint("transfer_id", "lot_id", name=op.f("pk_lot_use")),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("lot_use", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_lot_use_lot_id"), ["lot_id"], unique=False)

    op.create_table(
        "member_erasure",
        sa.Column("id", tables.Id, nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("member_id", tables.Id, nullable=False),
        sa.Column("number_index", tables.Digest, nullable=False),
        sa.Column("pseudonym", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("stage", sa.String(length=20), nullable=False),
        sa.Column("checkpoint", sa.String(length=1024), nullable=False),
        sa.Column("found", tables.JsonText, nullable=False),
        sa.Column("sought", tables.Blob, nullable=True),
        sa.Column("actor", sa.String(length=60), nullable=False),
        sa.Column("correlation_id", sa.String(length=64), nullable=False),
        sa.Column("requested_at", tables.Microseconds(), nullable=False),
        sa.Column("changed_at", tables.Microseconds(), nullable=False),
        sa.Column("finished_at", tables.Microseconds(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_member_erasure")),
        sa.UniqueConstraint("member_id", name=op.f("uq_member_erasure_member_id")),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("member_erasure", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_member_erasure_partner_id_number_index"), ["partner_id", "number_index"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_member_erasure_state"), ["state"], unique=False)

    op.create_table(
        "member_history",
        sa.Column("seq", tables.Big, autoincrement=True, nullable=False),
        sa.Column("id", tables.Id, nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("member_id", tables.Id, nullable=False),
        sa.Column("effective_date", tables.Day, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("action", sa.String(length=12), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("hire_date", tables.Day, nullable=False),
        sa.Column("term_date", tables.Day, nullable=True),
        sa.Column("job_code", sa.String(length=64), nullable=True),
        sa.Column("country", sa.String(length=2), nullable=True),
        sa.Column("attributes", tables.JsonText, nullable=False),
        sa.Column("personal", tables.Blob, nullable=False),
        sa.Column("content_hash", tables.Digest, nullable=False),
        sa.Column("source_kind", sa.String(length=12), nullable=False),
        sa.Column("source_id", tables.Id, nullable=True),
        sa.Column("row_no", sa.Integer(), nullable=True),
        sa.Column("byte_offset", tables.Big, nullable=True),
        sa.Column("byte_length", sa.Integer(), nullable=True),
        sa.Column("actor", sa.String(length=60), nullable=False),
        sa.Column("recorded_at", tables.Microseconds(), nullable=False),
        sa.Column("superseded_at", tables.Microseconds(), nullable=True),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_member_history")),
        sa.UniqueConstraint("id", name=op.f("uq_member_history_id")),
        sa.UniqueConstraint(
            "member_id", "effective_date", "revision", name=op.f("uq_member_history_member_id_effective_date_revision")
        ),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    op.create_table(
        "member_identity",
        sa.Column("id", tables.Id, nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("member_id", tables.Id, nullable=False),
        sa.Column("system", sa.String(length=20), nullable=False),
        sa.Column("external_id", sa.String(length=100), nullable=False),
        sa.Column("valid_from", tables.Day, nullable=False),
        sa.Column("valid_to", tables.Day, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_member_identity")),
        sa.UniqueConstraint(
            "partner_id",
            "system",
            "external_id",
            "valid_from",
            name=op.f("uq_member_identity_partner_id_system_external_id_valid_from"),
        ),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("member_identity", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_member_identity_member_id_system"), ["member_id", "system"], unique=False)

    op.create_table(
        "opening_balance",
        sa.Column("seq", tables.Big, autoincrement=True, nullable=False),
        sa.Column("id", tables.Id, nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("program_id", tables.Id, nullable=False),
        sa.Column("member_id", tables.Id, nullable=False),
        sa.Column("account_id", tables.Id, nullable=False),
        sa.Column("legacy_ref", sa.String(length=100), nullable=False),
        sa.Column("amount_minor", tables.Big, nullable=False),
        sa.Column("as_of", tables.Day, nullable=False),
        sa.Column("lot_expiry", tables.Day, nullable=True),
        sa.Column("generation", tables.Big, server_default="0", nullable=False),
        sa.Column("source_file_id", tables.Id, nullable=True),
        sa.Column("row_no", sa.Integer(), nullable=True),
        sa.Column("byte_offset", tables.Big, nullable=True),
        sa.Column("byte_length", sa.Integer(), nullable=True),
        sa.Column("actor", sa.String(length=60), nullable=False),
        sa.Column("correlation_id", sa.String(length=64), nullable=False),
        sa.Column("recorded_at", tables.Microseconds(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_opening_balance")),
        sa.UniqueConstraint(
            "account_id", "legacy_ref", "generation", name=op.f("uq_opening_balance_account_id_legacy_ref_generation")
        ),
        sa.UniqueConstraint("id", name=op.f("uq_opening_balance_id")),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("opening_balance", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_opening_balance_source_file_id_row_no"), ["source_file_id", "row_no"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_opening_balance_source_file_id_seq"), ["source_file_id", "seq"], unique=False
        )

    op.create_table(
        "overdraft_repayment",
        sa.Column("id", tables.Id, nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("account_id", tables.Id, nullable=False),
        sa.Column("amount_minor", tables.Big, nullable=False),
        sa.Column("business_date", tables.Day, nullable=False),
        sa.Column("repaid_at", tables.Microseconds(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_overdraft_repayment")),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("overdraft_repayment", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_overdraft_repayment_account_id_repaid_at"), ["account_id", "repaid_at"], unique=False
        )

    op.create_table(
        "partner",
        sa.Column("id", tables.Id, nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("industry", sa.String(length=100), nullable=True),
        sa.Column("time_zone", sa.String(length=40), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("status_from", tables.Day, nullable=False),
        sa.Column("status_reason", sa.String(length=500), nullable=True),
        sa.Column("contacts", tables.JsonText, nullable=False),
        sa.Column("manifest", tables.JsonText, nullable=True),
        sa.Column("manifest_hash", tables.Digest, nullable=True),
        sa.Column("created_at", tables.Microseconds(), nullable=False),
        sa.Column("changed_at", tables.Microseconds(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_partner")),
        sa.UniqueConstraint("code", name=op.f("uq_partner_code")),
        info={"tenant": False},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    op.create_table(
        "partner_block",
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("since", tables.Microseconds(), nullable=False),
        sa.PrimaryKeyConstraint("partner_id", name=op.f("pk_partner_block")),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    op.create_table(
        "plan_year_close",
        sa.Column("id", tables.Id, nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("program_id", tables.Id, nullable=False),
        sa.Column("plan_year", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("rules", tables.JsonText, nullable=False),
        sa.Column("grant_rules", tables.JsonText, nullable=True),
        sa.Column("checkpoint", tables.Id, nullable=False),
        sa.Column("members", tables.Big, nullable=False),
        sa.Column("before_minor", tables.Big, nullable=False),
        sa.Column("carried_minor", tables.Big, nullable=False),
        sa.Column("held_minor", tables.Big, nullable=False),
        sa.Column("forfeited_minor", tables.Big, nullable=False),
        sa.Column("grants", tables.Big, nullable=False),
        sa.Column("granted_minor", tables.Big, nullable=False),
        sa.Column("grants_refused", tables.Big, nullable=False),
        sa.Column("actor", sa.String(length=60), nullable=False),
        sa.Column("correlation_id", sa.String(length=64), nullable=False),
        sa.Column("created_at", tables.Microseconds(), nullable=False),
        sa.Column("changed_at", tables.Microseconds(), nullable=False),
        sa.Column("finished_at", tables.Microseconds(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plan_year_close")),
        sa.UniqueConstraint("program_id", "plan_year", name=op.f("uq_plan_year_close_program_id_plan_year")),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("plan_year_close", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_plan_year_close_state"), ["state"], unique=False)

    op.create_table(
        "plan_year_member",
        sa.Column("id", tables.Id, nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("close_id", tables.Id, nullable=False),
        sa.Column("member_id", tables.Id, nullable=False),
        sa.Column("account_id", tables.Id, nullable=False),
        sa.Column("first_day", tables.Day, nullable=False),
        sa.Column("last_day", tables.Day, nullable=False),
        sa.Column("before_minor", tables.Big, nullable=False),
        sa.Column("carried_minor", tables.Big, nullable=False),
        sa.Column("held_minor", tables.Big, nullable=False),
        sa.Column("forfeited_minor", tables.Big, nullable=False),
        sa.Column("moved_minor", tables.Big, nullable=False),
        sa.Column("carried_until", tables.Day, nullable=True),
        sa.Column("grant_event", sa.String(length=100), nullable=True),
        sa.Column("granted_minor", tables.Big, nullable=False),
        sa.Column("grant_refused", sa.String(length=60), nullable=True),
        sa.Column("closed_at", tables.Microseconds(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plan_year_member")),
        sa.UniqueConstraint("close_id", "member_id", name=op.f("uq_plan_year_member_close_id_member_id")),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("plan_year_member", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_plan_year_member_account_id"), ["account_id"], unique=False)

    op.create_table(
        "posting",
        sa.Column("seq", tables.Big, autoincrement=True, nullable=False),
        sa.Column("id", tables.Id, nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("company_code", sa.String(length=4), nullable=False),
        sa.Column("doc_type", sa.String(length=2), nullable=False),
        sa.Column("posting_date", tables.Day, nullable=False),
        sa.Column("period", sa.String(length=7), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("decimals", sa.Integer(), nullable=False),
        sa.Column("source_type", sa.String(length=20), nullable=False),
        sa.Column("source_id", tables.Id, nullable=False),
        sa.Column("posted_at", tables.Microseconds(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_posting")),
        sa.UniqueConstraint("id", name=op.f("uq_posting_id")),
        sa.UniqueConstraint(
            "source_id", "source_type", "currency", name=op.f("uq_posting_source_id_source_type_currency")
        ),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("posting", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_posting_partner_id_seq"), ["partner_id", "seq"], unique=False)
        batch_op.create_index(batch_op.f("ix_posting_posted_at"), ["posted_at"], unique=False)

    op.create_table(
        "posting_acknowledgement",
        sa.Column("seq", tables.Big, autoincrement=True, nullable=False),
        sa.Column("id", tables.Id, nullable=False),
        sa.Column("system", sa.String(length=20), nullable=False),
        sa.Column("posting_id", tables.Id, nullable=False),
        sa.Column("doc_no", sa.String(length=40), nullable=False),
        sa.Column("version", tables.Big, nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("content", tables.JsonText, nullable=False),
        sa.Column("content_hash", tables.Digest, nullable=False),
        sa.Column("source_file_id", tables.Id, nullable=True),
        sa.Column("row_no", sa.Integer(), nullable=True),
        sa.Column("byte_offset", tables.Big, nullable=True),
        sa.Column("byte_length", sa.Integer(), nullable=True),
        sa.Column("actor", sa.String(length=60), nullable=False),
        sa.Column("correlation_id", sa.String(length=64), nullable=False),
        sa.Column("recorded_at", tables.Microseconds(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_posting_acknowledgement")),
        sa.UniqueConstraint("id", name=op.f("uq_posting_acknowledgement_id")),
        sa.UniqueConstraint(
            "system",
            "posting_id",
            "doc_no",
            "version",
            name=op.f("uq_posting_acknowledgement_system_posting_id_doc_no_version"),
        ),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("posting_acknowledgement", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_posting_acknowledgement_posting_id"), ["posting_id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_posting_acknowledgement_source_file_id_row_no"), ["source_file_id", "row_no"], unique=False
        )

    op.create_table(
        "posting_line",
        sa.Column("posting_id", tables.Id, nullable=False),
        sa.Column("line_no", sa.Integer(), nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("gl_account", sa.String(length=10), nullable=False),
        sa.Column("cost_center", sa.String(length=10), nullable=True),
        sa.Column("profit_center", sa.String(length=10), nullable=True),
        sa.Column("dr_cr", sa.String(length=1), nullable=False),
        sa.Column("amount_minor", tables.Big, nullable=False),
        sa.Column("assignment", sa.String(length=40), nullable=False),
        sa.Column("text", sa.String(length=50), nullable=False),
        sa.PrimaryKeyConstraint("posting_id", "line_no", name=op.f("pk_posting_line")),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    op.create_table(
        "price_version",
        sa.Column("seq", tables.Big, autoincrement=True, nullable=False),
        sa.Column("id", tables.Id, nullable=False),
        sa.Column("sku", sa.String(length=64), nullable=False),
        sa.Column("price_book", sa.String(length=64), nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("valid_from", tables.Day, nullable=False),
        sa.Column("version", tables.Big, nullable=False),
        sa.Column("content", tables.JsonText, nullable=False),
        sa.Column("content_hash", tables.Digest, nullable=False),
        sa.Column("source_file_id", tables.Id, nullable=True),
        sa.Column("row_no", sa.Integer(), nullable=True),
        sa.Column("byte_offset", tables.Big, nullable=True),
        sa.Column("byte_length", sa.Integer(), nullable=True),
        sa.Column("actor", sa.String(length=60), nullable=False),
        sa.Column("correlation_id", sa.String(length=64), nullable=False),
        sa.Column("recorded_at", tables.Microseconds(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_price_version")),
        sa.UniqueConstraint("id", name=op.f("uq_price_version_id")),
        sa.UniqueConstraint(
            "sku",
            "price_book",
            "partner_id",
            "valid_from",
            "version",
            name=op.f("uq_price_version_sku_price_book_partner_id_valid_from_version"),
        ),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("price_version", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_price_version_source_file_id_row_no"), ["source_file_id", "row_no"], unique=False
        )

    op.create_table(
        "product_version",
        sa.Column("seq", tables.Big, autoincrement=True, nullable=False),
        sa.Column("id", tables.Id, nullable=False),
        sa.Column("sku", sa.String(length=64), nullable=False),
        sa.Column("effective_date", tables.Day, nullable=False),
        sa.Column("version", tables.Big, nullable=False),
        sa.Column("content", tables.JsonText, nullable=False),
        sa.Column("content_hash", tables.Digest, nullable=False),
        sa.Column("source_file_id", tables.Id, nullable=True),
        sa.Column("row_no", sa.Integer(), nullable=True),
        sa.Column("byte_offset", tables.Big, nullable=True),
        sa.Column("byte_length", sa.Integer(), nullable=True),
        sa.Column("actor", sa.String(length=60), nullable=False),
        sa.Column("correlation_id", sa.String(length=64), nullable=False),
        sa.Column("recorded_at", tables.Microseconds(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_product_version")),
        sa.UniqueConstraint("id", name=op.f("uq_product_version_id")),
        sa.UniqueConstraint(
            "sku", "effective_date", "version", name=op.f("uq_product_version_sku_effective_date_version")
        ),
        info={"tenant": False},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("product_version", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_product_version_source_file_id_row_no"), ["source_file_id", "row_no"], unique=False
        )

    op.create_table(
        "redemption",
        sa.Column("seq", tables.Big, autoincrement=True, nullable=False),
        sa.Column("id", tables.Id, nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("program_id", tables.Id, nullable=False),
        sa.Column("account_id", tables.Id, nullable=False),
        sa.Column("within_id", tables.Id, nullable=False),
        sa.Column("reference", sa.String(length=100), nullable=False),
        sa.Column("hold_id", tables.Id, nullable=True),
        sa.Column("order_no", sa.String(length=100), nullable=True),
        sa.Column("transfer_id", tables.Id, nullable=False),
        sa.Column("amount_minor", tables.Big, nullable=False),
        sa.Column("business_date", tables.Day, nullable=False),
        sa.Column("actor", sa.String(length=60), nullable=False),
        sa.Column("correlation_id", sa.String(length=64), nullable=False),
        sa.Column("redeemed_at", tables.Microseconds(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_redemption")),
        sa.UniqueConstraint("id", name=op.f("uq_redemption_id")),
        sa.UniqueConstraint("transfer_id", name=op.f("uq_redemption_transfer_id")),
        sa.UniqueConstraint("within_id", "reference", name=op.f("uq_redemption_within_id_reference")),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("redemption", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_redemption_account_id_seq"), ["account_id", "seq"], unique=False)
        batch_op.create_index(batch_op.f("ix_redemption_partner_id_order_no"), ["partner_id", "order_no"], unique=False)
        batch_op.create_index(batch_op.f("ix_redemption_partner_id_seq"), ["partner_id", "seq"], unique=False)

    op.create_table(
        "redemption_line",
        sa.Column("redemption_id", tables.Id, nullable=False),
        sa.Column("line_no", sa.Integer(), nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("line", sa.String(length=40), nullable=False),
        sa.Column("amount_minor", tables.Big, nullable=False),
        sa.Column("refunded_minor", tables.Big, nullable=False),
        sa.PrimaryKeyConstraint("redemption_id", "line_no", name=op.f("pk_redemption_line")),
        sa.UniqueConstraint("redemption_id", "line", name=op.f("uq_redemption_line_redemption_id_line")),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    op.create_table(
        "refund",
        sa.Column("id", tables.Id, nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("redemption_id", tables.Id, nullable=False),
        sa.Column("reference", sa.String(length=100), nullable=False),
        sa.Column("transfer_id", tables.Id, nullable=False),
        sa.Column("amount_minor", tables.Big, nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=True),
        sa.Column("business_date", tables.Day, nullable=False),
        sa.Column("actor", sa.String(length=60), nullable=False),
        sa.Column("correlation_id", sa.String(length=64), nullable=False),
        sa.Column("refunded_at", tables.Microseconds(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refund")),
        sa.UniqueConstraint("redemption_id", "reference", name=op.f("uq_refund_redemption_id_reference")),
        sa.UniqueConstraint("transfer_id", name=op.f("uq_refund_transfer_id")),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    op.create_table(
        "refund_line",
        sa.Column("refund_id", tables.Id, nullable=False),
        sa.Column("redemption_id", tables.Id, nullable=False),
        sa.Column("line_no", sa.Integer(), nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("amount_minor", tables.Big, nullable=False),
        sa.PrimaryKeyConstraint("refund_id", "redemption_id", "line_no", name=op.f("pk_refund_line")),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("refund_line", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_refund_line_redemption_id_line_no"), ["redemption_id", "line_no"], unique=False
        )

    op.create_table(
        "retention_policy",
        sa.Column("data_class", sa.String(length=40), nullable=False),
        sa.Column("days", sa.Integer(), nullable=True),
        sa.Column("changed_by", sa.String(length=60), nullable=False),
        sa.Column("changed_at", tables.Microseconds(), nullable=False),
        sa.PrimaryKeyConstraint("data_class", name=op.f("pk_retention_policy")),
        info={"tenant": False},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    op.create_table(
        "reversal",
        sa.Column("seq", tables.Big, autoincrement=True, nullable=False),
        sa.Column("id", tables.Id, nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("program_id", tables.Id, nullable=False),
        sa.Column("account_id", tables.Id, nullable=False),
        sa.Column("accrual_event_id", tables.Id, nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("cause", sa.String(length=12), nullable=False),
        sa.Column("undoes_id", tables.Id, nullable=True),
        sa.Column("transfer_id", tables.Id, nullable=True),
        sa.Column("amount_minor", tables.Big, nullable=False),
        sa.Column("recovered_minor", tables.Big, nullable=False),
        sa.Column("overdrawn_minor", tables.Big, nullable=False),
        sa.Column("lost_minor", tables.Big, nullable=False),
        sa.Column("expired_minor", tables.Big, nullable=False),
        sa.Column("policy", sa.String(length=12), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("business_date", tables.Day, nullable=False),
        sa.Column("event_id", sa.String(length=100), nullable=True),
        sa.Column("content_hash", tables.Digest, nullable=True),
        sa.Column("generation", tables.Big, nullable=False),
        sa.Column("facts", tables.JsonText, nullable=True),
        sa.Column("source_file_id", tables.Id, nullable=True),
        sa.Column("row_no", sa.Integer(), nullable=True),
        sa.Column("byte_offset", tables.Big, nullable=True),
        sa.Column("byte_length", sa.Integer(), nullable=True),
        sa.Column("actor", sa.String(length=60), nullable=False),
        sa.Column("correlation_id", sa.String(length=64), nullable=False),
        sa.Column("reversed_at", tables.Microseconds(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_reversal")),
        sa.UniqueConstraint("accrual_event_id", "part", name=op.f("uq_reversal_accrual_event_id_part")),
        sa.UniqueConstraint("id", name=op.f("uq_reversal_id")),
        sa.UniqueConstraint(
            "partner_id", "event_id", "generation", name=op.f("uq_reversal_partner_id_event_id_generation")
        ),
        sa.UniqueConstraint("undoes_id", name=op.f("uq_reversal_undoes_id")),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("reversal", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_reversal_account_id"), ["account_id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_reversal_source_file_id_row_no"), ["source_file_id", "row_no"], unique=False
        )

    op.create_table(
        "ruleset",
        sa.Column("id", tables.Id, nullable=False),
        sa.Column("code", sa.String(length=100), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("partner_id", tables.Id, nullable=True),
        sa.Column("owner", sa.String(length=100), nullable=False),
        sa.Column("created_at", tables.Microseconds(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ruleset")),
        sa.UniqueConstraint("code", name=op.f("uq_ruleset_code")),
        info={"tenant": False},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("ruleset", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_ruleset_partner_id_kind"), ["partner_id", "kind"], unique=False)

    op.create_table(
        "settlement",
        sa.Column("seq", tables.Big, autoincrement=True, nullable=False),
        sa.Column("id", tables.Id, nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("period", sa.String(length=7), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("run_id", tables.Id, nullable=True),
        sa.Column("reverses_id", tables.Id, nullable=True),
        sa.Column("terms", tables.JsonText, nullable=False),
        sa.Column("first_day", tables.Day, nullable=False),
        sa.Column("last_day", tables.Day, nullable=False),
        sa.Column("until", tables.Microseconds(), nullable=False),
        sa.Column("entries", tables.Big, nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=True),
        sa.Column("actor", sa.String(length=60), nullable=False),
        sa.Column("correlation_id", sa.String(length=64), nullable=False),
        sa.Column("settled_at", tables.Microseconds(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_settlement")),
        sa.UniqueConstraint("id", name=op.f("uq_settlement_id")),
        sa.UniqueConstraint("partner_id", "period", "part", name=op.f("uq_settlement_partner_id_period_part")),
        sa.UniqueConstraint("reverses_id", name=op.f("uq_settlement_reverses_id")),
        sa.UniqueConstraint("run_id", name=op.f("uq_settlement_run_id")),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    op.create_table(
        "settlement_line",
        sa.Column("settlement_id", tables.Id, nullable=False),
        sa.Column("program_id", tables.Id, nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("program_code", sa.String(length=40), nullable=False),
        sa.Column("unit", sa.String(length=20), nullable=False),
        sa.Column("scale", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("decimals", sa.Integer(), nullable=False),
        sa.Column("redeemed_minor", tables.Big, nullable=False),
        sa.Column("refunded_minor", tables.Big, nullable=False),
        sa.Column("given_minor", tables.Big, nullable=False),
        sa.Column("brought_minor", tables.Big, nullable=False),
        sa.Column("lapsed_minor", tables.Big, nullable=False),
        sa.Column("paid_out_minor", tables.Big, nullable=False),
        sa.Column("value_minor", tables.Big, nullable=False),
        sa.Column("given_value_minor", tables.Big, nullable=False),
        sa.Column("brought_value_minor", tables.Big, nullable=False),
        sa.Column("lapsed_value_minor", tables.Big, nullable=False),
        sa.Column("paid_out_value_minor", tables.Big, nullable=False),
        sa.Column("revaluation_minor", tables.Big, nullable=False),
        sa.Column("closing_minor", tables.Big, nullable=False),
        sa.Column("closing_value_minor", tables.Big, nullable=False),
        sa.Column("fees_minor", tables.Big, nullable=False),
        sa.Column("tax_minor", tables.Big, nullable=False),
        sa.Column("total_minor", tables.Big, nullable=False),
        sa.Column("ledger_minor", tables.Big, nullable=False),
        sa.Column("settled_minor", tables.Big, nullable=False),
        sa.PrimaryKeyConstraint("settlement_id", "program_id", name=op.f("pk_settlement_line")),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    op.create_table(
        "settlement_range",
        sa.Column("slice_id", tables.Id, nullable=False),
        sa.Column("account_id", tables.Id, nullable=False),
        sa.Column("run_id", tables.Id, nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("program_id", tables.Id, nullable=False),
        sa.Column("first_entry_no", tables.Big, nullable=False),
        sa.Column("last_entry_no", tables.Big, nullable=False),
        sa.PrimaryKeyConstraint("slice_id", "account_id", name=op.f("pk_settlement_range")),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("settlement_range", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_settlement_range_account_id_last_entry_no"), ["account_id", "last_entry_no"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_settlement_range_run_id_account_id"), ["run_id", "account_id"], unique=False
        )

    op.create_table(
        "settlement_run",
        sa.Column("id", tables.Id, nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("period", sa.String(length=7), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("of_id", tables.Id, nullable=True),
        sa.Column("until", tables.Microseconds(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("checkpoint", tables.Id, nullable=False),
        sa.Column("entries", tables.Big, nullable=False),
        sa.Column("actor", sa.String(length=60), nullable=False),
        sa.Column("correlation_id", sa.String(length=64), nullable=False),
        sa.Column("created_at", tables.Microseconds(), nullable=False),
        sa.Column("changed_at", tables.Microseconds(), nullable=False),
        sa.Column("finished_at", tables.Microseconds(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_settlement_run")),
        sa.UniqueConstraint("partner_id", "period", "part", name=op.f("uq_settlement_run_partner_id_period_part")),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("settlement_run", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_settlement_run_state"), ["state"], unique=False)

    op.create_table(
        "settlement_sum",
        sa.Column("slice_id", tables.Id, nullable=False),
        sa.Column("program_id", tables.Id, nullable=False),
        sa.Column("movement", sa.String(length=12), nullable=False),
        sa.Column("valued_on", tables.Day, nullable=False),
        sa.Column("run_id", tables.Id, nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("points_minor", tables.Big, nullable=False),
        sa.PrimaryKeyConstraint("slice_id", "program_id", "movement", "valued_on", name=op.f("pk_settlement_sum")),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("settlement_sum", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_settlement_sum_run_id"), ["run_id"], unique=False)

    op.create_table(
        "stock_version",
        sa.Column("seq", tables.Big, autoincrement=True, nullable=False),
        sa.Column("id", tables.Id, nullable=False),
        sa.Column("sku", sa.String(length=64), nullable=False),
        sa.Column("location_code", sa.String(length=64), nullable=False),
        sa.Column("version", tables.Big, nullable=False),
        sa.Column("content", tables.JsonText, nullable=False),
        sa.Column("content_hash", tables.Digest, nullable=False),
        sa.Column("source_file_id", tables.Id, nullable=True),
        sa.Column("row_no", sa.Integer(), nullable=True),
        sa.Column("byte_offset", tables.Big, nullable=True),
        sa.Column("byte_length", sa.Integer(), nullable=True),
        sa.Column("actor", sa.String(length=60), nullable=False),
        sa.Column("correlation_id", sa.String(length=64), nullable=False),
        sa.Column("recorded_at", tables.Microseconds(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_stock_version")),
        sa.UniqueConstraint("id", name=op.f("uq_stock_version_id")),
        sa.UniqueConstraint("sku", "location_code", "version", name=op.f("uq_stock_version_sku_location_code_version")),
        info={"tenant": False},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("stock_version", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_stock_version_source_file_id_row_no"), ["source_file_id", "row_no"], unique=False
        )

    op.create_table(
        "target",
        sa.Column("id", tables.Id, nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("connector", sa.String(length=40), nullable=False),
        sa.Column("config", tables.JsonText, nullable=False),
        sa.Column("secret_name", sa.String(length=100), nullable=False),
        sa.Column("mapping_code", sa.String(length=100), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("inflight_max", sa.Integer(), nullable=False),
        sa.Column("batch_max", sa.Integer(), nullable=False),
        sa.Column("timeout_s", sa.Integer(), nullable=False),
        sa.Column("attempts_max", sa.Integer(), nullable=False),
        sa.Column("age_max_s", sa.Integer(), nullable=False),
        sa.Column("breaker_failures", sa.Integer(), nullable=False),
        sa.Column("breaker_until", tables.Microseconds(), nullable=True),
        sa.Column("breaker_opened", sa.Integer(), nullable=False),
        sa.Column("breaker_reason", sa.String(length=500), nullable=True),
        sa.Column("filled_to", sa.String(length=110), nullable=True),
        sa.Column("created_at", tables.Microseconds(), nullable=False),
        sa.Column("changed_at", tables.Microseconds(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_target")),
        sa.UniqueConstraint("partner_id", "code", name=op.f("uq_target_partner_id_code")),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    op.create_table(
        "tender",
        sa.Column("id", tables.Id, nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("program_id", tables.Id, nullable=False),
        sa.Column("member_id", tables.Id, nullable=False),
        sa.Column("account_id", tables.Id, nullable=False),
        sa.Column("reference", sa.String(length=100), nullable=False),
        sa.Column("order_no", sa.String(length=100), nullable=True),
        sa.Column("hold_id", tables.Id, nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("decimals", sa.Integer(), nullable=False),
        sa.Column("refund_order", sa.String(length=12), nullable=False),
        sa.Column("points_minor", tables.Big, nullable=False),
        sa.Column("cash_minor", tables.Big, nullable=False),
        sa.Column("asked", sa.String(length=64), nullable=False),
        sa.Column("business_date", tables.Day, nullable=False),
        sa.Column("expires_at", tables.Microseconds(), nullable=True),
        sa.Column("actor", sa.String(length=60), nullable=False),
        sa.Column("correlation_id", sa.String(length=64), nullable=False),
        sa.Column("created_at", tables.Microseconds(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tender")),
        sa.UniqueConstraint("program_id", "reference", name=op.f("uq_tender_program_id_reference")),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("tender", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_tender_account_id_business_date"), ["account_id", "business_date"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_tender_hold_id"), ["hold_id"], unique=False)

    op.create_table(
        "tender_line",
        sa.Column("tender_id", tables.Id, nullable=False),
        sa.Column("line_no", sa.Integer(), nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("line", sa.String(length=40), nullable=False),
        sa.Column("sku", sa.String(length=64), nullable=True),
        sa.Column("garment_group", sa.String(length=40), nullable=True),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("price_minor", tables.Big, nullable=False),
        sa.Column("points_minor", tables.Big, nullable=False),
        sa.Column("cash_minor", tables.Big, nullable=False),
        sa.Column("captured", sa.Integer(), nullable=False),
        sa.Column("released", sa.Integer(), nullable=False),
        sa.Column("refunded", sa.Integer(), nullable=False),
        sa.Column("refunded_points_minor", tables.Big, nullable=False),
        sa.Column("refunded_cash_minor", tables.Big, nullable=False),
        sa.PrimaryKeyConstraint("tender_id", "line_no", name=op.f("pk_tender_line")),
        sa.UniqueConstraint("tender_id", "line", name=op.f("uq_tender_line_tender_id_line")),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    op.create_table(
        "tender_step",
        sa.Column("tender_id", tables.Id, nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("reference", sa.String(length=100), nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("asked", sa.String(length=64), nullable=False),
        sa.Column("parts", tables.JsonText, nullable=False),
        sa.Column("redemption_id", tables.Id, nullable=True),
        sa.Column("actor", sa.String(length=60), nullable=False),
        sa.Column("at", tables.Microseconds(), nullable=False),
        sa.PrimaryKeyConstraint("tender_id", "kind", "reference", name=op.f("pk_tender_step")),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    op.create_table(
        "transfer",
        sa.Column("seq", tables.Big, autoincrement=True, nullable=False),
        sa.Column("id", tables.Id, nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("program_id", tables.Id, nullable=False),
        sa.Column("account_id", tables.Id, nullable=False),
        sa.Column("entry_no", tables.Big, nullable=False),
        sa.Column("version", tables.Big, nullable=False),
        sa.Column("debit_account_id", tables.Id, nullable=False),
        sa.Column("credit_account_id", tables.Id, nullable=False),
        sa.Column("amount_minor", tables.Big, nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("source_id", tables.Id, nullable=False),
        sa.Column("business_date", tables.Day, nullable=False),
        sa.Column("posted_at", tables.Microseconds(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_transfer")),
        sa.UniqueConstraint("account_id", "entry_no", name=op.f("uq_transfer_account_id_entry_no")),
        sa.UniqueConstraint("id", name=op.f("uq_transfer_id")),
        sa.UniqueConstraint("source_id", "kind", name=op.f("uq_transfer_source_id_kind")),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    op.create_table(
        "user_account",
        sa.Column("id", tables.Id, nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("partner_id", tables.Id, nullable=True),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("created_at", tables.Microseconds(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_account")),
        sa.UniqueConstraint("email", name=op.f("uq_user_account_email")),
        info={"tenant": False},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    op.create_table(
        "api_key",
        sa.Column("id", tables.Id, nullable=False),
        sa.Column("prefix", sa.String(length=16), nullable=False),
        sa.Column("secret_hash", tables.Digest, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("user_id", tables.Id, nullable=True),
        sa.Column("partner_id", tables.Id, nullable=True),
        sa.Column("scopes", tables.JsonText, nullable=False),
        sa.Column("created_at", tables.Microseconds(), nullable=False),
        sa.Column("created_by", sa.String(length=40), nullable=False),
        sa.Column("holders", tables.JsonText, nullable=False),
        sa.Column("expires_at", tables.Microseconds(), nullable=True),
        sa.Column("revoked_at", tables.Microseconds(), nullable=True),
        sa.Column("replaced_by", tables.Id, nullable=True),
        sa.Column("last_used_at", tables.Microseconds(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_api_key_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_key")),
        sa.UniqueConstraint("prefix", name=op.f("uq_api_key_prefix")),
        info={"tenant": False},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    op.create_table(
        "code_table_change",
        sa.Column("file_id", tables.Id, nullable=False),
        sa.Column("row_no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("table_id", tables.Id, nullable=False),
        sa.Column("entry_code", sa.String(length=100), nullable=False),
        sa.Column("effective_from", tables.Day, nullable=False),
        sa.Column("effect", sa.String(length=8), nullable=False),
        sa.Column("recorded_at", tables.Microseconds(), nullable=False),
        sa.ForeignKeyConstraint(["table_id"], ["code_table.id"], name=op.f("fk_code_table_change_table_id")),
        sa.PrimaryKeyConstraint("file_id", "row_no", "table_id", name=op.f("pk_code_table_change")),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    op.create_table(
        "code_table_entry",
        sa.Column("id", tables.Id, nullable=False),
        sa.Column("table_id", tables.Id, nullable=False),
        sa.Column("entry_code", sa.String(length=100), nullable=False),
        sa.Column("value", sa.String(length=200), nullable=False),
        sa.Column("description", sa.String(length=500), nullable=True),
        sa.Column("effective_from", tables.Day, nullable=False),
        sa.Column("effective_to", tables.Day, nullable=True),
        sa.Column("recorded_at", tables.Microseconds(), nullable=False),
        sa.Column("superseded_at", tables.Microseconds(), nullable=True),
        sa.ForeignKeyConstraint(["table_id"], ["code_table.id"], name=op.f("fk_code_table_entry_table_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_code_table_entry")),
        info={"tenant": False},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("code_table_entry", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_code_table_entry_table_id_entry_code"), ["table_id", "entry_code"], unique=False
        )

    op.create_table(
        "configuration_plan_event",
        sa.Column("id", tables.Id, nullable=False),
        sa.Column("plan_hash", tables.Digest, nullable=False),
        sa.Column("event", sa.String(length=10), nullable=False),
        sa.Column("actor", sa.String(length=60), nullable=False),
        sa.Column("key_id", tables.Id, nullable=True),
        sa.Column("note", sa.String(length=500), nullable=True),
        sa.Column("created_at", tables.Microseconds(), nullable=False),
        sa.ForeignKeyConstraint(
            ["plan_hash"], ["configuration_plan.plan_hash"], name=op.f("fk_configuration_plan_event_plan_hash")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_configuration_plan_event")),
        info={"tenant": False},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("configuration_plan_event", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_configuration_plan_event_plan_hash_created_at"), ["plan_hash", "created_at"], unique=False
        )

    op.create_table(
        "member",
        sa.Column("id", tables.Id, nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("employee_id", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("hire_date", tables.Day, nullable=False),
        sa.Column("term_date", tables.Day, nullable=True),
        sa.Column("effective_date", tables.Day, nullable=False),
        sa.Column("next_effective_date", tables.Day, nullable=True),
        sa.Column("job_code", sa.String(length=64), nullable=True),
        sa.Column("country", sa.String(length=2), nullable=True),
        sa.Column("attributes", tables.JsonText, nullable=False),
        sa.Column("personal", tables.Blob, nullable=False),
        sa.Column("seen_in", tables.Id, nullable=True),
        sa.Column("last_name_index", tables.Digest, nullable=False),
        sa.Column("email_index", tables.Digest, nullable=True),
        sa.Column("created_at", tables.Microseconds(), nullable=False),
        sa.Column("changed_at", tables.Microseconds(), nullable=False),
        sa.ForeignKeyConstraint(["partner_id"], ["partner.id"], name=op.f("fk_member_partner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_member")),
        sa.UniqueConstraint("partner_id", "employee_id", name=op.f("uq_member_partner_id_employee_id")),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("member", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_member_partner_id_email_index"), ["partner_id", "email_index"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_member_partner_id_last_name_index"), ["partner_id", "last_name_index"], unique=False
        )

    op.create_table(
        "program",
        sa.Column("id", tables.Id, nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("unit", sa.String(length=20), nullable=False),
        sa.Column("scale", sa.Integer(), nullable=False),
        sa.Column("time_zone", sa.String(length=40), nullable=False),
        sa.Column("ruleset_code", sa.String(length=100), nullable=False),
        sa.Column("effective_from", tables.Day, nullable=False),
        sa.Column("lots", tables.JsonText, nullable=False),
        sa.Column("corrections", tables.JsonText, nullable=True),
        sa.Column("enrolment", tables.JsonText, nullable=True),
        sa.Column("terms", tables.JsonText, nullable=True),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("created_at", tables.Microseconds(), nullable=False),
        sa.Column("changed_at", tables.Microseconds(), nullable=False),
        sa.ForeignKeyConstraint(["partner_id"], ["partner.id"], name=op.f("fk_program_partner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_program")),
        sa.UniqueConstraint("partner_id", "code", name=op.f("uq_program_partner_id_code")),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    op.create_table(
        "ruleset_case",
        sa.Column("id", tables.Id, nullable=False),
        sa.Column("ruleset_id", tables.Id, nullable=False),
        sa.Column("case_id", sa.String(length=100), nullable=False),
        sa.Column("partner_id", tables.Id, nullable=True),
        sa.Column("accrual_id", tables.Id, nullable=True),
        sa.Column("content", tables.JsonText, nullable=False),
        sa.Column("content_hash", tables.Digest, nullable=False),
        sa.Column("created_at", tables.Microseconds(), nullable=False),
        sa.Column("created_by", sa.String(length=60), nullable=False),
        sa.Column("changed_at", tables.Microseconds(), nullable=False),
        sa.Column("changed_by", sa.String(length=60), nullable=False),
        sa.ForeignKeyConstraint(["ruleset_id"], ["ruleset.id"], name=op.f("fk_ruleset_case_ruleset_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ruleset_case")),
        sa.UniqueConstraint("ruleset_id", "case_id", name=op.f("uq_ruleset_case_ruleset_id_case_id")),
        info={"tenant": False},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    op.create_table(
        "ruleset_version",
        sa.Column("id", tables.Id, nullable=False),
        sa.Column("ruleset_id", tables.Id, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("content_hash", tables.Digest, nullable=False),
        sa.Column("content", tables.JsonText, nullable=False),
        sa.Column("created_at", tables.Microseconds(), nullable=False),
        sa.Column("created_by", sa.String(length=60), nullable=False),
        sa.ForeignKeyConstraint(["ruleset_id"], ["ruleset.id"], name=op.f("fk_ruleset_version_ruleset_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ruleset_version")),
        sa.UniqueConstraint("ruleset_id", "content_hash", name=op.f("uq_ruleset_version_ruleset_id_content_hash")),
        sa.UniqueConstraint("ruleset_id", "number", name=op.f("uq_ruleset_version_ruleset_id_number")),
        info={"tenant": False},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    op.create_table(
        "backtest",
        sa.Column("id", tables.Id, nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("ruleset_id", tables.Id, nullable=False),
        sa.Column("version_id", tables.Id, nullable=False),
        sa.Column("content_hash", tables.Digest, nullable=False),
        sa.Column("tables_hash", tables.Digest, nullable=False),
        sa.Column("tests_hash", tables.Digest, nullable=False),
        sa.Column("bound_to", tables.Id, nullable=True),
        sa.Column("selection", tables.JsonText, nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("reason_code", sa.String(length=60), nullable=True),
        sa.Column("reason", sa.String(length=500), nullable=True),
        sa.Column("seq_max", tables.Big, nullable=False),
        sa.Column("stage", sa.String(length=12), nullable=False),
        sa.Column("slice_no", sa.Integer(), nullable=False),
        sa.Column("checkpoint", tables.Id, nullable=True),
        sa.Column("checkpoint_file", tables.Id, nullable=True),
        sa.Column("checkpoint_row", sa.Integer(), nullable=True),
        sa.Column("first_day", tables.Day, nullable=True),
        sa.Column("last_day", tables.Day, nullable=True),
        sa.Column("events_total", tables.Big, nullable=True),
        sa.Column("events_done", tables.Big, nullable=False),
        sa.Column("summary", tables.JsonText, nullable=True),
        sa.Column("data_hash", tables.Digest, nullable=True),
        sa.Column("result_hash", tables.Digest, nullable=True),
        sa.Column("lease_until", tables.Microseconds(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_by", sa.String(length=60), nullable=False),
        sa.Column("correlation_id", sa.String(length=64), nullable=False),
        sa.Column("created_at", tables.Microseconds(), nullable=False),
        sa.Column("started_at", tables.Microseconds(), nullable=True),
        sa.Column("finished_at", tables.Microseconds(), nullable=True),
        sa.Column("changed_at", tables.Microseconds(), nullable=False),
        sa.ForeignKeyConstraint(["partner_id"], ["partner.id"], name=op.f("fk_backtest_partner_id")),
        sa.ForeignKeyConstraint(["ruleset_id"], ["ruleset.id"], name=op.f("fk_backtest_ruleset_id")),
        sa.ForeignKeyConstraint(["version_id"], ["ruleset_version.id"], name=op.f("fk_backtest_version_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_backtest")),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("backtest", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_backtest_finished_at_lease_until"), ["finished_at", "lease_until"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_backtest_partner_id_ruleset_id"), ["partner_id", "ruleset_id"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_backtest_version_id_state"), ["version_id", "state"], unique=False)

    op.create_table(
        "catalog_group",
        sa.Column("program_id", tables.Id, nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("quantity_max", sa.Integer(), nullable=True),
        sa.Column("months", sa.Integer(), nullable=False),
        sa.Column("anchor", tables.Day, nullable=True),
        sa.ForeignKeyConstraint(["program_id"], ["program.id"], name=op.f("fk_catalog_group_program_id")),
        sa.PrimaryKeyConstraint("program_id", "code", name=op.f("pk_catalog_group")),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    op.create_table(
        "catalog_item",
        sa.Column("program_id", tables.Id, nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("garment_group", sa.String(length=40), nullable=True),
        sa.Column("points_minor", tables.Big, nullable=True),
        sa.ForeignKeyConstraint(["program_id"], ["program.id"], name=op.f("fk_catalog_item_program_id")),
        sa.PrimaryKeyConstraint("program_id", "kind", "code", name=op.f("pk_catalog_item")),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    op.create_table(
        "enrolment",
        sa.Column("id", tables.Id, nullable=False),
        sa.Column("partner_id", tables.Id, nullable=False),
        sa.Column("program_id", tables.Id, nullable=False),
        sa.Column("member_id", tables.Id, nullable=False),
        sa.Column("valid_from", tables.Day, nullable=False),
        sa.Column("valid_to", tables.Day, nullable=True),
        sa.Column("tier", sa.String(length=40), nullable=True),
        sa.Column("source", sa.String(length=12), nullable=False),
        sa.Column("created_at", tables.Microseconds(), nullable=False),
        sa.Column("changed_at", tables.Microseconds(), nullable=False),
        sa.ForeignKeyConstraint(["program_id"], ["program.id"], name=op.f("fk_enrolment_program_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_enrolment")),
        sa.UniqueConstraint(
            "member_id", "program_id", "valid_from", name=op.f("uq_enrolment_member_id_program_id_valid_from")
        ),
        info={"tenant": True},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("enrolment", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_enrolment_program_id_member_id"), ["program_id", "member_id"], unique=False
        )

    op.create_table(
        "ruleset_activation",
        sa.Column("id", tables.Id, nullable=False),
        sa.Column("ruleset_id", tables.Id, nullable=False),
        sa.Column("version_id", tables.Id, nullable=False),
        sa.Column("effective_from", tables.Day, nullable=False),
        sa.Column("activated_at", tables.Microseconds(), nullable=False),
        sa.Column("activated_by", sa.String(length=60), nullable=False),
        sa.Column("approved_by", sa.String(length=60), nullable=True),
        sa.Column("withdraws_id", tables.Id, nullable=True),
        sa.Column("by_file", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["ruleset_id"], ["ruleset.id"], name=op.f("fk_ruleset_activation_ruleset_id")),
        sa.ForeignKeyConstraint(["version_id"], ["ruleset_version.id"], name=op.f("fk_ruleset_activation_version_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ruleset_activation")),
        sa.UniqueConstraint(
            "ruleset_id",
            "effective_from",
            "activated_at",
            name=op.f("uq_ruleset_activation_ruleset_id_effective_from_activated_at"),
        ),
        info={"tenant": False},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    op.create_table(
        "ruleset_approval",
        sa.Column("id", tables.Id, nullable=False),
        sa.Column("version_id", tables.Id, nullable=False),
        sa.Column("tests_hash", tables.Digest, nullable=False),
        sa.Column("tables_hash", tables.Digest, nullable=False),
        sa.Column("data_hash", tables.Digest, nullable=True),
        sa.Column("result_hash", tables.Digest, nullable=True),
        sa.Column("bound_hash", tables.Digest, nullable=False),
        sa.Column("backtest_id", tables.Id, nullable=True),
        sa.Column("backtest_ids", tables.JsonText, nullable=False),
        sa.Column("effective_from", tables.Day, nullable=False),
        sa.Column("approved_by", sa.String(length=60), nullable=False),
        sa.Column("note", sa.String(length=500), nullable=True),
        sa.Column("created_at", tables.Microseconds(), nullable=False),
        sa.ForeignKeyConstraint(["version_id"], ["ruleset_version.id"], name=op.f("fk_ruleset_approval_version_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ruleset_approval")),
        info={"tenant": False},
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("ruleset_approval", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_ruleset_approval_version_id_created_at"), ["version_id", "created_at"], unique=False
        )


def downgrade() -> None:  # noqa: PLR0915 - one statement a table and index
    op.drop_table("ruleset_approval")
    op.drop_table("ruleset_activation")
    op.drop_table("enrolment")
    op.drop_table("catalog_item")
    op.drop_table("catalog_group")
    op.drop_table("backtest")
    op.drop_table("ruleset_version")
    op.drop_table("ruleset_case")
    op.drop_table("program")
    op.drop_table("member")
    op.drop_table("configuration_plan_event")
    op.drop_table("code_table_entry")
    op.drop_table("code_table_change")
    op.drop_table("api_key")
    op.drop_table("user_account")
    op.drop_table("transfer")
    op.drop_table("tender_step")
    op.drop_table("tender_line")
    op.drop_table("tender")
    op.drop_table("target")
    op.drop_table("stock_version")
    op.drop_table("settlement_sum")
    op.drop_table("settlement_run")
    op.drop_table("settlement_range")
    op.drop_table("settlement_line")
    op.drop_table("settlement")
    op.drop_table("ruleset")
    op.drop_table("reversal")
    op.drop_table("retention_policy")
    op.drop_table("refund_line")
    op.drop_table("refund")
    op.drop_table("redemption_line")
    op.drop_table("redemption")
    op.drop_table("product_version")
    op.drop_table("price_version")
    op.drop_table("posting_line")
    op.drop_table("posting_acknowledgement")
    op.drop_table("posting")
    op.drop_table("plan_year_member")
    op.drop_table("plan_year_close")
    op.drop_table("partner_block")
    op.drop_table("partner")
    op.drop_table("overdraft_repayment")
    op.drop_table("opening_balance")
    op.drop_table("member_identity")
    op.drop_table("member_history")
    op.drop_table("member_erasure")
    op.drop_table("lot_use")
    op.drop_table("lot")
    op.drop_table("loss_recovery")
    op.drop_table("ledger_checkpoint")
    op.drop_table("increase_request")
    op.drop_table("inbound_file")
    op.drop_table("idempotency_record")
    op.drop_table("hold_lot")
    op.drop_table("hold")
    op.drop_table("heartbeat")
    op.drop_table("grant_progress")
    op.drop_table("file_trial")
    op.drop_table("file_row_fix")
    op.drop_table("file_row")
    op.drop_table("file_rollback_left")
    op.drop_table("file_rollback")
    op.drop_table("file_alert")
    op.drop_table("export_stream")
    op.drop_table("export_mark")
    op.drop_table("export_file")
    op.drop_table("document_version")
    op.drop_table("document_line")
    op.drop_table("document_gap")
    op.drop_table("document_draft")
    op.drop_table("document")
    op.drop_table("delivery_attempt")
    op.drop_table("delivery")
    op.drop_table("customer_version")
    op.drop_table("customer_identity")
    op.drop_table("customer")
    op.drop_table("configuration_plan")
    op.drop_table("code_table_miss")
    op.drop_table("code_table")
    op.drop_table("close_out")
    op.drop_table("backtest_row")
    op.drop_table("backtest_record")
    op.drop_table("backtest_member")
    op.drop_table("audit_event")
    op.drop_table("annulment")
    op.drop_table("allowance_plan")
    op.drop_table("adjustment")
    op.drop_table("accrual_event")
    op.drop_table("account")
