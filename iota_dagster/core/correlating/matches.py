"""What a correlation rule has found, as a match like any other: its event is the set of matches that make it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

from iota_dagster.core.alerting.ids import alert_id, match_id, period_start
from iota_dagster.core.alerting.text import storable
from iota_dagster.core.detection.correlation.evaluate import CorrelationMatch
from iota_dagster.core.detection.correlation.rule import CorrelationRule
from iota_dagster.core.detection.correlation.signals import Signal
from iota_dagster.core.hours import Hour, hour_of
from iota_dagster.core.model import Match
from iota_dagster.core.store.correlations import LOG_TYPE

SHOWN = 20
"""The most matches of one member that a match's context names."""
_TEXT = 1_000
"""The most characters of a title or a dedup string."""


def unit_id(rule_id: str, hour: Hour) -> str:
    """The owner of a rule's matches of one hour, where a batch is the owner of its own."""
    return "c" + blake2b(f"{hour}/{rule_id}".encode("utf-8", "surrogatepass"), digest_size=10).hexdigest()


def as_match(rule: CorrelationRule, found: CorrelationMatch) -> Match:
    """A correlation rule's match as any other: its event is the set of matches it is made of."""
    values = ", ".join(value for _, value in found.values)
    title = f"{rule.title}: {values}" if values else rule.title
    title = title if len(title) <= _TEXT else f"{title[: _TEXT - 1]}…"
    dedup = _dedup(f"{rule.id}: {values}" if values else rule.id)
    start = period_start(found.event_time, rule.period_minutes)
    match = Match(
        id=match_id(rule.id, LOG_TYPE, found.id, hour_of(found.event_time)),
        rule_id=rule.id,
        rule_version=rule.version,
        log_type=LOG_TYPE,
        event_id=found.id,
        event_hour=hour_of(found.event_time),
        event_time=found.event_time,
        dedup=dedup,
        period_minutes=rule.period_minutes,
        threshold=rule.threshold,
        severity=rule.severity,
        title=title,
        alert_id=alert_id(rule.id, dedup, start),
        create_alert=rule.create_alert,
        description=rule.description,
        runbook=rule.runbook,
        reference=rule.reference,
        destinations=rule.destinations,
        context=dict(found.values) | {"members": [_member(name, held) for name, held in found.members]},
    )
    return storable(match)


def newcomers(found: CorrelationMatch, context: Mapping[str, Any]) -> list[Signal]:
    """The members of a match that it has beside those that an earlier context of it names.

    Of many only the last ones are named, and looked at.
    """
    known = {item["id"] for member in context.get("members", ()) for item in member["matches"]}
    return [signal for _, held in found.members for signal in held[-SHOWN:] if signal.id not in known]


def _dedup(text: str) -> str:
    """What groups a rule's matches: its id and the values, never its wording. Long ones are told apart by a hash."""
    if len(text) <= _TEXT:
        return text
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=10).hexdigest()
    return f"{text[: _TEXT - len(digest) - 1]}…{digest}"


def _member(name: str, held: Sequence[Signal]) -> dict[str, Any]:
    """One member in a match's context: how many matches it has, from when to when, and the last of them."""
    return {
        "id": name,
        "rule": held[-1].rule_id,
        "count": len(held),
        "first": f"{held[0].event_time:%Y-%m-%dT%H:%M:%SZ}",
        "last": f"{held[-1].event_time:%Y-%m-%dT%H:%M:%SZ}",
        "matches": [{"id": item.id, "title": item.title} for item in held[-SHOWN:]],
    }
