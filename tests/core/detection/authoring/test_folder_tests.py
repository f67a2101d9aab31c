"""Shared out to processes or read in part, the tests of folders give the same report."""

from dataclasses import replace
from pathlib import Path

import pytest

from iota_dagster.core.detection.authoring import folder_tests
from iota_dagster.core.detection.authoring.folder_tests import run_folder_tests
from iota_dagster.core.detection.authoring.rule_tests import run_tests
from iota_dagster.core.detection.authoring.test_report import TestReport
from iota_dagster.core.detection.loader import load_rules
from iota_dagster.core.errors import RuleError

MODEL = """AnalysisType: datamodel
DataModelID: Model
Enabled: true
LogTypes: [Test.Log]
Mappings: [{Name: who, Path: actor.name}]
"""
RULE = """AnalysisType: rule
RuleID: Rule.{number}
Filename: rule.py
Enabled: true
LogTypes: [Test.Log]
Severity: Low
Tests:
  - {{Name: eve, ExpectedResult: {expected}, Log: {{p_log_type: Test.Log, actor: {{name: eve}}}}}}
  - {{Name: only {number}, ExpectedResult: false, Log: {{actor: {{name: bob}}}}}}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(folder_tests, "FILES_PER_PROCESS", 2)
    (tmp_path / "model.yml").write_text(MODEL)
    (tmp_path / "rule.py").write_text("def rule(event):\n    return event.udm('who') == 'eve'\n")
    for number in range(8):
        expected = "true" if number != 3 else "false"
        (tmp_path / f"r{number}.yml").write_text(RULE.format(number=number, expected=expected))
    (tmp_path / "broken.yml").write_text("AnalysisType: [\n")
    return tmp_path


def comparable(report: TestReport) -> TestReport:
    return replace(report, seconds=0, failures=tuple(sorted(report.failures, key=lambda item: str(item.file))))


def test_two_processes_report_what_one_does(folder: Path) -> None:
    alone = comparable(run_tests(load_rules([folder])))
    assert (alone.rules, alone.tests, alone.failed) == (8, 16, 2)
    assert comparable(run_folder_tests([folder], processes=2)) == alone
    assert comparable(run_folder_tests([folder], processes=1)) == alone


def test_a_test_by_name_is_found_in_whichever_share_it_is(folder: Path) -> None:
    report = run_folder_tests([folder], test_name="only 5", processes=3)
    assert (report.rules, report.tests, report.passed) == (1, 1, 1)
    with pytest.raises(RuleError, match="there is no test named 'none'"):
        run_folder_tests([folder], test_name="none", processes=2)


def test_for_one_rule_only_its_file_and_what_all_share_are_read(folder: Path) -> None:
    report = run_folder_tests([folder], rule_id="Rule.2")
    assert (report.rules, report.tests, report.failures) == (1, 2, ())
    (folder / "broken.yml").unlink()
    with pytest.raises(RuleError, match="there is no rule 'Rule'"):
        run_folder_tests([folder], rule_id="Rule")


def test_an_id_in_two_shares_is_an_error(folder: Path) -> None:
    for number in range(8):
        (folder / f"r{number}.yml").write_text(RULE.format(number=0, expected="true"))
    report = run_folder_tests([folder], processes=2)
    assert sum("RuleID Rule.0 is taken by" in str(failure.error) for failure in report.failures) == 7
