"""Which delivery hours a sensor should ask a run for, now.

An hour has at most one run that waits and one that works. A run claims what is pending when it starts; so an hour
needs another run only for what came after that, for what an outage or a failed run has left, and for what a dead
process held. Runs that fail are asked for again ever more slowly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum

from iota_dagster.core.hours import Hour, hour_of
from iota_dagster.core.owner import is_alive
from iota_dagster.core.store import claims, hour_requests
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


@dataclass(frozen=True, slots=True)
class Request:
    """A run to ask for. `attempt` makes its key: a key that was used once is never taken again."""

    hour: Hour
    attempt: int
    recent: bool


@dataclass(frozen=True, slots=True)
class Requesting:
    """Finds the hours that need a run; `runs(hour, attempt)` tells what became of an earlier one."""

    database: Database
    runs: Callable[[Hour, int], LastRun]
    is_known: Callable[[Hour], bool] = lambda hour: True
    is_alive: IsAlive = is_alive
    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))

    def take(self, most: int) -> tuple[list[Request], list[Hour]]:
        """The runs to ask for, newest hour first, and the hours that lie outside the partitions."""
        now = self.clock()
        with self.database.read() as connection:
            due = hour_requests.due_hours(connection, now, self.is_alive)
        known = [item for item in due if self.is_known(item.hour)]
        outside = [item.hour for item in due if not self.is_known(item.hour)]
        return self._take(list(reversed(known)), most, now), outside

    def _take(self, due: Sequence[DueHour], most: int, now: datetime) -> list[Request]:
        requests: list[Request] = []
        for item in due:
            if len(requests) >= most:
                break
            attempt = self._attempt(item, now)
            if attempt is not None:
                recent = hour_of(now) - item.hour < RECENT_HOURS
                requests.append(Request(item.hour, attempt, recent))
        return requests

    def _attempt(self, due: DueHour, now: datetime) -> int | None:
        with self.database.read() as connection:
            last = hour_requests.newest(connection, due.hour)
        failures = 0 if last is None else self._failures(due, last, now)
        if failures is None:
            return None
        with self.database.begin() as connection:
            return hour_requests.take(connection, due.hour, last, failures, now)

    def _failures(self, due: DueHour, last: HourRequest, now: datetime) -> int | None:
        """How many runs in a row did not bring the hour forward, if it is time for another one; None to wait."""
        run = self.runs(due.hour, last.attempt)
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
