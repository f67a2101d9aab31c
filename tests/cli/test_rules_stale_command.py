"""`iota rules stale`: hours that were judged before a rule was new or changed, and the way to judge them again."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from iota_dagster.cli import backfill
from iota_dagster.cli.rules import command
from iota_dagster.core.errors import RuleError
from iota_dagster.core.hours import Hour, hour_of
from tests.road.world import TEN, World, drive, sign_in

HOURS = [TEN, TEN + 1, TEN + 3]
YML = """\
AnalysisType: rule
Filename: {0}.py
RuleID: Test.{0}
Enabled: true
LogTypes: [{1}]
Severity: High
"""


@pytest.fixture(autouse=True)
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """An installation with two hours in a row and one later, judged by the rule `Test.SignIn`."""
    monkeypatch.chdir(tmp_path)
    world = World.at(tmp_path, f"sqlite:///{tmp_path}/iota.db")
    settings = {"home": "home", "store_url": world.store_url, "rules": ["rules"], "rule_overlays": "mine.yaml"}
    Path("iota.yaml").write_text(yaml.safe_dump(settings))
    Path("mine.yaml").touch()
    with world.opened() as platform:
        for hour in HOURS:
            world.deliver(platform, {f"{hour}.gz": [sign_in(f"e{hour}", "203.0.113.7", hour)]}, hour)
        drive(platform, "first", hours=HOURS)
    return world


def put_rule(name: str, log_type: str = "AWS.CloudTrail") -> None:
    Path("rules", f"{name}.yml").write_text(YML.format(name, log_type))
    Path("rules", f"{name}.py").write_text("def rule(event):\n    return False\n")


def hours_of(line: str) -> Sequence[Hour]:
    """The hours that a line of `iota backfill` is about."""
    words = shlex.split(line)
    assert words[:2] == ["iota", "backfill"]
    options = backfill.command.make_context("backfill", words[2:]).params
    return range(hour_of(options["since"]), hour_of(options["until"]))


def judge_again(world: World, line: str) -> None:
    with world.opened() as platform:
        drive(platform, line, hours=hours_of(line), again=True)


def stale(*arguments: str) -> Result:
    return CliRunner().invoke(command, ["stale", *arguments])


def figures(*arguments: str) -> dict[str, Any]:
    result = stale("--json", *arguments)
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_hours_are_stale_until_what_the_named_command_does_has_judged_them_again(world: World) -> None:
    assert stale().stdout == "nothing is stale: the present rules judged every hour\n"
    put_rule("Other")
    put_rule("Elsewhere", "AWS.ALB")
    with Path("rules", "sign_in.py").open("a") as code:
        code.write("\n\ndef reference(event):\n    return 'https://example.com'\n")

    found = figures()
    assert (found["hours"], found["batches"], found["errors"]) == (3, 3, [])
    first, second = found["ranges"]
    assert (first["from"], first["to"]) == ("2026-11-22T10:00:00+00:00", "2026-11-22T12:00:00+00:00")
    assert (first["hours"], first["new"], first["changed"]) == (2, ["Test.Other"], ["Test.SignIn"])
    assert second["command"] == "iota backfill --from 2026-11-22T13 --to 2026-11-22T14"
    lines = stale().stdout.splitlines()
    assert lines[0] == "2026-11-22 10:00 to 2026-11-22 12:00 UTC: 2 hours, 2 batches"
    assert lines[2:5] == [
        "  new      Test.Other",
        "  changed  Test.SignIn",
        "  again    iota backfill --from 2026-11-22T10 --to 2026-11-22T12",
    ]

    judge_again(world, first["command"])
    assert [item["from"] for item in figures()["ranges"]] == [second["from"]]
    judge_again(world, second["command"])
    assert figures()["ranges"] == []


def test_an_overlay_changes_a_rule_and_one_rule_can_be_asked_for() -> None:
    put_rule("Other")
    Path("mine.yaml").write_text("Test.SignIn: {Severity: Low}\nTest.SignOn: {Enabled: false}\n")
    item = figures("--rule", "Test.SignIn")["ranges"][0]
    assert (item["new"], item["changed"]) == ([], ["Test.SignIn"])
    assert "mine.yaml:2: there is no rule Test.SignOn; did you mean Test.SignIn?" in stale().stderr
    unknown = stale("--rule", "Test.Othr")
    assert isinstance(unknown.exception, RuleError)
    assert str(unknown.exception) == "there is no rule Test.Othr; did you mean Test.Other?"
    Path("mine.yaml").write_text("Test.SignIn: {Enabled: false}\n")
    assert "Test.SignIn is disabled: it judges nothing" in stale("--rule", "Test.SignIn").stderr
