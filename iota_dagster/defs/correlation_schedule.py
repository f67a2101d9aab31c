"""What must not happen is known when its time is over: a sensor asks for a run as soon as such a wait has ended."""

import dagster as dg

from iota_dagster.core.correlating.requests import look, read_look
from iota_dagster.defs.follow_up import follow_up
from iota_dagster.defs.sensor_platform import sensor_platform

LOOK_SECONDS = 30


@dg.sensor(
    job=follow_up,
    minimum_interval_seconds=LOOK_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Asks for a run when a correlation rule has waited long enough for something that did not happen.",
)
def correlation_wait_ends(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """One look; a run in a minute at most, since the next one finds what this one leaves, and fewer for what fails.

    What was there to evaluate at the last look and still is belongs to a run that died: it is asked for as well.
    """
    road = sensor_platform().road
    now = road.clock()
    found, wanted = look(road.database, now, read_look(context.cursor))
    context.update_cursor(found.text())
    return dg.RunRequest(run_key=f"correlations-{now:%Y-%m-%dT%H:%M}") if wanted else dg.SkipReason("nothing is due")
