"""`correlations`: what the matches of several rules mean together."""

from collections import Counter
from collections.abc import Iterator, Mapping

import dagster as dg

from iota_dagster.core.correlating.results import Correlated
from iota_dagster.defs.deliveries_shown import shown_though_it_fails
from iota_dagster.defs.figures import Cell, Figures, Stopwatch, numbers, table
from iota_dagster.defs.resources.batch_handles import HourBatches
from iota_dagster.defs.resources.platform import PlatformResource
from iota_dagster.defs.steps import FIRST, hourly_asset
from iota_dagster.defs.telling import evaluate_before_telling


@hourly_asset("detect", {"python"}, op_tags=FIRST)
def correlations(
    context: dg.AssetExecutionContext, platform: PlatformResource, alerts: HourBatches
) -> dg.Output[HourBatches]:
    """Matches of the correlation rules over what has changed since they were last evaluated, in any batch.

    What they wait for (something that must not happen) is evaluated when its time has come, by a sensor. Alerts that
    cannot wait for `alert_deliveries` are sent here, and shown there.
    """
    watch = Stopwatch()
    with shown_though_it_fails(context, platform):
        done = evaluate_before_telling(context.log, platform.platform, platform.note_told)
    return dg.Output(alerts, metadata=correlation_figures(done) | watch.figures())


def correlation_figures(done: Correlated) -> Figures:
    """What the correlation rules did, by rule."""
    values = {
        "matches": done.total(lambda changes: changes.matches),
        "matches_removed": done.total(lambda changes: changes.matches_removed),
        "alerts_created": done.total(lambda changes: len(changes.created)),
        "alerts_withdrawn": done.total(lambda changes: len(changes.withdrawn)),
        "rule_failures": len(done.failures),
    }
    by_rule = Counter[str]()
    for (rule_id, _), changes in done.changes.items():
        by_rule[rule_id] += changes.matches
    rows: Iterator[Mapping[str, Cell]] = (
        {"rule": rule_id, "matches": count} for rule_id, count in by_rule.most_common()
    )
    errors: Iterator[Mapping[str, Cell]] = ({"rule": rule, "error": text} for rule, text in done.failures.items())
    return numbers(values) | table("top_rules", rows) | table("top_errors", errors)
