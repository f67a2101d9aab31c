"""The alert half of the store: a batch's matches, the alerts that follow from them, the outbox rows of new ones.

Alerts are computed from all stored matches of a rule and dedup string, never counted up, so that a batch may be
recorded twice, in any order, or again after its rules changed. Two batches that meet in one rule and dedup string are
put in line by a row of `alert_groups`, so that neither can overlook the match that passes a threshold.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from iota_dagster.core.alerting import outbox
from iota_dagster.core.alerting.grouping import Fact, Slice, alert_of, slices_with_alerts
from iota_dagster.core.alerting.paging import alerts_to_send, oldest_to_send
from iota_dagster.core.alerting.text import storable
from iota_dagster.core.alerting.windows import Reach, Span, around, reach_of
from iota_dagster.core.model import Alert, Match
from iota_dagster.core.store import correlations
from iota_dagster.core.store.database import chunked, upsert
from iota_dagster.core.store.schema import alert_groups, alerts, as_values, column_names, matches

Group = tuple[str, str]
"""(rule id, dedup string): what alerts are computed by."""

Route = Callable[[Alert, tuple[str, ...] | None], Sequence[str]]
"""The destinations of an alert, given those that its rule names (None: the rule leaves it to the configuration)."""

_LONGEST_EXPECTED = timedelta(days=1)
_MATCH_COLUMNS = [item.name for item in fields(Match) if item.name in matches.c]


@dataclass(frozen=True, slots=True)
class AlertChanges:
    """What recording a batch's matches did: ids of alerts, and how many matches and outbox rows."""

    matches: int = 0
    matches_removed: int = 0
    created: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    withdrawn: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    deliveries: int = 0


@dataclass(frozen=True, slots=True)
class _Judged:
    """Alerts computed: `slices` of each group, the touched and those next to them; of the touched ones `leads` by match
    id, and by alert id what is stored (`before`) and what should be (`after`).
    """

    slices: Mapping[Group, Sequence[Slice]]
    leads: Mapping[str, Match]
    before: Mapping[str, Alert]
    after: Mapping[str, Alert]


def record_matches(
    connection: sa.Connection,
    batch_id: str,
    found: Sequence[Match],
    *,
    notify: bool | Callable[[Match], bool],
    now: datetime,
    notify_within: timedelta,
    route: Route,
    unjudged: Collection[str] = (),
) -> AlertChanges:
    """Make `found` the batch's matches and bring alerts and outbox in line, all in the caller's transaction.

    `found` is the whole output of the batch's current revision: matches of the batch that are no longer in it go. An
    id that another batch owned passes to this one: an event is admitted once, so the other has given it up or is about
    to, and its own removal leaves alone what it no longer owns. The caller sees to it, in the same transaction, that
    no outdated revision is recorded. `unjudged` are the ids of rules that failed: that they found nothing says nothing,
    so what is stored of theirs stays.

    `notify` is true for matches that an object's first completion brings; a function decides match by match when a
    batch holds both first and repeated objects. It is remembered with the match. Only an alert without any outbox row
    is sent, only if such a match makes it an alert and is no older than `notify_within`, and only by a call that brings
    such a match of the same rule and dedup string (see also `alerting.paging`).

    An alert that has lost its last qualifying match goes, with its outbox rows; one that was sent, or is being sent,
    stays as `withdrawn`. The same call again changes nothing.
    """
    incoming = {match.id: match for match in map(storable, found)}
    notifying = {match.id for match in incoming.values() if (notify(match) if callable(notify) else notify)}
    stored = _lock_groups(connection, batch_id, incoming)
    lost = (row for row in stored.values() if row.batch_id == batch_id and row.id not in incoming)
    gone = [row.id for row in lost if row.rule_id not in unjudged]
    _write_matches(connection, batch_id, incoming.values(), notifying, gone)

    changed = [*incoming.values(), *stored.values()]
    judged = _judge(connection, changed, now)
    created, updated = _write_alerts(connection, judged)
    withdrawn, removed = _withdraw(
        connection, [alert for name, alert in judged.before.items() if name not in judged.after]
    )
    notified = {_group(match) for match in incoming.values() if match.id in notifying}
    destinations = _destinations(connection, judged, notified, oldest_to_send(now, notify_within), route)
    sent = outbox.put(connection, destinations, now)
    correlations.touch(connection, changed, notifying)
    return AlertChanges(len(incoming), len(gone), created, updated, withdrawn, removed, sent)


