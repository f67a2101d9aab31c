"""The one partitions object of all assets: hours, UTC, from the configured start to two hours ahead of the clock."""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from iota_dagster.core.hours import Hour, hour_key
from iota_dagster.settings import load_settings

HOURLY = dg.HourlyPartitionsDefinition(
    start_date=load_settings().partitions_start.strftime("%Y-%m-%d-00:00"),
    end_offset=3,  # the hour in progress and, for skewed clocks, two more
    timezone="UTC",
)
BACKFILL = dg.BackfillPolicy.multi_run(max_partitions_per_run=24)
"""A day per run: the start-up cost is paid once, and a failure costs a day."""


def outside_partitions(hours: Sequence[Hour]) -> str:
    """What to tell of delivery hours, at least one, that are no partitions, and what to do about them."""
    return (
        f"{len(hours)} delivery hours lie outside the partitions, the first is {hour_key(hours[0])}: their objects "
        "stay pending; set partitions_start (IOTA_PARTITIONS_START) to an earlier day"
    )
