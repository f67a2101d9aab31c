"""`raw_logs` and `events`: objects of a delivery hour become deduplicated, classified, committed events."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import dagster as dg

from iota_dagster.core.arrival.reserving import reserving
from iota_dagster.core.batch.fetching import Fetched
from iota_dagster.core.batch.prepare import CannotDoAgain, Committed
from iota_dagster.core.batch.road import Road
from iota_dagster.core.hours import Hour
from iota_dagster.core.ingest.parser import parser_version
from iota_dagster.core.store import summaries
from iota_dagster.defs.figures import Figures, Stopwatch, lags, plain
from iota_dagster.defs.ingest_figures import (
    counts,
    fetched_figures,
    hour_figures,
    missing_figures,
    places,
    record_figures,
    request_figures,
    scan_figures,
    time_figures,
)
from iota_dagster.defs.logs import BatchLog
from iota_dagster.defs.resources.batch_handles import HourBatches
from iota_dagster.defs.resources.platform import PlatformResource
from iota_dagster.defs.steps import (
    CLAIM_TAG,
    add_hour_figures,
    each,
    hour_numbers,
    hourly_asset,
    hours_of,
    run_of,
)
from iota_dagster.scanning import SCANNED_TAG, scan_hours

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
    _say(context, log, fetched)
    add_hour_figures(context, road, lambda connection, hour: hour_numbers(summaries.hour_objects(connection, hour)))
    metadata = (
        fetched_figures(fetched)
        | scanned
        | lags(road, [item.batch.id for item in fetched if not item.redo])
        | request_figures(platform.platform.accounts.requests())
        | places(platform.platform.settings, [item for batch in fetched for item in batch.batch.objects])
        | watch.figures()
    )
    return dg.Output(HourBatches(run.root, hours), metadata=metadata, data_version=dg.DataVersion(parser_version()))


def _say(context: dg.AssetExecutionContext, log: BatchLog, fetched: Sequence[Fetched]) -> None:
    for batch in fetched:
        log.fact("fetched", batch.batch, objects=len(batch.spooled), failures=len(batch.failed))
        for item, error in batch.failed:
            context.log.warning(plain(f"{item.bucket}/{item.key}: {error.reason}: {error.detail}", LONGEST_LINE))
    for outage in sorted({str(outage) for batch in fetched for _, outage in batch.waiting}):
        context.log.warning(plain(f"objects wait until this has passed: {outage}", LONGEST_LINE))


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
    return scan_figures(reports)


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
    add_hour_figures(context, road, hour_figures)
    committed = [item for item in results if isinstance(item, Committed)]
    for item in committed:
        log.fact("committed", item.change.batch, **counts([item]))
    metadata = (
        record_figures(committed)
        | missing_figures([item for item in results if isinstance(item, CannotDoAgain)])
        | time_figures(road, committed, hours_of(context))
        | watch.figures()
    )
    return dg.Output(raw_logs, metadata=metadata, data_version=dg.DataVersion(parser_version()))
