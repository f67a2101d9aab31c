"""Scheduled queries: a sensor looks once a minute what is due, and a small job runs it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from iota_dagster.core.scheduled_queries.requests import ask_for_run, judged_queries, keep_schedules
from iota_dagster.defs.assets.correlations import correlation_figures
from iota_dagster.defs.figures import Cell, Figures, numbers, table
from iota_dagster.defs.resources.platform import PlatformResource
from iota_dagster.defs.sensor_platform import sensor_platform
from iota_dagster.defs.steps import waiting_out_outages
from iota_dagster.defs.telling import tell
from iota_dagster.log_types import own_log_types
from iota_dagster.process_workers import rule_pack

if TYPE_CHECKING:
    from iota_dagster.core.scheduled_queries.runner import QueryRun

LOOK_SECONDS = 60


class AskedQueries(dg.Config):
    """The queries that a run is asked for, with the attempt that it is at each. A run by hand names none."""

    attempts: dict[str, int] = Field(default={})


@dg.op
@waiting_out_outages()
def run_due_queries(context: dg.OpExecutionContext, config: AskedQueries, platform: PlatformResource) -> None:
    """Run the queries that are due, judge their rows, look at what that means to correlation rules, and tell people."""
    from iota_dagster.core.scheduled_queries.runner import (
        Querying,  # DuckDB: half a second that no other run should pay
    )

    runs = Querying(platform.road).run_due(config.attempts)
    for item in runs.done:
        _log(context.log, item)
    try:
        told = tell(context.log, platform.platform)
    finally:
        if platform.platform.catalog is not None:
            platform.platform.catalog.register(runs.changed)
    if runs.outage is not None:
        raise runs.outage
    sums = told.deliveries
    sent = numbers({"sent": sums.sent, "retried": sums.retried, "failed": sums.failed})
    correlated = correlation_figures(told.correlated)
    context.add_output_metadata({**_figures(runs.done), "correlation_matches": correlated["matches"], **sent})


def _log(log: dg.DagsterLogManager, item: "QueryRun") -> None:
    log.info(f"{item.name}, due at {item.due_at:%Y-%m-%d %H:%M} UTC: {item.rows} rows in {item.seconds:.1f} s")
    if item.error:
        log.error(f"{item.name}: {item.error}")
    for failure in item.failures:
        log.error(f"rule {failure.rule_id}, {failure.function}: {failure.error}")


def _figures(done: Sequence["QueryRun"]) -> Figures:
    rows: Iterator[Mapping[str, Cell]] = (
        {"query": item.name, "rows": item.rows, "matches": item.changes.matches, "seconds": round(item.seconds, 1)}
        for item in done
    )
    values = {
        "queries": len(done),
        "rows": sum(item.rows for item in done),
        "matches": sum(item.changes.matches for item in done),
        "alerts_created": sum(len(item.changes.created) for item in done),
        "query_failures": sum(item.error is not None for item in done),
        "rule_failures": sum(len(item.failures) for item in done),
    }
    return numbers(values) | table("by_query", rows)


@dg.job(
    tags={"iota/alone": "scheduled_queries"},
    description="Runs the scheduled queries that are due, and the rules over their rows, apart from any hour.",
)
def scheduled_queries() -> None:
    """One op: everything that is due."""
    run_due_queries()


@dg.sensor(
    job=scheduled_queries,
    minimum_interval_seconds=LOOK_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Asks for a run when a scheduled query is due.",
)
def scheduled_query_due() -> dg.RunRequest | dg.SkipReason:
    """One look; the rules are read again when a file of theirs has changed, so that a new query needs no restart."""
    platform = sensor_platform()
    own_log_types(platform.settings)
    now = platform.road.clock()
    pack = rule_pack(platform.settings)
    queries = judged_queries(pack)
    keep_schedules(platform.database, queries, now, whole=not pack.errors)
    asked = ask_for_run(platform.database, now, [item.name for item in queries])
    if asked is None:
        return dg.SkipReason("no scheduled query is due")
    config = dg.RunConfig(ops={"run_due_queries": AskedQueries(attempts=asked.attempts)})
    return dg.RunRequest(run_key=f"queries-{asked.key}", run_config=config)
