"""`iota rules mutate|lint|new|coverage|table`: their output for people and for programs, and their exit codes."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from iota_dagster.cli.rules import command
from iota_dagster.core.errors import RuleError


def iota(*arguments: object) -> Result:
    return CliRunner().invoke(command, [*map(str, arguments)], env={"COLUMNS": "200"})


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    """A pack with one good rule, made by `iota rules new`."""
    folder = tmp_path / "rules" / "aws_cloudtrail"
    assert iota("new", "AWS.Vault.Deleted", "--folder", folder).exit_code == 0
    return tmp_path / "rules"


def edit(pack: Path, suffix: str, old: str, new: str) -> Path:
    file = pack / "aws_cloudtrail" / f"deleted{suffix}"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    return file


def test_new_says_what_it_wrote_and_what_to_do_next(tmp_path: Path) -> None:
    result = iota("new", "AWS.Vault.Deleted", "--folder", tmp_path)
    lines = result.stdout.splitlines()
    assert lines[:2] == [f"wrote {tmp_path}/deleted.py", f"wrote {tmp_path}/deleted.yml"]
    assert lines[2].startswith(f"Next: iota rules test {tmp_path}/deleted.yml")


def test_new_never_overwrites(pack: Path) -> None:
    result = iota("new", "AWS.Vault.Deleted", "--folder", pack / "aws_cloudtrail")
    assert isinstance(result.exception, RuleError)


def test_mutate_is_silent_but_for_its_summary_when_all_is_pinned(pack: Path) -> None:
    result = iota("mutate", pack)
    assert result.exit_code == 0
    assert result.stdout.startswith("1 rules, 2 mutants: 2 killed, 0 survived in ")


def test_mutate_prints_survivors_with_their_place_and_exits_with_1(pack: Path) -> None:
    code = edit(pack, ".py", '("DeleteVault",)', '("DeleteVault", "Unproven")')
    result = iota("mutate", pack, "--rule", "AWS.Vault.Deleted")
    assert result.exit_code == 1
    assert result.stdout.splitlines()[0] == f"{code}:2: the member `'Unproven'` of NAMES was deleted"


def test_mutate_has_json_of_fixed_keys_and_lets_nothing_else_out(pack: Path) -> None:
    code = edit(pack, ".py", '("DeleteVault",)', '("DeleteVault", "Unproven")')
    code.write_text("import sys\nsys.stdout.write('noise')\n" + code.read_text())
    report = json.loads(iota("mutate", pack, "--json").stdout)
    assert list(report) == ["rules", "mutants", "killed", "survived", "survivors", "errors", "seconds"]
    change = "the member `'Unproven'` of NAMES was deleted"
    assert report["survivors"] == [{"rule": "AWS.Vault.Deleted", "file": str(code), "line": 4, "change": change}]
    assert (report["rules"], report["mutants"], report["killed"], report["survived"]) == (1, 3, 2, 1)


def test_mutate_cannot_judge_a_rule_whose_tests_fail(pack: Path) -> None:
    edit(pack, ".yml", "ExpectedTitle: alice", "ExpectedTitle: bob")
    result = iota("mutate", pack)
    assert result.exit_code == 1
    assert result.stdout.startswith("CANNOT JUDGE ")


def test_lint_accepts_a_good_pack(pack: Path) -> None:
    result = iota("lint", "--strict", pack)
    assert (result.exit_code, result.stdout) == (0, "1 rules: 0 errors, 0 warnings\n")


def test_lint_lets_warnings_pass_unless_it_is_strict(pack: Path) -> None:
    document = edit(pack, ".yml", "Reference:", "# Reference:")
    result = iota("lint", pack)
    assert result.exit_code == 0
    first, last = result.stdout.splitlines()
    assert first == f"{document}:1: warning: Reference is missing: the vendor's page, or the technique's"
    assert last == "1 rules: 0 errors, 1 warnings"
    assert iota("lint", "--strict", pack).exit_code == 1


def test_lint_fails_on_errors_and_has_json(pack: Path) -> None:
    document = edit(pack, ".yml", "[AWS.CloudTrail]", "[AWS.CloudTrial]")
    result = iota("lint", pack, "--json")
    text = "unknown log type AWS.CloudTrial: did you mean AWS.CloudTrail?"
    assert result.exit_code == 1
    assert json.loads(result.stdout) == {
        "rules": 1,
        "errors": 1,
        "warnings": 0,
        "findings": [{"file": str(document), "line": 7, "level": "error", "text": text}],
    }


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """Two deletions by different people; the first is the attack."""
    folder = tmp_path / "logs"
    folder.mkdir()
    records = [
        {"eventID": f"e{day}", "eventName": "DeleteVault", "eventTime": f"2026-11-2{day}T10:00:00Z"} for day in (1, 2)
    ]
    (folder / "a.json").write_text(json.dumps({"Records": records}))
    truth = [{"technique": "vault-delete", "detonate": {"calls": [{"eventID": "e1"}]}}, {"technique": "never"}]
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    return folder


def test_coverage_shows_what_detected_each_technique_and_what_no_attack_explains(pack: Path, logs: Path) -> None:
    result = iota("coverage", pack, "--logs", logs, "--truth", logs.parent / "truth.json")
    assert result.exit_code == 0
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in result.stdout.splitlines() if "│" in line]
    title = "unknown did DeleteVault in unknown"
    assert rows == [
        ["vault-delete", "logs", "1", "AWS.Vault.Deleted"],
        ["never", "logs", "0", "never ran"],
        ["AWS.Vault.Deleted", "medium", title, "1"],
    ]
    last = result.stdout.splitlines()[-1]
    assert last.startswith("1 of 1 attacks detected; 2 alerts, 1 of them beside the attacks; 2 events in ")


def test_coverage_has_json_and_judges_technique_files(pack: Path, logs: Path) -> None:
    report = json.loads(iota("coverage", pack, "--logs", logs, "--techniques", logs, "--json").stdout)
    (technique,) = report["techniques"]
    assert (technique["technique"], technique["recording"], technique["calls"]) == ("a", "techniques", 2)
    assert [alert["rule"] for alert in technique["alerts"]] == ["AWS.Vault.Deleted"] * 2
    assert {
        key: report[key] for key in ("detonated", "detected", "alerts", "alerts_outside", "events", "left_out")
    } == {
        "detonated": 1,
        "detected": 1,
        "alerts": 2,
        "alerts_outside": 0,
        "events": 2,
        "left_out": 0,
    }


def test_coverage_tells_of_files_that_cannot_be_loaded_and_goes_on(pack: Path, logs: Path) -> None:
    (pack / "broken.yml").write_text("AnalysisType: rule\n")
    result = iota("coverage", pack, "--logs", logs)
    assert result.exit_code == 0
    assert "CANNOT LOAD" in result.stderr


def test_the_table_has_a_part_per_log_type_and_links_that_start_from_the_pack(pack: Path) -> None:
    iota("new", "Okta.Zone.Removed", "--log-type", "Okta.SystemLog", "--folder", pack / "okta")
    edit(pack, ".yml", "DisplayName: Something was deleted", "DisplayName: A|B")
    assert iota("table", pack).stdout.splitlines() == [
        "### AWS.CloudTrail (1)",
        "",
        "| rule | tactic (technique) | severity | fires on |",
        "|---|---|---|---|",
        r"| [AWS.Vault.Deleted](aws_cloudtrail/deleted.yml) | impact (T1485) | medium | A\|B |",
        "",
        "### Okta.SystemLog (1)",
        "",
        "| rule | tactic (technique) | severity | fires on |",
        "|---|---|---|---|",
        "| [Okta.Zone.Removed](okta/removed.yml) | impact (T1485) | medium | Something was deleted |",
    ]


def test_the_table_falls_back_to_the_descriptions_first_sentence(pack: Path) -> None:
    edit(pack, ".yml", "DisplayName: Something was deleted\n", "")
    edit(pack, ".yml", "Enabled: true", "Enabled: false")
    assert iota("table", pack).stdout.splitlines()[-1].endswith("| medium (disabled) | Somebody deleted something |")


@pytest.mark.parametrize("name", ["mutate", "lint", "table"])
def test_without_a_folder_of_rules_it_is_that_of_the_settings_and_said_so(
    name: str, pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("IOTA_RULES", f"[{pack}]")
    result = iota(name)
    assert result.exit_code == 0
    assert f"There is no folder ./rules here: taken are the settings', {pack}" in result.stderr


def test_new_says_that_no_run_uses_the_rule_unless_the_settings_name_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert iota("new", "My.Own.One").stdout.splitlines()[-1].endswith("its folder: `rules: [iota:rules, rules]`")
    (tmp_path / "iota.yaml").write_text("rules: [iota:rules, rules]\n")
    assert "No run uses it" not in iota("new", "My.Own.Two").stdout


def test_new_takes_a_slip_in_a_log_types_name_for_one(tmp_path: Path) -> None:
    result = iota("new", "My.Own.One", "--log-type", "AWS.Cloudtrail", "--folder", tmp_path)
    assert str(result.exception) == "there is no log type AWS.Cloudtrail, did you mean AWS.CloudTrail?"
    assert not [*tmp_path.iterdir()]
    assert iota("new", "My.Own.One", "--log-type", "Custom.YetToCome", "--folder", tmp_path).exit_code == 0
