"""When each scheduled query is due, who is at it, and what its last run did.

A run is asked for by one conditional statement, so that one of several identical sensors wins. Its end is another:
whoever sets the next due time first has done the work, and what anybody else found for the same time is dropped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from iota_dagster.core.store.database import chunked, insert_ignore
from iota_dagster.core.store.schema import as_values, matches, scheduled_queries

_c = scheduled_queries.c


@dataclass(frozen=True, slots=True)
class QueryState:
    """A query as the store knows it; `last_due_at` is what its last run was for, `error` why that failed."""

    name: str
    schedule: str
    due_at: datetime
    busy_until: datetime | None
    attempt: int
    last_due_at: datetime | None
    last_run_at: datetime | None
    last_seconds: float | None
    last_rows: int
    last_matches: int
    error: str | None


@dataclass(frozen=True, slots=True)
class QueryOutcome:
    """What one run of a query did, and when it was due."""

    due_at: datetime
    run_at: datetime
    seconds: float
    rows: int
    matches: int
    error: str | None


def states(connection: sa.Connection) -> dict[str, QueryState]:
    """All queries by name."""
    rows = connection.execute(sa.select(scheduled_queries).order_by(_c.name)).mappings()
    return {row["name"]: QueryState(**as_values(row, scheduled_queries)) for row in rows}


def keep(connection: sa.Connection, schedules: Mapping[str, tuple[str, datetime]]) -> None:
    """Make these the queries that there are, each with its schedule and when that is due next.

    One that is known by the same schedule stays as it is, overdue or not.
    """
    for name, (schedule, due_at) in sorted(schedules.items()):
        values = {"name": name, "schedule": schedule, "due_at": due_at}
        connection.execute(insert_ignore(connection, scheduled_queries), values)
        changed = sa.update(scheduled_queries).where(_c.name == name, _c.schedule != schedule)
        connection.execute(changed.values(schedule=schedule, due_at=due_at))
    gone = set(connection.scalars(sa.select(_c.name))) - schedules.keys()
    for chunk in chunked(sorted(gone)):
        connection.execute(sa.delete(scheduled_queries).where(_c.name.in_(chunk)))


def is_waiting(state: QueryState, now: datetime) -> bool:
    """Whether a query is due and nobody is expected to be at it."""
    return state.due_at <= now and (state.busy_until is None or state.busy_until <= now)


def take(connection: sa.Connection, state: QueryState, until: datetime) -> bool:
    """Ask for a run of a query; False when somebody else has asked, or run it, since the state was read."""
    unchanged = (_c.name == state.name) & (_c.attempt == state.attempt) & (_c.due_at == state.due_at)
    taken = sa.update(scheduled_queries).where(unchanged).values(attempt=state.attempt + 1, busy_until=until)
    return connection.execute(taken).rowcount == 1


def stay_busy(connection: sa.Connection, attempts: Mapping[str, int], until: datetime) -> None:
    """Say until when somebody is at these queries, or at others before them, each at the attempt that was asked for.

    A query whose run has ended, or for which another run has been asked meanwhile, stays as it is.
    """
    for chunk in chunked(attempts.items()):
        mine = sa.tuple_(_c.name, _c.attempt).in_(chunk) & _c.busy_until.is_not(None)
        connection.execute(sa.update(scheduled_queries).where(mine).values(busy_until=until))


def finish(connection: sa.Connection, state: QueryState, next_due: datetime, outcome: QueryOutcome) -> bool:
    """Note a run and set the next due time; False, and nothing done, when another run was first.

    It holds the query's row until the transaction ends: two runs of one query never record at once.
    """
    mine = (_c.name == state.name) & (_c.due_at == state.due_at) & (_c.schedule == state.schedule)
    values = {
        "due_at": next_due,
        "busy_until": None,
        "last_due_at": outcome.due_at,
        "last_run_at": outcome.run_at,
        "last_seconds": outcome.seconds,
        "last_rows": outcome.rows,
        "last_matches": outcome.matches,
        "error": outcome.error,
    }
    return connection.execute(sa.update(scheduled_queries).where(mine).values(values)).rowcount == 1


def is_unchanged(connection: sa.Connection, state: QueryState) -> bool:
    """Whether no run of a query has ended since the state was read; holds the query's row if so."""
    mine = (_c.name == state.name) & (_c.due_at == state.due_at) & (_c.schedule == state.schedule)
    held = sa.update(scheduled_queries).where(mine).values(due_at=state.due_at)
    return connection.execute(held).rowcount == 1


def known_elsewhere(connection: sa.Connection, ids: Iterable[str], unit: str) -> set[str]:
    """Those of some matches that are stored as the output of another unit of work."""
    found: set[str] = set()
    for chunk in chunked(ids):
        query = sa.select(matches.c.id).where(matches.c.id.in_(chunk), matches.c.batch_id != unit)
        found.update(connection.scalars(query))
    return found


def units_of_rule(connection: sa.Connection, rule_id: str) -> list[str]:
    """The units of work that matches of a rule belong to."""
    return list(connection.scalars(sa.select(matches.c.batch_id).where(matches.c.rule_id == rule_id).distinct()))
