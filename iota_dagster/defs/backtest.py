"""`rules_backtest`: rules over an event hour of the lake, by hand or over many hours as a backfill of the job."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import dagster as dg
from pydantic import Field

from iota_dagster.backtesting import Order, run_backtest
from iota_dagster.core.backtest.report import BacktestReport, RuleResult
from iota_dagster.core.backtest.run import History
from iota_dagster.core.hours import parse_hour_key
from iota_dagster.defs.figures import Cell, Figures, numbers, table
from iota_dagster.defs.partitions import HOURLY
from iota_dagster.defs.resources.platform import PlatformResource
from iota_dagster.defs.steps import waiting_out_outages

RULES = 100
"""Rows of the table of rules."""


class BacktestConfig(dg.Config):
    """What to run over the hour."""

    rules: list[str] = Field(default=[], description="Ids of rules, disabled or not; none: all enabled rules.")
    folder: str | None = Field(default=None, description="A folder of rules; none: those of the settings.")
    samples: int = Field(default=3, ge=0, description="Matches shown of each rule.")


@dg.op
def backtest_hour(context: dg.OpExecutionContext, config: BacktestConfig, platform: PlatformResource) -> None:
    """Judge the hour's events once more; nothing is stored and nobody is told."""
    hour = parse_hour_key(context.partition_key)
    folder = Path(config.folder) if config.folder else None
    order = Order(range(hour, hour + 1), config.rules, folder, config.samples)
    opened = platform.platform
    with waiting_out_outages():
        report = run_backtest(opened.settings, History(opened.database, opened.lake), order)
    for failure in report.failures:
        context.log.error(f"rule {failure.rule_id} {failure.function}: {failure.error} ({failure.count} times)")
    context.add_output_metadata(_figures(report))


@dg.job(
    partitions_def=HOURLY,
    description="Runs rules over an event hour of the lake and compares what they find with what the store has.",
)
def rules_backtest() -> None:
    """One op: one event hour."""
    backtest_hour()


def _figures(report: BacktestReport) -> Figures:
    found, alerts = report.total("matches"), report.total("alerts")
    values = {
        "events": report.events,
        "rules": len(report.rules),
        "rules_left_out": len(report.left_out),
        "rule_failures": len(report.failures),
        "matches": found.found,
        "matches_new": found.new,
        "matches_gone": found.gone,
        "alerts": alerts.found,
        "alerts_new": alerts.new,
        "alerts_gone": alerts.gone,
        "seconds": report.seconds,
    }
    noticed = sorted(report.rules, key=lambda result: -result.matches.found)
    rows = (_row(result) for result in noticed if result.matches.found or result.matches.stored)
    return numbers(values) | table("rules_by_matches", rows, limit=RULES) | table("samples", _samples(report), RULES)


def _row(result: RuleResult) -> Mapping[str, Cell]:
    return {
        "rule": result.rule_id,
        "matches": result.matches.found,
        "of_a_million": round(result.matches_per_million, 1),
        "new": result.matches.new,
        "gone": result.matches.gone,
        "alerts": result.alerts.found,
        "alerts_new": result.alerts.new,
        "alerts_gone": result.alerts.gone,
        "seconds": round(result.seconds, 3),
    }


def _samples(report: BacktestReport) -> Iterator[Mapping[str, Cell]]:
    for result in report.rules:
        for item in result.samples:
            moment = f"{item.event_time:%Y-%m-%d %H:%M:%S}"
            yield {
                "rule": result.rule_id,
                "time": moment,
                "event": item.event_id,
                "title": item.title,
                "new": item.new,
            }
