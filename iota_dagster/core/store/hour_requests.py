"""Which delivery hours have work that nobody is doing, and who has asked for a run of them.

An attempt is taken by one conditional statement, so that of several sensors that see the same hour one wins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from iota_dagster.core.hours import Hour
from iota_dagster.core.model import BatchStatus
from iota_dagster.core.store import ledger
from iota_dagster.core.store.claims import IsAlive
from iota_dagster.core.store.database import chunked, insert_ignore
from iota_dagster.core.store.schema import batches, hour_requests, log_objects


@dataclass(frozen=True, slots=True)
class DueHour:
    """An hour with work; `newest` is when its newest object became due, None when only batches wait."""

    hour: Hour
    newest: datetime | None


@dataclass(frozen=True, slots=True)
class HourRequest:
    """The newest run that was asked for; `failures` in a row lengthen the wait for the next one."""

    hour: Hour
    attempt: int
    requested_at: datetime
    failures: int


def due_hours(connection: sa.Connection, now: datetime, is_alive: IsAlive) -> list[DueHour]:
    """The hours with due objects, with batches to be done again, or with unfinished batches whose owner is dead."""
    c = log_objects.c
    since = sa.func.max(sa.func.coalesce(c.retry_at, c.registered_at), type_=c.registered_at.type)
    rows = connection.execute(
        sa.select(c.delivery_hour, since.label("newest")).where(ledger.is_due(now)).group_by(c.delivery_hour)
    )
    found: dict[Hour, datetime | None] = {row.delivery_hour: row.newest for row in rows}
    for hour in _hours_with_batches(connection, is_alive):
        found.setdefault(hour, None)
    return [DueHour(hour, newest) for hour, newest in sorted(found.items())]


def _hours_with_batches(connection: sa.Connection, is_alive: Callable[[str, datetime], bool]) -> set[Hour]:
    c = batches.c
    hours = ledger.hours_to_do_again(connection)
    unfinished = c.status.in_((BatchStatus.OPEN, BatchStatus.COMMITTED))
    for row in connection.execute(sa.select(c.delivery_hour, c.owner, c.heartbeat_at).where(unfinished)):
        if row.delivery_hour not in hours and not is_alive(row.owner, row.heartbeat_at):
            hours.add(row.delivery_hour)
    return hours


def newest(connection: sa.Connection, hours: Iterable[Hour]) -> dict[Hour, HourRequest]:
    """The last request of each hour; an hour that was never asked for is left out."""
    found: dict[Hour, HourRequest] = {}
    for part in chunked(hours):
        for row in connection.execute(sa.select(hour_requests).where(hour_requests.c.hour.in_(part))):
            found[row.hour] = HourRequest(row.hour, row.attempt, row.requested_at, row.failures)
    return found


def take(connection: sa.Connection, hour: Hour, after: HourRequest | None, failures: int, now: datetime) -> int | None:
    """Take the next attempt of an hour; None when another sensor has taken it since `after` was read."""
    values = {"hour": hour, "attempt": 1, "requested_at": now, "failures": failures}
    if after is None:
        return 1 if connection.execute(insert_ignore(connection, hour_requests), values).rowcount == 1 else None
    c = hour_requests.c
    values |= {"attempt": after.attempt + 1}
    taken = connection.execute(
        sa.update(hour_requests).where(c.hour == hour, c.attempt == after.attempt).values(values)
    )
    return after.attempt + 1 if taken.rowcount == 1 else None
