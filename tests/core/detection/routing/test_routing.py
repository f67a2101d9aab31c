"""Routing must never change what matches: only what is looked at."""

from __future__ import annotations

import ast
import gzip
import json
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iota_dagster.core.detection.engine import Engine
from iota_dagster.core.detection.event import Event
from iota_dagster.core.detection.key_values import MemoryValues, use
from iota_dagster.core.detection.loader import load_rules
from iota_dagster.core.detection.routing.module_state import ModuleState, keeps_state
from iota_dagster.core.detection.routing.routes import Routes
from iota_dagster.core.detection.routing.syntax import Syntax
from iota_dagster.core.detection.routing.values import Values, is_never
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
    f'if event.get("x"):\n        return {GET} == "A"\n    return {GET} == "B"': {"A", "B"},
    f'if {GET} != "A":\n        return False\n    for _ in (1,):\n        return True\n    return False': {"A"},
    f'return {GET} == "A" and {GET} == "B"': None,
    f'names = ["A", "B"]\n    return {GET} in names': {"A", "B"},
    f'names = {{"A"}} | MORE\n    return any({GET} == name for name in names)': {"A", "C"},
    f'if {GET} == "A":\n        return True\n    elif {GET} in MORE:\n        return True': {
        "A",
        "C",
    },
    'return event["eventName"] in TABLE or event.deep_get("eventName") in NAMES + ("D",)': {"A", "B", "D"},
    f'return any(({GET} == "A", all([{GET} in MORE, event.get("x")])))': {"A", "C"},
    f"return any({GET} == name for name in NAMES)": {"A", "B"},
    f"return bool((name := {GET}) and name in NAMES)": {"A", "B"},
    f'return event.get("x") == 1 if {GET} == "A" else {GET} == "B"': {"A", "B"},
    f'wanted = {GET} in NAMES\n    return wanted and event.get("x") == 1': {"A", "B"},
    "return is_named(event, NAMES)": {"A", "B"},
    f'NAMES = ("D",)\n    return {GET} in NAMES': {"D"},
    f"return in_names({GET})": {"A", "B"},
    "return not unnamed(event)": {"A"},
    f'if unnamed(event):\n        return False\n    return {GET} != "B"': {"A"},
    f'assert {GET} == "A"\n    return True': {"A"},
    f'try:\n        return {GET} == "A"\n    except KeyError:\n        return False': {"A"},
    f'return ({GET} or "") == "A"': {"A"},
}
PREFIXED = {
    f'return {GET}.startswith("A")': {"A"},
    'return event.get("eventName", "").startswith(NAMES)': {"A", "B"},
    f"return any({GET}.startswith(start) for start in NAMES)": {"A", "B"},
}
ABSENT = {
    'return event.get("eventName", "A") == "A"': True,
    'return event.get("eventName", "B") == "A"': False,
    'return event.get("eventName", event.get("x")) == "A"': True,
    'return event.get("eventName", None) == "A"': False,
    'return event["eventName"] == "A"': False,
    'return (event.get("eventName") or "") in ("", "A")': True,
    'return event.get("eventName", "").startswith("A")': False,
    'return event.get("eventName", default="AB").startswith("A")': True,
}
UNPROVEN = (
    f'return {GET} == "A" or event.get("x") == 1',
    f"return {GET} in TEXT",
    f'return {GET} != "A"',
    f"return {GET} in CHANGED",
    f'name = {GET}\n    name = "A"\n    return name == "A"',
    'event = {"eventName": "A"}\n    return event.get("eventName") == "A"',
    f'if {GET} == "A":\n        return True\n    return event.get("x") == 1',
    f'if {GET} == "A":\n        return False\n    return True',
    f'try:\n        return {GET} == "A"\n    except KeyError:\n        return True',
    f'return {GET} in (None, "A")',
    f'return {GET} in ("A", 5)',
    f"return any({GET} == name for name in CHANGED)",
    f'return (lambda event: event.get("x") == 1)(event) or {GET} == "A"',
    "return is_named(event, CHANGED)",
    "return hidden(event)",
    f'names = ["A"]\n    names.append("B")\n    return {GET} in names',
    f'names = {{"A"}}\n    names.add("B")\n    return {GET} in names',
    f'names = ["A"]\n    more = names\n    more += ["B"]\n    return {GET} in names',
    f'names = ["A"]\n    widen(names)\n    return {GET} in names',
    'return widened(event, ["A"])',
    f'for event in ({{"eventName": "A"}},):\n        if {GET} == "A":\n            return True',
)
HEAD = """
NAMES = ("A", "B")
MORE = {"C"}
TABLE = {"A": 1}
TEXT = "ABC"
CHANGED = ["A"]
CHANGED.append("D")


def is_named(event, names):
    return event.get("eventName") in names


def in_names(name):
    return name in NAMES


def widen(names):
    names.append("B")


def widened(event, names):
    names.append("B")
    return event.get("eventName") in names


def unnamed(event):
    if event.get("eventName") == "A":
        return False
    return True


def hidden(event):
    if event.get("x") == 1:
        yield event
    return event.get("eventName") == "A"


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
    need = pack(tmp_path, [body]).rules[0].need
    assert is_never(need) if names is None else need["eventName"] == Values(frozenset(names))


@pytest.mark.parametrize(("body", "prefixes"), PREFIXED.items())
def test_a_beginning_is_derived(tmp_path: Path, body: str, prefixes: set[str]) -> None:
    assert pack(tmp_path, [body]).rules[0].need == {"eventName": Values(prefixes=frozenset(prefixes))}


@pytest.mark.parametrize(("body", "absent"), ABSENT.items())
def test_what_stands_for_an_absent_field_is_taken_into_account(tmp_path: Path, body: str, absent: bool) -> None:
    assert pack(tmp_path, [body]).rules[0].need["eventName"].absent is absent


@pytest.mark.parametrize("body", UNPROVEN)
def test_what_the_code_does_not_prove_is_any_event(tmp_path: Path, body: str) -> None:
    assert "eventName" not in pack(tmp_path, [body]).rules[0].need


NESTED = (
    'return event.deep_get("who", "type") == "A"',
    'return event.get("who", {}).get("type") == "A"',
    'return event["who"]["type"] in ("A",)',
    'who = event.get("who")\n    return who.get("type", "") == "A"',
)


@pytest.mark.parametrize("body", NESTED)
def test_a_field_one_level_below_is_derived(tmp_path: Path, body: str) -> None:
    assert pack(tmp_path, [body]).rules[0].need == {"who.type": Values(frozenset({"A"}))}


PARTS = (
    'return "Kali" in event.get("agent")',
    'return any(word in event.get("agent", "").lower() for word in ("kali",))',
    'agent = str(event.get("agent", "")).lower()\n    return agent.startswith("kali")',
    'return (event.get("agent") or "").strip() == "kali"',
)


@pytest.mark.parametrize("body", PARTS)
def test_a_part_of_a_text_is_derived(tmp_path: Path, body: str) -> None:
    assert pack(tmp_path, [body]).rules[0].need == {"agent": Values(parts=frozenset({"kali"}))}


def test_what_stands_for_an_absent_text_may_hold_the_part(tmp_path: Path) -> None:
    assert pack(tmp_path, ['return str(event.get("agent")).lower() == "none"']).rules[0].need["agent"].absent


def test_several_fields_are_derived_together(tmp_path: Path) -> None:
    body = f'return {GET} == "A" and event.get("eventSource") in NAMES and event.get("errorCode").startswith("x")'
    assert pack(tmp_path, [body]).rules[0].need == {
        "eventName": Values(frozenset({"A"})),
        "eventSource": Values(frozenset({"A", "B"})),
        "errorCode": Values(prefixes=frozenset({"x"})),
    }


def test_helpers_of_the_repository_are_read_too(tmp_path: Path) -> None:
    (tmp_path / "global_helpers").mkdir()
    code = "NAMES = {'A': 1}\nUSED = ['B']\n\n\ndef named(event):\n    return event.get('eventName') in NAMES\n"
    (tmp_path / "global_helpers" / "helper.py").write_text(code)
    bodies = ["return helper.named(event)\n\n\nimport helper", f"return {GET} in USED\n\n\nfrom helper import USED"]
    bodies += [f"USED.append('C')\n    return {GET} in USED\n\n\nfrom helper import USED"]
    needs = [rule.need for rule in pack(tmp_path, bodies).rules]
    assert needs == [{"eventName": Values(frozenset({"A"}))}, {"eventName": Values(frozenset({"B"}))}, {}]


def test_a_global_that_is_reached_behind_the_trees_back_proves_nothing(tmp_path: Path) -> None:
    loaded = pack(tmp_path, [f'globals()["NAMES"] = ("D",)\n    return {GET} in NAMES'])
    assert loaded.rules[0].need == {}


def test_matches_are_the_same_with_and_without_the_index(tmp_path: Path) -> None:
    loaded = pack(tmp_path, [*PROVEN, *PREFIXED, *ABSENT, *NESTED, *PARTS, *UNPROVEN])
    names = ["A", "B", "C", "D", "", None, 5, ["A"], {"A": 1}]
    others: list[dict[str, object]] = [{}, {"x": 1}, {"errorCode": "Denied"}]
    events = [{"eventName": name} | other for name, other in product(names, others)]
    events += [{"x": 1}, {"EVENTNAME": "A"}, {"eventname": "B", "x": 1}, {"eventName": "C", "EVENTNAME": "A"}, {}]
    events += [{"who": who} for who in ({"type": "A"}, {"TYPE": "A"}, {"type": 5}, {}, "A", None, [{"type": "A"}])]
    events += [{"agent": agent} for agent in ("aws kali", " Kali ", "KALI", None, 5, ["Kali"], "None")]
    events += [{"Who": {"type": "A"}}, {"\u0130": "x", "x": 1}, {"nested": {"eventName": "A"}}]
    odd = [b'{"eventName":"B","eventName":"A"}', b'{"EVENTN\\u0041ME": "A"}', b'{"eventName":null,"EventName":"A"}']
    records = [*(json.dumps(event).encode() for event in events), *odd, b"{", b"[]"]
    assert_same(loaded, records)


def test_our_own_rules_find_the_same_in_the_demo_and_in_their_own_tests() -> None:
    loaded = load_rules([Path("rules")])
    hour = parse_hour_key("2026-11-22-10:00")
    generated = generate(until=hour_start(hour), hours=6, events=1_800, seed=hour)
    records = [json.dumps(test.log).encode() for own in loaded.tests.values() for test in own.tests]
    for file in generated.files:
        records += [json.dumps(record).encode() for record in json.loads(gzip.decompress(file.body))["Records"]]
    assert len(records) > 3_000
    assert assert_same(loaded, records) > 500


FIELDS = ("who.type", "who.name", "eventName", "eventSource", "errorCode", "eventname", "x", "other")
TEXTS = ("A", "B", "C", "D", "AB", "", "x1")


@given(
    events=st.lists(
        st.dictionaries(st.sampled_from(FIELDS), st.sampled_from(TEXTS) | st.none() | st.integers(0, 5)), max_size=20
    ),
    needs=st.lists(
        st.dictionaries(
            st.sampled_from(FIELDS),
            st.builds(
                Values,
                st.frozensets(st.sampled_from(TEXTS)),
                st.frozensets(st.sampled_from(TEXTS)),
                st.frozensets(st.sampled_from(("a", "b", "1"))),
                st.booleans(),
            ),
        ),
        max_size=8,
    ),
)
def test_no_event_that_meets_a_need_is_kept_from_its_rule(
    events: list[dict[str, str | int | None]], needs: list[dict[str, Values]]
) -> None:
    routes = Routes([(need, number) for number, need in enumerate(needs)])
    for event in events:
        who = {key.partition(".")[2]: value for key, value in event.items() if "." in key}
        record = {key: value for key, value in event.items() if "." not in key} | ({"who": who} if who else {})
        shown = routes.of(json.dumps(record).encode())
        assert all(number in shown for number, need in enumerate(needs) if meets(Event(record), need))


def meets(event: Event, need: dict[str, Values]) -> bool:
    for field, values in need.items():
        found = event.deep_get(*field.split("."))
        if (isinstance(found, str) and not values.admits(found)) or (found is None and not values.absent):
            return False
    return True


def assert_same(loaded: RulePack, records: list[bytes]) -> int:
    matches = 0
    routed, plain = Engine(loaded.rules), Engine(loaded.rules, routed=False)
    for log_type in sorted({log_type for rule in loaded.rules for log_type in rule.log_types}):
        found = routed.evaluate(log_type, records).matches
        assert found == plain.evaluate(log_type, records).matches
        matches += len(found)
    return matches


CREATED = 'if event.get("eventName") == "Create":\n        {}\n        return False\n    '
DELETED = 'return event.get("eventName") == "Delete" and '
KEEPING = {
    "a list": ("SEEN = []", "SEEN.append(1)", "len(SEEN) > 0"),
    "a list by another name": ("SEEN = []", "seen = SEEN; seen.append(1)", "len(SEEN) > 0"),
    "a list given to a function": ("SEEN = []", "note(SEEN)", "len(SEEN) > 0"),
    "a list given to one of two functions of a name": (
        "SEEN = []\n\n\nclass Notes:\n    def note(self):\n        return 1 in self",
        "note(SEEN)",
        "len(SEEN) > 0",
    ),
    "a list changed by a function": ("SEEN = []", "note_it()", "len(SEEN) > 0"),
    "a dictionary": ("SEEN = {}", "SEEN['x'] = 1", "'x' in SEEN"),
    "a dictionary of lists": ("SEEN = {}", "SEEN.setdefault('x', []).append(1)", "'x' in SEEN"),
    "a global": ("SEEN = 0", "global SEEN; SEEN += 1", "SEEN > 0"),
    "a function's attribute": ("SEEN = 0", "note.seen = 1", "getattr(note, 'seen', 0)  == 1"),
    "a class": ("class Seen:\n    number = 0", "Seen.number = 1", "Seen.number == 1"),
    "an instance": (
        "class Seen:\n    def __init__(self):\n        self.number = 0\n    def note(self):\n        self.number += 1\n"
        "SEEN = Seen()",
        "SEEN.note()",
        "SEEN.number == 1",
    ),
    "a default": ("def kept(more, seen=[]):\n    seen += more\n    return seen", "kept([1])", "len(kept([])) > 0"),
    "iota's memory": (
        "from panther_detection_helpers.caching import get_string_set, put_string_set",
        "put_string_set('x', ['y'])",
        "'y' in get_string_set('x')",
    ),
}
NOTE = "\n\ndef note(seen):\n    seen.append(1)\n\n\ndef note_it():\n    SEEN.append(1)\n\n\n"


@pytest.mark.parametrize("how", KEEPING)
def test_a_rule_that_keeps_something_is_shown_every_event(tmp_path: Path, how: str) -> None:
    before, keep, found = KEEPING[how]
    loaded = pack(tmp_path, [f"{CREATED.format(keep)}{DELETED}{found}\n{NOTE}{before}"])
    assert loaded.rules[0].need == {}
    records = [b'{"eventName":"Delete"}', b'{"eventName":"Create"}', b'{"eventName":"Delete"}']
    with use(MemoryValues()) as session:
        stamped = [b'{"p_event_time":"2026-11-22T10:00:0%dZ",' % at + record[1:] for at, record in enumerate(records)]
        found_by = Engine(loaded.rules).evaluate("AWS.CloudTrail", stamped, (), session)
    assert ([match.index for match in found_by.matches], found_by.failures) == ([2], [])


@pytest.mark.parametrize(
    "body",
    [
        f'global LAST\n    LAST = {GET}\n    return LAST == "A" or {GET} == "A"',
        f'TABLE["last"] = 1\n    return {GET} == "A"\n\n\ndef title(event):\n    return str(TABLE)',
        f'found = []\n    found.append(1)\n    return {GET} == "A"',
        f'return {GET} == "A" and is_named(event, list(NAMES))\n\n\ndef title(event):\n    CHANGED.append(1)',
    ],
)
def test_what_a_rule_leaves_for_its_title_or_forgets_is_nothing_kept(tmp_path: Path, body: str) -> None:
    loaded = pack(tmp_path, [f"{body}\n\n\nLAST = None"])
    assert set(loaded.rules[0].need) <= {"eventName"}
    code = loaded.rules[0].code
    assert not keeps_state([ModuleState(Syntax(ast.parse(Path(code).read_bytes())))], "rule")


@pytest.mark.parametrize("who", [b"null", b'{"type":"A"}', b"{}", b"5"])
def test_an_object_that_is_null_does_not_show_the_record_to_all_rules(who: bytes) -> None:
    routes = Routes([({"who.type": Values(frozenset({"A"})), "name": Values(frozenset({"X"}))}, 0)])
    assert list(routes.of(b'{"name":"Y","who":%b}' % who)) == ([0] if who == b"5" else [])
    assert list(routes.of(b'{"name":"X","who":%b}' % who)) == ([0] if who in (b"5", b'{"type":"A"}') else [])
    assert list(routes.of(b'{"name":"X","who":null,"Who":{"type":"A"}}')) == [0]


@pytest.mark.parametrize("key", ["Key: a.b", "KeyPath: \"'a.b'\"", "DeepKey: [a.b]"])
def test_a_key_with_a_dot_is_none_of_an_object_below(tmp_path: Path, key: str) -> None:
    (tmp_path / "a.yml").write_text(
        "AnalysisType: rule\nRuleID: a\nEnabled: true\nLogTypes: [T]\nSeverity: Low\n"
        f"Detection:\n  - {key}\n    Condition: Equals\n    Value: x\n"
    )
    loaded = load_rules([tmp_path])
    assert loaded.errors == ()
    assert len(Engine(loaded.rules).evaluate("T", [b'{"a.b":"x"}']).matches) == 1
