"""The event view: what a rule can read, and that it can change nothing."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iota_dagster.core.detection.event import Event, EventContext, ListView, MappingView, plain

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.text(max_size=4), JSON, max_size=5)


def call() -> Event:
    return Event(
        {
            "eventName": "RunInstances",
            "requestParameters": None,
            "userIdentity": {"type": "IAMUser", "userName": "alice", "sessionContext": None},
            "resources": [{"ARN": "a", "tags": [{"k": 1}, {"k": 2}]}, {"ARN": "b", "tags": [{"k": 2}]}, {"ARN": "a"}],
            "names": ["x", "y"],
        }
    )


def without_nulls(value: object) -> object:
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


def test_a_null_is_an_absent_key_everywhere() -> None:
    event = call()
    assert event.get("requestParameters", {}) == {}
    assert "requestParameters" not in event
    assert "sessionContext" not in event["userIdentity"]
    assert list(event) == ["eventName", "userIdentity", "resources", "names"]
    assert len(event) == 4
    with pytest.raises(KeyError, match="requestParameters"):
        event["requestParameters"]


def test_a_key_matches_without_regard_to_case_when_it_does_not_match_exactly() -> None:
    event = Event({"Name": 1, "name": 2, "OTHER": {"Inner": 3}, "gone": None, "Gone": 4})
    assert (event["name"], event["Name"], event["NAME"]) == (2, 1, 1)
    assert event["other"]["INNER"] == 3
    assert "oTHER" in event
    assert event["gone"] == 4
    assert event.get(7) is None
    assert 7 not in event  # type: ignore[comparison-overlap]


def test_children_are_views_and_views_are_read_only() -> None:
    event = call()
    assert isinstance(event["userIdentity"], MappingView)
    assert isinstance(event["resources"], ListView)
    assert isinstance(event["resources"][0], MappingView)
    assert isinstance(event["resources"][:2], ListView)
    for target in (event, event["userIdentity"], event["names"]):
        with pytest.raises(TypeError):
            target[0] = "changed"  # type: ignore[index]
        with pytest.raises(TypeError):
            hash(target)
    with pytest.raises(AttributeError):
        event.extra = 1  # type: ignore[attr-defined]


def test_lists_compare_equal_to_lists_and_tuples() -> None:
    names = call()["names"]
    assert names == ["x", "y"]
    assert names == ("x", "y")
    assert names == call()["names"]
    assert names != ["x"]
    assert names != "xy"
    assert str(names) == "['x', 'y']"
    assert "x" in names
    assert ",".join(names) == "x,y"
    assert call()["resources"][2] in call()["resources"]


def test_deep_get_stops_where_the_mappings_end() -> None:
    event = call()
    assert event.deep_get("userIdentity", "userName") == "alice"
    assert event.deep_get("userIdentity", "userName", "x", default="d") == "d"
    assert event.deep_get("names", "x", default="d") == "d"
    assert event.deep_get("userIdentity", "sessionContext", default="d") == "d"
    assert event["userIdentity"].deep_get("type") == "IAMUser"


def test_deep_walk_goes_through_lists_and_gives_distinct_values_in_order() -> None:
    event = call()
    assert event.deep_walk("resources", "ARN") == ["a", "b"]
    assert event.deep_walk("resources", "ARN", return_val="first") == "a"
    assert event.deep_walk("resources", "ARN", return_val="last") == "b"
    assert event.deep_walk("resources", "tags", "k") == [1, 2]
    assert event.deep_walk("resources", "tags") == [{"k": 1}, {"k": 2}]
    assert event.deep_walk("resources", "none", default="d") == "d"
    assert event.deep_walk("eventName", "x", default="d") == "d"
    assert event.deep_walk("names") == ["x", "y"]
    assert Event({"a": [{"b": 1}]}).deep_walk("a", "b") == 1
    assert Event({"a": [[]]}).deep_walk("a", default="d") == "d"


def test_what_deep_walk_and_to_dict_give_can_be_changed_without_touching_the_event() -> None:
    event = call()
    event.deep_walk("resources", "tags")[0]["k"] = "changed"
    event.to_dict()["userIdentity"]["type"] = "changed"
    event.copy()["names"].append("changed")
    event["names"].copy().append("changed")
    assert event == call()


def test_udm_takes_the_unified_field_then_the_events_own_then_the_default() -> None:
    event = Event({"p_udm": {"source_ip": "192.0.2.1", "user": ""}, "user": "alice"})
    assert event.udm("source_ip") == "192.0.2.1"
    assert event.udm("user") == "alice"
    assert event.udm("none", default="d") == "d"
    assert event.udm_path("source_ip") == "p_udm.source_ip"
    assert event.udm_path("user") == "user"
    assert event.udm_path("none") is None


def test_an_event_without_models_and_tables_is_the_same_with_a_context_and_without() -> None:
    data = {"p_log_type": "AWS.CloudTrail", "user": "alice", "p_udm": {"source_ip": "192.0.2.1"}}
    for event in (Event(data), Event(data, EventContext())):
        assert event == data
        assert event.udm("user") == "alice"
        assert event.udm_path("source_ip") == "p_udm.source_ip"
        assert event.lookup("assets", "alice") is None
        assert "p_enrichment" not in event


@pytest.mark.parametrize("text", ["2026-11-22T10:00:00Z", "2026-11-22 10:00:00.000000000", "2026-11-22T11:00:00+01:00"])
def test_the_events_time_is_in_epoch_seconds_in_every_spelling(text: str) -> None:
    assert Event({"p_event_time": text}).event_time_epoch() == 1795341600


def test_an_event_without_its_envelope_has_no_time() -> None:
    with pytest.raises(KeyError, match="p_event_time"):
        call().event_time_epoch()


@given(OBJECTS)
def test_a_view_reads_like_the_record_without_its_nulls(data: dict[str, object]) -> None:
    before = copy.deepcopy(data)
    event = Event(data)
    assert event.to_dict() == without_nulls(data)
    assert event == without_nulls(data)
    assert plain(event) == dict(event.items()) == without_nulls(data)
    assert repr(event) == repr(without_nulls(data))
    assert len(event) == len(list(event))
    assert data == before


@given(OBJECTS, st.text(max_size=4), st.text(max_size=4))
def test_reading_never_fails_whatever_the_record(data: dict[str, object], first: str, second: str) -> None:
    event = Event(data)
    assert (first in event) == (event.get(first) is not None)
    event.deep_get(first, second)
    event.udm(first, second)
    json.dumps(event.deep_walk(first, second))


class _CountedRecord(dict[str, Any]):
    """A record that counts how often it is looked through for another spelling of a key."""

    searches = 0

    def items(self) -> Any:
        self.searches += 1
        return super().items()


def test_what_many_rules_ask_of_one_event_is_found_once() -> None:
    record = _CountedRecord({"eventName": "CreateUser", "requestParameters": {"userName": "alice"}})
    event = Event(record)

    answers = [
        (event.get("errorCode"), event.get("errorCode", "none"), "errorCode" in event, event.get("EVENTNAME"))
        for _ in range(3)
    ]

    assert answers == [(None, "none", False, "CreateUser")] * 3
    assert record.searches == 2
    assert event["requestParameters"] is event.get("requestParameters") is event.deep_get("requestParameters")


def test_a_default_is_for_the_call_that_gave_it_and_not_for_the_next() -> None:
    event = Event({"requestParameters": {"userName": "alice"}})
    mine: list[str] = []

    event.get("tags", mine).append("changed")
    event.deep_get("requestParameters", "tags", default=mine).append("changed")

    assert event.get("tags", []) == []
    assert event.get("tags") is None
    assert event.deep_get("requestParameters", "tags", default="none") == "none"
    assert event.deep_get("requestParameters", "tags") is None


def test_a_copy_that_a_rule_changes_leaves_what_the_next_rule_sees() -> None:
    event = Event({"requestParameters": {"names": ["alice"]}})
    assert event.deep_get("requestParameters", "names") == ["alice"]

    event.to_dict()["requestParameters"]["names"].append("bob")
    event.deep_walk("requestParameters", "names").append("bob")
    event["requestParameters"].copy().clear()

    assert event.deep_get("requestParameters", "names") == ["alice"]
    assert event["requestParameters"] == {"names": ["alice"]}
