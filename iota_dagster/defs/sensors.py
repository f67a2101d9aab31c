"""The sensors: queue messages become log objects in the ledger, and delivery hours with work become runs.

Several identical sensors wait for messages in turns: Dagster looks for sensors to start every five seconds only, and
one that waits answers at once. They need no cursor, because the store says what is still to be done.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache, partial

import dagster as dg
from dagster._core.storage.tags import AUTO_RETRY_RUN_ID_TAG, RUN_KEY_TAG, WILL_RETRY_TAG

from iota_dagster.core.hours import Hour, hour_key
from iota_dagster.core.intake import Taken
from iota_dagster.core.requesting import LastRun, Request, Requesting, RunState
from iota_dagster.defs.jobs import ingest
from iota_dagster.defs.partitions import HOURLY
from iota_dagster.defs.steps import BACKLOG_TAG, CLAIM_TAG
from iota_dagster.platform import Platform, open_platform
from iota_dagster.settings import load_settings

LOOK_SECONDS = 5
"""A sensor that waits for messages looks so often for hours that need a run for another reason."""
RUNS_PER_TICK = 50


@lru_cache(maxsize=1)
def _platform() -> Platform:
    """One per code server: making clients anew would cost each tick more than its work."""
    return open_platform(load_settings())


def _look(context: dg.SensorEvaluationContext, platform: Platform) -> dg.SensorResult:
    """One tick: take messages in, then ask for the runs that are needed, waiting for either for a while."""
    requesting = Requesting(platform.database, partial(last_run, context.instance), _is_known)
    taken, waited = _take_in(platform, 0), 0
    requests, outside = requesting.take(RUNS_PER_TICK)
    while not requests and not taken.received and waited < platform.settings.queue_wait_seconds and platform.queue:
        slice_seconds = min(LOOK_SECONDS, platform.settings.queue_wait_seconds - waited)
        taken, waited = _take_in(platform, slice_seconds), waited + slice_seconds
        requests, outside = requesting.take(RUNS_PER_TICK)
    _tell(context, taken, outside)
    runs = [_run_request(item) for item in requests]
    skip = None if runs else f"nothing to do ({taken.received} messages)"
    return dg.SensorResult(run_requests=runs, skip_reason=skip)


def _take_in(platform: Platform, wait_seconds: int) -> Taken:
    if platform.queue is None:
        return Taken()
    return platform.intake.drain(platform.queue, wait_seconds, platform.settings.queue_messages)


def _tell(context: dg.SensorEvaluationContext, taken: Taken, outside: list[Hour]) -> None:
    if taken.received:
        outcomes = ", ".join(f"{name}: {number}" for name, number in sorted(taken.by_outcome().items()))
        found = f"{taken.new} of {taken.objects} objects are new"
        found += f", {taken.events} new events are spooled" if taken.events else ""
        context.log.info(f"{taken.received} messages ({outcomes}), {found}")
    for outage in taken.outages:
        context.log.warning(f"a message waits in the queue until this has passed: {outage}")
    if outside:
        context.log.warning(
            f"{len(outside)} delivery hours lie outside the partitions, the first is {hour_key(outside[0])}: their "
            "objects stay pending; set partitions_start (IOTA_PARTITIONS_START) to an earlier day"
        )


def _is_known(hour: Hour) -> bool:
    return HOURLY.has_partition_key(hour_key(hour))


def run_key(hour: Hour, attempt: int) -> str:
    """A run's key: Dagster never takes the same one twice, not even after a failure."""
    return f"{hour_key(hour)}:{attempt}"


def _run_request(item: Request) -> dg.RunRequest:
    tags = {CLAIM_TAG: "1", "dagster/priority": "10"} if item.recent else {CLAIM_TAG: "1", BACKLOG_TAG: "1"}
    return dg.RunRequest(run_key=run_key(item.hour, item.attempt), partition_key=hour_key(item.hour), tags=tags)


def last_run(instance: dg.DagsterInstance, hour: Hour, attempt: int) -> LastRun:
    """What became of a run that was asked for, its retries included."""
    runs = instance.get_runs(dg.RunsFilter(tags={RUN_KEY_TAG: run_key(hour, attempt)}), limit=1)
    if not runs:
        return LastRun(RunState.NONE)
    run = runs[0]
    return LastRun(_state(run), run.root_run_id or run.run_id)


def _state(run: dg.DagsterRun) -> RunState:
    if run.status is dg.DagsterRunStatus.SUCCESS:
        return RunState.ENDED
    if run.is_finished:
        is_retried = run.tags.get(WILL_RETRY_TAG) == "true" and AUTO_RETRY_RUN_ID_TAG not in run.tags
        return RunState.WAITING if is_retried else RunState.FAILED
    is_working = run.status in (dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING)
    return RunState.WORKING if is_working else RunState.WAITING


def _sensors() -> Iterator[dg.SensorDefinition]:
    for number in range(1, load_settings().queue_sensors + 1):

        @dg.sensor(
            name=f"log_objects_{number}",
            job=ingest,
            minimum_interval_seconds=1,
            default_status=dg.DefaultSensorStatus.RUNNING,
            description="Takes queue messages into the ledger and asks for a run of each delivery hour with work.",
        )
        def look(context: dg.SensorEvaluationContext) -> dg.SensorResult:
            return _look(context, _platform())

        yield look


SENSORS = list(_sensors())
