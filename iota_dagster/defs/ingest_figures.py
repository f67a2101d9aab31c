"""What the materializations of `raw_logs` and `events` show: numbers to plot over the hours, and tables."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

import dagster as dg
import sqlalchemy as sa

from iota_dagster.core.aws.requests import RequestCounts
from iota_dagster.core.batch.fetching import Fetched
from iota_dagster.core.batch.prepare import CannotDoAgain, Committed
from iota_dagster.core.batch.road import Road
from iota_dagster.core.errors import WorkFilesLost
from iota_dagster.core.hours import Hour, hour_key
from iota_dagster.core.local_objects import SCHEME
from iota_dagster.core.model import LogObject, QuarantineItem
from iota_dagster.core.observability import event_times
from iota_dagster.core.store import ledger
from iota_dagster.defs.figures import Cell, Figures, lags, numbers, place, table, timeline
from iota_dagster.defs.steps import EVENT_HOURS, hour_numbers
from iota_dagster.scanning import ScanReport
from iota_dagster.settings import Settings

LINKS = 5
"""Most places of log objects that an hour links to."""


def scan_figures(reports: Sequence[ScanReport]) -> Figures:
    """What a listing of the integrations found, and which of them could not be listed."""
    failed = [report for report in reports if report.error is not None]
    values = {
        "scan_listed": sum(item.listed for item in reports),
        "scan_new": sum(item.new for item in reports),
        "scan_failed": len(failed),
    }
    rows: Iterator[Mapping[str, Cell]] = (
        {"integration": report.integration, "why": report.error or "", "listed": report.listed} for report in failed
    )
    return numbers(values) | table("not_listed", rows)


def fetched_figures(fetched: Sequence[Fetched]) -> Figures:
    """What was claimed and fetched, what cannot be read, and what waits for an outage to pass."""
    failures = [(item, error) for batch in fetched for item, error in batch.failed]
    waiting = Counter((item.integration, str(outage)) for batch in fetched for item, outage in batch.waiting)
    values = {
        "batches": len(fetched),
        "batch_objects": sum(len(item.spooled) for item in fetched),
        "batch_bytes": sum(item.bytes for item in fetched),
        "batch_unreadable": len(failures),
        "batch_waiting": waiting.total(),
    }
    unreadable: Iterator[Mapping[str, Cell]] = (
        {"object": f"{item.bucket}/{item.key}", "reason": error.reason, "detail": error.detail}
        for item, error in failures
    )
    outages: Iterator[Mapping[str, Cell]] = (
        {"integration": name, "objects": count, "outage": outage} for (name, outage), count in waiting.most_common()
    )
    return numbers(values) | _claimed_table(fetched) | table("unreadable", unreadable) | table("waiting", outages)


def _claimed_table(fetched: Sequence[Fetched]) -> Figures:
    """The run's batches by their id: `p_batch` in the lake."""
    rows: Iterator[Mapping[str, Cell]] = (
        {
            "batch": item.batch.id,
            "delivery_hour": hour_key(item.batch.delivery_hour),
            "objects": len(item.batch.objects),
            "bytes": sum(member.size for member in item.batch.objects),
            "done_again": item.redo,
        }
        for item in fetched
    )
    return table("claimed", rows)


def request_figures(counts: Mapping[str, RequestCounts]) -> Figures:
    """The run's requests to AWS so far, by the role that made them."""
    found = [
        (who, operation, count)
        for who, counted in sorted(counts.items())
        for (_, operation), count in sorted(counted.by_operation().items())
    ]
    if not found:
        return {}
    values = {
        "requests": sum(count.requests for _, _, count in found),
        "requests_throttled": sum(count.throttled for _, _, count in found),
        "requests_failed": sum(count.errors for _, _, count in found),
    }
    rows: Iterator[Mapping[str, Cell]] = (
        {
            "role": who,
            "operation": operation,
            "requests": count.requests,
            "throttled": count.throttled,
            "failed": count.errors,
        }
        for who, operation, count in found
    )
    return numbers(values) | table("requests_by_role", rows, limit=50)


def places(settings: Settings, objects: Sequence[LogObject]) -> Figures:
    """Where the objects of a batch lie, one place by integration and folder."""
    found: Figures = {}
    for item in objects:
        folder, _, _ = item.key.rpartition("/")
        name = f"objects/{item.integration}/{item.account or 'any'}"
        if len(found) < LINKS and name not in found:
            bucket = item.bucket if item.bucket.startswith(SCHEME) else f"s3://{item.bucket}"
            found[name] = place(settings, f"{bucket}/{folder}", item.region)
    return found


