"""What rules remember (`detection.key_values`), in the store."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from iota_dagster.core.detection.key_values import Stamp, StoredValue
from iota_dagster.core.store.database import Database, chunked, upsert
from iota_dagster.core.store.schema import rule_values


class RuleValues:
    """The values in the store, inside one transaction of the caller's."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def read(self, key: str, before: Stamp) -> StoredValue | None:
        """The newest value of a key with a smaller stamp than this one, ended or not."""
        row = self._connection.execute(
            sa.select(rule_values)
            .where(rule_values.c.key == key, _earlier(rule_values, before))
            .order_by(rule_values.c.event_time.desc(), rule_values.c.event_id.desc())
            .limit(1)
        ).one_or_none()
        return None if row is None else StoredValue(Stamp(row.event_time, row.event_id), row.value, row.expires_at)

    def write(self, key: str, stamp: Stamp, value: dict[str, Any], expires_at: datetime) -> None:
        """Keep a value; it replaces what the same stamp has written under the key before."""
        save(self._connection, [(key, StoredValue(stamp, value, expires_at))])


class StoredValues:
    """The values in the store as rules read them, each time as they stand; what a batch writes comes by `save`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self, key: str, before: Stamp) -> StoredValue | None:
        """The newest value of a key with a smaller stamp than this one, ended or not."""
        with self._database.read() as connection:
            return RuleValues(connection).read(key, before)


def save(connection: sa.Connection, written: Iterable[tuple[str, StoredValue]]) -> None:
    """Keep many values at once, such as `MemoryValues.written()` of a batch."""
    for chunk in chunked(written):
        connection.execute(upsert(connection, rule_values), [_row(key, stored) for key, stored in chunk])


def purge(connection: sa.Connection, before: datetime) -> int:
    """Delete what no event of that moment or later can see: ended values, and those with a newer one; how many."""
    return connection.execute(sa.delete(rule_values).where(_unseen(before))).rowcount


def count_unseen(connection: sa.Connection, before: datetime) -> int:
    """How many values `purge` would delete."""
    return int(connection.execute(sa.select(sa.func.count()).where(_unseen(before))).scalar_one())


def _unseen(before: datetime) -> sa.ColumnElement[bool]:
    newer = rule_values.alias("newer")
    replaced = sa.exists().where(
        newer.c.key == rule_values.c.key,
        newer.c.event_time < before,
        sa.or_(
            newer.c.event_time > rule_values.c.event_time,
            sa.and_(newer.c.event_time == rule_values.c.event_time, newer.c.event_id > rule_values.c.event_id),
        ),
    )
    return (rule_values.c.event_time < before) & sa.or_(rule_values.c.expires_at <= before, replaced)


def _earlier(table: sa.FromClause, stamp: Stamp) -> sa.ColumnElement[bool]:
    return sa.or_(
        table.c.event_time < stamp.event_time,
        sa.and_(table.c.event_time == stamp.event_time, table.c.event_id < stamp.event_id),
    )


def _row(key: str, stored: StoredValue) -> dict[str, Any]:
    return {
        "key": key,
        "event_time": stored.stamp.event_time,
        "event_id": stored.stamp.event_id,
        "value": stored.value,
        "expires_at": stored.expires_at,
    }
