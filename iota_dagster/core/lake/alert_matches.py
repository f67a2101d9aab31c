"""The lake table `alert_matches`: one row per match, for SQL over what rules have found.

A row depends on its match alone, never on what else was stored when it was written: `alert_id` is the alert that the
match belongs to once its slice has one, and whether it has is a question to `alerts`.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter
from typing import Any

import pyarrow as pa

from iota_dagster.core.alerting.text import json_text, storable
from iota_dagster.core.model import Match

TABLE = "alert_matches"
"""The table's name in the lake."""


def _field(name: str, kind: pa.DataType, description: str) -> pa.Field[Any]:
    return pa.field(name, kind, metadata={"description": description})


SCHEMA = pa.schema(
    [
        _field("match_id", pa.string(), "The match: one hit of a rule on an event"),
        _field("alert_id", pa.string(), "Its alert, if its slice of time has one; null for a signal"),
        _field("rule_id", pa.string(), "The rule"),
        _field("rule_version", pa.string(), "Hash of the rule's files as they were when it judged the event"),
        _field("severity", pa.string(), "INFO, LOW, MEDIUM, HIGH or CRITICAL"),
        _field("title", pa.string(), "The match in one line"),
        _field("dedup", pa.string(), "Matches of a rule with the same string come into one alert"),
        _field("log_type", pa.string(), "The event's log type"),
        _field("event_id", pa.string(), "The event: p_event_id in its own table"),
        _field("p_event_time", pa.timestamp("us", tz="UTC"), "When the event happened"),
        _field("create_alert", pa.bool_(), "False: a signal, which makes no alert"),
        _field("unique_value", pa.string(), "What the rule's threshold counts, if not matches"),
        _field("context", pa.string(), "What the rule says about the event, as JSON"),
        _field("description", pa.string(), "What the rule looks for"),
        _field("runbook", pa.string(), "What to do about it"),
        _field("reference", pa.string(), "Where to read more"),
        _field("p_batch", pa.string(), "The batch that wrote the row"),
        _field("p_account_id", pa.string(), "The event's account"),
        _field("p_region", pa.string(), "The event's region"),
        _field("p_source_bucket", pa.string(), "The bucket of the event's log object"),
        _field("p_source_key", pa.string(), "The key of the event's log object"),
    ]
)


def matches_table(matches: Iterable[Match], batch_id: str) -> pa.Table:
    """The rows of a batch's matches, by (event time, match id), whatever order they come in."""
    ordered = sorted(map(storable, matches), key=attrgetter("event_time", "id"))
    return pa.Table.from_pylist([_row(match, batch_id) for match in ordered], schema=SCHEMA)


def _row(match: Match, batch_id: str) -> dict[str, Any]:
    named = {name: getattr(match, name) for name in SCHEMA.names if hasattr(match, name)}
    return named | {
        "match_id": match.id,
        "alert_id": match.alert_id if match.create_alert else None,
        "p_event_time": match.event_time,
        "context": json_text(match.context),
        "p_batch": batch_id,
    }
