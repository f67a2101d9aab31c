"""What the linter says of rules, and that it says nothing of good ones."""

from pathlib import Path

import pytest

from iota_dagster.core.detection.attack import TACTICS, tactic_and_technique
from iota_dagster.core.detection.authoring.lint import LOG_TYPES, Finding, lint
from iota_dagster.core.sources import SOURCES

YML = """\
AnalysisType: rule
Filename: a.py
RuleID: AWS.Vault.Deleted
DisplayName: A vault was deleted
Enabled: true
LogTypes: [AWS.CloudTrail]
Severity: Low
Description: Somebody deleted a vault.
Reference: https://example.com
Runbook: Ask whoever did it.
Reports:
  MITRE ATT&CK: [TA0040:T1485]
Tests:
  - {Name: finds it, ExpectedResult: true, Log: {eventName: DeleteVault}}
  - {Name: another call, ExpectedResult: false, Log: {eventName: ListVaults}}
"""
CODE = "def rule(event):\n    return event.get('eventName') == 'DeleteVault'\n"


def write(folder: Path, yml: str = YML, code: str = CODE) -> Path:
    (folder / "a.yml").write_text(yml)
    (folder / "a.py").write_text(code)
    return folder


def found(folder: Path, yml: str = YML, code: str = CODE) -> list[str]:
    """The findings as `file:line level text`."""
    return [told(finding) for finding in lint([write(folder, yml, code)]).findings]


def told(finding: Finding) -> str:
    return f"{finding.file.name}:{finding.line} {finding.level} {finding.text}"


def without(key: str) -> str:
    return "".join(line for line in YML.splitlines(keepends=True) if not line.startswith(key))


def test_a_good_rule_has_no_findings(tmp_path: Path) -> None:
    report = lint([write(tmp_path)])
    assert (report.rules, report.findings) == (1, ())


def test_the_yaml_file_alone_may_be_named(tmp_path: Path) -> None:
    assert lint([write(tmp_path, without("Runbook")) / "a.yml"]).count("warning") == 1


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("AWS.Vault.Deleted", "AWS vault", "a.yml:3 error RuleID 'AWS vault': only letters"),
        ("AWS.Vault.Deleted", "Vault", "a.yml:3 warning RuleID Vault: write it as Vendor.Service.WhatHappened"),
        ("AWS.Vault.Deleted", "AWS.vault-deleted", "a.yml:3 warning RuleID AWS.vault-deleted: write it as"),
        (
            "AWS.CloudTrail",
            "AWS.CloudTrial",
            "a.yml:6 error unknown log type AWS.CloudTrial: did you mean AWS.CloudTrail?",
        ),
        (
            "AWS.CloudTrail",
            "Custom.Billing",
            "a.yml:6 warning unknown log type Custom.Billing: iota has no such events",
        ),
        ("TA0040:T1485", "T1485", "a.yml:12 error MITRE ATT&CK 'T1485': write TAxxxx:Txxxx or TAxxxx:Txxxx.xxx"),
        ("TA0040:T1485", "TA0040:1485", "a.yml:12 error MITRE ATT&CK 'TA0040:1485': write TAxxxx:Txxxx or"),
        ("TA0040:T1485", "TA9999:T1485", "a.yml:12 error MITRE ATT&CK 'TA9999:T1485': there is no tactic TA9999"),
        ("Name: another call", "Name: finds it", "a.yml:14 warning the test name 'finds it' stands more than once"),
        ("ExpectedResult: true", "ExpectedResult: false", "a.yml:13 error no test fires"),
        ("ExpectedResult: false", "ExpectedResult: true", "a.yml:13 warning no test is silent"),
        ("Severity: Low", "Severity: Low\nSeverty: High", "a.yml:8 error unknown key Severty; did you mean Severity?"),
    ],
)
def test_what_is_wrong_in_the_yaml_file_is_told_with_its_line(
    tmp_path: Path, old: str, new: str, expected: str
) -> None:
    assert any(text.startswith(expected) for text in found(tmp_path, YML.replace(old, new)))