def list_alerts(connection: sa.Connection, limit: int = 50, *, rule_id: str | None = None) -> list[Alert]:
    """The alerts found last, newest first; those of one rule if it is given."""
    newest = (alerts.c.created_at.desc(), alerts.c.last_event_time.desc(), alerts.c.id)
    query = sa.select(alerts).order_by(*newest).limit(limit)
    if rule_id is not None:
        query = query.where(alerts.c.rule_id == rule_id)
    return [as_alert(row) for row in connection.execute(query).mappings()]


def events_of(connection: sa.Connection, alert_ids: Collection[str]) -> dict[str, list[str]]:
    """The ids of some alerts' events, by alert; of a correlation, those of the matches that its context names."""
    rows = _chosen(connection, matches.c.alert_id, alert_ids)
    named = {row.id: _named(row.context) for row in rows if row.log_type == correlations.LOG_TYPE}
    events = {row.id: row.event_id for row in _chosen(connection, matches.c.id, set().union(*named.values()))}
    found: dict[str, list[str]] = {alert_id: [] for alert_id in alert_ids}
    for row in rows:
        own = [row.event_id] if row.id not in named else [events[item] for item in named[row.id] if item in events]
        found[row.alert_id] += own
    return found


def _chosen(connection: sa.Connection, column: sa.Column[str], values: Collection[str]) -> list[Any]:
    columns = matches.c.id, matches.c.alert_id, matches.c.event_id, matches.c.log_type, matches.c.context
    return [
        row for some in chunked(list(values)) for row in connection.execute(sa.select(*columns).where(column.in_(some)))
    ]


def _named(context: Mapping[str, Any]) -> list[str]:
    return [match["id"] for member in context["members"] for match in member["matches"]]


def as_alert(row: Mapping[Any, Any]) -> Alert:
    """A row of `alerts`, which may have other columns beside it, as a value."""
    return Alert(**as_values(row, alerts))


def _group(match: Any) -> Group:
    """The group of a match, or of a stored row of one."""
    return match.rule_id, match.dedup


def _lock_groups(connection: sa.Connection, batch_id: str, incoming: Mapping[str, Match]) -> dict[str, Any]:
    """Lock every group that this call may change; returns the stored matches of the batch and of the incoming ids.

    What is stored says which groups to lock, and may change until they are: so it is read again after each lock. The
    groups are locked in order, so that two calls cannot wait for each other.
    """
    held: set[Group] = set()
    while True:
        stored = _stored_matches(connection, batch_id, incoming)
        missing = {_group(match) for match in (*incoming.values(), *stored.values())} - held
        if not missing:
            return stored
        rows = [{"rule_id": rule_id, "dedup": dedup} for rule_id, dedup in sorted(missing)]
        lock = upsert(connection, alert_groups, update=(), assign={"version": alert_groups.c.version})
        connection.execute(lock, rows)
        held |= missing


def _stored_matches(connection: sa.Connection, batch_id: str, ids: Collection[str]) -> dict[str, Any]:
    """What is stored under the batch or under one of the ids, as far as it is needed to replace it."""
    table = matches.c
    query = sa.select(table.id, table.batch_id, table.rule_id, table.dedup, table.event_time, table.period_minutes)
    stored = {row.id: row for row in connection.execute(query.where(table.batch_id == batch_id))}
    for chunk in chunked(item for item in ids if item not in stored):
        stored |= {row.id: row for row in connection.execute(query.where(table.id.in_(chunk)))}
    return stored


