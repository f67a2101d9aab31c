"""From accepted records to the rows of a part file: reading, dates, identity and envelope, column by column."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from iota_dagster.core.dedup.identity import digests, fingerprints, placed_event_id, vendor_event_id
from iota_dagster.core.errors import RecordRejected
from iota_dagster.core.hours import MICROSECONDS_PER_HOUR
from iota_dagster.core.ingest.pending import Pending
from iota_dagster.core.ingest.tally import ObjectTally
from iota_dagster.core.lake.schema import FLAG_ABSURD, FLAG_MISSING, part_schema
from iota_dagster.core.model import LogObject
from iota_dagster.core.sources.base import INDICATORS, Readings, Source
from iota_dagster.core.sources.columns import MOMENT, TEXT, WORDS, microseconds, strings
from iota_dagster.core.sources.times import to_microseconds

HOURS_BACK = 45 * 24
"""An event older than its delivery hour by more than this has an absurd time: AWS delivers again for 30 days."""
HOURS_AHEAD = 24
"""An event further ahead of its delivery hour than this has an absurd time: a clock may be wrong by a day."""

TOO_MANY_HOURS = "too_many_hours"

_Integers = NDArray[np.int64]
_Mask = NDArray[np.bool_]


@dataclass(slots=True)
class _Read:
    """The records that were read, with their readings.

    `origin` is each one's row in `pending`, `owner` the index of its object in `objects`.
    """

    pending: Pending
    readings: Readings
    records: Sequence[bytes]
    origin: _Integers
    owner: _Integers
    objects: list[ObjectTally]

    def per_object(self, value: Callable[[LogObject], str | None]) -> pa.StringArray:
        """A column of one value per object."""
        values = [value(tally.task.object) for tally in self.objects]
        if len(set(values)) == 1:
            return _same(values[0], TEXT, self)
        return pa.array(values, TEXT).take(pa.array(self.owner))

    def number(self, value: Callable[[ObjectTally], int]) -> _Integers:
        """The same of numbers."""
        return np.array([value(tally) for tally in self.objects], np.int64)[self.owner]


@dataclass(frozen=True, slots=True)
class _Dates:
    times: pa.TimestampArray
    hours: _Integers
    missing: _Mask
    absurd: _Mask


def build_rows(pending: Pending, batch_id: str, parse_time: datetime) -> pa.RecordBatch:
    """The rows of the pending records; what cannot be a row goes into its object's quarantine."""
    read = _read(pending)
    dates = _date(read)
    columns = _columns(read, dates)
    columns["p_batch"] = _same(batch_id, TEXT, read)
    columns["p_parse_time"] = _same(parse_time, MOMENT, read)
    schema = part_schema(pending.source)
    rows = pa.RecordBatch.from_arrays([columns[name] for name in schema.names], schema=schema)
    keep = _within_hours(read, dates.hours)
    for tally, count in zip(read.objects, np.bincount(read.owner[keep], minlength=len(read.objects)), strict=True):
        tally.rows += int(count)
    return rows if keep.all() else rows.filter(pa.array(keep))


def _read(pending: Pending) -> _Read:
    readings = _read_isolated(pending.source, pending.records)
    firsts = [span.first for span in pending.spans]
    owner = np.repeat(np.arange(len(firsts)), np.diff([*firsts, len(pending.records)]))
    origin = np.arange(len(pending.records))
    records: Sequence[bytes] = pending.records
    if readings.rejected:
        for row, error in readings.rejected.items():
            pending.reject(row, error.reason, error.detail)
        origin = np.delete(origin, list(readings.rejected))
        records = [pending.records[row] for row in origin]
    return _Read(pending, readings, records, origin, owner[origin], [span.tally for span in pending.spans])


def _read_isolated(source: Source, records: Sequence[bytes]) -> Readings:
    """The readings, even when the parser raises what it should not: then the guilty records are found one by one."""
    try:
        return source.read_many(records)
    except MemoryError:
        raise
    except Exception:
        guilty = {row: error for row, record in enumerate(records) if (error := _failure(source, record))}
    innocent = [row for row in range(len(records)) if row not in guilty]
    readings = source.read_many([records[row] for row in innocent])
    rejected = {innocent[row]: error for row, error in readings.rejected.items()}
    return replace(readings, rejected={**rejected, **guilty})


def _failure(source: Source, record: bytes) -> RecordRejected | None:
    try:
        source.read_many([record])
    except MemoryError:
        raise
    except Exception as error:
        return RecordRejected("parser_error", f"{source.log_type}: {type(error).__name__}: {error}")
    return None


