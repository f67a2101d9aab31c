"""The figures as Prometheus reads them: a collector over the store, the queue and whatever else is asked."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from iota_dagster.core.aws.queue import SqsQueue
from iota_dagster.core.observability import metrics
from iota_dagster.core.observability.figure_source import KeptSource, Samples, Source
from iota_dagster.core.observability.figures import Series, bound_text
from iota_dagster.core.observability.metrics import FAMILIES, MOST_SERIES, OTHER, Family, Kind, family_of
from iota_dagster.core.store import figures, gauges
from iota_dagster.core.store.database import Database
from iota_dagster.core.store.gauges import Configured
from iota_dagster.core.store.presence import expect_current, expect_file

FIRST_SECONDS, NEXT_SECONDS = 5.0, 1.0
"""How long a scrape waits for a source's first answer, and for a fresher one; Prometheus gives up after ten."""
STORE_KEPT_SECONDS = 60.0


class FiguresCollector(Collector):
    """Collects all families from some sources; safe to be scraped by several at once, who then share the answers."""

    def __init__(
        self,
        sources: Sequence[Source],
        clock: Callable[[], float] = time.monotonic,
        first_seconds: float = FIRST_SECONDS,
        next_seconds: float = NEXT_SECONDS,
    ) -> None:
        """`clock` counts the seconds for which answers are kept; the others are how long a scrape waits for one."""
        self._sources = [KeptSource(source, clock) for source in sources]
        self._first, self._next = first_seconds, next_seconds

    def describe(self) -> Iterable[Metric]:
        """Nothing: registering must not ask the store."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Every family that has samples."""
        asked = time.monotonic()
        for source in self._sources:
            source.refresh()
        samples: dict[Series, float] = {}
        for source in self._sources:
            patience = self._first if source.is_new else self._next
            samples |= source.samples(max(asked + patience - time.monotonic(), 0.0))
        yield from exposed(samples)


def from_store(url: str, configured: Configured, clock: Callable[[], datetime] | None = None) -> Source:
    """All that the store knows, read in one snapshot. It is never made or migrated here: that is for runs to do."""
    database, now = Database(url), clock or (lambda: datetime.now(UTC))

    def read() -> Samples:
        expect_file(url)
        try:
            with database.read() as connection:
                expect_current(connection)
                found = bounded(figures.totals(connection)) | gauges.gauges(connection, now(), configured)
        finally:
            database.dispose()  # between scrapes nobody needs a connection
        return {**gauges.unseen(configured), **found}

    return Source("store", metrics.STORE_UP, read, STORE_KEPT_SECONDS)


def from_queue(open_queue: Callable[[], SqsQueue]) -> Source:
    """How full the queue is; its client's time-outs say how long that may take."""

    def read() -> Samples:
        depth, name = open_queue().depth(), metrics.QUEUE_DEPTH.name
        return {(name, ("waiting",)): depth.waiting, (name, ("in_flight",)): depth.in_flight}

    return Source("queue", metrics.QUEUE_UP, read)


def bounded(totals: Iterable[figures.Total], most: int = MOST_SERIES) -> dict[Series, float]:
    """The totals with so many label sets a family: the first ones (by `since`) stay, the others are one.

    Of moments, which are gauges, that is the latest; all else is summed up.
    """
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
        if family.kind is Kind.GAUGE:
            samples[key] = max(samples.get(key, total.value), total.value)
        else:
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
