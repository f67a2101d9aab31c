"""Dagster's own history: runs that nobody needs any more, and ticks of sensors that are no longer there.

A run's record goes together with its events, and what the UI shows of an hour is its newest materialization. So a run
stays for as long as it has the newest one of any hour of any asset; what goes are those that later runs have
superseded. Ticks of today's sensors and schedules are purged by Dagster's daemon, as `retention` in dagster.yaml says.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import dagster as dg

RUNS_AT_ONCE = 200
RUNS_IN_A_PASS = 5_000
TICKS_KEPT = timedelta(days=60)
_CURSOR = "iota_run_retention"
_FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]

Place = tuple[dg.AssetKey, str]
"""An asset and one of its partitions."""


@dataclass(frozen=True, slots=True)
class RunsLookedAt:
    """Of the finished runs of one pass: deleted (or to be deleted), and kept because they show an hour's state."""

    deleted: int
    kept: int


def forget_runs(
    instance: dg.DagsterInstance, before: datetime, *, dry_run: bool = False, limit: int = RUNS_IN_A_PASS
) -> RunsLookedAt:
    """Delete superseded finished runs created before a moment, oldest first.

    One pass looks at `limit` runs at most; the next one goes on behind them, and starts over at the end.
    """
    filters = dg.RunsFilter(statuses=_FINISHED, created_before=before)
    storage = instance.daemon_cursor_storage
    cursor = storage.get_cursor_values({_CURSOR}).get(_CURSOR) or None
    if cursor is not None and instance.get_run_by_id(cursor) is None:
        cursor = None
    deleted = looked_at = 0
    while looked_at < limit:
        size = min(RUNS_AT_ONCE, limit - looked_at)
        records = instance.get_run_records(filters, limit=size, ascending=True, cursor=cursor)
        looked_at += len(records)
        ids = [record.dagster_run.run_id for record in records]
        needed = _needed(instance, ids)
        kept = [run_id for run_id in ids if run_id in needed]
        deleted += len(ids) - len(kept)
        if dry_run:
            cursor = ids[-1] if ids else None
        else:
            _delete(instance, [run_id for run_id in ids if run_id not in needed])
            cursor = kept[-1] if kept else cursor
        if len(records) < size:
            cursor = None
            break
    if not dry_run:
        storage.set_cursor_values({_CURSOR: cursor or ""})
    return RunsLookedAt(deleted, looked_at - deleted)


def forget_ticks(instance: dg.DagsterInstance, now: datetime) -> None:
    """Purge old ticks of every sensor and schedule there ever was: the daemon purges those that it runs."""
    for state in instance.all_instigator_state():
        before = (now - TICKS_KEPT).timestamp()
        instance.purge_ticks(state.instigator_origin_id, state.selector_id, before)


def _needed(instance: dg.DagsterInstance, run_ids: Iterable[str]) -> set[str]:
    """Those of some runs that have the newest materialization of some partition."""
    by_run = {run_id: _materialized(instance, run_id) for run_id in run_ids}
    wanted: dict[dg.AssetKey, set[str]] = {}
    for places in by_run.values():
        for asset, partition in places:
            wanted.setdefault(asset, set()).add(partition)
    newest = {place for asset, partitions in wanted.items() for place in _newest(instance, asset, partitions)}
    return {run_id for run_id, places in by_run.items() if any((*place, run_id) in newest for place in places)}


def _materialized(instance: dg.DagsterInstance, run_id: str) -> set[Place]:
    places: set[Place] = set()
    cursor = None
    while True:
        page = instance.get_records_for_run(run_id, cursor, dg.DagsterEventType.ASSET_MATERIALIZATION, limit=1_000)
        for record in page.records:
            event = record.event_log_entry.dagster_event
            if event and event.asset_key:
                places.add((event.asset_key, event.partition or ""))
        if not page.has_more:
            return places
        cursor = page.cursor


def _newest(
    instance: dg.DagsterInstance, asset: dg.AssetKey, partitions: set[str]
) -> set[tuple[dg.AssetKey, str, str]]:
    """Asset, partition and run of the newest materialization of each of some partitions."""
    materialized = dg.DagsterEventType.ASSET_MATERIALIZATION
    latest = instance.event_log_storage.get_latest_storage_id_by_partition(asset, materialized, partitions)
    found = set()
    for part in _parts(sorted(latest.values()), 500):
        wanted = dg.AssetRecordsFilter(asset, storage_ids=part)
        for record in instance.fetch_materializations(wanted, limit=len(part)).records:
            found.add((asset, record.partition_key or "", record.run_id))
    if "" in partitions:  # an asset without partitions
        event = instance.get_latest_materialization_event(asset)
        found |= {(asset, "", event.run_id)} if event else set()
    return found


def _parts(ids: Sequence[int], size: int) -> list[Sequence[int]]:
    return [ids[start : start + size] for start in range(0, len(ids), size)]


def _delete(instance: dg.DagsterInstance, run_ids: Iterable[str]) -> None:
    from dagster._core.storage.event_log.sqlite import SqliteEventLogStorage  # slow to import, and every run loads this

    storage = instance.event_log_storage
    for run_id in run_ids:
        instance.delete_run(run_id)
        if isinstance(storage, SqliteEventLogStorage):  # Dagster empties the run's own file and leaves it
            Path(storage.path_for_shard(run_id)).unlink(missing_ok=True)
