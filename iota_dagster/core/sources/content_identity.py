"""Log types whose vendor's ids name a request and not a record: what the record says is then part of its identity.

So a record that is delivered again is known, whatever object it comes in and whatever whitespace it is written with, if
its keys are in the order they were in; and no two that differ are taken for one.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from hashlib import blake2b

import msgspec

from iota_dagster.core.sources.base import Readings
from iota_dagster.core.sources.json_source import JsonSource

_DIGEST_BYTES = 16


class ContentIdentified(JsonSource):
    """A source whose records are told apart by their layout's identity and all that they say."""

    def read_many(self, records: Sequence[bytes]) -> Readings:
        """See `Source.read_many`."""
        readings = super().read_many(records)
        kept: Sequence[bytes] = records
        if readings.rejected:
            kept = [record for position, record in enumerate(records) if position not in readings.rejected]
        found = zip(readings.event_id, kept, strict=True)
        return replace(readings, event_id=[name and f"{name}:{_digest(record)}" for name, record in found])


def _digest(record: bytes) -> str:
    """A hash of what a record says, whatever whitespace stands between."""
    with suppress(msgspec.MsgspecError, RecursionError):
        record = msgspec.json.format(record, indent=-1)
    return blake2b(record, digest_size=_DIGEST_BYTES).hexdigest()
