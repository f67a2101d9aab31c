"""The YAML of correlation rules: what is read, what is refused and in which words, and their tests."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from iota_dagster.core.detection.authoring.test_report import TestFailure
from iota_dagster.core.detection.correlation.pack import fields_needed
from iota_dagster.core.detection.correlation.rule import CorrelationRule, Frame, Member
from iota_dagster.core.detection.correlation.rule_tests import run_correlation_test
from iota_dagster.core.detection.loader import load_rules
from tests.core.detection.correlation.cases import BRUTE_FORCE, HEAD, UNANSWERED, WEAKENED, a_rule, read


def failed_tests(rule: CorrelationRule) -> list[TestFailure]:
    return [failure for test in rule.tests if (failure := run_correlation_test(rule, test))]


def test_a_sequence_is_read() -> None:
    rule = a_rule(BRUTE_FORCE)
    assert (rule.id, rule.title, rule.severity, rule.enabled, rule.ordered) == (
        "Takeover", "Account taken over", "HIGH", True, True,
    )  # fmt: skip
    assert rule.members == (
        Member("Failed", "Login.Failed", 3, False, ((0, ("user",)),)),
        Member("Success", "Login", 1, False, ((0, ("user",)),)),
    )
    assert (rule.joins, rule.frames) == (("user",), (Frame(0, 1, timedelta(minutes=30)),))
    assert (rule.window, rule.waits, rule.destinations) == (timedelta(minutes=60), False, None)


def test_a_group_is_read() -> None:
    rule = a_rule(WEAKENED)
    assert (rule.ordered, rule.joins, rule.frames) == (False, ("bucket",), ())
    assert [member.joins for member in rule.members] == [((0, ("p_alert_context.bucket",)),), ((0, ("bucketName",)),)]


def test_every_key_is_known() -> None:
    rule = a_rule(
        """\
        Description: d
        Reference: https://example.com
        Runbook: r
        Reports: { MITRE ATT&CK: [TA0001:T1078] }
        Tags: [AWS]
        SummaryAttributes: [user]
        Status: Experimental
        OutputIds: [pager]
        CreateAlert: false
        DedupPeriodMinutes: 120
        Threshold: 2
        Detection:
          - Sequence: [{ RuleID: A, MinMatchCount: 1 }, { RuleID: B, Absence: true }]
            Transitions: [{ ID: A to B, From: A, To: B }]
            Schedule: { RateMinutes: 5, CronExpression: 0 * * * *, TimeoutMinutes: 1 }
            EventEvaluationOrder: Chronological
        Tests: []
        """
    )
    assert (rule.period_minutes, rule.threshold, rule.create_alert, rule.destinations) == (120, 2, False, ("pager",))
    assert (rule.window, rule.waits) == (timedelta(minutes=15), True)


def test_the_version_changes_with_the_content_alone() -> None:
    assert a_rule(WEAKENED).version == a_rule("# a remark\n" + WEAKENED).version
    assert a_rule(WEAKENED).version != a_rule(WEAKENED.replace("30", "31")).version


def test_values_that_are_linked_are_one_join() -> None:
    rule = a_rule("""\
        Detection:
          - Sequence: [{ RuleID: A }, { RuleID: B }, { RuleID: C }]
            Transitions:
              - { From: A, To: B, Match: [{ From: a.user, To: b.user }, { On: ip }] }
              - { From: B, To: C, Match: [{ From: b.user, To: c.user }] }
        """)
    assert rule.joins == ("user", "ip")
    assert rule.members[1].joins == ((0, ("b.user",)), (1, ("ip",)))
    assert rule.members[2].joins == ((0, ("c.user",)),)
    assert fields_needed([rule]) == {"A": ("a.user", "ip"), "B": ("b.user", "ip"), "C": ("c.user",)}


SEQUENCE = "Detection:\n  - Sequence: [{ ID: A, RuleID: R.A }, { ID: B, RuleID: R.B, Absence: true }, { RuleID: C }]\n"


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("Detections: []\n" + WEAKENED, 6, "unknown key Detections; did you mean Detection?"),
        (WEAKENED.replace("Versions,", "Version,", 1), 13, "there is no Versions; there is Logging, Version"),
        (WEAKENED.replace("RuleID: Versions.Off", "RuleId: V"), 9, "unknown key Detection.0.Group.1.RuleId; did you"),
        (WEAKENED.replace("Match: bucketName", "Matches: x"), 13, "unknown key Detection.0.MatchCriteria.bucket.1.Ma"),
        (WEAKENED.replace("LookbackWindowMinutes: 30", "LookbackWindowMinutes: 0"), 14, "greater than or equal to 1"),
        ("Detection: [{}]", 6, "give either Group or Sequence"),
        ("Detection: []", 6, "Detection: list should have at least 1 item"),
        ("Detection: [{ Group: [{ RuleID: A }], Sequence: [{ RuleID: A }] }]", 6, "give either Group or Sequence"),
        ("Detection: [{ Group: [{ RuleID: A }, { RuleID: A }] }]", 6, "A stands 2 times; give each an ID of its own"),
        ("Detection: [{ Group: [{ RuleID: A, Absence: true }] }]", 6, "at least one member must not be absent"),
        ("Detection: [{ Group: [{ RuleID: A }, { ID: B, RuleID: A, Absence: true }] }]", 6, "both present and absent"),
        ("Detection: [{ Sequence: [{ RuleID: A }, { RuleID: B, Absence: true, MinMatchCount: 2 }] }]", 6, "no count"),
        ("Detection: [{ Group: [{ RuleID: A }], Transitions: [{ From: A, To: A }] }]", 6, "belong to a Sequence"),
        ("Detection: [{ Sequence: [{ RuleID: A }], MatchCriteria: { a: [] } }]", 6, "belong to a Group"),
        (SEQUENCE + "    Transitions: [{ From: A, To: D }]", 8, "Transitions.0.To: there is no D; there is A, B, C"),
        (SEQUENCE + "    Transitions: [{ From: C, To: A }]", 8, "it leads back from C to A"),
        (SEQUENCE + "    Transitions: [{ From: A, To: C, Match: [{ On: x, To: y }] }]", 8, "give either On, or"),
        (SEQUENCE + "    Transitions: [{ From: B, To: B }]", 8, "B is absent and cannot lead to itself"),
        (SEQUENCE + "    EventEvaluationOrder: Sometimes", 8, "'Chronological' or 'ReverseChronological'"),
        (WEAKENED + "Tests: [{ Name: t }]", 15, "Tests.0.ExpectedResult is missing"),
        (WEAKENED + "Tests: [{ Name: t, ExpectedResult: true, RuleOutputs: [{ ID: X }] }]", 15, "there is no X; there"),
        (
            WEAKENED + "Tests:\n  - { Name: t, ExpectedResult: true, RuleOutputs: [{ ID: Logging, Matches: &b { c: "
            "{ d: [noon] } } }] }",
            16,
            "'noon' is neither a number of minutes nor a time",
        ),
    ],
)  # fmt: skip
def test_mistakes_are_named_with_their_line(text: str, line: int, problem: str) -> None:
    rule, problems = read(text)
    assert rule is None
    assert any(at == line and problem in found for at, found in problems), problems


def test_a_time_frame_of_an_absent_step_is_counted_from_its_neighbour() -> None:
    steps = "{ RuleID: A }, { RuleID: C }, { RuleID: B, Absence: true }, { RuleID: D, Absence: true }"
    text = f"Detection: [{{ Sequence: [{steps}], Transitions: [{{ From: %s, To: %s, WithinTimeFrameMinutes: 5 }}] }}]"
    assert "C stands between" in read(text % ("A", "B"))[1][0][1]
    assert "both steps are absent" in read(text % ("B", "D"))[1][0][1]
    assert read(text % ("C", "B"))[0]
    only_absent = f"Detection: [{{ Sequence: [{steps}], Transitions: [{{ From: B, To: D, Match: [{{ On: x }}] }}] }}]"
    assert "joins absent steps only" in read(only_absent)[1][0][1]


TESTS = """\
Tests:
  - Name: Enough
    ExpectedResult: true
    RuleOutputs:
      - { ID: Failed, Matches: { user: { alice: [0, 1, 2.5] }, app: { mail: [0, 1] } } }
      - { ID: Success, Matches: { user: { alice: ["2026-01-01T00:10:00Z"] } } }
  - Name: Too few of one user
    ExpectedResult: false
    RuleOutputs:
      - { ID: Failed, Matches: { user: { alice: [0, 1], 12: [1] } } }
      - { ID: Success, Matches: { user: { alice: [3] } } }
  - Name: Three in one moment
    ExpectedResult: true
    RuleOutputs:
      - { ID: Failed, Matches: { user: { 12: [0, 0, 0] } } }
      - { ID: Success, Matches: { user: { "12": [0] } } }
  - Name: Wrong
    ExpectedResult: true
