"""What iota would make of a file's records, one by one: the same decoder, classifier and sources, and no state."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import BinaryIO

import pyarrow as pa

from iota_dagster.core.chunk import Chunk
from iota_dagster.core.content import DecodeLimits
from iota_dagster.core.errors import RecordRejected
from iota_dagster.core.identity import placed_event_id, vendor_event_id
from iota_dagster.core.object_key import KeyKind, parse_object_key
from iota_dagster.core.records import open_records
from iota_dagster.core.sources import SOURCES
from iota_dagster.core.sources.base import Readings, Source
from iota_dagster.core.sources.classifier import Classifier
from iota_dagster.core.sources.headers import headers_of

NANOSECONDS_PER_SECOND = 10**9
_AT_ONCE = 4096


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of one record.

    Either `log_type` and `event_id`, with `nanoseconds` since 1970 where the record has a usable time; or the reason
    why it is `quarantined`.
    """

    ordinal: int
    log_type: str | None = None
    event_id: str | None = None
    nanoseconds: int | None = None
    quarantined: str | None = None

    @property
    def event_time(self) -> str | None:
        """The time in ISO 8601, UTC, with as many digits as it has, in groups of three."""
        return None if self.nanoseconds is None else iso_time(self.nanoseconds)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file would lie as a log object, and what its integration would say of it."""

    bucket: str
    key: str
    log_types: tuple[str, ...] | None = None
    header: bytes | None = None


def classify(stream: BinaryIO, place: Place, limits: DecodeLimits) -> Iterator[Verdict]:
    """The verdicts on a file's records, in order; a CloudTrail digest has none."""
    if parse_object_key(place.key).kind is KeyKind.DIGEST:
        return
    sources = SOURCES.values()
    classifier = Classifier(sources, place.key, place.log_types)
    for chunk in open_records(stream, limits, headers=headers_of(sources), header=place.header):
        verdicts = [Verdict(item.ordinal, quarantined=f"{item.reason}: {item.detail}") for item in chunk.damages]
        for source, start, stop in classifier.runs(chunk.records, chunk.header):
            if source is None:
                why = f"unclassified: {classifier.refusal(chunk.records[start])}"
                verdicts.append(Verdict(chunk.ordinals[start], quarantined=why))
                continue
            for first in range(start, stop, _AT_ONCE):
                verdicts += _read(source, chunk, range(first, min(stop, first + _AT_ONCE)), place)
        yield from sorted(verdicts, key=lambda verdict: verdict.ordinal)


def _read(source: Source, chunk: Chunk, rows: range, place: Place) -> Iterator[Verdict]:
    records = chunk.records[rows.start : rows.stop]
    readings = source.read_many(records)
    times = _nanoseconds(readings.event_time)
    row = 0
    for position, record in enumerate(records):
        ordinal = chunk.ordinals[rows.start + position]
        error = readings.rejected.get(position)
        if error is not None:
            yield Verdict(ordinal, quarantined=_reason(error))
            continue
        event_id = _event_id(readings, row, place, ordinal, record)
        yield Verdict(ordinal, source.log_type, event_id, times[row])
        row += 1


def _reason(error: RecordRejected) -> str:
    return f"{error.reason}: {error.detail}"


def _event_id(readings: Readings, row: int, place: Place, ordinal: int, record: bytes) -> str:
    vendor_id = readings.event_id[row]
    if vendor_id is None or readings.event_time[row].as_py() is None:
        return placed_event_id(place.bucket, place.key, ordinal, record)
    account = readings.account[row] or parse_object_key(place.key).account or place.bucket
    return vendor_event_id(account, vendor_id)


def _nanoseconds(times: pa.TimestampArray) -> Sequence[int | None]:
    factor = {"us": 1000, "ns": 1}[times.type.unit]
    return [None if value is None else value * factor for value in times.cast(pa.int64()).to_pylist()]


def iso_time(nanoseconds: int) -> str:
    """A moment in ISO 8601, UTC, without the groups of three digits that are zero."""
    seconds, rest = divmod(nanoseconds, NANOSECONDS_PER_SECOND)
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    digits = f"{rest:09}"
    while digits.endswith("000"):
        digits = digits[:-3]
    return f"{moment:%Y-%m-%dT%H:%M:%S}{'.' if digits else ''}{digits}Z"
