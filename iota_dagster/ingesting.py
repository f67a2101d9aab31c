"""Running the `ingest` job in this process: for what the ledger has pending, or for a span of hours once more."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from iota_dagster.core.arrival.register import Registered, register_objects
from iota_dagster.core.arrival.reserving import reserving
from iota_dagster.core.background import repeating
from iota_dagster.core.batch.owner import current_owner
from iota_dagster.core.errors import ObjectError
from iota_dagster.core.hours import Hour, hour_key
from iota_dagster.core.local_objects import SCHEME
from iota_dagster.core.model import ObjectStatus
from iota_dagster.core.store import batches, ledger
from iota_dagster.home import open_instance, prepare_home
from iota_dagster.ingest_account import RunAccount
from iota_dagster.logging_setup import is_interruption
from iota_dagster.platform import Platform, folder_integration, open_platform
from iota_dagster.scanning import SCANNED_TAG, ScanReport, scan_hours
from iota_dagster.settings import load_settings

Progress = Callable[[int, int], object]
"""Told how many of how many log objects are finished."""
HOURS_PER_RUN = 24
ROUNDS = 20
"""A batch that is woken by another one is done in the next round; no history needs more than a few."""


@dataclass(slots=True)
class Summary:
    """What an ingest's own runs added (see `RunAccount`); `rows` by lake table.

    In words for people: `problems`, and `notes` of what may surprise, though nothing is wrong.
    """

    objects: int = 0
    records: int = 0
    events: int = 0
    duplicates: int = 0
    quarantined: int = 0
    matches: int = 0
    alerts: int = 0
    rows: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """The figures and the problems, for programs."""
        return {name: value for name, value in asdict(self).items() if name != "notes"}


def ingest_paths(paths: Sequence[Path], progress: Progress | None = None) -> Summary:
    """Register the files of some paths and bring everything that is pending to its end.

    A path that cannot be read is a problem of the summary; the others have their turn.
    """
    settings = load_settings()
    prepare_home(settings)
    platform = open_platform(settings)
    problems, notes = [], []
    for path in paths:
        try:
            if not register_path(platform, path).listed:
                notes.append(f"{path}: there are no log files in it")
        except ObjectError as error:
            problems.append(str(error))
    summary = ingest_pending(platform, progress)
    summary.problems[:0], summary.notes[:0] = problems, notes
    return summary


def register_path(platform: Platform, path: Path) -> Registered:
    """Enter a folder's files, or one file, into the ledger; the folder is the bucket, the relative path the key."""
    resolved = path.resolve()
    folder = resolved if resolved.is_dir() else resolved.parent
    bucket = f"{SCHEME}{folder}"
    objects = platform.objects
    refs = objects.list(bucket, "") if resolved.is_dir() else [objects.head(bucket, resolved.name)]
    return register_objects(platform.database, refs, folder_integration(platform.settings, bucket))


def ingest_pending(platform: Platform, progress: Progress | None = None) -> Summary:
    """Run the job for every delivery hour that has something to do, until none has."""
    with _summing_up(platform) as (summary, account), _watched(platform, progress):
        summary.problems += _finish(platform, account, lambda: _pending_hours(platform))
        summary.problems += _waiting(platform)
        if not summary.problems:
            summary.notes += _elsewhere(platform)
    return summary


def _elsewhere(platform: Platform) -> list[str]:
    """What runs of somebody else are at: this command has nothing to do, and yet not everything is done."""
    with platform.database.read() as connection:
        counts = ledger.status_counts(connection)
    claimed = sum(row["objects"] for row in counts if row["status"] == ObjectStatus.CLAIMED)
    return [f"{claimed:,} log objects are still being processed by another run: see `iota status`"] if claimed else []


