"""A batch's admitted events → matches: the rules run over the work files, in processes of their own."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from iota_dagster.core.alerting.ids import alert_id, match_id, period_start
from iota_dagster.core.batch.work import WorkFolder
from iota_dagster.core.detection.key_values import EarlierValues, MemoryValues, StoredValue
from iota_dagster.core.detection.processes.rule_workers import RuleWorkers, Task
from iota_dagster.core.detection.routing.values import Need, is_never
from iota_dagster.core.detection.rule import Rule
from iota_dagster.core.detection.rule_errors import error_matches, is_deciding, is_shared
from iota_dagster.core.detection.verdict import RuleCost, RuleFailure, RuleMatch
from iota_dagster.core.judging.match_fields import MatchFields
from iota_dagster.core.judging.rule_view import columns_of, raw_shaped
from iota_dagster.core.judging.sieve import Sieve
from iota_dagster.core.judging.time_order import in_time_order
from iota_dagster.core.model import Match
from iota_dagster.core.sources import source_of
from iota_dagster.core.sources.base import Source

COLUMNS = (
    "p_raw",
    "p_event_id",
    "p_event_time",
    "p_account_id",
    "p_region",
    "p_source_bucket",
    "p_source_key",
    "_hour",
    "_position",
)
MOST_RECORDS = 2000
"""How many candidates are judged together: what a dying worker costs."""
MOST_BYTES = 32 * 1024 * 1024
"""How many bytes of candidates: a worker has several times as much memory for what it makes of them."""

_NEEDS_ESCAPE = r'["\\\x00-\x1f]'


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the rules found in a batch, and what they want to be remembered, by key.

    `positions` tells, match by match, which of the batch's objects the event came from. `unjudged` are the ids of rules
    of which it is not known for all events whether they match: that something else was found before means nothing.
    """

    matches: tuple[Match, ...]
    positions: tuple[int, ...]
    failures: tuple[RuleFailure, ...]
    rules_version: str
    events: int
    remembered: tuple[tuple[str, StoredValue], ...] = ()
    costs: tuple[RuleCost, ...] = ()
    unjudged: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Candidates:
    """Rows of one log type that some rule may match."""

    log_type: str
    rows: pa.RecordBatch


def judge(work: WorkFolder, workers: RuleWorkers, stored: EarlierValues) -> Judgement:
    """Run every enabled rule over a batch's admitted events; `stored` is what rules remember of other batches."""
    values = MemoryValues(below=stored) if workers.pack.remembers else None
    fields = MatchFields(workers.pack.correlations)
    selection = _Selection(work, workers.pack.rules, fields.columns)
    version = workers.pack.version
    sent: deque[_Candidates] = deque()

    def tasks() -> Iterator[Task]:
        for candidates in selection:
            sent.append(candidates)
            yield Task(candidates.log_type, spliced(candidates.rows, source_of(candidates.log_type)))

    matches: list[Match] = []
    positions: list[int] = []
    failures: list[RuleFailure] = []
    costs: list[RuleCost] = []
    for verdict in workers.evaluate(tasks(), values):
        candidates = sent.popleft()
        failed = verdict.failures if failures else [*workers.broken, *verdict.failures]
        hits = [*verdict.matches, *error_matches(failed, version)]
        for hit, row in zip(hits, _rows_at(candidates.rows, [hit.index for hit in hits]), strict=True):
            match = as_match(hit, candidates.log_type, row)
            matches.append(fields.added(match, candidates.rows, hit.index))
            positions.append(row["_position"])
        failures += failed
        costs += verdict.costs
    written = tuple(values.written()) if values else ()
    found = tuple(matches), tuple(positions), tuple(failures)
    unjudged = workers.pack.uncertain | _unjudged(workers, failures)
    return Judgement(*found, version, selection.events, written, tuple(costs), unjudged)


def _unjudged(workers: RuleWorkers, failures: Sequence[RuleFailure]) -> frozenset[str]:
    """The rules that some event was not judged by; with a data model or a lookup table missing, perhaps all of them."""
    every = {rule.id for rule in workers.pack.rules} if any(map(is_shared, workers.broken)) else set()
    return frozenset(every | {failure.rule_id for failure in [*workers.broken, *failures] if is_deciding(failure)})


