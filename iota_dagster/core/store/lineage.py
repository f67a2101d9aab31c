"""What the store knows of one event's way: log objects, batches and their runs, admissions, matches, alerts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from iota_dagster.core.dedup.seen import Admission
from iota_dagster.core.hours import Hour
from iota_dagster.core.store.commit import EventHour, as_admission
from iota_dagster.core.store.schema import (
    admissions,
    batches,
    claims,
    duplicates,
    event_hours,
    lake_files,
    lake_members,
    log_objects,
    run_batches,
)

NEWEST_OBJECTS = 200_000
"""Of so many the accounts are known: they are in no index."""
_OBJECT = (
    *("id", "bucket", "key", "etag", "version_id", "integration", "account", "region", "kind", "size"),
    *("content_sha256", "delivery_hour", "status", "batch_id", "error", "records", "rows", "duplicates"),
    *("quarantined", "registered_at", "last_modified", "done_at"),
)


@dataclass(frozen=True, slots=True)
class LedgerObject:
    """A log object as the ledger has it; `records = rows + duplicates + quarantined` once it is done."""

    id: int
    bucket: str
    key: str
    etag: str
    version_id: str | None
    integration: str
    account: str | None
    region: str | None
    kind: str
    size: int
    content_sha256: str | None
    delivery_hour: Hour
    status: str
    batch_id: str | None
    error: str | None
    records: int
    rows: int
    duplicates: int
    quarantined: int
    registered_at: datetime
    last_modified: datetime | None
    done_at: datetime | None

    @property
    def place(self) -> str:
        """Bucket and key as one text."""
        return f"{self.bucket}/{self.key}"


@dataclass(frozen=True, slots=True)
class Run:
    """A Dagster run (the first of its retries) that had a batch: when it claimed, and for which revision."""

    root_run: str
    claimed_at: datetime | None
    mode: str
    revision: int
    outcome: str | None


@dataclass(frozen=True, slots=True)
class BatchRecord:
    """A batch with the runs that had it; `attempts` were begun since its last commit, and died or go on."""

    id: str
    delivery_hour: Hour
    status: str
    revision: int
    attempts: int
    owner: str
    created_at: datetime
    heartbeat_at: datetime
    committed_at: datetime | None
    lake_at: datetime | None
    alerts_at: datetime | None
    rules_version: str | None
    redo_reason: str | None
    redo_blocked: str | None
    runs: tuple[Run, ...] = ()


@dataclass(frozen=True, slots=True)
class Against:
    """So many records of `batch_id` were set aside in an event hour, as batch `against` has their events."""

    batch_id: str
    against: str
    log_type: str
    hour: Hour
    count: int


@dataclass(frozen=True, slots=True)
class RowFile:
    """A lake file with rows of a batch: its own, or a compaction's (`source`)."""

    table: str
    hour: Hour
    generation: int
    source: str
    path: str
    rows: int
    bytes: int


def objects_at(connection: sa.Connection, place: str) -> list[LedgerObject]:
    """The log objects at a key, with or without its bucket (and `s3://`) before it; one for each content it had."""
    query = sa.select(*(log_objects.c[name] for name in _OBJECT)).order_by(log_objects.c.id)
    here = log_objects.c
    plain = place.removeprefix("s3://")
    found: list[LedgerObject] = []
    for bucket in _buckets(connection):
        named = next((text for text in (place, plain) if text.startswith(f"{bucket}/")), None)
        keys = [place, named.removeprefix(f"{bucket}/")] if named else [place]
        found += _objects(connection, query.where(here.bucket == bucket, here.key.in_(keys)))
    return found


def objects_of(connection: sa.Connection, ids: Sequence[int]) -> list[LedgerObject]:
    """Log objects by their ids."""
    query = sa.select(*(log_objects.c[name] for name in _OBJECT))
    return _objects(connection, query.where(log_objects.c.id.in_(ids)).order_by(log_objects.c.id))


def object_of_row(connection: sa.Connection, bucket: str, key: str, batch_id: str) -> LedgerObject | None:
    """The log object that a row came from: of a key's contents the one that was in the row's batch."""
    c = log_objects.c
    query = sa.select(*(c[name] for name in _OBJECT))
    here = (c.bucket == bucket, c.key == key, c.batch_id == batch_id)
    return next(iter(_objects(connection, query.where(*here))), None)


def _objects(connection: sa.Connection, query: sa.Select[Any]) -> list[LedgerObject]:
    return [LedgerObject(**row) for row in connection.execute(query).mappings()]


