"""The store in figures: what a command prints when it is done, and what the UI shows of a run and of an hour."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

import sqlalchemy as sa

from iota_dagster.core.hours import Hour
from iota_dagster.core.model import Alert, ObjectStatus
from iota_dagster.core.store import lake_catalog
from iota_dagster.core.store.alerts import as_alert
from iota_dagster.core.store.database import chunked
from iota_dagster.core.store.lake_catalog import TableHour
from iota_dagster.core.store.schema import alerts, batches, deliveries, lake_files, log_objects, matches

UNREADABLE = frozenset({ObjectStatus.MISSING, ObjectStatus.REFUSED, ObjectStatus.QUARANTINED})
"""The ends of log objects that gave no events and should have."""


@dataclass(frozen=True, slots=True)
class Mark:
    """The store's totals at one moment."""

    totals: Mapping[str, int]
    rows: Mapping[str, int]


def mark(connection: sa.Connection) -> Mark:
    """The totals now."""
    c = log_objects.c
    processed = c.status.in_((ObjectStatus.DONE, ObjectStatus.QUARANTINED))
    sums = [sa.func.coalesce(sa.func.sum(column), 0) for column in (c.records, c.rows, c.duplicates, c.quarantined)]
    row = connection.execute(sa.select(sa.func.count(), *sums).select_from(log_objects).where(processed)).one()
    names = ("objects", "records", "events", "duplicates", "quarantined")
    totals = {name: int(value) for name, value in zip(names, row, strict=True)}
    for name, table in (("matches", matches), ("alerts", alerts)):
        totals[name] = connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
    return Mark(totals, lake_catalog.table_rows(connection))


def since(connection: sa.Connection, before: Mark) -> dict[str, Any]:
    """What has been added since a mark; `rows` by lake table, without tables that did not change."""
    now = mark(connection)
    added: dict[str, Any] = {name: value - before.totals[name] for name, value in now.totals.items()}
    rows = {table: count - before.rows.get(table, 0) for table, count in now.rows.items()}
    return added | {"rows": {table: count for table, count in sorted(rows.items()) if count}}


@dataclass(frozen=True, slots=True)
class Oldest:
    """Of some batches' log objects: when the first was delivered to its bucket, and when the first was registered."""

    delivered: datetime | None
    registered: datetime | None


def oldest(connection: sa.Connection, batch_ids: Sequence[str]) -> Oldest:
    """Since when the objects of some batches are on their way; a batch's first revision alone tells that of events."""
    c = log_objects.c
    first = sa.select(sa.func.min(c.last_modified), sa.func.min(c.registered_at))
    rows = [connection.execute(first.where(c.batch_id.in_(ids))).one() for ids in chunked(batch_ids)]
    found = [[moment for moment in column if moment is not None] for column in zip(*rows, strict=True)] or [[], []]
    return Oldest(*(min(moments, default=None) for moments in found))


def hour_objects(connection: sa.Connection, hour: Hour) -> dict[str, int]:
    """A delivery hour's log objects, whatever became of them: all, their bytes, those that wait, those given up."""
    c = log_objects.c
    rows = connection.execute(
        sa.select(c.status, sa.func.count(), sa.func.sum(c.size)).where(c.delivery_hour == hour).group_by(c.status)
    ).all()
    count = Counter({status: objects for status, objects, _ in rows})
    return {
        "objects": count.total(),
        "bytes": sum(int(size) for _, _, size in rows),
        "waiting": count[ObjectStatus.PENDING],
        "unreadable": sum(count[status] for status in UNREADABLE),
    }


@dataclass(frozen=True, slots=True)
class HourAlerts:
    """What the rules found in a delivery hour's events; an alert may have matches of other hours as well."""

    matches: int
    alerts: int
    newest: tuple[Alert, ...]


def hour_alerts(connection: sa.Connection, hour: Hour, newest: int) -> HourAlerts:
    """A delivery hour's matches and the alerts that they belong to, with the alerts found last."""
    found = connection.execute(
        sa.select(matches.c.alert_id, sa.func.count().label("matches"), sa.func.max(alerts.c.created_at).label("since"))
        .join(batches, batches.c.id == matches.c.batch_id)
        .outerjoin(alerts, alerts.c.id == matches.c.alert_id)  # below its rule's threshold a match makes none
        .where(batches.c.delivery_hour == hour)
        .group_by(matches.c.alert_id)
    ).all()
    known = sorted((row for row in found if row.since), key=lambda row: (row.since, row.alert_id), reverse=True)
    ids = [row.alert_id for row in known[:newest]]
    loaded = {}
    if ids:
        rows = connection.execute(sa.select(alerts).where(alerts.c.id.in_(ids))).mappings()
        loaded = {row["id"]: as_alert(row) for row in rows}
    return HourAlerts(sum(row.matches for row in found), len(known), tuple(loaded[name] for name in ids))


@dataclass(frozen=True, slots=True)
class HourFiles:
    """An event hour of a lake table, and the share of it that lies in files of certain batches alone."""

    rows: int
    bytes: int
    files: int
    batch_rows: int
    batch_bytes: int


def table_hours(
    connection: sa.Connection, touched: Iterable[TableHour], batch_ids: Sequence[str]
) -> dict[TableHour, HourFiles]:
    """Some event hours of lake tables as they are now; one without files is all zeros."""
    c = lake_files.c
    mine = c.source.in_(batch_ids)
    sums = (c.rows, c.bytes, sa.literal(1), sa.case((mine, c.rows), else_=0), sa.case((mine, c.bytes), else_=0))
    query = sa.select(c.hour, *(sa.func.sum(column) for column in sums)).group_by(c.hour)
    found: dict[TableHour, HourFiles] = {}
    for table, group in groupby(sorted(set(touched)), key=lambda key: key[0]):
        for hours in chunked(hour for _, hour in group):
            found |= dict.fromkeys(((table, hour) for hour in hours), HourFiles(0, 0, 0, 0, 0))
            for hour, *values in connection.execute(query.where(c.table_name == table, c.hour.in_(hours))):
                found[table, hour] = HourFiles(*map(int, values))
    return found


def outbox(connection: sa.Connection) -> dict[str, int]:
    """Deliveries that have not arrived: those on their way, and those that were given up."""
    c = deliveries.c
    rows = connection.execute(sa.select(c.status, sa.func.count()).where(c.status != "sent").group_by(c.status))
    count = Counter({status: int(number) for status, number in rows})
    return {"waiting": count["pending"] + count["sending"], "failed": count["failed"]}
