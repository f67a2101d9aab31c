"""Rows of a scheduled query as events: what they are to rules, and which match is the same match."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from iota_dagster.core.detection.verdict import RuleMatch
from iota_dagster.core.hours import hour_of
from iota_dagster.core.model import Match
from iota_dagster.core.scheduled_queries.rows import Occasion, match_of_row, plain, row_id

DUE = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)


def hit(rule_id: str = "Rule", period_minutes: int = 60) -> RuleMatch:
    return RuleMatch(
        index=0,
        rule_id=rule_id,
        rule_version="v",
        severity="HIGH",
        title="t",
        dedup="d",
        description="",
        reference="",
        runbook="",
        period_minutes=period_minutes,
        threshold=1,
        create_alert=True,
        unique=None,
        destinations=None,
        context={},
    )


def a_match(row: dict[str, Any], due_at: datetime = DUE, query: str = "Q", period_minutes: int = 60) -> Match:
    return match_of_row(hit(period_minutes=period_minutes), Occasion(query, f"iota.query.{query}", due_at), row)


def test_a_row_without_a_time_is_of_the_time_at_which_the_query_was_due() -> None:
    found = a_match({"n": 1})
    assert (found.event_time, found.event_hour, found.log_type) == (DUE, hour_of(DUE), "iota.query.Q")


@pytest.mark.parametrize("text", ["2026-11-22T09:14:03Z", "2026-11-22 09:14:03", "2026-11-22T10:14:03+01:00"])
def test_a_row_keeps_a_time_of_its_own(text: str) -> None:
    assert a_match({"p_event_time": text}).event_time == datetime(2026, 11, 22, 9, 14, 3, tzinfo=UTC)


@pytest.mark.parametrize("value", ["soon", None, 7, "2026-11-24T12:31:00Z"])
def test_a_time_that_is_none_or_far_ahead_is_not_believed(value: object) -> None:
    assert a_match({"p_event_time": value}).event_time == DUE


def test_the_same_row_in_the_same_dedup_period_is_the_same_match() -> None:
    first = a_match({"n": 1, "user": "alice"}, period_minutes=1440)
    assert a_match({"user": "alice", "n": 1}, DUE + timedelta(hours=11), period_minutes=1440).id == first.id
    assert a_match({"user": "alice", "n": 1}, DUE + timedelta(hours=12), period_minutes=1440).id != first.id


def test_another_row_or_another_query_is_another_match() -> None:
    names = [a_match({"n": 1}), a_match({"n": 2}), a_match({"n": "1"}), a_match({"n": 1}, query="R")]
    assert len({match.id for match in names}) == 4


def test_a_row_with_a_time_of_its_own_is_the_same_match_for_ever() -> None:
    row = {"p_event_time": "2026-11-22T09:14:03Z"}
    assert a_match(row).id == a_match(row, DUE + timedelta(days=20)).id
    assert a_match(row).event_id == row_id("Q", row)


def test_a_row_says_where_it_comes_from_if_it_knows() -> None:
    found = a_match({"p_account_id": "111122223333", "p_region": 5})
    assert (found.p_account_id, found.p_region, found.p_source_bucket) == ("111122223333", None, "")


def test_values_of_an_answer_become_json() -> None:
    moment = datetime(2026, 11, 22, 9, 14, 3, tzinfo=UTC)
    values = [
        Decimal("12"),
        Decimal("1.5"),
        float("nan"),
        moment,
        moment.replace(tzinfo=None),
        date(2026, 11, 22),
        b"a\xff",
    ]
    assert plain(values) == [
        *(12, 1.5, None),
        *("2026-11-22T09:14:03Z", "2026-11-22T09:14:03Z", "2026-11-22", "a\\xff"),
    ]
    assert plain({"days": [timedelta(days=1)], "ok": True}) == {"days": ["1 day, 0:00:00"], "ok": True}


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00"])
def test_a_time_beyond_the_calendar_is_not_believed(text: str) -> None:
    assert a_match({"p_event_time": text}).event_time == DUE
