"""Attempts at a batch: counted before the work begins, so that even a process that is killed has counted its own."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from iota_dagster.core.errors import ObjectError
from iota_dagster.core.model import Batch, BatchStatus, LogObject, ObjectStatus
from iota_dagster.core.observability import metrics
from iota_dagster.core.store import figures, ledger
from iota_dagster.core.store.batches import RunIdentity, load
from iota_dagster.core.store.claims import open_batch
from iota_dagster.core.store.schema import batches, log_objects, quarantine, run_batches

DEAD_RUNS = 2
"""After so many runs that died while preparing a batch it is split, down to one object, which is quarantined."""

POISON = "poison"


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


def give_up_redo(connection: sa.Connection, run: RunIdentity, batch_id: str, why: str) -> None:
    """A batch could not be done again: nothing changes, and the reason is kept for whoever asks."""
    connection.execute(sa.update(batches).where(batches.c.id == batch_id).values(redo_blocked=why, attempts=0))
    here = (run_batches.c.root_run == run.root) & (run_batches.c.batch_id == batch_id)
    connection.execute(sa.update(run_batches).where(here).values(outcome=why))


def _split(connection: sa.Connection, batch: Batch, run: RunIdentity, now: datetime) -> list[Batch]:
    connection.execute(sa.update(batches).where(batches.c.id == batch.id).values(status=BatchStatus.SPLIT))
    members = batch.objects
    if len(members) == 1:
        _quarantine_poison(connection, batch, members[0], now)
        return []
    middle = len(members) // 2
    halves = []
    for half in (members[:middle], members[middle:]):
        batch_id = open_batch(connection, batch.delivery_hour, run, half, now, attempts=DEAD_RUNS - 1)
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
    figures.add(connection, {(metrics.QUARANTINED.name, (reason,)): 1}, now)


def open_members(connection: sa.Connection, batch_id: str) -> frozenset[int]:
    """The ids of an open batch's objects; none when it is not open. Both stay so until this transaction ends.

    A twin may have let some go, which belong to other batches by now.
    """
    row = connection.execute(sa.select(batches.c.status).where(batches.c.id == batch_id).with_for_update())
    if row.scalar_one() != BatchStatus.OPEN:
        return frozenset()
    return frozenset(
        connection.execute(sa.select(log_objects.c.id).where(log_objects.c.batch_id == batch_id)).scalars()
    )


def release(
    connection: sa.Connection, item: LogObject, status: ObjectStatus, error: ObjectError, now: datetime
) -> None:
    """Let one object leave its open batch: it cannot be read."""
    ledger.set_status(connection, [item.id], status, str(error))
    if status is ObjectStatus.QUARANTINED:
        _quarantine_whole(connection, item, error.reason, error.detail, now)
