"""`follow_up`: what no delivery hour brings along any more, because nothing new has to come for it."""

import dagster as dg

from iota_dagster.defs.assets.correlations import evaluate
from iota_dagster.defs.resources.platform import PlatformResource
from iota_dagster.defs.steps import waiting_out_outages


@dg.op
@waiting_out_outages()
def correlate_and_deliver(context: dg.OpExecutionContext, platform: PlatformResource) -> None:
    """Evaluate the correlation rules that have something new or have waited long enough, and send what is due."""
    figures = evaluate(context.log, platform.road)
    report = platform.road.deliver()
    context.add_output_metadata({**figures, "sent": report.sent, "retried": report.retried, "failed": report.failed})


@dg.job(
    description="Evaluates correlation rules whose wait has ended, and sends alerts that a destination did not take "
    "or whose sender died, apart from any delivery hour."
)
def follow_up() -> None:
    """One op: everything that is due."""
    correlate_and_deliver()
