"""Match expressions: what they mean, what they refuse, and what routing may conclude from them."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iota_dagster.core.detection.event import Event
from iota_dagster.core.detection.match_expressions.conditions import ConditionError, compile_conditions, necessary
from iota_dagster.core.detection.yaml_rules import rule_functions
from iota_dagster.core.yaml12 import load

RECORD = {
    "eventName": "ConsoleLogin",
    "count": 5,
    "score": 2.5,
    "mfa": False,
    "note": "",
    "gone": None,
    "sourceIPAddress": "203.0.113.7",
    "inner": {"ip": "10.1.2.3", "count": 7, "v6": "2001:db8::1"},
    "tags": ["Red", "green"],
    "empty": [],
    "block": "198.51.100.0/24",
    "resources": [
        {"type": "AWS::S3::Bucket", "size": 1, "owners": ["a"]},
        {"type": "AWS::S3::Object", "size": 9, "owners": ["b", "c"]},
    ],
    "p_enrichment": {
        "assets": {"sourceIPAddress": {"owner": "ops", "p_match": "203.0.113.7"}},
        "people": {"users": [{"name": "ann"}, {"team": "x"}, {"name": "bob"}]},
    },
}


def holds(*items: Any, record: dict[str, Any] | None = None) -> bool:
    return compile_conditions(items, "Detection")(Event(RECORD if record is None else record))


def is_true(key: str, condition: str, *value: Any) -> bool:
    return holds({"KeyPath": key, "Condition": condition, **({"Value": value[0]} if value else {})})


@pytest.mark.parametrize(
    ("key", "condition", "value"),
    [
        ("eventName", "Equals", "ConsoleLogin"),
        ("eventName", "DoesNotEqual", "consolelogin"),
        ("missing", "DoesNotEqual", "x"),
        ("count", "Equals", 5),
        ("count", "DoesNotEqual", "5"),
        ("mfa", "Equals", False),
        ("mfa", "DoesNotEqual", 0),
        ("eventName", "IEquals", "CONSOLELOGIN"),
        ("eventName", "IDoesNotEqual", "Logout"),
        ("eventName", "StartsWith", "Console"),
        ("eventName", "DoesNotStartWith", "console"),
        ("eventName", "IStartsWith", "console"),
        ("count", "DoesNotStartWith", "5"),
        ("eventName", "EndsWith", "Login"),
        ("eventName", "IEndsWith", "login"),
        ("eventName", "IDoesNotEndWith", "logout"),
        ("eventName", "Contains", "sole"),
        ("eventName", "IContains", "SOLE"),
        ("tags", "Contains", "green"),
        ("tags", "DoesNotContain", "red"),
        ("tags", "IContains", "red"),
        ("inner", "Contains", "ip"),
        ("inner", "IContains", "IP"),
        ("missing", "DoesNotContain", "x"),
        ("resources[*].size", "Contains", 9),
        ("resources[*].size", "DoesNotContain", True),
        ("count", "IsGreaterThan", 4.5),
        ("count", "IsGreaterThanOrEqual", 5),
        ("count", "IsGreaterThanOrEquals", 5),
        ("score", "IsLessThan", 3),
        ("score", "IsLessThanOrEqual", 2.5),
        ("score", "IsLessThanOrEquals", 2.5),
        ("eventName", "IsGreaterThan", "B"),
        ("sourceIPAddress", "IsIPAddressInCIDR", "203.0.113.0/24"),
        ("inner.ip", "IsIPAddressNotInCIDR", "203.0.113.0/24"),
        ("eventName", "IsIPAddressNotInCIDR", "0.0.0.0/0"),
        ("block", "CIDRContainsIPAddresses", "198.51.100.9"),
        ("block", "CIDRDoesNotContainIPAddresses", "203.0.113.7"),
        ("eventName", "MatchesRegex", "^Con.*in$"),
        ("count", "DoesNotMatchRegex", "5"),
    ],
)
def test_a_condition_with_a_value_holds(key: str, condition: str, value: object) -> None:
    assert is_true(key, condition, value)


@pytest.mark.parametrize(
    ("key", "condition", "value"),
    [
        ("missing", "Equals", "x"),
        ("gone", "StartsWith", ""),
        ("missing", "Contains", "x"),
        ("count", "IsGreaterThan", "4"),
        ("mfa", "IsLessThan", 1),
        ("missing", "IsLessThan", 1),
        ("eventName", "IsIPAddressInCIDR", "0.0.0.0/0"),
        ("inner.v6", "IsIPAddressInCIDR", "0.0.0.0/0"),
        ("eventName", "CIDRContainsIPAddresses", "203.0.113.7"),
        ("tags", "Equals", "Red"),
    ],
)
def test_a_condition_with_a_value_does_not_hold(key: str, condition: str, value: object) -> None:
    assert not is_true(key, condition, value)


@pytest.mark.parametrize(
    ("condition", "holding"),
    [
        ("Exists", "eventName count mfa note tags empty"),
        ("DoesNotExist", "gone missing inner.missing"),
        ("IsNull", "gone missing"),
        ("IsNotNull", "note mfa"),
        ("IsNullOrEmpty", "gone missing note empty"),
        ("IsNotNullOrEmpty", "eventName mfa tags"),
        ("IsIPAddress", "sourceIPAddress inner.ip inner.v6"),
        ("IsIPv4Address", "sourceIPAddress inner.ip"),
        ("IsIPv6Address", "inner.v6"),
        ("IsIPAddressPublic", "sourceIPAddress inner.v6"),
        ("IsIPAddressPrivate", "inner.ip"),
    ],
)
def test_a_condition_without_a_value_holds(condition: str, holding: str) -> None:
    for key in holding.split():
        assert is_true(key, condition), key
    if condition.startswith("IsIP"):
        keys = {"eventName", "count", "gone", "tags", "sourceIPAddress", "inner.ip", "inner.v6"}
        assert {key for key in keys if is_true(key, condition)} == set(holding.split())


@pytest.mark.parametrize("condition", ["Exists", "IsNull", "IsNullOrEmpty"])
def test_a_negated_condition_holds_exactly_when_its_positive_one_does_not(condition: str) -> None:
    other = {"Exists": "DoesNotExist", "IsNull": "IsNotNull", "IsNullOrEmpty": "IsNotNullOrEmpty"}[condition]
    for key in ("eventName", "gone", "missing", "note", "empty", "tags"):
        assert is_true(key, condition) is not is_true(key, other)


def test_a_value_is_looked_for_in_a_list() -> None:
    assert holds({"Key": "eventName", "Condition": "IsIn", "Values": ["A", "ConsoleLogin"]})
    assert holds({"Key": "count", "Condition": "IsNotIn", "Values": ["5", True, 4]})
    assert not holds({"Key": "inner", "Condition": "IsIn", "Values": ["a"]})
    assert holds({"Key": "missing", "Condition": "IsNotIn", "Values": ["a"]})
    networks = ["192.0.2.0/24", "203.0.113.0/24"]
    assert holds({"Key": "sourceIPAddress", "Condition": "IsIPAddressInCIDR", "Values": networks})


def test_a_key_is_named_in_four_ways() -> None:
    for key in ({"Key": "count"}, {"KeyPath": "$.count"}, {"DeepKey": ["count"]}):
        assert holds({**key, "Condition": "Equals", "Value": 5})
    for key in ({"KeyPath": "inner.count"}, {"DeepKey": ["inner", "count"]}):
        assert holds({**key, "Condition": "Equals", "Value": 7})
    assert not holds({"Key": "inner.count", "Condition": "Exists"})
    assert holds({"Key": "a.b", "Condition": "Exists"}, record={"a.b": 1})
    assert holds({"KeyPath": "resources[1].owners[0]", "Condition": "Equals", "Value": "b"})
    assert not holds({"KeyPath": "resources[2].type", "Condition": "Exists"})


def test_an_enrichment_is_read_like_a_key() -> None:
    of = {"Table": "assets", "Selector": "$.sourceIPAddress", "FieldPath": "owner"}
    assert holds({"Enrichment": of, "Condition": "Equals", "Value": "ops"})
    names = {"Table": "people", "Selector": "users", "FieldPath": "name"}
    assert holds({"Enrichment": names, "Condition": "Contains", "Value": "bob"})
    assert holds({"Enrichment": {**of, "Table": "none"}, "Condition": "DoesNotExist"})


def test_two_keys_are_compared() -> None:
    keys = [{"KeyPath": "inner.count"}, {"Key": "count"}]
    assert holds({"Condition": "IsGreaterThan", "Values": keys})
    assert not holds({"Condition": "Equals", "Values": keys})
    assert not holds({"Condition": "Equals", "Values": [{"Key": "missing"}, {"Key": "gone"}]})


@pytest.mark.parametrize(
    ("condition", "sizes", "expected"),
    [
        ("AnyElement", 5, True),
        ("AnyElement", 50, False),
        ("AllElements", 0, True),
        ("AllElements", 5, False),
        ("OnlyOneElement", 5, True),
        ("OnlyOneElement", 0, False),
        ("NoElement", 50, True),
        ("NoElement", 5, False),
    ],
)
def test_the_elements_of_a_list_are_judged(condition: str, sizes: int, expected: bool) -> None:
    inner = [
        {"KeyPath": "type", "Condition": "StartsWith", "Value": "AWS::S3"},
        {"KeyPath": "size", "Condition": "IsGreaterThan", "Value": sizes},
    ]
    assert holds({"KeyPath": "resources", "Condition": condition, "Expressions": inner}) is expected


def test_elements_that_are_no_mappings_are_judged_without_a_key() -> None:
    inner = [{"Any": [{"Condition": "Equals", "Value": "green"}, {"Condition": "MatchesRegex", "Value": "^blue"}]}]
    assert holds({"Key": "tags", "Condition": "AnyElement", "Expressions": inner})
    assert holds({"Key": "tags", "Condition": "OnlyOneElement", "Expressions": inner})


def test_what_is_no_list_or_is_empty_has_no_elements() -> None:
    inner = [{"Condition": "AlwaysTrue"}]
    for key in ("missing", "eventName", "empty"):
        assert not holds({"Key": key, "Condition": "AnyElement", "Expressions": inner})
        assert not holds({"Key": key, "Condition": "AllElements", "Expressions": inner})
        assert holds({"Key": key, "Condition": "NoElement", "Expressions": inner})


@pytest.mark.parametrize(
    ("word", "truths", "expected"),
    [
        ("All", [1, 1], True),
        ("All", [1, 0], False),
        ("Any", [0, 1], True),
        ("Any", [0, 0], False),
        ("OnlyOne", [0, 1], True),
        ("OnlyOne", [1, 1], False),
        ("None", [0, 0], True),
        ("None", [0, 1], False),
        ("All", [], True),
    ],
)
def test_combinators_combine(word: str, truths: list[int], expected: bool) -> None:
    parts = [{"Condition": "AlwaysTrue" if truth else "AlwaysFalse"} for truth in truths]
    assert holds({word: parts}) is expected
    assert holds({"All": [{"Any": [{word: parts}]}]}) is expected


def test_no_expressions_hold_always() -> None:
    assert holds()


@pytest.mark.parametrize(
    ("item", "path", "text"),
    [
        ("x", (0,), "holds a str, not a mapping"),
        ({"KeyPath": "a", "Condition": "Equal", "Value": 1}, (0, "Condition"), "did you mean Equals?"),
        ({"KeyPaht": "a", "Condition": "Exists"}, (0, "KeyPaht"), "did you mean KeyPath?"),
        ({"KeyPath": "a", "Value": 1}, (0,), "Condition is missing"),
        ({"Condition": "Equals", "Value": 1}, (0,), "a key is missing"),
        ({"Condition": "Equals", "Values": [{"Key": "a"}]}, (0, "Values"), "compares two keys, not 1"),
        ({"Condition": "Equals", "Values": [{"Key": "a"}, {"Kye": "b"}]}, (0, "Values", 1, "Kye"), "did you mean Key?"),
        ({"Key": "a", "KeyPath": "b", "Condition": "Exists"}, (0,), "give one key, not 2"),
        ({"Key": "a", "Condition": "Equals"}, (0,), "Equals needs Value"),
        ({"Key": "a", "Condition": "Equals", "Value": None}, (0, "Value"), "there is IsNull"),
        ({"Key": "a", "Condition": "Equals", "Value": ["b"]}, (0, "Value"), "holds a list"),
        ({"Key": "a", "Condition": "Exists", "Value": 1}, (0, "Value"), "Exists takes no Value"),
        ({"Key": "a", "Condition": "AlwaysTrue"}, (0, "Key"), "AlwaysTrue takes no Key"),
        ({"Key": "a", "Condition": "IsIn", "Value": "b"}, (0,), "IsIn needs Values"),
        ({"Key": "a", "Condition": "IsIn", "Values": "b"}, (0, "Values"), "holds a str, not a list"),
        ({"Key": "a", "Condition": "IsIn", "Values": [[1]]}, (0, "Values", 0), "holds a list"),
        ({"Key": "a", "Condition": "IsIPAddressInCIDR", "Value": "b"}, (0, "Value"), "is not a network"),
        ({"Key": "a", "Condition": "CIDRContainsIPAddresses", "Value": "b"}, (0, "Value"), "is not an IP address"),
        ({"Key": "a", "Condition": "MatchesRegex", "Value": "("}, (0, "Value"), "no regular expression"),
        ({"Key": 1, "Condition": "Exists"}, (0, "Key"), "holds a int, not a key"),
        ({"KeyPath": "a..b", "Condition": "Exists"}, (0, "KeyPath"), "'a..b' is no path from '..b' on"),
        ({"DeepKey": "a", "Condition": "Exists"}, (0, "DeepKey"), "holds a str, not a list"),
        ({"DeepKey": [1], "Condition": "Exists"}, (0, "DeepKey"), "a list of keys"),
        ({"Key": "a", "Condition": "AnyElement"}, (0,), "AnyElement needs Expressions"),
        ({"Key": "a", "Condition": "AnyElement", "Expressions": []}, (0, "Expressions"), "at least one"),
        ({"Any": []}, (0, "Any"), "Any needs at least one expression"),
        ({"Any": [{"Condition": "Exists"}]}, (0, "Any", 0), "a key is missing"),
        ({"Any": [], "Key": "a"}, (0, "Any"), "Any stands alone"),
        ({"Enrichment": {"Table": "t"}, "Condition": "Exists"}, (0, "Enrichment"), "Selector is missing"),
        (
            {"Enrichment": {"Table": "t", "Selector": "s", "FieldPath": "f", "x": 1}, "Condition": "Exists"},
            (0, "Enrichment", "x"),
            "unknown word 'x'",
        ),
    ],
)
def test_a_wrong_expression_is_named_with_its_place(item: Any, path: tuple[Any, ...], text: str) -> None:
    with pytest.raises(ConditionError, match=re.escape(text)) as caught:
        compile_conditions([item], "InlineFilters")
    assert caught.value.path == ("InlineFilters", *path)


RULE = """
AnalysisType: rule
Detection:
  - {KeyPath: eventName, Condition: Equals, Value: ConsoleLogin}
  - None:
      - {KeyPath: mfa, Condition: Equals, Value: true}
