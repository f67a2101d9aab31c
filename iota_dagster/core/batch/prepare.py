"""Prepare and commit: a batch's objects → work files, id files and one transaction (DESIGN §4).

Until the commit nothing is taken: ids are only looked up, and every file has a name of its own. Whoever is beaten to an
event hour looks its ids up again and tries once more; the decoded rows are not touched by that.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from iota_dagster.core.batch import batch_figures
from iota_dagster.core.batch.decoding import IngestPlan, Prepared, decode_batch
from iota_dagster.core.batch.work import WorkArea
from iota_dagster.core.dedup import id_files
from iota_dagster.core.dedup.copies import CONFLICT, DUPLICATE, KEPT, judge_rows
from iota_dagster.core.dedup.seen import Admission, SeenEvents
from iota_dagster.core.errors import VersionConflict, WorkFilesLost
from iota_dagster.core.hours import hour_folder
from iota_dagster.core.model import Batch, ObjectOutcome, ObjectStatus, QuarantineItem
from iota_dagster.core.observability import metrics
from iota_dagster.core.observability.figures import Figures, Step
from iota_dagster.core.storage import Storage
from iota_dagster.core.store import commit as commits
from iota_dagster.core.store import figures as figure_store
from iota_dagster.core.store import rebuilt
from iota_dagster.core.store.commit import Commit, EventHour, HourState
from iota_dagster.core.store.database import Database
from iota_dagster.core.workers import WorkerPool

CONFLICTING_COPY = "conflicting_copy"


@dataclass(frozen=True, slots=True)
class CannotDoAgain:
    """Objects of a done batch that could not be read whole again: nothing changes."""

    batch: Batch
    missing: tuple[str, ...]


@dataclass(slots=True)
class LookupCounts:
    """What the bloom filters did for a batch."""

    checks: int = 0
    positives: int = 0
    false_positives: int = 0


@dataclass(frozen=True, slots=True)
class Committed:
    """What a commit admitted and counted."""

    change: Commit
    lookups: LookupCounts = field(default_factory=LookupCounts)
    conflicts: int = 0


@dataclass(frozen=True, slots=True)
class Preparer:
    """Everything that preparing and committing a batch needs."""

    database: Database
    work: WorkArea
    state: Storage
    seen: SeenEvents
    pool: WorkerPool
    plan: IngestPlan

    def decode(self, batch: Batch, spooled: Mapping[int, Path]) -> Prepared:
        """Decode the batch's fetched objects into a new work folder; takes nothing, may be repeated."""
        return decode_batch(self.work, self.pool, self.plan, batch, spooled)

    def commit(
        self, batch: Batch, prepared: Prepared, *, redo: bool, started: float | None = None
    ) -> Committed | CannotDoAgain:
        """Look up, write the id files, commit; repeats for as long as neighbours commit first.

        `started` is when the work on the batch began (`time.perf_counter`), for its figures. Raises
        `commits.AlreadyCommitted` when a twin committed this batch, `commits.MembersChanged` when one took objects out.
        """
        started = time.perf_counter() if started is None else started
        if redo and (missing := _not_whole_again(batch, prepared)):
            return CannotDoAgain(batch, missing)
        times, conflicts = batch_figures.usable_times(prepared), 0
        while True:
            counts = LookupCounts()
            change, fate = self._compose(batch, prepared, redo, conflicts, counts)
            now = datetime.now(UTC)
            found = self._figures(batch, prepared, times, fate, change, now)
            batch_figures.add_lookups(found, counts.checks, counts.positives, counts.false_positives, conflicts)
            found.observe(metrics.STEP_SECONDS, Step.EVENTS, seconds=[time.perf_counter() - started])
            try:
                with self.database.begin() as connection:
                    commits.commit(connection, change, now)
                    figure_store.record(connection, batch.id, Step.EVENTS, found, now)
            except VersionConflict:
                conflicts += 1
                continue
            return Committed(change, counts, conflicts)

    def _figures(
        self,
        batch: Batch,
        prepared: Prepared,
        times: NDArray[np.int64],
        fate: NDArray[np.int8],
        change: Commit,
        now: datetime,
    ) -> Figures:
        with self.database.read() as connection:
            arrivals = figure_store.arrivals(connection, batch.id)
        return batch_figures.event_figures(batch, prepared, times, fate, change, arrivals, now)

    def _compose(
        self, batch: Batch, prepared: Prepared, redo: bool, attempt: int, counts: LookupCounts
    ) -> tuple[Commit, NDArray[np.int8]]:
        """What to commit, and each row's fate."""
        old = self._own_admissions(batch) if redo else {}
        keys = sorted({*prepared.rows.groups, *old})
        with self.database.read() as connection:
            states = commits.hour_states(connection, keys)
        found = _lookup(self.seen, batch.id, prepared, states, counts)
        fate = judge_rows(prepared.rows, prepared.uniques, found.seen, found.prints)
        work = self.work.save(prepared.work, prepared.parts, fate == KEPT)
        admitted, kept_ids = self._admit(prepared, found.seen, attempt)
        change = Commit(
            batch=batch,
            redo=redo,
            work=work.name,
            outcomes=_outcomes(batch, prepared, fate),
            quarantine=[*_quarantine(prepared), *_conflicting(batch, prepared, fate)],
            admissions=admitted,
            versions={key: state.version for key, state in states.items()},
            duplicates=_against(prepared, fate, found),
            dropped=frozenset(key for key, item in old.items() if self._drops(item, kept_ids.get(key))),
        )
        return change, fate

    def _own_admissions(self, batch: Batch) -> dict[EventHour, Admission]:
        with self.database.read() as connection:
            return {(item.log_type, item.hour): item for item in commits.admissions_of(connection, batch.id)}

    def _drops(self, old: Admission, kept: NDArray[np.void] | None) -> bool:
        """Whether an id of the last revision is no longer admitted."""
        if kept is None or len(kept) < old.count:
            return old.count > 0
        try:
            before = self.seen.ids_of(old)
        except WorkFilesLost:  # id file and work files are gone and the lake has nothing yet: nobody can tell
            return True
        return bool((id_files.find(kept, before) < 0).any())

    def _admit(
        self, prepared: Prepared, seen: NDArray[np.bool_], attempt: int
    ) -> tuple[list[Admission], dict[EventHour, NDArray[np.void]]]:
        """Write an id file per event hour; each attempt's files have names of their own."""
        admitted, kept = [], {}
        for group, (log_type, hour) in enumerate(prepared.rows.groups):
            span = prepared.uniques.span(group)
            ids = prepared.uniques.ids[span][~seen[span]]
            if not len(ids):
                continue
            batch_id, _, try_id = prepared.work.name.partition("/")
            file = f"ids/{log_type}/{hour_folder(hour)}/{batch_id}-{try_id}-{attempt}.ids"
            sha256 = id_files.write(self.state, file, ids)
            admitted.append(Admission(batch_id, log_type, hour, file, sha256, len(ids)))
            kept[log_type, hour] = ids
        return admitted, kept


