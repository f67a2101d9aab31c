"""Ids from content: the same match, alert or delivery has the same id whichever run computes it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import blake2b

from iota_dagster.core.hours import Hour

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def match_id(rule_id: str, log_type: str, event_id: str, event_hour: Hour) -> str:
    """The id of one (rule, event) hit; the four parts are an event's identity (DESIGN §5) and the rule."""
    return _digest(b"match", rule_id, log_type, event_id, event_hour)


def alert_id(rule_id: str, dedup: str, start: datetime) -> str:
    """The id of the alert of one rule and dedup string in the slice that begins at `start`."""
    return _digest(b"alert", rule_id, dedup, (start - _EPOCH) // timedelta(microseconds=1))


def delivery_id(alert: str, destination: str) -> str:
    """The id of one alert's way to one destination; `alert` is the alert's id."""
    return _digest(b"delivery", alert, destination)


def period_start(event_time: datetime, minutes: int) -> datetime:
    """The start of the slice of event time, `minutes` long and counted from the epoch, that holds a moment."""
    if minutes < 1:
        raise ValueError(f"a dedup period of {minutes} minutes: at least 1 is needed")
    period = timedelta(minutes=minutes)
    into_slice = (event_time - _EPOCH) % period
    if event_time - datetime.min.replace(tzinfo=UTC) < into_slice:  # a slice longer than the calendar
        return datetime.min.replace(tzinfo=UTC)
    return event_time - into_slice


def _digest(kind: bytes, *parts: str | int) -> str:
    """Each part is hashed with its length before it, so that no two lists of parts can look alike."""
    hashed = blake2b(digest_size=16, person=kind)
    for part in parts:
        data = str(part).encode("utf-8", "surrogatepass")
        hashed.update(len(data).to_bytes(8, "big"))
        hashed.update(data)
    return hashed.hexdigest()