@dataclass(frozen=True, slots=True)
class Backfill:
    """What a backfill did: the `hours` that the ledger knows, and the `again` objects among them that were done before.

    A batch that could not be done again is left as it is and named in the summary's problems.
    """

    reports: tuple[ScanReport, ...]
    hours: int
    again: int
    summary: Summary

    def as_dict(self) -> dict[str, Any]:
        """Everything, for programs."""
        found = {name: sum(getattr(report, name) for report in self.reports) for name in ("listed", "new")}
        return {"hours": self.hours} | found | {"again": self.again} | self.summary.as_dict()


def backfill(platform: Platform, span: range, *, only_new: bool = False, progress: Progress | None = None) -> Backfill:
    """Scan some delivery hours and run the job over all of them that the ledger knows; done objects are done again.

    With `only_new` what is done stays as it is. Batches elsewhere that this wakes are brought to their end as well,
    and nothing else there. Hours too old to page anybody are reserved meanwhile: the sensors of a live Dagster leave
    them alone, until shortly after an abrupt end.
    """
    prepare_home(platform.settings)
    with reserving(platform.database, span, platform.road.alerting.notify_within):
        return _backfill(platform, span, only_new, progress)


def _backfill(platform: Platform, span: range, only_new: bool, progress: Progress | None) -> Backfill:
    reports = scan_hours(platform, span)
    scanned = datetime.now(UTC)
    with platform.database.read() as connection:
        done = ledger.done_objects(connection, span)
        waited = ledger.hours_to_do_again(connection)
    again = 0 if only_new else sum(done.values())
    with _summing_up(platform) as (summary, account), _watched(platform, progress, again) as advance:
        summary.problems += [f"{report.integration}: {report.error}" for report in reports if report.error]
        if not reports:
            summary.notes.append("no integrations are configured: nothing was listed, only the ledger's objects count")
        for hours in [] if only_new else _spans(_split(sorted(done))[0]):
            summary.problems += _run(platform, account, hours, again=True)
            advance(sum(done[hour] for hour in hours))
        summary.problems += _finish(platform, account, lambda: _own_hours(platform, span, scanned, waited))
        summary.problems += _waiting(platform, span)
    return Backfill(reports, len(done), again, summary)


@contextmanager
def _summing_up(platform: Platform) -> Iterator[tuple[Summary, RunAccount]]:
    """A summary that holds, when the block has ended, what the runs in the account have added."""
    summary, account = Summary(), RunAccount(platform.database)
    yield summary, account
    for name, value in account.totals().items():
        setattr(summary, name, value)
    if account.has_worked:
        summary.problems += _unread_rules(platform)


def _unread_rules(platform: Platform) -> list[str]:
    """The rule files that could not be read: what these would have found is missing."""
    return [f"rules not applied: {error}" for error in platform.road.alerting.rules().pack.errors]


def _finish(platform: Platform, account: RunAccount, wanted: Callable[[], Collection[Hour]]) -> list[str]:
    """Run the job until none of the wanted hours has anything to do; what went wrong, in words."""
    before: Collection[Hour] = ()
    problems: list[str] = []
    outside: list[Hour] = []
    for _ in range(ROUNDS):
        hours, outside = _split(wanted())
        if not hours or hours == before:
            break
        for span in _spans(hours):
            problems += _run(platform, account, span)
        before = hours
    return [*problems, *_outside(outside)]


def _own_hours(platform: Platform, span: range, scanned: datetime, waited: Collection[Hour]) -> list[Hour]:
    """What a backfill is to finish: its own hours, and those elsewhere with batches to do again that it has woken.

    What has come since the scan is the sensors': a backfill that took live objects would keep their alerts waiting,
    and would not end while there are any.
    """
    with platform.database.read() as connection:
        woken = ledger.hours_to_do_again(connection).difference(waited)
        pending = ledger.pending_hours(connection, datetime.now(UTC), known_at=scanned)
    return sorted(woken.union(hour for hour in pending if hour in span))


