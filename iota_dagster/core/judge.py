"""A batch's admitted events → matches: the rules run over the work files, in workers when there is much to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import msgspec
import pyarrow as pa

from iota_dagster.core.alerting.ids import alert_id, match_id, period_start
from iota_dagster.core.detection.engine import Engine, RuleFailure, RuleMatch
from iota_dagster.core.detection.loader import load_rules
from iota_dagster.core.model import Match
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
    log_type = job.work.parts[job.part].log_type
    matches: list[Match] = []
    positions: list[int] = []
    failures: list[RuleFailure] = []
    events = 0
    for batch in job.work.part_batches(job.part, COLUMNS):
        verdict = engine.evaluate(log_type, list(_spliced(batch, log_type)))
        for hit in verdict.matches:
            matches.append(_as_match(hit, log_type, _row(batch, hit.index)))
            positions.append(batch.column("_position")[hit.index].as_py())
        failures += verdict.failures
        events += batch.num_rows
    return Judgement(tuple(matches), tuple(positions), tuple(failures), engine.pack_version, events)


def _spliced(batch: pa.RecordBatch, log_type: str) -> Iterator[bytes]:
    """The vendor's records with the envelope that rules may ask for put in at their end."""
    kind = msgspec.json.encode(log_type)
    ids = batch.column("p_event_id").to_pylist()
    times = batch.column("p_event_time").to_pylist()
    raws = cast("list[bytes]", batch.column("p_raw").cast(pa.binary()).to_pylist())
    encode = msgspec.json.encode
    for raw, event_id, moment in zip(raws, ids, times, strict=True):
        body = raw.rstrip()[:-1]
        comma = b"" if body.rstrip().endswith(b"{") else b","
        yield b'%b%b"p_log_type":%b,"p_event_id":%b,"p_event_time":%b}' % (
            body,
            comma,
            kind,
            encode(event_id),
            encode(moment),
        )


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
