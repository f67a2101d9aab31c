"""What became of a run's deliveries, on `alert_deliveries`, whichever of its steps made them.

A step that cannot go on, or has to wait for Glue, sends what is due before the one that is there for it: see
`telling`. The platform's resource, which lives as long as the run's process, remembers what was not shown yet.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import dagster as dg

from iota_dagster.core.alerting.deliver import DeliveryReport
from iota_dagster.core.batch.road import Road
from iota_dagster.core.errors import Outage
from iota_dagster.core.store import summaries
from iota_dagster.defs.figures import Cell, Figures, numbers, table
from iota_dagster.defs.resources.platform import PlatformResource
from iota_dagster.defs.steps import fails_for_good

ASSET = "alert_deliveries"


def delivery_figures(road: Road, report: DeliveryReport) -> Figures:
    """What was sent, where to, and what is left in the outbox."""
    with road.database.read() as connection:
        left = summaries.outbox(connection, {item.name for item in road.alerting.destinations})
    values = {"sent": report.sent, "retried": report.retried, "failed": report.failed}
    destinations: Iterator[Mapping[str, Cell]] = (
        {
            "destination": name,
            "sent": tally.sent,
            "retried": tally.retried,
            "failed": tally.failed,
            "error": tally.error or "",
        }
        for name, tally in report.by_destination.items()
    )
    shown = numbers(values | {f"outbox_{name}": count for name, count in left.items()})
    return shown | table("destinations", destinations)


@contextmanager
def shown_though_it_fails(context: dg.AssetExecutionContext, platform: PlatformResource) -> Iterator[None]:
    """When the block fails for good, `alert_deliveries` will not come: what was sent is shown in its place."""
    try:
        yield
    except Exception as error:
        if fails_for_good(context, error):
            _show(context, platform)
        raise


def _show(context: dg.AssetExecutionContext, platform: PlatformResource) -> None:
    report = platform.told
    if report == DeliveryReport():
        return
    try:
        figures = delivery_figures(platform.road, report)
    except Outage as outage:  # the step fails with its own error
        context.log.error(f"{report.sent} alerts were sent, and {ASSET} cannot show them: {outage}")
        return
    for key in context.partition_keys:
        context.log_event(dg.AssetMaterialization(ASSET, partition=key, metadata=figures))
    platform.forget_told()
