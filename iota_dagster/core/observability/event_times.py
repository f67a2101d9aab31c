"""When the events of some batches, or of an hour of a lake table, happened: counted by the minute.

Rows without a usable time stand where their delivery hour begins (`p_event_time_flag`), and count for nothing here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from iota_dagster.core.batch.work import WorkArea
from iota_dagster.core.lake.parquet import open_reader
from iota_dagster.core.storage import Storage

LAG_NAMES = ("10s", "1m", "5m", "15m", "30m", "1h", "2h", "6h", "1d", "more")
_LAG_BOUNDS = (10.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0, 21600.0, 86400.0)  # seconds, each included
_MICROSECONDS = 1_000_000
_MINUTE = 60 * _MICROSECONDS
_TIME, _FLAG = "p_event_time", "p_event_time_flag"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Minute = int
"""A minute since 1970-01-01T00:00Z."""
Times = NDArray[np.int64]
"""Microseconds since then."""


@dataclass(slots=True)
class EventTimes:
    """Usable event times: the first and the last, how many by minute, and how old they were, by `LAG_NAMES`."""

    now: datetime
    oldest: datetime | None = None
    newest: datetime | None = None
    minutes: Counter[Minute] = field(default_factory=Counter)
    lags: list[int] = field(default_factory=lambda: [0] * len(LAG_NAMES))

    def add(self, times: Times) -> None:
        """Count some times; an event from the future is as old as one that has just happened."""
        if not times.size:
            return
        first, last = moment(int(times.min())), moment(int(times.max()))
        self.oldest = min(self.oldest or first, first)
        self.newest = max(self.newest or last, last)
        places, counts = np.unique(times // _MINUTE, return_counts=True)
        self.minutes.update(dict(zip(places.tolist(), counts.tolist(), strict=True)))
        for place, count in enumerate(lag_counts(self.now, times)):
            self.lags[place] += count

    def include(self, other: EventTimes) -> None:
        """Count what another one has counted."""
        self.oldest = min(filter(None, (self.oldest, other.oldest)), default=None)
        self.newest = max(filter(None, (self.newest, other.newest)), default=None)
        self.minutes.update(other.minutes)
        self.lags = [mine + theirs for mine, theirs in zip(self.lags, other.lags, strict=True)]


def moment(microseconds: int) -> datetime:
    """A time as a moment, UTC."""
    return _EPOCH + timedelta(microseconds=microseconds)


def lag_counts(now: datetime, times: Times) -> list[int]:
    """How long ago some times were, in the classes of `LAG_NAMES`."""
    seconds = ((now - _EPOCH) // timedelta(microseconds=1) - times) / _MICROSECONDS
    places = np.searchsorted(np.array(_LAG_BOUNDS), seconds, side="left")
    return [int(count) for count in np.bincount(places, minlength=len(LAG_NAMES))]


def of_moments(moments: Iterable[datetime], now: datetime) -> EventTimes:
    """The same of moments in memory."""
    found = EventTimes(now)
    found.add(np.array([(one - _EPOCH) // timedelta(microseconds=1) for one in moments], np.int64))
    return found


def of_work(work: WorkArea, names: Iterable[str], now: datetime) -> EventTimes:
    """Of the admitted rows in some batches' work files; `WorkFilesLost` when some are gone."""
    return sum_of(by_log_type(work, names, now).values(), now)


def by_log_type(work: WorkArea, names: Iterable[str], now: datetime) -> dict[str, EventTimes]:
    """The same, one for each log type."""
    found: dict[str, EventTimes] = {}
    for folder in map(work.open, names):
        for log_type in dict.fromkeys(part.log_type for part in folder.parts):
            times = found.setdefault(log_type, EventTimes(now))
            for rows in folder.batches(log_type, [_TIME, _FLAG]):
                times.add(_usable(rows))
    return found


def sum_of(several: Iterable[EventTimes], now: datetime) -> EventTimes:
    """All of them together."""
    found = EventTimes(now)
    for item in several:
        found.include(item)
    return found


def of_files(lake: Storage, paths: Sequence[str], now: datetime) -> EventTimes:
    """Of the rows in some files of the lake, a row group at a time."""
    found = EventTimes(now)
    for rows in _row_groups(lake, paths):
        found.add(_usable(rows))
    return found


def spread(minutes: Mapping[Minute, int], first: Minute, bars: int, width: int) -> list[int]:
    """Counts of `bars` spans of `width` minutes each, from `first` on; what lies outside them is left out."""
    counts = [0] * bars
    for minute, count in minutes.items():
        place = (minute - first) // width
        if 0 <= place < bars:
            counts[place] += count
    return counts


def _row_groups(lake: Storage, paths: Sequence[str]) -> Iterator[pa.Table]:
    for path in paths:
        with open_reader(lake, path) as file:
            yield from file.row_groups((_TIME, _FLAG))


def _usable(rows: pa.RecordBatch | pa.Table) -> Times:
    times = rows.column(_TIME)
    if _FLAG in rows.schema.names:
        times = times.filter(pc.is_null(rows.column(_FLAG)))
    values: Times = times.drop_null().cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_numpy(zero_copy_only=False)
    return values
