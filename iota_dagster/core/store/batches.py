"""Batches: claim, attempt, split, and the marks that finish them. The commit itself is in `commit.py`.

Every function takes the connection of a write transaction and is safe when several processes call it at once: what one
takes, the other does not see. No lock outlives a transaction and no lease expires; a batch that is taken over while its
first owner still works is prepared twice and committed once.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from iota_dagster.core.errors import ObjectError
from iota_dagster.core.hours import Hour
from iota_dagster.core.model import Batch, BatchStatus, LogObject, ObjectStatus
from iota_dagster.core.store import ledger
from iota_dagster.core.store.database import chunked, insert_ignore
from iota_dagster.core.store.schema import batches, claims, log_objects, quarantine, run_batches

DEAD_RUNS = 2
"""After so many runs that died while preparing a batch it is split, down to one object, which is quarantined."""
POISON = "poison"


@dataclass(frozen=True, slots=True)
class RunIdentity:
    """Who works: the root run (shared by its retries) and this very process."""

    root: str
    owner: str


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


def new_batch_id() -> str:
    """A new batch's id: sorts by nothing, collides with nothing, fits a file name."""
    return uuid.uuid4().hex[:20]


def _as_batch(connection: sa.Connection, row: sa.RowMapping) -> Batch:
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
    return _as_batch(connection, row)


def assignments(connection: sa.Connection, root_run: str, hours: Sequence[Hour]) -> list[Assignment]:
    """What a run has claimed in the given delivery hours, oldest first; resuming a run reads the same list."""
    rows = connection.execute(
        sa.select(batches, run_batches.c.mode, run_batches.c.revision.label("assigned"))
        .join(run_batches, run_batches.c.batch_id == batches.c.id)
        .where(run_batches.c.root_run == root_run, batches.c.delivery_hour.in_(hours))
        .order_by(batches.c.delivery_hour, batches.c.created_at, batches.c.id)
    ).mappings()
    return [
        Assignment(_as_batch(connection, row), row["mode"] == "redo" and row["assigned"] == row["revision"])
        for row in rows.all()
    ]


def has_claimed(connection: sa.Connection, root_run: str, hours: Sequence[Hour]) -> bool:
    """Whether a run has claimed in one of the hours, be it that there was nothing to claim."""
    query = sa.select(claims.c.hour).where(claims.c.root_run == root_run, claims.c.hour.in_(hours)).limit(1)
    return connection.execute(query).first() is not None


def batches_of_hours(connection: sa.Connection, hours: Sequence[Hour]) -> list[Batch]:
    """Every committed batch of the given delivery hours: what a downstream asset works on when it runs alone."""
    rows = connection.execute(
        sa.select(batches)
        .where(batches.c.delivery_hour.in_(hours), batches.c.status.in_((BatchStatus.COMMITTED, BatchStatus.DONE)))
        .order_by(batches.c.delivery_hour, batches.c.created_at, batches.c.id)
    ).mappings()
    return [_as_batch(connection, row) for row in rows.all()]


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
    for members in _cut(_pending(connection, hour), limits):
        _open_batch(connection, hour, run, members, now)


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


