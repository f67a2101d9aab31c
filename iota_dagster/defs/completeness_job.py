"""The jobs and the schedules of completeness: every hour what is cheap, every day the listings."""

from __future__ import annotations

import dagster as dg

from iota_dagster.defs.checks.completeness import logs_as_listed, places_listed, sources_write

completeness = dg.define_asset_job(
    "completeness",
    selection=dg.AssetSelection.checks(logs_as_listed, sources_write),
    description="Compares the last week with CloudTrail's digests, and listens for sources that fell silent.",
)
reconciliation = dg.define_asset_job(
    "reconciliation",
    selection=dg.AssetSelection.checks(places_listed),
    description="Lists the integrations' places of the last day and registers what the ledger lacks.",
)
COMPLETENESS_JOBS = [completeness, reconciliation]
COMPLETENESS_SCHEDULES = [
    dg.ScheduleDefinition(
        job=completeness, cron_schedule="41 * * * *", default_status=dg.DefaultScheduleStatus.RUNNING
    ),
    dg.ScheduleDefinition(
        job=reconciliation, cron_schedule="7 4 * * *", default_status=dg.DefaultScheduleStatus.RUNNING
    ),
]
