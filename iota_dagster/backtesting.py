"""Backtests by the settings: which rules, over which hours, by how many workers. For the command and for Dagster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from iota_dagster.core.backtest.candidates import Progress
from iota_dagster.core.backtest.report import BacktestReport
from iota_dagster.core.backtest.rules import choose
from iota_dagster.core.backtest.run import History, backtest
from iota_dagster.core.detection.pack_cache import read_rules
from iota_dagster.core.detection.processes.rule_workers import RuleLimits, RuleWorkers
from iota_dagster.core.errors import RuleError
from iota_dagster.process_workers import default_workers, rule_pack
from iota_dagster.settings import Settings


@dataclass(frozen=True, slots=True)
class Order:
    """What to run: rule ids (none: all enabled rules) over event hours; `folder` None: the rules of the settings."""

    hours: range
    rules: Sequence[str] = ()
    folder: Path | None = None
    samples: int = 5


def run_backtest(
    settings: Settings, history: History, order: Order, progress: Progress | None = None
) -> BacktestReport:
    """Run a backtest in workers of its own, which are gone afterwards. `RuleError` for a rule that there is not."""
    if order.folder is not None and not order.folder.exists():
        raise RuleError(f"there is no folder of rules {order.folder}")
    rules = read_rules((order.folder,), settings.scratch / "rules") if order.folder else rule_pack(settings)
    pack, left_out = choose(rules, order.rules)
    limits = RuleLimits(settings.rule_seconds, int(settings.rule_memory))
    workers = RuleWorkers(pack, max(1, settings.process_workers or default_workers()), limits)
    try:
        return backtest(history, workers, order.hours, left_out=left_out, samples=order.samples, progress=progress)
    finally:
        workers.close()
