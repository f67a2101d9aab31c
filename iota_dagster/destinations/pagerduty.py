"""PagerDuty, by its Events API v2 (developer.pagerduty.com/docs/events-api-v2).

The alert's id is the `dedup_key`: an event that is sent twice is the same incident, so nobody is paged twice even where
a sender dies before it notes that it has sent.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from iota_dagster.core.alerting.destination import payload
from iota_dagster.core.model import Delivery
from iota_dagster.core.text import one_line
from iota_dagster.destinations.base import DestinationSettings, Means, Secret, either
from iota_dagster.destinations.http import checked_url, post_json

_SEVERITIES = {"CRITICAL": "critical", "HIGH": "error", "MEDIUM": "warning", "LOW": "info", "INFO": "info"}
_SUMMARY, _MOST_BYTES = 1_024, 400_000  # PagerDuty takes 1,024 characters, and events of 512 KB


class PagerDuty(DestinationSettings):
    """A destination: a PagerDuty service, by the integration key of its Events API v2."""

    type: Literal["pagerduty"] = Field(description="Always `pagerduty`.")
    routing_key: SecretStr | None = Field(None, min_length=1, repr=False, description="The integration key (secret).")
    routing_key_secret: str | None = Field(None, min_length=1, description="Instead: the secret that holds it.")
    endpoint: str = Field(
        "https://events.pagerduty.com/v2/enqueue",
        description="Where events go; in the EU `https://events.eu.pagerduty.com/v2/enqueue`.",
    )

    @field_validator("endpoint")
    @classmethod
    def _is_a_url(cls, value: str) -> str:
        return checked_url(value)

    @model_validator(mode="after")
    def _one_key(self) -> PagerDuty:
        either(self.name, self.routing_key, self.routing_key_secret, "routing_key")
        return self

    def open(self, means: Means) -> PagerDutyService:
        """What sends events there."""
        key = self.chosen_secret(self.routing_key, self.routing_key_secret, means)
        return PagerDutyService(self.name, self.endpoint, key)


@dataclass(frozen=True, slots=True)
class PagerDutyService:
    """Triggers an incident per alert; a repetition joins the incident."""

    name: str
    endpoint: str
    routing_key: Secret = field(repr=False)

    def send(self, delivery: Delivery) -> None:
        """Send the alert's event."""
        key = self.routing_key()
        post_json(self.name, self.endpoint, json.dumps(event(delivery, key)).encode(), secrets=[key])

    def was_delivered(self, delivery: Delivery) -> None:
        """Unknown, and no matter: the same event again changes nothing."""


def event(delivery: Delivery, routing_key: str) -> dict[str, Any]:
    """The event that triggers the alert's incident."""
    alert, details = delivery.alert, payload(delivery, _MOST_BYTES)
    links = [{"href": alert.reference, "text": "Reference"}] if alert.reference.startswith("https://") else []
    return {
        "routing_key": routing_key,
        "event_action": "trigger",
        "dedup_key": alert.id,
        "client": "iota",
        "links": links,
        "payload": {
            "summary": (one_line(alert.title) or alert.rule_id)[:_SUMMARY],
            "source": alert.log_type or "iota",
            "severity": _SEVERITIES.get(alert.severity, "warning"),
            "timestamp": details["last_event_time"],
            "class": alert.rule_id,
            "custom_details": details,
        },
    }
