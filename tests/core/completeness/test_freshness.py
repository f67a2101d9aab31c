"""Freshness: a source that keeps its rhythm is never silent, one that stops always is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import accumulate

from hypothesis import assume, given
from hypothesis import strategies as st

from iota_dagster.core.completeness.freshness import FACTOR, FEWEST_GAPS, FLOOR, LEARNED, learn

START = datetime(2026, 11, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def arrivals(gaps: list[int]) -> list[datetime]:
    return [START + minutes * MINUTE for minutes in accumulate([0, *gaps])]


def regular(draw: st.DrawFn) -> list[int]:
    """Gaps that differ by up to a half, in minutes."""
    usual = draw(st.integers(1, 24 * 60))
    count = draw(st.integers(FEWEST_GAPS + 1, 60))
    return [usual + draw(st.integers(0, usual // 2)) for _ in range(count)]


@given(st.composite(regular)())
def test_a_regular_source_is_never_silent(gaps: list[int]) -> None:
    moments = arrivals(gaps)
    for index in range(FEWEST_GAPS + 1, len(moments)):
        if rhythm := learn(moments[:index]):
            assert not rhythm.is_silent(moments[index])


@given(st.composite(regular)(), st.integers(0, 60 * 24 * 400))
def test_a_source_that_stops_is_silent_from_a_moment_on_and_for_good(gaps: list[int], later: int) -> None:
    moments = arrivals(gaps)
    rhythm = learn(moments)
    assume(rhythm is not None)
    assert rhythm is not None
    assert rhythm.allowed <= max(FLOOR, FACTOR * max(gaps) * MINUTE)
    assert not rhythm.is_silent(rhythm.silent_from)
    assert rhythm.is_silent(rhythm.silent_from + MINUTE + later * MINUTE)


@given(st.integers(60, 600), st.integers(1, 10 * 24 * 60), st.data())
def test_one_outage_does_not_make_it_deaf(usual: int, outage: int, data: st.DataObject) -> None:
    gaps = [usual] * (LEARNED // (usual * MINUTE) + 2)
    place = data.draw(st.integers(0, len(gaps)))
    rhythm = learn(arrivals([*gaps[:place], outage, *gaps[place:]]))
    assume(rhythm is not None)
    assert rhythm is not None
    assert rhythm.allowed <= max(FLOOR, FACTOR * max(gaps) * MINUTE)


def test_nights_and_weekends_belong_to_the_rhythm() -> None:
    open_hours = [
        START + timedelta(days=day, hours=hour, minutes=minute)
        for day in range(28)
        if (START + timedelta(days=day)).weekday() < 5
        for hour in range(8, 18)
        for minute in range(0, 60, 5)
    ]
    for index in range(2, len(open_hours)):
        if open_hours[index] < START + LEARNED + timedelta(days=2):  # the first weekends are news
            continue
        rhythm = learn(open_hours[:index])
        assert rhythm is not None
        assert not rhythm.is_silent(open_hours[index])


def test_a_daily_burst_is_a_rhythm_of_a_day() -> None:
    moments = [START + timedelta(days=day, minutes=minute) for day in range(14) for minute in range(180)]
    rhythm = learn(moments)
    assert rhythm is not None
    assert timedelta(days=1) < rhythm.allowed < timedelta(days=2)


def test_without_enough_gaps_nothing_is_said() -> None:
    assert learn([]) is None
    assert learn(arrivals([5] * (FEWEST_GAPS - 1))) is None
    assert learn(arrivals([5] * FEWEST_GAPS)) is not None


def test_only_the_last_two_weeks_before_the_last_arrival_count() -> None:
    slow = [2 * 24 * 60] * 10
    fast = [10] * int(LEARNED / (10 * MINUTE))
    rhythm = learn(arrivals([*slow, *fast]))
    assert rhythm is not None
    assert rhythm.allowed == FLOOR
