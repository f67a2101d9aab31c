"""What the store holds right now, for `/metrics`; the queries are few, and each reads its table once."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from iota_dagster.core.hours import hour_of
from iota_dagster.core.model import ObjectStatus
from iota_dagster.core.observability import metrics
from iota_dagster.core.observability.figures import Figures
from iota_dagster.core.observability.metrics import Family
from iota_dagster.core.store import messages, operations
from iota_dagster.core.store.schema import admissions, batches, deliveries, lake_files, log_objects, quarantine

Samples = dict[tuple[str, tuple[str, ...]], float]
"""Values by sample name and labels."""
_RECENT_HOURS = 48
_UNFINISHED = (ObjectStatus.PENDING, ObjectStatus.CLAIMED)
_DELIVERED = (*_UNFINISHED, ObjectStatus.DONE)
_WAITING = ("pending", "sending")
_DELIVERY_STATUSES = (*_WAITING, "sent", "failed")
_UNCONFIGURED = "unconfigured"
"""How a delivery is counted that was given up and whose destination the settings do not have (any more)."""


@dataclass(frozen=True, slots=True)
class Configured:
    """What the settings say: the names of integrations and destinations, `bloom.capacity_max`."""

    integrations: Collection[str]
    destinations: Collection[str]
    bloom_capacity: int


def unseen(configured: Configured) -> Samples:
    """Noughts for what has not happened yet: in a series that begins with its first burst Prometheus sees no growth."""
    found: Samples = {}
    for name in configured.integrations:
        found[metrics.LAST_OBJECT.name, (name,)] = 0.0
        found |= {(metrics.LEDGER.name, (name, status.value)): 0.0 for status in ObjectStatus}
    for name in configured.destinations:
        found[metrics.SENT.name, (name,)] = 0.0
        found |= {(metrics.OUTBOX.name, (name, status)): 0.0 for status in _DELIVERY_STATUSES}
    for operation in operations.OPERATIONS:
        found |= {(metrics.STORE_OPERATIONS.name, (operation, status)): 0.0 for status in operations.STATUSES}
    return found


def gauges(connection: sa.Connection, now: datetime, configured: Configured) -> Samples:
    """All of them, and the counters that the store keeps elsewhere than in its figures."""
    found = (
        _ledger(connection, configured.integrations)
        | _outbox(connection, configured.destinations)
        | _counted(connection)
    )
    found |= _lake(connection) | _sent(connection)
    return found | _bloom_fill(connection, now, configured.bloom_capacity)


def _ledger(connection: sa.Connection, integrations: Collection[str]) -> Samples:
    """Objects as they stand; when the newest log that could be read was delivered counts where somebody wants logs."""
    c = log_objects.c
    delivered = sa.case((c.kind == "log", sa.func.coalesce(c.last_modified, c.registered_at)))
    newest: Any = sa.func.max(delivered, type_=c.registered_at.type)
    query = sa.select(c.integration, c.status, sa.func.count().label("objects"), newest.label("newest"))
    oldest = sa.func.min(c.registered_at).label("oldest")
    found: Samples = {}
    for row in connection.execute(query.add_columns(oldest).group_by(c.integration, c.status)):
        here = (row.integration,)
        found[metrics.LEDGER.name, (*here, row.status)] = row.objects
        if row.newest and row.status in _DELIVERED and row.integration in integrations:
            _keep(found, metrics.LAST_OBJECT, here, row.newest.timestamp(), max)
        if row.status in _UNFINISHED:
            _keep(found, metrics.OLDEST_PENDING, here, row.oldest.timestamp(), min)
    return found


def _keep(found: Samples, family: Family, labels: tuple[str, ...], value: float, better: Any) -> None:
    key = family.name, labels
    found[key] = better(found.get(key, value), value)


def _outbox(connection: sa.Connection, destinations: Collection[str]) -> Samples:
    """Deliveries as they stand, and since when the oldest one waits."""
    c = deliveries.c
    here = (c.destination, c.status)
    query = sa.select(*here, sa.func.count().label("deliveries"), sa.func.min(c.created_at).label("oldest"))
    found: Samples = {}
    for row in connection.execute(query.group_by(*here)):
        is_owed = row.status != "failed" or row.destination in destinations
        found[metrics.OUTBOX.name, (row.destination, row.status if is_owed else _UNCONFIGURED)] = row.deliveries
        if row.status in _WAITING:
            _keep(found, metrics.OLDEST_DELIVERY, (row.destination,), row.oldest.timestamp(), min)
    return found


def _counted(connection: sa.Connection) -> Samples:
    found = _grouped(connection, metrics.BATCHES, batches.c.status)
    found |= _grouped(connection, metrics.IN_QUARANTINE, quarantine.c.reason, where=quarantine.c.dropped_at.is_(None))
    return found | {(metrics.MESSAGES.name, labels): number for labels, number in messages.counts(connection).items()}


def _grouped(
    connection: sa.Connection, family: Family, column: sa.Column[str], where: sa.ColumnElement[bool] | None = None
) -> Samples:
    query = sa.select(column, sa.func.count()).group_by(column)
    rows = connection.execute(query if where is None else query.where(where))
    return {(family.name, (str(label),)): float(count) for label, count in rows}


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
    c, buckets = deliveries.c, metrics.LAG.buckets
    waited = _seconds(connection, c.sent_at, c.created_at)
    places = sa.case(*((waited <= bound, place) for place, bound in enumerate(buckets)), else_=len(buckets))
    query = sa.select(c.destination, places.label("place"), sa.func.count(), sa.func.sum(waited))
    found = Figures()
    for destination, place, count, seconds in connection.execute(
        query.where(c.status == "sent").group_by(c.destination, "place")
    ):
        found.add(metrics.SENT, destination, value=count)
        found.put(metrics.LAG, ("alert_to_sent",), place, count, float(seconds))
    return found.values


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
