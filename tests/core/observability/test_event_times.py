"""When events happened: by the minute and by age, from moments, and from files of the lake."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st

from iota_dagster.core.aws.clients import ClientFactory, ClientOptions
from iota_dagster.core.observability import event_times
from iota_dagster.core.observability.event_times import LAG_NAMES
from iota_dagster.core.storage import open_storage

NOW = datetime(2026, 11, 22, 10, 17, tzinfo=UTC)
MINUTE = int(NOW.timestamp()) // 60
TIMES = st.lists(st.timedeltas(timedelta(days=-1), timedelta(days=45)).map(lambda age: NOW - age), max_size=50)


@given(TIMES)
def test_every_time_counts_once_by_minute_and_once_by_age(moments: list[datetime]) -> None:
    found = event_times.of_moments(moments, NOW)
    assert found.minutes.total() == sum(found.lags) == len(moments)
    assert (found.oldest, found.newest) == (min(moments, default=None), max(moments, default=None))


def test_an_age_belongs_to_the_first_class_that_holds_it() -> None:
    ages = {"10s": 10, "1m": 11, "5m": 300, "15m": 301, "1d": 86_400, "more": 86_401}
    found = event_times.of_moments([NOW - timedelta(seconds=age) for age in ages.values()], NOW)
    assert [name for name, count in zip(LAG_NAMES, found.lags, strict=True) if count] == list(ages)
    assert event_times.of_moments([NOW + timedelta(hours=1)], NOW).lags[0] == 1


def test_spans_hold_what_lies_in_them_and_nothing_else() -> None:
    minutes = {MINUTE - 1: 1, MINUTE: 2, MINUTE + 1: 3, MINUTE + 2: 4, MINUTE + 4: 5}
    assert event_times.spread(minutes, MINUTE, bars=2, width=2) == [5, 4]


def test_files_of_the_lake_are_counted_without_rows_that_have_no_time_of_their_own(tmp_path: Path) -> None:
    times = pa.array([NOW, NOW - timedelta(minutes=1), NOW], pa.timestamp("us", "UTC"))
    pq.write_table(pa.table({"p_event_time": times, "p_event_time_flag": [None, None, "missing"]}), tmp_path / "a")
    pq.write_table(pa.table({"p_event_time": times}), tmp_path / "b")  # such as alert_matches
    lake = open_storage(str(tmp_path), ClientFactory(ClientOptions()))
    assert event_times.of_files(lake, ["a", "b"], NOW).minutes == {MINUTE: 3, MINUTE - 1: 2}
    assert event_times.of_files(lake, [], NOW).minutes == {}
