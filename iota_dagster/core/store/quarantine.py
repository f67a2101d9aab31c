"""The quarantine: what could not be processed, with the reason, countable and replayable.

An item that somebody dropped is shown nowhere and has no sample any more, but its row stays: without it an object's
records would not add up. Doing its batch again makes it a new item if it still cannot be processed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from iota_dagster.core.errors import IotaError
from iota_dagster.core.model import BatchStatus, ObjectStatus
from iota_dagster.core.store import batches as batch_store
from iota_dagster.core.store import ledger
from iota_dagster.core.store import messages as message_store
from iota_dagster.core.store.database import chunked
from iota_dagster.core.store.schema import batches, log_objects, quarantine

_EXPORTED_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class Retry:
    """What a retry asked for: batches to be done again, and objects that are pending again."""

    items: int
    batches: tuple[str, ...]
    objects: int


def counts(connection: sa.Connection) -> list[Mapping[str, Any]]:
    """Items by reason: (reason, items, objects, bytes, newest)."""
    c = quarantine.c
    rows = connection.execute(
        sa.select(
            c.reason,
            sa.func.count().label("items"),
            sa.func.count(c.object_id.distinct()).label("objects"),
            sa.func.sum(c.size).label("bytes"),
            sa.func.max(c.created_at).label("newest"),
        )
        .where(c.dropped_at.is_(None))
        .group_by(c.reason)
        .order_by(c.reason)
    ).mappings()
    return [dict(row) for row in rows]


def items(connection: sa.Connection, reason: str | None = None, limit: int | None = 100) -> list[Mapping[str, Any]]:
    """The newest items, of one reason if asked, each with its object; all of them where there is no limit."""
    query = _with_object().where(_asked_for((), reason)).order_by(quarantine.c.id.desc()).limit(limit)
    return [dict(row) for row in connection.execute(query).mappings()]


def every(
    connection: sa.Connection, *, item_ids: Sequence[int] = (), reason: str | None = None
) -> Iterator[Mapping[str, Any]]:
    """Some items, or all, each with its object and sample, the oldest first; a few are held at a time."""
    last = 0
    while True:
        query = _with_object().where(_asked_for(item_ids, reason), quarantine.c.id > last).order_by(quarantine.c.id)
        rows = connection.execute(query.limit(_EXPORTED_AT_ONCE)).mappings().all()
        if not rows:
            return
        yield from map(dict, rows)
        last = rows[-1]["id"]


def drop(connection: sa.Connection, now: datetime, *, item_ids: Sequence[int] = (), reason: str | None = None) -> int:
    """Give some items up: their samples go; how many."""
    dropped = sa.update(quarantine).where(_asked_for(item_ids, reason)).values(dropped_at=now, sample=b"")
    return connection.execute(dropped).rowcount


def item(connection: sa.Connection, item_id: int) -> Mapping[str, Any]:
    """One item, with its sample; `IotaError` when there is none."""
    require(connection, [item_id])
    return dict(connection.execute(_with_object().where(quarantine.c.id == item_id)).mappings().one())


def require(connection: sa.Connection, item_ids: Sequence[int]) -> None:
    """`IotaError` that names what the quarantine does not have among some items."""
    found = connection.execute(sa.select(quarantine.c.id).where(_asked_for(item_ids, None))) if item_ids else ()
    if unknown := set(item_ids).difference(row.id for row in found):
        names = ", ".join(map(str, sorted(unknown)))
        raise IotaError(f"quarantine has no item {names}: `iota quarantine list` shows what it has")


def retry(connection: sa.Connection, *, item_ids: Sequence[int] = (), reason: str | None = None) -> Retry:
    """Let the objects of some items be processed again: the batch they belong to is done again, whole.

    An object that belongs to no batch any more (it was given up) is pending again. For messages see `messages`.
    """
    object_ids = _objects(connection, item_ids, reason)
    again: set[str] = set()
    loose: list[int] = []
    for ids in chunked(object_ids):
        rows = connection.execute(
            sa.select(log_objects.c.id, log_objects.c.batch_id, batches.c.status)
            .select_from(log_objects.outerjoin(batches, batches.c.id == log_objects.c.batch_id))
            .where(log_objects.c.id.in_(ids))
        )
        for row in rows:
            if row.batch_id is None:
                loose.append(row.id)
            elif row.status in (BatchStatus.DONE, BatchStatus.COMMITTED):
                again.add(row.batch_id)
    batch_store.ask_again(connection, sorted(again), "quarantine retry")
    ledger.set_status(connection, loose, ObjectStatus.PENDING)
    for ids in chunked(loose):
        connection.execute(sa.delete(quarantine).where(quarantine.c.object_id.in_(ids)))
    return Retry(len(object_ids), tuple(sorted(again)), len(loose))


def messages(connection: sa.Connection, *, item_ids: Sequence[int] = (), reason: str | None = None) -> list[str]:
    """The bodies of queue messages among some items, for `Intake.read_again`."""
    c = quarantine.c
    query = sa.select(c.sample).where(_asked_for(item_ids, reason), c.message.is_not(None)).order_by(c.id)
    return [message_store.body_of(data) for data in connection.execute(query).scalars()]


def blocked(connection: sa.Connection, batch_ids: Sequence[str]) -> list[str]:
    """Why batches that were to be done again were left as they are."""
    query = sa.select(batches.c.redo_blocked).where(batches.c.id.in_(batch_ids), batches.c.redo_blocked.is_not(None))
    return list(connection.execute(query.order_by(batches.c.id)).scalars())


def _asked_for(item_ids: Sequence[int], reason: str | None) -> sa.ColumnElement[bool]:
    asked: sa.ColumnElement[bool] = quarantine.c.dropped_at.is_(None)
    if item_ids:
        asked &= quarantine.c.id.in_(item_ids)
    return asked if reason is None else asked & (quarantine.c.reason == reason)


def _objects(connection: sa.Connection, item_ids: Sequence[int], reason: str | None) -> list[int]:
    c = quarantine.c
    query = sa.select(c.object_id).distinct().where(_asked_for(item_ids, reason), c.object_id.is_not(None))
    return list(connection.execute(query.order_by(c.object_id)).scalars())


def _with_object() -> sa.Select[Any]:
    o = log_objects.c
    return sa.select(quarantine, o.bucket, o.key, o.integration, o.delivery_hour).outerjoin(
        log_objects, log_objects.c.id == quarantine.c.object_id
    )
