"""Which scheduled queries there are, which of them are due, and who asks for a run."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b

from iota_dagster.core.detection.rule import RulePack
from iota_dagster.core.detection.scheduled_query import ScheduledQuery
from iota_dagster.core.store import scheduled_queries as store
from iota_dagster.core.store.database import Database

START_PATIENCE = timedelta(minutes=5)
"""How long a run that was asked for may take to begin, and one that has its answer to record it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A run that was asked for, with a key that no other ever has, and its queries with the attempt that it is at each.

    A query whose attempt is another by then is no longer for that run to do: somebody else has been asked.
    """

    key: str
    attempts: dict[str, int]


def judged_queries(pack: RulePack) -> list[ScheduledQuery]:
    """The enabled queries whose rows some enabled rule judges: those that run."""
    read = {log_type for rule in pack.rules if rule.enabled for log_type in rule.log_types}
    return [item for item in pack.queries if item.enabled and item.log_type in read]


def keep_schedules(database: Database, queries: Iterable[ScheduledQuery], now: datetime, *, whole: bool = True) -> None:
    """Let the store know the queries that there are; one that is new is due at the next time that its schedule names.

    Where a file of the pack did not load (not `whole`), one that is missing may be in it: it keeps its due time. Costs
    one read when the store knows them.
    """
    wanted = {item.name: (str(item.schedule), item.schedule.next_after(now)) for item in queries}
    with database.read() as connection:
        states = store.states(connection)
    known = {name: state.schedule for name, state in states.items()}
    if not whole:
        wanted = {name: (state.schedule, state.due_at) for name, state in states.items()} | wanted
    if known != {name: schedule for name, (schedule, _) in wanted.items()}:
        with database.begin() as connection:
            store.keep(connection, wanted)


def ask_for_run(database: Database, now: datetime, names: Collection[str] | None = None) -> Asked | None:
    """One run of what is due; None when nothing is, or when somebody has asked for it already.

    `names` are the queries that can run (None: all that the store knows). Of several that call at once, each query goes
    to one.
    """
    with database.read() as connection:
        states = [item for name, item in store.states(connection).items() if names is None or name in names]
    waiting = [state for state in states if store.is_waiting(state, now)]
    if not waiting:
        return None
    with database.begin() as connection:
        won = [state for state in waiting if store.take(connection, state, now + START_PATIENCE)]
    if not won:
        return None
    # With the time: a query that was forgotten and comes back counts its attempts from the beginning.
    parts = [(state.name, state.due_at.isoformat(), state.attempt) for state in won]
    key = blake2b(repr(parts).encode(), digest_size=8).hexdigest()
    return Asked(key, {state.name: state.attempt + 1 for state in won})
