"""`iota rules coverage`: what rules find in recordings of attacks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from iota_dagster.cli.rules_paths import Paths, chosen, paths_argument, quiet_rules
from iota_dagster.cli.tables import console
from iota_dagster.cli.text import printable

if TYPE_CHECKING:
    from iota_dagster.core.detection.authoring.coverage import CoverageReport, Outcome, RaisedAlert


@click.command("coverage")
@paths_argument
@click.option(
    "--logs", type=click.Path(exists=True, path_type=Path), required=True, help="CloudTrail files: a folder, or one."
)
@click.option(
    "--truth", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Which calls in --logs are attacks."
)
@click.option(
    "--techniques",
    type=click.Path(exists=True, path_type=Path),
    help="A folder with a file per technique, which holds nothing but the attack.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")
def command(paths: Paths, logs: Path, truth: Path | None, techniques: Path | None, as_json: bool) -> None:
    """Measure which attacks rules find in recordings, and how much they say beside that.

    PATH is a folder of rules or the YAML file of one, by default ./rules. The ground truth is a JSON list of
    {technique, detonate: {calls: [{eventID}]}}. Alerts are grouped as in production.
    """
    from iota_dagster.core.detection.authoring.coverage import measure, read_truth
    from iota_dagster.core.detection.loader import load_rules

    with quiet_rules():
        pack = load_rules(chosen(paths))
        report = measure(pack, logs, read_truth(truth) if truth else (), techniques)
    if as_json:
        click.echo(json.dumps({**_as_json(report), "errors": [str(error) for error in pack.errors]}))
        return
    for error in pack.errors:
        click.echo(f"CANNOT LOAD {error}", err=True)
    _show(report, known=truth is not None)


def _as_json(report: CoverageReport) -> dict[str, Any]:
    return {
        "techniques": [_outcome(outcome) for outcome in report.outcomes],
        "detonated": report.detonated,
        "detected": report.detected,
        "alerts": len(report.alerts),
        "alerts_outside": len(report.outside),
        "outside": [_alert(alert) for alert in report.outside],
        "signals": report.signals,
        "failures": [
            {"rule": failure.rule_id, "function": failure.function, "error": failure.error, "count": failure.count}
            for failure in report.failures
        ],
        "events": report.events,
        "left_out": report.left_out,
        "seconds": report.seconds,
    }


def _outcome(outcome: Outcome) -> dict[str, Any]:
    return {
        "technique": outcome.technique,
        "recording": outcome.recording,
        "calls": outcome.calls,
        "detonated": outcome.detonated,
        "detected": outcome.detected,
        "alerts": [_alert(alert) for alert in outcome.alerts],
    }


def _alert(alert: RaisedAlert) -> dict[str, Any]:
    return {
        "rule": alert.rule_id,
        "severity": alert.severity,
        "title": alert.title,
        "dedup": alert.dedup,
        "start": alert.start.isoformat(),
        "matches": alert.matches,
    }


def _show(report: CoverageReport, *, known: bool) -> None:
    """The outcomes and the other alerts as tables; `known` says that there is a ground truth for the logs."""
    out = console()
    if report.outcomes:
        out.print(_outcome_table(report.outcomes))
    if report.outside:
        out.print(_alert_table(report.outside, "alerts beside the attacks" if known else "alerts in the logs"))
    for failure in report.failures:
        text = f"FAILED {failure.rule_id} {failure.function}: {failure.error} ({failure.count} times)"
        click.echo(printable(text), err=True)
    click.echo(_summary(report, known))


def _summary(report: CoverageReport, known: bool) -> str:
    found = f"{report.detected} of {report.detonated} attacks detected; {len(report.alerts)} alerts"
    if known:
        found += f", {len(report.outside)} of them beside the attacks"
    if signals := sum(report.signals.values()):
        found += f"; {signals} matches kept as signals"
    read = f"{report.events:,} events"
    if report.left_out:
        read += f" ({report.left_out:,} records without an id or a time left out)"
    return f"{found}; {read} in {report.seconds:.2f} s"


def _outcome_table(outcomes: Sequence[Outcome]) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table()
    table.add_column("technique", overflow="fold")
    table.add_column("recording")
    table.add_column("calls", justify="right")
    table.add_column("detected by", overflow="fold")
    for outcome in outcomes:
        rules = ", ".join(dict.fromkeys(alert.rule_id for alert in outcome.alerts))
        missed = Text("nothing", "red") if outcome.detonated else Text("never ran", "dim")
        found = Text(rules, "green") if rules else missed
        table.add_row(outcome.technique, outcome.recording, f"{outcome.calls:,}", found)
    return table


def _alert_table(alerts: Sequence[RaisedAlert], heading: str) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table("rule", "severity", "title", title=heading, title_justify="left")
    table.add_column("matches", justify="right")
    for alert in alerts:
        table.add_row(alert.rule_id, alert.severity.lower(), Text(printable(alert.title)), f"{alert.matches:,}")
    return table
