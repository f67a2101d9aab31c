"""What a destination did not take is sent again when its time has come, also while nothing else happens.

Every run that makes alerts delivers whatever is due, so that there is mostly nothing to do here.
"""

from datetime import timedelta

import dagster as dg
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES

from iota_dagster.core.store.due_deliveries import overdue
from iota_dagster.defs.follow_up import follow_up
from iota_dagster.defs.sensor_platform import sensor_platform

LOOK_SECONDS = 15
PATIENCE = timedelta(seconds=15)
"""A delivery that has been due for so long is not about to be sent by the run that made its alert."""


@dg.sensor(
    job=follow_up,
    minimum_interval_seconds=LOOK_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Asks for a run that delivers when an alert is due to be sent and nobody sends it.",
)
def deliveries_due(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """One look; a run in a minute at most, and none while another waits or works."""
    road = sensor_platform().road
    now = road.clock()
    with road.database.read() as connection:
        if not overdue(connection, now - PATIENCE):
            return dg.SkipReason("nothing is due")
    filters = dg.RunsFilter(job_name=follow_up.name, statuses=NOT_FINISHED_STATUSES)
    if context.instance.get_run_ids(filters, limit=1):
        return dg.SkipReason("a run that delivers is on its way")
    return dg.RunRequest(run_key=f"deliveries-{now:%Y-%m-%dT%H:%M}")