AlertTitle: "[{eventName}] from {inner.ip} of {inner.nobody} with {tags} {{x}} {"
AlertContext:
  - {KeyName: address, KeyValue: {KeyPath: inner.ip}}
  - {KeyName: inner, KeyValue: {Key: inner}}
  - {KeyName: nobody, KeyValue: {DeepKey: [inner, nobody]}}
GroupBy:
  - KeyPath: eventName
  - KeyPath: missing
  - KeyPath: tags
DynamicSeverities:
  - ChangeTo: Low
    Conditions: [{KeyPath: count, Condition: IsLessThan, Value: 5}]
  - ChangeTo: Critical
    Conditions: [{KeyPath: count, Condition: IsLessThan, Value: 6}]
  - ChangeTo: High
    Conditions: [{Condition: AlwaysTrue}]
"""


def test_a_rule_without_python_has_the_functions_of_one_with() -> None:
    functions, event = rule_functions(load(RULE).value), Event(RECORD)
    assert functions["rule"](event) is True
    assert functions["rule"](Event({"eventName": "ConsoleLogin", "mfa": True})) is False
    assert functions["title"](event) == (
        '[ConsoleLogin] from 10.1.2.3 of <inner.nobody not found> with ["Red","green"] {<x not found>} {'
    )
    assert functions["severity"](event) == "CRITICAL"
    assert functions["dedup"](event) == '["ConsoleLogin",null,["Red","green"]]'
    assert functions["alert_context"](event) == {"address": "10.1.2.3", "inner": RECORD["inner"], "nobody": None}


def test_a_rule_without_python_leaves_out_what_it_does_not_say() -> None:
    detection = [{"Key": "a", "Condition": "Exists"}]
    assert list(rule_functions({"Detection": detection})) == ["rule"]
    functions = rule_functions(
        {
            "Detection": detection,
            "GroupBy": [{"Key": "a"}],
            "DynamicSeverities": [{"ChangeTo": "low", "Conditions": [{"Condition": "AlwaysFalse"}]}],
        }
    )
    assert functions["dedup"](Event({"a": 1})) == "1"
    assert functions["dedup"](Event({})) == ""
    assert functions["severity"](Event({})) == "DEFAULT"


@pytest.mark.parametrize(
    ("change", "path", "text"),
    [
        ({"Detection": []}, ("Detection",), "every event matches"),
        ({"Detection": None}, ("Detection",), "holds nothing, not a list"),
        ({"AlertTitle": "{a..b}"}, ("AlertTitle",), "is no path"),
        ({"AlertTitle": 1}, ("AlertTitle",), "holds a int, not a text"),
        ({"AlertContext": [{"KeyName": "a"}]}, ("AlertContext", 0), "is not {KeyName"),
        ({"GroupBy": ["a"]}, ("GroupBy", 0), "not a mapping"),
        ({"DynamicSeverities": [{"ChangeTo": "Low"}]}, ("DynamicSeverities", 0), "is not {ChangeTo"),
        (
            {"DynamicSeverities": [{"ChangeTo": "Hihg", "Conditions": []}]},
            ("DynamicSeverities", 0, "ChangeTo"),
            "did you mean High?",
        ),
        (
            {"DynamicSeverities": [{"ChangeTo": "High", "Conditions": []}]},
            ("DynamicSeverities", 0, "Conditions"),
            "at least one",
        ),
        (
            {"DynamicSeverities": [{"ChangeTo": "High", "Conditions": [{"Key": "a"}]}]},
            ("DynamicSeverities", 0, "Conditions", 0),
            "Condition is missing",
        ),
    ],
)
def test_a_wrong_rule_without_python_is_named_with_its_place(
    change: dict[str, Any], path: tuple[Any, ...], text: str
) -> None:
    with pytest.raises(ConditionError, match=re.escape(text)) as caught:
        rule_functions({"Detection": [{"Condition": "AlwaysTrue"}], **change})
    assert caught.value.path == path


def test_what_must_be_in_an_event_is_read_off_exact_comparisons() -> None:
    name = {"KeyPath": "eventName", "Condition": "IsIn", "Values": ["A", "B"]}
    source = {"Key": "eventSource", "Condition": "Equals", "Value": "s3"}
    assert necessary([name, source]) == {"eventName": {"A", "B"}, "eventSource": {"s3"}}
    assert necessary([{"All": [name]}, {"DeepKey": ["eventName"], "Condition": "Equals", "Value": "B"}]) == {
        "eventName": {"B"}
    }
    either = {"Any": [name, {"Key": "eventName", "Condition": "Equals", "Value": "C"}]}
    assert necessary([either]) == {"eventName": {"A", "B", "C"}}
    assert necessary([{"Any": [name, source]}]) == {}
    assert necessary([{"None": [name]}]) == {}
    assert necessary([{"KeyPath": "a.b", "Condition": "Equals", "Value": "x"}]) == {}
    assert necessary([{"Key": "a", "Condition": "Equals", "Value": 1}]) == {}
    assert necessary([{"Key": "a", "Condition": "IEquals", "Value": "x"}]) == {}
    assert necessary([]) == {}


KEYS = st.sampled_from(["a", "b", "A"])
TEXTS = st.sampled_from(["x", "y", "X"])
LEAVES = st.one_of(
    st.fixed_dictionaries({"KeyPath": KEYS, "Condition": st.sampled_from(["Equals", "DoesNotEqual"]), "Value": TEXTS}),
    st.fixed_dictionaries({"Key": KEYS, "Condition": st.sampled_from(["IsIn", "IsNotIn"]), "Values": st.lists(TEXTS)}),
    st.fixed_dictionaries({"Key": KEYS, "Condition": st.just("Exists")}),
    st.fixed_dictionaries({"Condition": st.sampled_from(["AlwaysTrue", "AlwaysFalse"])}),
)
EXPRESSIONS = st.recursive(
    LEAVES,
    lambda inner: st.dictionaries(
        st.sampled_from(["All", "Any", "OnlyOne", "None"]),
        st.lists(inner, min_size=1, max_size=3),
        min_size=1,
        max_size=1,
    ),
    max_leaves=8,
)
RECORDS = st.dictionaries(KEYS, TEXTS | st.none() | st.integers(0, 1) | st.lists(TEXTS, max_size=1))


@given(st.lists(EXPRESSIONS, max_size=3), RECORDS)
def test_an_event_without_what_is_necessary_never_matches(items: list[Any], record: dict[str, Any]) -> None:
    event = Event(record)
    needed = necessary(items)
    outside = any(event.get(key) not in list(texts) for key, texts in needed.items())
    if outside:
        assert not compile_conditions(items, "Detection")(event)


@given(EXPRESSIONS, RECORDS)
def test_none_is_the_opposite_of_any(item: Any, record: dict[str, Any]) -> None:
    event = Event(record)
    some, none = (compile_conditions([{word: [item]}], "Detection") for word in ("Any", "None"))
    assert some(event) is not none(event)
