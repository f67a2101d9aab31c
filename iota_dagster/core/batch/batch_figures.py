"""What a batch's steps did, in figures: counted here, written with the step's own transaction (`store.figures`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from iota_dagster.core.batch.decoding import Prepared
from iota_dagster.core.dedup.copies import CONFLICT, DUPLICATE, KEPT
from iota_dagster.core.detection.verdict import RuleCost, RuleFailure
from iota_dagster.core.lake.generation import NewFile
from iota_dagster.core.model import Batch, Match
from iota_dagster.core.observability import metrics
from iota_dagster.core.observability.figures import Figures
from iota_dagster.core.observability.metrics import Family
from iota_dagster.core.store.commit import Commit
from iota_dagster.core.store.figures import Arrival
from iota_dagster.core.store.lake_catalog import TableHour

_FATES = {KEPT: "kept", DUPLICATE: "duplicate", CONFLICT: "conflicting"}
_MICROSECONDS = 1_000_000
_AT_ONCE = 1 << 16
"""Rows whose lags are worked out together: what they need besides is bounded by it."""
NO_TIME = np.iinfo(np.int64).min
"""Stands for a row's time that is not usable, among `usable_times`."""


def event_figures(
    batch: Batch,
    prepared: Prepared,
    times: NDArray[np.int64],
    fate: NDArray[np.int8],
    change: Commit,
    arrivals: Mapping[int, Arrival],
    now: datetime,
) -> Figures:
    """What a commit says of records, objects and quarantine; lags only of what is read for the first time.

    `times` are the rows' `usable_times`.
    """
    found = Figures()
    _count_fates(found, prepared, fate)
    for reason, count in Counter(item.reason for item in change.quarantine).items():
        found.add(metrics.QUARANTINED, reason, value=count)
    objects = {item.id: item for item in batch.objects}
    for outcome in change.outcomes:
        item, status = objects[outcome.object_id], outcome.status.value
        found.add(metrics.OBJECTS, item.integration, status)
        found.add(metrics.OBJECT_BYTES, item.integration, status, value=item.size)
        found.add(metrics.CONTENT_BYTES, item.integration, value=outcome.content_bytes)
    first = {item.id for item in batch.objects if item.first_completion}
    _object_lags(found, [arrival for key, arrival in arrivals.items() if key in first], now)
    _event_times(found, batch, prepared, np.where(fate == KEPT, times, NO_TIME), arrivals)
    return found


def _count_fates(found: Figures, prepared: Prepared, fate: NDArray[np.int8]) -> None:
    groups = prepared.rows.groups
    for code, status in _FATES.items():
        counts = np.bincount(prepared.rows.group[fate == code], minlength=len(groups))
        for (log_type, _), count in zip(groups, counts.tolist(), strict=True):
            found.add(metrics.EVENTS, log_type, status, value=count)


def _object_lags(found: Figures, arrivals: Sequence[Arrival], now: datetime) -> None:
    known = [item for item in arrivals if item.delivered is not None]
    received = [(item.registered - item.delivered).total_seconds() for item in known if item.delivered]
    committed = [(now - item.registered).total_seconds() for item in arrivals]
    found.observe(metrics.LAG, "delivered_to_received", seconds=received)
    found.observe(metrics.LAG, "received_to_committed", seconds=committed)


def usable_times(prepared: Prepared) -> NDArray[np.int64]:
    """The time of every decoded row in microseconds, `NO_TIME` where none is usable.

    Read from the work files, so before a commit is tried: whatever lies between look-up and commit invites conflicts.
    """
    found = np.full(len(prepared.rows.position), NO_TIME, np.int64)
    start = 0
    for part in prepared.parts:
        for rows in prepared.work.all_batches(part, ["p_event_time", "p_event_time_flag"]):
            timed = pc.is_null(rows.column("p_event_time_flag")).to_numpy(zero_copy_only=False)
            moments: Any = rows.column("p_event_time").to_numpy(zero_copy_only=False)
            found[start : start + rows.num_rows][timed] = moments[timed].astype("datetime64[us]").astype(np.int64)
            start += rows.num_rows
    return found


def _event_times(
    found: Figures, batch: Batch, prepared: Prepared, times: NDArray[np.int64], arrivals: Mapping[int, Arrival]
) -> None:
    """Of each kept event with a usable time: how long it was on its way, and which is its integration's newest."""
    delivered = np.array([_delivery(arrivals.get(item.id), item.first_completion) for item in batch.objects])
    newest = np.zeros(len(batch.objects), np.int64)
    for start in range(0, len(times), _AT_ONCE):
        some = times[start : start + _AT_ONCE]
        usable = some != NO_TIME
        moments, positions = some[usable], prepared.rows.position[start : start + _AT_ONCE][usable]
        np.maximum.at(newest, positions, moments)
        lags = delivered[positions] - moments / _MICROSECONDS
        _observe_all(found, metrics.LAG, "event_to_delivered", lags[~np.isnan(lags)])
    for item, time in zip(batch.objects, newest.tolist(), strict=True):
        if time:
            found.latest(metrics.LAST_EVENT, item.integration, value=time / _MICROSECONDS)


def _delivery(arrival: Arrival | None, first_completion: bool) -> float:
    """The moment that counts for an object's lags; not a number where there is none."""
    if arrival is None or arrival.delivered is None or not first_completion:
        return float("nan")
    return arrival.delivered.timestamp()


def _observe_all(found: Figures, family: Family, label: str, seconds: NDArray[np.float64]) -> None:
    """`Figures.observe` for many at once."""
    values = np.maximum(seconds, 0.0)
    places = np.searchsorted(np.array(family.buckets), values, side="left")
    sums = np.bincount(places, weights=values)
    for place, count in enumerate(np.bincount(places).tolist()):
        if count:
            found.put(family, (label,), place, count, float(sums[place]))


def add_lookups(found: Figures, checks: int, positives: int, false_positives: int, conflicts: int) -> None:
    """What a batch's duplicate check took: ids asked for, and commits that had to begin again."""
    found.add(metrics.BLOOM_CHECKS, value=checks)
    found.add(metrics.BLOOM_POSITIVES, value=positives)
    found.add(metrics.BLOOM_FALSE, value=false_positives)
    found.add(metrics.COMMIT_CONFLICTS, value=conflicts)


def add_files(found: Figures, files: Mapping[TableHour, NewFile]) -> None:
    """The files that a step publishes."""
    for (table, _), file in files.items():
        found.add(metrics.LAKE_FILES, table)
        found.add(metrics.LAKE_ROWS, table, value=file.rows)
        found.add(metrics.LAKE_BYTES, table, value=file.bytes)


def add_rules(
    found: Figures, costs: Iterable[RuleCost], matches: Iterable[Match], failures: Iterable[RuleFailure]
) -> None:
    """What the rules did; a record that is no JSON object is a failure of no rule."""
    for cost in costs:
        found.add(metrics.RULE_EVALUATED, cost.rule_id, value=cost.calls)
        found.add(metrics.RULE_SECONDS, cost.rule_id, value=cost.seconds)
    for rule_id, count in Counter(match.rule_id for match in matches).items():
        found.add(metrics.RULE_RESULTS, rule_id, "matched", value=count)
    for failure in failures:
        if failure.rule_id:
            found.add(metrics.RULE_RESULTS, failure.rule_id, "error", value=failure.count)
