"""Overlays: what a user's file changes of rules, what it leaves alone, and what is said about mistakes in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from iota_dagster.core.detection.engine import Engine
from iota_dagster.core.detection.loader import load_rules
from iota_dagster.core.detection.overlays import apply, read_overlays, shown_changes
from iota_dagster.core.detection.rule import Rule, RulePack
from iota_dagster.core.detection.verdict import RuleMatch
from iota_dagster.process_workers import rule_pack
from iota_dagster.settings import Settings

YML = """\
AnalysisType: rule
Filename: {0}.py
RuleID: Vault.{0}
Enabled: {1}
LogTypes: [T]
Severity: High
"""
CODE = 'def rule(event):\n    return event.get("name") == "DeleteVault"\n'


@pytest.fixture
def pack(tmp_path: Path) -> RulePack:
    for name, enabled in (("Deleted", "true"), ("Opened", "false")):
        (tmp_path / f"{name}.yml").write_text(YML.format(name, enabled))
        (tmp_path / f"{name}.py").write_text(CODE)
    return load_rules([tmp_path])


def laid_over(pack: RulePack, text: str, tmp_path: Path, destinations: list[str] | None = None) -> RulePack:
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    return apply(pack, read_overlays(file, destinations))


def the(pack: RulePack, name: str = "Vault.Deleted") -> Rule:
    rule = pack.of_id(name)
    assert rule is not None
    return rule


def judged(pack: RulePack, *records: bytes) -> list[RuleMatch]:
    return list(Engine([rule for rule in pack.rules if rule.enabled]).evaluate("T", records).matches)


def errors(pack: RulePack, tmp_path: Path) -> list[str]:
    return [str(error).replace(f"{tmp_path}/", "") for error in pack.errors]


def test_what_an_overlay_says_takes_the_place_of_what_the_rule_says(pack: RulePack, tmp_path: Path) -> None:
    text = "Vault.Deleted: {Severity: low, Threshold: 3, DedupPeriodMinutes: 15, Destinations: [file]}"
    found = laid_over(pack, text, tmp_path)
    rule = the(found)
    assert (rule.severity, rule.threshold, rule.period_minutes, rule.destinations) == ("LOW", 3, 15, ("file",))
    assert the(found, "Vault.Opened") == the(pack, "Vault.Opened")
    assert found.errors == ()


def test_a_rule_can_be_switched_on_and_off(pack: RulePack, tmp_path: Path) -> None:
    found = laid_over(pack, "Vault.Deleted: {Enabled: false}\nVault.Opened: {Enabled: true}", tmp_path)
    assert [rule.id for rule in found.rules if rule.enabled] == ["Vault.Opened"]
    assert found.version != pack.version


def test_an_event_for_which_one_exclusion_holds_is_no_match(pack: RulePack, tmp_path: Path) -> None:
    text = """
Vault.Deleted:
  Exclude:
    - {KeyPath: user.name, Condition: Equals, Value: robot}
    - {KeyPath: address, Condition: IsIPAddressInCIDR, Value: 203.0.113.0/24}
