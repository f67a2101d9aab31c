"""The rows of a scheduled query → matches of the rules that judge them.

A row is an event without an id of its own: its id is a hash of the query's name and of the row's content. So the same
row in the query's next answer is the same match, and nobody is told twice. A row without `p_event_time` is of the time
at which the query was due; it is the same match for as long as the rule's dedup period holds that time.
"""

from __future__ import annotations

import json
import math
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from hashlib import blake2b
from typing import Any

import pyarrow as pa

from iota_dagster.core.alerting.ids import match_id, period_start
from iota_dagster.core.alerting.text import storable
from iota_dagster.core.detection.correlation.pack import fields_needed
from iota_dagster.core.detection.correlation.rule import CorrelationRule
from iota_dagster.core.detection.correlation.signals import extract
from iota_dagster.core.detection.key_values import EarlierValues, MemoryValues, StoredValue
from iota_dagster.core.detection.processes.rule_workers import RuleWorkers, Task
from iota_dagster.core.detection.rule_errors import error_matches
from iota_dagster.core.detection.verdict import RuleFailure, RuleMatch
from iota_dagster.core.hours import hour_of
from iota_dagster.core.judging.judge import MOST_BYTES, MOST_RECORDS, as_match
from iota_dagster.core.model import Match

_LATEST = timedelta(days=1)
"""A row that claims to be farther in the future is of the time at which its query was due."""
_Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class JudgedRows:
    """What rules found in the rows of a query, and what they want to be remembered, by key."""

    matches: tuple[Match, ...] = ()
    failures: tuple[RuleFailure, ...] = ()
    remembered: tuple[tuple[str, StoredValue], ...] = ()


@dataclass(frozen=True, slots=True)
class Occasion:
    """One run of a query: its name, the log type of its rows, and the time at which it was due."""

    query: str
    log_type: str
    due_at: datetime


def judge_rows(answer: pa.Table, occasion: Occasion, workers: RuleWorkers, stored: EarlierValues) -> JudgedRows:
    """Run the rules of a query over its rows, in the rules' own processes; `stored` is what rules remember."""
    values = MemoryValues(below=stored) if workers.pack.remembers else None
    fields = _Fields(workers.pack.correlations)
    version = workers.pack.version
    sent: deque[list[_Row]] = deque()

    def tasks() -> Iterator[Task]:
        for rows, records in _portions(answer):
            sent.append(rows)
            yield Task(occasion.log_type, records)

    matches: list[Match] = []
    failures: list[RuleFailure] = []
    judged = False
    for verdict in workers.evaluate(tasks(), values):
        rows = sent.popleft()
        failed = verdict.failures if judged else [*_broken(workers, occasion), *verdict.failures]
        judged = True
        failures += failed
        for hit in [*verdict.matches, *error_matches(failed, version)]:
            matches.append(fields.added(match_of_row(hit, occasion, rows[hit.index]), rows[hit.index]))
    return JudgedRows(tuple(matches), tuple(failures), tuple(values.written()) if values else ())


def _broken(workers: RuleWorkers, occasion: Occasion) -> list[RuleFailure]:
    """The rules of a query that could not be loaded."""
    readers = {rule.id for rule in workers.pack.rules if occasion.log_type in rule.log_types}
    return [failure for failure in workers.broken if failure.rule_id in readers]


def match_of_row(hit: RuleMatch, occasion: Occasion, row: Mapping[str, Any]) -> Match:
    """A rule's hit on a row, as the store and the lake keep it."""
    own = _own_time(row, occasion.due_at)
    moment = own or occasion.due_at
    parts = [] if own else [period_start(moment, hit.period_minutes).isoformat()]
    event_id = row_id(occasion.query, row, *parts)
    columns = {
        "p_event_id": event_id,
        "p_event_time": moment,
        "_hour": hour_of(moment),
        "p_account_id": _text(row, "p_account_id"),
        "p_region": _text(row, "p_region"),
        "p_source_bucket": _text(row, "p_source_bucket") or "",
        "p_source_key": _text(row, "p_source_key") or "",
    }
    match = as_match(hit, occasion.log_type, columns)
    # The hour says nothing that the event's id does not, and without a time of its own a row may be due in several.
    return storable(replace(match, id=match_id(hit.rule_id, occasion.log_type, event_id, 0)))


def row_id(query: str, row: Mapping[str, Any], *more: str) -> str:
    """The id of a row: a hash of its query's name and its content, however its columns are ordered."""
    content = json.dumps([query, dict(row), *more], sort_keys=True, separators=(",", ":"))
    return blake2b(content.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def plain(value: Any) -> Any:
    """A value of an answer as JSON has it: text for times and bytes, null for numbers that are none."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else None
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case datetime():
            aware = value if value.tzinfo else value.replace(tzinfo=UTC)
            return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case date() | time():
            return value.isoformat()
        case bytes():
            return value.decode("utf-8", "backslashreplace")
        case Mapping():
            return {str(name): plain(item) for name, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
    return str(value)


def _portions(answer: pa.Table) -> Iterator[tuple[list[_Row], list[bytes]]]:
    """The rows in portions for a rule worker, as values and as JSON objects."""
    rows: list[_Row] = []
    records: list[bytes] = []
    size = 0
    for row in _rows(answer):
        record = json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        if rows and (len(rows) == MOST_RECORDS or size + len(record) > MOST_BYTES):
            yield rows, records
            rows, records, size = [], [], 0
        rows.append(row)
        records.append(record)
        size += len(record)
    if rows:
        yield rows, records


def _rows(answer: pa.Table) -> Iterator[_Row]:
    for batch in answer.to_batches(max_chunksize=MOST_RECORDS):
        for row in batch.to_pylist():
            yield {name: plain(value) for name, value in row.items()}


def _own_time(row: Mapping[str, Any], due_at: datetime) -> datetime | None:
    """When a row says that it happened; None where it does not, or cannot mean it."""
    try:
        moment = datetime.fromisoformat(row["p_event_time"])
        moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    return moment if moment <= due_at + _LATEST else None


def _text(row: Mapping[str, Any], name: str) -> str | None:
    value = row.get(name)
    return value if isinstance(value, str) else None


class _Fields:
    """What correlation rules ask of matched rows."""

    def __init__(self, rules: Iterable[CorrelationRule]) -> None:
        self._paths = {rule_id: paths for rule_id, paths in fields_needed(rules).items() if paths}

    def added(self, match: Match, row: Mapping[str, Any]) -> Match:
        paths = self._paths.get(match.rule_id)
        if paths is None:
            return match
        return replace(match, fields={path: [] for path in paths} | extract(row, match.context, paths))
