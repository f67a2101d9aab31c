"""Routing must never change what matches: only what is looked at."""

from __future__ import annotations

import gzip
import json
from itertools import product
from pathlib import Path

import pytest

from iota_dagster.core.detection.engine import Engine
from iota_dagster.core.detection.loader import load_rules
from iota_dagster.core.detection.rule import RulePack
from iota_dagster.core.hours import hour_start, parse_hour_key
from iota_dagster.demo.cloudtrail import generate

GET = 'event.get("eventName")'
PROVEN = {
    f'return {GET} == "A"': {"A"},
    f'return "A" == {GET}': {"A"},
    f'return {GET} in ("A", "B") and event.get("errorCode") is None': {"A", "B"},
    f'return {GET} == "A" or {GET} == "B"': {"A", "B"},
    f'if {GET} != "A":\n        return False\n    return True': {"A"},
    f'if {GET} not in NAMES or event.get("x"):\n        return False\n    return True': {"A", "B"},
    f"name = {GET}\n    if name not in NAMES and name not in MORE:\n        return False\n    return True": {
        "A",
        "B",
        "C",
    },
    f'if not ({GET} in MORE):\n        return False\n    return event.get("x") == 1': {"C"},
    'return event["eventName"] in TABLE': {"A"},
    f'if event.get("x"):\n        return {GET} == "A"\n    return {GET} == "B"': None,
    f'if {GET} != "A":\n        return False\n    for _ in (1,):\n        return True\n    return False': {"A"},
    f'return {GET} == "A" and {GET} == "B"': set(),
}
UNPROVEN = (
    f'return {GET} == "A" or event.get("x") == 1',
    f'return {GET}.startswith("A")',
    f"return {GET} in TEXT",
    f'return {GET} != "A"',
    f"return {GET} in CHANGED",
    f'name = {GET}\n    name = "A"\n    return name == "A"',
    'event = {"eventName": "A"}\n    return event.get("eventName") == "A"',
    f'NAMES = ("D",)\n    return {GET} in NAMES',
    f'if {GET} == "A":\n        return True\n    return event.get("x") == 1',
    f'if {GET} == "A":\n        return False\n    return True',
    'return event.get("EventName") == "A"',
)
HEAD = """
NAMES = ("A", "B")
MORE = {"C"}
TABLE = {"A": 1}
TEXT = "ABC"
CHANGED = ["A"]
CHANGED.append("D")


def rule(event):
    """


def pack(folder: Path, bodies: list[str]) -> RulePack:
    for number, body in enumerate(bodies):
        (folder / f"r{number}.py").write_text(f"{HEAD}{body}\n")
        (folder / f"r{number}.yml").write_text(
            f"AnalysisType: rule\nRuleID: R.{number}\nDisplayName: r\nEnabled: true\nFilename: r{number}.py\n"
            "LogTypes: [AWS.CloudTrail]\nSeverity: Low\n"
        )
    loaded = load_rules([folder])
    assert not loaded.errors
    return loaded


@pytest.mark.parametrize(("body", "names"), PROVEN.items())
def test_what_the_code_proves_is_derived(tmp_path: Path, body: str, names: set[str] | None) -> None:
    assert pack(tmp_path, [body]).rules[0].event_names == names


@pytest.mark.parametrize("body", UNPROVEN)
def test_what_the_code_does_not_prove_is_any_event(tmp_path: Path, body: str) -> None:
    assert pack(tmp_path, [body]).rules[0].event_names is None


def test_a_global_that_is_reached_behind_the_trees_back_proves_nothing(tmp_path: Path) -> None:
    loaded = pack(tmp_path, [f'globals()["NAMES"] = ("D",)\n    return {GET} in NAMES'])
    assert loaded.rules[0].event_names is None


def test_matches_are_the_same_with_and_without_the_index(tmp_path: Path) -> None:
    loaded = pack(tmp_path, [*PROVEN, *UNPROVEN])
    names = ["A", "B", "C", "D", "", None, 5, ["A"], {"A": 1}]
    events = [{"eventName": name} | more for name, more in product(names, ({}, {"x": 1}, {"errorCode": "Denied"}))]
    events += [{"x": 1}, {"EVENTNAME": "A"}, {"eventname": "B", "x": 1}, {"eventName": "C", "EVENTNAME": "A"}]
    records = [json.dumps(event).encode() for event in events] + [b'{"eventName":"B","eventName":"A"}', b"{", b"[]"]
    assert_same(loaded, records)


def test_our_own_rules_find_the_same_in_the_demo_and_in_their_own_tests() -> None:
    loaded = load_rules([Path("rules")])
    hour = parse_hour_key("2026-11-22-10:00")
    generated = generate(until=hour_start(hour), hours=6, events=10_200, seed=hour)
    records = [json.dumps(test.log).encode() for rule in loaded.rules for test in rule.tests]
    for file in generated.files:
        records += [json.dumps(record).encode() for record in json.loads(gzip.decompress(file.body))["Records"]]
    assert len(records) > 10_000
    assert assert_same(loaded, records) > 50


def assert_same(loaded: RulePack, records: list[bytes]) -> int:
    routed = Engine(loaded).evaluate("AWS.CloudTrail", records)
    plain = Engine(loaded, routed=False).evaluate("AWS.CloudTrail", records)
    assert routed.matches == plain.matches
    return len(routed.matches)