def _pending(connection: sa.Connection, hour: Hour) -> list[LogObject]:
    c = log_objects.c
    rows = connection.execute(
        sa.select(log_objects)
        .where(c.delivery_hour == hour, c.status == ObjectStatus.PENDING)
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


def _open_batch(
    connection: sa.Connection,
    hour: Hour,
    run: RunIdentity,
    members: Sequence[LogObject],
    now: datetime,
    attempts: int = 0,
) -> str:
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


def begin_attempt(connection: sa.Connection, batch: Batch, run: RunIdentity, now: datetime) -> list[Batch]:
    """Count an attempt at preparing an open batch; the batches that take its place.

    Normally the batch itself. When too many runs died over it: its two halves, each of them one death from being
    split again, whose attempts begin when their turn comes (one that is not reached must not be blamed for it); or
    nothing, when one object was left and went to quarantine.
    """
    connection.execute(
        sa.update(batches)
        .where(batches.c.id == batch.id, batches.c.status == BatchStatus.OPEN)
        .values(attempts=batches.c.attempts + 1, owner=run.owner, heartbeat_at=now)
    )
    current = load(connection, batch.id)
    if current.status is not BatchStatus.OPEN or current.attempts <= DEAD_RUNS:
        return [current]
    return _split(connection, current, run, now)


def forgive_attempt(connection: sa.Connection, batch_id: str) -> None:
    """Take back an attempt that ended by an outage or an error that was raised, not by a dead process."""
    unfinished = batches.c.status.in_((BatchStatus.OPEN, BatchStatus.DONE)) & (batches.c.attempts > 0)
    connection.execute(
        sa.update(batches).where(batches.c.id == batch_id, unfinished).values(attempts=batches.c.attempts - 1)
    )


def begin_redo(connection: sa.Connection, batch: Batch, run: RunIdentity) -> bool:
    """Count an attempt at doing a batch again; False when too many runs died over it, and it is left as it is."""
    here = (batches.c.id == batch.id) & (batches.c.revision == batch.revision) & (batches.c.status == BatchStatus.DONE)
    connection.execute(sa.update(batches).where(here).values(attempts=batches.c.attempts + 1))
    current = load(connection, batch.id)
    if current.revision == batch.revision and current.attempts > DEAD_RUNS:
        give_up_redo(connection, run, batch.id, f"{current.attempts - 1} runs died while they did it again")
        return False
    return True


def _split(connection: sa.Connection, batch: Batch, run: RunIdentity, now: datetime) -> list[Batch]:
    connection.execute(sa.update(batches).where(batches.c.id == batch.id).values(status=BatchStatus.SPLIT))
    members = batch.objects
    if len(members) == 1:
        _quarantine_poison(connection, batch, members[0], now)
        return []
    middle = len(members) // 2
    halves = []
    for half in (members[:middle], members[middle:]):
        batch_id = _open_batch(connection, batch.delivery_hour, run, half, now, attempts=DEAD_RUNS - 1)
        halves.append(load(connection, batch_id))
    return halves


def _quarantine_poison(connection: sa.Connection, batch: Batch, item: LogObject, now: datetime) -> None:
    detail = f"{batch.attempts - 1} runs died while they processed it"
    ledger.set_status(connection, [item.id], ObjectStatus.QUARANTINED, detail)
    _quarantine_whole(connection, item, POISON, detail, now)


def _quarantine_whole(connection: sa.Connection, item: LogObject, reason: str, detail: str, now: datetime) -> None:
    connection.execute(
        sa.insert(quarantine).values(
            object_id=item.id, reason=reason, detail=detail, size=item.size, sample=b"", created_at=now
        )
    )


def release(
    connection: sa.Connection, item: LogObject, status: ObjectStatus, error: ObjectError, now: datetime
) -> None:
    """Let one object leave its open batch: it cannot be read."""
    ledger.set_status(connection, [item.id], status, str(error))
    if status is ObjectStatus.QUARANTINED:
        _quarantine_whole(connection, item, error.reason, error.detail, now)


def beat(connection: sa.Connection, batch_ids: Sequence[str], owner: str, now: datetime) -> None:
    """Say that the owner is still at work."""
    connection.execute(
        sa.update(batches).where(batches.c.id.in_(batch_ids), batches.c.owner == owner).values(heartbeat_at=now)
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


def _finish(connection: sa.Connection, batch_id: str, now: datetime) -> None:
    connection.execute(sa.update(batches).where(batches.c.id == batch_id).values(status=BatchStatus.DONE))
    connection.execute(
        sa.update(log_objects)
        .where(log_objects.c.batch_id == batch_id, log_objects.c.status == ObjectStatus.CLAIMED)
        .values(status=ObjectStatus.DONE, done_at=sa.func.coalesce(log_objects.c.done_at, now), error=None)
    )


def ask_again(connection: sa.Connection, batch_ids: Sequence[str], reason: str) -> None:
    """Let done batches wait for being done again by the next run of their hour."""
    for ids in chunked(list(batch_ids)):
        connection.execute(
            sa.update(batches).where(batches.c.id.in_(ids)).values(redo_reason=reason, redo_blocked=None, attempts=0)
        )


def give_up_redo(connection: sa.Connection, run: RunIdentity, batch_id: str, why: str) -> None:
    """A batch could not be done again: nothing changes, and the reason is kept for whoever asks."""
    connection.execute(sa.update(batches).where(batches.c.id == batch_id).values(redo_blocked=why, attempts=0))
    here = (run_batches.c.root_run == run.root) & (run_batches.c.batch_id == batch_id)
    connection.execute(sa.update(run_batches).where(here).values(outcome=why))
