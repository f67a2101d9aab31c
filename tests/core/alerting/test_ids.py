"""Ids from content, and text that can be stored."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iota_dagster.core.alerting.ids import alert_id, delivery_id, match_id, period_start
from iota_dagster.core.alerting.text import json_text, storable, storable_json, storable_text
from tests.core.alerting.cases import START, a_match, at

TEXT = st.text(st.characters(exclude_categories=()), max_size=8)


def test_ids_are_the_same_in_every_version_of_the_program() -> None:
    assert match_id("Rule", "AWS.CloudTrail", "e1", 493_786) == "7fb9abbeb0b0c4eab5eb51cf1e224c22"
    assert alert_id("Rule", "alice", START) == "d99c0a3398c5fe44b314b2778a70451c"
    assert delivery_id("a1", "file") == "1c0c1569a0df9fc9a6fefbf64f1e7591"


@given(TEXT, TEXT, TEXT, TEXT)
def test_two_different_lists_of_parts_never_share_an_id(one: str, two: str, three: str, four: str) -> None:
    same = (one, two) == (three, four)
    assert (match_id(one, two, "e", 1) == match_id(three, four, "e", 1)) == same
    assert (delivery_id(one, two) == delivery_id(three, four)) == same
    assert (alert_id(one, two, START) == alert_id(three, four, START)) == same


def test_a_match_an_alert_and_a_delivery_never_share_an_id() -> None:
    assert len({delivery_id("a", "b"), alert_id("a", "b", START), match_id("a", "b", "", 0)}) == 3


@given(st.datetimes(timezones=st.just(UTC)), st.integers(1, 10_000))
def test_a_slice_holds_its_moment_and_starts_on_a_multiple_since_the_epoch(moment: datetime, minutes: int) -> None:
    start = period_start(moment, minutes)
    assert start <= moment < start + timedelta(minutes=minutes) if start.year < 9_000 else start <= moment
    if start.year > 1:
        assert (start - datetime(1970, 1, 1, tzinfo=UTC)) % timedelta(minutes=minutes) == timedelta(0)


def test_a_slice_that_would_start_before_the_calendar_starts_with_it() -> None:
    first = datetime.min.replace(tzinfo=UTC)
    assert period_start(first + timedelta(minutes=1), 10_000) == first


def test_a_period_of_no_minutes_is_refused() -> None:
    with pytest.raises(ValueError, match="a dedup period of 0 minutes"):
        period_start(START, 0)


@given(TEXT)
def test_stored_text_is_utf_8_without_nul_and_keeps_all_that_can_be_kept(text: str) -> None:
    stored = storable_text(text)
    assert "\0" not in stored
    stored.encode()
    assert storable_text(stored) == stored
    assert stored == text or any(char == "\0" or "\ud800" <= char <= "\udfff" for char in text)


def test_a_pair_of_surrogates_becomes_its_character_and_a_lone_one_the_replacement_character() -> None:
    assert storable_text("\ud83d\ude00 \ud83d.") == "😀 \ufffd."


@given(st.recursive(TEXT | st.floats() | st.integers() | st.none() | st.booleans(), lambda x: st.lists(x, max_size=3)))
def test_any_context_becomes_json_that_every_database_takes(value: object) -> None:
    text = json.dumps(storable_json({"value": value}), allow_nan=False, ensure_ascii=False)
    text.encode()
    assert "\\u0000" not in text


def test_a_clean_match_stays_as_it_is_and_an_unclean_one_keeps_its_ids() -> None:
    clean = a_match("e1", 5, destinations=("mail",), context={"a": [1, {"b": None}]})
    assert storable(clean) == clean
    dirty = a_match("e1", 5, title="a\0b", dedup="\ud800", context={"\0": float("nan")}, destinations=("\0",))
    stored = storable(dirty)
    assert (stored.title, stored.dedup, stored.context) == ("a\ufffdb", "\ufffd", {"\ufffd": "nan"})
    assert stored.destinations == ("\ufffd",)
    assert (stored.id, stored.alert_id, stored.event_time) == (dirty.id, dirty.alert_id, at(5))


def test_json_text_is_the_same_for_the_same_value() -> None:
    assert json_text({"b": 1, "a": "é"}) == json_text({"a": "é", "b": 1}) == '{"a":"\\u00e9","b":1}'
