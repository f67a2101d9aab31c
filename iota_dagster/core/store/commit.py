"""The one commit point: before it nothing is claimed, after it nothing is given up (DESIGN §4).

One transaction compares and advances the version of every event hour that the batch looked at, so that whatever its
look-ups found still holds, and writes admissions, accounting and quarantine together. Look-ups and files come before it
and hold no lock; who is beaten to an event hour looks up again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa

from iota_dagster.core.dedup.seen import Admission
from iota_dagster.core.errors import IotaError, VersionConflict
from iota_dagster.core.hours import Hour
from iota_dagster.core.model import Batch, BatchStatus, ObjectOutcome, ObjectStatus, QuarantineItem
from iota_dagster.core.store.database import chunked, insert_ignore
from iota_dagster.core.store.schema import admissions, batches, duplicates, event_hours, log_objects, quarantine

EventHour = tuple[str, Hour]
"""(log type, event hour): what admissions, id files and bloom filters are kept by."""


class AlreadyCommitted(Exception):
    """A twin of this run committed the batch first; its work files are the ones to publish."""


class MembersChanged(IotaError):
    """A twin of this run took objects out of the open batch since it was read: decode what is left."""

    retry_helps = True


@dataclass(frozen=True, slots=True)
class HourState:
    """An event hour as a look-up finds it: its version and who admitted ids to it."""

    version: int
    admissions: tuple[Admission, ...]


@dataclass(frozen=True, slots=True)
class Commit:
    """A batch's whole output, ready to be committed.

    `versions` holds every event hour that was looked at, `duplicates` how many records were dropped or set aside for a
    copy that another batch holds, `dropped` the event hours in which this revision no longer yields an id of the last.
    """

    batch: Batch
    redo: bool
    work: str
    outcomes: Sequence[ObjectOutcome]
    quarantine: Sequence[QuarantineItem]
    admissions: Sequence[Admission]
    versions: Mapping[EventHour, int]
    duplicates: Mapping[tuple[str, str, Hour], int] = field(default_factory=dict)
    dropped: frozenset[EventHour] = frozenset()

    @property
    def revision(self) -> int:
        """The revision that this commit makes."""
        return self.batch.revision + 1 if self.redo else self.batch.revision


def hour_states(connection: sa.Connection, keys: Sequence[EventHour]) -> dict[EventHour, HourState]:
    """The current state of some event hours, read in one snapshot."""
    states = {}
    for log_type, hour in keys:
        version = connection.execute(
            sa.select(event_hours.c.version).where(event_hours.c.log_type == log_type, event_hours.c.hour == hour)
        ).scalar()
        rows = connection.execute(
            sa.select(admissions)
            .where(admissions.c.log_type == log_type, admissions.c.hour == hour)
            .order_by(admissions.c.committed_at, admissions.c.batch_id)
        ).mappings()
        states[log_type, hour] = HourState(version or 0, tuple(as_admission(dict(row)) for row in rows))
    return states


def as_admission(row: Mapping[str, object]) -> Admission:
    """A row of `admissions` as a value."""
    return Admission(
        batch_id=str(row["batch_id"]),
        log_type=str(row["log_type"]),
        hour=int(str(row["hour"])),
        file=str(row["file"]),
        sha256=str(row["sha256"]),
        count=int(str(row["count"])),
    )


def admissions_of(connection: sa.Connection, batch_id: str) -> list[Admission]:
    """What a batch has admitted, by its last committed revision."""
    rows = connection.execute(sa.select(admissions).where(admissions.c.batch_id == batch_id)).mappings()
    return [as_admission(dict(row)) for row in rows]


def commit(connection: sa.Connection, change: Commit, now: datetime) -> None:
    """Commit a batch, all or nothing.

    Raises `AlreadyCommitted` when a twin did it, `MembersChanged` when a twin took objects out of the batch,
    `VersionConflict` when a neighbour changed an event hour since it was looked at. Whichever it is, the caller's
    transaction is undone.
    """
    _advance_batch(connection, change, now)
    _check_members(connection, change.batch)
    _advance_hours(connection, change.versions)
    _replace_admissions(connection, change, now)
    _account(connection, change, now)
    _wake_dependants(connection, change)


def _advance_batch(connection: sa.Connection, change: Commit, now: datetime) -> None:
    expected = (BatchStatus.DONE, BatchStatus.COMMITTED) if change.redo else (BatchStatus.OPEN,)
    advanced = connection.execute(
        sa.update(batches)
        .where(
            batches.c.id == change.batch.id,
            batches.c.status.in_(expected),
            batches.c.revision == change.batch.revision,
        )
        .values(
            status=BatchStatus.COMMITTED,
            revision=change.revision,
            attempts=0,
            work=change.work,
            committed_at=now,
            lake_at=None,
            alerts_at=None,
            redo_reason=None,
            redo_blocked=None,
        )
    )
    if advanced.rowcount == 0:
        raise AlreadyCommitted(change.batch.id)


def _check_members(connection: sa.Connection, batch: Batch) -> None:
    """The batch's row is ours by now, so that nobody can take an object out any more (see `attempts.open_members`)."""
    query = sa.select(log_objects.c.id).where(log_objects.c.batch_id == batch.id)
    if set(connection.execute(query).scalars()) != {item.id for item in batch.objects}:
        raise MembersChanged(f"batch {batch.id} has other objects than those that were decoded")


