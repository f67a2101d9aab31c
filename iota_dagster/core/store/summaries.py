"""The store in figures: what a command prints when it is done, and what the UI shows of a run and of an hour."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby

import sqlalchemy as sa

from iota_dagster.core.hours import Hour
from iota_dagster.core.model import Alert, ObjectStatus
from iota_dagster.core.store.alerts import as_alert
from iota_dagster.core.store.correlations import LOG_TYPE as CORRELATION
from iota_dagster.core.store.database import chunked
from iota_dagster.core.store.lake_catalog import TableHour
from iota_dagster.core.store.schema import (
    admissions,
    alerts,
    batches,
    deliveries,
    lake_files,
    log_objects,
    matches,
    run_batches,
)

UNREADABLE = frozenset({ObjectStatus.MISSING, ObjectStatus.REFUSED, ObjectStatus.QUARANTINED})
"""The ends of log objects that gave no events and should have."""


_OF_OBJECTS = ("objects", "records", "events", "duplicates", "quarantined")
_O = log_objects.c
_PROCESSED = _O.status.in_((ObjectStatus.DONE, ObjectStatus.QUARANTINED))
_SUMS = [sa.func.coalesce(sa.func.sum(column), 0) for column in (_O.records, _O.rows, _O.duplicates, _O.quarantined)]
BROUGHT = (*_OF_OBJECTS, "matches")
"""The figures of `Brought`."""


def totals(connection: sa.Connection) -> dict[str, int]:
    """The whole store in figures."""
    row = connection.execute(sa.select(sa.func.count(), *_SUMS).select_from(log_objects).where(_PROCESSED)).one()
    found = {name: int(value) for name, value in zip(_OF_OBJECTS, row, strict=True)}
    for name, table in (("matches", matches), ("alerts", alerts)):
        found[name] = connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
    return found


@dataclass(frozen=True, slots=True)
class Brought:
    """What a batch has brought so far: figures by name (`BROUGHT`), and rows in the lake by log type."""

    figures: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)


def brought(connection: sa.Connection, hours: Sequence[Hour]) -> dict[str | None, Brought]:
    """What each batch of some delivery hours has brought; under None, what left its batch because it cannot be read."""
    found: dict[str | None, Brought] = defaultdict(Brought)
    query = sa.select(_O.batch_id, sa.func.count(), *_SUMS).where(_PROCESSED, _O.delivery_hour.in_(hours))
    for batch, *values in connection.execute(query.group_by(_O.batch_id)):
        found[batch].figures.update({name: int(value) for name, value in zip(_OF_OBJECTS, values, strict=True)})
    here = batches.c.delivery_hour.in_(hours)
    m, a = matches.c, admissions.c
    counts = sa.select(m.batch_id, sa.func.count()).join_from(batches, matches, m.batch_id == batches.c.id).where(here)
    for batch, count in connection.execute(counts.group_by(m.batch_id)):
        found[batch].figures["matches"] = count
    rows = sa.select(a.batch_id, a.log_type, sa.func.sum(a.count)).join_from(
        batches, admissions, a.batch_id == batches.c.id
    )
    written = rows.where(here, batches.c.lake_at.is_not(None)).group_by(a.batch_id, a.log_type)
    for batch, log_type, count in connection.execute(written):
        found[batch].rows[log_type] = int(count)
    return dict(found)


def batches_of_run(connection: sa.Connection, root_run: str) -> set[str]:
    """The batches that a run works on, or has worked on."""
    return set(connection.scalars(sa.select(run_batches.c.batch_id).where(run_batches.c.root_run == root_run)))


def correlation_matches(connection: sa.Connection) -> int:
    """How many matches the correlation rules have."""
    query = sa.select(sa.func.count()).select_from(matches).where(matches.c.log_type == CORRELATION)
    return connection.execute(query).scalar_one()


def new_alerts(connection: sa.Connection, since: datetime, batch_ids: Iterable[str]) -> int:
    """How many alerts have come to be since a moment: those with matches of some batches, and of correlation rules."""
    new = sa.select(alerts.c.id).where(alerts.c.created_at >= since)
    found = set(connection.scalars(new.where(alerts.c.log_type == CORRELATION)))
    for ids in chunked(batch_ids):
        mine = sa.exists().where(matches.c.alert_id == alerts.c.id, matches.c.batch_id.in_(ids))
        found.update(connection.scalars(new.where(mine)))
    return len(found)


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


def outbox(connection: sa.Connection, configured: Collection[str]) -> dict[str, int]:
    """Deliveries that have not arrived: on their way, given up, and given up of a name that is not `configured`."""
    c = deliveries.c
    query = sa.select(c.status, c.destination, sa.func.count()).where(c.status != "sent")
    count = Counter[str]()
    for status, destination, number in connection.execute(query.group_by(c.status, c.destination)):
        given_up = "failed" if destination in configured else "unconfigured"
        count[given_up if status == "failed" else "waiting"] += int(number)
    return {name: count[name] for name in ("waiting", "failed", "unconfigured")}
