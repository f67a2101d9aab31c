"""`iota housekeeping`: what the nightly job does, now, or only what it would do; and hours brought back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from iota_dagster.cli.tables import console
from iota_dagster.cli.times import moment
from iota_dagster.core.hours import hours_within

if TYPE_CHECKING:
    from iota_dagster.core.store.lake_upkeep import HourFiles
    from iota_dagster.housekeeping import Done
    from iota_dagster.platform import Platform
    from iota_dagster.settings import Settings

_SHOWN = {
    "compacted": "hours whose small files are joined",
    "expired": "hours past their days",
    "lake_files": "replaced lake files",
    "left_lake_files": "lake files of killed writers",
    "work_folders": "work folders",
    "id_files": "id files",
    "scratch_folders": "scratch folders",
    "spool_files": "stray spool files",
    "spooled_events": "ids of spooled events",
    "rule_values": "values of rules",
    "dagster_runs": "Dagster's superseded runs",
    "store_free": "free pages of the store",
}


@click.command("housekeeping")
@click.option("--dry-run", is_flag=True, help="Change nothing: say what would go.")
@click.option("--bring-back", metavar="TABLE", help="Instead: let hours that retention took have rows again.")
@click.option("--from", "since", type=moment, metavar="TIME", help="With --bring-back: from which event time on, UTC.")
@click.option("--to", "until", type=moment, metavar="TIME", help="With --bring-back: until when, UTC, not included.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def command(
    dry_run: bool, bring_back: str | None, since: datetime | None, until: datetime | None, as_json: bool
) -> None:
    """Join small files, apply the lake's retention, throw away what nothing needs any more.

    The job `maintenance` does this every night; it may run beside everything else. Files of the lake go a day after
    their hour was joined or expired.
    """
    from iota_dagster.platform import open_platform
    from iota_dagster.settings import load_settings

    hours = _hours_to_bring_back(bring_back, since, until, dry_run)
    settings = load_settings()
    platform = open_platform(settings)
    try:
        if bring_back is not None:
            _bring_back(platform, bring_back, hours, as_json)
            return
        figures = _keep_house(platform, settings, dry_run)
    finally:
        platform.database.dispose()
    if as_json:
        click.echo(json.dumps({"dry_run": dry_run} | figures))
    else:
        _show(figures, dry_run)


def _hours_to_bring_back(table: str | None, since: datetime | None, until: datetime | None, dry_run: bool) -> range:
    """The hours that are asked for, none without any of the options; some without the others are a usage error.

    What is forgotten must not turn into the real pass.
    """
    if table is None and since is None and until is None:
        return range(0)
    if table is None or since is None or until is None or dry_run:
        raise click.UsageError("--bring-back, --from and --to go together, and not with --dry-run")
    return hours_within(since, until)


def _keep_house(platform: Platform, settings: Settings, dry_run: bool) -> dict[str, Any]:
    from iota_dagster.housekeeping import keep_house

    now = datetime.now(UTC)
    done = keep_house(platform, now, dry_run=dry_run, say=lambda text: click.echo(text, err=True))
    runs = _dagster_runs(settings, now - timedelta(days=settings.dagster_runs_days), dry_run)
    return _figures(done) | {"dagster_runs": {"count": runs}}


def _dagster_runs(settings: Settings, before: datetime, dry_run: bool) -> int:
    from iota_dagster.defs.dagster_retention import forget_runs
    from iota_dagster.home import open_instance

    with open_instance(settings) as instance:
        return forget_runs(instance, before, dry_run=dry_run).deleted


def _figures(done: Done) -> dict[str, Any]:
    counts = done.removed.counts()
    found: dict[str, Any] = {"compacted": _hours(done.compacted), "expired": _hours(done.expired)}
    for name, count in counts.items():
        size = done.removed.bytes.get(name)
        found[name] = {"count": count} if size is None else {"count": count, "bytes": size}
    if done.store is not None:
        found["store_free"] = {"count": int(done.store.vacuum), "bytes": done.store.free}
    return found


def _hours(hours: Iterable[HourFiles]) -> dict[str, int]:
    items = list(hours)
    return {
        "count": len(items),
        "files": sum(item.files for item in items),
        "bytes": sum(item.bytes for item in items),
    }


def _show(figures: Mapping[str, Mapping[str, int]], dry_run: bool) -> None:
    from rich.table import Table

    table = Table("what", title="What would be done" if dry_run else "Done", title_justify="left")
    for heading in ("count", "files", "bytes"):
        table.add_column(heading, justify="right")
    for name, text in _SHOWN.items():
        item = figures.get(name)
        if item is not None:
            shown = (f"{item[key]:,}" if key in item else "" for key in ("count", "files", "bytes"))
            table.add_row(text, *shown)
    console().print(table)


def _bring_back(platform: Platform, table: str, hours: range, as_json: bool) -> None:
    from iota_dagster.core.lake.expiry import bring_back

    found, batches = bring_back(platform.road.lake, table, hours, datetime.now(UTC))
    if as_json:
        click.echo(json.dumps({"table": table, "hours": len(found), "batches": len(batches)}))
        return
    click.echo(f"{len(found):,} hours of {table} take rows again; {len(batches):,} batches wait for being done again.")
    if batches:
        click.echo("The sensors of a running Dagster take them up; without one, so does `iota backfill --only-new`.")
