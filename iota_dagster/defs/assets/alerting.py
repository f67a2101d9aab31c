"""`alerts` and `alert_deliveries`: the rules over a batch's events, and telling people, once."""

from collections import Counter

import dagster as dg

from iota_dagster.core.road import Branch, Judged
from iota_dagster.defs.resources.batch_handles import HourBatches
from iota_dagster.defs.resources.platform import PlatformResource
from iota_dagster.defs.steps import each, hourly_asset, report_tables, run_of, waiting_out_outages

FIRST = {"dagster/priority": "10"}
"""People are told before the lake is written."""


@hourly_asset("detect", {"python"}, op_tags=FIRST)
def alerts(
    context: dg.AssetExecutionContext, platform: PlatformResource, events: HourBatches
) -> dg.Output[HourBatches]:
    """Matches of the detection rules over the hour's committed events, and the alerts they make.

    Judging again replaces a batch's matches; only an object's first completion can page anybody.
    """
    road = platform.road
    batches = road.to_publish(run_of(context, road), events.hours, Branch.ALERTS)
    with waiting_out_outages():
        judged = each(batches, road.judge)
    for item in judged:
        for failure in item.judgement.failures:
            context.log.error(f"rule {failure.rule_id}: {failure.function}: {failure.error} ({failure.count} times)")
    report_tables(context, road, [key for item in judged for key in item.changed])
    return dg.Output(events, metadata=_figures(judged))


@hourly_asset("detect", {"python"}, op_tags=FIRST)
def alert_deliveries(
    context: dg.AssetExecutionContext, platform: PlatformResource, alerts: HourBatches
) -> dg.Output[None]:
    """Everything that is due in the outbox, sent to its destinations; what fails is tried again later."""
    with waiting_out_outages():
        report = platform.road.deliver()
    for name, tally in report.by_destination.items():
        if tally.error:
            context.log.warning(f"destination {name}: {tally.error}")
    return dg.Output(None, metadata={"sent": report.sent, "retried": report.retried, "failed": report.failed})


def _figures(judged: list[Judged]) -> dict[str, dg.MetadataValue]:
    matches = [match for item in judged for match in item.judgement.matches]
    figures = {
        "batch_events": sum(item.judgement.events for item in judged),
        "batch_matches": len(matches),
        "alerts_created": sum(len(item.changes.created) for item in judged),
        "alerts_withdrawn": sum(len(item.changes.withdrawn) for item in judged),
        "rule_failures": sum(failure.count for item in judged for failure in item.judgement.failures),
    }
    shown: dict[str, dg.MetadataValue] = {name: dg.MetadataValue.int(value) for name, value in figures.items()}
    if top := Counter(match.rule_id for match in matches).most_common(10):
        records = [dg.TableRecord({"rule": rule, "matches": count}) for rule, count in top]
        shown["top_rules"] = dg.MetadataValue.table(records)
    return shown
