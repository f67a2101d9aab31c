"""Running the `ingest` job in this process for whatever the ledger has pending: what `iota ingest` and the demo do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from iota_dagster.core.background import repeating
from iota_dagster.core.hours import Hour, hour_key
from iota_dagster.core.local_objects import SCHEME
from iota_dagster.core.model import ObjectStatus
from iota_dagster.core.register import register_objects
from iota_dagster.core.store import ledger, summaries
from iota_dagster.core.store.schema import log_objects
from iota_dagster.home import prepare_home
from iota_dagster.platform import Platform, folder_integration, open_platform
from iota_dagster.settings import load_settings

Progress = Callable[[int, int], object]
"""Told how many of how many log objects are finished."""
HOURS_PER_RUN = 24
ROUNDS = 20
"""A batch that is woken by another one is done in the next round; no history needs more than a few."""


@dataclass(slots=True)
class Summary:
    """What an ingest added; `rows` by lake table, `problems` in words for people."""

    objects: int = 0
    records: int = 0
    events: int = 0
    duplicates: int = 0
    quarantined: int = 0
    matches: int = 0
    alerts: int = 0
    rows: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """The figures, without the problems."""
        names = ("objects", "records", "events", "duplicates", "quarantined", "matches", "alerts", "rows")
        return {name: getattr(self, name) for name in names}


def ingest_paths(paths: Sequence[Path], progress: Progress | None = None) -> Summary:
    """Register the files of some paths and bring everything that is pending to its end."""
    settings = load_settings()
    prepare_home(settings)
    platform = open_platform(settings)
    for path in paths:
        register_path(platform, path)
    return ingest_pending(platform, progress)


def register_path(platform: Platform, path: Path) -> None:
    """Enter a folder's files, or one file, into the ledger; the folder is the bucket, the relative path the key."""
    resolved = path.resolve()
    folder = resolved if resolved.is_dir() else resolved.parent
    bucket = f"{SCHEME}{folder}"
    objects = platform.objects
    refs = objects.list(bucket, "") if resolved.is_dir() else [objects.head(bucket, resolved.name)]
    register_objects(platform.database, refs, folder_integration(platform.settings, bucket))


def ingest_pending(platform: Platform, progress: Progress | None = None) -> Summary:
    """Run the job for every delivery hour that has something to do, until none has."""
    with platform.database.read() as connection:
        mark = summaries.mark(connection)
    before: list[Hour] | None = None
    problems: list[str] = []
    with _watched(platform, progress) if progress else nullcontext():
        for _ in range(ROUNDS):
            hours, outside = _pending(platform)
            if not hours or hours == before:
                break
            for span in _spans(hours):
                problems += _run(span)
            before = hours
    with platform.database.read() as connection:
        summary = Summary(**summaries.since(connection, mark))
    summary.problems = [*problems, *_outside(outside)]
    return summary


def _pending(platform: Platform) -> tuple[list[Hour], list[Hour]]:
    """The hours to do, and those that lie outside the partitions: Dagster must never hear of one."""
    from iota_dagster.defs.partitions import HOURLY

    with platform.database.read() as connection:
        hours = ledger.pending_hours(connection)
    known = [hour for hour in hours if HOURLY.has_partition_key(hour_key(hour))]
    return known, sorted(set(hours) - set(known))


def _outside(hours: Sequence[Hour]) -> list[str]:
    if not hours:
        return []
    return [
        f"{len(hours)} delivery hours lie outside the partitions, the first is {hour_key(hours[0])}: their objects "
        "stay pending; set partitions_start (IOTA_PARTITIONS_START) to an earlier day"
    ]


def _spans(hours: Sequence[Hour]) -> Iterator[list[Hour]]:
    """Runs of consecutive hours, at most a day each: Dagster's range tags name the first and the last."""
    span: list[Hour] = []
    for hour in hours:
        if span and (hour != span[-1] + 1 or len(span) == HOURS_PER_RUN):
            yield span
            span = []
        span.append(hour)
    if span:
        yield span


def _run(hours: Sequence[Hour]) -> list[str]:
    """One run of the job over consecutive hours; what went wrong, in words."""
    import dagster as dg

    from iota_dagster.definitions import defs
    from iota_dagster.defs.steps import CLAIM_TAG

    home = prepare_home(load_settings())
    tags = {
        "dagster/asset_partition_range_start": hour_key(hours[0]),
        "dagster/asset_partition_range_end": hour_key(hours[-1]),
        CLAIM_TAG: "1",
    }
    quiet = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}
    with dg.DagsterInstance.from_config(str(home)) as instance:
        result = defs.resolve_job_def("ingest").execute_in_process(
            instance=instance, tags=tags, run_config=quiet, raise_on_error=False
        )
    if result.success:
        return []
    failed = [event for event in result.all_events if event.is_step_failure]
    return [f"run {result.run_id}: {event.step_key} failed: {_cause(event)}" for event in failed] or [
        f"run {result.run_id} failed before its first step; Dagster's log of the run says why"
    ]


def _cause(event: Any) -> str:
    error = event.step_failure_data.error
    while error is not None and error.cause is not None:
        error = error.cause
    return error.message.strip() if error is not None else "unknown"


@contextmanager
def _watched(platform: Platform, progress: Progress) -> Iterator[None]:
    """Tell the progress, from the ledger, twice a second."""
    with platform.database.read() as connection:
        waiting = _unfinished(connection)

    def look() -> None:
        with platform.database.read() as connection:
            progress(max(waiting - _unfinished(connection), 0), waiting)

    with repeating(0.5, look, "progress"):
        yield
    progress(waiting, waiting)


def _unfinished(connection: sa.Connection) -> int:
    waiting = log_objects.c.status.in_((ObjectStatus.PENDING, ObjectStatus.CLAIMED))
    return connection.execute(sa.select(sa.func.count()).select_from(log_objects).where(waiting)).scalar_one()
