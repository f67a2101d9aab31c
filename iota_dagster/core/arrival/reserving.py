"""Keeping the sensors away from hours that this process brings to their end itself."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta

from iota_dagster.core.arrival.requesting import RECENT_HOURS
from iota_dagster.core.background import repeating
from iota_dagster.core.errors import Outage
from iota_dagster.core.hours import hour_of
from iota_dagster.core.store import reserved_hours
from iota_dagster.core.store.database import Database

RESERVED = timedelta(seconds=30)
"""So long after its holder's end a reservation ends as well."""
RENEWED_SECONDS = 10.0


@contextmanager
def reserving(database: Database, hours: range, notify_within: timedelta) -> Iterator[None]:
    """Reserve consecutive hours for as long as the block runs, but for those whose events may still page somebody.

    Objects that are found there are pending before they are claimed; without this the sensors would ask for a run of
    each of these hours, which finds nothing and keeps a live one waiting. Where it may still page, nobody waits for
    the rest of a long backfill: whoever is first takes it. A store that does not answer ends no work: the reservation
    is renewed later, or ends by itself.
    """
    past = _past(hours, notify_within, datetime.now(UTC))
    if not past:
        yield
        return
    holder = uuid.uuid4().hex

    def renew() -> None:
        now = datetime.now(UTC)
        with suppress(Outage), database.begin() as connection:
            reserved_hours.forget_ended(connection, now)
            reserved_hours.reserve(connection, holder, past, now + RESERVED)

    renew()
    try:
        with repeating(RENEWED_SECONDS, renew, "reserving hours"):
            yield
    finally:
        with suppress(Outage), database.begin() as connection:
            reserved_hours.release(connection, holder)


def _past(hours: range, notify_within: timedelta, now: datetime) -> range:
    """The hours whose events are all too old to page anybody."""
    live = max(notify_within, timedelta(hours=RECENT_HOURS))
    return range(hours.start, min(hours.stop, hour_of(now - live)))
