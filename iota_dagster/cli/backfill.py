"""`iota backfill`: some hours once more, from their buckets to the lake and the alerts."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime

import click

from iota_dagster.cli.outcome import interruptible, progress_bar, show_figures, tell
from iota_dagster.cli.times import moment


@click.command("backfill")
@click.option("--from", "since", type=moment, metavar="TIME", required=True, help="From when on, UTC.")
@click.option("--to", "until", type=moment, metavar="TIME", help="Until when, UTC, not included. [default: now]")
@click.option("--only-new", is_flag=True, help="Leave what is done as it is.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def command(since: datetime, until: datetime | None, only_new: bool, as_json: bool) -> None:
    """Scan the delivery hours between --from and --to, and process them in this process.

    Without --only-new also what is done is done again: the same logs and rules give the same rows and alerts, changed
    ones replace them, and nobody is paged for what was done before. It may run beside a live Dagster.
    """
    from iota_dagster.ingesting import backfill
    from iota_dagster.platform import open_platform
    from iota_dagster.scanning import hours_between
    from iota_dagster.settings import load_settings

    started = time.monotonic()
    settings = load_settings()
    span = hours_between(settings, since, until or datetime.now(UTC))
    platform = open_platform(settings)
    advice = "what is done stays, and the same command does the rest."
    try:
        with interruptible(advice), progress_bar(not as_json) as progress:
            done = backfill(platform, span, only_new=only_new, progress=progress)
    finally:
        platform.database.dispose()
    figures = done.as_dict() | {"seconds": round(time.monotonic() - started, 3)}
    if as_json:
        click.echo(json.dumps(figures))
    else:
        show_figures(figures)
    tell(done.summary.notes, done.summary.problems)