"""


def test_tests_name_matches_by_field_value_and_time() -> None:
    rule = a_rule(BRUTE_FORCE + TESTS)
    (failure,) = failed_tests(rule)
    assert (failure.rule, failure.test, failure.expected, failure.got, failure.line) == (
        "Takeover", "Wrong", True, False, 29,
    )  # fmt: skip


def test_fields_of_one_moment_belong_to_one_match() -> None:
    rule = a_rule("""\
        Detection:
          - Group: [{ ID: A, RuleID: A }, { ID: B, RuleID: B }]
            MatchCriteria:
              who: [{ GroupID: A, Match: user }, { GroupID: B, Match: user }]
              where: [{ GroupID: A, Match: ip }, { GroupID: B, Match: ip }]
        Tests:
          - Name: Both of one match
            ExpectedResult: true
            RuleOutputs: &same
              - { ID: A, Matches: { user: { alice: [0], bob: [1] }, ip: { 203.0.113.1: [0], 203.0.113.2: [1] } } }
              - { ID: B, Matches: { user: { alice: [2] }, ip: { 203.0.113.1: [2] } } }
          - Name: One of each
            ExpectedResult: false
            RuleOutputs:
              - { ID: A, Matches: { user: { alice: [0], bob: [1] }, ip: { 203.0.113.2: [0], 203.0.113.1: [1] } } }
              - { ID: B, Matches: { user: { alice: [2] }, ip: { 203.0.113.1: [2] } } }
        """)
    assert failed_tests(rule) == []


def test_absence_in_a_test_is_decided_by_what_it_names() -> None:
    rule = a_rule(
        UNANSWERED
        + """\
