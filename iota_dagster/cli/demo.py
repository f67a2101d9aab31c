"""`iota demo`: the whole road on generated logs, and what came of it."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import Console

    from iota_dagster.demo.run import Demo

STYLES = {"CRITICAL": "bold red", "HIGH": "red", "MEDIUM": "yellow", "LOW": "cyan"}


@click.command("demo")
@click.option("--once", is_flag=True, help="Only the result, without how to go on from there.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(once: bool, as_json: bool) -> None:
    """Try everything on generated logs, without AWS.

    Writes CloudTrail of three invented accounts, with an attack among the noise, into the home folder and ingests it
    as any other logs. On the same home again, it adds the hours since the last time.
    """
    from rich.console import Console

    from iota_dagster.cli.ingest import tell_problems
    from iota_dagster.cli.query import known_tables
    from iota_dagster.demo.run import run_demo

    started = time.monotonic()
    with Console(stderr=True, quiet=as_json).status("writing logs") as status:
        demo = run_demo(known_tables(), lambda done, total: status.update(f"log objects: {done:,} of {total:,}"))
    seconds = round(time.monotonic() - started, 3)
    if as_json:
        click.echo(json.dumps(_figures(demo, seconds), ensure_ascii=False))
    else:
        _show(demo, seconds, hints=not once)
    tell_problems(demo.summary.problems)


def _figures(demo: Demo, seconds: float) -> dict[str, object]:
    from iota_dagster.cli.query import plain

    return demo.summary.as_dict() | {
        "seconds": seconds,
        "alert_titles": [alert.title for alert in demo.alerts],
        "answer": [plain(row) for row in demo.answer.to_pylist()],
    }


def _show(demo: Demo, seconds: float, *, hints: bool) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=160)
    _show_figures(console, demo, seconds)
    _show_alerts(console, demo)
    _show_answer(console, demo)
    if hints:
        _show_hints(console)


def _show_figures(console: Console, demo: Demo, seconds: float) -> None:
    from rich.table import Table

    summary = demo.summary
    if demo.generated:
        console.print(f"\nCloudTrail of three invented AWS accounts, written to {demo.folder}")
    else:
        console.print(f"\nThe logs in {demo.folder} reach up to this hour already: nothing new was written.")
    grid = Table(show_header=False, box=None, padding=(0, 2))
    grid.add_column()
    grid.add_column(justify="right")
    grid.add_row("log objects", f"{summary.objects:,}", f"in {seconds:.1f} s, start and writing of the logs included")
    grid.add_row("records", f"{summary.records:,}", "each one is an event, a duplicate or in quarantine")
    grid.add_row("events", f"{summary.events:,}", "kept, once")
    grid.add_row("duplicates", f"{summary.duplicates:,}", "the organization's trail repeats the accounts' own")
    grid.add_row("quarantined", f"{summary.quarantined:,}", "kept aside: iota quarantine list")
    console.print(grid)


def _show_alerts(console: Console, demo: Demo) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from iota_dagster.cli.query import printable

    count = len(demo.alerts)
    heading = f"\n{count} new alert{'' if count == 1 else 's'} from {demo.summary.matches:,} new matches"
    console.print(heading, style="bold")
    if not demo.alerts:
        return
    table = Table("severity", "when (UTC)", "rule", "title", box=box.SIMPLE_HEAD, pad_edge=False)
    for alert in demo.alerts:
        when = f"{alert.first_event_time:%Y-%m-%d %H:%M}"
        severity = Text(alert.severity, STYLES.get(alert.severity, ""))
        table.add_row(severity, when, Text(alert.rule_id), Text(printable(alert.title)))
    console.print(table)
    for destination in demo.settings.destinations:
        console.print(f"{destination.name}: {destination.path}")


def _show_answer(console: Console, demo: Demo) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from iota_dagster.cli.query import printable
    from iota_dagster.demo.run import QUESTION, SQL

    console.print(f"\n{QUESTION}", style="bold")
    console.print(Text(SQL), style="dim")
    table = Table(*demo.answer.column_names, box=box.SIMPLE_HEAD, pad_edge=False)
    for row in demo.answer.to_pylist():
        table.add_row(*(Text("" if value is None else printable(str(value))) for value in row.values()))
    console.print(table)


def _show_hints(console: Console) -> None:
    from rich.table import Table

    console.print("\nLook on", style="bold")
    grid = Table(show_header=False, box=None, padding=(0, 2))
    grid.add_row("make dev", "Dagster's UI on the same home: assets, hours, runs and their figures")
    grid.add_row('iota query "SELECT title, matches FROM alerts"', "SQL over the lake and the alerts")
    grid.add_row("iota objects", "the ledger of log objects")
    grid.add_row("iota ingest FOLDER", "logs of your own")
    console.print(grid)
