"""`iota demo`: the whole platform on an AWS of its own, to look at; or once through, for scripts."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

import click

if TYPE_CHECKING:
    from rich.console import Console

    from iota_dagster.demo.once import Demo


@click.command("demo")
@click.option("--once", is_flag=True, help="Only the last day's traffic, without UI; then the result, and an end.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object; implies --once.")
@click.option("--seconds", type=click.FloatRange(min=0), help="End after so many seconds, not with Ctrl-C.")
def command(once: bool, as_json: bool, seconds: float | None) -> None:
    """Try everything on generated logs, without an AWS account.

    Starts an AWS of its own on this machine: three accounts whose CloudTrail is put into buckets and told of through
    SNS and SQS, with an attack in it. Dagster's sensors take it from there. Ctrl-C ends everything and removes it.
    """
    with _ending_on_sigterm():
        if once or as_json:
            _once(as_json=as_json)
        else:
            _live(seconds)


@contextmanager
def _ending_on_sigterm() -> Iterator[None]:
    """SIGTERM ends the demo as Ctrl-C does, children and all."""

    def interrupt(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _live(seconds: float | None) -> None:
    from rich.console import Console

    from iota_dagster.demo.live import run_live
    from iota_dagster.demo.view import showing, summary

    console = Console(highlight=False)
    told = Console(stderr=True, highlight=False)
    with showing(console) as show:
        view = run_live(lambda text: told.print(f"{text} …"), show, seconds)
    console.print(summary(view), markup=False, soft_wrap=True)


def _once(*, as_json: bool) -> None:
    from rich.console import Console

    from iota_dagster.cli.outcome import tell_problems
    from iota_dagster.demo.once import run_once

    started = time.monotonic()
    with Console(stderr=True, quiet=as_json).status("starting") as status:
        demo = run_once(status.update)
    seconds = round(time.monotonic() - started, 3)
    if as_json:
        click.echo(json.dumps(_figures(demo, seconds), ensure_ascii=False))
    else:
        _show(demo, seconds)
    tell_problems(demo.summary.problems)


def _figures(demo: Demo, seconds: float) -> dict[str, object]:
    from iota_dagster.cli.text import plain

    return demo.summary.as_dict() | {
        "accounts": demo.accounts,
        "glue_partitions": demo.glue_partitions,
        "seconds": seconds,
        "alert_titles": [alert.title for alert in demo.alerts],
        "answer": [plain(row) for row in demo.answer.to_pylist()],
    }


def _show(demo: Demo, seconds: float) -> None:
    from rich.console import Console
    from rich.text import Text

    from iota_dagster.demo.question import QUESTION, SQL
    from iota_dagster.demo.view import answer_table

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=160)
    _show_figures(console, demo, seconds)
    _show_alerts(console, demo)
    console.print(f"\n{QUESTION}", style="bold")
    console.print(Text(SQL), style="dim")
    console.print(answer_table(demo.answer))


def _show_figures(console: Console, demo: Demo, seconds: float) -> None:
    from rich.table import Table

    summary = demo.summary
    console.print(f"\nA day of CloudTrail of {demo.accounts} invented AWS accounts, from S3 through SNS and SQS")
    grid = Table(show_header=False, box=None, padding=(0, 2))
    grid.add_column()
    grid.add_column(justify="right")
    grid.add_row("log objects", f"{summary.objects:,}", f"in {seconds:.1f} s, start and upload included")
    grid.add_row("records", f"{summary.records:,}", "each one is an event, a duplicate or in quarantine")
    grid.add_row("events", f"{summary.events:,}", "kept, once")
    grid.add_row("duplicates", f"{summary.duplicates:,}", "the organization's trail repeats the accounts' own")
    grid.add_row("quarantined", f"{summary.quarantined:,}", "kept aside")
    grid.add_row("Glue partitions", f"{demo.glue_partitions:,}", "for Athena and the like")
    console.print(grid)


def _show_alerts(console: Console, demo: Demo) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from iota_dagster.cli.text import printable
    from iota_dagster.demo.view import severity

    count = len(demo.alerts)
    heading = f"\n{count} alert{'' if count == 1 else 's'} from {demo.summary.matches:,} matches"
    console.print(heading, style="bold")
    if not demo.alerts:
        return
    table = Table("severity", "when (UTC)", "rule", "title", box=box.SIMPLE_HEAD, pad_edge=False)
    for alert in demo.alerts:
        when = f"{alert.first_event_time:%Y-%m-%d %H:%M}"
        table.add_row(severity(alert), when, Text(alert.rule_id), Text(printable(alert.title)))
    console.print(table)