def _date(read: _Read) -> _Dates:
    times = to_microseconds(read.readings.event_time)
    delivery = read.number(lambda tally: tally.task.object.delivery_hour)
    micros = microseconds(times)
    hours = micros // MICROSECONDS_PER_HOUR
    missing = times.is_null().to_numpy(zero_copy_only=False)
    absurd = ~missing & ((hours < delivery - HOURS_BACK) | (hours > delivery + HOURS_AHEAD))
    if missing.any():
        times = pa.array(np.where(missing, delivery * MICROSECONDS_PER_HOUR, micros)).cast(MOMENT)
    return _Dates(times, np.where(missing | absurd, delivery, hours), missing, absurd)


def _columns(read: _Read, dates: _Dates) -> dict[str, pa.Array]:
    source, readings, size = read.pending.source, read.readings, len(read.records)
    ids = _event_ids(read, dates)
    columns = {name: readings.indicators.get(name, pa.nulls(size, WORDS)) for name in INDICATORS}
    columns |= zip(source.columns.names, readings.columns, strict=True)
    columns |= {
        "p_log_type": _same(source.log_type, TEXT, read),
        "p_event_id": pa.array(ids, TEXT),
        "p_event_time": dates.times,
        "p_event_time_flag": _flags(dates),
        "p_source_bucket": read.per_object(lambda item: item.bucket),
        "p_source_key": read.per_object(lambda item: item.key),
        "p_source_line": pa.array(np.array(read.pending.ordinals, np.int64)[read.origin]),
        "p_integration": read.per_object(lambda item: item.integration),
        "p_account_id": _or_object(readings.account, read, lambda item: item.account),
        "p_region": _or_object(readings.region, read, lambda item: item.region),
        "p_raw": pa.array(read.records, pa.binary()).view(TEXT),  # decode has proved the UTF-8
        "_digest": digests(source.log_type, ids),
        "_fingerprint": pa.array(fingerprints(read.records)),
        "_hour": pa.array(dates.hours.astype(np.int32)),
        "_position": pa.array(read.number(lambda tally: tally.task.position).astype(np.int32)),
    }
    return columns


def _same(value: object, kind: pa.DataType, read: _Read) -> pa.Array:
    return pa.repeat(pa.scalar(value, kind), len(read.records))


def _flags(dates: _Dates) -> pa.StringArray:
    if not (dates.missing.any() or dates.absurd.any()):
        return pa.nulls(len(dates.times), TEXT)
    flags = np.where(dates.missing, FLAG_MISSING, np.where(dates.absurd, FLAG_ABSURD, ""))
    return strings([flag or None for flag in flags.tolist()])


def _or_object(
    values: Sequence[str | None], read: _Read, of_object: Callable[[LogObject], str | None]
) -> pa.StringArray:
    column = strings(values if all(values) else [value or None for value in values])
    return pc.coalesce(column, read.per_object(of_object)) if column.null_count else column


def _event_ids(read: _Read, dates: _Dates) -> list[str]:
    """Account and vendor's id; where these are no identity, a hash of place and content.

    A record that names no account counts as its object's, and as its bucket's where the key names none.
    """
    accounts = read.readings.account
    if not all(accounts):
        defaults = read.per_object(lambda item: item.account or item.bucket).to_pylist()
        accounts = [account or default for account, default in zip(accounts, defaults, strict=True)]
    doubtful = (dates.missing | dates.absurd).tolist()
    return [
        vendor_event_id(account, vendor_id) if vendor_id and account and not doubt else _placed_id(read, row)
        for row, (account, vendor_id, doubt) in enumerate(zip(accounts, read.readings.event_id, doubtful, strict=True))
    ]


def _placed_id(read: _Read, row: int) -> str:
    item = read.objects[read.owner[row]].task.object
    return placed_event_id(item.bucket, item.key, read.pending.ordinals[read.origin[row]], read.records[row])


def _within_hours(read: _Read, hours: _Integers) -> _Mask:
    """Which rows stay: an object may not open more event hours than its limit."""
    keep = np.ones(len(hours), np.bool_)
    of_row = hours.tolist()
    bounds = np.searchsorted(read.owner, np.arange(len(read.objects) + 1)).tolist()
    for tally, (start, stop) in zip(read.objects, pairwise(bounds), strict=True):
        for row in tally.beyond_hours(of_row[start:stop]):
            limit = tally.options.max_hours_per_object
            detail = f"its object has events of {limit} other hours already"
            read.pending.reject(int(read.origin[start + row]), TOO_MANY_HOURS, detail)
            keep[start + row] = False
    return keep
