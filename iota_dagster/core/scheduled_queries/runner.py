"""Scheduled queries: what is due is run over the lake, its rows are judged, and people are told.

A run's matches, alerts, outbox and next due time are one transaction, so that a run that dies is repeated and a run
that has a twin counts once. A run does what it was asked for, unless somebody else has been asked for it meanwhile. A
query that was due several times while nothing ran is run once. Its SQL can ask for the time at which the run was due
and for that of the run before, so that a late run leaves no gap.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import blake2b

import pyarrow as pa
import sqlalchemy as sa

from iota_dagster.core.alerting.ids import period_start
from iota_dagster.core.batch.road import Road
from iota_dagster.core.detection.rule_errors import PERIOD_MINUTES
from iota_dagster.core.detection.scheduled_query import ScheduledQuery, sql_parameters
from iota_dagster.core.detection.verdict import RuleFailure, RuleMatch
from iota_dagster.core.errors import IotaError, LakeFileDamaged, Outage
from iota_dagster.core.lake.match_files import publish_unit
from iota_dagster.core.lake.publication import Superseded
from iota_dagster.core.lake.query import QueryError, QueryLimits, query
from iota_dagster.core.lake.tables import lake_tables
from iota_dagster.core.model import Match
from iota_dagster.core.scheduled_queries.requests import START_PATIENCE, ask_for_run, judged_queries, keep_schedules
from iota_dagster.core.scheduled_queries.rows import JudgedRows, Occasion, judge_rows, match_of_row
from iota_dagster.core.store import figures, rule_values
from iota_dagster.core.store import scheduled_queries as store
from iota_dagster.core.store.alerts import AlertChanges, record_matches
from iota_dagster.core.store.correlations import rules_with_matches
from iota_dagster.core.store.lake_catalog import TableHour
from iota_dagster.core.store.rule_values import StoredValues
from iota_dagster.core.store.scheduled_queries import QueryOutcome, QueryState

FAILED = "iota.QueryFailed."
"""The id of the alert's rule is this and the name of the query that failed."""
MOST_ROWS = 10_000
"""Of a longer answer the rest is not judged, and the query counts as failed: it should count, or ask for less."""
MEMORY = "2GB"

_RUNBOOK = """\
1. Run the query: `iota rules queries --run NAME` shows what is wrong with it, or how long it takes.
2. Ask for fewer hours (year, month, day, hour), count instead of listing rows, or raise Schedule.TimeoutMinutes.
3. This alert is withdrawn as soon as the query works again.
"""


@dataclass(frozen=True, slots=True)
class QueryRun:
    """One run of a query. `error` is why the query failed; `rows` is how many rows were judged."""

    name: str
    due_at: datetime
    rows: int
    seconds: float
    error: str | None
    failures: tuple[RuleFailure, ...]
    changes: AlertChanges
    changed: tuple[TableHour, ...]


@dataclass(frozen=True, slots=True)
class DueRuns:
    """What one run of what is due did; `outage` is what the queries wait for that stay due, None if none does.

    `changed` are the hours of `alert_matches`, whoever's matches it was.
    """

    done: tuple[QueryRun, ...]
    changed: frozenset[TableHour]
    outage: Outage | None