def _write_matches(
    connection: sa.Connection, batch_id: str, found: Iterable[Match], notifying: Collection[str], gone: Sequence[str]
) -> None:
    """Delete and upsert; a match that once came with an object's first completion keeps that mark."""
    for chunk in chunked(gone):
        connection.execute(sa.delete(matches).where(matches.c.id.in_(chunk), matches.c.batch_id == batch_id))
    marked = sa.or_(matches.c.notify, sa.literal_column("excluded.notify", sa.Boolean))
    statement = upsert(connection, matches, update=[*_MATCH_COLUMNS[1:], "batch_id"], assign={"notify": marked})
    values = (
        {name: getattr(match, name) for name in _MATCH_COLUMNS}
        | {"batch_id": batch_id, "notify": match.id in notifying}
        for match in sorted(found, key=lambda match: match.id)
    )
    for rows in chunked(values):
        connection.execute(statement, rows)


def _judge(connection: sa.Connection, changed: Iterable[Any], now: datetime) -> _Judged:
    """Compute the alerts that matches which came, went or changed may have touched."""
    reaches = _reaches(connection, changed)
    slices = _slices(connection, reaches)
    touched = [item for group, reach in reaches.items() for item in slices[group] if reach.touches(item.start)]
    leads = _leads(connection, (item.lead for item in touched))
    after = {item.alert_id: alert_of(item, leads[item.lead], now) for item in touched}
    return _Judged(slices, leads, _touched_alerts(connection, reaches), after)


def _reaches(connection: sa.Connection, changed: Iterable[Any]) -> dict[Group, Reach]:
    """How far the changed matches, as they were and as they are, reach in each group."""
    moments: dict[Group, list[datetime]] = defaultdict(list)
    longest: dict[Group, int] = defaultdict(int)
    for match in changed:
        moments[_group(match)].append(match.event_time)
        longest[_group(match)] = max(longest[_group(match)], match.period_minutes)
    # A rule's period may have changed: its other matches near by may look back farther than these do.
    near = {group: around(times, _LONGEST_EXPECTED, _LONGEST_EXPECTED) for group, times in moments.items()}
    for spans in _spans(near):
        query = sa.select(spans.c.rule_id, spans.c.dedup, sa.func.max(matches.c.period_minutes).label("longest"))
        query = query.select_from(_within(spans, matches, matches.c.event_time))
        for row in connection.execute(query.group_by(spans.c.rule_id, spans.c.dedup)):
            longest[_group(row)] = max(longest[_group(row)], row.longest)
    return {group: reach_of(times, timedelta(minutes=longest[group])) for group, times in moments.items()}


def _slices(connection: sa.Connection, reaches: Mapping[Group, Reach]) -> dict[Group, list[Slice]]:
    """The alerts of each group in and next to what was touched, from all of the stored matches that decide them.

    Those of one moment come as one fact: of millions in an hour, a few thousand.
    """
    facts: dict[Group, list[Fact]] = defaultdict(list)
    table = matches.c
    alike = (table.alert_id, table.event_time, table.period_minutes, table.threshold, table.unique_value)
    notify = sa.func.max(sa.case((table.notify, 1), else_=0))
    counted = (sa.func.min(table.id), *alike, notify, sa.func.count())
    for spans in _spans({group: reach.to_read for group, reach in reaches.items()}):
        query = sa.select(spans.c.rule_id, spans.c.dedup, *counted).select_from(
            _within(spans, matches, table.event_time)
        )
        query = query.where(table.create_alert).group_by(spans.c.rule_id, spans.c.dedup, *alike)
        for rule_id, dedup, first, alert, moment, minutes, threshold, unique, notifies, count in connection.execute(
            query
        ):
            fact = Fact(first, alert, moment, minutes, threshold, unique, bool(notifies), count=count)
            facts[rule_id, dedup].append(fact)
    return {group: slices_with_alerts(facts[group]) for group in reaches}


def _touched_alerts(connection: sa.Connection, reaches: Mapping[Group, Reach]) -> dict[str, Alert]:
    """The stored alerts that may have changed."""
    found: dict[str, Alert] = {}
    for spans in _spans({group: reach.starts for group, reach in reaches.items()}):
        query = sa.select(alerts).select_from(_within(spans, alerts, alerts.c.period_start))
        found |= {row["id"]: as_alert(row) for row in connection.execute(query).mappings()}
    return found


