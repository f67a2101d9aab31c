"""The schema's types, on both kinds of database: whatever a stranger wrote can be stored."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa

from iota_dagster.core.store.database import Database
from iota_dagster.core.store.schema import log_objects, metadata, quarantine, rule_values

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
HOSTILE, STORED = "a\0b \udc80 \ud83d\ude00", "a\ufffdb \ufffd 😀"


def test_what_a_record_quotes_never_stops_its_batch(store: Database) -> None:
    item = {"reason": HOSTILE, "detail": HOSTILE, "sample": b"\0", "created_at": NOW}
    key = {"bucket": "b", "key": HOSTILE, "etag": "e", "integration": "i", "error": HOSTILE}
    with store.begin() as connection:
        connection.execute(sa.insert(quarantine), [item])
        connection.execute(sa.insert(log_objects).values(**key, delivery_hour=1, status="pending", registered_at=NOW))
    with store.read() as connection:
        assert connection.execute(sa.select(quarantine.c.reason, quarantine.c.detail)).one() == (STORED, STORED)
        c = log_objects.c
        # A comparison is treated as the value was: whoever has the name as it was told finds the row.
        assert connection.scalar(sa.select(c.error).where(c.key == HOSTILE)) == STORED
        assert connection.scalar(sa.select(c.error).where(c.key.in_([HOSTILE]))) == STORED


def test_what_a_rule_remembers_never_stops_its_batch(store: Database) -> None:
    row = {"key": HOSTILE, "event_time": NOW, "event_id": HOSTILE, "expires_at": NOW}
    value = {"count": float("nan"), HOSTILE: [HOSTILE, 1.5, None]}
    with store.begin() as connection:
        connection.execute(sa.insert(rule_values).values(**row, value=value))
    with store.read() as connection:
        kept = connection.execute(sa.select(rule_values.c.event_id, rule_values.c.value)).one()
    assert kept == (STORED, {"count": "nan", STORED: [STORED, 1.5, None]})


def test_no_column_is_left_out() -> None:
    plain = [
        f"{table.name}.{column.name}"
        for table in metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, sa.String | sa.JSON)
    ]
    assert plain == []
