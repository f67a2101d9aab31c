"""How the installation stands right now, from the store alone: what `iota status` shows."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from iota_dagster.core.batch.owner import is_alive
from iota_dagster.core.completeness.freshness import Rhythm, rhythm
from iota_dagster.core.hours import hour_of
from iota_dagster.core.model import Alert
from iota_dagster.core.store import pace
from iota_dagster.core.store import status as store
from iota_dagster.core.store.alerts import list_alerts
from iota_dagster.core.store.database import Database
from iota_dagster.core.store.pace import BatchLag, Throughput
from iota_dagster.core.store.status import Backlog, Failures, LastAlert, Outbox, Signs

BATCHES = 20
ALERTS = 10
RULES = 5
RECENT = timedelta(hours=24)
RHYTHM_SECONDS = 60
"""How long a learned rhythm is good: it is the one thing that reads two weeks of objects."""


@dataclass(frozen=True, slots=True)
class Lag:
    """How long something took over the last batches; None where no batch says."""

    batches: int
    median_seconds: float | None
    worst_seconds: float | None


@dataclass(frozen=True, slots=True)
class Source:
    """An integration: its last log and event, and from when on its silence is news (None: no rhythm is known yet)."""

    integration: str
    last_object: datetime | None
    last_event: datetime | None
    silent_from: datetime | None
    is_silent: bool


@dataclass(frozen=True, slots=True)
class Status:
    """One moment of an installation."""

    at: datetime
    event_to_committed: Lag
    delivered_to_committed: Lag
    last_batches: tuple[BatchLag, ...]
    backlog: Backlog
    failures: Failures
    sources: tuple[Source, ...]
    last_hour: Throughput
    alerts: tuple[LastAlert, ...]
    outbox: tuple[Outbox, ...]
    rule_errors: tuple[Alert, ...]
    signs: Signs


@dataclass(slots=True)
class StatusReader:
    """Looks at a store again and again; `integrations` are those of the settings, others are found by their events.

    `destinations` are those of the settings, too.
    """

    database: Database
    integrations: Sequence[str]
    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    destinations: Collection[str] | None = None
    _rhythms: dict[str, tuple[datetime, Rhythm | None]] = field(default_factory=dict)

    def look(self) -> Status:
        """How it stands now: one snapshot of the store."""
        now = self.clock()
        with self.database.read() as connection:
            counts = store.object_counts(connection)
            lags = pace.last_batches(connection, BATCHES)
            return Status(
                at=now,
                event_to_committed=_lag([item.event_to_committed for item in lags]),
                delivered_to_committed=_lag([item.delivered_to_committed for item in lags]),
                last_batches=tuple(lags),
                backlog=store.backlog(connection, counts),
                failures=store.failures(connection, counts, now - RECENT, is_alive),
                sources=tuple(self._sources(connection, now)),
                last_hour=pace.throughput(connection, now - timedelta(hours=1)),
                alerts=tuple(store.with_destinations(connection, list_alerts(connection, ALERTS))),
                outbox=tuple(store.outbox(connection, self.destinations)),
                rule_errors=tuple(store.rule_errors(connection, now - RECENT, RULES)),
                signs=store.signs(connection),
            )

    def _sources(self, connection: sa.Connection, now: datetime) -> list[Source]:
        events = pace.last_events(connection)
        names = dict.fromkeys((*self.integrations, *sorted(events)))
        return [self._source(connection, name, events.get(name), now) for name in names]

    def _source(self, connection: sa.Connection, name: str, last_event: datetime | None, now: datetime) -> Source:
        last = pace.last_object(connection, name, hour_of(now) + 1)
        rhythm = self._rhythm(connection, name, now) if last else None
        silent_from = max(last, rhythm.last) + rhythm.allowed if last and rhythm else None
        return Source(name, last, last_event, silent_from, silent_from is not None and now > silent_from)

    def _rhythm(self, connection: sa.Connection, name: str, now: datetime) -> Rhythm | None:
        known = self._rhythms.get(name)
        if known is None or now - known[0] > timedelta(seconds=RHYTHM_SECONDS):
            known = self._rhythms[name] = now, rhythm(connection, name, now)
        return known[1]


def _lag(found: Sequence[timedelta | None]) -> Lag:
    seconds = [item.total_seconds() for item in found if item is not None]
    if not seconds:
        return Lag(0, None, None)
    return Lag(len(seconds), statistics.median(seconds), max(seconds))
