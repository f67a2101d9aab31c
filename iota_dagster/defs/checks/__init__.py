"""Checks of the assets, which run apart from any delivery hour, in jobs of their own."""

from __future__ import annotations

import dagster as dg

from iota_dagster.defs.checks.completeness import COMPLETENESS_CHECKS
from iota_dagster.defs.checks.quality import QUALITY_CHECKS

CHECKS: list[dg.AssetChecksDefinition] = [*COMPLETENESS_CHECKS, *QUALITY_CHECKS]
