"""`iota sources`, and a user's own log type from its sample to rows and alerts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from iota_dagster.cli import iota
from iota_dagster.core.errors import SettingsError
from iota_dagster.core.sources import SOURCES
from iota_dagster.core.sources.infer import CannotInfer
from iota_dagster.core.sources.registry import use_log_types
from iota_dagster.process_workers import close_workers

NOW = datetime.now(UTC).replace(minute=30, second=0, microsecond=0) - timedelta(hours=2)
RULE = """\
AnalysisType: rule
RuleID: Custom.Doors.Forced
Enabled: true
LogTypes: [Custom.Doors]
Severity: High
Detection: [{KeyPath: state, Condition: Equals, Value: forced}]
Description: A door was forced
Runbook: Go there
Reference: https://example.com
DisplayName: A door was forced
Reports: {MITRE ATT&CK: ["TA0001:T1200"]}
Tests:
  - {Name: forced, ExpectedResult: true, Log: {state: forced}}
  - {Name: opened, ExpectedResult: false, Log: {state: opened}}
"""


@pytest.fixture(autouse=True)
def home(here: None) -> Iterator[None]:
    """The settings of a test are forgotten after it."""
    yield
    use_log_types(())


def run(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(iota, list(arguments), catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result


def doors(count: int) -> str:
    """Lines below a header."""
    states = ["opened", "closed", "forced"]
    rows = [f"{NOW + timedelta(seconds=n):%Y-%m-%d %H:%M:%S},d{n},{states[n % 3]},203.0.113.{n}" for n in range(count)]
    return "\n".join(["Time,Event ID,state,Reader IP", *rows]) + "\n"


def configure(text: str) -> None:
    """Make it the only log type of the settings, with its rule beside it."""
    for folder in ("types", "rules"):
        Path(folder).mkdir(exist_ok=True)
    Path("types/doors.yaml").write_text(text)
    Path("rules/forced.yml").write_text(RULE)
    Path("iota.yaml").write_text("log_types: [types]\nrules: [rules]\nprocess_workers: 2\ninline_bytes: 1\n")


def query(sql: str) -> list[dict[str, object]]:
    return list(json.loads(run("query", sql, "--format", "json").stdout))


def test_a_sample_becomes_a_type_whose_events_are_stored_and_judged(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "doors.csv").write_text(doors(6))
    proposed = run("sources", "infer", "logs/doors.csv").stdout
    configure(proposed)
    assert run("sources", "check", "types/doors.yaml", "--sample", "logs/doors.csv").stdout.splitlines() == [
        "Custom.Doors: 4 columns, table custom_doors_events",
        "logs/doors.csv: 6 records: Custom.Doors",
    ]
    assert "0 errors, 0 warnings" in run("rules", "lint").stdout
    assert "Custom.Doors" in run("classify", "logs/doors.csv").stdout

    try:
        figures = json.loads(run("ingest", "logs", "--json").stdout)
    finally:
        close_workers()  # processes of its own, which were told of the type with their work
    assert (figures["rows"], figures["quarantined"]) == ({"alert_matches": 2, "custom_doors_events": 6}, 0)
    (first,) = query(
        "SELECT p_event_time, Event_ID, state, p_any_ip_addresses FROM custom_doors_events ORDER BY 1 LIMIT 1"
    )
    assert first == {
        "p_event_time": f"{NOW:%Y-%m-%dT%H:%M:%S}Z",
        "Event_ID": "d0",
        "state": "opened",
        "p_any_ip_addresses": ["203.0.113.0"],
    }

    # A column more: rows from before have none there. Another type or another table: no.
    (logs / "more.csv").write_text(doors(7))
    Path("types/doors.yaml").write_text(
        proposed + "  - {name: again, path: state, type: text, description: The same once more}\n"
    )
    try:
        figures = json.loads(run("ingest", "logs", "--json").stdout)
    finally:
        close_workers()
    assert (figures["events"], figures["duplicates"]) == (1, 6)
    assert query("SELECT count(again) AS n, count(*) AS rows FROM custom_doors_events") == [{"n": 1, "rows": 7}]
    for wrong, said in (
        (proposed, "its table has a column again"),
        (proposed.replace("{name: state, type: text", "{name: state, type: flag"), "state is string in the lake"),
        (f"{proposed}table: other_events\n", "its events are in custom_doors_events"),
    ):
        Path("types/doors.yaml").write_text(wrong)
        with pytest.raises(SettingsError, match=said):
            run("ingest", "logs")


def test_a_mistake_is_told_by_whatever_reads_the_settings() -> None:
    configure("log_type: Custom.Doors\n")
    for command in (["sources", "list"], ["query", "SELECT 1"], ["ingest", "types"], ["classify", "iota.yaml"]):
        with pytest.raises(SettingsError, match=r"types/doors\.yaml:1: format is missing"):
            run(*command)


def test_schemas_are_checked_beside_those_of_the_settings() -> None:
    configure(DOORS)
    Path("lines.log").write_text("2025-11-22T10:00:00Z,ann\n2025-11-22T10:00:00Z,[/x]\nodd\nodder\n")
    wider = DOORS.replace("Custom.Doors", "Custom.AnyDoors").replace(", required: true", "")
    Path("wider.yaml").write_text(wider)
    said = run("sources", "check", "wider.yaml", "--sample", "lines.log").stdout.splitlines()
    assert said[:2] == [
        "Custom.AnyDoors: 2 columns, table custom_anydoors_events",
        "lines.log: 2 records: Custom.Doors",  # the more specific one
    ]
    assert said[2].startswith("lines.log: 2 records: quarantine, unclassified; record 2: unclassified: ")
    assert len(said) == 3

    Path("same.yaml").write_text(DOORS)
    with pytest.raises(SettingsError, match=r"same\.yaml:1: log_type: Custom\.Doors is known already"):
        run("sources", "check", "same.yaml")
    assert "Custom.Doors: 2 columns" in run("sources", "check", "types/doors.yaml").stdout


def test_a_description_is_no_markup() -> None:
    configure(DOORS.replace("description: Doors", 'description: "all [/x] \\e[2J doors"'))
    listed = run("sources", "list").stdout
    assert "all [/x]" in listed
    assert "\x1b" not in listed + run("sources", "show", "Custom.Doors").stdout


def test_several_files_with_headers_are_one_sample() -> None:
    for name in ("one.csv", "two.csv"):
        Path(name).write_text(doors(4))
    assert "columns: [Time, Event ID, state, Reader IP]" in run("sources", "infer", "one.csv", "two.csv").stdout


def test_all_types_are_listed_and_each_can_be_shown() -> None:
    configure(DOORS)
    listed = [json.loads(line) for line in run("sources", "list", "--json").stdout.splitlines()]
    assert [item["log_type"] for item in listed] == sorted(SOURCES)
    assert {item["log_type"] for item in listed if not item["built_in"]} == {"Custom.Doors"}
    assert "Custom.Doors (own)" in run("sources", "list").stdout
    shown = json.loads(run("sources", "show", "Custom.Doors", "--json").stdout)
    assert shown["marks"] == "2 cells with ',' between them, with at"
    assert shown["columns"][1] == {"name": "who", "type": "string", "description": "Who"}
    assert "eventName" in run("sources", "show", "AWS.CloudTrail").stdout
    with pytest.raises(SettingsError, match="unknown log type"):
        run("sources", "show", "Custom.Nothing")


DOORS = """\
log_type: Custom.Doors
format: csv
description: Doors
marks: {header: false}
fields:
  - {name: at, type: time, description: When, required: true}
  - {name: who, type: text, description: Who}
"""


def test_what_cannot_be_inferred_or_is_known_is_said() -> None:
    Path("odd.log").write_text("hello\n")
    with pytest.raises(CannotInfer, match="format: regex"):
        run("sources", "infer", "odd.log")
    Path("okta.json").write_text(
        '{"uuid":"1","published":"2025-11-22T10:00:00Z","eventType":"x.y","actor":{"id":"1"}}\n{"broken"\n'
    )
    result = run("sources", "infer", "okta.json", "--log-type", "Custom.Mine")
    assert "Some of them are a log type already: Okta.SystemLog" in result.stderr
    assert "record 1" in result.stderr
    assert "log_type: Custom.Mine" in result.stdout
