"""Claims: what a run takes upon itself in a delivery hour.

Every function takes the connection of a write transaction and is safe when several processes call it at once: what one
takes, the other does not see. No lock outlives a transaction and no lease expires; a batch that is taken over while its
first owner still works is prepared twice and committed once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from iota_dagster.core.hours import Hour
from iota_dagster.core.model import Batch, BatchStatus, LogObject, ObjectStatus
from iota_dagster.core.store import ledger
from iota_dagster.core.store.batches import RunIdentity, as_batch, new_batch_id
from iota_dagster.core.store.database import chunked, insert_ignore
from iota_dagster.core.store.schema import batches, claims, log_objects, run_batches


@dataclass(frozen=True, slots=True)
class ClaimLimits:
    """How much one batch may hold."""

    objects: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Assignment:
    """One batch that a run has to bring to its end; `redo` when it was done before."""

    batch: Batch
    redo: bool

    @property
    def needs_objects(self) -> bool:
        """Whether its objects have to be read: it is open, or done and to be done again."""
        return self.redo or self.batch.status is BatchStatus.OPEN


IsAlive = Callable[[str, datetime], bool]
"""(owner, last heartbeat) → whether that process may still be working."""


def assignments(connection: sa.Connection, root_run: str, hours: Sequence[Hour]) -> list[Assignment]:
    """What a run has claimed in the given delivery hours, oldest first; resuming a run reads the same list."""
    rows = connection.execute(
        sa.select(batches, run_batches.c.mode, run_batches.c.revision.label("assigned"))
        .join(run_batches, run_batches.c.batch_id == batches.c.id)
        .where(run_batches.c.root_run == root_run, batches.c.delivery_hour.in_(hours))
        .order_by(batches.c.delivery_hour, batches.c.created_at, batches.c.id)
    ).mappings()
    return [
        Assignment(as_batch(connection, row), row["mode"] == "redo" and row["assigned"] == row["revision"])
        for row in rows.all()
    ]


def has_claimed(connection: sa.Connection, root_run: str, hours: Sequence[Hour]) -> bool:
    """Whether a run has claimed in one of the hours, be it that there was nothing to claim."""
    query = sa.select(claims.c.hour).where(claims.c.root_run == root_run, claims.c.hour.in_(hours)).limit(1)
    return connection.execute(query).first() is not None


def claim(
    connection: sa.Connection,
    hour: Hour,
    run: RunIdentity,
    *,
    limits: ClaimLimits,
    now: datetime,
    is_alive: IsAlive,
    again: bool = False,
) -> None:
    """Assign to a run what a delivery hour has to do.

    Unfinished batches whose owner is dead, batches that wait to be done again (all done ones with `again`), and new
    batches of the pending objects. The run then reads `assignments`.
    """
    connection.execute(insert_ignore(connection, claims), {"root_run": run.root, "hour": hour, "claimed_at": now})
    for row in _unfinished(connection, hour):
        if row["owner"] == run.owner or not is_alive(row["owner"], row["heartbeat_at"]):
            _take_over(connection, row, run, now)
    for row in _to_do_again(connection, hour, again):
        _own(connection, row["id"], run, now)
        _assign(connection, run, row["id"], "redo", row["revision"])
    for members in _cut(_pending(connection, hour, now), limits):
        open_batch(connection, hour, run, members, now)


def _unfinished(connection: sa.Connection, hour: Hour) -> Sequence[sa.RowMapping]:
    statuses = (BatchStatus.OPEN, BatchStatus.COMMITTED)
    return (
        connection.execute(sa.select(batches).where(batches.c.delivery_hour == hour, batches.c.status.in_(statuses)))
        .mappings()
        .all()
    )


def _to_do_again(connection: sa.Connection, hour: Hour, again: bool) -> Sequence[sa.RowMapping]:
    query = sa.select(batches).where(batches.c.delivery_hour == hour, batches.c.status == BatchStatus.DONE)
    if not again:
        query = query.where(batches.c.redo_reason.is_not(None), batches.c.redo_blocked.is_(None))
    return connection.execute(query).mappings().all()


def _take_over(connection: sa.Connection, row: sa.RowMapping, run: RunIdentity, now: datetime) -> None:
    taken = connection.execute(
        sa.update(batches)
        .where(batches.c.id == row["id"], batches.c.owner == row["owner"])
        .values(owner=run.owner, heartbeat_at=now)
    )
    if taken.rowcount == 1:
        _assign(connection, run, row["id"], "new", row["revision"])


def _own(connection: sa.Connection, batch_id: str, run: RunIdentity, now: datetime) -> None:
    """Whoever does a batch again must be its owner, or nobody would take it over when that process dies."""
    mine = {"owner": run.owner, "heartbeat_at": now}
    connection.execute(sa.update(batches).where(batches.c.id == batch_id).values(mine))


def _assign(connection: sa.Connection, run: RunIdentity, batch_id: str, mode: str, revision: int) -> None:
    here = (run_batches.c.root_run == run.root) & (run_batches.c.batch_id == batch_id)
    connection.execute(sa.delete(run_batches).where(here))
    connection.execute(
        sa.insert(run_batches).values(root_run=run.root, batch_id=batch_id, mode=mode, revision=revision)
    )


def _pending(connection: sa.Connection, hour: Hour, now: datetime) -> list[LogObject]:
    rows = connection.execute(
        sa.select(log_objects)
        .where(log_objects.c.delivery_hour == hour, ledger.is_due(now))
        .with_for_update(skip_locked=True)
    ).mappings()
    return sorted(map(ledger.as_log_object, rows), key=ledger.in_order)


def _cut(objects: Sequence[LogObject], limits: ClaimLimits) -> Iterator[list[LogObject]]:
    members: list[LogObject] = []
    size = 0
    for item in objects:
        if members and (len(members) >= limits.objects or size + item.size > limits.bytes):
            yield members
            members, size = [], 0
        members.append(item)
        size += item.size
    if members:
        yield members


def open_batch(
    connection: sa.Connection,
    hour: Hour,
    run: RunIdentity,
    members: Sequence[LogObject],
    now: datetime,
    attempts: int = 0,
) -> str:
    """A new batch of some objects, assigned to a run; its id."""
    batch_id = new_batch_id()
    connection.execute(
        sa.insert(batches).values(
            id=batch_id,
            delivery_hour=hour,
            status=BatchStatus.OPEN,
            attempts=attempts,
            owner=run.owner,
            heartbeat_at=now,
            created_at=now,
        )
    )
    for ids in chunked([item.id for item in members]):
        connection.execute(
            sa.update(log_objects)
            .where(log_objects.c.id.in_(ids))
            .values(status=ObjectStatus.CLAIMED, batch_id=batch_id)
        )
    _assign(connection, run, batch_id, "new", 1)
    return batch_id
