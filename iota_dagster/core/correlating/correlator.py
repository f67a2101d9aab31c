"""Correlation rules over the stored matches: what has been touched is evaluated again, hour by hour of their matches.

The matches of one rule in one hour of event time are a unit: they are replaced as a whole, like those of a batch, so
that alerts, withdrawals and the outbox follow as they do for any match. A rule's own matches touch what other rules
make of them, until nothing is left to do.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import blake2b

import sqlalchemy as sa

from iota_dagster.core.alerting.windows import shifted
from iota_dagster.core.batch.road import Road
from iota_dagster.core.correlating.failures import failure_units
from iota_dagster.core.correlating.matches import as_match, newcomers, unit_id
from iota_dagster.core.correlating.results import Correlated, NotPublished
from iota_dagster.core.detection.correlation.evaluate import CorrelationMatch, foresee
from iota_dagster.core.detection.correlation.pack import by_member, fields_needed
from iota_dagster.core.detection.correlation.rule import CorrelationRule
from iota_dagster.core.detection.correlation.signals import Signal
from iota_dagster.core.detection.rule_errors import PREFIX
from iota_dagster.core.errors import Outage
from iota_dagster.core.hours import Hour, hour_of, hour_start
from iota_dagster.core.lake.match_files import publish_unit
from iota_dagster.core.lake.publication import Lake
from iota_dagster.core.model import Match
from iota_dagster.core.store import correlations as store
from iota_dagster.core.store import figures
from iota_dagster.core.store.alerts import AlertChanges, Route, record_matches
from iota_dagster.core.store.correlations import RuleHour, StoredMatch, Touch
from iota_dagster.core.store.database import Database

PATIENCE = timedelta(minutes=20)
"""How long after the end of a wait the logs of its last moment may still arrive: CloudTrail takes up to 15 minutes."""
SPAN_HOURS = 24
"""So many hours of a rule's matches are evaluated at once: a bound for the memory that a backfill takes."""
_MINUTE = timedelta(minutes=1)


def _pass(_: sa.Connection) -> None:
    """Nothing to check."""


class _Changed(Exception):
    """Matches came or went while a rule was evaluated: it has to be done again."""


@dataclass(frozen=True, slots=True)
class _Job:
    """A rule to evaluate in some hours of its matches."""

    rule: CorrelationRule
    hours: set[Hour] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _News:
    """What may page: new matches of other rules (`touched`) and the ends of waits (`moments`) not dealt with yet.

    Read after the signals: whoever finds a match finds what says that it is news, unless another has dealt with it.
    """

    touched: Set[RuleHour]
    moments: Set[datetime]

    def include(self, found: CorrelationMatch, before: StoredMatch | None) -> bool:
        """Whether a match is news, by a member that it did not have `before`: an hour is evaluated whole."""
        if before is None and found.sure_at is not None and store.whole_minute(found.sure_at) in self.moments:
            return found.notify
        new = newcomers(found, before.context if before else {})
        return any(item.notify and (item.rule_id, hour_of(item.event_time)) in self.touched for item in new)


@dataclass(frozen=True, slots=True)
class _Unit:
    """A rule's matches of one hour, by id, and the ids of those that may page."""

    hour: Hour
    matches: dict[str, Match]
    notify: set[str]

    def add(self, match: Match, notify: bool) -> None:
        """One more match."""
        self.matches[match.id] = match
        if notify:
            self.notify.add(match.id)

    def differs(self, before: Mapping[str, StoredMatch]) -> bool:
        """Whether what is stored is something else; a mark to notify stays once it is set."""
        if before.keys() != self.matches.keys():
            return True
        return any(
            (before[name].version, before[name].context) != (match.rule_version, match.context)
            or (name in self.notify and not before[name].notify)
            for name, match in self.matches.items()
        )


@dataclass(frozen=True, slots=True)
class _Found:
    """A rule evaluated as of a moment: from which signals, what has to be replaced, what is still awaited."""

    signals: Sequence[Signal]
    now: datetime
    units: Sequence[_Unit]
    awaited: Mapping[datetime, bool]