@pytest.mark.parametrize("key", ["Description", "Runbook", "Reference"])
def test_a_missing_text_is_a_warning(tmp_path: Path, key: str) -> None:
    (text,) = found(tmp_path, without(key))
    assert text.startswith(f"a.yml:1 warning {key} is missing: ")


def test_missing_reports_are_a_warning(tmp_path: Path) -> None:
    (text,) = found(tmp_path, without("  MITRE").replace("Reports:\n", ""))
    assert text.startswith("a.yml:1 warning Reports: MITRE ATT&CK: is missing")


def test_no_tests_are_an_error(tmp_path: Path) -> None:
    assert found(tmp_path, YML.partition("Tests:")[0]) == [
        "a.yml:1 error no tests: nothing shows that it finds anything"
    ]


def test_a_rule_needs_a_display_name_or_a_title(tmp_path: Path) -> None:
    (text,) = found(tmp_path, without("DisplayName"))
    assert text.startswith("a.yml:1 warning neither DisplayName nor a function title")
    assert found(tmp_path, without("DisplayName"), CODE + "def title(event):\n    return 'x'\n") == []


def test_two_files_with_one_id_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    write(tmp_path / "b")
    (text,) = found(tmp_path)
    assert "RuleID AWS.Vault.Deleted is taken by" in text


def test_a_code_file_of_another_name_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "b.py").write_text(CODE)
    (tmp_path / "a.yml").write_text(YML.replace("a.py", "b.py"))
    assert [told(finding) for finding in lint([tmp_path]).findings] == [
        "a.yml:2 warning its code is called b.py, not a.py"
    ]


def test_a_rule_that_no_event_can_match_is_an_error(tmp_path: Path) -> None:
    code = "def rule(event):\n    return event.get('eventName') == 'A' and event.get('eventName') == 'B'\n"
    assert "a.yml:2 error a.py never returns True: no event can pass its conditions" in found(tmp_path, code=code)


def test_a_rules_code_without_a_yaml_file_is_an_error_but_a_helper_is_not(tmp_path: Path) -> None:
    (tmp_path / "lonely.py").write_text(CODE)
    (tmp_path / "helper.py").write_text("def other(event):\n    return True\n")
    (tmp_path / "global_helpers").mkdir()
    (tmp_path / "global_helpers" / "base.py").write_text(CODE)
    assert found(tmp_path) == ["lonely.py:1 error no YAML file here names this rule's code: it never runs"]


def test_the_code_of_a_broken_yaml_file_is_not_told_as_well(tmp_path: Path) -> None:
    assert len(found(tmp_path, YML + "Name: [\n")) == 1


def test_code_that_does_not_compile_is_one_error_at_its_line(tmp_path: Path) -> None:
    (text,) = found(tmp_path, code="def rule(event):\n    return (\n")
    assert text.startswith("a.py:2 error does not compile: ")


def test_print_left_in_a_rule_or_a_helper_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "global_helpers").mkdir()
    (tmp_path / "global_helpers" / "h.py").write_text("print('x')\n")
    texts = found(tmp_path, code="def rule(event):\n    print(event)\n    return event.get('a') == 'DeleteVault'\n")
    assert [text.partition(":")[0] for text in texts] == ["a.py", "h.py"]
    assert texts[0].startswith("a.py:2 warning print(…) was left in")


def test_the_known_log_types_are_those_that_are_registered() -> None:
    assert sorted(LOG_TYPES) == sorted(SOURCES)


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    assert lint([tmp_path / "nowhere"]).count("error") == 1


def test_the_tactics_are_those_of_att_and_ck() -> None:
    assert len(TACTICS) == 14
    assert tactic_and_technique("TA0003:T1098.001") == ("TA0003", "T1098.001")
    assert tactic_and_technique("TA0003:T1098.1") is None
