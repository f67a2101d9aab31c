"""Rows of several streams in the order of their events, however many they are and in whatever order they lie.

Rules that remember must be shown events so: an event sees what earlier ones have written, and must see the same when
its batch is judged again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

HELD_BYTES = 256 * 1024 * 1024
"""How many bytes of records are held at a time: the streams are read once more for every so many."""

Stream = Callable[[], Iterator[pa.RecordBatch]]
"""Reads some rows, each time the same in the same order, with the columns `p_event_time`, `p_event_id`, `p_raw`."""
Run = tuple[int, pa.RecordBatch]
"""The number of a stream and rows of it, which follow each other."""
_Numbers = NDArray[np.int64]


def in_time_order(streams: Sequence[Stream]) -> Iterator[Run]:
    """All rows of some streams by event time and, within one moment, by event id."""
    keys = pa.concat_tables(
        [
            pa.Table.from_batches([], _KEYS),
            *(_keys(rows, number) for number, read in enumerate(streams) for rows in read()),
        ]
    )
    order = pc.sort_indices(keys, [("time", "ascending"), ("id", "ascending")]).to_numpy()
    places = np.empty(len(order), np.int64)
    places[order] = np.arange(len(order))
    owners = keys.column("stream").to_numpy()[order]
    ends = np.cumsum(keys.column("bytes").to_numpy()[order])
    start = 0
    while start < len(order):
        held = int(np.searchsorted(ends, (ends[start - 1] if start else 0) + HELD_BYTES, "right"))
        end = max(held, start + 1)
        yield from _runs(_between(streams, places, start, end), owners[start:end])
        start = end


_KEYS = pa.schema({"time": pa.timestamp("us", "UTC"), "id": pa.string(), "stream": pa.int64(), "bytes": pa.int64()})


def _keys(rows: pa.RecordBatch, number: int) -> pa.Table:
    columns = {
        "time": rows.column("p_event_time").cast(_KEYS.field("time").type),
        "id": rows.column("p_event_id").cast(pa.string()),
        "stream": pa.repeat(number, rows.num_rows).cast(pa.int64()),
        "bytes": pc.binary_length(rows.column("p_raw")).cast(pa.int64()),
    }
    return pa.table(columns, schema=_KEYS)


def _between(streams: Sequence[Stream], places: _Numbers, start: int, end: int) -> list[pa.RecordBatch]:
    """Of each stream the rows whose places in the whole order are among some, in that order."""
    found: list[pa.RecordBatch] = []
    first = 0
    for read in streams:
        parts: list[pa.RecordBatch] = []
        theirs: list[_Numbers] = []
        for rows in read():
            place = places[first : first + rows.num_rows]
            first += rows.num_rows
            inside = (place >= start) & (place < end)
            parts.append(rows.filter(pa.array(inside)))
            theirs.append(place[inside])
        found.append(_sorted(parts, theirs))
    return found


def _sorted(parts: Sequence[pa.RecordBatch], places: Sequence[_Numbers]) -> pa.RecordBatch:
    if not parts:
        return pa.record_batch({})
    rows = pa.Table.from_batches(parts).take(pa.array(np.argsort(np.concatenate(places))))
    return pa.RecordBatch.from_arrays([_whole(column) for column in rows.columns], schema=rows.schema)


def _whole(column: pa.ChunkedArray) -> pa.Array:
    found = column.combine_chunks()
    return pa.concat_arrays(found.chunks) if isinstance(found, pa.ChunkedArray) else found


def _runs(rows: Sequence[pa.RecordBatch], owners: _Numbers) -> Iterator[Run]:
    """The rows of each stream, cut where those of another come between."""
    used = [0] * len(rows)
    cuts = [0, *(np.flatnonzero(np.diff(owners)) + 1).tolist(), len(owners)]
    for start, end in pairwise(cuts):
        owner = int(owners[start])
        yield owner, rows[owner].slice(used[owner], end - start)
        used[owner] += end - start
