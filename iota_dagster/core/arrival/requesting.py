"""Which delivery hours a sensor should ask a run for, now.

An hour has at most one run that waits and one that works. A run claims what is pending when it starts; so an hour
needs another run only for what came after that, for what an outage or a failed run has left, and for what a dead
process held. Runs that fail are asked for again ever more slowly. Hours that a backfill has
reserved are its own: a run beside it would find nothing, and would keep live ones waiting meanwhile.

A look costs the same few queries however many hours are due, and asks for so much of a backlog only that its runs have
something to do: what is due next is decided when it can start, and what arrives now is never behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum

from iota_dagster.core.batch.owner import is_alive
from iota_dagster.core.hours import Hour, hour_of
from iota_dagster.core.store import claims, hour_requests, reserved_hours
from iota_dagster.core.store.claims import IsAlive
from iota_dagster.core.store.database import Database
from iota_dagster.core.store.hour_requests import DueHour, HourRequest

LOST = timedelta(seconds=30)
"""A request whose run does not exist after so long was lost with the process that made it."""
FIRST_WAIT = timedelta(seconds=10)
LONGEST_WAIT = timedelta(minutes=10)
LONGEST_WAIT_OF_NEW = timedelta(minutes=1)
"""An hour that keeps failing must not hold up the objects that come into it for longer."""
RECENT_HOURS = 3
"""Hours so far back are live; older ones are a backlog and leave room for them."""
BACKLOG_AT_ONCE = 50
"""Runs of a backlog that are asked for and have not claimed yet: enough that none of many workers is ever idle."""


class RunState(Enum):
    """What has become of a run that was asked for."""

    NONE = "there is no such run"
    WAITING = "queued, starting, or about to be tried again"
    WORKING = "running"
    FAILED = "ended without success"
    ENDED = "ended well"


@dataclass(frozen=True, slots=True)
class LastRun:
    """The state of the newest run of a request; `root` is its root run's id, empty without one."""

    state: RunState
    root: str = ""


NO_RUN = LastRun(RunState.NONE)


@dataclass(frozen=True, slots=True)
class Request:
    """A run to ask for. `attempt` makes its key: a key that was used once is never taken again."""

    hour: Hour
    attempt: int
    recent: bool


@dataclass(frozen=True, slots=True)
class _Wanted:
    """An hour that a run is to be asked for, what was asked for before, and how many runs in a row failed."""

    hour: Hour
    last: HourRequest | None
    failures: int
    recent: bool


@dataclass(frozen=True, slots=True)
class Requesting:
    """Finds the hours that need a run.

    `runs(attempts)` tells what became of the runs that were asked for, by hour and attempt; an hour without a run is
    left out. `partitions()` are the hours that can be asked for.
    """

    database: Database
    runs: Callable[[Mapping[Hour, int]], Mapping[Hour, LastRun]]
    partitions: Callable[[], range]
    is_alive: IsAlive = is_alive
    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))

    def take(self, most: int) -> tuple[list[Request], list[Hour]]:
        """The runs to ask for, the most urgent first, and the hours that lie outside the partitions."""
        now, hours = self.clock(), self.partitions()
        with self.database.read() as connection:
            due = hour_requests.due_hours(connection, now, self.is_alive)
            reserved = reserved_hours.spans(connection, now)
            known = [item for item in reversed(due) if item.hour in hours and not _holds(reserved, item.hour)]
            last = hour_requests.newest(connection, [item.hour for item in known])
        wanted = self._wanted(known, last, now)[:most]
        return self._take(wanted, now), [item.hour for item in due if item.hour not in hours]

    def _wanted(self, due: Sequence[DueHour], last: Mapping[Hour, HourRequest], now: datetime) -> list[_Wanted]:
        """The hours whose time has come, newest first; of a backlog as many as there is room for, failed ones last."""
        runs = self.runs({hour: request.attempt for hour, request in last.items()}) if last else {}
        live: list[_Wanted] = []
        backlog: list[_Wanted] = []
        room = BACKLOG_AT_ONCE
        for item in due:
            request, run = last.get(item.hour), runs.get(item.hour, NO_RUN)
            recent = hour_of(now) - item.hour < RECENT_HOURS
            failures = 0 if request is None else self._failures(item, request, run, now)
            if failures is not None:
                (live if recent else backlog).append(_Wanted(item.hour, request, failures, recent))
            elif not recent and run.state not in (RunState.FAILED, RunState.ENDED):
                room -= 1
        backlog.sort(key=lambda item: item.failures)  # hours that fail again and again keep no others waiting
        return live + backlog[: max(room, 0)]

    def _take(self, wanted: Sequence[_Wanted], now: datetime) -> list[Request]:
        """Take their next attempts, all sensors in the same order; those that another one was faster with are left."""
        if not wanted:
            return []
        requests: list[Request] = []
        with self.database.begin() as connection:
            for item in wanted:
                attempt = hour_requests.take(connection, item.hour, item.last, item.failures, now)
                if attempt is not None:
                    requests.append(Request(item.hour, attempt, item.recent))
        return requests

    def _failures(self, due: DueHour, last: HourRequest, run: LastRun, now: datetime) -> int | None:
        """How many runs in a row did not bring the hour forward, if it is time for another one; None to wait."""
        if run.state is RunState.NONE:
            return last.failures if now - last.requested_at > LOST else None
        if run.state is RunState.WAITING:
            return None
        is_new = due.newest is not None and due.newest > last.requested_at
        if run.state is RunState.WORKING:  # batches of a dead process are its own to finish, once it goes on
            return 0 if due.newest is not None and self._has_claimed(run.root, due.hour) else None
        if run.state is RunState.ENDED and is_new:
            return 0
        failures = last.failures + 1
        longest = LONGEST_WAIT_OF_NEW if is_new else LONGEST_WAIT
        wait = min(FIRST_WAIT * 2 ** min(failures - 1, 10), longest)
        return failures if now - last.requested_at >= wait else None

    def _has_claimed(self, root: str, hour: Hour) -> bool:
        with self.database.read() as connection:
            return claims.has_claimed(connection, root, [hour])


def _holds(spans: Sequence[range], hour: Hour) -> bool:
    return any(hour in span for span in spans)