def _pending_hours(platform: Platform) -> list[Hour]:
    with platform.database.read() as connection:
        return ledger.pending_hours(connection, datetime.now(UTC))


def _split(hours: Collection[Hour]) -> tuple[list[Hour], list[Hour]]:
    """The hours that are partitions, and those that lie outside: Dagster must never hear of one."""
    from iota_dagster.defs.partitions import HOURLY

    known = [hour for hour in hours if HOURLY.has_partition_key(hour_key(hour))]
    return known, sorted(set(hours) - set(known))


def _outside(hours: Sequence[Hour]) -> list[str]:
    from iota_dagster.defs.partitions import outside_partitions

    return [outside_partitions(hours)] if hours else []


def _waiting(platform: Platform, span: range | None = None) -> list[str]:
    """What could not be read because of an outage, in words; in some hours only."""
    with platform.database.read() as connection:
        waiting = ledger.waiting_for_an_outage(connection, datetime.now(UTC))
    found = [(error, count) for hour, error, count in waiting if span is None or hour in span]
    if not found:
        return []
    return [
        f"{sum(count for _, count in found)} log objects wait for an outage to pass, the sensors or this command try "
        f"again: {found[0][0]}"
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


def _run(platform: Platform, account: RunAccount, hours: Sequence[Hour], *, again: bool = False) -> list[str]:
    """One run of the job over consecutive hours, `again` with what is done there; what went wrong, in words."""
    from iota_dagster.definitions import defs
    from iota_dagster.defs.steps import CLAIM_TAG
    from iota_dagster.launcher import COMMAND_TAG, PROCESS_TAG

    tags = {
        "dagster/asset_partition_range_start": hour_key(hours[0]),
        "dagster/asset_partition_range_end": hour_key(hours[-1]),
        SCANNED_TAG if again else CLAIM_TAG: "1",
        COMMAND_TAG: "1",
        PROCESS_TAG: current_owner(),  # run monitoring looks whether it lives
    }
    before = account.before(hours)
    quiet = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}
    with open_instance(platform.settings) as instance:
        result = defs.resolve_job_def("ingest").execute_in_process(
            instance=instance, tags=tags, run_config=quiet, raise_on_error=False
        )
    account.add(before, result.run_id)
    if any(is_interruption(event) for event in result.all_events):
        raise KeyboardInterrupt  # Dagster makes it a failure of the run: the next hours would begin
    if result.success:
        return _left_as_they_are(platform, result.run_id)
    failed = [event for event in result.all_events if event.is_step_failure]
    return [
        f"run {result.run_id}: {event.step_key} failed: {_cause(event.step_failure_data.error)}" for event in failed
    ] or [
        f"run {result.run_id} failed before its first step: {_cause(event.job_failure_data.error)}"
        for event in result.all_events
        if event.is_failure
    ]


def _left_as_they_are(platform: Platform, run_id: str) -> list[str]:
    with platform.database.read() as connection:
        left = batches.left_as_they_are(connection, run_id)
    return [f"batch {batch} was left as it is: {why}" for batch, why in left]


def _cause(error: Any) -> str:
    while error is not None and error.cause is not None:
        error = error.cause
    return error.message.strip() if error is not None else "unknown"


@contextmanager
def _watched(platform: Platform, progress: Progress | None, again: int = 0) -> Iterator[Callable[[int], None]]:
    """Tell the progress twice a second: what is new by the ledger, `again` done objects as the block counts them."""
    finished_again = 0

    def advance(count: int) -> None:
        nonlocal finished_again
        finished_again += count

    if progress is None:
        yield advance
        return
    waiting = _unfinished(platform)
    total = waiting + again

    def look() -> None:
        progress(max(waiting - _unfinished(platform), 0) + finished_again, total)

    with repeating(0.5, look, "progress"):
        yield advance
    progress(total, total)


def _unfinished(platform: Platform) -> int:
    with platform.database.read() as connection:
        return ledger.count_unfinished(connection)
