"""Mutants: which changes are made to a rule's decisions, and which of them its tests must notice."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iota_dagster.core.detection.authoring.mutants import mutants
from iota_dagster.core.detection.authoring.mutation import MutationReport, mutate
from iota_dagster.core.detection.loader import load_rules
from iota_dagster.core.errors import RuleError

YML = """\
AnalysisType: rule
Filename: a.py
RuleID: My.Rule
Enabled: true
LogTypes: [AWS.CloudTrail]
Severity: Low
Tests:
  - {Name: finds it, ExpectedResult: true, Log: {eventName: Delete, userAgent: nmap}}
  - {Name: another call, ExpectedResult: false, Log: {eventName: List, userAgent: nmap}}
"""


def changes(source: str, function: str = "rule") -> list[str]:
    return [mutant.change for mutant in mutants(source.encode(), "a.py", function)]


def write(folder: Path, code: str, yml: str = YML) -> Path:
    (folder / "a.yml").write_text(yml)
    (folder / "a.py").write_text(code)
    return folder


def judged(folder: Path, code: str, yml: str = YML) -> MutationReport:
    return mutate(load_rules([write(folder, code, yml)]))


def survivors(folder: Path, code: str, yml: str = YML) -> list[str]:
    report = judged(folder, code, yml)
    assert not report.errors
    return [survivor.change for survivor in report.survivors]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("a == 1", ["`a == 1` became `a != 1`"]),
        ("a is not None", ["`a is not None` became `a is None`"]),
        ("a < 5", ["`a < 5` became `a >= 5`"]),
        ("a > 5", ["`a > 5` became `a <= 5`"]),
        ("1 < a <= 9", ["`1 < a <= 9` became `1 >= a <= 9`", "`1 < a <= 9` became `1 < a > 9`"]),
        ("not a", ["`not a` became `a`"]),
        ("f(a)", ["`f(a)` became `not f(a)`"]),
        (
            "any(a)",
            ["`any(a)` became `not any(a)`", "any(…) became all(…)"],
        ),
        (
            "a or not b",
            [
                "`a` was deleted from `a or not b`",
                "`not b` was deleted from `a or not b`",
                "`a` became `not a`",
                "`not b` became `b`",
            ],
        ),
        (
            "a in ('x', 'y')",
            [
                "`a in ('x', 'y')` became `a not in ('x', 'y')`",
                "the member `'x'` was deleted",
                "the member `'y'` was deleted",
            ],
        ),
        (
            "a.startswith(('x',))",
            ["`a.startswith(('x',))` became `not a.startswith(('x',))`", "the member `'x'` was deleted"],
        ),
        ("1 if a else 2", ["the condition `a` was always True", "the condition `a` was always False"]),
        (
            "[b for b in a if b]",
            ["the condition `b` was always True", "the condition `b` was always False"],
        ),
    ],
)
def test_each_kind_of_decision_has_its_mutants(expression: str, expected: list[str]) -> None:
    assert changes(f"def rule(a):\n    return {expression}\n") == expected


def test_conditions_of_if_and_elif_are_forced_each_way() -> None:
    source = "def rule(e):\n    if e.a:\n        return False\n    elif e.b:\n        return False\n    return True\n"
    assert changes(source) == [f"the condition `e.{x}` was always {value}" for x in "ab" for value in (True, False)]


def test_cases_and_their_guards_are_changed() -> None:
    source = "def rule(e):\n    match e:\n        case 1 if e.a:\n            pass\n        case _:\n            pass\n"
    assert changes(source) == [
        "`case 1` was deleted",
        "`case _` was deleted",
        "the condition `e.a` was always True",
        "the condition `e.a` was always False",
    ]


def test_each_member_of_a_constant_goes_once_wherever_it_is_nested() -> None:
    source = 'A = frozenset({"x"})\nB = {"k": ("y", "z")}\ndef rule(e):\n    return f(e, A, B)\n'
    assert changes(source)[:4] == [
        "the member `'x'` of A was deleted",
        "the key `'k'` of B was deleted",
        "the member `'y'` of B was deleted",
        "the member `'z'` of B was deleted",
    ]


def test_only_what_the_rule_reaches_by_name_is_changed() -> None:
    source = """
USED = ("a",)
INDIRECT = USED + ("b",)
UNUSED = ("c",)
TITLES = ("d",)

def rule(event):
    title = event["x"]
    return helper(title)

def helper(text):
    return text in INDIRECT

def title(event):
    return event["x"] in TITLES

def severity(event):
    return "HIGH" if event["x"] else "LOW"
