"""What a rule pack finds in recordings of attacks, and what it says beside that: recall and noise.

Two kinds of recordings: logs of an environment, with a ground truth that lists each technique's calls; and one file
per technique that holds nothing but the attack. A technique is detected when an alert has one of its calls among its
matches. Alerts are grouped as in production, thresholds and dedup counted; data models, tables and what rules remember
work as there, and each set of files begins without memories.
"""

from __future__ import annotations

import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from iota_dagster.core.alerting.grouping import Fact, slices_with_alerts
from iota_dagster.core.alerting.ids import alert_id, match_id, period_start
from iota_dagster.core.detection.authoring.recordings import (
    LOG_TYPE,
    RecordedEvent,
    log_files,
    read_recording,
    technique_name,
)
from iota_dagster.core.detection.engine import Engine
from iota_dagster.core.detection.key_values import MemoryValues, use
from iota_dagster.core.detection.modules import Importer
from iota_dagster.core.detection.rule import RulePack
from iota_dagster.core.detection.surroundings import load_surroundings
from iota_dagster.core.detection.verdict import RuleFailure, RuleMatch
from iota_dagster.core.errors import RuleError
from iota_dagster.core.hours import hour_of

_AT_ONCE = 2000


@dataclass(frozen=True, slots=True)
class RaisedAlert:
    """One alert: what would have been sent, and the events behind it."""

    rule_id: str
    severity: str
    title: str
    dedup: str
    start: datetime
    matches: int
    events: frozenset[str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Technique:
    """One technique of a ground truth: the ids of the events that the attack itself made; none: it never ran."""

    name: str
    events: frozenset[str]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One technique in one recording (`logs` or `techniques`), and the alerts that have one of its calls."""

    technique: str
    recording: str
    calls: int
    alerts: tuple[RaisedAlert, ...]

    @property
    def detonated(self) -> bool:
        """Whether the attack ran at all."""
        return self.calls > 0

    @property
    def detected(self) -> bool:
        """Whether somebody would have been told."""
        return bool(self.alerts)


@dataclass(frozen=True, slots=True)
class CoverageReport:
    """All outcomes; `outside` are the alerts of the logs that have no call of an attack.

    `signals` counts the matches of rules that create no alert (`CreateAlert: false`), `left_out` the records that
    cannot be read, or have no id or no time.
    """

    outcomes: tuple[Outcome, ...]
    alerts: tuple[RaisedAlert, ...]
    outside: tuple[RaisedAlert, ...]
    signals: dict[str, int]
    failures: tuple[RuleFailure, ...]
    events: int
    left_out: int
    seconds: float

    @property
    def detonated(self) -> int:
        """How many techniques ran, each recording counted."""
        return sum(outcome.detonated for outcome in self.outcomes)

    @property
    def detected(self) -> int:
        """How many of those raised an alert."""
        return sum(outcome.detected for outcome in self.outcomes)


@dataclass(frozen=True, slots=True)
class _Judged:
    """One set of files, judged: an event that is in several of them counts once."""

    events: frozenset[str]
    alerts: tuple[RaisedAlert, ...]
    signals: Counter[str]
    failures: tuple[RuleFailure, ...]
    left_out: int


def measure(
    pack: RulePack, logs: Path, truth: Sequence[Technique] = (), techniques: Path | None = None
) -> CoverageReport:
    """Judge CloudTrail files below `logs`, and each file below `techniques` by itself; their folders may overlap."""
    started = time.perf_counter()
    importer = Importer()
    context, failed = load_surroundings(pack.surroundings, importer)
    engine = Engine(pack.rules, importer=importer, context=context)
    attacks = list(log_files(techniques)) if techniques else []
    environment = _judge(engine, [file for file in log_files(logs) if file not in attacks])
    outcomes = [_outcome(technique, "logs", environment) for technique in truth]
    attacked = {event for technique in truth for event in technique.events}
    sets = [environment]
    for file in attacks:
        judged = _judge(engine, [file])
        sets.append(judged)
        outcomes.append(_outcome(Technique(technique_name(file), judged.events), "techniques", judged))
    return CoverageReport(
        outcomes=tuple(outcomes),
        alerts=tuple(alert for judged in sets for alert in judged.alerts),
        outside=tuple(alert for alert in environment.alerts if alert.events.isdisjoint(attacked)),
        signals=dict(sum((judged.signals for judged in sets), Counter())),
        failures=(*failed, *engine.broken, *(failure for judged in sets for failure in judged.failures)),
        events=sum(len(judged.events) for judged in sets),
        left_out=sum(judged.left_out for judged in sets),
        seconds=round(time.perf_counter() - started, 3),
    )


def read_truth(file: Path) -> list[Technique]:
    """A ground truth: a JSON list of `{technique, detonate: {calls: [{eventID}]}}`; `RuleError` when it is none.

    A technique without `detonate` was set up and never ran.
    """
    try:
        return [Technique(item["technique"], _calls(item.get("detonate"))) for item in json.loads(file.read_bytes())]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        form = "a JSON list of {technique, detonate: {calls: [{eventID}]}}"
        raise RuleError(f"{file}: the ground truth is {form}; {type(error).__name__}: {error}") from None


def _calls(detonation: dict[str, Any] | None) -> frozenset[str]:
    return frozenset(call["eventID"] for call in detonation["calls"]) if detonation else frozenset()


def _outcome(technique: Technique, recording: str, judged: _Judged) -> Outcome:
    alerts = tuple(alert for alert in judged.alerts if not alert.events.isdisjoint(technique.events))
    return Outcome(technique.name, recording, len(technique.events), alerts)


def _judge(engine: Engine, files: Sequence[Path]) -> _Judged:
    recording = read_recording(files)
    hits: list[tuple[RuleMatch, RecordedEvent]] = []
    failures: list[RuleFailure] = []
    with use(MemoryValues()) as session:
        for first in range(0, len(recording.events), _AT_ONCE):
            some = recording.events[first : first + _AT_ONCE]
            verdict = engine.evaluate(LOG_TYPE, [event.record for event in some], session=session)
            hits += [(match, some[match.index]) for match in verdict.matches]
            failures += verdict.failures
    events = frozenset(event.id for event in recording.events)
    signals = Counter(match.rule_id for match, _ in hits if not match.create_alert)
    return _Judged(events, tuple(_alerts(hits)), signals, tuple(failures), recording.left_out)


def _alerts(hits: Iterable[tuple[RuleMatch, RecordedEvent]]) -> Iterator[RaisedAlert]:
    """The alerts of some matches, by rule, dedup string and slice of time."""
    groups: dict[tuple[str, str], dict[str, tuple[RuleMatch, RecordedEvent, Fact]]] = defaultdict(dict)
    for match, event in hits:
        fact = _fact(match, event)
        groups[match.rule_id, match.dedup][fact.id] = match, event, fact
    for _, group in sorted(groups.items()):
        members: dict[str, set[str]] = defaultdict(set)
        for _, event, fact in group.values():
            members[fact.alert_id].add(event.id)
        for found in slices_with_alerts(fact for _, _, fact in group.values()):
            lead = group[found.lead][0]
            events = frozenset(members[found.alert_id])
            yield RaisedAlert(lead.rule_id, lead.severity, lead.title, lead.dedup, found.start, found.matches, events)


def _fact(match: RuleMatch, event: RecordedEvent) -> Fact:
    start = period_start(event.moment, match.period_minutes)
    return Fact(
        id=match_id(match.rule_id, LOG_TYPE, event.id, hour_of(event.moment)),
        alert_id=alert_id(match.rule_id, match.dedup, start),
        event_time=event.moment,
        period_minutes=match.period_minutes,
        threshold=match.threshold,
        unique_value=match.unique,
        notify=True,
        create_alert=match.create_alert,
    )
