"""Dagster's runs in figures: how the last ones ended, how long they took and how long they waited to begin."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from iota_dagster.core import metrics
from iota_dagster.core.exposition import Samples, Source
from iota_dagster.core.figures import Series
from iota_dagster.core.metrics import Family
from iota_dagster.doctor_checks.daemon import open_instance
from iota_dagster.settings import Settings

RUNS = 100
"""How many of the last runs are looked at."""
QUANTILES = (0.5, 0.95, 1.0)


def from_runs(settings: Settings) -> Source:
    """The last runs of Dagster's history; nothing where Dagster has never run."""

    def read() -> Samples:
        instance = open_instance(settings)
        if instance is None:
            return {}
        with instance:
            records = instance.get_run_records(limit=RUNS)
        found: dict[Series, float] = {}
        for status, count in Counter(item.dagster_run.status.value.lower() for item in records).items():
            found[metrics.RUNS.name, (status,)] = count
        begun = [item for item in records if item.start_time is not None]
        durations = [item.end_time - item.start_time for item in begun if item.end_time and item.start_time]
        waits = [item.start_time - item.create_timestamp.timestamp() for item in begun if item.start_time]
        return found | _quantiles(metrics.RUN_SECONDS, durations) | _quantiles(metrics.RUN_START_SECONDS, waits)

    return read


def _quantiles(family: Family, values: Sequence[float]) -> dict[Series, float]:
    if not values:
        return {}
    ordered, last = sorted(values), len(values) - 1
    return {(family.name, (f"{share:g}",)): ordered[min(int(share * len(values)), last)] for share in QUANTILES}