def hour_figures(connection: sa.Connection, hour: Hour) -> Figures:
    """The totals of an hour over all of its batches."""
    totals = ledger.hour_totals(connection, hour)
    return hour_numbers({name: value for name, value in totals.items() if name != "size"})  # raw_logs has hour_bytes


def record_figures(committed: Sequence[Committed]) -> Figures:
    """What became of the records: their numbers, log types, event hours, and reasons of quarantine."""
    outcomes = [outcome for item in committed for outcome in item.change.outcomes]
    values = {f"batch_{name}": count for name, count in counts(committed).items()} | {
        "batch_content_bytes": sum(item.content_bytes for item in outcomes),
        "bloom_checks": sum(item.lookups.checks for item in committed),
        "bloom_positives": sum(item.lookups.positives for item in committed),
        "bloom_false_positives": sum(item.lookups.false_positives for item in committed),
        "commit_conflicts": sum(item.conflicts for item in committed),
    }
    return numbers(values) | _types_table(committed) | _hours_table(committed) | _quarantine_table(committed)


def counts(committed: Sequence[Committed]) -> dict[str, int]:
    """Objects and their records, by what became of them."""
    outcomes = [outcome for item in committed for outcome in item.change.outcomes]
    return {
        "objects": len(outcomes),
        "records": sum(item.records for item in outcomes),
        "rows": sum(item.rows for item in outcomes),
        "duplicates": sum(item.duplicates for item in outcomes),
        "quarantined": sum(item.quarantined for item in outcomes),
    }


def _types_table(committed: Sequence[Committed]) -> Figures:
    """What the events are, the most frequent log types first."""
    events, hours = Counter[str](), Counter[str]()
    for item in committed:
        for admission in item.change.admissions:
            events[admission.log_type] += admission.count
    for log_type, _ in {(one.log_type, one.hour) for item in committed for one in item.change.admissions}:
        hours[log_type] += 1
    rows: Iterator[Mapping[str, Cell]] = (
        {"log_type": log_type, "events": count, "event_hours": hours[log_type]}
        for log_type, count in events.most_common()
    )
    return table("log_types", rows)


def _hours_table(committed: Sequence[Committed]) -> Figures:
    """Which event hours the events belong to: mostly the delivery hour and the one before."""
    counts: Counter[tuple[Hour, str]] = Counter()
    for item in committed:
        for admission in item.change.admissions:
            counts[admission.hour, admission.log_type] += admission.count
    rows: Iterator[Mapping[str, Cell]] = (
        {"log_type": log_type, "event_hour": hour_key(hour), "events": counts[hour, log_type]}
        for hour, log_type in sorted(counts, reverse=True)
    )
    return table("event_hours", rows, limit=EVENT_HOURS)


def _quarantine_table(committed: Sequence[Committed]) -> Figures:
    items = [entry for item in committed for entry in item.change.quarantine]
    first: dict[str, QuarantineItem] = {}
    for entry in items:
        first.setdefault(entry.reason, entry)
    rows: Iterator[Mapping[str, Cell]] = (
        {"reason": reason, "items": count, "example": first[reason].detail}
        for reason, count in Counter(entry.reason for entry in items).most_common()
    )
    return table("quarantine_reasons", rows)


def missing_figures(refused: Sequence[CannotDoAgain]) -> Figures:
    """The log objects without which a batch cannot be done again."""
    missing = sorted(name for item in refused for name in item.missing)
    return numbers({"missing_objects": len(missing)}) | table("missing", ({"object": name} for name in missing), 100)


def time_figures(road: Road, committed: Sequence[Committed], hours: Sequence[Hour]) -> Figures:
    """When the events happened, and how long they were on their way; done again, only the former means anything."""
    times = event_times.EventTimes(road.clock())
    with suppress(WorkFilesLost):  # a figure less; publishing makes them anew
        times = event_times.of_work(road.work, [item.change.work for item in committed], times.now)
    if times.oldest is None or times.newest is None:
        return {}
    shown: Figures = {
        "oldest_event": dg.MetadataValue.timestamp(times.oldest),
        "newest_event": dg.MetadataValue.timestamp(times.newest),
    }
    new = [item.change.batch.id for item in committed if not item.change.redo]
    shown |= timeline("batch_events_over_time", times, (min(hours) - 1, max(hours)), tell_others=True)
    return shown | (lags(road, new, times.newest) if new else {})
