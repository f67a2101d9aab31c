"""`iota rules explain`: which events a rule is shown and why, for people and for programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from iota_dagster.cli.rules import command
from iota_dagster.core.errors import RuleError

YML = """\
AnalysisType: rule
Filename: vault.py
RuleID: My.Vault
Enabled: true
LogTypes: [AWS.CloudTrail]
Severity: Medium
Tests:
  - {Name: finds it, ExpectedResult: true, Log: {eventName: DeleteVault}}
  - {Name: leaves it, ExpectedResult: false, Log: {eventName: ListVaults}}
"""
SIMPLE = YML.replace("Filename: vault.py\n", "")
ROUTED = """\
from vault_helpers import is_error

NAMES = ("DeleteVault", "DeleteArchive")


def rule(event):
    name = event.get("eventName", "")
    return (name in NAMES or name.startswith("Purge")) and event.get("errorCode", "") in ("", "Denied")
"""
UNREADABLE = '''\
def rule(event):
    """Not in here."""
    text = str(event)
    if odd(text):
        return True
    return event.get("eventName") == "DeleteVault"


def odd(text):
    return "vault" in text
'''


@pytest.fixture(autouse=True)
def _pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("rules", "global_helpers").mkdir(parents=True)
    Path("rules", "global_helpers", "vault_helpers.py").write_text("def is_error(event):\n    return False\n")
    Path("rules", "vault.yml").write_text(YML)


def explain(*arguments: str, code: str | None = None) -> Result:
    if code is not None:
        Path("rules", "vault.py").write_text(code)
    return CliRunner().invoke(command, ["explain", "My.Vault", *arguments])


def as_json(code: str | None = None) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(explain("--json", code=code).stdout)
    return found


def test_people_read_which_events_the_rule_is_shown_and_what_it_is_made_of() -> None:
    result = explain(code=ROUTED)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    version = lines.pop(1)
    assert version.startswith("  version  ")
    assert lines == [
        "My.Vault: rule, enabled, medium",
        "  made of  rules/vault.yml",
        "           rules/global_helpers/vault_helpers.py",
        "           rules/vault.py",
        "  reads    AWS.CloudTrail",
        "  shown    events in which all of this holds:",
        '             errorCode is "" or Denied, or is absent',
        "             eventName is DeleteArchive or DeleteVault, or begins with Purge",
        "  tests    match: finds it",
        "           no match: leaves it",
    ]


def test_programs_get_all_values_and_the_column_that_sieves() -> None:
    found = as_json(ROUTED)
    assert found["needs"]["eventName"] == {
        "exact": ["DeleteArchive", "DeleteVault"],
        "prefixes": ["Purge"],
        "parts": [],
        "absent": False,
    }
    assert (found["column"], found["why"], found["begins"]) == ("eventName", None, None)
    assert found["tests"] == {"matching": ["finds it"], "other": ["leaves it"]}


def test_a_rule_that_sees_everything_shows_where_its_code_begins_and_what_would_help() -> None:
    found = as_json(UNREADABLE)
    assert found["needs"] == {}
    assert found["why"] == "its code begins with something that routing does not understand"
    assert found["begins"].endswith("rules/vault.py:4: if odd(text):")
    assert found["helpful"][:2] == ["eventName", "eventSource"]
    assert "  what would help is a test of eventName, eventSource, " in explain().stdout


def test_a_field_that_is_no_column_is_said_to_be_looked_at_in_each_event() -> None:
    result = explain(code='def rule(event):\n    return event.get("vaultName") == "x"\n')
    assert "             vaultName is x\n" in result.stdout
    assert "none of these fields is a column: each event is read" in result.stdout


def test_a_rule_that_can_never_match_and_one_without_code_say_so() -> None:
    assert "it can never match" in as_json("def rule(event):\n    return False\n")["why"]
    detection = "Detection: [{KeyPath: a.b, Condition: Exists}]\n"
    Path("rules", "vault.yml").write_text(SIMPLE + detection)
    found = as_json()
    assert "no expression of its Detection" in found["why"]
    assert (found["begins"], len(found["files"])) == (None, 1)


def test_the_overlay_of_the_settings_is_laid_over_it() -> None:
    plain = as_json(ROUTED)["version"]
    Path("iota.yaml").write_text("rule_overlays: mine.yaml\n")
    Path("mine.yaml").write_text("My.Vault: {Severity: Low, Comment: quiet}\n")
    found = as_json()
    assert (found["severity"], found["overlay"]) == ("LOW", ["severity: MEDIUM → LOW", "comment: quiet"])
    assert found["version"] != plain
    assert "  overlay  severity: MEDIUM → LOW\n           comment: quiet\n" in explain().stdout


def test_an_unknown_rule_is_an_error_after_what_could_not_be_loaded() -> None:
    result = explain(code="def rule(event:\n")
    assert isinstance(result.exception, RuleError)
    assert str(result.exception) == "there is no rule My.Vault; there are: none"
    assert "vault.py:1: does not compile" in result.stderr
