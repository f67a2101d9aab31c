"""What quarantine holds of an event: by the bytes of its id, or by its object."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from iota_dagster.core.store.schema import (
    quarantine,
)

NEWEST_ITEMS = 20_000
"""How far back a text is looked for in quarantine."""


@dataclass(frozen=True, slots=True)
class Held:
    """Something in quarantine: a record (`ordinal`) of an object, a whole object, or a queue message."""

    id: int
    object_id: int | None
    batch_id: str | None
    ordinal: int | None
    reason: str
    detail: str
    created_at: datetime


def held_with(
    connection: sa.Connection,
    text: bytes | None,
    *,
    object_id: int | None = None,
    reason: str | None = None,
    limit: int = 20,
) -> list[Held]:
    """What quarantine holds with a text in it, of an object, of a reason; without an object only the newest items."""
    c = quarantine.c
    query = sa.select(*(c[name] for name in Held.__slots__)).where(c.dropped_at.is_(None))
    if text is not None:
        query = query.where(_contains(connection, text))
    if reason is not None:
        query = query.where(c.reason == reason)
    if object_id is not None:
        query = query.where(c.object_id == object_id)
    else:
        newest = connection.scalar(sa.select(sa.func.max(c.id))) or 0
        query = query.where(c.id > newest - NEWEST_ITEMS)
    rows = connection.execute(query.order_by(c.id.desc()).limit(limit)).mappings()
    return [Held(**row) for row in rows]


def _contains(connection: sa.Connection, text: bytes) -> sa.ColumnElement[bool]:
    """Whether a sample has some bytes in it; SQLite and PostgreSQL each have a word of their own for that."""
    sample, wanted = quarantine.c.sample, sa.literal(text, sa.LargeBinary)
    if connection.dialect.name == "postgresql":
        return sa.func.position(wanted.op("IN")(sample)) > 0
    return sa.func.instr(sample, wanted) > 0