@dataclass(frozen=True, slots=True)
class Correlator:
    """Correlation rules over a store; made once per run."""

    database: Database
    rules: Sequence[CorrelationRule]
    route: Route
    notify_within: timedelta
    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    lake: Lake | None = None  # where the matches are written too
    whole: bool = True  # all files of the pack were read: a rule that is not here is no more

    def correlate(self) -> Correlated:
        """Evaluate what has been touched, by whomever, and what is due; safe to call at any time, any number at once.

        A rule that fails, or whose hours the lake does not take, keeps its work for the next call and does not stop the
        others. So does, with its waits, one that may be in a file which could not be read. `Outage` when the store does
        not answer.
        """
        done = Correlated()
        if self.whole:
            with self.database.begin() as connection:
                store.unpark(connection)
            self._withdraw_failures_of_others(done)
        self._end_waits(done)
        seen: dict[RuleHour, Touch] = {}
        while work := self._touched(seen):
            self._attempt(self._affected(work), done)
            kept = {rule_id for rule in self.rules if rule.id in done.failures for rule_id in rule.rule_ids}
            settled = {key: touch for key, touch in work.items() if key[0] not in kept}
            with self.database.begin() as connection:
                store.settle(connection, settled, park=not self.whole)
            seen |= work
        return done

    # ── what to look at ──

    def _touched(self, seen: Mapping[RuleHour, Touch]) -> dict[RuleHour, Touch]:
        """What has changed, less what this call has been through."""
        with self.database.read() as connection:
            return {key: touch for key, touch in store.touched(connection).items() if seen.get(key) != touch}

    def _affected(self, work: Mapping[RuleHour, Touch]) -> Iterator[_Job]:
        """The rules, each with the hours in which what it makes of the changed matches may have changed."""
        members = by_member(self.rules)
        jobs: dict[str, _Job] = {}
        for rule_id, hour in work:
            for rule in members.get(rule_id, ()):
                job = jobs.setdefault(rule.id, _Job(rule))
                job.hours.update(range(hour, hour_of(shifted(hour_start(hour + 1), rule.reach)) + 1))
        yield from (job for _, job in sorted(jobs.items()))

    def _end_waits(self, done: Correlated) -> None:
        """Look again at what waited for a moment that has come."""
        rules = {rule.id: rule for rule in self.rules}
        with self.database.read() as connection:
            due = store.due(connection, self.clock() - PATIENCE)
        for name, moments in due.items():
            rule = rules.get(name)
            if rule and rule.enabled:
                hours = {hour_of(near) for moment in moments for near in (moment, moment - _MINUTE)}
                self._attempt([_Job(rule, hours)], done)
            if name not in done.failures and (rule or self.whole):
                with self.database.begin() as connection:
                    store.end_wait(connection, name, moments)

    # ── evaluation ──

    def _attempt(self, jobs: Iterable[_Job], done: Correlated) -> None:
        """Evaluate rule by rule; whether one works is told, too, unless it is the lake that does not."""
        for job in jobs:
            with done.noting(job.rule.id):
                for hours in _spans(sorted(job.hours)):
                    self._replace(job, hours, done)
            if job.rule.id not in done.outages:
                self._tell_whether_it_fails(job.rule.id, done)

    def _withdraw_failures_of_others(self, done: Correlated) -> None:
        """What is told of rules that have failed, and are disabled or gone by now, is over."""
        with self.database.read() as connection:
            units = store.units_of_rules(connection, store.rules_with_matches(connection, PREFIX))
        failed, tried = {name.removeprefix(PREFIX) for name in units}, {rule.id for rule in self.rules if rule.enabled}
        for rule_id in sorted(failed - tried):
            self._tell_whether_it_fails(rule_id, done)

    def _tell_whether_it_fails(self, rule_id: str, done: Correlated) -> None:
        with self.database.read() as connection:
            units = list(failure_units(connection, [rule_id], done.failures, self.clock()))
        with done.noting(rule_id):
            for name, matches in units:
                self._publish(name, matches, {match.id for match in matches}, done)

    def _publish(
        self,
        name: str,
        matches: Sequence[Match],
        notify: Collection[str],
        done: Correlated,
        check: Callable[[sa.Connection], None] = _pass,
    ) -> AlertChanges:
        """Make some matches all that a unit has, in the store and in the lake; `check` runs first and may raise."""
        changes: list[AlertChanges] = []

        def on_commit(connection: sa.Connection) -> bool:
            check(connection)
            changes[:] = [self._store(connection, name, matches, notify)]
            return True

        if self.lake is None:
            with self.database.begin() as connection:
                on_commit(connection)
            return changes[0]
        try:
            done.changed.update(publish_unit(self.lake, name, matches, on_commit))
        except Outage as outage:
            raise NotPublished(str(outage)) from outage
        return changes[0]

    def _replace(self, job: _Job, hours: Sequence[Hour], done: Correlated) -> None:
        """Bring a rule's matches of some hours in a row up to date."""
        while True:
            found = self._evaluate(job, hours)
            if all(self._is_recorded(job.rule, unit, found, done) for unit in found.units):
                break
        if found.awaited:
            with self.database.begin() as connection:
                store.wait(connection, job.rule.id, found.awaited)

    def _is_recorded(self, rule: CorrelationRule, unit: _Unit, found: _Found, done: Correlated) -> bool:
        """Replace one hour's matches, or note why not; False when the hour has to be evaluated again."""
        with done.noting(rule.id):
            try:
                done.changes[rule.id, unit.hour] = self._record(rule, unit, found, done)
            except _Changed:
                return False
        return True

    def _evaluate(self, job: _Job, hours: Sequence[Hour]) -> _Found:
        rule = job.rule
        with self.database.read() as connection:
            known = store.evaluated_at(connection, rule.id, hours)
            signals = _signals(connection, rule, hours)
            before = store.stored(connection, rule.id, hours)
            news = _News(*store.news(connection, rule.id))
        now = self.clock() - PATIENCE
        now = max(now, known) if known else now
        units = {hour: _Unit(hour, {}, set()) for hour in hours}
        awaited: dict[datetime, bool] = {}
        for item in foresee(rule, signals):
            hour = hour_of(item.event_time)
            if hour not in units:
                continue
            match = as_match(rule, item)
            notify = news.include(item, before.get(hour, {}).get(match.id))
            if item.sure_at is not None and item.sure_at > now:
                awaited[item.sure_at] = awaited.get(item.sure_at, False) or notify
            else:
                units[hour].add(match, notify)
        changed = [unit for hour, unit in units.items() if unit.differs(before.get(hour, {}))]
        return _Found(signals, now, changed, awaited)

    def _record(self, rule: CorrelationRule, unit: _Unit, found: _Found, done: Correlated) -> AlertChanges:
        """Replace one hour's matches; `_Changed` when they have been made of what is no longer all there is."""
        first, last = _needed(rule, [unit.hour])
        seen = [item for item in found.signals if first <= item.event_time <= last]

        def check(connection: sa.Connection) -> None:
            if not store.lock_hour(connection, rule.id, unit.hour, found.now):
                raise _Changed
            if _signals(connection, rule, [unit.hour]) != seen:
                raise _Changed

        return self._publish(unit_id(rule.id, unit.hour), list(unit.matches.values()), unit.notify, done, check)

    def _store(
        self, connection: sa.Connection, name: str, matches: Sequence[Match], notify: Collection[str]
    ) -> AlertChanges:
        now = self.clock()
        changes = record_matches(
            connection,
            name,
            matches,
            notify=lambda match: match.id in notify,
            now=now,
            notify_within=self.notify_within,
            route=self.route,
        )
        figures.record_alerts(connection, name, changes.created, now, self.notify_within)
        return changes


