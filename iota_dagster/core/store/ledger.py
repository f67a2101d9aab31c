"""The ledger of log objects: what was told to us, where it stands, what became of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from iota_dagster.core.hours import Hour
from iota_dagster.core.model import BatchStatus, LogObject, ObjectRef, ObjectStatus
from iota_dagster.core.store.database import chunked, insert_ignore
from iota_dagster.core.store.schema import batches, log_objects


def register(
    connection: sa.Connection,
    ref: ObjectRef,
    *,
    integration: str,
    delivery_hour: Hour,
    kind: str,
    account: str | None,
    region: str | None,
    now: datetime,
    status: ObjectStatus = ObjectStatus.PENDING,
    error: str | None = None,
) -> bool:
    """Enter an object that was told to us; False when the ledger has (bucket, key, etag) already.

    One that was missing, superseded or refused is pending again, as one of the integration that may read it now:
    whoever names it has seen it. An old notice of an overwritten object costs one GET, after which it is superseded
    again.
    """
    values = {
        "bucket": ref.bucket,
        "key": ref.key,
        "etag": ref.etag or "",
        "version_id": ref.version_id,
        "integration": integration,
        "account": account,
        "region": region,
        "kind": kind,
        "size": ref.size or 0,
        "delivery_hour": delivery_hour,
        "status": status,
        "error": error,
        "registered_at": now,
        "last_modified": ref.last_modified,
    }
    if connection.execute(insert_ignore(connection, log_objects), values).rowcount == 1:
        return True
    c = log_objects.c
    unread = c.status.in_((ObjectStatus.MISSING, ObjectStatus.SUPERSEDED, ObjectStatus.REFUSED))
    whose = {"integration": integration, "account": account, "region": region}
    revived = connection.execute(
        sa.update(log_objects)
        .where(c.bucket == ref.bucket, c.key == ref.key, c.etag == values["etag"], unread)
        .values(status=status, error=error, retry_at=None, outages=0, **whose)
    )
    return revived.rowcount == 1 and status is ObjectStatus.PENDING


def as_log_object(row: sa.RowMapping) -> LogObject:
    """A row of `log_objects` as a value."""
    return LogObject(
        id=row["id"],
        bucket=row["bucket"],
        key=row["key"],
        etag=row["etag"],
        size=row["size"],
        integration=row["integration"],
        account=row["account"],
        region=row["region"],
        delivery_hour=row["delivery_hour"],
        status=ObjectStatus(row["status"]),
        kind=row["kind"],
        content_sha256=row["content_sha256"],
        version_id=row["version_id"],
        first_completion=row["done_at"] is None,
    )


def objects_of(connection: sa.Connection, batch_id: str) -> tuple[LogObject, ...]:
    """A batch's members, in the order that decides which copy of an event is the first."""
    rows = connection.execute(sa.select(log_objects).where(log_objects.c.batch_id == batch_id)).mappings()
    return tuple(sorted(map(as_log_object, rows), key=in_order))


def in_order(item: LogObject) -> tuple[str, str, str]:
    """The order of a batch's objects: by code points, which no database's collation can change."""
    return item.bucket, item.key, item.etag


def is_due(now: datetime) -> sa.ColumnElement[bool]:
    """Which log objects a batch may claim: pending, and not waiting for an outage to pass."""
    c = log_objects.c
    return (c.status == ObjectStatus.PENDING) & (c.retry_at.is_(None) | (c.retry_at <= now))


def is_to_do_again() -> sa.ColumnElement[bool]:
    """Which batches were done and wait to be done again: not those that something has blocked."""
    c = batches.c
    return (c.status == BatchStatus.DONE) & c.redo_reason.is_not(None) & c.redo_blocked.is_(None)


def hours_to_do_again(connection: sa.Connection) -> set[Hour]:
    """The delivery hours of the batches that wait to be done again."""
    return set(connection.execute(sa.select(batches.c.delivery_hour).where(is_to_do_again()).distinct()).scalars())


def pending_hours(connection: sa.Connection, now: datetime, known_at: datetime | None = None) -> list[Hour]:
    """The delivery hours with something to do: objects that are due, unpublished batches, batches to do again.

    With `known_at` only objects count that were known by then.
    """
    due = is_due(now)
    if known_at is not None:
        due &= log_objects.c.registered_at <= known_at
    unfinished = batches.c.status.in_((BatchStatus.OPEN, BatchStatus.COMMITTED)) | is_to_do_again()
    hours = sa.union(
        sa.select(log_objects.c.delivery_hour).where(due),
        sa.select(batches.c.delivery_hour).where(unfinished),
    ).subquery()
    return list(connection.execute(sa.select(hours.c.delivery_hour).order_by(hours.c.delivery_hour)).scalars())


