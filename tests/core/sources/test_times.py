"""Event times as vendors write them become moments in UTC, as fine as they were written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from iota_dagster.core.sources.times import nanoseconds, times, to_microseconds

MOMENT = 1_710_408_413  # 2024-03-14T09:26:53Z
NANO = 10**9


@pytest.mark.parametrize(
    ("text", "nanos"),
    [
        ("2024-03-14T09:26:53Z", MOMENT * NANO),
        ("2024-03-14t09:26:53z", MOMENT * NANO),
        ("2024-03-14 09:26:53", MOMENT * NANO),
        ("2024-03-14 09:26:53 UTC", MOMENT * NANO),
        ("2024-03-14T09:26:53.5", MOMENT * NANO + NANO // 2),
        ("2024-03-14T09:26:53,250Z", MOMENT * NANO + NANO // 4),
        ("2024-03-14T09:26:53.123456789Z", MOMENT * NANO + 123_456_789),
        ("2024-03-14T09:26:53.123456789999Z", MOMENT * NANO + 123_456_789),
        ("2024-03-14T06:26:53-03:00", MOMENT * NANO),
        ("2024-03-14T14:56:53+0530", MOMENT * NANO),
        ("2024-03-14T09:26Z", (MOMENT - 53) * NANO),
        ("2024-03-14T09Z", (MOMENT - 26 * 60 - 53) * NANO),
        ("2024-03-14T09+00", (MOMENT - 26 * 60 - 53) * NANO),
        ("2024-03-14T09", None),
        ("2024-03-14T09:26:53+23:59", MOMENT * NANO - (24 * 3600 - 60) * NANO),
        ("2024-03-14T09:26:53+24:00", None),
        ("2024-03-14T09:26:53+99:99", None),
        ("2024-03-14T09:26:53-0160", None),
        ("1710408413", MOMENT * NANO),
        ("1710408413.25", MOMENT * NANO + NANO // 4),
        ("1710408413250", MOMENT * NANO + NANO // 4),
        ("1710408413250001", MOMENT * NANO + 250_001_000),
        ("1710408413250001002", MOMENT * NANO + 250_001_002),
        ("2024-02-30T00:00:00Z", None),
        ("2024-03-14", None),
        ("yesterday", None),
        ("-1", None),
        ("", None),
        ("9" * 25, None),
    ],
)
def test_a_time_is_read_as_its_vendor_means_it(text: str, nanos: int | None) -> None:
    assert nanoseconds(text) == nanos


def test_numbers_and_texts_may_stand_in_one_column() -> None:
    found = times([MOMENT, MOMENT * 1000 + 250, float(MOMENT) + 0.5, "2024-03-14T09:26:53Z", None, "never"])
    start = datetime.fromtimestamp(MOMENT, UTC)
    half, quarter = timedelta(seconds=0.5), timedelta(seconds=0.25)
    assert found.to_pylist() == [start, start + quarter, start + half, start, None, None]


def test_a_number_with_an_exponent_is_a_time_like_any_other() -> None:
    nanos = 1.710408413589793e18
    expected = datetime.fromtimestamp(MOMENT, UTC) + timedelta(microseconds=589_793)
    assert times([nanos, None, 2e300]).to_pylist() == [expected, None, None]
    assert times([nanos, float("nan"), float("inf"), "never"]).to_pylist() == [expected, None, None, None]


def test_nanoseconds_are_kept_where_some_value_has_them() -> None:
    found = times(["2024-03-14T09:26:53.123456789Z", "2024-03-14T09:26:53Z"])
    assert found.type == pa.timestamp("ns", tz="UTC")
    assert found.cast(pa.int64()).to_pylist() == [MOMENT * NANO + 123_456_789, MOMENT * NANO]
    assert to_microseconds(found).cast(pa.int64()).to_pylist() == [MOMENT * 10**6 + 123_456, MOMENT * 10**6]


def test_a_time_that_python_cannot_hold_is_none() -> None:
    assert times(["0000-03-14T09:26:53Z", "99999-01-01T00:00:00Z"]).null_count == 2
    assert times([]).to_pylist() == []


@given(st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)), st.integers(-14 * 60, 14 * 60))
def test_every_moment_is_read_back_in_every_zone(moment: datetime, minutes: int) -> None:
    local = moment.replace(tzinfo=UTC).astimezone(timezone(timedelta(minutes=minutes)))
    assert times([local.isoformat()]).to_pylist() == [moment.replace(tzinfo=UTC)]
    assert times([local.isoformat(" "), "never"]).to_pylist() == [moment.replace(tzinfo=UTC), None]


@given(st.lists(st.none() | st.text(max_size=30) | st.integers() | st.floats(), max_size=20))
def test_no_value_breaks_a_column(values: list[str | int | float | None]) -> None:
    assert len(times(values)) == len(values)


_written = st.from_regex(
    r"20[0-9]{2}-0[1-9]-[0-3][0-9][T ](0[0-9]|1[0-9])(:[0-5][0-9](:[0-5][0-9]([.,][0-9]{1,10})?)?)?"
    r"(Z| UTC|[+-][0-2][0-9](:?[0-6][0-9])?)?",
    fullmatch=True,
)
_time = st.none() | st.integers() | st.floats() | _written | st.integers(0, 10**20).map(str) | st.text(max_size=5)


@given(_time, st.lists(_time, max_size=3))
@example("2024-01-01T00Z", ["never"])
@example("2024-01-01 00+0130", [1])
def test_a_time_is_the_same_whatever_stands_beside_it(
    value: str | float | None, others: list[str | float | None]
) -> None:
    alone, beside = (to_microseconds(times(values)) for values in ([value], [value, *others]))
    assert beside[0] == alone[0]
