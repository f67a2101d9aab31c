"""The assets, in the order of the road."""

from __future__ import annotations

import dagster as dg

from iota_dagster.defs.assets.alerting import alert_deliveries, alerts
from iota_dagster.defs.assets.correlations import correlations
from iota_dagster.defs.assets.glue import glue_partitions
from iota_dagster.defs.assets.ingest import events, raw_logs
from iota_dagster.defs.assets.lake import lake
from iota_dagster.defs.assets.tables import TABLES

ROAD: list[dg.AssetsDefinition] = [raw_logs, events, lake, alerts, correlations, alert_deliveries, glue_partitions]
"""By delivery hour: what one run does for a batch."""
ASSETS: list[dg.AssetsDefinition] = [*ROAD, *TABLES]
"""With the lake's tables, by event hour."""
