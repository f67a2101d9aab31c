"""Queue messages in the store: counted by what became of them, and kept where nobody could read them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime

import sqlalchemy as sa

from iota_dagster.core.observability import metrics
from iota_dagster.core.store import figures
from iota_dagster.core.store.database import insert_ignore
from iota_dagster.core.store.schema import message_counts, quarantine

UNREADABLE = "unreadable_message"
"""The quarantine's reason for them."""
_DETAIL_LENGTH = 10_000


def count(connection: sa.Connection, messages: Mapping[tuple[str, str], int]) -> None:
    """Add to the counts by (kind, outcome). A delivery counts each time it comes."""
    c = message_counts.c
    for (kind, outcome), number in sorted(messages.items()):
        connection.execute(insert_ignore(connection, message_counts), {"kind": kind, "outcome": outcome, "messages": 0})
        connection.execute(
            sa.update(message_counts).where(c.kind == kind, c.outcome == outcome).values(messages=c.messages + number)
        )


def counts(connection: sa.Connection) -> dict[tuple[str, str], int]:
    """All counts by (kind, outcome)."""
    c = message_counts.c
    rows = connection.execute(sa.select(c.kind, c.outcome, c.messages).order_by(c.kind, c.outcome))
    return {(row.kind, row.outcome): int(row.messages) for row in rows}


def keep(connection: sa.Connection, body: str, detail: str, now: datetime) -> None:
    """Keep a message that cannot be read in quarantine, whole; the same body is kept once."""
    data = _bytes(body)
    values = {
        "message": _digest(body),
        "reason": UNREADABLE,
        "detail": detail[:_DETAIL_LENGTH],
        "size": len(data),
        "sample": data,
        "created_at": now,
    }
    if connection.execute(insert_ignore(connection, quarantine), values).rowcount:
        figures.add(connection, {(metrics.QUARANTINED.name, (UNREADABLE,)): 1}, now)


def forget(connection: sa.Connection, body: str) -> None:
    """Let a message out of quarantine: it could be read after all."""
    connection.execute(sa.delete(quarantine).where(quarantine.c.message == _digest(body)))


def body_of(sample: bytes) -> str:
    """A kept message's body."""
    return bytes(sample).decode(errors="surrogatepass")


def _digest(body: str) -> str:
    return hashlib.sha256(_bytes(body)).hexdigest()


def _bytes(body: str) -> bytes:
    return body.encode(errors="surrogatepass")
