"""What rules remember, in memory and in the store: each function, and that judging again gives the same answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from iota_dagster.core.detection.event import Event
from iota_dagster.core.detection.key_values import VALUE_LIMIT, MemoryValues, Stamp, StoredValue, Values, use
from iota_dagster.core.detection.rule_memory import (
    KEY_LIMIT,
    LIFETIME,
    add_to_string_set,
    check_account_age,
    evaluate_threshold,
    get_counter,
    get_dictionary,
    get_string_set,
    increment_counter,
    put_dictionary,
    put_string_set,
    remove_from_string_set,
    reset_counter,
    reset_string_set,
    set_key_expiration,
)
from iota_dagster.core.store.database import Database
from iota_dagster.core.store.rule_values import RuleValues, purge, save
from iota_dagster.core.store.schema import metadata, rule_values

START = datetime(2026, 11, 22, 10, tzinfo=UTC)
DAY = 86_400


def at(minutes: float, event_id: str = "e") -> Event:
    return Event({"p_event_time": (START + timedelta(minutes=minutes)).isoformat(), "p_event_id": event_id})


@pytest.fixture(params=["memory", "layered", "sqlite", "postgresql"])
def values(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Values]:
    """Every kind of values, empty."""
    if request.param in ("memory", "layered"):
        yield MemoryValues(MemoryValues() if request.param == "layered" else None)
        return
    sqlite = request.param == "sqlite"
    url = f"sqlite:///{tmp_path}/iota.db" if sqlite else request.getfixturevalue("postgres_url")
    database = Database(url)
    with database.begin() as connection:
        metadata.create_all(connection, tables=[rule_values])
        yield RuleValues(connection)
    database.dispose()


def during(values: Values, event: Mapping[str, Any], call: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """What one call gives while an event is judged."""
    with use(values) as session:
        session.begin(event)
        return call(*arguments, **named)


def test_a_counter_counts(values: Values) -> None:
    assert during(values, at(0), get_counter, "k") == 0
    assert during(values, at(1), increment_counter, "k") == 1
    assert during(values, at(2), increment_counter, "k", 3) == 4
    assert during(values, at(3), increment_counter, "k", -5) == -1
    during(values, at(4), reset_counter, "k")
    assert during(values, at(5), get_counter, "k", force_ttl_check=True) == 0
    assert during(values, at(5), get_counter, "other") == 0


def test_a_string_set_holds_texts(values: Values) -> None:
    assert during(values, at(0), get_string_set, "k") == set()
    during(values, at(1), put_string_set, "k", ["b", "a"])
    assert during(values, at(2), add_to_string_set, "k", "c") == {"a", "b", "c"}
    assert during(values, at(3), add_to_string_set, "k", ("c", "")) == {"a", "b", "c", ""}
    assert during(values, at(4), remove_from_string_set, "k", {"a", "x"}) == {"b", "c", ""}
    assert during(values, at(5), add_to_string_set, "k", []) == {"b", "c", ""}
    during(values, at(6), put_string_set, "k", "whole")
    assert during(values, at(7), get_string_set, "k") == {"whole"}
    during(values, at(8), reset_string_set, "k")
    assert during(values, at(9), get_string_set, "k") == set()


def test_a_dictionary_holds_what_json_can(values: Values) -> None:
    assert during(values, at(0), get_dictionary, "k") == {}
    kept = {"a": [1, {"b": None}], "t": "ü", "n": 1.5}
    during(values, at(1), put_dictionary, "k", {**kept, "event": Event({"x": {"y": 1}})})
    got = during(values, at(2), get_dictionary, "k")
    assert got == {"a": [1, {}], "t": "ü", "n": 1.5, "event": {"x": {"y": 1}}}
    got["a"].append("changed")
    assert during(values, at(2), get_dictionary, "k")["a"] == [1, {}]


def test_what_is_read_is_what_earlier_events_wrote(values: Values) -> None:
    during(values, at(10, "m"), put_string_set, "k", ["x"])
    assert during(values, at(9), get_string_set, "k") == set()
    assert during(values, at(10, "a"), get_string_set, "k") == set()
    assert during(values, at(10, "m"), get_string_set, "k") == set()
    assert during(values, at(10, "z"), get_string_set, "k") == {"x"}
    assert during(values, at(10, "é"), get_string_set, "k") == {"x"}
    assert during(values, at(10, "Z"), get_string_set, "k") == set()
    assert during(values, at(11, ""), get_string_set, "k") == {"x"}


def test_an_event_sees_its_own_writes_and_a_re_run_overwrites_them(values: Values) -> None:
    for _ in range(2):
        with use(values) as session:
            session.begin(at(1))
            assert increment_counter("k") == 1
            assert get_counter("k") == 1
            assert increment_counter("k") == 2
            session.begin(at(2))
            assert increment_counter("k") == 3
    assert during(values, at(3), get_counter, "k") == 3


def test_a_value_ends_when_its_rule_says(values: Values) -> None:
    during(values, at(0), put_string_set, "from now", ["x"], 3600)
    during(values, at(0), put_string_set, "absolute", ["x"], epoch_seconds=START.timestamp() + 3600)
    during(values, at(0), put_string_set, "a week", ["x"], epoch_seconds=7 * DAY)
    during(values, at(0), put_string_set, "default", ["x"])
    during(values, at(0), put_string_set, "far", ["x"], epoch_seconds=1e300)
    for key, minutes in (("from now", 60), ("absolute", 60), ("a week", 7 * 1440), ("default", 90 * 1440)):
        assert during(values, at(minutes - 0.01), get_string_set, key) == {"x"}
        assert during(values, at(minutes), get_string_set, key) == set()
    assert during(values, at(10**7), get_string_set, "far") == {"x"}


def test_an_ended_value_does_not_bring_back_the_one_before_it(values: Values) -> None:
    during(values, at(0), increment_counter, "k", 5)
    during(values, at(1), increment_counter, "k", 1, 60)
    assert during(values, at(3), get_counter, "k") == 0
    assert during(values, at(3), increment_counter, "k") == 1


def test_a_change_keeps_the_end_and_a_new_value_does_not(values: Values) -> None:
    during(values, at(0), put_string_set, "k", ["x"], 3600)
    during(values, at(30), add_to_string_set, "k", "y")
    assert during(values, at(59), get_string_set, "k") == {"x", "y"}
    assert during(values, at(60), get_string_set, "k") == set()
    during(values, at(59), put_string_set, "k", ["z"])
    assert during(values, at(60), get_string_set, "k") == {"z"}


def test_the_end_of_a_key_can_be_moved(values: Values) -> None:
    during(values, at(0), increment_counter, "k")
    during(values, at(1), set_key_expiration, "k", START.timestamp() + 300)
    assert during(values, at(4.9), get_counter, "k") == 1
    assert during(values, at(5), get_counter, "k") == 0
    during(values, at(4), set_key_expiration, "k", 0)
    assert during(values, at(89 * 1440), get_counter, "k") == 1


def test_a_threshold_is_reached_by_so_many_within_the_time(values: Values) -> None:
    assert [during(values, at(minute), evaluate_threshold, "k", 3) for minute in range(6)] == [False, False, True] * 2
    late = [during(values, at(minute), evaluate_threshold, "late", 3, 600) for minute in (0, 5, 15, 20, 21)]
    assert late == [False, False, False, False, True]


def test_an_account_is_young_while_a_set_is_kept_under_its_id(values: Values) -> None:
    during(values, at(0), put_string_set, "AIDA", ["created"], 3 * DAY)
    assert during(values, at(1), check_account_age, "AIDA") is True
    assert during(values, at(3 * 1440), check_account_age, "AIDA") is False
    assert during(values, at(1), check_account_age, "") is False
    assert during(values, at(1), check_account_age, None) is False


def test_any_text_is_a_key_and_a_member(values: Values) -> None:
    keys = ["k\0", "k\ud800", "", "x" * 10_000, "x" * 9_999 + "y"]
    for number, key in enumerate(keys):
        during(values, at(0), put_string_set, key, [f"{number}\0\ud800"])
    for number, key in enumerate(keys):
        assert during(values, at(1), get_string_set, key) == {f"{number}\ufffd?"}


def test_what_cannot_be_kept_is_refused(values: Values) -> None:
    for call, arguments, text in (
        (put_dictionary, ("k", ["a"]), "takes a mapping, not a list"),
        (put_dictionary, ("k", {"a": object()}), "cannot hold a object"),
        (put_string_set, ("k", [1]), "holds texts, not a int"),
        (get_counter, (1,), "a key is a text, not a int"),
    ):
        with pytest.raises(TypeError, match=text):
            during(values, at(0), call, *arguments)
    with pytest.raises(ValueError, match="at most 409,600 are kept"):
        during(values, at(0), put_string_set, "k", ["x" * VALUE_LIMIT])


def test_outside_of_an_event_nothing_can_be_remembered() -> None:
    with pytest.raises(RuntimeError, match="only while an event is judged"):
        get_counter("k")


def test_an_event_without_an_envelope_has_a_stamp_too() -> None:
    assert during(MemoryValues(), {}, increment_counter, "k", epoch_seconds=START.timestamp()) == 1
    with use(MemoryValues()) as session:
        session.begin({"p_event_time": "2026-11-22 10:00:00.123456789", "p_event_id": 5})
        assert session.stamp == Stamp(START + timedelta(microseconds=123456), "5")


def test_a_long_key_is_told_apart_by_its_hash() -> None:
    values = MemoryValues()
    during(values, at(0), increment_counter, "k" * 600)
    ((key, stored),) = values.written()
    assert len(key) == KEY_LIMIT
    assert stored == StoredValue(Stamp(START, "e"), {"count": 1}, START + LIFETIME)


def test_a_layer_keeps_its_writes_to_itself() -> None:
    below = MemoryValues()
    during(below, at(0), put_string_set, "k", ["below"])
    layer = MemoryValues(below)
    assert during(layer, at(1), add_to_string_set, "k", "layer") == {"below", "layer"}
    during(below, at(2), put_string_set, "k", ["newer"])
    assert during(layer, at(3), get_string_set, "k") == {"newer"}
    assert [key for key, _ in layer.written()] == ["k"]
    assert during(below, at(1.5), get_string_set, "k") == {"below"}


def test_a_layer_over_the_store_is_saved_at_once(store: Database) -> None:
    with store.read() as connection:
        layer = MemoryValues(RuleValues(connection))
        for minute in range(3):
            during(layer, at(minute), increment_counter, "k")
    for _ in range(2):
        with store.begin() as connection:
            save(connection, layer.written())
    with store.read() as connection:
        assert during(RuleValues(connection), at(3), get_counter, "k") == 3


STEPS = st.lists(
    st.tuples(
        st.integers(0, 8),
        st.sampled_from("ab"),
        st.sampled_from(["increment", "add", "reset", "expire"]),
    ),
    max_size=12,
)


def play(values: Values, steps: list[tuple[int, str, str]]) -> list[Any]:
    """The answers of a rule that does one thing per event, each event judged in order of time."""
    answers: list[Any] = []
    with use(values) as session:
        for number, (minute, key, step) in enumerate(sorted(steps)):
            session.begin(at(minute, str(number).zfill(3)))
            if step == "increment":
                answers.append(increment_counter(key))
            elif step == "add":
                answers.append(add_to_string_set(key, str(number)))
            elif step == "reset":
                reset_string_set(key)
            else:
                set_key_expiration(key, 120)
            answers.append((get_counter(key), get_string_set(key)))
    return answers


@given(STEPS)
def test_judging_events_again_gives_the_same_answers(steps: list[tuple[int, str, str]]) -> None:
    values = MemoryValues()
    first = play(values, steps)
    assert play(values, steps) == first
    assert play(MemoryValues(), steps) == first


@given(steps=STEPS, minute=st.integers(0, 12))
@settings(max_examples=25)
def test_purging_changes_nothing_for_later_events(steps: list[tuple[int, str, str]], minute: int) -> None:
    values = MemoryValues()
    play(values, steps)
    engine = sa.create_engine("sqlite://")
    with engine.begin() as connection:
        metadata.create_all(connection, tables=[rule_values])
        save(connection, values.written())
        purge(connection, START + timedelta(minutes=minute))
        kept = RuleValues(connection)
        for later in range(minute, 14):
            for key in "ab":
                for call in (get_counter, get_string_set):
                    assert during(kept, at(later, "zz"), call, key) == during(values, at(later, "zz"), call, key)
    engine.dispose()


def test_purging_deletes_what_is_ended_or_replaced(store: Database) -> None:
    with store.begin() as connection:
        kept = RuleValues(connection)
        during(kept, at(0), increment_counter, "replaced")
        during(kept, at(1, "a"), increment_counter, "replaced")
        during(kept, at(1, "b"), increment_counter, "replaced")
        during(kept, at(0), increment_counter, "ended", 1, 60)
        during(kept, at(5), increment_counter, "later")
        assert purge(connection, START + timedelta(minutes=2)) == 3
        assert during(kept, at(6), get_counter, "replaced") == 3
        assert during(kept, at(6), get_counter, "later") == 1
        assert purge(connection, START + timedelta(days=91)) == 2