Tests:
  - { Name: Open, ExpectedResult: true, RuleOutputs: [{ ID: Exposed, Matches: { key: { K: [0] } } }] }
  - Name: Revoked
    ExpectedResult: false
    RuleOutputs: [{ ID: Exposed, Matches: { key: { K: [0] } } }, { ID: Revoked, Matches: { key: { K: [3] } } }]
"""
    )
    assert failed_tests(rule) == []


def test_a_broken_file_does_not_stop_the_others(tmp_path: Path) -> None:
    (tmp_path / "good.yml").write_text(HEAD + WEAKENED)
    (tmp_path / "same_id.yml").write_text(HEAD + WEAKENED)
    (tmp_path / "broken.yml").write_text(HEAD.replace("Takeover", "Broken") + "Detection: [{}]")
    (tmp_path / "no_yaml.yml").write_text("AnalysisType: correlation_rule\n: [")
    pack = load_rules([tmp_path])
    assert [Path(rule.file).name for rule in pack.correlations] == ["good.yml"]
    assert sorted(error.file.name for error in pack.errors) == ["broken.yml", "no_yaml.yml", "same_id.yml"]


def test_an_id_belongs_to_one_rule_of_whichever_kind(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text(HEAD + WEAKENED)
    plain = HEAD.replace("correlation_rule", "rule") + "LogTypes: [AWS.CloudTrail]\nFilename: b.py\n"
    (tmp_path / "b.yml").write_text(plain)
    (tmp_path / "b.py").write_text("def rule(event):\n    return True\n")
    pack = load_rules([tmp_path])
    assert (len(pack.correlations), pack.rules) == (1, ())
    assert [error.detail for error in pack.errors] == [f"RuleID Takeover is taken by {tmp_path / 'a.yml'}"]


def test_a_rule_that_waits_for_itself_is_refused(tmp_path: Path) -> None:
    for name, member in (("One", "Two"), ("Two", "One"), ("Three", "One")):
        text = HEAD.replace("Takeover", name) + f"Detection: [{{ Group: [{{ RuleID: {member} }}, {{ RuleID: X }}] }}]"
        (tmp_path / f"{name}.yml").write_text(text)
    pack = load_rules([tmp_path])
    assert [rule.id for rule in pack.correlations] == ["Three"]
    assert ["a member of itself" in error.detail for error in pack.errors] == [True, True]


RULES = Path(__file__).parents[4] / "rules"
OWN = load_rules([RULES])


def test_our_own_rules_are_right() -> None:
    assert OWN.errors == ()
    assert len(OWN.correlations) >= 6


@pytest.mark.parametrize("rule", OWN.correlations, ids=lambda rule: rule.id)
def test_our_own_rules_pass_their_tests(rule: CorrelationRule) -> None:
    assert failed_tests(rule) == []
    assert {test.expected for test in rule.tests} == {True, False}
    assert rule.description
    assert rule.runbook
    assert rule.reference


def test_our_own_rules_look_at_rules_that_exist() -> None:
    known = {rule.id for rule in OWN.rules} | {rule.id for rule in OWN.correlations}
    assert {rule_id for rule in OWN.correlations for rule_id in rule.rule_ids} <= known
