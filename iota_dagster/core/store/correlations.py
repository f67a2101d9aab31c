"""The correlation half of the store: what has changed since it was last looked at, what is waited for, and the signals.

Whoever changes matches says so with `touch` in the same transaction. Whoever evaluates takes what has been touched,
locks the hour that it is about to replace and makes sure under the lock that it has seen all there is; what is touched
meanwhile stays touched. So no change is overlooked, whoever dies when, and nothing is done twice by two at once.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from iota_dagster.core.detection.correlation.signals import Signal, extract
from iota_dagster.core.hours import Hour, hour_of, hour_start
from iota_dagster.core.store.database import chunked, upsert
from iota_dagster.core.store.schema import correlation_hours, correlation_waits, correlation_work, matches

RuleHour = tuple[str, Hour]
"""A rule and an hour of event time."""


@dataclass(frozen=True, slots=True)
class Touch:
    """One change: which (no other of its rule and hour has the number), and whether what follows from it may page."""

    version: int
    notify: bool


@dataclass(frozen=True, slots=True)
class StoredMatch:
    """What is stored of a correlation rule's match, as far as it may change."""

    version: str
    context: Mapping[str, Any]
    notify: bool


LOG_TYPE = "iota.correlation"
"""The log type of what correlation rules match: their events are other rules' matches."""

_VERSION_BITS = 63
"""What a signed 64-bit column takes."""
_PARKED = "iota.Parked."
"""Begins the rule ids of work that is kept for rules which cannot be read at present."""
_MINUTE = timedelta(minutes=1)
_excluded_notify = sa.literal_column("excluded.notify", sa.Boolean)


# ── what has changed ──


def touch(connection: sa.Connection, changed: Iterable[Any], notifying: Collection[str] = ()) -> None:
    """Note that some matches (or rows with `id`, `rule_id` and `event_time`) came, went or changed.

    `notifying`: the ids of those that an object's first completion brought. Only what they touch can page.
    """
    hours: dict[RuleHour, bool] = {}
    for match in changed:
        key = match.rule_id, hour_of(match.event_time)
        hours[key] = hours.get(key, False) or match.id in notifying
    touch_hours(connection, hours)


def touch_hours(connection: sa.Connection, hours: Mapping[RuleHour, bool]) -> None:
    """Note that a rule's matches in some hours changed, and whether that may page.

    In a fixed order, so that two calls cannot wait for each other. Versions are drawn and not counted: a count would
    begin again once the row was settled, and who saw it before could settle a later change that it has not seen.
    """
    either = sa.or_(correlation_work.c.notify, _excluded_notify)
    again = upsert(connection, correlation_work, update=("version",), assign={"notify": either})
    rows = [
        {"rule_id": rule, "hour": hour, "version": secrets.randbits(_VERSION_BITS), "notify": notify}
        for (rule, hour), notify in sorted(hours.items())
    ]
    if rows:
        connection.execute(again, rows)


def touched(connection: sa.Connection) -> dict[RuleHour, Touch]:
    """What has changed and was not looked at since."""
    rows = connection.execute(sa.select(correlation_work).where(~_is_parked()))
    return {(row.rule_id, row.hour): Touch(row.version, row.notify) for row in rows}


def settle(connection: sa.Connection, seen: Mapping[RuleHour, Touch], *, park: bool = False) -> None:
    """Forget what has been looked at (or `park` it); what was touched again meanwhile stays."""
    if park:
        touch_hours(
            connection, {(f"{_PARKED}{rule_id}", hour): found.notify for (rule_id, hour), found in seen.items()}
        )
    _forget(connection, {key: found.version for key, found in seen.items()})


def unpark(connection: sa.Connection) -> None:
    """Put back what was parked: all rules can be read again. Costs one read when nothing was."""
    rows = connection.execute(sa.select(correlation_work).where(_is_parked())).all()
    if rows:
        touch_hours(connection, {(row.rule_id.removeprefix(_PARKED), row.hour): row.notify for row in rows})
        _forget(connection, {(row.rule_id, row.hour): row.version for row in rows})


