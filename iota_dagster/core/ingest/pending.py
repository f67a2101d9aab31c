"""Accepted records of one log type that wait to become rows: in batch order, of one object or of many."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field

from iota_dagster.core.ingest.tally import ObjectTally
from iota_dagster.core.reading.chunk import Chunk
from iota_dagster.core.sources.base import Source


@dataclass(frozen=True, slots=True)
class Span:
    """Neighbouring records of one object: row `first` and the following are the chunk's from `start` on."""

    tally: ObjectTally
    chunk: Chunk
    start: int
    first: int


@dataclass(slots=True)
class Pending:
    """The records, and where each one came from."""

    source: Source
    records: list[bytes] = field(default_factory=list)
    ordinals: list[int] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    bytes: int = 0

    def add(self, tally: ObjectTally, chunk: Chunk, start: int, stop: int) -> None:
        """Append some records of a chunk."""
        self.spans.append(Span(tally, chunk, start, len(self.records)))
        records = chunk.records[start:stop]
        self.records += records
        self.ordinals += chunk.ordinals[start:stop]
        self.bytes += sum(map(len, records))

    def reject(self, row: int, reason: str, detail: str) -> None:
        """Put one record into its object's quarantine."""
        span = self.spans[bisect_right(self.spans, row, key=lambda span: span.first) - 1]
        offset = span.chunk.offset(span.start + row - span.first)
        span.tally.reject(reason, detail, ordinal=self.ordinals[row], offset=offset, data=self.records[row])
