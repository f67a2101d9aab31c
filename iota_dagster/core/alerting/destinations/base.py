"""What a destination is: the interface that every module in this folder fills, and what it sends."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Protocol

from iota_dagster.core.model import Delivery


class Destination(Protocol):
    """One place that takes alerts, by the name that the configuration gives it."""

    @property
    def name(self) -> str:
        """The name in the configuration and in the outbox."""
        ...

    def send(self, delivery: Delivery) -> None:
        """Hand the alert over; on return it has arrived for good.

        `DeliveryFailed` says why it did not. Set `retry_helps = False` on the error when the same alert can never be
        taken.
        """
        ...

    def was_delivered(self, delivery: Delivery) -> bool | None:
        """Whether an earlier attempt did arrive, its sender having died before it said so; None: cannot know.

        Asked before every attempt but the first.
        """
        ...


def payload(delivery: Delivery) -> dict[str, Any]:
    """The alert as every destination writes it: stable names, JSON values, times as ISO 8601 in UTC with `Z`."""
    alert = delivery.alert
    return {
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


def _iso(moment: datetime) -> str:
    """Always with microseconds, so that the text sorts by time."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
