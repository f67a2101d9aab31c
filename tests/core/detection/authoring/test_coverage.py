"""Recall and noise on recordings: which techniques a pack detects, and which alerts no attack explains."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from iota_dagster.core.detection.authoring.coverage import CoverageReport, Technique, measure, read_truth
from iota_dagster.core.detection.authoring.recordings import log_files, read_recording, technique_name
from iota_dagster.core.detection.loader import load_rules
from iota_dagster.core.errors import RuleError

CODE = """
def rule(event):
    return event["p_log_type"] == "AWS.CloudTrail" and event.get("eventName") == NAME
def title(event):
    return f"{NAME} at {event['p_event_time']}"
def dedup(event):
    return NAME
def unique(event):
    return event["p_event_id"]
"""


def event(number: int, name: str, minute: int = 0) -> dict[str, Any]:
    time = f"2026-11-22T10:{minute:02}:00Z"
    return {"eventVersion": "1.11", "eventID": f"e{number}", "eventName": name, "eventTime": time}


def rules(folder: Path, **settings: str) -> Any:
    """A pack with a rule per call name, with more lines of YAML each."""
    for name, more in settings.items():
        text = f"AnalysisType: rule\nFilename: {name}.py\nRuleID: {name}\nEnabled: true\nLogTypes: [AWS.CloudTrail]\n"
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.yml").write_text(f"{text}Severity: High\n{more}\n")
        (folder / f"{name}.py").write_text(f"NAME = {name!r}\n{CODE}")
    return load_rules([folder])


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    folder = tmp_path / "logs" / "deeper"
    folder.mkdir(parents=True)
    first = {"Records": [event(1, "Stop"), event(2, "Read"), event(3, "Read", 1)]}
    (folder / "a.json.gz").write_bytes(gzip.compress(json.dumps(first).encode()))
    (folder / "b.json").write_text(json.dumps([event(1, "Stop"), event(4, "Read", 50), {"eventName": "Stop"}]))
    (folder / "notes.txt").write_text("not a log")
    return tmp_path / "logs"


TRUTH = (Technique("stop", frozenset({"e1"})), Technique("read", frozenset({"e2"})), Technique("none", frozenset()))


def summary(report: CoverageReport) -> dict[str, list[str]]:
    return {item.technique: [alert.rule_id for alert in item.alerts] for item in report.outcomes}


def test_a_technique_is_detected_by_the_alerts_that_have_one_of_its_calls(tmp_path: Path, logs: Path) -> None:
    report = measure(rules(tmp_path / "r", Stop="", Read="DedupPeriodMinutes: 30"), logs, TRUTH)
    assert summary(report) == {"stop": ["Stop"], "read": ["Read"], "none": []}
    assert (report.detonated, report.detected, len(report.alerts)) == (2, 2, 3)
    assert [(alert.rule_id, alert.matches) for alert in report.outside] == [("Read", 1)]
    assert [alert.title for alert in report.outside] == ["Read at 2026-11-22 10:50:00.000000Z"]


def test_an_event_counts_once_and_a_record_without_an_id_is_left_out(tmp_path: Path, logs: Path) -> None:
    report = measure(rules(tmp_path / "r", Stop=""), logs, TRUTH)
    assert (report.events, report.left_out) == (4, 1)
    assert [alert.matches for alert in report.alerts] == [1]


def test_below_its_threshold_a_rule_raises_nothing(tmp_path: Path, logs: Path) -> None:
    report = measure(rules(tmp_path / "r", Read="Threshold: 3", Stop="Threshold: 2"), logs, TRUTH)
    assert summary(report) == {"stop": [], "read": ["Read"], "none": []}
    assert report.detected == 1


def test_signals_raise_no_alert_but_are_counted(tmp_path: Path, logs: Path) -> None:
    report = measure(rules(tmp_path / "r", Read="CreateAlert: false"), logs, TRUTH)
    assert (report.alerts, report.detected, report.signals) == ((), 0, {"Read": 3})


def test_each_technique_file_is_an_attack_judged_by_itself(tmp_path: Path, logs: Path) -> None:
    folder = logs / "techniques"
    folder.mkdir()
    (folder / "aws.stop.json").write_text(json.dumps([event(1, "Stop"), event(9, "List")]))
    (folder / "aws.read.json.gz").write_bytes(gzip.compress(json.dumps(event(2, "Read")).encode()))
    report = measure(rules(tmp_path / "r", Stop="", Read="Threshold: 2"), logs, TRUTH, folder)
    found = {(item.technique, item.recording): (item.calls, item.detected) for item in report.outcomes}
    assert found["aws.stop", "techniques"] == (2, True)
    assert found["aws.read", "techniques"] == (1, False)
    assert found["stop", "logs"] == (1, True)
    assert report.events == 4 + 3


def test_a_rule_that_fails_or_cannot_be_loaded_is_told(tmp_path: Path, logs: Path) -> None:
    rules(tmp_path / "r", Stop="", Read="")
    (tmp_path / "r" / "Stop.py").write_text("def rule(event):\n    return event['nothing']\n")
    (tmp_path / "r" / "Read.py").write_text("import nowhere_at_all\ndef rule(event):\n    return True\n")
    failures = {(item.rule_id, item.function): item for item in measure(load_rules([tmp_path / "r"]), logs).failures}
    assert set(failures) == {("Stop", "rule"), ("Read", "import")}
    assert failures["Stop", "rule"].count == 4


def test_without_a_truth_every_alert_is_outside(tmp_path: Path, logs: Path) -> None:
    report = measure(rules(tmp_path / "r", Stop=""), logs)
    assert report.outcomes == ()
    assert report.outside == report.alerts != ()


def test_the_truth_lists_the_calls_of_what_ran(tmp_path: Path) -> None:
    file = tmp_path / "truth.json"
    ran = {"technique": "a", "detonate": {"calls": [{"eventID": "1"}, {"eventID": "2"}]}}
    file.write_text(json.dumps([ran, {"technique": "b", "warmup": {"calls": []}}]))
    assert read_truth(file) == [Technique("a", frozenset({"1", "2"})), Technique("b", frozenset())]


@pytest.mark.parametrize(
    "content", ["{", "{}x", "[1]", '[{"detonate": {}}]', '[{"technique": "a", "detonate": {"c": 1}}]']
)
def test_another_form_of_truth_is_an_error_with_the_right_form(tmp_path: Path, content: str) -> None:
    (tmp_path / "t.json").write_text(content)
    with pytest.raises(RuleError, match=r"t\.json: the ground truth is a JSON list of"):
        read_truth(tmp_path / "t.json")


def test_a_record_reaches_the_rules_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('{"eventID": "x", "eventTime": "2026-11-22T10:00:00+02:00", "n": 1.50}\n{"eventID": 1}\nnoise\n')
    recording = read_recording([file])
    (found,) = recording.events
    envelope = '{"p_log_type":"AWS.CloudTrail","p_event_id":"x","p_event_time":"2026-11-22 08:00:00.000000Z"'
    assert found.record == f'{envelope},"eventID": "x", "eventTime": "2026-11-22T10:00:00+02:00", "n": 1.50}}'.encode()
    assert recording.left_out == 2


def test_one_file_may_be_named_and_a_technique_is_named_by_its_file(tmp_path: Path) -> None:
    file = tmp_path / "aws.x.json.gz"
    file.touch()
    assert list(log_files(file)) == [file.resolve()]
    assert technique_name(file) == "aws.x"


def test_rules_remember_and_look_up_as_in_production(tmp_path: Path, logs: Path) -> None:
    rules(tmp_path / "r", Read="")
    code = """\
from panther_detection_helpers.caching import get_string_set, put_string_set
def rule(event):
    seen = get_string_set("names")
    put_string_set("names", [*seen, event["eventName"]])
    return event.udm("what") == "Read" and "Read" in seen
"""
    (tmp_path / "r" / "Read.py").write_text(code)
    model = "AnalysisType: datamodel\nDataModelID: M\nEnabled: true\nLogTypes: [AWS.CloudTrail]\n"
    (tmp_path / "r" / "model.yml").write_text(model + "Mappings: [{ Name: what, Path: eventName }]\n")
    report = measure(load_rules([tmp_path / "r"]), logs)
    assert report.failures == ()
    assert sum(alert.matches for alert in report.alerts) == 2
