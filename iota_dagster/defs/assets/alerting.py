"""`alerts` and `alert_deliveries`: the rules over a batch's events, and telling people, once."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

import dagster as dg
import sqlalchemy as sa

from iota_dagster.core.batch.road import Branch, Judged, Road
from iota_dagster.core.detection.rule import RulePack
from iota_dagster.core.hours import Hour
from iota_dagster.core.observability import event_times
from iota_dagster.core.store import rule_packs, summaries
from iota_dagster.defs.deliveries_shown import delivery_figures, shown_though_it_fails
from iota_dagster.defs.figures import ROWS, Cell, Figures, Stopwatch, lag_histogram, lags, numbers, table
from iota_dagster.defs.glue_hours import registered_though_it_fails
from iota_dagster.defs.logs import BatchLog
from iota_dagster.defs.resources.batch_handles import HourBatches
from iota_dagster.defs.resources.platform import PlatformResource
from iota_dagster.defs.steps import (
    FIRST,
    add_hour_figures,
    each,
    hour_numbers,
    hourly_asset,
    report_tables,
    run_of,
)
from iota_dagster.defs.telling import deliver, tell


@hourly_asset("detect", {"python"}, op_tags=FIRST)
def alerts(
    context: dg.AssetExecutionContext, platform: PlatformResource, events: HourBatches
) -> dg.Output[HourBatches]:
    """Matches of the detection rules over the hour's committed events, and the alerts they make.

    Judging again replaces a batch's matches; only an object's first completion can page anybody.
    """
    watch, road = Stopwatch(), platform.road
    log, run = BatchLog(context), run_of(context, road)
    for wrong in road.alerting.rules().pack.errors:
        context.log.error(f"rule file {wrong}")
    with road.at_work(run), _telling_anyway(context, platform):
        judged = each(road.to_publish(run, events.hours, Branch.ALERTS), log.around(road.judge))
    for item in judged:
        log.fact("judged", item.batch, matches=len(item.judgement.matches), alerts=len(item.changes.created))
        for failure in item.judgement.failures:
            context.log.error(f"rule {failure.rule_id}: {failure.function}: {failure.error} ({failure.count} times)")
    touched = [key for item in judged for key in item.changed]
    report_tables(context, platform.platform, touched, [item.batch.id for item in judged])
    add_hour_figures(context, road, partial(_hour_figures, road.alerting.rules().pack))
    return dg.Output(events, metadata=_figures(judged) | _time_figures(road, judged) | watch.figures())


@hourly_asset("detect", {"python"}, op_tags=FIRST)
def alert_deliveries(
    context: dg.AssetExecutionContext, platform: PlatformResource, correlations: HourBatches
) -> dg.Output[None]:
    """Everything that is due in the outbox, sent to its destinations; what fails is tried again later.

    What an earlier step of the run had to send is shown here as well.
    """
    watch, road = Stopwatch(), platform.road
    deliver(context.log, road, platform.note_told)
    shown = delivery_figures(road, platform.told)
    if platform.told.sent:
        claimed = road.assignments(run_of(context, road), correlations.hours)
        shown |= lags(road, [item.batch.id for item in claimed if not item.redo])
    platform.forget_told()
    return dg.Output(None, metadata=shown | watch.figures())


@contextmanager
def _telling_anyway(context: dg.AssetExecutionContext, platform: PlatformResource) -> Iterator[None]:
    """When a batch cannot be judged the steps after it are skipped: people are told of the others here, and at once."""
    with registered_though_it_fails(context, platform), shown_though_it_fails(context, platform):
        try:
            yield
        except Exception:
            _tell(context, platform)
            raise


def _tell(context: dg.AssetExecutionContext, platform: PlatformResource) -> None:
    try:
        tell(context.log, platform.platform, platform.note_told)
    except Exception as error:
        context.log.error(f"what is left to do of the other batches' alerts waits for the next run: {error!r}")


def _figures(judged: Sequence[Judged]) -> Figures:
    matches = [match for item in judged for match in item.judgement.matches]
    failures = [failure for item in judged for failure in item.judgement.failures]
    values = {
        "batch_events": sum(item.judgement.events for item in judged),
        "batch_matches": len(matches),
        "alerts_created": sum(len(item.changes.created) for item in judged),
        "alerts_withdrawn": sum(len(item.changes.withdrawn) for item in judged),
        "rule_failures": sum(failure.count for failure in failures),
    }
    top = Counter(match.rule_id for match in matches).most_common(ROWS)
    rules: Iterator[Mapping[str, Cell]] = ({"rule": rule, "matches": count} for rule, count in top)
    errors: Iterator[Mapping[str, Cell]] = (
        {"rule": item.rule_id, "function": item.function, "failures": item.count, "error": item.error}
        for item in sorted(failures, key=lambda failure: -failure.count)
    )
    versions = {item.judgement.rules_version for item in judged if item.judgement.rules_version}
    shown: Figures = {"rules_version": dg.MetadataValue.text(", ".join(sorted(versions)))} if versions else {}
    return numbers(values) | table("top_rules", rules) | table("top_errors", errors) | shown


def _hour_figures(pack: RulePack, connection: sa.Connection, hour: Hour) -> Figures:
    found = summaries.hour_alerts(connection, hour, ROWS)
    rows: Iterator[Mapping[str, Cell]] = (
        {
            "severity": alert.severity,
            "title": alert.title,
            "rule": alert.rule_id,
            "matches": alert.matches,
            "last_event": f"{alert.last_event_time:%Y-%m-%d %H:%M:%S}",
            "status": alert.status,
            "alert": alert.id,
        }
        for alert in found.newest
    )
    totals = hour_numbers({"matches": found.matches, "alerts": found.alerts})
    return totals | _stale_figures(pack, connection, hour) | table("newest_alerts", rows)


def _stale_figures(pack: RulePack, connection: sa.Connection, hour: Hour) -> Figures:
    """The oldest rules that judged some of the hour, and how many of the present ones have not judged all of it."""
    stale = rule_packs.stale_hours(connection, pack, [hour])
    rules = {rule for item in stale for rule in (*item.new_rules, *item.changed_rules)}
    version = rule_packs.oldest_version(connection, hour)
    shown: Figures = {"oldest_rules_version": dg.MetadataValue.text(version)} if version else {}
    return numbers({"stale_rules": len(rules)}) | shown


def _time_figures(road: Road, judged: Sequence[Judged]) -> Figures:
    """How long it took from the newest match, and from the oldest object, to here; of first revisions only."""
    new = [item for item in judged if item.batch.revision == 1]
    times = [match.event_time for item in new for match in item.judgement.matches]
    if not new:
        return {}
    age = lag_histogram("batch_match_age", event_times.of_moments(times, road.clock()))
    return lags(road, [item.batch.id for item in new], max(times, default=None)) | age
