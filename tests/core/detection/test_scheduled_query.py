"""Scheduled queries as files: how they are read, kept with the pack, and what the linter says of them."""

from pathlib import Path

import pytest

from iota_dagster.core.detection.authoring.lint import lint
from iota_dagster.core.detection.loader import load_rules
from iota_dagster.core.detection.pack_cache import read_rules
from iota_dagster.core.detection.schedule import Schedule

QUERY = """\
AnalysisType: scheduled_query
QueryName: Sign-ins
Enabled: true
Query: SELECT sourceIPAddress FROM cloudtrail_events
Schedule:
  CronExpression: "25 * * * *"
  TimeoutMinutes: 2
"""
RULE = """\
AnalysisType: scheduled_rule
Filename: r.py
RuleID: AWS.Vault.Deleted
DisplayName: A vault was deleted
Enabled: true
ScheduledQueries:
  - Sign-ins
Severity: Low
Description: Somebody deleted a vault.
Reference: https://example.com
Runbook: Ask whoever did it.
Reports: {MITRE ATT&CK: [TA0040:T1485]}
Tests:
  - {Name: finds it, ExpectedResult: true, Log: {n: 1}}
  - {Name: another, ExpectedResult: false, Log: {n: 2}}
"""


def write(folder: Path, query: str = QUERY, rule: str = RULE) -> Path:
    (folder / "q.yml").write_text(query)
    (folder / "r.yml").write_text(rule)
    (folder / "r.py").write_text("def rule(event):\n    return event.get('n') == 1\n")
    return folder


def found(folder: Path, query: str = QUERY, rule: str = RULE) -> list[str]:
    findings = lint([write(folder, query, rule)]).findings
    return [f"{item.file.name}:{item.line} {item.level} {item.text}" for item in findings]


def test_a_query_and_its_rule_are_read_and_kept(tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    rules.mkdir()
    pack = load_rules([write(rules)])
    (query,) = pack.queries
    assert (query.name, query.schedule, query.line) == ("Sign-ins", Schedule("25 * * * *", 0, 2), 4)
    assert pack.rules[0].log_types == (query.log_type,) == ("iota.query.Sign-ins",)
    assert [read_rules([rules], tmp_path / "cache").queries for _ in range(2)] == [pack.queries] * 2


def test_a_pack_changes_with_its_queries_but_not_with_their_place(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in "abc"]
    for folder in folders:
        folder.mkdir()
        write(folder, QUERY.replace("25 *", "26 *") if folder.name == "c" else QUERY)
    versions = [load_rules([folder]).version for folder in folders]
    assert versions[0] == versions[1] != versions[2]


def test_a_good_query_has_no_findings(tmp_path: Path) -> None:
    assert found(tmp_path) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("SELECT source", "SELEC source", "q.yml:4 warning Query: Parser Error: "),
        ("FROM cloudtrail", "FROM trail", "q.yml:4 warning Query: Catalog Error: Table with name trail_events"),
        ("sourceIPAddress", "sourceAddress", 'q.yml:4 warning Query: Binder Error: Referenced column "sourceAddress"'),
        (
            "source",
            "$due as d, source",
            "q.yml:4 warning Query: $due has no value; there are: $due_at, $previous_due_at",
        ),
        ("Query: SELECT", "Query: DROP TABLE alerts; SELECT", "q.yml:4 warning Query: expected one SELECT"),
        ("Name: Sign-ins", "Name: Signins", "r.yml:7 warning there is no scheduled query Sign-ins: did you mean Sig"),
        ('"25 * * * *"', '"25 * * *"', "q.yml:6 error Schedule.CronExpression: '25 * * *' has 4 fields"),
        ('"25 * * * *"', "", "q.yml:5 error Schedule: expected either CronExpression or RateMinutes"),
        ("TimeoutMinutes: 2", "RateMinutes: 2", "q.yml:5 error Schedule: expected either CronExpression or RateMi"),
        ("Schedule:\n", "Shedule:\n", "q.yml:5 error unknown key Shedule; did you mean Schedule?"),
        ("Query: SELECT", "SnowflakeQuery: SELECT", "q.yml:1 warning Sign-ins: its SQL (SnowflakeQuery) is another"),
        ("FROM cloud", "FROM panther_logs.public.cloud", "q.yml:1 warning Sign-ins: its SQL is another warehouse's"),
    ],
)
def test_what_is_wrong_with_a_query_is_named_with_its_line(tmp_path: Path, old: str, new: str, expected: str) -> None:
    findings = found(tmp_path, QUERY.replace(old, new, 1))
    assert any(item.startswith(expected) for item in findings), findings


def test_a_query_that_no_rule_reads_is_named(tmp_path: Path) -> None:
    findings = found(tmp_path, QUERY, RULE.replace("  - Sign-ins\n", "  - Other\n"))
    assert findings == [
        "q.yml:1 warning no scheduled rule names Sign-ins in ScheduledQueries: it never runs",
        "r.yml:7 warning there is no scheduled query Other: this rule sees none of its rows",
    ]


def test_a_query_may_read_the_alerts_and_all_logs(tmp_path: Path) -> None:
    tables = "alerts a, all_logs l, alert_matches m"
    sql = f"SELECT a.title, l.p_event_time FROM {tables} WHERE l.year = '2026' AND a.matches > 1 AND m.hour = '09'"
    assert found(tmp_path, QUERY.replace("SELECT sourceIPAddress FROM cloudtrail_events", sql)) == []


def test_a_query_may_ask_for_its_occasion(tmp_path: Path) -> None:
    sql = "sourceIPAddress, strftime($due_at, '%m') FROM cloudtrail_events WHERE p_event_time > $previous_due_at"
    assert found(tmp_path, QUERY.replace("sourceIPAddress FROM cloudtrail_events", sql)) == []


def test_two_queries_of_one_name_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "p.yml").write_text(QUERY)
    assert any("q.yml:2: QueryName Sign-ins is taken by" in str(item) for item in load_rules([write(tmp_path)]).errors)
