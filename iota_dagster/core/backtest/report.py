"""What a backtest says: by rule, what it finds now, what the store has of it, and what it costs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from iota_dagster.core.alerting.grouping import Fact, slices_with_alerts
from iota_dagster.core.backtest.rules import LeftOut
from iota_dagster.core.detection.verdict import RuleFailure

Facts = Mapping[str, list[Fact]]
"""The matches of one rule by dedup string."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One match; `new`: the store does not have it."""

    event_id: str
    event_time: datetime
    log_type: str
    severity: str
    title: str
    dedup: str
    new: bool


@dataclass(frozen=True, slots=True)
class Difference:
    """How many there are now, how many the store has, and those that only the one or the other has."""

    found: int
    stored: int
    new: int
    gone: int


@dataclass(frozen=True, slots=True)
class RuleResult:
    """One rule over the history.

    `events` are all of its log types, `candidates` those that routing by columns left for it. `seconds` is what it
    takes of one core to judge those: measured on a sample of them, in a worker of its own, reading the JSON included.
    """

    rule_id: str
    events: int
    candidates: int
    matches: Difference
    alerts: Difference
    seconds: float
    samples: tuple[Sample, ...]

    @property
    def matches_per_million(self) -> float:
        """The hit rate: matches of a million events of the rule's log types."""
        return 1e6 * self.matches.found / self.events if self.events else 0.0


@dataclass(frozen=True, slots=True)
class BacktestReport:
    """A whole backtest over the event hours from `first` up to `end`; a rule that fails says less than it could."""

    first: datetime
    end: datetime
    rules: tuple[RuleResult, ...]
    left_out: tuple[LeftOut, ...]
    failures: tuple[RuleFailure, ...]
    events: int
    files: int
    seconds: float

    def total(self, kind: str) -> Difference:
        """The sum over all rules of their `matches` or `alerts`."""
        parts: list[Difference] = [getattr(result, kind) for result in self.rules]
        names = ("found", "stored", "new", "gone")
        return Difference(**{name: sum(getattr(part, name) for part in parts) for name in names})


def difference(found: Iterable[str], stored: Iterable[str]) -> Difference:
    """Two sets of ids compared."""
    now, before = set(found), set(stored)
    return Difference(len(now), len(before), len(now - before), len(before - now))


def match_ids(facts: Facts) -> list[str]:
    """The ids of a rule's matches."""
    return [fact.id for group in facts.values() for fact in group]


def alert_ids(facts: Facts) -> list[str]:
    """The ids of the alerts that a rule's matches make, by their thresholds and periods."""
    return [found.alert_id for group in facts.values() for found in slices_with_alerts(group)]
