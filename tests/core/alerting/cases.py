"""Matches, deliveries and random sets of them for the tests of alerting."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from iota_dagster.core.alerting.grouping import Fact, fact_of
from iota_dagster.core.alerting.ids import alert_id, match_id, period_start
from iota_dagster.core.hours import hour_of
from iota_dagster.core.model import Alert, Delivery, Match

START = datetime(2026, 11, 22, 10, tzinfo=UTC)


def at(minutes: float) -> datetime:
    """That many minutes after ten o'clock."""
    return START + timedelta(minutes=minutes)


def a_match(event: str, minutes: float, **fields: Any) -> Match:
    """A match of an event at ten o'clock and so many minutes."""
    moment = at(minutes)
    known: dict[str, Any] = {
        "rule_id": "Console.NoMFA",
        "log_type": "AWS.CloudTrail",
        "dedup": "alice",
        "period_minutes": 60,
        "threshold": 1,
        "severity": "HIGH",
        "title": f"event {event}",
        "context": {"event": event},
        "p_source_bucket": "logs",
        "p_source_key": "AWSLogs/a.json.gz",
    } | fields
    start = period_start(moment, known["period_minutes"])
    hour = hour_of(moment)
    return Match(
        id=match_id(known["rule_id"], known["log_type"], event, hour),
        event_id=event,
        event_hour=hour,
        event_time=moment,
        alert_id=alert_id(known["rule_id"], known["dedup"], start),
        **known,
    )


def facts_of(matches: Iterable[Match], *, notify: bool = True) -> list[Fact]:
    """The matches as grouping sees them."""
    return [fact_of(match, notify=notify) for match in matches]


def an_alert(name: str = "a1", **fields: Any) -> Alert:
    """An open alert of one match at ten o'clock."""
    known: dict[str, Any] = {
        "rule_id": "Console.NoMFA",
        "dedup": "alice",
        "period_start": START,
        "period_minutes": 60,
        "severity": "HIGH",
        "title": "Sign-in without MFA",
        "matches": 1,
        "first_event_time": START,
        "last_event_time": at(1.5),
        "status": "open",
        "log_type": "AWS.CloudTrail",
        "context": {"user": "alice"},
        "created_at": START,
    }
    return Alert(id=name, **(known | fields))


def a_delivery(name: str = "d1", destination: str = "file", attempts: int = 0, **fields: Any) -> Delivery:
    """A delivery of `an_alert`."""
    return Delivery(name, an_alert(**fields), destination, attempts)


@st.composite
def match_sets(draw: st.DrawFn, *, most: int = 14, dedups: str = "a") -> list[Match]:
    """Distinct matches of one rule, crowded around the borders of slices, with thresholds, values and periods mixed."""
    mixed = draw(st.booleans())
    periods, thresholds = ((5, 15, 60), (1, 2, 3)) if mixed else ((15,), (draw(st.integers(1, 4)),))
    drawn = draw(
        st.lists(
            st.tuples(
                st.integers(0, 90),
                st.sampled_from(periods),
                st.sampled_from(thresholds),
                st.sampled_from([None, None, "x", "y"]),
                st.sampled_from([True, True, True, False]),
                st.sampled_from(dedups),
            ),
            max_size=most,
        )
    )
    return [
        a_match(
            f"e{number}",
            minutes,
            period_minutes=period,
            threshold=threshold,
            unique_value=unique,
            create_alert=create_alert,
            dedup=dedup,
        )
        for number, (minutes, period, threshold, unique, create_alert, dedup) in enumerate(drawn)
    ]
