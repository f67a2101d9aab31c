"""`raw_logs` and `events`: objects of a delivery hour become deduplicated, classified, committed events."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress

import dagster as dg
import sqlalchemy as sa

from iota_dagster.core.arrival.reserving import reserving
from iota_dagster.core.aws.requests import RequestCounts
from iota_dagster.core.batch.fetching import Fetched
from iota_dagster.core.batch.prepare import CannotDoAgain, Committed
from iota_dagster.core.batch.road import Road
from iota_dagster.core.errors import WorkFilesLost
from iota_dagster.core.hours import Hour, hour_key
from iota_dagster.core.ingest.parser import parser_version
from iota_dagster.core.local_objects import SCHEME
from iota_dagster.core.model import LogObject, QuarantineItem
from iota_dagster.core.observability import event_times
from iota_dagster.core.store import ledger, summaries
from iota_dagster.defs.figures import Cell, Figures, Stopwatch, lags, numbers, place, plain, table, timeline
from iota_dagster.defs.logs import BatchLog
from iota_dagster.defs.resources.batch_handles import HourBatches
from iota_dagster.defs.resources.platform import PlatformResource
from iota_dagster.defs.steps import (
    CLAIM_TAG,
    EVENT_HOURS,
    add_hour_figures,
    each,
    hour_numbers,
    hourly_asset,
    hours_of,
    run_of,
)
from iota_dagster.scanning import SCANNED_TAG, scan_hours
from iota_dagster.settings import Settings

LINKS = 5
"""Most places of log objects that an hour links to."""
LONGEST_LINE = 2_000
"""Characters of a log line about an object: a key has up to 1,024 bytes, whoever chose them."""


@hourly_asset("ingest", {"s3", "sqs"})
def raw_logs(context: dg.AssetExecutionContext, platform: PlatformResource) -> dg.Output[HourBatches]:
    """The log objects of a delivery hour, claimed as batches and fetched to this machine.

    A run with a claim takes what is pending. A run without one (the UI, a backfill) first lists the integrations for
    what no message told of, and also takes the hour's done batches again. An object that cannot be read leaves its
    batch with the reason; the others go on.
    """
    watch, road, hours = Stopwatch(), platform.road, hours_of(context)
    log = BatchLog(context)
    run = run_of(context, road)
    with road.at_work(run):
        with _reserving(context, road, hours):
            scanned = _scan(context, platform, hours)
            claimed = road.claim(run, hours, again=CLAIM_TAG not in context.run.tags)
        fetched = each([item for item in claimed if item.needs_objects], log.around(road.fetch))
    for found in fetched:
        log.fact("fetched", found.batch, objects=len(found.spooled), failures=len(found.failed))
    failures = [(item, error) for batch in fetched for item, error in batch.failed]
    for item, error in failures:
        context.log.warning(plain(f"{item.bucket}/{item.key}: {error.reason}: {error.detail}", LONGEST_LINE))
    for outage in sorted({str(outage) for batch in fetched for _, outage in batch.waiting}):
        context.log.warning(plain(f"objects wait until this has passed: {outage}", LONGEST_LINE))
    add_hour_figures(context, road, lambda connection, hour: hour_numbers(summaries.hour_objects(connection, hour)))
    metadata = (
        _fetched_figures(fetched)
        | scanned
        | lags(road, [item.batch.id for item in fetched if not item.redo])
        | _request_figures(platform.platform.accounts.requests())
        | _places(platform.platform.settings, [item for batch in fetched for item in batch.batch.objects])
        | watch.figures()
    )
    return dg.Output(HourBatches(run.root, hours), metadata=metadata, data_version=dg.DataVersion(parser_version()))


def _scans(context: dg.AssetExecutionContext) -> bool:
    return CLAIM_TAG not in context.run.tags and SCANNED_TAG not in context.run.tags


def _reserving(context: dg.AssetExecutionContext, road: Road, hours: tuple[Hour, ...]) -> AbstractContextManager[None]:
    """What a scan finds is pending until it is claimed: without this the sensors would ask for runs meanwhile."""
    if not _scans(context):
        return nullcontext()
    return reserving(road.database, range(min(hours), max(hours) + 1), road.alerting.notify_within)


def _scan(context: dg.AssetExecutionContext, platform: PlatformResource, hours: tuple[Hour, ...]) -> Figures:
    """List the integrations. One that cannot be listed keeps nobody from their work: the figures and the log say so."""
    if not _scans(context):
        return {}
    reports = scan_hours(platform.platform, hours)
    for report in reports:
        if report.error is not None:
            context.log.error(plain(f"{report.integration} could not be listed: {report.error}", LONGEST_LINE))
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


def _fetched_figures(fetched: Sequence[Fetched]) -> Figures:
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


def _request_figures(counts: Mapping[str, RequestCounts]) -> Figures:
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


def _places(settings: Settings, objects: Sequence[LogObject]) -> Figures:
    """Where the objects of a batch lie, one place by integration and folder."""
    found: Figures = {}
    for item in objects:
        folder, _, _ = item.key.rpartition("/")
        name = f"objects/{item.integration}/{item.account or 'any'}"
        if len(found) < LINKS and name not in found:
            bucket = item.bucket if item.bucket.startswith(SCHEME) else f"s3://{item.bucket}"
            found[name] = place(settings, f"{bucket}/{folder}", item.region)
    return found


@hourly_asset("ingest", {"python"})
def events(
    context: dg.AssetExecutionContext, platform: PlatformResource, raw_logs: HourBatches
) -> dg.Output[HourBatches]:
    """Every record of the hour's objects, once: decoded, classified, deduplicated and committed.

    A record is a row, a duplicate of a row, or in quarantine, and never two of them.
    """
    watch, road = Stopwatch(), platform.road
    log, run = BatchLog(context), run_of(context, road)
    with road.at_work(run):
        found = each(road.assignments(run, raw_logs.hours), log.around(lambda item: road.prepare(run, item)))
    results = [result for batch in found for result in batch]
    for result in results:
        if isinstance(result, CannotDoAgain):
            why = f"batch {result.batch.id} was left as it is, because it cannot be read whole again: "
            context.log.error(why + ", ".join(plain(name, LONGEST_LINE) for name in result.missing))
    add_hour_figures(context, road, _hour_figures)
    committed = [item for item in results if isinstance(item, Committed)]
    for item in committed:
        log.fact("committed", item.change.batch, **_counts([item]))
    metadata = (
        _record_figures(committed)
        | _missing_figures([item for item in results if isinstance(item, CannotDoAgain)])
        | _time_figures(road, committed, hours_of(context))
        | watch.figures()
    )
    return dg.Output(raw_logs, metadata=metadata, data_version=dg.DataVersion(parser_version()))


def _hour_figures(connection: sa.Connection, hour: Hour) -> Figures:
    totals = ledger.hour_totals(connection, hour)
    return hour_numbers({name: value for name, value in totals.items() if name != "size"})  # raw_logs has hour_bytes


def _record_figures(committed: Sequence[Committed]) -> Figures:
    outcomes = [outcome for item in committed for outcome in item.change.outcomes]
    values = {f"batch_{name}": count for name, count in _counts(committed).items()} | {
        "batch_content_bytes": sum(item.content_bytes for item in outcomes),
        "bloom_checks": sum(item.lookups.checks for item in committed),
        "bloom_positives": sum(item.lookups.positives for item in committed),
        "bloom_false_positives": sum(item.lookups.false_positives for item in committed),
        "commit_conflicts": sum(item.conflicts for item in committed),
    }
    return numbers(values) | _types_table(committed) | _hours_table(committed) | _quarantine_table(committed)


def _counts(committed: Sequence[Committed]) -> dict[str, int]:
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


def _missing_figures(refused: Sequence[CannotDoAgain]) -> Figures:
    missing = sorted(name for item in refused for name in item.missing)
    return numbers({"missing_objects": len(missing)}) | table("missing", ({"object": name} for name in missing), 100)


def _time_figures(road: Road, committed: Sequence[Committed], hours: Sequence[Hour]) -> Figures:
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
