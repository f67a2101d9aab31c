"""A backtest: rules over some hours of the lake, against what the store has of them.

Nothing is written and nobody is told. Events are read file by file and judged by rule workers as a batch's are. Alerts
are grouped from the matches of the chosen hours alone, the stored ones too, so that both lack the same at the borders.
"""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace

import sqlalchemy as sa

from iota_dagster.core.alerting.grouping import Fact
from iota_dagster.core.backtest.candidates import Candidates, Progress, Reading
from iota_dagster.core.backtest.report import BacktestReport, Facts, RuleResult, alert_ids, difference, match_ids
from iota_dagster.core.backtest.rules import LeftOut
from iota_dagster.core.backtest.tallies import MOST_MATCHES, Tallies, Tally
from iota_dagster.core.detection.processes.rule_workers import RuleWorkers, Task
from iota_dagster.core.detection.rule import Rule
from iota_dagster.core.hours import hour_start
from iota_dagster.core.lake.history import PastFile, files_between
from iota_dagster.core.sources import SOURCES
from iota_dagster.core.storage import Storage
from iota_dagster.core.store.database import Database, chunked
from iota_dagster.core.store.schema import matches

_FACT = tuple(item.name for item in fields(Fact) if item.name in matches.c and item.name != "notify")


@dataclass(frozen=True, slots=True)
class History:
    """Where past events and matches lie."""

    database: Database
    lake: Storage


def backtest(
    history: History,
    workers: RuleWorkers,
    hours: range,
    *,
    left_out: Sequence[LeftOut] = (),
    samples: int = 5,
    progress: Progress | None = None,
) -> BacktestReport:
    """Run the workers' rules over event hours that lie side by side. `samples` is how many matches of each are told.

    `RuleError` when there are more than `MOST_MATCHES` matches, `Outage` when the lake or the store does not answer.
    """
    started = time.perf_counter()
    rules = [rule for rule in workers.pack.rules if rule.enabled]
    with history.database.read() as connection:  # one moment for both
        files = _files(connection, rules, hours)
        stored = _stored(connection, [rule.id for rule in rules], hours)
    reading = Reading(history.lake, files, progress)
    known = {name for facts in stored.values() for name in match_ids(facts)}
    tallies = Tallies([rule.id for rule in rules], known, samples)
    _judge(workers, reading.candidates(rules), tallies)
    results = [_result(rule, tallies.of[rule.id], stored.get(rule.id, {}), reading, workers) for rule in rules]
    return BacktestReport(
        first=hour_start(hours.start),
        end=hour_start(hours.stop),
        rules=tuple(results),
        left_out=tuple(left_out),
        failures=tallies.failures(workers.broken),
        events=reading.events.total(),
        files=sum(map(len, files.values())),
        seconds=round(time.perf_counter() - started, 3),
    )


def _files(connection: sa.Connection, rules: Sequence[Rule], hours: range) -> dict[str, list[PastFile]]:
    log_types = sorted({log_type for rule in rules for log_type in rule.log_types} & SOURCES.keys())
    return {log_type: files_between(connection, SOURCES[log_type].table, hours) for log_type in log_types}


def _stored(connection: sa.Connection, rule_ids: Sequence[str], hours: range) -> Mapping[str, Facts]:
    """The store's matches of some rules in some event hours."""
    found: dict[str, dict[str, list[Fact]]] = defaultdict(lambda: defaultdict(list))
    inside = (matches.c.event_hour >= hours.start) & (matches.c.event_hour < hours.stop)
    columns = [matches.c[name] for name in ("rule_id", "dedup", *_FACT)]
    for some in chunked(rule_ids):
        query = sa.select(*columns).where(matches.c.rule_id.in_(some), inside)
        for row in connection.execute(query).mappings():
            fact = Fact(**{name: row[name] for name in _FACT}, notify=False)
            found[row["rule_id"]][row["dedup"]].append(fact)
    return found


def _judge(workers: RuleWorkers, found: Iterator[Candidates], tallies: Tallies) -> None:
    sent: deque[Candidates] = deque()

    def tasks() -> Iterator[Task]:
        for candidates in found:
            tallies.show(candidates)
            sent.append(candidates)
            yield Task(candidates.log_type, candidates.records)

    for verdict in workers.evaluate(tasks(), matches_allowed=MOST_MATCHES + 1):  # the tallies end a backtest before
        tallies.take(verdict, sent.popleft())


def _result(rule: Rule, tally: Tally, stored: Facts, reading: Reading, workers: RuleWorkers) -> RuleResult:
    return RuleResult(
        rule_id=rule.id,
        events=sum(reading.events[log_type] for log_type in set(rule.log_types)),
        candidates=tally.candidates,
        matches=difference(match_ids(tally.facts), match_ids(stored)),
        alerts=difference(alert_ids(tally.facts), alert_ids(stored)),
        seconds=_seconds(rule, tally, workers),
        samples=tuple(tally.samples),
    )


def _seconds(rule: Rule, tally: Tally, workers: RuleWorkers) -> float:
    """What a rule's candidates take of one core: those it is timed on, in a worker of its own, and as many more."""
    tasks = [Task(log_type, records) for log_type, records in tally.timed.items()]
    if not tasks:
        return 0.0
    alone = replace(workers, pack=replace(workers.pack, rules=(rule,)), processes=1)
    try:
        _drain(alone, [Task(tasks[0].log_type, tasks[0].records[:1])])  # starts the worker
        started = time.perf_counter()
        _drain(alone, tasks)
        taken = time.perf_counter() - started
    finally:
        alone.close()
    return taken * tally.candidates / sum(len(task.records) for task in tasks)


def _drain(workers: RuleWorkers, tasks: Sequence[Task]) -> None:
    deque(workers.evaluate(tasks), 0)
