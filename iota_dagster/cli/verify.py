"""`iota verify`: is every log here, as it was delivered? One command tells, and fetches what is missing."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from iota_dagster.cli.tables import console
from iota_dagster.cli.text import cell, printable
from iota_dagster.cli.times import moment

if TYPE_CHECKING:
    from iota_dagster.core.completeness.listing import Listing
    from iota_dagster.verifying import DigestReport, Fetched

SHOWN = 50
"""Lines of a table; `--json` has all."""


@click.command("verify")
@click.option("--from", "since", type=moment, metavar="TIME", help="From when on, UTC. [default: 24 hours before --to]")
@click.option(
    "--to", "until", type=moment, metavar="TIME", help="Until when, UTC, not included. [default: an hour ago]"
)
@click.option("--integration", "integrations", multiple=True, help="List only this one; may be given several times.")
@click.option("--no-listing", is_flag=True, help="Compare with the digests alone.")
@click.option("--fetch", is_flag=True, help="Register what is missing, so that it is processed.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def command(
    since: datetime | None,
    until: datetime | None,
    integrations: tuple[str, ...],
    no_listing: bool,
    fetch: bool,
    as_json: bool,
) -> None:
    """Compare the ledger with CloudTrail's digests and with what lies in the integrations' places.

    Only what was delivered in the hours between --from and --to is looked at. The exit code is 1 when something is
    missing, not done, altered, unlisted or not to be trusted, or could not be looked at.
    """
    from iota_dagster.core.hours import hour_start
    from iota_dagster.platform import open_platform
    from iota_dagster.scanning import hours_between
    from iota_dagster.settings import load_settings
    from iota_dagster.verifying import fetch_missing, verify_digests, verify_listings

    settings = load_settings()
    until = until or datetime.now(UTC) - timedelta(hours=1)
    hours = hours_between(settings, since or until - timedelta(hours=24), until)
    platform = open_platform(settings)
    try:
        listings = () if no_listing else verify_listings(platform, hours, integrations or None, fetch=fetch)
        report = verify_digests(platform, hours)
        fetched = fetch_missing(platform, report.comparison.findings) if fetch else None
    finally:
        platform.database.dispose()
    first, end = (f"{hour_start(hour):%Y-%m-%dT%H}:00Z" for hour in (hours[0], hours[-1] + 1))
    if as_json:
        click.echo(json.dumps({"from": first, "to": end} | _figures(report, listings, fetched), default=str))
    else:
        _show(report, listings, fetched, f"delivered from {first} to {end}")
    whole = all(item.is_complete for item in listings) and not report.reading.waiting
    if report.comparison.findings or not whole:
        raise click.exceptions.Exit(1)


def _figures(report: DigestReport, listings: tuple[Listing, ...], fetched: Fetched | None) -> dict[str, Any]:
    return {
        "digests": [
            {"signature": state, "why": why, "digests": count} for (state, why), count in sorted(report.states.items())
        ],
        "findings": [asdict(item) for item in report.comparison.findings],
        "is_whole": report.comparison.is_whole,
        "more": report.comparison.more,
        "waiting": report.reading.waiting,
        "listings": [asdict(item) for item in listings],
        "fetched": asdict(fetched) if fetched else None,
    }


def _show(report: DigestReport, listings: tuple[Listing, ...], fetched: Fetched | None, title: str) -> None:
    out = console()
    if listings:
        out.print(_listings(listings, title))
    if report.states:
        out.print(_digests(report))
    else:
        click.echo("No digest of these hours is done: log file validation is off, or they are pending.")
    if report.comparison.findings:
        out.print(_findings(report))
    for text in (*report.reading.waiting, *(item.error for item in listings if item.error)):
        click.echo(printable(f"could not be looked at: {text}"), err=True)
    if fetched is not None:
        registered = fetched.registered + sum(item.registered for item in listings)
        click.echo(f"{registered:,} objects were registered and are pending.")
        for text in fetched.failed:
            click.echo(printable(f"cannot be fetched: {text}"), err=True)
    elif any(item.lacking for item in listings) or any(item.kind == "missing" for item in report.comparison.findings):
        click.echo("The same command with --fetch registers what is missing.")


def _listings(listings: tuple[Listing, ...], title: str) -> Any:
    from rich.table import Table

    table = Table("integration", title=title, title_justify="left")
    for heading in ("listed", "not in the ledger", "not done"):
        table.add_column(heading, justify="right")
    for item in listings:
        waiting = ", ".join(f"{count:,} {status}" for status, count in sorted(item.not_done.items()))
        table.add_row(item.integration, f"{item.listed:,}", f"{item.lacking:,}", waiting or "0")
    return table


def _digests(report: DigestReport) -> Any:
    from rich.table import Table

    table = Table("digests", "signature", "why", title="CloudTrail's digests", title_justify="left")
    for (state, why), count in sorted(report.states.items()):
        table.add_row(f"{count:,}", state, cell(why))
    return table


def _findings(report: DigestReport) -> Any:
    from rich.table import Table

    found, more = report.comparison.findings, report.comparison.more
    table = Table("finding", "object", "why", title=f"{len(found) + more:,} findings", title_justify="left")
    for item in found[:SHOWN]:
        table.add_row(item.kind.value, cell(f"{item.bucket}/{item.key}"), cell(item.detail))
    if len(found) > SHOWN:
        table.add_row("…", f"{len(found) - SHOWN:,} more: --json has them", "")
    if more:
        table.add_row("…", f"{more:,} more were only counted: look at fewer hours", "")
    return table
