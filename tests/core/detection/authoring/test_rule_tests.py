"""The tests of rules: what passes, what fails, and what is said about it."""

from pathlib import Path

import pytest

from iota_dagster.core.detection.authoring.rule_tests import run_tests
from iota_dagster.core.detection.authoring.test_report import TestReport
from iota_dagster.core.detection.loader import load_rules
from iota_dagster.core.errors import RuleError

HEAD = "AnalysisType: rule\nRuleID: {name}\nEnabled: {enabled}\nLogTypes: [T]\nSeverity: Low\nTests:\n"
CODE = """\
import json

def rule(event):
    return lookup(event.get("n", 0)) > 0

def lookup(n):
    return n

def title(event):
    return f"n is {event['n']}"

def alert_context(event):
    return {"n": event["n"]}
"""


def write(folder: Path, tests: str, code: str = CODE, name: str = "a", enabled: str = "true") -> None:
    (folder / f"{name}.yml").write_text(HEAD.format(name=name, enabled=enabled) + tests)
    (folder / f"{name}.py").write_text(code)


def run(folder: Path, tests: str, code: str = CODE) -> TestReport:
    write(folder, tests, code)
    return run_tests(load_rules([folder]))


def test_tests_that_hold_pass(tmp_path: Path) -> None:
    report = run(
        tmp_path,
        """\
  - {Name: yes, ExpectedResult: true, Log: {n: 1}, ExpectedTitle: n is 1, ExpectedSeverity: low}
  - {Name: more, ExpectedResult: true, Log: {n: 2}, ExpectedDedup: n is 2, ExpectedContext: {n: 2}}
  - {Name: no, ExpectedResult: false, Log: {n: null}}
  - {Name: open, Log: {n: 1}}
""",
    )
    assert (report.rules, report.tests, report.passed, report.failed) == (1, 4, 4, 0)


@pytest.mark.parametrize(
    ("test", "expected", "got", "error"),
    [
        ("ExpectedResult: true, Log: {n: 0}", True, False, None),
        ("ExpectedResult: false, Log: {n: 1}", False, True, None),
        ("ExpectedResult: true, Log: {n: 1}, ExpectedTitle: x", "x", "n is 1", "wrong title"),
        ("ExpectedResult: true, Log: {n: 1}, ExpectedSeverity: High", "HIGH", "LOW", "wrong severity"),
        ("ExpectedResult: true, Log: {n: 1}, ExpectedDedup: x", "x", "n is 1", "wrong dedup"),
        ("ExpectedResult: true, Log: {n: 1}, ExpectedContext: {}", {}, {"n": 1}, "wrong context"),
        ("ExpectedResult: false, Log: {n: 0}, ExpectedTitle: x", "x", None, "wrong title"),
        (
            "ExpectedResult: false, Log: {n: x}",
            False,
            None,
            "rule: TypeError: '>' not supported between instances of 'str' and 'int' (a.py:4)",
        ),
        (
            "ExpectedResult: true, Log: {}, Mocks: [{objectName: lookup, returnValue: 1}]",
            True,
            True,
            "title: KeyError: 'n' (a.py:10); alert_context: KeyError: 'n' (a.py:13)",
        ),
    ],
)
def test_a_test_that_does_not_hold_says_what_it_expected_and_got(
    tmp_path: Path, test: str, expected: object, got: object, error: str | None
) -> None:
    (failure,) = run(tmp_path, f"  - {{Name: good, Log: {{}}}}\n  - {{Name: bad, {test}}}\n").failures
    assert (failure.rule, failure.test, failure.expected, failure.got) == ("a", "bad", expected, got)
    assert failure.error == error
    assert (failure.file, failure.line) == (tmp_path / "a.yml", 8)


def test_a_mock_holds_for_its_test_only(tmp_path: Path) -> None:
    tests = """\
  - {Name: mocked, ExpectedResult: true, Log: {n: 0}, Mocks: [{objectName: lookup, returnValue: 5}]}
  - {Name: not mocked, ExpectedResult: false, Log: {n: 0}}
"""
    assert run(tmp_path, tests).failed == 0


