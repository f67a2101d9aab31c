"""The job and the schedule of the lake's quality: every hour, apart from what makes alerts."""

from __future__ import annotations

import dagster as dg

from iota_dagster.defs.checks.quality import accounting, lake_quality

quality = dg.define_asset_job(
    "quality",
    selection=dg.AssetSelection.checks(lake_quality, accounting),
    tags={"iota/alone": "quality"},
    description="Holds what has changed in the lake against its tables' suites, and against the ledger's accounting.",
)
QUALITY_SCHEDULE = dg.ScheduleDefinition(
    job=quality, cron_schedule="53 * * * *", default_status=dg.DefaultScheduleStatus.RUNNING
)
