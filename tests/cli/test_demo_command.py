"""`iota demo`: the whole road on generated logs, for people and for scripts, once or again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from iota_dagster.cli import iota
from iota_dagster.core.hours import parse_hour_key
from iota_dagster.demo import run as demo

FIGURES = {"objects", "records", "events", "duplicates", "quarantined", "matches", "alerts", "rows", "seconds"}
HOUR = parse_hour_key("2026-11-22-10:00")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(iota, ["demo", *arguments], catch_exceptions=False)


def test_the_demo_finds_the_attack_and_a_second_one_adds_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IOTA_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(demo, "HOURS", 2)
    monkeypatch.setattr(demo, "EVENTS_PER_HOUR", 200)

    first = run("--once", "--json")
    assert (first.exit_code, first.stderr) == (0, "")
    figures = json.loads(first.stdout)
    assert set(figures) == FIGURES | {"alert_titles", "answer"}
    assert figures["events"] == figures["rows"]["cloudtrail_events"] == 400
    assert figures["records"] == figures["events"] + figures["duplicates"]
    assert figures["duplicates"] > 0
    assert figures["quarantined"] == 0
    assert len(figures["alert_titles"]) == figures["alerts"]
    for words in ("without MFA", "access key", "administrator rights", "many secrets", "StopLogging"):
        assert any(words in title for title in figures["alert_titles"]), words
    assert {"signin", "secretsmanager", "s3"} <= {row["service"] for row in figures["answer"]}

    # Should the hour turn between the two, the second one has something to add; it must not fail then.
    monkeypatch.setattr(demo, "write_logs", lambda folder, until: None)
    second = run()
    assert (second.exit_code, second.stderr) == (0, "")
    for words in ("nothing new", "0 new alerts", "secretsmanager", "make dev", "iota query"):
        assert words in second.stdout, words


def test_the_next_demo_writes_the_hours_since_the_last_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "EVENTS_PER_HOUR", 50)
    first = demo.write_logs(tmp_path, HOUR)
    assert first is not None
    assert first.events >= demo.HOURS * 50
    files = _files(tmp_path)
    assert demo.write_logs(tmp_path, HOUR) is None
    assert demo.write_logs(tmp_path, HOUR - 1) is None  # a clock that was put back
    assert _files(tmp_path) == files

    assert demo.write_logs(tmp_path, HOUR + 1) is not None
    added = _files(tmp_path).keys() - files.keys()
    assert added
    assert all("_20261122T10" in path.name for path in added)


def test_a_demo_that_was_interrupted_writes_the_same_bytes_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "EVENTS_PER_HOUR", 50)
    demo.write_logs(tmp_path, HOUR)
    files = _files(tmp_path)
    (tmp_path / "written_until").write_text("")
    demo.write_logs(tmp_path, HOUR)
    assert _files(tmp_path) == files


def _files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in (folder / "logs").rglob("*.json.gz")}