def _advance_hours(connection: sa.Connection, versions: Mapping[EventHour, int]) -> None:
    """Compare and advance, in one order everywhere, so that two commits wait for each other but never deadlock."""
    for (log_type, hour), version in sorted(versions.items()):
        connection.execute(insert_ignore(connection, event_hours), {"log_type": log_type, "hour": hour, "version": 0})
        advanced = connection.execute(
            sa.update(event_hours)
            .where(
                event_hours.c.log_type == log_type,
                event_hours.c.hour == hour,
                event_hours.c.version == version,
            )
            .values(version=version + 1)
        )
        if advanced.rowcount == 0:
            raise VersionConflict(f"{log_type} hour {hour} was changed by another batch; looking up again")


def _replace_admissions(connection: sa.Connection, change: Commit, now: datetime) -> None:
    batch_id = change.batch.id
    connection.execute(sa.delete(admissions).where(admissions.c.batch_id == batch_id))
    connection.execute(sa.delete(duplicates).where(duplicates.c.batch_id == batch_id))
    rows = [
        {
            "batch_id": batch_id,
            "log_type": item.log_type,
            "hour": item.hour,
            "file": item.file,
            "sha256": item.sha256,
            "count": item.count,
            "committed_at": now,
        }
        for item in change.admissions
    ]
    if rows:
        connection.execute(sa.insert(admissions), rows)
    counted = [
        {"batch_id": batch_id, "against": against, "log_type": log_type, "hour": hour, "count": count}
        for (against, log_type, hour), count in change.duplicates.items()
    ]
    if counted:
        connection.execute(sa.insert(duplicates), counted)


def _account(connection: sa.Connection, change: Commit, now: datetime) -> None:
    update = (
        sa.update(log_objects)
        .where(log_objects.c.id == sa.bindparam("b_id"))
        .values(
            {
                column: sa.bindparam(f"b_{column}")
                for column in (
                    "records",
                    "rows",
                    "duplicates",
                    "quarantined",
                    "content_sha256",
                    "content_bytes",
                    "error",
                )
            }
            | {
                "status": sa.case(
                    (log_objects.c.done_at.is_not(None), log_objects.c.status), else_=sa.bindparam("b_status")
                )
            }
        )
    )
    values = [
        {
            "b_id": item.object_id,
            "b_records": item.records,
            "b_rows": item.rows,
            "b_duplicates": item.duplicates,
            "b_quarantined": item.quarantined,
            "b_content_sha256": item.content_sha256,
            "b_content_bytes": item.content_bytes,
            "b_error": item.error,
            "b_status": ObjectStatus.CLAIMED if item.status is ObjectStatus.DONE else item.status,
        }
        for item in change.outcomes
    ]
    if values:
        connection.execute(update, values)
    _replace_quarantine(connection, change, now)


def _replace_quarantine(connection: sa.Connection, change: Commit, now: datetime) -> None:
    for ids in chunked([item.object_id for item in change.outcomes]):
        connection.execute(sa.delete(quarantine).where(quarantine.c.object_id.in_(ids)))
    rows = [
        {
            "object_id": item.object_id,
            "batch_id": change.batch.id,
            "ordinal": item.ordinal,
            "byte_offset": item.byte_offset,
            "reason": item.reason,
            "detail": item.detail,
            "size": item.size,
            "sample": item.sample,
            "created_at": now,
        }
        for item in change.quarantine
    ]
    for part in chunked(rows):
        connection.execute(sa.insert(quarantine), part)


def _wake_dependants(connection: sa.Connection, change: Commit) -> None:
    """Batches that counted a duplicate against an id that is gone must look again, or that event would be lost."""
    if not change.dropped:
        return
    rows = connection.execute(
        sa.select(duplicates.c.batch_id, duplicates.c.log_type, duplicates.c.hour).where(
            duplicates.c.against == change.batch.id, duplicates.c.batch_id != change.batch.id
        )
    )
    waking = sorted({row.batch_id for row in rows if (row.log_type, row.hour) in change.dropped})
    for ids in chunked(waking):
        connection.execute(
            sa.update(batches)
            .where(batches.c.id.in_(ids))
            .values(
                redo_reason=f"batch {change.batch.id} no longer holds events that were counted as its duplicates",
                redo_blocked=None,
            )
        )
