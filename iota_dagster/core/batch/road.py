"""The road of a batch, step by step: claim → fetch → prepare and commit → lake, alerts → deliveries.

Each step asks the store what is left to do for a run, so that a retried run, or another one after a crash, goes on
where the last one stopped. Dagster's assets call one step each; a script or a test may call them in the same order.
"""

from __future__ import annotations

import logging
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

import sqlalchemy as sa

from iota_dagster.core.alerting.deliver import DeliveryReport, deliver_due
from iota_dagster.core.alerting.destination import Destination
from iota_dagster.core.background import repeating
from iota_dagster.core.batch import batch_figures
from iota_dagster.core.batch.attempts import Attempts
from iota_dagster.core.batch.fetching import Fetched, Spool
from iota_dagster.core.batch.owner import current_owner, is_alive
from iota_dagster.core.batch.prepare import CannotDoAgain, Committed, Preparer
from iota_dagster.core.batch.work import WorkArea, WorkFolder
from iota_dagster.core.detection.processes.rule_workers import RuleWorkers
from iota_dagster.core.errors import LakeFileDamaged, Outage, WorkFilesLost
from iota_dagster.core.hours import Hour
from iota_dagster.core.judging import judge as judging
from iota_dagster.core.lake import alert_matches
from iota_dagster.core.lake.generation import NewFile
from iota_dagster.core.lake.match_files import match_files, rows_of_rules
from iota_dagster.core.lake.publication import Lake, Superseded
from iota_dagster.core.lake.schema import table_schema
from iota_dagster.core.lake.writer import write_hours
from iota_dagster.core.model import Batch, BatchStatus
from iota_dagster.core.observability import metrics
from iota_dagster.core.observability.figures import Figures, Step
from iota_dagster.core.sources import SOURCES, source_of
from iota_dagster.core.store import batches as batch_store
from iota_dagster.core.store import claims, rule_packs, rule_values
from iota_dagster.core.store import commit as commits
from iota_dagster.core.store import figures as figure_store
from iota_dagster.core.store.alerts import AlertChanges, Route, record_matches
from iota_dagster.core.store.batches import RunIdentity
from iota_dagster.core.store.claims import Assignment, ClaimLimits
from iota_dagster.core.store.database import Database
from iota_dagster.core.store.lake_catalog import TableHour
from iota_dagster.core.store.rule_values import StoredValues
from iota_dagster.core.store.schema import batches as batches_table

_log = logging.getLogger(__name__)


class Branch(StrEnum):
    """The two branches that publish a batch, by the mark each sets on it."""

    LAKE = "lake_at"
    ALERTS = "alerts_at"


