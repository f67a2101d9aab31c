"""`iota trace`: what it prints and its exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from iota_dagster.cli.trace import command
from iota_dagster.platform import open_platform
from iota_dagster.settings import load_settings
from tests.road.world import ACCOUNT, NINE, TEN, World, drive, record, sign_in

EVIL = "x\x1b[31m\n  alert  CRITICAL\u202e"


@pytest.fixture(autouse=True)
def world(here: None, tmp_path: Path) -> World:
    """An installation in the home folder of the command, with a calm event, its copy, and a sign-in that tricks."""
    world = World.at(tmp_path, load_settings().store_url)
    with world.opened() as platform:
        evil = sign_in("loud", EVIL) | {"userAgent": EVIL}
        world.deliver(platform, {"one": [record("calm", NINE), evil]}, TEN)
        drive(platform, "run-one")
        world.deliver(platform, {"two": [record("calm", NINE)]}, TEN)
        drive(platform, "run-two")
    return world


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command, list(arguments), catch_exceptions=False)


def answer(*arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(*arguments, "--json").stdout)
    return found


def test_an_id_that_a_shell_has_cut_out_of_csv_is_found() -> None:
    assert run(f"{ACCOUNT}:calm\r").exit_code == 0


def test_an_event_is_shown_with_its_object_batch_run_row_and_duplicates() -> None:
    result = run("calm")
    assert result.exit_code == 0
    assert result.stdout.startswith("In the lake: record 0 of file://")
    for words in (
        f"{ACCOUNT}:calm",
        "run-one",
        "2 records: 2 rows",
        "cloudtrail_events/year=2026",
        "eventName: GetObject",
    ):
        assert words in result.stdout
    assert "dropped 1 for batch" in result.stdout


def test_json_has_the_whole_row() -> None:
    found = answer("calm")
    assert found["fate"] == "row"
    assert json.loads(found["row"]["p_raw"])["eventID"] == "calm"
    assert found["row"]["p_event_time"] == "2026-11-22T09:05:00Z"
    assert found["batches"][0]["runs"][0]["root_run"] == "run-one"


def test_what_an_attacker_wrote_steers_no_terminal_and_makes_no_line_of_its_own() -> None:
    for arguments in (("loud",), ("--object", "one"), ("loud", "--json")):
        result = run(*arguments)
        assert "\x1b" not in result.stdout
        assert "\u202e" not in result.stdout
        assert not [line for line in result.stdout.splitlines() if line.startswith("  alert  CRITICAL")]
    assert r"\x1b[31m\n  alert" in run("loud").stdout


def test_match_and_alert_ids_lead_to_the_event() -> None:
    found = answer("loud")
    assert answer(found["matches"][0]["id"])["event"] == found["event"]
    alert = answer(found["alerts"][0]["id"])
    assert (alert["fate"], alert["events"][0]["event"]) == ("alert", found["event"])
    assert "sent, 1 attempt," in run(found["alerts"][0]["id"]).stdout


def test_the_copy_in_an_object_is_told_as_a_duplicate() -> None:
    result = run("calm", "--object", "two")
    assert result.exit_code == 0
    assert result.stdout.startswith("A duplicate, one of 1 that file://")
    assert answer("--object", "two")["objects"][0]["duplicates"] == 1


def test_what_is_not_found_is_exit_code_1() -> None:
    for arguments in (("nobody",), ("--object", "nowhere"), ("nobody", "--object", "one")):
        assert run(*arguments).exit_code == 1
    assert answer("nobody")["fate"] == "unknown"


@pytest.mark.parametrize(
    ("hour", "fate"),
    [("2026-11-22T09", "row"), ("2026-11-22", "row"), ("2026-11-22T10", "unknown"), ("2026-11-21", "unknown")],
)
def test_the_search_keeps_to_the_hour_or_the_day_that_is_named(hour: str, fate: str) -> None:
    assert answer("calm", "--hour", hour)["fate"] == fate


def test_a_log_type_bounds_the_search() -> None:
    assert answer("calm", "--log-type", "AWS.CloudTrail")["fate"] == "row"
    assert answer("calm", "--log-type", "AWS.VPCFlow")["fate"] == "unknown"


def test_nothing_to_look_for_and_a_wrong_hour_are_usage_errors() -> None:
    assert run().exit_code == 2
    assert run("calm", "--hour", "yesterday").exit_code == 2


def test_looking_changes_nothing_in_the_store() -> None:
    platform = open_platform(load_settings())
    before = [(file.path, file.modified) for file in platform.state.list("")]
    run("calm")
    run("nobody")
    assert [(file.path, file.modified) for file in platform.state.list("")] == before
    platform.database.dispose()