def done_objects(connection: sa.Connection, span: range) -> dict[Hour, int]:
    """The delivery hours of a span that the ledger knows, each with the number of its objects that are done."""
    c = log_objects.c
    processed = c.status.in_((ObjectStatus.DONE, ObjectStatus.QUARANTINED)) & c.batch_id.is_not(None)
    counts = (
        sa.select(c.delivery_hour, sa.func.sum(sa.case((processed, 1), else_=0)))
        .where(c.delivery_hour.between(span[0], span[-1]))
        .group_by(c.delivery_hour)
    )
    return {hour: int(count) for hour, count in connection.execute(counts)}


def waiting_for_an_outage(connection: sa.Connection, now: datetime) -> list[tuple[Hour, str, int]]:
    """What could not be read and is not tried again yet: (delivery hour, why, objects)."""
    c = log_objects.c
    held = (c.status == ObjectStatus.PENDING) & (c.retry_at > now)
    query = sa.select(c.delivery_hour, c.error, sa.func.count()).where(held).group_by(c.delivery_hour, c.error)
    return [(hour, error or "", count) for hour, error, count in connection.execute(query)]


def count_unfinished(connection: sa.Connection) -> int:
    """How many objects are pending or claimed."""
    waiting = log_objects.c.status.in_((ObjectStatus.PENDING, ObjectStatus.CLAIMED))
    return int(connection.execute(sa.select(sa.func.count()).select_from(log_objects).where(waiting)).scalar_one())


def count_accounts(connection: sa.Connection) -> int:
    """Of how many accounts there are objects, as their keys name them."""
    return int(connection.execute(sa.select(sa.func.count(log_objects.c.account.distinct()))).scalar_one())


def set_status(
    connection: sa.Connection, object_ids: Iterable[int], status: ObjectStatus, error: str | None = None
) -> None:
    """Turn objects that leave their batch before its commit: missing, superseded, refused, quarantined, pending."""
    for ids in chunked(list(object_ids)):
        connection.execute(
            sa.update(log_objects).where(log_objects.c.id.in_(ids)).values(status=status, error=error, batch_id=None)
        )


OUTAGE_WAITS = tuple(timedelta(seconds=seconds) for seconds in (15, 30, 60, 120, 300, 600))
"""How long an object waits after its first, second … outage in a row."""


def wait_out(connection: sa.Connection, item: LogObject, why: str, now: datetime) -> None:
    """Let an object leave its batch until an outage may have passed: pending again, but not at once."""
    c = log_objects.c
    outages = int(connection.execute(sa.select(c.outages).where(c.id == item.id)).scalar_one())
    wait = OUTAGE_WAITS[min(outages, len(OUTAGE_WAITS) - 1)]
    connection.execute(
        sa.update(log_objects)
        .where(c.id == item.id)
        .values(status=ObjectStatus.PENDING, error=why, batch_id=None, outages=c.outages + 1, retry_at=now + wait)
    )


def status_counts(connection: sa.Connection) -> list[Mapping[str, Any]]:
    """Per integration and status: objects, bytes and the accounting; what `iota objects` shows."""
    c = log_objects.c
    sums = [
        sa.func.sum(column).label(column.name) for column in (c.size, c.records, c.rows, c.duplicates, c.quarantined)
    ]
    rows = connection.execute(
        sa.select(c.integration, c.status, sa.func.count().label("objects"), *sums)
        .group_by(c.integration, c.status)
        .order_by(c.integration, c.status)
    ).mappings()
    return [
        {key: int(value) if key not in ("integration", "status") else value for key, value in row.items()}
        for row in rows
    ]


def list_objects(
    connection: sa.Connection, status: ObjectStatus | None = None, limit: int | None = 100
) -> list[dict[str, Any]]:
    """The newest objects, of one status if asked; all of them where there is no limit."""
    query = sa.select(log_objects).order_by(log_objects.c.id.desc()).limit(limit)
    if status is not None:
        query = query.where(log_objects.c.status == status)
    return [dict(row) for row in connection.execute(query).mappings()]


def hour_totals(connection: sa.Connection, hour: Hour) -> dict[str, int]:
    """One delivery hour's totals over all committed batches: what the UI plots as `hour_…`."""
    c = log_objects.c
    sums = [
        sa.func.coalesce(sa.func.sum(column), 0).label(column.name)
        for column in (c.size, c.records, c.rows, c.duplicates, c.quarantined)
    ]
    row = (
        connection.execute(
            sa.select(sa.func.count().label("objects"), *sums).where(
                c.delivery_hour == hour, c.content_sha256.is_not(None)
            )
        )
        .mappings()
        .one()
    )
    return {key: int(value) for key, value in row.items()}