@dataclass(frozen=True, slots=True)
class Published:
    """What a batch's lake step wrote: rows by (table, event hour), and the hours that changed."""

    batch: Batch
    rows: Mapping[TableHour, int]
    changed: tuple[TableHour, ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """What a batch's alerts step found and changed."""

    batch: Batch
    judgement: judging.Judgement
    changes: AlertChanges
    changed: tuple[TableHour, ...]


@dataclass(frozen=True, slots=True)
class Alerting:
    """Rules, in the processes that run them, and where their alerts go."""

    rules: Callable[[], RuleWorkers]
    destinations: Sequence[Destination]
    route: Route
    notify_within: timedelta


@dataclass(frozen=True, slots=True)
class Road:
    """Everything a batch needs on its way; made once per run."""

    database: Database
    spool: Spool
    preparer: Preparer
    lake: Lake
    alerting: Alerting
    limits: ClaimLimits
    scratch: Path
    heartbeat: timedelta = timedelta(seconds=15)
    forgive_waits: Sequence[float] = (1, 2, 5, 10, 20, 40, 60)
    """Seconds to wait, one after the other, for a store that must be told that an attempt did not die."""
    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))

    @property
    def work(self) -> WorkArea:
        """The batches' work folders."""
        return self.preparer.work

    def run_identity(self, root_run: str) -> RunIdentity:
        """This process, working for a run."""
        return RunIdentity(root_run, current_owner())

    @contextmanager
    def at_work(self, run: RunIdentity) -> Iterator[None]:
        """A heartbeat, for as long as the block works, on all that the run has claimed or claims meanwhile.

        Without it a batch that waits for its turn looks like a dead run's, seen from another host.
        """

        def beat() -> None:
            with suppress(Outage), self.database.begin() as connection:
                batch_store.beat(connection, run, self.clock())

        with repeating(self.heartbeat.total_seconds(), beat, "heartbeat"):
            yield

    # ── raw_logs ──

    def claim(self, run: RunIdentity, hours: Sequence[Hour], *, again: bool) -> list[Assignment]:
        """Claim what the hours have to do; with `again`, their done batches too (after finishing unfinished ones).

        `ForeignLake`, before anything is taken, when the store does not know what the lake holds. An unfinished batch
        that cannot be finished is claimed as it is: the run's own `publish` and `judge` raise what is wrong with it.
        """
        self.lake.require_own()
        if again:
            self._finish_unpublished(hours)
        for hour in hours:
            with self.database.begin() as connection:
                claims.claim(
                    connection, hour, run, limits=self.limits, now=self.clock(), is_alive=is_alive, again=again
                )
        claimed = self.assignments(run, hours)
        if claimed:
            self.alerting.rules().warm()
        return claimed

    def assignments(self, run: RunIdentity, hours: Sequence[Hour]) -> list[Assignment]:
        """What the run has claimed, as it stands now."""
        with self.database.read() as connection:
            return claims.assignments(connection, run.root, hours)

    def fetch(self, assignment: Assignment) -> Fetched:
        """Bring a batch's objects to this machine; one that cannot be read leaves an open batch, with its reason."""
        return self.spool.fetch(assignment)

    # ── events ──

    def prepare(self, run: RunIdentity, assignment: Assignment) -> list[Committed | CannotDoAgain]:
        """Prepare and commit one claimed batch (or its halves, after too many deaths); nothing if that is done."""
        return self._attempts.prepare(run, assignment)

    @property
    def _attempts(self) -> Attempts:
        return Attempts(self.database, self.spool, self.preparer, self.forgive_waits, self.clock)

    # ── lake ──

    def publish(self, batch: Batch) -> Published:
        """Write a committed batch's rows into the lake; repeating it writes the same."""
        started = time.perf_counter()
        batch, work = self._open_work(batch)
        with self._scratch_folder() as folder:
            files: dict[TableHour, NewFile] = {}
            for log_type, hours in self._admitted_hours(batch).items():
                source = source_of(log_type)
                written = write_hours(work, log_type, table_schema(source), hours, folder)
                files |= {(source.table, hour): file for hour, file in written.items()}
            mark = self._mark(batch, Branch.LAKE)

            def record(connection: sa.Connection) -> bool:
                if not mark(connection):
                    return False
                found = Figures()
                seconds = figure_store.since_commit(connection, batch.id, self.clock())
                found.observe(metrics.LAG, "committed_to_lake", seconds=seconds)
                self._count(connection, batch, Step.LAKE, found, files, started)
                return True

            changed = self._publish(batch, files, _event_tables(), record)
            return Published(batch, {key: file.rows for key, file in files.items()}, changed)

    def _admitted_hours(self, batch: Batch) -> dict[str, list[Hour]]:
        hours: dict[str, list[Hour]] = {}
        with self.database.read() as connection:
            for item in commits.admissions_of(connection, batch.id):
                hours.setdefault(item.log_type, []).append(item.hour)
        return {log_type: sorted(found) for log_type, found in sorted(hours.items())}

    # ── alerts ──

    def judge(self, batch: Batch) -> Judged:
        """Run the rules over a committed batch; matches, alerts, outbox and the `alert_matches` rows in one go.

        Where the lake does not take the rows, alerts and outbox do not wait for it: the batch has no mark then, and is
        judged again. That changes nothing of what people were told.
        """
        started = time.perf_counter()
        batch, work = self._open_work(batch)
        with self._scratch_folder() as folder:
            rules = self.alerting.rules()
            found = judging.judge(work, rules, StoredValues(self.database))
            first = {
                match.id
                for match, position in zip(found.matches, found.positions, strict=True)
                if batch.objects[position].first_completion
            }
            with self._alerting_without_the_lake(batch, found, first):
                kept = rows_of_rules(self.lake, batch.id, found.unjudged, found.matches)
                files = match_files(found.matches, batch.id, folder, kept)
                changed, changes = self._published_matches(batch, found, first, files, started)
            return Judged(batch, found, changes, changed)

    def _published_matches(
        self,
        batch: Batch,
        found: judging.Judgement,
        first: set[str],
        files: Mapping[TableHour, NewFile],
        started: float,
    ) -> tuple[tuple[TableHour, ...], AlertChanges]:
        """A batch's matches into lake and store, with the mark; the hours that changed, and the alerts."""
        changes: list[AlertChanges] = []
        mark, rules = self._mark(batch, Branch.ALERTS), self.alerting.rules()

        def record(connection: sa.Connection) -> bool:
            if not mark(connection):
                return False
            rule_packs.note_use(connection, batch.id, rules.pack, self.clock())
            changes[:] = [self._record(connection, batch, found, first)]
            figures = Figures()
            batch_figures.add_rules(figures, found.costs, found.matches, found.failures)
            self._count(connection, batch, Step.RULES, figures, files, started)
            return True

        changed = self._publish(batch, files, (alert_matches.TABLE,), record)
        return changed, changes[0] if changes else AlertChanges()

    @contextmanager
    def _alerting_without_the_lake(self, batch: Batch, found: judging.Judgement, first: set[str]) -> Iterator[None]:
        """When the lake fails, which may last long, people are told all the same. What is wrong is raised."""
        try:
            yield
        except (Outage, LakeFileDamaged):
            with suppress(Outage), self.database.begin() as connection:  # of the store: then nothing can be written
                if batch_store.lock_current(connection, batch):
                    self._record(connection, batch, found, first)
            raise

    def _record(
        self, connection: sa.Connection, batch: Batch, found: judging.Judgement, first: set[str]
    ) -> AlertChanges:
        now, notify_within = self.clock(), self.alerting.notify_within
        rule_values.save(connection, found.remembered)
        changes = record_matches(
            connection,
            batch.id,
            found.matches,
            notify=lambda match: match.id in first,
            now=now,
            notify_within=notify_within,
            route=self.alerting.route,
            unjudged=found.unjudged,
        )
        figure_store.record_alerts(connection, batch.id, changes.created, now, notify_within)
        return changes

    # ── alert_deliveries ──

    def deliver(self) -> DeliveryReport:
        """Send what is due in the outbox, whichever batch it came from."""
        report = deliver_due(self.database, self.alerting.destinations, current_owner(), clock=self.clock)
        figure_store.flush(self.database, self.clock())
        return report

    # ── shared ──

    def _open_work(self, batch: Batch) -> tuple[Batch, WorkFolder]:
        """A committed batch's work files; lost ones (a disk, a pod) are made anew from its objects, as a redo."""
        try:
            return batch, self.work.open(_committed_work(batch))
        except WorkFilesLost:
            results = self._attempts.decode_and_commit(Assignment(batch, redo=True))
        if missing := [name for result in results if isinstance(result, CannotDoAgain) for name in result.missing]:
            raise WorkFilesLost(f"the work files of batch {batch.id} are gone and so are objects: {', '.join(missing)}")
        with self.database.read() as connection:
            batch = batch_store.load(connection, batch.id)
        return batch, self.work.open(_committed_work(batch))

    def to_publish(self, run: RunIdentity, hours: Sequence[Hour], branch: Branch) -> list[Batch]:
        """The committed batches that a branch of a run has to publish.

        Those of the run's own claim that lack the branch's mark; a run that claimed nothing (a downstream asset
        launched alone) publishes every batch of the hours again.
        """
        with self.database.read() as connection:
            if not claims.has_claimed(connection, run.root, hours):
                return batch_store.batches_of_hours(connection, hours)
        claimed = self.assignments(run, hours)
        ready = [item.batch for item in claimed if item.batch.status in (BatchStatus.COMMITTED, BatchStatus.DONE)]
        return [batch for batch in ready if getattr(batch, branch.value) is None]

    def unpublished(self, hours: Sequence[Hour]) -> list[Batch]:
        """Committed batches of some hours that the lake or the alerts still lack."""
        with self.database.read() as connection:
            found = batch_store.batches_of_hours(connection, hours)
        return [batch for batch in found if batch.status is BatchStatus.COMMITTED]

    def _finish_unpublished(self, hours: Sequence[Hour]) -> None:
        for batch in self.unpublished(hours):
            try:
                self.publish(batch)
                self.judge(batch)
            except Exception as error:
                _log.warning("batch %s cannot be finished, and is not done again: %r", batch.id, error)

    def _publish(
        self,
        batch: Batch,
        files: Mapping[TableHour, NewFile],
        tables: Sequence[str],
        on_commit: Callable[[sa.Connection], bool],
    ) -> tuple[TableHour, ...]:
        try:
            return tuple(self.lake.publish(batch.id, files, tables, on_commit))
        except Superseded:
            return ()

    def _count(
        self,
        connection: sa.Connection,
        batch: Batch,
        step: Step,
        found: Figures,
        files: Mapping[TableHour, NewFile],
        started: float,
    ) -> None:
        """Write a publishing step's figures, with its files and its time."""
        batch_figures.add_files(found, files)
        found.observe(metrics.STEP_SECONDS, step, seconds=[time.perf_counter() - started])
        figure_store.record(connection, batch.id, step, found, self.clock())

    def _mark(self, batch: Batch, branch: Branch) -> Callable[[sa.Connection], bool]:
        column = batches_table.c[branch.value]
        return lambda connection: batch_store.mark_published(connection, batch, column, self.clock())

    @contextmanager
    def _scratch_folder(self) -> Iterator[Path]:
        folder = self.scratch / "publish" / uuid.uuid4().hex
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _committed_work(batch: Batch) -> str:
    if batch.work is None:
        raise ValueError(f"batch {batch.id} is not committed")
    return batch.work


def _event_tables() -> tuple[str, ...]:
    return tuple(source.table for source in SOURCES.values())