"""
    found = laid_over(pack, text, tmp_path)
    records = [
        b'{"name": "DeleteVault", "user": {"name": "robot"}}',
        b'{"name": "DeleteVault", "user": {"name": "ana"}, "address": "203.0.113.9"}',
        b'{"name": "DeleteVault", "user": {"name": "ana"}, "address": "198.51.100.9"}',
        b'{"name": "CreateVault", "user": {"name": "robot"}}',
    ]
    assert [match.index for match in judged(pack, *records)] == [0, 1, 2]
    assert [match.index for match in judged(found, *records)] == [2]


def test_an_overlays_severity_goes_before_a_severity_function(tmp_path: Path) -> None:
    (tmp_path / "Deleted.yml").write_text(YML.format("Deleted", "true"))
    function = 'def severity(event):\n    return event.get("severity", "DEFAULT")\n'
    (tmp_path / "Deleted.py").write_text(CODE + function)
    found = laid_over(load_rules([tmp_path]), "Vault.Deleted: {Severity: Low}", tmp_path)
    matches = judged(found, b'{"name": "DeleteVault"}', b'{"name": "DeleteVault", "severity": "CRITICAL"}')
    assert [match.severity for match in matches] == ["LOW", "LOW"]


def test_the_version_tells_of_what_changes_a_judgement_and_of_nothing_else(pack: RulePack, tmp_path: Path) -> None:
    plain = the(pack).version

    def version(text: str) -> str:
        return the(laid_over(pack, f"Vault.Deleted: {text}", tmp_path)).version

    changed = {
        version(text)
        for text in (
            "{Severity: Low}",
            "{Severity: Medium}",
            "{Threshold: 2}",
            "{Destinations: []}",
            "{Exclude: [{Key: a, Condition: Exists}]}",
            "{Exclude: [{Key: b, Condition: Exists}]}",
        )
    }
    assert len(changed | {plain}) == 7
    assert version("{Comment: We know it.}") == version("{Enabled: false}") == plain
    assert version("{Threshold: 2, Severity: Low, Comment: x}") == version("{Severity: LOW, Threshold: 2}")


def test_an_overlay_for_an_unknown_rule_names_the_nearest_and_stops_no_other(pack: RulePack, tmp_path: Path) -> None:
    text = "Vault.Deletd: {Severity: Low}\nNothing.Like.That: {Enabled: false}\nVault.Deleted: {Severity: Low}\n"
    found = laid_over(pack, text, tmp_path)
    assert errors(found, tmp_path) == [
        "mine.yaml:1: there is no rule Vault.Deletd; did you mean Vault.Deleted?",
        "mine.yaml:2: there is no rule Nothing.Like.That; there are: Vault.Deleted, Vault.Opened",
    ]
    assert the(found).severity == "LOW"


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("\n  Sevrity: Low", "mine.yaml:2: Vault.Deleted: unknown key Sevrity; did you mean Severity?"),
        (
            "\n  Enabled: true\n  Threshold: 0",
            "mine.yaml:3: Vault.Deleted: Threshold: input should be greater than or equal to 1",
        ),
        (" {Enabled: yes}", "mine.yaml:1: Vault.Deleted: Enabled: input should be a valid boolean"),
        (" off", "mine.yaml:1: Vault.Deleted: expected a mapping such as {Severity: Low}"),
        ("", "mine.yaml:1: Vault.Deleted: expected a mapping such as {Severity: Low}"),
        (
            "\n  Exclude:\n    - {Key: a, Condition: Exists}\n    - {Key: a, Condition: Equal, Value: b}",
            "mine.yaml:4: Vault.Deleted: Exclude.1.Condition: unknown condition 'Equal'; did you mean Equals?",
        ),
        (
            "\n  Exclude:\n    - All: []",
            "mine.yaml:3: Vault.Deleted: Exclude.0 leaves out every event; to switch the rule off write Enabled: false",
        ),
        (
            "\n  Destinations: [fil, chat]",
            "mine.yaml:2: Vault.Deleted: fil is not a destination; did you mean file?",
        ),
    ],
)
def test_a_mistake_is_named_with_its_line_and_its_entry_changes_nothing(
    pack: RulePack, tmp_path: Path, entry: str, message: str
) -> None:
    found = laid_over(pack, f"Vault.Deleted:{entry}\nVault.Opened: {{Threshold: 2}}\n", tmp_path, ["file", "chat"])
    assert errors(found, tmp_path) == [message]
    assert the(found) == the(pack)
    assert the(found, "Vault.Opened").threshold == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- Vault.Deleted", "mine.yaml:1: expected rule ids, each with what it changes"),
        ("Vault.Deleted: {}\nVault.Deleted: {}", "mine.yaml:2: the key 'Vault.Deleted' stands twice"),
        ("a: [", "mine.yaml:2: did not find expected node content"),
    ],
)
def test_a_file_that_is_no_list_of_overlays_leaves_the_rules_as_they_are(
    pack: RulePack, tmp_path: Path, text: str, message: str
) -> None:
    found = laid_over(pack, text, tmp_path)
    assert errors(found, tmp_path) == [message]
    assert found.rules == pack.rules


def test_an_empty_file_says_nothing_and_a_missing_one_is_an_error(pack: RulePack, tmp_path: Path) -> None:
    assert laid_over(pack, "# nothing yet\n", tmp_path) == pack
    missing = apply(pack, read_overlays(tmp_path / "none.yaml"))
    assert errors(missing, tmp_path) == ["none.yaml:1: cannot be read: No such file or directory"]


CORRELATION = """\
AnalysisType: correlation_rule
RuleID: Vault.Chain
Enabled: true
Severity: High
Detection:
  - Sequence:
      - {ID: one, RuleID: Vault.Deleted}
      - {ID: two, RuleID: Vault.Opened}
    LookbackWindowMinutes: 60
"""


def test_a_correlation_rule_is_tuned_but_excludes_nothing(pack: RulePack, tmp_path: Path) -> None:
    (tmp_path / "chain.yml").write_text(CORRELATION)
    pack = load_rules([tmp_path])
    (plain,) = pack.correlations
    found = laid_over(pack, "Vault.Chain: {Severity: Low, Enabled: false}", tmp_path)
    (chain,) = found.correlations
    assert (chain.severity, chain.enabled, found.errors) == ("LOW", False, ())
    assert chain.version != plain.version
    refused = laid_over(pack, "Vault.Chain: {Exclude: [{Key: a, Condition: Exists}]}", tmp_path)
    assert errors(refused, tmp_path)[0].startswith("mine.yaml:1: Vault.Chain is a correlation rule: exclude events ")
    assert refused.correlations == pack.correlations


def test_changes_are_shown_with_what_was_before(pack: RulePack, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    text = "Severity: Low, Destinations: [], Exclude: [{Key: a, Condition: Exists}], Comment: quiet"
    file.write_text(f"Vault.Deleted: {{{text}}}")
    assert shown_changes(the(pack), read_overlays(file)) == [
        "severity: HIGH → LOW",
        "destinations: null → []",
        'excluded: [{"Key":"a","Condition":"Exists"}]',
        "comment: quiet",
    ]
    assert shown_changes(the(pack, "Vault.Opened"), read_overlays(file)) == ()


def test_the_setting_names_the_file(pack: RulePack, tmp_path: Path) -> None:
    file = tmp_path / "home" / "mine.yaml"
    file.parent.mkdir()
    file.write_text("Vault.Deleted: {Severity: Low, Destinations: [alerts_fil]}\nVault.Opened: {Enabled: true}")
    settings = Settings(home=tmp_path / "home", rules=(tmp_path,), rule_overlays=file)
    found = rule_pack(settings)
    assert (the(found).severity, the(found, "Vault.Opened").enabled) == ("HIGH", True)
    assert "alerts_fil is not a destination; did you mean alerts_file?" in str(found.errors[0])
