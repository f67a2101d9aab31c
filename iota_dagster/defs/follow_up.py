"""`follow_up`: what no delivery hour brings along any more, because nothing new has to come for it."""

import dagster as dg

from iota_dagster.defs.assets.correlations import correlation_figures
from iota_dagster.defs.figures import numbers
from iota_dagster.defs.resources.platform import PlatformResource
from iota_dagster.defs.steps import waiting_out_outages
from iota_dagster.defs.telling import tell


@dg.op
@waiting_out_outages()
def correlate_and_deliver(context: dg.OpExecutionContext, platform: PlatformResource) -> None:
    """Evaluate the correlation rules that have something new or have waited long enough, and send what is due."""
    told = tell(context.log, platform.platform)
    sums = told.deliveries
    sent = numbers({"sent": sums.sent, "retried": sums.retried, "failed": sums.failed})
    context.add_output_metadata(correlation_figures(told.correlated) | sent)


@dg.job(
    description="Evaluates correlation rules whose wait has ended, and sends alerts that a destination did not take "
    "or whose sender died, apart from any delivery hour."
)
def follow_up() -> None:
    """One op: everything that is due."""
    correlate_and_deliver()