@dataclass(frozen=True, slots=True)
class _Found:
    """For each distinct id: is it committed by another batch, with which fingerprint, by which admission."""

    seen: NDArray[np.bool_]
    prints: NDArray[np.uint64]
    admission: NDArray[np.int64]
    admissions: tuple[Admission, ...]


def _lookup(
    seen: SeenEvents,
    batch_id: str,
    prepared: Prepared,
    states: Mapping[EventHour, HourState],
    counts: LookupCounts,
) -> _Found:
    total = len(prepared.uniques.ids)
    found = _Found(np.zeros(total, np.bool_), np.zeros(total, np.uint64), np.full(total, -1, np.int64), ())
    known: list[Admission] = []
    for group, (log_type, hour) in enumerate(prepared.rows.groups):
        others = [item for item in states[log_type, hour].admissions if item.batch_id != batch_id]
        if not others:
            continue
        span = prepared.uniques.span(group)
        result = seen.lookup(log_type, hour, others, prepared.uniques.ids[span])
        found.seen[span], found.prints[span] = result.seen, result.prints
        found.admission[span] = np.where(result.seen, result.admission + len(known), -1)
        known += others
        counts.checks += result.checks
        counts.positives += result.positives
        counts.false_positives += result.false_positives
    return replace(found, admissions=tuple(known))


