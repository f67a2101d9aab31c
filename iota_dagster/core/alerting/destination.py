"""What a destination of alerts is: the interface that every kind of them fills, and what it sends."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Protocol

from iota_dagster.core.errors import DeliveryFailed
from iota_dagster.core.model import Delivery


class Unavailable(DeliveryFailed):
    """A destination takes nothing at present, this alert or another: the others need not find that out one by one."""


class Destination(Protocol):
    """One place that takes alerts, by the name that the configuration gives it."""

    @property
    def name(self) -> str:
        """The name in the configuration and in the outbox."""
        ...

    def send(self, delivery: Delivery) -> None:
        """Hand the alert over; on return it has arrived for good.

        `DeliveryFailed` says why it did not, `Unavailable` that no alert would. Set `retry_helps = False` on the error
        when the same alert can never be taken. A call must end well within the outbox's lease.
        """
        ...

    def was_delivered(self, delivery: Delivery) -> bool | None:
        """Whether an earlier attempt did arrive, its sender having died before it said so; None: cannot know.

        Asked before every attempt but the first.
        """
        ...


def payload(delivery: Delivery, most_bytes: int | None = None) -> dict[str, Any]:
    """The alert as every destination writes it: stable names, JSON values, times as ISO 8601 in UTC with `Z`.

    Where it would have more than `most_bytes` as JSON, the largest values of `context` are left out and named in
    `context_left_out`: people must hear of an alert however much a rule wants to say.
    """
    alert = delivery.alert
    found = {
        "delivery_id": delivery.id,
        "alert_id": alert.id,
        "rule_id": alert.rule_id,
        "severity": alert.severity,
        "title": alert.title,
        "dedup": alert.dedup,
        "description": alert.description,
        "runbook": alert.runbook,
        "reference": alert.reference,
        "matches": alert.matches,
        "first_event_time": _iso(alert.first_event_time),
        "last_event_time": _iso(alert.last_event_time),
        "log_type": alert.log_type,
        "context": dict(alert.context),
    }
    return found if most_bytes is None else _bounded(found, most_bytes)


def _bounded(found: dict[str, Any], most_bytes: int) -> dict[str, Any]:
    excess = len(json.dumps(found)) - most_bytes
    if excess <= 0:
        return found
    sizes = {name: len(json.dumps({name: value})) for name, value in found["context"].items()}
    left_out = []
    for name in sorted(sizes, key=lambda name: -sizes[name]):
        if excess <= 0:
            break
        del found["context"][name]
        left_out.append(name[:100])
        excess -= sizes[name] - len(json.dumps(name[:100]))
    return found | {"context_left_out": left_out[:100]}


def _iso(moment: datetime) -> str:
    """Always with microseconds, so that the text sorts by time."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
