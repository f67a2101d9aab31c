"""Checks of the assets, and the jobs and schedules that run them apart from any delivery hour."""

from __future__ import annotations

from iota_dagster.defs.checks.completeness import CHECKS, COMPLETENESS_JOBS, COMPLETENESS_SCHEDULES

__all__ = ["CHECKS", "COMPLETENESS_JOBS", "COMPLETENESS_SCHEDULES"]
