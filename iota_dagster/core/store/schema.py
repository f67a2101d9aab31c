"""The relational schema of the store: the same on SQLite and PostgreSQL.

Hours are `hours.Hour` numbers. Times are aware UTC. Every change comes with a migration in `migrations/`;
a test compares the two.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

from iota_dagster.core.text import storable_json, storable_text


class UtcDateTime(sa.TypeDecorator[datetime]):
    """An aware UTC moment with microseconds; SQLite, which knows no zones, stores it without one."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To the database: UTC; a naive value is a programming error."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"naive time {value!r}")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """From the database: aware UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Text(sa.TypeDecorator[str]):
    """Any text: what no database takes (NUL, lone surrogates) becomes U+FFFD, so that no record can stop its batch.

    All text of the store is of this type, names as well as details: nobody has to remember which quotes a stranger.
    """

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """To the database; what a column is compared with is treated alike."""
        return None if value is None else storable_text(value)


BinaryText = Text().with_variant(Text(collation="C"), "postgresql")
"""Text that both databases order by its bytes, as Python does."""


class Json(sa.TypeDecorator[Any]):
    """Any JSON value, with text as `Text` has it; NaN and infinities, which are no JSON, become text."""

    impl = sa.JSON
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """To the database."""
        return storable_json(value)


metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False, server_default="0")


def _partial(name: str, where: str, *columns: str) -> sa.Index:
    """An index of the rows that meet a condition. SQLite uses it for queries that name the condition word for word."""
    return sa.Index(name, *columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


log_objects = sa.Table(
    "log_objects",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=True),
    sa.Column("bucket", Text, nullable=False),
    sa.Column("key", Text, nullable=False),
    sa.Column("etag", Text, nullable=False),
    sa.Column("version_id", Text),
    sa.Column("integration", Text, nullable=False),
    sa.Column("account", Text),
    sa.Column("region", Text),
    sa.Column("kind", Text, nullable=False, server_default="log"),
    sa.Column("size", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("content_sha256", Text),
    _count("content_bytes"),
    sa.Column("delivery_hour", sa.Integer, nullable=False),
    sa.Column("status", Text, nullable=False),
    sa.Column("batch_id", Text),
    sa.Column("error", Text),
    _count("records"),
    _count("rows"),
    _count("duplicates"),
    _count("quarantined"),
    sa.Column("registered_at", UtcDateTime, nullable=False),
    sa.Column("last_modified", UtcDateTime),
    sa.Column("done_at", UtcDateTime),
    sa.Column("outages", sa.Integer, nullable=False, server_default="0"),  # in a row: they lengthen the wait
    sa.Column("retry_at", UtcDateTime),  # pending, but not before then
    sa.UniqueConstraint("bucket", "key", "etag"),
    sa.Index(None, "delivery_hour"),
    sa.Index(None, "status", "delivery_hour"),  # what waits, anywhere and in an hour
    sa.Index(None, "integration", "kind", "delivery_hour"),  # what a source delivered last
    sa.Index(None, "batch_id"),
)

batches = sa.Table(
    "batches",
    metadata,
    sa.Column("id", Text, primary_key=True),
    sa.Column("delivery_hour", sa.Integer, nullable=False),
    sa.Column("status", Text, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False, server_default="1"),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("owner", Text, nullable=False),
    sa.Column("heartbeat_at", UtcDateTime, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("committed_at", UtcDateTime),
    sa.Column("lake_at", UtcDateTime),
    sa.Column("alerts_at", UtcDateTime),
    sa.Column("work", Text),
    sa.Column("rules_version", Text),
    sa.Column("redo_reason", Text),  # to be done again, and why
    sa.Column("redo_blocked", Text),  # what kept it from being done again; a backfill tries once more
    sa.Index(None, "delivery_hour", "status"),
    sa.Index(None, "status", "delivery_hour"),
    sa.Index(None, "committed_at"),
    _partial("ix_batches_redo", "redo_reason IS NOT NULL", "status", "redo_blocked", "delivery_hour"),
    _partial("ix_batches_blocked", "redo_blocked IS NOT NULL", "delivery_hour"),
    _partial("ix_batches_attempts", "attempts > 0", "attempts"),
)

hour_requests = sa.Table(
    "hour_requests",
    metadata,
    sa.Column("hour", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("attempt", sa.Integer, nullable=False),  # of the newest run that a sensor asked for
    sa.Column("requested_at", UtcDateTime, nullable=False),
    sa.Column("failures", sa.Integer, nullable=False, server_default="0"),  # in a row: they lengthen the wait
)

reserved_hours = sa.Table(
    "reserved_hours",
    metadata,
    sa.Column("holder", Text, primary_key=True),  # drawn by a process that brings these hours to their end itself
    sa.Column("first_hour", sa.Integer, nullable=False),
    sa.Column("end_hour", sa.Integer, nullable=False),  # not included
    sa.Column("until", UtcDateTime, nullable=False),  # renewed for as long as that process lives
)

claims = sa.Table(
    "claims",
    metadata,
    sa.Column("root_run", Text, primary_key=True),
    sa.Column("hour", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("claimed_at", UtcDateTime, nullable=False),
)

run_batches = sa.Table(
    "run_batches",
    metadata,
    sa.Column("root_run", Text, primary_key=True),
    sa.Column("batch_id", Text, primary_key=True),
    sa.Column("mode", Text, nullable=False),  # new, redo
    sa.Column("revision", sa.Integer, nullable=False),  # the batch's when it was assigned
    sa.Column("outcome", Text),  # why a redo changed nothing
    sa.Index(None, "batch_id"),
)

event_hours = sa.Table(
    "event_hours",
    metadata,
    sa.Column("log_type", Text, primary_key=True),
    sa.Column("hour", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("version", sa.BigInteger, nullable=False, server_default="0"),
)

admissions = sa.Table(
    "admissions",
    metadata,
    sa.Column("batch_id", Text, primary_key=True),
    sa.Column("log_type", Text, primary_key=True),
    sa.Column("hour", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("file", Text, nullable=False),
    sa.Column("sha256", Text, nullable=False),
    sa.Column("count", sa.BigInteger, nullable=False),
    sa.Column("committed_at", UtcDateTime, nullable=False),
    sa.Index(None, "log_type", "hour"),
)

duplicates = sa.Table(
    "duplicates",
    metadata,
    sa.Column("batch_id", Text, primary_key=True),
    sa.Column("against", Text, primary_key=True),
    sa.Column("log_type", Text, primary_key=True),
    sa.Column("hour", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("count", sa.BigInteger, nullable=False),
    sa.Index(None, "against"),
)

lake_hours = sa.Table(
    "lake_hours",
    metadata,
    sa.Column("table_name", Text, primary_key=True),
    sa.Column("hour", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("version", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("generation", sa.Integer, nullable=False, server_default="0"),
    sa.Column("next_generation", sa.Integer, nullable=False, server_default="1"),
    sa.Column("expired_at", UtcDateTime),  # retention took its rows: nobody writes there any more
    sa.Column("kept_since", UtcDateTime),  # somebody wanted it back: its days count from here
)

store_identity = sa.Table(
    "store_identity",
    metadata,
    sa.Column("one", sa.Integer, primary_key=True, autoincrement=False),  # always 1
    sa.Column("id", Text, nullable=False),  # the lake's marker names it, see `lake.ownership`
)

own_columns = sa.Table(
    "own_columns",  # of a user's log types: what their tables have, and so must keep
    metadata,
    sa.Column("log_type", Text, primary_key=True),
    sa.Column("column_name", Text, primary_key=True),
    sa.Column("table_name", Text, nullable=False),
    sa.Column("type", Text, nullable=False),
)

lake_files = sa.Table(
    "lake_files",
    metadata,
    sa.Column("table_name", Text, primary_key=True),
    sa.Column("hour", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("source", Text, primary_key=True),  # a batch, or a compaction
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("path", Text, nullable=False),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("sha256", Text, nullable=False),
)

lake_members = sa.Table(
    "lake_members",
    metadata,
    sa.Column("table_name", Text, primary_key=True),
    sa.Column("hour", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("source", Text, primary_key=True),
    sa.Column("batch_id", Text, primary_key=True),
    sa.Index(None, "batch_id"),
)

announced_generations = sa.Table(
    "announced_generations",  # which nobody has switched to yet: somebody may be writing into them
    metadata,
    sa.Column("table_name", Text, primary_key=True),
    sa.Column("hour", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("generation", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("announced_at", UtcDateTime, nullable=False),
    sa.Index(None, "announced_at"),
)

retired_files = sa.Table(
    "retired_files",
    metadata,
    sa.Column("path", Text, primary_key=True),
    sa.Column("retired_at", UtcDateTime, nullable=False),
)

matches = sa.Table(
    "matches",
    metadata,
    sa.Column("id", Text, primary_key=True),
    sa.Column("batch_id", Text, nullable=False),
    sa.Column("rule_id", Text, nullable=False),
    sa.Column("rule_version", Text, nullable=False, server_default=""),
    sa.Column("log_type", Text, nullable=False),
    sa.Column("event_id", Text, nullable=False),
    sa.Column("event_hour", sa.Integer, nullable=False),
    sa.Column("event_time", UtcDateTime, nullable=False),
    sa.Column("dedup", Text, nullable=False),
    sa.Column("period_minutes", sa.Integer, nullable=False),
    sa.Column("threshold", sa.Integer, nullable=False),
    sa.Column("unique_value", Text),
    sa.Column("create_alert", sa.Boolean, nullable=False),
    sa.Column("alert_id", Text, nullable=False),
    sa.Column("severity", Text, nullable=False),
    sa.Column("title", Text, nullable=False),
    sa.Column("description", Text, nullable=False, server_default=""),
    sa.Column("runbook", Text, nullable=False, server_default=""),
    sa.Column("reference", Text, nullable=False, server_default=""),
    sa.Column("destinations", Json),
    sa.Column("context", Json),
    sa.Column("fields", Json),  # of the event, as far as correlation rules ask for them
    sa.Column("notify", sa.Boolean, nullable=False),
    sa.Index(None, "batch_id"),
    sa.Index(None, "rule_id", "dedup", "event_time"),
    sa.Index(None, "rule_id", "event_time"),
    sa.Index(None, "alert_id"),
)

alert_groups = sa.Table(
    "alert_groups",
    metadata,
    sa.Column("rule_id", Text, primary_key=True),
    sa.Column("dedup", Text, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False, server_default="0"),
)

alerts = sa.Table(
    "alerts",
    metadata,
    sa.Column("id", Text, primary_key=True),
    sa.Column("rule_id", Text, nullable=False),
    sa.Column("dedup", Text, nullable=False),
    sa.Column("log_type", Text, nullable=False),
    sa.Column("period_start", UtcDateTime, nullable=False),
    sa.Column("period_minutes", sa.Integer, nullable=False),
    sa.Column("severity", Text, nullable=False),
    sa.Column("title", Text, nullable=False),
    sa.Column("description", Text, nullable=False, server_default=""),
    sa.Column("runbook", Text, nullable=False, server_default=""),
    sa.Column("reference", Text, nullable=False, server_default=""),
    sa.Column("context", Json),
    sa.Column("matches", sa.BigInteger, nullable=False),
    sa.Column("first_event_time", UtcDateTime, nullable=False),
    sa.Column("last_event_time", UtcDateTime, nullable=False),
    sa.Column("status", Text, nullable=False),  # open, withdrawn
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Index(None, "rule_id", "dedup", "period_start"),
    sa.Index(None, "created_at"),
)

deliveries = sa.Table(
    "deliveries",
    metadata,
    sa.Column("id", Text, primary_key=True),  # derived from alert and destination
    sa.Column("alert_id", Text, nullable=False),
    sa.Column("destination", Text, nullable=False),
    sa.Column("status", Text, nullable=False),  # pending, sending, sent, failed
    sa.Column("owner", Text),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("error", Text),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("next_attempt_at", UtcDateTime, nullable=False),
    sa.Column("sent_at", UtcDateTime),
    sa.UniqueConstraint("alert_id", "destination"),
    sa.Index(None, "status", "next_attempt_at"),
)

correlation_work = sa.Table(
    "correlation_work",
    metadata,
    sa.Column("rule_id", Text, primary_key=True),  # whose matches came, went or changed
    sa.Column("hour", sa.Integer, primary_key=True, autoincrement=False),  # of event time
    sa.Column("version", sa.BigInteger, nullable=False),  # drawn anew with every change
    sa.Column("notify", sa.Boolean, nullable=False),  # an object's first completion brought some of it
)

correlation_hours = sa.Table(
    "correlation_hours",
    metadata,
    sa.Column("rule_id", Text, primary_key=True),  # a correlation rule
    sa.Column("hour", sa.Integer, primary_key=True, autoincrement=False),  # of its matches
    sa.Column("evaluated_at", UtcDateTime, nullable=False),  # what was not certain by then is not among them
)

correlation_waits = sa.Table(
    "correlation_waits",
    metadata,
    sa.Column("rule_id", Text, primary_key=True),
    sa.Column("due_at", UtcDateTime, primary_key=True),  # a whole minute
    sa.Column("notify", sa.Boolean, nullable=False),
)

scheduled_queries = sa.Table(
    "scheduled_queries",
    metadata,
    sa.Column("name", Text, primary_key=True),
    sa.Column("schedule", Text, nullable=False),  # what `due_at` was computed by
    sa.Column("due_at", UtcDateTime, nullable=False),
    sa.Column("busy_until", UtcDateTime),  # a run was asked for, or is at it, and should be done by then
    sa.Column("attempt", sa.Integer, nullable=False, server_default="0"),  # of the newest run that was asked for
    sa.Column("last_due_at", UtcDateTime),
    sa.Column("last_run_at", UtcDateTime),
    sa.Column("last_seconds", sa.Double),
    _count("last_rows"),
    _count("last_matches"),
    sa.Column("error", Text),  # why the last run failed
)

quarantine = sa.Table(
    "quarantine",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=True),
    sa.Column("object_id", Id, sa.ForeignKey("log_objects.id")),  # none: a queue message that cannot be read
    sa.Column("message", Text, unique=True),  # such a message's SHA-256: a redelivery is the same
    sa.Column("batch_id", Text),
    sa.Column("ordinal", sa.BigInteger),
    sa.Column("byte_offset", sa.BigInteger),
    sa.Column("reason", Text, nullable=False),
    sa.Column("detail", Text, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("sample", sa.LargeBinary, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("dropped_at", UtcDateTime),  # somebody gave it up: the row stays for the accounting, its sample goes
    sa.Index(None, "batch_id"),
    sa.Index(None, "object_id"),
    # All that is counted of items, so that their samples, next to which everything else lies, are not read.
    _partial("ix_quarantine_kept", "dropped_at IS NULL", "reason", "object_id", "size", "created_at", "dropped_at"),
)

message_counts = sa.Table(
    "message_counts",
    metadata,
    sa.Column("kind", Text, primary_key=True),
    sa.Column("outcome", Text, primary_key=True),  # see `intake.Outcome`
    _count("messages"),
)

spooled_events = sa.Table(
    "spooled_events",
    metadata,
    sa.Column("event_id", sa.LargeBinary, primary_key=True),  # see `spooling.event_id`
    sa.Column("spooled_at", UtcDateTime, nullable=False),
    sa.Index(None, "spooled_at"),
)

rule_values = sa.Table(
    "rule_values",
    metadata,
    sa.Column("key", Text, primary_key=True),
    sa.Column("event_time", UtcDateTime, primary_key=True),
    sa.Column("event_id", BinaryText, primary_key=True),
    sa.Column("value", Json, nullable=False),
    sa.Column("expires_at", UtcDateTime, nullable=False),
    sa.Index(None, "event_time"),
)

rule_packs = sa.Table(
    "rule_packs",
    metadata,
    sa.Column("version", Text, primary_key=True),  # see `batches.rules_version`
    sa.Column("first_used_at", UtcDateTime, nullable=False),
    sa.Column("rules", Json, nullable=False),  # of each enabled one by its id: [version, [log types]]
)

digests = sa.Table(
    "digests",
    metadata,
    sa.Column("object_id", Id, sa.ForeignKey("log_objects.id"), primary_key=True, autoincrement=False),
    sa.Column("integration", Text, nullable=False),
    sa.Column("bucket", Text, nullable=False),
    sa.Column("key", Text, nullable=False),
    sa.Column("folder", Text, nullable=False),  # of the logs that it lists: a trail's account and region
    sa.Column("backfill", sa.Boolean, nullable=False),  # adds what regular ones have missed
    sa.Column("start_at", UtcDateTime, nullable=False),
    sa.Column("end_at", UtcDateTime, nullable=False),
    sa.Column("files", sa.Integer, nullable=False),
    sa.Column("state", Text, nullable=False),  # its signature's: valid, invalid, unchecked; or unreadable
    sa.Column("why", Text, nullable=False, server_default=""),
    sa.Column("read_at", UtcDateTime, nullable=False),
    sa.Index(None, "end_at"),
    sa.Index(None, "folder", "end_at"),
)

digest_files = sa.Table(
    "digest_files",
    metadata,
    sa.Column("digest_id", Id, sa.ForeignKey("digests.object_id", ondelete="CASCADE"), primary_key=True),
    sa.Column("bucket", Text, primary_key=True),
    sa.Column("key", Text, primary_key=True),
    sa.Column("sha256", Text, nullable=False),  # of the uncompressed content
    sa.Index(None, "bucket", "key"),
)

batch_figures = sa.Table(
    "batch_figures",
    metadata,
    sa.Column("batch_id", Text, primary_key=True),  # or the unit of a correlation rule's hour
    sa.Column("step", Text, primary_key=True),  # see `figures.Step`
    sa.Column("figures", sa.LargeBinary, nullable=False),  # its share of `figure_totals`, see `store.figures`
)

figure_totals = sa.Table(
    "figure_totals",
    metadata,
    sa.Column("name", Text, primary_key=True),
    sa.Column("labels", Text, primary_key=True),  # a JSON list
    sa.Column("value", sa.Double, nullable=False),
    sa.Column("since", UtcDateTime, nullable=False),
)


def column_names(table: sa.Table) -> list[str]:
    """A table's column names in order."""
    return [str(column.name) for column in table.columns]


def as_values(row: Any, table: sa.Table) -> dict[str, Any]:
    """A row as a plain dict of the table's columns."""
    return {name: row[name] for name in column_names(table)}
