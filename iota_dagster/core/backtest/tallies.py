"""What the rules of a backtest have found so far: of each match no more than grouping needs, and some samples."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, fields, replace

from iota_dagster.core.alerting.grouping import Fact, fact_of
from iota_dagster.core.backtest.candidates import ENVELOPE, Candidates
from iota_dagster.core.backtest.report import Sample
from iota_dagster.core.detection.verdict import RuleFailure, RuleMatch, Verdict
from iota_dagster.core.errors import RuleError
from iota_dagster.core.judging.judge import as_match
from iota_dagster.core.model import Match

MOST_MATCHES = 1_000_000
"""How many matches a backtest holds, some 500 bytes each."""
TIMED_BYTES = 1 << 18
"""How much of a rule's candidates it is timed on."""


@dataclass(slots=True)
class Tally:
    """What one rule has found: facts by dedup string. `timed` are records to measure it with, by log type."""

    candidates: int = 0
    facts: dict[str, list[Fact]] = field(default_factory=lambda: defaultdict(list))
    samples: list[Sample] = field(default_factory=list)
    failures: list[RuleFailure] = field(default_factory=list)
    timed: dict[str, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    timed_bytes: int = 0

    def show(self, candidates: Candidates, places: Iterable[int]) -> None:
        """The rule is shown the records in these places."""
        for place in places:
            self.candidates += 1
            if self.timed_bytes < TIMED_BYTES:
                self.timed_bytes += len(candidates.records[place])
                self.timed[candidates.log_type].append(candidates.records[place])


class Tallies:
    """The tallies of all rules; `known` are the ids of the matches that the store has."""

    def __init__(self, rule_ids: Iterable[str], known: Collection[str], samples: int) -> None:
        self.of = {rule_id: Tally() for rule_id in rule_ids}
        self._known, self._samples = known, samples
        self._held = 0
        self._unread: list[RuleFailure] = []

    def show(self, candidates: Candidates) -> None:
        """Note what each rule is about to see."""
        for rule_id, places in candidates.places.items():
            self.of[rule_id].show(candidates, places)

    def take(self, verdict: Verdict, candidates: Candidates) -> None:
        """Add what the rules say of some candidates; `RuleError` when it is too much to hold."""
        self._held += len(verdict.matches)
        if self._held > MOST_MATCHES:
            raise RuleError(
                f"more than {MOST_MATCHES:,} matches, most of them of {self._noisiest()}: ask for fewer hours or rules"
            )
        for hit in verdict.matches:
            self._add(self.of[hit.rule_id], _match(hit, candidates))
        for failure in verdict.failures:
            tally = self.of.get(failure.rule_id)
            (tally.failures if tally else self._unread).append(failure)

    def _add(self, tally: Tally, match: Match) -> None:
        tally.facts[match.dedup].append(fact_of(match, notify=False))
        if len(tally.samples) < self._samples:
            shown = {item.name: getattr(match, item.name) for item in fields(Sample) if item.name != "new"}
            tally.samples.append(Sample(**shown, new=match.id not in self._known))

    def _noisiest(self) -> str:
        return max(self.of, key=lambda rule_id: sum(map(len, self.of[rule_id].facts.values())))

    def failures(self, broken: Iterable[RuleFailure]) -> tuple[RuleFailure, ...]:
        """All failures, those of records that no rule could be shown too, each once with its count."""
        found = [failure for tally in self.of.values() for failure in tally.failures]
        return _summed([*broken, *found, *self._unread])


def _match(hit: RuleMatch, candidates: Candidates) -> Match:
    row = {name: candidates.rows.column(name)[hit.index].as_py() for name in ENVELOPE if name != "p_raw"}
    return as_match(hit, candidates.log_type, row | {"_hour": candidates.hour})


def _summed(failures: Iterable[RuleFailure]) -> tuple[RuleFailure, ...]:
    """One failure for each rule and function: the first, with the count of all."""
    first: dict[tuple[str, str], RuleFailure] = {}
    counts: Counter[tuple[str, str]] = Counter()
    for failure in failures:
        key = failure.rule_id, failure.function
        first.setdefault(key, failure)
        counts[key] += failure.count
    return tuple(replace(failure, count=counts[key]) for key, failure in first.items())
