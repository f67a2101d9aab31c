"""An alert that only tries a destination out: it is in no store, and nothing has happened."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from iota_dagster.core.model import Alert, Delivery


def trial_delivery(destination: str) -> Delivery:
    """A delivery of an alert that says that it is a test; each one is another alert."""
    name, now = f"test-{uuid.uuid4().hex[:12]}", datetime.now(UTC)
    alert = Alert(
        id=name,
        rule_id="iota.Test",
        dedup=name,
        period_start=now,
        period_minutes=60,
        severity="INFO",
        title="A test of iota: alerts arrive here",
        matches=1,
        first_event_time=now,
        last_event_time=now,
        status="open",
        description="Somebody ran `iota destinations --test`. There is nothing to do.",
        context={"destination": destination},
    )
    return Delivery(name, alert, destination, 0)