@dataclass(frozen=True, slots=True)
class Answer:
    """A query's rows, or as many as are judged, and why it failed."""

    rows: pa.Table
    seconds: float
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Querying:
    """The scheduled queries of a platform; made once per run."""

    road: Road
    most_rows: int = MOST_ROWS
    memory: str = MEMORY
    clock: Callable[[], float] = field(default=time.perf_counter)

    def run_due(self, asked: Mapping[str, int] | None = None) -> DueRuns:
        """Run the queries that this run was `asked` for, by name with their attempts, one after the other.

        Without any, it asks for all that are due and nobody is at. Neither one that fails stops the others nor one that
        the lake does not answer, which stays due. `Outage` when the store does not answer.
        """
        pack = self.road.alerting.rules().pack
        queries = {item.name: item for item in judged_queries(pack)}
        keep_schedules(self.road.database, queries.values(), self.road.clock(), whole=not pack.errors)
        attempts = asked or self._ask_for(queries)
        mine = sorted((name, attempt) for name, attempt in attempts.items() if name in queries)
        done, waiting = list[QueryRun](), dict[str, Outage]()
        changed = set() if pack.errors else self._withdraw_failures_of_others(queries)
        for number, (name, _) in enumerate(mine):
            state = self._begin(queries[name], dict(mine[number:]))
            try:
                if state is not None and (found := self._run(queries[name], state)):
                    done.append(found)
            except Outage as error:
                waiting[name] = error
        if waiting:  # whoever tries again is soon expected, however long the query may take
            self._say_busy({name: attempts[name] for name in waiting}, timedelta())
        changed.update(key for item in done for key in item.changed)
        return DueRuns(tuple(done), frozenset(changed), next(iter(waiting.values()), None))

    def ask(self, item: ScheduledQuery, due_at: datetime, previous_due_at: datetime) -> Answer:
        """A query's answer on an occasion, within its limits; nothing is stored."""
        started = self.clock()
        limits = QueryLimits(self.most_rows + 1, self.memory, item.schedule.timeout_minutes * 60)
        try:
            rows = query(
                self.road.database,
                self.road.lake.storage,
                item.sql,
                schemas=lake_tables(),
                limits=limits,
                parameters=sql_parameters(due_at, previous_due_at),
            )
        except (QueryError, LakeFileDamaged) as error:
            return Answer(pa.table({}), self.clock() - started, str(error))
        too_many = len(rows) > self.most_rows
        why = f"more than {self.most_rows:,} rows: those beyond were not judged" if too_many else None
        return Answer(rows.slice(0, self.most_rows), self.clock() - started, why)

    def judge(self, item: ScheduledQuery, answer: Answer, due_at: datetime) -> JudgedRows:
        """What the rules find in an answer; nothing is stored."""
        occasion = Occasion(item.name, item.log_type, due_at)
        return judge_rows(answer.rows, occasion, self.road.alerting.rules(), StoredValues(self.road.database))

    def _ask_for(self, names: Collection[str]) -> Mapping[str, int]:
        asked = ask_for_run(self.road.database, self.road.clock(), names)
        return asked.attempts if asked else {}

    def _begin(self, item: ScheduledQuery, attempts: Mapping[str, int]) -> QueryState | None:
        """Say that this run is at a query, and gets to the others; None where the query is no longer its to do."""
        now = self.road.clock()
        state = self._say_busy(attempts, timedelta(minutes=item.schedule.timeout_minutes)).get(item.name)
        is_mine = state is not None and state.attempt == attempts[item.name] and state.due_at <= now
        return state if is_mine else None

    def _say_busy(self, attempts: Mapping[str, int], duration: timedelta) -> Mapping[str, QueryState]:
        with self.road.database.begin() as connection:
            store.stay_busy(connection, attempts, self.road.clock() + duration + START_PATIENCE)
            return store.states(connection)

    def _run(self, item: ScheduledQuery, state: QueryState) -> QueryRun | None:
        """One query; None when a twin of this run was first."""
        run_at = self.road.clock()
        due_at = item.schedule.latest(state.due_at, run_at)
        previous_due_at = state.last_due_at or item.schedule.last_before(due_at)
        started = self.clock()
        try:
            answer = self.ask(item, due_at, previous_due_at)
            return self._finish(item, state, (due_at, run_at), answer, self.judge(item, answer, due_at))
        except Superseded:
            return None
        except Outage:
            raise
        except Exception as error:  # whatever is wrong with one query or its rows, those behind it have their turn
            failed = Answer(pa.table({}), self.clock() - started, f"{type(error).__name__}: {error}")
        try:
            return self._finish(item, state, (due_at, run_at), failed, JudgedRows())
        except Superseded:
            return None

    def _finish(
        self,
        item: ScheduledQuery,
        state: QueryState,
        times: tuple[datetime, datetime],
        answer: Answer,
        found: JudgedRows,
    ) -> QueryRun:
        """Record a run by its `times` (due, run); `Superseded` when a twin was first."""
        outcome = QueryOutcome(*times, answer.seconds, len(answer.rows), len(found.matches), answer.error)
        changes, changed = self._record(item, state, found, outcome)
        rows, seconds, error = outcome.rows, outcome.seconds, outcome.error
        return QueryRun(item.name, outcome.due_at, rows, seconds, error, found.failures, changes, changed)

    def _record(
        self, item: ScheduledQuery, state: QueryState, found: JudgedRows, outcome: QueryOutcome
    ) -> tuple[AlertChanges, tuple[TableHour, ...]]:
        """Say how the query itself is, then what its rows gave, with the next due time; repeated until the latter."""
        unit = unit_id(item.name, outcome.due_at)
        matches = self._news(found.matches, unit)
        changed = self._tell_of_failure(item, state, outcome.due_at, outcome.error)
        changes: list[AlertChanges] = []

        def on_commit(connection: sa.Connection) -> bool:
            if not store.finish(connection, state, item.schedule.next_after(outcome.run_at), outcome):
                return False
            rule_values.save(connection, found.remembered)
            changes[:] = [self._store(connection, unit, matches)]
            return True

        changed += publish_unit(self.road.lake, unit, matches, on_commit)
        return changes[0], changed

    def _tell_of_failure(
        self, item: ScheduledQuery, state: QueryState, due_at: datetime, error: str | None
    ) -> tuple[TableHour, ...]:
        """A query that fails has one match a day; once it works, all of them go, and their alerts are withdrawn."""
        rule_id = f"{FAILED}{item.name}"
        with self.road.database.read() as connection:
            units = store.units_of_rule(connection, rule_id)
        wanted: dict[str, list[Match]] = {}
        if error is None:
            wanted = {unit: [] for unit in units}
        elif (unit := unit_id(rule_id, period_start(due_at, PERIOD_MINUTES))) not in units:
            wanted = {unit: [_failure(item, due_at, error)]}
        changed: tuple[TableHour, ...] = ()
        for unit, matches in wanted.items():

            def on_commit(connection: sa.Connection, unit: str = unit, matches: list[Match] = matches) -> bool:
                if not store.is_unchanged(connection, state):
                    return False
                self._store(connection, unit, matches)
                return True

            changed += publish_unit(self.road.lake, unit, matches, on_commit)
        return changed

    def _withdraw_failures_of_others(self, names: Collection[str]) -> set[TableHour]:
        """What is told of queries that have failed, and are disabled or gone by now, is over."""
        with self.road.database.read() as connection:
            others = [rule for rule in rules_with_matches(connection, FAILED) if rule.removeprefix(FAILED) not in names]
            units = [unit for rule_id in others for unit in store.units_of_rule(connection, rule_id)]
        changed: set[TableHour] = set()
        for unit in units:

            def on_commit(connection: sa.Connection, unit: str = unit) -> bool:
                self._store(connection, unit, [])
                return True

            with suppress(IotaError):  # an hour that cannot be written keeps no query waiting; the next run tries again
                changed.update(publish_unit(self.road.lake, unit, [], on_commit))
        return changed

    def _store(self, connection: sa.Connection, unit: str, matches: Sequence[Match]) -> AlertChanges:
        now, alerting = self.road.clock(), self.road.alerting
        changes = record_matches(
            connection,
            unit,
            matches,
            notify=True,
            now=now,
            notify_within=alerting.notify_within,
            route=alerting.route,
        )
        figures.record_alerts(connection, unit, changes.created, now, alerting.notify_within)
        return changes

    def _news(self, found: Iterable[Match], unit: str) -> list[Match]:
        """The matches that no earlier run has stored."""
        by_id = {match.id: match for match in found}
        with self.road.database.read() as connection:
            known = store.known_elsewhere(connection, by_id, unit)
        return [match for name, match in by_id.items() if name not in known]


def unit_id(name: str, due_at: datetime) -> str:
    """The owner of the matches of one run of a query, where a batch is the owner of its own."""
    return "q" + blake2b(f"{due_at.isoformat()}/{name}".encode("utf-8", "surrogatepass"), digest_size=10).hexdigest()


def _failure(item: ScheduledQuery, due_at: datetime, error: str) -> Match:
    """A query that fails, as the match of a rule of its own: one a day."""
    rule_id = f"{FAILED}{item.name}"
    hit = RuleMatch(
        index=0,
        rule_id=rule_id,
        rule_version="",
        severity="MEDIUM",
        title=f"Scheduled query {item.name} fails: {error}"[:1000],
        dedup=item.name,
        description="Detections of the rules that judge its rows are missing.",
        reference="",
        runbook=_RUNBOOK,
        period_minutes=PERIOD_MINUTES,
        threshold=1,
        create_alert=True,
        unique=None,
        destinations=None,
        context={"query": item.name, "error": error, "file": f"{item.file}:{item.line}"},
    )
    return match_of_row(hit, Occasion(item.name, item.log_type, due_at), {"query": item.name})
