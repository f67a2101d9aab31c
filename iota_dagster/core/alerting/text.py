"""Matches that every database, Parquet file and destination takes.

Titles, dedup strings and contexts quote what an attacker may have written: one character that cannot be stored must
not keep a batch's other matches from people. The store cleans what it is given as well, but an alert's id comes from
the dedup string, and must come from the one that is stored.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from iota_dagster.core.model import Match
from iota_dagster.core.text import storable_json, storable_text

__all__ = ["json_text", "storable", "storable_json", "storable_text"]

_TEXTS = (
    "rule_id",
    "log_type",
    "event_id",
    "dedup",
    "severity",
    "title",
    "unique_value",
    "rule_version",
    "description",
    "runbook",
    "reference",
    "p_account_id",
    "p_region",
    "p_source_bucket",
    "p_source_key",
)


def json_text(value: Any) -> str:
    """A JSON value as compact ASCII text, always the same for the same value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def storable(match: Match) -> Match:
    """The match with only storable text; the very same one when nothing needs to change. Ids stay as they are."""
    changed: dict[str, Any] = {}
    for name in _TEXTS:
        text = getattr(match, name)
        if text is not None and (clean := storable_text(text)) != text:
            changed[name] = clean
    if match.destinations is not None:
        changed["destinations"] = tuple(storable_text(name) for name in match.destinations)
    return replace(match, context=storable_json(match.context), fields=storable_json(match.fields), **changed)
