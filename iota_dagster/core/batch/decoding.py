"""A batch's fetched objects → work files: spread over workers, one bad object isolated from the others."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from iota_dagster.core.batch.work import WorkArea, WorkFolder
from iota_dagster.core.dedup.copies import Rows, Uniques, find_uniques, load_rows
from iota_dagster.core.errors import IotaError, Outage
from iota_dagster.core.ingest.ingest import Ingested, IngestJob, IngestOptions, IngestTask, Part, run_job
from iota_dagster.core.memory import release_memory
from iota_dagster.core.model import Batch, LogObject, ObjectStatus
from iota_dagster.core.reading.decode import DecodeLimits
from iota_dagster.core.sources.user_schema import UserSchema
from iota_dagster.core.workers import WorkerDied, WorkerPool


@dataclass(frozen=True, slots=True)
class Declared:
    """What an object's integration says of its content: see `IngestTask`."""

    log_types: tuple[str, ...] | None = None
    header: bytes | None = None


@dataclass(frozen=True, slots=True)
class IngestPlan:
    """How a batch's objects are spread over workers."""

    limits: DecodeLimits
    declared: Callable[[LogObject], Declared]
    inline_bytes: int
    """A batch smaller than this is parsed in the run's own process: no worker has to start."""
    task_bytes: int = 8 << 20
    """Objects are handed out in tasks of about this many compressed bytes."""
    user_types: tuple[UserSchema, ...] = ()
    """The user's own log types."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A batch's decoded rows and what is known of them before any look-up."""

    work: WorkFolder
    parts: tuple[Part, ...]
    ingested: tuple[Ingested, ...]
    failed: tuple[tuple[LogObject, str, str], ...]  # object, reason, detail: it could not be processed at all
    rows: Rows
    uniques: Uniques


def decode_batch(
    work: WorkArea, pool: WorkerPool, plan: IngestPlan, batch: Batch, spooled: Mapping[int, Path]
) -> Prepared:
    """Decode the batch's fetched objects (by their id) into a new work folder; takes nothing, may be repeated."""
    folder = work.create(batch.id)
    small = sum(path.stat().st_size for path in spooled.values()) < plan.inline_bytes
    options = IngestOptions(batch.id, batch.created_at, plan.limits, user_types=plan.user_types)
    jobs = [
        IngestJob(tasks, folder.path, f"t{index:04}", options)
        for index, tasks in enumerate(_tasks(batch, spooled, plan))
    ]
    ingested: list[Ingested] = []
    parts: list[Part] = []
    failed: list[tuple[LogObject, str, str]] = []
    for job, result in zip(jobs, pool.run(run_job, jobs, inline=small), strict=True):
        for one, outcome in _isolated(pool, job, result, small):
            if isinstance(outcome, BaseException):
                failed.append((one.tasks[0].object, *_blame(outcome)))
            else:
                ingested += outcome[0]
                parts += outcome[1]
    if failed:
        _prove_innocent(pool, folder.path, options, small)
    work.persist_parts(folder, parts)
    folder = replace(folder, parts=tuple(parts))
    rows = load_rows(folder)
    release_memory()
    return Prepared(folder, tuple(parts), tuple(ingested), tuple(failed), rows, find_uniques(rows))


def _tasks(batch: Batch, spooled: Mapping[int, Path], plan: IngestPlan) -> list[tuple[IngestTask, ...]]:
    tasks: list[tuple[IngestTask, ...]] = []
    group: list[IngestTask] = []
    size = 0
    for position, item in enumerate(batch.objects):
        path = spooled.get(item.id)
        if path is None:
            continue
        declared = plan.declared(item)
        group.append(IngestTask(position, item, str(path), declared.log_types, declared.header))
        size += path.stat().st_size
        if size >= plan.task_bytes:
            tasks.append(tuple(group))
            group, size = [], 0
    return [*tasks, tuple(group)] if group else tasks


def _isolated(pool: WorkerPool, job: IngestJob, result: _Outcome, inline: bool) -> Sequence[tuple[IngestJob, _Outcome]]:
    """A failed task's objects, each on its own, so that one bad object costs the others nothing."""
    if not isinstance(result, BaseException):
        return [(job, result)]
    if isinstance(result, Outage | OSError):
        raise result
    if len(job.tasks) == 1:
        return [(job, result)]
    alone = [replace(job, tasks=(task,), prefix=f"{job.prefix}-{n}") for n, task in enumerate(job.tasks)]
    return list(zip(alone, pool.run(run_job, alone, inline=inline), strict=True))


def _prove_innocent(pool: WorkerPool, folder: Path, options: IngestOptions, inline: bool) -> None:
    """Before objects are blamed, a harmless one must pass: a broken installation must not fill the quarantine."""
    path = folder / "harmless.json.gz"
    path.write_bytes(gzip.compress(b'{"Records":[]}'))
    harmless = LogObject(0, "", path.name, "", 0, "", None, None, 0, ObjectStatus.PENDING, "log")
    job = IngestJob((IngestTask(0, harmless, str(path), None),), folder, "harmless", options)
    for outcome in pool.run(run_job, [job], inline=inline):
        if isinstance(outcome, BaseException):
            raise IotaError(f"no object can be read on this host: {type(outcome).__name__}: {outcome}") from outcome
    path.unlink()


_Outcome = tuple[list[Ingested], list[Part]] | BaseException


def _blame(error: BaseException) -> tuple[str, str]:
    reason = "worker_died" if isinstance(error, WorkerDied) else "parser_error"
    return reason, f"{type(error).__name__}: {error}"
