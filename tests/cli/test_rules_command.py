"""`iota rules test`: its output for people and for programs, and its exit code."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from iota_dagster.cli.rules import command
from iota_dagster.core.extras import install

YML = """\
AnalysisType: rule
Filename: a.py
RuleID: My.Rule
Enabled: true
LogTypes: [T]
Severity: Low
Tests:
  - Name: finds it
    ExpectedResult: true
    Log: {name: x}
  - Name: leaves it
    ExpectedResult: false
    Log: {name: y}
"""
GOOD = (
    "import sys\ndef rule(event):\n    print('noise')\n    sys.stdout.write('noise')\n    return event['name'] == 'x'\n"
)
BAD = "def rule(event):\n    return event['name'] == 'y' and 1 / 0 > 0\n"


def iota(*arguments: object) -> Result:
    return CliRunner().invoke(command, ["test", *map(str, arguments)])


@pytest.fixture
def good(tmp_path: Path) -> Path:
    (tmp_path / "a.yml").write_text(YML)
    (tmp_path / "a.py").write_text(GOOD)
    return tmp_path


@pytest.fixture
def bad(good: Path) -> Path:
    (good / "a.py").write_text(BAD)
    return good


MISSING = f"the package pycountry is not installed: {install('rules')}"


def lacks_a_package(folder: Path) -> None:
    text = "AnalysisType: rule\nRuleID: P\nEnabled: true\nLogTypes: [T]\nSeverity: Low\n"
    (folder / "p.yml").write_text(text)
    (folder / "p.py").write_text("import pycountry\ndef rule(event):\n    return True\n")


def test_rules_that_hold_give_one_line_and_exit_0(good: Path) -> None:
    result = iota(good)
    assert result.exit_code == 0
    assert result.stdout.startswith("1 rules, 2 tests: 2 passed, 0 failed in ")


def test_the_json_has_its_documented_keys_and_nothing_else_is_on_standard_output(good: Path) -> None:
    lacks_a_package(good)
    result = iota(good, "--json")
    report = json.loads(result.stdout)
    assert list(report) == ["rules", "tests", "passed", "failed", "skipped", "skipped_rules", "failures", "seconds"]
    assert {**report, "seconds": 0} == {
        "rules": 1,
        "tests": 2,
        "passed": 2,
        "failed": 0,
        "skipped": 1,
        "skipped_rules": [{"rule": "P", "reason": MISSING, "file": f"{good}/p.yml"}],
        "failures": [],
        "seconds": 0,
    }


def test_failures_are_shown_with_their_place_and_event_and_exit_1(bad: Path) -> None:
    result = iota(bad)
    assert result.exit_code == 1
    assert result.stdout.startswith(
        f"""\
FAILED My.Rule: finds it
  at        {bad}/a.yml:8
  expected  a match
  got       no match
  event     {{"name": "x"}}

FAILED My.Rule: leaves it
  at        {bad}/a.yml:11
  error     rule: ZeroDivisionError: division by zero (a.py:2)
  expected  no match
  got       nothing
  event     {{"name": "y"}}

1 rules, 2 tests: 0 passed, 2 failed in """
    )


def test_failures_are_objects_in_the_json(bad: Path) -> None:
    result = iota(bad, "--json", "--name", "leaves it")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["failures"] == [
        {
            "rule": "My.Rule",
            "test": "leaves it",
            "expected": False,
            "got": None,
            "error": "rule: ZeroDivisionError: division by zero (a.py:2)",
            "file": f"{bad}/a.yml:11",
        }
    ]


def test_a_file_that_cannot_be_loaded_exits_1_and_the_rest_is_tested(good: Path) -> None:
    (good / "b.yml").write_text("AnalysisType: rule\nRuleID: [\n")
    lacks_a_package(good)
    result = iota(good)
    assert result.exit_code == 1
    assert f"CANNOT LOAD {good}/b.yml:3\n  did not find expected" in result.stdout
    assert f"skipped P: {MISSING} ({good}/p.yml)" in result.stdout
    assert "1 rules, 2 tests: 2 passed, 1 failed, 1 skipped in " in result.stdout


def test_the_folder_rules_is_the_default_and_without_one_the_settings_are(
    good: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(good)
    monkeypatch.setenv("IOTA_RULES", "[a.yml]")
    result = iota()
    assert "1 rules, 2 tests: 2 passed" in result.stdout
    assert result.stderr.startswith(f"There is no folder ./rules here: taken are the settings', {good}/a.yml\n")
    (good / "rules").mkdir()
    assert iota().stderr == "There are no rules in rules: is this the folder?\n"
    (good / "a.yml").rename(good / "rules" / "a.yml")
    (good / "a.py").rename(good / "rules" / "a.py")
    assert "2 passed" in iota().stdout


def test_what_an_event_says_cannot_steer_the_terminal(good: Path) -> None:
    (good / "a.py").write_text("def rule(event):\n    raise ValueError('\\x1b[2J' + event['name'])\n")
    result = iota(good)
    assert result.exit_code == 1
    assert "\\x1b[2J" in result.stdout
    assert "\x1b" not in result.stdout


def test_a_folder_without_rules_is_no_success(tmp_path: Path) -> None:
    result = iota(tmp_path)
    assert result.exit_code == 1
    assert f"There are no rules in {tmp_path}" in result.stderr