def _forget(connection: sa.Connection, versions: Mapping[RuleHour, int]) -> None:
    """Delete work that is still of these versions."""
    table = correlation_work.c
    gone = sa.delete(correlation_work).where(
        table.rule_id == sa.bindparam("rule"),
        table.hour == sa.bindparam("at"),
        table.version == sa.bindparam("seen"),
    )
    rows = [{"rule": rule_id, "at": hour, "seen": seen} for (rule_id, hour), seen in sorted(versions.items())]
    if rows:
        connection.execute(gone, rows)


def _is_parked() -> sa.ColumnElement[bool]:
    return correlation_work.c.rule_id.startswith(_PARKED, autoescape=True)


# ── what is waited for ──


def wait(connection: sa.Connection, rule_id: str, moments: Mapping[datetime, bool]) -> None:
    """Note when a rule has to be looked at again because something has not happened by then, and whether it may page.

    Kept by whole minutes: a handful of rows, however many matches wait.
    """
    due: dict[datetime, bool] = {}
    for moment, notify in moments.items():
        minute = whole_minute(moment)
        due[minute] = due.get(minute, False) or notify
    either = sa.or_(correlation_waits.c.notify, _excluded_notify)
    rows = [{"rule_id": rule_id, "due_at": minute, "notify": notify} for minute, notify in sorted(due.items())]
    if rows:
        connection.execute(upsert(connection, correlation_waits, update=(), assign={"notify": either}), rows)


def due(connection: sa.Connection, now: datetime) -> dict[str, dict[datetime, bool]]:
    """The rules to look at again, with the moments that have come and whether they may page."""
    found: dict[str, dict[datetime, bool]] = {}
    query = sa.select(correlation_waits).where(correlation_waits.c.due_at <= now).order_by(*correlation_waits.c)
    for row in connection.execute(query):
        found.setdefault(row.rule_id, {})[row.due_at] = row.notify
    return found


def end_wait(connection: sa.Connection, rule_id: str, moments: Iterable[datetime]) -> None:
    """Forget moments that have come."""
    for chunk in chunked(moments):
        table = correlation_waits.c
        connection.execute(sa.delete(correlation_waits).where(table.rule_id == rule_id, table.due_at.in_(chunk)))


def whole_minute(moment: datetime) -> datetime:
    """The first whole minute at or after a moment: by those waits are kept."""
    return moment + -timedelta(seconds=moment.second, microseconds=moment.microsecond) % _MINUTE


def news(connection: sa.Connection, rule_id: str) -> tuple[set[RuleHour], set[datetime]]:
    """What may page and is not dealt with: other rules' hours that were touched, and moments that a rule waits for."""
    work, waits = correlation_work.c, correlation_waits.c
    hours = connection.execute(sa.select(work.rule_id, work.hour).where(work.notify))
    moments = connection.scalars(sa.select(waits.due_at).where(waits.rule_id == rule_id, waits.notify))
    return {(row.rule_id, row.hour) for row in hours}, set(moments)


# ── what is looked at, and what is replaced ──


def signals(
    connection: sa.Connection, paths: Mapping[str, Sequence[str]], first: datetime, last: datetime
) -> list[Signal]:
    """The matches of some rules (each with the paths that are asked for) in a closed span of event time, by id."""
    table = matches.c
    columns = (table.id, table.rule_id, table.event_time, table.notify, table.title, table.fields)
    query = sa.select(*columns).where(table.rule_id.in_(list(paths)), table.event_time.between(first, last))
    rows = connection.execute(query.order_by(table.id)).all()
    asked = {rule_id: frozenset(found) for rule_id, found in paths.items()}
    contexts = _contexts(connection, [row.id for row in rows if not asked[row.rule_id] <= (row.fields or {}).keys()])

    def values(row: Any) -> Mapping[str, Sequence[str]]:
        held: Mapping[str, Sequence[str]] = row.fields or {}
        return held if row.id not in contexts else {**held, **extract({}, contexts[row.id] or {}, paths[row.rule_id])}

    return [Signal(row.id, row.rule_id, row.event_time, values(row), row.notify, row.title) for row in rows]


