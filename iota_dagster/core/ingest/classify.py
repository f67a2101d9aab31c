"""What iota would make of a file's records, one by one: decoded, classified and made rows as ingest does it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import BinaryIO

import pyarrow as pa

from iota_dagster.core.arrival.object_key import KeyKind, parse_object_key
from iota_dagster.core.hours import hour_of
from iota_dagster.core.ingest.ingest_model import IngestOptions, IngestTask
from iota_dagster.core.ingest.pending import Pending
from iota_dagster.core.ingest.rows import build_rows
from iota_dagster.core.ingest.tally import ObjectTally
from iota_dagster.core.lake.schema import FLAG_MISSING
from iota_dagster.core.model import LogObject, ObjectStatus
from iota_dagster.core.reading.chunk import Chunk
from iota_dagster.core.reading.content import DecodeLimits
from iota_dagster.core.reading.records import open_records
from iota_dagster.core.sources import SOURCES
from iota_dagster.core.sources.base import Source
from iota_dagster.core.sources.classifier import Classifier
from iota_dagster.core.sources.headers import headers_within

MICROSECONDS_PER_SECOND = 10**6
_NO_LIMIT = 1 << 62


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of one record.

    Either `log_type` and `event_id`, with `microseconds` since 1970 where the record has a time; or the reason why it
    is `quarantined`.
    """

    ordinal: int
    log_type: str | None = None
    event_id: str | None = None
    microseconds: int | None = None
    quarantined: str | None = None

    @property
    def event_time(self) -> str | None:
        """The time in ISO 8601, UTC, with as many digits as it has, in groups of three."""
        return None if self.microseconds is None else iso_time(self.microseconds)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file would lie as a log object, and what its integration would say of it."""

    bucket: str
    key: str
    log_types: tuple[str, ...] | None = None
    header: bytes | None = None


def classify(stream: BinaryIO, place: Place, limits: DecodeLimits) -> Iterator[Verdict]:
    """The verdicts on a file's records, in order; a CloudTrail digest has none.

    A name that tells no hour counts as delivered when the file was last modified, as an object's would.
    """
    if parse_object_key(place.key).kind is KeyKind.DIGEST:
        return
    sources = SOURCES.values()
    classifier = Classifier(sources, place.key, place.log_types)
    tally = _tally(stream, place, limits)
    for chunk in open_records(stream, limits, headers=headers_within(sources, place.log_types), header=place.header):
        verdicts = [Verdict(item.ordinal, quarantined=f"{item.reason}: {item.detail}") for item in chunk.damages]
        verdicts += _of_chunk(chunk, classifier, tally)
        yield from sorted(verdicts, key=lambda verdict: verdict.ordinal)


def _tally(stream: BinaryIO, place: Place, limits: DecodeLimits) -> ObjectTally:
    """The accounting of the file as an object of its place."""
    facts = parse_object_key(place.key)
    hour = hour_of(_modified(stream)) if facts.delivery_hour is None else facts.delivery_hour
    status, account, region = ObjectStatus.CLAIMED, facts.account, facts.region
    item = LogObject(0, place.bucket, place.key, "", 0, "", account, region, hour, status, facts.kind)
    options = IngestOptions("", datetime.now(UTC), limits, quarantine_records=_NO_LIMIT, quarantine_sample_bytes=0)
    return ObjectTally(IngestTask(0, item, "", place.log_types, place.header), options)


def _modified(stream: BinaryIO) -> datetime:
    try:
        return datetime.fromtimestamp(os.fstat(stream.fileno()).st_mtime, UTC)
    except OSError:
        return datetime.now(UTC)  # it is no file


def _of_chunk(chunk: Chunk, classifier: Classifier, tally: ObjectTally) -> Iterator[Verdict]:
    """The verdicts on a chunk's records, by log type."""
    waiting: dict[Source, Pending] = {}
    here = ObjectTally(tally.task, tally.options, hours=tally.hours)
    for source, start, stop in classifier.runs(chunk.records, chunk.header):
        if source is None:
            why = f"unclassified: {classifier.explained(chunk.records[start])}"
            yield Verdict(chunk.ordinals[start], quarantined=why)
        else:
            waiting.setdefault(source, Pending(source)).add(here, chunk, start, stop)
    for source, pending in waiting.items():
        yield from _of_rows(source, build_rows(pending, here.options.batch_id, here.options.parse_time))
    for item in here.result("", 0).quarantine:
        if item.ordinal is not None:
            yield Verdict(item.ordinal, quarantined=f"{item.reason}: {item.detail}")


def _of_rows(source: Source, rows: pa.RecordBatch) -> Iterator[Verdict]:
    times = rows["p_event_time"].cast(pa.int64()).to_pylist()
    columns = (rows[name].to_pylist() for name in ("p_source_line", "p_event_id", "p_event_time_flag"))
    for ordinal, event_id, flag, micros in zip(*columns, times, strict=True):
        yield Verdict(ordinal, source.log_type, event_id, None if flag == FLAG_MISSING else micros)


def iso_time(microseconds: int) -> str:
    """A moment in ISO 8601, UTC, without the groups of three digits that are zero."""
    seconds, rest = divmod(microseconds, MICROSECONDS_PER_SECOND)
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    digits = f"{rest:06}"
    while digits.endswith("000"):
        digits = digits[:-3]
    return f"{moment:%Y-%m-%dT%H:%M:%S}{'.' if digits else ''}{digits}Z"