def _outcomes(batch: Batch, prepared: Prepared, fate: NDArray[np.int8]) -> list[ObjectOutcome]:
    size = len(batch.objects)
    by_fate = {code: np.bincount(prepared.rows.position[fate == code], minlength=size) for code in (0, 1, 2)}
    outcomes = [
        ObjectOutcome(
            object_id=item.object_id,
            records=item.records,
            rows=int(by_fate[KEPT][item.position]),
            duplicates=int(by_fate[DUPLICATE][item.position]),
            quarantined=len(item.quarantine) + int(by_fate[CONFLICT][item.position]),
            content_sha256=item.content_sha256,
            content_bytes=item.content_bytes,
        )
        for item in prepared.ingested
    ]
    return outcomes + [
        ObjectOutcome(object_id=item.id, status=ObjectStatus.QUARANTINED, error=f"{reason}: {detail}")
        for item, reason, detail in prepared.failed
    ]


def _quarantine(prepared: Prepared) -> list[QuarantineItem]:
    whole = [
        QuarantineItem(object_id=item.id, reason=reason, detail=detail, size=item.size)
        for item, reason, detail in prepared.failed
    ]
    return [*whole, *(entry for item in prepared.ingested for entry in item.quarantine)]


def _conflicting(batch: Batch, prepared: Prepared, fate: NDArray[np.int8]) -> list[QuarantineItem]:
    """The copies that contradict the one that is kept: evidence, so they stay readable."""
    items: list[QuarantineItem] = []
    start = 0
    for part in prepared.parts:
        if not (fate[start : start + part.rows] == CONFLICT).any():
            start += part.rows
            continue
        for rows in prepared.work.all_batches(part, ["p_raw", "p_source_line", "_position"]):
            wanted = pa.array(fate[start : start + rows.num_rows] == CONFLICT)
            start += rows.num_rows
            items += [_conflict(batch, row) for row in rows.filter(wanted).to_pylist()]
    return items


def _conflict(batch: Batch, row: Mapping[str, Any]) -> QuarantineItem:
    data = str(row["p_raw"]).encode()
    return QuarantineItem(
        object_id=batch.objects[row["_position"]].id,
        reason=CONFLICTING_COPY,
        detail="the same event id as an event that is kept, with another content",
        ordinal=row["p_source_line"],
        size=len(data),
        sample=data,
    )


def _against(prepared: Prepared, fate: NDArray[np.int8], found: _Found) -> dict[tuple[str, str, int], int]:
    """How many records were set aside for a copy of another batch, by (batch, log type, event hour)."""
    admission = found.admission[prepared.uniques.of_row]
    set_aside = admission[(fate != KEPT) & (admission >= 0)]
    counts: dict[tuple[str, str, int], int] = {}
    for index, count in zip(*np.unique(set_aside, return_counts=True), strict=True):
        item = found.admissions[int(index)]
        key = (item.batch_id, item.log_type, item.hour)
        counts[key] = counts.get(key, 0) + int(count)
    return counts


def _not_whole_again(batch: Batch, prepared: Prepared) -> tuple[str, ...]:
    """Objects whose last output cannot be replaced: not read this time, or with another content."""
    read = {item.object_id: item.content_sha256 for item in prepared.ingested}
    return tuple(
        f"{item.bucket}/{item.key}"
        for item in batch.objects
        if item.content_sha256 is not None and not rebuilt.is_as_it_was(item, read.get(item.id))
    )
