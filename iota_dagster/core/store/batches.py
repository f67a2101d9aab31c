"""Batches as they stand: read, kept alive, published, asked for again. `claims`, `attempts`, `commit` do the rest."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from iota_dagster.core.hours import Hour
from iota_dagster.core.model import Batch, BatchStatus, ObjectStatus
from iota_dagster.core.store import ledger
from iota_dagster.core.store.database import chunked
from iota_dagster.core.store.schema import batches, log_objects, run_batches


@dataclass(frozen=True, slots=True)
class RunIdentity:
    """Who works: the root run (shared by its retries) and this very process."""

    root: str
    owner: str


def new_batch_id() -> str:
    """A new batch's id: sorts by nothing, collides with nothing, fits a file name."""
    return uuid.uuid4().hex[:20]


def as_batch(connection: sa.Connection, row: sa.RowMapping) -> Batch:
    """A row of `batches`, with its members, as a value."""
    return Batch(
        id=row["id"],
        delivery_hour=row["delivery_hour"],
        status=BatchStatus(row["status"]),
        revision=row["revision"],
        attempts=row["attempts"],
        created_at=row["created_at"],
        work=row["work"],
        lake_at=row["lake_at"],
        alerts_at=row["alerts_at"],
        objects=ledger.objects_of(connection, row["id"]),
    )


def load(connection: sa.Connection, batch_id: str) -> Batch:
    """One batch with its members."""
    row = connection.execute(sa.select(batches).where(batches.c.id == batch_id)).mappings().one()
    return as_batch(connection, row)


def batches_of_hours(connection: sa.Connection, hours: Sequence[Hour]) -> list[Batch]:
    """Every committed batch of the given delivery hours: what a downstream asset works on when it runs alone."""
    rows = connection.execute(
        sa.select(batches)
        .where(batches.c.delivery_hour.in_(hours), batches.c.status.in_((BatchStatus.COMMITTED, BatchStatus.DONE)))
        .order_by(batches.c.delivery_hour, batches.c.created_at, batches.c.id)
    ).mappings()
    return [as_batch(connection, row) for row in rows.all()]


def beat(connection: sa.Connection, run: RunIdentity, now: datetime) -> None:
    """Say that a run's owner is still at work, on all of its batches that are not finished.

    A batch that is locked just now is left out: waiting for several at once could end in a deadlock.
    """
    claimed = sa.select(run_batches.c.batch_id).where(run_batches.c.root_run == run.root)
    unfinished = batches.c.status.in_((BatchStatus.OPEN, BatchStatus.COMMITTED)) | (batches.c.attempts > 0)
    mine = sa.select(batches.c.id).where(batches.c.id.in_(claimed), batches.c.owner == run.owner, unfinished)
    connection.execute(
        sa.update(batches).where(batches.c.id.in_(mine.with_for_update(skip_locked=True))).values(heartbeat_at=now)
    )


def mark_published(connection: sa.Connection, batch: Batch, branch: sa.Column[Any], now: datetime) -> bool:
    """Set a branch's mark (`batches.c.lake_at` or `alerts_at`); the later of the two turns the objects done.

    A batch that is done may be published again, which writes the same. False when another revision took its place: the
    caller then undoes its transaction.
    """
    here = (batches.c.id == batch.id) & (batches.c.revision == batch.revision)
    marked = connection.execute(
        sa.update(batches)
        .where(here, batches.c.status.in_((BatchStatus.COMMITTED, BatchStatus.DONE)))
        .values({branch.name: now})
    )
    if marked.rowcount == 0:
        return False
    row = connection.execute(sa.select(batches.c.status, batches.c.lake_at, batches.c.alerts_at).where(here)).one()
    if row.status == BatchStatus.COMMITTED and None not in row:
        _finish(connection, batch.id, now)
    return True


def lock_current(connection: sa.Connection, batch: Batch) -> bool:
    """Whether a committed batch is still the revision that `batch` is; until the transaction ends it stays so."""
    c = batches.c
    here = (c.id == batch.id, c.revision == batch.revision, c.status.in_((BatchStatus.COMMITTED, BatchStatus.DONE)))
    return connection.execute(sa.select(c.id).where(*here).with_for_update()).first() is not None


def _finish(connection: sa.Connection, batch_id: str, now: datetime) -> None:
    connection.execute(sa.update(batches).where(batches.c.id == batch_id).values(status=BatchStatus.DONE))
    connection.execute(
        sa.update(log_objects)
        .where(log_objects.c.batch_id == batch_id, log_objects.c.status == ObjectStatus.CLAIMED)
        .values(
            status=ObjectStatus.DONE,
            done_at=sa.func.coalesce(log_objects.c.done_at, now),
            error=None,
            outages=0,
            retry_at=None,
        )
    )


def left_as_they_are(connection: sa.Connection, root_run: str) -> list[tuple[str, str]]:
    """The batches that a run could not do again, and why."""
    c = run_batches.c
    query = sa.select(c.batch_id, c.outcome).where(c.root_run == root_run, c.outcome.is_not(None)).order_by(c.batch_id)
    return [(batch_id, why) for batch_id, why in connection.execute(query)]


def ask_again(connection: sa.Connection, batch_ids: Sequence[str], reason: str) -> None:
    """Let done batches wait for being done again by the next run of their hour."""
    for ids in chunked(list(batch_ids)):
        connection.execute(
            sa.update(batches).where(batches.c.id.in_(ids)).values(redo_reason=reason, redo_blocked=None, attempts=0)
        )
