"""What the store holds right now, for `/metrics`; the queries are few, and each reads its table once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

import sqlalchemy as sa

from iota_dagster.core import metrics
from iota_dagster.core.figures import bound_text
from iota_dagster.core.hours import hour_of
from iota_dagster.core.metrics import Family
from iota_dagster.core.model import ObjectStatus
from iota_dagster.core.store import messages, quarantine
from iota_dagster.core.store.schema import admissions, batches, deliveries, lake_files, log_objects

Samples = dict[tuple[str, tuple[str, ...]], float]
"""Values by sample name and labels."""
_RECENT_HOURS = 48


def gauges(connection: sa.Connection, now: datetime, bloom_capacity: int) -> Samples:
    """All of them, and the counters that the store keeps elsewhere than in its figures."""
    found: Samples = {}
    for part in (_ledger(connection), _counted(connection), _lake(connection), _sent(connection)):
        found |= part
    return found | _bloom_fill(connection, now, bloom_capacity)


def _ledger(connection: sa.Connection) -> Samples:
    c = log_objects.c
    newest, oldest = sa.func.max(c.last_modified), sa.func.min(c.registered_at)
    query = sa.select(c.integration, c.status, sa.func.count().label("objects"), newest.label("newest"))
    found: Samples = {}
    for row in connection.execute(query.add_columns(oldest.label("oldest")).group_by(c.integration, c.status)):
        here = (row.integration,)
        found[metrics.LEDGER.name, (*here, row.status)] = row.objects
        if row.newest:
            _keep(found, metrics.LAST_OBJECT, here, row.newest.timestamp(), max)
        if row.status in (ObjectStatus.PENDING, ObjectStatus.CLAIMED):
            _keep(found, metrics.OLDEST_PENDING, here, row.oldest.timestamp(), min)
    return found


def _keep(found: Samples, family: Family, labels: tuple[str, ...], value: float, better: Any) -> None:
    key = family.name, labels
    found[key] = better(found.get(key, value), value)


def _counted(connection: sa.Connection) -> Samples:
    found = _grouped(connection, metrics.BATCHES, batches.c.status)
    found |= _grouped(connection, metrics.OUTBOX, deliveries.c.destination, deliveries.c.status)
    for row in quarantine.counts(connection):
        found[metrics.IN_QUARANTINE.name, (row["reason"],)] = float(row["items"])
    for labels, number in messages.counts(connection).items():
        found[metrics.MESSAGES.name, labels] = number
    return found


def _grouped(connection: sa.Connection, family: Family, *columns: sa.Column[str]) -> Samples:
    rows = connection.execute(sa.select(*columns, sa.func.count()).group_by(*columns))
    return {(family.name, tuple(map(str, labels))): float(count) for *labels, count in rows}


def _lake(connection: sa.Connection) -> Samples:
    c = lake_files.c
    hours = sa.func.count(c.hour.distinct())
    query = sa.select(c.table_name, sa.func.count(), sa.func.sum(c.bytes), hours).group_by(c.table_name)
    families = (metrics.LAKE_STORED_FILES, metrics.LAKE_STORED_BYTES, metrics.PARTITIONS)
    return {
        (family.name, (table,)): float(value)
        for table, *values in connection.execute(query)
        for family, value in zip(families, values, strict=True)
    }


def _sent(connection: sa.Connection) -> Samples:
    """What was sent, which never becomes less, and how long after its alert came to be."""
    c = deliveries.c
    waited = _seconds(connection, c.sent_at, c.created_at)
    within = [sa.func.sum(sa.case((waited <= bound, 1), else_=0)) for bound in metrics.LAG.buckets]
    query = sa.select(c.destination, sa.func.count(), sa.func.sum(waited), *within)
    rows = connection.execute(query.where(c.status == "sent").group_by(c.destination)).all()
    found: Samples = {(metrics.SENT.name, (str(row[0]),)): float(row[1]) for row in rows}
    if rows:
        columns = [sum(column) for column in zip(*(row[1:] for row in rows), strict=True)]
        found |= _histogram(metrics.LAG, ("alert_to_sent",), float(columns[1]), [*columns[2:], columns[0]])
    return found


def _histogram(family: Family, labels: tuple[str, ...], total: float, upto: Sequence[float]) -> Samples:
    """Samples as figures keep them: counts of each bucket alone, from counts of all up to it."""
    bounds = [*family.buckets, float("inf")]
    alone = [upto[0], *(later - earlier for earlier, later in pairwise(upto))]
    found: Samples = {(f"{family.name}_sum", labels): total}
    for bound, count in zip(bounds, alone, strict=True):
        found[f"{family.name}_bucket", (*labels, bound_text(bound))] = float(count)
    return found


def _seconds(connection: sa.Connection, later: sa.Column[Any], earlier: sa.Column[Any]) -> sa.ColumnElement[float]:
    """The time between two columns; never less than nothing."""
    seconds: sa.ColumnElement[Any]
    if connection.dialect.name == "postgresql":
        seconds = sa.extract("epoch", later - earlier)
    else:
        seconds = (sa.func.julianday(later) - sa.func.julianday(earlier)) * 86_400.0
    return sa.case((seconds > 0, seconds), else_=0.0)


def _bloom_fill(connection: sa.Connection, now: datetime, capacity: int) -> Samples:
    c = admissions.c
    recent = c.hour > hour_of(now) - _RECENT_HOURS
    hours = sa.select(c.log_type, sa.func.sum(c.count).label("ids")).where(recent).group_by(c.log_type, c.hour)
    fullest = hours.subquery()
    rows = connection.execute(sa.select(fullest.c.log_type, sa.func.max(fullest.c.ids)).group_by(fullest.c.log_type))
    return {(metrics.BLOOM_FILL.name, (log_type,)): float(ids) / capacity for log_type, ids in rows}
