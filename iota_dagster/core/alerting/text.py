"""Text that every database, Parquet file and destination takes.

Titles, dedup strings and contexts quote what an attacker may have written. A lone surrogate has no UTF-8, PostgreSQL
refuses NUL characters, and NaN is no JSON: one such character must not keep a batch's other matches from people.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from iota_dagster.core.model import Match

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


def storable_text(text: str) -> str:
    """The text with U+FFFD for what cannot be stored: NUL and lone surrogates."""
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    try:
        text.encode()
    except UnicodeEncodeError:
        # Through UTF-16 a pair of surrogates becomes the one character it means.
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def storable_json(value: Any) -> Any:
    """A JSON value without NaN and infinities (they become text) and with storable text throughout."""
    match value:
        case str():
            return storable_text(value)
        case float() if not math.isfinite(value):
            return str(value)
        case Mapping():
            return {storable_text(str(key)): storable_json(item) for key, item in value.items()}
        case list() | tuple():
            return [storable_json(item) for item in value]
    return value


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
