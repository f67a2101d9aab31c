"""How fast things go: the lag of the last batches, what an hour brought, and the last that each source wrote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from iota_dagster.core.hours import Hour
from iota_dagster.core.observability import metrics
from iota_dagster.core.observability.figures import Step
from iota_dagster.core.store import figures
from iota_dagster.core.store.completeness import last_hour
from iota_dagster.core.store.database import chunked
from iota_dagster.core.store.schema import (
    batch_figures,
    batches,
    log_objects,
)


@dataclass(frozen=True, slots=True)
class BatchLag:
    """When a batch was committed and published, and how old its newest event and its oldest object were then."""

    batch_id: str
    committed_at: datetime
    rows: int
    newest_event: datetime | None
    delivered: datetime | None
    lake_at: datetime | None
    alerts_at: datetime | None

    @property
    def event_to_committed(self) -> timedelta | None:
        """From the newest event to the commit; never less than nothing."""
        return max(self.committed_at - self.newest_event, timedelta(0)) if self.newest_event else None

    @property
    def delivered_to_committed(self) -> timedelta | None:
        """From the delivery of the oldest object to the commit."""
        return max(self.committed_at - self.delivered, timedelta(0)) if self.delivered else None


@dataclass(frozen=True, slots=True)
class Throughput:
    """What was committed since a moment; bytes as they are stored, and unpacked."""

    batches: int
    objects: int
    records: int
    rows: int
    duplicates: int
    bytes: int
    content_bytes: int


def last_batches(connection: sa.Connection, newest: int) -> list[BatchLag]:
    """The batches that were committed last and never done again, the newest first."""
    b, o = batches.c, log_objects.c
    query = sa.select(b.id, b.committed_at, b.lake_at, b.alerts_at).where(b.committed_at.is_not(None), b.revision == 1)
    found = connection.execute(query.order_by(b.committed_at.desc(), b.id).limit(newest)).all()
    ids = [row.id for row in found]
    sums = sa.select(o.batch_id, sa.func.sum(o.rows).label("rows"), sa.func.min(o.last_modified).label("delivered"))
    objects = {row.batch_id: row for row in connection.execute(sums.where(o.batch_id.in_(ids)).group_by(o.batch_id))}
    events = _newest_events(connection, ids)
    return [
        BatchLag(
            row.id,
            row.committed_at,
            int(objects[row.id].rows) if row.id in objects else 0,
            events.get(row.id),
            objects[row.id].delivered if row.id in objects else None,
            row.lake_at,
            row.alerts_at,
        )
        for row in found
    ]


def _newest_events(connection: sa.Connection, ids: Sequence[str]) -> dict[str, datetime]:
    """The time of the newest event of some batches, by their figures."""
    c = batch_figures.c
    query = sa.select(c.batch_id, c.figures).where(c.batch_id.in_(ids), c.step == Step.EVENTS)
    found = {}
    for row in connection.execute(query):
        times = [value for (name, _), value in figures.decoded(row.figures).items() if name == metrics.LAST_EVENT.name]
        if times:
            found[row.batch_id] = datetime.fromtimestamp(max(times), UTC)
    return found


def throughput(connection: sa.Connection, since: datetime) -> Throughput:
    """What was committed since a moment, done again or not."""
    c = log_objects.c
    ids = list(connection.scalars(sa.select(batches.c.id).where(batches.c.committed_at >= since)))
    columns = (c.records, c.rows, c.duplicates, c.size, c.content_bytes)
    sums = sa.select(sa.func.count(), *(sa.func.coalesce(sa.func.sum(column), 0) for column in columns))
    parts = [connection.execute(sums.where(c.batch_id.in_(part))).one() for part in chunked(ids)]
    totals = [sum(map(int, column)) for column in zip(*parts, strict=True)] or [0] * 6
    return Throughput(len(ids), *totals)


def last_events(connection: sa.Connection) -> dict[str, datetime]:
    """The time of the newest event of each integration that anything was read of."""
    name = metrics.LAST_EVENT.name
    return {
        total.labels[0]: datetime.fromtimestamp(total.value, UTC)
        for total in figures.totals(connection)
        if total.name == name
    }


def last_object(connection: sa.Connection, integration: str, until: Hour) -> datetime | None:
    """When an integration's newest log was delivered, else registered."""
    c = log_objects.c
    hour = last_hour(connection, integration, until)
    if hour is None:
        return None
    moment: Any = sa.func.max(sa.func.coalesce(c.last_modified, c.registered_at), type_=c.registered_at.type)
    here = (c.integration == integration, c.kind == "log", c.delivery_hour == hour)
    newest: datetime | None = connection.scalar(sa.select(moment).where(*here))
    return newest
