"""The engine: order, fallbacks, limits, and that no rule can stop another."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iota_dagster.core.detection.engine import ERRORS_ALLOWED, Engine, RuleFailure, RuleMatch, Verdict
from iota_dagster.core.detection.loader import load_rules
from iota_dagster.core.detection.rule import RulePack

YES = "def rule(event):\n    return True\n"
METADATA = """\
AnalysisType: rule
RuleID: {name}
DisplayName: Shown
Enabled: {enabled}
LogTypes: [T]
Severity: Medium
Description: described
Reference: referred
Runbook: run
"""


def pack(folder: Path, *, enabled: bool = True, **codes: str) -> RulePack:
    for name, code in codes.items():
        (folder / f"{name}.yml").write_text(METADATA.format(name=name, enabled=str(enabled).lower()))
        (folder / f"{name}.py").write_text(code)
    loaded = load_rules([folder])
    assert loaded.errors == ()
    return loaded


def judge(folder: Path, code: str, *records: bytes) -> Verdict:
    return Engine(pack(folder, a=code).rules).evaluate("T", records or [b"{}"])


def one(folder: Path, code: str) -> tuple[RuleMatch, list[RuleFailure]]:
    verdict = judge(folder, YES + code)
    (match,) = verdict.matches
    return match, verdict.failures


def returning(name: str, value: str) -> str:
    return f"def {name}(event):\n    return {value}\n"


def test_a_rule_without_other_functions_takes_everything_from_its_yaml(tmp_path: Path) -> None:
    loaded = pack(tmp_path, a=YES)
    engine = Engine(loaded.rules)
    assert engine.evaluate("T", [b"{}"]) == Verdict(
        [
            RuleMatch(
                index=0,
                rule_id="a",
                rule_version=loaded.rules[0].version,
                severity="MEDIUM",
                title="Shown",
                dedup="rule:a",
                description="described",
                reference="referred",
                runbook="run",
                period_minutes=60,
                threshold=1,
                create_alert=True,
                unique=None,
                destinations=None,
                context={},
            )
        ],
        [],
    )
    assert engine.log_types == {"T"}
    assert engine.evaluate("Other", [b"{}"]) == Verdict([], [])


def test_the_functions_are_asked_in_order_and_with_no_other_event_between(tmp_path: Path) -> None:
    names = ["title", "description", "reference", "severity", "runbook"]
    names += ["destinations", "dedup", "alert_context", "unique"]
    code = "calls = []\ndef rule(event):\n    calls[:] = [event['n']]\n    return event['n'] > 0\n"
    for name in names:
        answer = {"severity": "'LOW'", "destinations": "[]", "alert_context": "{}"}.get(name, "' '.join(calls[1:])")
        code += (
            f"def {name}(event):\n    assert calls[0] == event['n']\n    calls.append({name!r})\n    return {answer}\n"
        )
    verdict = judge(tmp_path, code, b'{"n": 0}', b'{"n": 1}', b'{"n": 2}')
    assert verdict.failures == []
    assert [match.index for match in verdict.matches] == [1, 2]
    assert {match.unique for match in verdict.matches} == {" ".join(names)}


@pytest.mark.parametrize(
    ("code", "title", "dedup"),
    [
        (returning("title", "'t'"), "t", "t"),
        (returning("title", "''"), "Shown", "rule:a"),
        (returning("title", "1"), "Shown", "rule:a"),
        (returning("title", "'t'") + returning("dedup", "''"), "t", "t"),
        (returning("title", "'t'") + returning("dedup", "1 / 0"), "t", "t"),
        (returning("dedup", "'d'"), "Shown", "d"),
        ("title = 'not a function'\n", "Shown", "rule:a"),
        (returning("title", "'x' * 1001"), "x" * 999 + "…", "x" * 999 + "…"),
        (returning("title", r"'a\x00b\ud800'"), "a\ufffdb?", "a\ufffdb?"),
    ],
)
def test_title_and_dedup_fall_back_and_are_cut(tmp_path: Path, code: str, title: str, dedup: str) -> None:
    match, _ = one(tmp_path, code)
    assert (match.title, match.dedup) == (title, dedup)


@pytest.mark.parametrize(
    ("value", "severity"), [("'high'", "HIGH"), ("'Default'", "MEDIUM"), ("'HUGE'", "MEDIUM"), ("None", "MEDIUM")]
)
def test_severity_is_a_known_one_in_any_case(tmp_path: Path, value: str, severity: str) -> None:
    assert one(tmp_path, returning("severity", value))[0].severity == severity


@pytest.mark.parametrize(
    ("value", "destinations"),
    [("None", None), ("[]", ()), ("['a', 'b']", ("a", "b")), ("['d'] * 11", ("d",) * 10), ("'a'", None), ("[1]", None)],
)
def test_destinations_are_names_or_none(tmp_path: Path, value: str, destinations: object) -> None:
    assert one(tmp_path, returning("destinations", value))[0].destinations == destinations


@pytest.mark.parametrize(
    ("value", "context"),
    [
        ("{'e': event, 'l': [event], 't': (1, 2), 's': {3}}", {"e": {}, "l": [{}], "t": [1, 2], "s": [3]}),
        ("event", {}),
        ("[]", {"error": "alert_context failed: TypeError: returned list, not a mapping"}),
        ("{'o': object()}", {"error": "alert_context failed: TypeError: holds a object, which JSON cannot"}),
        (
            "{'x': 'y' * 204800}",
            {"error": "alert_context failed: ValueError: returned 204,808 bytes; at most 204,800 are kept"},
        ),
        ("1 / 0", {"error": "alert_context failed: ZeroDivisionError: division by zero (a.py:4)"}),
    ],
)
def test_the_context_is_plain_json_or_an_error_object(tmp_path: Path, value: str, context: object) -> None:
    match, failures = one(tmp_path, returning("alert_context", value))
    assert match.context == context
    assert bool(failures) == ("error" in match.context)
    json.dumps(match.context)


def test_a_function_that_fails_is_named_with_its_line_and_the_match_stays(tmp_path: Path) -> None:
    match, failures = one(tmp_path, returning("runbook", "1 / 0") + returning("unique", "7"))
    assert (match.runbook, match.unique) == ("run", None)
    assert failures == [
        RuleFailure("a", "runbook", "ZeroDivisionError: division by zero (a.py:4)", 0, 1),
        RuleFailure("a", "unique", "TypeError: returned int, not str", 0, 1),
    ]


@pytest.mark.parametrize("value", ["1", "None", "'True'", "event"])
def test_only_true_is_a_match_and_anything_but_a_bool_is_an_error(tmp_path: Path, value: str) -> None:
    verdict = judge(tmp_path, returning("rule", value))
    assert verdict.matches == []
    assert [(failure.function, failure.count) for failure in verdict.failures] == [("rule", 1)]
    assert verdict.failures[0].error.endswith(", not bool")


@pytest.mark.parametrize(
    "statement",
    [
        "raise SystemExit",
        "return rule(event)",
        "return event['none']",
        "event['x'] = 1",
        "raise type('Odd', (Exception,), {'__str__': lambda self: 1 / 0})",
        "import none",
    ],
)
def test_a_rule_that_fails_stops_neither_the_others_nor_the_next_event(tmp_path: Path, statement: str) -> None:
    engine = Engine(pack(tmp_path, a=f"def rule(event):\n    {statement}\n", b=YES).rules)
    verdict = engine.evaluate("T", [b"{}"] * 3)
    assert [(match.rule_id, match.index) for match in verdict.matches] == [("b", 0), ("b", 1), ("b", 2)]
    assert [(failure.rule_id, failure.index, failure.count) for failure in verdict.failures] == [("a", 0, 3)]


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("x = 1\nx.y.z\n", "AttributeError: 'int' object has no attribute 'y' (a.py:2)"),
        ("import not_there\n", "ModuleNotFoundError: No module named 'not_there' (a.py:1)"),
        ("import sys\n\nsys.exit(3)\n", "SystemExit: 3 (a.py:3)"),
        ("import broken\n", "ZeroDivisionError: division by zero (broken.py:2)"),
    ],
)
def test_a_rule_whose_file_cannot_be_run_is_named_and_the_others_judge(tmp_path: Path, code: str, error: str) -> None:
    (tmp_path / "global_helpers").mkdir()
    (tmp_path / "global_helpers" / "broken.py").write_text("#\n1 / 0\n")
    engine = Engine(pack(tmp_path, a=code + YES, b=YES).rules)
    assert engine.broken == [RuleFailure("a", "import", error, 0, 1)]
    assert [match.rule_id for match in engine.evaluate("T", [b"{}"]).matches] == ["b"]


def test_a_rule_that_fails_again_and_again_is_left_out_for_the_rest_of_the_records(tmp_path: Path) -> None:
    code = "def rule(event):\n    if event['n'] < 200:\n        raise ValueError('no')\n    return True\n"
    records = [json.dumps({"n": number}).encode() for number in range(300)]
    verdict = Engine(pack(tmp_path, a=code, b=YES).rules).evaluate("T", records)
    assert {match.rule_id for match in verdict.matches} == {"b"}
    assert len(verdict.matches) == 300
    assert verdict.failures == [RuleFailure("a", "rule", "ValueError: no (a.py:3)", 0, ERRORS_ALLOWED)]


def test_what_is_switched_off_is_not_called(tmp_path: Path) -> None:
    engine = Engine(pack(tmp_path, a=YES, b=YES).rules)
    matches = engine.evaluate("T", [b"{}", b"{}"], off={(-1, 1), (1, 2)}).matches
    assert [(match.rule_id, match.index) for match in matches] == [("b", 0)]


def test_a_record_that_is_no_object_is_a_failure_and_the_others_are_judged(tmp_path: Path) -> None:
    verdict = judge(tmp_path, YES, b"[1]", b"{}", b"not json", b"[" * 100_000)
    assert [match.index for match in verdict.matches] == [1]
    assert verdict.failures == [RuleFailure("", "decode", "ValueError: the record is a JSON list, not an object", 0, 3)]


@pytest.mark.parametrize("record", [rb'{"name": "\ud800evil"}', b'{"name": "\xffevil"}', b'{"x": NaN, "name": "evil"}'])
def test_a_record_with_broken_text_cannot_hide_from_the_rules(tmp_path: Path, record: bytes) -> None:
    code = returning("rule", "event['name'].endswith('evil')") + returning("title", "event['name']")
    assert len(judge(tmp_path, code, record).matches) == 1


def test_a_disabled_rule_judges_nothing(tmp_path: Path) -> None:
    loaded = pack(tmp_path, a=YES, enabled=False)
    assert len(loaded.rules) == 1
    assert Engine(loaded.rules).evaluate("T", [b"{}"]) == Verdict([], [])


def test_print_in_a_rule_writes_nothing_to_standard_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = "import io\ndef rule(event):\n    print('a', 1, sep='-')\n    out = io.StringIO()\n"
    code += "    print('b', file=out)\n    return out.getvalue() == 'b\\n'\n"
    assert len(judge(tmp_path, code).matches) == 1
    assert capsys.readouterr() == ("", "")


def test_the_engine_loads_no_heavy_library() -> None:
    code = "import sys, iota_dagster.core.detection.processes.worker\n"
    code += "print(sorted({'dagster', 'pandas', 'pyarrow', 'boto3', 'click', 'pydantic', 'yaml'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@given(
    records=st.lists(st.binary(max_size=30) | st.text(max_size=10).map(lambda text: json.dumps({"k": text}).encode()))
)
def test_any_bytes_are_matched_or_counted(records: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> None:
    verdict = judge(tmp_path_factory.mktemp("rules"), YES, *(records or [b"{}"]))
    assert len(verdict.matches) + sum(failure.count for failure in verdict.failures) == max(1, len(records))
