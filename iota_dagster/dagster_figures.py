"""Dagster in figures: how its last runs ended, what they took and waited, and when its daemon last gave a sign."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from iota_dagster.core.observability import metrics
from iota_dagster.core.observability.figure_source import Samples, Source
from iota_dagster.core.observability.figures import Series
from iota_dagster.core.observability.metrics import Family
from iota_dagster.home import find_instance
from iota_dagster.settings import Settings

if TYPE_CHECKING:
    import dagster as dg
    from dagster._daemon.types import DaemonStatus

RUNS = 100
"""How many of the last runs are looked at."""
WITHIN = timedelta(days=1)
"""How old they may be: what failed last week is no news, even where few runs came after it."""
QUANTILES = (0.5, 0.95, 1.0)


def from_dagster(settings: Settings, clock: Callable[[], datetime] | None = None) -> Source:
    """The last runs of Dagster's history and its daemon's heartbeats; nothing where Dagster has never run."""
    now = clock or (lambda: datetime.now(UTC))

    def read() -> Samples:
        instance = find_instance(settings)
        if instance is None:
            return {}
        with instance:
            records, beats = _records(instance, now() - WITHIN), instance.get_daemon_statuses()
        found = _heartbeats(beats)
        for status, count in Counter(item.dagster_run.status.value.lower() for item in records).items():
            found[metrics.RUNS.name, (status,)] = count
        begun = [item for item in records if item.start_time is not None]
        durations = [item.end_time - item.start_time for item in begun if item.end_time and item.start_time]
        waits = [item.start_time - item.create_timestamp.timestamp() for item in begun if item.start_time]
        return found | _quantiles(metrics.RUN_SECONDS, durations) | _quantiles(metrics.RUN_START_SECONDS, waits)

    return Source("dagster", metrics.DAGSTER_UP, read)


def _records(instance: dg.DagsterInstance, since: datetime) -> Sequence[dg.RunRecord]:
    import dagster as dg

    return instance.get_run_records(dg.RunsFilter(created_after=since), limit=RUNS)


def _heartbeats(beats: Mapping[str, DaemonStatus]) -> dict[Series, float]:
    """The last sign of each part of the daemon that has to run; 0 where there was none."""
    required = {part: status.last_heartbeat for part, status in beats.items() if status.required}
    name = metrics.DAEMON_HEARTBEAT.name
    return {(name, (part.lower(),)): beat.timestamp if beat else 0.0 for part, beat in required.items()}


def _quantiles(family: Family, values: Sequence[float]) -> dict[Series, float]:
    if not values:
        return {}
    ordered, last = sorted(values), len(values) - 1
    return {(family.name, (f"{share:g}",)): ordered[min(int(share * len(values)), last)] for share in QUANTILES}
