"""What the UI shows of a materialization: numbers that Dagster plots, small tables, pictures, and links.

Titles, keys and errors quote what an attacker may have written: they go into tables only, which render no markdown,
cut short and without characters that a screen does not show. Pictures have words of our own alone.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from urllib.parse import quote

import dagster as dg

from iota_dagster.core.batch.road import Road
from iota_dagster.core.hours import Hour, hour_start
from iota_dagster.core.local_objects import SCHEME
from iota_dagster.core.observability import event_times, pictures
from iota_dagster.core.observability.event_times import EventTimes
from iota_dagster.core.observability.pictures import BARS
from iota_dagster.core.store import summaries
from iota_dagster.settings import Settings

Figures = dict[str, dg.MetadataValue]
"""Metadata of a materialization, ready to be merged with `|`."""
Cell = str | int | float | bool

ROWS = 10
"""Rows of a table, unless its asset says otherwise."""
LONGEST = 300
"""Characters of a text in a table; of a longer one the middle is left out, so that a key keeps its file's name."""


class Stopwatch:
    """Seconds since it was made."""

    def __init__(self) -> None:
        """Starts it."""
        self._started = time.perf_counter()

    def figures(self) -> Figures:
        """The asset's own work so far, as `batch_seconds`."""
        return numbers({"batch_seconds": time.perf_counter() - self._started})


def numbers(values: Mapping[str, float]) -> Figures:
    """Numbers by name; fractions to the millisecond."""
    return {
        name: dg.MetadataValue.int(value) if isinstance(value, int) else dg.MetadataValue.float(round(value, 3))
        for name, value in values.items()
    }


def table(name: str, rows: Iterable[Mapping[str, Cell]], limit: int = ROWS) -> Figures:
    """A table of the first rows; without rows there is no table."""
    records = [
        dg.TableRecord({key: plain(cell) if isinstance(cell, str) else cell for key, cell in row.items()})
        for row in islice(rows, limit)
    ]
    return {name: dg.MetadataValue.table(records)} if records else {}


def plain(text: str, longest: int = LONGEST) -> str:
    """A text cut to its length; what does not print (line ends, directions, controls) is written as its escape."""
    half = longest // 2
    cut = text if len(text) <= longest else f"{text[:half]}…{text[1 - half :]}"
    return cut if cut.isprintable() else "".join(char if char.isprintable() else repr(char)[1:-1] for char in cut)


def lags(road: Road, batch_ids: Iterable[str], event: datetime | None = None) -> Figures:
    """How long ago the oldest object of some batches was delivered and registered, and `event`, the newest event.

    The same names on every asset: the difference between two assets is what lies between them.
    """
    with road.database.read() as connection:
        oldest = summaries.oldest(connection, list(batch_ids))
    now = road.clock()
    moments = {"event": event, "delivered": oldest.delivered, "registered": oldest.registered}
    return numbers(
        {f"lag_{name}_seconds": (now - moment).total_seconds() for name, moment in moments.items() if moment}
    )


def place(settings: Settings, url: str, region: str | None = None) -> dg.MetadataValue:
    """Where something lies: a path on this host, or a link to the S3 console where the bucket is AWS's own."""
    scheme, separator, rest = url.partition("://")
    if scheme != "s3":
        return dg.MetadataValue.path(url.removeprefix(SCHEME) if separator else url)
    if settings.endpoint_url:
        return dg.MetadataValue.path(url)
    bucket, _, prefix = rest.partition("/")
    query = f"prefix={quote(prefix.rstrip('/') + '/' if prefix else '')}"
    if region or settings.region:
        query = f"region={region or settings.region}&{query}"
    return dg.MetadataValue.url(f"https://console.aws.amazon.com/s3/buckets/{quote(bucket)}?{query}")


def timeline(name: str, times: EventTimes, hours: Sequence[Hour], *, tell_others: bool = False) -> Figures:
    """A picture of how many events happened when, from the first of some hours to the last; none, no picture.

    The UI shows it where it stands. With `tell_others` its caption has the number of events in other hours.
    """
    first, minutes = min(hours), 60 * (max(hours) - min(hours) + 1)
    width = -(-minutes // BARS)
    counts = event_times.spread(times.minutes, first * 60, -(-minutes // width), width)
    if not any(counts):
        return {}
    others = times.minutes.total() - sum(counts) if tell_others else 0
    caption = f"from {hour_start(first):%Y-%m-%d %H:%M}, at most {max(counts):,} in {width} min"
    caption += f"; {others:,} at other times" if others else ""
    return _picture(name, pictures.timeline(counts, _clock_labels(first, minutes), caption), "events over time")


def lag_histogram(name: str, times: EventTimes) -> Figures:
    """A picture of how old the events were; without events there is none."""
    if not any(times.lags):
        return {}
    caption = f"{sum(times.lags):,} by age, at most {max(times.lags):,}"
    return _picture(name, pictures.histogram(times.lags, event_times.LAG_NAMES, caption), "events by their age")


def _clock_labels(first: Hour, minutes: int) -> list[tuple[float, str]]:
    """Four times of day below a picture."""
    start = hour_start(first)
    return [(part / 4, f"{start + timedelta(minutes=minutes * part / 4):%H:%M}") for part in range(4)]


def _picture(name: str, svg: str, alternative: str) -> Figures:
    return {name: dg.MetadataValue.md(pictures.markdown(svg, alternative))}