def _spans(spans: Mapping[Group, Sequence[Span]]) -> Iterable[sa.CTE]:
    """Spans of event time by group as tables (rule_id, dedup, first, last) to join with."""
    rows = ((*group, first, last) for group, held in spans.items() for first, last in held)
    times = matches.c.event_time.type
    columns = (sa.column("rule_id", sa.Text), sa.column("dedup", sa.Text), sa.column("first", times))
    for chunk in chunked(rows, 1_000):
        yield sa.values(*columns, sa.column("last", times), name="touched").data(chunk).cte("spans")


def _within(spans: sa.CTE, table: sa.Table, moment: sa.Column[datetime]) -> sa.Join:
    """The rows of a table with a rule id and a dedup string whose moment lies in a span of their group."""
    same = sa.and_(table.c.rule_id == spans.c.rule_id, table.c.dedup == spans.c.dedup)
    return sa.join(spans, table, sa.and_(same, moment.between(spans.c.first, spans.c.last)))


def _leads(connection: sa.Connection, ids: Iterable[str]) -> dict[str, Match]:
    """Whole matches by id."""
    found = {}
    columns = [matches.c[name] for name in _MATCH_COLUMNS]
    for chunk in chunked(ids):
        for row in connection.execute(sa.select(*columns).where(matches.c.id.in_(chunk))).mappings():
            named = row["destinations"]
            found[row["id"]] = Match(**{**row, "destinations": None if named is None else tuple(named)})
    return found


def _write_alerts(connection: sa.Connection, judged: _Judged) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Insert and update; returns the ids of those that are new and of those that differ from what was stored."""
    before, after = judged.before, judged.after
    created = tuple(sorted(after.keys() - before.keys()))
    updated = tuple(sorted(name for name in after.keys() & before.keys() if _differs(before[name], after[name])))
    kept = ("id", "created_at")
    statement = upsert(connection, alerts, update=[name for name in column_names(alerts) if name not in kept])
    for chunk in chunked(_values(after[name]) for name in (*created, *updated)):
        connection.execute(statement, chunk)
    return created, updated


def _differs(before: Alert, after: Alert) -> bool:
    """Whether anything but the time of its first computation has changed."""
    return replace(after, created_at=before.created_at) != before


def _values(alert: Alert) -> dict[str, Any]:
    """An alert as a row; `dataclasses.asdict` would copy every context."""
    return {name: getattr(alert, name) for name in column_names(alerts)}


def _withdraw(connection: sa.Connection, lost: Sequence[Alert]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Take back alerts without a qualifying match; returns the ids marked withdrawn and the ids removed."""
    withdrawn: set[str] = set()
    removed: set[str] = set()
    for chunk in chunked(sorted(lost, key=lambda alert: alert.id)):
        seen = outbox.take_back(connection, [alert.id for alert in chunk])
        unseen = [alert.id for alert in chunk if alert.id not in seen]
        connection.execute(sa.update(alerts).where(alerts.c.id.in_(seen)).values(status="withdrawn"))
        connection.execute(sa.delete(alerts).where(alerts.c.id.in_(unseen)))
        withdrawn |= {alert.id for alert in chunk if alert.id in seen and alert.status != "withdrawn"}
        removed.update(unseen)
    return tuple(sorted(withdrawn)), tuple(sorted(removed))


def _destinations(
    connection: sa.Connection, judged: _Judged, groups: Iterable[Group], since: datetime, route: Route
) -> dict[str, Sequence[str]]:
    """Where to send which alerts now, by id: those of these groups that are news."""
    slices = [judged.slices[group] for group in groups]
    states = outbox.statuses(connection, (item.alert_id for items in slices for item in items))
    told = {name for name, found in states.items() if found != {"failed"}}

    def routed(item: Slice) -> Sequence[str]:
        alert = judged.after.get(item.alert_id)
        return route(alert, judged.leads[item.lead].destinations) if alert else ()

    return {
        item.alert_id: names
        for items in slices
        for item, names in alerts_to_send(items, in_outbox=states, told=told, since=since, destinations=routed)
    }
