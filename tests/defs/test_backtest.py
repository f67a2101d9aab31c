"""The job that runs rules over an event hour of the lake."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from iota_dagster.core.hours import hour_key
from iota_dagster.definitions import defs
from iota_dagster.defs.partitions import HOURLY
from tests.road.world import NINE, TEN, World, drive, record, sign_in


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """An installation with one sign-in at ten, which its rule has found, and one event at nine."""
    world = World.at(tmp_path, f"sqlite:///{tmp_path}/iota.db")
    with world.opened() as platform:
        world.deliver(platform, {"a.json.gz": [sign_in("s", "203.0.113.1"), record("other", NINE)]}, TEN)
        drive(platform, "run")
    settings = {"HOME": str(world.home), "STORE_URL": world.store_url, "RULES": json.dumps([str(world.rules)])}
    for name, value in settings.items():
        monkeypatch.setenv(f"IOTA_{name}", value)
    return world


def run(hour: int, **config: Any) -> dict[str, Any]:
    """The figures of a run over an event hour."""
    job = defs.resolve_job_def("rules_backtest")
    assert job.partitions_def == HOURLY
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(
            instance=instance,
            partition_key=hour_key(hour),
            run_config={"ops": {"backtest_hour": {"config": config}}},
        )
    (output,) = (event for event in result.all_node_events if event.is_successful_output)
    return {name: value.value for name, value in output.step_output_data.metadata.items()}


def test_an_hour_shows_what_rules_find_in_it(world: World) -> None:
    shown = run(TEN)
    assert (shown["events"], shown["matches"], shown["matches_new"], shown["alerts_gone"]) == (1, 1, 0, 0)
    (row,) = shown["rules_by_matches"].records
    assert (row.data["rule"], row.data["new"]) == ("Test.SignIn", 0)
    quiet = run(NINE)
    assert (quiet["events"], quiet["matches"]) == (1, 0)
    assert "samples" not in quiet


def test_the_configuration_names_rules_and_their_folder(world: World, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for file in world.rules.glob("sign_in.*"):
        (other / file.name).write_text(file.read_text().replace("ConsoleLogin", "GetObject"))
    shown = run(NINE, rules=["Test.SignIn"], folder=str(other), samples=1)
    assert (shown["matches"], shown["matches_new"], shown["alerts_new"]) == (1, 1, 1)
