"""Alerts about ourselves as the store has them: what stands now, to be compared with what is found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from iota_dagster.core.store.schema import matches


@dataclass(frozen=True, slots=True)
class StoredAlarm:
    """What of a match of ours decides whether it is still the same."""

    id: str
    owner: str
    title: str
    context: dict[str, Any]


def alarms(connection: sa.Connection, rule_ids: Sequence[str], since: datetime) -> dict[str, StoredAlarm]:
    """The stored matches of some rules of ours, by id, from a moment on."""
    c = matches.c
    query = sa.select(c.id, c.batch_id, c.title, c.context).where(c.rule_id.in_(rule_ids), c.event_time >= since)
    return {row.id: StoredAlarm(row.id, row.batch_id, row.title, row.context) for row in connection.execute(query)}


def standing_dedups(connection: sa.Connection, rule_id: str, start: datetime, end: datetime) -> dict[str, str]:
    """The dedup strings of a rule's matches of [start, end), by the matches' ids."""
    c = matches.c
    query = sa.select(c.id, c.dedup).where(c.rule_id == rule_id, c.event_time >= start, c.event_time < end)
    return {row.id: row.dedup for row in connection.execute(query)}
