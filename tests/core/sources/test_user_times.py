"""Times as users' logs write them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iota_dagster.core.sources import user_times
from iota_dagster.core.sources.times import Written, times
from iota_dagster.core.sources.user_times import converter, format_problem, zone_problem


def moment(form: str, zone: str, value: Written) -> datetime | None:
    convert = converter(form, zone)
    found: datetime | None
    (found,) = times(convert([value]) if convert else [value]).to_pylist()
    return found


TEN = datetime(2025, 11, 22, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("form", "zone", "value", "expected"),
    [
        ("", "UTC", "2025-11-22T10:00:00Z", TEN),
        ("", "UTC", 1763805600, TEN),
        ("", "Europe/Berlin", "2025-11-22 11:00:00", TEN),
        ("", "Europe/Berlin", "2025-11-22T11:00:00.000", TEN),
        ("", "Europe/Berlin", "2025-11-22T10:00:00Z", TEN),
        ("", "Europe/Berlin", "2025-11-22T07:00:00-03:00", TEN),
        ("", "Europe/Berlin", 1763805600, TEN),
        ("", "Europe/Berlin", "2025-13-22 11:00:00", None),
        ("", "Europe/Berlin", "2025-10-26 02:30:00", datetime(2025, 10, 26, 0, 30, tzinfo=UTC)),
        ("rfc3339", "UTC", "2025-11-22T10:00:00Z", TEN),
        ("rfc3339", "UTC", 1763805600, None),
        ("rfc3339", "UTC", "1763805600", None),
        ("epoch", "UTC", "1763805600.0", TEN),
        ("epoch", "UTC", 1763805600000, TEN),
        ("epoch", "UTC", "2025-11-22T10:00:00Z", None),
        ("%d/%b/%Y:%H:%M:%S %z", "UTC", "22/Nov/2025:11:00:00 +0100", TEN),
        ("%d.%m.%Y %H:%M:%S", "Europe/Berlin", "22.11.2025 11:00:00", TEN),
        ("%d.%m.%Y %H:%M:%S", "UTC", "31.02.2025 11:00:00", None),
        ("%Y%m%d %H%M%S.%f", "UTC", "20251122 100000.123456789", TEN.replace(microsecond=123456)),
        ("%Y-%m-%d", "UTC", None, None),
        ("%Y-%m-%d %z", "UTC", "0001-01-01 +2300", None),
        ("%Y%m%d", "UTC", 20251122, datetime(2025, 11, 22, tzinfo=UTC)),
    ],
)
def test_a_time_is_read_as_its_format_and_zone_say(
    form: str, zone: str, value: Written, expected: datetime | None
) -> None:
    assert moment(form, zone, value) == expected


def test_a_text_that_many_records_share_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    class Counting(datetime):
        @classmethod
        def strptime(cls, text: str, form: str) -> datetime:  # type: ignore[override]
            read.append(text)
            return datetime.strptime(text, form)

    monkeypatch.setattr(user_times, "datetime", Counting)
    convert = converter("%Y%m%d", "UTC")
    assert convert
    found = convert(["20251122"] * 4096 + [20251123, None, "20251123"])
    assert (set(found[:4096]), found[4097]) == ({"2025-11-22T00:00:00+00:00"}, None)
    assert found[4096] == found[4098] == "2025-11-23T00:00:00+00:00"
    assert sorted(read) == ["20251122", "20251123", "20251123"]


@given(
    st.sampled_from(["", "rfc3339", "epoch", "%d/%b/%Y:%H:%M:%S %z", "%Y-%m-%d %f"]),
    st.sampled_from(["UTC", "Asia/Kathmandu"]),
    st.none() | st.text(max_size=20) | st.integers() | st.floats() | st.datetimes().map(str),
)
def test_no_value_makes_it_stumble(form: str, zone: str, value: Written) -> None:
    moment(form, zone, value)


@pytest.mark.parametrize("form", ["", "rfc3339", "epoch", "%d/%b/%Y:%H:%M:%S %z", "%Y %j", "%G-W%V-%u", "%y%m%d"])
def test_what_tells_a_day_is_a_format(form: str) -> None:
    assert format_problem(form) is None


@pytest.mark.parametrize("form", ["iso8601", "%H:%M:%S", "%b %d %H:%M:%S", "%s", "%c", "%Y-%m-%d %", "%Y %j %Z"])
def test_what_tells_none_is_no_format(form: str) -> None:
    assert format_problem(form)


@pytest.mark.parametrize("zone", ["Nowhere", "../UTC", "/etc", "Europe", "a\0b", ""])
def test_what_is_no_zone_is_refused(zone: str) -> None:
    assert zone_problem(zone)
