"""Schedules of queries: fixed points in time, the same for whoever computes them."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from dagster._vendored.croniter import croniter  # type: ignore[attr-defined]  # has no types
from hypothesis import given
from hypothesis import strategies as st

from iota_dagster.core.detection.schedule import Cron, Schedule, ScheduleError

MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)).map(lambda moment: moment.replace(tzinfo=UTC))
MINUTE = timedelta(minutes=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def items(low: int, high: int) -> st.SearchStrategy[str]:
    """What may stand in a field, `*` alone apart."""
    number = st.integers(low, high)
    span = st.lists(number, min_size=2, max_size=2, unique=True).map(sorted).map(lambda pair: f"{pair[0]}-{pair[1]}")
    stepped = st.tuples(span, st.integers(1, 5)).map(lambda pair: f"{pair[0]}/{pair[1]}")
    return st.lists(st.one_of(number.map(str), span, stepped), min_size=1, max_size=3).map(",".join)


def fields(low: int, high: int) -> st.SearchStrategy[str]:
    return st.one_of(st.just("*"), items(low, high))


# A field of all weekdays is `*` to croniter, and the range 0-0 the whole week: both differ from cron itself.
EXPRESSIONS = st.tuples(fields(0, 59), fields(0, 23), fields(1, 28), fields(1, 12), fields(1, 6)).map(" ".join)


@given(EXPRESSIONS, MOMENTS)
def test_a_cron_expression_means_what_it_means_to_dagster(text: str, moment: datetime) -> None:
    expected: datetime = croniter(text, moment).get_next(datetime)  # type: ignore[no-untyped-call]
    assert Cron.parse(text).next_after(moment) == expected


@pytest.mark.parametrize(
    ("text", "moment", "expected"),
    [
        ("0 3 * * *", "2026-11-22T03:00:00", "2026-11-23T03:00:00"),
        ("*/15 * * * *", "2026-11-22T03:07:31", "2026-11-22T03:15:00"),
        ("5/20 * * * *", "2026-11-22T03:26:00", "2026-11-22T03:45:00"),
        ("0 0 29 feb *", "2026-11-22T00:00:00", "2028-02-29T00:00:00"),
        ("0 0 * * 7", "2026-11-22T00:00:00", "2026-11-29T00:00:00"),
        ("0 9 * * mon-fri", "2026-11-20T09:00:00", "2026-11-23T09:00:00"),
        ("0 9 1 * MON", "2026-11-24T00:00:00", "2026-11-30T09:00:00"),
    ],
)
def test_a_cron_expression_says_when_its_next_time_is(text: str, moment: str, expected: str) -> None:
    assert Schedule(cron=text).next_after(at(moment)) == at(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("* * * *", "has 4 fields"),
        ("60 * * * *", "'60' is no minute; expected 0 to 59"),
        ("* * 0 * *", "'0' is no day"),
        ("* * * * fun", "'fun' is no weekday"),
        ("*/0 * * * *", "'*/0' is no minute"),
        ("9-5 * * * *", "ends before it begins"),
        ("1,,2 * * * *", "'' is no minute"),
        ("0 0 31 4 *", "such a day never comes"),
        ("@hourly", "has 1 fields"),
    ],
)
def test_what_is_no_cron_expression_is_named(text: str, expected: str) -> None:
    with pytest.raises(ScheduleError, match=re.escape(expected)):
        Cron.parse(text)


@given(st.integers(1, 10_000), MOMENTS)
def test_a_rate_has_fixed_times(minutes: int, moment: datetime) -> None:
    schedule = Schedule(rate_minutes=minutes)
    found = schedule.next_after(moment)
    assert moment < found <= moment + minutes * MINUTE
    assert schedule.next_after(found - timedelta(microseconds=1)) == found


@given(
    st.sampled_from([Schedule(cron="*/20 4,9 * * *"), Schedule(cron="0 0 29 2 *"), Schedule(rate_minutes=45)]), MOMENTS
)
def test_the_time_before_is_the_last_that_comes_before(schedule: Schedule, moment: datetime) -> None:
    found = schedule.last_before(moment)
    assert found < moment <= schedule.next_after(found)
    assert schedule.last_before(schedule.next_after(moment)) in (moment, schedule.last_before(moment))


@given(st.sampled_from(["* * * * *", "7 * * * *", "30 4 * * *", "0 0 1 * *", "0 9 * 2 mon"]), MOMENTS, st.data())
def test_what_was_missed_is_made_up_once_as_of_the_last_time(text: str, due: datetime, data: st.DataObject) -> None:
    schedule = Schedule(cron=text)
    due = schedule.next_after(due)
    now = due + data.draw(st.timedeltas(timedelta(0), timedelta(days=900)))
    found = schedule.latest(due, now)
    assert due <= found <= now < schedule.next_after(found)
