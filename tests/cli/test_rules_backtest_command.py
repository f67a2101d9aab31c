"""`iota rules backtest`: its tables for people, its JSON for programs, and what it says on standard error."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from iota_dagster.cli.rules import command
from iota_dagster.core.errors import RuleError, SettingsError
from tests.road.world import TEN, World, drive, record, sign_in

SPAN = ("--from", "2026-11-22T09", "--to", "2026-11-22T11")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> World:
    """An installation with a sign-in that its rule has found, and another event."""
    folder = tmp_path_factory.mktemp("made")
    world = World.at(folder, f"sqlite:///{folder}/iota.db")
    with world.opened() as platform:
        world.deliver(platform, {"a.json.gz": [sign_in("s", "203.0.113.1"), record("other")]}, TEN)
        drive(platform, "run")
    return world


@pytest.fixture
def world(made: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """The installation as the settings of this test."""
    settings = {"HOME": str(made.home), "STORE_URL": made.store_url, "RULES": json.dumps([str(made.rules)])}
    for name, value in settings.items():
        monkeypatch.setenv(f"IOTA_{name}", value)
    return made


@pytest.fixture
def rules(tmp_path: Path, made: World) -> Path:
    """Rules of the user's own: the installation's, which finds something else now, and one that fails."""
    folder = tmp_path / "own"
    folder.mkdir()
    for file in made.rules.glob("sign_in.*"):
        (folder / file.name).write_text(file.read_text().replace("ConsoleLogin", "GetObject"))
    text = (folder / "sign_in.yml").read_text().replace("sign_in.py", "bad.py").replace("Test.SignIn", "Test.Bad")
    (folder / "bad.yml").write_text(text)
    (folder / "bad.py").write_text('def rule(event):\n    return event["missing"]\n')
    (folder / "okta.yml").write_text(text.replace("Test.Bad", "Test.Okta").replace("AWS.CloudTrail", "Nobody.Knows"))
    return folder


def backtest(*arguments: object) -> Result:
    return CliRunner().invoke(command, ["backtest", *map(str, arguments)], env={"COLUMNS": "200"})


def test_a_table_shows_what_rules_find_and_what_that_changes(world: World) -> None:
    result = backtest(*SPAN)
    assert result.exit_code == 0
    row = next(line for line in result.stdout.splitlines() if "Test.SignIn" in line)
    assert [cell.strip() for cell in row.split("│")][1:-2] == [
        "Test.SignIn", "1", "500,000.0", "the same", "1", "the same"
    ]  # fmt: skip
    assert "sign-in from 203.0.113.1" in result.stdout
    assert "2026-11-22 09:00 to 2026-11-22 11:00 UTC: 2 events, 1 matches (the same), 1 alerts" in result.stdout


def test_json_has_fixed_keys_and_nothing_beside_it(world: World, rules: Path) -> None:
    result = backtest("Test.SignIn", *SPAN, "--rules", rules, "--samples", 1, "--json")
    found = json.loads(result.stdout)
    (rule,) = found["rules"]
    assert rule["matches"] == {"found": 1, "stored": 1, "new": 1, "gone": 1}
    assert rule["matches_per_million"] == 500_000
    (sample,) = rule["samples"]
    assert (sample["title"], sample["new"], sample["event_time"]) == (
        "sign-in from 203.0.113.7", True, "2026-11-22T10:05:00Z"
    )  # fmt: skip
    assert found["alerts"]["gone"] == 1
    assert (found["first"], found["end"], found["events"]) == ("2026-11-22T09:00:00Z", "2026-11-22T11:00:00Z", 2)
    assert set(found) == {
        "first", "end", "rules", "left_out", "failures", "events", "files", "seconds", "matches", "alerts"
    }  # fmt: skip


def test_failures_and_rules_left_out_are_told_on_standard_error(world: World, rules: Path) -> None:
    result = backtest(*SPAN, "--rules", rules)
    assert result.exit_code == 0
    assert "left out Test.Okta: the lake has no table of its log types" in result.stderr
    assert "FAILED Test.Bad rule: KeyError" in result.stderr
    assert "(2 times)" in result.stderr
    assert "1 of 2 rules find nothing and never did" in result.stdout


def test_without_history_there_is_a_summary_and_no_table(world: World) -> None:
    result = backtest("--from", "2026-01-01", "--to", "2026-01-02")
    assert result.stdout.startswith("2026-01-01 00:00 to 2026-01-02 00:00 UTC: 0 events, 0 matches (the same)")


def test_what_cannot_be_asked_for_is_an_error_in_one_line(world: World) -> None:
    assert isinstance(backtest("Test.Unknown", *SPAN).exception, RuleError)
    assert isinstance(backtest("--from", "2026-11-22", "--to", "2026-11-21").exception, SettingsError)
    assert "is no time" in backtest("--from", "yesterday").stderr
