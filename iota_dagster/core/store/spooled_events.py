"""Which events that came in the queue itself lie in an object of ours already: each is spooled once."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa

from iota_dagster.core.store.database import chunked, insert_ignore
from iota_dagster.core.store.schema import spooled_events


def known(connection: sa.Connection, event_ids: Collection[bytes]) -> set[bytes]:
    """Those of some events that are spooled already."""
    c = spooled_events.c
    found: set[bytes] = set()
    for ids in chunked(event_ids):
        found.update(map(bytes, connection.execute(sa.select(c.event_id).where(c.event_id.in_(ids))).scalars()))
    return found


def add(connection: sa.Connection, event_ids: Collection[bytes], now: datetime) -> bool:
    """Note that events are spooled; False when another process has noted one of them meanwhile.

    Where two of them do it at once the second waits for the first one's end.
    """
    # In one order everywhere: no two transactions can wait for each other.
    rows = [{"event_id": event_id, "spooled_at": now} for event_id in sorted(event_ids)]
    return not rows or connection.execute(insert_ignore(connection, spooled_events), rows).rowcount == len(rows)


def purge(connection: sa.Connection, before: datetime, most: int = 100_000) -> int:
    """Forget events spooled before a moment, about `most` at once; how many. 0: nothing is left to forget.

    An event that is delivered once more after that is spooled again: keep them longer than anybody tries to deliver
    (SQS keeps a message for 14 days at most, SNS tries for 23).
    """
    c = spooled_events.c
    oldest = sa.select(c.event_id).where(c.spooled_at < before).order_by(c.spooled_at).limit(most)
    return int(connection.execute(sa.delete(spooled_events).where(c.event_id.in_(oldest))).rowcount)


def count(connection: sa.Connection, before: datetime) -> int:
    """How many events were spooled before a moment: what `purge` would forget."""
    c = spooled_events.c
    return int(connection.execute(sa.select(sa.func.count()).where(c.spooled_at < before)).scalar_one())
