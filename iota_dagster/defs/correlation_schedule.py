"""What must not happen is known when its time is over: a sensor asks for a run as soon as such a wait has ended."""

from functools import lru_cache

import dagster as dg

from iota_dagster.core.correlation_requests import look, read_look
from iota_dagster.core.road import Road
from iota_dagster.defs.assets.correlations import evaluate
from iota_dagster.defs.resources.platform import PlatformResource
from iota_dagster.platform import open_platform
from iota_dagster.settings import load_settings

LOOK_SECONDS = 30


@dg.op
def correlate(context: dg.OpExecutionContext, platform: PlatformResource) -> None:
    """Evaluate the correlation rules that have something new or have waited long enough, and tell people."""
    figures = evaluate(context.log, platform.road)
    report = platform.road.deliver()
    context.add_output_metadata({**figures, "sent": report.sent, "retried": report.retried, "failed": report.failed})


@dg.job(description="Evaluates correlation rules whose wait has ended, apart from any delivery hour.")
def correlation_waits() -> None:
    """One op: everything that is due."""
    correlate()


@lru_cache(maxsize=1)
def _road() -> Road:
    """One per code server."""
    return open_platform(load_settings()).road


@dg.sensor(
    job=correlation_waits,
    minimum_interval_seconds=LOOK_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Asks for a run when a correlation rule has waited long enough for something that did not happen.",
)
def correlation_wait_ends(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """One look; a run in a minute at most, since the next one finds what this one leaves, and fewer for what fails.

    What was there to evaluate at the last look and still is belongs to a run that died: it is asked for as well.
    """
    road = _road()
    now = road.clock()
    found, wanted = look(road.database, now, read_look(context.cursor))
    context.update_cursor(found.text())
    return dg.RunRequest(run_key=f"correlations-{now:%Y-%m-%dT%H:%M}") if wanted else dg.SkipReason("nothing is due")