def correlator_of(road: Road) -> Correlator:
    """The correlator of a platform, with the correlation rules of its pack."""
    pack = road.alerting.rules().pack
    return Correlator(
        database=road.database,
        rules=pack.correlations,
        route=road.alerting.route,
        notify_within=road.alerting.notify_within,
        clock=road.clock,
        lake=road.lake,
        whole=not pack.errors,
    )


def anything_due(database: Database, now: datetime) -> bool:
    """Whether a wait has ended."""
    with database.read() as connection:
        return bool(store.due(connection, now - PATIENCE))


def left_over(database: Database) -> str:
    """A mark that stands for what has been touched and not evaluated yet; "" when there is none.

    Whoever touches something evaluates it soon. Where the same is left after a while, its run has died before it did.
    """
    with database.read() as connection:
        found = sorted(store.touched(connection).items())
    return blake2b(repr(found).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest() if found else ""


def _spans(hours: Sequence[Hour]) -> Iterator[Sequence[Hour]]:
    """Hours in rows without gaps, none too long."""
    row: list[Hour] = []
    for hour in hours:
        if row and (hour != row[-1] + 1 or len(row) == SPAN_HOURS):
            yield row
            row = []
        row.append(hour)
    if row:
        yield row


def _needed(rule: CorrelationRule, hours: Sequence[Hour]) -> tuple[datetime, datetime]:
    """The span of the signals that decide a rule's matches of some hours in a row, certain or awaited."""
    return shifted(hour_start(hours[0]), -rule.reach), hour_start(hours[-1] + 1)


def _signals(connection: sa.Connection, rule: CorrelationRule, hours: Sequence[Hour]) -> list[Signal]:
    return store.signals(connection, fields_needed([rule]), *_needed(rule, hours))
