"""What correlation rules ask of a matched event. The store keeps no events: it is taken out when they are judged."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import msgspec
import pyarrow as pa

from iota_dagster.core.detection.correlation.pack import fields_needed
from iota_dagster.core.detection.correlation.rule import CorrelationRule
from iota_dagster.core.detection.correlation.signals import CONTEXT, extract
from iota_dagster.core.judging.rule_view import raw_shaped
from iota_dagster.core.model import Match
from iota_dagster.core.sources import source_of
from iota_dagster.core.sources.base import INDICATORS, Source


class MatchFields:
    """The fields that enabled correlation rules join their members by; `columns` are those that no record holds."""

    def __init__(self, rules: Iterable[CorrelationRule]) -> None:
        self._paths = {rule_id: paths for rule_id, paths in fields_needed(rules).items() if paths}
        asked = {path for paths in self._paths.values() for path in paths}
        self.columns = tuple(name for name in INDICATORS if name in asked)

    def added(self, match: Match, rows: pa.RecordBatch, index: int) -> Match:
        """A match of the event in one row, with the fields that are asked of its rule's matches.

        A path without a value has an empty list: it has been looked for.
        """
        paths = self._paths.get(match.rule_id)
        if paths is None:
            return match
        wanted = any(not path.startswith(CONTEXT) for path in paths)
        event = _event(rows.slice(index, 1), source_of(match.log_type), paths) if wanted else {}
        return replace(match, fields={path: [] for path in paths} | extract(event, match.context, paths))


def _event(row: pa.RecordBatch, source: Source, paths: Sequence[str]) -> dict[str, Any]:
    """The event as rules see it, and of our own columns those that are asked for."""
    try:
        record: dict[str, Any] = msgspec.json.decode(raw_shaped(row, source)[0])
    except msgspec.DecodeError:  # the rules could not be shown it either
        record = {}
    return record | {name: row.column(name)[0].as_py() for name in row.schema.names if name in paths}
