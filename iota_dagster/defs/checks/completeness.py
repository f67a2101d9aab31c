"""Is everything here? Three checks on `raw_logs`: by digests and by rhythm every hour, by listing every day.

What only a check needs is imported by it: every run loads this module.
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

import dagster as dg

from iota_dagster.core.hours import hour_of
from iota_dagster.defs.figures import Cell, Figures, numbers, table
from iota_dagster.defs.resources.platform import PlatformResource
from iota_dagster.defs.steps import waiting_out_outages
from iota_dagster.defs.telling import telling_after

if TYPE_CHECKING:
    from iota_dagster.core.completeness.listing import Listing
    from iota_dagster.verifying import DigestReport, Freshness

ROWS = 100
LISTED_HOURS = 26
"""A day and what a late run may have left out."""
STEADY = timedelta(hours=1)
"""Objects of the newest hours may still be on their way."""


@dg.asset_check(asset="raw_logs", description="Every log that CloudTrail's digests list is done, with its hash.")
def logs_as_listed(context: dg.AssetCheckExecutionContext, platform: PlatformResource) -> dg.AssetCheckResult:
    """Read new digests and compare those of the last week; what is wrong is an alert, too."""
    from iota_dagster.core.completeness.findings import TAMPERING
    from iota_dagster.verifying import watch_digests

    opened = platform.platform
    with telling_after(context.log, opened.road), waiting_out_outages():
        report = watch_digests(opened, opened.road.clock())
    wrong = bool(report.of(*TAMPERING))
    return _result(not report.comparison.findings and not report.reading.waiting, _digest_figures(report), error=wrong)


@dg.asset_check(asset="raw_logs", description="No integration has been silent for longer than it ever is.")
def sources_write(context: dg.AssetCheckExecutionContext, platform: PlatformResource) -> dg.AssetCheckResult:
    """Learn each integration's rhythm and look how long ago its last object came; silence is an alert, too."""
    from iota_dagster.verifying import watch_freshness

    opened = platform.platform
    with telling_after(context.log, opened.road), waiting_out_outages():
        found = watch_freshness(opened, opened.road.clock())
    return _result(not found.silences, _freshness_figures(found), error=True)


@dg.asset_check(asset="raw_logs", description="The ledger has all that lies in the integrations' places.")
def places_listed(platform: PlatformResource) -> dg.AssetCheckResult:
    """List the last day; what the ledger lacks is registered, and says that notifications get lost."""
    from iota_dagster.verifying import verify_listings

    opened = platform.platform
    last = hour_of(opened.road.clock() - STEADY)
    with waiting_out_outages():
        found = verify_listings(opened, range(last - LISTED_HOURS, last), fetch=True)
    return _result(all(item.is_complete for item in found), _listing_figures(found), error=False)


def _result(passed: bool, figures: Figures, *, error: bool) -> dg.AssetCheckResult:
    severity = dg.AssetCheckSeverity.ERROR if error else dg.AssetCheckSeverity.WARN
    return dg.AssetCheckResult(passed=passed, severity=severity, metadata=figures)


def _digest_figures(report: "DigestReport") -> Figures:
    from iota_dagster.core.completeness.findings import Kind

    values = {
        "digests": sum(report.states.values()),
        "digests_read": report.reading.digests,
        "files_listed": report.reading.files,
        **{kind.value: len(report.of(kind)) for kind in Kind},
        "more_findings": report.comparison.more,
    }
    findings: Iterator[Mapping[str, Cell]] = (
        {"finding": item.kind.value, "object": f"{item.bucket}/{item.key}", "why": item.detail}
        for item in report.comparison.findings
    )
    states: Iterator[Mapping[str, Cell]] = (
        {"signature": state, "why": why, "digests": count} for (state, why), count in sorted(report.states.items())
    )
    waiting: Iterator[Mapping[str, Cell]] = ({"outage": text} for text in report.reading.waiting)
    return numbers(values) | table("findings", findings, ROWS) | table("signatures", states) | table("waiting", waiting)


def _freshness_figures(found: "Freshness") -> Figures:
    silent = {item.integration for item in found.silences}
    rows: Iterator[Mapping[str, Cell]] = (
        {
            "integration": name,
            "state": "silent" if name in silent else "writes" if rhythm else "no rhythm known yet",
            "last": f"{rhythm.last:%Y-%m-%d %H:%M}" if rhythm else "",
            "allowed_minutes": int(rhythm.allowed.total_seconds() // 60) if rhythm else 0,
        }
        for name, rhythm in sorted(found.rhythms.items(), key=lambda item: (item[0] not in silent, item[0]))
    )
    return numbers({"integrations": len(found.rhythms), "silent": len(silent)}) | table("integrations_seen", rows, ROWS)


def _listing_figures(found: tuple["Listing", ...]) -> Figures:
    values = {
        "listed": sum(item.listed for item in found),
        "lacking": sum(item.lacking for item in found),
        "registered": sum(item.registered for item in found),
        "not_done": sum(sum(item.not_done.values()) for item in found),
    }
    objects: Iterator[Mapping[str, Cell]] = (
        {"integration": item.integration, "object": name, "status": status}
        for item in found
        for name, status in item.examples
    )
    errors: Iterator[Mapping[str, Cell]] = (
        {"integration": item.integration, "error": item.error} for item in found if item.error
    )
    return numbers(values) | table("objects", objects, ROWS) | table("errors", errors, ROWS)


COMPLETENESS_CHECKS = [logs_as_listed, sources_write, places_listed]
