"""The store at a glance: what is late, what waits, what failed. Few queries, each by an index or over small tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from iota_dagster.core.detection.rule_errors import PREFIX
from iota_dagster.core.hours import Hour
from iota_dagster.core.model import Alert, BatchStatus, ObjectStatus
from iota_dagster.core.store import ledger
from iota_dagster.core.store.alerts import as_alert
from iota_dagster.core.store.claims import IsAlive
from iota_dagster.core.store.database import chunked
from iota_dagster.core.store.schema import (
    alerts,
    batches,
    claims,
    deliveries,
    hour_requests,
    log_objects,
    quarantine,
)

_WAITING = ("pending", "sending")
_MOST_ITEMS = 50_000
_UNFINISHED = (BatchStatus.OPEN, BatchStatus.COMMITTED)


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits: objects by status, since when, how many of them for an outage to pass, and unfinished batches."""

    pending: int = 0
    claimed: int = 0
    oldest: datetime | None = None
    after_outage: int = 0
    open_batches: int = 0
    committed_batches: int = 0
    to_do_again: int = 0


@dataclass(frozen=True, slots=True)
class Quarantined:
    """What came into quarantine for one reason: whole objects (or messages) and records."""

    reason: str
    objects: int
    records: int


@dataclass(frozen=True, slots=True)
class Failures:
    """What went wrong: objects that cannot be read, unfinished batches that runs died over, redos that were refused."""

    missing: int
    refused: int
    quarantined: int
    dead_attempts: int
    blocked: int
    recent: tuple[Quarantined, ...]


@dataclass(frozen=True, slots=True)
class Outbox:
    """A destination's alerts that have not arrived; `error` is what it answered last.

    Unless `is_configured`, the settings have no destination of that name (any more).
    """

    destination: str
    waiting: int
    failed: int
    oldest: datetime | None
    error: str | None
    is_configured: bool = True


@dataclass(frozen=True, slots=True)
class LastAlert:
    """An alert with the destinations that have it."""

    alert: Alert
    sent_to: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Signs:
    """The last signs of life: a run that a sensor asked for, a claim, a batch's owner; and hours that fail again."""

    requested_at: datetime | None
    claimed_at: datetime | None
    heartbeat_at: datetime | None
    failing_hours: int


def object_counts(connection: sa.Connection) -> dict[tuple[Hour, str], int]:
    """Log objects that are not done, by delivery hour and status: from the index alone."""
    c = log_objects.c
    here = (c.delivery_hour, c.status)
    unfinished = [status for status in ObjectStatus if status is not ObjectStatus.DONE]  # `!=` would read all of it
    query = sa.select(*here, sa.func.count()).where(c.status.in_(unfinished)).group_by(*here)
    return {(hour, status): count for hour, status, count in connection.execute(query)}


def backlog(connection: sa.Connection, counts: Mapping[tuple[Hour, str], int]) -> Backlog:
    """What waits, by the counts of `object_counts`."""
    unfinished = (ObjectStatus.PENDING, ObjectStatus.CLAIMED)
    hours = sorted({hour for hour, status in counts if status in unfinished})
    c = log_objects.c
    waiting = sa.func.sum(sa.case((c.outages > 0, 1), else_=0))
    query = sa.select(sa.func.min(c.registered_at), waiting).where(c.status.in_(unfinished))
    parts = [connection.execute(query.where(c.delivery_hour.in_(part))).one() for part in chunked(hours)]
    b = batches.c
    open_ones = sa.select(b.status, sa.func.count()).where(b.status.in_(_UNFINISHED)).group_by(b.status)
    by_status = {row[0]: row[1] for row in connection.execute(open_ones)}
    totals = by_object_status(counts)
    return Backlog(
        pending=totals[ObjectStatus.PENDING],
        claimed=totals[ObjectStatus.CLAIMED],
        oldest=min((moment for moment, _ in parts if moment), default=None),
        after_outage=sum(int(count or 0) for _, count in parts),
        open_batches=by_status.get(BatchStatus.OPEN, 0),
        committed_batches=by_status.get(BatchStatus.COMMITTED, 0),
        to_do_again=connection.scalar(sa.select(sa.func.count()).where(ledger.is_to_do_again())) or 0,
    )


def by_object_status(counts: Mapping[tuple[Hour, str], int]) -> Counter[str]:
    """The sums over all hours."""
    totals: Counter[str] = Counter()
    for (_, status), count in counts.items():
        totals[status] += count
    return totals


