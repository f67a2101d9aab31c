"""A batch's admitted events → matches: the rules run over the work files, in workers when there is much to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from iota_dagster.core.alerting.ids import alert_id, match_id, period_start
from iota_dagster.core.detection.engine import Engine, RuleFailure, RuleMatch
from iota_dagster.core.detection.loader import load_rules
from iota_dagster.core.detection.routing import FIELD
from iota_dagster.core.ingest import no_collector
from iota_dagster.core.memory import release_memory
from iota_dagster.core.model import Match
from iota_dagster.core.sources import source_of
from iota_dagster.core.work import WorkFolder
from iota_dagster.core.workers import WorkerPool

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

_NEEDS_ESCAPE = r'["\\\x00-\x1f]'


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the rules found in a batch; `positions` tells, match by match, which of its objects the event came from."""

    matches: tuple[Match, ...]
    positions: tuple[int, ...]
    failures: tuple[RuleFailure, ...]
    rules_version: str
    events: int


@dataclass(frozen=True, slots=True)
class _Job:
    work: WorkFolder
    part: int
    rules: tuple[Path, ...]


@lru_cache(maxsize=4)
def engine_for(rules: tuple[Path, ...]) -> Engine:
    """The engine over some rule folders, loaded once per process."""
    return Engine(load_rules(rules))


def judge(work: WorkFolder, rules: Sequence[Path], pool: WorkerPool, *, inline: bool) -> Judgement:
    """Run every enabled rule over a batch's admitted events."""
    jobs = [_Job(work, index, tuple(rules)) for index in range(len(work.parts))]
    matches: list[Match] = []
    positions: list[int] = []
    failures: list[RuleFailure] = []
    events = 0
    version = ""
    for result in pool.run(_judge_part, jobs, inline=inline):
        if isinstance(result, BaseException):
            raise result
        matches += result.matches
        positions += result.positions
        failures += result.failures
        events += result.events
        version = result.rules_version
    return Judgement(tuple(matches), tuple(positions), tuple(failures), version, events)


def _judge_part(job: _Job) -> Judgement:
    engine = engine_for(job.rules)
    try:
        with no_collector():
            return _judge_events(engine, job)
    finally:
        release_memory()


def _judge_events(engine: Engine, job: _Job) -> Judgement:
    log_type = job.work.parts[job.part].log_type
    matches: list[Match] = []
    positions: list[int] = []
    failures: list[RuleFailure] = []
    events = 0
    names = engine.event_names(log_type) if FIELD in source_of(log_type).columns.names else None
    columns = COLUMNS if names is None else (*COLUMNS, FIELD)
    for whole, keep in job.work.masked_part(job.part, columns):
        events += int(keep.sum())
        batch = whole.filter(pa.array(keep if names is None else keep & _may_match(whole.column(FIELD), names)))
        verdict = engine.evaluate(log_type, _spliced(batch, log_type))
        for hit in verdict.matches:
            matches.append(_as_match(hit, log_type, _row(batch, hit.index)))
            positions.append(batch.column("_position")[hit.index].as_py())
        failures += verdict.failures
    return Judgement(tuple(matches), tuple(positions), tuple(failures), engine.pack_version, events)


def _may_match(column: pa.Array, names: frozenset[str]) -> NDArray[np.bool_]:
    """The events that some rule may match: those with one of its names, and those without any (see `routing`)."""
    wanted = pc.is_in(column, value_set=pa.array([None, *sorted(names)], pa.string()))
    return cast("NDArray[np.bool_]", wanted.to_numpy(zero_copy_only=False))


def _spliced(batch: pa.RecordBatch, log_type: str) -> list[bytes]:
    """The vendor's JSON objects with the envelope that rules may ask for put in front."""
    ids = batch.column("p_event_id")
    if pc.any(pc.match_substring_regex(ids, _NEEDS_ESCAPE)).as_py():
        ids = pa.array([msgspec.json.encode(text)[1:-1].decode() for text in ids.to_pylist()])
    times = batch.column("p_event_time").cast(pa.string())
    opening = f'{{"p_log_type":{msgspec.json.encode(log_type).decode()},"p_event_id":"'
    heads = pc.binary_join_element_wise(opening, ids, '","p_event_time":"', times, '"', "").cast(pa.binary())
    raws = cast("list[bytes]", batch.column("p_raw").cast(pa.binary()).to_pylist())
    return [_join(head, raw) for head, raw in zip(heads.to_pylist(), raws, strict=True)]


def _join(head: bytes, raw: bytes) -> bytes:
    if len(raw) < 16 and raw[1:].strip() == b"}":
        return head + b"}"
    return head + b"," + raw[1:]


def _row(batch: pa.RecordBatch, index: int) -> dict[str, Any]:
    return {name: batch.column(name)[index].as_py() for name in COLUMNS if name != "p_raw"}


def _as_match(hit: RuleMatch, log_type: str, row: dict[str, Any]) -> Match:
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