def test_a_mock_of_a_name_that_the_rule_lacks_fails_the_test(tmp_path: Path) -> None:
    (failure,) = run(tmp_path, "  - {Name: t, Log: {}, Mocks: [{objectName: none, returnValue: 1}]}\n").failures
    assert failure.error is not None
    assert failure.error.startswith("the test cannot be run: ")
    assert "'none'" in failure.error


def test_rules_that_are_not_enabled_are_tested_too(tmp_path: Path) -> None:
    write(tmp_path, "  - {Name: t, ExpectedResult: true, Log: {n: 0}}\n", enabled="false")
    assert run_tests(load_rules([tmp_path])).failed == 1


def test_one_rule_and_one_test_can_be_chosen(tmp_path: Path) -> None:
    tests = "  - {Name: x, ExpectedResult: true, Log: {n: 1}}\n  - {Name: y, ExpectedResult: false, Log: {n: 0}}\n"
    write(tmp_path, tests)
    write(tmp_path, tests, name="b")
    pack = load_rules([tmp_path])
    counts = [run_tests(pack, *chosen) for chosen in [(), ("a",), (None, "x"), ("b", "y")]]
    assert [(report.rules, report.tests) for report in counts] == [(2, 4), (1, 2), (2, 2), (1, 1)]
    with pytest.raises(RuleError, match="no rule 'c'"):
        run_tests(pack, "c")
    with pytest.raises(RuleError, match="no test named 'z' in rule a"):
        run_tests(pack, "a", "z")


def test_a_file_that_cannot_be_loaded_is_a_failure(tmp_path: Path) -> None:
    write(tmp_path, "  - {Name: t, ExpectedResult: true, Log: {n: 1}}\n")
    write(tmp_path, "  - {Name: t, Log: {}}\n", code="def rule(:\n", name="broken")
    report = run_tests(load_rules([tmp_path]))
    assert (report.tests, report.passed, report.failed) == (1, 1, 1)
    assert report.failures[0].rule is None
    assert report.failures[0].file == tmp_path / "broken.py"


def test_a_broken_data_model_is_a_failure_and_the_others_work(tmp_path: Path) -> None:
    model = "AnalysisType: datamodel\nDataModelID: {0}\nEnabled: true\nLogTypes: [{1}]\nMappings: [{{Name: n, {2}}}]\n"
    (tmp_path / "m1.yml").write_text(model.format("First", "T", "Path: count"))
    (tmp_path / "m2.yml").write_text(model.format("Second", "T", "Path: other"))
    (tmp_path / "m3.yml").write_text(model.format("Third", "U", "Method: find_it"))
    code = "def rule(event):\n    return event.udm('n') == 3\n"
    report = run(tmp_path, "  - {Name: t, ExpectedResult: true, Log: {count: 3, p_log_type: T}}\n", code)
    assert [failure.rule for failure in report.failures] == [None, None]
    assert "T has two data models, First and Second: disable one" in str(report.failures[0].error)
    assert "there is no function find_it" in str(report.failures[1].error)


def test_of_two_tables_of_one_name_the_first_is_used_and_the_other_is_a_failure(tmp_path: Path) -> None:
    table = "AnalysisType: lookup_table\nLookupName: hosts\nEnabled: true\nFilename: {0}.csv\n"
    for name in ("t1", "t2"):
        (tmp_path / f"{name}.yml").write_text(table.format(name) + "LogTypeMap: {PrimaryKey: ip}\n")
        (tmp_path / f"{name}.csv").write_text(f"ip,owner\n203.0.113.7,{name}\n")
    code = "def rule(event):\n    return event.lookup('hosts', '203.0.113.7')['owner'] == 't1'\n"
    report = run(tmp_path, "  - {Name: t, ExpectedResult: true, Log: {n: 1}}\n", code)
    assert [failure.rule for failure in report.failures] == [None]
    assert "two lookup tables have this name" in str(report.failures[0].error)


def test_an_event_may_be_written_as_a_text_of_json(tmp_path: Path) -> None:
    assert run(tmp_path, "  - {Name: t, ExpectedResult: true, Log: '{\"n\": 1}'}\n").failed == 0
    report = run(tmp_path, "  - {Name: t, ExpectedResult: true, Log: 'n = 1'}\n")
    assert "Tests.0.Log" in str(report.failures[0].error)
