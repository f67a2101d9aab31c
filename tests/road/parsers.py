"""A second CloudTrail parser for tests: it rejects, moves and retypes the records whose user agent asks for it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

from iota_dagster.core.errors import RecordRejected
from iota_dagster.core.sources.base import Readings
from iota_dagster.core.sources.cloudtrail import CloudTrail

DROPPED, MOVED, RETYPED = "dropped-by-two", "moved-by-two", "retyped-by-two"
_first = CloudTrail.read_many


@contextmanager
def parser(version: int) -> Iterator[None]:
    """Read CloudTrail by the parser of a version: 1 is the product's own."""
    with patch.object(CloudTrail, "read_many", _first if version == 1 else _second):
        yield


def _second(source: CloudTrail, records: Sequence[bytes]) -> Readings:
    read = [json.loads(record) for record in records]
    dropped = {row for row, fields in enumerate(read) if fields.get("userAgent") == DROPPED}
    kept = [row for row in range(len(records)) if row not in dropped]
    found = _first(source, [json.dumps(_changed(read[row])).encode() for row in kept])
    rejected = {row: RecordRejected("dropped", "parser two does not take it") for row in dropped}
    rejected |= {kept[row]: error for row, error in found.rejected.items()}
    return Readings(
        found.event_time, found.event_id, found.account, found.region, found.columns, found.indicators, rejected
    )


def _changed(fields: dict[str, Any]) -> dict[str, Any]:
    if fields.get("userAgent") == MOVED:
        moment = datetime.fromisoformat(fields["eventTime"]) - timedelta(hours=1)
        return fields | {"eventTime": moment.strftime("%Y-%m-%dT%H:%M:%SZ")}
    if fields.get("userAgent") == RETYPED:
        return fields | {"eventName": "Retyped"}
    return fields
