"""`raw_logs` and `events`: objects of a delivery hour become deduplicated, classified, committed events."""

import dagster as dg

from iota_dagster.core.hours import Hour
from iota_dagster.core.parser import parser_version
from iota_dagster.core.prepare import CannotDoAgain, Committed
from iota_dagster.defs.resources.batch_handles import HourBatches
from iota_dagster.defs.resources.platform import PlatformResource
from iota_dagster.defs.steps import (
    CLAIM_TAG,
    add_hour_totals,
    each,
    hourly_asset,
    hours_of,
    run_of,
    waiting_out_outages,
)
from iota_dagster.scanning import SCANNED_TAG, scan_hours


@hourly_asset("ingest", {"s3"})
def raw_logs(context: dg.AssetExecutionContext, platform: PlatformResource) -> dg.Output[HourBatches]:
    """The log objects of a delivery hour, claimed as batches and fetched to this machine.

    A run with a claim takes what is pending. A run without one (the UI, a backfill) first lists the integrations for
    what no message told of, and also takes the hour's done batches again. An object that cannot be read leaves its
    batch with the reason; the others go on.
    """
    road, hours = platform.road, hours_of(context)
    run = run_of(context, road)
    scanned = _scan(context, platform, hours)
    with waiting_out_outages():
        claimed = road.claim(run, hours, again=CLAIM_TAG not in context.run.tags)
        fetched = each([item for item in claimed if item.needs_objects], road.fetch)
    failures = [(item, error) for batch in fetched for item, error in batch.failed]
    for item, error in failures:
        context.log.warning(f"{item.bucket}/{item.key}: {error.reason}: {error.detail}")
    waiting = [(item, outage) for batch in fetched for item, outage in batch.waiting]
    for outage in sorted({str(outage) for _, outage in waiting}):
        context.log.warning(f"objects wait until this has passed: {outage}")
    metadata = scanned | {
        "batches": len(fetched),
        "batch_objects": sum(len(item.spooled) for item in fetched),
        "batch_bytes": sum(path.stat().st_size for item in fetched for path in item.spooled.values()),
        "batch_unreadable": len(failures),
        "batch_waiting": len(waiting),
    }
    return dg.Output(HourBatches(run.root, hours), metadata=metadata, data_version=dg.DataVersion(parser_version()))


def _scan(context: dg.AssetExecutionContext, platform: PlatformResource, hours: tuple[Hour, ...]) -> dict[str, int]:
    if CLAIM_TAG in context.run.tags or SCANNED_TAG in context.run.tags:
        return {}
    reports = scan_hours(platform.platform, hours)
    for report in reports:
        if report.error is not None:
            context.log.warning(f"{report.integration} could not be listed: {report.error}")
    return {"scan_listed": sum(item.listed for item in reports), "scan_new": sum(item.new for item in reports)}


@hourly_asset("ingest", {"python"})
def events(
    context: dg.AssetExecutionContext, platform: PlatformResource, raw_logs: HourBatches
) -> dg.Output[HourBatches]:
    """Every record of the hour's objects, once: decoded, classified, deduplicated and committed.

    A record is a row, a duplicate of a row, or in quarantine, and never two of them.
    """
    road = platform.road
    run = run_of(context, road)
    with waiting_out_outages():
        found = each(road.assignments(run, raw_logs.hours), lambda item: road.prepare(run, item))
    results = [result for batch in found for result in batch]
    for result in results:
        if isinstance(result, CannotDoAgain):
            context.log.error(
                f"batch {result.batch.id} was left as it is, because it cannot be read whole again: "
                + ", ".join(result.missing)
            )
    add_hour_totals(context, road)
    return dg.Output(raw_logs, metadata=_figures(results), data_version=dg.DataVersion(parser_version()))


def _figures(results: list[Committed | CannotDoAgain]) -> dict[str, dg.MetadataValue]:
    committed = [item for item in results if isinstance(item, Committed)]
    outcomes = [outcome for item in committed for outcome in item.change.outcomes]
    missing = sorted(name for item in results if isinstance(item, CannotDoAgain) for name in item.missing)
    figures = {
        "batch_objects": len(outcomes),
        "batch_records": sum(item.records for item in outcomes),
        "batch_rows": sum(item.rows for item in outcomes),
        "batch_duplicates": sum(item.duplicates for item in outcomes),
        "batch_quarantined": sum(item.quarantined for item in outcomes),
        "batch_content_bytes": sum(item.content_bytes for item in outcomes),
        "bloom_checks": sum(item.lookups.checks for item in committed),
        "bloom_positives": sum(item.lookups.positives for item in committed),
        "bloom_false_positives": sum(item.lookups.false_positives for item in committed),
        "commit_conflicts": sum(item.conflicts for item in committed),
        "missing_objects": len(missing),
    }
    shown: dict[str, dg.MetadataValue] = {name: dg.MetadataValue.int(value) for name, value in figures.items()}
    if missing:
        shown["missing"] = dg.MetadataValue.md("\n".join(f"- `{name}`" for name in missing[:100]))
    return shown