def _contexts(connection: sa.Connection, ids: Sequence[str]) -> dict[str, Mapping[str, Any] | None]:
    """The contexts of matches that were judged before anybody asked for their fields, or that lack one."""
    found: dict[str, Mapping[str, Any] | None] = {}
    for chunk in chunked(ids):
        query = sa.select(matches.c.id, matches.c.context).where(matches.c.id.in_(chunk))
        found |= {row.id: row.context for row in connection.execute(query)}
    return found


def evaluated_at(connection: sa.Connection, rule_id: str, hours: Sequence[Hour]) -> datetime | None:
    """The latest moment as of which one of a rule's hours has been evaluated."""
    table = correlation_hours.c
    query = sa.select(sa.func.max(table.evaluated_at)).where(
        table.rule_id == rule_id, table.hour.between(hours[0], hours[-1])
    )
    latest: datetime | None = connection.scalar(query)
    return latest


def lock_hour(connection: sa.Connection, rule_id: str, hour: Hour, now: datetime) -> bool:
    """Lock a rule's hour until the transaction ends; False when it was evaluated as of a later moment than `now`."""
    table = correlation_hours.c
    later = sa.case((table.evaluated_at > now, table.evaluated_at), else_=now)
    lock = upsert(connection, correlation_hours, update=(), assign={"evaluated_at": later})
    connection.execute(lock, {"rule_id": rule_id, "hour": hour, "evaluated_at": now})
    held = connection.scalar(sa.select(table.evaluated_at).where(table.rule_id == rule_id, table.hour == hour))
    return held == now


def stored(connection: sa.Connection, rule_id: str, hours: Sequence[Hour]) -> dict[Hour, dict[str, StoredMatch]]:
    """A correlation rule's matches of some hours in a row, by hour and id."""
    table = matches.c
    query = sa.select(table.id, table.event_hour, table.rule_version, table.context, table.notify).where(
        table.rule_id == rule_id,
        table.log_type == LOG_TYPE,
        table.event_time.between(hour_start(hours[0]), hour_start(hours[-1] + 1)),
    )
    found: dict[Hour, dict[str, StoredMatch]] = {}
    for row in connection.execute(query):
        found.setdefault(row.event_hour, {})[row.id] = StoredMatch(row.rule_version, row.context, row.notify)
    return found


def units_of_rules(connection: sa.Connection, rule_ids: Collection[str]) -> dict[str, set[str]]:
    """The units of work, by rule, that hold matches of some rules; batches, which may as well, are none."""
    found: dict[str, set[str]] = {}
    mine = matches.c.log_type == LOG_TYPE
    for chunk in chunked(sorted(rule_ids)):
        query = sa.select(matches.c.rule_id, matches.c.batch_id).where(matches.c.rule_id.in_(chunk), mine).distinct()
        for rule_id, unit in connection.execute(query):
            found.setdefault(rule_id, set()).add(unit)
    return found


def rules_with_matches(connection: sa.Connection, prefix: str) -> list[str]:
    """The ids that begin with `prefix` among those of the rules with matches, whatever these are of.

    From each id to the next by the index: matches are many and rules are few.
    """
    ids = sa.select(sa.func.min(matches.c.rule_id).label("id")).cte("ids", recursive=True)
    following = sa.select(sa.func.min(matches.c.rule_id)).where(matches.c.rule_id > ids.c.id).scalar_subquery()
    ids = ids.union_all(sa.select(following).where(ids.c.id.is_not(None)))
    return [name for name in connection.scalars(sa.select(ids.c.id)) if name and name.startswith(prefix)]
