"""What became of an event after its batch: matches, alerts, deliveries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from iota_dagster.core.hours import Hour
from iota_dagster.core.model import Alert
from iota_dagster.core.store.alerts import as_alert
from iota_dagster.core.store.database import chunked
from iota_dagster.core.store.schema import (
    alerts,
    deliveries,
    matches,
)


@dataclass(frozen=True, slots=True)
class MatchRecord:
    """A stored match, as far as one wants to see it; `members` are the matches that a correlation is made of."""

    id: str
    batch_id: str
    rule_id: str
    rule_version: str
    log_type: str
    event_id: str
    event_hour: Hour
    event_time: datetime
    severity: str
    title: str
    dedup: str
    create_alert: bool
    alert_id: str
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DeliveryRecord:
    """One alert's way to one destination."""

    alert_id: str
    destination: str
    status: str
    attempts: int
    error: str | None
    created_at: datetime
    next_attempt_at: datetime
    sent_at: datetime | None


def matches_on(connection: sa.Connection, batch_id: str, event_id: str) -> list[MatchRecord]:
    """What the rules said of an event that a batch admitted."""
    here = (matches.c.batch_id == batch_id, matches.c.event_id == event_id)
    return _matches(connection, sa.select(matches).where(*here))


def match(connection: sa.Connection, match_id: str) -> MatchRecord | None:
    """A match by its id."""
    return next(iter(_matches(connection, sa.select(matches).where(matches.c.id == match_id))), None)


def matches_of_alert(connection: sa.Connection, alert_id: str, limit: int) -> list[MatchRecord]:
    """An alert's first matches by event time; signals are not among them."""
    query = sa.select(matches).where(matches.c.alert_id == alert_id, matches.c.create_alert)
    return _matches(connection, query.order_by(matches.c.event_time, matches.c.id).limit(limit))


def _matches(connection: sa.Connection, query: sa.Select[Any]) -> list[MatchRecord]:
    names = [name for name in MatchRecord.__slots__ if name != "members"]
    return [
        MatchRecord(**{name: row[name] for name in names}, members=_members(row["context"]))
        for row in connection.execute(query).mappings()
    ]


def _members(context: Mapping[str, Any] | None) -> tuple[str, ...]:
    """The ids in a correlation's context, see `correlation_matches`; rules of people write what they like there."""
    members = (context or {}).get("members")
    held = [item.get("matches") for item in members if isinstance(item, dict)] if isinstance(members, list) else []
    items = [item for part in held if isinstance(part, list) for item in part if isinstance(item, dict)]
    return tuple(item["id"] for item in items if isinstance(item.get("id"), str))


def alerts_by_id(connection: sa.Connection, ids: Sequence[str]) -> list[Alert]:
    """Alerts by their ids, the oldest first."""
    query = sa.select(alerts).where(alerts.c.id.in_(ids)).order_by(alerts.c.created_at, alerts.c.id)
    return [as_alert(row) for row in connection.execute(query).mappings()]


def deliveries_of(connection: sa.Connection, alert_ids: Sequence[str]) -> list[DeliveryRecord]:
    """Where some alerts were sent, or are to be sent."""
    c = deliveries.c
    query = sa.select(*(c[name] for name in DeliveryRecord.__slots__)).order_by(c.alert_id, c.destination)
    found: list[DeliveryRecord] = []
    for ids in chunked(alert_ids):
        found += [DeliveryRecord(**row) for row in connection.execute(query.where(c.alert_id.in_(ids))).mappings()]
    return found
