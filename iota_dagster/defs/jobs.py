"""The jobs: what a sensor or `iota ingest` runs for a delivery hour."""

from __future__ import annotations

import dagster as dg

from iota_dagster.defs.assets import ROAD

ingest = dg.define_asset_job(
    "ingest",
    selection=dg.AssetSelection.assets(*ROAD).without_checks(),
    description="A delivery hour's log objects, all the way to rows, alerts and deliveries.",
)
JOBS = [ingest]
