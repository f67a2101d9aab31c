"""`iota repair`: a lost or restored store learns from its lake."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from iota_dagster.cli.outcome import show_figures, tell_problems

if TYPE_CHECKING:
    from iota_dagster.core.recovery.repair import Repaired
    from iota_dagster.platform import Platform

_LATE = timedelta(days=1)
"""How long before its registration an object may have been delivered: files come late, and messages wait."""


@click.command("repair")
@click.option("--dry-run", is_flag=True, help="Change nothing: say what would be rebuilt.")
@click.option("--restored", is_flag=True, help="The store was put back by other means than `iota restore`.")
@click.option("--adopt", is_flag=True, help="Rebuild nothing: declare that this store knows the lake, as it is.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def command(dry_run: bool, restored: bool, adopt: bool, as_json: bool) -> None:
    """Rebuild from the lake what the store does not know. Stop Dagster first.

    Rebuilt are the lake's files, what was admitted to each event hour, batches, and the log objects that rows name.
    Not in the lake, and so not rebuilt: alerts and whom they were sent to, quarantine, what rules remembered, counts
    of duplicates. A rebuilt batch cannot be done again. Exit code 1: something could not be read; it is named.
    """
    from iota_dagster.core.recovery.repair import Repair
    from iota_dagster.housekeeping import retention_of
    from iota_dagster.platform import open_platform
    from iota_dagster.settings import load_settings

    if adopt and (dry_run or restored):
        raise click.UsageError("--adopt goes with neither --dry-run nor --restored")
    platform = open_platform(load_settings())
    try:
        if adopt:
            _adopt(platform, as_json)
            return
        retention = retention_of(platform.settings)
        repair = Repair(platform.road.lake, platform.state, platform.intake.spool, retention)
        is_own = repair.is_own() and not restored
        done = repair.run(datetime.now(UTC), dry_run=dry_run, restored=restored)
        scan_from = None if is_own else _scan_from(platform)
    finally:
        platform.database.dispose()
    figures: dict[str, Any] = {"dry_run": dry_run, "is_own": is_own, **asdict(done), "scan_from": scan_from}
    if as_json:
        click.echo(json.dumps(figures))
    else:
        _show(done, is_own, dry_run, scan_from)
    tell_problems(done.problems)


def _scan_from(platform: Platform) -> str | None:
    """From when on log objects may be unknown that no message tells of any more; None where nothing says so."""
    from iota_dagster.core.store.rebuilt import known_until

    with platform.database.read() as connection:
        until = known_until(connection)
    return f"{until - _LATE:%Y-%m-%dT%H}:00Z" if until else None


def _adopt(platform: Platform, as_json: bool) -> None:
    from iota_dagster.core.lake.ownership import adopt

    adopt(platform.database, platform.lake, datetime.now(UTC))
    if as_json:
        click.echo(json.dumps({"adopted": platform.lake.url}))
    else:
        click.echo(f"{platform.lake.url} is this store's lake now.")
        click.echo("Files that the store does not name count for nothing.")


def _show(done: Repaired, is_own: bool, dry_run: bool, scan_from: str | None) -> None:
    if is_own:
        click.echo("The lake names this store as its own: there is nothing to rebuild.")
        return
    show_figures(asdict(done))
    if dry_run:
        click.echo("Nothing was changed.")
    elif done.problems:
        click.echo("The rest is rebuilt. When these are seen to, run it again, or: iota repair --adopt")
    else:
        lost = "what came after the backup" if scan_from else "what was pending, from before the oldest outage on"
        click.echo(f"The lake is this store's own again. Now look for {lost}:")
        click.echo(f"  iota scan --from {scan_from or 'TIME'}")
