"""`iota rules backtest`: what rules would have found in the lake's past hours."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from iota_dagster.cli.outcome import progress_bar
from iota_dagster.cli.own_store import own_store
from iota_dagster.cli.tables import console
from iota_dagster.cli.text import printable
from iota_dagster.cli.times import moment
from iota_dagster.core.hours import hours_within

if TYPE_CHECKING:
    from iota_dagster.backtesting import Order
    from iota_dagster.core.backtest.report import BacktestReport, Difference, RuleResult
    from iota_dagster.core.backtest.rules import LeftOut


@click.command("backtest")
@click.argument("rules", nargs=-1, metavar="[RULE]...")
@click.option("--from", "since", type=moment, metavar="TIME", required=True, help="From which event hour on, UTC.")
@click.option("--to", "until", type=moment, metavar="TIME", help="Until when, UTC, not included. [default: now]")
@click.option(
    "--rules",
    "folder",
    type=click.Path(exists=True, path_type=Path),
    help="A folder of rules, or the YAML file of one. [default: those of the settings]",
)
@click.option("--samples", type=click.IntRange(min=0), default=3, show_default=True, help="Matches shown of each rule.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of tables.")
def command(
    rules: tuple[str, ...], since: datetime, until: datetime | None, folder: Path | None, samples: int, as_json: bool
) -> None:
    """Run rules over the lake's history; nothing is stored and nobody is told.

    RULE is a rule's id, disabled or not; without any, all enabled rules run. Shown are matches and the alerts that
    they make, against what the store has of the same hours. Correlation rules and rules that remember values are left
    out.
    """
    from iota_dagster.backtesting import Order

    hours = hours_within(since, until or datetime.now(UTC))
    report = _run(Order(hours, rules, folder, samples), quiet=as_json)
    if as_json:
        click.echo(json.dumps(_as_json(report), default=_text))
    else:
        _show(report)


def _run(order: Order, quiet: bool) -> BacktestReport:
    from iota_dagster.backtesting import run_backtest
    from iota_dagster.core.backtest.run import History
    from iota_dagster.core.storage import open_storage
    from iota_dagster.log_types import own_log_types
    from iota_dagster.own_clients import own_clients
    from iota_dagster.settings import load_settings

    settings = load_settings()
    own_log_types(settings)
    lake = open_storage(settings.lake_url, own_clients(settings))
    with own_store(settings) as database, progress_bar(not quiet, "events") as progress:
        return run_backtest(settings, History(database, lake), order, progress)


def _as_json(report: BacktestReport) -> dict[str, Any]:
    results = [asdict(result) | {"matches_per_million": result.matches_per_million} for result in report.rules]
    return asdict(report) | {
        "rules": results,
        "matches": asdict(report.total("matches")),
        "alerts": asdict(report.total("alerts")),
    }


def _text(value: object) -> str:
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else str(value)


def _show(report: BacktestReport) -> None:
    out = console()
    noticed = [result for result in report.rules if result.matches.found or result.matches.stored]
    if noticed:
        out.print(_rule_table(noticed))
    if any(result.samples for result in noticed):
        out.print(_sample_table(noticed))
    for text in _left_out(report.left_out):
        click.echo(text, err=True)
    for failure in report.failures:
        name = failure.rule_id or "an event"
        click.echo(printable(f"FAILED {name} {failure.function}: {failure.error} ({failure.count:,} times)"), err=True)
    click.echo(_summary(report, len(noticed)))


def _left_out(items: Iterable[LeftOut]) -> Iterator[str]:
    """A line for each reason, with the first rules that it holds for."""
    by_reason: dict[str, list[str]] = {}
    for item in items:
        by_reason.setdefault(item.reason, []).append(item.rule_id)
    for reason, names in by_reason.items():
        others = f" and {len(names) - 3} others" if len(names) > 3 else ""
        yield f"left out {', '.join(names[:3])}{others}: {reason}"


def _summary(report: BacktestReport, noticed: int) -> str:
    found, alerts = report.total("matches"), report.total("alerts")
    silent = f"; {len(report.rules) - noticed} of {len(report.rules)} rules find nothing and never did"
    return (
        f"{report.first:%Y-%m-%d %H:%M} to {report.end:%Y-%m-%d %H:%M} UTC: {report.events:,} events, "
        f"{found.found:,} matches ({_change(found)}), {alerts.found:,} alerts ({_change(alerts)}) "
        f"in {report.seconds:.2f} s{silent if noticed < len(report.rules) else ''}"
    )


def _rule_table(results: list[RuleResult]) -> Any:
    from rich.table import Table

    table = Table()
    table.add_column("rule", overflow="fold")
    for heading in ("matches", "of a million", "against the store", "alerts", "against the store", "seconds"):
        table.add_column(heading, justify="right")
    for result in sorted(results, key=lambda result: -result.matches.found):
        table.add_row(
            result.rule_id,
            f"{result.matches.found:,}",
            f"{result.matches_per_million:,.1f}",
            _change(result.matches),
            f"{result.alerts.found:,}",
            _change(result.alerts),
            f"{result.seconds:.3f}",
        )
    return table


def _change(item: Difference) -> str:
    """What is new and what would go, against the store."""
    parts = [f"{count:,} {word}" for count, word in ((item.new, "new"), (item.gone, "gone")) if count]
    return ", ".join(parts) or "the same"


def _sample_table(results: list[RuleResult]) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table("rule", "event", "severity", "title", "", title="samples", title_justify="left")
    for result in results:
        for item in result.samples:
            event = f"{item.event_time:%Y-%m-%d %H:%M:%S} {item.event_id}"
            title = Text(printable(item.title))
            new = "new" if item.new else ""
            table.add_row(result.rule_id, Text(printable(event)), item.severity.lower(), title, new)
    return table
