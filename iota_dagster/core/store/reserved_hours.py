"""Delivery hours that a process keeps for itself: sensors ask for no runs of them meanwhile.

A reservation is a courtesy, not a lock: whoever claims an hour that is reserved does no harm. It ends by itself, so
that the sensors go on where a backfill was killed.
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from iota_dagster.core.store.schema import reserved_hours


def reserve(connection: sa.Connection, holder: str, hours: range, until: datetime) -> None:
    """Reserve some consecutive hours until a moment, or renew that; a holder has one reservation at a time."""
    release(connection, holder)
    values = {"holder": holder, "first_hour": hours.start, "end_hour": hours.stop, "until": until}
    connection.execute(sa.insert(reserved_hours), values)


def release(connection: sa.Connection, holder: str) -> None:
    """Give a holder's hours back to the sensors."""
    connection.execute(sa.delete(reserved_hours).where(reserved_hours.c.holder == holder))


def forget_ended(connection: sa.Connection, now: datetime) -> None:
    """Strike the reservations of processes that ended without giving theirs back."""
    connection.execute(sa.delete(reserved_hours).where(reserved_hours.c.until <= now))


def spans(connection: sa.Connection, now: datetime) -> list[range]:
    """The hours that are reserved now."""
    c = reserved_hours.c
    rows = connection.execute(sa.select(c.first_hour, c.end_hour).where(c.until > now))
    return [range(row.first_hour, row.end_hour) for row in rows]
