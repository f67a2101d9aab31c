"""Whether the outbox holds what nobody sends."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from iota_dagster.core.store.schema import deliveries


def overdue(connection: sa.Connection, moment: datetime) -> bool:
    """Whether a delivery has been due since before a moment, or its sender's lease has run out before then."""
    c = deliveries.c
    due = c.status.in_(("pending", "sending")) & (c.next_attempt_at < moment)
    return connection.execute(sa.select(c.id).where(due).limit(1)).first() is not None