def _buckets(connection: sa.Connection) -> Iterator[str]:
    """Every bucket, one look into the index each."""
    c = log_objects.c
    query = sa.select(c.bucket).order_by(c.bucket).limit(1)
    bucket = connection.scalar(query)
    while bucket is not None:
        yield bucket
        bucket = connection.scalar(query.where(c.bucket > bucket))


def accounts(connection: sa.Connection) -> list[str]:
    """The accounts that the ledger's newest objects name."""
    c = log_objects.c
    newest = connection.scalar(sa.select(sa.func.max(c.id))) or 0
    recent = (c.id > newest - NEWEST_OBJECTS, c.account.is_not(None))
    return sorted(connection.scalars(sa.select(c.account).where(*recent).distinct()))


def batch(connection: sa.Connection, batch_id: str) -> BatchRecord | None:
    """A batch; None for the owner of matches that is none: a correlation rule's hour, a check."""
    names = [name for name in BatchRecord.__slots__ if name != "runs"]
    query = sa.select(*(batches.c[name] for name in names)).where(batches.c.id == batch_id)
    row = connection.execute(query).mappings().first()
    return BatchRecord(**row, runs=_runs(connection, batch_id, row["delivery_hour"])) if row else None


def _runs(connection: sa.Connection, batch_id: str, hour: Hour) -> tuple[Run, ...]:
    c = run_batches.c
    when = (claims.c.root_run == c.root_run) & (claims.c.hour == hour)
    query = (
        sa.select(c.root_run, claims.c.claimed_at, c.mode, c.revision, c.outcome)
        .select_from(run_batches.outerjoin(claims, when))
        .where(c.batch_id == batch_id)
        .order_by(claims.c.claimed_at, c.root_run)
    )
    return tuple(Run(*row) for row in connection.execute(query))


def files_of(connection: sa.Connection, batch_id: str, hour: Hour | None = None) -> list[RowFile]:
    """The lake files that hold rows of a batch now, of every table; of one event hour if given."""
    f, m = lake_files.c, lake_members.c
    same = (f.table_name == m.table_name) & (f.hour == m.hour) & (f.source == m.source)
    query = (
        sa.select(f.table_name, f.hour, f.generation, f.source, f.path, f.rows, f.bytes)
        .select_from(lake_members.join(lake_files, same))
        .where(m.batch_id == batch_id)
        .order_by(f.table_name, f.hour, f.source)
    )
    rows = connection.execute(query if hour is None else query.where(m.hour == hour))
    return [RowFile(*row) for row in rows]


def duplicates_of(connection: sa.Connection, batch_id: str) -> list[Against]:
    """What a batch set aside for others' rows, and what others set aside for its own."""
    c = duplicates.c
    query = sa.select(c.batch_id, c.against, c.log_type, c.hour, c.count)
    both = sa.or_(c.batch_id == batch_id, c.against == batch_id)
    return [Against(*row) for row in connection.execute(query.where(both).order_by(*c))]


def hours_with_events(connection: sa.Connection, hours: range | None, log_types: Sequence[str]) -> list[EventHour]:
    """The event hours that something was admitted to, the newest first; of some hours and log types if given."""
    c = event_hours.c
    query = sa.select(c.log_type, c.hour).order_by(c.hour.desc(), c.log_type)
    if hours is not None:
        query = query.where(c.hour.between(hours[0], hours[-1]))
    if log_types:
        query = query.where(c.log_type.in_(log_types))
    return [(row.log_type, row.hour) for row in connection.execute(query)]


def admissions_to(connection: sa.Connection, keys: Sequence[EventHour]) -> dict[EventHour, list[Admission]]:
    """Who admitted ids to some event hours, in the order of the hours."""
    found: dict[EventHour, list[Admission]] = {key: [] for key in keys}
    c = admissions.c
    for log_type in sorted({name for name, _ in keys}):
        mine = [hour for name, hour in keys if name == log_type]
        query = sa.select(admissions).where(c.log_type == log_type, c.hour.in_(mine)).order_by(c.batch_id)
        for row in connection.execute(query).mappings():
            found[log_type, row["hour"]].append(as_admission(dict(row)))
    return found


def admitted_hours(connection: sa.Connection, batch_id: str) -> list[EventHour]:
    """The event hours that a batch admitted ids to."""
    c = admissions.c
    return [
        (row.log_type, row.hour)
        for row in connection.execute(sa.select(c.log_type, c.hour).where(c.batch_id == batch_id))
    ]
