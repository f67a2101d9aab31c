"""The sensors: queue messages become log objects in the ledger, and delivery hours with work become runs.

Several identical sensors wait for messages in turns: Dagster looks for sensors to start every five seconds only, and
one that waits answers at once. They need no cursor, because the store says what is still to be done.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial

import dagster as dg
from dagster._core.storage.tags import AUTO_RETRY_RUN_ID_TAG, RUN_KEY_TAG, WILL_RETRY_TAG

from iota_dagster.core.arrival.intake import Taken
from iota_dagster.core.arrival.requesting import LastRun, Request, Requesting, RunState
from iota_dagster.core.errors import Outage
from iota_dagster.core.hours import Hour, hour_key, parse_hour_key
from iota_dagster.core.store import identity
from iota_dagster.core.store.database import chunked
from iota_dagster.defs.jobs import ingest
from iota_dagster.defs.partitions import HOURLY, outside_partitions
from iota_dagster.defs.sensor_platform import sensor_platform
from iota_dagster.defs.steps import BACKLOG_TAG, CLAIM_TAG
from iota_dagster.platform import Platform
from iota_dagster.settings import load_settings

LOOK_SECONDS = 5
"""A sensor that waits for messages looks so often for hours that need a run for another reason."""
OUTAGES = 5
"""Outages that a tick names; hundreds of messages may wait for the same one."""
RUNS_PER_TICK = 50


def _look(context: dg.SensorEvaluationContext, platform: Platform) -> dg.SensorResult:
    """One tick: take messages in, then ask for the runs that are needed, waiting for either for a while."""
    store = _store_id(platform)
    requesting = Requesting(platform.database, partial(last_runs, context.instance, store), _partitions)
    taken, waited = _take_in(platform, 0), 0
    requests, outside = requesting.take(RUNS_PER_TICK)
    while not (requests or taken.received or taken.outages) and waited < _patience(platform):
        slice_seconds = min(LOOK_SECONDS, _patience(platform) - waited)
        taken, waited = _take_in(platform, slice_seconds), waited + slice_seconds
        requests, outside = requesting.take(RUNS_PER_TICK)
    _tell(context, taken, outside)
    runs = [_run_request(store, item) for item in requests]
    skip = None if runs else f"nothing to do ({taken.received} messages{', an outage' if taken.outages else ''})"
    return dg.SensorResult(run_requests=runs, skip_reason=skip)


def _patience(platform: Platform) -> int:
    """Seconds that a tick may wait for a message."""
    return platform.settings.queue_wait_seconds if platform.queue else 0


def _take_in(platform: Platform, wait_seconds: int) -> Taken:
    """Take messages in. A queue that does not answer keeps nobody waiting: other hours have work without it."""
    if platform.queue is None:
        return Taken()
    try:
        return platform.intake.drain(platform.queue, wait_seconds, platform.settings.queue_messages)
    except Outage as outage:
        return Taken(outages=[str(outage)])


def _tell(context: dg.SensorEvaluationContext, taken: Taken, outside: list[Hour]) -> None:
    if taken.received:
        outcomes = ", ".join(f"{name}: {number}" for name, number in sorted(taken.by_outcome().items()))
        found = f"{taken.new} of {taken.objects} objects are new"
        found += f", {taken.events} new events are spooled" if taken.events else ""
        context.log.info(f"{taken.received} messages ({outcomes}), {found}")
    for outage, times in Counter(taken.outages).most_common(OUTAGES):
        context.log.warning(f"messages wait in the queue until this has passed: {outage} ({times} times)")
    if outside:
        context.log.warning(outside_partitions(outside))


def _partitions() -> range:
    first, last = HOURLY.get_first_partition_key(), HOURLY.get_last_partition_key()
    return range(parse_hour_key(first), parse_hour_key(last) + 1) if first and last else range(0)


def _store_id(platform: Platform) -> str:
    """The store's id, which a restored or rebuilt store gives up."""
    with platform.database.read() as connection:
        found = identity.store_id(connection)
    if found is None:
        with platform.database.begin() as connection:
            found = identity.make_store_id(connection)
    return found


def run_key(store: str, hour: Hour, attempt: int) -> str:
    """A run's key: Dagster never takes the same one twice, not even after a failure.

    A restored store counts its attempts anew, and Dagster's history has the old ones' keys: the store is part of it.
    """
    return f"{hour_key(hour)}:{attempt}:{store[:8]}"


def _run_request(store: str, item: Request) -> dg.RunRequest:
    tags = {CLAIM_TAG: "1", "dagster/priority": "10"} if item.recent else {CLAIM_TAG: "1", BACKLOG_TAG: "1"}
    key = run_key(store, item.hour, item.attempt)
    return dg.RunRequest(run_key=key, partition_key=hour_key(item.hour), tags=tags)


def last_runs(instance: dg.DagsterInstance, store: str, attempts: Mapping[Hour, int]) -> dict[Hour, LastRun]:
    """What became of the runs that were asked for, their retries included, by one query; of those that there are."""
    hours = {run_key(store, hour, attempt): hour for hour, attempt in attempts.items()}
    found: dict[Hour, LastRun] = {}
    for keys in chunked(hours, 1_000):
        for run in instance.get_runs(dg.RunsFilter(tags={RUN_KEY_TAG: keys})):  # the newest first
            found.setdefault(hours[run.tags[RUN_KEY_TAG]], LastRun(_state(run), run.root_run_id or run.run_id))
    return found


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
            return _look(context, sensor_platform())

        yield look


SENSORS = list(_sensors())