class _Selection:
    """The rows of a work folder that some rule may match; `events` counts all admitted rows passed.

    They come as they lie in the folder, but those that rules who remember are shown in the order of their events.
    """

    def __init__(self, work: WorkFolder, rules: Sequence[Rule], more: Sequence[str]) -> None:
        """`more` columns come with the rows."""
        self._admitted: Counter[int] = Counter()
        self._work, self._more = work, more
        self._needs: dict[str, list[Need]] = {}
        self._remembered: set[str] = set()
        for rule in rules:
            if rule.enabled:
                self._remembered.update(rule.log_types if rule.remembers else ())
                for log_type in rule.log_types:
                    self._needs.setdefault(log_type, []).append({} if is_never(rule.need) else rule.need)

    @property
    def events(self) -> int:
        return self._admitted.total()

    def __iter__(self) -> Iterator[_Candidates]:
        parts = self._work.parts
        ordered = [index for index, part in enumerate(parts) if part.log_type in self._remembered]
        for index, part in enumerate(parts):
            if index not in ordered:
                for rows in self._rows(index):
                    yield from _portioned(part.log_type, rows)
        for number, rows in in_time_order([partial(self._rows, index) for index in ordered]):
            yield from _portioned(parts[ordered[number]].log_type, rows)

    def _rows(self, index: int) -> Iterator[pa.RecordBatch]:
        """The rows of one part."""
        log_type = self._work.parts[index].log_type
        source = source_of(log_type)
        sieve = Sieve(self._needs.get(log_type, []), source.texts)
        columns = dict.fromkeys([*COLUMNS, *sieve.fields, *columns_of(source), *self._more])
        self._admitted[index] = 0  # those in the order of their events are read more than once
        for rows, keep in self._work.masked_part(index, list(columns)):
            self._admitted[index] += int(keep.sum())
            yield rows.filter(pa.array(keep & sieve.mask(rows)))


def _portioned(log_type: str, rows: pa.RecordBatch) -> Iterator[_Candidates]:
    for some in portions(rows):
        yield _Candidates(log_type, some)


def portions(rows: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """The rows in portions for a rule worker: at most `MOST_RECORDS`, and at most `MOST_BYTES` unless one is larger."""
    if not rows.num_rows:
        return
    ends = np.cumsum(pc.binary_length(rows.column("p_raw")).to_numpy(zero_copy_only=False).astype(np.int64))
    start = 0
    while start < rows.num_rows:
        before = ends[start - 1] if start else 0
        fit = int(np.searchsorted(ends, before + MOST_BYTES, "right"))
        end = min(max(fit, start + 1), start + MOST_RECORDS)
        yield rows.slice(start, end - start)
        start = end


def spliced(batch: pa.RecordBatch, source: Source) -> list[bytes]:
    """The events as rules see them, with the envelope that they may ask for put in front."""
    ids = batch.column("p_event_id")
    if pc.any(pc.match_substring_regex(ids, _NEEDS_ESCAPE)).as_py():
        ids = pa.array([msgspec.json.encode(text)[1:-1].decode() for text in ids.to_pylist()])
    times = batch.column("p_event_time").cast(pa.string())
    opening = f'{{"p_log_type":{msgspec.json.encode(source.log_type).decode()},"p_event_id":"'
    heads = pc.binary_join_element_wise(opening, ids, '","p_event_time":"', times, '"', "").cast(pa.binary())
    return [_join(head, raw) for head, raw in zip(heads.to_pylist(), raw_shaped(batch, source), strict=True)]


def _join(head: bytes, raw: bytes) -> bytes:
    rest = raw[1:].lstrip()
    return head + (rest if rest.startswith(b"}") else b"," + rest)


def _rows_at(batch: pa.RecordBatch, indices: Sequence[int]) -> list[dict[str, Any]]:
    kept = batch.select([name for name in COLUMNS if name != "p_raw"])
    rows: list[dict[str, Any]] = kept.take(pa.array(indices, pa.int64())).to_pylist()
    return rows


def as_match(hit: RuleMatch, log_type: str, row: dict[str, Any]) -> Match:
    """A rule's hit on an event, whose columns (`COLUMNS`) are in `row`, as the store and the lake keep it."""
    moment: datetime = row["p_event_time"].astimezone(UTC)
    slice_start = period_start(moment, hit.period_minutes)
    return Match(
        id=match_id(hit.rule_id, log_type, row["p_event_id"], row["_hour"]),
        rule_id=hit.rule_id,
        rule_version=hit.rule_version,
        log_type=log_type,
        event_id=row["p_event_id"],
        event_hour=row["_hour"],
        event_time=moment,
        dedup=hit.dedup,
        period_minutes=hit.period_minutes,
        threshold=hit.threshold,
        severity=hit.severity,
        title=hit.title,
        alert_id=alert_id(hit.rule_id, hit.dedup, slice_start),
        create_alert=hit.create_alert,
        unique_value=hit.unique,
        description=hit.description,
        runbook=hit.runbook,
        reference=hit.reference,
        destinations=hit.destinations,
        context=hit.context,
        p_account_id=row["p_account_id"],
        p_region=row["p_region"],
        p_source_bucket=row["p_source_bucket"],
        p_source_key=row["p_source_key"],
    )