def failures(
    connection: sa.Connection, counts: Mapping[tuple[Hour, str], int], since: datetime, is_alive: IsAlive
) -> Failures:
    """What went wrong: objects and batches as they stand, quarantine since a moment."""
    b, totals = batches.c, by_object_status(counts)
    died_over = b.attempts > sa.literal_column("0")  # as the index says it
    begun = sa.select(b.attempts, b.owner, b.heartbeat_at).where(died_over, b.status != BatchStatus.SPLIT)
    rows = connection.execute(begun)
    blocked = sa.select(sa.func.count()).select_from(batches).where(b.redo_blocked.is_not(None))
    return Failures(
        missing=totals[ObjectStatus.MISSING],
        refused=totals[ObjectStatus.REFUSED],
        quarantined=totals[ObjectStatus.QUARANTINED],
        dead_attempts=sum(row.attempts - is_alive(row.owner, row.heartbeat_at) for row in rows),
        blocked=connection.scalar(blocked) or 0,
        recent=tuple(_quarantined(connection, since)),
    )


def _quarantined(connection: sa.Connection, since: datetime) -> list[Quarantined]:
    """By reason; read backwards until the first older item: there is no index by time, and samples are large."""
    c = quarantine.c
    query = sa.select(c.reason, c.ordinal, c.created_at, c.dropped_at).order_by(c.id.desc()).limit(_MOST_ITEMS)
    found: Counter[tuple[str, bool]] = Counter()
    with connection.execution_options(yield_per=500).execute(query) as rows:
        for row in rows:
            if row.created_at < since:
                break
            if row.dropped_at is None:
                found[row.reason, row.ordinal is None] += 1
    return [
        Quarantined(reason, found[reason, True], found[reason, False])
        for reason in sorted({reason for reason, _ in found})
    ]


def outbox(connection: sa.Connection, configured: Collection[str] | None = None) -> list[Outbox]:
    """The destinations that are owed something; `configured` are those of the settings, None where nobody knows."""
    c = deliveries.c
    waiting = c.status.in_(_WAITING)
    query = sa.select(
        c.destination,
        sa.func.sum(sa.case((waiting, 1), else_=0)).label("waiting"),
        sa.func.sum(sa.case((c.status == "failed", 1), else_=0)).label("failed"),
        sa.func.min(sa.case((waiting, c.created_at)), type_=c.created_at.type).label("oldest"),
    ).where(c.status.in_((*_WAITING, "failed")))
    rows = connection.execute(query.group_by(c.destination).order_by(c.destination)).all()
    return [
        Outbox(
            row.destination,
            int(row.waiting),
            int(row.failed),
            row.oldest,
            _last_error(connection, row.destination),
            configured is None or row.destination in configured,
        )
        for row in rows
    ]


def _last_error(connection: sa.Connection, destination: str) -> str | None:
    c = deliveries.c
    owed = (c.destination == destination, c.status.in_((*_WAITING, "failed")), c.error.is_not(None))
    error: str | None = connection.scalar(sa.select(c.error).where(*owed).order_by(c.next_attempt_at.desc()).limit(1))
    return error


def with_destinations(connection: sa.Connection, found: Sequence[Alert]) -> list[LastAlert]:
    """Alerts with the destinations that have them."""
    c = deliveries.c
    query = sa.select(c.alert_id, c.destination).where(c.alert_id.in_([item.id for item in found]), c.status == "sent")
    sent: dict[str, list[str]] = {}
    for row in connection.execute(query.order_by(c.destination)):
        sent.setdefault(row.alert_id, []).append(row.destination)
    return [LastAlert(item, tuple(sent.get(item.id, ()))) for item in found]


def rule_errors(connection: sa.Connection, since: datetime, limit: int) -> list[Alert]:
    """The alerts on failing rules since a moment, the newest first."""
    c = alerts.c
    query = sa.select(alerts).where(c.created_at >= since, c.rule_id.startswith(PREFIX, autoescape=True))
    return [
        as_alert(row) for row in connection.execute(query.order_by(c.created_at.desc(), c.id).limit(limit)).mappings()
    ]


def signs(connection: sa.Connection) -> Signs:
    """The last signs of life."""
    h, b = hour_requests.c, batches.c
    beating = b.status.in_(_UNFINISHED)
    requested = connection.execute(
        sa.select(sa.func.max(h.requested_at), sa.func.sum(sa.case((h.failures > 0, 1), else_=0)))
    ).one()
    return Signs(
        requested_at=requested[0],
        claimed_at=connection.scalar(sa.select(sa.func.max(claims.c.claimed_at))),
        heartbeat_at=connection.scalar(sa.select(sa.func.max(b.heartbeat_at)).where(beating)),
        failing_hours=int(requested[1] or 0),
    )