"""
    found = " ".join(changes(source))
    assert "of USED" in found
    assert "of INDIRECT" in found
    assert "text in INDIRECT" in found
    assert "UNUSED" not in found
    assert "TITLES" not in found
    assert "always" not in found


def test_what_the_rule_calls_is_changed_even_when_it_is_the_title() -> None:
    assert changes("def rule(e):\n    return bool(title(e))\ndef title(e):\n    return e.a == 1\n")[-1].startswith(
        "`e.a =="
    )


def test_a_policy_is_changed_in_its_own_function() -> None:
    source = "def rule(e):\n    return e == 1\ndef policy(e):\n    return e == 2\n"
    assert changes(source, "policy") == ["`e == 2` became `e != 2`"]


def test_a_changed_condition_still_binds_the_name_that_is_used_later() -> None:
    source = "def rule(e):\n    if (n := e) and n > 1:\n        return n == 2\n    return False\n"
    made = list(mutants(source.encode(), "a.py"))
    assert made
    for mutant in made:
        scope: dict[str, object] = {}
        exec(mutant.code, scope)
        assert isinstance(scope["rule"](5), bool)  # type: ignore[operator]


names = st.sampled_from(["a", "b", "c(a)", "a.b", "a['k']", "1 < a < 3", "a in (1, 2)", "(n := a)"])
expressions = st.recursive(
    names,
    lambda inner: st.one_of(
        st.builds("({} and {})".format, inner, inner),
        st.builds("({} or {} or {})".format, inner, inner, inner),
        st.builds("(not {})".format, inner),
        st.builds("({} if {} else {})".format, inner, inner, inner),
        st.builds("any(x for x in {} if {})".format, st.just("a"), st.just("x in {1}")),
    ),
    max_leaves=8,
)


@given(expressions)
def test_every_mutant_compiles_differs_from_the_rule_and_leaves_it_untouched(expression: str) -> None:
    source = f"def rule(a):\n    if {expression}:\n        return {expression}\n    return False\n".encode()
    original = compile(source, "a.py", "exec")
    made = list(mutants(source, "a.py"))
    assert all(mutant.code != original for mutant in made)
    assert made == list(mutants(source, "a.py"))
    assert {mutant.line for mutant in made} <= {2, 3}


def test_a_rule_whose_tests_pin_it_has_no_survivors(tmp_path: Path) -> None:
    report = judged(tmp_path, "def rule(event):\n    return event.get('eventName') == 'Delete'\n")
    assert (report.rules, report.mutants, report.killed, report.survivors) == (1, 1, 1, ())


def test_a_survivor_is_told_with_rule_file_and_line(tmp_path: Path) -> None:
    code = "def rule(e):\n    return (\n    e.get('eventName') == 'Delete'\n    and e.get('userAgent') == 'x'\n    )\n"
    (survivor,) = judged(tmp_path, code, YML.replace("nmap", "x")).survivors
    assert (survivor.rule, survivor.file, survivor.line) == ("My.Rule", tmp_path / "a.py", 4)
    assert survivor.change.startswith("`e.get('userAgent') == 'x'` was deleted from")


def test_routing_hides_no_mutant(tmp_path: Path) -> None:
    # The test of another call holds only because of the user agent: without the name the rule would still pass it.
    yml = YML.replace("{eventName: List, userAgent: nmap}", "{eventName: List, userAgent: curl}")
    code = "def rule(event):\n    return event.get('eventName') == 'Delete' and event.get('userAgent') == 'nmap'\n"
    assert any("'Delete'` was deleted" in change for change in survivors(tmp_path, code, yml))


def test_a_mutant_that_raises_is_noticed(tmp_path: Path) -> None:
    code = "def rule(event):\n    name = event.get('eventName')\n    return 1 / (name == 'Delete' or -1) > 0\n"
    assert not any("`name == 'Delete'` became" in change for change in survivors(tmp_path, code))


def test_a_mutant_that_hangs_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("iota_dagster.core.detection.authoring.mutation.SECONDS_PER_MUTANT", 0.05)
    code = """
def rule(event):
    left = 3
    while True:
        try:
            left = left - 1 if left > 0 else left
            if left == 0:
                return event.get('eventName') == 'Delete'
        except Exception:
            pass
"""
    changes = survivors(tmp_path, code)
    assert not any("became `left <= 0`" in change or "always False" in change for change in changes)


def test_helpers_and_imports_are_the_same_for_a_mutant(tmp_path: Path) -> None:
    (tmp_path / "global_helpers").mkdir()
    (tmp_path / "global_helpers" / "names.py").write_text("NAME = 'Delete'\n")
    code = "import re\nfrom names import NAME\ndef rule(event):\n    return event.get('eventName') == NAME\n"
    assert survivors(tmp_path, code) == []


def test_mocks_hold_for_mutants_too(tmp_path: Path) -> None:
    yml = YML.replace(
        "Log: {eventName: List,", "Mocks: [{objectName: bad, returnValue: false}], Log: {eventName: List,"
    )
    code = "def bad(event):\n    return True\ndef rule(event):\n    return bad(event)\n"
    assert survivors(tmp_path, code, yml) == []


def test_a_rule_without_tests_lets_every_mutant_live(tmp_path: Path) -> None:
    report = judged(tmp_path, "def rule(event):\n    return event.get('a') == 1\n", YML.partition("Tests:")[0])
    assert len(report.survivors) == report.mutants == 1


def test_a_rule_whose_own_tests_fail_and_a_broken_file_are_errors(tmp_path: Path) -> None:
    (tmp_path / "b.yml").write_text("AnalysisType: rule\n")
    report = judged(tmp_path, "def rule(event):\n    return False\n")
    assert report.mutants == 0
    assert any("My.Rule: its own tests fail; see iota rules test" in str(error) for error in report.errors)
    assert any("b.yml" in str(error) for error in report.errors)


def test_one_rule_may_be_chosen_and_an_unknown_one_is_an_error(tmp_path: Path) -> None:
    pack = load_rules([write(tmp_path, "def rule(event):\n    return event.get('eventName') == 'Delete'\n")])
    assert mutate(pack, "My.Rule").rules == 1
    with pytest.raises(RuleError, match=r"there is no rule 'Other'; there are 1 others"):
        mutate(pack, "Other")


@pytest.mark.parametrize("targets", ["A, B", "(A, B)", "[A, B]", "A, *B"])
def test_constants_that_are_assigned_together_are_changed_in_their_values_alone(targets: str) -> None:
    source = f"{targets} = ('x', 'z'), 'y'\n\ndef rule(event):\n    return event in A or event in B\n"
    found = [change for change in changes(source) if change.startswith("the member")]
    assert found[2:] == ["the member `'x'` of A was deleted", "the member `'z'` of A was deleted"]
    assert not any("`A`" in change or "`B`" in change for change in found)
