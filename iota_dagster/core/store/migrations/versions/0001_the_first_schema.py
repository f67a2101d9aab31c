"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """The first schema."""
    op.create_table(
        "admissions",
        sa.Column("batch_id", sa.Text(), nullable=False),
        sa.Column("log_type", sa.Text(), nullable=False),
        sa.Column("hour", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("committed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("batch_id", "log_type", "hour", name=op.f("pk_admissions")),
    )
    op.create_index(op.f("ix_admissions_log_type_hour"), "admissions", ["log_type", "hour"], unique=False)
    op.create_table(
        "alert_groups",
        sa.Column("rule_id", sa.Text(), nullable=False),
        sa.Column("dedup", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("rule_id", "dedup", name=op.f("pk_alert_groups")),
    )
    op.create_table(
        "alerts",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("rule_id", sa.Text(), nullable=False),
        sa.Column("dedup", sa.Text(), nullable=False),
        sa.Column("log_type", sa.Text(), nullable=False),
        sa.Column("period_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("period_minutes", sa.Integer(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("runbook", sa.Text(), server_default="", nullable=False),
        sa.Column("reference", sa.Text(), server_default="", nullable=False),
        sa.Column("context", sa.JSON(), nullable=True),
        sa.Column("matches", sa.BigInteger(), nullable=False),
        sa.Column("first_event_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_event_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alerts")),
    )
    op.create_index(op.f("ix_alerts_created_at"), "alerts", ["created_at"], unique=False)
    op.create_index(
        op.f("ix_alerts_rule_id_dedup_period_start"), "alerts", ["rule_id", "dedup", "period_start"], unique=False
    )
    op.create_table(
        "announced_generations",
        sa.Column("table_name", sa.Text(), nullable=False),
        sa.Column("hour", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("generation", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("announced_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("table_name", "hour", "generation", name=op.f("pk_announced_generations")),
    )
    op.create_index(
        op.f("ix_announced_generations_announced_at"), "announced_generations", ["announced_at"], unique=False
    )
    op.create_table(
        "batch_figures",
        sa.Column("batch_id", sa.Text(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("figures", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("batch_id", "step", name=op.f("pk_batch_figures")),
    )
    op.create_table(
        "batches",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("delivery_hour", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), server_default="1", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("heartbeat_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("committed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lake_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("alerts_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("work", sa.Text(), nullable=True),
        sa.Column("rules_version", sa.Text(), nullable=True),
        sa.Column("redo_reason", sa.Text(), nullable=True),
        sa.Column("redo_blocked", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batches")),
    )
    op.create_index(
        "ix_batches_attempts",
        "batches",
        ["attempts"],
        unique=False,
        sqlite_where=sa.text("attempts > 0"),
        postgresql_where=sa.text("attempts > 0"),
    )
    op.create_index(
        "ix_batches_blocked",
        "batches",
        ["delivery_hour"],
        unique=False,
        sqlite_where=sa.text("redo_blocked IS NOT NULL"),
        postgresql_where=sa.text("redo_blocked IS NOT NULL"),
    )
    op.create_index(op.f("ix_batches_committed_at"), "batches", ["committed_at"], unique=False)
    op.create_index(op.f("ix_batches_delivery_hour_status"), "batches", ["delivery_hour", "status"], unique=False)
    op.create_index(
        "ix_batches_redo",
        "batches",
        ["status", "redo_blocked", "delivery_hour"],
        unique=False,
        sqlite_where=sa.text("redo_reason IS NOT NULL"),
        postgresql_where=sa.text("redo_reason IS NOT NULL"),
    )
    op.create_index(op.f("ix_batches_status_delivery_hour"), "batches", ["status", "delivery_hour"], unique=False)
    op.create_table(
        "claims",
        sa.Column("root_run", sa.Text(), nullable=False),
        sa.Column("hour", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("root_run", "hour", name=op.f("pk_claims")),
    )
    op.create_table(
        "correlation_hours",
        sa.Column("rule_id", sa.Text(), nullable=False),
        sa.Column("hour", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("evaluated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("rule_id", "hour", name=op.f("pk_correlation_hours")),
    )
    op.create_table(
        "correlation_waits",
        sa.Column("rule_id", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("notify", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("rule_id", "due_at", name=op.f("pk_correlation_waits")),
    )
    op.create_table(
        "correlation_work",
        sa.Column("rule_id", sa.Text(), nullable=False),
        sa.Column("hour", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("notify", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("rule_id", "hour", name=op.f("pk_correlation_work")),
    )
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("alert_id", sa.Text(), nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        sa.UniqueConstraint("alert_id", "destination", name=op.f("uq_deliveries_alert_id_destination")),
    )
    op.create_index(
        op.f("ix_deliveries_status_next_attempt_at"), "deliveries", ["status", "next_attempt_at"], unique=False
    )
    op.create_table(
        "duplicates",
        sa.Column("batch_id", sa.Text(), nullable=False),
        sa.Column("against", sa.Text(), nullable=False),
        sa.Column("log_type", sa.Text(), nullable=False),
        sa.Column("hour", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("batch_id", "against", "log_type", "hour", name=op.f("pk_duplicates")),
    )
    op.create_index(op.f("ix_duplicates_against"), "duplicates", ["against"], unique=False)
    op.create_table(
        "event_hours",
        sa.Column("log_type", sa.Text(), nullable=False),
        sa.Column("hour", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("log_type", "hour", name=op.f("pk_event_hours")),
    )
    op.create_table(
        "figure_totals",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("labels", sa.Text(), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", "labels", name=op.f("pk_figure_totals")),
    )
    op.create_table(
        "hour_requests",
        sa.Column("hour", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("hour", name=op.f("pk_hour_requests")),
    )
    op.create_table(
        "lake_files",
        sa.Column("table_name", sa.Text(), nullable=False),
        sa.Column("hour", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("table_name", "hour", "source", name=op.f("pk_lake_files")),
    )
    op.create_table(
        "lake_hours",
        sa.Column("table_name", sa.Text(), nullable=False),
        sa.Column("hour", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("generation", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_generation", sa.Integer(), server_default="1", nullable=False),
        sa.Column("expired_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("kept_since", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("table_name", "hour", name=op.f("pk_lake_hours")),
    )
    op.create_table(
        "lake_members",
        sa.Column("table_name", sa.Text(), nullable=False),
        sa.Column("hour", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("batch_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("table_name", "hour", "source", "batch_id", name=op.f("pk_lake_members")),
    )
    op.create_index(op.f("ix_lake_members_batch_id"), "lake_members", ["batch_id"], unique=False)
    op.create_table(
        "log_objects",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("bucket", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("etag", sa.Text(), nullable=False),
        sa.Column("version_id", sa.Text(), nullable=True),
        sa.Column("integration", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=True),
        sa.Column("region", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(), server_default="log", nullable=False),
        sa.Column("size", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("content_sha256", sa.Text(), nullable=True),
        sa.Column("content_bytes", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("delivery_hour", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("batch_id", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("records", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("rows", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("duplicates", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("quarantined", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("registered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_modified", sa.DateTime(timezone=True), nullable=True),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outages", sa.Integer(), server_default="0", nullable=False),
        sa.Column("retry_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_log_objects")),
        sa.UniqueConstraint("bucket", "key", "etag", name=op.f("uq_log_objects_bucket_key_etag")),
    )
    op.create_index(op.f("ix_log_objects_batch_id"), "log_objects", ["batch_id"], unique=False)
    op.create_index(op.f("ix_log_objects_delivery_hour"), "log_objects", ["delivery_hour"], unique=False)
    op.create_index(
        op.f("ix_log_objects_integration_kind_delivery_hour"),
        "log_objects",
        ["integration", "kind", "delivery_hour"],
        unique=False,
    )
    op.create_index(
        op.f("ix_log_objects_status_delivery_hour"), "log_objects", ["status", "delivery_hour"], unique=False
    )
    op.create_table(
        "matches",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("batch_id", sa.Text(), nullable=False),
        sa.Column("rule_id", sa.Text(), nullable=False),
        sa.Column("rule_version", sa.Text(), server_default="", nullable=False),
        sa.Column("log_type", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("event_hour", sa.Integer(), nullable=False),
        sa.Column("event_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("dedup", sa.Text(), nullable=False),
        sa.Column("period_minutes", sa.Integer(), nullable=False),
        sa.Column("threshold", sa.Integer(), nullable=False),
        sa.Column("unique_value", sa.Text(), nullable=True),
        sa.Column("create_alert", sa.Boolean(), nullable=False),
        sa.Column("alert_id", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("runbook", sa.Text(), server_default="", nullable=False),
        sa.Column("reference", sa.Text(), server_default="", nullable=False),
        sa.Column("destinations", sa.JSON(), nullable=True),
        sa.Column("context", sa.JSON(), nullable=True),
        sa.Column("fields", sa.JSON(), nullable=True),
        sa.Column("notify", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_matches")),
    )
    op.create_index(op.f("ix_matches_alert_id"), "matches", ["alert_id"], unique=False)
    op.create_index(op.f("ix_matches_batch_id"), "matches", ["batch_id"], unique=False)
    op.create_index(
        op.f("ix_matches_rule_id_dedup_event_time"), "matches", ["rule_id", "dedup", "event_time"], unique=False
    )
    op.create_index(op.f("ix_matches_rule_id_event_time"), "matches", ["rule_id", "event_time"], unique=False)
    op.create_table(
        "message_counts",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("messages", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("kind", "outcome", name=op.f("pk_message_counts")),
    )
    op.create_table(
        "own_columns",
        sa.Column("log_type", sa.Text(), nullable=False),
        sa.Column("column_name", sa.Text(), nullable=False),
        sa.Column("table_name", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("log_type", "column_name", name=op.f("pk_own_columns")),
    )
    op.create_table(
        "retired_files",
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("path", name=op.f("pk_retired_files")),
    )
    op.create_table(
        "rule_packs",
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("first_used_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("rules", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_rule_packs")),
    )
    op.create_table(
        "rule_values",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("event_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("event_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", "event_time", "event_id", name=op.f("pk_rule_values")),
    )
    op.create_index(op.f("ix_rule_values_event_time"), "rule_values", ["event_time"], unique=False)
    op.create_table(
        "run_batches",
        sa.Column("root_run", sa.Text(), nullable=False),
        sa.Column("batch_id", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("root_run", "batch_id", name=op.f("pk_run_batches")),
    )
    op.create_index(op.f("ix_run_batches_batch_id"), "run_batches", ["batch_id"], unique=False)
    op.create_table(
        "scheduled_queries",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("schedule", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("busy_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempt", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_run_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_seconds", sa.Double(), nullable=True),
        sa.Column("last_rows", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("last_matches", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_scheduled_queries")),
    )
    op.create_table(
        "spooled_events",
        sa.Column("event_id", sa.LargeBinary(), nullable=False),
        sa.Column("spooled_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_spooled_events")),
    )
    op.create_index(op.f("ix_spooled_events_spooled_at"), "spooled_events", ["spooled_at"], unique=False)
    op.create_table(
        "store_identity",
        sa.Column("one", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("one", name=op.f("pk_store_identity")),
    )
    op.create_table(
        "digests",
        sa.Column(
            "object_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("integration", sa.Text(), nullable=False),
        sa.Column("bucket", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("folder", sa.Text(), nullable=False),
        sa.Column("backfill", sa.Boolean(), nullable=False),
        sa.Column("start_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("end_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("files", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), server_default="", nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["object_id"],
            ["log_objects.id"],
        ),
        sa.PrimaryKeyConstraint("object_id", name=op.f("pk_digests")),
    )
    op.create_index(op.f("ix_digests_end_at"), "digests", ["end_at"], unique=False)
    op.create_index(op.f("ix_digests_folder_end_at"), "digests", ["folder", "end_at"], unique=False)
    op.create_table(
        "quarantine",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("object_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("batch_id", sa.Text(), nullable=True),
        sa.Column("ordinal", sa.BigInteger(), nullable=True),
        sa.Column("byte_offset", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("sample", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("dropped_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["object_id"],
            ["log_objects.id"],
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quarantine")),
        sa.UniqueConstraint("message", name=op.f("uq_quarantine_message")),
    )
    op.create_index(op.f("ix_quarantine_batch_id"), "quarantine", ["batch_id"], unique=False)
    op.create_index(
        "ix_quarantine_kept",
        "quarantine",
        ["reason", "object_id", "size", "created_at", "dropped_at"],
        unique=False,
        sqlite_where=sa.text("dropped_at IS NULL"),
        postgresql_where=sa.text("dropped_at IS NULL"),
    )
    op.create_index(op.f("ix_quarantine_object_id"), "quarantine", ["object_id"], unique=False)
    op.create_table(
        "digest_files",
        sa.Column("digest_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("bucket", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["digest_id"], ["digests.object_id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("digest_id", "bucket", "key", name=op.f("pk_digest_files")),
    )
    op.create_index(op.f("ix_digest_files_bucket_key"), "digest_files", ["bucket", "key"], unique=False)
