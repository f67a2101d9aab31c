"""What Dagster loads: assets, checks, jobs, sensors and resources, by explicit lists."""

from __future__ import annotations

import dagster as dg

from iota_dagster.defs.assets import ASSETS
from iota_dagster.defs.backtest import rules_backtest
from iota_dagster.defs.checks import CHECKS
from iota_dagster.defs.completeness_job import COMPLETENESS_JOBS, COMPLETENESS_SCHEDULES
from iota_dagster.defs.console import console
from iota_dagster.defs.correlation_schedule import correlation_wait_ends
from iota_dagster.defs.delivery_sensor import deliveries_due
from iota_dagster.defs.follow_up import follow_up
from iota_dagster.defs.jobs import JOBS
from iota_dagster.defs.maintenance import MAINTENANCE_SCHEDULE, maintenance
from iota_dagster.defs.quality_job import QUALITY_SCHEDULE, quality
from iota_dagster.defs.query_schedule import scheduled_queries, scheduled_query_due
from iota_dagster.defs.resources import resources
from iota_dagster.defs.sensors import SENSORS

defs = dg.Definitions(
    assets=ASSETS,
    asset_checks=CHECKS,
    jobs=[*JOBS, *COMPLETENESS_JOBS, quality, maintenance, follow_up, scheduled_queries, rules_backtest],
    schedules=[MAINTENANCE_SCHEDULE, *COMPLETENESS_SCHEDULES, QUALITY_SCHEDULE],
    sensors=[*SENSORS, correlation_wait_ends, deliveries_due, scheduled_query_due],
    resources=resources(),
    executor=dg.in_process_executor,
    loggers={"console": console},
)
