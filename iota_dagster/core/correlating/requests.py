"""When to ask for a run of the correlation rules: as soon as something is due, but ever less often for what fails.

What fails stays to be done. After a run that changed nothing of it, the next one is asked for a minute later, then two,
four and so on, an hour at most; anything new that is due is asked for at once, and so is everything then.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b

import msgspec

from iota_dagster.core.correlating.correlator import PATIENCE, left_over
from iota_dagster.core.store import correlations as store
from iota_dagster.core.store.database import Database

SHORTEST, LONGEST = timedelta(minutes=1), timedelta(hours=1)
"""How long the same work waits after the first run that left it, and at most."""


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at the store found, remembered until the next.

    `left`: a mark of what had been touched; `asked`: of all that there was to do when a run was last asked for, at
    `asked_at`, for the `times`-th time in a row.
    """

    left: str = ""
    asked: str = ""
    asked_at: datetime | None = None
    times: int = 0

    def text(self) -> str:
        """The look as a sensor's cursor keeps it."""
        return msgspec.json.encode(self).decode()


def read_look(text: str | None) -> Look:
    """A look from a cursor; an empty one where there is none, or one of another version."""
    try:
        return msgspec.json.decode(text or "{}", type=Look)
    except msgspec.DecodeError:
        return Look()


def look(database: Database, now: datetime, before: Look) -> tuple[Look, bool]:
    """What there is to do now, and whether a run is to be asked for.

    What was touched is left to whoever touched it until it is found a second time: then that run has died.
    """
    left = left_over(database)
    with database.read() as connection:
        due = store.due(connection, now - PATIENCE)
    if not due and (not left or left != before.left):
        return Look(left, before.asked, before.asked_at, before.times), False
    work = blake2b(repr((left, sorted(due.items()))).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    if work != before.asked or before.asked_at is None:
        return Look(left, work, now, 1), True
    wait = min(SHORTEST * 2 ** min(before.times - 1, 10), LONGEST)
    if now - before.asked_at < wait:
        return Look(left, before.asked, before.asked_at, before.times), False
    return Look(left, work, now, before.times + 1), True
