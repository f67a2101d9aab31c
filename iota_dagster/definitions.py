"""What Dagster loads: assets, checks, jobs, sensors and resources, by explicit lists."""

from __future__ import annotations

import dagster as dg

from iota_dagster.defs.assets import ASSETS
from iota_dagster.defs.backtest import rules_backtest
from iota_dagster.defs.checks import CHECKS, COMPLETENESS_JOBS, COMPLETENESS_SCHEDULES
from iota_dagster.defs.correlation_schedule import correlation_wait_ends, correlation_waits
from iota_dagster.defs.jobs import JOBS
from iota_dagster.defs.resources import resources
from iota_dagster.defs.schedules import SCHEDULES, maintenance
from iota_dagster.defs.sensors import SENSORS

defs = dg.Definitions(
    assets=ASSETS,
    asset_checks=CHECKS,
    jobs=[*JOBS, *COMPLETENESS_JOBS, maintenance, correlation_waits, rules_backtest],
    schedules=[*SCHEDULES, *COMPLETENESS_SCHEDULES],
    sensors=[*SENSORS, correlation_wait_ends],
    resources=resources(),
    executor=dg.in_process_executor,
)
