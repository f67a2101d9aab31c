"""`correlations`: what the matches of several rules mean together."""

from collections import Counter
from collections.abc import Iterator, Mapping

import dagster as dg

from iota_dagster.core.correlating import Correlated, correlator_of
from iota_dagster.core.road import Road
from iota_dagster.defs.figures import Cell, Figures, Stopwatch, numbers, table
from iota_dagster.defs.resources.batch_handles import HourBatches
from iota_dagster.defs.resources.platform import PlatformResource
from iota_dagster.defs.steps import FIRST, hourly_asset


@hourly_asset("detect", {"python"}, op_tags=FIRST)
def correlations(
    context: dg.AssetExecutionContext, platform: PlatformResource, alerts: HourBatches
) -> dg.Output[HourBatches]:
    """Matches of the correlation rules over what has changed since they were last evaluated, in any batch.

    What they wait for (something that must not happen) is evaluated when its time has come, by a sensor.
    """
    watch = Stopwatch()
    return dg.Output(alerts, metadata=evaluate(context.log, platform.road) | watch.figures())


def evaluate(log: dg.DagsterLogManager, road: Road) -> Figures:
    """Evaluate what there is to evaluate; a rule that fails is named, and keeps neither the others nor the run."""
    done = correlator_of(road).correlate()
    for rule_id, text in done.failures.items():
        log.error(f"correlation rule {rule_id}: {text}")
    return _figures(done)


def _figures(done: Correlated) -> Figures:
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
