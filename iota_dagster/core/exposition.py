"""The figures as Prometheus reads them: a collector over the store, the queue and whatever else is asked.

Each scrape costs the store some queries, so an answer is kept: for some seconds, and for twenty times as long as it
took, so that collecting never takes more than a twentieth of the time, however large the store and whoever scrapes.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from iota_dagster.core import metrics
from iota_dagster.core.aws.queue import SqsQueue
from iota_dagster.core.errors import IotaError
from iota_dagster.core.figures import Series, bound_text
from iota_dagster.core.metrics import FAMILIES, MOST_SERIES, OTHER, Family, Kind, family_of
from iota_dagster.core.store import figures, gauges
from iota_dagster.core.store.database import Database

Samples = Mapping[Series, float]
Source = Callable[[], Samples]
"""Gives samples, by sample name and labels; an error that it raises leaves its samples out."""
KEEP_SECONDS = 5.0
_SHARE = 20
_log = logging.getLogger(__name__)


class FiguresCollector(Collector):
    """Collects all families from some sources; safe to be scraped by several at once, who then share one answer."""

    def __init__(self, sources: Sequence[Source], clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` counts seconds."""
        self._sources, self._clock = sources, clock
        self._lock = threading.Lock()
        self._known: list[Metric] = []
        self._valid_until = float("-inf")

    def describe(self) -> Iterable[Metric]:
        """Nothing: registering must not ask the store."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Every family that has samples."""
        with self._lock:
            started = self._clock()
            if started >= self._valid_until:
                samples = self._ask()
                took = self._clock() - started
                self._known = exposed(samples | {(metrics.COLLECT_SECONDS.name, ()): took})
                self._valid_until = started + took + max(KEEP_SECONDS, _SHARE * took)
            known = self._known
        yield from known

    def _ask(self) -> dict[Series, float]:
        samples: dict[Series, float] = {}
        for source in self._sources:
            try:
                samples |= source()
            except Exception as error:  # what one source lacks must not hide the others
                _log.warning("%s: %s", type(error).__name__, error)
        return samples


def from_store(database: Database, bloom_capacity: int, clock: Callable[[], datetime] | None = None) -> Source:
    """All that the store knows, read in one snapshot; a store that does not answer is a sample as well."""
    now = clock or (lambda: datetime.now(UTC))

    def read() -> Samples:
        try:
            database.migrate()
            with database.read() as connection:
                found = bounded(figures.totals(connection)) | gauges.gauges(connection, now(), bloom_capacity)
        except IotaError as error:
            _log.warning("the figures of the store are left out: %s", error)
            return {(metrics.STORE_UP.name, ()): 0}
        return {**found, (metrics.STORE_UP.name, ()): 1}

    return read


def from_queue(open_queue: Callable[[], SqsQueue]) -> Source:
    """How full the queue is; its client's time-outs say how long that may take."""

    def read() -> Samples:
        try:
            depth = open_queue().depth()
        except IotaError as error:
            _log.warning("the queue's depth is left out: %s", error)
            return {(metrics.QUEUE_UP.name, ()): 0}
        name = metrics.QUEUE_DEPTH.name
        return {
            (metrics.QUEUE_UP.name, ()): 1,
            (name, ("waiting",)): depth.waiting,
            (name, ("in_flight",)): depth.in_flight,
        }

    return read


def bounded(totals: Iterable[figures.Total], most: int = MOST_SERIES) -> dict[Series, float]:
    """The totals with so many label sets a family: the first ones (by `since`) stay, the others are summed up."""
    seen: dict[str, set[tuple[str, ...]]] = {}
    samples: dict[Series, float] = {}
    for total in totals:
        if (family := family_of(total.name)) is None:  # another version's
            continue
        own, rest = total.labels[: len(family.labels)], total.labels[len(family.labels) :]
        known = seen.setdefault(family.name, set())
        if own not in known and len(known) >= most:
            own = (OTHER,) * len(own)
        else:
            known.add(own)
        key = total.name, (*own, *rest)
        samples[key] = samples.get(key, 0.0) + total.value
    return samples


def exposed(samples: Samples) -> list[Metric]:
    """Samples as families in their order; one without samples is left out."""
    by_family: dict[str, dict[Series, float]] = {}
    for series, value in samples.items():
        family = family_of(series[0])
        assert family is not None, f"{series[0]} is no metric of ours"
        by_family.setdefault(family.name, {})[series] = value
    return [_metric(family, by_family[family.name]) for family in FAMILIES if family.name in by_family]


def _metric(family: Family, samples: Samples) -> Metric:
    if family.kind is Kind.HISTOGRAM:
        return _histogram(family, samples)
    made: CounterMetricFamily | GaugeMetricFamily
    if family.kind is Kind.COUNTER:
        made = CounterMetricFamily(family.name, family.help, labels=family.labels)
    else:
        made = GaugeMetricFamily(family.name, family.help, labels=family.labels)
    for (_, labels), value in sorted(samples.items()):
        made.add_metric(labels, value)
    return made


def _histogram(family: Family, samples: Samples) -> Metric:
    made = HistogramMetricFamily(family.name, family.help, labels=family.labels)
    own = len(family.labels)
    for labels in sorted({labels[:own] for _, labels in samples}):
        counts = {key[1][own]: value for key, value in samples.items() if key[1][:own] == labels and key[1][own:]}
        total = samples.get((f"{family.name}_sum", labels), 0.0)
        made.add_metric(labels, _cumulated(family, counts), total)
    return made


def _cumulated(family: Family, counts: Mapping[str, float]) -> list[tuple[str, float]]:
    """Buckets as Prometheus wants them: by upper bound, each with all below it."""
    bounds = [bound_text(bound) for bound in (*family.buckets, float("inf"))]
    return list(zip(bounds, accumulate(counts.get(bound, 0.0) for bound in bounds), strict=True))
