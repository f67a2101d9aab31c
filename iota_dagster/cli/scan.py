"""`iota scan`: the log objects that no message told of, entered into the ledger."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from iota_dagster.cli.outcome import tell_problems
from iota_dagster.cli.tables import show_rows
from iota_dagster.cli.times import moment

if TYPE_CHECKING:
    from iota_dagster.scanning import ScanReport


@click.command("scan")
@click.option("--from", "since", type=moment, metavar="TIME", help="From when on, UTC. [default: 24 hours before --to]")
@click.option("--to", "until", type=moment, metavar="TIME", help="Until when, UTC, not included. [default: now]")
@click.option("--integration", "integrations", multiple=True, help="Only this one; may be given several times.")
@click.option("--json", "as_json", is_flag=True, help="Print the reports as JSON.")
def command(since: datetime | None, until: datetime | None, integrations: tuple[str, ...], as_json: bool) -> None:
    """Look for log objects in the integrations' buckets and folders, and register those that the ledger lacks.

    Only what was delivered in the hours between --from and --to is looked for. Nothing is read and nothing is lost by
    scanning once more. The exit code is 1 when an integration could not be scanned.
    """
    from iota_dagster.core.errors import SettingsError
    from iota_dagster.core.hours import hour_start
    from iota_dagster.platform import open_platform
    from iota_dagster.scanning import hours_between, scan_hours
    from iota_dagster.settings import load_settings

    settings = load_settings()
    if not settings.integrations:
        raise SettingsError("no integrations are configured: name the buckets and folders to read in iota.yaml")
    until = until or datetime.now(UTC)
    hours = hours_between(settings, since or until - timedelta(hours=24), until)
    platform = open_platform(settings)
    try:
        reports = scan_hours(platform, hours, integrations or None)
    finally:
        platform.database.dispose()
    first, end = (f"{hour_start(hour):%Y-%m-%dT%H}:00Z" for hour in (hours[0], hours[-1] + 1))
    if as_json:
        click.echo(json.dumps({"from": first, "to": end, "integrations": [_figures(report) for report in reports]}))
    else:
        _show(reports, first, end)
    tell_problems([f"{report.integration}: {report.error}" for report in reports if report.error])


def _figures(report: ScanReport) -> dict[str, object]:
    return {name: getattr(report, name) for name in ("integration", "listed", "new", "seconds", "error")}


def _show(reports: Sequence[ScanReport], first: str, end: str) -> None:
    click.echo(f"delivered from {first} to {end}")
    show_rows(
        [
            {
                "integration": report.integration,
                "listed": report.listed,
                "new": report.new,
                "seconds": f"{report.seconds:.1f}",
                "state": "failed" if report.error else "complete",
            }
            for report in reports
        ]
    )
    if any(report.new for report in reports):
        click.echo("What is new is pending. The sensors of a running Dagster take it up by themselves; without one:")
        click.echo(f"  iota backfill --only-new --from {first} --to {end}")
