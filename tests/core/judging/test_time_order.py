"""Rows come in the order of their events, whatever order they lie in and however few are held at a time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iota_dagster.core.judging import time_order

START = datetime(2026, 11, 22, tzinfo=UTC)
EVENTS = st.lists(st.tuples(st.integers(0, 5), st.sampled_from("abc")), max_size=12)


def batches(events: list[tuple[int, str]], size: int, kind: str) -> Iterator[pa.RecordBatch]:
    for start in range(0, len(events), size):
        some = events[start : start + size]
        yield pa.record_batch(
            {
                "p_event_time": pa.array([START + timedelta(seconds=at) for at, _ in some], pa.timestamp("us", "UTC")),
                "p_event_id": pa.array([name for _, name in some], pa.string()),
                "p_raw": pa.array(["x" * 10] * len(some), pa.string()),
                kind: pa.array([kind] * len(some), pa.string()),
            }
        )


@given(streams=st.lists(EVENTS, max_size=3), size=st.integers(1, 4), held=st.integers(1, 60))
def test_all_rows_come_once_by_time_and_id(streams: list[list[tuple[int, str]]], size: int, held: int) -> None:
    reads = [partial(batches, events, size, f"k{number}") for number, events in enumerate(streams)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time_order, "HELD_BYTES", held)
        runs = list(time_order.in_time_order(reads))
    found = [
        (row["p_event_time"], row["p_event_id"], number)
        for number, rows in runs
        for row in rows.to_pylist()
        if row[f"k{number}"] == f"k{number}"
    ]
    expected = [(START + timedelta(seconds=at), name, n) for n, events in enumerate(streams) for at, name in events]
    assert [item[:2] for item in found] == sorted(item[:2] for item in expected)
    assert sorted(found) == sorted(expected)
    assert all(rows.num_rows for _, rows in runs)
